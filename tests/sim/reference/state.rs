//! What the model remembers: instances, their links, and the periods (spec 2 §1, §2.2).
//!
//! Invariant: every point in time is a reading of the wall clock in milliseconds, as in the reference; 0 means never.

use std::net::IpAddr;

use sentineld::conf::MasterSettings;
use sentineld::engine::{Entity, Tag};
use sentineld::model::{Address, Epoch, LinkId, MasterId, MasterName, PeerId, ReplicaId, RunId};
use sentineld::wire::{Request, Role};

/// A reading of the wall clock, or a duration, in milliseconds.
pub type Millis = i64;

/// The constants of spec 2 §2.2 that matter here, in milliseconds; SENTINEL DEBUG changes them.
#[derive(Clone, Debug)]
pub struct Periods {
    pub info: Millis,
    pub ping: Millis,
    pub ask: Millis,
    pub publish: Millis,
    pub tilt_trigger: Millis,
    pub tilt: Millis,
    pub reconf_timeout: Millis,
    pub min_reconnect: Millis,
    pub election_timeout: Millis,
}

impl Periods {
    pub const INITIAL: Periods = Periods {
        info: 10_000,
        ping: 1_000,
        ask: 1_000,
        publish: 2_000,
        tilt_trigger: 2_000,
        tilt: 30_000,
        reconf_timeout: 10_000,
        min_reconnect: 15_000,
        election_timeout: 10_000,
    };

    /// The periods by the names that SENTINEL DEBUG gives them.
    pub fn named(&mut self) -> [(&'static str, &mut Millis); 9] {
        [
            ("INFO-PERIOD", &mut self.info),
            ("PING-PERIOD", &mut self.ping),
            ("ASK-PERIOD", &mut self.ask),
            ("PUBLISH-PERIOD", &mut self.publish),
            ("TILT-TRIGGER", &mut self.tilt_trigger),
            ("TILT-PERIOD", &mut self.tilt),
            ("SLAVE-RECONF-TIMEOUT", &mut self.reconf_timeout),
            ("MIN-LINK-RECONNECT-PERIOD", &mut self.min_reconnect),
            ("ELECTION-TIMEOUT", &mut self.election_timeout),
        ]
    }
}

/// What all kinds have in common (spec 2 §1.4).
#[derive(Clone, Debug)]
pub struct Instance {
    /// Names it to the shell, and never names another.
    pub serial: u32,
    pub name: String,
    pub address: Address,
    pub run_id: Option<RunId>,
    pub link: LinkId,
    pub last_pub: Millis,
    pub s_down: bool,
    /// When it last went down: stays when it comes back.
    pub s_down_since: Millis,
    pub script_kill_sent: bool,
    /// The last INFO.
    pub info_at: Millis,
    pub role: Option<Role>,
    pub role_since: Millis,
}

/// Where a failover stands (spec 2 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    None,
    WaitStart,
    SelectSlave,
    SendSlaveofNoOne,
    WaitPromotion,
    ReconfSlaves,
    UpdateConfig,
}

#[derive(Clone, Debug)]
pub struct Master {
    pub instance: Instance,
    /// As configured; what changes at run time is beside it.
    pub settings: MasterSettings,
    pub o_down: bool,
    pub o_down_since: Millis,
    pub in_progress: bool,
    pub forced: bool,
    /// Set by a new run id while a reboot period is configured.
    pub reboot: bool,
    pub reboot_since: Millis,
    pub state: State,
    pub state_change: Millis,
    pub start_time: Millis,
    pub failover_epoch: Epoch,
    /// The start time for which the delay was logged.
    pub delay_logged: Millis,
    pub leader: Option<RunId>,
    pub leader_epoch: Epoch,
    pub config_epoch: Epoch,
    pub replicas: Vec<Replica>,
    pub peers: Vec<Peer>,
}

#[derive(Clone, Debug)]
pub struct Replica {
    pub instance: Instance,
    pub promoted: bool,
    pub reconf_sent: bool,
    pub reconf_inprog: bool,
    pub reconf_done: bool,
    pub reconf_sent_at: Millis,
    pub conf_change: Millis,
    /// As its INFO has it; −1000: never connected.
    pub link_down: Millis,
    pub link_up: bool,
    pub priority: i32,
    pub offset: u64,
    pub master_host: Option<String>,
    pub master_port: u16,
}

