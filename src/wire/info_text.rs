//! The INFO text of a Sentinel, from plain facts (spec 3 §3.5.5).
//!
//! Reads no clock and counts nothing: the facts come in, the lines go out. Fields that a Sentinel cannot have (keys, replication of its own,
//! forks) are shown as zero, because programs look for them.
//!
//! Compat: the fields and their order are those of the reference 7.0.15. Differs: `sentinel_total_tilt` is one of later releases.

use std::fmt::{Display, Write};
use std::time::Duration;

use bytes::Bytes;

use super::view::SentinelInfoView;
use crate::text::words::until_nul;

/// The release whose behaviour we claim, in INFO and HELLO.
pub const CLAIMED_VERSION: &str = "7.0.15";

/// What the process knows of itself, read at one moment.
#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// Section Server.
    pub server: ProcessFacts,
    /// Section Clients.
    pub clients: ClientFacts,
    /// Section Stats.
    pub stats: TrafficFacts,
    /// Section CPU.
    pub cpu: CpuFacts,
}

/// Facts of section Server.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// System name, release and machine, as uname gives them, with blanks between.
    pub os: String,
    /// The process id.
    pub process_id: u32,
    /// `no`, `systemd`, `upstart` or `unknown`.
    pub supervised: &'static str,
    /// 40 hexadecimal digits made up at each start.
    pub run_id: String,
    /// The port clients use.
    pub tcp_port: u16,
    /// Time since the Unix epoch.
    pub time: Duration,
    /// Time since the start.
    pub uptime: Duration,
    /// The `hz` directive.
    pub configured_hz: u32,
    /// Absolute path of the program.
    pub executable: String,
    /// Absolute path of the config file.
    pub config_file: String,
}

/// Facts of section Clients.
#[derive(Clone, Debug, Default)]
pub struct ClientFacts {
    /// Connections now.
    pub connected: u64,
    /// The `maxclients` directive.
    pub max: u64,
    /// Largest input buffer of late, in bytes.
    pub recent_max_input_buffer: u64,
    /// Largest output buffer of late, in bytes.
    pub recent_max_output_buffer: u64,
    /// Clients held back by CLIENT PAUSE.
    pub blocked: u64,
    /// Clients that asked for CLIENT TRACKING.
    pub tracking: u64,
}

/// Facts of section Stats, counted since the start unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct TrafficFacts {
    /// Connections accepted.
    pub connections_received: u64,
    /// Commands carried out.
    pub commands_processed: u64,
    /// Commands per second of late.
    pub ops_per_second: u64,
    /// Bytes from clients.
    pub input_bytes: u64,
    /// Bytes to clients.
    pub output_bytes: u64,
    /// KiB per second from clients of late.
    pub input_kbps: f64,
    /// KiB per second to clients of late.
    pub output_kbps: f64,
    /// Connections refused.
    pub rejected_connections: u64,
    /// Channels that have subscribers now.
    pub pubsub_channels: u64,
    /// Patterns that have subscribers now.
    pub pubsub_patterns: u64,
    /// Errors sent to clients.
    pub error_replies: u64,
    /// Reads from clients.
    pub reads: u64,
    /// Writes to clients.
    pub writes: u64,
}

/// Facts of section CPU: processor time used.
#[derive(Clone, Debug, Default)]
pub struct CpuFacts {
    /// In the kernel.
    pub system: Duration,
    /// Outside of it.
    pub user: Duration,
    /// In the kernel, by processes we started.
    pub system_children: Duration,
    /// Outside of it, by processes we started.
    pub user_children: Duration,
    /// In the kernel, by the main thread.
    pub system_main_thread: Duration,
    /// Outside of it, by the main thread.
    pub user_main_thread: Duration,
}

/// Which sections are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sections {
    server: bool,
    clients: bool,
    stats: bool,
    cpu: bool,
    sentinel: bool,
}

impl Sections {
    /// All of them.
    pub const ALL: Sections =
        Sections { server: true, clients: true, stats: true, cpu: true, sentinel: true };
    /// None of them.
    pub const NONE: Sections =
        Sections { server: false, clients: false, stats: false, cpu: false, sentinel: false };

