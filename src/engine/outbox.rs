//! The ordered actions of the engine, and those that must wait until what they rest on is on disk.
//!
//! Differs: events do not wait behind held answers, so a client that subscribes, speaks RESP3 and sends several commands at once may
//! see what a later one caused before the answer to an earlier one.
//!
//! Invariant: a held action leaves only after its revision was reported durable, or is replaced by its fallback when writing failed.

use std::collections::VecDeque;

use super::action::Action;
use crate::model::Revision;

/// What happens to a held action when its revision could not be made durable.
#[derive(Clone, Debug, PartialEq)]
enum Fallback {
    /// It is done all the same: the order mattered, not the durability.
    Proceed,
    /// Another one takes its place.
    Instead(Action),
}

#[derive(Clone, Debug, PartialEq)]
struct Held {
    revision: Revision,
    action: Action,
    fallback: Fallback,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    ready: VecDeque<Action>,
    held: VecDeque<Held>,
    durable: Revision,
    /// The highest revision whose writing failed and did not succeed since.
    failed: Option<Revision>,
}

impl Outbox {
    /// Queues an action.
    pub fn push(&mut self, action: Action) {
        self.ready.push_back(action);
    }

    /// Queues an action that others could act on: it leaves when `revision` is durable; if that fails, `instead` leaves in its place.
    pub fn after(&mut self, revision: Revision, action: Action, instead: Action) {
        self.hold(revision, action, Fallback::Instead(instead));
    }

    /// Queues an action behind the attempt to save `revision`, whatever comes of it.
    pub fn behind(&mut self, revision: Revision, action: Action) {
        self.hold(revision, action, Fallback::Proceed);
    }

    /// True if everything recorded up to `revision` is on disk.
    pub fn is_durable(&self, revision: Revision) -> bool {
        revision <= self.durable
    }

    /// True if an attempt to write everything up to `revision` is over, well or badly.
    pub fn is_settled(&self, revision: Revision) -> bool {
        self.is_durable(revision) || self.failed.is_some_and(|failed| revision <= failed)
    }

    /// Records what became of an attempt to write everything up to `revision`, and releases what waited for it, in order.
    pub fn on_persisted(&mut self, revision: Revision, saved: bool) {
        if saved {
            self.durable = self.durable.max(revision);
            self.failed = self.failed.filter(|failed| *failed > self.durable);
        } else {
            self.failed = self.failed.max(Some(revision));
        }
        let (due, waiting): (Vec<_>, Vec<_>) =
            self.held.drain(..).partition(|held| held.revision <= revision);
        self.held = waiting.into();
        for held in due {
            self.release(held);
        }
    }

    /// The next action to carry out.
    pub fn pop(&mut self) -> Option<Action> {
        self.ready.pop_front()
    }

    fn hold(&mut self, revision: Revision, action: Action, fallback: Fallback) {
        let held = Held { revision, action, fallback };
        if self.is_settled(revision) {
            self.release(held);
        } else {
            self.held.push_back(held);
        }
    }

    fn release(&mut self, held: Held) {
        match held.fallback {
            Fallback::Instead(instead) if !self.is_durable(held.revision) => self.ready.push_back(instead),
            _ => self.ready.push_back(held.action),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::notice::Level;

    fn log(text: &str) -> Action {
        Action::Log(Level::Notice, text.into())
    }

    fn drain(outbox: &mut Outbox) -> Vec<Action> {
        std::iter::from_fn(|| outbox.pop()).collect()
    }

    #[test]
    fn held_actions_leave_in_order_once_durable() {
        let mut outbox = Outbox::default();
        outbox.after(Revision(1), log("vote"), log("no vote"));
        outbox.behind(Revision(2), log("event"));
        outbox.push(log("probe"));
        assert_eq!(drain(&mut outbox), [log("probe")]);
        outbox.on_persisted(Revision(2), true);
        assert_eq!(drain(&mut outbox), [log("vote"), log("event")]);
        outbox.after(Revision(1), log("again"), log("no vote"));
        assert_eq!(drain(&mut outbox), [log("again")], "an old vote that is on disk need not wait");
    }

    #[test]
    fn a_failed_write_sends_the_fallback_now_and_until_it_succeeds() {
        let mut outbox = Outbox::default();
        outbox.after(Revision(1), log("vote"), log("no vote"));
        outbox.behind(Revision(1), log("event"));
        outbox.on_persisted(Revision(1), false);
        assert_eq!(drain(&mut outbox), [log("no vote"), log("event")]);
        outbox.after(Revision(1), log("vote"), log("no vote"));
        assert_eq!(drain(&mut outbox), [log("no vote")], "nobody waits for a disk that is known to fail");
        outbox.on_persisted(Revision(1), true);
        outbox.after(Revision(1), log("vote"), log("no vote"));
        assert_eq!(drain(&mut outbox), [log("vote")]);
    }
}
