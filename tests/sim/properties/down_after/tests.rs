//! Histories that the property passes, and others that it objects to.

use super::*;
use crate::properties::stage::*;

fn started() -> Stage<DownAfter> {
    let mut stage = Stage::new(DownAfter::default());
    stage.file().down_after = std::time::Duration::from_secs(1);
    stage.fine(Seen::Started);
    stage
}

#[test]
fn silence_for_down_after_is_fine() {
    let mut stage = started();
    stage.at(500).fine(ping(1, PingReply::Pong)).at(1_500).says("+sdown", &of_master(1));
    stage.says("+sdown", &of_replica(2, 1)).at(1_600).fine(ping(1, PingReply::Loading));
    stage.says("-sdown", &of_master(1));
}

#[test]
fn less_is_not() {
    let mut stage = started();
    stage.at(999).wrong(notice("+sdown", &of_master(1))).at(1_000).fine(ping(1, PingReply::Pong));
    stage.fine(ping(1, PingReply::Busy)).at(1_999).wrong(notice("+sdown", &of_master(1)));
    stage.fine(ordered("SENTINEL SET m down-after-milliseconds 900")).says("+sdown", &of_master(1));
}

#[test]
fn a_new_master_has_it_from_the_first_connection() {
    let mut stage = started();
    stage.at(5_000).fine(switched(1, 2)).at(5_400).fine(linked(server(2)));
    stage.at(6_399).wrong(notice("+sdown", &of_master(2))).at(6_400).says("+sdown", &of_master(2));
}

#[test]
fn an_attempt_in_vain_starts_the_clock_too() {
    let mut stage = started();
    stage.at(5_000).fine(switched(1, 2)).fine(broken(server(2))).at(5_400).fine(broken(server(2)));
    stage.at(5_900).fine(linked(server(2)));
    stage.at(6_399).wrong(notice("+sdown", &of_master(2))).at(6_400).says("+sdown", &of_master(2));
}

#[test]
fn a_freeze_takes_nothing_of_the_time_until_the_first_connection() {
    for (from, silence) in [(5_200, 2_200), (7_001, 1_000)] {
        let mut stage = started();
        stage.at(5_000).fine(switched(1, 2)).at(from).fine(Seen::Paused);
        stage.at(20_000).fine(Seen::Resumed).at(21_200).fine(linked(server(2)));
        stage.at(20_000 + silence - 1);
        stage.wrong(notice("+sdown", &of_master(2))).at(20_000 + silence).says("+sdown", &of_master(2));
    }
}

#[test]
fn who_stood_still_itself_does_not_count_that() {
    let mut stage = started();
    let pause = |stage: &mut Stage<DownAfter>, from: u64, until: u64| {
        stage.at(from).fine(Seen::Paused).at(until).fine(Seen::Resumed);
    };
    stage.at(500).fine(ping(1, PingReply::Pong));
    pause(&mut stage, 600, 1_800);
    stage.at(2_699).wrong(notice("+sdown", &of_master(1)));
    // Two seconds in all of one silence, of which 1,200 ms are gone; a fifth of a second is no pause.
    pause(&mut stage, 2_699, 3_699);
    stage.at(3_699).says("+sdown", &of_master(1)).fine(ping(1, PingReply::Pong));
    pause(&mut stage, 3_700, 3_900);
    stage.at(4_698).wrong(notice("+sdown", &of_master(1))).at(4_699).says("+sdown", &of_master(1));
    // Afterwards everybody has all of it again.
    stage.at(5_000).fine(ping(1, PingReply::Pong)).says("-sdown", &of_master(1));
    pause(&mut stage, 5_900, 9_000);
    pause(&mut stage, 9_100, 11_100);
    stage.at(11_999).wrong(notice("+sdown", &of_master(1))).at(12_000).says("+sdown", &of_master(1));
}

