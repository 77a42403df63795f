//! Chunk checksums and `.meta` files as files: the engine computes the sums and knows the format.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::MetaHeader;

use crate::failure::{Failure, Result};
use crate::io::{open_regular, read_at, write_all_at};

/// Bytes before the sums in a `.meta` file.
pub const HEADER_LEN: usize = MetaHeader::LEN;

/// Bytes of one sum.
pub const SUM_LEN: usize = 4;

/// Bytes of a block that are summed at once.
const PIECE: usize = 256 << 10;

/// A kind of chunk checksums: the function, and the bytes under one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SumKind(ChunkedChecksum);

impl From<ChunkedChecksum> for SumKind {
    fn from(checksum: ChunkedChecksum) -> Self {
        Self(checksum)
    }
}

impl fmt::Display for SumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {} bytes", self.name(), self.bytes_per_checksum())
    }
}

impl SumKind {
    /// HDFS's default: CRC32C over 512 bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`] for a kernel that is not to be had (`RESTRIPE_KERNEL`).
    pub fn usual() -> Result<Self> {
        let usual = ChunkedChecksum::new(ChecksumKind::Crc32c, 512);
        usual.map(Self).map_err(Failure::engine("choosing a kernel"))
    }

    fn new(kind: ChecksumKind, bytes_per_checksum: usize) -> Option<Self> {
        ChunkedChecksum::new(kind, bytes_per_checksum).ok().map(Self)
    }

    /// The kind that a manifest names; `None` for one without sums or an unknown one.
    #[must_use]
    pub fn named(name: &str, bytes_per_checksum: u64) -> Option<Self> {
        let kind = match name {
            "CRC32" => ChecksumKind::Crc32,
            "CRC32C" => ChecksumKind::Crc32c,
            _ => return None,
        };
        Self::new(kind, usize::try_from(bytes_per_checksum).ok()?)
    }

    /// The name of the function as HDFS and the manifest have it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.0.kind() {
            ChecksumKind::Crc32 => "CRC32",
            ChecksumKind::Crc32c => "CRC32C",
            _ => "NULL",
        }
    }

    /// What computes them.
    #[must_use]
    pub fn checksum(&self) -> ChunkedChecksum {
        self.0
    }

    /// Bytes under one sum.
    #[must_use]
    pub fn bytes_per_checksum(&self) -> usize {
        self.0.bytes_per_checksum()
    }

    /// What they are computed with on this CPU, in words.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.0.method()
    }

    /// Whether there are no sums at all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0.kind() == ChecksumKind::Null
    }

    /// What a `.meta` file begins with.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER_LEN] {
        MetaHeader::new(self.0).encode()
    }

    /// Bytes of the `.meta` file of a block of `len` bytes; where the sum of the chunk at byte
    /// `len` is, if that is where a chunk begins.
    #[must_use]
    pub fn meta_len(&self, len: u64) -> u64 {
        // Only of chunks shorter than their sums could it be more than 64 bits tell.
        MetaHeader::new(self.0).meta_len(len).unwrap_or(u64::MAX)
    }

    /// Appends the sums of some chunks.
    pub fn append(&self, data: &[u8], sums: &mut Vec<u8>) {
        let start = sums.len();
        let count = data.len().div_ceil(self.bytes_per_checksum());
        sums.resize(start + count * self.0.kind().size(), 0);
        // Refused only where the lengths do not fit, and they were made to.
        let computed = self.0.compute(data, &mut sums[start..]);
        debug_assert!(computed.is_ok());
    }

    /// The sums of some chunks.
    #[must_use]
    pub fn sums(&self, data: &[u8]) -> Vec<u8> {
        let mut sums = Vec::new();
        self.append(data, &mut sums);
        sums
    }

    /// What a `.meta` file begins with.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(header: &[u8]) -> restripe::Result<Self> {
        MetaHeader::decode(header).map(|header| Self(header.checksum()))
    }

    /// The kind of a `.meta` file, if it can be read and has one.
    #[must_use]
    pub fn of_meta_file(path: &Path) -> Option<Self> {
        let (file, _) = open_regular(path).ok()?;
        let mut header = [0; HEADER_LEN];
        let read = read_at(&file, &mut header, 0).ok()?;
        Self::parse(&header[..read]).ok()
    }

    fn piece(&self) -> usize {
        PIECE.next_multiple_of(self.bytes_per_checksum())
    }
}

