//! One connection of a link: its state, and how long a lost one waits before it is tried again.
//!
//! Hundreds of servers that are gone cost more than all those that live if each is tried twice a second, just when others are to be found in
//! their place. So attempts that follow a failed one are told apart in time ([`Retries`]), and there is one at a time for each server.

use std::time::Duration;

use crate::model::Instant;

/// The first wait between two attempts; doubles.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// A connection that held for this long is replaced without a wait when it is lost.
const HELD: Duration = Duration::from_millis(1_000);
/// How far apart attempts are that follow a failed one,
const SPACING: Duration = Duration::from_millis(4);
/// unless there were fewer than this many of late.
const FREE: u32 = 64;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conn {
    /// The last attempt that ended was in vain.
    failed: bool,
    /// The next one is left to others until then.
    not_before: Option<Instant>,
    attempt: u32,
    state: ConnState,
    attempted_at: Option<Instant>,
    /// How long to wait after the last attempt; `None`: the first wait.
    retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ConnState {
    #[default]
    Down,
    Connecting {
        since: Instant,
    },
    Up {
        since: Instant,
    },
}

impl Conn {
    /// Established.
    pub fn is_up(&self) -> bool {
        matches!(self.state, ConnState::Up { .. })
    }

    /// The last attempt that ended was in vain: nobody seems to be there.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// The next attempt waits until then, if it would come earlier.
    pub fn postpone(&mut self, until: Instant) {
        self.not_before = Some(until);
    }

    /// Neither established nor being established.
    pub fn is_down(&self) -> bool {
        self.state == ConnState::Down
    }

    /// When a lost connection may be tried again.
    pub fn retry_at(&self, now: Instant) -> Instant {
        let own =
            self.attempted_at.map_or(now, |attempted| attempted + self.retry_after.unwrap_or(FIRST_RETRY));
        self.not_before.map_or(own, |at| own.max(at))
    }

    /// When the attempt began that it came from.
    pub fn started_at(&self) -> Option<Instant> {
        match self.state {
            ConnState::Down => None,
            ConnState::Connecting { since } | ConnState::Up { since } => Some(since),
        }
    }

    /// Its number; every attempt is another connection.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Begins an attempt; a repetition waits longer, up to `cap`.
    pub fn start(&mut self, now: Instant, cap: Duration) {
        self.retry_after =
            Some(self.retry_after.map_or(FIRST_RETRY, |wait| (wait * 2).min(cap.max(FIRST_RETRY))));
        self.attempted_at = Some(now);
        self.attempt = self.attempt.wrapping_add(1);
        self.state = ConnState::Connecting { since: now };
    }

    /// The attempt succeeded.
    pub fn established(&mut self, now: Instant) {
        self.state = ConnState::Up { since: self.started_at().unwrap_or(now) };
        (self.failed, self.not_before) = (false, None);
    }

    /// It failed, or was lost. A server that accepts and closes again (a subscription not allowed, too many clients) is not to be stormed.
    pub fn lost(&mut self, now: Instant) {
        self.failed = !self.is_up();
        if matches!(self.state, ConnState::Up { since } if now.since(since) >= HELD) {
            self.retry_after = None;
        }
        self.state = ConnState::Down;
    }

    /// We give it up ourselves: the next attempt needs no wait. True if there was something to close.
    pub fn close(&mut self) -> bool {
        let open = !self.is_down();
        *self = Conn { attempt: self.attempt, ..Conn::default() };
        open
    }
}

/// The time that repeated attempts take, all of them together.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    owed: Duration,
    counted_at: Instant,
}

impl Retries {
    /// When the next of them may be made.
    pub fn slot(&mut self, now: Instant) -> Instant {
        self.owed = self.owed.saturating_sub(now.since(self.counted_at)) + SPACING;
        self.counted_at = now;
        now + self.owed.saturating_sub(SPACING * FREE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_attempts_are_made_at_will_and_many_one_after_the_other() {
        let (mut retries, now) = (Retries::default(), Instant::from_millis(1_000));
        let slots: Vec<Instant> = (0..264).map(|_| retries.slot(now)).collect();
        assert!(slots[..64].iter().all(|slot| *slot == now));
        assert_eq!(slots[263], now + SPACING * 200);
        assert_eq!(retries.slot(Instant::from_millis(10_000)), Instant::from_millis(10_000));
    }
}
