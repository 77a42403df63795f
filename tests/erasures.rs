//! Every pattern of losses that a code must repair, for the codes that storage systems use, and
//! for codes that cannot repair all of them, exactly those that they can.

use std::sync::Arc;

use restripe::gf8::Matrix;
use restripe::{ErasureCode, Error, MatrixKind, Mds, ReedSolomon};

mod oracle;
use oracle::{Random, combined, complement, determine, group, scaled, sets, without};

/// Every kind at (3, 2) and (6, 3), the kinds with a fixed number of parity units with that one.
fn codes_of_all_kinds() -> Vec<ReedSolomon> {
    let mut codes = Vec::new();
    for &kind in MatrixKind::ALL {
        for (k, m) in [(3, 2), (6, 3)] {
            let m = match kind {
                MatrixKind::Xor => 1,
                MatrixKind::JerasureR6 => 2,
                _ => m,
            };
            codes.push(ReedSolomon::with_matrix(k, m, kind).unwrap());
        }
    }
    codes
}

/// All losses of up to m units, in shards whose data units have lengths made by `lens`.
fn check_all_losses(
    code: &ReedSolomon,
    random: &mut Random,
    mut lens: impl FnMut(&mut Random) -> Vec<usize>,
) {
    for lost in sets(code.total_units(), code.parity_units()) {
        let lens = lens(random);
        let shards = group(code, &lens, random);
        check_reconstruct(code, &shards, &lost);
        check_plans(code, &shards, &lost, random);
        check_reconstruct_into(code, &shards, &lost, random);
    }
}

/// A shard as long as the longest of its group: short ones are put back with their zeros.
fn continued(shard: &[u8], shards: &[Vec<u8>]) -> Vec<u8> {
    let mut continued = shard.to_vec();
    continued.resize(shards.iter().map(Vec::len).max().unwrap(), 0);
    continued
}

fn check_reconstruct(code: &ReedSolomon, shards: &[Vec<u8>], lost: &[usize]) {
    let k = code.data_units();
    let mut all = without(shards, lost);
    code.reconstruct(&mut all).unwrap();
    let mut data = without(shards, lost);
    code.reconstruct_data(&mut data).unwrap();
    for unit in 0..code.total_units() {
        let mut expected = shards[unit].clone();
        if lost.contains(&unit) {
            expected = continued(&expected, shards);
        }
        assert_eq!(all[unit].as_ref(), Some(&expected), "{code:?}, lost {lost:?}");
        let expected = (unit < k || !lost.contains(&unit)).then_some(expected);
        assert_eq!(data[unit], expected, "{code:?}, lost {lost:?}");
    }
}

/// Plans from some of the units that are there for any number of the others, both in any order.
fn check_plans(code: &ReedSolomon, shards: &[Vec<u8>], lost: &[usize], random: &mut Random) {
    let (k, n) = (code.data_units(), code.total_units());
    let present = complement(n, lost);
    for wanted_count in 0..=n - k {
        let least = k.min(present.len());
        let most = present.len().min(n - wanted_count);
        let count = least + random.below(most - least + 1);
        let available = random.choose(present.iter().copied(), count);
        let wanted = random.choose(complement(n, &available), wanted_count);

        let plan = code.plan(&available, &wanted).unwrap();
        assert_eq!(plan.outputs(), wanted);
        let read: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
        assert_eq!(read, if wanted.is_empty() { &[] } else { &available[..k] });

        let inputs: Vec<&Vec<u8>> = read.iter().map(|&unit| &shards[unit]).collect();
        // Each output has its unit's own length.
        let mut outputs: Vec<Vec<u8>> =
            wanted.iter().map(|&unit| vec![0xEE; shards[unit].len()]).collect();
        plan.apply(&inputs, &mut outputs).unwrap();
        for (unit, output) in wanted.iter().zip(&outputs) {
            assert_eq!(output, &shards[*unit], "{code:?}: {unit} of {wanted:?} from {available:?}");
        }
    }
}

