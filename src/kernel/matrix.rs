//! A matrix of coefficients laid out for one kernel, and how its products are cut into calls.

use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::policy::{MemoryPolicy, NextUse};
use super::{
    DotProduct, KernelId, MAX_COLUMNS, MAX_ENTRY_WORDS, MAX_ROWS, Manner, STREAM_ALIGNMENT,
};
use crate::gf8::Matrix;

/// Bytes of every output that are computed at a time when inputs come in several groups: the
/// partial sums of all rows of a pass stay in the first-level cache from group to group.
pub(super) const TILE_OF_SUMS: usize = 4096;

/// Bytes of all inputs together that are computed at a time when outputs come in several passes:
/// the inputs stay in the second-level cache from pass to pass.
pub(super) const TILE_OF_INPUTS: usize = 256 * 1024;

/// A matrix prepared for one kernel; rows are outputs, columns are inputs.
///
/// Rows are cut into passes of as many as the kernel takes; within a pass the coefficients lie column by
/// column, so that any run of columns is one contiguous run of entries.
#[derive(Clone)]
pub(crate) struct KernelMatrix {
    kernel: KernelId,
    rows: usize,
    columns: usize,
    /// The entry function for all of it, where there is one.
    whole: Option<DotProduct>,
    /// Bytes of a column of buffers together from which on calls are streamed.
    stream_from: usize,
    /// Whether it is one row of ones: a plain sum.
    is_sum: bool,
    entries: Vec<u64>,
}

impl KernelMatrix {
    pub(crate) fn new(kernel: KernelId, coefficients: &Matrix) -> Self {
        let (rows, columns) = (coefficients.rows(), coefficients.columns());
        let table = kernel.0;
        let words = table.entry_words;
        let mut entries = Vec::with_capacity(rows * columns * words);
        for pass in cut(0..rows, table.most_rows()) {
            for column in 0..columns {
                for row in pass.clone() {
                    let coefficient = usize::from(coefficients.get(row, column));
                    let form = &table.entries[coefficient * words..(coefficient + 1) * words];
                    entries.extend_from_slice(form);
                }
            }
        }
        let is_sum = rows == 1 && coefficients.row(0).iter().all(|&coefficient| coefficient == 1);
        let mut matrix =
            Self { kernel, rows, columns, whole: None, stream_from: 0, is_sum, entries };
        if (1..=table.most_rows()).contains(&rows) && (1..=table.most_columns()).contains(&columns)
        {
            matrix.whole = Some(matrix.function(rows, columns));
        }
        matrix.set_next_use(NextUse::default());
        matrix
    }

    /// Says what becomes of the outputs.
    pub(crate) fn set_next_use(&mut self, next_use: NextUse) {
        let policy = MemoryPolicy::selected().ok().filter(|_| self.kernel.0.streams);
        self.stream_from = match (next_use, policy.and_then(|policy| policy.stream_from)) {
            (NextUse::Later, Some(bytes)) => bytes,
            _ => usize::MAX,
        };
    }

    /// Bytes of its entries.
    pub(crate) fn weight(&self) -> usize {
        size_of_val(&self.entries[..])
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// [`dot_product`](Self::dot_product) with all columns, from the beginning of all buffers.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    pub(super) unsafe fn whole_product(
        &self,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        len: usize,
        accumulate: bool,
    ) {
        match self.whole {
            Some(function) if !self.is_streamed(self.columns, len) => {
                let manner = Manner { accumulate, ..Manner::default() };
                // SAFETY: the caller's own promise; the function is that of all rows and columns.
                unsafe { function(self.entries.as_ptr(), inputs, outputs, 0, len, manner) };
            }
            // SAFETY: the caller's own promise.
            _ => unsafe {
                self.dot_product(0..self.columns, inputs, outputs, 0..len, accumulate, len);
            },
        }
    }

    /// Whether the buffers of a call are too many for the caches.
    #[inline(always)]
    fn is_streamed(&self, columns: usize, len: usize) -> bool {
        len.saturating_mul(columns + self.rows) >= self.stream_from
    }

