//! Which values and lines are accepted, and in what words others are refused: asked of redis-sentinel for every directive there is.
//!
//! Each text ends with a line that nobody accepts. So the reference always leaves with a report, and the line that the report names
//! tells how far it came.

mod conf_support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use conf_support::{Folder, load_file, start, wait};
use sentineld::conf::directive::{self, Directive, Kind};

/// How many references are started at once.
const AT_ONCE: usize = 3;

/// Reports of both sides for one text, as the file `sentinel.conf` in a folder of its own; ours without its last line.
fn reports(text: &[u8], others: &[(&str, &[u8])]) -> (String, String) {
    let folder = Folder::new();
    for (name, content) in others {
        folder.file(name, content);
    }
    let path = folder.file("sentinel.conf", text);
    let ours = load_file(&path).map(|_| ()).expect_err("the last line is wrong").to_string();
    let end = ours.trim_end_matches('\n').rfind('\n').expect("several lines") + 1;
    let Some((status, theirs)) = wait(start("redis-sentinel", &path)) else {
        return (ours[..end].to_owned(), "<it runs>".to_owned());
    };
    assert_eq!(status, 1, "{text:?}");
    (ours[..end].to_owned(), String::from_utf8_lossy(&theirs).into_owned())
}

/// Puts every text to both sides, and shows all that differ.
#[track_caller]
fn compare(texts: &[String]) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (ours, theirs) = reports(text.as_bytes(), &[]);
                    if ours != theirs {
                        wrong
                            .lock()
                            .expect("no panics")
                            .push(format!("{text:?}\n ours: {ours}\n theirs: {theirs}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panics");
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), texts.len(), wrong.join("\n"));
}

const END: &str = "end-of-test";

/// Directives whose values do something while they are read, or whose names Redis 7.0 does not know.
fn is_compared(row: &&Directive) -> bool {
    !row.newer && !["dir", "logfile", "replicaof", "save", "bind", "activedefrag"].contains(&row.name)
}

/// Values at the edge of what is accepted, on the wrong side of it.
fn refused_values(row: &Directive) -> Vec<String> {
    let mut values: Vec<String> = match row.kind {
        Kind::YesNo => vec!["1".into()],
        Kind::Word { .. } => vec!["bogus".into()],
        Kind::Int { min, max } => vec![(i128::from(min) - 1).to_string(), (i128::from(max) + 1).to_string()],
        Kind::Hz => vec!["-1".into(), "2147483648".into(), "1.5".into()],
        Kind::Memory { min } if min > 0 => vec![(min - 1).to_string(), "1tb".into()],
        Kind::Memory { .. } => vec!["-1".into()],
        Kind::MemoryOrPercent => vec!["101%".into(), "1%%".into(), "x".into()],
        Kind::Octal { max } => vec![format!("{:o}", max + 1), "8".into(), "-1".into()],
        _ => Vec::new(),
    };
    if !row.kind.takes_many() {
        values.push("a b".into());
    }
    values
}

/// Values at the edge of what is accepted, on the right side of it.
fn accepted_values(row: &Directive) -> Vec<String> {
    let texts = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
    match row.kind {
        Kind::YesNo => texts(&["yes", "NO"]),
        Kind::Word { listed, .. } => listed.iter().map(|word| word.to_uppercase()).collect(),
        Kind::Int { min, max } => vec![min.to_string(), max.to_string()],
        Kind::Hz => texts(&["0", "2147483647"]),
        Kind::Memory { min } => {
            vec![min.to_string(), "1gb".into(), "1048577B".into(), "9000000k".into(), "1024MB".into()]
        }
        Kind::MemoryOrPercent => texts(&["0%", "100%", "1m"]),
        Kind::Octal { .. } => texts(&["0", "0777", "\"\""]),
        _ => Vec::new(),
    }
}

#[test]
fn every_directive_refuses_what_the_reference_refuses() {
    let texts: Vec<String> = directive::all()
        .filter(is_compared)
        .flat_map(|row| refused_values(row).into_iter().map(|value| format!("{} {value}\n{END}\n", row.name)))
        .collect();
    assert!(texts.len() > 350, "{} texts", texts.len());
    compare(&texts);
}

#[test]
fn every_directive_accepts_what_the_reference_accepts() {
    let lines: Vec<String> = directive::all()
        .filter(is_compared)
        .flat_map(|row| {
            let names = row.aliases.iter().filter(|name| !is_newer(name)).chain([&row.name]);
            names
                .flat_map(|name| accepted_values(row).into_iter().map(move |value| format!("{name} {value}")))
        })
        .collect();
    assert!(lines.len() > 350, "{} lines", lines.len());
    // One text for all, so the number of the last line tells that none was refused.
    compare(&[format!("{}\n{END}\n", lines.join("\n"))]);
}

/// An alias by which Redis 7.0 does not know a directive.
fn is_newer(alias: &str) -> bool {
    alias.ends_with("-cpulist") || alias.starts_with("primary")
}

