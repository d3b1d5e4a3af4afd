//! Commands that only read.

use super::find;
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::view;
use crate::model::{MasterId, MasterName};
use crate::wire::view::InfoCacheView;
use crate::wire::{Answer, ErrorReply, SentinelCommand};

/// The answer to a query. Commands that change something have been dealt with before.
pub fn answer(fleet: &Fleet, cx: &Cx, query: SentinelCommand) -> Answer {
    use SentinelCommand as C;
    let answer = match query {
        C::MyId => Ok(Answer::MyId(cx.globals.my_id.clone())),
        C::Masters => Ok(Answer::Masters(
            fleet.masters_by_name().map(|master| view::master(fleet, cx, master)).collect(),
        )),
        C::Master(name) => {
            find(fleet, &name).map(|id| Answer::Master(Box::new(view::master(fleet, cx, &fleet.masters[id]))))
        }
        C::Replicas(name) => find(fleet, &name).map(|id| Answer::Replicas(replicas(fleet, cx, id))),
        C::Sentinels(name) => find(fleet, &name).map(|id| {
            let peers = fleet.masters[id].peers.iter();
            Answer::Sentinels(peers.map(|peer| view::peer(fleet, cx, &fleet.peers[*peer])).collect())
        }),
        C::GetMasterAddr(name) => {
            let address = fleet.find(&name).map(|id| cx.globals.shown(fleet.current_address(id)));
            Ok(Answer::MasterAddress(address))
        }
        C::CheckQuorum(name) => find(fleet, &name).and_then(|id| check_quorum(fleet, id)),
        C::InfoCache(names) => Ok(Answer::InfoCache(info_cache(fleet, cx, &names))),
        C::PendingScripts => Ok(Answer::PendingScripts(cx.scripts.views(cx.mono()))),
        other => unreachable!("{other:?} is not a query"),
    };
    answer.unwrap_or_else(Answer::Error)
}

/// Unannounced replicas are known, but not shown (spec 3 §3.4.3).
fn replicas(fleet: &Fleet, cx: &Cx, id: MasterId) -> Vec<crate::wire::view::ReplicaView> {
    let replicas = fleet.masters[id].replicas.iter().map(|id| &fleet.replicas[*id]);
    replicas.filter(|replica| replica.announced).map(|replica| view::replica(fleet, cx, replica)).collect()
}

/// Spec 3 §3.4.8.
fn check_quorum(fleet: &Fleet, id: MasterId) -> Result<Answer, ErrorReply> {
    let master = &fleet.masters[id];
    let usable = 1 + master.peers.iter().filter(|peer| !fleet.peers[**peer].instance.s_down).count();
    let quorum_missing = usable < master.settings.quorum as usize;
    // Compat: of those that are known. What a reset forgot has a vote for a while, but is not spoken of.
    let known = master.peers.len() + 1;
    let majority_missing = usable < known / 2 + 1;
    if quorum_missing || majority_missing {
        return Err(ErrorReply::NoQuorum { usable, quorum_missing, majority_missing });
    }
    Ok(Answer::QuorumReachable { usable })
}

/// Spec 3 §3.4.16; a name asked for twice is answered once.
fn info_cache(fleet: &Fleet, cx: &Cx, names: &[String]) -> Vec<(MasterName, Vec<InfoCacheView>)> {
    let mut seen: Vec<MasterId> = Vec::new();
    for id in names.iter().filter_map(|name| fleet.find(name)) {
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    let entries = |id: MasterId| {
        let master = &fleet.masters[id];
        let replicas = master.replicas.iter().map(|replica| &fleet.replicas[*replica].info);
        let infos = [&master.info].into_iter().chain(replicas);
        let cached = infos.map(|info| InfoCacheView {
            age_ms: view::info_age_ms(cx, &master.info, info),
            text: info.text.clone(),
        });
        (master.name.clone(), cached.collect())
    };
    seen.into_iter().map(entries).collect()
}
