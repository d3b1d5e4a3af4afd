//! `sentinel.conf.example` tells the truth: it loads, its defaults are the defaults, and nothing is missing.

use super::*;
use crate::conf::sentinel::TABLE;

const EXAMPLE: &str = include_str!("../../../sentinel.conf.example");

/// The example with every directive in it switched on, where `pick` wants it.
fn switched_on(pick: impl Fn(&str) -> bool) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase()) && pick(rest) => {
            format!("{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(line).collect()
}

#[test]
fn it_loads_as_it_is_and_with_everything_switched_on() {
    let as_it_is = load_text(EXAMPLE).expect("the example is valid");
    assert_eq!(as_it_is.settings.masters.len(), 1);
    assert_eq!(as_it_is.remarks, []);
    load_text(&switched_on(|_| true)).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn defaults_are_the_defaults() {
    let mut in_example = false;
    let mut defaults = String::new();
    for line in EXAMPLE.lines() {
        in_example = match line {
            // An announcement holds until the next empty line.
            "" => false,
            _ => in_example || line.ends_with("or example:") || line.ends_with("For") || line == "# example:",
        };
        if !in_example
            && line.starts_with('#')
            && line[1..].starts_with(|first: char| first.is_ascii_lowercase())
        {
            defaults += &format!("{}\n", &line[1..]);
        }
    }
    defaults = defaults.replace("dir /tmp\n", "");
    assert!(defaults.lines().count() > 35, "{defaults}");
    let monitor = "sentinel monitor mymaster 127.0.0.1 6379 2\n";
    let expect = load_text(monitor).expect("valid").settings;
    assert_eq!(load_text(&(monitor.to_owned() + &defaults)).expect("valid").settings, expect);
}

#[test]
fn nothing_that_matters_is_missing() {
    let lines: Vec<&str> = EXAMPLE.lines().map(|line| line.trim_start_matches(['#', ' '])).collect();
    let shown = |start: &str| lines.iter().any(|line| line.starts_with(&format!("{start} ")));
    for row in directive::all().filter(|row| row.served) {
        assert!(shown(row.name), "{}", row.name);
    }
    for row in TABLE {
        assert!(shown(&format!("sentinel {}", row.name())), "{}", row.name());
    }
    for word in ["include", "user", "rename-command"] {
        assert!(shown(word), "{word}");
    }
}
