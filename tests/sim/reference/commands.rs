//! Commands of peers and operators, as far as the simulator gives any (spec 2 §6.3, §7.4, §9.10).

use sentineld::engine::{Action, ConnKind, Level};
use sentineld::model::{Address, CommandId, Epoch, RunId};
use sentineld::text::number::parse_integer;
use sentineld::wire::glob::glob_matches;
use sentineld::wire::reply::MasterDownReply;
use sentineld::wire::{Answer, Command, ErrorReply, SentinelCommand};

use super::Reference;
use super::state::Who;

impl Reference {
    pub fn on_command(&mut self, id: CommandId, command: Command) {
        let answer = match command {
            Command::Ping => Ok(Answer::Pong),
            Command::Publish(hello) => {
                if let Some(hello) = hello {
                    self.on_hello(&hello);
                }
                Ok(Answer::Integer(1))
            }
            Command::Role => {
                let names = self.slots().into_iter().map(|slot| self.at(slot).name().clone());
                Ok(Answer::Role(names.collect()))
            }
            Command::Sentinel(command) => self.sentinel_command(command),
            Command::Info => Err(ErrorReply::NoSuchMaster),
        };
        self.held.push(Action::Answer(id, answer.unwrap_or_else(Answer::Error)));
    }

    fn sentinel_command(&mut self, command: SentinelCommand) -> Result<Answer, ErrorReply> {
        use SentinelCommand as C;
        match command {
            C::MyId => Ok(Answer::MyId(self.my_id.clone())),
            C::GetMasterAddr(name) => Ok(Answer::MasterAddress(self.find_name(&name).map(|slot| {
                let address = self.at(slot).current_address();
                (address.shown_host(self.globals.announce_hostnames), address.port)
            }))),
            C::IsMasterDown { host, port, epoch, candidate, .. } => {
                Ok(Answer::MasterDown(self.is_master_down(&host, port, epoch, candidate)))
            }
            C::Failover(name) => self.force_failover(&name),
            C::Reset(pattern) => Ok(Answer::Integer(self.reset_matching(&pattern))),
            C::Set { name, words } => self.set(&name, &words),
            C::Debug(words) => self.debug(&words),
            C::Remove(name) => {
                let slot = self.find_name(&name).ok_or(ErrorReply::NoSuchMaster)?;
                let gone = self.at(slot).settings.clone();
                self.publish_about(Level::Warning, "-monitor", Who::Master(slot), "");
                self.remove_master(slot);
                self.flush_removal(&gone);
                Ok(Answer::Ok)
            }
            C::Monitor { name, host, port, quorum } => self.monitor(name, host, port, quorum),
            C::FlushConfig => {
                self.changed.extend(self.slots());
                self.globals_changed = true;
                self.flush();
                Ok(Answer::Ok)
            }
            C::CheckQuorum(name) => self.check_quorum(&name),
            C::SimulateFailure(words) => self.simulate_failure(&words),
            // What only operators look at is not modelled.
            _ => Err(ErrorReply::NoSuchMaster),
        }
    }

    /// Spec 2 §7.4. Compat: the vote is given whatever it thinks of the master, and whoever asks.
    fn is_master_down(
        &mut self,
        host: &str,
        port: i64,
        epoch: Epoch,
        candidate: Option<RunId>,
    ) -> MasterDownReply {
        let address = u16::try_from(port).ok().map(|port| Address::new(host, port));
        let Some(slot) = address.and_then(|address| self.find_address(&address)) else {
            return MasterDownReply { down: false, leader: None, leader_epoch: Epoch::ZERO };
        };
        let down = self.tilt_since == 0 && self.at(slot).instance.s_down;
        let (leader, leader_epoch) = match candidate {
            Some(candidate) => self.vote(slot, epoch, &candidate),
            None => (None, Epoch::ZERO),
        };
        MasterDownReply { down, leader, leader_epoch }
    }

    /// Spec 2 §9.10.
    fn force_failover(&mut self, name: &str) -> Result<Answer, ErrorReply> {
        let slot = self.find_name(name).ok_or(ErrorReply::NoSuchMaster)?;
        if self.at(slot).in_progress {
            return Err(ErrorReply::FailoverInProgress);
        }
        if self.select(slot).is_none() {
            return Err(ErrorReply::NoGoodReplica);
        }
        self.log(Level::Warning, format!("Executing user requested FAILOVER of '{name}'"));
        self.start_failover(slot);
        self.at_mut(slot).forced = true;
        Ok(Answer::Ok)
    }

    fn reset_matching(&mut self, pattern: &str) -> i64 {
        let mut count = 0;
        for slot in self.slots() {
            let name = self.at(slot).name().to_string();
            if !glob_matches(pattern.as_bytes(), name.as_bytes(), false) {
                continue;
            }
            self.drop_peers(slot);
            self.reset(slot);
            self.set_address(slot);
            self.changed(slot);
            self.publish_about(Level::Warning, "+reset-master", Who::Master(slot), "");
            count += 1;
        }
        count
    }

