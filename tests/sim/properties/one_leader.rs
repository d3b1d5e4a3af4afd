//! **There is never more than one leader of a failover for a master and an epoch.** Two leaders may promote two replicas, and then half of
//! the clients write where the other half does not read (spec 2 §8.2, §8.6).
//!
//! Who says `+elected-leader`, or sends SLAVEOF NO ONE, leads. Reference Sentinels are skipped, and so is one of ours beside one of them:
//! they count votes of one epoch for another (§8.6), and take an epoch without asking when an operator orders a failover (§9.10).
//!
//! A Sentinel that comes back on an empty disk, under another id, has forgotten whom it voted for, and no protocol can make up for that:
//! what was before is not held against what comes after. And it knows nobody until it hears of the others: as long as the votes that it
//! and another leader need can come from two sets of Sentinels, disjoint ones, both may lead. That ends when it knows enough of them, and
//! it can't happen where the quorum is more than half of all.
//!
//! And whom an operator made forget others, and who did not find them again, goes by a majority of its own: what it leads is left out. No
//! election can make up for disjoint views of who votes. After RESET they still count for three periods of hellos, in which it is judged;
//! REMOVE and MONITOR forget at once.
//!
//! Can't see: a leader that neither says nor does anything; it harms nobody.

use std::collections::{BTreeMap, BTreeSet};

use sentineld::model::Epoch;

use super::leads::{Lead, Leads};
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// So long those who were forgotten count all the same, in nanoseconds.
const WINDOW: u64 = 6_000_000_000;

#[derive(Default)]
pub struct OneLeader {
    leads: Leads,
    /// Master and epoch → who led.
    leaders: BTreeMap<(String, Epoch), Vec<Leader>>,
    /// Whose disk was lost.
    fresh: BTreeSet<usize>,
    /// Sentinel and master → until when those count that it was made to forget, and who of them it did not find again.
    forgotten: BTreeMap<(usize, String), (u64, BTreeSet<String>)>,
}

/// A Sentinel that leads, as far as that matters for another that does.
struct Leader {
    id: String,
    /// Its disk was lost once.
    fresh: bool,
    /// Who votes, by its file.
    voters: BTreeSet<String>,
    /// How many votes it needs.
    needed: usize,
}

impl Leader {
    fn new(scene: &Scene, master: &str, forced: bool, fresh: bool) -> Self {
        let facts = scene.facts();
        let master = words::master(&facts.disk, master);
        let peers = master.iter().flat_map(|master| &master.peers).map(|peer| peer.run_id.to_string());
        let voters: BTreeSet<String> = peers.chain([facts.run_id.clone()]).collect();
        // An operator's word takes the place of the quorum.
        let quorum = master.filter(|_| !forced).map_or(0, |master| master.quorum as usize);
        let needed = (voters.len() / 2 + 1).max(quorum);
        Leader { id: facts.run_id.clone(), fresh, voters, needed }
    }

    /// Both can have been elected without anybody's second vote, because one of them did not know enough of the others yet. Each voted for
    /// itself, so neither has the other's vote.
    fn may_lead_beside(&self, other: &Leader) -> bool {
        let voters = |of: &Leader, not: &Leader| -> BTreeSet<String> {
            of.voters.iter().filter(|id| **id != not.id).cloned().collect()
        };
        let (ours, theirs) = (voters(self, other), voters(other, self));
        (self.fresh || other.fresh)
            && ours.len() >= self.needed
            && theirs.len() >= other.needed
            && ours.union(&theirs).count() >= self.needed + other.needed
    }
}

impl Property for OneLeader {
    fn name(&self) -> &'static str {
        "one leader for a master and epoch"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            Seen::Replaced => {
                self.leaders.clear();
                self.fresh.insert(scene.node);
            }
            Seen::Ordered { words } => self.forget(scene, words),
            Seen::Notice { name, payload } if name == "+sentinel" => {
                let found = words::instance(payload);
                let master = found.as_ref().map(|named| (scene.node, named.master.to_owned()));
                if let Some((_, missing)) = master.and_then(|key| self.forgotten.get_mut(&key)) {
                    missing.retain(|id| found.as_ref().is_none_or(|named| named.name != id));
                }
            }
            _ => {}
        }
        if scene.facts().kind == Kind::Reference {
            return Ok(());
        }
        let led = match seen {
            Seen::Notice { name, payload } if name == "+elected-leader" => {
                words::instance(payload).and_then(|named| {
                    Some((named.master.to_owned(), self.leads.of(scene.node, named.master)?.clone()))
                })
            }
            Seen::Pointed { server, master: None } => self
                .leads
                .choosing(scene.node, *server)
                .map(|(master, lead)| (master.to_owned(), lead.clone())),
            _ => None,
        };
        led.map_or(Ok(()), |(master, lead)| self.leads_now(scene, master, &lead))
    }
}

