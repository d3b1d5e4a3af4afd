//! Commands of operators that change what is watched: FAILOVER, RESET, MONITOR, REMOVE, SIMULATE-FAILURE.

use std::net::IpAddr;

use super::{answer, answer_when_saved, find, refuse};
use crate::conf::{MasterSettings, parse_ip};
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::globals::Simulate;
use crate::engine::hole::Hole;
use crate::engine::names::News;
use crate::engine::notice::Level;
use crate::engine::tag::Entity;
use crate::engine::{failover, gossip, report};
use crate::model::{CommandId, MasterId, MasterName};
use crate::text::lossless;
use crate::text::words::has_control;
use crate::wire::glob::glob_matches;
use crate::wire::{Answer, ErrorReply};

/// Commands that wait for a name to be resolved.
#[derive(Clone, Default)]
pub struct Pending {
    monitors: Vec<Monitor>,
}

/// The words of `SENTINEL MONITOR`.
#[derive(Clone)]
pub struct Monitor {
    /// Whom to answer.
    pub id: CommandId,
    /// The new master's name.
    pub name: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: i64,
    /// Its quorum.
    pub quorum: i64,
}

/// `SENTINEL FAILOVER name` (spec 2 §9.10).
pub fn failover(fleet: &mut Fleet, cx: &mut Cx, id: CommandId, name: &str) {
    let master = match find(fleet, name) {
        Ok(master) => master,
        Err(error) => return refuse(cx, id, error),
    };
    if fleet.masters[master].failover.is_running() {
        return refuse(cx, id, ErrorReply::FailoverInProgress);
    }
    if failover::eligible_replicas(fleet, cx, master).is_empty() {
        return refuse(cx, id, ErrorReply::NoGoodReplica);
    }
    cx.log(Level::Warning, format!("Executing user requested FAILOVER of '{name}'"));
    failover::force(fleet, cx, master);
    answer(cx, id, Answer::Ok);
}

/// `SENTINEL RESET pattern` (spec 3 §3.4.12). Not saved by itself.
pub fn reset(fleet: &mut Fleet, cx: &mut Cx, id: CommandId, pattern: &str) {
    let pattern = lossless::bytes_of(pattern);
    let matches = |name: &MasterName| glob_matches(&pattern, &lossless::bytes_of(name.as_str()), false);
    let masters: Vec<MasterId> =
        fleet.masters_by_name().filter(|master| matches(&master.name)).map(|master| master.id).collect();
    for master in &masters {
        failover::reset_master(fleet, cx, *master);
    }
    answer(cx, id, Answer::Integer(i64::try_from(masters.len()).unwrap_or(i64::MAX)));
}

/// `SENTINEL MONITOR name host port quorum`: the checks in the reference's order (spec 3 §3.4.10).
pub fn monitor(fleet: &mut Fleet, cx: &mut Cx, pending: &mut Pending, mut words: Monitor) {
    if words.quorum < 1 {
        return refuse(cx, words.id, ErrorReply::QuorumTooSmall);
    }
    // Differs: the reference takes them, and then events and INFO lines of this master break in two.
    if has_control(words.name.as_bytes()) {
        return refuse(cx, words.id, ErrorReply::InvalidName);
    }
    match parse_ip(&words.host) {
        Some(ip) => {
            words.host = ip.to_string();
            add(fleet, cx, words, ip);
        }
        None if cx.globals.settings.resolve_hostnames && !has_control(words.host.as_bytes()) => {
            cx.outbox.push(Action::Resolve(words.host.clone()));
            pending.monitors.push(words);
        }
        None => refuse(cx, words.id, ErrorReply::InvalidHost),
    }
}

/// A name was resolved, or could not be: whoever waited goes on, and addresses learn their IP.
pub fn on_resolved(fleet: &mut Fleet, cx: &mut Cx, pending: &mut Pending, host: &str, ip: Option<IpAddr>) {
    let (due, waiting): (Vec<_>, _) =
        std::mem::take(&mut pending.monitors).into_iter().partition(|words| words.host == host);
    pending.monitors = waiting;
    let news = fleet.names.learn(host, ip);
    match ip {
        Some(ip) => {
            due.into_iter().for_each(|words| add(fleet, cx, words, ip));
            learn_ip(fleet, cx, host, ip);
        }
        None => {
            // Who asked is told, and that is enough.
            if due.is_empty() {
                cx.log_unresolved(host);
            }
            due.into_iter().for_each(|words: Monitor| refuse(cx, words.id, ErrorReply::InvalidHost));
        }
    }
    for news in news {
        match news {
            News::Replica(master, port) if fleet.masters.get(master).is_some() => {
                let address = fleet.address(host, port);
                report::introduce_replica(fleet, cx, master, address);
            }
            News::Replica(..) => {}
            News::Hello(hello) => gossip::on_hello(fleet, cx, &hello),
        }
    }
}

