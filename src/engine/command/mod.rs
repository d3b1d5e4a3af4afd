//! Commands of clients and peers that need the engine (spec 3 §3.4). One family a file; answers are values, never protocol text.

mod admin;
mod config;
mod query;
mod set;
mod vote;

pub use admin::{Pending, on_resolved};

use super::cx::Cx;
use super::fleet::Fleet;
use super::tilt::Tilt;
use super::{Action, gossip};
use crate::model::{CommandId, MasterId, Revision};
use crate::wire::{Answer, Command, ErrorReply, SentinelCommand};

/// Carries out a command; every command gets exactly one answer, at once or when what it rests on is saved.
pub fn on_command(
    fleet: &mut Fleet,
    cx: &mut Cx,
    tilt: &Tilt,
    pending: &mut Pending,
    id: CommandId,
    command: Command,
    runnable: &[Vec<u8>],
) {
    match command {
        Command::Ping => answer(cx, id, Answer::Pong),
        Command::Role => {
            answer(cx, id, Answer::Role(fleet.masters_by_name().map(|master| master.name.clone()).collect()))
        }
        Command::Info => {
            let view = super::view::info(fleet, cx, tilt);
            answer(cx, id, Answer::Info(Box::new(view)));
        }
        Command::Publish(hello) => {
            if let Some(hello) = hello {
                gossip::on_hello(fleet, cx, &hello);
                gossip::answer_hello(fleet, cx, &hello);
            }
            answer(cx, id, Answer::Integer(1));
        }
        Command::Sentinel(command) => on_sentinel(fleet, cx, pending, id, command, runnable),
    }
}

fn on_sentinel(
    fleet: &mut Fleet,
    cx: &mut Cx,
    pending: &mut Pending,
    id: CommandId,
    command: SentinelCommand,
    runnable: &[Vec<u8>],
) {
    use SentinelCommand as C;
    match command {
        C::IsMasterDown { host, port, epoch, candidate, asker } => {
            let question = vote::Question { host, port, epoch, candidate, asker };
            vote::is_master_down(fleet, cx, id, question);
        }
        C::Failover(name) => admin::failover(fleet, cx, id, &name),
        C::Reset(pattern) => admin::reset(fleet, cx, id, &pattern),
        C::Monitor { name, host, port, quorum } => {
            admin::monitor(fleet, cx, pending, admin::Monitor { id, name, host, port, quorum });
        }
        C::Remove(name) => admin::remove(fleet, cx, id, &name),
        C::FlushConfig => {
            let revision = cx.ledger.record_flush();
            answer_when_saved(cx, id, revision);
        }
        C::SimulateFailure(words) => admin::simulate_failure(cx, id, &words),
        C::Set { name, words } => set::set(fleet, cx, id, &name, &words, runnable),
        C::ConfigGet(patterns) => config::get(cx, id, &patterns),
        C::ConfigSet(pairs) => config::set(fleet, cx, id, pairs),
        C::Debug(words) => config::debug(fleet, cx, id, &words),
        query => {
            let reply = query::answer(fleet, cx, query);
            answer(cx, id, reply);
        }
    }
}

/// Answers at once.
fn answer(cx: &mut Cx, id: CommandId, answer: Answer) {
    cx.outbox.push(Action::Answer(id, answer));
}

/// Answers with an error.
fn refuse(cx: &mut Cx, id: CommandId, error: ErrorReply) {
    answer(cx, id, Answer::Error(error));
}

/// Answers `+OK` once the change is on disk; if it can't be saved, the change is active all the same and the answer says so.
fn answer_when_saved(cx: &mut Cx, id: CommandId, revision: Revision) {
    let failed = Action::Answer(id, Answer::Error(ErrorReply::SaveFailed));
    cx.outbox.after(revision, Action::Answer(id, Answer::Ok), failed);
}

/// The master of that name, or the error for there being none.
fn find(fleet: &Fleet, name: &str) -> Result<MasterId, ErrorReply> {
    fleet.find(name).ok_or(ErrorReply::NoSuchMaster)
}