#[derive(Clone, Debug)]
pub struct Peer {
    pub instance: Instance,
    pub last_ask_reply: Millis,
    pub master_down: bool,
    pub leader: Option<RunId>,
    pub leader_epoch: Epoch,
}

/// One of the two connections of a link.
#[derive(Clone, Debug, Default)]
pub struct Conn {
    pub attempt: u32,
    /// Started, and not lost since.
    pub open: bool,
    /// The handshake is complete.
    pub up: bool,
    pub since: Millis,
    /// What was written before the handshake was complete.
    pub waiting: Vec<(Tag, Request)>,
}

/// Spec 2 §1.5.
#[derive(Clone, Debug)]
pub struct Link {
    pub id: LinkId,
    pub refcount: i64,
    pub disconnected: bool,
    pub pending: i64,
    pub command: Conn,
    pub pubsub: Option<Conn>,
    pub heard_at: Millis,
    pub available_at: Millis,
    pub active_ping: Millis,
    pub ping_sent: Millis,
    pub pong_at: Millis,
    pub reconnect_at: Millis,
    pub local: Option<IpAddr>,
}

/// Where an instance is kept: the slot of its master, and its place in that master's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Master(usize),
    Replica(usize, usize),
    Peer(usize, usize),
}

impl Who {
    /// The slot of the master it belongs to.
    pub fn slot(self) -> usize {
        match self {
            Who::Master(slot) | Who::Replica(slot, _) | Who::Peer(slot, _) => slot,
        }
    }
}

impl Master {
    pub fn name(&self) -> &MasterName {
        &self.settings.name
    }

    pub fn down_after(&self) -> Millis {
        millis(self.settings.down_after)
    }

    pub fn failover_timeout(&self) -> Millis {
        millis(self.settings.failover_timeout)
    }

    /// The place of the replica that is being promoted.
    pub fn promoted(&self) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.promoted)
    }

    /// What clients and hellos are told: the promoted replica's address once it is confirmed (spec 2 §9.5).
    pub fn current_address(&self) -> &Address {
        match self.promoted() {
            Some(at) if self.state >= State::ReconfSlaves => &self.replicas[at].instance.address,
            _ => &self.instance.address,
        }
    }

    /// The number of votes there are, dead peers included.
    pub fn voters(&self) -> usize {
        self.peers.len() + 1
    }

    pub fn instance(&self, who: Who) -> &Instance {
        match who {
            Who::Master(_) => &self.instance,
            Who::Replica(_, at) => &self.replicas[at].instance,
            Who::Peer(_, at) => &self.peers[at].instance,
        }
    }

    pub fn instance_mut(&mut self, who: Who) -> &mut Instance {
        match who {
            Who::Master(_) => &mut self.instance,
            Who::Replica(_, at) => &mut self.replicas[at].instance,
            Who::Peer(_, at) => &mut self.peers[at].instance,
        }
    }

    /// What the shell knows the instance by.
    pub fn entity(&self, who: Who) -> Entity {
        let serial = self.instance(who).serial;
        let index = u32::try_from(who.slot()).expect("a small table");
        match who {
            Who::Master(_) => Entity::Master(MasterId { index, generation: serial }),
            Who::Replica(..) => Entity::Replica(ReplicaId { index, generation: serial }),
            Who::Peer(..) => Entity::Peer(PeerId { index, generation: serial }),
        }
    }
}

impl Link {
    pub fn new(id: LinkId, with_pubsub: bool, now: Millis) -> Self {
        Link {
            id,
            refcount: 1,
            disconnected: true,
            pending: 0,
            command: Conn::default(),
            pubsub: with_pubsub.then(Conn::default),
            heard_at: 0,
            available_at: now,
            active_ping: now,
            ping_sent: 0,
            pong_at: now,
            reconnect_at: 0,
            local: None,
        }
    }
}

/// Whole milliseconds of a configured duration.
pub fn millis(duration: std::time::Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 4)
}
