//! What `sentinel …` lines mean: they are evaluated in three passes after everything else was read (spec 1 §3).
//!
//! Writing them is the rewrite's part.
//!
//! Invariants: master names are unique; replicas of a master differ in host or port, its peers in run id.

mod words;

use std::collections::HashMap;
use std::time::Duration;

#[cfg(test)]
pub use words::TABLE;
pub use words::{Pass, Row, Word};

use super::error::{ConfError, Invalid};
use super::load::Remark;
use super::origins::Source;
use super::place::Place;
use super::settings::{KnownPeer, MasterSettings, SentinelSettings};
use super::{number, numeric_ip};
use crate::model::{Epoch, MasterName, RunId};
use crate::text::lossless;

/// One line, without the word `sentinel`.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its words; at least one.
    pub words: Vec<Vec<u8>>,
    /// The trimmed line and its number in the joined text.
    pub line: (usize, Vec<u8>),
    /// Where it stands.
    pub place: Place,
    /// What kind of text it is from.
    pub source: Source,
}

/// What all statements say together.
#[derive(Debug)]
pub struct Evaluated {
    /// Process-wide settings.
    pub sentinel: SentinelSettings,
    /// The masters, in the order of their `monitor` lines.
    pub masters: Vec<MasterSettings>,
    /// What to log.
    pub remarks: Vec<Remark>,
}

/// Evaluates statements in reading order within each pass.
///
/// # Errors
/// The first fault, with the reference's text.
pub fn evaluate(
    statements: &[Statement],
    mut is_executable: impl FnMut(&str) -> bool,
) -> Result<Evaluated, ConfError> {
    let mut evaluation = Evaluation::new(&mut is_executable, statements);
    for_each_by_pass(statements, |statement| {
        let row = Row::find(&statement.words[0]);
        evaluation.apply(row, statement).map_err(|message| {
            let expected = match row {
                Some(row) if message == UNRESOLVED => {
                    format!(
                        "{}: the host as an IP address, or as a name with `sentinel resolve-hostnames yes`",
                        row.expected()
                    )
                }
                Some(row) => row.expected(),
                None => "the name of a `sentinel` directive: this one is unknown".to_owned(),
            };
            let (line, place) = (Some(statement.line.clone()), statement.place.clone());
            let logged = unresolved_host(message, statement);
            ConfError::Invalid(Box::new(Invalid {
                line,
                message: message.to_owned(),
                place,
                expected,
                logged,
            }))
        })
    })?;
    Ok(evaluation.result)
}

/// The log line about a host that is no address, before the report of the fault (spec 1 §3.2).
fn unresolved_host(message: &str, statement: &Statement) -> Option<String> {
    // Every directive with a host has it after the name of a master.
    let host = statement.words.get(2).filter(|_| message == UNRESOLVED)?;
    Some(format!("Failed to resolve hostname '{}'", String::from_utf8_lossy(host)))
}

/// Evaluates what it can of a part of the statements, passing over faults.
pub fn evaluate_leniently(
    statements: &[Statement],
    mut is_executable: impl FnMut(&str) -> bool,
) -> Evaluated {
    let mut evaluation = Evaluation::new(&mut is_executable, statements);
    let done: Result<(), ()> = for_each_by_pass(statements, |statement| {
        // A part is judged as part of the whole, elsewhere.
        let _ = evaluation.apply(Row::find(&statement.words[0]), statement);
        Ok(())
    });
    debug_assert!(done.is_ok());
    evaluation.result
}

fn for_each_by_pass<E>(
    statements: &[Statement],
    mut apply: impl FnMut(&Statement) -> Result<(), E>,
) -> Result<(), E> {
    let pass_of = |statement: &Statement| Row::find(&statement.words[0]).map_or(Pass::Master, |row| row.pass);
    for pass in [Pass::Global, Pass::Monitor, Pass::Master] {
        for statement in statements.iter().filter(|statement| pass_of(statement) == pass) {
            apply(statement)?;
        }
    }
    Ok(())
}

struct Evaluation<'f> {
    result: Evaluated,
    index: HashMap<MasterName, (usize, Source)>,
    is_executable: &'f mut dyn FnMut(&str) -> bool,
    /// Some lines are not from the file itself: then repeating what the file says is no fault (spec 1 §5.7).
    mixed: bool,
}

type Outcome<T = ()> = Result<T, &'static str>;

const UNRESOLVED: &str = "Can't resolve instance hostname.";

impl<'f> Evaluation<'f> {
    fn new(is_executable: &'f mut dyn FnMut(&str) -> bool, statements: &[Statement]) -> Self {
        let sentinel = SentinelSettings::initial();
        let result = Evaluated { sentinel, masters: Vec::new(), remarks: Vec::new() };
        let mixed = statements.iter().any(|statement| statement.source != Source::File);
        Evaluation { result, index: HashMap::new(), is_executable, mixed }
    }

