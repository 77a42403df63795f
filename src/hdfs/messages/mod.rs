//! The messages of HDFS's transfer protocol, as far as reading and writing blocks takes them.

use alloc::string::String;
use alloc::vec::Vec;

use super::protobuf::{Encoder, varint};
use crate::{Error, Result};

mod ack;
mod answer;
mod block;
mod operation;
mod read_block;
mod status;
mod write_block;

pub use ack::PipelineAck;
pub use answer::{BlockOpResponse, ClientReadStatus, ReadChecksumInfo};
pub use block::{CachingStrategy, ExtendedBlock, Token};
pub use operation::{Opcode, Operation};
pub use read_block::ReadBlock;
pub use status::Status;
pub use write_block::{Stage, StorageType, WriteBlock};

/// Longest message that is read, in bytes. Those of this protocol have some hundred; tokens and
/// lists of datanodes make them longer.
pub const MAX_MESSAGE_LEN: usize = 64 << 10;

/// A message that goes over the wire with its length before it.
///
/// Decoding skips fields of unknown numbers, takes the last of fields that stand there twice, and
/// refuses a message that lacks a required field.
pub trait Message: Sized {
    /// What errors call it.
    const NAME: &'static str;

    /// The message as bytes, without its length.
    fn encode(&self) -> Vec<u8>;

    /// The message in `bytes`, without its length.
    ///
    /// # Errors
    ///
    /// [`Error::Message`] for anything else, with the offset and what is wrong there.
    fn decode(bytes: &[u8]) -> Result<Self>;

    /// The message as it goes over the wire: its length as a varint, then the message.
    ///
    /// ```
    /// use restripe::hdfs::{ClientReadStatus, Message, Status};
    /// let read = ClientReadStatus { status: Status::ChecksumOk };
    /// assert_eq!(read.to_wire(), [2, 8, 6]);
    /// ```
    fn to_wire(&self) -> Vec<u8> {
        Encoder::delimited(&self.encode())
    }
}

/// Takes one message, with its length before it, out of bytes that come in pieces of any size.
///
/// ```
/// use restripe::hdfs::{ClientReadStatus, Message, MessageReader, Status};
///
/// let mut reader = MessageReader::new();
/// assert_eq!(reader.push(&[2])?, 1);
/// assert_eq!(reader.message(), None);
/// assert_eq!(reader.push(b"\x08\x06 and what follows")?, 2);
/// let read = ClientReadStatus::decode(reader.message().unwrap())?;
/// assert_eq!(read.status, Status::ChecksumOk);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MessageReader {
    bytes: Vec<u8>,
    /// Where the message begins and ends, once its length is there.
    range: Option<(usize, usize)>,
}

impl MessageReader {
    /// A reader of one message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes up to the end of the message, and says how many it took.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a length of more than [`MAX_MESSAGE_LEN`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut taken = 0;
        while self.range.is_none() && taken < bytes.len() {
            self.bytes.push(bytes[taken]);
            taken += 1;
            let refused = |got| Error::OutOfBounds {
                what: "length of a message",
                got,
                expected: "at most 65536 bytes",
            };
            let length = varint(&self.bytes).map_err(|_| refused(u64::MAX))?;
            if let Some((len, start)) = length {
                let fits = usize::try_from(len).ok().filter(|&len| len <= MAX_MESSAGE_LEN);
                self.range = Some((start, start + fits.ok_or(refused(len))?));
            }
        }
        if let Some((_, end)) = self.range {
            let count = (end - self.bytes.len()).min(bytes.len() - taken);
            self.bytes.extend_from_slice(&bytes[taken..taken + count]);
            taken += count;
        }
        Ok(taken)
    }

    /// The message, where all of it is there.
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        self.range.and_then(|(start, end)| self.bytes.get(start..end))
    }

    /// Whether nothing of a message came yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// `text` cut to `max` bytes, at the end of a character: what one tells a peer of an error.
pub(super) fn shortened(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_however_it_is_cut() {
        let ack = PipelineAck::of_packet(7, Status::Success);
        let wire = [ack.to_wire(), b"next".to_vec()].concat();
        let len = wire.len() - 4;
        for cut in 0..=len {
            let mut reader = MessageReader::new();
            assert_eq!(reader.push(&wire[..cut]), Ok(cut));
            assert_eq!(reader.push(&wire[cut..]), Ok(len - cut));
            assert_eq!(reader.push(b"next"), Ok(0));
            assert_eq!(PipelineAck::decode(reader.message().unwrap()), Ok(ack.clone()));
        }
    }

    #[test]
    fn an_empty_message_is_a_message() {
        let mut reader = MessageReader::new();
        assert!(reader.is_empty());
        assert_eq!(reader.push(&[0]), Ok(1));
        assert_eq!(reader.message(), Some(&[][..]));
    }

    #[test]
    fn a_hostile_length_is_refused_with_its_number() {
        for (bytes, len) in [
            (&b"\x81\x80\x04"[..], 65_537),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", u64::MAX),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", u64::MAX),
        ] {
            let refused = MessageReader::new().push(bytes);
            assert!(
                matches!(refused, Err(Error::OutOfBounds { got, .. }) if got == len),
                "{refused:?}"
            );
        }
        let mut reader = MessageReader::new();
        assert_eq!(reader.push(b"\x80\x80\x04"), Ok(3));
        assert!(reader.bytes.capacity() < 100, "room was made for bytes that did not come");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("größer", 4), "grö");
        assert_eq!(shortened("größer", 5), "grö");
        assert_eq!(shortened("größer", 100), "größer");
    }
}
