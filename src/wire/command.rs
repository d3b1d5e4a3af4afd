//! What clients and peers send to us and only the engine can answer (spec 3 §3.4).
//!
//! Syntax and arity are settled before a `Command` exists; what needs state (is the master known, is the value allowed now) is not.

use super::hello::Hello;
use crate::model::{Epoch, RunId};

/// A command for the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `PING`: through the engine on purpose, so that a wedged engine is not hidden.
    Ping,
    /// `ROLE`.
    Role,
    /// `INFO`, for the facts of its Sentinel section.
    Info,
    /// `PUBLISH __sentinel__:hello payload`; `None` when the payload was no hello message.
    Publish(Option<Hello>),
    /// `SENTINEL …`.
    Sentinel(SentinelCommand),
}

/// A `SENTINEL` subcommand. Words that are not UTF-8 are kept as `text::lossless` does.
#[derive(Clone, Debug, PartialEq)]
pub enum SentinelCommand {
    /// `MYID`
    MyId,
    /// `MASTERS`
    Masters,
    /// `MASTER name`
    Master(String),
    /// `REPLICAS name`, `SLAVES name`
    Replicas(String),
    /// `SENTINELS name`
    Sentinels(String),
    /// `GET-MASTER-ADDR-BY-NAME name`: only when the session could not answer by itself.
    GetMasterAddr(String),
    /// `IS-MASTER-DOWN-BY-ADDR host port epoch runid|*`. The port is any integer: an impossible one is an unknown master.
    IsMasterDown {
        /// Host of the master.
        host: String,
        /// Port of the master.
        port: i64,
        /// The asker's epoch; never negative (negative ones are refused as not an integer in range).
        epoch: Epoch,
        /// Who wants the vote; `None` for `*`.
        candidate: Option<RunId>,
        /// The name the asking connection gave itself (`sentinel-<8 digits>-cmd`), a hint about who asks.
        asker: Option<String>,
    },
    /// `CKQUORUM name`
    CheckQuorum(String),
    /// `FAILOVER name`
    Failover(String),
    /// `RESET pattern`
    Reset(String),
    /// `MONITOR name host port quorum`, both numbers already read as integers in the order the reference checks them.
    Monitor {
        /// The new master's name.
        name: String,
        /// Its host.
        host: String,
        /// Its port, any integer.
        port: i64,
        /// Its quorum, any integer.
        quorum: i64,
    },
    /// `REMOVE name`
    Remove(String),
    /// `SET name option value …`: pairs (or triples) are read one by one, as each is applied before the next is looked at.
    Set {
        /// The master.
        name: String,
        /// The words after the name.
        words: Vec<Vec<u8>>,
    },
    /// `CONFIG GET pattern …`
    ConfigGet(Vec<String>),
    /// `CONFIG SET param value …`
    ConfigSet(Vec<(String, Vec<u8>)>),
    /// `DEBUG [param value …]`
    Debug(Vec<Vec<u8>>),
    /// `INFO-CACHE name …`
    InfoCache(Vec<String>),
    /// `PENDING-SCRIPTS`
    PendingScripts,
    /// `FLUSHCONFIG`
    FlushConfig,
    /// `SIMULATE-FAILURE word …`
    SimulateFailure(Vec<String>),
}
