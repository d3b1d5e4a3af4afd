//! Pauses between attempts that failed: each is twice as long as the one before, up to a limit.

use std::time::Duration;

/// How long the last pause was. A master has one, for whatever keeps failovers of it from succeeding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The next pause: `first` after a success or at the beginning, then twice the last one; never less than `first`, nor more than `most`.
    pub fn next(&mut self, first: Duration, most: Duration) -> Duration {
        let pause = self.last.map_or(first, |last| last.saturating_mul(2).max(first)).min(most);
        self.last = Some(pause);
        pause
    }

    /// What was tried has succeeded, or is no longer called for.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn pauses_double_up_to_the_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        let mut next = |first| backoff.next(secs(first), secs(20));
        assert_eq!([next(1), next(1), next(1)], [secs(1), secs(2), secs(4)]);
        assert_eq!([next(10), next(1), next(1)], [secs(10), secs(20), secs(20)]);
        backoff.reset();
        assert_eq!(backoff.next(secs(1), secs(20)), secs(1));
        assert_eq!(Backoff::default().next(secs(5), secs(2)), secs(2));
    }
}
