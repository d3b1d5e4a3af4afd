//! The only async code and the only I/O: sockets, timers, files, processes around the engine.
//!
//! [`run`] boots in a single thread, then wires the parts: the engine's thread ([`driver`]), those that write the configuration
//! ([`store`]) and the log ([`logging`]), and two runtimes whose tasks own one socket each, for what we watch ([`link`]) and for
//! clients ([`serving`]). Parts share nothing but queues. A panic anywhere ends the process: a Sentinel that has lost its mind must
//! stop voting.

pub mod background;
pub mod banner;
pub mod boot;
pub mod chance;
pub mod clock;
pub mod config_file;
pub mod driver;
pub mod host;
pub mod inbox;
pub mod limits;
pub mod link;
pub mod logging;
pub mod pidfile;
pub mod resolver;
pub mod scripts;
pub mod serving;
pub mod shutdown;
pub mod store;
pub mod stream;
pub mod strerror;
pub mod supervision;
pub mod title;
pub mod tls;
pub mod users;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::cli::Invocation;
use crate::conf;
use crate::engine::Engine;
use crate::session::lookup::{self, Pulse};
use boot::Booted;
use clock::Clock;
use driver::{Driver, Hands};
use link::Links;
use pidfile::PidFile;
use resolver::{Names, Resolver};
use scripts::Scripts;
use serving::{Identity, Server};
use shutdown::{Running, Signals};
use store::Store;
use tls::Tls;

/// Threads for what blocks: name look-ups, and the start of scripts.
const BLOCKING_THREADS: usize = resolver::PARALLEL + scripts::PARALLEL;
/// Threads for links to instances, at least and at most: many would only cost memory.
const WATCHING_THREADS: (usize, usize) = (1, 4);
/// Threads for clients. One could be stopped by a single slow file (ACL SAVE).
const SERVING_THREADS: (usize, usize) = (2, 4);

/// Runs a Sentinel to its end. Called on the only thread of the process.
pub fn run(invocation: &Invocation) -> ExitCode {
    let started = std::time::Instant::now();
    logging::init();
    // Differs: the reference writes pages about a defect, signals included, which needs unsafe code.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string().replace('\n', " ");
        error!("This Sentinel is broken and stops at once: {text}");
        logging::flush();
        std::process::abort();
    }));
    let status = match boot::boot(invocation) {
        Ok(booted) => serve(booted, &invocation.program, started),
        Err(boot::Refused) => ExitCode::FAILURE,
    };
    logging::flush();
    status
}

fn serve(booted: Booted, program: &str, started: std::time::Instant) -> ExitCode {
    if let Some(cpus) = &booted.settings.server.server_cpulist {
        limits::bind_cpus(cpus);
    }
    logging::start_writer();
    let oom_score = booted.settings.server.oom_score_adj;
    let pid_file = booted.pid_file.clone();
    let wired = Runtimes::build().and_then(|runtimes| {
        let inside = runtimes.watching.enter();
        let wired = wire(booted, program, started, &runtimes);
        drop(inside);
        Ok((runtimes, wired?))
    });
    let (runtimes, wired) = match wired {
        Ok(wired) => wired,
        Err(error) => {
            error!("Could not start: {}", strerror::strerror(&error));
            pid_file.iter().for_each(PidFile::remove);
            return ExitCode::FAILURE;
        }
    };
    let status = runtimes.watching.block_on(wired.run(oom_score));
    // Threads that still look a name up are not waited for.
    runtimes.watching.shutdown_background();
    runtimes.serving.shutdown_background();
    status
}

/// Two sets of threads, so that no crowd of clients can keep a reply of a master waiting: that would make it look dead.
struct Runtimes {
    watching: Runtime,
    serving: Runtime,
}

