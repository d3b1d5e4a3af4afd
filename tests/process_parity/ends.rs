//! How it ends, and how it goes into the background.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::support::node::{Daemon, text_of};
use crate::support::{self, Client, Value, World, wait_for};
use crate::{compare, lone, status_of};

#[test]
fn signals_end_it_or_do_not() {
    for signal in
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGABRT]
    {
        compare(|kind| {
            let world = World::new();
            let mut sentinel =
                lone(&world, kind, &["pidfile {dir}s.pid", "unixsocket {dir}s.sock", "crash-log-enabled no"]);
            // A shell that starts the tests in the background has SIGQUIT ignored, and children inherit that.
            sentinel.prefix = vec!["env".into(), "--default-signal".into()];
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

/// Somebody else has removed what the end wants to remove.
#[test]
fn an_end_after_its_files_are_gone() {
    compare(|kind| {
        let world = World::new();
        let mut sentinel = lone(&world, kind, &["pidfile {dir}s.pid", "unixsocket {dir}s.sock"]);
        sentinel.start();
        sentinel.wait_log("+monitor");
        for name in ["s.pid", "s.sock"] {
            fs::remove_file(world.path(name)).expect("it was made");
        }
        sentinel.signal(Signal::SIGTERM);
        let status = sentinel.wait_end(20);
        let log = sentinel.log_text();
        let end = log.lines().skip_while(|line| !line.contains("User requested shutdown"));
        let texts: Vec<String> =
            end.map(|line| line.splitn(6, ' ').last().unwrap_or_default().to_owned()).collect();
        (status.code(), texts)
    });
}
