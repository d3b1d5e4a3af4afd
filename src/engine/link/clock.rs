//! The clock of SDOWN: since when an instance is silent (spec 2 §7.1).
//!
//! It measures, and judges nothing: that is for `health`. It never starts again by a bare connection, and only an answer ends it.

use std::time::Duration;

use super::Link;
use crate::model::Instant;

/// See [`Link::grace`].
#[derive(Clone, Copy, Debug)]
pub struct Grace {
    /// Since when the outcome is awaited.
    pub since: Instant,
    /// When the clock starts without it.
    pub until: Instant,
}

impl Link {
    /// Restarts the health clocks, as if the instance had just been added (spec 2 §9.8).
    pub fn restart_clocks(&mut self, now: Instant) {
        self.available_at = now;
        self.active_ping_at = None;
        self.grace = None;
        self.overlooked = Duration::ZERO;
        self.shut = None;
        self.ping_sent_at = None;
        self.pong_at = now;
    }

    /// When the clock of SDOWN started, or will at the latest; `None` while there is nothing to complain of.
    pub fn silent_since(&self) -> Option<Instant> {
        self.active_ping_at.or(self.grace.map(|grace| grace.until))
    }

    /// Since when a sign of life is waited for. Compat: this is shown as the time of the last PING.
    pub fn awaited_since(&self) -> Option<Instant> {
        self.active_ping_at.or(self.grace.map(|grace| grace.since))
    }

    /// A freeze of this process just ended: who had time left to be reached at the last look before it has all of it again. Its first contact
    /// was held up with us, whether it answered meanwhile or not.
    pub fn renew_grace(&mut self, last_look: Instant, now: Instant) {
        if let Some(grace) = self.grace.as_mut().filter(|grace| grace.until > last_look) {
            *grace = Grace { since: now, until: now + grace.until.since(grace.since) };
            self.overlooked = Duration::ZERO;
        }
    }

    /// This process stood still for `gap`, which is not to count as silence; one silence is prolonged by `most` in all.
    ///
    /// Invariant: who was down at the last look before the gap is down after it, because no silence is shortened by more than it grew.
    pub fn overlook(&mut self, gap: Duration, most: Duration) {
        let gap = gap.min(most.saturating_sub(self.overlooked));
        let unheard = self.shut.as_mut().and_then(|shut| shut.unheard_since.as_mut());
        let grace = self.grace.as_mut().map(|grace| [&mut grace.since, &mut grace.until]);
        let clocks =
            self.active_ping_at.as_mut().into_iter().chain(unheard).chain(grace.into_iter().flatten());
        let mut silent = false;
        for clock in clocks {
            *clock = *clock + gap;
            silent = true;
        }
        if silent {
            self.overlooked += gap;
        }
    }

    /// Waits for the outcome of an attempt to connect, until then at the latest, unless the clock runs already.
    pub(super) fn await_contact(&mut self, since: Instant, until: Instant) {
        self.await_word(since);
        if self.active_ping_at.is_none() && self.grace.is_none() {
            self.grace = Some(Grace { since, until });
        }
    }

    /// An instance that denies us owes an answer from now on, if it did not before.
    pub(super) fn await_word(&mut self, now: Instant) {
        self.shut.iter_mut().for_each(|shut| shut.await_word(now));
    }

    /// Starts the clock of SDOWN if it does not run. True if it was started.
    pub(super) fn start_clock(&mut self, at: Instant) -> bool {
        self.await_word(at);
        // A clock that began to run at the end of the grace does not start again: only an answer ends silence, no bare connection.
        let at = self.grace.take().map_or(at, |grace| at.min(grace.until));
        let starts = self.active_ping_at.is_none();
        self.active_ping_at.get_or_insert(at);
        starts
    }
}
