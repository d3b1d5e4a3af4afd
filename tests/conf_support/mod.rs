//! What the configuration tests share: a folder, real files behind `conf::Host`, and runs of the reference.
//!
//! The working directory is only simulated, since tests run side by side in one process.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sentineld::conf::{ConfError, Host, Inputs, Loaded, load};

/// A folder of its own, removed in the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let unique =
            format!("sentineld-conf-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path.canonicalize().expect("it exists"))
    }

    /// Writes a file and gives its path.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a file in our folder");
        path.to_str().expect("a path of ASCII").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Real files, seen from a simulated working directory.
pub struct RealHost(pub PathBuf);

fn reason(error: std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl Host for RealHost {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(path)).map_err(reason)
    }

    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let pattern = self.0.join(pattern);
        let found = glob::glob(pattern.to_str().expect("a path of ASCII")).expect("a pattern").flatten();
        found.filter_map(|path| path.to_str().map(str::to_owned)).collect()
    }

    fn change_dir(&mut self, path: &str) -> Result<(), String> {
        // An empty path stays empty, so that it is missing as it is for the real call.
        let path = if path.is_empty() { PathBuf::new() } else { self.0.join(path) };
        self.0 = path.canonicalize().map_err(reason)?;
        Ok(())
    }

    fn current_dir(&mut self) -> String {
        self.0.to_str().expect("a path of ASCII").to_owned()
    }

    fn test_log_file(&mut self, path: &str) -> Result<(), String> {
        fs::File::options().append(true).create(true).open(self.0.join(path)).map(drop).map_err(reason)
    }

    fn is_executable(&mut self, path: &str) -> bool {
        use std::os::unix::fs::PermissionsExt;
        !path.is_empty()
            && fs::metadata(self.0.join(path)).is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
    }
}

/// Loads a file as sentineld would, started in its folder.
pub fn load_file(path: &str) -> Result<Loaded, ConfError> {
    let folder = Path::new(path).parent().expect("an absolute path").to_owned();
    load(&mut RealHost(folder), Inputs { path: Some(path), stdin: None, options: "" })
}

/// A process that dies with its handle.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program with a file, in the folder of that file.
pub fn start(program: &str, path: &str) -> Process {
    let folder = Path::new(path).parent().expect("an absolute path");
    let mut command = Command::new(program);
    command.arg(path).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process(command.spawn().unwrap_or_else(|error| panic!("{program} can't be started: {error}")))
}

/// Waits until a process ends by itself; gives its exit status and what it wrote to standard error.
#[allow(dead_code)] // Not every test that has this module needs it.
pub fn wait(mut process: Process) -> Option<(i32, Vec<u8>)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        match process.0.try_wait().expect("it is our child") {
            Some(status) => break status,
            None if Instant::now() > deadline => return None,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut text = Vec::new();
    process.0.stderr.take()?.read_to_end(&mut text).ok()?;
    Some((status.code()?, text))
}

/// A port that nobody listens on.
#[allow(dead_code)]
pub fn free_port() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

/// Waits until a Sentinel answers on a port, or tells what it wrote when it did not.
#[allow(dead_code)]
pub fn ping(process: &mut Process, port: u16) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if process.0.try_wait().expect("it is our child").is_some() {
            break;
        }
        if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) {
            let mut answer = [0; 5];
            let _ = socket.set_read_timeout(Some(Duration::from_secs(5)));
            if socket.write_all(b"PING\r\n").is_ok() && socket.read_exact(&mut answer).is_ok() {
                return if &answer == b"+PONG" { Ok(()) } else { Err(format!("it answered {answer:?}")) };
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = process.0.kill();
    let mut output = String::new();
    for stream in [
        process.0.stderr.take().map(|s| Box::new(s) as Box<dyn Read>),
        process.0.stdout.take().map(|s| Box::new(s) as _),
    ] {
        let mut bytes = Vec::new();
        let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
        output += &String::from_utf8_lossy(&bytes);
    }
    Err(output)
}
