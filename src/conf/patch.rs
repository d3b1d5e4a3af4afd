//! Typed changes to what must survive a crash: what the engine hands to the store.

use super::settings::{MasterSettings, SentinelSettings};
use crate::model::MasterName;

/// One change of the persisted state. Each replaces the whole of what it names, so applying a change twice is harmless.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The process-wide `sentinel` directives: id, current epoch, announcements.
    Sentinel(Box<SentinelSettings>),
    /// Everything about one master, known replicas and peers included; adds the master if it is new.
    Master(Box<MasterSettings>),
    /// The master is no longer monitored.
    RemoveMaster(MasterName),
    /// The ACL users as `user` lines without the word `user` (`default on nopass ~* &* +@all`), sorted by name.
    Users(Vec<String>),
}

/// The changes of one engine turn, in order. An empty patch asks for a rewrite all the same (SENTINEL FLUSHCONFIG).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// What changed.
    pub changes: Vec<Change>,
}
