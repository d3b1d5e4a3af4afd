//! What people repair at the end of a run, because only people can have broken it, and no Sentinel can find it out.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use sentineld::conf::MasterSettings;
use sentineld::model::Epoch;

use crate::properties::words::place;
use crate::redis::Server;
use crate::world::World;

impl World {
    /// Where the configured master was made to follow by hand ends in a circle, or at a server that is gone, while nobody else has our data:
    /// it becomes a master again.
    ///
    /// No Sentinel has to find out of that. In a circle no replica may be promoted any more after ten times down-after; and in the other
    /// case only a server that lost our data is left to promote.
    pub fn untangle(&mut self, cluster: usize) {
        let Some(configured) = self.master_to_heal(cluster) else { return };
        let (mut at, mut steps) = (configured, 0);
        while let Some(next) =
            self.servers.get(&at).and_then(Server::master).filter(|_| steps <= self.servers.len())
        {
            (at, steps) = (next, steps + 1);
        }
        let has_ours = |server: &&Server| server.cluster == cluster && server.alive && !server.lost_data;
        let elsewhere = self.servers.values().filter(has_ours).any(|server| server.address != configured);
        let gone = steps > 0 && !elsewhere && self.servers.get(&at).is_none_or(|server| !server.alive);
        if steps > self.servers.len() || gone {
            let fresh = self.fresh_id();
            self.servers.get_mut(&configured).expect("it follows somebody").become_master(&fresh);
            self.note(&format!("{configured} is made a master again by hand"));
        }
    }

    /// The configured master was made to follow one whom the healed Sentinels do not know, for they were told to forget the replicas, or set up
    /// anew, while that one was dead; and nobody whom they do know lives. Nobody is left to promote, and a server that none of them has ever
    /// heard of may be anybody's: the configured master becomes one again.
    pub fn reinstate(&mut self, cluster: usize, nodes: &[usize]) {
        let Some(configured) = self.master_of(cluster) else { return };
        let known: Vec<(String, u16)> = self
            .files(cluster, nodes.iter().copied())
            // Who knows nobody is told anew where the master is (`reunite`).
            .filter(|(_, file)| !(file.replicas.is_empty() && file.peers.is_empty()))
            .flat_map(|(_, file)| file.replicas.iter().cloned().chain([(file.host.clone(), file.port)]))
            .collect();
        let is_known = |at: &SocketAddrV4| known.contains(&(at.ip().to_string(), at.port()));
        let mut others = self.servers.values().filter(|server| server.address != configured && server.alive);
        // If they know nothing but this address, under epoch 0, they are told of the right one instead (`reunite`).
        if self.all_forgot(cluster) || others.any(|server| is_known(&server.address)) {
            return;
        }
        let fresh = self.fresh_id();
        let Some(server) = self.servers.get_mut(&configured).filter(|server| !server.is_master()) else {
            return;
        };
        server.become_master(&fresh);
        self.note(&format!("{configured} is made a master again by hand, as nobody else is known"));
    }

    /// No file of ours knows anything of a master but an address that it was given, and perhaps other Sentinels who know no more.
    pub fn all_forgot(&self, cluster: usize) -> bool {
        let mut files = self.files(cluster, 0..self.home);
        files.all(|(_, master)| master.replicas.is_empty() && master.config_epoch == Epoch::ZERO)
    }

    /// Nobody knows more than an address, and the server there follows another one.
    fn all_lost(&self, cluster: usize) -> bool {
        let server = self.master_of(cluster).and_then(|address| self.servers.get(&address));
        self.all_forgot(cluster) && server.is_some_and(|server| !server.is_master())
    }

    /// What the files of some Sentinels have of a master.
    pub fn files(
        &self,
        cluster: usize,
        nodes: impl IntoIterator<Item = usize>,
    ) -> impl Iterator<Item = (usize, &MasterSettings)> {
        let name = self.plan.clusters[cluster].name.as_str();
        let files = nodes
            .into_iter()
            .flat_map(|node| self.facts[node].disk.masters.iter().map(move |master| (node, master)));
        files.filter(move |(_, master)| master.name.as_str() == name)
    }

