//! The COMMAND answers: the command table, shown (spec 3 §3.5.10).
//!
//! Differs: listings come in the order of the table. That of the reference is a hash table's, and another after each start.

use bytes::Bytes;

use super::glob::glob_matches;
use super::naming::Naming;
use super::refusal::CommandError;
use super::table::{Argument, CommandSpec, Verb};
use super::value::Value;

/// The answer to one of the COMMAND commands, given all its words and the names that commands have here.
pub fn answer(verb: Verb, args: &[Bytes], naming: &Naming) -> Result<Value, CommandError> {
    Ok(match verb {
        Verb::Command => all(naming),
        Verb::CommandCount => Value::Integer(super::value::length(naming.commands().count())),
        Verb::CommandInfo => info(&args[2..], naming),
        Verb::CommandDocs => docs(&args[2..], naming),
        Verb::CommandList => return list(&args[2..], naming),
        _ => return Err(keys(&args[2..], naming)),
    })
}

/// COMMAND, and COMMAND INFO without names.
fn all(naming: &Naming) -> Value {
    Value::Array(naming.commands().map(entry).collect())
}

/// COMMAND INFO: one entry per name, none for an unknown one.
fn info(names: &[Bytes], naming: &Naming) -> Value {
    if names.is_empty() {
        return all(naming);
    }
    Value::Array(names.iter().map(|name| naming.find_full_name(name).map_or(Value::Null, entry)).collect())
}

/// COMMAND DOCS: all commands, or those of the names that are known.
fn docs(names: &[Bytes], naming: &Naming) -> Value {
    if names.is_empty() {
        return Value::Map(naming.commands().map(docs_entry).collect());
    }
    Value::Map(names.iter().filter_map(|name| naming.find_full_name(name)).map(docs_entry).collect())
}

/// COMMAND LIST, given the words after it.
fn list(filter: &[Bytes], naming: &Naming) -> Result<Value, CommandError> {
    let names = |keep: &dyn Fn(&CommandSpec) -> bool| {
        let kept = naming.all_commands().filter(|spec| keep(spec));
        Value::Array(kept.map(|spec| Value::bulk(spec.name)).collect())
    };
    match filter {
        [] => Ok(names(&|_| true)),
        [by, kind, value] if by.eq_ignore_ascii_case(b"filterby") => {
            if kind.eq_ignore_ascii_case(b"module") {
                Ok(names(&|_| false))
            } else if kind.eq_ignore_ascii_case(b"aclcat") {
                let category = String::from_utf8_lossy(value).to_ascii_lowercase();
                Ok(names(&|spec| spec.in_category(&category)))
            } else if kind.eq_ignore_ascii_case(b"pattern") {
                Ok(names(&|spec| glob_matches(value, spec.name.as_bytes(), true)))
            } else {
                Err(CommandError::Syntax)
            }
        }
        _ => Err(CommandError::Syntax),
    }
}

/// COMMAND GETKEYS and GETKEYSANDFLAGS, given the command line: no command of ours has keys.
fn keys(command: &[Bytes], naming: &Naming) -> CommandError {
    let known = command.first().and_then(|name| naming.find_command(name)).is_some_and(|spec| {
        command.get(1).is_none_or(|name| spec.subcommands.is_empty() || spec.subcommand(name).is_some())
    });
    if known { CommandError::NoKeys } else { CommandError::InvalidCommand }
}

fn entry(spec: &CommandSpec) -> Value {
    let subcommands = if spec.subcommands.is_empty() {
        Value::Set(Vec::new())
    } else {
        Value::Array(spec.subcommands.iter().map(entry).collect())
    };
    let class = spec.class;
    Value::Array(vec![
        Value::bulk(spec.name),
        Value::Integer(i64::from(spec.arity)),
        Value::Set(class.flags.iter().map(|flag| Value::status(*flag)).collect()),
        Value::Integer(0),
        Value::Integer(0),
        Value::Integer(0),
        Value::Set(class.categories.iter().map(|category| Value::status(format!("@{category}"))).collect()),
        Value::Set(class.tips.iter().map(|tip| Value::bulk(*tip)).collect()),
        Value::Set(Vec::new()),
        subcommands,
    ])
}

fn docs_entry(spec: &CommandSpec) -> (Value, Value) {
    let docs = spec.docs;
    let mut fields = vec![
        text_field("summary", docs.summary),
        text_field("since", docs.since),
        text_field("group", docs.group),
    ];
    fields.extend(docs.complexity.map(|text| text_field("complexity", text)));
    if let Some((since, replaced_by)) = docs.deprecated {
        fields.push((Value::bulk("doc_flags"), Value::Set(vec![Value::status("deprecated")])));
        fields.push(text_field("deprecated_since", since));
        fields.push(text_field("replaced_by", replaced_by));
    }
    if !docs.history.is_empty() {
        let change = |(release, text): &(&'static str, &'static str)| {
            Value::Array(vec![Value::bulk(*release), Value::bulk(*text)])
        };
        fields.push((Value::bulk("history"), Value::Set(docs.history.iter().map(change).collect())));
    }
    fields.extend(arguments(docs.arguments));
    if !spec.subcommands.is_empty() {
        let subcommands = spec.subcommands.iter().map(docs_entry).collect();
        fields.push((Value::bulk("subcommands"), Value::Map(subcommands)));
    }
    (Value::bulk(spec.name), Value::Map(fields))
}

