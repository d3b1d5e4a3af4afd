//! What strangers say of where the master is, and what proves it (spec 2 §6.3, §14.3).

use std::collections::BTreeSet;

use sentineld::engine::{ConnId, ConnKind, Input};
use sentineld::wire::{Hello, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, MasterTrouble, lab_with};
use crate::lineage::{OURS, THEIRS, ids, kin, master, replica};
use crate::stub::{Stub, master_info, peer_id, replica_info};

const NEW: &str = "cccccccccccccccccccccccccccccccccccccccc";

/// What Sentinel `number`, at its own port, says: the master is at that port since that epoch.
fn greeting(number: u16, epoch: u64, port: u16) -> String {
    format!("127.0.0.1,{},{},{epoch},{MASTER},127.0.0.1,{port},{epoch}", 5000 + number, peer_id(number))
}

/// It is heard on the subscription of the master.
fn heard(lab: &mut Lab, hello: &str) {
    let conn: ConnId =
        lab.open(6000).into_iter().find(|conn| conn.kind == ConnKind::PubSub).expect("a subscription");
    lab.feed(Input::Heard(conn, Hello::parse(hello.as_bytes())));
}

/// The server that strangers name: promoted from ours, unless told otherwise.
fn with_server(lab: &mut Lab, info: Option<String>) {
    lab.stubs.insert(7000, Stub::new(info));
}

fn heir() -> Option<String> {
    Some(master_info(7000, &[]) + &ids(NEW, OURS))
}

fn at(lab: &Lab) -> u16 {
    lab.addresses[MASTER].as_ref().map(|(_, port)| *port).expect("an address")
}

