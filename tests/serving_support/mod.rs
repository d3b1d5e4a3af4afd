//! A server with a fake engine behind it, and a client that compares bytes.

#![allow(dead_code)] // Not every test that has this module needs all of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sentineld::acl::Acl;
use sentineld::conf::ServerSettings;
use sentineld::daemon::inbox::{self, Outlet};
use sentineld::daemon::serving::{ExitRequest, Identity, Server, bind};
use sentineld::engine::{Input, Level, Notice};
use sentineld::model::{self, CommandId};
use sentineld::session::lookup::{self, DirectoryWriter, Pulse};
use sentineld::wire::view::SentinelInfoView;
use sentineld::wire::{Answer, Command, SentinelCommand};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running server. Its engine answers at once, but for FLUSHCONFIG: that waits for [`Fixture::release`].
pub struct Fixture {
    pub server: Server,
    pub port: u16,
    pub directory: Mutex<DirectoryWriter>,
    pub pulse: Arc<Pulse>,
    pub exits: Mutex<mpsc::UnboundedReceiver<ExitRequest>>,
    /// Every command the engine got.
    pub seen: Arc<Mutex<Vec<Command>>>,
    held: Arc<Mutex<Vec<CommandId>>>,
    runtime: Option<Runtime>,
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(|_| {})
    }

    /// A server on a free port of the loopback, with other settings than the defaults.
    pub fn with(change: impl FnOnce(&mut ServerSettings)) -> Fixture {
        let mut settings = ServerSettings { bind: vec!["127.0.0.1".into()], ..ServerSettings::default() };
        change(&mut settings);
        let (port, listeners) = (0..100)
            .find_map(|_| {
                settings.port = free_port();
                bind(&settings, None).ok().map(|listeners| (settings.port, listeners))
            })
            .expect("a free port");
        let acl = Acl::load(
            &settings.users,
            settings.requirepass.as_deref(),
            settings.acl_pubsub_default_allow,
            drop,
        )
        .expect("valid users");
        let (inbox, outlet) = inbox::channel();
        let (directory, writer) = lookup::directory();
        let pulse = Arc::new(Pulse::default());
        let (exit, exits) = mpsc::unbounded_channel();
        let identity = Identity {
            config_file: "/etc/sentinel.conf".into(),
            executable: "/usr/bin/sentineld".into(),
            run_id: "0".repeat(40),
            started: Instant::now(),
            supervised: "no",
            my_port: port,
        };
        let server = Server::new(&settings, identity, acl, inbox, directory, pulse.clone(), exit);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (seen, held) = (Arc::default(), Arc::default());
        runtime.spawn(server.clone().serve(listeners));
        runtime.spawn(fake_engine(outlet, server.clone(), Arc::clone(&seen), Arc::clone(&held)));
        Fixture {
            server,
            port,
            directory: Mutex::new(writer),
            pulse,
            exits: Mutex::new(exits),
            seen,
            held,
            runtime: Some(runtime),
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Answers every held command, the last first if `backwards`.
    pub fn release(&self, backwards: bool) {
        let mut held = std::mem::take(&mut *self.held.lock().expect("unpoisoned"));
        if backwards {
            held.reverse();
        }
        held.into_iter().for_each(|id| self.server.answer(id, Answer::Ok));
    }

    /// Waits until so many commands are held.
    pub fn wait_held(&self, count: usize) {
        wait_for("held commands", || self.held.lock().expect("unpoisoned").len() == count);
    }

    pub fn publish(&self, name: &'static str, payload: &str) {
        self.server.publish(&Notice { level: Level::Warning, name, payload: payload.into() });
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.server.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn fake_engine(
    mut outlet: Outlet,
    server: Server,
    seen: Arc<Mutex<Vec<Command>>>,
    held: Arc<Mutex<Vec<CommandId>>>,
) {
    while let Some(input) = outlet.commands.recv().await {
        let Input::Command { id, command, .. } = input else { continue };
        seen.lock().expect("unpoisoned").push(command.clone());
        let answer = match command {
            Command::Ping => Answer::Pong,
            Command::Role => Answer::Role(vec![model::MasterName::from("m")]),
            Command::Info => Answer::Info(Box::new(SentinelInfoView {
                tilt_since: None,
                total_tilt: 0,
                running_scripts: 0,
                scripts_queue_length: 0,
                simulate_failure_flags: 0,
                masters: Vec::new(),
            })),
            Command::Publish(_) => Answer::Integer(1),
            Command::Sentinel(SentinelCommand::GetMasterAddr(_)) => {
                Answer::MasterAddress(Some(("engine".into(), 1)))
            }
            Command::Sentinel(SentinelCommand::FlushConfig) => {
                held.lock().expect("unpoisoned").push(id);
                continue;
            }
            Command::Sentinel(SentinelCommand::Reset(pattern)) => {
                let payload = format!("master {pattern}");
                server.publish(&Notice { level: Level::Warning, name: "+reset-master", payload });
                Answer::Integer(1)
            }
            Command::Sentinel(_) => Answer::Ok,
        };
        server.answer(id, answer);
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    listener.local_addr().expect("bound").port()
}

/// A redis-sentinel in a folder of its own; both go with the value.
pub struct Reference {
    pub port: u16,
    process: Child,
    folder: PathBuf,
}

impl Reference {
    pub fn start() -> Reference {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("sentineld-serving-{unique}"));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let (path, port) = (folder.join("s.conf"), free_port());
        std::fs::write(&path, format!("port {port}\nbind 127.0.0.1\n")).expect("a file");
        let mut command = std::process::Command::new("redis-sentinel");
        let command = command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("redis-sentinel is installed");
        let reference = Reference { port, process, folder };
        wait_for("the reference", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        reference
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits for something to become true.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A connection that is written to and read from as bytes.
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Client { stream }
    }

    pub fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).expect("the server reads");
    }

    /// Sends lines, then expects exactly these bytes.
    pub fn ask(&mut self, lines: &str, expected: &str) {
        self.send(&format!("{lines}\r\n"));
        self.expect(expected);
    }

    /// Expects exactly these bytes next.
    pub fn expect(&mut self, expected: &str) {
        let mut got = vec![0; expected.len()];
        let mut filled = 0;
        while filled < got.len() {
            match self.stream.read(&mut got[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => panic!(
                    "{error}: got {:?}, expected {expected:?}",
                    &String::from_utf8_lossy(&got[..filled])
                ),
            }
        }
        assert_eq!(String::from_utf8_lossy(&got[..filled]), expected);
    }

    /// Expects a line that begins like this; gives all of it.
    pub fn expect_line(&mut self, start: &str) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") && self.stream.read(&mut byte).expect("a reply") == 1 {
            line.push(byte[0]);
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(line.starts_with(start), "got {line:?}, expected {start:?}…");
        line
    }

    /// Reads one bulk or verbatim string.
    pub fn expect_text(&mut self) -> String {
        let head = self.expect_line("");
        let length: usize = head[1..].trim_end().parse().unwrap_or_else(|_| panic!("no string: {head:?}"));
        let mut text = vec![0; length + 2];
        self.stream.read_exact(&mut text).expect("a whole string");
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    /// Expects that the server closes the connection and sends nothing more.
    pub fn expect_end(&mut self) {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(read) => assert_eq!(read, 0, "expected the end, got {byte:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }

    /// Expects that nothing comes for a while.
    pub fn expect_silence(&mut self) {
        self.stream.set_read_timeout(Some(Duration::from_millis(60))).expect("a socket");
        let mut byte = [0];
        let got = self.stream.read(&mut byte);
        assert!(got.is_err(), "expected silence, got {got:?} {byte:?}");
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    }
}
