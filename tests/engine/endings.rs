//! How a failover ends, and what is left of what was known: blocks, switches, aborts, resets (spec 2 §9.4–§9.11).

use std::time::Duration;

use sentineld::wire::request::ClientKind;
use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, lab, lab_with};
use crate::stub::{master_info, replica_info};

fn master(lab: &mut Lab) -> sentineld::wire::view::MasterView {
    match lab.ask(SentinelCommand::Master(MASTER.into())) {
        Answer::Master(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// The requests of the SLAVEOF blocks to a port.
fn blocks(lab: &Lab, port: u16) -> Vec<Request> {
    let of_block = |request: &Request| {
        matches!(
            request,
            Request::Multi
                | Request::ReplicaOf(_)
                | Request::ConfigRewrite
                | Request::KillClients(_)
                | Request::Exec
        )
    };
    let mine = lab.sent.iter().filter(|(_, to, request)| *to == port && of_block(request));
    mine.map(|(_, _, request)| request.clone()).collect()
}

fn block(target: Option<u16>) -> Vec<Request> {
    vec![
        Request::Multi,
        Request::ReplicaOf(target.map(|port| ("127.0.0.1".into(), port))),
        Request::ConfigRewrite,
        Request::KillClients(ClientKind::Normal),
        Request::KillClients(ClientKind::PubSub),
        Request::Exec,
    ]
}

#[test]
fn every_block_has_its_six_commands() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master", 2_000);
    assert_eq!(blocks(&lab, 6001), block(None), "promotion");
    assert_eq!(blocks(&lab, 6002), block(Some(6001)), "re-pointing");
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master_info(6000, &[]));
    lab.until("+convert-to-slave", 20_000);
    assert_eq!(blocks(&lab, 6000), block(Some(6001)), "demotion");
    lab.mark();
    lab.stub(6002).info = Some(replica_info(6002, 6099, ""));
    lab.until("+fix-slave-config", 40_000);
    assert_eq!(blocks(&lab, 6002), block(Some(6001)), "repair");
}

#[test]
fn the_commands_of_a_block_have_the_names_that_were_given_to_them() {
    let names = [("multi", "M"), ("SlaveOf", "S"), ("config", "CO"), ("client", "CL"), ("exec", "E")];
    let mut lab = lab_with(1, 0, |settings| {
        settings.masters[0].renamed_commands =
            names.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect();
    });
    lab.run(3_000);
    lab.renames.clear();
    lab.kill(6000);
    lab.until("+switch-master", 2_000);
    let mine = lab.renames.iter().filter(|(port, _, name)| *port == 6001 && name.is_some());
    let used: Vec<&str> = mine.filter_map(|(_, _, name)| name.as_deref()).take(6).collect();
    assert_eq!(used, ["M", "S", "CO", "CL", "CL", "E"]);
}

#[test]
fn a_dead_former_master_is_down_as_a_replica_after_down_after() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let switched = lab.until("+switch-master", 2_000);
    let down = lab.until("+sdown slave 127.0.0.1:6000 127.0.0.1 6000 @ mymaster 127.0.0.1 6001", 1_100);
    assert_eq!(down - switched, 1_000);
    let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    lab.kill(6000);
    lab.run(5_000);
    lab.mark();
    lab.hello(1, 1, 6001, 1);
    let switched = lab.until("+switch-master", 1);
    assert_eq!(lab.until("+sdown slave 127.0.0.1:6000", 1_100) - switched, 1_000, "an observer too");
}

#[test]
fn a_switch_keeps_peers_epochs_and_settings_and_forgets_the_rest() {
    let mut lab = lab_with(2, 2, |settings| settings.masters[0].quorum = 1);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 2_000);
    let view = master(&mut lab);
    assert_eq!((view.num_replicas, view.num_other_sentinels, view.config_epoch.0), (2, 2, 1));
    assert_eq!(
        (view.failover_state, view.instance.s_down_time, view.instance.o_down_time),
        (None, None, None)
    );
    assert_eq!(view.instance.down_after, Duration::from_secs(1));
    assert_eq!(lab.saved.masters[0].leader_epoch.0, 1);
    lab.run(1_000);
    let view = master(&mut lab);
    assert_eq!(view.instance.flags, ["master"], "connected");
    assert_eq!(view.instance.run_id, format!("{:040x}", 6001), "and asked for INFO at once");
    let answer = lab.vote_at("127.0.0.1", 6001, 1, "somebody");
    assert_eq!(answer, Some((false, None, 1)), "its vote of epoch 1 is spent");
}

