//! CRCs a word at a time, and states of blocks merged, over a small trait: a polynomial's step.

use super::super::polynomial::{MERGED_BLOCKS, Polynomial};
use super::BLOCK;

/// A polynomial, and how a CRC modulo it goes on by a word.
///
/// # Safety
///
/// Every function may only run inside a function whose target features include those of the
/// instruction set; implementations mark them `#[inline(always)]`. Pointers must be valid for as
/// many bytes as the function says; no alignment is asked for.
pub(super) trait Step {
    /// The generator.
    const POLYNOMIAL: Polynomial;

    /// The state after 8 bytes, those of the word from its lowest on. (States are the low 32 bits
    /// of words here, the others being zeros, so that nothing has to clear those.)
    unsafe fn word(state: u64, word: u64) -> u64;

    /// The low 64 bits of a carry-less product.
    unsafe fn carryless(a: u64, b: u64) -> u64;

    /// The sum of the products of as many states as there are keys, read from `states` on.
    unsafe fn sum_of_products(states: *const u32, keys: &[u64; MERGED_BLOCKS]) -> u64;
}

/// Reads 8 bytes.
#[inline(always)]
pub(super) unsafe fn read_word(source: *const u8) -> u64 {
    // SAFETY: the caller vouches for 8 bytes.
    u64::from_le(unsafe { source.cast::<u64>().read_unaligned() })
}

/// The state after `len` bytes, a word at a time.
#[inline(always)]
pub(super) unsafe fn words<S: Step>(state: u64, data: *const u8, len: usize) -> u64 {
    let mut state = state;
    let mut at = data;
    let mut left = len;
    // SAFETY: the caller vouches for `len` bytes, of which each step takes the next; the features
    // are its promise.
    unsafe {
        while left >= 8 {
            state = S::word(state, read_word(at));
            (at, left) = (at.add(8), left - 8);
        }
        if left > 0 {
            // The word that these are the last bytes of, were there zeros before them: with a
            // state of 0 those change nothing. What they would have shifted out of a state longer
            // than they are is left over.
            let value = read_fewer_than_8(at, left) ^ state;
            let left_over = state >> (8 * left);
            state = S::word(0, value << (64 - 8 * left)) ^ left_over;
        }
        state
    }
}

/// The first `len` bytes, 1 to 7, as the low end of a word.
#[inline(always)]
unsafe fn read_fewer_than_8(source: *const u8, len: usize) -> u64 {
    let mut value = 0;
    let mut at = 0;
    // SAFETY: 4, 2 and 1 bytes are read as far as `len` is made of them, one behind the other.
    unsafe {
        if len & 4 != 0 {
            value = u64::from(u32::from_le(source.cast::<u32>().read_unaligned()));
            at = 4;
        }
        if len & 2 != 0 {
            let two = u16::from_le(source.add(at).cast::<u16>().read_unaligned());
            value |= u64::from(two) << (8 * at);
            at += 2;
        }
        if len & 1 != 0 {
            value |= u64::from(*source.add(at)) << (8 * at);
        }
    }
    value
}

/// As [`Merge`](super::Merge); the features are those of `S`.
#[inline(always)]
pub(super) unsafe fn merge<S: Step>(state: u32, states: *const u32, count: usize) -> u32 {
    let (first, keys) = const { &S::POLYNOMIAL.block_keys(BLOCK) };
    let mut state = u64::from(state);
    let mut done = 0;
    // SAFETY: at most `count` states are read, as many as the caller vouches for. Features as
    // promised.
    unsafe {
        while count - done >= MERGED_BLOCKS {
            let sum = S::sum_of_products(states.add(done), keys);
            state = S::word(0, S::carryless(state, *first) ^ sum);
            done += MERGED_BLOCKS;
        }
        while done < count {
            let key_of_one = keys[MERGED_BLOCKS - 2];
            state =
                S::word(0, S::carryless(state, key_of_one)) ^ u64::from(states.add(done).read());
            done += 1;
        }
    }
    state as u32
}
