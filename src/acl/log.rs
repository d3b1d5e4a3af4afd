//! ACL LOG: what was refused lately, similar refusals counted together (spec 3 §3.5.9).
//!
//! Invariant: never longer than its limit; newest first.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Instant;

/// How many of the newest entries are looked at for one to join.
const SIMILAR_AMONG: usize = 10;
/// How old an entry may be to be joined.
const SIMILAR_WITHIN: Duration = Duration::from_secs(60);

/// Why something was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The command.
    Command,
    /// The channel.
    Channel,
    /// A failed login.
    Auth,
}

impl Reason {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }
}

/// One refusal, or several of a kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// How many.
    pub count: u64,
    /// Why.
    pub reason: Reason,
    /// The command, channel or `AUTH`.
    pub object: Vec<u8>,
    /// Who tried.
    pub username: Vec<u8>,
    /// When, the last time.
    pub at: Instant,
    /// The CLIENT LIST line of who tried last.
    pub client: Vec<u8>,
}

/// The log.
#[derive(Debug)]
pub struct AclLog {
    entries: VecDeque<Entry>,
    limit: usize,
}

impl AclLog {
    /// An empty log of at most `limit` entries.
    pub fn new(limit: usize) -> AclLog {
        AclLog { entries: VecDeque::new(), limit }
    }

    /// Records a refusal; its `count` is taken as one.
    pub fn record(&mut self, mut entry: Entry) {
        let similar = |other: &Entry| {
            other.reason == entry.reason
                && other.object == entry.object
                && other.username == entry.username
                && entry.at.since(other.at) <= SIMILAR_WITHIN
        };
        entry.count = 1;
        if let Some(at) = self.entries.iter().take(SIMILAR_AMONG).position(similar) {
            entry.count += self.entries.remove(at).map_or(0, |old| old.count);
        }
        self.entries.push_front(entry);
        self.entries.truncate(self.limit);
    }

    /// The entries, newest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// ACL LOG RESET.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, at: u64) -> Entry {
        Entry {
            count: 1,
            reason: Reason::Command,
            object: object.into(),
            username: b"al".to_vec(),
            at: Instant::from_millis(at),
            client: format!("at {at}").into_bytes(),
        }
    }

    #[test]
    fn similar_refusals_are_counted_together_for_a_minute() {
        let mut log = AclLog::new(3);
        log.record(entry("ping", 0));
        log.record(entry("info", 1));
        log.record(entry("ping", 60_000));
        let seen: Vec<_> = log.entries().map(|e| (e.object.clone(), e.count)).collect();
        assert_eq!(seen, [(b"ping".to_vec(), 2), (b"info".to_vec(), 1)]);
        log.record(entry("info", 60_002));
        assert_eq!(log.entries().map(|e| e.count).collect::<Vec<_>>(), [1, 2, 1]);
        log.record(entry("role", 60_003));
        assert_eq!(log.entries().count(), 3);
        log.clear();
        assert_eq!(log.entries().count(), 0);
    }
}
