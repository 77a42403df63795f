//! A CRC of one buffer by folding alone, for any polynomial and either order of bits.
//!
//! Where the highest bit of a byte comes first, the bytes of every lane are reversed as they are
//! read: then bit i of a lane stands for x^i. Otherwise it stands for x^(127 - i).

use core::arch::x86_64::*;

use super::super::generic::FoldVector;
use super::pclmul::Lane;
use super::reversed_bytes;
use crate::checksum::crc::Keys;

/// Bytes of a lane.
const LANE: usize = 16;

/// As [`ExtendAny`](super::super::ExtendAny), for polynomials with these keys; the features are
/// those of `V`. `REVERSE` where the highest bit of a byte comes first.
#[inline(always)]
pub(super) unsafe fn extend<V: FoldVector<Lane = Lane>, const REVERSE: bool>(
    keys: &Keys,
    register: u64,
    data: *const u8,
    len: usize,
) -> u64 {
    // SAFETY: the caller vouches for `len` bytes and the features; each function is given as many
    // as it asks for.
    unsafe {
        if len < LANE {
            return fewer_than_a_lane::<REVERSE>(keys, register, data, len);
        }
        let lane = if len >= 4 * V::BYTES {
            fold_four::<V, REVERSE>(keys, register, data, len)
        } else if len >= 4 * LANE {
            fold_four::<Lane, REVERSE>(keys, register, data, len)
        } else {
            let first = begin(load::<Lane, REVERSE>(data), register, REVERSE);
            fold_lanes::<REVERSE>(keys, first, data.add(LANE), len / LANE - 1)
        };
        let lane = match len % LANE {
            0 => lane,
            rest => fold_rest::<REVERSE>(keys, lane, data.add(len), rest),
        };
        reduce::<REVERSE>(keys, lane)
    }
}

/// Reads a vector.
#[inline(always)]
unsafe fn load<V: FoldVector, const REVERSE: bool>(at: *const u8) -> V {
    // SAFETY: the caller vouches for the bytes and the features.
    unsafe {
        let vector = V::load(at);
        if REVERSE { vector.reversed() } else { vector }
    }
}

/// Adds the register to the first 64 bits.
#[inline(always)]
unsafe fn begin<V: FoldVector>(first: V, register: u64, reverse: bool) -> V {
    // SAFETY: the caller vouches for the features.
    unsafe { first.add(if reverse { [0, register] } else { [register, 0] }) }
}

/// The sum of the whole lanes among `len` bytes, which are at least four vectors.
#[inline(always)]
unsafe fn fold_four<V: FoldVector<Lane = Lane>, const REVERSE: bool>(
    keys: &Keys,
    register: u64,
    data: *const u8,
    len: usize,
) -> Lane {
    let mut at = data;
    let mut left = len;
    // SAFETY: at least as many bytes are left as are read each time; features as promised.
    unsafe {
        let key = |vectors: usize| V::keys(keys.lanes[vectors * const { V::BYTES / LANE } - 1]);
        let next = |at: *const u8, index: usize| load::<V, REVERSE>(at.add(index * V::BYTES));
        let first = begin(next(at, 0), register, REVERSE);
        let mut sums = [first, next(at, 1), next(at, 2), next(at, 3)];
        (at, left) = (at.add(4 * V::BYTES), left - 4 * V::BYTES);
        let by_four = key(4);
        while left >= 4 * V::BYTES {
            for (index, sum) in sums.iter_mut().enumerate() {
                *sum = sum.fold(by_four, next(at, index));
            }
            (at, left) = (at.add(4 * V::BYTES), left - 4 * V::BYTES);
        }
        let by_one = key(1);
        let mut sum = sums[2].fold(by_one, sums[3]);
        sum = sums[1].fold(key(2), sum);
        sum = sums[0].fold(key(3), sum);
        while left >= V::BYTES {
            sum = sum.fold(by_one, next(at, 0));
            (at, left) = (at.add(V::BYTES), left - V::BYTES);
        }
        fold_lanes::<REVERSE>(keys, sum.into_lane(&keys.last), at, left / LANE)
    }
}

/// `count` lanes more.
#[inline(always)]
unsafe fn fold_lanes<const REVERSE: bool>(
    keys: &Keys,
    lane: Lane,
    data: *const u8,
    count: usize,
) -> Lane {
    let mut lane = lane;
    // SAFETY: the caller vouches for `count` lanes and the features.
    unsafe {
        let by_one = Lane::keys(keys.lanes[0]);
        for index in 0..count {
            lane = lane.fold(by_one, load::<Lane, REVERSE>(data.add(index * LANE)));
        }
    }
    lane
}

