//! Castagnoli's CRC of one buffer, both ways at once.
//!
//! Of n blocks of eight lines, the first 5n lines are folded, while the other 3n go through the
//! `crc32` instruction as three chains of n lines. So the two take about as long where a
//! multiplication of 512 bits is done every other cycle. The four states are merged by products.

use core::arch::x86_64::*;

use super::super::super::BLOCK;
use super::super::super::generic::{FoldVector, keep_order};
use super::super::super::step::{Step, read_word};
use super::super::Crc32c;
use super::{FourStates, Lanes};
use crate::checksum::polynomial::Polynomial;

/// Lines of a block that are folded.
const FOLDED: usize = 5;

/// Bytes of a line.
const LINE: usize = Lanes::BYTES;

/// Bytes from which on both ways are faster than folding alone: the instructions that merge the
/// chains wait for each other, and while they do the next chains cannot begin.
pub(super) const FROM: usize = 3 * BLOCK;

/// The most blocks that are gone through at a time.
const MOST_BLOCKS: usize = 31;

/// The factors that move a state to the end of 1, 2 .. lines that follow; the products are to be
/// reduced as 64 bits of message, as those of `Polynomial::block_keys` are.
static SHIFTS: [u64; 3 * MOST_BLOCKS] = {
    let mut shifts = [0; 3 * MOST_BLOCKS];
    let mut lines = 0;
    while lines < shifts.len() {
        let bits = 8 * (LINE * (lines + 1)) as i64;
        shifts[lines] = Polynomial::CRC32C.x_to_the(bits - 33) as u64;
        lines += 1;
    }
    shifts
};

/// The state after `len` bytes.
///
/// # Safety
///
/// As for [`Extend`](super::super::super::Extend), with the features of this kernel.
#[inline(always)]
pub(super) unsafe fn extend(state: u32, data: *const u8, len: usize) -> u32 {
    let (mut state, mut at, mut left) = (state, data, len);
    // SAFETY: the caller vouches for `len` bytes, of which each step takes the next; the features
    // are its promise.
    unsafe {
        while left >= FROM {
            let count = (left / BLOCK).min(MOST_BLOCKS);
            state = blocks(state, at, count);
            (at, left) = (at.add(count * BLOCK), left - count * BLOCK);
        }
        match left {
            0 => state,
            _ => super::extend_crc32c(state, at, left),
        }
    }
}

/// The keys that fold a vector onto the one so many lines behind it.
#[inline(always)]
unsafe fn key(lines: usize) -> Lanes {
    let keys = const { &<Crc32c as FourStates>::KEYS };
    // SAFETY: the keys are aligned; features as promised.
    unsafe { Lanes(_mm512_load_si512(keys.lines[lines - 1].as_ptr().cast())) }
}

/// The state that a sum of lines leaves.
#[inline(always)]
unsafe fn state_of(sum: Lanes) -> u64 {
    // SAFETY: features as promised.
    unsafe {
        let [first, second] = sum.into_lane(const { &Polynomial::CRC32C.lane_keys() }).words();
        Crc32c::word(Crc32c::word(0, first), second)
    }
}

/// The state after `count` blocks, 1 to `MOST_BLOCKS`.
///
/// # Safety
///
/// As for [`extend`].
#[inline(always)]
unsafe fn blocks(state: u32, data: *const u8, count: usize) -> u32 {
    debug_assert!((1..=MOST_BLOCKS).contains(&count));
    // SAFETY: the caller vouches for `count` blocks: FOLDED lines of each, then three chains of as
    // many lines as there are blocks. Features as promised.
    unsafe {
        let mut at = data;
        let mut chains_at = data.add(count * FOLDED * LINE);
        let mut chains = [0; 3];
        let mut next_words = |word: usize| {
            for (chain, state) in chains.iter_mut().enumerate() {
                let words = chains_at.add(chain * count * LINE);
                *state = Crc32c::word(*state, read_word(words.add(8 * word)));
                keep_order(state);
            }
            if word == 7 {
                chains_at = chains_at.add(LINE);
            }
        };
        let mut sums: [Lanes; FOLDED] =
            core::array::from_fn(|line| Lanes::load(data.add(line * LINE)));
        sums[0] = sums[0].add([state.into(), 0]);
        for word in 0..8 {
            next_words(word);
        }
        for _ in 1..count {
            at = at.add(FOLDED * LINE);
            for word in 0..8 {
                if word < FOLDED {
                    sums[word] = sums[word].fold(key(FOLDED), Lanes::load(at.add(word * LINE)));
                }
                next_words(word);
            }
        }
        let [a, b, c, d, e] = sums;
        let sum = a.fold(key(4), b.fold(key(3), c.fold(key(2), d.fold(key(1), e))));
        let folded = state_of(sum);
        let [first, second, last] = chains;
        let product = |state: u64, lines: usize| {
            let state = _mm_cvtsi64_si128(state.cast_signed());
            let shift = _mm_loadl_epi64(SHIFTS.as_ptr().add(lines - 1).cast());
            _mm_clmulepi64_si128::<0x00>(state, shift)
        };
        let products = _mm_xor_si128(
            product(folded, 3 * count),
            _mm_xor_si128(product(first, 2 * count), product(second, count)),
        );
        let before_last = _mm_cvtsi128_si64(products).cast_unsigned();
        (Crc32c::word(0, before_last) ^ last) as u32
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn every_length_gives_the_state_of_the_instruction_alone() {
        let table = super::super::super::table("avx512");
        if table.is_none_or(|chosen| !core::ptr::eq(chosen, super::super::table())) {
            std::eprintln!("skipped: no VPCLMULQDQ on 512 bits here");
            return;
        }
        let len = (2 * MOST_BLOCKS + 2) * BLOCK;
        let data: alloc::vec::Vec<u8> =
            (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let edges = (0..=len).step_by(BLOCK / 2).flat_map(|edge| [edge.saturating_sub(1), edge]);
        for len in (0..2 * BLOCK).chain(edges) {
            for start in [0, 1] {
                let data = &data[start.min(len)..len];
                // SAFETY: the CPU has the features, which the kernel chosen says; the bytes are
                // those of the slice.
                let (state, expected) = unsafe {
                    let start = data.as_ptr();
                    let by_words = super::super::super::super::step::words::<Crc32c>;
                    let expected = by_words(7, start, data.len()) as u32;
                    (super::super::extend_crc32c_both_ways(7, start, data.len()), expected)
                };
                assert_eq!(state, expected, "{} bytes", data.len());
            }
        }
    }
}
