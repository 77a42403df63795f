//! What the suites compare with: codes in plain field arithmetic, one byte at a time, ranks by
//! plain elimination, and numbers at random that are the same in every run.

// Each suite is a crate of its own and uses its own part of this module.
#![allow(dead_code)]

pub mod serialised;

use restripe::ErasureCode;
use restripe::gf8::{self, Matrix};

/// One of three numbers, by `RESTRIPE_TEST_SCALE`: `small` (emulators, Miri), unset, `full`.
pub fn scaled<T>(small: T, normal: T, full: T) -> T {
    match std::env::var("RESTRIPE_TEST_SCALE").as_deref() {
        Ok("small") => small,
        Ok("full") => full,
        _ => normal,
    }
}

/// Numbers that look random: splitmix64.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of 0 to `count` - 1.
    pub fn below(&mut self, count: usize) -> usize {
        (self.number() % count as u64) as usize
    }

    pub fn byte(&mut self) -> u8 {
        self.number() as u8
    }

    /// 1 to 255.
    pub fn nonzero(&mut self) -> u8 {
        (self.number() % 255 + 1) as u8
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// All items in another order.
    pub fn shuffled<T>(&mut self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut items: Vec<T> = items.into_iter().collect();
        self.shuffle(&mut items);
        items
    }

    /// `count` of the items, in any order.
    pub fn choose<T>(&mut self, items: impl IntoIterator<Item = T>, count: usize) -> Vec<T> {
        let mut items = self.shuffled(items);
        items.truncate(count);
        items
    }
}

/// All sets of up to `most` of the numbers below `count`, the smaller sets first.
pub fn sets(count: usize, most: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut first = 0;
    for _ in 0..most.min(count) {
        let end = all.len();
        for index in first..end {
            for next in all[index].last().map_or(0, |last| last + 1)..count {
                let mut set = all[index].clone();
                set.push(next);
                all.push(set);
            }
        }
        first = end;
    }
    all
}

/// The numbers below `count` that are not in `set`.
pub fn complement(count: usize, set: &[usize]) -> Vec<usize> {
    (0..count).filter(|number| !set.contains(number)).collect()
}

/// Sums of products: a row of `coefficients` for every output, a column for every input. Inputs
/// that are shorter than `len` count as continued with zeros.
pub fn combined<I: AsRef<[u8]>>(coefficients: &Matrix, inputs: &[I], len: usize) -> Vec<Vec<u8>> {
    assert_eq!(coefficients.columns(), inputs.len());
    let combine = |row: &[u8]| {
        let mut sum = vec![0; len];
        for (input, &coefficient) in inputs.iter().zip(row) {
            for (sum, &byte) in sum.iter_mut().zip(input.as_ref()) {
                *sum ^= gf8::mul(coefficient, byte);
            }
        }
        sum
    };
    coefficients.iter_rows().map(combine).collect()
}

/// The parity shards of some data shards.
pub fn parity_of<I: AsRef<[u8]>>(code: &impl ErasureCode, data: &[I]) -> Vec<Vec<u8>> {
    let len = data.iter().map(|shard| shard.as_ref().len()).max().unwrap_or(0);
    combined(code.parity_rows(), data, len)
}

/// Data shards of these lengths with random bytes, and their parity shards behind them.
pub fn group(code: &impl ErasureCode, lens: &[usize], random: &mut Random) -> Vec<Vec<u8>> {
    let mut shards: Vec<Vec<u8>> = lens.iter().map(|&len| random.bytes(len)).collect();
    shards.extend(parity_of(code, &shards));
    shards
}

/// The shards without those of the units `lost`.
pub fn without(shards: &[Vec<u8>], lost: &[usize]) -> Vec<Option<Vec<u8>>> {
    let keep = |(unit, shard): (usize, &Vec<u8>)| (!lost.contains(&unit)).then(|| shard.clone());
    shards.iter().enumerate().map(keep).collect()
}

/// The generator matrix's row of a unit: what it is of the data units.
pub fn generator_row(parity_rows: &Matrix, unit: usize) -> Vec<u8> {
    let k = parity_rows.columns();
    match unit.checked_sub(k) {
        Some(parity) => parity_rows.row(parity).to_vec(),
        None => (0..k).map(|data| u8::from(data == unit)).collect(),
    }
}

/// How many of the vectors are independent.
pub fn rank(mut vectors: Vec<Vec<u8>>) -> usize {
    let mut rank = 0;
    while let Some(pivot) = vectors.pop() {
        let Some(lead) = pivot.iter().position(|&element| element != 0) else { continue };
        rank += 1;
        let scale = gf8::inverse(pivot[lead]).unwrap();
        for vector in &mut vectors {
            let factor = gf8::mul_without_tables(vector[lead], scale);
            for (element, &of_pivot) in vector.iter_mut().zip(&pivot) {
                *element ^= gf8::mul_without_tables(of_pivot, factor);
            }
        }
    }
    rank
}

/// Whether the units `available` determine `unit`: its row adds nothing to the rank of theirs.
pub fn determine(parity_rows: &Matrix, available: &[usize], unit: usize) -> bool {
    let row = |&unit: &usize| generator_row(parity_rows, unit);
    let rows: Vec<Vec<u8>> = available.iter().map(row).collect();
    let mut with_unit = rows.clone();
    with_unit.push(row(&unit));
    rank(with_unit) == rank(rows)
}

/// CRC32C (Castagnoli), bit by bit.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut sum, &byte| {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 };
        }
        sum
    })
}
