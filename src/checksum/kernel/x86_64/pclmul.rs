//! PCLMULQDQ: one lane of 128 bits, for any x86-64 CPU since 2011.

use core::arch::x86_64::*;

use super::super::generic::{self, FoldVector};
use super::super::step;
use super::super::{ByBlocks, CrcTable, Functions, MERGED_FROM};
use super::{
    CRC32_KEYS, Crc32, Crc32c, blocks, crc_table, entries, entries_for_any, one_buffer,
    reversed_bytes,
};
use crate::checksum::CrcAlgorithm;
use crate::checksum::polynomial::LaneKeys;

#[derive(Clone, Copy)]
pub(super) struct Lane(pub(super) __m128i);

// SAFETY (of every block below): the caller runs with the features of this instruction set and
// vouches for the bytes that a pointer is read for, as `FoldVector` asks.
impl FoldVector for Lane {
    const BYTES: usize = 16;
    type Lane = Self;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(_mm_loadu_si128(source.cast())) }
    }

    #[inline(always)]
    unsafe fn add(self, words: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm_xor_si128(self.0, Self::keys(words).0)) }
    }

    #[inline(always)]
    unsafe fn reversed(self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm_shuffle_epi8(self.0, reversed_bytes())) }
    }

    #[inline(always)]
    unsafe fn keys([first, second]: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm_set_epi64x(second.cast_signed(), first.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn fold(self, keys: Self, next: Self) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let first = _mm_clmulepi64_si128::<0x00>(self.0, keys.0);
            let second = _mm_clmulepi64_si128::<0x11>(self.0, keys.0);
            Self(_mm_xor_si128(_mm_xor_si128(first, second), next.0))
        }
    }

    #[inline(always)]
    unsafe fn into_lane(self, _: &LaneKeys) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn prefetch(source: *const u8) {
        // SAFETY: features, as above; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(source.cast()) }
    }

    #[inline(always)]
    unsafe fn words(self) -> [u64; 2] {
        // SAFETY: features, as above.
        unsafe {
            [_mm_cvtsi128_si64(self.0), _mm_extract_epi64::<1>(self.0)].map(i64::cast_unsigned)
        }
    }
}

crc_table! {
    /// 128-bit products.
    TABLE = "pclmulqdq + crc32", Lane, features: "sse2,ssse3,sse4.1,sse4.2,pclmulqdq"
}
