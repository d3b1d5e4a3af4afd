//! SENTINEL RESET: what was known is set aside for six seconds, so that nobody is alone with a master meanwhile (spec 2 §9.8).

use sentineld::wire::{Answer, Command, Hello, Request, SentinelCommand};

use crate::lab::{Lab, MASTER, lab, lab_with};
use crate::stub::{master_info, peer_id, replica_info};

fn reset(lab: &mut Lab) {
    lab.mark();
    assert_eq!(lab.ask(SentinelCommand::Reset("*".into())), Answer::Integer(1));
}

fn replicas(lab: &mut Lab) -> Vec<u16> {
    let Answer::Replicas(views) = lab.ask(SentinelCommand::Replicas(MASTER.into())) else {
        panic!("replicas")
    };
    let mut ports: Vec<u16> = views.into_iter().map(|view| view.instance.port).collect();
    ports.sort_unstable();
    ports
}

fn peers(lab: &mut Lab) -> Vec<String> {
    let Answer::Sentinels(views) = lab.ask(SentinelCommand::Sentinels(MASTER.into())) else {
        panic!("peers")
    };
    views.into_iter().map(|view| view.instance.name).collect()
}

fn hellos(lab: &Lab, port: u16) -> usize {
    lab.asked_of(port, |request| matches!(request, Request::Publish(_)))
}

fn in_file(lab: &Lab) -> Vec<String> {
    lab.saved.masters[0].peers.iter().map(|peer| peer.run_id.to_string()).collect()
}

#[test]
fn who_was_just_forgotten_still_has_a_vote() {
    // A quorum of one: the majority alone stands between a Sentinel that has forgotten all others and the leadership.
    let mut lab = lab_with(1, 4, |settings| settings.masters[0].quorum = 1);
    lab.run(3_000);
    lab.kill(6000);
    reset(&mut lab);
    let at = lab.now / 1_000_000;
    assert_eq!(peers(&mut lab), [""; 0]);
    lab.until("+try-failover", 2_000);
    lab.run(at + 5_999 - lab.now / 1_000_000);
    assert_eq!(lab.count("+elected-leader"), 0, "{}", lab.history());
    lab.until("-failover-abort-not-elected", 10_000);
    assert_eq!(
        lab.count("+elected-leader"),
        0,
        "who could vote when it began could to the end: {}",
        lab.history()
    );
    lab.until("+elected-leader", 2_000);
    assert_eq!(
        lab.count("+try-failover"),
        2,
        "three periods of silence are enough for the next: {}",
        lab.history()
    );
}

#[test]
fn the_votes_that_an_election_needs_only_grow() {
    // Two of five vote for us, and three are needed, whoever is forgotten meanwhile.
    let mut lab = lab_with(1, 4, |settings| settings.masters[0].quorum = 1);
    for port in [5003, 5004] {
        lab.stub(port).vote = crate::stub::Vote::Refuses;
    }
    lab.stub(5002).vote = crate::stub::Vote::Refuses;
    lab.run(3_000);
    lab.kill(6000);
    reset(&mut lab);
    lab.hello(1, 0, 6000, 0);
    let tried = lab.until("+try-failover", 2_000);
    lab.run(3_000);
    assert_eq!(lab.count("+elected-leader"), 0, "two of five: {}", lab.history());
    lab.run(6_800);
    assert_eq!(peers(&mut lab), [peer_id(1)]);
    assert_eq!(in_file(&lab).len(), 4, "nothing was saved since");
    assert_eq!(lab.count("+elected-leader"), 0, "two of two are not two of five: {}", lab.history());
    let over = lab.until("-failover-abort-not-elected", 1_000);
    assert_eq!(over - tried, 10_000);
    lab.until("+elected-leader", 2_000);
}

#[test]
fn peers_that_are_back_vote_again() {
    let mut lab = lab_with(1, 4, |settings| settings.masters[0].quorum = 1);
    lab.run(3_000);
    lab.kill(6000);
    reset(&mut lab);
    lab.hello(1, 0, 6000, 0);
    lab.until("+try-failover", 2_000);
    lab.run(1_000);
    assert_eq!(lab.count("+elected-leader"), 0, "two of five: {}", lab.history());
    lab.hello(2, 0, 6000, 0);
    lab.until("+elected-leader", 1_100);
}

#[test]
fn peers_hear_of_us_at_once_and_keep_their_connection() {
    let mut lab = lab(1, 2);
    lab.run(3_000);
    let before = lab.open(5001);
    reset(&mut lab);
    assert_eq!((hellos(&lab, 5001), hellos(&lab, 5002)), (1, 1));
    assert_eq!((lab.open(5001), peers(&mut lab).len()), (before.clone(), 0));
    lab.hello(1, 0, 6000, 0);
    assert_eq!(lab.count(&format!("+sentinel sentinel {} 127.0.0.1 5001", peer_id(1))), 1);
    assert_eq!((lab.open(5001), peers(&mut lab)), (before, vec![peer_id(1)]));
    lab.run(10_000);
    assert_eq!((lab.open(5001).len(), lab.open(5002).len()), (1, 0), "who stays away is forgotten");
    assert_eq!(lab.count("+sdown") + lab.count("-sdown"), 0, "{}", lab.history());
}

#[test]
fn a_replica_that_is_set_aside_and_promoted_meanwhile_is_the_master_only() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    // Neither says any more that it follows our master: it is not found again.
    lab.stub(6001).info = Some(master_info(6001, &[]));
    lab.stub(6000).info = Some(master_info(6000, &[6002]));
    reset(&mut lab);
    lab.run(100);
    assert_eq!((replicas(&mut lab), lab.open(6001).len()), (vec![6002], 2));
    // Its peers come back with the news.
    lab.hello(1, 4, 6001, 4);
    assert_eq!(lab.addresses[MASTER], Some(("127.0.0.1".into(), 6001)));
    for _ in 0..10 {
        assert_eq!(lab.open(6001).len(), 2, "requests and a subscription: {}", lab.history());
        lab.run(1_000);
    }
}

