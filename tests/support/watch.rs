//! A subscriber that notes every message of one Sentinel, with the instant at which it came.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::resp::Client;

/// One message received.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Instant,
    pub channel: String,
    pub payload: String,
}

/// A thread subscribed to everything; it ends when its connection does.
#[derive(Clone)]
pub struct Watcher {
    events: Arc<Mutex<Vec<Event>>>,
}

impl Watcher {
    /// Subscribes to all channels of the Sentinel on `port`, returning once the subscription is confirmed.
    pub fn subscribe(port: u16) -> Watcher {
        Watcher::subscribe_as(port, None)
    }

    /// The same, after `AUTH password`.
    pub fn subscribe_as(port: u16, password: Option<&str>) -> Watcher {
        let an_hour = Duration::from_secs(3600);
        let mut client = Client::connect_with(port, an_hour).expect("a Sentinel that accepts subscribers");
        if let Some(password) = password {
            client.call(&["AUTH", password]).expect("an answer to AUTH");
        }
        let confirmed = client.call(&["PSUBSCRIBE", "*"]).expect("a confirmation");
        assert_eq!(confirmed.texts()[0], "psubscribe");
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = events.clone();
        thread::spawn(move || {
            while let Ok(message) = client.read() {
                if let [_, _, channel, payload] = &message.texts()[..] {
                    let event =
                        Event { at: Instant::now(), channel: channel.clone(), payload: payload.clone() };
                    sink.lock().expect("no reader panics").push(event);
                }
            }
        });
        Watcher { events }
    }

    /// All messages so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no reader panics").clone()
    }

    /// The payloads seen on one channel so far.
    pub fn on(&self, channel: &str) -> Vec<String> {
        self.events().into_iter().filter(|e| e.channel == channel).map(|e| e.payload).collect()
    }

    /// Whether some message on `channel` contains `part`.
    pub fn saw(&self, channel: &str, part: &str) -> bool {
        self.on(channel).iter().any(|payload| payload.contains(part))
    }

    /// The channels in order of arrival, without repetition of the same one in a row.
    pub fn channels(&self) -> Vec<String> {
        let mut names: Vec<String> = self.events().into_iter().map(|e| e.channel).collect();
        names.dedup();
        names
    }
}
