//! What the times and counts of SENTINEL MASTER, REPLICAS, SENTINELS and INFO-CACHE count, to the millisecond (spec 3 §3.4.3, §3.4.12,
//! §3.4.16). Against real servers they are masked.

use std::time::Duration;

use sentineld::wire::view::{InstanceView, MasterView, PeerView, ReplicaView};
use sentineld::wire::{Answer, PingReply, Role, SentinelCommand as C};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{Vote, master_info, replica_info};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn master(lab: &mut Lab) -> MasterView {
    match lab.ask(C::Master(MASTER.into())) {
        Answer::Master(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn replica(lab: &mut Lab) -> ReplicaView {
    match lab.ask(C::Replicas(MASTER.into())) {
        Answer::Replicas(mut views) => views.remove(0),
        other => panic!("{other:?}"),
    }
}

fn peer(lab: &mut Lab) -> PeerView {
    match lab.ask(C::Sentinels(MASTER.into())) {
        Answer::Sentinels(mut views) => views.remove(0),
        other => panic!("{other:?}"),
    }
}

/// last-ping-sent, last-ok-ping-reply, last-ping-reply.
fn pings(view: &InstanceView) -> [Duration; 3] {
    [view.last_ping_sent, view.last_ok_ping_reply, view.last_ping_reply]
}

/// Ages in milliseconds by place: the master, then its replicas.
fn cached(lab: &mut Lab) -> Vec<(i64, bool)> {
    match lab.ask(C::InfoCache(vec![MASTER.into()])) {
        Answer::InfoCache(mut entries) => {
            entries.remove(0).1.iter().map(|entry| (entry.age_ms, entry.text.is_some())).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ping_that_is_answered_leaves_no_open_one() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    for view in [master(&mut lab).instance, replica(&mut lab).instance, peer(&mut lab).instance] {
        let [sent, ok, any] = pings(&view);
        assert_eq!((sent, ok == any, ok < ms(1_000)), (Duration::ZERO, true, true), "{view:?}");
        assert_eq!((view.s_down_time, view.o_down_time, view.pending_commands), (None, None, 0));
    }
}

#[test]
fn silence_is_counted_from_the_oldest_open_ping_and_the_last_answer() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    let before = pings(&master(&mut lab).instance);
    lab.stub(6000).mute = true;
    let started = lab.now;
    while master(&mut lab).instance.pending_commands == 0 {
        lab.run(1);
    }
    let asked_after = ms((lab.now - started) / 1_000_000);
    lab.run(700);
    let view = master(&mut lab).instance;
    assert!(view.pending_commands > 1, "a second ping, into silence: {view:?}");
    assert_eq!(pings(&view), [ms(700), before[1] + asked_after + ms(700), before[2] + asked_after + ms(700)]);
    lab.stub(6000).mute = false;
    lab.run(1_000);
    assert_eq!(master(&mut lab).instance.last_ping_sent, Duration::ZERO);
}

#[test]
fn an_answer_that_is_no_good_one_is_an_answer_only() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.stub(6001).ping = PingReply::Other("NOAUTH".into());
    lab.run(5_000);
    let view = replica(&mut lab).instance;
    let [sent, ok, any] = pings(&view);
    assert!(any < ms(1_000) && ok >= ms(5_000) && sent > ms(3_900) && sent < ok, "{view:?}");
    // Down since the oldest open ping was older than down-after-milliseconds.
    assert_eq!(view.flags, ["s_down", "slave"]);
    let down = view.s_down_time.expect("it is down");
    assert!(down + ms(1_000) <= sent && sent <= down + ms(1_200), "{view:?}");
    lab.stub(6001).ping = PingReply::Loading;
    lab.run(1_000);
    let [sent, ok, any] = pings(&replica(&mut lab).instance);
    assert_eq!((sent, ok), (Duration::ZERO, any), "loading is a good answer");
}

#[test]
fn verdicts_are_dated() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.stub(6001).mute = true;
    lab.kill(6000);
    let subjectively = lab.until("+sdown master", 2_000);
    let objectively = lab.until("+odown master", 1);
    lab.run(250);
    let (now, view) = (lab.now / 1_000_000, master(&mut lab).instance);
    assert_eq!(view.s_down_time, Some(ms(now - subjectively)));
    assert_eq!(view.o_down_time, Some(ms(now - objectively)));
    assert_eq!(replica(&mut lab).instance.o_down_time, None);
}

#[test]
fn a_role_is_dated_by_its_first_report_and_an_info_by_its_last() {
    let mut lab = lab(1, 1);
    lab.stub(6001).up = false;
    lab.cut(6001, None);
    let (first, unseen) = (master(&mut lab), replica(&mut lab));
    assert_eq!((first.info_refresh, first.role_reported_time), (Some(ms(0)), ms(0)));
    assert_eq!(unseen.master_host.as_deref(), Some("127.0.0.1"), "it was seen before it went");
    lab.run(9_000);
    let later = master(&mut lab);
    assert_eq!((later.info_refresh, later.role_reported_time), (Some(ms(9_000)), ms(9_000)));
    lab.run(2_000);
    let later = master(&mut lab);
    assert!(later.info_refresh.is_some_and(|age| age <= ms(1_000)), "{later:?}");
    assert_eq!(later.role_reported_time, ms(11_000), "the same role once more is no news");
    lab.stub(6000).info = Some(replica_info(6000, 6001, ""));
    lab.until("-role-change", 11_000);
    lab.run(40);
    let changed = master(&mut lab);
    assert_eq!((changed.info_refresh, changed.role_reported_time), (Some(ms(40)), ms(40)));
    assert_eq!(changed.instance.flags, ["master"]);
}

#[test]
fn greetings_are_dated_and_settings_of_a_master_are_those_of_its_own() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    assert_eq!(peer(&mut lab).last_hello, ms(3_000), "from the file: nothing heard yet");
    lab.hello(1, 0, 6000, 0);
    lab.run(123);
    assert_eq!(peer(&mut lab).last_hello, ms(123));
    let words = ["down-after-milliseconds", "4321"].map(|word| word.as_bytes().to_vec()).to_vec();
    assert_eq!(lab.refusal(C::Set { name: MASTER.into(), words }), "OK");
    for view in [master(&mut lab).instance, replica(&mut lab).instance, peer(&mut lab).instance] {
        assert_eq!(view.down_after, ms(4_321), "{view:?}");
    }
}

#[test]
fn what_was_pending_on_a_lost_link_is_not_counted_on_the_next() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.stub(6001).mute = true;
    lab.run(2_500);
    let pending = replica(&mut lab).instance.pending_commands;
    assert!(pending > 1);
    lab.run(300);
    assert!(replica(&mut lab).instance.pending_commands >= pending, "nothing is taken back");
    lab.stub(6001).mute = false;
    lab.cut(6001, None);
    lab.until("-sdown slave", 20_000);
    assert_eq!(replica(&mut lab).instance.pending_commands, 0);
}

