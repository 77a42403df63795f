//! The code of more than 256 shards, against reed-solomon-simd called directly.
#![cfg(feature = "wide")]

use restripe::{Consistency, Error, WideReedSolomon};

mod oracle;
use oracle::{Random, scaled, without};

/// The parity shards by reed-solomon-simd's own function, from data shards of one even length.
fn parity_of(k: usize, m: usize, data: &[Vec<u8>], len: usize) -> Vec<Vec<u8>> {
    let continued = data.iter().map(|shard| {
        let mut shard = shard.clone();
        shard.resize(len, 0);
        shard
    });
    if len == 0 { vec![Vec::new(); m] } else { reed_solomon_simd::encode(k, m, continued).unwrap() }
}

/// Data shards of up to `len` bytes, at least one of them with as many, and their parity.
fn group(code: &WideReedSolomon, len: usize, uneven: bool, random: &mut Random) -> Vec<Vec<u8>> {
    let (k, m) = (code.data_units(), code.parity_units());
    let full = random.below(k);
    let mut shards: Vec<Vec<u8>> = Vec::new();
    for unit in 0..k {
        let is_short = uneven && unit != full && random.below(2) == 0;
        let len = if is_short { random.below(len + 1) } else { len };
        shards.push(random.bytes(len));
    }
    let mut parity = vec![vec![0xEE; code.parity_len(len)]; m];
    code.encode(&shards, &mut parity).unwrap();
    assert!(parity == parity_of(k, m, &shards, len.next_multiple_of(2)), "{code:?}, {len}");
    shards.extend(parity);
    shards
}

const COUNTS: [(usize, usize); 8] =
    [(300, 20), (1, 1), (1000, 1000), (2, 1), (1, 300), (10, 4), (257, 256), (64, 500)];

fn lens() -> &'static [usize] {
    scaled(&[3], &[0, 1, 2, 3, 63, 64, 66, 129], &[0, 1, 2, 3, 63, 64, 66, 129, 1000, 4095])
}

