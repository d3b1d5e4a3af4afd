//! **A master is objectively down only by opinions about its address, heard within five seconds**, one for each Sentinel, together with our
//! own. What peers said of the address before, or said long ago, or took back, counts nothing (spec 2 §7.2, §7.3, §9.8).
//!
//! Counted are the answers that reached it on connections it still had, each about the addresses that the peer was asked about before: a
//! Sentinel that asked about two can't be told which of them an answer was about. The quorum is the least that
//! its file or an operator's SET gave since its start. What is taken back at the very moment of the verdict counts: of what arrived
//! together each piece is acted on by itself, and what follows is shown after all of it. Reference Sentinels are skipped: opinions survive their switches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::wire::Reply;

use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// How old an opinion may be, in nanoseconds.
const FRESH: u64 = 5_000_000_000;

#[derive(Default)]
pub struct Opinions {
    nodes: BTreeMap<usize, Node>,
}

#[derive(Default)]
struct Node {
    /// By peer: the addresses it was asked about.
    asked: BTreeMap<SocketAddrV4, BTreeSet<SocketAddrV4>>,
    /// By peer and master: it was told to be down.
    down: BTreeMap<(SocketAddrV4, SocketAddrV4), Opinion>,
    /// What it holds for subjectively down itself.
    sdown: BTreeSet<SocketAddrV4>,
    quorums: BTreeMap<String, u32>,
}

/// A peer said that a master is down.
struct Opinion {
    heard_at: u64,
    taken_back_at: Option<u64>,
}

impl Opinion {
    fn counts(&self, now: u64) -> bool {
        now <= self.heard_at + FRESH && self.taken_back_at.is_none_or(|at| at == now)
    }
}

impl Property for Opinions {
    fn name(&self) -> &'static str {
        "no objective failure from opinions that are old or about another address"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        if scene.facts().kind == Kind::Reference {
            return Ok(());
        }
        let node = self.nodes.entry(scene.node).or_default();
        match seen {
            Seen::Started => *node = Node::default(),
            Seen::Asked { to, master, .. } => {
                node.asked.entry(*to).or_default().insert(*master);
            }
            Seen::Got { from, reply: Reply::MasterDown(reply), .. } => {
                for about in node.asked.get(from).into_iter().flatten() {
                    let key = (*from, *about);
                    if reply.down {
                        node.down.insert(key, Opinion { heard_at: scene.at, taken_back_at: None });
                    } else if node.asked[from].len() == 1
                        && let Some(opinion) = node.down.get_mut(&key)
                    {
                        opinion.taken_back_at.get_or_insert(scene.at);
                    }
                }
            }
            Seen::Ordered { words } => node.ordered(words),
            Seen::Notice { name, payload } => return node.notice(scene, name, payload),
            _ => {}
        }
        Ok(())
    }
}

impl Node {
    fn ordered(&mut self, words: &[String]) {
        if let (verb, Some(name)) = words::order(words)
            && verb == "SET"
            && let Some(value) = words.iter().skip_while(|word| !word.eq_ignore_ascii_case("quorum")).nth(1)
            && let Ok(quorum) = value.parse::<u32>()
        {
            let least = self.quorums.entry(name.to_owned()).or_insert(quorum);
            *least = quorum.min(*least);
        }
    }

    fn notice(&mut self, scene: &Scene, event: &str, payload: &str) -> Result<(), String> {
        let Some(named) = words::instance(payload).filter(|named| named.kind == "master") else {
            return Ok(());
        };
        match event {
            "+sdown" => {
                self.sdown.insert(named.address);
            }
            "-sdown" => {
                self.sdown.remove(&named.address);
            }
            "+odown" => {
                let least = self.quorums.get(named.name).copied();
                let file = words::master(&scene.facts().disk, named.name).map(|master| master.quorum);
                let quorum = least.into_iter().chain(file).min().unwrap_or(1);
                return self.judge(scene, named.address, usize::try_from(quorum).unwrap_or(usize::MAX));
            }
            _ => {}
        }
        Ok(())
    }

    fn judge(&self, scene: &Scene, master: SocketAddrV4, quorum: usize) -> Result<(), String> {
        if !self.sdown.contains(&master) {
            return Err(format!("{master} is objectively down for who does not hold it for down itself"));
        }
        let about_it = self.down.iter().filter(|((_, about), _)| *about == master);
        let opinions = about_it.filter(|(_, opinion)| opinion.counts(scene.at)).count();
        if 1 + opinions >= quorum {
            return Ok(());
        }
        Err(format!("{master} is objectively down by {opinions} fresh opinions about it, of {}", quorum - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    fn odown() -> Seen {
        notice("+odown", &format!("{} #quorum 2/2", of_master(1)))
    }

    #[test]
    fn a_fresh_opinion_counts() {
        let mut stage = Stage::new(Opinions::default());
        stage.fine(Seen::Started).says("+sdown", &of_master(1)).fine(asked(sentinel(1), 0, None));
        stage.fine(opinion(1, true)).at(5_000).fine(odown());
    }

    #[test]
    fn an_old_one_does_not() {
        let mut stage = Stage::new(Opinions::default());
        stage.fine(Seen::Started).says("+sdown", &of_master(1)).fine(asked(sentinel(1), 0, None));
        stage.fine(opinion(1, true)).at(5_001).wrong(odown());
    }

    #[test]
    fn nor_one_taken_back_or_about_another_address() {
        let mut stage = Stage::new(Opinions::default());
        stage.fine(Seen::Started).says("+sdown", &of_master(1)).wrong(odown());
        stage.fine(asked(sentinel(1), 0, None)).fine(opinion(1, true)).fine(odown());
        stage.fine(asked(sentinel(1), 0, None)).fine(opinion(1, false)).fine(odown());
        stage.at(1).wrong(odown());
        stage.fine(asked(sentinel(1), 0, None)).fine(opinion(1, true)).says("+sdown", &of_master(2));
        stage.wrong(notice("+odown", &format!("{} #quorum 2/2", of_master(2))));
    }

    #[test]
    fn nor_ours_alone_nor_without_ours() {
        let mut stage = Stage::new(Opinions::default());
        stage.fine(Seen::Started).fine(asked(sentinel(1), 0, None)).fine(opinion(1, true)).wrong(odown());
        stage.says("+sdown", &of_master(1)).fine(odown()).fine(Seen::Started).says("+sdown", &of_master(1));
        stage.wrong(odown()).fine(ordered("SENTINEL SET m quorum 1")).fine(odown());
    }
}
