//! Access control: users, their rules, and the check of a command against them (spec 1 §4.4, spec 3 §3.5.9). Pure.
//!
//! Knows no connection and reads no file: texts come in, texts go out. An [`Acl`] is a value; whoever shares one replaces it as a whole.
//!
//! Invariant: the user `default` always exists.

pub mod commands;
pub mod error;
pub mod file;
pub mod log;
pub mod selector;
pub mod user;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use error::{LoadError, RuleError, SetUserError};
pub use selector::Denied;
pub use user::User;

use error::shown;
use selector::has_blanks;
use user::merge_selectors;

/// The user every connection begins as.
pub const DEFAULT_USER: &[u8] = b"default";

/// All users.
#[derive(Clone, Debug)]
pub struct Acl {
    users: BTreeMap<Vec<u8>, Arc<User>>,
    default_channels: bool,
}

impl Acl {
    /// Only the user `default`, who may do everything. New users may use every channel if `default_channels`
    /// (directive `acl-pubsub-default`).
    pub fn new(default_channels: bool) -> Acl {
        let default = Arc::new(User::all_powerful(default_channels));
        Acl { users: BTreeMap::from([(DEFAULT_USER.to_vec(), default)]), default_channels }
    }

    /// The users of a configuration file: `requirepass`, then each `user` line, which replaces what its user was before (spec 1 §4.4).
    /// What is worth a log entry at notice level goes to `notice` in its turn, also before a failure.
    pub fn load(
        users: &[(String, Vec<String>)],
        requirepass: Option<&[u8]>,
        default_channels: bool,
        mut notice: impl FnMut(String),
    ) -> Result<Acl, LoadError> {
        let mut acl = Acl::new(default_channels);
        acl.set_default_password(requirepass);
        let mut seen = std::collections::BTreeSet::new();
        for (name, rules) in users {
            if !seen.insert(name) {
                return Err(LoadError::Duplicate(name.clone()));
            }
            let user = load_user(name, rules, default_channels)?;
            if !user.is_enabled() {
                notice(format!(
                    "The user '{name}' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error."
                ));
            }
            acl.users.insert(name.clone().into_bytes(), Arc::new(user));
        }
        Ok(acl)
    }

    /// Makes this the only password of `default`; `None`: it needs none.
    pub fn set_default_password(&mut self, password: Option<&[u8]>) {
        let mut user = User::clone(self.default_user());
        user.set_only_password(password);
        self.users.insert(DEFAULT_USER.to_vec(), Arc::new(user));
    }

    /// The user of this name.
    pub fn user(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// The user `default`.
    pub fn default_user(&self) -> &User {
        self.users.get(DEFAULT_USER).expect("the default user can't be removed")
    }

    /// True if a new connection may run commands at once.
    pub fn is_open(&self) -> bool {
        let user = self.default_user();
        user.is_enabled() && user.needs_no_password()
    }

    /// True if there is such a user, enabled, and this is its password.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> bool {
        self.user(name).is_some_and(|user| user.accepts(password))
    }

    /// ACL SETUSER: applies all rules or none. Creates the user if there is none of this name.
    pub fn set_user(&mut self, name: &[u8], rules: &[&[u8]]) -> Result<(), SetUserError> {
        if has_blanks(name) {
            return Err(SetUserError::BadName);
        }
        let unmatched = |first: usize| SetUserError::Unmatched(rules[first].to_vec());
        let rules = merge_selectors(rules).map_err(unmatched)?;
        let mut user =
            self.user(name).map_or_else(|| User::new(self.default_channels), |user| User::clone(user));
        for rule in &rules {
            user.apply(rule).map_err(|reason| SetUserError::Rule(rule.clone(), reason))?;
        }
        self.users.insert(name.to_vec(), Arc::new(user));
        Ok(())
    }

    /// ACL DELUSER of one user; false if there was none. `default` stays.
    pub fn remove_user(&mut self, name: &[u8]) -> bool {
        name != DEFAULT_USER && self.users.remove(name).is_some()
    }

    /// Every user, by name.
    pub fn users(&self) -> impl Iterator<Item = (&[u8], &Arc<User>)> {
        self.users.iter().map(|(name, user)| (name.as_slice(), user))
    }

    /// One line for each user, by name, without a leading word `user` (`default on nopass ~* &* +@all`).
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.users().map(|(name, user)| [name, b" ", &user.describe()].concat()).collect()
    }
}

fn load_user(name: &str, rules: &[String], default_channels: bool) -> Result<User, LoadError> {
    if has_blanks(name.as_bytes()) {
        return Err(LoadError::BadName);
    }
    let mut user = User::new(default_channels);
    if name.as_bytes() == DEFAULT_USER {
        user.apply(b"reset").expect("reset is a rule");
    }
    let rules: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
    let rules = merge_selectors(&rules).map_err(|_| LoadError::Unmatched(name.to_owned()))?;
    for rule in &rules {
        user.apply(rule).map_err(|reason| LoadError::Rule {
            rule: shown(rule),
            user: name.to_owned(),
            reason,
        })?;
    }
    Ok(user)
}

/// Random text for ACL GENPASS: as many hexadecimal digits as `bits` need. `random` must hold as many bytes as there are digits.
pub fn generate_password(bits: usize, random: &[u8]) -> String {
    random
        .iter()
        .take(bits.div_ceil(4))
        .map(|byte| char::from(b"0123456789abcdef"[usize::from(byte & 15)]))
        .collect()
}

#[cfg(test)]
mod tests;