    fn apply(&mut self, row: Option<&Row>, statement: &Statement) -> Outcome {
        const UNRECOGNIZED: &str = "Unrecognized sentinel configuration statement.";
        let row = row.ok_or(UNRECOGNIZED)?;
        let arguments: Vec<&[u8]> = statement.words[1..].iter().map(Vec::as_slice).collect();
        if arguments.len() < row.arguments.0 || arguments.len() > row.arguments.1 {
            return Err(UNRECOGNIZED);
        }
        match row.pass {
            Pass::Global => self.global(row.word, arguments[0], statement),
            Pass::Monitor => self.monitor(&arguments, statement),
            Pass::Master => self.master(row.word, &arguments, statement),
        }
    }

    fn global(&mut self, word: Word, value: &[u8], statement: &Statement) -> Outcome {
        let sentinel = &mut self.result.sentinel;
        let filled = || Some(value.to_vec()).filter(|value| !value.is_empty());
        match word {
            Word::MyId if value.len() != 40 => return Err("Malformed Sentinel id in myid option."),
            Word::MyId => sentinel.my_id = Some(RunId::from(text(value))),
            Word::CurrentEpoch => {
                sentinel.current_epoch = sentinel.current_epoch.max(Epoch(number::lenient_u64(value)));
            }
            Word::DenyScriptsReconfig => {
                sentinel.deny_scripts_reconfig =
                    yes_no(value).ok_or("Please specify yes or no for the deny-scripts-reconfig options.")?;
            }
            Word::ResolveHostnames => {
                sentinel.resolve_hostnames =
                    yes_no(value).ok_or("Please specify yes or no for the resolve-hostnames option.")?;
            }
            Word::AnnounceHostnames => {
                sentinel.announce_hostnames =
                    yes_no(value).ok_or("Please specify yes or no for the announce-hostnames option.")?;
            }
            Word::AnnounceIp if value.is_empty() => {}
            Word::AnnounceIp => sentinel.announce_ip = Some(text(value)),
            Word::AnnouncePort => {
                // Differs: the reference tells others what can't be a port, and then nobody finds it.
                let port = number::lenient(value);
                sentinel.announce_port = u16::try_from(port).ok().filter(|port| *port != 0);
                if port != 0 && sentinel.announce_port.is_none() {
                    self.remark(statement, "not a port, so our own port is announced");
                }
            }
            Word::SentinelUser => sentinel.sentinel_user = filled().or(sentinel.sentinel_user.take()),
            Word::SentinelPass => sentinel.sentinel_pass = filled().or(sentinel.sentinel_pass.take()),
            _ => unreachable!("not a global directive: {word:?}"),
        }
        Ok(())
    }

    fn monitor(&mut self, arguments: &[&[u8]], statement: &Statement) -> Outcome {
        let quorum = u32::try_from(number::lenient(arguments[3])).unwrap_or(0);
        if quorum == 0 {
            return Err("Quorum must be 1 or greater.");
        }
        let (host, port) = self.address(arguments[1], arguments[2])?;
        let name = MasterName::from(text(arguments[0]));
        match self.index.get(&name) {
            None => {
                self.index.insert(name.clone(), (self.result.masters.len(), statement.source));
                self.result.masters.push(MasterSettings::new(name, host, port, quorum));
            }
            Some((_, source)) if *source == statement.source => return Err("Duplicate master name."),
            // The file's own line is what a rewrite recorded, so it is the later truth (spec 1 §5.7, §8.2).
            Some(&(index, _)) => {
                if statement.source == Source::File {
                    let master = &mut self.result.masters[index];
                    (master.host, master.port, master.quorum) = (host, port, quorum);
                    self.index.insert(name, (index, Source::File));
                }
                self.remark(
                    statement,
                    "this master is defined twice, the configuration file's own line counts",
                );
            }
        }
        Ok(())
    }

    /// Host and port as an instance may have them (spec 1 §3.3). Names are resolved later, by the engine's wish.
    ///
    /// Differs: a short form such as `127.1` becomes the full one at once; the reference keeps it for `announce-hostnames`.
    fn address(&self, host: &[u8], port: &[u8]) -> Outcome<(String, u16)> {
        let port = u16::try_from(number::lenient(port)).map_err(|_| "Invalid port number.")?;
        let host = text(host);
        match numeric_ip::parse(&host) {
            Some(ip) => Ok((ip.to_string(), port)),
            None if self.result.sentinel.resolve_hostnames => Ok((host, port)),
            None => Err(UNRESOLVED),
        }
    }

