//! Every matrix kind gives the bytes of the systems that it is named for.

mod common;

use std::collections::BTreeMap;

use reed_solomon_erasure::galois_8;
use restripe::gf8::{self, Matrix};
use restripe::{MatrixKind, Mds};

/// Parity by the definition, one product at a time.
fn encode(rows: &Matrix, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![vec![0; data[0].len()]; rows.rows()];
    for (shard, row) in parity.iter_mut().zip(rows.iter_rows()) {
        for (source, &coefficient) in data.iter().zip(row) {
            for (sum, &byte) in shard.iter_mut().zip(source) {
                *sum ^= gf8::mul(byte, coefficient);
            }
        }
    }
    parity
}

fn matrix(rows: &[Vec<u8>]) -> Matrix {
    Matrix::from_fn(rows.len(), rows[0].len(), |row, column| rows[row][column])
}

/// The kind that computes what a system calls `matrix` (the table in tests/data/matrices).
fn kind_of(system: &str, matrix: &str) -> MatrixKind {
    let system = system.split([' ', '/']).next().unwrap();
    let matrix = matrix.split(' ').next().unwrap();
    match (system, matrix) {
        ("klauspost", "default") => MatrixKind::Backblaze,
        ("klauspost", "cauchy") => MatrixKind::Cauchy,
        ("klauspost", "jerasure-like") => MatrixKind::JerasureVandermonde,
        ("klauspost", "par1") => MatrixKind::Par1,
        ("liberasurecode", "isa_l_rs_vand") => MatrixKind::IsalVandermonde,
        ("liberasurecode", "isa_l_rs_cauchy") => MatrixKind::Cauchy,
        ("liberasurecode", "isa_l_rs_vand_inv") => MatrixKind::IsalVandermondeInverted,
        ("zfec", "zfec") => MatrixKind::Zfec,
        ("jerasure", "reed_sol_van") => MatrixKind::JerasureVandermonde,
        ("jerasure", "reed_sol_r6_op") => MatrixKind::JerasureR6,
        other => panic!("no kind computes {other:?}"),
    }
}

#[test]
fn parity_is_that_of_the_real_systems() {
    let mut cases = BTreeMap::new();
    for case in common::json_lines("matrices/encode.jsonl") {
        let (system, matrix) = (common::text(&case, "system"), common::text(&case, "matrix"));
        let (k, m) = (common::count(&case, "data"), common::count(&case, "parity"));
        let shard_len = common::count(&case, "shard_len");
        let stream = common::random_bytes(common::number(&case, "seed"), k * shard_len);
        let data: Vec<Vec<u8>> = stream.chunks(shard_len).map(<[u8]>::to_vec).collect();
        let kind = kind_of(system, matrix);
        assert_eq!(
            encode(&kind.parity_rows(k, m).unwrap(), &data),
            common::hex_array(&case, "parity_hex"),
            "{system}, {matrix}, k {k}, m {m}"
        );
        *cases.entry(kind.name()).or_insert(0) += 1;
    }
    assert_eq!(cases.len(), 8, "kinds that were compared: {cases:?}");
}

#[test]
fn parity_is_that_of_hadoops_raw_encoders() {
    let mut cases = BTreeMap::new();
    for case in common::json_lines("hadoop/codecs/codecs.jsonl") {
        let kind = match common::text(&case, "codec") {
            "rs" => MatrixKind::Cauchy,
            "rs-legacy" => MatrixKind::RsLegacy,
            "xor" => MatrixKind::Xor,
            // Hitchhiker is a code over rs, not a matrix of one row a parity unit.
            "hhxor" => continue,
            other => panic!("no kind computes {other:?}"),
        };
        let (k, m) = (common::count(&case, "k"), common::count(&case, "m"));
        let len = common::count(&case, "len");
        let seed = common::number(&case, "seed") as u32;
        let data: Vec<Vec<u8>> =
            (0..k).map(|shard| common::hadoop_bytes(seed, shard as u32, len)).collect();
        assert_eq!(
            encode(&kind.parity_rows(k, m).unwrap(), &data),
            common::hex_array(&case, "parity"),
            "{kind}, k {k}, m {m}, {len} bytes"
        );
        *cases.entry(kind.name()).or_insert(0) += 1;
    }
    assert_eq!(cases.len(), 3, "kinds that were compared: {cases:?}");
}

#[test]
fn rows_are_those_measured_in_hadoop() {
    for case in common::json_lines("hadoop/codecs/matrices.jsonl") {
        let kind = match common::text(&case, "codec") {
            "rs" => MatrixKind::Cauchy,
            name => name.parse().unwrap(),
        };
        let (k, m) = (common::count(&case, "k"), common::count(&case, "m"));
        let rows = kind.parity_rows(k, m).unwrap();
        assert_eq!(rows, matrix(&common::hex_array(&case, "parity_rows")), "{kind} {k} {m}");
        if kind == MatrixKind::Cauchy {
            let generator = matrix(&common::hex_array(&case, "genCauchyMatrix"));
            let whole = Matrix::from_fn(k + m, k, |unit, i| match unit.checked_sub(k) {
                Some(p) => rows.get(p, i),
                None => u8::from(unit == i),
            });
            assert_eq!(whole, generator, "k {k}, m {m}");
        }
    }
}

#[test]
fn backblaze_rows_are_those_of_reed_solomon_erasure() {
    let small = (1..=12).flat_map(|k| (1..=12).map(move |m| (k, m)));
    let large = [(17, 3), (20, 4), (50, 20), (64, 64), (1, 255), (255, 1), (128, 128), (200, 56)];
    for (k, m) in small.chain(large) {
        // Byte i of the shards holds 1 in data unit i and 0 in the others, so byte i of a parity
        // shard is the coefficient of data unit i.
        let mut shards = vec![vec![0; k]; k + m];
        for (i, shard) in shards[..k].iter_mut().enumerate() {
            shard[i] = 1;
        }
        galois_8::ReedSolomon::new(k, m).unwrap().encode(&mut shards).unwrap();
        let rows = MatrixKind::Backblaze.parity_rows(k, m).unwrap();
        for (row, shard) in rows.iter_rows().zip(&shards[k..]) {
            assert_eq!(row, shard, "k {k}, m {m}");
        }
    }
}

#[test]
fn every_kind_known_to_be_mds_repairs_random_losses_at_its_limit() {
    for &kind in MatrixKind::ALL {
        let units = kind.max_units();
        for m in [1, 2, 3, 16, 40] {
            let k = units - m;
            let Ok(rows) = kind.parity_rows(k, m) else { continue };
            if Mds::of(kind, &rows).is_err() {
                continue;
            }
            for seed in 1..=20 {
                // A loss of m units is repaired when the lost data units' columns, in the rows of
                // as many parity units that are left, are an invertable matrix.
                let mut order: Vec<usize> = (0..units).collect();
                let noise = common::random_bytes(seed, 2 * units);
                order.sort_by_key(|&unit| [noise[unit], noise[units + unit]]);
                let (lost, left) = order.split_at(m);
                let lost: Vec<usize> = lost.iter().copied().filter(|&unit| unit < k).collect();
                let left: Vec<usize> = left.iter().copied().filter(|&unit| unit >= k).collect();
                let square = Matrix::from_fn(lost.len(), lost.len(), |row, column| {
                    rows.get(left[row] - k, lost[column])
                });
                assert_eq!(square.rank(), lost.len(), "{kind}, k {k}, m {m}, loss {seed}");
            }
        }
    }
}