fn said(lab: &Lab, text: &str) -> usize {
    lab.seen().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_stranger_is_believed_when_the_server_that_it_names_has_our_history() {
    for trouble in [None, Some(MasterTrouble::Dead), Some(MasterTrouble::WithoutInfo)] {
        let mut lab = kin(0, 1);
        trouble.into_iter().for_each(|trouble| lab.trouble_master(trouble));
        with_server(&mut lab, heir());
        lab.hello_line(&greeting(9, 7, 7000));
        assert_eq!((at(&lab), said(&lab, "not followed")), (6000, 1), "it was not asked yet");
        lab.run(2_000);
        lab.hello_line(&greeting(9, 7, 7000));
        assert_eq!(at(&lab), 7000, "{trouble:?}: {}", lab.history());
        assert_eq!(said(&lab, "believed, because that server's data has the replication history"), 1);
        assert_eq!(lab.count(&format!("+sentinel sentinel {}", peer_id(9))), 1);
        assert_eq!(lab.saved.masters[0].port, 7000);
    }
}

#[test]
fn it_is_not_believed_when_that_server_shows_nothing_of_ours() {
    let quiet = |change: fn(&mut Stub)| {
        let mut stub = Stub::new(heir());
        change(&mut stub);
        stub
    };
    for (case, stub) in [
        ("another cluster's", Stub::new(Some(master(7000, &[7001], THEIRS)))),
        ("a lone one", Stub::new(Some(master(7000, &[], THEIRS)))),
        ("an old one, without ids", Stub::new(Some(master_info(7000, &[])))),
        ("no master", Stub::new(Some(replica(7000, 7001, OURS)))),
        ("without INFO", Stub::new(None)),
        ("dead", quiet(|stub| stub.up = false)),
        ("mute", quiet(|stub| stub.mute = true)),
        ("in the void", quiet(|stub| stub.void = true)),
    ] {
        let mut lab = kin(2, 1);
        lab.stubs.insert(7000, stub);
        for _ in 0..30 {
            lab.hello_line(&greeting(9, 7, 7000));
            lab.run(2_000);
        }
        assert_eq!((at(&lab), said(&lab, "not followed")), (6000, 1), "{case}: {}", lab.history());
        assert_eq!(lab.count("+") + lab.count("-"), 0, "{case}: {}", lab.history());
        assert_eq!(said(&lab, "7000") - 1, 0, "nothing else is said of it: {}", lab.history());
        let other = |request: &Request| {
            !matches!(request, Request::Ping | Request::Info | Request::Auth { .. } | Request::SetName(_))
        };
        assert_eq!(lab.asked_of(7000, other), 0, "{case}");
        assert!(lab.connects.iter().all(|(_, port, kind)| *port != 7000 || *kind == ConnKind::Command));
    }
}

#[test]
fn a_known_peer_needs_no_proof() {
    let mut lab = kin(2, 1);
    lab.hello_line(&greeting(1, 7, 7000));
    assert_eq!(at(&lab), 7000);
}

#[test]
fn few_addresses_are_asked_at_a_time() {
    let mut lab = kin(1, 1);
    for port in 7000..7010 {
        lab.stubs.insert(port, Stub::new(Some(master(port, &[], THEIRS))));
    }
    let asked = |lab: &Lab| -> BTreeSet<u16> {
        lab.connects.iter().map(|(_, port, _)| *port).filter(|port| *port >= 7000).collect()
    };
    for _ in 0..3 {
        for port in 7000..7010 {
            lab.hello_line(&greeting(port - 6990, 7, port));
        }
        lab.run(2_000);
        assert_eq!(asked(&lab), (7000..7004).collect(), "{}", lab.history());
    }
    // Those that are not named any more make room.
    lab.run(10_000);
    lab.mark();
    lab.hello_line(&greeting(19, 7, 7009));
    lab.run(100);
    assert_eq!(asked(&lab), BTreeSet::from([7009]));
}

#[test]
fn what_is_not_named_any_more_is_left() {
    type Deed = fn(&mut Lab);
    let over: [(&str, Deed); 5] = [
        ("five periods", |lab| lab.run(10_000)),
        ("a reset", |lab| {
            lab.ask(SentinelCommand::Reset("*".into()));
        }),
        ("its removal", |lab| {
            lab.ask(SentinelCommand::Remove(MASTER.into()));
        }),
        ("a switch", |lab| lab.hello_line(&greeting(1, 8, 6001))),
        ("a freeze", |lab| {
            lab.now += 5_000_000_000;
            lab.settle();
        }),
    ];
    for (case, end) in over {
        let mut lab = kin(1, 1);
        with_server(&mut lab, Some(master(7000, &[], THEIRS)));
        lab.hello_line(&greeting(9, 7, 7000));
        lab.run(9_900);
        assert_eq!(lab.open(7000).len(), 1, "{case}");
        lab.hello_line(&greeting(9, 7, 7000));
        lab.run(1_000);
        end(&mut lab);
        assert_eq!(lab.open(7000).len(), 0, "{case}: {}", lab.history());
    }
}

#[test]
fn an_epoch_beyond_belief_makes_nobody_ask() {
    let mut lab = kin(1, 1);
    with_server(&mut lab, heir());
    lab.hello_line(&greeting(9, 1 << 40, 7000));
    lab.run(1_000);
    lab.hello_line(&greeting(9, 1 << 40, 7000));
    assert_eq!((at(&lab), lab.open(7000).len()), (6000, 0));
}

#[test]
fn whom_our_master_itself_follows_is_the_master() {
    let down = |text: String| text.replace("status:up", "status:down");
    let restarted = |text: String| text.replace(&format!("{:040x}", 6000), &format!("{:040x}", 6999));
    for (info, followed) in [
        (replica(6000, 7000, THEIRS), true),
        (replica(6000, 7001, THEIRS), false),
        (down(replica(6000, 7000, THEIRS)), false),
        (restarted(replica(6000, 7000, THEIRS)), false),
    ] {
        let mut lab = kin(0, 1);
        lab.stub(6000).info = Some(info.clone());
        lab.run(11_000);
        lab.hello_line(&greeting(9, 7, 7000));
        assert_eq!(at(&lab) == 7000, followed, "{info}: {}", lab.history());
        assert_eq!(said(&lab, "believed, because our master itself follows"), usize::from(followed));
    }
}

/// A stranger names a master of another history, every two seconds for so long, on our master or directly.
fn named_for(lab: &mut Lab, seconds: u64, on_master: bool) {
    for _ in 0..=seconds / 2 {
        if on_master {
            heard(lab, &greeting(9, 7, 7000));
        } else {
            lab.hello_line(&greeting(9, 7, 7000));
        }
        lab.run(2_000);
    }
}

#[test]
fn who_shares_our_master_is_believed_if_nobody_agrees_with_us() {
    let theirs = || Some(master(7000, &[], THEIRS));
    for (peers, on_master, seconds, followed) in
        [(0, true, 8, false), (0, true, 10, true), (0, false, 30, false), (1, true, 10, true)]
    {
        let mut lab = kin(1, peers);
        with_server(&mut lab, theirs());
        named_for(&mut lab, seconds, on_master);
        assert_eq!(at(&lab) == 7000, followed, "{peers} {on_master} {seconds}: {}", lab.history());
    }
    // A known Sentinel names our configuration: it counts for ever, or for half a minute if a file is all that it goes back to.
    for (epoch, followed) in [(0, true), (3, false)] {
        let mut lab = kin(1, 1);
        lab.hello_line(&greeting(1, epoch, 6000));
        with_server(&mut lab, theirs());
        for second in 0..40 {
            lab.hello_line(&greeting(1, epoch, 6000));
            heard(&mut lab, &greeting(9, 7, 7000));
            lab.run(1_000);
            assert!(second >= 30 || at(&lab) == 6000, "{epoch} {second}: {}", lab.history());
        }
        assert_eq!(at(&lab) == 7000, followed, "{epoch}: {}", lab.history());
    }
    // Silence begins a new story.
    let mut lab = kin(1, 0);
    with_server(&mut lab, theirs());
    named_for(&mut lab, 8, true);
    lab.run(5_000);
    named_for(&mut lab, 8, true);
    assert_eq!(at(&lab), 6000, "{}", lab.history());
    // The subscription was silent, so that the master has to report once more before it counts as ours.
    named_for(&mut lab, 12, true);
    assert_eq!(at(&lab), 7000, "{}", lab.history());
}

#[test]
fn a_master_that_may_be_another_clusters_proves_nothing() {
    // Another server took its address, and its data: the ids that came with it vouch for nobody.
    let mut lab = kin(0, 1);
    lab.stub(6000).info = Some(master(6000, &[], THEIRS));
    lab.run(11_000);
    with_server(&mut lab, Some(master_info(7000, &[]) + &ids(NEW, THEIRS)));
    named_for(&mut lab, 20, true);
    assert_eq!(at(&lab), 6000, "{}", lab.history());
    with_server(&mut lab, heir());
    lab.cut(7000, None);
    lab.run(1_000);
    named_for(&mut lab, 2, true);
    assert_eq!(at(&lab), 7000, "{}", lab.history());
}

/// A Sentinel that knows nobody, whose master says that it follows the server at 7000.
fn newcomer() -> Lab {
    let mut lab = lab_with(0, 0, |settings| settings.masters[0].quorum = 1);
    lab.stub(6000).info = Some(replica_info(6000, 7000, ""));
    lab.restart();
    lab.mark();
    lab
}

fn greeted(lab: &Lab) -> usize {
    lab.asked_of(6000, |request| matches!(request, Request::Publish(_)))
}

#[test]
fn who_knows_nobody_listens_before_it_speaks() {
    let mut lab = newcomer();
    lab.run(1_000);
    for _ in 0..2 {
        heard(&mut lab, &greeting(9, 40, 7000));
        heard(&mut lab, &greeting(8, 0, 7000));
        lab.run(2_000);
    }
    assert_eq!((at(&lab), greeted(&lab), said(&lab, "+sentinel")), (6000, 0, 0), "{}", lab.history());
    // Nobody came who knew us: we are new.
    lab.run(2_000);
    assert_eq!(greeted(&lab), 1, "{}", lab.history());
    heard(&mut lab, &greeting(9, 40, 7000));
    assert_eq!(at(&lab), 7000, "{}", lab.history());
}

#[test]
fn who_greets_a_silent_newcomer_is_one_of_us() {
    let mut lab = newcomer();
    lab.stubs.insert(7001, Stub::new(Some(master_info(7001, &[]))));
    heard(&mut lab, &greeting(9, 40, 7000));
    lab.hello_line(&greeting(1, 3, 7001));
    assert_eq!(at(&lab), 7001, "{}", lab.history());
    lab.run(1_000);
    heard(&mut lab, &greeting(9, 40, 7000));
    lab.run(1_000);
    heard(&mut lab, &greeting(9, 40, 7000));
    assert_eq!(at(&lab), 7001, "others are strangers now: {}", lab.history());
    // What it says of the configuration that we have makes it known, too.
    let mut lab = newcomer();
    lab.hello_line(&greeting(1, 0, 6000));
    lab.run(100);
    assert!(greeted(&lab) == 1 && at(&lab) == 6000, "{}", lab.history());
}

#[test]
fn a_newcomer_whose_master_is_one_greets_it_with_the_first_report() {
    let lab = lab_with(0, 0, |_| {});
    assert_eq!(greeted(&lab), 1, "{}", lab.history());
    // One that gives no report is greeted all the same.
    let mut lab = lab_with(0, 0, |_| {});
    lab.stub(6000).info = None;
    lab.restart();
    lab.mark();
    lab.run(900);
    assert_eq!(greeted(&lab), 0);
    lab.run(200);
    assert_eq!(greeted(&lab), 1, "{}", lab.history());
}

#[test]
fn a_replaced_sentinel_leads_nobody_to_another_cluster() {
    // It started with an address that was given away, and believes whom it met there.
    let mut lab = kin(1, 1);
    lab.stub(6001).info = Some(replica(6001, 7000, THEIRS));
    lab.cut(6001, None);
    lab.run(1_000);
    lab.kill(6000);
    lab.run(1_500);
    with_server(&mut lab, Some(master(7000, &[6001], THEIRS)));
    let replaced = |port| greeting(9, 7, port).replace(",5009,", ",5001,");
    for port in [7000, 7000, 6001] {
        lab.hello_line(&replaced(port));
        lab.run(2_000);
        assert_eq!(at(&lab), 6000, "{}", lab.history());
    }
    lab.hello_line(&replaced(7001));
    assert_eq!(at(&lab), 7001, "{}", lab.history());
    // Before the lineage is known nobody could tell.
    let mut lab = lab_with(1, 1, |_| {});
    lab.hello_line(&replaced(7000));
    assert_eq!(at(&lab), 6000, "{}", lab.history());
}

#[test]
fn who_lost_touch_follows_no_stranger_while_a_replica_still_follows_the_dead_master() {
    for (other, dead, followed) in [
        (replica(6002, 6000, OURS), true, false),
        (replica(6002, 7000, NEW), true, true),
        (replica(6002, 6000, OURS), false, true),
    ] {
        let mut lab = lab_with(2, 0, |settings| settings.masters[0].quorum = 2);
        lab.stub(6000).info = Some(replica(6000, 6002, OURS));
        lab.stub(6001).info = Some(replica(6001, 7000, NEW));
        lab.stub(6002).info = Some(other.clone());
        lab.restart();
        lab.run(11_000);
        if dead {
            lab.kill(6000);
            lab.run(2_000);
        }
        lab.hello_line(&greeting(9, 7, 7000));
        assert_eq!(at(&lab) == 7000, followed, "{other} {dead}: {}", lab.history());
    }
}

#[test]
fn who_knows_replicas_and_no_sentinel_greets_the_master_when_it_said_that_it_is_one() {
    for (info, soon) in [(replica(6000, 7000, THEIRS), 0), (master(6000, &[6001], OURS), 1)] {
        let mut lab = lab_with(1, 0, |_| {});
        lab.stub(6000).info = Some(info.clone());
        lab.mark();
        lab.restart();
        lab.run(3_000);
        assert_eq!(greeted(&lab).min(1), soon, "{info}: {}", lab.history());
        lab.run(10_000);
        assert!(greeted(&lab) > 0, "nobody came: {}", lab.history());
    }
}

#[test]
fn what_followers_copied_from_an_address_proves_nothing_unless_its_server_said_that_it_is_the_master() {
    // After a start: the address of the file was given away, and a replica of ours followed it there.
    for (info, believed) in [
        (None, false),
        (Some(replica(6000, 7000, THEIRS)), false),
        (Some(master(6000, &[6001], THEIRS)), true),
    ] {
        let mut lab = lab_with(1, 1, |_| {});
        lab.stub(6001).info = Some(replica(6001, 6000, THEIRS));
        lab.stub(6000).info = None;
        lab.restart();
        lab.stub(6000).info = info.clone();
        lab.run(11_000);
        lab.hello_line(&greeting(1, 5, 6009));
        assert_eq!(at(&lab), 6009, "a known peer is followed");
        with_server(&mut lab, Some(master(7000, &[6000], THEIRS)));
        for _ in 0..2 {
            lab.hello_line(&greeting(9, 7, 7000));
            lab.run(2_000);
        }
        assert_eq!(at(&lab) == 7000, believed, "{info:?}: {}", lab.history());
    }
}
