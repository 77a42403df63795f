//! How far a reconstruction has come.

use alloc::vec::Vec;
use core::time::Duration;

use super::{SourceProgress, TargetProgress};

/// How far a reconstruction has come, or what it took in the end.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rounds computed.
    pub rounds: u64,
    /// Reads that were begun beside slow ones.
    pub hedges: u64,
    /// Each source, in the caller's order.
    pub sources: Vec<SourceProgress>,
    /// Each target, in the order of [`units`](Self::units).
    pub targets: Vec<TargetProgress>,
    /// The units that are rebuilt.
    pub units: Vec<usize>,
    /// Bytes delivered, of ranges that are read.
    pub delivered: u64,
    /// What reads took that completed, added up.
    pub reading: Duration,
    /// What jobs took from being given out to coming back, added up.
    pub computing: Duration,
    /// How long each target had packets to take that it had not taken yet, added up.
    pub sending: Duration,
}
