//! What one round computes: the chunk sums of what was read are verified, the targets rebuilt
//! and checked, and their chunk sums computed.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::SourceRead;
use super::buffer::{Buffer, Division, Lent};
use super::goal::Span;
use super::rows::Rows;
use crate::checksum::ChunkedChecksum;
use crate::codec::CheckedPlan;
use crate::{Consistency, ErasureCode, Error, MAX_UNITS, Verdict};

/// The computation of one round, with the buffers it needs: taken out of
/// [`Action::Compute`](super::Action::Compute), [`run`](Self::run) on any thread, and brought
/// back with [`Event::Computed`](super::Event::Computed).
#[derive(Debug)]
#[must_use = "run it and bring it back with Event::Computed"]
pub struct Job<B> {
    /// The code of the rows.
    pub(super) code: Arc<dyn ErasureCode>,
    pub(super) rows: Rows,
    pub(super) plan: Arc<CheckedPlan>,
    pub(super) checksum: ChunkedChecksum,
    pub(super) division: Division,
    pub(super) verify_sources: bool,
    /// Whether more was read than the plan reads, to compare.
    pub(super) compare: bool,
    /// The rows known to be zero, where it is compared.
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
    /// The target; the row, where it is for whoever reads.
    pub(super) target: usize,
    /// Bytes that are computed, from its beginning: the round's.
    pub(super) len: usize,
    /// Bytes of them that belong to the target, and get checksums.
    pub(super) wanted: usize,
    pub(super) buffer: Lent<B>,
}

