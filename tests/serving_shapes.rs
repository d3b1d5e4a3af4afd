//! What clients of the serving side can count on that has no fixed bytes: the shape of help, numbers of clients, ages, letters in CLIENT
//! LIST, made-up passwords, and who is never sent away. What redis-sentinel has, too, is asked of both.

mod serving_support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serving_support::{Client, Fixture, Reference, wait_for};

/// The lines of a help text. A description is indented, and in words of our own: only that it is there counts.
fn help(port: u16, container: &str) -> Vec<String> {
    let mut client = Client::connect(port);
    client.send(&format!("{container} HELP\r\n"));
    let count: usize = client.expect_line("*")[1..].trim_end().parse().expect("a count");
    let shape = |line: String| match line.strip_prefix("+    ") {
        Some(_) => "<description>".to_owned(),
        None => line,
    };
    (0..count).map(|_| shape(client.expect_line("+"))).collect()
}

#[test]
fn help_has_the_lines_of_the_reference() {
    let (ours, reference) = (Fixture::new(), Reference::start());
    for container in ["SENTINEL", "CLIENT", "ACL", "COMMAND", "sentinel", "Client"] {
        assert_eq!(help(ours.port, container), help(reference.port, container), "{container}");
    }
}

fn id(client: &mut Client) -> u64 {
    client.send("CLIENT ID\r\n");
    client.expect_line(":")[1..].trim_end().parse().expect("a number")
}

#[test]
fn numbers_of_clients_only_grow() {
    let fixture = Fixture::new();
    let mut last = 0;
    for _ in 0..3 {
        let (mut first, mut second) = (fixture.client(), fixture.client());
        first.ask("PING", "+PONG\r\n");
        let (one, two) = (id(&mut first), id(&mut second));
        assert!(last < one && last < two && one != two, "{last} {one} {two}");
        assert_eq!(id(&mut first), one, "it keeps its number");
        last = one.max(two);
    }
}

#[test]
fn a_client_of_the_unix_socket_is_listed_as_such() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.sock");
    let fixture = Fixture::with(|settings| settings.unix_socket = Some(path.to_string_lossy().into_owned()));
    let mut stream = BufReader::new(UnixStream::connect(&path).expect("it listens"));
    stream.get_mut().write_all(b"CLIENT INFO\r\n").expect("it reads");
    let (mut length, mut line) = (String::new(), String::new());
    stream.read_line(&mut length).expect("a length");
    stream.read_line(&mut line).expect("a line");
    let place = path.to_string_lossy();
    assert!(line.contains(&format!(" addr={place}:0 laddr={place}:0 ")), "{line}");
    assert!(line.contains(" flags=U "), "{line}");
    let mut other = fixture.client();
    other.send("CLIENT LIST\r\n");
    assert!(other.expect_text().contains(" flags=N "), "others are not");
}

#[test]
fn whom_a_pause_holds_back_is_not_idle() {
    let fixture = Fixture::with(|settings| settings.timeout = Duration::from_secs(1));
    fixture.client().ask("CLIENT PAUSE 60000 WRITE", "+OK\r\n");
    let mut held = fixture.client();
    held.send("PUBLISH __sentinel__:hello x\r\n");
    wait_for("the client to be held back", || {
        let mut other = fixture.client();
        other.send("CLIENT LIST\r\n");
        other.expect_text().contains(" flags=b ")
    });
    // One after the other: the first began when the other was held back already.
    for _ in 0..2 {
        fixture.client().expect_end();
    }
    fixture.client().ask("CLIENT UNPAUSE", "+OK\r\n");
    held.expect(":1\r\n");
}

/// How old the time of the reference may be: a tick, and what a busy machine adds to it.
const TICK: Duration = Duration::from_millis(500);

/// A field of the line about a client, as a number.
fn seconds(asker: &mut Client, id: u64, field: &str) -> u64 {
    asker.send(&format!("CLIENT LIST ID {id}\r\n"));
    let line = asker.expect_text();
    let value = line.split(' ').find_map(|word| word.strip_prefix(field)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{field} in {line:?}"))
}

#[test]
fn ages_are_seconds_since_the_beginning_and_since_the_last_word() {
    let (ours, reference) = (Fixture::new(), Reference::start());
    for port in [ours.port, reference.port] {
        let began = Instant::now();
        let (mut asker, mut client) = (Client::connect(port), Client::connect(port));
        let id = id(&mut client);
        assert!(seconds(&mut asker, id, "age").max(seconds(&mut asker, id, "idle")) <= 1);
        wait_for("two idle seconds", || seconds(&mut asker, id, "idle") >= 2);
        let asked = Instant::now();
        client.ask("PING", "+PONG\r\n");
        let (age, idle) = (seconds(&mut asker, id, "age"), seconds(&mut asker, id, "idle"));
        // The reference takes one whole second from another, on a clock that it reads at its ticks only.
        let within = |shown: u64, since: Instant| shown <= (since.elapsed() + TICK).as_secs() + 1;
        assert!(within(idle, asked) && within(age, began) && age >= 2, "{age} {idle}");
    }
}

#[test]
fn refusals_in_the_log_grow_old() {
    let (ours, reference) = (Fixture::new(), Reference::start());
    for port in [ours.port, reference.port] {
        let mut client = Client::connect(port);
        let before = Instant::now();
        client.send("AUTH nobody x\r\n");
        client.expect_line("-WRONGPASS");
        let after = Instant::now();
        let mut age = || -> f64 {
            client.send("ACL LOG 1\r\n");
            while client.expect_line("") != "age-seconds\r\n" {}
            client.expect_line("$");
            let age = client.expect_line("");
            client.expect_line("$11");
            client.expect_line("client-info");
            client.expect_text();
            age.trim_end().parse().unwrap_or_else(|_| panic!("seconds, not {age:?}"))
        };
        wait_for("an old refusal", || age() >= 0.5);
        let least = after.elapsed().as_secs_f64();
        let shown = age();
        // The clock of the reference goes in milliseconds.
        assert!(shown >= least - 0.01 && shown <= before.elapsed().as_secs_f64() + 0.01, "{shown} {least}");
    }
}

#[test]
fn made_up_passwords_are_never_the_same() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let mut seen: Vec<String> = (0..20)
        .map(|_| {
            client.send("ACL GENPASS\r\n");
            client.expect_text()
        })
        .collect();
    assert!(
        seen.iter().all(|text| text.len() == 64 && text.bytes().all(|b| b"0123456789abcdef".contains(&b)))
    );
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}
