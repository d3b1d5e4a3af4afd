//! The command table as the rules of a user see it: sets of commands, and the categories by name.
//!
//! Only a Sentinel's own commands exist here (spec 1 §4.4): a rule that names any other is an error, though every category of the
//! reference is known, empty or not.

use crate::wire::table::{CommandSpec, Verb, all_commands, find_full_name};

/// Every category, in the order the reference lists them (spec 3 §3.5.9).
pub const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// A set of commands and subcommands, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CommandSet(u128);

impl CommandSet {
    /// No command.
    pub const EMPTY: CommandSet = CommandSet(0);

    /// Every command.
    pub fn all() -> CommandSet {
        all_commands().fold(CommandSet::EMPTY, |set, spec| set.with(spec.verb))
    }

    /// A command, and its subcommands if it is a container.
    pub fn of(spec: &CommandSpec) -> CommandSet {
        spec.subcommands.iter().fold(CommandSet::EMPTY.with(spec.verb), |set, sub| set.with(sub.verb))
    }

    /// The commands of a category, given in any case; a container brings its subcommands. `None`: no such category.
    pub fn of_category(name: &[u8]) -> Option<CommandSet> {
        if name.eq_ignore_ascii_case(b"all") {
            return Some(CommandSet::all());
        }
        let category = CATEGORIES.iter().find(|category| name.eq_ignore_ascii_case(category.as_bytes()))?;
        let members = all_commands().filter(|spec| spec.in_category(category));
        Some(members.fold(CommandSet::EMPTY, |set, spec| set.union(CommandSet::of(spec))))
    }

    /// True if the command is in the set.
    pub fn contains(self, verb: Verb) -> bool {
        self.0 & bit(verb) != 0
    }

    /// This set and one more command.
    pub fn with(self, verb: Verb) -> CommandSet {
        CommandSet(self.0 | bit(verb))
    }

    /// What is in either set.
    pub fn union(self, other: CommandSet) -> CommandSet {
        CommandSet(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    pub fn without(self, other: CommandSet) -> CommandSet {
        CommandSet(self.0 & !other.0)
    }
}

fn bit(verb: Verb) -> u128 {
    1 << (verb as u32)
}

/// The command of a full name as rules write it: `ping`, `sentinel|masters`.
pub fn find(name: &[u8]) -> Option<&'static CommandSpec> {
    find_full_name(name)
}

/// The names of the commands in a category; `None`: no such category.
pub fn names_in_category(name: &[u8]) -> Option<Vec<&'static str>> {
    let category = CATEGORIES.iter().find(|category| name.eq_ignore_ascii_case(category.as_bytes()))?;
    Some(all_commands().filter(|spec| spec.in_category(category)).map(|spec| spec.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_bit_of_its_own() {
        let mut seen = CommandSet::EMPTY;
        for spec in all_commands() {
            assert!(!seen.contains(spec.verb), "{}", spec.name);
            seen = seen.with(spec.verb);
        }
        assert_eq!(seen, CommandSet::all());
    }

    #[test]
    fn categories_are_known_even_when_empty() {
        assert_eq!(CommandSet::of_category(b"Write"), Some(CommandSet::EMPTY));
        assert_eq!(CommandSet::of_category(b"foo"), None);
        assert_eq!(CommandSet::of_category(b"ALL"), Some(CommandSet::all()));
        assert_eq!(names_in_category(b"pubsub").map(|names| names.len()), Some(5));
    }
}
