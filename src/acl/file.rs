//! The text of an ACL file: `user NAME rules…` lines (directive `aclfile`).
//!
//! Reading is all or nothing: one bad line and the users in force stay as they are. Differs: also if a selector that is not closed
//! follows one that is, where the reference crashes; and a NUL byte is part of its line, whose rest it hides there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{RuleError, shown};
use super::selector::has_blanks;
use super::user::{User, merge_selectors};
use super::{Acl, DEFAULT_USER};

/// The users of an ACL file. The error names each bad line, as the reference words it; `path` is only for that text.
pub fn load(path: &str, text: &[u8], default_channels: bool) -> Result<Acl, String> {
    let mut users = BTreeMap::new();
    let mut errors = String::new();
    for (i, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match read_line(line, default_channels) {
            Ok((name, user)) => {
                if users.insert(name.clone(), Arc::new(user)).is_some() {
                    errors +=
                        &format!("WARNING: Duplicate user '{}' found on line {}. ", shown(&name), i + 1);
                }
            }
            Err(problems) => {
                for problem in problems {
                    errors += &format!("{path}:{}{problem}", i + 1);
                }
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors
            + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    }
    users.entry(DEFAULT_USER.to_vec()).or_insert_with(|| Arc::new(User::all_powerful(default_channels)));
    Ok(Acl { users, default_channels })
}

/// The text to save.
pub fn render(acl: &Acl) -> Vec<u8> {
    acl.lines().iter().flat_map(|line| [b"user ", line.as_slice(), b"\n"].concat()).collect()
}

/// A user, or what is wrong, each as it follows the number of the line.
fn read_line(line: &[u8], default_channels: bool) -> Result<(Vec<u8>, User), Vec<String>> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').map(<[u8]>::trim_ascii).collect();
    let [b"user", name, rules @ ..] = words.as_slice() else {
        return Err(vec![" should start with user keyword followed by the username. ".to_owned()]);
    };
    if has_blanks(name) {
        return Err(vec![format!(": username '{}' contains invalid characters. ", shown(name))]);
    }
    let rules = merge_selectors(rules)
        .map_err(|_| vec![": Unmatched parenthesis in selector definition.".to_owned()])?;
    let mut user = User::new(default_channels);
    let mut problems = Vec::new();
    let mut syntax_error = false;
    for rule in &rules {
        match user.apply(rule) {
            Ok(()) => {}
            Err(RuleError::Unknown) => {
                problems.push(format!(
                    ": Error in applying operation '{}': {}. ",
                    shown(rule),
                    RuleError::Unknown
                ));
            }
            // Only the first: it may cause the others, and their rules may hold passwords.
            Err(_) if syntax_error => {}
            Err(reason) => {
                syntax_error = true;
                problems.push(format!(": {reason}. "));
            }
        }
    }
    if problems.is_empty() { Ok((name.to_vec(), user)) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_round_trips() {
        let text = b"user default on nopass ~* &* +@all\n\nuser bob on >x (+ping &a) +info\n";
        let acl = load("f", text, false).expect("valid");
        let again = load("f", &render(&acl), false).expect("what is written loads again");
        assert_eq!(acl.lines(), again.lines());
        assert!(again.authenticate(b"bob", b"x"));
    }

    #[test]
    fn each_bad_line_is_named_and_nothing_is_loaded() {
        let error = load("f", b"foo\nuser a +get bad <x\nuser b on\nuser b off\nuser d (+ping\n", false)
            .expect_err("invalid");
        assert_eq!(
            error,
            "f:1 should start with user keyword followed by the username. \
             f:2: Error in applying operation '+get': Unknown command or category name in ACL. f:2: Syntax error. \
             WARNING: Duplicate user 'b' found on line 4. f:5: Unmatched parenthesis in selector definition.\
             WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        );
    }

    #[test]
    fn a_file_without_default_gets_the_built_in_one() {
        assert!(load("f", b"", false).expect("valid").is_open());
    }
}
