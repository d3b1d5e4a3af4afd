//! Serving clients: listening, one task per connection, and what the engine's driver hands out to them.
//!
//! The engine's thread calls [`Server::answer`] and [`Server::publish`], which put mail into a client's box and never wait. All reading,
//! writing, encoding and rendering happens in the clients' own tasks. Nothing about masters is decided here.
//!
//! Invariant: a client that does not read costs bounded memory: its input is no longer read, or its connection is closed.

mod accept;
mod acl_command;
mod acl_file;
mod backlog;
mod client_command;
mod client_kill;
mod connection;
mod execute;
mod facts;
mod handle;
mod handshake;
mod hub;
mod listen;
mod login;
mod pause;
mod registry;
mod shared;
mod stats;
mod subscribe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::inbox::Inbox;
use crate::acl::Acl;
use crate::conf::ServerSettings;
use crate::engine::{Level, Notice};
use crate::model::CommandId;
use crate::session::lookup::{Directory, Pulse};
use crate::wire::Answer;
use handle::Doom;
use shared::Shared;

pub use listen::{ListenError, Listeners, bind};

/// How long clients may take to receive the last they are sent when everything is closed.
const FAREWELL: Duration = Duration::from_millis(100);

/// Who we are, as INFO shows it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Absolute path of the configuration file.
    pub config_file: String,
    /// Absolute path of the program.
    pub executable: String,
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// When the process began.
    pub started: Instant,
    /// `no`, `systemd`, `upstart` or `unknown`.
    pub supervised: &'static str,
    /// The port clients use.
    pub my_port: u16,
}

/// A client wants the process to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitRequest {
    /// SHUTDOWN.
    Shutdown,
}

/// The serving side of the daemon; cheap to clone.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// A server that accepts nobody before [`Server::serve`].
    pub fn new(
        settings: &ServerSettings,
        identity: Identity,
        acl: Acl,
        inbox: Inbox,
        directory: Directory,
        pulse: Arc<Pulse>,
        exit: mpsc::UnboundedSender<ExitRequest>,
    ) -> Server {
        Server { shared: Arc::new(Shared::new(settings, identity, acl, (inbox, directory, pulse), exit)) }
    }

    /// Hands an answer of the engine to the client that is owed it, if it is still there. Never waits.
    pub fn answer(&self, id: CommandId, answer: Answer) {
        if let Some(client) = self.shared.registry.get(id.client) {
            client.answer(id.seq, answer);
        }
    }

    /// Sends a message to its subscribers; debug messages are not sent. Never waits: a subscriber that reads too slowly is dropped
    /// by `client-output-buffer-limit pubsub`.
    pub fn publish(&self, notice: &Notice) {
        if notice.level == Level::Debug {
            return;
        }
        let limit = self.shared.settings.output_limit_pubsub;
        let mut dropped = Vec::new();
        self.shared.hub.publish(notice.name, &notice.payload, |client, message| {
            dropped.extend(client.deliver(message, limit));
        });
        for client in dropped {
            warn!("Client {client} scheduled to be closed ASAP for overcoming of output buffer limits.");
        }
    }

    /// The users as `user` lines without that word, sorted by name: for the rewrite of the configuration.
    pub fn user_lines(&self) -> Vec<String> {
        let lines = self.shared.acl.load().lines();
        lines.into_iter().map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
    }

    /// Accepts and serves clients until [`Server::close`]. Needs a runtime with I/O and time.
    pub async fn serve(self, listeners: Listeners) {
        accept::run(self.shared, listeners).await;
    }

    /// Stops accepting and closes all clients; what is queued for them is sent if they take it within 100 ms, for which this waits.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
        self.shared.registry.all().iter().for_each(|client| client.doom(Doom::Flushed));
        if let Some(path) = self.shared.settings.unix_socket.as_ref().filter(|path| !path.is_empty()) {
            info!("Removing the unix socket file.");
            if let Err(error) = std::fs::remove_file(path) {
                warn!("Error removing the unix socket file: {}", listen::reason(&error));
            }
        }
        let until = Instant::now() + FAREWELL;
        while self.shared.registry.count() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
