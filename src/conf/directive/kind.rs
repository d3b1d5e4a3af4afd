//! Kinds of values: what is accepted, the reference's error texts, and the canonical form the rewrite uses (spec 1 §2.3, §5.3).
//!
//! Canonical text is printable ASCII wherever the reference quotes, and parses to itself.

use crate::conf::number;
use crate::text::number::parse_integer;
use crate::text::words;

/// The canonical text after a directive's name: one element for each line it needs, none if it is unset.
pub type Lines = Vec<String>;

/// What the values of a directive look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// One word of a list; `newer` words are accepted but not named in errors, as Redis 7.0 does not have them.
    Word {
        /// The words the reference lists.
        listed: &'static [&'static str],
        /// Words of later versions.
        newer: &'static [&'static str],
    },
    /// A decimal integer within bounds.
    Int {
        /// Least value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// Timer frequency: any positive integer, brought into 1..500.
    Hz,
    /// Bytes with an optional unit.
    Memory {
        /// Least number of bytes.
        min: u64,
    },
    /// Bytes, or a percentage.
    MemoryOrPercent,
    /// An octal number from zero.
    Octal {
        /// Largest value.
        max: i64,
    },
    /// Any single word.
    Text {
        /// The empty word means "not set".
        empty_unsets: bool,
        /// A further condition.
        check: Check,
    },
    /// The working directory: takes effect while reading.
    Dir,
    /// Up to 16 addresses to listen on.
    Bind,
    /// `<class> <hard> <soft> <seconds>`, any number of times; each class replaces its earlier limits.
    BufferLimits,
    /// Pairs of numbers: of no use to a Sentinel and never written.
    Save,
    /// Three OOM scores.
    OomValues,
    /// A host and a port, or `no one`.
    ReplicaOf,
    /// Percentages between 0 and 100.
    Percentiles,
    /// Letters of event classes.
    KeyspaceEvents,
    /// A set of shutdown options.
    ShutdownFlags,
}

/// A condition on a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// None.
    None,
    /// A file name without a path.
    FileName {
        /// The empty name is accepted.
        may_be_empty: bool,
    },
    /// A directory name without a path.
    DirName,
    /// Letters, digits, hyphens and dots, fewer than 256.
    HostName,
    /// A template of the process title (spec 1 §6.8).
    TitleTemplate,
}

impl Kind {
    /// True if the directive checks the number of its words itself (spec 1 §2.3).
    pub fn takes_many(self) -> bool {
        use Kind::*;
        matches!(self, Bind | BufferLimits | Save | OomValues | ReplicaOf | Percentiles | ShutdownFlags)
    }

    /// Checks the words of a value; `before` is the canonical value in force so far. A kind that does not take many words gets one.
    ///
    /// # Errors
    /// The reference's text.
    pub fn canonical(self, words: &[Vec<u8>], before: &[String]) -> Result<Lines, String> {
        let word = words.first().map_or(&b""[..], Vec::as_slice);
        let one = |text: String| Ok(vec![text]);
        match self {
            Kind::YesNo => match word.to_ascii_lowercase().as_slice() {
                b"yes" => one("yes".to_owned()),
                b"no" => one("no".to_owned()),
                _ => Err("argument must be 'yes' or 'no'".to_owned()),
            },
            Kind::Word { listed, newer } => listed
                .iter()
                .chain(newer)
                .find(|known| word.eq_ignore_ascii_case(known.as_bytes()))
                // The two mean the same, and the reference knows only the first when it writes.
                .map(|known| vec![if *known == "relative" { "yes" } else { known }.to_owned()])
                .ok_or_else(|| one_of(listed)),
            Kind::Int { min, max } => one(between(integer(word)?, min, max)?.to_string()),
            Kind::Hz => one(between(integer(word)?, 0, i64::from(i32::MAX))?.clamp(1, 500).to_string()),
            Kind::Memory { min } => {
                let bytes = number::memory(word).ok_or("argument must be a memory value")?;
                if bytes < min || bytes > i64::MAX as u64 && min > 0 {
                    return Err(out_of_range(min, i64::MAX));
                }
                one(number::memory_text(bytes))
            }
            Kind::MemoryOrPercent => one(memory_or_percent(word)?),
            Kind::Octal { max } => {
                let value = number::octal(word).ok_or("argument couldn't be parsed as an octal number")?;
                let inside = (0..=max).contains(&value);
                if inside { one(format!("{value:o}")) } else { Err(out_of_range(0, format!("{max:o}"))) }
            }
            Kind::Text { empty_unsets, check } => {
                check.test(word)?;
                Ok(if empty_unsets && word.is_empty() { Vec::new() } else { vec![words::repr(word)] })
            }
            Kind::Dir => one(words::repr(word)),
            Kind::Bind => bind(words),
            Kind::BufferLimits => buffer_limits(words, before),
            Kind::Save => save(words),
            Kind::OomValues => oom_values(words),
            Kind::ReplicaOf => replica_of(words),
            Kind::Percentiles => percentiles(words),
            Kind::KeyspaceEvents => keyspace_events(word),
            Kind::ShutdownFlags => shutdown_flags(words),
        }
    }

