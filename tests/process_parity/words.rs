//! What it prints about itself, and what it refuses or leaves on purpose.

use std::path::Path;

use regex::Regex;

use crate::support::node::text_of;
use crate::support::{self, Kind, World, skipped, wait_for};
use crate::{compare, lone};

/// What `--version` and `--help` say may differ in words, not in where, in what shape, and with which status.
#[test]
fn special_options_print_where_the_references_do() {
    let version = Regex::new(
        r"^Redis server v=7\.0\.15 sha=[0-9a-f]{8}:\d malloc=\S+ bits=64 build=[0-9a-f]+( \(.*\))?\n$",
    );
    let version = version.expect("a pattern");
    for words in [
        &["-v"][..],
        &["--version"],
        &["--version", "x.conf", "--port"],
        &["-h"],
        &["--help"],
        &["--help", "x"],
    ] {
        compare(|kind| {
            let output = std::process::Command::new(kind.program()).args(words).output().expect("it starts");
            let (stdout, stderr) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            (
                output.status.code(),
                version.is_match(&stdout),
                stdout.is_empty(),
                stderr.starts_with("Usage: "),
                stderr.is_empty(),
            )
        });
    }
    for option in ["--test-memory", "--check-system"] {
        let output =
            std::process::Command::new(Kind::Subject.program()).arg(option).output().expect("it starts");
        let is_reference = Kind::Subject.is_reference();
        assert!(is_reference || (output.status.code() == Some(1) && !output.stderr.is_empty()), "{output:?}");
    }
}

/// The lines of standard output are plain text to a program, and begin with a picture on a terminal.
#[test]
fn a_picture_takes_the_place_of_a_line() {
    for (lines, on_terminal) in
        [(&["always-show-logo yes"][..], false), (&[], true), (&["logfile {dir}s.log"], true)]
    {
        compare(|kind| {
            let world = World::new();
            let mut sentinel = lone(&world, kind, lines);
            if on_terminal {
                let typescript = world.path("typescript").display().to_string();
                sentinel.prefix =
                    ["sh", "-c", "exec script -qefc \"$*\" \"$0\"", &typescript].map(str::to_owned).to_vec();
            }
            sentinel.start();
            wait_for("the end of the start", 20, || {
                let texts =
                    [sentinel.log_text(), text_of(&world.path("s.log")), text_of(&world.path("typescript"))];
                texts.concat().contains("+monitor")
            });
            let text = [sentinel.log_text(), text_of(&world.path("s.log"))].concat();
            let picture = text.contains(&format!("Port: {}", sentinel.port)) && text.contains("PID: ");
            sentinel.client().send(&["SHUTDOWN"]).expect("an open connection");
            sentinel.wait_end(20);
            (picture, text.contains("Running mode=sentinel, port="))
        });
    }
}

/// A Sentinel whose file asks for what only a data server does. The reference does it.
#[test]
fn what_only_a_data_server_does_is_left() {
    if Kind::Subject.is_reference() {
        skipped("directives of data servers", "the reference follows them");
        return;
    }
    let world = World::new();
    let mut master = world.data("master", &[]);
    master.start();
    let replicaof = format!("replicaof 127.0.0.1 {}", master.port);
    for lines in [
        &[replicaof.as_str(), "appendonly yes"][..],
        &["cluster-enabled yes", "save 1 1", "activedefrag yes"],
    ] {
        let mut sentinel = lone(&world, Kind::Subject, lines);
        sentinel.start();
        sentinel.wait_log("+monitor");
        assert!(sentinel.log_text().contains("* Running mode=sentinel, port="), "{}", sentinel.log_text());
        support::holds_for("the master has no such replica", 1.0, || {
            let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| text_of(Path::new(path))).concat();
            let bus = format!(":{:04X} ", sentinel.port + 10_000);
            let listens = tables.lines().any(|line| line.contains(&bus) && line.contains(" 0A "));
            master.info("replication", "connected_slaves") == "0" && !listens
        });
        assert!(sentinel.conf_text().contains(lines[0]), "the line stays: {}", sentinel.conf_text());
        assert!(!sentinel.conf_text().contains("save "), "{}", sentinel.conf_text());
        sentinel.client().send(&["SHUTDOWN"]).expect("an open connection");
        sentinel.wait_end(20);
        let log = sentinel.log_text();
        assert!(!log.contains("AOF") && log.contains("bye bye..."), "{log}");
        assert!(!world.path("sentinel/nodes.conf").exists());
    }
}

/// Starts that the reference begins, and regrets.
#[test]
fn starts_that_are_refused_on_purpose() {
    if Kind::Subject.is_reference() {
        skipped("starts that only sentineld refuses", "the reference starts");
        return;
    }
    let world = World::new();
    let output =
        std::process::Command::new(Kind::Subject.program()).arg(world.path("")).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("Fatal error, can't open config file '") && said.contains("': Is a directory"),
        "{said}"
    );
    let mut sentinel = lone(&world, Kind::Subject, &["pidfile {dir}s.pid", "user bob on +get"]);
    sentinel.spawn();
    assert_eq!(sentinel.wait_end(20).code(), Some(1));
    assert!(!world.path("s.pid").exists());
}
