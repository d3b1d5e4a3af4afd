//! The HELP answers of the containers (spec 3 §3.4.2).
//!
//! The syntax lines and the number of lines are those of the reference 7.0.15. Differs: the descriptions are in words of our own, as
//! they are for people, and no program reads them.

use super::value::Value;

/// The help of one container: per subcommand the syntax and the lines that describe it.
pub struct Help {
    topics: &'static [(&'static str, &'static [&'static str])],
}

/// The answer, `container` being its name as it was typed: status lines, descriptions indented.
pub fn render(container: &[u8], help: &Help) -> Value {
    let container = String::from_utf8_lossy(container).to_ascii_uppercase();
    let mut lines =
        vec![Value::status(format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"))];
    for (syntax, description) in help.topics {
        lines.push(Value::status(*syntax));
        lines.extend(description.iter().map(|line| Value::status(format!("    {line}"))));
    }
    lines.push(Value::status("HELP"));
    lines.push(Value::status("    Shows these lines."));
    Value::Array(lines)
}

/// SENTINEL HELP.
pub static SENTINEL: &Help = &Help {
    topics: &[
        (
            "CKQUORUM <master-name>",
            &[
                "Tells whether the Sentinels in reach are enough for the quorum of this",
                "master, and enough for the majority that a failover takes. Good for",
                "checking a deployment from a monitoring system.",
            ],
        ),
        ("CONFIG SET <param> <value>", &["Changes a setting of this Sentinel."]),
        ("CONFIG GET <param>", &["Shows the settings of this Sentinel that match a pattern."]),
        (
            "DEBUG [<param> <value> ...]",
            &[
                "Shows the timing parameters, in milliseconds, or changes",
                "the given ones until the next restart.",
            ],
        ),
        ("GET-MASTER-ADDR-BY-NAME <master-name>", &["Tells where the master is: host and port."]),
        (
            "FAILOVER <master-name>",
            &[
                "Promotes a replica of this master now, whether or not the master is up",
                "and without asking other Sentinels.",
            ],
        ),
        (
            "FLUSHCONFIG",
            &[
                "Writes the configuration file anew from what is in memory,",
                "for when the file was lost or damaged.",
            ],
        ),
        (
            "INFO-CACHE <master-name>",
            &["Shows the last INFO text of the master and of each of its replicas."],
        ),
        (
            "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
            &[
                "Tells another Sentinel whether this one finds the master at that address down,",
                "and votes, unless the run id is '*'.",
            ],
        ),
        ("MASTER <master-name>", &["Shows everything known about a master."]),
        ("MASTERS", &["Shows everything known about each master."]),
        ("MONITOR <name> <ip> <port> <quorum>", &["Starts to monitor a master under this name."]),
        ("MYID", &["Shows the id of this Sentinel."]),
        ("PENDING-SCRIPTS", &["Shows the scripts that are running or queued."]),
        ("REMOVE <master-name>", &["Stops to monitor a master."]),
        ("REPLICAS <master-name>", &["Shows everything known about the replicas of a master."]),
        (
            "RESET <pattern>",
            &["Forgets replicas, Sentinels and failovers of the masters whose name matches."],
        ),
        ("SENTINELS <master-name>", &["Shows everything known about the other Sentinels of a master."]),
        ("SET <master-name> <option> <value> [<option> <value> ...]", &["Changes settings of a master."]),
        (
            "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
            &["Makes this Sentinel crash at that point of its next failover."],
        ),
    ],
};

/// CLIENT HELP.
pub static CLIENT: &Help = &Help {
    topics: &[
        ("CACHING (YES|NO)", &["Opts the next command in to or out of client-side caching."]),
        ("GETREDIR", &["Shows the id of the client that invalidations are sent to."]),
        ("GETNAME", &["Shows the name of this connection."]),
        ("ID", &["Shows the id of this connection."]),
        ("INFO", &["Describes this connection."]),
        ("KILL <ip:port>", &["Closes the connection from this address."]),
        (
            "KILL <option> <value> [<option> <value> [...]]",
            &[
                "Closes all connections that have every given property:",
                "* ADDR <ip:port>",
                "  Comes from this address",
                "* LADDR <ip:port>",
                "  Came to this address of ours",
                "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                "  Is of this type",
                "* USER <username>",
                "  Is logged in as this user",
                "* SKIPME (YES|NO)",
                "  Whether to spare this very connection (yes by default)",
            ],
        ),
        (
            "LIST [options ...]",
            &[
                "Describes the open connections, all or those of:",
                "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                "  This type",
            ],
        ),
        ("UNPAUSE", &["Ends a pause."]),
        (
            "PAUSE <timeout> [WRITE|ALL]",
            &["Holds back all commands, or just writing ones, for so many milliseconds."],
        ),
        ("REPLY (ON|OFF|SKIP)", &["Decides whether commands of this connection are answered."]),
        ("SETNAME <name>", &["Names this connection."]),
        ("UNBLOCK <clientid> [TIMEOUT|ERROR]", &["Wakes a client out of a blocking command."]),
        (
            "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
            &["Turns support for client-side", "caching on or off."],
        ),
        ("TRACKINGINFO", &["Shows the state of support for client-side caching."]),
        ("NO-EVICT (ON|OFF)", &["Spares this connection when clients are dropped for memory."]),
    ],
};

/// ACL HELP.
pub static ACL: &Help = &Help {
    topics: &[
        ("CAT [<category>]", &["Names the categories of commands,", "or the commands of one category."]),
        ("DELUSER <username> [<username> ...]", &["Deletes users."]),
        ("DRYRUN <username> <command> [<arg> ...]", &["Tells whether the user could run the command."]),
        ("GETUSER <username>", &["Shows the rules of a user."]),
        ("GENPASS [<bits>]", &["Makes up a password of 256 bits,", "or of as many as wanted."]),
        ("LIST", &["Shows the users as they stand in an ACL file."]),
        ("LOAD", &["Reads the users from the ACL file again."]),
        ("LOG [<count> | RESET]", &["Shows the latest refusals, or forgets them."]),
        ("SAVE", &["Writes the users to the ACL file."]),
        ("SETUSER <username> <attribute> [<attribute> ...]", &["Creates or changes a user."]),
        ("USERS", &["Names the users."]),
        ("WHOAMI", &["Names the user of this connection."]),
    ],
};

/// COMMAND HELP.
pub static COMMAND: &Help = &Help {
    topics: &[
        ("(no subcommand)", &["Describes all commands."]),
        ("COUNT", &["Counts the commands."]),
        ("LIST", &["Names the commands."]),
        (
            "INFO [<command-name> ...]",
            &["Describes the given commands: arity, flags, categories.", "Without names:", "describes all."],
        ),
        (
            "DOCS [<command-name> ...]",
            &["Documents the given commands: summary, release, group.", "Without names:", "documents all."],
        ),
        ("GETKEYS <full-command>", &["Picks the keys out of a command line."]),
        (
            "GETKEYSANDFLAGS <full-command>",
            &["Picks the keys out of a command line, with how they are used."],
        ),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_help_has_as_many_lines_as_the_reference() {
        for (help, expected) in [(SENTINEL, 49), (CLIENT, 48), (ACL, 29), (COMMAND, 21)] {
            let Value::Array(lines) = render(b"client", help) else { panic!("help is an array") };
            assert_eq!(lines.len(), expected, "{}", help.topics[0].0);
        }
    }
}
