//! Votes given and votes asked for: what may leave before it is saved, who wins, who stands back (spec 2 §7.3–7.5, §8).

use sentineld::wire::{Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, MY_ID, lab, lab_with};
use crate::stub::{Vote, peer_id};

fn reply(down: bool, leader: Option<&str>, epoch: u64) -> Option<(bool, Option<String>, u64)> {
    Some((down, leader.map(str::to_owned), epoch))
}

fn asks(lab: &Lab, port: u16) -> Vec<(u64, bool)> {
    let mine = lab.sent.iter().filter(|(_, to, _)| *to == port);
    let asks = mine.filter_map(|(_, _, request)| match request {
        Request::IsMasterDown { epoch, candidate, .. } => Some((epoch.0, candidate.is_some())),
        _ => None,
    });
    asks.collect()
}

#[test]
fn a_vote_is_given_once_per_epoch_to_the_first_who_asks() {
    let mut lab = lab(1, 2);
    lab.mark();
    assert_eq!(lab.vote(3, "notarunid"), reply(false, Some("notarunid"), 3), "whoever it is");
    assert_eq!(lab.names(), ["+new-epoch", "+vote-for-leader"]);
    assert_eq!(lab.seen()[1], "+vote-for-leader notarunid 3");
    assert_eq!(lab.vote(3, "other"), reply(false, Some("notarunid"), 3));
    assert_eq!(
        lab.vote(2, "other"),
        reply(false, Some("notarunid"), 3),
        "an older epoch gets the newer vote"
    );
    assert_eq!(lab.vote(4, "other"), reply(false, Some("other"), 4));
    assert_eq!(lab.vote(9, "*"), reply(false, None, 0), "without a request for a vote nothing is learnt");
    assert_eq!(lab.saved.sentinel.current_epoch.0, 4);
    lab.hello(1, 8, 6000, 0);
    assert_eq!(lab.vote(7, "late"), reply(false, Some("late"), 7), "whatever epoch others have reached");
    assert_eq!(lab.saved.sentinel.current_epoch.0, 8);
    lab.hello(1, 9, 6000, 9);
    assert_eq!(
        lab.vote(9, "too-late"),
        reply(false, Some("late"), 7),
        "a configuration of that epoch is known"
    );
    assert_eq!(lab.vote(10, "in-time"), reply(false, Some("in-time"), 10));
}

#[test]
fn unknown_addresses_get_nothing_and_teach_nothing() {
    let mut lab = lab(1, 0);
    for (host, port) in [("127.0.0.2", 6000), ("127.0.0.1", 6001), ("127.0.0.1", -1), ("127.0.0.1", 71_536)] {
        assert_eq!(lab.vote_at(host, port, 99, "me"), reply(false, None, 0));
    }
    assert_eq!(lab.vote(1, "me"), reply(false, Some("me"), 1), "epoch 99 was not taken");
}

#[test]
fn a_vote_waits_for_the_disk_and_is_none_if_that_fails() {
    let mut lab = lab(1, 0);
    lab.disk = Disk::Hangs;
    assert_eq!(lab.vote(1, "a"), None);
    assert_eq!(lab.vote(1, "a"), None, "repeating it waits too");
    lab.save_all();
    assert_eq!(lab.answers.len(), 2);
    lab.disk = Disk::Fails;
    assert_eq!(lab.vote(2, "b"), reply(false, None, 0));
    assert_eq!(lab.vote(2, "c"), reply(false, None, 0));
    lab.save_all();
    assert_eq!(
        lab.vote(2, "c"),
        reply(false, Some("b"), 2),
        "it was promised to b in memory, and is on disk now"
    );
}

#[test]
fn after_a_restart_the_epoch_of_the_last_vote_is_known_and_its_leader_is_not() {
    let mut lab = lab(1, 0);
    lab.vote(5, "a");
    lab.restart();
    assert_eq!(lab.vote(5, "b"), reply(false, None, 5));
    assert_eq!(lab.vote(6, "b"), reply(false, Some("b"), 6));
    lab.ask(SentinelCommand::Reset("*".into()));
    assert_eq!(lab.vote(6, "c"), reply(false, None, 6), "a reset forgets it too");
}

