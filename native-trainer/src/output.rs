//! Reading inputs and writing outputs: `-` for streams, no overwriting by surprise, files that appear whole or not at
//! all.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::errors::{Fault, input_fault, usage_fault};

/// Largest input that is read into memory: 4 GiB.
const INPUT_BYTES: u64 = 4 << 30;

/// Whether `path` stands for stdin or stdout.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A path for messages.
pub fn shown(path: &Path) -> String {
    if is_stream(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Everything in a file or on stdin.
///
/// # Errors
/// [`Fault::Input`] where it cannot be read, [`Fault::Limit`] above 4 GiB.
pub fn read_input(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |e: io::Error| input_fault(format!("cannot read {}: {}", shown(path), plain(&e)));
    let mut bytes = Vec::new();
    if is_stream(path) {
        io::stdin().lock().take(INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(input_fault(format!("cannot read {}: it is a folder", shown(path))));
        }
        file.take(INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if bytes.len() as u64 > INPUT_BYTES {
        return Err(Fault::Limit(format!("{} is larger than 4 GiB", shown(path))).into());
    }
    if bytes.is_empty() {
        return Err(input_fault(format!("{} is empty", shown(path))));
    }
    Ok(bytes)
}

/// An error without the operating system's number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Where a result goes. Made before the work starts, so that a run of minutes does not end in "file exists".
#[derive(Debug, Clone)]
pub struct Destination {
    path: PathBuf,
    force: bool,
}

impl Destination {
    /// Checks that `path` can be written.
    ///
    /// # Errors
    /// [`Fault::Usage`] where the file exists without `force`, is a folder, or its folder does not exist; where binary
    /// output would go to a terminal; and where the JSON report and the data would share stdout.
    pub fn new(path: &Path, force: bool, json: bool) -> Result<Self> {
        if is_stream(path) {
            if json {
                return Err(usage_fault(
                    "--json prints on stdout, so the result cannot go there too: name a file with -o",
                ));
            }
            if io::IsTerminal::is_terminal(&io::stdout()) {
                return Err(usage_fault("stdout is a terminal: redirect it, or name a file with -o"));
            }
        } else if path.is_dir() {
            return Err(usage_fault(format!("{} is a folder: name a file in it", path.display())));
        } else if !force && is_regular(path) {
            return Err(usage_fault(format!("{} exists; --force overwrites it", path.display())));
        } else if !folder_of(path).is_dir() {
            return Err(usage_fault(format!("there is no folder {}", folder_of(path).display())));
        } else if !path.exists() || is_regular(path) {
            // Found out now and not after an hour of training: the result is written to a temporary file here.
            tempfile::tempfile_in(folder_of(path)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self { path: path.to_owned(), force })
    }

    /// A folder of files: one that is not there yet or is empty, with `force` also one in which every file is one of `ours`.
    ///
    /// # Errors
    /// [`Fault::Usage`] for any other.
    pub fn folder(path: &Path, force: bool, ours: impl Fn(&str) -> bool) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            return Err(usage_fault(format!(
                "{} is no folder: name one, or one that is not there yet",
                path.display()
            )));
        }
        if !path.is_dir() {
            return Self::new(path, force, false);
        }
        let unreadable = || format!("cannot read the folder {}", path.display());
        for entry in fs::read_dir(path).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            let name = entry.file_name();
            if !ours(&name.to_string_lossy()) || !entry.file_type().with_context(unreadable)?.is_file() {
                return Err(usage_fault(format!(
                    "{} is a folder with files of others ({}): name an empty one, or one that is not there",
                    path.display(),
                    name.display()
                )));
            }
            if !force {
                return Err(usage_fault(format!("{} has files in it; --force replaces them", path.display())));
            }
        }
        Ok(Self { path: path.to_owned(), force })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name for messages.
    pub fn shown(&self) -> String {
        if is_stream(&self.path) { "standard output".to_owned() } else { self.path.display().to_string() }
    }

    /// Writes all of `bytes`, or leaves what was there: a temporary file in the same folder, flushed to the disk,
    /// takes the name in one step. Without `force` a file that appeared meanwhile is not replaced either.
    ///
    /// # Errors
    /// I/O errors, and [`Fault::Usage`] where the file has appeared.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        if is_stream(&self.path) {
            let mut stdout = io::stdout().lock();
            return stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write to stdout");
        }
        self.write_file(bytes)
    }

    fn write_file(&self, bytes: &[u8]) -> Result<()> {
        if self.is_device() {
            let device = File::options().write(true).open(&self.path);
            return device
                .and_then(|mut f| f.write_all(bytes))
                .with_context(|| format!("cannot write {}", self.shown()));
        }
        let staged = self.stage()?;
        staged.file()?.write_all(bytes).with_context(|| format!("cannot write {}", self.shown()))?;
        staged.commit()?;
        Ok(())
    }

    /// A device or a pipe has no content to protect, and must not be replaced by a file.
    fn is_device(&self) -> bool {
        self.path.exists() && !is_regular(&self.path)
    }

    /// A temporary file that takes the destination's name when it is complete, for results that do not fit into memory or
    /// that another program writes. Not for stdout.
    ///
    /// # Errors
    /// I/O errors.
    pub fn stage(&self) -> Result<Staged> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tessera-").suffix(".tmp");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let folder = if self.is_device() { std::env::temp_dir() } else { folder_of(&self.path) };
        let file = builder.tempfile_in(folder).with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(Staged { file, destination: self.clone() })
    }
}

/// A file that is not complete yet. It is removed unless it is committed.
#[derive(Debug)]
pub struct Staged {
    file: tempfile::NamedTempFile,
    destination: Destination,
}

impl Staged {
    /// Its name as long as it is not complete.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The open file.
    ///
    /// # Errors
    /// Where the operating system has no handle left.
    pub fn file(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Flushes it to the disk and gives it the destination's name in one step; gives its size in bytes. Without `force` a
    /// file that appeared meanwhile is not replaced either.
    ///
    /// # Errors
    /// I/O errors, and [`Fault::Usage`] where the file has appeared.
    pub fn commit(self) -> Result<u64> {
        let Self { file, destination: Destination { path, force } } = self;
        let written = || format!("cannot write {}", path.display());
        // By name: another program may have put a file of its own in its place.
        let complete = File::open(file.path()).with_context(written)?;
        complete.sync_all().with_context(written)?;
        let bytes = complete.metadata()?.len();
        if path.exists() && !is_regular(&path) {
            io::copy(&mut { complete }, &mut File::options().write(true).open(&path)?).with_context(written)?;
            return Ok(bytes);
        }
        let renamed = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
        renamed
            .map_err(|e| match e.error.kind() {
                io::ErrorKind::AlreadyExists => usage_fault("it has appeared meanwhile; --force overwrites it"),
                _ => e.error.into(),
            })
            .with_context(written)?;
        // The new name itself must reach the disk; not every file system lets a folder be flushed.
        let _ = File::open(folder_of(&path)).and_then(|f| f.sync_all());
        Ok(bytes)
    }
}

/// Whether two paths are one file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => one == other,
    }
}

fn is_regular(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file())
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_not_overwritten_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.inr");
        let early = Destination::new(&path, false, false).unwrap();
        Destination::new(&path, false, false).unwrap().write(b"one").unwrap();
        assert!(Destination::new(&path, false, false).is_err());
        assert!(early.write(b"two").is_err(), "a file that appeared after the check is protected as well");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        Destination::new(&path, true, false).unwrap().write(b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
        assert!(Destination::new(&folder.path().join("none/a.inr"), false, false).is_err());
        assert!(Destination::new(folder.path(), true, false).is_err());
    }
}
