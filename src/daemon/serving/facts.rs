//! The numbers INFO shows about the process and its clients.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::shared::Shared;
use super::stats::read;
use crate::wire::ServerFacts;
use crate::wire::info_text::{ClientFacts, CpuFacts, ProcessFacts, TrafficFacts};

/// Collects them.
pub(super) fn collect(shared: &Shared) -> ServerFacts {
    ServerFacts { server: process(shared), clients: clients(shared), stats: traffic(shared), cpu: cpu() }
}

fn process(shared: &Shared) -> ProcessFacts {
    let identity = &shared.identity;
    ProcessFacts {
        os: system_name(),
        process_id: std::process::id(),
        supervised: identity.supervised,
        run_id: identity.run_id.clone(),
        tcp_port: identity.my_port,
        time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        uptime: identity.started.elapsed(),
        configured_hz: shared.settings.hz,
        executable: identity.executable.clone(),
        config_file: identity.config_file.clone(),
    }
}

fn system_name() -> String {
    let Ok(name) = nix::sys::utsname::uname() else { return String::new() };
    let parts = [name.sysname(), name.release(), name.machine()];
    parts.map(|part| part.to_string_lossy().into_owned()).join(" ")
}

fn clients(shared: &Shared) -> ClientFacts {
    let mut all = ClientFacts { max: u64::from(shared.settings.max_clients), ..ClientFacts::default() };
    for client in shared.registry.all() {
        let facts = client.facts();
        let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        all.connected += 1;
        all.blocked += u64::from(facts.parked);
        all.tracking += u64::from(facts.tracking);
        all.recent_max_input_buffer = all.recent_max_input_buffer.max(size(facts.input + facts.input_room));
        all.recent_max_output_buffer = all.recent_max_output_buffer.max(size(client.output().in_list));
    }
    all
}

fn traffic(shared: &Shared) -> TrafficFacts {
    let stats = &shared.stats;
    let rates = stats.rates();
    let (channels, patterns) = shared.hub.counts();
    TrafficFacts {
        connections_received: read(&stats.connections),
        commands_processed: read(&stats.commands),
        ops_per_second: rates.commands_per_second,
        input_bytes: read(&stats.bytes_in),
        output_bytes: read(&stats.bytes_out),
        input_kbps: rates.input_kbps,
        output_kbps: rates.output_kbps,
        rejected_connections: read(&stats.rejected),
        pubsub_channels: u64::try_from(channels).unwrap_or(u64::MAX),
        pubsub_patterns: u64::try_from(patterns).unwrap_or(u64::MAX),
        error_replies: read(&stats.errors),
        reads: read(&stats.reads),
        writes: read(&stats.writes),
    }
}

fn cpu() -> CpuFacts {
    let usage = |who| getrusage(who).ok();
    let system = |usage: &Option<Usage>| usage.map_or(Duration::ZERO, |usage| duration(usage.system_time()));
    let user = |usage: &Option<Usage>| usage.map_or(Duration::ZERO, |usage| duration(usage.user_time()));
    let own = usage(UsageWho::RUSAGE_SELF);
    let children = usage(UsageWho::RUSAGE_CHILDREN);
    let thread = usage(UsageWho::RUSAGE_THREAD);
    CpuFacts {
        system: system(&own),
        user: user(&own),
        system_children: system(&children),
        user_children: user(&children),
        system_main_thread: system(&thread),
        user_main_thread: user(&thread),
    }
}

fn duration(value: TimeVal) -> Duration {
    let seconds = u64::try_from(value.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(value.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