#[test]
fn a_master_that_is_monitored_again_gets_no_second_vote_in_an_epoch() {
    let monitor =
        || SentinelCommand::Monitor { name: MASTER.into(), host: "127.0.0.1".into(), port: 6000, quorum: 1 };
    let mut lab = lab(1, 0);
    lab.vote(5, "a");
    assert_eq!(lab.refusal(SentinelCommand::Remove(MASTER.into())), "OK");
    assert_eq!(lab.refusal(monitor()), "OK");
    assert_eq!(lab.vote(5, "b"), reply(false, None, 5));
    assert_eq!(lab.saved.masters[0].leader_epoch.0, 5);
    // Not even if the process ends while the master is not in the file.
    assert_eq!(lab.refusal(SentinelCommand::Remove(MASTER.into())), "OK");
    lab.restart();
    assert_eq!(lab.refusal(monitor()), "OK");
    assert_eq!(lab.vote(4, "b"), reply(false, None, 5));
    lab.restart();
    assert_eq!(lab.vote(5, "b"), reply(false, None, 5));
    assert_eq!(lab.vote(6, "b"), reply(false, Some("b"), 6));
}

#[test]
fn whoever_monitors_a_master_again_stands_in_a_fresh_epoch() {
    let mut lab = lab(1, 0);
    lab.vote(5, "a");
    lab.ask(SentinelCommand::Remove(MASTER.into()));
    lab.ask(SentinelCommand::Monitor {
        name: MASTER.into(),
        host: "127.0.0.1".into(),
        port: 6000,
        quorum: 1,
    });
    let words = ["down-after-milliseconds", "1000"].map(|word| word.as_bytes().to_vec()).to_vec();
    lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+try-failover", 3_000);
    assert_eq!(lab.saved.masters[0].leader_epoch.0, 6);
}

#[test]
fn the_opinion_is_our_own_view() {
    let mut lab = lab(1, 2);
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    assert_eq!(lab.vote(0, "*"), reply(true, None, 0));
    assert_eq!(lab.vote(1, "a"), reply(true, Some("a"), 1));
}

#[test]
fn impossible_epochs_are_not_taken() {
    let mut lab = lab(1, 1);
    lab.vote(5, "a");
    assert_eq!(lab.vote(1 << 62, "b"), reply(false, None, 0));
    lab.hello(1, u64::MAX, 6000, 0);
    lab.hello(1, 6, 6001, u64::MAX);
    assert_eq!(lab.saved.sentinel.current_epoch.0, 5);
    assert_eq!(lab.saved.masters[0].port, 6000);
    assert_eq!(lab.vote(6, "c"), reply(false, Some("c"), 6), "life goes on");
}

#[test]
fn a_vote_for_ourselves_holds_nothing_back() {
    let mut lab = lab(1, 2);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.kill(6000);
    lab.run(900);
    assert_eq!(lab.vote(1, MY_ID), reply(false, Some(MY_ID), 1));
    lab.mark();
    lab.until("+try-failover", 3_000);
}

#[test]
fn votes_are_asked_for_when_our_own_is_saved_and_count_only_in_their_epoch() {
    let mut lab = lab(1, 2);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = Vote::For("somebody", 3);
    }
    lab.run(3_000);
    lab.mark();
    lab.disk = Disk::Hangs;
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(500);
    assert!(asks(&lab, 5001).iter().all(|(_, votes)| !votes), "{:?}", asks(&lab, 5001));
    lab.disk = Disk::Works;
    lab.save_all();
    assert_eq!(asks(&lab, 5001).last(), Some(&(1, true)));
    lab.run(100);
    assert_eq!(lab.count("+elected-leader"), 0);
    assert_eq!(lab.count(&format!("log: {} voted for somebody 3", peer_id(1))), 1);
}

/// A split election of three: who has which vote decides whether it is repeated.
fn split(vote: Vote, other: Vote) -> Lab {
    let mut lab = lab(1, 2);
    lab.stub(5001).down = true;
    lab.stub(5002).down = true;
    lab.stub(5001).vote = vote;
    lab.stub(5002).vote = other;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(9_900);
    lab
}

