//! Whose data may become the master's: what the selection makes of replication ids (spec 2 §9.3, §14.3).

use sentineld::wire::PingReply;

use crate::lab::{Lab, lab_with};
use crate::lineage::{OURS, THEIRS, ids, kin, master, replica};
use crate::stub::replica_info;

/// Kills the master; who is promoted, if anybody.
fn chosen(lab: &mut Lab) -> Option<u16> {
    lab.kill(6000);
    lab.until("+failover-state-select-slave", 2_000);
    lab.run(4_000);
    let text = lab.seen().into_iter().find(|text| text.starts_with("+selected-slave"))?.to_owned();
    text.split(' ').nth(4)?.parse().ok()
}

fn unconnected(port: u16, master: u16, id: &str, more: &str) -> String {
    let more = format!("{}master_link_down_since_seconds:-1\r\n{more}", ids(id, "0"));
    replica_info(port, master, &more)
        .replace("status:up", "status:down")
        .replace("priority:100", "priority:1")
}

#[test]
fn data_that_is_not_the_masters_is_not_promoted() {
    let lost = |text: String| text.replace("status:up", "status:down\r\nmaster_link_down_since_seconds:1");
    for (info, why) in [
        (replica(6001, 7000, THEIRS), Some("it belongs to another cluster")),
        (
            lost(replica(6001, 7000, THEIRS)),
            Some("its data set has another replication history than the master's"),
        ),
        (
            master(6001, &[], THEIRS).replace("role:master", "role:slave\r\nrole:master"),
            Some("its data set has another replication history than the master's"),
        ),
        (unconnected(6001, 7000, THEIRS, ""), Some("it was never in step with the master")),
        (replica(6001, 6000, OURS) + "loading:1\r\n", Some("it is loading its data set")),
        (
            replica(6001, 6000, OURS) + "master_sync_in_progress:1\r\n",
            Some("it is in the middle of a synchronisation"),
        ),
        // What it has came from our master, whose restart we did not see; old servers say nothing of all this.
        (lost(replica(6001, 6000, THEIRS)), None),
        (lost(replica_info(6001, 6000, "")), None),
        (lost(replica(6001, 6000, OURS)) + "loading:0\r\nmaster_sync_in_progress:0\r\n", None),
        (unconnected(6001, 6000, OURS, ""), None),
        // It restarted, and its data with it, from a file that keeps no ids.
        (unconnected(6001, 6000, THEIRS, "db0:keys=1,expires=0\r\n"), None),
        (unconnected(6001, 6000, THEIRS, ""), Some("it was never in step with the master")),
    ] {
        let mut lab = kin(1, 0);
        lab.stub(6001).info = Some(info.clone());
        assert_eq!(chosen(&mut lab), why.map_or(Some(6001), |_| None), "{info}: {}", lab.history());
        if let Some(why) = why {
            assert_eq!(
                lab.count(&format!("log: Replica 127.0.0.1:6001 can't be promoted: {why}")),
                1,
                "{}",
                lab.history()
            );
        }
    }
}

#[test]
fn who_brought_the_data_of_another_cluster_is_not_promoted_before_it_is_in_step() {
    for (other, promoted) in [(replica(6002, 7000, THEIRS), None), (replica(6002, 6000, OURS), Some(6001))] {
        let mut lab = kin(2, 0);
        lab.stub(6001).info = Some(
            replica(6001, 6000, THEIRS)
                .replace("status:up", "status:down\r\nmaster_link_down_since_seconds:1"),
        );
        lab.stub(6002).info = Some(other + "slave_priority:0\r\n");
        assert_eq!(chosen(&mut lab), promoted, "{}", lab.history());
        let said = lab.count("log: Replica 127.0.0.1:6001 can't be promoted: its data is another cluster's");
        assert_eq!(said, usize::from(promoted.is_none()), "{}", lab.history());
    }
}

#[test]
fn who_follows_an_unknown_server_is_not_promoted_while_no_lineage_is_known() {
    for (info, promoted) in [
        (replica(6001, 7000, THEIRS), false),
        // That server is gone, as our master is: it may be ours, by a name or an address that only its replicas know.
        (unconnected(6001, 7000, THEIRS, ""), true),
        (replica(6001, 7000, THEIRS).replace("master_host:127.0.0.1", "master_host:db.example"), true),
        (replica(6001, 6000, THEIRS), true),
        (replica(6001, 6002, THEIRS), true),
        // Old servers give no ids.
        (replica_info(6001, 7000, ""), true),
    ] {
        let mut lab = lab_with(2, 0, |settings| settings.masters[0].quorum = 1);
        lab.stub(6000).up = false;
        lab.stub(6001).info = Some(info.clone());
        lab.stub(6002).info = Some(replica_info(6002, 6000, "slave_priority:0\r\n"));
        lab.restart();
        assert_eq!(chosen(&mut lab), promoted.then_some(6001), "{info}: {}", lab.history());
        let why = "log: Replica 127.0.0.1:6001 can't be promoted: it follows a server that is not known here";
        assert_eq!(lab.count(why), usize::from(!promoted), "{}", lab.history());
    }
}

