//! `SENTINEL CONFIG GET/SET` and `SENTINEL DEBUG` (spec 3 §3.4.14, §3.4.15).

use std::time::Duration;

use super::{answer, answer_when_saved, refuse};
use crate::conf::settings::LogLevel;
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::globals::Tunables;
use crate::model::CommandId;
use crate::text::lossless;
use crate::text::number::parse_integer;
use crate::text::words::has_control;
use crate::wire::glob::glob_matches;
use crate::wire::{Answer, ErrorReply};

/// The parameters, in the order in which GET lists them.
const PARAMETERS: [&str; 7] = [
    "resolve-hostnames",
    "announce-hostnames",
    "announce-ip",
    "announce-port",
    "sentinel-user",
    "sentinel-pass",
    "loglevel",
];

/// `CONFIG GET pattern …`: each parameter once.
pub fn get(cx: &mut Cx, id: CommandId, patterns: &[String]) {
    let settings = &cx.globals.settings;
    let yes_no = |on: bool| if on { b"yes".to_vec() } else { b"no".to_vec() };
    let value = |name: &str| match name {
        "resolve-hostnames" => yes_no(settings.resolve_hostnames),
        "announce-hostnames" => yes_no(settings.announce_hostnames),
        "announce-ip" => lossless::into_bytes(settings.announce_ip.clone().unwrap_or_default()),
        "announce-port" => settings.announce_port.unwrap_or(0).to_string().into_bytes(),
        "sentinel-user" => settings.sentinel_user.clone().unwrap_or_default(),
        "loglevel" => cx.globals.log_level.name().as_bytes().to_vec(),
        _ => settings.sentinel_pass.clone().unwrap_or_default(),
    };
    let mut names: Vec<&'static str> = Vec::new();
    for pattern in patterns {
        let matching = PARAMETERS
            .iter()
            .filter(|name| glob_matches(&lossless::bytes_of(pattern), name.as_bytes(), true));
        for name in matching {
            if !names.contains(name) {
                names.push(name);
            }
        }
    }
    let values = names.into_iter().map(|name| (name, value(name))).collect();
    answer(cx, id, Answer::ConfigValues(values));
}

/// `CONFIG SET param value …`: all are checked before any is applied.
pub fn set(fleet: &mut Fleet, cx: &mut Cx, id: CommandId, pairs: Vec<(String, Vec<u8>)>) {
    if let Some(error) = first_error(&pairs) {
        return refuse(cx, id, error);
    }
    let mut reconnect = false;
    let mut log_level = None;
    for (option, value) in pairs {
        let settings = &mut cx.globals.settings;
        let yes = value.eq_ignore_ascii_case(b"yes");
        let text = lossless::text_of(&value).into_owned();
        match option.to_ascii_lowercase().as_str() {
            "resolve-hostnames" => settings.resolve_hostnames = yes,
            "announce-hostnames" => settings.announce_hostnames = yes,
            "announce-ip" => settings.announce_ip = Some(text),
            "announce-port" => settings.announce_port = text.parse().ok().filter(|port| *port != 0),
            "sentinel-user" => {
                settings.sentinel_user = Some(value).filter(|user| !user.is_empty());
                reconnect = true;
            }
            "loglevel" => log_level = LogLevel::from_name(&value),
            _ => {
                settings.sentinel_pass = Some(value).filter(|pass| !pass.is_empty());
                reconnect = true;
            }
        }
    }
    if reconnect {
        let links: Vec<_> = fleet.peers.iter().map(|(_, peer)| peer.instance.link).collect();
        links.into_iter().for_each(|link| fleet.reset_link(link, cx));
    }
    let masters: Vec<_> = fleet.masters.iter().map(|(id, _)| id).collect();
    masters.into_iter().for_each(|master| fleet.publish_address(master, cx));
    if let Some(level) = log_level {
        cx.globals.log_level = level;
        cx.outbox.push(Action::SetLogLevel(level));
        cx.ledger.record_log_level();
    }
    // Differs: nothing of this is about TLS, but it lets an administrator who can't send signals have new certificates used.
    cx.outbox.push(Action::RereadCertificates);
    cx.ledger.record_globals();
    // How hosts are shown may have changed everywhere.
    let revision = cx.ledger.record_flush();
    answer_when_saved(cx, id, revision);
}

