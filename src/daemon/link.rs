//! Outbound connections: one task each, which owns the socket and remembers what was asked, in order (spec 2 §3).
//!
//! Bytes become replies and gossip here, in parallel; what they mean is for the engine. A link has no patience and no memory of
//! its own: whatever goes wrong ends it with one report, and the engine decides about another attempt.
//!
//! Invariants: `Connected` comes first, `Disconnected` last and at most once; replies come in the order of the requests; an idle
//! link owns no buffer.

mod connect;
mod task;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::inbox::Inbox;
use super::resolver::Names;
use super::strerror::strerror;
use super::tls::{Tls, is_disagreement};
use crate::engine::{ConnId, Input, Tag, Target};
use crate::model::RunId;
use crate::wire::Request;

/// Requests that may wait for one link. Peers share a link over all masters, and a whole fleet may be asked about at once.
const QUEUE: usize = 32_768;

/// A request on its way to a link's task. Boxed in the queue, so that the queue of an idle link is small.
struct Outgoing {
    tag: Tag,
    request: Request,
    renamed: Option<Arc<str>>,
}

/// What every link's task needs.
#[derive(Clone)]
struct Common {
    inbox: Inbox,
    /// Our own id: our own gossip comes back to us and is told apart by it.
    own_id: RunId,
    /// `bind-source-addr`.
    source: Option<Arc<str>>,
    names: Names,
    /// Connections are encrypted.
    tls: Option<Arc<Tls>>,
}

impl Common {
    /// Has the operator told, if the other end is there but does not get on with our TLS.
    fn note_failure(&self, server: SocketAddr, error: &io::Error) {
        if let Some(tls) = &self.tls
            && is_disagreement(error)
        {
            tls.complain(server, &strerror(error));
        }
    }
}

/// All outbound connections; belongs to the driver.
pub struct Links {
    runtime: Handle,
    common: Common,
    open: HashMap<ConnId, Link>,
}

/// The driver's end of one connection. Dropping it ends the task, wherever it is.
struct Link {
    requests: mpsc::Sender<Box<Outgoing>>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Links {
    /// No links yet. Tasks run on `runtime` and report to `inbox`.
    pub fn new(
        runtime: Handle,
        inbox: Inbox,
        own_id: RunId,
        source: Option<&str>,
        names: Names,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        let common = Common { inbox, own_id, source: source.map(Arc::from), names, tls };
        Links { runtime, common, open: HashMap::new() }
    }

    /// Opens a connection; `Connected` or `Disconnected` follows.
    pub fn connect(&mut self, conn: ConnId, target: Target) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let task = self.runtime.spawn(task::run(self.common.clone(), conn, target, queue)).abort_handle();
        self.open.insert(conn, Link { requests, task });
    }

    /// Closes a connection, or gives up opening it. Nothing is reported.
    pub fn disconnect(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }

    /// Queues a request. A link that can't keep up is dead: it is dropped, and `Disconnected` follows.
    pub fn send(&mut self, conn: ConnId, tag: Tag, request: Request, renamed: Option<Arc<str>>) {
        let Some(link) = self.open.get(&conn) else { return };
        let outgoing = Box::new(Outgoing { tag, request, renamed });
        if let Err(mpsc::error::TrySendError::Full(_)) = link.requests.try_send(outgoing) {
            self.open.remove(&conn);
            self.common.inbox.complete(Input::Disconnected(conn, "too many requests are waiting".into()));
        }
    }

    /// Drops what is left of a link that reported its own end.
    pub fn forget(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }
}
