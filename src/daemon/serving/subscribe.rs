//! SUBSCRIBE and its family (spec 3 §3.6).

use bytes::Bytes;

use super::connection::Connection;
use crate::session::subscriptions::Kind;
use crate::wire::Verb;
use crate::wire::pubsub::{Subscription, confirmation};

impl Connection {
    /// One change and one confirmation per name.
    pub fn change_subscriptions(&mut self, verb: Verb, names: &[Bytes]) {
        let (kind, change) = match verb {
            Verb::Subscribe => (Kind::Channel, Subscription::Subscribe),
            Verb::Psubscribe => (Kind::Pattern, Subscription::PSubscribe),
            Verb::Unsubscribe => (Kind::Channel, Subscription::Unsubscribe),
            _ => (Kind::Pattern, Subscription::PUnsubscribe),
        };
        if matches!(change, Subscription::Subscribe | Subscription::PSubscribe) {
            names.iter().for_each(|name| self.subscribe(kind, change, name));
            return;
        }
        let all = if names.is_empty() { self.session.subscriptions.names(kind) } else { names.to_vec() };
        if all.is_empty() {
            self.confirm(change, None);
        }
        for name in all {
            self.unsubscribe(kind, &name);
            self.confirm(change, Some(name));
        }
    }

    fn subscribe(&mut self, kind: Kind, change: Subscription, name: &Bytes) {
        // A name of its own, not a view into what was received.
        let name = Bytes::copy_from_slice(name);
        if self.session.subscriptions.add(kind, name.clone()) {
            self.shared.hub.add(kind, name.clone(), &self.handle);
        }
        self.confirm(change, Some(name));
    }

    fn unsubscribe(&mut self, kind: Kind, name: &Bytes) {
        if self.session.subscriptions.remove(kind, name) {
            self.shared.hub.remove(kind, name, self.handle.id);
        }
    }

    fn confirm(&mut self, change: Subscription, name: Option<Bytes>) {
        let value = confirmation(change, name, self.session.subscriptions.count());
        self.push(&value);
    }

    /// The connection ends.
    pub fn unsubscribe_all(&mut self) {
        for kind in [Kind::Channel, Kind::Pattern] {
            for name in self.session.subscriptions.names(kind) {
                self.unsubscribe(kind, &name);
            }
        }
    }

    /// True if the rules of its user still allow every subscription it has.
    pub fn is_still_allowed(&self) -> bool {
        let acl = self.shared.acl.load();
        let Some(user) = acl.user(&self.session.user) else { return true };
        let all = |kind, is_pattern| {
            let names = self.session.subscriptions.names(kind);
            names.iter().all(|name| user.allows_channel(name, is_pattern))
        };
        all(Kind::Channel, false) && all(Kind::Pattern, true)
    }
}
