//! How each fault is made, and what is noted about it: which data node it can have harmed, and from when on.
//!
//! It does not wait for consequences; everything is taken back by [`heal`].

use std::time::{Duration, Instant};

use super::fleet::{FAILOVER_TIMEOUT_MS, Fleet, NAME};
use super::plan::{Fault, Moves};
use super::watch::Eyes;
use crate::support::Client;

/// What can explain that a data node was replaced, or that writes which it acknowledged are gone.
#[derive(Clone, Debug)]
pub struct Cause {
    pub fault: Fault,
    /// The data node; `None` if it can be any.
    pub node: Option<usize>,
    pub from: Instant,
    /// What it was part of can move a master, whatever it does alone.
    pub is_graver: bool,
}

impl Cause {
    /// It can have moved the master.
    pub fn can_move(&self) -> bool {
        self.is_graver || self.fault.moves() != Moves::Never
    }

    /// Whether it can explain that a node was replaced at some time.
    pub fn explains(&self, node: usize, at: Instant) -> bool {
        self.can_move() && self.node.is_none_or(|n| n == node) && self.from <= at
    }
}

/// Half of what may be waited for without being called down.
const BLINK: Duration = Duration::from_millis(400);

/// By then a leader was elected, if it will be at all.
const CRASH_WITHIN: Duration = Duration::from_secs(8);

/// Makes a fault; what it can have caused.
pub fn make(fleet: &mut Fleet, eyes: &Eyes, fault: Fault) -> Cause {
    // When nobody agrees on a master any more, the first node is as good as any.
    let master = fleet.master().unwrap_or(0);
    let from = Instant::now();
    let node = match fault {
        Fault::Lossy(_) => None,
        _ => Some(master),
    };
    match fault {
        Fault::KillMaster | Fault::RestartMaster | Fault::StopMaster | Fault::BlinkMaster => {
            harm_master(fleet, master, fault)
        }
        Fault::KillReplica(_) | Fault::StopReplica(_) => harm_replica(fleet, master, fault),
        Fault::KillSentinel(_) | Fault::StopSentinel(_) | Fault::RestartSentinels => {
            harm_sentinels(fleet, fault)
        }
        Fault::KillLeaderAt(word) => {
            eyes.set_trap(fleet, word);
            fleet.data[master].kill9();
        }
        Fault::CrashLeader(word) => {
            fleet.data[master].kill9();
            crash_one(fleet, word);
        }
        Fault::Lossy(percent) => fleet.net.lose(percent),
        Fault::SlowMaster(ms) => fleet.net.delay(master, fleet.net.places.data.own, ms),
        Fault::SlowSentinel(i, ms) => {
            let machine = fleet.sentinel_machine(i % fleet.sentinels.len());
            fleet.net.delay(machine, fleet.net.places.sentinel.own, ms);
        }
        Fault::SlowDisks(ms) => {
            for i in 0..fleet.sentinels.len() {
                let (machine, folder) = (fleet.sentinel_machine(i), fleet.folder(i).clone());
                let times = u32::try_from(6_000 / (2 * ms)).unwrap_or(1);
                fleet.net.freeze(machine, &folder, times, ms);
            }
        }
        Fault::FullDisk(i) => fleet.fill_disk(i % fleet.sentinels.len()),
        Fault::Failover(i) => order(fleet, i % fleet.sentinels.len(), &["SENTINEL", "FAILOVER", NAME]),
        Fault::Reset(i) => order(fleet, i % fleet.sentinels.len(), &["SENTINEL", "RESET", NAME]),
        _ => fleet.net.cut(&pairs(fleet, master, fault)),
    }
    Cause { fault, node, from, is_graver: false }
}

/// As many Sentinels as make a majority that neither the master nor the others hear hold it for down, and say so to each other as soon as they
/// can: the last fault that it took for that can move any master.
pub fn weigh(causes: &mut [Cause], sentinels: usize) {
    let mut unheard = std::collections::BTreeSet::new();
    for cause in causes {
        if let Fault::CutSentinel(i) | Fault::MuteSentinel(i) = cause.fault {
            unheard.insert(i % sentinels);
            if unheard.len() > sentinels / 2 {
                (cause.is_graver, cause.node) = (true, None);
            }
        }
    }
}

/// Takes everything back: all packets pass, all disks work, all processes run.
pub fn heal(fleet: &mut Fleet, eyes: &Eyes) -> Option<usize> {
    let trapped = eyes.take_trap();
    fleet.empty_disks();
    fleet.net.heal();
    fleet.revive();
    for i in 0..fleet.sentinels.len() {
        // Any word but the two clears the flags: those of the Sentinels that never led.
        order(fleet, i, &["SENTINEL", "SIMULATE-FAILURE", "help"]);
    }
    trapped
}

