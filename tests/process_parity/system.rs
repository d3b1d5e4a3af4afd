//! What it asks of the kernel, and what that shows: sockets, calls, scores, processors, syslog.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex::Regex;

use crate::support::node::text_of;
use crate::support::{self, Kind, Node, World, fake, is_root, skipped, wait_for};
use crate::{compare, lone, status_of};

/// Whether connections to a port can be made until the queue of those that wait is full, and how many.
fn queue_length(sentinel: &Node) -> usize {
    sentinel.freeze();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], sentinel.port));
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "there is no end to it");
    }
    sentinel.thaw();
    waiting.len()
}

#[test]
fn the_backlog_bounds_those_who_wait() {
    compare(|kind| {
        let world = World::new();
        let mut sentinel = lone(&world, kind, &["tcp-backlog 3"]);
        sentinel.start();
        queue_length(&sentinel)
    });
}

/// `strace` in front of a Sentinel; `None` if it can't be used here.
fn traced(world: &World, sentinel: &mut Node, calls: &str) -> Option<PathBuf> {
    let works = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        skipped("system calls", "strace is missing, or may not trace");
        return None;
    }
    let trace = world.path("trace");
    sentinel.prefix = ["strace", "-f", "-qq", "-e", calls, "-o"].map(str::to_owned).to_vec();
    sentinel.prefix.push(trace.display().to_string());
    Some(trace)
}

/// The options of sockets that were set without failing, each once, without the numbers of sockets.
fn options_in(trace: &str) -> Vec<String> {
    let pattern = Regex::new(r"setsockopt\(\d+, (.*), \[?(\d+)\]?, \d+\)\s+= 0").expect("a pattern");
    let mut found: Vec<String> =
        pattern.captures_iter(trace).map(|found| format!("{} {}", &found[1], &found[2])).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn sockets_have_the_same_options() {
    for lines in [
        &["tcp-keepalive 17"][..],
        &["tcp-keepalive 1"],
        &["tcp-keepalive 0"],
        &["bind * -::*"],
        &["socket-mark-id 7"],
    ] {
        if lines[0].contains("mark") && !is_root() {
            skipped("marks of sockets", "they need root");
            continue;
        }
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, lines);
            let Some(trace) = traced(&world, &mut sentinel, "trace=setsockopt") else { return Vec::new() };
            sentinel.start();
            sentinel.call(&["PING"]);
            // The links to the master that does not exist have options of their own.
            let ours = |line: &&str| !line.contains("SO_ERROR");
            let text: String = text_of(&trace).lines().filter(ours).map(|line| format!("{line}\n")).collect();
            options_in(&text)
        });
    }
}

#[test]
fn scores_and_processors() {
    if !is_root() {
        skipped("the score of the process", "lowering it needs root");
        return;
    }
    for lines in [
        &["oom-score-adj absolute", "oom-score-adj-values 300 400 500"][..],
        &["oom-score-adj yes", "oom-score-adj-values 200 0 0"],
        &["oom-score-adj relative", "oom-score-adj-values 2000 0 0"],
        &["oom-score-adj no", "oom-score-adj-values 300 400 500"],
        &["server_cpulist 0"],
        &["server_cpulist 0-1"],
        &["server_cpulist nonsense"],
    ] {
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, lines);
            sentinel.start();
            sentinel.wait_log("+monitor");
            let read = |pid: u32| {
                let score = text_of(Path::new(&format!("/proc/{pid}/oom_score_adj"))).trim().to_owned();
                (score, status_of(pid, "Cpus_allowed_list"))
            };
            // The reference sets its score as the last thing before it serves; so does ours, but on another thread.
            let mut last = read(sentinel.pid());
            support::holds_for("the process runs", 0.3, || {
                last = read(sentinel.pid());
                true
            });
            last
        });
    }
}

