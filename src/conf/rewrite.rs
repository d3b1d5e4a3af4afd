//! Writing the configuration: the old text with each line replaced, dropped or added to as the settings in force ask (spec 1 §5).
//!
//! Pure: the caller reads the old text and puts the new one in place.
//!
//! Invariants: the result loads to the settings it was made from, and rewriting it with them changes nothing.

mod layout;
mod sentinel;

use std::borrow::Cow;

use layout::Layout;
pub(super) use sentinel::sentinel_lines;

use super::directive::{self, Kind};
use super::settings::{MasterSettings, ServerSettings, Settings};
use crate::text::words;

/// One line to write.
pub(super) struct Line {
    /// Which old line it replaces.
    pub key: Vec<u8>,
    /// The line itself.
    pub text: Vec<u8>,
    /// Add it if there is no old line; otherwise it is only kept up to date.
    pub force: bool,
}

/// The new text of the file whose present text is `old` (empty if there is none).
///
/// Byte for byte what the reference writes, but for five things: a line stays with the master it named (spec 1 §5.4), values
/// that need quotes get them (§5.5), old names of `sentinel` directives are reused (§3.4), what an include or the command
/// line said is not added (§5.7, §8.2), and options are left out at the defaults of the file alone (§5.3). Appended lines come
/// in a fixed order.
pub fn rewrite(old: &[u8], settings: &Settings) -> Vec<u8> {
    let mut layout = Layout::read(old);
    let origins = &settings.server.origins;
    let mut put = |mut line: Line| {
        line.force &= !origins.included.contains(&line.text);
        layout.put(line);
    };
    generic_lines(&settings.server, &mut put);
    user_lines(&settings.server, &mut put);
    let sentinel = origins.sentinel_to_keep(&settings.sentinel);
    let masters: Vec<Cow<MasterSettings>> = settings
        .masters
        .iter()
        .map(|master| origins.master_to_keep(master).map_or(Cow::Borrowed(master), Cow::Owned))
        .collect();
    sentinel_lines(&sentinel, masters.iter().map(AsRef::as_ref), &mut put);
    layout.finish()
}

/// Generic directives, in the order of the table.
fn generic_lines(server: &ServerSettings, put: &mut impl FnMut(Line)) {
    for row in directive::all() {
        let Some(values) = server.generic.get(row.name) else { continue };
        let defaults = row.rewrite_default_lines();
        match row.kind {
            // Of no use here: the lines go.
            Kind::Save => continue,
            Kind::Bind if *values == defaults => continue,
            _ => {}
        }
        for (index, value) in values.iter().enumerate() {
            let is_default = defaults.get(index) == Some(value);
            let text = format!("{} {value}", row.name).into_bytes();
            put(Line { key: row.name.into(), text, force: !is_default || row.kind == Kind::Percentiles });
        }
    }
}

/// ACL users, unless they live in a file of their own (spec 1 §4.4).
fn user_lines(server: &ServerSettings, put: &mut impl FnMut(Line)) {
    if server.acl_file.is_some() {
        return;
    }
    for (name, rules) in &server.users {
        if server.origins.foreign_users.contains(name) {
            continue;
        }
        let mut text = b"user".to_vec();
        for word in std::iter::once(name).chain(rules) {
            text.push(b' ');
            words::push_quoted(&mut text, word.as_bytes());
        }
        put(Line { key: b"user".to_vec(), text, force: true });
    }
}
