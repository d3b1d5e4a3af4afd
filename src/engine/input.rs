//! Facts: everything the engine can be told.

use std::net::IpAddr;

use super::tag::{ConnId, Tag};
use crate::model::{CommandId, Revision, ScriptId};
use crate::wire::{Command, Hello, Reply};

/// A fact entering the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection asked for by `Action::Connect` is established.
    Connected(ConnId, Endpoints),
    /// A connection failed, or was lost; the text says why, for the log. Nothing more comes from this `ConnId`.
    Disconnected(ConnId, String),
    /// An answer, in the order of the requests.
    Reply(ConnId, Tag, Reply),
    /// Any frame on a pub/sub connection: proof of life, and perhaps a gossip message (never our own).
    Heard(ConnId, Option<Hello>),
    /// A client asks. `runnable` lists those words of a `SENTINEL SET` that name an existing, executable file.
    Command {
        /// Whom to answer.
        id: CommandId,
        /// What it asks.
        command: Command,
        /// See above; empty for every other command.
        runnable: Vec<Vec<u8>>,
    },
    /// Everything recorded up to this revision is on disk, or (with the reason) the attempt to write it failed.
    Persisted(Revision, Result<(), String>),
    /// A host name was looked up; `None`: it could not be resolved.
    Resolved(String, Option<IpAddr>),
    /// A script asked for by `Action::RunScript` was started, or (`None`) could not be.
    ScriptStarted(ScriptId, Option<u32>),
    /// A script ended.
    ScriptExited(ScriptId, ScriptExit),
}

/// The two ends of an established connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Our address, which we gossip unless told otherwise.
    pub local: IpAddr,
    /// The instance's address: a host name's resolution, for free.
    pub remote: IpAddr,
}

/// How a script ended (spec 2 §10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptExit {
    /// Exit code; 0 if killed by a signal.
    pub code: i32,
    /// The signal that killed it; 0 if none.
    pub signal: i32,
}
