//! CRCs on 64-bit Arm: blocks by the instructions `crc32x` and `crc32cx`, and beside them others by
//! carry-less multiplication (`pmull`), on other execution units.
//!
//! The instruction takes a word a cycle, on one unit, and hands its result on after two cycles: two
//! blocks keep it busy. Meanwhile CPUs fold 8 to 16 bytes a cycle, so four blocks go that way.

// The compiler warns that `word` cannot have the intrinsics inlined; once it is itself inlined into
// an entry function, it can.
#![allow(unknown_lints, inline_always_mismatching_target_features)]

use core::arch::aarch64::*;

use super::generic::{self, FoldVector};
use super::step::{self, Step};
use super::{BLOCK, ByBlocks, CrcTable, Functions};
use crate::checksum::polynomial::{LaneKeys, MERGED_BLOCKS, Polynomial};

/// Blocks that go through the instruction while four are folded.
const CHAINS: usize = 2;

/// Runs of fewer blocks than this are computed from end to end: merging states does not pay.
const FEWEST_BLOCKS: usize = 8;

/// Buffers of at least so many bytes are folded; for fewer, what follows folding takes longer than the
/// instruction for all of them.
const FOLDED_FROM: usize = 256;

/// What a kernel's level means for CRCs on this CPU; `None` where it lacks the instructions.
pub(super) fn table(kernel: &str) -> Option<&'static CrcTable> {
    #[cfg(feature = "std")]
    let (has_crc, has_products) = (
        std::arch::is_aarch64_feature_detected!("crc"),
        std::arch::is_aarch64_feature_detected!("aes"),
    );
    #[cfg(not(feature = "std"))]
    let (has_crc, has_products) = (cfg!(target_feature = "crc"), cfg!(target_feature = "aes"));
    match kernel {
        "sve2" | "sve" | "neon" if has_crc && has_products => Some(&CRC_AND_PMULL),
        _ => None,
    }
}

/// A polynomial, and the instruction that goes on by a word modulo it.
macro_rules! step {
    ($(#[$doc:meta])* $step:ident = $polynomial:expr, $instruction:ident) => {
        $(#[$doc])*
        enum $step {}

        impl Step for $step {
            const POLYNOMIAL: Polynomial = $polynomial;

            #[inline(always)]
            unsafe fn word(state: u64, word: u64) -> u64 {
                // SAFETY: the caller runs with the CRC instructions.
                unsafe { u64::from($instruction(state as u32, word)) }
            }

            #[inline(always)]
            unsafe fn carryless(a: u64, b: u64) -> u64 {
                // SAFETY: the caller runs with PMULL.
                unsafe { vmull_p64(a, b) as u64 }
            }

            #[inline(always)]
            unsafe fn sum_of_products(states: *const u32, keys: &[u64; MERGED_BLOCKS]) -> u64 {
                // SAFETY: the caller runs with PMULL, and vouches for as many states as there are
                // keys.
                unsafe { sum_of_products::<Self>(states, keys) }
            }
        }
    };
}

step! {
    /// Castagnoli's polynomial.
    Crc32c = Polynomial::CRC32C, __crc32cd
}
step! {
    /// The polynomial of CRC-32.
    Crc32 = Polynomial::CRC32, __crc32d
}

#[inline(always)]
unsafe fn sum_of_products<S: Step>(states: *const u32, keys: &[u64; MERGED_BLOCKS]) -> u64 {
    let product = |(index, &key): (usize, &u64)| {
        // SAFETY: the caller vouches for as many states as there are keys, and for the features.
        unsafe { S::carryless(u64::from(states.add(index).read()), key) }
    };
    keys.iter().enumerate().map(product).fold(0, |sum, product| sum ^ product)
}

/// A lane of 128 bits.
#[derive(Clone, Copy)]
struct Lane(uint64x2_t);

// SAFETY (of every block below): the caller runs with NEON and PMULL, and vouches for the bytes that a
// pointer is read for, as `FoldVector` asks.
impl FoldVector for Lane {
    const BYTES: usize = 16;
    type Lane = Self;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(vreinterpretq_u64_u8(vld1q_u8(source))) }
    }

    #[inline(always)]
    unsafe fn add(self, words: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(veorq_u64(self.0, Self::keys(words).0)) }
    }

    #[inline(always)]
    unsafe fn keys(key: [u64; 2]) -> Self {
        // SAFETY: features, as above; the array has the bytes.
        unsafe { Self(vld1q_u64(key.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn fold(self, keys: Self, next: Self) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let first = vmull_p64(vgetq_lane_u64::<0>(self.0), vgetq_lane_u64::<0>(keys.0));
            let second =
                vmull_high_p64(vreinterpretq_p64_u64(self.0), vreinterpretq_p64_u64(keys.0));
            let [first, second] = [first, second].map(|product| vreinterpretq_u64_p128(product));
            Self(veorq_u64(veorq_u64(first, second), next.0))
        }
    }

    #[inline(always)]
    unsafe fn into_lane(self, _: &LaneKeys) -> Self {
        self
    }

    #[inline(always)]
    unsafe fn words(self) -> [u64; 2] {
        // SAFETY: features, as above.
        unsafe { [vgetq_lane_u64::<0>(self.0), vgetq_lane_u64::<1>(self.0)] }
    }
}

/// Two lanes, that as much may be folded at a time as the instruction takes meanwhile.
#[derive(Clone, Copy)]
struct Lanes(Lane, Lane);

// SAFETY (of every block below): as for `Lane`.
impl FoldVector for Lanes {
    const BYTES: usize = 32;
    type Lane = Lane;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(Lane::load(source), Lane::load(source.add(Lane::BYTES))) }
    }

    #[inline(always)]
    unsafe fn add(self, words: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(self.0.add(words), self.1) }
    }

    #[inline(always)]
    unsafe fn keys(key: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        let keys = unsafe { Lane::keys(key) };
        Self(keys, keys)
    }

    #[inline(always)]
    unsafe fn fold(self, keys: Self, next: Self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(self.0.fold(keys.0, next.0), self.1.fold(keys.1, next.1)) }
    }

    #[inline(always)]
    unsafe fn into_lane(self, LaneKeys([.., one, _]): &LaneKeys) -> Lane {
        // SAFETY: features, as above.
        unsafe { self.0.fold(Lane::keys(*one), self.1) }
    }

    #[inline(always)]
    unsafe fn words(self) -> [u64; 2] {
        // SAFETY: features, as above.
        unsafe { self.0.words() }
    }
}

