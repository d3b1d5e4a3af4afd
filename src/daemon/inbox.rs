//! The way into the engine: bounded queues for what the outside world sends, one small queue for completions.
//!
//! A full inbox slows the readers down, never the engine. Completions (persisted, scripts, names) are read first: they release
//! what waits for them, and there are few of them. What instances report and what clients ask wait apart, so that no crowd of
//! clients makes news of a master old.

use tokio::sync::mpsc;

use crate::engine::Input;

/// How many facts may wait for the engine before their senders have to.
const FACTS: usize = 16_384;
/// The same for commands of clients.
const COMMANDS: usize = 4096;

/// The sending half; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    facts: mpsc::Sender<Input>,
    commands: mpsc::Sender<Input>,
    completions: mpsc::UnboundedSender<Input>,
}

/// The receiving half, owned by the driver.
pub struct Outlet {
    /// Facts from links.
    pub facts: mpsc::Receiver<Input>,
    /// Commands of clients.
    pub commands: mpsc::Receiver<Input>,
    /// Completions of the engine's own actions.
    pub completions: mpsc::UnboundedReceiver<Input>,
}

/// A new pair.
pub fn channel() -> (Inbox, Outlet) {
    let (facts, facts_out) = mpsc::channel(FACTS);
    let (commands, commands_out) = mpsc::channel(COMMANDS);
    let (completions, completions_out) = mpsc::unbounded_channel();
    let inbox = Inbox { facts, commands, completions };
    (inbox, Outlet { facts: facts_out, commands: commands_out, completions: completions_out })
}

impl Inbox {
    /// Queues a fact about a link, waiting while too many wait. False if the engine is gone.
    pub async fn report(&self, input: Input) -> bool {
        self.facts.send(input).await.is_ok()
    }

    /// Queues a command of a client, waiting while too many wait. False if the engine is gone.
    pub async fn ask(&self, input: Input) -> bool {
        self.commands.send(input).await.is_ok()
    }

    /// Queues the completion of an action: never waits, as each answers exactly one action.
    pub fn complete(&self, input: Input) {
        // The engine being gone means that the process ends; nobody is left to care.
        let _ = self.completions.send(input);
    }
}