impl OneLeader {
    /// An operator makes a Sentinel forget the others that are in its file.
    fn forget(&mut self, scene: &Scene, words: &[String]) {
        let masters = scene.facts().disk.masters.iter();
        for master in masters.filter(|master| words::forgets(words, master.name.as_str())) {
            let others = master.peers.iter().map(|peer| peer.run_id.to_string());
            let key = (scene.node, master.name.to_string());
            let (until, missing) = self.forgotten.entry(key).or_default();
            match words::order(words).0 == "RESET" {
                true if missing.is_empty() => *until = scene.at + WINDOW,
                // Whoever is gone since REMOVE does not count again.
                true => {}
                false => *until = scene.at,
            }
            missing.extend(others);
        }
    }

    /// It counts a majority of its own.
    fn is_apart(&self, scene: &Scene, master: &str) -> bool {
        let forgotten = self.forgotten.get(&(scene.node, master.to_owned()));
        forgotten.is_some_and(|(until, missing)| !missing.is_empty() && scene.at >= *until)
    }

    fn leads_now(&mut self, scene: &Scene, master: String, lead: &Lead) -> Result<(), String> {
        if self.is_apart(scene, &master) {
            return Ok(());
        }
        let me = &scene.facts().run_id;
        let Some(epoch) = lead.epoch else {
            return Err(format!("{me} leads a failover of {master} in an epoch that it never stood in"));
        };
        let others = self.leaders.entry((master.clone(), epoch)).or_default();
        if others.iter().any(|leader| leader.id == *me) {
            return Ok(());
        }
        let leader = Leader::new(scene, &master, lead.forced, self.fresh.contains(&scene.node));
        if let Some(other) = others.iter().find(|other| !leader.may_lead_beside(other)) {
            return Err(format!("{me} leads a failover of {master} in epoch {epoch}, as {} did", other.id));
        }
        others.push(leader);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn leaders_of_different_epochs_are_fine() {
        let mut stage = Stage::new(OneLeader::default());
        stage.node(0).elected(1, &[1], 2).fine(pointed(2, None));
        stage.node(1).elected(2, &[2], 3).fine(pointed(3, None));
        stage.node(0).elected(3, &[2], 2).fine(pointed(2, None));
    }

    #[test]
    fn who_was_made_to_forget_goes_by_a_majority_of_its_own_after_a_while() {
        for (order, found, at, fine) in [
            ("RESET m", false, 6_000, true),
            ("RESET m", false, 5_999, false),
            ("RESET m", true, 6_000, false),
            ("RESET n", false, 6_000, false),
            ("REMOVE m", false, 1, true),
            ("REMOVE m", true, 1, false),
        ] {
            let mut stage = Stage::new(OneLeader::default());
            stage.node(0).elected(1, &[1], 2);
            stage.node(1).fine(ordered(&format!("SENTINEL {order}")));
            if found {
                for other in [0, 2] {
                    stage.says(
                        "+sentinel",
                        &format!("sentinel {0} 10.0.1.1 26379 @ m 10.0.0.1 6379", id(other)),
                    );
                }
            }
            stage.at(at).says("+try-failover", &of_master(1)).epochs(1, 1, 0);
            stage.says("+vote-for-leader", &format!("{} 1", id(1)));
            let elected = notice("+elected-leader", &of_master(1));
            if fine {
                stage.fine(elected)
            } else {
                stage.wrong(elected)
            };
        }
    }

    #[test]
    fn a_new_machine_goes_by_whom_it_found() {
        // It has found so many of the two others, and was told of such a quorum.
        for (found, quorum, fine) in [(0, 1, true), (0, 2, false), (1, 1, false)] {
            let mut stage = Stage::new(OneLeader::default());
            stage.node(1).fine(Seen::Replaced).fine(Seen::Started);
            stage.node(0).elected(1, &[2], 2).node(1);
            stage.nodes[1].run_id = id(7);
            stage.file().quorum = quorum;
            stage.file().peers.truncate(found);
            stage.says("+try-failover", &of_master(1)).epochs(1, 1, 0);
            stage.says("+vote-for-leader", &format!("{} 1", id(7)));
            let elected = notice("+elected-leader", &of_master(1));
            if fine {
                stage.fine(elected).fine(pointed(2, None))
            } else {
                stage.wrong(elected)
            };
        }
    }

    #[test]
    fn two_of_one_epoch_are_not() {
        let mut stage = Stage::new(OneLeader::default());
        stage.node(0).elected(1, &[1], 2);
        stage.node(1).says("+try-failover", &of_master(1)).epochs(1, 1, 0);
        stage.says("+vote-for-leader", &format!("{} 1", id(1)));
        stage.wrong(notice("+elected-leader", &of_master(1)));
    }
}
