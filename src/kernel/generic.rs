//! The one algorithm: sums of products over columns of bytes, for any vector.
//!
//! `COLUMNS` inputs and `ROWS` outputs are constants, so that the loop over inputs is unrolled:
//! every input stream then has a load instruction of its own, which is what hardware prefetchers
//! tell streams apart by, and all sums stay in registers.

use core::ops::Range;
use core::ptr::copy_nonoverlapping;

use super::vector::Gf8Vector;
use super::{DotProduct, MAX_COLUMNS, MAX_ROWS, Manner};

/// The longest vector; bounce buffers have room for one a stream.
const MAX_BYTES: usize = 64;

/// Pointers that are kept in registers, of the sixteen or so that CPUs have for them, or of the thirty
/// on 64-bit Arm.
const IN_REGISTERS: usize = if cfg!(target_arch = "aarch64") { 20 } else { 10 };

/// Repeats a block for every pair of columns, with the pair's first as a constant.
///
/// A plain loop would be left rolled by the compiler once its body is large, and sums indexed in
/// a rolled loop live in memory instead of registers.
macro_rules! for_each_pair {
    ($columns:expr, |$column:ident| $body:expr) => {
        for_each_pair!(@ $columns, $column, $body, 0 2 4 6 8 10 12 14 16 18)
    };
    (@ $columns:expr, $column:ident, $body:expr, $($first:literal)*) => {
        $(if $first < $columns {
            const { assert!(MAX_COLUMNS == 20, "one literal a pair of columns") };
            #[allow(non_upper_case_globals)]
            const $column: usize = $first;
            $body
        })*
    };
}

/// Sums of products over bytes `start..end` of every stream.
///
/// Output r becomes (or, where the manner says so, has added to it) the sum over columns c of
/// coefficient (c, r) times input c. With `MULTIPLY` false all coefficients are 1 and `entries`
/// is not read. `itself` is the entry function that this is inlined into.
///
/// # Safety
///
/// As [`DotProduct`] says; and the caller runs with the target features of `V`.
#[inline(always)]
pub(super) unsafe fn dot_product<
    V: Gf8Vector,
    const COLUMNS: usize,
    const ROWS: usize,
    const UNROLL: usize,
    const MULTIPLY: bool,
>(
    itself: DotProduct,
    entries: *const u64,
    inputs: *const *const u8,
    outputs: *const *mut u8,
    start: usize,
    end: usize,
    manner: Manner,
) {
    const {
        assert!(COLUMNS >= 1 && COLUMNS <= MAX_COLUMNS);
        assert!(ROWS >= 1 && ROWS <= MAX_ROWS);
        assert!(V::BYTES <= MAX_BYTES);
    }
    // Copies that nothing else points to: the compiler may keep them in registers. Where those are
    // too few, copies on the stack would only have to be made.
    // SAFETY: the caller vouches for COLUMNS input and ROWS output pointers.
    let (column_copies, row_copies) =
        unsafe { (*inputs.cast::<[*const u8; COLUMNS]>(), *outputs.cast::<[*mut u8; ROWS]>()) };
    let (columns, rows) = if COLUMNS + ROWS <= IN_REGISTERS {
        (column_copies.as_ptr(), row_copies.as_ptr())
    } else {
        (inputs, outputs)
    };
    let mut at = start;
    while end - at >= UNROLL * V::BYTES {
        // SAFETY: UNROLL whole vectors lie before `end` in every stream.
        unsafe {
            block::<V, COLUMNS, ROWS, UNROLL, MULTIPLY, false>(
                entries,
                columns,
                rows,
                at,
                V::BYTES,
                manner,
            );
        }
        at += UNROLL * V::BYTES;
    }
    if V::MASKED {
        while at < end {
            let count = (end - at).min(V::BYTES);
            // SAFETY: `count` bytes, at most a vector's, lie before `end` in every stream.
            unsafe {
                block::<V, COLUMNS, ROWS, 1, MULTIPLY, true>(
                    entries, columns, rows, at, count, manner,
                );
            }
            at += count;
        }
        return;
    }
    if UNROLL > 1 {
        while end - at >= V::BYTES {
            // SAFETY: a whole vector lies before `end` in every stream.
            unsafe {
                block::<V, COLUMNS, ROWS, 1, MULTIPLY, false>(
                    entries,
                    columns,
                    rows,
                    at,
                    V::BYTES,
                    manner,
                );
            }
            at += V::BYTES;
        }
    }
    if at < end {
        let shape = Shape { columns: COLUMNS, rows: ROWS, vector_bytes: V::BYTES };
        // SAFETY: fewer bytes than a vector's are left before `end` in every stream, and
        // `itself` computes COLUMNS and ROWS.
        unsafe { last_partial_vector(itself, shape, entries, inputs, outputs, at..end, manner) };
    }
}

