//! One client connection's own state, and the table of master addresses it may answer from. Pure.
//!
//! - [`Session`]: who the client is, what it may do now, and how it wants its answers
//! - [`slots`]: the order of owed answers; [`subscriptions`], [`tracking`]: what it asked to be told
//! - [`lookup`]: addresses without the engine
//!
//! Knows no socket and carries out no command: it is what the commands about the connection change.

pub mod lookup;
pub mod slots;
pub mod subscriptions;
pub mod tracking;

use bytes::Bytes;

use crate::acl::{Acl, DEFAULT_USER, Denied};
use crate::model::ClientId;
use crate::wire::table::{CommandSpec, Verb};
use crate::wire::{CommandError, Protocol};
use subscriptions::Subscriptions;
use tracking::Tracking;

/// Which answers a client wants (CLIENT REPLY).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyMode {
    /// All.
    On,
    /// None.
    Off,
    /// All but that of the next command.
    SkipNext,
    /// All but that of the current command.
    Skipping,
}

/// The state of one client connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its number (CLIENT ID).
    pub id: ClientId,
    /// The name it gave itself; never empty.
    pub name: Option<String>,
    /// The ACL user it acts as.
    pub user: Vec<u8>,
    /// It logged in, or need not have when it came.
    pub authenticated: bool,
    /// The version of the protocol it speaks.
    pub protocol: Protocol,
    /// What it is subscribed to.
    pub subscriptions: Subscriptions,
    /// Which answers it wants.
    pub reply: ReplyMode,
    /// See [`Tracking`].
    pub tracking: Tracking,
    /// CLIENT NO-EVICT ON.
    pub no_evict: bool,
    /// Full name of its last command.
    pub last_command: Option<&'static str>,
}

/// Why a known command with the right number of words does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub error: CommandError,
    /// What ACL LOG is told, if the rules of its user were the reason.
    pub denied: Option<Denied>,
}

impl Session {
    /// A new connection: it acts as the default user, and is logged in if that needs no password.
    pub fn new(id: ClientId, acl: &Acl) -> Session {
        Session {
            id,
            name: None,
            user: DEFAULT_USER.to_vec(),
            authenticated: acl.is_open(),
            protocol: Protocol::Resp2,
            subscriptions: Subscriptions::default(),
            reply: ReplyMode::On,
            tracking: Tracking::default(),
            no_evict: false,
            last_command: None,
        }
    }

    /// True if nothing but AUTH and HELLO may run.
    pub fn must_authenticate(&self, acl: &Acl) -> bool {
        !self.authenticated && !acl.is_open()
    }

    /// True in the mode in which only the commands of subscribers run (spec 3 §3.6.2).
    pub fn is_restricted(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions.count() > 0
    }

    /// The checks between finding a command and carrying it out, in their order (spec 3 §3.2.1, 4 to 6).
    pub fn admit(&self, acl: &Acl, spec: &CommandSpec, words: &[Bytes]) -> Result<(), Refusal> {
        let refuse = |error, denied| Err(Refusal { error, denied });
        if self.must_authenticate(acl) && !spec.has_flag("no_auth") {
            return refuse(CommandError::NoAuth, None);
        }
        // A user that was deleted may do nothing until its connection is closed.
        let verdict = acl.user(&self.user).map_or(Err(Denied::Command), |user| user.check(spec, words));
        match verdict {
            Ok(()) => {}
            Err(Denied::Command) => {
                return refuse(CommandError::NoPermission(spec.name), Some(Denied::Command));
            }
            Err(denied) => return refuse(CommandError::NoChannelPermission, Some(denied)),
        }
        if self.is_restricted() && !is_for_subscribers(spec.verb) {
            return refuse(CommandError::Subscribed(spec.name), None);
        }
        Ok(())
    }

    /// AUTH and HELLO AUTH: takes the user on if the password is right. A failure leaves an earlier login as it was.
    pub fn log_in(&mut self, acl: &Acl, user: &[u8], password: &[u8]) -> bool {
        let accepted = acl.authenticate(user, password);
        if accepted {
            (self.user, self.authenticated) = (user.to_vec(), true);
        }
        accepted
    }

