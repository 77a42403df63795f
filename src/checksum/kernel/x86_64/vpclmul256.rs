//! VPCLMULQDQ on 256 bits: CPUs with AVX2 and GFNI, and some with AVX2 alone.

use core::arch::x86_64::*;

use super::super::generic::{self, FoldVector};
use super::super::step;
use super::super::{ByBlocks, CrcTable, Functions, MERGED_FROM};
use super::pclmul::Lane;
use super::{
    CRC32_KEYS, Crc32, Crc32c, blocks, crc_table, entries, entries_for_any, one_buffer,
    reversed_bytes,
};
use crate::checksum::CrcAlgorithm;
use crate::checksum::polynomial::LaneKeys;

#[derive(Clone, Copy)]
struct Lanes(__m256i);

// SAFETY (of every block below): the caller runs with the features of this instruction set and
// vouches for the bytes that a pointer is read for, as `FoldVector` asks.
impl FoldVector for Lanes {
    const BYTES: usize = 32;
    type Lane = Lane;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(_mm256_loadu_si256(source.cast())) }
    }

    #[inline(always)]
    unsafe fn add(self, words: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm256_xor_si256(self.0, _mm256_zextsi128_si256(Lane::keys(words).0))) }
    }

    #[inline(always)]
    unsafe fn reversed(self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm256_shuffle_epi8(self.0, _mm256_broadcastsi128_si256(reversed_bytes()))) }
    }

    #[inline(always)]
    unsafe fn keys(key: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm256_broadcastsi128_si256(Lane::keys(key).0)) }
    }

    #[inline(always)]
    unsafe fn fold(self, keys: Self, next: Self) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let first = _mm256_clmulepi64_epi128::<0x00>(self.0, keys.0);
            let second = _mm256_clmulepi64_epi128::<0x11>(self.0, keys.0);
            Self(_mm256_xor_si256(_mm256_xor_si256(first, second), next.0))
        }
    }

    #[inline(always)]
    unsafe fn into_lane(self, LaneKeys([.., one, _]): &LaneKeys) -> Lane {
        // SAFETY: features, as above.
        unsafe {
            let first = Lane(_mm256_castsi256_si128(self.0));
            let last = Lane(_mm256_extracti128_si256::<1>(self.0));
            first.fold(Lane::keys(*one), last)
        }
    }

    #[inline(always)]
    unsafe fn prefetch(source: *const u8) {
        // SAFETY: features, as above; it reads nothing.
        unsafe { Lane::prefetch(source) }
    }

    #[inline(always)]
    unsafe fn words(self) -> [u64; 2] {
        // SAFETY: features, as above.
        unsafe { Lane(_mm256_castsi256_si128(self.0)).words() }
    }
}

crc_table! {
    /// 256-bit products.
    TABLE = "vpclmulqdq 256 + crc32", Lanes,
    features: "sse2,ssse3,sse4.1,sse4.2,avx,avx2,pclmulqdq,vpclmulqdq"
}
