//! The SLAVEOF block: MULTI, SLAVEOF, CONFIG REWRITE, CLIENT KILL twice, EXEC (spec 2 §9.4), and every reply to it.
//!
//! Differs: the reference ignores the replies. Here an error is logged with its reason, and the command is repeated once in its
//! plainest form (SLAVEOF alone): a server without MULTI or CLIENT KILL, or a user that may not run them, can still be re-pointed.

use super::cx::Cx;
use super::failover;
use super::fleet::Fleet;
use super::link::send;
use super::notice::Level;
use super::replica::{Block, Outcome, Replica};
use super::tag::{Ask, BlockStep, Entity};
use crate::model::ReplicaId;
use crate::wire::request::ClientKind;
use crate::wire::{Reply, Request};

/// Sends the block, and an INFO behind it that will show its effect. False if the replica is not connected.
pub fn send_block(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, target: Option<(String, u16)>) -> bool {
    let queued = Ask::ReplicaOf(BlockStep::Queued);
    let words = [
        (queued, Request::Multi),
        (queued, Request::ReplicaOf(target.clone())),
        (queued, Request::ConfigRewrite),
        (queued, Request::KillClients(ClientKind::Normal)),
        (queued, Request::KillClients(ClientKind::PubSub)),
        (Ask::ReplicaOf(BlockStep::Exec), Request::Exec),
    ];
    let sent = words.into_iter().all(|(ask, request)| send(fleet, cx, Entity::Replica(id), ask, request));
    if sent {
        expect_outcome(fleet, cx, id, target, false);
    }
    sent
}

fn send_plain(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, target: Option<(String, u16)>) {
    let request = Request::ReplicaOf(target.clone());
    if send(fleet, cx, Entity::Replica(id), Ask::ReplicaOf(BlockStep::Plain), request) {
        expect_outcome(fleet, cx, id, target, true);
    }
}

fn expect_outcome(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, target: Option<(String, u16)>, plain: bool) {
    let now = cx.mono();
    let outcome = Outcome::Pending;
    fleet.replicas[id].block = Some(Block { sent_at: now, target, plain, queued_error: None, outcome });
    super::probe::ask_info(fleet, cx, Entity::Replica(id));
}

/// The connection that carried a block is gone; what became of the block is unknown.
pub fn on_connection_lost(replica: &mut Replica, cause: &str) {
    if let Some(block) = &mut replica.block
        && block.outcome == Outcome::Pending
    {
        block.outcome = Outcome::Lost(format!("connection lost: {cause}"));
    }
}

/// A reply to a word of the block.
pub fn on_reply(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, step: BlockStep, reply: Reply) {
    let Some(block) = fleet.replicas[id].block.as_mut().filter(|block| block.outcome == Outcome::Pending)
    else {
        return;
    };
    match (step, reply) {
        (BlockStep::Queued, Reply::Error(text)) => {
            block.queued_error.get_or_insert(text);
        }
        (BlockStep::Queued, _) => {}
        (BlockStep::Exec, Reply::Exec(Some(results))) => on_exec(fleet, cx, id, &results),
        (BlockStep::Plain, Reply::Status(_)) => accepted(fleet, cx, id),
        (_, reply) => {
            let queued = block.queued_error.take();
            let reason = queued.unwrap_or_else(|| match reply {
                Reply::Error(text) => text,
                Reply::Exec(_) => "the transaction was discarded".to_owned(),
                other => format!("unexpected reply {other:?}"),
            });
            refused(fleet, cx, id, reason);
        }
    }
}

/// The results of SLAVEOF, CONFIG REWRITE and the two CLIENT KILLs; only the first decides.
fn on_exec(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, results: &[Result<(), String>]) {
    let name = fleet.replicas[id].instance.name.clone();
    for (word, result) in ["CONFIG REWRITE", "CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub"]
        .iter()
        .zip(results.iter().skip(1))
    {
        if let Err(reason) = result {
            cx.log(Level::Notice, format!("{word} failed on replica {name}: {reason}"));
        }
    }
    match results.first() {
        Some(Ok(())) => accepted(fleet, cx, id),
        Some(Err(reason)) => refused(fleet, cx, id, reason.clone()),
        None => refused(fleet, cx, id, "the transaction was empty".to_owned()),
    }
}

fn accepted(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId) {
    if let Some(block) = &mut fleet.replicas[id].block {
        block.outcome = Outcome::Accepted;
    }
    touch(fleet, cx, id);
}

fn refused(fleet: &mut Fleet, cx: &mut Cx, id: ReplicaId, reason: String) {
    // What is refused in TILT, while too many are under way, or when our election is too old to promote, is not repeated now: whoever
    // wanted it decides again.
    let crowded = failover::is_crowded(fleet, id);
    let expired = !failover::in_term(fleet, cx, fleet.replicas[id].master);
    let replica = &mut fleet.replicas[id];
    let Some(block) = &mut replica.block else { return };
    let command = match &block.target {
        Some((host, port)) => format!("SLAVEOF {host} {port}"),
        None => "SLAVEOF NO ONE".to_owned(),
    };
    if block.plain {
        let text = format!("{command} refused by replica {}: {reason}", replica.instance.name);
        block.outcome = Outcome::Refused(reason);
        cx.log(Level::Warning, text);
    } else if cx.tilted || crowded || expired && block.target.is_none() {
        let text = format!("{command} refused by replica {}: {reason}", replica.instance.name);
        block.outcome = Outcome::Lost(reason);
        cx.log(Level::Warning, text);
    } else {
        let target = block.target.clone();
        let text = format!(
            "{command} in a transaction refused by replica {}: {reason}. Trying it alone",
            replica.instance.name
        );
        cx.log(Level::Warning, text);
        send_plain(fleet, cx, id, target);
    }
    touch(fleet, cx, id);
}

fn touch(fleet: &Fleet, cx: &mut Cx, id: ReplicaId) {
    cx.touch(Entity::Replica(id));
    cx.touch_master(fleet.replicas[id].master);
}
