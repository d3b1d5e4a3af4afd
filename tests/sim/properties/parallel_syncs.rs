//! **No more than parallel-syncs replicas are re-pointed at a time**, by a leader after a promotion: a replica that synchronises serves no
//! reads (spec 2 §9.6).
//!
//! A replica is under way from SLAVEOF until it reports to follow the new master with its link up, refuses, loses the connection before
//! it answers, is subjectively down, or has had ten seconds. Who said last that it follows the new master already, as the replica of a replica
//! may, has nothing to synchronise, and is not under way however often it is told. What a leader tells the rest at the end of failover-timeout is its last word
//! and not counted; nor are later repairs, which happen one by one when replicas report. Reference Sentinels are skipped: they count what
//! timed out, but send to it again in the same moment (§9.6).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::engine::ConnKind;
use sentineld::wire::{InfoReport, Reply};

use super::leads::Leads;
use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// How long a replica counts that makes no progress, in nanoseconds.
const GIVEN: u64 = 10_000_000_000;

#[derive(Default)]
pub struct ParallelSyncs {
    leads: Leads,
    /// By Sentinel and master: replicas under way, and since when.
    under_way: BTreeMap<(usize, String), BTreeMap<SocketAddrV4, u64>>,
    /// By Sentinel and server: the master that it is in step with, by its last report on this connection.
    in_step: BTreeMap<(usize, SocketAddrV4), SocketAddrV4>,
    /// Sentinels, and the servers that they hold for down.
    down: BTreeSet<(usize, SocketAddrV4)>,
    /// By Sentinel and master: the greatest limit since its start, as an operator may change it.
    limits: BTreeMap<(usize, String), i32>,
}

impl Property for ParallelSyncs {
    fn name(&self) -> &'static str {
        "parallel-syncs is respected"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        match seen {
            _ if scene.facts().kind == Kind::Reference => {}
            Seen::Started => {
                self.under_way.retain(|(node, _), _| *node != scene.node);
                self.limits.retain(|(node, _), _| *node != scene.node);
                self.in_step.retain(|(node, _), _| *node != scene.node);
                self.down.retain(|(node, _)| *node != scene.node);
            }
            Seen::Ordered { words } => self.ordered(scene, words),
            Seen::Notice { name, payload } => self.notice(scene, name, payload),
            Seen::Broken { to, kind: ConnKind::Command } => {
                self.in_step.remove(&(scene.node, *to));
                self.done(scene, *to);
            }
            Seen::Got { from, reply: Reply::Exec(results), .. } => {
                let accepted =
                    results.as_ref().is_some_and(|results| results.first().is_some_and(Result::is_ok));
                if !accepted {
                    self.done(scene, *from);
                }
            }
            Seen::Got { from, reply: Reply::Error(_), .. } => self.done(scene, *from),
            Seen::Informed { server, report } => self.reported(scene, *server, report),
            Seen::Pointed { server, master: Some(to) } => return self.pointed(scene, *server, *to),
            _ => {}
        }
        Ok(())
    }
}

impl ParallelSyncs {
    /// What an operator sets holds at once, before it is in the file.
    fn ordered(&mut self, scene: &Scene, words: &[String]) {
        if let Some((name, set)) = words::set(words, "parallel-syncs") {
            let limit = self.limits.entry((scene.node, name.to_owned())).or_insert(set);
            *limit = set.max(*limit);
        }
    }

    fn notice(&mut self, scene: &Scene, event: &str, payload: &str) {
        let Some(named) = words::instance(payload) else { return };
        match event {
            "+promoted-slave" => {
                let key = (scene.node, named.master.to_owned());
                self.under_way.insert(key, BTreeMap::new());
            }
            "+sdown" => {
                self.down.insert((scene.node, named.address));
                self.done(scene, named.address);
            }
            "-sdown" | "+slave" => {
                self.down.remove(&(scene.node, named.address));
            }
            _ => {}
        }
    }

    fn done(&mut self, scene: &Scene, server: SocketAddrV4) {
        let ours = self.under_way.iter_mut().filter(|((node, _), _)| *node == scene.node);
        ours.for_each(|(_, under_way)| {
            under_way.remove(&server);
        });
    }

