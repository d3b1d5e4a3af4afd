//! Asking peers about a master, and for their votes (spec 2 §7.3, §7.5).
//!
//! Differs: votes are asked for at the epoch of this master's failover, from the moment our own is on disk, and no longer once we are
//! elected. What is on its way is not asked again before it could have been answered.

use std::time::Duration;

use super::pace::ask_turn;
use super::tally::term;
use crate::engine::cx::Cx;
use crate::engine::failover::Failover;
use crate::engine::fleet::Fleet;
use crate::engine::link::send;
use crate::engine::notice::Level;
use crate::engine::tag::{Ask, Entity};
use crate::model::{Epoch, Instant, MasterId, PeerId};
use crate::wire::Request;
use crate::wire::reply::MasterDownReply;

/// What a question was, as its answer comes back with it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The master's address it was about.
    pub address_generation: u32,
    /// The epoch in which it asked for a vote, if it did.
    pub candidacy: Option<Epoch>,
    /// When it left.
    pub at: Instant,
}

/// A peer answered about a master (spec 2 §7.5). Answers about an address the master no longer has are dropped.
pub fn on_master_down_reply(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: PeerId,
    asked: Asked,
    reply: MasterDownReply,
) {
    let now = cx.mono();
    cx.pace.learn(now, now.since(asked.at));
    let peer = &mut fleet.peers[id];
    peer.ask.sent_at = None;
    peer.ask.replied_at = Some(now);
    peer.ask.pause = cx.pace.pause(now);
    cx.touch_master(peer.master);
    if asked.address_generation != fleet.masters[peer.master].address_generation {
        return;
    }
    peer.ask.master_down = reply.down;
    peer.ask.answered = peer.ask.answered.max(asked.candidacy);
    let Some(leader) = reply.leader else { return };
    let epoch = reply.leader_epoch;
    let news = peer.ask.vote.as_ref().is_none_or(|(_, known)| *known != epoch);
    if news {
        cx.log(Level::Warning, format!("{} voted for {leader} {epoch}", peer.instance.name));
    }
    peer.ask.vote = Some((leader, epoch));
}

/// A peer asked us about a master that we hold for down: it holds it for down too, so its answer has changed. Ask again at once.
pub fn on_asked(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, asker: Option<&str>) {
    if !fleet.masters[id].instance.s_down || fleet.masters[id].o_down {
        return;
    }
    // Connections of Sentinels are named `sentinel-<first 8 of id>-cmd` (spec 2 §3.2); anything else may have been anybody.
    let short = asker.and_then(|name| name.strip_prefix("sentinel-")?.strip_suffix("-cmd"));
    let mut hurried = false;
    for peer in fleet.masters[id].peers.clone() {
        let peer = &mut fleet.peers[peer];
        let may_be = short.is_none_or(|short| peer.run_id().as_str().starts_with(short));
        if may_be && !peer.ask.master_down {
            peer.ask.hurry();
            hurried = true;
        }
    }
    if hurried {
        cx.touch_master(id);
    }
}

/// Asks the peers whether the master is down and, while electing, for their votes; when to ask again.
pub fn ask_step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let candidacy = candidacy(fleet, cx, id);
    let turn = ask_turn(fleet, cx, id).filter(|_| candidacy.is_none());
    let mut due = None;
    for index in 0..fleet.masters[id].peers.len() {
        let peer = fleet.masters[id].peers[index];
        due = due.into_iter().chain(ask_peer(fleet, cx, id, peer, (candidacy, turn))).min();
    }
    due
}

fn ask_peer(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: MasterId,
    peer_id: PeerId,
    (candidacy, turn): (Option<Epoch>, Option<Instant>),
) -> Option<Instant> {
    let now = cx.mono();
    let period = cx.globals.tunables.ask_period;
    let master = &fleet.masters[id];
    let peer = &mut fleet.peers[peer_id];
    let wanted = master.instance.s_down || candidacy.is_some();
    if !wanted || !fleet.links[peer.instance.link].command.is_up() {
        return None;
    }
    let voted = candidacy.is_none_or(|epoch| peer.ask.vote.as_ref().is_some_and(|(_, at)| *at == epoch));
    let satisfied = voted && (peer.ask.master_down || master.o_down || !master.instance.s_down);
    let pause = peer.ask.pause;
    let due = match (peer.ask.sent_at, peer.ask.replied_at) {
        _ if candidacy.is_some() && candidacy != peer.ask.requested => now,
        // Whatever the reason is to ask now: the answer may be on its way. A connection loses nothing, so the longer it takes, the less it
        // helps to ask again.
        (Some(sent), _) => sent + period.max(pause).max(peer.ask.patience()),
        (None, None) => now,
        (None, Some(_)) if peer.ask.now && !satisfied => now,
        (None, Some(replied)) if satisfied => replied + period.max(pause),
        (None, Some(replied)) => replied + peer.ask.backoff.min(period).max(pause),
    };
    let due = due.max(turn.filter(|_| !satisfied).unwrap_or(Instant::ZERO));
    if due > now {
        return Some(due);
    }
    if !satisfied {
        peer.ask.backoff = (peer.ask.backoff * 2).min(period);
    }
    peer.ask.now = false;
    peer.ask.requested = candidacy.or(peer.ask.requested);
    peer.ask.sent(now);
    peer.ask.pause = cx.pace.pause(now);
    let again = now + period.max(peer.ask.pause);
    let (host, port) = cx.globals.shown(&master.instance.address);
    let request = Request::IsMasterDown {
        host,
        port,
        epoch: candidacy.unwrap_or(cx.globals.current_epoch),
        candidate: candidacy.map(|_| cx.globals.my_id.clone()),
    };
    let ask = Ask::MasterDown { address_generation: master.address_generation, candidacy, at: now };
    send(fleet, cx, Entity::Peer(peer_id), ask, request);
    Some(again)
}

/// Forgets opinions and votes that are too old to be trusted, before any rule rests on them (spec 2 §7.3); when the next will be.
pub fn expire_step(fleet: &mut Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    let (now, age) = (cx.mono(), cx.globals.tunables.ask_period * 5);
    let mut next = None;
    for peer in &fleet.masters[id].peers {
        let ask = &mut fleet.peers[*peer].ask;
        if !ask.master_down && ask.vote.is_none() {
            continue;
        }
        let last = ask.replied_at.unwrap_or(Instant::ZERO) + age;
        if last < now {
            (ask.master_down, ask.vote) = (false, None);
        } else {
            next = [next, Some(last + Duration::from_nanos(1))].into_iter().flatten().min();
        }
    }
    next
}

/// The epoch for which we want votes now: while electing, from the moment our own vote is on disk.
fn candidacy(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Epoch> {
    let master = &fleet.masters[id];
    match master.failover {
        Failover::Electing { epoch, force, .. }
            if force.asks() && cx.outbox.is_durable(master.ballot.revision) =>
        {
            Some(term(cx, epoch))
        }
        _ => None,
    }
}
