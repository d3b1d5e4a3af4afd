//! Where a log line goes: standard output, or a file opened anew for each line.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use nix::errno::Errno;

/// The place of ordinary log lines.
pub(super) enum Sink {
    /// Standard output, unbuffered.
    Stdout,
    /// A file. Opening it for every line lets rotation by renaming work without a signal (spec 1 §7.1).
    File(PathBuf),
}

impl Sink {
    /// The sink for a `logfile` value: empty means standard output. A relative path is taken from the directory of now.
    pub(super) fn from_path(path: &str) -> Sink {
        if path.is_empty() {
            return Sink::Stdout;
        }
        let path = PathBuf::from(path);
        Sink::File(std::path::absolute(&path).unwrap_or(path))
    }

    /// Writes a whole line. Failure loses the line.
    pub(super) fn write(&self, line: &[u8]) {
        match self {
            Sink::Stdout => write_stdout(line),
            Sink::File(path) => {
                if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path) {
                    let _ = file.write_all(line);
                }
            }
        }
    }
}

/// Bypasses the buffer of `std`, which would keep a line that a full pipe refused.
fn write_stdout(mut line: &[u8]) {
    while !line.is_empty() {
        match nix::unistd::write(std::io::stdout(), line) {
            Ok(0) => return,
            Ok(written) => line = &line[written..],
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_file_is_created_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.log");
        let sink = Sink::from_path(path.to_str().expect("a printable path"));
        sink.write(b"one\n");
        sink.write(b"two\n");
        std::fs::rename(&path, dir.path().join("x.log.1")).expect("rename");
        sink.write(b"three\n");
        assert_eq!(std::fs::read(dir.path().join("x.log.1")).expect("the old file"), b"one\ntwo\n");
        assert_eq!(std::fs::read(&path).expect("the new file"), b"three\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_loses_the_line_only() {
        Sink::from_path("/nonexistent/folder/x.log").write(b"lost\n");
    }
}
