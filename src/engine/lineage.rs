//! Whose data an instance has: what the replication ids of INFO tell of it (spec 2 §9.3, §14.3).
//!
//! Every data set has an id, which a replica takes over from its master and keeps as the second one when it is promoted. So the instances
//! of one master share ids, and two clusters share none. Per master the last few ids that were seen to be its own are kept; nothing of this
//! is saved.
//!
//! An address can be reused by a server of another cluster whose Sentinels use the same name for their master. Such an instance is
//! *foreign*: it is left alone, and strangers who are heard through it are not believed (what others say: `hearsay`).
//!
//! Differs: the reference looks at no ids. It would promote any data set, take the servers of another cluster for replicas of this one,
//! and adopt the configuration of its Sentinels.
//!
//! Invariant: what is not known (old servers give no ids, a start knows none) is never held against an instance.

mod descent;
mod upstream;

pub use descent::{objection, standing};

use std::collections::VecDeque;
use std::time::Duration;

use upstream::Upstream;

use super::cx::Cx;
use super::fleet::Fleet;
use super::hearsay;
use super::hole::Hole;
use super::notice::Level;
use super::replica::Replica;
use super::report::follows;
use super::tag::Entity;
use crate::model::{Address, LinkId, MasterId, ReplicaId};
use crate::wire::{Hello, InfoReport, Role};

/// How many ids of a master are remembered: a promotion gives one, a restart without its data another.
const REMEMBERED: usize = 8;
/// A question that has to be answered before a stranger is believed is repeated after this.
const REPEAT: Duration = Duration::from_millis(1_000);

/// The ids that were seen to be a master's own.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    ids: VecDeque<String>,
    latest: Option<String>,
    /// Those that came with a break in the history, and what followed from them: they may be another cluster's.
    doubted: Vec<String>,
    /// The run id under which the master was last seen to be one.
    process: Option<String>,
    /// Whom the server at the master's address follows now, and is in step with.
    upstream: Option<Upstream>,
}

/// What an instance's last INFO says of where its data comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    ids: Vec<String>,
    loading: bool,
    synchronising: bool,
    has_keys: bool,
    was_in_step: bool,
    foreign: bool,
}

impl Lineage {
    /// True if an id is known.
    pub fn is_known(&self) -> bool {
        !self.ids.is_empty()
    }

    fn shares(&self, ids: &[String]) -> bool {
        ids.iter().any(|id| self.ids.contains(id))
    }

    fn learn(&mut self, ids: &[String]) {
        if self.is_known() && !ids.is_empty() && !self.vouches_for(ids) {
            self.doubted.extend_from_slice(ids);
        }
        for id in ids.iter().rev() {
            if self.ids.front() != Some(id) {
                self.ids.retain(|known| known != id);
                self.ids.push_front(id.clone());
            }
        }
        self.ids.truncate(REMEMBERED);
        self.doubted.retain(|id| self.ids.contains(id));
        self.doubted.sort_unstable();
        self.doubted.dedup();
    }

    /// True if one of the ids is known, and beyond doubt.
    fn vouches_for(&self, ids: &[String]) -> bool {
        ids.iter().any(|id| self.ids.contains(id) && !self.doubted.contains(id))
    }

    /// True if the master reported an id that is beyond doubt.
    pub fn is_sure(&self) -> bool {
        self.latest.as_ref().is_some_and(|id| !self.doubted.contains(id))
    }

    /// True if both are known and have nothing in common.
    fn excludes(&self, ids: &[String]) -> bool {
        self.is_known() && !ids.is_empty() && !self.shares(ids)
    }
}

impl Origin {
    /// It belongs to another cluster.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// A master that becomes a replica has had the data.
    pub fn of_master() -> Origin {
        Origin { was_in_step: true, ..Origin::default() }
    }
}

/// An instance reported. What its other fields say was learnt before.
pub fn on_info(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, report: &InfoReport) {
    match entity {
        Entity::Master(id) => on_master_info(fleet, cx, id, report),
        Entity::Replica(id) => on_replica_info(fleet, cx, id, report),
        Entity::Peer(_) => {}
    }
}

/// The master reported. It says by itself what its lineage is: the configuration names its address.
fn on_master_info(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, report: &InfoReport) {
    let ids = ids_of(report);
    if report.role != Some(Role::Master) || ids.is_empty() {
        return upstream::on_demoted(fleet, id, report);
    }
    let new = fleet.masters[id].lineage.excludes(&ids);
    learn(fleet, cx, id, &ids);
    let master = &mut fleet.masters[id];
    master.lineage.latest = ids.first().cloned();
    master.lineage.process = report.run_id.clone().filter(|_| master.lineage.is_sure());
    master.lineage.upstream = None;
    if new {
        let keys = if report.keys == 0 { "it has no keys" } else { "its data set may be another" };
        let text = format!(
            "Master {} at {} shares nothing with the replication history that is known of it: {keys}, and its replicas will copy it. \
             It may have restarted without its data",
            master.name, master.instance.address
        );
        cx.log(Level::Warning, text);
    }
}

