//! TILT: what begins and ends it, what goes on in it, what rests, and what its end brings (spec 2 §2.3).

use std::time::Duration;

use sentineld::wire::{Answer, Command, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{Stub, master_info, peer_id, replica_info};

impl Lab {
    /// This process stands still, while the world goes on.
    pub fn freeze(&mut self, millis: u64) {
        self.command(Command::Ping, &[]);
        self.now += millis * 1_000_000;
        self.command(Command::Ping, &[]);
    }
}

/// Enters TILT, in which a silent replica on port 6001 keeps us for as long as it can.
fn tilt(lab: &mut Lab) {
    lab.stub(6001).mute = true;
    lab.freeze(2_001);
    assert_eq!(lab.names().last(), Some(&"+tilt"), "{}", lab.history());
}

fn debug(lab: &mut Lab, words: &[&str]) {
    let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    assert_eq!(lab.ask(SentinelCommand::Debug(words)), Answer::Ok);
}

fn flags(lab: &mut Lab) -> Vec<&'static str> {
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    view.instance.flags
}

fn peer_flags(lab: &mut Lab) -> Vec<&'static str> {
    let Answer::Sentinels(peers) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else {
        panic!("peers")
    };
    peers[0].instance.flags.clone()
}

fn state(lab: &mut Lab) -> Option<&'static str> {
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    view.failover_state
}

#[test]
fn it_begins_with_a_gap_longer_than_the_trigger_and_ends_with_fresh_answers() {
    for (gap, tilts) in [(2_000, 0), (2_001, 1), (3_600_000, 1)] {
        let mut lab = lab(1, 1);
        lab.run(3_000);
        lab.mark();
        lab.freeze(gap);
        assert_eq!(lab.names(), ["+tilt", "-tilt"][..2 * tilts], "{gap} ms: all answer at once");
        lab.run(10_000);
        assert_eq!(lab.names().len(), 2 * tilts, "nothing came of it: {}", lab.history());
    }
}

#[test]
fn steps_of_the_wall_clock_mean_nothing() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    for step in [-1, 2_500, -86_400_000, 86_400_000 * 365] {
        lab.wall_shift += step;
        lab.run(1_000);
    }
    assert_eq!(lab.names(), [""; 0]);
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    lab.wall_shift -= 1_000_000;
    lab.until("+sdown master", 1);
    assert_eq!(lab.count("+tilt"), 0);
}

#[test]
fn who_does_not_answer_is_waited_for_in_bounds_and_then_has_a_full_down_after() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].down_after = Duration::from_secs(3));
    lab.run(3_000);
    lab.mark();
    let frozen = lab.now / 1_000_000;
    lab.stub(6001).mute = true;
    lab.freeze(60_000);
    assert_eq!(lab.until("-tilt", 1_100) - frozen, 61_000);
    assert_eq!(lab.until("+sdown slave", 3_000) - frozen, 63_000, "our own silence is not its");
    assert_eq!(lab.names(), ["+tilt", "-tilt", "+sdown"]);
}

#[test]
fn what_is_broken_is_not_waited_for() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    lab.run(500);
    assert_eq!(lab.count("-tilt"), 0);
    lab.kill(6001);
    assert_eq!(lab.count("-tilt"), 1);
}

#[test]
fn another_freeze_is_announced_again_and_starts_the_wait_anew() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    lab.run(500);
    tilt(&mut lab);
    let second = lab.now / 1_000_000;
    assert_eq!(lab.until("-tilt", 1_100) - second, 1_000);
    assert_eq!(lab.names(), ["+tilt", "+tilt", "-tilt"]);
    let Some(Answer::Info(view)) = lab.command(Command::Info, &[]) else { panic!("INFO") };
    assert_eq!((view.tilt_since, view.total_tilt), (None, 2));
}

#[test]
fn trigger_and_period_are_tunable() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    debug(&mut lab, &["tilt-trigger", "500", "tilt-period", "300"]);
    lab.mark();
    lab.stub(6001).mute = true;
    lab.freeze(500);
    assert_eq!(lab.count("+tilt"), 0);
    lab.freeze(501);
    assert_eq!(lab.count("+tilt"), 1);
    let begun = lab.now / 1_000_000;
    assert_eq!(lab.until("-tilt", 400) - begun, 300);
}

#[test]
fn it_is_shown_and_opinions_are_not_told() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    assert_eq!(lab.vote(0, "*"), Some((true, None, 0)));
    lab.mark();
    tilt(&mut lab);
    lab.run(400);
    assert_eq!(lab.vote(0, "*"), Some((false, None, 0)), "an opinion of a tilted mind counts for nothing");
    let Some(Answer::Info(view)) = lab.command(Command::Info, &[]) else { panic!("INFO") };
    assert_eq!((view.tilt_since, view.total_tilt), (Some(Duration::from_millis(400)), 1));
    lab.until("-tilt", 1_000);
    assert_eq!(lab.vote(0, "*"), Some((true, None, 0)));
}

