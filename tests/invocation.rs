//! The same call of redis-sentinel and of sentineld: what both print, how both end, and which files they leave behind.
//!
//! A call that starts a Sentinel is ended by SIGTERM once it answers. Process ids, times, ports and folders are hidden; nothing else is.

mod invocation_support;
mod support;

use invocation_support::{Call, compare, compare_all};
use support::{is_root, skipped};

const MONITOR: &str = "port {port}\nsentinel monitor mymaster 127.0.0.1 1 1\n";

#[test]
fn calls_without_a_file_are_refused() {
    compare_all(&[
        Call::new(&[]),
        Call::new(&["--sentinel"]),
        Call::new(&["--port", "{port}"]),
        Call::new(&["--port", "x"]),
        Call::new(&["--port {port}"]),
        Call::new(&["-x"]),
        Call::new(&["-"]).input("port {port}\n"),
        Call::new(&["-", "--port", "x"]).input("hz 1\n"),
        Call::new(&["-"]).input("port"),
        Call::new(&["--port", "{port}", "-"]).input("hz 1\nport x\n"),
    ]);
}

#[test]
fn files_that_cannot_be_used_are_refused() {
    compare_all(&[
        Call::new(&["missing.conf"]),
        Call::new(&["./missing.conf", "--port", "x"]),
        Call::new(&["{dir}/sub/../missing.conf"]),
        Call::new(&["s*.conf"]).conf(MONITOR),
        Call::new(&["none*.conf"]).conf(MONITOR),
        Call::new(&["s.conf"]).conf("port {port}\ninclude missing.conf\n"),
        Call::new(&["s.conf"]).conf("logfile here.log\ninclude missing.conf\n"),
        Call::new(&["s.conf"]).conf("logfile here.log\nloglevel warning\nsentinel monitor m nowhere 1 1\n"),
    ]);
}

