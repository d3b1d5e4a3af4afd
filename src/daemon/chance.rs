//! Randomness from the operating system: identities and the engine's seed. Nothing that decides anything draws from here.

use rand::TryRngCore;
use rand::rngs::OsRng;

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    OsRng.try_fill_bytes(&mut out).expect("invariant: the kernel has random numbers");
    out
}

/// A seed for the engine's generator.
pub fn seed() -> u64 {
    u64::from_le_bytes(bytes())
}

/// A fresh id: 40 hexadecimal digits (spec 1 §3.2).
pub fn run_id() -> String {
    bytes::<20>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The random part of a temporary file's name: six letters or digits.
pub fn suffix() -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    bytes::<6>().iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_forty_hex_digits_and_differ() {
        let id = run_id();
        assert_eq!(id.len(), 40);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(id, run_id());
        assert_eq!(suffix().len(), 6);
    }
}
