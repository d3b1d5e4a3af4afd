//! The table of `sentinel` directives: how many arguments each takes, when it is evaluated, how it is written (spec 1 §3.2).

/// When a statement is evaluated: all of one pass before any of the next (spec 1 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// Process-wide settings.
    Global,
    /// `monitor`.
    Monitor,
    /// Everything about one master.
    Master,
}

/// Which directive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names are those of the directives.
pub enum Word {
    MyId,
    DenyScriptsReconfig,
    ResolveHostnames,
    AnnounceHostnames,
    CurrentEpoch,
    AnnounceIp,
    AnnouncePort,
    SentinelUser,
    SentinelPass,
    Monitor,
    DownAfter,
    FailoverTimeout,
    ParallelSyncs,
    NotificationScript,
    ClientReconfigScript,
    AuthPass,
    AuthUser,
    RebootDownAfter,
    ConfigEpoch,
    LeaderEpoch,
    KnownReplica,
    KnownSentinel,
    RenameCommand,
}

/// One directive.
#[derive(Debug)]
pub struct Row {
    /// Which one.
    pub word: Word,
    /// Its name, and after it other names it is read by.
    pub names: &'static [&'static str],
    /// How many arguments it takes: least and most.
    pub arguments: (usize, usize),
    /// When it is evaluated. Those after the global ones name a master first.
    pub pass: Pass,
    /// Its arguments, for error texts.
    pub usage: &'static str,
}

macro_rules! rows {
    ($($word:ident $names:tt $least:literal..=$most:literal $pass:ident $usage:literal;)*) => {
        &[$(Row { word: Word::$word, names: &$names, arguments: ($least, $most), pass: Pass::$pass, usage: $usage },)*]
    };
}

/// Every directive.
pub static TABLE: &[Row] = rows! {
    MyId ["myid"] 1..=1 Global "<id>` with 40 characters";
    DenyScriptsReconfig ["deny-scripts-reconfig"] 1..=1 Global "yes|no`";
    ResolveHostnames ["resolve-hostnames"] 1..=1 Global "yes|no`";
    AnnounceHostnames ["announce-hostnames"] 1..=1 Global "yes|no`";
    CurrentEpoch ["current-epoch"] 1..=1 Global "<epoch>`";
    AnnounceIp ["announce-ip"] 1..=1 Global "<address>`";
    AnnouncePort ["announce-port"] 1..=1 Global "<port>`";
    SentinelUser ["sentinel-user"] 1..=1 Global "<user>`";
    SentinelPass ["sentinel-pass"] 1..=1 Global "<password>`";
    Monitor ["monitor"] 4..=4 Monitor "<name> <host> <port> <quorum>` with a quorum of 1 or more";
    DownAfter ["down-after-milliseconds"] 2..=2 Master "<master> <milliseconds>` with 1 millisecond or more";
    FailoverTimeout ["failover-timeout"] 2..=2 Master "<master> <milliseconds>` with 1 millisecond or more";
    ParallelSyncs ["parallel-syncs"] 2..=2 Master "<master> <count>`";
    NotificationScript ["notification-script"] 2..=2 Master "<master> <path>` with a file that can be executed";
    ClientReconfigScript ["client-reconfig-script"] 2..=2 Master "<master> <path>` with a file that can be executed";
    AuthPass ["auth-pass"] 2..=2 Master "<master> <password>`, quoted if it has blanks";
    AuthUser ["auth-user"] 2..=2 Master "<master> <user>`";
    RebootDownAfter ["master-reboot-down-after-period", "primary-reboot-down-after-period"] 2..=2 Master
        "<master> <milliseconds>` with 0 or more";
    ConfigEpoch ["config-epoch"] 2..=2 Master "<master> <epoch>`";
    LeaderEpoch ["leader-epoch"] 2..=2 Master "<master> <epoch>`";
    KnownReplica ["known-replica", "known-slave"] 3..=3 Master "<master> <host> <port>`";
    KnownSentinel ["known-sentinel"] 3..=4 Master "<master> <host> <port> <run id>` with each run id once";
    RenameCommand ["rename-command"] 3..=3 Master "<master> <command> <new name>` with each command once";
};

impl Row {
    /// The row of a directive.
    pub fn of(word: Word) -> &'static Row {
        &TABLE[word as usize]
    }

    /// The row of a name in any case.
    pub fn find(name: &[u8]) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())))
    }

    /// The name it is written by.
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// What a line should look like, for error texts.
    pub fn expected(&self) -> String {
        format!("`sentinel {} {}", self.name(), self.usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_words() {
        for row in TABLE {
            assert_eq!(Row::of(row.word).word, row.word);
            assert_eq!(
                Row::find(row.name().to_uppercase().as_bytes()).map(|found| found.word),
                Some(row.word)
            );
        }
    }
}
