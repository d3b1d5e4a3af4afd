//! A failover as its leader lives it: the order of events, and what may be seen before it is saved (spec 2 §8.3–§9.8).

use std::time::Duration;

use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, lab, lab_with};
use crate::stub::{master_info, replica_info};

const STORY: [&str; 11] = [
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
    "-role-change",
];

/// A lone Sentinel whose master is gone, up to an event.
fn killed(replicas: u16, until: &str) -> Lab {
    let mut lab = lab(replicas, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until(until, 2_000);
    lab
}

fn noone(request: &Request) -> bool {
    *request == Request::ReplicaOf(None)
}

fn follow(port: u16) -> impl Fn(&Request) -> bool {
    move |request| *request == Request::ReplicaOf(Some(("127.0.0.1".into(), port)))
}

fn master_address(lab: &mut Lab) -> u16 {
    match lab.ask(SentinelCommand::GetMasterAddr(MASTER.into())) {
        Answer::MasterAddress(Some((_, port))) => port,
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_come_in_the_order_of_the_reference() {
    for peers in [0, 2] {
        let mut lab = lab(2, peers);
        for peer in 1..=peers {
            lab.stub(5000 + peer).down = true;
        }
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.until("+switch-master", 2_000);
        let mut expected = STORY.to_vec();
        expected.extend(["+promoted-slave", "+failover-state-reconf-slaves"]);
        expected.extend(["+slave-reconf-sent", "+slave-reconf-inprog", "+slave-reconf-done"]);
        expected.extend(["+failover-end", "+switch-master", "+slave", "+slave"]);
        assert_eq!(lab.names(), expected, "{}", lab.history());
    }
}

#[test]
fn without_other_replicas_the_switch_follows_the_promotion() {
    let lab = killed(1, "+switch-master");
    let mut expected = STORY.to_vec();
    expected.extend(["+promoted-slave", "+failover-state-reconf-slaves", "+failover-end"]);
    expected.extend(["+switch-master", "+slave"]);
    assert_eq!(lab.names(), expected, "{}", lab.history());
}

#[test]
fn nothing_rests_on_a_vote_or_a_promotion_that_is_not_saved() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.disk = Disk::Hangs;
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(2_000);
    assert_eq!(lab.count("+elected-leader"), 0);
    assert_eq!(lab.asked_of(6001, noone), 0);
    lab.save_all();
    lab.until("-role-change", 100);
    lab.run(500);
    assert_eq!(lab.count("+promoted-slave"), 0, "{}", lab.history());
    assert_eq!(lab.asked_of(6002, follow(6001)), 0);
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6000)));
    lab.mark();
    lab.run(3_000);
    assert_eq!(lab.asked_of(6002, |request| matches!(request, Request::Publish(_))), 0, "gossip waits too");
    lab.disk = Disk::Works;
    lab.save_all();
    assert_eq!(lab.names()[..2], ["+promoted-slave", "+failover-state-reconf-slaves"]);
    assert_eq!(lab.saved.masters[0].port, 6001);
}

#[test]
fn simulated_crashes_come_where_they_are_announced() {
    for (word, done, undone) in [
        ("crash-after-election", "+elected-leader", "+selected-slave"),
        ("crash-after-promotion", "+promoted-slave", "+slave-reconf-sent"),
    ] {
        let mut lab = lab_with(2, 0, |settings| {
            settings.masters[0].client_reconfig_script = Some("/script".into());
        });
        lab.run(3_000);
        assert_eq!(lab.ask(SentinelCommand::SimulateFailure(vec![word.into()])), Answer::Ok);
        lab.kill(6000);
        lab.until("log: Sentinel CRASH", 2_000);
        assert_eq!(lab.crashed, Some(99));
        let before_crash = lab.history();
        let before_crash = before_crash.split("log: Sentinel CRASH").next().expect("a first part").to_owned();
        assert!(before_crash.contains(done) && !before_crash.contains(undone), "{before_crash}");
        assert!(lab.scripts_before_crash.is_empty(), "no script ran before the crash");
    }
}

