//! Whose data an instance has, and what follows from that: foreign instances and strangers (spec 2 §9.3, §14.3).

use sentineld::engine::{ConnId, ConnKind, Input};
use sentineld::wire::{Answer, Hello, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{Stub, peer_id, replica_info};

/// Ids of this cluster, and of another.
pub const OURS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const THEIRS: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// The ids, as INFO has them: `second` only if it is one.
pub fn ids(first: &str, second: &str) -> String {
    format!("master_replid:{first}\r\nmaster_replid2:{second:0>40}\r\n")
}

pub fn master(port: u16, replicas: &[u16], first: &str) -> String {
    crate::stub::master_info(port, replicas) + &ids(first, "0")
}

pub fn replica(port: u16, master: u16, first: &str) -> String {
    replica_info(port, master, &ids(first, "0"))
}

/// All of one lineage, which is known.
pub fn kin(replicas: u16, peers: u16) -> Lab {
    let mut lab = lab_with(replicas, peers, |settings| settings.masters[0].quorum = 1);
    for port in 5001..=5000 + peers {
        lab.stub(port).down = true;
    }
    let ports: Vec<u16> = (6001..=6000 + replicas).collect();
    lab.stub(6000).info = Some(master(6000, &ports, OURS));
    for port in ports {
        lab.stub(port).info = Some(replica(port, 6000, OURS));
    }
    lab.run(11_000);
    lab.mark();
    lab
}

/// A server of another cluster takes the place of the one at `port`.
fn replaced(lab: &mut Lab, port: u16, info: String) {
    lab.stub(port).info = Some(info);
    lab.cut(port, None);
    lab.run(1_000);
}

fn warnings(lab: &Lab) -> usize {
    lab.count("log: Replica 127.0.0.1:6001 belongs to another cluster")
}

/// A hello that is heard on the subscription of a port.
fn heard(lab: &mut Lab, port: u16, hello: &str) {
    let conn: ConnId =
        lab.open(port).into_iter().find(|conn| conn.kind == ConnKind::PubSub).expect("a subscription");
    lab.feed(Input::Heard(conn, Hello::parse(hello.as_bytes())));
}

fn greeting(number: u16, epoch: u64, port: u16) -> String {
    format!("127.0.0.1,{},{},{epoch},{MASTER},127.0.0.1,{port},{epoch}", 5000 + number, peer_id(number))
}

fn peers(lab: &mut Lab) -> usize {
    match lab.ask(SentinelCommand::Sentinels(MASTER.into())) {
        Answer::Sentinels(peers) => peers.len(),
        other => panic!("{other:?}"),
    }
}

fn told(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| matches!(request, Request::ReplicaOf(_)))
}

#[test]
fn two_clusters_of_one_name_do_not_merge_when_an_address_is_reused() {
    for (epoch, address) in [(7, 7000), (0, 7000), (7, 6001), (7, 6000)] {
        let mut lab = kin(2, 1);
        replaced(&mut lab, 6001, replica(6001, 7000, THEIRS));
        assert_eq!(warnings(&lab), 1, "{}", lab.history());
        let greeted = |lab: &Lab| lab.asked_of(6001, |request| matches!(request, Request::Publish(_)));
        assert_eq!(greeted(&lab), 0, "its Sentinels would take us for peers");
        heard(&mut lab, 6001, &greeting(9, epoch, address));
        lab.run(60_000);
        heard(&mut lab, 6001, &greeting(9, epoch, address));
        assert_eq!(peers(&mut lab), 1, "{epoch} {address}: {}", lab.history());
        assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6000)));
        assert_eq!(lab.saved.sentinel.current_epoch.0, 0);
        assert_eq!((told(&lab, 6001), greeted(&lab), warnings(&lab)), (0, 0, 1));
        // It is neither promoted nor re-pointed, and does not hold the others up.
        lab.kill(6000);
        lab.until("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6002", 3_000);
        lab.until("+failover-end", 100);
        lab.run(60_000);
        assert_eq!(told(&lab, 6001), 0, "{}", lab.history());
        assert_eq!(warnings(&lab), 1, "it is remembered over the switch");
    }
}

#[test]
fn a_known_peer_is_believed_wherever_it_is_heard() {
    let mut lab = kin(2, 1);
    replaced(&mut lab, 6001, replica(6001, 7000, THEIRS));
    heard(&mut lab, 6001, &greeting(1, 7, 6002));
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6002)));
}

