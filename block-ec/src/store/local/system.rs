//! What differs between operating systems.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use crate::file;
use crate::identity::Identity;

#[cfg(unix)]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    let modified =
        metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        len: metadata.len(),
        modified,
        version: String::new(),
    }
}

#[cfg(not(unix))]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    let since = metadata.modified().ok();
    let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
    Identity { len: metadata.len(), modified, ..Identity::default() }
}

#[cfg(unix)]
pub(super) fn owner(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid().to_string()
}

#[cfg(not(unix))]
pub(super) fn owner(_metadata: &Metadata) -> String {
    String::new()
}

/// Opens a file for reading: not what a symbolic link points to, and without waiting for a writer
/// where it is a pipe.
#[cfg(unix)]
pub(super) fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        // A symbolic link, a socket: no file.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => {
            Err(io::ErrorKind::NotFound.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Names of the file, itself included.
#[cfg(unix)]
pub(super) fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
pub(super) fn links(_metadata: &Metadata) -> u64 {
    1
}

/// Puts the folder of a path on the disk, so that names created or removed in it stay so.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), file::sync_folder)
}

/// Exchanges two files in one act; false where the system or the file system cannot.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (one, other);
        Ok(false)
    }
}

/// Gives `to` the mode, owner, extended attributes (access control lists among them) and times of
/// `from`. All of it or an error: a file that came back as somebody else's would not be healed.
pub(super) fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    let metadata = from.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let mine = to.metadata()?;
        if (mine.uid(), mine.gid()) != (metadata.uid(), metadata.gid()) {
            fchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    // After the owner, whose change takes set-user-id bits away.
    to.set_permissions(metadata.permissions())?;
    copy_extended(from, to)?;
    let mut times = std::fs::FileTimes::new().set_modified(metadata.modified()?);
    if let Ok(accessed) = metadata.accessed() {
        times = times.set_accessed(accessed);
    }
    to.set_times(times)
}

#[cfg(target_os = "linux")]
fn copy_extended(from: &File, to: &File) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    use rustix::io::Errno;
    // As long as the kernel lets them be.
    const LONGEST: usize = 64 << 10;
    let mut names = vec![0; LONGEST];
    let len = match flistxattr(from, &mut names) {
        Ok(len) => len,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut value = vec![0; LONGEST];
    for name in names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let len = fgetxattr(from, name, &mut value)?;
        // What the draft got by itself needs no setting, and setting a label may be forbidden.
        let mut mine = vec![0; LONGEST];
        if fgetxattr(to, name, &mut mine).is_ok_and(|there| mine[..there] == value[..len]) {
            continue;
        }
        fsetxattr(to, name, &value[..len], XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn copy_extended(_from: &File, _to: &File) -> io::Result<()> {
    Ok(())
}
