//! What clients, redis-cli and humans at a socket meet: protocols, pub/sub, and commands in a row.

mod support;

use std::process::{Command, Output};

use support::fleet::NAME;
use support::node::in_path;
use support::resp::encode;
use support::{Kind, Node, Value, Watcher, World, wait_for};

/// A lone Sentinel with a real master.
fn lone(world: &World, lines: &[&str]) -> (Node, Node) {
    let mut master = world.data("master", &[]);
    master.start();
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 {} 1", master.port)];
    all.extend(lines.iter().map(|line| (*line).to_owned()));
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &all);
    sentinel.start();
    (master, sentinel)
}

fn cli(sentinel: &Node, words: &[&str]) -> Output {
    let port = sentinel.port.to_string();
    Command::new(in_path("redis-cli")).args(["-p", &port]).args(words).output().expect("redis-cli runs")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn redis_cli_gets_what_it_asks_for() {
    let world = World::new();
    let (master, mut sentinel) = lone(&world, &[]);
    let port = master.port.to_string();
    assert_eq!(printed(&cli(&sentinel, &["ping"])), "PONG\n");
    let address = cli(&sentinel, &["sentinel", "get-master-addr-by-name", NAME]);
    assert_eq!(printed(&address), format!("127.0.0.1\n{port}\n"));
    let unknown = cli(&sentinel, &["sentinel", "get-master-addr-by-name", "nobody"]);
    assert_eq!(printed(&unknown), "\n");
    wait_for("the master's INFO", 10, || printed(&cli(&sentinel, &["info"])).contains("status=ok"));
    let info = printed(&cli(&sentinel, &["info", "sentinel"]));
    assert!(info.contains("sentinel_masters:1"), "{info}");
    assert!(info.contains(&format!("master0:name={NAME},status=ok,address=127.0.0.1:{port}")), "{info}");
    let server = printed(&cli(&sentinel, &["info", "server"]));
    assert!(server.contains("redis_mode:sentinel"), "{server}");
    assert!(server.contains(&format!("config_file:{}", sentinel.conf.display())), "{server}");
    let map = printed(&cli(&sentinel, &["--no-raw", "-3", "sentinel", "master", NAME]));
    assert!(map.contains("\"flags\" => \"master\""), "{map}");
    assert!(printed(&cli(&sentinel, &["role"])).starts_with("sentinel\n"));
    assert_eq!(printed(&cli(&sentinel, &["command", "count"])), "15\n");
    assert!(printed(&cli(&sentinel, &["get", "x"])).starts_with("ERR unknown command 'get'"));
    let checked = cli(&sentinel, &["sentinel", "ckquorum", NAME]);
    assert!(printed(&checked).starts_with("OK 1 usable Sentinels."));
    let end = cli(&sentinel, &["shutdown"]);
    assert!(end.status.success());
    assert_eq!(printed(&end), "");
    assert_eq!(sentinel.wait_end(10).code(), Some(0));
}

#[test]
fn the_id_outlives_the_process_and_the_run_id_does_not() {
    let world = World::new();
    let (_master, mut sentinel) = lone(&world, &[]);
    let both =
        |sentinel: &Node| [sentinel.call(&["SENTINEL", "MYID"]).text(), sentinel.info("server", "run_id")];
    let [id, run_id] = both(&sentinel);
    for text in [&id, &run_id] {
        assert!(text.len() == 40 && text.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{text}");
    }
    assert_ne!(id, run_id);
    wait_for("the id in the file", 10, || sentinel.conf_text().contains(&format!("sentinel myid {id}\n")));
    sentinel.kill9();
    sentinel.start();
    let [same, new] = both(&sentinel);
    assert_eq!(same, id);
    assert!(new != run_id && new != id, "{run_id}, then {new}");
}

#[test]
fn a_human_may_type_inline_commands() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let mut client = sentinel.client();
    for (typed, expected) in [
        ("PING\r\n", "+PONG"),
        ("  ping   hello \n", "\"hello\""),
        ("\r\n\nPING \"two words\"\r\n", "\"two words\""),
        ("PING \"\\x41\\n\"\r\n", "\"A\\n\""),
        ("PING 'it\\'s'\r\n", "\"it's\""),
        ("*0\r\n*-1\r\nPING\r\n", "+PONG"),
        ("PING\rfoo\r\n", "\"foo\""),
        ("sentinel GET-master-addr-by-name nobody\r\n", "nil"),
        ("QUIT\r\n", "-ERR unknown command 'QUIT', with args beginning with: "),
    ] {
        client.send_raw(typed.as_bytes()).expect("an open connection");
        let answer = client.read().unwrap_or_else(|e| panic!("{typed:?}: {e}"));
        assert_eq!(format!("{answer:?}"), expected, "to {typed:?}");
    }
}

#[test]
fn answers_to_a_pipeline_come_in_order() {
    let world = World::new();
    let (master, sentinel) = lone(&world, &[]);
    let mut frames = Vec::new();
    for i in 0..500 {
        frames.extend(encode(&["PING", &i.to_string()]));
        frames.extend(encode(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]));
        // This one waits for the disk, and the others behind it.
        if i % 100 == 0 {
            frames.extend(encode(&["SENTINEL", "SET", NAME, "parallel-syncs", &(i + 1).to_string()]));
        }
        frames.extend(encode(&["SENTINEL", "MASTER", "nobody"]));
    }
    let mut client = sentinel.client();
    client.send_raw(&frames).expect("an open connection");
    for i in 0..500 {
        assert_eq!(client.read().expect("a pong").text(), i.to_string());
        assert_eq!(client.read().expect("an address").texts()[1], master.port.to_string());
        if i % 100 == 0 {
            assert_eq!(client.read().expect("a confirmation"), Value::Simple("OK".into()));
        }
        assert!(client.read().expect("an error").is_error());
    }
    assert!(sentinel.conf_text().contains(&format!("sentinel parallel-syncs {NAME} 401")));
}

