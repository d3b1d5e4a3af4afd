//! `SENTINEL IS-MASTER-DOWN-BY-ADDR`: our opinion of a master, and our vote (spec 2 §7.4, §8.1).

use super::answer;
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::election;
use crate::engine::fleet::Fleet;
use crate::engine::health;
use crate::engine::hole::Hole;
use crate::engine::quarantine;
use crate::model::{CommandId, Epoch, RunId};
use crate::wire::Answer;
use crate::wire::reply::MasterDownReply;

/// The words of the question.
pub struct Question {
    /// Host of the master.
    pub host: String,
    /// Port of the master.
    pub port: i64,
    /// The asker's epoch.
    pub epoch: Epoch,
    /// Who wants our vote.
    pub candidate: Option<RunId>,
    /// The name of the asking connection.
    pub asker: Option<String>,
}

/// Answers; a vote leaves only when it is on disk. If it can't be saved the answer tells of none.
pub fn is_master_down(fleet: &mut Fleet, cx: &mut Cx, id: CommandId, question: Question) {
    let nothing = MasterDownReply { down: false, leader: None, leader_epoch: Epoch::ZERO };
    let address = u16::try_from(question.port).ok().map(|port| fleet.address(&question.host, port));
    if let Some(address) = address.as_ref().filter(|address| address.ip.is_none())
        && !cx.globals.settings.resolve_hostnames
    {
        cx.log_unresolved(&address.host);
    }
    let Some(master) = address.and_then(|address| fleet.find_by_address(&address)) else {
        return answer(cx, id, Answer::MasterDown(nothing));
    };
    election::on_asked(fleet, cx, master, question.asker.as_deref());
    let down = health::is_down(fleet, cx, master) && !cx.tilted;
    if let Some(candidate) =
        question.candidate.as_ref().filter(|_| !quarantine::plausible(cx, question.epoch))
    {
        quarantine::claim(fleet, cx, master, candidate, question.epoch);
    }
    let Some(candidate) = question.candidate.filter(|_| quarantine::plausible(cx, question.epoch)) else {
        return answer(cx, id, Answer::MasterDown(MasterDownReply { down, ..nothing }));
    };
    election::grant(fleet, cx, master, question.epoch, &candidate);
    let ballot = &fleet.masters[master].ballot;
    let vote = MasterDownReply { down, leader: ballot.leader.clone(), leader_epoch: ballot.epoch };
    let unsaved = MasterDownReply { down, ..nothing };
    let revision = ballot.revision;
    if cx.holes.has(Hole::VotesWithoutDisk) {
        return cx.outbox.behind(revision, Action::Answer(id, Answer::MasterDown(vote)));
    }
    cx.outbox.after(
        revision,
        Action::Answer(id, Answer::MasterDown(vote)),
        Action::Answer(id, Answer::MasterDown(unsaved)),
    );
}
