//! The typed content of a configuration file, and the form in which the running daemon's state is persisted.
//!
//! `Settings` is built once from the text, with everything validated; later it changes only by a [`super::Patch`].
//! Durations of zero, empty strings and "unset" are told apart by `Option`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::directive;
use super::origins::Origins;
use super::tls::TlsSettings;
use crate::model::{Epoch, MasterName, RunId};

/// Everything a configuration file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Generic server directives (spec 1 §4).
    pub server: ServerSettings,
    /// Process-wide `sentinel` directives (spec 1 §3.2).
    pub sentinel: SentinelSettings,
    /// The monitored masters, in file order.
    pub masters: Vec<MasterSettings>,
}

impl Default for Settings {
    /// What an empty file means in Sentinel mode.
    fn default() -> Self {
        let (server, sentinel) = (ServerSettings::default(), SentinelSettings::initial());
        Settings { server, sentinel, masters: Vec::new() }
    }
}

/// Process-wide `sentinel` directives (spec 1 §3.2).
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SentinelSettings {
    /// This Sentinel's id; generated and persisted at the first start.
    pub my_id: Option<RunId>,
    /// The highest epoch seen.
    pub current_epoch: Epoch,
    /// The address to gossip instead of the one our sockets have.
    pub announce_ip: Option<String>,
    /// The port to gossip instead of the one we listen on.
    pub announce_port: Option<u16>,
    /// Refuse script paths in SENTINEL SET. The default of the directive is `yes`; see [`SentinelSettings::initial`].
    pub deny_scripts_reconfig: bool,
    /// Accept host names where addresses are expected.
    pub resolve_hostnames: bool,
    /// Show host names instead of addresses.
    pub announce_hostnames: bool,
    /// User for AUTH towards other Sentinels.
    pub sentinel_user: Option<Vec<u8>>,
    /// Password for AUTH towards other Sentinels; when unset, `requirepass` is used without a user.
    pub sentinel_pass: Option<Vec<u8>>,
}

impl SentinelSettings {
    /// What a file without any of these directives means.
    pub fn initial() -> Self {
        SentinelSettings { deny_scripts_reconfig: true, ..Default::default() }
    }
}

/// One monitored master: configuration and persisted state.
#[derive(Clone, Debug, PartialEq)]
pub struct MasterSettings {
    /// Its name.
    pub name: MasterName,
    /// Its host, as configured or (after a rewrite) as shown: an IP literal or a name.
    pub host: String,
    /// Its port; 0 means "never connect".
    pub port: u16,
    /// Sentinels that must agree before the master is objectively down; at least 1.
    pub quorum: u32,
    /// Silence after which an instance is subjectively down; above zero.
    pub down_after: Duration,
    /// The clock of failovers: retries after twice this, aborts after once; above zero.
    pub failover_timeout: Duration,
    /// How many replicas may be re-pointed at a time. The file may hold any number (spec 1 §3.2).
    pub parallel_syncs: i32,
    /// Executable told of every warning-level event.
    pub notification_script: Option<String>,
    /// Executable told of every address change.
    pub client_reconfig_script: Option<String>,
    /// Password for the master and its replicas. An empty password is a password.
    pub auth_pass: Option<Vec<u8>>,
    /// User for the master and its replicas; used only together with `auth_pass`.
    pub auth_user: Option<Vec<u8>>,
    /// How long a restarted master may keep loading before it counts as down; `None` (0 in the file): for ever.
    pub reboot_down_after: Option<Duration>,
    /// Epoch of the configuration in force.
    pub config_epoch: Epoch,
    /// Epoch of the last vote for this master.
    pub leader_epoch: Epoch,
    /// Replicas known: host and port.
    pub replicas: Vec<(String, u16)>,
    /// Other Sentinels known.
    pub peers: Vec<KnownPeer>,
    /// Commands renamed on the data nodes: original name in the case it was given, new name.
    pub renamed_commands: Vec<(String, String)>,
}

/// Another Sentinel as remembered in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPeer {
    /// Its id.
    pub run_id: RunId,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl MasterSettings {
    /// `down-after-milliseconds` when the file does not say (spec 2 §2.2).
    pub const DEFAULT_DOWN_AFTER: Duration = Duration::from_millis(30_000);
    /// `failover-timeout` when the file does not say (spec 2 §2.2).
    pub const DEFAULT_FAILOVER_TIMEOUT: Duration = Duration::from_millis(180_000);

    /// A master with every option at its default.
    pub fn new(name: MasterName, host: String, port: u16, quorum: u32) -> Self {
        MasterSettings {
            name,
            host,
            port,
            quorum,
            down_after: Self::DEFAULT_DOWN_AFTER,
            failover_timeout: Self::DEFAULT_FAILOVER_TIMEOUT,
            parallel_syncs: 1,
            notification_script: None,
            client_reconfig_script: None,
            auth_pass: None,
            auth_user: None,
            reboot_down_after: None,
            config_epoch: Epoch::ZERO,
            leader_epoch: Epoch::ZERO,
            replicas: Vec::new(),
            peers: Vec::new(),
            renamed_commands: Vec::new(),
        }
    }
}

/// A log level of the reference (spec 1 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `.`
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
    /// Nothing at all (Redis 7.2 and later).
    Nothing,
}

