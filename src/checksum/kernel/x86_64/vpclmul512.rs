//! VPCLMULQDQ on 512 bits, with blocks of Castagnoli's CRC by the `crc32` instruction beside it.
//!
//! Of a block, 512 bytes at a time are multiplied by seven constants, each line by its distance
//! from the last: no product waits for another. Four blocks are brought to an end together.

use core::arch::x86_64::*;

use super::super::generic::{self, FoldVector, keep_order};
use super::super::step::{self, Step};
use super::super::{
    BLOCK, Blocks, ByBlocks, CrcTable, Extend, Functions, MERGED_FROM, PREFETCH_DISTANCE,
};
use super::pclmul::Lane;
use super::{CRC32_KEYS, Crc32, Crc32c, entries, entries_for_any, one_buffer, reversed_bytes};
use crate::checksum::CrcAlgorithm;
use crate::checksum::polynomial::{LaneKeys, Polynomial};
use crate::cpu;
use crate::kernel::xor3_512;

mod both_ways;

#[derive(Clone, Copy)]
struct Lanes(__m512i);

// SAFETY (of every block below): the caller runs with the features of this instruction set and
// vouches for the bytes that a pointer is read for, as `FoldVector` asks.
impl FoldVector for Lanes {
    const BYTES: usize = 64;
    type Lane = Lane;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(_mm512_loadu_si512(source.cast())) }
    }

    #[inline(always)]
    unsafe fn add(self, words: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm512_xor_si512(self.0, _mm512_zextsi128_si512(Lane::keys(words).0))) }
    }

    #[inline(always)]
    unsafe fn reversed(self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm512_shuffle_epi8(self.0, _mm512_broadcast_i32x4(reversed_bytes()))) }
    }

    #[inline(always)]
    unsafe fn keys(key: [u64; 2]) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(_mm512_broadcast_i32x4(Lane::keys(key).0)) }
    }

    #[inline(always)]
    unsafe fn fold(self, keys: Self, next: Self) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let first = _mm512_clmulepi64_epi128::<0x00>(self.0, keys.0);
            let second = _mm512_clmulepi64_epi128::<0x11>(self.0, keys.0);
            Self(xor3_512(first, second, next.0))
        }
    }

    #[inline(always)]
    unsafe fn into_lane(self, keys: &LaneKeys) -> Lane {
        // SAFETY: features, as above; the keys are aligned.
        unsafe {
            let keys = _mm512_load_si512(keys.0.as_ptr().cast());
            // The last lane stays as it is.
            let last = Self(_mm512_maskz_mov_epi64(0b1100_0000, self.0));
            let products = self.fold(Self(keys), last).0;
            let halves = _mm256_xor_si256(
                _mm512_castsi512_si256(products),
                _mm512_extracti64x4_epi64::<1>(products),
            );
            let lane = _mm_xor_si128(
                _mm256_castsi256_si128(halves),
                _mm256_extracti128_si256::<1>(halves),
            );
            Lane(lane)
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
        unsafe { Lane(_mm512_castsi512_si128(self.0)).words() }
    }
}

/// A state as the first 32 bits of a vector.
#[inline(always)]
unsafe fn first_bits(state: u32) -> __m512i {
    // SAFETY: the caller runs with AVX-512.
    unsafe { _mm512_zextsi128_si512(_mm_cvtsi32_si128(state.cast_signed())) }
}

/// Constants of a polynomial as the registers take them.
#[repr(C, align(64))]
struct Keys {
    /// Every lane folded by 1, 2 .. 7 lines of 64 bytes.
    lines: [[u64; 8]; 7],
    /// Every lane folded by 3, 2 and 1 lanes.
    lanes: [[u64; 8]; 3],
}

impl Keys {
    const fn new(polynomial: Polynomial) -> Self {
        const fn everywhere([first, second]: [u64; 2]) -> [u64; 8] {
            [first, second, first, second, first, second, first, second]
        }
        let mut lines = [[0; 8]; 7];
        let mut line = 0;
        while line < 7 {
            lines[line] = everywhere(polynomial.fold_key(512 * (line as i64 + 1)));
            line += 1;
        }
        let mut lanes = [[0; 8]; 3];
        let mut lane = 0;
        while lane < 3 {
            lanes[lane] = everywhere(polynomial.fold_key(128 * (3 - lane as i64)));
            lane += 1;
        }
        Self { lines, lanes }
    }
}

