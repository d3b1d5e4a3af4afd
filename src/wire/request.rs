//! What we send to Redis servers and to other Sentinels (spec 2 §3, §4, §5, §6, §7.3, §9.4).

use std::sync::Arc;

use super::hello::Hello;
use crate::model::{Epoch, RunId};

/// The channel of the gossip.
pub const HELLO_CHANNEL: &str = "__sentinel__:hello";

/// One command to an instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `AUTH [user] pass`.
    Auth {
        /// Sent only if set.
        user: Option<Arc<[u8]>>,
        /// The password, possibly empty.
        pass: Arc<[u8]>,
    },
    /// `CLIENT SETNAME name`.
    SetName(String),
    /// `PING`.
    Ping,
    /// `INFO`.
    Info,
    /// `SUBSCRIBE __sentinel__:hello`.
    Subscribe,
    /// `PUBLISH __sentinel__:hello payload`.
    Publish(Hello),
    /// `SENTINEL is-master-down-by-addr host port epoch runid|*`.
    IsMasterDown {
        /// The master's host, as we show it.
        host: String,
        /// The master's port.
        port: u16,
        /// The epoch asked about.
        epoch: Epoch,
        /// Ask for a vote for this Sentinel; `None` sends `*`.
        candidate: Option<RunId>,
    },
    /// `MULTI`.
    Multi,
    /// `SLAVEOF NO ONE` or `SLAVEOF host port`.
    ReplicaOf(Option<(String, u16)>),
    /// `CONFIG REWRITE`.
    ConfigRewrite,
    /// `CLIENT KILL TYPE normal` or `… pubsub`.
    KillClients(ClientKind),
    /// `EXEC`.
    Exec,
    /// `SCRIPT KILL`.
    ScriptKill,
}

/// Which clients `CLIENT KILL TYPE` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Ordinary clients.
    Normal,
    /// Clients with a subscription.
    PubSub,
}

/// How to read the answer to a request: the shape decides what is an error and what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A PING answer: status or error by prefix (spec 2 §4.2).
    Ping,
    /// A bulk with INFO text.
    Info,
    /// The triple of is-master-down-by-addr.
    MasterDown,
    /// The array of an EXEC, element by element.
    Exec,
    /// Anything: reported as status, integer or error.
    Any,
}
