//! ACL rules: what a user is described as makes the same user again, in every form that is saved; a refused rule changes nothing.

use bytes::Bytes;
use sentineld::acl::user::merge_selectors;
use sentineld::acl::{Acl, DEFAULT_USER, User, file};
use sentineld::wire::table::{CommandSpec, all_commands};

/// Words and channels that decide differently for different users.
const WORDS: [&[u8]; 8] = [b"a", b"ab", b"b", b"now", b"nosave", b"get", b"__sentinel__:hello", b"+sdown"];

/// Applies the lines of an input: the first is the name of a user, the others are rules.
pub fn check(input: &[u8]) {
    let mut lines = input.split(|&byte| byte == b'\n');
    let name = lines.next().unwrap_or_default();
    let rules: Vec<&[u8]> = lines.collect();
    // Both settings of the directive, as the input has it.
    let default_channels = rules.len() % 2 == 1;
    let mut acl = Acl::new(default_channels);
    let before = acl.lines();
    match acl.set_user(name, &rules) {
        Ok(()) => check_user(&acl, name, default_channels),
        Err(error) => {
            assert!(!error.text().is_empty());
            assert_eq!(acl.lines(), before, "all rules or none");
        }
    }
    one_by_one(&rules, default_channels);
}

/// Rules that are good alone are good at once, and give the same.
fn one_by_one(rules: &[&[u8]], default_channels: bool) {
    let Ok(merged) = merge_selectors(rules) else { return };
    let mut user = User::new(default_channels);
    let mut accepted: Vec<&[u8]> = Vec::new();
    for rule in &merged {
        if user.apply(rule).is_ok() {
            accepted.push(rule);
        }
    }
    let mut acl = Acl::new(default_channels);
    acl.set_user(b"u", &accepted).expect("each was accepted");
    assert_same(acl.user(b"u").expect("was set"), &user);
    check_user(&acl, b"u", default_channels);
}

fn check_user(acl: &Acl, name: &[u8], default_channels: bool) {
    let user = acl.user(name).expect("was set");
    let text = user.describe();
    let words: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
    let shown = String::from_utf8_lossy(&text);
    // As another ACL SETUSER, and a second time on top of it.
    let mut again = Acl::new(default_channels);
    again.set_user(b"fresh", &words).unwrap_or_else(|error| panic!("{error:?}: {shown}"));
    assert_same(again.user(b"fresh").expect("was set"), user);
    // As the ACL file.
    let saved = file::render(acl);
    let loaded =
        file::load("file", &saved, default_channels).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(loaded.lines(), acl.lines());
    assert_same(loaded.user(name).expect("was saved"), user);
    // As a `user` line of the configuration. Compat: there, the rules of `default` begin with `reset`, which shows.
    let name = if name == DEFAULT_USER { b"other" } else { name };
    let line: Option<Vec<String>> = words.iter().map(|word| String::from_utf8(word.to_vec()).ok()).collect();
    if let (Ok(name), Some(line)) = (std::str::from_utf8(name), line) {
        let loaded = Acl::load(&[(name.to_owned(), line)], None, default_channels, |_| {})
            .unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_same(loaded.user(name.as_bytes()).expect("was loaded"), user);
    }
}

/// Two users that are shown alike and may do the same.
fn assert_same(one: &User, other: &User) {
    assert_eq!(String::from_utf8_lossy(&one.describe()), String::from_utf8_lossy(&other.describe()));
    assert_eq!(one.flags(), other.flags());
    assert_eq!(one.passwords(), other.passwords());
    for spec in all_commands() {
        for words in samples(spec) {
            assert_eq!(one.check(spec, &words), other.check(spec, &words), "{words:?}");
        }
    }
    for channel in WORDS {
        for is_pattern in [false, true] {
            assert_eq!(one.allows_channel(channel, is_pattern), other.allows_channel(channel, is_pattern));
        }
    }
}

/// A command alone, and with each of the words.
fn samples(spec: &CommandSpec) -> impl Iterator<Item = Vec<Bytes>> {
    let name = Bytes::from(spec.short_name());
    let alone = vec![name.clone()];
    std::iter::once(alone).chain(WORDS.map(|word| vec![name.clone(), Bytes::from_static(word)]))
}
