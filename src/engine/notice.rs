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

/// Bytes of payload that are kept (spec 2 §1.8).
const MAX_PAYLOAD: usize = 1023;

impl Notice {
    /// A message, its payload cut to what the reference carries.
    pub fn new(level: Level, name: &'static str, mut payload: String) -> Self {
        if payload.len() > MAX_PAYLOAD {
            let end = (0..=MAX_PAYLOAD).rev().find(|&at| payload.is_char_boundary(at)).unwrap_or(0);
            payload.truncate(end);
        }
        Notice { level, name, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let kept = |text: String| Notice::new(Level::Notice, "+x", text).payload.len();
        assert_eq!(kept("a".repeat(1_023)), 1_023);
        assert_eq!(kept("a".repeat(2_000)), 1_023);
        assert_eq!(kept("ä".repeat(600)), 1_022);
    }
}
