//! Programs: sums of products over numbered buffers, run without a lock or an allocation.
//!
//! This is where safe slices become the pointers that kernels take. A plan for Reed-Solomon is a
//! program of one step from all inputs to all outputs; codes with sub-shards have several steps
//! and scratch buffers between them.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::{KernelMatrix, NextUse};

/// Buffers of one program: inputs, outputs and scratch together.
pub(crate) const MAX_BUFFERS: usize = 1024;

/// Programs with no more buffers than this keep their pointers in a small stack frame.
const FEW_BUFFERS: usize = 40;

/// Bytes computed at a time where some outputs have ended already; their share goes here.
const DISCARD: usize = 1024;

/// One step: every target becomes the sum of products of the sources. That of a dense program
/// need not list them.
#[derive(Clone)]
pub(crate) struct Step {
    matrix: KernelMatrix,
    sources: Vec<u16>,
    targets: Vec<u16>,
}

/// Steps over buffers numbered inputs first, then outputs, then scratch.
///
/// Its fields are private so that a value that exists has passed the checks of
/// [`Program::new`], which the unsafe code below rests on.
#[derive(Clone)]
pub(crate) struct Program {
    inputs: usize,
    outputs: usize,
    scratch: usize,
    steps: Vec<Step>,
    /// Whether the only step goes from all inputs to all outputs, each in its order.
    is_dense: bool,
}

impl Step {
    /// A step from buffers `sources` (columns) to buffers `targets` (rows).
    pub(crate) fn new(matrix: KernelMatrix, sources: Vec<u16>, targets: Vec<u16>) -> Self {
        Self { matrix, sources, targets }
    }
}

impl Program {
    /// `None` where a step does not fit: counts that differ from its matrix, none at all, buffers
    /// out of range or named twice in one step, a target that is an input, a source that no step
    /// before has written; and where the steps leave an output unwritten. So what buffers held
    /// before never counts.
    pub(crate) fn new(
        inputs: usize,
        outputs: usize,
        scratch: usize,
        steps: Vec<Step>,
    ) -> Option<Self> {
        let buffers = inputs.checked_add(outputs)?.checked_add(scratch)?;
        if buffers > MAX_BUFFERS {
            return None;
        }
        let mut is_written = [false; MAX_BUFFERS];
        is_written[..inputs].fill(true);
        for step in &steps {
            // No buffer twice, so that a step has no more of them than there are.
            let mut is_named = [false; MAX_BUFFERS];
            for &buffer in step.sources.iter().chain(&step.targets) {
                let buffer = usize::from(buffer);
                if buffer >= buffers || is_named[buffer] {
                    return None;
                }
                is_named[buffer] = true;
            }
            let sources_fit = step.sources.iter().all(|&source| is_written[usize::from(source)]);
            let targets_fit = step.targets.iter().all(|&target| usize::from(target) >= inputs);
            let counts_fit = step.sources.len() == step.matrix.columns()
                && step.targets.len() == step.matrix.rows();
            let is_empty = step.sources.is_empty() || step.targets.is_empty();
            if !sources_fit || !targets_fit || !counts_fit || is_empty {
                return None;
            }
            step.targets.iter().for_each(|&target| is_written[usize::from(target)] = true);
        }
        if !steps.is_empty() && is_written[inputs..inputs + outputs].contains(&false) {
            return None;
        }
        let is_dense = match &steps[..] {
            [step] if scratch == 0 => {
                step.sources.iter().map(|&source| usize::from(source)).eq(0..inputs)
                    && step.targets.iter().map(|&target| usize::from(target)).eq(inputs..buffers)
            }
            _ => false,
        };
        Some(Self { inputs, outputs, scratch, steps, is_dense })
    }

    /// The program of one step from all inputs to all outputs; `None` where there are none, or
    /// more than `MAX_BUFFERS`.
    pub(crate) fn dense(matrix: KernelMatrix) -> Option<Self> {
        let (outputs, inputs) = (matrix.rows(), matrix.columns());
        let fits = inputs.checked_add(outputs)? <= MAX_BUFFERS;
        // Its buffers are all, in their order: nothing has to be listed.
        let step = Step::new(matrix, Vec::new(), Vec::new());
        (fits && inputs > 0 && outputs > 0).then(|| Self {
            inputs,
            outputs,
            scratch: 0,
            steps: alloc::vec![step],
            is_dense: true,
        })
    }

