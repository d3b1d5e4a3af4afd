//! How instances are named to people, and who is told of what happens to them (spec 2 §10.1, §11).

use super::Fleet;
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::globals::Globals;
use crate::engine::instance::Instance;
use crate::engine::master::Master;
use crate::engine::notice::{Level, Notice};
use crate::engine::tag::Entity;
use crate::model::{MasterId, Revision};

impl Fleet {
    /// How event texts name an instance: `<type> <name> <ip> <port>[ @ <master> <ip> <port>]` (spec 2 §11).
    pub fn describe(&self, entity: Entity, globals: &Globals) -> String {
        let place = |instance: &Instance| {
            let (host, port) = globals.shown(&instance.address);
            format!("{host} {port}")
        };
        let own = |kind: &str, instance: &Instance| format!("{kind} {} {}", instance.name, place(instance));
        let with_master = |text: String, master: MasterId| {
            let master = &self.masters[master];
            format!("{text} @ {} {}", master.name, place(&master.instance))
        };
        match entity {
            Entity::Master(id) => own("master", &self.masters[id].instance),
            Entity::Replica(id) => {
                with_master(own("slave", &self.replicas[id].instance), self.replicas[id].master)
            }
            Entity::Peer(id) => with_master(own("sentinel", &self.peers[id].instance), self.peers[id].master),
        }
    }

    /// Logs and publishes a message about an instance, and queues its notification script if it is a warning (spec 2 §10.1, §11).
    pub fn announce(&self, cx: &mut Cx, level: Level, name: &'static str, entity: Entity, suffix: &str) {
        let notice = self.notice(cx, level, name, entity, suffix);
        cx.outbox.push(Action::Publish(notice));
    }

    /// As `announce`, but behind the attempt to save `revision`, so that the log tells of the save first.
    pub fn announce_behind(
        &self,
        cx: &mut Cx,
        revision: Revision,
        event: (Level, &'static str),
        entity: Entity,
        suffix: &str,
    ) {
        let notice = self.notice(cx, event.0, event.1, entity, suffix);
        cx.outbox.behind(revision, Action::Publish(notice));
    }

    fn notice(&self, cx: &mut Cx, level: Level, name: &'static str, entity: Entity, suffix: &str) -> Notice {
        let notice = Notice::new(level, name, self.describe(entity, &cx.globals) + suffix);
        let master = self.master_of(entity).map(|id| &self.masters[id]);
        self.notify(cx, &notice, master);
        notice
    }

    /// A warning of which a master is the reason and whose text does not name it: its notification script is called all the same.
    pub fn warning(&self, cx: &mut Cx, id: MasterId, name: &'static str, payload: String) -> Notice {
        let notice = Notice::new(Level::Warning, name, payload);
        self.notify(cx, &notice, Some(&self.masters[id]));
        notice
    }

    /// Queues the notification script for a warning about a master or what belongs to it.
    fn notify(&self, cx: &mut Cx, notice: &Notice, master: Option<&Master>) {
        let script = master.and_then(|master| master.settings.notification_script.clone());
        if let (Level::Warning, Some(script)) = (notice.level, script) {
            let now = cx.mono();
            cx.scripts.push(vec![script, notice.name.to_owned(), notice.payload.clone()], now);
        }
    }
}