#[test]
fn it_takes_another_lineage_and_the_company_of_another_cluster_to_be_foreign() {
    let down = |text: String| text.replace("status:up", "status:down");
    for (info, foreign) in [
        (replica(6001, 7000, THEIRS), true),
        (master(6001, &[7001], THEIRS), true),
        // Its own lineage, but a stray; an old master that lost its data; a fresh replica; one that follows another of ours.
        (replica(6001, 7000, OURS), false),
        (master(6001, &[], THEIRS), false),
        (master(6001, &[7001, 6002], THEIRS), false),
        (down(replica(6001, 7000, THEIRS)), false),
        (replica(6001, 6000, THEIRS), false),
        (replica(6001, 6002, THEIRS), false),
        // Of an old server nothing is known.
        (replica_info(6001, 7000, ""), false),
        (replica_info(6001, 7000, &ids("0", "0")), false),
        (replica_info(6001, 7000, &ids(THEIRS, OURS)), false),
    ] {
        let mut lab = kin(2, 0);
        replaced(&mut lab, 6001, info.clone());
        assert_eq!(warnings(&lab), usize::from(foreign), "{info}: {}", lab.history());
    }
    // What is not known of the master is held against nobody.
    let mut lab = lab(2, 0);
    lab.run(3_000);
    replaced(&mut lab, 6001, replica(6001, 7000, THEIRS));
    assert_eq!(warnings(&lab), 0);
}

#[test]
fn an_old_master_that_missed_two_promotions_is_ours_to_those_who_saw_them() {
    const SECOND: &str = "cccccccccccccccccccccccccccccccccccccccc";
    const THIRD: &str = "dddddddddddddddddddddddddddddddddddddddd";
    let mut lab = kin(3, 0);
    for (dead, new, history) in [(6000, 6001, ids(SECOND, OURS)), (6001, 6002, ids(THIRD, SECOND))] {
        lab.mark();
        lab.kill(dead);
        lab.until("+failover-state-wait-promotion", 30_000);
        lab.stub(new).info = Some(crate::stub::master_info(new, &[6003]) + &history);
        lab.stub(6003).info = Some(replica_info(6003, new, &history));
        lab.until("+failover-end", 3_000);
        lab.run(11_000);
    }
    // With a replica that nobody here knows.
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master(6000, &[7001], OURS));
    lab.until("+convert-to-slave slave 127.0.0.1:6000", 12_000);
    assert_eq!(lab.count("log: Replica 127.0.0.1:6000 belongs to another cluster"), 0);
    // Who starts after them can't tell.
    lab.stub(6000).info = Some(master(6000, &[7001], OURS));
    lab.restart();
    lab.run(2_000);
    assert_eq!(lab.count("log: Replica 127.0.0.1:6000 belongs to another cluster"), 1, "{}", lab.history());
}

#[test]
fn who_is_foreign_stays_so_until_it_comes_over() {
    for (info, back) in [
        (replica(6001, 7000, THEIRS).replace("status:up", "status:down"), false),
        (master(6001, &[], THEIRS), false),
        (replica(6001, 6000, THEIRS), true),
        (replica(6001, 7000, OURS), true),
    ] {
        let mut lab = kin(2, 0);
        replaced(&mut lab, 6001, replica(6001, 7000, THEIRS));
        replaced(&mut lab, 6001, info.clone());
        let accepted = lab.count("log: Replica 127.0.0.1:6001 belongs to mymaster again") == 1;
        assert_eq!(accepted, back, "{info}: {}", lab.history());
        lab.run(60_000);
        assert!(back || told(&lab, 6001) == 0, "{}", lab.history());
    }
}

#[test]
fn an_old_master_that_lost_its_data_is_still_demoted() {
    let mut lab = kin(1, 0);
    lab.kill(6000);
    lab.until("+failover-end", 3_000);
    lab.mark();
    lab.stub(6000).up = true;
    lab.stub(6000).info = Some(master(6000, &[], THEIRS));
    lab.until("+convert-to-slave slave 127.0.0.1:6000", 2_000);
}

