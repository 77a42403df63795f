//! Plans: which units to read, what to compute of them, which units come out. Data, not code.

use alloc::vec;
use alloc::vec::Vec;

use super::{MatrixKind, steps};
use crate::gf8::Matrix;
use crate::kernel::{KernelMatrix, NextUse, Program, Step};
use crate::{Error, KernelId, Result};

/// What a plan reads of one unit: `count` sub-shards from `first_sub` on.
///
/// Reed-Solomon has one sub-shard a unit, so there it is always (unit, 0, 1): the whole shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// The unit.
    pub unit: usize,
    /// The first sub-shard of it that is read.
    pub first_sub: usize,
    /// How many sub-shards are read, one behind the other.
    pub count: usize,
}

/// Bytes of every sub-shard that go through all steps together: what one step has read the next
/// finds in a near cache.
const TILE: usize = 8 << 10;

/// One linear step between numbered buffers (input sub-shards, then output sub-shards, then
/// scratch): targets are the rows of the coefficients, sources their columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlanStep {
    pub(super) coefficients: Matrix,
    pub(super) sources: Vec<u16>,
    pub(super) targets: Vec<u16>,
}

const STEPS_DO_NOT_FIT: Error =
    Error::PlanBytes { offset: 0, reason: "its steps do not fit its buffers" };

/// What tells the plans of one code from those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlanCode {
    pub(super) kind: MatrixKind,
    pub(super) data_units: usize,
    pub(super) parity_units: usize,
    pub(super) sub_shards: usize,
}

impl PlanCode {
    pub(super) fn total_units(self) -> usize {
        self.data_units + self.parity_units
    }
}

/// How to compute some units of a code from others: made by
/// [`ErasureCode::plan`](crate::ErasureCode::plan), immutable, free to be shared and sent.
///
/// [`reads`](Self::reads) says which units go in, in which order; [`outputs`](Self::outputs)
/// which units come out. [`apply`](Self::apply) computes them: no lock, no allocation, no table.
///
/// A plan computes every byte position on its own, so it can be applied to any range of the
/// shards: pass the same range of every input, get that range of every output.
///
/// Plans of Reed-Solomon compute whole shards in one step. Codes that repair from parts of shards
/// divide each shard into *sub-shards*, and their plans may take several steps with scratch
/// memory in between; what is said below of sub-shards, steps and scratch is about those alone.
///
/// ```
/// use restripe::{ErasureCode, ReedSolomon};
///
/// let code = ReedSolomon::new(3, 2)?;
/// let plan = code.plan(&[4, 0, 2], &[1])?;
/// assert_eq!(plan.reads().iter().map(|read| read.unit).collect::<Vec<_>>(), [4, 0, 2]);
/// assert_eq!(plan.outputs(), [1]);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone)]
pub struct Plan {
    pub(super) code: PlanCode,
    pub(super) reads: Vec<Read>,
    pub(super) outputs: Vec<usize>,
    pub(super) scratch: usize,
    pub(super) steps: Vec<PlanStep>,
    kernel: KernelId,
    program: Program,
}

impl Plan {
    /// A plan of one step: `coefficients` has a row for every output, a column for every unit
    /// read. With no outputs it has no step.
    pub(super) fn dense(
        code: PlanCode,
        kernel: KernelId,
        units: impl IntoIterator<Item = usize>,
        outputs: Vec<usize>,
        coefficients: Matrix,
    ) -> Result<Self> {
        let reads: Vec<Read> =
            units.into_iter().map(|unit| Read { unit, first_sub: 0, count: 1 }).collect();
        let inputs = reads.len() as u16;
        if outputs.is_empty() || reads.is_empty() {
            return Self::from_steps(code, kernel, reads, outputs, 0, Vec::new());
        }
        let program = Program::dense(KernelMatrix::new(kernel, &coefficients));
        let program = program.ok_or(STEPS_DO_NOT_FIT)?;
        let steps = vec![PlanStep {
            coefficients,
            sources: (0..inputs).collect(),
            targets: (inputs..inputs + outputs.len() as u16).collect(),
        }];
        Ok(Self { code, reads, outputs, scratch: 0, steps, kernel, program })
    }

