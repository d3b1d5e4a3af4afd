//! The turn loop: facts into the engine, deeds out of it, on a thread of its own.
//!
//! One cycle is a *turn*: the clock is read once, a bounded batch of facts and whatever is due are handed in at that instant, every
//! action is drained, and only then is anything waited for. Nothing here decides, and nothing here waits for a consumer.
//!
//! Invariant: what clients are told about addresses is published before any answer, notice or request of the same turn leaves, so
//! whoever hears of a switch and then asks gets the new address.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{debug, info, trace, warn};

use super::clock::Clock;
use super::inbox::Outlet;
use super::link::Links;
use super::logging;
use super::resolver::Resolver;
use super::scripts::Scripts;
use super::serving::Server;
use super::store::Store;
use super::tls::Tls;
use crate::engine::{Action, Engine, Input, Level, Notice};
use crate::model::Now;
use crate::session::lookup::{DirectoryWriter, Pulse};

/// Facts of one turn at most, so that deadlines and actions are never far away: this many, or those that wait when it begins. What is due
/// comes after all of these, so that nobody is found silent by a timer while what he said lies in our own queue.
const BATCH: usize = 1024;
/// Commands of one turn at most,
const COMMANDS: usize = 256;
/// and how long they may take together: some ask for all that is known of ten thousand masters.
const COMMANDS_TIME: Duration = Duration::from_millis(5);
/// Longest sleep: the pulse must show a living engine even if nothing happens.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// A turn longer than this is worth a line.
const SLOW_TURN: Duration = Duration::from_millis(100);

/// The loop and the engine in it.
pub struct Driver {
    /// Decides.
    pub engine: Engine,
    /// What came in.
    pub outlet: Outlet,
    /// Tells the time.
    pub clock: Clock,
    /// Carries out what was decided.
    pub hands: Hands,
}

/// Everything that carries out actions.
pub struct Hands {
    /// Outbound connections.
    pub links: Links,
    /// Client connections.
    pub server: Server,
    /// Addresses for clients.
    pub directory: DirectoryWriter,
    /// Shows clients' tasks that the engine lives.
    pub pulse: Arc<Pulse>,
    /// The configuration's writer.
    pub store: Arc<Store>,
    /// Scripts.
    pub scripts: Scripts,
    /// Names.
    pub resolver: Resolver,
    /// What TLS connections are made with, if there are any.
    pub tls: Option<Arc<Tls>>,
}

impl Driver {
    /// Starts the thread. `started` fires once what the engine has to say at birth was said, which may wait for a first save.
    pub fn start(self, started: oneshot::Sender<()>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("engine".into());
        thread.spawn(move || runtime.block_on(self.run(started)))?;
        Ok(())
    }

    async fn run(mut self, started: oneshot::Sender<()>) {
        let (mut deeds, mut started) = (Vec::new(), Some(started));
        let mut first = None;
        loop {
            self.turn(first, &mut deeds);
            if let Some(started) = started.take_if(|_| self.engine.has_started()) {
                // Nobody waiting for the signal is no trouble.
                let _ = started.send(());
            }
            first = self.wait().await;
        }
    }

    /// Sleeps until there is a fact, or something is due. Completions come first: others wait for them.
    async fn wait(&mut self) -> Option<Input> {
        let longest = tokio::time::Instant::now() + LONGEST_SLEEP;
        let due = self.engine.next_deadline().and_then(|at| self.clock.to_timer(at));
        let until = due.map_or(longest, |due| due.min(longest));
        tokio::select! {
            biased;
            Some(input) = self.outlet.completions.recv() => Some(input),
            Some(input) = self.outlet.facts.recv() => Some(input),
            Some(input) = self.outlet.commands.recv() => Some(input),
            () = tokio::time::sleep_until(until) => None,
        }
    }

