//! **A wrong password of ours never makes a master objectively down.** A server that refuses us answers, so it lives: that is a mistake in our
//! configuration, not a reason for a failover (spec 2 §4.2, §14.3).
//!
//! Shut out is who got such an answer to its last PING, less than down-after ago, on a connection that is still up. It neither counts its own view, nor tells it to others. An
//! answer that waited for the disk says what was true when it was asked for. The down-after that an operator sets holds at once, also for the
//! silence before, and on a disk that is full. Reference Sentinels are skipped.
//!
//! Can't see: a server that is dead behind something that refuses in its name.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use sentineld::engine::ConnKind;
use sentineld::wire::{PingReply, Reply};

use super::words;
use crate::seen::{Kind, Property, Scene, Seen};

/// Answers to PING that say who we are not.
const DENIALS: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

#[derive(Default)]
pub struct Password {
    /// By Sentinel and server: when it denied us last, if that was the last answer to a PING.
    shut: BTreeMap<(usize, SocketAddrV4), u64>,
    /// By Sentinel and master's name: where it is.
    places: BTreeMap<(usize, String), SocketAddrV4>,
    /// By Sentinel and master's name: the down-after that an operator set last, in nanoseconds; the file may know of it later.
    set: BTreeMap<(usize, String), u64>,
}

impl Property for Password {
    fn name(&self) -> &'static str {
        "a wrong password alone never makes a master objectively down"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        match seen {
            _ if scene.facts().kind == Kind::Reference => {}
            Seen::Started => {
                self.shut.retain(|(node, _), _| *node != scene.node);
                self.places.retain(|(node, _), _| *node != scene.node);
                self.set.retain(|(node, _), _| *node != scene.node);
            }
            Seen::Ordered { words } => {
                self.set.retain(|(node, name), _| *node != scene.node || !words::forgets(words, name));
                if let Some((name, nanos)) = words::set_down_after(words) {
                    self.set.insert((scene.node, name.to_owned()), nanos);
                }
            }
            Seen::Got { from, reply: Reply::Ping(PingReply::Other(text)), .. }
                if DENIALS.iter().any(|denial| text.starts_with(denial)) =>
            {
                self.shut.insert((scene.node, *from), scene.at);
            }
            Seen::Got { from, reply: Reply::Ping(_), .. } => {
                self.shut.remove(&(scene.node, *from));
            }
            Seen::Broken { to, kind: ConnKind::Command } => {
                self.shut.remove(&(scene.node, *to));
            }
            Seen::Notice { name, payload } if name == "+switch-master" => {
                if let Some((master, _, new)) = words::switch(payload) {
                    self.places.insert((scene.node, master.to_owned()), new);
                }
            }
            Seen::Notice { name, payload } => {
                let Some(named) = words::instance(payload).filter(|named| named.kind == "master") else {
                    return Ok(());
                };
                self.places.insert((scene.node, named.name.to_owned()), named.address);
                if name == "+odown" && self.is_shut(scene, named.name, named.address, 0) {
                    return Err(format!(
                        "{} is objectively down, but merely refuses our password",
                        named.address
                    ));
                }
            }
            Seen::Told { master, down: true, waited, .. } => {
                let place = self.places.get(&(scene.node, master.to_string()));
                let is_shut = |place: &&SocketAddrV4| self.is_shut(scene, master.as_str(), **place, *waited);
                if let Some(place) = place.filter(is_shut) {
                    return Err(format!(
                        "others are told that {place} is down, which merely refuses our password"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Password {
    /// It refused us last, `waited` nanoseconds ago or before, and not so long ago that it may have died since.
    fn is_shut(&self, scene: &Scene, name: &str, server: SocketAddrV4, waited: u64) -> bool {
        let known = |at: &&u64| **at + waited <= scene.at;
        let Some(at) = self.shut.get(&(scene.node, server)).filter(known) else { return false };
        let set = self.set.get(&(scene.node, name.to_owned())).copied();
        scene.at < at + set.or(words::down_after(&scene.facts().disk, name)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    fn denied() -> Seen {
        ping(1, PingReply::Other("WRONGPASS invalid password".into()))
    }

    #[test]
    fn who_dies_after_refusing_is_down() {
        let mut stage = Stage::new(Password::default());
        stage.fine(denied()).says("+sdown", &of_master(1)).fine(Seen::Turned).fine(broken(server(1)));
        stage.says("+odown", &of_master(1)).fine(told(None, 0));
    }

    #[test]
    fn nor_is_one_that_is_the_master_no_more() {
        let mut stage = Stage::new(Password::default());
        stage.fine(denied()).says("+sdown", &of_master(1)).wrong(told(None, 0)).fine(switched(1, 2));
        stage.fine(told(None, 0)).says("+odown", &of_master(2));
    }

    #[test]
    fn nor_need_a_silent_one_be_lost() {
        let mut stage = Stage::new(Password::default());
        stage.fine(denied()).says("+sdown", &of_master(1)).at(29_999).wrong(told(None, 0));
        stage.at(30_000).fine(told(None, 0));
    }

    #[test]
    fn what_an_operator_sets_holds_at_once() {
        let mut stage = Stage::new(Password::default());
        stage.fine(denied()).says("+sdown", &of_master(1)).at(600).wrong(told(None, 0));
        stage.fine(ordered("SENTINEL SET m down-after-milliseconds 600")).fine(told(None, 0));
        stage.fine(ordered("SENTINEL SET m down-after-milliseconds 601")).wrong(told(None, 0));
        stage.fine(ordered("SENTINEL SET m down-after-milliseconds 600")).fine(Seen::Started);
        stage.says("+sdown", &of_master(1)).fine(denied()).at(1_200).wrong(told(None, 0));
    }

    #[test]
    fn an_answer_that_was_kept_tells_of_the_time_before() {
        let mut stage = Stage::new(Password::default());
        stage.says("+sdown", &of_master(1)).at(5_000).fine(denied()).at(5_100);
        for leader in [None, Some(1)] {
            stage.fine(told_late(leader, 1, 101)).wrong(told_late(leader, 1, 100)).wrong(told(leader, 1));
        }
    }

    #[test]
    fn who_merely_refuses_is_not() {
        let mut stage = Stage::new(Password::default());
        stage.fine(denied()).says("+sdown", &of_master(1)).wrong(notice("+odown", &of_master(1)));
        stage.wrong(told(None, 0)).fine(ping(1, PingReply::Busy)).fine(told(None, 0));
    }
}
