//! Votes, counting, and who has to wait (spec 2 §7.3, §8).

use std::time::Duration;

use sentineld::model::Epoch;
use sentineld::wire::Request;

use super::bench::{Bench, MASTER, me, peer_id};

fn asks(bench: &Bench, port: u16) -> Vec<(u64, u64, bool)> {
    let asks = bench.sent.iter().filter(|(_, to, _)| *to == port);
    asks.filter_map(|(at, _, request)| match request {
        Request::IsMasterDown { epoch, candidate, .. } => Some((*at, epoch.0, candidate.is_some())),
        _ => None,
    })
    .collect()
}

#[test]
fn a_vote_is_for_whoever_comes_first_and_is_repeated() {
    let mut bench = Bench::new(2, 1, 2, |_| {});
    bench.run(3_000);
    let (a, b) = (peer_id(1), peer_id(2));
    let first = bench.asked(MASTER, 5, Some(a.clone())).expect("an answer");
    assert_eq!(
        (first.down, first.leader, first.leader_epoch),
        (false, Some(a.clone()), Epoch(5)),
        "of a healthy master"
    );
    let second = bench.asked(MASTER, 5, Some(b.clone())).expect("an answer");
    assert_eq!((second.leader, second.leader_epoch), (Some(a.clone()), Epoch(5)));
    let older = bench.asked(MASTER, 4, Some(b.clone())).expect("an answer");
    assert_eq!((older.leader, older.leader_epoch), (Some(a), Epoch(5)));
    // The epoch is that of the process: another master's election in a later one makes this one too late.
    assert_eq!(bench.asked(MASTER + 100, 7, Some(b.clone())).expect("an answer").leader, Some(b.clone()));
    let voided = bench.asked(MASTER, 6, Some(b)).expect("an answer");
    assert_eq!(voided.leader_epoch, Epoch(5), "no vote in epoch 6, since the process is at 7");
    assert_eq!(bench.disk_text.masters[0].leader_epoch, Epoch(5));
    assert_eq!(bench.disk_text.sentinel.current_epoch, Epoch(7));
}

#[test]
fn a_question_without_a_candidate_or_a_known_address_changes_nothing() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    bench.run(3_000);
    let reply = bench.asked(MASTER, 9, None).expect("an answer");
    assert_eq!((reply.leader, reply.leader_epoch), (None, Epoch::ZERO));
    let reply = bench.asked(1, 9, Some(peer_id(1))).expect("an answer");
    assert_eq!((reply.leader, reply.leader_epoch), (None, Epoch::ZERO));
    assert_eq!(bench.disk_text.sentinel.current_epoch, Epoch::ZERO);
}

#[test]
fn the_answer_waits_for_the_disk_and_a_failed_save_does_not_matter() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    bench.run(3_000);
    // A rewrite for the epoch, and one for the vote in it.
    bench.disk = (250, false);
    assert_eq!(bench.asked(MASTER, 5, Some(peer_id(1))), None);
    bench.run(480);
    assert!(bench.answers.is_empty(), "the process is in the save");
    let before = bench.sent.len();
    bench.run(20);
    assert_eq!(bench.answers.len(), 1, "the vote is given all the same");
    assert!(bench.sent.len() > before, "and what had to wait goes on");
    assert_eq!(bench.disk_text.masters[0].leader_epoch, Epoch::ZERO);
    // The next save writes it.
    bench.disk = (1, true);
    bench.hello(1, ("m0", MASTER), (6, 0));
    assert_eq!(bench.disk_text.masters[0].leader_epoch, Epoch(5));
}

#[test]
fn whoever_voted_for_another_waits_twice_the_failover_timeout() {
    let mut bench = Bench::new(1, 1, 2, |master| master.failover_timeout = Duration::from_secs(10));
    bench.run(3_000);
    bench.kill(MASTER);
    bench.until("+sdown master", 3_300);
    let voted = bench.now;
    bench.asked(MASTER, 5, Some(peer_id(1)));
    bench.until("+odown", 2_000);
    let at = bench.until("+try-failover", 25_000) - voted;
    assert!((20_000..21_200).contains(&at), "after {at} ms");
    assert_eq!(bench.count("next failover delay"), 1);
}