#[test]
fn the_age_of_an_info_that_never_came_depends_on_the_masters() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    assert_eq!(cached(&mut lab), [(3_000, true), (3_000, true)]);
    lab.stub(6000).info = Some(master_info(6000, &[6001, 6009]));
    lab.run(10_000);
    let wall = lab.clock().wall.as_millis();
    let ages = cached(&mut lab);
    assert_eq!((ages.len(), ages[0].1), (3, true));
    assert!(ages.contains(&(wall, false)), "{ages:?} at {wall}");
    let mut lab = lab_with(1, 0, |settings| settings.masters[0].down_after = ms(60_000));
    lab.stub(6000).up = false;
    lab.restart();
    lab.run(3_000);
    assert_eq!(cached(&mut lab), [(0, false), (0, true)], "no age without the master's own");
}

#[test]
fn a_reset_starts_clocks_again_and_keeps_what_info_said() {
    let mut lab = lab(1, 0);
    lab.run(3_000);
    lab.stub(6000).info = Some(replica_info(6000, 6009, ""));
    lab.until("-role-change", 11_000);
    lab.run(250);
    lab.kill(6000);
    lab.run(500);
    let info_age = master(&mut lab).info_refresh;
    lab.stub(6001).mute = true;
    lab.ask(C::Reset("*".into()));
    let view = master(&mut lab);
    assert_eq!((view.info_refresh, cached(&mut lab).len()), (info_age, 1));
    assert!(cached(&mut lab)[0].1, "the text stays");
    assert_eq!((view.role_reported, view.role_reported_time), (Role::Master, ms(0)));
    assert_eq!(pings(&view.instance)[1..], [ms(0), ms(0)]);
    lab.run(900);
    assert_eq!(pings(&master(&mut lab).instance), [ms(900); 3], "as if it had just been created");
}

fn state(lab: &mut Lab) -> (Option<&'static str>, bool) {
    let view = master(lab);
    (view.failover_state, view.instance.flags.contains(&"failover_in_progress"))
}

#[test]
fn states_of_a_failover_have_the_names_of_the_reference() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    assert_eq!(state(&mut lab), (None, false));
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = Vote::Refuses;
    }
    lab.stub(6001).obeys = false;
    lab.stub(6002).mute = true;
    lab.mark();
    lab.kill(6000);
    lab.until("+try-failover", 3_000);
    assert_eq!(state(&mut lab), (Some("wait_start"), true));
    lab.stub(5001).vote = Vote::Grants;
    lab.until("+failover-state-select-slave", 3_000);
    assert_eq!(state(&mut lab), (Some("select_slave"), true));
    lab.until("+failover-state-wait-promotion", 3_000);
    assert_eq!(state(&mut lab), (Some("wait_promotion"), true));
    lab.stub(6001).info = Some(master_info(6001, &[6002]));
    lab.until("+failover-state-reconf-slaves", 3_000);
    assert_eq!(state(&mut lab), (Some("reconf_slaves"), true));
    lab.stub(6002).mute = false;
    lab.until("+failover-end", 20_000);
    assert_eq!(state(&mut lab), (None, false));
}
