//! Connections: what is said first, PING and its answers, silence, how often a lost one is tried again (spec 2 §3, §4).

use std::time::Duration;

use sentineld::engine::{ConnKind, Input};
use sentineld::wire::{Answer, PingReply, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};

fn is_ping(request: &Request) -> bool {
    *request == Request::Ping
}

fn debug(lab: &mut Lab, words: &[&str]) {
    let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    assert_eq!(lab.ask(SentinelCommand::Debug(words)), Answer::Ok);
}

fn set(lab: &mut Lab, words: &[&str]) {
    let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    assert_eq!(lab.ask(SentinelCommand::Set { name: MASTER.into(), words }), Answer::Ok);
}

#[test]
fn a_connection_begins_with_auth_name_and_purpose() {
    let lab = lab_with(1, 1, |settings| {
        settings.masters[0].auth_user = Some(b"bob".to_vec());
        settings.masters[0].auth_pass = Some(b"secret".to_vec());
        settings.server.requirepass = Some(b"ours".to_vec());
    });
    let first = |port: u16| -> Vec<String> {
        let mine = lab.sent.iter().filter(|(_, to, _)| *to == port);
        mine.map(|(_, _, request)| format!("{request:?}")).collect()
    };
    for port in [6000, 6001] {
        let words = first(port);
        assert!(words[0].starts_with("Auth { user: Some("), "{words:?}");
        assert!(words.contains(&"SetName(\"sentinel-00000000-cmd\")".to_owned()), "{words:?}");
        assert!(words.contains(&"SetName(\"sentinel-00000000-pubsub\")".to_owned()), "{words:?}");
        assert!(words.contains(&"Subscribe".to_owned()) && words.contains(&"Info".to_owned()));
    }
    let words = first(5001);
    assert!(words[0].starts_with("Auth { user: None"), "requirepass, without a user: {words:?}");
    assert!(!words.contains(&"Subscribe".to_owned()) && !words.contains(&"Info".to_owned()));
}

#[test]
fn pings_come_once_a_period_and_twice_as_often_into_silence() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    lab.run(10_000);
    assert_eq!(lab.asked_of(6000, is_ping), 10);
    lab.stub(6000).mute = true;
    lab.mark();
    lab.run(10_000);
    let silent = lab.asked_of(6000, is_ping);
    assert!((18..=21).contains(&silent), "{silent}");
    let requests = lab.asked_of(6000, |_| true);
    assert!(requests <= 50, "{requests} requests in ten seconds into silence");
}

#[test]
fn answers_to_ping_decide_by_their_class() {
    for (reply, lives) in [
        (PingReply::Pong, true),
        (PingReply::Loading, true),
        (PingReply::MasterDown, true),
        (PingReply::Busy, false),
        (PingReply::Other("NOAUTH".into()), false),
    ] {
        let mut lab = lab(1, 0);
        lab.run(3_000);
        lab.mark();
        lab.stub(6001).ping = reply.clone();
        lab.run(3_000);
        assert_eq!(lab.count("+sdown slave") == 0, lives, "{reply:?}");
    }
}

#[test]
fn a_busy_server_has_its_script_killed_once_per_outage() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    for _ in 0..2 {
        lab.mark();
        lab.stub(6001).ping = PingReply::Busy;
        lab.run(1_000);
        let kills = |lab: &Lab| lab.asked_of(6001, |request| *request == Request::ScriptKill);
        assert_eq!(kills(&lab), 0, "not before it is down");
        lab.run(5_000);
        assert_eq!(kills(&lab), 1);
        lab.stub(6001).ping = PingReply::Pong;
        lab.until("-sdown slave", 1_100);
    }
}

#[test]
fn a_server_that_refuses_or_drops_connections_is_not_stormed() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6001);
    lab.run(10_000);
    let refused = lab.connects.iter().filter(|(_, port, _)| *port == 6001).count();
    assert!(refused <= 2 * 24, "{refused} attempts in ten seconds");
    for kind in [ConnKind::PubSub, ConnKind::Command] {
        let mut lab = crate::lab::lab(1, 0);
        lab.run(3_000);
        lab.mark();
        // It accepts, and closes at once: a subscription that is not allowed, too many clients.
        for _ in 0..1_000 {
            lab.cut(6001, Some(kind));
            lab.run(10);
        }
        let attempts = lab.connects.iter().filter(|(_, port, _)| *port == 6001).count();
        assert!(attempts <= 26, "{attempts} attempts in ten seconds");
    }
}

#[test]
fn a_connection_that_held_is_replaced_at_once() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.cut(6001, None);
    assert_eq!(lab.connects.len(), 2, "both at once");
    assert_eq!(lab.open(6001).len(), 2);
}

#[test]
fn silent_connections_are_dropped_when_they_are_old_enough() {
    let mut lab = lab_with(1, 1, |settings| {
        settings.masters[0].down_after = Duration::from_secs(60);
    });
    lab.run(100);
    lab.mark();
    lab.stub(6001).mute = true;
    lab.run(29_000);
    let commands = |lab: &Lab| {
        lab.connects.iter().filter(|(_, port, kind)| *port == 6001 && *kind == ConnKind::Command).count()
    };
    assert_eq!(commands(&lab), 0);
    lab.run(3_000);
    assert_eq!(commands(&lab), 1, "after half of down-after");
    let subscriptions =
        lab.connects.iter().filter(|(_, port, kind)| *port == 6000 && *kind == ConnKind::PubSub);
    assert_eq!(subscriptions.count(), 2, "nothing is heard there: every 15 seconds");
    assert_eq!(lab.count("+sdown"), 0);
}