#[test]
fn encodes_what_reed_solomon_simd_does_and_repairs_every_loss_tried() {
    let mut random = Random(1);
    for (k, m) in COUNTS {
        let code = WideReedSolomon::new(k, m).unwrap();
        assert_eq!((code.data_units(), code.parity_units()), (k, m));
        for &len in lens() {
            for uneven in [false, true] {
                let shards = group(&code, len, uneven, &mut random);
                for lost_count in [0, 1, m / 2, m] {
                    let lost = random.choose(0..k + m, lost_count);
                    let mut rebuilt = without(&shards, &lost);
                    code.reconstruct(&mut rebuilt, len).unwrap();
                    for (unit, shard) in rebuilt.into_iter().enumerate() {
                        let mut expected = shards[unit].clone();
                        if unit < k && lost.contains(&unit) {
                            expected.resize(len, 0);
                        }
                        assert!(shard == Some(expected), "{code:?}, {len}: {unit} of {lost:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn all_data_or_all_parity_may_be_lost() {
    let mut random = Random(2);
    for (k, m) in [(300, 300), (20, 300), (1, 1)] {
        let code = WideReedSolomon::new(k, m).unwrap();
        let shards = group(&code, 65, false, &mut random);
        for lost in [(0..k).collect::<Vec<_>>(), (k..k + m).collect()] {
            let mut rebuilt = without(&shards, &lost);
            code.reconstruct(&mut rebuilt, 65).unwrap();
            assert!(rebuilt.into_iter().flatten().eq(shards.iter().cloned()), "{code:?}");
        }
    }
}

#[test]
fn verify_sees_one_changed_byte_while_a_surplus_shard_is_there() {
    let mut random = Random(3);
    for (k, m) in [(300, 20), (1, 1), (10, 4), (100, 257)] {
        let code = WideReedSolomon::new(k, m).unwrap();
        for &len in lens() {
            let shards = group(&code, len, true, &mut random);
            for lost_count in [0, 1, m - 1, m] {
                let lost = random.choose(0..k + m, lost_count);
                let mut stored = without(&shards, &lost);
                let consistency = code.verify(&stored, len).unwrap();
                if lost_count == m {
                    assert_eq!(consistency, Consistency::NothingToCheck);
                    continue;
                }
                assert_eq!(consistency, Consistency::Consistent, "{code:?}, {len}: {lost:?}");
                let changeable =
                    (0..k + m).filter(|&unit| stored[unit].as_ref().is_some_and(|s| !s.is_empty()));
                if let Some(&unit) = random.choose(changeable, 1).first() {
                    let shard = stored[unit].as_mut().unwrap();
                    let position = random.below(shard.len());
                    shard[position] ^= random.nonzero();
                    let consistency = code.verify(&stored, len).unwrap();
                    assert_eq!(consistency, Consistency::Inconsistent, "{code:?}, {len}: {lost:?}");
                }
            }
        }
    }
}

#[test]
fn any_number_of_units_that_it_cannot_have_is_refused() {
    for (data_units, parity_units) in [
        (0, 0),
        (0, 1),
        (1, 0),
        (65_536, 1),
        (1, 65_536),
        (32_769, 32_769),
        (usize::MAX, 1),
        (1, usize::MAX),
        (usize::MAX, usize::MAX),
    ] {
        let error = WideReedSolomon::new(data_units, parity_units).unwrap_err();
        let counts = format!("{data_units} and {parity_units}");
        assert!(matches!(&error, Error::Invalid { got, .. } if **got == counts), "{error}");
    }
    for (data_units, parity_units) in [(65_535, 1), (1, 65_535), (32_768, 32_768), (60_000, 4096)] {
        assert!(WideReedSolomon::new(data_units, parity_units).is_ok());
    }
}

#[test]
fn refuses_counts_and_lengths_that_do_not_fit_and_changes_nothing() {
    let code = WideReedSolomon::new(3, 2).unwrap();
    let data = [vec![1; 5], vec![2; 3], vec![3; 0]];
    let mut parity = [vec![0xEE; 6], vec![0xEE; 6]];
    let count = |what, expected, got| Err(Error::Count { what, expected, got });
    let length = |what, index, expected, got| Err(Error::Length { what, index, expected, got });
    assert_eq!(code.encode(&data[..2], &mut parity), count("data shards", 3, 2));
    assert_eq!(code.encode(&data, &mut parity[..1]), count("parity shards", 2, 1));
    let mut odd = [vec![0xEE; 6], vec![0xEE; 5]];
    assert_eq!(code.encode(&data, &mut odd), length("parity shard", 1, 6, 5));
    let mut long = [vec![0xEE; 8], vec![0xEE; 6]];
    assert_eq!(code.encode(&data, &mut long), length("parity shard", 0, 6, 8));
    assert!(
        [&parity[0], &odd[0], &odd[1], &long[0]]
            .iter()
            .all(|shard| shard.iter().all(|&byte| byte == 0xEE))
    );

    code.encode(&data, &mut parity).unwrap();
    let shards: Vec<Vec<u8>> = data.iter().chain(&parity).cloned().collect();
    let refused = |shards: &[Option<Vec<u8>>], shard_len, expected| {
        let mut after = shards.to_vec();
        assert_eq!(code.reconstruct(&mut after, shard_len), expected);
        assert_eq!(after, shards);
        assert_eq!(code.verify(shards, shard_len).map(drop), expected);
    };
    refused(&without(&shards, &[])[..4], 5, count("shards", 5, 4));
    refused(&[], 5, count("shards", 5, 0));
    let one_lost = without(&shards, &[1]);
    refused(&one_lost, 4, length("data shard", 0, 4, 5));
    refused(&one_lost, 7, length("parity shard of unit", 3, 8, 6));
    let too_few = Err(Error::TooFewUnits { required: 3, available: 2 });
    refused(&without(&shards, &[0, 1, 4]), 5, too_few);
    let none = Err(Error::TooFewUnits { required: 3, available: 0 });
    refused(&without(&shards, &[0, 1, 2, 3, 4]), 5, none);
    // The parity of five bytes is that of six, too.
    let mut rebuilt = without(&shards, &[0, 1]);
    code.reconstruct(&mut rebuilt, 6).unwrap();
    assert_eq!(rebuilt[0].as_deref(), Some(&[1, 1, 1, 1, 1, 0][..]));
}

#[test]
fn a_length_that_no_shard_can_have_is_refused_and_changes_nothing() {
    let code = WideReedSolomon::new(2, 1).unwrap();
    assert_eq!(code.parity_len(usize::MAX - 1), usize::MAX - 1);
    assert_eq!(code.parity_len(usize::MAX), usize::MAX);
    // With the parity lost, no shard there speaks against the length.
    for shards in [[Some(vec![1, 2]), Some(vec![3]), None], [None, Some(vec![3]), Some(vec![1])]] {
        for shard_len in [usize::MAX, usize::MAX - 1, isize::MAX as usize] {
            let mut after = shards.clone();
            let refused = code.reconstruct(&mut after, shard_len).unwrap_err();
            assert!(refused.to_string().contains(&shard_len.to_string()), "{refused}");
            assert_eq!(after, shards);
            assert_eq!(code.verify(&shards, shard_len), Err(refused));
        }
    }
}
