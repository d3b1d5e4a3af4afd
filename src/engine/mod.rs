//! Every decision: a synchronous state machine that reads no clock, opens no socket and cannot fail.
//!
//! The shell uses it in one rhythm, **feed → drain → wait**: [`Engine::handle`] and [`Engine::handle_deadline`] take facts,
//! [`Engine::end_turn`] closes the turn, [`Engine::poll_action`] gives deeds until it returns `None`, [`Engine::next_deadline`] says
//! when to come back at the latest.
//!
//! Handlers (`on_*`) record facts and touch the entities concerned; consequences are derived afterwards by `settle`, which runs each
//! touched entity's rules in a fixed order and re-arms its one timer. A rule is a `step` function: it does what the recorded facts call
//! for, and returns when it could next give a different answer by the passing of time alone.

pub mod action;
mod audit;
mod backoff;
mod block;
mod command;
mod conn;
mod crowd;
mod cx;
mod denial;
mod election;
mod failover;
mod fleet;
mod forgotten;
mod globals;
mod gossip;
mod health;
mod hearsay;
pub mod hole;
pub mod input;
mod instance;
mod ledger;
mod lineage;
mod link;
mod master;
mod names;
pub mod notice;
mod outbox;
mod peer;
mod probe;
mod quarantine;
mod repair;
mod replica;
mod report;
mod script;
mod script_event;
mod slab;
pub mod tag;
mod tilt;
mod view;
mod wheel;

pub use action::{Action, Target};
pub use hole::Hole;
pub use input::{Endpoints, Input, ScriptExit};
pub use notice::{Level, Notice};
pub use tag::{Ask, BlockStep, ConnId, ConnKind, Entity, Tag};

use crate::conf::Settings;
use crate::model::{Instant, LinkId, Now, RunId};
use crate::wire::Reply;
use command::Pending;
use cx::Cx;
use fleet::Fleet;
use globals::Globals;
use tilt::Tilt;
use wheel::{Key, Wheel};

/// Timers that fire in one turn; the rest waits for the next, so that a turn stays short.
const MAX_FIRED: usize = 4_096;

/// The whole state of a Sentinel.
#[derive(Clone)]
pub struct Engine {
    fleet: Fleet,
    cx: Cx,
    wheel: Wheel,
    tilt: Tilt,
    scripts_due: Option<Instant>,
    pending: Pending,
}

impl Engine {
    /// Begins from a configuration. `seed` fixes every random choice to come, a missing id of this Sentinel included.
    pub fn new(settings: Settings, seed: u64, now: Now) -> Self {
        let mut rng = Cx::generator(seed);
        let fresh = settings.sentinel.my_id.is_none();
        let globals = Globals::new(&settings, Cx::fresh_run_id(&mut rng));
        let mut engine = Engine {
            fleet: Fleet::default(),
            cx: Cx::new(globals, rng, now),
            wheel: Wheel::new(now.mono),
            tilt: Tilt::new(now),
            scripts_due: None,
            pending: Pending::default(),
        };
        let cx = &mut engine.cx;
        if fresh {
            cx.first_save = cx.ledger.record_globals();
        }
        let first_save = cx.first_save;
        let id = format!("Sentinel ID is {}", cx.globals.my_id);
        cx.outbox.behind(first_save, Action::Log(Level::Warning, id));
        // Differs: clients are served meanwhile, so that one may be subscribed already.
        for master in settings.masters {
            let quorum = master.quorum;
            let id = engine.fleet.add_master(master, cx);
            let event = (Level::Warning, "+monitor");
            engine.fleet.announce_behind(
                cx,
                first_save,
                event,
                Entity::Master(id),
                &format!(" quorum {quorum}"),
            );
        }
        engine.settle();
        engine
    }

    /// Puts a weakness of the reference back, for a test of the tests.
    #[cfg(feature = "holes")]
    pub fn open_hole(&mut self, hole: Hole) {
        self.cx.holes.open(hole);
    }

    /// True once all that belongs to the start was said: an id that was made up is saved before, if it can be.
    pub fn has_started(&self) -> bool {
        self.cx.outbox.is_settled(self.cx.first_save)
    }

    /// Our id, which gossip on our own subscriptions is recognised by.
    pub fn my_id(&self) -> &RunId {
        &self.cx.globals.my_id
    }

