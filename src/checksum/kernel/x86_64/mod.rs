//! CRCs on x86-64: the `crc32` instruction of SSE4.2, and carry-less multiplication of 128, 256
//! or 512 bits.

use core::arch::x86_64::*;

use super::super::crc::{BitOrder, Keys};
use super::super::polynomial::{MERGED_BLOCKS, Polynomial};
use super::CrcTable;
use super::step::Step;
use crate::kernel::detected;

mod one_buffer;
mod pclmul;
mod vpclmul256;
mod vpclmul512;

/// What a kernel's level means for CRCs on this CPU; `None` where it lacks the instructions.
pub(super) fn table(kernel: &str) -> Option<&'static CrcTable> {
    let has_128 = || detected!("sse2", "ssse3", "sse4.1", "sse4.2", "pclmulqdq");
    let has_256 = || has_128() && detected!("avx", "avx2", "vpclmulqdq");
    let has_512 = || has_256() && detected!("avx512f", "avx512bw", "avx512vl");
    match kernel {
        "avx512_gfni" | "avx512" if has_512() => Some(vpclmul512::table()),
        "avx512_gfni" | "avx512" | "avx2_gfni" | "avx2" if has_256() => Some(&vpclmul256::TABLE),
        "avx512_gfni" | "avx512" | "avx2_gfni" | "avx2" | "ssse3" if has_128() => {
            Some(&pclmul::TABLE)
        }
        _ => None,
    }
}

/// Castagnoli's polynomial, by its instruction.
pub(super) enum Crc32c {}

impl Step for Crc32c {
    const POLYNOMIAL: Polynomial = Polynomial::CRC32C;

    #[inline(always)]
    unsafe fn word(state: u64, word: u64) -> u64 {
        // SAFETY: the caller runs with SSE4.2.
        unsafe { _mm_crc32_u64(state, word) }
    }

    #[inline(always)]
    unsafe fn carryless(a: u64, b: u64) -> u64 {
        // SAFETY: the caller runs with PCLMULQDQ.
        unsafe { carryless(a, b) }
    }

    #[inline(always)]
    unsafe fn sum_of_products(states: *const u32, keys: &[u64; MERGED_BLOCKS]) -> u64 {
        // SAFETY: the caller's own promise.
        unsafe { sum_of_products(states, keys) }
    }
}

/// The polynomial of CRC-32, by Barrett's reduction.
pub(super) enum Crc32 {}

impl Step for Crc32 {
    const POLYNOMIAL: Polynomial = Polynomial::CRC32;

    #[inline(always)]
    unsafe fn word(state: u64, word: u64) -> u64 {
        // SAFETY: the caller runs with PCLMULQDQ and SSE4.1.
        unsafe {
            let [quotient, polynomial] = const { Polynomial::CRC32.barrett_keys() };
            let keys = _mm_set_epi64x(polynomial.cast_signed(), quotient.cast_signed());
            let value = _mm_cvtsi64_si128((word ^ state).cast_signed());
            let quotient = _mm_clmulepi64_si128::<0x00>(value, keys);
            let remainder = _mm_clmulepi64_si128::<0x10>(quotient, keys);
            u64::from(_mm_extract_epi32::<2>(remainder).cast_unsigned())
        }
    }

    #[inline(always)]
    unsafe fn carryless(a: u64, b: u64) -> u64 {
        // SAFETY: the caller runs with PCLMULQDQ.
        unsafe { carryless(a, b) }
    }

    #[inline(always)]
    unsafe fn sum_of_products(states: *const u32, keys: &[u64; MERGED_BLOCKS]) -> u64 {
        // SAFETY: the caller's own promise.
        unsafe { sum_of_products(states, keys) }
    }
}

/// The bytes of a lane in the opposite order, for `pshufb`.
#[inline(always)]
unsafe fn reversed_bytes() -> __m128i {
    // SAFETY: the caller runs with SSE2, as every CPU of this kind does.
    unsafe { _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0A0B_0C0D_0E0F) }
}

#[inline(always)]
unsafe fn carryless(a: u64, b: u64) -> u64 {
    // SAFETY: the caller runs with PCLMULQDQ.
    unsafe {
        let (a, b) = (_mm_cvtsi64_si128(a.cast_signed()), _mm_cvtsi64_si128(b.cast_signed()));
        _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0x00>(a, b)).cast_unsigned()
    }
}

