//! Data nodes that refuse what a failover asks of them: it finds another way, and says why.

mod support;

use std::time::Instant;

use support::fleet::{NAME, PATIENT_MS, timing};
use support::{Kind, Node, Watcher, World, skipped, wait_for};

/// A master, one replica with each of the given configuration lines, and a lone Sentinel that knows them all.
fn fleet(world: &World, replicas: &[&[&str]], lines: &[&str]) -> (Node, Vec<Node>, Node) {
    let mut master = world.data("master", &[]);
    master.start();
    let mut nodes = Vec::new();
    for (i, extra) in replicas.iter().enumerate() {
        let mut own = vec![format!("replicaof 127.0.0.1 {}", master.port)];
        own.extend(extra.iter().map(|line| (*line).to_owned()));
        let mut node = world.data(&format!("replica{i}"), &own);
        node.start();
        wait_for("a replica in step", 20, || node.info("replication", "master_link_status") == "up");
        nodes.push(node);
    }
    let mut all = vec![format!("sentinel monitor {NAME} 127.0.0.1 {} 1", master.port)];
    all.extend(timing(PATIENT_MS, 20_000));
    all.extend(lines.iter().map(|line| (*line).to_owned()));
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &all);
    sentinel.start();
    wait_for("all replicas to be known", 20, || {
        let known = sentinel.call(&["SENTINEL", "REPLICAS", NAME]);
        let well = known.items().iter().filter(|r| r.field("flags").as_deref() == Some("slave"));
        well.count() == replicas.len()
    });
    (master, nodes, sentinel)
}

#[test]
fn a_candidate_that_refuses_is_passed_over_at_once() {
    if Kind::Subject.is_reference() {
        skipped("the next candidate", "the reference waits for failover-timeout, then gives up");
        return;
    }
    let world = World::new();
    let deaf = ["replica-priority 1", "rename-command SLAVEOF \"\"", "rename-command REPLICAOF \"\""];
    let (mut master, replicas, sentinel) = fleet(&world, &[&deaf, &["replica-priority 50"]], &[]);
    let watcher = Watcher::subscribe(sentinel.port);
    master.kill9();
    wait_for("the first choice", 20, || watcher.saw("+selected-slave", &replicas[0].port.to_string()));
    let started = Instant::now();
    wait_for("the promotion of the other", 10, || replicas[1].info("replication", "role") == "master");
    assert!(started.elapsed().as_secs_f64() < 3.0, "only after {:?}", started.elapsed());
    let switched = format!("{NAME} 127.0.0.1 {} 127.0.0.1 {}", master.port, replicas[1].port);
    wait_for("+switch-master", 30, || watcher.saw("+switch-master", &switched));
    sentinel.wait_log("unknown command");
}

#[test]
fn without_a_right_to_more_the_bare_command_will_do() {
    let world = World::new();
    let user = "user watcher on >w4tch resetkeys allchannels -@all +slaveof +ping +subscribe +publish +info";
    let (mut master, replicas, sentinel) = {
        let world = &world;
        let lines =
            [format!("sentinel auth-user {NAME} watcher"), format!("sentinel auth-pass {NAME} w4tch")];
        fleet(world, &[&[user], &[user]], &lines.each_ref().map(String::as_str))
    };
    let watcher = Watcher::subscribe(sentinel.port);
    master.kill9();
    wait_for("the failover", 40, || watcher.saw("+switch-master", NAME));
    let new = replicas.iter().position(|r| r.info("replication", "role") == "master").expect("a new master");
    let port = replicas[new].port.to_string();
    wait_for("the other to follow", 20, || replicas[1 - new].info("replication", "master_port") == port);
}

#[test]
fn renamed_commands_are_called_by_their_new_names() {
    let world = World::new();
    let renamed = ["rename-command SLAVEOF OBEY", "rename-command CONFIG TUNE"];
    let lines = [
        format!("sentinel rename-command {NAME} SLAVEOF OBEY"),
        format!("sentinel rename-command {NAME} CONFIG TUNE"),
    ];
    let lines = lines.each_ref().map(String::as_str);
    let (mut master, replicas, sentinel) = fleet(&world, &[&renamed, &renamed], &lines);
    let watcher = Watcher::subscribe(sentinel.port);
    master.kill9();
    wait_for("the failover", 40, || watcher.saw("+switch-master", NAME));
    let new = replicas.iter().position(|r| r.info("replication", "role") == "master").expect("a new master");
    // The new role is on its disk too, so the rewrite was understood.
    assert!(!replicas[new].conf_text().contains("replicaof 127"), "{}", replicas[new].conf_text());
    let port = replicas[new].port.to_string();
    wait_for("the other to follow", 20, || replicas[1 - new].info("replication", "master_port") == port);
}

#[test]
fn a_replica_with_priority_zero_is_never_promoted() {
    let world = World::new();
    let (mut master, replicas, sentinel) = fleet(&world, &[&["replica-priority 0"]], &[]);
    let watcher = Watcher::subscribe(sentinel.port);
    let refused = sentinel.call(&["SENTINEL", "FAILOVER", NAME]);
    assert_eq!(refused.text(), "NOGOODSLAVE No suitable replica to promote");
    master.kill9();
    wait_for("the attempt", 20, || watcher.saw("+try-failover", NAME));
    support::holds_for("the replica stays one", 2.0, || replicas[0].info("replication", "role") == "slave");
    assert!(watcher.on("+switch-master").is_empty());
}
