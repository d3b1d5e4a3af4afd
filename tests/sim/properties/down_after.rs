//! **Nothing is held for down before it was silent for down-after**, and a new master gets all of it from our first connection: it is not
//! failed over because all its clients arrive at once (spec 2 §7.1, §9.8; §14.2 row 2). And what was down is alive again only by an answer.
//!
//! Silence is the time without an answer that counts as life (of a server to PING, of a Sentinel to anything), on a connection that is still
//! there. While the Sentinel itself stood still for more than 200 ms nobody was silent, for two seconds of one silence at most; after more
//! than that at once (TILT) all of it is due again, and an answer to what was asked before says nothing any more. An attempt to connect that came to nothing is as good as a first connection.
//! A master that calls itself a replica is down for another reason (§7.1 b), and left out. A leader goes on with the replica that it
//! promoted until its failover ends, and a replica that a RESET set aside is watched meanwhile: neither begins anew by being announced. The
//! least down-after since the start counts, as an operator may change it.
//! Reference Sentinels are skipped: theirs begins at the switch, not at the connection. So are two Sentinels that are known at one
//! address, because somebody made one of them up: each has a connection of its own, and it can't be told which of them answered; nor, when one of them
//! is gone, which it was that answered last.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::conf::KnownPeer;
use sentineld::engine::ConnKind;
use sentineld::wire::{PingReply, Reply, Role};

use super::words::{self, Named};
use crate::seen::{Kind, Property, Scene, Seen};

/// So long a new master's clock waits for a connection, in nanoseconds: then one that can't be reached is down in bounded time.
const CONTACT: u64 = 2_000_000_000;

/// A shorter pause of the Sentinel itself is none, and a longer one than this means TILT, in nanoseconds.
const STALL: u64 = 200_000_000;
const FREEZE: u64 = 2_000_000_000;

/// So long a RESET keeps a replica in mind, in nanoseconds: three publish periods.
const ASIDE: u64 = 6_000_000_000;

#[derive(Default)]
pub struct DownAfter {
    nodes: BTreeMap<usize, Node>,
}

#[derive(Default)]
struct Node {
    /// When it last answered, or else was first connected, or else became known; and the time before that.
    alive: BTreeMap<SocketAddrV4, (u64, u64)>,
    /// How much of its present silence is not counted, because this Sentinel stood still.
    overlooked: BTreeMap<SocketAddrV4, u64>,
    paused_at: Option<u64>,
    /// When it last entered TILT: what was asked before is of no use.
    thawed_at: u64,
    /// Where more than one Sentinel was known when an answer came last: it may have been that of another.
    mixed: BTreeSet<SocketAddrV4>,
    /// By master and run id: where other Sentinels are.
    peers: BTreeMap<(String, String), SocketAddrV4>,
    /// When it was held for down.
    down: BTreeMap<SocketAddrV4, u64>,
    /// New masters that were not connected yet, and since when they are masters.
    fresh: BTreeMap<SocketAddrV4, u64>,
    /// By master's name: where it is by the last switch.
    places: BTreeMap<String, SocketAddrV4>,
    /// By master's name: the replica whose promotion this Sentinel just confirmed.
    promoted: BTreeMap<String, SocketAddrV4>,
    /// Replicas, and the names of their masters.
    replicas: BTreeMap<SocketAddrV4, String>,
    /// Replicas that a RESET set aside, and since when: they are watched on, from a new connection.
    aside: BTreeMap<SocketAddrV4, u64>,
    /// Servers that called themselves replicas in their last INFO, or when that ended.
    strayed: BTreeMap<SocketAddrV4, u64>,
    /// The least down-after by master, in nanoseconds.
    least: BTreeMap<String, u64>,
}

impl Property for DownAfter {
    fn name(&self) -> &'static str {
        "nothing is down before it was silent for down-after"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        let node = self.nodes.entry(scene.node).or_default();
        match seen {
            Seen::Started => {
                *node = Node::default();
                node.read(scene);
                node.renew(scene.at, &places(scene));
                node.replicas.extend(replicas(scene));
                node.peers.extend(peers(scene));
            }
            Seen::Paused => node.paused_at = Some(scene.at),
            Seen::Resumed => node.resume(scene.at),
            Seen::Saved => node.read(scene),
            Seen::Ordered { words } => node.ordered(words),
            Seen::Linked { to, kind: ConnKind::Command } => node.contact(scene.at, *to),
            // What is given up at the switch itself is the connection of before.
            Seen::Broken { to, kind: ConnKind::Command }
                if node.fresh.get(to).is_some_and(|since| scene.at > *since) =>
            {
                node.contact(scene.at, *to);
            }
            Seen::Got { from, reply, asked_at }
                if *asked_at >= node.thawed_at && is_life(scene, *from, reply) =>
            {
                if node.is_doubled(*from) {
                    node.mixed.insert(*from);
                } else {
                    node.mixed.remove(from);
                }
                let alive = node.alive.entry(*from).or_insert((scene.at, scene.at));
                if scene.at > alive.0 {
                    *alive = (scene.at, alive.0);
                }
                node.overlooked.remove(from);
            }
            Seen::Informed { server, report } => {
                if report.role == Some(Role::Replica) {
                    node.strayed.insert(*server, u64::MAX);
                } else if let Some(until) = node.strayed.get_mut(server).filter(|until| **until == u64::MAX) {
                    *until = scene.at;
                }
            }
            Seen::Notice { name, payload } => return node.notice(scene, name, payload),
            _ => {}
        }
        Ok(())
    }
}

