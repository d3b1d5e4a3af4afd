//! The life of one connection: connect, then carry bytes both ways until something breaks.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::sync::mpsc;

use super::connect::Connected;
use super::{Common, Outgoing, connect};
use crate::daemon::stream::Stream;
use crate::daemon::strerror::strerror;
use crate::engine::{ConnId, ConnKind, Input, Tag, Target};
use crate::wire::frame::{Frame, ReplyDecoder, hello_message};

use crate::wire::{Expect, Hello, Limits, Reply, Request};

/// Encoded and unsent bytes beyond which no more requests are taken from the queue.
const MAX_UNSENT: usize = 1024 * 1024;
/// Requests without a reply beyond which the other side counts as dead: it reads and never answers.
const MAX_UNANSWERED: usize = 65_536;
/// Bytes of one reply. INFO of a master with ten thousand replicas has about one million; what is longer is an attack or a fault,
/// and each of a fleet's links may have to hold that much.
const MAX_REPLY: usize = 8 * 1024 * 1024;
/// Bytes read at a time, on the stack.
const CHUNK: usize = 16 * 1024;

/// Runs a link from its connection attempt to its end, and reports both.
pub(super) async fn run(common: Common, conn: ConnId, target: Target, queue: mpsc::Receiver<Box<Outgoing>>) {
    let inbox = common.inbox.clone();
    let cause = match connect::connect(&target, &common).await {
        Ok(Connected { stream, endpoints, server }) => {
            inbox.report(Input::Connected(conn, endpoints)).await;
            let mut task = Task {
                common,
                conn,
                stream,
                server,
                is_heard: false,
                queue,
                unsent: BytesMut::new(),
                asked: VecDeque::new(),
                decoder: ReplyDecoder::new(Limits { bytes: MAX_REPLY, ..Limits::default() }),
            };
            match task.pump().await {
                Ok(never) => match never {},
                Err(cause) => cause,
            }
        }
        Err(cause) => cause,
    };
    inbox.report(Input::Disconnected(conn, cause)).await;
}

/// A request that awaits its reply.
struct Asked {
    tag: Tag,
    expect: Expect,
    /// Its refusal ends the link: without a subscription a pub/sub link is useless (spec 2 §3.5).
    vital: bool,
}

struct Task {
    common: Common,
    conn: ConnId,
    stream: Stream,
    server: SocketAddr,
    /// Something was received.
    is_heard: bool,
    queue: mpsc::Receiver<Box<Outgoing>>,
    unsent: BytesMut,
    asked: VecDeque<Asked>,
    decoder: ReplyDecoder,
}

impl Task {
    /// Carries bytes until the link breaks; returns why.
    async fn pump(&mut self) -> Result<std::convert::Infallible, String> {
        loop {
            let may_take = self.unsent.len() < MAX_UNSENT;
            tokio::select! {
                next = self.queue.recv(), if may_take => {
                    let Some(outgoing) = next else { return Err("closed".into()) };
                    self.take(&outgoing)?;
                    self.take_waiting()?;
                    self.write()?;
                }
                ready = self.stream.ready(Interest::READABLE) => {
                    ready.map_err(|error| strerror(&error))?;
                    if self.read()? {
                        self.digest().await?;
                    }
                }
                ready = self.stream.ready(Interest::WRITABLE), if !self.is_written() => {
                    ready.map_err(|error| strerror(&error))?;
                    self.write()?;
                }
            }
        }
    }

