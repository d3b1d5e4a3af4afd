//! Fleets of both kinds: each kind leads and follows, and takes over the other's configuration files.
//!
//! Sentinel 0 is the leader by arrangement: it alone finds a silent master down soon, and its quorum is 1. The
//! others would take a minute, but vote.

mod support;

use nix::sys::signal::Signal;
use support::fleet::{NAME, PATIENT_MS, Plan, timing};
use support::{Fleet, Kind, wait_for};

use Kind::{Reference, Subject};

#[test]
fn ours_leads_two_of_theirs() {
    lead_then_swap([Subject, Reference, Reference]);
}

#[test]
fn ours_leads_with_one_of_theirs() {
    lead_then_swap([Subject, Subject, Reference]);
}

#[test]
fn theirs_leads_two_of_ours() {
    lead_then_swap([Reference, Subject, Subject]);
}

#[test]
fn theirs_leads_with_one_of_ours() {
    lead_then_swap([Reference, Reference, Subject]);
}

/// One failover led by the first Sentinel; then each file gets the other kind of binary and there is another one;
/// then they change back, and there is a third.
fn lead_then_swap(kinds: [Kind; 3]) {
    let mut fleet = Fleet::start(&Plan {
        sentinels: kinds.to_vec(),
        quorum: |i| if i == 0 { 1 } else { 2 },
        sentinel_lines: |i| timing(if i == 0 { PATIENT_MS } else { 60_000 }, 10_000),
        ..Plan::default()
    });
    let second = fail_over(&mut fleet, 0);
    swap(&mut fleet, kinds.map(other));
    let third = fail_over(&mut fleet, second);
    swap(&mut fleet, kinds);
    let last = fail_over(&mut fleet, third);
    assert_eq!(fleet.named_by(1), Some(fleet.data[last].port));
}

/// Kills the master, checks that Sentinel 0 leads and is voted for, and lets the old master return.
fn fail_over(fleet: &mut Fleet, old: usize) -> usize {
    let watchers = fleet.watch();
    let leader_id = fleet.memory(0).id;
    fleet.data[old].kill9();
    let new = fleet.wait_failover(old);
    let text = fleet.switch_text(old, new);
    for (i, watcher) in watchers.iter().enumerate() {
        wait_for(&format!("+switch-master from sentinel{i}"), 20, || watcher.saw("+switch-master", &text));
        assert_eq!(!watcher.on("+elected-leader").is_empty(), i == 0, "only sentinel0 leads");
    }
    let votes = watchers.iter().filter(|w| w.saw("+vote-for-leader", &leader_id)).count();
    assert!(votes >= 2, "elected with {votes} votes of 3");
    fleet.data[old].start();
    fleet.wait_follows(old, new);
    fleet.wait_healthy();
    let epochs: Vec<String> = (0..3).map(|i| fleet.memory(i).config_epoch).collect();
    assert!(epochs.iter().all(|e| *e == epochs[0]), "config epochs differ: {epochs:?}");
    new
}

/// Ends every Sentinel and starts the other kind over its file; nothing that was known may be lost.
fn swap(fleet: &mut Fleet, kinds: [Kind; 3]) {
    let before: Vec<_> = (0..3).map(|i| fleet.memory(i)).collect();
    for node in &mut fleet.sentinels {
        node.signal(Signal::SIGTERM);
        assert!(node.wait_end(10).success(), "{} did not end cleanly", node.name);
    }
    for (i, kind) in kinds.into_iter().enumerate() {
        fleet.sentinels[i].program = kind.program();
        fleet.sentinels[i].start();
        assert_eq!(fleet.memory(i), before[i], "lost in the hands of the other kind");
        let quorum = if i == 0 { "1" } else { "2" };
        let view = fleet.view(i).expect("an answer");
        assert_eq!(view.field("quorum").as_deref(), Some(quorum), "{NAME}");
    }
    fleet.wait_healthy();
}

fn other(kind: Kind) -> Kind {
    if kind == Subject { Reference } else { Subject }
}
