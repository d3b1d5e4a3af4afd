//! **Servers of another cluster are left alone**: not promoted, not re-pointed, and nobody is sent to them, although their cluster calls its
//! master by the same name and one of them has an address that was ours (spec 2 §14.3).
//!
//! Which cluster a server belongs to is the simulator's knowledge. A Sentinel can tell from the time on when it has had, since its start, a
//! report of the very master whose replica the stranger is taken for, and one of the stranger that shows it in step with a master of its own
//! cluster; before that it knows of no lineage, and nothing is held against it. Reference Sentinels are skipped, and so are ours beside one: they adopt what those adopted.
//!
//! Who is made to follow one of ours, by a Sentinel that could not tell or by hand, came over, and is a stranger no more.
//!
//! A Sentinel that names the same address as before, which was given away meanwhile, has followed nobody: it has yet to learn better.
//!
//! A server of ours that copied the data of a stranger, before anybody could tell that it was one, and is the master by now has made the
//! stranger's history ours: nothing tells the two apart any more. Whom those who saw that promote is named by all the others, as a Sentinel that
//! missed it believes its own.
//!
//! Can't see: strangers that follow nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::conf::MasterSettings;
use sentineld::wire::{InfoReport, Role};

use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct Foreign {
    /// The clusters that the first files name.
    home: BTreeSet<usize>,
    /// Sentinels, with the masters' names, that have had a report of the right master.
    informed: BTreeSet<(usize, String)>,
    /// Which address each Sentinel named last as a master's: whose address is given away under it has sent nobody there.
    named: BTreeMap<(usize, String), SocketAddrV4>,
    /// Sentinels, and the strangers that they could tell from the servers of a master, with the histories of their data.
    strangers: BTreeMap<(usize, SocketAddrV4, String), BTreeSet<String>>,
    /// By Sentinel and master: the histories of the data that the right master reported.
    ours: BTreeMap<(usize, String), BTreeSet<String>>,
    /// By master: the histories that any of the right masters ever reported to anybody.
    joined: BTreeMap<String, BTreeSet<String>>,
}

