//! What is measured: codes, lengths, and how the shards lie in memory.

use worker::{Case, Operation};

/// Data and parity units.
pub const CODES: [(usize, usize); 5] = [(3, 2), (6, 3), (10, 4), (17, 3), (8, 6)];

/// Bytes of a shard.
pub const SHARD_LENS: [usize; 5] = [512, 4 << 10, 64 << 10, 1 << 20, 16 << 20];

/// Levels at which ISA-L's function is called beside restripe's kernel of that name.
pub const FORCED_LEVELS: [&str; 3] = ["avx2_gfni", "avx2", "ssse3"];

/// The level at which every contestant does what it thinks best.
pub const BEST: &str = "best";

/// How far apart the shards of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Shard after shard. All lengths are powers of two, so all distances are: the worst for caches
    /// and for prefetchers that look for a stride.
    Constant,
    /// With gaps between them of which no two are alike, as separate allocations have.
    Uneven,
}

impl Layout {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Uneven => "uneven",
        }
    }

    /// Where shards begin, the first one at `start`.
    fn offsets(self, units: usize, shard_len: usize, start: usize) -> Vec<usize> {
        let gap = |unit: usize| match self {
            Self::Constant => 0,
            // Up to 61 cache lines.
            Self::Uneven => 64 * (1 + (unit * unit * 7 + unit * 13) % 61),
        };
        let next = |at: &mut usize, unit: usize| {
            let offset = *at;
            *at += shard_len + gap(unit);
            Some(offset)
        };
        (0..units).scan(start, next).collect()
    }
}

/// Memory that every case of shards up to that length fits in.
pub fn memory_needed(longest_shard: usize) -> usize {
    let most_units = CODES.iter().map(|(k, m)| k + m).max().unwrap_or(0);
    most_units * (longest_shard + 64 * 62) + 4096
}

/// A case, and the level at which all take part.
#[derive(Clone, Debug)]
pub struct Contest {
    pub case: Case,
    pub layout: Layout,
    /// Bytes from a cache line to where the first shard begins.
    pub misaligned_by: usize,
}

/// All contests of an operation, or of `levels`, a shard length and codes.
pub fn contests(
    operation: &str,
    shard_len: usize,
    codes: &[(usize, usize)],
) -> Result<Vec<Contest>, String> {
    let (operation, levels, misalignments) = match operation {
        "levels" => (Operation::Encode, &FORCED_LEVELS[..], &[0][..]),
        name => (name.parse()?, &[BEST][..], &[0, 1][..]),
    };
    let mut contests = Vec::new();
    for &(data_units, parity_units) in codes {
        for level in levels {
            for layout in [Layout::Constant, Layout::Uneven] {
                for &misaligned_by in misalignments {
                    let units = data_units + parity_units;
                    let case = Case {
                        operation,
                        data_units,
                        parity_units,
                        shard_len,
                        level: (*level).to_owned(),
                        offsets: layout.offsets(units, shard_len, misaligned_by),
                    };
                    contests.push(Contest { case, layout, misaligned_by });
                }
            }
        }
    }
    Ok(contests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_lie_apart_in_the_memory_as_their_layout_says() {
        for shard_len in SHARD_LENS {
            for contest in contests("encode", shard_len, &CODES).unwrap() {
                let offsets = &contest.case.offsets;
                let distances: Vec<usize> =
                    offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
                match contest.layout {
                    Layout::Constant => assert!(distances.iter().all(|&apart| apart == shard_len)),
                    Layout::Uneven => assert!(distances.iter().all(|&apart| apart > shard_len)),
                }
                assert!(offsets.iter().all(|offset| offset % 64 == contest.misaligned_by));
                let end = offsets.last().unwrap() + shard_len;
                assert!(end <= memory_needed(shard_len), "{end}");
            }
        }
    }
}
