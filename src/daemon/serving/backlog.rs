//! What waits to be sent to one client: counted wherever it waits, checked against the output limit, and shown by CLIENT LIST.

use std::time::{Duration, Instant};

use super::handle::Message;
use crate::conf::settings::BufferLimit;

/// What a message costs beyond its bytes, roughly: its frame and its place in the queue.
const MESSAGE_OVERHEAD: usize = 64;
/// Bytes of an output buffer in the reference (spec 3 §3.5.8).
const BUFFER: usize = 16 * 1024;
/// How long the largest reply is remembered.
const PEAK_PERIOD: Duration = Duration::from_secs(5);

/// What a client's task holds and has not written yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unwritten {
    /// How much it is.
    pub bytes: usize,
    /// The memory kept for it.
    pub room: usize,
    /// It was tried: the client takes no more now.
    pub tried: bool,
}

/// The account.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Bytes of messages in the mailbox.
    messages: usize,
    unwritten: Unwritten,
    /// The largest reply of late, and when it was made.
    peak: Option<(usize, Instant)>,
    over_soft_since: Option<Instant>,
}

/// What waits, split as the reference splits it: a first buffer, and a list of more of them. Those who look for clients that do not
/// read look at the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// Bytes in the first buffer.
    pub in_buffer: usize,
    /// Bytes beyond it.
    pub in_list: usize,
    /// Bytes of memory kept for all of them but messages that nobody took yet.
    pub room: usize,
    /// The socket takes no more now.
    pub is_stuck: bool,
    /// The largest reply of late.
    pub peak: usize,
}

impl Output {
    /// How long a list of buffers they take.
    pub fn list_length(self) -> usize {
        self.in_list.div_ceil(BUFFER)
    }
}

impl Backlog {
    /// A message went to the mailbox. False if the limit is broken.
    pub fn add(&mut self, message: &Message, limit: BufferLimit) -> bool {
        self.messages += message.channel.len() + message.payload.len() + MESSAGE_OVERHEAD;
        self.check(limit)
    }

    /// The client's task took all messages. Until it has written what it can, and says what is left, all of it still waits.
    pub fn taken(&mut self) {
        self.unwritten.bytes += std::mem::take(&mut self.messages);
    }

    /// All messages were thrown away.
    pub fn dropped(&mut self) {
        self.messages = 0;
    }

    /// The client's task tells what it holds. False if the limit is broken.
    pub fn note(&mut self, unwritten: Unwritten, limit: BufferLimit) -> bool {
        self.unwritten = unwritten;
        if unwritten.bytes > 0 && unwritten.bytes.min(BUFFER) >= self.output().peak {
            self.peak = Some((unwritten.bytes, Instant::now()));
        }
        self.check(limit)
    }

    /// For CLIENT LIST.
    pub fn output(&self) -> Output {
        let all = self.unwritten.bytes + self.messages;
        let in_buffer = all.min(BUFFER);
        let peak = self.peak.filter(|(_, at)| at.elapsed() < PEAK_PERIOD).map_or(0, |(bytes, _)| bytes);
        Output {
            in_buffer,
            in_list: all - in_buffer,
            room: self.unwritten.room,
            is_stuck: self.unwritten.tried && self.unwritten.bytes > 0,
            peak: peak.max(self.unwritten.bytes).min(BUFFER),
        }
    }

    /// True while the output is within the limit. Compat: the first buffer is not counted.
    fn check(&mut self, limit: BufferLimit) -> bool {
        let bytes = u64::try_from(self.output().in_list).unwrap_or(u64::MAX);
        if limit.hard > 0 && bytes >= limit.hard {
            return false;
        }
        if limit.soft == 0 || bytes < limit.soft {
            self.over_soft_since = None;
            return true;
        }
        let since = *self.over_soft_since.get_or_insert_with(Instant::now);
        since.elapsed() <= limit.soft_for.max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(hard: u64, soft: u64) -> BufferLimit {
        BufferLimit { hard, soft, soft_for: Duration::ZERO }
    }

    fn unwritten(bytes: usize) -> Unwritten {
        Unwritten { bytes, ..Unwritten::default() }
    }

    #[test]
    fn limits_count_what_waits_anywhere() {
        let mut backlog = Backlog { messages: 60, unwritten: unwritten(BUFFER + 40), ..Backlog::default() };
        assert!(backlog.check(limit(0, 0)), "none");
        assert!(backlog.check(limit(101, 0)));
        assert!(!backlog.check(limit(100, 0)));
        backlog.taken();
        assert!(!backlog.check(limit(100, 0)), "it is not written yet");
        assert!(backlog.note(unwritten(BUFFER + 99), limit(100, 0)));
    }

    #[test]
    fn a_soft_limit_may_be_exceeded_for_a_while() {
        let mut backlog = Backlog::default();
        assert!(backlog.note(unwritten(BUFFER + 100), limit(0, 100)));
        std::thread::sleep(Duration::from_millis(5));
        assert!(!backlog.note(unwritten(BUFFER + 100), limit(0, 100)));
        assert!(backlog.note(unwritten(BUFFER + 99), limit(0, 100)));
        assert!(backlog.note(unwritten(BUFFER + 100), limit(0, 100)), "the clock starts anew");
    }

    #[test]
    fn more_than_a_buffer_is_a_list() {
        let mut backlog = Backlog::default();
        backlog.note(Unwritten { bytes: 20_000, room: 32_768, tried: true }, limit(0, 0));
        let shown = backlog.output();
        assert_eq!((shown.in_buffer, shown.in_list, shown.list_length()), (16_384, 3_616, 1));
        assert!(shown.is_stuck && shown.peak == 16_384 && shown.room == 32_768);
        backlog.note(Unwritten::default(), limit(0, 0));
        let shown = backlog.output();
        assert_eq!((shown.in_buffer, shown.list_length(), shown.is_stuck), (0, 0, false));
        assert_eq!(shown.peak, 16_384, "for a while");
    }
}
