//! The narrow context each rule is handed: the time, chance, where to put actions and what to record.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::action::Action;
use super::conn::Retries;
use super::election::Pace;
use super::fleet::Fleet;
use super::globals::Globals;
use super::hole::{Hole, Holes};
use super::ledger::Ledger;
use super::master::Master;
use super::notice::{Level, Notice};
use super::outbox::Outbox;
use super::quarantine::Warned;
use super::script::Scripts;
use super::tag::Entity;
use super::wheel::Key;
use crate::model::{Epoch, Instant, LinkId, MasterId, Now, Revision, RunId};

/// What became of a save.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Saved {
    durable: bool,
    settled: bool,
}

/// See the module.
#[derive(Clone)]
pub struct Cx {
    /// The instant of this turn.
    pub now: Now,
    /// Process-wide state.
    pub globals: Globals,
    /// Where actions go.
    pub outbox: Outbox,
    /// What must survive a crash.
    pub ledger: Ledger,
    /// Queued scripts.
    pub scripts: Scripts,
    /// What has to be saved, or tried to, before anybody is contacted: an id made at this start.
    pub first_save: Revision,
    /// We watch but do not act (spec 2 §2.3).
    pub tilted: bool,
    /// When the last freeze of this process ended; the start of the clock for none. What was seen before says nothing of the time after.
    pub thawed_at: Instant,
    /// Silence before this instant is not counted: `thawed_at`, and as much later as stalls took since (`tilt`).
    pub counted_from: Instant,
    /// Links that were up when a freeze ended, and have given no sign since (`tilt`).
    pub unsampled: BTreeSet<LinkId>,
    /// The weakness that a test put back, if any.
    pub holes: Holes,
    /// Whom the log has warned of for impossible epochs.
    pub warned: Warned,
    /// How fast peers answer.
    pub pace: Pace,
    /// When servers that are gone are tried again.
    pub retries: Retries,
    /// When the current epoch began by an election that was held here or that we were asked about; such an epoch serves others, too.
    shared_epoch_at: Option<Instant>,
    rng: StdRng,
    touched: BTreeSet<Key>,
    awaiting_save: BTreeSet<MasterId>,
    /// Epochs whose save is not reported yet.
    unsaved_epochs: Vec<(Revision, Epoch)>,
    durable_epoch: Epoch,
}

impl Cx {
    /// A context whose every random choice follows from `seed`.
    pub fn new(globals: Globals, rng: StdRng, now: Now) -> Self {
        let durable_epoch = globals.current_epoch;
        Cx {
            now,
            globals,
            outbox: Outbox::default(),
            ledger: Ledger::default(),
            scripts: Scripts::default(),
            first_save: Revision::default(),
            tilted: false,
            thawed_at: Instant::ZERO,
            counted_from: Instant::ZERO,
            unsampled: BTreeSet::new(),
            holes: Holes::default(),
            warned: Warned::default(),
            pace: Pace::default(),
            retries: Retries::default(),
            shared_epoch_at: None,
            rng,
            touched: BTreeSet::new(),
            awaiting_save: BTreeSet::new(),
            unsaved_epochs: Vec::new(),
            durable_epoch,
        }
    }

    /// The generator that `seed` gives.
    pub fn generator(seed: u64) -> StdRng {
        StdRng::seed_from_u64(seed)
    }

    /// 40 hexadecimal digits, for a Sentinel without an id.
    pub fn fresh_run_id(rng: &mut StdRng) -> RunId {
        let digit = |_| char::from_digit(rng.random_range(0..16), 16).expect("below the base");
        RunId::from((0..40).map(digit).collect::<String>())
    }

    /// The monotonic instant of this turn.
    pub fn mono(&self) -> Instant {
        self.now.mono
    }

    /// A random number below `limit`.
    pub fn random_below(&mut self, limit: u64) -> u64 {
        self.rng.random_range(0..limit.max(1))
    }

    /// A random duration below `limit` milliseconds.
    pub fn random_millis(&mut self, limit: u64) -> std::time::Duration {
        std::time::Duration::from_millis(self.rng.random_range(0..limit.max(1)))
    }

    /// The entity's facts changed: its rules are to be run before the turn ends.
    pub fn touch(&mut self, entity: Entity) {
        self.touched.insert(Key::Entity(entity));
    }

    /// As `touch`, for a master.
    pub fn touch_master(&mut self, id: MasterId) {
        self.touch(Entity::Master(id));
    }

    /// As `touch`, for a link.
    pub fn touch_link(&mut self, id: LinkId) {
        self.touched.insert(Key::Link(id));
    }

    /// As `touch`, for whatever a timer belongs to.
    pub fn touch_key(&mut self, key: Key) {
        self.touched.insert(key);
    }

