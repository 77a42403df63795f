//! What is known of each source.

use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::{Reason, Token};
use crate::checksum::ChunkedChecksum;

/// A live internal block, as the caller named it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) unit: usize,
    pub(super) state: State,
    /// The read that it is busy with. There is never a second one, so a source holds at most one
    /// buffer beside those that it has filled.
    pub(super) reading: Option<Reading>,
    /// Ranges of its block that are not to be used, those that rounds have yet to come to: whole
    /// chunks.
    pub(super) damaged: Vec<Range<u64>>,
    pub(super) read: SourceProgress,
}

#[derive(Debug)]
pub(super) enum State {
    Unopened,
    Opening { token: Token, deadline: Duration },
    Open { checksum: ChunkedChecksum },
    Failed,
}

#[derive(Debug)]
pub(super) struct Reading {
    pub(super) token: Token,
    pub(super) started: Duration,
    pub(super) deadline: Duration,
    /// The round that waits for it; none once it is cancelled.
    pub(super) round: Option<u64>,
}

/// How far one source has come.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceProgress {
    /// Bytes of data that came and were used or could have been.
    pub bytes: u64,
    /// Reads that completed.
    pub reads: u64,
    /// Reads that were cancelled, others having been faster.
    pub cancelled: u64,
    /// What was first found to be damaged of it, where it was left out and the source used all the
    /// same ([`OnDamage::LeaveOut`](super::OnDamage::LeaveOut)).
    pub damage: Option<Reason>,
    /// Why it was given up, if it was.
    pub failure: Option<Reason>,
}

impl Source {
    pub(super) fn new(unit: usize) -> Self {
        let read = SourceProgress::default();
        Self { unit, state: State::Unopened, reading: None, damaged: Vec::new(), read }
    }

    pub(super) fn is_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    pub(super) fn is_unopened(&self) -> bool {
        matches!(self.state, State::Unopened)
    }

    pub(super) fn checksum(&self) -> Option<ChunkedChecksum> {
        match self.state {
            State::Open { checksum } => Some(checksum),
            _ => None,
        }
    }

    /// Whether a read of it could begin now, but for opening it.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_failed() && self.reading.is_none()
    }

    /// When it is given up for being slow.
    pub(super) fn deadline(&self) -> Option<Duration> {
        if self.is_failed() {
            return None;
        }
        let opening = match self.state {
            State::Opening { deadline, .. } => Some(deadline),
            _ => None,
        };
        let reading = self.reading.as_ref().map(|reading| reading.deadline);
        opening.into_iter().chain(reading).min()
    }
}

/// The checksums that most sources have; of those that equally many have, the ones met first.
pub(super) fn most_common(sources: &[Source]) -> Option<ChunkedChecksum> {
    let count = |checksum| sources.iter().filter(|source| source.checksum() == checksum).count();
    let mut best: Option<(ChunkedChecksum, usize)> = None;
    for checksum in sources.iter().filter_map(Source::checksum) {
        let votes = count(Some(checksum));
        if best.is_none_or(|(_, most)| votes > most) {
            best = Some((checksum, votes));
        }
    }
    best.map(|(checksum, _)| checksum)
}