/// The field that lists them; none if there are none.
fn arguments(arguments: &[Argument]) -> Option<(Value, Value)> {
    let list = || Value::Array(arguments.iter().map(argument).collect());
    (!arguments.is_empty()).then(|| (Value::bulk("arguments"), list()))
}

fn argument(it: &Argument) -> Value {
    let mut fields = vec![text_field("name", it.name), text_field("type", it.kind)];
    fields.extend(it.token.map(|token| text_field("token", token)));
    fields.extend(it.since.map(|release| text_field("since", release)));
    fields.extend(it.deprecated_since.map(|release| text_field("deprecated_since", release)));
    let flags =
        [(it.is_optional, "optional"), (it.is_multiple, "multiple"), (it.repeats_token, "multiple_token")];
    let flags: Vec<Value> =
        flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| Value::status(flag)).collect();
    if !flags.is_empty() {
        fields.push((Value::bulk("flags"), Value::Set(flags)));
    }
    fields.extend(arguments(it.arguments));
    Value::Map(fields)
}

fn text_field(name: &'static str, text: &'static str) -> (Value, Value) {
    (Value::bulk(name), Value::bulk(text))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::wire::value::Protocol;

    static NAMING: LazyLock<Naming> = LazyLock::new(Naming::default);

    fn words(line: &'static str) -> Vec<Bytes> {
        line.split_whitespace().map(Bytes::from).collect()
    }

    fn text(value: Value, protocol: Protocol) -> String {
        String::from_utf8(value.to_bytes(protocol).to_vec()).expect("all our names are ASCII")
    }

    /// Recorded from redis-sentinel 7.0.15.
    #[test]
    fn entries_are_those_of_the_reference() {
        assert_eq!(
            text(info(&words("ping quit SENTINEL|masters"), &NAMING), Protocol::Resp2),
            "*3\r\n*10\r\n$4\r\nping\r\n:-1\r\n*1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n*2\r\n+@fast\r\n+@connection\r\n*2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n*0\r\n*0\r\n$-1\r\n*10\r\n$16\r\nsentinel|masters\r\n:2\r\n*1\r\n+admin\r\n:0\r\n:0\r\n:0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n"
        );
        assert_eq!(
            text(info(&words("ping"), &NAMING), Protocol::Resp3),
            "*1\r\n*10\r\n$4\r\nping\r\n:-1\r\n~1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~2\r\n+@fast\r\n+@connection\r\n~2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n~0\r\n~0\r\n"
        );
        let client = text(info(&words("client"), &NAMING), Protocol::Resp3);
        assert!(client.starts_with("*1\r\n*10\r\n$6\r\nclient\r\n:-2\r\n~0\r\n:0\r\n:0\r\n:0\r\n~1\r\n+@slow\r\n~0\r\n~0\r\n*16\r\n*10\r\n"));
        assert!(client.contains("$11\r\nclient|list\r\n:-2\r\n~4\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n~4\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n+@connection\r\n~1\r\n$23\r\nnondeterministic_output\r\n~0\r\n~0\r\n"));
        assert_eq!(answer(Verb::CommandCount, &[], &NAMING), Ok(Value::Integer(15)));
        assert!(matches!(all(&NAMING), Value::Array(entries) if entries.len() == 15));
    }

    #[test]
    fn listings_can_be_filtered() {
        let listed = |line| match list(&words(line), &NAMING) {
            Ok(Value::Array(names)) => Ok(names.len()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(listed(""), Ok(72));
        assert_eq!(listed("filterby aclcat PubSub"), Ok(5));
        assert_eq!(listed("filterby aclcat nosuch"), Ok(0));
        assert_eq!(listed("filterby pattern P*"), Ok(4));
        assert_eq!(listed("filterby pattern sentinel|m*"), Ok(4));
        assert_eq!(listed("filterby module x"), Ok(0));
        for bad in ["foo", "filterby", "filterby foo bar", "filterby pattern a b"] {
            assert_eq!(listed(bad), Err(CommandError::Syntax));
        }
    }

    #[test]
    fn nothing_has_keys() {
        assert_eq!(keys(&words("ping x"), &NAMING), CommandError::NoKeys);
        assert_eq!(keys(&words("sentinel masters"), &NAMING), CommandError::NoKeys);
        assert_eq!(keys(&words("sentinel foo"), &NAMING), CommandError::InvalidCommand);
        assert_eq!(keys(&words("get x"), &NAMING), CommandError::InvalidCommand);
    }

    #[test]
    fn documentation_is_a_map() {
        let ping = text(docs(&words("nosuch ping"), &NAMING), Protocol::Resp3);
        assert!(ping.starts_with("%1\r\n$4\r\nping\r\n%5\r\n$7\r\nsummary\r\n"), "{ping}");
        assert_eq!(text(docs(&words("nosuch"), &NAMING), Protocol::Resp2), "*0\r\n");
        assert!(matches!(docs(&[], &NAMING), Value::Map(entries) if entries.len() == 15));
    }
}
