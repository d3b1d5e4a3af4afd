//! AUTH and HELLO: who the client is and which protocol it speaks (spec 3 §3.5.2, §3.5.3).

use bytes::Bytes;

use super::connection::Connection;
use crate::acl::DEFAULT_USER;
use crate::acl::log::Reason;
use crate::text::number::parse_integer;
use crate::wire::render::greeting;
use crate::wire::{CommandError, Protocol, Value};

const NO_PASSWORD_NEEDED: &str = "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";

impl Connection {
    /// AUTH.
    pub fn auth(&mut self, words: &[Bytes]) {
        let outcome = match words {
            [_, password] if !self.shared.acl.load().default_user().needs_no_password() => {
                self.log_in(&words[0], DEFAULT_USER, password)
            }
            [_, _] => return self.reply(&Value::error(NO_PASSWORD_NEEDED)),
            [command, user, password] => self.log_in(command, user, password),
            _ => Err(CommandError::Syntax),
        };
        self.reply(&outcome.map_or_else(|error| error.value(), |()| Value::OK));
    }

    /// HELLO. Compat: options take effect as they are read, even if a later one is refused.
    pub fn hello(&mut self, words: &[Bytes]) {
        match self.negotiate(&words[0], &words[1..]) {
            Ok(protocol) => {
                self.session.protocol = protocol.unwrap_or(self.session.protocol);
                let value = greeting(self.session.protocol, self.session.id.0);
                self.reply(&value);
            }
            Err(error) => self.reply(&error.value()),
        }
    }

    fn negotiate(&mut self, command: &[u8], words: &[Bytes]) -> Result<Option<Protocol>, CommandError> {
        let protocol = match words.first() {
            Some(version) => Some(read_version(version)?),
            None => None,
        };
        let mut rest = words.get(1..).unwrap_or_default();
        while let Some(option) = rest.first() {
            rest = match rest {
                [_, user, password, rest @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                    self.log_in(command, user, password)?;
                    rest
                }
                [_, name, rest @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                    self.session.set_name(name)?;
                    rest
                }
                _ => return Err(CommandError::HelloOption(option.clone())),
            };
        }
        if self.session.must_authenticate(&self.shared.acl.load()) {
            return Err(CommandError::HelloNoAuth);
        }
        Ok(protocol)
    }

    /// A failure goes to ACL LOG under the command as it was typed.
    fn log_in(&mut self, command: &[u8], user: &[u8], password: &[u8]) -> Result<(), CommandError> {
        let acl = self.shared.acl.load_full();
        if self.session.log_in(&acl, user, password) {
            return Ok(());
        }
        self.log_refusal(Reason::Auth, command, Some(user));
        Err(CommandError::WrongPass)
    }
}

fn read_version(word: &[u8]) -> Result<Protocol, CommandError> {
    match parse_integer(word) {
        Some(2) => Ok(Protocol::Resp2),
        Some(3) => Ok(Protocol::Resp3),
        Some(_) => Err(CommandError::UnsupportedProtocol),
        None => Err(CommandError::ProtocolNotInteger),
    }
}
