//! Lists of words to commands: what exists, how many words it takes, and which words make sense (spec 3 §3.2, §3.4).
//!
//! Two steps, because a session checks permission between them: [`Naming::lookup`] finds the command, [`parse`] reads its words. Commands about the
//! connection itself are only recognised here; their words are the session's.

use bytes::Bytes;

use super::catalog;
use super::command::{Command, SentinelCommand};
use super::hello::Hello;
use super::help;
use super::naming::Naming;
use super::refusal::CommandError;
use super::request::HELLO_CHANNEL;
use super::table::{CommandSpec, Verb};
use super::value::Value;
use crate::model::Epoch;
use crate::text::lossless;
use crate::text::number::parse_integer;
use crate::text::words;

/// What to do about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// Ask the engine.
    Engine(Command),
    /// Answer this: it depends on nothing.
    Reply(Value),
    /// The session knows; its words are not read yet.
    Session,
}

/// Reads the words of a command found by [`Naming::lookup`]. `naming` is that of the lookup, `asker` the name the client
/// gave itself, if any.
pub fn parse(
    spec: &CommandSpec,
    args: &[Bytes],
    naming: &Naming,
    asker: Option<&str>,
) -> Result<Parsed, CommandError> {
    let engine = |command| Ok(Parsed::Engine(command));
    match spec.verb {
        Verb::Ping if args.len() > 2 => Err(CommandError::WrongArity(spec.name)),
        Verb::Ping => engine(Command::Ping),
        Verb::Role => engine(Command::Role),
        Verb::Info => engine(Command::Info),
        Verb::Publish if args[1] == HELLO_CHANNEL => engine(Command::Publish(Hello::parse(&args[2]))),
        Verb::Publish => Err(CommandError::NotHello),
        Verb::SentinelHelp => Ok(Parsed::Reply(help::render(&args[0], help::SENTINEL))),
        Verb::ClientHelp => Ok(Parsed::Reply(help::render(&args[0], help::CLIENT))),
        Verb::AclHelp => Ok(Parsed::Reply(help::render(&args[0], help::ACL))),
        Verb::CommandHelp => Ok(Parsed::Reply(help::render(&args[0], help::COMMAND))),
        Verb::Command
        | Verb::CommandCount
        | Verb::CommandInfo
        | Verb::CommandDocs
        | Verb::CommandList
        | Verb::CommandGetkeys
        | Verb::CommandGetkeysandflags => catalog::answer(spec.verb, args, naming).map(Parsed::Reply),
        _ => match sentinel(spec.verb, args, asker)? {
            Some(command) => engine(Command::Sentinel(command)),
            None => Ok(Parsed::Session),
        },
    }
}

fn sentinel(
    verb: Verb,
    args: &[Bytes],
    asker: Option<&str>,
) -> Result<Option<SentinelCommand>, CommandError> {
    let word = |index: usize| text(&args[index]);
    Ok(Some(match verb {
        Verb::SentinelMyid => SentinelCommand::MyId,
        Verb::SentinelMasters => SentinelCommand::Masters,
        Verb::SentinelMaster => SentinelCommand::Master(word(2)),
        Verb::SentinelReplicas | Verb::SentinelSlaves => SentinelCommand::Replicas(word(2)),
        Verb::SentinelSentinels => SentinelCommand::Sentinels(word(2)),
        Verb::SentinelGetMasterAddrByName => SentinelCommand::GetMasterAddr(name(&args[2])),
        Verb::SentinelIsMasterDownByAddr => is_master_down(args, asker)?,
        Verb::SentinelCkquorum => SentinelCommand::CheckQuorum(word(2)),
        Verb::SentinelFailover => SentinelCommand::Failover(word(2)),
        Verb::SentinelReset => SentinelCommand::Reset(word(2)),
        Verb::SentinelMonitor => monitor(args)?,
        Verb::SentinelRemove => SentinelCommand::Remove(word(2)),
        Verb::SentinelSet => SentinelCommand::Set { name: word(2), words: raw(&args[3..]) },
        Verb::SentinelConfig => config(args)?,
        Verb::SentinelDebug => SentinelCommand::Debug(raw(&args[2..])),
        Verb::SentinelInfoCache => SentinelCommand::InfoCache(texts(&args[2..])),
        Verb::SentinelPendingScripts => SentinelCommand::PendingScripts,
        Verb::SentinelFlushconfig => SentinelCommand::FlushConfig,
        Verb::SentinelSimulateFailure => SentinelCommand::SimulateFailure(texts(&args[2..])),
        _ => return Ok(None),
    }))
}

