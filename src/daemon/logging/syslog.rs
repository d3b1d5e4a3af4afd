//! Lines for syslog, as datagrams to the local daemon (spec 1 §7.4).
//!
//! The socket never blocks: a syslog daemon that is absent or slow costs lines, not time.

use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;

use tracing::Level;

/// The local daemon's socket.
const SOCKET: &str = "/dev/log";

/// A sender with its identity.
pub(super) struct Syslog {
    ident: String,
    facility: u8,
    with_pid: bool,
    /// Connected lazily, and again after a failure: the daemon may come later than we do, or restart.
    socket: Mutex<Option<UnixDatagram>>,
}

impl Syslog {
    /// A sender under this name and facility (`user`, `local0` … `local7`; anything else counts as `local0`, the default).
    pub(super) fn new(ident: &str, facility: &str, with_pid: bool) -> Self {
        Syslog {
            ident: ident.to_string(),
            facility: facility_code(facility),
            with_pid,
            socket: Mutex::new(None),
        }
    }

    /// Sends one message; lost if nobody takes it.
    pub(super) fn send(&self, level: &Level, message: &str) {
        let text = self.datagram(&chrono::Local::now().format("%b %e %T").to_string(), level, message);
        let mut slot = self.socket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in 0..2 {
            if slot.is_none() {
                *slot = connect().ok();
            }
            match &*slot {
                Some(socket) if socket.send(text.as_bytes()).is_ok() => return,
                _ => *slot = None,
            }
        }
    }

    fn datagram(&self, stamp: &str, level: &Level, message: &str) -> String {
        let severity = match *level {
            Level::TRACE => 7,
            Level::DEBUG => 6,
            Level::INFO => 5,
            _ => 4,
        };
        let priority = self.facility * 8 + severity;
        let ident = &self.ident;
        if self.with_pid {
            format!("<{priority}>{stamp} {ident}[{}]: {message}", std::process::id())
        } else {
            format!("<{priority}>{stamp} {ident}: {message}")
        }
    }
}

fn connect() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(SOCKET)?;
    Ok(socket)
}

fn facility_code(name: &str) -> u8 {
    let name = name.to_ascii_lowercase();
    if name == "user" {
        return 1;
    }
    let number =
        name.strip_prefix("local").and_then(|digit| digit.parse::<u8>().ok()).filter(|number| *number < 8);
    16 + number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_facility_and_severity() {
        let early = Syslog::new("redis-sentinel", "user", false);
        assert_eq!(
            early.datagram("Nov 22 07:00:55", &Level::WARN, "x"),
            "<12>Nov 22 07:00:55 redis-sentinel: x"
        );
        let late = Syslog::new("redis", "local0", true);
        let pid = std::process::id();
        assert_eq!(
            late.datagram("Nov 22 07:00:55", &Level::INFO, "x"),
            format!("<133>Nov 22 07:00:55 redis[{pid}]: x")
        );
        assert_eq!(facility_code("LOCAL7"), 23);
    }
}
