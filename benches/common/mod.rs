//! What the benches share.

#![allow(dead_code, reason = "no bench uses all of it")]

use restripe::{KernelId, ReedSolomon};

/// Codes of the field: Hadoop's, one with many parities, one past 32 inputs.
pub const CODES: [(usize, usize); 6] = [(3, 2), (6, 3), (10, 4), (17, 3), (8, 6), (50, 20)];

/// Buffers with something in them.
pub fn shards(count: usize, len: usize) -> Vec<Vec<u8>> {
    (0..count).map(|unit| (0..len).map(|at| (at * 31 + unit * 7) as u8).collect()).collect()
}

/// Hadoop's code on a kernel.
pub fn code(k: usize, m: usize, kernel: KernelId) -> ReedSolomon {
    ReedSolomon::builder(k, m).kernel(kernel).build().expect("an MDS code")
}
