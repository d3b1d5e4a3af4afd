//! Hello messages, heard and sent (spec 2 §6).

use std::time::Duration;

use sentineld::conf::{MasterSettings, SentinelSettings};
use sentineld::model::MasterName;
use sentineld::wire::{Answer, Hello, Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, MY_ID, lab, lab_with};
use crate::stub::{Vote, peer_id};

fn hellos(lab: &Lab, to: u16) -> Vec<Hello> {
    let mine = lab.sent.iter().filter(|(_, port, _)| *port == to);
    let hellos = mine.filter_map(|(_, _, request)| match request {
        Request::Publish(hello) => Some(hello.clone()),
        _ => None,
    });
    hellos.collect()
}

fn peers(lab: &mut Lab, master: &str) -> Vec<(String, u16)> {
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(master.into())) else {
        panic!("a list")
    };
    peers.into_iter().map(|peer| (peer.instance.name, peer.instance.port)).collect()
}

fn second_master(settings: &mut sentineld::conf::Settings) {
    let mut other = settings.masters[0].clone();
    other.name = MasterName::from("other");
    other.port = 6500;
    other.replicas.clear();
    settings.masters.push(other);
}

#[test]
fn a_new_peer_is_met_once() {
    let mut lab = lab(1, 0);
    lab.mark();
    lab.hello(1, 0, 6000, 0);
    let expected = format!("+sentinel sentinel {0} 127.0.0.1 5001 @ mymaster 127.0.0.1 6000", peer_id(1));
    assert_eq!(lab.seen(), [expected]);
    assert_eq!(lab.saved.masters[0].peers[0].port, 5001);
    let saves = lab.saves.len();
    lab.hello(1, 0, 6000, 0);
    assert_eq!((lab.seen().len(), lab.saves.len()), (1, saves), "nothing is learnt twice");
}

#[test]
fn garbage_own_messages_and_unknown_masters_teach_nothing() {
    let mut lab = lab(1, 0);
    lab.mark();
    for line in [
        "garbage",
        "1.1.1.1,5001,abc,9,mymaster,127.0.0.1,6001,9,more",
        "1.1.1.1,5001,abc,9,nobody,127.0.0.1,6001,9",
        "1.1.1.1,70000,abc,9,mymaster,127.0.0.1,6001,9",
        &format!("127.0.0.1,26379,{MY_ID},9,mymaster,127.0.0.1,6001,9"),
    ] {
        lab.hello_line(line);
        assert!(lab.seen().is_empty(), "{line}: {}", lab.history());
    }
    assert_eq!(lab.saved.sentinel.current_epoch.0, 0);
}

#[test]
fn a_name_for_an_address_needs_resolving_but_its_epoch_counts() {
    let mut lab = lab(1, 0);
    lab.mark();
    lab.hello_line("db.example,5001,abc,9,mymaster,127.0.0.1,6001,9");
    assert_eq!(lab.seen(), ["log: Failed to resolve hostname 'db.example'", "+new-epoch 9"]);
    assert!(peers(&mut lab, MASTER).is_empty());
    lab.hello_line("127.0.0.1,5001,abc,9,mymaster,db.example,6001,9");
    assert_eq!(lab.saved.masters[0].port, 6000, "an address that can't be used changes nothing");
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    assert_eq!(view.config_epoch.0, 0);
}

#[test]
fn a_configuration_without_a_host_is_none() {
    let mut lab = lab_with(1, 1, |settings| settings.sentinel.resolve_hostnames = true);
    lab.hello_line(&format!("127.0.0.1,5001,{},9,mymaster,,6001,9", peer_id(1)));
    assert_eq!((lab.saved.masters[0].host.as_str(), lab.saved.masters[0].port), ("127.0.0.1", 6000));
}

