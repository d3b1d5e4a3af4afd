//! One round: health, faults, heal, agreement, and the judgement of all that was seen.

use std::time::{Duration, Instant};

use super::acts::{self, Cause};
use super::client::Writers;
use super::fleet::Fleet;
use super::history::{self, Verdict};
use super::plan::{Fault, Moves, Plan};
use super::rules::{Findings, Rules};
use super::watch::{Event, Eyes, majorities};
use crate::support::{self, Client};

/// A fleet and all who look at it. Fields are dropped in this order: clients and eyes first.
pub struct Scene {
    pub writers: Writers,
    pub eyes: Eyes,
    pub rules: Rules,
    pub fleet: Fleet,
}

/// What a round came to.
#[derive(Default)]
pub struct Outcome {
    pub verdict: Verdict,
    pub findings: Findings,
    /// From the fault until a majority named another master, and until a client could write to it.
    pub renamed: Option<Duration>,
    pub recovered: Option<Duration>,
    /// From the heal until everything was in order.
    pub agreed: Option<Duration>,
    pub failovers: usize,
    /// A trap for a leader was set, and one went into it.
    pub trapped: Option<bool>,
    /// What was said, for the story of a violation.
    pub events: Vec<Event>,
    pub started: Option<Instant>,
}

impl Outcome {
    pub fn violations(&self) -> impl Iterator<Item = &String> {
        self.verdict.violations.iter().chain(&self.findings.violations)
    }
}

impl Scene {
    /// Brings a scene to health.
    pub fn open(fleet: Fleet) -> Result<Scene, String> {
        fleet.agree()?;
        let (writers, eyes) = (Writers::start(&fleet), Eyes::open(&fleet));
        let rules = Rules::new(fleet.sentinels.len());
        Ok(Scene { writers, eyes, rules, fleet })
    }

    /// Plays a round.
    pub fn play(&mut self, plan: &Plan) -> Outcome {
        let mut outcome = Outcome { started: Some(Instant::now()), ..Outcome::default() };
        self.eyes.take();
        self.writers.go();
        // Whom a majority named before the first fault must be known.
        support::wait_for("a majority to be seen", 10, || !self.changes().is_empty());
        let before = self.rules.failovers;
        let mut causes: Vec<Cause> = Vec::new();
        for step in &plan.steps {
            std::thread::sleep(Duration::from_millis(step.after_ms));
            causes.push(acts::make(&mut self.fleet, &self.eyes, step.fault));
        }
        acts::weigh(&mut causes, self.fleet.sentinels.len());
        let hold = Instant::now() + Duration::from_millis(plan.hold_ms);
        if plan.moves() == Moves::Must {
            self.await_move(&causes, &mut outcome);
        }
        std::thread::sleep(hold.saturating_duration_since(Instant::now()));
        let trapped = acts::heal(&mut self.fleet, &self.eyes);
        let has_trap = |step: &super::plan::Step| matches!(step.fault, Fault::KillLeaderAt(_));
        outcome.trapped = plan.steps.iter().any(has_trap).then_some(trapped.is_some());
        let healed = Instant::now();
        let agreed = self.fleet.agree();
        outcome.agreed = agreed.is_ok().then(|| healed.elapsed());
        self.close(agreed, &causes, &mut outcome);
        outcome.failovers = self.rules.failovers - before;
        outcome
    }

    /// Whom a majority named so far in this round, since when.
    fn changes(&self) -> Vec<(Instant, usize)> {
        majorities(&self.eyes.namings(), self.fleet.sentinels.len())
    }

    /// Waits until a majority names another master, and clients write to it.
    fn await_move(&self, causes: &[Cause], outcome: &mut Outcome) {
        let Some(cause) = causes.iter().find(|cause| cause.fault.moves() == Moves::Must) else { return };
        let Some(old) = cause.node else { return };
        let limit = acts::patience(&self.fleet);
        while cause.from.elapsed() < limit && (outcome.renamed.is_none() || outcome.recovered.is_none()) {
            std::thread::sleep(Duration::from_millis(20));
            let moved = self.changes().into_iter().find(|(at, node)| *at > cause.from && *node != old);
            outcome.renamed = moved.map(|(at, _)| at - cause.from);
            let written = self.writers.first_elsewhere(old, cause.from);
            outcome.recovered = written.map(|at| at - cause.from);
        }
        let missing = match (outcome.renamed, outcome.recovered) {
            (None, _) => "a majority that names another master",
            (_, None) => "a client that can write to it",
            _ => return,
        };
        let text = format!("after {:?}: waited {limit:?} in vain for {missing}", cause.fault);
        outcome.findings.violations.push(text);
    }

    /// Judges the round.
    fn close(&mut self, agreed: Result<usize, String>, causes: &[Cause], outcome: &mut Outcome) {
        let memories = self.writers.rest();
        let (namings, hellos, events) = self.eyes.take();
        outcome.events = events;
        let found = self.rules.check(&self.fleet, &namings, &hellos, causes);
        outcome.findings.violations.extend(found.violations);
        outcome.findings.notes.extend(found.notes);
        let master = match agreed {
            Ok(master) => master,
            Err(why) => {
                let limit = self.fleet.shape.agree_within;
                outcome.findings.violations.push(format!("no agreement {limit:?} after the heal: {why}"));
                return;
            }
        };
        let node = &self.fleet.data[master];
        let changes = majorities(&namings, self.fleet.sentinels.len());
        match Client::connect_at(node.host, node.port, Duration::from_secs(5)) {
            Ok(mut client) => {
                let causes = [causes, &found.excuses].concat();
                outcome.verdict = history::judge(&mut client, &memories, &causes, &changes);
            }
            Err(e) => outcome.findings.violations.push(format!("the master that all agree on is away: {e}")),
        }
    }
}
