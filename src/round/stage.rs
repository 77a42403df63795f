//! One round while its bytes are read and computed.

use alloc::vec::Vec;
use core::time::Duration;

use super::SourceRead;
use super::goal::Span;

/// One buffer's worth of every chosen source, at the same offset of each.
#[derive(Debug)]
pub(super) struct Round<B> {
    pub(super) number: u64,
    /// What it is to bring; no bytes as long as the length of chunks is not known.
    pub(super) span: Span,
    pub(super) stage: Stage,
    /// Sources that are to be read, or are being opened or read, in the order of being chosen.
    pub(super) assigned: Vec<Ask>,
    /// Those of them that others have been chosen beside.
    pub(super) slow: Vec<usize>,
    /// What was read, in the order of completion.
    pub(super) done: Vec<SourceRead<B>>,
    /// Sources to be read beyond the usual ones, because those contradict each other.
    pub(super) further: usize,
    pub(super) hedges: usize,
    /// Since when nothing has completed; none where a hedge would have nobody to ask.
    pub(super) quiet_since: Option<Duration>,
    /// Whether sources have to be chosen again.
    pub(super) is_stale: bool,
}

/// A row that a source is to be read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) source: usize,
    pub(super) row: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its sources are being read.
    Reading,
    /// Enough has been read.
    Won,
    /// Its job is out.
    Computing,
}

impl<B> Round<B> {
    pub(super) fn new(number: u64, span: Span, now: Duration) -> Self {
        Self {
            number,
            span,
            stage: Stage::Reading,
            assigned: Vec::new(),
            slow: Vec::new(),
            done: Vec::new(),
            further: 0,
            hedges: 0,
            quiet_since: Some(now),
            is_stale: true,
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        self.stage == Stage::Reading
    }

    pub(super) fn has_done(&self, row: usize) -> bool {
        self.done.iter().any(|read| read.row == row)
    }

    pub(super) fn asks(&self, source: usize) -> bool {
        self.assigned.iter().any(|ask| ask.source == source)
    }

    /// What was asked for has come; whether it is still waited for.
    pub(super) fn answered(&mut self, ask: Ask) -> bool {
        self.assigned.retain(|&other| other != ask);
        self.slow.retain(|&other| other != ask.source);
        !self.has_done(ask.row)
    }

    /// Forgets that a source was chosen.
    pub(super) fn unassign(&mut self, source: usize) {
        self.assigned.retain(|ask| ask.source != source);
        self.slow.retain(|&other| other != source);
    }

    /// Something has changed: sources are to be chosen again, and hedges are possible again.
    pub(super) fn stir(&mut self, now: Duration) {
        self.is_stale = true;
        self.quiet_since.get_or_insert(now);
    }
}
