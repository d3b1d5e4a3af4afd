//! The end: signals and the SHUTDOWN command, and the order in which things are taken down (spec 1 §6.7).

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::SigSet;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::warn;

use super::logging;
use super::pidfile::PidFile;
use super::serving::{ExitRequest, Server};
use super::store::Store;
use super::supervision::Supervisor;
use super::tls::Tls;

/// How long the last changes may take to reach the disk.
const SAVE_PATIENCE: Duration = Duration::from_secs(1);

/// Holds the signals that mean something to us back until [`Signals::catch`]: from here on an end has to be a clean one.
pub fn hold_signals() {
    // Fails for a signal that does not exist only.
    let _ = ours().thread_block();
}

/// Lets the calling thread receive them: a script inherits what its starter holds back.
pub fn release_signals() {
    // See `hold_signals`.
    let _ = ours().thread_unblock();
}

fn ours() -> SigSet {
    use nix::sys::signal::Signal::{SIGALRM, SIGHUP, SIGINT, SIGTERM};
    SigSet::from_iter([SIGTERM, SIGINT, SIGHUP, SIGALRM])
}

/// The signals that mean something to us, caught from the moment this exists.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Caught and dropped. Differs: the reference ignores them, which its scripts inherit; that needs unsafe code.
    _ignored: Signal,
}

impl Signals {
    /// Starts to catch, beginning with what was held back. Needs a runtime.
    pub fn catch() -> std::io::Result<Self> {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _ignored: signal(SignalKind::alarm())?,
        };
        release_signals();
        Ok(signals)
    }

    /// Waits until a signal or a client asks for the end. Meanwhile SIGHUP has certificates read again.
    pub async fn wait(
        &mut self,
        requests: &mut mpsc::UnboundedReceiver<ExitRequest>,
        tls: Option<&Arc<Tls>>,
    ) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => logging::signal("Received SIGTERM scheduling shutdown..."),
                _ = self.interrupt.recv() => logging::signal("Received SIGINT scheduling shutdown..."),
                Some(ExitRequest::Shutdown) = requests.recv() => {}
                // Differs: the reference ignores it.
                Some(()) = self.hang_up.recv() => {
                    tls.into_iter().for_each(Tls::reread_soon);
                    continue;
                }
            }
            return;
        }
    }

    /// Waits for one more SIGINT.
    pub async fn insist(&mut self) {
        self.interrupt.recv().await;
        logging::signal("You insist... exiting now.");
    }
}

/// What has to be taken down.
pub struct Running {
    /// Who wants to be told.
    pub supervisor: Supervisor,
    /// The pid file.
    pub pid_file: Option<PidFile>,
    /// Clients and listeners.
    pub server: Server,
    /// Changes on their way to the disk.
    pub store: Arc<Store>,
}

impl Running {
    /// Takes everything down. The engine goes on meanwhile: an answer that waits for the disk may still leave.
    pub async fn shut_down(self) {
        warn!("User requested shutdown...");
        self.supervisor.stopping();
        self.store.stop(SAVE_PATIENCE).await;
        if let Some(file) = &self.pid_file {
            file.remove();
        }
        self.server.close();
        warn!("Sentinel is now ready to exit, bye bye...");
    }
}