#[test]
fn clients_learn_the_new_address_with_the_promotion_and_others_with_the_switch() {
    let mut lab = lab(2, 0);
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent", 2_000);
    assert_eq!(master_address(&mut lab), 6001);
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6001)));
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    assert_eq!(
        (view.instance.port, view.failover_state, view.config_epoch.0),
        (6000, Some("reconf_slaves"), 1)
    );
    assert_eq!(view.instance.flags, ["s_down", "o_down", "master", "disconnected", "failover_in_progress"]);
    let saved = &lab.saved.masters[0];
    assert_eq!((saved.port, saved.config_epoch.0, saved.leader_epoch.0), (6001, 1, 1));
    assert!(saved.replicas.iter().any(|(_, port)| *port == 6000), "the old master is listed as a replica");
}

#[test]
fn parallel_syncs_limits_and_a_dead_replica_does_not_count() {
    for (syncs, at_once) in [(1, 1), (2, 2), (0, 0), (-1, 0)] {
        let mut lab = lab_with(4, 0, |settings| settings.masters[0].parallel_syncs = syncs);
        for port in 6002..=6004 {
            // They follow, but never finish.
            lab.stub(port).obeys = false;
        }
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.until("+failover-state-reconf-slaves", 2_000);
        lab.run(100);
        assert_eq!(lab.count("+slave-reconf-sent"), at_once, "{syncs}: {}", lab.history());
        if syncs == 1 {
            lab.stub(6002).info = Some(replica_info(6002, 6001, "").replace("status:up", "status:down"));
            lab.until("+slave-reconf-inprog", 1_100);
            lab.kill(6002);
            lab.until("+sdown slave 127.0.0.1:6002", 1_100);
            assert_eq!(lab.count("+slave-reconf-sent"), 2, "the dead one makes room: {}", lab.history());
        }
    }
}

#[test]
fn a_mute_replica_is_given_up_after_ten_seconds_whatever_parallel_syncs_is() {
    let mut lab = lab_with(3, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let sent = lab.until("+slave-reconf-sent", 2_000);
    let given_up = lab.until("-slave-reconf-sent-timeout", 11_000);
    assert_eq!(given_up - sent, 10_000);
    lab.until("+switch-master", 100);
    assert_eq!(lab.count("+slave-reconf-done"), 1, "the next one had its turn");
}

#[test]
fn failover_timeout_ends_the_re_pointing_and_the_rest_is_told_once_more() {
    let mut lab = lab_with(3, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(4));
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let promoted = lab.until("+promoted-slave", 2_000);
    let ended = lab.until("+failover-end-for-timeout", 5_000);
    assert_eq!(ended - promoted, 4_000);
    let names = lab.names();
    let from = names.iter().position(|name| *name == "+failover-end-for-timeout").expect("just seen");
    let expected = ["+failover-end-for-timeout", "+failover-end", "+slave-reconf-sent-be", "+switch-master"];
    assert_eq!(names[from..from + 4], expected, "{}", lab.history());
    assert_eq!(lab.asked_of(6003, follow(6001)), 1);
}

#[test]
fn a_promoted_replica_that_dies_ends_the_failover_and_is_failed_over_in_turn() {
    let mut lab = lab(3, 0);
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent", 2_000);
    lab.kill(6001);
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 1_100);
    lab.mark();
    lab.stub(6002).obeys = true;
    lab.until("+switch-master mymaster 127.0.0.1 6001", 10_000);
}

#[test]
fn a_candidate_that_refuses_or_keeps_silent_is_passed_over_within_a_second() {
    for silent in [false, true] {
        let mut lab = lab(2, 0);
        lab.stub(6001).info = Some(replica_info(6001, 6000, "").replace("priority:100", "priority:1"));
        lab.stub(6001).slaveof = Err("NOPERM".into());
        lab.run(11_000);
        lab.mark();
        lab.disk = Disk::Hangs;
        lab.kill(6000);
        lab.until("+try-failover", 2_000);
        lab.stub(6001).mute = silent;
        lab.disk = Disk::Works;
        lab.save_all();
        lab.until("+failover-state-wait-promotion slave 127.0.0.1:6002", 1_100);
        lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6002", 12_000);
    }
}

