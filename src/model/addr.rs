//! The address of an instance: the host as it was given, the IP it last resolved to, and a port.
//!
//! Comparing addresses never resolves anything: an unresolved address is equal to another only by its name.

use std::fmt;
use std::net::IpAddr;

/// Where an instance can be reached (spec 2 §1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The host as configured, gossiped or reported: an IP literal or a name.
    pub host: String,
    /// The last good resolution of `host`.
    pub ip: Option<IpAddr>,
    /// The TCP port; 0 means "never connect".
    pub port: u16,
}

impl Address {
    /// An address from a host that may be a name; an IP literal counts as resolved at once.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        let ip = host.parse().ok();
        Address { host, ip, port }
    }

    /// True if both name the same endpoint: same port, and the same IP or, ignoring case, the same host (spec 2 §1.2).
    ///
    /// Differs: two unresolved addresses are not equal merely because their ports are; the reference compares their empty IPs.
    pub fn same_as(&self, other: &Address) -> bool {
        self.port == other.port
            && (self.host.eq_ignore_ascii_case(&other.host) || (self.ip.is_some() && self.ip == other.ip))
    }

    /// The host in the form other parties are shown: the name if `announce_hostnames`, else the IP, else (never resolved) the name.
    ///
    /// Differs: in the last case the reference shows, and saves, nothing.
    pub fn shown_host(&self, announce_hostnames: bool) -> String {
        match self.ip {
            Some(ip) if !announce_hostnames => ip.to_string(),
            _ => self.host.clone(),
        }
    }

    /// The `host:port` form that names replicas: IPv6 literals are bracketed (spec 2 §1.2).
    pub fn instance_name(&self, announce_hostnames: bool) -> String {
        let host = self.shown_host(announce_hostnames);
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shown_host(false), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_needs_the_port_and_a_shared_name_or_ip() {
        let ip = Address::new("127.0.0.1", 1);
        let mut name = Address::new("Localhost", 1);
        assert!(!ip.same_as(&name));
        assert!(name.same_as(&Address::new("localhost", 1)));
        assert!(!name.same_as(&Address::new("elsewhere", 1)), "two unresolved hosts are not equal by port");
        name.ip = ip.ip;
        assert!(ip.same_as(&name));
        assert!(!ip.same_as(&Address::new("127.0.0.1", 2)));
    }

    #[test]
    fn names_bracket_ipv6() {
        assert_eq!(Address::new("::1", 7).instance_name(false), "[::1]:7");
        assert_eq!(Address::new("db", 7).instance_name(true), "db:7");
    }
}
