//! SVE and SVE2: products by two 16-entry table look-ups (`tbl`) a byte, in vectors of any length.
//!
//! Rust has no types for these vectors, so whole loops are written in assembly, once for all shapes:
//! the assembler repeats a column's instructions (`.rept`) and leaves out those of rows that there
//! are not (`.if`). Registers of the loop over products:
//!
//! | registers | hold |
//! |---|---|
//! | `z0`, `z1` | a coefficient's products with low and with high nibbles; nibbles reach no byte past the first 16 |
//! | `z2` to `z5` | low and high nibbles of two vectors of an input |
//! | `z6`, `z7` | what was looked up |
//! | `z16` to `z27` | sums, two vectors a row |
//! | `z31` | the mask of low nibbles |
//! | `p0`, `p1` | which bytes of both vectors there are: no other is touched |
//!
//! SVE2 adds three vectors by one instruction, `eor3`. It goes to one execution unit where `eor` goes
//! to any, and wins all the same, for look-ups want them too. Plain sums look nothing up: CPUs with SVE2
//! have vectors of 128 bits, of which NEON loads two by one instruction, so these are NEON's there.

use core::arch::asm;

use super::neon::NEON;
use super::tables::NIBBLES;
use super::{DotProduct, KernelTable, MAX_ROWS, Manner};

/// Whether the CPU and the operating system have a feature; without `std` only what the build itself
/// enables counts. With the highest byte first, coefficients would be loaded in another order.
macro_rules! detected {
    ($feature:tt) => {{
        #[cfg(feature = "std")]
        let has_feature = std::arch::is_aarch64_feature_detected!($feature);
        #[cfg(not(feature = "std"))]
        let has_feature = cfg!(target_feature = $feature);
        has_feature && cfg!(target_endian = "little")
    }};
}

/// Bytes of a vector of the thread that asks.
///
/// # Safety
///
/// The CPU has SVE.
#[target_feature(enable = "sve")]
unsafe fn vector_bytes() -> usize {
    let bytes;
    // SAFETY: the instruction writes the register named and nothing else.
    unsafe { asm!("cntb {}", out(reg) bytes, options(pure, nomem, nostack, preserves_flags)) };
    bytes
}

/// The instructions of a block for every row that there is. A block is given, of its row, the numbers of
/// the registers of both sums and the places of the coefficient and of the output's pointer.
#[rustfmt::skip]
macro_rules! each_row {
    ($block:ident $(, $add:ident)?) => {
        concat!(
            ".if {rows} > 0\n", $block!(16, 17, 0, 0 $(, $add)?), ".endif\n",
            ".if {rows} > 1\n", $block!(18, 19, 32, 8 $(, $add)?), ".endif\n",
            ".if {rows} > 2\n", $block!(20, 21, 64, 16 $(, $add)?), ".endif\n",
            ".if {rows} > 3\n", $block!(22, 23, 96, 24 $(, $add)?), ".endif\n",
            ".if {rows} > 4\n", $block!(24, 25, 128, 32 $(, $add)?), ".endif\n",
            ".if {rows} > 5\n", $block!(26, 27, 160, 40 $(, $add)?), ".endif\n",
        )
    };
}

/// Reads the nibbles of the next input.
macro_rules! read_input {
    () => {
        "ldr {stream}, [{input}], #8
        ld1b {{z2.b}}, p0/z, [{stream}, {at}]
        ld1b {{z4.b}}, p1/z, [{stream}, {next}]
        lsr z3.b, z2.b, #4
        and z2.d, z2.d, z31.d
        lsr z5.b, z4.b, #4
        and z4.d, z4.d, z31.d
        "
    };
}

/// A row's sums begin as products.
#[rustfmt::skip]
macro_rules! begin {
    ($sum:literal, $next:literal, $entry:literal, $pointer:literal) => {
        concat!(
            "ldp q0, q1, [{entry}, #", $entry, "]\n",
            "tbl z", $sum, ".b, {{z0.b}}, z2.b\n",
            "tbl z6.b, {{z1.b}}, z3.b\n",
            "eor z", $sum, ".d, z", $sum, ".d, z6.d\n",
            "tbl z", $next, ".b, {{z0.b}}, z4.b\n",
            "tbl z7.b, {{z1.b}}, z5.b\n",
            "eor z", $next, ".d, z", $next, ".d, z7.d\n",
        )
    };
}

/// Products are added to a row's sums.
#[rustfmt::skip]
macro_rules! go_on {
    ($sum:literal, $next:literal, $entry:literal, $pointer:literal, $add:ident) => {
        concat!(
            "ldp q0, q1, [{entry}, #", $entry, "]\n",
            "tbl z6.b, {{z0.b}}, z2.b\n",
            "tbl z7.b, {{z1.b}}, z3.b\n",
            $add!($sum),
            "tbl z6.b, {{z0.b}}, z4.b\n",
            "tbl z7.b, {{z1.b}}, z5.b\n",
            $add!($next),
        )
    };
}

