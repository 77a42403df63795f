//! Files that are being written: never seen under their own name before they are whole, and gone
//! when the command fails or is stopped.
//!
//! One table names everything that is unfinished at this moment. Creating a file and entering it,
//! and renaming a file and striking it off, happen under the table's lock; Ctrl-C takes the lock,
//! removes what the table names and ends the process with the lock still held. So there is no
//! moment at which an unfinished file is not in the table. After kill -9 the files stay, with
//! names that tell what they are ([`PART_SUFFIX`](crate::folder::names::PART_SUFFIX)), and the
//! next run removes them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::folder::names;
use crate::io::parent;

/// What is removed when the command stops half-way.
enum Leftover {
    File(PathBuf),
    Folder(PathBuf),
}

impl Leftover {
    fn remove(&self) {
        // Nobody is left to be told when this fails; the next run removes what stayed.
        let _ = match self {
            Self::File(path) => fs::remove_file(path),
            Self::Folder(path) => fs::remove_dir(path),
        };
    }
}

struct Table {
    next: u64,
    leftovers: BTreeMap<u64, Leftover>,
}

static TABLE: Mutex<Table> = Mutex::new(Table { next: 0, leftovers: BTreeMap::new() });

fn table() -> MutexGuard<'static, Table> {
    // Entries are single insertions and removals: a panic elsewhere leaves the table whole.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the command ends by itself when it is asked to, and whether it has been.
static GENTLE: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(false);

/// From here on the first Ctrl-C, SIGTERM or SIGHUP only sets what this returns: the command looks
/// at it and ends by itself. A second one ends the process.
pub fn stop_gently() -> &'static AtomicBool {
    GENTLE.store(true, Ordering::Relaxed);
    &STOP
}

/// Makes Ctrl-C, SIGTERM and SIGHUP remove what is unfinished and end the process with
/// [`Exit::Interrupted`].
pub fn handle_signals() {
    let handler = || {
        if GENTLE.load(Ordering::Relaxed) && !STOP.swap(true, Ordering::Relaxed) {
            return;
        }
        let table = table();
        let some = !table.leftovers.is_empty();
        for leftover in table.leftovers.values().rev() {
            leftover.remove();
        }
        eprintln!(
            "\nrestripe: stopped{}",
            if some { "; what was unfinished has been removed" } else { "" }
        );
        std::process::exit(i32::from(Exit::Interrupted.code()));
    };
    // Without a handler the signals end the process as they always do, and the next run cleans up.
    let _ = ctrlc::set_handler(handler);
}

/// Makes a panic of any thread remove what is unfinished and end the process, instead of leaving
/// the other threads to wait for one that is gone.
pub fn handle_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        for leftover in table().leftovers.values().rev() {
            leftover.remove();
        }
        eprintln!("restripe: this is a fault of the program; please report it");
        std::process::exit(i32::from(Exit::Failed.code()));
    }));
}

/// A file or folder that is removed again unless it is [kept](Self::keep).
#[derive(Debug)]
pub struct Undo {
    entry: u64,
}

impl Undo {
    fn enter(table: &mut Table, leftover: Leftover) -> Self {
        let entry = table.next;
        table.next += 1;
        table.leftovers.insert(entry, leftover);
        Self { entry }
    }

    /// Creates a file that must not exist yet.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] with the path.
    pub fn create_file(path: &Path) -> Result<(File, Self)> {
        let mut table = table();
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|error| Failure::io("create", path, error))?;
        Ok((file, Self::enter(&mut table, Leftover::File(path.to_owned()))))
    }

    /// Creates a folder that must not exist yet.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] with the path.
    pub fn create_folder(path: &Path) -> Result<Self> {
        let mut table = table();
        fs::create_dir(path).map_err(|error| Failure::io("create the folder", path, error))?;
        Ok(Self::enter(&mut table, Leftover::Folder(path.to_owned())))
    }

    /// Strikes it off: it stays.
    pub fn keep(self) {
        table().leftovers.remove(&self.entry);
        std::mem::forget(self);
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let leftover = table().leftovers.remove(&self.entry);
        if let Some(leftover) = leftover {
            leftover.remove();
        }
    }
}