/// What is different from polynomial to polynomial in this file.
trait FourStates: Step {
    const KEYS: Keys = Keys::new(Self::POLYNOMIAL);

    /// Writes the states of four blocks, of each of which the sum of lanes is given.
    ///
    /// # Safety
    ///
    /// The CPU has the features of this kernel; `states` is valid for writes of four states.
    unsafe fn four_states(sums: [__m512i; 4], states: *mut u32);
}

impl FourStates for Crc32c {
    #[inline(always)]
    unsafe fn four_states(sums: [__m512i; 4], states: *mut u32) {
        // SAFETY: a register is as long as four pairs of words. Features and states as promised.
        unsafe {
            // Through memory: the compiler would take them out of the register one by one.
            let lanes = gather::<Self>(sums);
            let words = core::hint::black_box(&raw const lanes).cast::<[u64; 2]>();
            for index in 0..4 {
                let [first, second] = words.add(index).read();
                // Volatile, or the compiler gathers states in vectors, and that takes execution
                // units from the multiplications.
                states.add(index).write_volatile(Self::word(Self::word(0, first), second) as u32);
            }
        }
    }
}

impl FourStates for Crc32 {
    #[inline(always)]
    unsafe fn four_states(sums: [__m512i; 4], states: *mut u32) {
        // SAFETY: features and states as promised.
        unsafe {
            let lanes = gather::<Self>(sums);
            let [quotient, polynomial] = const { Polynomial::CRC32.barrett_keys() };
            let keys = Lanes::keys([quotient, polynomial]).0;
            // As `word` of the first 64 bits, then of the second with that state added: remainders
            // come out where the second words are.
            let quotients = _mm512_clmulepi64_epi128::<0x00>(lanes, keys);
            let remainders = _mm512_clmulepi64_epi128::<0x10>(quotients, keys);
            let seconds = _mm512_xor_si512(lanes, remainders);
            let quotients = _mm512_clmulepi64_epi128::<0x01>(seconds, keys);
            let remainders = _mm512_clmulepi64_epi128::<0x10>(quotients, keys);
            _mm_storeu_si128(states.cast(), third_words(remainders));
        }
    }
}

/// The third of the four 32-bit words of every lane.
///
/// # Safety
///
/// The CPU has the features of this kernel.
#[inline(always)]
unsafe fn third_words(lanes: __m512i) -> __m128i {
    // SAFETY: features as promised.
    #[cfg(not(miri))]
    unsafe {
        _mm512_castsi512_si128(_mm512_maskz_compress_epi32(0x4444, lanes))
    }
    // SAFETY: features as promised; any bits are words. Miri has no such instruction.
    #[cfg(miri)]
    unsafe {
        let words: [i32; 16] = core::mem::transmute(lanes);
        _mm_set_epi32(words[14], words[10], words[6], words[2])
    }
}

/// Four sums of lanes, each a block's, as four lanes that are each the sum of a block.
#[inline(always)]
unsafe fn gather<S: FourStates>([a, b, c, d]: [__m512i; 4]) -> __m512i {
    // SAFETY: the caller runs with AVX-512 and VPCLMULQDQ; the keys are aligned.
    unsafe {
        let keys = const { &S::KEYS };
        let key = |lane: usize| Lanes(_mm512_load_si512(keys.lanes[lane].as_ptr().cast()));
        let ab_0 = _mm512_shuffle_i64x2::<0b01_00_01_00>(a, b);
        let ab_2 = _mm512_shuffle_i64x2::<0b11_10_11_10>(a, b);
        let cd_0 = _mm512_shuffle_i64x2::<0b01_00_01_00>(c, d);
        let cd_2 = _mm512_shuffle_i64x2::<0b11_10_11_10>(c, d);
        let lane_0 = Lanes(_mm512_shuffle_i64x2::<0b10_00_10_00>(ab_0, cd_0));
        let lane_1 = Lanes(_mm512_shuffle_i64x2::<0b11_01_11_01>(ab_0, cd_0));
        let lane_2 = Lanes(_mm512_shuffle_i64x2::<0b10_00_10_00>(ab_2, cd_2));
        let lane_3 = Lanes(_mm512_shuffle_i64x2::<0b11_01_11_01>(ab_2, cd_2));
        lane_0.fold(key(0), lane_1.fold(key(1), lane_2.fold(key(2), lane_3))).0
    }
}

