//! Checking computed parity by a second, different computation.

use alloc::vec;
use core::ops::Range;

use super::shards::{part, part_mut};
use super::syndromes::is_zero;
use super::{ErasureCode, encode, sub_shards};
use crate::gf8::{Matrix, mul_without_tables};
use crate::kernel::{KernelMatrix, Program};
use crate::{Error, Result};

/// The most bytes of a shard that are encoded, then checked.
const TILE: usize = 4096;

/// Bytes of all shards together that are: they are still in the first-level cache at the check.
const TILE_OF_ALL: usize = 24 << 10;

/// Bytes of a shard below which a tile takes longer to begin than to compute.
const SMALLEST_TILE: usize = 1024;

pub(super) fn encode_verified<D: AsRef<[u8]>, P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    data: &[D],
    parity: &mut [P],
    seed: u64,
) -> Result<()> {
    if code.sub_shards() != 1 {
        return sub_shards::encode_verified(code, data, parity, seed);
    }
    encode_then_check(code, data, parity, seed, |_, _| {})
}

/// [`encode_verified`], with a function that sees each range of the parity between its encoding
/// and its check.
fn encode_then_check<D: AsRef<[u8]>, P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    data: &[D],
    parity: &mut [P],
    seed: u64,
    mut after_encode: impl FnMut(&mut [P], Range<usize>),
) -> Result<()> {
    encode::check(code, data, parity)?;
    let plan = code.encode_plan();
    let check = check_program(code, seed)?;
    let len = parity.first_mut().map_or(0, |shard| shard.as_mut().len());
    let mut differences = [0; TILE];
    let tile = TILE_OF_ALL / (code.total_units() + 1) / 256 * 256;
    let tile = tile.clamp(SMALLEST_TILE, TILE);
    let mut start = 0;
    while start < len {
        let end = len.min(start + tile);
        plan.run_dense(
            data.iter().map(|shard| part(shard.as_ref(), start, end)),
            parity.iter_mut().map(|shard| part_mut(shard.as_mut(), start, end)),
            false,
        );
        after_encode(parity, start..end);
        let data = data.iter().map(|shard| part(shard.as_ref(), start, end));
        let parity = parity.iter_mut().map(|shard| &*part_mut(shard.as_mut(), start, end));
        let differences = &mut differences[..end - start];
        check.run(
            parity.rev().chain(data.rev()),
            core::iter::once(&mut *differences),
            core::iter::empty(),
            false,
        );
        if !is_zero(differences) {
            let first = differences.iter().position(|&difference| difference != 0).unwrap_or(0);
            return Err(Error::ComputeCheck {
                offset: start + first,
                kernel: code.kernel().name(),
            });
        }
        start = end;
    }
    Ok(())
}

/// One row over all units that is zero where the parity is right: the parity rows times random
/// coefficients, none of them zero.
///
/// The units go from the last to the first: where shards lie at such a distance that all fall into
/// the same sets of a cache, and are more than those have ways, what was touched last is still there,
/// and reading the first one first would drive out the others one by one.
fn check_program(code: &impl ErasureCode, seed: u64) -> Result<Program> {
    let (k, m) = (code.data_units(), code.parity_units());
    let mut random = seed;
    let mut row = vec![0; k + m];
    for parity in 0..m {
        let weight = next_nonzero(&mut random);
        row[k + parity] = weight;
        for (element, &coefficient) in row.iter_mut().zip(code.parity_rows().row(parity)) {
            *element ^= mul_without_tables(weight, coefficient);
        }
    }
    let row = Matrix::from_fn(1, k + m, |_, column| row[k + m - 1 - column]);
    Program::dense(KernelMatrix::new(code.kernel(), &row)).ok_or(Error::UnitCounts {
        kind: code.matrix_kind().name(),
        data_units: k,
        parity_units: m,
        max_units: super::MAX_UNITS,
    })
}

/// The next byte from 1 to 255 of a splitmix64 sequence (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, 2014).
pub(super) fn next_nonzero(state: &mut u64) -> u8 {
    loop {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let byte = (mixed >> 56) as u8;
        if byte != 0 {
            return byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReedSolomon;
    use alloc::vec::Vec;

    const LEN: usize = 2 * TILE + 77;

    fn data(k: usize) -> Vec<Vec<u8>> {
        (0..k).map(|unit| (0..LEN).map(|i| (i * (unit + 3) + i / 251) as u8).collect()).collect()
    }

    #[test]
    fn one_wrong_parity_byte_is_always_caught() {
        let code = ReedSolomon::new(6, 3).unwrap();
        let data = data(6);
        for seed in 0..50 {
            for (unit, offset) in [(0, 0), (1, TILE - 1), (2, TILE), (0, LEN - 1)] {
                let mut parity = vec![vec![0; LEN]; 3];
                let spoil = |parity: &mut [Vec<u8>], range: Range<usize>| {
                    if range.contains(&offset) {
                        parity[unit][offset] ^= 1 << (seed % 8);
                    }
                };
                let caught = encode_then_check(&code, &data, &mut parity, seed, spoil);
                let kernel = code.kernel().name();
                assert_eq!(caught, Err(Error::ComputeCheck { offset, kernel }));
            }
        }
    }

    #[test]
    fn several_wrong_bytes_in_a_column_are_missed_about_once_in_255() {
        let code = ReedSolomon::new(6, 3).unwrap();
        let data = data(6);
        let mut missed = 0;
        for seed in 0..2550 {
            let mut parity = vec![vec![0; 64]; 3];
            let data: Vec<&[u8]> = data.iter().map(|shard| &shard[..64]).collect();
            let spoil = |parity: &mut [Vec<u8>], _| {
                parity[0][7] ^= 0x15;
                parity[2][7] ^= 0xE2;
            };
            missed +=
                usize::from(encode_then_check(&code, &data, &mut parity, seed, spoil).is_ok());
        }
        assert!((1..=30).contains(&missed), "{missed} of 2550 missed, 10 expected");
    }

    #[test]
    fn the_check_passes_what_encode_computes() {
        for (k, m) in [(1, 1), (3, 2), (10, 4), (40, 9)] {
            let code = ReedSolomon::new(k, m).unwrap();
            let data = data(k);
            let mut parity = vec![vec![0; LEN]; m];
            let mut verified = parity.clone();
            code.encode(&data, &mut parity).unwrap();
            code.encode_verified(&data, &mut verified, 9).unwrap();
            assert_eq!(parity, verified);
        }
    }
}
