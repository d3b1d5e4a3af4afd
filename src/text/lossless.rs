//! Bytes as text and back, nothing lost: names of masters may be any bytes, while nearly everything that handles them handles text.
//!
//! A byte that is not part of UTF-8 becomes one of 128 characters at the end of the last private plane, which nobody assigns. A
//! character of those in the bytes themselves counts as not UTF-8, so that no two words become the same text.

use std::borrow::Cow;

/// The character for byte 0 would be this; those for 0x80 and above are used.
const FIRST: u32 = 0x10_FF00;

/// The text for some bytes: the same bytes wherever they are UTF-8.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !has_stand_ins(bytes) => Cow::Borrowed(text),
        _ => Cow::Owned(encode(bytes)),
    }
}

/// True if no byte of a text stands for one that was not UTF-8.
pub fn is_utf8(text: &str) -> bool {
    !has_stand_ins(text.as_bytes())
}

/// The bytes that a text stands for.
pub fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    if has_stand_ins(text.as_bytes()) { Cow::Owned(decode(text)) } else { Cow::Borrowed(text.as_bytes()) }
}

/// The same, of a text that is not needed any more.
pub fn into_bytes(text: String) -> Vec<u8> {
    if has_stand_ins(text.as_bytes()) { decode(&text) } else { text.into_bytes() }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    let push_bytes = |text: &mut String, bytes: &[u8]| text.extend(bytes.iter().copied().map(stand_in));
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match byte_of(character) {
                Some(_) => push_bytes(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => text.push(character),
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Only bytes from 0x80 on are ever not UTF-8.
fn stand_in(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).expect("invariant: below the greatest character")
}

fn byte_of(character: char) -> Option<u8> {
    u8::try_from(u32::from(character).checked_sub(FIRST)?).ok().filter(|byte| *byte >= 0x80)
}

/// U+10FF80 and above begin with these three bytes or these.
fn has_stand_ins(bytes: &[u8]) -> bool {
    bytes.contains(&0xF4) && bytes.windows(3).any(|three| matches!(three, [0xF4, 0x8F, 0xBE | 0xBF]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn utf8_stays_as_it_is() {
        for text in ["", "mymaster", "größe", "🦀 \u{10ff7f}"] {
            assert!(matches!(text_of(text.as_bytes()), Cow::Borrowed(same) if same == text));
            assert!(matches!(bytes_of(text), Cow::Borrowed(same) if same == text.as_bytes()));
            assert_eq!(into_bytes(text.to_owned()), text.as_bytes());
        }
    }

    #[test]
    fn every_word_has_a_text_of_its_own() {
        let words: [&[u8]; 12] = [
            b"\xff",
            b"\x80",
            b"a\xffb",
            b"a\xfeb",
            b"\xc3",
            "ü\u{10ff80}".as_bytes(),
            "\u{10ffff}\u{10fffd}".as_bytes(),
            b"\xf4\x8f\xbe",
            b"\xf4\x8f\xbe\x80\xf4",
            b"\xf4\x8f\xbf\xbf",
            b"\xed\xa0\x80",
            b"\0\xf0\x90",
        ];
        let mut texts = BTreeSet::new();
        for word in words {
            let text = text_of(word);
            assert_eq!(bytes_of(&text), word, "{text:?}");
            assert_eq!(into_bytes(text.clone().into_owned()), word);
            assert!(texts.insert(text.into_owned()), "{word:x?}");
        }
        for pair in 0..=u16::MAX {
            let word = pair.to_be_bytes();
            assert_eq!(*bytes_of(&text_of(&word)), word);
        }
    }
}
