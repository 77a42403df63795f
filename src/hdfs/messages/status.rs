//! How an operation went.

use core::fmt;

/// How an operation or a packet went, by the protocol's own numbers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0: as it should.
    Success,
    /// 1: not; a message may say why.
    Error,
    /// 2: data does not have its checksum.
    ErrorChecksum,
    /// 3: the request is not one that can be carried out.
    ErrorInvalid,
    /// 4: the block is there already.
    ErrorExists,
    /// 5: the token does not permit it.
    ErrorAccessToken,
    /// 6: a reader verified everything that it read.
    ChecksumOk,
    /// 7: the operation is not known there.
    ErrorUnsupported,
    /// 8: the datanode is about to restart.
    OutOfBandRestart,
    /// 9 to 11: reserved for other messages out of turn.
    OutOfBandReserved(u8),
    /// 12: it is not done yet.
    InProgress,
    /// 13: the block is pinned to its datanode.
    ErrorBlockPinned,
}

impl Status {
    /// The status with a number; `None` for a number without a meaning.
    #[must_use]
    pub const fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::Success,
            1 => Self::Error,
            2 => Self::ErrorChecksum,
            3 => Self::ErrorInvalid,
            4 => Self::ErrorExists,
            5 => Self::ErrorAccessToken,
            6 => Self::ChecksumOk,
            7 => Self::ErrorUnsupported,
            8 => Self::OutOfBandRestart,
            9..=11 => Self::OutOfBandReserved(id as u8),
            12 => Self::InProgress,
            13 => Self::ErrorBlockPinned,
            _ => return None,
        })
    }

    /// Its number.
    #[must_use]
    pub const fn id(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::ErrorChecksum => 2,
            Self::ErrorInvalid => 3,
            Self::ErrorExists => 4,
            Self::ErrorAccessToken => 5,
            Self::ChecksumOk => 6,
            Self::ErrorUnsupported => 7,
            Self::OutOfBandRestart => 8,
            Self::OutOfBandReserved(id) => id as u32,
            Self::InProgress => 12,
            Self::ErrorBlockPinned => 13,
        }
    }

    /// Its name in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::ErrorChecksum => "ERROR_CHECKSUM",
            Self::ErrorInvalid => "ERROR_INVALID",
            Self::ErrorExists => "ERROR_EXISTS",
            Self::ErrorAccessToken => "ERROR_ACCESS_TOKEN",
            Self::ChecksumOk => "CHECKSUM_OK",
            Self::ErrorUnsupported => "ERROR_UNSUPPORTED",
            Self::OutOfBandRestart => "OOB_RESTART",
            Self::OutOfBandReserved(_) => "OOB_RESERVED",
            Self::InProgress => "IN_PROGRESS",
            Self::ErrorBlockPinned => "ERROR_BLOCK_PINNED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_from_0_to_13_is_a_status_and_no_other() {
        for id in 0..14 {
            assert_eq!(Status::from_id(id).map(Status::id), Some(id));
        }
        for id in [14, 255, 256, u32::MAX] {
            assert_eq!(Status::from_id(id), None);
        }
    }
}
