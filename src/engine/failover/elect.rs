//! From objectively down to elected (spec 2 §8.3, §8.4).
//!
//! All Sentinels notice a crash within milliseconds of each other, so all would stand for election at once and split the votes.
//! Differs: they are ranked for each master, and each holds back in proportion to its rank; an election that nobody can win any more is
//! repeated in a fresh epoch after a short random pause. The reference needs neither, because it waits up to a second anyway.

use std::time::Duration;

use super::{Failover, abort, wait};
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::election::{self, tally};
use crate::engine::fleet::Fleet;
use crate::engine::notice::Level;
use crate::engine::probe;
use crate::engine::tag::Entity;
use crate::model::{Epoch, Instant, MasterId};

/// How long each rank waits for the one before it.
const HOLD_BACK: Duration = Duration::from_millis(75);
/// The first pause after an election that was lost; doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a fresh epoch is this long, and up to as long again.
const RETRY_PAUSE_MS: u64 = 250;

/// Starts a failover when the master is objectively down, none is in progress, the last one is long ago, and it is our turn.
pub fn start_step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let master = &mut fleet.masters[id];
    if !master.instance.s_down {
        master.backoff.reset();
    }
    if !master.o_down {
        master.eligible_since = None;
        return None;
    }
    if let Some(due) = wait::not_before(fleet, cx, id) {
        fleet.masters[id].eligible_since = None;
        wait::log_delay(fleet, cx, id, due);
        return Some(due);
    }
    let master = &mut fleet.masters[id];
    let since = *master.eligible_since.get_or_insert(now);
    let rank = u32::try_from(election::rank(fleet, cx, id)).unwrap_or(u32::MAX);
    let turn = since + HOLD_BACK.saturating_mul(rank);
    if now < turn {
        return Some(turn);
    }
    start(fleet, cx, id, false);
    None
}

/// Stands for election in a fresh epoch, and votes for ourselves in it.
pub fn start(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, forced: bool) {
    let now = cx.mono();
    let epoch = fresh_epoch(fleet, cx, id);
    fleet.announce(cx, Level::Warning, "+try-failover", Entity::Master(id), "");
    let desync = cx.random_millis(1_000);
    let pause = pause(cx);
    let master = &mut fleet.masters[id];
    master.failover_started_at = Some(now + desync);
    master.retry_at = None;
    master.lacked_votes = false;
    master.fruitless = None;
    master.eligible_since = None;
    master.failover = Failover::Electing { epoch, started_at: now, asked_at: now, pause, forced };
    vote_for_ourselves(fleet, cx, id, epoch);
}

/// Begins an epoch that nobody has stood in.
fn fresh_epoch(fleet: &Fleet, cx: &mut Cx, id: MasterId) -> Epoch {
    let epoch = cx.globals.current_epoch.next();
    cx.observe_epoch(epoch);
    let notice = fleet.warning(cx, id, "+new-epoch", epoch.to_string());
    cx.outbox.push(Action::Publish(notice));
    epoch
}

/// Casts our own vote, and has the replicas asked for what the selection will need while that is being saved.
fn vote_for_ourselves(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, epoch: Epoch) {
    let me = cx.globals.my_id.clone();
    election::cast(fleet, cx, id, epoch, &me);
    probe::ask_all_info(fleet, cx, id);
    cx.touch_master(id);
}

fn pause(cx: &mut Cx) -> Duration {
    Duration::from_millis(RETRY_PAUSE_MS) + cx.random_millis(RETRY_PAUSE_MS)
}

/// Elected, given up, or tried again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let now = cx.mono();
    let master = &fleet.masters[id];
    let Failover::Electing { epoch, started_at, asked_at, pause, forced } = master.failover else {
        return None;
    };
    if !cx.outbox.is_durable(master.ballot.revision) {
        // Our own vote, and the epoch, are not on disk yet: nothing may rest on them.
        return abort_when_late(fleet, cx, id, started_at);
    }
    let votes = tally(fleet, cx, id, epoch);
    let needed = master.votes_needed();
    if forced || votes.ours >= needed {
        elected(fleet, cx, id);
        return None;
    }
    let late = abort_when_late(fleet, cx, id, started_at)?;
    let hopeless = votes.ours + votes.unknown < needed && votes.best_other + votes.unknown < needed;
    // Who has voted for another in a later epoch leaves the field to it, and a fresh epoch is of no use without enough voters.
    let overtaken = fleet.masters[id].ballot.epoch > epoch;
    if !hopeless || overtaken || votes.reachable < needed {
        return Some(late);
    }
    let retry = asked_at + pause;
    if now < retry {
        return Some(retry.min(late));
    }
    try_again(fleet, cx, id);
    Some(late)
}

/// A split vote: nobody can win this epoch any more.
fn try_again(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let epoch = fresh_epoch(fleet, cx, id);
    let (now, next_pause) = (cx.mono(), pause(cx));
    if let Failover::Electing { epoch: slot, asked_at, pause, .. } = &mut fleet.masters[id].failover {
        (*slot, *asked_at, *pause) = (epoch, now, next_pause);
    }
    vote_for_ourselves(fleet, cx, id, epoch);
}

/// Gives up when the election takes too long; else, when that will be.
fn abort_when_late(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, started_at: Instant) -> Option<Instant> {
    let limit = cx.globals.tunables.election_timeout.min(fleet.masters[id].settings.failover_timeout);
    let deadline = started_at + limit;
    if cx.mono() <= deadline {
        return Some(deadline + Duration::from_nanos(1));
    }
    abort(fleet, cx, id, "-failover-abort-not-elected", Some(FIRST_PAUSE));
    fleet.masters[id].lacked_votes = true;
    None
}

fn elected(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let Failover::Electing { epoch, forced, .. } = fleet.masters[id].failover else { return };
    fleet.announce(cx, Level::Warning, "+elected-leader", Entity::Master(id), "");
    if cx.globals.simulate.after_election {
        crash(cx);
    }
    fleet.announce(cx, Level::Warning, "+failover-state-select-slave", Entity::Master(id), "");
    fleet.masters[id].failover = Failover::Selecting { epoch, since: cx.mono(), forced, refused: Vec::new() };
}

/// Ends the process as SENTINEL SIMULATE-FAILURE asked (spec 2 §13).
pub fn crash(cx: &mut Cx) {
    cx.log(Level::Warning, "Sentinel CRASH because of SENTINEL simulate-failure".to_owned());
    cx.outbox.push(Action::Crash(99));
}
