//! **Clients hear of a new master once, from every Sentinel, at the moment it counts**: the leader says `+switch-master` when the promotion
//! is confirmed, not after all replicas followed; every other when it adopts the configuration; and nobody tells peers of an address of
//! which it has not told its clients (spec 2 §9.2, §9.8; §14.2 row 11).
//!
//! Each `+switch-master` leads on from the address that was said before. For reference Sentinels only that: their leader tells its peers at
//! promotion, and its own clients at the end.
//!
//! Can't see: whether clients listen.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

#[derive(Default)]
pub struct Publication {
    /// By Sentinel and master: the address that its clients know.
    said: BTreeMap<(usize, String), SocketAddrV4>,
    /// By Sentinel and master: the address that peers were told of in this turn, before clients were.
    told: BTreeMap<(usize, String), SocketAddrV4>,
    /// By Sentinel and master: promoted in this turn, and not said yet.
    due: BTreeMap<(usize, String), SocketAddrV4>,
}

impl Property for Publication {
    fn name(&self) -> &'static str {
        "+switch-master comes at promotion, once from everybody"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        let reference = scene.facts().kind == Kind::Reference;
        match seen {
            Seen::Started | Seen::Died => {
                self.said.retain(|(node, _), _| *node != scene.node);
                self.due.retain(|(node, _), _| *node != scene.node);
                for master in &scene.facts().disk.masters {
                    let place = words::place(master).map(|at| ((scene.node, master.name.to_string()), at));
                    self.said.extend(place);
                }
                Ok(())
            }
            Seen::Ordered { words } => {
                let gone = |name: &str| words::order(words).0 != "RESET" && words::forgets(words, name);
                self.said.retain(|(node, name), _| *node != scene.node || !gone(name));
                Ok(())
            }
            Seen::Notice { name, payload } => self.notice(scene, name, payload),
            Seen::Greeted { hello, .. } if !reference => {
                let Ok(host) = hello.master_host.parse() else { return Ok(()) };
                let address = SocketAddrV4::new(host, hello.master_port);
                let key = (scene.node, hello.master_name.to_string());
                if self.said.get(&key).is_some_and(|said| *said != address) {
                    self.told.insert(key, address);
                }
                Ok(())
            }
            Seen::Turned if !reference => {
                let told = std::mem::take(&mut self.told);
                for (key, address) in told.iter().filter(|((node, _), _)| *node == scene.node) {
                    if let Some(said) = self.said.get(key).filter(|said| *said != address) {
                        return Err(format!(
                            "peers are told of {address}, while clients were told of {said}"
                        ));
                    }
                }
                match self.due.iter().find(|((node, _), _)| *node == scene.node) {
                    Some(((_, name), address)) => {
                        Err(format!("{address} was promoted, and the clients of {name} do not hear of it"))
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Publication {
    fn notice(&mut self, scene: &Scene, event: &str, payload: &str) -> Result<(), String> {
        match event {
            "+switch-master" => {
                let Some((master, old, new)) = words::switch(payload) else { return Ok(()) };
                let key = (scene.node, master.to_owned());
                self.due.remove(&key);
                match self.said.insert(key, new) {
                    Some(said) if said != old => {
                        Err(format!("clients heard of {said}, now of {old} to {new}"))
                    }
                    Some(said) if said == new => Err(format!("clients hear of {new} again")),
                    _ => Ok(()),
                }
            }
            "+promoted-slave" => {
                if let Some(named) = words::instance(payload) {
                    self.due.insert((scene.node, named.master.to_owned()), named.address);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    #[test]
    fn once_from_everybody_is_fine() {
        let mut stage = Stage::new(Publication::default());
        stage.fine(Seen::Started).fine(greeted(hello(0, 0, 1, 0)));
        stage.says("+promoted-slave", &of_replica(2, 1)).fine(switched(1, 2)).fine(Seen::Turned);
        stage.fine(greeted(hello(0, 1, 2, 1)));
        stage.node(1).fine(Seen::Started).fine(switched(1, 2)).fine(switched(2, 3));
    }

    #[test]
    fn late_is_not() {
        let mut stage = Stage::new(Publication::default());
        stage.fine(Seen::Started).says("+promoted-slave", &of_replica(2, 1)).wrong(Seen::Turned);
        stage.node(1).fine(Seen::Started).fine(greeted(hello(1, 1, 2, 1))).wrong(Seen::Turned);
    }

    #[test]
    fn nor_is_twice_or_astray() {
        let mut stage = Stage::new(Publication::default());
        stage.fine(Seen::Started).fine(switched(1, 2)).wrong(switched(1, 2)).wrong(switched(1, 3));
    }
}
