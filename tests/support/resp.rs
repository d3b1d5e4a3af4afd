//! A blocking RESP2/RESP3 client, small enough to be trusted: it shares no code with the daemon it tests.

use std::fmt;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// One reply, of either protocol version. Maps come as alternating keys and values.
#[derive(Clone, PartialEq)]
pub enum Value {
    Nil,
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Array(Vec<Value>),
    Map(Vec<Value>),
    Push(Vec<Value>),
    Other(String),
}

impl Value {
    /// The text of a string of any kind, an error, or a number; empty for everything else.
    pub fn text(&self) -> String {
        match self {
            Value::Simple(s) | Value::Error(s) | Value::Other(s) => s.clone(),
            Value::Int(n) => n.to_string(),
            Value::Bulk(b) => String::from_utf8_lossy(b).into_owned(),
            _ => String::new(),
        }
    }

    /// The elements of an aggregate; empty for a scalar.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(v) | Value::Map(v) | Value::Push(v) => v,
            _ => &[],
        }
    }

    /// The texts of all elements.
    pub fn texts(&self) -> Vec<String> {
        self.items().iter().map(Value::text).collect()
    }

    /// The value that follows `key` in a list or map of pairs.
    pub fn field(&self, key: &str) -> Option<String> {
        self.items().chunks(2).find(|pair| pair[0].text() == key).map(|pair| pair[1].text())
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => write!(f, "nil"),
            Value::Error(e) => write!(f, "-{e}"),
            Value::Simple(s) => write!(f, "+{s}"),
            Value::Int(n) => write!(f, ":{n}"),
            Value::Bulk(b) => write!(f, "{:?}", String::from_utf8_lossy(b)),
            Value::Other(s) => write!(f, "<{s}>"),
            Value::Array(v) => f.debug_list().entries(v).finish(),
            Value::Map(v) => write!(f, "%{v:?}"),
            Value::Push(v) => write!(f, ">{v:?}"),
        }
    }
}

/// One connection.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port on 127.0.0.1; reads give up after ten seconds.
    pub fn connect(port: u16) -> Result<Client> {
        Client::connect_with(port, Duration::from_secs(10))
    }

    /// Connects with another limit for each read and write.
    pub fn connect_with(port: u16, limit: Duration) -> Result<Client> {
        Client::connect_at(Ipv4Addr::LOCALHOST, port, limit)
    }

    /// Connects to another address of the loopback network.
    pub fn connect_at(host: Ipv4Addr, port: u16, limit: Duration) -> Result<Client> {
        let address = SocketAddr::from((host, port));
        Client::over(TcpStream::connect_timeout(&address, limit)?, limit)
    }

    /// The same, from an address of our own.
    pub fn connect_from(own: Ipv4Addr, host: Ipv4Addr, port: u16, limit: Duration) -> Result<Client> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((own, 0)).into())?;
        socket.connect_timeout(&SocketAddr::from((host, port)).into(), limit)?;
        Client::over(socket.into(), limit)
    }

    fn over(stream: TcpStream, limit: Duration) -> Result<Client> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(Client { reader: BufReader::new(stream) })
    }

    /// Sends one command and reads one reply.
    pub fn call(&mut self, words: &[&str]) -> Result<Value> {
        self.send(words)?;
        self.read()
    }

    /// Sends one command as a multibulk frame.
    pub fn send(&mut self, words: &[&str]) -> Result<()> {
        self.send_raw(&encode(words))
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Everything the other side sends until it closes or the time limit passes, and whether it closed.
    pub fn read_all(&mut self) -> (String, bool) {
        let mut all = Vec::new();
        let end = self.reader.read_to_end(&mut all);
        let closed =
            !matches!(end, Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        (String::from_utf8_lossy(&all).into_owned(), closed)
    }

    /// The socket, for a test that needs its other half or its options.
    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Reads one reply or push.
    pub fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "closed by the other side"));
        }
        let line = line.trim_end_matches(['\r', '\n']);
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| Error::other("empty reply line"))?;
        let size = || rest.parse::<i64>().map_err(|_| Error::other(format!("bad reply line {line:?}")));
        Ok(match kind {
            "+" => Value::Simple(rest.to_owned()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Int(size()?),
            "_" => Value::Nil,
            "#" | "," | "(" => Value::Other(rest.to_owned()),
            "$" | "*" if rest == "-1" => Value::Nil,
            "$" | "=" => Value::Bulk(self.bulk(size()?, kind == "=")?),
            "*" | "~" => Value::Array(self.elements(size()?)?),
            "%" => Value::Map(self.elements(size()? * 2)?),
            ">" => Value::Push(self.elements(size()?)?),
            _ => return Err(Error::other(format!("not a reply: {line:?}"))),
        })
    }

    fn bulk(&mut self, len: i64, verbatim: bool) -> Result<Vec<u8>> {
        let mut body = vec![0; usize::try_from(len).map_err(Error::other)? + 2];
        self.reader.read_exact(&mut body)?;
        body.truncate(body.len() - 2);
        Ok(if verbatim { body.split_off(4) } else { body })
    }

    fn elements(&mut self, count: i64) -> Result<Vec<Value>> {
        (0..count).map(|_| self.read()).collect()
    }
}

/// The multibulk frame of a command.
pub fn encode(words: &[&str]) -> Vec<u8> {
    let mut frame = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        frame.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    frame
}
