//! What must hold, whatever happens, as far as it can be seen from outside.
//!
//! - One vote for each Sentinel and epoch (logs), and one leader for each epoch (logs; whom an operator sent included, unless a reference
//!   Sentinel takes part, which asks nobody then).
//! - One address for each configuration epoch (hellos).
//! - No master is replaced to which nothing had happened (whom a majority names).
//!
//! What a fleet with a reference Sentinel in it can't promise is a note, not a violation: its weaknesses are its own.

use std::collections::{BTreeMap, BTreeSet};

use super::acts::Cause;
use super::fleet::Fleet;
use super::watch::{Hello, Naming, majorities};

/// All that was seen of a fleet so far.
pub struct Rules {
    logs: Vec<Log>,
    /// Epoch → the Sentinels elected in it.
    leaders: BTreeMap<u64, BTreeSet<usize>>,
    /// The same for failovers that an operator ordered.
    sent: BTreeMap<u64, BTreeSet<usize>>,
    /// Configuration epoch → the masters that it was said to belong to.
    masters: BTreeMap<u64, BTreeSet<String>>,
    /// Epochs that a failover took by an operator's word.
    forced: BTreeSet<u64>,
    /// What was said before is not said again.
    told: BTreeSet<String>,
    /// All promotions seen in the logs.
    pub failovers: usize,
}

/// How far a log was read, and what it said.
#[derive(Default)]
struct Log {
    read: usize,
    id: String,
    /// Epoch → whom it voted for.
    votes: BTreeMap<u64, BTreeSet<String>>,
    /// The epoch of its own last candidacy.
    candidacy: u64,
    new_epoch: u64,
    is_forced: bool,
}

/// What was found in a round.
#[derive(Default)]
pub struct Findings {
    pub violations: Vec<String>,
    pub notes: Vec<String>,
    /// Replacements without a reason that are only a note: what they cost is one, too.
    pub excuses: Vec<Cause>,
}

impl Rules {
    pub fn new(sentinels: usize) -> Rules {
        Rules {
            logs: (0..sentinels).map(|_| Log::default()).collect(),
            leaders: BTreeMap::new(),
            sent: BTreeMap::new(),
            masters: BTreeMap::new(),
            forced: BTreeSet::new(),
            told: BTreeSet::new(),
            failovers: 0,
        }
    }

    /// Holds what was seen in a round against the rules.
    pub fn check(
        &mut self,
        fleet: &Fleet,
        namings: &[Naming],
        hellos: &[Hello],
        causes: &[Cause],
    ) -> Findings {
        for i in 0..self.logs.len() {
            self.read_log(i, &fleet.log_of(i));
        }
        for hello in hellos {
            self.masters.entry(hello.config_epoch).or_default().insert(hello.master.clone());
        }
        let is_pure = fleet.shape.is_pure();
        let mut found = self.judge(is_pure);
        unprovoked(namings, fleet.sentinels.len(), causes, is_pure, &mut found);
        let told = &mut self.told;
        found.violations.retain(|text| told.insert(text.clone()));
        found.notes.retain(|text| told.insert(text.clone()));
        found
    }

    /// What is wrong with the votes, leaders and configurations seen so far.
    pub fn judge(&self, is_pure: bool) -> Findings {
        let mut found = Findings::default();
        for (voter, log) in self.logs.iter().enumerate() {
            for (epoch, votes) in log.votes.iter().filter(|(_, votes)| votes.len() > 1) {
                found.violations.push(format!("sentinel{voter} voted for {votes:?} in epoch {epoch}"));
            }
        }
        let epochs: BTreeSet<u64> = self.leaders.keys().chain(self.sent.keys()).copied().collect();
        for epoch in epochs {
            let sent = self.sent.get(&epoch).filter(|_| is_pure);
            let leaders: BTreeSet<usize> =
                self.leaders.get(&epoch).into_iter().chain(sent).flatten().copied().collect();
            if leaders.len() < 2 {
                continue;
            }
            let text = format!("Sentinels {leaders:?} were all elected in epoch {epoch}");
            if is_pure { found.violations.push(text) } else { found.notes.push(text) }
        }
        for (epoch, masters) in self.masters.iter().filter(|(_, masters)| masters.len() > 1) {
            let text = format!("configuration epoch {epoch} belongs to {masters:?}");
            match (is_pure, self.forced.contains(epoch)) {
                (true, _) => found.violations.push(text),
                (false, true) => found.notes.push(format!("{text}, one of them forced by an operator")),
                (false, false) => found.notes.push(text),
            }
        }
        found
    }

    /// Reads what a log says beyond what it said before.
    pub fn read_log(&mut self, sentinel: usize, text: &str) {
        let log = &mut self.logs[sentinel];
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        let news = text.get(log.read..end).unwrap_or_default();
        log.read = end;
        for line in news.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if line.contains("Executing user requested FAILOVER") {
                log.is_forced = true;
            }
            if let Some((_, id)) = line.split_once("Sentinel ID is ") {
                log.id = id.trim().to_owned();
            }
            let Some(at) = words.iter().position(|word| word.starts_with('+')) else { continue };
            let number = |i: usize| words.get(at + i).and_then(|word| word.parse::<u64>().ok());
            match words[at] {
                "+new-epoch" => {
                    log.new_epoch = number(1).unwrap_or(0);
                    if log.is_forced {
                        self.forced.insert(log.new_epoch);
                    }
                }
                "+vote-for-leader" => {
                    let Some(epoch) = number(2) else { continue };
                    log.votes.entry(epoch).or_default().insert(words[at + 1].to_owned());
                    if words[at + 1] == log.id {
                        log.candidacy = epoch;
                    }
                }
                "+elected-leader" if log.is_forced => {
                    log.is_forced = false;
                    self.sent.entry(log.candidacy).or_default().insert(sentinel);
                }
                "+elected-leader" => {
                    self.leaders.entry(log.candidacy).or_default().insert(sentinel);
                }
                "+promoted-slave" => self.failovers += 1,
                _ => (),
            }
        }
    }
}

/// Masters that a majority gave up without any fault that could have moved them.
pub fn unprovoked(
    namings: &[Naming],
    sentinels: usize,
    causes: &[Cause],
    is_pure: bool,
    found: &mut Findings,
) {
    let changes = majorities(namings, sentinels);
    for pair in changes.windows(2) {
        let [(from, old), (at, new)] = pair else { continue };
        if causes.iter().any(|cause| cause.explains(*old, *at)) {
            continue;
        }
        let text = format!("data{old} was replaced by data{new}, though nothing had happened to it");
        // A reference leader at times fails its own new master over again, while it opens its links to it.
        match causes.iter().find(|cause| cause.can_move()) {
            Some(cause) if !is_pure => {
                found.notes.push(text);
                found.excuses.push(Cause { node: Some(*old), from: *from, ..cause.clone() });
            }
            _ => found.violations.push(text),
        }
    }
}
