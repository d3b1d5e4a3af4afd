//! Absorbs a hello: peers, epochs, newer configurations (spec 2 §6.3). The hottest path: it changes nothing when it learns nothing.

use std::time::Duration;

use super::action::Action;
use super::crowd::Kind;
use super::cx::Cx;
use super::failover::{self, NewAddress};
use super::fleet::Fleet;
use super::health;
use super::hearsay;
use super::hole::Hole;
use super::lineage;
use super::names::News;
use super::notice::Level;
use super::peer::AskState;
use super::probe;
use super::quarantine;
use super::repair;
use super::tag::Entity;
use crate::model::{Address, LinkId, MasterId, PeerId};
use crate::wire::Hello;

/// A peer whose last hello from us is younger than this has no need of another.
const ANSWER_AFTER: Duration = Duration::from_millis(1_000);

/// A hello was heard on the subscription of a link.
pub fn on_heard(fleet: &mut Fleet, cx: &mut Cx, link: LinkId, hello: &Hello) {
    if !lineage::is_deaf(fleet, cx, link, hello) {
        absorb(fleet, cx, hello, Some(link));
    }
}

/// A hello was sent to us by PUBLISH, or waited for a look-up.
pub fn on_hello(fleet: &mut Fleet, cx: &mut Cx, hello: &Hello) {
    absorb(fleet, cx, hello, None);
}

/// A hello arrived, perhaps on the subscription of a link.
///
/// Differs: a message with our own id is dropped on both ways; the reference would add itself as a peer (spec 2 §6.3).
fn absorb(fleet: &mut Fleet, cx: &mut Cx, hello: &Hello, via: Option<LinkId>) {
    if hello.run_id == cx.globals.my_id {
        return;
    }
    let Some(master) = fleet.find(hello.master_name.as_str()) else { return };
    if hearsay::distrusts(fleet, cx, master, hello, via) {
        return;
    }
    let peer = match fleet.find_peer(master, &hello.run_id) {
        Some(peer) if is_at(fleet, peer, hello) => Some(peer),
        None if may_look_up(fleet, cx, hello) => {
            return fleet.names.wait(cx, &hello.host, News::Hello(Box::new(hello.clone())));
        }
        _ => introduce(fleet, cx, master, hello),
    };
    let highest = hello.current_epoch.max(hello.config_epoch);
    if !quarantine::plausible(cx, highest) {
        return quarantine::claim(fleet, cx, master, &hello.run_id, highest);
    }
    if cx.observe_epoch(hello.current_epoch).is_some() {
        let notice = fleet.warning(cx, master, "+new-epoch", hello.current_epoch.to_string());
        cx.outbox.push(Action::Publish(notice));
    }
    let Some(peer) = peer else { return };
    learn_configuration(fleet, cx, master, peer, hello);
    if let Some(peer) = fleet.peers.get_mut(peer) {
        peer.hello_at = cx.mono();
        peer.claim = None;
    }
}

/// A peer greeted us directly, and may not know us any more, or not yet: our own hello is due at once if the last one is older than a
/// second. It then counts for the one of this period, so that there are not more of them.
///
/// Differs: the reference lets each period pass. After SENTINEL RESET that is time in which peers that are there are not known.
pub fn answer_hello(fleet: &mut Fleet, cx: &mut Cx, hello: &Hello) {
    let master = fleet.find(hello.master_name.as_str());
    let Some(peer) = master.and_then(|master| fleet.find_peer(master, &hello.run_id)) else { return };
    let instance = &mut fleet.peers[peer].instance;
    let last = instance.hello_sent_at.max(instance.hello_accepted_at);
    if !cx.holes.has(Hole::ResetIsBlind) && last.is_none_or(|at| cx.now.mono.since(at) > ANSWER_AFTER) {
        instance.hello_now = true;
        cx.touch(Entity::Peer(peer));
    }
}

/// True if the sender's host is a name that was not looked up so far.
fn may_look_up(fleet: &Fleet, cx: &Cx, hello: &Hello) -> bool {
    cx.globals.settings.resolve_hostnames && fleet.is_stranger(&fleet.address(&hello.host, hello.port))
}

fn is_at(fleet: &Fleet, peer: PeerId, hello: &Hello) -> bool {
    let address = &fleet.peers[peer].instance.address;
    address.port == hello.port
        && (address.host == hello.host || address.same_as(&fleet.address(&hello.host, hello.port)))
}

/// A peer unknown so far, or at another address (spec 2 §6.3 steps 3 and 4).
fn introduce(fleet: &mut Fleet, cx: &mut Cx, master: MasterId, hello: &Hello) -> Option<PeerId> {
    let address = fleet.address(&hello.host, hello.port);
    if address.ip.is_none() && !cx.globals.settings.resolve_hostnames {
        cx.log_unresolved(&hello.host);
        return None;
    }
    if let Some(known) = fleet.find_peer(master, &hello.run_id) {
        cx.ledger.record_master(master);
        move_peer(fleet, cx, master, known, &address);
        return Some(known);
    }
    evict_namesake(fleet, cx, master, &address);
    if !fleet.has_room(cx, master, Kind::Peer) {
        return None;
    }
    cx.ledger.record_master(master);
    let peer = fleet.add_peer(master, hello.run_id.clone(), address, cx);
    fleet.announce(cx, Level::Notice, "+sentinel", Entity::Peer(peer), "");
    if fleet.masters[master].peers.len() == 1 {
        // We are not alone any more: what kept us from greeting may be over (`hearsay`).
        probe::touch_replicas(fleet, cx, master);
        cx.touch_master(master);
    }
    if fleet.masters[master].instance.s_down {
        health::hurry_questions(fleet, master);
        cx.touch_master(master);
    }
    Some(peer)
}

