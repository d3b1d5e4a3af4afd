//! TILT: after a jump of the wall clock, or a stall, we watch but do not act for a while (spec 2 §2.3).

use std::time::Duration;

use super::cx::Cx;
use super::notice::Level;
use crate::model::{Instant, Now};

/// How often the clock is looked at, at least: a longer gap is told from a quiet time by this heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// The state of the rule.
#[derive(Clone, Debug)]
pub struct Tilt {
    last: Now,
    since: Option<Instant>,
    entered: u64,
}

/// What a look at the clock brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing new.
    Steady,
    /// TILT just ended: everything is to be settled again.
    Ended,
}

impl Tilt {
    /// Begins with a trusted clock.
    pub fn new(now: Now) -> Self {
        Tilt { last: now, since: None, entered: 0 }
    }

    /// Since when we are in TILT.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// How often TILT was entered since the start, or entered anew.
    pub fn entered(&self) -> u64 {
        self.entered
    }

    /// When the clock is to be looked at again.
    pub fn due(&self) -> Instant {
        self.last.mono + HEARTBEAT
    }

    /// Looks at the clock. Compat: the wall clock decides, a jump of it in either direction or more than `tilt-trigger` between two looks.
    pub fn check(&mut self, cx: &mut Cx) -> Verdict {
        let now = cx.now;
        let passed = now.wall.as_millis() - self.last.wall.as_millis();
        self.last = now;
        let trigger = i64::try_from(cx.globals.tunables.tilt_trigger.as_millis()).unwrap_or(i64::MAX);
        if passed < 0 || passed > trigger {
            self.since = Some(now.mono);
            self.entered += 1;
            cx.tilted = true;
            cx.publish(Level::Warning, "+tilt", "#tilt mode entered".to_owned());
            return Verdict::Steady;
        }
        match self.since {
            Some(since) if now.mono.since(since) >= cx.globals.tunables.tilt_period => {
                self.since = None;
                cx.tilted = false;
                cx.publish(Level::Warning, "-tilt", "#tilt mode exited".to_owned());
                Verdict::Ended
            }
            _ => Verdict::Steady,
        }
    }
}
