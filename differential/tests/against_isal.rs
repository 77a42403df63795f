//! restripe and ISA-L give the same bytes: field, matrices, parities, rebuilt shards,
//! checksums.

use restripe::checksum::ChecksumKind;
use restripe::gf8::{self, Matrix};
use restripe::{ErasureCode, KernelId, MatrixKind, ReedSolomon};
use restripe_differential::isal;

/// Random cases of a test: fewer where `RESTRIPE_TEST_SCALE` asks for a part only.
fn cases(full: usize) -> usize {
    if std::env::var("RESTRIPE_TEST_SCALE").is_ok_and(|scale| scale == "small") {
        full / 10
    } else {
        full
    }
}

fn random_shards(random: &mut fastrand::Rng, count: usize, len: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| (0..len).map(|_| random.u8(..)).collect()).collect()
}

#[test]
fn products_and_inverses_agree() {
    for a in 0..=255 {
        for b in 0..=255 {
            assert_eq!(gf8::mul(a, b), isal::mul(a, b), "{a} * {b}");
        }
        assert_eq!(gf8::inverse(a).unwrap_or(0), isal::inverse(a), "1 / {a}");
    }
}

#[test]
fn cauchy_rows_agree_for_all_numbers_of_units() {
    for k in 1..=255 {
        // Fewer parity units have the first of these rows.
        let rows = isal::cauchy_rows(k, 256 - k);
        assert_eq!(MatrixKind::Cauchy.parity_rows(k, 256 - k).unwrap(), rows, "k {k}");
        let by_definition = Matrix::from_fn(256 - k, k, |row, column| {
            gf8::inverse((k + row) as u8 ^ column as u8).unwrap()
        });
        assert_eq!(by_definition, rows, "k {k}");
    }
}

#[test]
fn vandermonde_rows_agree_for_all_numbers_of_units() {
    for k in 1..MatrixKind::IsalVandermonde.max_units() {
        let m = MatrixKind::IsalVandermonde.max_units() - k;
        let rows = MatrixKind::IsalVandermonde.parity_rows(k, m).unwrap();
        assert_eq!(rows, isal::vandermonde_rows(k, m), "k {k}");
    }
}

#[test]
fn inverses_of_random_matrices_agree() {
    let mut random = fastrand::Rng::with_seed(1);
    for case in 0..cases(1000) {
        let size = random.usize(1..=40);
        let matrix = Matrix::from_fn(size, size, |_, _| random.u8(..));
        assert_eq!(matrix.inverted(), isal::inverted(&matrix), "case {case}, {matrix:?}");
    }
}

#[test]
fn inverses_that_take_row_exchanges_agree() {
    let mut random = fastrand::Rng::with_seed(2);
    for case in 0..cases(1000) {
        // A permutation with a few elements above it: most pivots are 0 where they are looked for.
        let size = random.usize(2..=40);
        let mut order: Vec<usize> = (0..size).collect();
        random.shuffle(&mut order);
        let matrix = Matrix::from_fn(size, size, |row, column| {
            if column == order[row] {
                random.u8(1..)
            } else if column > order[row] && random.u8(..4) == 0 {
                random.u8(..)
            } else {
                0
            }
        });
        assert!(matrix.inverted().is_some(), "case {case}, {matrix:?}");
        assert_eq!(matrix.inverted(), isal::inverted(&matrix), "case {case}, {matrix:?}");
    }
}

#[test]
fn both_find_the_same_matrices_singular() {
    let mut random = fastrand::Rng::with_seed(3);
    for case in 0..cases(1000) {
        let size = random.usize(2..=40);
        let mut matrix = Matrix::from_fn(size, size, |_, _| random.u8(..));
        // One row becomes a combination of the others.
        let dependent = random.usize(..size);
        matrix.row_mut(dependent).fill(0);
        for row in (0..size).filter(|&row| row != dependent) {
            matrix.add_scaled_row(dependent, row, random.u8(..));
        }
        assert_eq!(matrix.inverted(), None, "case {case}, {matrix:?}");
        assert_eq!(isal::inverted(&matrix), None, "case {case}, {matrix:?}");
    }
}

