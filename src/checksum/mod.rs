//! Chunk checksums: the CRC of every few hundred bytes, as HDFS stores it beside each block.
//!
//! A *chunk* is the run of bytes under one checksum (512 in HDFS unless configured otherwise);
//! the last one of a block may be short. [`ChunkedChecksum`] computes and verifies the array of
//! a block's or a packet's checksums, 32 bits each and big-endian.
//!
//! A CRC finds every error of up to 32 neighbouring bits in its chunk, and other damage but for
//! one case in 2^32. It does not find data that was replaced together with its checksum, nor a
//! chunk that lies where another one should.
//!
//! ```
//! use restripe::checksum::{ChecksumKind, ChunkedChecksum};
//!
//! let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
//! let mut block = vec![7; 1300]; // two chunks of 512 bytes and one of 276
//! let mut sums = vec![0; 12];
//! checksum.compute(&block, &mut sums)?;
//! checksum.verify(&block, &sums)?;
//!
//! block[600] ^= 1;
//! let error = checksum.verify(&block, &sums).unwrap_err();
//! assert!(error.to_string().starts_with("chunk 1, from byte 512 on:"));
//! # Ok::<(), restripe::Error>(())
//! ```

mod chunked;
mod crc;
mod digest;
mod kernel;
// Not every CPU's kernels need all of its constants.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod polynomial;
mod progress;

use polynomial::Polynomial;

pub use chunked::ChunkedChecksum;
pub use crc::{BitOrder, CrcAlgorithm};
pub use digest::ChunkedDigest;
pub(crate) use progress::Progress;

/// Which checksum stands for a chunk.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumKind {
    /// None at all: nothing is stored and nothing is verified.
    Null,
    /// CRC-32/ISO-HDLC, the CRC of zlib and Ethernet: polynomial 0x04C11DB7.
    Crc32,
    /// CRC-32/ISCSI, Castagnoli's: polynomial 0x1EDC6F41. HDFS's default.
    Crc32c,
}

impl ChecksumKind {
    /// The kind with one of HDFS's type numbers; `None` for a number that stands for no checksum
    /// of chunks (3 and 4 are a client's "default" and "mixed").
    ///
    /// ```
    /// use restripe::checksum::ChecksumKind;
    /// assert_eq!(ChecksumKind::from_id(2), Some(ChecksumKind::Crc32c));
    /// assert_eq!(ChecksumKind::from_id(3), None);
    /// ```
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Null),
            1 => Some(Self::Crc32),
            2 => Some(Self::Crc32c),
            _ => None,
        }
    }

    /// HDFS's type number: 0, 1 or 2.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Crc32 => 1,
            Self::Crc32c => 2,
        }
    }

    /// Bytes that one checksum takes: 0 or 4.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Crc32 | Self::Crc32c => 4,
        }
    }

    /// The checksum of `bytes` as one chunk; 0 for [`Null`](Self::Null).
    ///
    /// Computed by the [selected](crate::KernelId::selected) kernel, or plainly by tables where
    /// `RESTRIPE_KERNEL` names none: a number comes back in any case.
    ///
    /// ```
    /// use restripe::checksum::ChecksumKind;
    /// assert_eq!(ChecksumKind::Crc32.checksum(b"123456789"), 0xCBF4_3926);
    /// assert_eq!(ChecksumKind::Crc32c.checksum(b"123456789"), 0xE306_9283);
    /// ```
    #[must_use]
    pub fn checksum(self, bytes: &[u8]) -> u32 {
        self.append(0, bytes)
    }

    /// The checksum of some bytes of which `before` is the checksum, and `bytes` behind them.
    ///
    /// ```
    /// use restripe::checksum::ChecksumKind::Crc32c;
    /// let sum = Crc32c.append(Crc32c.checksum(b"1234"), b"56789");
    /// assert_eq!(sum, Crc32c.checksum(b"123456789"));
    /// ```
    #[must_use]
    #[inline]
    pub fn append(self, before: u32, bytes: &[u8]) -> u32 {
        kernel::selected(self).map_or(0, |crc| !crc.extend(!before, bytes))
    }

    /// The checksum of two runs of bytes, one behind the other, of which only the checksums are
    /// known and the second one's length in bytes; 0 for [`Null`](Self::Null).
    ///
    /// ```
    /// use restripe::checksum::ChecksumKind::Crc32;
    /// let (first, second) = (Crc32.checksum(b"1234"), Crc32.checksum(b"56789"));
    /// assert_eq!(Crc32.combine(first, second, 5), Crc32.checksum(b"123456789"));
    /// ```
    #[must_use]
    pub fn combine(self, first: u32, second: u32, second_len: u64) -> u32 {
        // What begins as all ones and what ends as inverted cancel out.
        self.polynomial().map_or(0, |polynomial| {
            polynomial.multiply(first, polynomial.shift_by_bytes(second_len)) ^ second
        })
    }

    fn polynomial(self) -> Option<Polynomial> {
        match self {
            Self::Null => None,
            Self::Crc32 => Some(Polynomial::CRC32),
            Self::Crc32c => Some(Polynomial::CRC32C),
        }
    }
}

