//! The way most people install a Sentinel: a short hand-written file, an init script, one Sentinel, quorum 1.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::node::{Daemon, in_path, text_of};
use support::{Client, Kind, Node, Value, World, port, wait_for};

/// The settings at the head of the init script, which an installer fills in.
struct Service {
    script: PathBuf,
    pidfile: PathBuf,
    conf: PathBuf,
    port: u16,
}

/// The lines of the guide, with the ports of this test; `first` is what the installer's template adds.
fn guide_conf(first: &str, port: u16, master_port: u16) -> String {
    format!(
        "{first}daemonize yes\nport {port}\ndir \"/tmp\"\n\n\n\
         sentinel monitor mymaster 127.0.0.1 {master_port} 1 \n\
         sentinel down-after-milliseconds mymaster 3000\n\
         sentinel failover-timeout mymaster 9000000\n\
         sentinel config-epoch mymaster 0\n\
         sentinel leader-epoch mymaster 0\n"
    )
}

/// Installs the shipped init script as the installer does: by replacing its settings.
fn install(world: &World, master_port: u16) -> Service {
    let port = port::reserve();
    let exec = world.path("redis-sentinel");
    symlink(Kind::Subject.program(), &exec).expect("a link to the daemon");
    let pidfile = world.path(&format!("redis_{port}.pid"));
    let log = world.path(&format!("redis_{port}.log"));
    let first = format!("pidfile {}\nlogfile {}\n", pidfile.display(), log.display());
    let conf = world.write(&format!("{port}.conf"), &guide_conf(&first, port, master_port));
    let shipped = fs::read_to_string("packaging/init.d/sentineld").expect("the shipped init script");
    let settings = [
        ("EXEC", exec.display().to_string()),
        ("CLIEXEC", in_path("redis-cli").display().to_string()),
        ("PIDFILE", pidfile.display().to_string()),
        ("CONF", conf.display().to_string()),
        ("REDISPORT", port.to_string()),
    ];
    let mut text = String::new();
    for line in shipped.lines() {
        let key = line.split('=').next().unwrap_or_default();
        match settings.iter().find(|(name, _)| *name == key) {
            Some((name, value)) => text += &format!("{name}={value}\n"),
            None => text += &format!("{line}\n"),
        }
    }
    let script = world.write(&format!("init.d-redis_{port}"), &text);
    Service { script, pidfile, conf, port }
}

impl Service {
    fn run(&self, action: &str) -> Output {
        Command::new("sh").arg(&self.script).arg(action).output().expect("a shell")
    }

    fn status(&self) -> Option<i32> {
        self.run("status").status.code()
    }
}