#[test]
fn a_peer_that_moved_is_moved_under_all_masters() {
    let mut lab = lab_with(1, 1, second_master);
    lab.run(100);
    lab.mark();
    lab.hello_line(&format!("127.0.0.1,5009,{},0,mymaster,127.0.0.1,6000,0", peer_id(1)));
    assert_eq!(lab.names(), ["+sentinel-address-switch", "+sentinel-address-update"]);
    let text = lab.seen()[0].to_owned();
    let expected = format!(
        "+sentinel-address-switch master mymaster 127.0.0.1 6000 ip 127.0.0.1 port 5009 for {}",
        peer_id(1)
    );
    assert_eq!(text, expected);
    assert!(lab.seen()[1].ends_with(" 1 additional matching instances"), "{}", lab.seen()[1]);
    assert_eq!(peers(&mut lab, "other"), [(peer_id(1), 5009)]);
    assert_eq!(lab.saved.masters[1].peers[0].port, 5009);
    assert!(lab.connects.iter().any(|(_, port, _)| *port == 5009), "the old connection was dropped");
    assert!(lab.open(5001).is_empty());
}

#[test]
fn another_id_at_a_known_address_replaces_the_old_one_everywhere() {
    let mut lab = lab_with(1, 1, second_master);
    lab.run(100);
    lab.mark();
    lab.hello_line("127.0.0.1,5001,newcomer,0,mymaster,127.0.0.1,6000,0");
    assert_eq!(lab.names(), ["+sentinel-invalid-addr", "+sentinel"]);
    assert_eq!(peers(&mut lab, MASTER), [("newcomer".to_owned(), 5001)]);
    assert!(peers(&mut lab, "other").is_empty());
    assert!(lab.saved.masters[1].peers.is_empty());
    lab.run(3_000);
}

#[test]
fn epochs_and_newer_configurations_are_adopted_and_older_ones_are_not() {
    let mut lab = lab_with(2, 1, |settings| {
        settings.masters[0].client_reconfig_script = Some("/script".into());
    });
    lab.run(3_000);
    lab.mark();
    lab.hello(1, 4, 6000, 3);
    assert_eq!(lab.seen(), ["+new-epoch 4"], "the same address: the number is taken, silently");
    lab.hello(1, 4, 6001, 3);
    lab.hello(1, 4, 6001, 2);
    assert_eq!(lab.names().len(), 1, "neither equal nor older");
    let mark = lab.seen().len();
    lab.hello(1, 5, 6001, 5);
    let slave =
        |port: u16| format!("+slave slave 127.0.0.1:{port} 127.0.0.1 {port} @ mymaster 127.0.0.1 6001");
    let from =
        format!("+config-update-from sentinel {} 127.0.0.1 5001 @ mymaster 127.0.0.1 6000", peer_id(1));
    let switch = "+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001".to_owned();
    let expected = ["+new-epoch 5".to_owned(), from, switch, slave(6002), slave(6000)];
    assert_eq!(lab.seen()[mark..mark + 5], expected, "{}", lab.history());
    let argv: Vec<&str> = lab.scripts[0].1.iter().map(String::as_str).collect();
    let expected = ["/script", "mymaster", "observer", "start", "127.0.0.1", "6000", "127.0.0.1", "6001"];
    assert_eq!(argv, expected);
    let saved = &lab.saved.masters[0];
    assert_eq!((saved.port, saved.config_epoch.0, lab.saved.sentinel.current_epoch.0), (6001, 5, 5));
    assert_eq!(peers(&mut lab, MASTER).len(), 1, "peers stay");
}

#[test]
fn everybody_is_greeted_on_connecting_and_every_two_seconds() {
    let mut lab = lab(1, 1);
    lab.run(10_000);
    for port in [6000, 6001, 5001] {
        let count = hellos(&lab, port).len();
        assert!((5..=7).contains(&count), "{count} to {port}");
        let hello = &hellos(&lab, port)[0];
        assert_eq!((hello.host.as_str(), hello.port, hello.run_id.as_str()), ("127.0.0.1", 26379, MY_ID));
        assert_eq!((hello.master_port, hello.config_epoch.0), (6000, 0));
    }
}

