//! The process title, which `ps` and whatever reads `/proc/PID/cmdline` show (spec 1 §6.8).
//!
//! The kernel shows a piece of the stack in which it put the words of the command line. It is asked, through `/proc/self/mem`, to put
//! other bytes there. Nothing else lies in that piece, and std, which copies from it whenever it is asked for the words, is asked for
//! them before. What can't be done is left: the title then stays the command line.

use std::fs::{File, OpenOptions, read, read_to_string};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use tracing::trace;

use crate::conf::ServerSettings;

/// Sets the title that the settings ask for. `program` is `argv[0]` as typed.
///
/// Differs: a title that is longer than the command line is not set. The reference moves the environment out of its way.
pub fn set(settings: &ServerSettings, program: &str, config_path: &str) {
    if !settings.set_proc_title {
        return;
    }
    match write(expand(settings, program, config_path).as_bytes()) {
        Ok(true) => {}
        Ok(false) => trace!("The process title is longer than the command line, and is not set"),
        Err(error) => trace!("The process title is not set: {}", super::strerror::strerror(&error)),
    }
}

/// The template with its variables replaced; it was checked when it was read.
fn expand(settings: &ServerSettings, program: &str, config_path: &str) -> String {
    let mut title = String::new();
    let mut rest = settings.proc_title_template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        title.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            title.push('{');
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        title.push_str(&variable(name, settings, program, config_path));
        rest = after;
    }
    title.push_str(rest);
    title.trim_matches(' ').to_owned()
}

fn variable(name: &str, settings: &ServerSettings, program: &str, config_path: &str) -> String {
    let socket = || settings.unix_socket.clone().unwrap_or_default();
    match name {
        "title" => program.to_owned(),
        "listen-addr" => {
            let port = settings.main_port();
            match settings.bind.first() {
                _ if port == 0 => format!("unixsocket:{}", socket()),
                Some(address) => format!("{address}:{port}"),
                None => format!("*:{port}"),
            }
        }
        "server-mode" => "[sentinel]".to_owned(),
        "config-file" => config_path.to_owned(),
        "port" => settings.port.to_string(),
        "tls-port" => settings.tls.port.to_string(),
        _ => socket(),
    }
}

/// Puts a title where the command line is; false if there is not enough room.
fn write(title: &[u8]) -> io::Result<bool> {
    let place = place_of_words()?;
    let mut words = read("/proc/self/cmdline")?;
    if title.len() >= words.len() {
        return Ok(false);
    }
    let memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
    check(&memory, &place, &words)?;
    words.fill(0);
    words[..title.len()].copy_from_slice(title);
    memory.write_all_at(&words, place.start)?;
    Ok(true)
}

/// Where the kernel put the words of the command line: the fields 48 and 49 of `/proc/self/stat`.
fn place_of_words() -> io::Result<Range<u64>> {
    let stat = read_to_string("/proc/self/stat")?;
    // The second field, the name of the program, ends with the last parenthesis, and may hold anything.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut numbers = fields.split_ascii_whitespace().skip(48 - 3).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(start)), Some(Ok(end))) => Ok(start..end),
        _ => Err(io::Error::other("the place of the command line is unknown")),
    }
}

/// Only what is the command line beyond doubt is written to.
fn check(memory: &File, place: &Range<u64>, words: &[u8]) -> io::Result<()> {
    let mut there = vec![0; words.len()];
    memory.read_exact_at(&mut there, place.start)?;
    let length = u64::try_from(words.len()).unwrap_or(u64::MAX);
    if there != words || place.end.checked_sub(place.start) != Some(length) {
        return Err(io::Error::other("the command line is not where it should be"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected titles were recorded from redis-sentinel 7.0.15.
    #[test]
    fn templates_are_expanded_as_the_reference_does() {
        let title = |change: &dyn Fn(&mut ServerSettings)| {
            let mut settings = ServerSettings { bind: Vec::new(), ..ServerSettings::default() };
            change(&mut settings);
            expand(&settings, "/usr/bin/x", "/etc/s.conf")
        };
        assert_eq!(title(&|_| ()), "/usr/bin/x *:26379 [sentinel]");
        assert_eq!(title(&|s| s.bind = vec!["-::1".into(), "*".into()]), "/usr/bin/x -::1:26379 [sentinel]");
        let quiet = |s: &mut ServerSettings| {
            (s.port, s.unix_socket) = (0, Some("/run/s".into()));
        };
        assert_eq!(title(&quiet), "/usr/bin/x unixsocket:/run/s [sentinel]");
        let with = |template: &str| {
            title(&|settings: &mut ServerSettings| settings.proc_title_template = template.to_owned())
        };
        let all = "{title} | {listen-addr} | {server-mode} | {config-file} | {port} | {tls-port} | {unixsocket} end";
        assert_eq!(with(all), "/usr/bin/x | *:26379 | [sentinel] | /etc/s.conf | 26379 | 0 |  end");
        for (template, expected) in [
            ("  x  {port}  ", "x  26379"),
            ("{{port}} {title}", "{port}} /usr/bin/x"),
            ("a{{b", "a{b"),
            ("a}b", "a}b"),
        ] {
            assert_eq!(with(template), expected);
        }
    }

    #[test]
    fn the_command_line_is_found() {
        let place = place_of_words().expect("the kernel tells us our own");
        let words = read("/proc/self/cmdline").expect("our own");
        let memory = File::open("/proc/self/mem").expect("our own");
        check(&memory, &place, &words).expect("it is there");
        assert!(check(&memory, &(place.start + 1..place.end), &words).is_err());
    }
}