impl Runtimes {
    fn build() -> std::io::Result<Self> {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let build = |name: &str, (least, most): (usize, usize)| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(cpus.clamp(least, most)).max_blocking_threads(BLOCKING_THREADS);
            builder.thread_name(name).enable_all().build()
        };
        Ok(Runtimes {
            watching: build("watch", WATCHING_THREADS)?,
            serving: build("serve", SERVING_THREADS)?,
        })
    }
}

/// All parts, running.
struct Wired {
    running: Running,
    signals: Signals,
    exits: mpsc::UnboundedReceiver<serving::ExitRequest>,
    started: oneshot::Receiver<()>,
    /// What to remark when the start is over.
    remarks: Vec<conf::Remark>,
    tls: Option<Arc<Tls>>,
}

/// Connects the parts and sets them going. Called inside the watching runtime.
fn wire(
    booted: Booted,
    program: &str,
    started: std::time::Instant,
    runtimes: &Runtimes,
) -> std::io::Result<Wired> {
    let Booted { settings, config_path, book, acl, listeners, tls, pid_file, supervisor, remarks } = booted;
    let runtime = runtimes.watching.handle();
    let signals = Signals::catch()?;
    let (inbox, outlet) = inbox::channel();
    let (directory, directory_writer) = lookup::directory();
    let pulse = Arc::new(Pulse::default());
    let (exit, exits) = mpsc::unbounded_channel();
    let identity = Identity {
        config_file: config_path,
        executable: executable(program),
        run_id: chance::run_id(),
        started,
        supervised: supervisor.name(),
        my_port: settings.server.main_port(),
    };
    let server = Server::new(&settings.server, identity, acl, inbox.clone(), directory, pulse.clone(), exit);
    let lines_of = server.clone();
    let store = Arc::new(Store::start(book, Box::new(move || lines_of.user_lines()), inbox.clone())?);

    let clock = Clock::start();
    let source = settings.server.bind_source_addr.clone();
    let names = Names::default();
    let engine = Engine::new(settings, chance::seed(), clock.now());
    let hands = Hands {
        links: Links::new(
            runtime.clone(),
            inbox.clone(),
            engine.my_id().clone(),
            source.as_deref(),
            names.clone(),
            tls.clone().filter(|tls| tls.is_for_links()),
        ),
        tls: tls.clone(),
        server: server.clone(),
        directory: directory_writer,
        pulse,
        store: store.clone(),
        scripts: Scripts::new(runtime.clone(), inbox.clone()),
        resolver: Resolver::new(runtime.clone(), inbox, names),
    };
    let (started_sender, has_started) = oneshot::channel();
    Driver { engine, outlet, clock, hands }.start(started_sender)?;
    runtimes.serving.spawn(server.clone().serve(listeners));
    let running = Running { supervisor, pid_file, server, store };
    Ok(Wired { running, signals, exits, started: has_started, remarks, tls })
}

impl Wired {
    /// Waits for the end, and goes through it.
    async fn run(self, oom_score: Option<(bool, i32)>) -> ExitCode {
        let Wired { running, mut signals, mut exits, started, remarks, tls } = self;
        {
            let mut end = std::pin::pin!(signals.wait(&mut exits, tls.as_ref()));
            tokio::select! {
                () = &mut end => {}
                // The engine's thread can't be gone: it never ends before the process.
                _ = started => {
                    running.supervisor.ready();
                    remarks.iter().for_each(|remark| warn!("{}", remark.text));
                    if let Some((relative, value)) = oom_score {
                        limits::set_oom_score(relative, value);
                    }
                    end.await;
                }
            }
        }
        tokio::select! {
            () = running.shut_down() => ExitCode::SUCCESS,
            () = signals.insist() => ExitCode::FAILURE,
        }
    }
}

/// The absolute path of the program as it was called, for INFO.
fn executable(program: &str) -> String {
    let path = std::path::Path::new(program);
    let path =
        if program.contains('/') { std::path::absolute(path).ok() } else { std::env::current_exe().ok() };
    path.map_or_else(|| program.to_string(), |path| path.to_string_lossy().into_owned())
}
