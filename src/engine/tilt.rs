//! TILT: after a freeze of the process we watch but do not act until we have looked around (spec 2 §2.3).
//!
//! What was measured across a freeze says nothing about others: silence, unanswered questions and opinions were ours. So all of that
//! begins anew, everything is asked at once, and TILT ends as soon as every link that was up has answered or is known to be broken.
//! It lasts [`SAMPLE_WAIT`] at most, and never longer than `tilt-period`.
//!
//! What is too short for TILT is a stall: nothing stops, but silence is not counted across it ([`link::Link::overlook`]), nor the wait for
//! answers after a freeze. They may have waited for us, or been held up with us. So that a process that is always busy still notices who is
//! gone, `tilt-trigger` is the most that one silence can be prolonged by, however many stalls there were.
//!
//! Differs: to the reference a stall of less than `tilt-trigger` is silence of everybody; a down-after of some hundred milliseconds is over then.
//!
//! Differs: only the monotonic clock decides. The reference goes by the wall clock, and is lame for half a minute after each step of it.
//!
//! Invariant: while `cx.tilted` holds, no verdict changes and no failover moves.

use std::time::Duration;

use super::cx::Cx;
use super::fleet::Fleet;
use super::hearsay;
use super::hole::Hole;
use super::link;
use super::notice::Level;
use super::tag::Entity;
use crate::model::{Instant, LinkId, Now};

/// How often the clock is looked at, at least: a longer gap is told from a quiet time by this heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// A longer gap is a stall.
const STALL: Duration = Duration::from_millis(200);
/// How long fresh answers are waited for after a freeze. What has not answered by then is judged by its down-after, which began anew.
pub const SAMPLE_WAIT: Duration = Duration::from_millis(1_000);

/// The state of the rule.
#[derive(Clone, Debug)]
pub struct Tilt {
    last: Now,
    since: Option<Instant>,
    entered: u64,
    /// How much of the time since the last freeze were stalls that were overlooked.
    overlooked: Duration,
}

impl Tilt {
    /// Begins with a trusted clock.
    pub fn new(now: Now) -> Self {
        Tilt { last: now, since: None, entered: 0, overlooked: Duration::ZERO }
    }

    /// Since when we are in TILT.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// How often TILT was entered since the start, or entered anew.
    pub fn entered(&self) -> u64 {
        self.entered
    }

    /// When the clock is to be looked at again; at the latest when TILT may end, if we are in it.
    pub fn due(&self, cx: &Cx) -> Instant {
        let period = cx.globals.tunables.tilt_period.min(SAMPLE_WAIT);
        let end = self.since.map(|since| since + period).filter(|end| *end > self.last.mono);
        let heartbeat = self.last.mono + HEARTBEAT;
        end.map_or(heartbeat, |end| heartbeat.min(end))
    }

    /// Looks at the clock: more than `tilt-trigger` between two looks is a freeze that just ended, less may be a stall.
    pub fn check(&mut self, fleet: &mut Fleet, cx: &mut Cx) {
        let last = std::mem::replace(&mut self.last, cx.now);
        let trigger = cx.globals.tunables.tilt_trigger;
        let gap = cx.mono().since(last.mono);
        let frozen = if cx.holes.has(Hole::WallClockTilts) {
            let passed = cx.now.wall.as_millis() - last.wall.as_millis();
            passed < 0 || passed.unsigned_abs() > trigger.as_millis() as u64
        } else {
            gap > trigger
        };
        if !frozen {
            if gap > STALL && !cx.holes.has(Hole::StallsCount) {
                self.overlook(fleet, cx, gap);
            }
            return;
        }
        self.since = Some(cx.mono());
        self.entered += 1;
        self.overlooked = Duration::ZERO;
        cx.tilted = true;
        cx.publish(Level::Warning, "+tilt", "#tilt mode entered".to_owned());
        if !cx.holes.has(Hole::WallClockTilts) {
            begin_anew(fleet, cx, last.mono);
        }
    }

    /// A stall just ended: it counts neither as silence nor as the time that a freeze gave everybody.
    fn overlook(&mut self, fleet: &mut Fleet, cx: &mut Cx, gap: Duration) {
        let most = cx.globals.tunables.tilt_trigger;
        fleet.links.iter_mut().for_each(|link| link.overlook(gap, most));
        if self.entered > 0 {
            let gap = gap.min(most.saturating_sub(self.overlooked));
            self.overlooked += gap;
            cx.counted_from = cx.counted_from + gap;
            self.since = self.since.map(|since| since + gap);
        }
    }

    /// Ends TILT if it is time. True if it just ended: everything is to be settled again.
    pub fn end_if_due(&mut self, cx: &mut Cx) -> bool {
        let Some(since) = self.since else { return false };
        let period = cx.globals.tunables.tilt_period;
        let age = cx.mono().since(since);
        let over = if cx.holes.has(Hole::WallClockTilts) {
            age >= period
        } else {
            cx.unsampled.is_empty() || age >= period.min(SAMPLE_WAIT)
        };
        if over {
            self.since = None;
            cx.tilted = false;
            cx.unsampled.clear();
            cx.publish(Level::Warning, "-tilt", "#tilt mode exited".to_owned());
        }
        over
    }
}

/// Discards what was measured across the freeze, which began after `last_look`, and asks everybody anew.
fn begin_anew(fleet: &mut Fleet, cx: &mut Cx, last_look: Instant) {
    (cx.thawed_at, cx.counted_from) = (cx.mono(), cx.mono());
    let masters: Vec<_> = fleet.masters.iter().map(|(id, _)| id).collect();
    for id in masters {
        // An answer that waited for us is about a time that is over, as one about another address is.
        fleet.forget_opinions(id, cx);
        hearsay::forget(fleet, cx, id);
    }
    let thawed_at = cx.thawed_at;
    fleet.links.iter_mut().for_each(|link| link.renew_grace(last_look, thawed_at));
    let links: Vec<LinkId> = fleet.links.iter().map(|(id, _)| id).collect();
    cx.unsampled = links.into_iter().filter(|id| link::sample(fleet, cx, *id)).collect();
    fleet.peers.iter().for_each(|(id, _)| cx.touch(Entity::Peer(id)));
}
