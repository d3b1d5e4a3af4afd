//! **Nobody demotes the master that the newest configuration names**, as far as the Sentinel knows: it is not made a replica of anything, by
//! whatever repair, late failover or return from a pause (spec 2 §5.3, §14.4 rule 7). That would cut the clients off from the only server
//! that they all were sent to.
//!
//! Known is the configuration of the greatest epoch in its file, its own promotions, its own hellos, and the hellos of its peers that reached it. Reference
//! Sentinels are skipped: one that promotes a replica and misses its confirmation later demotes it again (§9.11).
//!
//! Can't see: a master that a configuration names of which this Sentinel has not heard yet.

use super::knowledge::Knowledge;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct NoDemotion {
    knowledge: Knowledge,
}

impl Property for NoDemotion {
    fn name(&self) -> &'static str {
        "never demote the master of the highest known configuration epoch"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.knowledge.see(scene, seen);
        match seen {
            Seen::Pointed { server, master: Some(to) } if scene.facts().kind == Kind::Ours => {
                match self.knowledge.master_at(scene.node, *server) {
                    Some((name, epoch)) => Err(format!(
                        "{server}, which configuration {epoch} of {name} names, is pointed at {to}"
                    )),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn others_may_be_pointed_anywhere() {
        let mut stage = Stage::new(NoDemotion::default());
        stage.fine(Seen::Started).fine(pointed(2, Some(1))).fine(greeted(hello(0, 1, 2, 1)));
        stage.fine(pointed(1, Some(2))).fine(pointed(3, Some(2))).fine(pointed(2, None));
    }

    #[test]
    fn the_master_may_not() {
        let mut stage = Stage::new(NoDemotion::default());
        stage.fine(Seen::Started).wrong(pointed(1, Some(2)));
        stage.fine(heard(hello(1, 1, 2, 1))).wrong(pointed(2, Some(1))).fine(pointed(1, Some(2)));
    }

    #[test]
    fn its_own_promotion_counts_saved_or_not() {
        let mut stage = Stage::new(NoDemotion::default());
        stage.fine(Seen::Started).elected(1, &[1], 2);
        stage.says("+promoted-slave", &of_replica(2, 1)).wrong(pointed(1, Some(2)));
        stage.fine(switched(1, 2)).fine(pointed(1, Some(2))).wrong(pointed(2, Some(1)));
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let mut stage = Stage::new(NoDemotion::default());
        stage
            .fine(Seen::Started)
            .fine(heard(hello(7, 1, 2, 1)))
            .wrong(pointed(1, Some(2)))
            .fine(pointed(2, Some(1)));
        // Until it is one of ours, and its configuration is taken.
        let taken = format!("sentinel {} 10.0.1.7 26379 @ {NAME} 10.0.0.1 6379", id(7));
        stage.says("+config-update-from", &taken).fine(pointed(1, Some(2))).wrong(pointed(2, Some(1)));
        let mut stage = Stage::new(NoDemotion::default());
        stage.fine(Seen::Started);
        stage.fine(heard(hello(1, 1, 2, 1 << 40))).fine(pointed(2, Some(1)));
    }
}