    /// Who told Sentinels to monitor a master anew, or set them up, while some of them were away asks them now what they know (CKQUORUM,
    /// MASTERS), and finds what none of them can find: that one of them knows nobody; that they were told of different addresses, which have
    /// the same epoch, 0; that nothing leads from one to the other, neither a Sentinel nor a server that both know; or that one does not
    /// believe the others, as its log says. They are told where the master is once more.
    pub fn reunite(&mut self, cluster: usize, nodes: &[usize]) {
        // Who finds a replica there looks further.
        let is_master = |at: &SocketAddrV4| self.servers.get(at).is_some_and(Server::is_master);
        let told = self.master_to_tell(cluster);
        let Some(found) = told.filter(is_master).or_else(|| self.master_in_force(cluster)) else { return };
        let files: Vec<(usize, MasterSettings)> =
            self.files(cluster, nodes.iter().copied()).map(|(node, file)| (node, file.clone())).collect();
        let all_lost = self.all_lost(cluster);
        let is_new = |file: &MasterSettings| all_lost || (file.replicas.is_empty() && file.peers.is_empty());
        let files: Vec<(usize, MasterSettings)> =
            files.into_iter().filter(|(_, file)| !is_new(file)).collect();
        let newest = files.iter().max_by_key(|(_, file)| file.config_epoch).map(|(_, file)| file);
        // A later epoch than 0 will reach whoever is told where it can be heard.
        let contradicted = newest.is_some_and(|newest| {
            newest.config_epoch == Epoch::ZERO && files.iter().any(|(_, file)| place(file) != place(newest))
        });
        // Nor will one that is told only of a server that is a replica find the master by itself.
        let is_replica =
            |at: SocketAddrV4| self.servers.get(&at).is_some_and(|at| at.alive && !at.is_master());
        let misled = files.len() < nodes.len()
            && newest
                .is_some_and(|file| file.config_epoch == Epoch::ZERO && place(file).is_some_and(is_replica));
        let contradicted = contradicted || misled;
        let master = newest.filter(|_| !contradicted).and_then(place).unwrap_or(found);
        let (mut reached, mut rest): (Vec<_>, Vec<_>) =
            files.iter().partition(|(_, file)| place(file) == Some(master));
        while let Some(next) =
            rest.iter().position(|one| !contradicted && reached.iter().any(|other| self.finds(one, other)))
        {
            reached.push(rest.swap_remove(next));
        }
        let reached: BTreeSet<usize> = reached.into_iter().map(|(node, _)| *node).collect();
        for node in nodes.iter().filter(|node| !reached.contains(node)) {
            self.note(&format!("the operator finds that {node} has lost touch with the others"));
            self.monitor_at(*node, cluster, master);
        }
    }

    /// A Sentinel hears another one, and believes what it says of where the master is.
    fn finds(&self, one: &(usize, MasterSettings), other: &(usize, MasterSettings)) -> bool {
        self.meet(one, other) && !self.distrusts(one, other)
    }

    /// A Sentinel was away while all others of those who healed were replaced, and its own master lost its data and is well: whoever tells it
    /// of another one is a stranger to it, does not greet on its master, and names a server with another history.
    fn distrusts(&self, (_, one): &(usize, MasterSettings), (node, other): &(usize, MasterSettings)) -> bool {
        let server = |file: &MasterSettings| {
            let place = place(file)?;
            self.servers.get(&place).filter(|server| server.alive && server.is_master())
        };
        let (Some(own), Some(named)) = (server(one), server(other)) else { return false };
        let history = named.history();
        !one.peers.iter().any(|peer| peer.run_id.as_str() == self.nodes[*node].my_id)
            && !other.replicas.contains(&(one.host.clone(), one.port))
            && !own.history().iter().any(|id| history.contains(id))
    }

    /// Two Sentinels know each other, or a server on which both would hear each other.
    fn meet(&self, (one, first): &(usize, MasterSettings), (two, second): &(usize, MasterSettings)) -> bool {
        let knows = |file: &MasterSettings, node: &usize| {
            let address = self.nodes[*node].address;
            file.peers
                .iter()
                .any(|peer| (peer.host.as_str(), peer.port) == (&address.ip().to_string(), address.port()))
        };
        let servers = |file: &MasterSettings| -> BTreeSet<(String, u16)> {
            file.replicas.iter().cloned().chain([(file.host.clone(), file.port)]).collect()
        };
        knows(first, two) || knows(second, one) || !servers(first).is_disjoint(&servers(second))
    }
}