/// Buffers for the lost units and for some that are there, of the units' own lengths.
fn check_reconstruct_into(
    code: &ReedSolomon,
    shards: &[Vec<u8>],
    lost: &[usize],
    random: &mut Random,
) {
    let surplus = code.parity_units() - lost.len();
    let extra = random.below(surplus + 1);
    let extra = random.choose(complement(code.total_units(), lost), extra);
    let wanted = random.shuffled(lost.iter().chain(&extra).copied());
    let mut buffers: Vec<(usize, Vec<u8>)> =
        wanted.iter().map(|&unit| (unit, vec![0xEE; shards[unit].len()])).collect();
    let mut stored = without(shards, lost);
    // What is wanted is not read, not even where it is there.
    for &unit in &extra {
        stored[unit].as_mut().unwrap().fill(0x99);
    }
    let longest = stored.iter().flatten().map(Vec::len).max().unwrap();
    code.reconstruct_into(&stored, 0..longest, &mut buffers).unwrap();
    for (unit, buffer) in buffers {
        assert_eq!(buffer, shards[unit], "{code:?}: {unit}, lost {lost:?}");
    }
}

#[test]
fn every_loss_of_up_to_m_units_is_repaired() {
    let mut random = Random(1);
    for (k, m) in [(3, 2), (6, 3), (10, 4)] {
        let code = ReedSolomon::new(k, m).unwrap();
        let lens = scaled(&[67][..], &[0, 1, 67], &[0, 1, 2, 31, 67, 512, 1000, 4097]);
        for &len in lens {
            check_all_losses(&code, &mut random, |_| vec![len; k]);
        }
    }
}

#[test]
fn every_loss_of_up_to_m_units_is_repaired_whatever_the_matrix() {
    let mut random = Random(2);
    for code in codes_of_all_kinds() {
        assert_ne!(code.mds(), Mds::Unchecked);
        for &len in scaled(&[67][..], &[1, 67, 130], &[0, 1, 2, 31, 67, 512, 1000, 4097]) {
            check_all_losses(&code, &mut random, |_| vec![len; code.data_units()]);
        }
    }
}

#[test]
fn a_matrix_of_the_callers_own_repairs_every_loss_if_it_is_mds() {
    let mut random = Random(3);
    // Every element other than 0, and [1 2 4 8; 1 3 5 15] has six minors other than 0.
    let rows = Matrix::from_fn(2, 4, |row, column| [[1, 2, 4, 8], [1, 3, 5, 15]][row][column]);
    let code = ReedSolomon::builder(4, 2).parity_rows(rows.clone()).build().unwrap();
    assert_eq!((code.mds(), code.matrix_kind()), (Mds::Checked, MatrixKind::Custom));
    assert_eq!(code.parity_rows(), &rows);
    for len in [0, 1, 67] {
        check_all_losses(&code, &mut random, |_| vec![len; 4]);
    }
}

#[test]
fn data_shards_of_unequal_lengths_count_as_continued_with_zeros() {
    let mut random = Random(4);
    let mut codes = codes_of_all_kinds();
    codes.push(ReedSolomon::new(10, 4).unwrap());
    for code in codes {
        for _ in 0..scaled(1, 2, 20) {
            check_all_losses(&code, &mut random, |random| {
                (0..code.data_units()).map(|_| random.below(3) * random.below(70)).collect()
            });
        }
    }
}

#[test]
fn units_that_are_known_to_be_zeros_are_given_as_nothing() {
    // The last stripe of a file: two data units and a part of a third, the rest not stored.
    let mut random = Random(5);
    let code = ReedSolomon::new(6, 3).unwrap();
    let lens = [64, 64, 17, 0, 0, 0];
    check_all_losses(&code, &mut random, |_| lens.to_vec());
    let shards = group(&code, &lens, &mut random);
    let plan = code.plan(&[8, 3, 4, 1, 5, 2], &[7, 0]).unwrap();
    let nothing: &[u8] = &[];
    let inputs = [&shards[8], nothing, nothing, &shards[1], nothing, &shards[2]];
    let mut outputs = [vec![0xEE; 64], vec![0xEE; 64]];
    plan.apply(&inputs, &mut outputs).unwrap();
    assert_eq!(outputs, [shards[7].clone(), shards[0].clone()]);
    // All units empty: outputs of any length are zeros.
    let mut outputs = [vec![0xEE; 100], vec![0xEE; 3]];
    plan.apply(&[nothing; 6], &mut outputs).unwrap();
    assert_eq!(outputs, [vec![0; 100], vec![0; 3]]);
}

#[test]
fn xor_is_the_sum_of_all_data_units() {
    let code = ReedSolomon::with_matrix(3, 1, MatrixKind::Xor).unwrap();
    let mut parity = [[0; 3]];
    code.encode(&[&[1, 2, 3][..], &[4, 5], &[8]], &mut parity).unwrap();
    assert_eq!(parity, [[1 ^ 4 ^ 8, 2 ^ 5, 3]]);
}

