//! Carrying out one command: the checks in their order, then the engine, the directory, or the session (spec 3 §3.2.1).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ExitRequest;
use super::connection::Connection;
use super::facts;
use super::handle::{Message, lock};
use super::stats::count;
use crate::acl::Denied;
use crate::acl::log::{Entry, Reason};
use crate::engine::Input;
use crate::model::CommandId;
use crate::session::slots::Owed;
use crate::text::lossless::into_bytes;
use crate::wire::info_text::info_text;
use crate::wire::view::SentinelInfoView;
use crate::wire::{
    Answer, Command, CommandError, CommandSpec, Parsed, Sections, SentinelCommand, Value, Verb, parse,
    pubsub, render,
};

/// How often a command that waits for the end of a pause looks whether it came early.
const PAUSE_PERIOD: Duration = Duration::from_millis(50);

/// Outstanding commands beyond which no question with a long answer joins them: answers take memory until they are read.
const MAX_LONG: usize = 8;

/// How the engine's answer becomes a reply.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// As it is.
    Plain,
    /// PING with a text to send back.
    Pong(Option<Bytes>),
    /// INFO with these sections.
    Info(Sections),
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Flow {
    /// It is answered, or will be.
    Done,
    /// It must wait; so must all after it.
    Stalled(Stall),
    /// The connection is to be dropped at once.
    Drop,
}

/// What a command waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stall {
    /// The answers to earlier commands: no more than this many may be outstanding.
    Owed(usize),
    /// The end of CLIENT PAUSE.
    Paused(Instant),
}

impl Stall {
    /// True if it is worth another try.
    pub fn is_over(self, waiting: usize) -> bool {
        match self {
            Stall::Owed(at_most) => waiting <= at_most,
            Stall::Paused(until) => Instant::now() >= until,
        }
    }

    /// When to try again at the latest.
    pub fn look_again(self) -> Option<Instant> {
        match self {
            Stall::Owed(_) => None,
            Stall::Paused(until) => Some(until),
        }
    }
}

impl Connection {
    /// Carries out a command, or sends it on its way. Differs: what was ready before an HTTP request may have been sent.
    pub async fn execute(&mut self, words: &[Bytes]) -> Flow {
        let spec = match self.shared.naming.lookup(words) {
            Ok(spec) => spec,
            Err(CommandError::Http) => {
                self.shared.log_attack();
                return Flow::Drop;
            }
            Err(error) => {
                // Compat: too many words or too few, and the command is still the last one.
                self.session.last_command = match error {
                    CommandError::WrongArity(name) => Some(name),
                    _ => None,
                };
                return self.refuse(&error);
            }
        };
        self.session.last_command = Some(spec.name);
        if let Err(error) = self.admit(spec, words) {
            return self.refuse(&error);
        }
        if let Some(rest) = self.shared.pause.holds(spec.verb) {
            return Flow::Stalled(Stall::Paused(Instant::now() + rest.min(PAUSE_PERIOD)));
        }
        let flow = self.carry_out(spec, words).await;
        if !matches!(flow, Flow::Stalled(_)) {
            count(&self.shared.stats.commands, 1);
            self.session.command_done();
        }
        flow
    }

    async fn carry_out(&mut self, spec: &'static CommandSpec, words: &[Bytes]) -> Flow {
        if let Some(flow) = self.answer_at_once(spec, words) {
            return flow;
        }
        match parse(spec, words, &self.shared.naming, self.session.name.as_deref()) {
            Ok(Parsed::Engine(_)) if is_long(spec.verb) && self.slots.waiting() >= MAX_LONG => {
                return Flow::Stalled(Stall::Owed(MAX_LONG - 1));
            }
            Ok(Parsed::Engine(command)) => self.ask_engine(command, words).await,
            Ok(Parsed::Reply(value)) => self.reply(&value),
            // It changes the connection itself, so it must see what was before it done.
            Ok(Parsed::Session) if !self.slots.is_empty() => return Flow::Stalled(Stall::Owed(0)),
            Ok(Parsed::Session) => self.run_session_command(spec.verb, words),
            Err(error) => self.reply(&error.value()),
        }
        Flow::Done
    }

