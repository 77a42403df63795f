//! Where files are: a file system or an object store, behind one trait.
//!
//! Data and parity may be in different stores. HDFS is to be one more: what only it has
//! (replication, placement of blocks) is in the trait already, with answers for stores without.

use std::fmt::Debug;
use std::io;
use std::ops::Range;

use crate::error::Result;
use crate::identity::{Entry, Identity};

mod local;
#[cfg(feature = "object")]
mod object;

pub use local::LocalStore;
#[cfg(feature = "object")]
pub use object::ObjectStore;

/// What a listing meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file.
    File(Entry),
    /// Something that was not looked at.
    Skipped {
        /// Where it is; for a folder, with all that is below it.
        path: String,
        /// Why: a sentence for people.
        why: String,
        /// Whether it may hold files of the user's: a folder that cannot be read, not a socket.
        matters: bool,
    },
}

/// Where a block of a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlacement {
    /// The bytes of the file.
    pub range: Range<u64>,
    /// The machines that hold it.
    pub hosts: Vec<String>,
}

/// A place with files that are listed, read by ranges, and written anew but never written over.
pub trait Store: Send + Sync + Debug {
    /// What it is, for people: its folder or address.
    fn name(&self) -> String;

    /// Every file that is `under` or below it, folder by folder and in order of names within one.
    ///
    /// # Errors
    ///
    /// What `found` returns. What the store refuses is given to it.
    fn list(&self, under: &str, found: &mut dyn FnMut(Found) -> Result<()>) -> Result<()>;

    /// A file, or `None` where there is none.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn entry(&self, path: &str) -> Result<Option<Entry>>;

    /// Opens a file for reading; `None` where there is none.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn open(&self, path: &str) -> Result<Option<Box<dyn Source>>>;

    /// Begins the content of a file of `len` bytes that will be at `path`, beside whatever is there
    /// now. `number` tells it from all other drafts of this store.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn create(&self, path: &str, number: u64, len: u64) -> Result<Box<dyn Draft>>;

    /// Ends what a process that died began with [`create`](Self::create): the draft is removed; or,
    /// where the owner's own content had been exchanged for it at the last moment, that is put
    /// back. `replaced` is what was to be replaced, and `draft` what [`Draft::sync`] had given, if
    /// it came so far.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn settle(
        &self,
        path: &str,
        number: u64,
        replaced: Option<&Identity>,
        draft: Option<&Identity>,
    ) -> Result<()>;

    /// Removes a file for good. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn remove(&self, path: &str) -> Result<()>;

    /// Whether drafts have to be written from the first byte to the last.
    fn writes_in_order(&self) -> bool {
        false
    }

    /// How many copies the store keeps of a file, where it keeps several.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn replication(&self, _path: &str) -> Result<Option<u16>> {
        Ok(None)
    }

    /// Changes how many copies the store keeps. Called when a file's parity is recorded, never
    /// before.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn set_replication(&self, _path: &str, _copies: u16) -> Result<()> {
        Ok(())
    }

    /// Where the blocks of a file lie, where the store tells: units of a group must not share a
    /// machine.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn placement(&self, _path: &str) -> Result<Vec<BlockPlacement>> {
        Ok(Vec::new())
    }
}

/// A file that is open for reading.
pub trait Source: Send + Sync {
    /// Who it is, asked anew: a file that changes while it is open changes here, too.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn identity(&self) -> Result<Identity>;

    /// Reads from `offset` on until the buffer is full or the file ends; returns the bytes read.
    ///
    /// # Errors
    ///
    /// What the store says; what was read before that is lost.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// The content of a file that is being written and has not yet taken its place.
///
/// Dropped before [`publish`](Self::publish) it is removed.
pub trait Draft: Send + Sync {
    /// Writes bytes at an offset, from several threads at a time. Of a store that
    /// [writes in order](Store::writes_in_order) offsets have to follow each other.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Puts what was written on the disk, and tells who the draft is.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn sync(&mut self) -> Result<Identity>;

    /// Opens what was synced, to be read back: from the disk where the system allows to ask for
    /// that. `None` where a draft cannot be read before it is published.
    ///
    /// # Errors
    ///
    /// What the store refuses.
    fn read_back(&self) -> Result<Option<Box<dyn Source>>>;

    /// Gives the draft its path, for good.
    ///
    /// With [`Publish::New`] nothing may be there. With [`Publish::InPlaceOf`] the file there takes
    /// its content from the draft and keeps its mode, owner, times and extended attributes; if it
    /// is no longer the file that is named, nothing happens.
    ///
    /// # Errors
    ///
    /// What the store refuses; the path is then as it was.
    fn publish(self: Box<Self>, how: Publish<'_>) -> Result<Published>;
}

/// What is at the path of a draft.
#[derive(Clone, Copy, Debug)]
pub enum Publish<'a> {
    /// Nothing.
    New,
    /// A file whose content is to be replaced, and who it is.
    InPlaceOf(&'a Identity),
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is at its path, and this is who it is now.
    Done(Identity),
    /// The file at the path has changed meanwhile, and is as its owner left it.
    Changed,
}