#[test]
fn more_losses_than_parity_units_are_refused_and_nothing_is_changed() {
    let mut random = Random(6);
    for code in codes_of_all_kinds() {
        let (k, m, n) = (code.data_units(), code.parity_units(), code.total_units());
        let shards = group(&code, &vec![20; k], &mut random);
        for lost in sets(n, n).into_iter().filter(|lost| lost.len() > m) {
            let too_few = Err(Error::TooFewUnits { required: k, available: n - lost.len() });
            let before = without(&shards, &lost);
            let mut after = before.clone();
            assert_eq!(code.reconstruct(&mut after), too_few);
            assert_eq!(code.reconstruct_data(&mut after), too_few);
            assert_eq!(after, before);
            assert_eq!(code.plan(&complement(n, &lost), &lost[..1]).map(drop), too_few);
            let mut buffers = [(lost[0], [0xEE; 20])];
            let range = if lost.len() == n { 0..0 } else { 0..20 };
            let mut buffers_in_range = [(lost[0], &mut buffers[0].1[range.clone()])];
            assert_eq!(code.reconstruct_into(&before, range, &mut buffers_in_range), too_few);
            assert_eq!(buffers[0].1, [0xEE; 20]);
        }
    }
}

/// Codes that do not repair every loss of m units, each for another reason.
fn codes_that_are_not_mds() -> Vec<ReedSolomon> {
    let custom = |rows: &[&[u8]]| {
        let matrix = Matrix::from_fn(rows.len(), rows[0].len(), |row, column| rows[row][column]);
        ReedSolomon::builder(rows[0].len(), rows.len()).parity_rows(matrix)
    };
    let builders = [
        // Two local sums and a global one.
        custom(&[&[1, 1, 0, 0], &[0, 0, 1, 1], &[1, 2, 4, 8]]),
        // A parity unit twice, and one that is always zeros.
        custom(&[&[1, 2, 3], &[1, 2, 3], &[0, 0, 0]]),
        // Copies.
        custom(&[&[1, 0, 0], &[0, 1, 0], &[0, 0, 1]]),
        // A data unit that no parity unit knows of.
        custom(&[&[1, 1, 0, 1], &[1, 2, 0, 4]]),
        ReedSolomon::builder(4, 4).matrix(MatrixKind::Par1),
        ReedSolomon::builder(3, 5).matrix(MatrixKind::Par1),
    ];
    builders
        .map(|builder| {
            assert!(matches!(builder.clone().build(), Err(Error::NotMds { .. })));
            let code = builder.accept_unchecked().build().unwrap();
            assert_eq!(code.mds(), Mds::Unchecked);
            code
        })
        .into()
}

