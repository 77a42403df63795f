//! What else computes, beside encoding the same shards on one core.

use restripe::{ErasureCode, MatrixKind, ReedSolomon, WideReedSolomon, present};

use crate::buffers::{Buffers, Layout};
use crate::length;
use crate::turns::{Contestant, Turns, contestant};

/// Encoding on all cores and on one.
pub fn cores(k: usize, m: usize, len: usize) {
    let code = ReedSolomon::new(k, m).expect("an MDS code");
    let mut buffers = Buffers::new(k, m, len, Layout::Uneven);
    let (data, mut parity, mut other) = buffers.split();
    let turns = Turns::take(
        (k + m) * len,
        vec![
            contestant(|| code.encode(&data, &mut parity).expect("shards of one length")),
            contestant(|| code.encode_parallel(&data, &mut other).expect("shards of one length")),
        ],
    );
    let [ratio, low, median, high] = turns.ratios(0, 1);
    println!(
        "cores ({k},{m}) {:>8}: one {:>6.1} GB/s, all {:>6.1} GB/s, {ratio:.2} {median:.2} ({low:.2}-{high:.2})",
        length(len),
        turns.rate(0),
        turns.rate(1),
    );
}

/// Times of other computations, as multiples of encoding's.
pub fn beside_encoding(k: usize, m: usize, len: usize) {
    let code = ReedSolomon::new(k, m).expect("an MDS code");
    let legacy = ReedSolomon::with_matrix(k, m, MatrixKind::RsLegacy).expect("an MDS code");
    let mut buffers = Buffers::new(k, m, len, Layout::Uneven);
    let (data, mut parity, _) = buffers.split();
    code.encode(&data, &mut parity).expect("shards of one length");
    let right: Vec<Vec<u8>> = parity.iter().map(|shard| shard.to_vec()).collect();
    let shards = present(&data, &right);
    let plan = code.encode_plan();
    let (mut verified, mut updated) = (right.clone(), right.clone());
    let (mut added, mut old) = (right.clone(), right.clone());
    let mut one = vec![vec![0; len]];
    let sum = ReedSolomon::with_matrix(k, 1, MatrixKind::Xor).expect("an MDS code");
    let contestants: Vec<(&str, Contestant<'_>)> = vec![
        ("encode", contestant(|| code.encode(&data, &mut parity).expect("it fits"))),
        (
            "encode_verified",
            contestant(|| code.encode_verified(&data, &mut verified, 9).expect("it is right")),
        ),
        ("verify", contestant(|| _ = code.verify(&shards).expect("all are there"))),
        ("locate", contestant(|| _ = code.locate(&shards, 512).expect("all are there"))),
        (
            "update of 1",
            contestant(|| code.update(0, data[0], data[1], &mut updated).expect("it fits")),
        ),
        ("accumulate", contestant(|| plan.apply_accumulate(&data, &mut added).expect("it fits"))),
        ("RS-LEGACY", contestant(|| legacy.encode(&data, &mut old).expect("it fits"))),
        ("XOR of k", contestant(|| sum.encode(&data, &mut one).expect("it fits"))),
    ];
    let (names, contestants): (Vec<_>, Vec<_>) = contestants.into_iter().unzip();
    let turns = Turns::take((k + m) * len, contestants);
    print!("others ({k},{m}) {:>8}: encode {:.1} GB/s; of its time", length(len), turns.rate(0));
    for (index, name) in names.iter().enumerate().skip(1) {
        print!(", {name} {:.2}", turns.nanoseconds(index) / turns.nanoseconds(0));
    }
    println!();
}

/// `WideReedSolomon` and the crate that it is built on.
pub fn wide() {
    for (k, m, len) in [(300, 30, 4096), (300, 30, 65536), (1000, 200, 4096)] {
        let code = WideReedSolomon::new(k, m).expect("a code");
        let data: Vec<Vec<u8>> = (0..k).map(|unit| vec![unit as u8; len]).collect();
        let mut parity = vec![vec![0; len]; m];
        let mut direct = vec![vec![0; len]; m];
        let turns = Turns::take(
            (k + m) * len,
            vec![
                contestant(|| {
                    let parity = reed_solomon_simd::encode(k, m, &data).expect("a code");
                    for (target, source) in direct.iter_mut().zip(parity) {
                        target.copy_from_slice(&source);
                    }
                }),
                contestant(|| code.encode(&data, &mut parity).expect("it fits")),
            ],
        );
        assert!(direct == parity, "both compute the same");
        let [ratio, low, median, high] = turns.ratios(0, 1);
        println!(
            "wide ({k},{m}) {:>8}: reed-solomon-simd {:.2} GB/s, WideReedSolomon {:.2} GB/s, {ratio:.2} {median:.2} ({low:.2}-{high:.2})",
            length(len),
            turns.rate(0),
            turns.rate(1)
        );
    }
}
