//! The engine encodes and rebuilds the shards of the real systems, on every kernel.

mod common;

use restripe::layout::{Codec, Policy};
use restripe::{ErasureCode, KernelId, MatrixKind, ReedSolomon};

struct Case {
    name: String,
    kind: MatrixKind,
    data: Vec<Vec<u8>>,
    parity: Vec<Vec<u8>>,
}

/// What tests/data/matrices/README.md calls the matrix of a system.
fn kind_of(matrix: &str) -> MatrixKind {
    match matrix {
        "default (Vandermonde, Backblaze)" => MatrixKind::Backblaze,
        "cauchy" | "isa_l_rs_cauchy" => MatrixKind::Cauchy,
        "jerasure-like" | "reed_sol_van" => MatrixKind::JerasureVandermonde,
        "par1" => MatrixKind::Par1,
        "isa_l_rs_vand" => MatrixKind::IsalVandermonde,
        "isa_l_rs_vand_inv" => MatrixKind::IsalVandermondeInverted,
        "zfec" => MatrixKind::Zfec,
        "reed_sol_r6_op" => MatrixKind::JerasureR6,
        other => panic!("no kind for {other:?}"),
    }
}

fn cases() -> Vec<Case> {
    let matrices = common::json_lines("matrices/encode.jsonl").into_iter().map(|case| {
        let (k, len) = (common::count(&case, "data"), common::count(&case, "shard_len"));
        let stream = common::random_bytes(common::number(&case, "seed"), k * len);
        let matrix = common::text(&case, "matrix");
        Case {
            name: format!("{} {matrix}", common::text(&case, "system")),
            kind: kind_of(matrix),
            data: stream.chunks(len).map(<[u8]>::to_vec).collect(),
            parity: common::hex_array(&case, "parity_hex"),
        }
    });
    let hadoop = common::json_lines("hadoop/codecs/codecs.jsonl").into_iter().filter_map(|case| {
        let codec = common::text(&case, "codec");
        let kind = match codec {
            "rs" => MatrixKind::Cauchy,
            "rs-legacy" => MatrixKind::RsLegacy,
            "xor" => MatrixKind::Xor,
            // A code of two sub-shards over rs, not a matrix over whole shards: tests/hitchhiker.rs.
            "hhxor" => return None,
            other => panic!("no kind for {other:?}"),
        };
        let seed = common::number(&case, "seed") as u32;
        let len = common::count(&case, "len");
        let shards = 0..common::count(&case, "k") as u32;
        Some(Case {
            name: format!("Hadoop {codec}"),
            kind,
            data: shards.map(|shard| common::hadoop_bytes(seed, shard, len)).collect(),
            parity: common::hex_array(&case, "parity"),
        })
    });
    matrices.chain(hadoop).collect()
}

fn code(case: &Case, kernel: KernelId) -> ReedSolomon {
    ReedSolomon::builder(case.data.len(), case.parity.len())
        .matrix(case.kind)
        .accept_unchecked()
        .kernel(kernel)
        .build()
        .unwrap()
}

#[test]
fn encodes_the_bytes_of_the_real_systems() {
    for case in cases() {
        for kernel in KernelId::available() {
            let mut parity = vec![vec![0xEE; case.parity[0].len()]; case.parity.len()];
            code(&case, kernel).encode(&case.data, &mut parity).unwrap();
            assert_eq!(parity, case.parity, "{} on {kernel}", case.name);
        }
    }
}

#[test]
fn rebuilds_lost_units_of_the_real_systems() {
    for case in cases() {
        let units: Vec<_> = case.data.iter().chain(&case.parity).cloned().map(Some).collect();
        let code = code(&case, KernelId::selected().unwrap());
        for first in 0..units.len() {
            // Of a matrix that is not MDS, at most one unit is lost.
            let most = if code.mds() == restripe::Mds::Unchecked { 1 } else { case.parity.len() };
            let mut shards = units.clone();
            for lost in 0..most {
                shards[(first + lost * 3) % units.len()] = None;
            }
            code.reconstruct(&mut shards).unwrap();
            assert_eq!(shards, units, "{}, from unit {first} on", case.name);
        }
    }
}

#[test]
fn policies_compute_with_hadoops_codecs() {
    let policies = [(Codec::Rs, "rs"), (Codec::RsLegacy, "rs-legacy"), (Codec::Xor, "xor")];
    for (codec, name) in policies {
        let rows = common::json_lines("hadoop/codecs/matrices.jsonl");
        let mut compared = 0;
        for case in rows.iter().filter(|case| common::text(case, "codec") == name) {
            let (k, m) = (common::count(case, "k"), common::count(case, "m"));
            let code = Policy::new(codec, k, m, 1024).unwrap().code().unwrap();
            let expected = common::hex_array(case, "parity_rows");
            assert!(code.parity_rows().iter_rows().eq(expected.iter()), "{name} {k} {m}");
            compared += 1;
        }
        assert!(compared > 0, "{name}");
    }
}
