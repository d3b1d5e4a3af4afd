//! The hand-shake with systemd or upstart (spec 1 §6.4).
//!
//! The notification protocol is one datagram per message to the socket named by `NOTIFY_SOCKET`; no library is needed.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::sys::signal::{Signal, raise};
use tracing::{debug, warn};

use crate::conf::settings::Supervised;

/// Who turned out to supervise us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// Nobody.
    None,
    /// systemd: wants READY and STOPPING.
    Systemd,
    /// upstart: got its stop signal already.
    Upstart,
    /// Nobody, though the configuration names systemd: it is told all the same, should it come to listen.
    AbsentSystemd,
}

impl Supervisor {
    /// True if anybody supervises us: the process then stays in the foreground.
    pub fn is_some(self) -> bool {
        matches!(self, Supervisor::Systemd | Supervisor::Upstart)
    }

    /// Its name, as the directive spells it.
    pub fn name(self) -> &'static str {
        match self {
            Supervisor::None | Supervisor::AbsentSystemd => "no",
            Supervisor::Systemd => "systemd",
            Supervisor::Upstart => "upstart",
        }
    }

    /// True if systemd is told what happens.
    fn tells_systemd(self) -> bool {
        matches!(self, Supervisor::Systemd | Supervisor::AbsentSystemd)
    }

    /// Tells systemd that clients can be served.
    pub fn ready(self) {
        if self.tells_systemd() {
            notify("STATUS=Ready to accept connections\n");
            notify("READY=1\n");
        }
    }

    /// Tells systemd that the end has begun.
    pub fn stopping(self) {
        if self.tells_systemd() {
            notify("STOPPING=1\n");
        }
    }
}

/// Shakes hands with the supervisor asked for. Failing to is logged, and leaves the process unsupervised.
pub fn begin(wanted: Supervised) -> Supervisor {
    match detect(wanted) {
        Supervised::Upstart => begin_upstart(),
        Supervised::Systemd => begin_systemd(),
        Supervised::No | Supervised::Auto => Supervisor::None,
    }
}

/// Resolves `auto` by the environment.
fn detect(wanted: Supervised) -> Supervised {
    if wanted != Supervised::Auto {
        return wanted;
    }
    if std::env::var_os("UPSTART_JOB").is_some() {
        debug!("Upstart supervision detected.");
        Supervised::Upstart
    } else if std::env::var_os("NOTIFY_SOCKET").is_some() {
        debug!("Systemd supervision detected.");
        Supervised::Systemd
    } else {
        Supervised::No
    }
}

fn begin_upstart() -> Supervisor {
    if std::env::var_os("UPSTART_JOB").is_none() {
        warn!("upstart supervision requested, but UPSTART_JOB not found!");
        return Supervisor::None;
    }
    tracing::info!("supervised by upstart, will stop to signal readiness.");
    // Stopping oneself can't fail.
    let _ = raise(Signal::SIGSTOP);
    Supervisor::Upstart
}

fn begin_systemd() -> Supervisor {
    if !notify("STATUS=Redis is loading...\n") {
        return Supervisor::AbsentSystemd;
    }
    tracing::info!(
        "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec \
         in your service unit."
    );
    Supervisor::Systemd
}

/// Sends one message to `NOTIFY_SOCKET`. False, after a log line, if that failed.
fn notify(message: &str) -> bool {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
        warn!("systemd supervision error: NOTIFY_SOCKET not found!");
        return false;
    };
    match send(&path.into_vec(), message) {
        Ok(()) => true,
        Err(error) => {
            // Compat: a bare number, as sd_notify returns it.
            warn!("systemd supervision error: sd_notify: -{}", error.raw_os_error().unwrap_or(0));
            false
        }
    }
}

fn send(path: &[u8], message: &str) -> io::Result<()> {
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a timeout");
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn messages_reach_a_socket_in_the_file_system() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bind");
        send(path.as_os_str().as_bytes(), "READY=1\n").expect("sent");
        assert_eq!(receive(&socket), "READY=1\n");
    }

    #[test]
    fn messages_reach_an_abstract_socket() {
        let name = format!("sentineld-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("bind");
        send(format!("@{name}").as_bytes(), "STOPPING=1\n").expect("sent");
        assert_eq!(receive(&socket), "STOPPING=1\n");
    }

    #[test]
    fn a_missing_socket_is_an_error() {
        assert!(send(b"/nonexistent/notify", "READY=1\n").is_err());
    }
}
