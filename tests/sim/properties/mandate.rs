//! **Nobody promotes a replica without a mandate**: the master was objectively down, and a majority of the Sentinels known, and at least a
//! quorum, voted for this leader in exactly the epoch it leads (spec 2 §8.2). What an operator orders by SENTINEL FAILOVER on that very
//! Sentinel needs no votes (§9.10).
//!
//! The quorum is the one in force when it was elected: an operator who asks for more afterwards asks for the next election.
//!
//! Votes count when they left the voter: more than the leader can have got. Of a Sentinel of another fleet, which shares our master's name and
//! with which servers brought us together, only what reached the leader is shown: its answer, in the epoch in which it was asked for a
//! vote for this master. The Sentinels known are those of its file at that time, or when it cast its own votes in that election, if they were
//! more; for some seconds after SENTINEL RESET also those that were known before, or it would elect itself while it knows nobody. Reference Sentinels are
//! skipped: they count votes at another epoch than the one they lead (§8.2, §8.6), and do forget.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::model::Epoch;
use sentineld::wire::Reply;
use sentineld::wire::reply::MasterDownReply;

use super::leads::{Lead, Leads};
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// For so long, in nanoseconds, a Sentinel that was told to forget its peers counts them as voters.
const REMEMBERS: u64 = 5_000_000_000;

#[derive(Default)]
pub struct Mandate {
    leads: Leads,
    /// Master, epoch, candidate → who voted for it.
    votes: BTreeMap<(String, Epoch, String), BTreeSet<String>>,
    /// By Sentinel: whom it asked for votes of which epoch, and for which master.
    asked: BTreeMap<(usize, SocketAddrV4, Epoch), BTreeSet<String>>,
    /// By Sentinel: when it was told to forget which master's peers, and how many there were.
    resets: BTreeMap<usize, Vec<(u64, String, usize)>>,
    /// By Sentinel and master: how many others its file named when it cast its own votes in the election under way.
    started: BTreeMap<(usize, String), usize>,
    /// By Sentinel and master: the votes that it needed when it was elected.
    needed: BTreeMap<(usize, String), usize>,
    /// By Sentinel and master: the quorums that an operator set.
    quorums: BTreeMap<(usize, String), BTreeSet<u32>>,
    /// By Sentinel and master: when an operator set another quorum, and which one was in the file by then.
    former: BTreeMap<(usize, String), Vec<(u64, u32)>>,
}