    /// What needs neither the engine nor much else.
    fn answer_at_once(&mut self, spec: &CommandSpec, words: &[Bytes]) -> Option<Flow> {
        match spec.verb {
            Verb::SentinelGetMasterAddrByName if self.slots.is_empty() && self.shared.engine_is_alive() => {
                match self.shared.directory.answer(&words[2]) {
                    Some(answer) if self.session.wants_reply() => self.out.extend_from_slice(&answer),
                    Some(_) => {}
                    None => self.reply(&Value::NullArray),
                }
            }
            Verb::Ping if self.session.is_restricted() && words.len() <= 2 => {
                let pong = pubsub::pong(words.get(1).cloned(), true);
                self.reply(&pong);
            }
            Verb::Info if !Sections::from_words(&words[1..]).needs_engine() => {
                self.reply(&self.info(&NO_SENTINEL, Sections::from_words(&words[1..])));
            }
            _ => return None,
        }
        Some(Flow::Done)
    }

    async fn ask_engine(&mut self, command: Command, words: &[Bytes]) {
        let how = match &command {
            Command::Ping => How::Pong(words.get(1).cloned()),
            Command::Info => How::Info(Sections::from_words(&words[1..])),
            _ => How::Plain,
        };
        let runnable = match &command {
            Command::Sentinel(SentinelCommand::Set { words, .. }) => runnable(words),
            _ => Vec::new(),
        };
        let wanted = self.session.wants_reply();
        let seq = self.slots.owe(Owed { protocol: self.session.protocol, wanted, how });
        let id = CommandId { client: self.session.id, seq };
        // Without an engine the process ends; nobody will miss the answer.
        self.shared.inbox.ask(Input::Command { id, command, runnable }).await;
    }

    fn run_session_command(&mut self, verb: Verb, words: &[Bytes]) {
        match verb {
            Verb::Auth => self.auth(words),
            Verb::Hello => self.hello(words),
            Verb::Subscribe | Verb::Psubscribe | Verb::Unsubscribe | Verb::Punsubscribe => {
                self.change_subscriptions(verb, &words[1..]);
            }
            Verb::Shutdown => self.shutdown(&words[1..]),
            Verb::AclCat
            | Verb::AclDeluser
            | Verb::AclDryrun
            | Verb::AclGenpass
            | Verb::AclGetuser
            | Verb::AclList
            | Verb::AclLoad
            | Verb::AclLog
            | Verb::AclSave
            | Verb::AclSetuser
            | Verb::AclUsers
            | Verb::AclWhoami => self.run_acl_command(verb, words),
            _ => self.run_client_command(verb, words),
        }
        // Others, and this client's next commands, must see who it is now.
        self.handle.note_session(&self.session);
    }