#[test]
fn an_election_that_is_not_won_lasts_for_ten_seconds_and_costs_twice_the_failover_timeout() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    for peer in [1, 2] {
        bench.stub(5000 + peer).vote = Some((peer_id(9), Epoch(77)));
    }
    bench.run(3_000);
    bench.kill(MASTER);
    bench.until("+try-failover", 5_000);
    let began = bench.now;
    let given_up = bench.until("-failover-abort-not-elected", 12_000) - began;
    assert!((10_000..11_200).contains(&given_up), "after {given_up} ms");
    let again = bench.until("+try-failover", 60_000) - began;
    assert!((60_000..61_200).contains(&again), "after {again} ms");
}

#[test]
fn votes_of_a_later_epoch_win_the_old_one() {
    let mut bench = Bench::new(1, 1, 4, |_| {});
    for peer in 1..=4 {
        bench.stub(5000 + peer).vote = Some((peer_id(9), Epoch(0)));
    }
    bench.run(3_000);
    bench.kill(MASTER);
    bench.until("+try-failover", 5_000);
    bench.run(2_000);
    assert_eq!(bench.seen("+elected-leader"), None);
    // Another master's election raises the epoch of the process; from then on it asks in that one.
    bench.hello(1, ("m0", MASTER), (5, 0));
    for peer in 1..=4 {
        bench.stub(5000 + peer).vote = None;
    }
    bench.until("+promoted-slave", 6_000);
    assert!(asks(&bench, 5001).iter().any(|(_, epoch, _)| *epoch == 5));
    assert_eq!(bench.disk_text.masters[0].config_epoch, Epoch(1), "won with votes in 5, announced as 1");
}

#[test]
fn votes_of_the_failover_epoch_are_void_once_the_process_is_past_it() {
    let mut bench = Bench::new(1, 1, 4, |_| {});
    bench.run(3_000);
    bench.kill(MASTER);
    bench.until("+sdown master", 3_300);
    // With its own vote three of five, which would be enough.
    for peer in [3, 4] {
        bench.stub(5000 + peer).vote = Some((peer_id(9), Epoch(0)));
    }
    for peer in [1, 2] {
        bench.stub(5000 + peer).vote = Some((me(), Epoch(1)));
    }
    bench.until("+try-failover", 3_000);
    bench.hello(1, ("m0", MASTER), (5, 0));
    bench.run(9_000);
    assert_eq!(bench.seen("+elected-leader"), None);
}

#[test]
fn peers_are_asked_at_every_tick_until_they_answer_and_then_once_a_second() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    bench.run(3_000);
    bench.stub(5001).mute = true;
    bench.stub(5002).down = false;
    bench.kill(MASTER);
    let down = bench.until("+sdown master", 3_300);
    bench.run(2_000);
    let silent = asks(&bench, 5001).iter().filter(|(at, ..)| *at >= down).count();
    assert!((20..40).contains(&silent), "{silent} questions in 2 s to a peer that does not answer");
    let answering: Vec<u64> = asks(&bench, 5002).into_iter().map(|(at, ..)| at).collect();
    assert!(answering.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{answering:?}");
    assert!(asks(&bench, 5002).iter().all(|(.., candidate)| !candidate), "it does not stand");
}

#[test]
fn a_lone_sentinel_elects_itself_in_the_tick_of_o_down() {
    let mut bench = Bench::new(1, 1, 0, |_| {});
    bench.run(3_000);
    bench.kill(MASTER);
    assert_eq!(*bench.model.my_id(), me());
    let down = bench.until("+odown", 3_300);
    assert_eq!(bench.seen("+elected-leader"), Some(down));
    assert_eq!(bench.seen(&format!("+vote-for-leader {} 1", me())), Some(down));
}
