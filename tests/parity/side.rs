//! One performance of a play on one stage: the connections to its Sentinel, the events it has heard, how far its log was read.

use std::collections::HashMap;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal as Posix;
use socket2::{Domain, Socket, Type};

use crate::mask::{Mask, Masker};
use crate::play::{Plan, Selection, Signal, Step};
use crate::reply;
use crate::stage::Stage;
use crate::support::{Kind, wait_for};

const LIMIT: Duration = Duration::from_secs(20);
const WAIT_S: u64 = 30;
/// How long a line of the log may take.
const LOG_DELAY: Duration = Duration::from_millis(150);
/// How long an echo may take.
const ECHO_LIMIT: Duration = Duration::from_secs(2);
/// Ends what is sent raw: its answer is recognised in whatever protocol is spoken.
const END: &str = "END-OF-PLAY";

/// A stage and what one has seen of it.
pub struct Side {
    stage: Stage,
    masker: Masker,
    connections: HashMap<String, BufReader<TcpStream>>,
    events: Arc<Mutex<Vec<String>>>,
    events_read: usize,
    log_read: usize,
    /// The run ids that were met before the last step.
    ids_before: HashMap<String, usize>,
    /// The connection on which events come, to ask whether all have come, and how often that was answered.
    listener: Option<TcpStream>,
    echoes: Arc<AtomicUsize>,
}

impl Side {
    pub fn new(plan: &Plan, ports: &[(String, u16)], kind: Kind) -> Side {
        let stage = Stage::build(plan, ports, kind);
        let masker = stage.masker();
        let mut side = Side {
            stage,
            masker,
            connections: HashMap::new(),
            events: Arc::default(),
            events_read: 0,
            log_read: 0,
            ids_before: HashMap::new(),
            listener: None,
            echoes: Arc::default(),
        };
        if !plan.unstarted {
            side.listen();
            side.pass_start(plan);
        }
        side
    }

    /// What is told of the start may have been told before anybody could listen.
    fn pass_start(&mut self, plan: &Plan) {
        let monitors = plan
            .lines
            .get("s")
            .is_some_and(|lines| lines.iter().any(|line| line.starts_with("sentinel monitor ")));
        let deadline = Instant::now() + ECHO_LIMIT;
        while monitors
            && !self.stage.sentinel().log_text().contains(" +monitor ")
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.hear_all();
        self.events.lock().expect("no reader panics").retain(|event| !event.starts_with("+monitor "));
    }

    /// Does one step, and gives what is to be compared. `again` forgets what was seen by the last one, which was the same.
    pub fn step(&mut self, step: &Step, masks: &[Mask], again: bool) -> Vec<String> {
        if again {
            self.masker.ids.clone_from(&self.ids_before);
        } else {
            self.ids_before.clone_from(&self.masker.ids);
        }
        let mut lines = match step {
            Step::Call { connection, words } => self.call(connection, words),
            Step::Raw(text) => self.raw(text),
            Step::Read { connection, count } => (0..*count).flat_map(|_| self.read(connection)).collect(),
            Step::Closed(connection) => vec![self.is_closed(connection)],
            Step::Rest(connection) => self.rest(connection),
            Step::Events(selection) => self.events_since(selection),
            Step::Log(selection) => self.log_since(selection),
            Step::Conf => self.stage.sentinel().conf_text().lines().map(str::to_owned).collect(),
            Step::Shell(command) => {
                self.stage.shell(command).iter().map(|line| without_stamp(line)).collect()
            }
            Step::Exit => {
                let status = self.stage.node_mut("s").wait_end(WAIT_S);
                vec![format!("{status}")]
            }
            other => {
                self.act(other);
                Vec::new()
            }
        };
        self.masker.hide(&mut lines, masks);
        if let Step::Events(selection) | Step::Log(selection) = step {
            if selection.sorted || selection.distinct {
                lines.sort();
            }
            if selection.distinct {
                lines.dedup();
            }
        }
        lines
    }

