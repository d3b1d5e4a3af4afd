//! What operators do to a Sentinel beyond the guide: Debian's own script and file, other kinds of addresses, many
//! masters at once, a crash in the middle of saves, an editor on the live file, and health checks without end.

mod support;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::fleet::{NAME, timing};
use support::node::{Daemon, in_path, text_of};
use support::resp::encode;
use support::{Client, Kind, Node, Value, World, is_root, port, skipped, wait_for};

fn ok() -> Value {
    Value::Simple("OK".into())
}

/// A master and a Sentinel that watches it.
fn lone(world: &World, lines: &[String]) -> (Node, Node) {
    let mut master = world.data("master", &[]);
    master.start();
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 {} 1", master.port)];
    all.extend_from_slice(lines);
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &all);
    sentinel.start();
    (master, sentinel)
}

/// Debian's script and configuration with only paths and port changed, as somebody who replaces the binary has them.
struct Debian {
    script: PathBuf,
    pidfile: PathBuf,
    conf: PathBuf,
    log: PathBuf,
    port: u16,
}

const DEBIAN_SCRIPT: &str = "/etc/init.d/redis-sentinel";
const DEBIAN_CONF: &str = "/etc/redis/sentinel.conf";

/// `text` with the lines that begin with one of the keys replaced.
fn with_lines(text: &str, changes: &[(&str, String)]) -> String {
    let change =
        |line: &str| changes.iter().find(|(key, _)| line.starts_with(key)).map(|(_, new)| new.clone());
    text.lines().map(|line| change(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

fn sh(line: &str) -> Output {
    Command::new("sh").args(["-c", line]).output().expect("a shell")
}

impl Debian {
    fn install(world: &World) -> Debian {
        let (root, port) = (world.path(""), port::reserve());
        let at = |name: &str| root.join(name);
        ["bin", "etc", "lib", "log"].into_iter().for_each(|name| drop(world.folder(name)));
        let exec = at("bin/redis-sentinel");
        let (pidfile, log) = (at("run/redis-sentinel.pid"), at("log/redis-sentinel.log"));
        let conf = with_lines(
            &text_of(Path::new(DEBIAN_CONF)),
            &[
                ("pidfile ", format!("pidfile {}", pidfile.display())),
                ("logfile ", format!("logfile {}", log.display())),
                ("dir ", format!("dir {}", at("lib").display())),
                ("port ", format!("port {port}")),
            ],
        );
        let script = with_lines(
            &text_of(Path::new(DEBIAN_SCRIPT)),
            &[
                ("DAEMON=", format!("DAEMON={}", exec.display())),
                ("DAEMON_ARGS=", format!("DAEMON_ARGS={}", at("etc/sentinel.conf").display())),
                ("RUNDIR=", format!("RUNDIR={}", at("run").display())),
            ],
        );
        let conf = world.write("etc/sentinel.conf", &conf);
        let script = world.write("init.d-redis-sentinel", &script);
        let rights = sh(&format!(
            "cp {} {} && cd {} && chown -R redis:redis etc lib log && chmod 640 etc/sentinel.conf \
             && chmod 755 init.d-redis-sentinel",
            Kind::Subject.program().display(),
            exec.display(),
            root.display()
        ));
        assert!(rights.status.success(), "{rights:?}");
        Debian { script, pidfile, conf, log, port }
    }

    fn run(&self, action: &str) -> Option<i32> {
        sh(&format!("sh {} {action}", self.script.display())).status.code()
    }

    fn daemon(&self) -> Daemon {
        wait_for("the pid file", 10, || text_of(&self.pidfile).ends_with('\n'));
        wait_for("the port", 10, || Client::connect(self.port).is_ok_and(|mut c| c.call(&["PING"]).is_ok()));
        Daemon(text_of(&self.pidfile).trim().parse().expect("a pid"))
    }
}

#[test]
fn debians_script_and_file_serve_unchanged() {
    let redis_exists = text_of(Path::new("/etc/passwd")).lines().any(|l| l.starts_with("redis:"));
    if !is_root() || !redis_exists || !Path::new(DEBIAN_SCRIPT).exists() {
        skipped("Debian's init script", "it needs root and the package redis-sentinel");
        return;
    }
    let world = World::new();
    let service = Debian::install(&world);
    let before = text_of(&service.conf);
    assert_eq!(service.run("status"), Some(3));
    assert_eq!(service.run("start"), Some(0));
    let first = service.daemon();
    assert_eq!(service.run("status"), Some(0));
    assert_eq!(service.run("restart"), Some(0));
    let second = service.daemon();
    assert!(!first.is_alive() && second.is_alive(), "it was replaced");
    assert_eq!(service.run("status"), Some(0));
    let status = text_of(Path::new(&format!("/proc/{}/status", second.0)));
    let uid = status.lines().find_map(|l| l.strip_prefix("Uid:")).expect("a user").trim().to_owned();
    assert!(!uid.starts_with('0'), "it runs as redis: {uid}");
    assert_eq!(service.run("stop"), Some(0));
    assert!(!second.is_alive());
    assert_eq!(service.run("status"), Some(3));
    assert!(text_of(&service.log).contains("bye bye..."));
    let after = text_of(&service.conf);
    let comments = |text: &str| text.lines().filter(|l| l.starts_with('#')).count();
    assert!(comments(&after) >= comments(&before), "comments are gone:\n{after}");
    let owner = sh(&format!("stat -c '%U:%G %a' {}", service.conf.display()));
    assert_eq!(String::from_utf8_lossy(&owner.stdout), "redis:redis 640\n");
}

/// Kills a master that is known to the Sentinel as `host`, and expects the replica to be named by the same host.
fn fail_over_by(host: &str, lines: &[&str]) {
    let world = World::new();
    let both = "bind 127.0.0.1 ::1".to_owned();
    let mut master = world.data("master", std::slice::from_ref(&both));
    master.start();
    let mut own = vec![both.clone(), format!("replicaof {host} {}", master.port)];
    if host == "localhost" {
        own.push("replica-announce-ip localhost".into());
    }
    let mut replica = world.data("replica", &own);
    replica.start();
    wait_for("the replica to be in step", 20, || replica.info("replication", "master_link_status") == "up");
    let mut all = vec![both];
    all.extend(lines.iter().map(|line| (*line).to_owned()));
    all.push(format!("sentinel monitor {NAME} {host} {} 1", master.port));
    all.extend(timing(1500, 5000));
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &all);
    sentinel.start();
    wait_for("the replica to be known", 20, || {
        let known = sentinel.call(&["SENTINEL", "REPLICAS", NAME]);
        known.items().iter().any(|r| r.field("flags").as_deref() == Some("slave"))
    });
    master.kill9();
    let expected = [host.to_owned(), replica.port.to_string()];
    wait_for("the new address", 30, || {
        sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).texts() == expected
    });
    wait_for("the promotion", 10, || replica.info("replication", "role") == "master");
    // What was saved of such addresses can be read again, by both kinds.
    for kind in [Kind::Subject, Kind::Reference] {
        sentinel.kill9();
        sentinel.program = kind.program();
        sentinel.start();
        let named = sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).texts();
        assert_eq!(named, expected, "{kind:?}");
    }
}

