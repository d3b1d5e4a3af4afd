//! Log lines in the reference's format, to standard output, to a file that is reopened for every line, and to syslog (spec 1 §7).
//!
//! Only this crate's events are logged. Nothing here fails: a line that can't be written is lost, as in the reference, since a
//! full disk or a closed pipe must not end a process that watches over others. Once the process has threads, one of them writes:
//! nobody else waits for a disk or a reader.
//!
//! Invariant: a line leaves in one `write`, so that lines of several threads, or of several processes sharing a file, never mix.

mod queue;
mod sink;
mod syslog;

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::conf::ServerSettings;
use crate::conf::settings::LogLevel;
use crate::model::WallTime;
use crate::text::lossless;
use queue::Queue;
use sink::Sink;
use syslog::Syslog;

/// Longest message; what is beyond it is cut (spec 1 §7.2).
const MAX_MESSAGE: usize = 1023;
/// How long the end of the process may wait for a sink that takes nothing: longer than a busy disk needs, as the last lines are those
/// that say how it ended.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Where lines go and which of them.
struct State {
    level: LogLevel,
    sink: Arc<Sink>,
    /// The way to the sink once there is a thread for it; none while lines are written by whoever logs them.
    queue: Option<Queue>,
    syslog: Option<Syslog>,
    /// Kept for `open_syslog`.
    syslog_setup: Option<(String, String)>,
    /// A daemonized process without a log file has nowhere to write the line of a signal.
    mute_signals: bool,
}

static STATE: OnceLock<RwLock<State>> = OnceLock::new();

/// Starts logging to standard output at level notice: what is in force until the configuration is known.
pub fn init() {
    let first = State {
        level: LogLevel::Notice,
        sink: Arc::new(Sink::Stdout),
        queue: None,
        syslog: None,
        syslog_setup: None,
        mute_signals: false,
    };
    if STATE.set(RwLock::new(first)).is_ok() {
        // A subscriber set by somebody else (a test) keeps its place.
        let _ = tracing::subscriber::set_global_default(Registry::default().with(LineLayer));
    }
}

/// Follows the configuration from now on. Syslog begins under the program's name and without a pid, as the reference does before
/// it calls `openlog` (spec 1 §7.4).
pub fn configure(settings: &ServerSettings, program: &str) {
    with_state(|state| {
        state.level = settings.log_level;
        state.sink = Arc::new(Sink::from_path(&settings.log_file));
        state.mute_signals = settings.log_file.is_empty() && settings.daemonize;
        if settings.syslog_enabled {
            state.syslog = Some(Syslog::new(program, "user", false));
            state.syslog_setup = Some((settings.syslog_ident.clone(), settings.syslog_facility.clone()));
        }
    });
}

/// Logs lines of this importance or more from now on.
pub fn set_level(level: LogLevel) {
    with_state(|state| state.level = level);
}

/// Sends lines to this file from now on; empty: to standard output.
pub fn log_to(path: &str) {
    with_state(|state| state.sink = Arc::new(Sink::from_path(path)));
}

/// Gives syslog lines their configured name, facility and the pid.
pub fn open_syslog() {
    with_state(|state| {
        if let Some((ident, facility)) = state.syslog_setup.take() {
            state.syslog = Some(Syslog::new(&ident, &facility, true));
        }
    });
}

/// From now on a thread of its own writes: to be called once the process may have threads. Should there be none to be had, lines are
/// written as before.
pub fn start_writer() {
    with_state(|state| {
        let queue = Queue::default();
        let sink = state.sink.clone();
        let lost = |count| {
            let text =
                format!("{count} lines are missing here: the log was not taken as fast as it was written");
            line(std::process::id(), &chrono::Local::now(), &Level::WARN, &text).into_bytes()
        };
        if queue.start(move |line| sink.write(line), lost).is_ok() {
            state.queue = Some(queue);
        }
    });
}

/// Waits until all lines are written, though not for long. For the end of the process.
pub fn flush() {
    read_state(|state| {
        if let Some(queue) = &state.queue {
            queue.flush(FLUSH_PATIENCE);
        }
    });
}

