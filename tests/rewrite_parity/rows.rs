//! Every directive, each value in a file of its own.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sentineld::conf::directive;

use crate::bench::{Bench, report};
use crate::tables::{FLAGS, NUMBERS, OTHERS, SENTINEL, TEXTS};

/// A name in capitals, a value in quotes: names are not case-sensitive, and what is quoted on the way in is not on the way out.
fn odd_spelling(line: &str) -> String {
    let (name, value) = line.split_once(' ').expect("a name and a value");
    format!("  {}\t\"{value}\" ", name.to_uppercase())
}

/// Checks each line alone, with `first` in front of it.
fn check(first: &str, lines: impl IntoIterator<Item = String>) {
    let bench = Bench::new();
    let mut faults = Vec::new();
    for line in lines {
        let text = bench.filled(&format!("{first}{line}\n"));
        // All rows are tried, so that one run names all that differ.
        let trial = catch_unwind(AssertUnwindSafe(|| bench.round_trip(&line, text.as_bytes())));
        faults.extend(trial.is_err().then_some(line));
    }
    assert!(faults.is_empty(), "these differ: {faults:#?}");
}

const PORT: &str = "port {port}\n";

#[test]
fn yes_and_no() {
    let lines =
        |name: &&str| [format!("{name} yes"), format!("{name} no"), odd_spelling(&format!("{name} YeS"))];
    check(PORT, FLAGS.iter().flat_map(lines));
    report("yes or no");
}

#[test]
fn numbers() {
    let lines = |(name, values): &(&str, &str)| {
        let lines: Vec<String> = values.split(' ').map(|value| format!("{name} {value}")).collect();
        let odd = odd_spelling(&lines[0]);
        lines.into_iter().chain([odd]).collect::<Vec<_>>()
    };
    check(PORT, NUMBERS.iter().flat_map(lines));
    report("numbers");
}

#[test]
fn texts() {
    let lines = |(name, default): &(&str, &str)| {
        [
            format!("{name} {default}"),
            format!("{name} word"),
            // Names of files must be text for us.
            format!(
                r#"{name} "a b\\\"\x7f{}\n\t\a\b'""#,
                if name.starts_with("tls-") { "" } else { "\\xff" }
            ),
            format!("{name} é#\\"),
            format!("{name} word\n{name} 'again'"),
        ]
    };
    check(PORT, TEXTS.iter().flat_map(lines));
    report("texts");
}

#[test]
fn other_generic_directives() {
    check("", OTHERS.iter().flat_map(|(name, values)| forms(name, values)));
    report("other generic directives");
}

#[test]
fn sentinel_directives() {
    check("", SENTINEL.iter().flat_map(|(name, values)| forms(name, values)));
    report("sentinel directives");
}

/// The files of one row: each value after the name, where `\n` begins another line of the same directive.
fn forms(name: &str, values: &[&str]) -> Vec<String> {
    let is_master = name.starts_with("sentinel ") && name != "sentinel monitor";
    let first = match (name, is_master) {
        ("port", _) => "",
        (_, true) => "port {port}\nsentinel monitor m 127.0.0.1 {one} 2\n",
        _ => PORT,
    };
    values
        .iter()
        .map(|value| format!("{first}{name} {}", value.replace('\n', &format!("\n{name} "))))
        .collect()
}

#[test]
fn no_directive_is_forgotten() {
    let rows = FLAGS.iter().copied().chain(NUMBERS.iter().chain(TEXTS).map(|row| row.0));
    let rows: BTreeSet<&str> = rows.chain(OTHERS.iter().map(|row| row.0)).collect();
    // Users and passwords have stories of their own.
    let elsewhere = ["requirepass", "aclfile"];
    let missing: Vec<&str> = directive::all()
        .filter(|row| !row.newer)
        .map(|row| row.name)
        .filter(|name| !rows.contains(name) && !elsewhere.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(SENTINEL.len(), 23, "spec 1 3.2 has 23 directives");
}
