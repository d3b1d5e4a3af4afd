//! What can't be the same on both stages, by name. Every rule says what it hides and nothing more; a play asks for those it needs with
//! `mask NAME …`, and `sides` and `ids` are always on, as no two processes share an address, a folder or a run id.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

/// One rule that hides something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mask {
    /// Counters and clocks of an instance: how long ago, since when, how far.
    Times,
    /// Numbers, addresses and ages of clients, in CLIENT LIST and the like.
    Clients,
    /// The number of a client: the value after `id`, or a reply that is nothing but a number.
    ClientId,
    /// Bytes of memory that a client takes, in CLIENT LIST, and how much the log leaves out of what was read of it at once.
    ClientMemory,
    /// What INFO says of the process, its machine and its use of both.
    Process,
    /// Statistics that count what the two did in different pace.
    Counters,
    /// Hides nothing, and shows what is hidden otherwise: the one line of INFO that only ours has (a row of docs/COMPATIBILITY.md).
    Additions,
    /// Hexadecimal digits, one by one: their number stays.
    Digits,
    /// Process ids.
    Pids,
    /// Port numbers of the other end of a connection, as logged.
    PeerPorts,
    /// The version of the program, and what it was built with.
    Version,
    /// Order of the elements of a reply, or of lines, where the reference follows a hash table that is new at every start.
    Order,
    /// The same at every depth.
    DeepOrder,
    /// Order of the single commands in the rules of a user, which is that of the same hash table; categories stay where they are.
    RuleOrder,
    /// How many requests to an instance that does not answer are open, if any.
    Pending,
    /// How long scripts run or wait, and their process ids.
    ScriptTimes,
    /// Since when there is TILT.
    Tilt,
    /// Passing milliseconds in log lines and events.
    Milliseconds,
    /// The name of the executable.
    Program,
}

/// The rules a play names.
pub fn named(names: &str) -> Result<Vec<Mask>, String> {
    names.split_whitespace().filter(|name| *name != "none").map(one).collect()
}

fn one(name: &str) -> Result<Mask, String> {
    Ok(match name {
        "times" => Mask::Times,
        "clients" => Mask::Clients,
        "client-id" => Mask::ClientId,
        "client-memory" => Mask::ClientMemory,
        "process" => Mask::Process,
        "counters" => Mask::Counters,
        "additions" => Mask::Additions,
        "digits" => Mask::Digits,
        "pids" => Mask::Pids,
        "peer-ports" => Mask::PeerPorts,
        "version" => Mask::Version,
        "order" => Mask::Order,
        "deep-order" => Mask::DeepOrder,
        "rule-order" => Mask::RuleOrder,
        "milliseconds" => Mask::Milliseconds,
        "program" => Mask::Program,
        "pending" => Mask::Pending,
        "tilt" => Mask::Tilt,
        "script-times" => Mask::ScriptTimes,
        _ => return Err(format!("no mask is called {name:?}")),
    })
}

/// What `times` hides: the value after one of these, if it is a number.
const TIMES: [&str; 13] = [
    "last-ping-sent",
    "last-ok-ping-reply",
    "last-ping-reply",
    "s-down-time",
    "o-down-time",
    "info-refresh",
    "role-reported-time",
    "master-link-down-time",
    "slave-repl-offset",
    "last-hello-message",
    "failover-start-time",
    "age-seconds",
    "timestamp-created",
];

struct Pattern {
    mask: Mask,
    find: Regex,
    put: &'static str,
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let rows: [(Mask, &str, &'static str); 21] = [
        (Mask::Clients, r"\b(id|fd|age|idle)=\d+", "$1=N"),
        (Mask::Clients, r"\b(l?addr)=([0-9.]+):\d+", "$1=$2:N"),
        (Mask::ClientMemory, r"\b(qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|omem|tot-mem)=\d+", "$1=N"),
        (Mask::Digits, r"[0-9a-f]", "h"),
        (Mask::ClientMemory, r"\(\.\.\. more \d+ bytes", "(... more N bytes"),
        (
            Mask::Process,
            r"^(\s*\| )(process_id|run_id|tcp_port|server_time_usec|uptime_in_\w+|lru_clock|hz|executable|os|arch_bits|monotonic_clock|multiplexing_api|gcc_version|atomicvar_api|configured_hz|process_supervised|used_cpu_\w+):.*",
            "$1$2:N",
        ),
        (Mask::Version, r"\b(redis_version|redis_git_sha1|redis_git_dirty|redis_build_id):[^\\]*", "$1:N"),
        (Mask::Version, r"(v|version[ =]|Redis )\d+\.\d+\.\d+", "${1}N"),
        (
            Mask::Counters,
            r"^(\s*\| )(total_\w+|instantaneous_\w+|client_recent_\w+|connected_clients|reply_buffer_\w+|unexpected_error_replies):.*",
            "$1$2:N",
        ),
        (Mask::Pids, r"\b(pid[ =:]+)\d+", "${1}N"),
        (Mask::Pids, r"([+-]script-child|-script-timeout \S+) \d+", "${1} N"),
        (Mask::Tilt, r"sentinel_tilt_since_seconds:\d+", "sentinel_tilt_since_seconds:N"),
        (Mask::PeerPorts, r"\b(127\.0\.0\.1|127\.\d+\.\d+\.\d+|HOST):\d+", "$1:N"),
        (Mask::PeerPorts, r"\b(fd|id)[= ]\d+", "$1=N"),
        (Mask::Milliseconds, r"\b\d+ ?(ms|milliseconds)\b", "N$1"),
        (Mask::Milliseconds, r"#time \d+", "#time N"),
        (Mask::Milliseconds, r"(start a failover before ).*", "${1}N"),
        (Mask::Milliseconds, r"last-ping-sent \d+", "last-ping-sent N"),
        (Mask::Program, r"\S*(redis-sentinel|sentineld)\b", "PROGRAM"),
        (Mask::Program, r"'(redis-sentinel|sentineld)'", "PROGRAM"),
        (Mask::Pids, r"^(\s*\| )process_id:\d+", "${1}process_id:N"),
    ];
    let pattern = |(mask, find, put): (Mask, &str, &'static str)| Pattern {
        mask,
        find: Regex::new(find).expect("a valid pattern"),
        put,
    };
    rows.into_iter().map(pattern).collect()
});