    /// A plan given by one matrix: a row for every sub-shard of the outputs, a column for every
    /// sub-shard read. Over whole shards it is one step, else as many as save work.
    pub(super) fn of_matrix(
        code: PlanCode,
        kernel: KernelId,
        reads: Vec<Read>,
        outputs: Vec<usize>,
        coefficients: Matrix,
    ) -> Result<Self> {
        if code.sub_shards == 1 {
            let units = reads.into_iter().map(|read| read.unit);
            return Self::dense(code, kernel, units, outputs, coefficients);
        }
        let steps = steps::of(&coefficients);
        Self::from_steps(code, kernel, reads, outputs, 0, steps)
    }

    /// A plan of any steps.
    pub(super) fn from_steps(
        code: PlanCode,
        kernel: KernelId,
        reads: Vec<Read>,
        outputs: Vec<usize>,
        scratch: usize,
        steps: Vec<PlanStep>,
    ) -> Result<Self> {
        let inputs = reads.iter().map(|read| read.count).sum();
        let compiled = steps.iter().map(|step| {
            let matrix = KernelMatrix::new(kernel, &step.coefficients);
            Step::new(matrix, step.sources.clone(), step.targets.clone())
        });
        let program =
            Program::new(inputs, outputs.len() * code.sub_shards, scratch, compiled.collect())
                .ok_or(STEPS_DO_NOT_FIT)?;
        Ok(Self { code, reads, outputs, scratch, steps, kernel, program })
    }

    /// The units to read, in the order in which [`apply`](Self::apply) takes them.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The units that come out, in the order in which they were asked for.
    #[must_use]
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// Sub-shards that the code divides every shard into; 1 for Reed-Solomon.
    #[must_use]
    pub fn sub_shards(&self) -> usize {
        self.code.sub_shards
    }

    /// The kernel that it runs on.
    #[must_use]
    pub fn kernel(&self) -> KernelId {
        self.kernel
    }

