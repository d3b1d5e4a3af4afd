//! The end of reading: queued `sentinel` lines are evaluated, and everything becomes one typed [`Settings`].

use std::collections::BTreeMap;

use super::{ConfError, Loaded, Loader, Remark, Source};
use crate::conf::directive::Lines;
use crate::conf::origins::Origins;
use crate::conf::sentinel;
use crate::conf::server::Values;
use crate::conf::settings::Settings;
use crate::text::words;

impl Loader<'_> {
    /// The values of the file so far, with the working directory that results.
    pub(super) fn values_to_keep(&mut self) -> BTreeMap<String, Lines> {
        let mut values = self.values.clone();
        values.insert("dir".to_owned(), vec![words::repr(self.host.current_dir().as_bytes())]);
        values
    }

    pub(super) fn finish(mut self) -> Result<Loaded, ConfError> {
        let evaluated = sentinel::evaluate(&self.statements, |path| self.host.is_executable(path))?;
        self.remarks.extend(evaluated.remarks.iter().cloned());
        let generic = match self.file_values.take() {
            Some(values) => values,
            None => self.values_to_keep(),
        };
        let origins = self.origins(&evaluated, &generic);
        let mut server = Values(&self.values).server();
        server.dir = self.host.current_dir();
        server.users = self.users.iter().map(|user| (user.name.clone(), user.rules.clone())).collect();
        server.renamed_commands = self.renames.list();
        server.generic = generic;
        server.origins = origins;
        self.remark_on_memory();
        let settings = Settings { server, sentinel: evaluated.sentinel, masters: evaluated.masters };
        Ok(Loaded { settings, remarks: self.remarks, users: self.users, set_at: self.set_at })
    }

    /// What the rewrite must not take for the file's own.
    fn origins(&mut self, all: &sentinel::Evaluated, generic: &BTreeMap<String, Lines>) -> Origins {
        let mut origins = Origins::default();
        origins.foreign_users = std::mem::take(&mut self.foreign_users);
        for name in &self.included {
            origins.include_directive(name, &generic[*name]);
        }
        let mut only = |keep: fn(Source) -> bool| {
            let kept: Vec<_> = self.statements.iter().filter(|line| keep(line.source)).cloned().collect();
            // Faults were reported by the evaluation of everything; a part may lack what another one brings.
            sentinel::evaluate_leniently(&kept, |path| self.host.is_executable(path))
        };
        if self.statements.iter().any(|line| line.source == Source::Include) {
            let included = only(|source| source == Source::Include);
            origins.include_sentinel(&included.sentinel, &included.masters);
        }
        if self.statements.iter().any(|line| line.source == Source::Outside) {
            let before = only(|source| source != Source::Outside);
            origins.note_outside(before, all);
        }
        origins
    }

    fn remark_on_memory(&mut self) {
        let bytes = Values(&self.values).memory("maxmemory");
        if (1..1 << 20).contains(&bytes) {
            let text = format!(
                "WARNING: You specified a maxmemory value that is less than 1MB (current value is {bytes} bytes). Are \
                 you sure this is what you really want?"
            );
            self.remarks.push(Remark { text, belated: true });
        }
    }
}