/// Logs a text without pid, time and level: the banner.
pub fn raw(text: &str) {
    read_state(|state| {
        state.write(format!("{text}\n"));
        if let Some(syslog) = &state.syslog {
            syslog.send(&Level::INFO, text);
        }
    });
}

/// Logs a line in the form of the reference's signal handler (spec 1 §7.2).
pub fn signal(text: &str) {
    let pid = std::process::id();
    let seconds = chrono::Utc::now().timestamp();
    read_state(|state| {
        if !state.mute_signals {
            state.write(format!("{pid}:signal-handler ({seconds}) {text}\n"));
        }
    });
}

/// A time as people here read it: `Sun Nov 22 06:47:47 2026`.
pub fn local_time(at: WallTime) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default();
    at.with_timezone(&chrono::Local).format("%a %b %e %H:%M:%S %Y").to_string()
}

fn with_state(change: impl FnOnce(&mut State)) {
    if let Some(lock) = STATE.get() {
        change(&mut lock.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

fn read_state(look: impl FnOnce(&State)) {
    if let Some(lock) = STATE.get() {
        look(&lock.read().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl State {
    fn write(&self, line: String) {
        match &self.queue {
            Some(queue) => queue.push(lossless::into_bytes(line)),
            None => self.sink.write(&lossless::bytes_of(&line)),
        }
    }
}

/// Turns this crate's events into lines.
struct LineLayer;

impl<S: Subscriber> Layer<S> for LineLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        if is_ours(metadata) {
            tracing::subscriber::Interest::sometimes()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let mut enabled = false;
        read_state(|state| enabled = least(metadata.level()) >= state.level);
        enabled && is_ours(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let message = text.finish();
        let level = event.metadata().level();
        let line = line(std::process::id(), &chrono::Local::now(), level, &message);
        read_state(|state| {
            state.write(line);
            if let Some(syslog) = &state.syslog {
                syslog.send(level, &message);
            }
        });
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == "sentineld" || target.starts_with("sentineld::")
}

/// The configured level that lets an event through.
fn least(level: &Level) -> LogLevel {
    match *level {
        Level::TRACE => LogLevel::Debug,
        Level::DEBUG => LogLevel::Verbose,
        Level::INFO => LogLevel::Notice,
        _ => LogLevel::Warning,
    }
}

/// `31000:X 22 Nov 2026 06:45:59.993 * message`, newline included.
fn line<Z: chrono::TimeZone>(pid: u32, now: &chrono::DateTime<Z>, level: &Level, message: &str) -> String
where
    Z::Offset: std::fmt::Display,
{
    let mark = match *level {
        Level::TRACE => '.',
        Level::DEBUG => '-',
        Level::INFO => '*',
        _ => '#',
    };
    format!("{pid}:X {} {mark} {message}\n", now.format("%d %b %Y %H:%M:%S%.3f"))
}

/// Collects an event: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    /// The whole message, cut to its greatest length.
    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        cut(self.message)
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String can't fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

/// Cuts at the last character boundary within the limit.
fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
    }
    message
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn lines_have_the_references_shape() {
        let at = chrono::Utc.with_ymd_and_hms(2026, 11, 2, 6, 5, 9).single().expect("a valid date")
            + chrono::Duration::milliseconds(7);
        assert_eq!(line(31000, &at, &Level::INFO, "hello"), "31000:X 02 Nov 2026 06:05:09.007 * hello\n");
        for (level, mark) in
            [(Level::TRACE, '.'), (Level::DEBUG, '-'), (Level::WARN, '#'), (Level::ERROR, '#')]
        {
            assert_eq!(line(1, &at, &level, "x"), format!("1:X 02 Nov 2026 06:05:09.007 {mark} x\n"));
        }
    }

    #[test]
    fn levels_are_compared_in_the_references_order() {
        assert!(least(&Level::TRACE) < LogLevel::Verbose);
        assert!(least(&Level::DEBUG) >= LogLevel::Verbose);
        assert!(least(&Level::ERROR) < LogLevel::Nothing);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("a".repeat(1023)).len(), 1023);
        assert_eq!(cut("a".repeat(2000)).len(), 1023);
        assert_eq!(cut(format!("{}é", "a".repeat(1022))).len(), 1022);
    }
}
