//! What it does while nothing fails over: heartbeat, repairs, tilt, gossip (spec 2 §2.3, §4, §5.3, §6).

use std::time::Duration;

use sentineld::wire::{Answer, Command, Hello, Request, SentinelCommand};

use super::bench::{Bench, MASTER, master_info, peer_id, replica_info};

fn times(bench: &Bench, port: u16, wanted: impl Fn(&Request) -> bool) -> Vec<u64> {
    let sent = bench.sent.iter().filter(|(_, to, request)| *to == port && wanted(request));
    sent.map(|(at, ..)| *at).collect()
}

fn gaps(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn the_periods_are_those_of_the_reference() {
    let mut bench = Bench::new(1, 1, 1, |_| {});
    bench.run(40_000);
    for port in [MASTER, MASTER + 1, 5001] {
        let pings = times(&bench, port, |request| *request == Request::Ping);
        assert!(gaps(&pings).iter().all(|gap| (1_000..=1_110).contains(gap)), "{port}: {:?}", gaps(&pings));
        let hellos = times(&bench, port, |request| matches!(request, Request::Publish(_)));
        assert!((2_000..=2_200).contains(&hellos[0]), "the first after two seconds: {}", hellos[0]);
        assert!(gaps(&hellos).iter().all(|gap| (2_000..=2_110).contains(gap)), "{:?}", gaps(&hellos));
    }
    let infos = times(&bench, MASTER, |request| *request == Request::Info);
    assert!(infos[0] < 200);
    assert!(gaps(&infos).iter().all(|gap| (10_000..=10_110).contains(gap)), "{:?}", gaps(&infos));
}

#[test]
fn a_silent_instance_is_pinged_twice_a_second_and_asked_for_info_at_every_tick() {
    let mut bench = Bench::new(1, 1, 1, |master| master.quorum = 2);
    bench.stub(5001).down = false;
    bench.stub(MASTER).mute = true;
    bench.run(5_000);
    let pings = times(&bench, MASTER, |request| *request == Request::Ping);
    assert!(gaps(&pings)[1..].iter().all(|gap| (500..=610).contains(gap)), "{:?}", gaps(&pings));
    let infos = times(&bench, MASTER, |request| *request == Request::Info).len();
    assert!((40..=80).contains(&infos), "{infos}");
    let down = bench.seen("+sdown master").expect("down");
    assert!((3_000..=3_150).contains(&down), "since its creation: {down}");
}

#[test]
fn a_replica_that_says_it_is_a_master_is_converted_after_eight_seconds_at_an_info() {
    let mut bench = Bench::new(1, 1, 1, |_| {});
    bench.run(3_000);
    bench.stub(MASTER + 1).info = master_info(MASTER + 1);
    let seen = bench.until("-role-change", 12_000);
    let told = bench.until("+convert-to-slave", 12_000) - seen;
    assert!((8_000..=10_200).contains(&told), "{told}");
    assert_eq!(bench.stub(MASTER + 1).info, replica_info(MASTER + 1, MASTER));
}

#[test]
fn a_replica_of_another_master_is_repaired_after_the_failover_timeout() {
    let mut bench = Bench::new(1, 1, 1, |master| master.failover_timeout = Duration::from_secs(12));
    bench.run(3_000);
    bench.stub(MASTER + 1).info = replica_info(MASTER + 1, 9);
    bench.run(12_000);
    assert_eq!(bench.seen("+fix-slave-config"), None);
    bench.until("+fix-slave-config", 25_000);
}

#[test]
fn a_step_of_the_wall_clock_stops_it_for_thirty_seconds() {
    let mut bench = Bench::new(1, 1, 0, |_| {});
    bench.run(3_000);
    bench.wall_shift = -10_000;
    bench.kill(MASTER);
    bench.until("+tilt", 200);
    bench.run(29_500);
    assert_eq!(bench.seen("+sdown"), None);
    let vote = bench.asked(MASTER, 5, Some(peer_id(1))).expect("an answer");
    assert_eq!((vote.down, vote.leader), (false, Some(peer_id(1))), "it votes all the same");
    assert_eq!(bench.until("-tilt", 1_000), bench.seen("+sdown master").expect("in the same tick"));
}

#[test]
fn a_peer_at_another_address_is_the_same_and_one_at_the_same_address_is_another() {
    let mut bench = Bench::new(2, 0, 2, |_| {});
    bench.run(3_000);
    let hello = |id: u16, port: u16| {
        Command::Publish(Some(Hello {
            host: "127.0.0.1".into(),
            port,
            run_id: peer_id(id),
            current_epoch: Default::default(),
            master_name: "m0".into(),
            master_host: "127.0.0.1".into(),
            master_port: MASTER,
            config_epoch: Default::default(),
        }))
    };
    let moved = bench.stubs.remove(&5002).expect("a stub");
    bench.stubs.insert(5009, moved);
    bench.command(hello(2, 5009));
    assert_eq!((bench.count("+sentinel-address-switch"), bench.count("+sentinel-address-update")), (1, 1));
    let ports = |bench: &Bench, at: usize| {
        let mut ports: Vec<u16> = bench.disk_text.masters[at].peers.iter().map(|peer| peer.port).collect();
        ports.sort_unstable();
        ports
    };
    assert_eq!((ports(&bench, 0), ports(&bench, 1)), (vec![5001, 5009], vec![5001, 5009]));
    bench.command(hello(3, 5009));
    assert_eq!((bench.count("+sentinel-invalid-addr"), bench.count("+sentinel ")), (1, 1));
    let ids: Vec<_> = bench.disk_text.masters[1].peers.iter().map(|peer| peer.run_id.clone()).collect();
    assert_eq!(ids, [peer_id(1)], "forgotten under every master");
}

#[test]
fn a_reset_forgets_peers_and_replicas() {
    let mut bench = Bench::new(1, 1, 2, |_| {});
    bench.stub(MASTER).info += "slave0:ip=127.0.0.1,port=6001,state=online,offset=1,lag=0\r\n";
    bench.run(3_000);
    bench.command(Command::Sentinel(SentinelCommand::Reset("m*".into())));
    assert_eq!(bench.answers.pop(), Some(Answer::Integer(1)));
    assert_eq!(bench.seen("+slave"), None);
    bench.until("+slave ", 10_200);
    bench.command(Command::Sentinel(SentinelCommand::CheckQuorum("m0".into())));
    assert!(
        matches!(bench.answers.pop(), Some(Answer::Error(_))),
        "nobody else is known until the next hello"
    );
    bench.hello(1, ("m0", MASTER), (0, 0));
    assert_eq!(bench.count("+sentinel "), 1);
}
