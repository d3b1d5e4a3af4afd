//! **In TILT nothing is acted on**: no verdict, no election of its own, no failover step, no SLAVEOF to anything, and peers are told of
//! nothing that is down. Whoever does not know how long it slept does not decide (spec 2 §2.3).
//!
//! An operator's FAILOVER begins, in the turn in which it is given, and goes no further. What others decided is taken all the same: votes,
//! epochs, configurations. An answer that waited for the disk says what was true when it was asked for. Holds for reference Sentinels too, but
//! for a SLAVEOF that they sent before, to a connection that was still being made.

use std::collections::BTreeMap;

use super::leads::Leads;
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// Events by which a Sentinel decides.
const DEEDS: [&str; 10] = [
    "+sdown",
    "-sdown",
    "+odown",
    "-odown",
    "+elected-leader",
    "+selected-slave",
    "+promoted-slave",
    "+slave-reconf-sent",
    "+convert-to-slave",
    "+fix-slave-config",
];

#[derive(Default)]
pub struct Tilt {
    leads: Leads,
    /// Who is in TILT, and since when.
    tilted: BTreeMap<usize, u64>,
}

impl Property for Tilt {
    fn name(&self) -> &'static str {
        "nothing is acted on in TILT"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        let since = self.tilted.get(&scene.node).copied();
        let tilted = since.is_some();
        match seen {
            Seen::Notice { name, payload } if name == "+try-failover" => {
                let named = words::instance(payload);
                let lead = named.and_then(|named| self.leads.of(scene.node, named.master));
                if tilted && !lead.is_some_and(|lead| lead.forced) {
                    return Err(format!("{name} {payload} in TILT"));
                }
            }
            Seen::Started => {
                self.tilted.remove(&scene.node);
            }
            Seen::Notice { name, .. } if name == "+tilt" => {
                self.tilted.entry(scene.node).or_insert(scene.at);
            }
            Seen::Notice { name, .. } if name == "-tilt" => {
                self.tilted.remove(&scene.node);
            }
            Seen::Notice { name, payload } if tilted && DEEDS.contains(&name.as_str()) => {
                return Err(format!("{name} {payload} in TILT"));
            }
            Seen::Pointed { server, .. } if tilted && scene.facts().kind == Kind::Ours => {
                return Err(format!("SLAVEOF to {server} in TILT"));
            }
            Seen::Told { master, down: true, waited, .. }
                if since.is_some_and(|at| at + waited <= scene.at) =>
            {
                return Err(format!("{master} is told to be down in TILT"));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn what_others_decide_is_taken() {
        let mut stage = Stage::new(Tilt::default());
        stage.says("+sdown", &of_master(1)).says("+tilt", "#tilt mode entered").fine(switched(1, 2));
        stage.node(1).says("+sdown", &of_master(1)).node(0);
        stage.says("-tilt", "#tilt mode exited").says("+sdown", &of_master(2)).fine(told(None, 0));
    }

    #[test]
    fn an_answer_that_was_kept_tells_of_the_time_before() {
        let mut stage = Stage::new(Tilt::default());
        stage.at(5_000).says("+tilt", "#tilt mode entered").at(5_100);
        for leader in [None, Some(1)] {
            stage.fine(told_late(leader, 1, 101)).wrong(told_late(leader, 1, 100)).wrong(told(leader, 1));
        }
        // Entered anew: still in TILT.
        stage.at(5_200).says("+tilt", "#tilt mode entered").wrong(told_late(None, 0, 50));
        stage.wrong(told_late(None, 0, 150)).says("-tilt", "#tilt mode exited").fine(told_late(None, 0, 50));
    }

    #[test]
    fn nothing_else_is() {
        let mut stage = Stage::new(Tilt::default());
        stage.says("+tilt", "#tilt mode entered").wrong(notice("+sdown", &of_master(1)));
        // An order that was refused before excuses nothing.
        stage.fine(ordered("SENTINEL FAILOVER m")).fine(Seen::Turned);
        stage.wrong(notice("+try-failover", &of_master(1))).fine(ordered("SENTINEL FAILOVER m"));
        stage
            .says("+try-failover", &of_master(1))
            .wrong(pointed(2, None))
            .wrong(told(None, 0))
            .fine(Seen::Started)
            .fine(pointed(2, None));
    }
}
