//! The client port of a Sentinel, as `daemon::serving` does it: bytes become commands, answers become bytes in the order of the commands.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use sentineld::model::{ClientId, CommandId};
use sentineld::session::slots::{Owed, Slots};
use sentineld::wire::{Answer, Command, Naming, Parsed, Protocol, RequestDecoder, Value, parse, render};

use crate::network::Wire;

/// One client of a Sentinel.
#[derive(Default)]
pub struct Session {
    decoder: RequestDecoder,
    slots: Slots<()>,
    name: Option<String>,
    /// Commands that the engine was asked, and whether it answered.
    owed: VecDeque<(u64, bool)>,
    /// Answers that may leave.
    pub out: BytesMut,
}

impl Session {
    /// The bytes of a command.
    pub fn request(words: &[&str]) -> Vec<u8> {
        let words = words.iter().map(|word| Value::bulk(word.as_bytes().to_vec())).collect();
        Value::Array(words).to_bytes(Protocol::Resp2).to_vec()
    }

    /// Reads what arrived; commands for the engine come out.
    pub fn read(&mut self, wire: Wire, bytes: &[u8]) -> Vec<(CommandId, Command)> {
        self.decoder.feed(bytes);
        let mut commands = Vec::new();
        while let Some(words) = self.decoder.next_request(true).expect("well-formed requests") {
            if let Some(found) = self.take(wire, &words) {
                commands.push(found);
            }
        }
        commands
    }

    fn take(&mut self, wire: Wire, words: &[Bytes]) -> Option<(CommandId, Command)> {
        let naming = Naming::default();
        let parsed = naming.lookup(words).and_then(|spec| parse(spec, words, &naming, self.name.as_deref()));
        let value = match parsed {
            Ok(Parsed::Engine(command)) => {
                let seq = self.slots.owe(Owed { protocol: Protocol::Resp2, wanted: true, how: () });
                self.owed.push_back((seq, false));
                return Some((CommandId { client: ClientId(u64::from(wire)), seq }, command));
            }
            Ok(Parsed::Reply(value)) => value,
            Ok(Parsed::Session) => self.run(words),
            Err(error) => error.value(),
        };
        self.slots.put(&value, Protocol::Resp2, &mut self.out);
        None
    }

    /// What concerns the connection itself.
    fn run(&mut self, words: &[Bytes]) -> Value {
        if words[0].eq_ignore_ascii_case(b"client") && words[1].eq_ignore_ascii_case(b"setname") {
            self.name = Some(String::from_utf8_lossy(&words[2]).into_owned());
            return Value::OK;
        }
        Value::error("not modelled")
    }

    /// The engine answered; the commands whose answers may leave now.
    ///
    /// # Panics
    ///
    /// If nobody is owed this answer, or it does not leave when all before it did.
    pub fn answer(&mut self, seq: u64, answer: Answer) -> Vec<u64> {
        let owed = self.owed.iter_mut().find(|(owed, answered)| *owed == seq && !answered);
        owed.expect("every command is answered once").1 = true;
        let before = self.out.len();
        self.slots.settle(seq, &mut self.out, |()| render(answer));
        let mut left = Vec::new();
        while let Some((seq, true)) = self.owed.front() {
            left.push(*seq);
            self.owed.pop_front();
        }
        assert_eq!(self.out.len() > before, !left.is_empty(), "answers leave as soon as their turn has come");
        left
    }
}