/// A group of blocks on its way: one of them is folded, and beside it the chains go on.
struct Group<const CHAINS: usize> {
    /// The keys for 1, 2 .. 7 lines.
    keys: [__m512i; 7],
    /// Where the next bytes to be folded are.
    at: *const u8,
    /// Where each chain is, and its state.
    chains_at: [*const u8; CHAINS],
    chains: [u64; CHAINS],
    /// Which memory to ask for next.
    ahead: *const u8,
}

impl<const CHAINS: usize> Group<CHAINS> {
    /// Folds the next block, begun with `initial`; the chains go on by a word every `LINES` lines.
    ///
    /// The order matters: left to the compiler, which puts all of one kind first, the two ways do
    /// not overlap as well.
    ///
    /// # Safety
    ///
    /// The CPU has the features of this kernel; a block may be read where the group is, and
    /// 64 / `LINES` bytes where each chain is.
    #[inline(always)]
    unsafe fn fold<S: Step, const LINES: usize, const PREFETCH: bool>(
        &mut self,
        initial: __m512i,
    ) -> __m512i {
        // SAFETY: features and bytes as promised; what is prefetched need not be there.
        unsafe {
            let first = _mm512_xor_si512(initial, Lanes::load(self.at).0);
            let mut sum = _mm512_clmulepi64_epi128::<0x00>(first, self.keys[6]);
            let half = _mm512_clmulepi64_epi128::<0x11>(first, self.keys[6]);
            for line in 0..8 {
                let next = Lanes::load(self.at.add(64 * line));
                sum = match line {
                    0 => sum,
                    // Nothing is behind the last line: it is added as it is.
                    7 => xor3_512(sum, half, next.0),
                    _ => next.fold(Lanes(self.keys[6 - line]), Lanes(sum)).0,
                };
                keep_vector_order(&mut sum);
                if PREFETCH {
                    // As many lines as are read here: these, and those of the chains.
                    _mm_prefetch::<_MM_HINT_T0>(self.ahead.wrapping_add(64 * line).cast());
                    if line < CHAINS.div_ceil(LINES) {
                        let line = 8 + line;
                        _mm_prefetch::<_MM_HINT_T0>(self.ahead.wrapping_add(64 * line).cast());
                    }
                }
                if (line + 1).is_multiple_of(LINES) {
                    for (at, state) in self.chains_at.iter().zip(&mut self.chains) {
                        *state = S::word(*state, step::read_word(at.add(line / LINES * 8)));
                    }
                }
                self.chains.iter_mut().for_each(keep_order);
            }
            self.at = self.at.add(BLOCK);
            self.ahead = self.ahead.wrapping_add(BLOCK + 64 * CHAINS.div_ceil(LINES));
            self.chains_at = self.chains_at.map(|at| at.add(64 / LINES));
            sum
        }
    }
}

/// As [`keep_order`], for a vector. (It has a target feature of its own because the compiler asks
/// for that where such a register is named; it is inlined all the same.)
#[inline]
#[target_feature(enable = "avx512f")]
fn keep_vector_order(vector: &mut __m512i) {
    #[cfg(not(miri))]
    // SAFETY: no instruction; the register goes in and comes out as it is.
    unsafe {
        core::arch::asm!("/* {0} */", inout(zmm_reg) * vector, options(nostack, preserves_flags));
    }
    #[cfg(miri)]
    let _ = vector;
}

/// How many blocks of a group with as many chains are folded: `LINES` lines for every word of a
/// chain, so that both end together; without chains as many as are brought to an end together.
const fn folded(chains: usize, lines: usize) -> usize {
    if chains == 0 { 4 } else { 8 * lines }
}

