//! Three Sentinels, one master, two replicas: the master dies in every way, and comes back.

mod support;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::fleet::{NAME, Plan};
use support::{Client, Fleet, Kind, Value, Watcher, wait_for};

/// Everything that must be true once the master `old` has gone away: returns the index of the new master.
fn expect_takeover(fleet: &Fleet, watchers: &[Watcher], old: usize) -> usize {
    let new = fleet.wait_failover(old);
    let text = fleet.switch_text(old, new);
    for i in fleet.running() {
        wait_for("+switch-master at each subscriber", 20, || watchers[i].saw("+switch-master", &text));
    }
    assert_eq!(fleet.data[new].info("replication", "role"), "master");
    new
}

/// Waits until a data node sees itself in a role.
fn expect_role(fleet: &Fleet, node: usize, role: &str) {
    wait_for(&format!("data{node} to be a {role}"), 60, || {
        fleet.data[node].info("replication", "role") == role
    });
}

/// The old master is back since just now: it must end up as a replica, in its own eyes and in those of everyone.
fn expect_demotion(fleet: &Fleet, old: usize, new: usize) {
    let returned = Instant::now();
    expect_role(fleet, old, "slave");
    if !Kind::Subject.is_reference() {
        // Mostly a fifth of a second; the rest is for machines that are busy.
        let took = returned.elapsed();
        assert!(
            took < Duration::from_secs(2),
            "demoted only after {took:?}; the reference takes ten seconds"
        );
    }
    fleet.wait_follows(old, new);
    fleet.wait_healthy();
    assert_eq!(fleet.data[old].info("replication", "role"), "slave");
}

#[test]
fn a_killed_master_is_replaced_and_demoted_when_restarted() {
    let mut fleet = Fleet::start(&Plan::default());
    let watchers = fleet.watch();
    fleet.data[0].kill9();
    let new = expect_takeover(&fleet, &watchers, 0);
    fleet.data[0].start();
    expect_demotion(&fleet, 0, new);
    fleet.crash_and_restart_sentinels();
    assert_eq!(fleet.named_by(0), Some(fleet.data[new].port));
    // What they remember is enough for the next time.
    let watchers = fleet.watch();
    fleet.data[new].kill9();
    let third = expect_takeover(&fleet, &watchers, new);
    let epochs: Vec<u64> = (0..3).map(|i| fleet.memory(i).config_epoch.parse().expect("a number")).collect();
    assert!(epochs[0] > 1 && epochs.iter().all(|e| *e == epochs[0]), "after two failovers: {epochs:?}");
    assert_eq!(fleet.named_by(1), Some(fleet.data[third].port));
}

/// A client that hears of the move over one connection and asks for the address over another, at once.
fn ask_when_told(port: u16) -> JoinHandle<(Value, Value)> {
    let limit = Duration::from_secs(60);
    let mut listener = Client::connect_with(port, limit).expect("a Sentinel");
    let mut asker = Client::connect_with(port, limit).expect("a Sentinel");
    listener.call(&["SUBSCRIBE", "+switch-master"]).expect("a confirmation");
    std::thread::spawn(move || {
        let told = listener.read().expect("a message");
        (told, asker.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).expect("an answer"))
    })
}

#[test]
fn a_client_that_asks_as_soon_as_it_is_told_gets_the_new_address() {
    let mut fleet = Fleet::start(&Plan::default());
    let clients: Vec<_> = fleet.sentinels.iter().map(|s| ask_when_told(s.port)).collect();
    fleet.data[0].kill9();
    let new = fleet.wait_failover(0);
    for client in clients {
        let (told, answer) = client.join().expect("a client without trouble");
        assert_eq!(told.texts(), ["message", "+switch-master", &fleet.switch_text(0, new)]);
        assert_eq!(answer.texts(), ["127.0.0.1", &fleet.data[new].port.to_string()]);
    }
}

#[test]
fn a_frozen_master_is_replaced_and_demoted_when_it_wakes() {
    let mut fleet = Fleet::start(&Plan::default());
    let watchers = fleet.watch();
    fleet.data[0].freeze();
    let new = expect_takeover(&fleet, &watchers, 0);
    fleet.data[0].thaw();
    expect_demotion(&fleet, 0, new);
    fleet.crash_and_restart_sentinels();
    assert_eq!(fleet.named_by(2), Some(fleet.data[new].port));
}

