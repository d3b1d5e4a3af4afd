//! The task of one client: bytes in, commands out, answers back. It alone touches the socket and the session.
//!
//! One round: take the mail, carry out what was received, write what there is, wait for any of them. A round never waits for the client
//! to read: while too much is unanswered or unwritten, no more is read or carried out. Nor is it long, whatever the client has sent.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::Interest;
use tracing::{debug, warn};

use super::backlog::Unwritten;
use super::execute::{Flow, How, Stall};
use super::handle::{Delivery, Doom, Handle, Item};
use super::listen::reason;
use super::shared::Shared;
use super::stats::count;
use crate::daemon::stream::Stream;
use crate::session::Session;
use crate::session::slots::Slots;
use crate::wire::{ProtocolError, RequestDecoder};

/// Commands of one client that may be with the engine at a time.
const MAX_UNANSWERED: usize = 1024;
/// Unwritten bytes above which nothing more is carried out. Differs: the reference goes on, and keeps replies without limit.
const MAX_BACKLOG: usize = 1024 * 1024;
/// Commands carried out before other clients have their turn.
const COMMANDS_AT_A_TIME: usize = 128;
/// Bytes read at a time.
const READ_CHUNK: usize = 32 * 1024;
/// How long a doomed connection may take to send what is queued.
const FAREWELL: Duration = Duration::from_millis(100);
/// How often a soft output limit is looked at while nothing moves.
const LIMIT_PERIOD: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client closed it.
    PeerClosed,
    /// Reading failed.
    ReadFailed(io::Error),
    /// Writing failed.
    WriteFailed(io::Error),
    /// Nothing was heard for too long.
    Idle,
    /// Too much input that makes no command.
    QueryLimit,
    /// Too much output that is not read.
    OutputLimit,
    /// TLS was not agreed upon, or took too long.
    HandshakeFailed(io::Error),
    /// We want it so: killed, or closed after a reply.
    Wanted,
}

/// How a connection that is going to be closed is treated until then.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// What is owed is sent first.
    AfterReplies,
    /// What is written already is sent, until then.
    Flushing(Instant),
    /// Nothing more happens until others close it (SHUTDOWN).
    Silent,
}

/// One client.
pub(super) struct Connection {
    pub shared: Arc<Shared>,
    pub handle: Arc<Handle>,
    pub session: Session,
    pub out: BytesMut,
    pub slots: Slots<How>,
    pub stream: Stream,
    decoder: RequestDecoder,
    /// A command that can't be carried out yet; nothing after it is.
    stalled: Option<(Vec<Bytes>, Stall)>,
    closing: Option<Closing>,
    peer_closed: bool,
    last_active: Instant,
    /// Bytes of the last request as it was received.
    request: usize,
}

fn bytes_of(words: &[Bytes]) -> usize {
    words.iter().map(Bytes::len).sum()
}

impl Connection {
    pub fn new(shared: Arc<Shared>, handle: Arc<Handle>, stream: Stream, session: Session) -> Connection {
        let decoder = RequestDecoder::new(shared.settings.max_bulk_len);
        Connection {
            shared,
            handle,
            session,
            out: BytesMut::new(),
            slots: Slots::default(),
            stream,
            decoder,
            stalled: None,
            closing: None,
            peer_closed: false,
            last_active: Instant::now(),
            request: 0,
        }
    }

    /// Serves the client to its end.
    pub async fn run(mut self) {
        let end = self.drive().await;
        self.finish(&end);
    }

    /// Serves the client of a TLS socket.
    pub async fn run_after_handshake(mut self, is_local: bool) {
        let end = match self.shake_hands(is_local).await {
            Some(end) => end,
            None => self.drive().await,
        };
        self.finish(&end);
    }

    fn finish(&mut self, end: &End) {
        self.stream.say_goodbye();
        self.log_end(end);
        self.unsubscribe_all();
        self.shared.registry.remove(self.handle.id);
    }

    /// Sends what is owed, then closes.
    pub fn close_after_replies(&mut self) {
        self.closing.get_or_insert(Closing::AfterReplies);
    }

    /// Does nothing more: the process is about to end.
    pub fn fall_silent(&mut self) {
        self.closing.get_or_insert(Closing::Silent);
    }

    async fn drive(&mut self) -> End {
        loop {
            if let Some(end) = self.read_mail() {
                return end;
            }
            let more = match self.work().await {
                Ok(more) => more,
                Err(end) => return end,
            };
            if let Some(end) = self.write() {
                return end;
            }
            if self.is_finished() {
                return if self.peer_closed { End::PeerClosed } else { End::Wanted };
            }
            if more && self.may_execute() {
                tokio::task::yield_now().await;
                continue;
            }
            if let Some(end) = self.wait().await {
                return end;
            }
        }
    }

