//! Notification and reconfiguration scripts as child processes (spec 2 §10). When to run, retry or kill one is the engine's
//! business.
//!
//! A script may lie on a disk that hangs: it is started by a thread for what blocks, and nobody else waits for it.
//!
//! No shell is involved: the path is executed directly, with the daemon's environment and directory. Children inherit the
//! standard streams and no other descriptor, since everything the daemon opens is close-on-exec.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;

use nix::errno::Errno;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::inbox::Inbox;
use super::shutdown::release_signals;
use crate::engine::{Input, ScriptExit};
use crate::model::ScriptId;
use crate::text::lossless;

/// Exit code of a file that the kernel can't execute, as in the reference (spec 2 §10.1).
const NOT_EXECUTABLE: i32 = 2;

/// How many may be starting at a time: the engine lets no more run.
pub const PARALLEL: usize = 16;

/// The running scripts.
pub struct Scripts {
    runtime: Handle,
    inbox: Inbox,
    /// Dropping or firing a sender kills the script; entries of ended ones are swept when a script starts.
    running: HashMap<ScriptId, oneshot::Sender<()>>,
}

impl Scripts {
    /// Runs scripts on `runtime`, reporting to `inbox`.
    pub fn new(runtime: Handle, inbox: Inbox) -> Self {
        Scripts { runtime, inbox, running: HashMap::new() }
    }

    /// Starts a script: `argv` is its path and its arguments. Its start and its end are reported, in this order.
    pub fn run(&mut self, id: ScriptId, argv: Vec<String>) {
        self.running.retain(|_, kill| !kill.is_closed());
        let (kill, killed) = oneshot::channel();
        self.running.insert(id, kill);
        let inbox = self.inbox.clone();
        self.runtime.spawn_blocking(move || {
            release_signals();
            match command(&argv).and_then(|mut command| command.spawn()) {
                Ok(child) => {
                    inbox.complete(Input::ScriptStarted(id, child.id()));
                    tokio::spawn(watch(id, child, killed, inbox));
                }
                Err(error) if could_not_fork(&error) => inbox.complete(Input::ScriptStarted(id, None)),
                Err(_) => {
                    inbox.complete(Input::ScriptStarted(id, Some(0)));
                    let exit = ScriptExit { code: NOT_EXECUTABLE, signal: 0 };
                    inbox.complete(Input::ScriptExited(id, exit));
                }
            }
        });
    }

    /// Kills a script; its end is reported as always.
    pub fn kill(&mut self, id: ScriptId) {
        if let Some(kill) = self.running.remove(&id) {
            // It may have ended by itself meanwhile.
            let _ = kill.send(());
        }
    }
}

fn command(argv: &[String]) -> io::Result<Command> {
    let (path, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let word = |text: &String| OsString::from_vec(lossless::into_bytes(text.clone()));
    // A bare name means a file here, never a search along PATH.
    let program = if path.contains('/') { word(path) } else { word(&format!("./{path}")) };
    let mut command = std::process::Command::new(program);
    command.arg0(word(path)).args(arguments.iter().map(word));
    Ok(Command::from(command))
}

/// `spawn` reports a failed `fork` and a failed `exec` alike; the former is for want of processes or memory.
fn could_not_fork(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)
    )
}

async fn watch(id: ScriptId, mut child: Child, killed: oneshot::Receiver<()>, inbox: Inbox) {
    let status = tokio::select! {
        status = child.wait() => status,
        order = killed => {
            if order.is_ok() {
                // Fails only if the script has ended.
                let _ = child.start_kill();
            }
            child.wait().await
        }
    };
    let exit = status.map_or(ScriptExit { code: NOT_EXECUTABLE, signal: 0 }, exit_of);
    inbox.complete(Input::ScriptExited(id, exit));
}

fn exit_of(status: ExitStatus) -> ScriptExit {
    ScriptExit { code: status.code().unwrap_or(0), signal: status.signal().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::daemon::inbox::{self, Outlet};

    fn setup() -> (Scripts, Outlet, tempfile::TempDir) {
        let (inbox, outlet) = inbox::channel();
        (Scripts::new(Handle::current(), inbox), outlet, tempfile::tempdir().expect("a temporary folder"))
    }

    fn script(dir: &tempfile::TempDir, text: &str) -> String {
        let path = dir.path().join("script");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
        path.to_str().expect("a printable path").to_string()
    }

    async fn exit(outlet: &mut Outlet, id: ScriptId) -> ScriptExit {
        match outlet.completions.recv().await {
            Some(Input::ScriptStarted(started, Some(_))) => assert_eq!(started, id),
            other => panic!("not started: {other:?}"),
        }
        match outlet.completions.recv().await {
            Some(Input::ScriptExited(ended, exit)) if ended == id => exit,
            other => panic!("not ended: {other:?}"),
        }
    }

    #[tokio::test]
    async fn arguments_arrive_and_the_code_returns() {
        let (mut scripts, mut outlet, dir) = setup();
        let out = dir.path().join("out");
        let path = script(&dir, &format!("#!/bin/sh\necho \"$1|$2\" > {}\nexit 3\n", out.display()));
        scripts.run(ScriptId(1), vec![path, "+odown".into(), "a b".into()]);
        assert_eq!(exit(&mut outlet, ScriptId(1)).await, ScriptExit { code: 3, signal: 0 });
        assert_eq!(fs::read_to_string(out).expect("output"), "+odown|a b\n");
    }

    #[tokio::test]
    async fn a_killed_script_reports_its_signal() {
        let (mut scripts, mut outlet, dir) = setup();
        let path = script(&dir, "#!/bin/sh\nexec sleep 100\n");
        scripts.run(ScriptId(2), vec![path]);
        scripts.kill(ScriptId(2));
        assert_eq!(exit(&mut outlet, ScriptId(2)).await, ScriptExit { code: 0, signal: 9 });
    }

    #[tokio::test]
    async fn what_cannot_be_executed_ends_with_code_two() {
        let (mut scripts, mut outlet, dir) = setup();
        let path = script(&dir, "no interpreter line\n");
        scripts.run(ScriptId(3), vec![path]);
        assert_eq!(exit(&mut outlet, ScriptId(3)).await, ScriptExit { code: 2, signal: 0 });
        scripts.run(ScriptId(4), vec!["/nonexistent/script".into()]);
        assert_eq!(exit(&mut outlet, ScriptId(4)).await, ScriptExit { code: 2, signal: 0 });
    }
}
