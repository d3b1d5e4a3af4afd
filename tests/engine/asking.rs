//! How tests put commands, questions of peers and hello messages to the engine.

use sentineld::engine::Input;
use sentineld::model::{ClientId, CommandId, Epoch};
use sentineld::wire::reply::MasterDownReply;
use sentineld::wire::{Answer, Command, Hello, SentinelCommand};

use crate::lab::{Lab, MASTER};
use crate::stub::peer_id;

impl Lab {
    /// Gives a command; the answer, once there is one.
    pub fn command(&mut self, command: Command, runnable: &[&str]) -> Option<Answer> {
        self.asked += 1;
        let seq = self.asked;
        let id = CommandId { client: ClientId(1), seq };
        let runnable = runnable.iter().map(|path| path.as_bytes().to_vec()).collect();
        self.feed(Input::Command { id, command, runnable });
        self.answers.get(&seq).cloned()
    }

    pub fn ask(&mut self, command: SentinelCommand) -> Answer {
        self.command(Command::Sentinel(command), &[]).expect("an answer at once")
    }

    /// The text of the error that a command is refused with; `OK` for none.
    pub fn refusal(&mut self, command: SentinelCommand) -> String {
        match self.ask(command) {
            Answer::Error(error) => error.to_string(),
            Answer::Ok => "OK".to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// is-master-down-by-addr about 6000: opinion, vote, epoch. `None`: no answer yet.
    pub fn vote(&mut self, epoch: u64, candidate: &str) -> Option<(bool, Option<String>, u64)> {
        self.vote_at("127.0.0.1", 6000, epoch, candidate)
    }

    pub fn vote_at(
        &mut self,
        host: &str,
        port: i64,
        epoch: u64,
        candidate: &str,
    ) -> Option<(bool, Option<String>, u64)> {
        let command = SentinelCommand::IsMasterDown {
            host: host.into(),
            port,
            epoch: Epoch(epoch),
            candidate: (candidate != "*").then(|| candidate.into()),
            asker: Some("somebody".into()),
        };
        match self.command(Command::Sentinel(command), &[])? {
            Answer::MasterDown(MasterDownReply { down, leader, leader_epoch }) => {
                Some((down, leader.map(|id| id.to_string()), leader_epoch.0))
            }
            other => panic!("{other:?}"),
        }
    }

    /// A hello from peer `number`, by PUBLISH: its epoch, the master's port, the epoch of that configuration.
    pub fn hello(&mut self, number: u16, epoch: u64, port: u16, config_epoch: u64) {
        let line = format!(
            "127.0.0.1,{},{},{epoch},{MASTER},127.0.0.1,{port},{config_epoch}",
            5000 + number,
            peer_id(number)
        );
        self.hello_line(&line);
    }

    pub fn hello_line(&mut self, line: &str) {
        let hello = Hello::parse(line.as_bytes());
        assert_eq!(self.command(Command::Publish(hello), &[]), Some(Answer::Integer(1)));
    }
}
