//! The clients connected now.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::handle::{Handle, lock};
use crate::model::ClientId;

/// Every connected client, by its number.
#[derive(Debug)]
pub(super) struct Registry {
    clients: Mutex<BTreeMap<ClientId, Arc<Handle>>>,
    last: AtomicU64,
}

impl Default for Registry {
    fn default() -> Self {
        // Compat: the reference has given two numbers away, for scripts and functions, before the first client comes.
        Registry { clients: Mutex::default(), last: AtomicU64::new(2) }
    }
}

impl Registry {
    /// A number nobody had before.
    pub fn next_id(&self) -> ClientId {
        ClientId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub fn add(&self, client: Arc<Handle>) {
        lock(&self.clients).insert(client.id, client);
    }

    pub fn remove(&self, id: ClientId) {
        lock(&self.clients).remove(&id);
    }

    pub fn get(&self, id: ClientId) -> Option<Arc<Handle>> {
        lock(&self.clients).get(&id).cloned()
    }

    pub fn count(&self) -> usize {
        lock(&self.clients).len()
    }

    /// All of them, oldest first. A copy, so that nothing is locked while they are looked at.
    pub fn all(&self) -> Vec<Arc<Handle>> {
        lock(&self.clients).values().cloned().collect()
    }
}