    /// One turn. `deeds` is an empty list that is lent to save its memory for the next turn.
    fn turn(&mut self, first: Option<Input>, deeds: &mut Vec<Action>) {
        let now = self.clock.now();
        self.hands.pulse.beat(now.mono);
        let fed = self.feed(now, first);
        if self.engine.next_deadline().is_some_and(|due| due <= now.mono) {
            self.engine.handle_deadline(now);
        }
        self.engine.end_turn();
        let done = self.drain(deeds);
        let took = self.clock.now().mono.since(now.mono);
        if took > SLOW_TURN {
            debug!("A turn took {} milliseconds ({fed} facts, {done} actions)", took.as_millis());
        }
    }

    /// Hands in what waits: a batch of facts, then some commands. Returns how many inputs that were.
    fn feed(&mut self, now: Now, first: Option<Input>) -> usize {
        let mut next = first;
        let mut fed = 0;
        let most = BATCH.max(self.outlet.facts.len());
        while fed < most {
            let input = next.take().or_else(|| self.outlet.completions.try_recv().ok());
            let Some(input) = input.or_else(|| self.outlet.facts.try_recv().ok()) else { break };
            if let Input::Disconnected(conn, _) = &input {
                self.hands.links.forget(*conn);
            }
            self.engine.handle(now, input);
            fed += 1;
        }
        let began = self.clock.now().mono;
        for _ in 0..COMMANDS {
            let Ok(input) = self.outlet.commands.try_recv() else { break };
            self.engine.handle(now, input);
            fed += 1;
            if self.clock.now().mono.since(began) > COMMANDS_TIME {
                break;
            }
        }
        fed
    }

    /// Takes all actions and carries them out, addresses first. Returns how many there were.
    fn drain(&mut self, deeds: &mut Vec<Action>) -> usize {
        while let Some(action) = self.engine.poll_action() {
            deeds.push(action);
        }
        let mut moved = false;
        for action in deeds.iter() {
            if let Action::SetAddress(name, address) = action {
                self.hands.directory.set(name, address.clone());
                moved = true;
            }
        }
        if moved {
            self.hands.directory.publish();
        }
        let done = deeds.len();
        let crashes = deeds.iter().any(|action| matches!(action, Action::Crash(_)));
        for action in deeds.drain(..) {
            if crashes {
                self.hands.carry_out_before_a_crash(action);
            } else {
                self.hands.carry_out(action);
            }
        }
        done
    }
}

impl Hands {
    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect(conn, target) => self.links.connect(conn, target),
            Action::Disconnect(conn) => self.links.disconnect(conn),
            Action::Send(conn, tag, request, renamed) => self.links.send(conn, tag, request, renamed),
            Action::Answer(id, answer) => self.server.answer(id, answer),
            Action::Publish(notice) => self.publish(&notice),
            Action::Log(level, text) => log(level, &text),
            Action::SetLogLevel(level) => logging::set_level(level),
            Action::LogNextFailover(at) => {
                let at = logging::local_time(at);
                warn!("Next failover delay: I will not start a failover before {at}");
            }
            // Done before the first of these: see `drain`.
            Action::SetAddress(..) => {}
            Action::Persist(revision, patch) => self.store.persist(revision, patch),
            Action::Resolve(host) => self.resolver.resolve(host),
            Action::RunScript(id, argv) => self.scripts.run(id, argv),
            Action::KillScript(id) => self.scripts.kill(id),
            Action::RereadCertificates => {
                if let Some(tls) = &self.tls {
                    tls.reread_soon();
                }
            }
            Action::Crash(status) => {
                logging::flush();
                std::process::exit(status)
            }
        }
    }

    /// Compat: what a turn that ends in a simulated crash had to say to others never leaves; only the log knows (spec 3 §3.4.18).
    fn carry_out_before_a_crash(&mut self, action: Action) {
        match action {
            Action::Publish(notice) => log_notice(&notice),
            Action::Log(..) | Action::LogNextFailover(_) | Action::Persist(..) | Action::Crash(_) => {
                self.carry_out(action)
            }
            _ => {}
        }
    }

    /// Logged first, then published (spec 1 §7.5).
    fn publish(&mut self, notice: &Notice) {
        log_notice(notice);
        self.server.publish(notice);
    }
}

