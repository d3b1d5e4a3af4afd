//! What instances say when they do not let us in, or forbid what we ask: an operator must find it in the log, because otherwise a
//! wrong password looks like a dead server (spec 2 §14.3).
//!
//! Each text is logged once per link, and again only after the instance has let us in meanwhile. Whether the instance counts as
//! subjectively down is up to `health`: operators and clients know `+sdown` for this. But who turns us away is alive.
//!
//! Differs: so it is never objectively down by that, not in our own view nor in what we tell peers. The reference fails a healthy master
//! over, or tries to, because somebody changed a password.

use super::cx::Cx;
use super::fleet::Fleet;
use super::notice::Level;
use super::tag::{Ask, Entity, Tag};
use crate::model::{Instant, LinkId};
use crate::wire::{PingReply, Reply};

/// What is said by who does not know us, and by who does but forbids it.
const STRANGER: [&str; 2] = ["NOAUTH", "WRONGPASS"];
const FORBIDDEN: &str = "NOPERM";

/// How many different texts of one link are remembered; what comes after them is not logged.
const MOST: usize = 8;

/// The longest part of a text that is logged, in characters.
const LONGEST: usize = 200;

/// The last sign of an instance was that it does not let us in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shut {
    /// Since when it does not even say that: the oldest unanswered PING since, or the loss of the connection.
    pub unheard_since: Option<Instant>,
}

impl Shut {
    /// Something is asked, or was lost: from now on silence counts.
    pub fn await_word(&mut self, now: Instant) {
        self.unheard_since.get_or_insert(now);
    }
}

/// True for an answer to PING by which an instance lives, but does not let us in.
pub fn is_denial(reply: &PingReply) -> bool {
    match reply {
        PingReply::Other(text) => is_code(text.split(' ').next().unwrap_or_default()),
        _ => false,
    }
}

fn is_code(code: &str) -> bool {
    STRANGER.contains(&code) || code == FORBIDDEN
}

/// Logs a reply that denies us something. The instance of the tag must exist.
pub fn note(fleet: &mut Fleet, cx: &mut Cx, id: LinkId, tag: Tag, reply: &Reply) {
    let text = match reply {
        Reply::Ping(PingReply::Pong) => {
            // It lets us in; what it forbids is not affected by that.
            fleet.links[id].denials.retain(|text| text.starts_with(FORBIDDEN));
            return;
        }
        Reply::Ping(PingReply::Other(text)) => text,
        // Replies to the commands of a failover have log lines of their own.
        Reply::Error(text) if !matches!(tag.ask, Ask::ReplicaOf(_)) => text,
        _ => return,
    };
    let code = text.split(' ').next().unwrap_or_default();
    let denials = &mut fleet.links[id].denials;
    if !is_code(code) || denials.len() >= MOST {
        return;
    }
    let text: String = text.chars().take(LONGEST).collect();
    if denials.contains(&text) {
        return;
    }
    denials.push(text.clone());
    let who = fleet.describe(tag.entity, &cx.globals);
    let advice = advice(fleet, tag.entity, code);
    cx.log(Level::Warning, format!("Denied by {who}: {text} ({advice})"));
}

/// What an operator has to do about it.
fn advice(fleet: &Fleet, entity: Entity, code: &str) -> String {
    let master = fleet.master_of(entity).map(|id| fleet.masters[id].name.as_str()).unwrap_or_default();
    match (code == FORBIDDEN, entity) {
        (true, _) => "it is alive: allow that to the user by which this Sentinel logs in".to_owned(),
        (false, Entity::Peer(_)) => "it is alive: set sentinel-pass by SENTINEL CONFIG SET".to_owned(),
        (false, _) => {
            format!("it is alive: set auth-pass, and auth-user if need be, by SENTINEL SET {master}")
        }
    }
}
