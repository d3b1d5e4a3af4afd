//! A timer wheel: one entry per entity, re-armed lazily.
//!
//! An entity keeps the instant it is armed for beside its own state; a later deadline touches nothing (the stale entry fires, finds
//! nothing due and re-arms), an earlier one adds an entry and makes the older one stale. Entries never fire early. A wheel and not
//! a heap, because nearly everything fires about once a second.

use std::time::Duration;

use super::tag::Entity;
use crate::model::{Instant, LinkId};

/// Slots of one millisecond each; what lies beyond waits in the last slot and is put back when its turn comes.
const SLOTS: usize = 4096;

/// What a timer belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// A connection pair.
    Link(LinkId),
    /// An instance.
    Entity(Entity),
}

/// The armed timer of one entity: the entity owns it, the wheel only borrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer(Option<Instant>);

/// All armed timers.
#[derive(Clone)]
pub struct Wheel {
    slots: Vec<Vec<(Instant, Key)>>,
    occupied: [u64; SLOTS / 64],
    /// The millisecond of the first slot that may hold entries.
    base: u64,
}

impl Wheel {
    /// An empty wheel, beginning at `now`.
    pub fn new(now: Instant) -> Self {
        Wheel { slots: vec![Vec::new(); SLOTS], occupied: [0; SLOTS / 64], base: now.as_millis() }
    }

    /// Makes `timer` fire at `at` at the latest. Does nothing if it is armed for that time or earlier.
    pub fn arm(&mut self, timer: &mut Timer, key: Key, at: Instant) {
        if timer.0.is_none_or(|armed| at < armed) {
            timer.0 = Some(at);
            self.insert(at, key);
        }
    }

    /// True, and the timer disarmed, if the entry that fired at `at` is the one the timer is armed for.
    pub fn take(timer: &mut Timer, at: Instant) -> bool {
        let live = timer.0 == Some(at);
        if live {
            timer.0 = None;
        }
        live
    }

    /// Removes at most `limit` entries that are due at `now`.
    pub fn fire(&mut self, now: Instant, limit: usize) -> Vec<(Instant, Key)> {
        let mut fired = Vec::new();
        let end = now.as_millis();
        while let Some(slot) = self.first_occupied() {
            let millis = self.millis_of(slot);
            if millis > end || fired.len() >= limit {
                break;
            }
            let entries = std::mem::take(&mut self.slots[slot]);
            self.occupied[slot / 64] &= !(1 << (slot % 64));
            if millis < end {
                self.base = self.base.max(millis + 1);
            }
            let (due, later): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(at, _)| *at <= now);
            fired.extend(due);
            let waiting = !later.is_empty();
            for (at, key) in later {
                self.insert(at, key);
            }
            if waiting && millis == end {
                break;
            }
        }
        if self.first_occupied().is_none_or(|slot| self.millis_of(slot) >= end) {
            self.base = self.base.max(end);
        }
        fired
    }

    /// When the earliest entry is due, stale ones included.
    pub fn next(&self) -> Option<Instant> {
        let slot = self.first_occupied()?;
        let earliest = self.slots[slot].iter().map(|(at, _)| *at).min()?;
        // An entry from beyond the horizon is only looked at when its slot comes up.
        Some(earliest.min(Instant::from_millis(self.millis_of(slot)) + Duration::from_millis(1)))
    }

    fn insert(&mut self, at: Instant, key: Key) {
        let millis = at.as_millis().clamp(self.base, self.base + SLOTS as u64 - 1);
        let slot = (millis % SLOTS as u64) as usize;
        self.slots[slot].push((at, key));
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// The occupied slot nearest to the base, in the order of time.
    fn first_occupied(&self) -> Option<usize> {
        let start = (self.base % SLOTS as u64) as usize;
        let (word, bit) = (start / 64, start % 64);
        let head = self.occupied[word] & (!0 << bit);
        if head != 0 {
            return Some(word * 64 + head.trailing_zeros() as usize);
        }
        let words = self.occupied.len();
        (1..=words)
            .map(|step| (word + step) % words)
            .find(|&other| self.occupied[other] != 0)
            .map(|other| other * 64 + self.occupied[other].trailing_zeros() as usize)
    }

    fn millis_of(&self, slot: usize) -> u64 {
        let start = self.base % SLOTS as u64;
        self.base + (slot as u64 + SLOTS as u64 - start) % SLOTS as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> Key {
        Key::Link(LinkId { index, generation: 0 })
    }

    #[test]
    fn fires_in_order_never_early_and_across_the_horizon() {
        let mut wheel = Wheel::new(Instant::ZERO);
        let times = [3u64, 1, 4095, 4096, 20_000, 7, 7];
        let mut timers = [Timer::default(); 7];
        for (index, (&millis, timer)) in times.iter().zip(&mut timers).enumerate() {
            wheel.arm(timer, key(index as u32), Instant::from_millis(millis));
        }
        let mut seen = Vec::new();
        while let Some(next) = wheel.next() {
            for (at, _) in wheel.fire(next, 100) {
                assert!(at <= next, "fired early");
                assert!(next.since(at) <= Duration::from_millis(1), "fired late");
                seen.push(at.as_millis());
            }
        }
        assert_eq!(seen, [1, 3, 7, 7, 4095, 4096, 20_000]);
    }

    #[test]
    fn a_later_deadline_costs_nothing_and_an_earlier_one_wins() {
        let mut wheel = Wheel::new(Instant::ZERO);
        let mut timer = Timer::default();
        wheel.arm(&mut timer, key(1), Instant::from_millis(10));
        wheel.arm(&mut timer, key(1), Instant::from_millis(50));
        wheel.arm(&mut timer, key(1), Instant::from_millis(5));
        let fired = wheel.fire(Instant::from_millis(20), 100);
        let live: Vec<bool> = fired.iter().map(|(at, _)| Wheel::take(&mut timer, *at)).collect();
        assert_eq!(live, [true, false], "the stale entry is recognised");
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_sub_millisecond_deadline_waits_for_its_nanosecond() {
        let mut wheel = Wheel::new(Instant::ZERO);
        let mut timer = Timer::default();
        let at = Instant::from_nanos(5_600_000);
        wheel.arm(&mut timer, key(1), at);
        assert!(wheel.fire(Instant::from_nanos(5_500_000), 100).is_empty());
        assert_eq!(wheel.next(), Some(at));
        assert_eq!(wheel.fire(at, 100).len(), 1);
    }

    #[test]
    fn a_limit_leaves_the_rest_for_the_next_call() {
        let mut wheel = Wheel::new(Instant::ZERO);
        for index in 0..10 {
            wheel.arm(&mut Timer::default(), key(index), Instant::from_millis(u64::from(index) + 1));
        }
        let now = Instant::from_millis(100);
        assert_eq!(wheel.fire(now, 4).len(), 4);
        assert_eq!(wheel.fire(now, 100).len(), 6);
        assert_eq!(wheel.next(), None);
    }
}
