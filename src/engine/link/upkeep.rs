//! What a link needs by the passing of time: connecting, PING, giving up on silent connections.
//!
//! Invariant: nothing is contacted before the save that it depends on was tried (spec 1 §6.1).

use std::time::Duration;

use super::{
    CONTACT_WAIT, ConnId, ConnKind, Entity, Instant, on_disconnected, send, shortest_down_after,
    touch_with_master,
};
use crate::engine::action::{Action, Target};
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::probe;
use crate::engine::tag::Ask;
use crate::model::LinkId;
use crate::wire::Request;

/// Connects what is not, PINGs when due, gives up on silent connections; when to look again.
pub fn step(fleet: &mut Fleet, cx: &mut Cx, id: LinkId) -> Option<Instant> {
    if !cx.outbox.is_settled(cx.first_save) {
        // Spec 1 §6.1: the id is saved and the start is logged before anything else happens. The end of the save touches all links.
        return None;
    }
    let mut masters = fleet.links[id].owners.iter().filter_map(|owner| fleet.master_of(*owner));
    if masters.all(|master| !cx.outbox.is_settled(fleet.masters[master].begun)) {
        return None;
    }
    let Some(target) = fleet.target(id) else {
        // Port 0 is never connected, and nothing is to be waited for.
        if fleet.links[id].start_clock(cx.mono()) {
            fleet.links[id].owners.iter().for_each(|owner| cx.touch(*owner));
        }
        return None;
    };
    let down_after = shortest_down_after(fleet, id)?;
    let mut wake = None;
    let mut at =
        |instant: Instant| wake = Some(wake.map_or(instant, |earlier: Instant| earlier.min(instant)));
    if !cx.tilted {
        drop_silent(fleet, cx, id, down_after).into_iter().for_each(&mut at);
    }
    let now = cx.mono();
    for kind in [ConnKind::Command, ConnKind::PubSub] {
        if kind == ConnKind::PubSub && fleet.links[id].command.has_failed() {
            // As soon as somebody is there it is looked at again.
            continue;
        }
        let Some(conn) = fleet.links[id].conn_mut(kind).filter(|conn| conn.is_down()) else { continue };
        let due = conn.retry_at(now);
        if due <= now {
            connect(fleet, cx, id, kind, &target);
        } else {
            at(due);
        }
    }
    let link = &fleet.links[id];
    if link.accepts_periodic() {
        let period = down_after.min(cx.globals.tunables.ping_period);
        let due =
            (link.pong_at + period).max(link.ping_sent_at.map_or(Instant::ZERO, |sent| sent + period / 2));
        if due <= now {
            ping(fleet, cx, id);
            at(now + period / 2);
        } else {
            at(due);
        }
    }
    wake
}

fn connect(fleet: &mut Fleet, cx: &mut Cx, id: LinkId, kind: ConnKind, target: &Target) {
    let now = cx.mono();
    let cap = cx.globals.tunables.ping_period / 2;
    let link = &mut fleet.links[id];
    let Some(conn) = link.conn_mut(kind) else { return };
    conn.start(now, cap);
    let attempt = conn.attempt();
    if kind == ConnKind::Command {
        fleet.links[id].pending = promised(fleet, cx, id);
        fleet.links[id].await_contact(now, now + CONTACT_WAIT);
        // Each owner's own down-after counts from there: its timer has to be armed.
        fleet.links[id].owners.iter().for_each(|owner| cx.touch(*owner));
    }
    cx.outbox.push(Action::Connect(ConnId { link: id, kind, attempt }, target.clone()));
    // When an attempt that hangs is given up follows from what was just recorded.
    cx.touch_link(id);
}

/// What is going to be sent as soon as the connection is established. Compat: it counts as unanswered from the start of the attempt, as the
/// reference writes it before it knows whether anybody listens, and it goes on counting when nobody does: PING, INFO, a hello that is due.
fn promised(fleet: &Fleet, cx: &Cx, id: LinkId) -> u64 {
    let link = &fleet.links[id];
    let owed = |owner: &Entity| {
        let info = u64::from(!matches!(owner, Entity::Peer(_)));
        let greeted = fleet.instance(*owner).and_then(|instance| instance.hello_accepted_at);
        let since = greeted.or(link.awaited_since());
        let hello = since.is_some_and(|since| cx.mono().since(since) > cx.globals.tunables.publish_period);
        info + u64::from(hello)
    };
    1 + link.owners.iter().map(owed).sum::<u64>()
}

