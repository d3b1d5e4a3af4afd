//! Junk from every side: nothing of it may stop the Sentinel, swell it, or distract it from its other masters.

mod support;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::fake::{self, bulk};
use support::fleet::{NAME, timing};
use support::{Client, Kind, Node, Value, Watcher, World, wait_for};

/// How much a Sentinel may swell under attack.
const ALLOWED_GROWTH_KB: u64 = 100_000;

/// A real master and a Sentinel that watches it, with more lines in its file.
fn watched(world: &World, quorum: u32, replicas: usize, lines: &[String]) -> (Node, Vec<Node>, Node) {
    let mut master = world.data("master", &[]);
    master.start();
    let replica_of = [format!("replicaof 127.0.0.1 {}", master.port)];
    let mut others = Vec::new();
    for i in 0..replicas {
        let mut replica = world.data(&format!("replica{i}"), &replica_of);
        replica.start();
        wait_for("a replica in step", 20, || replica.info("replication", "master_link_status") == "up");
        others.push(replica);
    }
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 {} {quorum}", master.port)];
    all.extend_from_slice(lines);
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &all);
    sentinel.start();
    let flags = || sentinel.call(&["SENTINEL", "MASTER", NAME]).field("flags");
    wait_for("the links to the master", 20, || flags().as_deref() == Some("master"));
    (master, others, sentinel)
}

/// The Sentinel answers at once, knows its real master as healthy, and is no larger than it may be.
#[track_caller]
fn still_well(sentinel: &Node, memory_before_kb: u64) {
    let started = Instant::now();
    assert_eq!(sentinel.call(&["PING"]), Value::Simple("PONG".into()));
    assert!(started.elapsed() < Duration::from_secs(2), "a slow PING: {:?}", started.elapsed());
    let flags = sentinel.call(&["SENTINEL", "MASTER", NAME]).field("flags");
    assert_eq!(flags.as_deref(), Some("master"));
    let memory = sentinel.memory_kb();
    assert!(memory < memory_before_kb + ALLOWED_GROWTH_KB, "{memory} kB, before it {memory_before_kb} kB");
}

/// Bytes that follow no rule, the same in each run.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let step = |s: &mut u64| {
        *s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*s >> 33) as u8
    };
    (0..len).map(|_| step(&mut state)).collect()
}

#[test]
fn broken_frames_get_their_error_and_are_cut_off() {
    let world = World::new();
    let (_master, _, sentinel) = watched(&world, 1, 0, &timing(30_000, 60_000));
    let before = sentinel.memory_kb();
    let cases: [(&[u8], &str); 12] = [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*1\r\n*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"PING \"half\r\n", "unbalanced quotes in request"),
        (&[b'a'; 70_000], "too big inline request"),
        (&[b"*1", &[b'1'; 70_000][..]].concat(), "too big mbulk count string"),
        (&[b"*1\r\n$1", &[b'1'; 70_000][..]].concat(), "too big bulk count string"),
    ];
    for (bytes, error) in cases {
        let mut client = sentinel.client();
        // A command before the broken one is still answered.
        client.send_raw(&[b"PING\r\n", bytes].concat()).ok();
        let (answer, closed) = client.read_all();
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(24)]).into_owned();
        assert_eq!(answer, format!("+PONG\r\n-ERR Protocol error: {error}\r\n"), "after {start:?}");
        assert!(closed, "still open after {start:?}");
        still_well(&sentinel, before);
    }
    for line in ["POST / HTTP/1.1\r\n\r\n", "Host: example\r\n\r\n"] {
        let mut client = sentinel.client();
        client.send_raw(line.as_bytes()).expect("an open connection");
        assert_eq!(client.read_all(), (String::new(), true), "a browser is sent away without a word");
    }
    still_well(&sentinel, before);
}