#[test]
fn a_reset_ends_a_failover_without_a_word() {
    for until in ["+try-failover", "+failover-state-wait-promotion"] {
        let mut lab = lab(2, 0);
        lab.stub(6001).obeys = false;
        lab.run(3_000);
        if until == "+try-failover" {
            lab.disk = Disk::Hangs;
        }
        lab.mark();
        lab.kill(6000);
        lab.until(until, 2_000);
        lab.mark();
        assert_eq!(lab.ask(SentinelCommand::Reset("*".into())), Answer::Integer(1));
        assert_eq!(lab.names(), ["+reset-master"]);
        lab.disk = Disk::Works;
        lab.save_all();
        let view = master(&mut lab);
        assert_eq!((view.failover_state, view.num_replicas), (None, 0));
        lab.stub(6001).info = Some(master_info(6001, &[]));
        lab.run(900);
        assert_eq!(lab.count("+promoted-slave") + lab.count("-failover-abort"), 0, "{}", lab.history());
        // Nobody is left to be promoted, but an attempt is allowed at once.
        lab.until("+try-failover", 300);
        lab.until("-failover-abort-no-good-slave", 1_000);
    }
}

#[test]
fn a_newer_configuration_ends_a_failover_without_a_word_of_abort() {
    for until in ["+try-failover", "+failover-state-wait-promotion", "+slave-reconf-sent"] {
        let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 1);
        lab.stub(5001).down = true;
        lab.stub(6001).obeys = until == "+slave-reconf-sent";
        lab.stub(6002).obeys = false;
        if until == "+try-failover" {
            lab.stub(5001).vote = crate::stub::Vote::Refuses;
        }
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.until(until, 2_000);
        lab.mark();
        lab.hello(1, 7, 6002, 7);
        let expected = ["+new-epoch", "+config-update-from", "+switch-master", "+slave", "+slave"];
        assert_eq!(lab.names()[..5], expected, "{until}");
        let Answer::Replicas(replicas) = lab.ask(SentinelCommand::Replicas(MASTER.into())) else { panic!() };
        let names: Vec<&str> = replicas.iter().map(|view| view.instance.name.as_str()).collect();
        assert_eq!(names, ["127.0.0.1:6001", "127.0.0.1:6000"], "others first, the old master last");
        let sticks = |flag: &&str| flag.starts_with("reconf") || *flag == "promoted";
        assert!(!replicas.iter().any(|view| view.instance.flags.iter().any(sticks)));
        lab.run(900);
        assert_eq!(lab.count("-failover-abort") + lab.count("+failover-end"), 0, "{}", lab.history());
    }
}

#[test]
fn a_promotion_that_came_too_late_is_taken_back_by_a_sane_master() {
    let mut lab = lab(1, 0);
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("-failover-abort-slave-timeout", 15_000);
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.until("-role-change slave", 2_000);
    lab.run(5_000);
    assert_eq!(lab.count("+promoted-slave") + lab.count("+convert-to-slave"), 0, "the master is not sane");
    lab.stub(6000).up = true;
    lab.stub(6001).obeys = true;
    lab.until("+convert-to-slave slave 127.0.0.1:6001", 12_000);
    assert_eq!(lab.count("+switch-master"), 0);
}

