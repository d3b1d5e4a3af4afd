//! The text of a play, parsed. `cases/README.md` tells what each line means; this module knows no server.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::mask::{self, Mask};

/// One file: who is on the stage, and what happens.
#[derive(Debug, Default)]
pub struct Play {
    pub name: String,
    pub stage: Plan,
    pub cases: Vec<Case>,
}

/// Who is on the stage.
#[derive(Debug, Default)]
pub struct Plan {
    /// Masters and replicas in the order of their start: name, and whose replica it is.
    pub data: Vec<(String, Option<String>)>,
    /// Names of ports that are reserved and on which nothing listens.
    pub vacant: Vec<String>,
    /// Sentinels of the reference's kind on both stages, beside the one that is compared.
    pub peers: Vec<String>,
    /// Lines for the configuration file of a server, by its name.
    pub lines: BTreeMap<String, Vec<String>>,
    /// Arguments after the configuration file of the Sentinel that is compared.
    pub args: Vec<String>,
    /// Files beside it: name, lines.
    pub files: BTreeMap<String, Vec<String>>,
    /// The Sentinel that is compared is not started at once.
    pub unstarted: bool,
}

/// What is counted: some steps under one name.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub line: usize,
    pub masks: Vec<Mask>,
    /// The row of docs/COMPATIBILITY.md by which the two differ, and what ours must contain.
    pub differs: Option<(String, Vec<String>)>,
    pub steps: Vec<Step>,
}

/// One line of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Sends a command on a connection and compares its reply.
    Call { connection: String, words: String },
    /// Sends bytes on a connection of its own and compares everything that comes until it closes or is done.
    Raw(String),
    /// Compares the next messages that come on a connection.
    Read { connection: String, count: usize },
    /// Compares whether a connection has been closed.
    Closed(String),
    /// Sends bytes on a connection and awaits nothing.
    Send { connection: String, text: String },
    /// Sends no more on a connection and compares everything that still comes, until it closes.
    Rest(String),
    /// Writes a file of the stage anew.
    Write { file: String, text: String },
    /// Opens a connection from an address of its own.
    Open { connection: String, from: String },
    /// Drops a connection.
    Drop(String),
    /// Sends a command to a server on each stage and compares nothing.
    Do { node: String, words: String },
    /// A signal, or the end or start of a server.
    Process { what: Signal, node: String },
    /// Starts a server without waiting for it to answer.
    Spawn(String),
    /// Has a shell run a command in the stage's folder, and compares what it says and how it ends.
    Shell(String),
    /// Waits until what a shell says contains a text, or no longer does.
    UntilShell { command: String, text: String, present: bool },
    /// Waits until a line of the log since the last comparison contains a text.
    Logged(String),
    /// Waits until the rendering of a reply contains a text, or no longer does.
    Until { words: String, text: String, present: bool },
    /// Waits for an event since the last comparison of events.
    Event { channel: String, text: String },
    /// Compares the events since the last comparison.
    Events(Selection),
    /// Compares the lines of the log since the last comparison.
    Log(Selection),
    /// Compares the configuration file.
    Conf,
    /// Waits for the end of the Sentinel and compares its exit status.
    Exit,
    /// Lets events and log lines so far pass uncompared.
    Forget,
    /// Nothing but time, for what must not happen: it is the same on both stages.
    Pause(Duration),
}

impl Step {
    /// True for a question about a state that changes by itself, and that the question does not change.
    pub fn shows_state(&self) -> bool {
        const QUESTIONS: [&str; 8] = [
            "SENTINEL MASTER ",
            "SENTINEL MASTERS",
            "SENTINEL REPLICAS ",
            "SENTINEL SENTINELS ",
            "SENTINEL CKQUORUM ",
            "SENTINEL PENDING-SCRIPTS",
            "INFO sentinel",
            // Connections that the play has closed go when the other side sees it.
            "CLIENT LIST",
        ];
        matches!(self, Step::Call { words, .. } if QUESTIONS.iter().any(|question| words.starts_with(question)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Signal {
    Start,
    Kill,
    Term,
    Int,
    Stop,
    Cont,
}

/// Which events or log lines are compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    pub sorted: bool,
    /// Each once.
    pub distinct: bool,
    pub only: Vec<String>,
    pub but: Vec<String>,
}

/// Reads a play; the error names file and line.
pub fn read(path: &Path) -> Result<Play, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut reader =
        Reader { play: Play { name, ..Play::default() }, masks: Vec::new(), differs: None, ours: Vec::new() };
    for (i, line) in text.lines().enumerate() {
        reader.line(i + 1, line).map_err(|error| format!("{}:{}: {error}", path.display(), i + 1))?;
    }
    Ok(reader.play)
}

struct Reader {
    play: Play,
    masks: Vec<Mask>,
    differs: Option<String>,
    ours: Vec<String>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Ok(());
        }
        if line.starts_with("  ") {
            let step = step(trimmed)?;
            let case = self.play.cases.last_mut().ok_or("a step before the first case")?;
            case.steps.push(step);
            return Ok(());
        }
        let (word, rest) = split(trimmed);
        match word {
            "case" => self.open(number, rest.to_owned()),
            "mask" => self.masks = mask::named(rest)?,
            "differs" => self.differs = Some(rest.to_owned()),
            "ours" => self.ours.push(rest.to_owned()),
            _ if word.ends_with('>') && step(trimmed).is_ok() => {
                self.open(number, trimmed.to_owned());
                let step = step(trimmed)?;
                self.play.cases.last_mut().expect("just opened").steps.push(step);
            }
            _ => self.stage(word, rest)?,
        }
        Ok(())
    }

