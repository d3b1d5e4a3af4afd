//! Names to addresses, away from the engine: DNS may take seconds, and nobody but the asker should notice (spec 2 §12).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::inbox::Inbox;
use crate::engine::Input;

/// How many look-ups may be under way: each occupies a thread.
const PARALLEL: usize = 16;

/// Carries out `Action::Resolve`.
pub struct Resolver {
    runtime: Handle,
    inbox: Inbox,
    permits: Arc<Semaphore>,
}

impl Resolver {
    /// A resolver working on `runtime` and reporting to `inbox`.
    pub fn new(runtime: Handle, inbox: Inbox) -> Self {
        Resolver { runtime, inbox, permits: Arc::new(Semaphore::new(PARALLEL)) }
    }

    /// Looks a host up; `Input::Resolved` follows, exactly once.
    pub fn resolve(&self, host: String) {
        let inbox = self.inbox.clone();
        let permits = self.permits.clone();
        self.runtime.spawn(async move {
            let permit = permits.acquire().await;
            let ip = lookup(&host, 0).await.ok().map(|address| address.ip());
            drop(permit);
            inbox.complete(Input::Resolved(host, ip));
        });
    }
}

/// The first address of a host, as the reference takes it. An IP literal needs no look-up.
pub async fn lookup(host: &str, port: u16) -> io::Result<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let mut found = tokio::net::lookup_host((host, port)).await?;
    found.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "Name or service not known"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::inbox;

    #[tokio::test]
    async fn every_question_gets_one_answer() {
        let (inbox, mut outlet) = inbox::channel();
        let resolver = Resolver::new(Handle::current(), inbox);
        resolver.resolve("127.0.0.7".into());
        let expected = Input::Resolved("127.0.0.7".into(), Some(IpAddr::from([127, 0, 0, 7])));
        assert_eq!(outlet.completions.recv().await, Some(expected));
        resolver.resolve("no such host.invalid".into());
        let expected = Input::Resolved("no such host.invalid".into(), None);
        assert_eq!(outlet.completions.recv().await, Some(expected));
    }
}