/// The entry functions of one polynomial: only in these stands `#[target_feature]`.
macro_rules! entries {
    ($module:ident, $step:ty) => {
        mod $module {
            use super::*;

            #[target_feature(enable = "crc,aes,neon")]
            pub(super) unsafe extern "C" fn extend(state: u32, data: *const u8, len: usize) -> u32 {
                // SAFETY: the caller's own promise, and the features are those of this function.
                unsafe {
                    if len < FOLDED_FROM {
                        step::words::<$step>(u64::from(state), data, len) as u32
                    } else {
                        generic::extend::<Lanes, $step>(state, data, len)
                    }
                }
            }

            #[target_feature(enable = "crc,aes,neon")]
            pub(super) unsafe fn finish(states: *const u32, count: usize, sums: *mut [u8; 4]) {
                // SAFETY: as above.
                unsafe { crate::checksum::kernel::finish(states, count, sums) }
            }

            #[target_feature(enable = "crc,aes,neon")]
            pub(super) unsafe fn merge(state: u32, states: *const u32, count: usize) -> u32 {
                // SAFETY: as above.
                unsafe { step::merge::<$step>(state, states, count) }
            }

            #[target_feature(enable = "crc,aes,neon")]
            pub(super) unsafe fn blocks(
                initial: u32,
                data: *const u8,
                count: usize,
                _prefetch: bool,
                states: *mut u32,
            ) {
                // SAFETY: as above.
                unsafe {
                    generic::blocks::<Lanes, $step, CHAINS, { CHAINS - 1 }, false>(
                        initial, data, count, states,
                    );
                }
            }
        }
    };
}

entries!(crc32, Crc32);
entries!(crc32c, Crc32c);

static CRC_AND_PMULL: CrcTable = CrcTable {
    name: "pmull + crc32 instructions",
    lowest_first: super::tables::extend_any,
    highest_first: super::tables::extend_any,
    crc32: Functions {
        extend: crc32::extend,
        finish: crc32::finish,
        by_blocks: Some(ByBlocks { blocks: crc32::blocks, merge: crc32::merge }),
        merged_from: FEWEST_BLOCKS * BLOCK,
    },
    crc32c: Functions {
        extend: crc32c::extend,
        finish: crc32c::finish,
        by_blocks: Some(ByBlocks { blocks: crc32c::blocks, merge: crc32c::merge }),
        merged_from: FEWEST_BLOCKS * BLOCK,
    },
};
