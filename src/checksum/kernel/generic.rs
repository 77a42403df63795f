//! Folding, over a small trait: a vector of lanes that are multiplied without carries.

use super::super::polynomial::LaneKeys;
use super::step::{Step, read_word, words};
use super::{BLOCK, PREFETCH_DISTANCE};

/// A register of one or several lanes of 128 bits, the lane of the lowest address first.
///
/// Implementations are a newtype over the register and mark every function `#[inline(always)]`;
/// none carries a target feature of its own. They are inlined into entry functions, and those
/// alone have `#[target_feature]`.
///
/// # Safety
///
/// Every function may only run inside a function whose target features include those of the
/// instruction set. Pointers must be valid for as many bytes as the function says; no alignment
/// is asked for.
pub(super) trait FoldVector: Copy {
    /// Bytes of one register.
    const BYTES: usize;

    /// One lane as a vector.
    type Lane: FoldVector;

    /// Reads `BYTES` bytes.
    unsafe fn load(source: *const u8) -> Self;

    /// Adds two words to the first lane.
    unsafe fn add(self, words: [u64; 2]) -> Self;

    /// Every lane with its bytes in the opposite order.
    #[cfg(target_arch = "x86_64")]
    unsafe fn reversed(self) -> Self;

    /// The two factors of a fold, in every lane.
    unsafe fn keys(key: [u64; 2]) -> Self;

    /// Every lane folded by the keys, and added to `next`.
    unsafe fn fold(self, keys: Self, next: Self) -> Self;

    /// All lanes folded onto the last one, by the keys for 3, 2 and 1 lanes.
    unsafe fn into_lane(self, keys: &LaneKeys) -> Self::Lane;

    /// Asks for the memory there, if anything does; no byte need be there.
    #[inline(always)]
    unsafe fn prefetch(_source: *const u8) {}

    /// The two words of the first lane.
    unsafe fn words(self) -> [u64; 2];
}

/// As [`Extend`](super::Extend); the features are those of `V` and `S`.
#[inline(always)]
pub(super) unsafe fn extend<V: FoldVector, S: Step>(
    state: u32,
    data: *const u8,
    len: usize,
) -> u32 {
    // SAFETY: the caller vouches for `len` bytes, of which each step takes the next; the features
    // are its promise.
    unsafe {
        let mut state = u64::from(state);
        let mut at = data;
        let mut left = len;
        if left >= 4 * V::BYTES {
            state = fold::<V, S>(state, at, left);
            (at, left) = (at.add(left - left % 16), left % 16);
        } else if left >= 4 * <V::Lane as FoldVector>::BYTES {
            state = fold::<V::Lane, S>(state, at, left);
            (at, left) = (at.add(left - left % 16), left % 16);
        }
        words::<S>(state, at, left) as u32
    }
}

/// The state after the whole lanes among `len` bytes, which are at least four vectors.
#[inline(always)]
unsafe fn fold<V: FoldVector, S: Step>(state: u64, data: *const u8, len: usize) -> u64 {
    let mut at = data;
    let mut left = len;
    // SAFETY: at least as many bytes are left as are read each time; features as promised.
    unsafe {
        let load = |index: usize| V::load(at.add(index * V::BYTES));
        let mut sums = [load(0).add([state, 0]), load(1), load(2), load(3)];
        (at, left) = (at.add(4 * V::BYTES), left - 4 * V::BYTES);
        let keys = V::keys(const { S::POLYNOMIAL.fold_key(32 * V::BYTES as i64) });
        while left >= 4 * V::BYTES {
            for (index, sum) in sums.iter_mut().enumerate() {
                *sum = sum.fold(keys, V::load(at.add(index * V::BYTES)));
            }
            (at, left) = (at.add(4 * V::BYTES), left - 4 * V::BYTES);
        }
        let keys = V::keys(const { S::POLYNOMIAL.fold_key(8 * V::BYTES as i64) });
        let mut sum = merge_sums::<V, S>(sums);
        while left >= V::BYTES {
            sum = sum.fold(keys, V::load(at));
            (at, left) = (at.add(V::BYTES), left - V::BYTES);
        }
        let mut lane = sum.into_lane(const { &S::POLYNOMIAL.lane_keys() });
        let keys = <V::Lane as FoldVector>::keys(const { S::POLYNOMIAL.fold_key(128) });
        while left >= 16 {
            lane = lane.fold(keys, <V::Lane as FoldVector>::load(at));
            (at, left) = (at.add(16), left - 16);
        }
        let [first, second] = lane.words();
        S::word(S::word(0, first), second)
    }
}

/// Four sums, each a vector before the next, as one in the place of the last.
#[inline(always)]
unsafe fn merge_sums<V: FoldVector, S: Step>(sums: [V; 4]) -> V {
    // SAFETY: features as promised.
    unsafe {
        let keys = |key| V::keys(key);
        let one = keys(const { S::POLYNOMIAL.fold_key(8 * V::BYTES as i64) });
        let two = keys(const { S::POLYNOMIAL.fold_key(16 * V::BYTES as i64) });
        let three = keys(const { S::POLYNOMIAL.fold_key(24 * V::BYTES as i64) });
        sums[0].fold(three, sums[1].fold(two, sums[2].fold(one, sums[3])))
    }
}