/// Differs: a negative epoch is refused as not an integer in range; the reference takes it for an enormous one and keeps it for good.
fn is_master_down(args: &[Bytes], asker: Option<&str>) -> Result<SentinelCommand, CommandError> {
    let port = parse_integer(&args[3]).ok_or(CommandError::NotInteger)?;
    let epoch = parse_integer(&args[4]).and_then(|epoch| u64::try_from(epoch).ok());
    Ok(SentinelCommand::IsMasterDown {
        host: text(&args[2]),
        port,
        epoch: Epoch(epoch.ok_or(CommandError::NotInteger)?),
        candidate: (args[5] != "*").then(|| text(&args[5]).into()),
        asker: asker.map(str::to_owned),
    })
}

fn monitor(args: &[Bytes]) -> Result<SentinelCommand, CommandError> {
    let quorum = parse_integer(&args[5]).ok_or(CommandError::InvalidQuorum)?;
    let port = parse_integer(&args[4]).ok_or(CommandError::InvalidPort)?;
    Ok(SentinelCommand::Monitor { name: name(&args[2]), host: text(&args[3]), port, quorum })
}

/// Differs: several patterns or pairs are accepted, as releases from 7.2 on do.
fn config(args: &[Bytes]) -> Result<SentinelCommand, CommandError> {
    let rest = &args[3..];
    if args[2].eq_ignore_ascii_case(b"get") && !rest.is_empty() {
        return Ok(SentinelCommand::ConfigGet(texts(rest)));
    }
    if !args[2].eq_ignore_ascii_case(b"set") || rest.len() < 2 {
        return Err(CommandError::ConfigShape);
    }
    let (pairs, odd) = rest.as_chunks::<2>();
    if let [name] = odd {
        return Err(CommandError::ConfigMissingValue(Bytes::copy_from_slice(name)));
    }
    Ok(SentinelCommand::ConfigSet(pairs.iter().map(|[name, value]| (text(name), value.to_vec())).collect()))
}

/// Compat: what two commands take for a name ends at its first NUL.
fn name(word: &[u8]) -> String {
    text(words::until_nul(word))
}

fn text(word: &[u8]) -> String {
    lossless::text_of(word).into_owned()
}

fn texts(words: &[Bytes]) -> Vec<String> {
    words.iter().map(|word| text(word)).collect()
}