    /// A step of which nothing is compared.
    fn act(&mut self, step: &Step) {
        match step {
            Step::Drop(connection) => drop(self.connections.remove(connection)),
            Step::Send { connection, text } => {
                let bytes = reply::words(&self.stage.fill(text)).concat();
                // Whoever is closed already shows it at the next reading.
                let _ = self.connection(connection).get_mut().write_all(&bytes);
            }
            Step::Write { file, text } => {
                let bytes = reply::words(&self.stage.fill(text)).concat();
                std::fs::write(self.stage.world.path(file), bytes).expect("a file of the stage");
            }
            Step::Open { connection, from } => {
                let from = self.stage.fill(from).parse().expect("an address");
                let fresh = self.connect_from(from).expect("the Sentinel accepts connections");
                self.connections.insert(connection.clone(), fresh);
            }
            Step::Do { node, words } => {
                let words = self.stage.fill(words);
                let words: Vec<&str> = words.split_whitespace().collect();
                self.stage.node(node).call(&words);
            }
            Step::Process { what, node } => self.process(*what, node),
            Step::Spawn(node) => self.stage.node_mut(node).spawn(),
            Step::UntilShell { command, text, present } => {
                let text = self.stage.fill(text);
                wait_for(&format!("{command} to say {text:?}: {present}"), WAIT_S, || {
                    self.stage.shell(command).iter().any(|line| line.contains(&text)) == *present
                });
            }
            Step::Logged(text) => {
                let (text, read) = (self.stage.fill(text), self.log_read);
                wait_for(&format!("{text:?} in the log of {}", self.stage.host), WAIT_S, || {
                    self.stage.sentinel().log_text().lines().skip(read).any(|line| line.contains(&text))
                });
            }
            Step::Until { words, text, present } => self.until(words, text, *present),
            Step::Event { channel, text } => self.await_event(channel, text),
            Step::Forget => {
                self.hear_all();
                std::thread::sleep(LOG_DELAY);
                self.events_read = self.events.lock().expect("no reader panics").len();
                self.log_read = self.stage.sentinel().log_text().lines().count();
            }
            Step::Pause(time) => std::thread::sleep(*time),
            compared => unreachable!("{compared:?} is compared"),
        }
    }

    fn process(&mut self, what: Signal, name: &str) {
        let node = self.stage.node_mut(name);
        match what {
            Signal::Start => node.start(),
            Signal::Kill => node.kill9(),
            Signal::Term => node.signal(Posix::SIGTERM),
            Signal::Int => node.signal(Posix::SIGINT),
            Signal::Stop => node.freeze(),
            Signal::Cont => node.thaw(),
        }
        if matches!((what, name), (Signal::Start, "s")) {
            self.connections.clear();
            self.listen();
        }
    }

    fn connect(&self) -> Result<BufReader<TcpStream>, std::io::Error> {
        self.connect_from(Ipv4Addr::UNSPECIFIED)
    }

    fn connect_from(&self, from: Ipv4Addr) -> Result<BufReader<TcpStream>, std::io::Error> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect(&SocketAddr::from((self.stage.host, self.stage.sentinel().port)).into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(BufReader::new(stream))
    }

    fn connection(&mut self, name: &str) -> &mut BufReader<TcpStream> {
        if !self.connections.contains_key(name) {
            let fresh = self.connect().expect("the Sentinel accepts connections");
            self.connections.insert(name.to_owned(), fresh);
        }
        self.connections.get_mut(name).expect("just inserted")
    }

    fn call(&mut self, connection: &str, words: &str) -> Vec<String> {
        let frame = reply::frame(&reply::words(&self.stage.fill(words)));
        let stream = self.connection(connection);
        if let Err(error) = stream.get_mut().write_all(&frame) {
            return vec![format!("<not sent: {}>", error.kind())];
        }
        self.read(connection)
    }

    fn read(&mut self, connection: &str) -> Vec<String> {
        reply::read(self.connection(connection)).unwrap_or_else(|error| vec![broken(&error)])
    }

    fn is_closed(&mut self, connection: &str) -> String {
        match self.connection(connection).get_mut().read(&mut [0; 1]) {
            Ok(0) => "<closed>".to_owned(),
            Ok(_) => "<more to read>".to_owned(),
            Err(error) => broken(&error),
        }
    }

    /// Everything that still comes when nothing more will be sent.
    fn rest(&mut self, connection: &str) -> Vec<String> {
        let mut reader = self.connections.remove(connection).expect("an open connection");
        let _ = reader.get_ref().shutdown(Shutdown::Write);
        let mut all = Vec::new();
        match reader.read_to_end(&mut all) {
            Ok(_) => all.extend_from_slice(b"<closed>"),
            Err(error) => all.extend_from_slice(broken(&error).as_bytes()),
        }
        all.split(|byte| *byte == b'\n').map(reply::escape).collect()
    }

