//! A connection pair to one instance: when to connect, what to say first, when to PING, when silence means a dead connection.
//!
//! Differs: an instance whose subscription alone is lost is served on the other connection (spec 2 §1.5).
//!
//! The health recorded here is the link's; the verdict (SDOWN) is each owner's, because down-after differs (`health`).

mod clock;
mod upkeep;

pub use clock::Grace;
pub use upkeep::{on_peer_answer, sample, step};

use std::net::IpAddr;
use std::time::Duration;

use super::action::Action;
use super::conn::Conn;
use super::cx::Cx;
use super::denial::{self, Shut};
use super::failover;
use super::fleet::Fleet;
use super::input::Endpoints;
use super::probe;
use super::tag::{Ask, ConnId, ConnKind, Entity, Tag};
use super::wheel::Timer;
use crate::model::{Instant, LinkId};
use crate::wire::{PingReply, Request};

/// Unanswered requests per owner above which nothing periodic is sent (spec 2 §1.8).
const MAX_PENDING: u64 = 100;

/// How long the first contact with an address may take before its down-after begins all the same, and a new contact after a loss at most.
///
/// Differs: the reference starts that clock with the attempt. Where everybody has just been sent to a new master, on machines that are
/// busy with exactly that, a down-after of some hundred milliseconds would often be over before the first PING could be sent.
const CONTACT_WAIT: Duration = Duration::from_millis(2_000);

/// See the module.
#[derive(Clone, Debug)]
pub struct Link {
    /// The instances that use it: one, or the same Sentinel under several masters.
    pub owners: Vec<Entity>,
    /// Requests and replies.
    pub command: Conn,
    /// The subscription; peers have none.
    pub pubsub: Option<Conn>,
    /// Requests sent on the command connection and not answered.
    pub pending: u64,
    /// The oldest of these were sent before a freeze of this process: their answers tell of a time that is over.
    pub stale: u64,
    /// When the last valid PING reply came (or the link was made).
    pub available_at: Instant,
    /// When the oldest unanswered PING was sent, or the first attempt to connect failed since the last sign of life.
    pub active_ping_at: Option<Instant>,
    /// The outcome of an attempt to connect is awaited before the clock of SDOWN starts.
    pub grace: Option<Grace>,
    /// How much of the present silence was stalls of ours, and is not counted.
    pub overlooked: Duration,
    /// When the last PING was sent.
    pub ping_sent_at: Option<Instant>,
    /// When the last PING reply of any kind came.
    pub pong_at: Instant,
    /// The last PING reply was `-LOADING`.
    pub loading: bool,
    /// When the last frame on the subscription came.
    pub heard_at: Instant,
    /// Our address on the command connection.
    pub local_ip: Option<IpAddr>,
    /// It lives, but does not let us in (`denial`).
    pub shut: Option<Shut>,
    /// What it denied us, as far as that was logged (`denial`).
    pub denials: Vec<String>,
    /// The wheel entry.
    pub timer: Timer,
}

impl Link {
    /// A link that was never connected.
    pub fn new(with_pubsub: bool, now: Instant) -> Self {
        Link {
            owners: Vec::new(),
            command: Conn::default(),
            pubsub: with_pubsub.then(Conn::default),
            pending: 0,
            stale: 0,
            available_at: now,
            active_ping_at: None,
            grace: None,
            overlooked: Duration::ZERO,
            ping_sent_at: None,
            pong_at: now,
            loading: false,
            heard_at: now,
            local_ip: None,
            shut: None,
            denials: Vec::new(),
            timer: Timer::default(),
        }
    }

    /// Compat: the reference's `disconnected`: either connection is neither established nor being established (spec 2 §1.5).
    pub fn disconnected(&self) -> bool {
        self.command.is_down() || self.pubsub.is_some_and(|conn| conn.is_down())
    }

    /// The id of the command connection, while it is established.
    pub fn command_conn(&self, id: LinkId) -> Option<ConnId> {
        self.command.is_up().then_some(ConnId {
            link: id,
            kind: ConnKind::Command,
            attempt: self.command.attempt(),
        })
    }

    /// True if periodic requests may be added to what is unanswered.
    pub fn accepts_periodic(&self) -> bool {
        self.command.is_up() && self.pending < MAX_PENDING * self.owners.len() as u64
    }

    /// Gives up both connections; returns those the shell has to close.
    pub fn close(&mut self, id: LinkId) -> Vec<ConnId> {
        let mut closed = Vec::new();
        for kind in [ConnKind::Command, ConnKind::PubSub] {
            let Some(conn) = self.conn_mut(kind) else { continue };
            if conn.close() {
                closed.push(ConnId { link: id, kind, attempt: conn.attempt() });
            }
        }
        closed
    }

    fn conn_mut(&mut self, kind: ConnKind) -> Option<&mut Conn> {
        match kind {
            ConnKind::Command => Some(&mut self.command),
            ConnKind::PubSub => self.pubsub.as_mut(),
        }
    }

