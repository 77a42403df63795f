//! Which packet may come after which: the rules of a receiver.

use super::PacketHeader;
use crate::checksum::ChunkedChecksum;
use crate::{Error, Result};

/// What a packet that was accepted is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accepted {
    /// It shows that the sender lives; there is nothing to do but to acknowledge it.
    Heartbeat,
    /// It has no data and asks that all data so far be brought to the disk.
    Sync,
    /// It has data.
    Data(Placement),
    /// It ends the block.
    Last,
}

/// Where a packet's data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// Behind all data so far, at the start of a chunk.
    NewChunk,
    /// At the start of the short chunk that the data so far ends with, all of which it holds
    /// again: data and checksum replace what is there.
    RestartsChunk,
    /// Behind all data so far, within a chunk; its checksum is of its own bytes and not of the
    /// chunk's.
    ContinuesChunk,
}

/// Follows the packets of one block and refuses any that may not come next.
///
/// ```
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
/// use restripe::hdfs::{Accepted, PacketHeader, PacketSequence, Placement};
///
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
/// let mut sequence = PacketSequence::of_write(checksum);
/// let flushed = PacketHeader::data(0, 0, 600);
/// assert_eq!(sequence.accept(&flushed)?, Accepted::Data(Placement::NewChunk));
/// let again = PacketHeader::data(512, 1, 512);
/// assert_eq!(sequence.accept(&again)?, Accepted::Data(Placement::RestartsChunk));
/// let last = PacketHeader { seqno: 2, ..PacketHeader::last(1024) };
/// assert_eq!(sequence.accept(&last)?, Accepted::Last);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PacketSequence {
    /// Whether heartbeats, flushes and chunks sent again are part of it.
    writing: bool,
    bytes_per_checksum: u64,
    next_seqno: i64,
    /// End of the data so far.
    end: u64,
    /// A chunk was cut and the sequence is one that then has no more data.
    cut: bool,
    ended: bool,
}

impl PacketSequence {
    /// The packets that write a new block: from offset 0, with flushes, heartbeats and syncs.
    #[must_use]
    pub fn of_write(checksum: ChunkedChecksum) -> Self {
        Self { writing: true, ..Self::of_read(checksum, 0) }
    }

    /// The packets that answer a read from `chunk_offset` on: data without a gap, a short chunk
    /// at the most at its end, then the last packet.
    #[must_use]
    pub fn of_read(checksum: ChunkedChecksum, chunk_offset: u64) -> Self {
        Self {
            writing: false,
            bytes_per_checksum: checksum.bytes_per_checksum() as u64,
            next_seqno: 0,
            end: chunk_offset,
            cut: false,
            ended: false,
        }
    }

    /// Where in the block the data so far ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the last packet was accepted.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Accepts a packet by its header.
    ///
    /// # Errors
    ///
    /// [`Error::PacketOrder`] for a packet that may not come now; it changes nothing.
    pub fn accept(&mut self, header: &PacketHeader) -> Result<Accepted> {
        let refused = |field, got: u64, expected: u64| Error::PacketOrder {
            seqno: header.seqno,
            field,
            got,
            expected,
        };
        if self.ended {
            return Err(refused("number of packets after the last", 1, 0));
        }
        let (offset, len) = (header.offset_in_block, u64::from(header.data_len));
        if self.writing && header.is_heartbeat() {
            if len != 0 {
                return Err(refused("data length of a heartbeat", len, 0));
            }
            return Ok(Accepted::Heartbeat);
        }
        if header.seqno != self.next_seqno {
            return Err(Error::PacketNumber { got: header.seqno, expected: self.next_seqno });
        }
        if header.last_packet_in_block {
            if len != 0 {
                return Err(refused("data length of the last packet", len, 0));
            }
            if offset != self.end {
                return Err(refused("offset", offset, self.end));
            }
            self.ended = true;
            return Ok(self.next(Accepted::Last));
        }
        if len == 0 {
            if !self.writing || !header.sync_block {
                return Err(refused("data length", 0, 1));
            }
            if offset != self.end && offset != self.chunk_start() {
                return Err(refused("offset", offset, self.end));
            }
            return Ok(self.next(Accepted::Sync));
        }
        let placement = self.place(header)?;
        // The sum was checked by place.
        self.end = offset + len;
        self.cut = !self.writing && !self.end.is_multiple_of(self.bytes_per_checksum);
        Ok(self.next(Accepted::Data(placement)))
    }