impl Node {
    fn read(&mut self, scene: &Scene) {
        for master in &scene.facts().disk.masters {
            let nanos = u64::try_from(master.down_after.as_nanos()).unwrap_or(u64::MAX);
            let least = self.least.entry(master.name.to_string()).or_insert(nanos);
            *least = nanos.min(*least);
        }
    }

    fn ordered(&mut self, words: &[String]) {
        if let Some((name, set)) = words::set_down_after(words) {
            let least = self.least.entry(name.to_owned()).or_insert(set);
            *least = set.min(*least);
            // A longer time makes alive what was down, without an answer.
            self.down.clear();
        }
    }

    /// The first attempt to connect to a new master has an outcome.
    fn contact(&mut self, at: u64, to: SocketAddrV4) {
        if let Some(since) = self.fresh.remove(&to) {
            let at = at.min(since + CONTACT);
            self.alive.insert(to, (at, at));
        }
    }

    /// It goes on. What was down before stays so.
    fn resume(&mut self, at: u64) {
        let Some(gap) = self.paused_at.take().map(|since| at - since).filter(|gap| *gap > STALL) else {
            return;
        };
        // Whose time to be reached was over before a freeze has none after it: its clock ran, and begins anew with all others.
        self.fresh.retain(|_, since| gap <= FREEZE || *since + CONTACT > at - gap);
        let addresses: Vec<SocketAddrV4> = self.alive.keys().copied().collect();
        for address in addresses.into_iter().filter(|address| !self.down.contains_key(address)) {
            let overlooked = self.overlooked.entry(address).or_default();
            let part = gap.min(FREEZE.saturating_sub(*overlooked));
            *overlooked = if gap > FREEZE { 0 } else { *overlooked + part };
            let later = |since: u64| if gap > FREEZE { at } else { at.min(since + part) };
            self.alive.entry(address).and_modify(|alive| *alive = (later(alive.0), later(alive.1)));
            self.fresh.entry(address).and_modify(|since| *since = later(*since));
        }
    }

    /// What is known from now on begins without a fault.
    fn renew(&mut self, at: u64, addresses: &[SocketAddrV4]) {
        for address in addresses {
            self.overlooked.remove(address);
            self.alive.insert(*address, (at, at));
            self.down.remove(address);
            self.strayed.remove(address);
        }
    }

    fn notice(&mut self, scene: &Scene, event: &str, payload: &str) -> Result<(), String> {
        if event == "+tilt" {
            // After a freeze all clocks start again.
            self.down.clear();
            self.thawed_at = scene.at;
            self.aside.values_mut().for_each(|since| *since = scene.at);
        }
        if let ("+switch-master", Some((master, _, new))) = (event, words::switch(payload)) {
            self.places.insert(master.to_owned(), new);
            // Whom it promoted itself it goes on watching as a replica, until the failover ends.
            if self.promoted.remove(master) != Some(new) {
                self.begin_anew(scene.at, master, new);
            }
        }
        let Some(named) = words::instance(payload) else { return Ok(()) };
        match event {
            "+promoted-slave" => {
                self.promoted.insert(named.master.to_owned(), named.address);
            }
            // Everything is begun anew with the new master, which is talked to for a while already.
            "+failover-end" => {
                if let Some(place) = self.places.get(named.master).copied() {
                    self.begin_anew(scene.at, named.master, place);
                }
            }
            "+reset-master" => self.set_aside(scene.at, &named),
            "+slave" | "+monitor" => self.introduce(scene.at, event, &named),
            // One link serves all masters that share a peer: who is new for one of them may be long silent for another.
            "+sentinel" => {
                self.alive.entry(named.address).or_insert((scene.at, scene.at));
                self.peers.insert((named.master.to_owned(), named.name.to_owned()), named.address);
            }
            "+sentinel-invalid-addr" => {
                self.peers.remove(&(named.master.to_owned(), named.name.to_owned()));
            }
            _ => return self.verdict(scene, event, &named),
        }
        Ok(())
    }

