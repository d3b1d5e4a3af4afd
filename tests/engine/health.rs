//! Subjectively and objectively down: both sides of every edge (spec 2 §7).

use std::time::Duration;

use sentineld::wire::{Answer, PingReply, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{master_info, replica_info};

fn flags(lab: &mut Lab) -> Vec<&'static str> {
    match lab.ask(SentinelCommand::Master(MASTER.into())) {
        Answer::Master(view) => view.instance.flags,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lost_connection_starts_the_clock_at_once() {
    let mut lab = lab(1, 1);
    lab.run(3_456);
    for (port, kind) in [(6000, "master"), (6001, "slave"), (5001, "sentinel")] {
        lab.mark();
        let lost_at = lab.now / 1_000_000;
        lab.kill(port);
        assert_eq!(lab.until(&format!("+sdown {kind}"), 1_100) - lost_at, 1_000);
        assert_eq!(lab.count("-sdown"), 0);
    }
}

#[test]
fn silence_counts_from_the_first_unanswered_ping() {
    let mut lab = lab(0, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).mute = true;
    let first = lab.now / 1_000_000 + 1_000;
    assert_eq!(lab.until("+sdown master", 2_100), first + 1_000);
    lab.stub(6000).mute = false;
    lab.until("-sdown master", 600);
}

#[test]
fn down_after_is_exceeded_and_not_only_reached() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.kill(6000);
    let lost_at = lab.now;
    lab.mark();
    lab.run(1_000);
    assert_eq!((lab.count("+sdown"), lab.now), (0, lost_at + 1_000_000_000));
    lab.run(1);
    assert_eq!(lab.count("+sdown"), 1);
}

#[test]
fn an_instance_never_reached_counts_from_its_birth() {
    let mut lab = lab_with(0, 0, |settings| {
        settings.masters[0].port = 6999;
        settings.masters[0].replicas.push(("127.0.0.1".into(), 6998));
    });
    assert_eq!(lab.until("+sdown master", 1_100), 1_000);
    assert_eq!(lab.until("+sdown slave", 1_100), 1_000);
}

#[test]
fn flapping_does_not_extend_the_clock() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).mute = true;
    let lost_at = lab.now / 1_000_000;
    for _ in 0..4 {
        lab.cut(6000, None);
        lab.run(200);
    }
    assert_eq!(lab.until("+sdown master", 300) - lost_at, 1_000);
}

#[test]
fn a_master_that_says_it_is_a_replica_is_down_after_a_while() {
    let mut lab = lab(0, 0);
    lab.run(3_000);
    lab.stub(6000).info = Some(replica_info(6000, 6001, ""));
    lab.mark();
    let reported = lab.until("-role-change master", 11_000);
    let down = lab.until("+sdown master", 22_000);
    assert_eq!(down - reported, 21_000, "down-after and two INFO periods");
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.until("-sdown master", 11_000);
}

#[test]
fn a_restarted_master_may_load_for_so_long() {
    for (period, down) in [(None, false), (Some(3_000), true)] {
        let mut lab = lab_with(0, 0, |settings| {
            settings.masters[0].reboot_down_after = period.map(Duration::from_millis);
        });
        lab.run(3_000);
        lab.mark();
        lab.stub(6000).ping = PingReply::Loading;
        lab.stub(6000).info = Some(master_info(6999, &[]));
        let restarted = lab.until("+reboot master", 11_000);
        lab.run(10_000);
        assert_eq!(lab.count("+sdown master") == 1, down);
        if down {
            assert_eq!(lab.until("+sdown master", 1) - restarted, 3_000);
            lab.stub(6000).ping = PingReply::Pong;
            lab.until("-sdown master", 1_100);
        }
    }
}

#[test]
fn objectively_down_takes_a_quorum_and_follows_the_opinions() {
    let mut lab = lab_with(0, 4, |settings| settings.masters[0].quorum = 3);
    lab.run(3_000);
    lab.mark();
    lab.stub(5001).down = true;
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    lab.run(2_000);
    assert_eq!(lab.count("+odown"), 0);
    lab.stub(5002).down = true;
    lab.until("+odown master mymaster 127.0.0.1 6000 #quorum 3/3", 1_100);
    assert_eq!(flags(&mut lab)[..3], ["s_down", "o_down", "master"]);
    lab.stub(5001).down = false;
    lab.until("-odown master mymaster 127.0.0.1 6000", 1_100);
    lab.mark();
    let words = vec![b"quorum".to_vec(), b"2".to_vec()];
    lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
    assert_eq!(lab.count("+odown master mymaster 127.0.0.1 6000 #quorum 2/2"), 1);
    lab.stub(6000).up = true;
    lab.until("-odown", 1_100);
    assert_eq!(lab.names().iter().filter(|name| **name == "-sdown").count(), 1);
}

#[test]
fn peers_are_asked_only_about_a_master_that_is_down() {
    let mut lab = lab(1, 1);
    lab.run(20_000);
    assert_eq!(lab.asked_of(5001, |request| matches!(request, Request::IsMasterDown { .. })), 0);
}

#[test]
fn a_shorter_down_after_counts_at_once() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].down_after = Duration::from_secs(60));
    lab.run(3_000);
    lab.kill(6001);
    lab.kill(5001);
    lab.run(5_000);
    lab.mark();
    let words = vec![b"down-after-milliseconds".to_vec(), b"5000".to_vec()];
    lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
    lab.run(1);
    assert_eq!(lab.count("+sdown"), 2, "{}", lab.history());
}
