//! The checksums of many chunks as one array.

use core::hash::{Hash, Hasher};
use core::ops::Range;

use super::kernel::{self, Crc};
use super::progress::Progress;
use super::{ChecksumKind, ChunkedDigest};
use crate::{Error, KernelId, Result};

/// A kind of checksum and the length of the chunks that it is computed of.
///
/// ```
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
///
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32, 4)?;
/// let mut sums = [0; 8];
/// checksum.compute(b"restripe", &mut sums)?;
/// assert_eq!(sums[..4], ChecksumKind::Crc32.checksum(b"rest").to_be_bytes());
/// assert_eq!(sums[4..], ChecksumKind::Crc32.checksum(b"ripe").to_be_bytes());
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ChunkedChecksum {
    kind: ChecksumKind,
    bytes_per_checksum: usize,
    kernel: KernelId,
    /// None for [`ChecksumKind::Null`].
    crc: Option<Crc>,
}

impl ChunkedChecksum {
    /// The longest chunk under a CRC, 16 MiB: as long as the longest packet of HDFS, so no
    /// longer one can be sent. A number above it in a block's header is damage.
    pub const MAX_BYTES_PER_CHECKSUM: usize = 16 << 20;

    /// Checksums of `kind` over chunks of `bytes_per_checksum` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] unless `bytes_per_checksum` is 1 to
    /// [`MAX_BYTES_PER_CHECKSUM`](Self::MAX_BYTES_PER_CHECKSUM); with [`ChecksumKind::Null`],
    /// where it means nothing, any positive number that HDFS's signed 32 bits hold is taken.
    /// [`Error::KernelUnavailable`] where `RESTRIPE_KERNEL` names no kernel of this CPU.
    pub fn new(kind: ChecksumKind, bytes_per_checksum: usize) -> Result<Self> {
        let (max, expected) = Self::bounds(kind);
        if bytes_per_checksum == 0 || bytes_per_checksum > max {
            return Err(Error::OutOfBounds {
                what: "bytes per checksum",
                got: bytes_per_checksum as u64,
                expected,
            });
        }
        let kernel = KernelId::selected()?;
        Ok(Self { kind, bytes_per_checksum, kernel, crc: Crc::new(kind, kernel) })
    }

    /// The same checksums, computed on another kernel.
    ///
    /// ```
    /// use restripe::KernelId;
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
    /// for kernel in KernelId::available() {
    ///     println!("{kernel}: {}", checksum.with_kernel(kernel).method());
    /// }
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn with_kernel(self, kernel: KernelId) -> Self {
        Self { kernel, crc: Crc::new(self.kind, kernel), ..self }
    }

    /// The kernel that they are computed on.
    #[must_use]
    pub fn kernel(&self) -> KernelId {
        self.kernel
    }

