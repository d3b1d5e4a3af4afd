//! The process that plays the servers of some groups: one thread, one task for each connection.
//!
//! It says on stdout, one line each, what the driver must know (`mod.rs` reads it), and takes orders on stdin. It ends with its stdin.
//!
//! A subscriber or client whose socket takes no more is cut off, as Redis cuts one off whose output buffer is over its limit; that is
//! said, since it would spoil a measurement.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, ErrorKind, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::client::{Client, Order};
use super::frame;
use super::group::Group;

/// Connections that may wait to be accepted: all Sentinels come at once.
const BACKLOG: u32 = 1024;

/// A server's place: the number of its group in this process, and its own in the group.
pub type Place = (usize, usize);

/// All servers of this process, with their connections.
pub struct Farm {
    pub groups: Vec<Group>,
    /// The number of the first group in the whole farm.
    first: usize,
    clients: HashMap<Place, HashMap<u64, Rc<Client>>>,
    listeners: HashMap<Place, JoinHandle<()>>,
    next_client: u64,
}

type Shared = Rc<RefCell<Farm>>;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Where a server of the farm is found: master 0, then the replicas, of each group. Groups have addresses of their own, since so many
/// connections to one address would run out of local ports.
pub fn address(group: usize, server: usize, port: u16) -> SocketAddrV4 {
    let (high, low) = (group / 250, group % 250);
    let octet = |n: usize| u8::try_from(n).expect("the farm's size is checked");
    SocketAddrV4::new(Ipv4Addr::new(127, octet(1 + server), octet(high), octet(1 + low)), port)
}

/// Plays `count` groups from number `first` on, each of a master and `replicas` replicas, all on one port.
pub fn run(first: usize, count: usize, replicas: usize, port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let now = Instant::now();
        let addresses = |group| (0..=replicas).map(|s| address(group, s, port)).collect::<Vec<_>>();
        let groups: Vec<Group> = (first..first + count).map(|g| Group::new(&addresses(g), now)).collect();
        let places: Vec<Place> = (0..count).flat_map(|g| (0..=replicas).map(move |s| (g, s))).collect();
        let (clients, listeners) = (HashMap::new(), HashMap::new());
        let farm = Rc::new(RefCell::new(Farm { groups, first, clients, listeners, next_client: 0 }));
        places.iter().for_each(|place| listen(&farm, *place));
        say("ready");
        let mut orders = orders();
        while let Some(line) = orders.recv().await {
            obey(&farm, &line).await;
        }
    });
}

/// The lines of stdin, read by a thread of their own.
fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn obey(farm: &Shared, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["kill-masters"] => {
            let started = micros();
            let (count, mute) = kill_masters(farm).await;
            say(&format!("killed {count} {started} {mute} {}", micros()));
        }
        ["revive"] => {
            let dead = farm.borrow().places(false);
            for place in &dead {
                farm.borrow_mut().groups[place.0].start(place.1, Instant::now());
                listen(farm, *place);
            }
            say(&format!("revived {}", dead.len()));
        }
        ["subscribers"] => {
            let farm = farm.borrow();
            let least = farm.living().iter().map(|p| farm.subscribers(*p).count()).min().unwrap_or(0);
            say(&format!("subscribers {least}"));
        }
        _ => say(&format!("problem no such order: {line}")),
    }
}

/// All masters die: none answers anything any more, then their connections break, then their ports refuse. Returns how many there were, and
/// when the last of them fell silent.
async fn kill_masters(farm: &Shared) -> (usize, u128) {
    let mut endings = Vec::new();
    let mute;
    {
        let mut farm = farm.borrow_mut();
        let mut masters = farm.living();
        masters.retain(|(group, server)| farm.groups[*group].servers[*server].master.is_none());
        masters.iter().for_each(|place| farm.groups[place.0].stop(place.1));
        // Nobody else runs here, and so answers, until the end of this block.
        mute = micros();
        for place in masters {
            let ending = farm.listeners.remove(&place).expect("invariant: who lives listens");
            ending.abort();
            endings.push(ending);
            for client in farm.clients.remove(&place).unwrap_or_default().into_values() {
                client.cut();
            }
        }
    }
    let count = endings.len();
    for ending in endings {
        // Aborted: that is what it says.
        ending.await.ok();
    }
    (count, mute)
}

fn listen(farm: &Shared, place: Place) {
    let address = farm.borrow().groups[place.0].servers[place.1].address;
    let open = || -> std::io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address.into())?;
        socket.listen(BACKLOG)
    };
    let listener = match open() {
        Ok(listener) => listener,
        Err(error) => return say(&format!("problem can't listen on {address}: {error}")),
    };
    let shared = farm.clone();
    let task = spawn_local(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let client = shared.borrow_mut().admit(place, stream);
                    spawn_local(serve(shared.clone(), place, client));
                }
                Err(error) => say(&format!("problem {address} can't accept: {error}")),
            }
        }
    });
    farm.borrow_mut().listeners.insert(place, task);
}