    /// Whether it is one step from all inputs to all outputs.
    pub(crate) fn is_dense(&self) -> bool {
        self.is_dense
    }

    /// Bytes of its coefficients.
    pub(crate) fn weight(&self) -> usize {
        self.steps.iter().map(|step| step.matrix.weight()).sum()
    }

    /// Runs a dense program over buffers of one length, if that is what these are: the common
    /// case, with nothing between the caller and the kernel but a list of pointers. Otherwise
    /// nothing is done and the answer is false.
    #[inline]
    pub(crate) fn run_uniform<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
        accumulate: bool,
    ) -> bool {
        let counts_fit = inputs.len() == self.inputs && outputs.len() == self.outputs;
        if !self.is_dense || !counts_fit || self.inputs + self.outputs > FEW_BUFFERS {
            return false;
        }
        let len = inputs[0].as_ref().len();
        // Loops that end early are left as they are; else the compiler makes vectors of four
        // pointers, which take longer to put together than a short shard to encode.
        let mut input_pointers = [MaybeUninit::<*const u8>::uninit(); FEW_BUFFERS];
        for (slot, input) in input_pointers.iter_mut().zip(inputs) {
            let input = input.as_ref();
            slot.write(input.as_ptr());
            if input.len() != len {
                return false;
            }
        }
        let mut output_pointers = [MaybeUninit::<*mut u8>::uninit(); FEW_BUFFERS];
        for (slot, output) in output_pointers.iter_mut().zip(outputs) {
            let output = output.as_mut();
            slot.write(output.as_mut_ptr());
            if output.len() != len {
                return false;
            }
        }
        let (inputs, outputs) = (input_pointers.as_ptr(), output_pointers.as_ptr());
        // SAFETY: a dense program's matrix has `inputs` columns and `outputs` rows, of which there
        // are some; that many pointers were set, from slices of `len` bytes each that are still
        // borrowed. Outputs were borrowed mutably, so they overlap nothing.
        unsafe {
            self.steps[0].matrix.whole_product(inputs.cast(), outputs.cast(), len, accumulate);
        }
        true
    }

    /// Says what becomes of the outputs.
    pub(crate) fn set_next_use(&mut self, next_use: NextUse) {
        // What other steps write is read by the steps after them.
        if let [step] = &mut self.steps[..] {
            step.matrix.set_next_use(next_use);
        }
    }

    /// Runs all steps. Where buffers differ in length, an input counts as continued with zeros.
    /// With `accumulate` the results are added to the outputs; only for dense programs.
    ///
    /// Panics when the number of buffers is not the program's: callers have checked.
    #[inline]
    pub(crate) fn run<'a>(
        &self,
        inputs: impl Iterator<Item = &'a [u8]>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        scratch: impl Iterator<Item = &'a mut [u8]>,
        accumulate: bool,
    ) {
        if self.inputs + self.outputs + self.scratch <= FEW_BUFFERS {
            let mut buffers = Buffers::<FEW_BUFFERS>::new();
            buffers.fill(inputs, outputs, scratch);
            self.run_steps(&mut buffers, accumulate);
        } else {
            let mut buffers = Buffers::<MAX_BUFFERS>::new();
            buffers.fill(inputs, outputs, scratch);
            self.run_steps(&mut buffers, accumulate);
        }
    }

    /// Runs a dense program over a part of buffers of `whole_len` bytes: whether they are too many
    /// for the caches is decided by that.
    #[cfg(feature = "rayon")]
    pub(crate) fn run_part<'a>(
        &self,
        inputs: impl Iterator<Item = &'a [u8]>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        whole_len: usize,
    ) {
        assert!(self.is_dense);
        let mut buffers = Buffers::<MAX_BUFFERS>::new();
        buffers.fill(inputs, outputs, core::iter::empty());
        buffers.whole_len = whole_len;
        self.run_steps(&mut buffers, false);
    }

    /// Adds the products of one input with its column of coefficients to the outputs; only for
    /// dense programs.
    ///
    /// Panics when the program is not dense, has no such input, or has another number of outputs.
    #[inline]
    pub(crate) fn accumulate_one<'a>(
        &self,
        column: usize,
        input: &'a [u8],
        outputs: impl Iterator<Item = &'a mut [u8]>,
    ) {
        assert!(self.is_dense && column < self.inputs);
        let mut buffers = Buffers::<MAX_BUFFERS>::new();
        buffers.fill(core::iter::once(input), outputs, core::iter::empty());
        assert_eq!(buffers.count, 1 + self.outputs);
        buffers.dot_product(&self.steps[0].matrix, column..column + 1, true);
    }

    /// Adds the products of two inputs with the column of one to the outputs: of an input before and
    /// after a change. All buffers have one length; only for dense programs.
    ///
    /// Panics when the program is not dense, has no such input, has another number of outputs, or
    /// lengths differ.
    pub(crate) fn change_one<'a>(
        &self,
        column: usize,
        old: &'a [u8],
        new: &'a [u8],
        outputs: impl Iterator<Item = &'a mut [u8]>,
    ) {
        assert!(self.is_dense && column < self.inputs);
        let mut buffers = Buffers::<MAX_BUFFERS>::new();
        buffers.fill([old, new].into_iter(), outputs, core::iter::empty());
        assert_eq!(buffers.count, 2 + self.outputs);
        assert_eq!(buffers.shortest, buffers.longest);
        let inputs = buffers.pointers.as_ptr().cast::<*const u8>();
        // SAFETY: the column lies within the matrix. All pointers are set, from slices of `longest`
        // bytes borrowed for 'a; outputs were borrowed mutably, so they overlap nothing.
        unsafe {
            let outputs = buffers.pointers.as_ptr().add(2).cast::<*mut u8>();
            self.steps[0].matrix.add_change(column, inputs, outputs, buffers.longest);
        }
    }

    #[inline]
    fn run_steps<const N: usize>(&self, buffers: &mut Buffers<'_, N>, accumulate: bool) {
        assert_eq!(buffers.count, self.inputs + self.outputs + self.scratch);
        assert_eq!(buffers.inputs, self.inputs);
        assert!(self.is_dense || !accumulate);
        if self.is_dense {
            buffers.dot_product(&self.steps[0].matrix, 0..self.inputs, accumulate);
            return;
        }
        for step in &self.steps {
            let mut chosen = Buffers::<MAX_BUFFERS>::new();
            for &number in step.sources.iter().chain(&step.targets) {
                let (pointer, len) = buffers.get(usize::from(number));
                chosen.push(pointer, len);
            }
            chosen.inputs = step.sources.len();
            chosen.dot_product(&step.matrix, 0..step.sources.len(), false);
        }
    }
}