fn first_error(pairs: &[(String, Vec<u8>)]) -> Option<ErrorReply> {
    let mut seen: Vec<String> = Vec::new();
    for (option, value) in pairs {
        let lower = option.to_ascii_lowercase();
        let option = option.clone();
        if !PARAMETERS.contains(&lower.as_str()) {
            return Some(ErrorReply::ConfigUnknown { option });
        }
        if seen.contains(&lower) {
            return Some(ErrorReply::ConfigDuplicate { option });
        }
        let good = match lower.as_str() {
            "resolve-hostnames" | "announce-hostnames" => {
                value.eq_ignore_ascii_case(b"yes") || value.eq_ignore_ascii_case(b"no")
            }
            "announce-port" => parse_integer(value).is_some_and(|port| (0..=65_535).contains(&port)),
            "loglevel" => LogLevel::from_name(value).is_some(),
            _ => true,
        };
        // Differs: the reference takes control characters, and writes a file with them that it can't read.
        if !good || has_control(value) {
            return Some(ErrorReply::ConfigInvalid { value: lossless::text_of(value).into_owned(), option });
        }
        seen.push(lower);
    }
    None
}

/// `DEBUG [param value …]`: applied left to right, never saved.
pub fn debug(fleet: &Fleet, cx: &mut Cx, id: CommandId, words: &[Vec<u8>]) {
    if words.is_empty() {
        let values = table(&mut cx.globals.tunables.clone()).map(|(name, period)| (name, millis(*period)));
        return answer(cx, id, Answer::DebugValues(values.to_vec()));
    }
    // A shorter period may be over already.
    fleet.touch_all(cx);
    for pair in words.chunks(2) {
        let option = lossless::text_of(&pair[0]).into_owned();
        let slot =
            table(&mut cx.globals.tunables).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&option));
        let (Some((_, period)), Some(value)) = (slot, pair.get(1)) else {
            return refuse(cx, id, ErrorReply::DebugUnknown { option });
        };
        match parse_integer(value).filter(|number| *number > 0) {
            Some(number) => *period = Duration::from_millis(number.unsigned_abs()),
            None => {
                let value = lossless::text_of(value).into_owned();
                return refuse(cx, id, ErrorReply::DebugInvalid { value, option });
            }
        }
    }
    answer(cx, id, Answer::Ok);
}

fn millis(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}

/// The names of the periods, in the order in which they are listed (spec 2 §2.2).
fn table(tunables: &mut Tunables) -> [(&'static str, &mut Duration); 13] {
    [
        ("INFO-PERIOD", &mut tunables.info_period),
        ("PING-PERIOD", &mut tunables.ping_period),
        ("ASK-PERIOD", &mut tunables.ask_period),
        ("PUBLISH-PERIOD", &mut tunables.publish_period),
        ("DEFAULT-DOWN-AFTER", &mut tunables.default_down_after),
        ("DEFAULT-FAILOVER-TIMEOUT", &mut tunables.default_failover_timeout),
        ("TILT-TRIGGER", &mut tunables.tilt_trigger),
        ("TILT-PERIOD", &mut tunables.tilt_period),
        ("SLAVE-RECONF-TIMEOUT", &mut tunables.replica_reconf_timeout),
        ("MIN-LINK-RECONNECT-PERIOD", &mut tunables.min_link_reconnect_period),
        ("ELECTION-TIMEOUT", &mut tunables.election_timeout),
        ("SCRIPT-MAX-RUNTIME", &mut tunables.script_max_runtime),
        ("SCRIPT-RETRY-DELAY", &mut tunables.script_retry_delay),
    ]
}
