//! Absorbs an INFO report: roles, run ids, discovery, repair of what strayed (spec 2 §5.2–5.4).

use super::crowd::Kind;
use super::cx::Cx;
use super::failover::{self, Failover};
use super::fleet::Fleet;
use super::lineage;
use super::names::News;
use super::notice::Level;
use super::probe;
use super::repair;
use super::replica::Reconf;
use super::tag::Entity;
use crate::model::{Address, MasterId, ReplicaId, RunId};
use crate::wire::{InfoReport, Role};

/// The answer to INFO was none, or tells of a time that is over: it was the turn of the oldest question all the same, and who owes less is asked again sooner.
pub fn on_refused(fleet: &mut Fleet, cx: &mut Cx, entity: Entity) {
    if let Some(info) = fleet.info_mut(entity) {
        info.owed.pop_front();
        cx.touch(entity);
    }
}

/// An INFO arrived.
pub fn on_info(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, report: &InfoReport) {
    let now = cx.mono();
    let Some(master) = fleet.master_of(entity) else { return };
    let reticence = probe::reticence(fleet, master);
    let Some(info) = fleet.info_mut(entity) else { return };
    info.at = Some(now);
    info.asked_at = None;
    info.questioned_at = info.owed.pop_front();
    info.text = Some(report.text.clone());
    learn_run_id(fleet, cx, entity, report);
    match entity {
        Entity::Master(id) => learn_replicas(fleet, cx, id, report),
        Entity::Replica(id) => learn_replica_fields(fleet, cx, id, report),
        Entity::Peer(_) => return,
    }
    learn_role(fleet, cx, entity, report.role);
    lineage::on_info(fleet, cx, entity, report);
    if let (Entity::Replica(id), false) = (entity, cx.tilted) {
        react(fleet, cx, id);
    }
    cx.touch(entity);
    if probe::reticence(fleet, master) != reticence {
        probe::touch_replicas(fleet, cx, master);
    }
    // A failover may have waited for this report.
    if fleet.masters[master].failover.is_running() || fleet.masters[master].instance.s_down {
        cx.touch_master(master);
    }
}

/// Spec 2 §5.4: another run id means that the process was restarted.
fn learn_run_id(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, report: &InfoReport) {
    let now = cx.mono();
    let Some(run_id) = report.run_id.as_deref() else { return };
    let Some(instance) = fleet.instance_mut(entity) else { return };
    let known = instance.run_id.as_ref().map(RunId::as_str);
    if known == Some(run_id) {
        return;
    }
    let restarted = known.is_some();
    instance.run_id = Some(RunId::from(run_id));
    if !restarted {
        return;
    }
    fleet.announce(cx, Level::Notice, "+reboot", entity, "");
    if let Entity::Master(id) = entity
        && fleet.masters[id].settings.reboot_down_after.is_some()
    {
        fleet.masters[id].rebooted_at = Some(now);
    }
}

fn learn_replicas(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, report: &InfoReport) {
    for (host, port) in &report.replicas {
        let address = fleet.address(host, *port);
        if address.ip.is_none() && !cx.globals.settings.resolve_hostnames {
            cx.log_unresolved(host);
            continue;
        }
        if fleet.find_replica(id, &address).is_some() {
            continue;
        }
        if fleet.is_stranger(&address) {
            fleet.names.wait(cx, host, News::Replica(id, *port));
        } else {
            introduce_replica(fleet, cx, id, address);
        }
    }
}

/// A replica that was not known: it is added and announced.
pub fn introduce_replica(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, address: Address) {
    if fleet.find_replica(id, &address).is_none() && fleet.has_room(cx, id, Kind::Replica) {
        let replica = fleet.add_replica(id, address.clone(), cx);
        probe::touch_followers(fleet, cx, id, &address);
        fleet.announce(cx, Level::Notice, "+slave", Entity::Replica(replica), "");
        cx.ledger.record_master(id);
    }
}

fn learn_replica_fields(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, report: &InfoReport) {
    let now = cx.mono();
    let replica = &mut fleet.replicas[id];
    replica.link_down_ms = report.master_link_down_since.map_or(0, |seconds| seconds.saturating_mul(1000));
    if report.role != Some(Role::Replica) {
        return;
    }
    let host_changed = report.master_host.is_some() && report.master_host != replica.master_host;
    let port_changed = report.master_port.is_some_and(|port| port != replica.master_port);
    if host_changed || port_changed {
        replica.config_changed_at = now;
    }
    if let Some(host) = &report.master_host {
        replica.master_host = Some(host.clone());
    }
    replica.master_port = report.master_port.unwrap_or(replica.master_port);
    replica.master_link_up = report.master_link_up.unwrap_or(replica.master_link_up);
    replica.priority = report.priority.unwrap_or(replica.priority);
    replica.repl_offset = report.repl_offset.unwrap_or(replica.repl_offset);
    replica.announced = report.announced.unwrap_or(replica.announced);
}

/// Spec 2 §5.3 step 0. A report without a role is no news. Differs: the reference announces a change to `slave` then.
fn learn_role(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, role: Option<Role>) {
    let now = cx.mono();
    let Some(role) = role else { return };
    let kind = if let Entity::Master(_) = entity { Role::Master } else { Role::Replica };
    let Some(info) = fleet.info_mut(entity) else { return };
    if info.role == role {
        return;
    }
    info.role = role;
    info.role_since = now;
    if let (Entity::Replica(id), Role::Replica) = (entity, role) {
        fleet.replicas[id].config_changed_at = now;
    }
    let name = if role == kind { "+role-change" } else { "-role-change" };
    let word = if role == Role::Master { "master" } else { "slave" };
    fleet.announce(cx, Level::Verbose, name, entity, &format!(" new reported role is {word}"));
}

/// Spec 2 §5.3 steps 2 to 5.
fn react(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    let master = fleet.replicas[id].master;
    if fleet.replicas[id].info.role == Role::Master {
        match fleet.masters[master].failover {
            Failover::Promoting { candidate, .. } if candidate == id => {
                failover::on_promoted(fleet, cx, master)
            }
            _ => repair::on_another_master(fleet, cx, id),
        }
        return;
    }
    fleet.replicas[id].former_master = false;
    repair::on_role_replica(fleet, cx, id);
    follow_reconf(fleet, cx, id);
}

/// Progress of re-pointing, as the replica reports it (spec 2 §5.3 steps 4 and 5).
fn follow_reconf(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    let now = cx.mono();
    let Failover::Reconfiguring { promoted, .. } = fleet.masters[fleet.replicas[id].master].failover else {
        return;
    };
    let target = fleet.replicas[promoted].instance.address.clone();
    let replica = &mut fleet.replicas[id];
    let follows = follows(replica.master_host.as_deref(), replica.master_port, &target);
    if matches!(replica.reconf, Some(Reconf::Sent { .. })) && follows {
        replica.reconf = Some(Reconf::InProgress { since: now });
        fleet.announce(cx, Level::Notice, "+slave-reconf-inprog", Entity::Replica(id), "");
    }
    let replica = &mut fleet.replicas[id];
    if matches!(replica.reconf, Some(Reconf::InProgress { .. })) && follows && replica.master_link_up {
        replica.reconf = Some(Reconf::Done);
        fleet.announce(cx, Level::Notice, "+slave-reconf-done", Entity::Replica(id), "");
    }
}

/// True if a replica's own words mean that address; a name is compared as a name (spec 2 §5.3).
pub fn follows(host: Option<&str>, port: u16, address: &Address) -> bool {
    host.is_some_and(|host| Address::new(host, port).same_as(address))
}
