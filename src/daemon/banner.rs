//! The line, or the picture, that says that a Sentinel runs (spec 1 §7.3).

use std::io::IsTerminal;

use tracing::info;

use super::logging;
use crate::conf::ServerSettings;

/// Says on which port we run: with a picture for a terminal, in one line for a log.
pub fn show(settings: &ServerSettings) {
    let port = settings.main_port();
    let on_terminal =
        settings.log_file.is_empty() && !settings.syslog_enabled && std::io::stdout().is_terminal();
    if settings.always_show_logo || on_terminal {
        logging::raw(&picture(port, std::process::id()));
    } else {
        info!("Running mode=sentinel, port={port}.");
    }
}

/// Differs: the reference has a picture of its own.
fn picture(port: u16, pid: u32) -> String {
    format!(
        r"
     .-----------.
   .'   .-----.   '.      sentineld {version}, {bits} bit
  /   .'  ___  '.   \     Compatible with Redis Sentinel 7.0.15
  |   |  (___)  |   |
  \   '.       .'   /     Running in sentinel mode
   '.   '-----'   .'      Port: {port}
     '-----------'        PID: {pid}
",
        version = env!("CARGO_PKG_VERSION"),
        bits = usize::BITS,
    )
}