impl LogLevel {
    const ALL: [LogLevel; 5] =
        [LogLevel::Debug, LogLevel::Verbose, LogLevel::Notice, LogLevel::Warning, LogLevel::Nothing];

    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Verbose => "verbose",
            LogLevel::Notice => "notice",
            LogLevel::Warning => "warning",
            LogLevel::Nothing => "nothing",
        }
    }

    /// The level of a word in any case.
    pub fn from_name(word: &[u8]) -> Option<LogLevel> {
        LogLevel::ALL.into_iter().find(|level| word.eq_ignore_ascii_case(level.name().as_bytes()))
    }
}

/// Who supervises the process (spec 1 §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    /// Nobody.
    No,
    /// Look at the environment.
    Auto,
    /// systemd's notify socket.
    Systemd,
    /// Stop ourselves when ready.
    Upstart,
}

/// A `client-output-buffer-limit` of one class: bytes, bytes, time; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimit {
    /// Close at once above this many bytes.
    pub hard: u64,
    /// Close when above this many bytes for `soft_for`.
    pub soft: u64,
    /// See `soft`.
    pub soft_for: Duration,
}

/// Generic server directives: those that matter to a Sentinel as typed fields, all others in `generic`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    /// TCP port; 0: no TCP.
    pub port: u16,
    /// Addresses to listen on, as the words of `bind`.
    pub bind: Vec<String>,
    /// Refuse remote clients while the default user has no password.
    pub protected_mode: bool,
    /// `listen()` backlog.
    pub tcp_backlog: u32,
    /// Idle time before TCP keepalive probes on accepted sockets; zero: off.
    pub tcp_keepalive: Duration,
    /// Idle time after which a client is closed; zero: never.
    pub timeout: Duration,
    /// Path of the Unix socket.
    pub unix_socket: Option<String>,
    /// Permissions of the Unix socket; `None` (0 in the file): as the umask leaves them.
    pub unix_socket_perm: Option<u32>,
    /// Source address of outgoing connections.
    pub bind_source_addr: Option<String>,
    /// The mark of listening sockets, for packet filters; 0: none.
    pub socket_mark: u32,
    /// Client limit.
    pub max_clients: u32,
    /// Output limit of ordinary clients.
    pub output_limit_normal: BufferLimit,
    /// Output limit of clients with a subscription.
    pub output_limit_pubsub: BufferLimit,
    /// Bytes of unread input a client may pile up.
    pub query_buffer_limit: u64,
    /// Longest bulk argument.
    pub max_bulk_len: u64,
    /// Working directory, absolute.
    pub dir: String,
    /// Fork into the background.
    pub daemonize: bool,
    /// See [`Supervised`].
    pub supervised: Supervised,
    /// Pid file; `None` also when daemonized without one, which means `/var/run/redis.pid`.
    pub pidfile: Option<String>,
    /// Least important level that is logged.
    pub log_level: LogLevel,
    /// Log file; empty: standard output.
    pub log_file: String,
    /// Log to syslog too.
    pub syslog_enabled: bool,
    /// Name in syslog.
    pub syslog_ident: String,
    /// Facility in syslog: `user` or `local0` … `local7`.
    pub syslog_facility: String,
    /// Print the banner at start.
    pub always_show_logo: bool,
    /// Change the process title.
    pub set_proc_title: bool,
    /// See spec 1 §6.8.
    pub proc_title_template: String,
    /// Password of the default user, and towards other Sentinels.
    pub requirepass: Option<Vec<u8>>,
    /// ACL users as written: name and rules of each `user` line.
    pub users: Vec<(String, Vec<String>)>,
    /// External ACL file.
    pub acl_file: Option<String>,
    /// Length of ACL LOG.
    pub acl_log_max_len: usize,
    /// New users may use every channel.
    pub acl_pubsub_default_allow: bool,
    /// Our own commands renamed: lower-case old name, new name (empty: removed).
    pub renamed_commands: Vec<(String, String)>,
    /// The `tls-…` directives.
    pub tls: TlsSettings,
    /// OOM score to set, as `oom-score-adj` and its values ask: relative to the inherited one, and how much; `None`: leave it.
    pub oom_score_adj: Option<(bool, i32)>,
    /// CPU list of the main thread.
    pub server_cpulist: Option<String>,
    /// `hz`, shown by INFO.
    pub hz: u32,
    /// The generic directives to be persisted, by primary name, each as the text of its lines after the name, in the
    /// canonical form of the rewrite. Values from the command line are not here. The rewrite's only source for them:
    /// change it with [`ServerSettings::persist`].
    pub generic: BTreeMap<String, Vec<String>>,
    /// Which settings are not the file's own.
    pub origins: Origins,
}

impl ServerSettings {
    /// The port by which we are known: where there is none for plain text, that for TLS (spec 1 §7.3).
    pub fn main_port(&self) -> u16 {
        if self.port == 0 { self.tls.port } else { self.port }
    }

    /// Has the rewrite write another value for a generic directive (spec 1 §6.3, §6.6: `pidfile`, `maxclients`; `loglevel`
    /// of SENTINEL CONFIG SET). The typed field is the caller's.
    ///
    /// # Errors
    /// The reference's text if the directive does not take the value; `name` must be a directive's name.
    pub fn persist(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let row = directive::find(name.as_bytes()).ok_or("unknown directive")?;
        let before = self.generic.get(row.name).map_or(&[][..], Vec::as_slice);
        let lines = row.parse(&[value.to_vec()], before)?;
        self.generic.insert(row.name.to_owned(), lines);
        Ok(())
    }
}
