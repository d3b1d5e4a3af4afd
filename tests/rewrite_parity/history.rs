//! The same history of discoveries, votes, failovers and commands, told to both: the file after each step.

use std::fs;

use crate::bench::{Bench, Life, report};
use crate::normal::normal;
use crate::support::node::in_path;
use crate::support::{Kind, Node, Value, wait_for};

const ID: &str = "0000000000000000000000000000000000000001";
const PEER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Data servers on the bench's ports, the first of them the master of the others; killed when dropped.
fn data_servers(bench: &Bench, count: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (at, port) in bench.others.into_iter().take(count).enumerate() {
        let name = format!("data{at}");
        fs::remove_dir_all(bench.world.path(&name)).ok();
        let dir = bench.world.folder(&name);
        // Of two replicas, the first is the better one: so both programs promote the same.
        let mut text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\nrepl-diskless-sync-delay 0\nreplica-priority {}\n",
            dir.display(),
            10 + at
        );
        if at > 0 {
            text += &format!("replicaof 127.0.0.1 {}\n", bench.others[0]);
        }
        let conf = bench.world.write(&format!("{name}/redis.conf"), &text);
        let log = bench.world.path(&format!("{name}.log"));
        let mut node = Node::new(&name, in_path("redis-server"), port, conf, log);
        node.start();
        nodes.push(node);
    }
    for node in &nodes[1..] {
        wait_for("a replica in step", 30, || node.info("replication", "master_link_status") == "up");
    }
    nodes
}

/// A greeting of a peer, as if the master had passed it on.
fn greet(life: &Life, port: u16, id: &str, epoch: u32, master: u16, config_epoch: u32) {
    let hello = format!("127.0.0.1,{port},{id},{epoch},m,127.0.0.1,{master},{config_epoch}");
    life.ok(&["PUBLISH", "__sentinel__:hello", &hello]);
}

fn replicas_seen(life: &Life, count: usize) {
    wait_for(&format!("{:?} to know {count} replicas", life.kind), 30, || {
        life.node.try_call(&["SENTINEL", "REPLICAS", "m"]).is_some_and(|list| list.items().len() == count)
    });
}

#[test]
fn discoveries_votes_and_failover() {
    let bench = Bench::new();
    let text = "# ours\nport {port}\ndir {dir}\n# the group\nsentinel monitor m 127.0.0.1 {one} 1\n";
    bench.both("with an id to be made", bench.filled(text).as_bytes(), discover);
    let text = format!("{text}sentinel myid {ID}\n");
    bench.both("with an id", bench.filled(&text).as_bytes(), discover);
    let text = format!("{text}sentinel down-after-milliseconds m 2000\nsentinel failover-timeout m 20000\n");
    bench.both("a failover that was asked for", bench.filled(&text).as_bytes(), |life| {
        fail_over(life, Cause::Command)
    });
    bench.both("a failover of a dead master", bench.filled(&text).as_bytes(), |life| {
        fail_over(life, Cause::Death)
    });
    let text = text.replace(" 2000", " 60000");
    bench.both("a crash within a failover", bench.filled(&text).as_bytes(), crash_within);
    report("discoveries and failovers");
}

fn discover(life: &mut Life) {
    let bench = life.bench;
    let _data = data_servers(bench, 3);
    let [one, two, _] = bench.others;
    life.start();
    life.await_lines(&[
        "sentinel known-replica m 127.0.0.1 {two}",
        "sentinel known-replica m 127.0.0.1 {three}",
    ]);
    life.picture("the discovery of two replicas");
    greet(life, 5, PEER, 0, one, 0);
    life.await_lines(&[&format!("sentinel known-sentinel m 127.0.0.1 5 {PEER}")]);
    life.picture("the greeting of a peer");
    greet(life, 6, OTHER, 0, one, 0);
    life.await_lines(&[&format!("sentinel known-sentinel m 127.0.0.1 6 {OTHER}")]);
    life.picture("the greeting of another");
    greet(life, 7, OTHER, 0, one, 0);
    life.await_lines(&[&format!("sentinel known-sentinel m 127.0.0.1 7 {OTHER}")]);
    life.picture("the greeting of one that moved");
    greet(life, 7, OTHER, 5, one, 0);
    life.await_lines(&["sentinel current-epoch 5"]);
    life.picture("a greeting of a later epoch");
    life.ok(&["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", &one.to_string(), "6", PEER]);
    life.await_lines(&["sentinel leader-epoch m 6"]);
    life.picture("a vote");
    greet(life, 7, OTHER, 7, two, 7);
    life.await_lines(&["sentinel monitor m 127.0.0.1 {two} 1", "sentinel config-epoch m 7"]);
    life.picture("a newer configuration");
    life.ok(&["SENTINEL", "RESET", "m"]);
    life.await_no_peers();
    // The replica that the peer spoke of says that it is none, so there is nothing to be found behind it.
    life.flush("a reset");
    life.stop();
    life.start();
    life.picture("a restart");
    life.flush("a restart");
}