#[test]
fn a_split_election_is_repeated_and_a_lost_one_is_not() {
    let a: &'static str = peer_id(1).leak();
    let b: &'static str = peer_id(2).leak();
    let lab = split(Vote::For(a, 1), Vote::For(b, 1));
    assert!(lab.count("+new-epoch") > 3, "nobody can win epoch 1: {}", lab.history());
    let lab = split(Vote::For(a, 1), Vote::For(a, 1));
    assert_eq!(lab.count("+new-epoch"), 1, "somebody has won it: {}", lab.history());
    let lab = split(Vote::For(a, 2), Vote::For(a, 2));
    assert_eq!(lab.count("+new-epoch"), 1, "somebody has won a later one: {}", lab.history());
}

#[test]
fn a_candidate_that_votes_for_another_in_a_later_epoch_stands_back() {
    let mut lab = lab(1, 2);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = Vote::Refuses;
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let tried = lab.until("+try-failover", 2_000);
    lab.vote(2, &peer_id(1));
    lab.mark();
    lab.run(3_000);
    assert_eq!(lab.count("+new-epoch"), 0, "{}", lab.history());
    let aborted = lab.until("-failover-abort-not-elected", 9_000);
    assert_eq!(aborted - tried, 10_000);
}

#[test]
fn an_election_that_can_not_be_won_is_not_repeated() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 1);
    lab.run(3_000);
    lab.kill(5001);
    lab.kill(5002);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(9_900);
    assert_eq!(lab.count("+new-epoch"), 1, "{}", lab.history());
    lab.stub(5001).up = true;
    lab.run(50);
    lab.until("-failover-abort-not-elected", 200);
}

#[test]
fn a_peer_that_comes_back_during_an_election_decides_it() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 1);
    lab.run(3_000);
    lab.kill(5001);
    lab.kill(5002);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(3_000);
    lab.stub(5001).up = true;
    lab.until("+elected-leader", 1_100);
}

#[test]
fn opinions_expire_and_with_them_the_objective_verdict() {
    let mut lab = lab(0, 2);
    lab.stub(5001).down = true;
    lab.run(3_000);
    lab.kill(5002);
    lab.mark();
    lab.kill(6000);
    lab.until("+odown", 2_000);
    lab.stub(5001).mute = true;
    let silent_since = lab.now / 1_000_000;
    let over = lab.until("-odown", 10_000);
    assert!((4_000..=5_100).contains(&(over - silent_since)), "{} ms", over - silent_since);
}

#[test]
fn questions_are_repeated_with_patience() {
    let mut lab = lab(1, 2);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+sdown", 1_100);
    lab.sent.clear();
    lab.run(10_000);
    let unsatisfied = asks(&lab, 5001).len();
    assert!((10..=16).contains(&unsatisfied), "{unsatisfied} in ten seconds");
    lab.stub(5001).mute = true;
    lab.sent.clear();
    lab.run(10_000);
    // Its connection is up, and loses nothing: after 1, 1, 2, 4 seconds, until the connection itself is given up.
    let silent = asks(&lab, 5001).len();
    assert!((3..=5).contains(&silent), "{silent} in ten seconds");
}

#[test]
fn a_peer_that_answers_with_errors_is_asked_each_second() {
    let mut lab = lab(1, 2);
    lab.stub(5001).vote = Vote::Fails;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+sdown", 1_100);
    lab.sent.clear();
    lab.run(10_000);
    let asked = asks(&lab, 5001).len();
    assert!((8..=12).contains(&asked), "{asked} in ten seconds");
}

#[test]
fn who_is_asked_by_a_peer_asks_back_at_once_but_not_for_ever() {
    let mut lab = lab(1, 2);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+sdown", 1_100);
    lab.run(5_000);
    lab.stub(5001).down = true;
    lab.sent.clear();
    lab.vote(0, "*");
    assert_eq!(asks(&lab, 5001), [(0, false), (1, true)], "asked back, and then for its vote");
    lab.vote(0, "*");
    lab.vote(0, "*");
    assert_eq!(asks(&lab, 5001).len(), 2, "its answer is known now");
    assert_eq!(lab.count("+odown master mymaster 127.0.0.1 6000 #quorum 2/2"), 1);
}
