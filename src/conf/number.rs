//! Numbers as configuration files write them: strict for generic directives, as lenient as C for `sentinel` ones.
//!
//! Does not know which directive wants which. Nothing here overflows: what does not fit is the nearest number that does.

use crate::text::number::{lenient_integer, lenient_unsigned};

/// Bytes with an optional unit (spec 1 §2.3); no digits at all count as zero.
pub fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit: u64 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    Some(saturating(&text[..digits], 10).saturating_mul(unit))
}

/// The shortest exact form with a unit (spec 1 §5.3).
pub fn memory_text(bytes: u64) -> String {
    for (unit, suffix) in [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")] {
        if bytes > 0 && bytes.is_multiple_of(unit) {
            return format!("{}{suffix}", bytes / unit);
        }
    }
    bytes.to_string()
}

/// An octal number as `strtol` reads it: blanks and a sign may come first, nothing may follow.
pub fn octal(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if !digits.iter().all(|byte| matches!(byte, b'0'..=b'7')) {
        return None;
    }
    let value = i64::try_from(saturating(digits, 8)).unwrap_or(i64::MAX);
    Some(if negative { -value } else { value })
}

/// C's `atoi`: what leading digits say, zero without any (spec 1 §3.1). Differs: saturates at 32 bits instead of wrapping around.
pub fn lenient(text: &[u8]) -> i32 {
    lenient_integer(text).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// As [`lenient`], in 64 bits. Differs: the reference reads 32 of them where SENTINEL SET and MONITOR take 64, and so does not start with
/// what it saved.
pub fn lenient_wide(text: &[u8]) -> i64 {
    lenient_integer(text)
}

/// C's `strtoull`, for epochs. Differs: a negative number is zero, not the largest epoch there is.
pub fn lenient_u64(text: &[u8]) -> u64 {
    lenient_unsigned(text)
}

/// Skips blanks and a sign; tells whether it was a minus.
fn sign(text: &[u8]) -> (bool, &[u8]) {
    let text = text.trim_ascii_start();
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn saturating(digits: &[u8], base: u64) -> u64 {
    digits
        .iter()
        .fold(0, |value: u64, digit| value.saturating_mul(base).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_sizes() {
        for (text, expect) in
            [("", 0), ("k", 0), ("1b", 1), ("2K", 2000), ("1kb", 1024), ("1m", 1_000_000), ("1Gb", 1 << 30)]
        {
            assert_eq!(memory(text.as_bytes()), Some(expect), "{text}");
        }
        assert_eq!(memory(b"99999999999999999999999"), Some(u64::MAX));
        for text in ["-1", "1.5gb", "1 gb", "1tb", "x"] {
            assert_eq!(memory(text.as_bytes()), None, "{text}");
        }
        for (bytes, text) in
            [(0, "0"), (1, "1"), (4096, "4kb"), (1536 << 20, "1536mb"), (1 << 31, "2gb"), (1000, "1000")]
        {
            assert_eq!(memory_text(bytes), text);
        }
    }

    #[test]
    fn lenient_numbers_saturate() {
        for (text, expect) in
            [("3000x", 3000), ("abc", 0), (" -5", -5), ("99999999999", i32::MAX), ("-99999999999", i32::MIN)]
        {
            assert_eq!(lenient(text.as_bytes()), expect, "{text}");
        }
        assert_eq!(lenient_wide(b"99999999999x"), 99_999_999_999);
        assert_eq!(lenient_u64(b"-1"), 0);
        assert_eq!(lenient_u64(b"99999999999999999999999"), u64::MAX);
        assert_eq!(lenient_u64(b"12 x"), 12);
        assert_eq!(octal(b"0700"), Some(0o700));
        assert_eq!(octal(b" +7"), Some(7));
        assert_eq!(octal(b"-1"), Some(-1));
        assert_eq!(octal(b"8"), None);
    }
}
