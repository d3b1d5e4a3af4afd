//! Counters for INFO, and the rates made of them once a second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::handle::lock;

/// Counted since the start.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub connections: AtomicU64,
    pub rejected: AtomicU64,
    pub commands: AtomicU64,
    pub errors: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    rates: Mutex<Option<Sample>>,
}

/// Rates of late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    pub commands_per_second: u64,
    pub input_kbps: f64,
    pub output_kbps: f64,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    commands: u64,
    bytes_in: u64,
    bytes_out: u64,
    rates: Rates,
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Reads a counter.
pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Stats {
    /// Makes rates of what was counted since the last call.
    pub fn sample(&self) {
        let (at, commands) = (Instant::now(), read(&self.commands));
        let (bytes_in, bytes_out) = (read(&self.bytes_in), read(&self.bytes_out));
        let mut rates = lock(&self.rates);
        let made = rates.map_or(Rates::default(), |old| {
            let seconds = at.duration_since(old.at).as_secs_f64().max(0.001);
            let per_second = |now: u64, then: u64| precise(now - then) / seconds;
            Rates {
                commands_per_second: per_second(commands, old.commands).round() as u64,
                input_kbps: per_second(bytes_in, old.bytes_in) / 1024.0,
                output_kbps: per_second(bytes_out, old.bytes_out) / 1024.0,
            }
        });
        *rates = Some(Sample { at, commands, bytes_in, bytes_out, rates: made });
    }

    /// The rates last made.
    pub fn rates(&self) -> Rates {
        lock(&self.rates).map_or(Rates::default(), |sample| sample.rates)
    }
}

fn precise(count: u64) -> f64 {
    count as f64
}
