//! **Who is promoted may be promoted, and is the best that was known**: by reports of this failover, not of before. A replica that is loading,
//! in the middle of a synchronisation, or of priority 0 is never chosen; nor one that has less of the data than another
//! of the same lineage and no better a priority (spec 2 §9.3; §14.2 row 8, §14.3).
//!
//! Judged by the last INFO that reached the leader. It must have come after the election, or not more than a second before the choice; in
//! neither case before the master was objectively down.
//! One that is a master already was promoted by a leader that died, and may be chosen again (§9.11). Compared are replicas of one replication id, all or none of them in step since their start, of the first choice of a failover, unless the leader had to stop waiting for reports.
//! One that was without its master for more than ten times down-after, and the time that the master is down, is no rival: it may not be promoted
//! at all (§9.3). The time since a master says that it follows somebody counts as well, if that is longer.
//! Before the master has reported since a start or a reset, nobody can tell whose data a replica has that follows a server which is not in the file:
//! it is not compared, and may be passed over. Nor is a server that passed to another cluster by now, whatever data both have.
//! Reference Sentinels are skipped: they choose by reports up to 30 s old.
//!
//! Can't see: what a replica that lies really has. Which lineage is the right one is for another property.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use sentineld::engine::ConnKind;
use sentineld::wire::{InfoReport, PingReply, Reply, Role};

use super::leads::{Lead, Leads};
use super::words::{self, Named};
use crate::seen::{Kind, Property, Scene, Seen};

/// How old a report may be that came before the election, in nanoseconds.
const RECENT: u64 = 1_000_000_000;
/// So long a leader waits for reports.
const WAIT: u64 = 500_000_000;
/// Who did not answer a PING for so long is not compared with.
const SILENT: u64 = 4_000_000_000;

#[derive(Default)]
pub struct BestReplica {
    leads: Leads,
    /// By Sentinel and server.
    servers: BTreeMap<(usize, SocketAddrV4), Known>,
    /// By Sentinel and master: since when it is objectively down.
    odown: BTreeMap<(usize, String), u64>,
    /// By Sentinel and master: since when it is subjectively down.
    sdown: BTreeMap<(usize, String), u64>,
    /// By Sentinel and master: the down-after that an operator set last, in nanoseconds; the file may know of it later.
    set: BTreeMap<(usize, String), u64>,
    /// Sentinels, with the masters whose own report they have had.
    informed: BTreeSet<(usize, String)>,
}

#[derive(Default)]
struct Known {
    reported: Option<(u64, Box<InfoReport>)>,
    alive_at: u64,
    linked: bool,
    down: bool,
    /// Since when it says that it is a replica, as far as it was the master meanwhile.
    demoted_at: Option<u64>,
}

