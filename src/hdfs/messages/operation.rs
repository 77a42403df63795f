//! What a client begins with: which operation it wants.

use alloc::vec::Vec;

use super::{Message, ReadBlock, WriteBlock};
use crate::{Error, Result};

/// An operation that is known here.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// 80: to write a block.
    WriteBlock,
    /// 81: to read a block.
    ReadBlock,
}

impl Opcode {
    /// Its number.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::WriteBlock => 80,
            Self::ReadBlock => 81,
        }
    }
}

/// An operation: three bytes of protocol version and operation, then its message.
///
/// ```
/// use restripe::hdfs::{BlockId, ExtendedBlock, Operation, ReadBlock};
///
/// let id = BlockId(1_073_741_825);
/// let block = ExtendedBlock { pool_id: "BP-1".into(), id, generation_stamp: 1007, len: 0 };
/// let operation = Operation::ReadBlock(ReadBlock::new(block, "example", 0, 512));
/// let bytes = operation.to_wire();
/// assert_eq!(bytes[..3], [0, 28, 81]);
/// let opcode = Operation::decode_head([bytes[0], bytes[1], bytes[2]])?;
/// assert_eq!(Operation::decode(opcode, &bytes[4..])?, operation); // byte 3 is the length
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To read a block.
    ReadBlock(ReadBlock),
    /// To write a block.
    WriteBlock(WriteBlock),
}

impl Operation {
    /// The version of the transfer protocol.
    pub const VERSION: i16 = 28;

    /// Bytes before the message.
    pub const HEAD_LEN: usize = 3;

    /// Which operation it is.
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::ReadBlock(_) => Opcode::ReadBlock,
            Self::WriteBlock(_) => Opcode::WriteBlock,
        }
    }

    /// The operation as it goes over the wire.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        let mut bytes = Vec::from(Self::VERSION.to_be_bytes());
        bytes.push(self.opcode().id());
        bytes.extend_from_slice(&match self {
            Self::ReadBlock(read) => read.to_wire(),
            Self::WriteBlock(write) => write.to_wire(),
        });
        bytes
    }

    /// Which operation follows.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for another version of the protocol and for an operation that is
    /// not known here.
    pub fn decode_head(head: [u8; Self::HEAD_LEN]) -> Result<Opcode> {
        let [version @ .., opcode] = head;
        let version = u16::from_be_bytes(version);
        if version != Self::VERSION as u16 {
            return Err(Error::OutOfBounds {
                what: "version of the transfer protocol",
                got: version.into(),
                expected: "28",
            });
        }
        [Opcode::WriteBlock, Opcode::ReadBlock]
            .into_iter()
            .find(|known| known.id() == opcode)
            .ok_or(Error::OutOfBounds {
                what: "operation",
                got: opcode.into(),
                expected: "80 (write a block) or 81 (read a block)",
            })
    }

    /// The operation in a message.
    ///
    /// # Errors
    ///
    /// As [`Message::decode`].
    pub fn decode(opcode: Opcode, message: &[u8]) -> Result<Self> {
        Ok(match opcode {
            Opcode::ReadBlock => Self::ReadBlock(ReadBlock::decode(message)?),
            Opcode::WriteBlock => Self::WriteBlock(WriteBlock::decode(message)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_and_operations_are_refused_with_their_number() {
        let refused = |head, what, got| {
            let refused = Operation::decode_head(head);
            assert!(
                matches!(refused, Err(Error::OutOfBounds { what: named, got: told, .. }) if (named, told) == (what, got)),
                "{refused:?}"
            );
        };
        refused([0, 27, 81], "version of the transfer protocol", 27);
        refused([0xFF, 0xFF, 81], "version of the transfer protocol", 0xFFFF);
        refused([0, 28, 82], "operation", 82);
        assert_eq!(Operation::decode_head([0, 28, 80]), Ok(Opcode::WriteBlock));
    }
}