/// `UNROLL` vectors of every stream, or with `PARTIAL` the first `count` bytes of one.
#[inline(always)]
unsafe fn block<
    V: Gf8Vector,
    const COLUMNS: usize,
    const ROWS: usize,
    const UNROLL: usize,
    const MULTIPLY: bool,
    const PARTIAL: bool,
>(
    entries: *const u64,
    inputs: *const *const u8,
    outputs: *const *mut u8,
    at: usize,
    count: usize,
    manner: Manner,
) {
    // SAFETY: the caller vouches for the bytes of every stream from `at` (UNROLL vectors, or
    // `count` bytes where PARTIAL), for COLUMNS * ROWS entries, COLUMNS and ROWS pointers, and for the
    // target features.
    unsafe {
        let read = |stream: *const u8, step: usize| {
            if PARTIAL {
                V::load_first(stream.add(at), count)
            } else {
                V::load(stream.add(at + step * V::BYTES))
            }
        };
        if manner.ahead != 0 {
            for column in 0..COLUMNS {
                let input = *inputs.add(column);
                for line in (0..UNROLL * V::BYTES).step_by(64) {
                    V::prefetch(input.wrapping_add(at + line + usize::from(manner.ahead)));
                }
            }
        }
        let mut sums = [[V::zero(); UNROLL]; ROWS];
        for_each_pair!(COLUMNS, |COLUMN| {
            let paired = COLUMN + 1 < COLUMNS;
            // Where a pair's products are looked up by nibbles, all rows share those of the inputs.
            let row_by_row = !(paired && V::FOLDS) || V::ENTRY_WORDS == 1;
            let mut x = [V::zero(); UNROLL];
            let mut y = [V::zero(); UNROLL];
            for step in 0..UNROLL {
                x[step] = read(*inputs.add(COLUMN), step);
                if paired && (V::FOLDS || !MULTIPLY) {
                    y[step] = read(*inputs.add(COLUMN + 1), step);
                }
            }
            for row in 0..ROWS {
                if MULTIPLY {
                    let c = V::coefficient(entries.add((COLUMN * ROWS + row) * V::ENTRY_WORDS));
                    if paired && V::FOLDS {
                        let d = V::coefficient(
                            entries.add(((COLUMN + 1) * ROWS + row) * V::ENTRY_WORDS),
                        );
                        for step in 0..UNROLL {
                            sums[row][step] = if COLUMN == 0 {
                                x[step].mul(c).add_product(y[step], d)
                            } else {
                                sums[row][step].add_products(x[step], c, y[step], d)
                            };
                        }
                    } else {
                        for step in 0..UNROLL {
                            sums[row][step] = if COLUMN == 0 {
                                x[step].mul(c)
                            } else {
                                sums[row][step].add_product(x[step], c)
                            };
                        }
                    }
                } else {
                    for step in 0..UNROLL {
                        sums[row][step] = match (COLUMN, paired) {
                            (0, true) => x[step].xor(y[step]),
                            (0, false) => x[step],
                            (_, true) => sums[row][step].xor3(x[step], y[step]),
                            (_, false) => sums[row][step].xor(x[step]),
                        };
                    }
                }
                if row_by_row {
                    settle(&mut sums[row]);
                }
            }
            if !row_by_row {
                settle(sums.as_flattened_mut());
            }
            if paired && !V::FOLDS && MULTIPLY {
                for step in 0..UNROLL {
                    y[step] = read(*inputs.add(COLUMN + 1), step);
                }
                for row in 0..ROWS {
                    let d =
                        V::coefficient(entries.add(((COLUMN + 1) * ROWS + row) * V::ENTRY_WORDS));
                    for step in 0..UNROLL {
                        sums[row][step] = sums[row][step].add_product(y[step], d);
                    }
                    settle(&mut sums[row]);
                }
            }
        });
        // At the end, so that no sum has to begin as a register of zeros.
        if manner.accumulate {
            for row in 0..ROWS {
                for step in 0..UNROLL {
                    sums[row][step] =
                        sums[row][step].xor(read((*outputs.add(row)).cast_const(), step));
                }
            }
        }
        if PARTIAL {
            for row in 0..ROWS {
                sums[row][0].store_first((*outputs.add(row)).add(at), count);
            }
        } else if manner.streaming {
            for row in 0..ROWS {
                for step in 0..UNROLL {
                    sums[row][step].stream((*outputs.add(row)).add(at + step * V::BYTES));
                }
            }
        } else {
            for row in 0..ROWS {
                for step in 0..UNROLL {
                    sums[row][step].store((*outputs.add(row)).add(at + step * V::BYTES));
                }
            }
        }
    }
}

