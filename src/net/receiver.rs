//! The block receiver: packets into a data file and a `.meta` file, which get their names last.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec;

use super::file::{read_exact_at, write_all_at};
use super::store::{Reserved, UNFINISHED, sync};
use super::{Error, Replica, Result};
use crate::checksum::{ChecksumKind, ChunkedChecksum};
use crate::hdfs::{
    Accepted, BlockFileName, BlockId, MetaHeader, Packet, PacketSequence, Placement,
};

/// Receives the packets of a new block: [`BlockStore::create`](super::BlockStore::create).
///
/// Every packet is held to the order of packets and its data to its checksums before anything of
/// it is stored. After the last packet both files are brought to the disk and only then get their
/// names, `.meta` first, so a block under its name is whole. Dropped before that, both files are
/// removed; after a crash they are left with names that say that they are unfinished.
#[derive(Debug)]
pub struct BlockReceiver {
    id: BlockId,
    generation_stamp: u64,
    header: MetaHeader,
    sequence: PacketSequence,
    folder: PathBuf,
    data: Unfinished,
    meta: Unfinished,
    /// The checksum of the short chunk with which the data so far ends.
    last_sum: Option<u32>,
    abandoned: bool,
    _reserved: Reserved,
}

impl BlockReceiver {
    pub(super) fn create(
        folder: &Path,
        id: BlockId,
        generation_stamp: u64,
        checksum: ChunkedChecksum,
        reserved: Reserved,
    ) -> Result<Self> {
        let header = MetaHeader::new(checksum);
        let data = Unfinished::create(folder, BlockFileName::Data { id }.to_string())?;
        let meta = BlockFileName::Meta { id, generation_stamp }.to_string();
        let meta = Unfinished::create(folder, meta)?;
        meta.write(&header.encode(), 0)?;
        Ok(Self {
            id,
            generation_stamp,
            header,
            sequence: PacketSequence::of_write(checksum),
            folder: folder.into(),
            data,
            meta,
            last_sum: None,
            abandoned: false,
            _reserved: reserved,
        })
    }

    /// The block's id.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// The checksums that its packets must have.
    #[must_use]
    pub fn checksum(&self) -> ChunkedChecksum {
        self.header.checksum()
    }

