//! Logical time: [`Epoch`] orders elections over the whole fleet, [`Revision`] orders one process's recorded changes.

use std::fmt;

/// The cluster-wide logical time of elections (spec 2 §1.1): only grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch before any election.
    pub const ZERO: Epoch = Epoch(0);

    /// The epoch after this one; the last epoch has no successor and is returned itself.
    pub const fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the changes that must survive a crash. Everything recorded up to a revision is durable once that revision is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);
