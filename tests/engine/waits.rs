//! Before when no failover begins: after a vote for another, after a lost election, after a switch (spec 2 §8.3, §8.5, §9.8).

use std::time::Duration;

use sentineld::wire::SentinelCommand;

use crate::lab::{Lab, MASTER, lab_with};
use crate::stub::{Vote, peer_id};

/// Two peers that hold the master for down; failover-timeout as given.
fn fleet(failover_timeout: u64) -> Lab {
    let mut lab = lab_with(3, 2, |settings| {
        settings.masters[0].failover_timeout = Duration::from_millis(failover_timeout);
    });
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab
}

/// The master dies, and before we stand for election a candidate gets our vote; when, in milliseconds.
fn voted(lab: &mut Lab, candidate: &str) -> u64 {
    lab.kill(6000);
    lab.run(900);
    lab.vote(1, candidate);
    lab.mark();
    lab.now / 1_000_000
}

#[test]
fn who_voted_for_another_gives_it_the_time_of_an_election() {
    for candidate in [peer_id(1), "a-stranger".to_owned()] {
        let mut lab = fleet(9_000_000);
        let at = voted(&mut lab, &candidate);
        let tried = lab.until("+try-failover", 11_000);
        assert!((10_000..=10_150).contains(&(tried - at)), "{} ms", tried - at);
        assert_eq!(lab.count("+odown"), 1);
        let told = lab.seen().into_iter().find_map(|text| text.strip_prefix("log: Next failover delay "));
        let told: u64 = told.expect("a line").parse().expect("a time");
        assert!(told.abs_diff(at + 10_000) <= 1, "{told} was said");
        assert_eq!(lab.count("log: Next failover delay"), 1);
    }
}

#[test]
fn that_time_is_never_longer_than_the_references() {
    let mut lab = fleet(2_000);
    let at = voted(&mut lab, &peer_id(1));
    let tried = lab.until("+try-failover", 6_000);
    assert!((4_000..=5_150).contains(&(tried - at)), "{} ms", tried - at);
}

#[test]
fn who_voted_for_a_leader_that_is_gone_stands_itself() {
    let mut lab = fleet(9_000_000);
    voted(&mut lab, &peer_id(1));
    lab.run(2_000);
    lab.kill(5001);
    let gone = lab.now / 1_000_000;
    let tried = lab.until("+try-failover", 2_000);
    assert!((1_000..=1_150).contains(&(tried - gone)), "{} ms after its connection", tried - gone);
    lab.until("+elected-leader", 1);
}

#[test]
fn a_connection_that_is_back_within_a_second_is_that_of_a_leader_alive() {
    let mut lab = fleet(9_000_000);
    let at = voted(&mut lab, &peer_id(1));
    lab.run(2_000);
    lab.kill(5001);
    lab.run(400);
    lab.stub(5001).up = true;
    let tried = lab.until("+try-failover", 9_000);
    assert!(tried - at >= 10_000, "{} ms", tried - at);
}

#[test]
fn a_leader_that_answers_nothing_is_gone_when_it_is_down() {
    let mut lab = fleet(9_000_000);
    voted(&mut lab, &peer_id(1));
    lab.run(2_000);
    lab.stub(5001).mute = true;
    let down = lab.until("+sdown sentinel", 3_000);
    assert!(lab.until("+try-failover", 200) - down <= 150);
}

#[test]
fn the_wait_ends_with_a_vote_for_ourselves() {
    let mut lab = fleet(9_000_000);
    voted(&mut lab, &peer_id(1));
    lab.vote(2, crate::lab::MY_ID);
    // The reference's limit stays; nothing else holds us back, and that one is hours away.
    lab.run(9_000);
    assert_eq!(lab.count("+try-failover"), 0);
}

/// A candidate that two living peers refuse.
fn refused(failover_timeout: u64) -> (Lab, u64) {
    let mut lab = fleet(failover_timeout);
    for port in [5001, 5002] {
        lab.stub(port).vote = Vote::For("somebody", 9);
    }
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 1_200);
    let over = lab.until("-failover-abort-not-elected", 11_000);
    lab.mark();
    (lab, over)
}

