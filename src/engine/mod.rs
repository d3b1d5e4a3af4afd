//! Every decision: a synchronous state machine that reads no clock, opens no socket and cannot fail.
//!
//! The shell uses it in one rhythm, **feed → drain → wait**: [`Engine::handle`] and [`Engine::handle_deadline`] take facts,
//! [`Engine::poll_action`] gives deeds until it returns `None`, [`Engine::next_deadline`] says when to come back at the latest.

pub mod action;
pub mod input;
pub mod notice;
pub mod tag;

use std::collections::VecDeque;

pub use action::{Action, Target};
pub use input::{Endpoints, Input, ScriptExit};
pub use notice::{Level, Notice};
pub use tag::{Ask, ConnId, ConnKind, Entity, Tag};

use crate::conf::Settings;
use crate::model::{Instant, Now};

/// The whole state of a Sentinel.
pub struct Engine {
    actions: VecDeque<Action>,
}

impl Engine {
    /// Begins from a configuration. `seed` fixes every random choice to come.
    pub fn new(_settings: Settings, _seed: u64, _now: Now) -> Self {
        Engine { actions: VecDeque::new() }
    }

    /// Records a fact and settles what it touched.
    pub fn handle(&mut self, _now: Now, _input: Input) {}

    /// Settles whatever is due.
    pub fn handle_deadline(&mut self, _now: Now) {}

    /// Ends a turn: what was recorded during it becomes one `Persist`. Call once after the last `handle` of a turn, before draining.
    pub fn end_turn(&mut self) {}

    /// The next deed, in order; `None` when all are drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call `handle_deadline` at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
}
