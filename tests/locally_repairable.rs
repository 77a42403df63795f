//! Locally repairable codes: every loss that any coefficients could repair is repaired, one unit
//! from its group alone, and the planner finds the cheapest sources.

mod oracle;

use oracle::{Random, complement, determine, group, scaled, sets, without};
use proptest::prelude::*;
use restripe::gf8;
use restripe::{
    Consistency, ErasureCode, Error, LocallyRepairable, MatrixKind, Mds, Plan, ReadCost, Verdict,
};

/// What information theory allows: of each group one unit costs its local parity's equation, every
/// further one, and every global parity, one of the g equations of the global parities.
fn could_be_repaired(code: &LocallyRepairable, lost: &[usize]) -> bool {
    let in_group = |group: usize| {
        let of_it = |unit: &&usize| {
            code.local_group(group).contains(unit) || **unit == code.local_parity(group)
        };
        lost.iter().filter(of_it).count()
    };
    let beyond: usize =
        (0..code.local_groups()).map(|group| in_group(group).saturating_sub(1)).sum();
    let globals = lost.iter().filter(|unit| code.global_parities().contains(unit)).count();
    beyond + globals <= code.global_parities().len()
}

fn code(k: usize, l: usize, g: usize) -> LocallyRepairable {
    LocallyRepairable::new(k, l, g).unwrap()
}

#[test]
fn every_loss_that_any_coefficients_could_repair_is_repaired() {
    let mut random = Random(1);
    let normal = [
        (1, 1, 1),
        (4, 2, 1),
        (9, 3, 1),
        (6, 2, 2),
        (12, 2, 2),
        (14, 2, 2),
        (10, 3, 2),
        (8, 4, 2),
        (7, 7, 2),
        (4, 1, 2),
        (6, 2, 3),
        (5, 1, 4),
        (9, 3, 3),
        (12, 2, 3),
    ];
    let codes = scaled(&normal[..6], &normal, &normal);
    for &(k, l, g) in codes {
        let code = code(k, l, g);
        let n = code.total_units();
        let shards = group(&code, &vec![13; k], &mut random);
        let mut outcomes = [0; 2];
        for lost in sets(n, l + g + 1) {
            let expected = could_be_repaired(&code, &lost);
            outcomes[usize::from(expected)] += 1;
            assert_eq!(code.is_recoverable(&lost), Ok(expected), "({k}, {l}, {g}): {lost:?}");
            // Computing it takes longer: the small codes in full, of the others some.
            if n > 10 && random.below(50) > 0 {
                continue;
            }
            let mut rebuilt = without(&shards, &lost);
            let result = code.reconstruct(&mut rebuilt);
            assert_eq!(result.is_ok(), expected, "({k}, {l}, {g}): {lost:?}: {result:?}");
            if expected {
                assert!(rebuilt.into_iter().flatten().eq(shards.iter().cloned()), "{lost:?}");
            } else {
                assert_eq!(rebuilt, without(&shards, &lost));
            }
            let determined = code.determined_by(&complement(n, &lost)).unwrap();
            for unit in lost.iter().copied() {
                let there = determine(code.parity_rows(), &complement(n, &lost), unit);
                assert_eq!(determined.contains(&unit), there);
            }
        }
        assert!(outcomes.iter().all(|&count| count > 0), "({k}, {l}, {g}): {outcomes:?}");
    }
}

#[test]
fn as_many_units_as_it_says_may_be_lost_and_not_one_more() {
    for (k, l, g) in [(4, 2, 1), (6, 2, 2), (12, 2, 2), (10, 3, 2), (6, 2, 3)] {
        let code = code(k, l, g);
        let survived = code.failures_survived();
        assert_eq!((survived, code.mds()), (g + 1, Mds::Unchecked));
        let recoverable = |lost: &Vec<usize>| code.is_recoverable(lost).unwrap();
        assert!(sets(code.total_units(), survived).iter().all(recoverable));
        assert!(!sets(code.total_units(), survived + 1).iter().all(recoverable));
        // The same by the columns of the parity check matrix, as for a caller's own rows.
        let same = restripe::ReedSolomon::builder(k, l + g)
            .parity_rows(code.parity_rows().clone())
            .accept_unchecked()
            .build()
            .unwrap();
        assert_eq!(same.failures_survived(), survived);
    }
}

