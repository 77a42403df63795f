//! Checksums of whole files, as HDFS makes them of the chunk checksums that its datanodes keep.
//!
//! No data is read: an `hdfs dfs -checksum`, and the comparison that `distcp` makes, take the
//! checksums in the `.meta` files alone.
//!
//! The formats are those of Hadoop's `FileChecksumHelper` and `BlockChecksumHelper` (HDFS-8430 for
//! striped files, HDFS-13056 for composite CRCs), down to this: where they take the MD5 of some
//! MD5s, they take the whole buffer that those are in, of 32 bytes, twice that, and so on, with
//! the zeros at its end.

use alloc::string::String;
use core::fmt;

use md5::{Digest, Md5};

use crate::checksum::{ChecksumKind, ChunkedChecksum, Combiner};
use crate::layout::{Layout, StripedLayout};
use crate::{Error, Result};

/// What becomes of the chunk checksums: `dfs.checksum.combine.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CombineMode {
    /// `MD5MD5CRC`, HDFS's default: the MD5 of every block's MD5 of checksums. It depends on the
    /// lengths of chunks and blocks and on the striping.
    Md5OfMd5OfCrc,
    /// `COMPOSITE_CRC`: the CRC of the file's bytes, however they are stored.
    CompositeCrc,
}

/// The checksum of a file, as Hadoop's `FileSystem.getFileChecksum` gives it.
///
/// Its text is what `hdfs dfs -checksum` compares: `COMPOSITE-CRC32C:0xdd3e45a8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileChecksum {
    /// MD5s of MD5s of CRCs.
    Md5OfMd5OfCrc {
        /// The CRC: CRC32 for an empty file, whatever it was written with.
        kind: ChecksumKind,
        /// Bytes under one CRC; 0 for an empty file.
        bytes_per_checksum: u32,
        /// CRCs of the first block (of a striped file: of the first internal block); 0 for a file
        /// of one block.
        checksums_per_block: u64,
        /// The MD5 itself.
        md5: [u8; 16],
    },
    /// The CRC of the file's bytes.
    CompositeCrc {
        /// Which CRC.
        kind: ChecksumKind,
        /// The CRC itself.
        crc: u32,
    },
}

impl FileChecksum {
    /// The name that Hadoop gives the algorithm: `MD5-of-262144MD5-of-512CRC32C`.
    #[must_use]
    pub fn algorithm(&self) -> String {
        match *self {
            Self::Md5OfMd5OfCrc { kind, bytes_per_checksum, checksums_per_block, .. } => {
                let crc = crc_name(kind);
                alloc::format!("MD5-of-{checksums_per_block}MD5-of-{bytes_per_checksum}{crc}")
            }
            Self::CompositeCrc { kind, .. } => alloc::format!("COMPOSITE-{}", crc_name(kind)),
        }
    }
}

fn crc_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::Null => "NULL",
        ChecksumKind::Crc32 => "CRC32",
        ChecksumKind::Crc32c => "CRC32C",
    }
}

impl fmt::Display for FileChecksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.algorithm())?;
        match self {
            Self::Md5OfMd5OfCrc { md5, .. } => {
                md5.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
            Self::CompositeCrc { crc, .. } => write!(formatter, "0x{crc:08x}"),
        }
    }
}

/// Makes a [`FileChecksum`] of the chunk checksums of a file's blocks, which are given in order.
///
/// For the checksum of a file's first bytes, give blocks as if the file ended there: the chunk
/// that is cut has the checksum of what is left of it.
///
/// ```
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
/// use restripe::hdfs::{CombineMode, FileChecksumBuilder};
///
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
/// let mut file = FileChecksumBuilder::new(CombineMode::CompositeCrc, checksum)?;
/// for block in ["1234", "56789"] {
///     let mut sums = [0; 4];
///     checksum.compute(block.as_bytes(), &mut sums)?;
///     file.add_block(block.len() as u64, &sums)?;
/// }
/// assert_eq!(file.finish().to_string(), "COMPOSITE-CRC32C:0xe3069283");
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone)]
pub struct FileChecksumBuilder {
    mode: CombineMode,
    checksum: ChunkedChecksum,
    combiner: Combiner,
    blocks: u64,
    checksums_of_first: u64,
    md5: Md5OfMd5s,
    crc: u32,
}

impl FileChecksumBuilder {
    /// Begins with a file of no bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for [`ChecksumKind::Null`]: there is nothing to make a checksum of.
    pub fn new(mode: CombineMode, checksum: ChunkedChecksum) -> Result<Self> {
        let chunk_len = checksum.bytes_per_checksum() as u64;
        let combiner = Combiner::new(checksum.kind(), chunk_len).ok_or(Error::Invalid {
            what: "kind of checksum",
            got: crc_name(checksum.kind()).into(),
            expected: "a CRC",
        })?;
        let md5 = Md5OfMd5s::new();
        Ok(Self { mode, checksum, combiner, blocks: 0, checksums_of_first: 0, md5, crc: 0 })
    }

    /// Goes on by a replicated block of `len` bytes: `sums` are its chunk checksums, big-endian,
    /// as behind the header of its `.meta` file. A block of no bytes is none.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] where `sums` has another length than
    /// [`sums_len`](ChunkedChecksum::sums_len) says; nothing is done then.
    pub fn add_block(&mut self, len: u64, sums: &[u8]) -> Result<()> {
        self.checksum.check_sums_len(len, sums)?;
        if len == 0 {
            return Ok(());
        }
        match self.mode {
            CombineMode::Md5OfMd5OfCrc => self.md5.add(Md5::digest(sums).into()),
            CombineMode::CompositeCrc => self.crc = self.run_of_chunks(self.crc, len, sums),
        }
        self.count_block(sums);
        Ok(())
    }

