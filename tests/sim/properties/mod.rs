//! What must hold in every run, one property a file. Each says in its module what it promises, by which rule, and what it can't see.

mod adopted_epochs;
mod answers;
mod best_replica;
mod clocks;
mod down_after;
mod durable_votes;
mod epoch_cap;
mod epochs_forward;
mod equal_configs;
mod foreign;
mod knowledge;
mod known_peers;
mod leads;
mod lost_mandate;
mod mandate;
mod no_demotion;
mod one_leader;
mod one_vote;
mod opinions;
mod own_words;
mod parallel_syncs;
mod password;
mod publication;
mod spacing;
pub mod stage;
mod tilt;
pub mod words;

use crate::seen::Property;

/// Every property, with nothing seen yet.
pub fn all() -> Vec<Box<dyn Property>> {
    vec![
        Box::<one_leader::OneLeader>::default(),
        Box::<one_vote::OneVote>::default(),
        Box::<durable_votes::DurableVotes>::default(),
        Box::<epochs_forward::EpochsForward>::default(),
        Box::<epoch_cap::EpochCap>::default(),
        Box::<equal_configs::EqualConfigs>::default(),
        Box::<adopted_epochs::AdoptedEpochs>::default(),
        Box::<mandate::Mandate>::default(),
        Box::<lost_mandate::LostMandate>::default(),
        Box::<best_replica::BestReplica>::default(),
        Box::<no_demotion::NoDemotion>::default(),
        Box::<foreign::Foreign>::default(),
        Box::<own_words::OwnWords>::default(),
        Box::<parallel_syncs::ParallelSyncs>::default(),
        Box::<spacing::Spacing>::default(),
        Box::<publication::Publication>::default(),
        Box::<down_after::DownAfter>::default(),
        Box::<opinions::Opinions>::default(),
        Box::<password::Password>::default(),
        Box::<clocks::Clocks>::default(),
        Box::<tilt::Tilt>::default(),
        Box::<known_peers::KnownPeers>::default(),
        Box::<answers::Answers>::default(),
    ]
}