#[derive(PartialEq)]
enum Cause {
    Command,
    Death,
}

/// Starts the Sentinel, and waits until both replicas could take over.
fn watch(life: &mut Life) {
    life.start();
    life.await_lines(&[
        "sentinel known-replica m 127.0.0.1 {two}",
        "sentinel known-replica m 127.0.0.1 {three}",
    ]);
    replicas_seen(life, 2);
    wait_for("replicas fit for promotion", 20, || {
        let list = life.node.call(&["SENTINEL", "REPLICAS", "m"]);
        list.items().iter().all(|r| r.field("master-link-status").as_deref() == Some("ok"))
    });
}

fn fail_over(life: &mut Life, cause: Cause) {
    let mut data = data_servers(life.bench, 3);
    watch(life);
    let new = life.bench.others[1].to_string();
    match cause {
        Cause::Command => _ = life.ok(&["SENTINEL", "FAILOVER", "m"]),
        Cause::Death => data[0].kill9(),
    }
    wait_for("the end of the failover", 60, || {
        let master = life.node.call(&["SENTINEL", "MASTER", "m"]);
        master.field("port").as_deref() == Some(&new) && master.field("flags").as_deref() == Some("master")
    });
    life.await_lines(&["sentinel monitor m 127.0.0.1 {two} 1", "sentinel known-replica m 127.0.0.1 {one}"]);
    if cause == Cause::Death {
        life.picture("the switch");
        data[0].start();
    }
    wait_for("all to follow", 60, || {
        data.iter().filter(|node| node.info("replication", "master_port") == new).count() == 2
    });
    life.flush("the failover");
    drop(data);
    life.flush("the end of everything");
    life.stop();
    life.start();
    life.flush("a restart");
}

/// While a replica does not follow, the file names the new master already, and the old one as a replica.
fn crash_within(life: &mut Life) {
    let data = data_servers(life.bench, 3);
    watch(life);
    data[2].freeze();
    life.ok(&["SENTINEL", "FAILOVER", "m"]);
    life.await_lines(&["sentinel monitor m 127.0.0.1 {two} 1"]);
    life.picture("the promotion");
    life.stop();
    life.picture("a crash");
    drop(data);
    life.start();
    life.flush("a restart");
}

/// Names that have an address: the file has one or the other, as `announce-hostnames` says.
#[test]
fn host_names() {
    let bench = Bench::new();
    let text = format!(
        "port {{port}}\nsentinel myid {ID}\nsentinel resolve-hostnames yes\nsentinel monitor m localhost {{one}} 2\n\
         sentinel known-replica m localhost {{two}}\nsentinel known-sentinel m localhost {{three}} {PEER}\n"
    );
    for more in ["", "sentinel announce-hostnames yes\n"] {
        bench.both(
            &format!("host names {more}"),
            bench.filled(&format!("{text}{more}")).as_bytes(),
            |life| {
                life.start();
                // Only then do the lists tell whether the address is known.
                life.ok(&["SENTINEL", "CONFIG", "SET", "announce-hostnames", "no"]);
                wait_for("the name to be looked up", 20, || {
                    let is_known = |list: Value| list.items()[0].field("ip").as_deref() == Some("127.0.0.1");
                    let all = ["MASTERS", "REPLICAS m", "SENTINELS m"];
                    all.iter().all(|list| {
                        let words: Vec<&str> = ["SENTINEL"].into_iter().chain(list.split(' ')).collect();
                        is_known(life.node.call(&words))
                    })
                });
                life.flush("the start");
                life.tell("SENTINEL CONFIG SET announce-hostnames yes");
                life.tell("SENTINEL CONFIG SET announce-hostnames no");
                life.tell("SENTINEL CONFIG SET announce-hostnames yes\nSENTINEL SET m quorum 5");
                life.tell("SENTINEL MONITOR n localhost {two} 2");
                life.tell("SENTINEL CONFIG SET announce-hostnames no");
                life.ok(&["SENTINEL", "RESET", "*"]);
                life.await_no_peers();
                life.flush("a reset");
            },
        );
    }
    report("host names");
}