static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{40}\b").expect("a valid pattern"));

/// What one stage has of its own: its address and its folder.
#[derive(Debug, Default)]
pub struct Masker {
    /// Text and what takes its place, the longest first.
    pub own: Vec<(String, String)>,
    /// Run ids in the order in which they were met.
    pub ids: HashMap<String, usize>,
}

impl Masker {
    /// Hides in `lines` what the rules name.
    pub fn hide(&mut self, lines: &mut Vec<String>, masks: &[Mask]) {
        if !masks.contains(&Mask::Additions) {
            lines.retain(|line| !line.contains("| sentinel_total_tilt:"));
        }
        for line in lines.iter_mut() {
            for (text, put) in &self.own {
                *line = line.replace(text.as_str(), put);
            }
            if masks.contains(&Mask::RuleOrder) {
                *line = sort_rules(line);
            }
            for pattern in PATTERNS.iter().filter(|pattern| masks.contains(&pattern.mask)) {
                *line = pattern.find.replace_all(line, pattern.put).into_owned();
            }
        }
        if masks.contains(&Mask::Times) {
            hide_after(lines, &TIMES);
        }
        if masks.contains(&Mask::ClientId) {
            hide_after(lines, &["id"]);
            if let [line] = &mut lines[..]
                && line.starts_with(':')
            {
                *line = ":N".to_owned();
            }
        }
        if masks.contains(&Mask::ScriptTimes) {
            hide_after(lines, &["run-time", "run-delay", "pid"]);
        }
        if masks.contains(&Mask::Pending) {
            hide_after(lines, &["link-pending-commands"]);
        }
        if masks.contains(&Mask::Order) {
            sort(lines, false);
        }
        if masks.contains(&Mask::DeepOrder) {
            sort(lines, true);
        }
        // Numbered in the order in which they are shown.
        lines.iter_mut().for_each(|line| *line = self.hide_ids(line));
    }

    fn hide_ids(&mut self, line: &str) -> String {
        let number = |found: &regex::Captures<'_>| {
            let next = self.ids.len() + 1;
            format!("<id{}>", *self.ids.entry(found[0].to_owned()).or_insert(next))
        };
        ID.replace_all(line, number).into_owned()
    }
}

/// Sorts each run of `+command` and `-command` by the name of the command.
fn sort_rules(line: &str) -> String {
    let apart = line.replace(')', " )").replace('"', " \" ");
    let words: Vec<&str> = apart.split(' ').collect();
    let is_rule = |word: &&str| word.starts_with(['+', '-']) && !word[1..].starts_with('@');
    let runs = words.chunk_by(|one, next| is_rule(one) && is_rule(next));
    let sorted = runs.flat_map(|run| {
        let mut run = run.to_vec();
        run.sort_by_key(|word| word.trim_start_matches(['+', '-']));
        run
    });
    sorted.collect::<Vec<_>>().join(" ").replace(" \" ", "\"").replace(" )", ")")
}

/// Hides the numbers that follow one of `keys`.
fn hide_after(lines: &mut [String], keys: &[&str]) {
    for i in 1..lines.len() {
        let key = lines[i - 1].trim().trim_start_matches('$').trim_matches('"');
        let value = lines[i].trim_start();
        let (kind, number) = value.split_at(value.len().min(1));
        let digits = number.trim_matches(['"', '-']);
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        if keys.contains(&key) && "$:,".contains(kind) && digits.bytes().all(is_digit) {
            lines[i] = format!("{}{kind}N", &lines[i][..lines[i].len() - value.len()]);
        }
    }
}

/// Sorts the elements of a reply: each is a line and the lines that are indented deeper, which are sorted first if `deep`.
fn sort(lines: &mut Vec<String>, deep: bool) {
    let depth = |line: &String| line.len() - line.trim_start().len();
    let Some(base) = lines.iter().skip(1).map(depth).min() else { return };
    let first = usize::from(depth(&lines[0]) < base);
    let mut elements: Vec<Vec<String>> = Vec::new();
    for line in lines.drain(first..) {
        match elements.last_mut() {
            Some(element) if depth(&line) > base => element.push(line),
            _ => elements.push(vec![line]),
        }
    }
    if deep {
        elements.iter_mut().filter(|element| element.len() > 1).for_each(|element| sort(element, true));
    }
    let key = |element: &Vec<String>| -> Vec<String> {
        element.iter().map(|line| ID.replace_all(line, "<id>").into_owned()).collect()
    };
    elements.sort_by_cached_key(key);
    lines.extend(elements.into_iter().flatten());
}
