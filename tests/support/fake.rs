//! A server that speaks just enough of the protocol to lie in it.
//!
//! It decodes the commands it is sent and lets a test's closure write any bytes as an answer.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::port;

type Answer = dyn Fn(&[String], &mut TcpStream) -> Result<()> + Send + Sync;

/// Starts a fake on a free port; its threads live until the test process ends. `answer` gets each command with
/// its first word in upper case; an error it returns closes the connection.
pub fn start(answer: impl Fn(&[String], &mut TcpStream) -> Result<()> + Send + Sync + 'static) -> u16 {
    let port = port::reserve();
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a reserved port");
    let answer: Arc<Answer> = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || serve(stream, &*answer));
        }
    });
    port
}

/// A bulk string as sent on the wire.
pub fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

fn serve(stream: TcpStream, answer: &Answer) -> Result<()> {
    let mut output = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    loop {
        let words = read_command(&mut input)?;
        answer(&words, &mut output)?;
        output.flush()?;
    }
}

fn read_command(input: &mut BufReader<TcpStream>) -> Result<Vec<String>> {
    let count = read_number(input, '*')?;
    let mut words = Vec::new();
    for i in 0..count {
        let mut body = vec![0; read_number(input, '$')? + 2];
        input.read_exact(&mut body)?;
        let word = String::from_utf8_lossy(&body[..body.len() - 2]).into_owned();
        words.push(if i == 0 { word.to_uppercase() } else { word });
    }
    Ok(words)
}

fn read_number(input: &mut BufReader<TcpStream>, mark: char) -> Result<usize> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let number = line.trim().strip_prefix(mark).and_then(|n| n.parse().ok());
    number.ok_or_else(|| std::io::Error::other("not a command frame"))
}
