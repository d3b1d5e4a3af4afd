//! CLIENT TRACKING: accepted and remembered, as clients expect, though a Sentinel has no keys to tell about (spec 3 §3.5.8).

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::text::number::parse_integer;
use crate::wire::{CommandError, Value};

/// What a client asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    on: bool,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    redirect: Option<u64>,
    /// None is part of another; in the order of their bytes.
    prefixes: BTreeSet<Bytes>,
    /// CLIENT CACHING was said of the next command.
    caching: bool,
}

impl Tracking {
    /// True after CLIENT TRACKING ON.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// True if on for every key with a prefix.
    pub fn is_broadcast(&self) -> bool {
        self.on && self.broadcast
    }

    /// To whom messages would go: −1 when off, 0 for the client itself.
    pub fn redirect(&self) -> i64 {
        match self.redirect {
            _ if !self.on => -1,
            Some(id) => i64::try_from(id).unwrap_or(i64::MAX),
            None => 0,
        }
    }

    /// CLIENT TRACKING, given the words after it. `exists` tells whether there is a client of an id.
    pub fn configure(&mut self, words: &[Bytes], exists: impl Fn(u64) -> bool) -> Result<(), Value> {
        let (wanted, prefixes) = Tracking::read(&words[1..], exists)?;
        if words[0].eq_ignore_ascii_case(b"off") {
            *self = Tracking::default();
            return Ok(());
        }
        if !words[0].eq_ignore_ascii_case(b"on") {
            return Err(CommandError::Syntax.value());
        }
        if let Some(problem) = self.conflict_with(&wanted, !prefixes.is_empty()) {
            return Err(Value::error(problem));
        }
        let mut all = std::mem::take(&mut self.prefixes);
        if wanted.broadcast {
            if let Some(problem) = overlap(&all, &prefixes) {
                self.prefixes = all;
                return Err(Value::error(problem));
            }
            // Compat: every key, on top of what was asked for earlier.
            let every = prefixes.is_empty().then(Bytes::new);
            all.extend(prefixes.into_iter().chain(every));
        }
        *self = Tracking { on: true, prefixes: all, ..wanted };
        Ok(())
    }

