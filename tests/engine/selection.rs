//! Which replica is promoted: every filter from both sides, and the order of the rest (spec 2 §9.3).

use sentineld::engine::ConnKind;
use sentineld::wire::{PingReply, SentinelCommand};

use crate::lab::{Lab, MASTER, lab};
use crate::stub::replica_info;

/// The report of a replica with another priority, offset and run id.
fn report(port: u16, priority: i32, offset: u64, run_id: &str) -> String {
    let text =
        replica_info(port, 6000, "").replace("slave_priority:100", &format!("slave_priority:{priority}"));
    let text = text.replace("slave_repl_offset:10", &format!("slave_repl_offset:{offset}"));
    text.replace(&format!("run_id:{port:040x}"), &format!("run_id:{run_id:0>40}"))
}

/// Kills the master; who is selected, if anybody.
fn selected(lab: &mut Lab) -> Option<u16> {
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-select-slave", 2_000);
    lab.run(4_000);
    let text = lab.seen().into_iter().find(|text| text.starts_with("+selected-slave"))?.to_owned();
    text.split(' ').nth(4)?.parse().ok()
}

#[test]
fn priority_then_offset_then_run_id_decide() {
    for (first, second, best) in [
        ((50, 1, "b"), (100, 9, "a"), 6001),
        ((100, 1, "a"), (50, 1, "b"), 6002),
        ((-1, 1, "b"), (1, 9, "a"), 6001),
        ((100, 9, "b"), (100, 8, "a"), 6001),
        ((100, 9, "B"), (100, 9, "a"), 6002),
        ((100, 9, "a"), (100, 9, "B"), 6001),
        ((0, 9, "a"), (100, 1, "b"), 6002),
    ] {
        let mut lab = lab(2, 0);
        lab.stub(6001).info = Some(report(6001, first.0, first.1, first.2));
        lab.stub(6002).info = Some(report(6002, second.0, second.1, second.2));
        lab.run(11_000);
        assert_eq!(selected(&mut lab), Some(best), "{first:?} against {second:?}");
    }
}

#[test]
fn an_unknown_run_id_comes_last() {
    let mut lab = lab(2, 0);
    let text = report(6001, 100, 10, "a");
    let without = text.lines().filter(|line| !line.starts_with("run_id")).collect::<Vec<_>>().join("\r\n");
    lab.stub(6001).info = Some(without + "\r\n");
    // Known since the first report of the lab: a new life without an id.
    lab.ask(SentinelCommand::Reset("*".into()));
    lab.run(11_000);
    assert_eq!(selected(&mut lab), Some(6002));
}

#[test]
fn who_is_down_gone_or_silent_is_not_selected() {
    let break_it: [fn(&mut Lab); 4] = [
        |lab| lab.kill(6001),
        |lab| lab.stub(6001).mute = true,
        |lab| lab.stub(6001).info = None,
        |lab| lab.stub(6001).ping = PingReply::Other("NOAUTH".into()),
    ];
    for (index, break_it) in break_it.into_iter().enumerate() {
        let mut lab = lab(2, 0);
        lab.run(11_000);
        break_it(&mut lab);
        lab.run(6_000);
        assert_eq!(selected(&mut lab), Some(6002), "case {index}: {}", lab.history());
    }
}

#[test]
fn a_lost_subscription_excludes_nobody() {
    let mut lab = lab(1, 0);
    lab.run(11_000);
    lab.kill(6000);
    lab.run(990);
    lab.stub(6001).up = false;
    lab.cut(6001, Some(ConnKind::PubSub));
    lab.mark();
    lab.until("+selected-slave", 100);
}

#[test]
fn a_link_down_too_long_excludes() {
    // Ten times down-after, and as long as the master is down: 10 and 1 seconds, strictly.
    for (seconds, good) in [(-1, true), (10, true), (15, false), (3_600, false)] {
        let mut lab = lab(1, 0);
        let more = format!("master_link_down_since_seconds:{seconds}\r\n");
        lab.stub(6001).info = Some(replica_info(6001, 6000, &more));
        lab.run(3_000);
        assert_eq!(selected(&mut lab).is_some(), good, "{seconds} s: {}", lab.history());
    }
}

