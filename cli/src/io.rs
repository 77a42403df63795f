//! Files by position, durably: the few system calls that everything else is made of.

use std::fs::File;
use std::io;
use std::path::Path;

pub use restripe_block_ec::file::{forget_cached, read_at, write_all_at};

use crate::failure::{Failure, Result};

/// Opens a file for reading, and its length, if it is a regular one: opening a pipe would wait for
/// somebody to write to it.
///
/// # Errors
///
/// What the system says, and for anything but a regular file.
pub fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata.len()))
}

/// Standard output as a file, without the line buffer that the standard library puts before it.
///
/// # Errors
///
/// What the system says.
pub fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    let output = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let output = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
    output.map(File::from)
}

/// Asks the system to begin reading a range of a file that will be read soon, so that disks work
/// while processors do. Advice only: where it cannot be given, nothing happens.
pub fn will_need(file: &File, offset: u64, len: u64) {
    #[cfg(target_os = "linux")]
    if let Some(len) = std::num::NonZeroU64::new(len) {
        let _ = rustix::fs::fadvise(file, offset, Some(len), rustix::fs::Advice::WillNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, len);
}

/// Puts a folder's list of names on the disk, so that files created or renamed in it stay.
///
/// # Errors
///
/// [`Failure::Io`] with the folder.
pub fn sync_folder(folder: &Path) -> Result<()> {
    restripe_block_ec::file::sync_folder(folder)
        .map_err(|error| Failure::io("sync the folder", folder, error))
}

/// The folder that a path lies in; `.` where the path has none.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Gives `file` the permissions, and where that is allowed the owner, of a file like it: a block
/// rebuilt by root must stay readable for the user that the datanode runs as.
///
/// # Errors
///
/// What the system says about the permissions. An owner that may not be given is no error.
pub fn dress_like(file: &File, model: &std::fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let _ = fchown(file, Some(model.uid()), Some(model.gid()));
    }
    file.set_permissions(model.permissions())
}

/// Lets this process have as many files open as the system allows it: a wide policy has hundreds
/// of block files a group.
pub fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
