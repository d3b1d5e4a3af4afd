//! What Sentinels that we don't know say of where a master is, and what makes us believe it.
//!
//! Whoever has been away, is new, or was told to forget everybody knows nobody who could tell of the failovers of meanwhile; but Sentinels
//! of another cluster, whose master has the same name, tell of them just so. So a stranger's word alone leads nobody away, as long as there
//! are others who could tell. The server that it names is asked for INFO instead, and the stranger is believed once there is a proof that
//! it speaks of our master:
//!
//! 1. the server is a master whose data has the history of ours: they share a replication id;
//! 2. or our own master, the same process as ever, says that it follows that server: somebody ordered that;
//! 3. or the server is a master, the stranger has greeted on our own healthy master for five publish periods, and no Sentinel that is
//!    known has named our configuration in that time (or fifteen periods, if all of us have what a file said at first, epoch 0): it takes
//!    our master for one of its own, which those of our kind do not do with a server of another cluster.
//!
//! Differs: the reference follows whoever names a newer configuration.
//!
//! Not decided here: what an instance of a list is (`lineage`). The address that is asked may be anybody's: it gets the password that the
//! master has, as it would in the reference, a PING and INFO, and nothing else.
//!
//! Invariant: a server that is only named belongs to no list, is shown to nobody, judged by nobody, greeted by nobody, and never promoted
//! or re-pointed. There are at most [`MAX_RUMOURS`] of a master, each for [`PERIODS`] publish periods after the last hello that named it.

use std::collections::VecDeque;
use std::time::Duration;

use super::cx::Cx;
use super::fleet::Fleet;
use super::hole::Hole;
use super::lineage;
use super::notice::Level;
use super::quarantine;
use super::repair;
use super::replica::Replica;
use super::report::follows;
use super::tag::Entity;
use crate::model::{Address, Epoch, Instant, LinkId, MasterId, ReplicaId, RunId};
use crate::wire::{Hello, InfoReport, Role};

/// How many addresses that strangers name are asked at a time, for each master.
pub const MAX_RUMOURS: usize = 4;
/// How many publish periods one is asked after it was named last; and for how many strangers have to greet on our master.
const PERIODS: u32 = 5;
/// For how many, if we agree with others about the address of a configuration file: several of us may be new.
const NEWCOMERS: u32 = 15;
/// How many publish periods nobody is greeted by who knows nobody.
const LISTENING: u32 = 3;
/// So long at most it waits for the first report of the master.
const REPORT_WAIT: Duration = Duration::from_millis(1_000);
/// How many publish periods may be between two hellos of one story.
const GAP: u32 = 3;
/// How many strangers are remembered as told of in the log.
const MAX_TOLD: usize = 16;

/// What strangers say of one master.
#[derive(Clone, Debug, Default)]
pub struct Hearsay {
    rumours: Vec<Rumour>,
    told: VecDeque<RunId>,
    believed: VecDeque<RunId>,
}

/// An address that is said to be the master's.
#[derive(Clone, Debug)]
struct Rumour {
    /// Who is there: an instance of no list.
    server: ReplicaId,
    /// When it was named last.
    heard_at: Instant,
    /// Since when, and when last, it was named on the subscription of our own master.
    on_master: Option<(Instant, Instant)>,
}

impl Hearsay {
    /// The servers that are only named.
    pub fn servers(&self) -> impl Iterator<Item = ReplicaId> {
        self.rumours.iter().map(|rumour| rumour.server)
    }

    /// A server is removed.
    pub fn drop_server(&mut self, id: ReplicaId) {
        self.rumours.retain(|rumour| rumour.server != id);
    }
}

/// True for an instance that is only named.
pub fn is_rumoured(fleet: &Fleet, entity: Entity) -> bool {
    let (Entity::Replica(id), Some(master)) = (entity, fleet.master_of(entity)) else { return false };
    fleet.masters[master].hearsay.servers().any(|server| server == id)
}

