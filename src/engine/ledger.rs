//! What must survive a crash: which records changed since the last `Persist`, and the revision that will contain them.
//!
//! Differs: all changes of a turn are one save; the reference saves an epoch, and then the vote in it.

use std::collections::BTreeSet;

use super::fleet::Fleet;
use super::globals::Globals;
use crate::conf::{Change, Patch};
use crate::model::{MasterId, MasterName, Revision};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    emitted: Revision,
    globals: bool,
    log_level: bool,
    masters: BTreeSet<MasterId>,
    /// Changed, but not worth a save of their own.
    noted: BTreeSet<MasterId>,
    removed: Vec<MasterName>,
    flush: bool,
}

impl Ledger {
    /// The process-wide record changed.
    pub fn record_globals(&mut self) -> Revision {
        self.globals = true;
        self.pending()
    }

    /// The log level changed.
    pub fn record_log_level(&mut self) {
        self.log_level = true;
    }

    /// The record of a master changed, its replicas and peers included.
    pub fn record_master(&mut self, id: MasterId) -> Revision {
        self.masters.insert(id);
        self.pending()
    }

    /// The record of a master changed in a way that can wait for the next save, whatever that is made for (spec 1 §5.1).
    pub fn note_master(&mut self, id: MasterId) {
        self.noted.insert(id);
    }

    /// A master is no longer monitored.
    pub fn record_removal(&mut self, id: MasterId, name: MasterName) -> Revision {
        self.masters.remove(&id);
        self.removed.push(name);
        self.pending()
    }

    /// The file is to be written, with everything as it is now.
    pub fn record_flush(&mut self) -> Revision {
        self.flush = true;
        self.pending()
    }

    /// The changes since the last `Persist`, once.
    pub fn take(&mut self, fleet: &Fleet, globals: &Globals) -> Option<(Revision, Patch)> {
        if !(self.globals || self.log_level || self.flush)
            && self.masters.is_empty()
            && self.removed.is_empty()
        {
            return None;
        }
        let mut changes: Vec<Change> = self.removed.drain(..).map(Change::RemoveMaster).collect();
        if std::mem::take(&mut self.globals) {
            changes.push(Change::Sentinel(Box::new(globals.to_persist())));
        }
        if std::mem::take(&mut self.log_level) {
            changes.push(Change::LogLevel(globals.log_level));
        }
        let mut masters = std::mem::take(&mut self.masters);
        masters.append(&mut self.noted);
        if std::mem::take(&mut self.flush) {
            masters.extend(fleet.masters.iter().map(|(id, _)| id));
        }
        let records = masters.into_iter().filter(|id| fleet.masters.get(*id).is_some());
        changes.extend(records.map(|id| Change::Master(Box::new(fleet.to_persist(id, globals)))));
        self.emitted = self.pending();
        Some((self.emitted, Patch { changes }))
    }

    fn pending(&self) -> Revision {
        Revision(self.emitted.0 + 1)
    }
}