/// Keeps the replication ids that an instance reports.
pub fn note_ids(replica: &mut Replica, report: &InfoReport) {
    replica.origin.ids = ids_of(report);
}

/// True if an instance shares ids with its master that are beyond doubt.
pub fn vouches_for(fleet: &Fleet, replica: &Replica) -> bool {
    fleet.masters[replica.master].lineage.vouches_for(&replica.origin.ids)
}

/// A replica reported.
fn on_replica_info(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, report: &InfoReport) {
    let replica = &mut fleet.replicas[id];
    let master = replica.master;
    note_ids(replica, report);
    replica.origin.loading = report.loading;
    replica.origin.synchronising = report.sync_in_progress;
    replica.origin.has_keys = report.keys > 0;
    let replica = &fleet.replicas[id];
    let in_step = report.role == Some(Role::Replica) && replica.master_link_up;
    let follows_master = in_step && replica_follows(replica, fleet.current_address(master));
    if follows_master {
        fleet.replicas[id].origin.was_in_step = true;
        let of = &fleet.masters[master];
        // At the address of a file another cluster's replica may be by now, with replicas of its own: whose data that is the server tells first.
        let is_master = of.info.at.is_some() && of.info.role == Role::Master;
        if is_master && !of.instance.s_down {
            let ids = fleet.replicas[id].origin.ids.clone();
            learn(fleet, cx, master, &ids);
        }
    }
    judge(fleet, cx, id, report.role, &report.replicas);
}

/// The configuration moves to a replica: its lineage is the master's from now on, unless what it said last shares nothing with what is
/// known. Who promoted it had later news of it, and it will tell itself.
pub fn inherit(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, new: &Address) {
    let heir = fleet.find_replica(id, new).map(|replica| &fleet.replicas[replica]);
    let heir = heir.filter(|replica| !replica.origin.foreign);
    let mut ids = heir.map(|replica| replica.origin.ids.clone()).unwrap_or_default();
    let promoted = heir.is_some_and(|replica| replica.info.role == Role::Master);
    if fleet.masters[id].lineage.excludes(&ids) {
        ids.clear();
    }
    learn(fleet, cx, id, &ids);
    let lineage = &mut fleet.masters[id].lineage;
    lineage.latest = ids.first().filter(|_| promoted).cloned();
    (lineage.process, lineage.upstream) = (None, None);
}

/// Ids are the master's. If none were known before, it can be told only now who of its replicas has others, and they may be re-pointed before
/// they report again.
fn learn(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, ids: &[String]) {
    let lineage = &mut fleet.masters[id].lineage;
    let knew = lineage.is_known();
    lineage.learn(ids);
    if knew || !lineage.is_known() {
        return;
    }
    for replica in fleet.masters[id].replicas.clone() {
        if fleet.replicas[replica].info.role == Role::Replica && is_introduced(fleet, replica) {
            judge(fleet, cx, replica, Some(Role::Replica), &[]);
        }
    }
}

/// True if an instance may hear our hello: those of another cluster would take us for peers. That might be who follows a server which is not
/// known, until it is asked again with more knowledge (`judge`).
pub fn may_greet(fleet: &Fleet, entity: Entity) -> bool {
    let Entity::Replica(id) = entity else { return true };
    let replica = &fleet.replicas[id];
    !hearsay::is_rumoured(fleet, entity)
        && !replica.origin.foreign
        && is_introduced(fleet, id)
        && !is_elsewhere(fleet, replica)
}

/// It has said who it is on its present connection: another server may have taken its address since the one before.
pub fn is_introduced(fleet: &Fleet, id: ReplicaId) -> bool {
    has_reported(fleet, id, false)
}

/// True for a stranger who is heard through an instance of another cluster, or through one that was not asked yet who it is now.
pub fn is_deaf(fleet: &mut Fleet, cx: &mut Cx, link: LinkId, hello: &Hello) -> bool {
    let Some(Entity::Replica(id)) = fleet.links.get(link).and_then(|link| link.owners.first().copied())
    else {
        return false;
    };
    let master = fleet.find(hello.master_name.as_str());
    if master.is_none_or(|master| fleet.find_peer(master, &hello.run_id).is_some()) {
        return false;
    }
    let verified = is_verified(fleet, id, true);
    let asked = fleet.replicas[id].info.asked_at;
    if !verified && asked.is_none_or(|at| cx.mono().since(at) >= REPEAT) {
        fleet.replicas[id].info.wanted = true;
        cx.touch(Entity::Replica(id));
    }
    !verified || fleet.replicas[id].origin.foreign
}

/// Both ids of a report; forty zeros stand for none.
fn ids_of(report: &InfoReport) -> Vec<String> {
    let ids = [&report.repl_id, &report.repl_id2].into_iter().flatten();
    ids.filter(|id| id.bytes().any(|byte| byte != b'0')).cloned().collect()
}

fn replica_follows(replica: &Replica, address: &Address) -> bool {
    follows(replica.master_host.as_deref(), replica.master_port, address)
}

/// It says that it follows our master, or one of its replicas.
fn follows_us(fleet: &Fleet, replica: &Replica) -> bool {
    let Some(host) = replica.master_host.as_deref().filter(|_| replica.info.role == Role::Replica) else {
        return false;
    };
    is_ours(fleet, replica.master, &fleet.address(host, replica.master_port))
}

