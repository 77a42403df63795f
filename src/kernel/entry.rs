//! Stamps out one instruction set's entry functions and its [`KernelTable`](super::KernelTable).
//!
//! Only here does `#[target_feature]` stand: everything else is inlined into these functions.

/// Defines a static `KernelTable`. `columns` counts up to the most inputs of one call, of which
/// each costs code; `passes` has the rows that go in one pass and the vectors a step of each,
/// chosen so that sums, inputs and coefficients fit the registers. Plain sums have two vectors a step
/// unless it is said.
macro_rules! kernel_table {
    (
        $(#[$doc:meta])*
        $table:ident = $name:literal, $vector:ty, entries: $entries:expr,
        $(features: $features:literal,)?
        supported: $supported:expr,
        columns: [$($columns:literal)*],
        passes: $passes:tt,
        $(sums of: $step:literal,)?
    ) => {
        /// # Safety
        ///
        /// As [`DotProduct`](crate::kernel::DotProduct) says; the CPU has the features named.
        $(#[target_feature(enable = $features)])?
        unsafe fn products<const COLUMNS: usize, const ROWS: usize, const UNROLL: usize>(
            entries: *const u64,
            inputs: *const *const u8,
            outputs: *const *mut u8,
            start: usize,
            end: usize,
            manner: crate::kernel::Manner,
        ) {
            // SAFETY: the caller's own promise, and the features are those of this function.
            unsafe {
                crate::kernel::generic::dot_product::<$vector, COLUMNS, ROWS, UNROLL, true>(
                    products::<COLUMNS, ROWS, UNROLL>,
                    entries, inputs, outputs, start, end, manner,
                );
            }
        }

        /// # Safety
        ///
        /// As [`DotProduct`](crate::kernel::DotProduct) says; the CPU has the features named.
        $(#[target_feature(enable = $features)])?
        unsafe fn sums<const COLUMNS: usize, const UNROLL: usize>(
            entries: *const u64,
            inputs: *const *const u8,
            outputs: *const *mut u8,
            start: usize,
            end: usize,
            manner: crate::kernel::Manner,
        ) {
            // SAFETY: the caller's own promise, and the features are those of this function.
            unsafe {
                crate::kernel::generic::dot_product::<$vector, COLUMNS, 1, UNROLL, false>(
                    sums::<COLUMNS, UNROLL>,
                    entries, inputs, outputs, start, end, manner,
                );
            }
        }

        const SUMS_A_STEP: usize = kernel_table!(@step $($step)?);

        $(#[$doc])*
        pub(in crate::kernel) static $table: crate::kernel::KernelTable = crate::kernel::KernelTable {
            name: $name,
            supported: $supported,
            vector_bytes: || <$vector as crate::kernel::vector::Gf8Vector>::BYTES,
            streams: <$vector as crate::kernel::vector::Gf8Vector>::STREAMS,
            entry_words: <$vector as crate::kernel::vector::Gf8Vector>::ENTRY_WORDS,
            entries: &$entries,
            products: &[$(kernel_table!(@products $columns $passes)),*],
            sums: &[$(sums::<$columns, SUMS_A_STEP>),*],
        };
    };
    (@products $columns:literal [$($rows:literal of $unroll:literal),*]) => {
        &[$(products::<$columns, $rows, $unroll>),*]
    };
    (@step) => {
        2
    };
    (@step $step:literal) => {
        $step
    };
}

pub(super) use kernel_table;