/// Both halves of products are added to a sum.
#[rustfmt::skip]
macro_rules! by_eor {
    ($sum:literal) => {
        concat!("eor z6.d, z6.d, z7.d\n", "eor z", $sum, ".d, z", $sum, ".d, z6.d\n")
    };
}

/// The same with SVE2.
#[rustfmt::skip]
macro_rules! by_eor3 {
    ($sum:literal) => {
        concat!("eor3 z", $sum, ".d, z", $sum, ".d, z6.d, z7.d\n")
    };
}

/// A row's sums are added to its output.
#[rustfmt::skip]
macro_rules! add_to_output {
    ($sum:literal, $next:literal, $entry:literal, $pointer:literal) => {
        concat!(
            "ldr {stream}, [{outputs}, #", $pointer, "]\n",
            "ld1b {{z6.b}}, p0/z, [{stream}, {at}]\n",
            "ld1b {{z7.b}}, p1/z, [{stream}, {next}]\n",
            "eor z6.d, z6.d, z", $sum, ".d\n",
            "eor z7.d, z7.d, z", $next, ".d\n",
            "st1b {{z6.b}}, p0, [{stream}, {at}]\n",
            "st1b {{z7.b}}, p1, [{stream}, {next}]\n",
        )
    };
}

/// A row's sums become its output.
#[rustfmt::skip]
macro_rules! store {
    ($sum:literal, $next:literal, $entry:literal, $pointer:literal) => {
        concat!(
            "ldr {stream}, [{outputs}, #", $pointer, "]\n",
            "st1b {{z", $sum, ".b}}, p0, [{stream}, {at}]\n",
            "st1b {{z", $next, ".b}}, p1, [{stream}, {next}]\n",
        )
    };
}

