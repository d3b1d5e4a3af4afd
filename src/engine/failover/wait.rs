//! When the next failover of a master may begin (spec 2 §8.3, §8.5).
//!
//! Differs: the reference knows one wait, twice failover-timeout from the last start or from a vote for another. Here each reason has its
//! own, and that one is only the latest.

use std::time::Duration;

use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::election;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::master::Deference;
use crate::model::{Instant, MasterId};

/// The first pause after an election or a mandate was lost; doubles.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A replica that turns up and is lost again does not make us stand for election more often than this.
const BETWEEN_SEARCHES: Duration = Duration::from_secs(1);
/// A leader without a connection for this long is gone.
const GONE_AFTER: Duration = Duration::from_secs(1);
/// A shorter delay is not worth a line in the log.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Before when no failover of this master begins by itself; `None` if it may at once.
pub fn not_before(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    due(fleet, cx, id, replica_turned_up(fleet, cx, id))
}

fn due(fleet: &Fleet, cx: &Cx, id: MasterId, turned_up: Option<Instant>) -> Option<Instant> {
    let master = &fleet.masters[id];
    let limit = master.settings.failover_timeout * 2;
    let latest = master.failover_started_at.map(|at| at + limit);
    let own = match (&master.deference, master.retry_at) {
        (Some(deference), _) => defer_until(fleet, cx, id, deference, latest),
        (None, _) if turned_up.is_some() => turned_up,
        // Who could not be elected does not ask again, which would mute others, before it could be.
        (None, Some(_)) if master.lacked_votes && election::reachable(fleet, id) < master.votes_needed() => {
            latest
        }
        (None, at) => at.or(latest),
    };
    let retry = match (own, latest) {
        (Some(own), Some(latest)) => Some(own.min(latest)),
        (own, latest) => own.or(latest),
    };
    // A master that just moved is given time, whoever moved it.
    let spacing = master.switched_at.map(|at| at + limit.min(cx.globals.tunables.election_timeout));
    retry.max(spacing).filter(|due| *due > cx.mono())
}

/// How long whom we voted for is given time: until it is gone, or an election would be over.
///
/// Differs: the reference gives it twice failover-timeout, whatever became of it (spec 2 §8.5).
fn defer_until(
    fleet: &Fleet,
    cx: &Cx,
    id: MasterId,
    deference: &Deference,
    latest: Option<Instant>,
) -> Option<Instant> {
    if cx.holes.has(Hole::LockedOutByDeadLeader) {
        return latest;
    }
    let over = deference.since + cx.globals.tunables.election_timeout;
    let Some(leader) = fleet.find_peer(id, &deference.leader).map(|id| &fleet.peers[id]) else {
        return Some(over);
    };
    if leader.instance.s_down {
        return Some(deference.since);
    }
    let link = &fleet.links[leader.instance.link];
    if link.command.is_up() {
        return Some(over);
    }
    let silent_since = link.active_ping_at.unwrap_or(link.available_at).max(deference.since);
    Some(over.min(silent_since + GONE_AFTER))
}

/// The last failover found nobody to promote, and now there is somebody: from when the next may begin.
fn replica_turned_up(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    let fruitless = fleet.masters[id].fruitless.as_ref()?;
    let candidates = super::eligible_replicas(fleet, cx, id);
    let new = candidates.iter().any(|replica| !fruitless.tried.contains(replica));
    new.then_some(fruitless.ended_at + BETWEEN_SEARCHES)
}

/// Says in the log until when no failover begins, unless that was said, or a replica turns up that may be promoted: whether one may is a
/// matter of the moment, and would have the line repeated.
pub fn log_delay(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let Some(until) = due(fleet, cx, id, None) else { return };
    let logged = &mut fleet.masters[id].delay_logged_until;
    let delay = until.since(cx.mono());
    if delay >= WORTH_A_LINE && logged.is_none_or(|logged| until > logged) {
        *logged = Some(until);
        cx.outbox.push(Action::LogNextFailover(cx.now.wall.plus(delay)));
    }
}

/// After an attempt that failed: waits for `first`, longer each time, or, without it, as long as the reference.
pub fn after_failure(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, first: Option<Duration>) {
    let now = cx.mono();
    let master = &mut fleet.masters[id];
    let most = master.settings.failover_timeout * 2;
    master.retry_at = first.map(|first| {
        let pause = master.backoff.next(first, most);
        // Sentinels that failed together do not try again together.
        let spread = cx.random_millis(u64::try_from(pause.as_millis() / 2).unwrap_or(u64::MAX));
        now + pause + spread
    });
}
