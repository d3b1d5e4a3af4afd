//! A Sentinel's turns: what arrived becomes inputs, actions become bytes. What `daemon::driver` is, in virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use sentineld::engine::{Action, Endpoints, Input};
use sentineld::model::{CommandId, Instant, MasterName};
use sentineld::wire::{Answer, Command, Reply, Request, SentinelCommand};

use crate::clock;
use crate::door::Session;
use crate::link::Link;
use crate::network::{Packet, Way, Wire};
use crate::node::{CLIENT, Mail, OPERATOR};
use crate::seen::{Kind, Seen};
use crate::trace;
use crate::world::{Event, World};

impl World {
    /// Something reaches a Sentinel, which handles it now, or when it can.
    pub fn receive(&mut self, node: usize, mail: Mail) {
        let state = &mut self.nodes[node];
        if state.brain.is_none() {
            return;
        }
        let saved = matches!(mail, Mail::Saved(_));
        if state.stopped || (state.kept.is_some() && !saved) {
            return state.mailbox.push_back(mail);
        }
        let mut inputs = Vec::new();
        self.open_mail(node, mail, &mut inputs);
        if let Some(actions) = self.nodes[node].kept.take() {
            self.drain(node, actions);
        }
        self.turn(node, &mut inputs);
        if saved && !self.nodes[node].mailbox.is_empty() {
            self.read_mail(node);
        }
    }

    /// Everything that waits is handled in one turn.
    pub fn read_mail(&mut self, node: usize) {
        let mut inputs = Vec::new();
        while let Some(mail) = self.nodes[node].mailbox.pop_front() {
            if self.nodes[node].kept.is_some() && !matches!(mail, Mail::Saved(_)) {
                self.nodes[node].mailbox.push_front(mail);
                break;
            }
            self.open_mail(node, mail, &mut inputs);
        }
        self.turn(node, &mut inputs);
    }

    fn open_mail(&mut self, node: usize, mail: Mail, inputs: &mut Vec<Input>) {
        match mail {
            Mail::Saved(input) => inputs.push(input),
            Mail::Link(conn, wire, packet) => self.read_link(node, (conn, wire), packet, inputs),
            Mail::Door(wire, Packet::Bytes(bytes)) => self.read_door(node, wire, &bytes, inputs),
            Mail::Door(wire, _) => {
                self.nodes[node].sessions.remove(&wire);
            }
        }
    }

    fn read_link(
        &mut self,
        node: usize,
        (conn, wire): (sentineld::engine::ConnId, Wire),
        packet: Packet,
        inputs: &mut Vec<Input>,
    ) {
        let state = &mut self.nodes[node];
        let Some(link) = state.links.get_mut(&conn).filter(|link| link.wire == wire) else { return };
        // Both ends may be closed, and nobody has read of it here, because the process was stopped.
        let to = link.to;
        let began = inputs.len();
        let mut answered = Vec::new();
        let broken = match packet {
            Packet::Accepted => {
                let ends = Endpoints { local: IpAddr::V4(*state.address.ip()), remote: IpAddr::V4(*to.ip()) };
                inputs.push(Input::Connected(conn, ends));
                None
            }
            Packet::Bytes(bytes) => {
                let outcome = link.read(conn, &state.my_id, &bytes, inputs);
                answered = link.take_answered();
                outcome.err()
            }
            Packet::Closed(reason) => Some(reason.to_owned()),
        };
        let mut answered = answered.into_iter();
        for input in &inputs[began..] {
            let asked_at = match input {
                Input::Reply(..) => answered.next().unwrap_or(self.now),
                _ => self.now,
            };
            let seen = match input {
                Input::Connected(..) => Seen::Linked { to, kind: conn.kind },
                Input::Reply(_, _, Reply::Info(report)) => {
                    trace::detail(self.now, &node.to_string(), || {
                        format!("{to} is {}", trace::summary(report))
                    });
                    Seen::Informed { server: to, report: report.clone() }
                }
                Input::Reply(_, _, reply) => Seen::Got { from: to, reply: reply.clone(), asked_at },
                Input::Heard(_, Some(hello)) => Seen::Heard { hello: hello.clone() },
                _ => continue,
            };
            self.saw(node, &seen);
        }
        if let Some(reason) = broken {
            self.nodes[node].links.remove(&conn);
            self.close(wire);
            inputs.push(Input::Disconnected(conn, reason));
            self.saw(node, &Seen::Broken { to, kind: conn.kind });
        }
    }

