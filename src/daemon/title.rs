//! The process title, as `ps` shows it (spec 1 §6.8): the words of the command line are written over.
//!
//! The kernel shows the bytes between two addresses of our memory as the command line. They are written through
//! `/proc/self/mem`, by a process that has one thread yet and whose words have all been copied.
//!
//! Invariant: not a byte outside of these addresses is written. What follows them is the environment, which scripts inherit.

use std::fs::{self, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::conf::ServerSettings;

/// Sets the title that the settings ask for; `program` is the first word of the command line, as it was typed.
///
/// Differs: a title longer than the whole command line is not shown at all; the reference makes room by moving the environment.
/// Failure is silent: a process that may not write to itself is no worse a Sentinel.
pub fn set(settings: &ServerSettings, config_file: &str, program: &str) {
    if settings.set_proc_title {
        let title = expand(settings, config_file, program);
        let _ = command_line().and_then(|room| write_over(&room, title.as_bytes()));
    }
}

/// Fills the template in.
fn expand(settings: &ServerSettings, config_file: &str, program: &str) -> String {
    let unix_socket = settings.unix_socket.as_deref().unwrap_or_default();
    let value = |variable: &str| match variable {
        "title" => program.to_owned(),
        "listen-addr" if settings.main_port() == 0 => format!("unixsocket:{unix_socket}"),
        "listen-addr" => {
            let first = settings.bind.first().map_or("*", String::as_str);
            format!("{first}:{}", settings.main_port())
        }
        "server-mode" => "[sentinel]".to_owned(),
        "config-file" => config_file.to_owned(),
        "port" => settings.port.to_string(),
        "tls-port" => settings.tls.port.to_string(),
        "unixsocket" => unix_socket.to_owned(),
        unknown => unreachable!("invariant: the template was checked, {unknown} is no variable"),
    };
    let mut title = String::new();
    let mut rest = settings.proc_title_template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        title += before;
        rest = match after.strip_prefix('{') {
            Some(after) => {
                title.push('{');
                after
            }
            None => {
                let (variable, after) = after.split_once('}').unwrap_or((after, ""));
                title += &value(variable);
                after
            }
        };
    }
    title += rest;
    title.trim_matches(' ').to_owned()
}

/// Where the words of the command line are: fields 48 and 49 of our line in /proc.
fn command_line() -> io::Result<Range<u64>> {
    let line = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, field 2, may contain anything, but no other field has a parenthesis.
    let after_name = line.rsplit(')').next().unwrap_or_default();
    let field = |number: usize| after_name.split_whitespace().nth(number - 3)?.parse::<u64>().ok();
    match (field(48), field(49)) {
        (Some(start), Some(end)) if start < end => Ok(start..end),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Writes a title, and zeros behind it, at least one of them: if the last byte were none, the kernel would read on.
fn write_over(room: &Range<u64>, title: &[u8]) -> io::Result<()> {
    let len = usize::try_from(room.end - room.start).map_err(io::Error::other)?;
    if title.len() >= len {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let mut bytes = title.to_vec();
    bytes.resize(len, 0);
    OpenOptions::new().write(true).open("/proc/self/mem")?.write_all_at(&bytes, room.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(template: &str, change: impl FnOnce(&mut ServerSettings)) -> String {
        let mut settings = ServerSettings {
            port: 26379,
            proc_title_template: template.to_owned(),
            bind: vec!["*".into(), "-::*".into()],
            ..ServerSettings::default()
        };
        change(&mut settings);
        expand(&settings, "/etc/s.conf", "./sentineld")
    }

    #[test]
    fn variables_and_braces_are_filled_in() {
        let usual = "{title} {listen-addr} {server-mode}";
        assert_eq!(expanded(usual, |_| {}), "./sentineld *:26379 [sentinel]");
        assert_eq!(expanded(usual, |s| s.bind.clear()), "./sentineld *:26379 [sentinel]");
        assert_eq!(expanded("{listen-addr}", |s| s.bind = vec!["-::1".into(), "::2".into()]), "-::1:26379");
        assert_eq!(expanded("{listen-addr}", |s| (s.port, s.tls.port) = (0, 7)), "*:7");
        let no_tcp = expanded("{listen-addr}", |s| (s.port, s.unix_socket) = (0, Some("/run/s".into())));
        assert_eq!(no_tcp, "unixsocket:/run/s");
        assert_eq!(
            expanded("{{a} {port} {tls-port} <{unixsocket}> {config-file} ", |_| {}),
            "{a} 26379 0 <> /etc/s.conf"
        );
        assert_eq!(expanded("  {title}  {server-mode} ", |_| {}), "./sentineld  [sentinel]");
    }

    #[test]
    fn the_words_of_this_process_are_found() {
        let room = command_line().expect("a line in /proc");
        let shown = fs::read("/proc/self/cmdline").expect("a line in /proc");
        assert_eq!(room.end - room.start, shown.len() as u64);
        let mut held = vec![0; shown.len()];
        let memory = fs::File::open("/proc/self/mem").expect("our own memory");
        memory.read_exact_at(&mut held, room.start).expect("bytes");
        assert_eq!(held, shown);
        assert!(write_over(&(8..16), b"12345678").is_err(), "no byte is left for the end");
    }
}
