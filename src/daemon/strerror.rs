//! The system's own words for an error, as the reference shows them.

use std::io;

/// The text of an I/O error without the number that `std` appends to it.
pub fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_string(),
        _ => text,
    }
}

/// The text of a bare error number.
pub fn errno_text(errno: nix::errno::Errno) -> String {
    strerror(&io::Error::from_raw_os_error(errno as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_dropped() {
        assert_eq!(errno_text(nix::errno::Errno::ENOENT), "No such file or directory");
        assert_eq!(errno_text(nix::errno::Errno::EACCES), "Permission denied");
        assert_eq!(strerror(&io::Error::other("plain (os error 2)")), "plain (os error 2)");
    }
}
