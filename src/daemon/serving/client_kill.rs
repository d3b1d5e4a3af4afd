//! CLIENT KILL, in its old form (an address) and its new one (filters) (spec 3 §3.5.8).

use bytes::Bytes;

use super::client_command::ClientType;
use super::connection::Connection;
use super::handle::{Doom, Handle};
use crate::text::number::parse_integer;
use crate::text::words::until_nul;
use crate::wire::{CommandError, Value};

/// Which clients to kill: those that fit every filter given.
#[derive(Debug, Default)]
struct Filter {
    id: Option<u64>,
    address: Option<Bytes>,
    local_address: Option<Bytes>,
    kind: Option<ClientType>,
    user: Option<Bytes>,
    keep_me: bool,
}

impl Connection {
    /// CLIENT KILL, given the words after it.
    pub fn kill_clients(&mut self, words: &[Bytes]) -> Result<Value, Value> {
        if let [address] = words {
            let filter = Filter { address: Some(address.clone()), ..Filter::default() };
            let killed = self.kill_matching(&filter);
            return if killed > 0 { Ok(Value::OK) } else { Err(Value::error("No such client")) };
        }
        let filter = self.read_filter(words)?;
        let killed = self.kill_matching(&filter);
        Ok(Value::Integer(i64::try_from(killed).unwrap_or(i64::MAX)))
    }

    fn kill_matching(&mut self, filter: &Filter) -> usize {
        let mut killed = 0;
        for client in self.shared.registry.all() {
            let is_me = client.id == self.handle.id;
            if !filter.fits(&client) || (is_me && filter.keep_me) {
                continue;
            }
            killed += 1;
            if is_me {
                self.close_after_replies();
            } else {
                client.doom(Doom::Now);
            }
        }
        killed
    }

    fn read_filter(&self, words: &[Bytes]) -> Result<Filter, Value> {
        let mut filter = Filter { keep_me: true, ..Filter::default() };
        for pair in words.chunks(2) {
            let [option, value] = pair else { return Err(CommandError::Syntax.value()) };
            match option.to_ascii_lowercase().as_slice() {
                b"id" => {
                    let id = parse_integer(value).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
                    filter.id = Some(id.ok_or_else(|| Value::error("client-id should be greater than 0"))?);
                }
                b"type" => filter.kind = Some(ClientType::read(value)?),
                b"addr" => filter.address = Some(value.clone()),
                b"laddr" => filter.local_address = Some(value.clone()),
                b"user" => {
                    if self.shared.acl.load().user(value).is_none() {
                        return Err(Value::error([b"No such user '", until_nul(value), b"'"].concat()));
                    }
                    filter.user = Some(value.clone());
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.keep_me = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.keep_me = false,
                _ => return Err(CommandError::Syntax.value()),
            }
        }
        Ok(filter)
    }
}

impl Filter {
    fn fits(&self, client: &Handle) -> bool {
        self.id.is_none_or(|id| client.id.0 == id)
            && self.address.as_ref().is_none_or(|address| client.peer == *address)
            && self.local_address.as_ref().is_none_or(|address| client.local == *address)
            && self.kind.is_none_or(|kind| kind.is_of(client))
            && self.user.as_ref().is_none_or(|user| client.is_user(user))
    }
}
