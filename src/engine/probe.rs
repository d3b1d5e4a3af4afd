//! What is owed to whom, and when: INFO to masters and replicas, hello to everybody (spec 2 §5.1, §6.2).
//!
//! Differs: no tick is waited for, and what a decision rests on is asked for at once. What stays without an answer is asked again after a
//! second; the reference asks at every tick.

use std::time::Duration;

use super::cx::Cx;
use super::failover::Failover;
use super::fleet::Fleet;
use super::hearsay;
use super::instance::InfoState;
use super::lineage;
use super::link::send;
use super::replica::{Outcome, Reconf, Replica};
use super::report::follows;
use super::tag::{Ask, Entity};
use crate::model::{Address, Instant, MasterId, ReplicaId};
use crate::wire::{Hello, Reply, Request, Role};

/// INFO to a replica of a master that is down, or with a broken link to its master.
const FAST_INFO: Duration = Duration::from_millis(1_000);
/// INFO to a replica whose next state a failover waits for, at first.
const EAGER_INFO: Duration = Duration::from_millis(20);
/// An unanswered INFO or hello is repeated after this.
const REPEAT: Duration = Duration::from_millis(1_000);

/// Sends what is due to one instance; when to look again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, entity: Entity) -> Option<Instant> {
    let instance = fleet.instance(entity)?;
    if !fleet.links[instance.link].accepts_periodic() {
        return None;
    }
    let info = match entity {
        Entity::Master(_) => Some(cx.globals.tunables.info_period),
        Entity::Replica(id) => Some(info_period(fleet, cx, id)),
        Entity::Peer(_) => None,
    };
    let info_due = info.and_then(|period| info_step(fleet, cx, entity, period));
    let hello_due = hello_step(fleet, cx, entity);
    info_due.into_iter().chain(hello_due).min()
}

/// Asks for INFO now, whatever the schedule says.
pub fn ask_info(fleet: &mut Fleet, cx: &mut Cx, entity: Entity) {
    let now = cx.mono();
    if send(fleet, cx, entity, Ask::Info, Request::Info)
        && let Some(info) = fleet.info_mut(entity)
    {
        info.asked_at = Some(now);
        info.owed.push_back(now);
        info.wanted = false;
    }
}

/// Asks every replica of a master for INFO now: a decision that needs fresh facts is near.
pub fn ask_all_info(fleet: &mut Fleet, cx: &mut Cx, master: MasterId) {
    for id in fleet.masters[master].replicas.clone() {
        ask_info(fleet, cx, Entity::Replica(id));
    }
}

/// Owes a hello to everybody who cares about a master: its configuration changed (spec 2 §6.2).
pub fn hurry_hello(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let master = &fleet.masters[id];
    let replicas = master.replicas.iter().map(|id| Entity::Replica(*id));
    let peers = master.peers.iter().map(|id| Entity::Peer(*id));
    let all: Vec<Entity> = peers.chain([Entity::Master(id)]).chain(replicas).collect();
    for entity in all {
        if let Some(instance) = fleet.instance_mut(entity) {
            instance.hello_now = true;
        }
        cx.touch(entity);
    }
}

/// What may keep us from greeting the replicas of a master: whether its lineage is known, what it says that it is (`lineage`, `hearsay`).
pub fn reticence(fleet: &Fleet, id: MasterId) -> (bool, Role) {
    let master = &fleet.masters[id];
    (master.lineage.is_known(), master.info.role)
}

/// What the rules of all replicas of a master rest on changed: who is to be greeted, how often they are asked.
pub fn touch_replicas(fleet: &Fleet, cx: &mut Cx, id: MasterId) {
    fleet.masters[id].replicas.iter().for_each(|id| cx.touch(Entity::Replica(*id)));
}

/// An address turned out to belong to a master: who follows it may be greeted now (`lineage::may_greet`).
pub fn touch_followers(fleet: &Fleet, cx: &mut Cx, id: MasterId, address: &Address) {
    let master = &fleet.masters[id];
    for replica in master.replicas.iter().map(|id| &fleet.replicas[*id]) {
        if follows(replica.master_host.as_deref(), replica.master_port, address) {
            cx.touch(Entity::Replica(replica.id));
        }
    }
}

/// A PUBLISH was answered: only a reply that is no error counts as published (spec 2 §1.4).
pub fn on_publish_reply(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, reply: &Reply) {
    let now = cx.mono();
    let Some(instance) = fleet.instance_mut(entity) else { return };
    instance.hello_on_its_way = false;
    // One that was refused is repeated.
    cx.touch(entity);
    if !matches!(reply, Reply::Error(_)) {
        instance.hello_accepted_at = instance.hello_sent_at.take().or(Some(now));
    }
}

fn info_step(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, period: Duration) -> Option<Instant> {
    let now = cx.mono();
    let info = fleet.info_mut(entity)?;
    let scheduled = info.at.map_or(now, |at| at + period);
    let due = match info.asked_at {
        _ if info.wanted => now,
        // While a reply is awaited the question is only repeated after a while, and after ever longer ones.
        Some(asked) => scheduled.max(asked + REPEAT.saturating_mul(patience(info))),
        None => scheduled,
    };
    if due > now {
        return Some(due);
    }
    ask_info(fleet, cx, entity);
    Some(scheduled.max(now + REPEAT))
}