/// As [`Blocks`](super::Blocks); the features are those of `V` and `S`.
///
/// Blocks go in groups: as many as a vector has words by folding, one after the other, and beside
/// them `CHAINS` by words, all at once; each line of the former is as long as `V`, each of the
/// latter one word, so both end together. `FEWER` is one chain less, for groups that make the
/// count come out even.
#[inline(always)]
pub(super) unsafe fn blocks<
    V: FoldVector,
    S: Step,
    const CHAINS: usize,
    const FEWER: usize,
    const PREFETCH: bool,
>(
    initial: u32,
    data: *const u8,
    count: usize,
    states: *mut u32,
) {
    let full = V::BYTES / 8 + CHAINS;
    let short = V::BYTES / 8 + FEWER;
    let (fulls, shorts) = cut_into_groups(count, full, short);
    let mut done = 0;
    // SAFETY: all groups together have at most `count` blocks; so many may be read and so many
    // states written. Features as promised.
    unsafe {
        for _ in 0..fulls {
            let data = data.add(done * BLOCK);
            group::<V, S, CHAINS, PREFETCH>(initial, data, states.add(done));
            done += full;
        }
        for _ in 0..shorts {
            let data = data.add(done * BLOCK);
            group::<V, S, FEWER, PREFETCH>(initial, data, states.add(done));
            done += short;
        }
        while done < count {
            let state = fold::<V, S>(u64::from(initial), data.add(done * BLOCK), BLOCK);
            states.add(done).write(state as u32);
            done += 1;
        }
    }
}

/// How many groups of `full` and how many of `short` blocks make up `count`, or as much of it as
/// they can; `short` is one less than `full`, or else there are none.
#[inline(always)] // with lengths that are constants, no division is left
pub(super) fn cut_into_groups(count: usize, full: usize, short: usize) -> (usize, usize) {
    let missing = (full - count % full) % full;
    if short + 1 == full && missing * short <= count {
        ((count - missing * short) / full, missing)
    } else {
        (count / full, 0)
    }
}

#[inline(always)]
unsafe fn group<V: FoldVector, S: Step, const CHAINS: usize, const PREFETCH: bool>(
    initial: u32,
    data: *const u8,
    states: *mut u32,
) {
    let folded = V::BYTES / 8;
    let mut at = data;
    let mut chains = [u64::from(initial); CHAINS];
    let mut ahead = data.wrapping_add(PREFETCH_DISTANCE);
    // SAFETY: the folded blocks are the first of the group, those of the chains the others; each
    // of the former has as many vectors as each of the latter has words for one folded block.
    unsafe {
        let mut chains_at = data.add(folded * BLOCK);
        let keys = V::keys(const { S::POLYNOMIAL.fold_key(32 * V::BYTES as i64) });
        for index in 0..folded {
            let end = at.add(BLOCK);
            let mut sums = [V::load(at).add([u64::from(initial), 0]); 4];
            let mut is_first = true;
            while at < end {
                for sum in 0..4 {
                    let next = V::load(at);
                    sums[sum] = match (is_first, sum) {
                        (true, 0) => sums[0],
                        (true, _) => next,
                        (false, _) => sums[sum].fold(keys, next),
                    };
                    for (chain, state) in chains.iter_mut().enumerate() {
                        *state = S::word(*state, read_word(chains_at.add(chain * BLOCK)));
                        keep_order(state);
                    }
                    if PREFETCH {
                        const { assert!(V::BYTES + 8 * CHAINS <= 64, "one line a step") };
                        V::prefetch(ahead);
                        ahead = ahead.wrapping_add(V::BYTES + 8 * CHAINS);
                    }
                    // Without chains this goes past the data, and nothing is read there.
                    (at, chains_at) = (at.add(V::BYTES), chains_at.wrapping_add(8));
                }
                is_first = false;
            }
            let lane_keys = const { &S::POLYNOMIAL.lane_keys() };
            let [first, second] = merge_sums::<V, S>(sums).into_lane(lane_keys).words();
            // Volatile, or the compiler gathers states in vectors, and that takes execution
            // units from the multiplications.
            states.add(index).write_volatile(S::word(S::word(0, first), second) as u32);
        }
        for (chain, state) in chains.iter().enumerate() {
            states.add(folded + chain).write_volatile(*state as u32);
        }
    }
}

/// Keeps the compiler from moving a chain's steps, and the reads beside them, past this point:
/// it would put all folding first and all words behind it, and the CPU could not overlap them.
#[inline(always)]
pub(super) fn keep_order(state: &mut u64) {
    #[cfg(not(miri))]
    // SAFETY: no instruction; the register goes in and comes out as it is.
    unsafe {
        core::arch::asm!("/* {0} */", inout(reg) * state, options(nostack, preserves_flags));
    }
    #[cfg(miri)]
    let _ = state;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_make_up_every_count_that_they_can() {
        for full in 2..20 {
            for count in 0..500 {
                let (many, few) = cut_into_groups(count, full, full - 1);
                let left = count - many * full - few * (full - 1);
                let can_be_even =
                    (0..=count / full).any(|many| (count - many * full) % (full - 1) == 0);
                assert!(left == 0 || !can_be_even || few == 0 && left < full, "{count} by {full}");
                if count >= (full - 1) * (full - 1) {
                    assert_eq!(left, 0, "{count} by {full}");
                }
                assert_eq!(cut_into_groups(count, full, full), (count / full, 0));
            }
        }
    }
}
