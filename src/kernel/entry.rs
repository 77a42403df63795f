//! Stamps out one instruction set's entry functions and its [`KernelTable`](super::KernelTable).
//!
//! Only here does `#[target_feature]` stand: everything else is inlined into these functions.

/// Defines a static `KernelTable`. `columns` counts up to the most inputs of one call, of which
/// each costs code; `unroll` gives the vectors a step for 1, 2 .. 6 rows, chosen so that sums,
/// inputs and coefficients fit the registers.
macro_rules! kernel_table {
    (
        $(#[$doc:meta])*
        $table:ident = $name:literal, $vector:ty, entries: $entries:expr,
        $(features: $features:literal,)?
        supported: $supported:expr,
        columns: [$($columns:literal)*],
        unroll: [$u1:literal, $u2:literal, $u3:literal, $u4:literal, $u5:literal, $u6:literal],
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

        $(#[$doc])*
        pub(in crate::kernel) static $table: crate::kernel::KernelTable = crate::kernel::KernelTable {
            name: $name,
            supported: $supported,
            vector_bytes: <$vector as crate::kernel::vector::Gf8Vector>::BYTES,
            streams: <$vector as crate::kernel::vector::Gf8Vector>::STREAMS,
            entry_words: <$vector as crate::kernel::vector::Gf8Vector>::ENTRY_WORDS,
            entries: &$entries,
            products: &[$([
                products::<$columns, 1, $u1>,
                products::<$columns, 2, $u2>,
                products::<$columns, 3, $u3>,
                products::<$columns, 4, $u4>,
                products::<$columns, 5, $u5>,
                products::<$columns, 6, $u6>,
            ]),*],
            sums: &[$(sums::<$columns, $u1>),*],
        };
    };
}

pub(super) use kernel_table;