fn raw(words: &[Bytes]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Parsed, CommandError> {
        let args: Vec<Bytes> = line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        let naming = Naming::default();
        parse(naming.lookup(&args)?, &args, &naming, Some("sentinel-01234567-cmd"))
    }

    fn sentinel(line: &str) -> SentinelCommand {
        match run(line) {
            Ok(Parsed::Engine(Command::Sentinel(command))) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refused(line: &str, expected: CommandError) {
        assert_eq!(run(line), Err(expected), "{line}");
    }

    #[test]
    fn existence_comes_before_arity_before_syntax() {
        refused("POST /", CommandError::Http);
        refused("host: x", CommandError::Http);
        refused("sentinel", CommandError::WrongArity("sentinel"));
        refused("SENTINEL masters x", CommandError::WrongArity("sentinel|masters"));
        refused("ping a b", CommandError::WrongArity("ping"));
        refused("role x", CommandError::WrongArity("role"));
        refused("publish x y", CommandError::NotHello);
        assert!(matches!(run("config get x"), Err(CommandError::UnknownCommand { .. })));
        assert!(matches!(run("quit"), Err(CommandError::UnknownCommand { .. })));
        assert!(matches!(run("sentinel|masters"), Err(CommandError::UnknownCommand { .. })));
        refused("client setinfo a b", CommandError::unknown_subcommand(b"CLIENT", b"setinfo"));
        refused("COMMAND foo", CommandError::unknown_subcommand(b"command", b"foo"));
    }

    #[test]
    fn plain_commands() {
        assert_eq!(run("PiNg"), Ok(Parsed::Engine(Command::Ping)));
        assert_eq!(run("ping hi"), Ok(Parsed::Engine(Command::Ping)));
        assert_eq!(run("info server x"), Ok(Parsed::Engine(Command::Info)));
        assert_eq!(run("role"), Ok(Parsed::Engine(Command::Role)));
        assert_eq!(run("publish __sentinel__:hello junk"), Ok(Parsed::Engine(Command::Publish(None))));
        let hello = run("publish __sentinel__:hello h,1,id,0,m,h,2,0");
        assert!(matches!(hello, Ok(Parsed::Engine(Command::Publish(Some(_))))));
        for line in [
            "auth x",
            "hello",
            "hello 3",
            "client id",
            "acl whoami",
            "shutdown",
            "subscribe a",
            "acl",
            "client",
        ] {
            let expected = if matches!(line, "acl" | "client") { Err(()) } else { Ok(Parsed::Session) };
            assert_eq!(run(line).map_err(|_| ()), expected, "{line}");
        }
    }

    #[test]
    fn questions_of_peers() {
        let ask = |line: &str| sentinel(&format!("sentinel is-master-down-by-addr {line}"));
        let expected = |epoch, candidate: Option<&str>| SentinelCommand::IsMasterDown {
            host: "10.0.0.1".into(),
            port: 6379,
            epoch: Epoch(epoch),
            candidate: candidate.map(Into::into),
            asker: Some("sentinel-01234567-cmd".into()),
        };
        assert_eq!(ask("10.0.0.1 6379 0 *"), expected(0, None));
        assert_eq!(ask("10.0.0.1 6379 7 abc"), expected(7, Some("abc")));
        for bad in ["x 0", "6379 x", "6379 -1", "6379 9223372036854775808", "06379 0"] {
            refused(&format!("sentinel is-master-down-by-addr 10.0.0.1 {bad} *"), CommandError::NotInteger);
        }
    }

    #[test]
    fn changes() {
        let monitor =
            SentinelCommand::Monitor { name: "m".into(), host: "h".into(), port: 99999, quorum: -3 };
        assert_eq!(sentinel("sentinel monitor m h 99999 -3"), monitor);
        refused("sentinel monitor m h c d", CommandError::InvalidQuorum);
        refused("sentinel monitor m h c 1", CommandError::InvalidPort);
        let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        assert_eq!(sentinel("sentinel config set a 1"), SentinelCommand::ConfigSet(vec![pair("a", "1")]));
        assert_eq!(
            sentinel("sentinel CONFIG SET a 1 b 2"),
            SentinelCommand::ConfigSet(vec![pair("a", "1"), pair("b", "2")])
        );
        assert_eq!(
            sentinel("sentinel config get a* b"),
            SentinelCommand::ConfigGet(vec!["a*".into(), "b".into()])
        );
        for shape in ["get", "set a", "foo a", "foo a b"] {
            refused(&format!("sentinel config {shape}"), CommandError::ConfigShape);
        }
        refused("sentinel config set a 1 b", CommandError::ConfigMissingValue("b".into()));
        let words = vec![b"quorum".to_vec(), b"2".to_vec()];
        assert_eq!(sentinel("sentinel set m quorum 2"), SentinelCommand::Set { name: "m".into(), words });
        assert_eq!(sentinel("sentinel debug"), SentinelCommand::Debug(vec![]));
        assert_eq!(sentinel("sentinel slaves m"), SentinelCommand::Replicas("m".into()));
    }

    #[test]
    fn every_command_is_read_without_panic() {
        for spec in super::super::table::all_commands() {
            for extra in 0..8 {
                let mut args: Vec<Bytes> = spec.name.split('|').map(Bytes::from).collect();
                args.extend(std::iter::repeat_n(Bytes::from_static(b"\xff\0"), extra));
                if let Ok(found) = Naming::default().lookup(&args) {
                    let _ = parse(found, &args, &Naming::default(), None);
                }
            }
        }
    }
}
