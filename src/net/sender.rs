//! The block sender: packets out of a replica, their data by way of the kernel or of memory.

use std::boxed::Box;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec;

use super::{Error, PacketOutput, Replica, Result, Throttler};
use crate::checksum::{ChecksumKind, ChunkedChecksum};
use crate::hdfs::{PacketHeader, PacketWriter, ReadChecksumInfo};

/// How the data of packets goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Way {
    /// The kernel takes it from the file to the socket. It is not verified here, the receiver
    /// does that. Where the kernel refuses, it goes on the normal way.
    #[default]
    ZeroCopy,
    /// Through memory, verified against its checksums.
    Normal,
}

/// What to do with data that does not have its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Corrupt {
    /// Stop, before anything of that packet is sent.
    #[default]
    Refuse,
    /// Send it on with the checksums as they are, and count it: for whoever wants the bytes that
    /// are there, and verifies for himself.
    PassOn,
}

/// How a block is sent.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// How the data goes out.
    pub way: Way,
    /// What happens to corrupt data on the normal way. (On the other nobody looks.)
    pub corrupt: Corrupt,
    /// Whether the checksums go with the data.
    pub send_checksums: bool,
    /// Data in a packet in bytes, rounded up to whole chunks; 64 KiB where it is less.
    pub packet_len: usize,
    /// The limit on bytes per second, shared with whoever else has it.
    pub throttler: Option<Arc<Throttler>>,
    /// The time that the receiver has to take a packet.
    pub timeout: Duration,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            way: Way::default(),
            corrupt: Corrupt::default(),
            send_checksums: true,
            packet_len: 64 << 10,
            throttler: None,
            timeout: Duration::from_secs(60),
        }
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of data.
    pub data_len: u64,
    /// Those of them that the kernel took from the file to the socket.
    pub zero_copy_len: u64,
    /// Packets, the last one included.
    pub packets: u64,
    /// Packets with data that does not have its checksum: see [`Corrupt::PassOn`].
    pub corrupt_packets: u64,
}

/// Sends a range of a replica as packets.
///
/// ```
/// # use std::fs;
/// # let folder = std::env::temp_dir().join(format!("restripe-sender-{}", std::process::id()));
/// # fs::create_dir_all(&folder)?;
/// # fs::write(folder.join("blk_5"), b"block")?;
/// # fs::write(folder.join("blk_5_1.meta"), [0, 1, 0, 0, 0, 2, 0])?;
/// use restripe::hdfs::BlockId;
/// use restripe::net::{BlockSender, BlockStore, Plain, SendOptions};
///
/// let replica = BlockStore::open(&folder)?.find(BlockId(5), 0)?;
/// let mut packets = Vec::new();
/// let mut sender = BlockSender::new(&replica, 1, 3, SendOptions::default())?;
/// let sent = sender.send(&mut Plain(&mut packets))?;
/// assert_eq!((sent.data_len, sent.packets), (5, 2)); // whole chunks, and the last packet
/// # fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockSender<'a> {
    replica: &'a Replica,
    options: SendOptions,
    /// The checksums of the packets.
    checksum: ChunkedChecksum,
    start: u64,
    end: u64,
    way: Way,
    chunks: usize,
    sent: Sent,
}

impl<'a> BlockSender<'a> {
    /// A sender of `len` bytes of a replica from `offset` on; up to its end where `len` is more
    /// than `i64::MAX` ([`ReadBlock::TO_THE_END`](crate::hdfs::ReadBlock::TO_THE_END)).
    ///
    /// Whole chunks are sent, so the first byte that the receiver gets may be before `offset`:
    /// see [`info`](Self::info).
    ///
    /// # Errors
    ///
    /// [`Error::Range`] for bytes past the end; [`Error::Invalid`] where not even a chunk fits
    /// into a packet.
    pub fn new(replica: &'a Replica, offset: u64, len: u64, options: SendOptions) -> Result<Self> {
        let block_len = replica.len();
        // Negative lengths are those of the protocol's clients in Java.
        let wanted = if len > i64::MAX as u64 { block_len.checked_sub(offset) } else { Some(len) };
        let end = wanted.and_then(|len| offset.checked_add(len)).filter(|&end| end <= block_len);
        let end = end.ok_or(Error::Range { block: replica.id(), offset, len, block_len })?;

        let checksum = packet_checksum(replica.checksum(), options.send_checksums)?;
        let chunk = checksum.bytes_per_checksum() as u64;
        let start = offset - offset % chunk;
        // Beyond 64 bits there is no block.
        let end = end.checked_next_multiple_of(chunk).unwrap_or(block_len).min(block_len);
        let chunks = PacketWriter::chunks_to_send(checksum, options.packet_len);
        PacketWriter::new(checksum, chunks)?;
        let way = options.way;
        Ok(Self { replica, options, checksum, start, end, way, chunks, sent: Sent::default() })
    }