    /// A master has its address by a switch, and will be talked to by new connections.
    fn begin_anew(&mut self, at: u64, master: &str, address: SocketAddrV4) {
        self.replicas.retain(|_, of| of != master);
        self.renew(at, &[address]);
        self.fresh.insert(address, at);
    }

    fn set_aside(&mut self, at: u64, master: &Named) {
        let ours = self.replicas.iter().filter(|(_, of)| *of == master.master);
        let ours: Vec<SocketAddrV4> = ours.map(|(address, _)| *address).collect();
        self.renew(at, &ours);
        self.aside.extend(ours.into_iter().map(|address| (address, at)));
    }

    fn introduce(&mut self, at: u64, event: &str, named: &Named) {
        if event == "+slave" {
            self.replicas.insert(named.address, named.master.to_owned());
        }
        let aside = self.aside.remove(&named.address).filter(|_| event == "+slave");
        if aside.is_none_or(|since| at >= since + ASIDE) {
            self.renew(at, &[named.address]);
        }
    }

    /// It can't be told when the Sentinel there answered last.
    fn is_mixed(&self, address: SocketAddrV4) -> bool {
        self.is_doubled(address) || self.mixed.contains(&address)
    }

    /// Two Sentinels are known there.
    fn is_doubled(&self, address: SocketAddrV4) -> bool {
        let mut there = self.peers.iter().filter(|(_, place)| **place == address).map(|((_, id), _)| id);
        let first = there.next();
        there.any(|id| Some(id) != first)
    }

    fn verdict(&mut self, scene: &Scene, event: &str, named: &Named) -> Result<(), String> {
        let (ours, alive) = (scene.facts().kind == Kind::Ours, self.alive.get(&named.address).copied());
        match event {
            "+sdown" => {
                let (Some(least), Some(alive)) = (self.least.get(named.master), alive) else { return Ok(()) };
                // What arrived in the same turn may be handled only after this.
                let silent = scene.at - if alive.0 == scene.at { alive.1 } else { alive.0 };
                let strayed = named.kind == "master"
                    && self.strayed.get(&named.address).is_some_and(|until| *until >= scene.at);
                if silent >= *least {
                    self.down.insert(named.address, scene.at);
                } else if !strayed && ours && !self.is_mixed(named.address) {
                    let (silent, least) = (silent / 1_000_000, least / 1_000_000);
                    return Err(format!(
                        "{} {} is down after {silent} ms of {least}",
                        named.kind, named.address
                    ));
                }
                Ok(())
            }
            "-sdown" => match self.down.remove(&named.address).filter(|_| ours) {
                Some(down) if alive.is_none_or(|alive| alive.0 < down) => Err(format!(
                    "{} {} is no longer down, but did not answer since",
                    named.kind, named.address
                )),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// An answer to PING; or, of another Sentinel, to a question or a hello, in front of which the PONG may have to wait.
fn is_life(scene: &Scene, from: SocketAddrV4, reply: &Reply) -> bool {
    match reply {
        Reply::Ping(PingReply::Pong | PingReply::Loading | PingReply::MasterDown) => true,
        Reply::MasterDown(_) | Reply::Integer(_) => !scene.servers.contains_key(&from),
        _ => false,
    }
}

/// The replicas in the file, and the names of their masters.
fn replicas(scene: &Scene) -> Vec<(SocketAddrV4, String)> {
    let masters = scene.facts().disk.masters.iter();
    let all = masters.flat_map(|master| master.replicas.iter().map(|place| (place, master.name.to_string())));
    let address = |(host, port): &(String, u16)| Some(SocketAddrV4::new(host.parse().ok()?, *port));
    all.filter_map(|(place, name)| Some((address(place)?, name))).collect()
}

/// The other Sentinels in the file, by their masters and run ids.
fn peers(scene: &Scene) -> Vec<((String, String), SocketAddrV4)> {
    let masters = scene.facts().disk.masters.iter();
    let all = masters.flat_map(|master| master.peers.iter().map(|peer| (master.name.to_string(), peer)));
    let place = |peer: &KnownPeer| Some(SocketAddrV4::new(peer.host.parse().ok()?, peer.port));
    all.filter_map(|(name, peer)| Some(((name, peer.run_id.to_string()), place(peer)?))).collect()
}

/// Where a start finds everybody in the file.
fn places(scene: &Scene) -> Vec<SocketAddrV4> {
    let masters = &scene.facts().disk.masters;
    let of = |host: &str, port: u16| Some(SocketAddrV4::new(host.parse().ok()?, port));
    let replicas = masters.iter().flat_map(|master| &master.replicas);
    let peers = masters.iter().flat_map(|master| &master.peers);
    let all = masters.iter().filter_map(words::place);
    let all = all.chain(replicas.filter_map(|(host, port)| of(host, *port)));
    all.chain(peers.filter_map(|peer| of(&peer.host, peer.port))).collect()
}

#[cfg(test)]
mod tests;
