//! What keeps a promotion from being undone, or from being announced too late: old knowledge, freezes, a leader that stayed behind
//! (spec 2 §9.5–§9.7, §9.11, §14.2).

use std::time::Duration;

use sentineld::wire::{Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, lab, lab_with};
use crate::stub::{master_info, replica_info};

fn told(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| matches!(request, Request::ReplicaOf(Some(_))))
}

/// A leader whose candidate has taken the command and does not show it yet. Two peers, whose votes are not needed.
fn promoting(replicas: u16) -> Lab {
    let mut lab = lab_with(replicas, 2, |settings| {
        settings.masters[0].quorum = 1;
        settings.masters[0].failover_timeout = Duration::from_secs(60);
    });
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-wait-promotion", 2_000);
    lab
}

#[test]
fn a_promotion_that_shows_in_time_needs_nobodys_word() {
    let mut lab = promoting(2);
    lab.run(9_000);
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.until("+promoted-slave", 1_100);
}

#[test]
fn a_promotion_that_shows_late_needs_a_majority_that_still_knows_the_old_master() {
    for (epoch, port) in [(0, 6000), (9, 6002)] {
        let mut lab = promoting(2);
        lab.run(11_000);
        lab.mark();
        lab.stub(6001).info = Some(master_info(6001, &[]));
        lab.run(5_000);
        assert_eq!(lab.count("+promoted-slave"), 0, "{}", lab.history());
        lab.hello(1, epoch, port, epoch);
        lab.run(1_100);
        assert_eq!(lab.count("+promoted-slave"), usize::from(epoch == 0), "{}", lab.history());
        assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), if epoch == 0 { 6001 } else { 6002 })));
    }
}

#[test]
fn a_leader_that_was_frozen_asks_anew_before_it_tells_of_its_promotion() {
    for sees_it in [true, false] {
        let mut lab = promoting(2);
        // What a majority said, and what the candidate answers, before the freeze.
        lab.hello(1, 0, 6000, 0);
        lab.stub(6001).info = Some(master_info(6001, &[]));
        lab.freeze(5_000);
        lab.mark();
        if !sees_it {
            // Somebody took the candidate for a stray meanwhile.
            lab.stub(6001).info = Some(replica_info(6001, 6002, ""));
        }
        lab.run(4_000);
        assert_eq!(lab.count("+promoted-slave"), 0, "nobody named the old master since: {}", lab.history());
        lab.hello(1, 0, 6000, 0);
        lab.run(1_100);
        assert_eq!(lab.count("+promoted-slave"), usize::from(sees_it), "{}", lab.history());
    }
}

#[test]
fn strays_are_judged_anew_after_a_freeze() {
    // Before the freeze the patience was all but over.
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.stub(6002).obeys = false;
    lab.stub(6002).info = Some(master_info(6002, &[]));
    lab.mark();
    lab.until("-role-change slave 127.0.0.1:6002", 11_000);
    lab.run(7_500);
    lab.freeze(60_000);
    lab.mark();
    lab.run(7_900);
    assert_eq!(lab.count("+convert-to-slave"), 0, "{}", lab.history());
    lab.until("+convert-to-slave slave 127.0.0.1:6002", 3_000);
}

#[test]
fn after_a_start_from_an_old_file_the_new_master_is_left_alone() {
    // The file names 6000, which runs; the others have promoted 6001 meanwhile, and can't be heard.
    let mut lab = lab_with(2, 2, |settings| settings.masters[0].quorum = 2);
    lab.stub(6001).info = Some(master_info(6001, &[6002]));
    lab.stub(6002).info = Some(replica_info(6002, 6001, ""));
    for port in [5001, 5002] {
        lab.kill(port);
    }
    lab.run(120_000);
    assert_eq!((told(&lab, 6001), told(&lab, 6002)), (0, 0), "{}", lab.history());
    lab.hello(1, 4, 6001, 4);
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6001)));
}

#[test]
fn a_returned_master_is_not_demoted_by_a_master_that_may_have_been_replaced() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 1);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+failover-end", 2_000);
    lab.run(1_000);
    lab.mark();
    // Our master does not report any more. Who knows what it is.
    lab.stub(6001).info = None;
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.until("-role-change slave 127.0.0.1:6000", 1_000);
    lab.hello(1, 1, 6001, 1);
    lab.run(5_000);
    assert_eq!(told(&lab, 6000), 0, "{}", lab.history());
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.run(11_000);
    lab.hello(1, 1, 6001, 1);
    lab.until("+convert-to-slave slave 127.0.0.1:6000", 2_000);
}

