//! Masters added, changed and removed while the Sentinel runs, and what of it reaches the file.

mod support;

use support::fleet::{NAME, Plan, timing};
use support::{Fleet, Kind, Value, Watcher, World, wait_for};

fn ok() -> Value {
    Value::Simple("OK".into())
}

fn lone(replicas: usize) -> Fleet {
    Fleet::start(&Plan { sentinels: vec![Kind::Subject], replicas, quorum: |_| 1, ..Plan::default() })
}

#[test]
fn a_master_monitored_at_runtime_is_guarded_like_any_other() {
    let world = World::new();
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &[]);
    sentinel.start();
    let watcher = Watcher::subscribe(sentinel.port);
    let mut master = world.data("master", &[]);
    master.start();
    let mut replica = world.data("replica", &[format!("replicaof 127.0.0.1 {}", master.port)]);
    replica.start();
    wait_for("the replica to be in step", 20, || replica.info("replication", "master_link_status") == "up");

    let port = master.port.to_string();
    assert_eq!(sentinel.call(&["SENTINEL", "MONITOR", NAME, "127.0.0.1", &port, "1"]), ok());
    assert!(sentinel.conf_text().contains(&format!("sentinel monitor {NAME} 127.0.0.1 {port} 1")));
    let again = sentinel.call(&["SENTINEL", "MONITOR", NAME, "127.0.0.1", &port, "1"]);
    assert_eq!(again, Value::Error("ERR Duplicate master name.".into()));
    let set = ["SENTINEL", "SET", NAME, "down-after-milliseconds", "1000", "failover-timeout", "8000"];
    assert_eq!(sentinel.call(&set), ok());
    let monitored = format!("master {NAME} 127.0.0.1 {port} quorum 1");
    wait_for("+monitor", 5, || watcher.saw("+monitor", &monitored));
    let text = sentinel.conf_text();
    assert!(text.contains(&format!("sentinel down-after-milliseconds {NAME} 1000")), "{text}");
    assert!(text.contains(&format!("sentinel failover-timeout {NAME} 8000")), "{text}");
    wait_for("the replica to be found", 20, || watcher.saw("+slave", &format!(":{}", replica.port)));

    master.kill9();
    let now = replica.port.to_string();
    wait_for("the failover", 40, || {
        sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).texts().get(1) == Some(&now)
    });
    wait_for("the promotion", 10, || replica.info("replication", "role") == "master");
}

#[test]
fn a_removed_master_is_forgotten_for_good() {
    let mut fleet = lone(1);
    let watcher = Watcher::subscribe(fleet.sentinels[0].port);
    let port = fleet.data[0].port;
    let sentinel = &mut fleet.sentinels[0];
    assert_eq!(sentinel.call(&["SENTINEL", "REMOVE", NAME]), ok());
    assert_eq!(sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]), Value::Nil);
    wait_for("-monitor", 5, || watcher.saw("-monitor", &format!("master {NAME} 127.0.0.1 {port}")));
    let unknown = Value::Error("ERR No such master with that name".into());
    assert_eq!(sentinel.call(&["SENTINEL", "MASTER", NAME]), unknown);
    assert!(!sentinel.conf_text().contains(NAME), "{}", sentinel.conf_text());
    sentinel.kill9();
    sentinel.start();
    assert_eq!(sentinel.call(&["SENTINEL", "MASTERS"]).items().len(), 0);
}

#[test]
fn a_reset_forgets_and_finds_again() {
    let fleet = Fleet::start(&Plan::default());
    let sentinel = &fleet.sentinels[0];
    let watcher = Watcher::subscribe(sentinel.port);
    let id = sentinel.call(&["SENTINEL", "MYID"]);
    assert_eq!(sentinel.call(&["SENTINEL", "RESET", "nothing*"]), Value::Int(0));
    assert_eq!(sentinel.call(&["SENTINEL", "RESET", "my*"]), Value::Int(1));
    wait_for("+reset-master", 5, || watcher.saw("+reset-master", NAME));
    wait_for("both replicas to be found again", 30, || watcher.on("+slave").len() == 2);
    wait_for("both peers to be found again", 30, || watcher.on("+sentinel").len() == 2);
    fleet.wait_healthy();
    assert_eq!(sentinel.call(&["SENTINEL", "MYID"]), id);
}

#[test]
fn settings_are_announced_saved_and_checked() {
    let fleet = lone(0);
    let sentinel = &fleet.sentinels[0];
    let watcher = Watcher::subscribe(sentinel.port);
    let port = fleet.data[0].port;
    assert_eq!(sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "3", "parallel-syncs", "5"]), ok());
    let text = sentinel.conf_text();
    assert!(text.contains(&format!("sentinel monitor {NAME} 127.0.0.1 {port} 3")), "{text}");
    assert!(text.contains(&format!("sentinel parallel-syncs {NAME} 5")), "{text}");
    let change = format!("master {NAME} 127.0.0.1 {port} quorum 3");
    wait_for("+set", 5, || watcher.saw("+set", &change));
    assert_eq!(sentinel.call(&["SENTINEL", "SET", NAME, "auth-pass", "hidden"]), ok());
    wait_for("a masked +set", 5, || watcher.saw("+set", "auth-pass ******"));
    assert!(!watcher.saw("+set", "hidden"));

    let bad = |words: &[&str], text: &str| {
        let call = [&["SENTINEL", "SET", NAME], words].concat();
        assert_eq!(sentinel.call(&call), Value::Error(text.into()));
    };
    bad(&["quorum", "0"], "ERR Invalid argument '0' for SENTINEL SET 'quorum'");
    bad(&["foo", "1"], "ERR Unknown option or number of arguments for SENTINEL SET 'foo'");
    // What came before the mistake stays in force.
    bad(&["quorum", "2", "foo", "1"], "ERR Unknown option or number of arguments for SENTINEL SET 'foo'");
    assert_eq!(sentinel.call(&["SENTINEL", "MASTER", NAME]).field("quorum").as_deref(), Some("2"));
    let quorum = sentinel.call(&["SENTINEL", "CKQUORUM", NAME]);
    assert_eq!(quorum.text().split(' ').next(), Some("NOQUORUM"));
}

#[test]
fn the_wait_before_a_failover_can_be_shortened_at_runtime() {
    let mut fleet = Fleet::start(&Plan {
        sentinels: vec![Kind::Subject],
        replicas: 1,
        quorum: |_| 1,
        sentinel_lines: |_| timing(3_600_000, 10_000),
        ..Plan::default()
    });
    fleet.data[0].kill9();
    let sentinel = &fleet.sentinels[0];
    support::holds_for("the master is not yet called down", 1.5, || {
        fleet.named_by(0) == Some(fleet.data[0].port)
    });
    assert_eq!(sentinel.call(&["SENTINEL", "SET", NAME, "down-after-milliseconds", "1000"]), ok());
    fleet.wait_failover(0);
}