    /// True if the id names the connection as it is now, and not an earlier attempt.
    fn is_current(&mut self, id: ConnId) -> bool {
        self.conn_mut(id.kind).is_some_and(|conn| conn.attempt() == id.attempt && !conn.is_down())
    }
}

/// True if the connection id is that of a live link's present connection; late facts of older ones are dropped by this.
pub fn is_current(fleet: &mut Fleet, id: ConnId) -> bool {
    fleet.links.get_mut(id.link).is_some_and(|link| link.is_current(id))
}

/// Sends a request on the command connection if it is up. True if it was sent.
pub fn send(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, ask: Ask, request: Request) -> bool {
    let Some(id) = fleet.instance(entity).map(|instance| instance.link) else { return false };
    let Some(conn) = fleet.links[id].command_conn(id) else { return false };
    let renamed = fleet.renamed(entity, request.word());
    fleet.links[id].pending += 1;
    cx.outbox.push(Action::Send(conn, Tag { entity, ask }, request, renamed));
    true
}

/// One request less is unanswered. If periodic requests were held back until now, they go on. True if it was sent before a freeze.
pub fn on_answered(fleet: &mut Fleet, cx: &mut Cx, id: LinkId) -> bool {
    let link = &mut fleet.links[id];
    let held_back = !link.accepts_periodic();
    link.pending = link.pending.saturating_sub(1);
    let stale = link.stale > 0;
    link.stale = link.stale.saturating_sub(1);
    if held_back && link.accepts_periodic() {
        link.owners.iter().for_each(|owner| cx.touch(*owner));
        cx.touch_link(id);
    }
    stale
}

/// A connection is established: say who we are, then ask what we are here for.
pub fn on_connected(fleet: &mut Fleet, cx: &mut Cx, id: ConnId, ends: Endpoints) {
    let now = cx.mono();
    let Some(owner) = fleet.links[id.link].owners.first().copied() else { return };
    let link = &mut fleet.links[id.link];
    let Some(conn) = link.conn_mut(id.kind) else { return };
    conn.established(now);
    let what = match id.kind {
        ConnKind::Command => "cmd",
        ConnKind::PubSub => "pubsub",
    };
    let name = format!("sentinel-{}-{what}", cx.globals.short_id());
    if id.kind == ConnKind::Command {
        // Now it is counted as it is sent.
        (link.pending, link.stale) = (0, 0);
    }
    let credentials = fleet.credentials(id.link, &cx.globals);
    let auth = credentials.map(|known| Request::Auth { user: known.user, pass: known.pass });
    let mut first: Vec<(Ask, Request)> = auth.into_iter().map(|request| (Ask::Setup, request)).collect();
    first.push((Ask::Setup, Request::SetName(name)));
    match id.kind {
        ConnKind::Command => first.push((Ask::Ping, Request::Ping)),
        ConnKind::PubSub => first.push((Ask::Setup, Request::Subscribe)),
    }
    for (ask, request) in first {
        let renamed = fleet.renamed(owner, request.word());
        if id.kind == ConnKind::Command {
            fleet.links[id.link].pending += 1;
        }
        cx.outbox.push(Action::Send(id, Tag { entity: owner, ask }, request, renamed));
    }
    let link = &mut fleet.links[id.link];
    match id.kind {
        ConnKind::Command => {
            link.local_ip = Some(ends.local);
            link.ping_sent_at = Some(now);
            // Spec 2 §3.5: an older unanswered PING keeps its time, so flapping never extends the clock.
            link.start_clock(now);
        }
        ConnKind::PubSub => link.heard_at = now,
    }
    for owner in fleet.links[id.link].owners.clone() {
        learn_ip(fleet, cx, owner, ends.remote);
        if id.kind == ConnKind::Command {
            greet(fleet, owner);
        }
        touch_with_master(fleet, cx, owner);
    }
    cx.touch_link(id.link);
}

/// A fresh connection owes INFO and hello at once: nothing asked on the old one will be answered.
fn greet(fleet: &mut Fleet, owner: Entity) {
    if let Some(info) = fleet.info_mut(owner) {
        info.lose_questions();
        info.wanted = true;
    }
    if let Some(instance) = fleet.instance_mut(owner) {
        instance.hello_now = true;
        instance.hello_sent_at = None;
        instance.hello_on_its_way = false;
    }
    if let Entity::Peer(id) = owner
        && let Some(peer) = fleet.peers.get_mut(id)
    {
        peer.ask.sent_at = None;
        peer.ask.hurry();
    }
}

/// Connecting resolved a host name: keep the result as the last good one.
fn learn_ip(fleet: &mut Fleet, cx: &mut Cx, owner: Entity, remote: IpAddr) {
    let Some(instance) = fleet.instance_mut(owner) else { return };
    if instance.address.host.parse::<IpAddr>().is_err() && instance.address.ip != Some(remote) {
        let moved = instance.address.ip.replace(remote).is_some();
        let address = instance.address.clone();
        if let Entity::Master(id) = owner {
            if moved {
                // The name means another server now: what peers said was about the one before.
                fleet.forget_opinions(id, cx);
            }
            fleet.publish_address(id, cx);
        }
        if let Some(master) = fleet.master_of(owner) {
            probe::touch_followers(fleet, cx, master, &address);
        }
    }
}

