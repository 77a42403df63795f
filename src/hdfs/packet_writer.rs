//! Packets laid out for sending, their data where it is.

use alloc::vec::Vec;

use super::PacketHeader;
use crate::checksum::ChunkedChecksum;
use crate::{Error, Result};

/// Lays out packets in a buffer of its own, one after the other.
///
/// The header's length is known only when the packet is, so it stands right-aligned in the head
/// room before the checksums. The data follows in the same buffer, to be read there from a file;
/// or it stays where it is, in memory or in a file that the kernel sends, and the buffer has no
/// room for data at all.
///
/// ```
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
/// use restripe::hdfs::{PacketHeader, PacketWriter};
///
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
///
/// // Data that is in memory: not copied.
/// let block = vec![7; 1000];
/// let mut writer = PacketWriter::without_data(checksum, 2)?;
/// let [head, data] = writer.frame(&PacketHeader::data(0, 0, 1000), &block)?;
/// assert_eq!((head.len(), data.as_ptr()), (31 + 8, block.as_ptr()));
/// let framed = [head, data].concat();
///
/// // Data that is put into the packet, to be sent with one write.
/// let mut writer = PacketWriter::new(checksum, 2)?;
/// let room = writer.prepare(1000)?;
/// room.data.copy_from_slice(&block);
/// checksum.compute(room.data, room.checksums)?;
/// assert_eq!(writer.seal(&PacketHeader::data(0, 0, 1000))?, framed);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Debug)]
pub struct PacketWriter {
    checksum: ChunkedChecksum,
    max_data_len: usize,
    has_data: bool,
    /// Head room, checksums, data.
    buffer: Vec<u8>,
    data_len: usize,
}

/// Where the checksums and the data of a packet go.
#[derive(Debug)]
pub struct PacketRoom<'a> {
    /// Room for the checksums of all chunks, big-endian.
    pub checksums: &'a mut [u8],
    /// Room for the data; empty where the writer has none.
    pub data: &'a mut [u8],
}

impl PacketWriter {
    /// A writer of packets of at most `chunks` chunks, with room for their data.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for no chunk, and for more than a packet of 16 MiB holds.
    pub fn new(checksum: ChunkedChecksum, chunks: usize) -> Result<Self> {
        let refused = Error::OutOfBounds {
            what: "chunks in a packet",
            got: chunks as u64,
            expected: "1 or more, with their checksums and the header at most 16777216 bytes",
        };
        let with_sum = checksum.bytes_per_checksum() + checksum.kind().size();
        let len = chunks.checked_mul(with_sum).ok_or(refused.clone())?;
        if chunks == 0 || len > PacketHeader::MAX_PACKET_LEN - PacketHeader::MAX_LEN {
            return Err(refused);
        }
        Ok(Self {
            checksum,
            max_data_len: chunks * checksum.bytes_per_checksum(),
            has_data: true,
            buffer: Vec::new(),
            data_len: 0,
        })
    }

