//! Passwords and users: on the data nodes, and on the Sentinels themselves.

mod support;

use support::fleet::{NAME, PATIENT_MS, Plan, timing};
use support::{Client, Fleet, Kind, Value, World, skipped, wait_for};

/// Kills the master of a protected fleet and sees the failover through.
fn fail_over(plan: &Plan) -> Fleet {
    let mut fleet = Fleet::start(plan);
    fleet.data[0].kill9();
    let new = fleet.wait_failover(0);
    fleet.data[0].start();
    fleet.wait_follows(0, new);
    fleet.crash_and_restart_sentinels();
    fleet
}

fn lines(extra: &[&str]) -> Vec<String> {
    let mut all = timing(PATIENT_MS, 10_000);
    all.extend(extra.iter().map(|line| line.replace("NAME", NAME)));
    all
}

#[test]
fn data_nodes_with_a_password() {
    let fleet = fail_over(&Plan {
        data_lines: vec!["requirepass s3cret".into(), "masterauth s3cret".into()],
        data_password: Some("s3cret".into()),
        sentinel_lines: |_| lines(&["sentinel auth-pass NAME s3cret"]),
        ..Plan::default()
    });
    assert!(fleet.sentinels[0].conf_text().contains("sentinel auth-pass mymaster s3cret"));
}

#[test]
fn data_nodes_with_a_user_of_least_rights() {
    let rights = "+multi +slaveof +ping +exec +subscribe +config|rewrite +publish +info \
                  +client|setname +client|kill +script|kill";
    fail_over(&Plan {
        data_lines: vec![
            "requirepass s3cret".into(),
            "masterauth s3cret".into(),
            format!("user watcher on >w4tch resetkeys resetchannels &__sentinel__:hello -@all {rights}"),
        ],
        data_password: Some("s3cret".into()),
        sentinel_lines: |_| lines(&["sentinel auth-user NAME watcher", "sentinel auth-pass NAME w4tch"]),
        ..Plan::default()
    });
}

#[test]
fn sentinels_with_a_password() {
    let fleet = fail_over(&Plan {
        sentinels: vec![Kind::Subject, Kind::Reference, Kind::Subject],
        sentinel_lines: |_| lines(&["requirepass pe3r", "sentinel sentinel-pass pe3r"]),
        sentinel_password: Some("pe3r".into()),
        ..Plan::default()
    });
    let mut stranger = Client::connect(fleet.sentinels[0].port).expect("a connection");
    let refused = stranger.call(&["SENTINEL", "MASTERS"]).expect("an answer");
    assert_eq!(refused, Value::Error("NOAUTH Authentication required.".into()));
    let wrong = stranger.call(&["AUTH", "wrong"]).expect("an answer");
    assert!(wrong.text().starts_with("WRONGPASS "), "{wrong:?}");
    let right = stranger.call(&["HELLO", "3", "AUTH", "default", "pe3r"]).expect("an answer");
    assert_eq!(right.field("mode").as_deref(), Some("sentinel"));
}

#[test]
fn a_password_given_at_runtime_opens_the_links() {
    let fleet = Fleet::start(&Plan { sentinels: vec![Kind::Subject], quorum: |_| 1, ..Plan::default() });
    let sentinel = &fleet.sentinels[0];
    let first = fleet.data[0].call(&["CONFIG", "SET", "requirepass", "late"]);
    assert_eq!(first, Value::Simple("OK".into()));
    let set = sentinel.call(&["SENTINEL", "SET", NAME, "auth-pass", "late"]);
    assert_eq!(set, Value::Simple("OK".into()));
    // Replicas have no password yet; a superfluous AUTH must not take them down either.
    wait_for("all links to be up again", 20, || {
        let flags = |what: &str| sentinel.call(&["SENTINEL", what, NAME]);
        let master = flags("MASTER").field("flags");
        master.as_deref() == Some("master")
            && flags("REPLICAS").items().iter().all(|r| r.field("flags").as_deref() == Some("slave"))
    });
}

#[test]
fn a_wrong_password_is_told_from_a_dead_server_by_the_log() {
    if Kind::Subject.is_reference() {
        skipped("the log line about a wrong password", "the reference has none");
        return;
    }
    let world = World::new();
    let mut master = world.data("master", &["requirepass right".into()]);
    master.start();
    let at = format!("127.0.0.1 {}", master.port);
    let mut conf = Vec::new();
    for (name, pass) in [("wrong", Some("bad")), ("missing", None), (NAME, Some("right"))] {
        conf.push(format!("sentinel monitor {name} {at} 1"));
        conf.push(format!("sentinel down-after-milliseconds {name} 1000"));
        conf.extend(pass.map(|pass| format!("sentinel auth-pass {name} {pass}")));
    }
    let mut sentinel = world.sentinel("sentinel", Kind::Subject, &conf);
    sentinel.start();
    let told = |line: &str| sentinel.log_text().matches(line).count();
    let wrong = format!("# Denied by master wrong {at}: WRONGPASS ");
    let missing = format!("# Denied by master missing {at}: NOAUTH ");
    wait_for("both lines", 10, || told(&wrong) == 1 && told(&missing) == 1);
    wait_for("the two to count as down", 10, || told("+sdown master") == 2);
    // Reconnects go on, but the log is not flooded by them.
    support::holds_for("each is told once", 3.0, || told(&wrong) == 1 && told(&missing) == 1);
    assert_eq!(told(&format!("Denied by master {NAME}")), 0);
    // Once the password is right the link works; when it is wrong again, that is news.
    let right = sentinel.call(&["SENTINEL", "SET", "wrong", "auth-pass", "right"]);
    assert_eq!(right, Value::Simple("OK".into()));
    wait_for("the master to be up", 10, || told(&format!("-sdown master wrong {at}")) == 1);
    sentinel.call(&["SENTINEL", "SET", "wrong", "auth-pass", "bad"]);
    wait_for("the news", 10, || told(&wrong) == 2);
}