#[test]
fn a_lost_election_is_repeated_soon_however_long_the_timeout() {
    let (mut lab, over) = refused(9_000_000);
    let tried = lab.until("+try-failover", 2_000);
    assert!((1_000..=1_650).contains(&(tried - over)), "{} ms", tried - over);
}

#[test]
fn a_lost_election_is_repeated_only_with_enough_voters() {
    let mut lab = fleet(9_000_000);
    for port in [5001, 5002] {
        lab.stub(port).vote = Vote::For("somebody", 9);
    }
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 1_200);
    lab.run(8_000);
    lab.kill(5001);
    lab.kill(5002);
    lab.until("-failover-abort-not-elected", 3_000);
    lab.mark();
    // The opinions of the peers are forgotten meanwhile.
    lab.run(60_000);
    assert_eq!(lab.count("+try-failover"), 0, "{}", lab.history());
    lab.stub(5001).vote = Vote::Grants;
    lab.stub(5001).up = true;
    lab.until("+try-failover", 1_500);
    lab.until("+elected-leader", 1);
}

#[test]
fn short_delays_are_not_worth_a_line() {
    let (lab, _) = refused(600);
    assert_eq!(lab.count("log: Next failover delay"), 0, "{}", lab.history());
}

/// Fails over to 6001 and kills that at once; how long after the switch the next attempt came.
fn second_failover(failover_timeout: u64, adopted: bool) -> u64 {
    let mut lab = fleet(failover_timeout);
    lab.mark();
    let switched = if adopted {
        lab.hello(1, 5, 6001, 5);
        lab.until("+switch-master", 1)
    } else {
        lab.kill(6000);
        lab.until("+switch-master", 1_500)
    };
    lab.run(100);
    lab.mark();
    lab.kill(6001);
    let tried = lab.until("+try-failover master mymaster 127.0.0.1 6001", 11_000);
    lab.until("+switch-master mymaster 127.0.0.1 6001", 1_000);
    tried - switched
}

#[test]
fn failovers_are_apart_also_after_a_switch() {
    for adopted in [false, true] {
        let apart = second_failover(60_000, adopted);
        assert!((10_000..=10_150).contains(&apart), "ten seconds, and {apart} ms it was");
        let apart = second_failover(2_000, adopted);
        assert!((4_000..=4_150).contains(&apart), "twice failover-timeout, and {apart} ms it was");
        let apart = second_failover(300, adopted);
        assert!((1_050..=1_250).contains(&apart), "down-after, and {apart} ms it was");
    }
}

#[test]
fn what_another_promoted_meanwhile_has_the_whole_time_too() {
    let mut lab = fleet(60_000);
    lab.stub(6003).obeys = false;
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 1_500);
    lab.run(6_000);
    assert_eq!(lab.count("+failover-end"), 0, "6003 is still waited for: {}", lab.history());
    lab.hello(1, 9, 6002, 9);
    let switched = lab.until("+switch-master mymaster 127.0.0.1 6001 127.0.0.1 6002", 1);
    lab.run(100);
    lab.mark();
    lab.kill(6002);
    let apart = lab.until("+try-failover master mymaster 127.0.0.1 6002", 11_000) - switched;
    assert!((10_000..=10_150).contains(&apart), "ten seconds, and {apart} ms it was");
}

#[test]
fn an_operator_need_not_wait_and_a_reset_forgets() {
    let mut lab = fleet(60_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master", 1_500);
    lab.run(500);
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    lab.until("+switch-master mymaster 127.0.0.1 6001", 1_000);
    lab.run(3_000);
    lab.ask(SentinelCommand::Reset("*".into()));
    lab.run(2_500);
    lab.hello(1, 0, 6002, 0);
    lab.hello(2, 0, 6002, 0);
    lab.mark();
    lab.kill(6002);
    lab.until("+try-failover", 1_500);
}
