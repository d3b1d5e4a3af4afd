//! ACL: looking at the users and changing them (spec 3 §3.5.9).

use bytes::Bytes;
use rand::RngCore;

use super::client_command::bad_shape;
use super::connection::Connection;
use super::handle::lock;
use crate::acl::commands::{CATEGORIES, names_in_category};
use crate::acl::log::Entry;
use crate::acl::selector::Selector;
use crate::acl::{Acl, DEFAULT_USER, Denied, User, generate_password};
use crate::text::number::parse_integer;
use crate::text::words::until_nul;
use crate::wire::{CommandError, Naming, Value, Verb};

/// Bits of a generated password unless asked otherwise, and at most.
const PASSWORD_BITS: usize = 256;
const MAX_PASSWORD_BITS: i64 = 4096;
/// Entries that ACL LOG shows unless asked for more.
const LOG_SHOWN: usize = 10;

impl Connection {
    /// ACL with a known subcommand and enough words.
    pub fn run_acl_command(&mut self, verb: Verb, words: &[Bytes]) {
        let acl = self.shared.acl.load_full();
        let outcome = match verb {
            Verb::AclWhoami => Ok(Value::bulk(self.session.user.clone())),
            Verb::AclUsers => {
                Ok(Value::Array(acl.users().map(|(name, _)| Value::bulk(name.to_vec())).collect()))
            }
            Verb::AclList => Ok(list(&acl)),
            Verb::AclCat => categories(words),
            Verb::AclGetuser => Ok(acl.user(&words[2]).map_or(Value::Null, |user| show_user(user))),
            Verb::AclSetuser => self.set_user(&words[2], &words[3..]),
            Verb::AclDeluser => self.delete_users(&words[2..]),
            Verb::AclDryrun => dry_run(&acl, &self.shared.naming, &words[2], &words[3..]),
            Verb::AclGenpass => generate(words),
            Verb::AclLog => self.show_log(words),
            Verb::AclSave => self.save_users(),
            _ => self.load_users(),
        };
        self.reply(&outcome.unwrap_or_else(|error| error));
    }

    fn set_user(&mut self, name: &[u8], rules: &[Bytes]) -> Result<Value, Value> {
        let rules: Vec<&[u8]> = rules.iter().map(|rule| &rule[..]).collect();
        let outcome = self.shared.edit_users(|acl| acl.set_user(name, &rules));
        outcome.map(|()| Value::OK).map_err(|error| Value::error(error.text()))
    }

    fn delete_users(&mut self, names: &[Bytes]) -> Result<Value, Value> {
        if names.iter().any(|name| &name[..] == DEFAULT_USER) {
            return Err(Value::error("The 'default' user cannot be removed"));
        }
        let remove = |acl: &mut Acl| {
            let removed: Vec<&Bytes> = names.iter().filter(|name| acl.remove_user(name)).collect();
            Ok::<_, Value>(removed)
        };
        let removed = self.shared.edit_users(remove)?;
        for name in &removed {
            if self.shared.drop_user(name, &self.handle) {
                self.close_after_replies();
            }
        }
        Ok(Value::Integer(i64::try_from(removed.len()).unwrap_or(i64::MAX)))
    }

    fn show_log(&mut self, words: &[Bytes]) -> Result<Value, Value> {
        let shown = match words {
            [_, _] => LOG_SHOWN,
            [_, _, word] if word.eq_ignore_ascii_case(b"reset") => {
                lock(&self.shared.acl_log).clear();
                return Ok(Value::OK);
            }
            [_, _, count] => {
                let count = parse_integer(count).ok_or_else(|| CommandError::NotInteger.value())?;
                usize::try_from(count.max(0)).unwrap_or(usize::MAX)
            }
            _ => return Err(bad_shape("ACL", &words[1])),
        };
        let now = self.shared.now();
        let show = |entry: &Entry| {
            Value::Map(vec![
                (Value::bulk("count"), Value::Integer(entry.count.cast_signed())),
                (Value::bulk("reason"), Value::bulk(entry.reason.name())),
                (Value::bulk("context"), Value::bulk("toplevel")),
                (Value::bulk("object"), Value::bulk(entry.object.clone())),
                (Value::bulk("username"), Value::bulk(entry.username.clone())),
                // Whole milliseconds, as the reference keeps them.
                (Value::bulk("age-seconds"), Value::Double(now.since(entry.at).as_millis() as f64 / 1000.0)),
                (Value::bulk("client-info"), Value::bulk(entry.client.clone())),
            ])
        };
        Ok(Value::Array(lock(&self.shared.acl_log).entries().take(shown).map(show).collect()))
    }
}

