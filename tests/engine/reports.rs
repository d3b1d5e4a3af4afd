//! What single fields of INFO and single answers lead to, and what they do not (spec 2 §1.3, §1.4, §5).

use std::time::Duration;

use sentineld::wire::view::ReplicaView;
use sentineld::wire::{Answer, PingReply, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, MasterTrouble, lab, lab_with};
use crate::stub::{master_info, replica_info};

fn replicas(lab: &mut Lab) -> Vec<ReplicaView> {
    match lab.ask(SentinelCommand::Replicas(MASTER.into())) {
        Answer::Replicas(views) => views,
        other => panic!("{other:?}"),
    }
}

fn flags(lab: &mut Lab) -> Vec<&'static str> {
    match lab.ask(SentinelCommand::Master(MASTER.into())) {
        Answer::Master(view) => view.instance.flags,
        other => panic!("{other:?}"),
    }
}

#[test]
fn replicas_of_replicas_are_not_ours() {
    let mut lab = lab(1, 0);
    let more = "slave0:ip=127.0.0.1,port=6050,state=online,offset=1,lag=0\r\n";
    lab.stub(6001).info = Some(replica_info(6001, 6000, more));
    lab.mark();
    lab.run(25_000);
    assert!(lab.seen().is_empty(), "{}", lab.history());
}

#[test]
fn a_replica_is_known_in_whatever_state_it_is() {
    let mut lab = lab(0, 0);
    lab.stub(6000).info = Some(["wait_bgsave", "send_bulk", "online"].iter().enumerate().fold(
        master_info(6000, &[]),
        |text, (at, state)| {
            text + &format!("slave{at}:ip=127.0.0.1,port={},state={state},offset=0,lag=0\r\n", 6001 + at)
        },
    ));
    lab.run(11_000);
    assert_eq!(replicas(&mut lab).len(), 3);
    assert_eq!(lab.saved.masters[0].replicas.len(), 3);
}

#[test]
fn what_a_report_leaves_out_stays_but_the_time_of_a_broken_link() {
    let mut lab = lab(1, 0);
    let more = "master_link_down_since_seconds:7\r\n";
    lab.stub(6001).info = Some(
        replica_info(6001, 6000, more)
            .replace("priority:100", "priority:42")
            .replace("status:up", "status:down")
            .replace("offset:10", "offset:77"),
    );
    lab.run(11_000);
    let full = replicas(&mut lab).remove(0);
    assert_eq!((full.priority, full.repl_offset, full.master_link_ok), (42, 77, false));
    assert_eq!(full.master_link_down_time_ms, 7_000);
    lab.stub(6001).info = Some("role:slave\r\n".into());
    lab.run(11_000);
    let bare = replicas(&mut lab).remove(0);
    assert_eq!((bare.priority, bare.repl_offset, bare.master_link_ok), (42, 77, false));
    assert_eq!((bare.master_host, bare.master_port), (full.master_host, full.master_port));
    assert_eq!(bare.instance.run_id, full.instance.run_id);
    assert_eq!(bare.master_link_down_time_ms, 0);
}

#[test]
fn a_replica_that_never_synchronised_is_asked_every_second() {
    let mut lab = lab(1, 0);
    lab.stub(6001).info = Some(replica_info(6001, 6000, "master_link_down_since_seconds:-1\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.run(10_000);
    assert_eq!(lab.asked_of(6001, |request| *request == Request::Info), 10);
}

#[test]
fn nothing_is_repaired_while_the_master_is_not_sane() {
    for trouble in MasterTrouble::ALL {
        let mut lab = lab_with(1, 0, |settings| {
            settings.masters[0].quorum = 5;
            settings.masters[0].down_after = Duration::from_secs(40);
            settings.masters[0].failover_timeout = Duration::from_secs(5);
        });
        lab.run(3_000);
        lab.trouble_master(trouble);
        lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
        lab.run(40_000);
        assert_eq!(lab.count("+fix-slave-config"), 0, "{trouble:?}: {}", lab.history());
    }
}

#[test]
fn a_stray_replica_that_went_down_lately_is_given_time() {
    let mut lab = lab(1, 0);
    let words = [b"info-period".to_vec(), b"1000".to_vec()];
    assert_eq!(lab.ask(SentinelCommand::Debug(words.to_vec())), Answer::Ok);
    lab.run(3_000);
    lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
    lab.run(8_000);
    lab.kill(6001);
    lab.mark();
    let down = lab.until("+sdown slave", 1_100);
    lab.stub(6001).up = true;
    let fixed = lab.until("+fix-slave-config", 30_000) - down;
    assert!((10_000..=11_100).contains(&fixed), "{fixed} ms after it went down");
}

#[test]
fn time_counts_from_the_last_fall_and_not_from_the_return() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
    lab.run(11_000);
    lab.kill(6001);
    lab.run(15_000);
    lab.mark();
    lab.stub(6001).up = true;
    let back = lab.now / 1_000_000;
    assert!(
        lab.until("+fix-slave-config", 2_000) - back <= 1_000,
        "down for long enough, it is judged at once"
    );
}

#[test]
fn another_change_starts_the_patience_anew() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    for port in [6091, 6092, 6093] {
        lab.stub(6001).info = Some(replica_info(6001, port, ""));
        lab.run(10_000);
    }
    assert_eq!(lab.count("+fix-slave-config"), 0, "{}", lab.history());
    lab.until("+fix-slave-config", 25_000);
}

