//! The line that CLIENT LIST shows of a client, field by field as redis-sentinel fills it in. What depends on how memory is handed out
//! (`qbuf-free`, `rbs`, `rbp`, `tot-mem`) is not compared.

mod serving_support;

use std::collections::BTreeMap;
use std::io::Write;

use serving_support::{Client, Fixture, Reference, wait_for};

/// Fields that differ from one run, machine or allocator to the next.
const VARYING: [&str; 10] =
    ["id", "addr", "laddr", "fd", "age", "idle", "qbuf-free", "rbs", "rbp", "tot-mem"];

type Line = BTreeMap<String, String>;

fn parse(line: &str) -> Line {
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    line.split(' ').map(|word| pair(word).unwrap_or_else(|| panic!("{word:?} in {line}"))).collect()
}

fn names(line: &str) -> Vec<&str> {
    line.split(' ').map(|word| word.split('=').next().unwrap_or_default()).collect()
}

fn steady(line: &str) -> Line {
    parse(line).into_iter().filter(|(name, _)| !VARYING.contains(&name.as_str())).collect()
}

fn id_of(client: &mut Client) -> String {
    client.send("CLIENT ID\r\n");
    client.expect_line(":")[1..].trim_end().to_owned()
}

/// The line about another client.
fn line_about(asker: &mut Client, id: &str) -> String {
    asker.send(&format!("CLIENT LIST ID {id}\r\n"));
    asker.expect_text().trim_end().to_owned()
}

/// The line about another client that has read all: it may have read the last byte before its task could note that it was written.
fn line_about_idle(asker: &mut Client, id: &str) -> String {
    let mut line = String::new();
    wait_for("an idle client", || {
        line = line_about(asker, id);
        number(&line, "obl") == 0
    });
    line
}

/// What a client says, and how it is listed after all answers reached it.
fn listed_after(port: u16, lines: &[&str]) -> String {
    let (mut asker, mut client) = (Client::connect(port), Client::connect(port));
    let id = id_of(&mut client);
    for line in lines {
        client.send(&format!("{line}\r\n"));
        client.expect_line("");
        // The rest of the answer, whatever it is: nothing may wait in the socket.
        client.stream.set_read_timeout(Some(std::time::Duration::from_millis(100))).expect("a socket");
        let mut rest = [0; 65536];
        let _ = std::io::Read::read(&mut client.stream, &mut rest);
        client.stream.set_read_timeout(Some(serving_support::PATIENCE)).expect("a socket");
    }
    line_about_idle(&mut asker, &id)
}

#[test]
fn other_clients_are_listed_as_the_reference_lists_them() {
    let (ours, reference) = (Fixture::new(), Reference::start());
    for lines in [
        &["PING"][..],
        &["FOO x"],
        &["CLIENT foo"],
        &["SENTINEL MASTER"],
        &["SENTINEL"],
        &["PING a b"],
        &["CLIENT SETNAME joe", "SENTINEL MYID"],
        &["HELLO 3"],
        &["HELLO 3 SETNAME me", "SUBSCRIBE a b", "PSUBSCRIBE c"],
        &["SUBSCRIBE a b", "UNSUBSCRIBE a"],
        &["PSUBSCRIBE a*"],
        &["CLIENT NO-EVICT on"],
        &["HELLO 3", "CLIENT TRACKING on bcast"],
        &["HELLO 3", "CLIENT TRACKING on optin"],
        &["CLIENT LIST"],
        &["COMMAND DOCS ping"],
    ] {
        let expected = listed_after(reference.port, lines);
        let got = listed_after(ours.port, lines);
        assert_eq!(names(&got), names(&expected), "{lines:?}");
        assert_eq!(steady(&got), steady(&expected), "{lines:?}");
    }
}

#[test]
fn a_client_sees_itself_as_it_asks() {
    let (ours, reference) = (Fixture::new(), Reference::start());
    for bytes in [
        "*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n",
        "CLIENT INFO\r\n",
        "*2\r\n$6\r\nclient\r\n$4\r\nlist\r\n",
        "*4\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n$4\r\nTYPE\r\n$6\r\nnormal\r\n",
        "  client \t info  \r\n",
    ] {
        let line = |port| {
            let mut client = Client::connect(port);
            client.send(bytes);
            client.expect_text().lines().last().expect("a line").to_owned()
        };
        // Earlier clients are gone by and by.
        let alone = |port| {
            wait_for("a list of one", || {
                let mut client = Client::connect(port);
                client.send("CLIENT LIST\r\n");
                client.expect_text().lines().count() == 1
            });
            line(port)
        };
        assert_eq!(steady(&alone(ours.port)), steady(&alone(reference.port)), "{bytes:?}");
    }
}

fn number(line: &str, field: &str) -> usize {
    parse(line)[field].parse().unwrap_or_else(|_| panic!("{field} is a number in {line}"))
}

#[test]
fn what_a_client_does_not_read_is_shown() {
    let (ours, reference) = (Fixture::new(), Reference::start());
    for port in [ours.port, reference.port] {
        let (mut asker, mut lazy) = (Client::connect(port), Client::connect(port));
        let id = id_of(&mut lazy);
        let request = format!("PING {}\r\n", "x".repeat(50_000));
        // It waits to write only from the first write on that the kernel does not take.
        let is_stuck = |line: &str| parse(line)["events"] == "rw";
        let piled = |line: &str| number(line, "omem") > 100_000 && number(line, "oll") > 1 && is_stuck(line);
        wait_for("output that nobody reads", || {
            for _ in 0..20 {
                if lazy.stream.set_nonblocking(true).is_ok() {
                    let _ = lazy.stream.write(request.as_bytes());
                }
            }
            piled(&line_about(&mut asker, &id))
        });
        let line = line_about(&mut asker, &id);
        assert!(number(&line, "tot-mem") > number(&line, "omem"), "{line}");
    }
}

#[test]
fn messages_to_a_slow_subscriber_are_shown() {
    let fixture = Fixture::new();
    let (mut asker, mut slow) = (fixture.client(), fixture.client());
    let id = id_of(&mut slow);
    slow.ask("PSUBSCRIBE *", "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n");
    let payload = "x".repeat(100_000);
    let mut line = String::new();
    let mut published = 0;
    wait_for("messages that nobody reads", || {
        fixture.publish("+set", &payload);
        published += payload.len();
        line = line_about(&mut asker, &id);
        number(&line, "omem") > 1_000_000
    });
    assert!(number(&line, "omem") < published + published / 100, "they are counted, not guessed: {line}");
    assert_eq!(number(&line, "oll"), number(&line, "omem").div_ceil(16_384), "{line}");
    assert_eq!(parse(&line)["flags"], "P");
}

#[test]
fn a_reply_that_was_read_leaves_nothing_behind() {
    let fixture = Fixture::new();
    let (mut asker, mut client) = (fixture.client(), fixture.client());
    let id = id_of(&mut client);
    let word = "y".repeat(40_000);
    client.ask(&format!("PING {word}"), &format!("${}\r\n{word}\r\n", word.len()));
    let line = line_about_idle(&mut asker, &id);
    for field in ["obl", "oll", "omem", "argv-mem", "qbuf"] {
        assert_eq!(number(&line, field), 0, "{field} in {line}");
    }
    assert!(number(&line, "rbp") > 1000, "the peak is remembered for a while: {line}");
}