    /// Those that the words after INFO name, in any case; unknown ones name nothing, no words at all name all.
    pub fn from_words(words: &[Bytes]) -> Sections {
        if words.is_empty() {
            return Sections::ALL;
        }
        let mut wanted = Sections::NONE;
        for word in words {
            match until_nul(word).to_ascii_lowercase().as_slice() {
                b"all" | b"default" | b"everything" => return Sections::ALL,
                b"server" => wanted.server = true,
                b"clients" => wanted.clients = true,
                b"stats" => wanted.stats = true,
                b"cpu" => wanted.cpu = true,
                b"sentinel" => wanted.sentinel = true,
                _ => {}
            }
        }
        wanted
    }

    /// True if the Sentinel section is wanted, for which the engine must be asked.
    pub fn needs_engine(self) -> bool {
        self.sentinel
    }
}

/// The text: the wanted sections in their fixed order, an empty line between them.
pub fn info_text(facts: &ServerFacts, sentinel: &SentinelInfoView, wanted: Sections) -> String {
    let mut text = Text(String::with_capacity(4096));
    if wanted.server {
        server_section(&facts.server, &mut text);
    }
    if wanted.clients {
        clients_section(&facts.clients, &mut text);
    }
    if wanted.stats {
        stats_section(&facts.stats, &mut text);
    }
    if wanted.cpu {
        cpu_section(&facts.cpu, &mut text);
    }
    if wanted.sentinel {
        sentinel_section(sentinel, &mut text);
    }
    text.0
}

fn server_section(facts: &ProcessFacts, text: &mut Text) {
    let seconds = facts.time.as_secs();
    text.section("Server");
    text.field("redis_version", CLAIMED_VERSION);
    text.field("redis_git_sha1", "00000000");
    text.field("redis_git_dirty", 0);
    text.field("redis_build_id", 0);
    text.field("redis_mode", "sentinel");
    text.field("os", &facts.os);
    text.field("arch_bits", usize::BITS);
    text.field("monotonic_clock", "POSIX clock_gettime");
    text.field("multiplexing_api", "epoll");
    text.field("atomicvar_api", "c11-builtin");
    text.field("gcc_version", "0.0.0");
    text.field("process_id", facts.process_id);
    text.field("process_supervised", facts.supervised);
    text.field("run_id", &facts.run_id);
    text.field("tcp_port", facts.tcp_port);
    text.field("server_time_usec", facts.time.as_micros());
    text.field("uptime_in_seconds", facts.uptime.as_secs());
    text.field("uptime_in_days", facts.uptime.as_secs() / 86_400);
    text.field("hz", facts.configured_hz);
    text.field("configured_hz", facts.configured_hz);
    // The reference's clock for evicting keys has 24 bits of seconds.
    text.field("lru_clock", seconds & 0x00ff_ffff);
    text.field("executable", &facts.executable);
    text.field("config_file", &facts.config_file);
    text.field("io_threads_active", 0);
}

fn clients_section(facts: &ClientFacts, text: &mut Text) {
    text.section("Clients");
    text.field("connected_clients", facts.connected);
    text.field("cluster_connections", 0);
    text.field("maxclients", facts.max);
    text.field("client_recent_max_input_buffer", facts.recent_max_input_buffer);
    text.field("client_recent_max_output_buffer", facts.recent_max_output_buffer);
    text.field("blocked_clients", facts.blocked);
    text.field("tracking_clients", facts.tracking);
    text.field("clients_in_timeout_table", 0);
}

/// Between `rejected_connections` and `keyspace_hits`; the percentage is the one that is not a plain zero.
const NO_KEYS: &[&str] = &[
    "expired_time_cap_reached_count",
    "expire_cycle_cpu_milliseconds",
    "evicted_keys",
    "evicted_clients",
    "total_eviction_exceeded_time",
    "current_eviction_exceeded_time",
    "keyspace_hits",
    "keyspace_misses",
];