/// The master and one Sentinel die together; which one does must not matter, not even if it would have led.
fn two_of_three_are_enough(victim: usize) {
    let mut fleet = Fleet::start(&Plan::default());
    let watchers = fleet.watch();
    fleet.data[0].kill9();
    fleet.sentinels[victim].kill9();
    let new = expect_takeover(&fleet, &watchers, 0);
    fleet.data[0].start();
    expect_role(&fleet, 0, "slave");
    fleet.wait_follows(0, new);
    // The one that was away learns the new master from its peers.
    fleet.sentinels[victim].start();
    wait_for("the returned Sentinel to learn the new master", 20, || {
        fleet.named_by(victim) == Some(fleet.data[new].port)
    });
    fleet.wait_healthy();
    fleet.crash_and_restart_sentinels();
}

#[test]
fn the_first_and_second_sentinel_are_enough() {
    two_of_three_are_enough(2);
}

#[test]
fn the_first_and_third_sentinel_are_enough() {
    two_of_three_are_enough(1);
}

#[test]
fn the_second_and_third_sentinel_are_enough() {
    two_of_three_are_enough(0);
}

#[test]
fn an_administrator_can_force_a_failover() {
    let fleet = Fleet::start(&Plan::default());
    let watchers = fleet.watch();
    assert_eq!(fleet.sentinels[1].call(&["SENTINEL", "FAILOVER", NAME]), Value::Simple("OK".into()));
    let new = expect_takeover(&fleet, &watchers, 0);
    expect_demotion(&fleet, 0, new);
    assert_eq!(watchers[1].on("+odown"), Vec::<String>::new(), "the master never was down");
    let unknown = fleet.sentinels[1].call(&["SENTINEL", "FAILOVER", "nobody"]);
    assert_eq!(unknown, Value::Error("ERR No such master with that name".into()));
}

#[test]
fn the_leader_reports_each_step_in_the_order_of_the_reference() {
    let mut fleet = Fleet::start(&Plan::default());
    let watchers = fleet.watch();
    fleet.data[0].kill9();
    expect_takeover(&fleet, &watchers, 0);
    let leader = watchers.iter().position(|w| !w.on("+elected-leader").is_empty()).expect("a leader");
    let finished = |name: &str| !watchers[leader].on(name).is_empty();
    wait_for("the leader to finish", 20, || finished("+switch-master") && finished("+failover-end"));
    let seen = watchers[leader].channels();
    let mut rest = seen.iter();
    for step in STEPS {
        assert!(rest.any(|s| s == step), "{step} is missing, or too early, in {seen:?}");
    }
    // Departure: when the leader tells of the switch.
    let before = if Kind::Subject.is_reference() { "+failover-end" } else { "+failover-state-reconf-slaves" };
    let at = |name: &str| seen.iter().position(|step| step == name);
    assert!(at(before) < at("+switch-master"), "{seen:?}");
    let followers = (0..3).filter(|i| *i != leader);
    for i in followers {
        let seen = watchers[i].channels();
        let at = |name: &str| seen.iter().position(|s| s == name);
        assert!(at("+config-update-from") < at("+switch-master"), "{seen:?}");
        assert!(at("+config-update-from").is_some(), "{seen:?}");
    }
}

/// Spec 2 §9.2.
const STEPS: [&str; 14] = [
    "+sdown",
    "+odown",
    "+new-epoch",
    "+try-failover",
    "+vote-for-leader",
    "+elected-leader",
    "+failover-state-select-slave",
    "+selected-slave",
    "+failover-state-send-slaveof-noone",
    "+failover-state-wait-promotion",
    "+promoted-slave",
    "+failover-state-reconf-slaves",
    "+slave-reconf-sent",
    "+failover-end",
];

#[test]
fn without_a_majority_nobody_is_promoted() {
    let mut fleet = Fleet::start(&Plan { quorum: |_| 1, ..Plan::default() });
    fleet.sentinels[0].kill9();
    fleet.sentinels[1].kill9();
    let watcher = Watcher::subscribe(fleet.sentinels[2].port);
    fleet.data[0].kill9();
    wait_for("the last Sentinel to see the master down", 20, || !watcher.on("+try-failover").is_empty());
    support::holds_for("no replica is promoted", 3.0, || {
        watcher.on("+elected-leader").is_empty() && watcher.on("+switch-master").is_empty()
    });
    fleet.sentinels[0].start();
    let new = fleet.wait_failover(0);
    assert!(new != 0);
}
