//! What the simulator tells its properties: everything that leaves a Sentinel or befalls it, in order, with the truth beside it.

use std::net::SocketAddrV4;

use sentineld::conf::Settings;
use sentineld::engine::ConnKind;
use sentineld::model::{Epoch, MasterName};
use sentineld::wire::{Hello, InfoReport, Reply};

/// Something that happened to or at one Sentinel.
#[derive(Clone, Debug)]
pub enum Seen {
    /// It starts, from the text that was on its disk.
    Started,
    /// It was killed, or crashed.
    Died,
    /// A save is complete: `Scene::disk` is what a start would read now.
    Saved,
    /// It published and logged an event.
    Notice {
        name: String,
        payload: String,
    },
    /// A question to another Sentinel left it.
    Asked {
        to: SocketAddrV4,
        master: SocketAddrV4,
        epoch: Epoch,
        candidate: Option<String>,
    },
    /// Its answer to such a question left it.
    Told {
        master: MasterName,
        down: bool,
        leader: Option<String>,
        epoch: Epoch,
        /// Nanoseconds from the question, which the answer speaks for, to the answer, which may have waited for the disk.
        waited: u64,
    },
    /// A hello left it, by PUBLISH, for whatever listens.
    Greeted {
        to: SocketAddrV4,
        hello: Hello,
    },
    /// SLAVEOF left it (once for each block): `None` is NO ONE.
    Pointed {
        server: SocketAddrV4,
        master: Option<SocketAddrV4>,
    },
    /// An operator's command reached it.
    Ordered {
        words: Vec<String>,
    },
    /// A hello reached it, on a subscription or by PUBLISH, from another than itself.
    Heard {
        hello: Hello,
    },
    /// A connection of it is up, from now on.
    Linked {
        to: SocketAddrV4,
        kind: ConnKind,
    },
    /// A connection of it, or an attempt at one, came to an end: lost, refused, or given up by itself.
    Broken {
        to: SocketAddrV4,
        kind: ConnKind,
    },
    /// A reply reached it, on a connection that it still has. What comes late, by one that it gave up, is not shown: it must mean nothing.
    /// INFO is shown by `Informed`.
    Got {
        from: SocketAddrV4,
        reply: Reply,
        /// When the question left, in nanoseconds since the start of the run.
        asked_at: u64,
    },
    /// The answer to a client's request left it. Both are counted by whoever asks: which client, and which of its requests.
    Answered {
        client: u64,
        request: u64,
    },
    /// A server's INFO reached it, on a connection that it still has.
    Informed {
        server: SocketAddrV4,
        report: Box<InfoReport>,
    },
    /// Its machine is new: nothing of what was on the disk is left, and its id will be another. `Started` follows.
    Replaced,
    /// Its wall clock was set forward (or, negative, back) by so many milliseconds.
    ClockStepped(i64),
    /// It is stopped, as by SIGSTOP, and goes on, handling at once whatever came meanwhile.
    Paused,
    Resumed,
    /// From now on nothing breaks any more (told for every Sentinel that lives).
    Healed,
    /// It handled something, or was woken for something; nothing more comes of it. Sent after every such turn, in which it looks at the clock.
    Turned,
}

/// Which program a Sentinel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The engine under test.
    Ours,
    /// The model of the reference.
    Reference,
}

/// Where and when something was seen.
pub struct Scene<'a> {
    /// Nanoseconds since the start of the run.
    pub at: u64,
    /// The Sentinel concerned.
    pub node: usize,
    /// Of every Sentinel, by its number.
    pub nodes: &'a [NodeFacts],
    /// Every Redis server there is, by its address.
    pub servers: &'a std::collections::BTreeMap<SocketAddrV4, crate::redis::Server>,
}

/// What is true of a Sentinel, whatever it believes.
///
/// Sentinels of the neighbours' fleet are no part of this: they are only the surroundings.
pub struct NodeFacts {
    pub kind: Kind,
    pub run_id: String,
    pub address: SocketAddrV4,
    /// What a start would read now: parsed from the text on its disk.
    pub disk: Settings,
    pub alive: bool,
    /// Stopped, as by SIGSTOP.
    pub stopped: bool,
}

impl Scene<'_> {
    /// The Sentinel concerned.
    pub fn facts(&self) -> &NodeFacts {
        &self.nodes[self.node]
    }
}

/// Something that must hold in every run. One a file in `properties/`.
pub trait Property {
    /// Its name, as the output of a failed seed gives it.
    fn name(&self) -> &'static str;
    /// Looks at what happened; the text says what is wrong with it.
    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String>;
    /// Looks at the end, after everything healed and had its time.
    fn finish(&mut self, _scene: &Scene) -> Result<(), String> {
        Ok(())
    }
}
