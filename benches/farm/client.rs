//! One connection to a pretend server: its name, its subscriptions, its transaction, and the commands of Sentinels.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use tokio::net::TcpStream;

use super::frame;
use super::worker::{Farm, Place};

/// One connection.
pub struct Client {
    pub number: u64,
    pub stream: TcpStream,
    name: RefCell<String>,
    channels: RefCell<Vec<Vec<u8>>>,
    /// The commands since MULTI.
    queue: RefCell<Option<Vec<Vec<Vec<u8>>>>>,
    subscribed: Cell<bool>,
}

/// What a command does beyond its answer.
pub enum Order {
    /// `SLAVEOF`.
    Follow(Option<(String, u16)>),
    /// `CLIENT KILL TYPE pubsub` or `… normal`; never the one who asks.
    KillClients { subscribed: bool },
}

impl Client {
    /// A connection just accepted.
    pub fn new(number: u64, stream: TcpStream) -> Client {
        let (name, channels, queue) = (RefCell::new("-".to_owned()), RefCell::default(), RefCell::default());
        Client { number, stream, name, channels, queue, subscribed: Cell::new(false) }
    }

    /// The name given by `CLIENT SETNAME`.
    pub fn name(&self) -> String {
        self.name.borrow().clone()
    }

    /// Whether it has subscribed to anything.
    pub fn is_subscribed(&self) -> bool {
        self.subscribed.get()
    }

    /// Whether it has subscribed to this channel.
    pub fn hears(&self, channel: &[u8]) -> bool {
        self.channels.borrow().iter().any(|known| known == channel)
    }

    /// Answers a command; what is left to do is returned.
    pub fn perform(&self, words: &[&[u8]], farm: &mut Farm, place: Place, out: &mut Vec<u8>) -> Vec<Order> {
        let upper: Vec<Vec<u8>> = words.iter().take(3).map(|word| word.to_ascii_uppercase()).collect();
        let word = |index: usize| upper.get(index).map_or(&b""[..], Vec::as_slice);
        if let Some(queue) = self.queue.borrow_mut().as_mut().filter(|_| word(0) != b"EXEC") {
            queue.push(words.iter().map(|word| word.to_vec()).collect());
            out.extend_from_slice(b"+QUEUED\r\n");
            return Vec::new();
        }
        let mut order = None;
        match (word(0), word(1), word(2)) {
            (b"PING", ..) => out.extend_from_slice(b"+PONG\r\n"),
            (b"INFO", ..) => {
                let (group, now) = (&mut farm.groups[place.0], Instant::now());
                group.settle(now);
                frame::bulk(out, group.info(place.1, now).as_bytes());
            }
            (b"PUBLISH", ..) if words.len() == 3 => {
                let hearers = farm.publish(place, words[1], words[2]);
                frame::integer(out, hearers);
            }
            (b"SUBSCRIBE", ..) => self.subscribe(&words[1..], out),
            (b"MULTI", ..) => {
                *self.queue.borrow_mut() = Some(Vec::new());
                out.extend_from_slice(b"+OK\r\n");
            }
            (b"EXEC", ..) => return self.execute(farm, place, out),
            (b"SLAVEOF" | b"REPLICAOF", b"NO", b"ONE") => {
                order = Some(Order::Follow(None));
                out.extend_from_slice(b"+OK\r\n");
            }
            (b"SLAVEOF" | b"REPLICAOF", host, port) => match String::from_utf8_lossy(port).parse() {
                Ok(port) => {
                    order = Some(Order::Follow(Some((String::from_utf8_lossy(host).to_lowercase(), port))));
                    out.extend_from_slice(b"+OK\r\n");
                }
                Err(_) => out.extend_from_slice(b"-ERR Invalid master port\r\n"),
            },
            (b"CLIENT", b"KILL", b"TYPE") => {
                let subscribed = words.get(3).is_some_and(|kind| kind.eq_ignore_ascii_case(b"pubsub"));
                order = Some(Order::KillClients { subscribed });
                frame::integer(out, 0);
            }
            (b"CLIENT", b"SETNAME", _) if words.len() == 3 => {
                *self.name.borrow_mut() = String::from_utf8_lossy(words[2]).into_owned();
                out.extend_from_slice(b"+OK\r\n");
            }
            (b"SCRIPT", b"KILL", _) => {
                out.extend_from_slice(b"-NOTBUSY No scripts in execution right now.\r\n")
            }
            (b"AUTH", ..) | (b"CONFIG", b"REWRITE", _) => out.extend_from_slice(b"+OK\r\n"),
            _ => {
                let name = String::from_utf8_lossy(words.first().copied().unwrap_or_default());
                out.extend_from_slice(format!("-ERR unknown command '{name}'\r\n").as_bytes());
            }
        }
        order.into_iter().collect()
    }

    fn execute(&self, farm: &mut Farm, place: Place, out: &mut Vec<u8>) -> Vec<Order> {
        let Some(queue) = self.queue.borrow_mut().take() else {
            out.extend_from_slice(b"-ERR EXEC without MULTI\r\n");
            return Vec::new();
        };
        frame::head(out, queue.len());
        let perform = |words: &Vec<Vec<u8>>| {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            self.perform(&words, farm, place, out)
        };
        queue.iter().flat_map(perform).collect()
    }

    fn subscribe(&self, names: &[&[u8]], out: &mut Vec<u8>) {
        for name in names {
            let mut channels = self.channels.borrow_mut();
            if !channels.iter().any(|known| known == name) {
                channels.push(name.to_vec());
            }
            frame::head(out, 3);
            frame::bulk(out, b"subscribe");
            frame::bulk(out, name);
            frame::integer(out, channels.len());
        }
        self.subscribed.set(!self.channels.borrow().is_empty());
    }
}
