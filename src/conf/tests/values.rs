//! Values of generic directives: what is accepted, and the canonical form it takes (spec 1 §2.3, §5.3).

use super::directive::find;
use crate::text::words::split;

/// The canonical lines for a line, or the error.
fn canonical(line: &str) -> Result<Vec<String>, String> {
    let words = split(line.as_bytes()).expect("balanced");
    let row = find(&words[0]).expect("a known directive");
    row.parse(&words[1..], &row.default_lines())
}

fn check(line: &str, expect: &[&str]) {
    assert_eq!(
        canonical(line).as_deref(),
        Ok(&expect.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()[..]),
        "{line}"
    );
}

#[test]
fn canonical_forms() {
    check("daemonize YES", &["yes"]);
    check("loglevel Debug", &["debug"]);
    check("oom-score-adj relative", &["yes"]);
    check("list-max-listpack-size -5", &["-5"]);
    check("hz 0", &["1"]);
    check("hz 501", &["500"]);
    check("maxmemory 2048MB", &["2gb"]);
    check("maxmemory 1k", &["1000"]);
    check("maxmemory-clients 0%", &["0%"]);
    check("maxmemory-clients 1024", &["1kb"]);
    check("unixsocketperm 0755", &["755"]);
    check("unixsocketperm ''", &["0"]);
    check("pidfile ''", &[]);
    check("pidfile /a", &["\"/a\""]);
    check("logfile ''", &["\"\""]);
    check("bind ''", &["\"\""]);
    check("bind", &["\"\""]);
    check("bind 'a  -b' c", &["\"a  -b\" c"]);
    check("bind 'a  -b'", &["a -b"]);
    check("save 900 1 60 1000", &[]);
    check("save '900 1'", &[]);
    check("replicaof NO ONE", &[]);
    check("replicaof h 1", &["h 1"]);
    check("latency-tracking-info-percentiles 50.50 1e-9 100", &["50.5 0 100"]);
    check("latency-tracking-info-percentiles ''", &["\"\""]);
    check("notify-keyspace-events nKg", &["\"gnK\""]);
    check("notify-keyspace-events g$lshzxetd", &["\"A\""]);
    check("shutdown-on-sigint 'FORCE save'", &["save force"]);
    check("shutdown-on-sigint default", &["default"]);
}

#[test]
fn buffer_limits_merge_by_class() {
    let defaults = ["normal 0 0 0", "replica 256mb 64mb 60", "pubsub 32mb 8mb 60"];
    check("client-output-buffer-limit", &defaults);
    check("client-output-buffer-limit SLAVE 1 2 3", &[defaults[0], "replica 1 2 3", defaults[2]]);
    check(
        "client-output-buffer-limit pubsub 1 1 1 normal 1kb 0 5",
        &["normal 1kb 0 5", defaults[1], "pubsub 1 1 1"],
    );
}

#[test]
fn title_templates() {
    for good in ["x", "{{", "{title} x", "{port}", "}", "{unixsocket}{listen-addr}"] {
        assert!(canonical(&format!("proc-title-template '{good}'")).is_ok(), "{good}");
    }
    for bad in ["", "{title}", "{unixsocket}", "{", "x{", "{port", "{Port}", "{}"] {
        assert!(canonical(&format!("proc-title-template '{bad}'")).is_err(), "{bad}");
    }
}