    /// Records a fact and settles what it touched.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.begin(now);
        if matches!(input, Input::Command { .. }) {
            // What each of several commands changes is saved apart, as in the reference (spec 1 §5.1).
            self.persist();
        }
        let (fleet, cx) = (&mut self.fleet, &mut self.cx);
        match input {
            Input::Connected(id, ends) if link::is_current(fleet, id) => {
                link::on_connected(fleet, cx, id, ends)
            }
            Input::Disconnected(id, cause) if link::is_current(fleet, id) => {
                link::on_disconnected(fleet, cx, id, &cause)
            }
            Input::Reply(id, tag, reply)
                if link::is_current(fleet, id)
                    || cx.holes.has(Hole::OldRepliesCount) && fleet.links.get(id.link).is_some() =>
            {
                on_reply(fleet, cx, id, tag, reply)
            }
            Input::Heard(id, hello) if link::is_current(fleet, id) => {
                link::on_heard(fleet, cx, id.link);
                if let Some(hello) = hello {
                    gossip::on_heard(fleet, cx, id.link, &hello);
                }
            }
            // Late facts of connections that are no more.
            Input::Connected(..) | Input::Disconnected(..) | Input::Reply(..) | Input::Heard(..) => {}
            Input::Command { id, command, runnable } => {
                command::on_command(fleet, cx, &self.tilt, &mut self.pending, id, command, &runnable);
            }
            Input::Persisted(revision, result) => cx.on_persisted(fleet, revision, result.is_ok()),
            Input::Resolved(host, ip) => command::on_resolved(fleet, cx, &mut self.pending, &host, ip),
            Input::ScriptStarted(id, pid) => script::on_started(cx, id, pid),
            Input::ScriptExited(id, exit) => script::on_exited(cx, id, exit),
        }
        self.settle();
    }

    /// Settles whatever is due.
    pub fn handle_deadline(&mut self, now: Now) {
        self.begin(now);
        for (at, key) in self.wheel.fire(now.mono, MAX_FIRED) {
            let timer = match key {
                Key::Link(id) => self.fleet.links.get_mut(id).map(|link| &mut link.timer),
                Key::Entity(entity) => self.fleet.instance_mut(entity).map(|instance| &mut instance.timer),
            };
            if timer.is_some_and(|timer| Wheel::take(timer, at)) {
                self.cx.touch_key(key);
            }
        }
        self.settle();
    }

    /// Ends a turn: what was recorded since the last command becomes one `Persist`. Call once after the last `handle` of a turn,
    /// before draining.
    pub fn end_turn(&mut self) {
        self.persist();
    }

    fn persist(&mut self) {
        if let Some((revision, patch)) = self.cx.ledger.take(&self.fleet, &self.cx.globals) {
            self.cx.outbox.push(Action::Persist(revision, patch));
        }
    }

    /// The next deed, in order; `None` when all are drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.cx.outbox.pop()
    }

    /// When to call `handle_deadline` at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        [Some(self.tilt.due(&self.cx)), self.wheel.next(), self.scripts_due].into_iter().flatten().min()
    }

    fn begin(&mut self, now: Now) {
        // Clocks are the shell's business, but a monotonic one that goes back would make every deadline wrong.
        assert!(now.mono >= self.cx.now.mono, "the monotonic clock went back");
        self.cx.now = now;
        self.tilt.check(&mut self.fleet, &mut self.cx);
    }

    /// Derives all consequences of what was recorded.
    fn settle(&mut self) {
        if self.tilt.end_if_due(&mut self.cx) {
            self.fleet.touch_all(&mut self.cx);
        }
        while let Some(key) = self.cx.next_touched() {
            let due = match key {
                Key::Link(id) => self.settle_link(id),
                Key::Entity(entity) => self.settle_entity(entity),
            };
            let timer = match key {
                Key::Link(id) => self.fleet.links.get_mut(id).map(|link| &mut link.timer),
                Key::Entity(entity) => self.fleet.instance_mut(entity).map(|instance| &mut instance.timer),
            };
            if let (Some(timer), Some(due)) = (timer, due) {
                self.wheel.arm(timer, key, due);
            }
        }
        self.scripts_due = script::step(&mut self.cx);
    }

    fn settle_link(&mut self, id: LinkId) -> Option<Instant> {
        self.fleet.links.get(id)?;
        link::step(&mut self.fleet, &mut self.cx, id)
    }

    /// The rules of one instance, in their order: probes, the tilt gate, subjectively down, what peers said and who they are, objectively
    /// down, failover, questions.
    fn settle_entity(&mut self, entity: Entity) -> Option<Instant> {
        let (fleet, cx) = (&mut self.fleet, &mut self.cx);
        fleet.instance(entity)?;
        let mut dues = [None; 8];
        dues[0] = probe::step(fleet, cx, entity);
        if !cx.tilted && !forgotten::is_aside(fleet, entity) && !hearsay::is_rumoured(fleet, entity) {
            dues[1] = health::sdown_step(fleet, cx, entity);
            match entity {
                Entity::Master(id) => {
                    dues[2] = election::expire_step(fleet, cx, id);
                    dues[3] = forgotten::step(fleet, cx, id);
                    dues[7] = hearsay::step(fleet, cx, id);
                    dues[4] = health::odown_step(fleet, cx, id);
                    dues[5] = failover::step(fleet, cx, id);
                    dues[6] = election::ask_step(fleet, cx, id);
                    repair::touch_returned(fleet, cx, id);
                }
                Entity::Replica(id) => dues[2] = repair::step(fleet, cx, id),
                Entity::Peer(_) => {}
            }
        }
        dues.into_iter().flatten().min()
    }
}

