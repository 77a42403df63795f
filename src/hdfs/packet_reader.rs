//! Packets out of a stream of bytes, however it is cut; reads nothing itself.

use alloc::vec::Vec;
use core::ops::Range;

use super::PacketHeader;
use crate::checksum::ChunkedChecksum;
use crate::{Error, Result};

/// Room that is made at once; past it, room grows with the bytes that have come.
const EAGER_ROOM: usize = 128 << 10;

/// A packet, borrowed from its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: PacketHeader,
    /// The checksums of the data's chunks, big-endian.
    pub checksums: &'a [u8],
    /// The data.
    pub data: &'a [u8],
}

/// Where the parts of a packet lie in a buffer that it is at the beginning of: for who takes it apart
/// where it is, without a copy.
///
/// ```
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
/// use restripe::hdfs::{PacketHeader, PacketParts, PacketWriter};
///
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
/// let mut writer = PacketWriter::without_data(checksum, 1)?;
/// let bytes = writer.frame(&PacketHeader::data(0, 0, 5), b"block")?.concat();
///
/// let parts = PacketParts::of(&checksum, &bytes)?.expect("the whole header");
/// assert_eq!(&bytes[parts.data], b"block");
/// assert_eq!(PacketParts::of(&checksum, &bytes[..10])?, None);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketParts {
    /// Its header.
    pub header: PacketHeader,
    /// Where the checksums of the data's chunks are, in bytes of the buffer.
    pub checksums: Range<usize>,
    /// Where the data is. The packet ends with it; whether all of it has come is the caller's to see.
    pub data: Range<usize>,
}

impl PacketParts {
    /// The parts of the packet that begins with `bytes`; `None` while its header has not all come.
    ///
    /// # Errors
    ///
    /// As [`PacketReader::advance`], but for the count.
    pub fn of(checksum: &ChunkedChecksum, bytes: &[u8]) -> Result<Option<Self>> {
        Ok(match Parsed::Nothing.parse(checksum, bytes)? {
            Parsed::Header { header, header_end, data_start, end } => {
                Some(Self { header, checksums: header_end..data_start, data: data_start..end })
            }
            _ => None,
        })
    }
}

/// Reads packets from bytes that come in pieces of any size.
///
/// It never asks for more than the packet at hand and the fixed part of the next: what a reader
/// of a socket wants, since hardly a byte is then moved twice.
///
/// Every length is checked as soon as it is there, and lengths that do not agree with each other
/// or with the checksums are refused. Memory follows the bytes that came, not the lengths that
/// were announced: at most 128 KiB or twice those bytes, 16 MiB in all.
///
/// Which packet may follow which is the business of [`PacketSequence`](super::PacketSequence),
/// verifying checksums the caller's.
///
/// ```
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
/// use restripe::hdfs::{PacketHeader, PacketReader, PacketWriter};
///
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
/// let mut writer = PacketWriter::without_data(checksum, 1)?;
/// let bytes = writer.frame(&PacketHeader::data(0, 0, 5), b"block")?.concat();
///
/// let mut reader = PacketReader::new(checksum);
/// for byte in bytes {
///     assert!(reader.packet().is_none());
///     assert_eq!(reader.push(&[byte])?, 1);
/// }
/// let packet = reader.packet().unwrap();
/// checksum.verify(packet.data, packet.checksums)?;
/// assert_eq!(packet.data, b"block");
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Debug)]
pub struct PacketReader {
    checksum: ChunkedChecksum,
    /// Its length is the room that there is; what came is in the first `filled` bytes.
    buffer: Vec<u8>,
    filled: usize,
    parsed: Parsed,
    failed: Option<Error>,
}

/// As much of the packet at hand as is known.
#[derive(Clone, Copy, Debug)]
enum Parsed {
    Nothing,
    Lengths { header_end: usize, end: usize },
    Header { header: PacketHeader, header_end: usize, data_start: usize, end: usize },
}

impl PacketReader {
    /// A reader of packets with these checksums.
    #[must_use]
    pub fn new(checksum: ChunkedChecksum) -> Self {
        let (buffer, parsed) = (Vec::new(), Parsed::Nothing);
        Self { checksum, buffer, filled: 0, parsed, failed: None }
    }