/// A connection failed or was lost.
pub fn on_disconnected(fleet: &mut Fleet, cx: &mut Cx, id: ConnId, cause: &str) {
    let now = cx.mono();
    let down_after = shortest_down_after(fleet, id.link).unwrap_or_default();
    let link = &mut fleet.links[id.link];
    let Some(conn) = link.conn_mut(id.kind) else { return };
    let served = conn.is_up();
    conn.lost(now);
    let retry = conn.retry_at(now).max(now);
    if id.kind == ConnKind::Command {
        if served {
            // A connection that was cut, as by CLIENT KILL, says little: the next one tells whether anybody is there.
            link.await_contact(now, retry + down_after.min(CONTACT_WAIT));
        } else {
            link.start_clock(now);
            link.command.postpone(cx.retries.slot(now));
        }
        link.await_word(now);
        link.stale = 0;
        cx.unsampled.remove(&id.link);
    }
    for owner in link.owners.clone() {
        // Differs: told of every loss; the reference tells of attempts that fail at once, and of no others.
        let event = if id.kind == ConnKind::Command { "-cmd" } else { "-pubsub" };
        tracing::trace!("{event}-link-reconnection {} #{cause}", fleet.describe(owner, &cx.globals));
        if id.kind == ConnKind::Command {
            lose_questions(fleet, owner, cause);
        }
        touch_with_master(fleet, cx, owner);
    }
    cx.touch_link(id.link);
}

/// What was asked on a lost connection will not be answered.
pub fn lose_questions(fleet: &mut Fleet, owner: Entity, cause: &str) {
    if let Some(info) = fleet.info_mut(owner) {
        info.lose_questions();
    }
    match owner {
        Entity::Peer(id) => fleet.peers[id].ask.sent_at = None,
        Entity::Replica(id) => super::block::on_connection_lost(&mut fleet.replicas[id], cause),
        Entity::Master(_) => {}
    }
}

/// Has an instance looked at again, and the master it belongs to.
pub fn touch_with_master(fleet: &Fleet, cx: &mut Cx, owner: Entity) {
    cx.touch(owner);
    if let Some(master) = fleet.master_of(owner) {
        cx.touch_master(master);
    }
}

/// A PING was answered (spec 2 §4.2).
pub fn on_ping_reply(fleet: &mut Fleet, cx: &mut Cx, id: LinkId, reply: &PingReply) {
    let now = cx.mono();
    cx.unsampled.remove(&id);
    let link = &mut fleet.links[id];
    link.pong_at = now;
    link.loading = *reply == PingReply::Loading;
    let alive = matches!(reply, PingReply::Pong | PingReply::Loading | PingReply::MasterDown);
    let was_silent = alive && link.active_ping_at.take().is_some();
    if alive {
        link.available_at = now;
    }
    if alive || denial::is_denial(reply) {
        link.overlooked = Duration::ZERO;
    }
    let was_shut = link.shut.is_some();
    link.shut = match (denial::is_denial(reply), link.shut) {
        (true, _) => Some(Shut::default()),
        // An answer of another kind is no denial, and no sign of health: from here on it is judged like any other.
        (false, Some(shut)) if !alive => Some(Shut { unheard_since: shut.unheard_since.or(Some(now)) }),
        (false, _) => None,
    };
    // A denial may end, or put off, an objective verdict.
    let mut news = was_silent || was_shut || link.shut.is_some();
    for owner in link.owners.clone() {
        if let Entity::Replica(id) = owner {
            // It may be promoted again: it has loaded its data set, or was silent for too long before.
            failover::on_promotable(fleet, cx, fleet.replicas[id].master);
        }
        match (reply, owner) {
            (PingReply::Pong, Entity::Master(id)) => news |= fleet.masters[id].rebooted_at.take().is_some(),
            (PingReply::Busy, _) => super::health::kill_busy_script(fleet, cx, owner),
            _ => {}
        }
        // Only an instance that is down can come back; a PONG in time changes no verdict.
        if news && fleet.instance(owner).is_some_and(|instance| instance.s_down) {
            touch_with_master(fleet, cx, owner);
        }
    }
    cx.touch_link(id);
}

fn shortest_down_after(fleet: &Fleet, id: LinkId) -> Option<Duration> {
    let masters = fleet.links[id].owners.iter().filter_map(|owner| fleet.master_of(*owner));
    masters.map(|master| fleet.masters[master].settings.down_after).min()
}

/// A frame came on the subscription.
pub fn on_heard(fleet: &mut Fleet, cx: &mut Cx, id: LinkId) {
    fleet.links[id].heard_at = cx.mono();
}
