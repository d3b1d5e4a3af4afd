//! Where masters are, and which of them is at an address: every question of a peer names its master so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Fleet;
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::model::{Address, MasterId, MasterName};

/// The masters at each address, by both ways in which two addresses can be the same (`Address::same_as`).
///
/// Invariant: it gives the same masters as a look at each of them (asserted in `audit`).
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    known: BTreeMap<MasterName, Address>,
    by_ip: BTreeMap<(IpAddr, u16), BTreeSet<MasterName>>,
    by_host: BTreeMap<(String, u16), BTreeSet<MasterName>>,
}

impl Addresses {
    /// A master is at that address now, and nowhere else.
    fn set(&mut self, name: &MasterName, address: &Address) {
        if self.known.get(name) == Some(address) {
            return;
        }
        self.remove(name);
        if let Some(ip) = address.ip {
            self.by_ip.entry((ip, address.port)).or_default().insert(name.clone());
        }
        self.by_host.entry(host_of(address)).or_default().insert(name.clone());
        self.known.insert(name.clone(), address.clone());
    }

    /// A master is no more.
    pub fn remove(&mut self, name: &MasterName) {
        let Some(address) = self.known.remove(name) else { return };
        if let Some(ip) = address.ip {
            drop_from(&mut self.by_ip, &(ip, address.port), name);
        }
        drop_from(&mut self.by_host, &host_of(&address), name);
    }

    /// The first master by name.
    fn first_at(&self, address: &Address) -> Option<&MasterName> {
        let by_ip = address.ip.and_then(|ip| self.by_ip.get(&(ip, address.port)));
        let by_host = self.by_host.get(&host_of(address));
        by_ip.into_iter().chain(by_host).filter_map(BTreeSet::first).min()
    }
}

fn host_of(address: &Address) -> (String, u16) {
    (address.host.to_ascii_lowercase(), address.port)
}

fn drop_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<MasterName>>, key: &K, name: &MasterName) {
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}

impl Fleet {
    /// The first master (by name) at that address.
    pub fn find_by_address(&self, address: &Address) -> Option<MasterId> {
        self.by_address.first_at(address).and_then(|name| self.find(name.as_str()))
    }

    /// An address from a host and a port that somebody named.
    ///
    /// Differs: a name is looked up among the instances that are known by it. The reference asks DNS each time, and everything waits.
    pub fn address(&self, host: &str, port: u16) -> Address {
        let mut address = Address::new(host, port);
        if address.ip.is_none() {
            let masters = self.masters.iter().map(|(_, master)| &master.instance);
            let replicas = self.replicas.iter().map(|(_, replica)| &replica.instance);
            let peers = self.peers.iter().map(|(_, peer)| &peer.instance);
            let mut known = masters.chain(replicas).chain(peers).map(|instance| &instance.address);
            let ip = known.find_map(|known| known.ip.filter(|_| known.host.eq_ignore_ascii_case(host)));
            address.ip = ip.or_else(|| self.names.known(host).flatten());
        }
        address
    }

    /// True if an instance at that address is to be looked up before it is added.
    pub fn is_stranger(&self, address: &Address) -> bool {
        address.ip.is_none() && self.names.known(&address.host).is_none()
    }

    /// A master is found where it is now, and the directory sends clients to where they are to go. Call after each change of an address.
    pub fn publish_address(&mut self, id: MasterId, cx: &mut Cx) {
        let master = &self.masters[id];
        self.by_address.set(&master.name, &master.instance.address);
        let place = cx.globals.shown(self.current_address(id));
        cx.outbox.push(Action::SetAddress(self.masters[id].name.clone(), Some(place)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_are_found_by_ip_and_by_name_and_the_first_one_wins() {
        let mut index = Addresses::default();
        let named = Address { ip: "10.0.0.1".parse().ok(), ..Address::new("Db", 1) };
        index.set(&"b".into(), &named);
        index.set(&"a".into(), &Address::new("10.0.0.1", 1));
        let first = |index: &Addresses, host: &str, port| {
            index.first_at(&Address::new(host, port)).map(ToString::to_string)
        };
        assert_eq!(first(&index, "10.0.0.1", 1).as_deref(), Some("a"));
        assert_eq!(first(&index, "dB", 1).as_deref(), Some("b"));
        assert_eq!(first(&index, "10.0.0.1", 2), None);
        index.set(&"a".into(), &Address::new("10.0.0.2", 1));
        assert_eq!(first(&index, "10.0.0.1", 1).as_deref(), Some("b"));
        assert_eq!(first(&index, "10.0.0.2", 1).as_deref(), Some("a"));
        index.remove(&"a".into());
        index.remove(&"b".into());
        assert!(index.by_ip.is_empty() && index.by_host.is_empty() && index.known.is_empty());
    }
}
