//! What INFO leads to: discovery, roles, repair of what strayed (spec 2 §5).

use std::time::Duration;

use sentineld::engine::{Ask, Input};
use sentineld::wire::{Answer, Reply, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, MasterTrouble, lab, lab_with};
use crate::stub::{Stub, master_info, replica_info};

fn infos(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| *request == Request::Info)
}

fn blocks(lab: &Lab, port: u16) -> Vec<Option<u16>> {
    let mine = lab.sent.iter().filter(|(_, to, _)| *to == port);
    let blocks = mine.filter_map(|(_, _, request)| match request {
        Request::ReplicaOf(target) => Some(target.as_ref().map(|(_, port)| *port)),
        _ => None,
    });
    blocks.collect()
}

/// Fails over from 6000 to 6001 with `peers` that agree; the old master stays away.
fn failed_over(peers: u16) -> Lab {
    let mut lab = lab(2, peers);
    for peer in 1..=peers {
        lab.stub(5000 + peer).down = true;
    }
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+switch-master", 2_000);
    for peer in 1..=peers {
        lab.stub(5000 + peer).down = false;
    }
    lab.run(3_000);
    lab
}

#[test]
fn info_comes_every_ten_seconds_and_every_second_when_it_matters() {
    let mut lab = lab(2, 0);
    lab.stub(6002).info = Some(replica_info(6002, 6000, "master_link_down_since_seconds:3\r\n"));
    lab.run(10_500);
    lab.mark();
    lab.run(20_000);
    assert_eq!((infos(&lab, 6000), infos(&lab, 6001), infos(&lab, 6002)), (2, 2, 20));
    lab.stub(6001).info = None;
    lab.run(10_000);
    lab.mark();
    lab.run(10_000);
    assert_eq!(infos(&lab, 6001), 10, "an error is no report: asked again, but not for ever at once");
}

#[test]
fn who_owes_less_is_asked_again_sooner() {
    let mut lab = lab(1, 0);
    lab.run(9_500);
    lab.stub(6001).mute = true;
    // Asked at 10 s and again at 11 s: two are owed, so that the next question waits until 13 s.
    lab.run(3_000);
    lab.mark();
    let owed = std::mem::take(&mut lab.unanswered).into_iter().find(|(_, tag, _)| tag.ask == Ask::Info);
    let (conn, tag, _) = owed.expect("an INFO");
    lab.feed(Input::Reply(conn, tag, Reply::Error("BUSY".into())));
    assert_eq!(infos(&lab, 6001), 1, "a refusal is an answer to the first: the second is a second old");
}

#[test]
fn replicas_are_discovered_once_and_never_forgotten() {
    let mut lab = lab(0, 0);
    lab.stubs.insert(6001, Stub::new(Some(replica_info(6001, 6000, ""))));
    lab.stub(6000).info = Some(master_info(6000, &[6001]) + "slave1:127.0.0.1,6002,online\r\n");
    lab.mark();
    lab.run(30_000);
    let names: Vec<&str> = lab.seen().into_iter().filter(|text| text.starts_with("+slave ")).collect();
    let expected = "+slave slave 127.0.0.1:6001 127.0.0.1 6001 @ mymaster 127.0.0.1 6000";
    assert_eq!((names.len(), names[0]), (2, expected));
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.run(30_000);
    assert_eq!(lab.saved.masters[0].replicas.len(), 2);
}

#[test]
fn a_replica_named_by_name_needs_resolving() {
    let mut lab = lab(0, 0);
    lab.stub(6000).info = Some("role:master\r\nslave0:ip=db.example,port=6001,state=online\r\n".into());
    lab.mark();
    lab.run(11_000);
    assert!(lab.seen().contains(&"log: Failed to resolve hostname 'db.example'"));
    assert!(lab.saved.masters[0].replicas.is_empty());
}

#[test]
fn another_run_id_means_a_restart() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).info = Some(replica_info(6009, 6000, ""));
    lab.until("+reboot slave 127.0.0.1:6001 127.0.0.1 6001 @ mymaster 127.0.0.1 6000", 11_000);
    lab.run(30_000);
    assert_eq!(lab.names(), ["+reboot"]);
}

#[test]
fn a_report_without_a_role_changes_none() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).info = Some("redis_version:7\r\n".into());
    lab.stub(6000).info = Some("redis_version:7\r\n".into());
    lab.run(30_000);
    assert!(lab.seen().is_empty(), "{}", lab.history());
}