    /// Bytes `range` of every output become (or have added) the products with the inputs
    /// numbered `columns`. Whether the buffers are too many for the caches is decided by
    /// `whole_len`, of which other calls may compute the rest.
    ///
    /// # Safety
    ///
    /// `inputs` points to one pointer for each of `columns` and `outputs` to one for each row, all
    /// valid for the bytes `range`; no output overlaps an input or, unless nobody reads it,
    /// another output. `columns` lies within the matrix and is not empty.
    pub(super) unsafe fn dot_product(
        &self,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        accumulate: bool,
        whole_len: usize,
    ) {
        debug_assert!(columns.end <= self.columns && !columns.is_empty());
        let streaming = self.is_streamed(columns.len(), whole_len);
        // SAFETY: the caller's own promise.
        unsafe { self.by_parts(columns, inputs, outputs, range, accumulate, streaming) };
    }

    /// Adds the products of two inputs with one and the same column to the outputs.
    ///
    /// # Safety
    ///
    /// `inputs` points to two pointers and `outputs` to one for each row, all valid for `len` bytes;
    /// no output overlaps an input or another output. `column` lies within the matrix.
    pub(super) unsafe fn add_change(
        &self,
        column: usize,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        len: usize,
    ) {
        let table = self.kernel.0;
        let words = table.entry_words;
        let manner = Manner { accumulate: true, ..Manner::default() };
        for rows in cut(0..self.rows, table.most_rows()) {
            let first = (rows.start * self.columns + column * rows.len()) * words;
            let column = &self.entries[first..first + rows.len() * words];
            let mut twice = [0; 2 * MAX_ROWS * MAX_ENTRY_WORDS];
            twice[..column.len()].copy_from_slice(column);
            twice[column.len()..2 * column.len()].copy_from_slice(column);
            // SAFETY: `kernel` proves the CPU's features; the entries are those of two columns and
            // of these rows, and the pointers are the caller's promise.
            unsafe {
                let outputs = outputs.add(rows.start);
                table.products[1][rows.len() - 1](twice.as_ptr(), inputs, outputs, 0, len, manner);
            }
        }
    }

    /// The entry function for so many rows and columns.
    fn function(&self, rows: usize, columns: usize) -> DotProduct {
        match self.is_sum {
            true => self.kernel.0.sums[columns - 1],
            false => self.kernel.0.products[columns - 1][rows - 1],
        }
    }
}

impl Passes for KernelMatrix {
    fn kernel(&self) -> KernelId {
        self.kernel
    }

    fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    unsafe fn pass(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        manner: Manner,
    ) {
        let function = self.function(rows.len(), columns.len());
        let words = self.kernel.0.entry_words;
        let first = (rows.start * self.columns + columns.start * rows.len()) * words;
        debug_assert!(first < self.entries.len());
        // SAFETY: `kernel` proves the CPU's features. `new` laid out columns x rows entries from
        // `first` on, and the pointers are the caller's promise.
        unsafe {
            function(
                self.entries.as_ptr().add(first),
                inputs,
                outputs,
                range.start,
                range.end,
                manner,
            );
        }
    }
}

/// Sums of products that are computed pass by pass, however their coefficients are laid out.
pub(super) trait Passes {
    fn kernel(&self) -> KernelId;

    /// How many outputs there are.
    fn rows(&self) -> usize;

    /// One call of the kernel.
    ///
    /// # Safety
    ///
    /// As for [`tiles`](Self::tiles), but `outputs` has a pointer for each of `rows` alone; they are
    /// a pass, and `columns` at most as many as the kernel has entry functions for.
    unsafe fn pass(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        manner: Manner,
    );

    /// Bytes `range` of every output become (or have added) the products with the inputs
    /// numbered `columns`; with `streaming` they are stored past the caches if they can be.
    ///
    /// # Safety
    ///
    /// `inputs` points to one pointer for each of `columns` and `outputs` to one for each row, all
    /// valid for the bytes `range`; no output overlaps an input or, unless nobody reads it,
    /// another output. There are such columns, at least one.
    unsafe fn by_parts(
        &self,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        accumulate: bool,
        streaming: bool,
    ) {
        let mut manner = Manner { accumulate, ..Manner::default() };
        let mut range = range;
        if streaming && !accumulate {
            // SAFETY: the caller's own promise.
            if let Some(head) = unsafe { self.until_aligned(outputs, &range) } {
                let aligned = range.start + head;
                // SAFETY: the caller's own promise, for a part of the bytes.
                unsafe {
                    self.tiles(columns.clone(), inputs, outputs, range.start..aligned, manner);
                }
                range.start = aligned;
                manner.streaming = true;
                manner.ahead = ahead(columns.len());
            }
        }
        // SAFETY: the caller's own promise, for what is left; and outputs are aligned where they
        // are streamed.
        unsafe { self.tiles(columns, inputs, outputs, range, manner) };
        if manner.streaming {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            super::x86::finish_streaming();
        }
    }

