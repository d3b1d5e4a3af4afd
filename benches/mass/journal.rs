//! What the logs of the Sentinels say about each master.
//!
//! Both kinds write the same lines, in UTC here, to the millisecond. Times are microseconds since 1970, as in the farm.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::NaiveDateTime;

use crate::support::Node;

/// A Sentinel's index, and when.
pub type At = (usize, u128);

/// What all Sentinels together said of one master.
#[derive(Default)]
pub struct Story {
    pub subjectively_down: Vec<At>,
    pub objectively_down: Vec<At>,
    /// Candidacies, with their epochs.
    pub tries: Vec<(At, Option<u64>)>,
    pub elected: Vec<At>,
    pub aborted: Vec<(At, String)>,
    /// With the new address.
    pub switched: Vec<(At, String)>,
    /// The epochs of its configuration in the files at the end: one, if all agree.
    pub config_epochs: BTreeSet<u64>,
}

/// What the logs say beside that.
#[derive(Default)]
pub struct Journal {
    pub masters: HashMap<String, Story>,
    /// Votes for oneself beyond the first of each candidacy: elections repeated in a fresh epoch.
    pub repeats: usize,
    /// How many epochs began.
    pub epochs: BTreeSet<u64>,
    /// `+tilt`, Sentinels down, lost lines: what spoils a measurement.
    pub troubles: Vec<String>,
}

impl Journal {
    /// Reads the logs, from a time on, and the files.
    pub fn read(sentinels: &[Node], ids: &[String], from: u128) -> Journal {
        let mut journal = Journal::default();
        for (index, node) in sentinels.iter().enumerate() {
            journal.read_log(index, &node.log_text(), &ids[index], from);
            for line in node.conf_text().lines() {
                let words: Vec<&str> = line.split(' ').collect();
                if let ["sentinel", "config-epoch", name, epoch] = words[..] {
                    let story = journal.masters.entry(name.to_owned()).or_default();
                    story.config_epochs.extend(epoch.parse::<u64>().ok());
                }
            }
        }
        journal
    }

    fn read_log(&mut self, index: usize, log: &str, own_id: &str, from: u128) {
        // A Sentinel that stands for election votes for itself as soon as the vote is saved, in the order of its candidacies.
        let mut waiting: VecDeque<(String, usize)> = VecDeque::new();
        for (at, text) in log.lines().filter_map(parse).filter(|(at, _)| *at >= from) {
            let words: Vec<&str> = text.split(' ').collect();
            let masters = &mut self.masters;
            match words[..] {
                ["+sdown", "master", name, ..] => story(masters, name).subjectively_down.push((index, at)),
                ["+odown", "master", name, ..] => story(masters, name).objectively_down.push((index, at)),
                ["+elected-leader", "master", name, ..] => story(masters, name).elected.push((index, at)),
                ["+switch-master", name, _, _, host, port] => {
                    story(masters, name).switched.push(((index, at), format!("{host}:{port}")));
                }
                ["+try-failover", "master", name, ..] => {
                    let tries = &mut story(masters, name).tries;
                    tries.push(((index, at), None));
                    waiting.push_back((name.to_owned(), tries.len() - 1));
                }
                ["+vote-for-leader", id, epoch] if id == own_id => match waiting.pop_front() {
                    Some((name, place)) => story(masters, &name).tries[place].1 = epoch.parse().ok(),
                    None => self.repeats += 1,
                },
                ["+new-epoch", epoch] => self.epochs.extend(epoch.parse::<u64>().ok()),
                [word, "master", name, ..] if word.starts_with("-failover-abort") => {
                    story(masters, name).aborted.push(((index, at), word.to_owned()));
                }
                ["+tilt", ..] | ["+sdown", "sentinel", ..] => {
                    self.troubles.push(format!("sentinel{index}: {text}"));
                }
                _ if text.contains("lines lost") || text.contains("dropped") => {
                    self.troubles.push(format!("sentinel{index}: {text}"));
                }
                _ => {}
            }
        }
    }
}

fn story<'a>(masters: &'a mut HashMap<String, Story>, name: &str) -> &'a mut Story {
    masters.entry(name.to_owned()).or_default()
}

/// The time and the text of a line: `PID:X 22 Nov 2026 14:00:00.123 # text`.
fn parse(line: &str) -> Option<(u128, &str)> {
    let (_, rest) = line.split_once(' ')?;
    let (time, _) = NaiveDateTime::parse_and_remainder(rest, "%d %b %Y %H:%M:%S%.3f").ok()?;
    let text = rest.splitn(6, ' ').nth(5)?;
    Some((u128::try_from(time.and_utc().timestamp_micros()).ok()?, text))
}
