//! Plain copies of state for answers (spec 3 §3.4.3).

use std::time::Duration;

use super::cx::Cx;
use super::fleet::Fleet;
use super::instance::{InfoState, Instance};
use super::master::Master;
use super::peer::Peer;
use super::replica::{Reconf, Replica};
use super::tilt::Tilt;
use crate::wire::view::{InstanceView, MasterInfoView, MasterView, PeerView, ReplicaView, SentinelInfoView};

/// A master, as SENTINEL MASTER shows it.
pub fn master(fleet: &Fleet, cx: &Cx, master: &Master) -> MasterView {
    let now = cx.mono();
    let instance = &master.instance;
    let flags = flags(&[
        (instance.s_down, "s_down"),
        (master.o_down, "o_down"),
        (true, "master"),
        (fleet.links[instance.link].disconnected(), "disconnected"),
        (master.failover.is_running(), "failover_in_progress"),
        (master.failover.is_forced(), "force_failover"),
        (instance.script_kill_sent, "script_kill_sent"),
    ]);
    MasterView {
        instance: InstanceView {
            o_down_time: master.o_down_at.filter(|_| master.o_down).map(|at| now.since(at)),
            ..common(fleet, cx, instance, master, flags)
        },
        failover_state: master.failover.state_name(),
        info_refresh: master.info.at.map(|at| now.since(at)),
        role_reported: master.info.role,
        role_reported_time: now.since(master.info.role_since),
        config_epoch: master.config_epoch,
        num_replicas: master.replicas.len(),
        num_other_sentinels: master.peers.len(),
        quorum: master.settings.quorum,
        failover_timeout: master.settings.failover_timeout,
        parallel_syncs: master.settings.parallel_syncs,
        notification_script: master.settings.notification_script.clone(),
        client_reconfig_script: master.settings.client_reconfig_script.clone(),
    }
}

/// A replica, as SENTINEL REPLICAS shows it.
pub fn replica(fleet: &Fleet, cx: &Cx, replica: &Replica) -> ReplicaView {
    let now = cx.mono();
    let instance = &replica.instance;
    let master = &fleet.masters[replica.master];
    let flags = flags(&[
        (instance.s_down, "s_down"),
        (true, "slave"),
        (fleet.links[instance.link].disconnected(), "disconnected"),
        (master.failover.promoted() == Some(replica.id), "promoted"),
        (matches!(replica.reconf, Some(Reconf::Sent { .. })), "reconf_sent"),
        (matches!(replica.reconf, Some(Reconf::InProgress { .. })), "reconf_inprog"),
        (replica.reconf == Some(Reconf::Done), "reconf_done"),
        (instance.script_kill_sent, "script_kill_sent"),
    ]);
    ReplicaView {
        instance: common(fleet, cx, instance, master, flags),
        info_refresh: replica.info.at.map(|at| now.since(at)),
        role_reported: replica.info.role,
        role_reported_time: now.since(replica.info.role_since),
        master_link_down_time_ms: replica.link_down_ms,
        master_link_ok: replica.master_link_up,
        master_host: replica.master_host.clone(),
        master_port: replica.master_port,
        priority: replica.priority,
        repl_offset: replica.repl_offset,
        announced: replica.announced,
    }
}

/// A peer, as SENTINEL SENTINELS shows it.
pub fn peer(fleet: &Fleet, cx: &Cx, peer: &Peer) -> PeerView {
    let instance = &peer.instance;
    let flags = flags(&[
        (instance.s_down, "s_down"),
        (true, "sentinel"),
        (fleet.links[instance.link].disconnected(), "disconnected"),
        (peer.ask.master_down, "master_down"),
        (instance.script_kill_sent, "script_kill_sent"),
    ]);
    let (voted_leader, epoch) =
        peer.ask.vote.clone().map_or((None, None), |(leader, epoch)| (Some(leader), Some(epoch)));
    PeerView {
        instance: common(fleet, cx, instance, &fleet.masters[peer.master], flags),
        last_hello: cx.mono().since(peer.hello_at),
        voted_leader,
        voted_leader_epoch: epoch.unwrap_or_default(),
    }
}

/// The Sentinel section of INFO.
pub fn info(fleet: &Fleet, cx: &Cx, tilt: &Tilt) -> SentinelInfoView {
    let line = |master: &Master| MasterInfoView {
        name: master.name.clone(),
        status: match (master.o_down, master.instance.s_down) {
            (true, _) => "odown",
            (false, true) => "sdown",
            (false, false) => "ok",
        },
        host: master.instance.address.shown_host(cx.globals.announce_hostnames()),
        port: master.instance.address.port,
        replicas: master.replicas.len(),
        sentinels: master.peers.len() + 1,
    };
    SentinelInfoView {
        tilt_since: tilt.since().map(|since| cx.mono().since(since)),
        total_tilt: tilt.entered(),
        running_scripts: cx.scripts.running(),
        scripts_queue_length: cx.scripts.queued(),
        simulate_failure_flags: cx.globals.simulate.bits(),
        masters: fleet.masters_by_name().map(line).collect(),
    }
}

/// The age of an INFO as INFO-CACHE gives it. Compat: while the master's own was never received, every age is 0; else one that was
/// never received has the age of the Unix epoch (spec 3 §3.4.16).
pub fn info_age_ms(cx: &Cx, master: &InfoState, info: &InfoState) -> i64 {
    match (master.at, info.at) {
        (None, _) => 0,
        (Some(_), None) => cx.now.wall.as_millis(),
        (Some(_), Some(at)) => i64::try_from(cx.mono().since(at).as_millis()).unwrap_or(i64::MAX),
    }
}

fn common(
    fleet: &Fleet,
    cx: &Cx,
    instance: &Instance,
    master: &Master,
    flags: Vec<&'static str>,
) -> InstanceView {
    let now = cx.mono();
    let link = &fleet.links[instance.link];
    InstanceView {
        name: instance.name.clone(),
        host: instance.address.shown_host(cx.globals.announce_hostnames()),
        port: instance.address.port,
        run_id: instance.run_id.as_ref().map(|id| id.to_string()).unwrap_or_default(),
        flags,
        pending_commands: link.pending,
        link_refcount: link.owners.len() as u64,
        last_ping_sent: link.awaited_since().map_or(Duration::ZERO, |at| now.since(at)),
        last_ok_ping_reply: now.since(link.available_at),
        last_ping_reply: now.since(link.pong_at),
        s_down_time: instance.s_down_at.filter(|_| instance.s_down).map(|at| now.since(at)),
        o_down_time: None,
        down_after: master.settings.down_after,
    }
}

fn flags(all: &[(bool, &'static str)]) -> Vec<&'static str> {
    all.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect()
}
