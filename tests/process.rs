//! The Sentinel as a process: how it is called, where it listens and logs, and how it ends.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::fleet::NAME;
use support::node::text_of;
use support::{Client, Kind, Node, Value, World, wait_for};

/// A Sentinel that is not yet running, and whose master may well not exist.
fn lone(world: &World, lines: &[String]) -> Node {
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 1 1")];
    all.extend_from_slice(lines);
    world.sentinel("sentinel", Kind::Subject, &all)
}

fn run(args: &[&str]) -> Output {
    Command::new(Kind::Subject.program()).args(args).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn version_and_help_say_their_piece_and_leave() {
    for option in ["--version", "-v"] {
        let output = run(&[option]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.starts_with("Redis server v=7.0.15 sha="), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    for option in ["--help", "-h"] {
        let output = run(&[option]);
        assert_eq!(output.status.code(), Some(1), "as the reference");
        assert!(said(&output).contains("Usage: "), "{}", said(&output));
    }
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("Sentinel needs config file on disk to save state. Exiting..."));
}

#[test]
fn it_answers_to_the_old_name_and_option() {
    let world = World::new();
    let mut sentinel = lone(&world, &[]);
    let named = world.path("my-redis-sentinel-2");
    symlink(&sentinel.program, &named).expect("a link");
    sentinel.program = named;
    sentinel.start();
    sentinel.kill9();
    sentinel.program = Kind::Subject.program();
    sentinel.args = vec!["--sentinel".into()];
    sentinel.start();
    assert_eq!(sentinel.info("server", "redis_mode"), "sentinel");
}

#[test]
fn directives_on_the_command_line_win_over_the_file() {
    let world = World::new();
    let mut sentinel = lone(&world, &[]);
    let other = support::port::reserve();
    sentinel.args = ["--port", &other.to_string(), "--loglevel", "debug"].map(str::to_owned).to_vec();
    let words = ["--sentinel", "monitor", "second", "127.0.0.1", "2", "2"];
    sentinel.args.extend(words.map(str::to_owned));
    sentinel.port = other;
    sentinel.start();
    assert_eq!(sentinel.call(&["SENTINEL", "MASTERS"]).items().len(), 2);
    assert_eq!(sentinel.info("server", "tcp_port"), other.to_string());
}

#[test]
fn both_signals_end_it_cleanly() {
    let world = World::new();
    let pidfile = world.path("sentinel.pid");
    let mut sentinel = lone(&world, &[format!("pidfile {}", pidfile.display())]);
    for (signal, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT")] {
        sentinel.start();
        wait_for("the pid file", 5, || text_of(&pidfile) == format!("{}\n", sentinel.pid()));
        sentinel.signal(Signal::SIGHUP);
        assert_eq!(sentinel.call(&["PING"]), Value::Simple("PONG".into()), "SIGHUP does no harm");
        sentinel.signal(signal);
        assert_eq!(sentinel.wait_end(5).code(), Some(0));
        assert!(!pidfile.exists());
        let log = sentinel.log_text();
        for line in [
            format!("Received {name} scheduling shutdown..."),
            "User requested shutdown...".into(),
            "Removing the pid file.".into(),
            "Sentinel is now ready to exit, bye bye...".into(),
        ] {
            assert!(log.contains(&line), "no {line:?} in:\n{log}");
        }
    }
}

#[test]
fn shutdown_has_no_answer_but_an_end() {
    let world = World::new();
    let mut sentinel = lone(&world, &[]);
    sentinel.start();
    let mut client = sentinel.client();
    for words in [&["SHUTDOWN", "MAYBE"][..], &["SHUTDOWN", "SAVE", "NOSAVE"]] {
        assert_eq!(client.call(words).expect("an answer"), Value::Error("ERR syntax error".into()));
    }
    let abort = client.call(&["SHUTDOWN", "ABORT"]).expect("an answer");
    assert_eq!(abort, Value::Error("ERR No shutdown in progress.".into()));
    client.send(&["SHUTDOWN", "NOSAVE"]).expect("an open connection");
    assert_eq!(client.read_all(), (String::new(), true));
    assert_eq!(sentinel.wait_end(5).code(), Some(0));
}

#[test]
fn a_busy_port_stops_the_start() {
    let world = World::new();
    let mut first = lone(&world, &[]);
    first.start();
    let text = first.conf_text();
    let conf = world.write("second.conf", &text);
    let mut second = Node::new("second", first.program.clone(), first.port, conf, world.path("second.log"));
    second.spawn();
    assert_eq!(second.wait_end(10).code(), Some(1));
    let log = second.log_text();
    assert!(log.contains("Address already in use"), "{log}");
    assert!(log.contains(&format!("Failed listening on port {} (TCP), aborting.", first.port)), "{log}");
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let world = World::new();
    let path = world.path("notify");
    let unique = world.path("abstract").display().to_string();
    let abstract_address = SocketAddr::from_abstract_name(unique.as_bytes()).expect("an address");
    for (socket, address) in [
        (UnixDatagram::bind(&path), path.display().to_string()),
        (UnixDatagram::bind_addr(&abstract_address), format!("@{unique}")),
    ] {
        let socket = socket.expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket option");
        let mut sentinel = lone(&world, &[]);
        sentinel.args = ["--supervised", "systemd", "--daemonize", "no"].map(str::to_owned).to_vec();
        sentinel.env = vec![("NOTIFY_SOCKET".into(), address)];
        sentinel.start();
        wait_for_line(&socket, "READY=1");
        sentinel.signal(Signal::SIGTERM);
        wait_for_line(&socket, "STOPPING=1");
        assert_eq!(sentinel.wait_end(5).code(), Some(0));
    }
}

/// Reads datagrams until one holds a line.
#[track_caller]
fn wait_for_line(socket: &UnixDatagram, line: &str) {
    let mut buffer = [0; 4096];
    let mut all = String::new();
    while !all.lines().any(|l| l == line) {
        let len = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("no {line} after {all:?}: {e}"));
        all += &format!("{}\n", String::from_utf8_lossy(&buffer[..len]));
    }
}

#[test]
fn it_serves_a_unix_socket_and_removes_it() {
    let world = World::new();
    let path = world.path("sentinel.sock");
    let lines = [format!("unixsocket {}", path.display()), "unixsocketperm 700".into()];
    let mut sentinel = lone(&world, &lines);
    sentinel.start();
    assert_eq!(fs::metadata(&path).expect("the socket").mode() & 0o777, 0o700);
    let mut stream = UnixStream::connect(&path).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket option");
    stream.write_all(b"PING\r\n").expect("an open connection");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"+PONG\r\n");
    sentinel.signal(Signal::SIGTERM);
    sentinel.wait_end(5);
    assert!(!path.exists());
}