#[test]
fn a_stranger_can_lead_us_away_only_to_where_we_know_or_if_we_know_nobody() {
    for (address, epoch, followed, met) in
        [(7000, 7, false, false), (6001, 7, true, true), (7000, 0, false, true), (6000, 7, false, true)]
    {
        let mut lab = kin(2, 1);
        lab.hello_line(&greeting(9, epoch, address));
        let at = lab.addresses[MASTER].clone().map(|(_, port)| port);
        assert_eq!(
            (at == Some(address) && address != 6000, peers(&mut lab) == 2),
            (followed, met),
            "{address} {epoch}"
        );
        let refused = |lab: &Lab| lab.seen().iter().filter(|text| text.contains("not followed")).count();
        assert_eq!(refused(&lab), usize::from(!met));
        lab.hello_line(&greeting(9, epoch, address));
        assert_eq!(refused(&lab), usize::from(!met), "said once");
    }
    for trouble in crate::lab::MasterTrouble::ALL {
        // With nobody to promote, and nobody else to tell: what a stranger knows is better than nothing.
        for (replicas, peers, followed) in [(0, 0, true), (0, 1, false), (1, 0, false)] {
            let mut lab = kin(replicas, peers);
            lab.trouble_master(trouble);
            lab.hello_line(&greeting(9, 700, 7000));
            let told = lab.addresses[MASTER] == Some(("127.0.0.1".to_owned(), 7000));
            let stale = peers == 0 && matches!(trouble, crate::lab::MasterTrouble::SaysReplica);
            assert_eq!(told, followed || stale, "{trouble:?} {replicas} {peers}");
        }
    }
    let mut lab = kin(2, 1);
    lab.hello_line(&greeting(1, 7, 7000));
    assert_eq!(
        lab.addresses[MASTER],
        Some(("127.0.0.1".into(), 7000)),
        "a peer that is known is followed at once"
    );
}

#[test]
fn a_stranger_is_not_followed_after_a_start_while_the_master_is_down() {
    // Neighbours who watch a server that used to be ours find us before anybody has reported.
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].quorum = 1);
    lab.stub(6000).up = false;
    lab.hello_line(&greeting(9, 40, 7000));
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6000)));
    assert_eq!(peers(&mut lab), 1, "{}", lab.history());
    lab.hello_line(&greeting(1, 41, 7000));
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 7000)), "a known peer is followed");
}

#[test]
fn who_is_in_step_with_a_stranger_at_the_address_of_the_file_tells_nothing_of_our_data() {
    let mut lab = lab_with(2, 1, |settings| settings.masters[0].quorum = 1);
    lab.stub(5001).down = true;
    // The neighbours' replica has the address of our master of long ago, and a replica of its own, which reports first.
    lab.stub(6000).info = None;
    lab.stub(6001).info = Some(master(6001, &[], OURS));
    lab.stub(6002).info = Some(replica(6002, 6000, THEIRS));
    lab.stubs.insert(7000, Stub::new(Some(master(7000, &[6000], THEIRS))));
    lab.restart();
    lab.stub(6000).info = Some(replica(6000, 7000, THEIRS));
    lab.run(1_500);
    lab.mark();
    lab.hello(1, 1, 6001, 1);
    for _ in 0..5 {
        lab.hello_line(&greeting(9, 40, 7000));
        lab.run(1_000);
    }
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6001)), "{}", lab.history());
    assert_eq!(lab.count("+switch-master"), 1, "{}", lab.history());
}

#[test]
fn after_a_reset_those_set_aside_are_believed_and_others_are_not() {
    let mut lab = kin(0, 1);
    lab.trouble_master(crate::lab::MasterTrouble::ALL[0]);
    lab.ask(SentinelCommand::Reset("*".into()));
    lab.hello_line(&greeting(9, 700, 7000));
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6000)), "{}", lab.history());
    lab.hello_line(&greeting(1, 701, 7000));
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 7000)), "{}", lab.history());
}

#[test]
fn a_replaced_sentinel_is_followed_from_where_the_known_one_was() {
    for (trouble, at) in [(None, 6000), (Some(crate::lab::MasterTrouble::Dead), 7000)] {
        let mut lab = kin(0, 1);
        trouble.into_iter().for_each(|trouble| lab.trouble_master(trouble));
        let replaced = greeting(9, 7, 7000).replace(",5009,", ",5001,");
        lab.hello_line(&replaced);
        assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), at)), "{}", lab.history());
    }
}