#[test]
fn every_kernel_encodes_to_the_parity_of_isal() {
    let mut random = fastrand::Rng::with_seed(4);
    for (k, m) in [(1, 1), (3, 2), (6, 3), (10, 4), (17, 7), (50, 20), (250, 6)] {
        for kind in [MatrixKind::Cauchy, MatrixKind::IsalVandermonde] {
            let rows = match kind {
                MatrixKind::Cauchy => isal::cauchy_rows(k, m),
                _ => isal::vandermonde_rows(k, m),
            };
            let lengths = (0..=70).chain([127, 500, 4096, 70_001]).filter(|&len| k * len < 1 << 20);
            for len in lengths {
                let data = random_shards(&mut random, k, len);
                let mut expected = vec![vec![0; len]; m];
                isal::encode_data(&rows, &data, &mut expected);
                for kernel in KernelId::available() {
                    let code = ReedSolomon::builder(k, m)
                        .matrix(kind)
                        .accept_unchecked()
                        .kernel(kernel)
                        .build()
                        .unwrap();
                    let mut parity = random_shards(&mut random, m, len);
                    code.encode(&data, &mut parity).unwrap();
                    assert!(parity == expected, "{kernel}, {kind}, k {k}, m {m}, {len} bytes");
                }
            }
        }
    }
}

#[test]
fn rebuilds_what_isal_encoded_as_isal_does() {
    let mut random = fastrand::Rng::with_seed(5);
    for case in 0..cases(500) {
        let (k, m) = (random.usize(1..=20), random.usize(1..=8));
        let len = random.usize(1..=3000);
        let rows = isal::cauchy_rows(k, m);
        let mut units = random_shards(&mut random, k, len);
        let mut parity = vec![vec![0; len]; m];
        isal::encode_data(&rows, &units, &mut parity);
        units.append(&mut parity);

        let mut order: Vec<usize> = (0..k + m).collect();
        random.shuffle(&mut order);
        let (available, lost) = order.split_at(k);
        let inputs: Vec<&[u8]> = available.iter().map(|&unit| &units[unit][..]).collect();

        // ISA-L's way: the generator's rows of the lost units times the inverse of the rows of
        // the available ones.
        let generator_rows = |chosen: &[usize]| {
            Matrix::from_fn(chosen.len(), k, |row, column| match chosen[row].checked_sub(k) {
                None => u8::from(chosen[row] == column),
                Some(parity) => rows.get(parity, column),
            })
        };
        let inverse = isal::inverted(&generator_rows(available)).expect("a Cauchy code is MDS");
        let mut by_isal = vec![vec![0; len]; m];
        isal::encode_data(&generator_rows(lost).product(&inverse), &inputs, &mut by_isal);

        let plan = ReedSolomon::new(k, m).unwrap().plan(available, lost).unwrap();
        let reads: Vec<&[u8]> = plan.reads().iter().map(|read| &units[read.unit][..]).collect();
        let mut by_restripe = vec![vec![0; len]; m];
        plan.apply(&reads, &mut by_restripe).unwrap();

        for (index, &unit) in lost.iter().enumerate() {
            let what = format!("case {case}, k {k}, m {m}, {len} bytes, unit {unit}");
            assert!(by_isal[index] == units[unit], "ISA-L: {what}");
            assert!(by_restripe[index] == units[unit], "restripe: {what}");
        }
    }
}

#[test]
fn checksums_agree_at_every_length() {
    let mut random = fastrand::Rng::with_seed(6);
    let bytes = random_shards(&mut random, 1, 70_001).remove(0);
    for len in (0..=1100).chain([4096, 65_536, 70_001]) {
        let bytes = &bytes[..len];
        assert_eq!(ChecksumKind::Crc32c.checksum(bytes), isal::crc32c(bytes), "{len} bytes");
        assert_eq!(ChecksumKind::Crc32.checksum(bytes), isal::crc32(bytes), "{len} bytes");
    }
}
