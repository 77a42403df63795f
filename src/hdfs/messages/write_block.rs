//! The operation that writes a block.

use alloc::string::String;
use alloc::vec::Vec;

use super::block::{decode_checksum, decode_header, encode_checksum, encode_header};
use super::{CachingStrategy, ExtendedBlock, Message, Token};
use crate::Result;
use crate::checksum::ChunkedChecksum;
use crate::hdfs::protobuf::{Encoder, Fields, missing};

/// What a write is a part of, by the protocol's own numbers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// 0: data is to be appended to a finished block.
    SetupAppend,
    /// 1: the same, after a failure.
    SetupAppendRecovery,
    /// 2: data is flowing.
    Streaming,
    /// 3: data goes on to flow after a failure.
    SetupStreamingRecovery,
    /// 4: the block is being finished.
    Close,
    /// 5: the same, after a failure.
    CloseRecovery,
    /// 6: a new block is to be written.
    SetupCreate,
    /// 7: an unfinished block is being copied.
    TransferUnfinished,
    /// 8: a finished block is being copied.
    TransferFinished,
}

impl Stage {
    const ALL: [Self; 9] = [
        Self::SetupAppend,
        Self::SetupAppendRecovery,
        Self::Streaming,
        Self::SetupStreamingRecovery,
        Self::Close,
        Self::CloseRecovery,
        Self::SetupCreate,
        Self::TransferUnfinished,
        Self::TransferFinished,
    ];

    /// Its number.
    #[must_use]
    pub fn id(self) -> u32 {
        self as u32
    }

    /// The stage with a number.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }
}

/// The medium to store a block on, by the protocol's own numbers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// 1.
    #[default]
    Disk,
    /// 2.
    Ssd,
    /// 3.
    Archive,
    /// 4.
    RamDisk,
    /// 5: somewhere else, and only referred to.
    Provided,
    /// 6.
    Nvdimm,
}

impl StorageType {
    const ALL: [Self; 6] =
        [Self::Disk, Self::Ssd, Self::Archive, Self::RamDisk, Self::Provided, Self::Nvdimm];

    /// Its number.
    #[must_use]
    pub fn id(self) -> u32 {
        self as u32 + 1
    }

    /// The storage type with a number.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(id.checked_sub(1)?).ok()?).copied()
    }
}

/// What WRITE_BLOCK announces: the packets of a block.
///
/// The datanode that a block was copied from (field 3) is never written: a receiver that finds a
/// bad checksum would report that datanode's block as corrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBlock {
    /// The block.
    pub block: ExtendedBlock,
    /// What permits it.
    pub token: Token,
    /// Who writes. Empty for a datanode, which then gets no answers at all.
    pub client_name: String,
    /// The further datanodes that the receiver is to pass the packets on to, each an encoded
    /// `DatanodeInfoProto`.
    pub targets: Vec<Vec<u8>>,
    /// What the write is a part of.
    pub stage: Stage,
    /// How many datanodes the block passes through.
    pub pipeline_size: u32,
    /// Least bytes that any of them has; 0 for a new block.
    pub min_bytes_received: u64,
    /// Most bytes that any of them has; 0 for a new block.
    pub max_bytes_received: u64,
    /// The generation stamp after the operation, where it changes.
    pub latest_generation_stamp: u64,
    /// The checksums of the packets.
    pub checksum: ChunkedChecksum,
    /// What to do about the page cache.
    pub caching: CachingStrategy,
    /// The medium to store it on.
    pub storage_type: StorageType,
    /// Whether the block may stay in memory for a while.
    pub allow_lazy_persist: bool,
    /// Whether the block must stay on the datanode.
    pub pinning: bool,
    /// The storage of the datanode that it is for.
    pub storage_id: Option<String>,
}

impl WriteBlock {
    /// To write a new block, to one datanode and no further.
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// use restripe::hdfs::{BlockId, ExtendedBlock, WriteBlock};
    ///
    /// let block = ExtendedBlock {
    ///     pool_id: "BP-1".into(),
    ///     id: BlockId(-16).internal_block(3).unwrap(),
    ///     generation_stamp: 1001,
    ///     len: 0,
    /// };
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
    /// let write = WriteBlock::create(block, "repair", checksum);
    /// assert!(write.targets.is_empty());
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn create(
        block: ExtendedBlock,
        client_name: impl Into<String>,
        checksum: ChunkedChecksum,
    ) -> Self {
        Self {
            block,
            token: Token::default(),
            client_name: client_name.into(),
            targets: Vec::new(),
            stage: Stage::SetupCreate,
            pipeline_size: 0,
            min_bytes_received: 0,
            max_bytes_received: 0,
            latest_generation_stamp: 0,
            checksum,
            caching: CachingStrategy::default(),
            storage_type: StorageType::Disk,
            allow_lazy_persist: false,
            pinning: false,
            storage_id: None,
        }
    }
}

