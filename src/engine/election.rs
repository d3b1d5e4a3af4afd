//! Votes: giving one, asking for them, counting them (spec 2 §7.3–7.5, §8).
//!
//! Differs: votes are asked for and counted at the epoch of this master's failover, not at whatever epoch the process has reached
//! since (spec 2 §8.6), and no longer asked for once it is elected (§7.3); a vote that is not on disk is not given.

use super::action::Action;
use super::cx::Cx;
use super::failover::Failover;
use super::fleet::Fleet;
use super::link::send;
use super::notice::Level;
use super::peer::{AskState, Peer};
use super::tag::{Ask, Entity};
use crate::model::{Epoch, Instant, MasterId, PeerId, RunId};
use crate::wire::Request;
use crate::wire::reply::MasterDownReply;

/// What the votes at the failover epoch amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Votes for us, our own included.
    pub ours: usize,
    /// The most votes of any other candidate, in this epoch or in one that overtook it.
    pub best_other: usize,
    /// Live peers whose vote at this epoch we don't know yet.
    pub unknown: usize,
    /// Live voters, ourselves included.
    pub reachable: usize,
}

/// Counts the votes of a master's peers, and our own if it is on disk, at `epoch` (spec 2 §8.2).
pub fn tally(fleet: &Fleet, cx: &Cx, id: MasterId, epoch: Epoch) -> Tally {
    let master = &fleet.masters[id];
    let own = master.ballot.epoch == epoch
        && master.ballot.leader.as_ref() == Some(&cx.globals.my_id)
        && cx.outbox.is_durable(master.ballot.revision);
    let mut others: Vec<(&(RunId, Epoch), usize)> = Vec::new();
    let mut tally = Tally { ours: usize::from(own), best_other: 0, unknown: 0, reachable: 1 };
    for peer in master.peers.iter().map(|id| &fleet.peers[*id]) {
        let live = is_live(fleet, peer);
        tally.reachable += usize::from(live);
        match &peer.ask.vote {
            Some((leader, at)) if *at == epoch && *leader == cx.globals.my_id => tally.ours += 1,
            Some(vote) if vote.1 >= epoch => match others.iter_mut().find(|(other, _)| *other == vote) {
                Some((_, votes)) => *votes += 1,
                None => others.push((vote, 1)),
            },
            // It refused its vote in this epoch.
            _ if peer.ask.answered == Some(epoch) => {}
            _ => tally.unknown += usize::from(live),
        }
    }
    tally.best_other = others.into_iter().map(|(_, votes)| votes).max().unwrap_or(0);
    tally
}

/// Voters within reach, ourselves included.
pub fn reachable(fleet: &Fleet, id: MasterId) -> usize {
    1 + fleet.masters[id].peers.iter().filter(|id| is_live(fleet, &fleet.peers[**id])).count()
}

fn is_live(fleet: &Fleet, peer: &Peer) -> bool {
    !peer.instance.s_down && fleet.links[peer.instance.link].command.is_up()
}

/// Our place among the live candidates for leading a failover of this master: the first acts at once, the others hold back a little.
/// The order is a hash of master and run id, so that different Sentinels lead different masters.
pub fn rank(fleet: &Fleet, cx: &Cx, id: MasterId) -> usize {
    let master = &fleet.masters[id];
    let weight = |run_id: &RunId| (fnv1a(&[master.name.as_str(), run_id.as_str()]), run_id.clone());
    let mine = weight(&cx.globals.my_id);
    let live = master.peers.iter().map(|id| &fleet.peers[*id]).filter(|peer| is_live(fleet, peer));
    live.filter(|peer| weight(peer.run_id()) < mine).count()
}

/// A stable hash: two builds of this program must agree about ranks.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Answers a candidate (spec 2 §8.1): first come, first served, once per master and epoch.
///
/// Compat: a vote is given whatever we think of the master and of the candidate; and it may only be given at our current epoch.
pub fn grant(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, epoch: Epoch, candidate: &RunId) {
    if let Some(revision) = cx.observe_epoch(epoch) {
        let notice = fleet.warning(cx, id, "+new-epoch", epoch.to_string());
        cx.outbox.behind(revision, Action::Publish(notice));
    }
    if fleet.masters[id].ballot.epoch < epoch && cx.globals.current_epoch <= epoch {
        cast(fleet, cx, id, epoch, candidate);
    }
}

