//! A block, or a range of one, read from a datanode.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{answer, connect};
use crate::checksum::{ChecksumKind, ChunkedChecksum};
use crate::hdfs::{
    Accepted, BlockId, BlockOpResponse, ClientReadStatus, Message as _, Operation, Packet,
    PacketReader, PacketSequence, ReadBlock, Status,
};
use crate::net::connection::Connection;
use crate::net::{Error, Result};

/// A block, or a range of one, being read from a datanode.
///
/// Everything is verified on arrival; damaged data is an error and is not handed out.
///
/// ```no_run
/// use std::time::Duration;
/// use restripe::hdfs::{BlockId, ExtendedBlock, ReadBlock};
/// use restripe::net::BlockReader;
///
/// let id = BlockId(1_073_741_825);
/// let block = ExtendedBlock { pool_id: "BP-1".into(), id, generation_stamp: 0, len: 0 };
/// let read = ReadBlock::new(block, "example", 0, ReadBlock::TO_THE_END);
/// let mut reader =
///     BlockReader::open("127.0.0.1:9866".parse()?, &read, Duration::from_secs(60))?;
/// let len = reader.copy_to(&mut std::io::stdout())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockReader {
    connection: Connection,
    block: BlockId,
    checksum: ChunkedChecksum,
    packets: PacketReader,
    sequence: PacketSequence,
    /// First byte that is still to be handed out.
    position: u64,
    /// End of what was asked for; without one, what there is.
    end: Option<u64>,
    /// Whether data is held against its checksums here, and not by whoever takes it.
    verifies: bool,
}

impl BlockReader {
    /// Connects and asks for bytes of a block; `timeout` is for connecting, and for each message
    /// and packet.
    ///
    /// # Errors
    ///
    /// [`Error::PeerGone`], [`Error::PeerSlow`] and [`Error::Protocol`] for the datanode;
    /// [`Error::Refused`] with what it says.
    pub fn open(address: SocketAddr, read: &ReadBlock, timeout: Duration) -> Result<Self> {
        let mut connection = connect(address, timeout)?;
        connection.send(&[&Operation::ReadBlock(read.clone()).to_wire()])?;
        let response = answer(&mut connection, "the answer to a read")?;
        let refused = |reason| {
            let message = BlockOpResponse::NAME;
            connection.protocol(crate::Error::Message { message, offset: 0, reason })
        };
        let info = response.read_checksum.ok_or_else(|| refused("it has no checksum"))?;
        let chunk = info.checksum.bytes_per_checksum() as u64;
        let is_start = info.chunk_offset.is_multiple_of(chunk);
        let in_chunk = read.offset.checked_sub(info.chunk_offset).filter(|&skip| skip < chunk);
        if !is_start || in_chunk.is_none() {
            return Err(refused("its chunk is not that of the first byte asked for"));
        }
        let has_end = read.len <= i64::MAX as u64;
        Ok(Self {
            connection,
            block: read.block.id,
            checksum: info.checksum,
            packets: PacketReader::new(info.checksum),
            sequence: PacketSequence::of_read(info.checksum, info.chunk_offset),
            position: read.offset,
            end: has_end.then(|| read.offset.saturating_add(read.len)),
            verifies: true,
        })
    }

    /// As [`open`](Self::open), for whoever verifies the data itself: see
    /// [`packet`](Self::packet).
    pub(in crate::net) fn open_unverified(
        address: SocketAddr,
        read: &ReadBlock,
        timeout: Duration,
    ) -> Result<Self> {
        Ok(Self { verifies: false, ..Self::open(address, read, timeout)? })
    }

    /// The packet that the data given last is of, with its checksums.
    pub(in crate::net) fn packet(&self) -> Option<Packet<'_>> {
        self.packets.packet()
    }

    /// The socket, for another thread to shut it down by.
    pub(in crate::net) fn socket(&self) -> Result<TcpStream> {
        self.connection.socket()
    }

    /// The checksums that the data comes with.
    #[must_use]
    pub fn checksum(&self) -> ChunkedChecksum {
        self.checksum
    }

    /// The next bytes of what was asked for; `None` after the last.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Error::Corrupt`]. After an error nothing more comes.
    pub fn next_data(&mut self) -> Result<Option<&[u8]>> {
        let mut wanted = false;
        while !wanted {
            if self.sequence.is_ended() {
                return Ok(None);
            }
            self.packets.release().map_err(|error| self.connection.protocol(error))?;
            self.connection.packet(&mut self.packets)?;
            wanted = self.accept()?;
        }
        let Some(packet) = self.packets.packet() else { return Ok(None) };
        let start = packet.header.offset_in_block;
        let until = self.sequence.end().min(self.end.unwrap_or(u64::MAX));
        // Both lie within the packet: it would not be wanted else.
        let data = &packet.data[(self.position - start) as usize..(until - start) as usize];
        self.position = until;
        Ok(Some(data))
    }

    /// Writes all that was asked for to `sink`, and says how many bytes that were.
    ///
    /// # Errors
    ///
    /// As [`next_data`](Self::next_data); [`Error::Sink`] for an error of `sink`.
    pub fn copy_to(&mut self, sink: &mut impl Write) -> Result<u64> {
        let mut len = 0;
        while let Some(data) = self.next_data()? {
            sink.write_all(data).map_err(|source| Error::Sink { source })?;
            len += data.len() as u64;
        }
        Ok(len)
    }

    /// Checks the packet that is there; true where bytes of it were asked for.
    fn accept(&mut self) -> Result<bool> {
        let Some(packet) = self.packets.packet() else { return Ok(false) };
        let accepted = self.sequence.accept(&packet.header);
        let accepted = accepted.map_err(|error| self.connection.protocol(error))?;
        let start = packet.header.offset_in_block;
        let seqno = packet.header.seqno;
        let order = |field, got, expected| {
            self.connection.protocol(crate::Error::PacketOrder { seqno, field, got, expected })
        };
        if accepted == Accepted::Last {
            let got = self.sequence.end();
            let expected = self.end.unwrap_or(self.position);
            if got < expected {
                return Err(order("offset as the last packet", got, expected));
            }
            self.connection.unread(self.packets.rest());
            let verified = self.verifies && self.checksum.kind() != ChecksumKind::Null;
            let status = if verified { Status::ChecksumOk } else { Status::Success };
            // All data is here and good. A datanode that went away does not change that.
            let _ = self.connection.send(&[&ClientReadStatus { status }.to_wire()]);
            return Ok(false);
        }
        if let Some(end) = self.end.filter(|&end| start >= end) {
            return Err(order("offset after all that was asked for", start, end));
        }
        if self.verifies {
            self.checksum
                .verify(packet.data, packet.checksums)
                .map_err(|error| Error::of_checksum(self.block, start, error))?;
        }
        Ok(self.sequence.end() > self.position)
    }
}
