//! CRCs on 64-bit Arm: the instructions `crc32x` and `crc32cx`, over several blocks at once.
//!
//! An instruction takes a word every cycle and hands its result on after two or more, so one chain
//! leaves the unit idle. Carry-less multiplication is used for merging only, where there is any:
//! folding beside the instruction was not measured on a CPU of this kind.

// The compiler warns that `word` cannot have the intrinsics inlined; once it is itself inlined into
// an entry function, it can.
#![allow(unknown_lints, inline_always_mismatching_target_features)]

use core::arch::aarch64::*;

use super::step::{self, Step};
use super::{BLOCK, ByBlocks, CrcTable, Functions};
use crate::checksum::polynomial::{MERGED_BLOCKS, Polynomial};

/// How many blocks go on at once.
const CHAINS: usize = 4;

/// Runs of fewer blocks than this are computed from end to end: merging states does not pay.
const FEWEST_BLOCKS: usize = 8;

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

/// As [`Blocks`](super::Blocks), `CHAINS` at once; what is left of them one by one.
#[inline(always)]
unsafe fn blocks<S: Step>(initial: u32, data: *const u8, count: usize, states: *mut u32) {
    let mut done = 0;
    // SAFETY: the caller vouches for the bytes of `count` blocks and as many states; features as
    // promised.
    unsafe {
        while count - done >= CHAINS {
            let data = data.add(done * BLOCK);
            let mut chains = [u64::from(initial); CHAINS];
            for at in (0..BLOCK).step_by(8) {
                for (chain, state) in chains.iter_mut().enumerate() {
                    *state = S::word(*state, step::read_word(data.add(chain * BLOCK + at)));
                }
            }
            for (chain, &state) in chains.iter().enumerate() {
                states.add(done + chain).write(state as u32);
            }
            done += CHAINS;
        }
        while done < count {
            let state = step::words::<S>(u64::from(initial), data.add(done * BLOCK), BLOCK);
            states.add(done).write(state as u32);
            done += 1;
        }
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
                unsafe { step::words::<$step>(u64::from(state), data, len) as u32 }
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
                unsafe { super::blocks::<$step>(initial, data, count, states) }
            }
        }
    };
}

entries!(crc32, Crc32);
entries!(crc32c, Crc32c);

static CRC_AND_PMULL: CrcTable = CrcTable {
    name: "crc32 instructions, 4 blocks at once",
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