    /// What the receiver has to be told before the packets.
    #[must_use]
    pub fn info(&self) -> ReadChecksumInfo {
        ReadChecksumInfo { checksum: self.checksum, chunk_offset: self.start }
    }

    /// Sends all packets, the empty last one too.
    ///
    /// # Errors
    ///
    /// [`Error::PeerGone`] and [`Error::PeerSlow`] for the receiver, [`Error::File`] for the
    /// files here, [`Error::Corrupt`]. The receiver then lacks the last packet, so it knows that
    /// it does not have everything.
    pub fn send<O: PacketOutput>(&mut self, output: &mut O) -> Result<Sent> {
        if !output.sends_files() {
            self.way = Way::Normal;
        }
        let mut writer = self.writer()?;
        let mut position = self.start;
        let mut seqno = 0;
        self.sent = Sent::default();
        while position < self.end {
            let len = (self.end - position).min(writer.max_data_len() as u64);
            let header = PacketHeader::data(position, seqno, len as u32);
            let way = self.way;
            let mut link = Link::new(output, self.options.timeout);
            match way {
                Way::ZeroCopy => self.send_zero_copy(&mut writer, &mut link, &header)?,
                Way::Normal => {
                    let packet = self.lay_out(&mut writer, &header)?;
                    link.send_all(packet, false)?;
                }
            }
            self.sent.packets += 1;
            self.sent.data_len += len;
            if let Some(throttler) = &self.options.throttler {
                let sums_len = self.checksum.sums_len(len)?;
                throttler.pay(len + sums_len + PacketHeader::MAX_LEN as u64);
            }
            position += len;
            seqno += 1;
            if self.way != way {
                writer = self.writer()?;
            }
        }
        let last = PacketHeader { seqno, ..PacketHeader::last(self.end) };
        let mut link = Link::new(output, self.options.timeout);
        writer.prepare(0)?;
        link.send_all(writer.seal(&last)?, false)?;
        self.sent.packets += 1;
        Ok(self.sent)
    }

    /// A writer for the way that is gone.
    fn writer(&self) -> Result<PacketWriter> {
        Ok(match self.way {
            Way::ZeroCopy => PacketWriter::without_data(self.checksum, self.chunks)?,
            Way::Normal => PacketWriter::new(self.checksum, self.chunks)?,
        })
    }

    fn send_zero_copy<O: PacketOutput>(
        &mut self,
        writer: &mut PacketWriter,
        link: &mut Link<'_, O>,
        header: &PacketHeader,
    ) -> Result<()> {
        let len = header.data_len as usize;
        let end = header.offset_in_block + len as u64;
        let room = writer.prepare(len)?;
        if !room.checksums.is_empty() {
            self.replica.read_sums(header.offset_in_block, end, room.checksums)?;
        }
        let head = writer.seal(header)?;
        let head_len = head.len();
        link.expected = head_len + len;
        link.send_all(head, true)?;
        let mut done = 0;
        while done < len {
            let offset = header.offset_in_block + done as u64;
            match link.output.send_file(self.replica.data_file(), offset, len - done) {
                Ok(0) => {
                    let ended = io::ErrorKind::UnexpectedEof.into();
                    return Err(Error::file("read", self.replica.data_path(), ended));
                }
                Ok(count) => {
                    done += count;
                    self.sent.zero_copy_len += count as u64;
                    link.went(count, done == len)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.way = Way::Normal;
                    let mut writer = self.writer()?;
                    let packet = self.lay_out(&mut writer, header)?;
                    return link.send_all(&packet[head_len + done..], false);
                }
                Err(error) if is_of_peer(&error) => link.failed(error)?,
                Err(error) => return Err(Error::file("read", self.replica.data_path(), error)),
            }
        }
        Ok(())
    }

