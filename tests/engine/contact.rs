//! When the clock of SDOWN starts for an address that is new to us, and for one that was lost: nobody is judged before it could be asked.

use std::time::Duration;

use sentineld::engine::{ConnKind, Input};
use sentineld::wire::{Answer, SentinelCommand};

use crate::lab::{Lab, MASTER, lab_with};

/// Down-after of these tests: what a first contact on a busy machine may well take.
const DOWN_AFTER: u64 = 300;

fn hasty(replicas: u16, peers: u16) -> Lab {
    let mut lab = lab_with(replicas, peers, |settings| {
        settings.masters[0].down_after = Duration::from_millis(DOWN_AFTER);
        settings.masters[0].quorum = u32::from(peers) + 1;
    });
    lab.run(3_000);
    lab.mark();
    lab
}

/// A peer tells of a switch to 6001; when that was.
fn switched(lab: &mut Lab) -> u64 {
    lab.hello(1, 5, 6001, 5);
    assert_eq!(lab.count("+switch-master"), 1);
    lab.now / 1_000_000
}

#[test]
fn a_new_master_has_a_full_down_after_from_the_first_connection() {
    for contact in [1, 290, 1_000, 1_999] {
        let mut lab = hasty(1, 1);
        lab.stub(6001).void = true;
        lab.stub(6001).mute = true;
        let at = switched(&mut lab);
        lab.run(contact);
        lab.conclude_attempts();
        assert_eq!(lab.count("+sdown master"), 0, "{}", lab.history());
        assert_eq!(lab.until("+sdown master", 400) - at, contact + DOWN_AFTER);
    }
}

#[test]
fn a_freeze_of_ours_takes_nothing_of_that() {
    for (before, patience) in [(1_500, 2_000), (2_100, 0)] {
        let mut lab = hasty(1, 1);
        lab.stub(6001).void = true;
        lab.stub(6001).mute = true;
        switched(&mut lab);
        lab.run(before);
        lab.freeze(5_000);
        let thawed = lab.now / 1_000_000;
        assert_eq!(lab.until("+sdown master", 3_000) - thawed, patience + DOWN_AFTER);
    }
}

#[test]
fn a_new_master_that_answers_late_is_never_down() {
    let mut lab = hasty(1, 1);
    lab.stub(6001).void = true;
    switched(&mut lab);
    lab.run(1_990);
    lab.stub(6001).void = false;
    lab.conclude_attempts();
    lab.run(10_000);
    assert_eq!(lab.count("+sdown master"), 0, "{}", lab.history());
}

#[test]
fn a_new_master_that_can_not_be_reached_goes_down_in_bounded_time() {
    let mut lab = hasty(1, 1);
    lab.stub(6001).void = true;
    let at = switched(&mut lab);
    assert_eq!(lab.until("+sdown master", 3_000) - at, 2_000 + DOWN_AFTER);
    let mut lab = hasty(1, 1);
    lab.stub(6001).up = false;
    let at = switched(&mut lab);
    assert_eq!(lab.until("+sdown master", 3_000) - at, DOWN_AFTER, "a refusal is an answer");
}

#[test]
fn a_refused_attempt_starts_the_clock_and_later_ones_do_not_move_it() {
    let mut lab = hasty(1, 1);
    lab.stub(6001).void = true;
    let at = switched(&mut lab);
    lab.run(500);
    lab.stub(6001).up = false;
    lab.conclude_attempts();
    lab.run(100);
    lab.stub(6001).up = true;
    lab.stub(6001).mute = true;
    lab.conclude_attempts();
    assert_eq!(lab.until("+sdown master", 400) - at, 500 + DOWN_AFTER);
}

#[test]
fn a_cut_connection_is_judged_by_the_next_one() {
    // Cut, and nobody answers at the door: down-after for the contact, and once more for the silence.
    let mut lab = hasty(1, 1);
    let at = lab.now / 1_000_000;
    lab.stub(6000).void = true;
    lab.cut(6000, None);
    assert_eq!(lab.until("+sdown master", 1_000) - at, 2 * DOWN_AFTER);
    // Cut again and again, by CLIENT KILL as it were, with slow machines between: it lives.
    let mut lab = hasty(1, 1);
    for _ in 0..20 {
        lab.stub(6000).void = true;
        lab.cut(6000, Some(ConnKind::Command));
        lab.run(290);
        lab.stub(6000).void = false;
        lab.conclude_attempts();
        lab.run(1);
    }
    assert_eq!(lab.count("+sdown"), 0, "{}", lab.history());
}

#[test]
fn a_cut_in_the_middle_of_a_silence_does_not_excuse_it() {
    let mut lab = hasty(1, 1);
    lab.stub(6000).mute = true;
    let answered = lab.now / 1_000_000;
    // PING comes every 300 ms at this down-after: one was just answered, the next one is not.
    lab.run(400);
    lab.stub(6000).void = true;
    lab.cut(6000, None);
    assert_eq!(lab.until("+sdown master", 1_000) - answered, 2 * DOWN_AFTER);
}

#[test]
fn a_connection_that_hangs_is_given_up_and_tried_again() {
    let mut lab = hasty(1, 1);
    lab.stub(6001).void = true;
    switched(&mut lab);
    let commands = |lab: &Lab| {
        lab.connects.iter().filter(|(_, port, kind)| *port == 6001 && *kind == ConnKind::Command).count()
    };
    lab.run(14_900);
    assert_eq!(commands(&lab), 1);
    lab.run(200);
    assert_eq!(commands(&lab), 2, "after the 15 seconds that every connection has");
}

#[test]
fn replies_of_an_earlier_connection_answer_nothing() {
    let mut lab = hasty(1, 1);
    lab.stub(5001).down = true;
    lab.stub(5001).mute = true;
    lab.kill(6000);
    lab.until("+sdown master", 1_000);
    lab.run(20);
    let old: Vec<_> = lab.unanswered.drain(..).collect();
    assert!(!old.is_empty());
    lab.cut(5001, None);
    lab.unanswered.clear();
    lab.stub(5001).down = false;
    for (conn, tag, reply) in old {
        lab.feed(Input::Reply(conn, tag, reply));
    }
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else {
        panic!("peers")
    };
    assert!(!peers[0].instance.flags.contains(&"master_down"), "said on a connection that is no more");
    assert_eq!(lab.count("+odown"), 0);
    // What was asked on the new connection is counted there, and answered there.
    assert!(peers[0].instance.pending_commands >= 3, "{}", peers[0].instance.pending_commands);
    lab.stub(5001).down = true;
    lab.stub(5001).mute = false;
    lab.until("+odown", 1_100);
}
