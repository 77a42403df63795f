//! Coding with checksums in one pass against coding, and then checksums by another implementation.

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{ErasureCode, Error, KernelId, ReedSolomon};

mod crc_oracle;
mod pattern;
use crc_oracle::{checksum, oracle, oracle_sums};
use pattern::{bytes, is_reduced};

fn sums_of(checksum: &ChunkedChecksum, shards: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let of = |shard: &Vec<u8>| match checksum.kind() {
        ChecksumKind::Null => Vec::new(),
        kind => oracle_sums(kind, checksum.bytes_per_checksum(), shard),
    };
    shards.iter().map(of).collect()
}

/// Arrays of the right lengths, with what should not stay in them.
fn room(sums: &[Vec<u8>]) -> Vec<Vec<u8>> {
    sums.iter().map(|sums| vec![0xEE; sums.len()]).collect()
}

#[test]
fn encodes_with_the_checksums_of_all_shards() {
    let lens = if is_reduced() { vec![0, 1, 1000, 9000] } else { vec![0, 1, 1000, 9000, 200_000] };
    for kernel in KernelId::available() {
        for (k, m) in [(1, 1), (6, 3), (10, 4), (40, 20)] {
            let code = ReedSolomon::builder(k, m).kernel(kernel).build().unwrap();
            for &len in &lens {
                let data: Vec<Vec<u8>> = (0..k).map(|unit| bytes(unit, len)).collect();
                let mut expected = vec![vec![0; len]; m];
                code.encode(&data, &mut expected).unwrap();
                // Chunks shorter and longer than a tile, such as divide it and such as do not.
                for (kind, chunk_len) in [
                    (ChecksumKind::Crc32c, 512),
                    (ChecksumKind::Crc32, 512),
                    (ChecksumKind::Crc32c, 1000),
                    (ChecksumKind::Crc32c, 4096),
                    (ChecksumKind::Crc32, 70_001),
                    (ChecksumKind::Crc32c, 1 << 20),
                    (ChecksumKind::Null, 512),
                ] {
                    let checksum = checksum(kind, chunk_len, kernel);
                    let (data_expected, parity_expected) =
                        (sums_of(&checksum, &data), sums_of(&checksum, &expected));
                    let (mut data_sums, mut parity_sums) =
                        (room(&data_expected), room(&parity_expected));
                    let mut parity = vec![vec![0xEE; len]; m];
                    code.encode_with_checksums(
                        &checksum,
                        &data,
                        &mut parity,
                        &mut data_sums,
                        &mut parity_sums,
                    )
                    .unwrap();
                    let context = format!("{kernel}: ({k}, {m}), {len} by {chunk_len}");
                    assert!(parity == expected, "{context}");
                    assert_eq!(data_sums, data_expected, "{context}");
                    assert_eq!(parity_sums, parity_expected, "{context}");
                }
            }
        }
    }
}

#[test]
fn shards_that_end_early_have_the_checksums_of_what_they_have() {
    let code = ReedSolomon::new(4, 2).unwrap();
    for lens in [[300_000, 0, 131_072, 1], [5, 300_000, 131_073, 100_000], [1000, 999, 1000, 3]] {
        let data: Vec<Vec<u8>> = (0..4).map(|unit| bytes(unit, lens[unit])).collect();
        let longest = *lens.iter().max().unwrap();
        let mut expected = vec![vec![0; longest]; 2];
        code.encode(&data, &mut expected).unwrap();
        for chunk_len in [512, 1000, 1 << 20] {
            let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, chunk_len).unwrap();
            let (data_expected, parity_expected) =
                (sums_of(&checksum, &data), sums_of(&checksum, &expected));
            let (mut data_sums, mut parity_sums) = (room(&data_expected), room(&parity_expected));
            let mut parity = vec![vec![0; longest]; 2];
            code.encode_with_checksums(
                &checksum,
                &data,
                &mut parity,
                &mut data_sums,
                &mut parity_sums,
            )
            .unwrap();
            assert!(parity == expected);
            assert_eq!((data_sums, parity_sums), (data_expected, parity_expected), "{lens:?}");

            // And rebuilt: unit 0 at its own length, from sources that end where they do.
            let plan = code.plan(&[1, 2, 3, 5], &[0, 4]).unwrap();
            let inputs = [&data[1], &data[2], &data[3], &parity[1]];
            let input_sums =
                inputs.map(|shard| oracle_sums(ChecksumKind::Crc32c, chunk_len, shard));
            let mut outputs = [vec![0; lens[0]], vec![0; longest]];
            let wanted = [&data[0], &parity[0]];
            let wanted_sums =
                wanted.map(|shard| oracle_sums(ChecksumKind::Crc32c, chunk_len, shard));
            let mut output_sums = wanted_sums.clone().map(|sums| vec![0; sums.len()]);
            plan.apply_with_checksums(
                &checksum,
                &inputs,
                &input_sums,
                &mut outputs,
                &mut output_sums,
            )
            .unwrap();
            assert!(outputs.iter().eq(wanted), "{lens:?} by {chunk_len}");
            assert_eq!(output_sums, wanted_sums, "{lens:?} by {chunk_len}");
        }
    }
}