    /// True once no more commands are carried out.
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub fn read_mail(&mut self) -> Option<End> {
        let Delivery { items, doom } = self.handle.take_mail();
        for item in items {
            match item {
                Item::Answer(seq, answer) => self.take_answer(seq, answer),
                Item::Message(message) => self.push_message(&message),
                Item::RulesChanged if self.is_still_allowed() => {}
                Item::RulesChanged => return Some(End::Wanted),
            }
        }
        match doom {
            Some(Doom::Now) => Some(End::Wanted),
            Some(Doom::Flushed) => {
                self.closing = Some(Closing::Flushing(Instant::now() + FAREWELL));
                None
            }
            None => None,
        }
    }

    /// Carries out some of what was received. True if it stopped because enough was done or is under way: more may be left.
    async fn work(&mut self) -> Result<bool, End> {
        let mut more = true;
        for _ in 0..COMMANDS_AT_A_TIME {
            if !self.may_execute() {
                break;
            }
            let words = match self.stalled.take() {
                Some((words, stall)) if stall.is_over(self.slots.waiting()) => words,
                Some(stalled) => {
                    self.stalled = Some(stalled);
                    more = false;
                    break;
                }
                None => match self.next_request() {
                    Some(words) => words,
                    None => {
                        more = false;
                        break;
                    }
                },
            };
            match self.execute(&words).await {
                Flow::Done => {}
                Flow::Stalled(stall) => self.stalled = Some((words, stall)),
                Flow::Drop => return Err(End::Wanted),
            }
        }
        let buffered = u64::try_from(self.decoder.buffered()).unwrap_or(u64::MAX);
        if buffered > self.shared.settings.query_buffer_limit {
            self.note_facts();
            return Err(End::QueryLimit);
        }
        self.decoder.release();
        self.note_facts();
        Ok(more)
    }

    fn next_request(&mut self) -> Option<Vec<Bytes>> {
        let limits_apply = self.session.must_authenticate(&self.shared.acl.load());
        let received = self.decoder.buffered();
        let next = self.decoder.next_request(!limits_apply);
        if self.decoder.take_empty() {
            self.session.command_done();
        }
        match next {
            Ok(words) => {
                self.request = received - self.decoder.buffered();
                words
            }
            Err(error) => {
                self.refuse_protocol(error);
                None
            }
        }
    }

    /// Differs: under CLIENT REPLY OFF the connection is closed as well, where the reference leaves it open and deaf.
    fn refuse_protocol(&mut self, error: ProtocolError) {
        self.reply(&error.value());
        self.note_facts();
        // The line tells of the reply, too.
        self.output_is_allowed(false);
        let (name, preview, line) = (error.log_name(), self.decoder.error_preview(), self.handle.log_line());
        debug!("Protocol error ({name}) from client: {line}. Query buffer during protocol error: {preview}");
        self.close_after_replies();
    }

    /// True while more commands may be carried out.
    fn may_execute(&self) -> bool {
        self.closing.is_none()
            && self.slots.waiting() < MAX_UNANSWERED
            && self.out.len() + self.slots.held() < MAX_BACKLOG
    }

    fn is_finished(&self) -> bool {
        match self.closing {
            Some(Closing::AfterReplies) => self.slots.is_empty() && self.is_written(),
            Some(Closing::Flushing(until)) => self.is_written() || Instant::now() >= until,
            Some(Closing::Silent) | None => false,
        }
    }

    /// True if nothing waits to be taken by the socket.
    fn is_written(&self) -> bool {
        self.out.is_empty() && !self.stream.has_unsent()
    }

    fn write(&mut self) -> Option<End> {
        // Compat: a reply counts against the limit even if the socket would take it at once.
        if !self.out.is_empty() && !self.output_is_allowed(false) {
            return Some(End::OutputLimit);
        }
        while !self.is_written() {
            match self.stream.try_write(&self.out) {
                Ok(written) => {
                    self.out.advance(written);
                    self.last_active = Instant::now();
                    count(&self.shared.stats.bytes_out, written);
                    count(&self.shared.stats.writes, 1);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) if self.peer_closed => return Some(End::PeerClosed),
                Err(error) => return Some(End::WriteFailed(error)),
            }
        }
        if self.out.is_empty() {
            // An idle connection owns no buffer.
            self.out = BytesMut::new();
        }
        if self.output_is_allowed(true) { None } else { Some(End::OutputLimit) }
    }