    /// How many bytes after the beginning of the range all outputs are aligned for streaming, if
    /// they ever are.
    ///
    /// # Safety
    ///
    /// `outputs` points to one pointer for each row.
    unsafe fn until_aligned(&self, outputs: *const *mut u8, range: &Range<usize>) -> Option<usize> {
        let head = |row| {
            // SAFETY: the caller's own promise.
            let output = unsafe { *outputs.add(row) };
            output.wrapping_add(range.start).align_offset(STREAM_ALIGNMENT)
        };
        let first = head(0);
        (first <= range.len() && (1..self.rows()).all(|row| head(row) == first)).then_some(first)
    }

    /// [`by_parts`](Self::by_parts) in one manner, by tiles where one pass does not do it.
    ///
    /// # Safety
    ///
    /// As there; and as [`Manner::streaming`] says of outputs, at the beginning of the range.
    unsafe fn tiles(
        &self,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        manner: Manner,
    ) {
        let table = self.kernel().0;
        if self.rows() <= table.most_rows() && columns.len() <= table.most_columns() {
            // SAFETY: the caller's own promise.
            unsafe { self.pass(0..self.rows(), columns, inputs, outputs, range, manner) };
            return;
        }
        let by_groups = columns.len() > table.most_columns();
        let tile = match by_groups {
            true => TILE_OF_SUMS,
            false => (TILE_OF_INPUTS / columns.len()).next_multiple_of(TILE_OF_SUMS),
        };
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start.saturating_add(tile));
            for rows in cut(0..self.rows(), table.most_rows()) {
                // SAFETY: the caller's own promise, for a part of the rows and bytes; a tile is a
                // multiple of what streamed outputs are aligned to.
                unsafe {
                    if by_groups && manner.streaming {
                        self.groups_streamed(rows, columns.clone(), inputs, outputs, start..end);
                    } else if by_groups {
                        self.groups(rows, columns.clone(), inputs, outputs, start..end, manner);
                    } else {
                        let outputs = outputs.add(rows.start);
                        self.pass(rows, columns.clone(), inputs, outputs, start..end, manner);
                    }
                }
            }
            start = end;
        }
    }

    /// The sums of all groups of columns, one added to the other.
    ///
    /// # Safety
    ///
    /// As for [`tiles`](Self::tiles); `outputs` has a pointer for each of all rows, of which those
    /// of `rows`, a pass, are used.
    unsafe fn groups(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        manner: Manner,
    ) {
        for group in cut(columns.clone(), self.kernel().0.most_columns()) {
            let accumulate = manner.accumulate || group.start > columns.start;
            // SAFETY: the caller's own promise, for a part of the columns.
            unsafe {
                let inputs = inputs.add(group.start - columns.start);
                let manner = Manner { accumulate, ..manner };
                let outputs = outputs.add(rows.start);
                self.pass(rows.clone(), group, inputs, outputs, range.clone(), manner);
            }
        }
    }

    /// [`groups`](Self::groups) whose sums are formed on the stack and streamed to the outputs
    /// when they are whole.
    ///
    /// # Safety
    ///
    /// As there; the range has no more than `TILE_OF_SUMS` bytes.
    unsafe fn groups_streamed(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
    ) {
        let mut tile = Tile([[MaybeUninit::uninit(); TILE_OF_SUMS]; MAX_ROWS]);
        let sums = tile.0.each_mut().map(|sums| sums.as_mut_ptr().cast::<u8>());
        let mut group_inputs = [core::ptr::null(); MAX_COLUMNS];
        for group in cut(columns.clone(), self.kernel().0.most_columns()) {
            let accumulate = group.start > columns.start;
            for (slot, column) in group_inputs.iter_mut().zip(group.clone()) {
                // SAFETY: the caller's own promise for inputs of `columns` and their bytes.
                *slot = unsafe { (*inputs.add(column - columns.start)).add(range.start) };
            }
            let manner = Manner { accumulate, ..Manner::default() };
            // SAFETY: a pass has at most MAX_ROWS rows and the range at most as many bytes as a
            // tile, which the first group writes. Inputs were moved on to where it begins.
            unsafe {
                let inputs = group_inputs.as_ptr();
                self.pass(rows.clone(), group, inputs, sums.as_ptr(), 0..range.len(), manner);
            }
        }
        let copy = self.kernel().0.sums[0];
        let streaming = Manner { streaming: true, ..Manner::default() };
        for (row, sums) in rows.zip(sums) {
            let sums = sums.cast_const();
            // SAFETY: the groups have written the range's bytes of this row. Copying is the sum of
            // one input, for which no entry is read; the output is aligned by the caller's promise.
            unsafe {
                let output = (*outputs.add(row)).add(range.start);
                let (input, output) = (&raw const sums, &raw const output);
                copy(core::ptr::null(), input, output, 0, range.len(), streaming);
            }
        }
    }
}

