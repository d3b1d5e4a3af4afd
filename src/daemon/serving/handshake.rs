//! The beginning of a client's connection by TLS.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::accept::{PROTECTED, is_protected};
use super::connection::{Connection, End};
use super::stats::count;

/// How long a handshake may take. Differs: the reference waits without end, unless `timeout` is set.
const PATIENCE: Duration = Duration::from_secs(10);

impl Connection {
    /// Goes through the handshake, and then turns the client away if it must be: only now can it be told. `None`: it may stay.
    pub async fn shake_hands(&mut self, is_local: bool) -> Option<End> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Nothing is lost when a handshake is interrupted: it goes on from where it was.
            tokio::select! {
                () = self.handle.mail_came() => {
                    if let Some(end) = self.read_mail() {
                        return Some(end);
                    }
                    if self.is_closing() {
                        return Some(End::Wanted);
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    return Some(End::HandshakeFailed(io::Error::other("the TLS handshake took too long")));
                }
                done = self.stream.handshake() => match done {
                    Ok(()) => break,
                    Err(error) => return Some(End::HandshakeFailed(error)),
                },
            }
        }
        if is_protected(&self.shared, is_local) {
            // As in plain text: a new socket has room for a line.
            let _ = self.stream.try_write(PROTECTED);
            count(&self.shared.stats.rejected, 1);
            return Some(End::Wanted);
        }
        None
    }
}