/// A file that is written beside its place and takes it only when it is whole.
///
/// Dropped without [`finish`](Self::finish) it is removed, and what stood in its place still
/// stands there.
#[derive(Debug)]
pub struct NewFile {
    target: PathBuf,
    part: PathBuf,
    file: File,
    undo: Undo,
}

impl NewFile {
    /// Begins a file that will be called `target`. What a killed run left of the same file is
    /// taken over.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`]; [`Failure::Folder`] when another process is writing that very file.
    pub fn create(target: &Path) -> Result<Self> {
        let name = target.file_name().ok_or_else(|| {
            Failure::folder(target, "is not the name of a file", "name a file to write")
        })?;
        let part = parent(target).join(names::part(name));
        let (file, undo) = {
            let mut table = table();
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&part).map_err(|error| Failure::io("create", &part, error))?;
            lock(&file, &part)?;
            file.set_len(0).map_err(|error| Failure::io("empty", &part, error))?;
            (file, Undo::enter(&mut table, Leftover::File(part.clone())))
        };
        Ok(Self { target: target.to_owned(), part, file, undo })
    }

    /// The open file, readable and writable.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The name that it has while it is written.
    #[must_use]
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Puts what was written on the disk.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`].
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| Failure::io("sync", &self.part, error))
    }

    /// Gives it its name, over what stood there. The caller has synced it, and syncs the folder.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`]; the target is then as it was.
    pub fn finish(&self) -> Result<()> {
        self.finish_with(&mut Vec::new())
    }

    /// [`finish`](Self::finish), and in the same moment `others` are kept, too.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`]; the target is then as it was, and the others are not kept.
    pub fn finish_with(&self, others: &mut Vec<Undo>) -> Result<()> {
        let mut table = table();
        fs::rename(&self.part, &self.target)
            .map_err(|error| Failure::io("rename the finished file to", &self.target, error))?;
        table.leftovers.remove(&self.undo.entry);
        for other in others.drain(..) {
            table.leftovers.remove(&other.entry);
            std::mem::forget(other);
        }
        Ok(())
    }
}

/// Takes the lock of an open file or folder, so that two runs do not write to one place.
///
/// # Errors
///
/// [`Failure::Folder`] when another process has it. A file system without locks is no error.
pub fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Failure::folder(
            path,
            "another restripe is writing here",
            "wait until it has ended, then run the command again",
        )),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Locks a folder for writing as long as the value lives.
///
/// # Errors
///
/// As [`lock`]; [`Failure::Io`] when the folder cannot be opened.
pub fn lock_folder(folder: &Path) -> Result<Option<File>> {
    match File::open(folder) {
        Ok(handle) => lock(&handle, folder).map(|()| Some(handle)),
        // Windows opens no folders as files.
        Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(Failure::io("open the folder", folder, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_takes_its_name_only_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        fs::write(&target, "old").unwrap();

        let mut new = NewFile::create(&target).unwrap();
        new.file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        drop(new);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let mut new = NewFile::create(&target).unwrap();
        new.file.write_all(b"new").unwrap();
        new.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_run_left_is_taken_over_but_not_what_a_live_one_writes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let part = folder.path().join("file.restripe-part");
        fs::write(&part, "half").unwrap();
        let first = NewFile::create(&target).unwrap();
        assert_eq!(first.file().metadata().unwrap().len(), 0);
        let second = NewFile::create(&target).unwrap_err().to_string();
        assert!(second.contains("another restripe"), "{second}");
        assert!(part.exists());
        drop(first);
        assert!(!part.exists());
    }

    #[test]
    fn what_is_not_kept_is_removed_inside_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let undo =
            (Undo::create_folder(&path).unwrap(), Undo::create_file(&path.join("a")).unwrap());
        drop(undo.1);
        drop(undo.0);
        assert!(!path.exists());

        let folder_undo = Undo::create_folder(&path).unwrap();
        let (_, file_undo) = Undo::create_file(&path.join("a")).unwrap();
        file_undo.keep();
        folder_undo.keep();
        assert!(path.join("a").exists());
    }
}