/// Sums of a tile, aligned for whole vectors.
#[repr(align(64))]
struct Tile([[MaybeUninit<u8>; TILE_OF_SUMS]; MAX_ROWS]);

/// How many bytes ahead a streamed call asks for its inputs.
fn ahead(columns: usize) -> u16 {
    match MemoryPolicy::selected() {
        Ok(policy) if columns >= policy.prefetch_inputs => policy.prefetch_ahead,
        _ => 0,
    }
}

/// Cuts a range into the fewest parts of at most `most`, as even as they can be.
pub(super) fn cut(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = range.len().div_ceil(most).max(1);
    let (start, len) = (range.start, range.len());
    (0..parts).map(move |part| start + len * part / parts..start + len * (part + 1) / parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Computes outputs that begin `offsets` bytes after a cache line, each between bytes that must
    /// stay; the stretches of memory, whole.
    fn computed(matrix: &KernelMatrix, len: usize, offsets: impl Fn(usize) -> usize) -> Vec<u8> {
        #[derive(Clone, Copy)]
        #[repr(align(64))]
        struct Line([u8; 64]);
        let inputs: Vec<Vec<u8>> = (0..matrix.columns)
            .map(|unit| (0..len).map(|at| (at * 7 + unit * 29 + at / 255) as u8).collect())
            .collect();
        let inputs: Vec<*const u8> = inputs.iter().map(|input| input.as_ptr()).collect();
        let lines = len / 64 + 3;
        let mut memory = vec![Line([0xEE; 64]); lines * matrix.rows];
        let base = memory.as_mut_ptr().cast::<u8>();
        let outputs: Vec<*mut u8> = (0..matrix.rows)
            .map(|row| base.wrapping_add(row * lines * 64 + offsets(row)))
            .collect();
        // SAFETY: every input has `len` bytes, and every output: there are 128 more.
        unsafe {
            let (inputs, outputs) = (inputs.as_ptr(), outputs.as_ptr());
            matrix.dot_product(0..matrix.columns, inputs, outputs, 0..len, false, len);
        }
        memory.iter().flat_map(|line| line.0).collect()
    }

    #[test]
    fn streams_what_it_would_store() {
        let lens = [0, 1, 63, 64, 65, 200, 4096, 4159, 9000];
        for kernel in KernelId::available() {
            for (rows, columns) in [(1, 1), (3, 6), (6, 8), (8, 5), (3, 17), (7, 23), (20, 50)] {
                let coefficients = Matrix::from_fn(rows, columns, |row, column| {
                    (row * 37 + column * 11 + 3) as u8
                });
                let stored = KernelMatrix::new(kernel, &coefficients);
                let mut streamed = stored.clone();
                streamed.stream_from = 0;
                for len in lens.into_iter().filter(|&len| len < 5000 || columns > 20) {
                    for offset in [0, 1, 17, 63] {
                        let together = |_| offset;
                        assert!(
                            computed(&stored, len, together) == computed(&streamed, len, together),
                            "{kernel}: {columns} inputs, {rows} outputs of {len} bytes at {offset}"
                        );
                    }
                    let apart = |row| row % 60;
                    assert!(computed(&stored, len, apart) == computed(&streamed, len, apart));
                }
            }
        }
    }

    #[test]
    fn cuts_evenly() {
        assert_eq!(cut(0..7, 6).collect::<Vec<_>>(), [0..3, 3..7]);
        assert_eq!(cut(2..18, 16).collect::<Vec<_>>(), vec![2..18]);
        assert_eq!(cut(0..33, 16).map(|part| part.len()).collect::<Vec<_>>(), [11, 11, 11]);
    }
}
