//! The same scenes in front of redis-sentinel and sentineld, and the same lines in their logs: what clients do and what operators ask
//! for. Masked are only numbers that differ from run to run; left out are the debug lines about links, and the line with our name.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::SockRef;
use support::fleet::NAME;
use support::{Kind, Node, World, wait_for};

/// Nobody listens there.
const MASTER_PORT: &str = "1";
const LINES: [&str; 6] = [
    "loglevel debug",
    "client-query-buffer-limit 1mb",
    "client-output-buffer-limit pubsub 100kb 0 0",
    "maxclients 8",
    "timeout 0",
    "sentinel down-after-milliseconds mymaster 600000",
];

struct Scene {
    name: &'static str,
    play: fn(&Node),
    /// What its last line has.
    last: &'static str,
}

/// Runs the scenes and gives the lines of each.
fn play(kind: Kind, extra: &[&str], scenes: &[Scene]) -> Vec<(&'static str, Vec<String>)> {
    let world = World::new();
    let monitor = format!("sentinel monitor {NAME} 127.0.0.1 {MASTER_PORT} 1");
    let socket = format!("unixsocket {}", world.path("sock").display());
    let mut lines: Vec<String> = vec![monitor, socket];
    lines.extend(LINES.iter().chain(extra).map(|line| (*line).to_owned()));
    let mut sentinel = world.sentinel("sentinel", kind, &lines);
    sentinel.start();
    // What the start and its probe leave has to be there.
    sentinel.wait_log("+monitor master");
    sentinel.wait_log(CLOSED);
    let mut seen = sentinel.log_text().lines().count();
    let folder = world.path("").display().to_string();
    let take = |scene: &Scene| {
        (scene.play)(&sentinel);
        let mut fresh = Vec::new();
        wait_for(&format!("{:?} after {}", scene.last, scene.name), 10, || {
            let text = sentinel.log_text();
            fresh = text.lines().skip(seen).map(|line| masked(line, &folder, sentinel.port)).collect();
            fresh.iter().any(|line| line.contains(scene.last))
        });
        seen += fresh.len();
        fresh.retain(|line| !line.contains("-link-reconnection"));
        (scene.name, fresh)
    };
    scenes.iter().map(take).collect()
}

/// The level and the text of a line, without what differs from run to run.
fn masked(line: &str, folder: &str, port: u16) -> String {
    let text = line.splitn(6, ' ').nth(5).unwrap_or_default();
    let text = text.replace(folder, "FOLDER/").replace(&port.to_string(), "PORT");
    let hide = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let varies = ["id", "fd", "age", "idle", "qbuf-free", "rbs", "rbp", "tot-mem"].contains(&name);
        let varies = varies || (name == "qbuf" && value.len() > 4);
        match word.strip_prefix("127.0.0.1:") {
            Some(_) => "127.0.0.1:N".to_owned(),
            None if varies && !value.is_empty() => format!("{name}=N"),
            None if name == "addr" && !value.ends_with(":0") => "addr=N".to_owned(),
            None => word.to_owned(),
        }
    };
    let mut text = text.split(' ').map(hide).collect::<Vec<_>>().join(" ");
    for (start, end) in VAGUE {
        if let Some(at) = text.find(start) {
            let rest = text[at + start.len()..].find(end).map_or("", |to| &text[at + start.len() + to..]);
            text = format!("{}{start}{rest}", &text[..at]);
        }
    }
    text
}

/// What stands between these texts is in other words, or depends on how much was received at a time.
const VAGUE: [(&str, &str); 3] = [
    ("Possible SECURITY ATTACK detected.", "Connection aborted."),
    ("(qbuf initial bytes: \"", "\")"),
    ("(... more ", " bytes"),
];

#[track_caller]
fn compare(extra: &[&str], scenes: &[Scene]) {
    let expected = play(Kind::Reference, extra, scenes);
    let got = play(Kind::Subject, extra, scenes);
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got, expected);
    }
}

fn connect(sentinel: &Node) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", sentinel.port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    stream
}

fn ping(mut stream: impl Read + Write) {
    stream.write_all(b"PING\r\n").expect("it reads");
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).expect("it answers");
}

