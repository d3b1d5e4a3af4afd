//! A model of a Redis server: roles, replication links, INFO, transactions, publishing. Time is the world's.

use std::collections::{BTreeMap, BTreeSet};

use sentineld::engine::{ConnId, ConnKind};
use sentineld::wire::{InfoReport, PingReply, Reply, Request};

/// Who is connected: node and connection.
pub type Client = (usize, ConnId);

/// How long a replica takes to be in step with a new master, in nanoseconds.
const SYNC_NANOS: u64 = 3_000_000;

#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    Master,
    ReplicaOf(u16, u64),
}

/// One server, known by its port; the host is always 127.0.0.1.
pub struct Server {
    pub port: u16,
    pub alive: bool,
    pub paused: bool,
    pub role: Role,
    pub offset: u64,
    pub priority: i32,
    pub run_id: String,
    /// Refuses MULTI, or SLAVEOF altogether.
    pub refuses: Refuses,
    pub clients: BTreeSet<Client>,
    /// Requests that arrived while the process was stopped.
    pub backlog: Vec<(Client, sentineld::engine::Tag, Request)>,
    transactions: BTreeMap<Client, Vec<Request>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refuses {
    Nothing,
    Transactions,
    SlaveOf,
}

/// What a request leads to.
#[derive(Default)]
pub struct Effect {
    pub reply: Option<Reply>,
    pub killed: Vec<Client>,
    pub published: Option<sentineld::wire::Hello>,
}

impl Server {
    pub fn new(port: u16, role: Role) -> Self {
        Server {
            port,
            alive: true,
            paused: false,
            role,
            offset: 1000,
            priority: 100,
            run_id: format!("{port:040x}"),
            refuses: Refuses::Nothing,
            clients: BTreeSet::new(),
            backlog: Vec::new(),
            transactions: BTreeMap::new(),
        }
    }

    pub fn follows(&self, port: u16) -> bool {
        matches!(self.role, Role::ReplicaOf(master, _) if master == port)
    }

    /// Carries out a request. `link_up` tells whether its replication link is up, `replicas` who follows it.
    pub fn serve(
        &mut self,
        now: u64,
        client: Client,
        request: Request,
        link_up: bool,
        replicas: &[u16],
    ) -> Effect {
        if let Some(queue) = self.transactions.get_mut(&client)
            && request != Request::Exec
        {
            queue.push(request);
            return Effect { reply: Some(Reply::Status("QUEUED".into())), ..Effect::default() };
        }
        let mut effect = Effect::default();
        effect.reply = Some(match request {
            Request::Ping => Reply::Ping(PingReply::Pong),
            Request::Info => {
                Reply::Info(Box::new(InfoReport::parse(self.info(link_up, replicas).as_bytes())))
            }
            Request::Multi if self.refuses == Refuses::Transactions => Reply::Error("NOPERM no MULTI".into()),
            Request::Multi => {
                self.transactions.insert(client, Vec::new());
                Reply::Status("OK".into())
            }
            Request::Exec => match self.transactions.remove(&client) {
                None => Reply::Error("ERR EXEC without MULTI".into()),
                Some(queue) => {
                    let results =
                        queue.into_iter().map(|word| self.apply(now, client, &word, &mut effect)).collect();
                    Reply::Exec(Some(results))
                }
            },
            Request::Publish(hello) => {
                effect.published = Some(hello);
                Reply::Integer(1)
            }
            other => match self.apply(now, client, &other, &mut effect) {
                Ok(()) => Reply::Status("OK".into()),
                Err(text) => Reply::Error(text),
            },
        });
        effect
    }

    fn apply(
        &mut self,
        now: u64,
        client: Client,
        request: &Request,
        effect: &mut Effect,
    ) -> Result<(), String> {
        match request {
            Request::ReplicaOf(_) if self.refuses == Refuses::SlaveOf => {
                return Err("NOPERM no SLAVEOF".into());
            }
            Request::ReplicaOf(None) => self.role = Role::Master,
            Request::ReplicaOf(Some((_, port))) if self.follows(*port) => {}
            Request::ReplicaOf(Some((_, port))) => self.role = Role::ReplicaOf(*port, now + SYNC_NANOS),
            Request::ConfigRewrite => return Err("ERR The server is running without a config file".into()),
            Request::KillClients(kind) => {
                let wanted = match kind {
                    sentineld::wire::request::ClientKind::Normal => ConnKind::Command,
                    sentineld::wire::request::ClientKind::PubSub => ConnKind::PubSub,
                };
                let killed: Vec<Client> = self
                    .clients
                    .iter()
                    .copied()
                    .filter(|other| other.1.kind == wanted && *other != client)
                    .collect();
                killed.iter().for_each(|client| self.forget(*client));
                effect.killed.extend(killed);
            }
            _ => {}
        }
        Ok(())
    }

    pub fn forget(&mut self, client: Client) {
        self.clients.remove(&client);
        self.transactions.remove(&client);
    }

    /// The process ends: all connections with it.
    pub fn die(&mut self) -> Vec<Client> {
        self.alive = false;
        self.paused = false;
        self.backlog.clear();
        self.transactions.clear();
        std::mem::take(&mut self.clients).into_iter().collect()
    }

    fn info(&self, link_up: bool, replicas: &[u16]) -> String {
        let mut text = format!("# Server\r\nrun_id:{}\r\n# Replication\r\n", self.run_id);
        match self.role {
            Role::Master => {
                text += "role:master\r\n";
                for (index, port) in replicas.iter().enumerate() {
                    text += &format!("slave{index}:ip=127.0.0.1,port={port},state=online,offset=1,lag=0\r\n");
                }
            }
            Role::ReplicaOf(port, _) => {
                let status = if link_up { "up" } else { "down" };
                text += &format!(
                    "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{port}\r\nmaster_link_status:{status}\r\n"
                );
                text += &format!(
                    "slave_repl_offset:{}\r\nslave_priority:{}\r\nreplica_announced:1\r\n",
                    self.offset, self.priority
                );
                if !link_up {
                    text += "master_link_down_since_seconds:1\r\n";
                }
            }
        }
        text
    }
}