fn list(acl: &Acl) -> Value {
    let line = |line: Vec<u8>| Value::bulk([b"user ", line.as_slice()].concat());
    Value::Array(acl.lines().into_iter().map(line).collect())
}

fn categories(words: &[Bytes]) -> Result<Value, Value> {
    let names = match words {
        [_, _] => CATEGORIES.to_vec(),
        [_, _, name] => names_in_category(name)
            .ok_or_else(|| Value::error([b"Unknown category '", until_nul(name), b"'"].concat()))?,
        _ => return Err(bad_shape("ACL", &words[1])),
    };
    Ok(Value::Array(names.into_iter().map(Value::bulk).collect()))
}

fn show_user(user: &User) -> Value {
    let texts = |texts: Vec<Value>| Value::Array(texts);
    let mut selectors = user.selectors();
    let root = selectors.next().map_or_else(Vec::new, show_selector);
    let mut fields = vec![
        (Value::bulk("flags"), Value::Set(user.flags().into_iter().map(Value::bulk).collect())),
        (Value::bulk("passwords"), texts(user.passwords().iter().cloned().map(Value::bulk).collect())),
    ];
    fields.extend(root);
    let others = selectors.map(|selector| Value::Map(show_selector(selector))).collect();
    fields.push((Value::bulk("selectors"), texts(others)));
    Value::Map(fields)
}

fn show_selector(selector: &Selector) -> Vec<(Value, Value)> {
    vec![
        (Value::bulk("commands"), Value::bulk(selector.commands_text())),
        (Value::bulk("keys"), Value::bulk(selector.keys_text())),
        (Value::bulk("channels"), Value::bulk(selector.channels_text())),
    ]
}

fn dry_run(acl: &Acl, naming: &Naming, name: &Bytes, command: &[Bytes]) -> Result<Value, Value> {
    let Some(user) = acl.user(name) else {
        return Err(Value::error([b"User '", until_nul(name), b"' not found"].concat()));
    };
    let spec = match naming.lookup(command) {
        Ok(spec) => spec,
        Err(error @ CommandError::WrongArity(_)) => return Err(error.value()),
        Err(_) => return Err(Value::error([b"Command '", until_nul(&command[0]), b"' not found"].concat())),
    };
    let text = match user.check(spec, command) {
        Ok(()) => return Ok(Value::OK),
        Err(Denied::Command) => {
            format!("This user has no permissions to run the '{}' command", spec.name).into_bytes()
        }
        Err(Denied::Channel(channel)) => {
            [b"This user has no permissions to access the '", &channel[..], b"' channel"].concat()
        }
    };
    Ok(Value::bulk(text))
}

fn generate(words: &[Bytes]) -> Result<Value, Value> {
    let bits = match words {
        [_, _] => PASSWORD_BITS,
        [_, _, bits] => {
            let bits = parse_integer(bits).ok_or_else(|| CommandError::NotInteger.value())?;
            let in_range = (1..=MAX_PASSWORD_BITS).contains(&bits);
            let bits = usize::try_from(bits).ok().filter(|_| in_range);
            bits.ok_or_else(|| {
                Value::error("ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
            })?
        }
        _ => return Err(bad_shape("ACL", &words[1])),
    };
    let mut random = vec![0; bits.div_ceil(4)];
    rand::rng().fill_bytes(&mut random);
    Ok(Value::bulk(generate_password(bits, &random)))
}
