//! The judge is judged first: made-up histories that break a rule must be found, and the innocent ones beside them must not.
//!
//! It runs at the beginning of every run, on every machine, since it needs no network.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::acts::{self, Cause};
use super::client::Write;
use super::history::explain;
use super::plan::Fault;
use super::rules::{Findings, Rules, unprovoked};
use super::watch::Naming;

/// Panics if a rule has gone blind, or sees what is not there.
pub fn run() {
    losses();
    replacements();
    logs();
}

/// A scene: data0 is struck at 10 s, and data1 named by a majority at 12 s. Writes are lost around that.
fn losses() {
    let zero = Instant::now();
    let at = |ms: u64| zero + Duration::from_millis(ms);
    let changes = [(at(0), 0), (at(12_000), 1)];
    let write = |number, ms, node, is_everywhere| Write {
        writer: 0,
        number,
        sent: at(ms - 1),
        acked: at(ms),
        node,
        connection: 1,
        is_everywhere,
    };
    let verdict = |fault, struck, lost: &Write, kept: &[Write], changes: &[(Instant, usize)]| {
        let causes = [Cause { fault, node: Some(struck), from: at(10_000), is_graver: false }];
        let writes: Vec<&Write> = kept.iter().chain([lost]).collect();
        explain(lost, &writes, &BTreeSet::from([lost.key()]), &causes, changes)
    };
    let (kill, cut) = (Fault::KillMaster, Fault::CutMaster);
    let (early, late, far) =
        (write(5, 9_900, 0, false), write(5, 13_000, 0, false), write(5, 2_000, 0, false));
    let innocent = [
        ("not replicated before kill -9", verdict(kill, 0, &early, &[], &changes)),
        ("not replicated before kill -9", verdict(kill, 0, &early, &[write(4, 9_800, 0, false)], &changes)),
        (
            "accepted by the old master while a majority named it, after a partition",
            verdict(cut, 0, &write(5, 11_000, 0, false), &[], &changes),
        ),
        (
            "accepted by a master that no majority named, after a partition",
            verdict(cut, 0, &late, &[], &changes),
        ),
    ];
    for (wanted, got) in innocent {
        assert_eq!(got.as_deref(), Ok(wanted));
    }
    let guilty = [
        ("long before", verdict(kill, 0, &far, &[], &changes)),
        ("another node was struck", verdict(kill, 1, &early, &[], &changes)),
        ("a fault that moves nobody", verdict(Fault::FullDisk(0), 0, &early, &[], &changes)),
        ("no new master", verdict(kill, 0, &early, &[], &changes[..1])),
        ("all replicas had it", verdict(kill, 0, &write(5, 9_900, 0, true), &[], &changes)),
        ("a later one survived", verdict(kill, 0, &early, &[write(6, 9_950, 0, false)], &changes)),
        ("on the new master", verdict(kill, 0, &write(5, 13_000, 1, false), &[], &changes)),
    ];
    for (what, got) in guilty {
        assert!(got.is_err(), "{what}: {got:?}");
    }
}

/// Two of three Sentinels turn from data0 to data1.
fn replacements() {
    let zero = Instant::now();
    let at = |ms: u64| zero + Duration::from_millis(ms);
    let naming = |ms, sentinel, node| Naming { at: at(ms), sentinel, named: Some(node) };
    let turn = [naming(0, 0, 0), naming(0, 1, 0), naming(0, 2, 0), naming(5_000, 0, 1), naming(5_000, 1, 1)];
    let judge = |namings: &[Naming], fault, node| {
        let mut found = Findings::default();
        unprovoked(
            namings,
            3,
            &[Cause { fault, node: Some(node), from: at(1_000), is_graver: false }],
            true,
            &mut found,
        );
        found.violations.len()
    };
    assert_eq!(judge(&turn, Fault::KillMaster, 0), 0, "a dead master may be replaced");
    assert_eq!(judge(&turn[..4], Fault::KillReplica(0), 0), 0, "one is no majority");
    assert_eq!(judge(&turn, Fault::KillMaster, 1), 1, "it was not the one that died");
    assert_eq!(judge(&turn, Fault::KillSentinel(0), 0), 1, "no Sentinel's death is a reason");
    let mute = |i| Cause { fault: Fault::MuteSentinel(i), node: Some(2), from: at(1_000), is_graver: false };
    let weighed = |faults: &[usize]| {
        let mut causes: Vec<Cause> = faults.iter().map(|i| mute(*i)).collect();
        acts::weigh(&mut causes, 3);
        let mut found = Findings::default();
        unprovoked(&turn, 3, &causes, true, &mut found);
        found.violations.len()
    };
    assert_eq!(weighed(&[1, 4]), 1, "one Sentinel that is not heard, twice, is no majority");
    assert_eq!(weighed(&[1, 2]), 0, "two of three that are not heard hold the master for down");
}

/// Two Sentinels' logs with one thing wrong in each judgement.
fn logs() {
    let judge_in = |is_pure: bool, texts: [&str; 2]| {
        let mut rules = Rules::new(2);
        for (i, text) in texts.iter().enumerate() {
            rules.read_log(i, &format!("1:X # Sentinel ID is s{i}\n{text}"));
        }
        rules.judge(is_pure).violations.len()
    };
    let judge = |texts: [&str; 2]| judge_in(true, texts);
    let led = |id, epoch| {
        format!("1:X # +vote-for-leader {id} {epoch}\n1:X # +elected-leader master mymaster a 1\n")
    };
    assert_eq!(judge([&led("s0", 3), &led("s1", 4)]), 0, "a leader for each epoch");
    assert_eq!(judge([&led("s0", 3), &led("s1", 3)]), 1, "two leaders in an epoch");
    let twice = "1:X # +vote-for-leader s0 3\n1:X # +vote-for-leader s1 3\n";
    assert_eq!(judge([twice, ""]), 1, "two votes in an epoch");
    let forced = format!(
        "1:X # Executing user requested FAILOVER of 'mymaster'\n1:X # +new-epoch 3\n{}",
        led("s0", 3)
    );
    assert_eq!(judge([&forced, &led("s1", 3)]), 1, "whom an operator sent asks for votes, too");
    assert_eq!(judge_in(false, [&forced, &led("s1", 3)]), 0, "the reference asks nobody then");
}
