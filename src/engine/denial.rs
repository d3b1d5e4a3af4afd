//! What instances say when they do not let us in, or forbid what we ask: an operator must find it in the log, because otherwise a
//! wrong password looks like a dead server (spec 2 §14.3).
//!
//! It decides nothing: whether the instance counts as down is up to `health`. Each text is logged once per link, and again only
//! after the instance has let us in meanwhile.

use super::cx::Cx;
use super::fleet::Fleet;
use super::notice::Level;
use super::tag::{Ask, Tag};
use crate::model::LinkId;
use crate::wire::{PingReply, Reply};

/// What is said by who does not know us, and by who does but forbids it.
const STRANGER: [&str; 2] = ["NOAUTH", "WRONGPASS"];
const FORBIDDEN: &str = "NOPERM";

/// How many different texts of one link are remembered; what comes after them is not logged.
const MOST: usize = 8;

/// The longest part of a text that is logged, in characters.
const LONGEST: usize = 200;

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
    if !(STRANGER.contains(&code) || code == FORBIDDEN) || denials.len() >= MOST {
        return;
    }
    let text: String = text.chars().take(LONGEST).collect();
    if denials.contains(&text) {
        return;
    }
    denials.push(text.clone());
    let who = fleet.describe(tag.entity, &cx.globals);
    cx.log(Level::Warning, format!("Denied by {who}: {text}"));
}
