//! The Sentinel's end of a connection that it opened, as `daemon::link` does it: requests become bytes, bytes become replies in the order
//! of the requests, and messages of the subscription.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use sentineld::engine::{ConnId, ConnKind, Input, Tag};
use sentineld::wire::{Expect, Frame, Hello, Reply, ReplyDecoder, Request, hello_message};

use crate::network::Wire;

pub struct Link {
    pub wire: Wire,
    pub to: SocketAddrV4,
    asked: VecDeque<Asked>,
    decoder: ReplyDecoder,
    /// When the questions left whose replies were read last, one for each `Input::Reply`.
    answered: Vec<u64>,
}

struct Asked {
    tag: Tag,
    expect: Expect,
    vital: bool,
    at: u64,
}

impl Link {
    pub fn new(wire: Wire, to: SocketAddrV4) -> Self {
        Link { wire, to, asked: VecDeque::new(), decoder: ReplyDecoder::default(), answered: Vec::new() }
    }

    /// Encodes a request, and remembers that its reply is owed, since `at` (nanoseconds since the start of the run).
    pub fn ask(&mut self, at: u64, tag: Tag, request: &Request, renamed: Option<&str>, out: &mut Vec<u8>) {
        let vital = matches!(request, Request::Subscribe);
        self.asked.push_back(Asked { tag, expect: request.expect(), vital, at });
        request.encode(renamed, out);
    }

    /// When the questions left whose replies were read since this was asked last, in the order of the replies.
    pub fn take_answered(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.answered)
    }

    /// Reads what arrived. The error says why the connection is of no use any more.
    pub fn read(
        &mut self,
        conn: ConnId,
        own_id: &str,
        bytes: &[u8],
        inputs: &mut Vec<Input>,
    ) -> Result<(), String> {
        self.decoder.feed(bytes);
        while let Some(frame) =
            self.decoder.next_frame().map_err(|error| format!("Protocol error, {error}"))?
        {
            match conn.kind {
                ConnKind::Command => {
                    let asked = self.asked.pop_front().ok_or("a reply without a request")?;
                    self.answered.push(asked.at);
                    inputs.push(Input::Reply(conn, asked.tag, Reply::decode(asked.expect, frame)));
                }
                ConnKind::PubSub => self.on_pubsub(conn, own_id, frame, inputs)?,
            }
        }
        Ok(())
    }

    fn on_pubsub(
        &mut self,
        conn: ConnId,
        own_id: &str,
        frame: Frame,
        inputs: &mut Vec<Input>,
    ) -> Result<(), String> {
        let hello =
            hello_message(&frame).and_then(Hello::parse).filter(|hello| hello.run_id.as_str() != own_id);
        let heard = Input::Heard(conn, hello);
        if let Frame::Array(parts) | Frame::Push(parts) = &frame {
            let confirms = matches!(parts.first(), Some(Frame::Bulk(kind)) if kind.as_ref() == b"subscribe");
            if confirms && self.asked.front().is_some_and(|asked| asked.vital) {
                self.asked.pop_front();
            }
            inputs.push(heard);
            return Ok(());
        }
        let asked = self.asked.pop_front().ok_or("a reply without a request")?;
        match Reply::decode(asked.expect, frame) {
            Reply::Error(text) if asked.vital => return Err(text),
            reply @ Reply::Error(_) => {
                self.answered.push(asked.at);
                inputs.push(Input::Reply(conn, asked.tag, reply));
            }
            _ => {}
        }
        inputs.push(heard);
        Ok(())
    }
}