#[test]
fn masters_with_ipv6_addresses() {
    if TcpListener::bind("[::1]:0").is_err() {
        skipped("IPv6", "this machine has none");
        return;
    }
    fail_over_by("::1", &[]);
}

#[test]
fn masters_with_host_names() {
    if TcpListener::bind("[::1]:0").is_err() {
        skipped("host names", "the data servers of this test listen on IPv6 too, and this machine has none");
        return;
    }
    fail_over_by("localhost", &["sentinel resolve-hostnames yes", "sentinel announce-hostnames yes"]);
}

#[test]
fn fifty_masters_added_at_runtime_are_all_there_after_a_crash() {
    let world = World::new();
    let (master, mut sentinel) = lone(&world, &[]);
    let port = master.port.to_string();
    let mut client = sentinel.client();
    for i in 0..50 {
        client
            .send(&["SENTINEL", "MONITOR", &format!("m{i}"), "127.0.0.1", &port, "1"])
            .expect("a connection");
    }
    (0..50).for_each(|_| assert_eq!(client.read().expect("an answer"), ok()));
    let healthy = |sentinel: &Node| {
        let info = sentinel.call(&["INFO", "sentinel"]).text();
        info.lines().filter(|l| l.contains(",status=ok,")).count()
    };
    wait_for("all masters to be seen", 20, || healthy(&sentinel) == 51);
    sentinel.kill9();
    sentinel.start();
    assert_eq!(sentinel.call(&["SENTINEL", "MASTERS"]).items().len(), 51);
    wait_for("all masters to be seen again", 20, || healthy(&sentinel) == 51);
}

/// Sends settings without end and notes how many were confirmed before the connection broke.
fn confirmed_until_killed(mut client: Client, base: u64) -> u64 {
    for i in 1.. {
        let value = (base + i).to_string();
        match client.call(&["SENTINEL", "SET", NAME, "parallel-syncs", &value]) {
            Ok(answer) => assert_eq!(answer, ok()),
            Err(_) => return base + i - 1,
        }
    }
    base
}

