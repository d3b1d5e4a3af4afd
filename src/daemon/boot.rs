//! The start, up to the moment when threads may exist: configuration, supervision, the background, limits, sockets, pid file,
//! users (spec 1 §6.1, in the order of 7.0). The engine does the rest: it gives a new Sentinel its id and has that saved.
//!
//! Invariant: single-threaded from the first line to the last, since going into the background forks.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use nix::unistd::{AccessFlags, access};
use tracing::{error, info, warn};

use super::config_file::ConfigFile;
use super::host::Machine;
use super::limits::{self, Granted};
use super::pidfile::{self, PidFile};
use super::serving::{self, Listeners};
use super::store::Book;
use super::strerror::{errno_text, strerror};
use super::supervision::{self, Supervisor};
use super::tls::{self, Places, Tls};
use super::{background, banner, logging, shutdown, title, users};
use crate::acl::Acl;
use crate::cli::Invocation;
use crate::conf::{self, ConfError, ServerSettings, Settings};

/// A process that is ready to have threads.
pub struct Booted {
    /// The configuration in force.
    pub settings: Settings,
    /// The absolute path of its file.
    pub config_path: String,
    /// The same, as it is written back.
    pub book: Book,
    /// Who may do what.
    pub acl: Acl,
    /// Bound sockets.
    pub listeners: Listeners,
    /// What TLS connections are made with, if there are to be any.
    pub tls: Option<Arc<Tls>>,
    /// The pid file, if one was asked for.
    pub pid_file: Option<PidFile>,
    /// Who supervises us.
    pub supervisor: Supervisor,
    /// What to remark when the start is over.
    pub remarks: Vec<conf::Remark>,
}

/// The start was refused, for a reason that the operator was told: exit with status 1.
#[derive(Debug)]
pub struct Refused;

/// Runs the whole start.
pub fn boot(invocation: &Invocation) -> Result<Booted, Refused> {
    let config_path = invocation.file.as_ref().map(|file| absolute(&file.to_string_lossy()));
    let (mut settings, places, remarks) = read_config(invocation, config_path.as_deref())?;
    let config_path = check_config_file(config_path)?;
    let supervisor = supervision::begin(settings.server.supervised);
    let in_background = settings.server.daemonize && !supervisor.is_some();
    if in_background && let Err(errno) = background::daemonize() {
        warn!("Could not go into the background: {}", errno_text(errno));
    }
    announce();
    logging::open_syslog();
    let tls = configure_tls(&settings, places)?;
    grant_files(&mut settings)?;
    info!("monotonic clock: POSIX clock_gettime");
    let listeners = serving::bind(&settings.server, tls.clone()).map_err(|_| Refused)?;
    title::set(&settings.server, &config_path, &invocation.program);

    shutdown::hold_signals();
    let pid_file = write_pid_file(&mut settings, in_background);
    banner::show(&settings.server);
    limits::check_backlog(settings.server.tcp_backlog);
    // Differs: the reference leaves its pid file behind when it gives up over its users.
    let acl = users::load(&settings.server).map_err(|users::Rejected| {
        if let Some(file) = &pid_file {
            file.remove();
        }
        Refused
    })?;
    let book = Book::new(ConfigFile::new(&config_path), settings.clone());
    Ok(Booted { settings, config_path, book, acl, listeners, tls, pid_file, supervisor, remarks })
}

/// Reads and checks file, standard input and options; logging follows the configuration from here on. Also gives where TLS directives
/// stand, and what to remark when the start is over.
fn read_config(
    invocation: &Invocation,
    path: Option<&str>,
) -> Result<(Settings, Places, Vec<conf::Remark>), Refused> {
    let words: Vec<&[u8]> = invocation.options.iter().map(Vec::as_slice).collect();
    let (options, input_is_last) = conf::options_to_text(&words);
    let stdin = if invocation.reads_input || input_is_last { Some(read_stdin()?) } else { None };
    let inputs = conf::Inputs { path, stdin: stdin.as_deref(), options: &options };
    let loaded = conf::load(&mut Machine, inputs).map_err(|error| {
        match &error {
            ConfError::Unreadable { .. } => error!("{error}"),
            ConfError::Invalid(fault) => {
                fault.logged.iter().for_each(|line| warn!("{line}"));
                eprint!("{error}");
            }
        }
        Refused
    })?;
    let program = Path::new(&invocation.program).file_name().unwrap_or_default().to_string_lossy();
    logging::configure(&loaded.settings.server, &program);
    let places = conf::directive::all().filter(|row| row.name.starts_with("tls-")).filter_map(|row| {
        let place = loaded.place_of(row.name)?;
        Some((row.name, place.to_string()))
    });
    let places = places.collect();
    let (belated, timely): (Vec<_>, Vec<_>) = loaded.remarks.into_iter().partition(|remark| remark.belated);
    timely.iter().for_each(|remark| warn!("{}", remark.text));
    Ok((loaded.settings, places, belated))
}

