//! **After a switch no new failover of that master begins for a while**, by the Sentinel that switched: ten seconds, or twice
//! failover-timeout if that is less. A new master that stumbles while everybody connects to it is not failed over again at once, and who
//! is wrong about it is so rarely (spec 2 §9.8: the reference forgets when the last one was).
//!
//! An operator's FAILOVER is not held up, and what an operator has forgotten (RESET, REMOVE) is. A start forgets too. Reference Sentinels
//! are skipped.

use std::collections::BTreeMap;

use super::leads::Leads;
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// In nanoseconds.
const SPACING: u64 = 10_000_000_000;
/// Clients hear of the switch when it is saved, so long after it at most: the spacing counts from the switch.
const SAVING: u64 = 2_500_000_000;

#[derive(Default)]
pub struct Spacing {
    leads: Leads,
    /// By Sentinel and master: when it switched last, unless that is forgotten.
    switched: BTreeMap<(usize, String), u64>,
}

impl Property for Spacing {
    fn name(&self) -> &'static str {
        "the spacing of failovers survives the switch"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            _ if scene.facts().kind == Kind::Reference => {}
            Seen::Started => self.switched.retain(|(node, _), _| *node != scene.node),
            Seen::Ordered { words } => {
                self.switched.retain(|(node, name), _| *node != scene.node || !words::forgets(words, name));
            }
            Seen::Notice { name, payload } if name == "+switch-master" => {
                if let Some((master, ..)) = words::switch(payload) {
                    self.switched.insert((scene.node, master.to_owned()), scene.at);
                }
            }
            // A RESET brings a promotion that is confirmed to its end, switch and all, and then forgets.
            Seen::Notice { name, payload } if name == "+reset-master" => {
                if let Some(named) = words::instance(payload) {
                    self.switched.remove(&(scene.node, named.master.to_owned()));
                }
            }
            Seen::Notice { name, payload } if name == "+try-failover" => {
                let Some(named) = words::instance(payload) else { return Ok(()) };
                return self.tried(scene, named.master);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Spacing {
    fn tried(&self, scene: &Scene, name: &str) -> Result<(), String> {
        let forced = self.leads.of(scene.node, name).is_some_and(|lead| lead.forced);
        let Some(switched) = self.switched.get(&(scene.node, name.to_owned())).filter(|_| !forced) else {
            return Ok(());
        };
        let Some(master) = words::master(&scene.facts().disk, name) else { return Ok(()) };
        let twice = u64::try_from(master.failover_timeout.as_nanos()).unwrap_or(u64::MAX).saturating_mul(2);
        if scene.at + SAVING >= switched + twice.min(SPACING) {
            return Ok(());
        }
        Err(format!(
            "a failover of {name} begins {} ms after the last switch",
            (scene.at - switched) / 1_000_000
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn later_is_fine() {
        let mut stage = Stage::new(Spacing::default());
        stage.says("+try-failover", &of_master(1)).fine(switched(1, 2));
        stage.at(7_500).says("+try-failover", &of_master(2));
    }

    #[test]
    fn at_once_is_not() {
        let mut stage = Stage::new(Spacing::default());
        stage.fine(switched(1, 2)).at(7_499).wrong(notice("+try-failover", &of_master(2)));
        stage.fine(ordered("SENTINEL FAILOVER m")).says("+try-failover", &of_master(2));
    }

    #[test]
    fn a_reset_forgets_even_the_switch_that_it_makes() {
        let mut stage = Stage::new(Spacing::default());
        stage.fine(ordered("SENTINEL RESET m")).fine(switched(1, 2)).says("+reset-master", &of_master(2));
        stage.at(1).says("+try-failover", &of_master(2)).fine(switched(2, 3));
        stage.at(2).wrong(notice("+try-failover", &of_master(3)));
    }

    #[test]
    fn a_short_failover_timeout_shortens_it() {
        let mut stage = Stage::new(Spacing::default());
        stage.file().failover_timeout = std::time::Duration::from_millis(2_000);
        stage.fine(switched(1, 2)).at(1_499).wrong(notice("+try-failover", &of_master(2)));
        stage.at(1_500).says("+try-failover", &of_master(2));
    }
}
