//! Many at once: masters that die together, answers that take their time, more peers than there can be (spec 2 §1.8, §7.3).

use std::collections::BTreeMap;

use sentineld::conf::KnownPeer;
use sentineld::engine::Input;
use sentineld::model::MasterName;
use sentineld::wire::Request;

use crate::lab::{Lab, lab, lab_with};
use crate::stub::{master_info, peer_id};

/// Questions about masters to one peer: when (in milliseconds) and about which port.
fn questions(lab: &Lab, port: u16) -> Vec<(u64, u16)> {
    let mine = lab.sent.iter().filter(|(_, to, _)| *to == port);
    let asks = mine.filter_map(|(at, _, request)| match request {
        Request::IsMasterDown { port, .. } => Some((at / 1_000_000, *port)),
        _ => None,
    });
    asks.collect()
}

fn answer_all(lab: &mut Lab) {
    for (conn, tag, reply) in std::mem::take(&mut lab.unanswered) {
        lab.feed(Input::Reply(conn, tag, reply));
    }
}

#[test]
fn of_many_masters_that_die_together_those_are_asked_about_first_that_are_ours_to_lead() {
    const COUNT: u16 = 200;
    let mut lab = lab_with(0, 4, |settings| {
        for number in 1..COUNT {
            let mut other = settings.masters[0].clone();
            other.name = MasterName::from(format!("m{number}"));
            other.port = 7000 + number;
            settings.masters.push(other);
        }
    });
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    let at_once: Vec<u16> = questions(&lab, 5001).into_iter().map(|(_, port)| port).collect();
    assert!((20..100).contains(&at_once.len()), "{} of {COUNT}, when there are five of us", at_once.len());
    lab.run(2_000);
    let mut asked: BTreeMap<u16, usize> = BTreeMap::new();
    for (_, port) in questions(&lab, 5001) {
        *asked.entry(port).or_default() += 1;
    }
    assert_eq!(asked.len(), usize::from(COUNT), "but in the end about each");
}

#[test]
fn few_masters_are_asked_about_at_once() {
    let mut lab = lab(1, 4);
    lab.run(3_000);
    lab.mark();
    lab.kill(6000);
    let down = lab.until("+sdown master", 1_100);
    for port in 5001..=5004 {
        assert_eq!(questions(&lab, port).first(), Some(&(down, 6000)));
    }
}

#[test]
fn a_question_that_is_on_its_way_is_not_asked_again_before_it_could_be_answered() {
    let mut lab = lab_with(1, 1, |settings| {
        settings.masters[0].down_after = std::time::Duration::from_secs(60);
        settings.masters[0].quorum = 2;
    });
    lab.run(3_000);
    lab.kill(6000);
    lab.run(60_000);
    lab.stub(5001).mute = true;
    lab.until("+sdown master", 1_100);
    // The first answer takes two and a half seconds, and so the next may.
    lab.sent.clear();
    lab.run(2_500);
    lab.stub(5001).mute = false;
    lab.sent.clear();
    answer_all(&mut lab);
    let asked = lab.now / 1_000_000;
    lab.run(10_000);
    let times: Vec<u64> = questions(&lab, 5001).iter().map(|(at, _)| at - asked).collect();
    assert!(times[0] >= 1_250, "{times:?}");
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] <= 3_000),
        "never more seldom than opinions live: {times:?}"
    );
    assert!(
        times.windows(2).last().is_some_and(|pair| pair[1] - pair[0] <= 1_100),
        "and soon as usual: {times:?}"
    );
}

#[test]
fn being_asked_makes_no_second_question_while_the_first_is_not_answered() {
    let mut lab = lab(1, 2);
    lab.run(3_000);
    lab.stub(5001).mute = true;
    lab.mark();
    lab.kill(6000);
    lab.until("+sdown master", 1_100);
    assert_eq!(questions(&lab, 5001).len(), 1);
    lab.vote(0, "*");
    assert_eq!(questions(&lab, 5001).len(), 1, "its answer may be on its way");
    lab.stub(5001).mute = false;
    answer_all(&mut lab);
    assert_eq!(questions(&lab, 5001).len(), 2, "it was `not down`, and it is asked again at once");
}

/// When we stand for election after the master went down, with every answer taking so long, for each of several ids of ours.
fn stands_after(slow: u64) -> Vec<u64> {
    let mut found: Vec<u64> =
        (0..16).map(|number| stands_after_with(slow, &format!("{number:040}a"))).collect();
    found.sort_unstable();
    found
}

fn stands_after_with(slow: u64, my_id: &str) -> u64 {
    let mut lab = lab_with(1, 4, |settings| {
        settings.sentinel.my_id = Some(my_id.into());
        settings.masters[0].quorum = 1;
        settings.masters[0].down_after = std::time::Duration::from_secs(30);
    });
    lab.run(3_000);
    lab.kill(6000);
    lab.run(29_000);
    (5001..=5004).for_each(|port| lab.stub(port).mute = slow > 0);
    let down = lab.until("+sdown master", 1_100);
    while lab.count("+try-failover") == 0 {
        lab.run(slow.max(5));
        answer_all(&mut lab);
        assert!(lab.now / 1_000_000 < down + 10_000, "{}", lab.history());
    }
    lab.until("+try-failover", 1) - down
}

#[test]
fn lower_ranks_hold_back_for_as_long_as_a_request_takes() {
    let quick = stands_after(0);
    assert!(quick.iter().all(|after| after % 75 == 0 && *after <= 300), "{quick:?}");
    let slow = stands_after(400);
    for (quick, slow) in quick.iter().zip(&slow) {
        let rank = quick / 75;
        assert!((rank * 400..=rank * 800 + 400).contains(slow), "rank {rank}: {slow} ms");
    }
    assert!(quick[0] == 0 && quick[15] >= 150, "of all kinds: {quick:?}");
}

#[test]
fn there_is_an_end_to_peers_and_to_replicas() {
    let mut lab = lab_with(0, 0, |settings| {
        settings.masters[0].peers = (1..1_000)
            .map(|number| KnownPeer {
                run_id: peer_id(number).into(),
                host: "127.0.0.2".into(),
                port: number,
            })
            .collect();
        settings.masters[0].replicas = (1..1_000).map(|port| ("127.0.0.3".to_owned(), port)).collect();
    });
    lab.mark();
    for number in 2_001..2_004 {
        lab.hello(number, 0, 6000, 0);
    }
    assert_eq!(lab.saved.masters[0].peers.len(), 1_000);
    lab.stub(6000).info = Some(master_info(6000, &[6001, 6002, 6003]));
    lab.cut(6000, None);
    lab.run(100);
    assert_eq!(lab.saved.masters[0].replicas.len(), 1_000);
    for what in ["other Sentinels", "replicas"] {
        let text = format!("log: More than 1000 {what} are named for 'mymaster'");
        assert_eq!(lab.count(&text), 1, "{what}");
    }
}