    /// The options that decide about failovers.
    fn set(&mut self, name: &str, words: &[Vec<u8>]) -> Result<Answer, ErrorReply> {
        let slot = self.find_name(name).ok_or(ErrorReply::NoSuchMaster)?;
        for pair in words.chunks(2) {
            let option = String::from_utf8_lossy(&pair[0]).into_owned();
            let unknown = ErrorReply::SetUnknown { option: option.clone() };
            if option.eq_ignore_ascii_case("auth-pass") {
                let pass = pair.get(1).ok_or(unknown)?;
                self.set_password(slot, pass.clone());
                continue;
            }
            let value = pair.get(1).and_then(|value| parse_integer(value)).ok_or(unknown.clone())?;
            let period = std::time::Duration::from_millis(value.unsigned_abs());
            let settings = &mut self.at_mut(slot).settings;
            match option.to_ascii_lowercase().as_str() {
                "quorum" => settings.quorum = u32::try_from(value).map_err(|_| unknown)?,
                "parallel-syncs" => settings.parallel_syncs = i32::try_from(value).map_err(|_| unknown)?,
                "down-after-milliseconds" => settings.down_after = period,
                "failover-timeout" => settings.failover_timeout = period,
                _ => return Err(unknown),
            }
            let more = format!(" {option} {value}");
            self.publish_about(Level::Warning, "+set", Who::Master(slot), &more);
        }
        self.changed(slot);
        self.flush();
        Ok(Answer::Ok)
    }

    /// Spec 3 §3.4.13: connections to the master and its replicas are made anew.
    fn set_password(&mut self, slot: usize, pass: Vec<u8>) {
        self.at_mut(slot).settings.auth_pass = Some(pass).filter(|pass| !pass.is_empty());
        let replicas = 0..self.at(slot).replicas.len();
        for who in replicas.map(|at| Who::Replica(slot, at)).chain([Who::Master(slot)]) {
            let link = self.link_of(who).id;
            self.close(link, ConnKind::Command);
            self.close(link, ConnKind::PubSub);
        }
        self.publish_about(Level::Warning, "+set", Who::Master(slot), " auth-pass ******");
    }

    fn debug(&mut self, words: &[Vec<u8>]) -> Result<Answer, ErrorReply> {
        for pair in words.chunks(2) {
            let option = String::from_utf8_lossy(&pair[0]).into_owned();
            let value = pair.get(1).and_then(|value| parse_integer(value)).filter(|value| *value > 0);
            let mut named = self.periods.named().into_iter();
            let slot = named.find(|(name, _)| name.eq_ignore_ascii_case(&option));
            match (slot, value) {
                (Some((_, period)), Some(value)) => *period = value,
                _ => return Err(ErrorReply::DebugUnknown { option }),
            }
        }
        Ok(Answer::Ok)
    }

    fn monitor(&mut self, name: String, host: String, port: i64, quorum: i64) -> Result<Answer, ErrorReply> {
        let port = u16::try_from(port).map_err(|_| ErrorReply::InvalidPortNumber)?;
        let quorum = u32::try_from(quorum).map_err(|_| ErrorReply::QuorumTooSmall)?;
        if Address::new(host.clone(), port).ip.is_none() {
            return Err(ErrorReply::InvalidHost);
        }
        if self.find_name(&name).is_some() {
            return Err(ErrorReply::DuplicateMaster);
        }
        self.add_master(sentineld::conf::MasterSettings::new(name.into(), host, port, quorum));
        self.changed.insert(self.masters.len() - 1);
        self.flush();
        Ok(Answer::Ok)
    }

    fn check_quorum(&self, name: &str) -> Result<Answer, ErrorReply> {
        let slot = self.find_name(name).ok_or(ErrorReply::NoSuchMaster)?;
        let master = self.at(slot);
        let usable = 1 + master.peers.iter().filter(|peer| !peer.instance.s_down).count();
        let quorum_missing = usable < master.settings.quorum as usize;
        let majority_missing = usable < master.voters() / 2 + 1;
        if quorum_missing || majority_missing {
            return Err(ErrorReply::NoQuorum { usable, quorum_missing, majority_missing });
        }
        Ok(Answer::QuorumReachable { usable })
    }

    /// Spec 2 §13.
    fn simulate_failure(&mut self, words: &[String]) -> Result<Answer, ErrorReply> {
        (self.crash_after_election, self.crash_after_promotion) = (false, false);
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "crash-after-election" => self.crash_after_election = true,
                "crash-after-promotion" => self.crash_after_promotion = true,
                _ => return Err(ErrorReply::UnknownSimulation),
            }
        }
        Ok(Answer::Ok)
    }
}