/// Defines a static `KernelTable` of SVE: its entry functions for products, whose products are
/// added as `add` says, and those of `sums`.
macro_rules! kernel_table {
    (
        $(#[$doc:meta])*
        $table:ident = $name:literal, $products:ident,
        features: $features:literal,
        supported: $supported:expr,
        add: $add:ident,
        sums: $sums:expr,
        columns: [$($columns:literal)*],
    ) => {
        /// # Safety
        ///
        /// As [`DotProduct`] says; the CPU has the features named.
        #[target_feature(enable = $features)]
        unsafe fn $products<const COLUMNS: usize, const ROWS: usize>(
            entries: *const u64,
            inputs: *const *const u8,
            outputs: *const *mut u8,
            start: usize,
            end: usize,
            manner: Manner,
        ) {
            const { assert!(COLUMNS >= 1 && ROWS >= 1 && ROWS <= MAX_ROWS && MAX_ROWS == 6) };
            // SAFETY: the caller vouches for COLUMNS and ROWS pointers, for COLUMNS * ROWS
            // coefficients of 32 bytes, and for bytes `start..end` of every stream, others of which
            // the predicates leave alone. The registers written are all named.
            unsafe {
                asm!(
                    "mov z31.b, #0x0F",
                    "cntb {next}",
                    "add {next}, {next}, {at}",
                    "2:",
                    "whilelo p0.b, {at}, {end}",
                    "whilelo p1.b, {next}, {end}",
                    "mov {entry}, {entries}",
                    "mov {input}, {inputs}",
                    read_input!(),
                    each_row!(begin),
                    ".rept {columns} - 1",
                    "add {entry}, {entry}, #32 * {rows}",
                    read_input!(),
                    each_row!(go_on, $add),
                    ".endr",
                    "cbz {accumulate:w}, 3f",
                    each_row!(add_to_output),
                    "b 4f",
                    "3:",
                    each_row!(store),
                    "4:",
                    "incb {at}, all, mul #2",
                    "incb {next}, all, mul #2",
                    "cmp {at}, {end}",
                    "b.lo 2b",
                    columns = const COLUMNS,
                    rows = const ROWS,
                    entries = in(reg) entries,
                    inputs = in(reg) inputs,
                    outputs = in(reg) outputs,
                    accumulate = in(reg) u32::from(manner.accumulate),
                    end = in(reg) end,
                    at = inout(reg) start => _,
                    next = out(reg) _,
                    entry = out(reg) _,
                    input = out(reg) _,
                    stream = out(reg) _,
                    out("p0") _, out("p1") _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    out("v31") _,
                    options(nostack),
                );
            }
        }

        $(#[$doc])*
        pub(super) static $table: KernelTable = KernelTable {
            name: $name,
            supported: $supported,
            // SAFETY: who asks for it has found the kernel supported.
            vector_bytes: || unsafe { vector_bytes() },
            streams: false,
            entry_words: 4,
            entries: &NIBBLES,
            products: &[$({
                const COLUMNS: usize = $columns;
                &[
                    $products::<COLUMNS, 1>,
                    $products::<COLUMNS, 2>,
                    $products::<COLUMNS, 3>,
                    $products::<COLUMNS, 4>,
                    $products::<COLUMNS, 5>,
                    $products::<COLUMNS, 6>,
                ] as &[DotProduct]
            }),*],
            sums: $sums,
        };
    };
}

kernel_table! {
    /// Table look-ups in vectors of any length.
    SVE = "sve", products,
    features: "sve",
    supported: || detected!("sve"),
    add: by_eor,
    sums: SUMS,
    columns: [1 2 3 4 5 6 7 8 9 10 11 12],
}

kernel_table! {
    /// The same, products added by one instruction.
    SVE2 = "sve2", products_with_eor3,
    features: "sve2",
    supported: || detected!("sve2"),
    add: by_eor3,
    sums: NEON.sums,
    columns: [1 2 3 4 5 6 7 8 9 10 11 12],
}

#[rustfmt::skip]
static SUMS: &[DotProduct] = &[
    sums::<1>, sums::<2>, sums::<3>, sums::<4>, sums::<5>, sums::<6>,
    sums::<7>, sums::<8>, sums::<9>, sums::<10>, sums::<11>, sums::<12>,
];

/// Four vectors of a stream are added to the sums.
macro_rules! add_four {
    () => {
        "ldr z0, [{stream}]
        ldr z1, [{stream}, #1, mul vl]
        ldr z2, [{stream}, #2, mul vl]
        ldr z3, [{stream}, #3, mul vl]
        eor z16.d, z16.d, z0.d
        eor z17.d, z17.d, z1.d
        eor z18.d, z18.d, z2.d
        eor z19.d, z19.d, z3.d
        "
    };
}

/// The place in the next input where the sums begin.
macro_rules! next_input {
    () => {
        "ldr {stream}, [{input}], #8
        add {stream}, {stream}, {at}
        "
    };
}

/// Sums of inputs: four vectors at a time, then the vectors that are left and what there is of the last.
/// Predicates for all of them would take longer than the sums of a few inputs do.
///
/// # Safety
///
/// As [`DotProduct`] says, for coefficients that are all 1 and are not read; the CPU has SVE.
#[target_feature(enable = "sve")]
unsafe fn sums<const COLUMNS: usize>(
    _entries: *const u64,
    inputs: *const *const u8,
    outputs: *const *mut u8,
    start: usize,
    end: usize,
    manner: Manner,
) {
    const { assert!(COLUMNS >= 1) };
    // SAFETY: the caller vouches for COLUMNS inputs, an output, and the bytes `start..end` of each,
    // others of which are left alone: whole vectors lie before `end`, and so does what a predicate has
    // of one. The registers written are all named.
    unsafe {
        asm!(
            "sub {left}, {end}, {at}",
            "cntb {step}, all, mul #4",
            "b 4f",
            "2:",
            "mov {input}, {inputs}",
            next_input!(),
            "ldr z16, [{stream}]",
            "ldr z17, [{stream}, #1, mul vl]",
            "ldr z18, [{stream}, #2, mul vl]",
            "ldr z19, [{stream}, #3, mul vl]",
            ".rept {columns} - 1",
            next_input!(),
            add_four!(),
            ".endr",
            "add {stream}, {output}, {at}",
            "cbz {accumulate:w}, 3f",
            add_four!(),
            "3:",
            "str z16, [{stream}]",
            "str z17, [{stream}, #1, mul vl]",
            "str z18, [{stream}, #2, mul vl]",
            "str z19, [{stream}, #3, mul vl]",
            "add {at}, {at}, {step}",
            "sub {left}, {left}, {step}",
            "4:",
            "cmp {left}, {step}",
            "b.hs 2b",
            "whilelo p0.b, {at}, {end}",
            "b.none 7f",
            "5:",
            "mov {input}, {inputs}",
            "ldr {stream}, [{input}], #8",
            "ld1b {{z16.b}}, p0/z, [{stream}, {at}]",
            ".rept {columns} - 1",
            "ldr {stream}, [{input}], #8",
            "ld1b {{z0.b}}, p0/z, [{stream}, {at}]",
            "eor z16.d, z16.d, z0.d",
            ".endr",
            "cbz {accumulate:w}, 6f",
            "ld1b {{z0.b}}, p0/z, [{output}, {at}]",
            "eor z16.d, z16.d, z0.d",
            "6:",
            "st1b {{z16.b}}, p0, [{output}, {at}]",
            "incb {at}",
            "whilelo p0.b, {at}, {end}",
            "b.any 5b",
            "7:",
            columns = const COLUMNS,
            inputs = in(reg) inputs,
            output = in(reg) *outputs,
            accumulate = in(reg) u32::from(manner.accumulate),
            end = in(reg) end,
            at = inout(reg) start => _,
            left = out(reg) _,
            step = out(reg) _,
            input = out(reg) _,
            stream = out(reg) _,
            out("p0") _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            options(nostack),
        );
    }
}
