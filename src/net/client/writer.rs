//! A block written to a datanode.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use super::{answer, connect};
use crate::hdfs::{Operation, PacketHeader, PacketWriter, PipelineAck, WriteBlock};
use crate::net::connection::Connection;
use crate::net::{Error, Result};

/// Packets that may be on the way without having been acknowledged: what Hadoop's client has
/// (`dfs.client.write.max-packets-in-flight`).
const MAX_IN_FLIGHT: usize = 80;

/// What a packet has at most, header and checksums included (`dfs.client-write-packet-size`).
const PACKET_LEN: usize = 64 << 10;

/// How long to wait for what a datanode said before it stopped taking packets: it is there already.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A block being written to a datanode.
///
/// Dropped without [`finish`](Self::finish) the connection breaks off, and the datanode does not
/// finish the block.
///
/// ```no_run
/// use std::time::Duration;
/// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
/// use restripe::hdfs::{BlockId, ExtendedBlock, WriteBlock};
/// use restripe::net::BlockWriter;
///
/// let id = BlockId(-9223372036854775792);
/// let block = ExtendedBlock { pool_id: "BP-1".into(), id, generation_stamp: 1001, len: 7 };
/// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
/// let write = WriteBlock::create(block, "example", checksum);
/// let mut writer =
///     BlockWriter::open("127.0.0.1:9866".parse()?, &write, Duration::from_secs(60))?;
/// writer.write_all(b"rebuilt")?;
/// assert_eq!(writer.finish()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockWriter {
    connection: Connection,
    packets: PacketWriter,
    /// Data that does not fill a packet yet.
    pending: Vec<u8>,
    offset: u64,
    seqno: i64,
    /// Numbers of the packets that were sent and not yet acknowledged.
    in_flight: VecDeque<i64>,
    has_acks: bool,
}

impl BlockWriter {
    /// Connects and announces a block; `timeout` is for connecting, and for each message and
    /// packet.
    ///
    /// Without a client name in `write` nothing is answered or acknowledged, as between
    /// datanodes: then a block that was sent may still not have been stored.
    ///
    /// # Errors
    ///
    /// [`Error::PeerGone`], [`Error::PeerSlow`] and [`Error::Protocol`] for the datanode;
    /// [`Error::Refused`] with what it says; [`Error::Invalid`] where a chunk does not fit into
    /// a packet.
    pub fn open(address: SocketAddr, write: &WriteBlock, timeout: Duration) -> Result<Self> {
        let chunks = PacketWriter::chunks_to_write(write.checksum, PACKET_LEN);
        let packets = PacketWriter::without_data(write.checksum, chunks)?;
        let has_acks = !write.client_name.is_empty();
        let mut connection = connect(address, timeout)?;
        connection.send(&[&Operation::WriteBlock(write.clone()).to_wire()])?;
        if has_acks {
            answer(&mut connection, "the answer to a write")?;
        }
        Ok(Self {
            connection,
            packets,
            pending: Vec::new(),
            offset: 0,
            seqno: 0,
            in_flight: VecDeque::new(),
            has_acks,
        })
    }

    /// Sends data; less than a packet waits until there is more.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); [`Error::Refused`] where the datanode could not store what was
    /// sent before.
    pub fn write_all(&mut self, mut data: &[u8]) -> Result<()> {
        let packet = self.packets.max_data_len();
        if !self.pending.is_empty() {
            let (head, rest) = data.split_at(data.len().min(packet - self.pending.len()));
            self.pending.extend_from_slice(head);
            data = rest;
            if self.pending.len() == packet {
                self.send_pending()?;
            }
        }
        while data.len() >= packet {
            let (head, rest) = data.split_at(packet);
            self.send_data(head)?;
            data = rest;
        }
        self.pending.extend_from_slice(data);
        Ok(())
    }

    /// Tells the datanode that more will come, where that takes long: it gives a writer up after a
    /// minute of silence (Hadoop's own client sends one every half minute).
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    pub fn heartbeat(&mut self) -> Result<()> {
        self.send_packet(&PacketHeader::heartbeat(), &[])
    }

    /// Sends what is left and the last packet, waits until the datanode has stored everything,
    /// and says how many bytes the block has.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    pub fn finish(mut self) -> Result<u64> {
        if !self.pending.is_empty() {
            self.send_pending()?;
        }
        let last = PacketHeader { seqno: self.seqno, ..PacketHeader::last(self.offset) };
        self.send_packet(&last, &[])?;
        while !self.in_flight.is_empty() {
            self.read_ack()?;
        }
        let len = self.offset;
        if !self.has_acks {
            // That it closes the connection is all that it says.
            self.connection.finish()?;
        }
        Ok(len)
    }

    fn send_pending(&mut self) -> Result<()> {
        let mut pending = mem::take(&mut self.pending);
        self.send_data(&pending)?;
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    fn send_data(&mut self, data: &[u8]) -> Result<()> {
        // A packet is shorter than 16 MiB.
        let header = PacketHeader::data(self.offset, self.seqno, data.len() as u32);
        self.send_packet(&header, data)?;
        self.offset += data.len() as u64;
        Ok(())
    }

    fn send_packet(&mut self, header: &PacketHeader, data: &[u8]) -> Result<()> {
        let slices = self.packets.frame(header, data)?;
        if let Err(error) = self.connection.send(&slices) {
            return Err(self.reason(error));
        }
        if !header.is_heartbeat() {
            self.seqno += 1;
        }
        if self.has_acks {
            self.in_flight.push_back(header.seqno);
            if self.in_flight.len() >= MAX_IN_FLIGHT {
                self.read_ack()?;
            }
        }
        Ok(())
    }

    fn read_ack(&mut self) -> Result<()> {
        let ack: PipelineAck = self.connection.message("an acknowledgement")?;
        if let Some((_, status)) = ack.failure() {
            return Err(Error::Refused {
                peer: self.connection.peer().into(),
                status,
                message: std::format!("packet {}", ack.seqno),
            });
        }
        match self.in_flight.front() {
            Some(&expected) if expected != ack.seqno => {
                let number = crate::Error::PacketNumber { got: ack.seqno, expected };
                Err(self.connection.protocol(number))
            }
            _ => {
                self.in_flight.pop_front();
                Ok(())
            }
        }
    }

    /// Why sending failed: a datanode says what is wrong before it takes nothing more.
    fn reason(&mut self, error: Error) -> Error {
        self.connection.hurry(LAST_WORDS);
        for _ in 0..MAX_IN_FLIGHT {
            match self.read_ack() {
                Ok(()) => {}
                Err(refused @ Error::Refused { .. }) => return refused,
                Err(_) => return error,
            }
        }
        error
    }
}
