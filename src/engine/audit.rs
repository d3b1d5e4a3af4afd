//! All invariants of the engine in one place, for tests and the simulator.

use super::tag::Entity;
use super::{Action, Engine, hearsay};

impl Engine {
    /// Checks every invariant of the state.
    ///
    /// # Panics
    ///
    /// With the broken invariant's name.
    pub fn audit(&self) {
        let fleet = &self.fleet;
        for (id, master) in fleet.masters.iter() {
            assert_eq!(fleet.find(master.name.as_str()), Some(id), "a master is found by its name");
            let address = &master.instance.address;
            let there = fleet.masters_by_name().find(|other| other.instance.address.same_as(address));
            let there = there.map(|master| master.id);
            assert_eq!(fleet.find_by_address(address), there, "a master is found by its address");
            assert!(
                master.config_epoch <= self.cx.globals.current_epoch,
                "no configuration is newer than the current epoch"
            );
            assert!(
                master.ballot.epoch <= self.cx.globals.current_epoch,
                "no vote is newer than the current epoch"
            );
            assert!(!master.o_down || master.instance.s_down, "objectively down implies subjectively down");
            for replica in &master.replicas {
                assert_eq!(
                    fleet.replicas[*replica].master, id,
                    "a replica belongs to the master that lists it"
                );
            }
            for peer in &master.peers {
                assert_eq!(fleet.peers[*peer].master, id, "a peer belongs to the master that lists it");
                assert_eq!(
                    fleet.find_peer(id, fleet.peers[*peer].run_id()),
                    Some(*peer),
                    "a peer is found by its run id"
                );
            }
            assert!(
                master.hearsay.servers().count() <= hearsay::MAX_RUMOURS,
                "strangers make us ask a few servers at most"
            );
            for server in master.hearsay.servers() {
                let aside = &master.forgotten.replicas;
                assert!(
                    !master.replicas.contains(&server) && !aside.contains(&server),
                    "a server that is only named belongs to no list"
                );
            }
            if let Some(promoted) = master.failover.promoted() {
                assert!(
                    master.replicas.contains(&promoted),
                    "a failover promotes a replica of its own master"
                );
            }
        }
        let listed: usize = fleet
            .masters
            .iter()
            .map(|(_, master)| {
                master.replicas.len() + master.forgotten.replicas.len() + master.hearsay.servers().count()
            })
            .sum();
        assert_eq!(listed, fleet.replicas.count(), "every replica is listed by its master");
        let listed: usize =
            fleet.masters.iter().map(|(_, master)| master.peers.len() + master.forgotten.peers.len()).sum();
        assert_eq!(listed, fleet.peers.count(), "every peer is listed by its master");
        for (id, link) in fleet.links.iter() {
            assert!(!link.owners.is_empty(), "a link has an owner");
            for owner in &link.owners {
                assert_eq!(
                    fleet.instance(*owner).map(|instance| instance.link),
                    Some(id),
                    "an owner of a link uses it"
                );
            }
            let peers = link.owners.iter().filter(|owner| matches!(owner, Entity::Peer(_))).count();
            assert!(peers == link.owners.len() || link.owners.len() == 1, "only peers share a link");
        }
    }
}

impl Engine {
    /// The law of settling: whatever is settled once more at the same instant, on a copy, asks for nothing. Returns what it asks for
    /// all the same, which is a broken rule: a fact whose consequence was not derived, or a deed that is repeated. Call after draining.
    pub fn unsettled(&self) -> Vec<Action> {
        let mut again = self.clone();
        again.fleet.touch_all(&mut again.cx);
        again.settle();
        again.end_turn();
        std::iter::from_fn(|| again.poll_action()).collect()
    }
}