    fn master(&mut self, word: Word, arguments: &[&[u8]], statement: &Statement) -> Outcome {
        // The form of old versions, which had no run id, is passed over whatever it names.
        if word == Word::KnownSentinel && arguments.len() == 3 {
            return Ok(());
        }
        const UNKNOWN: &str = "No such master with specified name.";
        let index = self.index.get(text(arguments[0]).as_str()).ok_or(UNKNOWN)?.0;
        let value = arguments[1];
        match word {
            Word::KnownReplica => return self.known_replica(index, arguments, statement),
            Word::KnownSentinel => return self.known_sentinel(index, arguments),
            Word::NotificationScript => {
                let path = self.script(value, "Notification script seems non existing or non executable.")?;
                self.result.masters[index].notification_script = Some(path);
            }
            Word::ClientReconfigScript => {
                let path = self
                    .script(value, "Client reconfiguration script seems non existing or non executable.")?;
                self.result.masters[index].client_reconfig_script = Some(path);
            }
            Word::ConfigEpoch => {
                let epoch = Epoch(number::lenient_u64(value));
                let known = self.result.masters[index].config_epoch;
                self.result.masters[index].config_epoch = self.later(known, epoch);
                self.result.sentinel.current_epoch = self.result.sentinel.current_epoch.max(epoch);
            }
            Word::LeaderEpoch => {
                let known = self.result.masters[index].leader_epoch;
                self.result.masters[index].leader_epoch =
                    self.later(known, Epoch(number::lenient_u64(value)));
            }
            Word::RenameCommand => self.rename_command(index, arguments)?,
            _ => set_option(&mut self.result.masters[index], word, value)?,
        }
        Ok(())
    }

    /// Of two epochs the one that counts: the last, but an include or the command line must not turn one back.
    fn later(&self, known: Epoch, new: Epoch) -> Epoch {
        if self.mixed { known.max(new) } else { new }
    }

    fn script(&mut self, path: &[u8], refusal: &'static str) -> Outcome<String> {
        let path = text(path);
        if (self.is_executable)(&path) { Ok(path) } else { Err(refusal) }
    }

    fn known_replica(&mut self, index: usize, arguments: &[&[u8]], statement: &Statement) -> Outcome {
        let address = self.address(arguments[1], arguments[2])?;
        let replicas = &mut self.result.masters[index].replicas;
        if replicas.contains(&address) {
            // Differs: Redis 7.0 refuses the file that its own rewrite made out of a `known-slave` line (spec 1 §3.4).
            self.remark(statement, "this replica is named twice");
        } else {
            replicas.push(address);
        }
        Ok(())
    }

    fn known_sentinel(&mut self, index: usize, arguments: &[&[u8]]) -> Outcome {
        let (host, port) = self.address(arguments[1], arguments[2])?;
        let peer = KnownPeer { run_id: RunId::from(text(arguments[3])), host, port };
        let peers = &mut self.result.masters[index].peers;
        match peers.iter().find(|known| known.run_id == peer.run_id) {
            Some(known) if self.mixed && *known == peer => {}
            Some(_) => return Err("Duplicate runid for sentinel."),
            None => peers.push(peer),
        }
        Ok(())
    }

    fn rename_command(&mut self, index: usize, arguments: &[&[u8]]) -> Outcome {
        let (old, new) = (text(arguments[1]), text(arguments[2]));
        let renames = &mut self.result.masters[index].renamed_commands;
        match renames.iter().find(|(known, _)| known.eq_ignore_ascii_case(&old)) {
            Some((_, known)) if self.mixed && *known == new => {}
            Some(_) => return Err("Same command renamed multiple times with rename-command."),
            None => renames.push((old, new)),
        }
        Ok(())
    }

    fn remark(&mut self, statement: &Statement, text: &str) {
        let line = String::from_utf8_lossy(&statement.line.1);
        let text = format!("{}: `{line}`: {text}", statement.place);
        self.result.remarks.push(Remark { text, belated: false });
    }
}

/// The options of a master that need nothing but their value.
fn set_option(master: &mut MasterSettings, word: Word, value: &[u8]) -> Outcome {
    let period = |refusal| match number::lenient(value) {
        ..=0 => Err(refusal),
        milliseconds => Ok(Duration::from_millis(milliseconds.unsigned_abs().into())),
    };
    const NOT_POSITIVE: &str = "negative or zero time parameter.";
    match word {
        Word::DownAfter => master.down_after = period(NOT_POSITIVE)?,
        Word::FailoverTimeout => master.failover_timeout = period(NOT_POSITIVE)?,
        Word::ParallelSyncs => master.parallel_syncs = number::lenient(value),
        Word::AuthPass => master.auth_pass = Some(value.to_vec()),
        Word::AuthUser => master.auth_user = Some(value.to_vec()),
        Word::RebootDownAfter if number::lenient(value) == 0 => master.reboot_down_after = None,
        Word::RebootDownAfter => master.reboot_down_after = Some(period("negative time parameter.")?),
        _ => unreachable!("not an option of a master: {word:?}"),
    }
    Ok(())
}

/// Names, hosts and paths are any bytes.
fn text(value: &[u8]) -> String {
    lossless::text_of(value).into_owned()
}

fn yes_no(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}
