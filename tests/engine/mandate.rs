//! How a leader loses what it was elected for (spec 2 §8.4, §9.4).

use std::time::Duration;

use sentineld::engine::{Ask, Input};
use sentineld::wire::{Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, MY_ID, lab_with};
use crate::stub::{master_info, peer_id, replica_info};

/// Elected in epoch 1; the replica has got its SLAVEOF NO ONE and takes its time.
fn leader(forced: bool) -> Lab {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    if forced {
        assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    } else {
        lab.kill(6000);
    }
    lab.until("+failover-state-wait-promotion", 1_500);
    lab.mark();
    lab
}

fn promotions(lab: &Lab) -> usize {
    lab.asked_of(6001, |request| matches!(request, Request::ReplicaOf(None)))
}

fn vote(leader: &str, epoch: u64) -> Option<(bool, Option<String>, u64)> {
    Some((true, Some(leader.to_owned()), epoch))
}

#[test]
fn a_leader_at_work_repeats_its_own_ballot() {
    let mut lab = leader(false);
    lab.run(9_900);
    assert_eq!(lab.vote(2, "other"), vote(MY_ID, 1));
    assert_eq!(lab.saved.sentinel.current_epoch.0, 2, "the epoch is taken all the same");
    lab.run(200);
    assert_eq!(lab.count("-failover-abort"), 0, "what was sent is waited for: {}", lab.history());
    assert_eq!(lab.vote(3, "other"), vote("other", 3), "it was long enough at work");
    assert_eq!(lab.count("-failover-abort-not-elected"), 1, "{}", lab.history());
    assert!(lab.history().contains("we voted for another in epoch 3, and were elected in 1"));
}

#[test]
fn who_re_points_replicas_gives_no_vote_to_who_has_not_heard_of_the_new_master() {
    for forced in [false, true] {
        let mut lab =
            lab_with(2, 2, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
        for port in [5001, 5002] {
            lab.stub(port).down = true;
        }
        lab.stub(6002).info = Some(replica_info(6002, 6000, "slave_priority:0\r\n"));
        lab.run(11_000);
        lab.stub(6002).obeys = false;
        if forced {
            assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
        } else {
            lab.kill(6000);
        }
        lab.until("+switch-master", 1_500);
        lab.run(5_000);
        assert_eq!(lab.count("+failover-end"), 0, "{}", lab.history());
        let down = !forced;
        assert_eq!(lab.vote(7, "other"), Some((down, Some(MY_ID.to_owned()), 1)));
        assert_eq!(lab.saved.sentinel.current_epoch.0, 7, "the epoch is taken all the same");
        lab.until("+failover-end", 6_000);
    }
}

#[test]
fn a_leader_by_hand_loses_it_to_a_later_vote_only() {
    let mut lab = leader(true);
    lab.run(30_000);
    assert_eq!(lab.count("-failover-abort"), 0, "what was sent is waited for, whoever wanted it");
    lab.hello(1, 1, 6000, 1);
    assert_eq!(lab.count("-failover-abort-not-elected"), 1, "{}", lab.history());
}

#[test]
fn a_configuration_of_the_same_epoch_or_a_later_one_ends_it() {
    for (epoch, ends) in [(0, false), (1, true), (7, true)] {
        let mut lab = leader(false);
        lab.hello(1, 7, 6000, epoch);
        assert_eq!(lab.count("-failover-abort-not-elected") == 1, ends, "{}", lab.history());
    }
}

/// Stands for election, and gets no votes.
fn candidate() -> Lab {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = crate::stub::Vote::Refuses;
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 1_500);
    lab
}

#[test]
fn a_candidate_stops_as_well() {
    let mut lab = candidate();
    lab.hello(1, 1, 6000, 1);
    assert_eq!(lab.count("-failover-abort-not-elected"), 1, "{}", lab.history());
}

/// When SLAVEOF NO ONE left, in milliseconds.
fn promoted_at(lab: &Lab) -> Vec<u64> {
    let sent = lab.sent.iter().filter(|(_, _, request)| matches!(request, Request::ReplicaOf(None)));
    sent.map(|(at, ..)| at / 1_000_000).collect()
}

