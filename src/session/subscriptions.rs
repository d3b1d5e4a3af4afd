//! What one client is subscribed to: channels and patterns, counted together (spec 3 §3.6).

use bytes::Bytes;
use std::collections::BTreeSet;

/// Which of the two kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A channel by its name.
    Channel,
    /// A glob pattern of names.
    Pattern,
}

/// The subscriptions of one client.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
}

impl Subscriptions {
    /// Channels and patterns together.
    pub fn count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// How many of one kind.
    pub fn count_of(&self, kind: Kind) -> usize {
        self.of(kind).len()
    }

    /// Adds one; false if it was there.
    pub fn add(&mut self, kind: Kind, name: Bytes) -> bool {
        self.set(kind).insert(name)
    }

    /// Removes one; false if it was not there.
    pub fn remove(&mut self, kind: Kind, name: &Bytes) -> bool {
        self.set(kind).remove(name)
    }

    /// All of one kind.
    pub fn names(&self, kind: Kind) -> Vec<Bytes> {
        self.of(kind).iter().cloned().collect()
    }

    fn of(&self, kind: Kind) -> &BTreeSet<Bytes> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
        }
    }

    fn set(&mut self, kind: Kind) -> &mut BTreeSet<Bytes> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_patterns_are_counted_together_and_apart() {
        let mut all = Subscriptions::default();
        assert!(all.add(Kind::Channel, "a".into()) && !all.add(Kind::Channel, "a".into()));
        assert!(all.add(Kind::Pattern, "a".into()));
        assert_eq!((all.count(), all.count_of(Kind::Pattern)), (2, 1));
        assert!(all.remove(Kind::Channel, &"a".into()) && !all.remove(Kind::Channel, &"a".into()));
        assert_eq!(all.names(Kind::Pattern), ["a"]);
    }
}
