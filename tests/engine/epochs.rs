//! Epochs: which one an election takes, and which are believed (spec 2 §6.3, §7.4, §8.6).

use sentineld::model::MasterName;

use crate::lab::{Lab, lab, lab_with};
use crate::stub::{Vote, master_info, peer_id, replica_info};

/// Masters at 6000, 6100, …, each with a replica at the next port, and two peers that hold them for down and grant their votes.
fn masters(count: u16) -> Lab {
    let mut lab = lab_with(0, 2, |settings| {
        for number in 1..count {
            let mut other = settings.masters[0].clone();
            other.name = MasterName::from(format!("m{number}"));
            other.port = 6000 + 100 * number;
            settings.masters.push(other);
        }
        for master in &mut settings.masters {
            master.replicas = vec![("127.0.0.1".into(), master.port + 1)];
        }
    });
    for port in (0..count).map(|number| 6000 + 100 * number) {
        lab.stubs.insert(port, crate::stub::Stub::new(Some(master_info(port, &[port + 1]))));
        lab.stubs.insert(port + 1, crate::stub::Stub::new(Some(replica_info(port + 1, port, ""))));
    }
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.mark();
    lab
}

#[test]
fn masters_that_fail_together_are_elected_for_in_one_epoch() {
    let mut lab = masters(5);
    for number in 0..5 {
        lab.kill(6000 + 100 * number);
    }
    lab.run(1_500);
    assert_eq!(lab.count("+switch-master"), 5, "{}", lab.history());
    assert_eq!(lab.count("+new-epoch"), 1);
    assert_eq!(lab.saved.masters.iter().map(|master| master.config_epoch.0).collect::<Vec<_>>(), [1; 5]);
    assert_eq!(lab.saved.masters.iter().map(|master| master.leader_epoch.0).collect::<Vec<_>>(), [1; 5]);
}

#[test]
fn failovers_far_apart_take_an_epoch_each() {
    for (apart, epochs) in [(9_000, 1), (10_000, 2)] {
        let mut lab = masters(2);
        lab.kill(6000);
        lab.until("+switch-master", 1_500);
        lab.run(apart - 1_000);
        lab.kill(6100);
        lab.until("+switch-master m1", 1_500);
        assert_eq!(lab.count("+new-epoch"), epochs, "{}", lab.history());
    }
}

#[test]
fn the_epoch_of_a_request_for_another_master_is_shared_and_one_of_hearsay_is_not() {
    for (asked, expected) in [(true, 8), (false, 9)] {
        let mut lab = masters(2);
        if asked {
            lab.vote_at("127.0.0.1", 6100, 8, &peer_id(1));
        } else {
            lab.hello(1, 8, 6000, 0);
        }
        lab.kill(6000);
        lab.until("+elected-leader master mymaster", 1_500);
        assert_eq!(lab.saved.masters[0].leader_epoch.0, expected);
    }
}

#[test]
fn an_election_never_takes_an_epoch_that_was_voted_in_or_is_in_force() {
    let mut lab = masters(1);
    lab.vote(8, crate::lab::MY_ID);
    lab.hello(1, 8, 6000, 8);
    lab.kill(6000);
    lab.until("+elected-leader", 30_000);
    assert_eq!(lab.saved.masters[0].leader_epoch.0, 9);
}

#[test]
fn a_split_vote_is_repeated_in_a_fresh_epoch_within_two_seconds() {
    let mut lab = masters(1);
    for (port, leader) in [(5001, 1), (5002, 2)] {
        let leader: &'static str = peer_id(leader).leak();
        lab.stub(port).vote = Vote::For(leader, 1);
    }
    lab.kill(6000);
    let first = lab.until("+new-epoch 1", 1_500);
    let second = lab.until("+new-epoch 2", 2_000);
    assert!((250..=500).contains(&(second - first)), "{} ms", second - first);
}

fn warnings(lab: &Lab) -> Vec<&str> {
    lab.seen().into_iter().filter(|text| text.contains(" claims epoch ")).collect()
}

