//! Live blocks: as files, or at a datanode.

use std::boxed::Box;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::string::ToString as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::checksum::ChunkedChecksum;
use crate::hdfs::{BlockId, ReadBlock};
use crate::net::{BlockReader, Error, Replica, Result};
use crate::round::{ReadOutcome, SourceRead};

/// A live internal block, and how it is read.
#[derive(Clone, Debug)]
pub enum BlockSource {
    /// Two files of this machine.
    Files {
        /// The block's id.
        id: BlockId,
        /// The version of the block.
        generation_stamp: u64,
        /// The file with the data.
        data: PathBuf,
        /// The `.meta` file.
        meta: PathBuf,
    },
    /// At a datanode, by READ_BLOCK.
    Datanode {
        /// Where it listens.
        address: SocketAddr,
        /// Which block, by whom and with which token; offset and length do not count.
        read: ReadBlock,
    },
}

/// A source of one reconstruction, shared by the threads that read it and the one that cancels.
#[derive(Debug)]
pub(super) struct SourceLink {
    source: BlockSource,
    /// The internal block's length.
    len: u64,
    timeout: Duration,
    open: Mutex<Option<Opened>>,
    /// What is read just now, to be broken off.
    socket: Mutex<Socket>,
}

#[derive(Debug)]
enum Opened {
    Files(Replica),
    Datanode(Option<Box<Stream>>),
}

/// A block that flows in, from some offset on.
#[derive(Debug)]
struct Stream {
    reader: BlockReader,
    /// First byte that was not taken yet.
    position: u64,
    /// End of the packet that is there.
    packet_end: u64,
}

#[derive(Debug, Default)]
struct Socket {
    stream: Option<TcpStream>,
    is_broken_off: bool,
}

impl SourceLink {
    pub(super) fn new(source: BlockSource, len: u64, timeout: Duration) -> Arc<Self> {
        Arc::new(Self { source, len, timeout, open: Mutex::new(None), socket: Mutex::default() })
    }

    /// Whether it lies on this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.source, BlockSource::Files { .. })
    }

    /// Opens it: its checksums, and its length where that is known.
    pub(super) fn open(&self) -> core::result::Result<(ChunkedChecksum, Option<u64>), Box<str>> {
        self.try_open().map_err(|error| error.to_string().into())
    }

    fn try_open(&self) -> Result<(ChunkedChecksum, Option<u64>)> {
        let (opened, checksum, len) = match &self.source {
            BlockSource::Files { id, generation_stamp, data, meta } => {
                let replica = Replica::open(*id, *generation_stamp, data, meta)?;
                let (checksum, len) = (replica.checksum(), replica.len());
                (Opened::Files(replica), checksum, Some(len))
            }
            BlockSource::Datanode { .. } => {
                let stream = self.stream(0)?;
                let checksum = stream.reader.checksum();
                (Opened::Datanode(Some(Box::new(stream))), checksum, None)
            }
        };
        *lock(&self.open) = Some(opened);
        Ok((checksum, len))
    }

    /// Asks the datanode for everything from `offset` on.
    fn stream(&self, offset: u64) -> Result<Stream> {
        let BlockSource::Datanode { address, read } = &self.source else {
            return Err(Error::Unsupported { what: "a stream of a file" });
        };
        let read = ReadBlock { offset, len: self.len.saturating_sub(offset), ..read.clone() };
        let reader = BlockReader::open_unverified(*address, &read, self.timeout)?;
        let mut socket = lock(&self.socket);
        let stream = reader.socket()?;
        if socket.is_broken_off {
            // Meanwhile nobody waits for it any more.
            let _ = stream.shutdown(Shutdown::Both);
        }
        socket.stream = Some(stream);
        Ok(Stream { reader, position: offset, packet_end: offset })
    }

    /// Carries out a read.
    pub(super) fn read(&self, read: &mut SourceRead<std::vec::Vec<u8>>) -> ReadOutcome {
        let (offset, wanted) = (read.offset(), read.data_len());
        let (data, sums) = read.parts_mut();
        if data.len() != wanted {
            return ReadOutcome::Failed("the buffer is in use".into());
        }
        let result = self.try_read(offset, data, sums);
        let mut socket = lock(&self.socket);
        if std::mem::take(&mut socket.is_broken_off) {
            drop(socket);
            if let Some(Opened::Datanode(stream)) = &mut *lock(&self.open) {
                *stream = None;
            }
            return ReadOutcome::Cancelled;
        }
        match result {
            Ok(len) => ReadOutcome::Read(len),
            Err(error) => ReadOutcome::Failed(error.to_string().into()),
        }
    }

    fn try_read(&self, offset: u64, data: &mut [u8], sums: &mut [u8]) -> Result<usize> {
        match &mut *lock(&self.open) {
            Some(Opened::Files(replica)) => {
                let there = replica.len().saturating_sub(offset);
                let there = data.len().min(usize::try_from(there).unwrap_or(usize::MAX));
                replica.read_data(offset, &mut data[..there])?;
                if there == data.len() && !sums.is_empty() {
                    replica.read_sums(offset, offset + there as u64, sums)?;
                }
                Ok(there)
            }
            Some(Opened::Datanode(stream)) => {
                let is_shut = lock(&self.socket).stream.is_none();
                if is_shut || stream.as_ref().is_none_or(|stream| stream.position != offset) {
                    *stream = Some(Box::new(self.stream(offset)?));
                }
                stream.as_mut().map_or(Ok(0), |stream| stream.take(data, sums))
            }
            None => Err(Error::Unsupported { what: "a read before the block is open" }),
        }
    }

    /// Ends what is being read, soon.
    pub(super) fn break_off(&self) {
        let mut socket = lock(&self.socket);
        socket.is_broken_off = true;
        if let Some(stream) = socket.stream.take() {
            // Where it is closed already, there is nothing to end.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Before a read that somebody waits for.
    pub(super) fn arm(&self) {
        lock(&self.socket).is_broken_off = false;
    }
}

impl Stream {
    /// The next bytes and their checksums; fewer where the block ends.
    fn take(&mut self, data: &mut [u8], sums: &mut [u8]) -> Result<usize> {
        let checksum = self.reader.checksum();
        let (chunk, sum_size) = (checksum.bytes_per_checksum(), checksum.kind().size());
        let mut filled = 0;
        while filled < data.len() {
            if self.position == self.packet_end && self.reader.next_data()?.is_none() {
                break;
            }
            let Some(packet) = self.reader.packet() else { break };
            let start = packet.header.offset_in_block;
            self.packet_end = start + packet.data.len() as u64;
            // Both begin at chunks; a packet before what was asked for is passed over.
            let skip = self.position.saturating_sub(start) as usize;
            let rest = packet.data.get(skip..).unwrap_or_default();
            let len = rest.len().min(data.len() - filled);
            data[filled..filled + len].copy_from_slice(&rest[..len]);
            if !sums.is_empty() {
                let from = skip / chunk * sum_size;
                let to = filled / chunk * sum_size;
                let count = len.div_ceil(chunk) * sum_size;
                let source = packet.checksums.get(from..from + count);
                if let (Some(source), Some(room)) = (source, sums.get_mut(to..to + count)) {
                    room.copy_from_slice(source);
                }
            }
            filled += len;
            self.position += len as u64;
        }
        Ok(filled)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a thread that panicked left behind is read anew or closed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