    fn read(words: &[Bytes], exists: impl Fn(u64) -> bool) -> Result<(Tracking, Vec<Bytes>), Value> {
        let (mut wanted, mut prefixes) = (Tracking::default(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match (word.to_ascii_lowercase().as_slice(), words.as_slice().first()) {
                (b"redirect", Some(id)) => {
                    words.next();
                    if wanted.redirect.is_some() {
                        return Err(Value::error("A client can only redirect to a single other client"));
                    }
                    let id = parse_integer(id).ok_or(CommandError::NotInteger.value())?;
                    let id = u64::try_from(id).ok().filter(|id| exists(*id));
                    let missing = || Value::error("The client ID you want redirect to does not exist");
                    wanted.redirect = Some(id.ok_or_else(missing)?);
                }
                (b"prefix", Some(prefix)) => {
                    words.next();
                    prefixes.push(Bytes::copy_from_slice(prefix));
                }
                (b"bcast", _) => wanted.broadcast = true,
                (b"optin", _) => wanted.opt_in = true,
                (b"optout", _) => wanted.opt_out = true,
                (b"noloop", _) => wanted.no_loop = true,
                _ => return Err(CommandError::Syntax.value()),
            }
        }
        Ok((wanted, prefixes))
    }

    fn conflict_with(&self, wanted: &Tracking, has_prefixes: bool) -> Option<&'static str> {
        if has_prefixes && !wanted.broadcast {
            return Some("PREFIX option requires BCAST mode to be enabled");
        }
        if self.on && self.broadcast != wanted.broadcast {
            return Some(
                "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
            );
        }
        if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
            return Some("OPTIN and OPTOUT are not compatible with BCAST");
        }
        if wanted.opt_in && wanted.opt_out {
            return Some("You can't specify both OPTIN mode and OPTOUT mode");
        }
        if (wanted.opt_in && self.opt_out) || (wanted.opt_out && self.opt_in) {
            return Some(
                "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
            );
        }
        None
    }

    /// CLIENT CACHING, given its word.
    pub fn caching(&mut self, word: &[u8]) -> Value {
        let yes = word.eq_ignore_ascii_case(b"yes");
        if !self.on {
            return Value::error(
                "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
            );
        }
        match (yes, word.eq_ignore_ascii_case(b"no")) {
            (true, _) if !self.opt_in => {
                Value::error("CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
            }
            (_, true) if !self.opt_out => {
                Value::error("CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
            }
            (false, false) => CommandError::Syntax.value(),
            _ => {
                self.caching = true;
                Value::OK
            }
        }
    }

    /// A command is through. Compat: what CLIENT CACHING said holds until a command that is not CLIENT.
    pub fn command_done(&mut self, name: Option<&str>) {
        let is_client = name.is_some_and(|name| name.split('|').next() == Some("client"));
        self.caching &= is_client;
    }

    /// CLIENT TRACKINGINFO.
    pub fn info(&self) -> Value {
        let mut flags = vec![if self.on { "on" } else { "off" }];
        let options = [
            (self.broadcast, "bcast"),
            (self.opt_in, "optin"),
            (self.caching && self.opt_in, "caching-yes"),
            (self.opt_out, "optout"),
            (self.caching && self.opt_out, "caching-no"),
            (self.no_loop, "noloop"),
        ];
        flags.extend(options.into_iter().filter_map(|(set, name)| set.then_some(name)));
        let prefixes = self.prefixes.iter().cloned().map(Value::Bulk).collect();
        Value::Map(vec![
            (Value::bulk("flags"), Value::Set(flags.into_iter().map(Value::bulk).collect())),
            (Value::bulk("redirect"), Value::Integer(self.redirect())),
            (Value::bulk("prefixes"), Value::Array(prefixes)),
        ])
    }
}

/// The complaint if one of the new prefixes is part of another, or the other way round.
fn overlap(existing: &BTreeSet<Bytes>, new: &[Bytes]) -> Option<Vec<u8>> {
    let overlaps = |one: &Bytes, other: &Bytes| one.starts_with(other) || other.starts_with(one);
    let complaint = |prefix: &[u8], with: &[u8], other: &[u8]| {
        let rest = b"'. Prefixes for a single client must not overlap.";
        [b"Prefix '", prefix, b"' overlaps with ", with, b" '", other, rest].concat()
    };
    new.iter().enumerate().find_map(|(i, prefix)| {
        if let Some(other) = existing.iter().find(|other| overlaps(prefix, other)) {
            return Some(complaint(prefix, b"an existing prefix", other));
        }
        let other = new[i + 1..].iter().find(|other| overlaps(prefix, other))?;
        Some(complaint(prefix, b"another provided prefix", other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configure(tracking: &mut Tracking, line: &'static str) -> Result<(), Value> {
        let words: Vec<Bytes> = line.split(' ').map(Bytes::from).collect();
        tracking.configure(&words, |id| id == 7)
    }

    #[test]
    fn options_are_kept_until_it_is_turned_off() {
        let mut tracking = Tracking::default();
        assert_eq!(tracking.redirect(), -1);
        assert_eq!(configure(&mut tracking, "on bcast prefix a redirect 7"), Ok(()));
        assert_eq!((tracking.redirect(), tracking.is_broadcast()), (7, true));
        assert!(configure(&mut tracking, "ON optin").is_err(), "the mode can't be switched");
        assert_eq!(configure(&mut tracking, "off"), Ok(()));
        assert_eq!(tracking, Tracking::default());
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "maybe",
            "on foo",
            "on prefix",
            "on prefix a",
            "on redirect 8",
            "on optin optout",
            "on bcast optin",
        ] {
            assert!(configure(&mut Tracking::default(), line).is_err(), "{line}");
        }
        assert_eq!(Tracking::default().caching(b"yes").to_bytes(crate::wire::Protocol::Resp2)[0], b'-');
    }
}