#[test]
fn what_is_asked_into_silence_is_bounded_and_goes_on_afterwards() {
    let mut lab = lab_with(0, 1, |settings| {
        settings.masters[0].down_after = Duration::from_secs(3_600);
    });
    lab.run(3_000);
    debug(&mut lab, &["MIN-LINK-RECONNECT-PERIOD", "100000000", "PUBLISH-PERIOD", "500"]);
    lab.stub(5001).mute = true;
    lab.mark();
    lab.run(120_000);
    assert_eq!(lab.asked_of(5001, |_| true), 100);
    let kept: Vec<_> = lab.unanswered.drain(..).collect();
    lab.stub(5001).mute = false;
    lab.mark();
    for (conn, tag, reply) in kept {
        lab.feed(Input::Reply(conn, tag, reply));
    }
    lab.run(5_000);
    let hellos = lab.asked_of(5001, |request| matches!(request, Request::Publish(_)));
    assert!(hellos >= 5, "{hellos} hellos in five seconds");
}

#[test]
fn new_credentials_need_new_connections() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    set(&mut lab, &["auth-pass", "secret"]);
    let auths = |lab: &Lab, port: u16| lab.asked_of(port, |request| matches!(request, Request::Auth { .. }));
    assert_eq!((auths(&lab, 6000), auths(&lab, 6001), auths(&lab, 5001)), (2, 2, 0));
    lab.mark();
    assert_eq!(
        lab.ask(SentinelCommand::ConfigSet(vec![("sentinel-pass".into(), b"x".to_vec())])),
        Answer::Ok
    );
    assert_eq!((auths(&lab, 6000), auths(&lab, 6001), auths(&lab, 5001)), (0, 0, 1));
}

#[test]
fn an_instance_that_does_not_come_back_after_new_credentials_goes_down_in_time() {
    let mut lab = lab(1, 0);
    lab.run(3_500);
    lab.mark();
    lab.stub(6001).mute = true;
    let reset_at = lab.now / 1_000_000;
    set(&mut lab, &["auth-pass", "secret"]);
    let down = lab.until("+sdown slave", 1_100);
    assert_eq!(down - reset_at, 1_000);
}

#[test]
fn renamed_commands_are_for_data_nodes_only() {
    let mut lab = lab_with(1, 1, |settings| {
        settings.masters[0].renamed_commands =
            vec![("ping".into(), "PINGX".into()), ("Publish".into(), "PUB".into())];
    });
    lab.run(3_000);
    for (port, expected) in [(6000, Some("PINGX")), (6001, Some("PINGX")), (5001, None)] {
        let names = lab.renames.iter().filter(|(to, request, _)| *to == port && is_ping(request));
        let names: Vec<Option<&str>> = names.map(|(_, _, name)| name.as_deref()).collect();
        assert!(!names.is_empty() && names.iter().all(|name| *name == expected), "{port}: {names:?}");
    }
    let published =
        lab.renames.iter().find(|(to, request, _)| *to == 6001 && matches!(request, Request::Publish(_)));
    assert_eq!(published.and_then(|(_, _, name)| name.as_deref()), Some("PUB"));
}

#[test]
fn port_zero_is_never_connected_and_down() {
    let mut lab = lab_with(0, 0, |settings| settings.masters[0].port = 0);
    lab.until("+sdown master mymaster 127.0.0.1 0", 1_100);
    lab.run(10_000);
    assert!(lab.connects.is_empty());
}

#[test]
fn shorter_periods_count_at_once() {
    let mut lab = lab(1, 1);
    lab.run(11_000);
    lab.mark();
    debug(&mut lab, &["INFO-PERIOD", "100", "PUBLISH-PERIOD", "200", "PING-PERIOD", "100"]);
    lab.run(1_000);
    assert!(lab.asked_of(6000, |request| *request == Request::Info) >= 9);
    assert!(lab.asked_of(5001, is_ping) >= 9);
    assert!(lab.asked_of(5001, |request| matches!(request, Request::Publish(_))) >= 4);
}

#[test]
fn a_shared_peer_has_one_connection_and_one_ping() {
    let mut lab = lab_with(0, 1, |settings| {
        let mut other = settings.masters[0].clone();
        other.name = "other".into();
        other.port = 6500;
        settings.masters.push(other);
    });
    lab.run(3_000);
    assert_eq!(lab.open(5001).len(), 1);
    lab.mark();
    lab.run(10_000);
    assert_eq!(lab.asked_of(5001, is_ping), 10);
    let hellos = lab.asked_of(5001, |request| matches!(request, Request::Publish(_)));
    assert!((8..=12).contains(&hellos), "{hellos}: one for each master every two seconds");
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels("other".into())) else { panic!() };
    assert_eq!(peers[0].instance.link_refcount, 2);
    lab.ask(SentinelCommand::Remove("other".into()));
    assert_eq!(lab.open(5001).len(), 1, "the connection stays with its other owner");
    lab.ask(SentinelCommand::Remove(MASTER.into()));
    assert_eq!(lab.open(5001).len(), 0);
    lab.run(3_000);
}
