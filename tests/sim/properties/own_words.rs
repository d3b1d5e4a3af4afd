//! **What is held against a server, it said itself**: `+reboot` comes only when two reports of that very server had different run ids. A reply
//! that comes late, on a connection that was given up for one to another server, would make the new one look restarted, or alive, or a
//! replica (spec 2 §5.4, §9.8).
//!
//! Holds for reference Sentinels too.
//!
//! Can't see: what late replies do without an event.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::words;
use crate::seen::{Property, Scene, Seen};

#[derive(Default)]
pub struct OwnWords {
    /// By Sentinel and server: the run ids of its last two reports.
    run_ids: BTreeMap<(usize, SocketAddrV4), (Option<String>, Option<String>)>,
}

impl Property for OwnWords {
    fn name(&self) -> &'static str {
        "what is held against a server, it said itself"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Started => self.run_ids.retain(|(node, _), _| *node != scene.node),
            Seen::Informed { server, report } => {
                let known = self.run_ids.entry((scene.node, *server)).or_default();
                if report.run_id.is_some() && report.run_id != known.1 {
                    *known = (known.1.take(), report.run_id.clone());
                }
            }
            Seen::Notice { name, payload } if name == "+reboot" => {
                let Some(named) = words::instance(payload) else { return Ok(()) };
                let known = self.run_ids.get(&(scene.node, named.address));
                if known.is_none_or(|known| known.0.is_none()) {
                    return Err(format!(
                        "{} is said to have restarted, whose run id was always the same",
                        named.address
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;

    fn of(number: u8, run: char) -> Seen {
        info(number, &format!("run_id:{};role:master;", run.to_string().repeat(40)))
    }

    #[test]
    fn a_restart_is_said_of_who_restarted() {
        let mut stage = Stage::new(OwnWords::default());
        stage.fine(of(1, 'a')).fine(of(1, 'a')).fine(of(1, 'b')).says("+reboot", &of_master(1));
    }

    #[test]
    fn not_of_another() {
        let mut stage = Stage::new(OwnWords::default());
        stage.fine(of(1, 'a')).fine(of(2, 'b')).wrong(notice("+reboot", &of_master(2)));
        stage.fine(of(2, 'b')).wrong(notice("+reboot", &of_master(2)));
    }
}