impl Message for WriteBlock {
    const NAME: &'static str = "OpWriteBlockProto";

    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.bytes(1, &encode_header(&self.block, &self.token, &self.client_name));
        self.targets.iter().for_each(|target| encoder.bytes(2, target));
        encoder.uint64(4, self.stage.id().into());
        encoder.uint64(5, self.pipeline_size.into());
        encoder.uint64(6, self.min_bytes_received);
        encoder.uint64(7, self.max_bytes_received);
        encoder.uint64(8, self.latest_generation_stamp);
        encoder.bytes(9, &encode_checksum(self.checksum));
        encoder.bytes(10, &self.caching.encode());
        encoder.uint64(11, self.storage_type.id().into());
        encoder.boolean(13, self.allow_lazy_persist);
        encoder.boolean(14, self.pinning);
        if let Some(storage_id) = &self.storage_id {
            encoder.bytes(16, storage_id.as_bytes());
        }
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut header, mut checksum, mut stage) = (None, None, None);
        let (mut pipeline_size, mut min, mut max, mut latest) = (None, None, None, None);
        let mut targets = Vec::new();
        let (mut caching, mut storage_type) = (CachingStrategy::default(), StorageType::Disk);
        let (mut allow_lazy_persist, mut pinning, mut storage_id) = (false, false, None);
        let mut fields = Fields::new(Self::NAME, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => header = Some(decode_header(field.bytes()?)?),
                2 => targets.push(field.bytes()?.to_vec()),
                4 => {
                    let known = Stage::from_id(field.uint32()?);
                    stage = Some(known.ok_or(field.refused("its stage is not known"))?);
                }
                5 => pipeline_size = Some(field.uint32()?),
                6 => min = Some(field.uint64()?),
                7 => max = Some(field.uint64()?),
                8 => latest = Some(field.uint64()?),
                9 => checksum = Some(decode_checksum(&field)?),
                10 => caching = CachingStrategy::decode(field.bytes()?)?,
                11 => {
                    let known = StorageType::from_id(field.uint32()?);
                    storage_type = known.ok_or(field.refused("its storage type is not known"))?;
                }
                13 => allow_lazy_persist = field.boolean()?,
                14 => pinning = field.boolean()?,
                16 => storage_id = Some(field.string()?),
                _ => {}
            }
        }
        let missing = |reason| missing(Self::NAME, bytes, reason);
        let header = header.ok_or(missing("it has no header"))?;
        Ok(Self {
            block: header.block,
            token: header.token,
            client_name: header.client_name,
            targets,
            stage: stage.ok_or(missing("it has no stage"))?,
            pipeline_size: pipeline_size.ok_or(missing("it has no pipeline size"))?,
            min_bytes_received: min.ok_or(missing("it has no minimum of bytes received"))?,
            max_bytes_received: max.ok_or(missing("it has no maximum of bytes received"))?,
            latest_generation_stamp: latest.ok_or(missing("it has no latest generation stamp"))?,
            checksum: checksum.ok_or(missing("it has no checksum"))?,
            caching,
            storage_type,
            allow_lazy_persist,
            pinning,
            storage_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_storage_types_have_the_numbers_of_the_protocol() {
        for (id, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!((stage.id(), Stage::from_id(id as u32)), (id as u32, Some(stage)));
        }
        assert_eq!(Stage::SetupCreate.id(), 6);
        assert_eq!([9, u32::MAX].map(Stage::from_id), [None; 2]);
        for (index, storage_type) in StorageType::ALL.into_iter().enumerate() {
            let id = index as u32 + 1;
            assert_eq!((storage_type.id(), StorageType::from_id(id)), (id, Some(storage_type)));
        }
        assert_eq!([0, 7, u32::MAX].map(StorageType::from_id), [None; 3]);
    }
}