    /// Bytes of data that came.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.sequence.end()
    }

    /// Whether no data came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a packet. With [`Accepted::Last`] the block is whole, on the disk and has its name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a packet that may not come now, [`Error::Corrupt`], [`Error::File`].
    /// After an error it takes no more: [`Error::Abandoned`].
    pub fn receive(&mut self, packet: Packet<'_>) -> Result<Accepted> {
        self.receive_with(packet, true)
    }

    /// [`receive`](Self::receive) without holding the data against the checksums: those were
    /// computed of it just now, and it has not left the memory since.
    pub(super) fn receive_as_computed(&mut self, packet: Packet<'_>) -> Result<Accepted> {
        self.receive_with(packet, false)
    }

    fn receive_with(&mut self, packet: Packet<'_>, verify: bool) -> Result<Accepted> {
        if self.abandoned {
            return Err(Error::Abandoned { block: self.id });
        }
        let received = self.take(packet, verify);
        self.abandoned = received.is_err();
        received
    }

    fn take(&mut self, packet: Packet<'_>, verify: bool) -> Result<Accepted> {
        let before = self.len();
        let accepted = self.sequence.accept(&packet.header)?;
        match accepted {
            Accepted::Data(placement) => {
                if verify {
                    self.verify(&packet)?;
                }
                self.store(placement, packet, before)?;
            }
            Accepted::Last => {
                self.finish()?;
                return Ok(accepted);
            }
            Accepted::Heartbeat | Accepted::Sync => {}
        }
        if packet.header.sync_block {
            self.data.sync()?;
            self.meta.sync()?;
        }
        Ok(accepted)
    }

    /// The block as far as it came, open for reading while it grows.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn replica(&self) -> Result<Replica> {
        Ok(Replica::growing(
            self.id,
            self.generation_stamp,
            self.header,
            self.len(),
            self.last_sum,
            self.data.reopen()?,
            self.meta.reopen()?,
        ))
    }

    fn verify(&self, packet: &Packet<'_>) -> Result<()> {
        self.checksum()
            .verify(packet.data, packet.checksums)
            .map_err(|error| Error::of_checksum(self.id, packet.header.offset_in_block, error))
    }

    fn store(&mut self, placement: Placement, packet: Packet<'_>, before: u64) -> Result<()> {
        let checksum = self.checksum();
        let offset = packet.header.offset_in_block;
        self.data.write(packet.data, offset)?;
        let chunk_start = offset - offset % checksum.bytes_per_checksum() as u64;
        let end = self.len();
        let is_short = !end.is_multiple_of(checksum.bytes_per_checksum() as u64);
        if checksum.kind() == ChecksumKind::Null {
            return Ok(());
        }
        if placement == Placement::ContinuesChunk {
            let sum = self.sum_of_chunk(chunk_start, before, end)?;
            self.meta.write(&sum.to_be_bytes(), self.header.meta_len(chunk_start)?)?;
            self.last_sum = Some(sum).filter(|_| is_short);
            return Ok(());
        }
        self.meta.write(packet.checksums, self.header.meta_len(offset)?)?;
        let last = packet.checksums.last_chunk().copied().map(u32::from_be_bytes);
        self.last_sum = last.filter(|_| is_short);
        Ok(())
    }

    /// The checksum of a chunk that came in several parts, read back from the file. What came
    /// before is verified once more, lest damage on the disk get a good checksum.
    fn sum_of_chunk(&self, start: u64, before: u64, end: u64) -> Result<u32> {
        // A chunk is at most 16 MiB.
        let mut chunk = vec![0; (end - start) as usize];
        self.data.read(&mut chunk, start)?;
        let kind = self.checksum().kind();
        let found = kind.checksum(&chunk[..(before - start) as usize]);
        match self.last_sum {
            Some(expected) if expected != found => {
                Err(Error::Corrupt { block: self.id, offset: start, expected, found })
            }
            _ => Ok(kind.checksum(&chunk)),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.data.sync()?;
        self.meta.sync()?;
        self.meta.rename()?;
        if let Err(error) = self.data.rename() {
            // Checksums of a block that is not there help nobody.
            let _ = fs::remove_file(&self.meta.named);
            return Err(error);
        }
        sync(&self.folder)
    }
}

/// A file that is removed unless it gets its name.
#[derive(Debug)]
struct Unfinished {
    file: File,
    path: PathBuf,
    named: PathBuf,
    is_named: bool,
}

impl Unfinished {
    fn create(folder: &Path, name: String) -> Result<Self> {
        let named = folder.join(&name);
        let path = folder.join(name + UNFINISHED);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| Error::file("create", &path, error))?;
        Ok(Self { file, path, named, is_named: false })
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        write_all_at(&self.file, bytes, offset)
            .map_err(|error| Error::file("write", &self.path, error))
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        read_exact_at(&self.file, buffer, offset)
            .map_err(|error| Error::file("read", &self.path, error))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| Error::file("sync", &self.path, error))
    }

    fn reopen(&self) -> Result<(File, PathBuf)> {
        let path = if self.is_named { &self.named } else { &self.path };
        let file = self.file.try_clone().map_err(|error| Error::file("open", path, error))?;
        Ok((file, path.clone()))
    }

    fn rename(&mut self) -> Result<()> {
        fs::rename(&self.path, &self.named)
            .map_err(|error| Error::file("rename", &self.path, error))?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named {
            // Nobody is left to be told when this fails; the next store removes what stayed.
            let _ = fs::remove_file(&self.path);
        }
    }
}
