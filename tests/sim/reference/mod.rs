//! A model of redis-sentinel 7.0.15, weaknesses included, behind the doors of `Engine`: what our Sentinels meet in a mixed fleet.
//!
//! It monitors, gossips, votes and leads by the rules of spec 2 and by nothing else; comments name the section. It does not run scripts,
//! resolve names, or answer what only operators ask. Where the engine reacts to facts, the reference acts at a *tick*: every 52 to 100 ms it
//! looks at each instance once, takes one step of each failover, and all that it writes leaves after the tick.
//!
//! Invariant: the model waits for its disk like the process does. From a save on it takes no fact and lets nothing out until the attempt
//! is over; whether it succeeded is of no interest to it (spec 2 §8.1).

mod commands;
mod events;
mod failover;
mod health;
mod heartbeat;
mod hello;
mod info;
mod links;
mod save;
mod select;
mod state;
mod switch;
mod table;
#[cfg(test)]
mod tests;
mod votes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentineld::conf::{Patch, SentinelSettings, Settings};
use sentineld::engine::{Action, Input, Level};
use sentineld::model::{Epoch, Instant, Now, Revision, RunId};

use state::{Link, Master, Millis, Periods, Who};

/// The whole state of a modelled Sentinel.
pub struct Reference {
    now: Now,
    rng: StdRng,
    my_id: RunId,
    epoch: Epoch,
    port: u16,
    requirepass: Option<Vec<u8>>,
    globals: SentinelSettings,
    periods: Periods,
    masters: Vec<Option<Master>>,
    /// The slots in the order in which they are visited: that of a hash table with a seed of its own.
    order: Vec<usize>,
    names: BTreeMap<String, usize>,
    links: Vec<Option<Link>>,
    serials: u32,
    next_tick: Instant,
    /// The pause after the tick that is going on.
    pause: Option<Duration>,
    previous_tick: Millis,
    /// Since when it only watches; 0: it does not.
    tilt_since: Millis,
    crash_after_election: bool,
    crash_after_promotion: bool,
    crashed: bool,
    /// What leaves when the tick is over and the disk is done.
    held: Vec<Action>,
    out: VecDeque<Action>,
    /// The save that the process is in, and those that it comes to after it: one for each change, one after the other.
    blocked: Option<Revision>,
    saves: VecDeque<(Revision, Patch)>,
    /// Facts that came meanwhile.
    inbox: VecDeque<Input>,
    revision: Revision,
    changed: BTreeSet<usize>,
    globals_changed: bool,
}