/// Sends bytes, and reads until the other side closes.
fn until_closed(sentinel: &Node, bytes: &[u8]) {
    let mut stream = connect(sentinel);
    // It may close before it has read all, and then what it sent before is lost.
    let _ = stream.write_all(bytes);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn ask(sentinel: &Node, words: &[&str]) {
    // Each on a connection of its own: its end is the end of the scene.
    sentinel.call(words);
}

const CLOSED: &str = "Client closed connection";

#[test]
fn clients_come_and_go() {
    let scenes = [
        Scene { name: "close", play: |sentinel| ping(connect(sentinel)), last: CLOSED },
        Scene {
            name: "close with a name",
            play: |sentinel| {
                let mut client = sentinel.client();
                client.call(&["HELLO", "3", "SETNAME", "joe"]).expect("an answer");
                client.call(&["SUBSCRIBE", "a", "b"]).expect("an answer");
            },
            last: CLOSED,
        },
        Scene {
            name: "reset",
            play: |sentinel| {
                let stream = connect(sentinel);
                ping(&stream);
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
            },
            last: "Reading from client",
        },
        Scene {
            name: "unix socket",
            play: |sentinel| {
                let path = sentinel.conf.with_file_name("../sock");
                ping(UnixStream::connect(path).expect("it listens"));
            },
            last: CLOSED,
        },
        Scene {
            name: "killed by itself",
            play: |sentinel| {
                let mut client = sentinel.client();
                let id = client.call(&["CLIENT", "ID"]).expect("an answer").text();
                client.call(&["CLIENT", "KILL", "ID", &id, "SKIPME", "no"]).expect("an answer");
                assert!(client.read_all().1, "closed");
                ask(sentinel, &["PING"]);
            },
            last: CLOSED,
        },
        Scene {
            name: "failed logins",
            play: |sentinel| {
                let mut client = sentinel.client();
                client.call(&["AUTH", "a", "b"]).expect("an answer");
                client.call(&["HELLO", "3", "AUTH", "x", "y"]).expect("an answer");
            },
            last: CLOSED,
        },
    ];
    compare(&[], &scenes);
}

#[test]
fn nothing_is_said_of_clients_that_are_too_many() {
    for kind in [Kind::Reference, Kind::Subject] {
        let world = World::new();
        let mut sentinel =
            world.sentinel("sentinel", kind, &["loglevel debug".into(), "maxclients 1".into()]);
        sentinel.start();
        sentinel.wait_log(CLOSED);
        let first = connect(&sentinel);
        ping(&first);
        let mut refused = String::new();
        connect(&sentinel).read_to_string(&mut refused).expect("a line, and the end");
        assert_eq!(refused, "-ERR max number of clients reached\r\n");
        drop(first);
        wait_for("the end of the first", 10, || sentinel.log_text().matches(CLOSED).count() == 2);
        let text = sentinel.log_text();
        assert_eq!(text.matches("Accepted 127.0.0.1:").count(), 3, "{text}");
        assert!(text.lines().last().is_some_and(|line| line.contains(CLOSED)), "{text}");
    }
}

#[test]
fn idle_clients_are_closed_with_a_line() {
    let idle = Scene {
        name: "idle",
        play: |sentinel| {
            let mut stream = connect(sentinel);
            ping(&stream);
            let end = stream.read(&mut [0]);
            assert_eq!(end.expect("an end"), 0);
        },
        last: "Closing idle client",
    };
    compare(&["timeout 1"], &[idle]);
}

#[test]
fn nonsense_is_described() {
    const ERROR: &str = "Protocol error";
    let scene = |name, play, last| Scene { name, play, last };
    compare(
        &[],
        &[
            scene("no dollar", |s| until_closed(s, b"*1\r\nPING\r\n"), ERROR),
            scene(
                "a long line",
                |s| until_closed(s, &[b"*1\r\n:", &[b'a'; 200][..], b"\r\n"].concat()),
                ERROR,
            ),
            scene("count", |s| until_closed(s, b"*x\r\n"), ERROR),
            scene("length", |s| until_closed(s, b"*2\r\n$4\r\nPING\r\n$-1\r\n"), ERROR),
            scene("quotes", |s| until_closed(s, b"\"abc\r\n"), ERROR),
            scene("odd bytes", |s| until_closed(s, b"'\x01\"\\\xff\n"), ERROR),
            scene("long inline", |s| until_closed(s, &[b'x'; 70_000]), ERROR),
            scene("long count", |s| until_closed(s, &[b"*", &[b'1'; 70_000][..]].concat()), ERROR),
            scene(
                "too much",
                |s| until_closed(s, &[b"*1\r\n$2000000\r\n", &[b'y'; 1_500_000][..]].concat()),
                "Closing client that reached max query buffer length: ",
            ),
            scene("http", |s| until_closed(s, b"POST / HTTP/1.1\r\n"), "Possible SECURITY ATTACK detected."),
        ],
    );
}

#[test]
fn subscribers_that_get_too_much_are_closed_with_a_line() {
    for kind in [Kind::Reference, Kind::Subject] {
        let scene = Scene {
            name: "subscriber",
            play: |sentinel| {
                let mut client = sentinel.client();
                client.call(&["HELLO", "3"]).expect("an answer");
                client.call(&["PSUBSCRIBE", "*"]).expect("an answer");
                client.send(&["PING", &"x".repeat(300_000)]).expect("it reads");
                assert!(client.read_all().1, "closed");
            },
            last: "scheduled to be closed ASAP",
        };
        let (_, lines) = play(kind, &[], &[scene]).remove(0);
        let last = lines.last().expect("lines");
        let expected = "# Client id=N addr=127.0.0.1:N laddr=127.0.0.1:N fd=N name= age=N idle=N flags=P ";
        assert!(
            last.starts_with(
                &expected.replace("addr=127.0.0.1:N laddr=127.0.0.1:N", "addr=N laddr=127.0.0.1:PORT")
            ),
            "{last}"
        );
        assert!(
            last.ends_with(" scheduled to be closed ASAP for overcoming of output buffer limits."),
            "{last}"
        );
        assert!(last.contains(" psub=1 ") && !last.contains(" omem=0 "), "{last}");
    }
}

#[test]
fn operators_see_what_they_did() {
    let scene = |name, play, last| Scene { name, play, last };
    compare(
        &[],
        &[
            scene("config", |s| ask(s, &["SENTINEL", "CONFIG", "SET", "announce-port", "1234"]), CLOSED),
            scene("debug", |s| ask(s, &["SENTINEL", "DEBUG", "info-period", "9999"]), CLOSED),
            scene(
                "simulate",
                |s| {
                    let words = ["crash-after-election", "crash-after-promotion"];
                    ask(s, &["SENTINEL", "SIMULATE-FAILURE", words[0], words[1]]);
                },
                CLOSED,
            ),
            scene("disarm", |s| ask(s, &["SENTINEL", "SIMULATE-FAILURE", "help"]), CLOSED),
            scene("flush", |s| ask(s, &["SENTINEL", "FLUSHCONFIG"]), CLOSED),
            scene("users", |s| ask(s, &["ACL", "SETUSER", "joe", "on"]), CLOSED),
            scene("monitor", |s| ask(s, &["SENTINEL", "MONITOR", "m2", "127.0.0.1", "1", "2"]), CLOSED),
            scene("no host", |s| ask(s, &["SENTINEL", "MONITOR", "m3", "nohost", "1", "2"]), CLOSED),
            scene(
                "question",
                |s| ask(s, &["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "nohost", "1", "0", "*"]),
                CLOSED,
            ),
            scene(
                "set",
                |s| ask(s, &["SENTINEL", "SET", "m2", "quorum", "3", "down-after-milliseconds", "100000"]),
                CLOSED,
            ),
            scene("set in part", |s| ask(s, &["SENTINEL", "SET", "m2", "quorum", "4", "foo", "1"]), CLOSED),
            scene("password", |s| ask(s, &["SENTINEL", "SET", "m2", "auth-pass", "abc"]), CLOSED),
            scene("reset", |s| ask(s, &["SENTINEL", "RESET", "m2"]), CLOSED),
            scene("failover", |s| ask(s, &["SENTINEL", "FAILOVER", "m2"]), CLOSED),
            scene("remove", |s| ask(s, &["SENTINEL", "REMOVE", "m2"]), CLOSED),
            scene("shutdown", |s| drop(s.client().send(&["SHUTDOWN"])), "ready to exit, bye bye..."),
        ],
    );
}

#[test]
fn a_name_that_nobody_knows_is_complained_about_once_a_second() {
    for kind in [Kind::Reference, Kind::Subject] {
        let world = World::new();
        // An empty label: no server need be asked about it.
        let lines = ["sentinel resolve-hostnames yes", "sentinel monitor lost no..such..host 6379 1"];
        let mut sentinel = world.sentinel("sentinel", kind, &lines.map(str::to_owned));
        let started = Instant::now();
        sentinel.start();
        let complaint = "Failed to resolve hostname 'no..such..host'";
        let count = || sentinel.log_text().matches(complaint).count();
        wait_for("some complaints", 20, || count() >= 5);
        let seconds = usize::try_from(started.elapsed().as_secs()).expect("a short time");
        // One for the file, and one for the second that has begun.
        assert!(count() <= seconds + 3, "{kind:?}: {} in {seconds} s", count());
    }
}