/// After a freeze: asks for a fresh sign of life, with INFO before it, so that both are known when it is. True if there is somebody to ask.
pub fn sample(fleet: &mut Fleet, cx: &mut Cx, id: LinkId) -> bool {
    cx.touch_link(id);
    if !fleet.links[id].command.is_up() {
        return false;
    }
    fleet.links[id].stale = fleet.links[id].pending;
    for owner in fleet.links[id].owners.clone() {
        if !matches!(owner, Entity::Peer(_)) {
            probe::ask_info(fleet, cx, owner);
        }
    }
    ping(fleet, cx, id);
    true
}

fn ping(fleet: &mut Fleet, cx: &mut Cx, id: LinkId) {
    let Some(owner) = fleet.links[id].owners.first().copied() else { return };
    if send(fleet, cx, owner, Ask::Ping, Request::Ping) {
        let link = &mut fleet.links[id];
        link.ping_sent_at = Some(cx.mono());
        if link.start_clock(cx.mono()) {
            link.owners.iter().for_each(|owner| cx.touch(*owner));
        }
    }
}

/// A peer answered something else than a PING: it lives, and the PING that is on its way has not been answered only because it waits its
/// turn. Silence begins anew.
///
/// Differs: for the reference only answers to PING count. Where hundreds of masters fail together, a PING waits behind as many questions,
/// and Sentinels that are busy with each other's would hold each other for dead just when they are needed. Only peers share a queue so.
pub fn on_peer_answer(fleet: &mut Fleet, cx: &mut Cx, id: LinkId) {
    let now = cx.mono();
    let link = &mut fleet.links[id];
    if link.pubsub.is_some() || link.active_ping_at.is_none_or(|at| at == now) {
        return;
    }
    link.active_ping_at = Some(now);
    link.overlooked = Duration::ZERO;
    for owner in link.owners.clone() {
        if fleet.instance(owner).is_some_and(|instance| instance.s_down) {
            touch_with_master(fleet, cx, owner);
        }
    }
}

/// Spec 2 §3.6. Returns when either rule could next hold.
fn drop_silent(fleet: &mut Fleet, cx: &mut Cx, id: LinkId, down_after: Duration) -> Vec<Instant> {
    let now = cx.mono();
    let min_age = cx.globals.tunables.min_link_reconnect_period;
    let hello_silence = cx.globals.tunables.publish_period * 3;
    // While this process stood still nobody could be heard.
    let counted = cx.counted_from;
    let link = &fleet.links[id];
    let command_due = match (link.command.started_at(), link.awaited_since()) {
        // Differs: a connection that was not let in stays so, whatever passwords are changed back: another one logs in anew. In the
        // reference the errors count as life, and it is kept for ever.
        (Some(since), _) if link.shut.is_some() => Some(since + min_age),
        (Some(since), Some(ping)) => {
            Some((since + min_age).max(ping.max(link.pong_at).max(counted) + down_after / 2))
        }
        _ => None,
    };
    let pubsub_due = link
        .pubsub
        .and_then(|conn| conn.started_at())
        .map(|since| (since + min_age).max(link.heard_at.max(counted) + hello_silence));
    let mut later = Vec::new();
    for (kind, due) in [(ConnKind::Command, command_due), (ConnKind::PubSub, pubsub_due)] {
        match due {
            Some(due) if now > due => drop_conn(fleet, cx, id, kind),
            Some(due) => later.push(due + Duration::from_nanos(1)),
            None => {}
        }
    }
    later
}

fn drop_conn(fleet: &mut Fleet, cx: &mut Cx, id: LinkId, kind: ConnKind) {
    let denied = kind == ConnKind::Command && fleet.links[id].shut.is_some();
    let why = if denied { "not let in" } else { "silent for too long" };
    let Some(conn) = fleet.links[id].conn_mut(kind).copied() else { return };
    let conn = ConnId { link: id, kind, attempt: conn.attempt() };
    cx.outbox.push(Action::Disconnect(conn));
    on_disconnected(fleet, cx, conn, why);
}
