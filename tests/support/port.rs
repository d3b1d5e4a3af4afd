//! Free TCP ports on loopback that stay ours.
//!
//! A port is taken below the range from which the kernel picks local ports of outgoing connections, so that a
//! killed server can always be started again on it. The reservation is a UDP socket bound to the same number: it
//! never stands in the way of the TCP listener, excludes other test processes, and vanishes with this process.

use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Mutex;

const FIRST: u16 = 14_000;
const COUNT: u32 = 18_000;

static TAKEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// Reserves a port on which nothing listens, on any address.
pub fn reserve() -> u16 {
    let mut taken = TAKEN.lock().expect("no test panics while it reserves a port");
    let start = std::process::id().wrapping_mul(7919).wrapping_add(taken.len() as u32 * 13);
    for step in 0..COUNT {
        let port = FIRST + (start.wrapping_add(step) % COUNT) as u16;
        let Ok(reservation) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
        if may_listen(port).is_ok() {
            taken.push(reservation);
            return port;
        }
    }
    panic!("no free port left on this machine");
}

/// Fails when something listens on `port`. The probe itself never listens: a child that another thread has just
/// forked holds a copy of it until its exec, and a copy that listened would take the port from whom it was
/// reserved for.
fn may_listen(port: u16) -> io::Result<()> {
    let probe = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    probe.set_reuse_address(true)?;
    probe.bind(&SockAddr::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))
}
