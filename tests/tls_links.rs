//! TLS on the links to data servers and other Sentinels: failovers in fleets of ours and of both kinds, and what is said when the two
//! ends do not get on.

mod support;
mod tls_support;

use support::fleet::{NAME, PATIENT_MS, timing};
use support::{Kind, Node, World, holds_for, port, wait_for};
use tls_support::{BOTH, Pair, sentinel};

use Kind::{Reference, Subject};

/// A node and its port for TLS.
struct Both {
    node: Node,
    tls_port: u16,
}

/// A data server that replicates over TLS, from the one with this port if there is one.
fn data(world: &World, name: &str, lines: &[String], master: Option<u16>) -> Both {
    let tls_port = port::reserve();
    let mut extra = vec![format!("tls-port {tls_port}"), "tls-replication yes".to_owned()];
    extra.extend_from_slice(lines);
    extra.extend(master.map(|port| format!("replicaof 127.0.0.1 {port}")));
    let mut node = world.data(name, &extra);
    node.start();
    Both { node, tls_port }
}

/// The lines of a Sentinel that watches a master over TLS.
fn watching(master: u16, quorum: u32, tls: &[String]) -> Vec<String> {
    let mut lines = vec!["tls-replication yes".to_owned()];
    lines.extend_from_slice(tls);
    lines.push(format!("sentinel monitor {NAME} 127.0.0.1 {master} {quorum}"));
    lines.extend(timing(PATIENT_MS, 10_000));
    lines
}

fn watcher(world: &World, name: &str, kind: Kind, lines: &[String]) -> Both {
    let (mut node, tls_port) = sentinel(world, name, kind, lines);
    node.start();
    Both { node, tls_port }
}

/// A field of `SENTINEL MASTER`.
fn field(node: &Node, name: &str) -> String {
    let view = node.try_call(&["SENTINEL", "MASTER", NAME]);
    view.and_then(|view| view.field(name)).unwrap_or_default()
}

fn named_by(node: &Node) -> u16 {
    let answer = node.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).texts();
    answer[1].parse().expect("a port")
}

/// A master with two replicas and three Sentinels, nothing of it in plain text; the master dies, and returns.
fn fail_over(kinds: [Kind; 3]) {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    // No certificate names a host. Some are as most guides make them.
    let own = authority.issue(&world, "own", Some(BOTH)).lines(&authority);
    let plain = authority.issue(&world, "plain", None).lines(&authority);
    let old = [plain.clone(), vec!["tls-protocols TLSv1.2".to_owned()]].concat();
    let mut servers = vec![data(&world, "data0", &old, None)];
    let first = servers[0].tls_port;
    servers.extend((1..3).map(|i| data(&world, &format!("data{i}"), &own, Some(first))));
    for replica in &servers[1..] {
        wait_for("a replica in step", 30, || replica.node.info("replication", "master_link_status") == "up");
    }
    let mut sentinels = Vec::new();
    for (i, kind) in kinds.into_iter().enumerate() {
        let lines = watching(first, 2, if i == 1 { &plain } else { &own });
        sentinels.push(watcher(&world, &format!("sentinel{i}"), kind, &lines));
    }
    for sentinel in &sentinels {
        wait_for("a healthy fleet", 40, || {
            let seen = ["flags", "num-slaves", "num-other-sentinels"].map(|name| field(&sentinel.node, name));
            seen == ["master", "2", "2"]
        });
        let peers = sentinel.node.call(&["SENTINEL", "SENTINELS", NAME]);
        let mut ports: Vec<String> = peers.items().iter().filter_map(|peer| peer.field("port")).collect();
        ports.push(sentinel.tls_port.to_string());
        ports.sort();
        let mut all: Vec<String> = sentinels.iter().map(|s| s.tls_port.to_string()).collect();
        all.sort();
        assert_eq!(ports, all, "Sentinels are known by their ports for TLS");
    }

    servers[0].node.kill9();
    wait_for("all Sentinels to name one new master", 40, || {
        let named = named_by(&sentinels[0].node);
        named != first && sentinels.iter().all(|sentinel| named_by(&sentinel.node) == named)
    });
    let new = named_by(&sentinels[0].node);
    servers[0].node.start();
    for server in &servers {
        if server.tls_port == new {
            assert_eq!(server.node.info("replication", "role"), "master");
            continue;
        }
        wait_for("the others to follow", 60, || {
            server.node.info("replication", "master_port") == new.to_string()
                && server.node.info("replication", "master_link_status") == "up"
        });
    }
    for (sentinel, kind) in sentinels.iter().zip(kinds) {
        wait_for("a healthy fleet again", 40, || field(&sentinel.node, "flags") == "master");
        if kind == Subject {
            let failed = sentinel.node.log_text().contains("TLS connection to");
            assert!(!failed, "who is only dead is no reason to complain about certificates");
        }
    }
}

