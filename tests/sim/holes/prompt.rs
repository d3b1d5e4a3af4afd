//! **A master that is objectively down is replaced within a bound**, once there is a replica that could take its place: the promise of
//! liveness that is kept in plans whose only trouble is what it is about. It is no property of every run: in most of them the network,
//! the disks or the operators keep a failover from happening for longer.
//!
//! And the failover ends within a bound from its promotion: the other replicas are led to the new master, or given up.

use std::collections::BTreeMap;

use crate::properties::words;
use crate::redis::{Following, Link, Role};
use crate::seen::{Property, Scene, Seen};

/// How long things may take, in nanoseconds.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// From objectively down, or from when there is a replica, to the switch.
    pub replaced: u64,
    /// From the promotion to the end of the failover.
    pub ended: u64,
}

pub struct Prompt {
    bounds: Bounds,
    /// By Sentinel and master: since when it is objectively down, and could be replaced.
    down: BTreeMap<(usize, String), u64>,
    /// Since when a Sentinel re-points the replicas of a master.
    ending: BTreeMap<(usize, String), u64>,
}

impl Prompt {
    pub fn new(bounds: Bounds) -> Self {
        Prompt { bounds, down: BTreeMap::new(), ending: BTreeMap::new() }
    }

    fn notice(&mut self, scene: &Scene, event: &str, payload: &str) {
        if event == "+switch-master" {
            if let Some((master, ..)) = words::switch(payload) {
                self.down.retain(|(_, name), _| name != master);
            }
            return;
        }
        let Some(named) = words::instance(payload) else { return };
        let key = (scene.node, named.master.to_owned());
        match event {
            "+odown" => {
                self.down.entry(key).or_insert(scene.at);
            }
            "-odown" => {
                self.down.remove(&key);
            }
            "+promoted-slave" => {
                self.down.retain(|(_, name), _| name != named.master);
                self.ending.insert(key, scene.at);
            }
            "+failover-end" | "+config-update-from" => {
                self.ending.remove(&key);
            }
            _ => {}
        }
    }

    /// Some replica of this master is fit to be promoted.
    fn has_spare(scene: &Scene, name: &str) -> bool {
        let Some(master) = words::master(&scene.facts().disk, name) else { return false };
        master.replicas.iter().any(|(host, port)| {
            let address = host.parse().ok().map(|ip| std::net::SocketAddrV4::new(ip, *port));
            let server = address.and_then(|address| scene.servers.get(&address));
            server.is_some_and(|server| {
                let in_sync = |following: &Following| !matches!(following.link, Link::Syncing { .. });
                server.is_well(scene.at)
                    && matches!(&server.role, Role::Replica(following) if in_sync(following))
            })
        })
    }
}

impl Property for Prompt {
    fn name(&self) -> &'static str {
        "a master that is down is replaced in time"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Notice { name, payload } => self.notice(scene, name, payload),
            Seen::Started | Seen::Died => {
                self.ending.retain(|(node, _), _| *node != scene.node);
                self.down.retain(|(node, _), _| *node != scene.node);
            }
            Seen::Turned => {
                for ((_, name), since) in self.down.iter_mut().filter(|((node, _), _)| *node == scene.node) {
                    if !Prompt::has_spare(scene, name) {
                        *since = scene.at;
                    } else if scene.at > *since + self.bounds.replaced {
                        return Err(format!(
                            "{name} is down and was not replaced within {} ms",
                            self.bounds.replaced / 1_000_000
                        ));
                    }
                }
                let late = self
                    .ending
                    .iter()
                    .find(|((node, _), at)| *node == scene.node && scene.at > **at + self.bounds.ended);
                if let Some(((_, name), _)) = late {
                    return Err(format!(
                        "the failover of {name} did not end within {} ms",
                        self.bounds.ended / 1_000_000
                    ));
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
    use crate::redis::Server;

    fn spare() -> Stage<Prompt> {
        let mut stage = Stage::new(Prompt::new(Bounds { replaced: 5_000_000_000, ended: 5_000_000_000 }));
        let mut replica = Server::new(server(2), 0, "abc");
        replica.follow(0, server(1));
        stage.servers.insert(server(2), replica);
        stage
    }

    #[test]
    fn in_time_is_fine() {
        let mut stage = spare();
        stage
            .says("+odown", &of_master(1))
            .at(5_000)
            .fine(Seen::Turned)
            .says("+promoted-slave", &of_replica(2, 1));
        stage
            .at(10_000)
            .fine(Seen::Turned)
            .says("+failover-end", &of_master(1))
            .at(30_000)
            .fine(Seen::Turned);
        stage.servers.clear();
        stage.says("+odown", &of_master(1)).at(60_000).fine(Seen::Turned);
    }

    #[test]
    fn late_is_not() {
        let mut stage = spare();
        stage.says("+odown", &of_master(1)).at(5_001).wrong(Seen::Turned).says("-odown", &of_master(1));
        stage.says("+promoted-slave", &of_replica(2, 1)).at(10_002).wrong(Seen::Turned);
    }
}
