//! The weaknesses of the reference that this engine closes, each of which a test build can put back.
//!
//! A checker that never fails proves nothing. With the feature `holes` the simulator opens one of these at a time and must notice it
//! (`tests/sim/holes`); without the feature every question here is answered by a constant `false`, and the compiler removes what hangs
//! on it: no released program contains them.

/// One weakness, by what the engine does when it is open (spec 2 §14.2, §14.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hole {
    /// Votes are counted at the process-wide epoch instead of the failover's own (§8.6).
    CountsAtCurrentEpoch,
    /// One process-wide epoch is every master's term: each election takes a fresh one, and a vote is refused below it (§8.6).
    OneEpochForAll,
    /// A vote is told although it could not be saved (§8.1).
    VotesWithoutDisk,
    /// What peers said of the old address counts for the new one (§9.8).
    OpinionsSurviveSwitch,
    /// The new master's down-after runs from the switch, not from our first connection to it (§9.8).
    ImpatientWithNewMaster,
    /// A switch forgets when the last failover was: the next may start at once (§9.8).
    SwitchForgetsSpacing,
    /// Any epoch is believed (§7.4).
    TrustsAnyEpoch,
    /// The selection does not wait for fresh reports (§9.3).
    SelectsOnOldReports,
    /// A replica that is loading, or in its first synchronisation, may be promoted (§9.3).
    PromotesUnsynced,
    /// A replica of another replication lineage may be promoted (§14.3).
    PromotesForeign,
    /// Replies of a connection that is no more answer the questions of the next.
    OldRepliesCount,
    /// A mute replica keeps the others waiting (§9.6).
    MuteReplicaBlocks,
    /// Steps of the wall clock stop everything for half a minute (§2.3).
    WallClockTilts,
    /// The leader tells of the switch only after all replicas were re-pointed (§9.2).
    LateSwitchMaster,
    /// Instances of another lineage are followed and re-pointed (§14.3).
    FollowsForeign,
    /// After SENTINEL RESET the peers that were forgotten no longer count as voters, and nobody looks for them (§9.8).
    ResetIsBlind,
    /// A promoted replica that dies is waited for without end (§9.7).
    WaitsForDeadPromoted,
    /// Who voted for a leader that died waits for twice failover-timeout (§8.5).
    LockedOutByDeadLeader,
    /// Who found no good replica waits for twice failover-timeout (§9.4).
    GivesUpWithoutReplica,
    /// A server that refuses our password counts as dead (§14.3).
    WrongPasswordIsDeath,
    /// An operator's failover takes an epoch that nobody agreed to (§9.10).
    ForcedWithoutVotes,
    /// A leader goes on after a later election or a long absence took its mandate.
    KeepsLostMandate,
    /// A stall of this process that is too short for TILT counts as silence of everybody (§2.3, §7.1).
    StallsCount,
    /// A master that is monitored again may be voted for in epochs in which it was voted for before (§8.1).
    MonitorForgetsVotes,
}

impl Hole {
    /// Every hole.
    pub const ALL: [Hole; 24] = [
        Hole::CountsAtCurrentEpoch,
        Hole::OneEpochForAll,
        Hole::VotesWithoutDisk,
        Hole::OpinionsSurviveSwitch,
        Hole::ImpatientWithNewMaster,
        Hole::SwitchForgetsSpacing,
        Hole::TrustsAnyEpoch,
        Hole::SelectsOnOldReports,
        Hole::PromotesUnsynced,
        Hole::PromotesForeign,
        Hole::OldRepliesCount,
        Hole::MuteReplicaBlocks,
        Hole::WallClockTilts,
        Hole::LateSwitchMaster,
        Hole::FollowsForeign,
        Hole::ResetIsBlind,
        Hole::WaitsForDeadPromoted,
        Hole::LockedOutByDeadLeader,
        Hole::GivesUpWithoutReplica,
        Hole::WrongPasswordIsDeath,
        Hole::ForcedWithoutVotes,
        Hole::KeepsLostMandate,
        Hole::StallsCount,
        Hole::MonitorForgetsVotes,
    ];
}

/// The hole that is open, if this build can open any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holes {
    #[cfg(feature = "holes")]
    open: Option<Hole>,
}

impl Holes {
    /// True if a test put this weakness back.
    #[cfg(feature = "holes")]
    pub fn has(self, hole: Hole) -> bool {
        self.open == Some(hole)
    }

    /// Never: this build has none.
    #[cfg(not(feature = "holes"))]
    pub const fn has(self, _: Hole) -> bool {
        false
    }

    /// Puts one weakness back.
    #[cfg(feature = "holes")]
    pub fn open(&mut self, hole: Hole) {
        self.open = Some(hole);
    }
}