fn log_notice(notice: &Notice) {
    log(notice.level, &format!("{} {}", notice.name, notice.payload));
}

fn log(level: Level, text: &str) {
    match level {
        Level::Debug => trace!("{text}"),
        Level::Verbose => debug!("{text}"),
        Level::Notice => info!("{text}"),
        Level::Warning => warn!("{text}"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::runtime::Handle;

    use super::*;
    use crate::acl::Acl;
    use crate::conf::{self, Settings};
    use crate::daemon::config_file::ConfigFile;
    use crate::daemon::host::Machine;
    use crate::daemon::inbox;
    use crate::daemon::resolver::Names;
    use crate::daemon::serving::Identity;
    use crate::daemon::store::Book;
    use crate::session::lookup::{self, Directory};

    fn settings(path: &std::path::Path, master: u16) -> Settings {
        let text = format!("port 0\nunixsocket none\nsentinel monitor m 127.0.0.1 {master} 1\n");
        std::fs::write(path, text).expect("written");
        conf::load(&mut Machine, conf::Inputs { path: path.to_str(), ..Default::default() })
            .expect("a valid file")
            .settings
    }

    /// Starts an engine for the one master of a configuration, with everything that carries its actions out.
    fn start(path: &std::path::Path, settings: Settings) -> (Directory, oneshot::Receiver<()>) {
        let (inbox, outlet) = inbox::channel();
        let (directory, writer) = lookup::directory();
        let pulse = Arc::new(Pulse::default());
        let (exit, _) = tokio::sync::mpsc::unbounded_channel();
        let identity = Identity {
            config_file: String::new(),
            executable: String::new(),
            run_id: String::new(),
            started: std::time::Instant::now(),
            supervised: "no",
            my_port: 0,
        };
        let acl = Acl::new(true);
        let parts = (inbox.clone(), directory.clone(), pulse.clone());
        let server = Server::new(&settings.server, identity, acl, parts.0, parts.1, parts.2, exit);
        let book = Book::new(ConfigFile::new(path), settings.clone());
        let store = Store::start(book, Box::new(Vec::new), inbox.clone()).expect("a thread");
        let clock = Clock::start();
        let engine = Engine::new(settings, 1, clock.now());
        let hands = Hands {
            links: Links::new(
                Handle::current(),
                inbox.clone(),
                engine.my_id().clone(),
                None,
                Names::default(),
                None,
            ),
            server,
            tls: None,
            directory: writer,
            pulse,
            store: Arc::new(store),
            scripts: Scripts::new(Handle::current(), inbox.clone()),
            resolver: Resolver::new(Handle::current(), inbox, Names::default()),
        };
        let (done, started) = oneshot::channel();
        Driver { engine, outlet, clock, hands }.start(done).expect("a thread");
        (directory, started)
    }

    #[tokio::test]
    async fn it_starts_by_saving_its_id_and_connecting_to_the_master() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("s.conf");
        let master = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = master.local_addr().expect("an address").port();
        let (directory, started) = start(&path, settings(&path, port));
        started.await.expect("a start");
        // The id that was made up is on disk by now.
        assert!(std::fs::read_to_string(&path).expect("the file").contains("\nsentinel myid "));
        let answer = directory.answer(b"m").expect("a master");
        assert!(answer.ends_with(format!("{port}\r\n").as_bytes()), "{answer:?}");

        let (mut link, _) = master.accept().await.expect("a connection");
        let mut words = [0; 19];
        link.read_exact(&mut words).await.expect("a request");
        assert_eq!(&words, b"*3\r\n$6\r\nCLIENT\r\n$7\r");
    }
}
