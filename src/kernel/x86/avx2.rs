//! AVX2: products by two 16-entry table look-ups (`vpshufb`) a byte.

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::super::entry::kernel_table;
use super::super::tables::NIBBLES;
use super::super::vector::Gf8Vector;
use super::{detected, keep_order_256};

#[derive(Clone, Copy)]
struct Vector(__m256i);

// SAFETY (of every block below): the caller runs with the features of this instruction set and
// vouches for the bytes that a pointer is read or written for, as `Gf8Vector` asks.
impl Gf8Vector for Vector {
    const BYTES: usize = 32;
    const MASKED: bool = false;
    const STREAMS: bool = true;
    const FOLDS: bool = false;
    const ENTRY_WORDS: usize = 4;
    type Coefficient = (__m256i, __m256i);

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm256_setzero_si256()) }
    }

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(_mm256_loadu_si256(source.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: features and bytes, as above.
        unsafe { _mm256_storeu_si256(target.cast(), self.0) }
    }

    #[cfg(not(miri))] // which has no streaming stores
    #[inline(always)]
    unsafe fn stream(self, target: *mut u8) {
        // SAFETY: features and bytes, as above.
        unsafe { _mm256_stream_si256(target.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn prefetch(source: *const u8) {
        // SAFETY: any address may be asked for.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(source.cast()) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm256_xor_si256(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn settle(&mut self) {
        // SAFETY: features, as above.
        unsafe { keep_order_256(&mut self.0) }
    }

    #[inline(always)]
    unsafe fn coefficient(entry: *const u64) -> Self::Coefficient {
        // SAFETY: features and bytes, as above.
        unsafe {
            (
                _mm256_broadcastsi128_si256(_mm_loadu_si128(entry.cast())),
                _mm256_broadcastsi128_si256(_mm_loadu_si128(entry.add(2).cast())),
            )
        }
    }

    #[inline(always)]
    unsafe fn mul(self, (low, high): Self::Coefficient) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let nibble = _mm256_set1_epi8(0x0F);
            let low = _mm256_shuffle_epi8(low, _mm256_and_si256(self.0, nibble));
            let high =
                _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi64::<4>(self.0), nibble));
            Self(_mm256_xor_si256(low, high))
        }
    }
}

kernel_table! {
    /// 256-bit shuffles.
    AVX2 = "avx2", Vector, entries: NIBBLES,
    features: "avx2",
    supported: || detected!("avx2"),
    columns: [1 2 3 4 5 6 7 8 9 10 11 12],
    passes: [1 of 2, 2 of 2, 3 of 2],
}