/// True if a hello comes from a Sentinel we don't know, and would lead us away to an address we don't know, although others could tell us:
/// the master, which is well, or Sentinels and replicas that are known; and nothing proves it. Said once, as is that it is believed after
/// all. `via` is the link whose subscription it was heard on.
///
/// A master that is not well is no reason to believe it: neighbours who watch a server that used to be ours would find us just then, after
/// a start, when no lineage is known. What our own have decided a known peer tells.
pub fn distrusts(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, hello: &Hello, via: Option<LinkId>) -> bool {
    if via.is_some() && listens_until(fleet, cx, id).is_some() {
        return true;
    }
    if hello.config_epoch <= fleet.masters[id].config_epoch {
        return false;
    }
    let address = fleet.address(&hello.master_host, hello.master_port);
    if is_one_of_us(fleet, cx, id, hello, &address)
        || cx.holes.has(Hole::FollowsForeign)
        || lineage::has_kin_at(fleet, id, &address)
        || (is_alone(fleet, id) && !repair::looks_sane(fleet, cx, id) && !is_missed(fleet, id))
    {
        return false;
    }
    let on_master = via == Some(fleet.masters[id].instance.link);
    note(fleet, cx, id, hello, &address, on_master);
    let proof = proof(fleet, cx, id, &address).filter(|_| quarantine::plausible(cx, hello.config_epoch));
    let hearsay = &mut fleet.masters[id].hearsay;
    let known = if proof.is_some() { &mut hearsay.believed } else { &mut hearsay.told };
    if !known.contains(&hello.run_id) {
        known.push_front(hello.run_id.clone());
        known.truncate(MAX_TOLD);
        let said = format!(
            "Sentinel {} at {}:{} says that {} is at {address} since epoch {}. It is not known here, nor is that address: ",
            hello.run_id, hello.host, hello.port, hello.master_name, hello.config_epoch
        );
        let verdict = proof.map_or(
            "not followed before somebody who is known says so, or that server shows that it is one of ours. If it belongs to another \
             cluster, give the master there another name"
                .to_owned(),
            |why| format!("believed, because {why}"),
        );
        cx.log(Level::Warning, said + &verdict);
    }
    proof.is_none()
}

/// Until when we say nothing, and believe nobody who did not know us before: nobody is known, and the master says that it follows somebody.
///
/// It may be an old master that was demoted, or another cluster's server at its address. Whoever greets us now, while we keep quiet, had our
/// address from one who was here before: that is one of us. Neighbours would hear of us there first. When nobody came, nobody knows us.
pub fn listens_until(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    let master = &fleet.masters[id];
    if !is_alone(fleet, id) || cx.holes.has(Hole::FollowsForeign) {
        return None;
    }
    let until = match master.info.role {
        Role::Replica => {
            master.info.role_since.max(cx.thawed_at) + cx.globals.tunables.publish_period * LISTENING
        }
        Role::Master if master.info.questioned_at.is_some() => return None,
        Role::Master => fleet.links[master.instance.link].command.started_at()? + REPORT_WAIT,
    };
    (until > cx.mono()).then_some(until)
}

/// Until when the master is not greeted, beyond that: who knows no Sentinel waits for its first report, by which it may be a replica. The
/// replicas of the file are no proof that the address still is our master's: they may have followed it to another cluster.
pub fn awaits_report_until(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    let master = &fleet.masters[id];
    let knows_nobody = master.peers.is_empty() && master.forgotten.peers.is_empty();
    if !knows_nobody || master.info.questioned_at.is_some() || cx.holes.has(Hole::FollowsForeign) {
        return None;
    }
    let until = fleet.links[master.instance.link].command.started_at()? + REPORT_WAIT;
    (until > cx.mono()).then_some(until)
}

/// A server that is only named reported.
pub fn on_info(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, report: &InfoReport) {
    let now = cx.mono();
    let info = &mut fleet.replicas[id].info;
    (info.at, info.asked_at, info.questioned_at) = (Some(now), None, info.owed.pop_front());
    info.role = report.role.unwrap_or(Role::Replica);
    lineage::note_ids(&mut fleet.replicas[id], report);
    cx.touch(Entity::Replica(id));
}

/// Lets go of what is not named any more; when that will be.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let life = cx.globals.tunables.publish_period * PERIODS;
    let now = cx.mono();
    let rumours = fleet.masters[id].hearsay.rumours.clone();
    let (over, alive): (Vec<Rumour>, Vec<Rumour>) =
        rumours.into_iter().partition(|rumour| rumour.heard_at + life <= now);
    over.into_iter().for_each(|rumour| fleet.remove_replica(rumour.server, cx));
    alive.into_iter().map(|rumour| rumour.heard_at + life).min()
}

/// Nothing that was said counts any more: the master is another one, or a freeze of ours is over, after which nothing is waited for that we
/// can do without.
pub fn forget(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let servers: Vec<ReplicaId> = fleet.masters[id].hearsay.servers().collect();
    servers.into_iter().for_each(|server| fleet.remove_replica(server, cx));
    fleet.masters[id].hearsay = Hearsay::default();
}

/// Has the server that is named asked.
fn note(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, hello: &Hello, address: &Address, on_master: bool) {
    let now = cx.mono();
    let gap: Duration = cx.globals.tunables.publish_period * GAP;
    let same = |rumour: &Rumour| fleet.replicas[rumour.server].instance.address.same_as(address);
    let known = fleet.masters[id].hearsay.rumours.iter().position(same);
    let usable = address.ip.is_some() || (cx.globals.settings.resolve_hostnames && !address.host.is_empty());
    let room = fleet.masters[id].hearsay.rumours.len() < MAX_RUMOURS;
    let index = match known {
        Some(index) => index,
        None if usable && room && quarantine::plausible(cx, hello.config_epoch) => {
            let server = fleet.add_stray(id, address.clone(), false, cx);
            cx.touch_master(id);
            let rumours = &mut fleet.masters[id].hearsay.rumours;
            rumours.push(Rumour { server, heard_at: now, on_master: None });
            rumours.len() - 1
        }
        None => return,
    };
    let recognised = on_master && is_surely_ours(fleet, cx, id);
    let rumour = &mut fleet.masters[id].hearsay.rumours[index];
    rumour.heard_at = now;
    if recognised {
        let since =
            rumour.on_master.filter(|(_, last)| now.since(*last) <= gap).map_or(now, |(since, _)| since);
        rumour.on_master = Some((since, now));
    }
}