/// Several masters: each keeps its own lines, so only the lines can be compared, not where they stand.
#[test]
fn several_masters() {
    let bench = Bench::new();
    let text = format!(
        "port {{port}}\nsentinel myid {ID}\n# a\nsentinel monitor a 127.0.0.1 {{one}} 2\n\
         sentinel down-after-milliseconds a 60001\n# b\nsentinel monitor b 127.0.0.1 {{two}} 2\nsentinel parallel-syncs b 2\n"
    );
    let lines = [Kind::Reference, Kind::Subject].map(|kind| {
        let mut life = bench.life(kind, bench.filled(&text).as_bytes());
        life.start();
        for commands in [
            "SENTINEL FLUSHCONFIG",
            "SENTINEL SET b down-after-milliseconds 60002",
            "SENTINEL MONITOR c 127.1 {three} 3\nSENTINEL SET c auth-pass x",
            "SENTINEL REMOVE a",
            "SENTINEL MONITOR a 127.0.0.1 {one} 1",
            "SENTINEL SET a auth-pass y parallel-syncs 3",
            "SENTINEL REMOVE b\nSENTINEL RESET *\nSENTINEL FLUSHCONFIG",
        ] {
            life.tell(commands);
        }
        life.stop();
        life.start();
        life.flush("a restart");
        let sorted = |text: &[u8]| {
            let text = normal(text);
            let mut lines: Vec<String> =
                text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        life.pictures.iter().map(|(after, text)| (after.clone(), sorted(text))).collect::<Vec<_>>()
    });
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn commands() {
    let bench = Bench::new();
    let text = format!(
        "port {{port}}\n# id\nsentinel myid {ID}\n# m\nsentinel monitor m 127.0.0.1 {{one}} 2\n\
         sentinel deny-scripts-reconfig no\n# end"
    );
    bench.both("commands", bench.filled(&text).as_bytes(), |life| {
        life.start();
        for commands in COMMANDS {
            life.tell(commands);
        }
        life.stop();
        life.start();
        life.flush("a restart");
    });
    report("commands");
}

/// Each followed by a look at the file.
const COMMANDS: &[&str] = &[
    "SENTINEL FLUSHCONFIG",
    "SENTINEL SET m down-after-milliseconds 5000",
    "SENTINEL SET m parallel-syncs 3 failover-timeout 7000",
    "SENTINEL SET m quorum 3",
    "SENTINEL SET m down-after-milliseconds 30000",
    "SENTINEL SET m down-after-milliseconds 1",
    "SENTINEL SET m auth-pass secret auth-user me",
    "SENTINEL SET m auth-pass ''",
    "SENTINEL SET m auth-user ''",
    "SENTINEL SET m notification-script /bin/true client-reconfig-script /bin/false",
    "SENTINEL SET m notification-script ''",
    "SENTINEL SET m client-reconfig-script ''",
    "SENTINEL SET m rename-command CONFIG guess",
    "SENTINEL SET m rename-command SLAVEOF x rename-command config CONFIG",
    "SENTINEL SET m master-reboot-down-after-period 100",
    "SENTINEL SET m master-reboot-down-after-period 0",
    "SENTINEL SET m parallel-syncs 1 failover-timeout 180000 parallel-syncs 4",
    "SENTINEL RESET m",
    "SENTINEL FLUSHCONFIG",
    "SENTINEL REMOVE m",
    "SENTINEL FLUSHCONFIG",
    "SENTINEL MONITOR m 127.0.0.1 {two} 2",
    "SENTINEL SET m down-after-milliseconds 77 auth-pass a\\b#\u{e9}",
    "SENTINEL MONITOR n 127.0.0.1 {three} 1",
    "SENTINEL SET n down-after-milliseconds 78",
    "SENTINEL REMOVE n",
    "SENTINEL FLUSHCONFIG\nSENTINEL FLUSHCONFIG",
    "SENTINEL CONFIG SET announce-ip 1.2.3.4",
    "SENTINEL CONFIG SET announce-ip \u{e9}\\\"x",
    "SENTINEL CONFIG SET announce-ip ''",
    "SENTINEL CONFIG SET announce-port 7",
    "SENTINEL CONFIG SET announce-port 0",
    "SENTINEL CONFIG SET announce-port 65535",
    "SENTINEL CONFIG SET sentinel-user u\nSENTINEL CONFIG SET sentinel-pass p\\#",
    "SENTINEL CONFIG SET sentinel-user ''",
    "SENTINEL CONFIG SET sentinel-pass ''",
    "SENTINEL CONFIG SET resolve-hostnames yes",
    "SENTINEL CONFIG SET announce-hostnames YES",
    "SENTINEL CONFIG SET resolve-hostnames no\nSENTINEL CONFIG SET announce-hostnames no",
    "ACL SETUSER bob on >x +@all",
    "SENTINEL FLUSHCONFIG",
    "ACL SETUSER alice +ping &a* ~k (+info ~x)\nACL SETUSER Zed on nopass -@all +@read\nACL SETUSER default -role",
    "SENTINEL FLUSHCONFIG",
    "ACL DELUSER bob",
    "SENTINEL FLUSHCONFIG",
];

/// Commands sent without waiting for answers are saved one by one all the same.
#[test]
fn commands_at_once() {
    let bench = Bench::new();
    let text = format!("port {{port}}\nsentinel myid {ID}\nsentinel monitor m 127.0.0.1 {{one}} 2\n");
    bench.both("commands at once", bench.filled(&text).as_bytes(), |life| {
        life.start();
        let commands = life.bench.filled(
            "SENTINEL FLUSHCONFIG\r\nSENTINEL SET m down-after-milliseconds 60000\r\nSENTINEL SET m failover-timeout 7\r\n\
             SENTINEL MONITOR n 127.0.0.1 {two} 1\r\nSENTINEL REMOVE n\r\nPING\r\nSENTINEL CONFIG SET announce-port 7\r\n\
             SENTINEL SET m auth-pass x parallel-syncs 2\r\n",
        );
        let mut client = life.node.client();
        client.send_raw(commands.as_bytes()).expect("room for a few lines");
        for _ in commands.lines() {
            assert!(!client.read().expect("an answer").is_error());
        }
        life.picture("all of them");
    });
    report("commands at once");
}

/// What is refused in part changes the file in part.
#[test]
fn commands_that_fail() {
    let bench = Bench::new();
    let text = format!("port {{port}}\nsentinel myid {ID}\nsentinel monitor m 127.0.0.1 {{one}} 2\n");
    bench.both("refused commands", bench.filled(&text).as_bytes(), |life| {
        life.start();
        for command in [
            "SENTINEL SET m quorum 0",
            "SENTINEL SET m quorum 7 foo 1",
            "SENTINEL SET m down-after-milliseconds 5 notification-script /bin/true",
            "SENTINEL SET m parallel-syncs 4 parallel-syncs x",
            "SENTINEL CONFIG SET announce-port 70000",
            "SENTINEL MONITOR m 127.0.0.1 {one} 1",
            "SENTINEL MONITOR x 127.0.0.1 {one} 0",
            "SENTINEL REMOVE nobody",
            "ACL SETUSER bob +foo",
        ] {
            let filled = life.bench.filled(command);
            let words: Vec<&str> = filled.split(' ').collect();
            assert!(matches!(life.node.call(&words), Value::Error(_)), "{:?}: {command}", life.kind);
            life.picture(command);
        }
        life.flush("all of them");
    });
    report("refused commands");
}