    /// How a line with this kind of value is written, for error texts.
    pub fn usage(self, name: &str) -> String {
        let form = match self {
            Kind::YesNo => " yes|no`".to_owned(),
            Kind::Word { listed, newer } => format!(" {}`", [listed, newer].concat().join("|")),
            Kind::Int { min, max: i64::MAX } => format!(" <number>` with a number of at least {min}"),
            Kind::Int { min, max } => format!(" <number>` with a number from {min} to {max}"),
            Kind::Hz => " <number>` with a number from 1 to 500".to_owned(),
            Kind::Memory { min: 0 } => " <size>` with a size like 1048576, 1024kb or 1mb".to_owned(),
            Kind::Memory { min } => {
                format!(" <size>` with a size like 1024kb or 1mb, at least {}", number::memory_text(min))
            }
            Kind::MemoryOrPercent => " <size>` with a size like 100mb, or a percentage like 5%".to_owned(),
            Kind::Octal { max } => format!(" <mode>` with octal permissions from 0 to {max:o}, like 700"),
            Kind::Text { check, .. } => format!(" <text>` with {}", check.usage()),
            Kind::Dir => " <path>` with a directory that can be entered".to_owned(),
            Kind::Bind => " <address>...` with at most 16 addresses".to_owned(),
            Kind::BufferLimits => " normal|replica|pubsub <hard size> <soft size> <soft seconds>`".to_owned(),
            Kind::Save => " <seconds> <changes>`, which a Sentinel ignores, or `save \"\"`".to_owned(),
            Kind::OomValues => " <master> <replica> <child>` with numbers from -2000 to 2000".to_owned(),
            Kind::ReplicaOf => " <host> <port>`, which a Sentinel ignores".to_owned(),
            Kind::Percentiles => " <percentage>...` with numbers from 0 to 100".to_owned(),
            Kind::KeyspaceEvents => " <classes>` with letters out of Ag$lshzxeKEtmdn".to_owned(),
            Kind::ShutdownFlags => {
                " default|save|nosave|now|force...` without both save and nosave".to_owned()
            }
        };
        format!("`{name}{form}")
    }
}

