//! Another process, or another cluster's server, where a replica of ours was when we last spoke with it (spec 2 §9.4, §9.6, §14.3).

use sentineld::wire::Request;

use crate::lab::{Lab, lab};
use crate::lineage::{OURS, THEIRS, kin, master, replica};

fn told(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| matches!(request, Request::ReplicaOf(_)))
}

fn link_down(text: String) -> String {
    text.replace("status:up", "status:down")
}

#[test]
fn who_takes_the_address_of_a_replica_during_a_failover_is_asked_before_it_is_told() {
    for (info, foreign) in [(replica(6002, 7000, THEIRS), true), (replica(6002, 6000, OURS), false)] {
        let mut lab = kin(2, 0);
        lab.kill(6000);
        lab.run(900);
        lab.kill(6002);
        lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 600);
        lab.stub(6002).info = Some(info);
        lab.stub(6002).up = true;
        lab.run(2_000);
        assert_eq!(told(&lab, 6002) == 0, foreign, "{}", lab.history());
        let warned = lab.count("log: Replica 127.0.0.1:6002 belongs to another cluster");
        assert_eq!(warned, usize::from(foreign), "{}", lab.history());
        assert_eq!(lab.count("+failover-end"), 1, "nobody is waited for: {}", lab.history());
    }
}

#[test]
fn a_promotion_tells_who_is_a_stranger_if_nothing_told_it_before() {
    for (ids, foreign) in [(THEIRS, true), (OURS, false)] {
        let mut lab = lab(2, 0);
        lab.stub(6001).info = Some(link_down(replica(6001, 6000, OURS)));
        lab.stub(6002).info = Some(replica(6002, 7000, ids));
        lab.cut(6001, None);
        lab.cut(6002, None);
        lab.run(1_000);
        lab.mark();
        lab.stub(6001).obeys = false;
        lab.kill(6000);
        lab.until("+failover-state-wait-promotion", 3_000);
        lab.stub(6001).info = Some(master(6001, &[], OURS));
        lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001", 3_000);
        lab.run(2_000);
        assert_eq!(told(&lab, 6002) == 0, foreign, "{}", lab.history());
    }
}

#[test]
fn a_candidate_that_restarted_is_looked_at_anew_before_it_is_told_again() {
    for (info, eligible) in [(master(6999, &[], THEIRS), false), (link_down(replica(6999, 6000, OURS)), true)]
    {
        let mut lab = kin(1, 0);
        (lab.stub(6001).slaveof, lab.stub(6001).obeys) = (Err("ERR not now".into()), false);
        lab.kill(6000);
        lab.until("log: Replica 127.0.0.1:6001 could not be promoted", 3_000);
        let before = told(&lab, 6001);
        (lab.stub(6001).info, lab.stub(6001).slaveof) = (Some(info), Ok(()));
        lab.cut(6001, None);
        lab.run(2_000);
        assert_eq!(lab.count("log: Replica 127.0.0.1:6001 is another process"), 1, "{}", lab.history());
        assert_eq!(told(&lab, 6001) > before, eligible, "{}", lab.history());
        lab.stub(6001).info = Some(master(6999, &[], if eligible { OURS } else { THEIRS }));
        lab.run(2_000);
        assert_eq!(lab.count("+switch-master"), usize::from(eligible), "{}", lab.history());
    }
}

/// A replica that copies the data of another server, and does not have it yet.
fn copying() -> String {
    link_down(replica(6001, 6000, OURS)) + "master_sync_in_progress:1\r\n"
}

#[test]
fn who_answers_again_is_not_chosen_by_what_it_said_before() {
    for (info, good) in [(copying(), false), (replica(6001, 6000, OURS), true)] {
        let mut lab = kin(1, 0);
        lab.stub(6001).silent_to_pings = true;
        lab.run(3_000);
        lab.mark();
        lab.kill(6000);
        lab.until("+failover-state-select-slave", 2_000);
        lab.run(100);
        // It told its state since the election, and is down. It answers on a new connection, with the PONG before INFO.
        (lab.stub(6001).silent_to_pings, lab.stub(6001).info) = (false, Some(info));
        lab.cut(6001, None);
        lab.run(1_000);
        assert_eq!(lab.count("-sdown slave"), 1, "{}", lab.history());
        assert_eq!(lab.count("+selected-slave") == 1, good, "{}", lab.history());
    }
}

#[test]
fn a_candidate_that_copies_another_meanwhile_is_not_told_again() {
    let mut lab = kin(1, 0);
    (lab.stub(6001).slaveof, lab.stub(6001).obeys) = (Err("ERR not now".into()), false);
    lab.kill(6000);
    lab.until("log: Replica 127.0.0.1:6001 could not be promoted", 3_000);
    let before = told(&lab, 6001);
    (lab.stub(6001).info, lab.stub(6001).slaveof) = (Some(copying()), Ok(()));
    lab.cut(6001, None);
    lab.run(2_000);
    assert_eq!(lab.count("log: Replica 127.0.0.1:6001 can't be promoted any more"), 1, "{}", lab.history());
    assert_eq!(told(&lab, 6001), before, "{}", lab.history());
    lab.stub(6001).info = Some(replica(6001, 6000, OURS));
    lab.run(1_000);
    assert!(told(&lab, 6001) > before, "{}", lab.history());
}