    /// A writer of packets whose data is sent from where it is.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn without_data(checksum: ChunkedChecksum, chunks: usize) -> Result<Self> {
        Ok(Self { has_data: false, ..Self::new(checksum, chunks)? })
    }

    /// As many chunks as HDFS puts into a packet that it sends from a file: 64 KiB of data or
    /// `io_buffer` bytes where that is more, rounded up to a whole chunk.
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// use restripe::hdfs::PacketWriter;
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
    /// assert_eq!(PacketWriter::chunks_to_send(checksum, 4096), 128);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn chunks_to_send(checksum: ChunkedChecksum, io_buffer: usize) -> usize {
        io_buffer.max(64 << 10).div_ceil(checksum.bytes_per_checksum()).max(1)
    }

    /// As many chunks as HDFS puts into a packet of `packet_len` bytes when it writes a block
    /// (`dfs.client-write-packet-size`, 65536 by default): header and checksums fit too.
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// use restripe::hdfs::PacketWriter;
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
    /// assert_eq!(PacketWriter::chunks_to_write(checksum, 65_536), 126);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn chunks_to_write(checksum: ChunkedChecksum, packet_len: usize) -> usize {
        let with_sum = checksum.bytes_per_checksum() + checksum.kind().size();
        (packet_len.saturating_sub(PacketHeader::MAX_LEN) / with_sum).max(1)
    }

    /// The checksums of its packets.
    #[must_use]
    pub fn checksum(&self) -> ChunkedChecksum {
        self.checksum
    }

    /// Most bytes of data in a packet.
    #[must_use]
    pub fn max_data_len(&self) -> usize {
        self.max_data_len
    }

    /// Begins a packet of `data_len` bytes of data. The room holds whatever an earlier packet
    /// left there.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for more than [`max_data_len`](Self::max_data_len).
    pub fn prepare(&mut self, data_len: usize) -> Result<PacketRoom<'_>> {
        self.begin(data_len, if self.has_data { data_len } else { 0 })
    }

    /// Puts the header before the packet begun with [`prepare`](Self::prepare): header,
    /// checksums and, where the writer has room for it, data. Where it has not, the data is
    /// to be sent next.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] where the packet was begun for another length of data,
    /// [`Error::OutOfBounds`] for an offset of more than 63 bits.
    pub fn seal(&mut self, header: &PacketHeader) -> Result<&[u8]> {
        let start = self.put_header(header)?;
        let inside = if self.has_data { self.data_len } else { 0 };
        let end = PacketHeader::MAX_LEN + self.sums_len(self.data_len) + inside;
        Ok(&self.buffer[start..end])
    }

    /// A packet around data in memory, as two slices to be sent one after the other: header and
    /// checksums, which it computes, and the data itself.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare) and [`seal`](Self::seal).
    pub fn frame<'a>(&'a mut self, header: &PacketHeader, data: &'a [u8]) -> Result<[&'a [u8]; 2]> {
        let checksum = self.checksum;
        let room = self.begin(data.len(), 0)?;
        checksum.compute(data, room.checksums)?;
        let start = self.put_header(header)?;
        let end = PacketHeader::MAX_LEN + self.sums_len(data.len());
        Ok([&self.buffer[start..end], data])
    }

    /// Makes room for a packet of which `inside` bytes of data go into the buffer.
    fn begin(&mut self, data_len: usize, inside: usize) -> Result<PacketRoom<'_>> {
        if data_len > self.max_data_len {
            return Err(Error::OutOfBounds {
                what: "data of a packet",
                got: data_len as u64,
                expected: "at most the bytes of its chunks",
            });
        }
        let sums_len = self.sums_len(data_len);
        let len = PacketHeader::MAX_LEN + sums_len + inside;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        self.data_len = data_len;
        let (checksums, data) = self.buffer[PacketHeader::MAX_LEN..len].split_at_mut(sums_len);
        Ok(PacketRoom { checksums, data })
    }

    /// Right-aligns the header in the head room and says where it starts.
    fn put_header(&mut self, header: &PacketHeader) -> Result<usize> {
        let data_len = header.data_len as usize;
        if data_len != self.data_len {
            return Err(Error::Length {
                what: "data of packet",
                index: usize::try_from(header.seqno).unwrap_or(0),
                expected: self.data_len,
                got: data_len,
            });
        }
        if header.offset_in_block > i64::MAX as u64 {
            return Err(Error::OutOfBounds {
                what: "offset in the block",
                got: header.offset_in_block,
                expected: "at most 9223372036854775807",
            });
        }
        // The checksums of a packet are shorter than 16 MiB.
        let encoded = header.encode(self.sums_len(data_len) as u32);
        let encoded = encoded.as_ref();
        let start = PacketHeader::MAX_LEN - encoded.len();
        if self.buffer.len() < PacketHeader::MAX_LEN {
            self.buffer.resize(PacketHeader::MAX_LEN, 0);
        }
        self.buffer[start..PacketHeader::MAX_LEN].copy_from_slice(encoded);
        Ok(start)
    }

    fn sums_len(&self, data_len: usize) -> usize {
        data_len.div_ceil(self.checksum.bytes_per_checksum()) * self.checksum.kind().size()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::checksum::ChecksumKind;

    fn checksum(bytes_per_checksum: usize) -> ChunkedChecksum {
        ChunkedChecksum::new(ChecksumKind::Crc32c, bytes_per_checksum).unwrap()
    }

    #[test]
    fn packets_have_no_room_for_data_that_stays_where_it_is() {
        let mut writer = PacketWriter::without_data(checksum(512), 128).unwrap();
        let room = writer.prepare(65_536).unwrap();
        assert_eq!((room.checksums.len(), room.data.len()), (512, 0));
        assert_eq!(writer.buffer.len(), 33 + 512);
        let mut writer = PacketWriter::new(checksum(512), 128).unwrap();
        let room = writer.prepare(65_535).unwrap();
        assert_eq!((room.checksums.len(), room.data.len()), (512, 65_535));
    }

    #[test]
    fn header_checksums_and_data_are_one_piece_with_either_header() {
        let mut writer = PacketWriter::new(checksum(4), 3).unwrap();
        for sync_block in [false, true] {
            let room = writer.prepare(5).unwrap();
            room.checksums.copy_from_slice(b"SUM1SUM2");
            room.data.copy_from_slice(b"12345");
            let header = PacketHeader { sync_block, ..PacketHeader::data(0, 0, 5) };
            let bytes = writer.seal(&header).unwrap();
            let encoded = header.encode(8);
            assert_eq!(bytes, [encoded.as_ref(), b"SUM1SUM212345"].concat());
        }
    }

    #[test]
    fn an_empty_packet_needs_nothing_prepared() {
        let mut writer = PacketWriter::without_data(checksum(512), 1).unwrap();
        let last = PacketHeader::last(7);
        assert_eq!(writer.seal(&last).unwrap(), last.encode(0).as_ref());
    }

    #[test]
    fn packets_longer_than_16_mebibytes_are_refused() {
        for (bytes_per_checksum, most) in [(512, (16 * 1024 * 1024 - 33) / 516), (15 << 20, 1)] {
            assert!(PacketWriter::new(checksum(bytes_per_checksum), most).is_ok());
            for chunks in [0, most + 1, usize::MAX] {
                assert!(matches!(
                    PacketWriter::new(checksum(bytes_per_checksum), chunks),
                    Err(Error::OutOfBounds { got, .. }) if got == chunks as u64
                ));
            }
        }
        assert!(PacketWriter::new(checksum(16 << 20), 1).is_err());
    }

    #[test]
    fn more_data_than_prepared_for_or_another_length_is_refused() {
        let mut writer = PacketWriter::new(checksum(512), 2).unwrap();
        assert_eq!(writer.max_data_len(), 1024);
        assert!(matches!(writer.prepare(1025), Err(Error::OutOfBounds { got: 1025, .. })));
        writer.prepare(1000).unwrap();
        assert!(matches!(
            writer.seal(&PacketHeader::data(0, 0, 999)),
            Err(Error::Length { expected: 1000, got: 999, .. })
        ));
        assert!(matches!(
            writer.seal(&PacketHeader::data(1 << 63, 0, 1000)),
            Err(Error::OutOfBounds { .. })
        ));
        let long = vec![0; 1025];
        assert!(writer.frame(&PacketHeader::data(0, 0, 1025), &long).is_err());
    }

    #[test]
    fn large_chunks_make_packets_of_one_chunk() {
        assert_eq!(PacketWriter::chunks_to_send(checksum(1 << 20), 4096), 1);
        assert_eq!(PacketWriter::chunks_to_send(checksum(1000), 4096), 66);
        assert_eq!(PacketWriter::chunks_to_send(checksum(512), 1 << 20), 2048);
        assert_eq!(PacketWriter::chunks_to_write(checksum(1 << 20), 65_536), 1);
        assert_eq!(PacketWriter::chunks_to_write(checksum(4096), 65_536), 15);
    }
}
