//! Who is subscribed to what, and the way of a message to all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::handle::{Handle, Message, lock};
use crate::model::ClientId;
use crate::session::subscriptions::Kind;
use crate::text::lossless::bytes_of;
use crate::wire::glob::glob_matches;

type Subscribers = BTreeMap<ClientId, Arc<Handle>>;

/// All subscriptions of all clients.
#[derive(Debug, Default)]
pub(super) struct Hub {
    routes: Mutex<Routes>,
}

#[derive(Debug, Default)]
struct Routes {
    channels: HashMap<Bytes, Subscribers>,
    patterns: HashMap<Bytes, Subscribers>,
}

impl Hub {
    /// From now on the client gets what fits.
    pub fn add(&self, kind: Kind, name: Bytes, client: &Arc<Handle>) {
        lock(&self.routes).of(kind).entry(name).or_default().insert(client.id, client.clone());
    }

    /// No longer.
    pub fn remove(&self, kind: Kind, name: &Bytes, client: ClientId) {
        let mut routes = lock(&self.routes);
        let routes = routes.of(kind);
        if let Some(subscribers) = routes.get_mut(name) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                routes.remove(name);
            }
        }
    }

    /// How many channels and how many patterns have subscribers.
    pub fn counts(&self) -> (usize, usize) {
        let routes = lock(&self.routes);
        (routes.channels.len(), routes.patterns.len())
    }

    /// Hands a message to every subscriber: first to those of the channel, then once for every pattern that matches.
    pub fn publish(
        &self,
        channel: &'static str,
        payload: &str,
        mut deliver: impl FnMut(&Arc<Handle>, &Arc<Message>),
    ) {
        let routes = lock(&self.routes);
        if routes.channels.is_empty() && routes.patterns.is_empty() {
            return;
        }
        let channel = Bytes::from_static(channel.as_bytes());
        let payload = Bytes::copy_from_slice(&bytes_of(payload));
        let message =
            |pattern| Arc::new(Message { pattern, channel: channel.clone(), payload: payload.clone() });
        if let Some(subscribers) = routes.channels.get(&channel) {
            let message = message(None);
            subscribers.values().for_each(|client| deliver(client, &message));
        }
        for (pattern, subscribers) in &routes.patterns {
            if glob_matches(pattern, &channel, false) {
                let message = message(Some(pattern.clone()));
                subscribers.values().for_each(|client| deliver(client, &message));
            }
        }
    }
}

impl Routes {
    fn of(&mut self, kind: Kind) -> &mut HashMap<Bytes, Subscribers> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }
}
