//! TLS for clients (`tls-port`) and for what we connect to (`tls-replication`), spec 1 §4.2: the only place that knows rustls.
//!
//! Certificates, keys and CAs are read at the start, and again when that is asked for. Connections go on as they began; each new one
//! uses what was read last.
//!
//! Invariant: what could not be read never replaces what could.

mod certificate;
mod context;
mod fault;
mod files;
mod sessions;
mod stream;
mod suites;
mod trust;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::{ClientConnection, ServerConnection};
use tokio::net::TcpStream;
use tracing::{error, info, warn};

use crate::conf::TlsSettings;
use context::Contexts;
use fault::{Fault, Remark};

pub use fault::is_disagreement;
pub use stream::TlsStream;

/// How many servers are remembered for what was logged about them.
const MOST_COMPLAINTS: usize = 10_000;

/// Where each `tls-…` directive was set.
pub type Places = BTreeMap<&'static str, String>;

/// The TLS configuration was refused, for a reason that was logged.
#[derive(Debug)]
pub struct Refused;

/// See the module.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    places: Places,
    current: ArcSwap<Contexts>,
    /// Held while files are read again: two readers at once could end with what the slower one found earlier.
    reading: Mutex<()>,
    /// Somebody is about to read them.
    is_reader_waiting: AtomicBool,
    /// What was logged about a server, so that each attempt does not say it again.
    complaints: Mutex<HashMap<SocketAddr, String>>,
}

impl Tls {
    /// Reads everything that the settings name, and logs what is remarkable about it.
    ///
    /// # Errors
    /// A file or a value that can't be used; it was logged.
    pub fn configure(settings: &TlsSettings, places: Places) -> Result<Tls, Refused> {
        match context::build(settings) {
            Ok((contexts, remarks)) => {
                remarks.iter().for_each(|remark| warn!("{}", remark_line(&places, remark)));
                Ok(Tls {
                    settings: settings.clone(),
                    places,
                    current: ArcSwap::from_pointee(contexts),
                    reading: Mutex::default(),
                    is_reader_waiting: AtomicBool::new(false),
                    complaints: Mutex::default(),
                })
            }
            Err(fault) => {
                fault_lines(&places, &fault).iter().for_each(|line| error!("{line}"));
                error!("Failed to configure TLS. Check logs for more info.");
                Err(Refused)
            }
        }
    }

    /// Reads certificates, keys and CAs again, for connections to come. If anything is wrong with them, what is in use stays.
    /// Differs: the reference reads them only when it starts.
    pub fn reread(&self) {
        let _one_at_a_time = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_reader_waiting.store(false, Ordering::SeqCst);
        match context::build(&self.settings) {
            Ok((contexts, remarks)) => {
                remarks.iter().for_each(|remark| warn!("{}", remark_line(&self.places, remark)));
                self.current.store(Arc::new(contexts));
                info!("TLS certificates and keys were read again: new connections use them");
            }
            Err(fault) => {
                fault_lines(&self.places, &fault).iter().for_each(|line| warn!("{line}"));
                warn!("TLS certificates and keys stay as they were: the files can't be used");
            }
        }
    }

    /// The same on a thread of its own, since disks may be slow. What is asked for before it begins is answered by one reading.
    pub fn reread_soon(self: &Arc<Self>) {
        if self.is_reader_waiting.swap(true, Ordering::SeqCst) {
            return;
        }
        let tls = self.clone();
        let started = std::thread::Builder::new().name("certificates".into()).spawn(move || tls.reread());
        if let Err(error) = started {
            self.is_reader_waiting.store(false, Ordering::SeqCst);
            warn!("TLS certificates and keys can't be read again: {error}");
        }
    }

    /// The server's side of a new connection, with its handshake still to come.
    ///
    /// # Errors
    /// The library refuses its configuration.
    pub fn accept(&self, tcp: TcpStream) -> io::Result<TlsStream> {
        let session = ServerConnection::new(self.current.load().server.clone());
        Ok(TlsStream::new(tcp, session.map_err(|error| fault::broken(&error))?))
    }

    /// True if what we connect to speaks TLS.
    pub fn is_for_links(&self) -> bool {
        self.settings.replication
    }

    /// The client's side of a new connection, after its handshake.
    ///
    /// # Errors
    /// Those of the socket, and of the handshake ([`is_disagreement`]).
    pub async fn connect(&self, tcp: TcpStream, remote: IpAddr) -> io::Result<TlsStream> {
        let config = self.current.load().client.clone();
        let config =
            config.ok_or_else(|| io::Error::other("TLS is not configured for connections of ours"))?;
        // Compat: whoever has a certificate of the CA is believed, whatever its name.
        let session = ClientConnection::new(config, remote.into()).map_err(|error| fault::broken(&error))?;
        let mut stream = TlsStream::new(tcp, session);
        stream.handshake().await?;
        Ok(stream)
    }

    /// Logs why we do not get on with a server, once until that changes: otherwise a wrong certificate looks like a dead server.
    pub fn complain(&self, server: SocketAddr, reason: &str) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() >= MOST_COMPLAINTS {
            complaints.clear();
        }
        if complaints.insert(server, reason.to_owned()).as_deref() != Some(reason) {
            warn!("TLS connection to {server} failed: {reason}");
        }
    }

    /// It talks to us.
    pub fn is_well(&self, server: SocketAddr) {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).remove(&server);
    }
}

/// The reference's line, and ours that says where and what was expected.
fn fault_lines(places: &Places, fault: &Fault) -> [String; 2] {
    let expected = match places.get(fault.directive) {
        Some(place) => format!("{place}: expected {}.", fault.expected),
        None => format!("Expected {}.", fault.expected),
    };
    [fault.message.clone(), expected]
}

fn remark_line(places: &Places, remark: &Remark) -> String {
    let at = places.get(remark.directive).map(|place| format!("{place}: ")).unwrap_or_default();
    format!("{at}`{}`: {}.", remark.directive, remark.text)
}
