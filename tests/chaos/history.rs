//! What became of the writes that were acknowledged: there, or lost for a reason that can be named.
//!
//! Replication is asynchronous and a stream, so a failover can lose the last writes of the old master, and nothing else. Lost writes are
//! therefore *explained* only if
//!
//! 1. a fault struck the node that acknowledged them, or all of them, no later than [`LAG`] after the write, and
//! 2. a majority has named another node since, and
//! 3. not every replica was heard to have them, and
//! 4. no later write over the same connection survived.
//!
//! So are writes to a node that only a minority named, in a round in which the master could change. Everything else is a violation.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::acts::Cause;
use super::client::{Memory, Write};
use super::plan::Fault;
use crate::support::{Client, Value};

/// How long a write may be on its way to the replicas without that being news.
const LAG: Duration = Duration::from_secs(1);

/// A client may hear of a new master so long before a majority is seen to name it.
const SOON: Duration = Duration::from_secs(3);

/// What a round's writes came to.
#[derive(Default)]
pub struct Verdict {
    pub acked: usize,
    pub refused: u64,
    pub reads: u64,
    /// Writes known to be on every replica.
    pub everywhere: usize,
    /// Explained losses by cause: how many, and the longest time between the first and the last of one failover.
    pub lost: BTreeMap<String, (usize, Duration)>,
    pub violations: Vec<String>,
}

/// Looks every acknowledged write up on the master, then removes it. `changes` is whom a majority named, since when.
pub fn judge(
    master: &mut Client,
    memories: &[Memory],
    causes: &[Cause],
    changes: &[(Instant, usize)],
) -> Verdict {
    let writes: Vec<&Write> = memories.iter().flat_map(|memory| &memory.writes).collect();
    let mut verdict = Verdict {
        acked: writes.len(),
        refused: memories.iter().map(|memory| memory.refused).sum(),
        reads: memories.iter().map(|memory| memory.reads).sum(),
        everywhere: writes.iter().filter(|write| write.is_everywhere).count(),
        ..Verdict::default()
    };
    let lost = match missing(master, &writes) {
        Ok(lost) => lost,
        Err(error) => {
            verdict.violations.push(format!("the master that all agree on can't be read: {error}"));
            return verdict;
        }
    };
    let mut groups: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    let mut guilty: BTreeMap<(usize, String), Vec<&Write>> = BTreeMap::new();
    for write in writes.iter().filter(|write| lost.contains(&write.key())) {
        match explain(write, &writes, &lost, causes, changes) {
            Ok(why) => groups.entry(why).or_default().push(write.acked),
            Err(why) => guilty.entry((write.node, why)).or_default().push(write),
        }
    }
    for ((node, why), writes) in guilty {
        let (count, example) = (writes.len(), writes[0]);
        let text =
            format!("{count} lost writes of data{node} can't be explained: {why}; the first: {example:?}");
        verdict.violations.push(text);
    }
    for (why, times) in groups {
        let (first, last) = (times.iter().min(), times.iter().max());
        let window = first.zip(last).map_or(Duration::ZERO, |(first, last)| *last - *first);
        verdict.lost.insert(why, (times.len(), window));
    }
    let missed = memories.iter().flat_map(|memory| &memory.missed).filter(|key| !lost.contains(*key));
    verdict
        .violations
        .extend(missed.map(|key| format!("{key} was written and not there to be read, on one connection")));
    verdict
}

/// The keys that are not there.
fn missing(master: &mut Client, writes: &[&Write]) -> std::io::Result<BTreeSet<String>> {
    let mut lost = BTreeSet::new();
    for chunk in writes.chunks(200) {
        let keys: Vec<String> = chunk.iter().map(|write| write.key()).collect();
        let words: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        let found = master.call(&words)?;
        if found.items().len() != keys.len() {
            return Err(std::io::Error::other(format!("{found:?}")));
        }
        let gone = keys.iter().zip(found.items()).filter(|(_, value)| **value == Value::Nil);
        lost.extend(gone.map(|(key, _)| key.clone()));
        let words: Vec<&str> = ["UNLINK"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        master.call(&words)?;
    }
    Ok(lost)
}

/// Why a write may be lost, or why it may not.
pub fn explain(
    write: &Write,
    writes: &[&Write],
    lost: &BTreeSet<String>,
    causes: &[Cause],
    changes: &[(Instant, usize)],
) -> Result<String, String> {
    let nearly = |at: &Instant| *at > write.acked && *at <= write.acked + SOON;
    let named = changes.iter().rfind(|(at, _)| *at <= write.acked).into_iter();
    let is_named =
        named.chain(changes.iter().filter(|(at, _)| nearly(at))).any(|(_, node)| *node == write.node);
    let moving = causes.iter().rfind(|cause| cause.can_move() && cause.from <= write.acked);
    if let Some(cause) = moving.filter(|_| !is_named) {
        return Ok(format!("accepted by a master that no majority named, after {}", group(cause.fault)));
    }
    let since = |at: &Instant| {
        format!("{} ms after the write", at.saturating_duration_since(write.acked).as_millis())
    };
    let relevant = |cause: &&Cause| cause.explains(write.node, write.acked + LAG);
    let Some(cause) = causes.iter().rfind(relevant) else {
        return Err(format!("nothing had struck data{}", write.node));
    };
    let Some((moved, to)) = changes.iter().find(|(at, node)| *at > cause.from && *node != write.node) else {
        return Err(format!("data{} was not replaced after {:?}", write.node, cause.fault));
    };
    if write.is_everywhere {
        return Err(format!("every replica had it; data{to} was named {}", since(moved)));
    }
    let later = |other: &&&Write| {
        let is_same_stream = other.writer == write.writer && other.connection == write.connection;
        is_same_stream && other.number > write.number && !lost.contains(&other.key())
    };
    if let Some(other) = writes.iter().find(later) {
        return Err(format!("{} over the same connection survived", other.key()));
    }
    let when = if write.acked <= cause.from {
        "not replicated before"
    } else if write.acked <= *moved {
        "accepted by the old master while a majority named it, after"
    } else {
        "accepted by the old master after a majority had named another, after"
    };
    Ok(format!("{when} {}", group(cause.fault)))
}

/// Causes that work the same way are counted together.
fn group(fault: Fault) -> &'static str {
    match fault {
        Fault::KillMaster | Fault::RestartMaster | Fault::KillLeaderAt(_) | Fault::CrashLeader(_) => {
            "kill -9"
        }
        Fault::StopMaster => "SIGSTOP",
        Fault::CutMaster | Fault::CutMinority => "a partition",
        Fault::MuteMaster | Fault::DeafMaster => "a one-way cut",
        Fault::Lossy(_) => "packet loss",
        Fault::SlowMaster(_) => "delay",
        Fault::CutSentinel(_) | Fault::MuteSentinel(_) => "cuts of most Sentinels",
        _ => "an operator's FAILOVER",
    }
}
