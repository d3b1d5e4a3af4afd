//! What masters, replicas and peers have in common, and what masters and replicas tell by INFO.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::wheel::Timer;
use crate::model::{Address, Instant, LinkId, RunId};
use crate::wire::Role;

/// The common part of every instance (spec 2 §1.2–1.4).
#[derive(Clone, Debug)]
pub struct Instance {
    /// Fixed at creation: configured name, `host:port`, or run id.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// Its run id, once known.
    pub run_id: Option<RunId>,
    /// Its connections; peers of several masters share them.
    pub link: LinkId,
    /// It is subjectively down.
    pub s_down: bool,
    /// When it last entered SDOWN. Compat: not cleared on leaving it (spec 2 §1.4), so "no down for" counts from the entry.
    pub s_down_at: Option<Instant>,
    /// When our last hello was accepted.
    pub hello_accepted_at: Option<Instant>,
    /// When we last sent one.
    pub hello_sent_at: Option<Instant>,
    /// It is not answered yet.
    pub hello_on_its_way: bool,
    /// A hello is owed at once.
    pub hello_now: bool,
    /// SCRIPT KILL was sent in this SDOWN.
    pub script_kill_sent: bool,
    /// The wheel entry.
    pub timer: Timer,
}

impl Instance {
    /// A fresh instance that has not been heard of yet; it greets as soon as it is connected.
    pub fn new(name: String, address: Address, run_id: Option<RunId>, link: LinkId) -> Self {
        Instance {
            name,
            address,
            run_id,
            link,
            s_down: false,
            s_down_at: None,
            hello_accepted_at: None,
            hello_sent_at: None,
            hello_on_its_way: false,
            hello_now: true,
            script_kill_sent: false,
            timer: Timer::default(),
        }
    }

    /// True if the instance did not enter SDOWN for `period` (spec 2 §1.4).
    pub fn no_down_for(&self, period: Duration, now: Instant) -> bool {
        self.s_down_at.is_none_or(|at| now.since(at) > period)
    }
}

/// The INFO side of a master or replica (spec 2 §5).
#[derive(Clone, Debug)]
pub struct InfoState {
    /// When the last INFO arrived.
    pub at: Option<Instant>,
    /// When an INFO was asked for that is not answered yet.
    pub asked_at: Option<Instant>,
    /// When each INFO was asked for that this connection still owes, in the order in which they will be answered.
    pub owed: VecDeque<Instant>,
    /// When the last INFO that arrived was asked for: it tells of no earlier time than this.
    pub questioned_at: Option<Instant>,
    /// Ask at once.
    pub wanted: bool,
    /// The text of the last INFO.
    pub text: Option<Arc<[u8]>>,
    /// The role last reported; before the first INFO, the instance's own kind.
    pub role: Role,
    /// Since when that role is reported.
    pub role_since: Instant,
}

impl InfoState {
    /// Nothing known but the kind.
    pub fn new(kind: Role, now: Instant) -> Self {
        InfoState {
            at: None,
            asked_at: None,
            owed: VecDeque::new(),
            questioned_at: None,
            wanted: true,
            text: None,
            role: kind,
            role_since: now,
        }
    }

    /// The connection is gone, or is a new one: what was asked before will not be answered.
    pub fn lose_questions(&mut self) {
        self.asked_at = None;
        self.owed.clear();
    }

    /// True if the last INFO was asked for at `since` or later.
    pub fn tells_of(&self, since: Instant) -> bool {
        self.questioned_at.is_some_and(|at| at >= since)
    }

    /// True if the last INFO is at most `age` old.
    pub fn fresher_than(&self, age: Duration, now: Instant) -> bool {
        self.at.is_some_and(|at| now.since(at) <= age)
    }
}