fn read_stdin() -> Result<Vec<u8>, Refused> {
    warn!("Reading config from stdin");
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text).map_err(|error| {
        error!("Can't read the configuration from standard input: {}", strerror(&error));
        Refused
    })?;
    Ok(text)
}

/// The absolute form of a path: trimmed, put below the working directory, leading `../` resolved, nothing else (spec 1 §1.3).
fn absolute(path: &str) -> String {
    let path = path.trim_matches([' ', '\r', '\n', '\t']);
    if path.starts_with('/') {
        return path.to_string();
    }
    let mut folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let mut rest = path;
    while let Some(above) = rest.strip_prefix("../") {
        folder.pop();
        rest = above;
    }
    folder.join(rest).to_string_lossy().into_owned()
}

/// There must be a file, and we must be able to write it: what a Sentinel promises is kept there.
fn check_config_file(path: Option<String>) -> Result<String, Refused> {
    let Some(path) = path else {
        error!("Sentinel needs config file on disk to save state. Exiting...");
        return Err(Refused);
    };
    if let Err(errno) = access(path.as_str(), AccessFlags::W_OK) {
        error!("Sentinel config file {path} is not writable: {}. Exiting...", errno_text(errno));
        return Err(Refused);
    }
    Ok(path)
}

fn configure_tls(settings: &Settings, places: Places) -> Result<Option<Arc<Tls>>, Refused> {
    let tls = &settings.server.tls;
    match tls.is_wanted() {
        true => Tls::configure(tls, places).map(|tls| Some(Arc::new(tls))).map_err(|tls::Refused| Refused),
        false => Ok(None),
    }
}

/// Differs: one line is ours alone, as an operator should be able to tell what runs.
fn announce() {
    warn!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    warn!(
        "Redis version=7.0.15, bits={}, commit=00000000, modified=0, pid={}, just started",
        usize::BITS,
        std::process::id()
    );
    info!("This is sentineld {}, compatible with Redis Sentinel 7.0.15", env!("CARGO_PKG_VERSION"));
    warn!("Configuration loaded");
}

fn grant_files(settings: &mut Settings) -> Result<(), Refused> {
    match limits::open_files(settings.server.max_clients) {
        Granted::All => Ok(()),
        Granted::Fewer(clients) => {
            settings.server.max_clients = clients;
            persist(&mut settings.server, "maxclients", &clients.to_string());
            Ok(())
        }
        Granted::TooFew => Err(Refused),
    }
}

/// Has the next rewrite write a value that the start chose.
fn persist(server: &mut ServerSettings, name: &str, value: &str) {
    server.persist(name, value.as_bytes()).expect("invariant: a directive of ours takes a value of ours");
}

/// Compat: the default path counts as configured and is written to the file (spec 1 §6.3).
fn write_pid_file(settings: &mut Settings, in_background: bool) -> Option<PidFile> {
    let server = &mut settings.server;
    if server.pidfile.is_none() && in_background {
        server.pidfile = Some(pidfile::DEFAULT_PATH.into());
        persist(server, "pidfile", pidfile::DEFAULT_PATH);
    }
    server.pidfile.as_deref().map(PidFile::write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_as_the_reference_does() {
        let here = std::env::current_dir().expect("a folder");
        let parent = here.parent().expect("a parent").to_string_lossy().into_owned();
        let here = here.to_string_lossy();
        assert_eq!(absolute(" /a/../b \n"), "/a/../b");
        assert_eq!(absolute("x.conf"), format!("{here}/x.conf"));
        assert_eq!(absolute("./x.conf"), format!("{here}/./x.conf"));
        assert_eq!(absolute("../x.conf"), format!("{parent}/x.conf"));
    }
}
