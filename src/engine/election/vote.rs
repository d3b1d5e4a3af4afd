//! Giving a vote (spec 2 §8.1).

use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::failover;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::master::Deference;
use crate::model::{Epoch, MasterId, RunId};

/// Answers a candidate: first come, first served, once per master and epoch.
///
/// Compat: a vote is given whatever we think of the master and of the candidate.
///
/// Differs: what we voted for other masters does not matter, so that all masters that fail together are voted for at once. The reference
/// votes only at the epoch that its process has reached (spec 2 §8.6). And a leader that is at work votes for nobody else.
pub fn grant(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, epoch: Epoch, candidate: &RunId) {
    if let Some(revision) = cx.observe_epoch(epoch) {
        cx.share_epoch();
        let notice = fleet.warning(cx, id, "+new-epoch", epoch.to_string());
        cx.outbox.behind(revision, Action::Publish(notice));
    }
    let master = &fleet.masters[id];
    let superseded = if cx.holes.has(Hole::OneEpochForAll) {
        cx.globals.current_epoch > epoch
    } else {
        master.config_epoch >= epoch
    };
    if master.ballot.epoch < epoch && !superseded && !failover::has_mandate(fleet, cx, id) {
        cast(fleet, cx, id, epoch, candidate);
    }
}

/// Records our vote. The caller has made sure that it is the first in this epoch.
pub fn cast(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, epoch: Epoch, candidate: &RunId) {
    let now = cx.mono();
    let revision = cx.ledger.record_master(id);
    cx.await_save(id);
    let master = &mut fleet.masters[id];
    master.ballot.leader = Some(candidate.clone());
    master.ballot.epoch = epoch;
    master.ballot.revision = revision;
    master.deference = None;
    let notice = fleet.warning(cx, id, "+vote-for-leader", format!("{candidate} {epoch}"));
    cx.outbox.behind(revision, Action::Publish(notice));
    if *candidate != cx.globals.my_id {
        // The voter leaves the field to whom it voted for (spec 2 §8.1).
        let desync = cx.random_millis(1_000);
        let master = &mut fleet.masters[id];
        master.failover_started_at = Some(now + desync);
        master.deference = Some(Deference { leader: candidate.clone(), since: now });
        cx.touch_master(id);
    }
}
