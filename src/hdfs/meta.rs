//! The header of `.meta` files.

use crate::checksum::{ChecksumKind, ChunkedChecksum};
use crate::{Error, Result};

/// What a `.meta` file begins with: which checksums follow, and over how many bytes each is.
///
/// Seven bytes, all integers big-endian: version (16 bits, 1), type of checksum (8 bits), bytes
/// per checksum (32 bits). The checksums of the block's chunks follow up to the file's end.
///
/// ```
/// use restripe::checksum::ChecksumKind;
/// use restripe::hdfs::MetaHeader;
///
/// let meta = b"\x00\x01\x02\x00\x00\x02\x00\x6b\xb4\x95\x21"; // of a block of one byte
/// let header = MetaHeader::decode(meta)?;
/// assert_eq!(header.checksum().kind(), ChecksumKind::Crc32c);
/// assert_eq!(header.checksum().bytes_per_checksum(), 512);
/// assert_eq!(header.meta_len(1)?, meta.len() as u64);
/// assert_eq!(header.encode(), meta[..MetaHeader::LEN]);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MetaHeader {
    checksum: ChunkedChecksum,
}

impl MetaHeader {
    /// Length of the header in bytes.
    pub const LEN: usize = 7;

    /// The version that is written, and the only one that is read.
    pub const VERSION: i16 = 1;

    /// The header of a file with these checksums.
    #[must_use]
    pub const fn new(checksum: ChunkedChecksum) -> Self {
        Self { checksum }
    }

    /// Which checksums follow the header.
    #[must_use]
    pub const fn checksum(&self) -> ChunkedChecksum {
        self.checksum
    }

    /// The header as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&Self::VERSION.to_be_bytes());
        bytes[2] = self.checksum.kind().id();
        // ChunkedChecksum takes no more than 31 bits.
        let bytes_per_checksum = self.checksum.bytes_per_checksum() as u32;
        bytes[3..].copy_from_slice(&bytes_per_checksum.to_be_bytes());
        bytes
    }

    /// The header that `bytes`, of a `.meta` file or its beginning, begin with.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for fewer than [`LEN`](Self::LEN) bytes; [`Error::MetaHeader`] for a
    /// version other than 1, an unknown type of checksum, and a number of bytes per checksum
    /// that [`ChunkedChecksum::new`] does not take; [`Error::KernelUnavailable`] as there.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let &[version_0, version_1, type_id, ref bytes_per_checksum @ ..] =
            bytes.first_chunk::<{ Self::LEN }>().ok_or(Error::Count {
                what: "bytes of block metadata",
                expected: Self::LEN,
                got: bytes.len(),
            })?;
        let refused = |field, got, expected| Error::MetaHeader { field, got, expected };

        let version = i16::from_be_bytes([version_0, version_1]);
        if version != Self::VERSION {
            return Err(refused("version", version.into(), "1"));
        }
        let kind = ChecksumKind::from_id(type_id).ok_or(refused(
            "type of checksum",
            type_id.into(),
            "0, 1 or 2",
        ))?;
        let bytes_per_checksum = i32::from_be_bytes(*bytes_per_checksum);
        let (max, expected) = ChunkedChecksum::bounds(kind);
        let checksum = match usize::try_from(bytes_per_checksum) {
            Ok(valid @ 1..) if valid <= max => ChunkedChecksum::new(kind, valid)?,
            _ => return Err(refused("bytes per checksum", bytes_per_checksum, expected)),
        };
        Ok(Self { checksum })
    }

    /// Length of the whole `.meta` file of a block of `data_len` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] where it does not fit into 64 bits.
    pub fn meta_len(&self, data_len: u64) -> Result<u64> {
        self.checksum
            .sums_len(data_len)?
            .checked_add(Self::LEN as u64)
            .ok_or(Error::Overflow { what: "length of the block's metadata" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_encoding() {
        for (kind, bytes_per_checksum) in [
            (ChecksumKind::Null, 512),
            (ChecksumKind::Null, i32::MAX as usize),
            (ChecksumKind::Crc32, 1),
            (ChecksumKind::Crc32, 4096),
            (ChecksumKind::Crc32c, 512),
            (ChecksumKind::Crc32c, ChunkedChecksum::MAX_BYTES_PER_CHECKSUM),
        ] {
            let header = MetaHeader::new(ChunkedChecksum::new(kind, bytes_per_checksum).unwrap());
            assert_eq!(MetaHeader::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn a_truncated_header_is_refused() {
        let bytes = [0, 1, 2, 0, 0, 2, 0];
        for len in 0..MetaHeader::LEN {
            assert_eq!(
                MetaHeader::decode(&bytes[..len]),
                Err(Error::Count { what: "bytes of block metadata", expected: 7, got: len })
            );
        }
        assert!(MetaHeader::decode(&bytes).is_ok());
    }

    #[test]
    fn another_version_or_type_is_refused_with_its_number() {
        for version in [0, 2, -1, i16::MIN] {
            let mut bytes = [0, 1, 2, 0, 0, 2, 0];
            bytes[..2].copy_from_slice(&version.to_be_bytes());
            assert_eq!(
                MetaHeader::decode(&bytes),
                Err(Error::MetaHeader { field: "version", got: version.into(), expected: "1" })
            );
        }
        for type_id in 3..=255 {
            let refused = MetaHeader::decode(&[0, 1, type_id, 0, 0, 2, 0]);
            let got = type_id.into();
            assert!(
                matches!(refused, Err(Error::MetaHeader { field: "type of checksum", got: told, .. }) if told == got)
            );
        }
    }

    #[test]
    fn hostile_bytes_per_checksum_are_refused_with_their_number() {
        for type_id in 0..=2 {
            for got in [0, -1, i32::MIN] {
                let mut bytes = [0, 1, type_id, 0, 0, 0, 0];
                bytes[3..].copy_from_slice(&got.to_be_bytes());
                let refused = MetaHeader::decode(&bytes);
                assert!(
                    matches!(refused, Err(Error::MetaHeader { field: "bytes per checksum", got: told, .. }) if told == got),
                    "type {type_id}: {refused:?}"
                );
            }
        }
        for type_id in 1..=2 {
            for got in [ChunkedChecksum::MAX_BYTES_PER_CHECKSUM as i32 + 1, i32::MAX] {
                let mut bytes = [0, 1, type_id, 0, 0, 0, 0];
                bytes[3..].copy_from_slice(&got.to_be_bytes());
                assert_eq!(
                    MetaHeader::decode(&bytes),
                    Err(Error::MetaHeader {
                        field: "bytes per checksum",
                        got,
                        expected: "1 to 16777216"
                    })
                );
            }
        }
    }

    #[test]
    fn a_meta_file_longer_than_64_bits_can_tell_is_refused() {
        let header = MetaHeader::new(ChunkedChecksum::new(ChecksumKind::Crc32, 1).unwrap());
        assert_eq!(header.meta_len(0), Ok(7));
        assert!(matches!(header.meta_len(u64::MAX / 4), Err(Error::Overflow { .. })));
        assert!(matches!(header.meta_len(u64::MAX), Err(Error::Overflow { .. })));
    }
}
