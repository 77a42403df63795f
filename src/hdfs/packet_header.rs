//! What stands before a packet's checksums and data.

use super::protobuf::{Fields, missing};
use crate::{Error, Result};

const NAME: &str = "packet header";

/// The header of a packet, less the two lengths before it.
///
/// On the wire: the packet's length (32 bits: 4 for itself, the checksums and the data), the
/// header message's length (16 bits), the header message, whose fields all have a fixed width.
/// All lengths are big-endian, the fields little-endian as protobuf has them.
///
/// ```
/// use restripe::hdfs::PacketHeader;
///
/// let header = PacketHeader { seqno: 1, ..PacketHeader::last(512) };
/// let bytes = header.encode(0);
/// assert_eq!(bytes.as_ref().len(), 31);
/// assert_eq!(PacketHeader::decode(&bytes.as_ref()[6..])?, header);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketHeader {
    /// Where in the block the data begins, in bytes; at most `i64::MAX`.
    pub offset_in_block: u64,
    /// The packet's number; rises by one. [`HEARTBEAT_SEQNO`](Self::HEARTBEAT_SEQNO) stands for a
    /// packet that only shows that the sender lives.
    pub seqno: i64,
    /// The packet ends the block, and holds no data.
    pub last_packet_in_block: bool,
    /// Length of the data in bytes; at most `i32::MAX`.
    pub data_len: u32,
    /// The receiver is to bring all data so far to the disk before it acknowledges.
    pub sync_block: bool,
}

impl PacketHeader {
    /// Longest header that is written, its two lengths among it: the room to leave before the
    /// checksums.
    pub const MAX_LEN: usize = 33;

    /// Length of the two lengths before the header message.
    pub const LENGTHS_LEN: usize = 6;

    /// The number of a packet that is a heartbeat.
    pub const HEARTBEAT_SEQNO: i64 = -1;

    /// Most that the two lengths may add up to: 16 MiB.
    pub const MAX_PACKET_LEN: usize = 16 << 20;

    /// A packet of data that starts at a byte of the block.
    #[must_use]
    pub const fn data(offset_in_block: u64, seqno: i64, data_len: u32) -> Self {
        Self { offset_in_block, seqno, last_packet_in_block: false, data_len, sync_block: false }
    }

    /// The packet that ends a block of `len` bytes, with the number 0.
    #[must_use]
    pub const fn last(len: u64) -> Self {
        Self { last_packet_in_block: true, ..Self::data(len, 0, 0) }
    }

    /// The packet that only shows that the sender lives.
    #[must_use]
    pub const fn heartbeat() -> Self {
        Self::data(0, Self::HEARTBEAT_SEQNO, 0)
    }

    /// Whether it is a heartbeat.
    #[must_use]
    pub const fn is_heartbeat(&self) -> bool {
        self.seqno == Self::HEARTBEAT_SEQNO
    }

    /// The header as bytes, for a packet with `checksums_len` bytes of checksums: 31 of them, or
    /// 33 with [`sync_block`](Self::sync_block).
    ///
    /// Numbers past what the format holds are cut to its width; [`PacketWriter`] refuses them.
    ///
    /// [`PacketWriter`]: super::PacketWriter
    #[must_use]
    pub fn encode(&self, checksums_len: u32) -> EncodedHeader {
        let mut bytes = [0; Self::MAX_LEN];
        let len = if self.sync_block { Self::MAX_LEN } else { Self::MAX_LEN - 2 };
        let packet_len = 4_u32.wrapping_add(checksums_len).wrapping_add(self.data_len);
        bytes[..4].copy_from_slice(&packet_len.to_be_bytes());
        bytes[4..6].copy_from_slice(&((len - Self::LENGTHS_LEN) as u16).to_be_bytes());
        bytes[6] = 1 << 3 | 1;
        bytes[7..15].copy_from_slice(&self.offset_in_block.to_le_bytes());
        bytes[15] = 2 << 3 | 1;
        bytes[16..24].copy_from_slice(&self.seqno.to_le_bytes());
        bytes[24] = 3 << 3;
        bytes[25] = self.last_packet_in_block.into();
        bytes[26] = 4 << 3 | 5;
        bytes[27..31].copy_from_slice(&self.data_len.to_le_bytes());
        if self.sync_block {
            bytes[31] = 5 << 3;
            bytes[32] = 1;
        }
        EncodedHeader { bytes, len }
    }