    /// What the kernel computes CRCs with on this CPU, in words: for reports.
    #[must_use]
    pub fn method(&self) -> &'static str {
        kernel::method(self.kernel)
    }

    /// The functions of the kernel; `None` for [`ChecksumKind::Null`].
    pub(super) fn crc(&self) -> Option<Crc> {
        self.crc
    }

    /// The longest chunk, and what an error says of the chunks' length.
    pub(crate) const fn bounds(kind: ChecksumKind) -> (usize, &'static str) {
        match kind {
            ChecksumKind::Null => (i32::MAX as usize, "1 to 2147483647"),
            ChecksumKind::Crc32 | ChecksumKind::Crc32c => {
                (Self::MAX_BYTES_PER_CHECKSUM, "1 to 16777216")
            }
        }
    }

    /// The kind of checksum.
    #[must_use]
    pub fn kind(&self) -> ChecksumKind {
        self.kind
    }

    /// Bytes in a chunk; the last chunk of the data may be shorter.
    #[must_use]
    pub fn bytes_per_checksum(&self) -> usize {
        self.bytes_per_checksum
    }

    /// Bytes that the checksums of `data_len` bytes take.
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
    /// assert_eq!([0, 1, 512, 513].map(|len| checksum.sums_len(len).unwrap()), [0, 4, 4, 8]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] where that does not fit into 64 bits, as it may where chunks are
    /// shorter than their checksums.
    pub fn sums_len(&self, data_len: u64) -> Result<u64> {
        data_len
            .div_ceil(self.bytes_per_checksum as u64)
            .checked_mul(self.kind.size() as u64)
            .ok_or(Error::Overflow { what: "length of the checksums" })
    }

    /// Computes the checksum of every chunk of `data` into `sums`, big-endian, one after the
    /// other.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] unless `sums` has [`sums_len`](Self::sums_len) bytes.
    pub fn compute(&self, data: &[u8], sums: &mut [u8]) -> Result<()> {
        self.check_sums_len(data.len() as u64, sums)?;
        let Some(crc) = self.crc else { return Ok(()) };
        let (sums, _) = sums.as_chunks_mut::<4>();
        crc.sums(data, 0, self.bytes_per_checksum, sums);
        Ok(())
    }

    /// Verifies every chunk of `data` against its checksum in `sums`.
    ///
    /// [`ChecksumKind::Null`] has nothing to verify by: then all data passes.
    ///
    /// # Errors
    ///
    /// [`Error::ChecksumMismatch`] for the first chunk that does not have the checksum given,
    /// [`Error::Count`] unless `sums` has [`sums_len`](Self::sums_len) bytes.
    pub fn verify(&self, data: &[u8], sums: &[u8]) -> Result<()> {
        self.check_sums_len(data.len() as u64, sums)?;
        self.verify_part(data, 0..data.len(), &mut { Progress::START }, sums)
            .map_err(|mismatch| mismatch.error(self.bytes_per_checksum))
    }

    /// Begins to compute, or to verify, checksums of bytes that come in pieces.
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 4)?;
    /// let (mut digest, mut sums) = (checksum.digest(), Vec::new());
    /// for piece in [&b"re"[..], b"strip", b"e!"] {
    ///     let mut ended = vec![0; digest.update_len(piece.len())];
    ///     digest.update(piece, &mut ended)?;
    ///     sums.extend(ended);
    /// }
    /// let mut last = vec![0; digest.finish_len()];
    /// digest.finish(&mut last)?;
    /// sums.extend(last);
    /// checksum.verify(b"restripe!", &sums)?;
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn digest(&self) -> ChunkedDigest {
        ChunkedDigest::new(*self)
    }

    /// Of a shard whose bytes before `range` have been gone through, and whose checksums are
    /// `sums`: writes those that come to an end in the range, or at the shard's end. The range may
    /// end past the shard. `sums` has been checked to have as many bytes as it must.
    pub(crate) fn compute_part(
        &self,
        shard: &[u8],
        range: Range<usize>,
        progress: &mut Progress,
        sums: &mut [u8],
    ) {
        let Some(crc) = self.crc else { return };
        let (part, first, count) = self.part_of(shard, &range, *progress);
        let (sums, _) = sums.as_chunks_mut::<4>();
        let behind = shard.len() - range.end.min(shard.len());
        progress.sums(crc, self.bytes_per_checksum, part, behind, &mut sums[first..first + count]);
        if behind == 0 && progress.is_within_chunk() {
            sums[first + count] = progress.end();
        }
    }

    /// [`compute_part`](Self::compute_part) that compares instead of writing.
    pub(crate) fn verify_part(
        &self,
        shard: &[u8],
        range: Range<usize>,
        progress: &mut Progress,
        sums: &[u8],
    ) -> core::result::Result<(), Mismatch> {
        let Some(crc) = self.crc else { return Ok(()) };
        let (part, first, count) = self.part_of(shard, &range, *progress);
        let (sums, _) = sums.as_chunks::<4>();
        let behind = shard.len() - range.end.min(shard.len());
        let mismatch = |index: usize, found| Mismatch {
            chunk: first + index,
            expected: u32::from_be_bytes(sums[first + index]),
            found,
        };
        let expected = &sums[first..first + count];
        match progress.first_mismatch(crc, self.bytes_per_checksum, part, behind, expected) {
            Some((index, found)) => return Err(mismatch(index, found)),
            None if behind == 0 && progress.is_within_chunk() => {
                let found = progress.end();
                if found != sums[first + count] {
                    return Err(mismatch(count, u32::from_be_bytes(found)));
                }
            }
            None => {}
        }
        Ok(())
    }

    /// The bytes of a shard in a range; the first chunk that ends there, if any does, and how many
    /// do.
    fn part_of<'a>(
        &self,
        shard: &'a [u8],
        range: &Range<usize>,
        progress: Progress,
    ) -> (&'a [u8], usize, usize) {
        let part = &shard[range.start.min(shard.len())..range.end.min(shard.len())];
        let first = range.start.min(shard.len()) / self.bytes_per_checksum;
        (part, first, progress.ends_within(self.bytes_per_checksum, part.len()))
    }

    /// [`Error::Count`] unless `sums` has as many bytes as the checksums of so many bytes.
    pub(crate) fn check_sums_len(&self, data_len: u64, sums: &[u8]) -> Result<()> {
        let expected = self.sums_len(data_len)?;
        if sums.len() as u64 != expected {
            return Err(Error::Count {
                what: "bytes of checksums",
                expected: usize::try_from(expected).unwrap_or(usize::MAX),
                got: sums.len(),
            });
        }
        Ok(())
    }
}

/// A chunk that does not have the checksum it should.
pub(crate) struct Mismatch {
    pub(crate) chunk: usize,
    pub(crate) expected: u32,
    pub(crate) found: u32,
}

impl Mismatch {
    fn error(self, bytes_per_checksum: usize) -> Error {
        let Self { chunk, expected, found } = self;
        Error::ChecksumMismatch { chunk, offset: chunk * bytes_per_checksum, expected, found }
    }
}