#[test]
fn a_replica_that_calls_itself_master_is_not_re_pointed_with_the_others() {
    let mut lab = lab(3, 0);
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:1\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.stub(6002).info = Some(master_info(6002, &[]));
    lab.stub(6002).obeys = false;
    lab.kill(6000);
    lab.until("+failover-end", 3_000);
    assert_eq!((told(&lab, 6002), told(&lab, 6003)), (0, 1), "{}", lab.history());
    lab.until("+convert-to-slave slave 127.0.0.1:6002", 12_000);
}

#[test]
fn a_candidate_that_dies_before_it_shows_makes_room_for_the_next() {
    let mut lab = promoting(2);
    lab.mark();
    lab.kill(6001);
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6002", 1_200);
}

#[test]
fn the_switch_is_told_of_once_and_with_the_promotion() {
    let mut lab = lab(3, 0);
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let promoted = lab.until("+promoted-slave", 2_000);
    assert_eq!(lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 1), promoted);
    // From now on that is what was told, also when somebody else knows better.
    lab.ask(SentinelCommand::Reset("*".into()));
    assert_eq!(lab.count("+switch-master"), 1, "{}", lab.history());

    let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 1);
    lab.stub(5001).down = true;
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent", 2_000);
    lab.hello(1, 9, 6001, 9);
    assert_eq!(lab.count("+switch-master"), 1, "the same address in a later epoch: {}", lab.history());
    lab.hello(1, 10, 6002, 10);
    assert_eq!(lab.count("+switch-master mymaster 127.0.0.1 6001 127.0.0.1 6002"), 1);
}

#[test]
fn a_promotion_that_was_not_told_of_yet_is_told_of_by_a_reset() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.run(995);
    lab.disk = Disk::Works;
    lab.stub(6001).obeys = false;
    lab.until("+failover-state-wait-promotion", 2_000);
    lab.disk = Disk::Hangs;
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.until("-role-change slave 127.0.0.1:6001", 1_100);
    assert_eq!(lab.count("+switch-master"), 0);
    lab.ask(SentinelCommand::Reset("*".into()));
    assert_eq!(lab.count("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001"), 1, "{}", lab.history());
}

#[test]
fn a_replica_that_turns_up_is_promoted_within_a_second_or_so() {
    for timeout in [10, 9_000] {
        let mut lab = lab_with(1, 0, |settings| {
            settings.masters[0].failover_timeout = Duration::from_secs(timeout);
        });
        lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
        lab.run(11_000);
        lab.mark();
        lab.kill(6000);
        let aborted = lab.until("-failover-abort-no-good-slave", 5_000);
        lab.mark();
        lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:7\r\n"));
        let tried = lab.until("+try-failover", 2_100);
        assert!(tried - aborted >= 1_000, "at most one attempt a second");
        lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 1_000);
    }
}

#[test]
fn without_a_replica_attempts_grow_rare() {
    let mut lab =
        lab_with(1, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(9_000));
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    let mut ended = lab.until("-failover-abort-no-good-slave", 5_000);
    for pause in [5_000, 10_000, 20_000, 40_000] {
        lab.mark();
        let waited = lab.until("+try-failover", 90_000) - ended;
        assert!((pause..=pause * 3 / 2).contains(&waited), "{waited} ms instead of {pause}");
        ended = lab.until("-failover-abort-no-good-slave", 5_000);
    }
}

#[test]
fn who_votes_for_another_leaves_the_replica_that_turns_up_to_it() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 1);
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    lab.until("-failover-abort-no-good-slave", 6_000);
    lab.vote(50, "somebody");
    lab.mark();
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:7\r\n"));
    lab.run(4_000);
    assert_eq!(lab.count("+try-failover"), 0, "{}", lab.history());
}

#[test]
fn a_returned_master_that_is_gone_again_has_nobody_asked_between_times() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 1);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+failover-end", 2_000);
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.until("-role-change slave 127.0.0.1:6000", 12_000);
    lab.run(2_500);
    lab.kill(6000);
    // It could be demoted now, if it were there: our master is asked what it is when that one reports, and not whenever somebody looks.
    lab.hello(1, 1, 6001, 1);
    lab.hello(2, 1, 6001, 1);
    lab.mark();
    let asked = |lab: &Lab| lab.asked_of(6001, |request| *request == Request::Info);
    let before = asked(&lab);
    for _ in 0..30 {
        lab.hello(1, 1, 6001, 1);
        lab.run(100);
    }
    assert_eq!((told(&lab, 6000), asked(&lab) - before), (0, 0), "{}", lab.history());
}