/// The last `rest` bytes before `end`, 1 to 15, which have at least a lane before them: the lane
/// and they become a lane that ends with them, and what comes before it.
#[inline(always)]
unsafe fn fold_rest<const REVERSE: bool>(
    keys: &Keys,
    lane: Lane,
    end: *const u8,
    rest: usize,
) -> Lane {
    /// Indexes for `pshufb`, which makes zeros of those above 127: from `rest` on they move bytes
    /// behind 16 - `rest` zeros; from 16 + `rest` on, before `rest` zeros.
    static MOVES: [u8; 48] = {
        let mut moves = [0x80; 48];
        let mut index = 0;
        while index < LANE {
            moves[LANE + index] = index as u8;
            index += 1;
        }
        moves
    };
    debug_assert!((1..LANE).contains(&rest));
    // SAFETY: `rest` is less than 16, so the indexes are within MOVES; a lane and more lies before
    // `end`. Features as promised.
    unsafe {
        let in_memory = |lane: __m128i| match REVERSE {
            true => _mm_shuffle_epi8(lane, reversed_bytes()),
            false => lane,
        };
        let bytes = in_memory(lane.0);
        let to_the_end = _mm_loadu_si128(MOVES.as_ptr().add(rest).cast());
        let to_the_start = _mm_loadu_si128(MOVES.as_ptr().add(LANE + rest).cast());
        let before = in_memory(_mm_shuffle_epi8(bytes, to_the_end));
        let last = _mm_blendv_epi8(
            _mm_loadu_si128(end.sub(LANE).cast()),
            _mm_shuffle_epi8(bytes, to_the_start),
            to_the_end,
        );
        Lane(before).fold(Lane::keys(keys.lanes[0]), Lane(in_memory(last)))
    }
}

/// The register after a buffer shorter than a lane: with a register of 0, zeros before it would
/// change nothing, so it is the end of a lane. Not inlined: its copy costs longer buffers, too.
#[cold]
#[inline(never)]
#[target_feature(enable = "ssse3,sse4.1,pclmulqdq")]
unsafe fn fewer_than_a_lane<const REVERSE: bool>(
    keys: &Keys,
    register: u64,
    data: *const u8,
    len: usize,
) -> u64 {
    if len == 0 {
        return register;
    }
    let mut bytes = [0; LANE];
    // SAFETY: the caller vouches for `len` bytes, which are fewer than a lane has.
    unsafe { data.copy_to_nonoverlapping(bytes.as_mut_ptr().add(LANE - len), len) };
    let zeros = 8 * (LANE - len) as u32;
    let register = u128::from(register);
    // What fewer bytes than the register's leave of it is left over.
    let (words, left_over) = if REVERSE {
        let whole = register << 64;
        (u128::from_be_bytes(bytes) ^ (whole >> zeros), whole << (128 - zeros))
    } else {
        (u128::from_le_bytes(bytes) ^ (register << zeros), register >> (128 - zeros))
    };
    let left_over = if REVERSE { left_over >> 64 } else { left_over } as u64;
    // SAFETY: features as promised.
    unsafe {
        let lane = Lane::keys([words as u64, (words >> 64) as u64]);
        reduce::<REVERSE>(keys, lane) ^ left_over
    }
}

/// The register that a lane, the last of a message, leaves: first its first word is folded onto
/// the second and 64 zeros behind it; then Barrett's reduction.
#[inline(always)]
unsafe fn reduce<const REVERSE: bool>(keys: &Keys, lane: Lane) -> u64 {
    let lane = lane.0;
    // SAFETY: features as promised.
    unsafe {
        let fold_and_quotient = Lane::keys(keys.fold_and_quotient).0;
        let polynomial = _mm_cvtsi64_si128(keys.polynomial.cast_signed());
        if REVERSE {
            let folded = _mm_clmulepi64_si128::<0x01>(lane, fold_and_quotient);
            let value = _mm_xor_si128(folded, _mm_slli_si128::<8>(lane));
            let quotient = _mm_clmulepi64_si128::<0x11>(value, fold_and_quotient);
            let quotient = _mm_xor_si128(quotient, value);
            let multiple = _mm_clmulepi64_si128::<0x01>(quotient, polynomial);
            _mm_cvtsi128_si64(_mm_xor_si128(multiple, value)).cast_unsigned()
        } else {
            let folded = _mm_clmulepi64_si128::<0x00>(lane, fold_and_quotient);
            let value = _mm_xor_si128(folded, _mm_srli_si128::<8>(lane));
            let quotient = _mm_clmulepi64_si128::<0x10>(value, fold_and_quotient);
            let multiple = _mm_clmulepi64_si128::<0x00>(quotient, polynomial);
            let remainder = _mm_extract_epi64::<1>(_mm_xor_si128(multiple, value));
            // The product lacks the polynomial's lowest term.
            let of_lowest = _mm_cvtsi128_si64(quotient).cast_unsigned() & keys.lowest;
            remainder.cast_unsigned() ^ of_lowest
        }
    }
}
