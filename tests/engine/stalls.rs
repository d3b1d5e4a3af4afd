//! Stalls of the process that are too short for TILT: silence is not counted across them, but never postponed for ever (spec 2 §2.3, §7.1).

use std::time::Duration;

use sentineld::engine::{Ask, Input};
use sentineld::wire::{PingReply, Request};

use crate::lab::{Lab, lab, lab_with};

/// A master that has just stopped to answer: when the PING was sent that it owes, in milliseconds.
fn falls_silent(lab: &mut Lab) -> u64 {
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).mute = true;
    while lab.unanswered.is_empty() {
        lab.run(1);
    }
    lab.now / 1_000_000
}

/// With a peer that does not agree, so that nothing comes of it.
fn disagreeing() -> Lab {
    lab_with(1, 1, |settings| settings.masters[0].quorum = 2)
}

/// What the mute ones were asked is answered after all.
fn answers(lab: &mut Lab) {
    for (conn, tag, reply) in std::mem::take(&mut lab.unanswered) {
        lab.feed(Input::Reply(conn, tag, reply));
    }
}

#[test]
fn an_answer_that_waited_for_us_is_in_time() {
    let mut lab = lab(1, 1);
    falls_silent(&mut lab);
    lab.stub(6001).mute = true;
    lab.stub(5001).mute = true;
    lab.run(900);
    lab.freeze(2_000);
    assert_eq!(lab.names(), [""; 0], "nobody is down before what came meanwhile was read");
    answers(&mut lab);
    for port in [6000, 6001, 5001] {
        lab.stub(port).mute = false;
    }
    lab.run(5_000);
    assert_eq!(lab.names(), [""; 0]);
}

#[test]
fn silence_goes_on_after_it() {
    let mut lab = lab(1, 1);
    let asked = falls_silent(&mut lab);
    lab.run(500);
    lab.freeze(1_500);
    assert_eq!(lab.until("+sdown master", 1_000) - asked, 2_500);
}

#[test]
fn an_attempt_to_connect_has_its_time_too() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).void = true;
    let lost = lab.now / 1_000_000;
    lab.cut(6000, None);
    lab.run(900);
    lab.freeze(1_500);
    // The grace of a connection that was cut is down-after.
    let down = lab.until("+sdown master", 2_000) - lost;
    assert!((3_500..=3_600).contains(&down), "{down} ms");
}

#[test]
fn a_hundred_milliseconds_are_none() {
    let mut lab = lab(1, 1);
    let asked = falls_silent(&mut lab);
    lab.run(500);
    lab.freeze(200);
    assert_eq!(lab.until("+sdown master", 1_000) - asked, 1_000);
}

#[test]
fn who_is_always_late_notices_all_the_same() {
    for stall in [250, 700, 1_999] {
        let mut lab = disagreeing();
        let asked = falls_silent(&mut lab);
        while lab.count("+sdown master") == 0 {
            lab.freeze(stall);
            let silent = lab.now / 1_000_000 - asked;
            assert!(silent <= 3_000 + stall, "{silent} ms of silence and nothing said");
        }
        let silent = lab.now / 1_000_000 - asked;
        assert!(silent > 3_000, "down-after and tilt-trigger, not {silent} ms");
        // The next silence has all of it again.
        answers(&mut lab);
        lab.stub(6000).mute = false;
        lab.until("-sdown master", 1_000);
        let asked = falls_silent(&mut lab);
        lab.freeze(1_500);
        assert_eq!(lab.until("+sdown master", 2_000) - asked, 2_500);
    }
}

#[test]
fn what_a_freeze_gave_it_does_not_take() {
    let mut lab = disagreeing();
    falls_silent(&mut lab);
    lab.freeze(2_500);
    let thawed = lab.now / 1_000_000;
    lab.run(100);
    lab.freeze(1_500);
    assert_eq!(lab.names(), ["+tilt"], "nobody was read since");
    assert_eq!(lab.until("-tilt", 901) - thawed, 2_500);
    assert_eq!(lab.until("+sdown master", 2) - thawed, 2_500);
    // Nor does it give for ever.
    answers(&mut lab);
    lab.stub(6000).mute = false;
    lab.until("-sdown master", 1_000);
    falls_silent(&mut lab);
    lab.freeze(2_500);
    let thawed = lab.now / 1_000_000;
    while lab.count("+sdown master") == 0 {
        lab.freeze(700);
        assert!(lab.now / 1_000_000 - thawed <= 3_700);
    }
}

#[test]
fn what_is_down_stays_so() {
    let mut lab = lab(1, 1);
    falls_silent(&mut lab);
    lab.until("+sdown master", 1_100);
    lab.freeze(2_000);
    lab.run(1_000);
    assert_eq!(lab.count("-sdown"), 0);
}

#[test]
fn a_master_that_does_not_let_us_in_has_not_died_meanwhile() {
    let mut lab = lab(0, 1);
    lab.stub(6000).ping = PingReply::Other("NOAUTH Authentication required.".into());
    let asked = falls_silent(&mut lab);
    lab.run(500);
    lab.freeze(1_500);
    assert_eq!(lab.until("+odown", 1_000) - asked, 2_500);
    assert_eq!(lab.history().matches("+sdown").count(), 1, "before it fell silent: {}", lab.history());
}

#[test]
fn a_report_from_before_a_freeze_answers_the_question_from_before_it() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].down_after = Duration::from_secs(60));
    lab.run(9_900);
    lab.stub(6001).mute = true;
    lab.run(500);
    assert!(lab.unanswered.iter().any(|(_, tag, _)| tag.ask == Ask::Info), "one is on its way");
    lab.freeze(2_500);
    answers(&mut lab);
    lab.mark();
    // The next is the only one that is owed, and is repeated after a second as ever.
    lab.run(11_500);
    assert_eq!(lab.asked_of(6001, |request| *request == Request::Info), 2);
}