#[test]
fn an_epoch_far_above_ours_is_not_believed_and_that_is_said_once() {
    const FAR: u64 = 1 << 32;
    let mut lab = lab(1, 2);
    lab.mark();
    lab.hello(1, FAR, 6000, 0);
    assert_eq!(lab.saved.sentinel.current_epoch.0, FAR, "as far as may be");
    lab.hello(1, 2 * FAR + 1, 6001, 2 * FAR + 1);
    lab.hello(1, 2 * FAR + 2, 6001, 0);
    lab.hello(1, 0, 6001, 2 * FAR + 2);
    assert_eq!(lab.vote(2 * FAR + 1, &peer_id(1)), Some((false, None, 0)));
    assert_eq!(lab.saved.sentinel.current_epoch.0, FAR);
    assert_eq!((lab.saved.masters[0].port, lab.saved.masters[0].config_epoch.0), (6000, 0));
    let expected = format!("log: Sentinel {} claims epoch {} for 'mymaster'", peer_id(1), 2 * FAR + 1);
    assert!(warnings(&lab)[0].starts_with(&expected), "{}", lab.history());
    assert_eq!(warnings(&lab).len(), 1);
    lab.hello(1, u64::MAX, 6000, 0);
    lab.hello(1, u64::MAX, 6000, 0);
    assert_eq!(warnings(&lab).len(), 2, "that is worse");
    lab.hello(2, u64::MAX, 6000, 0);
    assert_eq!(warnings(&lab).len(), 3, "another Sentinel");
}

#[test]
fn what_a_majority_claims_is_believed() {
    const FAR: u64 = 1 << 40;
    let mut lab = lab(1, 4);
    lab.mark();
    lab.hello(1, FAR + 3, 6000, 0);
    lab.hello(2, FAR + 1, 6000, 0);
    lab.hello(2, FAR + 2, 6000, 0);
    assert_eq!(lab.saved.sentinel.current_epoch.0, 0, "two of five");
    lab.hello(3, 5, 6000, 0);
    assert_eq!(lab.saved.sentinel.current_epoch.0, 5);
    lab.vote(FAR, &peer_id(4));
    assert_eq!(
        lab.saved.sentinel.current_epoch.0,
        FAR,
        "what three of five claim at least: {}",
        lab.history()
    );
    assert_eq!(lab.count(&format!("+new-epoch {FAR}")), 1);
    lab.hello(1, FAR + 3, 6001, FAR + 3);
    assert_eq!((lab.saved.masters[0].port, lab.saved.masters[0].config_epoch.0), (6001, FAR + 3));
}

#[test]
fn who_takes_a_claim_back_does_not_count() {
    const FAR: u64 = 1 << 40;
    let mut lab = lab(1, 2);
    lab.hello(1, FAR, 6000, 0);
    lab.hello(1, 3, 6000, 0);
    lab.hello(2, FAR, 6000, 0);
    assert_eq!(lab.saved.sentinel.current_epoch.0, 3);
}

#[test]
fn beyond_half_of_all_numbers_not_even_a_majority_is_believed() {
    let most = i64::MAX as u64 / 2;
    let mut lab = lab(1, 2);
    for number in [1, 2] {
        lab.hello(number, most + 1, 6000, 0);
    }
    assert_eq!(lab.saved.sentinel.current_epoch.0, 0);
    for number in [1, 2] {
        lab.hello(number, most, 6000, 0);
    }
    assert_eq!(lab.saved.sentinel.current_epoch.0, most);
    lab.hello(1, most + 1, 6000, 0);
    assert_eq!(lab.saved.sentinel.current_epoch.0, most);
}

#[test]
fn a_newcomer_with_an_impossible_epoch_is_known_all_the_same() {
    let mut lab = lab(1, 0);
    lab.mark();
    lab.hello(7, 1 << 50, 6000, 0);
    assert_eq!(lab.names(), ["+sentinel"]);
    assert_eq!(lab.saved.masters[0].peers.len(), 1);
}

#[test]
fn two_addresses_in_one_epoch_are_told_of_once_and_ours_stays() {
    let mut lab = lab(2, 2);
    lab.hello(1, 4, 6001, 4);
    lab.run(100);
    lab.mark();
    lab.hello(2, 4, 6001, 4);
    assert!(!lab.history().contains("both in configuration epoch"));
    lab.hello(2, 4, 6002, 4);
    lab.hello(1, 4, 6002, 4);
    lab.run(1_000);
    assert_eq!(lab.saved.masters[0].port, 6001);
    assert_eq!(lab.history().matches("both in configuration epoch 4").count(), 1, "{}", lab.history());
    lab.hello(2, 5, 6002, 5);
    assert_eq!(lab.saved.masters[0].port, 6002, "a newer one decides");
}