    /// Commands of a client.
    pub fn read_door(&mut self, node: usize, wire: Wire, bytes: &[u8], inputs: &mut Vec<Input>) {
        let Some(session) = self.nodes[node].sessions.get_mut(&wire) else { return };
        let commands = session.read(wire, bytes);
        self.nodes[node].written.push(wire);
        for (id, command) in commands {
            match &command {
                Command::Publish(Some(hello)) => self.saw(node, &Seen::Heard { hello: hello.clone() }),
                Command::Sentinel(SentinelCommand::IsMasterDown { host, port, .. }) => {
                    let name = self.name_of(node, host, *port);
                    let at = self.now;
                    self.nodes[node].questions.insert(id, (host.clone(), *port, name, at));
                }
                _ => {}
            }
            inputs.push(Input::Command { id, command, runnable: Vec::new() });
        }
    }

    /// Which master a Sentinel understands by an address.
    fn name_of(&self, node: usize, host: &str, port: i64) -> Option<MasterName> {
        let state = &self.nodes[node];
        let is_it = |known: &str, at: u16| known == host && i64::from(at) == port;
        let booked = state.book.masters.iter().find(|master| is_it(&master.host, master.port));
        let told = || {
            state.directory.iter().find(|(_, (host, port))| is_it(host, *port)).map(|entry| entry.0.clone())
        };
        // While it re-points replicas it still answers for the master that they are led away from, and only it knows so.
        let before = || state.before.get(&(host.to_owned(), port)).cloned();
        booked.map(|master| master.name.clone()).or_else(told).or_else(before)
    }

    /// A Sentinel's timer.
    pub fn wake(&mut self, node: usize, at: u64) {
        if self.nodes[node].wakes_at == Some(at) {
            self.nodes[node].wakes_at = None;
            let state = &self.nodes[node];
            if !state.stopped && state.kept.is_none() {
                self.turn(node, &mut Vec::new());
            }
        }
    }

    /// One turn: facts in, deeds out.
    pub fn turn(&mut self, node: usize, inputs: &mut Vec<Input>) {
        let state = &mut self.nodes[node];
        let now = clock::now(self.now, state.wall_shift);
        let Some(brain) = &mut state.brain else { return };
        // The checks look at all masters: in a large fleet not after every turn.
        let size = 1 + (self.plan.clusters.len() / 8) as u64;
        let deeply = (self.turns + 1).is_multiple_of(self.deep_every * size);
        let facts = if deeply { format!("{inputs:?}") } else { String::new() };
        // What arrived may amount to nothing: then it does not look at the clock either.
        let mut acts = !inputs.is_empty();
        for input in inputs.drain(..) {
            brain.handle(now, input);
        }
        if brain.next_deadline().is_some_and(|due| due <= now.mono) {
            brain.handle_deadline(now);
            acts = true;
        }
        brain.end_turn();
        let mut actions: Vec<Action> = Vec::new();
        while let Some(action) = brain.poll_action() {
            actions.push(action);
        }
        self.turns += 1;
        let unsettled = match self.turns.is_multiple_of(size) {
            true => brain.check(deeply),
            false => Vec::new(),
        };
        if !unsettled.is_empty() {
            let due = self.nodes[node].brain.as_ref().and_then(|brain| brain.next_deadline());
            self.fail(format!(
                "Sentinel {node} was not settled at {} (next look: {due:?}): {unsettled:?} was left to do by a turn that did {actions:?} \
                 after {facts}",
                self.now
            ));
        }
        self.drain(node, actions);
        self.flush(node);
        if acts {
            self.saw(node, &Seen::Turned);
        }
        self.rearm(node);
    }

