//! Where the machines of a fleet are: addresses and ports, and back from an address to a machine.

use std::net::{IpAddr, Ipv4Addr};

use crate::support::port;

/// A port as others know it, and the one on which the process itself listens. They differ only if a proxy stands between.
#[derive(Clone, Copy)]
pub struct Port {
    pub public: u16,
    pub own: u16,
}

/// The addresses of a fleet.
#[derive(Clone, Copy)]
pub struct Places {
    base: [u8; 3],
    pub data: Port,
    pub sentinel: Port,
}

impl Places {
    /// On a network that nobody else sees.
    pub fn apart() -> Places {
        let port = |number| Port { public: number, own: number };
        Places { base: [10, 77, 0], data: port(6379), sentinel: port(26379) }
    }

    /// On loopback, beside others that run there.
    pub fn on_loopback() -> Places {
        let pair = || Port { public: port::reserve(), own: port::reserve() };
        let (data, sentinel) = (pair(), pair());
        // Ports are never given twice, so neither is an address with its port.
        Places { base: [127, 77, 0], data, sentinel }
    }

    /// The address of a machine.
    pub fn address(self, machine: usize) -> Ipv4Addr {
        let [a, b, c] = self.base;
        Ipv4Addr::new(a, b, c, u8::try_from(machine + 1).expect("a small network"))
    }

    /// The machine with an address.
    pub fn machine_of(self, address: IpAddr) -> Option<usize> {
        let IpAddr::V4(address) = address else { return None };
        let [base @ .., last] = address.octets();
        usize::from(last).checked_sub(1).filter(|_| base == self.base)
    }

    /// The machine with an address, as text.
    pub fn machine_at(self, text: &str) -> Option<usize> {
        self.machine_of(text.parse().ok()?)
    }
}
