//! The way into the engine: one bounded queue for what the outside world sends, one small queue for completions.
//!
//! A full inbox slows the readers down, never the engine. Completions (persisted, scripts, names) are read first: they release
//! what waits for them, and there are few of them.

use tokio::sync::mpsc;

use crate::engine::Input;

/// How many facts may wait for the engine before their senders have to.
const CAPACITY: usize = 16_384;

/// The sending half; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    facts: mpsc::Sender<Input>,
    completions: mpsc::UnboundedSender<Input>,
}

/// The receiving half, owned by the driver.
pub struct Outlet {
    /// Facts from links and clients.
    pub facts: mpsc::Receiver<Input>,
    /// Completions of the engine's own actions.
    pub completions: mpsc::UnboundedReceiver<Input>,
}

/// A new pair.
pub fn channel() -> (Inbox, Outlet) {
    let (facts, facts_out) = mpsc::channel(CAPACITY);
    let (completions, completions_out) = mpsc::unbounded_channel();
    (Inbox { facts, completions }, Outlet { facts: facts_out, completions: completions_out })
}

impl Inbox {
    /// Queues a fact, waiting while the inbox is full. False if the engine is gone.
    pub async fn send(&self, input: Input) -> bool {
        self.facts.send(input).await.is_ok()
    }

    /// Queues the completion of an action: never waits, as each answers exactly one action.
    pub fn complete(&self, input: Input) {
        // The engine being gone means that the process ends; nobody is left to care.
        let _ = self.completions.send(input);
    }
}
