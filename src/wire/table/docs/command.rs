//! Documentation of the COMMAND subcommands.

use super::{Docs, one_of, pattern, string};

pub const COUNT: Docs =
    Docs::new("server", "2.8.13", "Get total number of Redis commands").complexity("O(1)");

pub const DOCS: Docs = Docs::new("server", "7.0.0", "Get array of specific Redis command documentation")
    .complexity("O(N) where N is the number of commands to look up")
    .arguments(&[string("command-name").optional().multiple()]);

pub const GETKEYS: Docs = Docs::new("server", "2.8.13", "Extract keys given a full Redis command")
    .complexity("O(N) where N is the number of arguments to the command");

pub const GETKEYSANDFLAGS: Docs =
    Docs::new("server", "7.0.0", "Extract keys and access flags given a full Redis command")
        .complexity("O(N) where N is the number of arguments to the command");

pub const HELP: Docs =
    Docs::new("server", "5.0.0", "Show helpful text about the different subcommands").complexity("O(1)");

pub const INFO: Docs = Docs::new(
    "server",
    "2.8.13",
    "Get array of specific Redis command details, or all when no argument is given.",
)
.complexity("O(N) where N is the number of commands to look up")
.history(&[("7.0.0", "Allowed to be called with no argument to get info on all commands.")])
.arguments(&[string("command-name").optional().multiple()]);

pub const LIST: Docs = Docs::new("server", "7.0.0", "Get an array of Redis command names")
    .complexity("O(N) where N is the total number of Redis commands")
    .arguments(&[one_of(
        "filterby",
        &[
            string("module-name").token("MODULE"),
            string("category").token("ACLCAT"),
            pattern("pattern").token("PATTERN"),
        ],
    )
    .token("FILTERBY")
    .optional()]);