/// Pointers and lengths of the buffers of one call, inputs first. Only `count` are set.
struct Buffers<'a, const N: usize> {
    pointers: [MaybeUninit<*mut u8>; N],
    lens: [MaybeUninit<usize>; N],
    count: usize,
    /// How many of them are inputs: never written.
    inputs: usize,
    shortest: usize,
    longest: usize,
    /// The length of the buffers that these are a part of, if they are.
    whole_len: usize,
    borrowed: PhantomData<&'a mut [u8]>,
}

impl<'a, const N: usize> Buffers<'a, N> {
    #[inline(always)]
    fn new() -> Self {
        Self {
            pointers: [MaybeUninit::uninit(); N],
            lens: [MaybeUninit::uninit(); N],
            count: 0,
            inputs: 0,
            shortest: usize::MAX,
            longest: 0,
            whole_len: 0,
            borrowed: PhantomData,
        }
    }

    #[inline(always)]
    fn fill(
        &mut self,
        inputs: impl Iterator<Item = &'a [u8]>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        scratch: impl Iterator<Item = &'a mut [u8]>,
    ) {
        for input in inputs {
            self.push(input.as_ptr().cast_mut(), input.len());
        }
        self.inputs = self.count;
        for output in outputs {
            self.push(output.as_mut_ptr(), output.len());
        }
        for buffer in scratch {
            self.push(buffer.as_mut_ptr(), buffer.len());
        }
    }

    #[inline(always)]
    fn push(&mut self, pointer: *mut u8, len: usize) {
        self.pointers[self.count].write(pointer);
        self.lens[self.count].write(len);
        self.count += 1;
        self.shortest = self.shortest.min(len);
        self.longest = self.longest.max(len);
    }

    fn get(&self, number: usize) -> (*mut u8, usize) {
        assert!(number < self.count);
        // SAFETY: `push` has set all below `count`.
        unsafe { (self.pointers[number].assume_init(), self.lens[number].assume_init()) }
    }

