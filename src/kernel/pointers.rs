//! Sums of products straight from pointers and single coefficients: for front ends whose callers
//! keep tables of their own, call by call.

use core::mem::MaybeUninit;
use core::ops::Range;

use super::matrix::Passes;
use super::policy::MemoryPolicy;
use super::{KernelId, KernelTable, MAX_COLUMNS, MAX_ENTRY_WORDS, MAX_ROWS, Manner};

/// Bytes of a buffer from which on it is asked whether a call is streamed: below, the question would
/// cost some percent of the call.
const LONG: usize = 4096;

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
    // Each branch has its own: one that both had would be kept in memory for the call of the other.
    if len < LONG
        && (1..=table.most_rows()).contains(&rows)
        && (1..=table.most_columns()).contains(&columns)
    {
        let (inputs, outputs) = (inputs.as_ptr(), outputs.as_ptr());
        let manner = Manner { accumulate, ..Manner::default() };
        // SAFETY: the caller's own promise.
        unsafe {
            Product { kernel, coefficient, rows }.pass(
                0..rows,
                0..columns,
                inputs,
                outputs,
                0..len,
                manner,
            )
        };
    } else {
        let stream_from = match table.streams && len >= LONG {
            true => MemoryPolicy::selected_stream_from(),
            false => usize::MAX,
        };
        let streaming = len.saturating_mul(columns + rows) >= stream_from;
        let product = Product { kernel, coefficient, rows };
        // SAFETY: the caller's own promise.
        unsafe { product.long_or_wide(inputs, outputs, len, accumulate, streaming) };
    }
}

/// As [`dot_product_of_pointers`] with one output and coefficients of 1, which are not even laid
/// out: the output becomes the sum of the inputs.
///
/// # Safety
///
/// As [`dot_product_of_pointers`].
#[inline]
pub unsafe fn sum_of_pointers(
    kernel: KernelId,
    inputs: &[*const u8],
    output: &*mut u8,
    len: usize,
) {
    let sums = kernel.0.sums;
    if len < LONG && (1..=sums.len()).contains(&inputs.len()) {
        let (entries, manner) = (core::ptr::null(), Manner::default());
        // SAFETY: `kernel` proves the CPU's features, and sums read no entries; the pointers are
        // the caller's promise.
        unsafe { sums[inputs.len() - 1](entries, inputs.as_ptr(), output, 0, len, manner) };
    } else {
        let outputs = core::slice::from_ref(output);
        // SAFETY: the caller's own promise.
        unsafe { dot_product_of_pointers(kernel, |_, _| 1, inputs, outputs, len, false) };
    }
}

/// A call of [`dot_product_of_pointers`].
struct Product<C> {
    kernel: KernelId,
    coefficient: C,
    rows: usize,
}

impl<C: Fn(usize, usize) -> u8> Product<C> {
    /// What is long, or not one pass.
    ///
    /// # Safety
    ///
    /// As [`dot_product_of_pointers`]; `rows` is the number of outputs.
    #[inline(never)] // its registers are nothing that one pass should have to save
    unsafe fn long_or_wide(
        self,
        inputs: &[*const u8],
        outputs: &[*mut u8],
        len: usize,
        accumulate: bool,
        streaming: bool,
    ) {
        if !inputs.is_empty() && !outputs.is_empty() {
            let (columns, inputs, outputs) = (0..inputs.len(), inputs.as_ptr(), outputs.as_ptr());
            // SAFETY: the caller's own promise.
            unsafe { self.by_parts(columns, inputs, outputs, 0..len, accumulate, streaming) };
        } else if !accumulate {
            // SAFETY: the caller's promise about outputs.
            outputs.iter().for_each(|output| unsafe { output.write_bytes(0, len) });
        }
    }
}

impl<C: Fn(usize, usize) -> u8> Passes for Product<C> {
    fn kernel(&self) -> KernelId {
        self.kernel
    }

    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)] // for short calls
    unsafe fn pass(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        inputs: *const *const u8,
        outputs: *const *mut u8,
        range: Range<usize>,
        manner: Manner,
    ) {
        let (table, coefficient) = (self.kernel.0, &self.coefficient);
        let (row_count, column_count) = (rows.len(), columns.len());
        let is_sum =
            row_count == 1 && columns.clone().all(|column| coefficient(rows.start, column) == 1);
        let mut entries = Entries([MaybeUninit::uninit(); _]);
        let function = if is_sum {
            table.sums[column_count - 1]
        } else {
            // SAFETY: the words are the table's; no kernel takes more at a time than the most rows
            // and columns of all.
            unsafe {
                match table.entry_words {
                    1 => entries.lay_out::<1>(table, coefficient, rows, columns),
                    2 => entries.lay_out::<2>(table, coefficient, rows, columns),
                    _ => entries.lay_out::<MAX_ENTRY_WORDS>(table, coefficient, rows, columns),
                }
            }
            table.products[column_count - 1][row_count - 1]
        };
        // SAFETY: `kernel` proves the CPU's features; columns x rows entries were just written,
        // column by column, if they are read; the pointers are the caller's promise.
        unsafe {
            let entries = entries.0.as_ptr().cast();
            function(entries, inputs, outputs, range.start, range.end, manner);
        }
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
            for (columns, rows, len) in [
                (0, 2, 40),
                (1, 1, 1),
                (3, 2, 65),
                (11, 1, 513),
                (16, 6, 200),
                (17, 7, 4200),
                (40, 1, 70),
                (40, 13, 130),
            ] {
                let byte = |seed: usize, at: usize| (seed * 131 + at * 29 + (at >> 3)) as u8;
                let inputs: Vec<Vec<u8>> =
                    (0..columns).map(|c| (0..len).map(|at| byte(c, at)).collect()).collect();
                for plain_sum in [false, true] {
                    let coefficient =
                        |row, column| if plain_sum { 1 } else { (row * 50 + column * 7) as u8 };
                    for (accumulate, streaming) in
                        [(false, false), (true, false), (false, true), (true, true)]
                    {
                        let mut outputs = vec![vec![0xA5; len + 65]; rows];
                        let from: Vec<*const u8> = inputs.iter().map(|i| i.as_ptr()).collect();
                        // Only outputs that begin at cache lines are streamed.
                        let aligned = |output: &Vec<u8>| output.as_ptr().align_offset(64);
                        let to: Vec<*mut u8> = outputs
                            .iter_mut()
                            .map(|output| output.as_mut_ptr().wrapping_add(aligned(output)))
                            .collect();
                        // SAFETY: all buffers have `len` bytes and are vectors of their own.
                        unsafe {
                            if streaming && kernel.0.streams {
                                Product { kernel, coefficient, rows }
                                    .long_or_wide(&from, &to, len, accumulate, streaming);
                            } else {
                                dot_product_of_pointers(
                                    kernel,
                                    coefficient,
                                    &from,
                                    &to,
                                    len,
                                    accumulate,
                                );
                            }
                        }
                        for (row, output) in outputs.iter().enumerate() {
                            let output = &output[aligned(output)..];
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
                    if plain_sum && rows == 1 {
                        let mut output = vec![0xA5; len + 1];
                        let from: Vec<*const u8> = inputs.iter().map(|i| i.as_ptr()).collect();
                        // SAFETY: as above.
                        unsafe { sum_of_pointers(kernel, &from, &output.as_mut_ptr(), len) };
                        for (at, &found) in output[..len].iter().enumerate() {
                            assert_eq!(found, inputs.iter().fold(0, |sum, input| sum ^ input[at]));
                        }
                        assert_eq!(output[len], 0xA5);
                    }
                }
            }
        }
    }
}