impl Check {
    fn test(self, word: &[u8]) -> Result<(), String> {
        let has_path = word.contains(&b'/') || word.contains(&b'\\');
        let fault = match self {
            Check::None => return Ok(()),
            Check::FileName { may_be_empty: false } if word.is_empty() => "appendfilename can't be empty",
            Check::FileName { may_be_empty: false } if has_path => {
                "appendfilename can't be a path, just a filename"
            }
            Check::FileName { .. } if has_path => "dbfilename can't be a path, just a filename",
            Check::DirName if word.is_empty() => "appenddirname can't be empty",
            Check::DirName if has_path => "appenddirname can't be a path, just a dirname",
            Check::HostName if word.len() >= 256 => "Hostnames must be less than 256 characters",
            Check::HostName
                if !word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte)) =>
            {
                "Hostnames may only contain alphanumeric characters, hyphens or dots"
            }
            Check::TitleTemplate if !is_title_template(word) => {
                "template format is invalid or contains unknown variables"
            }
            _ => return Ok(()),
        };
        Err(fault.to_owned())
    }

    fn usage(self) -> &'static str {
        match self {
            Check::None => "one word, quoted if it has blanks",
            Check::FileName { .. } | Check::DirName => "a bare name, not a path",
            Check::HostName => "at most 255 letters, digits, hyphens and dots",
            Check::TitleTemplate => {
                "variables out of {title} {listen-addr} {server-mode} {config-file} {port} {tls-port} {unixsocket}"
            }
        }
    }
}

fn out_of_range(min: impl std::fmt::Display, max: impl std::fmt::Display) -> String {
    format!("argument must be between {min} and {max} inclusive")
}

fn one_of(words: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", words.join(", "))
}

fn integer(word: &[u8]) -> Result<i64, String> {
    parse_integer(word).ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())
}

fn between(value: i64, min: i64, max: i64) -> Result<i64, String> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(out_of_range(min, max)) }
}

fn memory_or_percent(word: &[u8]) -> Result<String, String> {
    if let Some(percent) = word.strip_suffix(b"%").and_then(parse_integer).filter(|percent| *percent >= 0) {
        return match percent {
            0..=100 => Ok(format!("{percent}%")),
            _ => Err("percentage argument must be less or equal to 100".to_owned()),
        };
    }
    let bytes = number::memory(word).ok_or("argument must be a memory or percent value")?;
    Ok(number::memory_text(bytes))
}

/// `{name}` must be a known variable, `{{` is a brace, and what an empty title leaves must not be empty.
fn is_title_template(mut rest: &[u8]) -> bool {
    const VARIABLES: [&[u8]; 6] =
        [b"listen-addr", b"server-mode", b"config-file", b"port", b"tls-port", b"unixsocket"];
    let mut shows_something = false;
    while let Some(brace) = rest.iter().position(|&byte| byte == b'{') {
        shows_something |= brace > 0;
        rest = &rest[brace + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            (shows_something, rest) = (true, after);
            continue;
        }
        let Some(end) = rest.iter().position(|&byte| byte == b'}') else { return false };
        let known = VARIABLES.contains(&&rest[..end]);
        if !known && &rest[..end] != b"title" {
            return false;
        }
        shows_something |= known && &rest[..end] != b"unixsocket";
        rest = &rest[end + 1..];
    }
    shows_something || !rest.is_empty()
}

fn bind(words: &[Vec<u8>]) -> Result<Lines, String> {
    if words.len() > 16 {
        return Err("Too many bind addresses specified.".to_owned());
    }
    let addresses: Vec<_> = words.iter().filter(|word| !word.is_empty()).map(|word| bare(word)).collect();
    Ok(vec![if addresses.is_empty() { "\"\"".to_owned() } else { addresses.join(" ") }])
}

/// A word as it is, or quoted where it must be.
fn bare(word: &[u8]) -> String {
    let mut text = Vec::new();
    words::push_quoted(&mut text, word);
    String::from_utf8(text).unwrap_or_else(|_| words::repr(word))
}