    /// Carries actions out, addresses first (see `daemon::driver`).
    fn drain(&mut self, node: usize, actions: Vec<Action>) {
        for action in &actions {
            if let Action::SetAddress(name, address) = action {
                let directory = &mut self.nodes[node].directory;
                match address {
                    Some(address) => directory.insert(name.clone(), address.clone()),
                    None => directory.remove(name),
                };
            }
        }
        let crashes = actions.iter().any(|action| matches!(action, Action::Crash(_)));
        let waits = self.nodes[node].kind == Kind::Reference;
        for action in actions {
            if self.nodes[node].brain.is_none() {
                // The process has just ended itself.
                return;
            }
            if crashes && !matches!(action, Action::Persist(..) | Action::Log(..) | Action::Crash(_)) {
                continue;
            }
            if let Some(kept) = &mut self.nodes[node].kept {
                kept.push(action);
                continue;
            }
            let saves = matches!(action, Action::Persist(..));
            self.carry_out(node, action);
            if saves && waits {
                self.nodes[node].kept = Some(Vec::new());
            }
        }
    }

    fn rearm(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        let Some(due) = state.brain.as_ref().and_then(|brain| brain.next_deadline()) else { return };
        let at = due.max(Instant::from_nanos(self.now)).as_nanos();
        if state.wakes_at.is_none_or(|known| at < known) {
            state.wakes_at = Some(at);
            self.queue.push(at, Event::Wake(node, at));
        }
    }

    fn carry_out(&mut self, node: usize, action: Action) {
        match action {
            Action::Connect(conn, target) => {
                let Ok(ip) = target.host.parse::<Ipv4Addr>() else {
                    return self.fail(format!("Sentinel {node} connects to {}", target.host));
                };
                let to = SocketAddrV4::new(ip, target.port);
                let wire = self.open(node, conn, to);
                self.nodes[node].links.insert(conn, Link::new(wire, to));
            }
            Action::Disconnect(conn) => {
                if let Some(link) = self.nodes[node].links.remove(&conn) {
                    self.close(link.wire);
                    self.saw(node, &Seen::Broken { to: link.to, kind: conn.kind });
                }
            }
            Action::Send(conn, tag, request, renamed) => {
                let Some(link) = self.nodes[node].links.get_mut(&conn) else { return };
                let wire = link.wire;
                let Some(connection) = self.net.connections.get_mut(&wire) else { return };
                link.ask(self.now, tag, &request, renamed.as_deref(), &mut connection.unsent);
                let to = connection.to;
                self.nodes[node].written.push(wire);
                self.see_request(node, to, request);
            }
            Action::Answer(id, answer) => self.answer(node, id, answer),
            Action::Publish(notice) => {
                let text = format!("{} {}", notice.name, notice.payload);
                trace::note(self.now, &node.to_string(), &text);
                if node < self.home {
                    self.stats.count_notice(notice.name);
                    self.events.push((self.now, node, text));
                }
                self.saw(node, &Seen::Notice { name: notice.name.to_owned(), payload: notice.payload });
            }
            Action::Log(_, text) => {
                if node < self.home && text.contains(" belongs to another cluster: ") {
                    let named: Option<SocketAddrV4> =
                        text.split(' ').nth(1).and_then(|address| address.parse().ok());
                    self.called_foreign.extend(named);
                }
                trace::detail(self.now, &node.to_string(), || format!("log: {text}"));
            }
            Action::Persist(revision, patch) => {
                let state = &mut self.nodes[node];
                let places = state.book.masters.iter();
                let places =
                    places.map(|master| ((master.host.clone(), master.port.into()), master.name.clone()));
                state.before.extend(places);
                state.book.apply(&patch);
                if let Some(at) = state.disk.persist(self.now, &mut self.rng, revision, patch) {
                    self.queue.push(at, Event::Disk(node, state.incarnation));
                }
            }
            Action::Crash(_) => self.kill_node(node, false),
            Action::SetAddress(..) | Action::SetLogLevel(_) | Action::LogNextFailover(_) => {}
            Action::RereadCertificates
            | Action::Resolve(_)
            | Action::RunScript(..)
            | Action::KillScript(_) => {}
        }
    }

