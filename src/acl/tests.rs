//! The lines are those of the reference for the same rules, but for the order of single commands, which is arbitrary there.

use bytes::Bytes;

use super::*;
use crate::wire::table::{find_command, find_full_name};

fn with(rules: &str) -> Acl {
    let mut acl = Acl::new(false);
    let rules: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    acl.set_user(b"u", &rules).expect("valid rules");
    acl
}

fn line(rules: &str) -> String {
    String::from_utf8(with(rules).user(b"u").expect("was set").describe()).expect("text")
}

fn refusal(rules: &str) -> String {
    let rules: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    let error = Acl::new(false).set_user(b"u", &rules).expect_err("must be refused");
    String::from_utf8(error.text()).expect("text")
}

fn check(rules: &str, words: &str) -> Result<(), Denied> {
    let words: Vec<Bytes> = words.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    let spec = find_command(&words[0]).expect("known");
    let spec = words.get(1).and_then(|word| spec.subcommand(word)).unwrap_or(spec);
    with(rules).user(b"u").expect("was set").check(spec, &words)
}

#[test]
fn users_are_described_as_the_reference_does() {
    assert_eq!(line(""), "off resetchannels -@all");
    assert_eq!(line("reset"), "off sanitize-payload resetchannels -@all");
    assert_eq!(
        line("on nopass +@all &a* -@pubsub +publish"),
        "on nopass resetchannels &a* +@all -@pubsub +publish"
    );
    assert_eq!(
        line("on nopass +@all &a* -@pubsub +publish -@dangerous -@slow"),
        "on nopass resetchannels &a* +@all -@slow -role"
    );
    assert_eq!(
        line("on >x +ping +@pubsub -subscribe +shutdown|now (+ping ~x %R~y &z)"),
        "on #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 resetchannels -@all +@pubsub +ping +shutdown|now -subscribe (~x %R~y resetchannels &z -@all +ping)"
    );
    assert_eq!(line("%R~* %W~*"), "off ~* resetchannels -@all");
    assert_eq!(line("%RW~* ~a"), "off %RW~* ~a resetchannels -@all", "nothing may follow ~*");
    assert_eq!(line("~a %W~b %RW~c %R~b allchannels allcommands"), "off ~a ~b ~c &* +@all");
    assert_eq!(
        line("+@all -@dangerous +sentinel|masters"),
        "off resetchannels +@all -@dangerous +sentinel|masters"
    );
    assert_eq!(
        line("reset +client"),
        "off sanitize-payload resetchannels -@all +@connection -auth +client -command -hello -ping"
    );
}

#[test]
fn descriptions_load_again() {
    for rules in [
        "on nopass +@all -@dangerous +sentinel|masters",
        "on >a >b ~x %R~y &z (+@fast &q) (+info)",
        "+@admin -acl +acl|cat",
    ] {
        let text = line(rules);
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let acl = Acl::load(&[("u".into(), words)], None, false, drop).expect("loads");
        assert_eq!(acl.user(b"u").expect("loaded").describe(), text.as_bytes());
    }
}

#[test]
fn bad_rules_are_refused_with_the_reference_s_words() {
    for (rules, error) in [
        ("+get", "Error in ACL SETUSER modifier '+get': Unknown command or category name in ACL"),
        (
            "+sentinel|foo",
            "Error in ACL SETUSER modifier '+sentinel|foo': Unknown command or category name in ACL",
        ),
        ("-@foo", "Error in ACL SETUSER modifier '-@foo': Unknown command or category name in ACL"),
        ("foo", "Error in ACL SETUSER modifier 'foo': Syntax error"),
        ("+ping|", "Error in ACL SETUSER modifier '+ping|': Syntax error"),
        ("%~b", "Error in ACL SETUSER modifier '%~b': Syntax error"),
        (
            "+acl|cat|x",
            "Error in ACL SETUSER modifier '+acl|cat|x': Allowing first-arg of a subcommand is not supported",
        ),
        ("(+x", "Unmatched parenthesis in acl selector starting at '(+x'."),
        (
            "<x",
            "Error in ACL SETUSER modifier '<x': The password you are trying to remove from the user does not exist",
        ),
    ] {
        assert_eq!(refusal(rules), error);
    }
    assert!(refusal("~* ~x").contains("'~x': Adding a pattern after the * pattern (or the 'allkeys' flag)"));
    assert!(
        refusal("&* &x").contains("'&x': Adding a pattern after the * pattern (or the 'allchannels' flag)")
    );
    let syntax = |rule: &str| {
        let error = Acl::new(false).set_user(b"u", &[rule.as_bytes()]).expect_err("can't be saved");
        let text = format!("Error in ACL SETUSER modifier '{rule}': Syntax error");
        assert_eq!(error.text(), text.as_bytes());
    };
    syntax("+shutdown|a b");
    syntax("(+ping &x))");
    syntax("(&x) &y)");
    assert!(refusal("#x").ends_with("contain only lowercase hexadecimal characters"));
    assert_eq!(Acl::new(false).set_user(b"a b", &[]), Err(SetUserError::BadName));
}