#[test]
fn a_refused_hello_is_repeated_with_patience_and_announcements_are_ours_to_choose() {
    let mut lab = lab_with(0, 1, |settings| {
        settings.sentinel.announce_ip = Some("sentinel.example".into());
        settings.sentinel.announce_port = Some(443);
    });
    lab.stub(5001).refuses_hellos = true;
    lab.mark();
    lab.run(10_000);
    let count = hellos(&lab, 5001).len();
    assert!((5..=11).contains(&count), "{count} in ten seconds");
    let hello = hellos(&lab, 6000)[0].clone();
    assert_eq!((hello.host.as_str(), hello.port), ("sentinel.example", 443));
}

#[test]
fn a_hello_that_is_on_its_way_is_not_repeated() {
    let mut lab = lab(0, 1);
    lab.run(3_000);
    lab.stub(5001).mute = true;
    lab.mark();
    lab.run(10_000);
    assert_eq!(hellos(&lab, 5001).len(), 1, "answers come in order, this one as well");
    lab.stub(5001).mute = false;
    lab.mark();
    lab.cut(5001, None);
    lab.run(1_000);
    assert_eq!(hellos(&lab, 5001).len(), 1, "a new connection begins anew");
}

#[test]
fn an_epoch_is_spread_only_when_saved_and_never_below_the_configuration() {
    let mut lab = lab(1, 1);
    lab.run(1_000);
    lab.disk = Disk::Fails;
    lab.hello(1, 7, 6000, 0);
    lab.mark();
    lab.run(3_000);
    assert!(hellos(&lab, 6000).iter().all(|hello| hello.current_epoch.0 == 0));
    lab.hello(1, 8, 6001, 8);
    lab.mark();
    lab.run(3_000);
    let last = hellos(&lab, 6001).last().expect("a hello").clone();
    assert_eq!((last.config_epoch.0, last.current_epoch.0), (8, 8), "a configuration implies its epoch");
    lab.disk = Disk::Works;
    lab.save_all();
    lab.mark();
    lab.run(3_000);
    assert!(hellos(&lab, 6001).iter().all(|hello| hello.current_epoch.0 == 8));
}

#[test]
fn a_new_id_is_spread_only_when_saved() {
    let master = MasterSettings::new(MASTER.into(), "127.0.0.1".into(), 6000, 1);
    let settings = sentineld::conf::Settings {
        sentinel: SentinelSettings::initial(),
        masters: vec![master],
        ..Default::default()
    };
    let mut lab = Lab::start(settings);
    lab.disk = Disk::Hangs;
    lab.stubs.insert(6000, crate::stub::Stub::new(Some(crate::stub::master_info(6000, &[]))));
    lab.run(2_500);
    assert!(hellos(&lab, 6000).is_empty(), "a crash would leave a ghost among the voters");
    lab.save_all();
    assert_eq!(hellos(&lab, 6000).len(), 1);
}

#[test]
fn the_new_configuration_is_spread_at_once_after_a_promotion() {
    let mut lab = lab(2, 1);
    lab.stub(5001).down = true;
    lab.stub(5001).vote = Vote::Grants;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let promoted = lab.until("+promoted-slave", 2_000);
    let first = lab.sent.iter().find(|(_, port, request)| {
        *port == 5001 && matches!(request, Request::Publish(hello) if hello.config_epoch.0 == 1)
    });
    assert_eq!(first.map(|(at, ..)| at / 1_000_000), Some(promoted));
    lab.run(100);
    assert!(hellos(&lab, 6002).iter().any(|hello| hello.master_port == 6001));
}

#[test]
fn a_peer_met_while_the_master_is_down_is_asked_at_once() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].quorum = 2);
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    let mut stub = crate::stub::Stub::new(None);
    stub.down = true;
    lab.stubs.insert(5001, stub);
    lab.hello(1, 0, 6000, 0);
    lab.until("+odown", 10);
    assert_eq!(lab.saved.masters[0].down_after, Duration::from_secs(1));
}