/// What `redis-cli -p PORT WORDS…` prints, line by line.
fn cli(port: u16, words: &[&str]) -> Vec<String> {
    let output = Command::new(in_path("redis-cli"))
        .args(["-p", &port.to_string()])
        .args(words)
        .output()
        .expect("redis-cli runs");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// A master and a replica in step.
fn pair(world: &World) -> (Node, Node) {
    let mut master = world.data("master", &[]);
    master.start();
    let mut replica = world.data("replica", &[format!("replicaof 127.0.0.1 {}", master.port)]);
    replica.start();
    wait_for("the replica to be in step", 20, || replica.info("replication", "master_link_status") == "up");
    (master, replica)
}

/// The replica must be known, the master is killed, and the replica must take its place.
fn see_it_fail_over(port: u16, master: &mut Node, replica: &Node) {
    let ask = ["sentinel", "get-master-addr-by-name", "mymaster"];
    assert_eq!(cli(port, &ask), ["127.0.0.1", &master.port.to_string()]);
    wait_for("the replica to be found", 20, || {
        let known = Client::connect(port).and_then(|mut c| c.call(&["SENTINEL", "REPLICAS", "mymaster"]));
        known.is_ok_and(|v| v.items().iter().any(|r| r.field("flags").as_deref() == Some("slave")))
    });
    master.kill9();
    wait_for("the new address", 40, || cli(port, &ask) == ["127.0.0.1", &replica.port.to_string()]);
    wait_for("the promotion", 10, || replica.info("replication", "role") == "master");
    assert_eq!(replica.call(&["SET", "still", "here"]), Value::Simple("OK".into()));
}

#[test]
fn installed_by_init_script() {
    let world = World::new();
    let (mut master, replica) = pair(&world);
    let service = install(&world, master.port);
    assert_eq!(service.status(), Some(3), "not running before its start");
    assert!(service.run("start").status.success());
    wait_for("the pid file", 10, || text_of(&service.pidfile).ends_with('\n'));
    let pid = text_of(&service.pidfile).trim().parse().expect("a pid file holds just the pid");
    let daemon = Daemon(pid);
    wait_for("the port", 10, || cli(service.port, &["ping"]) == ["PONG"]);
    assert_eq!(service.status(), Some(0));
    let again = service.run("start");
    assert!(String::from_utf8_lossy(&again.stdout).contains("exists"), "a second start is refused");

    see_it_fail_over(service.port, &mut master, &replica);

    assert!(service.run("restart").status.success());
    wait_for("the daemon to be replaced", 10, || !daemon.is_alive() && service.status() == Some(0));
    let daemon = Daemon(text_of(&service.pidfile).trim().parse().expect("a pid"));
    let ask = ["sentinel", "get-master-addr-by-name", "mymaster"];
    wait_for("the new master to be remembered", 10, || {
        cli(service.port, &ask) == ["127.0.0.1", &replica.port.to_string()]
    });
    assert!(service.run("stop").status.success());
    assert!(!daemon.is_alive(), "stop waits for the end");
    assert!(!service.pidfile.exists(), "the daemon removes its pid file");
    assert_eq!(service.status(), Some(3));
    let text = text_of(&service.conf);
    assert!(text.contains(&format!("sentinel monitor mymaster 127.0.0.1 {} 1", replica.port)), "{text}");
}

#[test]
fn the_init_script_starts_again_after_a_crash_and_stops_without_the_password() {
    let world = World::new();
    let service = install(&world, 6300);
    let lines = text_of(&service.conf);
    fs::write(&service.conf, format!("requirepass s3cret\n{lines}")).expect("our own file");
    let pid = || text_of(&service.pidfile).trim().parse().unwrap_or(0);
    assert!(service.run("start").status.success());
    wait_for("the pid file", 10, || service.status() == Some(0));
    let crashed = pid();
    drop(Daemon(crashed));
    wait_for("the crash to be seen", 10, || service.status() == Some(3));
    assert_eq!(pid(), crashed, "the pid file is left over");
    assert!(service.run("start").status.success());
    wait_for("another pid", 10, || service.status() == Some(0) && pid() != crashed);
    let daemon = Daemon(pid());
    assert!(service.run("stop").status.success());
    assert!(!daemon.is_alive());
    assert_eq!(service.status(), Some(3));
}

#[test]
fn started_by_hand_without_a_pid_file_line() {
    let default_pidfile = Path::new("/var/run/redis.pid");
    let taken = default_pidfile.exists();
    let world = World::new();
    let (mut master, replica) = pair(&world);
    let port = port::reserve();
    let exec = world.path("redis-sentinel");
    symlink(Kind::Subject.program(), &exec).expect("a link to the daemon");
    let conf = world.write("hand.conf", &guide_conf("", port, master.port));
    let started = Command::new(&exec).arg(&conf).output().expect("the daemon starts");
    assert!(started.status.success(), "the parent reports success: {started:?}");
    wait_for("the port", 10, || cli(port, &["ping"]) == ["PONG"]);
    let info = cli(port, &["info", "server"]);
    let pid = info.iter().find_map(|l| l.strip_prefix("process_id:")).expect("a process id");
    let daemon = Daemon(pid.trim().parse().expect("a pid"));
    wait_for("the default to be saved", 10, || text_of(&conf).contains("pidfile \"/var/run/redis.pid\""));
    if support::is_root() && !taken {
        assert_eq!(text_of(default_pidfile).trim(), daemon.0.to_string());
    } else {
        support::skipped("the default pid file", "it needs root, and no other Redis on this machine");
    }

    see_it_fail_over(port, &mut master, &replica);

    assert_eq!(cli(port, &["shutdown"]), [""; 0]);
    wait_for("the end", 10, || !daemon.is_alive());
    if support::is_root() && !taken {
        assert!(!default_pidfile.exists(), "the daemon removes its pid file");
    }
}

#[test]
fn a_mistake_in_the_file_is_reported_by_start() {
    let world = World::new();
    let service = install(&world, 6300);
    let good = text_of(&service.conf);
    let bad = good.replace("down-after-milliseconds mymaster 3000", "down-after-milliseconds mymaster soon");
    fs::write(&service.conf, bad).expect("our own file");
    let start = service.run("start");
    assert_eq!(start.status.code(), Some(1));
    let said =
        format!("{}{}", String::from_utf8_lossy(&start.stdout), String::from_utf8_lossy(&start.stderr));
    assert!(said.contains("down-after-milliseconds"), "{said}");
    assert!(!service.pidfile.exists());
    assert_eq!(service.status(), Some(3));
}

/// What the installer's template for a data server holds, apart from what the tests set themselves.
const TEMPLATE: &str = "tcp-backlog 511\ntimeout 0\ntcp-keepalive 0\nloglevel notice\ndatabases 16\n\
    save 900 1\nsave 300 10\nsave 60 10000\nstop-writes-on-bgsave-error yes\nrdbcompression yes\n\
    rdbchecksum yes\ndbfilename dump.rdb\nslave-serve-stale-data yes\nslave-read-only yes\n\
    repl-diskless-sync no\nrepl-diskless-sync-delay 5\nrepl-disable-tcp-nodelay no\nslave-priority 100\n\
    appendonly no\nappendfilename \"appendonly.aof\"\nappendfsync everysec\nno-appendfsync-on-rewrite no\n\
    auto-aof-rewrite-percentage 100\nauto-aof-rewrite-min-size 64mb\naof-load-truncated yes\n\
    lua-time-limit 5000\nslowlog-log-slower-than 10000\nslowlog-max-len 128\n\
    latency-monitor-threshold 0\nnotify-keyspace-events \"\"\nhash-max-ziplist-entries 512\n\
    hash-max-ziplist-value 64\nlist-max-ziplist-entries 512\nlist-max-ziplist-value 64\n\
    set-max-intset-entries 512\nzset-max-ziplist-entries 128\nzset-max-ziplist-value 64\n\
    hll-sparse-max-bytes 3000\nactiverehashing yes\nclient-output-buffer-limit normal 0 0 0\n\
    client-output-buffer-limit slave 256mb 64mb 60\nclient-output-buffer-limit pubsub 32mb 8mb 60\n\
    hz 10\naof-rewrite-incremental-fsync yes\n";

#[test]
fn sentinel_lines_appended_to_the_template_of_a_data_server() {
    let world = World::new();
    let mut master = world.data("master", &[]);
    master.start();
    let service = install(&world, master.port);
    let lines = text_of(&service.conf);
    fs::write(&service.conf, format!("## Generated by install_server.sh ##\n{TEMPLATE}{lines}"))
        .expect("our own file");
    for round in ["a fresh file", "the file as it was rewritten"] {
        assert!(service.run("start").status.success(), "{round}");
        wait_for(round, 10, || cli(service.port, &["ping"]) == ["PONG"] && service.status() == Some(0));
        let daemon = Daemon(text_of(&service.pidfile).trim().parse().expect("a pid"));
        assert_eq!(cli(service.port, &["sentinel", "flushconfig"]), ["OK"]);
        assert!(service.run("stop").status.success());
        assert!(!daemon.is_alive());
        let text = text_of(&service.conf);
        assert!(text.starts_with("## Generated by install_server.sh ##\n"), "{text}");
        assert!(text.contains("\nslowlog-max-len 128\n"), "{text}");
    }
}
