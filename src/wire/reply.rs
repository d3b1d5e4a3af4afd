//! What instances answer to our requests, decoded by the shape each request expects.

use super::info::InfoReport;
use crate::model::{Epoch, RunId};

/// An answer from a Redis server or a peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To PING.
    Ping(PingReply),
    /// To INFO.
    Info(Box<InfoReport>),
    /// To is-master-down-by-addr.
    MasterDown(MasterDownReply),
    /// To EXEC: one result per queued command, an error as its text. `None`: the transaction was aborted (a null reply).
    Exec(Option<Vec<Result<(), String>>>),
    /// A status (`+OK`) where nothing more is expected.
    Status(String),
    /// An integer where nothing more is expected.
    Integer(i64),
    /// An error, without the leading `-`.
    Error(String),
    /// A well-formed reply of a shape that the request can't have; the text says which, for the log.
    Unexpected(&'static str),
}

/// The classes of PING answers that differ in effect (spec 2 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PingReply {
    /// `+PONG…`
    Pong,
    /// `-LOADING…`
    Loading,
    /// `-MASTERDOWN…`
    MasterDown,
    /// `-BUSY…`
    Busy,
    /// Any other status, error or type; the text of an error is kept for the log.
    Other(String),
}

/// A peer's opinion of a master, and its vote (spec 2 §7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterDownReply {
    /// The peer holds the master for subjectively down.
    pub down: bool,
    /// Whom it voted for; `None` for `*`.
    pub leader: Option<RunId>,
    /// The epoch of that vote.
    pub leader_epoch: Epoch,
}
