//! CLIENT PAUSE: until when clients have to wait, and which of their commands (spec 3 §3.5.8).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::handle::lock;
use crate::wire::Verb;

/// The pause in force, if any.
#[derive(Debug, Default)]
pub(super) struct Pause {
    state: Mutex<Option<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    until: Instant,
    all: bool,
}

impl Pause {
    /// Begins one, or makes the one in force longer and stricter.
    pub fn begin(&self, after: Duration, all: bool) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        // Beyond what the clock can hold is as good as a century.
        let until = now.checked_add(after).unwrap_or(now + Duration::from_secs(3_000_000_000));
        let old = state.filter(|old| old.until > now);
        *state = Some(State {
            until: old.map_or(until, |old| old.until.max(until)),
            all: all || old.is_some_and(|old| old.all),
        });
    }

    /// CLIENT UNPAUSE.
    pub fn end(&self) {
        *lock(&self.state) = None;
    }

    /// How long this command has to wait, as far as is known now.
    pub fn holds(&self, verb: Verb) -> Option<Duration> {
        let state = (*lock(&self.state))?;
        let rest = state.until.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())?;
        (state.all || verb == Verb::Publish).then_some(rest)
    }
}
