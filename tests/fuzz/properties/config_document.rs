//! `sentinel.conf`: what loads is written, the result loads as the same settings, and writing it again soon changes nothing.

use std::borrow::Cow;

use sentineld::acl::Acl;
use sentineld::conf::{ConfError, Loaded, Settings, rewrite};

use super::machine::read;

/// Loads an input as a configuration file.
pub fn check(input: &[u8]) {
    let settings = match read(input) {
        Ok(loaded) => settings_of(loaded),
        Err(error) => return check_error(input, &error),
    };
    let first = rewrite(input, &settings);
    let again = reload(&first);
    assert_same(&settings, &again, &first);
    assert_eq!(users(&settings), users(&again), "{}", shown(&first));
    let second = rewrite(&first, &again);
    assert!(settled_lines(&second) == settled_lines(&first), "{}\nbecame\n{}", shown(&first), shown(&second));
    let third = rewrite(&second, &reload(&second));
    let fourth = rewrite(&third, &reload(&third));
    assert_eq!(shown(&fourth), shown(&third), "it has settled");
    let from_nothing = reload(&rewrite(b"", &settings));
    assert_eq!(from_nothing.sentinel, settings.sentinel);
}

/// The lines of a file, without those that may still move at the second rewrite. Compat: as in the reference, a line of output limits takes
/// the place of any other, and a default one that finds no place gets it the next time; so does the empty line at the end.
fn settled_lines(text: &[u8]) -> Vec<&[u8]> {
    let moves = |line: &&[u8]| line.is_empty() || line.starts_with(b"client-output-buffer-limit ");
    text.split(|&byte| byte == b'\n').filter(|line| !moves(line)).collect()
}

fn shown(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}

fn reload(text: &[u8]) -> Settings {
    let loaded = read(text).unwrap_or_else(|error| panic!("{error}\n{}", shown(text)));
    settings_of(loaded)
}

/// The settings, with users listed as the daemon has them.
fn settings_of(loaded: Loaded) -> Settings {
    let listed: Vec<_> = loaded.users.iter().map(|user| (user.name.clone(), user.rules.clone())).collect();
    assert_eq!(listed, loaded.settings.server.users);
    loaded.settings
}

fn assert_same(one: &Settings, other: &Settings, text: &[u8]) {
    let shown = shown(text);
    assert_eq!(one.masters, other.masters, "{shown}");
    assert_eq!(one.sentinel, other.sentinel, "{shown}");
    let (mut one, mut other) = (one.server.clone(), other.server.clone());
    if one.acl_file.is_some() {
        // The daemon refuses users next to a file for users; the rewrite leaves them to that file.
        (one.users, other.users) = (Vec::new(), Vec::new());
    }
    // Where a value came from may change, as the file gets what it lacked.
    other.origins = one.origins.clone();
    assert_eq!(one, other, "{shown}");
}

/// The users as they are in force, or why there are none.
fn users(settings: &Settings) -> Result<Vec<Vec<u8>>, String> {
    let server = &settings.server;
    if server.acl_file.is_some() {
        return Ok(Vec::new());
    }
    let acl =
        Acl::load(&server.users, server.requirepass.as_deref(), server.acl_pubsub_default_allow, |_| {});
    acl.map(|acl| acl.lines()).map_err(|error| error.to_string())
}

/// An error names a line that is there.
fn check_error(input: &[u8], error: &ConfError) {
    let text = error.to_string();
    assert!(!text.is_empty());
    if let ConfError::Invalid(invalid) = error {
        assert!(text.contains(&invalid.expected), "{text}");
        let lines = input.split(|&byte| byte == b'\n').count();
        let own = invalid.place.to_string().starts_with("In /c,");
        assert!(!own || (1..=lines).contains(&invalid.place.line), "{text}");
    }
}
