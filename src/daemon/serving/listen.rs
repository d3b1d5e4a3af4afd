//! Opening the sockets that clients connect to (spec 1 §6.5). Says itself, in the log, what went wrong.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use thiserror::Error;
use tracing::warn;

use crate::conf::ServerSettings;
use crate::daemon::tls::Tls;

/// A path must fit into the address of a Unix socket, its final zero included.
const MAX_UNIX_PATH: usize = 108;

/// Sockets that are bound and listening, with nobody accepting yet.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(super) tcp: Vec<TcpListener>,
    /// The same for TLS, and what connections there are made with.
    pub(super) tls: Option<(Vec<TcpListener>, Arc<Tls>)>,
    /// With its path, to remove it at the end.
    pub(super) unix: Option<(UnixListener, String)>,
}

/// Why we can't listen. It was logged already.
#[derive(Debug, Error)]
pub enum ListenError {
    /// An address can't be had.
    #[error("Failed listening on port {0} (TCP), aborting.")]
    Tcp(u16),
    /// The same for TLS.
    #[error("Failed listening on port {0} (TLS), aborting.")]
    Tls(u16),
    /// The Unix socket can't be had.
    #[error("Failed opening Unix socket: {0}")]
    Unix(String),
    /// The path is too long.
    #[error("Failed opening Unix socket: unix socket path too long ({0}), must be under {MAX_UNIX_PATH}")]
    UnixPathTooLong(usize),
    /// Neither a port nor a path.
    #[error("Configured to not listen anywhere, exiting.")]
    Nowhere,
}

/// Opens every socket of the configuration, or none.
pub fn bind(settings: &ServerSettings, tls: Option<Arc<Tls>>) -> Result<Listeners, ListenError> {
    open(settings, tls).inspect_err(|error| warn!("{error}"))
}

fn open(settings: &ServerSettings, tls: Option<Arc<Tls>>) -> Result<Listeners, ListenError> {
    let tcp = open_port(settings.port, settings, ListenError::Tcp)?;
    let mut listeners = Listeners { tcp, ..Listeners::default() };
    if let Some(tls) = tls {
        let sockets = open_port(settings.tls.port, settings, ListenError::Tls)?;
        listeners.tls = (!sockets.is_empty()).then_some((sockets, tls));
    }
    if let Some(path) = settings.unix_socket.as_ref().filter(|path| !path.is_empty()) {
        listeners.unix = Some((open_unix(path, settings)?, path.clone()));
    }
    if listeners.tcp.is_empty() && listeners.tls.is_none() && listeners.unix.is_none() {
        return Err(ListenError::Nowhere);
    }
    Ok(listeners)
}

/// The sockets of a port, on all addresses; none for port 0.
fn open_port(
    port: u16,
    settings: &ServerSettings,
    failed: fn(u16) -> ListenError,
) -> Result<Vec<TcpListener>, ListenError> {
    let words = settings.bind.iter().filter(|word| port != 0 && !word.is_empty());
    let mut sockets = Vec::new();
    for word in words {
        sockets.extend(open_word(word, port, settings.tcp_backlog).map_err(|()| failed(port))?);
    }
    for socket in sockets.iter().filter(|_| settings.socket_mark > 0) {
        // It takes a privilege that most do not have; the reference goes on without, too.
        let _ = SockRef::from(socket).set_mark(settings.socket_mark);
    }
    Ok(sockets)
}

/// The socket for one word of `bind`; none if the word allows for that. What went wrong was logged.
fn open_word(word: &str, port: u16, backlog: u32) -> Result<Option<TcpListener>, ()> {
    let (optional, address) = word.strip_prefix('-').map_or((false, word), |address| (true, address));
    match open_tcp(address, port, backlog) {
        Ok(listener) => Ok(Some(listener)),
        Err(failure) => {
            let reason = &failure.text;
            warn!("Warning: Could not create server TCP listening socket {address}:{port}: {reason}");
            let missing = optional && failure.errno == Some(Errno::EADDRNOTAVAIL);
            if missing || failure.errno.is_some_and(is_unsupported) {
                return Ok(None);
            }
            Err(())
        }
    }
}

fn is_unsupported(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOPROTOOPT
            | Errno::EPROTONOSUPPORT
            | Errno::ESOCKTNOSUPPORT
            | Errno::EPFNOSUPPORT
            | Errno::EAFNOSUPPORT
    )
}

struct Failure {
    errno: Option<Errno>,
    text: String,
}

impl Failure {
    fn of(step: &'static str) -> impl Fn(io::Error) -> Failure {
        move |error| Failure {
            errno: error.raw_os_error().map(Errno::from_raw),
            text: format!("{step}: {}", reason(&error)),
        }
    }
}

fn open_tcp(address: &str, port: u16, backlog: u32) -> Result<TcpListener, Failure> {
    let mut failure = None;
    for address in resolve(address, port)? {
        match open_address(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(other) => failure = Some(other),
        }
    }
    Err(failure.unwrap_or_else(|| Failure { errno: None, text: "Name or service not known".to_owned() }))
}

