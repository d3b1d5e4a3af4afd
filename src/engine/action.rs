//! Deeds: everything the engine can ask of the shell.

use std::net::IpAddr;
use std::sync::Arc;

use super::notice::{Level, Notice};
use super::tag::{ConnId, Tag};
use crate::conf::Patch;
use crate::conf::settings::LogLevel;
use crate::model::{CommandId, MasterName, Revision, ScriptId, WallTime};
use crate::wire::{Answer, Request};

/// A deed the engine asks of the shell. Actions are carried out in the order they are drained.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a connection; answered by `Connected` or `Disconnected`.
    Connect(ConnId, Target),
    /// Close a connection, or give up opening it. No `Disconnected` follows.
    Disconnect(ConnId),
    /// Send a request. With a name, that name replaces the request's first word (rename-command).
    Send(ConnId, Tag, Request, Option<Arc<str>>),
    /// Answer a client.
    Answer(CommandId, Answer),
    /// Log a message and publish it.
    Publish(Notice),
    /// Log a line that is no event.
    Log(Level, String),
    /// Log lines of this importance or more from now on.
    SetLogLevel(LogLevel),
    /// Log that no failover of ours starts before this time, shown as local time (spec 2 §8.3).
    LogNextFailover(WallTime),
    /// What to tell clients who look the name up; `None`: no longer monitored.
    SetAddress(MasterName, Option<(String, u16)>),
    /// Make these changes durable; answered by `Persisted`.
    Persist(Revision, Patch),
    /// Look a host name up; answered by `Resolved`.
    Resolve(String),
    /// Run a script; answered by `ScriptStarted` and, if it started, `ScriptExited`.
    RunScript(ScriptId, Vec<String>),
    /// Kill a running script; `ScriptExited` still follows.
    KillScript(ScriptId),
    /// Read the certificates of TLS again, if there is TLS.
    RereadCertificates,
    /// End the process at once with this status, without flushing anything (SENTINEL SIMULATE-FAILURE).
    Crash(i32),
}

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// IP literal or host name.
    pub host: String,
    /// The last good resolution, to fall back on when the name can't be resolved.
    pub ip: Option<IpAddr>,
    /// Port, never 0.
    pub port: u16,
}
