//! AVX2 with GFNI: a product is one `vgf2p8affineqb` on 256 bits.

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::super::entry::kernel_table;
use super::super::tables::AFFINE;
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
    const ENTRY_WORDS: usize = 1;
    type Coefficient = __m256i;

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
        unsafe { _mm256_set1_epi64x(entry.read().cast_signed()) }
    }

    #[inline(always)]
    unsafe fn mul(self, coefficient: Self::Coefficient) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm256_gf2p8affine_epi64_epi8::<0>(self.0, coefficient)) }
    }
}

kernel_table! {
    /// 256-bit affine transforms.
    AVX2_GFNI = "avx2_gfni", Vector, entries: AFFINE,
    features: "avx2,gfni",
    supported: || detected!("avx2", "gfni"),
    columns: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20],
    passes: [1 of 4, 2 of 4, 3 of 3],
}