fn buffer_limits(words: &[Vec<u8>], before: &[String]) -> Result<Lines, String> {
    const CLASSES: [&str; 3] = ["normal", "replica", "pubsub"];
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut lines = before.to_vec();
    for limit in words.chunks(4) {
        let class = match limit[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"replica" | b"slave" => 1,
            b"pubsub" => 2,
            _ => return Err("Invalid client class specified in buffer limit configuration.".to_owned()),
        };
        let sizes = (number::memory(&limit[1]), number::memory(&limit[2]), parse_integer(&limit[3]));
        let (Some(hard), Some(soft), Some(seconds @ 0..)) = sizes else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned()
            );
        };
        let (hard, soft) = (number::memory_text(hard), number::memory_text(soft));
        lines.resize(lines.len().max(CLASSES.len()), String::new());
        lines[class] = format!("{} {hard} {soft} {seconds}", CLASSES[class]);
    }
    Ok(lines)
}

fn save(words: &[Vec<u8>]) -> Result<Lines, String> {
    if words.len() == 1 && words[0].is_empty() {
        return Ok(Vec::new());
    }
    let whole = |word: &Vec<u8>| parse_integer(word).unwrap_or(-1);
    let valid = words.chunks(2).all(|pair| match pair {
        [seconds, changes] => whole(seconds) >= 1 && whole(changes) >= 0,
        _ => false,
    });
    if valid { Ok(Vec::new()) } else { Err("Invalid save parameters".to_owned()) }
}

fn oom_values(words: &[Vec<u8>]) -> Result<Lines, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".to_owned());
    }
    let values: Option<Vec<String>> = words
        .iter()
        .map(|word| parse_integer(word).filter(|value| (-2000..=2000).contains(value)))
        .map(|value| value.map(|value| value.to_string()))
        .collect();
    match values {
        Some(values) => Ok(vec![values.join(" ")]),
        None => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".to_owned()),
    }
}

fn replica_of(words: &[Vec<u8>]) -> Result<Lines, String> {
    let [host, port] = words else { return Err("wrong number of arguments".to_owned()) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Vec::new());
    }
    match parse_integer(port) {
        Some(port @ 0..=65535) => Ok(vec![format!("{} {port}", bare(host))]),
        _ => Err("Invalid master port".to_owned()),
    }
}

fn percentiles(words: &[Vec<u8>]) -> Result<Lines, String> {
    let mut texts = Vec::new();
    for word in words.iter().filter(|word| words.len() > 1 || !word.is_empty()) {
        let value = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
        let value = value
            .filter(|value| !value.is_nan())
            .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&value) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_owned()
            );
        }
        let text = format!("{value:.6}");
        texts.push(text.trim_end_matches('0').trim_end_matches('.').to_owned());
    }
    Ok(vec![if texts.is_empty() { "\"\"".to_owned() } else { texts.join(" ") }])
}

fn keyspace_events(word: &[u8]) -> Result<Lines, String> {
    const ALL: &str = "g$lshzxetd";
    if !word.iter().all(|byte| b"Ag$lshzxeKEtmdn".contains(byte)) {
        return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned());
    }
    let has = |class: char| word.contains(&(class as u8)) || word.contains(&b'A') && ALL.contains(class);
    let mut text = match ALL.chars().all(has) {
        true => "A".to_owned(),
        false => ALL.chars().chain(['n']).filter(|class| has(*class)).collect(),
    };
    text.extend("KEm".chars().filter(|class| has(*class)));
    Ok(vec![words::repr(text.as_bytes())])
}

fn shutdown_flags(words: &[Vec<u8>]) -> Result<Lines, String> {
    const FLAGS: [&str; 5] = ["default", "save", "nosave", "now", "force"];
    let lower: Vec<Vec<u8>> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    if lower.is_empty() || lower.iter().any(|word| !FLAGS.iter().any(|flag| flag.as_bytes() == word)) {
        return Err(one_of(&FLAGS));
    }
    let given = |flag: &&str| lower.iter().any(|word| word == flag.as_bytes());
    if given(&"save") && given(&"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_owned());
    }
    let flags: Vec<&str> = FLAGS[1..].iter().copied().filter(|flag| given(flag)).collect();
    Ok(vec![if flags.is_empty() { "default".to_owned() } else { flags.join(" ") }])
}
