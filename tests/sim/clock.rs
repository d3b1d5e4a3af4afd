//! Virtual time: nanoseconds since the start of a run, and what is to happen when, in one queue.
//!
//! Invariant: events of one instant come out in the order in which they were put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use sentineld::model::{Instant, Now, WallTime};

pub const MICRO: u64 = 1_000;
pub const MILLI: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// The wall clock at the start of every run, in milliseconds since the Unix epoch.
const START: i64 = 1_800_000_000_000;

/// Both clocks of a machine whose wall clock is wrong by so many milliseconds.
pub fn now(nanos: u64, wall_shift: i64) -> Now {
    let wall = wall_shift + i64::try_from(nanos / MILLI).expect("a short run");
    Now { mono: Instant::from_nanos(nanos), wall: WallTime::from_millis(START + wall) }
}

/// A priority queue of (instant, sequence).
pub struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    sequence: u64,
}

struct Entry<E> {
    at: u64,
    sequence: u64,
    event: E,
}

impl<E> Queue<E> {
    pub fn new() -> Self {
        Queue { heap: BinaryHeap::new(), sequence: 0 }
    }

    pub fn push(&mut self, at: u64, event: E) {
        self.sequence += 1;
        self.heap.push(Entry { at, sequence: self.sequence, event });
    }

    /// The next event, unless it comes after `until`.
    pub fn pop(&mut self, until: u64) -> Option<(u64, E)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> Ord for Entry<E> {
    /// The earliest is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}
