//! Answers against bytes recorded from redis-sentinel 7.0.15.

use super::*;
use crate::model::Epoch;

fn instance(name: &str, port: u16, run_id: &str, kind: &'static str) -> InstanceView {
    InstanceView {
        name: name.into(),
        host: "127.0.0.1".into(),
        port,
        run_id: run_id.into(),
        flags: vec![kind],
        pending_commands: 0,
        link_refcount: 1,
        last_ping_sent: Duration::ZERO,
        last_ok_ping_reply: Duration::from_millis(657),
        last_ping_reply: Duration::from_millis(657),
        s_down_time: None,
        o_down_time: None,
        down_after: Duration::from_millis(30_000),
    }
}

fn master_view() -> MasterView {
    MasterView {
        instance: instance("mymaster", 27991, "75a0556a4cf6d8429c5c2d008ad7583d9f9fb84c", "master"),
        failover_state: None,
        info_refresh: Some(Duration::from_millis(1225)),
        role_reported: Role::Master,
        role_reported_time: Duration::from_millis(71_525),
        config_epoch: Epoch(0),
        num_replicas: 1,
        num_other_sentinels: 0,
        quorum: 2,
        failover_timeout: Duration::from_millis(180_000),
        parallel_syncs: 1,
        notification_script: None,
        client_reconfig_script: None,
    }
}

fn replica_view() -> ReplicaView {
    ReplicaView {
        instance: instance("127.0.0.1:27992", 27992, "c9aa7bfb32ff102755fcb5573c885cf24c7f3d22", "slave"),
        info_refresh: None,
        role_reported: Role::Replica,
        role_reported_time: Duration::from_millis(71_642),
        master_link_down_time_ms: -1000,
        master_link_ok: false,
        master_host: None,
        master_port: 0,
        priority: 100,
        repl_offset: 4418,
        announced: true,
    }
}

fn bytes(value: Value) -> String {
    String::from_utf8(value.to_bytes(Protocol::Resp2).to_vec()).expect("test data is ASCII")
}

/// The keys of a map, and its values by key.
fn fields(value: Value) -> Vec<(String, String)> {
    let Value::Map(pairs) = value else { panic!("{value:?} is no map") };
    let text = |value| match value {
        Value::Bulk(text) => String::from_utf8(text.to_vec()).expect("test data is ASCII"),
        other => panic!("{other:?} is no string"),
    };
    pairs.into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

#[test]
fn a_master_is_described_byte_for_byte() {
    let expected = "*40\r\n$4\r\nname\r\n$8\r\nmymaster\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$5\r\n27991\r\n$5\r\nrunid\r\n$40\r\n75a0556a4cf6d8429c5c2d008ad7583d9f9fb84c\r\n$5\r\nflags\r\n$6\r\nmaster\r\n$21\r\nlink-pending-commands\r\n$1\r\n0\r\n$13\r\nlink-refcount\r\n$1\r\n1\r\n$14\r\nlast-ping-sent\r\n$1\r\n0\r\n$18\r\nlast-ok-ping-reply\r\n$3\r\n657\r\n$15\r\nlast-ping-reply\r\n$3\r\n657\r\n$23\r\ndown-after-milliseconds\r\n$5\r\n30000\r\n$12\r\ninfo-refresh\r\n$4\r\n1225\r\n$13\r\nrole-reported\r\n$6\r\nmaster\r\n$18\r\nrole-reported-time\r\n$5\r\n71525\r\n$12\r\nconfig-epoch\r\n$1\r\n0\r\n$10\r\nnum-slaves\r\n$1\r\n1\r\n$19\r\nnum-other-sentinels\r\n$1\r\n0\r\n$6\r\nquorum\r\n$1\r\n2\r\n$16\r\nfailover-timeout\r\n$6\r\n180000\r\n$14\r\nparallel-syncs\r\n$1\r\n1\r\n";
    let answer = Answer::Master(Box::new(master_view()));
    assert_eq!(bytes(render(answer.clone())), expected);
    assert_eq!(bytes(render(Answer::Masters(vec![master_view()]))), format!("*1\r\n{expected}"));
    let resp3 = render(answer).to_bytes(Protocol::Resp3);
    assert_eq!(resp3, expected.replacen("*40", "%20", 1));
}

#[test]
fn a_failing_master_shows_more() {
    let mut view = master_view();
    view.instance.flags = vec!["s_down", "o_down", "master", "disconnected", "failover_in_progress"];
    view.instance.s_down_time = Some(Duration::from_millis(5));
    view.instance.o_down_time = Some(Duration::from_millis(4));
    view.failover_state = Some("wait_start");
    view.notification_script = Some("/n".into());
    view.client_reconfig_script = Some("/c".into());
    let shown = fields(render(Answer::Master(Box::new(view))));
    let names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "name ip port runid flags link-pending-commands link-refcount failover-state last-ping-sent last-ok-ping-reply \
         last-ping-reply s-down-time o-down-time down-after-milliseconds info-refresh role-reported role-reported-time \
         config-epoch num-slaves num-other-sentinels quorum failover-timeout parallel-syncs notification-script \
         client-reconfig-script"
    );
    assert_eq!(shown[4].1, "s_down,o_down,master,disconnected,failover_in_progress");
    assert_eq!(shown[7].1, "wait_start");
}

