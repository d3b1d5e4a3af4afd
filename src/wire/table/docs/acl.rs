//! Documentation of the ACL subcommands.

use super::{Docs, integer, one_of, string, word};

pub const CAT: Docs =
    Docs::new("server", "6.0.0", "List the ACL categories or the commands inside a category")
        .complexity("O(1) since the categories and commands are a fixed set.")
        .arguments(&[string("categoryname").optional()]);

pub const DELUSER: Docs =
    Docs::new("server", "6.0.0", "Remove the specified ACL users and the associated rules")
        .complexity("O(1) amortized time considering the typical user.")
        .arguments(&[string("username").multiple()]);

pub const DRYRUN: Docs = Docs::new(
    "server",
    "7.0.0",
    "Returns whether the user can execute the given command without executing the command.",
)
.complexity("O(1).")
.arguments(&[string("username"), string("command"), string("arg").optional().multiple()]);

pub const GENPASS: Docs =
    Docs::new("server", "6.0.0", "Generate a pseudorandom secure password to use for ACL users")
        .complexity("O(1)")
        .arguments(&[integer("bits").optional()]);

pub const GETUSER: Docs = Docs::new("server", "6.0.0", "Get the rules for a specific ACL user").complexity("O(N). Where N is the number of password, command and pattern rules that the user has.").history(&[("6.2.0", "Added Pub/Sub channel patterns."), ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule representation.")]).arguments(&[string("username")]);

pub const HELP: Docs =
    Docs::new("server", "6.0.0", "Show helpful text about the different subcommands").complexity("O(1)");

pub const LIST: Docs = Docs::new("server", "6.0.0", "List the current ACL rules in ACL config file format")
    .complexity("O(N). Where N is the number of configured users.");

pub const LOAD: Docs = Docs::new("server", "6.0.0", "Reload the ACLs from the configured ACL file")
    .complexity("O(N). Where N is the number of configured users.");

pub const LOG: Docs = Docs::new("server", "6.0.0", "List latest events denied because of ACLs in place")
    .complexity("O(N) with N being the number of entries shown.")
    .arguments(&[one_of("operation", &[integer("count"), word("reset").token("RESET")]).optional()]);

pub const SAVE: Docs = Docs::new("server", "6.0.0", "Save the current ACL rules in the configured ACL file")
    .complexity("O(N). Where N is the number of configured users.");

pub const SETUSER: Docs = Docs::new("server", "6.0.0", "Modify or create the rules for a specific ACL user")
    .complexity("O(N). Where N is the number of rules provided.")
    .history(&[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and key based permissions."),
    ])
    .arguments(&[string("username"), string("rule").optional().multiple()]);

pub const USERS: Docs = Docs::new("server", "6.0.0", "List the username of all the configured ACL rules")
    .complexity("O(N). Where N is the number of configured users.");

pub const WHOAMI: Docs =
    Docs::new("server", "6.0.0", "Return the name of the user associated to the current connection")
        .complexity("O(1)");