#[test]
fn a_hello_of_a_peer_is_answered_unless_ours_is_young() {
    for (age, answered) in [(1_000, 0), (1_001, 1)] {
        let mut lab = lab(1, 1);
        lab.hello(1, 0, 6000, 0);
        lab.run(3_000);
        // The last hello to it is this old.
        let last = lab
            .sent
            .iter()
            .rev()
            .find(|(_, to, request)| *to == 5001 && matches!(request, Request::Publish(_)));
        let last = last.expect("a hello").0 / 1_000_000;
        let now = lab.now / 1_000_000;
        lab.run((last + age).saturating_sub(now));
        assert_eq!(lab.now / 1_000_000, last + age);
        lab.mark();
        lab.hello(1, 0, 6000, 0);
        lab.hello(1, 0, 6000, 0);
        assert_eq!(hellos(&lab, 5001), answered, "{age} ms");
    }
}

#[test]
fn hellos_that_answer_each_other_are_not_more_of_them() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    lab.mark();
    for _ in 0..20 {
        lab.run(2_000);
        lab.hello(1, 0, 6000, 0);
    }
    assert!((19..=21).contains(&hellos(&lab, 5001)), "{}", hellos(&lab, 5001));
}

#[test]
fn a_peer_that_was_just_found_stays_in_the_file() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    let line =
        |number: u16| format!("127.0.0.1,{},{},0,{MASTER},127.0.0.1,6000,0", 5000 + number, peer_id(number));
    lab.hello_line(&line(2));
    reset(&mut lab);
    // Something else is saved.
    lab.vote(4, "somebody");
    assert_eq!(in_file(&lab), [peer_id(1), peer_id(2)]);
    lab.command(Command::Publish(Hello::parse(line(1).as_bytes())), &[]);
    assert_eq!(in_file(&lab), [peer_id(1), peer_id(2)], "once each");
    lab.run(6_100);
    lab.vote(5, "somebody");
    assert_eq!(in_file(&lab), [peer_id(1)], "for good: it was never heard of again");
}

#[test]
fn a_sentinel_that_took_over_the_address_of_another_replaces_it() {
    let mut lab = lab(1, 1);
    lab.run(3_000);
    reset(&mut lab);
    lab.hello_line(&format!("127.0.0.1,5001,{},0,{MASTER},127.0.0.1,6000,0", peer_id(9)));
    lab.vote(4, "somebody");
    assert_eq!(in_file(&lab), [peer_id(9)]);
}

#[test]
fn replicas_of_a_dead_master_come_back_by_their_own_word() {
    let mut lab = lab(5, 0);
    lab.run(3_000);
    lab.kill(6005);
    lab.stub(6002).info = Some(replica_info(6002, 6009, ""));
    lab.stub(6003).info = Some(master_info(6003, &[]));
    lab.stub(6004).mute = true;
    lab.kill(6000);
    reset(&mut lab);
    assert_eq!((replicas(&mut lab), lab.count("+slave")), (vec![6001], 1), "{}", lab.history());
    assert_eq!(lab.saved.masters[0].replicas.len(), 1, "and are written down");
    // One more finds its way in time.
    lab.stub(6005).up = true;
    lab.until("+slave slave 127.0.0.1:6005", 1_000);
    let events = lab.names();
    assert!(!events.contains(&"-role-change") && !events.contains(&"+convert-to-slave"), "{events:?}");
    lab.until("+switch-master", 3_000);
    lab.run(6_000);
    for port in [6002, 6003, 6004] {
        assert!(lab.open(port).is_empty(), "{port} is forgotten for good");
    }
}

#[test]
fn the_master_brings_its_replicas_back_as_ever() {
    let mut lab = lab(2, 0);
    lab.run(3_000);
    lab.stub(6001).mute = true;
    reset(&mut lab);
    assert_eq!(replicas(&mut lab), [6001, 6002]);
    assert_eq!(lab.count("+slave"), 2);
    lab.run(10_000);
    assert_eq!(lab.open(6001).len(), 2);
    assert_eq!(lab.count("+slave"), 2, "once each");
}

#[test]
fn another_reset_a_removal_and_a_switch_find_all_in_order() {
    let mut lab = lab(2, 2);
    lab.run(3_000);
    lab.stub(6001).mute = true;
    lab.kill(6000);
    reset(&mut lab);
    lab.run(4_000);
    reset(&mut lab);
    lab.run(4_000);
    assert!(!lab.open(5001).is_empty() && !lab.open(6001).is_empty(), "the time begins anew");
    lab.hello(1, 5, 6002, 5);
    assert_eq!(lab.count("+switch-master"), 1);
    lab.run(1_000);
    reset(&mut lab);
    lab.run(500);
    lab.ask(SentinelCommand::Remove(MASTER.into()));
    for port in [6000, 6001, 6002, 5001, 5002] {
        assert!(lab.open(port).is_empty(), "{port}");
    }
    lab.mark();
    lab.run(10_000);
    assert!(lab.connects.is_empty() && lab.sent.is_empty(), "{:?}", lab.connects);
}

#[test]
fn a_freeze_does_not_use_the_time_up() {
    let mut lab = lab_with(1, 4, |settings| settings.masters[0].quorum = 1);
    lab.run(3_000);
    lab.kill(6000);
    reset(&mut lab);
    lab.freeze(60_000);
    lab.run(5_000);
    assert_eq!(lab.count("+elected-leader"), 0, "{}", lab.history());
}
