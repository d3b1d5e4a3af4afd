//! What happens in a round: faults, when, and to whom, all fixed by the seed.
//!
//! A plan names its victims by number (the second Sentinel, the first replica) or by role (the master at that time). It does not know how
//! a fault is made (acts.rs does).

use std::fmt;

/// A small generator (SplitMix64), so that a seed means the same for ever.
pub struct Dice(u64);

impl Dice {
    /// One for each round of each lane.
    pub fn new(seed: u64, lane: u64, round: u64) -> Dice {
        let mut dice = Dice(seed ^ (lane << 56) ^ (round << 32));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` up to, but without, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.between(0, all.len() as u64) as usize]
    }
}

/// The words of a leader on its way through a failover, in order.
pub const MOMENTS: [&str; 10] = [
    "+try-failover",
    "+vote-for-leader",
    "+elected-leader",
    "+failover-state-select-slave",
    "+selected-slave",
    "+failover-state-send-slaveof-noone",
    "+failover-state-wait-promotion",
    "+promoted-slave",
    "+failover-state-reconf-slaves",
    "+switch-master",
];

/// One thing that goes wrong. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillMaster,
    /// Killed, and started again at once, with its data.
    RestartMaster,
    /// SIGSTOP, until the heal.
    StopMaster,
    /// SIGSTOP for so short that nobody may mind.
    BlinkMaster,
    KillReplica(usize),
    StopReplica(usize),
    KillSentinel(usize),
    StopSentinel(usize),
    /// All at the same moment; they start again at once.
    RestartSentinels,
    /// The first Sentinel to say this word, after the master's death, dies at once.
    KillLeaderAt(&'static str),
    /// `SENTINEL SIMULATE-FAILURE` on all, then the master's death.
    CrashLeader(&'static str),
    /// The master, a minority of the Sentinels and a client on one side, everybody else on the other.
    CutMinority,
    /// The master and a client alone.
    CutMaster,
    CutSentinel(usize),
    /// A Sentinel that hears, but is not heard.
    MuteSentinel(usize),
    /// What the master sends is lost.
    MuteMaster,
    /// What is sent to the master is lost.
    DeafMaster,
    /// Packets lost everywhere, in percent.
    Lossy(u32),
    /// The master's port slow, in milliseconds each way.
    SlowMaster(u64),
    SlowSentinel(usize, u64),
    /// Every write to the disk of each Sentinel waits; in milliseconds.
    SlowDisks(u64),
    FullDisk(usize),
    /// `SENTINEL FAILOVER` to one.
    Failover(usize),
    /// `SENTINEL RESET` to one.
    Reset(usize),
}

/// Whether a fault makes a healthy majority replace the master.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    Must,
    May,
    Never,
}

impl Fault {
    pub fn moves(self) -> Moves {
        use Fault::*;
        match self {
            KillMaster | StopMaster | CutMaster | CutMinority | MuteMaster | DeafMaster => Moves::Must,
            KillLeaderAt(_) | CrashLeader(_) | Failover(_) => Moves::Must,
            RestartMaster | Lossy(_) | SlowMaster(_) => Moves::May,
            _ => Moves::Never,
        }
    }

    /// The kind, for the table.
    pub fn kind(self) -> String {
        let text = format!("{self:?}");
        let end = text.find(['(', ' ']).unwrap_or(text.len());
        match self {
            Fault::KillLeaderAt(word) | Fault::CrashLeader(word) => format!("{} {word}", &text[..end]),
            _ => text[..end].to_owned(),
        }
    }
}

/// A fault, so long after the one before.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub after_ms: u64,
    pub fault: Fault,
}

/// A round: its steps, and how long they last at least before all is healed.
#[derive(Clone)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub hold_ms: u64,
}

impl Plan {
    /// Faults one after the other, the time between them given by the dice.
    pub fn of(faults: &[Fault], dice: &mut Dice) -> Plan {
        let steps = faults.iter().map(|fault| Step { after_ms: dice.between(100, 900), fault: *fault });
        Plan { steps: steps.collect(), hold_ms: dice.between(2_000, 4_000) }
    }

    /// One to three faults, some at the same time.
    pub fn random(dice: &mut Dice) -> Plan {
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..dice.pick(&[1, 1, 2, 2, 3]) {
            let fault = any(dice);
            // Two of these could not be told apart afterwards: who died of what?
            let is_alone =
                |f: Fault| matches!(f, Fault::KillLeaderAt(_) | Fault::CrashLeader(_) | Fault::Failover(_));
            if is_alone(fault) && steps.iter().any(|step| step.fault.moves() != Moves::Never) {
                continue;
            }
            steps.push(Step { after_ms: dice.pick(&[0, 50, 300, 1_000, 2_500]), fault });
        }
        Plan { steps, hold_ms: dice.between(2_000, 7_000) }
    }

    /// Whether a majority that is left alone must replace the master.
    pub fn moves(&self) -> Moves {
        let all: Vec<Moves> = self.steps.iter().map(|step| step.fault.moves()).collect();
        match all[..] {
            [Moves::Must] => Moves::Must,
            _ if all.iter().all(|moves| *moves == Moves::Never) => Moves::Never,
            // A full disk of one, or slow disks of all, do not keep a majority from it.
            [Moves::Never, Moves::Must]
                if matches!(self.steps[0].fault, Fault::FullDisk(_) | Fault::SlowDisks(_)) =>
            {
                Moves::Must
            }
            _ => Moves::May,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "{} ms: {:?}; ", step.after_ms, step.fault)?;
        }
        write!(f, "held for {} ms", self.hold_ms)
    }
}

fn any(dice: &mut Dice) -> Fault {
    let who = dice.between(0, 60) as usize;
    let (word, slow) = (dice.pick(&MOMENTS), dice.pick(&[50, 150, 300]));
    let crash = dice.pick(&["crash-after-election", "crash-after-promotion"]);
    let percent = dice.pick(&[3, 8, 20]);
    match dice.between(0, 26) {
        0 => Fault::KillMaster,
        1 => Fault::RestartMaster,
        2 => Fault::StopMaster,
        3 => Fault::BlinkMaster,
        4 => Fault::KillReplica(who),
        5 => Fault::StopReplica(who),
        6 => Fault::KillSentinel(who),
        7 => Fault::StopSentinel(who),
        8 => Fault::RestartSentinels,
        9..=11 => Fault::KillLeaderAt(word),
        12 => Fault::CrashLeader(crash),
        13 => Fault::CutMinority,
        14 => Fault::CutMaster,
        15 => Fault::CutSentinel(who),
        16 => Fault::MuteSentinel(who),
        17 => Fault::MuteMaster,
        18 => Fault::DeafMaster,
        19 => Fault::Lossy(percent),
        20 => Fault::SlowMaster(slow),
        21 => Fault::SlowSentinel(who, slow),
        22 => Fault::SlowDisks(slow),
        23 => Fault::FullDisk(who),
        24 => Fault::Failover(who),
        _ => Fault::Reset(who),
    }
}