impl Property for Mandate {
    fn name(&self) -> &'static str {
        "no promotion without objective failure, quorum and majority"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            Seen::Told { master, leader: Some(leader), epoch, .. } => {
                let key = (master.to_string(), *epoch, leader.clone());
                self.votes.entry(key).or_default().insert(scene.facts().run_id.clone());
                Ok(())
            }
            Seen::Asked { to, master, epoch, candidate: Some(_) } => {
                if let Some(name) = self.leads.master_at(scene.node, *master) {
                    self.asked.entry((scene.node, *to, *epoch)).or_default().insert(name.to_owned());
                }
                Ok(())
            }
            Seen::Got { from, reply: Reply::MasterDown(vote), .. } => {
                self.answered(scene, *from, vote);
                Ok(())
            }
            Seen::Ordered { words } => {
                self.ordered(scene, words);
                Ok(())
            }
            Seen::Started => {
                self.resets.remove(&scene.node);
                Ok(())
            }
            Seen::Notice { name, payload } => {
                self.notice(scene, name, payload);
                Ok(())
            }
            Seen::Pointed { server, master: None } if scene.facts().kind == Kind::Ours => {
                match self.leads.choosing(scene.node, *server) {
                    Some((master, lead)) => self.judge(scene, master, lead),
                    None => Err(format!("{server} is promoted by who leads no failover")),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Mandate {
    /// An answer of a Sentinel whose own deeds are not shown.
    fn answered(&mut self, scene: &Scene, from: SocketAddrV4, vote: &MasterDownReply) {
        let is_shown = scene.nodes.iter().any(|node| node.address == from);
        let Some(leader) = vote.leader.as_ref().filter(|_| !is_shown) else { return };
        let asked = self.asked.get(&(scene.node, from, vote.leader_epoch));
        for name in asked.into_iter().flatten() {
            let key = (name.clone(), vote.leader_epoch, leader.to_string());
            self.votes.entry(key).or_default().insert(from.to_string());
        }
    }

    fn notice(&mut self, scene: &Scene, name: &str, payload: &str) {
        match (name, words::instance(payload), words::vote(payload)) {
            ("+try-failover", Some(named), _) => {
                self.started.remove(&(scene.node, named.master.to_owned()));
            }
            ("+vote-for-leader", _, Some((leader, epoch))) if leader == scene.facts().run_id => {
                for master in &scene.facts().disk.masters {
                    let lead = self.leads.of(scene.node, master.name.as_str());
                    if lead.is_some_and(|lead| lead.elected_at.is_none() && lead.epoch == Some(epoch)) {
                        let key = (scene.node, master.name.to_string());
                        let most = self.started.entry(key).or_default();
                        *most = (*most).max(master.peers.len());
                    }
                }
            }
            ("+elected-leader", Some(named), _) => {
                let needed = self.needed(scene, named.master, scene.at);
                self.needed.insert((scene.node, named.master.to_owned()), needed);
            }
            _ => {}
        }
    }

    fn ordered(&mut self, scene: &Scene, words: &[String]) {
        for master in &scene.facts().disk.masters {
            let name = master.name.to_string();
            let (verb, about) = words::order(words);
            if verb == "RESET" && words::forgets(words, &name) {
                let resets = self.resets.entry(scene.node).or_default();
                resets.push((scene.at, name.clone(), master.peers.len()));
            }
            let mut options = words.iter().skip_while(|word| !word.eq_ignore_ascii_case("quorum"));
            if verb == "SET"
                && about == Some(name.as_str())
                && let Some(quorum) = options.nth(1).and_then(|value| value.parse().ok())
            {
                let key = (scene.node, name);
                self.former.entry(key.clone()).or_default().push((scene.at, master.quorum));
                self.quorums.entry(key).or_default().insert(quorum);
            }
        }
    }

    fn judge(&self, scene: &Scene, name: &str, lead: &Lead) -> Result<(), String> {
        let me = &scene.facts().run_id;
        let (Some(epoch), Some(_)) = (lead.epoch, lead.elected_at) else {
            return Err(format!("{me} promotes a replica of {name} without having been elected"));
        };
        if lead.forced {
            return Ok(());
        }
        if !lead.odown {
            return Err(format!("{me} promotes a replica of {name}, which was not objectively down"));
        }
        let voters = self.votes.get(&(name.to_owned(), epoch, me.clone()));
        let votes = 1 + voters.map_or(0, |voters| voters.iter().filter(|voter| *voter != me).count());
        let needed = self.needed.get(&(scene.node, name.to_owned())).copied().unwrap_or(0);
        if votes >= needed {
            return Ok(());
        }
        Err(format!("{me} promotes a replica of {name} in epoch {epoch} with {votes} votes of {needed}"))
    }

    fn needed(&self, scene: &Scene, name: &str, elected_at: u64) -> usize {
        let Some(master) = words::master(&scene.facts().disk, name) else { return 0 };
        let forgotten = self.resets.get(&scene.node).into_iter().flatten();
        let forgotten = forgotten
            .filter(|(at, of, _)| of == name && elected_at < at + REMEMBERS)
            .map(|(_, _, peers)| *peers);
        let key = (scene.node, name.to_owned());
        let started = self.started.get(&key).copied();
        let peers = forgotten.chain([master.peers.len()]).chain(started).max().unwrap_or(0);
        let set = self.quorums.get(&key).into_iter().flatten().copied();
        let former = self.former.get(&key).into_iter().flatten();
        let at_election = former.filter(|(at, _)| elected_at <= *at).map(|(_, quorum)| *quorum);
        let quorum = set.chain(at_election).chain([master.quorum]).min().unwrap_or(1);
        usize::try_from(quorum).unwrap_or(usize::MAX).max(peers.div_ceil(2) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn a_majority_or_an_order_is_enough() {
        let mut stage = Stage::new(Mandate::default());
        stage.elected(1, &[1], 2).fine(pointed(2, None));
        stage.node(1).fine(ordered("SENTINEL FAILOVER m")).says("+try-failover", &of_master(1));
        stage.epochs(2, 2, 0).says("+vote-for-leader", &format!("{} 2", id(1)));
        stage.says("+elected-leader", &of_master(1)).says("+selected-slave", &of_replica(2, 1));
        stage.fine(pointed(2, None));
    }

    #[test]
    fn too_few_votes_are_not() {
        let mut stage = Stage::new(Mandate::default());
        stage.elected(1, &[], 2).wrong(pointed(2, None));
        // Of another epoch.
        stage.node(2).fine(told(Some(0), 2)).node(0).wrong(pointed(2, None));
        // Less than the quorum.
        stage.file().quorum = 3;
        stage.elected(3, &[2], 2).wrong(pointed(2, None)).fine(ordered("SENTINEL SET m quorum 2"));
        stage.elected(4, &[2], 2).fine(pointed(2, None));
    }

    #[test]
    fn what_a_sentinel_of_another_fleet_answers_counts() {
        let vote = |epoch| {
            let vote = MasterDownReply {
                down: true,
                leader: Some(id(0).as_str().into()),
                leader_epoch: Epoch(epoch),
            };
            Seen::Got { from: sentinel(9), reply: Reply::MasterDown(vote), asked_at: 0 }
        };
        let mut stage = Stage::new(Mandate::default());
        stage.elected(1, &[], 2).fine(vote(1)).wrong(pointed(2, None));
        stage.fine(asked(sentinel(9), 1, Some(0))).fine(vote(2)).wrong(pointed(2, None));
        stage.fine(vote(1)).fine(pointed(2, None));
    }

    #[test]
    fn a_quorum_that_is_raised_later_is_for_the_next_election() {
        let mut stage = Stage::new(Mandate::default());
        stage.elected(1, &[1], 2).fine(ordered("SENTINEL SET m quorum 3")).file().quorum = 3;
        stage.fine(pointed(2, None)).at(1_000).elected(2, &[1], 2).wrong(pointed(2, None));
    }

    #[test]
    fn nor_is_a_master_that_others_see() {
        let mut stage = Stage::new(Mandate::default());
        stage.elected(1, &[1], 2).says("-odown", &of_master(1)).fine(pointed(2, None));
        stage.says("+try-failover", &of_master(1)).epochs(2, 2, 0);
        stage.says("+vote-for-leader", &format!("{} 2", id(0))).node(1).fine(told(Some(0), 2)).node(0);
        stage.says("+elected-leader", &of_master(1)).says("+selected-slave", &of_replica(2, 1));
        stage.wrong(pointed(2, None)).wrong(pointed(3, None));
    }

    #[test]
    fn who_is_forgotten_during_an_election_counts_to_its_end() {
        let mut stage = Stage::new(Mandate::default());
        stage.file().quorum = 1;
        for (forgotten_before, fine) in [(false, false), (true, true)] {
            let peers = stage.file().peers.clone();
            if forgotten_before {
                stage.file().peers.clear();
            }
            let epoch = if fine { 2 } else { 1 };
            stage.says("+odown", &of_master(1)).says("+try-failover", &of_master(1)).epochs(epoch, epoch, 0);
            stage.says("+vote-for-leader", &format!("{} {epoch}", id(0))).file().peers.clear();
            stage.says("+elected-leader", &of_master(1)).says("+selected-slave", &of_replica(2, 1));
            if fine {
                stage.fine(pointed(2, None));
            } else {
                stage.wrong(pointed(2, None));
            }
            stage.file().peers = peers;
        }
    }

    #[test]
    fn who_was_told_to_forget_its_peers_still_needs_them_for_a_while() {
        let mut stage = Stage::new(Mandate::default());
        stage.fine(ordered("SENTINEL RESET *")).file().peers.clear();
        stage.file().quorum = 1;
        stage.at(4_000).elected(1, &[], 2).wrong(pointed(2, None));
        stage.at(6_000).elected(2, &[], 2).fine(pointed(2, None));
    }
}