    /// CLIENT SETNAME and HELLO SETNAME; an empty name removes it.
    pub fn set_name(&mut self, name: &[u8]) -> Result<(), CommandError> {
        if !name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
            return Err(CommandError::BadClientName);
        }
        let name = String::from_utf8_lossy(name).into_owned();
        self.name = Some(name).filter(|name| !name.is_empty());
        Ok(())
    }

    /// True if the answer to the current command is to be sent.
    pub fn wants_reply(&self) -> bool {
        matches!(self.reply, ReplyMode::On | ReplyMode::SkipNext)
    }

    /// A command is through: SKIP moves on.
    pub fn command_done(&mut self) {
        self.tracking.command_done(self.last_command);
        self.reply = match self.reply {
            ReplyMode::SkipNext => ReplyMode::Skipping,
            ReplyMode::Skipping => ReplyMode::On,
            other => other,
        };
    }
}

fn is_for_subscribers(verb: Verb) -> bool {
    matches!(verb, Verb::Ping | Verb::Subscribe | Verb::Psubscribe | Verb::Unsubscribe | Verb::Punsubscribe)
}

#[cfg(test)]
mod tests {
    use super::subscriptions::Kind;
    use super::*;
    use crate::wire::table::find_full_name;

    fn spec(name: &str) -> &'static CommandSpec {
        find_full_name(name.as_bytes()).expect("known")
    }

    fn admit(session: &Session, acl: &Acl, name: &str) -> Option<CommandError> {
        session.admit(acl, spec(name), &[]).err().map(|refusal| refusal.error)
    }

    #[test]
    fn login_comes_before_permission_before_mode() {
        let acl = Acl::load(
            &[("u".into(), vec!["on".into(), ">x".into(), "+ping".into(), "+subscribe".into()])],
            Some(b"p"),
            false,
            drop,
        )
        .expect("loads");
        let mut session = Session::new(ClientId(1), &acl);
        assert_eq!(admit(&session, &acl, "ping"), Some(CommandError::NoAuth));
        assert_eq!(admit(&session, &acl, "hello"), None);
        assert!(!session.log_in(&acl, b"u", b"y"));
        assert!(session.log_in(&acl, b"u", b"x"));
        assert!(!session.log_in(&acl, b"u", b"y") && session.authenticated, "a failure changes nothing");
        assert_eq!(admit(&session, &acl, "ping"), None);
        assert_eq!(
            admit(&session, &acl, "sentinel|masters"),
            Some(CommandError::NoPermission("sentinel|masters"))
        );
        session.subscriptions.add(Kind::Channel, "a".into());
        assert_eq!(admit(&session, &acl, "info"), Some(CommandError::NoPermission("info")));
        assert_eq!(admit(&session, &acl, "auth"), Some(CommandError::Subscribed("auth")));
        session.protocol = Protocol::Resp3;
        assert_eq!(admit(&session, &acl, "auth"), None);
    }

    #[test]
    fn names_are_printable_or_nothing() {
        let mut session = Session::new(ClientId(1), &Acl::new(false));
        assert_eq!(session.set_name(b"a b"), Err(CommandError::BadClientName));
        assert_eq!(session.set_name(b"a~"), Ok(()));
        assert_eq!(session.name.as_deref(), Some("a~"));
        assert_eq!(session.set_name(b""), Ok(()));
        assert_eq!(session.name, None);
    }

    #[test]
    fn skip_drops_the_answer_of_the_next_command_only() {
        let mut session = Session::new(ClientId(1), &Acl::new(false));
        session.reply = ReplyMode::SkipNext;
        session.command_done();
        assert!(!session.wants_reply());
        session.command_done();
        assert!(session.wants_reply());
        session.reply = ReplyMode::Off;
        session.command_done();
        assert!(!session.wants_reply());
    }
}