#[test]
fn a_promotion_that_never_shows_is_aborted_and_not_retried_before_twice_the_timeout() {
    let mut lab = lab(1, 0);
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let tried = lab.until("+try-failover", 2_000);
    let aborted = lab.until("-failover-abort-slave-timeout", 11_000);
    assert_eq!(aborted - tried, 10_000);
    assert_eq!(lab.count("log: Next failover delay"), 1);
    lab.mark();
    let again = lab.until("+try-failover", 12_000);
    assert!((20_000..21_000).contains(&(again - tried)), "{} ms after the first", again - tried);
}

#[test]
fn without_a_good_replica_the_search_goes_on_for_a_while() {
    let mut lab = lab(1, 0);
    lab.stub(6001).info = Some(replica_info(6001, 6000, "").replace("priority:100", "priority:0"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    let selecting = lab.until("+failover-state-select-slave", 2_000);
    let aborted = lab.until("-failover-abort-no-good-slave", 5_000);
    assert_eq!(aborted - selecting, 3_000);
    assert_eq!(lab.count("log: Replica 127.0.0.1:6001 can't be promoted: its priority is 0"), 1);
}

#[test]
fn a_late_election_leaves_the_search_its_time() {
    let mut lab = lab(1, 2);
    lab.stub(6001).info = Some(replica_info(6001, 6000, "").replace("priority:100", "priority:0"));
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = crate::stub::Vote::Refuses;
    }
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 2_000);
    lab.run(5_000);
    lab.stub(5001).vote = crate::stub::Vote::Grants;
    let selecting = lab.until("+failover-state-select-slave", 2_000);
    let aborted = lab.until("-failover-abort-no-good-slave", 5_000);
    assert_eq!(aborted - selecting, 3_000, "{}", lab.history());
}

#[test]
fn a_reset_does_not_take_back_a_promotion_that_was_made_known() {
    let mut lab = lab(2, 0);
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent", 2_000);
    assert_eq!(lab.ask(SentinelCommand::Reset("*".into())), Answer::Integer(1));
    assert_eq!(master_address(&mut lab), 6001);
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6001)));
    lab.run(3_000);
    let hellos = lab.sent.iter().filter_map(|(_, _, request)| match request {
        Request::Publish(hello) if hello.config_epoch.0 == 1 => Some(hello.master_port),
        _ => None,
    });
    assert!(hellos.into_iter().all(|port| port == 6001), "one configuration epoch names one address");
}

#[test]
fn a_newer_configuration_ends_our_own_failover_in_any_state() {
    for (until, peer_says) in [
        ("+failover-state-wait-promotion", 6000),
        ("+failover-state-wait-promotion", 6002),
        ("+slave-reconf-sent", 6000),
        ("+slave-reconf-sent", 6001),
        ("+slave-reconf-sent", 6002),
    ] {
        let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 1);
        lab.stub(5001).down = true;
        lab.stub(6002).obeys = false;
        lab.stub(6001).obeys = until == "+slave-reconf-sent";
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.until(until, 2_000);
        lab.hello(1, 7, peer_says, 7);
        assert_eq!(master_address(&mut lab), peer_says, "{until} {peer_says}: {}", lab.history());
        assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), peer_says)));
        let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else {
            panic!("a master")
        };
        assert_eq!((view.failover_state, view.config_epoch.0), (None, 7));
        // Whatever the replicas say now, ours is over.
        lab.stub(6001).info = Some(master_info(6001, &[]));
        lab.run(900);
        let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else {
            panic!("a master")
        };
        assert_eq!(view.config_epoch.0, 7, "it never goes back");
    }
}
