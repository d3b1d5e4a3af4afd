//! A small TCP proxy in front of one machine's port, which delays, holds or passes what goes through it.
//!
//! In namespaces it makes delay only: the kernel's own means for that (`tc netem`) are not to be had everywhere. On loopback it makes every fault of
//! the network: what is cut is held, as TCP would hold it, and a lost packet is one that comes later. Bytes keep their order within a
//! connection; an end is passed on like bytes. It does not change anything.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::net::Door;
use super::place::Places;

/// How long TCP takes to send again what was lost.
const AGAIN: Duration = Duration::from_millis(200);

/// What the proxies of a fleet do at the moment; shared by all.
#[derive(Default)]
pub struct Weather {
    /// From machine, to machine.
    cuts: Mutex<BTreeSet<(usize, usize)>>,
    /// In percent of what is read at once.
    lost: AtomicU64,
    dice: AtomicU64,
}

impl Weather {
    pub fn cut(&self, pairs: &[(usize, usize)]) {
        self.cuts.lock().expect("no proxy panics").extend(pairs);
    }

    pub fn lose(&self, percent: u32) {
        self.lost.store(percent.into(), Ordering::Relaxed);
    }

    pub fn heal(&self) {
        self.cuts.lock().expect("no proxy panics").clear();
        self.lost.store(0, Ordering::Relaxed);
    }

    fn is_cut(&self, way: Way) -> bool {
        way.is_some_and(|pair| self.cuts.lock().expect("no proxy panics").contains(&pair))
    }

    fn is_lost(&self) -> bool {
        let dice = self.dice.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        (dice ^ (dice >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9) % 100 < self.lost.load(Ordering::Relaxed)
    }
}

/// From which machine to which bytes go; `None` if one of them is none of ours.
type Way = Option<(usize, usize)>;

/// A running proxy; its connections are closed when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    acceptor: Option<thread::JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    delay_ms: AtomicU64,
    weather: Arc<Weather>,
    open: Mutex<Vec<TcpStream>>,
    places: Places,
    machine: usize,
}

impl Proxy {
    /// Listens on a machine's `port`, for what is meant for its port `target`.
    pub fn start(
        door: Door,
        places: Places,
        machine: usize,
        (port, target): (u16, u16),
        weather: Arc<Weather>,
    ) -> Proxy {
        let (stop, delay_ms, open) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { stop, delay_ms, weather, open, places, machine });
        let (ready, is_ready) = channel();
        let (ours, host) = (shared.clone(), places.address(machine));
        let acceptor = thread::spawn(move || {
            door.enter();
            let listener = TcpListener::bind((host, port)).expect("a port that nobody else uses");
            listener.set_nonblocking(true).expect("a socket's own mode");
            ready.send(()).ok();
            ours.accept(&listener, (host, target));
        });
        is_ready.recv().expect("the proxy listens");
        Proxy { shared, acceptor: Some(acceptor) }
    }

    /// From now on everything is so much later, each way.
    pub fn delay(&self, by_ms: u64) {
        self.shared.delay_ms.store(by_ms, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
        for stream in self.shared.open.lock().expect("no holder panics").iter() {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Shared>, listener: &TcpListener, target: (Ipv4Addr, u16)) {
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((near, from)) = listener.accept() else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            // A server that is stopped or gone refuses, as it would without us.
            let Ok(far) = TcpStream::connect(target) else { continue };
            near.set_nonblocking(false).ok();
            self.join(near, far, self.places.machine_of(from.ip()));
        }
    }

    fn join(self: &Arc<Shared>, near: TcpStream, far: TcpStream, client: Option<usize>) {
        let inwards = client.map(|client| (client, self.machine));
        let outwards = client.map(|client| (self.machine, client));
        for (from, to, way) in [(&near, &far, inwards), (&far, &near, outwards)] {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
            to.set_nodelay(true).ok();
            let (sender, receiver) = channel();
            let (reader, writer) = (self.clone(), self.clone());
            thread::spawn(move || reader.read(from, &sender));
            thread::spawn(move || writer.write(to, &receiver, way));
        }
        let mut open = self.open.lock().expect("no holder panics");
        open.extend([near, far]);
    }

    fn read(&self, mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let bytes = match from.read(&mut buffer) {
                Ok(0) | Err(_) => Vec::new(),
                Ok(count) => buffer[..count].to_vec(),
            };
            let lost = if self.weather.is_lost() { AGAIN } else { Duration::ZERO };
            let due = Instant::now() + lost + Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
            let is_end = bytes.is_empty();
            if sender.send((due, bytes)).is_err() || is_end {
                return;
            }
        }
    }

    fn write(&self, mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>, way: Way) {
        while let Ok((due, bytes)) = receiver.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            while self.weather.is_cut(way) && !self.stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            if bytes.is_empty() || to.write_all(&bytes).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both).ok();
    }
}
