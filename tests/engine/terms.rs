//! The terms of a failover: how many must agree, how long they may take, what is asked and of whom (spec 2 §7.2, §7.3, §8).

use std::time::Duration;

use sentineld::model::MasterName;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{Vote, peer_id, replica_info};

/// A master that is gone, watched by peers who all agree to that, some of whom give us their vote.
fn candidate(peers: u16, quorum: u32, grants: u16) -> Lab {
    let mut lab = lab_with(1, peers, |settings| settings.masters[0].quorum = quorum);
    for number in 1..=peers {
        let stub = lab.stub(5000 + number);
        stub.down = true;
        stub.vote = if number <= grants { Vote::Grants } else { Vote::Refuses };
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(3_000);
    lab
}

fn master(lab: &mut Lab) -> (Option<&'static str>, Vec<&'static str>) {
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    (view.failover_state, view.instance.flags)
}

fn debug(lab: &mut Lab, name: &str, value: &str) {
    let words = vec![name.as_bytes().to_vec(), value.as_bytes().to_vec()];
    assert_eq!(lab.ask(SentinelCommand::Debug(words)), Answer::Ok);
}

/// Questions to the first peer: port, epoch, whether they ask for a vote.
fn questions(lab: &Lab) -> Vec<(u16, u64, bool)> {
    let mine = lab.sent.iter().filter(|(_, to, _)| *to == 5001);
    let asks = mine.filter_map(|(_, _, request)| match request {
        Request::IsMasterDown { port, epoch, candidate, .. } => Some((*port, epoch.0, candidate.is_some())),
        _ => None,
    });
    asks.collect()
}

#[test]
fn a_majority_and_the_quorum_are_both_needed() {
    // Peers, quorum, votes of peers that just do not and just do suffice.
    for (peers, quorum, needed) in
        [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 3, 2), (3, 1, 2), (4, 2, 2), (4, 4, 3)]
    {
        let lab = candidate(peers, quorum, needed - 1);
        assert_eq!(lab.count("+elected-leader"), 0, "{peers} peers, quorum {quorum}: {}", lab.history());
        let lab = candidate(peers, quorum, needed);
        assert_eq!(lab.count("+elected-leader"), 1, "{peers} peers, quorum {quorum}: {}", lab.history());
    }
}

#[test]
fn an_election_lasts_as_long_as_the_shorter_of_two_times() {
    for (timeout, failover_timeout, expected) in [(None, 3_000, 3_000), (Some("2000"), 60_000, 2_000)] {
        let mut lab = lab_with(1, 2, |settings| {
            settings.masters[0].failover_timeout = Duration::from_millis(failover_timeout);
        });
        for port in [5001, 5002] {
            lab.stub(port).down = true;
            lab.stub(port).vote = Vote::For("somebody", 9);
        }
        if let Some(value) = timeout {
            debug(&mut lab, "election-timeout", value);
        }
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        let tried = lab.until("+try-failover", 2_000);
        let over = lab.until("-failover-abort-not-elected master mymaster 127.0.0.1 6000", 11_000);
        assert_eq!(over - tried, expected);
        assert_eq!(master(&mut lab), (None, vec!["s_down", "o_down", "master", "disconnected"]));
    }
}

#[test]
fn after_an_abort_the_next_attempts_wait_longer_each_time_but_never_longer_than_the_reference() {
    let mut lab = lab_with(1, 2, |settings| {
        settings.masters[0].failover_timeout = Duration::from_secs(4);
    });
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = Vote::For("somebody", 9);
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    let mut over = lab.until("-failover-abort-not-elected", 5_000);
    for pause in [1_000, 2_000, 4_000, 4_000] {
        let told = lab.seen().into_iter().find_map(|text| text.strip_prefix("log: Next failover delay "));
        let told: u64 = told.expect("a line").parse().expect("a time");
        lab.mark();
        let tried = lab.until("+try-failover", 10_000);
        assert!(tried.abs_diff(told) <= 1, "{tried}, and {told} was said");
        assert!((pause..=(pause + pause / 2).min(5_000)).contains(&(tried - over)), "{} ms", tried - over);
        over = lab.until("-failover-abort-not-elected", 5_000);
        assert_eq!(lab.count("log: Next failover delay"), 1, "once for each attempt");
    }
}

#[test]
fn a_failover_survives_the_end_of_odown() {
    let mut lab = lab(1, 0);
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-wait-promotion", 2_000);
    lab.stub(6000).up = true;
    lab.until("-odown", 1_100);
    lab.run(2_000);
    assert_eq!(master(&mut lab), (Some("wait_promotion"), vec!["master", "failover_in_progress"]));
    lab.stub(6001).obeys = true;
    lab.stub(6001).info = Some(crate::stub::master_info(6001, &[]));
    lab.until("+switch-master", 2_000);
}

