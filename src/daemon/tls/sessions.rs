//! Sessions that clients may resume, in memory, for a while (`tls-session-cache-…`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

/// See the module. The oldest goes first.
#[derive(Debug)]
pub struct Sessions {
    most: usize,
    lifetime: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// By age. Sessions that were taken since are still named.
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// Keeps `most` sessions for as long as `lifetime`.
    pub fn new(most: usize, lifetime: Duration) -> Self {
        Sessions { most, lifetime, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_at(&self, now: Instant, key: Vec<u8>, value: Vec<u8>) {
        let mut kept = self.kept();
        kept.order.push_back((now, key.clone()));
        kept.sessions.insert(key, (now, value));
        while let Some((at, key)) = kept.order.front()
            && (kept.order.len() > self.most || now.saturating_duration_since(*at) > self.lifetime)
        {
            // A session that was put again since is younger than this.
            let (at, key) = (*at, key.clone());
            if kept.sessions.get(&key).is_some_and(|(put, _)| *put == at) {
                kept.sessions.remove(&key);
            }
            kept.order.pop_front();
        }
    }

    fn get_at(&self, now: Instant, key: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept();
        let (at, value) = kept.sessions.get(key)?;
        (now.saturating_duration_since(*at) <= self.lifetime).then(|| value.clone())
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(Instant::now(), key, value);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get_at(Instant::now(), key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.get(key);
        self.kept().sessions.remove(key);
        found
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many_and_all_when_they_are_old() {
        let sessions = Sessions::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (second, key) in [(0, b"a"), (1, b"b"), (2, b"c")] {
            sessions.put_at(at(second), key.to_vec(), b"value".to_vec());
        }
        assert_eq!(sessions.get_at(at(2), b"a"), None);
        assert!(sessions.get_at(at(11), b"b").is_some());
        assert_eq!(sessions.get_at(at(12), b"b"), None, "too old");
        sessions.put_at(at(12), b"c".to_vec(), b"new".to_vec());
        assert_eq!(sessions.get_at(at(13), b"c"), Some(b"new".to_vec()), "only its older self went");
        sessions.put_at(at(40), b"d".to_vec(), Vec::new());
        assert_eq!(sessions.kept().sessions.len(), 1);
        assert!(sessions.take(b"d").is_some() && sessions.take(b"d").is_none());
    }
}
