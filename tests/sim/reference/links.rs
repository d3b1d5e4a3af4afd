//! Connections: when they are tried, what is said first, what is lost with them (spec 2 §3).

use std::sync::Arc;

use sentineld::engine::{Action, Ask, ConnId, ConnKind, Endpoints, Tag, Target};
use sentineld::model::LinkId;
use sentineld::wire::{Hello, Reply, Request};

use super::Reference;
use super::state::{Conn, Link, Who};

impl Reference {
    /// Spec 2 §3.5: at every tick while something is missing, but once a ping period.
    pub fn reconnect(&mut self, who: Who) {
        let now = self.wall();
        let link = self.link_of(who);
        let port = self.instance(who).address.port;
        if !link.disconnected || port == 0 || now - link.reconnect_at < self.periods.ping {
            return;
        }
        self.link_of_mut(who).reconnect_at = now;
        let short: String = self.my_id.as_str().chars().take(8).collect();
        if !self.link_of(who).command.open {
            self.connect(who, ConnKind::Command);
            self.link_of_mut(who).pending = 0;
            self.greet(who, ConnKind::Command, format!("sentinel-{short}-cmd"));
            self.send_ping(who);
        }
        if self.link_of(who).pubsub.as_ref().is_some_and(|conn| !conn.open) {
            self.connect(who, ConnKind::PubSub);
            self.greet(who, ConnKind::PubSub, format!("sentinel-{short}-pubsub"));
            self.write(who, ConnKind::PubSub, Ask::Setup, Request::Subscribe);
        }
        let link = self.link_of_mut(who);
        link.disconnected = !(link.command.open && link.pubsub.as_ref().is_none_or(|conn| conn.open));
    }

    fn connect(&mut self, who: Who, kind: ConnKind) {
        let now = self.wall();
        let address = &self.instance(who).address;
        let target = Target { host: address.host.clone(), ip: address.ip, port: address.port };
        let link = self.link_of_mut(who);
        let id = link.id;
        let Some(conn) = conn_mut(link, kind) else { return };
        conn.attempt = conn.attempt.wrapping_add(1);
        (conn.open, conn.up, conn.since) = (true, false, now);
        let id = ConnId { link: id, kind, attempt: conn.attempt };
        self.held.push(Action::Connect(id, target));
    }

    /// AUTH, if there is a password, and the name of the connection (spec 2 §3.2, §3.3).
    fn greet(&mut self, who: Who, kind: ConnKind, name: String) {
        let settings = &self.at(who.slot()).settings;
        let (user, pass) = match who {
            Who::Peer(..) if self.globals.sentinel_pass.is_some() => {
                (self.globals.sentinel_user.clone(), self.globals.sentinel_pass.clone())
            }
            Who::Peer(..) => (None, self.requirepass.clone()),
            _ => (settings.auth_user.clone(), settings.auth_pass.clone()),
        };
        if let Some(pass) = pass {
            let request = Request::Auth { user: user.map(Arc::from), pass: Arc::from(pass) };
            self.write(who, kind, Ask::Setup, request);
        }
        self.write(who, kind, Ask::Setup, Request::SetName(name));
    }

    /// Sends on the command connection. It counts as unanswered even if nobody is there yet.
    pub fn send(&mut self, who: Who, ask: Ask, request: Request) {
        if self.link_of(who).command.open {
            self.write(who, ConnKind::Command, ask, request);
        }
    }

    /// What is written before the handshake is complete leaves with it.
    fn write(&mut self, who: Who, kind: ConnKind, ask: Ask, request: Request) {
        let tag = Tag { entity: self.at(who.slot()).entity(who), ask };
        let link = self.link_of_mut(who);
        if kind == ConnKind::Command {
            link.pending += 1;
        }
        let id = link.id;
        let Some(conn) = conn_mut(link, kind) else { return };
        if conn.up {
            let id = ConnId { link: id, kind, attempt: conn.attempt };
            let renamed = self.renamed(who.slot(), request.word());
            self.held.push(Action::Send(id, tag, request, renamed));
        } else {
            conn.waiting.push((tag, request));
        }
    }

