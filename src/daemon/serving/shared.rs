//! What all client tasks share. Short critical sections, never held across a wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::handle::{Doom, Handle, lock};
use super::hub::Hub;
use super::pause::Pause;
use super::registry::Registry;
use super::stats::Stats;
use super::{ExitRequest, Identity};
use crate::acl::Acl;
use crate::acl::log::AclLog;
use crate::conf::ServerSettings;
use crate::conf::settings::BufferLimit;
use crate::daemon::inbox::Inbox;
use crate::daemon::limits;
use crate::model;
use crate::session::lookup::{Directory, Pulse};
use crate::wire::Naming;

/// How often the pulse is felt.
const PULSE_PERIOD: Duration = Duration::from_millis(250);
/// How long it may stand still before addresses are no longer given out without asking the engine.
const PULSE_PATIENCE: Duration = Duration::from_secs(2);
/// At most one line about HTTP requests in this time.
const ATTACK_PERIOD: Duration = Duration::from_secs(60);

/// The state behind a `Server`.
pub(super) struct Shared {
    pub settings: ServerSettings,
    pub identity: Identity,
    pub naming: Naming,
    pub acl: ArcSwap<Acl>,
    /// Held while a new `acl` is made of the old.
    editing: Mutex<()>,
    pub acl_log: Mutex<AclLog>,
    pub inbox: Inbox,
    pub directory: Directory,
    pulse: Arc<Pulse>,
    /// The engine had a turn lately.
    alive: AtomicBool,
    pub exit: mpsc::UnboundedSender<ExitRequest>,
    pub registry: Registry,
    pub hub: Hub,
    pub pause: Pause,
    pub stats: Stats,
    pub closing: watch::Sender<bool>,
    /// See [`limits::first_refused_descriptor`].
    pub first_refused_descriptor: i32,
    attacked: Mutex<Option<Instant>>,
}

impl Shared {
    pub fn new(
        settings: &ServerSettings,
        identity: Identity,
        acl: Acl,
        (inbox, directory, pulse): (Inbox, Directory, Arc<Pulse>),
        exit: mpsc::UnboundedSender<ExitRequest>,
    ) -> Shared {
        Shared {
            settings: settings.clone(),
            identity,
            naming: Naming::new(&settings.renamed_commands),
            acl: ArcSwap::from_pointee(acl),
            editing: Mutex::default(),
            acl_log: Mutex::new(AclLog::new(settings.acl_log_max_len)),
            inbox,
            directory,
            pulse,
            alive: AtomicBool::new(false),
            exit,
            registry: Registry::default(),
            hub: Hub::default(),
            pause: Pause::default(),
            stats: Stats::default(),
            closing: watch::Sender::new(false),
            first_refused_descriptor: limits::first_refused_descriptor(),
            attacked: Mutex::default(),
        }
    }

    /// Replaces the users by a changed copy, unless the change fails. Connected clients are told.
    pub fn edit_users<T, E>(&self, change: impl FnOnce(&mut Acl) -> Result<T, E>) -> Result<T, E> {
        let _one_at_a_time = lock(&self.editing);
        let mut acl = Acl::clone(&self.acl.load());
        let outcome = change(&mut acl)?;
        self.acl.store(Arc::new(acl));
        self.registry.all().iter().for_each(|client| client.rules_changed());
        Ok(outcome)
    }

    /// Ends the connections of a user, except that of `me`. True if that was to end too.
    pub fn drop_user(&self, name: &[u8], me: &Arc<Handle>) -> bool {
        let mut includes_me = false;
        for client in self.registry.all().iter().filter(|client| client.is_user(name)) {
            if client.id == me.id {
                includes_me = true;
            } else {
                client.doom(Doom::Now);
            }
        }
        includes_me
    }

    /// The output limit of a client.
    pub fn output_limit(&self, is_subscriber: bool) -> BufferLimit {
        if is_subscriber { self.settings.output_limit_pubsub } else { self.settings.output_limit_normal }
    }

    /// True if the engine had a turn lately: what the directory says is what the engine would say.
    pub fn engine_is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Feels the pulse and makes rates of the counters, until everything is closed.
    pub async fn watch(&self) {
        let mut closing = self.closing.subscribe();
        let mut last = (self.pulse.read(), None);
        for round in 0u64.. {
            tokio::select! {
                () = tokio::time::sleep(PULSE_PERIOD) => {}
                _ = closing.wait_for(|closing| *closing) => return,
            }
            let pulse = self.pulse.read();
            if pulse != last.0 {
                last = (pulse, Some(Instant::now()));
            }
            let alive = last.1.is_some_and(|at| at.elapsed() < PULSE_PATIENCE);
            self.alive.store(alive, Ordering::Relaxed);
            if round % 4 == 0 {
                self.stats.sample();
            }
        }
    }

    /// The time since the start, for ACL LOG.
    pub fn now(&self) -> model::Instant {
        model::Instant::from_nanos(
            u64::try_from(self.identity.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        )
    }

    /// Somebody speaks HTTP to us: worth a line, but not one per request (spec 3 §3.3.4).
    ///
    /// Differs: the explanation is in words of our own.
    pub fn log_attack(&self) {
        let mut attacked = lock(&self.attacked);
        if attacked.is_some_and(|at| at.elapsed() < ATTACK_PERIOD) {
            return;
        }
        *attacked = Some(Instant::now());
        warn!(
            "Possible SECURITY ATTACK detected. A client sent POST or Host: as if this were a web server, which browsers can be \
             tricked into. Connection aborted."
        );
    }
}