#[test]
fn what_was_confirmed_survives_a_kill_in_the_middle_of_saves() {
    let world = World::new();
    let (_master, mut sentinel) = lone(&world, &[]);
    for round in 1..=10 {
        let base = round * 100_000;
        let client = sentinel.client();
        let writer = std::thread::spawn(move || confirmed_until_killed(client, base));
        let saved = |text: &str| {
            let prefix = format!("sentinel parallel-syncs {NAME} ");
            text.lines().find_map(|l| l.strip_prefix(&prefix)?.parse::<u64>().ok()).unwrap_or(0)
        };
        wait_for("a few saves", 10, || saved(&sentinel.conf_text()) >= base + 2 + round % 5);
        sentinel.kill9();
        let confirmed = writer.join().expect("a writer without trouble");
        let text = sentinel.conf_text();
        assert!(saved(&text) >= confirmed, "{confirmed} was confirmed, but the file has:\n{text}");
        sentinel.start();
        let view = sentinel.call(&["SENTINEL", "MASTER", NAME]);
        assert_eq!(view.field("parallel-syncs"), Some(saved(&text).to_string()));
    }
}

#[test]
fn an_edit_of_the_live_file_keeps_comments_but_not_what_the_daemon_knows_better() {
    let world = World::new();
    let (master, sentinel) = lone(&world, &[]);
    // Then the saves of the start are done.
    sentinel.wait_log("+monitor");
    let monitor = format!("sentinel monitor {NAME} 127.0.0.1 {}", master.port);
    let edited = sentinel.conf_text().replace(&format!("{monitor} 1\n"), &format!("{monitor} 7\n"));
    assert!(edited.contains(&format!("{monitor} 7\n")), "{edited}");
    fs::write(&sentinel.conf, format!("{edited}# called at night: 555\n")).expect("our own file");
    assert_eq!(sentinel.call(&["SENTINEL", "SET", NAME, "parallel-syncs", "9"]), ok());
    let text = sentinel.conf_text();
    assert!(text.contains("# called at night: 555\n"), "{text}");
    assert!(text.contains(&format!("{monitor} 1\n")), "{text}");
    assert!(text.contains(&format!("sentinel parallel-syncs {NAME} 9\n")), "{text}");
}

/// As many open files as this process may have.
fn allow_many_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be asked for");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit it is ours to set");
    hard
}

#[test]
fn ten_thousand_idle_clients_are_borne() {
    let files = allow_many_files();
    let count = files.saturating_sub(500).min(9_900);
    if count < 9_900 {
        skipped("ten thousand clients", &format!("only {count}: a process here may have {files} open files"));
    }
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let before = sentinel.memory_kb();
    let idle: Vec<Client> =
        (0..count).map(|_| Client::connect(sentinel.port).expect("room for one more client")).collect();
    let connected = || sentinel.info("clients", "connected_clients").parse().unwrap_or(0);
    wait_for("all to be let in", 20, || connected() > count);
    let started = Instant::now();
    assert_eq!(sentinel.call(&["PING"]), Value::Simple("PONG".into()));
    assert!(started.elapsed() < Duration::from_secs(1), "PING took {:?}", started.elapsed());
    let grown = sentinel.memory_kb() - before;
    assert!(grown < 10 * count, "{grown} kB for {count} idle clients");
    drop(idle);
    wait_for("all to be gone", 20, || connected() < 5);
}

#[test]
fn health_checks_and_benchmarks_leave_no_trace() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let lines = || sentinel.log_text().lines().count();
    sentinel.wait_log("+monitor");
    let before = lines();
    for i in 0..1000 {
        let mut client = sentinel.client();
        // A bare connect, one that leaves without its answer, and the tcp-check of a load balancer.
        if i % 3 > 0 {
            client.send_raw(b"PING\r\n").expect("an open connection");
        }
        if i % 3 == 2 {
            assert_eq!(client.read().expect("an answer"), Value::Simple("PONG".into()));
            client.send_raw(b"info replication\r\nQUIT\r\n").expect("an open connection");
        }
    }
    let benchmark = Command::new(in_path("redis-benchmark"))
        .args(["-p", &sentinel.port.to_string(), "-n", "20000", "-P", "16", "-q", "PING"])
        .output()
        .expect("redis-benchmark runs");
    assert!(benchmark.status.success(), "{benchmark:?}");
    let mut client = sentinel.client();
    client.stream().write_all(&encode(&["PING"]).repeat(10_000)).expect("an open connection");
    (0..10_000).for_each(|_| assert_eq!(client.read().expect("an answer"), Value::Simple("PONG".into())));
    assert_eq!(client.call(&["SENTINEL", "SET", NAME, "quorum", "2"]).expect("an answer"), ok());
    sentinel.wait_log("+set");
    let log = sentinel.log_text();
    let others =
        log.lines().skip(before).filter(|l| !l.contains("+set") && !l.contains("configuration saved"));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0], "visitors are no news");
}