#[test]
fn noise_and_unfinished_frames_cost_next_to_nothing() {
    let world = World::new();
    let (_master, _, sentinel) = watched(&world, 1, 0, &timing(30_000, 60_000));
    let before = sentinel.memory_kb();
    let noise = noise(1 << 20);
    let starts: [&[u8]; 7] = [
        b"*3\r\n$8\r\nSENTINEL\r\n$6\r\nMAS",
        b"*1\r\n$536870912\r\nabc",
        b"*2147483647\r\n$4\r\nPING\r\n",
        b"*1000000\r\n",
        b"PING",
        b"\x00\x00\x00\x00",
        b"*1\r\n$4\r\nPI",
    ];
    let mut open = Vec::new();
    for round in 0..40 {
        for start in starts {
            let mut client = sentinel.client();
            client.send_raw(start).expect("an open connection");
            open.push(client);
        }
        let mut client = sentinel.client();
        let from = round * 20_000;
        client.send_raw(&noise[from..from + 60_000]).ok();
        client.send_raw(b"\r\n").ok();
        if round % 2 == 0 {
            open.push(client);
        }
    }
    still_well(&sentinel, before);
    // A frame may come one byte at a time.
    let mut slow = sentinel.client();
    for byte in b"*2\r\n$4\r\nPING\r\n$5\r\nhello\r\n" {
        slow.send_raw(&[*byte]).expect("an open connection");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(slow.read().expect("an answer").text(), "hello");
    drop(open);
    still_well(&sentinel, before);
}

#[test]
fn junk_on_the_hello_channel_teaches_nothing() {
    let world = World::new();
    let (master, _, sentinel) = watched(&world, 1, 0, &timing(30_000, 60_000));
    let before = sentinel.memory_kb();
    let id = "a".repeat(40);
    let here = format!("127.0.0.1,{}", master.port);
    let mut junk = vec![
        String::new(),
        ",".into(),
        ",,,,,,,".into(),
        "hello".into(),
        format!("127.0.0.1,26379,{id},0,{NAME},{here}"),
        format!("127.0.0.1,26379,{id},0,{NAME},{here},0,9"),
        format!("127.0.0.1,26379,{id},0,another,{here},0"),
        format!("not an address,26379,{id},0,{NAME},{here},0"),
        format!("127.0.0.1,99999,{id},0,{NAME},{here},0"),
        "x".repeat(1 << 20),
    ];
    junk.push(String::from_utf8_lossy(&noise(5000)).into_owned());
    for text in &junk {
        let sent = sentinel.call(&["PUBLISH", "__sentinel__:hello", text]);
        assert_eq!(sent, Value::Int(1), "a hello is always accepted");
        master.call(&["PUBLISH", "__sentinel__:hello", text]);
    }
    let elsewhere = sentinel.call(&["PUBLISH", "news", "hello"]);
    let refused = "ERR Only HELLO messages are accepted by Sentinel instances.";
    assert_eq!(elsewhere, Value::Error(refused.into()));
    let mut flood = master.client();
    for _ in 0..20_000 {
        flood.send(&["PUBLISH", "__sentinel__:hello", &junk[4]]).expect("an open connection");
    }
    (0..20_000).for_each(|_| drop(flood.read()));
    still_well(&sentinel, before);
    let view = sentinel.call(&["SENTINEL", "MASTER", NAME]);
    assert_eq!(view.field("num-other-sentinels").as_deref(), Some("0"));
    assert_eq!(view.field("config-epoch").as_deref(), Some("0"));
    // After all this, a true hello is still heard.
    let hello = format!("127.0.0.1,26379,{id},0,{NAME},{here},0");
    wait_for("the true peer", 10, || {
        master.call(&["PUBLISH", "__sentinel__:hello", &hello]);
        let view = sentinel.call(&["SENTINEL", "MASTER", NAME]);
        view.field("num-other-sentinels").as_deref() == Some("1")
    });
}

/// Fakes of masters, each with its own way of lying.
fn liars() -> Vec<u16> {
    let raw = |bytes: &'static [u8]| fake::start(move |_, out| out.write_all(bytes));
    let nested = "*1\r\n".repeat(10_000);
    let text = String::from_utf8_lossy(&noise(100_000)).into_owned();
    let odd_info = "# Server\r\nrun_id:\r\nredis_version\r\n:::\r\nrole:\r\nrole:king\r\nslave0:\r\n\
                    slave1:ip=,port=,state=\r\nslave2:ip=127.0.0.1,port=99999999999999\r\n\
                    slave3:port=1\r\nmaster_port:-7\r\nmaster_link_down_since_seconds:much\r\n\
                    slave_priority:1e9\r\nslave_repl_offset:18446744073709551616\r\n";
    let mut ports = vec![
        raw(b"\r\n\r\n"),
        raw(b"-ERR no\r\n"),
        raw(b"*2\r\n+what\r\n:1\r\n"),
        raw(b":42\r\n"),
        raw(b"$2147483647\r\nabc"),
        raw(b"*2147483647\r\n+a\r\n"),
        raw(b"$-7\r\n"),
        raw(b"%1\r\n+a\r\n+b\r\n"),
        raw(b""),
        fake::start(|_, _| Err(std::io::Error::other("hang up on every command"))),
        fake::start(move |words, out| match words[0].as_str() {
            "INFO" => out.write_all(&bulk(&text)),
            _ => out.write_all(b"+PONG\r\n"),
        }),
        fake::start(move |words, out| match words[0].as_str() {
            "INFO" => out.write_all(&bulk(odd_info)),
            _ => out.write_all(b"+PONG\r\n"),
        }),
        fake::start(|_, out| drip(out)),
        fake::start(|words, out| match words[0].as_str() {
            "SUBSCRIBE" => (0..500).try_for_each(|_| {
                let message = bulk(&"x".repeat(100_000));
                out.write_all(b"*3\r\n$7\r\nmessage\r\n$18\r\n__sentinel__:hello\r\n")?;
                out.write_all(&message)
            }),
            _ => out.write_all(b"+PONG\r\n"),
        }),
    ];
    // The reference aborts on a reply that it did not ask for, and buffers the others as long as they come.
    if !Kind::Subject.is_reference() {
        ports.push(raw(b"+PONG\r\n+PONG\r\n+PONG\r\n+more than asked\r\n"));
        ports.push(fake::start(move |_, out| out.write_all(nested.as_bytes())));
        ports.push(fake::start(|_, out| endless(out, b"+", b'a')));
        ports.push(fake::start(|_, out| endless(out, b"*1\r\n$", b'1')));
        ports.push(fake::start(|_, out| endless(out, b"$536870912\r\n", b'b')));
    }
    ports
}

/// One byte every 100 ms, never a whole reply.
fn drip(out: &mut impl Write) -> std::io::Result<()> {
    out.write_all(b"+")?;
    (0..600).try_for_each(|_| {
        std::thread::sleep(Duration::from_millis(100));
        out.write_all(b"P")
    })
}

/// A reply without an end, at up to 20 MB a second.
fn endless(out: &mut impl Write, start: &[u8], byte: u8) -> std::io::Result<()> {
    out.write_all(start)?;
    let chunk = vec![byte; 1 << 19];
    (0..800).try_for_each(|_| {
        std::thread::sleep(Duration::from_millis(25));
        out.write_all(&chunk)
    })
}

#[test]
fn lying_masters_do_not_draw_attention_from_the_true_one() {
    let world = World::new();
    let mut lines = timing(1000, 10_000);
    for (i, port) in liars().into_iter().enumerate() {
        lines.push(format!("sentinel monitor liar{i} 127.0.0.1 {port} 2"));
        lines.push(format!("sentinel down-after-milliseconds liar{i} 2000"));
    }
    let (mut master, replicas, sentinel) = watched(&world, 1, 1, &lines);
    let watcher = Watcher::subscribe(sentinel.port);
    let before = sentinel.memory_kb();
    support::holds_for("the Sentinel is well among liars", 8.0, || {
        still_well(&sentinel, before);
        true
    });
    wait_for("the silent ones to be called down", 10, || watcher.on("+sdown").len() > 4);
    master.kill9();
    let replica = &replicas[0];
    wait_for("the failover of the true master", 30, || replica.info("replication", "role") == "master");
    wait_for("its announcement", 10, || watcher.saw("+switch-master", NAME));
    let memory = sentinel.memory_kb();
    assert!(memory < before + ALLOWED_GROWTH_KB, "{memory} kB");
}

#[test]
fn lying_peers_cannot_elect_and_do_not_block() {
    let junk: [&[u8]; 14] = [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"$-1\r\n",
        b"*2\r\n:1\r\n$1\r\n*\r\n",
        b"*3\r\n:1\r\n:2\r\n:3\r\n",
        b"*3\r\n$1\r\n1\r\n$1\r\n*\r\n$1\r\n0\r\n",
        b"*3\r\n:9223372036854775807\r\n$1\r\n*\r\n:-9223372036854775808\r\n",
        b"*3\r\n:0\r\n$0\r\n\r\n:0\r\n",
        b"*4\r\n:1\r\n$1\r\n*\r\n:0\r\n*1\r\n*1\r\n*0\r\n",
        // No more of these ever comes.
        b"*3\r\n:1\r\n$40\r\nbbbb",
        b"*3\r\n:1\r\n$536870912\r\n",
        b"*2147483647\r\n:1\r\n",
    ];
    let asked = Arc::new(AtomicUsize::new(0));
    let honest = Arc::new(AtomicBool::new(false));
    let (count, truth) = (asked.clone(), honest.clone());
    let peer = fake::start(move |words, out| match words[0].as_str() {
        "SENTINEL" if truth.load(Ordering::SeqCst) => vote(words, out),
        "SENTINEL" => out.write_all(junk[count.fetch_add(1, Ordering::SeqCst) % junk.len()]),
        "PUBLISH" => out.write_all(b":1\r\n"),
        _ => out.write_all(b"+PONG\r\n"),
    });
    let world = World::new();
    let (mut master, replicas, sentinel) = watched(&world, 1, 1, &timing(1000, 3000));
    let watcher = Watcher::subscribe(sentinel.port);
    let hello = format!("127.0.0.1,{peer},{},0,{NAME},127.0.0.1,{},0", "b".repeat(40), master.port);
    wait_for("the peer", 10, || {
        // Again and again, like a true peer: the first may come before the subscription that it is meant for.
        master.call(&["PUBLISH", "__sentinel__:hello", &hello]);
        watcher.saw("+sentinel", &"b".repeat(40))
    });
    wait_for("the replica", 10, || {
        let known = sentinel.call(&["SENTINEL", "REPLICAS", NAME]);
        known.items().iter().any(|r| r.field("flags").as_deref() == Some("slave"))
    });
    let before = sentinel.memory_kb();
    master.kill9();
    wait_for("all the junk to be told", 60, || asked.load(Ordering::SeqCst) >= junk.len());
    assert_eq!(watcher.on("+elected-leader"), Vec::<String>::new(), "junk is no vote");
    assert!(sentinel.memory_kb() < before + ALLOWED_GROWTH_KB);
    honest.store(true, Ordering::SeqCst);
    wait_for("the failover with one true vote", 60, || replicas[0].info("replication", "role") == "master");
    wait_for("its announcement", 10, || watcher.saw("+switch-master", NAME));
}

/// The answer of an honest peer, who grants every vote it is asked for.
fn vote(words: &[String], out: &mut impl Write) -> std::io::Result<()> {
    let (epoch, candidate) = (&words[4], &words[5]);
    let epoch = if candidate == "*" { "0" } else { epoch };
    out.write_all(format!("*3\r\n:1\r\n${}\r\n{candidate}\r\n:{epoch}\r\n", candidate.len()).as_bytes())
}

#[test]
fn a_reader_that_never_reads_is_cut_off() {
    let world = World::new();
    let (_master, _, sentinel) = watched(&world, 1, 0, &timing(30_000, 60_000));
    let before = sentinel.memory_kb();
    let mut deaf = Client::connect_with(sentinel.port, Duration::from_millis(500)).expect("a connection");
    // Ask for far more answers than are ever read, until the Sentinel takes no more.
    let frame = support::resp::encode(&["SENTINEL", "MASTERS"]).repeat(100);
    for _ in 0..200 {
        if deaf.send_raw(&frame).is_err() {
            break;
        }
    }
    still_well(&sentinel, before);
}
