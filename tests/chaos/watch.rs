//! The judge's eyes: whom each Sentinel names, what is said in hellos, and a trap that kills a Sentinel at the moment it says a word.
//!
//! Everything is noted with the instant at which it was heard. It judges nothing (rules.rs does).

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::fleet::{Fleet, NAME, named};
use super::place::Places;
use crate::support::Client;

const EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(500);

/// A Sentinel named a data node, or none since it did not answer.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    pub at: Instant,
    pub sentinel: usize,
    pub named: Option<usize>,
}

/// A hello said that a configuration epoch belongs to a data node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    pub from: String,
    pub config_epoch: u64,
    pub master: String,
}

/// A message of a Sentinel.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Instant,
    pub sentinel: usize,
    pub channel: String,
    pub payload: String,
}

#[derive(Default)]
struct Notes {
    namings: Vec<Naming>,
    hellos: Vec<Hello>,
    events: Vec<Event>,
    trap: Option<&'static str>,
    trapped: Option<usize>,
}

/// The threads that watch a fleet; they end when this is dropped.
pub struct Eyes {
    stop: Arc<AtomicBool>,
    notes: Arc<Mutex<Notes>>,
    pids: Arc<Vec<AtomicU32>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Eyes {
    /// Opens an eye on every Sentinel and data node.
    pub fn open(fleet: &Fleet) -> Eyes {
        let pids = fleet.sentinels.iter().map(|_| AtomicU32::new(0)).collect();
        let (stop, notes) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Notes::default())));
        let mut eyes = Eyes { stop, notes, pids: Arc::new(pids), threads: Vec::new() };
        for i in 0..fleet.sentinels.len() {
            let (places, machine) = (fleet.net.places, fleet.sentinel_machine(i));
            eyes.spawn(fleet, move |stop, notes, _| ask_all_the_time(stop, notes, places, (i, machine)));
            eyes.spawn(fleet, move |stop, notes, pids| listen(stop, notes, places, (i, machine), &pids[i]));
        }
        for i in 0..fleet.data.len() {
            let places = fleet.net.places;
            eyes.spawn(fleet, move |stop, notes, _| hear_hellos(stop, notes, places, i));
        }
        eyes
    }

    fn spawn(
        &mut self,
        fleet: &Fleet,
        watch: impl FnOnce(&AtomicBool, &Mutex<Notes>, &[AtomicU32]) + Send + 'static,
    ) {
        let (stop, notes, pids) = (self.stop.clone(), self.notes.clone(), self.pids.clone());
        let door = fleet.net.judge();
        self.threads.push(thread::spawn(move || {
            door.enter();
            watch(&stop, &notes, &pids);
        }));
    }

    /// The first Sentinel that publishes on `channel` from now on is killed at once.
    pub fn set_trap(&self, fleet: &Fleet, channel: &'static str) {
        for (pid, node) in self.pids.iter().zip(&fleet.sentinels) {
            pid.store(if node.is_up() { node.pid() } else { 0 }, Ordering::Relaxed);
        }
        let mut notes = self.notes.lock().expect("no eye panics");
        (notes.trap, notes.trapped) = (Some(channel), None);
    }

    /// Takes the trap away; the Sentinel that went into it, if any.
    pub fn take_trap(&self) -> Option<usize> {
        let mut notes = self.notes.lock().expect("no eye panics");
        notes.trap = None;
        notes.trapped.take()
    }

    /// What was noted since this was asked last.
    pub fn take(&self) -> (Vec<Naming>, Vec<Hello>, Vec<Event>) {
        let mut notes = self.notes.lock().expect("no eye panics");
        let notes = &mut *notes;
        (
            std::mem::take(&mut notes.namings),
            std::mem::take(&mut notes.hellos),
            std::mem::take(&mut notes.events),
        )
    }

    /// What was noted up to now, without taking it.
    pub fn namings(&self) -> Vec<Naming> {
        self.notes.lock().expect("no eye panics").namings.clone()
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// The node that more than half of `sentinels` name, at each change of it.
pub fn majorities(namings: &[Naming], sentinels: usize) -> Vec<(Instant, usize)> {
    let mut sorted = namings.to_vec();
    sorted.sort_by_key(|naming| naming.at);
    let mut current = vec![None; sentinels];
    let mut changes: Vec<(Instant, usize)> = Vec::new();
    for naming in sorted {
        // Who does not answer is not known to have changed its mind.
        let Some(node) = naming.named else { continue };
        current[naming.sentinel] = Some(node);
        let votes = current.iter().filter(|named| **named == Some(node)).count();
        if votes > sentinels / 2 && changes.last().is_none_or(|(_, last)| *last != node) {
            changes.push((naming.at, node));
        }
    }
    changes
}

fn ask_all_the_time(
    stop: &AtomicBool,
    notes: &Mutex<Notes>,
    places: Places,
    (sentinel, machine): (usize, usize),
) {
    let at = (places.address(machine), places.sentinel.own);
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        client = client.or_else(|| Client::connect_at(at.0, at.1, PATIENCE).ok());
        let answer = client.as_mut().and_then(|client| named(client, places));
        if answer.is_none() {
            client = None;
        }
        let naming = Naming { at: Instant::now(), sentinel, named: answer };
        notes.lock().expect("no eye panics").namings.push(naming);
        thread::sleep(EVERY);
    }
}

