//! What a datanode answers to an operation, and what a reader answers to the data.

use alloc::string::String;
use alloc::vec::Vec;

use super::block::{decode_checksum, encode_checksum};
use super::{Message, Status, shortened};
use crate::Result;
use crate::checksum::ChunkedChecksum;
use crate::hdfs::protobuf::{Encoder, Field, Fields, missing};

/// Most bytes of text that are sent to explain a refusal.
const MAX_TEXT_LEN: usize = 4 << 10;

pub(super) fn decode_status(field: &Field<'_>) -> Result<Status> {
    Status::from_id(field.uint32()?).ok_or(field.refused("its status is not known"))
}

/// What the packets of a read will be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReadChecksumInfo {
    /// The checksums of the packets.
    pub checksum: ChunkedChecksum,
    /// First byte of the block that will come: the start of the chunk with the first byte asked
    /// for.
    pub chunk_offset: u64,
}

const CHECKSUM_INFO: &str = "ReadOpChecksumInfoProto";

impl ReadChecksumInfo {
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.bytes(1, &encode_checksum(self.checksum));
        encoder.uint64(2, self.chunk_offset);
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut checksum, mut chunk_offset) = (None, None);
        let mut fields = Fields::new(CHECKSUM_INFO, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => checksum = Some(decode_checksum(&field)?),
                2 => chunk_offset = Some(field.uint64()?),
                _ => {}
            }
        }
        let missing = |reason| missing(CHECKSUM_INFO, bytes, reason);
        Ok(Self {
            checksum: checksum.ok_or(missing("it has no checksum"))?,
            chunk_offset: chunk_offset.ok_or(missing("it has no chunk offset"))?,
        })
    }
}

/// A datanode's answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOpResponse {
    /// How it went.
    pub status: Status,
    /// The datanode of a pipeline that could not be reached; empty where all could.
    pub first_bad_link: Option<String>,
    /// What the packets will be like: only in the answer to a read.
    pub read_checksum: Option<ReadChecksumInfo>,
    /// What went wrong, for people.
    pub message: Option<String>,
}

impl BlockOpResponse {
    /// The answer to a read whose packets will follow.
    #[must_use]
    pub const fn reading(read_checksum: ReadChecksumInfo) -> Self {
        Self {
            status: Status::Success,
            first_bad_link: None,
            read_checksum: Some(read_checksum),
            message: None,
        }
    }

    /// The answer to a write whose packets may come.
    #[must_use]
    pub const fn writing() -> Self {
        Self {
            status: Status::Success,
            first_bad_link: Some(String::new()),
            read_checksum: None,
            message: None,
        }
    }

    /// The answer to an operation that is not carried out. A text of more than 4 KiB is cut.
    #[must_use]
    pub fn refused(status: Status, message: &str) -> Self {
        Self {
            status,
            first_bad_link: None,
            read_checksum: None,
            message: Some(shortened(message, MAX_TEXT_LEN)),
        }
    }
}

impl Message for BlockOpResponse {
    const NAME: &'static str = "BlockOpResponseProto";

    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.uint64(1, self.status.id().into());
        if let Some(first_bad_link) = &self.first_bad_link {
            encoder.bytes(2, first_bad_link.as_bytes());
        }
        if let Some(read_checksum) = &self.read_checksum {
            encoder.bytes(4, &read_checksum.encode());
        }
        if let Some(message) = &self.message {
            encoder.bytes(5, message.as_bytes());
        }
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut status = None;
        let (mut first_bad_link, mut read_checksum, mut message) = (None, None, None);
        let mut fields = Fields::new(Self::NAME, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => status = Some(decode_status(&field)?),
                2 => first_bad_link = Some(field.string()?),
                4 => read_checksum = Some(ReadChecksumInfo::decode(field.bytes()?)?),
                5 => message = Some(field.string()?),
                _ => {}
            }
        }
        let status = status.ok_or(missing(Self::NAME, bytes, "it has no status"))?;
        Ok(Self { status, first_bad_link, read_checksum, message })
    }
}

/// A reader's last word, after the last packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientReadStatus {
    /// [`Status::ChecksumOk`] where it verified everything, [`Status::Success`] where it did not
    /// verify.
    pub status: Status,
}

impl Message for ClientReadStatus {
    const NAME: &'static str = "ClientReadStatusProto";

    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.uint64(1, self.status.id().into());
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut status = None;
        let mut fields = Fields::new(Self::NAME, bytes);
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                status = Some(decode_status(&field)?);
            }
        }
        let status = status.ok_or(missing(Self::NAME, bytes, "it has no status"))?;
        Ok(Self { status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn an_answer_without_a_status_is_refused_and_not_taken_for_success() {
        let no_status =
            |message, offset| Err(Error::Message { message, offset, reason: "it has no status" });
        assert_eq!(BlockOpResponse::decode(b""), no_status("BlockOpResponseProto", 0));
        assert_eq!(BlockOpResponse::decode(b"\x12\x00"), no_status("BlockOpResponseProto", 2));
        assert!(ClientReadStatus::decode(b"").is_err());
    }

    #[test]
    fn an_unknown_status_is_refused() {
        let reason = "its status is not known";
        assert_eq!(
            BlockOpResponse::decode(b"\x08\x0e"),
            Err(Error::Message { message: "BlockOpResponseProto", offset: 0, reason })
        );
    }

    #[test]
    fn the_text_of_a_refusal_is_bounded() {
        let answer = BlockOpResponse::refused(Status::Error, &"ä".repeat(10_000));
        assert_eq!(answer.message.as_ref().map(String::len), Some(4096));
        assert_eq!(BlockOpResponse::decode(&answer.encode()), Ok(answer));
    }
}