/// Two states and their two keys at a time.
#[inline(always)]
unsafe fn sum_of_products(states: *const u32, keys: &[u64; MERGED_BLOCKS]) -> u64 {
    // SAFETY: the caller runs with PCLMULQDQ and SSE4.1, and vouches for as many states as there
    // are keys.
    unsafe {
        let mut sum = _mm_setzero_si128();
        for (pair, keys) in keys.as_chunks::<2>().0.iter().enumerate() {
            let states = _mm_cvtepu32_epi64(_mm_loadl_epi64(states.add(2 * pair).cast()));
            let keys = _mm_loadu_si128(keys.as_ptr().cast());
            let first = _mm_clmulepi64_si128::<0x00>(states, keys);
            let second = _mm_clmulepi64_si128::<0x11>(states, keys);
            sum = _mm_xor_si128(sum, _mm_xor_si128(first, second));
        }
        _mm_cvtsi128_si64(sum).cast_unsigned()
    }
}

/// The keys of CRC-32's polynomial.
static CRC32_KEYS: Keys = Keys::new(32, 0x04C1_1DB7, BitOrder::LowestFirst);

/// The entry functions for any polynomial. Only in entry functions does `#[target_feature]` stand:
/// everything else is inlined into them.
macro_rules! entries_for_any {
    ($vector:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        unsafe extern "C" fn lowest_first(
            crc: &CrcAlgorithm,
            register: u64,
            data: *const u8,
            len: usize,
        ) -> u64 {
            // SAFETY: the caller's own promise, and the features are those of this function.
            unsafe { one_buffer::extend::<$vector, false>(crc.keys(), register, data, len) }
        }

        #[target_feature(enable = $features)]
        unsafe extern "C" fn highest_first(
            crc: &CrcAlgorithm,
            register: u64,
            data: *const u8,
            len: usize,
        ) -> u64 {
            // SAFETY: as above.
            unsafe { one_buffer::extend::<$vector, true>(crc.keys(), register, data, len) }
        }

        #[target_feature(enable = $features)]
        unsafe extern "C" fn extend_crc32(state: u32, data: *const u8, len: usize) -> u32 {
            // SAFETY: as above.
            unsafe {
                one_buffer::extend::<$vector, false>(&CRC32_KEYS, state.into(), data, len) as u32
            }
        }

        #[target_feature(enable = $features)]
        unsafe extern "C" fn extend_crc32c(state: u32, data: *const u8, len: usize) -> u32 {
            // SAFETY: as above.
            unsafe { generic::extend::<$vector, Crc32c>(state, data, len) }
        }
    };
}

/// The entry functions for one polynomial that all instruction sets have alike.
macro_rules! entries {
    ($step:ty, $features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) unsafe fn finish(states: *const u32, count: usize, sums: *mut [u8; 4]) {
            // SAFETY: the caller's own promise, and the features are those of this function.
            unsafe { crate::checksum::kernel::finish(states, count, sums) }
        }

        #[target_feature(enable = $features)]
        pub(super) unsafe fn merge(state: u32, states: *const u32, count: usize) -> u32 {
            // SAFETY: as above.
            unsafe { step::merge::<$step>(state, states, count) }
        }
    };
}

/// Blocks of one polynomial by the generic algorithm: `$chains` of them by words beside the
/// folded ones, or one chain less.
macro_rules! blocks {
    ($vector:ty, $step:ty, $chains:literal, $fewer:literal, $features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) unsafe fn blocks(
            initial: u32,
            data: *const u8,
            count: usize,
            prefetch: bool,
            states: *mut u32,
        ) {
            // SAFETY: the caller's own promise, and the features are those of this function.
            unsafe {
                if prefetch {
                    generic::blocks::<$vector, $step, $chains, $fewer, true>(
                        initial, data, count, states,
                    );
                } else {
                    generic::blocks::<$vector, $step, $chains, $fewer, false>(
                        initial, data, count, states,
                    );
                }
            }
        }
    };
}

/// Stamps out an instruction set's [`CrcTable`] of the generic algorithms over `$vector`.
macro_rules! crc_table {
    ($(#[$doc:meta])* $table:ident = $name:literal, $vector:ty, features: $features:literal) => {
        entries_for_any!($vector, $features);

        mod crc32 {
            use super::*;
            entries!(Crc32, $features);
            blocks!($vector, Crc32, 0, 0, $features);
        }

        mod crc32c {
            use super::*;
            entries!(Crc32c, $features);
            blocks!($vector, Crc32c, 3, 2, $features);
        }

        $(#[$doc])*
        pub(super) static $table: CrcTable = CrcTable {
            name: $name,
            lowest_first,
            highest_first,
            crc32: Functions {
                extend: extend_crc32,
                finish: crc32::finish,
                by_blocks: Some(ByBlocks { blocks: crc32::blocks, merge: crc32::merge }),
                merged_from: usize::MAX,
            },
            crc32c: Functions {
                extend: extend_crc32c,
                finish: crc32c::finish,
                by_blocks: Some(ByBlocks { blocks: crc32c::blocks, merge: crc32c::merge }),
                merged_from: MERGED_FROM,
            },
        };
    };
}

use {blocks, crc_table, entries, entries_for_any};
