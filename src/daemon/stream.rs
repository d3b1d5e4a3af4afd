//! A connected socket of any kind, used without waiting.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use bytes::BufMut;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

use super::tls::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TCP with TLS.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// What has to be gone through before anything can be read or written.
    ///
    /// # Errors
    /// The other side does not get on with us, or is gone.
    pub async fn handshake(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Ok(()),
            Stream::Tls(stream) => stream.handshake().await,
        }
    }

    /// Waits until reading or writing, as asked, may succeed.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Stream::Tcp(stream) => stream.ready(interest).await,
            Stream::Unix(stream) => stream.ready(interest).await,
            Stream::Tls(stream) => stream.ready(interest).await,
        }
    }

    /// Reads what is there into the room of the buffer; zero at the end.
    pub fn try_read(&mut self, buffer: &mut impl BufMut) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_read_buf(buffer),
            Stream::Unix(stream) => stream.try_read_buf(buffer),
            Stream::Tls(stream) => stream.try_read(buffer),
        }
    }

    /// Writes as much as fits. With no bytes, sends on what is [unsent](Stream::has_unsent).
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_write(bytes),
            Stream::Unix(stream) => stream.try_write(bytes),
            Stream::Tls(stream) => stream.try_write(bytes),
        }
    }

    /// True if something that counts as written is still on its way into the socket.
    pub fn has_unsent(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            Stream::Tls(stream) => stream.has_unsent(),
        }
    }

    /// The last there is to say before the socket is closed.
    pub fn say_goodbye(&mut self) {
        if let Stream::Tls(stream) = self {
            stream.say_goodbye();
        }
    }

    /// Its descriptor.
    pub fn fd(&self) -> RawFd {
        match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
            Stream::Tls(stream) => stream.fd(),
        }
    }
}
