//! Host names of instances that were heard of for the first time: each is looked up once before the instance is added, so that it is named,
//! announced and written by its address from the start, as the reference does (spec 2 §12).
//!
//! Nothing else waits for a look-up. News of instances that are known, a newer configuration above all, never comes this way.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::action::Action;
use super::cx::Cx;
use crate::model::MasterId;
use crate::wire::Hello;

/// How many look-ups are remembered; instances remember their own address.
const REMEMBERED: usize = 64;
/// News beyond this many are dropped: they come again, with the next INFO or hello.
const MAX_WAITING: usize = 1_024;

/// What a name is looked up for.
#[derive(Clone, Debug)]
pub enum News {
    /// The INFO of a master lists a replica, on that port.
    Replica(MasterId, u16),
    /// An unknown Sentinel greets.
    Hello(Box<Hello>),
}

impl News {
    /// True if both are about the same instance: the later takes the place of the earlier.
    fn replaces(&self, other: &News) -> bool {
        match (self, other) {
            (News::Replica(master, port), News::Replica(other, other_port)) => {
                (master, port) == (other, other_port)
            }
            (News::Hello(hello), News::Hello(other)) => {
                hello.run_id == other.run_id && hello.master_name == other.master_name
            }
            _ => false,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Names {
    looked_up: VecDeque<(String, Option<IpAddr>)>,
    waiting: Vec<(String, News)>,
}

impl Names {
    /// What the last look-up of a name gave; `None` if it was not looked up of late.
    pub fn known(&self, host: &str) -> Option<Option<IpAddr>> {
        self.looked_up.iter().find(|(known, _)| known.eq_ignore_ascii_case(host)).map(|(_, ip)| *ip)
    }

    /// Looks a name up, and keeps the news until then.
    pub fn wait(&mut self, cx: &mut Cx, host: &str, news: News) {
        let asked = self.waiting.iter().any(|(name, _)| name == host);
        self.waiting.retain(|(name, old)| name != host || !news.replaces(old));
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push((host.to_owned(), news));
        }
        if !asked {
            cx.outbox.push(Action::Resolve(host.to_owned()));
        }
    }

    /// A look-up is over; the news that waited for it.
    pub fn learn(&mut self, host: &str, ip: Option<IpAddr>) -> Vec<News> {
        self.looked_up.retain(|(known, _)| known != host);
        self.looked_up.push_front((host.to_owned(), ip));
        self.looked_up.truncate(REMEMBERED);
        let (due, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(name, _)| name == host);
        self.waiting = waiting;
        let due: Vec<(String, News)> = due;
        due.into_iter().map(|(_, news)| news).collect()
    }
}
