//! The failover, on the leader and on the others (spec 2 §9, §14.1).

use std::time::Duration;

use sentineld::model::Epoch;
use sentineld::wire::{Answer, Command, Request, SentinelCommand};

use super::bench::{Bench, MASTER, replica_info};

fn slaveofs(bench: &Bench, port: u16) -> Vec<Option<u16>> {
    let blocks = bench.sent.iter().filter(|(_, to, _)| *to == port);
    blocks
        .filter_map(|(_, _, request)| match request {
            Request::ReplicaOf(target) => Some(target.as_ref().map(|target| target.1)),
            _ => None,
        })
        .collect()
}

fn sane(bench: &mut Bench) {
    bench.run(3_000);
    bench.kill(MASTER);
}

#[test]
fn a_failover_keeps_the_measured_times_and_order() {
    let mut bench = Bench::new(1, 2, 2, |_| {});
    sane(&mut bench);
    let due = bench.now + 3_000;
    bench.until("+switch-master", 12_000);
    let after = |prefix: &str| bench.seen(prefix).expect(prefix).saturating_sub(due);
    assert!(after("+sdown") <= 150, "{}", after("+sdown"));
    assert!((20..=1_300).contains(&after("+odown")), "{}", after("+odown"));
    let started = bench.seen("+try-failover").expect("started");
    let since = |prefix: &str| bench.seen(prefix).expect(prefix) - started;
    assert!((52..=210).contains(&since("+elected-leader")), "{}", since("+elected-leader"));
    let told = since("+failover-state-wait-promotion");
    assert!((150..=310).contains(&told), "SLAVEOF NO ONE after {told} ms");
    let promoted = since("+promoted-slave");
    assert!((told..=told + 1_300).contains(&promoted), "{promoted}");
    let switched = since("+switch-master") - promoted;
    assert!((900..=3_600).contains(&switched), "{switched}: one other replica");
    let names: Vec<&str> = bench
        .events
        .iter()
        .filter(|(at, text)| *at >= due && !text.starts_with("-role-change"))
        .filter_map(|(_, text)| text.split(' ').next())
        .filter(|name| *name != "-odown")
        .collect();
    assert_eq!(
        names[..17],
        [
            "+sdown",
            "+odown",
            "+new-epoch",
            "+try-failover",
            "+vote-for-leader",
            "+elected-leader",
            "+failover-state-select-slave",
            "+selected-slave",
            "+failover-state-send-slaveof-noone",
            "+failover-state-wait-promotion",
            "+promoted-slave",
            "+failover-state-reconf-slaves",
            "+slave-reconf-sent",
            "+slave-reconf-inprog",
            "+slave-reconf-done",
            "+failover-end",
            "+switch-master",
        ]
    );
    assert_eq!(slaveofs(&bench, MASTER + 2), [None], "the greater offset wins");
    assert_eq!(slaveofs(&bench, MASTER + 1), [Some(MASTER + 2)]);
    let disk = &bench.disk_text.masters[0];
    assert_eq!((disk.port, disk.config_epoch), (MASTER + 2, Epoch(1)));
    assert_eq!(disk.replicas.len(), 2, "the old master is a replica now");
}

#[test]
fn with_one_at_a_time_a_replica_that_does_not_follow_blocks_all_until_the_timeout() {
    let mut bench = Bench::new(1, 3, 2, |master| master.failover_timeout = Duration::from_secs(25));
    bench.stub(MASTER + 1).obeys = false;
    bench.stub(MASTER + 2).obeys = false;
    sane(&mut bench);
    bench.until("+failover-end-for-timeout", 40_000);
    assert_eq!(bench.count("+slave-reconf-sent slave"), 1);
    assert_eq!(bench.seen("-slave-reconf-sent-timeout"), None);
    let lasted = bench.now - bench.seen("+promoted-slave").expect("promoted");
    assert!((25_000..25_200).contains(&lasted), "{lasted}");
    assert_eq!(bench.count("+slave-reconf-sent-be"), 1);
    bench.run(200);
    let told = slaveofs(&bench, MASTER + 1).len() + slaveofs(&bench, MASTER + 2).len();
    assert_eq!(told, 2, "what is sent with the end of the connections is never transmitted");
}

