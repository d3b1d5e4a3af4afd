//! Epochs that are too high to be believed at one Sentinel's word (spec 2 §7.4).
//!
//! Epochs only grow, so one that is wrong stays for good, and without a next epoch there is no next failover. An epoch far above ours is
//! therefore neither adopted nor voted in nor followed, until a majority of the voters of a master claims at least it; one near the end of
//! the numbers never is. Differs: the reference takes any.
//!
//! Invariant: what is remembered here is bounded, whoever claims what.

use std::collections::BTreeSet;

use super::action::Action;
use super::cx::Cx;
use super::fleet::Fleet;
use super::hole::Hole;
use super::notice::Level;
use crate::model::{Epoch, MasterId, RunId};

/// How far ahead of ours an epoch may be: more elections than any fleet has held while we were away.
const MAX_JUMP: u64 = 1 << 32;
/// No true epoch is above this: half of what the reference can read.
const MAX_EPOCH: Epoch = Epoch(i64::MAX as u64 / 2);
/// Sentinels that the log warns of; who invents ids can't fill our memory.
const MAX_WARNED: usize = 1_000;

/// Whom the log has warned of, and whether for an epoch that no fleet can ever reach.
pub type Warned = BTreeSet<(RunId, bool)>;

/// False for an epoch that no fleet can have reached since we looked.
pub fn plausible(cx: &Cx, epoch: Epoch) -> bool {
    let highest = Epoch(cx.globals.current_epoch.0.saturating_add(MAX_JUMP)).min(MAX_EPOCH);
    // Our own may be high already: it is what the file says.
    epoch <= highest.max(cx.globals.current_epoch) || cx.holes.has(Hole::TrustsAnyEpoch)
}

/// A Sentinel claims an epoch that is not plausible. If enough of them do, it is ours.
pub fn claim(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, claimant: &RunId, epoch: Epoch) {
    warn(fleet, cx, id, claimant, epoch);
    let Some(peer) = fleet.find_peer(id, claimant) else { return };
    fleet.peers[peer].claim = Some(epoch).filter(|epoch| *epoch <= MAX_EPOCH);
    let master = &fleet.masters[id];
    let mut claims: Vec<Epoch> = master.peers.iter().filter_map(|id| fleet.peers[*id].claim).collect();
    claims.sort_unstable_by(|a, b| b.cmp(a));
    let Some(agreed) = claims.get(master.voters() / 2).copied() else { return };
    if cx.observe_epoch(agreed).is_some() {
        let notice = fleet.warning(cx, id, "+new-epoch", agreed.to_string());
        cx.outbox.push(Action::Publish(notice));
    }
}

/// Once for each Sentinel, and once more if it goes beyond what can ever be true.
fn warn(fleet: &Fleet, cx: &mut Cx, id: MasterId, claimant: &RunId, epoch: Epoch) {
    let absurd = epoch > MAX_EPOCH;
    if cx.warned.len() >= MAX_WARNED || !cx.warned.insert((claimant.clone(), absurd)) {
        return;
    }
    let name = &fleet.masters[id].name;
    let ours = cx.globals.current_epoch;
    let what = if absurd {
        "no fleet gets that far; it is ignored".to_owned()
    } else {
        format!("that is too far from ours, {ours}; it is ignored unless a majority claims it")
    };
    cx.log(Level::Warning, format!("Sentinel {claimant} claims epoch {epoch} for '{name}': {what}"));
}
