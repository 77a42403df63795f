//! Replicas in a temporary folder, and packets taken apart again.

// Each suite is a crate of its own and uses its own part of this module.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{BlockFileName, BlockId, MetaHeader, PacketHeader, PacketReader};
use restripe::net::{BlockStore, Replica};
use tempfile::TempDir;

/// The block of most tests.
pub(crate) const BLOCK: BlockId = BlockId(1_073_741_825);

/// The generation stamp of blocks made here.
pub(crate) const STAMP: u64 = 1007;

pub(crate) fn crc32c(bytes_per_checksum: usize) -> ChunkedChecksum {
    ChunkedChecksum::new(ChecksumKind::Crc32c, bytes_per_checksum).unwrap()
}

pub(crate) fn sums(checksum: ChunkedChecksum, data: &[u8]) -> Vec<u8> {
    let mut sums = vec![0; checksum.sums_len(data.len() as u64).unwrap() as usize];
    checksum.compute(data, &mut sums).unwrap();
    sums
}

/// A folder for blocks, removed with everything in it when it is dropped.
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// A folder with one replica, of [`BLOCK`].
    pub(crate) fn with_block(checksum: ChunkedChecksum, data: &[u8]) -> Self {
        let folder = Self::new();
        folder.add(BLOCK, checksum, data);
        folder
    }

    pub(crate) fn add(&self, id: BlockId, checksum: ChunkedChecksum, data: &[u8]) {
        fs::write(self.data_path(id), data).unwrap();
        let meta = [&MetaHeader::new(checksum).encode()[..], &sums(checksum, data)].concat();
        fs::write(self.meta_path(id), meta).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().into()
    }

    pub(crate) fn data_path(&self, id: BlockId) -> PathBuf {
        self.dir.path().join(BlockFileName::Data { id }.to_string())
    }

    pub(crate) fn meta_path(&self, id: BlockId) -> PathBuf {
        self.dir.path().join(BlockFileName::Meta { id, generation_stamp: STAMP }.to_string())
    }

    pub(crate) fn store(&self) -> BlockStore {
        BlockStore::open(self.dir.path()).unwrap()
    }

    pub(crate) fn writable(&self) -> BlockStore {
        BlockStore::open_for_writing(self.dir.path()).unwrap()
    }

    pub(crate) fn replica(&self) -> Replica {
        self.store().find(BLOCK, STAMP).unwrap()
    }

    /// Names of the files, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Changes one byte of a file.
    pub(crate) fn damage(path: PathBuf, offset: usize) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset] ^= 0x40;
        fs::write(path, bytes).unwrap();
    }
}

/// A packet with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedPacket {
    pub(crate) header: PacketHeader,
    pub(crate) checksums: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// The whole packets in a stream, and what is left of it.
pub(crate) fn take_apart(checksum: ChunkedChecksum, stream: &[u8]) -> (Vec<OwnedPacket>, Vec<u8>) {
    let mut reader = PacketReader::new(checksum);
    let (mut packets, mut rest) = (Vec::new(), stream);
    loop {
        let taken = reader.push(rest).unwrap();
        let Some(packet) = reader.packet() else { return (packets, rest.to_vec()) };
        packets.push(OwnedPacket {
            header: packet.header,
            checksums: packet.checksums.to_vec(),
            data: packet.data.to_vec(),
        });
        rest = &rest[taken..];
        reader.release().unwrap();
    }
}

/// The data of a block that was sent: packets in order, verified, the last one empty.
pub(crate) fn assemble(checksum: ChunkedChecksum, start: u64, stream: &[u8]) -> Vec<u8> {
    let (packets, rest) = take_apart(checksum, stream);
    assert!(rest.is_empty(), "{} bytes are left over", rest.len());
    let mut block = Vec::new();
    for (seqno, packet) in packets.iter().enumerate() {
        assert_eq!(packet.header.seqno, seqno as i64);
        assert_eq!(packet.header.offset_in_block, start + block.len() as u64);
        assert_eq!(packet.header.last_packet_in_block, seqno + 1 == packets.len());
        checksum.verify(&packet.data, &packet.checksums).unwrap();
        block.extend_from_slice(&packet.data);
    }
    assert!(packets.last().is_some_and(|last| last.data.is_empty()));
    block
}