    /// Lets others see what waits to be written, and whether that was tried. False if it is too much.
    fn output_is_allowed(&self, tried: bool) -> bool {
        let limit = self.shared.output_limit(self.session.subscriptions.count() > 0);
        let unwritten = Unwritten { bytes: self.out.len(), room: self.out.capacity(), tried };
        self.handle.note_unwritten(unwritten, limit)
    }

    /// Waits for the socket, for mail, or for the time. Reads if there is something to read.
    async fn wait(&mut self) -> Option<End> {
        let reading = !self.peer_closed && self.stalled.is_none() && self.may_execute();
        let interest = match (reading, !self.is_written()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let deadline = self.deadline();
        let socket = async {
            match interest {
                Some(interest) => self.stream.ready(interest).await,
                None => pending().await,
            }
        };
        let timer = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.handle.mail_came() => None,
            ready = socket => match ready {
                Ok(ready) if reading && (ready.is_readable() || ready.is_read_closed()) => self.read(),
                Ok(_) => None,
                Err(error) => Some(End::ReadFailed(error)),
            },
            () = timer => self.is_idle().then_some(End::Idle),
        }
    }

    fn read(&mut self) -> Option<End> {
        let buffer = self.decoder.buffer();
        buffer.reserve(READ_CHUNK);
        match self.stream.try_read(buffer) {
            Ok(0) if self.slots.is_empty() && self.out.is_empty() => Some(End::PeerClosed),
            Ok(0) => {
                self.peer_closed = true;
                self.close_after_replies();
                None
            }
            Ok(read) => {
                count(&self.shared.stats.bytes_in, read);
                count(&self.shared.stats.reads, 1);
                self.last_active = Instant::now();
                None
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(End::ReadFailed(error)),
        }
    }

    /// When to look again even if nothing happens.
    fn deadline(&self) -> Option<Instant> {
        let limit = self.shared.output_limit(self.session.subscriptions.count() > 0);
        let soft = (!self.out.is_empty() && limit.soft > 0).then(|| Instant::now() + LIMIT_PERIOD);
        let stall = self.stalled.as_ref().and_then(|(_, stall)| stall.look_again());
        let flush = match self.closing {
            Some(Closing::Flushing(until)) => Some(until),
            _ => None,
        };
        [soft, stall, flush, self.idle_at()].into_iter().flatten().min()
    }

    /// When the client counts as idle; subscribers and clients that are made to wait, or that wait for an answer, never do (spec 3 §3.3.5).
    fn idle_at(&self) -> Option<Instant> {
        let timeout = self.shared.settings.timeout;
        let waits = self.stalled.is_some() || !self.slots.is_empty();
        let exempt = timeout.is_zero() || self.session.subscriptions.count() > 0 || waits;
        if exempt { None } else { self.last_active.checked_add(timeout) }
    }

    fn is_idle(&self) -> bool {
        self.idle_at().is_some_and(|at| Instant::now() >= at)
    }

    /// Lets others see how things are.
    pub fn note_facts(&mut self) {
        self.handle.note_session(&self.session);
        let partial = self.decoder.words_received();
        let buffer = self.decoder.buffer();
        let (input, input_room) = (buffer.len(), buffer.capacity() - buffer.len());
        self.handle.note(|facts| {
            facts.last_active = self.last_active;
            facts.parked = self.stalled.as_ref().is_some_and(|(_, stall)| stall.look_again().is_some());
            facts.closing = self.closing.is_some();
            (facts.input, facts.input_room) = (input, input_room);
            facts.words = self.stalled.as_ref().map_or(partial, |(words, _)| bytes_of(words));
            facts.request = 0;
        });
    }

    /// As [`Connection::note_facts`], while the command of these words is carried out.
    pub fn note_facts_during(&mut self, words: &[Bytes]) {
        self.note_facts();
        let request = self.request;
        self.handle.note(|facts| (facts.words, facts.request) = (bytes_of(words), request));
    }

    fn log_end(&self, end: &End) {
        let line = || self.handle.log_line();
        match end {
            End::PeerClosed => debug!("Client closed connection {}", line()),
            End::ReadFailed(error) => debug!("Reading from client: {}", reason(error)),
            End::WriteFailed(error) => debug!("Error writing to client: {}", reason(error)),
            End::HandshakeFailed(error) => {
                warn!("Error accepting a client connection: {}", reason(error));
            }
            End::Idle => debug!("Closing idle client"),
            End::QueryLimit => warn!(
                "Closing client that reached max query buffer length: {} (qbuf initial bytes: \"{}\")",
                line(),
                self.decoder.initial_bytes().escape_ascii()
            ),
            End::OutputLimit => {
                warn!(
                    "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                    line()
                );
            }
            End::Wanted => {}
        }
    }
}
