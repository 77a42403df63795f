//! Content that is written beside its place and takes it in one act.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{LocalSource, system, unless_missing};
use crate::error::{Error, Result};
use crate::file;
use crate::hook::Hook;
use crate::identity::Identity;
use crate::store::{Draft, Publish, Published, Source};

#[derive(Debug)]
pub(super) struct LocalDraft {
    /// As the store's user knows it.
    path: String,
    target: PathBuf,
    part: PathBuf,
    file: File,
    hook: Hook,
    /// Whether the part is there and ours to remove.
    unfinished: bool,
}

impl LocalDraft {
    pub(super) fn create(path: &str, target: PathBuf, part: PathBuf, hook: Hook) -> Result<Self> {
        let create = || {
            hook.before("create")?;
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            // Nobody else's to read before it has its file's mode.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(&part)
        };
        let file = create().map_err(Error::store("write beside", path))?;
        Ok(Self { path: path.to_owned(), target, part, file, hook, unfinished: true })
    }

    fn publish_new(&self) -> io::Result<Identity> {
        if unless_missing(fs::symlink_metadata(&self.target))?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.hook.before("rename")?;
        let identity = system::identity(&self.file.metadata()?);
        fs::rename(&self.part, &self.target)?;
        Ok(identity)
    }

    /// Who the draft is in its place; `None` where the file is not the one that was meant, which is
    /// then as it was.
    fn replace(&self, meant: &Identity) -> io::Result<Option<Identity>> {
        let Some(old) = unless_missing(File::open(&self.target))? else { return Ok(None) };
        let metadata = old.metadata()?;
        if system::identity(&metadata) != *meant {
            return Ok(None);
        }
        if system::links(&metadata) > 1 {
            return Err(io::Error::other("it has several hard links, which a new file would part"));
        }
        self.hook.before("set attributes")?;
        system::copy_attributes(&old, &self.file)?;
        self.hook.before("sync")?;
        self.file.sync_all()?;
        // Not later: once it is in its place, its owner may write it.
        let healed = system::identity(&self.file.metadata()?);
        self.hook.before("exchange")?;
        if system::exchange(&self.part, &self.target)? {
            // Whatever was at the path a moment ago is at the draft's now: nothing is lost if it
            // was not what we meant.
            let there = system::identity(&fs::symlink_metadata(&self.part)?);
            if there != *meant || system::identity(&old.metadata()?) != *meant {
                self.hook.before("exchange back")?;
                system::exchange(&self.part, &self.target)?;
                return Ok(None);
            }
            self.hook.before("unlink")?;
            fs::remove_file(&self.part)?;
            return Ok(Some(healed));
        }
        if unless_missing(fs::symlink_metadata(&self.target))?
            .is_none_or(|now| system::identity(&now) != *meant)
        {
            return Ok(None);
        }
        fs::rename(&self.part, &self.target)?;
        Ok(Some(healed))
    }
}

impl Draft for LocalDraft {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.hook
            .before("write")
            .and_then(|()| file::write_all_at(&self.file, bytes, offset))
            .map_err(Error::store("write beside", &*self.path))
    }

    fn sync(&mut self) -> Result<Identity> {
        let sync = || {
            self.hook.before("sync")?;
            self.file.sync_all()?;
            self.file.metadata()
        };
        Ok(system::identity(&sync().map_err(Error::store("sync the draft of", &*self.path))?))
    }

    fn read_back(&self) -> Result<Option<Box<dyn Source>>> {
        file::forget_cached(&self.file);
        let file = self.file.try_clone().map_err(Error::store("read back", &*self.path))?;
        Ok(Some(Box::new(LocalSource { file, path: self.path.clone() })))
    }

    fn publish(mut self: Box<Self>, how: Publish<'_>) -> Result<Published> {
        let published = match how {
            Publish::New => self.publish_new().map(Some),
            Publish::InPlaceOf(meant) => self.replace(meant),
        };
        let published =
            published.map_err(Error::store("put the new file in place of", &*self.path))?;
        let Some(identity) = published else { return Ok(Published::Changed) };
        self.unfinished = false;
        if let Err(error) = system::sync_folder_of(&self.target) {
            // A new file that is not said to be there is not to be there.
            if matches!(how, Publish::New) {
                self.unfinished = fs::rename(&self.target, &self.part).is_ok();
            }
            return Err(Error::store("sync the folder of", &*self.path)(error));
        }
        Ok(Published::Done(identity))
    }
}

impl Drop for LocalDraft {
    fn drop(&mut self) {
        // After an exchange that an error interrupted, the part may be the owner's file.
        let ours = || -> io::Result<bool> {
            let part = system::identity(&fs::symlink_metadata(&self.part)?);
            Ok(part.inode == system::identity(&self.file.metadata()?).inode)
        };
        if self.unfinished && ours().unwrap_or(false) && self.hook.before("unlink").is_ok() {
            // What stays is removed by the next start.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// See [`Store::settle`](crate::store::Store::settle).
pub(super) fn settle(
    path: &str,
    target: &Path,
    part: &Path,
    exchange: Option<(&Identity, &Identity)>,
    hook: &Hook,
) -> Result<()> {
    let settle = || -> io::Result<()> {
        let Some(there) = unless_missing(fs::symlink_metadata(part))? else { return Ok(()) };
        if let Some((replaced, draft)) = exchange {
            let there = system::identity(&there);
            let is_draft = (there.device, there.inode) == (draft.device, draft.inode);
            if !is_draft && there != *replaced {
                // The owner's: it was exchanged for the draft in the moment before the end.
                hook.before("rename")?;
                return fs::rename(part, target);
            }
        }
        hook.before("unlink")?;
        fs::remove_file(part)
    };
    settle().map_err(Error::store("clean up beside", path))
}
