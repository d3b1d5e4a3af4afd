//! `+sdown`-style messages: logged and published on the channel of their name (spec 2 §11).

/// How important a message is, in the reference's four levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `.`: logged only, never published.
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
}

/// A message. The log line is the name, a blank and the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its importance. A `Debug` notice is logged and not published; every other is published whatever the log level.
    pub level: Level,
    /// Its name, which is also its channel.
    pub name: &'static str,
    /// Its text, at most 1,023 bytes.
    pub payload: String,
}