#[test]
fn a_verdict_from_before_ends_with_a_sign_of_life_only() {
    for comes_back in [false, true] {
        let mut lab = lab(1, 0);
        lab.run(3_000);
        lab.stub(6001).mute = true;
        lab.until("+sdown slave", 2_100);
        lab.mark();
        lab.stub(6001).mute = !comes_back;
        lab.freeze(10_000);
        lab.run(2_000);
        let expected: &[&str] = if comes_back { &["+tilt", "-tilt", "-sdown"] } else { &["+tilt", "-tilt"] };
        assert_eq!(lab.names(), expected, "{}", lab.history());
    }
}

#[test]
fn answers_from_before_are_no_fresh_ones() {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    lab.stub(5001).down = true;
    lab.stub(5001).mute = true;
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    lab.mark();
    lab.stub(6001).mute = true;
    lab.run(600);
    let old: Vec<_> = lab.unanswered.drain(..).collect();
    lab.freeze(5_000);
    lab.unanswered.clear();
    for (conn, tag, reply) in old {
        lab.feed(sentineld::engine::Input::Reply(conn, tag, reply));
    }
    assert!(!peer_flags(&mut lab).contains(&"master_down"), "it said so before the freeze");
    assert_eq!(lab.count("-tilt"), 0, "nor do old answers to PING count: {}", lab.history());
    lab.until("-tilt", 1_100);
    assert_eq!(lab.count("+odown"), 0);
    lab.stub(5001).mute = false;
    lab.until("+odown", 1_100);
}

#[test]
fn opinions_are_asked_for_anew() {
    let mut lab = lab_with(1, 1, |settings| settings.masters[0].quorum = 2);
    lab.stub(5001).down = true;
    lab.stub(5001).vote = crate::stub::Vote::Refuses;
    lab.run(3_000);
    lab.kill(6000);
    lab.until("+odown", 2_000);
    lab.mark();
    tilt(&mut lab);
    assert!(!peer_flags(&mut lab).contains(&"master_down"), "{:?}", peer_flags(&mut lab));
    assert_eq!(lab.count("-odown"), 0, "no verdict changes in TILT");
    lab.until("-odown", 1_100);
    lab.until("+odown", 1);
    assert_eq!(lab.names()[..3], ["+tilt", "-tilt", "-odown"]);
}

#[test]
fn we_watch_listen_and_vote_but_do_not_act() {
    let mut lab = lab(2, 2);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
    }
    lab.run(3_000);
    lab.mark();
    lab.stub(6002).info = Some(replica_info(6002, 6009, ""));
    lab.stub(6001).info = Some(master_info(6001, &[]));
    tilt(&mut lab);
    let (pings, infos) = (
        lab.asked_of(6002, |request| *request == Request::Ping),
        lab.asked_of(6002, |r| *r == Request::Info),
    );
    assert_eq!((pings, infos), (1, 1), "at once");
    lab.kill(6000);
    lab.kill(5002);
    lab.run(990);
    assert_eq!(lab.count("+sdown") + lab.count("+odown") + lab.count("+try-failover"), 0);
    assert_eq!(lab.asked_of(5001, |request| matches!(request, Request::IsMasterDown { .. })), 0);
    assert_eq!(lab.count("-tilt"), 0);
    assert_eq!(lab.vote(3, "somebody"), Some((false, Some("somebody".into()), 3)), "votes are given in TILT");
    lab.hello(1, 7, 6002, 7);
    assert_eq!(lab.count("+switch-master mymaster 127.0.0.1 6000 127.0.0.1 6002"), 1);
}

#[test]
fn silent_connections_are_kept_until_it_is_over() {
    let mut lab = lab(1, 0);
    lab.run(16_000);
    lab.mark();
    tilt(&mut lab);
    lab.run(990);
    assert!(lab.connects.is_empty(), "{:?}", lab.connects);
    lab.until("-tilt", 100);
    lab.run(1);
    assert!(!lab.connects.is_empty(), "what is silent for half of down-after is given up now");
    assert_eq!(lab.count("+sdown slave"), 1, "and judged");
}

#[test]
fn lost_connections_are_made_again() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    for port in [6000, 5001] {
        lab.kill(port);
        lab.run(20);
        lab.stub(port).up = true;
        lab.run(100);
        assert!(!lab.open(port).is_empty(), "{port}");
    }
    assert_eq!(lab.names(), ["+tilt"]);
}

#[test]
fn what_others_tell_is_learnt() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    lab.stubs.insert(6002, Stub::new(Some(replica_info(6002, 6000, ""))));
    lab.stub(6000).info = Some(master_info(6999, &[6001, 6002]));
    tilt_first(&mut lab);
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