/// A place for /dev/log that nobody else sees.
fn with_own_syslog(world: &World, sentinel: &mut Node) -> Option<UnixDatagram> {
    let namespace = if is_root() { "--mount" } else { "-rm" };
    let probe = ["unshare", namespace, "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/dev"];
    let possible = std::process::Command::new(probe[0]).args(&probe[1..]).status();
    if !possible.is_ok_and(|status| status.success()) {
        skipped(
            "lines for syslog",
            "this user may not mount a file system, not even in a namespace of its own",
        );
        return None;
    }
    let socket = world.path("syslog");
    let receiver = UnixDatagram::bind(&socket).expect("a socket");
    receiver.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket option");
    let setup =
        format!("mount -t tmpfs -o size=64k none /dev && ln -s {} /dev/log && exec \"$@\"", socket.display());
    sentinel.prefix = ["unshare", namespace, "sh", "-c", &setup, "sh"].map(str::to_owned).to_vec();
    Some(receiver)
}

#[test]
fn lines_for_syslog_are_the_references() {
    let stamp = Regex::new(r"^(<\d+>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ").expect("a pattern");
    let hidden = Regex::new(r"\b[0-9a-f]{40}\b|\[\d+\]|pid=\d+|port=\d+").expect("a pattern");
    for lines in [
        &["syslog-enabled yes"][..],
        &["syslog-enabled yes", "syslog-ident me", "syslog-facility LOCAL5", "loglevel warning"],
        &["syslog-enabled yes", "syslog-facility user", "logfile {dir}s.log"],
    ] {
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, lines);
            // Both are called by the same name, which their first lines bear.
            let named = world.path("redis-sentinel");
            std::os::unix::fs::symlink(&sentinel.program, &named).expect("a link");
            sentinel.program = named;
            let Some(receiver) = with_own_syslog(&world, &mut sentinel) else { return Vec::new() };
            sentinel.start();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !seen.last().is_some_and(|line: &String| line.contains("+monitor")) {
                let length =
                    receiver.recv(&mut buffer).unwrap_or_else(|error| panic!("{error} after {seen:?}"));
                let line =
                    String::from_utf8_lossy(&buffer[..length]).trim_end_matches(['\0', '\n']).to_owned();
                let line = stamp.replace(&line, "$1<now> ");
                seen.push(hidden.replace_all(&line, "N").into_owned());
            }
            seen.retain(|line| !line.contains("This is sentineld"));
            seen
        });
    }
}

/// The address that a master sees its Sentinel come from.
#[test]
fn links_come_from_the_address_that_was_asked_for() {
    for line in ["bind-source-addr 127.0.0.9", "tcp-backlog 511"] {
        compare(|kind| {
            let world = World::new();
            let master = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = master.local_addr().expect("bound").port();
            let mut sentinel =
                lone(&world, kind, &[line, &format!("sentinel monitor second 127.0.0.1 {port} 1")]);
            sentinel.start();
            let (_, from) = master.accept().expect("a link");
            from.ip().to_string()
        });
    }
}

