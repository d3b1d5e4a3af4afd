//! A monitored master: its settings, its state, and the failover it may be in.
//!
//! Invariant: `failover` names only replicas of this master (asserted in `audit`).

use std::sync::Arc;

use super::backoff::Backoff;
use super::crowd::Crowded;
use super::election::AskTurn;
use super::failover::{Failover, Fruitless};
use super::forgotten::Forgotten;
use super::globals::Credentials;
use super::hearsay::Hearsay;
use super::instance::{InfoState, Instance};
use super::lineage::Lineage;
use crate::conf::MasterSettings;
use crate::model::{Epoch, Instant, MasterId, MasterName, PeerId, ReplicaId, Revision, RunId};
use crate::wire::Role;

/// See the module.
#[derive(Clone, Debug)]
pub struct Master {
    /// Its id.
    pub id: MasterId,
    /// Its name.
    pub name: MasterName,
    /// Its options. Address, epochs, replicas and peers inside are those at the start; the live ones are beside it.
    pub settings: MasterSettings,
    /// The common part.
    pub instance: Instance,
    /// The INFO side.
    pub info: InfoState,
    /// Its replicas, in the order they were learnt.
    pub replicas: Vec<ReplicaId>,
    /// Other Sentinels that watch it.
    pub peers: Vec<PeerId>,
    /// What a reset set aside.
    pub forgotten: Forgotten,
    /// Where strangers say that it is.
    pub hearsay: Hearsay,
    /// It is objectively down.
    pub o_down: bool,
    /// When it last entered ODOWN.
    pub o_down_at: Option<Instant>,
    /// It restarted at this time and has not answered PONG since (only with `master-reboot-down-after-period`).
    pub rebooted_at: Option<Instant>,
    /// Epoch of the configuration in force.
    pub config_epoch: Epoch,
    /// Our vote.
    pub ballot: Ballot,
    /// Where its data comes from.
    pub lineage: Lineage,
    /// The failover in progress.
    pub failover: Failover,
    /// When a failover of it last started, or a vote was given to another, plus up to a second (spec 2 §8.3).
    pub failover_started_at: Option<Instant>,
    /// The candidate that we voted for and give time.
    pub deference: Option<Deference>,
    /// The election that we won last.
    pub won: Option<Won>,
    /// When it last moved to another address.
    pub switched_at: Option<Instant>,
    /// What there are too many of.
    pub crowded: Crowded,
    /// The configuration epoch for which the log says that somebody names another address.
    pub contested: Option<Epoch>,
    /// No failover begins before this, if set; else twice failover-timeout after `failover_started_at`, which is also the latest.
    pub retry_at: Option<Instant>,
    /// The pauses between failovers that failed.
    pub backoff: Backoff,
    /// The last election was lost: the next one needs enough voters within reach.
    pub lacked_votes: bool,
    /// The last failover found nobody to promote.
    pub fruitless: Option<Fruitless>,
    /// Until when the log says that no failover begins.
    pub delay_logged_until: Option<Instant>,
    /// Since when all conditions to start a failover hold; the hold-back of lower ranks counts from here.
    pub eligible_since: Option<Instant>,
    /// When it is our turn, as far as that is known; it moves away as answers take longer, and never nearer.
    pub turn_at: Instant,
    /// When it is our turn to ask for opinions.
    pub ask_turn: Option<AskTurn>,
    /// What must be saved before our gossip names the configuration in force.
    pub config_revision: Revision,
    /// The save that holds its SENTINEL MONITOR: until that was tried, `+monitor` is not announced and nobody connects.
    pub begun: Revision,
    /// Counts address changes, so that opinions about an older address are recognised.
    pub address_generation: u32,
}

/// The last vote given for a master (spec 2 §8.1).
#[derive(Clone, Debug, Default)]
pub struct Ballot {
    /// For whom; forgotten by a reset or a restart, while the epoch stays.
    pub leader: Option<RunId>,
    /// In which epoch.
    pub epoch: Epoch,
    /// What must be on disk before the vote may be told to anybody.
    pub revision: Revision,
}

/// An election that we won.
#[derive(Clone, Copy, Debug)]
pub struct Won {
    /// When it began: its term counts from there.
    pub stood_at: Instant,
    /// How many voted for us, ourselves included.
    pub votes: usize,
}

/// Another Sentinel has our vote, and thereby the first try.
#[derive(Clone, Debug)]
pub struct Deference {
    /// Who.
    pub leader: RunId,
    /// Since when.
    pub since: Instant,
}

impl Master {
    /// A master that nothing is known of but its settings.
    pub fn new(id: MasterId, settings: MasterSettings, instance: Instance, now: Instant) -> Self {
        Master {
            id,
            name: settings.name.clone(),
            instance,
            info: InfoState::new(Role::Master, now),
            replicas: Vec::new(),
            peers: Vec::new(),
            forgotten: Forgotten::default(),
            hearsay: Hearsay::default(),
            o_down: false,
            o_down_at: None,
            rebooted_at: None,
            config_epoch: settings.config_epoch,
            ballot: Ballot { leader: None, epoch: settings.leader_epoch, revision: Revision::default() },
            failover: Failover::Idle,
            failover_started_at: None,
            deference: None,
            won: None,
            switched_at: None,
            contested: None,
            crowded: Crowded::default(),
            retry_at: None,
            backoff: Backoff::default(),
            lacked_votes: false,
            fruitless: None,
            lineage: Lineage::default(),
            delay_logged_until: None,
            eligible_since: None,
            turn_at: Instant::ZERO,
            ask_turn: None,
            config_revision: Revision::default(),
            begun: Revision::default(),
            address_generation: 0,
            settings,
        }
    }

    /// The name that a command has on this master and its replicas, if it was renamed (spec 2 §3.7).
    pub fn renamed(&self, word: &str) -> Option<Arc<str>> {
        let renamed =
            self.settings.renamed_commands.iter().find(|(old, _)| old.eq_ignore_ascii_case(word))?;
        Some(Arc::from(renamed.1.as_str()))
    }

    /// User and password of the master and its replicas (spec 2 §3.3).
    pub fn credentials(&self) -> Option<Credentials> {
        let pass = self.settings.auth_pass.as_deref()?;
        Some(Credentials { user: self.settings.auth_user.as_deref().map(Arc::from), pass: Arc::from(pass) })
    }

    /// All Sentinels that have a vote: known peers, dead ones included, those that a reset has just forgotten, and ourselves (spec 2 §8.2).
    pub fn voters(&self) -> usize {
        self.peers.len() + self.forgotten.peers.len() + 1
    }

    /// Votes needed to win: the majority of voters and at least the quorum.
    pub fn votes_needed(&self) -> usize {
        self.votes_needed_of(self.voters())
    }

    /// The same if there are so many voters.
    pub fn votes_needed_of(&self, voters: usize) -> usize {
        (voters / 2 + 1).max(self.settings.quorum as usize)
    }
}
