//! Plain copies of the engine's state, made for answers (spec 3 §3.4.3). Times are durations up to "now".

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::info::Role;
use crate::model::{Epoch, MasterName, RunId};

/// What masters, replicas and peers have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceView {
    /// Master: configured name; replica: `ip:port`; peer: its run id.
    pub name: String,
    /// Host as shown: IP or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Run id, empty until known.
    pub run_id: String,
    /// Flags in the reference's order, not yet joined (spec 3 §3.4.4).
    pub flags: Vec<&'static str>,
    /// Commands sent and not answered.
    pub pending_commands: u64,
    /// Masters sharing the link.
    pub link_refcount: u64,
    /// Since the oldest unanswered PING; zero if none.
    pub last_ping_sent: Duration,
    /// Since the last valid PING reply.
    pub last_ok_ping_reply: Duration,
    /// Since the last PING reply of any kind.
    pub last_ping_reply: Duration,
    /// In SDOWN for this long.
    pub s_down_time: Option<Duration>,
    /// In ODOWN for this long; masters only.
    pub o_down_time: Option<Duration>,
    /// down-after-milliseconds.
    pub down_after: Duration,
}

/// A master, as in SENTINEL MASTER.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MasterView {
    /// Common fields.
    pub instance: InstanceView,
    /// `failover-state`, only while a failover is in progress.
    pub failover_state: Option<&'static str>,
    /// Since the last INFO; `None`: never.
    pub info_refresh: Option<Duration>,
    /// Role last reported.
    pub role_reported: Role,
    /// Since when that role is reported.
    pub role_reported_time: Duration,
    /// Epoch of the configuration.
    pub config_epoch: Epoch,
    /// Replicas known.
    pub num_replicas: usize,
    /// Other Sentinels known.
    pub num_other_sentinels: usize,
    /// Quorum.
    pub quorum: u32,
    /// failover-timeout.
    pub failover_timeout: Duration,
    /// parallel-syncs.
    pub parallel_syncs: i32,
    /// Script path.
    pub notification_script: Option<String>,
    /// Script path.
    pub client_reconfig_script: Option<String>,
}

/// A replica, as in SENTINEL REPLICAS.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplicaView {
    /// Common fields.
    pub instance: InstanceView,
    /// Since the last INFO; `None`: never.
    pub info_refresh: Option<Duration>,
    /// Role last reported.
    pub role_reported: Role,
    /// Since when that role is reported.
    pub role_reported_time: Duration,
    /// `master_link_down_since_seconds` × 1000; may be −1000.
    pub master_link_down_time_ms: i64,
    /// Link to its master is up.
    pub master_link_ok: bool,
    /// Its master's host as reported.
    pub master_host: Option<String>,
    /// Its master's port as reported, 0 if unknown.
    pub master_port: u16,
    /// slave_priority.
    pub priority: i32,
    /// slave_repl_offset.
    pub repl_offset: u64,
    /// replica_announced.
    pub announced: bool,
}

/// Another Sentinel, as in SENTINEL SENTINELS.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerView {
    /// Common fields.
    pub instance: InstanceView,
    /// Since its last hello.
    pub last_hello: Duration,
    /// Whom it last voted for.
    pub voted_leader: Option<RunId>,
    /// In which epoch.
    pub voted_leader_epoch: Epoch,
}

/// One entry of SENTINEL INFO-CACHE.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InfoCacheView {
    /// Milliseconds since the INFO, as the reference shows it (0 if never).
    pub age_ms: i64,
    /// The INFO text, if there was one.
    #[serde(skip)]
    pub text: Option<Arc<[u8]>>,
}

/// One job of SENTINEL PENDING-SCRIPTS.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScriptView {
    /// Path and arguments.
    pub argv: Vec<String>,
    /// The process, while running, and for how long it runs.
    pub running: Option<(u32, Duration)>,
    /// Until the next attempt, while not running.
    pub delay: Duration,
    /// Attempts made.
    pub attempts: u32,
}

/// The Sentinel section of INFO (spec 3 §3.5.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentinelInfoView {
    /// Time in TILT.
    pub tilt_since: Option<Duration>,
    /// How often TILT was entered.
    pub total_tilt: u64,
    /// Scripts running.
    pub running_scripts: usize,
    /// Scripts queued, running ones included.
    pub scripts_queue_length: usize,
    /// Bits of SIMULATE-FAILURE.
    pub simulate_failure_flags: u8,
    /// One line each.
    pub masters: Vec<MasterInfoView>,
}

/// A `masterN` line of INFO.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MasterInfoView {
    /// Name.
    pub name: MasterName,
    /// `ok`, `sdown` or `odown`.
    pub status: &'static str,
    /// Host as shown.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Replicas known.
    pub replicas: usize,
    /// Sentinels known, ourselves included.
    pub sentinels: usize,
}