#[test]
fn whose_data_came_from_an_unknown_server_is_not_promoted_while_no_lineage_is_known() {
    let gone = |text: String| text.replace("status:up", "status:down\r\nmaster_link_down_since_seconds:1");
    for (first, second, promoted) in [
        // The second has become another cluster's, and the first has copied it.
        (replica(6001, 6002, THEIRS), replica(6002, 7000, THEIRS), false),
        (gone(replica(6001, 6002, THEIRS)), replica(6002, 7000, THEIRS), false),
        // Ours, and the second follows a replica that nobody announces.
        (gone(replica(6001, 6000, OURS)), replica(6002, 7000, OURS), true),
        (replica(6001, 6002, OURS), replica(6002, 7000, THEIRS), true),
        (replica(6001, 6002, THEIRS), gone(replica(6002, 7000, THEIRS)), true),
        (replica(6001, 6002, THEIRS), gone(replica(6002, 6000, THEIRS)), true),
    ] {
        let mut lab = lab_with(2, 0, |settings| settings.masters[0].quorum = 1);
        lab.stub(6000).up = false;
        lab.stub(6001).info = Some(first.clone());
        lab.stub(6002).info = Some(second.replace("priority:100", "priority:0"));
        lab.restart();
        assert_eq!(chosen(&mut lab), promoted.then_some(6001), "{first} {second}: {}", lab.history());
        let why = "log: Replica 127.0.0.1:6001 can't be promoted: its data is that of a replica that follows";
        assert_eq!(lab.count(why), usize::from(!promoted), "{}", lab.history());
    }
}

#[test]
fn the_data_that_the_master_copied_from_a_replica_is_the_masters() {
    // The replica has lost its data; then the master was made to follow it by hand.
    let mut lab = kin(1, 0);
    lab.stub(6001).info = Some(master(6001, &[], THEIRS));
    lab.stub(6000).info = Some(replica(6000, 6001, THEIRS));
    lab.run(21_000);
    lab.stub(6001).info = Some(master(6001, &[6000], THEIRS));
    lab.run(11_000);
    assert_eq!(chosen(&mut lab), Some(6001), "{}", lab.history());
}

#[test]
fn a_restarted_master_that_copied_one_of_ours_has_its_data() {
    let restarted = |text: String| text.replacen("run_id:0", "run_id:f", 1);
    for (source, kin_of_it) in [
        (master(6001, &[6000], THEIRS), true),
        // It is no master, or has other data: what follows it can't be told from another cluster's server at the address of our master.
        (master(6001, &[6000], "cccccccccccccccccccccccccccccccccccccccc"), false),
        (replica(6001, 7000, THEIRS), false),
    ] {
        let mut lab = kin(1, 0);
        lab.stub(6001).info = Some(source.clone());
        lab.run(11_000);
        lab.stub(6000).info = Some(restarted(replica(6000, 6001, THEIRS)));
        lab.cut(6000, None);
        lab.run(21_000);
        let found = chosen(&mut lab);
        assert_eq!(found, kin_of_it.then_some(6001), "{source}: {}", lab.history());
    }
}

#[test]
fn who_answers_that_it_is_loading_is_not_promoted() {
    let mut lab = kin(2, 0);
    lab.stub(6001).info = Some(replica(6001, 6000, OURS).replace("priority:100", "priority:1"));
    lab.stub(6001).ping = PingReply::Loading;
    lab.run(2_000);
    assert_eq!(chosen(&mut lab), Some(6002));
    assert_eq!(lab.count("log: Replica 127.0.0.1:6001 can't be promoted: it is loading its data set"), 1);
    assert_eq!(
        lab.count("log: Replica 127.0.0.1:6002: priority 100, offset 10: chosen"),
        1,
        "{}",
        lab.history()
    );
}

#[test]
fn data_goes_before_priority() {
    let lost = |text: String| text.replace("status:up", "status:down\r\nmaster_link_down_since_seconds:1");
    for (first, why) in [
        (unconnected(6001, 6000, OURS, ""), "it was not in step with the master since it started"),
        (
            replica(6001, 6000, "cccccccccccccccccccccccccccccccccccccccc"),
            "its data is of an earlier history of the master",
        ),
        (
            lost(replica(6001, 6000, THEIRS)).replace("priority:100", "priority:1"),
            "where its data comes from is not known",
        ),
    ] {
        let mut lab = kin(2, 0);
        // The master had that history once, and has another one now.
        lab.stub(6000).info = Some(master(6000, &[6001, 6002], "cccccccccccccccccccccccccccccccccccccccc"));
        lab.run(11_000);
        lab.stub(6000).info = Some(crate::stub::master_info(6000, &[6001, 6002]) + &ids(OURS, "0"));
        lab.run(11_000);
        lab.stub(6001).info = Some(first.replace("priority:100", "priority:1"));
        lab.mark();
        assert_eq!(chosen(&mut lab), Some(6002), "{first}: {}", lab.history());
        let behind = format!("log: Replica 127.0.0.1:6001: priority 1, offset 10: behind, {why}");
        assert_eq!(lab.count(&behind), 1, "{behind}: {}", lab.history());
    }
}