#[test]
fn a_log_file_may_be_moved_away_at_any_time() {
    let world = World::new();
    let log = world.path("own.log");
    let mut sentinel = lone(&world, &[format!("logfile {}", log.display())]);
    sentinel.start();
    wait_for("the first lines", 5, || text_of(&log).contains("Sentinel ID is "));
    let rotated = world.path("own.log.1");
    fs::rename(&log, &rotated).expect("our own file");
    sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "3"]);
    wait_for("a new file", 5, || text_of(&log).contains("+set master"));
    assert!(!text_of(&rotated).contains("+set master"));
    let pid = sentinel.pid();
    for line in text_of(&log).lines() {
        assert!(line.starts_with(&format!("{pid}:X ")), "{line}");
    }
}

#[test]
fn the_first_lines_of_the_log_are_those_of_the_reference() {
    let world = World::new();
    let mut sentinel = lone(&world, &[]);
    sentinel.start();
    let monitor = format!("# +monitor master {NAME} 127.0.0.1 1 quorum 1");
    wait_for("+monitor", 5, || sentinel.log_text().contains(&monitor));
    let log = sentinel.log_text();
    let mode = format!("* Running mode=sentinel, port={}.", sentinel.port);
    let mut rest = log.lines();
    for part in ["# Configuration loaded", &mode, "# Sentinel ID is ", &monitor] {
        assert!(rest.any(|line| line.contains(part)), "{part:?} is missing, or too early, in:\n{log}");
    }
}

