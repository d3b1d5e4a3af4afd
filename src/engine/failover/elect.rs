//! From objectively down to elected (spec 2 §8.3, §8.4), and an operator's failover (§9.10).
//!
//! All Sentinels notice a crash within milliseconds of each other, so all would stand for election at once and split the votes.
//! Differs: they are ranked for each master, and each holds back in proportion to its rank; an election that nobody can win any more is
//! repeated in a fresh epoch after a short random pause. The reference needs neither, because it waits up to a second anyway.
//!
//! Invariant: nothing is promoted in an epoch in which our own vote is not on disk, or is not ours.

use std::time::Duration;

use super::{Failover, abort, wait};
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::election::{self, Tally, tally};
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::master::Won;
use crate::engine::notice::Level;
use crate::engine::probe;
use crate::engine::tag::Entity;
use crate::model::{Epoch, Instant, MasterId};

/// The pause before a fresh epoch is this long, and up to as long again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// At most, however slowly answers come.
const LONGEST_RETRY_PAUSE: Duration = Duration::from_millis(900);
/// How long an operator's failover waits for votes.
const FORCE_WAIT: Duration = Duration::from_millis(1_000);
/// How far ahead an epoch may be that is taken by an operator's word alone.
const FORCE_JUMP: u64 = 65_534;

/// Whether an operator wants a failover, and how far it is with the votes.
///
/// Differs: the reference takes the next epoch without asking anybody, and so may another Sentinel at the same time (spec 2 §9.10). Here
/// the others are asked. If that brings no majority it goes on all the same, but in an epoch that nobody else is likely to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// None does.
    No,
    /// The others are asked.
    Asking {
        /// A later vote was heard of: this is the second epoch.
        again: bool,
    },
    /// By the operator's word alone.
    ByWord,
}

impl Force {
    /// True if others are asked for their votes.
    pub fn asks(self) -> bool {
        self != Force::ByWord
    }
}

/// Starts a failover when the master is objectively down, none is in progress, nothing speaks for waiting, and it is our turn.
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
        wait::log_delay(fleet, cx, id);
        return Some(due);
    }
    let since = fleet.masters[id].eligible_since;
    let known = since.map_or(now, |_| fleet.masters[id].turn_at);
    let turn = known.max(since.unwrap_or(now) + election::hold_back(fleet, cx, id));
    let master = &mut fleet.masters[id];
    (master.eligible_since, master.turn_at) = (Some(since.unwrap_or(now)), turn);
    if now < turn {
        return Some(turn);
    }
    start(fleet, cx, id, Force::No);
    None
}

/// Stands for election, and votes for ourselves.
pub fn start(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, force: Force) {
    let now = cx.mono();
    let floor = if force == Force::No { cx.election_floor() } else { cx.globals.current_epoch.next() };
    let epoch = stand(fleet, cx, id, floor, force);
    fleet.announce(cx, Level::Warning, "+try-failover", Entity::Master(id), "");
    let desync = cx.random_millis(1_000);
    let pause = pause(cx);
    let master = &mut fleet.masters[id];
    master.failover_started_at = Some(now + desync);
    master.retry_at = None;
    master.lacked_votes = false;
    master.fruitless = None;
    master.eligible_since = None;
    let voters = master.voters();
    master.failover = Failover::Electing { epoch, started_at: now, asked_at: now, pause, voters, force };
    // The replicas are asked more often from now on; an operator's failover comes to a master that is well.
    probe::touch_replicas(fleet, cx, id);
    vote_for_ourselves(fleet, cx, id, epoch);
}

/// Takes an epoch, `floor` or later, that no vote of ours and no configuration of this master belongs to.
///
/// One that is taken by an operator's word alone serves no other master: nobody was asked for a vote in it, so others who came to know it as
/// a young epoch could be elected in it for this master.
fn stand(fleet: &Fleet, cx: &mut Cx, id: MasterId, floor: Epoch, force: Force) -> Epoch {
    let master = &fleet.masters[id];
    let epoch = floor.max(master.ballot.epoch.next()).max(master.config_epoch.next());
    if cx.observe_epoch(epoch).is_some() {
        if force.asks() {
            cx.share_epoch();
        }
        let notice = fleet.warning(cx, id, "+new-epoch", epoch.to_string());
        cx.outbox.push(Action::Publish(notice));
    }
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
    let pause = RETRY_PAUSE.max(cx.pace.pause(cx.mono())).min(LONGEST_RETRY_PAUSE);
    pause + cx.random_millis(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX))
}