#[test]
fn the_rows_are_sums_of_groups_and_powers_of_the_documented_elements() {
    let code = code(12, 2, 2);
    assert_eq!(code.matrix_kind(), MatrixKind::LocallyRepairable);
    for unit in 0..12u8 {
        let column: Vec<u8> =
            (0..4).map(|row| code.parity_rows().get(row, usize::from(unit))).collect();
        let element = if unit < 6 { (unit + 1) << 4 } else { unit - 5 };
        let (first, second) = (u8::from(unit < 6), u8::from(unit >= 6));
        assert_eq!(column, [first, second, element, gf8::mul(element, element)]);
    }
}

#[test]
fn one_lost_unit_of_a_group_reads_the_rest_of_it() {
    for (k, l, g) in [(6, 2, 2), (12, 2, 2), (10, 3, 2), (12, 4, 1)] {
        let code = code(k, l, g);
        let n = code.total_units();
        for group in 0..l {
            let mut units: Vec<usize> = code.local_group(group).collect();
            units.push(code.local_parity(group));
            for &lost in &units {
                // Whatever else is lost.
                for others in sets(n, 3) {
                    if others.iter().any(|unit| units.contains(unit)) {
                        continue;
                    }
                    let away: Vec<usize> = [&others[..], &[lost]].concat();
                    let plan = code.plan(&complement(n, &away), &[lost]).unwrap();
                    let read: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
                    let expected: Vec<usize> =
                        units.iter().copied().filter(|&unit| unit != lost).collect();
                    assert_eq!(read, expected);
                }
            }
        }
        for lost in code.global_parities() {
            let cost = code.repair_cost(&[lost], &complement(n, &[lost])).unwrap();
            assert_eq!((cost.sub_shards_read, cost.reads), (k, k));
        }
    }
    let single = code(12, 2, 2).single_repairs().unwrap();
    let mean = (14.0 * 6.0 + 2.0 * 12.0) / 16.0;
    assert_eq!(
        (single.data_mean, single.mean, single.worst, single.most_units),
        (6.0, mean, 12.0, 12)
    );
}

/// The least that any set of available units costs that determines the wanted ones.
fn least(code: &LocallyRepairable, available: &[usize], wanted: &[usize], costs: &[u64]) -> u64 {
    (0u32..1 << available.len())
        .filter_map(|set| {
            let chosen: Vec<usize> = (0..available.len())
                .filter(|&index| set >> index & 1 != 0)
                .map(|index| available[index])
                .collect();
            (chosen.len() <= code.data_units()
                && wanted.iter().all(|&unit| determine(code.parity_rows(), &chosen, unit)))
            .then(|| chosen.iter().map(|&unit| costs[unit]).sum())
        })
        .min()
        .unwrap()
}

#[test]
fn no_set_of_units_repairs_a_loss_for_less() {
    let mut random = Random(2);
    for (k, l, g) in [(4, 2, 2), (6, 2, 2), (6, 3, 1)] {
        let code = code(k, l, g);
        let n = code.total_units();
        for _ in 0..scaled(10, 60, 600) {
            let count = 1 + random.below(3);
            let lost = random.choose(0..n, count);
            if !could_be_repaired(&code, &lost) {
                continue;
            }
            let costs: Vec<u64> = (0..n).map(|_| 1 + random.below(20) as u64).collect();
            let available = random.shuffled(complement(n, &lost));
            let paid = |plan: &Plan, costs: &[u64]| -> u64 {
                plan.reads().iter().map(|read| costs[read.unit]).sum()
            };
            for (cost, costs) in [
                (ReadCost::Sources(&costs), &costs[..]),
                (ReadCost::Bytes, &vec![1; n][..]),
                (ReadCost::Reads, &vec![1; n][..]),
            ] {
                let plan = code.cheapest_plan(&available, &lost, cost).unwrap();
                let least = least(&code, &available, &lost, costs);
                assert_eq!(paid(&plan, costs), least, "({k}, {l}, {g}): {lost:?}, {costs:?}");
            }
        }
    }
}