#[test]
fn hello_switches_the_protocol_both_ways() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let mut client = sentinel.client();
    let hello = client.call(&["HELLO", "3", "SETNAME", "tester"]).expect("an answer");
    assert!(matches!(hello, Value::Map(_)), "{hello:?}");
    assert_eq!(hello.field("proto").as_deref(), Some("3"));
    assert_eq!(hello.field("mode").as_deref(), Some("sentinel"));
    assert!(matches!(client.call(&["SENTINEL", "MASTER", NAME]).expect("an answer"), Value::Map(_)));
    client.send(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "nobody"]).expect("an open connection");
    assert_eq!(client.read().expect("an answer"), Value::Nil);
    let named = client.call(&["CLIENT", "GETNAME"]).expect("an answer");
    assert_eq!(named.text(), "tester");
    let old = client.call(&["HELLO", "2"]).expect("an answer");
    assert!(matches!(old, Value::Array(_)), "{old:?}");
    let future = client.call(&["HELLO", "4"]).expect("an answer");
    assert_eq!(future, Value::Error("NOPROTO unsupported protocol version".into()));
}

#[test]
fn subscribers_of_both_protocols_get_events() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let mut old = sentinel.client();
    assert_eq!(old.call(&["SUBSCRIBE", "+set"]).expect("a frame").texts(), ["subscribe", "+set", "1"]);
    assert_eq!(old.call(&["PSUBSCRIBE", "+s*"]).expect("a frame").texts(), ["psubscribe", "+s*", "2"]);
    let refused = old.call(&["INFO"]).expect("an answer");
    assert!(refused.text().starts_with("ERR Can't execute 'info'"), "{refused:?}");
    assert_eq!(old.call(&["PING"]).expect("a frame").texts(), ["pong", ""]);

    let mut new = sentinel.client();
    new.call(&["HELLO", "3"]).expect("an answer");
    let confirmed = new.call(&["SUBSCRIBE", "+set"]).expect("a frame");
    assert!(matches!(confirmed, Value::Push(_)), "{confirmed:?}");
    assert_eq!(new.call(&["PING"]).expect("an answer"), Value::Simple("PONG".into()));

    sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "2"]);
    let text = old.read().expect("a message").texts();
    assert_eq!(text[..2], ["message", "+set"]);
    assert!(text[2].starts_with(&format!("master {NAME} ")) && text[2].ends_with(" quorum 2"), "{text:?}");
    assert_eq!(old.read().expect("a message").texts()[..3], ["pmessage", "+s*", "+set"]);
    let push = new.read().expect("a push");
    assert!(matches!(&push, Value::Push(v) if v[1].text() == "+set"), "{push:?}");

    assert_eq!(old.call(&["UNSUBSCRIBE", "+set"]).expect("a frame").texts()[2], "1");
    assert_eq!(old.call(&["PUNSUBSCRIBE"]).expect("a frame").texts()[2], "0");
    assert_eq!(old.call(&["PING"]).expect("an answer"), Value::Simple("PONG".into()));
}

