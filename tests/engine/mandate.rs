//! How a leader loses what it was elected for (spec 2 §8.4, §9.4).

use std::time::Duration;

use sentineld::wire::{Request, SentinelCommand};

use crate::lab::{Lab, MASTER, MY_ID, lab_with};
use crate::stub::peer_id;

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
fn a_leader_by_hand_loses_it_to_a_later_vote_only() {
    let mut lab = leader(true);
    lab.run(30_000);
    assert_eq!(lab.count("-failover-abort"), 0, "an operator's word does not age");
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

#[test]
fn a_promotion_that_is_refused_is_repeated_until_then() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    lab.stub(6001).slaveof = Err("LOADING".into());
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let elected = lab.until("+elected-leader", 1_500);
    let over = lab.until("-failover-abort-slave-timeout", 12_000);
    assert!((10_000..=11_000).contains(&(over - elected)), "{} ms", over - elected);
    assert!(promotions(&lab) >= 9, "{} times it was tried", promotions(&lab));
    let last = lab.sent.iter().filter(|(_, _, request)| matches!(request, Request::ReplicaOf(None)));
    let last = last.map(|(at, ..)| at / 1_000_000).max().expect("some");
    assert!(last - elected <= 10_000, "{} ms", last - elected);
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
