//! A consequence comes in the turn of the fact that it follows from, or when its time has come, and not with whatever happens next. The lab
//! looks for what is left to do after every turn; here are facts about one instance whose consequences are another's.

use std::time::Duration;

use sentineld::engine::Input;
use sentineld::wire::{PingReply, Request, SentinelCommand};

use crate::lab::{Disk, Lab, MASTER, lab, lab_with};
use crate::lineage::{OURS, THEIRS, ids, master, replica};
use crate::stub::{master_info, replica_info};

fn hellos(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| matches!(request, Request::Publish(_)))
}

fn infos(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| *request == Request::Info)
}

#[test]
fn who_was_held_back_is_greeted_when_the_lineage_is_known() {
    for (info, greeted) in [(replica(6001, 7000, OURS), 1), (replica(6001, 7000, THEIRS), 0)] {
        let mut lab = lab_with(1, 1, |_| {});
        lab.stub(6001).info = Some(info);
        lab.restart();
        lab.mark();
        lab.run(1_500);
        assert_eq!(hellos(&lab, 6001), 0, "{}", lab.history());
        // The server that it follows may be a neighbour's: who has nothing of ours is no replica of ours.
        lab.stub(6000).info = Some(master(6000, &[6001], OURS));
        lab.mark();
        lab.cut(6000, None);
        assert_eq!((hellos(&lab, 6001), infos(&lab, 6001)), (greeted, 0), "{}", lab.history());
    }
}

#[test]
fn who_was_held_back_is_greeted_when_it_follows_a_replica() {
    let mut lab = lab_with(1, 1, |_| {});
    lab.stub(6001).info = Some(replica(6001, 6002, OURS));
    lab.restart();
    lab.run(1_500);
    lab.mark();
    lab.stub(6000).info = Some(master_info(6000, &[6001, 6002]));
    lab.cut(6000, None);
    assert_eq!((hellos(&lab, 6001), infos(&lab, 6001)), (1, 0), "{}", lab.history());
}

#[test]
fn an_operators_failover_has_replicas_asked_more_often() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].down_after = Duration::from_secs(30));
    lab.run(3_000);
    lab.stub(6001).mute = true;
    lab.mark();
    assert_eq!(lab.refusal(SentinelCommand::Failover(MASTER.into())), "OK");
    assert_eq!(infos(&lab, 6001), 1);
    lab.run(1_001);
    assert_eq!(infos(&lab, 6001), 2, "{}", lab.history());
}

#[test]
fn who_has_loaded_its_data_is_selected_at_once() {
    let mut lab = lab(1, 0);
    lab.stub(6001).ping = PingReply::Loading;
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+failover-state-select-slave", 2_000);
    lab.run(1_010);
    lab.stub(6001).ping = PingReply::Pong;
    lab.mark();
    lab.until("+selected-slave", 1_000);
    let asked_at = lab.sent.iter().find(|(_, port, request)| *port == 6001 && *request == Request::Ping);
    assert_eq!(asked_at.map(|(at, ..)| *at), Some(lab.now), "{}", lab.history());
}

#[test]
fn a_link_that_was_down_for_long_is_forgiven_in_time() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].down_after = Duration::from_millis(1_010));
    lab.stub(6001).info = Some(replica_info(6001, 6000, "master_link_down_since_seconds:12\r\n"));
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let down_at = lab.until("+sdown master", 2_000);
    // Ten times down-after are 10.1 seconds.
    assert_eq!(lab.until("+selected-slave", 3_000) - down_at, 1_900, "{}", lab.history());
}

#[test]
fn a_report_that_grows_too_old_is_replaced_at_once() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].down_after = Duration::from_secs(5));
    lab.stub(6001).info =
        Some(replica_info(6001, 6000, &ids(OURS, "0")).replace("priority:100", "priority:0"));
    lab.run(3_000);
    lab.kill(6000);
    lab.run(4_900);
    lab.mark();
    (lab.stub(6001).mute, lab.disk) = (true, Disk::Hangs);
    lab.until("+try-failover", 200);
    // Answered after 900 ms; elected after 950.
    lab.run(900);
    lab.stub(6001).mute = false;
    for (conn, tag, reply) in std::mem::take(&mut lab.unanswered) {
        lab.feed(Input::Reply(conn, tag, reply));
    }
    lab.run(50);
    lab.save_all();
    assert_eq!(lab.count("+failover-state-select-slave"), 1, "{}", lab.history());
    lab.mark();
    lab.run(40);
    assert_eq!(infos(&lab, 6001), 0, "it is young enough");
    lab.run(20);
    assert_eq!(infos(&lab, 6001), 1, "{}", lab.history());
}
