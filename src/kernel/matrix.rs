//! A matrix of coefficients laid out for one kernel, and how its products are cut into calls.

use alloc::vec::Vec;
use core::ops::Range;

use super::{KernelId, MAX_ROWS};
use crate::gf8::Matrix;

/// Bytes of every output that are computed at a time when inputs come in several groups: the
/// partial sums of all rows of a pass stay in the first-level cache from group to group.
const TILE_OF_SUMS: usize = 4096;

/// Bytes of all inputs together that are computed at a time when outputs come in several passes:
/// the inputs stay in the second-level cache from pass to pass.
const TILE_OF_INPUTS: usize = 256 * 1024;

/// A matrix prepared for one kernel; rows are outputs, columns are inputs.
///
/// Rows are cut into passes of at most `MAX_ROWS`; within a pass the coefficients lie column by
/// column, so that any run of columns is one contiguous run of entries.
#[derive(Clone)]
pub(crate) struct KernelMatrix {
    kernel: KernelId,
    rows: usize,
    columns: usize,
    /// Whether it is one row of ones: a plain sum.
    is_sum: bool,
    entries: Vec<u64>,
}

impl KernelMatrix {
    pub(crate) fn new(kernel: KernelId, coefficients: &Matrix) -> Self {
        let (rows, columns) = (coefficients.rows(), coefficients.columns());
        let words = kernel.0.entry_words;
        let mut entries = Vec::with_capacity(rows * columns * words);
        for pass in cut(0..rows, MAX_ROWS) {
            for column in 0..columns {
                for row in pass.clone() {
                    let coefficient = usize::from(coefficients.get(row, column));
                    let form = &kernel.0.entries[coefficient * words..(coefficient + 1) * words];
                    entries.extend_from_slice(form);
                }
            }
        }
        let is_sum = rows == 1 && coefficients.row(0).iter().all(|&coefficient| coefficient == 1);
        Self { kernel, rows, columns, is_sum, entries }
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

    /// Bytes `range` of every output become (or have added) the products with the inputs
    /// numbered `columns`.
    ///
    /// # Safety
    ///
    /// `inputs` points to one pointer for each of `columns` and `outputs` to one for each row, all
    /// valid for the bytes `range`; no output overlaps an input or, unless nobody reads it,
    /// another output. `columns` lies within the matrix and is not empty.
    #[inline]
    pub(super) unsafe fn dot_product(
        &self,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        accumulate: bool,
    ) {
        debug_assert!(columns.end <= self.columns && !columns.is_empty());
        let group_len = self.kernel.0.products.len();
        if self.rows <= MAX_ROWS && columns.len() <= group_len {
            // SAFETY: the caller's own promise.
            unsafe { self.pass(0..self.rows, columns, inputs, outputs, range, accumulate) };
            return;
        }
        let mut tile = range.len();
        if columns.len() > group_len {
            tile = TILE_OF_SUMS;
        } else if self.rows > MAX_ROWS {
            tile = (TILE_OF_INPUTS / columns.len()).next_multiple_of(TILE_OF_SUMS);
        }
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start.saturating_add(tile));
            for rows in cut(0..self.rows, MAX_ROWS) {
                for group in cut(columns.clone(), group_len) {
                    let accumulate = accumulate || group.start > columns.start;
                    // SAFETY: the caller's own promise, for a part of the columns and bytes.
                    unsafe {
                        let inputs = inputs.add(group.start - columns.start);
                        self.pass(rows.clone(), group, inputs, outputs, start..end, accumulate);
                    }
                }
            }
            start = end;
        }
    }

    /// One call of the kernel.
    ///
    /// # Safety
    ///
    /// As for [`dot_product`](Self::dot_product); `rows` is a pass, `columns` at most as many as
    /// the kernel has entry functions for.
    #[inline]
    unsafe fn pass(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        accumulate: bool,
    ) {
        let table = self.kernel.0;
        let function = if self.is_sum {
            table.sums[columns.len() - 1]
        } else {
            table.products[columns.len() - 1][rows.len() - 1]
        };
        let first = (rows.start * self.columns + columns.start * rows.len()) * table.entry_words;
        debug_assert!(first < self.entries.len());
        // SAFETY: `kernel` proves the CPU's features. `new` laid out columns x rows entries from
        // `first` on, and the pointers are the caller's promise.
        unsafe {
            function(
                self.entries.as_ptr().add(first),
                inputs,
                outputs.add(rows.start),
                range.start,
                range.end,
                accumulate,
            );
        }
    }
}

/// Cuts a range into the fewest parts of at most `most`, as even as they can be.
fn cut(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = range.len().div_ceil(most).max(1);
    let (start, len) = (range.start, range.len());
    (0..parts).map(move |part| start + len * part / parts..start + len * (part + 1) / parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn cuts_evenly() {
        assert_eq!(cut(0..7, 6).collect::<Vec<_>>(), [0..3, 3..7]);
        assert_eq!(cut(2..18, 16).collect::<Vec<_>>(), vec![2..18]);
        assert_eq!(cut(0..33, 16).map(|part| part.len()).collect::<Vec<_>>(), [11, 11, 11]);
    }
}