    /// The header in a header message, without the two lengths before it.
    ///
    /// Fields may stand in any order; of a field that stands there twice the last one counts,
    /// and fields of unknown numbers are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Message`] for what is not a header message or lacks a field;
    /// [`Error::Packet`] for a negative offset or length, and a negative number other than a
    /// heartbeat's.
    pub fn decode(message: &[u8]) -> Result<Self> {
        let (mut offset, mut seqno, mut last, mut len) = (None, None, None, None);
        let mut sync_block = false;
        let mut fields = Fields::new(NAME, message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => offset = Some(field.sfixed64()?),
                2 => seqno = Some(field.sfixed64()?),
                3 => last = Some(field.boolean()?),
                4 => len = Some(field.sfixed32()?),
                5 => sync_block = field.boolean()?,
                _ => {}
            }
        }
        let missing = |reason| missing(NAME, message, reason);
        let offset = offset.ok_or(missing("it has no offset in the block"))?;
        let seqno = seqno.ok_or(missing("it has no sequence number"))?;
        let last_packet_in_block = last.ok_or(missing("it does not say whether it is the last"))?;
        let len = len.ok_or(missing("it has no data length"))?;

        let refused = |field, got, expected| Error::Packet { field, got, expected };
        if seqno < Self::HEARTBEAT_SEQNO {
            return Err(refused("sequence number", seqno, "-1 or more"));
        }
        Ok(Self {
            offset_in_block: u64::try_from(offset)
                .map_err(|_| refused("offset in the block", offset, "0 or more"))?,
            seqno,
            last_packet_in_block,
            data_len: u32::try_from(len)
                .map_err(|_| refused("data length", len.into(), "0 or more"))?,
            sync_block,
        })
    }
}

/// A header as bytes: what [`PacketHeader::encode`] gives.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; PacketHeader::MAX_LEN],
    len: usize,
}

impl AsRef<[u8]> for EncodedHeader {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn header() -> PacketHeader {
        PacketHeader { sync_block: true, ..PacketHeader::data(0x0102_0304_0506, 0x0708, 0x090A) }
    }

    fn message(header: &PacketHeader) -> Vec<u8> {
        header.encode(0).as_ref()[PacketHeader::LENGTHS_LEN..].to_vec()
    }

    #[test]
    fn a_header_survives_encoding() {
        for header in [
            header(),
            PacketHeader::heartbeat(),
            PacketHeader::last(i64::MAX as u64),
            PacketHeader::data(0, i64::MAX, i32::MAX as u32),
        ] {
            assert_eq!(PacketHeader::decode(&message(&header)), Ok(header));
        }
    }

    #[test]
    fn fields_are_read_in_any_order_and_unknown_ones_skipped() {
        let message = message(&header());
        let fields = [
            &message[..9],
            &message[9..18],
            &message[18..20],
            &message[20..25],
            &message[25..],
            // Fields 6 to 9, one of each type on the wire.
            b"\x30\x07",
            b"\x39\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\x42\x03abc",
            b"\x4d\x01\x02\x03\x04",
        ];
        for first in 0..fields.len() {
            for second in 0..fields.len() {
                let mut order: Vec<usize> = (0..fields.len()).rev().collect();
                order.swap(first, second);
                let shuffled: Vec<u8> =
                    order.iter().flat_map(|&field| fields[field]).copied().collect();
                assert_eq!(PacketHeader::decode(&shuffled), Ok(header()), "{order:?}");
            }
        }
    }

    #[test]
    fn a_header_without_one_of_its_fields_is_refused_and_sync_is_optional() {
        let message = message(&header());
        for (field, without) in [(1, 0..9), (2, 9..18), (3, 18..20), (4, 20..25), (5, 25..27)] {
            let mut bytes = message.clone();
            bytes.drain(without);
            let decoded = PacketHeader::decode(&bytes);
            if field == 5 {
                assert_eq!(decoded, Ok(PacketHeader { sync_block: false, ..header() }));
            } else {
                assert!(matches!(decoded, Err(Error::Message { .. })), "{field}: {decoded:?}");
            }
        }
    }

    #[test]
    fn negative_numbers_are_refused_and_named() {
        let with = |at: usize, bytes: &[u8]| {
            let mut message = message(&header());
            message[at..at + bytes.len()].copy_from_slice(bytes);
            message
        };
        let refused = |field, got, expected| Err(Error::Packet { field, got, expected });
        let negative_offset = with(1, &(-7_i64).to_le_bytes());
        let negative_seqno = with(10, &(-2_i64).to_le_bytes());
        let negative_len = with(21, &(-5_i32).to_le_bytes());
        assert_eq!(
            PacketHeader::decode(&negative_offset),
            refused("offset in the block", -7, "0 or more")
        );
        assert_eq!(
            PacketHeader::decode(&negative_seqno),
            refused("sequence number", -2, "-1 or more")
        );
        assert_eq!(PacketHeader::decode(&negative_len), refused("data length", -5, "0 or more"));
    }
}
