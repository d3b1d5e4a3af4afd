//! What belongs to the process and to no single master: identity, the current epoch, announcements, tunable periods.

use std::sync::Arc;
use std::time::Duration;

use crate::conf::settings::LogLevel;
use crate::conf::{SentinelSettings, Settings};
use crate::model::{Address, Epoch, RunId};

/// Process-wide state (spec 2 §1.1).
#[derive(Clone, Debug)]
pub struct Globals {
    /// Our id in gossip and votes.
    pub my_id: RunId,
    /// The `sentinel` directives in force; `my_id` and `current_epoch` inside are kept in step by the ledger, not read from here.
    pub settings: SentinelSettings,
    /// The highest epoch seen; only grows.
    pub current_epoch: Epoch,
    /// The port clients reach us on.
    pub port: u16,
    /// Our own password, used towards peers when `sentinel-pass` is unset.
    pub requirepass: Option<Vec<u8>>,
    /// The least important level that is logged.
    pub log_level: LogLevel,
    /// The periods of spec 2 §2.2.
    pub tunables: Tunables,
    /// Where SENTINEL SIMULATE-FAILURE wants the process to end.
    pub simulate: Simulate,
}

/// The armed failure simulations (spec 2 §13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulate {
    /// Crash after `+elected-leader`.
    pub after_election: bool,
    /// Crash after `+promoted-slave`.
    pub after_promotion: bool,
}

impl Simulate {
    /// The bits that INFO shows.
    pub fn bits(self) -> u8 {
        u8::from(self.after_election) | u8::from(self.after_promotion) << 1
    }
}

/// The constants of spec 2 §2.2, which SENTINEL DEBUG can change while running; never persisted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunables {
    /// INFO to masters and healthy replicas.
    pub info_period: Duration,
    /// PING, at most.
    pub ping_period: Duration,
    /// Questions to peers.
    pub ask_period: Duration,
    /// Hello messages.
    pub publish_period: Duration,
    /// For masters added from now on.
    pub default_down_after: Duration,
    /// For masters added from now on.
    pub default_failover_timeout: Duration,
    /// Distance of two turns that means TILT.
    pub tilt_trigger: Duration,
    /// Length of TILT, at most.
    pub tilt_period: Duration,
    /// A re-pointed replica without progress.
    pub replica_reconf_timeout: Duration,
    /// A younger connection is never dropped for silence.
    pub min_link_reconnect_period: Duration,
    /// An election attempt, capped by failover-timeout.
    pub election_timeout: Duration,
    /// A script is killed after this.
    pub script_max_runtime: Duration,
    /// First retry of a script; doubles.
    pub script_retry_delay: Duration,
}

impl Default for Tunables {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Tunables {
            info_period: ms(10_000),
            ping_period: ms(1_000),
            ask_period: ms(1_000),
            publish_period: ms(2_000),
            default_down_after: ms(30_000),
            default_failover_timeout: ms(180_000),
            tilt_trigger: ms(2_000),
            tilt_period: ms(30_000),
            replica_reconf_timeout: ms(10_000),
            min_link_reconnect_period: ms(15_000),
            election_timeout: ms(10_000),
            script_max_runtime: ms(60_000),
            script_retry_delay: ms(30_000),
        }
    }
}

impl Globals {
    /// From the file; `fresh_id` serves when the file has no id yet.
    pub fn new(settings: &Settings, fresh_id: RunId) -> Self {
        // Spec 1 §3.2: the current epoch is at least every configuration's. A vote beyond it is one that nobody can repeat.
        let epochs = settings.masters.iter().map(|master| master.config_epoch);
        Globals {
            my_id: settings.sentinel.my_id.clone().unwrap_or(fresh_id),
            current_epoch: epochs.fold(settings.sentinel.current_epoch, Epoch::max),
            settings: settings.sentinel.clone(),
            // Spec 2 §6.1: who connects by TLS expects others to do so.
            port: match &settings.server.tls {
                tls if tls.replication && tls.port != 0 => tls.port,
                _ => settings.server.port,
            },
            requirepass: settings.server.requirepass.clone(),
            log_level: settings.server.log_level,
            tunables: Tunables::default(),
            simulate: Simulate::default(),
        }
    }

    /// What to persist of this.
    pub fn to_persist(&self) -> SentinelSettings {
        let mut settings = self.settings.clone();
        settings.my_id = Some(self.my_id.clone());
        settings.current_epoch = self.current_epoch;
        settings
    }

    /// Show host names instead of addresses.
    pub fn announce_hostnames(&self) -> bool {
        self.settings.announce_hostnames
    }

    /// Host and port of an address in the form that others are shown.
    pub fn shown(&self, address: &Address) -> (String, u16) {
        (address.shown_host(self.announce_hostnames()), address.port)
    }

    /// The port in our hello messages (spec 2 §6.1).
    pub fn announced_port(&self) -> u16 {
        self.settings.announce_port.unwrap_or(self.port)
    }

    /// The first eight characters of our id, which name our connections (spec 2 §3.2).
    pub fn short_id(&self) -> &str {
        let id = self.my_id.as_str();
        id.get(..8).unwrap_or(id)
    }

    /// User and password towards peers (spec 2 §3.3).
    pub fn peer_credentials(&self) -> Option<Credentials> {
        let (user, pass) = match &self.settings.sentinel_pass {
            Some(pass) => (self.settings.sentinel_user.clone(), pass),
            None => (None, self.requirepass.as_ref()?),
        };
        Some(Credentials { user: user.map(Arc::from), pass: Arc::from(pass.as_slice()) })
    }
}

/// What AUTH sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Only if set.
    pub user: Option<Arc<[u8]>>,
    /// Possibly empty.
    pub pass: Arc<[u8]>,
}