/// Records our vote. The caller has made sure that it is the first in this epoch.
pub fn cast(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, epoch: Epoch, candidate: &RunId) {
    let revision = cx.ledger.record_master(id);
    cx.await_save(id);
    let master = &mut fleet.masters[id];
    master.ballot.leader = Some(candidate.clone());
    master.ballot.epoch = epoch;
    master.ballot.revision = revision;
    let notice = fleet.warning(cx, id, "+vote-for-leader", format!("{candidate} {epoch}"));
    cx.outbox.behind(revision, Action::Publish(notice));
    if *candidate != cx.globals.my_id {
        // The voter leaves the field to whom it voted for (spec 2 §8.1).
        let desync = cx.random_millis(1_000);
        fleet.masters[id].failover_started_at = Some(cx.mono() + desync);
        fleet.masters[id].retry_at = None;
        fleet.masters[id].fruitless = None;
        cx.touch_master(id);
    }
}

/// A peer answered about a master (spec 2 §7.5). Answers about an address the master no longer has are dropped.
pub fn on_master_down_reply(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: PeerId,
    (generation, candidacy): (u32, Option<Epoch>),
    reply: MasterDownReply,
) {
    let now = cx.mono();
    let peer = &mut fleet.peers[id];
    peer.ask.sent_at = None;
    peer.ask.replied_at = Some(now);
    cx.touch_master(peer.master);
    if generation != fleet.masters[peer.master].address_generation {
        return;
    }
    peer.ask.master_down = reply.down;
    peer.ask.answered = peer.ask.answered.max(candidacy);
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
    if !fleet.masters[id].instance.s_down {
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
    let peers = fleet.masters[id].peers.clone();
    peers.into_iter().filter_map(|peer| ask_peer(fleet, cx, id, peer, candidacy)).min()
}

fn ask_peer(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: MasterId,
    peer_id: PeerId,
    candidacy: Option<Epoch>,
) -> Option<Instant> {
    let now = cx.mono();
    let period = cx.globals.tunables.ask_period;
    let master = &fleet.masters[id];
    let peer = &mut fleet.peers[peer_id];
    let expiry = match expire(&mut peer.ask, now, period * 5) {
        Expiry::Never => None,
        Expiry::At(due) => Some(due),
        Expiry::Now => {
            // The objective verdict and the election rest on what was just forgotten.
            cx.touch_master(id);
            None
        }
    };
    if !master.instance.s_down || !fleet.links[peer.instance.link].command.is_up() {
        return expiry;
    }
    let voted = candidacy.is_none_or(|epoch| peer.ask.vote.as_ref().is_some_and(|(_, at)| *at == epoch));
    let satisfied = voted && (peer.ask.master_down || master.o_down);
    let due = match (peer.ask.now, peer.ask.sent_at, peer.ask.replied_at) {
        (true, ..) | (false, None, None) => now,
        _ if candidacy.is_some() && candidacy != peer.ask.requested => now,
        (false, Some(sent), _) => sent + period,
        (false, None, Some(replied)) => {
            replied + if satisfied { period } else { peer.ask.backoff.min(period) }
        }
    };
    if due > now {
        return expiry.into_iter().chain([due]).min();
    }
    peer.ask.now = false;
    peer.ask.requested = candidacy.or(peer.ask.requested);
    peer.ask.sent_at = Some(now);
    if !satisfied {
        peer.ask.backoff = (peer.ask.backoff * 2).min(period);
    }
    let (host, port) = cx.globals.shown(&master.instance.address);
    let request = Request::IsMasterDown {
        host,
        port,
        epoch: candidacy.unwrap_or(cx.globals.current_epoch),
        candidate: candidacy.map(|_| cx.globals.my_id.clone()),
    };
    let ask = Ask::MasterDown { address_generation: master.address_generation, candidacy };
    send(fleet, cx, Entity::Peer(peer_id), ask, request);
    expiry.into_iter().chain([now + period]).min()
}

enum Expiry {
    Never,
    At(Instant),
    Now,
}

/// Forgets opinions that are too old to be trusted (spec 2 §7.3); when that will be.
fn expire(ask: &mut AskState, now: Instant, age: std::time::Duration) -> Expiry {
    if !ask.master_down && ask.vote.is_none() {
        return Expiry::Never;
    }
    let due = ask.replied_at.unwrap_or(Instant::ZERO) + age;
    if due >= now {
        return Expiry::At(due + std::time::Duration::from_nanos(1));
    }
    ask.master_down = false;
    ask.vote = None;
    Expiry::Now
}

/// The epoch for which we want votes now: while electing, from the moment our own vote is on disk.
fn candidacy(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Epoch> {
    let master = &fleet.masters[id];
    match master.failover {
        Failover::Electing { epoch, forced: false, .. } if cx.outbox.is_durable(master.ballot.revision) => {
            Some(epoch)
        }
        _ => None,
    }
}