async fn serve(farm: Shared, place: Place, client: Rc<Client>) {
    let mut rest: Vec<u8> = Vec::new();
    while client.stream.readable().await.is_ok() {
        // One for all: thousands of connections with a buffer each would not fit.
        let read = BUFFER.with_borrow_mut(|buffer| {
            let length = client.stream.try_read(buffer)?;
            rest.extend_from_slice(&buffer[..length]);
            Ok::<usize, std::io::Error>(length)
        });
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => break,
        }
        match answer(&farm, place, &client, &rest) {
            Some(used) if used == rest.len() => rest = Vec::new(),
            Some(used) => drop(rest.drain(..used)),
            None => break,
        }
    }
    if let Some(clients) = farm.borrow_mut().clients.get_mut(&place) {
        clients.remove(&client.number);
    }
}

/// Carries out the complete commands in a buffer; how many bytes they took, or `None` if the client is to go.
fn answer(farm: &Shared, place: Place, client: &Rc<Client>, input: &[u8]) -> Option<usize> {
    let mut farm = farm.borrow_mut();
    if !farm.is_alive(place) {
        return None;
    }
    let (mut used, mut out) = (0, Vec::new());
    loop {
        match frame::command(&input[used..]) {
            Ok(Some((words, length))) => {
                used += length;
                for order in client.perform(&words, &mut farm, place, &mut out) {
                    farm.carry_out(order, place, client);
                }
            }
            Ok(None) => break,
            Err(problem) => {
                say(&format!("problem {} sent: {problem}", client.name()));
                return None;
            }
        }
    }
    client.write(&out).then_some(used)
}

impl Farm {
    /// The places of all servers that run.
    fn living(&self) -> Vec<Place> {
        self.places(true)
    }

    fn places(&self, alive: bool) -> Vec<Place> {
        let of_group =
            |(g, group): (usize, &Group)| (0..group.servers.len()).map(|s| (g, s)).collect::<Vec<_>>();
        let mut places: Vec<Place> = self.groups.iter().enumerate().flat_map(of_group).collect();
        places.retain(|place| self.is_alive(*place) == alive);
        places
    }

    fn is_alive(&self, (group, server): Place) -> bool {
        self.groups[group].servers[server].alive
    }

    fn subscribers(&self, place: Place) -> impl Iterator<Item = &Rc<Client>> {
        self.clients.get(&place).into_iter().flat_map(HashMap::values).filter(|c| c.is_subscribed())
    }

    fn admit(&mut self, place: Place, stream: TcpStream) -> Rc<Client> {
        stream.set_nodelay(true).ok();
        self.next_client += 1;
        let client = Rc::new(Client::new(self.next_client, stream));
        self.clients.entry(place).or_default().insert(client.number, client.clone());
        client
    }

    /// A message goes to the subscribers of a server and of those that replicate from it; how many of its own got it.
    pub fn publish(&mut self, place: Place, channel: &[u8], message: &[u8]) -> usize {
        let group = &mut self.groups[place.0];
        group.settle(Instant::now());
        group.replicate(place.1, channel.len() + message.len());
        let followers = group.followers(place.1);
        let mut text = Vec::new();
        frame::bulks(&mut text, &[b"message", channel, message]);
        let deliver = |to: Place| {
            let hearers: Vec<_> = self.subscribers(to).filter(|client| client.hears(channel)).collect();
            for hearer in &hearers {
                hearer.write(&text);
            }
            hearers.len()
        };
        for follower in followers {
            deliver((place.0, follower));
        }
        deliver(place)
    }

    fn carry_out(&mut self, order: Order, (group, server): Place, client: &Client) {
        match order {
            Order::Follow(master) => {
                let who = self.groups[group].servers[server].address;
                let changed = self.groups[group].follow(server, master.clone(), Instant::now());
                let (number, by, at) = (self.first + group, client.name(), micros());
                match master {
                    None => say(&format!("promoted {number} {who} {by} {at} {changed}")),
                    Some((host, port)) => say(&format!("follows {number} {who} {by} {at} {host}:{port}")),
                }
            }
            Order::KillClients { subscribed } => {
                for (number, other) in self.clients.get(&(group, server)).into_iter().flatten() {
                    if *number != client.number && other.is_subscribed() == subscribed {
                        other.cut();
                    }
                }
            }
        }
    }
}

impl Client {
    /// Breaks the connection; its task ends by that.
    pub fn cut(&self) {
        socket2::SockRef::from(&self.stream).shutdown(Shutdown::Both).ok();
    }

    /// Sends all of it, or gives the client up.
    fn write(&self, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        match self.stream.try_write(bytes) {
            Ok(length) if length == bytes.len() => true,
            Ok(_) => {
                say(&format!("problem {} reads too slowly and is cut off", self.name()));
                self.cut();
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                say(&format!("problem {} does not read and is cut off", self.name()));
                self.cut();
                false
            }
            Err(_) => false,
        }
    }
}

/// Microseconds since 1970: the clock that all processes, and all logs, share.
fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros())
}

fn say(line: &str) {
    // Nobody to tell: the driver has gone, and stdin will end too.
    writeln!(std::io::stdout().lock(), "{line}").ok();
}
