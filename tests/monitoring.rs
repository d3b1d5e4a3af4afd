//! What monitoring reads of a Sentinel: prometheus' redis_exporter as Debian packages it, and the fields that newer
//! versions of it ask for (spec 3.8).

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::fleet::NAME;
use support::node::in_path;
use support::pair::Pair;
use support::{Client, Node, Value, port, wait_for};

/// A running redis_exporter; killed when dropped.
struct Exporter {
    child: Child,
    port: u16,
}

impl Exporter {
    fn start(node: &Node) -> Exporter {
        let port = port::reserve();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(in_path("prometheus-redis-exporter"))
            .args(["-redis.addr", &format!("redis://127.0.0.1:{}", node.port)])
            .args(["-web.listen-address", &format!("127.0.0.1:{port}")])
            .args(["-include-config-metrics", "-include-system-metrics", "-ping-on-connect"])
            .args(["-export-client-list", "-redis-only-metrics"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("setpriv (util-linux) starts programs");
        Exporter { child, port }
    }

    /// The lines of one scrape, sorted, without comments.
    fn scrape(&self) -> Option<Vec<String>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        assert!(head.contains(" 200 "), "{head}");
        let mut lines: Vec<String> =
            body.lines().filter(|l| l.starts_with("redis_")).map(str::to_owned).collect();
        lines.sort();
        Some(lines)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A metric without what differs between two processes: values, unless they are of a Sentinel, and labels that say
/// who and when, of which the names stay.
fn comparable(line: &str) -> String {
    let (metric, value) = line.rsplit_once(' ').expect("a metric and its value");
    if metric.starts_with("redis_sentinel_") {
        return line.to_owned();
    }
    let personal = ["redis_instance_info{", "redis_connected_clients_details{"];
    if !personal.iter().any(|prefix| metric.starts_with(prefix)) {
        return metric.to_owned();
    }
    let labels = metric.split('"').step_by(2).collect::<String>();
    assert!(value.parse::<f64>().is_ok(), "{line}");
    labels
}

#[test]
fn the_exporter_of_prometheus_finds_the_same_metrics() {
    let pair = Pair::start();
    let [ours, theirs] = pair.both().map(|node| {
        let exporter = Exporter::start(node);
        let mut lines = None;
        wait_for("the first metrics", 20, || {
            lines = exporter.scrape();
            lines.is_some()
        });
        let mut lines: Vec<String> = lines.unwrap_or_default().iter().map(|l| comparable(l)).collect();
        // One line for each client: those of other Sentinels come and go.
        lines.dedup();
        lines
    });
    assert_eq!(ours, theirs);
    let own = |name: &str| ours.iter().filter(|l| l.starts_with(&format!("redis_sentinel_{name}"))).count();
    for name in ["masters ", "tilt ", "master_status{", "master_ok_slaves{", "master_sentinels{"] {
        assert_eq!(own(name), 1, "{name} in {ours:#?}");
    }
    assert!(ours.iter().any(|l| l == "redis_up"), "{ours:#?}");
}

/// A `masterN:` line of INFO as the exporter takes it apart: fields at commas, each with exactly one `=`.
fn master_line(info: &str) -> Vec<(String, String)> {
    let line = info.lines().find_map(|l| l.strip_prefix("master0:")).expect("a line for the master");
    let pair = |field: &str| {
        let parts: Vec<&str> = field.split('=').collect();
        assert_eq!(parts.len(), 2, "{field:?} in {line:?}");
        (parts[0].to_owned(), parts[1].to_owned())
    };
    line.split(',').map(pair).collect()
}

fn number(value: Option<String>, what: &str) -> u64 {
    let value = value.unwrap_or_else(|| panic!("no {what}"));
    value.parse().unwrap_or_else(|_| panic!("{what} is {value:?}"))
}

/// Asks all that the exporter's current version asks, over one connection, and reads it as strictly.
fn expect_fields(client: &mut Client) {
    let mut ask = |words: &[&str]| client.call(words).unwrap_or_else(|e| panic!("{words:?}: {e}"));
    assert_eq!(ask(&["PING"]), Value::Simple("PONG".into()));
    assert_eq!(ask(&["CLIENT", "SETNAME", "redis_exporter"]), Value::Simple("OK".into()));
    for refused in [&["CONFIG", "GET", "*"][..], &["LATENCY", "LATEST"], &["SLOWLOG", "LEN"], &["DBSIZE"]] {
        let answer = ask(refused);
        assert!(
            answer.is_error() && answer.text().starts_with("ERR unknown command"),
            "{refused:?}: {answer:?}"
        );
    }
    let info = ask(&["INFO", "ALL"]).text();
    assert!(info.contains("\r\n# Sentinel\r\n"), "{info}");
    let plain =
        |key: &str| info.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).map(str::to_owned);
    for key in ["masters", "tilt", "running_scripts", "scripts_queue_length", "simulate_failure_flags"] {
        number(plain(&format!("sentinel_{key}")), key);
    }
    let names: Vec<String> = master_line(&info).into_iter().map(|(key, _)| key).collect();
    assert_eq!(names, ["name", "status", "address", "slaves", "sentinels"]);

    let masters = ask(&["SENTINEL", "MASTERS"]);
    let [master] = masters.items() else { panic!("one master was expected: {masters:?}") };
    assert_eq!(master.field("name").as_deref(), Some(NAME));
    assert_eq!(master.field("ip").as_deref(), Some("127.0.0.1"));
    for key in
        ["port", "quorum", "failover-timeout", "parallel-syncs", "down-after-milliseconds", "config-epoch"]
    {
        number(master.field(key), key);
    }
    assert!(number(master.field("last-ok-ping-reply"), "last-ok-ping-reply") < 5000);
    let quorum = ask(&["SENTINEL", "CKQUORUM", NAME]);
    assert!(
        matches!(&quorum, Value::Simple(text) if text.starts_with("OK 2 usable Sentinels.")),
        "{quorum:?}"
    );
    for (list, flag) in [("SENTINELS", "sentinel"), ("SLAVES", "slave"), ("REPLICAS", "slave")] {
        let all = ask(&["SENTINEL", list, NAME]);
        let flags: Vec<Option<String>> = all.items().iter().map(|one| one.field("flags")).collect();
        assert_eq!(flags, [Some(flag.to_owned())], "{list}");
    }
    let globals = ask(&["SENTINEL", "CONFIG", "GET", "*"]);
    for key in ["resolve-hostnames", "announce-hostnames", "announce-ip", "announce-port", "sentinel-user"] {
        assert!(globals.field(key).is_some(), "{key} in {globals:?}");
    }
}

#[test]
fn every_field_that_an_exporter_reads_is_there_in_both_protocols() {
    let pair = Pair::start();
    for node in pair.both() {
        expect_fields(&mut node.client());
        let mut modern = node.client();
        assert!(matches!(modern.call(&["HELLO", "3"]).expect("an answer"), Value::Map(_)));
        expect_fields(&mut modern);
    }
}