    fn reported(&mut self, scene: &Scene, from: SocketAddrV4, report: &InfoReport) {
        let host = report.master_host.as_ref().and_then(|host| host.parse().ok());
        let place = host.zip(report.master_port).map(|(host, port)| SocketAddrV4::new(host, port));
        let Some(place) = place.filter(|_| report.master_link_up == Some(true)) else {
            self.in_step.remove(&(scene.node, from));
            return;
        };
        self.in_step.insert((scene.node, from), place);
        let ours = self.under_way.iter_mut().filter(|((node, _), _)| *node == scene.node);
        for ((_, master), under_way) in ours {
            if self.leads.of(scene.node, master).and_then(|lead| lead.promoted) == Some(place) {
                under_way.remove(&from);
            }
        }
    }

    fn pointed(&mut self, scene: &Scene, server: SocketAddrV4, to: SocketAddrV4) -> Result<(), String> {
        let ours = self.under_way.iter_mut().filter(|((node, _), _)| *node == scene.node);
        for (key, under_way) in ours {
            if self.leads.of(scene.node, &key.1).and_then(|lead| lead.promoted) != Some(to) {
                continue;
            }
            let Some(master) = words::master(&scene.facts().disk, &key.1) else { continue };
            let limit = self.limits.entry(key.clone()).or_insert(0);
            *limit = (*limit).max(master.parallel_syncs);
            under_way.retain(|_, since| scene.at <= *since + GIVEN);
            let key = (scene.node, server);
            if !self.down.contains(&key) && self.in_step.get(&key) != Some(&to) {
                under_way.insert(server, scene.at);
            }
            if under_way.len() > usize::try_from(*limit).unwrap_or(0) {
                let which: Vec<String> = under_way.keys().map(ToString::to_string).collect();
                return Err(format!("parallel-syncs is {limit}, but under way are {}", which.join(", ")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    fn promoted() -> Stage<ParallelSyncs> {
        let mut stage = Stage::new(ParallelSyncs::default());
        stage.elected(1, &[1], 2).fine(pointed(2, None)).says("+promoted-slave", &of_replica(2, 1));
        stage
    }

    const FOLLOWS: &str = "role:slave;master_host:10.0.0.2;master_port:6379;master_link_status:up;";

    #[test]
    fn one_after_the_other_is_fine() {
        let mut stage = promoted();
        stage.fine(pointed(3, Some(2))).fine(info(3, FOLLOWS)).fine(pointed(4, Some(2)));
        stage.fine(broken(server(4))).fine(pointed(5, Some(2)));
        stage.says("+sdown", &of_replica(5, 1)).fine(pointed(6, Some(2)));
        stage.at(10_001).fine(pointed(7, Some(2)));
        // Repairs towards another master are none of it.
        stage.fine(pointed(8, Some(1)));
    }

    #[test]
    fn two_at_a_time_are_not() {
        let mut stage = promoted();
        stage.fine(pointed(3, Some(2))).fine(info(3, &FOLLOWS.replace("up", "down"))).at(9_999);
        stage.wrong(pointed(4, Some(2)));
    }

    #[test]
    fn who_follows_the_new_master_already_is_not_under_way() {
        let mut stage = promoted();
        stage.fine(info(3, FOLLOWS)).fine(pointed(3, Some(2))).fine(pointed(4, Some(2)));
        for other in [FOLLOWS.replace("up", "down"), FOLLOWS.replace("0.2", "0.1"), "role:master;".to_owned()]
        {
            let mut stage = promoted();
            stage.fine(info(3, FOLLOWS)).fine(info(3, &other)).fine(pointed(3, Some(2)));
            stage.wrong(pointed(4, Some(2)));
        }
        let mut stage = promoted();
        stage.fine(info(3, FOLLOWS)).fine(broken(server(3))).fine(pointed(3, Some(2)));
        stage.wrong(pointed(4, Some(2)));
    }

    #[test]
    fn two_are_if_two_are_allowed() {
        let mut stage = promoted();
        stage.file().parallel_syncs = 2;
        stage.fine(pointed(3, Some(2))).fine(pointed(4, Some(2))).wrong(pointed(5, Some(2)));
    }
}
