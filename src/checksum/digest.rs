//! Chunk checksums of bytes that come in pieces.

use super::ChunkedChecksum;
use super::progress::Progress;
use crate::{Error, Result};

/// The checksums of one stream of bytes, computed or verified as the bytes come: pieces may have
/// any lengths and begin and end within chunks. Made by [`ChunkedChecksum::digest`].
#[derive(Clone)]
pub struct ChunkedDigest {
    checksum: ChunkedChecksum,
    progress: Progress,
    /// Chunks that have ended.
    chunks: usize,
}

impl ChunkedDigest {
    pub(super) fn new(checksum: ChunkedChecksum) -> Self {
        Self { checksum, progress: Progress::START, chunks: 0 }
    }

    /// Bytes that the checksums of the chunks take that come to an end within the next `len`
    /// bytes.
    #[must_use]
    pub fn update_len(&self, len: usize) -> usize {
        let chunks = self.progress.ends_within(self.checksum.bytes_per_checksum(), len);
        chunks.saturating_mul(self.checksum.kind().size())
    }

    /// Bytes that the checksum of the chunk that has begun takes, if one has.
    #[must_use]
    pub fn finish_len(&self) -> usize {
        if self.progress.is_within_chunk() { self.checksum.kind().size() } else { 0 }
    }

    /// Goes on by `data`; the checksums of the chunks that come to an end within it are written to
    /// `sums`, big-endian.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless `sums` has [`update_len`](Self::update_len) bytes; nothing is done
    /// then.
    pub fn update(&mut self, data: &[u8], sums: &mut [u8]) -> Result<()> {
        check_len(self.update_len(data.len()), sums.len())?;
        let Some(crc) = self.checksum.crc() else { return Ok(()) };
        let (sums, _) = sums.as_chunks_mut::<4>();
        self.progress.sums(crc, self.checksum.bytes_per_checksum(), data, 0, sums);
        self.chunks += sums.len();
        Ok(())
    }

    /// Goes on by `data`, of which the chunks that come to an end within it should have the
    /// checksums `sums`.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless `sums` has [`update_len`](Self::update_len) bytes, and nothing is
    /// done then. [`Error::ChecksumMismatch`] for the first chunk that does not have its checksum,
    /// counted from the first byte of the stream; the digest is of no more use.
    pub fn verify(&mut self, data: &[u8], sums: &[u8]) -> Result<()> {
        check_len(self.update_len(data.len()), sums.len())?;
        let Some(crc) = self.checksum.crc() else { return Ok(()) };
        let (sums, _) = sums.as_chunks::<4>();
        let chunk_len = self.checksum.bytes_per_checksum();
        if let Some((index, found)) = self.progress.first_mismatch(crc, chunk_len, data, 0, sums) {
            return Err(self.mismatch(self.chunks + index, sums[index], found));
        }
        self.chunks += sums.len();
        Ok(())
    }

    /// Ends the stream: the checksum of the last, short chunk, if there is one, is written to
    /// `sum`. The digest is then as it was at the beginning.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless `sum` has [`finish_len`](Self::finish_len) bytes; nothing is done
    /// then.
    pub fn finish(&mut self, sum: &mut [u8]) -> Result<()> {
        check_len(self.finish_len(), sum.len())?;
        if let [sum] = sum.as_chunks_mut::<4>().0 {
            *sum = self.progress.end();
        }
        *self = Self::new(self.checksum);
        Ok(())
    }

    /// Ends the stream: the last, short chunk, if there is one, should have the checksum `sum`.
    /// The digest is then as it was at the beginning.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless `sum` has [`finish_len`](Self::finish_len) bytes, and nothing is
    /// done then; [`Error::ChecksumMismatch`] as [`verify`](Self::verify).
    pub fn finish_verify(&mut self, sum: &[u8]) -> Result<()> {
        check_len(self.finish_len(), sum.len())?;
        let result = match sum.as_chunks::<4>().0 {
            &[expected] => match self.progress.end() {
                found if found == expected => Ok(()),
                found => Err(self.mismatch(self.chunks, expected, u32::from_be_bytes(found))),
            },
            _ => Ok(()),
        };
        *self = Self::new(self.checksum);
        result
    }

    fn mismatch(&self, chunk: usize, expected: [u8; 4], found: u32) -> Error {
        Error::ChecksumMismatch {
            chunk,
            offset: chunk.saturating_mul(self.checksum.bytes_per_checksum()),
            expected: u32::from_be_bytes(expected),
            found,
        }
    }
}

impl core::fmt::Debug for ChunkedDigest {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("ChunkedDigest")
            .field("checksum", &self.checksum)
            .field("chunks", &self.chunks)
            .finish_non_exhaustive()
    }
}

fn check_len(expected: usize, got: usize) -> Result<()> {
    if expected == got {
        Ok(())
    } else {
        Err(Error::Count { what: "bytes of checksums", expected, got })
    }
}
