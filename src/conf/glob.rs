//! File name patterns of `include` lines, as the shell understands them. Looks at one name, not at directories.

/// True if a name without slashes matches a pattern of `*`, `?` and `[…]`. A leading dot must be matched by a dot.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    if name.first() == Some(&'.') && pattern.first() != Some(&'.') {
        return false;
    }
    // On a mismatch, the last star takes one character more: earlier stars need never be tried again.
    let (mut at, mut seen) = (0, 0);
    let mut retry = None;
    while seen < name.len() {
        if pattern.get(at) == Some(&'*') {
            at += 1;
            retry = Some((at, seen));
        } else if let Some(after) = match_one(&pattern, at, name[seen]) {
            (at, seen) = (after, seen + 1);
        } else if let Some((star, taken)) = retry {
            (at, seen) = (star, taken + 1);
            retry = Some((star, taken + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

/// Where the pattern goes on if its element at `at` matches the character.
fn match_one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' if at + 1 < pattern.len() => (pattern[at + 1] == character).then_some(at + 2),
        '[' => match class(pattern, at + 1, character) {
            Some((matched, after)) => matched.then_some(after),
            None => (character == '[').then_some(at + 1),
        },
        literal => (literal == character).then_some(at + 1),
    }
}

/// Whether a class that starts at `at` holds the character, and where it ends; `None` if it never ends.
fn class(pattern: &[char], mut at: usize, character: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(at)?, '!' | '^');
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        match *pattern.get(at)? {
            ']' if at > first => return Some((found != negated, at + 1)),
            low => {
                let high = match (pattern.get(at + 1), pattern.get(at + 2)) {
                    (Some('-'), Some(&high)) if high != ']' => {
                        at += 2;
                        high
                    }
                    _ => low,
                };
                found |= (low..=high).contains(&character);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("*", "a"),
            ("a*b*c", "aXbYbZc"),
            ("?.conf", "1.conf"),
            ("[a-c]x[]]", "bx]"),
            ("[!a]", "b"),
            (".*", ".x"),
            ("\\*", "*"),
            ("[a", "[a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*", ".x"), ("a*b", "abc"), ("?", ""), ("[!a]", "a"), ("[a-c]", "d"), ("\\*", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
