//! Configuration files that cannot be understood: each stops the start, and says which line and why.

mod support;

use std::process::Command;

use support::{Kind, World};

/// A file that loads; each case adds one line after it. `PORT` is never listened on: no case gets that far.
const GOOD: &str = "port 0\nsentinel monitor mymaster 127.0.0.1 6379 2\n";
const GOOD_LINES: usize = 2;

/// A line and the reason for which it is refused (spec 1 §2 to §4, in the reference's words).
const CASES: [(&str, &str); 62] = [
    // The grammar of lines.
    ("no-such-directive 1", "Bad directive or wrong number of arguments"),
    ("\"\"", "Bad directive or wrong number of arguments"),
    ("port \"7000", "Unbalanced quotes in configuration line"),
    ("port \"7000\"x", "Unbalanced quotes in configuration line"),
    ("logfile 'it's'", "Unbalanced quotes in configuration line"),
    ("sentinel auth-pass mymaster \"half", "Unbalanced quotes in configuration line"),
    ("port 7000 # the usual one", "wrong number of arguments"),
    ("include", "Bad directive or wrong number of arguments"),
    ("user", "Bad directive or wrong number of arguments"),
    // The values of generic directives.
    ("port", "wrong number of arguments"),
    ("port 7000 7001", "wrong number of arguments"),
    ("port seven", "argument couldn't be parsed into an integer"),
    ("port 07000", "argument couldn't be parsed into an integer"),
    ("port +7000", "argument couldn't be parsed into an integer"),
    ("port 70000", "argument must be between 0 and 65535 inclusive"),
    ("port -1", "argument must be between 0 and 65535 inclusive"),
    ("timeout 1.5", "argument couldn't be parsed into an integer"),
    ("maxclients 0", "argument must be between 1 and"),
    ("databases 0", "argument must be between 1 and"),
    ("io-threads 200", "argument must be between 1 and 128 inclusive"),
    ("daemonize maybe", "argument must be 'yes' or 'no'"),
    ("protected-mode 1", "argument must be 'yes' or 'no'"),
    ("syslog-enabled on", "argument must be 'yes' or 'no'"),
    ("appendonly", "wrong number of arguments"),
    ("loglevel loud", "argument(s) must be one of the following: debug, verbose, notice, warning"),
    ("supervised init", "argument(s) must be one of the following: upstart, systemd, auto, no"),
    ("syslog-facility local9", "argument(s) must be one of the following: "),
    ("maxmemory-policy random", "argument(s) must be one of the following: "),
    ("client-query-buffer-limit lots", "argument must be a memory value"),
    ("client-query-buffer-limit 1.5gb", "argument must be a memory value"),
    ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
    ("unixsocketperm 7777", "argument must be between 0 and 777 inclusive"),
    ("bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
    (
        "client-output-buffer-limit pubsub 32mb 8mb",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit guests 1 1 1",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit pubsub a b c",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    ("dir /no/such/folder", "No such file or directory"),
    ("dbfilename /tmp/dump.rdb", "dbfilename can't be a path, just a filename"),
    ("notify-keyspace-events !", "Invalid event class character."),
    ("save soon", "Invalid save parameters"),
    ("rename-command CONFIG \"\"", "No such command in rename-command"),
    ("rename-command PING SUBSCRIBE", "Target command name already exists"),
    ("replicaof 127.0.0.1 seventy", "Invalid master port"),
    ("user bob nonsense", "Error in user declaration "),
    // The sentinel directives.
    ("sentinel moniter mymaster 127.0.0.1 6379 2", "Unrecognized sentinel configuration statement."),
    ("sentinel monitor", "Unrecognized sentinel configuration statement."),
    ("sentinel quorum mymaster 2", "Unrecognized sentinel configuration statement."),
    ("sentinel monitor other 127.0.0.1 6379 0", "Quorum must be 1 or greater."),
    ("sentinel monitor other 127.0.0.1 6379 -2", "Quorum must be 1 or greater."),
    ("sentinel monitor other 127.0.0.1 70000 2", "Invalid port number"),
    ("sentinel monitor other localhost 6379 2", "Can't resolve instance hostname."),
    ("sentinel monitor mymaster 127.0.0.1 6380 2", "Duplicate master name."),
    ("sentinel down-after-milliseconds nobody 1000", "No such master with specified name."),
    ("sentinel down-after-milliseconds mymaster 0", "negative or zero time parameter."),
    ("sentinel failover-timeout mymaster -1", "negative or zero time parameter."),
    ("sentinel notification-script mymaster /no/such/script", "Notification script seems non existing"),
    ("sentinel client-reconfig-script mymaster /no/such", "Client reconfiguration script seems non existing"),
    ("sentinel myid 1234", "Malformed Sentinel id in myid option."),
    ("sentinel deny-scripts-reconfig perhaps", "Please specify yes or no for the deny-scripts-reconfig"),
    ("sentinel resolve-hostnames perhaps", "Please specify yes or no for the resolve-hostnames option"),
    ("sentinel announce-hostnames perhaps", "Please specify yes or no for the announce-hostnames option"),
    ("sentinel master-reboot-down-after-period mymaster -1", "negative time parameter."),
];

/// Runs the program over a file; returns its exit code and what it said.
fn start(world: &World, name: &str, text: &str) -> (Option<i32>, String) {
    let conf = world.write(name, text);
    // No mistake may be missed by starting in earnest.
    let output = Command::new("timeout")
        .args(["-s", "KILL", "10"])
        .arg(Kind::Subject.program())
        .arg(&conf)
        .output()
        .expect("the program starts");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    (output.status.code(), said)
}

#[test]
fn each_mistake_is_named_with_its_line() {
    let world = World::new();
    let mut problems = Vec::new();
    for (i, (line, reason)) in CASES.iter().enumerate() {
        // Blank lines and comments count.
        let text = format!("{GOOD}\n# a comment\n  {line}  \n");
        let name = format!("case{i}.conf");
        let (code, said) = start(&world, &name, &text);
        let number = GOOD_LINES + 3;
        let place = format!("at line {number}\n>>> '{line}'\n");
        let mut expected = vec!["FATAL CONFIG FILE ERROR".to_owned(), place, (*reason).to_owned()];
        if !Kind::Subject.is_reference() {
            expected.push(name);
        }
        if code != Some(1) || expected.iter().any(|part| !said.contains(part)) {
            problems.push(format!("{line}\n  expected 1 and {expected:?}\n  got {code:?} and {said:?}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn two_lines_that_contradict_each_other_are_refused() {
    let world = World::new();
    let id = "0123456789".repeat(4);
    for (i, (lines, reason)) in [
        (
            "sentinel rename-command mymaster INFO A\nsentinel rename-command mymaster info B".to_owned(),
            "Same command renamed multiple times with rename-command.",
        ),
        (
            format!(
                "sentinel known-sentinel mymaster 127.0.0.1 1 {id}\n\
                 sentinel known-sentinel mymaster 127.0.0.1 2 {id}"
            ),
            "Duplicate runid for sentinel.",
        ),
        ("user bob on\nuser bob off".to_owned(), "Duplicate user found."),
    ]
    .iter()
    .enumerate()
    {
        let (code, said) = start(&world, &format!("pair{i}.conf"), &format!("{GOOD}{lines}\n"));
        assert_eq!(code, Some(1), "{lines}: {said}");
        let second = lines.lines().nth(1).expect("two lines");
        assert!(said.contains(reason), "{lines}: {said}");
        assert!(said.contains(&format!("at line {}\n>>> '{second}'", GOOD_LINES + 2)), "{said}");
    }
}

#[test]
fn a_mistake_in_an_included_file_is_found_there() {
    let world = World::new();
    let part = world.write("part.conf", "loglevel notice\nport many\n");
    let (code, said) = start(&world, "whole.conf", &format!("{GOOD}include {}\n", part.display()));
    assert_eq!(code, Some(1));
    assert!(said.contains("at line 2\n>>> 'port many'"), "{said}");
    if !Kind::Subject.is_reference() {
        assert!(said.contains("part.conf"), "{said}");
    }
    let (code, said) = start(&world, "lost.conf", &format!("{GOOD}include /no/such/file\n"));
    assert_eq!(code, Some(1));
    assert!(said.contains("can't open config file '/no/such/file': No such file or directory"), "{said}");
}

#[test]
fn a_mistake_on_the_command_line_is_shown_as_it_was_understood() {
    let world = World::new();
    let conf = world.write("good.conf", GOOD);
    let output = Command::new(Kind::Subject.program())
        .arg(&conf)
        .args(["--loglevel", "loud"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(">>> 'loglevel \"loud\"'"), "{said}");
}
