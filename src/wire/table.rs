//! Every command of a Sentinel: the one table behind dispatch, ACL and the COMMAND answers (spec 3 §3.1.2).
//!
//! Says what exists and how many words it takes, not what it does. The rows state what the reference 7.0.15 states.
//!
//! Invariant: names are lower-case and unique, and a subcommand's full name is `container|name`.

mod docs;
mod rows;
mod verb;

pub use docs::{Argument, Docs};
pub use rows::COMMANDS;
pub use verb::Verb;

/// One command or subcommand.
#[derive(Debug)]
pub struct CommandSpec {
    /// Which it is, for matching.
    pub verb: Verb,
    /// The full name: `ping`, `sentinel|masters`.
    pub name: &'static str,
    /// Words it takes, its own name (and its container's) included; negative: at least so many.
    pub arity: i32,
    /// Flags, ACL categories and tips.
    pub class: &'static Class,
    /// For COMMAND DOCS.
    pub docs: &'static Docs,
    /// Subcommands; empty for all but containers.
    pub subcommands: &'static [CommandSpec],
}

/// What many commands have in common, each list in the order the reference shows it.
#[derive(Debug)]
pub struct Class {
    /// Command flags, as COMMAND shows them.
    pub flags: &'static [&'static str],
    /// ACL categories, without `@`.
    pub categories: &'static [&'static str],
    /// Hints for clients that talk to many servers.
    pub tips: &'static [&'static str],
}

impl CommandSpec {
    /// True if a request of `words` words has enough of them and not too many.
    pub fn takes(&self, words: usize) -> bool {
        let wanted = usize::try_from(self.arity.unsigned_abs()).expect("an arity is a small number");
        if self.arity < 0 { words >= wanted } else { words == wanted }
    }

    /// The name within the container; the name itself for commands that are in none.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, short)| short)
    }

    /// The subcommand of this name, in any case. Differs: the names that Valkey gave to those of SENTINEL are understood as well; an
    /// alias is another spelling and no more, so that listings stay those of the reference, and a rule for one is a rule for both.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let alias = ALIASES.iter().find(|(verb, alias, _)| *verb == self.verb && is(alias));
        let name = alias.map_or(name, |(.., name)| name.as_bytes());
        self.subcommands.iter().find(|spec| name.eq_ignore_ascii_case(spec.short_name().as_bytes()))
    }

    /// True if the command is in the ACL category, given without `@` and in lower case.
    pub fn in_category(&self, category: &str) -> bool {
        self.class.categories.contains(&category)
    }

    /// True if the command has the flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.class.flags.contains(&flag)
    }
}

/// Container, other name, and name of a subcommand (spec 3 §3.4.1).
const ALIASES: [(Verb, &str, &str); 4] = [
    (Verb::Sentinel, "primaries", "masters"),
    (Verb::Sentinel, "primary", "master"),
    (Verb::Sentinel, "get-primary-addr-by-name", "get-master-addr-by-name"),
    (Verb::Sentinel, "is-primary-down-by-addr", "is-master-down-by-addr"),
];

/// The command of this name, in any case, but never a subcommand.
pub fn find_command(name: &[u8]) -> Option<&'static CommandSpec> {
    COMMANDS.iter().find(|spec| name.eq_ignore_ascii_case(spec.name.as_bytes()))
}

/// The command of this full name (`ping`, `sentinel|masters`), in any case.
pub fn find_full_name(name: &[u8]) -> Option<&'static CommandSpec> {
    match name.iter().position(|&byte| byte == b'|') {
        Some(bar) => find_command(&name[..bar])?.subcommand(&name[bar + 1..]),
        None => find_command(name),
    }
}

/// Every command, each container followed by its subcommands.
pub fn all_commands() -> impl Iterator<Item = &'static CommandSpec> {
    COMMANDS.iter().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_complete_and_well_formed() {
        assert_eq!(COMMANDS.len(), 15);
        assert_eq!(all_commands().count(), 72);
        assert_eq!(all_commands().map(|spec| spec.name).collect::<BTreeSet<_>>().len(), 72);
        for container in COMMANDS {
            for spec in container.subcommands {
                assert_eq!(spec.name, format!("{}|{}", container.name, spec.short_name()));
                assert_eq!(
                    container.subcommand(spec.short_name().to_uppercase().as_bytes()).map(|s| s.name),
                    Some(spec.name)
                );
                assert_eq!(find_full_name(spec.name.as_bytes()).map(|s| s.name), Some(spec.name));
            }
        }
        assert!(find_command(b"sentinel|masters").is_none());
        assert!(find_command(b"quit").is_none());
    }

    #[test]
    fn aliases_are_other_spellings_and_not_listed() {
        for (alias, name) in [
            ("sentinel|PRIMARIES", "sentinel|masters"),
            ("sentinel|primary", "sentinel|master"),
            ("sentinel|get-primary-addr-by-name", "sentinel|get-master-addr-by-name"),
            ("sentinel|is-primary-down-by-addr", "sentinel|is-master-down-by-addr"),
        ] {
            assert_eq!(find_full_name(alias.as_bytes()).map(|spec| spec.name), Some(name));
            assert!(all_commands().all(|spec| !spec.name.eq_ignore_ascii_case(alias)));
        }
        assert!(find_full_name(b"client|primary").is_none());
    }

    #[test]
    fn arity_counts_all_words() {
        let takes = |name: &str, words| find_full_name(name.as_bytes()).expect("known").takes(words);
        assert!(takes("sentinel|masters", 2) && !takes("sentinel|masters", 3));
        assert!(takes("sentinel|set", 5) && takes("sentinel|set", 9) && !takes("sentinel|set", 4));
    }
}
