//! Why a source or a target was given up, and why a reconstruction failed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::Error;
use crate::checksum::ChunkedChecksum;

/// Why a source or a target was given up.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It could not be opened.
    #[error("cannot be opened: {0}")]
    Open(Box<str>),
    /// A read of it failed.
    #[error("cannot be read: {0}")]
    Read(Box<str>),
    /// It passed its deadline.
    #[error("took longer than {} s to {what}", after.as_secs_f32())]
    TimedOut {
        /// What took so long ("open").
        what: &'static str,
        /// How long it was given.
        after: Duration,
    },
    /// It ends before its internal block does.
    #[error("ends at byte {got}, and should have {expected} bytes")]
    Short {
        /// Where it ends.
        got: u64,
        /// The internal block's length.
        expected: u64,
    },
    /// Its checksums are not those of most sources.
    #[error(
        "has {:?} over {} bytes, most sources have {:?} over {}",
        got.kind(), got.bytes_per_checksum(), expected.kind(), expected.bytes_per_checksum()
    )]
    OtherChecksums {
        /// Those it has.
        got: ChunkedChecksum,
        /// Those of most sources.
        expected: ChunkedChecksum,
    },
    /// A chunk does not have its checksum.
    #[error("chunk at byte {offset} does not have its checksum: {source}")]
    Corrupt {
        /// First byte of the chunk in the internal block.
        offset: u64,
        /// The checksums; its offsets are those within what was read.
        source: Error,
    },
    /// It disagrees with the others although its checksums are right.
    #[error(
        "disagrees with the other sources in the {len} bytes from {offset} on, with right checksums"
    )]
    Lies {
        /// First byte of the round in the internal blocks.
        offset: u64,
        /// Bytes of the round.
        len: usize,
    },
    /// The driver reported a failure of a target.
    #[error("{0}")]
    Target(Box<str>),
    /// A target acknowledged another packet than the one that was due.
    #[error("acknowledged packet {got}, and {} was due", Due(*expected))]
    Acknowledged {
        /// The packet acknowledged.
        got: i64,
        /// The one that was due, if any.
        expected: Option<i64>,
    },
}

struct Required(Option<usize>);

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |required| write!(f, ": {required} are required there"))
    }
}

struct Due(Option<i64>);

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seqno) => write!(f, "packet {seqno}"),
            None => f.write_str("none"),
        }
    }
}

/// Why a reconstruction failed, and everything known of its sources and targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why it could not go on.
    pub cause: Cause,
    /// The sources given up, by their places in the caller's list, in the order in which they
    /// failed; then those of which only what is damaged was left out, with what was first found of
    /// that.
    pub sources: Vec<(usize, Reason)>,
    /// The targets given up, likewise.
    pub targets: Vec<(usize, Reason)>,
}

/// What a reconstruction failed of.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The sources that are left do not determine what is to be rebuilt.
    #[error(
        "the sources left do not give back the bytes from {offset} on{}", Required(*required)
    )]
    TooFewSources {
        /// First byte of the round in the internal blocks.
        offset: u64,
        /// Sources required there, extra ones included. `None` for a code that is not MDS, where
        /// it depends on which they are.
        required: Option<usize>,
    },
    /// No target is left.
    #[error("all targets failed")]
    NoTargets,
    /// Sources with right checksums contradict each other, and the surplus does not tell which of
    /// them lies.
    #[error(
        "sources with right checksums contradict each other in the {len} bytes from {offset} on"
    )]
    Contradiction {
        /// First byte of the round in the internal blocks.
        offset: u64,
        /// Bytes of the round.
        len: usize,
    },
    /// What was computed did not pass its check, or could not be computed.
    #[error("round from byte {offset} on: {source}")]
    Computing {
        /// First byte of the round in the internal blocks.
        offset: u64,
        /// What failed.
        source: Error,
    },
    /// Not even rounds of one chunk fit into the memory allowed.
    #[error("rounds of one chunk take {needed} bytes of memory, {allowed} are allowed")]
    Memory {
        /// Bytes that they take.
        needed: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// The driver broke its part of the contract.
    #[error("the driver {0}")]
    Driver(&'static str),
    /// The caller cancelled it.
    #[error("cancelled")]
    Cancelled,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        for (source, reason) in &self.sources {
            write!(f, "; source {source} {reason}")?;
        }
        for (target, reason) in &self.targets {
            write!(f, "; target {target}: {reason}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.cause)
    }
}