#[test]
fn a_role_that_changes_back_starts_the_patience_anew() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(15));
    lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
    lab.run(11_000);
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.mark();
    lab.until("-role-change slave 127.0.0.1:6001 127.0.0.1 6001 @ mymaster 127.0.0.1 6000 new reported role is master", 11_000);
    lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
    let back = lab.until("+role-change slave 127.0.0.1:6001 127.0.0.1 6001 @ mymaster 127.0.0.1 6000 new reported role is slave", 11_000);
    let fixed =
        lab.until("+fix-slave-config slave 127.0.0.1:6001 127.0.0.1 6001 @ mymaster 127.0.0.1 6000", 40_000);
    assert!(fixed - back > 15_000, "{} ms", fixed - back);
}

#[test]
fn a_script_kill_shows_until_the_instance_is_back() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).ping = PingReply::Busy;
    lab.stub(6001).ping = PingReply::Busy;
    lab.run(3_000);
    assert!(flags(&mut lab).ends_with(&["script_kill_sent"]), "{:?}", flags(&mut lab));
    assert_eq!(replicas(&mut lab)[0].instance.flags, ["s_down", "slave", "script_kill_sent"]);
    lab.stub(6001).ping = PingReply::Pong;
    lab.until("-sdown slave", 1_100);
    assert_eq!(replicas(&mut lab)[0].instance.flags, ["slave"]);
}

#[test]
fn any_answer_to_a_ping_is_an_answer_but_only_some_are_good() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].down_after = Duration::from_secs(60));
    lab.run(3_000);
    lab.stub(6001).ping = PingReply::Other("MISCONF".into());
    lab.run(10_000);
    let times = replicas(&mut lab).remove(0).instance;
    assert!(times.last_ping_reply <= Duration::from_secs(1), "{times:?}");
    assert!(times.last_ok_ping_reply >= Duration::from_secs(9), "{times:?}");
    assert!(times.last_ping_sent >= Duration::from_secs(9), "the first that had no good answer: {times:?}");
    lab.stub(6001).ping = PingReply::Loading;
    lab.run(1_100);
    let times = replicas(&mut lab).remove(0).instance;
    assert!(
        times.last_ok_ping_reply <= Duration::from_secs(1) && times.last_ping_sent.is_zero(),
        "{times:?}"
    );
}

#[test]
fn a_verdict_is_not_written_down() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    let saves = lab.saves.len();
    lab.mark();
    for port in [6000, 6001, 5001] {
        lab.kill(port);
        lab.run(5_000);
        lab.stub(port).up = true;
        lab.run(5_000);
    }
    assert!(lab.count("+sdown") >= 3 && lab.count("-sdown") >= 3, "{}", lab.history());
    assert_eq!(lab.saves.len(), saves);
}

#[test]
fn a_forgotten_replica_comes_back_with_the_next_report() {
    let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    lab.mark();
    lab.ask(SentinelCommand::Reset("*".into()));
    assert_eq!(lab.names(), ["+reset-master", "+slave", "+slave"], "a new connection asks for INFO at once");
    assert_eq!(replicas(&mut lab).len(), 2);
}
