//! The configuration file on disk, and the one of users: read whole, replaced whole (spec 1 §5.6).
//!
//! A replacement is a new file beside the old one, synced and renamed over it, then the folder is synced: whoever reads the path,
//! even after a power cut, finds the old text or the new, never a mixture. What the text says is none of this module's business.
//!
//! Compat: a new file that a crash left beside the old one stays there. By its name it might as well be an operator's copy, such as
//! `sentinel.conf.backup`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Gid, Uid, access, fchown, geteuid};

use super::chance;
use super::strerror::strerror;

/// Longest path the reference would write to, its terminating NUL included.
const MAX_PATH: usize = 4096;

/// Why a replacement failed: the step, and the system's reason.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The path leaves no room for the temporary suffix.
    #[error("Config file full path is too long")]
    PathTooLong,
    /// The temporary file can't be created.
    #[error("Could not create tmp config file ({})", strerror(.0))]
    Create(io::Error),
    /// After so many bytes, no more could be written.
    #[error("Failed after writing ({0}) bytes to tmp config file ({err})", err = strerror(.1))]
    Write(usize, io::Error),
    /// The temporary file can't be synced.
    #[error("Could not sync tmp config file to disk ({})", strerror(.0))]
    Sync(io::Error),
    /// Mode or owner can't be set.
    #[error("Could not chmod config file ({})", strerror(.0))]
    Chmod(io::Error),
    /// The rename failed.
    #[error("Could not rename tmp config file ({})", strerror(.0))]
    Rename(io::Error),
    /// The folder can't be synced: the new text is in place, though perhaps not for long.
    #[error("Could not sync config file dir ({})", strerror(.0))]
    SyncFolder(io::Error),
}

impl ReplaceError {
    /// The system's reason alone.
    pub fn reason(&self) -> String {
        match self {
            ReplaceError::PathTooLong => super::strerror::errno_text(Errno::ENAMETOOLONG),
            ReplaceError::Create(error)
            | ReplaceError::Write(_, error)
            | ReplaceError::Sync(error)
            | ReplaceError::Chmod(error)
            | ReplaceError::Rename(error)
            | ReplaceError::SyncFolder(error) => strerror(error),
        }
    }
}

/// A configuration file by its path.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    /// The file at a path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        ConfigFile { path: path.into() }
    }

    /// Its path, as the operator gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its present text; empty if somebody removed it.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            result => result,
        }
    }

    /// Replaces its text, durably. On failure the temporary file is gone and, but for [`ReplaceError::SyncFolder`], the old text
    /// still in place.
    pub fn replace(&self, text: &[u8]) -> Result<(), ReplaceError> {
        let target = self.target();
        let mut temporary = target.clone().into_os_string();
        temporary.push(format!(".{}", chance::suffix()));
        if temporary.len() >= MAX_PATH {
            return Err(ReplaceError::PathTooLong);
        }
        let temporary = PathBuf::from(temporary);
        let result = self.write_temporary(&temporary, &target, text).and_then(|()| {
            fs::rename(&temporary, &target).map_err(ReplaceError::Rename)?;
            sync_folder(&target).map_err(ReplaceError::SyncFolder)
        });
        if result.is_err() {
            // It may have been renamed already, or never created.
            let _ = fs::remove_file(&temporary);
        }
        result
    }

    /// The file to replace.
    ///
    /// Differs: a symbolic link stays one and what it points to is replaced, where the reference puts a file in the link's place.
    fn target(&self) -> PathBuf {
        let is_link = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.file_type().is_symlink());
        if !is_link {
            return self.path.clone();
        }
        match fs::canonicalize(&self.path) {
            Ok(target) if target.parent().is_some_and(|folder| access(folder, AccessFlags::W_OK).is_ok()) => {
                target
            }
            _ => self.path.clone(),
        }
    }

    fn write_temporary(&self, temporary: &Path, target: &Path, text: &[u8]) -> Result<(), ReplaceError> {
        let old = fs::metadata(target).ok();
        // What takes the place of a closed file is never open, not even for a moment.
        let mode = if old.is_some() { 0o600 } else { 0o644 };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut file = options.open(temporary).map_err(ReplaceError::Create)?;
        write_counting(&mut file, text)?;
        // Differs: mode and owner stay. The reference makes the file its own and readable by all, passwords included.
        if let Some(old) = &old {
            keep_owner(&file, old);
            let mode = fs::Permissions::from_mode(old.mode() & 0o7777);
            file.set_permissions(mode).map_err(ReplaceError::Chmod)?;
        }
        file.sync_all().map_err(ReplaceError::Sync)
    }
}

