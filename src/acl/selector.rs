//! One set of permissions: commands, keys and channels. A user has one, and may have more in parentheses.
//!
//! Key patterns are kept and shown though no command of a Sentinel takes a key. Rules are applied one after the other: order matters.
//!
//! Invariants: while everything is allowed, the list of patterns is empty; no pattern is listed twice.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::commands::{self, CATEGORIES, CommandSet};
use super::error::RuleError;
use crate::text::words::until_nul;
use crate::wire::glob::glob_matches;
use crate::wire::table::{CommandSpec, Verb, all_commands};

/// A pattern of keys, and what may be done with them.
#[derive(Clone, PartialEq, Eq, Debug)]
struct KeyPattern {
    text: Vec<u8>,
    read: bool,
    write: bool,
}

/// One set of permissions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selector {
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Vec<u8>>,
    commands: CommandSet,
    /// The rules began with everything: shown as `+@all -…`, and true of commands yet to be invented.
    from_all: bool,
    /// `+command|word` for commands without subcommands: allowed with this first argument.
    first_args: BTreeMap<Verb, Vec<Vec<u8>>>,
}

/// What a selector says to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Denied {
    /// The command itself is not allowed.
    Command,
    /// This channel is not allowed.
    Channel(Bytes),
}

impl Selector {
    /// Nothing allowed, except every channel if `all_channels` (directive `acl-pubsub-default`).
    pub fn new(all_channels: bool) -> Selector {
        Selector { all_channels, ..Selector::default() }
    }

    /// Everything allowed.
    pub fn everything() -> Selector {
        Selector {
            all_keys: true,
            all_channels: true,
            commands: CommandSet::all(),
            from_all: true,
            ..Selector::default()
        }
    }