#[test]
fn a_rogue_master_is_converted_after_eight_seconds() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.stub(6001).obeys = false;
    let seen = lab.until("-role-change slave", 11_000);
    let converted = lab.until("+convert-to-slave", 12_000);
    assert!((8_000..=9_100).contains(&(converted - seen)), "{} ms", converted - seen);
    assert_eq!(blocks(&lab, 6001), [Some(6000)]);
    lab.run(10_000);
    let repeated = blocks(&lab, 6001).len();
    assert!((3..=6).contains(&repeated), "repeated with patience: {repeated}");
    lab.stub(6001).obeys = true;
    lab.until("+role-change slave", 4_000);
}

#[test]
fn nothing_is_converted_while_the_master_is_not_sane() {
    for trouble in MasterTrouble::ALL {
        let mut lab = lab_with(1, 0, |settings| {
            settings.masters[0].quorum = 5;
            settings.masters[0].down_after = Duration::from_secs(40);
        });
        lab.run(3_000);
        lab.trouble_master(trouble);
        lab.stub(6001).info = Some(master_info(6001, &[]));
        lab.run(30_000);
        assert_eq!(lab.count("+convert-to-slave"), 0, "{trouble:?}: {}", lab.history());
    }
}

#[test]
fn a_replica_that_was_down_lately_is_not_converted_yet() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.kill(6001);
    lab.mark();
    let down = lab.until("+sdown slave", 1_100);
    lab.stub(6001).up = true;
    lab.stub(6001).info = Some(master_info(6001, &[]));
    let converted = lab.until("+convert-to-slave", 12_000);
    assert!(converted - down > 8_000, "{} ms", converted - down);
}

#[test]
fn a_stray_replica_is_repaired_after_failover_timeout() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
    lab.run(10_000);
    assert_eq!(lab.count("+fix-slave-config"), 0);
    // Seen in the next report, at 10 s; judged by each, the first of which comes after more than failover-timeout.
    assert_eq!(lab.until("+fix-slave-config", 20_000), 30_000);
    assert_eq!(blocks(&lab, 6001), [Some(6000)]);
    lab.run(30_000);
    assert_eq!(lab.count("+fix-slave-config"), 1);
}

#[test]
fn the_old_master_is_demoted_at_once_if_a_majority_confirmed_the_new_one() {
    for confirmed in [true, false] {
        let mut lab = failed_over(2);
        lab.mark();
        // What was said before it came back proves nothing: it may have been promoted since.
        lab.hello(1, 1, 6001, 1);
        lab.stub(6000).up = true;
        lab.stub(6000).info = Some(master_info(6000, &[]));
        let back = lab.until("-role-change slave 127.0.0.1:6000", 1_000);
        let greeted = lab.asked_of(5001, |request| matches!(request, Request::Publish(_)));
        assert!(greeted > 0, "it is greeted at once, so that it answers");
        if confirmed {
            lab.hello(1, 1, 6001, 1);
            assert_eq!(lab.until("+convert-to-slave slave 127.0.0.1:6000", 1_000), back);
            assert_eq!(blocks(&lab, 6000), [Some(6001)]);
        } else {
            lab.run(60_000);
            assert_eq!(
                lab.count("+convert-to-slave"),
                0,
                "a Sentinel that hears from nobody repairs nothing"
            );
            // The patience of the reference is over long ago: now it only takes a majority.
            lab.hello(2, 1, 6001, 1);
            lab.until("+convert-to-slave slave 127.0.0.1:6000", 1_100);
        }
    }
}

#[test]
fn nobody_is_made_to_follow_a_master_that_was_just_made_to_follow_it() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.until("-role-change slave", 11_000);
    // Half a second before the repair is due, and long before the next regular INFO.
    lab.run(7_500);
    lab.stub(6000).info = Some(replica_info(6000, 6001, ""));
    lab.run(5_000);
    assert_eq!(blocks(&lab, 6001), [], "{}", lab.history());
}

#[test]
fn a_majority_that_speaks_before_news_could_get_around_confirms_nothing() {
    // A replica that was never the master: somebody may have promoted it just now.
    for (after, converted) in [(3_900, false), (4_100, true)] {
        let mut lab = lab_with(2, 2, |settings| settings.masters[0].quorum = 2);
        lab.run(3_000);
        lab.mark();
        lab.stub(6002).info = Some(master_info(6002, &[]));
        lab.stub(6002).obeys = false;
        lab.until("-role-change slave 127.0.0.1:6002", 11_000);
        lab.run(after);
        lab.hello(1, 0, 6000, 0);
        lab.run(5_500);
        assert_eq!(lab.count("+convert-to-slave") > 0, converted, "{after}: {}", lab.history());
    }
}