    fn next(&mut self, accepted: Accepted) -> Accepted {
        // Past the largest number there is none that could be accepted.
        self.next_seqno = self.next_seqno.saturating_add(1);
        accepted
    }

    /// Start of the chunk in which the data so far ends.
    fn chunk_start(&self) -> u64 {
        self.end - self.end % self.bytes_per_checksum
    }

    fn place(&self, header: &PacketHeader) -> Result<Placement> {
        let (offset, len) = (header.offset_in_block, u64::from(header.data_len));
        let refused = |field, got: u64, expected: u64| Error::PacketOrder {
            seqno: header.seqno,
            field,
            got,
            expected,
        };
        if len > (i64::MAX as u64).saturating_sub(offset) {
            return Err(refused("offset", offset, self.end));
        }
        let filled = self.end % self.bytes_per_checksum;
        if self.cut {
            return Err(refused("data length after a short chunk", len, 0));
        }
        if offset == self.end && filled == 0 {
            return Ok(Placement::NewChunk);
        }
        if offset == self.end {
            let room = self.bytes_per_checksum - filled;
            if len > room {
                return Err(refused("data length in the rest of a chunk", len, room));
            }
            return Ok(Placement::ContinuesChunk);
        }
        if self.writing && filled > 0 && offset == self.chunk_start() {
            if len < filled {
                return Err(refused("data length of a chunk sent again", len, filled));
            }
            return Ok(Placement::RestartsChunk);
        }
        Err(refused("offset", offset, self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::ChecksumKind;

    fn checksum() -> ChunkedChecksum {
        ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap()
    }

    fn data(offset: u64, seqno: i64, len: u32) -> PacketHeader {
        PacketHeader::data(offset, seqno, len)
    }

    fn last(offset: u64, seqno: i64) -> PacketHeader {
        PacketHeader { seqno, ..PacketHeader::last(offset) }
    }

    fn after(mut sequence: PacketSequence, headers: &[PacketHeader]) -> PacketSequence {
        headers.iter().for_each(|header| {
            sequence.accept(header).unwrap();
        });
        sequence
    }

    fn write(headers: &[PacketHeader]) -> PacketSequence {
        after(PacketSequence::of_write(checksum()), headers)
    }

    fn read(headers: &[PacketHeader]) -> PacketSequence {
        after(PacketSequence::of_read(checksum(), 0), headers)
    }

    #[track_caller]
    fn refuses(
        mut sequence: PacketSequence,
        header: PacketHeader,
        field: &str,
        got: u64,
        expected: u64,
    ) {
        let before = sequence.clone();
        let refused = sequence.accept(&header);
        assert!(
            matches!(
                refused,
                Err(Error::PacketOrder { field: f, got: g, expected: e, .. })
                    if (f, g, e) == (field, got, expected)
            ),
            "{refused:?}"
        );
        assert_eq!((sequence.end(), sequence.next_seqno), (before.end(), before.next_seqno));
    }

    #[test]
    fn numbers_rise_by_one_and_heartbeats_do_not_count() {
        let mut sequence = write(&[data(0, 0, 512), PacketHeader::heartbeat(), data(512, 1, 512)]);
        for seqno in [0, 1, 3, i64::MAX] {
            assert_eq!(
                sequence.accept(&data(1024, seqno, 512)),
                Err(Error::PacketNumber { got: seqno, expected: 2 })
            );
        }
        assert_eq!(sequence.accept(&data(1024, 2, 512)), Ok(Accepted::Data(Placement::NewChunk)));
    }

    #[test]
    fn a_heartbeat_has_no_data_and_comes_only_to_a_writer() {
        refuses(write(&[]), data(0, -1, 5), "data length of a heartbeat", 5, 0);
        assert_eq!(
            read(&[]).accept(&PacketHeader::heartbeat()),
            Err(Error::PacketNumber { got: -1, expected: 0 })
        );
    }

    #[test]
    fn the_last_packet_is_empty_ends_where_the_data_does_and_has_none_behind_it() {
        let with_data = PacketHeader { data_len: 7, ..last(512, 1) };
        refuses(write(&[data(0, 0, 512)]), with_data, "data length of the last packet", 7, 0);
        refuses(write(&[data(0, 0, 512)]), last(0, 1), "offset", 0, 512);
        refuses(write(&[data(0, 0, 512)]), last(513, 1), "offset", 513, 512);
        let ended = write(&[data(0, 0, 512), last(512, 1)]);
        assert!(ended.is_ended());
        refuses(ended.clone(), data(512, 2, 512), "number of packets after the last", 1, 0);
        refuses(ended, PacketHeader::heartbeat(), "number of packets after the last", 1, 0);
        assert!(write(&[last(0, 0)]).is_ended());
    }

    #[test]
    fn an_empty_packet_is_the_last_or_a_sync() {
        refuses(write(&[]), data(0, 0, 0), "data length", 0, 1);
        let sync = |offset, seqno| PacketHeader { sync_block: true, ..data(offset, seqno, 0) };
        let mut sequence = write(&[data(0, 0, 600)]);
        assert_eq!(sequence.accept(&sync(600, 1)), Ok(Accepted::Sync));
        assert_eq!(sequence.accept(&sync(512, 2)), Ok(Accepted::Sync));
        refuses(sequence.clone(), sync(0, 3), "offset", 0, 600);
        assert_eq!(sequence.end(), 600);
        refuses(read(&[data(0, 0, 512)]), sync(512, 1), "data length", 0, 1);
    }

    #[test]
    fn after_a_flush_a_writer_starts_again_at_the_chunk_or_goes_on_within_it() {
        let flushed = write(&[data(0, 0, 1536 + 100)]);
        for (header, accepted) in [
            (data(1536, 1, 5000), Ok(Placement::RestartsChunk)),
            (data(1536, 1, 100), Ok(Placement::RestartsChunk)),
            (data(1636, 1, 412), Ok(Placement::ContinuesChunk)),
            (data(1636, 1, 1), Ok(Placement::ContinuesChunk)),
        ] {
            assert_eq!(flushed.clone().accept(&header), accepted.map(Accepted::Data), "{header:?}");
        }
        refuses(flushed.clone(), data(1536, 1, 99), "data length of a chunk sent again", 99, 100);
        refuses(
            flushed.clone(),
            data(1636, 1, 413),
            "data length in the rest of a chunk",
            413,
            412,
        );
        refuses(flushed.clone(), data(1024, 1, 1000), "offset", 1024, 1636);
        refuses(flushed, data(2048, 1, 512), "offset", 2048, 1636);
        refuses(write(&[data(0, 0, 1024)]), data(512, 1, 512), "offset", 512, 1024);
    }

    #[test]
    fn a_reader_gets_no_gap_and_a_short_chunk_only_at_the_end() {
        refuses(read(&[data(0, 0, 512)]), data(1024, 1, 512), "offset", 1024, 512);
        refuses(read(&[data(0, 0, 512)]), data(0, 1, 512), "offset", 0, 512);
        let short = read(&[data(0, 0, 700)]);
        refuses(short.clone(), data(700, 1, 1), "data length after a short chunk", 1, 0);
        refuses(short.clone(), data(512, 1, 512), "data length after a short chunk", 512, 0);
        assert!(after(short, &[last(700, 1)]).is_ended());
        let from_1024 = PacketSequence::of_read(checksum(), 1024);
        assert_eq!(after(from_1024, &[data(1024, 0, 512), last(1536, 1)]).end(), 1536);
    }

    #[test]
    fn offsets_near_the_end_of_64_bits_do_not_overflow() {
        let none = ChunkedChecksum::new(ChecksumKind::Null, 1).unwrap();
        let sequence = PacketSequence::of_read(none, i64::MAX as u64 - 1);
        let end = i64::MAX as u64 - 1;
        refuses(sequence.clone(), data(end, 0, 2), "offset", end, end);
        refuses(sequence.clone(), data(u64::MAX, 0, 2), "offset", u64::MAX, end);
        assert_eq!(after(sequence, &[data(end, 0, 1)]).end(), i64::MAX as u64);
    }
}