    /// Takes bytes up to the end of the packet at hand, and says how many it took.
    ///
    /// None where a packet is there: [`release`](Self::release) it first.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance).
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut taken = 0;
        self.check()?;
        while taken < bytes.len() && self.packet().is_none() {
            // Not the room for what follows the packet: that is the caller's to keep.
            let wanted = self.wanted() - self.filled;
            let space = self.space();
            let count = space.len().min(wanted).min(bytes.len() - taken);
            space[..count].copy_from_slice(&bytes[taken..taken + count]);
            taken += count;
            self.advance(count)?;
        }
        Ok(taken)
    }

    /// Where the next bytes belong; read into it and then [`advance`](Self::advance).
    ///
    /// Empty exactly where a packet is there, and after an error. It may reach past the packet's
    /// end, into the next packet's lengths and header.
    pub fn space(&mut self) -> &mut [u8] {
        if self.packet().is_some() || self.failed.is_some() {
            return &mut [];
        }
        let wanted = self.wanted().saturating_add(PacketHeader::MAX_LEN);
        let room = wanted.min(EAGER_ROOM.max(self.filled.saturating_mul(2)));
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let end = wanted.min(self.buffer.len());
        &mut self.buffer[self.filled..end]
    }

    /// Takes the first `count` bytes of [`space`](Self::space) for received.
    ///
    /// # Errors
    ///
    /// [`Error::Packet`] for lengths that no packet has or that do not agree with each other,
    /// and as [`PacketHeader::decode`]; [`Error::Count`] for more bytes than there was room for.
    /// No packet comes after an error, and the error stays.
    pub fn advance(&mut self, count: usize) -> Result<()> {
        self.check()?;
        let room = self.buffer.len() - self.filled;
        if count > room {
            return Err(Error::Count { what: "bytes received", expected: room, got: count });
        }
        self.filled += count;
        self.parse_next()
    }

    /// The packet at hand, where all of it is there.
    #[must_use]
    pub fn packet(&self) -> Option<Packet<'_>> {
        match self.parsed {
            Parsed::Header { header, header_end, data_start, end } if end <= self.filled => {
                Some(Packet {
                    header,
                    checksums: &self.buffer[header_end..data_start],
                    data: &self.buffer[data_start..end],
                })
            }
            _ => None,
        }
    }

    /// Lets go of the packet at hand; what came after it begins the next. Without a packet it
    /// does nothing.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance), of the next packet.
    pub fn release(&mut self) -> Result<()> {
        if self.packet().is_none() {
            return Ok(());
        }
        let end = self.wanted();
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        self.parsed = Parsed::Nothing;
        self.parse_next()
    }

    /// What came after the packet at hand; all that came where there is none.
    ///
    /// After the last packet of a block this is the beginning of whatever the peer says next.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        let start = if self.packet().is_some() { self.wanted() } else { 0 };
        &self.buffer[start..self.filled]
    }

    /// Bytes of the packet at hand that are there, and all that it has as far as is known: for
    /// the report of a peer that stopped.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.filled.min(self.wanted()), self.wanted())
    }

    /// Bytes up to the end of what is known of the packet at hand.
    fn wanted(&self) -> usize {
        match self.parsed {
            Parsed::Nothing => PacketHeader::LENGTHS_LEN,
            Parsed::Lengths { header_end, .. } => header_end,
            Parsed::Header { end, .. } => end,
        }
    }

    fn check(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn parse_next(&mut self) -> Result<()> {
        let parsed = self.parse();
        self.failed = parsed.clone().err();
        parsed
    }

    fn parse(&mut self) -> Result<()> {
        self.parsed = self.parsed.parse(&self.checksum, &self.buffer[..self.filled])?;
        Ok(())
    }
}

impl Parsed {
    /// As much as is known when these bytes of the packet have come.
    fn parse(mut self, checksum: &ChunkedChecksum, filled: &[u8]) -> Result<Self> {
        if let (Self::Nothing, Some(&[a, b, c, d, e, f])) = (self, filled.first_chunk()) {
            let packet_len = i32::from_be_bytes([a, b, c, d]);
            let header_len = i16::from_be_bytes([e, f]);
            self = check_lengths(packet_len, header_len)?;
        }
        if let Self::Lengths { header_end, end } = self
            && let Some(header) = filled.get(PacketHeader::LENGTHS_LEN..header_end)
        {
            let header = PacketHeader::decode(header)?;
            let data_start = check_payload(checksum, &header, end - header_end)? + header_end;
            self = Self::Header { header, header_end, data_start, end };
        }
        Ok(self)
    }
}