fn learn_ip(fleet: &mut Fleet, cx: &mut Cx, host: &str, ip: IpAddr) {
    let masters = fleet.masters.iter().map(|(id, _)| Entity::Master(id));
    let replicas = fleet.replicas.iter().map(|(id, _)| Entity::Replica(id));
    let peers = fleet.peers.iter().map(|(id, _)| Entity::Peer(id));
    let all: Vec<Entity> = masters.chain(replicas).chain(peers).collect();
    for entity in all {
        let Some(instance) = fleet.instance_mut(entity).filter(|instance| instance.address.host == host)
        else {
            continue;
        };
        let moved = instance.address.ip.replace(ip).is_some_and(|old| old != ip);
        if let (Entity::Master(id), true) = (entity, moved) {
            fleet.forget_opinions(id, cx);
        }
        // The file shows the address of a name (spec 1 §3.3).
        fleet.master_of(entity).into_iter().for_each(|master| cx.ledger.note_master(master));
        if let Entity::Master(id) = entity {
            fleet.publish_address(id, cx);
        }
    }
}

/// Watches a master from now on.
///
/// Differs: its votes begin after the epoch that the process has reached. The reference begins at 0, and whoever removes a master and
/// monitors it again has this Sentinel vote twice in one epoch (spec 2 §8.1).
fn add(fleet: &mut Fleet, cx: &mut Cx, words: Monitor, ip: IpAddr) {
    let Ok(port) = u16::try_from(words.port) else {
        return refuse(cx, words.id, ErrorReply::InvalidPortNumber);
    };
    if fleet.find(&words.name).is_some() {
        return refuse(cx, words.id, ErrorReply::DuplicateMaster);
    }
    // Differs: a quorum beyond 32 bits is kept as large as it can be; the reference cuts its upper bits off.
    let quorum = u32::try_from(words.quorum).unwrap_or(u32::MAX);
    let mut settings = MasterSettings::new(MasterName::from(words.name), words.host, port, quorum);
    settings.down_after = cx.globals.tunables.default_down_after;
    settings.failover_timeout = cx.globals.tunables.default_failover_timeout;
    if !cx.holes.has(Hole::MonitorForgetsVotes) {
        settings.leader_epoch = cx.globals.current_epoch;
    }
    let master = fleet.add_master(settings, cx);
    fleet.masters[master].instance.address.ip = Some(ip);
    fleet.publish_address(master, cx);
    let revision = cx.ledger.record_master(master);
    fleet.masters[master].begun = revision;
    cx.await_save(master);
    answer_when_saved(cx, words.id, revision);
    let event = (Level::Warning, "+monitor");
    fleet.announce_behind(cx, revision, event, Entity::Master(master), &format!(" quorum {quorum}"));
}

/// `SENTINEL REMOVE name`
pub fn remove(fleet: &mut Fleet, cx: &mut Cx, id: CommandId, name: &str) {
    let master = match find(fleet, name) {
        Ok(master) => master,
        Err(error) => return refuse(cx, id, error),
    };
    fleet.announce(cx, Level::Warning, "-monitor", Entity::Master(master), "");
    fleet.remove_master(master, cx);
    let revision = cx.ledger.record_removal(master, MasterName::from(name));
    answer_when_saved(cx, id, revision);
}

/// `SENTINEL SIMULATE-FAILURE word …` (spec 3 §3.4.18): every call first disarms.
pub fn simulate_failure(cx: &mut Cx, id: CommandId, words: &[String]) {
    cx.globals.simulate = Simulate::default();
    for word in words {
        match word.to_ascii_lowercase().as_str() {
            "crash-after-election" => {
                cx.globals.simulate.after_election = true;
                log_simulation(cx, "being successfully elected as failover leader");
            }
            "crash-after-promotion" => {
                cx.globals.simulate.after_promotion = true;
                log_simulation(cx, "promoting the selected replica to master");
            }
            "help" => return answer(cx, id, Answer::SimulateFailureHelp),
            _ => return refuse(cx, id, ErrorReply::UnknownSimulation),
        }
    }
    answer(cx, id, Answer::Ok);
}

fn log_simulation(cx: &mut Cx, when: &str) {
    cx.log(Level::Warning, format!("Failure simulation: this Sentinel will crash after {when}"));
}
