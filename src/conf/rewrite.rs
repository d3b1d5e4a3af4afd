//! Writing the configuration: the old text with each line replaced, dropped or added to as the settings in force ask (spec 1 §5).
//!
//! Pure: the caller reads the old text and puts the new one in place.
//!
//! Invariants: the result loads to the settings it was made from, and rewriting it with them changes nothing.

mod layout;
mod sentinel;

use std::borrow::Cow;
use std::collections::HashSet;

use layout::{Layout, Line, common_key};
pub(super) use sentinel::sentinel_lines;

use super::directive::{self, Kind};
use super::settings::{MasterSettings, ServerSettings, Settings};
use crate::model::MasterName;
use crate::text::lossless::bytes_of;
use crate::text::words;

/// The new text of the file whose present text is `old` (empty if there is none).
///
/// Byte for byte what the reference writes, but for five things: a line stays with the master it named (spec 1 §5.4), values
/// that need quotes get them (§5.5), old names of `sentinel` directives are reused (§3.4), what an include or the command
/// line said is not added (§5.7, §8.2), and options are left out at the defaults of the file alone (§5.3). Appended lines come
/// in a fixed order.
pub fn rewrite(old: &[u8], settings: &Settings) -> Vec<u8> {
    let mut draft = Draft::default();
    draft.take_up(old);
    draft.rewrite(settings, &HashSet::new());
    draft.layout.text().to_vec()
}

/// A text that is rewritten again and again: as long as it is the file's, only what changed is rendered.
#[derive(Default)]
pub struct Draft {
    layout: Layout,
    /// A rewrite has made its text.
    is_made: bool,
}

impl Draft {
    /// Begins with the present text of the file: the one that was made before, or one that somebody edited.
    pub fn take_up(&mut self, old: &[u8]) {
        if !self.is_made || self.layout.text() != old {
            *self = Draft { layout: Layout::read(old), is_made: false };
        }
    }

    /// Writes the settings in force, of which only these masters, and what belongs to none, changed since the last time.
    pub fn rewrite(&mut self, settings: &Settings, changed: &HashSet<MasterName>) {
        let (layout, whole) = (&mut self.layout, !self.is_made);
        if whole {
            layout.open_all();
        } else {
            layout.open(None);
            changed.iter().for_each(|name| layout.open(Some(&bytes_of(name.as_str()))));
        }
        let origins = &settings.server.origins;
        let mut put = |mut line: Line| {
            line.force &= !origins.included.contains(&line.text);
            layout.put(line);
        };
        generic_lines(&settings.server, &mut put);
        user_lines(&settings.server, &mut put);
        let sentinel = origins.sentinel_to_keep(&settings.sentinel);
        let masters = settings.masters.iter().filter(|master| whole || changed.contains(&master.name));
        let masters: Vec<Cow<MasterSettings>> = masters
            .map(|master| origins.master_to_keep(master).map_or(Cow::Borrowed(master), Cow::Owned))
            .collect();
        sentinel_lines(&sentinel, masters.iter().map(AsRef::as_ref), &mut put);
        layout.finish();
        self.is_made = true;
    }

    /// The text as it was written last.
    pub fn text(&self) -> &[u8] {
        self.layout.text()
    }
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
            put(Line {
                key: common_key(row.name.as_bytes()),
                text,
                force: !is_default || row.kind == Kind::Percentiles,
            });
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
        put(Line { key: common_key(b"user"), text, force: true });
    }
}