#[test]
fn without_our_own_verdict_there_is_no_objective_one() {
    let mut lab = lab(0, 2);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+odown master", 1_100);
    lab.stub(6000).up = true;
    lab.until("-sdown master", 1_100);
    lab.until("-odown master", 1);
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else { panic!() };
    assert!(peers[0].instance.flags.contains(&"master_down"), "they still think so");
    assert_eq!(master(&mut lab).1, ["master"]);
}

#[test]
fn replicas_and_peers_are_never_objectively_down() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].quorum = 1);
    lab.run(3_000);
    lab.mark();
    lab.kill(6001);
    lab.kill(5001);
    lab.run(20_000);
    assert_eq!(lab.names(), ["+sdown", "+sdown"]);
}

#[test]
fn questions_name_the_configured_address_and_the_epoch() {
    let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    lab.hello(1, 7, 6000, 0);
    lab.mark();
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    assert!(questions(&lab).iter().all(|question| *question == (6000, 7, false)), "{:?}", questions(&lab));
    lab.stub(5001).down = true;
    lab.stub(6002).obeys = false;
    lab.until("+try-failover", 1_100);
    lab.until("+slave-reconf-sent", 1_100);
    assert!(questions(&lab).contains(&(6000, 8, true)), "{:?}", questions(&lab));
    lab.sent.clear();
    lab.run(3_000);
    assert!(!questions(&lab).is_empty());
    assert!(questions(&lab).iter().all(|(port, ..)| *port == 6000), "not the promoted one's yet");
}

#[test]
fn the_period_of_questions_is_tunable() {
    let mut lab = lab(1, 2);
    lab.run(3_000);
    debug(&mut lab, "ask-period", "200");
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    lab.run(2_000);
    lab.sent.clear();
    lab.run(10_000);
    let count = questions(&lab).len();
    assert!((45..=55).contains(&count), "{count} in ten seconds");
}

#[test]
fn a_peer_that_does_not_answer_pings_is_asked_all_the_same() {
    let mut lab = lab(1, 2);
    lab.run(3_000);
    lab.stub(5001).ping = sentineld::wire::PingReply::Other("NOAUTH".into());
    lab.run(5_000);
    lab.stub(5001).down = true;
    lab.mark();
    lab.kill(6000);
    lab.until("+odown master mymaster 127.0.0.1 6000 #quorum 2/2", 1_100);
}

#[test]
fn one_epoch_holds_one_vote_for_each_master() {
    let mut lab = lab_with(0, 0, |settings| {
        let mut other = settings.masters[0].clone();
        other.name = MasterName::from("other");
        other.port = 6500;
        settings.masters.push(other);
    });
    let for_whom = |answer: Option<(bool, Option<String>, u64)>| answer.and_then(|(_, leader, _)| leader);
    assert_eq!(for_whom(lab.vote(5, "a")).as_deref(), Some("a"));
    assert_eq!(for_whom(lab.vote_at("127.0.0.1", 6500, 5, "b")).as_deref(), Some("b"));
    lab.vote(6, "a");
    assert_eq!(for_whom(lab.vote_at("127.0.0.1", 6500, 5, "c")).as_deref(), Some("b"));
    assert_eq!(lab.saved.masters.iter().map(|master| master.leader_epoch.0).collect::<Vec<_>>(), [6, 5]);
}

#[test]
fn a_vote_is_logged_once_for_each_epoch_it_is_given_in() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 3);
    lab.stub(5001).vote = Vote::For("somebody", 4);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    lab.run(3_000);
    assert_eq!(lab.count(&format!("log: {} voted for somebody 4", peer_id(1))), 1);
    lab.stub(5001).vote = Vote::For("another", 6);
    lab.run(3_000);
    assert_eq!(lab.count(&format!("log: {} voted for another 6", peer_id(1))), 1);
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else { panic!() };
    let vote = (peers[0].voted_leader.as_ref().map(|id| id.as_str()), peers[0].voted_leader_epoch.0);
    assert_eq!(vote, (Some("another"), 6));
    lab.stub(5001).mute = true;
    lab.run(5_100);
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else { panic!() };
    assert_eq!(peers[0].voted_leader, None, "a vote that is not repeated is forgotten");
}

#[test]
fn a_failover_by_hand_needs_neither_verdict_nor_patience() {
    let mut lab = lab(1, 2);
    lab.stub(6001).info = Some(replica_info(6001, 6000, ""));
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.vote(3, "somebody");
    lab.mark();
    assert_eq!(lab.ask(SentinelCommand::Failover(MASTER.into())), Answer::Ok);
    assert_eq!(lab.count("+new-epoch 4"), 1);
    lab.until("-failover-abort-slave-timeout", 11_000);
    assert_eq!(master(&mut lab), (None, vec!["master"]), "nothing is left of it");
    let Answer::Replicas(replicas) = lab.ask(SentinelCommand::Replicas(MASTER.into())) else { panic!() };
    assert_eq!(replicas[0].instance.flags, ["slave"]);
    assert_eq!(lab.ask(SentinelCommand::Failover(MASTER.into())), Answer::Ok, "and again at once");
    assert_eq!(lab.count("+new-epoch 5"), 1);
}
