//! The first words on a connection, the passwords they carry, and what the loss of one of the two connections means (spec 2 §1.5, §3).

use sentineld::conf::Settings;
use sentineld::engine::ConnKind;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};

/// The words that were sent to a port, in order; those of gossip without their payload.
fn words(lab: &Lab, port: u16) -> Vec<String> {
    let mine = lab.sent.iter().filter(|(_, to, _)| *to == port);
    let text = |request: &Request| {
        let mut bytes = Vec::new();
        request.encode(None, &mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let words = text.split("\r\n").filter(|word| !word.starts_with(['*', '$']) && !word.is_empty());
        words.take_while(|word| !word.contains(',')).collect::<Vec<_>>().join(" ")
    };
    mine.map(|(_, _, request)| text(request)).collect()
}

fn of(lab: &Lab, port: u16, wanted: &str) -> Vec<String> {
    words(lab, port).into_iter().filter(|text| text.starts_with(wanted)).collect()
}

#[test]
fn the_first_words_come_in_the_order_of_the_reference() {
    let lab = lab_with(1, 1, |settings| settings.masters[0].auth_pass = Some(b"secret".to_vec()));
    let commands = ["AUTH secret", "CLIENT SETNAME sentinel-00000000-cmd", "PING"];
    let subscription =
        ["AUTH secret", "CLIENT SETNAME sentinel-00000000-pubsub", "SUBSCRIBE __sentinel__:hello"];
    for port in [6000, 6001] {
        let mut said = words(&lab, port);
        let at = said.windows(3).position(|three| three == subscription).expect("a subscription");
        said.drain(at..at + 3);
        assert_eq!(said, [&commands[..], &["INFO", "PUBLISH __sentinel__:hello"]].concat());
    }
    let expected = ["CLIENT SETNAME sentinel-00000000-cmd", "PING", "PUBLISH __sentinel__:hello"];
    assert_eq!(words(&lab, 5001), expected, "a peer has no subscription, and is not asked for INFO");
}

type Adjust = fn(&mut Settings);

#[test]
fn who_is_greeted_with_which_password() {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let (data, peer): (&[Adjust], &[Adjust]) = (
        &[
            |settings| settings.masters[0].auth_user = Some(b"bob".to_vec()),
            |settings| settings.server.requirepass = Some(b"ours".to_vec()),
            |settings| settings.sentinel.sentinel_pass = Some(b"peers".to_vec()),
        ],
        &[
            |settings| settings.sentinel.sentinel_user = Some(b"bob".to_vec()),
            |settings| settings.masters[0].auth_pass = Some(b"data".to_vec()),
        ],
    );
    for adjust in data {
        assert!(
            of(&lab_with(1, 0, adjust), 6001, "AUTH").is_empty(),
            "a user alone, or a password of others"
        );
    }
    for adjust in peer {
        assert!(
            of(&lab_with(0, 1, adjust), 5001, "AUTH").is_empty(),
            "a user alone, or a password of others"
        );
    }
    for (user, pass, requirepass, expected) in [
        (None, text("p"), None, "AUTH p"),
        (text("u"), text("p"), text("ours"), "AUTH u p"),
        (text("u"), None, text("ours"), "AUTH ours"),
    ] {
        let lab = lab_with(0, 1, |settings| {
            settings.sentinel.sentinel_user = user.clone();
            settings.sentinel.sentinel_pass = pass.clone();
            settings.server.requirepass = requirepass.clone();
        });
        assert_eq!(of(&lab, 5001, "AUTH"), [expected]);
    }
}

#[test]
fn every_credential_that_changes_renews_the_connections_it_opens() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    let set = |option: &str, value: &str| SentinelCommand::Set {
        name: MASTER.into(),
        words: vec![option.into(), value.into()],
    };
    for (command, renewed) in [
        (set("auth-user", "bob"), [2, 2, 0]),
        (set("auth-pass", "x"), [2, 2, 0]),
        (SentinelCommand::ConfigSet(vec![("sentinel-user".into(), b"bob".to_vec())]), [0, 0, 1]),
        (SentinelCommand::ConfigSet(vec![("sentinel-pass".into(), b"x".to_vec())]), [0, 0, 1]),
        (set("quorum", "1"), [0, 0, 0]),
    ] {
        lab.mark();
        assert_eq!(lab.ask(command.clone()), Answer::Ok);
        let count = |port: u16| lab.connects.iter().filter(|(_, to, _)| *to == port).count();
        assert_eq!([6000, 6001, 5001].map(count), renewed, "{command:?}");
    }
}

fn flags(lab: &mut Lab) -> Vec<&'static str> {
    let Answer::Replicas(replicas) = lab.ask(SentinelCommand::Replicas(MASTER.into())) else {
        panic!("a list")
    };
    replicas[0].instance.flags.clone()
}

#[test]
fn one_lost_connection_shows_and_the_other_serves_on() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    assert_eq!(flags(&mut lab), ["slave"]);
    lab.stub(6001).up = false;
    lab.cut(6001, Some(ConnKind::PubSub));
    lab.run(20_000);
    assert_eq!(flags(&mut lab), ["slave", "disconnected"]);
    assert_eq!(lab.count("+sdown"), 0, "{}", lab.history());
    assert!((18..=21).contains(&of(&lab, 6001, "PING").len()), "{:?}", of(&lab, 6001, "PING").len());
    assert_eq!(of(&lab, 6001, "INFO").len(), 2);
    assert!(of(&lab, 6001, "PUBLISH").len() >= 9);
    let kinds: Vec<ConnKind> = lab.connects.iter().map(|(_, _, kind)| *kind).collect();
    assert!(kinds.iter().all(|kind| *kind == ConnKind::PubSub), "only what is missing is opened");
}

#[test]
fn a_server_that_listens_again_is_seen_within_a_second() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    for (port, kind) in [(6000, "master"), (6001, "slave"), (5001, "sentinel")] {
        lab.mark();
        lab.kill(port);
        lab.until(&format!("+sdown {kind}"), 1_100);
        lab.run(7_300);
        lab.stub(port).up = true;
        let back = lab.now / 1_000_000;
        assert!(lab.until(&format!("-sdown {kind}"), 1_100) - back <= 1_000);
    }
}

#[test]
fn a_short_down_after_shortens_the_ping_period() {
    let mut lab = lab_with(1, 0, |settings| {
        settings.masters[0].down_after = std::time::Duration::from_millis(400);
    });
    lab.run(3_000);
    lab.mark();
    lab.run(10_000);
    assert_eq!(of(&lab, 6001, "PING").len(), 25, "one each 400 ms");
}

#[test]
fn a_young_connection_is_not_dropped_and_neither_is_one_that_answers() {
    let mut lab =
        lab_with(2, 0, |settings| settings.masters[0].down_after = std::time::Duration::from_secs(4));
    lab.stub(6001).mute = true;
    lab.stub(6002).ping = sentineld::wire::PingReply::Other("ERR of any kind".into());
    lab.cut(6001, None);
    lab.run(100);
    lab.mark();
    let lost = |lab: &Lab, port: u16| {
        lab.connects.iter().filter(|(_, to, kind)| *to == port && *kind == ConnKind::Command).count()
    };
    lab.run(14_800);
    assert_eq!(lost(&lab, 6001), 0, "half of down-after is long over");
    lab.run(1_000);
    assert_eq!(lost(&lab, 6001), 1);
    lab.run(40_000);
    assert_eq!(lost(&lab, 6002), 0, "an error is an answer");
}
