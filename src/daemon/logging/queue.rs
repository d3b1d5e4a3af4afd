//! The way of a line from whoever logs it to a sink that may block: a bounded queue, and a thread that writes.
//!
//! A pipe that nobody reads, a stopped terminal or a hanging disk then costs lines, never the time of those who log: the engine is
//! one of them. What is lost is counted, and told in the place where it is missing.
//!
//! Invariant: lines are written in the order in which they were queued, each with one call.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that may wait. As many may be with the writer.
const CAPACITY: usize = 1024 * 1024;

/// The queue; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Lines>,
    /// There is something to write.
    filled: Condvar,
    /// All was written.
    drained: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that did not fit, all of them younger than those that wait.
    lost: u64,
    /// The writer has taken some and is not done.
    writing: bool,
}

impl Queue {
    /// Queues a line, or loses it. Never waits.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut lines = self.shared.lock();
        // Once something is lost, so is all that follows: the gap stays in one place.
        if lines.lost > 0 || lines.bytes + line.len() > CAPACITY {
            lines.lost += 1;
            return;
        }
        lines.bytes += line.len();
        lines.waiting.push_back(line);
        drop(lines);
        self.shared.filled.notify_one();
    }

    /// Starts the thread. `write` takes one line; `lost` makes the line that tells of a number of lost ones.
    pub(super) fn start(
        &self,
        write: impl Fn(&[u8]) + Send + 'static,
        lost: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = self.shared.clone();
        let run = move || {
            loop {
                let (batch, missing) = shared.take();
                batch.iter().for_each(|line| write(line));
                if missing > 0 {
                    write(&lost(missing));
                }
            }
        };
        std::thread::Builder::new().name("log".into()).spawn(run).map(drop)
    }

    /// Waits until all that was queued is written, or patience ends.
    pub(super) fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut lines = self.shared.lock();
        while lines.writing || !lines.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.shared.drained.wait_timeout(lines, left);
            lines = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing panics under this lock, and a panic ends the process.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the writer's last batch and waits for the next: lines, and how many are missing behind them.
    fn take(&self) -> (VecDeque<Vec<u8>>, u64) {
        let mut lines = self.lock();
        lines.writing = false;
        while lines.waiting.is_empty() {
            self.drained.notify_all();
            lines = self.filled.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        lines.writing = true;
        lines.bytes = 0;
        (std::mem::take(&mut lines.waiting), std::mem::take(&mut lines.lost))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn order_is_kept_and_a_flush_waits_for_the_last() {
        let queue = Queue::default();
        let (sender, receiver) = mpsc::channel();
        let write = move |line: &[u8]| sender.send(line.to_vec()).expect("a receiver");
        queue.start(write, |_| unreachable!("nothing is lost")).expect("a thread");
        for number in 0..1000u32 {
            queue.push(number.to_string().into_bytes());
        }
        queue.flush(Duration::from_secs(10));
        let written: Vec<Vec<u8>> = receiver.try_iter().collect();
        let expected: Vec<Vec<u8>> = (0..1000u32).map(|number| number.to_string().into_bytes()).collect();
        assert_eq!(written, expected);
    }

    #[test]
    fn who_logs_never_waits_and_the_gap_is_told() {
        let queue = Queue::default();
        let (sender, receiver) = mpsc::sync_channel(0);
        let write = move |line: &[u8]| sender.send(line.to_vec()).expect("a receiver");
        queue.start(write, |lost| format!("lost {lost}").into_bytes()).expect("a thread");
        let line = vec![b'x'; CAPACITY / 8];
        queue.push(b"first".to_vec());
        assert_eq!(receiver.recv().expect("a line"), b"first");
        // The writer may hold one batch of these at most.
        (0..20).for_each(|_| queue.push(line.clone()));
        let before = Instant::now();
        queue.flush(Duration::from_millis(20));
        assert!(before.elapsed() >= Duration::from_millis(20), "it is stuck");
        let (mut whole, mut lost) = (0, 0);
        while whole + lost < 20 {
            let text = receiver.recv_timeout(Duration::from_secs(5)).expect("a line");
            match std::str::from_utf8(&text).expect("text").strip_prefix("lost ") {
                Some(number) => lost += number.parse::<usize>().expect("a number"),
                None => whole += 1,
            }
        }
        assert!(lost >= 4 && whole >= 8, "{whole} written, {lost} lost");
        queue.push(b"later".to_vec());
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)).expect("a line"), b"later");
    }
}