/// A colon means IPv6, anything else IPv4; a name is looked up for that family only.
fn resolve(address: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let wants_v6 = address.contains(':');
    let fixed = match address {
        "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        "::*" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        other => other.parse().ok(),
    };
    if let Some(ip) = fixed {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let found = (address, port).to_socket_addrs().map_err(|error| {
        let text = reason(&error);
        Failure { errno: None, text: text.rsplit(": ").next().unwrap_or_default().to_owned() }
    })?;
    Ok(found.filter(|address| address.is_ipv6() == wants_v6).collect())
}

fn open_address(address: SocketAddr, backlog: u32) -> Result<TcpListener, Failure> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))
        .map_err(Failure::of("socket"))?;
    if address.is_ipv6() {
        socket.set_only_v6(true).map_err(Failure::of("setsockopt"))?;
    }
    socket.set_reuse_address(true).map_err(Failure::of("setsockopt SO_REUSEADDR"))?;
    socket.bind(&address.into()).map_err(Failure::of("bind"))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX)).map_err(Failure::of("listen"))?;
    Ok(socket.into())
}

fn open_unix(path: &str, settings: &ServerSettings) -> Result<UnixListener, ListenError> {
    if path.len() >= MAX_UNIX_PATH {
        return Err(ListenError::UnixPathTooLong(path.len()));
    }
    let failed =
        |step: &'static str| move |error: io::Error| ListenError::Unix(Failure::of(step)(error).text);
    // A socket left behind by an earlier process; if it is something else, bind will say so.
    let _ = std::fs::remove_file(path);
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::UNIX, kind, None).map_err(failed("socket"))?;
    let address = SockAddr::unix(path).map_err(failed("bind"))?;
    socket.bind(&address).map_err(failed("bind"))?;
    let backlog = i32::try_from(settings.tcp_backlog).unwrap_or(i32::MAX);
    socket.listen(backlog).map_err(failed("listen"))?;
    if let Some(mode) = settings.unix_socket_perm {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).map_err(failed("chmod"))?;
    }
    Ok(socket.into())
}

/// The text of an error as the system has it, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bind: &[&str], port: u16) -> ServerSettings {
        let bind = bind.iter().map(|word| (*word).to_owned()).collect();
        ServerSettings { bind, port, ..ServerSettings::default() }
    }

    fn taken() -> (TcpListener, u16) {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        (socket, port)
    }

    #[test]
    fn a_taken_port_is_an_error_and_an_absent_optional_address_is_not() {
        // No other test uses this address, and none can take the port there when it is free again.
        let socket = TcpListener::bind("127.9.8.7:0").expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        assert!(matches!(open(&settings(&["127.9.8.7"], port), None), Err(ListenError::Tcp(p)) if p == port));
        assert!(
            matches!(open(&settings(&["-127.9.8.7"], port), None), Err(ListenError::Tcp(_))),
            "not that kind of absence"
        );
        drop(socket);
        let listeners =
            open(&settings(&["127.9.8.7", "-203.0.113.1"], port), None).expect("one address is there");
        assert_eq!(listeners.tcp.len(), 1);
        assert!(matches!(open(&settings(&["203.0.113.1"], port), None), Err(ListenError::Tcp(_))));
        assert!(matches!(open(&settings(&["-203.0.113.1"], port), None), Err(ListenError::Nowhere)));
    }

    #[test]
    fn no_port_and_no_path_is_an_error() {
        assert!(matches!(open(&settings(&["127.0.0.1"], 0), None), Err(ListenError::Nowhere)));
        assert!(matches!(open(&settings(&[""], 1), None), Err(ListenError::Nowhere)));
    }

    #[test]
    fn reasons_are_those_of_the_system() {
        let (_socket, port) = taken();
        let failure = open_tcp("127.0.0.1", port, 1).expect_err("taken");
        assert_eq!(failure.text, "bind: Address already in use");
        let failure = open_tcp("203.0.113.1", port, 1).expect_err("not ours");
        assert_eq!(failure.text, "bind: Cannot assign requested address");
    }

    #[test]
    fn the_unix_socket_replaces_what_was_there_and_has_its_mode() {
        let folder = std::env::temp_dir().join(format!("sentineld-listen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("s").to_string_lossy().into_owned();
        std::fs::write(&path, "left behind").expect("a file");
        let unix = ServerSettings {
            unix_socket: Some(path.clone()),
            unix_socket_perm: Some(0o600),
            ..settings(&[], 0)
        };
        let listeners = open(&unix, None).expect("a path is enough");
        assert!(listeners.unix.is_some());
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&folder).expect("ours");
        let long = ServerSettings { unix_socket: Some("x".repeat(108)), ..settings(&[], 0) };
        assert!(matches!(open(&long, None), Err(ListenError::UnixPathTooLong(108))));
        let missing = ServerSettings { unix_socket: Some("/nonexistent/s".into()), ..settings(&[], 0) };
        let error = open(&missing, None).expect_err("no such folder").to_string();
        assert_eq!(error, "Failed opening Unix socket: bind: No such file or directory");
    }
}