#[test]
fn a_replica_that_is_down_does_not_hold_up_the_end() {
    let mut lab = lab_with(3, 0, |settings| {
        settings.masters[0].failover_timeout = Duration::from_secs(60);
        settings.masters[0].parallel_syncs = 3;
    });
    lab.run(3_000);
    lab.stub(6002).mute = true;
    lab.until("+sdown slave 127.0.0.1:6002", 3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1", 2_500);
    assert_eq!(blocks(&lab, 6002).len(), 6, "its connection is open: it is told");
    assert_eq!(lab.count("+slave-reconf-done"), 1);
}

#[test]
fn the_flags_of_replicas_tell_how_far_they_are() {
    let mut lab = lab(3, 0);
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent", 2_000);
    let flags = |lab: &mut Lab| {
        let Answer::Replicas(views) = lab.ask(SentinelCommand::Replicas(MASTER.into())) else { panic!() };
        views.iter().map(|view| view.instance.flags.join(",")).collect::<Vec<_>>()
    };
    assert_eq!(flags(&mut lab), ["slave,promoted", "slave,reconf_sent", "slave"]);
    lab.stub(6002).info = Some(replica_info(6002, 6001, "").replace("status:up", "status:down"));
    lab.until("+slave-reconf-inprog", 1_100);
    assert_eq!(flags(&mut lab), ["slave,promoted", "slave,reconf_inprog", "slave"]);
    lab.stub(6003).obeys = false;
    lab.stub(6002).info = Some(replica_info(6002, 6001, ""));
    lab.until("+slave-reconf-done", 1_100);
    assert_eq!(flags(&mut lab), ["slave,promoted", "slave,reconf_done", "slave,reconf_sent"]);
}

#[test]
fn the_timeout_of_a_silent_replica_is_tunable() {
    let mut lab = lab_with(2, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    let words = [b"slave-reconf-timeout".to_vec(), b"3000".to_vec()];
    assert_eq!(lab.ask(SentinelCommand::Debug(words.to_vec())), Answer::Ok);
    lab.mark();
    lab.kill(6000);
    let sent = lab.until("+slave-reconf-sent", 2_000);
    assert_eq!(lab.until("-slave-reconf-sent-timeout slave 127.0.0.1:6002", 4_000) - sent, 3_000);
}

#[test]
fn a_replica_without_a_connection_is_told_when_it_is_back() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.run(800);
    lab.kill(6002);
    lab.until("+failover-state-reconf-slaves", 300);
    lab.run(300);
    assert_eq!(lab.count("+slave-reconf-sent") + lab.count("+failover-end"), 0);
    lab.stub(6002).up = true;
    lab.until("+slave-reconf-done slave 127.0.0.1:6002", 600);
    lab.until("+failover-end master mymaster 127.0.0.1 6000", 1);
}

#[test]
fn the_last_word_names_whom_it_is_for() {
    let mut lab = lab_with(3, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(4));
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-end-for-timeout master mymaster 127.0.0.1 6000", 6_000);
    lab.until("+slave-reconf-sent-be slave 127.0.0.1:6003 127.0.0.1 6003 @ mymaster 127.0.0.1 6000", 1);
    assert_eq!(lab.count("+slave-reconf-sent-be"), 1, "who was told before is not told again");
}

fn peer_flags(lab: &mut Lab) -> Vec<&'static str> {
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else { panic!() };
    peers[0].instance.flags.clone()
}

#[test]
fn opinions_are_of_an_address_and_go_with_it() {
    for late in [false, true] {
        let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 3);
        lab.stub(5001).down = true;
        lab.run(3_000);
        if late {
            lab.stub(5001).mute = true;
        }
        lab.kill(6000);
        lab.run(1_500);
        assert_eq!(peer_flags(&mut lab).contains(&"master_down"), !late);
        lab.hello(2, 5, 6001, 5);
        for (conn, tag, reply) in std::mem::take(&mut lab.unanswered) {
            lab.feed(sentineld::engine::Input::Reply(conn, tag, reply));
        }
        assert!(!peer_flags(&mut lab).contains(&"master_down"), "it spoke of 6000, late: {late}");
    }
}

#[test]
fn a_restart_is_forgotten_with_the_rest() {
    for reset in [false, true] {
        let mut lab = lab_with(0, 0, |settings| {
            settings.masters[0].reboot_down_after = Some(Duration::from_secs(3));
        });
        lab.run(3_000);
        lab.mark();
        lab.stub(6000).ping = sentineld::wire::PingReply::Loading;
        lab.stub(6000).info = Some(master_info(6999, &[]));
        lab.until("+reboot master", 11_000);
        lab.run(1_000);
        if reset {
            assert_eq!(lab.ask(SentinelCommand::Reset("*".into())), Answer::Integer(1));
        }
        lab.run(10_000);
        assert_eq!(lab.count("+sdown") == 0, reset, "{}", lab.history());
    }
}
