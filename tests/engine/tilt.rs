//! TILT: what goes on in it, what rests, and what its end brings (spec 2 §2.3). When it begins and ends: `health`.

use sentineld::wire::{Answer, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{Stub, master_info, peer_id, replica_info};

/// The wall clock goes back by a second.
fn tilt(lab: &mut Lab) {
    let before = lab.count("+tilt");
    lab.wall_shift -= 1_000;
    lab.run(101);
    assert_eq!(lab.count("+tilt #tilt mode entered"), before + 1, "{}", lab.history());
}

fn peer_flags(lab: &mut Lab) -> Vec<&'static str> {
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else {
        panic!("a list")
    };
    peers[0].instance.flags.clone()
}

fn state(lab: &mut Lab) -> Option<&'static str> {
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    view.failover_state
}

#[test]
fn another_jump_is_announced_again_and_starts_the_period_anew() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    lab.run(20_000);
    tilt(&mut lab);
    let second = lab.now / 1_000_000;
    let over = lab.until("-tilt", 31_000);
    assert!((29_900..=30_100).contains(&(over - second)), "{} ms", over - second);
    assert_eq!(lab.names(), ["+tilt", "+tilt", "-tilt"]);
}

#[test]
fn trigger_and_period_are_tunable() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    let words = ["tilt-trigger", "500", "tilt-period", "3000"].map(|word| word.as_bytes().to_vec());
    assert_eq!(lab.ask(SentinelCommand::Debug(words.to_vec())), Answer::Ok);
    lab.mark();
    lab.wall_shift += 300;
    lab.run(101);
    assert_eq!(lab.count("+tilt"), 0);
    lab.wall_shift += 501;
    let begun = lab.until("+tilt", 101);
    let over = lab.until("-tilt", 4_000);
    assert!((3_000..=3_100).contains(&(over - begun)), "{} ms", over - begun);
}

#[test]
fn silent_connections_are_kept_until_it_is_over() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    lab.stub(6001).mute = true;
    lab.run(29_500);
    assert!(lab.connects.is_empty(), "{:?}", lab.connects);
    lab.until("-tilt", 1_000);
    lab.run(1);
    assert!(!lab.connects.is_empty(), "what was silent for so long is given up now");
    assert_eq!(lab.count("+sdown slave"), 1, "and judged");
}

#[test]
fn lost_connections_are_made_again() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    for port in [6000, 6001, 5001] {
        lab.kill(port);
        lab.run(2_000);
        lab.stub(port).up = true;
        lab.run(1_000);
        assert!(!lab.open(port).is_empty(), "{port}");
    }
    assert_eq!(lab.names(), ["+tilt"]);
}

#[test]
fn what_others_tell_is_learnt() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    lab.stubs.insert(6002, Stub::new(Some(replica_info(6002, 6000, ""))));
    lab.stub(6000).info = Some(master_info(6999, &[6001, 6002]));
    lab.run(11_000);
    assert_eq!(lab.count("+reboot master"), 1);
    assert_eq!(lab.count("+slave slave 127.0.0.1:6002"), 1);
    lab.hello(2, 4, 6000, 0);
    assert_eq!(lab.count(&format!("+sentinel sentinel {}", peer_id(2))), 1);
    assert_eq!(lab.count("+new-epoch 4"), 1);
    lab.hello(1, 5, 6001, 5);
    let events = lab.names();
    assert!(events.contains(&"+config-update-from") && events.contains(&"+switch-master"), "{events:?}");
    assert_eq!(lab.saved.masters[0].port, 6001);
}

#[test]
fn scripts_run_and_commands_are_carried_out() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].notification_script = Some("/notify".into()));
    lab.run(3_000);
    tilt(&mut lab);
    let before = lab.scripts.len();
    let words = vec![b"quorum".to_vec(), b"3".to_vec()];
    assert_eq!(lab.ask(SentinelCommand::Set { name: MASTER.into(), words }), Answer::Ok);
    assert_eq!(lab.scripts.len(), before + 1);
    assert_eq!(lab.saved.masters[0].quorum, 3);
}

#[test]
fn a_promotion_is_acknowledged_when_it_is_over() {
    let mut lab = lab_with(1, 0, |settings| {
        settings.masters[0].failover_timeout = std::time::Duration::from_secs(60);
    });
    lab.stub(6001).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-wait-promotion", 2_000);
    tilt(&mut lab);
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.until("-role-change slave 127.0.0.1:6001", 2_000);
    lab.run(20_000);
    assert_eq!((lab.count("+promoted-slave"), state(&mut lab)), (0, Some("wait_promotion")));
    lab.until("-tilt", 12_000);
    lab.until("+promoted-slave", 1_100);
}

#[test]
fn re_pointing_makes_no_progress_until_it_is_over() {
    let mut lab = lab_with(2, 0, |settings| {
        settings.masters[0].failover_timeout = std::time::Duration::from_secs(60);
    });
    lab.stub(6002).obeys = false;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+slave-reconf-sent", 2_000);
    let words = [b"slave-reconf-timeout".to_vec(), b"100000".to_vec()];
    assert_eq!(lab.ask(SentinelCommand::Debug(words.to_vec())), Answer::Ok);
    tilt(&mut lab);
    lab.stub(6002).info = Some(replica_info(6002, 6001, ""));
    lab.run(20_000);
    assert_eq!((lab.count("+slave-reconf-inprog"), state(&mut lab)), (0, Some("reconf_slaves")));
    lab.until("-tilt", 12_000);
    lab.until("+failover-end", 1_100);
    assert_eq!(lab.count("+slave-reconf-done"), 1);
}

#[test]
fn strays_are_left_alone_until_it_is_over() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    lab.stub(6001).info = Some(replica_info(6001, 6099, ""));
    lab.stub(6002).info = Some(master_info(6002, &[]));
    lab.stub(6002).obeys = false;
    lab.run(8_000);
    tilt(&mut lab);
    lab.run(29_500);
    let told = |lab: &Lab| {
        let block = |request: &Request| matches!(request, Request::ReplicaOf(_));
        (lab.asked_of(6001, block), lab.asked_of(6002, block))
    };
    assert_eq!(told(&lab), (0, 0));
    lab.run(12_000);
    assert_eq!(lab.count("+fix-slave-config"), 1, "{}", lab.history());
    assert!(lab.count("+convert-to-slave") >= 1);
}

#[test]
fn opinions_of_peers_are_kept_until_it_is_over() {
    let mut lab = lab_with(0, 1, |settings| settings.masters[0].quorum = 2);
    lab.stub(5001).down = true;
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+odown", 2_000);
    tilt(&mut lab);
    lab.stub(5001).mute = true;
    lab.run(20_000);
    assert!(peer_flags(&mut lab).contains(&"master_down"), "{:?}", peer_flags(&mut lab));
    assert_eq!(lab.count("-odown"), 0);
    lab.until("-tilt", 12_000);
    assert!(!peer_flags(&mut lab).contains(&"master_down"), "{:?}", peer_flags(&mut lab));
    lab.until("-odown", 1);
}
