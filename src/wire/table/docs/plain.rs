//! Documentation of the commands themselves, containers included.

use super::{Docs, block, integer, one_of, pattern, string, word};

pub const ACL: Docs = Docs::new("server", "6.0.0", "A container for Access List Control commands ")
    .complexity("Depends on subcommand.");

pub const AUTH: Docs = Docs::new("connection", "1.0.0", "Authenticate to the server")
    .complexity("O(N) where N is the number of passwords defined for the user")
    .history(&[("6.0.0", "Added ACL style (username and password).")])
    .arguments(&[string("username").since("6.0.0").optional(), string("password")]);

pub const CLIENT: Docs = Docs::new("connection", "2.4.0", "A container for client connection commands")
    .complexity("Depends on subcommand.");

pub const COMMAND: Docs = Docs::new("server", "2.8.13", "Get array of Redis command details")
    .complexity("O(N) where N is the total number of Redis commands");

pub const HELLO: Docs = Docs::new("connection", "6.0.0", "Handshake with Redis").complexity("O(1)").history(&[("6.2.0", "`protover` made optional; when called without arguments the command reports the current connection's context.")]).arguments(&[block("arguments", &[integer("protover"), block("username_password", &[string("username"), string("password")]).token("AUTH").optional(), string("clientname").token("SETNAME").optional()]).optional()]);

pub const INFO: Docs = Docs::new("server", "1.0.0", "Get information and statistics about the server")
    .complexity("O(1)")
    .history(&[("7.0.0", "Added support for taking multiple section arguments.")])
    .arguments(&[string("section").optional().multiple()]);

pub const PING: Docs = Docs::new("connection", "1.0.0", "Ping the server")
    .complexity("O(1)")
    .arguments(&[string("message").optional()]);

pub const PSUBSCRIBE: Docs =
    Docs::new("pubsub", "2.0.0", "Listen for messages published to channels matching the given patterns")
        .complexity("O(N) where N is the number of patterns the client is already subscribed to.")
        .arguments(&[block("pattern", &[pattern("pattern")]).multiple()]);

pub const PUBLISH: Docs = Docs::new("pubsub", "2.0.0", "Post a message to a channel").complexity("O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).").arguments(&[string("channel"), string("message")]);

pub const PUNSUBSCRIBE: Docs = Docs::new("pubsub", "2.0.0", "Stop listening for messages posted to channels matching the given patterns").complexity("O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).").arguments(&[pattern("pattern").optional().multiple()]);

pub const ROLE: Docs =
    Docs::new("server", "2.8.12", "Return the role of the instance in the context of replication")
        .complexity("O(1)");

pub const SENTINEL: Docs =
    Docs::new("sentinel", "2.8.4", "A container for Sentinel commands").complexity("Depends on subcommand.");

pub const SHUTDOWN: Docs = Docs::new(
    "server",
    "1.0.0",
    "Synchronously save the dataset to disk and then shut down the server",
)
.complexity(
    "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
)
.history(&[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")])
.arguments(&[
    one_of("nosave_save", &[word("nosave").token("NOSAVE"), word("save").token("SAVE")]).optional(),
    word("now").token("NOW").since("7.0.0").optional(),
    word("force").token("FORCE").since("7.0.0").optional(),
    word("abort").token("ABORT").since("7.0.0").optional(),
]);

pub const SUBSCRIBE: Docs =
    Docs::new("pubsub", "2.0.0", "Listen for messages published to the given channels")
        .complexity("O(N) where N is the number of channels to subscribe to.")
        .arguments(&[string("channel").multiple()]);

pub const UNSUBSCRIBE: Docs =
    Docs::new("pubsub", "2.0.0", "Stop listening for messages posted to the given channels")
        .complexity("O(N) where N is the number of clients already subscribed to a channel.")
        .arguments(&[string("channel").optional().multiple()]);
