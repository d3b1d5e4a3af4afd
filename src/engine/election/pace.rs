//! How long questions to peers take to be answered, and what follows from it: how soon to ask again, and how long to let others go first.
//!
//! When hundreds of masters die at once, answers take seconds instead of a fraction of a millisecond. Who then goes by fixed times asks
//! again and again what is on its way already, and stands for election while the vote that it is to give still waits in a queue.

use std::time::Duration;

use super::tally::{live_peers, rank};
use crate::engine::cx::Cx;
use crate::engine::failover;
use crate::engine::fleet::Fleet;
use crate::model::{Instant, MasterId};

/// How long each rank waits for the one before it, at least.
const HOLD_BACK: Duration = Duration::from_millis(75);
/// How long all that rank before us are waited for, at most.
const LONGEST_HOLD_BACK: Duration = Duration::from_secs(5);
/// What is forgotten of the measure: half of it in this time.
const HALF_LIFE: Duration = Duration::from_secs(2);
/// A peer that took longer was frozen or gone; its delay says little about the others.
const LONGEST: Duration = Duration::from_secs(5);
/// Opinions expire after five seconds: who waits for longer than this before asking again loses them.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Questions that nobody needs to wait for.
const FREE: u32 = 64;
/// What one more question costs all who have to answer and to read the answer.
const COST: Duration = Duration::from_micros(250);
/// Up to here answers are quick, and nobody asks later for the sake of others.
const QUICK: Duration = Duration::from_millis(50);
/// The longest time for which a question is left to those who come first.
const LONGEST_STAGGER: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    smoothed: Duration,
    learnt_at: Instant,
    /// Questions that were lately to be asked, as time that they cost.
    owed: Duration,
    counted_at: Instant,
}

impl Pace {
    /// An answer came after so long a time: a longer one counts at once, shorter ones bring the measure down little by little.
    pub fn learn(&mut self, now: Instant, took: Duration) {
        let (known, took) = (self.round_trip(now), took.min(LONGEST));
        self.smoothed = if took > known { known + (took - known) / 2 } else { known - (known - took) / 16 };
        self.learnt_at = now;
    }

    /// How long an answer takes at present.
    pub fn round_trip(&self, now: Instant) -> Duration {
        let halvings = now.since(self.learnt_at).as_nanos() / HALF_LIFE.as_nanos();
        self.smoothed / (1 << u32::try_from(halvings).unwrap_or(u32::MAX).min(31))
    }

    /// Nobody is asked again before this has passed.
    pub fn pause(&self, now: Instant) -> Duration {
        (self.round_trip(now) * 2).min(LONGEST_PAUSE)
    }

    /// As many questions are to be asked.
    fn count(&mut self, now: Instant, questions: usize) {
        self.owed = self.owed_at(now) + COST.saturating_mul(u32::try_from(questions).unwrap_or(u32::MAX));
        self.counted_at = now;
    }

    /// How long each rank leaves its questions to the one before it: nothing, unless there are very many of them.
    fn stagger(&self, now: Instant) -> Duration {
        let rush = self.owed_at(now).saturating_sub(COST * FREE);
        rush + self.round_trip(now).saturating_sub(QUICK)
    }

    fn owed_at(&self, now: Instant) -> Duration {
        self.owed.saturating_sub(now.since(self.counted_at))
    }
}

/// When it is our turn to ask for opinions about a master.
#[derive(Clone, Copy, Debug)]
pub struct AskTurn {
    /// When the master went down.
    since: Instant,
    /// Until then those ask that rank before us.
    at: Instant,
    /// Very many questions were to be asked at that time.
    in_a_rush: bool,
}

/// Before when we leave it to others to ask for opinions about a master: those that rank before us need them to be elected, and if they
/// are, ours are not needed. Settled once for each time that the master goes down. In a rush, who may not stand for election before some
/// time, because another has its vote, has no use for opinions before that either.
pub fn ask_turn(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let since = fleet.masters[id].instance.s_down_at?;
    let known = fleet.masters[id].ask_turn.filter(|turn| turn.since == since);
    let turn = known.unwrap_or_else(|| {
        let (now, peers) = (cx.mono(), fleet.masters[id].peers.len());
        let stagger = cx.pace.stagger(now);
        cx.pace.count(now, peers);
        let in_a_rush = !stagger.is_zero();
        let rank = if in_a_rush { rank_of_us(fleet, cx, id) } else { 0 };
        AskTurn { since, at: since + stagger.saturating_mul(rank).min(LONGEST_STAGGER), in_a_rush }
    });
    fleet.masters[id].ask_turn = Some(turn);
    let use_from = if turn.in_a_rush { failover::not_before(fleet, cx, id) } else { None };
    Some(use_from.map_or(turn.at, |from| from.max(turn.at)))
}

/// How long we let those go first that rank before us: until a request of theirs must have reached us.
pub fn hold_back(fleet: &Fleet, cx: &Cx, id: MasterId) -> Duration {
    let now = cx.mono();
    let open = live_peers(fleet, id).map(|peer| peer.ask.open_since());
    let mut open: Vec<Duration> =
        open.map(|since| since.map_or(Duration::ZERO, |since| now.since(since))).collect();
    open.sort_unstable();
    // Some may be frozen; if most are silent, it is the load.
    let usual = open.get(open.len().saturating_sub(1) / 2).copied().unwrap_or_default();
    let trip = cx.pace.round_trip(now).max(usual);
    HOLD_BACK.max(trip * 2).saturating_mul(rank_of_us(fleet, cx, id)).min(LONGEST_HOLD_BACK)
}

fn rank_of_us(fleet: &Fleet, cx: &Cx, id: MasterId) -> u32 {
    u32::try_from(rank(fleet, cx, id)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_measure_rises_fast_falls_slowly_and_is_forgotten() {
        let mut pace = Pace::default();
        let at = Instant::from_millis;
        pace.learn(at(0), ms(800));
        assert_eq!(pace.round_trip(at(0)), ms(400));
        pace.learn(at(0), ms(800));
        assert_eq!(pace.round_trip(at(0)), ms(600));
        pace.learn(at(0), ms(0));
        assert_eq!(pace.round_trip(at(0)), Duration::from_micros(562_500));
        assert_eq!(pace.pause(at(1_999)), ms(1_125));
        assert_eq!(pace.pause(at(2_000)), Duration::from_micros(562_500));
        assert_eq!(pace.round_trip(at(1_000_000_000)), Duration::ZERO);
    }

    #[test]
    fn one_peer_that_comes_back_late_does_not_stop_the_questions() {
        let mut pace = Pace::default();
        pace.learn(Instant::ZERO, Duration::from_secs(3_600));
        assert_eq!(pace.round_trip(Instant::ZERO), LONGEST / 2);
        assert_eq!(pace.pause(Instant::ZERO), LONGEST_PAUSE);
    }

    #[test]
    fn few_questions_leave_no_trace_and_many_take_their_time() {
        let mut pace = Pace::default();
        pace.count(Instant::ZERO, FREE as usize);
        assert_eq!(pace.stagger(Instant::ZERO), Duration::ZERO);
        pace.count(Instant::ZERO, 1_000);
        assert_eq!(pace.stagger(Instant::ZERO), ms(250));
        assert_eq!(pace.stagger(Instant::from_millis(20)), ms(230));
        assert_eq!(pace.stagger(Instant::from_millis(500)), Duration::ZERO);
    }
}