    /// The same plan for a caller who knows what becomes of the outputs next. Unless it is told,
    /// they are taken to be left alone ([`NextUse::Later`]).
    ///
    /// ```
    /// use restripe::kernel::NextUse;
    /// use restripe::{ErasureCode, ReedSolomon};
    ///
    /// // The parity is hashed as soon as it is there.
    /// let plan = ReedSolomon::new(6, 3)?.encode_plan().clone().with_next_use(NextUse::Soon);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn with_next_use(mut self, next_use: NextUse) -> Self {
        self.program.set_next_use(next_use);
        self
    }

    /// Bytes of scratch that [`apply_with_scratch`](Self::apply_with_scratch) needs for shards of
    /// `shard_len` bytes; 0 for Reed-Solomon.
    #[must_use]
    pub fn scratch_len(&self, shard_len: usize) -> usize {
        self.scratch.saturating_mul(shard_len / self.code.sub_shards)
    }

    /// Bytes that its coefficients take, roughly: for whoever keeps many.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.program.weight() + 64
    }

    /// Computes the outputs from the inputs.
    ///
    /// `inputs` are the shards of [`reads`](Self::reads) (of each its `count` sub-shards, one
    /// behind the other), `outputs` those of [`outputs`](Self::outputs). An input shorter than
    /// the outputs counts as continued with zeros: a unit that is known to be zero is `&[]`.
    /// The length of each output is the caller's to give; it gets as many bytes as it has.
    /// Bytes of an input beyond the longest output are not read.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for another number of inputs or outputs. Where the code has sub-shards or
    /// the plan several steps, [`Error::Length`] for an output whose length is not that of the
    /// first one or not a multiple of [`sub_shards`](Self::sub_shards), and [`Error::TooLong`] for
    /// an input longer than it may be; the outputs are then unchanged.
    #[inline]
    pub fn apply<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
    ) -> Result<()> {
        if self.apply_uniform(inputs, outputs, false) {
            return Ok(());
        }
        if self.scratch == 0 {
            return self.run(inputs, outputs, &mut [], false);
        }
        let shard_len = outputs.first_mut().map_or(0, |output| output.as_mut().len());
        self.run(inputs, outputs, &mut vec![0; self.scratch_len(shard_len)], false)
    }

    /// [`apply`](Self::apply) for plans that need scratch memory, without an allocation.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply), and [`Error::Length`] for scratch shorter than
    /// [`scratch_len`](Self::scratch_len) of the outputs' length.
    pub fn apply_with_scratch<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
        scratch: &mut [u8],
    ) -> Result<()> {
        self.run(inputs, outputs, scratch, false)
    }

    /// Adds (by xor) what [`apply`](Self::apply) would compute to what the outputs hold.
    ///
    /// With [`restrict`](Self::restrict) a machine so adds its own share to the sum that it
    /// received, and sends that on.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); and [`Error::Invalid`] for a plan of several steps, which has
    /// no such form: [`restrict`](Self::restrict) it to all its units first.
    #[inline]
    pub fn apply_accumulate<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
    ) -> Result<()> {
        if !self.program.is_dense() && !self.steps.is_empty() {
            return Err(Error::Invalid {
                what: "plan",
                got: "of several steps".into(),
                expected: "a plan of one step (restrict it to all the units it reads)",
            });
        }
        if self.apply_uniform(inputs, outputs, true) {
            return Ok(());
        }
        self.run(inputs, outputs, &mut [], true)
    }

    /// Applies a plan of one step over whole shards of one length; false, and nothing done, where
    /// that is not what these are.
    #[inline]
    pub(super) fn apply_uniform<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
        accumulate: bool,
    ) -> bool {
        self.code.sub_shards == 1 && self.program.run_uniform(inputs, outputs, accumulate)
    }

    fn run<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
        scratch: &mut [u8],
        accumulate: bool,
    ) -> Result<()> {
        check_count("inputs", self.reads.len(), inputs.len())?;
        check_count("outputs", self.outputs.len(), outputs.len())?;
        if self.steps.is_empty() {
            if !accumulate {
                outputs.iter_mut().for_each(|output| output.as_mut().fill(0));
            }
            return Ok(());
        }
        if self.is_dense_over_whole_shards() {
            self.program.run(
                inputs.iter().map(AsRef::as_ref),
                outputs.iter_mut().map(AsMut::as_mut),
                core::iter::empty(),
                accumulate,
            );
            return Ok(());
        }
        let sub_len = self.check_sub_shards(inputs, outputs, scratch.len())?;
        let mut start = 0;
        while start < sub_len {
            let tile = start..sub_len.min(start + TILE);
            let inputs = inputs.iter().zip(&self.reads).flat_map(|(input, read)| {
                let input = input.as_ref();
                (0..read.count).map(|sub| {
                    let end = input.len().min((sub + 1) * sub_len);
                    let start = sub * sub_len + tile.start;
                    &input[start.min(end)..end.min(start + tile.len())]
                })
            });
            self.program.run(
                inputs,
                outputs
                    .iter_mut()
                    .flat_map(|output| output.as_mut().chunks_exact_mut(sub_len))
                    .map(|sub_shard| &mut sub_shard[tile.clone()]),
                scratch
                    .chunks_exact_mut(sub_len)
                    .take(self.scratch)
                    .map(|buffer| &mut buffer[tile.clone()]),
                accumulate,
            );
            start = tile.end;
        }
        Ok(())
    }

    /// Whether it is one step from all inputs to all outputs, each a whole shard: then buffers may
    /// have any lengths.
    pub(super) fn is_dense_over_whole_shards(&self) -> bool {
        self.program.is_dense() && self.code.sub_shards == 1
    }

    /// Whether any byte range of it can be computed on its own by [`run_dense`](Self::run_dense).
    pub(super) fn can_be_cut(&self) -> bool {
        self.steps.is_empty() || self.is_dense_over_whole_shards()
    }

    /// The length of a sub-shard, once all buffers are seen to fit it.
    fn check_sub_shards<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
        scratch_len: usize,
    ) -> Result<usize> {
        let shard_len = outputs.first_mut().map_or(0, |output| output.as_mut().len());
        let sub_len = shard_len / self.code.sub_shards;
        let expected = sub_len * self.code.sub_shards;
        for (index, output) in outputs.iter_mut().enumerate() {
            check_length("output", index, expected, output.as_mut().len())?;
        }
        for (index, (input, read)) in inputs.iter().zip(&self.reads).enumerate() {
            let most = read.count * sub_len;
            if input.as_ref().len() > most {
                let got = input.as_ref().len();
                return Err(Error::TooLong { what: "input", index, most, got });
            }
        }
        if scratch_len < self.scratch_len(shard_len) {
            check_length("scratch", 0, self.scratch_len(shard_len), scratch_len)?;
        }
        Ok(sub_len)
    }

    /// Adds one input's share to the outputs: the products of `input` with its coefficients.
    ///
    /// Once every input has been added to outputs that began as zeros, in any order, they hold
    /// what [`apply`](Self::apply) computes. `index` counts in [`reads`](Self::reads).
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for another number of outputs, [`Error::UnitOutOfRange`] for an index
    /// past the reads, [`Error::Invalid`] for a plan of several steps.
    pub fn add_input<O: AsMut<[u8]>>(
        &self,
        index: usize,
        input: &[u8],
        outputs: &mut [O],
    ) -> Result<()> {
        check_count("outputs", self.outputs.len(), outputs.len())?;
        if index >= self.reads.len() {
            return Err(Error::UnitOutOfRange { unit: index, units: self.reads.len() });
        }
        if !self.is_dense_over_whole_shards() {
            return Err(Error::Invalid {
                what: "plan",
                got: "with sub-shards or several steps".into(),
                expected: "a plan of one step over whole shards",
            });
        }
        self.program.accumulate_one(index, input, outputs.iter_mut().map(AsMut::as_mut));
        Ok(())
    }

    /// [`add_input`](Self::add_input) over outputs that the caller iterates.
    pub(super) fn add_input_to<'a>(
        &self,
        index: usize,
        input: &'a [u8],
        outputs: impl Iterator<Item = &'a mut [u8]>,
    ) {
        self.program.accumulate_one(index, input, outputs);
    }

    /// Adds what an input that changes contributes, before and after.
    pub(super) fn change_input<'a>(
        &self,
        index: usize,
        old: &'a [u8],
        new: &'a [u8],
        outputs: impl Iterator<Item = &'a mut [u8]>,
    ) {
        self.program.change_one(index, old, new, outputs);
    }

    /// [`apply`](Self::apply) or, with `accumulate`, [`apply_accumulate`](Self::apply_accumulate)
    /// over whole shards that the caller iterates; for plans of one step or none.
    pub(super) fn run_dense<'a>(
        &self,
        inputs: impl Iterator<Item = &'a [u8]>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        accumulate: bool,
    ) {
        if self.steps.is_empty() {
            if !accumulate {
                outputs.for_each(|output| output.fill(0));
            }
            return;
        }
        self.program.run(inputs, outputs, core::iter::empty(), accumulate);
    }

    /// [`run_dense`](Self::run_dense) over a part of shards of `whole_len` bytes, of which other
    /// cores compute the rest.
    #[cfg(feature = "rayon")]
    pub(super) fn run_dense_part<'a>(
        &self,
        inputs: impl Iterator<Item = &'a [u8]>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        whole_len: usize,
    ) {
        self.program.run_part(inputs, outputs, whole_len);
    }

    /// The whole plan as one matrix: a row for every output sub-shard, a column for every
    /// sub-shard read.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    ///
    /// let code = ReedSolomon::new(3, 2)?;
    /// assert_eq!(code.encode_plan().coefficients().row(0), [0xF4, 0x8E, 0x01]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn coefficients(&self) -> Matrix {
        let inputs: usize = self.reads.iter().map(|read| read.count).sum();
        let outputs = self.outputs.len() * self.code.sub_shards;
        // Every buffer as a combination of the inputs; steps are run on these.
        let mut buffers = Matrix::zero(inputs + outputs + self.scratch, inputs);
        for input in 0..inputs {
            buffers.set(input, input, 1);
        }
        for step in &self.steps {
            let sources = Matrix::from_fn(step.sources.len(), inputs, |row, column| {
                buffers.get(usize::from(step.sources[row]), column)
            });
            let results = step.coefficients.product(&sources);
            for (row, &target) in step.targets.iter().enumerate() {
                buffers.row_mut(usize::from(target)).copy_from_slice(results.row(row));
            }
        }
        Matrix::from_fn(outputs, inputs, |row, column| buffers.get(inputs + row, column))
    }

    /// The share of some of the units read: a plan over those alone, in the order of this one,
    /// whose outputs xor with the shares of the rest to what this plan computes.
    ///
    /// So machines that hold a few units each can send one partial sum instead of their units.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    ///
    /// let code = ReedSolomon::new(4, 2)?;
    /// let data = [[1u8; 8], [2; 8], [3; 8], [4; 8]];
    /// let mut parity = [[0u8; 8]; 2];
    /// code.encode(&data, &mut parity)?;
    /// // Unit 2 is lost. One machine holds units 0 and 4, another units 1 and 5.
    /// let plan = code.plan(&[0, 1, 4, 5], &[2])?;
    /// let (left, right) = (plan.restrict(&[0, 4])?, plan.restrict(&[1, 5])?);
    /// let mut rebuilt = [[0u8; 8]];
    /// left.apply(&[&data[0], &parity[0]], &mut rebuilt)?;
    /// right.apply_accumulate(&[&data[1], &parity[1]], &mut rebuilt)?;
    /// assert_eq!(rebuilt[0], data[2]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateUnit`] for a unit named twice, [`Error::NotRead`] for one that the plan
    /// does not read.
    pub fn restrict(&self, units: &[usize]) -> Result<Self> {
        for (index, &unit) in units.iter().enumerate() {
            if units[..index].contains(&unit) {
                return Err(Error::DuplicateUnit { unit });
            }
            if self.reads.iter().all(|read| read.unit != unit) {
                return Err(Error::NotRead { unit });
            }
        }
        let whole = self.coefficients();
        let mut reads = Vec::new();
        let mut columns = Vec::new();
        let mut column = 0;
        for read in &self.reads {
            if units.contains(&read.unit) {
                reads.push(*read);
                columns.extend(column..column + read.count);
            }
            column += read.count;
        }
        let coefficients = Matrix::from_fn(whole.rows(), columns.len(), |row, column| {
            whole.get(row, columns[column])
        });
        let mut steps = Vec::new();
        if !columns.is_empty() && whole.rows() > 0 {
            let inputs = columns.len() as u16;
            steps.push(PlanStep {
                coefficients,
                sources: (0..inputs).collect(),
                targets: (inputs..inputs + whole.rows() as u16).collect(),
            });
        }
        Self::from_steps(self.code, self.kernel, reads, self.outputs.clone(), 0, steps)
    }
}

impl PartialEq for Plan {
    /// Plans are equal when they do the same in the same order; the kernel does not count.
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
            && self.reads == other.reads
            && self.outputs == other.outputs
            && self.scratch == other.scratch
            && self.steps == other.steps
    }
}

impl Eq for Plan {}

impl core::fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Plan")
            .field("kind", &self.code.kind)
            .field("data_units", &self.code.data_units)
            .field("parity_units", &self.code.parity_units)
            .field("reads", &self.reads)
            .field("outputs", &self.outputs)
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
    }
}

/// [`Error::Count`] unless the two are equal.
pub(super) fn check_count(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::Count { what, expected, got }) }
}

/// [`Error::Length`] unless the two are equal.
pub(super) fn check_length(
    what: &'static str,
    index: usize,
    expected: usize,
    got: usize,
) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::Length { what, index, expected, got }) }
}
