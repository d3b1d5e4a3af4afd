//! Names to addresses, away from the engine: DNS may take seconds, and nobody but the asker should notice (spec 2 §12).

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::inbox::Inbox;
use crate::engine::Input;

/// How many look-ups may be under way: each occupies a thread.
pub const PARALLEL: usize = 16;
/// One complaint about a name in this time.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(1);

/// Looks names up for everybody; cheap to clone. Whoever gives up waiting for a turn leaves the queue.
#[derive(Clone)]
pub struct Names {
    permits: Arc<Semaphore>,
    complaints: Arc<Mutex<Complaints>>,
}

/// The names that were complained about since then.
struct Complaints {
    since: Instant,
    names: HashSet<String>,
}

impl Default for Names {
    fn default() -> Self {
        let complaints = Complaints { since: Instant::now(), names: HashSet::new() };
        Names { permits: Arc::new(Semaphore::new(PARALLEL)), complaints: Arc::new(Mutex::new(complaints)) }
    }
}

impl Names {
    /// The first address of a host, as the reference takes it. An IP literal needs no look-up.
    pub async fn lookup(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, port));
        }
        let permit = self.permits.clone().acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let look = move || {
            // Kept to the end of the look-up, which goes on even if nobody waits for it any longer.
            let _permit = permit;
            (host.as_str(), port).to_socket_addrs()?.next().ok_or_else(unknown)
        };
        tokio::task::spawn_blocking(look).await.map_err(io::Error::other)?
    }

    /// Logs that a name could not be looked up. As in the reference, about once a second and not for each connection that wants it.
    pub fn complain(&self, host: &str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.since.elapsed() >= COMPLAINT_PERIOD {
            *complaints = Complaints { since: Instant::now(), names: HashSet::new() };
        }
        if complaints.names.insert(host.to_owned()) {
            tracing::warn!("Failed to resolve hostname '{host}'");
        }
    }
}

fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "Name or service not known")
}

/// Carries out `Action::Resolve`.
pub struct Resolver {
    runtime: Handle,
    inbox: Inbox,
    names: Names,
}

impl Resolver {
    /// A resolver working on `runtime` and reporting to `inbox`.
    pub fn new(runtime: Handle, inbox: Inbox, names: Names) -> Self {
        Resolver { runtime, inbox, names }
    }

    /// Looks a host up; `Input::Resolved` follows, exactly once.
    pub fn resolve(&self, host: String) {
        let (inbox, names) = (self.inbox.clone(), self.names.clone());
        self.runtime.spawn(async move {
            let ip = names.lookup(&host, 0).await.ok().map(|address| address.ip());
            inbox.complete(Input::Resolved(host, ip));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::inbox;

    #[tokio::test]
    async fn every_question_gets_one_answer() {
        let (inbox, mut outlet) = inbox::channel();
        let resolver = Resolver::new(Handle::current(), inbox, Names::default());
        resolver.resolve("127.0.0.7".into());
        let expected = Input::Resolved("127.0.0.7".into(), Some(IpAddr::from([127, 0, 0, 7])));
        assert_eq!(outlet.completions.recv().await, Some(expected));
        resolver.resolve("no such host.invalid".into());
        let expected = Input::Resolved("no such host.invalid".into(), None);
        assert_eq!(outlet.completions.recv().await, Some(expected));
    }
}
