//! What HDFS keeps on a datanode's disk: block files, `.meta` files, their names and ids.
//!
//! A replica of a block, and likewise each internal block of a striped group, is two files: one
//! with the data, one with the checksums of its chunks behind a short header. Nothing here
//! opens a file; bytes and names come from the caller and are trusted in nothing.
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

mod block_id;
mod meta;

pub use block_id::{BlockFileName, BlockId};
pub use meta::MetaHeader;