#[test]
fn a_promotion_that_is_refused_is_repeated_until_then() {
    for forced in [false, true] {
        let mut lab =
            lab_with(1, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
        lab.stub(6001).slaveof = Err("LOADING".into());
        lab.run(3_000);
        lab.mark();
        if forced {
            assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
        } else {
            lab.kill(6000);
        }
        let elected = lab.until("+elected-leader", 1_500);
        let over = lab.until("-failover-abort-slave-timeout", 12_000);
        assert!((10_000..=11_000).contains(&(over - elected)), "{} ms", over - elected);
        assert!(promotions(&lab) >= 9, "{} times it was tried", promotions(&lab));
        let last = promoted_at(&lab).into_iter().max().expect("some");
        assert!(last - elected <= 10_000, "{} ms", last - elected);
    }
}

/// The command, which the replica will refuse, is on its way; when we were elected, in milliseconds.
fn slow_refusal() -> (Lab, u64) {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.stub(6001).slaveof = Err("READONLY".into());
    lab.run(3_000);
    lab.mark();
    lab.disk = Disk::Hangs;
    lab.kill(6000);
    lab.until("+try-failover", 1_500);
    lab.stub(6001).mute = true;
    lab.disk = Disk::Works;
    lab.save_all();
    let elected = lab.until("+elected-leader", 10);
    lab.until("+failover-state-wait-promotion", 10);
    (lab, elected)
}

/// The replica answers what it was asked: PING, so that it is not down, or everything.
fn answers_come(lab: &mut Lab, all: bool) {
    let owed = std::mem::take(&mut lab.unanswered);
    let (due, owed) = owed.into_iter().partition(|(_, tag, _)| all || tag.ask == Ask::Ping);
    (lab.unanswered, lab.stub(6001).mute) = (owed, !all);
    for (conn, tag, reply) in due {
        lab.feed(Input::Reply(conn, tag, reply));
    }
}

#[test]
fn what_is_refused_when_the_term_is_over_is_not_tried_in_its_plain_form() {
    for (waits, tries) in [(9_000, 2), (10_100, 1)] {
        let (mut lab, elected) = slow_refusal();
        while lab.now / 1_000_000 < elected + waits {
            lab.run(100);
            answers_come(&mut lab, false);
        }
        assert_eq!(promotions(&lab), 1, "{}", lab.history());
        answers_come(&mut lab, true);
        assert_eq!(promotions(&lab), tries, "{}", lab.history());
        lab.until("-failover-abort-slave-timeout", 3_000);
        let last = promoted_at(&lab).into_iter().max().expect("some");
        assert!(last - elected <= 10_000, "{} ms: {}", last - elected, lab.history());
    }
}

#[test]
fn a_promotion_that_shows_when_the_term_is_over_counts_if_a_majority_names_the_master_before_it() {
    for named in [false, true] {
        let mut lab = leader(false);
        lab.run(15_000);
        assert_eq!(lab.count("-failover-abort"), 0, "{}", lab.history());
        if named {
            lab.hello(1, 0, 6000, 0);
        }
        lab.stub(6001).info = Some(master_info(6001, &[]));
        lab.run(1_100);
        assert_eq!(lab.count("+promoted-slave"), usize::from(named), "{}", lab.history());
        lab.hello(2, 0, 6000, 0);
        lab.until("+switch-master", 1_100);
    }
}

#[test]
fn only_votes_count_that_were_given_to_our_request() {
    for answered in [false, true] {
        let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 2);
        for port in [5001, 5002] {
            lab.stub(port).down = true;
            // They claim to have voted for us in the epoch to come, before they are asked.
            lab.stub(port).vote = crate::stub::Vote::For(MY_ID, 1);
        }
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.disk = crate::lab::Disk::Hangs;
        lab.until("+try-failover", 1_100);
        assert_eq!(lab.count(&format!("log: {} voted for {MY_ID} 1", peer_id(1))), 1);
        lab.stub(5001).mute = !answered;
        lab.stub(5002).mute = !answered;
        lab.disk = crate::lab::Disk::Works;
        lab.save_all();
        lab.run(500);
        assert_eq!(lab.count("+elected-leader") == 1, answered, "{}", lab.history());
    }
}

#[test]
fn a_candidate_that_was_frozen_stands_again_in_a_fresh_epoch() {
    let mut lab = candidate();
    for port in [5001, 5002] {
        lab.stub(port).vote = crate::stub::Vote::Grants;
    }
    lab.now += 5_000_000_000;
    lab.until("+elected-leader", 1_500);
    assert_eq!(lab.count("+new-epoch 2"), 1, "{}", lab.history());
    assert_eq!(lab.count(&format!("log: {} voted for {MY_ID} 2", peer_id(1))), 1, "{}", lab.history());
}

#[test]
fn a_leader_that_was_frozen_for_long_promotes_nobody() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.run(900);
    // The report that the selection waits for does not come before the freeze.
    lab.stub(6001).mute = true;
    lab.until("+failover-state-select-slave", 1_500);
    lab.now += 10_001_000_000;
    lab.run(1_500);
    assert_eq!(promotions(&lab), 0, "{}", lab.history());
    assert!(lab.history().contains("our leadership of epoch 1 is too old"), "{}", lab.history());
}

/// Elected by its own vote, as it knows nobody else; nobody can be chosen yet.
fn leader_alone(forced: bool) -> Lab {
    let mut lab = lab_with(1, 1, |settings| {
        let master = &mut settings.masters[0];
        (master.quorum, master.failover_timeout) = (1, Duration::from_secs(60));
        master.peers.clear();
    });
    lab.stub(5001).down = true;
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
    lab.run(3_000);
    lab.mark();
    if forced {
        assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    } else {
        lab.kill(6000);
    }
    lab.until("+failover-state-select-slave", 1_500);
    lab
}

#[test]
fn who_meets_others_before_it_promoted_needs_their_votes() {
    for forced in [false, true] {
        let mut lab = leader_alone(forced);
        lab.hello(1, 0, 6000, 0);
        assert_eq!(lab.count("-failover-abort-not-elected"), usize::from(!forced), "{}", lab.history());
        let said =
            lab.history().contains("1 voted for us, and of the Sentinels known by now 2 would have to");
        assert_eq!(said, !forced, "{}", lab.history());
        lab.stub(6001).info = Some(replica_info(6001, 6000, ""));
        lab.until("+failover-state-wait-promotion", 8_000);
        assert_eq!(lab.count("+elected-leader"), if forced { 1 } else { 2 }, "{}", lab.history());
        assert_eq!(promotions(&lab), 1, "{}", lab.history());
        let asked = |request: &Request| matches!(request, Request::IsMasterDown { candidate: Some(_), .. });
        assert_eq!(lab.asked_of(5001, asked) > 0, !forced);
    }
}
