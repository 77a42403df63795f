//! Sums of products straight from pointers and single coefficients: for front ends whose callers
//! keep tables of their own, call by call.

use core::mem::MaybeUninit;
use core::ops::Range;

use super::matrix::{TILE_OF_INPUTS, TILE_OF_SUMS, cut};
use super::{KernelId, KernelTable, MAX_COLUMNS, MAX_ROWS, Manner};

/// Words that one coefficient takes at the most: two tables of 16 bytes.
const MAX_ENTRY_WORDS: usize = 4;

/// The coefficients of one call of a kernel, in its form.
struct Entries([MaybeUninit<u64>; MAX_COLUMNS * MAX_ROWS * MAX_ENTRY_WORDS]);

impl Entries {
    /// Writes the coefficients, column by column. The table has `WORDS` a coefficient.
    ///
    /// # Safety
    ///
    /// `WORDS` is the table's; there are at most `MAX_ROWS` rows and `MAX_COLUMNS` columns.
    #[inline(always)] // the loops are short, and so must be what is around them
    unsafe fn lay_out<const WORDS: usize>(
        &mut self,
        table: &KernelTable,
        coefficient: &impl Fn(usize, usize) -> u8,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let forms = table.entries.as_ptr().cast::<[u64; WORDS]>();
        let mut slot = self.0.as_mut_ptr().cast::<[u64; WORDS]>();
        for column in columns {
            for row in rows.clone() {
                // SAFETY: a table has a form for every coefficient; there is a slot for every row
                // and column, by the caller's promise.
                unsafe {
                    *slot = *forms.add(usize::from(coefficient(row, column)));
                    slot = slot.add(1);
                }
            }
        }
    }
}

/// Output r becomes (or, with `accumulate`, has added to it) the sum over columns c of
/// `coefficient(r, c)` times input c, over the first `len` bytes of all.
///
/// Nothing is allocated and nothing looked up: the coefficients are laid out on the stack.
///
/// # Safety
///
/// Every input is valid to be read for `len` bytes, every output to be read and written. No output
/// overlaps an input or another output; nobody else uses the memory meanwhile.
#[inline]
pub unsafe fn dot_product_of_pointers(
    kernel: KernelId,
    coefficient: impl Fn(usize, usize) -> u8,
    inputs: &[*const u8],
    outputs: &[*mut u8],
    len: usize,
    accumulate: bool,
) {
    let (columns, rows) = (inputs.len(), outputs.len());
    let table = kernel.0;
    if (1..=table.most_rows()).contains(&rows) && (1..=table.most_columns()).contains(&columns) {
        // Most calls, and the short ones among them.
        // SAFETY: the caller's own promise.
        unsafe {
            pass(kernel, &coefficient, 0..rows, 0..columns, inputs, outputs, 0..len, accumulate);
        }
    } else {
        // SAFETY: the caller's own promise.
        unsafe { by_parts(kernel, &coefficient, inputs, outputs, len, accumulate) };
    }
}

