//! Glob patterns as Redis has them: `*`, `?`, `[a-z]`, `[^x]` and `\` (spec 3 §3.4.12).

/// True if all of `text` matches `pattern`, case-sensitively. Time is bounded by the product of the lengths.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut pos) = (0, 0);
    // Where to go on after the last `*`, should the rest fail: one more byte belongs to the star then.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, pos));
            continue;
        }
        let step = match (at < pattern.len(), text.get(pos)) {
            (false, None) => return true,
            (true, Some(byte)) => one(&pattern[at..], *byte),
            _ => None,
        };
        match (step, retry) {
            (Some(used), _) => {
                at += used;
                pos += 1;
            }
            (None, Some((star, begin))) if begin < text.len() => {
                retry = Some((star, begin + 1));
                (at, pos) = (star, begin + 1);
            }
            _ => return false,
        }
    }
}

/// How many bytes of the pattern match this one byte, if they do.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', ..] => class(pattern, byte),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// `[…]`; a class that is not closed goes on to the end of the pattern.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    while at < pattern.len() && pattern[at] != b']' {
        match &pattern[at..] {
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= *literal == byte;
                at += 1;
            }
            [] => break,
        }
    }
    (found != negated).then_some((at + 1).min(pattern.len()))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_redis() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expect, "{pattern} {text}");
        };
        check("*", "", true);
        check("*", "anything", true);
        check("my*", "mymaster", true);
        check("my*r", "mymaster", true);
        check("*a*e*", "mymaster", true);
        check("m?master", "mymaster", true);
        check("m?master", "mmaster", false);
        check("[a-n]ymaster", "mymaster", true);
        check("[^m]ymaster", "mymaster", false);
        check("\\*", "*", true);
        check("\\*", "x", false);
        check("", "", true);
        check("", "x", false);
        check("[abc", "c", true);
        check("MY*", "mymaster", false);
    }

    #[test]
    fn many_stars_stay_quick() {
        let pattern = b"*a".repeat(50);
        assert!(!matches(&pattern, &b"a".repeat(49)));
    }
}
