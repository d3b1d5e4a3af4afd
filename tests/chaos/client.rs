//! Clients that read and write all the time, and remember what they were promised.
//!
//! Each finds the master as real clients do: it asks one Sentinel after the other, connects to what is named, and makes sure by ROLE. Every
//! write is a new key. It does not judge what became of its writes (history.rs does).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, named};
use super::net::Door;
use super::place::Places;
use crate::support::Client;

const PATIENCE: Duration = Duration::from_millis(400);
const BETWEEN_WRITES: Duration = Duration::from_millis(8);
/// Each so many writes, the client reads back the one before, and waits for the replicas to have them all.
const EACH: u64 = 10;

/// A write that a data node acknowledged.
#[derive(Clone, Debug)]
pub struct Write {
    pub writer: usize,
    pub number: u64,
    /// When it was sent, and when the answer was there.
    pub sent: Instant,
    pub acked: Instant,
    /// Who acknowledged it, and over which connection of this writer.
    pub node: usize,
    pub connection: u64,
    /// Whether every replica was heard (WAIT) to have it.
    pub is_everywhere: bool,
}

impl Write {
    pub fn key(&self) -> String {
        key(self.writer, self.number)
    }
}

fn key(writer: usize, number: u64) -> String {
    format!("w{writer}:{number}")
}

/// What one client remembers.
#[derive(Default)]
pub struct Memory {
    pub writes: Vec<Write>,
    pub refused: u64,
    pub reads: u64,
    /// Reads on the connection of the write before that did not find it: keys.
    pub missed: Vec<String>,
}

struct Shared {
    stop: AtomicBool,
    pause: AtomicBool,
    is_idle: Vec<AtomicBool>,
    memories: Vec<Mutex<Memory>>,
}

/// All writers of a fleet; they end when this is dropped.
pub struct Writers {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Writers {
    /// Starts one on each machine for clients.
    pub fn start(fleet: &Fleet) -> Writers {
        let count = super::fleet::CLIENTS;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            pause: AtomicBool::new(true),
            is_idle: (0..count).map(|_| AtomicBool::new(false)).collect(),
            memories: (0..count).map(|_| Mutex::default()).collect(),
        });
        let sentinels: Vec<usize> = (0..fleet.sentinels.len()).map(|i| fleet.sentinel_machine(i)).collect();
        let threads = (0..count).map(|i| {
            let (machine, places) = (fleet.client_machine(i), fleet.net.places);
            let door = fleet.net.door(machine);
            let (shared, sentinels, replicas) = (shared.clone(), sentinels.clone(), fleet.shape.replicas);
            let writer =
                Writer { id: i, number: 0, connection: 0, shared, sentinels, replicas, machine, places };
            thread::spawn(move || writer.run(door))
        });
        let threads = threads.collect();
        Writers { shared, threads }
    }

    /// Lets them write.
    pub fn go(&self) {
        self.shared.pause.store(false, Ordering::Relaxed);
    }

    /// Stops the writing and takes what they remember.
    pub fn rest(&self) -> Vec<Memory> {
        self.shared.pause.store(true, Ordering::Relaxed);
        let mut memories = Vec::new();
        for (idle, memory) in self.shared.is_idle.iter().zip(&self.shared.memories) {
            while !idle.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
            memories.push(std::mem::take(&mut *memory.lock().expect("no writer panics")));
        }
        memories
    }

    /// When a client was last told that a write is done, by any node but `old`, after an instant: the first such time.
    pub fn first_elsewhere(&self, old: usize, after: Instant) -> Option<Instant> {
        let firsts = self.shared.memories.iter().filter_map(|memory| {
            let memory = memory.lock().expect("no writer panics");
            memory.writes.iter().find(|w| w.node != old && w.sent > after).map(|w| w.acked)
        });
        firsts.min()
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

struct Writer {
    id: usize,
    number: u64,
    connection: u64,
    shared: Arc<Shared>,
    sentinels: Vec<usize>,
    replicas: usize,
    machine: usize,
    places: Places,
}

impl Writer {
    fn run(mut self, door: Door) {
        door.enter();
        let mut master: Option<(usize, Client)> = None;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let pause = self.shared.pause.load(Ordering::Relaxed);
            self.shared.is_idle[self.id].store(pause, Ordering::Relaxed);
            if pause {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            match master.take().or_else(|| self.find()) {
                Some((node, mut client)) => {
                    if self.write(node, &mut client).is_some() {
                        master = Some((node, client));
                    }
                    thread::sleep(BETWEEN_WRITES);
                }
                None => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Asks the Sentinels in turn, the one that helped before first.
    fn find(&mut self) -> Option<(usize, Client)> {
        let sentinel = self.sentinels[0];
        let found = self.ask(sentinel);
        if found.is_none() {
            self.sentinels.rotate_left(1);
        }
        found
    }

    fn ask(&mut self, sentinel: usize) -> Option<(usize, Client)> {
        let places = self.places;
        let node = named(&mut self.connect(sentinel, places.sentinel.public)?, places)?;
        let mut client = self.connect(node, places.data.public)?;
        let role = client.call(&["ROLE"]).ok()?;
        self.connection += 1;
        (role.items().first()?.text() == "master").then_some((node, client))
    }

    /// A connection that shows from which machine it comes.
    fn connect(&self, machine: usize, port: u16) -> Option<Client> {
        let from = self.places.address(self.machine);
        Client::connect_from(from, self.places.address(machine), port, PATIENCE).ok()
    }

    /// One write, and at times a read of the one before and the question who has it. `None` ends the connection.
    fn write(&mut self, node: usize, client: &mut Client) -> Option<()> {
        self.number += 1;
        let (number, sent) = (self.number, Instant::now());
        let answer = client.call(&["SET", &key(self.id, number), "written"]);
        let acked = Instant::now();
        let is_ok = answer.as_ref().is_ok_and(|value| value.text() == "OK");
        let memory = &self.shared.memories[self.id];
        if !is_ok {
            memory.lock().expect("no writer panics").refused += 1;
            return None;
        }
        let (writer, connection) = (self.id, self.connection);
        let write = Write { writer, number, sent, acked, node, connection, is_everywhere: false };
        memory.lock().expect("no writer panics").writes.push(write);
        if !number.is_multiple_of(EACH) {
            return Some(());
        }
        let before = key(self.id, number);
        let found = client.call(&["EXISTS", &before]).ok()?.text();
        let have = client.call(&["WAIT", &self.replicas.to_string(), "200"]).ok()?.text();
        let mut memory = memory.lock().expect("no writer panics");
        memory.reads += 1;
        if found != "1" {
            memory.missed.push(before);
        }
        if have == self.replicas.to_string()
            && let Some(write) = memory.writes.last_mut()
        {
            write.is_everywhere = true;
        }
        Some(())
    }
}
