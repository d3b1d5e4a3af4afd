//! The reference's glob patterns, for names of masters, parameters, channels and commands (spec 3 §3.4.12).
//!
//! Takes time proportional to pattern × text at worst, never more, whatever a client sends.

/// True if `text` matches `pattern` as a whole: `*`, `?`, `[a-z]`, `[^x]`, `\` before any byte taken literally.
pub fn glob_matches(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to resume when a later part fails: just after the last star, one byte further in the text.
    let mut resume: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            resume = Some((p, t));
            continue;
        }
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if let (true, Some(&byte)) = (p < pattern.len(), text.get(t))
            && let Some(next) = match_one(&pattern[p..], byte, ignore_case)
        {
            p += next;
            t += 1;
            continue;
        }
        match resume {
            Some((after_star, from)) if from < text.len() => {
                resume = Some((after_star, from + 1));
                (p, t) = (after_star, from + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one byte against the head of a pattern that is neither empty nor a star; gives the length of that head.
fn match_one(pattern: &[u8], byte: u8, ignore_case: bool) -> Option<usize> {
    let fold = |byte: u8| if ignore_case { byte.to_ascii_lowercase() } else { byte };
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => match_class(class, byte, fold).map(|length| length + 1),
        [b'\\', literal, ..] => (fold(*literal) == fold(byte)).then_some(2),
        [literal, ..] => (fold(*literal) == fold(byte)).then_some(1),
        [] => None,
    }
}

/// Matches a byte against a class, given from behind its `[`. An unclosed class ends with the pattern.
fn match_class(class: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> Option<usize> {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                found |= *literal == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                let (from, to) = (fold(*from), fold(*to));
                found |= (from.min(to)..=from.max(to)).contains(&fold(byte));
                at += 3;
            }
            [literal, ..] => {
                found |= fold(*literal) == fold(byte);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            glob_matches(pattern.as_bytes(), text.as_bytes(), false),
            expected,
            "{pattern:?} on {text:?}"
        );
    }

    #[test]
    fn whole_text_is_matched() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbbc"),
            ("a**c", "ac"),
            ("*b*", "abc"),
            ("?", "x"),
            ("my[a-c]x", "mybx"),
            ("my[^a-c]x", "mydx"),
            ("my[c-a]x", "mybx"),
            ("a\\*b", "a*b"),
            ("[\\]]", "]"),
            ("[ab", "b"),
            ("*aab", "aaaab"),
            ("a\\", "a\\"),
        ] {
            check(pattern, text, true);
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("a*c", "abcd"),
            ("?", ""),
            ("?", "xy"),
            ("[^a]", "a"),
            ("a\\*b", "axb"),
            ("A", "a"),
        ] {
            check(pattern, text, false);
        }
    }

    #[test]
    fn case_can_be_ignored() {
        assert!(glob_matches(b"ANN*[P-T]", b"announce-port", true));
        assert!(!glob_matches(b"ANN*", b"announce-port", false));
    }

    #[test]
    fn many_stars_take_no_longer() {
        let pattern = "a*".repeat(500) + "b";
        assert!(!glob_matches(pattern.as_bytes(), "a".repeat(5000).as_bytes(), false));
    }
}