/// The length of the checksums, where header and payload agree on it.
fn check_payload(
    checksum: &ChunkedChecksum,
    header: &PacketHeader,
    payload: usize,
) -> Result<usize> {
    let data_len = header.data_len as usize;
    let sums_len = checksum.sums_len(header.data_len.into())?;
    let expected = sums_len.saturating_add(header.data_len.into());
    if expected != payload as u64 {
        return Err(Error::Packet {
            field: "length less that of the data",
            got: payload as i64 - i64::from(header.data_len),
            expected: "that of the checksums of the data",
        });
    }
    Ok(payload - data_len)
}

fn check_lengths(packet_len: i32, header_len: i16) -> Result<Parsed> {
    let refused = |field, got: i64, expected| Err(Error::Packet { field, got, expected });
    let Some(payload) = usize::try_from(packet_len).ok().and_then(|len| len.checked_sub(4)) else {
        return refused("length", packet_len.into(), "4 or more");
    };
    let Some(header_len) = usize::try_from(header_len).ok().filter(|&len| len > 0) else {
        return refused("header length", header_len.into(), "1 or more");
    };
    // As Hadoop counts: the packet's length has the four bytes for itself in it.
    let total = payload + 4 + header_len;
    if total > PacketHeader::MAX_PACKET_LEN {
        return refused("length with its header", total as i64, "at most 16777216");
    }
    let header_end = PacketHeader::LENGTHS_LEN + header_len;
    Ok(Parsed::Lengths { header_end, end: header_end + payload })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::checksum::ChecksumKind;
    use crate::hdfs::PacketWriter;

    fn checksum() -> ChunkedChecksum {
        ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap()
    }

    fn packet(header: &PacketHeader, data: &[u8]) -> Vec<u8> {
        PacketWriter::without_data(checksum(), 1000).unwrap().frame(header, data).unwrap().concat()
    }

    #[test]
    fn a_reader_asks_for_the_packet_at_hand_and_one_more_header() {
        let bytes = packet(&PacketHeader::data(0, 0, 1000), &[7; 1000]);
        let mut reader = PacketReader::new(checksum());
        assert_eq!(reader.space().len(), 6 + 33);
        reader.space()[..39].copy_from_slice(&bytes[..39]);
        reader.advance(39).unwrap();
        assert_eq!(reader.space().len(), bytes.len() - 39 + 33);
        assert_eq!(reader.progress(), (39, bytes.len()));
    }

    #[test]
    fn what_comes_behind_a_packet_begins_the_next() {
        let first = packet(&PacketHeader::data(0, 0, 3), b"abc");
        let second = packet(&PacketHeader::last(3), &[]);
        let stream = [&first[..], &second, b"and more"].concat();
        let mut reader = PacketReader::new(checksum());
        let mut offset = 0;
        while reader.packet().is_none() {
            let space = reader.space();
            let count = space.len().min(stream.len() - offset);
            space[..count].copy_from_slice(&stream[offset..offset + count]);
            reader.advance(count).unwrap();
            offset += count;
        }
        assert_eq!(reader.packet().unwrap().data, b"abc");
        assert_eq!(reader.rest(), &stream[first.len()..offset]);
        assert!(reader.space().is_empty());
        reader.release().unwrap();
        reader.push(&stream[offset..]).unwrap();
        assert_eq!(reader.packet().unwrap().header, PacketHeader::last(3));
    }

    #[test]
    fn push_takes_one_packet_and_leaves_the_rest_to_its_caller() {
        let first = packet(&PacketHeader::data(0, 0, 3), b"abc");
        let stream = [&first[..], &first].concat();
        let mut reader = PacketReader::new(checksum());
        assert_eq!(reader.push(&stream), Ok(first.len()));
        assert_eq!(reader.push(&stream[first.len()..]), Ok(0));
        assert_eq!(reader.rest(), b"");
        reader.release().unwrap();
        assert_eq!(reader.push(&stream[first.len()..]), Ok(first.len()));
        assert_eq!(reader.packet().unwrap().data, b"abc");
    }

    #[test]
    fn parts_are_known_with_the_header_and_lie_where_the_reader_finds_them() {
        let bytes = packet(&PacketHeader::data(512, 3, 1000), &[7; 1000]);
        let mut reader = PacketReader::new(checksum());
        reader.push(&bytes).unwrap();
        let packet = reader.packet().unwrap();
        let head_len = bytes.len() - 1000 - 8;
        for come in 0..bytes.len() {
            let parts = PacketParts::of(&checksum(), &bytes[..come]).unwrap();
            assert_eq!(parts.is_some(), come >= head_len, "{come}");
            let Some(parts) = parts else { continue };
            assert_eq!(parts.header, packet.header);
            assert_eq!(&bytes[parts.checksums], packet.checksums);
            assert_eq!(&bytes[parts.data], packet.data);
        }
        assert!(PacketParts::of(&checksum(), &[0xFF; 6]).is_err());
    }

    #[test]
    fn hostile_lengths_are_refused_before_any_room_is_made_for_them() {
        for (lengths, field, got) in [
            ([0, 0, 0, 3, 0, 25], "length", 3),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0, 25], "length", -1),
            ([0x80, 0, 0, 0, 0, 25], "length", i64::from(i32::MIN)),
            ([0, 0, 0, 4, 0, 0], "header length", 0),
            ([0, 0, 0, 4, 0xFF, 0xFF], "header length", -1),
            ([0x7F, 0xFF, 0xFF, 0xFF, 0, 25], "length with its header", 0x7FFF_FFFF + 25),
            ([1, 0, 0, 0, 0, 1], "length with its header", (16 << 20) + 1),
        ] {
            let mut reader = PacketReader::new(checksum());
            let error = reader.push(&lengths).unwrap_err();
            assert!(
                matches!(error, Error::Packet { field: named, got: told, .. } if (named, told) == (field, got)),
                "{lengths:?}: {error}"
            );
            assert!(reader.buffer.len() < 100);
        }
    }

    #[test]
    fn room_follows_the_bytes_that_came_and_not_the_length_announced() {
        let data_len = (16 << 20) - 25 - 4;
        let none = ChunkedChecksum::new(ChecksumKind::Null, 512).unwrap();
        let header = PacketHeader::data(0, 0, data_len).encode(0);
        let mut reader = PacketReader::new(none);
        reader.push(header.as_ref()).unwrap();
        let mut came = 0;
        while reader.packet().is_none() {
            let space = reader.space();
            assert!(!space.is_empty());
            let count = space.len().min(9999);
            space[..count].fill(1);
            reader.advance(count).unwrap();
            came += count;
            assert!(reader.buffer.len() <= EAGER_ROOM.max(2 * (came + 31)), "{came}");
        }
        let packet = reader.packet().unwrap();
        assert!(
            packet.data.len() == data_len as usize && packet.data.iter().all(|&byte| byte == 1)
        );
    }

    #[test]
    fn lengths_that_do_not_agree_are_refused() {
        for (data_len, sums_len) in [(512, 0), (512, 8), (513, 4), (0, 4), (1, 3), (600, 512)] {
            let header = PacketHeader::data(0, 0, data_len).encode(sums_len);
            let error = PacketReader::new(checksum()).push(header.as_ref()).unwrap_err();
            assert!(
                matches!(error, Error::Packet { got, .. } if got == i64::from(sums_len)),
                "{data_len} {sums_len}: {error}"
            );
        }
        // More data than the packet has bytes.
        let mut bytes = PacketHeader::data(0, 0, 10).encode(4).as_ref().to_vec();
        bytes[27..31].copy_from_slice(&i32::MAX.to_le_bytes());
        assert!(matches!(
            PacketReader::new(checksum()).push(&bytes),
            Err(Error::Packet { got, .. }) if got == 14 - i64::from(i32::MAX)
        ));
    }

    #[test]
    fn an_error_stays_whatever_is_read_after_it() {
        let good = packet(&PacketHeader::data(0, 0, 3), b"abc");
        let mut reader = PacketReader::new(checksum());
        reader.push(&good[..6]).unwrap();
        // The first header is whole, and with it come the lengths and half a header of no packet.
        let stream = [&good[6..], &[0, 0, 0, 4, 0, 25, 0xFF, 0xFF]].concat();
        let space = reader.space();
        let count = space.len().min(stream.len());
        space[..count].copy_from_slice(&stream[..count]);
        reader.advance(count).unwrap();
        let rest = &stream[count..];
        reader.push(rest).unwrap();
        reader.release().unwrap();
        let error = reader.push(&[0xFF; 100]).unwrap_err();
        for _ in 0..3 {
            assert_eq!(reader.push(&good), Err(error.clone()));
            assert_eq!(reader.advance(0), Err(error.clone()));
            assert_eq!(reader.release(), Ok(()));
            assert!(reader.space().is_empty() && reader.packet().is_none());
        }
    }

    #[test]
    fn more_bytes_than_there_was_room_for_are_refused() {
        let mut reader = PacketReader::new(checksum());
        let room = reader.space().len();
        assert_eq!(
            reader.advance(room + 1),
            Err(Error::Count { what: "bytes received", expected: room, got: room + 1 })
        );
        assert_eq!(reader.push(&[0; 3]), Ok(3));
    }
}