#[test]
fn options_are_lines_after_those_of_the_file() {
    let call = |args: &[&'static str]| Call::new(&[&["s.conf"], args].concat()).conf(MONITOR);
    compare_all(&[
        call(&["--version"]),
        call(&["-v"]),
        call(&["--help"]),
        call(&["--port"]),
        call(&["--port", "--loglevel", "debug"]),
        call(&["--port", "1", "2"]),
        call(&["--port", "1", "--hz"]),
        call(&["--", "x"]),
        call(&["--sentinel", "--sentinel", "bogus"]),
        call(&["--requirepass", "a\"b\\", "--port", "x"]),
        call(&["--save", "--port", "x"]),
        call(&["--save"]).args(&["--port", "x"]),
        call(&["-", "--port", "x"]).input("hz 1\n"),
        call(&["--port", "x", "-"]).input("hz 1\n\ntimeout 5"),
        call(&["-"]).input("\n\nhz x\n"),
    ]);
}

/// A last `-` that is not the only one, options that are values, one word with blanks, and words without dashes.
#[test]
fn options_in_every_shape_start_it() {
    let call = |args: &[&'static str]| {
        Call::new(&[&["s.conf"], args].concat())
            .conf("sentinel monitor mymaster 127.0.0.1 1 1\n")
            .but("Accepted ")
            .but("Client closed connection")
    };
    compare_all(&[
        call(&["--port", "{port}"]),
        call(&["--port {port}", "--loglevel", "verbose"]),
        call(&["port", "{port}"]),
        call(&["--sentinel", "--port", "{port}"]),
        call(&["--port", "{port}", "--sentinel"]),
        call(&["--port", "{port}", "--sentinel", "monitor", "second", "127.0.0.1", "2", "2"]).but("+monitor"),
        call(&["--syslog-ident", "-", "--port", "{port}"]),
        call(&["-"]).input("port {port}\n"),
        call(&["--port", "{port}", "--loglevel", "warning", "-"]).input("loglevel debug\nport 1\n"),
        call(&["--PORT", "{port}"]),
    ]);
}

/// How the file was named does not change which file it is, also when a directive changes the folder.
#[test]
fn the_file_is_found_from_anywhere() {
    let conf = "dir sub\nport {port}\nsentinel monitor mymaster 127.0.0.1 1 1\n";
    let call = |path: &'static str| Call::new(&[path]).conf(conf).folder("sub").asks("config_file");
    compare_all(&[
        call("s.conf"),
        call(" ./s.conf\n"),
        call("{dir}/s.conf"),
        call("../{base}/s.conf"),
        call("sub/../s.conf"),
    ]);
}

#[test]
fn what_is_wrong_with_sentinel_lines_is_also_in_the_log() {
    compare_all(&[
        Call::new(&["s.conf"]).conf("port {port}\nsentinel monitor m no.such.host 1 1\n"),
        Call::new(&["s.conf"]).conf("sentinel monitor m 127.0.0.1 1 1\nsentinel known-replica m nobody 1\n"),
        Call::new(&["s.conf"])
            .conf("sentinel monitor m 127.0.0.1 1 1\nsentinel known-sentinel m nobody 1 x\n"),
        Call::new(&["s.conf"]).conf("sentinel monitor m 127.0.0.1 65536 1\n"),
    ]);
}

#[test]
fn users_that_cannot_be_loaded_stop_the_start() {
    let call = |lines: &str| Call::new(&["s.conf"]).conf(&format!("{MONITOR}{lines}\n"));
    compare_all(&[
        call("user bob foo"),
        call("user bob on foo"),
        call("user bob on >x ~* foo +@all"),
        call("user bob on ~* ~x"),
        call("user bob on +@nonsense"),
        call("user bob on +get"),
        call("user bob on -multi"),
        call("user bob on +config|get"),
        call("user bob on +client|nonsense"),
        call("user bob on (+ping"),
        call("user bob on #abc"),
        call("user \"b b\" on"),
        call("user bob on +@write -@scripting +@all -ping\nuser bob on"),
        call("aclfile missing.acl"),
        call("aclfile users.acl").file("users.acl", "user bob on\nusre x\nuser y on +get\nuser bob on\n"),
        call("aclfile users.acl").file("users.acl", "user\nuser x on ~* ~y\n"),
    ]);
    // What follows this text is free: it gives advice.
    compare_all(&[call("aclfile users.acl\nuser bob on")
        .file("users.acl", "")
        .cut("an ACL file path is invalid.")]);
}

#[test]
fn users_that_can_be_loaded_are_remarked_upon_in_their_turn() {
    let call = |lines: &str| Call::new(&["s.conf"]).conf(&format!("{MONITOR}{lines}\n"));
    compare_all(&[
        call("user bob"),
        call("user bob on >x +@all -@dangerous ~* &x\nuser carol off\nuser default on >y ~* &* +@all")
            .password("y"),
        call("maxmemory 5\nuser bob off"),
        call("maxmemory 1mb"),
    ]);
}

#[test]
fn places_to_listen_at() {
    let call = |lines: &str| {
        Call::new(&["s.conf"])
            .conf(&format!("sentinel monitor mymaster 127.0.0.1 1 1\npidfile s.pid\n{lines}\n"))
    };
    let port = |lines: &str| call(&format!("port {{port}}\n{lines}"));
    compare_all(&[
        call("port 0"),
        port("bind \"\""),
        port("bind"),
        port("bind 203.0.113.1"),
        port("bind -203.0.113.1"),
        port("bind 127.0.0.1 203.0.113.1"),
        port("bind 127.0.0.1 -203.0.113.1"),
        port("bind no.such.host.invalid"),
        port("bind -no.such.host.invalid 127.0.0.1"),
        port("bind 127.0.0.1 127.0.0.1"),
        port("bind localhost"),
        port("bind *"),
        port("bind 127.0.0.1 -::1"),
        port("bind * -::*"),
        port(""),
        port("bind 127.0.0.1").taken(),
        port("bind -127.0.0.1").taken(),
        port("daemonize no\nsupervised no").taken(),
        call("port 0\nunixsocket nowhere/s.sock"),
        call(&format!("port 0\nunixsocket {}", "x".repeat(108))),
        port("bind 127.0.0.1\nunixsocket s.sock\nunixsocketperm 750").file("s.sock", "left behind"),
        port("tcp-backlog 100000"),
    ]);
}

#[test]
fn levels_choose_the_lines() {
    let call = |lines: &str| Call::new(&["s.conf"]).conf(&format!("{MONITOR}{lines}\n"));
    compare_all(&[
        call("loglevel warning"),
        call("loglevel notice\nsentinel myid aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        call("logfile s.log"),
        call("logfile stdout"),
        call("logfile s.log\nloglevel WARNING"),
        call("pidfile nowhere/x.pid"),
        Call::new(&["s.conf"]).conf("port {port}\n"),
    ]);
}

#[test]
fn supervisors_are_told() {
    let call = |word: &str, env: &[(&'static str, &'static str)]| {
        let conf = format!("{MONITOR}loglevel verbose\npidfile s.pid\nsupervised {word}\n");
        Call::new(&["s.conf"]).conf(&conf).env(env).but("Client closed connection").but("Accepted ")
    };
    const SYSTEMD: (&str, &str) = ("NOTIFY_SOCKET", "{dir}/notify");
    const ABSTRACT: (&str, &str) = ("NOTIFY_SOCKET", "@{dir}/notify");
    const UPSTART: (&str, &str) = ("UPSTART_JOB", "redis");
    compare_all(&[
        call("no", &[SYSTEMD, UPSTART]),
        call("systemd", &[SYSTEMD]),
        call("systemd", &[ABSTRACT]),
        call("systemd", &[]),
        call("systemd", &[("NOTIFY_SOCKET", "{dir}/nobody")]),
        call("upstart", &[UPSTART]),
        call("upstart", &[SYSTEMD]),
        call("auto", &[SYSTEMD]),
        call("auto", &[UPSTART, SYSTEMD]),
        call("auto", &[]),
        // Supervised, it stays in the foreground.
        call("systemd\ndaemonize yes\nlogfile s.log", &[SYSTEMD]),
    ]);
}

#[test]
fn limits_of_open_files() {
    if !is_root() {
        skipped(
            "limits of open files",
            "it needs root, to start processes with other limits as another user",
        );
        return;
    }
    let call = |limits: &'static str, lines: &str| {
        let conf = format!("{MONITOR}{lines}\n");
        Call::new(&["s.conf"]).conf(&conf).by_nobody().prefix(&["prlimit", limits]).keeps("maxclients")
    };
    compare_all(&[
        call("--nofile=4096:4096", ""),
        call("--nofile=4096:4096", "maxclients 4064"),
        call("--nofile=4096:4096", "maxclients 4065"),
        call("--nofile=1024:4096", ""),
        call("--nofile=1024:20000", ""),
        call("--nofile=32:32", "maxclients 100"),
    ]);
}

/// What is created follows the umask of the start, and what was there is cut off.
#[test]
fn files_have_the_modes_of_the_references() {
    let conf = format!("{MONITOR}logfile s.log\npidfile s.pid\nunixsocket s.sock\n");
    for umask in ["umask 007", "umask 022", "umask 077"] {
        compare(
            &Call::new(&["s.conf"])
                .conf(&conf)
                .file("s.pid", "99999999999\nold\n")
                .setup(umask)
                .watches(&["s.log", "s.pid", "s.sock"]),
        );
    }
}

/// Relative paths are below the folder in force: that of the start, or that of the last `dir`.
#[test]
fn relative_paths_are_below_the_folder_in_force() {
    let names = ["s.log", "s.pid", "s.sock", "sub/s.log", "sub/s.pid", "sub/s.sock", "sub/users.acl"];
    let call = |lines: &str| {
        Call::new(&["s.conf"]).conf(&format!("{MONITOR}{lines}\n")).folder("sub").watches(&names)
    };
    let relative = "logfile s.log\npidfile s.pid\nunixsocket s.sock\naclfile users.acl";
    compare_all(&[
        call(relative).file("users.acl", "user default on nopass ~* &* +@all\n"),
        call(&format!("{relative}\ndir sub")).file("sub/users.acl", "user default on nopass ~* &* +@all\n"),
        call(&format!("dir sub\n{relative}")).file("sub/users.acl", "user default on nopass ~* &* +@all\n"),
    ]);
}