#[test]
fn ours_fail_over() {
    fail_over([Subject, Subject, Subject]);
}

#[test]
fn ours_fail_over_with_one_of_theirs() {
    fail_over([Subject, Reference, Subject]);
}

#[test]
fn theirs_fail_over_with_one_of_ours() {
    fail_over([Reference, Subject, Reference]);
}

#[test]
fn the_certificate_for_servers_may_be_another() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let stranger = Pair::authority(&world, "stranger");
    let shown = authority.issue(&world, "shown", Some(BOTH));
    let own = stranger.issue(&world, "own", Some(BOTH));
    let master = data(&world, "master", &shown.lines(&authority), None);
    for (kind, name) in [(Reference, "theirs"), (Subject, "ours")] {
        // Our own certificate is none that the master would trust, but we do trust it.
        let mut lines = watching(master.tls_port, 1, &own.lines(&authority));
        let denied = watcher(&world, &format!("{name}-denied"), kind, &lines);
        wait_for("the master to look dead", 20, || field(&denied.node, "flags").contains("s_down"));
        lines.push(format!("tls-client-cert-file {}", shown.cert.display()));
        lines.push(format!("tls-client-key-file {}", shown.key.display()));
        let welcome = watcher(&world, &format!("{name}-welcome"), kind, &lines);
        wait_for("a living master", 20, || field(&welcome.node, "flags") == "master");
        if kind == Subject && !kind.is_reference() {
            said_once(&denied.node, master.tls_port, "tlsv1 alert unknown ca");
        }
    }
}

#[test]
fn who_is_not_trusted_looks_dead_and_is_named_in_the_log() {
    let world = World::new();
    let authority = Pair::authority(&world, "ca");
    let stranger = Pair::authority(&world, "stranger");
    let own = authority.issue(&world, "own", Some(BOTH)).lines(&authority);
    let mut foreign = stranger.issue(&world, "foreign", Some(BOTH)).lines(&stranger);
    foreign.push("tls-auth-clients no".to_owned());
    let master = data(&world, "master", &foreign, None);
    for (kind, name) in [(Reference, "theirs"), (Subject, "ours")] {
        for (port, reason) in [
            (master.tls_port, "certificate verify failed (not issued by a CA that we trust)"),
            (master.node.port, "no answer to the handshake. Is this a port for TLS?"),
        ] {
            let node = watcher(&world, &format!("{name}{port}"), kind, &watching(port, 1, &own)).node;
            wait_for("the master to look dead", 20, || field(&node, "flags").contains("s_down"));
            if kind == Subject && !kind.is_reference() {
                said_once(&node, port, reason);
            }
        }
    }
}

/// Each attempt fails in the same way, and one line says so.
fn said_once(node: &Node, port: u16, reason: &str) {
    let about = format!("# TLS connection to 127.0.0.1:{port} failed: ");
    node.wait_log(&about);
    holds_for("one line about it", 2.5, || node.log_text().matches(&about).count() == 1);
    let text = node.log_text();
    let line = text.lines().find(|line| line.contains(&about)).expect("it is there");
    assert!(line.ends_with(reason), "{line}");
}