#[test]
fn what_is_beyond_repair_is_told_before_anything_is_read() {
    let code = code(12, 2, 2);
    let lost = [0, 1, 2, 3, 9];
    let there = complement(16, &lost);
    assert_eq!(code.plan(&there, &lost), Err(Error::NotRecoverable { unit: 0, available: 11 }));
    assert!(code.plan(&there, &[9]).is_ok());
    let costs = Error::Count { what: "costs of sources", expected: 16, got: 2 };
    assert_eq!(code.cheapest_plan(&there, &[9], ReadCost::Sources(&[1, 2])), Err(costs));
    assert_eq!(code.is_recoverable(&[16]), Err(Error::UnitOutOfRange { unit: 16, units: 16 }));
    assert_eq!(code.determined_by(&[1, 1]), Err(Error::DuplicateUnit { unit: 1 }));
    for (k, l, g) in [(0, 1, 1), (4, 2, 0), (250, 4, 3), (4, usize::MAX, 2)] {
        let refused = LocallyRepairable::new(k, l, g);
        assert!(matches!(refused, Err(Error::UnitCounts { .. })), "{refused:?}");
    }
    for (k, l, g) in [(4, 0, 1), (4, 5, 1), (40, 2, 2), (40, 2, 5)] {
        let refused = LocallyRepairable::new(k, l, g);
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
}

#[test]
fn wrong_shards_are_named_where_the_code_tells_them_apart() {
    // Any three columns of the parity check matrix are independent, and some four are not.
    let mut random = Random(3);
    let code = code(6, 2, 2);
    let shards = group(&code, &[64; 6], &mut random);
    let some = |shards: &[Vec<u8>]| shards.iter().cloned().map(Some).collect::<Vec<_>>();
    assert_eq!(code.verify(&some(&shards)), Ok(Consistency::Consistent));
    let mut outcomes = [0; 2];
    for wrong in sets(10, 4) {
        let mut damaged = some(&shards);
        for &unit in &wrong {
            let shard = damaged[unit].as_mut().unwrap();
            shard.iter_mut().for_each(|byte| *byte ^= random.nonzero());
        }
        let found = code.locate(&damaged, 64).unwrap();
        match &found[..] {
            [] => assert!(wrong.is_empty()),
            [location] => match &location.verdict {
                // It may be wrong only about more units than it says.
                Verdict::Wrong { units, holds_up_to } => {
                    assert_eq!(*holds_up_to, 2);
                    outcomes[0] += 1;
                    assert!(wrong.len() > 2 || *units == wrong, "{wrong:?} named {units:?}");
                }
                Verdict::CannotTell => {
                    outcomes[1] += 1;
                    assert!(wrong.len() > 2, "{wrong:?}");
                }
            },
            more => panic!("{more:?}"),
        }
    }
    assert!(outcomes.iter().all(|&count| count > 20), "{outcomes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scaled(20, 200, 2000)))]

    #[test]
    fn what_is_encoded_comes_back(
        k in 1usize..25,
        l in 1usize..4,
        g in 1usize..3,
        len in 0usize..5000,
        seed: u64,
    ) {
        prop_assume!(l <= k && (g == 1 || k.div_ceil(l) <= 15));
        let mut random = Random(seed);
        let code = code(k, l, g);
        let lens: Vec<usize> = (0..k).map(|_| random.below(len + 1)).collect();
        let shards = group(&code, &lens, &mut random);
        let longest = lens.iter().copied().max().unwrap();
        let mut parity = vec![vec![0xEE; longest]; l + g];
        code.encode(&shards[..k], &mut parity).unwrap();
        prop_assert_eq!(&parity, &shards[k..]);
        let count = random.below(g + 1) + 1;
        let lost = random.choose(0..k + l + g, count);
        let plan = code.plan(&random.shuffled(complement(k + l + g, &lost)), &lost).unwrap();
        let inputs: Vec<&Vec<u8>> = plan.reads().iter().map(|read| &shards[read.unit]).collect();
        let mut outputs: Vec<Vec<u8>> =
            lost.iter().map(|&unit| vec![0xEE; shards[unit].len()]).collect();
        plan.apply(&inputs, &mut outputs).unwrap();
        let expected: Vec<Vec<u8>> = lost.iter().map(|&unit| shards[unit].clone()).collect();
        prop_assert_eq!(outputs, expected);
        prop_assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), Plan::clone(&plan));
    }
}
