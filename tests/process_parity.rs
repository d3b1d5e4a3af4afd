//! redis-sentinel and sentineld seen from outside: signals, the background, sockets, system calls, syslog, scores and processors.
//!
//! Each test writes down the same facts of both programs and compares them.

mod support;

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use regex::Regex;
use support::node::{Daemon, text_of};
use support::{Client, Kind, Node, Value, World, is_root, skipped, wait_for};

/// Compares what a function finds out about each program.
#[track_caller]
fn compare<T: PartialEq + std::fmt::Debug>(observe: impl Fn(Kind) -> T) {
    let theirs = observe(Kind::Reference);
    assert_eq!(observe(Kind::Subject), theirs, "ours is left, theirs is right");
}

/// A Sentinel of a kind with one master that does not exist, not yet running.
fn lone(world: &World, kind: Kind, lines: &[&str]) -> Node {
    let mut all = vec!["sentinel monitor mymaster 127.0.0.1 1 1".to_owned()];
    all.extend(lines.iter().map(|line| line.replace("{dir}", &world.path("").display().to_string())));
    world.sentinel("sentinel", kind, &all)
}

/// One field of /proc/PID/status.
fn status_of(pid: u32, field: &str) -> String {
    let text = text_of(Path::new(&format!("/proc/{pid}/status")));
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn signals_end_it_or_do_not() {
    for signal in
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGABRT]
    {
        compare(|kind| {
            let world = World::new();
            let mut sentinel =
                lone(&world, kind, &["pidfile {dir}s.pid", "unixsocket {dir}s.sock", "crash-log-enabled no"]);
            sentinel.start();
            for harmless in [Signal::SIGHUP, Signal::SIGALRM, Signal::SIGPIPE] {
                sentinel.signal(harmless);
                assert_eq!(sentinel.call(&["PING"]), Value::Simple("PONG".into()), "{harmless} does no harm");
            }
            sentinel.signal(signal);
            let status = sentinel.wait_end(20);
            let left = ["s.pid", "s.sock"].map(|name| world.path(name).exists());
            format!("{signal}: {status}, left {left:?}")
        });
    }
}

/// Two signals in a row: the second SIGINT does not wait for the end that the first began.
#[test]
fn the_same_signal_twice() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, &[]);
            sentinel.start();
            // Frozen, it gets both before it can act upon one. Of equal signals the kernel keeps one only.
            sentinel.freeze();
            sentinel.signal(signal);
            sentinel.thaw();
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(sentinel.pid() as i32), signal);
            let status = sentinel.wait_end(20);
            let log = sentinel.log_text();
            let insisted = log.contains("You insist... exiting now.");
            // Which of both comes first is a matter of luck for SIGINT; each end has its own status.
            assert_eq!(status.code(), Some(i32::from(insisted)), "{log}");
            (signal == Signal::SIGTERM).then_some(insisted)
        });
    }
}

#[test]
fn in_the_background_it_is_a_process_like_the_references() {
    compare(|kind| {
        let world = World::new();
        let mut sentinel = lone(&world, kind, &["daemonize yes", "logfile {dir}s.log", "pidfile {dir}s.pid"]);
        // The title of the reference names the program as it was called; the name of the process is that of the file.
        let named = world.path("redis-sentinel");
        std::os::unix::fs::symlink(&sentinel.program, &named).expect("a link");
        sentinel.program = named;
        sentinel.prefix = ["sh", "-c", "umask 027; exec \"$@\"", "sh"].map(str::to_owned).to_vec();
        sentinel.spawn();
        assert_eq!(sentinel.wait_end(20).code(), Some(0), "the parent reports success");
        wait_for("the pid file", 20, || text_of(&world.path("s.pid")).ends_with('\n'));
        let daemon = Daemon(text_of(&world.path("s.pid")).trim().parse().expect("a pid"));
        wait_for("an answer", 20, || sentinel.try_call(&["PING"]).is_some());
        let proc = PathBuf::from(format!("/proc/{}", daemon.0));
        let link = |name: &str| fs::read_link(proc.join(name)).unwrap_or_default().display().to_string();
        let stat = text_of(&proc.join("stat"));
        let numbers: Vec<&str> = stat.rsplit(')').next().expect("a state").split_whitespace().collect();
        // Process group and session are its own, so it has no terminal.
        let own = daemon.0.to_string();
        let facts = format!(
            "group {} session {} terminal {} streams {:?} umask {} folder {} comm {}",
            numbers[2] == own,
            numbers[3] == own,
            numbers[4],
            ["fd/0", "fd/1", "fd/2"].map(link),
            status_of(daemon.0, "Umask"),
            link("cwd") == world.path("sentinel").display().to_string(),
            text_of(&proc.join("comm")).trim(),
        );
        let log = text_of(&world.path("s.log"));
        assert!(log.lines().all(|line| line.starts_with(&format!("{own}:X "))), "{log}");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon.0 as i32), Signal::SIGTERM)
            .expect("our own process");
        wait_for("its end", 20, || !daemon.is_alive());
        let handler = text_of(&world.path("s.log")).contains(":signal-handler (");
        (facts, handler, world.path("s.pid").exists(), sentinel.log_text())
    });
}

