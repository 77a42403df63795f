//! What can go wrong between two machines: which of them, at what, and how far they had come.

use std::boxed::Box;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::string::String;
use std::time::Duration;

use crate::hdfs::{BlockId, Status};

/// A `Result` whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a block was not sent, received, served or stored.
///
/// What a file of this machine did, what the peer did, and what is wrong with a block are told
/// apart: one's own disk, the other's machine and the data call for different help.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something about a file of this machine.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb ("read").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The peer closed or reset the connection, or cannot be reached.
    #[error("{peer} went away during {during}: {source}")]
    PeerGone {
        /// The peer's address.
        peer: Box<str>,
        /// What was being sent or received.
        during: &'static str,
        /// What the system said.
        source: io::Error,
    },

    /// The peer stalls, or takes or gives so little at a time that it may as well.
    #[error("{peer} is too slow: {done} of {expected} bytes of {during} in {} s", after.as_secs_f32())]
    PeerSlow {
        /// The peer's address.
        peer: Box<str>,
        /// What was being sent or received.
        during: &'static str,
        /// Bytes of it that came or went.
        done: u64,
        /// All its bytes, as far as was known.
        expected: u64,
        /// The time that it had.
        after: Duration,
    },

    /// The peer sent what the protocol does not allow.
    #[error("{peer} does not keep to the protocol: {source}")]
    Protocol {
        /// The peer's address.
        peer: Box<str>,
        /// What it sent.
        source: crate::Error,
    },

    /// The peer answered that it does not carry out what was asked, or that it failed.
    #[error("{peer} answers {status}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        /// The peer's address.
        peer: Box<str>,
        /// How it went there.
        status: Status,
        /// What the peer says about it; may be empty.
        message: String,
    },

    /// Data does not have its checksum.
    #[error(
        "block {}, chunk at byte {offset}: its checksum is {found:08x}, expected {expected:08x}",
        block.0
    )]
    Corrupt {
        /// The block.
        block: BlockId,
        /// First byte of the chunk in the block.
        offset: u64,
        /// The checksum that was stored or sent along.
        expected: u32,
        /// The checksum of the bytes as they are.
        found: u32,
    },

    /// The bytes asked for do not lie within the block.
    #[error(
        "bytes {offset} to {} do not lie within block {}, which has {block_len} bytes",
        u128::from(*offset) + u128::from(*len), block.0
    )]
    Range {
        /// The block.
        block: BlockId,
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        len: u64,
        /// The block's length in bytes.
        block_len: u64,
    },

    /// The block is not in the folder, or only an older version of it is.
    #[error("block {} with generation stamp {generation_stamp} is not in {}", block.0, folder.display())]
    NotFound {
        /// The block.
        block: BlockId,
        /// The least generation stamp that would do.
        generation_stamp: u64,
        /// The folder.
        folder: PathBuf,
    },

    /// The block is in the folder already, or is being written into it.
    #[error("block {} is {} {}", block.0, if *unfinished { "being written into" } else { "already in" }, folder.display())]
    Exists {
        /// The block.
        block: BlockId,
        /// Whether it is still being written.
        unfinished: bool,
        /// The folder.
        folder: PathBuf,
    },

    /// A packet came for a block that had failed before.
    #[error("block {} failed before and takes no more packets", block.0)]
    Abandoned {
        /// The block.
        block: BlockId,
    },

    /// The files of a replica do not belong together, or are not those of a replica.
    #[error("replica {}: {source}", path.display())]
    Replica {
        /// The data or `.meta` file.
        path: PathBuf,
        /// What is wrong with it.
        source: crate::Error,
    },

    /// A write was asked of a folder that is served for reading only.
    #[error("{} is served for reading only", folder.display())]
    ReadOnly {
        /// The folder.
        folder: PathBuf,
    },

    /// The peer asks for something of the protocol that is not done here.
    #[error("{what} is not supported")]
    Unsupported {
        /// What it asks for.
        what: &'static str,
    },

    /// The caller's own writer failed.
    #[error("cannot pass on what was read: {source}")]
    Sink {
        /// What it said.
        source: io::Error,
    },

    /// A server cannot listen at its address.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },

    /// There is no further thread to be had.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },

    /// A number that the caller or, within a packet, the peer gave is none that can be used.
    #[error(transparent)]
    Invalid(#[from] crate::Error),
}

impl Error {
    /// An operating system error about a file or folder.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { action, path: path.into(), source }
    }

    /// What a failed verification says of a block, of data that begins at its byte `start`.
    pub(super) fn of_checksum(block: BlockId, start: u64, error: crate::Error) -> Self {
        match error {
            crate::Error::ChecksumMismatch { offset, expected, found, .. } => {
                Self::Corrupt { block, offset: start + offset as u64, expected, found }
            }
            other => Self::Invalid(other),
        }
    }

    /// How it is told to a peer that waits for an answer.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Corrupt { .. } => Status::ErrorChecksum,
            Self::Exists { .. } => Status::ErrorExists,
            Self::Unsupported { .. } => Status::ErrorUnsupported,
            Self::Range { .. } | Self::Protocol { .. } => Status::ErrorInvalid,
            _ => Status::Error,
        }
    }
}