#[test]
fn what_it_writes_is_read_by_the_reference_and_the_other_way_round() {
    let world = World::new();
    let lines = [
        "# a comment of the operator".into(),
        format!("sentinel down-after-milliseconds {NAME} 4000"),
        "sentinel monitor second 127.0.0.1 2 3".into(),
        "sentinel auth-pass second pass#word".into(),
        "SENTINEL deny-scripts-reconfig yes".into(),
        "loglevel verbose".into(),
    ];
    let mut sentinel = lone(&world, &lines);
    for kind in [Kind::Subject, Kind::Reference, Kind::Subject, Kind::Reference] {
        sentinel.program = kind.program();
        sentinel.start();
        let id = sentinel.call(&["SENTINEL", "MYID"]).text();
        assert_eq!(sentinel.call(&["SENTINEL", "FLUSHCONFIG"]), Value::Simple("OK".into()));
        let text = sentinel.conf_text();
        assert!(text.contains("# a comment of the operator\n"), "{text}");
        assert!(text.contains(&format!("sentinel myid {id}\n")), "{text}");
        assert!(text.contains(&format!("sentinel down-after-milliseconds {NAME} 4000\n")), "{text}");
        assert!(text.contains("sentinel auth-pass second pass#word\n"), "{text}");
        assert!(text.contains("loglevel verbose\n"), "{text}");
        let monitors = text.lines().filter(|l| l.starts_with("sentinel monitor ")).count();
        assert_eq!(monitors, 2, "{text}");
        sentinel.kill9();
    }
}

#[test]
fn daemonized_with_a_log_file_it_leaves_its_parent_and_runs_on() {
    let world = World::new();
    let (log, pidfile) = (world.path("own.log"), world.path("own.pid"));
    let mut sentinel = lone(
        &world,
        &[
            "daemonize yes".into(),
            format!("logfile \"{}\"", log.display()),
            format!("pidfile \"{}\"", pidfile.display()),
        ],
    );
    sentinel.spawn();
    assert_eq!(sentinel.wait_end(10).code(), Some(0), "the parent reports success");
    wait_for("the pid file", 10, || text_of(&pidfile).ends_with('\n'));
    let daemon = support::node::Daemon(text_of(&pidfile).trim().parse().expect("a pid"));
    let mut client = loop {
        match Client::connect(sentinel.port) {
            Ok(client) => break client,
            Err(_) => assert!(daemon.is_alive(), "{}", text_of(&log)),
        }
    };
    assert_eq!(client.call(&["PING"]).expect("an answer"), Value::Simple("PONG".into()));
    assert!(text_of(&log).contains(&format!("{}:X ", daemon.0)));
    client.send(&["SHUTDOWN"]).expect("an open connection");
    wait_for("its end", 10, || !daemon.is_alive() && !pidfile.exists());
}

/// The command line as the kernel shows it, without the zeros at its end.
fn title_of(pid: u32) -> String {
    text_of(Path::new(&format!("/proc/{pid}/cmdline"))).trim_end_matches('\0').to_owned()
}

#[test]
fn the_title_is_that_of_the_reference() {
    let world = World::new();
    let socket = world.path("s").display().to_string();
    let scenes: [&[&str]; 5] = [
        &[],
        &["bind -::1 127.0.0.1"],
        &["proc-title-template \"{{x {port} {tls-port} <{unixsocket}> {server-mode} \"", "unixsocket SOCKET"],
        &["proc-title-template \"  {title}  {config-file}  \""],
        &["set-proc-title no"],
    ];
    for scene in scenes {
        let lines: Vec<String> = scene.iter().map(|line| line.replace("SOCKET", &socket)).collect();
        let mut sentinel = lone(&world, &lines);
        // Room for any title, and the same first word for both.
        let called = world.path("redis-sentinel");
        sentinel.args = vec!["--loglevel".into(), "notice".into(), "--syslog-ident".into(), "x".repeat(200)];
        let titles = [Kind::Subject, Kind::Reference].map(|kind| {
            fs::remove_file(&called).ok();
            symlink(kind.program(), &called).expect("a link in our own folder");
            sentinel.program = called.clone();
            sentinel.start();
            let title = title_of(sentinel.pid());
            sentinel.kill9();
            title
        });
        assert_eq!(titles[0], titles[1], "{scene:?}");
    }
}