    /// Encodes what waits in the queue, so that it leaves in one write.
    fn take_waiting(&mut self) -> Result<(), String> {
        while self.unsent.len() < MAX_UNSENT {
            match self.queue.try_recv() {
                Ok(outgoing) => self.take(&outgoing)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, outgoing: &Outgoing) -> Result<(), String> {
        if self.asked.len() >= MAX_UNANSWERED {
            return Err("too many requests are unanswered".into());
        }
        let request = &outgoing.request;
        let vital = matches!(request, Request::Subscribe);
        self.asked.push_back(Asked { tag: outgoing.tag, expect: request.expect(), vital });
        request.encode(outgoing.renamed.as_deref(), &mut self.unsent);
        Ok(())
    }

    fn is_written(&self) -> bool {
        self.unsent.is_empty() && !self.stream.has_unsent()
    }

    fn write(&mut self) -> Result<(), String> {
        while !self.is_written() {
            match self.stream.try_write(&self.unsent) {
                Ok(written) => self.unsent.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(self.failed(&error)),
            }
        }
        self.unsent = BytesMut::new();
        if self.asked.capacity() > 64 && self.asked.len() < 16 {
            self.asked.shrink_to(16);
        }
        Ok(())
    }

    /// Reads once. False if there was nothing after all.
    fn read(&mut self) -> Result<bool, String> {
        let mut chunk = [0; CHUNK];
        match self.stream.try_read(&mut &mut chunk[..]) {
            Ok(0) => Err("Server closed the connection".into()),
            Ok(length) => {
                if !std::mem::replace(&mut self.is_heard, true)
                    && let Some(tls) = &self.common.tls
                {
                    tls.is_well(self.server);
                }
                self.decoder.feed(&chunk[..length]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The text for an error of the socket. A server may turn our certificate down when it was already connected.
    fn failed(&self, error: &io::Error) -> String {
        self.common.note_failure(self.server, error);
        strerror(error)
    }

    /// Hands every complete frame on. Waits while the inbox is full: the other side is then slowed down, not the engine.
    async fn digest(&mut self) -> Result<(), String> {
        loop {
            let frame = self.decoder.next_frame().map_err(|error| format!("Protocol error, {error}"))?;
            let Some(frame) = frame else { break };
            let inputs = match self.conn.kind {
                ConnKind::Command => [self.on_reply(frame)?, None],
                ConnKind::PubSub => self.on_pubsub(frame)?,
            };
            for input in inputs.into_iter().flatten() {
                self.common.inbox.report(input).await;
            }
        }
        self.decoder.release();
        Ok(())
    }

    fn on_reply(&mut self, frame: Frame) -> Result<Option<Input>, String> {
        if matches!(frame, Frame::Push(_)) {
            return Ok(None);
        }
        match self.asked.pop_front() {
            Some(asked) => Ok(Some(Input::Reply(self.conn, asked.tag, Reply::decode(asked.expect, frame)))),
            None => Err(unasked(frame)),
        }
    }

    /// Any frame is a sign of life. Messages and confirmations are arrays; anything else answers a set-up request.
    fn on_pubsub(&mut self, frame: Frame) -> Result<[Option<Input>; 2], String> {
        let heard = Input::Heard(self.conn, self.gossip(&frame));
        match &frame {
            Frame::Array(parts) | Frame::Push(parts) => {
                let confirms =
                    matches!(parts.first(), Some(Frame::Bulk(kind)) if kind.as_ref() == b"subscribe");
                if confirms && self.asked.front().is_some_and(|asked| asked.vital) {
                    self.asked.pop_front();
                }
                Ok([Some(heard), None])
            }
            _ => {
                let Some(asked) = self.asked.pop_front() else { return Err(unasked(frame)) };
                match Reply::decode(asked.expect, frame) {
                    Reply::Error(text) if asked.vital => Err(text),
                    reply @ Reply::Error(_) => {
                        Ok([Some(Input::Reply(self.conn, asked.tag, reply)), Some(heard)])
                    }
                    _ => Ok([Some(heard), None]),
                }
            }
        }
    }

    /// The gossip inside a frame, unless it is our own.
    fn gossip(&self, frame: &Frame) -> Option<Hello> {
        let hello = Hello::parse(hello_message(frame)?)?;
        (hello.run_id != self.common.own_id).then_some(hello)
    }
}

/// Why a frame that nobody asked for ends the link. An error is the usual one: a server refuses a new client that way.
fn unasked(frame: Frame) -> String {
    match frame {
        Frame::Error(text) => String::from_utf8_lossy(&text).into_owned(),
        _ => "Protocol error, a reply without a request".into(),
    }
}