#[test]
fn an_operators_failover_needs_somebody_now() {
    for (info, answer) in [
        (report(6001, 100, 1, "a"), "OK"),
        (report(6001, 0, 1, "a"), "NOGOODSLAVE No suitable replica to promote"),
    ] {
        let mut lab = lab(1, 0);
        lab.stub(6001).info = Some(info);
        lab.run(11_000);
        assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), answer);
    }
}

#[test]
fn fresh_reports_are_waited_for_and_decide() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    // Both were equal when last asked, seconds ago.
    lab.stub(6001).info = Some(report(6001, 100, 500, "a"));
    lab.stub(6002).info = Some(report(6002, 100, 700, "b"));
    assert_eq!(selected(&mut lab), Some(6002));
}

#[test]
fn who_is_not_announced_may_be_promoted() {
    let mut lab = lab(1, 0);
    lab.stub(6001).info = Some(replica_info(6001, 6000, "replica_announced:0\r\n"));
    lab.run(11_000);
    assert_eq!(selected(&mut lab), Some(6001));
}

#[test]
fn an_info_counts_for_30_seconds_while_the_master_is_well() {
    for (age, answer) in [(29_000, "OK"), (31_000, "NOGOODSLAVE No suitable replica to promote")] {
        let mut lab = lab(1, 0);
        lab.run(10_000);
        lab.stub(6001).info = None;
        lab.run(age);
        assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), answer, "{age} ms old");
    }
}

#[test]
fn a_report_from_before_the_master_was_objectively_down_is_not_chosen_by() {
    for (age, good) in [(100, false), (5_500, false), (0, true)] {
        // Two must agree that the master is down: time to let reports grow old.
        let mut lab = crate::lab::lab_with(1, 1, |settings| settings.masters[0].quorum = 2);
        lab.run(3_000);
        lab.kill(6000);
        lab.until("+sdown master", 1_100);
        if !good {
            lab.stub(6001).info = None;
        }
        lab.run(age);
        lab.stub(5001).down = true;
        lab.mark();
        // A peer that asks is asked back at once.
        lab.vote(0, "*");
        lab.until("+failover-state-select-slave", 1_000);
        lab.run(600);
        assert_eq!(lab.count("+selected-slave") == 1, good, "{age} ms old: {}", lab.history());
    }
}

#[test]
fn while_nobody_can_be_promoted_everybody_is_asked_twice_a_second() {
    let mut lab = lab(1, 0);
    lab.stub(6001).info = Some(report(6001, 0, 1, "a"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-select-slave", 2_000);
    lab.sent.clear();
    lab.run(1_990);
    let asked = lab.asked_of(6001, |request| *request == sentineld::wire::Request::Info);
    assert!((3..=5).contains(&asked), "{asked} times in two seconds");
    lab.stub(6001).info = Some(report(6001, 100, 1, "a"));
    lab.until("+selected-slave", 600);
}

#[test]
fn a_link_may_be_down_for_as_long_as_the_master_is() {
    // Ten times down-after are 10 seconds, and the master is down for 4 before two agree.
    for (seconds, good) in [(12, true), (16, false)] {
        let mut lab = crate::lab::lab_with(1, 1, |settings| settings.masters[0].quorum = 2);
        let more = format!("master_link_down_since_seconds:{seconds}\r\n");
        lab.stub(6001).info = Some(replica_info(6001, 6000, &more));
        lab.run(3_000);
        lab.kill(6000);
        lab.until("+sdown master", 1_100);
        lab.run(4_000);
        lab.stub(5001).down = true;
        lab.mark();
        lab.vote(0, "*");
        lab.until("+failover-state-select-slave", 1_000);
        lab.run(100);
        assert_eq!(lab.count("+selected-slave") == 1, good, "{seconds} s: {}", lab.history());
    }
}

#[test]
fn a_link_may_be_down_for_as_long_as_the_master_calls_itself_a_replica() {
    // Somebody had it follow another server: 20 s and down-after pass before it counts as down for that.
    for (seconds, good) in [(30, true), (40, false)] {
        let mut lab = lab(1, 0);
        let more = format!("master_link_down_since_seconds:{seconds}\r\n");
        lab.stub(6001).info = Some(replica_info(6001, 6000, &more));
        lab.run(3_000);
        lab.mark();
        lab.stub(6000).info = Some(replica_info(6000, 9999, ""));
        lab.until("+sdown master", 40_000);
        lab.run(2_000);
        assert_eq!(lab.count("+selected-slave") == 1, good, "{seconds} s: {}", lab.history());
    }
}
