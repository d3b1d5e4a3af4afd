//! The COMMAND answers: the command table, shown (spec 3 §3.5.10).
//!
//! Differs: listings come in the order of the table. That of the reference is a hash table's, and another after each start.

use bytes::Bytes;

use super::glob::glob_matches;
use super::refusal::CommandError;
use super::table::{Argument, COMMANDS, CommandSpec, all_commands, find_full_name};
use super::value::Value;

/// COMMAND, and COMMAND INFO without names.
pub fn all() -> Value {
    Value::Array(COMMANDS.iter().map(entry).collect())
}

/// COMMAND COUNT.
pub fn count() -> Value {
    Value::Integer(super::value::length(COMMANDS.len()))
}

/// COMMAND INFO: one entry per name, none for an unknown one.
pub fn info(names: &[Bytes]) -> Value {
    if names.is_empty() {
        return all();
    }
    Value::Array(names.iter().map(|name| find_full_name(name).map_or(Value::Null, entry)).collect())
}

/// COMMAND DOCS: all commands, or those of the names that are known.
pub fn docs(names: &[Bytes]) -> Value {
    if names.is_empty() {
        return Value::Map(COMMANDS.iter().map(docs_entry).collect());
    }
    Value::Map(names.iter().filter_map(|name| find_full_name(name)).map(docs_entry).collect())
}

/// COMMAND LIST, given the words after it.
pub fn list(filter: &[Bytes]) -> Result<Value, CommandError> {
    let names = |keep: &dyn Fn(&CommandSpec) -> bool| {
        Value::Array(all_commands().filter(|spec| keep(spec)).map(|spec| Value::bulk(spec.name)).collect())
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
pub fn keys(command: &[Bytes]) -> CommandError {
    let known = command.first().and_then(|name| super::table::find_command(name)).is_some_and(|spec| {
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
    use super::*;
    use crate::wire::value::Protocol;

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
            text(info(&words("ping quit SENTINEL|masters")), Protocol::Resp2),
            "*3\r\n*10\r\n$4\r\nping\r\n:-1\r\n*1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n*2\r\n+@fast\r\n+@connection\r\n*2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n*0\r\n*0\r\n$-1\r\n*10\r\n$16\r\nsentinel|masters\r\n:2\r\n*1\r\n+admin\r\n:0\r\n:0\r\n:0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n"
        );
        assert_eq!(
            text(info(&words("ping")), Protocol::Resp3),
            "*1\r\n*10\r\n$4\r\nping\r\n:-1\r\n~1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~2\r\n+@fast\r\n+@connection\r\n~2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n~0\r\n~0\r\n"
        );
        let client = text(info(&words("client")), Protocol::Resp3);
        assert!(client.starts_with("*1\r\n*10\r\n$6\r\nclient\r\n:-2\r\n~0\r\n:0\r\n:0\r\n:0\r\n~1\r\n+@slow\r\n~0\r\n~0\r\n*16\r\n*10\r\n"));
        assert!(client.contains("$11\r\nclient|list\r\n:-2\r\n~4\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n~4\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n+@connection\r\n~1\r\n$23\r\nnondeterministic_output\r\n~0\r\n~0\r\n"));
        assert_eq!(count(), Value::Integer(15));
        assert!(matches!(all(), Value::Array(entries) if entries.len() == 15));
    }

    #[test]
    fn listings_can_be_filtered() {
        let listed = |line| match list(&words(line)) {
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
        assert_eq!(keys(&words("ping x")), CommandError::NoKeys);
        assert_eq!(keys(&words("sentinel masters")), CommandError::NoKeys);
        assert_eq!(keys(&words("sentinel foo")), CommandError::InvalidCommand);
        assert_eq!(keys(&words("get x")), CommandError::InvalidCommand);
    }

    #[test]
    fn documentation_is_a_map() {
        let ping = text(docs(&words("nosuch ping")), Protocol::Resp3);
        assert!(ping.starts_with("%1\r\n$4\r\nping\r\n%5\r\n$7\r\nsummary\r\n"), "{ping}");
        assert_eq!(text(docs(&words("nosuch")), Protocol::Resp2), "*0\r\n");
        assert!(matches!(docs(&[]), Value::Map(entries) if entries.len() == 15));
    }
}