    /// Goes on by a block group: `sums` has, for each of its data units, the chunk checksums of
    /// the internal block. A group of no bytes is none.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for another number of units and where an array has another length than
    /// [`sums_len`](ChunkedChecksum::sums_len) says of the internal block;
    /// [`Error::OutOfBounds`] where a composite CRC is asked for and chunks do not divide cells,
    /// for then no chunk checksums are those of the file's bytes in order. Nothing is done then.
    pub fn add_group<S: AsRef<[u8]>>(&mut self, group: &StripedLayout, sums: &[S]) -> Result<()> {
        let data_units = group.data_units();
        if sums.len() != data_units {
            let (what, got) = ("checksums of data units", sums.len());
            return Err(Error::Count { what, expected: data_units, got });
        }
        for (unit, sums) in sums.iter().enumerate() {
            self.checksum.check_sums_len(group.unit_len(unit), sums.as_ref())?;
        }
        if group.group_len() == 0 {
            return Ok(());
        }
        match self.mode {
            CombineMode::Md5OfMd5OfCrc => {
                let mut md5_of_group = Md5OfMd5s::new();
                for (unit, sums) in sums.iter().enumerate() {
                    if group.unit_len(unit) > 0 {
                        md5_of_group.add(Md5::digest(sums.as_ref()).into());
                    }
                }
                self.md5.add(md5_of_group.finish());
            }
            CombineMode::CompositeCrc => self.crc = self.cells_in_order(group, sums)?,
        }
        self.count_block(sums[0].as_ref());
        Ok(())
    }

    /// The checksum of the file whose blocks have been given.
    #[must_use]
    pub fn finish(self) -> FileChecksum {
        if self.blocks == 0 {
            // What Hadoop answers for an empty file in either mode.
            return FileChecksum::Md5OfMd5OfCrc {
                kind: ChecksumKind::Crc32,
                bytes_per_checksum: 0,
                checksums_per_block: 0,
                md5: self.md5.finish(),
            };
        }
        let kind = self.checksum.kind();
        match self.mode {
            CombineMode::Md5OfMd5OfCrc => FileChecksum::Md5OfMd5OfCrc {
                kind,
                bytes_per_checksum: self.checksum.bytes_per_checksum() as u32,
                checksums_per_block: if self.blocks > 1 { self.checksums_of_first } else { 0 },
                md5: self.md5.finish(),
            },
            CombineMode::CompositeCrc => FileChecksum::CompositeCrc { kind, crc: self.crc },
        }
    }

    fn count_block(&mut self, sums: &[u8]) {
        if self.blocks == 0 {
            self.checksums_of_first = (sums.len() / 4) as u64;
        }
        self.blocks += 1;
    }

    /// The CRC of what `crc` is of and `len` bytes more, whose chunk checksums are given.
    fn run_of_chunks(&self, crc: u32, len: u64, sums: &[u8]) -> u32 {
        let short_len = len % self.checksum.bytes_per_checksum() as u64;
        let (sums, _) = sums.as_chunks::<4>();
        let (whole, short) = match sums.split_last() {
            Some((last, whole)) if short_len > 0 => (whole, Some(*last)),
            _ => (sums, None),
        };
        let combine = |crc, &sum: &[u8; 4]| self.combiner.combine(crc, u32::from_be_bytes(sum));
        let crc = whole.iter().fold(crc, combine);
        short.map_or(crc, |sum| {
            self.checksum.kind().combine(crc, u32::from_be_bytes(sum), short_len)
        })
    }

    /// The CRC of what came before and the group's bytes in the file's order.
    fn cells_in_order<S: AsRef<[u8]>>(&self, group: &StripedLayout, sums: &[S]) -> Result<u32> {
        let (chunk_len, cell_size) = (self.checksum.bytes_per_checksum() as u64, group.cell_size());
        if cell_size % chunk_len != 0 {
            return Err(Error::OutOfBounds {
                what: "bytes per checksum",
                got: chunk_len,
                expected: "a divisor of the cell size",
            });
        }
        let mut crc = self.crc;
        for piece in group.pieces(0..group.group_len())? {
            let len = piece.group_range.end - piece.group_range.start;
            // Fits: both are within an array that is there.
            let first = (piece.offset / chunk_len * 4) as usize;
            let sums_len = (len.div_ceil(chunk_len) * 4) as usize;
            crc = self.run_of_chunks(crc, len, &sums[piece.unit].as_ref()[first..][..sums_len]);
        }
        Ok(crc)
    }
}

impl fmt::Debug for FileChecksumBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FileChecksumBuilder")
            .field("mode", &self.mode)
            .field("checksum", &self.checksum)
            .field("blocks", &self.blocks)
            .finish_non_exhaustive()
    }
}

/// The MD5 of MD5s one behind the other in a buffer that begins with 32 bytes and doubles: of the
/// whole buffer.
#[derive(Clone)]
struct Md5OfMd5s {
    hasher: Md5,
    bytes: u64,
}

impl Md5OfMd5s {
    fn new() -> Self {
        Self { hasher: Md5::new(), bytes: 0 }
    }

    fn add(&mut self, md5: [u8; 16]) {
        self.hasher.update(md5);
        self.bytes += 16;
    }

    fn finish(mut self) -> [u8; 16] {
        let buffer = self.bytes.next_power_of_two().max(32);
        for _ in 0..(buffer - self.bytes) / 16 {
            self.hasher.update([0; 16]);
        }
        self.hasher.finalize().into()
    }
}
