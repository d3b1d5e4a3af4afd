//! **Masters that fail together are replaced at the first try**: no candidate asks for votes in a second epoch for one failover. A promise for
//! a network that is well, and Sentinels that all live; no property of every run.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use sentineld::model::Epoch;

use crate::seen::{Property, Scene, Seen};

#[derive(Default)]
pub struct FirstTry {
    /// By Sentinel and master's address: the epoch in which it asks for votes.
    asked: BTreeMap<(usize, SocketAddrV4), Epoch>,
}

impl Property for FirstTry {
    fn name(&self) -> &'static str {
        "elected at the first try"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        if let Seen::Asked { master, epoch, candidate: Some(_), .. } = seen {
            let first = *self.asked.entry((scene.node, *master)).or_insert(*epoch);
            if first != *epoch {
                return Err(format!("votes for {master} are asked for in epoch {epoch}, after {first}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn one_epoch_is_fine() {
        let mut stage = Stage::new(FirstTry::default());
        stage.fine(asked(sentinel(1), 1, Some(0))).fine(asked(sentinel(2), 1, Some(0)));
        stage.fine(asked(sentinel(2), 5, None));
    }

    #[test]
    fn a_second_is_not() {
        let mut stage = Stage::new(FirstTry::default());
        stage.fine(asked(sentinel(1), 1, Some(0))).wrong(asked(sentinel(2), 2, Some(0)));
    }
}