/// Errors before the fork are the caller's to see; a port that is taken is found after it.
#[test]
fn what_the_parent_of_a_daemon_reports() {
    compare(|kind| {
        let mut seen = Vec::new();
        for line in ["port x", "include missing", "port {port}", "supervised upstart"] {
            let world = World::new();
            let taken = support::port::reserve();
            let _listener = std::net::TcpListener::bind(("127.0.0.1", taken)).expect("a reserved port");
            let line = line.replace("{port}", &taken.to_string());
            let mut sentinel =
                lone(&world, kind, &["daemonize yes", "logfile {dir}s.log", "pidfile {dir}s.pid", &line]);
            sentinel.spawn();
            let code = sentinel.wait_end(20).code();
            if line == "supervised upstart" {
                wait_for("the pid file", 20, || text_of(&world.path("s.pid")).ends_with('\n'));
                drop(Daemon(text_of(&world.path("s.pid")).trim().parse().expect("a pid")));
            } else if code == Some(0) {
                wait_for("the reason in the log", 20, || text_of(&world.path("s.log")).contains("aborting."));
            }
            seen.push((code, world.path("s.pid").exists()));
        }
        seen
    });
}

/// Without a log file a daemon has nowhere to write to, not even the line of a signal handler.
#[test]
fn a_daemon_without_a_log_file_is_silent() {
    compare(|kind| {
        let world = World::new();
        let mut sentinel = lone(&world, kind, &["daemonize yes", "pidfile {dir}s.pid"]);
        sentinel.spawn();
        let code = sentinel.wait_end(20).code();
        wait_for("the pid file", 20, || text_of(&world.path("s.pid")).ends_with('\n'));
        let daemon = Daemon(text_of(&world.path("s.pid")).trim().parse().expect("a pid"));
        wait_for("an answer", 20, || sentinel.try_call(&["PING"]).is_some());
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon.0 as i32), Signal::SIGTERM)
            .expect("our own process");
        wait_for("its end", 20, || !daemon.is_alive());
        (code, sentinel.log_text())
    });
}

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

/// Debian's unit kills a process that makes one of these calls, unless a directive asks for it.
#[test]
fn calls_that_a_strict_service_forbids_are_not_made() {
    let world = World::new();
    let mut sentinel =
        lone(&world, Kind::Subject, &["maxclients 100", "pidfile {dir}s.pid", "unixsocket {dir}s.sock"]);
    let calls = "trace=chown,fchown,lchown,fchownat,setuid,setgid,setreuid,setregid,setresuid,setresgid,setgroups,setrlimit,\
                 prlimit64,setpriority,sched_setaffinity,sched_setscheduler,mbind,set_mempolicy,chroot,mount,ptrace,socket";
    let Some(trace) = traced(&world, &mut sentinel, calls) else { return };
    if is_root() {
        // As root it may give the file back to its owner; as in the service it is nobody special.
        sentinel
            .prefix
            .splice(0..0, ["--reuid", "65534", "--regid", "65534", "--clear-groups"].map(str::to_owned));
        let copy = world.folder("bin").join("sentineld");
        let copied = std::process::Command::new("cp").arg(&sentinel.program).arg(&copy).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy that everybody may read");
        sentinel.program = copy;
        for path in [world.path(""), world.path("sentinel"), sentinel.conf.clone()] {
            std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).expect("root may give files away");
        }
    }
    sentinel.start();
    assert_eq!(sentinel.call(&["SENTINEL", "FLUSHCONFIG"]), Value::Simple("OK".into()));
    sentinel.client().send(&["SHUTDOWN"]).expect("an open connection");
    sentinel.wait_end(20);
    let text = text_of(&trace);
    assert!(text.contains("socket(AF_INET, "), "{text}");
    let query = |line: &&str| line.contains("prlimit64(") && line.contains(", NULL, ");
    let plain =
        |line: &&str| ["(AF_INET, ", "(AF_INET6, ", "(AF_UNIX, "].iter().any(|family| line.contains(family));
    let calls = text.lines().filter(|line| line.contains('('));
    let forbidden: Vec<&str> = calls.filter(|line| !query(line) && !plain(line)).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
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

/// Clients that were accepted before the end are cut off, and no new one gets in.
#[test]
fn an_end_closes_every_connection() {
    compare(|kind| {
        let world = World::new();
        let mut sentinel = lone(&world, kind, &[]);
        sentinel.start();
        let mut clients: Vec<Client> = (0..3).map(|_| sentinel.client()).collect();
        clients[0].call(&["SUBSCRIBE", "x"]).expect("an answer");
        sentinel.signal(Signal::SIGTERM);
        let status = sentinel.wait_end(20);
        let ends: Vec<_> = clients.iter_mut().map(Client::read_all).collect();
        (status.code(), ends)
    });
}