    /// Shows what leaves to the properties.
    fn see_request(&mut self, node: usize, to: SocketAddrV4, request: Request) {
        trace::detail(self.now, &node.to_string(), || format!("to {to}: {request:?}"));
        let parse = |host: &str, port| host.parse::<Ipv4Addr>().ok().map(|ip| SocketAddrV4::new(ip, port));
        let seen = match request {
            Request::Publish(hello) => Seen::Greeted { to, hello },
            Request::ReplicaOf(None) => {
                if node < self.home {
                    self.promoted.insert(to);
                }
                Seen::Pointed { server: to, master: None }
            }
            Request::ReplicaOf(Some((host, port))) => {
                let Some(master) = parse(&host, port) else { return };
                Seen::Pointed { server: to, master: Some(master) }
            }
            Request::IsMasterDown { host, port, epoch, candidate } => {
                let Some(master) = parse(&host, port) else { return };
                Seen::Asked { to, master, epoch, candidate: candidate.map(|id| id.to_string()) }
            }
            _ => return,
        };
        self.saw(node, &seen);
    }

    fn answer(&mut self, node: usize, id: CommandId, answer: Answer) {
        // What came in the same turn before the question may have taught it the address.
        let question = self.nodes[node].questions.remove(&id);
        let question = question
            .and_then(|(host, port, name, at)| Some((name.or_else(|| self.name_of(node, &host, port))?, at)));
        if let (Answer::MasterDown(reply), Some((master, asked_at))) = (&answer, question) {
            let leader = reply.leader.as_ref().map(|leader| leader.to_string());
            self.stats.votes += u64::from(leader.is_some());
            let (down, epoch) = (reply.down, reply.leader_epoch);
            let seen = Seen::Told { master, down, leader, epoch, waited: self.now - asked_at };
            self.saw(node, &seen);
        }
        let wire = Wire::try_from(id.client.0).expect("a connection's number");
        if let Some(session) = self.nodes[node].sessions.get_mut(&wire) {
            let left = session.answer(id.seq, answer);
            self.nodes[node].written.push(wire);
            for request in left {
                self.saw(node, &Seen::Answered { client: id.client.0, request });
            }
        }
    }

    /// Sends what was written in this turn: one packet for each connection.
    fn flush(&mut self, node: usize) {
        let mut written = std::mem::take(&mut self.nodes[node].written);
        written.sort_unstable();
        written.dedup();
        for wire in written.drain(..).filter(|wire| ![OPERATOR, CLIENT].contains(wire)) {
            if let Some(session) = self.nodes[node].sessions.get_mut(&wire) {
                let bytes = session.out.split().to_vec();
                if !bytes.is_empty() {
                    self.transmit(wire, Way::Down, Packet::Bytes(bytes), 0);
                }
            } else if let Some(connection) = self.net.connections.get_mut(&wire)
                && !connection.unsent.is_empty()
            {
                let bytes = std::mem::take(&mut connection.unsent);
                self.transmit(wire, Way::Up, Packet::Bytes(bytes), 0);
            }
        }
        self.nodes[node].written = written;
    }

    /// An operator says something to a Sentinel, on its own machine; what it answers at once.
    pub fn order(&mut self, node: usize, words: &[&str]) -> Option<Bytes> {
        let state = &mut self.nodes[node];
        if state.brain.is_none() || state.stopped {
            return None;
        }
        let words_of = || words.iter().map(|word| (*word).to_owned()).collect();
        if state.kept.is_some() {
            // It waits for its disk, and the operator for it.
            self.queue.push(self.now + clock::MILLI, Event::Order(node, words_of()));
            return None;
        }
        trace::note(self.now, &node.to_string(), &format!("is told: {}", words.join(" ")));
        self.saw(node, &Seen::Ordered { words: words_of() });
        self.talk(node, OPERATOR, words)
    }

    /// The same on some connection of this machine to itself; nobody is shown it.
    pub fn talk(&mut self, node: usize, wire: Wire, words: &[&str]) -> Option<Bytes> {
        // What waited for a disk until now answers an earlier command.
        self.nodes[node].sessions.get_mut(&wire)?.out.clear();
        let mut inputs = Vec::new();
        self.read_door(node, wire, &Session::request(words), &mut inputs);
        self.turn(node, &mut inputs);
        let session = self.nodes[node].sessions.get_mut(&wire)?;
        Some(session.out.split().freeze()).filter(|answer| !answer.is_empty())
    }
}
