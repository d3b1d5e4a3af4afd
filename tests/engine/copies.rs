//! A server at the master's address that copies another one: who is promoted (spec 2 §9.3, §14.3).

use crate::lineage::{THEIRS, kin, master, replica};

/// As it is after a restart.
fn restarted(text: String) -> String {
    text.replace("run_id:", "run_id:f")
}

#[test]
fn whom_a_restarted_master_copies_is_promoted_if_it_is_one_of_its_replicas() {
    let third = "cccccccccccccccccccccccccccccccccccccccc";
    for (upstream, copied, promoted) in [
        (6001, THEIRS, true),
        // It copied what that one had before.
        (6001, third, false),
        // It copies somebody who is not known here.
        (7000, THEIRS, false),
    ] {
        let mut lab = kin(1, 0);
        lab.stub(6001).info = Some(master(6001, &[6000], THEIRS));
        lab.stub(6000).info = Some(restarted(replica(6000, upstream, copied)));
        lab.cut(6000, None);
        lab.until("+failover-state-select-slave", 30_000);
        lab.run(4_000);
        let why = "its data set has another replication history than the master's";
        let refused = lab.count(&format!("log: Replica 127.0.0.1:6001 can't be promoted: {why}")) > 0;
        let chosen = lab.count("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6001") == 1;
        assert_eq!((chosen, refused), (promoted, !promoted), "{upstream} {copied}: {}", lab.history());
    }
}

#[test]
fn a_replica_with_the_masters_history_goes_before_whom_the_master_copies() {
    let mut lab = kin(2, 0);
    lab.stub(6001).info = Some(master(6001, &[6000], THEIRS));
    lab.stub(6000).info = Some(restarted(replica(6000, 6001, THEIRS)));
    lab.cut(6000, None);
    lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6002", 30_000);
}
