//! Opening a connection: name, source address, socket options, and a limit to how long all that may take.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpSocket;

use super::Common;
use crate::daemon::resolver::Names;
use crate::daemon::stream::Stream;
use crate::daemon::strerror::strerror;
use crate::engine::{Endpoints, Target};

/// The kernel may try for minutes; the engine usually gives up much earlier.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a handshake may take before the log says so: a server that expects plain text waits for the end of a line.
const HANDSHAKE_PATIENCE: Duration = Duration::from_millis(500);
/// How long a name may be looked up if its last address is known: a silent DNS server must not make a living master look dead.
/// Differs: the reference looks names up where it should watch, and waits for as long as that takes.
const NAME_PATIENCE: Duration = Duration::from_millis(500);

/// An open connection.
pub(super) struct Connected {
    pub stream: Stream,
    pub endpoints: Endpoints,
    /// Who is at the other end.
    pub server: SocketAddr,
}

/// Connects to a target. The error is a text for the log.
pub(super) async fn connect(target: &Target, common: &Common) -> Result<Connected, String> {
    match tokio::time::timeout(PATIENCE, try_connect(target, common)).await {
        Ok(Ok(link)) => Ok(link),
        Ok(Err(error)) => Err(plain_text(&error)),
        Err(_) => Err("Connection timed out".into()),
    }
}

/// The system's words, without what the library puts in front of those about names.
fn plain_text(error: &io::Error) -> String {
    let text = strerror(error);
    text.strip_prefix("failed to lookup address information: ").map(str::to_owned).unwrap_or(text)
}

async fn try_connect(target: &Target, common: &Common) -> io::Result<Connected> {
    let names = &common.names;
    let server = resolve(target, names).await?;
    let socket = if server.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if let Some(source) = common.source.as_deref() {
        socket.set_reuseaddr(true)?;
        socket.bind(names.lookup(source, 0).await?)?;
    }
    socket.set_nodelay(true)?;
    let stream = socket.connect(server).await?;
    let endpoints =
        Endpoints { local: plain(stream.local_addr()?.ip()), remote: plain(stream.peer_addr()?.ip()) };
    let stream = match &common.tls {
        None => Stream::Tcp(stream),
        Some(tls) => {
            let mut handshake = std::pin::pin!(tls.connect(stream, endpoints.remote));
            let shaken = match tokio::time::timeout(HANDSHAKE_PATIENCE, &mut handshake).await {
                Ok(shaken) => shaken,
                Err(_) => {
                    tls.complain(server, "no answer to the handshake. Is this a port for TLS?");
                    handshake.await
                }
            };
            Stream::Tls(Box::new(shaken.inspect_err(|error| common.note_failure(server, error))?))
        }
    };
    Ok(Connected { stream, endpoints, server })
}

/// The target's address; the last one that worked if the name can't be looked up now (spec 2 §3.5).
async fn resolve(target: &Target, names: &Names) -> io::Result<SocketAddr> {
    let Some(last_good) = target.ip else {
        return names.lookup(&target.host, target.port).await.inspect_err(|_| names.complain(&target.host));
    };
    let found = tokio::time::timeout(NAME_PATIENCE, names.lookup(&target.host, target.port)).await;
    Ok(found.ok().and_then(Result::ok).unwrap_or_else(|| {
        names.complain(&target.host);
        SocketAddr::new(last_good, target.port)
    }))
}

/// An IPv4 address in IPv6 clothes, undressed.
fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