#[test]
fn a_crowd_of_subscribers_hears_the_same() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let crowd: Vec<Watcher> = (0..100).map(|_| Watcher::subscribe(sentinel.port)).collect();
    for value in ["11", "12", "13"] {
        sentinel.call(&["SENTINEL", "SET", NAME, "parallel-syncs", value]);
    }
    for watcher in &crowd {
        wait_for("three messages", 10, || watcher.on("+set").len() == 3);
        let ends: Vec<String> =
            watcher.on("+set").iter().filter_map(|p| p.split(' ').next_back().map(str::to_owned)).collect();
        assert_eq!(ends, ["11", "12", "13"]);
    }
}

#[test]
fn clients_can_be_listed_and_killed() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &[]);
    let mut victim = sentinel.client();
    victim.call(&["CLIENT", "SETNAME", "victim"]).expect("an answer");
    let id = victim.call(&["CLIENT", "ID"]).expect("an answer").text();
    let mut client = sentinel.client();
    let list = client.call(&["CLIENT", "LIST"]).expect("an answer").text();
    assert!(
        list.lines().any(|l| l.starts_with(&format!("id={id} ")) && l.contains(" name=victim ")),
        "{list}"
    );
    assert_eq!(client.call(&["CLIENT", "KILL", "ID", &id]).expect("an answer"), Value::Int(1));
    assert!(victim.call(&["PING"]).is_err(), "a killed connection is closed");
}

#[test]
fn too_many_clients_are_told_so() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &["maxclients 20"]);
    let mut held = Vec::new();
    let refusal = (0..40).find_map(|_| {
        let mut client = sentinel.client();
        match client.call(&["PING"]) {
            Ok(Value::Error(text)) => Some(text),
            Ok(_) => {
                held.push(client);
                None
            }
            Err(_) => Some("closed before it could be read".into()),
        }
    });
    assert_eq!(refusal.as_deref(), Some("ERR max number of clients reached"));
    assert!(held.len() >= 10, "only {} clients were let in", held.len());
    held.clear();
    wait_for("room for new clients", 5, || {
        sentinel.try_call(&["PING"]) == Some(Value::Simple("PONG".into()))
    });
}

#[test]
fn an_idle_client_is_sent_away_after_its_timeout_but_no_subscriber() {
    let world = World::new();
    let (_master, sentinel) = lone(&world, &["timeout 1"]);
    let watcher = Watcher::subscribe(sentinel.port);
    // The second one is sent away when the subscriber has been silent for twice the timeout.
    for _ in 0..2 {
        let mut idle = sentinel.client();
        assert_eq!(idle.call(&["PING"]).expect("an answer"), Value::Simple("PONG".into()));
        assert_eq!(idle.read_all(), (String::new(), true));
    }
    sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "2"]);
    wait_for("the event", 5, || watcher.saw("+set", "quorum 2"));
}
