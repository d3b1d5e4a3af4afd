//! SENTINEL FAILOVER: the others are asked for their votes, and whatever they say it goes on (spec 2 §9.10).

use sentineld::engine::Input;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, MY_ID, lab, lab_with};
use crate::stub::{Stub, Vote, master_info};

/// Requests for the vote of a peer: epoch by epoch.
fn requests(lab: &Lab, port: u16) -> Vec<u64> {
    let mine = lab.sent.iter().filter(|(_, to, _)| *to == port);
    let asks = mine.filter_map(|(_, _, request)| match request {
        Request::IsMasterDown { epoch, candidate: Some(candidate), .. } if candidate.as_str() == MY_ID => {
            Some(epoch.0)
        }
        _ => None,
    });
    asks.collect()
}

/// A healthy master and peers, some of whom grant their vote; a replica that takes its time, so that the leader can be looked at.
fn forced(peers: u16, grants: u16) -> Lab {
    let mut lab = lab_with(2, peers, |settings| settings.masters[0].quorum = u32::from(peers) + 1);
    for number in 1..=peers {
        lab.stub(5000 + number).vote = if number <= grants { Vote::Grants } else { Vote::Refuses };
    }
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.vote(6, "somebody");
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    lab
}

fn epochs(lab: &Lab) -> Vec<u64> {
    let news = lab.seen().into_iter().filter_map(|text| text.strip_prefix("+new-epoch "));
    news.map(|epoch| epoch.parse().expect("a number")).collect()
}

#[test]
fn the_answers_to_an_operator() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    assert_eq!(lab.refusal(SentinelCommand::Failover("nobody".into())), "ERR No such master with that name");
    lab.stub(6001).obeys = false;
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    let again = lab.refusal(SentinelCommand::Failover(MASTER.into()));
    assert_eq!(again, "INPROG Failover already in progress");
    let expected = [
        "+new-epoch",
        "+try-failover",
        "+vote-for-leader",
        "+elected-leader",
        "+failover-state-select-slave",
        "+selected-slave",
        "+failover-state-send-slaveof-noone",
        "+failover-state-wait-promotion",
    ];
    assert_eq!(lab.names(), expected, "{}", lab.history());
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    assert_eq!(view.instance.flags, ["master", "failover_in_progress", "force_failover"]);
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 1_500);
    let mut lab = crate::lab::lab(0, 0);
    let refused = lab.refusal(SentinelCommand::Failover(MASTER.into()));
    assert_eq!(refused, "NOGOODSLAVE No suitable replica to promote");
}

#[test]
fn a_majority_makes_the_next_epoch_good_whatever_the_quorum() {
    for (peers, grants) in [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2)] {
        let lab = forced(peers, grants);
        assert_eq!(epochs(&lab), [7], "{peers} peers, {grants} votes: {}", lab.history());
        assert_eq!(lab.count("+elected-leader"), 1);
        assert_eq!(lab.count("log: The failover of"), 0);
        for number in 1..=peers {
            assert_eq!(requests(&lab, 5000 + number), [7], "every peer is asked, though the master is well");
        }
    }
}

#[test]
fn without_a_majority_it_goes_on_in_an_epoch_that_nobody_else_takes() {
    for (peers, grants) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
        let lab = forced(peers, grants);
        let taken = epochs(&lab);
        let [7, alone] = taken[..] else { panic!("{taken:?}") };
        assert!((9..=7 + 2 + 65_534).contains(&alone), "{alone}");
        assert_eq!(lab.count("+elected-leader"), 1, "{}", lab.history());
        assert_eq!(lab.count(&format!("+vote-for-leader {MY_ID} {alone}")), 1);
        let voters = peers + 1;
        let votes = format!("{} of {} votes", grants + 1, voters / 2 + 1);
        assert!(lab.history().contains(&votes), "{votes}: {}", lab.history());
        assert_eq!(requests(&lab, 5001), [7], "nobody is asked in that");
    }
}

#[test]
fn an_epoch_that_was_taken_by_word_alone_serves_no_other_master() {
    let mut lab = lab_with(1, 2, crate::sharing::other);
    lab.stubs.insert(6500, Stub::new(Some(master_info(6500, &[]))));
    for port in [5001, 5002] {
        (lab.stub(port).vote, lab.stub(port).down) = (Vote::Refuses, true);
    }
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    lab.kill(6500);
    lab.until("+try-failover master other", 4_000);
    lab.run(10);
    // Others learn of an epoch in which votes are asked for, and may be elected in it themselves.
    let [first, alone, next] = epochs(&lab)[..] else { panic!("{}", lab.history()) };
    assert!(first < alone && next == alone + 1, "{}", lab.history());
    assert_eq!(requests(&lab, 5001), [first, next], "{}", lab.history());
}

#[test]
fn silent_peers_are_waited_for_a_second_and_dead_ones_are_not() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    lab.stub(5001).mute = true;
    lab.stub(5002).mute = true;
    lab.mark();
    let begun = lab.now / 1_000_000;
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    assert_eq!(lab.until("+elected-leader", 1_100) - begun, 1_000);
    let mut lab = crate::lab::lab(2, 2);
    lab.run(3_000);
    lab.kill(5001);
    lab.kill(5002);
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    assert_eq!(lab.count("+elected-leader"), 1, "{}", lab.history());
    assert_eq!(epochs(&lab).len(), 2);
}

#[test]
fn a_late_vote_still_counts() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    lab.stub(5001).mute = true;
    lab.stub(5002).mute = true;
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    lab.run(900);
    assert_eq!(lab.count("+elected-leader"), 0);
    for (conn, tag, reply) in std::mem::take(&mut lab.unanswered) {
        lab.feed(Input::Reply(conn, tag, reply));
    }
    assert_eq!(lab.count("+elected-leader"), 1);
    assert_eq!(epochs(&lab), [1]);
}

#[test]
fn a_later_vote_that_is_heard_of_is_outdone_once() {
    let mut lab = lab(2, 2);
    lab.stub(5001).vote = Vote::For("somebody", 40);
    lab.stub(5002).vote = Vote::For("somebody", 40);
    lab.run(3_000);
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    assert_eq!(requests(&lab, 5001), [1, 41]);
    let taken = epochs(&lab);
    let [1, 41, alone] = taken[..] else { panic!("{taken:?}") };
    assert!(alone >= 43);
    assert_eq!(lab.count("+elected-leader"), 1);
}

#[test]
fn nothing_is_promoted_before_the_epoch_is_saved() {
    let mut lab = lab(2, 2);
    lab.stub(5001).vote = Vote::Refuses;
    lab.stub(5002).vote = Vote::Refuses;
    lab.run(3_000);
    lab.mark();
    lab.disk = Disk::Hangs;
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    lab.run(500);
    assert!(requests(&lab, 5001).is_empty(), "not even asked");
    lab.save_all();
    assert_eq!(requests(&lab, 5001), [1]);
    lab.run(500);
    assert_eq!(lab.count("+elected-leader"), 0, "the epoch of the operator's word is not saved either");
    lab.save_all();
    assert_eq!(lab.count("+elected-leader"), 1);
    lab.disk = Disk::Works;
}