    /// Spec 2 §3.7: also towards peers, which breaks the mesh.
    fn renamed(&self, slot: usize, word: &str) -> Option<Arc<str>> {
        let names = &self.masters.get(slot)?.as_ref()?.settings.renamed_commands;
        let found = names.iter().find(|(old, _)| old.eq_ignore_ascii_case(word));
        found.map(|(_, new)| Arc::from(new.as_str()))
    }

    pub fn on_connected(&mut self, id: ConnId, ends: Endpoints) {
        let Some(conn) = self.current(id) else { return };
        conn.up = true;
        let waiting = std::mem::take(&mut conn.waiting);
        if id.kind == ConnKind::Command {
            self.link_mut(id.link).local = Some(ends.local);
        }
        for (tag, request) in waiting {
            let renamed = self.find(tag.entity).and_then(|who| self.renamed(who.slot(), request.word()));
            self.held.push(Action::Send(id, tag, request, renamed));
        }
    }

    /// Either connection lost makes the link disconnected: no PING, INFO or hello until the next pass (spec 2 §1.5).
    pub fn on_disconnected(&mut self, id: ConnId) {
        let Some(conn) = self.current(id) else { return };
        (conn.open, conn.up) = (false, false);
        conn.waiting.clear();
        self.link_mut(id.link).disconnected = true;
    }

    /// Gives a connection up ourselves.
    pub fn close(&mut self, link: LinkId, kind: ConnKind) {
        let link = self.link_mut(link);
        let id = link.id;
        let Some(conn) = conn_mut(link, kind).filter(|conn| conn.open) else { return };
        (conn.open, conn.up) = (false, false);
        conn.waiting.clear();
        let id = ConnId { link: id, kind, attempt: conn.attempt };
        self.link_mut(id.link).disconnected = true;
        self.held.push(Action::Disconnect(id));
    }

    pub fn on_heard(&mut self, id: ConnId, hello: Option<Hello>) {
        if self.current(id).is_none() {
            return;
        }
        let now = self.wall();
        self.link_mut(id.link).heard_at = now;
        if let Some(hello) = hello {
            self.on_hello(&hello);
        }
    }

    /// Sorts a reply to what it answers.
    pub fn on_reply(&mut self, id: ConnId, tag: Tag, reply: Reply) {
        if self.current(id).is_none() {
            return;
        }
        let now = self.wall();
        if id.kind == ConnKind::PubSub {
            self.link_mut(id.link).heard_at = now;
            if matches!(reply, Reply::Error(_)) && tag.ask == Ask::Setup {
                // The client library drops a subscription that was answered with an error (spec 2 §3.5).
                self.close(id.link, ConnKind::PubSub);
            }
            return;
        }
        self.link_mut(id.link).pending -= 1;
        // What belonged to an instance that is no more is dropped (spec 2 §1.6).
        let Some(who) = self.find(tag.entity) else { return };
        match (tag.ask, reply) {
            (Ask::Ping, Reply::Ping(reply)) => self.on_ping_reply(who, &reply),
            (Ask::Info, Reply::Info(report)) => self.on_info(who, &report),
            (Ask::Publish, Reply::Error(_)) => {}
            (Ask::Publish, _) => self.instance_mut(who).last_pub = now,
            (Ask::MasterDown { .. }, Reply::MasterDown(reply)) => self.on_ask_reply(who, reply),
            _ => {}
        }
    }

    /// The connection as it is now; `None` if the id is that of an earlier one.
    fn current(&mut self, id: ConnId) -> Option<&mut Conn> {
        let link = self.links.get_mut(id.link.index as usize)?.as_mut()?;
        if link.id != id.link {
            return None;
        }
        conn_mut(link, id.kind).filter(|conn| conn.attempt == id.attempt && conn.open)
    }
}

fn conn_mut(link: &mut Link, kind: ConnKind) -> Option<&mut Conn> {
    match kind {
        ConnKind::Command => Some(&mut link.command),
        ConnKind::PubSub => link.pubsub.as_mut(),
    }
}
