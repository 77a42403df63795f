//! Hitchhiker-XOR: Hadoop's bytes, every loss of up to m units, and how little a repair reads.

mod common;
mod oracle;

use oracle::{Random, combined, complement, determine, scaled, sets, without};
use proptest::prelude::*;
use restripe::{
    Consistency, ErasureCode, Error, Hitchhiker, KernelId, MatrixKind, Mds, Plan, Read, ReadCost,
    ReedSolomon,
};

/// Encodes by the definition: two Reed-Solomon codes, and the first halves of each group added.
fn parity_by_definition(code: &Hitchhiker, data: &[Vec<u8>], shard_len: usize) -> Vec<Vec<u8>> {
    let half = |shard: &[u8], number: usize| {
        let mut shard = shard.to_vec();
        shard.resize(shard_len, 0);
        shard[number * shard_len / 2..(number + 1) * shard_len / 2].to_vec()
    };
    let rows = MatrixKind::Cauchy.parity_rows(code.data_units(), code.parity_units()).unwrap();
    let [first, mut second] = [0, 1].map(|number| {
        let halves: Vec<Vec<u8>> = data.iter().map(|shard| half(shard, number)).collect();
        combined(&rows, &halves, shard_len / 2)
    });
    let size = code.data_units() / (code.parity_units() - 1);
    for (unit, shard) in data.iter().enumerate() {
        let group = (unit / size).min(code.parity_units() - 2);
        for (byte, added) in second[group + 1].iter_mut().zip(half(shard, 0)) {
            *byte ^= added;
        }
    }
    first.into_iter().zip(second).map(|(first, second)| [first, second].concat()).collect()
}

fn group(code: &Hitchhiker, lens: &[usize], shard_len: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let mut shards: Vec<Vec<u8>> = lens.iter().map(|&len| random.bytes(len)).collect();
    let parity = parity_by_definition(code, &shards, shard_len);
    shards.extend(parity);
    shards
}

/// The bytes that a plan reads of a shard, as far as the shard has them.
fn part<'a>(shard: &'a [u8], read: &Read, sub_len: usize) -> &'a [u8] {
    let start = (read.first_sub * sub_len).min(shard.len());
    &shard[start..((read.first_sub + read.count) * sub_len).min(shard.len())]
}

fn apply(plan: &Plan, shards: &[Vec<u8>], shard_len: usize) -> Vec<Vec<u8>> {
    let inputs: Vec<&[u8]> =
        plan.reads().iter().map(|read| part(&shards[read.unit], read, shard_len / 2)).collect();
    let mut outputs = vec![vec![0xEE; shard_len]; plan.outputs().len()];
    plan.apply(&inputs, &mut outputs).unwrap();
    outputs
}

fn continued(shard: &[u8], shard_len: usize) -> Vec<u8> {
    let mut shard = shard.to_vec();
    shard.resize(shard_len, 0);
    shard
}