/// A source's bytes from `offset` on, some of which do not have their checksums.
#[derive(Debug)]
pub(super) struct Corrupt {
    pub(super) source: usize,
    pub(super) offset: u64,
    pub(super) error: Error,
    /// Those chunks: ranges of the block.
    pub(super) damaged: Vec<Range<u64>>,
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
        self.run_by(|task, mut whole| task.run(&mut whole));
    }

    /// [`run`](Self::run) on several cores (feature `rayon`): the bytes are divided among the
    /// threads of the rayon pool that the call is made in, where they are worth it.
    #[cfg(feature = "rayon")]
    pub fn run_parallel(&mut self) {
        let worth = usize::try_from(self.bytes() / WORTH_SHARING).unwrap_or(usize::MAX);
        let parts = worth.clamp(1, rayon::current_num_threads());
        self.run_by(|task, whole| task.run_parallel(whole, parts));
    }

    fn run_by(&mut self, run: impl FnOnce(&Task<'_, B>, Part<'_>) -> Result<(), Stop>) {
        let contradiction = if self.compare {
            // Only what has its checksums says anything about the others.
            let corrupt = self.corrupt();
            if corrupt.is_empty() {
                self.contradiction()
            } else {
                Ok(Some(Found::Corrupt(corrupt)))
            }
        } else {
            Ok(None)
        };
        self.found = match contradiction {
            Ok(Some(found)) => found,
            Ok(None) => match self.rebuild(run) {
                Ok(()) => Found::Rebuilt,
                Err(Stop::Corrupt) => Found::Corrupt(self.corrupt()),
                Err(Stop::Fault(error)) => Found::Fault(error),
            },
            Err(error) => Found::Fault(error),
        };
    }

    /// All sources whose chunks do not have their checksums.
    fn corrupt(&self) -> Vec<Corrupt> {
        if !self.verify_sources {
            return Vec::new();
        }
        let verified =
            self.inputs.iter().map(|input| self.checksum.verify(input.data(), input.sums()));
        verified
            .zip(&self.inputs)
            .filter_map(|(result, input)| {
                let error = result.err()?;
                let damaged = self.damaged(input);
                Some(Corrupt { source: input.source, offset: input.offset, error, damaged })
            })
            .collect()
    }

    /// The chunks of an input that do not have their checksums.
    fn damaged(&self, input: &SourceRead<B>) -> Vec<Range<u64>> {
        let chunks = input.data().chunks(self.division.chunk);
        let sums = input.sums().chunks(self.division.sum_size);
        let mut damaged: Vec<Range<u64>> = Vec::new();
        let mut start = input.offset;
        for (chunk, sum) in chunks.zip(sums) {
            let end = start + self.division.chunk as u64;
            if self.checksum.verify(chunk, sum).is_err() {
                match damaged.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end = end,
                    None => damaged.push(start..end),
                }
            }
            start = end;
        }
        damaged
    }

    /// Holds all inputs against each other.
    fn contradiction(&self) -> Result<Option<Found>, Error> {
        let mut shards: Vec<Option<&[u8]>> = alloc::vec![None; self.code.total_units()];
        for &row in &self.zeros {
            shards[row] = Some(&[]);
        }
        for input in &self.inputs {
            // Bytes that nobody asked for may be of units that count as zero.
            shards[input.row] = Some(input.data().get(self.span.skip..).unwrap_or_default());
        }
        if self.code.verify(&shards)? != Consistency::Inconsistent {
            return Ok(None);
        }
        if self.rows.subs > 1 {
            return self.name_liars(&shards).map(Some);
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

    /// Which units lie, of an MDS code with sub-shards: the fewest without which the others agree,
    /// at most two.
    ///
    /// Say k + e units were read, and without t of them the others agree. While no more than e - t
    /// lie, k of those others are right, so what they agree on is right, and only the t can lie.
    fn name_liars(&self, shards: &[Option<&[u8]>]) -> Result<Found, Error> {
        let units = shards.len() / self.rows.subs;
        let rows = |unit: usize| self.rows.of_unit(unit);
        let is_whole = |unit: &usize| rows(*unit).all(|row| shards[row].is_some());
        let surplus = (0..units).filter(is_whole).count();
        let surplus = surplus.saturating_sub(self.code.data_units() / self.rows.subs);
        let mut read: Vec<usize> = self.inputs.iter().map(|input| input.unit).collect();
        read.sort_unstable();
        read.dedup();
        let agree_without = |left_out: &[usize]| {
            let mut others = shards.to_vec();
            left_out.iter().flat_map(|&unit| rows(unit)).for_each(|row| others[row] = None);
            Ok::<bool, Error>(self.code.verify(&others)? == Consistency::Consistent)
        };
        for &unit in read.iter().filter(|_| surplus > 1) {
            if agree_without(&[unit])? {
                let units = alloc::vec![unit];
                return Ok(Found::Contradiction { units, holds_up_to: surplus - 1 });
            }
        }
        for (place, &first) in read.iter().enumerate().filter(|_| surplus > 2) {
            for &second in &read[place + 1..] {
                if agree_without(&[first, second])? {
                    let units = alloc::vec![first, second];
                    return Ok(Found::Contradiction { units, holds_up_to: surplus - 2 });
                }
            }
        }
        Ok(Found::Contradiction { units: Vec::new(), holds_up_to: 0 })
    }

    /// Verifies the inputs and computes the outputs and their checksums.
    fn rebuild(
        &mut self,
        run: impl FnOnce(&Task<'_, B>, Part<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let lens = self.inputs.iter().map(|input| input.len);
        let len = lens.chain(self.outputs.iter().map(|output| output.len)).max().unwrap_or(0);
        let task = Task {
            plan: &self.plan,
            checksum: self.checksum,
            division: self.division,
            inputs: &self.inputs,
            // What was compared was verified before that.
            verify: self.verify_sources && !self.compare,
        };
        let mut whole = Part { range: 0..len, outputs: Vec::with_capacity(self.outputs.len()) };
        for output in &mut self.outputs {
            whole.outputs.push(output.divide(self.division)?);
        }
        run(&task, whole)
    }
}

/// What is to be done with every part of a round.
struct Task<'a, B> {
    plan: &'a CheckedPlan,
    checksum: ChunkedChecksum,
    division: Division,
    inputs: &'a [SourceRead<B>],
    verify: bool,
}

/// A range of a round that begins at a chunk, and where its outputs go.
struct Part<'a> {
    range: Range<usize>,
    outputs: Vec<OutputPart<'a>>,
}

/// The bytes of one output in a part, and the checksums of those that are wanted.
struct OutputPart<'a> {
    data: &'a mut [u8],
    wanted: usize,
    sums: &'a mut [u8],
}

/// Why a part was not rebuilt.
enum Stop {
    /// Something does not have its checksum.
    Corrupt,
    Fault(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl AsMut<[u8]> for OutputPart<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        self.data
    }
}

