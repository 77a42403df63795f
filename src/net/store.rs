//! A folder of blocks: finding replicas, and putting new ones into it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::string::ToString;
use std::sync::{Arc, Mutex, PoisonError};
use std::{format, vec, vec::Vec};

use super::file::sync_folder;
use super::{BlockReceiver, Error, Replica, Result};
use crate::checksum::ChunkedChecksum;
use crate::hdfs::{BlockFileName, BlockId};

/// What the name of an unfinished file ends in: never a block's name.
pub(super) const UNFINISHED: &str = ".restripe-part";

/// A folder with the files of blocks, as a datanode keeps them: `blk_<id>` and
/// `blk_<id>_<generation stamp>.meta`.
///
/// Blocks are looked for in the folder itself and in the subfolders that datanodes deal them to
/// (`subdir<i>/subdir<j>`); new ones are put into the folder itself.
#[derive(Clone, Debug)]
pub struct BlockStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    folder: PathBuf,
    writing: Option<Writing>,
}

/// What a store has that may be written to.
#[derive(Debug)]
struct Writing {
    /// The blocks that are being written.
    blocks: Mutex<HashSet<BlockId>>,
    /// Locked as long as it is open, so that no other store removes what is unfinished here.
    _lock: Option<File>,
}

impl BlockStore {
    /// A store for reading only.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where there is no such folder.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::read_dir(folder).map_err(|error| Error::file("open the folder", folder, error))?;
        Ok(Self { inner: Arc::new(Inner { folder: folder.into(), writing: None }) })
    }

    /// A store that takes new blocks, too. What a process that was killed left unfinished in the
    /// folder is removed.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; on Unix also where the folder is already open for writing.
    pub fn open_for_writing(folder: &Path) -> Result<Self> {
        let lock = lock(folder).map_err(|error| Error::file("lock the folder", folder, error))?;
        for name in names(folder)? {
            let block = name.strip_suffix(UNFINISHED).map(str::parse::<BlockFileName>);
            if let Some(Ok(_)) = block {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(|error| Error::file("remove", path, error))?;
            }
        }
        let writing = Writing { blocks: Mutex::default(), _lock: lock };
        Ok(Self { inner: Arc::new(Inner { folder: folder.into(), writing: Some(writing) }) })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Whether it takes new blocks.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.inner.writing.is_some()
    }

    /// The replica of a block with the generation stamp given or, where it has not that one, the
    /// newest later one: 0 finds any.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::File`] and [`Error::Replica`] as [`Replica::open`].
    pub fn find(&self, id: BlockId, generation_stamp: u64) -> Result<Replica> {
        let not_found =
            || Error::NotFound { block: id, generation_stamp, folder: self.folder().to_path_buf() };
        let folder = self.folder_of(id).ok_or_else(not_found)?;
        let data_name = BlockFileName::Data { id }.to_string();
        let meta_name = |generation_stamp| BlockFileName::Meta { id, generation_stamp }.to_string();
        let mut found = generation_stamp;
        if !folder.join(meta_name(found)).exists() {
            let stamps = names(&folder)?.into_iter().filter_map(|name| match name.parse() {
                Ok(BlockFileName::Meta { id: other, generation_stamp }) if other == id => {
                    Some(generation_stamp)
                }
                _ => None,
            });
            found = stamps.max().filter(|&stamp| stamp > generation_stamp).ok_or_else(not_found)?;
        }
        Replica::open(id, found, &folder.join(data_name), &folder.join(meta_name(found)))
    }

    /// Begins a new block. Its files have other names until it is whole; dropped before, it
    /// leaves nothing.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`]; [`Error::Exists`] for a block that is there, whatever its generation
    /// stamp, or is being written; [`Error::File`].
    pub fn create(
        &self,
        id: BlockId,
        generation_stamp: u64,
        checksum: ChunkedChecksum,
    ) -> Result<BlockReceiver> {
        let reserved = Reserved::new(&self.inner, id)?;
        if self.folder_of(id).is_some() {
            return Err(Error::Exists {
                block: id,
                unfinished: false,
                folder: self.folder().into(),
            });
        }
        BlockReceiver::create(self.folder(), id, generation_stamp, checksum, reserved)
    }

    /// The folder or subfolder with a block's data, whether or not it has checksums.
    fn folder_of(&self, id: BlockId) -> Option<PathBuf> {
        let name = BlockFileName::Data { id }.to_string();
        // DatanodeUtil.idToBlockDir: bits 16 to 20 and 8 to 12 of the id.
        let dealt = format!("subdir{}/subdir{}", id.0 >> 16 & 0x1F, id.0 >> 8 & 0x1F);
        let folders = [self.folder().to_path_buf(), self.folder().join(dealt)];
        folders.into_iter().find(|folder| folder.join(&name).exists())
    }
}

/// The right to write a block: nobody else has it at the same time.
#[derive(Debug)]
pub(super) struct Reserved {
    inner: Arc<Inner>,
    id: BlockId,
}

impl Reserved {
    fn new(inner: &Arc<Inner>, id: BlockId) -> Result<Self> {
        let folder = || inner.folder.clone();
        let writing = inner.writing.as_ref().ok_or_else(|| Error::ReadOnly { folder: folder() })?;
        // Entries are single insertions and removals: a panic elsewhere leaves the set whole.
        let mut blocks = writing.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if !blocks.insert(id) {
            return Err(Error::Exists { block: id, unfinished: true, folder: folder() });
        }
        Ok(Self { inner: Arc::clone(inner), id })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(writing) = &self.inner.writing {
            writing.blocks.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        }
    }
}

/// The names in a folder that are text; others are none of ours.
fn names(folder: &Path) -> Result<Vec<std::string::String>> {
    let failed = |error| Error::file("read the folder", folder, error);
    let mut names = vec![];
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// Locks a folder against other stores that write to it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    fs::read_dir(folder)?;
    // Elsewhere folders cannot be opened as files.
    if !cfg!(unix) {
        return Ok(None);
    }
    let handle = File::open(folder)?;
    match handle.try_lock() {
        Ok(()) => Ok(Some(handle)),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::other("another process writes blocks to it"))
        }
        // Some network file systems lock no folders: then only this process is kept in order.
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

/// Puts the names of a folder on the disk.
pub(super) fn sync(folder: &Path) -> Result<()> {
    sync_folder(folder).map_err(|error| Error::file("sync the folder", folder, error))
}
