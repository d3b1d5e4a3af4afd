//! Subjectively and objectively down (spec 2 §7.1, §7.2).

use std::time::Duration;

use super::cx::Cx;
use super::election;
use super::fleet::Fleet;
use super::hole::Hole;
use super::link::send;
use super::notice::Level;
use super::peer::Peer;
use super::tag::{Ask, Entity};
use crate::model::{Instant, MasterId};
use crate::wire::{Request, Role};

/// Decides whether an instance is subjectively down; when the answer could next change by time alone.
pub fn sdown_step(fleet: &mut Fleet, cx: &mut Cx, entity: Entity) -> Option<Instant> {
    let now = cx.mono();
    let master = &fleet.masters[fleet.master_of(entity)?];
    let down_after = master.settings.down_after;
    let instance = fleet.instance(entity)?;
    // What is down stays so until it gives a sign; for what is not, freezes of this process do not count.
    let floor = if instance.s_down { Instant::ZERO } else { cx.counted_from };
    let silent = fleet.links[instance.link].silent_since();
    let mut dues = [silent.map(|since| since.max(floor) + down_after), None, None];
    if let Entity::Master(_) = entity {
        if master.info.role == Role::Replica {
            let since = master.info.role_since.max(floor);
            dues[1] = Some(since + down_after + cx.globals.tunables.info_period * 2);
        }
        if let (Some(at), Some(period)) = (master.rebooted_at, master.settings.reboot_down_after) {
            dues[2] = Some(at.max(floor) + period);
        }
    }
    let dues = || dues.into_iter().flatten();
    let was_down = instance.s_down;
    // Strictly more than down-after: one nanosecond is the least the clock knows.
    let is_down = dues().any(|due| now > due);
    if is_down != was_down {
        set_sdown(fleet, cx, entity, is_down);
    }
    dues().filter(|due| *due >= now).min().map(|due| due + Duration::from_nanos(1))
}

fn set_sdown(fleet: &mut Fleet, cx: &mut Cx, entity: Entity, down: bool) {
    let now = cx.mono();
    let Some(instance) = fleet.instance_mut(entity) else { return };
    instance.s_down = down;
    if down {
        instance.s_down_at = Some(now);
    } else {
        instance.script_kill_sent = false;
    }
    let name = if down { "+sdown" } else { "-sdown" };
    fleet.announce(cx, Level::Warning, name, entity, "");
    let Some(master) = fleet.master_of(entity) else { return };
    cx.touch_master(master);
    if let (Entity::Master(id), true) = (entity, down) {
        // What a failover will need to know is asked for while the peers are still being asked to agree, unless it is left to others at first.
        if election::ask_turn(fleet, cx, id).is_none_or(|turn| turn <= now) {
            super::probe::ask_all_info(fleet, cx, id);
        }
        hurry_questions(fleet, id);
    }
}

/// Every peer is to be asked about the master at once.
pub fn hurry_questions(fleet: &mut Fleet, id: MasterId) {
    for peer in fleet.masters[id].peers.clone() {
        fleet.peers[peer].ask.hurry();
    }
}

/// Until when a master that is subjectively down is known to live all the same, because it does not let us in: after down-after without
/// even that word it counts as any other. `None`: it is not known to live.
fn lives_until(fleet: &Fleet, cx: &Cx, id: MasterId) -> Option<Instant> {
    let master = &fleet.masters[id];
    let shut =
        fleet.links[master.instance.link].shut.filter(|_| !cx.holes.has(Hole::WrongPasswordIsDeath))?;
    let unheard = shut.unheard_since.unwrap_or(cx.mono()).max(cx.counted_from);
    Some(unheard + master.settings.down_after).filter(|until| cx.mono() <= *until)
}

/// Our own view of a master, as it counts for us and as peers are told: down, and not merely shut to us (spec 2 §7.2, §7.4).
pub fn is_down(fleet: &Fleet, cx: &Cx, id: MasterId) -> bool {
    fleet.masters[id].instance.s_down && lives_until(fleet, cx, id).is_none()
}

/// Decides whether a master is objectively down: we and enough peers say so; when our own view could next change by time alone.
pub fn odown_step(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) -> Option<Instant> {
    let due = lives_until(fleet, cx, id).map(|until| until + Duration::from_nanos(1));
    let agreed = if is_down(fleet, cx, id) { opinions(fleet, cx, id) } else { 0 };
    let master = &fleet.masters[id];
    let quorum = master.settings.quorum as usize;
    let is_down = agreed >= quorum;
    if is_down == master.o_down {
        return due;
    }
    let master = &mut fleet.masters[id];
    master.o_down = is_down;
    if is_down {
        master.o_down_at = Some(cx.mono());
        fleet.announce(
            cx,
            Level::Warning,
            "+odown",
            Entity::Master(id),
            &format!(" #quorum {agreed}/{quorum}"),
        );
        super::probe::touch_replicas(fleet, cx, id);
    } else {
        fleet.announce(cx, Level::Warning, "-odown", Entity::Master(id), "");
    }
    due
}

/// How many Sentinels hold the master for down, ourselves included. One has one opinion, by however many entries it is known.
fn opinions(fleet: &Fleet, cx: &Cx, id: MasterId) -> usize {
    let peers = || fleet.masters[id].peers.iter().map(|peer| &fleet.peers[*peer]);
    let down = || peers().filter(|peer| peer.ask.master_down);
    let is_repeated =
        |at: usize, peer: &Peer| down().take(at).any(|earlier| earlier.run_id() == peer.run_id());
    let counts = |(at, peer): &(usize, &Peer)| *peer.run_id() != cx.globals.my_id && !is_repeated(*at, peer);
    1 + down().enumerate().filter(counts).count()
}

/// A PING was answered with BUSY: once per SDOWN the script that blocks the server is killed (spec 2 §4.3).
pub fn kill_busy_script(fleet: &mut Fleet, cx: &mut Cx, entity: Entity) {
    let Some(instance) = fleet.instance(entity) else { return };
    let wanted = instance.s_down && !instance.script_kill_sent;
    if wanted
        && send(fleet, cx, entity, Ask::ScriptKill, Request::ScriptKill)
        && let Some(instance) = fleet.instance_mut(entity)
    {
        instance.script_kill_sent = true;
    }
}