impl Property for BestReplica {
    fn name(&self) -> &'static str {
        "the promoted replica is eligible and the best known"
    }

    fn see(&mut self, scene: &Scene, seen: &Seen) -> Result<(), String> {
        self.leads.see(scene, seen);
        if scene.facts().kind == Kind::Reference {
            return Ok(());
        }
        match seen {
            Seen::Started => {
                self.servers.retain(|(node, _), _| *node != scene.node);
                for times in [&mut self.odown, &mut self.sdown, &mut self.set] {
                    times.retain(|(node, _), _| *node != scene.node);
                }
                self.informed.retain(|(node, _)| *node != scene.node);
            }
            Seen::Ordered { words } => self.ordered(scene, words),
            Seen::Linked { to, kind: ConnKind::Command } => self.known(scene, *to).linked = true,
            Seen::Broken { to, kind: ConnKind::Command } => self.known(scene, *to).linked = false,
            Seen::Got { from, reply: Reply::Ping(PingReply::Pong | PingReply::MasterDown), .. } => {
                self.known(scene, *from).alive_at = scene.at;
            }
            Seen::Informed { server, report } => {
                if report.role == Some(Role::Master) && report.repl_id.is_some() {
                    let masters = scene.facts().disk.masters.iter();
                    let there = masters.filter(|master| words::place(master) == Some(*server));
                    self.informed.extend(there.map(|master| (scene.node, master.name.to_string())));
                }
                let known = self.known(scene, *server);
                known.reported = Some((scene.at, report.clone()));
                match report.role {
                    Some(Role::Replica) => _ = known.demoted_at.get_or_insert(scene.at),
                    Some(Role::Master) => known.demoted_at = None,
                    None => {}
                }
            }
            Seen::Notice { name, payload } if name == "+switch-master" => {
                if let Some((_, _, new)) = words::switch(payload) {
                    // What it said while it was a replica is about another time.
                    self.known(scene, new).demoted_at = None;
                }
            }
            Seen::Notice { name, payload } => {
                let Some(named) = words::instance(payload) else { return Ok(()) };
                let key = (scene.node, named.master.to_owned());
                match name.as_str() {
                    "+sdown" | "-sdown" => {
                        self.known(scene, named.address).down = name == "+sdown";
                        if named.kind == "master" && name == "+sdown" {
                            self.sdown.insert(key, scene.at);
                        } else if named.kind == "master" {
                            self.sdown.remove(&key);
                        }
                    }
                    "+reset-master" | "+monitor" | "+failover-end" => {
                        self.known(scene, named.master_address).demoted_at = None;
                    }
                    "+odown" => {
                        self.odown.insert(key, scene.at);
                    }
                    "-odown" => {
                        self.odown.remove(&key);
                    }
                    "+selected-slave" => {
                        if let Some(lead) = self.leads.of(scene.node, named.master) {
                            return self.judge(scene, &named, lead);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl BestReplica {
    fn known(&mut self, scene: &Scene, server: SocketAddrV4) -> &mut Known {
        self.servers.entry((scene.node, server)).or_default()
    }

    fn ordered(&mut self, scene: &Scene, words: &[String]) {
        self.informed.retain(|(node, name)| *node != scene.node || !words::forgets(words, name));
        if let Some((name, nanos)) = words::set_down_after(words) {
            self.set.insert((scene.node, name.to_owned()), nanos);
        }
    }

    /// For how long a replica may have been without its master, in milliseconds.
    fn longest_absence(&self, scene: &Scene, master: &Named) -> u128 {
        let key = (scene.node, master.master.to_owned());
        let file = words::down_after(&scene.facts().disk, master.master);
        let down_after = file.into_iter().chain(self.set.get(&key).copied()).min().unwrap_or(0);
        let demoted_at =
            self.servers.get(&(scene.node, master.master_address)).and_then(|known| known.demoted_at);
        let gone = self
            .sdown
            .get(&key)
            .map_or(0, |at| scene.at - demoted_at.map_or(*at, |demoted| demoted.min(*at)));
        u128::from((10 * down_after + gone) / 1_000_000)
    }

    fn judge(&self, scene: &Scene, named: &Named, lead: &Lead) -> Result<(), String> {
        let (master, chosen) = (named.master, named.address);
        let known = self.servers.get(&(scene.node, chosen));
        let Some((at, report)) = known.and_then(|known| known.reported.as_ref()) else {
            return Err(format!("{chosen} is chosen, which never reported"));
        };
        if let Some(why) = objection(report) {
            return Err(format!("{chosen} is chosen, {why}"));
        }
        let elected_at = lead.elected_at.unwrap_or(scene.at);
        let odown_at = self.odown.get(&(scene.node, master.to_owned())).copied().unwrap_or(0);
        if *at < elected_at && (scene.at - at > RECENT || *at < odown_at) {
            let age = (scene.at - at) / 1_000_000;
            return Err(format!("{chosen} is chosen by a report of {age} ms ago, from before this failover"));
        }
        if lead.chosen.len() > 1 || scene.at >= elected_at + WAIT {
            return Ok(());
        }
        let longest = self.longest_absence(scene, named);
        let better = self.rivals(scene, master, chosen).find(|(_, rival)| {
            absence(rival) <= longest
                && rival.repl_id.is_some()
                && rival.repl_id == report.repl_id
                && report.role == rival.role
                && never_up(rival) == never_up(report)
                && merit(rival) < merit(report)
        });
        match better {
            Some((address, rival)) => Err(format!(
                "{chosen} is chosen, though {address} is better: {:?} against {:?}",
                merit(rival),
                merit(report)
            )),
            None => Ok(()),
        }
    }

    /// The other replicas that the leader could have chosen.
    fn rivals<'a>(
        &'a self,
        scene: &'a Scene,
        master: &str,
        chosen: SocketAddrV4,
    ) -> impl Iterator<Item = (SocketAddrV4, &'a InfoReport)> {
        let file = words::master(&scene.facts().disk, master);
        let informed = self.informed.contains(&(scene.node, master.to_owned()));
        let addresses: Vec<SocketAddrV4> = file
            .into_iter()
            .flat_map(|master| &master.replicas)
            .filter_map(|(host, port)| Some(SocketAddrV4::new(host.parse().ok()?, *port)))
            .collect();
        let ours: Vec<SocketAddrV4> = addresses.iter().copied().chain(file.and_then(words::place)).collect();
        let is_ours = move |report: &InfoReport| {
            let host = report.master_host.as_deref().and_then(|host| host.parse().ok());
            let follows = host.zip(report.master_port).map(|(host, port)| SocketAddrV4::new(host, port));
            informed || follows.is_none_or(|address| ours.contains(&address))
        };
        let cluster = move |address| scene.servers.get(&address).map(|server| server.cluster);
        let others = addresses.into_iter().filter(move |address| *address != chosen);
        others.filter(move |address| cluster(*address) == cluster(chosen)).filter_map(move |address| {
            let known = self.servers.get(&(scene.node, address))?;
            let (at, report) = known.reported.as_ref()?;
            let fit = known.linked && !known.down && scene.at < known.alive_at + SILENT;
            let recent = scene.at - at < RECENT;
            let fit = fit && report.role == Some(Role::Replica);
            (fit && recent && is_ours(report) && objection(report).is_none()).then_some((address, &**report))
        })
    }
}

/// Why a report excludes its replica, if so.
fn objection(report: &InfoReport) -> Option<&'static str> {
    if report.role.is_none() {
        Some("which does not say what it is")
    } else if report.priority == Some(0) {
        Some("whose priority is 0")
    } else if report.loading {
        Some("which is loading")
    } else if report.sync_in_progress {
        Some("which is in the middle of a synchronisation")
    } else {
        None
    }
}

/// For how long it has been without its master, in milliseconds.
fn absence(report: &InfoReport) -> u128 {
    report.master_link_down_since.and_then(|seconds| u128::try_from(seconds).ok()).unwrap_or(0) * 1_000
}

/// It was not in step with its master since it started.
fn never_up(report: &InfoReport) -> bool {
    report.master_link_down_since == Some(-1)
}

/// The less, the better: priority, data that it lacks.
fn merit(report: &InfoReport) -> (i32, u64) {
    (report.priority.unwrap_or(100), u64::MAX - report.repl_offset.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::stage::*;
    use crate::redis::Server;

    const GOOD: &str = "role:slave;slave_priority:100;slave_repl_offset:70;master_replid:abc;";

    /// An election that is won, the reports of both replicas, and a choice.
    fn choice(two: &str, three: &str, chosen: u8) -> (Stage<BestReplica>, Seen) {
        let mut stage = Stage::new(BestReplica::default());
        stage.fine(Seen::Started).fine(linked(server(2))).fine(linked(server(3)));
        stage.at(9_000).fine(ping(2, PingReply::Pong)).fine(ping(3, PingReply::Pong));
        stage.says("+odown", &format!("{} #quorum 2/2", of_master(1))).says("+try-failover", &of_master(1));
        stage.at(10_000).says("+elected-leader", &of_master(1)).fine(info(2, two)).fine(info(3, three));
        (stage, notice("+selected-slave", &of_replica(chosen, 1)))
    }

    #[test]
    fn the_best_is_fine() {
        let worse = GOOD.replace("70", "69");
        let (mut stage, seen) = choice(GOOD, &worse, 2);
        stage.fine(seen);
        let (mut stage, seen) = choice(GOOD, GOOD, 3);
        stage.fine(seen);
        // What has another lineage, or is not fit, is not compared.
        for (fit, unfit) in [("abc", "xyz"), ("role:slave", "role:master"), ("100", "0")] {
            let (mut stage, seen) = choice(&GOOD.replace("70", "99").replace(fit, unfit), GOOD, 3);
            stage.fine(seen);
        }
    }

    #[test]
    fn a_worse_one_is_not() {
        for worse in [GOOD.replace("70", "69"), GOOD.replace("100", "101")] {
            let (mut stage, seen) = choice(GOOD, &worse, 3);
            stage.wrong(seen);
        }
    }

    #[test]
    fn who_passed_to_another_cluster_is_no_rival() {
        for (cluster, fine) in [(0, false), (1, true)] {
            let (mut stage, seen) = choice(&GOOD.replace("70", "99"), GOOD, 3);
            for (number, cluster) in [(2, cluster), (3, 0)] {
                stage.servers.insert(server(number), Server::new(server(number), cluster, "abc"));
            }
            if fine {
                stage.fine(seen)
            } else {
                stage.wrong(seen)
            };
        }
    }

    #[test]
    fn who_follows_another_server_is_compared_once_the_master_has_reported() {
        let elsewhere = format!("{GOOD}master_host:10.0.9.1;master_port:6379;").replace("70", "99");
        let here = elsewhere.replace("10.0.9.1", "10.0.0.1");
        for (rival, informed, fine) in
            [(&elsewhere, false, true), (&elsewhere, true, false), (&here, false, false)]
        {
            let (mut stage, seen) = choice(rival, GOOD, 3);
            if informed {
                stage.fine(info(1, "role:master;master_replid:abc;"));
            }
            if fine {
                stage.fine(seen)
            } else {
                stage.wrong(seen)
            };
        }
        let (mut stage, seen) = choice(&elsewhere, GOOD, 3);
        stage.fine(info(1, "role:master;master_replid:abc;"));
        stage
            .fine(Seen::Ordered { words: ["SENTINEL", "RESET", "*"].map(str::to_owned).to_vec() })
            .fine(seen);
    }

    #[test]
    fn nor_is_one_that_may_not_be_promoted() {
        for bad in ["loading:1;", "master_sync_in_progress:1;", "slave_priority:0;"] {
            let (mut stage, seen) = choice(&format!("{GOOD}{bad}"), "", 2);
            stage.wrong(seen);
        }
    }

    #[test]
    fn who_was_without_the_master_for_too_long_is_no_rival() {
        let worse = GOOD.replace("70", "69");
        let away = |seconds: u32| format!("{GOOD}master_link_down_since_seconds:{seconds};");
        let choose = |seconds, prepare: fn(&mut Stage<BestReplica>)| {
            let (mut stage, seen) = choice(&away(seconds), &worse, 3);
            stage.file().down_after = std::time::Duration::from_secs(1);
            prepare(&mut stage);
            (stage, seen)
        };
        let (mut stage, seen) = choose(11, |_| ());
        stage.fine(seen);
        for (seconds, prepare) in [
            (10, (|_| ()) as fn(&mut Stage<BestReplica>)),
            (11, |stage| _ = stage.at(9_000).says("+sdown", &of_master(1)).at(10_000)),
            (11, |stage| {
                _ = stage.at(9_000).fine(info(1, "role:slave;")).at(10_000).says("+sdown", &of_master(1))
            }),
        ] {
            let (mut stage, seen) = choose(seconds, prepare);
            stage.wrong(seen);
        }
        let (mut stage, seen) =
            choose(10, |stage| _ = stage.fine(ordered("SENTINEL SET m down-after-milliseconds 900")));
        stage.fine(seen);
    }

    #[test]
    fn reports_are_of_this_failover() {
        let (mut stage, seen) = choice(GOOD, GOOD, 2);
        stage.says("+try-failover", &of_master(1)).at(10_900).says("+elected-leader", &of_master(1));
        stage.fine(seen.clone()).at(11_001).wrong(seen.clone());
        stage
            .says("-odown", &of_master(1))
            .at(10_950)
            .says("+odown", &format!("{} #quorum 2/2", of_master(1)));
        stage.wrong(seen);
    }
}