    /// SHUTDOWN (spec 3 §3.5.6). Differs: what was answered before it is still sent if the end leaves time for that.
    fn shutdown(&mut self, words: &[Bytes]) {
        let given = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
        let known = |word: &Bytes| {
            ["nosave", "save", "now", "force", "abort"]
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        let other_than_abort = words.iter().any(|word| !word.eq_ignore_ascii_case(b"abort"));
        if !words.iter().all(known)
            || (given("save") && given("nosave"))
            || (given("abort") && other_than_abort)
        {
            return self.reply(&CommandError::Syntax.value());
        }
        if given("abort") {
            return self.reply(&Value::error("No shutdown in progress."));
        }
        // If nobody listens, the process is ending already.
        let _ = self.shared.exit.send(ExitRequest::Shutdown);
        self.fall_silent();
    }

    fn admit(&mut self, spec: &CommandSpec, words: &[Bytes]) -> Result<(), CommandError> {
        let acl = self.shared.acl.load();
        let Err(refusal) = self.session.admit(&acl, spec, words) else { return Ok(()) };
        drop(acl);
        match refusal.denied {
            Some(Denied::Command) => self.log_refusal(Reason::Command, spec.name.as_bytes(), None),
            Some(Denied::Channel(name)) => self.log_refusal(Reason::Channel, &name, None),
            None => {}
        }
        Err(refusal.error)
    }

    /// An entry for ACL LOG; `user` if it was not the client's own.
    pub fn log_refusal(&mut self, reason: Reason, object: &[u8], user: Option<&[u8]>) {
        self.note_facts();
        lock(&self.shared.acl_log).record(Entry {
            count: 1,
            reason,
            object: object.to_vec(),
            username: user.unwrap_or(&self.session.user).to_vec(),
            at: self.shared.now(),
            client: self.handle.line(),
        });
    }

    fn refuse(&mut self, error: &CommandError) -> Flow {
        self.reply(&error.value());
        self.session.command_done();
        Flow::Done
    }

    /// Answers the current command, behind what is owed to earlier ones.
    pub fn reply(&mut self, value: &Value) {
        self.count_error(value);
        if self.session.wants_reply() {
            self.slots.put(value, self.session.protocol, &mut self.out);
        }
    }

    /// Sends something that answers no command: whatever CLIENT REPLY says, and not behind what is owed.
    pub fn push(&mut self, value: &Value) {
        value.encode(self.session.protocol, &mut self.out);
    }

    /// Sends a message to which the client is subscribed.
    pub fn push_message(&mut self, message: &Message) {
        let (channel, payload) = (message.channel.clone(), message.payload.clone());
        let value = match &message.pattern {
            Some(pattern) => pubsub::pattern_message(pattern.clone(), channel, payload),
            None => pubsub::message(channel, payload),
        };
        self.push(&value);
    }

    /// The engine answered a command.
    pub fn take_answer(&mut self, seq: u64, answer: Answer) {
        if matches!(answer, Answer::Error(_)) {
            count(&self.shared.stats.errors, 1);
        }
        let shared = self.shared.clone();
        self.slots.settle(seq, &mut self.out, |how| match (how, answer) {
            (How::Pong(text), Answer::Pong) => pubsub::pong(text, false),
            (How::Info(sections), Answer::Info(view)) => {
                Value::bulk(into_bytes(info_text(&facts::collect(&shared), &view, sections)))
            }
            (_, answer) => render(answer),
        });
    }

    fn info(&self, view: &SentinelInfoView, sections: Sections) -> Value {
        Value::bulk(into_bytes(info_text(&facts::collect(&self.shared), view, sections)))
    }

    fn count_error(&self, value: &Value) {
        if matches!(value, Value::Error(_)) {
            count(&self.shared.stats.errors, 1);
        }
    }
}

/// For INFO without its Sentinel section.
const NO_SENTINEL: SentinelInfoView = SentinelInfoView {
    tilt_since: None,
    total_tilt: 0,
    running_scripts: 0,
    scripts_queue_length: 0,
    simulate_failure_flags: 0,
    masters: Vec::new(),
};

/// Questions whose answers grow with the number of masters.
fn is_long(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Info
            | Verb::Role
            | Verb::SentinelMasters
            | Verb::SentinelReplicas
            | Verb::SentinelSlaves
            | Verb::SentinelSentinels
            | Verb::SentinelInfoCache
            | Verb::SentinelPendingScripts
    )
}

/// The words of a SENTINEL SET that are scripts which can be run.
fn runnable(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_script_option = |word: &[u8]| {
        word.eq_ignore_ascii_case(b"notification-script")
            || word.eq_ignore_ascii_case(b"client-reconfig-script")
    };
    let paths = words.windows(2).filter(|pair| is_script_option(&pair[0])).map(|pair| &pair[1]);
    let can_run =
        |path: &&Vec<u8>| nix::unistd::access(path.as_slice(), nix::unistd::AccessFlags::X_OK).is_ok();
    paths.filter(can_run).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_that_can_run_are_runnable() {
        let words = |text: &str| text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let set = "quorum /bin/sh notification-script /bin/sh Client-Reconfig-Script /etc/passwd notification-script /none";
        assert_eq!(runnable(&words(set)), [b"/bin/sh".to_vec()]);
        assert!(runnable(&words("notification-script")).is_empty());
    }
}