/// Ends the work on these sums: the compiler would read other columns before, or compute all
/// products before it adds any, and have to store sums in between.
#[inline(always)]
unsafe fn settle<V: Gf8Vector>(sums: &mut [V]) {
    for sum in sums {
        // SAFETY: the caller runs with the target features of `V`.
        unsafe { sum.settle() };
    }
}

/// Of the entry function that [`last_partial_vector`] calls again.
struct Shape {
    columns: usize,
    rows: usize,
    vector_bytes: usize,
}

/// The end of a call on an instruction set without masks: the bytes left of every stream are
/// copied to the stack, computed there as one whole vector, and the results copied out.
///
/// # Safety
///
/// As [`DotProduct`] says for the bytes `left`, which must be fewer than a vector's; `entry`
/// computes the columns, rows and vectors of `shape`.
#[inline(never)]
unsafe fn last_partial_vector(
    entry: DotProduct,
    shape: Shape,
    entries: *const u64,
    inputs: *const *const u8,
    outputs: *const *mut u8,
    left: Range<usize>,
    manner: Manner,
) {
    let mut input_bytes = [[0u8; MAX_BYTES]; MAX_COLUMNS];
    let mut output_bytes = [[0u8; MAX_BYTES]; MAX_ROWS];
    let mut input_pointers = [core::ptr::null(); MAX_COLUMNS];
    let mut output_pointers = [core::ptr::null_mut(); MAX_ROWS];
    for column in 0..shape.columns {
        // SAFETY: the caller vouches for `shape.columns` pointers, and for the bytes `left`
        // of each; they are fewer than MAX_BYTES.
        unsafe {
            let source = (*inputs.add(column)).add(left.start);
            copy_nonoverlapping(source, input_bytes[column].as_mut_ptr(), left.len());
        }
        input_pointers[column] = input_bytes[column].as_ptr();
    }
    for row in 0..shape.rows {
        if manner.accumulate {
            // SAFETY: as above, for `shape.rows` outputs.
            unsafe {
                let source = (*outputs.add(row)).add(left.start);
                copy_nonoverlapping(source, output_bytes[row].as_mut_ptr(), left.len());
            }
        }
        output_pointers[row] = output_bytes[row].as_mut_ptr();
    }
    // SAFETY: every buffer has MAX_BYTES, at least a vector's, and they do not overlap. Exactly
    // one whole vector is asked for, so `entry` does not come here again.
    unsafe {
        entry(
            entries,
            input_pointers.as_ptr(),
            output_pointers.as_ptr(),
            0,
            shape.vector_bytes,
            Manner { accumulate: manner.accumulate, ..Manner::default() },
        );
    }
    for row in 0..shape.rows {
        // SAFETY: as above.
        unsafe {
            let target = (*outputs.add(row)).add(left.start);
            copy_nonoverlapping(output_bytes[row].as_ptr(), target, left.len());
        }
    }
}