    /// Everything that comes until the connection closes or the end of the script is answered.
    fn raw(&mut self, text: &str) -> Vec<String> {
        let mut stream = self.connect().expect("the Sentinel accepts connections").into_inner();
        let mut bytes: Vec<u8> = reply::words(&self.stage.fill(text)).concat();
        bytes.extend_from_slice(format!("\r\n{END}\r\n").as_bytes());
        // A connection that is closed early refuses the rest.
        let _ = stream.write_all(&bytes);
        let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            // The end is near: the name of an unknown command, and what little an error says after it.
            if String::from_utf8_lossy(&all[all.len().saturating_sub(200)..]).contains(&format!("'{END}'")) {
                break;
            }
            match stream.read(&mut chunk) {
                Ok(0) => {
                    all.extend_from_slice(b"<closed>");
                    break;
                }
                Ok(read) => all.extend_from_slice(&chunk[..read]),
                Err(error) => {
                    all.extend_from_slice(broken(&error).as_bytes());
                    break;
                }
            }
        }
        all.split(|byte| *byte == b'\n').map(reply::escape).collect()
    }

    fn until(&mut self, words: &str, text: &str, present: bool) {
        let (frame, text) = (reply::frame(&reply::words(&self.stage.fill(words))), self.stage.fill(text));
        let what = format!(
            "{} to answer {words} with{} {text:?}",
            self.stage.host,
            if present { "" } else { "out" }
        );
        let mut last = Vec::new();
        let holds = || {
            let Ok(mut stream) = self.connect() else { return false };
            if stream.get_mut().write_all(&frame).is_err() {
                return false;
            }
            last = reply::read(&mut stream).unwrap_or_default();
            last.iter().any(|line| line.contains(&text)) == present && !last.is_empty()
        };
        if catch_unwind(AssertUnwindSafe(|| wait_for(&what, WAIT_S, holds))).is_err() {
            panic!("waited in vain for {what}; last answer:\n{}", last.join("\n"));
        }
    }

    /// Subscribes to everything that the Sentinel publishes, for as long as it lives.
    fn listen(&mut self) {
        let mut stream = self.connect().expect("the Sentinel accepts connections");
        stream.get_ref().set_read_timeout(None).expect("a socket");
        stream.get_mut().write_all(b"PSUBSCRIBE *\r\n").expect("a fresh connection takes bytes");
        reply::read(&mut stream).expect("a confirmation, or what forbids it");
        self.listener = stream.get_ref().try_clone().ok();
        let (events, echoes) = (Arc::clone(&self.events), Arc::clone(&self.echoes));
        std::thread::spawn(move || {
            while let Ok(message) = reply::read(&mut stream) {
                let strip = |line: &String| line.trim().trim_start_matches('$').trim_matches('"').to_owned();
                if let [_, _, _, channel, payload] = &message[..] {
                    let event = format!("{} {}", strip(channel), strip(payload));
                    events.lock().expect("no reader panics").push(event);
                } else {
                    echoes.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }

    /// Waits until all that was published so far has come: replies to a subscriber keep the order. A Sentinel that is stopped or dead
    /// publishes nothing more.
    fn hear_all(&mut self) {
        let (heard, deadline) = (self.echoes.load(Ordering::SeqCst), Instant::now() + ECHO_LIMIT);
        let Some(listener) = &mut self.listener else { return };
        if listener.write_all(b"PING\r\n").is_err() {
            return;
        }
        while self.echoes.load(Ordering::SeqCst) == heard && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn await_event(&mut self, channel: &str, text: &str) {
        let text = self.stage.fill(text);
        let matches = |event: &String| event.split(' ').next() == Some(channel) && event.contains(&text);
        let (events, read) = (Arc::clone(&self.events), self.events_read);
        wait_for(&format!("the event {channel} {text} from {}", self.stage.host), WAIT_S, || {
            events.lock().expect("no reader panics").iter().skip(read).any(matches)
        });
    }

    fn events_since(&mut self, selection: &Selection) -> Vec<String> {
        self.hear_all();
        let all = self.events.lock().expect("no reader panics").clone();
        let new = all[self.events_read..].to_vec();
        self.events_read = all.len();
        let name = |event: &String| event.split(' ').next().unwrap_or_default().to_owned();
        new.into_iter()
            .filter(|event| selection.only.is_empty() || selection.only.contains(&name(event)))
            .filter(|event| !selection.but.contains(&name(event)))
            .collect()
    }

    /// The lines of the log since the last time, without process id and time of day.
    fn log_since(&mut self, selection: &Selection) -> Vec<String> {
        // A line may come a little after the answer to what caused it.
        std::thread::sleep(LOG_DELAY);
        let text = self.stage.sentinel().log_text();
        let lines: Vec<&str> = text.lines().collect();
        let new = lines[self.log_read..].iter().map(|line| without_stamp(line));
        let holds = |line: &String, texts: &[String]| texts.iter().any(|text| line.contains(text.as_str()));
        let chosen = new
            .filter(|line| selection.only.is_empty() || holds(line, &selection.only))
            .filter(|line| !holds(line, &selection.but))
            .collect();
        self.log_read = lines.len();
        chosen
    }
}

/// `1234:X 22 Nov 2026 10:00:00.000 # text` without what is of the moment.
fn without_stamp(line: &str) -> String {
    let words: Vec<&str> = line.splitn(6, ' ').collect();
    match &words[..] {
        [process, _day, _month, _year, time, rest] if process.contains(':') && time.contains(':') => {
            let role = process.rsplit(':').next().unwrap_or_default();
            format!("{role} {rest}")
        }
        [process, _seconds, ..] if process.ends_with(":signal-handler") => {
            format!("signal-handler {}", words[2..].join(" "))
        }
        _ => line.to_owned(),
    }
}

fn broken(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "<closed>".to_owned()
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "<silent>".to_owned(),
        _ => format!("<{error}>"),
    }
}
