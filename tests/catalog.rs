//! What the COMMAND family says of every command, byte for byte as redis-sentinel says it, in both protocols. Listings are compared as
//! sets: the reference's order is another after each start.

mod serving_support;

use std::io::Read;

use sentineld::wire::table::{CommandSpec, all_commands};
use serving_support::{Client, Fixture, Reference};

/// Recognised in both protocols, and part of no answer about commands.
const END: &str = "the-end-of-the-answer";

struct Pair {
    ours: Client,
    reference: Client,
    _fixture: Fixture,
    _process: Reference,
}

impl Pair {
    fn new(protocol: u8) -> Pair {
        let (fixture, process) = (Fixture::new(), Reference::start());
        let (ours, reference) = (fixture.client(), Client::connect(process.port));
        let mut pair = Pair { ours, reference, _fixture: fixture, _process: process };
        pair.ask(&format!("HELLO {protocol}"));
        pair
    }

    /// What the reference and what we answer.
    fn ask(&mut self, line: &str) -> (String, String) {
        (answer(&mut self.reference, line), answer(&mut self.ours, line))
    }

    fn check(&mut self, line: &str) {
        let (expected, got) = self.ask(line);
        assert_eq!(got, expected, "{line}");
    }

    /// Compares what comes before the subcommands, which come in no order.
    fn check_head(&mut self, line: &str) {
        let (expected, got) = self.ask(line);
        let head = |text: &str| text.split("$11\r\nsubcommands\r\n").next().map(str::to_owned);
        assert_eq!(head(&got), head(&expected), "{line}");
        assert_eq!(got.len(), expected.len(), "{line}");
    }

    /// Compares lists of strings, as sets.
    fn check_set(&mut self, line: &str) {
        let (expected, got) = self.ask(line);
        let set = |text: &str| {
            let mut words: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
            words[1..].sort();
            words
        };
        assert_eq!(set(&got), set(&expected), "{line}");
    }
}

fn answer(client: &mut Client, line: &str) -> String {
    let end = format!("${}\r\n{END}\r\n", END.len());
    client.send(&format!("{line}\r\nPING {END}\r\n"));
    let mut all = Vec::new();
    let mut chunk = [0; 65536];
    while !all.ends_with(end.as_bytes()) {
        let read = client.stream.read(&mut chunk).expect("an answer in time");
        assert!(read > 0, "closed after {line}");
        all.extend_from_slice(&chunk[..read]);
    }
    all.truncate(all.len() - end.len());
    String::from_utf8_lossy(&all).into_owned()
}

fn containers_and_leaves() -> (Vec<&'static CommandSpec>, Vec<&'static CommandSpec>) {
    all_commands().partition(|spec| !spec.subcommands.is_empty())
}

#[test]
fn documentation_is_that_of_the_reference() {
    let (containers, leaves) = containers_and_leaves();
    for protocol in [2, 3] {
        let mut pair = Pair::new(protocol);
        for spec in &leaves {
            pair.check(&format!("COMMAND DOCS {}", spec.name));
        }
        for spec in &containers {
            pair.check_head(&format!("COMMAND DOCS {}", spec.name));
        }
        pair.check("COMMAND DOCS nosuch");
        pair.check("COMMAND DOCS get PING nosuch ping SENTINEL|masters sentinel|nosuch");
        let (expected, got) = pair.ask("COMMAND DOCS");
        assert_eq!(got.len(), expected.len(), "all of it, RESP{protocol}");
    }
}

#[test]
fn entries_are_those_of_the_reference() {
    let (containers, leaves) = containers_and_leaves();
    for protocol in [2, 3] {
        let mut pair = Pair::new(protocol);
        for spec in &leaves {
            pair.check(&format!("COMMAND INFO {}", spec.name));
        }
        for spec in &containers {
            let (expected, got) = pair.ask(&format!("COMMAND INFO {}", spec.name));
            assert_eq!(got.len(), expected.len(), "{}", spec.name);
            let first = |text: &str| text.split("|").next().map(str::to_owned);
            // Up to the name of whichever subcommand comes first, and the length before that.
            let head = |text: &str| first(text)?.rsplit_once('$').map(|(head, _)| head.to_owned());
            assert_eq!(head(&got), head(&expected), "{}", spec.name);
        }
        pair.check("COMMAND INFO ping nosuch SENTINEL|masters ping|x sentinel|nosuch |");
        for line in ["COMMAND", "COMMAND INFO"] {
            let (expected, got) = pair.ask(line);
            assert_eq!(got.len(), expected.len(), "{line}");
        }
        pair.check("COMMAND COUNT");
    }
}

#[test]
fn listings_have_the_same_members() {
    let mut pair = Pair::new(3);
    for filter in [
        "",
        "FILTERBY MODULE x",
        "FILTERBY PATTERN *",
        "FILTERBY PATTERN P*",
        "FILTERBY PATTERN sentinel|*",
        "FILTERBY PATTERN *e[nr]*",
        "FILTERBY PATTERN nosuch",
        "FILTERBY ACLCAT nosuch",
        "filterby",
        "filterby x",
        "filterby pattern",
        "filterby pattern a b",
        "nosuch pattern a",
        "filterby nosuch a",
    ] {
        pair.check_set(&format!("COMMAND LIST {filter}"));
    }
    for category in sentineld::acl::commands::CATEGORIES {
        pair.check_set(&format!("COMMAND LIST FILTERBY ACLCAT {category}"));
        pair.check_set(&format!("ACL CAT {category}"));
    }
}

#[test]
fn no_command_has_keys() {
    let mut pair = Pair::new(2);
    for which in ["GETKEYS", "GETKEYSANDFLAGS"] {
        for line in [
            "ping x",
            "ping",
            "ping x y z",
            "get x",
            "sentinel masters",
            "sentinel masters x",
            "sentinel",
            "sentinel nosuch",
            "sentinel nosuch x",
            "sentinel|masters x",
            "quit now",
            "subscribe a",
            "publish a b",
        ] {
            pair.check(&format!("COMMAND {which} {line}"));
        }
    }
    for line in ["COMMAND COUNT x", "COMMAND LIST x", "COMMAND nosuch"] {
        pair.check(line);
    }
}
