//! What one round computes: the chunk sums of what was read are verified, the targets rebuilt
//! and checked, and their chunk sums computed.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::SourceRead;
use super::buffer::{Buffer, Division, Lent};
use super::goal::Span;
use crate::checksum::ChunkedChecksum;
use crate::codec::CheckedPlan;
use crate::{Consistency, ErasureCode, Error, MAX_UNITS, Verdict};

/// The computation of one round, with the buffers it needs: taken out of
/// [`Action::Compute`](super::Action::Compute), [`run`](Self::run) on any thread, and brought
/// back with [`Event::Computed`](super::Event::Computed).
#[derive(Debug)]
#[must_use = "run it and bring it back with Event::Computed"]
pub struct Job<B> {
    pub(super) code: Arc<dyn ErasureCode>,
    pub(super) plan: Arc<CheckedPlan>,
    pub(super) checksum: ChunkedChecksum,
    pub(super) division: Division,
    pub(super) verify_sources: bool,
    /// Whether more was read than the plan reads, to compare.
    pub(super) compare: bool,
    /// The units known to be zero, where it is compared.
    pub(super) zeros: Vec<usize>,
    pub(super) span: Span,
    pub(super) inputs: Vec<SourceRead<B>>,
    /// In the order of the plan's outputs.
    pub(super) outputs: Vec<Output<B>>,
    pub(super) found: Found,
}

/// A buffer that one unit's bytes of the round are computed into.
#[derive(Debug)]
pub(super) struct Output<B> {
    /// The target; the unit, where it is for whoever reads.
    pub(super) target: usize,
    /// Bytes that are computed, from its beginning: the round's.
    pub(super) len: usize,
    /// Bytes of them that belong to the target, and get checksums.
    pub(super) wanted: usize,
    pub(super) buffer: Lent<B>,
}

impl<B: Buffer> AsMut<[u8]> for Output<B> {
    fn as_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut(0..self.len)
    }
}

/// A source's bytes from `offset` on that do not have their checksums.
#[derive(Debug)]
pub(super) struct Corrupt {
    pub(super) source: usize,
    pub(super) offset: u64,
    pub(super) error: Error,
}

/// What a job found.
#[derive(Debug)]
pub(super) enum Found {
    /// It was not run.
    Nothing,
    /// The outputs are rebuilt.
    Rebuilt,
    /// Chunks of these sources do not have their checksums.
    Corrupt(Vec<Corrupt>),
    /// The inputs contradict each other.
    Contradiction {
        /// The units that lie; none where that cannot be told.
        units: Vec<usize>,
        /// While at most so many lie, these are they.
        holds_up_to: usize,
    },
    /// The computation failed.
    Fault(Error),
}

impl<B: Buffer> Job<B> {
    /// Bytes that it reads and writes: what it costs, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let inputs: usize = self.inputs.iter().map(|input| input.len).sum();
        let outputs: usize = self.outputs.iter().map(|output| output.len).sum();
        inputs as u64 + outputs as u64
    }

    /// Does all of it. What comes of it, errors too, is taken from the job by the machine.
    pub fn run(&mut self) {
        self.found = self.rebuild();
    }

    fn rebuild(&mut self) -> Found {
        if self.verify_sources {
            let corrupt = self.verify();
            if !corrupt.is_empty() {
                return Found::Corrupt(corrupt);
            }
        }
        let contradiction = if self.compare { self.compare() } else { Ok(None) };
        match contradiction {
            Ok(Some(contradiction)) => contradiction,
            Ok(None) => self.compute().map_or_else(Found::Fault, |()| Found::Rebuilt),
            Err(error) => Found::Fault(error),
        }
    }

    fn verify(&self) -> Vec<Corrupt> {
        let verified =
            self.inputs.iter().map(|input| self.checksum.verify(input.data(), input.sums()));
        verified
            .zip(&self.inputs)
            .filter_map(|(result, input)| {
                let error = result.err()?;
                Some(Corrupt { source: input.source, offset: input.offset, error })
            })
            .collect()
    }

    /// Holds all inputs against each other.
    fn compare(&self) -> Result<Option<Found>, Error> {
        let mut shards: Vec<Option<&[u8]>> = alloc::vec![None; self.code.total_units()];
        for &unit in &self.zeros {
            shards[unit] = Some(&[]);
        }
        for input in &self.inputs {
            // Bytes that nobody asked for may be of units that count as zero.
            shards[input.row] = Some(input.data().get(self.span.skip..).unwrap_or_default());
        }
        if self.code.verify(&shards)? != Consistency::Inconsistent {
            return Ok(None);
        }
        let (mut lying, mut certain_up_to) = (Vec::new(), usize::MAX);
        for location in self.code.locate(&shards, self.division.chunk)? {
            let Verdict::Wrong { units, holds_up_to } = location.verdict else {
                lying.clear();
                break;
            };
            lying.extend(units);
            certain_up_to = certain_up_to.min(holds_up_to);
        }
        lying.sort_unstable();
        lying.dedup();
        Ok(Some(Found::Contradiction { units: lying, holds_up_to: certain_up_to }))
    }

    fn compute(&mut self) -> Result<(), Error> {
        let mut data = [&[][..]; MAX_UNITS];
        let reads = self.plan.plan().reads();
        for (slot, read) in data.iter_mut().zip(reads) {
            let input = self.inputs.iter().find(|input| input.row == read.unit);
            *slot = input.map_or(&[], SourceRead::data);
        }
        self.plan.apply(&data[..reads.len()], &mut self.outputs)?;
        for output in &mut self.outputs {
            let sums = self.division.sums_of(0..output.wanted);
            let whole = output.buffer.bytes_mut(0..sums.end);
            let Some((data, behind)) = whole.split_at_mut_checked(sums.start) else {
                let (expected, got) = (sums.end, output.buffer.len());
                return Err(Error::Length {
                    what: "lent buffer",
                    index: output.target,
                    expected,
                    got,
                });
            };
            self.checksum.compute(&data[..output.wanted], behind)?;
        }
        Ok(())
    }
}
