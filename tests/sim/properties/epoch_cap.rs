//! **No epoch is taken that no fleet can have reached**, by anybody's word: a step of more than 2^32, or an epoch beyond half of what 63 bits
//! hold. Without a next epoch there is no next failover (spec 2 §7.4; §14.3 "rogue epochs").
//!
//! Looked at in the file, in votes and in hellos. A greater step is fine once a majority of the Sentinels in the file claimed as much in
//! hellos: then it is the fleet's. Reference Sentinels are skipped, and with one of them in the fleet so is the step: they take any epoch, and
//! then the fleet is there.

use std::collections::{BTreeMap, BTreeSet};

use sentineld::model::Epoch;

use crate::seen::{Kind, Property, Scene, Seen};

/// The greatest step.
const STEP: u64 = 1 << 32;
/// The greatest epoch.
const LIMIT: u64 = i64::MAX as u64 / 2;

#[derive(Default)]
pub struct EpochCap {
    /// By Sentinel: the greatest epoch that it was seen with.
    known: BTreeMap<String, Epoch>,
    /// By Sentinel: who told it of which epoch.
    claims: BTreeMap<usize, BTreeMap<String, Epoch>>,
}

impl Property for EpochCap {
    fn name(&self) -> &'static str {
        "no epoch above the cap is adopted"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        let facts = scene.facts();
        match seen {
            _ if facts.kind == Kind::Reference => Ok(()),
            Seen::Started => {
                self.known.insert(facts.run_id.clone(), facts.disk.sentinel.current_epoch);
                Ok(())
            }
            Seen::Heard { hello } => {
                let claims = self.claims.entry(scene.node).or_default();
                let claim = claims.entry(hello.run_id.to_string()).or_default();
                *claim = (*claim).max(hello.current_epoch).max(hello.config_epoch);
                Ok(())
            }
            Seen::Greeted { hello, .. } => self.has(scene, hello.current_epoch.max(hello.config_epoch)),
            Seen::Told { leader: Some(_), epoch, .. } => self.has(scene, *epoch),
            Seen::Saved => {
                let masters =
                    facts.disk.masters.iter().map(|master| master.config_epoch.max(master.leader_epoch));
                self.has(scene, masters.fold(facts.disk.sentinel.current_epoch, Epoch::max))
            }
            _ => Ok(()),
        }
    }
}

impl EpochCap {
    fn has(&mut self, scene: &Scene, epoch: Epoch) -> Result<(), String> {
        let known = self.known.entry(scene.facts().run_id.clone()).or_default();
        let before = std::mem::replace(known, epoch.max(*known));
        if epoch.0 > LIMIT {
            return Err(format!("epoch {epoch} leaves no room for failovers"));
        }
        let mixed = scene.nodes.iter().any(|node| node.kind == Kind::Reference);
        if epoch.0 <= before.0.saturating_add(STEP) || mixed || self.majority_claims(scene, epoch) {
            return Ok(());
        }
        Err(format!("epoch {epoch} is taken after {before}"))
    }

    fn majority_claims(&self, scene: &Scene, epoch: Epoch) -> bool {
        let claims = self.claims.get(&scene.node).into_iter().flatten();
        let claiming: BTreeSet<&str> =
            claims.filter(|(_, claim)| **claim >= epoch).map(|(id, _)| id.as_str()).collect();
        scene.facts().disk.masters.iter().any(|master| {
            let votes = master.peers.iter().filter(|peer| claiming.contains(peer.run_id.as_str())).count();
            votes > master.peers.len().div_ceil(2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    const HUGE: u64 = 1 << 33;

    #[test]
    fn small_steps_are_fine() {
        let mut stage = Stage::new(EpochCap::default());
        stage
            .fine(Seen::Started)
            .fine(greeted(hello(0, 1 << 32, 1, 0)))
            .epochs(1 << 33, 5, 5)
            .fine(Seen::Saved);
    }

    #[test]
    fn great_ones_are_not() {
        let mut stage = Stage::new(EpochCap::default());
        stage.fine(Seen::Started).fine(heard(hello(1, HUGE, 1, 0))).wrong(greeted(hello(0, HUGE, 1, 0)));
        stage.node(1).fine(Seen::Started).wrong(told(Some(2), HUGE));
        stage.node(2).fine(Seen::Started).epochs(0, 0, HUGE).wrong(Seen::Saved);
    }

    #[test]
    fn a_majority_may_have_gone_far() {
        let mut stage = Stage::new(EpochCap::default());
        stage.fine(Seen::Started).fine(heard(hello(1, HUGE, 1, 0))).fine(heard(hello(2, HUGE, 1, 0)));
        stage.fine(greeted(hello(0, HUGE, 1, 0))).wrong(greeted(hello(0, u64::MAX / 2, 1, 0)));
    }
}
