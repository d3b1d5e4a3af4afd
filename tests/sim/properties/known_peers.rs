//! **A Sentinel forgets another only by an operator's word, or because a new one took its place.** The Sentinels that are known are those
//! who vote: whoever forgets some of them finds a majority where there is none (spec 2 §6.4).
//!
//! Looked at in the file, at the start and at every save. RESET and REMOVE excuse, once, those that are missing afterwards, also if they were not saved before; so does a hello of a Sentinel with
//! another id at the same address (§6.3 step 3b). Holds for reference Sentinels too.
//!
//! Can't see: what is known and not saved; every save writes all that is known.

use std::collections::{BTreeMap, BTreeSet};

use sentineld::conf::{KnownPeer, MasterSettings};

use super::words;
use crate::seen::{Property, Scene, Seen};

#[derive(Default)]
pub struct KnownPeers {
    /// By Sentinel and address: who was heard of there last.
    speakers: BTreeMap<(String, String, u16), String>,
    /// By Sentinel and master.
    of: BTreeMap<(String, String), Peers>,
}

#[derive(Default)]
struct Peers {
    /// Id → where it was, at the last save.
    saved: BTreeMap<String, (String, u16)>,
    /// Those that were introduced, saved or not.
    introduced: BTreeSet<String>,
    /// Those that may be missing.
    excused: BTreeSet<String>,
}

impl Property for KnownPeers {
    fn name(&self) -> &'static str {
        "known Sentinels shrink only by an operator's word or a replacement"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        let me = &scene.facts().run_id;
        let ours = self.of.iter_mut().filter(|((node, _), _)| node == me);
        match seen {
            Seen::Ordered { words } => {
                for ((_, _), peers) in ours.filter(|((_, name), _)| words::forgets(words, name)) {
                    peers.excused.extend(peers.saved.keys().cloned());
                    peers.excused.append(&mut peers.introduced);
                }
                Ok(())
            }
            Seen::Started => {
                for master in &scene.facts().disk.masters {
                    let peers = self.of.entry((me.clone(), master.name.to_string())).or_default();
                    (peers.saved, peers.introduced) = (in_file(master), BTreeSet::new());
                }
                Ok(())
            }
            Seen::Notice { name, payload } if name == "+sentinel" => {
                if let Some(named) = words::instance(payload) {
                    let peers = self.of.entry((me.clone(), named.master.to_owned())).or_default();
                    peers.introduced.insert(named.name.to_owned());
                }
                Ok(())
            }
            Seen::Heard { hello } => {
                let place = (me.clone(), hello.host.clone(), hello.port);
                self.speakers.insert(place, hello.run_id.to_string());
                for (_, peers) in ours {
                    // Whoever had this address before is gone, for every master (spec 2 §6.3 step 3b).
                    let same = |place: &(String, u16)| place.0 == hello.host && place.1 == hello.port;
                    let replaced = peers
                        .saved
                        .iter()
                        .filter(|(id, place)| same(place) && id.as_str() != hello.run_id.as_str());
                    peers.excused.extend(replaced.map(|(id, _)| id.clone()));
                }
                Ok(())
            }
            Seen::Saved => self.saved(scene),
            _ => Ok(()),
        }
    }
}

impl KnownPeers {
    fn saved(&mut self, scene: &Scene) -> Result<(), String> {
        let facts = scene.facts();
        for master in &facts.disk.masters {
            let peers = self.of.entry((facts.run_id.clone(), master.name.to_string())).or_default();
            let now = in_file(master);
            let replaced = |(host, port): &(String, u16), id: &String| {
                let place = (facts.run_id.clone(), host.clone(), *port);
                self.speakers.get(&place).is_some_and(|speaker| speaker != id)
            };
            let mut missing = peers.saved.iter().filter(|(id, place)| {
                !now.contains_key(*id) && !peers.excused.contains(*id) && !replaced(place, id)
            });
            if let Some((id, _)) = missing.next() {
                return Err(format!("{} forgot {id}, which it knew for {}", facts.run_id, master.name));
            }
            peers.excused.retain(|id| now.contains_key(id));
            peers.saved = now;
        }
        Ok(())
    }
}

fn in_file(master: &MasterSettings) -> BTreeMap<String, (String, u16)> {
    let place = |peer: &KnownPeer| (peer.run_id.to_string(), (peer.host.clone(), peer.port));
    master.peers.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn they_may_grow_and_move() {
        let mut stage = Stage::new(KnownPeers::default());
        stage.file().peers.pop();
        stage.fine(Seen::Saved).file().peers.push(sentineld::conf::KnownPeer {
            run_id: id(2).into(),
            host: "10.0.1.2".into(),
            port: 26379,
        });
        stage.fine(Seen::Saved).file().peers[1].port = 26380;
        stage.fine(Seen::Saved);
    }

    #[test]
    fn they_may_not_be_lost() {
        let mut stage = Stage::new(KnownPeers::default());
        stage.fine(Seen::Saved).file().peers.pop();
        stage.wrong(Seen::Saved);
    }

    #[test]
    fn an_operator_may_forget_them_once() {
        let mut stage = Stage::new(KnownPeers::default());
        stage.fine(Seen::Saved).fine(ordered("SENTINEL RESET m"));
        let known = std::mem::take(&mut stage.file().peers);
        stage.fine(Seen::Saved).file().peers = known;
        stage.fine(Seen::Saved).file().peers.clear();
        stage.wrong(Seen::Saved);
    }

    #[test]
    fn also_those_that_only_the_first_file_or_nothing_held_so_far() {
        let mut stage = Stage::new(KnownPeers::default());
        stage.fine(Seen::Started).fine(ordered("SENTINEL RESET m")).fine(Seen::Saved).file().peers.clear();
        stage.fine(Seen::Saved);
        let known = format!("sentinel {} 10.0.1.2 26379 @ m 10.0.0.1 6379", id(2));
        stage.says("+sentinel", &known).fine(ordered("SENTINEL RESET m"));
        stage.file().peers.push(KnownPeer { run_id: id(2).into(), host: "10.0.1.2".into(), port: 26379 });
        stage.fine(Seen::Saved).file().peers.clear();
        stage.fine(Seen::Saved);
    }

    #[test]
    fn the_first_file_counts() {
        let mut stage = Stage::new(KnownPeers::default());
        stage.fine(Seen::Started).file().peers.clear();
        stage.wrong(Seen::Saved);
    }

    #[test]
    fn who_is_replaced_may_go() {
        let mut stage = Stage::new(KnownPeers::default());
        let mut other = hello(7, 0, 1, 0);
        (other.host, other.port) = (sentinel(2).ip().to_string(), sentinel(2).port());
        stage.fine(Seen::Saved).fine(heard(other)).file().peers.pop();
        stage.fine(Seen::Saved).file().peers.pop();
        stage.wrong(Seen::Saved);
    }
}