fn write_counting(file: &mut File, text: &[u8]) -> Result<(), ReplaceError> {
    let mut written = 0;
    while written < text.len() {
        match file.write(&text[written..]) {
            Ok(0) => return Err(ReplaceError::Write(written, io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReplaceError::Write(written, error)),
        }
    }
    Ok(())
}

/// Gives a new file the owner of the old one, if we may.
///
/// Only root may, so nobody else tries: under systemd's usual filter the mere call would kill the process (spec 1 §8.2).
fn keep_owner(new: &File, old: &fs::Metadata) {
    let differs = new.metadata().is_ok_and(|new| (new.uid(), new.gid()) != (old.uid(), old.gid()));
    if differs && geteuid().is_root() {
        // Root without the capability may not either; the text matters more than the owner.
        let _ = fchown(new, Some(Uid::from_raw(old.uid())), Some(Gid::from_raw(old.gid())));
    }
}

/// Makes the rename itself durable. Some file systems can't sync a folder and say so; that is no failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder)?.sync_all() {
        Err(error)
            if matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EBADF | Errno::EINVAL)) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn mode_and_owner_are_kept() {
        let dir = folder();
        let path = dir.path().join("s.conf");
        fs::write(&path, "old").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
        if geteuid().is_root() {
            chown(&path, Some(12), Some(34)).expect("owner");
        }
        let before = fs::metadata(&path).expect("the old file");
        ConfigFile::new(&path).replace(b"new").expect("replaced");
        let after = fs::metadata(&path).expect("the new file");
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino());
        assert_eq!(fs::read(&path).expect("text"), b"new");
        assert_eq!(names(dir.path()), ["s.conf"]);
    }

    #[test]
    fn a_new_file_follows_the_umask() {
        let dir = folder();
        let file = ConfigFile::new(dir.path().join("s.conf"));
        assert_eq!(file.read().expect("nothing"), b"");
        file.replace(b"new").expect("replaced");
        let status = fs::read_to_string("/proc/self/status").expect("a process");
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).expect("its umask");
        let umask = u32::from_str_radix(umask.trim(), 8).expect("octal");
        assert_eq!(fs::metadata(file.path()).expect("the file").mode() & 0o7777, 0o644 & !umask);
    }

    #[test]
    fn a_link_is_written_through() {
        let (here, there) = (folder(), folder());
        let target = there.path().join("real.conf");
        fs::write(&target, "old").expect("written");
        let link = here.path().join("s.conf");
        symlink(&target, &link).expect("linked");
        ConfigFile::new(&link).replace(b"new").expect("replaced");
        assert!(fs::symlink_metadata(&link).expect("the link").file_type().is_symlink());
        assert_eq!(fs::read(&target).expect("text"), b"new");
        assert_eq!(names(here.path()), ["s.conf"]);
    }

    #[test]
    fn failures_name_the_step_and_leave_nothing_behind() {
        let error = ConfigFile::new("/nonexistent/folder/s.conf").replace(b"new").expect_err("no folder");
        assert_eq!(error.to_string(), "Could not create tmp config file (No such file or directory)");
        assert_eq!(error.reason(), "No such file or directory");

        let dir = folder();
        let path = dir.path().join("s.conf");
        fs::create_dir(&path).expect("a folder in the way");
        let error = ConfigFile::new(&path).replace(b"new").expect_err("a folder in the way");
        assert_eq!(error.to_string(), "Could not rename tmp config file (Is a directory)");
        assert_eq!(names(dir.path()), ["s.conf"]);

        let error = ConfigFile::new(format!("/{}", "a/".repeat(2048))).replace(b"").expect_err("too long");
        assert_eq!(error.to_string(), "Config file full path is too long");
    }

    #[test]
    fn a_full_disk_says_how_far_it_came() {
        let error =
            write_counting(&mut OpenOptions::new().write(true).open("/dev/full").expect("/dev/full"), b"new")
                .expect_err("no space");
        assert_eq!(
            error.to_string(),
            "Failed after writing (0) bytes to tmp config file (No space left on device)"
        );
    }
}
