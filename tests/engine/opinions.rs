//! What peers think of a master: of one address, of now, and once for each of them (spec 2 §7.2, §7.5, §9.8).

use std::net::IpAddr;

use sentineld::engine::Input;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab_with};
use crate::stub::{Stub, Vote, peer_id};

/// Two peers, of whom the first agrees that the master is down, which makes it objectively so.
fn agreed(replicas: u16) -> Lab {
    let mut lab = lab_with(replicas, 2, |settings| {
        settings.sentinel.resolve_hostnames = true;
        settings.masters[0].host = "db.example".into();
        settings.masters[0].quorum = 2;
    });
    for port in [5001, 5002] {
        lab.stub(port).down = port == 5001;
        lab.stub(port).vote = Vote::Refuses;
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+odown", 2_000);
    lab.run(500);
    assert_eq!(lab.count("-odown"), 0);
    lab
}

fn thinks_so(lab: &mut Lab) -> bool {
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else {
        panic!("peers")
    };
    let peer = peers.into_iter().find(|peer| peer.instance.name == peer_id(1)).expect("the first peer");
    peer.instance.flags.contains(&"master_down")
}

/// When the first peer was asked last, in milliseconds: it answers at once.
fn last_question(lab: &Lab) -> u64 {
    let to_it = lab
        .sent
        .iter()
        .filter(|(_, to, request)| *to == 5001 && matches!(request, Request::IsMasterDown { .. }));
    to_it.map(|(at, ..)| *at).max().expect("a question") / 1_000_000
}

#[test]
fn an_opinion_lasts_for_five_seconds_from_the_reply() {
    let mut lab = agreed(0);
    lab.stub(5001).mute = true;
    let last = last_question(&lab);
    let now = lab.now / 1_000_000;
    lab.run(last + 5_000 - now);
    assert_eq!(lab.count("-odown"), 0, "{}", lab.history());
    lab.run(1);
    assert_eq!(lab.count("-odown"), 1);
}

#[test]
fn a_stall_of_ours_makes_no_opinion_younger() {
    for (stall, down) in [(1_200, 1), (1_800, 0)] {
        let mut lab = agreed(0);
        (5001..=5002).for_each(|port| lab.stub(port).mute = true);
        let last = last_question(&lab);
        lab.stub(6000).up = true;
        lab.until("-sdown master", 2_000);
        lab.run(last + 3_500 - lab.now / 1_000_000);
        lab.mark();
        lab.kill(6000);
        lab.run(10);
        // The stall itself is not silence; an operator's shorter time makes it a failure in the same turn.
        lab.freeze(0);
        lab.now += stall * 1_000_000;
        let words = ["down-after-milliseconds", "1"].map(|word| word.as_bytes().to_vec()).to_vec();
        lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
        assert_eq!(lab.count("+sdown master"), 1, "{}", lab.history());
        assert_eq!(lab.count("+odown"), down, "{stall}: {}", lab.history());
    }
}

#[test]
fn a_peer_that_lost_its_connection_is_believed_no_longer_than_that() {
    let mut lab = agreed(0);
    lab.kill(5001);
    lab.run(3_900);
    assert!(thinks_so(&mut lab), "half a second ago it did, and a reboot of its own changes nothing");
    lab.run(1_101);
    assert!(!thinks_so(&mut lab));
    assert_eq!(lab.count("-odown"), 1);
}

#[test]
fn a_peer_that_moved_is_asked_anew() {
    let mut lab = agreed(0);
    let mut moved = Stub::new(None);
    moved.mute = true;
    lab.stubs.insert(5009, moved);
    lab.hello_line(&format!("127.0.0.1,5009,{},0,{MASTER},127.0.0.1,6000,0", peer_id(1)));
    assert_eq!(lab.count("+sentinel-address-switch"), 1);
    assert!(!thinks_so(&mut lab));
    assert_eq!(lab.count("-odown"), 1);
}

#[test]
fn a_name_that_means_another_server_is_another_address() {
    let mut lab = agreed(0);
    lab.stub(5001).mute = true;
    let same: IpAddr = "127.0.0.1".parse().expect("an address");
    lab.feed(Input::Resolved("db.example".into(), Some(same)));
    assert!(thinks_so(&mut lab));
    let other: IpAddr = "127.0.0.9".parse().expect("an address");
    lab.feed(Input::Resolved("db.example".into(), Some(other)));
    assert!(!thinks_so(&mut lab));
    assert_eq!(lab.count("-odown"), 1);
}

#[test]
fn a_reset_forgets_opinions_with_those_who_had_them() {
    let mut lab = agreed(1);
    lab.stub(5001).mute = true;
    lab.ask(SentinelCommand::Reset("*".into()));
    lab.hello(1, 0, 6000, 0);
    assert!(!thinks_so(&mut lab));
    lab.until("+sdown master", 4_000);
    lab.run(2_000);
    assert_eq!(lab.count("+odown"), 1, "only the one before");
}
