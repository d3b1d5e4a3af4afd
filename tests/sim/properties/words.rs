//! Reads the texts of events and commands, and finds a master in a file: what several properties need.
//!
//! Names of masters hold no blanks in the simulator. What can't be read is `None`, never a guess.

use std::net::{Ipv4Addr, SocketAddrV4};

use sentineld::conf::{MasterSettings, Settings};
use sentineld::model::Epoch;

/// An instance as an event names it (spec 2 §11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// `master`, `slave` or `sentinel`.
    pub kind: &'a str,
    /// Its own name: a master's, a replica's `ip:port`, a Sentinel's id.
    pub name: &'a str,
    /// Where it is.
    pub address: SocketAddrV4,
    /// The name of the master that it is, or belongs to.
    pub master: &'a str,
    /// Where that master is.
    pub master_address: SocketAddrV4,
}

/// `<kind> <name> <ip> <port> …` with, but for a master, `@ <master> <ip> <port> …`.
pub fn instance(payload: &str) -> Option<Named<'_>> {
    let mut words = payload.split(' ');
    let (kind, name) = (words.next()?, words.next()?);
    let own = address(words.next()?, words.next()?)?;
    let (master, master_address) = match kind {
        "master" => (name, own),
        "slave" | "sentinel" if words.next()? == "@" => {
            (words.next()?, address(words.next()?, words.next()?)?)
        }
        _ => return None,
    };
    Some(Named { kind, name, address: own, master, master_address })
}

/// `<master> <old ip> <old port> <new ip> <new port>`, of `+switch-master`.
pub fn switch(payload: &str) -> Option<(&str, SocketAddrV4, SocketAddrV4)> {
    let mut words = payload.split(' ');
    let master = words.next()?;
    Some((master, address(words.next()?, words.next()?)?, address(words.next()?, words.next()?)?))
}

/// `<run id> <epoch>`, of `+vote-for-leader`.
pub fn vote(payload: &str) -> Option<(&str, Epoch)> {
    let (leader, epoch) = payload.split_once(' ')?;
    Some((leader, Epoch(epoch.trim().parse().ok()?)))
}

/// The words of an operator's command in capitals, without SENTINEL before them, and what it is about.
pub fn order(words: &[String]) -> (String, Option<&str>) {
    let mut words = words.iter().skip_while(|word| word.eq_ignore_ascii_case("sentinel"));
    let verb = words.next().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    (verb, words.next().map(String::as_str))
}

/// True if the order makes a Sentinel forget what it knew of a master: SENTINEL RESET with a pattern that matches it, REMOVE, MONITOR.
pub fn forgets(words: &[String], master: &str) -> bool {
    match order(words) {
        (verb, Some(pattern)) if verb == "RESET" => {
            sentineld::wire::glob::glob_matches(pattern.as_bytes(), master.as_bytes(), false)
        }
        (verb, Some(name)) if verb == "REMOVE" || verb == "MONITOR" => name == master,
        _ => false,
    }
}

/// What an order sets an option of a master to: its name, and the number.
pub fn set<'a, T: std::str::FromStr>(words: &'a [String], option: &str) -> Option<(&'a str, T)> {
    let (verb, name) = order(words);
    let value = words.iter().skip_while(|word| !word.eq_ignore_ascii_case(option)).nth(1)?;
    Some((name.filter(|_| verb == "SET")?, value.parse().ok()?))
}

/// The same for down-after-milliseconds, in nanoseconds: it holds at once, however long the file takes to be written.
pub fn set_down_after(words: &[String]) -> Option<(&str, u64)> {
    set(words, "down-after-milliseconds").map(|(name, millis): (&str, u64)| (name, millis * 1_000_000))
}

/// The down-after of a master in a file, in nanoseconds.
pub fn down_after(disk: &Settings, name: &str) -> Option<u64> {
    master(disk, name).map(|master| u64::try_from(master.down_after.as_nanos()).unwrap_or(u64::MAX))
}

/// A master in a file, by name.
pub fn master<'a>(disk: &'a Settings, name: &str) -> Option<&'a MasterSettings> {
    disk.masters.iter().find(|master| master.name.as_str() == name)
}

/// Where a file says that a master is.
pub fn place(master: &MasterSettings) -> Option<SocketAddrV4> {
    Some(SocketAddrV4::new(master.host.parse().ok()?, master.port))
}

fn address(host: &str, port: &str) -> Option<SocketAddrV4> {
    Some(SocketAddrV4::new(host.parse::<Ipv4Addr>().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_read_as_events_write_them() {
        let replica = "slave 10.0.0.2:6379 10.0.0.2 6379 @ m 10.0.0.1 6379";
        let named = instance(replica).expect("a replica");
        assert_eq!((named.kind, named.master), ("slave", "m"));
        assert_eq!(named.address, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 6379));
        assert_eq!(named.master_address.ip().octets(), [10, 0, 0, 1]);
        let master = instance("master m 10.0.0.1 6379 #quorum 2/2").expect("a master");
        assert_eq!((master.kind, master.name, master.master), ("master", "m", "m"));
        assert_eq!(instance("#tilt mode entered"), None);
    }

    #[test]
    fn orders_are_read_with_and_without_the_first_word() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(order(&words("SENTINEL failover m")), ("FAILOVER".to_owned(), Some("m")));
        assert_eq!(order(&words("ckquorum m")), ("CKQUORUM".to_owned(), Some("m")));
        assert!(forgets(&words("SENTINEL RESET *"), "m") && !forgets(&words("reset n*"), "m"));
        assert!(forgets(&words("remove m"), "m") && !forgets(&words("set m quorum 2"), "m"));
        let set = words("SENTINEL SET m quorum 2 Down-After-Milliseconds 90");
        assert_eq!(set_down_after(&set), Some(("m", 90_000_000)));
        assert_eq!(super::set(&set, "quorum"), Some(("m", 2)));
        assert_eq!(set_down_after(&words("config set down-after-milliseconds 90")), None);
    }
}
