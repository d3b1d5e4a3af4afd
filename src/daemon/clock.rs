//! The only reader of clocks.
//!
//! The driver reads both clocks once per turn and hands the result to the engine. Nothing else in the crate asks for the time,
//! except for the stamp of a log line and the age of a client connection.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::{Instant, Now, WallTime};

/// The pair of clocks, started once.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// Begins: the monotonic clock reads zero now.
    pub fn start() -> Self {
        Clock { start: std::time::Instant::now() }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { mono: Instant::from_nanos(nanos), wall: wall() }
    }

    /// The point on tokio's clock at which this one reads `at`; `None` if that lies beyond what a timer can hold.
    pub fn to_timer(&self, at: Instant) -> Option<tokio::time::Instant> {
        let at = self.start.checked_add(std::time::Duration::from_nanos(at.as_nanos()))?;
        Some(tokio::time::Instant::from_std(at))
    }
}

fn wall() -> WallTime {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    };
    WallTime::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_never_early() {
        let clock = Clock::start();
        let now = clock.now();
        let timer =
            clock.to_timer(now.mono + std::time::Duration::from_secs(1)).expect("a second is not far");
        assert!(timer.into_std() >= clock.start + std::time::Duration::from_secs(1));
        assert!(now.wall.as_millis() > 1_600_000_000_000);
    }
}