impl Reference {
    /// Begins from a configuration. `seed` fixes every random choice to come.
    pub fn new(settings: Settings, seed: u64, now: Now) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let fresh = settings.sentinel.my_id.is_none();
        let digit = |_| char::from_digit(rng.random_range(0..16), 16).expect("below the base");
        let made_up: String = (0..40).map(digit).collect();
        let epochs = settings.masters.iter().map(|master| master.config_epoch);
        let mut model = Reference {
            now,
            rng,
            my_id: settings.sentinel.my_id.clone().unwrap_or_else(|| made_up.into()),
            epoch: epochs.fold(settings.sentinel.current_epoch, Epoch::max),
            port: settings.server.port,
            requirepass: settings.server.requirepass.clone(),
            globals: settings.sentinel.clone(),
            periods: Periods::INITIAL,
            masters: Vec::new(),
            order: Vec::new(),
            names: BTreeMap::new(),
            links: Vec::new(),
            serials: 0,
            next_tick: now.mono + Duration::from_millis(1),
            pause: None,
            previous_tick: now.wall.as_millis(),
            tilt_since: 0,
            crash_after_election: false,
            crash_after_promotion: false,
            crashed: false,
            held: Vec::new(),
            out: VecDeque::new(),
            blocked: None,
            saves: VecDeque::new(),
            inbox: VecDeque::new(),
            revision: Revision::default(),
            changed: BTreeSet::new(),
            globals_changed: fresh,
        };
        if fresh {
            model.flush();
        }
        model.log(Level::Warning, format!("Sentinel ID is {}", model.my_id));
        for master in settings.masters {
            model.add_master(master);
        }
        model
    }

    /// Its id, which gossip on its own subscriptions is recognised by.
    pub fn my_id(&self) -> &RunId {
        &self.my_id
    }

    /// Takes a fact, or, while the process waits for its disk, leaves it for later.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match (self.blocked, input) {
            (Some(awaited), Input::Persisted(revision, result)) if revision >= awaited => {
                if result.is_err() {
                    // The next save writes everything, what this one could not included.
                    self.globals_changed = true;
                    self.changed.extend(self.slots());
                }
                self.blocked = None;
                if self.begin_save() {
                    return;
                }
                if let Some(pause) = self.pause.take() {
                    self.next_tick = now.mono + pause;
                }
                self.end_turn();
                while self.blocked.is_none()
                    && let Some(input) = self.inbox.pop_front()
                {
                    self.take(input);
                }
            }
            (_, Input::Persisted(..)) => {}
            (Some(_), input) => self.inbox.push_back(input),
            (None, input) => self.take(input),
        }
    }

    /// The tick, if it is due.
    pub fn handle_deadline(&mut self, now: Now) {
        self.now = now;
        if self.blocked.is_none() && self.next_tick <= now.mono {
            self.tick();
        }
    }

    /// Lets out what the turn wrote, unless it waits for the disk.
    pub fn end_turn(&mut self) {
        if self.crashed {
            self.held.truncate(1);
        }
        if self.blocked.is_none() {
            self.out.extend(self.held.drain(..));
        }
    }

    /// The next deed, in order; `None` when all are drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When to call `handle_deadline` at the latest; `None` while it waits for its disk.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.blocked.is_none().then_some(self.next_tick)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Connected(id, ends) => self.on_connected(id, ends),
            Input::Disconnected(id, _) => self.on_disconnected(id),
            Input::Reply(id, tag, reply) => self.on_reply(id, tag, reply),
            Input::Heard(id, hello) => self.on_heard(id, hello),
            Input::Command { id, command, .. } => self.on_command(id, command),
            // It runs no scripts and looks up no names; saves were dealt with before.
            Input::Persisted(..)
            | Input::Resolved(..)
            | Input::ScriptStarted(..)
            | Input::ScriptExited(..) => {}
        }
    }

    /// Spec 2 §2.1.
    fn tick(&mut self) {
        self.check_tilt();
        let mut to_switch = None;
        for slot in self.slots() {
            self.handle_instance(Who::Master(slot));
            for at in 0..self.at(slot).replicas.len() {
                self.handle_instance(Who::Replica(slot, at));
            }
            for at in 0..self.at(slot).peers.len() {
                self.handle_instance(Who::Peer(slot, at));
            }
            if self.at(slot).state == state::State::UpdateConfig {
                to_switch = Some(slot);
            }
        }
        // Only the last one seen: others wait for later ticks.
        if let Some(slot) = to_switch {
            self.switch_to_promoted(slot);
        }
        let period = 1_000 / (10 + self.rng.random_range(0..10));
        let pause = Duration::from_millis(period);
        self.next_tick = self.now.mono + pause;
        // Time spent in a save is part of the tick.
        self.pause = self.blocked.is_some().then_some(pause);
    }

    /// The process ends here: what it has written to the disk is there, what it has written to sockets is not sent.
    fn crash(&mut self) {
        self.held.clear();
        self.held.push(Action::Crash(99));
        self.crashed = true;
    }

    fn handle_instance(&mut self, who: Who) {
        self.reconnect(who);
        self.send_periodic(who);
        if self.tilt_since != 0 {
            if self.wall() - self.tilt_since < self.periods.tilt {
                return;
            }
            self.tilt_since = 0;
            self.publish(Level::Warning, "-tilt", "#tilt mode exited".into());
        }
        self.check_s_down(who);
        if let Who::Master(slot) = who {
            self.check_o_down(slot);
            if self.start_failover_if_needed(slot) {
                self.ask_peers(slot, true);
            }
            self.failover_step(slot);
            self.ask_peers(slot, false);
        }
    }

    /// Spec 2 §2.3: by the wall clock, so that a step of it means tilt.
    fn check_tilt(&mut self) {
        let now = self.wall();
        let passed = now - self.previous_tick;
        if passed < 0 || passed > self.periods.tilt_trigger {
            self.tilt_since = now;
            self.publish(Level::Warning, "+tilt", "#tilt mode entered".into());
        }
        self.previous_tick = now;
    }

    fn wall(&self) -> Millis {
        self.now.wall.as_millis()
    }

    /// The random part of the time at which a failover starts.
    fn desync(&mut self) -> Millis {
        self.rng.random_range(0..1_000)
    }
}