/// Sorts a reply to what it answers.
fn on_reply(fleet: &mut Fleet, cx: &mut Cx, id: ConnId, tag: Tag, reply: Reply) {
    let stale = id.kind == ConnKind::Command && link::on_answered(fleet, cx, id.link);
    if !stale && matches!(tag.ask, Ask::MasterDown { .. } | Ask::Publish) && !matches!(reply, Reply::Error(_))
    {
        link::on_peer_answer(fleet, cx, id.link);
    }
    if stale && matches!(tag.ask, Ask::Ping | Ask::Info | Ask::MasterDown { .. }) {
        // It was true before a freeze of ours; the same was asked again since.
        if tag.ask == Ask::Info {
            report::on_refused(fleet, cx, tag.entity);
        }
        return;
    }
    // The instance may have been removed while the reply was on its way, with its link kept by others.
    let known = fleet.instance(tag.entity).is_some();
    if known && !hearsay::is_rumoured(fleet, tag.entity) {
        denial::note(fleet, cx, id.link, tag, &reply);
    }
    if tag.ask == Ask::Info && !matches!(reply, Reply::Info(_)) {
        report::on_refused(fleet, cx, tag.entity);
    }
    match (tag.ask, reply) {
        (Ask::Ping, Reply::Ping(pong)) => link::on_ping_reply(fleet, cx, id.link, &pong),
        _ if !known => {}
        (Ask::Info, Reply::Info(report)) => match tag.entity {
            Entity::Replica(id) if forgotten::is_aside(fleet, tag.entity) => {
                forgotten::on_info(fleet, cx, id, &report)
            }
            Entity::Replica(id) if hearsay::is_rumoured(fleet, tag.entity) => {
                hearsay::on_info(fleet, cx, id, &report)
            }
            entity => report::on_info(fleet, cx, entity, &report),
        },
        (Ask::Publish, reply) => probe::on_publish_reply(fleet, cx, tag.entity, &reply),
        (Ask::MasterDown { address_generation, candidacy, at }, reply) => {
            let asked = election::Asked { address_generation, candidacy, at };
            match (tag.entity, reply) {
                (Entity::Peer(peer), Reply::MasterDown(reply)) => {
                    election::on_master_down_reply(fleet, cx, peer, asked, reply)
                }
                (Entity::Peer(peer), _) => fleet.peers[peer].ask.refused(),
                _ => {}
            }
        }
        (Ask::ReplicaOf(step), reply) => {
            if let Entity::Replica(replica) = tag.entity {
                block::on_reply(fleet, cx, replica, step, reply);
            }
        }
        (_, Reply::Error(text)) => {
            let name = fleet.instance(tag.entity).map(|instance| instance.name.as_str()).unwrap_or_default();
            tracing::debug!("{:?} to {name} was answered with an error: {text}", tag.ask);
        }
        _ => {}
    }
}
