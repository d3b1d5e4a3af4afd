//! **Epochs never go back**: not in what a Sentinel tells others, not in its file. Whoever has told others of an epoch, and forgets it in a
//! crash, would use it a second time (spec 2 §1.1, §8.3).
//!
//! Three epochs are watched: the current one and each master's configuration epoch in hellos, both and each master's last vote in the file.
//! What was told counts as far as it was saved at that time: a new configuration is told of although it can't be saved, since our vote for
//! its epoch is on disk. Its hello then tells of no lesser epoch than its own, while those of other masters go on with what the Sentinel knows to
//! be saved. So a current epoch that is the configuration's own binds the hellos of that master; a greater one binds all.
//!
//! An operator who removes a master takes its configuration epoch with it, but not that of the last vote: whoever is told to monitor it again
//! has not voted less.
//!
//! Reference Sentinels: in the file only; they tell of epochs that are not saved. Their votes begin anew with a master that was removed.

use std::collections::BTreeMap;

use sentineld::model::Epoch;

use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct EpochsForward {
    /// By Sentinel: what it told of beyond a configuration, and had on disk by then.
    told: BTreeMap<String, Epoch>,
    /// By Sentinel: the current epoch of its file.
    saved: BTreeMap<String, Epoch>,
    /// By Sentinel and master.
    masters: BTreeMap<(String, String), OfMaster>,
}

#[derive(Default)]
struct OfMaster {
    /// The current epoch that its hellos told of, if it was on disk by then.
    current: Epoch,
    told: Epoch,
    saved: Epoch,
    vote: Epoch,
    /// An operator removed it; what is lower than before is of a new beginning.
    removed: bool,
}

impl OfMaster {
    fn begin_anew(&mut self, kind: Kind, lower: bool) {
        if self.removed && lower {
            let vote = if kind == Kind::Ours { self.vote } else { Epoch::ZERO };
            *self = OfMaster { vote, ..OfMaster::default() };
        }
    }
}

impl Property for EpochsForward {
    fn name(&self) -> &'static str {
        "epochs never go back"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        let (facts, me) = (scene.facts(), &scene.facts().run_id);
        match seen {
            Seen::Ordered { words } => {
                let gone = |name: &str| words::order(words).0 != "RESET" && words::forgets(words, name);
                for ((node, name), known) in &mut self.masters {
                    known.removed |= node == me && gone(name);
                }
                Ok(())
            }
            Seen::Greeted { hello, .. } if facts.kind == Kind::Ours => {
                let told = self.told.entry(me.clone()).or_default();
                let on_disk = self.saved.get(me).copied().unwrap_or_default();
                let current = hello.current_epoch;
                not_back("told epoch", *told, current)?;
                if current > hello.config_epoch {
                    *told = (*told).max(current.min(on_disk));
                }
                let name = hello.master_name.as_str();
                let Some(saved) = words::master(&facts.disk, name).map(|master| master.config_epoch) else {
                    return Ok(());
                };
                let known = self.masters.entry((me.clone(), name.to_owned())).or_default();
                known.begin_anew(facts.kind, hello.config_epoch < known.told || current < known.current);
                not_back("told epoch", known.current, current)?;
                not_back("told configuration epoch", known.told, hello.config_epoch)?;
                known.current = known.current.max(current.min(on_disk));
                known.told = known.told.max(hello.config_epoch.min(saved));
                Ok(())
            }
            Seen::Saved => {
                let saved = self.saved.entry(me.clone()).or_default();
                forward("saved epoch", saved, facts.disk.sentinel.current_epoch)?;
                for master in &facts.disk.masters {
                    let key = (me.clone(), master.name.to_string());
                    let known = self.masters.entry(key).or_default();
                    let lower = master.config_epoch < known.saved || master.leader_epoch < known.vote;
                    known.begin_anew(facts.kind, lower);
                    forward("saved configuration epoch", &mut known.saved, master.config_epoch)?;
                    forward("epoch of the saved vote", &mut known.vote, master.leader_epoch)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn forward(what: &str, known: &mut Epoch, now: Epoch) -> Result<(), String> {
    not_back(what, *known, now)?;
    *known = now;
    Ok(())
}

fn not_back(what: &str, known: Epoch, now: Epoch) -> Result<(), String> {
    if now < known {
        return Err(format!("the {what} went back from {known} to {now}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn they_may_stay_and_grow() {
        let mut stage = Stage::new(EpochsForward::default());
        stage.epochs(3, 2, 1).fine(Seen::Saved).fine(greeted(hello(0, 3, 1, 1)));
        stage
            .fine(greeted(hello(0, 3, 1, 1)))
            .epochs(4, 4, 1)
            .fine(Seen::Saved)
            .fine(greeted(hello(0, 4, 1, 1)));
        // What is not saved is told, and may be lost.
        stage.fine(greeted(hello(0, 5, 2, 5))).fine(Seen::Died).fine(greeted(hello(0, 4, 1, 1)));
        // Another Sentinel's are its own.
        stage.node(1).fine(greeted(hello(1, 0, 1, 0)));
    }

    #[test]
    fn they_may_not_shrink() {
        let mut stage = Stage::new(EpochsForward::default());
        stage.epochs(3, 2, 1).fine(Seen::Saved).fine(greeted(hello(0, 3, 1, 1)));
        stage.wrong(greeted(hello(0, 2, 1, 1))).wrong(greeted(hello(0, 3, 1, 0)));
        stage.epochs(2, 2, 1).wrong(Seen::Saved);
        stage.epochs(3, 1, 1).wrong(Seen::Saved);
        stage.epochs(3, 2, 0).wrong(Seen::Saved);
    }

    #[test]
    fn who_removes_a_master_takes_its_epochs() {
        let mut stage = Stage::new(EpochsForward::default());
        stage.epochs(3, 2, 1).fine(Seen::Saved).fine(ordered("SENTINEL RESET m"));
        stage.epochs(3, 2, 0).wrong(Seen::Saved);
        stage.fine(ordered("SENTINEL REMOVE m")).fine(Seen::Saved);
    }

    #[test]
    fn but_not_that_of_the_last_vote() {
        let mut stage = Stage::new(EpochsForward::default());
        stage.epochs(3, 2, 1).fine(Seen::Saved).fine(ordered("SENTINEL REMOVE m"));
        stage.epochs(3, 0, 0).wrong(Seen::Saved).epochs(3, 3, 0).fine(Seen::Saved);
        stage.nodes[1].kind = Kind::Reference;
        stage.node(1).epochs(3, 2, 1).fine(Seen::Saved).fine(ordered("SENTINEL REMOVE m"));
        stage.epochs(3, 0, 0).fine(Seen::Saved);
    }

    #[test]
    fn a_configuration_that_may_not_be_saved_binds_its_own_master_only() {
        let other = |current| {
            let mut hello = hello(0, current, 1, 0);
            hello.master_name = "other".into();
            hello
        };
        let mut stage = Stage::new(EpochsForward::default());
        // On disk, but the Sentinel does not know it yet.
        stage.epochs(1, 1, 1).fine(Seen::Saved).fine(greeted(hello(0, 1, 1, 1))).fine(greeted(other(0)));
        stage.wrong(greeted(hello(0, 0, 1, 1)));
        stage.epochs(2, 1, 1).fine(Seen::Saved).fine(greeted(hello(0, 2, 1, 1))).wrong(greeted(other(0)));
    }
}