#[test]
fn a_code_that_is_not_mds_rebuilds_exactly_what_the_units_there_determine() {
    let mut random = Random(7);
    let mut outcomes = [0; 2];
    for code in codes_that_are_not_mds() {
        let n = code.total_units();
        let shards = group(&code, &vec![33; code.data_units()], &mut random);
        for lost in sets(n, n) {
            let available = random.shuffled(complement(n, &lost));
            for &unit in &lost {
                let determined = determine(code.parity_rows(), &available, unit);
                outcomes[usize::from(determined)] += 1;
                let plan = code.plan(&available, &[unit]);
                if !determined {
                    let not = Error::NotRecoverable { unit, available: available.len() };
                    assert_eq!(plan.unwrap_err(), not, "{code:?}");
                    continue;
                }
                let plan = plan.unwrap();
                check_reads(&code, &available, &plan);
                let inputs: Vec<&Vec<u8>> =
                    plan.reads().iter().map(|read| &shards[read.unit]).collect();
                let mut output = [vec![0xEE; 33]];
                plan.apply(&inputs, &mut output).unwrap();
                assert_eq!(output[0], shards[unit], "{code:?}: {unit} from {available:?}");
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count > 500), "{outcomes:?}");
}

/// Only what is available is read, in that order, and nothing that does not count.
fn check_reads(code: &ReedSolomon, available: &[usize], plan: &restripe::Plan) {
    let read: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
    let in_order: Vec<usize> =
        available.iter().copied().filter(|unit| read.contains(unit)).collect();
    assert_eq!(read, in_order);
    assert!(read.len() <= code.data_units());
    let coefficients = plan.coefficients();
    for column in 0..read.len() {
        assert!((0..plan.outputs().len()).any(|row| coefficients.get(row, column) != 0));
    }
}

#[test]
fn a_code_that_is_not_mds_names_the_first_wanted_unit_that_it_cannot_rebuild() {
    let mut random = Random(8);
    for code in codes_that_are_not_mds() {
        let (k, n) = (code.data_units(), code.total_units());
        let shards = group(&code, &vec![33; k], &mut random);
        for lost in sets(n, n) {
            let present = complement(n, &lost);
            let first_beyond = |wanted: &[usize]| {
                let rows = code.parity_rows();
                let unit = wanted.iter().copied().find(|&unit| !determine(rows, &present, unit));
                unit.map(|unit| Error::NotRecoverable { unit, available: present.len() })
            };
            let wanted = random.shuffled(lost.iter().copied());
            assert_eq!(code.plan(&present, &wanted).err(), first_beyond(&wanted), "{code:?}");

            let mut all = without(&shards, &lost);
            match first_beyond(&lost) {
                None => {
                    code.reconstruct(&mut all).unwrap();
                    let all: Vec<Vec<u8>> = all.into_iter().flatten().collect();
                    assert_eq!(all, shards, "{code:?}, lost {lost:?}");
                }
                beyond => {
                    assert_eq!(code.reconstruct(&mut all).err(), beyond);
                    assert_eq!(all, without(&shards, &lost));
                }
            }
            let data_lost: Vec<usize> = lost.iter().copied().filter(|&unit| unit < k).collect();
            let mut data = without(&shards, &lost);
            assert_eq!(code.reconstruct_data(&mut data).err(), first_beyond(&data_lost));
            if first_beyond(&data_lost).is_none() {
                assert!((0..k).all(|unit| data[unit].as_ref() == Some(&shards[unit])));
                assert!((k..n).all(|unit| data[unit].is_some() != lost.contains(&unit)));
            }
        }
    }
}

#[test]
fn a_parity_unit_of_zeros_is_rebuilt_from_nothing() {
    let rows = Matrix::zero(1, 2);
    let code = ReedSolomon::builder(2, 1).parity_rows(rows).accept_unchecked().build().unwrap();
    let plan = code.plan(&[], &[2]).unwrap();
    assert!(plan.reads().is_empty());
    let mut output = [[0xEE; 5]];
    plan.apply::<&[u8], _>(&[], &mut output).unwrap();
    assert_eq!(output, [[0; 5]]);
    plan.apply_accumulate::<&[u8], _>(&[], &mut output).unwrap();
    assert_eq!(output, [[0; 5]]);
    let both = code.plan(&[1, 0], &[2]).unwrap();
    assert!(both.reads().is_empty());
}

#[test]
fn the_coefficients_of_a_plan_say_what_it_computes() {
    let mut random = Random(9);
    for code in codes_of_all_kinds() {
        let (k, n) = (code.data_units(), code.total_units());
        let shards = group(&code, &vec![40; k], &mut random);
        let available = random.choose(0..n, k);
        let wanted = random.shuffled(complement(n, &available));
        let plan = code.plan(&available, &wanted).unwrap();
        let inputs: Vec<&Vec<u8>> = available.iter().map(|&unit| &shards[unit]).collect();
        let expected: Vec<Vec<u8>> = wanted.iter().map(|&unit| shards[unit].clone()).collect();
        assert_eq!(combined(&plan.coefficients(), &inputs, 40), expected);
    }
}

#[test]
fn a_code_behind_a_pointer_is_the_same_code() {
    let code = ReedSolomon::new(3, 2).unwrap();
    let shards = group(&code, &[50; 3], &mut Random(10));
    let boxed: Box<dyn ErasureCode> = Box::new(ReedSolomon::new(3, 2).unwrap());
    let shared: Arc<dyn ErasureCode> = Arc::new(ReedSolomon::new(3, 2).unwrap());
    check(&&code, &shards);
    check(&boxed, &shards);
    check(&shared, &shards);

    fn check(code: &impl ErasureCode, shards: &[Vec<u8>]) {
        assert_eq!((code.total_units(), code.sub_shards(), code.mds()), (5, 1, Mds::Proven));
        assert_eq!((code.data_units(), code.parity_units()), (3, 2));
        assert_eq!(code.matrix_kind(), MatrixKind::Cauchy);
        assert_eq!(code.kernel(), code.encode_plan().kernel());
        let mut parity = vec![vec![0; 50]; 2];
        code.encode(&shards[..3], &mut parity).unwrap();
        assert_eq!(parity, shards[3..]);
        let mut rebuilt = without(shards, &[1, 4]);
        code.reconstruct(&mut rebuilt).unwrap();
        assert!(rebuilt.into_iter().flatten().eq(shards.iter().cloned()));
    }
}