/// Writes the `.meta` file of the first `len` bytes of a block.
///
/// # Errors
///
/// What the system says; `UnexpectedEof` for a shorter block.
pub fn write_meta(data: &File, len: u64, kind: SumKind, meta: &File) -> io::Result<()> {
    let mut buffer = vec![0; kind.piece()];
    let mut sums = Vec::new();
    write_all_at(meta, &kind.header(), 0)?;
    let mut offset = 0;
    while offset < len {
        let want = (len - offset).min(buffer.len() as u64) as usize;
        if read_at(data, &mut buffer[..want], offset)? < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sums.clear();
        kind.append(&buffer[..want], &mut sums);
        write_all_at(meta, &sums, kind.meta_len(offset))?;
        offset += want as u64;
    }
    Ok(())
}

/// Whether a block has exactly `len` bytes and its `.meta` file exactly the sums of these.
///
/// # Errors
///
/// What the system says.
pub fn agree(data: &File, len: u64, kind: SumKind, meta: &File) -> io::Result<bool> {
    if data.metadata()?.len() != len || meta.metadata()?.len() != kind.meta_len(len) {
        return Ok(false);
    }
    let mut header = [0; HEADER_LEN];
    if read_at(meta, &mut header, 0)? < HEADER_LEN || header != kind.header() {
        return Ok(false);
    }
    let mut buffer = vec![0; kind.piece()];
    let (mut computed, mut stored) = (Vec::new(), Vec::new());
    let mut offset = 0;
    while offset < len {
        let want = (len - offset).min(buffer.len() as u64) as usize;
        if read_at(data, &mut buffer[..want], offset)? < want {
            return Ok(false);
        }
        computed.clear();
        kind.append(&buffer[..want], &mut computed);
        stored.resize(computed.len(), 0);
        let read = read_at(meta, &mut stored, kind.meta_len(offset))?;
        if read < stored.len() || stored != computed {
            return Ok(false);
        }
        offset += want as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meta_file_agrees_with_its_block_and_with_no_other() {
        let file = |bytes: &[u8]| {
            let file = tempfile::tempfile().unwrap();
            write_all_at(&file, bytes, 0).unwrap();
            file
        };
        let kind = SumKind::usual().unwrap();
        let bytes: Vec<u8> =
            (0..700_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let len = bytes.len() as u64;
        let meta = tempfile::tempfile().unwrap();
        write_meta(&file(&bytes), len, kind, &meta).unwrap();
        assert_eq!(meta.metadata().unwrap().len(), kind.meta_len(len));
        assert!(agree(&file(&bytes), len, kind, &meta).unwrap());
        for index in [0, 511, 512, 300_000, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x10;
            assert!(!agree(&file(&damaged), len, kind, &meta).unwrap(), "{index}");
        }
        assert!(!agree(&file(&bytes[1..]), len, kind, &meta).unwrap());
        assert!(!agree(&file(&bytes), len - 1, kind, &meta).unwrap());
        let other = SumKind::named("CRC32", 512).unwrap();
        assert!(!agree(&file(&bytes), len, other, &meta).unwrap());
    }

    #[test]
    fn kinds_have_names_and_unknown_ones_have_none() {
        let crc32 = SumKind::named("CRC32", 1024).unwrap();
        assert_eq!(crc32.to_string(), "CRC32 over 1024 bytes");
        assert_eq!(SumKind::parse(&crc32.header()), Ok(crc32));
        for (name, bytes_per_checksum) in
            [("MD5", 512), ("NULL", 512), ("CRC32", 0), ("CRC32", u64::MAX)]
        {
            assert_eq!(SumKind::named(name, bytes_per_checksum), None, "{name}");
        }
    }
}
