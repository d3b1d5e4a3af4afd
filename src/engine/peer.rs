//! Another Sentinel, as known for one master.

use std::time::Duration;

use super::instance::Instance;
use crate::model::{Address, Epoch, Instant, MasterId, RunId};

/// See the module.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The master it is known for.
    pub master: MasterId,
    /// The common part; `run_id` is always known.
    pub instance: Instance,
    /// When its last hello arrived.
    pub hello_at: Instant,
    /// The configuration of the master that its last hello named, and when.
    pub confirmed: Option<(Epoch, Address, Instant)>,
    /// An epoch that it claims and that nobody has to believe (`quarantine`).
    pub claim: Option<Epoch>,
    /// Our questions to it about the master.
    pub ask: AskState,
}

/// Questions by is-master-down-by-addr (spec 2 §7.3).
#[derive(Clone, Debug)]
pub struct AskState {
    /// Ask at once.
    pub now: bool,
    /// A question is on its way since.
    pub sent_at: Option<Instant>,
    /// The first of the questions that are on their way left then.
    first_sent_at: Instant,
    /// How long to wait at least after the last question or answer.
    pub pause: Duration,
    /// When the last answer came.
    pub replied_at: Option<Instant>,
    /// How long to wait before asking again while the answer does not satisfy.
    pub backoff: Duration,
    /// It says the master is down.
    pub master_down: bool,
    /// Its vote as last reported.
    pub vote: Option<(RunId, Epoch)>,
    /// The epoch in which we last asked for its vote.
    pub requested: Option<Epoch>,
    /// The highest epoch in which it answered our request for a vote, whatever the answer.
    pub answered: Option<Epoch>,
}

impl Default for AskState {
    fn default() -> Self {
        AskState {
            now: true,
            sent_at: None,
            first_sent_at: Instant::ZERO,
            pause: Duration::ZERO,
            replied_at: None,
            backoff: Self::FIRST,
            master_down: false,
            vote: None,
            requested: None,
            answered: None,
        }
    }
}

impl AskState {
    /// The first repetition of a question.
    pub const FIRST: Duration = Duration::from_millis(50);
    /// The longest time before a question is repeated on a connection that holds it already.
    const LONGEST: Duration = Duration::from_secs(8);

    /// A question leaves.
    pub fn sent(&mut self, now: Instant) {
        if self.sent_at.replace(now).is_none() {
            self.first_sent_at = now;
        }
    }

    /// Since when the peer owes us an answer.
    pub fn open_since(&self) -> Option<Instant> {
        self.sent_at.map(|_| self.first_sent_at)
    }

    /// The answer was none. It was one all the same: the connection does not hold the question any more.
    pub fn refused(&mut self) {
        self.first_sent_at = self.sent_at.unwrap_or(self.first_sent_at);
    }

    /// How long to wait after the last of the questions that lie on the connection before another is added.
    pub fn patience(&self) -> Duration {
        let asking_for = self.sent_at.map_or(Duration::ZERO, |sent| sent.since(self.first_sent_at));
        (asking_for * 2).min(Self::LONGEST)
    }

    /// Drops what it thinks of the master. Its vote stays: that was given for an epoch, and is never taken back.
    pub fn forget_opinion(&mut self) {
        (self.master_down, self.sent_at) = (false, None);
        self.hurry();
    }

    /// Asks anew at once, with short repetitions again: something changed.
    pub fn hurry(&mut self) {
        self.now = true;
        self.backoff = Self::FIRST;
    }
}

impl Peer {
    /// Its run id.
    pub fn run_id(&self) -> &RunId {
        self.instance.run_id.as_ref().expect("a peer is known by its run id")
    }
}
