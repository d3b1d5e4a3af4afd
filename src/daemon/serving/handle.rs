//! What others may touch of a client: its mail, and the facts CLIENT LIST shows. Everything else belongs to the client's own task.
//!
//! Whoever delivers mail never waits: the lock is held for a few moves of memory, and a client that does not read is doomed by its
//! output limit rather than waited for.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Notify;

use super::backlog::{Backlog, Output, Unwritten};
use crate::conf::settings::BufferLimit;
use crate::model::ClientId;
use crate::session::Session;
use crate::session::subscriptions::Kind;
use crate::wire::{Answer, Protocol};

/// A message to a subscriber.
#[derive(Debug)]
pub(super) struct Message {
    /// The pattern that matched; `None`: subscribed to the channel itself.
    pub pattern: Option<Bytes>,
    /// The channel.
    pub channel: Bytes,
    /// The text.
    pub payload: Bytes,
}

/// One piece of mail.
#[derive(Debug)]
pub(super) enum Item {
    /// The engine's answer to a command of this client.
    Answer(u64, Answer),
    /// A message it is subscribed to.
    Message(Arc<Message>),
    /// The rules of its user changed: its subscriptions may be forbidden now.
    RulesChanged,
}

/// How a connection is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doom {
    /// At once.
    Now,
    /// When what is queued was sent, or after a moment.
    Flushed,
}

/// What was taken from the mailbox.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// In the order it came.
    pub items: VecDeque<Item>,
    /// Somebody wants the connection closed.
    pub doom: Option<Doom>,
}

#[derive(Debug, Default)]
struct Mail {
    delivery: Delivery,
    backlog: Backlog,
}

/// The facts of a client that others may read.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub name: Option<String>,
    pub user: Vec<u8>,
    pub last_command: Option<&'static str>,
    pub last_active: Instant,
    pub channels: usize,
    pub patterns: usize,
    pub protocol: Protocol,
    pub parked: bool,
    pub closing: bool,
    pub tracking: bool,
    pub broadcast: bool,
    pub redirect: i64,
    pub no_evict: bool,
    /// Bytes received and not yet understood.
    pub input: usize,
    /// Bytes of room in the input buffer.
    pub input_room: usize,
    /// Bytes of the words of the command that is carried out, or parked.
    pub words: usize,
    /// Bytes of that command as it was received.
    pub request: usize,
}

impl Facts {
    pub fn subscriptions(&self) -> usize {
        self.channels + self.patterns
    }
}

/// A client, as others see it.
#[derive(Debug)]
pub(super) struct Handle {
    pub id: ClientId,
    /// `ip:port`, or the path and `:0` for the Unix socket.
    pub peer: String,
    pub local: String,
    pub fd: i32,
    pub is_unix: bool,
    pub born: Instant,
    mail: Mutex<Mail>,
    bell: Notify,
    facts: Mutex<Facts>,
}

impl Handle {
    pub fn new(session: &Session, peer: String, local: String, fd: i32, is_unix: bool) -> Handle {
        let born = Instant::now();
        let facts = Mutex::new(Facts {
            name: None,
            user: session.user.clone(),
            last_command: None,
            last_active: born,
            channels: 0,
            patterns: 0,
            protocol: session.protocol,
            parked: false,
            closing: false,
            tracking: false,
            broadcast: false,
            redirect: -1,
            no_evict: false,
            input: 0,
            input_room: 0,
            words: 0,
            request: 0,
        });
        let (id, mail, bell) = (session.id, Mutex::default(), Notify::new());
        Handle { id, peer, local, fd, is_unix, born, mail, bell, facts }
    }

    /// Delivers an answer.
    pub fn answer(&self, seq: u64, answer: Answer) {
        lock(&self.mail).delivery.items.push_back(Item::Answer(seq, answer));
        self.bell.notify_one();
    }

    /// Tells the client's task to look at its subscriptions again.
    pub fn rules_changed(&self) {
        lock(&self.mail).delivery.items.push_back(Item::RulesChanged);
        self.bell.notify_one();
    }

    /// Delivers a message. If that broke the output limit, the client is doomed, what it was sent is dropped, and its line as of then is
    /// returned.
    pub fn deliver(&self, message: &Arc<Message>, limit: BufferLimit) -> Option<String> {
        let mut mail = lock(&self.mail);
        if mail.delivery.doom.is_some() {
            return None;
        }
        mail.delivery.items.push_back(Item::Message(message.clone()));
        let within = mail.backlog.add(message, limit);
        drop(mail);
        if within {
            self.bell.notify_one();
            return None;
        }
        let line = self.log_line();
        self.doom(Doom::Now);
        Some(line)
    }

    /// Asks for the end of the connection.
    pub fn doom(&self, doom: Doom) {
        lock(&self.mail).doom(doom);
        self.bell.notify_one();
    }

