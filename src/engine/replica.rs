//! A replica of a monitored master.

use super::instance::{InfoState, Instance};
use super::lineage::Origin;
use crate::model::{Instant, MasterId, ReplicaId};

/// See the module.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its id.
    pub id: ReplicaId,
    /// Whose replica it is.
    pub master: MasterId,
    /// The common part.
    pub instance: Instance,
    /// The INFO side.
    pub info: InfoState,
    /// When what it says about its own master last changed.
    pub config_changed_at: Instant,
    /// `master_link_down_since_seconds` in milliseconds; 0 if absent, −1000 for "never connected".
    pub link_down_ms: i64,
    /// Whom it replicates, as it says.
    pub master_host: Option<String>,
    /// The port of it; 0 if unknown.
    pub master_port: u16,
    /// Its replication link is up.
    pub master_link_up: bool,
    /// `slave_priority`; 0 means never promote.
    pub priority: i32,
    /// `slave_repl_offset`.
    pub repl_offset: u64,
    /// `replica_announced`.
    pub announced: bool,
    /// Where its data comes from.
    pub origin: Origin,
    /// How far it has been re-pointed in the failover in progress.
    pub reconf: Option<Reconf>,
    /// The SLAVEOF block last sent to it.
    pub block: Option<Block>,
    /// It was the master until a failover took that from it, and has not been seen as a replica since: a `role:master` from it
    /// can only be its past, nobody can have promoted it.
    pub former_master: bool,
    /// When it was last told to follow the master because it strayed.
    pub repaired_at: Option<Instant>,
}

/// Progress of re-pointing (spec 2 §9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconf {
    /// SLAVEOF was sent.
    Sent {
        /// When.
        at: Instant,
    },
    /// It names the new master.
    InProgress {
        /// Since when.
        since: Instant,
    },
    /// Its link to the new master is up, or we gave up waiting.
    Done,
}

/// A SLAVEOF block on its way, and what became of it (spec 2 §9.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// When it was sent; a plainer repetition counts anew.
    pub sent_at: Instant,
    /// The target, to repeat it in a plainer form: `None` for NO ONE.
    pub target: Option<(String, u16)>,
    /// This is the bare SLAVEOF, without MULTI.
    pub plain: bool,
    /// The first error answered to a queued command: why EXEC will fail.
    pub queued_error: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// See [`Block::outcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No reply yet.
    Pending,
    /// SLAVEOF was accepted.
    Accepted,
    /// It was refused, in the plain form too: why.
    Refused(String),
    /// The connection broke before the reply, or the reply was a refusal at a bad time: why. It may be tried again.
    Lost(String),
}

impl Replica {
    /// A replica just heard of.
    pub fn new(id: ReplicaId, master: MasterId, instance: Instance, now: Instant) -> Self {
        Replica {
            id,
            master,
            instance,
            info: InfoState::new(crate::wire::Role::Replica, now),
            config_changed_at: now,
            link_down_ms: 0,
            master_host: None,
            master_port: 0,
            master_link_up: false,
            priority: 100,
            repl_offset: 0,
            announced: true,
            origin: Origin::default(),
            reconf: None,
            block: None,
            former_master: false,
            repaired_at: None,
        }
    }

    /// It counts against parallel-syncs.
    pub fn reconf_in_progress(&self) -> bool {
        matches!(self.reconf, Some(Reconf::Sent { .. } | Reconf::InProgress { .. }))
    }
}