/// How many times longer than usual an answer is waited for: who owes many has much to do.
fn patience(info: &InfoState) -> u32 {
    u32::try_from(info.owed.len()).unwrap_or(u32::MAX).max(1)
}

fn info_period(fleet: &Fleet, cx: &Cx, id: ReplicaId) -> Duration {
    let replica = &fleet.replicas[id];
    let master = &fleet.masters[replica.master];
    if master.forgotten.replicas.contains(&id) {
        // It has not much time to be found in.
        return FAST_INFO.min(cx.globals.tunables.info_period);
    }
    if hearsay::is_rumoured(fleet, Entity::Replica(id)) {
        return cx.globals.tunables.info_period;
    }
    if let Some(since) = awaited_since(replica, &master.failover) {
        // The longer it takes, the more patiently we ask: a full synchronisation may last for minutes.
        let age = cx.mono().since(since);
        return (age / 10).clamp(EAGER_INFO, FAST_INFO);
    }
    let strayed = replica.info.role == Role::Master;
    let broken = replica.link_down_ms != 0;
    if master.o_down || master.failover.is_running() || broken || strayed {
        FAST_INFO.min(cx.globals.tunables.info_period)
    } else {
        cx.globals.tunables.info_period
    }
}

/// Since when a failover waits for this replica's INFO to change.
fn awaited_since(replica: &Replica, failover: &Failover) -> Option<Instant> {
    let accepted = replica.block.as_ref().filter(|block| block.outcome == Outcome::Accepted);
    match (failover, replica.reconf) {
        (Failover::Promoting { candidate, .. }, _) if *candidate == replica.id => {
            accepted.map(|block| block.sent_at)
        }
        (Failover::Reconfiguring { .. }, Some(Reconf::Sent { at } | Reconf::InProgress { since: at })) => {
            Some(at)
        }
        _ => None,
    }
}

fn hello_step(fleet: &mut Fleet, cx: &mut Cx, entity: Entity) -> Option<Instant> {
    let now = cx.mono();
    let period = cx.globals.tunables.publish_period;
    let instance = fleet.instance(entity)?;
    let accepted = instance.hello_accepted_at.map_or(Instant::ZERO, |at| at + period);
    let repeated = instance.hello_sent_at.map_or(Instant::ZERO, |at| at + REPEAT.min(period));
    let due = if instance.hello_now { now } else { accepted.max(repeated) };
    if instance.hello_on_its_way && !instance.hello_now {
        // Differs: the reference repeats what is on its way at every tick. Who is too busy to answer would have ever more to do.
        return None;
    }
    if due > now {
        return Some(due);
    }
    let master = &fleet.masters[fleet.master_of(entity)?];
    if !cx.outbox.is_settled(master.config_revision) {
        // The save is on its way; its end touches everybody who waits for it.
        return None;
    }
    if matches!(master.failover, Failover::Reconfiguring { announced: false, .. }) {
        // Our own clients come first; the announcement of the promotion owes everybody a hello.
        return None;
    }
    if !lineage::may_greet(fleet, entity) {
        return None;
    }
    let is_master = matches!(entity, Entity::Master(_));
    let report = is_master.then(|| hearsay::awaits_report_until(fleet, cx, master.id)).flatten();
    if let Some(until) = hearsay::listens_until(fleet, cx, master.id).max(report) {
        return Some(until);
    }
    let hello = compose(fleet, cx, entity)?;
    send(fleet, cx, entity, Ask::Publish, Request::Publish(hello));
    let instance = fleet.instance_mut(entity)?;
    instance.hello_now = false;
    instance.hello_sent_at = Some(now);
    instance.hello_on_its_way = true;
    Some(now + REPEAT.min(period))
}

/// Our gossip about the instance's master (spec 2 §6.1).
///
/// Differs: an empty `announce-ip` announces what the connection says; the reference announces the empty text, and is lost to its peers.
fn compose(fleet: &Fleet, cx: &Cx, entity: Entity) -> Option<Hello> {
    let globals = &cx.globals;
    let id = fleet.master_of(entity)?;
    let master = &fleet.masters[id];
    let local = fleet.links[fleet.instance(entity)?.link].local_ip;
    let host =
        globals.settings.announce_ip.clone().filter(|ip| !ip.is_empty()).or(local.map(|ip| ip.to_string()))?;
    let (master_host, master_port) = globals.shown(fleet.current_address(id));
    Some(Hello {
        host,
        port: globals.announced_port(),
        run_id: globals.my_id.clone(),
        // A configuration was won, or heard of, in an epoch that is known to others already.
        current_epoch: cx.durable_epoch().max(master.config_epoch),
        master_name: master.name.clone(),
        master_host,
        master_port,
        config_epoch: master.config_epoch,
    })
}
