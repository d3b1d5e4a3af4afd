//! What entitles a leader to promote, and how it is lost.
//!
//! Votes make a leader, but they say nothing about later. Who was away for a while, or learns of a later election, must not promote
//! anybody any more: others may have gone on without it. Differs: the reference goes on whatever it hears but a new address, and however
//! long it was away.
//!
//! The rule. SLAVEOF NO ONE leaves within the term of the election only (ten seconds, or failover-timeout if that is shorter), and no
//! repetition of it leaves later, in whatever form, whether the first was delivered or not, and whoever wanted it: an operator can say
//! again what he wants now. When the term is over
//! - a leader that would have to send (nothing was sent, or what was sent was refused or lost) gives up. Should a lost command have been
//!   carried out after all, then there is a master that nobody named: the next election chooses it, or it is demoted;
//! - a leader that may still be answered waits, for failover-timeout at most. What was carried out can't be taken back, and is better made
//!   known than left unnamed: but only if a majority still names the configuration before it (`promote::on_promoted`);
//! - it votes for others again, which ends it.
//!
//! And it ends when others become known of whom too few voted: then the votes were no majority.

use std::time::Duration;

use super::{Failover, abort, wait};
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::hole::Hole;
use crate::engine::master::Master;
use crate::engine::notice::Level;
use crate::model::{Instant, MasterId};

/// Somebody else is the leader.
const NOT_ELECTED: &str = "-failover-abort-not-elected";

/// True if we lead a failover, and vote for nobody else meanwhile: for the term of our election, but for what an operator ordered, which
/// keeps nobody from being elected. And for as long after a promotion: who asks for votes then has not heard yet that its master was
/// replaced, and would replace the new one's configuration by another for no reason.
pub fn has_mandate(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    let failover = &fleet.masters[id].failover;
    let at_work = leads(fleet, id) && !failover.is_forced() && in_term(fleet, cx, id);
    let has_news = match failover {
        Failover::Reconfiguring { since, .. } => cx.mono() <= *since + term(fleet, cx, id),
        _ => false,
    };
    !cx.holes.has(Hole::KeepsLostMandate) && (at_work || has_news)
}

/// True while SLAVEOF NO ONE may leave.
pub fn in_term(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    cx.holes.has(Hole::KeepsLostMandate) || expiry(fleet, cx, id).is_some_and(|expiry| cx.mono() <= expiry)
}

/// What became of the mandate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mandate {
    /// Lost: the failover was aborted.
    Lost,
    /// Held, or none is needed; when it could be lost by time alone.
    Held(Option<Instant>),
}

/// Stops a leader that lost its mandate, and a candidate that can't get it any more.
pub fn check(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Mandate {
    if cx.holes.has(Hole::KeepsLostMandate) {
        return Mandate::Held(None);
    }
    let expiry = expiry(fleet, cx, id).filter(|_| may_promote(&fleet.masters[id].failover));
    let Some((event, reason)) = objection(fleet, cx, id, expiry) else {
        return Mandate::Held(expiry.map(|at| at + Duration::from_nanos(1)));
    };
    let name = fleet.masters[id].name.clone();
    cx.log(Level::Warning, format!("We do not lead a failover of '{name}' any more: {reason}"));
    abort(fleet, cx, id, event, Some(wait::FIRST_PAUSE));
    Mandate::Lost
}

/// The event that comes nearest, and why the mandate is lost.
fn objection(
    fleet: &Fleet,
    cx: &Cx,
    id: MasterId,
    expiry: Option<Instant>,
) -> Option<(&'static str, String)> {
    let master = &fleet.masters[id];
    let epoch = master.failover.epoch()?;
    let ballot = &master.ballot;
    let voted_for_another = ballot.epoch > epoch && ballot.leader.as_ref() != Some(&cx.globals.my_id);
    if master.config_epoch >= epoch {
        let known = master.config_epoch;
        Some((NOT_ELECTED, format!("a configuration of epoch {known} is known, ours was to be of {epoch}")))
    } else if leads(fleet, id) && voted_for_another {
        let voted = ballot.epoch;
        Some((NOT_ELECTED, format!("we voted for another in epoch {voted}, and were elected in {epoch}")))
    } else if let Some(won) = too_few(master) {
        let needed = master.votes_needed();
        Some((
            NOT_ELECTED,
            format!("{won} voted for us, and of the Sentinels known by now {needed} would have to"),
        ))
    } else if expiry.is_some_and(|expiry| cx.mono() > expiry) {
        let event = match master.failover {
            Failover::Selecting { .. } => "-failover-abort-no-good-slave",
            _ => "-failover-abort-slave-timeout",
        };
        Some((event, format!("our leadership of epoch {epoch} is too old")))
    } else {
        None
    }
}

fn leads(fleet: &Fleet, id: MasterId) -> bool {
    matches!(fleet.masters[id].failover, Failover::Selecting { .. } | Failover::Promoting { .. })
}

/// The votes that elected us, if they are not enough for those who are known by now, and nobody is promoted yet. Who was made to forget
/// the others, or never met them, is elected by its own vote; meeting them it has to ask them.
fn too_few(master: &Master) -> Option<usize> {
    let votes = master.won?.votes;
    let counts = may_promote(&master.failover) && !master.failover.is_forced();
    (counts && votes < master.votes_needed()).then_some(votes)
}

/// Elected, and SLAVEOF NO ONE not sent to the present candidate.
fn may_promote(failover: &Failover) -> bool {
    matches!(failover, Failover::Selecting { .. } | Failover::Promoting { sent: false, .. })
}

/// When the term of the last election that we won is over.
pub fn expiry(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    fleet.masters[id].won.map(|won| won.stood_at + term(fleet, cx, id))
}

/// How long an election is good for.
fn term(fleet: &Fleet, cx: &Cx, id: MasterId) -> Duration {
    cx.globals.tunables.election_timeout.min(fleet.masters[id].settings.failover_timeout)
}
