//! Documentation of the CLIENT subcommands.

use super::{Docs, block, integer, one_of, string, word};

pub const CACHING: Docs =
    Docs::new("connection", "6.0.0", "Instruct the server about tracking or not keys in the next request")
        .complexity("O(1)")
        .arguments(&[one_of("mode", &[word("yes").token("YES"), word("no").token("NO")])]);

pub const GETNAME: Docs =
    Docs::new("connection", "2.6.9", "Get the current connection name").complexity("O(1)");

pub const GETREDIR: Docs =
    Docs::new("connection", "6.0.0", "Get tracking notifications redirection client ID if any")
        .complexity("O(1)");

pub const HELP: Docs =
    Docs::new("connection", "5.0.0", "Show helpful text about the different subcommands").complexity("O(1)");

pub const ID: Docs =
    Docs::new("connection", "5.0.0", "Returns the client ID for the current connection").complexity("O(1)");

pub const INFO: Docs =
    Docs::new("connection", "6.2.0", "Returns information about the current client connection.")
        .complexity("O(1)");

pub const KILL: Docs = Docs::new("connection", "2.4.0", "Kill the connection of a client")
    .complexity("O(N) where N is the number of client connections")
    .history(&[
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        (
            "5.0.0",
            "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
        ),
        ("6.2.0", "`LADDR` option."),
    ])
    .arguments(&[one_of(
        "filter",
        &[
            string("ip:port").deprecated("2.8.12"),
            one_of(
                "new-format",
                &[
                    integer("client-id").token("ID").since("2.8.12").optional(),
                    one_of(
                        "normal_master_slave_pubsub",
                        &[
                            word("normal").token("NORMAL"),
                            word("master").token("MASTER").since("3.2.0"),
                            word("slave").token("SLAVE"),
                            word("replica").token("REPLICA").since("5.0.0"),
                            word("pubsub").token("PUBSUB"),
                        ],
                    )
                    .token("TYPE")
                    .since("2.8.12")
                    .optional(),
                    string("username").token("USER").optional(),
                    string("ip:port").token("ADDR").optional(),
                    string("ip:port").token("LADDR").since("6.2.0").optional(),
                    string("yes/no").token("SKIPME").optional(),
                ],
            )
            .multiple(),
        ],
    )]);

pub const LIST: Docs = Docs::new("connection", "2.4.0", "Get the list of client connections")
    .complexity("O(N) where N is the number of client connections")
    .history(&[
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
    ])
    .arguments(&[
        one_of(
            "normal_master_replica_pubsub",
            &[
                word("normal").token("NORMAL"),
                word("master").token("MASTER"),
                word("replica").token("REPLICA"),
                word("pubsub").token("PUBSUB"),
            ],
        )
        .token("TYPE")
        .since("5.0.0")
        .optional(),
        block("id", &[integer("client-id").multiple()]).token("ID").since("6.2.0").optional(),
    ]);

pub const NO_EVICT: Docs =
    Docs::new("connection", "7.0.0", "Set client eviction mode for the current connection")
        .complexity("O(1)")
        .arguments(&[one_of("enabled", &[word("on").token("ON"), word("off").token("OFF")])]);

pub const PAUSE: Docs =
    Docs::new("connection", "2.9.50", "Stop processing commands from clients for some time")
        .complexity("O(1)")
        .history(&[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")])
        .arguments(&[
            integer("timeout"),
            one_of("mode", &[word("write").token("WRITE"), word("all").token("ALL")])
                .since("6.2.0")
                .optional(),
        ]);

pub const REPLY: Docs = Docs::new("connection", "3.2.0", "Instruct the server whether to reply to commands")
    .complexity("O(1)")
    .arguments(&[one_of(
        "on_off_skip",
        &[word("on").token("ON"), word("off").token("OFF"), word("skip").token("SKIP")],
    )]);

pub const SETNAME: Docs = Docs::new("connection", "2.6.9", "Set the current connection name")
    .complexity("O(1)")
    .arguments(&[string("connection-name")]);

pub const TRACKING: Docs =
    Docs::new("connection", "6.0.0", "Enable or disable server assisted client side caching support")
        .complexity("O(1). Some options may introduce additional complexity.")
        .arguments(&[
            one_of("status", &[word("on").token("ON"), word("off").token("OFF")]),
            integer("client-id").token("REDIRECT").optional(),
            string("prefix").token("PREFIX").optional().multiple().repeated_token(),
            word("bcast").token("BCAST").optional(),
            word("optin").token("OPTIN").optional(),
            word("optout").token("OPTOUT").optional(),
            word("noloop").token("NOLOOP").optional(),
        ]);

pub const TRACKINGINFO: Docs = Docs::new(
    "connection",
    "6.2.0",
    "Return information about server assisted client side caching for the current connection",
)
.complexity("O(1)");

pub const UNBLOCK: Docs = Docs::new(
    "connection",
    "5.0.0",
    "Unblock a client blocked in a blocking command from a different connection",
)
.complexity("O(log N) where N is the number of client connections")
.arguments(&[
    integer("client-id"),
    one_of("timeout_error", &[word("timeout").token("TIMEOUT"), word("error").token("ERROR")]).optional(),
]);

pub const UNPAUSE: Docs = Docs::new("connection", "6.2.0", "Resume processing of clients that were paused")
    .complexity("O(N) Where N is the number of paused clients");
