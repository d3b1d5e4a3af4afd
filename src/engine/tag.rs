//! Small values that name a connection or a question. The shell keeps them and hands them back, it never reads them.

use crate::model::{Epoch, Instant, LinkId, MasterId, PeerId, ReplicaId};

/// One attempt at one connection of a link. A new attempt is a new id, so answers of an older connection find nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId {
    /// The link it belongs to.
    pub link: LinkId,
    /// Which of the pair.
    pub kind: ConnKind,
    /// Counts the attempts of this link and kind.
    pub attempt: u32,
}

/// The two connections of a link (spec 2 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConnKind {
    /// Requests and replies.
    Command,
    /// The subscription to the gossip channel.
    PubSub,
}

/// An instance of any kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Entity {
    /// A master.
    Master(MasterId),
    /// A replica.
    Replica(ReplicaId),
    /// Another Sentinel.
    Peer(PeerId),
}

/// What a request was about: sent with it, returned with its reply.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag {
    /// On whose behalf it was sent.
    pub entity: Entity,
    /// What was asked.
    pub ask: Ask,
}

/// The kinds of question, as far as their replies differ in effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    /// AUTH, CLIENT SETNAME, SUBSCRIBE: an error is worth a log line.
    Setup,
    /// PING.
    Ping,
    /// INFO.
    Info,
    /// PUBLISH of a hello.
    Publish,
    /// is-master-down-by-addr about the master at this address generation.
    MasterDown {
        /// Counts the address changes of the master, so that an opinion about the old address is not taken for one about the new.
        address_generation: u32,
        /// The epoch in which we asked for a vote, if we did.
        candidacy: Option<Epoch>,
        /// When it left.
        at: Instant,
    },
    /// A word of the SLAVEOF block, or its plainer form.
    ReplicaOf(BlockStep),
    /// SCRIPT KILL.
    ScriptKill,
}

/// Where in the SLAVEOF block a reply belongs (spec 2 §9.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BlockStep {
    /// MULTI, or a command queued inside it.
    Queued,
    /// EXEC.
    Exec,
    /// A bare SLAVEOF without MULTI.
    Plain,
}
