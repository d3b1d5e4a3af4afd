//! The configuration file: every change is written at once, and the process waits for it (spec 2 §1.7).

use sentineld::conf::{Change, KnownPeer, MasterSettings, Patch};
use sentineld::engine::Action;
use sentineld::model::Revision;

use super::Reference;
use super::state::Master;

impl Reference {
    /// The master's part of the file will differ at the next save.
    pub fn changed(&mut self, slot: usize) {
        self.changed.insert(slot);
    }

    /// Writes the file. Nothing leaves, and no fact is taken, until that is done or failed.
    pub fn flush(&mut self) {
        if self.crashed {
            return;
        }
        let mut changes = Vec::new();
        if std::mem::take(&mut self.globals_changed) {
            let mut globals = self.globals.clone();
            globals.my_id = Some(self.my_id.clone());
            globals.current_epoch = self.epoch;
            changes.push(Change::Sentinel(Box::new(globals)));
        }
        for slot in std::mem::take(&mut self.changed) {
            changes.push(Change::Master(Box::new(self.to_persist(self.at(slot)))));
        }
        self.persist(changes);
    }

    /// Writes the file without a master that is no longer monitored.
    pub fn flush_removal(&mut self, gone: &MasterSettings) {
        self.persist(vec![Change::RemoveMaster(gone.name.clone())]);
        self.flush();
    }

    fn persist(&mut self, changes: Vec<Change>) {
        self.revision = Revision(self.revision.0 + 1);
        self.saves.push_back((self.revision, Patch { changes }));
        if self.blocked.is_none() {
            self.begin_save();
        }
    }

    /// Begins the next save that is due; false if there is none.
    pub fn begin_save(&mut self) -> bool {
        let Some((revision, patch)) = self.saves.pop_front() else { return false };
        self.out.push_back(Action::Persist(revision, patch));
        self.blocked = Some(revision);
        true
    }

    fn to_persist(&self, master: &Master) -> MasterSettings {
        let hostnames = self.globals.announce_hostnames;
        let current = master.current_address();
        let mut settings = master.settings.clone();
        settings.host = current.shown_host(hostnames);
        settings.port = current.port;
        settings.config_epoch = master.config_epoch;
        settings.leader_epoch = master.leader_epoch;
        // The file names the new master already; the old one takes the place of the promoted replica.
        let place = |address| if address == current { &master.instance.address } else { address };
        let replicas = master.replicas.iter().map(|replica| place(&replica.instance.address));
        settings.replicas = replicas.map(|known| (known.shown_host(hostnames), known.port)).collect();
        let known = |instance: &super::state::Instance| {
            let address = &instance.address;
            let run_id = instance.run_id.clone()?;
            Some(KnownPeer { run_id, host: address.shown_host(hostnames), port: address.port })
        };
        settings.peers = master.peers.iter().filter_map(|peer| known(&peer.instance)).collect();
        settings
    }
}