#[test]
fn a_refused_rule_changes_nothing() {
    let mut acl = with("+ping");
    assert!(acl.set_user(b"u", &[b"+info", b"+nope"]).is_err());
    assert_eq!(acl.user(b"u").expect("still there").describe(), b"off resetchannels -@all +ping");
}

#[test]
fn commands_are_checked_with_subcommands_and_first_words() {
    assert_eq!(check("+ping", "ping"), Ok(()));
    assert_eq!(check("+ping", "info"), Err(Denied::Command));
    assert_eq!(check("", "auth x"), Ok(()), "login is always allowed");
    assert_eq!(check("+sentinel|masters", "sentinel masters"), Ok(()));
    assert_eq!(check("+sentinel|masters", "sentinel myid"), Err(Denied::Command));
    assert_eq!(check("+sentinel -sentinel|set", "sentinel set a b c"), Err(Denied::Command));
    assert_eq!(check("+shutdown|nosave", "shutdown NOSAVE"), Ok(()));
    assert_eq!(check("+shutdown|nosave", "shutdown"), Err(Denied::Command));
    assert_eq!(check("(+info)", "info"), Ok(()), "one selector is enough");
}

#[test]
fn channels_are_checked_for_both_directions() {
    assert_eq!(check("+@all &a*", "subscribe ab ax"), Ok(()));
    assert_eq!(check("+@all &a*", "subscribe ab b"), Err(Denied::Channel(Bytes::from_static(b"b"))));
    assert_eq!(check("+@all &a*", "psubscribe a*"), Ok(()));
    assert_eq!(check("+@all &a*", "psubscribe ab*"), Err(Denied::Channel(Bytes::from_static(b"ab*"))));
    assert_eq!(check("+@all", "publish c d"), Err(Denied::Channel(Bytes::from_static(b"c"))));
    assert_eq!(check("+@all", "unsubscribe c"), Ok(()));
    assert_eq!(check("+@all &*", "psubscribe *"), Ok(()));
}

#[test]
fn requirepass_closes_the_door_and_a_default_line_reopens_it() {
    let acl = Acl::load(&[], Some(b"secret"), false, drop).expect("loads");
    assert!(!acl.is_open());
    assert!(acl.authenticate(b"default", b"secret") && !acl.authenticate(b"default", b"other"));
    let line = vec!["on".into(), "nopass".into(), "~*".into(), "&*".into(), "+@all".into()];
    let acl = Acl::load(&[("default".into(), line)], Some(b"secret"), false, drop).expect("loads");
    assert!(acl.is_open(), "the user line wins over requirepass");
}

#[test]
fn users_of_the_file_are_checked() {
    let load = |name: &str, rules: &[&str]| {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let mut notices = Vec::new();
        Acl::load(&[(name.to_owned(), rules)], None, false, |text| notices.push(text))
            .map(|acl| (acl, notices))
    };
    let error = load("bob", &["on", "+get"]).expect_err("unknown command").to_string();
    assert_eq!(
        error,
        "Error loading ACL rule '+get' for the user named 'bob': Unknown command or category name in ACL"
    );
    assert_eq!(load("a b", &[]).expect_err("bad name").to_string(), "Spaces not allowed in ACL usernames");
    let (acl, notices) = load("bob", &["+ping"]).expect("loads");
    assert_eq!(notices.len(), 1);
    assert!(!acl.authenticate(b"bob", b""));
    assert!(load("bob", &["+@write", "-@scripting"]).is_ok(), "every category is known");
}

#[test]
fn generated_passwords_have_the_asked_length() {
    assert_eq!(generate_password(5, &[0x3a, 0xff, 0]), "af");
    assert_eq!(generate_password(256, &[7; 64]).len(), 64);
    assert!(find_full_name(b"acl|genpass").is_some());
}
