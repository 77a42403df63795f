//! AVX-512 with GFNI: a product is one `vgf2p8affineqb` on 512 bits.

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::super::entry::kernel_table;
use super::super::tables::AFFINE;
use super::super::vector::Gf8Vector;
use super::{detected, first_bytes, keep_order_512, xor3_512};

#[derive(Clone, Copy)]
struct Vector(__m512i);

// SAFETY (of every block below): the caller runs with the features of this instruction set and
// vouches for the bytes that a pointer is read or written for, as `Gf8Vector` asks.
impl Gf8Vector for Vector {
    const BYTES: usize = 64;
    const MASKED: bool = true;
    const STREAMS: bool = true;
    const ENTRY_WORDS: usize = 1;
    type Coefficient = __m512i;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(_mm512_loadu_si512(source.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: features and bytes, as above.
        unsafe { _mm512_storeu_si512(target.cast(), self.0) }
    }

    #[cfg(not(miri))] // which has no streaming stores
    #[inline(always)]
    unsafe fn stream(self, target: *mut u8) {
        // SAFETY: features and bytes, as above.
        unsafe { _mm512_stream_si512(target.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn prefetch(source: *const u8) {
        // SAFETY: any address may be asked for.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(source.cast()) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm512_xor_si512(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn load_first(source: *const u8, count: usize) -> Self {
        // SAFETY: masked bytes are not touched; the rest as above.
        unsafe { Self(_mm512_maskz_loadu_epi8(first_bytes(count), source.cast())) }
    }

    #[inline(always)]
    unsafe fn store_first(self, target: *mut u8, count: usize) {
        // SAFETY: masked bytes are not touched; the rest as above.
        unsafe { _mm512_mask_storeu_epi8(target.cast(), first_bytes(count), self.0) }
    }

    #[inline(always)]
    unsafe fn settle(&mut self) {
        // SAFETY: features, as above.
        unsafe { keep_order_512(&mut self.0) }
    }

    #[inline(always)]
    unsafe fn coefficient(entry: *const u64) -> Self::Coefficient {
        // SAFETY: features and bytes, as above.
        unsafe { _mm512_set1_epi64(entry.read().cast_signed()) }
    }

    #[inline(always)]
    unsafe fn mul(self, coefficient: Self::Coefficient) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm512_gf2p8affine_epi64_epi8::<0>(self.0, coefficient)) }
    }

    #[inline(always)]
    unsafe fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(xor3_512(self.0, b.0, c.0)) }
    }
}

kernel_table! {
    /// 512-bit affine transforms.
    AVX512_GFNI = "avx512_gfni", Vector, entries: AFFINE,
    features: "avx512f,avx512bw,gfni",
    supported: || detected!("avx512f", "avx512bw", "gfni"),
    columns: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20],
    passes: [1 of 4, 2 of 4, 3 of 4, 4 of 4, 5 of 3, 6 of 3],
}
