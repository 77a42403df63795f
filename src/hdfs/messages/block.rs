//! What operations say about the block that they are for.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Result;
use crate::checksum::{ChecksumKind, ChunkedChecksum};
use crate::hdfs::BlockId;
use crate::hdfs::protobuf::{Encoder, Field, Fields, missing};

/// A block, and the version of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedBlock {
    /// The block pool: which name node's block it is.
    pub pool_id: String,
    /// The block's id.
    pub id: BlockId,
    /// Its generation stamp, which rises each time that the block is opened again.
    pub generation_stamp: u64,
    /// Its length in bytes as far as is known; 0 for a block that is about to be written.
    pub len: u64,
}

const BLOCK: &str = "ExtendedBlockProto";

impl ExtendedBlock {
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.bytes(1, self.pool_id.as_bytes());
        // Ids are signed everywhere but on the wire.
        encoder.uint64(2, self.id.0 as u64);
        encoder.uint64(3, self.generation_stamp);
        encoder.uint64(4, self.len);
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut pool_id, mut id, mut generation_stamp, mut len) = (None, None, None, 0);
        let mut fields = Fields::new(BLOCK, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => pool_id = Some(field.string()?),
                2 => id = Some(BlockId(field.uint64()? as i64)),
                3 => generation_stamp = Some(field.uint64()?),
                4 => len = field.uint64()?,
                _ => {}
            }
        }
        Ok(Self {
            pool_id: pool_id.ok_or(missing(BLOCK, bytes, "it has no block pool"))?,
            id: id.ok_or(missing(BLOCK, bytes, "it has no block id"))?,
            generation_stamp: generation_stamp.ok_or(missing(
                BLOCK,
                bytes,
                "it has no generation stamp",
            ))?,
            len,
        })
    }
}

/// What shows that the sender may do what it asks for. Empty where the cluster has no security.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token {
    /// Whose it is and for what.
    pub identifier: Vec<u8>,
    /// The proof.
    pub password: Vec<u8>,
    /// The kind of token.
    pub kind: String,
    /// The service that it is for.
    pub service: String,
}

const TOKEN: &str = "TokenProto";

impl Token {
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.bytes(1, &self.identifier);
        encoder.bytes(2, &self.password);
        encoder.bytes(3, self.kind.as_bytes());
        encoder.bytes(4, self.service.as_bytes());
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut token = Self::default();
        let mut fields = Fields::new(TOKEN, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => token.identifier = field.bytes()?.to_vec(),
                2 => token.password = field.bytes()?.to_vec(),
                3 => token.kind = field.string()?,
                4 => token.service = field.string()?,
                _ => {}
            }
        }
        Ok(token)
    }
}

/// What the sender hints about the page cache. Nothing here follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CachingStrategy {
    /// Whether to drop what was read or written from the cache.
    pub drop_behind: Option<bool>,
    /// Bytes to read ahead.
    pub readahead: Option<i64>,
}

const CACHING: &str = "CachingStrategyProto";

impl CachingStrategy {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        if let Some(drop_behind) = self.drop_behind {
            encoder.boolean(1, drop_behind);
        }
        if let Some(readahead) = self.readahead {
            encoder.uint64(2, readahead as u64);
        }
        encoder.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut strategy = Self::default();
        let mut fields = Fields::new(CACHING, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => strategy.drop_behind = Some(field.boolean()?),
                2 => strategy.readahead = Some(field.uint64()? as i64),
                _ => {}
            }
        }
        Ok(strategy)
    }
}

/// What every operation of a client begins with.
pub(super) struct ClientHeader {
    pub(super) block: ExtendedBlock,
    pub(super) token: Token,
    pub(super) client_name: String,
}

const CLIENT_HEADER: &str = "ClientOperationHeaderProto";
const BASE_HEADER: &str = "BaseHeaderProto";

/// A client operation's header from its parts.
pub(super) fn encode_header(block: &ExtendedBlock, token: &Token, client_name: &str) -> Vec<u8> {
    let mut base = Encoder::default();
    base.bytes(1, &block.encode());
    base.bytes(2, &token.encode());
    let mut header = Encoder::default();
    header.bytes(1, &base.into_bytes());
    header.bytes(2, client_name.as_bytes());
    header.into_bytes()
}

pub(super) fn decode_header(bytes: &[u8]) -> Result<ClientHeader> {
    let (mut base, mut client_name) = (None, None);
    let mut fields = Fields::new(CLIENT_HEADER, bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => base = Some(field.bytes()?),
            2 => client_name = Some(field.string()?),
            _ => {}
        }
    }
    let base = base.ok_or(missing(CLIENT_HEADER, bytes, "it has no base header"))?;
    let client_name = client_name.ok_or(missing(CLIENT_HEADER, bytes, "it has no client name"))?;
    let (mut block, mut token) = (None, Token::default());
    let mut fields = Fields::new(BASE_HEADER, base);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => block = Some(ExtendedBlock::decode(field.bytes()?)?),
            2 => token = Token::decode(field.bytes()?)?,
            _ => {}
        }
    }
    let block = block.ok_or(missing(BASE_HEADER, base, "it has no block"))?;
    Ok(ClientHeader { block, token, client_name })
}

const CHECKSUM: &str = "ChecksumProto";

pub(super) fn encode_checksum(checksum: ChunkedChecksum) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.uint64(1, checksum.kind().id().into());
    encoder.uint64(2, checksum.bytes_per_checksum() as u64);
    encoder.into_bytes()
}

/// The checksum in a field of another message.
pub(super) fn decode_checksum(field: &Field<'_>) -> Result<ChunkedChecksum> {
    let bytes = field.bytes()?;
    let (mut kind, mut bytes_per_checksum) = (None, None);
    let mut fields = Fields::new(CHECKSUM, bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let kind_id = u8::try_from(field.uint32()?).ok();
                let known = kind_id.and_then(ChecksumKind::from_id);
                kind = Some(known.ok_or(field.refused("its type of checksum is not known"))?);
            }
            2 => bytes_per_checksum = Some(field.uint32()?),
            _ => {}
        }
    }
    let kind = kind.ok_or(missing(CHECKSUM, bytes, "it has no type of checksum"))?;
    let bytes_per_checksum =
        bytes_per_checksum.ok_or(missing(CHECKSUM, bytes, "it has no bytes per checksum"))?;
    ChunkedChecksum::new(kind, bytes_per_checksum as usize)
}