/// Writes the states of a group of [`folded`] blocks and `CHAINS` more.
///
/// # Safety
///
/// As for [`Blocks`].
#[inline(always)]
unsafe fn group<S: FourStates, const CHAINS: usize, const LINES: usize, const PREFETCH: bool>(
    initial: u32,
    data: *const u8,
    states: *mut u32,
) {
    let folded = const { folded(CHAINS, LINES) };
    // SAFETY: the caller vouches for all blocks and states of the group. Its folded blocks come
    // first; as many bytes as each of them has, so many lines' worth of words has each chain.
    // The keys are aligned; features as promised.
    unsafe {
        let keys = const { &S::KEYS };
        let initial_bits = first_bits(initial);
        let mut group = Group {
            keys: core::array::from_fn(|key| _mm512_load_si512(keys.lines[key].as_ptr().cast())),
            at: data,
            chains_at: core::array::from_fn(|chain| data.add((folded + chain) * BLOCK)),
            chains: [u64::from(initial); CHAINS],
            ahead: data.wrapping_add(PREFETCH_DISTANCE),
        };
        for done in (0..folded).step_by(4) {
            let mut next = || group.fold::<S, LINES, PREFETCH>(initial_bits);
            let sums = [next(), next(), next(), next()];
            S::four_states(sums, states.add(done));
        }
        for (chain, &state) in group.chains.iter().enumerate() {
            states.add(folded + chain).write_volatile(state as u32);
        }
    }
}

/// Blocks in groups with `CHAINS` chains; with one less where that makes the count come out even;
/// then in groups without; then one by one.
///
/// # Safety
///
/// As for [`Blocks`].
#[inline(always)]
unsafe fn blocks<
    S: FourStates,
    const CHAINS: usize,
    const FEWER: usize,
    const LINES: usize,
    const PREFETCH: bool,
>(
    initial: u32,
    data: *const u8,
    count: usize,
    states: *mut u32,
) {
    let full = const { folded(CHAINS, LINES) + CHAINS };
    let short = const { folded(FEWER, LINES) + FEWER };
    let (fulls, shorts) = generic::cut_into_groups(count, full, short);
    let mut done = 0;
    // SAFETY: all groups together have at most `count` blocks; so many may be read, and so many
    // states written. Features as promised.
    unsafe {
        for _ in 0..fulls {
            let data = data.add(done * BLOCK);
            group::<S, CHAINS, LINES, PREFETCH>(initial, data, states.add(done));
            done += full;
        }
        for _ in 0..shorts {
            let data = data.add(done * BLOCK);
            group::<S, FEWER, LINES, PREFETCH>(initial, data, states.add(done));
            done += short;
        }
        while count - done >= 4 {
            group::<S, 0, 1, PREFETCH>(initial, data.add(done * BLOCK), states.add(done));
            done += 4;
        }
        while done < count {
            let state = generic::extend::<Lanes, S>(initial, data.add(done * BLOCK), BLOCK);
            states.add(done).write(state);
            done += 1;
        }
    }
}

/// The entry functions of a polynomial that do not differ from CPU to CPU.
macro_rules! polynomial_entries {
    ($module:ident, $step:ty) => {
        mod $module {
            use super::*;
            entries!(
                $step,
                "ssse3,sse4.1,sse4.2,pclmulqdq,avx,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl"
            );
        }
    };
}

entries_for_any!(
    Lanes,
    "ssse3,sse4.1,sse4.2,pclmulqdq,avx,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl"
);
polynomial_entries!(crc32, Crc32);
polynomial_entries!(crc32c, Crc32c);

/// Castagnoli's CRC where a multiplication is done every other cycle.
#[target_feature(
    enable = "ssse3,sse4.1,sse4.2,pclmulqdq,avx,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl"
)]
unsafe extern "C" fn extend_crc32c_both_ways(state: u32, data: *const u8, len: usize) -> u32 {
    // SAFETY: the caller's own promise.
    unsafe {
        if len < both_ways::FROM {
            generic::extend::<Lanes, Crc32c>(state, data, len)
        } else {
            long_crc32c(state, data, len)
        }
    }
}

#[inline(never)] // its registers are nothing that short buffers should save
#[target_feature(
    enable = "ssse3,sse4.1,sse4.2,pclmulqdq,avx,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl"
)]
unsafe extern "C" fn long_crc32c(state: u32, data: *const u8, len: usize) -> u32 {
    // SAFETY: the caller's own promise.
    unsafe { both_ways::extend(state, data, len) }
}