/// It follows a server that is none of ours, and shares nothing with the lineage: that server may be a neighbour's as well as our master of
/// meanwhile. Who knows more can promote it. While no lineage is known, it has to be in step with that server: ours may know their master,
/// which is dead now, by another name or address than we do. Old servers, which give no ids, are not judged.
fn is_elsewhere(fleet: &Fleet, replica: &Replica) -> bool {
    let (ids, lineage) = (&replica.origin.ids, &fleet.masters[replica.master].lineage);
    let other = !ids.is_empty() && !lineage.shares(ids) && !follows_us(fleet, replica);
    let is_address = |host: &str| host.parse::<std::net::IpAddr>().is_ok();
    let in_step = || replica.master_link_up && replica.master_host.as_deref().is_some_and(is_address);
    other && replica.info.role == Role::Replica && (lineage.is_known() || in_step())
}

/// The address of the master, or of a replica that is not foreign.
fn is_ours(fleet: &Fleet, id: MasterId, address: &Address) -> bool {
    fleet.masters[id].instance.address.same_as(address)
        || fleet.find_replica(id, address).is_some_and(|replica| !fleet.replicas[replica].origin.foreign)
}

/// An address that a configuration may name: ours, and nothing speaks against its data.
pub fn has_kin_at(fleet: &Fleet, id: MasterId, address: &Address) -> bool {
    let alien = |replica: ReplicaId| fleet.masters[id].lineage.excludes(&fleet.replicas[replica].origin.ids);
    let aside = &fleet.masters[id].forgotten.replicas;
    let was_ours = aside.iter().any(|replica| fleet.replicas[*replica].instance.address.same_as(address));
    (is_ours(fleet, id, address) && !fleet.find_replica(id, address).is_some_and(alien)) || was_ours
}

/// It can be told who a replica is. Without a known lineage nothing can be told, and is not waited for.
fn is_verified(fleet: &Fleet, id: ReplicaId, both: bool) -> bool {
    !fleet.masters[fleet.replicas[id].master].lineage.is_known() || has_reported(fleet, id, both)
}

/// The last INFO of a replica was asked for on its present connection (on both of them, if `both`).
fn has_reported(fleet: &Fleet, id: ReplicaId, both: bool) -> bool {
    let replica = &fleet.replicas[id];
    let link = &fleet.links[replica.instance.link];
    let heard = link.pubsub.filter(|_| both).and_then(|conn| conn.started_at());
    let since = link.command.started_at().max(heard);
    since.is_some_and(|since| replica.info.tells_of(since))
}

/// Decides whether a replica is foreign. Its lineage alone is no proof: a fresh server, or one that restarted without its data, has one of
/// its own. It takes a foreign master that it follows, or foreign replicas that follow it. And once it is foreign it stays so, also while
/// that master is away, until something says that it came over to us.
fn judge(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, role: Option<Role>, followers: &[(String, u16)]) {
    if cx.holes.has(Hole::FollowsForeign) {
        return;
    }
    let replica = &fleet.replicas[id];
    let lineage = &fleet.masters[replica.master].lineage;
    let other = lineage.excludes(&replica.origin.ids);
    if replica.origin.foreign {
        if (lineage.is_known() && lineage.shares(&replica.origin.ids)) || follows_us(fleet, replica) {
            accept(fleet, cx, id);
        }
    } else if other && let Some(company) = foreign_company(fleet, replica, role, followers) {
        let name = &fleet.masters[replica.master].name;
        let text = format!(
            "Replica {} belongs to another cluster: its replication history shares nothing with that of {name}, and {company}. It is left \
             alone, and nothing that strangers say there is believed. If it is ours, make it a replica of the master; if not, SENTINEL RESET \
             {name} forgets it",
            replica.instance.name
        );
        cx.log(Level::Warning, text);
        fleet.replicas[id].origin.foreign = true;
    }
}

/// With whom of another cluster the instance is connected, if it is.
fn foreign_company(
    fleet: &Fleet,
    replica: &Replica,
    role: Option<Role>,
    followers: &[(String, u16)],
) -> Option<String> {
    match role? {
        Role::Replica => {
            let host = replica.master_host.as_deref().filter(|_| replica.master_link_up)?;
            (!follows_us(fleet, replica)).then(|| format!("it follows {host}:{}", replica.master_port))
        }
        Role::Master => {
            let ours =
                |(host, port): &(String, u16)| is_ours(fleet, replica.master, &fleet.address(host, *port));
            let (host, port) = followers.first()?;
            (!followers.iter().any(ours)).then(|| format!("{host}:{port} follows it"))
        }
    }
}

/// A foreign instance came over to us.
fn accept(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    let replica = &mut fleet.replicas[id];
    replica.origin.foreign = false;
    let master = &fleet.masters[fleet.replicas[id].master];
    cx.log(
        Level::Notice,
        format!("Replica {} belongs to {} again", fleet.replicas[id].instance.name, master.name),
    );
    cx.touch(Entity::Replica(id));
}
