//! What it says: events, their texts, and lines that are none (spec 2 §11).

use sentineld::engine::{Action, Level, Notice};

use super::Reference;
use super::state::Who;

impl Reference {
    pub fn publish(&mut self, level: Level, name: &'static str, payload: String) {
        self.held.push(Action::Publish(Notice::new(level, name, payload)));
    }

    /// An event about an instance.
    pub fn publish_about(&mut self, level: Level, name: &'static str, who: Who, more: &str) {
        let text = self.describe(who) + more;
        self.publish(level, name, text);
    }

    pub fn log(&mut self, level: Level, text: String) {
        self.held.push(Action::Log(level, text));
    }

    /// An instance, as events show it.
    pub fn describe(&self, who: Who) -> String {
        let master = self.at(who.slot());
        let shown = |who| {
            let instance = master.instance(who);
            let host = instance.address.shown_host(self.globals.announce_hostnames);
            format!("{} {host} {}", instance.name, instance.address.port)
        };
        let kind = match who {
            Who::Master(_) => return format!("master {}", shown(who)),
            Who::Replica(..) => "slave",
            Who::Peer(..) => "sentinel",
        };
        format!("{kind} {} @ {}", shown(who), shown(Who::Master(who.slot())))
    }
}
