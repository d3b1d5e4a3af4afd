//! The names under which commands are known here: `rename-command` may have moved or removed some (spec 1 §4.1).
//!
//! What a command is called inside (its entry in a listing, a rule of a user, an arity error) never changes; what clients type does.

use bytes::Bytes;

use super::inbound::is_http;
use super::refusal::CommandError;
use super::table::{COMMANDS, CommandSpec, find_command};

/// Other names of commands.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// What a command is called in the table, and here; without a name here, it is gone.
    renamed: Vec<(String, String)>,
}

impl Naming {
    /// From the `rename-command` lines: old name, new name, which is empty for a command that is taken away.
    pub fn new(renamed: &[(String, String)]) -> Naming {
        Naming { renamed: renamed.to_vec() }
    }

    /// Every command that has a name here, containers without their subcommands.
    pub fn commands(&self) -> impl Iterator<Item = &'static CommandSpec> {
        COMMANDS.iter().filter(|spec| {
            let is_it = |old: &str| old.eq_ignore_ascii_case(spec.name);
            !self.renamed.iter().any(|(old, new)| is_it(old) && new.is_empty())
        })
    }

    /// The same, each container followed by its subcommands.
    pub fn all_commands(&self) -> impl Iterator<Item = &'static CommandSpec> {
        self.commands().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands))
    }

    /// The command that is called this here, in any case, but never a subcommand.
    pub fn find_command(&self, typed: &[u8]) -> Option<&'static CommandSpec> {
        let is_typed = |name: &str| typed.eq_ignore_ascii_case(name.as_bytes());
        if let Some((old, _)) = self.renamed.iter().find(|(_, new)| !new.is_empty() && is_typed(new)) {
            return find_command(old.as_bytes());
        }
        if self.renamed.iter().any(|(old, _)| is_typed(old)) {
            return None;
        }
        find_command(typed)
    }

    /// The command of this full name (`ping`, `sentinel|masters`), in any case.
    pub fn find_full_name(&self, typed: &[u8]) -> Option<&'static CommandSpec> {
        match typed.iter().position(|&byte| byte == b'|') {
            Some(bar) => self.find_command(&typed[..bar])?.subcommand(&typed[bar + 1..]),
            None => self.find_command(typed),
        }
    }

    /// Finds the command that `args` name, and checks how many they are. `args` has at least one word.
    pub fn lookup(&self, args: &[Bytes]) -> Result<&'static CommandSpec, CommandError> {
        let typed = &args[0];
        let Some(mut spec) = self.find_command(typed) else {
            return Err(if is_http(typed) {
                CommandError::Http
            } else {
                CommandError::unknown_command(args)
            });
        };
        if let (false, Some(name)) = (spec.subcommands.is_empty(), args.get(1)) {
            spec = spec.subcommand(name).ok_or_else(|| CommandError::unknown_subcommand(typed, name))?;
        }
        if !spec.takes(args.len()) {
            return Err(CommandError::WrongArity(spec.name));
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_command_is_known_by_its_new_name_only() {
        let pairs = [("sentinel", "Watcher"), ("shutdown", ""), ("client", "CLIENT")];
        let naming = Naming::new(&pairs.map(|(old, new)| (old.to_owned(), new.to_owned())));
        let found = |name: &str| naming.find_full_name(name.as_bytes()).map(|spec| spec.name);
        assert_eq!(found("WATCHER|masters"), Some("sentinel|masters"));
        assert_eq!(found("sentinel|masters"), None);
        assert_eq!(found("shutdown"), None);
        assert_eq!(found(""), None);
        assert_eq!(found("client|list"), Some("client|list"));
        assert_eq!((naming.commands().count(), naming.all_commands().count()), (14, 71));
        assert_eq!(Naming::default().all_commands().count(), 72);
    }
}
