//! A fleet in which everybody is called by name: the names survive a failover in gossip, in answers, on the data servers and on disk.

mod support;

use std::net::{SocketAddr, ToSocketAddrs};

use support::fleet::{NAME, Plan, timing};
use support::{Fleet, Kind, wait_for};

/// The only name that every machine knows.
const HOST: &str = "localhost";

/// The kind at each place of a fleet whose members resolve and announce names.
fn fleet_by_name(kinds: [Kind; 3]) -> Option<Fleet> {
    let first = (HOST, 0).to_socket_addrs().ok()?.next();
    if !first.is_some_and(|address: SocketAddr| address.is_ipv4()) {
        support::skipped("failover with host names", "localhost is not 127.0.0.1 first");
        return None;
    }
    let by_name = |_| {
        let names = ["resolve-hostnames yes", "announce-hostnames yes", "announce-ip localhost"];
        let mut lines = timing(2000, 10_000);
        lines.extend(names.map(|line| format!("sentinel {line}")));
        lines
    };
    Some(Fleet::start(&Plan {
        sentinels: kinds.to_vec(),
        data_lines: vec![format!("replica-announce-ip {HOST}")],
        sentinel_lines: by_name,
        ..Plan::default()
    }))
}

#[track_caller]
fn follows_a_failover(kinds: [Kind; 3]) {
    let Some(mut fleet) = fleet_by_name(kinds) else { return };
    for sentinel in &fleet.sentinels {
        for what in ["REPLICAS", "SENTINELS"] {
            let list = sentinel.call(&["SENTINEL", what, NAME]);
            assert!(!list.items().is_empty());
            assert!(list.items().iter().all(|one| one.field("ip").as_deref() == Some(HOST)), "{list:?}");
        }
    }
    fleet.data[0].kill9();
    let new = fleet.wait_failover(0);
    let port = fleet.data[new].port.to_string();
    for sentinel in &fleet.sentinels {
        let answer = sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        assert_eq!(answer.texts(), [HOST, &port]);
        wait_for("the name in the file", 20, || {
            sentinel.conf_text().contains(&format!("sentinel monitor {NAME} {HOST} {port} 2"))
        });
    }
    // Replicas are told the name, too, and so is the old master when it returns.
    fleet.data[0].start();
    for node in (0..fleet.data.len()).filter(|node| *node != new) {
        fleet.wait_follows(node, new);
        assert_eq!(fleet.data[node].info("replication", "master_host"), HOST);
    }
    // The reference files the old master under the address by which it was first known, and may know it twice from then on.
    if kinds == [Kind::Subject; 3] && !Kind::Subject.is_reference() {
        fleet.wait_healthy();
        fleet.crash_and_restart_sentinels();
    }
}

#[test]
fn names_stay_names_over_a_failover() {
    follows_a_failover([Kind::Subject; 3]);
}

#[test]
fn a_mixed_fleet_agrees_upon_names() {
    follows_a_failover([Kind::Subject, Kind::Reference, Kind::Subject]);
}