#[test]
fn a_confirmation_that_comes_after_the_return_counts_at_once() {
    let mut lab = failed_over(2);
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.run(1_600);
    lab.mark();
    let confirmed = lab.now / 1_000_000;
    lab.hello(1, 1, 6001, 1);
    assert_eq!(lab.until("+convert-to-slave slave 127.0.0.1:6000", 1_000), confirmed);
}

#[test]
fn who_was_seen_as_a_replica_may_have_been_promoted_by_somebody() {
    let mut lab = failed_over(2);
    lab.hello(1, 1, 6001, 1);
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(replica_info(6000, 6001, ""));
    lab.run(3_000);
    lab.mark();
    lab.hello(1, 1, 6001, 1);
    lab.stub(6000).info = Some(master_info(6000, &[]));
    let seen = lab.until("-role-change slave 127.0.0.1:6000", 11_000);
    lab.run(5_000);
    lab.hello(1, 1, 6001, 1);
    let converted = lab.until("+convert-to-slave", 12_000);
    assert!(converted - seen >= 8_000, "{} ms", converted - seen);
}

#[test]
fn a_former_master_is_not_judged_before_the_new_one_reported() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+switch-master", 2_000);
    lab.stub(6001).info = None;
    lab.cut(6001, None);
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.mark();
    lab.run(5_000);
    let reported = lab.sent.iter().any(|(_, port, request)| *port == 6000 && *request == Request::Info);
    assert!(reported, "it was asked");
}

#[test]
fn what_replicas_say_is_shown() {
    let mut lab = lab(1, 0);
    let more = "master_link_down_since_seconds:-1\r\nreplica_announced:1\r\n";
    lab.stub(6001).info = Some(replica_info(6001, 6000, more).replace("status:up", "status:down"));
    lab.run(11_000);
    let Answer::Replicas(replicas) = lab.ask(SentinelCommand::Replicas(MASTER.into())) else { panic!() };
    let view = &replicas[0];
    assert_eq!(view.instance.flags, ["slave"]);
    assert_eq!((view.master_link_down_time_ms, view.master_link_ok), (-1_000, false));
    assert_eq!((view.master_host.as_deref(), view.master_port), (Some("127.0.0.1"), 6000));
    assert_eq!((view.priority, view.repl_offset), (100, 10));
    lab.stub(6001).info = Some(replica_info(6001, 6000, "replica_announced:0\r\n"));
    lab.run(11_000);
    assert_eq!(lab.ask(SentinelCommand::Replicas(MASTER.into())), Answer::Replicas(Vec::new()));
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!() };
    assert_eq!(view.num_replicas, 1);
}

#[test]
fn a_replica_known_by_name_is_announced_by_its_address() {
    let mut lab = lab_with(0, 0, |settings| settings.sentinel.resolve_hostnames = true);
    lab.stub(6000).info = Some("role:master\r\nslave0:ip=db.example,port=6001,state=online\r\n".into());
    lab.mark();
    lab.run(11_000);
    assert!(lab.seen().is_empty(), "its name is being looked up");
    lab.feed(Input::Resolved("db.example".into(), "127.0.0.9".parse().ok()));
    assert_eq!(lab.seen(), ["+slave slave 127.0.0.9:6001 127.0.0.9 6001 @ mymaster 127.0.0.1 6000"]);
    lab.mark();
    lab.run(11_000);
    assert!(!lab.seen().iter().any(|line| line.starts_with("+slave")), "it is known: {:?}", lab.seen());
}

#[test]
fn a_replica_whose_name_can_not_be_resolved_is_known_by_it() {
    let mut lab = lab_with(0, 0, |settings| settings.sentinel.resolve_hostnames = true);
    lab.stub(6000).info = Some("role:master\r\nslave0:ip=db.example,port=6001,state=online\r\n".into());
    lab.run(11_000);
    lab.mark();
    lab.feed(Input::Resolved("db.example".into(), None));
    let expected = [
        "log: Failed to resolve hostname 'db.example'",
        "+slave slave db.example:6001 db.example 6001 @ mymaster 127.0.0.1 6000",
    ];
    assert_eq!(lab.seen(), expected);
}
