//! One block as two files: the data, and the checksums beside it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::file::read_exact_at;
use super::{Error, Result};
use crate::checksum::ChunkedChecksum;
use crate::hdfs::{BlockId, MetaHeader};

/// A replica of a block, open for reading.
#[derive(Debug)]
pub struct Replica {
    id: BlockId,
    generation_stamp: u64,
    len: u64,
    header: MetaHeader,
    data: File,
    data_path: PathBuf,
    meta: File,
    meta_path: PathBuf,
    /// The checksum of the short chunk that a growing replica ends with.
    last_sum: Option<u32>,
}

impl Replica {
    /// Opens the two files of a finished block.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::Replica`] where the `.meta` file is none, or not one of a block
    /// of that length.
    pub fn open(
        id: BlockId,
        generation_stamp: u64,
        data_path: &Path,
        meta_path: &Path,
    ) -> Result<Self> {
        let data = (open(data_path)?, data_path.into());
        let meta = (open(meta_path)?, meta_path.into());
        Self::from_files(id, generation_stamp, data, meta)
    }

    /// As [`open`](Self::open), of files that are open: each with the name that errors give it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_files(
        id: BlockId,
        generation_stamp: u64,
        (data, data_path): (File, PathBuf),
        (meta, meta_path): (File, PathBuf),
    ) -> Result<Self> {
        let (len, meta_len) = (len_of(&data, &data_path)?, len_of(&meta, &meta_path)?);
        let damaged = |source| Error::Replica { path: meta_path.clone(), source };
        let mut bytes = [0; MetaHeader::LEN];
        let there = bytes.len().min(usize::try_from(meta_len).unwrap_or(usize::MAX));
        read_exact_at(&meta, &mut bytes[..there], 0)
            .map_err(|error| Error::file("read", &meta_path, error))?;
        let header = MetaHeader::decode(&bytes[..there]).map_err(damaged)?;
        let expected = header.meta_len(len).map_err(damaged)?;
        if meta_len != expected {
            return Err(damaged(crate::Error::Length {
                what: "metadata of block",
                index: 0,
                expected: usize::try_from(expected).unwrap_or(usize::MAX),
                got: usize::try_from(meta_len).unwrap_or(usize::MAX),
            }));
        }
        Ok(Self {
            id,
            generation_stamp,
            len,
            header,
            data,
            data_path,
            meta,
            meta_path,
            last_sum: None,
        })
    }

    /// A replica that is still being written, as far as it has `len` bytes. The files may grow
    /// meanwhile; `last_sum` is the checksum of the short chunk that those bytes end with, which
    /// the file may no longer have.
    pub(super) fn growing(
        id: BlockId,
        generation_stamp: u64,
        header: MetaHeader,
        len: u64,
        last_sum: Option<u32>,
        data: (File, PathBuf),
        meta: (File, PathBuf),
    ) -> Self {
        let ((data, data_path), (meta, meta_path)) = (data, meta);
        Self { id, generation_stamp, len, header, data, data_path, meta, meta_path, last_sum }
    }

    /// The block's id.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// The version of the block that it is.
    #[must_use]
    pub fn generation_stamp(&self) -> u64 {
        self.generation_stamp
    }

    /// Bytes of data.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its checksums.
    #[must_use]
    pub fn checksum(&self) -> ChunkedChecksum {
        self.header.checksum()
    }

    /// The file with the data.
    #[must_use]
    pub fn data_file(&self) -> &File {
        &self.data
    }

    /// Where the data is.
    #[must_use]
    pub fn data_path(&self) -> &Path {
        &self.data_path
    }

    /// Reads the data from `offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::File`], also where the file has become shorter.
    pub fn read_data(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&self.data, buffer, offset)
            .map_err(|error| Error::file("read", &self.data_path, error))
    }

    /// Reads the checksums of the chunks from `offset`, the start of a chunk, up to `end`.
    ///
    /// # Errors
    ///
    /// [`Error::File`], also where the file has become shorter; [`Error::Invalid`] where `sums`
    /// does not have the length of those checksums.
    pub fn read_sums(&self, offset: u64, end: u64, sums: &mut [u8]) -> Result<()> {
        let checksum = self.checksum();
        let expected = checksum.sums_len(end.saturating_sub(offset))?;
        if sums.len() as u64 != expected {
            return Err(Error::Invalid(crate::Error::Count {
                what: "bytes of checksums",
                expected: usize::try_from(expected).unwrap_or(usize::MAX),
                got: sums.len(),
            }));
        }
        let last_sum = self.last_sum.filter(|_| end == self.len && !sums.is_empty());
        let from_file_len = sums.len() - last_sum.map_or(0, |_| checksum.kind().size());
        let (from_file, last) = sums.split_at_mut(from_file_len);
        if let Some(last_sum) = last_sum {
            last.copy_from_slice(&last_sum.to_be_bytes());
        }
        let start = self.header.meta_len(offset)?;
        read_exact_at(&self.meta, from_file, start)
            .map_err(|error| Error::file("read", &self.meta_path, error))
    }
}

/// Opens a regular file: opening a pipe would wait for a writer.
fn open(path: &Path) -> Result<File> {
    let open = || {
        if fs::metadata(path)?.is_file() { File::open(path) } else { Err(no_file()) }
    };
    open().map_err(|error| Error::file("open", path, error))
}

/// How long a regular file is.
fn len_of(file: &File, path: &Path) -> Result<u64> {
    let metadata = file.metadata().map_err(|error| Error::file("read", path, error))?;
    if metadata.is_file() { Ok(metadata.len()) } else { Err(Error::file("read", path, no_file())) }
}

fn no_file() -> io::Error {
    io::Error::other("not a regular file")
}
