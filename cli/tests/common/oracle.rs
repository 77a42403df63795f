//! What should be in a folder, worked out again from the definitions and by other code than the
//! command's: striping byte by byte, parity by a table-less multiplication, CRC32C bit by bit.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Files;

pub const CHUNK: usize = 512;

/// Code, k, m and cell of a policy name.
#[derive(Clone, Debug)]
pub struct Policy {
    pub codec: String,
    pub k: usize,
    pub m: usize,
    pub cell: usize,
}

impl FromStr for Policy {
    type Err = std::num::ParseIntError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut parts = name.rsplitn(4, '-');
        let cell = parts.next().unwrap_or("").trim_end_matches('k').parse::<usize>()? * 1024;
        let m = parts.next().unwrap_or("").parse()?;
        let k = parts.next().unwrap_or("").parse()?;
        Ok(Self { codec: parts.next().unwrap_or("").to_owned(), k, m, cell })
    }
}

pub fn block_name(group: u64, unit: usize) -> String {
    format!("group-{group:05}-unit-{unit:03}")
}

/// Product in GF(2^8) mod 0x11D, by shifts and adds.
pub fn mul(a: u8, b: u8) -> u8 {
    let (mut a, mut b, mut product) = (a, b, 0);
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        let carry = a & 0x80 != 0;
        a <<= 1;
        if carry {
            a ^= 0x1D;
        }
        b >>= 1;
    }
    product
}

fn inverse(a: u8) -> u8 {
    (1..=255).find(|&b| mul(a, b) == 1).unwrap()
}

/// CRC32C by its definition.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |remainder, &byte| {
        (0..8).fold(remainder ^ u32::from(byte), |bits, _| {
            (bits >> 1) ^ if bits & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

/// The internal blocks of the groups of a file: bytes dealt one after the other.
pub fn data_units(policy: &Policy, block_size: u64, content: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let group_len = block_size as usize * policy.k;
    let mut groups = Vec::new();
    for group in content.chunks(group_len) {
        let mut units = vec![Vec::new(); policy.k];
        for (number, cell) in group.chunks(policy.cell).enumerate() {
            units[number % policy.k].extend_from_slice(cell);
        }
        groups.push(units);
    }
    groups
}

/// Every file that an encode with Hadoop's RS should leave but the manifest.
pub fn blocks(policy: &Policy, block_size: u64, content: &[u8]) -> Files {
    assert_eq!(policy.codec, "RS");
    let mut files = BTreeMap::new();
    for (group, mut units) in data_units(policy, block_size, content).into_iter().enumerate() {
        for parity in 0..policy.m {
            let mut bytes = vec![0; units[0].len()];
            for (index, unit) in units[..policy.k].iter().enumerate() {
                let coefficient = inverse((policy.k + parity) as u8 ^ index as u8);
                for (byte, &data) in bytes.iter_mut().zip(unit) {
                    *byte ^= mul(coefficient, data);
                }
            }
            units.push(bytes);
        }
        for (unit, bytes) in units.into_iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
            let mut meta = vec![0, 1, 2, 0, 0, 2, 0];
            bytes.chunks(CHUNK).for_each(|chunk| meta.extend(crc32c(chunk).to_be_bytes()));
            let name = block_name(group as u64, unit);
            files.insert(format!("{name}.meta"), meta);
            files.insert(name, bytes);
        }
    }
    files
}

/// What may be expected of a damaged folder, by counting chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Nothing is damaged at all.
    pub whole: bool,
    /// In every stripe of chunks at least k are good: data and sum are what they were.
    pub repairable: bool,
    /// Blocks that must come back: wherever they are damaged, k others are good.
    pub must_come_back: Vec<String>,
    /// Blocks that nothing can bring back: somewhere they are damaged where fewer than k units
    /// have their data, whatever their sums.
    pub beyond_repair: Vec<String>,
    /// The file's content cannot be had: a data unit is among those.
    pub content_lost: bool,
}

/// Counts the good chunks of every stripe. `sums_count`: a chunk is good only with its sum.
pub fn expect(policy: &Policy, pristine: &Files, damaged: &Files) -> Expectation {
    let total = policy.k + policy.m;
    let mut expectation = Expectation {
        whole: damaged == pristine,
        repairable: true,
        must_come_back: Vec::new(),
        beyond_repair: Vec::new(),
        content_lost: false,
    };
    for group in 0.. {
        let parity = block_name(group, policy.k);
        let Some(longest) = pristine.get(&parity).map(Vec::len) else { break };
        let names: Vec<String> = (0..total).map(|unit| block_name(group, unit)).collect();
        let mut must = vec![false; total];
        let mut cannot_surely = vec![false; total];
        let mut beyond = vec![false; total];
        for column in 0..longest.div_ceil(CHUNK) {
            let state: Vec<(bool, bool)> =
                names.iter().map(|name| chunk_state(pristine, damaged, name, column)).collect();
            let good = state.iter().filter(|(data, sum)| *data && *sum).count();
            let data = state.iter().filter(|(data, _)| *data).count();
            if good < policy.k {
                expectation.repairable = false;
            }
            for (unit, (data_good, sum_good)) in state.iter().enumerate() {
                if !data_good || !sum_good {
                    if good >= policy.k {
                        must[unit] = true;
                    } else {
                        cannot_surely[unit] = true;
                    }
                }
                if !data_good && data < policy.k {
                    beyond[unit] = true;
                    expectation.content_lost |= unit < policy.k;
                }
            }
        }
        for unit in 0..total {
            let name = &names[unit];
            let files_damaged = pristine.get(name) != damaged.get(name)
                || pristine.get(&format!("{name}.meta")) != damaged.get(&format!("{name}.meta"));
            if (must[unit] || files_damaged) && !cannot_surely[unit] {
                expectation.must_come_back.push(name.clone());
            }
            if beyond[unit] {
                expectation.beyond_repair.push(name.clone());
            }
        }
    }
    expectation
}

/// Whether a chunk's data and its sum are both what they were.
pub fn chunk_is_good(pristine: &Files, damaged: &Files, name: &str, column: usize) -> bool {
    chunk_state(pristine, damaged, name, column) == (true, true)
}

/// Whether a chunk's data and its sum are what they were. Past a unit's end there is nothing to
/// be damaged.
fn chunk_state(pristine: &Files, damaged: &Files, name: &str, column: usize) -> (bool, bool) {
    let part = |files: &Files, name: &str, start: usize, end: usize| -> Option<Vec<u8>> {
        let bytes = files.get(name)?;
        Some(bytes.get(start..end.min(bytes.len()))?.to_vec())
    };
    let Some(block) = pristine.get(name) else { return (true, true) };
    let (start, end) = (column * CHUNK, ((column + 1) * CHUNK).min(block.len()));
    if start >= end {
        return (true, true);
    }
    let data = Some(block[start..end].to_vec()) == part(damaged, name, start, end);
    let meta = format!("{name}.meta");
    let sum = (7 + column * 4, 11 + column * 4);
    let sum = part(pristine, &meta, sum.0, sum.1) == part(damaged, &meta, sum.0, sum.1);
    (data, sum)
}