/// What each connection to a master or a peer begins with, up to the name that it gives itself.
fn beginnings(kind: Kind, lines: &[&str]) -> Vec<String> {
    let heard: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
    let notes = heard.clone();
    let port = fake::start(move |words, out| {
        notes.lock().expect("no panics").push(words.to_vec());
        out.write_all(b"+OK\r\n")
    });
    let world = World::new();
    let lines: Vec<String> = lines.iter().map(|line| line.replace("{fake}", &port.to_string())).collect();
    let mut sentinel = lone(&world, kind, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    sentinel.start();
    let named = || heard.lock().expect("no panics").iter().filter(|words| words[0] == "CLIENT").count();
    // A master has two connections, a peer has one.
    let connections = if lines[0].contains("known-sentinel") { 1 } else { 2 };
    wait_for("every connection to have a name", 30, || named() >= connections);
    let heard = heard.lock().expect("no panics").clone();
    let id = Regex::new("sentinel-[0-9a-f]{8}-").expect("a pattern");
    let first = heard.iter().filter(|words| words[0] == "AUTH" || words[0] == "CLIENT");
    let mut first: Vec<String> =
        first.map(|words| id.replace(&format!("{words:?}"), "ID").into_owned()).collect();
    first.sort();
    first.dedup();
    first
}

#[test]
fn links_begin_with_the_same_words() {
    const MASTER: &str = "sentinel monitor second 127.0.0.1 {fake} 1";
    const PEER: &str =
        "sentinel known-sentinel mymaster 127.0.0.1 {fake} bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    for lines in [
        &[MASTER][..],
        &[MASTER, "sentinel auth-pass second secret"],
        &[MASTER, "sentinel auth-pass second \"\""],
        &[MASTER, "sentinel auth-pass second \"a b\"", "sentinel auth-user second me"],
        &[MASTER, "sentinel auth-user second me"],
        &[MASTER, "requirepass own", "user default on nopass ~* &* +@all"],
        &[PEER],
        &[PEER, "requirepass own", "user default on nopass ~* &* +@all"],
        &[PEER, "sentinel sentinel-pass peers", "requirepass own", "user default on nopass ~* &* +@all"],
        &[PEER, "sentinel sentinel-pass peers", "sentinel sentinel-user peer"],
        &[PEER, "sentinel sentinel-user peer"],
        &[PEER, "sentinel sentinel-user peer", "requirepass own", "user default on nopass ~* &* +@all"],
        &[PEER, "sentinel sentinel-pass \"\""],
    ] {
        compare(|kind| (lines, beginnings(kind, lines)));
    }
}

/// Times in the log are those of the place, whatever the language.
#[test]
fn times_in_the_log_are_local() {
    for (zone, minutes) in [("XYZ-05:45", 345), ("UTC0", 0), ("America/Caracas", -240)] {
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, &[]);
            sentinel.env = [("TZ", zone), ("LC_ALL", "de_DE.UTF-8"), ("LC_TIME", "de_DE.UTF-8")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
            sentinel.start();
            let log = sentinel.log_text();
            let words: Vec<&str> = log.lines().next().expect("a line").split(' ').collect();
            let stamp = words[1..5].join(" ");
            let at = chrono::NaiveDateTime::parse_from_str(&stamp, "%d %b %Y %H:%M:%S%.3f").expect("a time");
            let ahead = (at - chrono::Utc::now().naive_utc()).num_seconds();
            assert!((ahead - 60 * minutes).abs() < 60, "{zone}: {stamp} is {ahead} s ahead of UTC");
        });
    }
}

/// What a client hears that comes from a loopback address of its choice, up to the end of the first sentence about the interface.
fn heard_from(source: &str, sentinel: &Node, words: &str) -> String {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let address = |text: &str| text.parse::<std::net::SocketAddr>().expect("an address").into();
    socket.bind(&address(&format!("{source}:0"))).expect("a loopback address");
    socket.connect(&address(&format!("127.0.0.1:{}", sentinel.port))).expect("a listener");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket option");
    // One that is turned away need not take it.
    let _ = stream.write_all(words.as_bytes());
    let mut text = String::new();
    let mut reader = std::io::BufReader::new(stream);
    let _ = std::io::BufRead::read_line(&mut reader, &mut text);
    let end = text.find("loopback interface.").unwrap_or(text.len());
    text[..end].to_owned()
}

#[test]
fn protected_mode_lets_the_same_clients_in() {
    for lines in [
        &["protected-mode yes"][..],
        &["protected-mode no"],
        &["protected-mode yes", "requirepass x"],
        &["protected-mode yes", "user default on >x ~* &* +@all"],
        &["protected-mode yes", "user default off nopass ~* &* +@all"],
        &[],
    ] {
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, lines);
            sentinel.start();
            let heard = ["127.0.0.1", "127.0.0.2"].map(|source| heard_from(source, &sentinel, "PING\r\n"));
            (heard, sentinel.info("stats", "rejected_connections"))
        });
    }
}

#[test]
fn clients_have_the_same_numbers() {
    compare(|kind| {
        let world = World::new();
        let mut sentinel = lone(&world, kind, &[]);
        // The first was the test's own, which waited for the start.
        sentinel.start();
        [sentinel.call(&["CLIENT", "ID"]), sentinel.call(&["CLIENT", "ID"])]
    });
}