impl<B: Buffer> Output<B> {
    fn divide(&mut self, division: Division) -> Result<OutputPart<'_>, Error> {
        let sums = division.sums_of(0..self.wanted);
        let (index, got) = (self.target, self.buffer.len());
        let whole = self.buffer.bytes_mut(0..sums.end.max(self.len));
        let Some((data, sums)) = whole.split_at_mut_checked(sums.start) else {
            let expected = sums.end;
            return Err(Error::Length { what: "lent buffer", index, expected, got });
        };
        Ok(OutputPart { data: &mut data[..self.len], wanted: self.wanted, sums })
    }
}

impl<'a> Part<'a> {
    /// The first `len` bytes, whole chunks; what is left here is the rest.
    #[cfg(feature = "rayon")]
    fn split_off(&mut self, len: usize, division: Division) -> Self {
        let split = |output: &mut OutputPart<'a>| {
            let (data_len, wanted) = (len.min(output.data.len()), len.min(output.wanted));
            output.wanted -= wanted;
            OutputPart {
                data: output.data.split_off_mut(..data_len).unwrap_or_default(),
                wanted,
                sums: output.sums.split_off_mut(..division.sums_len(wanted)).unwrap_or_default(),
            }
        };
        let outputs = self.outputs.iter_mut().map(split).collect();
        let start = self.range.start;
        self.range.start += len;
        Self { range: start..self.range.start, outputs }
    }
}

/// Bytes of inputs and outputs together that are verified, computed and summed one behind the
/// other: they are still in cache at the next step.
const IN_CACHE: usize = 768 << 10;

/// Bytes of a round below which waking another core costs as much as it saves.
#[cfg(feature = "rayon")]
const WORTH_SHARING: u64 = 1 << 20;

impl<B: Buffer> Task<'_, B> {
    #[cfg(feature = "rayon")]
    fn run_parallel(&self, mut whole: Part<'_>, parts: usize) -> Result<(), Stop> {
        use rayon::prelude::*;
        let len = whole.range.len().div_ceil(parts).next_multiple_of(self.division.chunk);
        let mut parts = Vec::with_capacity(parts);
        while whole.range.len() > len {
            parts.push(whole.split_off(len, self.division));
        }
        parts.push(whole);
        parts.into_par_iter().try_for_each(|mut part| self.run(&mut part))
    }

    fn run(&self, part: &mut Part<'_>) -> Result<(), Stop> {
        let Range { start: first, end } = part.range;
        let mut data = [&[][..]; MAX_UNITS];
        let reads = self.plan.plan().reads();
        for (slot, read) in data.iter_mut().zip(reads) {
            let input = self.inputs.iter().find(|input| input.row == read.unit);
            let bytes = input.map_or(&[][..], SourceRead::data);
            *slot = bytes.get(first..).map_or(&[], |rest| &rest[..rest.len().min(end - first)]);
        }
        let shards = self.inputs.len() + part.outputs.len();
        let chunk = self.division.chunk;
        let step = (IN_CACHE / shards.max(1)).max(chunk) / chunk * chunk;
        for start in (first..end).step_by(step) {
            let range = start..end.min(start + step);
            if self.verify {
                self.verify(&range)?;
            }
            let here = start - first..range.end - first;
            self.plan.apply(&data[..reads.len()], &mut part.outputs, here.clone())?;
            for output in &mut part.outputs {
                let wanted = here.start.min(output.wanted)..here.end.min(output.wanted);
                let sums_at = self.division.sums_len(wanted.start);
                let sums = &mut output.sums[sums_at..self.division.sums_len(wanted.end)];
                self.checksum.compute(&output.data[wanted], sums)?;
            }
        }
        Ok(())
    }

    fn verify(&self, range: &Range<usize>) -> Result<(), Stop> {
        for input in self.inputs {
            let (data, sums) = (input.data(), input.sums());
            let range = range.start.min(data.len())..range.end.min(data.len());
            let sums_len = |len: usize| self.division.sums_len(len).min(sums.len());
            let sums = &sums[sums_len(range.start)..sums_len(range.end)];
            self.checksum.verify(&data[range], sums).map_err(|_| Stop::Corrupt)?;
        }
        Ok(())
    }
}