/// Lines that are accepted though they look odd.
const ODD_LINES: &[&str] = &[
    // Words and quotes.
    "\"port\" 7000",
    "'PORT' '7000'",
    "\t port \x0c 7000 \r",
    "port\r7000",
    "syslog-ident a\x0bb",
    "syslog-ident ab\"c d\"",
    "syslog-ident 'it\\'s'",
    "syslog-ident \"\\x41\\n\\q\"",
    "syslog-ident a\\b",
    "syslog-ident #",
    "   # indented",
    "proc-title-template \"{title} {{ {port}\"",
    // Several values in one word, and several words.
    "bind \"127.0.0.1 -::1\"",
    "bind",
    "bind \"\"",
    "bind a b c d e f g h i j k l m n o p",
    "save",
    "save \"\"",
    "save 900 1 60 100",
    "save \"900 1\"",
    "client-output-buffer-limit",
    "client-output-buffer-limit SLAVE 1mb 1 1 Normal 0 0 0",
    "oom-score-adj-values \"-2000 0 2000\"",
    "shutdown-on-sigint now FORCE",
    "shutdown-on-sigterm \"save now\"",
    "notify-keyspace-events \"\"",
    "notify-keyspace-events AKE",
    "latency-tracking-info-percentiles",
    "latency-tracking-info-percentiles 0 100 1e1",
    "replicaof no one",
    "slaveof 10.0.0.1 6379",
    // Structure.
    "include nothing-*.conf",
    "include \"none[x]\"",
    "loadmodule /nowhere.so with words",
    "module.option value",
    "a.b c d",
    "list-max-ziplist-entries 512",
    "list-max-ziplist-value x",
    "lua-replicate-commands yes",
    "sentinel",
    "SENTINEL",
    "user bob",
    "user carol on >secret ~* &* +@all",
    "user \"with blank\" on",
    "rename-command SHUTDOWN \"\"",
    "rename-command ping Pong",
    "rename-command PONG again",
];

#[test]
fn odd_lines_are_accepted() {
    let long = format!("syslog-ident {}", "x".repeat(100_000));
    let text = format!("{}\n{long}\n{END}\n", ODD_LINES.join("\n"));
    let (ours, theirs) = reports(text.as_bytes(), &[]);
    assert_eq!(ours, theirs);
    assert!(ours.contains(&format!("at line {}\n", ODD_LINES.len() + 2)), "{ours}");
}

/// `sentinel` lines that are accepted though they look odd, in an order that is none.
const ODD_STATEMENTS: &[&str] = &[
    "down-after-milliseconds m 3000x",
    "Failover-Timeout m 1",
    "parallel-syncs m -5",
    "parallel-syncs m 0",
    "parallel-syncs m many",
    "MONITOR m 127.1 abc 2x",
    "monitor \"my group\" ::1 0 1",
    "monitor * 10.0.0.1 65535 1",
    "monitor \"\" 0x7f.1 6379 1",
    "monitor m% fe80::1%lo 6379 1",
    "notification-script m /tmp",
    "notification-script m /bin/true",
    "client-reconfig-script m /bin/true",
    "auth-pass m \"\"",
    "auth-pass m \"a b\\xff\"",
    "auth-user m \"\"",
    "master-reboot-down-after-period m 0",
    "master-reboot-down-after-period m soon",
    "config-epoch m 7x",
    "config-epoch m none",
    "leader-epoch \"my group\" 18446744073709551615",
    "known-replica m 127.0.0.1 0",
    "known-slave m 127.0.0.1 70",
    "known-sentinel nobody 127.0.0.1 70",
    "known-sentinel m nowhere 1",
    "known-sentinel m 127.0.0.1 70 \"any words\"",
    "rename-command m CONFIG \"\"",
    "rename-command m slaveof slaveof",
    "announce-ip \"\"",
    "announce-ip \"any words\"",
    "announce-port 99999",
    "announce-port -5",
    "announce-port x",
    "deny-scripts-reconfig NO",
    "sentinel-user \"\"",
    "sentinel-pass \"\"",
    "current-epoch x",
    "myid zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    "announce-hostnames Yes",
];

#[test]
fn odd_statements_are_accepted() {
    let lines: Vec<String> = ODD_STATEMENTS.iter().map(|line| format!("sentinel {line}\n")).collect();
    let (ours, theirs) = reports(format!("{}sentinel {END}\n", lines.concat()).as_bytes(), &[]);
    assert_eq!(ours, theirs);
    assert!(ours.contains(&format!("at line {}\n", lines.len() + 1)), "{ours}");
}

/// Every `sentinel` directive and the number of words after it.
const ARITIES: [(&str, usize); 22] = [
    ("monitor", 4),
    ("down-after-milliseconds", 2),
    ("failover-timeout", 2),
    ("parallel-syncs", 2),
    ("notification-script", 2),
    ("client-reconfig-script", 2),
    ("auth-pass", 2),
    ("auth-user", 2),
    ("master-reboot-down-after-period", 2),
    ("config-epoch", 2),
    ("leader-epoch", 2),
    ("known-replica", 3),
    ("known-slave", 3),
    ("rename-command", 3),
    ("announce-ip", 1),
    ("announce-port", 1),
    ("deny-scripts-reconfig", 1),
    ("sentinel-user", 1),
    ("sentinel-pass", 1),
    ("current-epoch", 1),
    ("myid", 1),
    ("resolve-hostnames", 1),
];

