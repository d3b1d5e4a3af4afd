//! A socket that speaks TLS, used without waiting, like those that do not.
//!
//! Bytes from the socket are decrypted at once, and plain text is handed on as soon as there is some. Encrypted bytes that the socket
//! does not take stay here, and no more is encrypted until they are gone.
//!
//! Invariant: between two calls at most one piece of plain text is encrypted and unsent.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

use bytes::BufMut;
use rustls::Connection;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use super::fault;

/// Plain text that is encrypted at a time.
const PIECE: usize = 64 * 1024;

/// A connected socket with a TLS session on it.
#[derive(Debug)]
pub struct TlsStream {
    tcp: TcpStream,
    session: Connection,
    /// Decrypted and not yet taken.
    has_plaintext: bool,
    /// The other side does not speak TLS: nothing we could say would be understood.
    is_foreign: bool,
}

/// The socket as the session wants it: it fails instead of waiting.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsStream {
    pub(super) fn new(tcp: TcpStream, session: impl Into<Connection>) -> Self {
        TlsStream { tcp, session: session.into(), has_plaintext: false, is_foreign: false }
    }

    /// Goes through the handshake. The caller says how long that may take.
    ///
    /// # Errors
    /// Those of the socket, and those that [`fault::is_disagreement`] tells.
    pub async fn handshake(&mut self) -> io::Result<()> {
        loop {
            if let Err(error) = self.flush()
                && error.kind() != io::ErrorKind::WouldBlock
            {
                return Err(error);
            }
            let interest = match (self.session.is_handshaking(), self.session.wants_write()) {
                (false, false) => return Ok(()),
                (true, false) => Interest::READABLE,
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (false, true) => Interest::WRITABLE,
            };
            self.tcp.ready(interest).await?;
            match self.session.is_handshaking().then(|| self.receive()) {
                Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    /// Waits until reading or writing, as asked, may succeed.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        if interest.is_readable() && self.has_plaintext {
            return Ok(Ready::READABLE);
        }
        self.tcp.ready(interest).await
    }

    /// Appends what was received, as far as there is room; zero at the end.
    pub fn try_read(&mut self, into: &mut impl BufMut) -> io::Result<usize> {
        loop {
            match self.take_plaintext(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(end_of_file()),
                taken => return taken,
            }
        }
    }

    fn take_plaintext(&mut self, into: &mut impl BufMut) -> io::Result<usize> {
        let mut reader = self.session.reader();
        let mut taken = 0;
        while into.has_remaining_mut() {
            let piece = match reader.fill_buf() {
                Ok([]) => &[],
                Ok(piece) => &piece[..piece.len().min(into.remaining_mut())],
                Err(error) => {
                    self.has_plaintext = false;
                    // The end, whichever it is, comes up again when nothing else is left.
                    return if taken > 0 { Ok(taken) } else { Err(error) };
                }
            };
            if piece.is_empty() {
                self.has_plaintext = false;
                break;
            }
            into.put_slice(piece);
            let length = piece.len();
            taken += length;
            reader.consume(length);
        }
        Ok(taken)
    }

    /// Takes bytes from the socket and decrypts them.
    fn receive(&mut self) -> io::Result<()> {
        if self.session.read_tls(&mut Socket(&self.tcp))? == 0 && self.session.is_handshaking() {
            return Err(end_of_file());
        }
        match self.session.process_new_packets() {
            Ok(state) => {
                self.has_plaintext = state.plaintext_bytes_to_read() > 0;
                Ok(())
            }
            Err(error) => {
                self.is_foreign = fault::is_foreign(&error);
                // The other side is told why, if it still listens.
                let _ = self.flush();
                Err(fault::broken(&error))
            }
        }
    }

    /// Encrypts and sends some of the bytes; returns how many are taken care of. With no bytes, what is unsent is sent.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let taken = self.session.writer().write(&bytes[..bytes.len().min(PIECE)])?;
        match self.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// True if something encrypted waits for room in the socket.
    pub fn has_unsent(&self) -> bool {
        self.session.wants_write() && !self.is_foreign
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.has_unsent() {
            self.session.write_tls(&mut Socket(&self.tcp))?;
        }
        Ok(())
    }

    /// Says that nothing more will come, if there is room for that and the other side would understand.
    pub fn say_goodbye(&mut self) {
        if self.session.is_handshaking() {
            return;
        }
        self.session.send_close_notify();
        // The other side can do without it.
        let _ = self.flush();
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Its descriptor.
    pub fn fd(&self) -> RawFd {
        self.tcp.as_raw_fd()
    }
}

fn end_of_file() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, fault::END_OF_FILE)
}
