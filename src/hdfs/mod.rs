//! What HDFS keeps on a datanode's disk and sends over the wire: block files, `.meta` files,
//! their names and ids; packets, and the messages around them.
//!
//! Nothing here opens a file or a socket; bytes and names come from the caller and are trusted
//! in nothing.
//!
//! A replica of a block, and likewise each internal block of a striped group, is two files: one
//! with the data, one with the checksums of its chunks behind a short header.
//!
//! ```
//! use restripe::checksum::{ChecksumKind, ChunkedChecksum};
//! use restripe::hdfs::{BlockFileName, BlockId, MetaHeader};
//!
//! // The two files of a replica with six bytes of data.
//! let (id, generation_stamp) = (BlockId(1_073_741_825), 1007);
//! assert_eq!(BlockFileName::Data { id }.to_string(), "blk_1073741825");
//! assert_eq!(
//!     BlockFileName::Meta { id, generation_stamp }.to_string(),
//!     "blk_1073741825_1007.meta"
//! );
//!
//! let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
//! let mut meta = MetaHeader::new(checksum).encode().to_vec();
//! meta.resize(MetaHeader::new(checksum).meta_len(6)? as usize, 0);
//! checksum.compute(b"blocks", &mut meta[MetaHeader::LEN..])?;
//! assert_eq!(meta.len(), 11);
//! # Ok::<(), restripe::Error>(())
//! ```
//!
//! A block goes over the wire in packets, each some chunks with their checksums, whichever way
//! it goes:
//!
//! | | client | datanode |
//! |---|---|---|
//! | read | [`Operation::ReadBlock`] | [`BlockOpResponse`], packets |
//! | | [`ClientReadStatus`] | |
//! | write | [`Operation::WriteBlock`] | [`BlockOpResponse`] |
//! | | packets | a [`PipelineAck`] for each, the last when the block is on the disk |
//!
//! [`FileChecksumBuilder`] makes the checksum of a file of those of its chunks.
//! [`PacketWriter`] lays packets out, [`PacketReader`] and [`MessageReader`] take packets and
//! messages out of bytes as they come, [`PacketSequence`] knows which packet may follow which.

mod block_id;
mod file_checksum;
mod messages;
mod meta;
mod packet_header;
mod packet_reader;
mod packet_sequence;
mod packet_writer;
mod protobuf;

pub use block_id::{BlockFileName, BlockId};
pub use file_checksum::{CombineMode, FileChecksum, FileChecksumBuilder};
pub use messages::{
    BlockOpResponse, CachingStrategy, ClientReadStatus, ExtendedBlock, MAX_MESSAGE_LEN, Message,
    MessageReader, Opcode, Operation, PipelineAck, ReadBlock, ReadChecksumInfo, Stage, Status,
    StorageType, Token, WriteBlock,
};
pub use meta::MetaHeader;
pub use packet_header::{EncodedHeader, PacketHeader};
pub use packet_reader::{Packet, PacketParts, PacketReader};
pub use packet_sequence::{Accepted, PacketSequence, Placement};
pub use packet_writer::{PacketRoom, PacketWriter};
