//! The operation that reads a block.

use alloc::string::String;
use alloc::vec::Vec;

use super::block::{decode_header, encode_header};
use super::{CachingStrategy, ExtendedBlock, Message, Token};
use crate::Result;
use crate::hdfs::protobuf::{Encoder, Fields, missing};

/// What READ_BLOCK asks for: bytes of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBlock {
    /// The block.
    pub block: ExtendedBlock,
    /// What permits it.
    pub token: Token,
    /// Who asks; for logs.
    pub client_name: String,
    /// First byte of the block wanted.
    pub offset: u64,
    /// Bytes wanted, or [`TO_THE_END`](Self::TO_THE_END).
    pub len: u64,
    /// Whether the checksums are wanted with them; they are unless said otherwise.
    pub send_checksums: bool,
    /// What to do about the page cache.
    pub caching: CachingStrategy,
}

impl ReadBlock {
    /// The length that stands for all there is from the offset on. Datanodes in Java take it for
    /// the length of the whole block, so to them it can be sent with the offset 0 only.
    pub const TO_THE_END: u64 = u64::MAX;

    /// To read `len` bytes from byte `offset` on, with their checksums.
    #[must_use]
    pub fn new(
        block: ExtendedBlock,
        client_name: impl Into<String>,
        offset: u64,
        len: u64,
    ) -> Self {
        Self {
            block,
            token: Token::default(),
            client_name: client_name.into(),
            offset,
            len,
            send_checksums: true,
            caching: CachingStrategy::default(),
        }
    }
}

impl Message for ReadBlock {
    const NAME: &'static str = "OpReadBlockProto";

    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.bytes(1, &encode_header(&self.block, &self.token, &self.client_name));
        encoder.uint64(2, self.offset);
        encoder.uint64(3, self.len);
        encoder.boolean(4, self.send_checksums);
        encoder.bytes(5, &self.caching.encode());
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut header, mut offset, mut len) = (None, None, None);
        let (mut send_checksums, mut caching) = (true, CachingStrategy::default());
        let mut fields = Fields::new(Self::NAME, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => header = Some(decode_header(field.bytes()?)?),
                2 => offset = Some(field.uint64()?),
                3 => len = Some(field.uint64()?),
                4 => send_checksums = field.boolean()?,
                5 => caching = CachingStrategy::decode(field.bytes()?)?,
                _ => {}
            }
        }
        let missing = |reason| missing(Self::NAME, bytes, reason);
        let header = header.ok_or(missing("it has no header"))?;
        Ok(Self {
            block: header.block,
            token: header.token,
            client_name: header.client_name,
            offset: offset.ok_or(missing("it has no offset"))?,
            len: len.ok_or(missing("it has no length"))?,
            send_checksums,
            caching,
        })
    }
}