    /// A whole packet in memory, verified.
    fn lay_out<'w>(
        &mut self,
        writer: &'w mut PacketWriter,
        header: &PacketHeader,
    ) -> Result<&'w [u8]> {
        let end = header.offset_in_block + u64::from(header.data_len);
        let room = writer.prepare(header.data_len as usize)?;
        self.replica.read_data(header.offset_in_block, room.data)?;
        let verified = if self.options.send_checksums {
            self.replica.read_sums(header.offset_in_block, end, room.checksums)?;
            self.checksum.verify(room.data, room.checksums)
        } else {
            let checksum = self.replica.checksum();
            let mut sums = vec![0; checksum.sums_len(header.data_len.into())? as usize];
            self.replica.read_sums(header.offset_in_block, end, &mut sums)?;
            checksum.verify(room.data, &sums)
        };
        match verified {
            Ok(()) => {}
            Err(crate::Error::ChecksumMismatch { .. })
                if self.options.corrupt == Corrupt::PassOn =>
            {
                self.sent.corrupt_packets += 1;
            }
            Err(error) => {
                let start = header.offset_in_block;
                return Err(Error::of_checksum(self.replica.id(), start, error));
            }
        }
        Ok(writer.seal(header)?)
    }
}

/// The checksums of the packets of a replica with `checksum`. Chunks of the replica, where it has
/// checksums, are chunks of the packets.
fn packet_checksum(checksum: ChunkedChecksum, send_checksums: bool) -> Result<ChunkedChecksum> {
    // Without checksums the chunk's length means nothing, and may be more than a packet holds.
    const WITHOUT_CHECKSUMS: usize = 512;
    if send_checksums && checksum.kind() != ChecksumKind::Null {
        return Ok(checksum);
    }
    let chunk = match checksum.kind() {
        ChecksumKind::Null => checksum.bytes_per_checksum().min(WITHOUT_CHECKSUMS),
        _ => checksum.bytes_per_checksum(),
    };
    Ok(ChunkedChecksum::new(ChecksumKind::Null, chunk)?)
}

/// Whether an error of a call that touches file and output is the output's.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::BrokenPipe
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::TimedOut
            | Kind::WouldBlock
            | Kind::Interrupted
    )
}

/// An output and the time that it has for the packet at hand.
pub(super) struct Link<'a, O> {
    output: &'a mut O,
    started: Instant,
    timeout: Duration,
    /// Bytes of the packet that went.
    done: usize,
    expected: usize,
}

impl<'a, O: PacketOutput> Link<'a, O> {
    pub(super) fn new(output: &'a mut O, timeout: Duration) -> Self {
        Self { output, started: Instant::now(), timeout, done: 0, expected: 0 }
    }

    /// Sends all bytes, however few the output takes at a time.
    pub(super) fn send_all(&mut self, bytes: &[u8], more: bool) -> Result<()> {
        self.expected = self.expected.max(self.done + bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.output.write(rest, more) {
                Ok(0) => return self.gone(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.went(count, rest.is_empty())?;
                }
                Err(error) => self.failed(error)?,
            }
        }
        Ok(())
    }

    /// Accounts for bytes that went; the output may take them one by one, but not for ever.
    fn went(&mut self, count: usize, all: bool) -> Result<()> {
        self.done += count;
        if all || !self.left().is_zero() { Ok(()) } else { self.slow() }
    }

    /// Waits where that helps; else it is the end.
    fn failed(&mut self, error: io::Error) -> Result<()> {
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let left = self.left();
                if left.is_zero() {
                    return self.slow();
                }
                self.output.wait(left).or_else(|error| self.gone(error))
            }
            _ => self.gone(error),
        }
    }

    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.started.elapsed())
    }

    fn gone(&self, source: io::Error) -> Result<()> {
        let peer = Box::from(self.output.name());
        Err(Error::PeerGone { peer, during: "a packet", source })
    }

    fn slow(&self) -> Result<()> {
        Err(Error::PeerSlow {
            peer: self.output.name().into(),
            during: "a packet",
            done: self.done as u64,
            expected: self.expected as u64,
            after: self.started.elapsed(),
        })
    }
}