/// Defines [`Blocks`] with `$chains` chains beside the folded blocks, or
/// `$fewer`, that go on by a word every `$lines` lines.
macro_rules! blocks_entry {
    ($name:ident: $step:ty, $chains:literal or $fewer:literal chains, $lines:literal lines a word) => {
        /// As [`Blocks`].
        #[target_feature(
            enable = "ssse3,sse4.1,sse4.2,pclmulqdq,avx,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl"
        )]
        unsafe fn $name(
            initial: u32,
            data: *const u8,
            count: usize,
            prefetch: bool,
            states: *mut u32,
        ) {
            // SAFETY: the caller's own promise.
            unsafe {
                if prefetch {
                    blocks::<$step, $chains, $fewer, $lines, true>(initial, data, count, states);
                } else {
                    blocks::<$step, $chains, $fewer, $lines, false>(initial, data, count, states);
                }
            }
        }
    };
}

blocks_entry!(folded_crc32: Crc32, 0 or 0 chains, 1 lines a word);
blocks_entry!(eight_and_3: Crc32c, 3 or 2 chains, 1 lines a word);
blocks_entry!(eight_and_5: Crc32c, 5 or 4 chains, 1 lines a word);
blocks_entry!(sixteen_and_3: Crc32c, 3 or 2 chains, 2 lines a word);

const fn table_of(name: &'static str, extend: Extend, blocks: Blocks) -> CrcTable {
    CrcTable {
        name,
        lowest_first,
        highest_first,
        // There is no instruction for CRC-32.
        crc32: Functions {
            extend: extend_crc32,
            finish: crc32::finish,
            by_blocks: Some(ByBlocks { blocks: folded_crc32, merge: crc32::merge }),
            merged_from: usize::MAX,
        },
        crc32c: Functions {
            extend,
            finish: crc32c::finish,
            by_blocks: Some(ByBlocks { blocks, merge: crc32c::merge }),
            merged_from: MERGED_FROM,
        },
    }
}

/// For a multiplication every other cycle and an instruction every cycle: AMD's Zen 4, where it
/// was measured, and CPUs of which nothing better is known.
static EIGHT_AND_3: CrcTable =
    table_of("vpclmulqdq 512, 8 blocks beside 3 by crc32", extend_crc32c_both_ways, eight_and_3);

/// For a multiplication every other cycle and almost two instructions every cycle: AMD's Zen 5.
static EIGHT_AND_5: CrcTable =
    table_of("vpclmulqdq 512, 8 blocks beside 5 by crc32", extend_crc32c_both_ways, eight_and_5);

/// For a multiplication and an instruction every cycle: Intel's Ice Lake and later.
static SIXTEEN_AND_3: CrcTable =
    table_of("vpclmulqdq 512, 16 blocks beside 3 by crc32", extend_crc32c, sixteen_and_3);

/// The table for this CPU.
pub(super) fn table() -> &'static CrcTable {
    match cpu::maker_and_family() {
        (cpu::Maker::Intel, _) => &SIXTEEN_AND_3,
        (cpu::Maker::Amd, 0x1A..) => &EIGHT_AND_5,
        _ => &EIGHT_AND_3,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn every_mix_gives_the_states_of_single_blocks() {
        if super::super::table("avx512").is_none_or(|chosen| !core::ptr::eq(chosen, table())) {
            std::eprintln!("skipped: no VPCLMULQDQ on 512 bits here");
            return;
        }
        let data: alloc::vec::Vec<u8> =
            (0..46 * BLOCK as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for table in [&EIGHT_AND_3, &EIGHT_AND_5, &SIXTEEN_AND_3] {
            for functions in [&table.crc32, &table.crc32c] {
                let by_blocks = functions.by_blocks.unwrap();
                for (count, prefetch) in (0..=46).flat_map(|count| [(count, false), (count, true)])
                {
                    let mut states = [0; 47];
                    // SAFETY: the CPU has the features, which the kernel chosen says; there are
                    // 46 blocks, and a state for each and one more.
                    unsafe {
                        let states = states.as_mut_ptr();
                        (by_blocks.blocks)(7, data.as_ptr(), count, prefetch, states);
                    }
                    for (block, &state) in data.chunks(BLOCK).zip(&states[..count]) {
                        // SAFETY: features as above; the bytes are those of the block.
                        let single = unsafe { (functions.extend)(7, block.as_ptr(), BLOCK) };
                        assert_eq!(state, single, "{}: {count}", table.name);
                    }
                    assert_eq!(states[count], 0, "{} wrote too many states", table.name);
                }
            }
        }
    }
}
