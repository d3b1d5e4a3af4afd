//! The check of the checker: each weakness of the reference that the engine closes is put back, and must be noticed.
//!
//! For each there is a flavour, a plan whose faults make that weakness likely to matter, and a number of seeds within which some property
//! must object. The same seeds up to there must pass with the weakness closed, so that what objects is about the weakness.
//! Each run is shown to that property alone (the others have all other runs), so that nothing else ends it before. Chance finds
//! the case, no script plays it. docs/SIMULATOR.md lists the numbers.
//!
//! Only in builds with the feature `holes`; without it no engine can be opened.

mod first_try;
mod flavours;
mod prompt;

use std::sync::atomic::{AtomicU64, Ordering};

use sentineld::engine::Hole;

use crate::plan::Plan;
use crate::properties;
use crate::runner;
use crate::seen::Property;

use flavours::{Also, Flavour};

/// How one weakness is looked for.
struct Row {
    hole: Hole,
    flavour: Flavour,
    /// Within so many seeds it must be noticed.
    seeds: u64,
    /// Part of the name of the property that must object; the run is shown to that one.
    by: &'static str,
}

/// What a run is shown to: the property that is to object, and the one that the flavour adds. Liveness and panics are judged in any case.
fn watched(row: &Row) -> Vec<Box<dyn Property>> {
    let mut all: Vec<Box<dyn Property>> =
        properties::all().into_iter().filter(|property| property.name().contains(row.by)).collect();
    match row.flavour.also {
        Also::Nothing => {}
        Also::Prompt(bounds) => all.push(Box::new(prompt::Prompt::new(bounds))),
        Also::FirstTry => all.push(Box::<first_try::FirstTry>::default()),
    }
    assert!(!all.is_empty(), "a property has \"{}\" in its name", row.by);
    all
}

fn plan(row: &Row, seed: u64, open: bool) -> Plan {
    (row.flavour.plan)(seed).with(|plan| plan.opening.hole = open.then_some(row.hole))
}

/// The first seed at which the right property objects.
fn noticed(row: &Row) -> Option<(u64, String)> {
    (0..row.seeds).find_map(|seed| {
        let failure = runner::run(plan(row, seed, true), watched(row)).failure?;
        failure.text.contains(row.by).then_some((seed, failure.text))
    })
}

/// Opens the weakness until it is noticed, then lets the same seeds pass with it closed.
fn check(row: &Row) {
    let Some((found, text)) = noticed(row) else {
        panic!("{:?} is open, and nobody noticed within {} seeds", row.hole, row.seeds);
    };
    eprintln!("{:?}: noticed at seed {found} of {}: {text}", row.hole, row.seeds);
    for seed in 0..=found {
        if let Some(failure) = runner::run(plan(row, seed, false), watched(row)).failure {
            panic!("{:?} is closed, but seed {seed} fails: {}\n{}", row.hole, failure.text, failure.history);
        }
    }
}

/// Every weakness has its row, and every row is run.
#[test]
fn each_weakness_that_is_put_back_is_noticed() {
    let rows = flavours::rows();
    for hole in Hole::ALL {
        assert_eq!(rows.iter().filter(|row| row.hole == hole).count(), 1, "{hole:?} has one row");
    }
    let wanted = std::env::var("SIM_HOLE").ok();
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| wanted.as_ref().is_none_or(|wanted| format!("{:?}", row.hole) == *wanted))
        .collect();
    let next = AtomicU64::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            if let Err(text) = runner::quietly(|| check(row)) {
                failed.lock().expect("no panic here").push(text);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().expect("no panic above");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
