//! The INFO text against the field names that redis-sentinel 7.0.15 shows.

use super::*;
use crate::wire::view::MasterInfoView;

fn view() -> SentinelInfoView {
    SentinelInfoView {
        tilt_since: None,
        total_tilt: 2,
        running_scripts: 0,
        scripts_queue_length: 2,
        simulate_failure_flags: 1,
        masters: vec![MasterInfoView {
            name: "mymaster".into(),
            status: "ok",
            host: "127.0.0.1".into(),
            port: 27991,
            replicas: 1,
            sentinels: 3,
        }],
    }
}

fn text(words: &[&'static str]) -> String {
    let words: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
    let mut facts = ServerFacts::default();
    facts.cpu.user = Duration::from_micros(1_000_042);
    facts.stats.input_kbps = 0.066;
    facts.server.time = Duration::from_micros(1_795_334_464_171_081);
    info_text(&facts, &view(), Sections::from_words(&words))
}

#[test]
fn the_sentinel_section_is_byte_equal() {
    let expected = "# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\nsentinel_tilt_since_seconds:-1\r\nsentinel_total_tilt:2\r\n\
                    sentinel_running_scripts:0\r\nsentinel_scripts_queue_length:2\r\nsentinel_simulate_failure_flags:1\r\n\
                    master0:name=mymaster,status=ok,address=127.0.0.1:27991,slaves=1,sentinels=3\r\n";
    assert_eq!(text(&["SENTINEL"]), expected);
    assert_eq!(text(&["memory", "sentinel", "nosuch"]), expected);
    let tilted = SentinelInfoView { tilt_since: Some(Duration::from_millis(2999)), ..view() };
    let shown = info_text(&ServerFacts::default(), &tilted, Sections::from_words(&["sentinel".into()]));
    assert!(shown.contains("sentinel_tilt:1\r\nsentinel_tilt_since_seconds:2\r\n"));
}

#[test]
fn sections_are_chosen_by_name_and_keep_their_order() {
    let titles = |words: &[&'static str]| -> Vec<String> {
        text(words).lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect()
    };
    let all = ["# Server", "# Clients", "# Stats", "# CPU", "# Sentinel"];
    for words in [&[][..], &["all"], &["default"], &["nosuch", "EVERYTHING"]] {
        assert_eq!(titles(words), all, "{words:?}");
    }
    assert_eq!(titles(&["sentinel", "server", "sentinel"]), ["# Server", "# Sentinel"]);
    assert_eq!(text(&["memory"]), "");
    assert_eq!(text(&[""]), "");
    assert!(text(&["cpu", "sentinel"]).contains("thread:0.000000\r\n\r\n# Sentinel\r\n"));
    assert!(text(&[]).ends_with("sentinels=3\r\n"));
}

#[test]
fn fields_are_those_of_the_reference_in_its_order() {
    let expected = "redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock multiplexing_api \
        atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec uptime_in_seconds uptime_in_days hz \
        configured_hz lru_clock executable config_file io_threads_active connected_clients cluster_connections maxclients \
        client_recent_max_input_buffer client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table \
        total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes \
        total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps instantaneous_output_kbps \
        instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections sync_full sync_partial_ok sync_partial_err \
        expired_keys expired_stale_perc expired_time_cap_reached_count expire_cycle_cpu_milliseconds evicted_keys evicted_clients \
        total_eviction_exceeded_time current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns \
        pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits \
        active_defrag_misses active_defrag_key_hits active_defrag_key_misses total_active_defrag_time current_active_defrag_time \
        tracking_total_keys tracking_total_items tracking_total_prefixes unexpected_error_replies total_error_replies \
        dump_payload_sanitizations total_reads_processed total_writes_processed io_threaded_reads_processed io_threaded_writes_processed \
        reply_buffer_shrinks reply_buffer_expands used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children \
        used_cpu_sys_main_thread used_cpu_user_main_thread";
    let shown = text(&["server", "clients", "stats", "cpu"]);
    let names: Vec<&str> =
        shown.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    assert!(shown.contains("\r\nused_cpu_user:1.000042\r\n"));
    assert!(shown.contains("\r\ninstantaneous_input_kbps:0.07\r\n"));
    assert!(shown.contains("\r\nserver_time_usec:1795334464171081\r\n"));
    assert!(shown.contains("\r\nlru_clock:172352\r\n"));
}