/// Why the server at that address is our master now, if that is sure.
fn proof(fleet: &Fleet, cx: &Cx, id: MasterId, address: &Address) -> Option<&'static str> {
    let master = &fleet.masters[id];
    if master.lineage.gone_to().is_some_and(|place| place.same_as(address)) {
        return Some("our master itself follows that server");
    }
    let same = |rumour: &&Rumour| fleet.replicas[rumour.server].instance.address.same_as(address);
    let rumour = master.hearsay.rumours.iter().find(same)?;
    let server = &fleet.replicas[rumour.server];
    let since = fleet.links[server.instance.link].command.started_at()?;
    if server.info.role != Role::Master || !server.info.tells_of(since) {
        return None;
    }
    if lineage::vouches_for(fleet, server) {
        return Some("that server's data has the replication history of our master");
    }
    let now = cx.mono();
    let period = cx.globals.tunables.publish_period;
    let (met, last) = rumour.on_master?;
    let agreed = master.peers.iter().filter_map(|peer| fleet.peers[*peer].confirmed.as_ref()).any(
        |(epoch, place, at)| {
            *epoch == master.config_epoch
                && place.same_as(&master.instance.address)
                && now.since(*at) <= period * PERIODS
        },
    );
    let wait = match (agreed, master.config_epoch) {
        (false, _) => PERIODS,
        (true, Epoch::ZERO) => NEWCOMERS,
        (true, _) => return None,
    };
    let long = last == now && now.since(met) >= period * wait;
    long.then_some("it has greeted on our master all the time, and nobody who would know contradicts")
}

/// Our master is one, by its own words on the connections of now, and nothing that was seen of it is another cluster's.
fn is_surely_ours(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    let master = &fleet.masters[id];
    let link = &fleet.links[master.instance.link];
    let heard = link.pubsub.and_then(|conn| conn.started_at());
    let since = link.command.started_at().max(heard);
    repair::looks_sane(fleet, cx, id)
        && master.lineage.is_sure()
        && since.is_some_and(|since| master.info.tells_of(since))
}

/// A known peer, or one that a reset set aside; or, while our master is not well, one with a new run id where a known one was, unless it
/// leads to another cluster, or we could not tell: it may have started with an address that was given away.
fn is_one_of_us(fleet: &Fleet, cx: &Cx, id: MasterId, hello: &Hello, named: &Address) -> bool {
    let address = fleet.address(&hello.host, hello.port);
    let master = &fleet.masters[id];
    let mut peers = master.peers.iter().chain(&master.forgotten.peers).map(|peer| &fleet.peers[*peer]);
    let mut replaced = false;
    peers.any(|peer| {
        replaced |= peer.instance.address.same_as(&address);
        *peer.run_id() == hello.run_id
    }) || (replaced
        && master.lineage.is_known()
        && !repair::looks_sane(fleet, cx, id)
        && !leads_to_strangers(fleet, id, named))
}

/// A server of another cluster is there, or their master, as one of them says.
fn leads_to_strangers(fleet: &Fleet, id: MasterId, address: &Address) -> bool {
    let replicas = fleet.masters[id].replicas.iter().map(|replica| &fleet.replicas[*replica]);
    replicas.filter(|replica| replica.origin.is_foreign()).any(|replica| {
        replica.instance.address.same_as(address)
            || (replica.info.role == Role::Replica
                && follows(replica.master_host.as_deref(), replica.master_port, address))
    })
}

/// Nobody but the master is known, nor was until a moment ago; or no peer, and the master says that it is none: whoever starts with an
/// address of long ago has to learn the new one from strangers.
fn is_alone(fleet: &Fleet, id: MasterId) -> bool {
    let master = &fleet.masters[id];
    let aside = &master.forgotten;
    master.peers.is_empty()
        && aside.peers.is_empty()
        && (master.info.role == Role::Replica || (master.replicas.is_empty() && aside.replicas.is_empty()))
}

/// The master that said it is none does not answer any more, and a replica that does says that it follows it still: whoever was promoted
/// elsewhere would have that one follow him by now.
fn is_missed(fleet: &Fleet, id: MasterId) -> bool {
    let master = &fleet.masters[id];
    let replicas = || master.replicas.iter().map(|replica| &fleet.replicas[*replica]);
    let follows_it = |replica: &Replica| {
        let place = fleet.current_address(id);
        replica.info.role == Role::Replica
            && follows(replica.master_host.as_deref(), replica.master_port, place)
    };
    master.instance.s_down && replicas().any(|replica| !replica.instance.s_down && follows_it(replica))
}
