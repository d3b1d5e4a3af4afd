//! The sums of a run, and how they are printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::plan::Plan;
use super::round::Outcome;

/// What was counted, over all fleets.
#[derive(Default)]
pub struct Table {
    pub rounds: usize,
    pub failovers: usize,
    faults: BTreeMap<String, usize>,
    traps: (usize, usize),
    renamed: BTreeMap<&'static str, Vec<Duration>>,
    recovered: BTreeMap<&'static str, Vec<Duration>>,
    agreed: BTreeMap<&'static str, Vec<Duration>>,
    acked: usize,
    everywhere: usize,
    refused: u64,
    reads: u64,
    /// Cause → failovers that lost something, writes lost, the longest window.
    lost: BTreeMap<String, (usize, usize, Duration)>,
    notes: Vec<String>,
    pub violations: Vec<String>,
}

impl Table {
    /// Adds a round of a fleet; `place` says where it was.
    pub fn add(&mut self, fleet: &'static str, place: &str, plan: &Plan, outcome: &Outcome) {
        self.rounds += 1;
        self.failovers += outcome.failovers;
        for step in &plan.steps {
            *self.faults.entry(step.fault.kind()).or_default() += 1;
        }
        if let Some(is_trapped) = outcome.trapped {
            self.traps.0 += 1;
            self.traps.1 += usize::from(is_trapped);
        }
        let times = [
            (&mut self.renamed, outcome.renamed),
            (&mut self.recovered, outcome.recovered),
            (&mut self.agreed, outcome.agreed),
        ];
        for (list, time) in times {
            list.entry(fleet).or_default().extend(time);
        }
        let verdict = &outcome.verdict;
        self.acked += verdict.acked;
        self.everywhere += verdict.everywhere;
        self.refused += verdict.refused;
        self.reads += verdict.reads;
        for (why, (count, window)) in &verdict.lost {
            let sum = self.lost.entry(why.clone()).or_default();
            *sum = (sum.0 + 1, sum.1 + count, sum.2.max(*window));
        }
        self.notes.extend(outcome.findings.notes.iter().map(|text| format!("{place}: {text}")));
        self.violations.extend(outcome.violations().map(|text| format!("{place}: {text}")));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rounds                {:>7}", self.rounds)?;
        writeln!(f, "promotions            {:>7}", self.failovers)?;
        writeln!(f, "leaders killed at a word {:>4} of {} traps", self.traps.1, self.traps.0)?;
        writeln!(f, "faults by kind")?;
        for (kind, count) in &self.faults {
            writeln!(f, "    {kind:<52} {count:>5}")?;
        }
        let lists = [
            ("fault → a majority names another master", &self.renamed),
            ("fault → a client writes to it", &self.recovered),
            ("heal → everything in order", &self.agreed),
        ];
        for (what, list) in lists {
            writeln!(f, "{what}")?;
            for (fleet, times) in list {
                spread(f, fleet, times)?;
            }
        }
        writeln!(
            f,
            "writes acknowledged   {:>7}, {} of them heard to be on every replica",
            self.acked, self.everywhere
        )?;
        writeln!(f, "writes refused        {:>7}", self.refused)?;
        writeln!(f, "reads of own writes   {:>7}", self.reads)?;
        writeln!(f, "writes lost, as asynchronous replication can")?;
        for (why, (rounds, count, window)) in &self.lost {
            writeln!(f, "    {why}: {count} in {rounds} rounds, within {} ms at most", window.as_millis())?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        write!(f, "violations            {:>7}", self.violations.len())
    }
}

fn spread(f: &mut fmt::Formatter<'_>, fleet: &str, times: &[Duration]) -> fmt::Result {
    let mut sorted = times.to_vec();
    sorted.sort();
    let Some(longest) = sorted.last() else { return Ok(()) };
    let median = sorted[sorted.len() / 2];
    let (count, median, longest) = (sorted.len(), median.as_millis(), longest.as_millis());
    writeln!(f, "    {fleet:<24} {count:>4} times, median {median:>6} ms, at most {longest:>6} ms")
}
