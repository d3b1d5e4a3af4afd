//! An input in pieces, as a network may deliver it, and what it may cost to read it.

use bytes::Bytes;

/// Inputs are cut here: a line without end is an error beyond 64 KiB, and whether its end comes first then depends on the pieces.
pub const LONGEST: usize = 32 * 1024;

/// Bytes that may be allocated at once for each byte received. An empty part takes three bytes, and about a hundred once decoded, in
/// vectors that double and are copied.
const PER_BYTE: u64 = 512;
/// Bytes that may be allocated at once whatever was received.
const AT_LEAST: u64 = 16 * 1024;

/// Inputs beyond this length are not cut everywhere: that takes time, and shows nothing that shorter ones do not.
const CUT_EVERYWHERE: usize = 512;

/// Three ways to cut an input: not at all, at places that are fixed by its bytes, and everywhere.
pub fn cuts(input: &[u8]) -> [Vec<&[u8]>; 3] {
    let mut state = input.iter().fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| {
        (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut some = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = usize::try_from(state >> 60).expect("four bits") + 1;
        let (piece, after) = rest.split_at(length.min(rest.len()));
        some.push(piece);
        rest = after;
    }
    let smallest = input.len().div_ceil(CUT_EVERYWHERE).max(1);
    [vec![input], some, input.chunks(smallest).collect()]
}

/// Runs the function, and checks that what it holds at once is bounded by what it received.
pub fn measured<T>(received: usize, function: impl FnOnce() -> T) -> T {
    let mut result = None;
    let cost = allocation_counter::measure(|| result = Some(function()));
    let allowed = AT_LEAST + PER_BYTE * received as u64;
    assert!(cost.bytes_max <= allowed, "{} bytes held for {received} received", cost.bytes_max);
    result.expect("the function ran")
}

/// A request in the form that programs send.
pub fn multibulk(words: &[Bytes]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}
