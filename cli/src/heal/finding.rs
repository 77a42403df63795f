//! What is wrong with a block's files as files, before any chunk is looked at.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// Something wrong with a block or its `.meta` file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// There is no such block file.
    BlockMissing,
    /// The block is no regular file, or cannot be opened.
    BlockUnreadable {
        /// What the system said.
        error: String,
    },
    /// The block ends too early.
    BlockTooShort {
        /// Its length, in bytes.
        len: u64,
        /// The length that it should have.
        expected: u64,
    },
    /// The block goes on past its end.
    BlockTooLong {
        /// Its length, in bytes.
        len: u64,
        /// The length that it should have.
        expected: u64,
    },
    /// A byte range cannot be read; more of them may follow.
    ReadError {
        /// The first byte.
        offset: u64,
        /// What the system said.
        error: String,
    },
    /// There is no `.meta` file.
    MetaMissing,
    /// The `.meta` file is no regular file, or cannot be read.
    MetaUnreadable {
        /// What the system said.
        error: String,
    },
    /// The `.meta` file does not begin as one does.
    MetaHeader {
        /// What is wrong there.
        reason: String,
    },
    /// The `.meta` file has checksums of another kind than the others of the file.
    MetaOtherKind {
        /// The kind that it has.
        found: String,
        /// The kind that the others have.
        expected: String,
    },
    /// The `.meta` file has another length than its block needs.
    MetaLength {
        /// Its length, in bytes.
        len: u64,
        /// The length that it should have.
        expected: u64,
    },
    /// The `.meta` file is not the one whose digest is in the manifest: it is damaged, or it
    /// belongs to another block or another encode.
    MetaNotInManifest,
    /// The `.meta` file names another generation than the rest of its group.
    OtherGeneration {
        /// The generation stamp that it has.
        found: u64,
        /// The stamp of the others.
        expected: u64,
    },
}

impl Finding {
    /// Whether it is about the block rather than its `.meta` file.
    #[must_use]
    pub fn is_of_block(&self) -> bool {
        matches!(
            self,
            Self::BlockMissing
                | Self::BlockUnreadable { .. }
                | Self::BlockTooShort { .. }
                | Self::BlockTooLong { .. }
                | Self::ReadError { .. }
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockMissing => f.write_str("missing"),
            Self::BlockUnreadable { error } => write!(f, "cannot be read: {error}"),
            Self::BlockTooShort { len, expected } => {
                write!(f, "too short: {len} bytes of {expected}")
            }
            Self::BlockTooLong { len, expected } => {
                write!(f, "too long: {len} bytes instead of {expected}")
            }
            Self::ReadError { offset, error } => {
                write!(f, "cannot be read at byte {offset}: {error}")
            }
            Self::MetaMissing => f.write_str(".meta file missing"),
            Self::MetaUnreadable { error } => write!(f, ".meta file cannot be read: {error}"),
            Self::MetaHeader { reason } => write!(f, ".meta file damaged: {reason}"),
            Self::MetaOtherKind { found, expected } => {
                write!(f, ".meta file of another kind: {found} instead of {expected}")
            }
            Self::MetaLength { len, expected } => {
                write!(f, ".meta file has {len} bytes instead of {expected}")
            }
            Self::MetaNotInManifest => f.write_str(
                ".meta file is not the one in the manifest: damaged, or of another block",
            ),
            Self::OtherGeneration { found, expected } => {
                write!(f, ".meta file of generation {found}, the group has {expected}")
            }
        }
    }
}