#[test]
fn a_rebuild_names_the_unit_and_the_chunk_that_is_damaged() {
    let len = 150_000;
    for kernel in KernelId::available() {
        let code = ReedSolomon::builder(6, 3).kernel(kernel).build().unwrap();
        let mut shards: Vec<Vec<u8>> = (0..6).map(|unit| bytes(unit, len)).collect();
        let mut parity = vec![vec![0; len]; 3];
        code.encode(&shards, &mut parity).unwrap();
        shards.extend(parity);
        let units = [8, 1, 7, 3, 4, 5];
        let plan = code.plan(&units, &[0, 2]).unwrap();
        for chunk_len in [512, 1000, 100_000] {
            let checksum = checksum(ChecksumKind::Crc32c, chunk_len, kernel);
            let sums = sums_of(&checksum, &shards);
            for (unit, at) in [(8, 0), (1, 70_000), (7, 99_999), (3, 100_000), (5, len - 1)] {
                shards[unit][at] ^= 0x80;
                let inputs = units.map(|unit| &shards[unit]);
                let input_sums = units.map(|unit| &sums[unit]);
                let mut outputs = [vec![0; len], vec![0; len]];
                let mut output_sums = [vec![0; sums[0].len()], vec![0; sums[0].len()]];
                let error = plan
                    .apply_with_checksums(
                        &checksum,
                        &inputs,
                        &input_sums,
                        &mut outputs,
                        &mut output_sums,
                    )
                    .unwrap_err();
                let chunk = at / chunk_len;
                let offset = chunk * chunk_len;
                let damaged = &shards[unit][offset..len.min(offset + chunk_len)];
                let found = oracle(ChecksumKind::Crc32c, damaged);
                let expected = u32::from_be_bytes(sums[unit][4 * chunk..][..4].try_into().unwrap());
                assert_eq!(
                    error,
                    Error::UnitChecksumMismatch { unit, chunk, offset, expected, found },
                    "{kernel}"
                );
                shards[unit][at] ^= 0x80;
            }
        }
    }
}

#[test]
fn checksums_that_do_not_fit_are_refused_with_the_numbers() {
    let code = ReedSolomon::new(2, 1).unwrap();
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
    let data = [[1; 600], [2; 600]];
    let mut parity = [[9; 600]];
    let mut right = [[0; 8]; 2];
    let mut refused = |data_sums: &mut [Vec<u8>], parity_sums: &mut [Vec<u8>]| {
        code.encode_with_checksums(&checksum, &data, &mut parity, data_sums, parity_sums)
            .unwrap_err()
    };
    assert_eq!(
        refused(&mut [vec![0; 8]], &mut [vec![0; 8]]),
        Error::Count { what: "checksums of data shards", expected: 2, got: 1 }
    );
    assert_eq!(
        refused(&mut [vec![0; 8], vec![0; 4]], &mut [vec![0; 8]]),
        Error::Length { what: "checksums of data shard", index: 1, expected: 8, got: 4 }
    );
    assert_eq!(
        refused(&mut [vec![0; 8], vec![0; 8]], &mut []),
        Error::Count { what: "checksums of outputs", expected: 1, got: 0 }
    );
    assert_eq!(
        refused(&mut [vec![0; 8], vec![0; 8]], &mut [vec![0; 9]]),
        Error::Length { what: "checksums of parity shard", index: 0, expected: 8, got: 9 }
    );
    assert_eq!(parity, [[9; 600]], "nothing was written");

    let plan = code.plan(&[0, 1], &[2]).unwrap();
    let inputs = [&data[0], &data[1]];
    assert_eq!(
        plan.apply_with_checksums(&checksum, &inputs, &[[0; 8]], &mut parity, &mut right[..1]),
        Err(Error::Count { what: "checksums of inputs", expected: 2, got: 1 })
    );
    assert_eq!(
        plan.apply_with_checksums(&checksum, &inputs, &[[0; 4]; 2], &mut parity, &mut right[..1]),
        Err(Error::Length { what: "checksums of input", index: 0, expected: 8, got: 4 })
    );
    assert_eq!(
        plan.apply_with_checksums(&checksum, &inputs[..1], &[[0; 8]], &mut parity, &mut right[..1]),
        Err(Error::Count { what: "inputs", expected: 2, got: 1 })
    );
}