/// [`dot_product_of_pointers`] of what is not one pass.
///
/// # Safety
///
/// As there.
#[inline(never)] // its registers are nothing that one pass should have to save
unsafe fn by_parts(
    kernel: KernelId,
    coefficient: &impl Fn(usize, usize) -> u8,
    inputs: &[*const u8],
    outputs: &[*mut u8],
    len: usize,
    accumulate: bool,
) {
    if inputs.is_empty() {
        if !accumulate {
            // SAFETY: the caller's promise about outputs.
            outputs.iter().for_each(|output| unsafe { output.write_bytes(0, len) });
        }
        return;
    }
    if outputs.is_empty() {
        return;
    }
    let (columns, rows) = (inputs.len(), outputs.len());
    let (most_columns, most_rows) = (kernel.0.most_columns(), kernel.0.most_rows());
    // As in `KernelMatrix`: partial sums stay in the first-level cache, inputs in the second.
    let tile = if columns > most_columns {
        TILE_OF_SUMS
    } else {
        (TILE_OF_INPUTS / columns).next_multiple_of(TILE_OF_SUMS)
    };
    let mut start = 0;
    while start < len {
        let end = len.min(start.saturating_add(tile));
        for rows in cut(0..rows, most_rows) {
            for group in cut(0..columns, most_columns) {
                let accumulate = accumulate || group.start > 0;
                let (inputs, outputs) = (&inputs[group.clone()], &outputs[rows.clone()]);
                // SAFETY: the caller's promise, for a part of the inputs, outputs and bytes; they
                // are no more than the kernel takes at a time.
                unsafe {
                    let (rows, range) = (rows.clone(), start..end);
                    pass(kernel, coefficient, rows, group, inputs, outputs, range, accumulate);
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
/// As [`dot_product_of_pointers`], for the bytes `range`; `inputs` and `outputs` are those of
/// `columns` and `rows`, at least one each and no more than the kernel takes at a time.
#[inline(always)]
#[expect(clippy::too_many_arguments)]
unsafe fn pass(
    kernel: KernelId,
    coefficient: &impl Fn(usize, usize) -> u8,
    rows: Range<usize>,
    columns: Range<usize>,
    inputs: &[*const u8],
    outputs: &[*mut u8],
    range: Range<usize>,
    accumulate: bool,
) {
    let table = kernel.0;
    debug_assert!(columns.len() == inputs.len() && rows.len() == outputs.len());
    let is_sum =
        rows.len() == 1 && columns.clone().all(|column| coefficient(rows.start, column) == 1);
    let mut entries = Entries([MaybeUninit::uninit(); _]);
    let function = if is_sum {
        table.sums[inputs.len() - 1]
    } else {
        // SAFETY: the words are the table's; no kernel takes more at a time than the most rows and
        // columns of all.
        unsafe {
            match table.entry_words {
                1 => entries.lay_out::<1>(table, coefficient, rows, columns),
                2 => entries.lay_out::<2>(table, coefficient, rows, columns),
                _ => entries.lay_out::<MAX_ENTRY_WORDS>(table, coefficient, rows, columns),
            }
        }
        table.products[inputs.len() - 1][outputs.len() - 1]
    };
    let manner = Manner { accumulate, ..Manner::default() };
    // SAFETY: `kernel` proves the CPU's features; columns x rows entries were just written, column
    // by column, if they are read; the pointers are the caller's promise.
    unsafe {
        let entries = entries.0.as_ptr().cast();
        function(entries, inputs.as_ptr(), outputs.as_ptr(), range.start, range.end, manner);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::gf8;

    #[test]
    fn sums_are_those_of_the_field_for_any_number_of_inputs_and_outputs() {
        for kernel in KernelId::available() {
            for (columns, rows, len) in
                [(0, 2, 40), (1, 1, 1), (3, 2, 65), (16, 6, 200), (17, 7, 4200), (40, 13, 130)]
            {
                let byte = |seed: usize, at: usize| (seed * 131 + at * 29 + (at >> 3)) as u8;
                let inputs: Vec<Vec<u8>> =
                    (0..columns).map(|c| (0..len).map(|at| byte(c, at)).collect()).collect();
                for plain_sum in [false, true] {
                    let coefficient =
                        |row, column| if plain_sum { 1 } else { (row * 50 + column * 7) as u8 };
                    for accumulate in [false, true] {
                        let mut outputs = vec![vec![0xA5; len + 1]; rows];
                        let from: Vec<*const u8> = inputs.iter().map(|i| i.as_ptr()).collect();
                        let to: Vec<*mut u8> =
                            outputs.iter_mut().map(|output| output.as_mut_ptr()).collect();
                        // SAFETY: all buffers have `len` bytes and are vectors of their own.
                        unsafe {
                            dot_product_of_pointers(
                                kernel,
                                coefficient,
                                &from,
                                &to,
                                len,
                                accumulate,
                            );
                        }
                        for (row, output) in outputs.iter().enumerate() {
                            for at in 0..len {
                                let first = if accumulate { 0xA5 } else { 0 };
                                let expected = (0..columns).fold(first, |sum, column| {
                                    sum ^ gf8::mul(coefficient(row, column), inputs[column][at])
                                });
                                assert_eq!(output[at], expected, "{kernel} {columns} {rows} {at}");
                            }
                            assert_eq!(output[len], 0xA5);
                        }
                    }
                }
            }
        }
    }
}
