//! Accepting clients: who gets in, and with which socket options (spec 1 §4.1, §4.3).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::connection::Connection;
use super::handle::Handle;
use super::listen::{Listeners, reason};
use super::shared::Shared;
use super::stats::count;
use crate::daemon::stream::Stream;
use crate::daemon::tls::Tls;
use crate::session::Session;

/// How long to wait before accepting again after a failure that concerns the process, like too many open files.
const BACK_OFF: Duration = Duration::from_millis(100);
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
/// Differs: the advice is in words of our own.
pub(super) const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the \
default user. In this mode connections are only accepted from the loopback interface. To connect from elsewhere, choose one: \
1) From the same host, turn it off with 'CONFIG SET protected-mode no' where that command exists. \
2) Write 'protected-mode no' into the configuration file and restart. \
3) For a trial, start with '--protected-mode no'. \
4) Give the default user a password. \
NOTE: any one of these is enough; do not do the first three where the internet can reach this port.\r\n";

/// Accepts on all sockets until everything is closed.
pub(super) async fn run(shared: Arc<Shared>, listeners: Listeners) {
    let mut tasks = JoinSet::new();
    let plain = listeners.tcp.into_iter().map(|listener| (listener, None));
    let (encrypted, tls) = listeners.tls.unzip();
    let encrypted = encrypted.into_iter().flatten().map(|listener| (listener, tls.clone()));
    for (listener, tls) in plain.chain(encrypted) {
        match TcpListener::from_std(listener) {
            Ok(listener) => drop(tasks.spawn(accept_tcp(shared.clone(), listener, tls))),
            Err(error) => warn!("Accepting client connection: {}", reason(&error)),
        }
    }
    if let Some((listener, path)) = listeners.unix {
        match UnixListener::from_std(listener) {
            Ok(listener) => drop(tasks.spawn(accept_unix(shared.clone(), listener, path))),
            Err(error) => warn!("Accepting client connection: {}", reason(&error)),
        }
    }
    shared.watch().await;
    // Dropping the tasks closes their sockets.
    tasks.shutdown().await;
}

async fn accept_tcp(shared: Arc<Shared>, listener: TcpListener, tls: Option<Arc<Tls>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                debug!("Accepted {}:{}", peer.ip(), peer.port());
                admit_tcp(&shared, stream, peer, tls.as_deref());
            }
            Err(error) => back_off(&error).await,
        }
    }
}

async fn accept_unix(shared: Arc<Shared>, listener: UnixListener, path: String) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                debug!("Accepted connection to {path}");
                let address = format!("{path}:0");
                admit(&shared, Stream::Unix(stream), address.clone(), address, true);
            }
            Err(error) => back_off(&error).await,
        }
    }
}

/// A client that gave up before it was accepted concerns nobody else.
async fn back_off(error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionAborted {
        return;
    }
    warn!("Accepting client connection: accept: {}", reason(error));
    tokio::time::sleep(BACK_OFF).await;
}

fn admit_tcp(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr, tls: Option<&Tls>) {
    // Sockets without these options work as well.
    let _ = stream.set_nodelay(true);
    let _ = keep_alive(&stream, shared.settings.tcp_keepalive);
    let local = stream.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
    let stream = match tls {
        None => Stream::Tcp(stream),
        Some(tls) => match tls.accept(stream) {
            Ok(stream) => Stream::Tls(Box::new(stream)),
            Err(error) => return warn!("Error accepting a client connection: {error}"),
        },
    };
    admit(shared, stream, peer.to_string(), local, is_loopback(peer.ip()));
}

fn keep_alive(stream: &TcpStream, idle: Duration) -> io::Result<()> {
    if idle.is_zero() {
        return Ok(());
    }
    let interval = (idle / 3).max(Duration::from_secs(1));
    SockRef::from(stream)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(3))
}

/// Compat: only these two addresses are local, not all of 127.0.0.0/8.
fn is_loopback(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || ip == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

fn admit(shared: &Arc<Shared>, mut stream: Stream, peer: String, local: String, is_local: bool) {
    let limit = usize::try_from(shared.settings.max_clients).unwrap_or(usize::MAX);
    if shared.registry.count() >= limit || stream.fd() >= shared.first_refused_descriptor {
        return refuse(shared, &mut stream, TOO_MANY);
    }
    count(&shared.stats.connections, 1);
    let is_tls = matches!(stream, Stream::Tls(_));
    if !is_tls && is_protected(shared, is_local) {
        return refuse(shared, &mut stream, PROTECTED);
    }
    let acl = shared.acl.load();
    let session = Session::new(shared.registry.next_id(), &acl);
    let is_unix = matches!(stream, Stream::Unix(_));
    let handle = Arc::new(Handle::new(&session, peer, local, stream.fd(), is_unix));
    shared.registry.add(handle.clone());
    let connection = Connection::new(shared.clone(), handle, stream, session);
    if is_tls {
        tokio::spawn(connection.run_after_handshake(is_local));
    } else {
        tokio::spawn(connection.run());
    }
}

/// True if protected mode keeps a client out.
pub(super) fn is_protected(shared: &Shared, is_local: bool) -> bool {
    shared.settings.protected_mode && !is_local && shared.acl.load().default_user().needs_no_password()
}

/// A new socket has room for a line; one that has not gets none. Nor does one whose handshake is still to come.
fn refuse(shared: &Shared, stream: &mut Stream, line: &[u8]) {
    if !matches!(stream, Stream::Tls(_)) {
        let _ = stream.try_write(line);
    }
    shared.stats.rejected.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_addresses_are_local() {
        for (text, local) in [("127.0.0.1", true), ("::1", true), ("127.0.0.2", false), ("10.0.0.1", false)] {
            assert_eq!(is_loopback(text.parse().expect("an address")), local, "{text}");
        }
    }
}