impl Property for Foreign {
    fn name(&self) -> &'static str {
        "servers of another cluster are never re-pointed or followed"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        if scene.nodes.iter().any(|node| node.kind == Kind::Reference) {
            return Ok(());
        }
        match seen {
            Seen::Started => {
                if scene.at == 0 {
                    let places = scene.facts().disk.masters.iter().filter_map(words::place);
                    self.home.extend(places.filter_map(|place| Some(scene.servers.get(&place)?.cluster)));
                }
                self.informed.retain(|(node, _)| *node != scene.node);
                self.strangers.retain(|(node, ..), _| *node != scene.node);
                self.ours.retain(|(node, _), _| *node != scene.node);
                self.named.retain(|(node, _), _| *node != scene.node);
                for master in &scene.facts().disk.masters {
                    let key = (scene.node, master.name.to_string());
                    self.named.extend(words::place(master).map(|place| (key, place)));
                }
            }
            Seen::Informed { server, report } => self.informed(scene, *server, report),
            Seen::Ordered { words } => {
                let node = scene.node;
                self.informed.retain(|(at, name)| *at != node || !words::forgets(words, name));
                self.strangers.retain(|(at, _, name), _| *at != node || !words::forgets(words, name));
                self.ours.retain(|(at, name), _| *at != node || !words::forgets(words, name));
            }
            Seen::Pointed { server, .. } if self.is_nobodys(scene, *server) => {
                return Err(format!("{server} is told whom to follow, which belongs to another cluster"));
            }
            Seen::Greeted { hello, .. } => {
                let Ok(host) = hello.master_host.parse() else { return Ok(()) };
                let address = SocketAddrV4::new(host, hello.master_port);
                let key = (scene.node, hello.master_name.to_string());
                let moved = self.named.insert(key, address) != Some(address);
                let name = hello.master_name.as_str();
                if moved && self.is_stranger(scene, address, name) && !self.has_joined(scene, address, name) {
                    return Err(format!(
                        "{} is said to be {}, which belongs to another cluster",
                        hello.master_name, address
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Foreign {
    fn informed(&mut self, scene: &Scene, address: SocketAddrV4, report: &InfoReport) {
        let Some(server) = scene.servers.get(&address) else { return };
        match (self.home.contains(&server.cluster), report.role) {
            (true, Some(Role::Master)) => {
                let masters = scene.facts().disk.masters.iter();
                let names = masters.filter(|master| words::place(master) == Some(address));
                for key in names.map(|master| (scene.node, master.name.to_string())) {
                    self.joined.entry(key.1.clone()).or_default().extend(histories(report));
                    self.ours.entry(key.clone()).or_default().extend(histories(report));
                    self.informed.insert(key);
                }
            }
            (false, Some(Role::Replica)) if self.is_at_home(scene, report) => {
                self.strangers.retain(|(node, at, _), _| *node != scene.node || *at != address);
            }
            (false, Some(Role::Replica)) if report.master_link_up == Some(true) => {
                let informed = self.informed.iter().filter(|(node, _)| *node == scene.node);
                let told = informed.map(|(node, name)| ((*node, address, name.clone()), histories(report)));
                self.strangers.extend(told);
            }
            _ => {}
        }
    }

    /// It follows one of ours: somebody made it come over, and it copies our data.
    fn is_at_home(&self, scene: &Scene, report: &InfoReport) -> bool {
        let host = report.master_host.as_deref().and_then(|host| host.parse().ok());
        let place = host.zip(report.master_port).map(|(host, port)| SocketAddrV4::new(host, port));
        let server = place.and_then(|place| scene.servers.get(&place));
        server.is_some_and(|server| self.home.contains(&server.cluster))
    }

    /// True for a stranger to the masters that the Sentinel's file has it under; to any of them, if the file does not have it.
    fn is_nobodys(&self, scene: &Scene, server: SocketAddrV4) -> bool {
        let here = |(host, port): &(String, u16)| {
            host.parse().is_ok_and(|host| SocketAddrV4::new(host, *port) == server)
        };
        let masters = &scene.facts().disk.masters;
        let owns = |master: &&MasterSettings| {
            words::place(master) == Some(server) || master.replicas.iter().any(here)
        };
        let filed = masters.iter().any(|master| owns(&master));
        let mut owners = masters.iter().filter(|master| !filed || owns(master));
        owners.any(|master| self.is_stranger(scene, server, master.name.as_str()))
    }

    fn is_stranger(&self, scene: &Scene, address: SocketAddrV4, master: &str) -> bool {
        let told = self.strangers.get(&(scene.node, address, master.to_owned()));
        let ours = self.ours.get(&(scene.node, master.to_owned()));
        let known = told.is_some_and(|told| ours.is_none_or(|ours| ours.is_disjoint(told)));
        known && scene.servers.get(&address).is_some_and(|server| !self.home.contains(&server.cluster))
    }

    /// A master of ours had the stranger's data before.
    fn has_joined(&self, scene: &Scene, address: SocketAddrV4, master: &str) -> bool {
        let told = self.strangers.get(&(scene.node, address, master.to_owned()));
        let joined = self.joined.get(master);
        told.zip(joined).is_some_and(|(told, joined)| !joined.is_disjoint(told))
    }
}

/// The ids of what a server's data is, and was copied from.
fn histories(report: &InfoReport) -> BTreeSet<String> {
    let ids = [&report.repl_id, &report.repl_id2].into_iter().flatten();
    ids.filter(|id| id.bytes().any(|byte| byte != b'0')).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;
    use crate::redis::Server;

    const IN_STEP: &str = "role:slave;master_host:10.0.9.1;master_port:6379;master_link_status:up;";

    fn reused() -> Stage<Foreign> {
        let mut stage = Stage::new(Foreign::default());
        let servers = [(1, 0), (2, 0), (3, 1)];
        let servers =
            servers.map(|(number, cluster)| (server(number), Server::new(server(number), cluster, "abc")));
        stage.servers.extend(servers);
        stage.fine(Seen::Started);
        stage
    }

    #[test]
    fn ours_may_be_pointed_and_a_stranger_before_it_is_known() {
        let mut stage = reused();
        stage.fine(pointed(2, None)).fine(info(3, IN_STEP)).fine(pointed(3, Some(1)));
        stage
            .fine(info(1, "role:master;"))
            .fine(pointed(3, Some(1)))
            .fine(info(2, IN_STEP))
            .fine(pointed(2, None));
    }

    #[test]
    fn a_stranger_may_not() {
        let mut stage = reused();
        stage.fine(info(1, "role:master;")).fine(info(3, IN_STEP)).wrong(pointed(3, Some(1)));
        stage.wrong(pointed(3, None)).wrong(greeted(hello(0, 1, 3, 1))).fine(greeted(hello(0, 1, 2, 1)));
        stage.fine(Seen::Started).fine(pointed(3, None));
    }

    #[test]
    fn whose_own_master_s_address_is_given_away_followed_nobody() {
        let mut stage = reused();
        stage.fine(greeted(hello(0, 1, 2, 1))).fine(info(1, "role:master;"));
        stage.servers.get_mut(&server(2)).expect("there").cluster = 1;
        stage.fine(info(2, IN_STEP)).fine(greeted(hello(0, 1, 2, 1))).fine(greeted(hello(0, 1, 1, 1)));
        stage.wrong(greeted(hello(0, 1, 2, 1)));
    }

    #[test]
    fn who_heard_of_another_master_only_can_not_tell() {
        let mut stage = reused();
        let mut other = stage.file().clone();
        (other.name, other.host) = ("other".into(), "10.0.0.2".into());
        other.replicas.clear();
        stage.nodes[0].disk.masters.push(other);
        stage.fine(info(2, "role:master;")).fine(info(3, IN_STEP)).fine(pointed(3, Some(1)));
        stage.fine(info(1, "role:master;")).fine(info(3, IN_STEP)).wrong(pointed(3, Some(1)));
    }

    #[test]
    fn who_came_over_is_a_stranger_no_more() {
        let mut stage = reused();
        stage.fine(info(1, "role:master;")).fine(info(3, IN_STEP)).wrong(pointed(3, Some(1)));
        stage.fine(info(3, "role:slave;master_host:10.0.0.1;master_port:6379;master_link_status:down;"));
        stage.fine(pointed(3, Some(2))).fine(info(3, IN_STEP)).wrong(pointed(3, Some(1)));
    }

    #[test]
    fn whose_data_our_master_has_is_no_stranger_to_it() {
        let (theirs, ours) = ("a".repeat(40), "b".repeat(40));
        let stranger = format!("{IN_STEP}master_replid:{theirs};");
        let mut stage = reused();
        stage.fine(info(1, &format!("role:master;master_replid:{ours};"))).fine(info(3, &stranger));
        stage.wrong(pointed(3, Some(1)));
        stage.fine(info(1, &format!("role:master;master_replid:{ours};master_replid2:{theirs};")));
        stage.fine(pointed(3, Some(1))).fine(ordered("SENTINEL RESET m")).fine(info(1, "role:master;"));
        stage.fine(info(3, &stranger)).wrong(pointed(3, Some(1)));
    }

    #[test]
    fn whose_data_a_master_of_ours_had_is_named_by_those_who_missed_that() {
        let (theirs, ours) = ("a".repeat(40), "b".repeat(40));
        let master = |id: &str| info(1, &format!("role:master;master_replid:{id};"));
        let stranger = info(3, &format!("{IN_STEP}master_replid:{theirs};"));
        let mut stage = reused();
        stage.fine(master(&ours)).fine(stranger).wrong(greeted(hello(0, 1, 3, 1)));
        stage.fine(greeted(hello(0, 1, 2, 1))).node(1).fine(Seen::Started).fine(master(&theirs));
        stage.node(0).fine(greeted(hello(0, 1, 3, 1))).wrong(pointed(3, Some(1)));
    }

    #[test]
    fn a_reset_forgets_who_is_a_stranger() {
        let mut stage = reused();
        stage.fine(info(1, "role:master;")).fine(info(3, IN_STEP));
        stage.fine(Seen::Ordered { words: ["SENTINEL", "RESET", "m"].map(str::to_owned).to_vec() });
        stage.fine(pointed(3, None)).fine(info(3, IN_STEP)).fine(pointed(3, None));
    }
}