/// Elected, given up, or tried again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let count = fleet.masters[id].voters();
    if let Failover::Electing { voters, .. } = &mut fleet.masters[id].failover {
        *voters = count.max(*voters);
    }
    let master = &fleet.masters[id];
    let Failover::Electing { epoch, started_at, asked_at, force, .. } = master.failover else {
        return None;
    };
    if !cx.outbox.is_durable(master.ballot.revision) {
        // Our own vote, and the epoch, are not on disk yet: nothing may rest on them.
        return abort_when_late(fleet, cx, id, started_at);
    }
    if asked_at < cx.thawed_at && !cx.holes.has(Hole::KeepsLostMandate) {
        // What was asked before a freeze of ours was answered for a time that is over.
        let floor = cx.election_floor().max(epoch.next());
        stand_again(fleet, cx, id, floor, force);
        return abort_when_late(fleet, cx, id, started_at);
    }
    let votes = tally(fleet, cx, id, epoch);
    match force {
        Force::No => contest(fleet, cx, id, &votes),
        Force::ByWord => {
            elected(fleet, cx, id, &votes);
            None
        }
        Force::Asking { again } => insist(fleet, cx, id, again, &votes),
    }
}

/// An election like any other.
fn contest(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, votes: &Tally) -> Option<Instant> {
    let now = cx.mono();
    let master = &fleet.masters[id];
    let Failover::Electing { epoch, started_at, asked_at, pause, voters, .. } = master.failover else {
        return None;
    };
    let needed = master.votes_needed_of(voters);
    if votes.ours >= needed {
        elected(fleet, cx, id, votes);
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
    let floor = cx.election_floor().max(epoch.next());
    stand_again(fleet, cx, id, floor, Force::No);
    Some(late)
}

/// An operator's failover: with a majority if it can be had, and without if not.
fn insist(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, again: bool, votes: &Tally) -> Option<Instant> {
    let now = cx.mono();
    let master = &fleet.masters[id];
    let Failover::Electing { asked_at, voters, .. } = master.failover else { return None };
    let majority = voters / 2 + 1;
    if votes.ours >= majority || cx.holes.has(Hole::ForcedWithoutVotes) {
        elected(fleet, cx, id, votes);
        return None;
    }
    let current = cx.globals.current_epoch;
    if let Some(later) = votes.overtaken_by.filter(|_| !again) {
        stand_again(fleet, cx, id, current.max(later).next(), Force::Asking { again: true });
        return None;
    }
    let deadline = asked_at + FORCE_WAIT;
    if votes.unknown > 0 && votes.ours + votes.unknown >= majority && now < deadline {
        return Some(deadline);
    }
    let jump = 2 + cx.random_below(FORCE_JUMP);
    cx.log(
        Level::Warning,
        format!(
            "The failover of '{}' goes on by the operator's word alone: {} of {majority} votes",
            fleet.masters[id].name, votes.ours
        ),
    );
    stand_again(fleet, cx, id, Epoch(current.0.saturating_add(jump)), Force::ByWord);
    None
}

/// Nobody can win this epoch any more, or nobody need: another one.
fn stand_again(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, floor: Epoch, force: Force) {
    let epoch = stand(fleet, cx, id, floor, force);
    let (now, next_pause) = (cx.mono(), pause(cx));
    if let Failover::Electing { epoch: slot, asked_at, pause, force: slot_of_force, .. } =
        &mut fleet.masters[id].failover
    {
        (*slot, *asked_at, *pause, *slot_of_force) = (epoch, now, next_pause, force);
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
    abort(fleet, cx, id, "-failover-abort-not-elected", Some(wait::FIRST_PAUSE));
    fleet.masters[id].lacked_votes = true;
    None
}

fn elected(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, votes: &Tally) {
    let Failover::Electing { epoch, asked_at, force, .. } = fleet.masters[id].failover else { return };
    fleet.announce(cx, Level::Warning, "+elected-leader", Entity::Master(id), "");
    if cx.globals.simulate.after_election {
        crash(cx);
    }
    fleet.announce(cx, Level::Warning, "+failover-state-select-slave", Entity::Master(id), "");
    let (since, forced) = (cx.mono(), force != Force::No);
    let master = &mut fleet.masters[id];
    // Who voted for us leaves us alone from its vote on, which is no earlier than this.
    master.won = Some(Won { stood_at: asked_at, votes: votes.ours });
    master.failover = Failover::Selecting { epoch, since, forced, refused: Vec::new() };
}

/// Ends the process as SENTINEL SIMULATE-FAILURE asked (spec 2 §13).
pub fn crash(cx: &mut Cx) {
    cx.log(Level::Warning, "Sentinel CRASH because of SENTINEL simulate-failure".to_owned());
    cx.outbox.push(Action::Crash(99));
}
