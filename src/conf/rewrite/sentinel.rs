//! The `sentinel` lines for the settings in force, in the reference's order (spec 1 §5.4).

use std::borrow::Cow;
use std::time::Duration;

use super::layout::{Line, sentinel_key};
use crate::conf::sentinel::{Row, Word};
use crate::conf::settings::{MasterSettings, SentinelSettings};
use crate::text::lossless::bytes_of;
use crate::text::words::{push_quoted, repr};

/// Gives every line to `put`.
pub(in crate::conf) fn sentinel_lines<'m>(
    sentinel: &SentinelSettings,
    masters: impl IntoIterator<Item = &'m MasterSettings>,
    mut put: impl FnMut(Line),
) {
    let defaults = SentinelSettings::initial();
    if let Some(id) = &sentinel.my_id {
        put(line(Word::MyId, &[&bytes_of(id.as_str())]));
    }
    for (word, value, default) in [
        (Word::DenyScriptsReconfig, sentinel.deny_scripts_reconfig, defaults.deny_scripts_reconfig),
        (Word::ResolveHostnames, sentinel.resolve_hostnames, defaults.resolve_hostnames),
        (Word::AnnounceHostnames, sentinel.announce_hostnames, defaults.announce_hostnames),
    ] {
        let text: &[u8] = if value { b"yes" } else { b"no" };
        put(Line { force: value != default, ..line(word, &[text]) });
    }
    for master in masters {
        master_lines(master, &mut put);
    }
    put(line(Word::CurrentEpoch, &[sentinel.current_epoch.to_string().as_bytes()]));
    if let Some(ip) = &sentinel.announce_ip {
        // Compat: the one `sentinel` value that is always quoted.
        let text = format!("sentinel announce-ip {}", repr(&bytes_of(ip))).into_bytes();
        put(Line { text, ..line(Word::AnnounceIp, &[]) });
    }
    if let Some(port) = sentinel.announce_port {
        put(line(Word::AnnouncePort, &[port.to_string().as_bytes()]));
    }
    for (word, value) in
        [(Word::SentinelUser, &sentinel.sentinel_user), (Word::SentinelPass, &sentinel.sentinel_pass)]
    {
        if let Some(value) = value {
            put(line(word, &[value]));
        }
    }
}

/// What is worth a line for one master: options at their defaults are not.
///
/// Differs: the default is the one that the next start will assume. The reference leaves out what equals the defaults set by
/// SENTINEL DEBUG, which is then lost.
fn master_lines(master: &MasterSettings, put: &mut impl FnMut(Line)) {
    let name = bytes_of(master.name.as_str());
    let mut emit = |word: Word, values: &[&[u8]]| {
        put(line(word, &[&[&name[..]], values].concat()));
    };
    let decimal = |number: u64| number.to_string().into_bytes();
    let milliseconds = |time: Duration| time.as_millis().to_string().into_bytes();
    let quorum = decimal(master.quorum.into());
    emit(Word::Monitor, &[&bytes_of(&master.host), &decimal(master.port.into()), &quorum]);
    if master.down_after != MasterSettings::DEFAULT_DOWN_AFTER {
        emit(Word::DownAfter, &[&milliseconds(master.down_after)]);
    }
    if master.failover_timeout != MasterSettings::DEFAULT_FAILOVER_TIMEOUT {
        emit(Word::FailoverTimeout, &[&milliseconds(master.failover_timeout)]);
    }
    if master.parallel_syncs != 1 {
        emit(Word::ParallelSyncs, &[master.parallel_syncs.to_string().as_bytes()]);
    }
    for (word, value) in [
        (Word::NotificationScript, master.notification_script.as_deref().map(bytes_of)),
        (Word::ClientReconfigScript, master.client_reconfig_script.as_deref().map(bytes_of)),
        (Word::AuthPass, master.auth_pass.as_deref().map(Cow::Borrowed)),
        (Word::AuthUser, master.auth_user.as_deref().map(Cow::Borrowed)),
    ] {
        if let Some(value) = value {
            emit(word, &[&value]);
        }
    }
    if let Some(time) = master.reboot_down_after {
        emit(Word::RebootDownAfter, &[&milliseconds(time)]);
    }
    emit(Word::ConfigEpoch, &[&decimal(master.config_epoch.0)]);
    emit(Word::LeaderEpoch, &[&decimal(master.leader_epoch.0)]);
    for (host, port) in &master.replicas {
        emit(Word::KnownReplica, &[&bytes_of(host), &decimal((*port).into())]);
    }
    for peer in &master.peers {
        let run_id = bytes_of(peer.run_id.as_str());
        emit(Word::KnownSentinel, &[&bytes_of(&peer.host), &decimal(peer.port.into()), &run_id]);
    }
    for (old, new) in &master.renamed_commands {
        emit(Word::RenameCommand, &[&bytes_of(old), &bytes_of(new)]);
    }
}

/// A line to be written in any case. The first value of a master's directive is the name of the master.
fn line(word: Word, values: &[&[u8]]) -> Line {
    let row = Row::of(word);
    let mut text = [b"sentinel ", row.name().as_bytes()].concat();
    for value in values {
        text.push(b' ');
        push_quoted(&mut text, value);
    }
    Line { key: sentinel_key(row, values.first().unwrap_or(&&b""[..])), text, force: true }
}
