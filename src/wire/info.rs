//! The INFO text of a Redis server (spec 2 §5.2).

use std::sync::Arc;

/// The role an instance reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `role:master`
    Master,
    /// `role:slave`
    Replica,
}

/// What one INFO reply says. A field that was absent, or that may only follow `role:slave` and did not, is `None`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct InfoReport {
    /// `run_id`, exactly 40 characters.
    pub run_id: Option<String>,
    /// `role`.
    pub role: Option<Role>,
    /// Hosts and ports of the `slaveN` lines, both forms; lines of type `rdb-channel` are left out (spec 2 §15).
    pub replicas: Vec<(String, u16)>,
    /// `master_link_down_since_seconds`, in seconds; −1 means "never connected".
    pub master_link_down_since: Option<i64>,
    /// `master_host`.
    pub master_host: Option<String>,
    /// `master_port`.
    pub master_port: Option<u16>,
    /// `master_link_status` is `up`.
    pub master_link_up: Option<bool>,
    /// `slave_priority`.
    pub priority: Option<i32>,
    /// `slave_repl_offset`.
    pub repl_offset: Option<u64>,
    /// `replica_announced`.
    pub announced: Option<bool>,
    /// `master_replid`.
    pub repl_id: Option<String>,
    /// `master_replid2`.
    pub repl_id2: Option<String>,
    /// `master_repl_offset`.
    pub master_repl_offset: Option<u64>,
    /// `loading` is not 0.
    pub loading: bool,
    /// `master_sync_in_progress` is not 0.
    pub sync_in_progress: bool,
    /// The whole text, for SENTINEL INFO-CACHE.
    pub text: Arc<[u8]>,
}