#[test]
fn replicas_and_peers_have_their_fields() {
    let shown = fields(replica(replica_view()));
    let tail: Vec<String> = shown[11..].iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        tail.join(" "),
        "info-refresh=0 role-reported=slave role-reported-time=71642 master-link-down-time=-1000 master-link-status=err \
         master-host=? master-port=0 slave-priority=100 slave-repl-offset=4418 replica-announced=1"
    );
    assert_eq!(shown.len(), 21);
    let id = "b5a0556a4cf6d8429c5c2d008ad7583d9f9fb84c";
    let mut view = PeerView {
        instance: instance(id, 26380, id, "sentinel"),
        last_hello: Duration::from_millis(4),
        voted_leader: None,
        voted_leader_epoch: Epoch(0),
    };
    let shown = fields(peer(view.clone()));
    assert_eq!(shown.len(), 14);
    let tail: Vec<String> = shown[11..].iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(tail.join(" "), "last-hello-message=4 voted-leader=? voted-leader-epoch=0");
    view.voted_leader = Some("abc".into());
    assert_eq!(fields(peer(view))[12].1, "abc");
}

#[test]
fn short_answers() {
    let check = |answer, expected: &str| assert_eq!(bytes(render(answer)), expected);
    check(Answer::Ok, "+OK\r\n");
    check(Answer::Pong, "+PONG\r\n");
    check(Answer::Integer(3), ":3\r\n");
    check(Answer::MyId("abc".into()), "$3\r\nabc\r\n");
    check(Answer::Role(vec!["mymaster".into()]), "*2\r\n$8\r\nsentinel\r\n*1\r\n$8\r\nmymaster\r\n");
    check(Answer::MasterAddress(None), "*-1\r\n");
    check(
        Answer::MasterAddress(Some(("127.0.0.1".into(), 27991))),
        "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n27991\r\n",
    );
    check(
        Answer::QuorumReachable { usable: 2 },
        "+OK 2 usable Sentinels. Quorum and failover authorization can be reached\r\n",
    );
    check(Answer::Error(ErrorReply::NoSuchMaster), "-ERR No such master with that name\r\n");
    check(
        Answer::Error(ErrorReply::NoQuorum { usable: 1, quorum_missing: true, majority_missing: false }),
        "-NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master\r\n",
    );
    let down = |leader: Option<&str>, epoch| {
        Answer::MasterDown(MasterDownReply {
            down: false,
            leader: leader.map(Into::into),
            leader_epoch: Epoch(epoch),
        })
    };
    check(down(None, 0), "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
    check(down(Some("abc"), 7), "*3\r\n:0\r\n$3\r\nabc\r\n:7\r\n");
    check(
        Answer::SimulateFailureHelp,
        "*2\r\n$20\r\ncrash-after-election\r\n$21\r\ncrash-after-promotion\r\n",
    );
    check(Answer::ConfigValues(vec![("announce-ip", vec![])]), "*2\r\n$11\r\nannounce-ip\r\n$0\r\n\r\n");
    check(Answer::DebugValues(vec![("INFO-PERIOD", 10_000)]), "*2\r\n$11\r\nINFO-PERIOD\r\n$5\r\n10000\r\n");
    check(Answer::PendingScripts(vec![]), "*0\r\n");
    check(Answer::InfoCache(vec![]), "*0\r\n");
    let entries = vec![
        InfoCacheView { age_ms: 1211, text: Some(b"# Server".as_slice().into()) },
        InfoCacheView { age_ms: 0, text: None },
    ];
    check(
        Answer::InfoCache(vec![("m".into(), entries)]),
        "*2\r\n$1\r\nm\r\n*2\r\n*2\r\n:1211\r\n$8\r\n# Server\r\n*2\r\n:0\r\n$-1\r\n",
    );
}

#[test]
fn scripts_are_running_or_scheduled() {
    let mut view = ScriptView {
        argv: vec!["/n".into(), "+set".into()],
        running: None,
        delay: Duration::from_millis(28_865),
        attempts: 1,
    };
    assert_eq!(
        bytes(script(view.clone())),
        "*10\r\n$4\r\nargv\r\n*2\r\n$2\r\n/n\r\n$4\r\n+set\r\n$5\r\nflags\r\n$9\r\nscheduled\r\n$3\r\npid\r\n$1\r\n0\r\n$9\r\nrun-delay\r\n$5\r\n28865\r\n$9\r\nretry-num\r\n$1\r\n1\r\n"
    );
    view.running = Some((42, Duration::from_millis(7)));
    assert!(
        bytes(script(view))
            .contains("$7\r\nrunning\r\n$3\r\npid\r\n$2\r\n42\r\n$8\r\nrun-time\r\n$1\r\n7\r\n")
    );
}

#[test]
fn the_greeting_has_six_fields_and_no_role() {
    let expected = "*12\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:21\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n$7\r\nmodules\r\n*0\r\n";
    assert_eq!(bytes(greeting(Protocol::Resp2, 21)), expected);
    let resp3 = greeting(Protocol::Resp3, 21).to_bytes(Protocol::Resp3);
    assert_eq!(resp3, expected.replacen("*12", "%6", 1).replacen(":2\r", ":3\r", 1));
}