    /// Applies one rule.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        let text = until_nul(rule);
        let word = |name: &str| text.eq_ignore_ascii_case(name.as_bytes());
        if word("allkeys") || text == b"~*" {
            (self.all_keys, self.keys) = (true, Vec::new());
        } else if word("resetkeys") {
            (self.all_keys, self.keys) = (false, Vec::new());
        } else if word("allchannels") || text == b"&*" {
            (self.all_channels, self.channels) = (true, Vec::new());
        } else if word("resetchannels") {
            (self.all_channels, self.channels) = (false, Vec::new());
        } else if word("allcommands") || word("+@all") {
            self.set_all(true);
        } else if word("nocommands") || word("-@all") {
            self.set_all(false);
        } else {
            return self.apply_prefixed(rule);
        }
        Ok(())
    }

    fn apply_prefixed(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'~' | b'%', ..] => self.add_key(rule),
            [b'&', channel @ ..] => self.add_channel(channel),
            [sign @ (b'+' | b'-'), b'@', category @ ..] => {
                let set = CommandSet::of_category(until_nul(category)).ok_or(RuleError::Unknown)?;
                self.set_commands(set, *sign == b'+');
                Ok(())
            }
            [b'+', name @ ..] => self.allow(until_nul(name)),
            [b'-', name @ ..] => {
                let spec = commands::find(until_nul(name)).ok_or(RuleError::Unknown)?;
                self.set_commands(CommandSet::of(spec), false);
                Ok(())
            }
            _ => Err(RuleError::Syntax),
        }
    }

    fn set_all(&mut self, allowed: bool) {
        self.commands = if allowed { CommandSet::all() } else { CommandSet::EMPTY };
        self.from_all = allowed;
        self.first_args.clear();
    }

    fn set_commands(&mut self, set: CommandSet, allowed: bool) {
        self.commands = if allowed { self.commands.union(set) } else { self.commands.without(set) };
        self.first_args.retain(|verb, _| !set.contains(*verb));
    }

    fn allow(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let Some(bar) = name.iter().rposition(|&byte| byte == b'|') else {
            let spec = commands::find(name).ok_or(RuleError::Unknown)?;
            self.set_commands(CommandSet::of(spec), true);
            return Ok(());
        };
        let (head, word) = (&name[..bar], &name[bar + 1..]);
        let spec = commands::find(head).ok_or(RuleError::Unknown)?;
        if head.contains(&b'|') {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        // Differs: the reference takes a first argument with blanks, saves it bare, and can't load it any more.
        if word.is_empty() || has_blanks(word) {
            return Err(RuleError::Syntax);
        }
        if spec.subcommands.is_empty() {
            let words = self.first_args.entry(spec.verb).or_default();
            if !words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                words.push(word.to_vec());
            }
            return Ok(());
        }
        let sub = spec.subcommand(word).ok_or(RuleError::Unknown)?;
        self.set_commands(CommandSet::of(sub), true);
        Ok(())
    }

    fn add_key(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::KeyAfterAll);
        }
        let (read, write, text) = match rule {
            [b'~', text @ ..] => (true, true, text),
            _ => parse_key_flags(&rule[1..])?,
        };
        if has_blanks(text) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|key| key.text == text) {
            Some(key) => (key.read, key.write) = (key.read || read, key.write || write),
            None => self.keys.push(KeyPattern { text: text.to_vec(), read, write }),
        }
        Ok(())
    }

    fn add_channel(&mut self, channel: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::ChannelAfterAll);
        }
        if has_blanks(channel) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == channel) {
            self.channels.push(channel.to_vec());
        }
        Ok(())
    }

    /// Checks a command with all its words, command name included.
    pub fn check(&self, spec: &CommandSpec, words: &[Bytes]) -> Result<(), Denied> {
        if !self.allows_command(spec, words) {
            return Err(Denied::Command);
        }
        let (channels, is_pattern) = match spec.verb {
            Verb::Subscribe => (words.get(1..), false),
            Verb::Psubscribe => (words.get(1..), true),
            Verb::Publish => (words.get(1..2), false),
            _ => return Ok(()),
        };
        let refused = channels.unwrap_or_default().iter().find(|name| !self.allows_channel(name, is_pattern));
        refused.map_or(Ok(()), |name| Err(Denied::Channel(name.clone())))
    }

    /// True if messages of this channel may be received or sent; a pattern must be listed literally.
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        let matches =
            |known: &Vec<u8>| if is_pattern { known == name } else { glob_matches(known, name, false) };
        self.all_channels || self.channels.iter().any(matches)
    }

    fn allows_command(&self, spec: &CommandSpec, words: &[Bytes]) -> bool {
        if self.commands.contains(spec.verb) || spec.has_flag("no_auth") {
            return true;
        }
        match (self.first_args.get(&spec.verb), words.get(1)) {
            (Some(allowed), Some(first)) => allowed.iter().any(|word| word.eq_ignore_ascii_case(first)),
            _ => false,
        }
    }

    /// The rules that make this selector: keys, channels, commands.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = self.keys_text();
        if !text.is_empty() {
            text.push(b' ');
        }
        if !self.all_channels {
            text.extend_from_slice(b"resetchannels ");
        }
        let channels = self.channels_text();
        text.extend_from_slice(&channels);
        if !channels.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&self.commands_text());
        text
    }

    /// The key patterns, separated by blanks.
    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let alone = self.keys.len() == 1;
        let patterns: Vec<Vec<u8>> = self.keys.iter().map(|key| key.describe(alone)).collect();
        patterns.join(&b' ')
    }

    /// The channel patterns, separated by blanks.
    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let patterns: Vec<Vec<u8>> =
            self.channels.iter().map(|channel| [b"&", channel.as_slice()].concat()).collect();
        patterns.join(&b' ')
    }

    /// The shortest list of command rules the reference would find: the best fitting categories, then single commands.
    pub fn commands_text(&self) -> Vec<u8> {
        let (sign, inverse) = if self.from_all { (b'-', b'+') } else { (b'+', b'-') };
        let mut shown = Selector { from_all: self.from_all, ..Selector::default() };
        shown.set_all(self.from_all);
        let mut rules = vec![if self.from_all { b"+@all".to_vec() } else { b"-@all".to_vec() }];
        let mut rest = self.clone();
        let mut applied = Vec::new();
        while let Some(best) = rest.best_category(!self.from_all, &applied) {
            let name = best.as_bytes();
            let set = CommandSet::of_category(name).expect("the name is from the table");
            shown.set_commands(set, sign == b'+');
            rest.set_commands(set, inverse == b'+');
            rules.push([&[sign, b'@'], name].concat());
            applied.push(best);
        }
        for spec in all_commands() {
            let allowed = self.commands.contains(spec.verb);
            if allowed != shown.commands.contains(spec.verb) {
                rules.push([if allowed { b"+" } else { b"-" }, spec.name.as_bytes()].concat());
                shown.set_commands(CommandSet::of(spec), allowed);
            }
            if let (false, Some(words)) = (allowed, self.first_args.get(&spec.verb)) {
                rules.extend(words.iter().map(|word| [b"+", spec.name.as_bytes(), b"|", word].concat()));
            }
        }
        rules.join(&b' ')
    }

    /// The category with the fewest members that the rules would have to correct afterwards, if it saves more than it costs.
    fn best_category(&self, additive: bool, applied: &[&str]) -> Option<&'static str> {
        let mut best: Option<(&str, usize, usize)> = None;
        for category in CATEGORIES.iter().filter(|category| !applied.contains(category)) {
            let members = all_commands().filter(|spec| spec.in_category(category));
            let (on, off) = members.fold((0, 0), |(on, off), spec| {
                if self.commands.contains(spec.verb) { (on + 1, off) } else { (on, off + 1) }
            });
            let (same, different) = if additive { (on, off) } else { (off, on) };
            let better = best.is_none_or(|(_, d, s)| different < d || (different == d && same > s));
            if same > different && better {
                best = Some((category, different, same));
            }
        }
        best.map(|(category, ..)| category)
    }
}

impl KeyPattern {
    /// Differs: the reference shows `%RW~*` as `~*` also among others, and can't load the others after it.
    fn describe(&self, alone: bool) -> Vec<u8> {
        let prefix: &[u8] = match (self.read, self.write) {
            (true, true) if self.text == b"*" && !alone => b"%RW~",
            (true, false) => b"%R~",
            (false, true) => b"%W~",
            _ => b"~",
        };
        [prefix, &self.text].concat()
    }
}

/// Reads `R`, `W` or both, then `~`: what follows is the pattern. Compat: without `~`, it is the empty one.
fn parse_key_flags(rule: &[u8]) -> Result<(bool, bool, &[u8]), RuleError> {
    let (mut read, mut write) = (false, false);
    for (i, byte) in rule.iter().enumerate() {
        match byte.to_ascii_uppercase() {
            b'R' if !read => read = true,
            b'W' if !write => write = true,
            b'~' if read || write => return Ok((read, write, &rule[i + 1..])),
            _ => return Err(RuleError::Syntax),
        }
    }
    if read || write { Ok((read, write, b"")) } else { Err(RuleError::Syntax) }
}

/// True for texts that can't be part of a line of words.
pub fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0))
}
