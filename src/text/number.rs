//! Numbers as text: strict ones from clients, lenient ones from INFO, and doubles as replies show them.
//!
//! Nothing here knows where a number comes from, and nothing here allocates but the text of a double.

/// Reads an integer argument of a command (spec 3 §3.0): an optional minus, digits without leading zeros, in 64 signed bits, nothing
/// else. `-0` is refused too.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if text == b"0" {
        return Some(0);
    }
    if digits.len() > 19 || !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let magnitude = digits.iter().try_fold(0u64, |sum, &digit| match digit {
        b'0'..=b'9' => Some(sum * 10 + u64::from(digit - b'0')),
        _ => None,
    })?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads an unsigned decimal: digits only, at least one, in 64 bits.
pub fn parse_unsigned(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads as much of a number as there is: blanks, a sign, leading digits; 0 if there are none (spec 2 §5.2). Saturates.
pub fn lenient_integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let magnitude = leading_digits(digits);
    if negative {
        0i64.saturating_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).unwrap_or(i64::MAX)
    }
}

/// As [`lenient_integer`], for numbers that are never negative: a minus gives 0.
pub fn lenient_unsigned(text: &[u8]) -> u64 {
    let text = text.trim_ascii_start();
    leading_digits(text.strip_prefix(b"+").unwrap_or(text))
}

fn leading_digits(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0u64, |sum, &digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// A double with up to 17 significant digits and no trailing zeros, the form of C's `%.17g`, which the reference sends.
pub fn format_double(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("the e format always has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a small integer");
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).expect("the exponent is at most 16");
        return trim_zeros(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim_zeros(mantissa), exponent.abs())
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_strictly() {
        for (text, value) in [
            ("0", 0),
            ("-1", -1),
            ("127", 127),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(parse_integer(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            "-0",
            "00",
            "0127",
            "-01",
            "+5",
            " 5",
            "5 ",
            "5.0",
            "1e3",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
            "9999999999999999999",
        ] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn reports_are_read_leniently() {
        assert_eq!(lenient_integer(b"12abc"), 12);
        assert_eq!(lenient_integer(b" -7"), -7);
        assert_eq!(lenient_integer(b"+3"), 3);
        assert_eq!(lenient_integer(b""), 0);
        assert_eq!(lenient_integer(b"abc"), 0);
        assert_eq!(lenient_integer(b"99999999999999999999"), i64::MAX);
        assert_eq!(lenient_integer(b"-99999999999999999999"), i64::MIN);
        assert_eq!(lenient_unsigned(b"-7"), 0);
        assert_eq!(lenient_unsigned(b"18446744073709551615"), u64::MAX);
    }

    #[test]
    fn doubles_have_seventeen_digits() {
        assert_eq!(format_double(387.672), "387.67200000000003");
        assert_eq!(format_double(0.0), "0");
        assert_eq!(format_double(-1.5), "-1.5");
        assert_eq!(format_double(0.001), "0.001");
        assert_eq!(format_double(1e100), "1e+100");
        assert_eq!(format_double(1e-7), "9.9999999999999995e-08");
        assert_eq!(format_double(f64::NEG_INFINITY), "-inf");
        assert_eq!(format_double(f64::NAN), "nan");
    }
}
