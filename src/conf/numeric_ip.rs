//! IP literals in every spelling a C library accepts without asking a name server (spec 1 §3.3).
//!
//! Resolves no names.

use std::net::{IpAddr, Ipv4Addr};

/// The address a literal means: besides the usual forms, `127.1`, `0x7f.1`, `2130706433` and IPv6 with a zone, which is dropped.
pub fn parse(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse().ok().filter(IpAddr::is_ipv6),
        _ => classful(text).map(IpAddr::V4),
    }
}

/// One to four numbers in C notation; the last fills all bytes that are left.
fn classful(text: &str) -> Option<Ipv4Addr> {
    let parts = text.split('.').map(c_number).collect::<Option<Vec<u32>>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|&part| part > 255) {
        return None;
    }
    let free_bits = 32 - 8 * leading.len() as u32;
    if free_bits < 32 && *last >> free_bits != 0 {
        return None;
    }
    let prefix = leading.iter().enumerate().fold(0, |bits, (index, part)| bits | part << (24 - 8 * index));
    Some(Ipv4Addr::from(prefix | last))
}

fn c_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with('+') { None } else { u32::from_str_radix(digits, radix).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        for text in ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.1"] {
            assert_eq!(parse(text), Some(IpAddr::from([127, 0, 0, 1])), "{text}");
        }
        assert_eq!(parse("fe80::1%eth0"), parse("fe80::1"));
        assert!(parse("::1").is_some());
        for text in [
            "",
            "localhost",
            "127.0.0.1 ",
            "1.2.3.256",
            "1.2.3.4.5",
            "[::1]",
            "256.1",
            "08.1.1.1",
            "1..2",
            "+1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
