//! A Sentinel that is a peer for several masters: one link, and everything else apart (spec 2 §1.6, §1.8).

use std::time::Duration;

use sentineld::conf::Settings;
use sentineld::engine::Input;
use sentineld::model::MasterName;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{Stub, master_info, peer_id};

/// A second master, at 6500, with the same peers; its down-after is twice as long.
pub fn other(settings: &mut Settings) {
    let mut other = settings.masters[0].clone();
    other.name = MasterName::from("other");
    other.port = 6500;
    other.replicas.clear();
    other.down_after = Duration::from_secs(2);
    settings.masters.push(other);
}

fn refcounts(lab: &mut Lab) -> [u64; 2] {
    [MASTER, "other"].map(|name| {
        let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(name.into())) else {
            panic!("a list")
        };
        peers.first().map_or(0, |peer| peer.instance.link_refcount)
    })
}

#[test]
fn a_peer_that_gossip_brings_shares_the_link_it_has_already() {
    let mut lab = lab_with(0, 1, |settings| {
        other(settings);
        settings.masters[1].peers.clear();
    });
    lab.run(3_000);
    assert_eq!(refcounts(&mut lab), [1, 0]);
    lab.mark();
    lab.hello_line(&format!("127.0.0.1,5001,{},0,other,127.0.0.1,6500,0", peer_id(1)));
    assert_eq!(refcounts(&mut lab), [2, 2]);
    lab.run(3_000);
    assert!(lab.connects.iter().all(|(_, port, _)| *port != 5001), "no second connection");
    assert_eq!(lab.open(5001).len(), 1);
}

#[test]
fn the_same_silence_is_judged_by_the_down_after_of_each_master() {
    let mut lab = lab_with(0, 1, other);
    lab.run(3_000);
    lab.mark();
    lab.kill(5001);
    let lost = lab.now / 1_000_000;
    let sdown = |master: &str, port: u16| {
        format!("+sdown sentinel {} 127.0.0.1 5001 @ {master} 127.0.0.1 {port}", peer_id(1))
    };
    assert_eq!(lab.until(&sdown(MASTER, 6000), 1_100) - lost, 1_000);
    assert_eq!(lab.count("+sdown sentinel"), 1);
    assert_eq!(lab.until(&sdown("other", 6500), 1_100) - lost, 2_000);
}

#[test]
fn a_peer_that_answers_questions_lives_even_if_its_pong_is_late() {
    let mut lab = lab_with(0, 1, |settings| {
        other(settings);
        settings.masters[1].replicas.clear();
    });
    lab.stubs.insert(6500, Stub::new(Some(master_info(6500, &[]))));
    lab.run(3_000);
    lab.kill(6500);
    lab.until("+sdown master other", 2_100);
    lab.mark();
    lab.stub(5001).silent_to_pings = true;
    lab.run(10_000);
    assert_eq!(lab.count("+sdown sentinel"), 0, "{}", lab.history());
    lab.stub(5001).mute = true;
    lab.until("+sdown sentinel", 2_500);
    lab.stub(5001).mute = false;
    lab.cut(5001, None);
    lab.until("-sdown sentinel", 2_000);
}

#[test]
fn each_master_has_its_own_questions() {
    let mut lab = lab_with(0, 1, other);
    lab.stubs.insert(6500, Stub::new(Some(master_info(6500, &[]))));
    lab.run(3_000);
    lab.mark();
    lab.stub(5001).down = true;
    lab.kill(6500);
    lab.until("+odown master other 127.0.0.1 6500 #quorum", 2_100);
    let ports: Vec<u16> = lab
        .sent
        .iter()
        .filter_map(|(_, _, request)| match request {
            Request::IsMasterDown { port, .. } => Some(*port),
            _ => None,
        })
        .collect();
    assert!(!ports.is_empty() && ports.iter().all(|port| *port == 6500), "{ports:?}");
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else { panic!() };
    assert_eq!(peers[0].instance.flags, ["sentinel"], "its opinion is of the other master");
}

#[test]
fn what_may_be_unanswered_grows_with_the_masters() {
    for (masters, limit) in [(1, 100), (2, 200)] {
        let mut lab = lab_with(0, 1, |settings| {
            if masters == 2 {
                other(settings);
            }
            settings.masters.iter_mut().for_each(|master| master.down_after = Duration::from_secs(3_600));
        });
        lab.run(3_000);
        let words = [
            b"MIN-LINK-RECONNECT-PERIOD".to_vec(),
            b"100000000".to_vec(),
            b"PUBLISH-PERIOD".to_vec(),
            b"300".to_vec(),
        ];
        assert_eq!(lab.ask(SentinelCommand::Debug(words.to_vec())), Answer::Ok);
        lab.stub(5001).mute = true;
        lab.mark();
        lab.run(120_000);
        assert_eq!(lab.asked_of(5001, |_| true), limit, "{masters} masters");
    }
}

#[test]
fn replies_for_a_master_that_was_removed_meanwhile_are_dropped() {
    let mut lab = lab_with(0, 1, other);
    lab.run(3_000);
    lab.stub(5001).mute = true;
    lab.run(3_000);
    assert_eq!(lab.ask(SentinelCommand::Remove(MASTER.into())), Answer::Ok);
    let kept: Vec<_> = lab.unanswered.drain(..).collect();
    assert!(kept.len() >= 4, "PING and hellos of both masters");
    lab.stub(5001).mute = false;
    lab.mark();
    for (conn, tag, reply) in kept {
        lab.feed(Input::Reply(conn, tag, reply));
    }
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels("other".into())) else { panic!() };
    assert_eq!((peers[0].instance.pending_commands, peers[0].instance.link_refcount), (0, 1));
    lab.run(10_000);
    assert!(!lab.seen().iter().any(|text| text.contains(MASTER)), "{}", lab.history());
}

#[test]
fn a_replica_or_master_shares_nothing() {
    let mut lab = lab(1, 0);
    lab.ask(SentinelCommand::Monitor {
        name: "again".into(),
        host: "127.0.0.1".into(),
        port: 6000,
        quorum: 1,
    });
    lab.run(3_000);
    assert_eq!(lab.open(6000).len(), 4, "two connections for each of the two entries");
}
