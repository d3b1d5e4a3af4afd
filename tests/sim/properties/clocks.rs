//! **Steps of the wall clock stop nothing.** Only when the process itself stood still, for two seconds or more, may a Sentinel hold back and
//! say `+tilt` (spec 2 §2.3; §14.2 row 18). Whoever corrects the time on a machine does not switch off its monitoring for half a minute.
//!
//! Seen by the time between two turns. Reference Sentinels are skipped: the wall clock decides for them.
//!
//! Can't see: what a step does without `+tilt`; the properties of liveness do.

use std::collections::BTreeMap;

use crate::seen::{Kind, Property, Scene, Seen};

/// Shorter pauses are none, in nanoseconds.
const FREEZE: u64 = 2_000_000_000;

#[derive(Default)]
pub struct Clocks {
    /// By Sentinel: its last two turns.
    turns: BTreeMap<usize, (u64, u64)>,
}

impl Property for Clocks {
    fn name(&self) -> &'static str {
        "wall-clock steps stop nothing"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        let last = self.turns.entry(scene.node).or_insert((scene.at, scene.at));
        match seen {
            Seen::Started => *last = (scene.at, scene.at),
            // Several turns of one instant are one look at the clock.
            Seen::Turned if scene.at > last.1 => *last = (last.1, scene.at),
            Seen::Notice { name, .. } if name == "+tilt" && scene.facts().kind == Kind::Ours => {
                let before = if scene.at > last.1 { last.1 } else { last.0 };
                if scene.at - before < FREEZE {
                    return Err(format!("TILT {} ms after its last turn", (scene.at - before) / 1_000_000));
                }
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
    fn a_freeze_is_a_reason() {
        let mut stage = Stage::new(Clocks::default());
        stage.fine(Seen::Started).at(100).fine(Seen::Turned).at(2_100).fine(Seen::Turned);
        stage.says("+tilt", "#tilt mode entered");
    }

    #[test]
    fn a_step_is_none() {
        let mut stage = Stage::new(Clocks::default());
        stage.fine(Seen::Started).at(100).fine(Seen::Turned).fine(Seen::ClockStepped(40_000)).at(200);
        stage.wrong(notice("+tilt", "#tilt mode entered"));
    }
}
