//! **A Sentinel forgets another only by an operator's word, or because a new one took its place.** The Sentinels that are known are those
//! who vote: whoever forgets some of them finds a majority where there is none (spec 2 §6.4).
//!
//! Looked at in the file, at every save. RESET and REMOVE excuse, until they are heard of again, those that are missing afterwards; so does a hello of a Sentinel with
//! another id at the same address (§6.3 step 3b). Holds for reference Sentinels too.
//!
//! Can't see: what is known and not saved; every save writes all that is known.

use std::collections::BTreeMap;

use super::words;
use crate::seen::{Property, Scene, Seen};

/// So long after it was heard of again one that was forgotten may come and go in the file, in nanoseconds.
const WINDOW: u64 = 15_000_000_000;

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
    /// Those that may be missing, and when they were first heard of after that.
    excused: BTreeMap<String, Option<u64>>,
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
                    peers.excused.extend(peers.saved.keys().map(|id| (id.clone(), None)));
                }
                Ok(())
            }
            Seen::Heard { hello } => {
                let place = (me.clone(), hello.host.clone(), hello.port);
                self.speakers.insert(place, hello.run_id.to_string());
                for (_, peers) in ours {
                    if let Some(first) = peers.excused.get_mut(hello.run_id.as_str()) {
                        first.get_or_insert(scene.at);
                    }
                    // Whoever had this address before is gone, for every master (spec 2 §6.3 step 3b).
                    let same = |place: &(String, u16)| place.0 == hello.host && place.1 == hello.port;
                    let replaced = peers
                        .saved
                        .iter()
                        .filter(|(id, place)| same(place) && id.as_str() != hello.run_id.as_str());
                    peers.excused.extend(replaced.map(|(id, _)| (id.clone(), None)));
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
            let now: BTreeMap<String, (String, u16)> = master
                .peers
                .iter()
                .map(|peer| (peer.run_id.to_string(), (peer.host.clone(), peer.port)))
                .collect();
            let replaced = |(host, port): &(String, u16), id: &String| {
                let place = (facts.run_id.clone(), host.clone(), *port);
                self.speakers.get(&place).is_some_and(|speaker| speaker != id)
            };
            let mut missing = peers.saved.iter().filter(|(id, place)| {
                !now.contains_key(*id) && !peers.excused.contains_key(*id) && !replaced(place, id)
            });
            if let Some((id, _)) = missing.next() {
                return Err(format!("{} forgot {id}, which it knew for {}", facts.run_id, master.name));
            }
            peers.excused.retain(|_, heard| heard.is_none_or(|at| scene.at < at + WINDOW));
            peers.saved = now;
        }
        Ok(())
    }
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
    fn an_operator_may_forget_them_until_they_are_heard_of() {
        let mut stage = Stage::new(KnownPeers::default());
        stage.fine(Seen::Saved).fine(ordered("SENTINEL RESET m"));
        let known = std::mem::take(&mut stage.file().peers);
        stage.at(20_000).fine(Seen::Saved).fine(heard(hello(1, 0, 1, 0))).file().peers = known;
        stage.at(35_000).fine(Seen::Saved).file().peers.retain(|peer| peer.run_id.as_str() == id(1));
        stage.fine(Seen::Saved).file().peers.clear();
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