/// [`ChecksumKind::combine`] where all second runs have one length.
#[cfg(feature = "hdfs")]
#[derive(Clone, Copy)]
pub(crate) struct Combiner {
    polynomial: Polynomial,
    shift: u32,
}

#[cfg(feature = "hdfs")]
impl Combiner {
    /// For second runs of `second_len` bytes; `None` for [`ChecksumKind::Null`].
    pub(crate) fn new(kind: ChecksumKind, second_len: u64) -> Option<Self> {
        let polynomial = kind.polynomial()?;
        Some(Self { polynomial, shift: polynomial.shift_by_bytes(second_len) })
    }

    pub(crate) fn combine(self, first: u32, second: u32) -> u32 {
        self.polynomial.multiply(first, self.shift) ^ second
    }
}

/// CRC-32C of some bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    ChecksumKind::Crc32c.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// The CRC by its definition, bit by bit; `polynomial` has its bits in reversed order.
    fn bit_by_bit(polynomial: u32, bytes: &[u8]) -> u32 {
        let mut remainder = !0;
        for &byte in bytes {
            remainder ^= u32::from(byte);
            for _ in 0..8 {
                let carry = remainder & 1 != 0;
                remainder >>= 1;
                if carry {
                    remainder ^= polynomial;
                }
            }
        }
        !remainder
    }

    #[test]
    fn crc32c_gives_the_values_of_rfc_3720() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        let crc32c = |bytes: &[u8]| ChecksumKind::Crc32c.checksum(bytes);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(&ascending), 0x46DD_794E);
        assert_eq!(crc32c(&descending), 0x113F_DB5C);
    }

    #[test]
    fn crc32_gives_the_values_that_zlib_does() {
        let crc32 = |bytes: &[u8]| ChecksumKind::Crc32.checksum(bytes);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"a"), 0xE8B7_BE43);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414F_A339);
    }

    #[test]
    fn every_implementation_agrees_with_the_definition() {
        let bytes: Vec<u8> =
            (0..1100u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for len in (0..300).chain([511, 512, 513, 1023, 1024, 1050]) {
            for start in [0, 1, 7, 33] {
                let bytes = &bytes[start..start + len];
                let crc32 = bit_by_bit(0xEDB8_8320, bytes);
                let crc32c = bit_by_bit(0x82F6_3B78, bytes);
                assert_eq!(ChecksumKind::Crc32.checksum(bytes), crc32, "{len} bytes from {start}");
                assert_eq!(
                    ChecksumKind::Crc32c.checksum(bytes),
                    crc32c,
                    "{len} bytes from {start}"
                );
            }
        }
    }

    #[test]
    fn kinds_have_the_numbers_of_hdfs() {
        let kinds = [ChecksumKind::Null, ChecksumKind::Crc32, ChecksumKind::Crc32c];
        assert_eq!(kinds.map(ChecksumKind::id), [0, 1, 2]);
        assert_eq!(kinds.map(ChecksumKind::size), [0, 4, 4]);
        for id in 0..=255 {
            assert_eq!(ChecksumKind::from_id(id), kinds.get(usize::from(id)).copied());
        }
        assert_eq!(ChecksumKind::Null.checksum(b"123456789"), 0);
    }
}