#[test]
fn with_more_at_a_time_than_are_stuck_the_timeout_is_noticed() {
    let mut bench = Bench::new(1, 2, 2, |master| master.parallel_syncs = 2);
    bench.stub(MASTER + 1).obeys = false;
    sane(&mut bench);
    bench.until("-slave-reconf-sent-timeout", 20_000);
    let waited = bench.now - bench.seen("+slave-reconf-sent ").expect("sent");
    assert!((10_000..10_200).contains(&waited), "{waited}");
}

#[test]
fn a_replica_whose_report_is_too_late_for_the_step_is_none() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    bench.run(12_000);
    bench.kill(MASTER);
    bench.run(2_800);
    bench.stub(MASTER + 1).mute = true;
    bench.until("-failover-abort-no-good-slave", 4_000);
    assert_eq!(slaveofs(&bench, MASTER + 1), []);
}

#[test]
fn while_the_promoted_replica_is_down_nothing_ends() {
    let mut bench = Bench::new(1, 2, 2, |master| master.failover_timeout = Duration::from_secs(5));
    bench.stub(MASTER + 1).obeys = false;
    sane(&mut bench);
    bench.until("+promoted-slave", 8_000);
    bench.kill(MASTER + 2);
    bench.run(30_000);
    assert_eq!(bench.seen("+failover-end"), None);
}

#[test]
fn one_switch_a_tick() {
    let mut bench = Bench::new(4, 1, 0, |_| {});
    bench.run(3_000);
    (0..4).for_each(|index| bench.kill(MASTER + 100 * index));
    bench.run(8_000);
    let switches: Vec<u64> =
        bench.events.iter().filter(|(_, text)| text.starts_with("+switch")).map(|(at, _)| *at).collect();
    assert_eq!(switches.len(), 4);
    assert!(switches.windows(2).all(|pair| pair[1] - pair[0] >= 52), "{switches:?}");
}

#[test]
fn others_follow_a_higher_configuration_epoch_and_no_other() {
    let mut bench = Bench::new(1, 2, 2, |_| {});
    bench.run(3_000);
    bench.hello(1, ("m0", MASTER + 1), (3, 0));
    assert_eq!(bench.seen("+switch-master"), None, "an equal epoch says nothing");
    bench.hello(1, ("m0", MASTER + 1), (3, 3));
    let order = ["+config-update-from", "+switch-master", "+slave"].map(|name| bench.seen(name).expect(name));
    assert!(order.is_sorted());
    let disk = &bench.disk_text.masters[0];
    assert_eq!((disk.port, disk.config_epoch, disk.replicas.len()), (MASTER + 1, Epoch(3), 2));
    // A failover of its own vanishes without a word.
    bench.kill(MASTER + 1);
    bench.until("+try-failover", 8_000);
    bench.hello(1, ("m0", MASTER + 2), (9, 9));
    let said = bench.count("-failover-abort");
    assert_eq!((said, bench.disk_text.masters[0].port), (0, MASTER + 2));
}

#[test]
fn a_switch_forgets_when_the_last_failover_was() {
    let mut bench = Bench::new(1, 1, 0, |_| {});
    sane(&mut bench);
    bench.until("+switch-master", 12_000);
    bench.stub(MASTER).up = true;
    bench.run(2_000);
    bench.stub(MASTER).info = replica_info(MASTER, MASTER + 1);
    bench.run(2_000);
    bench.kill(MASTER + 1);
    bench.until("+try-failover", 4_000);
}

#[test]
fn a_forced_failover_asks_nobody() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    bench.run(3_000);
    let failover = || Command::Sentinel(SentinelCommand::Failover("m0".into()));
    bench.command(failover());
    assert_eq!(bench.answers.pop(), Some(Answer::Ok));
    let began = bench.now;
    assert!(bench.until("+elected-leader", 200) - began <= 110);
    bench.command(failover());
    assert!(matches!(bench.answers.pop(), Some(Answer::Error(_))), "one is running");
    bench.until("+switch-master", 4_000);
    let asked = bench.sent.iter().any(|(_, _, request)| matches!(request, Request::IsMasterDown { .. }));
    assert!(!asked);
}

#[test]
fn a_crash_after_the_promotion_leaves_the_new_configuration_on_disk_and_tells_nobody() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    let words = vec!["crash-after-promotion".into()];
    bench.command(Command::Sentinel(SentinelCommand::SimulateFailure(words)));
    sane(&mut bench);
    bench.run(7_000);
    assert_eq!(bench.disk_text.masters[0].port, MASTER + 1);
    assert_eq!(bench.seen("+promoted-slave"), None, "events of that tick do not leave");
}