/// As `tilt`, where more happens at once.
fn tilt_first(lab: &mut Lab) {
    lab.stub(6001).mute = true;
    lab.freeze(2_001);
    assert_eq!((lab.count("+tilt"), lab.count("-tilt")), (1, 0), "{}", lab.history());
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
fn a_failover_rests_and_aborts_if_it_took_too_long() {
    let mut lab = lab(2, 0);
    lab.stub(6002).obeys = false;
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-wait-promotion", 2_000);
    lab.stub(6001).mute = true;
    lab.freeze(11_000);
    lab.run(990);
    assert_eq!(lab.count("-failover-abort"), 0);
    lab.until("-failover-abort", 100);
    let names = lab.names();
    assert!(
        names.windows(2).any(|pair| pair[0] == "-tilt" && pair[1].starts_with("-failover-abort")),
        "{names:?}"
    );
}

#[test]
fn a_forced_failover_begins_in_tilt_and_goes_on_after_it() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.mark();
    tilt(&mut lab);
    assert_eq!(lab.ask(SentinelCommand::Failover(MASTER.into())), Answer::Ok);
    lab.run(990);
    assert_eq!(lab.count("+try-failover"), 1);
    assert_eq!(lab.count("+elected-leader"), 0);
    lab.until("+elected-leader", 100);
    lab.until("+promoted-slave", 4_000);
}

#[test]
fn a_promotion_is_acknowledged_when_it_is_over() {
    let mut lab = lab_with(2, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    lab.stub(6002).obeys = false;
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6000);
    lab.until("+failover-state-wait-promotion", 2_000);
    lab.stub(6002).info = Some(master_info(6002, &[]));
    tilt_first(&mut lab);
    lab.until("-role-change slave 127.0.0.1:6002", 1);
    lab.run(900);
    assert_eq!((lab.count("+promoted-slave"), state(&mut lab)), (0, Some("wait_promotion")));
    lab.until("-tilt", 200);
    lab.until("+promoted-slave", 1_100);
}

#[test]
fn re_pointing_makes_no_progress_until_it_is_over() {
    let mut lab = lab_with(3, 0, |settings| settings.masters[0].failover_timeout = Duration::from_secs(60));
    lab.stub(6002).obeys = false;
    lab.stub(6001).info = Some(replica_info(6001, 6000, "slave_priority:0\r\n"));
    lab.stub(6002).info = Some(replica_info(6002, 6000, "slave_priority:0\r\n"));
    lab.run(11_000);
    lab.mark();
    lab.kill(6001);
    lab.run(1_100);
    lab.stub(6001).up = true;
    lab.kill(6000);
    lab.until("+slave-reconf-sent slave 127.0.0.1:6002", 3_000);
    lab.stub(6001).mute = false;
    lab.run(300);
    lab.stub(6002).info = Some(replica_info(6002, 6003, ""));
    lab.stub(6002).mute = true;
    lab.freeze(3_000);
    lab.stub(6002).mute = false;
    lab.run(900);
    assert_eq!(
        (lab.count("+slave-reconf-inprog slave 127.0.0.1:6002"), state(&mut lab)),
        (0, Some("reconf_slaves"))
    );
    lab.until("-tilt", 200);
    lab.until("+slave-reconf-done slave 127.0.0.1:6002", 2_100);
}

#[test]
fn strays_are_left_alone_until_it_is_over() {
    let mut lab = lab(3, 0);
    lab.run(3_000);
    lab.stub(6003).info = Some(master_info(6003, &[]));
    lab.stub(6003).obeys = false;
    lab.until("-role-change slave 127.0.0.1:6003", 11_000);
    lab.run(7_900);
    lab.mark();
    tilt(&mut lab);
    lab.run(990);
    let told = |lab: &Lab| lab.asked_of(6003, |request| matches!(request, Request::ReplicaOf(_)));
    assert_eq!(told(&lab), 0, "its eight seconds passed in TILT");
    lab.run(2_000);
    assert!(told(&lab) >= 1 && lab.count("+convert-to-slave slave 127.0.0.1:6003") >= 1, "{}", lab.history());
}

#[test]
fn a_master_that_called_itself_a_replica_has_the_time_anew() {
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].quorum = 2);
    lab.run(3_000);
    lab.stub(6000).info = Some(replica_info(6000, 6001, ""));
    lab.until("-role-change master", 11_000);
    lab.mark();
    lab.freeze(60_000);
    let thawed = lab.now / 1_000_000;
    assert_eq!(lab.names(), ["+tilt", "-tilt"]);
    assert_eq!(lab.until("+sdown master", 22_000) - thawed, 21_000);
    lab.mark();
    lab.freeze(60_000);
    lab.run(2_000);
    assert_eq!(flags(&mut lab)[0], "s_down", "a fresh report says the same: {}", lab.history());
    assert_eq!(lab.names(), ["+tilt", "-tilt"]);
}
