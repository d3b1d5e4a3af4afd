//! Broken configurations: each is refused with the reference's words, and with the real file, line and what was expected.
//!
//! Where the reference refuses the text too, its report is compared byte for byte. The same table is put to the binary.

mod conf_support;

use conf_support::{Folder, load_file, start, wait};

/// How the reference takes the same text.
#[derive(Clone, Copy, PartialEq)]
enum Reference {
    /// With the same report.
    Same,
    /// Otherwise: it accepts what can't be meant, or does not end.
    Differs,
}
use Reference::{Differs, Same};

/// One broken configuration: its text (`M` is a line that monitors a master `m`), the faulty line, the message, a part of
/// what was expected.
type Case = (&'static str, usize, &'static str, &'static str, Reference);

const WRONG_COUNT: &str = "wrong number of arguments";
const UNKNOWN: &str = "Bad directive or wrong number of arguments";
const NOT_A_NUMBER: &str = "argument couldn't be parsed into an integer";
const UNRECOGNIZED: &str = "Unrecognized sentinel configuration statement.";
const NO_HOST: &str = "Can't resolve instance hostname.";

#[rustfmt::skip]
const GENERIC: &[Case] = &[
    // The shape of lines.
    ("port \"7000", 1, "Unbalanced quotes in configuration line", "every quote to be closed", Same),
    ("\n# x\nport \"7000\"x", 3, "Unbalanced quotes in configuration line", "every quote to be closed", Same),
    ("  port '7000  ", 1, "Unbalanced quotes in configuration line", "every quote to be closed", Same),
    ("port 7000 # the port", 1, WRONG_COUNT, "`port <number>` with a number from 0 to 65535", Same),
    ("port 1\r\n\r\nport\r\n", 3, WRONG_COUNT, "`port <number>`", Same),
    ("prot 7000", 1, UNKNOWN, "this one is unknown", Same),
    ("\"\"", 1, UNKNOWN, "this one is unknown", Same),
    ("\u{feff}port 7000", 1, UNKNOWN, "this one is unknown", Same),
    ("port\u{b}7000", 1, UNKNOWN, "this one is unknown", Same),
    ("port 1\0junk", 1, "NUL byte in configuration line", "seems to be damaged", Differs),
    // Values.
    ("port 70000", 1, "argument must be between 0 and 65535 inclusive", "from 0 to 65535", Same),
    ("port 007", 1, NOT_A_NUMBER, "from 0 to 65535", Same),
    ("port +7", 1, NOT_A_NUMBER, "from 0 to 65535", Same),
    ("port \" 7\"", 1, NOT_A_NUMBER, "from 0 to 65535", Same),
    ("port 0x10", 1, NOT_A_NUMBER, "from 0 to 65535", Same),
    ("maxclients 0", 1, "argument must be between 1 and 4294967295 inclusive", "from 1 to 4294967295", Same),
    ("slowlog-log-slower-than -2", 1, "argument must be between -1 and 9223372036854775807 inclusive", "at least -1", Same),
    ("tcp-backlog -1", 1, "argument must be between 0 and 2147483647 inclusive", "from 0 to 2147483647", Same),
    ("hz x", 1, NOT_A_NUMBER, "from 1 to 500", Same),
    ("daemonize maybe", 1, "argument must be 'yes' or 'no'", "`daemonize yes|no`", Same),
    ("protected-mode \"\"", 1, "argument must be 'yes' or 'no'", "`protected-mode yes|no`", Same),
    ("loglevel loud", 1, "argument(s) must be one of the following: debug, verbose, notice, warning", "`loglevel debug|verbose|notice|warning|nothing`", Same),
    ("supervised launchd", 1, "argument(s) must be one of the following: upstart, systemd, auto, no", "`supervised upstart|systemd|auto|no`", Same),
    ("syslog-facility mail", 1, "argument(s) must be one of the following: user, local0, local1, local2, local3, local4, local5, local6, local7", "`syslog-facility user|local0", Same),
    ("maxmemory 1.5gb", 1, "argument must be a memory value", "a size like 1048576, 1024kb or 1mb", Same),
    ("proto-max-bulk-len 1kb", 1, "argument must be between 1048576 and 9223372036854775807 inclusive", "at least 1mb", Same),
    ("maxmemory-clients -1%", 1, "argument must be a memory or percent value", "a percentage like 5%", Same),
    ("maxmemory-clients 101%", 1, "percentage argument must be less or equal to 100", "a percentage like 5%", Same),
    ("unixsocketperm 9", 1, "argument couldn't be parsed as an octal number", "octal permissions from 0 to 777", Same),
    ("unixsocketperm 1777", 1, "argument must be between 0 and 777 inclusive", "octal permissions from 0 to 777", Same),
    ("dir /nowhere/at/all", 1, "No such file or directory", "a directory that can be entered", Same),
    ("bind a a a a a a a a a a a a a a a a a", 1, "Too many bind addresses specified.", "at most 16 addresses", Same),
    ("client-output-buffer-limit normal 0 0", 1, "Wrong number of arguments in buffer limit configuration.", "`client-output-buffer-limit normal|replica|pubsub", Same),
    ("client-output-buffer-limit master 0 0 0", 1, "Invalid client class specified in buffer limit configuration.", "normal|replica|pubsub", Same),
    ("client-output-buffer-limit normal x 0 0", 1, "Error in hard, soft or soft_seconds setting in buffer limit configuration.", "<soft seconds>", Same),
    ("save 900", 1, "Invalid save parameters", "which a Sentinel ignores", Same),
    ("oom-score-adj-values 1 2", 1, WRONG_COUNT, "from -2000 to 2000", Same),
    ("oom-score-adj-values 1 2 2001", 1, "Invalid oom-score-adj-values, elements must be between -2000 and 2000.", "from -2000 to 2000", Same),
    ("shutdown-on-sigint save nosave", 1, "shutdown options SAVE and NOSAVE can't be used simultaneously", "without both save and nosave", Same),
    ("shutdown-on-sigterm", 1, "argument(s) must be one of the following: default, save, nosave, now, force", "default|save|nosave|now|force", Same),
    ("latency-tracking-info-percentiles 101", 1, "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]", "from 0 to 100", Same),
    ("latency-tracking-info-percentiles 50 x", 1, "Invalid latency-tracking-info-percentiles parameters", "from 0 to 100", Same),
    ("notify-keyspace-events Q", 1, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.", "letters out of", Same),
    ("proc-title-template \"{nonsense}\"", 1, "template format is invalid or contains unknown variables", "{server-mode}", Same),
    ("dbfilename a/b", 1, "dbfilename can't be a path, just a filename", "a bare name", Same),
    ("appendfilename a/b", 1, "appendfilename can't be a path, just a filename", "a bare name", Same),
    ("appenddirname \"\"", 1, "appenddirname can't be empty", "a bare name", Same),
    ("cluster-announce-hostname a_b", 1, "Hostnames may only contain alphanumeric characters, hyphens or dots", "letters, digits, hyphens and dots", Same),
    ("replicaof host", 1, "wrong number of arguments", "which a Sentinel ignores", Same),
    ("replicaof host 70000", 1, "Invalid master port", "which a Sentinel ignores", Same),
    ("slaveof 127.0.0.1 5\ncluster-enabled yes", 0, "replicaof directive not allowed in cluster mode", "not both", Same),
    ("\nlogfile /nowhere/x", 0, "Can't open the log file: No such file or directory", "a file that can be written", Same),
    // Structure.
    ("include a b", 1, UNKNOWN, "`include <path>` with one path", Same),
    ("include", 1, UNKNOWN, "`include <path>` with one path", Same),
    ("loadmodule", 1, UNKNOWN, "`loadmodule <path>", Same),
    ("user", 1, UNKNOWN, "`user <name> [rule...]`", Same),
    ("user bob on\nuser bob on", 2, "Error in user declaration 'bob': Duplicate user found. A user can only be defined once in config files", "each name once", Same),
    ("rename-command PING", 1, UNKNOWN, "`rename-command <command> <new name>`", Same),
    ("rename-command CONFIG \"\"", 1, "No such command in rename-command", "a command of Sentinel mode", Same),
    ("rename-command PING SUBSCRIBE", 1, "Target command name already exists", "a free name", Same),
    ("module.option", 1, "Module config specified without value", "`<module>.<option> <value>`", Same),
    ("list-max-ziplist-entries 1 2", 1, UNKNOWN, "one value, which is ignored", Same),
    ("logfile caf\\xe9 x", 1, WRONG_COUNT, "`logfile <text>`", Same),
    ("pidfile \"caf\\xe9\"", 1, "argument must be UTF-8 text", "`pidfile <text>`", Differs),
];

#[rustfmt::skip]
const SENTINEL: &[Case] = &[
    ("M\nsentinel monitor m2 127.0.0.1 6379 0", 2, "Quorum must be 1 or greater.", "`sentinel monitor <name> <host> <port> <quorum>` with a quorum of 1 or more", Same),
    ("sentinel monitor m 127.0.0.1 6379 two", 1, "Quorum must be 1 or greater.", "a quorum of 1 or more", Same),
    ("sentinel monitor m 127.0.0.1 6379", 1, UNRECOGNIZED, "`sentinel monitor <name>", Same),
    ("sentinel monitor m 127.0.0.1 6379 1 2", 1, UNRECOGNIZED, "`sentinel monitor <name>", Same),
    ("M\n\nM", 3, "Duplicate master name.", "`sentinel monitor <name>", Same),
    ("sentinel monitor m 127.0.0.1 65536 1", 1, "Invalid port number.", "<port>", Same),
    ("sentinel monitor m 127.0.0.1 -1 1", 1, "Invalid port number.", "<port>", Same),
    ("sentinel monitor m db.example 6379 1", 1, NO_HOST, "<host>", Same),
    ("sentinel monitor m 127.0.0.256 6379 1", 1, NO_HOST, "<host>", Same),
    ("sentinel monitor m [::1] 6379 1", 1, NO_HOST, "<host>", Same),
    ("sentinel monitor m \"\" 6379 1", 1, NO_HOST, "<host>", Same),
    ("sentinel quorum 2", 1, UNRECOGNIZED, "this one is unknown", Same),
    ("sentinel \"\"", 1, UNRECOGNIZED, "this one is unknown", Same),
    ("sentinel down-after-milliseconds m 5", 1, "No such master with specified name.", "`sentinel down-after-milliseconds <master> <milliseconds>`", Same),
    ("M\nsentinel down-after-milliseconds m", 2, UNRECOGNIZED, "1 millisecond or more", Same),
    ("M\nsentinel down-after-milliseconds m 0", 2, "negative or zero time parameter.", "1 millisecond or more", Same),
    ("M\nsentinel down-after-milliseconds m soon", 2, "negative or zero time parameter.", "1 millisecond or more", Same),
    ("M\nsentinel failover-timeout m -1", 2, "negative or zero time parameter.", "1 millisecond or more", Same),
    ("M\nsentinel master-reboot-down-after-period m -1", 2, "negative time parameter.", "0 or more", Same),
    ("sentinel parallel-syncs other 1\nM", 1, "No such master with specified name.", "`sentinel parallel-syncs <master> <count>`", Same),
    ("M\nsentinel notification-script m /nowhere/x", 2, "Notification script seems non existing or non executable.", "a file that can be executed", Same),
    ("M\nsentinel client-reconfig-script m /etc/passwd", 2, "Client reconfiguration script seems non existing or non executable.", "a file that can be executed", Same),
    ("M\nsentinel auth-pass m two words", 2, UNRECOGNIZED, "quoted if it has blanks", Same),
    ("M\nsentinel known-replica m 127.0.0.1 70000", 2, "Invalid port number.", "`sentinel known-replica <master> <host> <port>`", Same),
    ("M\nsentinel known-slave m db 1", 2, NO_HOST, "`sentinel known-replica", Same),
    ("M\nsentinel known-sentinel m 127.0.0.1 1 abc\nsentinel known-sentinel m 127.0.0.1 2 abc", 3, "Duplicate runid for sentinel.", "each run id once", Same),
    ("sentinel known-sentinel m 127.0.0.1 1 abc", 1, "No such master with specified name.", "<run id>", Same),
    ("M\nsentinel rename-command m CONFIG a\nsentinel rename-command m config b", 3, "Same command renamed multiple times with rename-command.", "each command once", Same),
    ("M\nsentinel rename-command m CONFIG", 2, UNRECOGNIZED, "<new name>", Same),
    ("sentinel myid short", 1, "Malformed Sentinel id in myid option.", "40 characters", Same),
    ("sentinel deny-scripts-reconfig maybe", 1, "Please specify yes or no for the deny-scripts-reconfig options.", "`sentinel deny-scripts-reconfig yes|no`", Same),
    ("sentinel resolve-hostnames maybe", 1, "Please specify yes or no for the resolve-hostnames option.", "`sentinel resolve-hostnames yes|no`", Same),
    ("sentinel announce-hostnames 1", 1, "Please specify yes or no for the announce-hostnames option.", "`sentinel announce-hostnames yes|no`", Same),
    ("sentinel current-epoch", 1, UNRECOGNIZED, "`sentinel current-epoch <epoch>`", Same),
    // Process-wide lines are evaluated first, and generic directives before any.
    ("M\nsentinel parallel-syncs x 1\nsentinel myid short", 3, "Malformed Sentinel id in myid option.", "40 characters", Same),
    ("sentinel myid short\nport x", 2, NOT_A_NUMBER, "from 0 to 65535", Same),
];

const MONITOR: &str = "sentinel monitor m 127.0.0.1 6379 1";

/// The text of a case, and the report that is expected for it as the file of this path.
fn expected((text, line, message, _, _): &Case) -> (String, String) {
    let text: Vec<&str> = text.split('\n').map(|line| if line == "M" { MONITOR } else { line }).collect();
    let mut report = "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n".to_owned();
    if *line > 0 {
        let blanks = [' ', '\t', '\r', '\n'];
        report += &format!(
            "Reading the configuration file, at line {line}\n>>> '{}'\n",
            text[line - 1].trim_matches(blanks)
        );
    }
    (text.join("\n"), format!("{report}{message}\n"))
}

/// Splits our report into the reference's part and our last line.
fn split_report(report: &str) -> (&str, &str) {
    let end = report.trim_end_matches('\n').rfind('\n').expect("several lines") + 1;
    (&report[..end], report[end..].trim_end_matches('\n'))
}

fn check_last_line(case: &Case, last: &str, path: &str) {
    let (text, line, _, usage, _) = case;
    assert!(last.contains(usage) && last.ends_with('.'), "{text:?}: {last}");
    // Where the report names no line, ours is the one that set the value.
    let start =
        if *line > 0 { format!("In {path}, line {line}: expected ") } else { format!("In {path}, line ") };
    assert!(last.starts_with(&start), "{text:?}: {last}");
}

#[test]
fn every_fault_is_reported_in_the_references_words_and_in_ours() {
    assert!(GENERIC.len() + SENTINEL.len() >= 60);
    let folder = Folder::new();
    for case in GENERIC.iter().chain(SENTINEL) {
        let (text, report) = expected(case);
        let path = folder.file("sentinel.conf", text.as_bytes());
        let error = load_file(&path).map(|_| ()).expect_err(&format!("{text:?} was accepted")).to_string();
        let (first, last) = split_report(&error);
        assert_eq!(first, report, "{text:?}");
        check_last_line(case, last, &path);
    }
}

#[test]
fn the_reference_says_the_same() {
    let folder = Folder::new();
    for case in GENERIC.iter().chain(SENTINEL).filter(|case| case.4 == Same) {
        let (text, report) = expected(case);
        let path = folder.file("sentinel.conf", text.as_bytes());
        let (status, stderr) =
            wait(start("redis-sentinel", &path)).unwrap_or_else(|| panic!("{text:?}: it runs"));
        assert_eq!((status, String::from_utf8_lossy(&stderr).as_ref()), (1, report.as_str()), "{text:?}");
    }
}

#[test]
fn faults_in_included_files_name_the_file() {
    let folder = Folder::new();
    folder.file("part.conf", b"# a part\n\nsentinel monitor m 127.0.0.1 6379 0\n");
    let path = folder.file("sentinel.conf", b"port 1\ninclude part.conf\n");
    let error = load_file(&path).expect_err("a fault in the include").to_string();
    let (first, last) = split_report(&error);
    assert!(
        last.starts_with(&format!("In {}, line 3: expected ", folder.0.join("part.conf").display())),
        "{last}"
    );
    let (status, stderr) = wait(start("redis-sentinel", &path)).expect("it ends");
    assert_eq!((status, String::from_utf8_lossy(&stderr).as_ref()), (1, first));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let path = folder.file("sentinel.conf", b"\ninclude /nowhere/x\n");
    assert_eq!(
        load_file(&path).expect_err("no such include").to_string(),
        format!(
            "Fatal error, can't open config file '/nowhere/x': No such file or directory\n\
             In {path}, line 2: expected a readable file after `include`."
        )
    );
    let missing = folder.0.join("missing.conf").display().to_string();
    assert_eq!(
        load_file(&missing).expect_err("no such file").to_string(),
        format!("Fatal error, can't open config file '{missing}': No such file or directory")
    );
    let directory = folder.0.display().to_string();
    assert!(load_file(&directory).expect_err("a folder").to_string().ends_with("': Is a directory"));
}

/// The whole table again, as an operator meets it.
#[test]
fn the_binary_refuses_to_start() {
    let folder = Folder::new();
    for case in GENERIC.iter().chain(SENTINEL) {
        let (text, report) = expected(case);
        let path = folder.file("sentinel.conf", text.as_bytes());
        let process = start(env!("CARGO_BIN_EXE_sentineld"), &path);
        let (status, stderr) = wait(process).unwrap_or_else(|| panic!("{text:?}: it runs"));
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status, 1, "{text:?}: {stderr}");
        let (first, last) = split_report(&stderr);
        assert_eq!(first, report, "{text:?}");
        check_last_line(case, last, &path);
    }
}