    /// The next touched entity.
    pub fn next_touched(&mut self) -> Option<Key> {
        self.touched.pop_first()
    }

    /// The rules of this master, and of what belongs to it, are to be run again after the next attempt to save.
    pub fn await_save(&mut self, id: MasterId) {
        self.awaiting_save.insert(id);
    }

    /// Raises the current epoch if `epoch` is higher. Returns the revision that holds it.
    pub fn observe_epoch(&mut self, epoch: Epoch) -> Option<Revision> {
        if epoch <= self.globals.current_epoch {
            return None;
        }
        self.globals.current_epoch = epoch;
        self.shared_epoch_at = None;
        let revision = self.ledger.record_globals();
        self.unsaved_epochs.push((revision, epoch));
        Some(revision)
    }

    /// The current epoch just began by an election: those of other masters may be held in it as well.
    pub fn share_epoch(&mut self) {
        self.shared_epoch_at = Some(self.mono());
    }

    /// The least epoch for an election that begins now: the current one while it is young, else the next.
    ///
    /// Differs: masters that fail together are elected for in one epoch, because a vote is per master. The reference takes a new epoch for
    /// each, and so voids the votes of the others (spec 2 §8.6).
    pub fn election_floor(&self) -> Epoch {
        let term = self.globals.tunables.election_timeout;
        let young = self.shared_epoch_at.is_some_and(|at| self.mono().since(at) < term);
        let current = self.globals.current_epoch;
        if young && !self.holes.has(Hole::OneEpochForAll) { current } else { current.next() }
    }

    /// The highest epoch that a crash can't take back: what gossip tells of.
    pub fn durable_epoch(&self) -> Epoch {
        self.durable_epoch
    }

    /// An attempt to save is over: releases what waited for it.
    pub fn on_persisted(&mut self, fleet: &Fleet, revision: Revision, saved: bool) {
        if !self.outbox.is_settled(self.first_save) {
            fleet.links.iter().for_each(|(id, _)| self.touch_link(id));
        }
        let waiting = std::mem::take(&mut self.awaiting_save);
        let waiting = waiting.into_iter().filter_map(|id| fleet.masters.get(id));
        let waiting: Vec<(&Master, [Saved; 3])> =
            waiting.map(|master| (master, self.saved(master))).collect();
        self.outbox.on_persisted(revision, saved);
        let (saved_epochs, unsaved) =
            self.unsaved_epochs.iter().partition(|(at, _)| self.outbox.is_durable(*at));
        self.unsaved_epochs = unsaved;
        let saved_epochs: Vec<(Revision, Epoch)> = saved_epochs;
        self.durable_epoch =
            saved_epochs.into_iter().map(|(_, epoch)| epoch).fold(self.durable_epoch, Epoch::max);
        for (master, before) in waiting {
            let after = self.saved(master);
            if after != before {
                self.touch_master(master.id);
            }
            // Votes concern the master alone; what else is saved was waited for by all that belong to it, as who was learnt of meanwhile
            // was not contacted so far.
            if after[1..] != before[1..] {
                self.touch_all_of(fleet, master);
            }
            if after.iter().any(|saved| !saved.durable) {
                self.awaiting_save.insert(master.id);
            }
        }
    }

    /// What is on disk of a master: our vote, the configuration that gossip may name, its beginning.
    fn saved(&self, master: &Master) -> [Saved; 3] {
        [master.ballot.revision, master.config_revision, master.begun]
            .map(|at| Saved { durable: self.outbox.is_durable(at), settled: self.outbox.is_settled(at) })
    }

    /// Replicas and peers of a master, with all links, are to be looked at again.
    pub fn touch_all_of(&mut self, fleet: &Fleet, master: &Master) {
        self.touch_link(master.instance.link);
        let replicas = master.replicas.iter().chain(&master.forgotten.replicas).copied();
        let replicas = replicas.chain(master.hearsay.servers());
        let peers = master.peers.iter().chain(&master.forgotten.peers);
        let replicas = replicas.map(Entity::Replica);
        for entity in replicas.chain(peers.map(|id| Entity::Peer(*id))) {
            self.touch(entity);
            if let Some(instance) = fleet.instance(entity) {
                self.touch_link(instance.link);
            }
        }
    }

    /// Logs a line that is no event.
    pub fn log(&mut self, level: Level, text: String) {
        self.outbox.push(Action::Log(level, text));
    }

    /// Logs that a host name can't be used: it was looked up in vain, or may not be looked up.
    pub fn log_unresolved(&mut self, host: &str) {
        self.log(Level::Warning, format!("Failed to resolve hostname '{host}'"));
    }

    /// Logs and publishes a message that concerns no instance.
    pub fn publish(&mut self, level: Level, name: &'static str, payload: String) {
        self.outbox.push(Action::Publish(Notice::new(level, name, payload)));
    }
}