#[test]
fn an_address_of_a_replica_with_other_data_is_not_one_we_know() {
    let mut lab = kin(2, 1);
    replaced(&mut lab, 6001, master(6001, &[], THEIRS));
    lab.hello_line(&greeting(9, 7, 6001));
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6000)));
}

#[test]
fn a_subscription_is_believed_when_its_server_has_said_who_it_is() {
    let mut lab = kin(2, 1);
    lab.stub(6001).info = None;
    lab.cut(6001, None);
    lab.run(1_000);
    heard(&mut lab, 6001, &greeting(9, 0, 6000));
    assert_eq!(peers(&mut lab), 1, "{}", lab.history());
    lab.stub(6001).info = Some(replica(6001, 6000, OURS));
    lab.run(1_100);
    heard(&mut lab, 6001, &greeting(9, 0, 6000));
    assert_eq!(peers(&mut lab), 1, "now it is asked");
    heard(&mut lab, 6001, &greeting(9, 0, 6000));
    assert_eq!(peers(&mut lab), 2);
}

#[test]
fn a_reset_forgets_what_was_known_of_the_lineage() {
    let mut lab = kin(1, 0);
    lab.stub(6000).info = None;
    lab.ask(SentinelCommand::Reset("*".into()));
    lab.stub(6000).info = Some(master(6000, &[6001], THEIRS));
    lab.run(2_000);
    assert_eq!(lab.count("log: Master mymaster"), 0, "{}", lab.history());
}

#[test]
fn a_master_with_a_new_history_is_named() {
    for (info, said) in [
        (master(6000, &[6001], THEIRS), 1),
        (crate::stub::master_info(6000, &[6001]) + &ids(THEIRS, OURS), 0),
        (crate::stub::master_info(6000, &[6001]), 0),
    ] {
        let mut lab = kin(1, 0);
        lab.stub(6000).info = Some(info);
        lab.run(31_000);
        let text = "log: Master mymaster at 127.0.0.1 6000 shares nothing with the replication history that is known of it: it has no keys";
        assert_eq!(lab.count(text), said, "{}", lab.history());
    }
}

#[test]
fn whom_others_promoted_hands_on_what_it_tells_itself_and_not_what_it_had_before() {
    let mut lab = kin(2, 1);
    replaced(&mut lab, 6001, replica(6001, 6000, THEIRS).replace("status:up", "status:down"));
    replaced(&mut lab, 6002, replica(6002, 7000, THEIRS));
    // It came over meanwhile, and was promoted.
    lab.stub(6001).info = Some(master(6001, &[], OURS));
    lab.hello(1, 1, 6001, 1);
    assert_eq!(lab.count("+switch-master"), 1, "{}", lab.history());
    lab.run(20_000);
    assert_eq!(lab.count("log: Replica 127.0.0.1:6002 belongs to mymaster again"), 0, "{}", lab.history());
    assert_eq!(told(&lab, 6002), 0, "{}", lab.history());
}

#[test]
fn who_follows_an_unknown_server_is_not_greeted_while_no_lineage_is_known() {
    for (info, greeted) in [(replica(6001, 7000, THEIRS), 0), (replica(6001, 6000, OURS), 1)] {
        let mut lab = lab_with(1, 1, |_| {});
        lab.stub(6000).up = false;
        lab.stub(6001).info = Some(info);
        lab.restart();
        lab.mark();
        lab.run(1_500);
        let hellos = lab.asked_of(6001, |request| matches!(request, Request::Publish(_)));
        assert_eq!(hellos.min(1), greeted, "{}", lab.history());
    }
}

#[test]
fn who_reported_before_a_history_was_known_is_judged_when_it_is() {
    let mut lab = lab_with(2, 0, |settings| settings.masters[0].quorum = 1);
    lab.stub(6000).up = false;
    lab.stub(6001).info = Some(replica(6001, 7000, THEIRS));
    lab.stub(6002).info = Some(replica(6002, 6000, OURS).replace("status:up", "status:down"));
    lab.restart();
    lab.run(900);
    assert_eq!(warnings(&lab), 0, "{}", lab.history());
    // It says nothing more from now on, and might be re-pointed next.
    lab.stub(6001).info = None;
    (lab.stub(6000).up, lab.stub(6000).info) = (true, Some(master(6000, &[6002], OURS)));
    lab.until("log: Replica 127.0.0.1:6001 belongs to another cluster", 1_500);
}
