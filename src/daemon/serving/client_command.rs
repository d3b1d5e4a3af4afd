//! CLIENT: what a client can ask and say about connections (spec 3 §3.5.8).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::connection::Connection;
use super::handle::Handle;
use crate::model::ClientId;
use crate::session::ReplyMode;
use crate::text::number::parse_integer;
use crate::text::words::until_nul;
use crate::wire::{CommandError, Value, Verb};

/// The kinds of client that LIST and KILL know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientType {
    /// Without subscriptions.
    Normal,
    /// With subscriptions.
    Subscriber,
    /// Masters and replicas, of which a Sentinel has none.
    Replication,
}

impl ClientType {
    pub fn read(word: &[u8]) -> Result<ClientType, Value> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(ClientType::Normal),
            b"pubsub" => Ok(ClientType::Subscriber),
            b"master" | b"replica" | b"slave" => Ok(ClientType::Replication),
            _ => Err(Value::error([b"Unknown client type '", until_nul(word), b"'"].concat())),
        }
    }

    pub fn is_of(self, client: &Handle) -> bool {
        let subscribed = client.facts().subscriptions() > 0;
        match self {
            ClientType::Normal => !subscribed,
            ClientType::Subscriber => subscribed,
            ClientType::Replication => false,
        }
    }
}

impl Connection {
    /// CLIENT with a known subcommand and the right number of words.
    pub fn run_client_command(&mut self, verb: Verb, words: &[Bytes]) {
        let answer = match verb {
            Verb::ClientId => Value::Integer(self.session.id.0.cast_signed()),
            Verb::ClientGetname => self.session.name.clone().map_or(Value::Null, Value::bulk),
            Verb::ClientSetname => match self.session.set_name(&words[2]) {
                Ok(()) => Value::OK,
                Err(error) => error.value(),
            },
            Verb::ClientInfo => {
                self.note_facts_during(words);
                Value::Verbatim([self.handle.line(), b"\n".to_vec()].concat().into())
            }
            Verb::ClientList => {
                self.note_facts_during(words);
                self.list_clients(&words[2..]).unwrap_or_else(|error| error)
            }
            Verb::ClientKill => self.kill_clients(&words[2..]).unwrap_or_else(|error| error),
            Verb::ClientReply => return self.set_reply_mode(&words[2]),
            Verb::ClientPause => self.pause_clients(&words[1], &words[2..]).unwrap_or_else(|error| error),
            Verb::ClientUnpause => {
                self.shared.pause.end();
                Value::OK
            }
            Verb::ClientNoEvict => self.set_no_evict(&words[2]),
            Verb::ClientUnblock => unblock(&words[1], &words[2..]),
            Verb::ClientGetredir => Value::Integer(self.session.tracking.redirect()),
            Verb::ClientTracking => {
                let exists = |id| self.shared.registry.get(ClientId(id)).is_some();
                let outcome = self.session.tracking.configure(&words[2..], exists);
                outcome.map_or_else(|error| error, |()| Value::OK)
            }
            Verb::ClientTrackinginfo => self.session.tracking.info(),
            Verb::ClientCaching => self.session.tracking.caching(&words[2]),
            // Everything else was recognised before; see the order in `execute`.
            _ => CommandError::Syntax.value(),
        };
        self.reply(&answer);
    }

    fn list_clients(&self, words: &[Bytes]) -> Result<Value, Value> {
        let clients: Vec<Arc<Handle>> = match words {
            [] => self.shared.registry.all(),
            [what, kind] if what.eq_ignore_ascii_case(b"type") => {
                let kind = ClientType::read(kind)?;
                self.shared.registry.all().into_iter().filter(|client| kind.is_of(client)).collect()
            }
            [what, ids @ ..] if what.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
                let read = |id: &Bytes| parse_integer(id).ok_or_else(|| Value::error("Invalid client ID"));
                let ids = ids.iter().map(read).collect::<Result<Vec<i64>, Value>>()?;
                let get = |id: i64| self.shared.registry.get(ClientId(u64::try_from(id).ok()?));
                ids.into_iter().filter_map(get).collect()
            }
            _ => return Err(CommandError::Syntax.value()),
        };
        let text: Vec<u8> =
            clients.iter().flat_map(|client| [client.line(), b"\n".to_vec()].concat()).collect();
        Ok(Value::Verbatim(text.into()))
    }

    fn set_reply_mode(&mut self, word: &[u8]) {
        match word.to_ascii_lowercase().as_slice() {
            b"on" => {
                self.session.reply = ReplyMode::On;
                self.reply(&Value::OK);
            }
            b"off" => self.session.reply = ReplyMode::Off,
            b"skip" if self.session.reply == ReplyMode::Off => {}
            b"skip" => self.session.reply = ReplyMode::SkipNext,
            _ => self.reply(&CommandError::Syntax.value()),
        }
    }

    fn pause_clients(&self, subcommand: &[u8], words: &[Bytes]) -> Result<Value, Value> {
        let all = match words.get(1).map(|mode| mode.to_ascii_lowercase()) {
            None => true,
            Some(mode) if words.len() == 2 && mode == b"all" => true,
            Some(mode) if words.len() == 2 && mode == b"write" => false,
            Some(_) if words.len() == 2 => {
                return Err(Value::error("CLIENT PAUSE mode must be WRITE or ALL"));
            }
            Some(_) => return Err(bad_shape("CLIENT", subcommand)),
        };
        let millis = parse_integer(&words[0])
            .ok_or_else(|| Value::error("timeout is not an integer or out of range"))?;
        let millis = u64::try_from(millis).map_err(|_| Value::error("timeout is negative"))?;
        self.shared.pause.begin(Duration::from_millis(millis), all);
        Ok(Value::OK)
    }

    fn set_no_evict(&mut self, word: &[u8]) -> Value {
        match word.to_ascii_lowercase().as_slice() {
            b"on" => self.session.no_evict = true,
            b"off" => self.session.no_evict = false,
            _ => return CommandError::Syntax.value(),
        }
        Value::OK
    }
}

/// CLIENT UNBLOCK: nobody can be blocked, so this only reads its words.
fn unblock(subcommand: &[u8], words: &[Bytes]) -> Value {
    let reason_is_known =
        |word: &Bytes| word.eq_ignore_ascii_case(b"timeout") || word.eq_ignore_ascii_case(b"error");
    match words {
        [_, reason] if !reason_is_known(reason) => {
            Value::error("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
        }
        [id] | [id, _] if parse_integer(id).is_some() => Value::Integer(0),
        [_] | [_, _] => CommandError::NotInteger.value(),
        _ => bad_shape("CLIENT", subcommand),
    }
}

/// Words that a subcommand with a flexible number of them does not take after all.
pub(super) fn bad_shape(container: &str, subcommand: &[u8]) -> Value {
    let hint = format!("'. Try {container} HELP.");
    Value::error(
        [b"unknown subcommand or wrong number of arguments for '", subcommand, hint.as_bytes()].concat(),
    )
}