const NO_FORKS: &[&str] = &[
    "pubsubshard_channels",
    "latest_fork_usec",
    "total_forks",
    "migrate_cached_sockets",
    "slave_expires_tracked_keys",
    "active_defrag_hits",
    "active_defrag_misses",
    "active_defrag_key_hits",
    "active_defrag_key_misses",
    "total_active_defrag_time",
    "current_active_defrag_time",
    "tracking_total_keys",
    "tracking_total_items",
    "tracking_total_prefixes",
    "unexpected_error_replies",
];

fn stats_section(facts: &TrafficFacts, text: &mut Text) {
    text.section("Stats");
    text.field("total_connections_received", facts.connections_received);
    text.field("total_commands_processed", facts.commands_processed);
    text.field("instantaneous_ops_per_sec", facts.ops_per_second);
    text.field("total_net_input_bytes", facts.input_bytes);
    text.field("total_net_output_bytes", facts.output_bytes);
    text.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    text.field("instantaneous_input_kbps", format_args!("{:.2}", facts.input_kbps));
    text.field("instantaneous_output_kbps", format_args!("{:.2}", facts.output_kbps));
    text.field("instantaneous_input_repl_kbps", "0.00");
    text.field("instantaneous_output_repl_kbps", "0.00");
    text.field("rejected_connections", facts.rejected_connections);
    text.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err", "expired_keys"]);
    text.field("expired_stale_perc", "0.00");
    text.zeros(NO_KEYS);
    text.field("pubsub_channels", facts.pubsub_channels);
    text.field("pubsub_patterns", facts.pubsub_patterns);
    text.zeros(NO_FORKS);
    text.field("total_error_replies", facts.error_replies);
    text.field("dump_payload_sanitizations", 0);
    text.field("total_reads_processed", facts.reads);
    text.field("total_writes_processed", facts.writes);
    text.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    text.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
}

fn cpu_section(facts: &CpuFacts, text: &mut Text) {
    text.section("CPU");
    for (name, used) in [
        ("used_cpu_sys", facts.system),
        ("used_cpu_user", facts.user),
        ("used_cpu_sys_children", facts.system_children),
        ("used_cpu_user_children", facts.user_children),
        ("used_cpu_sys_main_thread", facts.system_main_thread),
        ("used_cpu_user_main_thread", facts.user_main_thread),
    ] {
        text.field(name, format_args!("{}.{:06}", used.as_secs(), used.subsec_micros()));
    }
}

fn sentinel_section(facts: &SentinelInfoView, text: &mut Text) {
    text.section("Sentinel");
    text.field("sentinel_masters", facts.masters.len());
    text.field("sentinel_tilt", u8::from(facts.tilt_since.is_some()));
    match facts.tilt_since {
        Some(since) => text.field("sentinel_tilt_since_seconds", since.as_secs()),
        None => text.field("sentinel_tilt_since_seconds", -1),
    }
    text.field("sentinel_total_tilt", facts.total_tilt);
    text.field("sentinel_running_scripts", facts.running_scripts);
    text.field("sentinel_scripts_queue_length", facts.scripts_queue_length);
    text.field("sentinel_simulate_failure_flags", facts.simulate_failure_flags);
    for (index, master) in facts.masters.iter().enumerate() {
        let (name, status, host, port) = (&master.name, master.status, &master.host, master.port);
        let (replicas, sentinels) = (master.replicas, master.sentinels);
        text.field(
            format_args!("master{index}"),
            format_args!(
                "name={name},status={status},address={host}:{port},slaves={replicas},sentinels={sentinels}"
            ),
        );
    }
}

struct Text(String);

impl Text {
    fn section(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.write(format_args!("# {name}\r\n"));
    }

    fn field(&mut self, name: impl Display, value: impl Display) {
        self.write(format_args!("{name}:{value}\r\n"));
    }

    fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.field(name, 0);
        }
    }

    fn write(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("a string takes any text");
    }
}

#[cfg(test)]
#[path = "info_text_tests.rs"]
mod tests;
