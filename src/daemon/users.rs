//! The ACL users at the start: from the configuration, or from the file that it names (spec 1 §4.4). What rules mean is `acl`'s
//! business; files and log lines are ours.

use std::fs;

use tracing::{error, info};

use super::strerror::strerror;
use crate::acl::user::merge_selectors;
use crate::acl::{self, Acl, RuleError, User};
use crate::conf::ServerSettings;

/// The users can't be loaded, as was logged.
#[derive(Debug)]
pub struct Rejected;

/// Loads all users, and remarks on those who are disabled.
pub fn load(settings: &ServerSettings) -> Result<Acl, Rejected> {
    let channels = settings.acl_pubsub_default_allow;
    if let Some(path) = &settings.acl_file {
        return load_file(path, settings);
    }
    let notice = |text| info!("{text}");
    Acl::load(&settings.users, settings.requirepass.as_deref(), channels, notice).map_err(|reason| {
        error!("{reason}");
        error!("Critical error while loading ACLs. Exiting.");
        Rejected
    })
}

fn load_file(path: &str, settings: &ServerSettings) -> Result<Acl, Rejected> {
    if !settings.users.is_empty() {
        error!(
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. \
             Move the `user` lines into {path}, or remove the `aclfile` line."
        );
        return Err(Rejected);
    }
    let loaded = match fs::read(path) {
        Ok(text) => acl::file::load(path, &text, settings.acl_pubsub_default_allow),
        Err(reason) => Err(format!("Error loading ACLs, opening file '{path}': {}", strerror(&reason))),
    };
    loaded.map_err(|details| {
        error!("Aborting Redis startup because of ACL errors: {details}");
        Rejected
    })
}

/// Checks the rules of one `user` line while the configuration is read. Unknown commands are let through: the reference finds
/// them only when it loads the users.
///
/// # Errors
/// The index of the bad rule, parts of a selector counting as one, and the reason.
pub fn check(rules: &[String]) -> Result<(), (usize, String)> {
    let rules: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
    // Compat: the reference has no words of its own for a selector that does not end.
    let merged = merge_selectors(&rules).map_err(|first| (first, RuleError::Unknown.to_string()))?;
    let mut user = User::new(false);
    for (index, rule) in merged.iter().enumerate() {
        match user.apply(rule) {
            Ok(()) | Err(RuleError::Unknown) => {}
            Err(reason) => return Err((index, reason.to_string())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_checked_but_for_unknown_commands() {
        let verdict = |rules: &[&str]| check(&rules.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(verdict(&["on", "+get", "~*", "(+ping", "&a)"]), Ok(()));
        assert_eq!(verdict(&["on", "foo"]), Err((1, "Syntax error".into())));
        assert_eq!(verdict(&["on", "(+ping"]), Err((1, "Unknown command or category name in ACL".into())));
    }
}