impl PartialEq for ChunkedChecksum {
    /// Equal when they give the same checksums; the kernel does not count.
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.bytes_per_checksum) == (other.kind, other.bytes_per_checksum)
    }
}

impl Eq for ChunkedChecksum {}

impl Hash for ChunkedChecksum {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind, self.bytes_per_checksum).hash(state);
    }
}

impl core::fmt::Debug for ChunkedChecksum {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("ChunkedChecksum")
            .field("kind", &self.kind)
            .field("bytes_per_checksum", &self.bytes_per_checksum)
            .field("kernel", &self.kernel)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    const KINDS: [ChecksumKind; 3] =
        [ChecksumKind::Null, ChecksumKind::Crc32, ChecksumKind::Crc32c];

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
    }

    #[test]
    fn each_chunk_has_its_checksum_the_short_last_one_too() {
        for kind in KINDS {
            for (len, bytes_per_checksum) in [
                (0, 512),
                (1, 512),
                (511, 512),
                (512, 512),
                (513, 512),
                (2000, 512),
                (10, 1),
                (10, 3),
            ] {
                let checksum = ChunkedChecksum::new(kind, bytes_per_checksum).unwrap();
                let data = bytes(len);
                let mut sums = vec![0; checksum.sums_len(len as u64).unwrap() as usize];
                checksum.compute(&data, &mut sums).unwrap();
                let expected: Vec<u8> = data
                    .chunks(bytes_per_checksum)
                    .flat_map(|chunk| kind.checksum(chunk).to_be_bytes()[..kind.size()].to_vec())
                    .collect();
                assert_eq!(sums, expected, "{kind:?}, {len} bytes by {bytes_per_checksum}");
                assert_eq!(checksum.verify(&data, &sums), Ok(()));
            }
        }
    }

    #[test]
    fn a_mismatch_names_chunk_offset_and_both_checksums() {
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
        let mut data = bytes(1500);
        let mut sums = vec![0; 12];
        checksum.compute(&data, &mut sums).unwrap();
        for at in [0, 511, 512, 1023, 1024, 1499] {
            data[at] ^= 0x10;
            let chunk = at / 512;
            let end = (chunk * 512 + 512).min(1500);
            let expected = u32::from_be_bytes(sums[4 * chunk..4 * chunk + 4].try_into().unwrap());
            let found = ChecksumKind::Crc32c.checksum(&data[chunk * 512..end]);
            assert_eq!(
                checksum.verify(&data, &sums),
                Err(Error::ChecksumMismatch { chunk, offset: chunk * 512, expected, found })
            );
            data[at] ^= 0x10;
        }
        sums[7] ^= 1;
        assert!(matches!(
            checksum.verify(&data, &sums),
            Err(Error::ChecksumMismatch { chunk: 1, .. })
        ));
    }

    #[test]
    fn the_first_of_several_mismatches_is_named() {
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32, 10).unwrap();
        let result = checksum.verify(&[1; 40], &[0; 16]);
        assert!(matches!(result, Err(Error::ChecksumMismatch { chunk: 0, offset: 0, .. })));
    }

    #[test]
    fn checksums_of_another_length_are_refused() {
        for kind in KINDS {
            let checksum = ChunkedChecksum::new(kind, 512).unwrap();
            let data = bytes(600);
            let needed = 2 * kind.size();
            for got in [0, 4, 7, 9, 12].into_iter().filter(|&got| got != needed) {
                let refused = Error::Count { what: "bytes of checksums", expected: needed, got };
                let mut sums = vec![0; got];
                assert_eq!(checksum.compute(&data, &mut sums), Err(refused.clone()));
                assert_eq!(checksum.verify(&data, &sums), Err(refused));
            }
        }
    }

    #[test]
    fn chunk_lengths_that_hdfs_cannot_have_are_refused() {
        for kind in KINDS {
            let (max, expected) = ChunkedChecksum::bounds(kind);
            assert!(ChunkedChecksum::new(kind, 1).is_ok());
            assert!(ChunkedChecksum::new(kind, max).is_ok());
            for got in [0, max + 1, usize::MAX] {
                assert_eq!(
                    ChunkedChecksum::new(kind, got),
                    Err(Error::OutOfBounds {
                        what: "bytes per checksum",
                        got: got as u64,
                        expected
                    })
                );
            }
        }
    }

    #[test]
    fn checksums_longer_than_64_bits_can_tell_are_refused() {
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32, 1).unwrap();
        assert_eq!(checksum.sums_len(u64::MAX / 4), Ok(u64::MAX - 3));
        assert_eq!(
            checksum.sums_len(u64::MAX / 4 + 1),
            Err(Error::Overflow { what: "length of the checksums" })
        );
        let none = ChunkedChecksum::new(ChecksumKind::Null, 1).unwrap();
        assert_eq!(none.sums_len(u64::MAX), Ok(0));
    }
}
