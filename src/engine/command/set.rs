//! `SENTINEL SET name option value …` (spec 3 §3.4.13).
//!
//! Compat: options are applied one by one; those before a bad one stay applied, have had their events, and are saved.

use std::time::Duration;

use super::{answer_when_saved, find, refuse};
use crate::engine::action::Action;
use crate::engine::cx::Cx;
use crate::engine::fleet::Fleet;
use crate::engine::notice::Level;
use crate::engine::tag::Entity;
use crate::model::{CommandId, MasterId};
use crate::text::lossless;
use crate::text::number::parse_integer;
use crate::text::words::has_control;
use crate::wire::{Answer, ErrorReply};

/// Applies as many options as are good.
pub fn set(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: CommandId,
    name: &str,
    words: &[Vec<u8>],
    runnable: &[Vec<u8>],
) {
    let master = match find(fleet, name) {
        Ok(master) => master,
        Err(error) => return refuse(cx, id, error),
    };
    let mut rest = words;
    let mut applied = 0;
    let mut failure = None;
    while !rest.is_empty() {
        match apply_next(fleet, cx, master, rest, runnable) {
            Ok(used) => {
                rest = &rest[used..];
                applied += 1;
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    let revision = (applied > 0).then(|| cx.ledger.record_master(master));
    cx.touch_master(master);
    match (failure, revision) {
        (None, Some(revision)) => answer_when_saved(cx, id, revision),
        (Some(error), Some(revision)) => {
            let saved = Action::Answer(id, Answer::Error(error.clone()));
            cx.outbox.after(revision, saved, Action::Answer(id, Answer::Error(error)));
        }
        (Some(error), None) => refuse(cx, id, error),
        (None, None) => refuse(cx, id, ErrorReply::SetUnknown { option: String::new() }),
    }
}

/// Applies the first option of `words`; how many words it was.
fn apply_next(
    fleet: &mut Fleet,
    cx: &mut Cx,
    id: MasterId,
    words: &[Vec<u8>],
    runnable: &[Vec<u8>],
) -> Result<usize, ErrorReply> {
    let option = text(&words[0]);
    let lower = option.to_ascii_lowercase();
    let used = if lower == "rename-command" { 3 } else { 2 };
    if words.len() < used {
        return Err(ErrorReply::SetUnknown { option });
    }
    let value = &words[1];
    let invalid = || ErrorReply::SetInvalid { value: text(value), option: option.clone() };
    let number = |least: i64| parse_integer(value).filter(|number| *number >= least).ok_or_else(invalid);
    let mut shown = text(value);
    // Differs: the reference takes control characters, and writes a file with them that it can't read.
    if let Some(bad) = words[1..used].iter().find(|word| has_control(word)) {
        return Err(ErrorReply::SetInvalid { value: text(bad), option });
    }
    let settings = &mut fleet.masters[id].settings;
    match lower.as_str() {
        "down-after-milliseconds" => {
            settings.down_after = millis(number(1)?);
            // A shorter one may put instances down right now.
            cx.touch_master(id);
            cx.touch_all_of(fleet, &fleet.masters[id]);
        }
        "failover-timeout" => settings.failover_timeout = millis(number(1)?),
        "parallel-syncs" => settings.parallel_syncs = i32::try_from(number(1)?).unwrap_or(i32::MAX),
        "quorum" => settings.quorum = u32::try_from(number(1)?).unwrap_or(u32::MAX),
        "master-reboot-down-after-period" | "primary-reboot-down-after-period" => {
            settings.reboot_down_after = Some(millis(number(0)?)).filter(|period| !period.is_zero());
        }
        "notification-script" => {
            settings.notification_script = script(cx, value, runnable, ErrorReply::BadNotificationScript)?;
        }
        "client-reconfig-script" => {
            settings.client_reconfig_script = script(cx, value, runnable, ErrorReply::BadReconfigScript)?;
        }
        "auth-pass" => {
            settings.auth_pass = Some(value.clone()).filter(|pass| !pass.is_empty());
            shown = "******".to_owned();
            reconnect_all(fleet, cx, id);
        }
        "auth-user" => {
            settings.auth_user = Some(value.clone()).filter(|user| !user.is_empty());
            reconnect_all(fleet, cx, id);
        }
        "rename-command" => {
            let new = &words[2];
            if value.is_empty() || new.is_empty() {
                let bad = if value.is_empty() { value } else { new };
                return Err(ErrorReply::SetInvalid { value: text(bad), option });
            }
            settings.renamed_commands.retain(|(old, _)| !old.eq_ignore_ascii_case(&shown));
            if !value.eq_ignore_ascii_case(new) {
                settings.renamed_commands.push((shown.clone(), text(new)));
            }
            shown = format!("{shown} {}", text(new));
        }
        _ => return Err(ErrorReply::SetUnknown { option }),
    }
    fleet.announce(cx, Level::Warning, "+set", Entity::Master(id), &format!(" {option} {shown}"));
    Ok(used)
}

/// A script path: denied unless allowed by the file, unset if empty, else it must be runnable.
fn script(
    cx: &Cx,
    value: &[u8],
    runnable: &[Vec<u8>],
    error: ErrorReply,
) -> Result<Option<String>, ErrorReply> {
    if cx.globals.settings.deny_scripts_reconfig {
        return Err(ErrorReply::ScriptsDenied);
    }
    if value.is_empty() {
        return Ok(None);
    }
    if !runnable.iter().any(|path| path == value) {
        return Err(error);
    }
    Ok(Some(text(value)))
}

/// New credentials only show on new connections (spec 2 §3.6).
fn reconnect_all(fleet: &mut Fleet, cx: &mut Cx, id: MasterId) {
    let master = &fleet.masters[id];
    let replicas = master.replicas.iter().map(|id| fleet.replicas[*id].instance.link);
    let links: Vec<_> = replicas.chain([master.instance.link]).collect();
    for link in links {
        fleet.reset_link(link, cx);
    }
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

fn text(bytes: &[u8]) -> String {
    lossless::text_of(bytes).into_owned()
}