/// How long a majority that is left alone may take to replace a master, in this fleet; also if a leader dies on the way.
pub fn patience(fleet: &Fleet) -> Duration {
    let down_after = Duration::from_millis(fleet.shape.down_after_ms.into());
    let timeout = Duration::from_millis(FAILOVER_TIMEOUT_MS.into());
    // A reference that voted for a dead leader, or lost an election, stays away for twice the timeout and a random second.
    let politeness = if fleet.shape.is_pure() { Duration::ZERO } else { timeout + Duration::from_secs(12) };
    down_after + 2 * timeout + politeness
}

/// Lets the first leader crash, whoever it is, and nobody after it.
fn crash_one(fleet: &mut Fleet, word: &str) {
    let running: Vec<usize> = (0..fleet.sentinels.len()).filter(|i| fleet.sentinels[*i].is_up()).collect();
    running.iter().for_each(|i| order(fleet, *i, &["SENTINEL", "SIMULATE-FAILURE", word]));
    let started = Instant::now();
    while started.elapsed() < CRASH_WITHIN && running.iter().all(|i| fleet.sentinels[*i].ended().is_none()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.iter().for_each(|i| order(fleet, *i, &["SENTINEL", "SIMULATE-FAILURE", "help"]));
}

/// A command of an operator, whose answer does not matter: the victim may be away, or in no state to obey.
fn order(fleet: &Fleet, sentinel: usize, words: &[&str]) {
    let node = &fleet.sentinels[sentinel];
    if let Ok(mut client) = Client::connect_at(node.host, node.port, Duration::from_millis(500)) {
        client.call(words).ok();
    }
}

fn machines(fleet: &Fleet) -> usize {
    fleet.client_machine(super::fleet::CLIENTS)
}

fn harm_master(fleet: &mut Fleet, master: usize, fault: Fault) {
    let node = &mut fleet.data[master];
    if !node.is_up() {
        return;
    }
    match fault {
        Fault::KillMaster => node.kill9(),
        Fault::RestartMaster => {
            node.kill9();
            node.spawn();
        }
        Fault::StopMaster => node.freeze(),
        _ => {
            node.freeze();
            std::thread::sleep(BLINK);
            node.thaw();
        }
    }
}

fn harm_replica(fleet: &mut Fleet, master: usize, fault: Fault) {
    let (Fault::KillReplica(i) | Fault::StopReplica(i)) = fault else { return };
    let victim = (master + 1 + i % fleet.shape.replicas) % fleet.data.len();
    let node = &mut fleet.data[victim];
    match fault {
        _ if !node.is_up() => (),
        Fault::KillReplica(_) => node.kill9(),
        _ => node.freeze(),
    }
}

fn harm_sentinels(fleet: &mut Fleet, fault: Fault) {
    let count = fleet.sentinels.len();
    match fault {
        Fault::KillSentinel(i) => fleet.sentinels[i % count].kill9(),
        Fault::StopSentinel(i) if fleet.sentinels[i % count].is_up() => fleet.sentinels[i % count].freeze(),
        Fault::RestartSentinels => {
            fleet.sentinels.iter_mut().for_each(|node| node.kill9());
            fleet.sentinels.iter_mut().for_each(|node| node.spawn());
        }
        _ => (),
    }
}

/// Who no longer hears whom.
fn pairs(fleet: &Fleet, master: usize, fault: Fault) -> Vec<(usize, usize)> {
    let count = fleet.sentinels.len();
    let last_client = fleet.client_machine(super::fleet::CLIENTS - 1);
    let inside = match fault {
        Fault::CutMinority => {
            let minority = (0..(count - 1) / 2).map(|i| fleet.sentinel_machine(i));
            minority.chain([master, last_client]).collect()
        }
        Fault::CutMaster => vec![master, last_client],
        Fault::MuteMaster | Fault::DeafMaster => vec![master],
        Fault::CutSentinel(i) | Fault::MuteSentinel(i) => vec![fleet.sentinel_machine(i % count)],
        _ => Vec::new(),
    };
    let (goes_out, comes_in) = match fault {
        Fault::MuteMaster | Fault::MuteSentinel(_) => (false, true),
        Fault::DeafMaster => (true, false),
        _ => (false, false),
    };
    let mut pairs = Vec::new();
    for outside in (0..machines(fleet)).filter(|machine| !inside.contains(machine)) {
        for victim in &inside {
            if !goes_out {
                pairs.push((*victim, outside));
            }
            if !comes_in {
                pairs.push((outside, *victim));
            }
        }
    }
    pairs
}
