//! Servers that live, but do not let us in: shown as down, never failed over for that (spec 2 §4.2, §7.2, §14.3).

use sentineld::engine::ConnKind;
use sentineld::wire::{Answer, PingReply, SentinelCommand};

use crate::lab::{Lab, MASTER, lab_with};
use crate::stub::{Vote, replica_info};

/// A master that begins to answer like this, and peers who hold it for down.
fn answers(reply: PingReply) -> Lab {
    let mut lab = lab_with(1, 2, |settings| settings.masters[0].quorum = 2);
    for port in [5001, 5002] {
        lab.stub(port).down = true;
        lab.stub(port).vote = Vote::Refuses;
    }
    lab.run(3_000);
    lab.mark();
    lab.stub(6000).ping = reply;
    lab.until("+sdown master", 3_000);
    lab
}

fn denial(code: &str) -> PingReply {
    PingReply::Other(format!("{code} Authentication required."))
}

fn flags(lab: &mut Lab) -> Vec<&'static str> {
    let Answer::Master(view) = lab.ask(SentinelCommand::Master(MASTER.into())) else { panic!("a master") };
    view.instance.flags
}

#[test]
fn a_denial_is_no_death() {
    for code in ["NOAUTH", "WRONGPASS", "NOPERM"] {
        let mut lab = answers(denial(code));
        lab.run(60_000);
        assert_eq!(lab.count("+odown") + lab.count("+try-failover"), 0, "{}", lab.history());
        assert_eq!(flags(&mut lab), ["s_down", "master"], "operators know it so");
        assert_eq!(lab.vote(0, "*"), Some((false, None, 0)), "and peers are not misled");
        lab.stub(6000).ping = PingReply::Pong;
        lab.until("-sdown master", 1_100);
    }
}

#[test]
fn other_errors_are_what_they_were() {
    for reply in [PingReply::Busy, PingReply::Other("MISCONF".into()), PingReply::Other("NOAUTHX".into())] {
        let mut lab = answers(reply.clone());
        lab.until("+odown", 1);
        assert_eq!(lab.vote(0, "*"), Some((true, None, 0)), "{reply:?}");
    }
}

#[test]
fn one_that_dies_afterwards_counts_from_then() {
    let mut lab = answers(denial("NOAUTH"));
    lab.run(10_200);
    let died = lab.now / 1_000_000;
    lab.kill(6000);
    lab.run(1_000);
    assert_eq!((lab.count("+odown"), lab.vote(0, "*")), (0, Some((false, None, 0))));
    lab.run(1);
    assert_eq!((lab.count("+odown"), lab.vote(0, "*")), (1, Some((true, None, 0))));
    assert_eq!(lab.until("+odown", 1) - died, 1_000);
}

#[test]
fn one_that_falls_silent_counts_from_the_first_unanswered_ping() {
    let mut lab = answers(denial("NOAUTH"));
    lab.run(10_000);
    let silent = lab.now / 1_000_000;
    lab.stub(6000).mute = true;
    let down = lab.until("+odown", 2_100) - silent;
    assert!((1_000..=2_000).contains(&down), "{down} ms");
    lab.stub(6000).mute = false;
    lab.until("-odown", 600);
    assert_eq!(lab.count("-sdown"), 0);
}

#[test]
fn one_that_cuts_us_off_and_denies_us_again_lives() {
    let mut lab = answers(denial("NOAUTH"));
    for _ in 0..20 {
        lab.cut(6000, None);
        lab.run(700);
    }
    assert_eq!(lab.count("+odown"), 0, "{}", lab.history());
    // New credentials lead nowhere: an attempt to connect that hangs is silence, too.
    lab.stub(6000).void = true;
    let words = vec![b"auth-pass".to_vec(), b"x".to_vec()];
    lab.ask(SentinelCommand::Set { name: MASTER.into(), words });
    lab.until("+odown", 1_100);
}

#[test]
fn a_dead_master_that_comes_back_shut_is_not_failed_over() {
    let mut lab = answers(PingReply::Other("MISCONF".into()));
    lab.until("+odown", 1);
    lab.stub(6000).ping = denial("WRONGPASS");
    lab.until("-odown", 1_100);
    lab.run(30_000);
    assert_eq!((lab.count("+odown"), lab.count("-sdown")), (1, 0), "{}", lab.history());
}

#[test]
fn the_log_says_what_to_do_once() {
    let mut lab = answers(denial("WRONGPASS"));
    lab.stub(6001).ping = denial("NOPERM");
    lab.stub(5001).ping = denial("NOAUTH");
    lab.run(30_000);
    let said = |lab: &Lab, what: &str| lab.seen().iter().filter(|line| line.contains(what)).count();
    let master = "Denied by master mymaster 127.0.0.1 6000: WRONGPASS Authentication required. (it is alive: set \
                  auth-pass, and auth-user if need be, by SENTINEL SET mymaster)";
    assert_eq!(said(&lab, master), 1, "{}", lab.history());
    assert_eq!(said(&lab, "NOPERM Authentication required. (it is alive: allow that to the user"), 1);
    assert_eq!(said(&lab, "(it is alive: set sentinel-pass by SENTINEL CONFIG SET)"), 1);
}

#[test]
fn a_failover_by_hand_is_still_possible() {
    let mut lab = answers(denial("NOAUTH"));
    lab.stub(6001).info = Some(replica_info(6001, 6000, ""));
    lab.run(11_000);
    assert_eq!(lab.ask(SentinelCommand::Failover(MASTER.into())), Answer::Ok);
    lab.until("+switch-master", 5_000);
}

#[test]
fn who_was_not_let_in_tries_again_on_another_connection() {
    let mut lab = answers(denial("NOAUTH"));
    let logins = |lab: &Lab| {
        lab.connects.iter().filter(|(_, to, kind)| *to == 6000 && *kind == ConnKind::Command).count()
    };
    let before = logins(&lab);
    lab.run(50_000);
    // Three times in 50 s, 15 s after each; the subscription is none of this.
    let again = logins(&lab) - before;
    assert!((3..=4).contains(&again), "{again}: {}", lab.history());
    assert_eq!(lab.count("+odown"), 0, "{}", lab.history());
}