/// Calls `heard` with channel and payload of every message, over as many connections as it takes.
fn subscribe(
    stop: &AtomicBool,
    (host, port): (Ipv4Addr, u16),
    pattern: &str,
    mut heard: impl FnMut(&str, &str),
) {
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(EVERY);
        let Ok(mut client) = Client::connect_at(host, port, PATIENCE) else { continue };
        if client.call(&["PSUBSCRIBE", pattern]).is_err() {
            continue;
        }
        let mut silent = 0;
        while !stop.load(Ordering::Relaxed) && silent < 20 {
            match client.read() {
                Ok(message) => {
                    silent = 0;
                    if let [_, _, channel, payload] = &message.texts()[..] {
                        heard(channel, payload);
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => silent += 1,
                Err(_) => break,
            }
        }
    }
}

fn listen(
    stop: &AtomicBool,
    notes: &Mutex<Notes>,
    places: Places,
    (sentinel, machine): (usize, usize),
    pid: &AtomicU32,
) {
    subscribe(stop, (places.address(machine), places.sentinel.own), "*", |channel, payload| {
        let mut notes = notes.lock().expect("no eye panics");
        let victim = pid.load(Ordering::Relaxed);
        if notes.trap == Some(channel) && victim > 1 {
            // Our own child: it is not reaped before the trap is taken away, so the id is still its own.
            kill(Pid::from_raw(victim as i32), Signal::SIGKILL).ok();
            (notes.trap, notes.trapped) = (None, Some(sentinel));
        }
        let (channel, payload) = (channel.to_owned(), payload.to_owned());
        notes.events.push(Event { at: Instant::now(), sentinel, channel, payload });
    });
}

/// `ip,port,runid,epoch,name,master ip,master port,config epoch`
fn hear_hellos(stop: &AtomicBool, notes: &Mutex<Notes>, places: Places, machine: usize) {
    subscribe(stop, (places.address(machine), places.data.own), "__sentinel__:hello", |_, payload| {
        let words: Vec<&str> = payload.split(',').collect();
        let [_, _, from, _, name, host, port, epoch] = words[..] else { return };
        let Ok(config_epoch) = epoch.parse() else { return };
        if name != NAME {
            return;
        }
        let master =
            places.machine_at(host).map_or_else(|| format!("{host}:{port}"), |node| format!("data{node}"));
        let hello = Hello { from: from.to_owned(), config_epoch, master };
        let mut notes = notes.lock().expect("no eye panics");
        let known = |h: &Hello| {
            h.from == hello.from && h.config_epoch == epoch_of(&hello) && h.master == hello.master
        };
        if !notes.hellos.iter().rev().take(200).any(known) {
            notes.hellos.push(hello);
        }
    });
}

fn epoch_of(hello: &Hello) -> u64 {
    hello.config_epoch
}