    /// All outputs from the inputs, which are those of `columns` of the matrix.
    #[inline]
    fn dot_product(&mut self, matrix: &KernelMatrix, columns: Range<usize>, accumulate: bool) {
        assert!(columns.end <= matrix.columns() && !columns.is_empty());
        assert_eq!(self.inputs, columns.len());
        assert_eq!(self.count - self.inputs, matrix.rows());
        if self.shortest == self.longest {
            let inputs = self.pointers.as_ptr().cast::<*const u8>();
            // SAFETY: `columns` lies within the matrix. All `count` pointers are set, come from
            // slices of `longest` bytes borrowed for 'a (or were chosen from such by a step that
            // `Program::new` checked), and outputs do not overlap anything: they were borrowed
            // mutably, and a step's targets are neither its sources nor twice among themselves.
            unsafe {
                let outputs = self.pointers.as_ptr().add(self.inputs).cast::<*mut u8>();
                let whole_len = self.whole_len.max(self.longest);
                matrix.dot_product(
                    columns,
                    inputs,
                    outputs,
                    0..self.longest,
                    accumulate,
                    whole_len,
                );
            }
        } else {
            self.dot_product_uneven(matrix, columns, accumulate);
        }
    }

    /// Buffers of several lengths: cut where one ends, so that within a piece every buffer is
    /// either there or past its end.
    #[cold]
    #[inline(never)]
    fn dot_product_uneven(&self, matrix: &KernelMatrix, columns: Range<usize>, accumulate: bool) {
        let mut discard = [0u8; DISCARD];
        // Taken once: borrowing the buffer again would end the right of earlier pointers to it.
        let discard = discard.as_mut_ptr();
        let longest_output =
            (self.inputs..self.count).map(|output| self.get(output).1).max().unwrap_or(0);
        let mut inputs = [core::ptr::null::<u8>(); N];
        let mut outputs = [core::ptr::null_mut::<u8>(); N];
        let mut start = 0;
        while start < longest_output {
            let mut end = longest_output;
            for (_, len) in (0..self.count).map(|buffer| self.get(buffer)) {
                if len > start {
                    end = end.min(len);
                }
            }
            if (self.inputs..self.count).any(|output| self.get(output).1 <= start) {
                end = end.min(start + DISCARD);
            }
            let piece = 0..end - start;
            for row in 0..matrix.rows() {
                let (pointer, len) = self.get(self.inputs + row);
                outputs[row] = if len > start {
                    // SAFETY: `start` lies within this output.
                    unsafe { pointer.add(start) }
                } else {
                    discard
                };
            }
            let mut accumulate = accumulate;
            let mut column = 0;
            while column < self.inputs {
                let first = column;
                while column < self.inputs && self.get(column).1 > start {
                    // SAFETY: `start` lies within this input.
                    inputs[column] = unsafe { self.get(column).0.add(start) };
                    column += 1;
                }
                if column > first {
                    let run = columns.start + first..columns.start + column;
                    // SAFETY: the run lies within the matrix and its inputs all reach to `end`.
                    // So do the outputs that have not ended; the ended ones share `discard`,
                    // which has room for the piece and whose content nobody reads.
                    unsafe {
                        let inputs = inputs.as_ptr().add(first);
                        matrix.dot_product(
                            run,
                            inputs,
                            outputs.as_ptr(),
                            piece.clone(),
                            accumulate,
                            longest_output.max(self.whole_len),
                        );
                    }
                    accumulate = true;
                }
                column += 1;
            }
            if !accumulate {
                for &output in &outputs[..matrix.rows()] {
                    // SAFETY: as above: every output has room for the piece.
                    unsafe { output.write_bytes(0, piece.len()) };
                }
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelId;
    use crate::gf8::Matrix;
    use alloc::vec;

    #[test]
    fn outputs_that_end_early_share_one_place_for_what_nobody_reads() {
        let kernel = KernelId::from_name("scalar").unwrap();
        let ones = KernelMatrix::new(kernel, &Matrix::from_fn(3, 2, |_, _| 1));
        let program = Program::dense(ones).unwrap();
        let inputs = [vec![5; 30], vec![3; 21]];
        let mut outputs = [vec![9; 4], vec![9; 40], vec![9; 0]];
        program.run(
            inputs.iter().map(|input| &input[..]),
            outputs.iter_mut().map(|output| &mut output[..]),
            core::iter::empty(),
            false,
        );
        assert_eq!(outputs[0], [6; 4]);
        assert_eq!(outputs[1], [vec![6; 21], vec![5; 9], vec![0; 10]].concat());
    }
}
