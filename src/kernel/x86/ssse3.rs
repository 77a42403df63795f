//! SSSE3: products by two 16-entry table look-ups (`pshufb`) a byte.

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::super::entry::kernel_table;
use super::super::tables::NIBBLES;
use super::super::vector::Gf8Vector;
use super::{detected, keep_order_128};

#[derive(Clone, Copy)]
struct Vector(__m128i);

// SAFETY (of every block below): the caller runs with the features of this instruction set and
// vouches for the bytes that a pointer is read or written for, as `Gf8Vector` asks.
impl Gf8Vector for Vector {
    // No stores past the caches: by quarters of a line they took three times as long as plain ones,
    // for 6 inputs and 3 outputs of 16 MiB.
    const BYTES: usize = 16;
    const MASKED: bool = false;
    const FOLDS: bool = false;
    const ENTRY_WORDS: usize = 4;
    type Coefficient = (__m128i, __m128i);

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm_setzero_si128()) }
    }

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(_mm_loadu_si128(source.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: features and bytes, as above.
        unsafe { _mm_storeu_si128(target.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm_xor_si128(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn settle(&mut self) {
        // SAFETY: features, as above.
        unsafe { keep_order_128(&mut self.0) }
    }

    #[inline(always)]
    unsafe fn coefficient(entry: *const u64) -> Self::Coefficient {
        // SAFETY: features and bytes, as above.
        unsafe { (_mm_loadu_si128(entry.cast()), _mm_loadu_si128(entry.add(2).cast())) }
    }

    #[inline(always)]
    unsafe fn mul(self, (low, high): Self::Coefficient) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let nibble = _mm_set1_epi8(0x0F);
            let low = _mm_shuffle_epi8(low, _mm_and_si128(self.0, nibble));
            let high = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi64::<4>(self.0), nibble));
            Self(_mm_xor_si128(low, high))
        }
    }
}

kernel_table! {
    /// 128-bit shuffles.
    SSSE3 = "ssse3", Vector, entries: NIBBLES,
    features: "ssse3",
    supported: || detected!("ssse3"),
    columns: [1 2 3 4 5 6],
    passes: [1 of 2, 2 of 2, 3 of 1],
}
