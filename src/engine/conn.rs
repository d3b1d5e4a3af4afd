//! One connection of a link: its state, and how long a lost one waits before it is tried again.

use std::time::Duration;

use crate::model::Instant;

/// The first wait between two attempts; doubles.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// A connection that held for this long is replaced without a wait when it is lost.
const HELD: Duration = Duration::from_millis(1_000);

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conn {
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

    /// Neither established nor being established.
    pub fn is_down(&self) -> bool {
        self.state == ConnState::Down
    }

    /// When a lost connection may be tried again.
    pub fn retry_at(&self, now: Instant) -> Instant {
        self.attempted_at.map_or(now, |attempted| attempted + self.retry_after.unwrap_or(FIRST_RETRY))
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
    }

    /// It failed, or was lost. A server that accepts and closes again (a subscription not allowed, too many clients) is not to be stormed.
    pub fn lost(&mut self, now: Instant) {
        if matches!(self.state, ConnState::Up { since } if now.since(since) >= HELD) {
            self.retry_after = None;
        }
        self.state = ConnState::Down;
    }

    /// We give it up ourselves: the next attempt needs no wait. True if there was something to close.
    pub fn close(&mut self) -> bool {
        let open = !self.is_down();
        (self.state, self.attempted_at, self.retry_after) = (ConnState::Down, None, None);
        open
    }
}
