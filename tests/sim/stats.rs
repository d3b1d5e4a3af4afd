//! What happened in runs, counted.

use std::collections::BTreeMap;
use std::fmt;

/// Trouble that nobody chose: it came of other trouble.
#[derive(Clone, Debug, Default)]
pub struct Byways {
    pub lost_packets: u64,
    pub half_open: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub runs: u64,
    pub seconds: u64,
    pub turns: u64,
    pub elections: u64,
    pub elected: u64,
    pub promotions: u64,
    pub switches: u64,
    pub votes: u64,
    pub starts: u64,
    pub crashes: u64,
    pub saves: u64,
    pub faults: Byways,
    /// By the name of the kind of trouble.
    pub strikes: BTreeMap<&'static str, u64>,
}

impl Stats {
    pub fn add(&mut self, other: &Stats) {
        self.runs += other.runs;
        self.seconds += other.seconds;
        self.turns += other.turns;
        self.elections += other.elections;
        self.elected += other.elected;
        self.promotions += other.promotions;
        self.switches += other.switches;
        self.votes += other.votes;
        self.starts += other.starts;
        self.crashes += other.crashes;
        self.saves += other.saves;
        self.faults.lost_packets += other.faults.lost_packets;
        self.faults.half_open += other.faults.half_open;
        for (name, count) in &other.strikes {
            *self.strikes.entry(name).or_default() += count;
        }
    }

    /// Counts what a Sentinel said.
    pub fn count_notice(&mut self, name: &str) {
        match name {
            "+try-failover" => self.elections += 1,
            "+elected-leader" => self.elected += 1,
            "+promoted-slave" => self.promotions += 1,
            "+switch-master" => self.switches += 1,
            _ => {}
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds, {:.1} simulated hours, {} turns: ",
            self.runs,
            self.seconds as f64 / 3600.0,
            self.turns
        )?;
        write!(f, "{} elections, {} won, {} promotions, ", self.elections, self.elected, self.promotions)?;
        write!(f, "{} switches, {} votes told, {} saves, ", self.switches, self.votes, self.saves)?;
        write!(f, "{} starts, {} crashes, ", self.starts, self.crashes)?;
        write!(
            f,
            "{} packets sent again, {} ends left open",
            self.faults.lost_packets, self.faults.half_open
        )?;
        for (name, count) in &self.strikes {
            write!(f, ", {name} {count}")?;
        }
        Ok(())
    }
}