/// The same Sentinel at another address: it moved under all masters.
fn move_peer(fleet: &mut Fleet, cx: &mut Cx, master: MasterId, known: PeerId, address: &Address) {
    let run_id = fleet.peers[known].run_id().clone();
    let (host, port) = cx.globals.shown(address);
    let suffix = format!(" ip {host} port {port} for {run_id}");
    fleet.announce(cx, Level::Notice, "+sentinel-address-switch", Entity::Master(master), &suffix);
    let all = fleet.peers_by_run_id(&run_id);
    for peer in &all {
        let peer = &mut fleet.peers[*peer];
        peer.instance.address = address.clone();
        // It thought so where it was before.
        peer.ask = AskState::default();
        cx.ledger.record_master(peer.master);
        cx.touch_master(peer.master);
    }
    let link = fleet.peers[known].instance.link;
    fleet.reset_link(link, cx);
    fleet.links[link].restart_clocks(cx.mono());
    if all.len() > 1 {
        let suffix = format!(" {} additional matching instances", all.len() - 1);
        fleet.announce(cx, Level::Notice, "+sentinel-address-update", Entity::Peer(known), &suffix);
    }
}

/// Another Sentinel used to be at this address: it is gone, under all masters.
fn evict_namesake(fleet: &mut Fleet, cx: &mut Cx, master: MasterId, address: &Address) {
    let peers = &fleet.masters[master].peers;
    let Some(old) = peers.iter().copied().find(|peer| fleet.peers[*peer].instance.address.same_as(address))
    else {
        return;
    };
    fleet.announce(cx, Level::Notice, "+sentinel-invalid-addr", Entity::Peer(old), "");
    let run_id = fleet.peers[old].run_id().clone();
    for peer in fleet.peers_by_run_id(&run_id) {
        cx.ledger.record_master(fleet.peers[peer].master);
        cx.touch_master(fleet.peers[peer].master);
        fleet.remove_peer(peer, cx);
    }
}

/// What the peer holds for the master's configuration: a newer one is ours from now on (spec 2 §6.3 step 6).
fn learn_configuration(fleet: &mut Fleet, cx: &mut Cx, master: MasterId, peer: PeerId, hello: &Hello) {
    let now = cx.mono();
    let state = &mut fleet.peers[peer];
    let unchanged = state.confirmed.as_ref().is_some_and(|(epoch, address, _)| {
        *epoch == hello.config_epoch && address.port == hello.master_port && address.host == hello.master_host
    });
    match &mut state.confirmed {
        Some((_, _, at)) if unchanged => {
            if now.since(std::mem::replace(at, now)) > repair::CONFIRMED_FOR {
                cx.touch_master(master);
            }
            repair::touch_returned(fleet, cx, master);
        }
        confirmed => {
            let address = Address::new(hello.master_host.clone(), hello.master_port);
            *confirmed = Some((hello.config_epoch, address, now));
            cx.touch_master(master);
        }
    }
    if hello.config_epoch <= fleet.masters[master].config_epoch {
        return note_contradiction(fleet, cx, master, peer, hello);
    }
    let address = fleet.address(&hello.master_host, hello.master_port);
    // Differs: an address that we can't use changes nothing. The reference takes the epoch without the address, and from then on
    // spreads the old address under the new epoch (spec 2 §6.3).
    let usable = !address.host.is_empty() && cx.globals.settings.resolve_hostnames;
    if address.ip.is_none() && !usable {
        cx.log_unresolved(&hello.master_host);
        return;
    }
    failover::adopt(fleet, cx, master, NewAddress { peer, address, epoch: hello.config_epoch });
}

/// The peer knows the master elsewhere, in the epoch of our configuration. Two leaders acted in one epoch, which only the reference lets
/// happen (spec 2 §8.6, §9.10). Each Sentinel keeps what it has until a newer configuration comes: going to and fro would be worse.
fn note_contradiction(fleet: &mut Fleet, cx: &mut Cx, id: MasterId, peer: PeerId, hello: &Hello) {
    let epoch = fleet.masters[id].config_epoch;
    let theirs = fleet.address(&hello.master_host, hello.master_port);
    let ours = fleet.current_address(id);
    let known = theirs.ip.is_some() && ours.ip.is_some();
    if hello.config_epoch != epoch
        || !known
        || theirs.same_as(ours)
        || fleet.masters[id].contested == Some(epoch)
    {
        return;
    }
    let ((host, port), (our_host, our_port)) = (cx.globals.shown(&theirs), cx.globals.shown(ours));
    let (name, sender) = (&fleet.masters[id].name, fleet.peers[peer].run_id());
    let text = format!(
        "Sentinel {sender} knows '{name}' at {host}:{port}, we at {our_host}:{our_port}, both in configuration epoch {epoch}. \
         We keep ours until a newer configuration comes; a failover by hand makes one"
    );
    fleet.masters[id].contested = Some(epoch);
    cx.log(Level::Warning, text);
}