#[test]
fn encodes_and_rebuilds_hadoops_bytes() {
    let mut compared = 0;
    for case in common::json_lines("hadoop/codecs/codecs.jsonl") {
        if common::text(&case, "codec") != "hhxor" {
            continue;
        }
        let (k, m) = (common::count(&case, "k"), common::count(&case, "m"));
        let (seed, len) = (common::number(&case, "seed") as u32, common::count(&case, "len"));
        let half = |number: usize, unit: usize| {
            common::hadoop_bytes(seed, (number * k + unit) as u32, len)
        };
        let data: Vec<Vec<u8>> =
            (0..k).map(|unit| [half(0, unit), half(1, unit)].concat()).collect();
        let halves = common::hex_array(&case, "parity");
        let parity: Vec<Vec<u8>> =
            (0..m).map(|unit| [&halves[unit][..], &halves[m + unit]].concat()).collect();
        for kernel in KernelId::available() {
            let code = Hitchhiker::with_kernel(k, m, kernel).unwrap();
            let mut encoded = vec![vec![0xEE; 2 * len]; m];
            code.encode(&data, &mut encoded).unwrap();
            assert_eq!(encoded, parity, "{k}+{m}, {len} bytes, {kernel}");
            let shards = [&data[..], &parity].concat();
            for lost in 0..k + m {
                let mut rebuilt = without(&shards, &[lost]);
                code.reconstruct(&mut rebuilt).unwrap();
                assert!(rebuilt.into_iter().flatten().eq(shards.iter().cloned()));
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 8);
}

#[test]
fn encodes_by_its_definition_whatever_the_numbers_and_lengths() {
    let mut random = Random(1);
    for (k, m) in
        [(1, 2), (2, 2), (2, 3), (3, 3), (5, 4), (7, 4), (6, 3), (10, 4), (12, 5), (120, 8)]
    {
        let code = Hitchhiker::new(k, m).unwrap();
        for len in [0, 2, 62, 128, 1000, 40_000] {
            let data: Vec<Vec<u8>> = (0..k).map(|_| random.bytes(len)).collect();
            let mut parity = vec![vec![0xEE; len]; m];
            code.encode(&data, &mut parity).unwrap();
            assert_eq!(parity, parity_by_definition(&code, &data, len), "({k}, {m}), {len} bytes");
            let shards = [&data[..], &parity].concat();
            let some: Vec<Option<&Vec<u8>>> = shards.iter().map(Some).collect();
            assert_eq!(code.verify(&some), Ok(Consistency::Consistent));
        }
    }
}

#[test]
fn every_loss_of_up_to_m_units_is_repaired() {
    let mut random = Random(2);
    for (k, m) in [(3, 2), (4, 3), (5, 4), (6, 3), (10, 4)] {
        let code = Hitchhiker::new(k, m).unwrap();
        assert_eq!((code.mds(), code.failures_survived()), (Mds::Proven, m));
        let shards = group(&code, &vec![66; k], 66, &mut random);
        for lost in sets(k + m, m) {
            assert_eq!(code.is_recoverable(&lost), Ok(true));
            let mut rebuilt = without(&shards, &lost);
            code.reconstruct(&mut rebuilt).unwrap();
            assert!(rebuilt.into_iter().flatten().eq(shards.iter().cloned()), "lost {lost:?}");
            // Some of them, from units in any order.
            let count = random.below(lost.len() + 1);
            let wanted = random.choose(lost.iter().copied(), count);
            let available = random.shuffled(complement(k + m, &lost));
            let plan = code.plan(&available, &wanted).unwrap();
            assert_eq!(plan.outputs(), wanted);
            let expected: Vec<Vec<u8>> = wanted.iter().map(|&unit| shards[unit].clone()).collect();
            assert_eq!(apply(&plan, &shards, 66), expected, "{wanted:?} of {lost:?}");
            assert_eq!(Plan::from_bytes(&plan.to_bytes()).as_ref(), Ok(&*plan));
        }
        for lost in sets(k + m, m + 1).into_iter().filter(|lost| lost.len() > m) {
            assert_eq!(code.is_recoverable(&lost), Ok(false));
            assert!(code.plan(&complement(k + m, &lost), &lost).is_err());
        }
    }
}

#[test]
fn one_data_unit_reads_its_group_whole_and_of_the_rest_the_second_halves() {
    for (k, m) in [(4, 3), (6, 3), (10, 4), (12, 5)] {
        let code = Hitchhiker::new(k, m).unwrap();
        for lost in 0..k {
            let group = (0..m - 1).find(|&group| code.group(group).contains(&lost)).unwrap();
            let plan = code.plan(&complement(k + m, &[lost]), &[lost]).unwrap();
            let expected: Vec<Read> = complement(k, &[lost])
                .into_iter()
                .map(|unit| match code.group(group).contains(&unit) {
                    true => Read { unit, first_sub: 0, count: 2 },
                    false => Read { unit, first_sub: 1, count: 1 },
                })
                .chain([k, k + group + 1].map(|unit| Read { unit, first_sub: 1, count: 1 }))
                .collect();
            assert_eq!(plan.reads(), expected);
            let cost = plan.cost();
            assert_eq!(cost.sub_shards_read, k + code.group(group).len());
            assert_eq!((cost.sub_shards, cost.reads, cost.units), (2, k + 1, k + 1));
            assert_eq!(cost.bytes(2000), 1000 * (k + code.group(group).len()) as u64);
        }
        for lost in k..k + m {
            let cost = code.repair_cost(&[lost], &complement(k + m, &[lost])).unwrap();
            assert!(cost.sub_shards_read <= 2 * k, "{cost:?}");
        }
    }
    let single = Hitchhiker::new(10, 4).unwrap().single_repairs().unwrap();
    assert_eq!((single.data_mean, single.worst), (6.7, 10.0));
    // Fewer reads are another thing than fewer bytes.
    let code = Hitchhiker::new(10, 4).unwrap();
    let by_reads = code.cheapest_plan(&complement(14, &[3]), &[3], ReadCost::Reads).unwrap();
    assert_eq!((by_reads.cost().reads, by_reads.cost().sub_shards_read), (10, 20));
}

/// The fewest sub-shards of `available` units that determine the wanted one: all sets are tried.
fn fewest(code: &Hitchhiker, available: &[usize], wanted: &[usize]) -> usize {
    let halves = |units: &[usize]| -> Vec<usize> {
        units.iter().flat_map(|&unit| [2 * unit, 2 * unit + 1]).collect()
    };
    let (available, wanted) = (halves(available), halves(wanted));
    let determined =
        |set: &[usize]| wanted.iter().all(|&unit| determine(code.parity_rows(), set, unit));
    (0u32..1 << available.len())
        .filter(|set| (set.count_ones() as usize) <= 2 * code.data_units())
        .filter_map(|set| {
            let chosen: Vec<usize> = (0..available.len())
                .filter(|&index| set >> index & 1 != 0)
                .map(|index| available[index])
                .collect();
            determined(&chosen).then_some(chosen.len())
        })
        .min()
        .unwrap()
}

#[test]
fn no_set_of_halves_repairs_a_unit_with_less() {
    // Every unit, with all others there and with any one of them missing.
    let codes = scaled(&[(3, 2)][..], &[(3, 2), (4, 2), (3, 3)], &[(3, 2), (4, 2), (3, 3), (4, 3)]);
    for &(k, m) in codes {
        let code = Hitchhiker::new(k, m).unwrap();
        for lost in 0..k + m {
            let others = complement(k + m, &[lost]);
            let mut missing: Vec<Option<usize>> = others.iter().copied().map(Some).collect();
            missing.push(None);
            for missing in missing {
                let available: Vec<usize> =
                    others.iter().copied().filter(|&unit| Some(unit) != missing).collect();
                let cost = code.repair_cost(&[lost], &available).unwrap();
                let fewest = fewest(&code, &available, &[lost]);
                assert_eq!(cost.sub_shards_read, fewest, "({k}, {m}): {lost} without {missing:?}");
            }
        }
    }
}

#[test]
fn data_shards_that_end_early_count_as_continued_with_zeros() {
    let mut random = Random(3);
    let code = Hitchhiker::new(6, 3).unwrap();
    for lens in [[77, 50, 39, 38, 1, 0], [5, 78, 78, 0, 0, 0], [78, 0, 0, 0, 0, 0]] {
        let shards = group(&code, &lens, 78, &mut random);
        let mut parity = vec![vec![0xEE; 78]; 3];
        code.encode(&shards[..6], &mut parity).unwrap();
        assert_eq!(parity, shards[6..]);
        let some: Vec<Option<&Vec<u8>>> = shards.iter().map(Some).collect();
        assert_eq!(code.verify(&some), Ok(Consistency::Consistent));
        for lost in sets(9, 2) {
            let mut rebuilt = without(&shards, &lost);
            code.reconstruct(&mut rebuilt).unwrap();
            for (unit, shard) in rebuilt.into_iter().flatten().enumerate() {
                let expected = &shards[unit];
                let len = if lost.contains(&unit) { 78 } else { expected.len() };
                assert_eq!(shard, continued(expected, len), "{unit} of {lost:?}, {lens:?}");
            }
        }
    }
}

#[test]
fn lengths_that_have_no_halves_are_refused() {
    let code = Hitchhiker::new(3, 2).unwrap();
    let mut parity = [[0; 7]; 2];
    let length = Error::Length { what: "parity shard", index: 0, expected: 8, got: 7 };
    assert_eq!(code.encode(&[[1; 7]; 3], &mut parity), Err(length.clone()));
    assert_eq!(code.encode_verified(&[[1; 7]; 3], &mut parity, 1), Err(length.clone()));
    assert_eq!(code.update(0, &[1; 7], &[2; 7], &mut parity), Err(length));
    assert_eq!(parity, [[0; 7]; 2]);
    // The last halves of the data go on with a zero, those of the parity are there.
    let mut parity = [[0; 8]; 2];
    code.encode(&[[1; 7]; 3], &mut parity).unwrap();
    assert_ne!(parity[1][7], 0);

    let refused = |error: Error, says: &str| assert!(error.to_string().contains(says), "{error}");
    refused(code.progressive(&mut parity).map(drop).unwrap_err(), "sub-shards");
    refused(code.locate(&[Some([1; 8]); 5], 4).unwrap_err(), "over_sub_shards");
    refused(
        code.reconstruct_into(&[Some([1; 8]); 5], 0..4, &mut [(0, [0; 4])]).unwrap_err(),
        "use its plan",
    );
    for (k, m) in [(0, 2), (3, 0), (120, 9), (usize::MAX, 2)] {
        assert!(matches!(Hitchhiker::new(k, m), Err(Error::UnitCounts { .. })), "({k}, {m})");
    }
    for (k, m) in [(3, 1), (2, 4)] {
        assert!(matches!(Hitchhiker::new(k, m), Err(Error::Invalid { .. })), "({k}, {m})");
    }
}

#[test]
fn an_update_of_one_unit_is_an_encode_of_all() {
    let mut random = Random(4);
    let code = Hitchhiker::new(10, 4).unwrap();
    let mut shards = group(&code, &[5000; 10], 5000, &mut random);
    for (unit, new_len) in [(0, 5000), (9, 5000), (4, 3000), (4, 0), (4, 4999), (5, 2500)] {
        let (data, parity) = shards.split_at_mut(10);
        let new = random.bytes(new_len);
        code.update(unit, &data[unit], &new, parity).unwrap();
        data[unit] = new;
        assert_eq!(parity, parity_by_definition(&code, data, 5000), "{unit}, {new_len} bytes");
    }
    let mut parity = vec![vec![0; 5000]; 4];
    code.encode_verified(&shards[..10], &mut parity, 7).unwrap();
    assert_eq!(parity, shards[10..]);
    let mut some: Vec<Option<Vec<u8>>> = shards.iter().cloned().map(Some).collect();
    some[12].as_mut().unwrap()[4999] ^= 1;
    assert_eq!(code.verify(&some), Ok(Consistency::Inconsistent));
}

#[test]
fn halves_are_lost_and_located_each_by_itself() {
    let mut random = Random(5);
    let code = Hitchhiker::new(4, 3).unwrap();
    let halves = code.over_sub_shards().unwrap();
    assert_eq!((halves.data_units(), halves.parity_units(), halves.sub_shards()), (8, 6, 1));
    assert_eq!(halves.parity_rows(), code.parity_rows());
    assert!(ReedSolomon::new(4, 2).unwrap().over_sub_shards().is_none());
    let shards = group(&code, &[100; 4], 100, &mut random);
    let pieces: Vec<Vec<u8>> =
        shards.iter().flat_map(|shard| shard.chunks(50)).map(<[u8]>::to_vec).collect();
    let mut outcomes = [0; 2];
    for lost in sets(14, scaled(4, 6, 7)) {
        let there = complement(14, &lost);
        let all = lost.iter().all(|&unit| determine(code.parity_rows(), &there, unit));
        outcomes[usize::from(all)] += 1;
        assert_eq!(halves.is_recoverable(&lost), Ok(all), "{lost:?}");
        let determined = halves.determined_by(&there).unwrap();
        assert!(
            lost.iter()
                .all(|unit| determined.contains(unit)
                    == determine(code.parity_rows(), &there, *unit))
        );
        let mut rebuilt = without(&pieces, &lost);
        assert_eq!(halves.reconstruct(&mut rebuilt).is_ok(), all);
        if all {
            assert!(rebuilt.into_iter().flatten().eq(pieces.iter().cloned()), "{lost:?}");
        }
    }
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}");
    for wrong in 0..14 {
        let mut damaged: Vec<Option<Vec<u8>>> = pieces.iter().cloned().map(Some).collect();
        damaged[wrong].as_mut().unwrap().iter_mut().for_each(|byte| *byte ^= random.nonzero());
        let found = halves.locate(&damaged, 50).unwrap();
        assert_eq!(found.len(), 1);
        let restripe::Verdict::Wrong { units, .. } = &found[0].verdict else {
            panic!("half {wrong}: {:?}", found[0]);
        };
        assert_eq!(units, &[wrong]);
    }
}

#[test]
fn partial_sums_of_a_repair_make_the_whole() {
    let mut random = Random(6);
    let code = Hitchhiker::new(10, 4).unwrap();
    let shards = group(&code, &[640; 10], 640, &mut random);
    let plan = code.plan(&complement(14, &[4]), &[4]).unwrap();
    let units: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
    let mut sum = vec![vec![0; 640]];
    for held in units.chunks(4) {
        let share = Plan::from_bytes(&plan.restrict(held).unwrap().to_bytes()).unwrap();
        let inputs: Vec<&[u8]> =
            share.reads().iter().map(|read| part(&shards[read.unit], read, 320)).collect();
        share.apply_accumulate(&inputs, &mut sum).unwrap();
    }
    assert_eq!(sum[0], shards[4]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scaled(20, 200, 2000)))]

    #[test]
    fn what_is_encoded_comes_back(
        k in 1usize..30,
        m in 2usize..8,
        half in 0usize..20_000,
        seed: u64,
    ) {
        prop_assume!(m - 1 <= k);
        let mut random = Random(seed);
        let code = Hitchhiker::new(k, m).unwrap();
        let lens: Vec<usize> = (0..k).map(|_| random.below(2 * half + 1)).collect();
        let mut shards: Vec<Vec<u8>> = lens.iter().map(|&len| random.bytes(len)).collect();
        shards[0] = random.bytes(2 * half);
        let mut parity = vec![vec![0; 2 * half]; m];
        code.encode(&shards, &mut parity).unwrap();
        shards.extend(parity);
        let count = random.below(m) + 1;
        let lost = random.choose(0..k + m, count);
        let costs: Vec<u64> = (0..k + m).map(|_| random.below(5) as u64).collect();
        let available = random.shuffled(complement(k + m, &lost));
        let cost = match random.below(3) {
            0 => ReadCost::Bytes,
            1 => ReadCost::Reads,
            _ => ReadCost::Sources(&costs),
        };
        let plan = code.cheapest_plan(&available, &lost, cost).unwrap();
        let expected: Vec<Vec<u8>> =
            lost.iter().map(|&unit| continued(&shards[unit], 2 * half)).collect();
        prop_assert_eq!(apply(&plan, &shards, 2 * half), expected);
    }
}