    /// Takes the mail out. For the client's own task.
    pub fn take_mail(&self) -> Delivery {
        let mut mail = lock(&self.mail);
        mail.backlog.taken();
        std::mem::take(&mut mail.delivery)
    }

    /// Waits until there is mail. For the client's own task.
    pub async fn mail_came(&self) {
        self.bell.notified().await;
    }

    /// What waits to be sent to the client, wherever it waits.
    pub fn output(&self) -> Output {
        lock(&self.mail).backlog.output()
    }

    /// Notes what waits to be written, and checks it. False if the limit is broken.
    pub fn note_unwritten(&self, unwritten: Unwritten, limit: BufferLimit) -> bool {
        lock(&self.mail).backlog.note(unwritten, limit)
    }

    /// A copy of the facts.
    pub fn facts(&self) -> Facts {
        lock(&self.facts).clone()
    }

    /// The ACL user it acts as.
    pub fn is_user(&self, name: &[u8]) -> bool {
        lock(&self.facts).user == name
    }

    /// Changes the facts. For the client's own task.
    pub fn note(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut lock(&self.facts));
    }

    /// Copies what the session knows into the facts. For the client's own task.
    pub fn note_session(&self, session: &Session) {
        let mut facts = lock(&self.facts);
        facts.name.clone_from(&session.name);
        facts.user.clone_from(&session.user);
        facts.last_command = session.last_command;
        facts.channels = session.subscriptions.count_of(Kind::Channel);
        facts.patterns = session.subscriptions.count_of(Kind::Pattern);
        facts.protocol = session.protocol;
        facts.tracking = session.tracking.is_on();
        facts.broadcast = session.tracking.is_broadcast();
        facts.redirect = session.tracking.redirect();
        facts.no_evict = session.no_evict;
    }

    /// The same as text, for the log.
    pub fn log_line(&self) -> String {
        String::from_utf8_lossy(&self.line()).into_owned()
    }

    /// The line of CLIENT LIST, without its line end (spec 3 §3.5.8).
    pub fn line(&self) -> Vec<u8> {
        let (facts, output) = (self.facts(), self.output());
        let mut line =
            format!("id={} addr={} laddr={} fd={}", self.id.0, self.peer, self.local, self.fd).into_bytes();
        let seconds = |since: Instant| since.elapsed().as_secs();
        let (input, buffers) = (facts.request + facts.input, facts.input_room + output.room);
        let total = size_of::<Handle>() + input + buffers + facts.words + output.in_list;
        // Writing to memory can't fail.
        let _ = write!(
            line,
            " name={} age={} idle={} flags={} db=0 sub={} psub={} ssub=0 multi=-1 qbuf={} qbuf-free={} argv-mem={} \
             multi-mem=0 rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user=",
            facts.name.as_deref().unwrap_or_default(),
            seconds(self.born),
            seconds(facts.last_active),
            self.flags(&facts),
            facts.channels,
            facts.patterns,
            input,
            facts.input_room,
            facts.words,
            output.room,
            output.peak,
            output.in_buffer,
            output.list_length(),
            output.in_list,
            total,
            if output.is_stuck { "rw" } else { "r" },
            facts.last_command.unwrap_or("NULL"),
        );
        line.extend_from_slice(&facts.user);
        let protocol = if facts.protocol == Protocol::Resp3 { 3 } else { 2 };
        let _ = write!(line, " redir={} resp={protocol}", facts.redirect);
        line
    }

    fn flags(&self, facts: &Facts) -> String {
        let flags = [
            (facts.subscriptions() > 0, 'P'),
            (facts.parked, 'b'),
            (facts.tracking, 't'),
            (facts.broadcast, 'B'),
            (facts.closing, 'c'),
            (lock(&self.mail).delivery.doom == Some(Doom::Now), 'A'),
            (self.is_unix, 'U'),
            (facts.no_evict, 'e'),
        ];
        let text: String = flags.into_iter().filter_map(|(set, letter)| set.then_some(letter)).collect();
        if text.is_empty() { "N".to_owned() } else { text }
    }
}

impl Mail {
    fn doom(&mut self, doom: Doom) {
        if doom == Doom::Now {
            self.delivery.items = VecDeque::new();
            self.backlog.dropped();
        }
        if self.delivery.doom != Some(Doom::Now) {
            self.delivery.doom = Some(doom);
        }
    }
}

/// Locks, whatever happened to an earlier holder: a panic ends the process anyway.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doomed_keep_nothing_and_the_worse_doom_wins() {
        let mut mail = Mail::default();
        mail.doom(Doom::Flushed);
        mail.delivery.items.push_back(Item::RulesChanged);
        mail.doom(Doom::Now);
        mail.doom(Doom::Flushed);
        assert_eq!((mail.delivery.doom, mail.delivery.items.len()), (Some(Doom::Now), 0));
    }
}