#[test]
fn statements_with_too_few_or_too_many_words_are_refused() {
    const MONITOR: &str = "sentinel monitor m 127.0.0.1 6379 1\n";
    let mut texts: Vec<String> = ARITIES
        .iter()
        .flat_map(|(word, count)| {
            [count - 1, count + 1].map(|count| format!("{MONITOR}sentinel {word}{}\n", " m".repeat(count)))
        })
        .collect();
    texts.extend(["2", "5"].map(|count| {
        let words = " m".repeat(count.parse().expect("a number"));
        format!("{MONITOR}sentinel known-sentinel{words}\nsentinel {END}\n")
    }));
    for word in ["quorum m 2", "can-failover m yes", "info-period 1000", "announce-hostnames", "monitor"] {
        texts.push(format!("{MONITOR}sentinel {word}\n"));
    }
    compare(&texts);
}

/// Texts of which the first fault in the order of evaluation must be the one reported.
const ORDERS: &[&str] = &[
    "sentinel bogus\nsentinel monitor m nowhere 1 1\nsentinel myid short",
    "sentinel bogus\nsentinel monitor m nowhere 1 1",
    "sentinel parallel-syncs m 1\nsentinel auth-pass m a b\nsentinel monitor m 127.0.0.1 1 1",
    "sentinel resolve-hostnames maybe\nsentinel announce-port",
    "sentinel myid short\nport x",
    "port x\nsentinel myid short",
    "sentinel monitor m 127.0.0.1 1 1\nsentinel monitor m 127.0.0.1 1 0",
    "sentinel monitor m nowhere 99999 0",
    "sentinel monitor m nowhere 99999 1",
    "sentinel monitor m 127.0.0.1 1 1\nsentinel known-replica m nowhere 99999",
    "user bob on\nuser bob off\nport x",
    "logfile nowhere/x\nsentinel myid short",
    "logfile nowhere/x\nport x",
    "sentinel monitor m 127.0.0.1 1 1\nsentinel notification-script m /etc/passwd\nsentinel parallel-syncs n 1",
    "rename-command PING \"\"\nrename-command PING x",
    "user",
    "port 1 2\n\"",
    "\"port 1",
    "port 1\n\n  \t\n# x\n\r\nport 1'",
];

#[test]
fn the_first_fault_in_the_references_order_is_reported() {
    let texts: Vec<String> = ORDERS.iter().map(|text| format!("{text}\n")).collect();
    compare(&texts);
}

#[test]
fn includes_are_read_where_they_stand() {
    let check = |text: &str, others: &[(&str, &[u8])]| {
        let (ours, theirs) = reports(text.as_bytes(), others);
        assert_eq!(ours, theirs, "{text:?}");
        ours
    };
    // Files that match a pattern are one text: the first has no newline at its end, and the fault is in its second line.
    let glued = check("include part*\n", &[("part1", b"\ntimeout"), ("part2", b" x\n")]);
    assert!(glued.contains("at line 2\n>>> 'timeout x'"), "{glued}");
    // A line number counts in the included text, and what follows the include is not reached.
    check("port 1\ninclude a\nport x\n", &[("a", b"# one\n\ninclude b\n"), ("b", b"\n\n\nhz x\n")]);
    // Once it was read without a fault, counting goes on where it was.
    let after = check("port 1\ninclude a\nport x\n", &[("a", b"# one\n\n\n\n")]);
    assert!(after.contains("at line 3\n"), "{after}");
    // `sentinel` lines of an include are evaluated with all others.
    check("include a\nsentinel monitor m 127.0.0.1 1 0\n", &[("a", b"sentinel myid short\n")]);
    check("include a\nport x\n", &[("a", b"sentinel myid short\n")]);
    check("include a b\n", &[("a", b"")]);
}

/// The log file is tried at the end of every text, an included one as well, below the directory of that moment.
#[test]
fn log_files_are_tried_while_the_file_is_read() {
    for program in ["redis-sentinel", env!("CARGO_BIN_EXE_sentineld")] {
        let folder = Folder::new();
        std::fs::create_dir(folder.0.join("sub")).expect("a folder");
        folder.file("part", b"logfile first.log\n");
        let path =
            folder.file("sentinel.conf", b"include part\ndir sub\nlogfile second.log\nsentinel myid short\n");
        let (status, _) = wait(start(program, &path)).expect("it ends");
        assert_eq!(status, 1);
        let there = |name: &str| folder.0.join(name).is_file();
        assert!(there("first.log") && there("sub/second.log"), "{program}");
        assert!(!there("sub/first.log") && !there("second.log"), "{program}");
    }
}
