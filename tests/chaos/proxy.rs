//! A small TCP proxy on a machine that delays what passes, in both directions.
//!
//! The kernel's own means for that (`tc netem`) are not to be had everywhere. Bytes keep their order within a connection; an end is
//! passed on like bytes. It does not lose or change anything.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::net::Door;

/// Where the proxy of a port listens: as much above it.
const ABOVE: u16 = 10_000;

/// A running proxy; its connections are closed when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<thread::JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    delay: Duration,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens on a machine, for what is meant for `port`.
    pub fn start(door: Door, host: Ipv4Addr, port: u16, by_ms: u64) -> Proxy {
        let delay = Duration::from_millis(by_ms);
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), delay, open: Mutex::new(Vec::new()) });
        let (ready, is_ready) = channel();
        let ours = shared.clone();
        let acceptor = thread::spawn(move || {
            door.enter();
            let listener = TcpListener::bind((host, port + ABOVE)).expect("a port that nobody else uses");
            listener.set_nonblocking(true).expect("a socket's own mode");
            ready.send(()).ok();
            accept(&listener, (host, port), &ours);
        });
        is_ready.recv().expect("the proxy listens");
        Proxy { port: port + ABOVE, shared, acceptor: Some(acceptor) }
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
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

fn accept(listener: &TcpListener, target: (Ipv4Addr, u16), shared: &Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        // A server that is stopped or gone refuses, as it would without us.
        let Ok(far) = TcpStream::connect(target) else { continue };
        near.set_nonblocking(false).ok();
        join(near, far, shared);
    }
}

fn join(near: TcpStream, far: TcpStream, shared: &Arc<Shared>) {
    for (from, to) in [(&near, &far), (&far, &near)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        to.set_nodelay(true).ok();
        let (sender, receiver) = channel();
        let delay = shared.delay;
        thread::spawn(move || read(from, &sender, delay));
        thread::spawn(move || write(to, &receiver));
    }
    let mut open = shared.open.lock().expect("no holder panics");
    open.extend([near, far]);
}

fn read(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) | Err(_) => Vec::new(),
            Ok(count) => buffer[..count].to_vec(),
        };
        let is_end = bytes.is_empty();
        if sender.send((Instant::now() + delay, bytes)).is_err() || is_end {
            return;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, bytes)) = receiver.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
