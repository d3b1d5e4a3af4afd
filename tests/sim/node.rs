//! A Sentinel as its peers meet it: what it is called, where it listens, and the way of a question through its client port.

use sentineld::conf::{KnownPeer, MasterSettings, SentinelSettings, Settings};
use sentineld::engine::{Input, Tag};
use sentineld::model::{ClientId, CommandId, Epoch, RunId};
use sentineld::wire::{Answer, Command, Reply, Request, SentinelCommand};

use crate::redis::Client;
use crate::world::{FIRST_NODE_PORT, MASTER, World};

impl World {
    /// A request reaches another Sentinel, through its client port.
    pub fn ask(&mut self, node: usize, client: Client, tag: Tag, request: Request) {
        let state = &mut self.nodes[node];
        if state.engine.is_none() {
            return;
        }
        let command = match request {
            Request::Ping => Command::Ping,
            Request::Publish(hello) => Command::Publish(Some(hello)),
            Request::IsMasterDown { host, port, epoch, candidate } => {
                let asker = Some(format!("sentinel-{}-cmd", &run_id(client.0)[..8]));
                Command::Sentinel(SentinelCommand::IsMasterDown {
                    host,
                    port: port.into(),
                    epoch,
                    candidate,
                    asker,
                })
            }
            _ => return self.feed(client.0, Input::Reply(client.1, tag, Reply::Status("OK".into()))),
        };
        state.asked += 1;
        let seq = state.asked;
        state.questions.insert(seq, (client, tag));
        let id = CommandId { client: ClientId(1), seq };
        self.turn(node, Some(Input::Command { id, command, runnable: Vec::new() }));
    }

    pub fn answered(&mut self, node: usize, id: CommandId, answer: Answer) {
        let Some((client, tag)) = self.nodes[node].questions.remove(&id.seq) else { return };
        let reply = match answer {
            Answer::Pong => Reply::Ping(sentineld::wire::PingReply::Pong),
            Answer::Integer(number) => Reply::Integer(number),
            Answer::MasterDown(reply) => {
                if let Some(leader) = &reply.leader {
                    let durable = self.nodes[node].disk.masters[0].leader_epoch;
                    self.oracle.vote(node, MASTER, reply.leader_epoch, leader, durable);
                }
                Reply::MasterDown(reply)
            }
            other => panic!("no answer to a peer: {other:?}"),
        };
        self.feed(client.0, Input::Reply(client.1, tag, reply));
    }
}

pub fn node_port(node: usize) -> u16 {
    FIRST_NODE_PORT + u16::try_from(node).expect("a handful")
}

pub fn run_id(node: usize) -> String {
    format!("{node:08x}{:032x}", 0)
}

pub fn settings(node: usize, master: MasterSettings) -> Settings {
    let server = sentineld::conf::ServerSettings {
        port: node_port(node),
        ..sentineld::conf::ServerSettings::default()
    };
    let sentinel = SentinelSettings {
        my_id: Some(RunId::from(run_id(node))),
        current_epoch: Epoch::ZERO,
        ..SentinelSettings::default()
    };
    Settings { server, sentinel, masters: vec![master] }
}

/// Convenience for scenarios: a peer as the file knows it.
pub fn known_peer(node: usize) -> KnownPeer {
    KnownPeer { run_id: RunId::from(run_id(node)), host: "127.0.0.1".into(), port: node_port(node) }
}
