//! What decides in a Sentinel: the engine under test, or the model of the reference. Both have the same doors.

use sentineld::conf::Settings;
use sentineld::engine::{Action, Engine, Input};
use sentineld::model::{Instant, Now};

use crate::plan::Opening;
use crate::reference::Reference;
use crate::seen::Kind;

pub enum Brain {
    Ours(Box<Engine>),
    Reference(Box<Reference>),
}

impl Brain {
    /// Starts from a configuration.
    pub fn new(kind: Kind, settings: Settings, seed: u64, now: Now, opening: Opening) -> Self {
        match kind {
            Kind::Ours => {
                let mut engine = Engine::new(settings, seed, now);
                opening.apply(&mut engine);
                Brain::Ours(Box::new(engine))
            }
            Kind::Reference => Brain::Reference(Box::new(Reference::new(settings, seed, now))),
        }
    }

    pub fn my_id(&self) -> String {
        match self {
            Brain::Ours(engine) => engine.my_id().to_string(),
            Brain::Reference(model) => model.my_id().to_string(),
        }
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        match self {
            Brain::Ours(engine) => engine.handle(now, input),
            Brain::Reference(model) => model.handle(now, input),
        }
    }

    pub fn handle_deadline(&mut self, now: Now) {
        match self {
            Brain::Ours(engine) => engine.handle_deadline(now),
            Brain::Reference(model) => model.handle_deadline(now),
        }
    }

    pub fn end_turn(&mut self) {
        match self {
            Brain::Ours(engine) => engine.end_turn(),
            Brain::Reference(model) => model.end_turn(),
        }
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        match self {
            Brain::Ours(engine) => engine.poll_action(),
            Brain::Reference(model) => model.poll_action(),
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        match self {
            Brain::Ours(engine) => engine.next_deadline(),
            Brain::Reference(model) => model.next_deadline(),
        }
    }

    /// Checks all invariants of the state; `deeply` the law of settling too. What is left to do though everything was settled.
    pub fn check(&self, deeply: bool) -> Vec<Action> {
        match self {
            Brain::Ours(engine) => {
                engine.audit();
                if deeply { engine.unsettled() } else { Vec::new() }
            }
            // It has neither: that is what it is there for.
            Brain::Reference(_) => Vec::new(),
        }
    }
}