    fn open(&mut self, line: usize, name: String) {
        let ours = std::mem::take(&mut self.ours);
        let differs = self.differs.take().map(|row| (row, ours));
        self.play.cases.push(Case { name, line, masks: self.masks.clone(), differs, steps: Vec::new() });
    }

    fn stage(&mut self, word: &str, rest: &str) -> Result<(), String> {
        if !self.play.cases.is_empty() {
            return Err(format!("{word:?} is neither a case, a mask, nor a difference"));
        }
        let stage = &mut self.play.stage;
        let (first, second) = split(rest);
        match word {
            "master" => stage.data.push((rest.to_owned(), None)),
            "replica" => {
                stage.data.push((first.to_owned(), Some(second.trim_start_matches("of ").to_owned())))
            }
            "vacant" => stage.vacant.push(rest.to_owned()),
            "peer" => stage.peers.push(rest.to_owned()),
            "args" => stage.args = rest.split(' ').map(str::to_owned).collect(),
            "unstarted" => stage.unstarted = true,
            "conf" => stage.lines.entry("s".to_owned()).or_default().push(rest.to_owned()),
            "line" => stage.lines.entry(first.to_owned()).or_default().push(second.to_owned()),
            "file" => stage.files.entry(first.to_owned()).or_default().push(second.to_owned()),
            _ => return Err(format!("{word:?} is no word for a stage")),
        }
        Ok(())
    }
}

fn step(line: &str) -> Result<Step, String> {
    if let Some(words) = line.strip_prefix("> ") {
        return Ok(Step::Call { connection: "main".into(), words: words.to_owned() });
    }
    let (word, rest) = split(line);
    if let Some(connection) = word.strip_suffix('>') {
        return Ok(Step::Call { connection: connection.to_owned(), words: rest.to_owned() });
    }
    if let Some(connection) = word.strip_suffix('<') {
        let count =
            if rest.is_empty() { 1 } else { rest.parse().map_err(|_| format!("{rest:?} is no count"))? };
        return Ok(Step::Read { connection: connection.to_owned(), count });
    }
    let process = |what| Step::Process { what, node: rest.to_owned() };
    Ok(match word {
        "raw" => Step::Raw(rest.to_owned()),
        "closed" => Step::Closed(rest.to_owned()),
        "drop" => Step::Drop(rest.to_owned()),
        "rest" => Step::Rest(rest.to_owned()),
        "send" => {
            let (connection, text) = split(rest);
            Step::Send { connection: connection.to_owned(), text: text.to_owned() }
        }
        "write" => {
            let (file, text) = split(rest);
            Step::Write { file: file.to_owned(), text: text.to_owned() }
        }
        "open" => {
            let (connection, from) = split(rest);
            Step::Open { connection: connection.to_owned(), from: from.to_owned() }
        }
        "do" => {
            let (node, words) = split(rest);
            Step::Do { node: node.to_owned(), words: words.to_owned() }
        }
        "start" => process(Signal::Start),
        "kill" => process(Signal::Kill),
        "term" => process(Signal::Term),
        "int" => process(Signal::Int),
        "stop" => process(Signal::Stop),
        "cont" => process(Signal::Cont),
        "spawn" => Step::Spawn(rest.to_owned()),
        "sh" => Step::Shell(rest.to_owned()),
        "until" => {
            let (words, text, present) = until(rest)?;
            Step::Until { words, text, present }
        }
        "until-sh" => {
            let (command, text, present) = until(rest)?;
            Step::UntilShell { command, text, present }
        }
        "logged" => Step::Logged(rest.to_owned()),
        "event" => {
            let (channel, text) = split(rest);
            Step::Event { channel: channel.to_owned(), text: text.to_owned() }
        }
        "events" => Step::Events(selection(rest)?),
        "log" => Step::Log(selection(rest)?),
        "conf" => Step::Conf,
        "exit" => Step::Exit,
        "forget" => Step::Forget,
        "pause" => Step::Pause(Duration::from_millis(rest.parse().map_err(|_| "pause takes milliseconds")?)),
        _ => return Err(format!("{word:?} is no step")),
    })
}

fn until(rest: &str) -> Result<(String, String, bool), String> {
    for (arrow, present) in [(" => ", true), (" =/> ", false)] {
        if let Some((words, text)) = rest.split_once(arrow) {
            return Ok((words.to_owned(), text.to_owned(), present));
        }
    }
    Err("until takes a command, then ` => ` or ` =/> `, then a text".to_owned())
}

/// `sorted distinct only A|B but C|D`
fn selection(rest: &str) -> Result<Selection, String> {
    let rest = format!(" {rest}");
    let (rest, but) = rest.split_once(" but ").unwrap_or((&rest, ""));
    let (rest, only) = rest.split_once(" only ").unwrap_or((rest, ""));
    let list = |text: &str| text.split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut selection = Selection { only: list(only), but: list(but), ..Selection::default() };
    for word in rest.split_whitespace() {
        match word {
            "sorted" => selection.sorted = true,
            "distinct" => selection.distinct = true,
            _ => return Err(format!("{word:?} selects nothing")),
        }
    }
    Ok(selection)
}

fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first, rest.trim())
}