#[test]
fn what_was_asked_before_a_freeze_is_not_answered_after_it() {
    let mut stage = started();
    stage.fine(Seen::Paused).at(5_000).fine(Seen::Resumed).says("+tilt", "#tilt mode entered");
    stage.at(5_500).fine(ping_of(4_999_999_999, 1, PingReply::Pong));
    stage.at(5_999).wrong(notice("+sdown", &of_master(1))).at(6_000).says("+sdown", &of_master(1));
    stage.fine(ping_of(4_999_999_999, 1, PingReply::Pong)).wrong(notice("-sdown", &of_master(1)));
    stage.at(6_000).says("+sdown", &of_master(1)).fine(ping_of(5_000_000_000, 1, PingReply::Pong));
    stage.says("-sdown", &of_master(1)).at(6_999).wrong(notice("+sdown", &of_master(1)));
}

#[test]
fn nor_is_what_was_down_alive_by_that() {
    let mut stage = started();
    stage.at(1_000).says("+sdown", &of_master(1)).fine(Seen::Paused).at(2_000).fine(Seen::Resumed);
    stage.wrong(notice("-sdown", &of_master(1)));
}

#[test]
fn one_address_has_one_sentinel() {
    let mut stage = started();
    let peer =
        |number: usize| format!("sentinel {} {} 26379 @ {NAME} 10.0.0.1 6379", id(number), sentinel(1).ip());
    stage.at(999).wrong(notice("+sdown", &peer(1))).says("+sentinel", &peer(7));
    stage.fine(notice("+sdown", &peer(1))).says("+sentinel-invalid-addr", &peer(7));
    stage.wrong(notice("+sdown", &peer(1)));
    // What the one answered is not held against the other when that one is gone.
    stage.says("+sentinel", &peer(7)).at(1_500).fine(opinion(1, false));
    stage.says("+sentinel-invalid-addr", &peer(7)).at(1_999).says("+sdown", &peer(1));
    stage.fine(opinion(1, false)).says("-sdown", &peer(1)).at(2_998);
    stage.wrong(notice("+sdown", &peer(1)));
}

#[test]
fn a_leader_knows_whom_it_promoted() {
    let mut stage = started();
    stage.at(900).fine(ping(2, PingReply::Pong)).says("+promoted-slave", &of_replica(2, 1));
    stage.fine(switched(1, 2)).at(1_500).fine(linked(server(2)));
    stage.at(1_899).wrong(notice("+sdown", &of_replica(2, 1))).at(1_900).says("+sdown", &of_replica(2, 1));
    stage.says("+failover-end", &of_master(1)).at(2_000).fine(linked(server(2)));
    stage.at(2_999).wrong(notice("+sdown", &of_master(2))).at(3_000).says("+sdown", &of_master(2));
}

#[test]
fn a_replica_that_is_set_aside_is_watched() {
    let mut stage = started();
    stage.says("+slave", &of_replica(2, 1)).at(1_000).says("+sdown", &of_replica(2, 1));
    stage.says("+reset-master", &of_master(1)).at(1_999).says("+slave", &of_replica(2, 1));
    stage.wrong(notice("+sdown", &of_replica(2, 1))).at(2_000).says("+sdown", &of_replica(2, 1));
    stage.says("+reset-master", &of_master(1)).at(8_000).says("+slave", &of_replica(2, 1));
    stage.at(8_999).wrong(notice("+sdown", &of_replica(2, 1)));
}

#[test]
fn only_an_answer_brings_it_back() {
    let mut stage = started();
    stage.at(1_000).says("+sdown", &of_master(1)).at(1_100).fine(linked(server(1)));
    stage.fine(ping(1, PingReply::Other("NOAUTH".into()))).wrong(notice("-sdown", &of_master(1)));
}

#[test]
fn a_master_that_calls_itself_a_replica_is_down_for_another_reason() {
    let mut stage = started();
    stage.at(900).fine(ping(1, PingReply::Pong)).fine(info(1, "role:slave;"));
    stage.says("+sdown", &of_master(1)).fine(info(1, "role:master;")).says("-sdown", &of_master(1));
}
