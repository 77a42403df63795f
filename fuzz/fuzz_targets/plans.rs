//! Plans of every code for any units available and wanted, in any order: there is one exactly
//! where plain elimination says so, it computes what the definition of the code says, and does so
//! cut into shares and read back from its bytes.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use restripe::gf8::Matrix;
use restripe::{
    ErasureCode, Hitchhiker, LocallyRepairable, MatrixKind, Mds, Plan, ReadCost, ReedSolomon,
};
use restripe_fuzz::Choices;
use restripe_fuzz::oracle::{Random, combined, determine};

type Code = Arc<dyn ErasureCode>;

/// A code of any kind, or `None` where there is none with such numbers.
fn code(choices: &mut Choices) -> Option<Code> {
    let (k, m) = (1 + choices.below(12), 1 + choices.below(4));
    Some(match choices.below(16) {
        kind @ 0..10 => {
            let kind = MatrixKind::ALL[kind];
            let m = match kind {
                MatrixKind::Xor => 1,
                MatrixKind::JerasureR6 => 2,
                _ => m,
            };
            Arc::new(ReedSolomon::builder(k, m).matrix(kind).accept_unchecked().build().ok()?)
        }
        10 => Arc::new(Hitchhiker::new(k, m).ok()?),
        11 => Hitchhiker::new(k, m).ok()?.over_sub_shards()?,
        // Coefficients for more global parities take long to be found.
        12 | 13 => Arc::new(LocallyRepairable::new(k, 1 + choices.below(4), m.min(2)).ok()?),
        // Any matrix, mostly one with many zeros.
        _ => {
            let zeros = choices.below(4);
            let mut random = Random(choices.long_number());
            let rows =
                Matrix::from_fn(
                    m,
                    k,
                    |_, _| {
                        if random.below(4) < zeros { 0 } else { random.byte() }
                    },
                );
            Arc::new(ReedSolomon::builder(k, m).parity_rows(rows).accept_unchecked().build().ok()?)
        }
    })
}

/// All shards by the definition, each `sub_len` bytes for every sub-shard.
fn shards(code: &Code, sub_len: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let subs = code.sub_shards();
    let mut parts: Vec<Vec<u8>> =
        (0..code.data_units() * subs).map(|_| random.bytes(sub_len)).collect();
    parts.extend(combined(code.parity_rows(), &parts, sub_len));
    parts.chunks(subs).map(<[Vec<u8>]>::concat).collect()
}

/// The sub-shards of units.
fn parts_of(code: &Code, units: &[usize]) -> Vec<usize> {
    let subs = code.sub_shards();
    units.iter().flat_map(|unit| unit * subs..(unit + 1) * subs).collect()
}

fn inputs<'a>(plan: &Plan, shards: &'a [Vec<u8>], sub_len: usize) -> Vec<&'a [u8]> {
    let bytes = |sub: usize| sub * sub_len;
    let part = |read: &restripe::Read| {
        &shards[read.unit][bytes(read.first_sub)..bytes(read.first_sub + read.count)]
    };
    plan.reads().iter().map(part).collect()
}

fn check(plan: &Plan, wanted: &[usize], shards: &[Vec<u8>], sub_len: usize) {
    assert_eq!(plan.outputs(), wanted);
    let inputs = inputs(plan, shards, sub_len);
    let junk = vec![vec![0x3C; sub_len * plan.sub_shards()]; wanted.len()];
    let expected: Vec<&Vec<u8>> = wanted.iter().map(|&unit| &shards[unit]).collect();

    let mut outputs = junk.clone();
    plan.apply(&inputs, &mut outputs).expect("buffers that fit");
    assert!(outputs.iter().eq(expected.iter().copied()), "apply: {plan:?}");

    let again = Plan::from_bytes(&plan.to_bytes()).expect("bytes of a plan");
    assert_eq!(again, *plan);
    let mut outputs = junk;
    again.apply(&inputs, &mut outputs).expect("buffers that fit");
    assert!(outputs.iter().eq(expected), "a plan read back: {plan:?}");
}

/// The shares of the units read, cut in two anywhere, sum up to the whole.
fn check_shares(plan: &Plan, shards: &[Vec<u8>], sub_len: usize, choices: &mut Choices) {
    let units: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
    // A plan may read two ranges of one unit.
    let mut left: Vec<usize> = units.clone();
    left.sort_unstable();
    left.dedup();
    let count = choices.below(left.len() + 1);
    let right = choices.take(&mut left, count);
    let mut sums = vec![vec![0; sub_len * plan.sub_shards()]; plan.outputs().len()];
    for share in [left, right] {
        let share = plan.restrict(&share).expect("units that are read, each once");
        share.apply_accumulate(&inputs(&share, shards, sub_len), &mut sums).expect("they fit");
    }
    for (sum, &unit) in sums.iter().zip(plan.outputs()) {
        assert!(*sum == shards[unit], "shares: {plan:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let Some(code) = code(&mut choices) else { return };
    let mut random = Random(choices.long_number());
    let sub_len = choices.below(100);
    let shards = shards(&code, sub_len, &mut random);

    let mut units: Vec<usize> = (0..code.total_units()).collect();
    let count = choices.below(units.len() + 1);
    let available = choices.take(&mut units, count);
    let count = choices.below(units.len() + 1);
    let wanted = choices.take(&mut units, count);

    let sub_units = parts_of(&code, &available);
    let determined = |unit: usize| {
        available.contains(&unit)
            || parts_of(&code, &[unit])
                .iter()
                .all(|&part| determine(code.parity_rows(), &sub_units, part))
    };
    let expected: Vec<usize> = (0..code.total_units()).filter(|&unit| determined(unit)).collect();
    assert_eq!(code.determined_by(&available), Ok(expected.clone()), "{available:?}: {code:?}");
    // An MDS code wants its k units, whatever is wanted of them.
    let possible = match code.mds() {
        Mds::Unchecked => wanted.iter().all(|unit| expected.contains(unit)),
        _ => wanted.is_empty() || available.len() >= code.data_units(),
    };

    let costs: Vec<u64> = (0..code.total_units()).map(|_| u64::from(choices.byte())).collect();
    let plans = [
        code.plan(&available, &wanted),
        code.cheapest_plan(&available, &wanted, ReadCost::Bytes),
        code.cheapest_plan(&available, &wanted, ReadCost::Reads),
        code.cheapest_plan(&available, &wanted, ReadCost::Sources(&costs)),
        // Out of the cache.
        code.plan(&available, &wanted),
    ];
    for plan in plans {
        assert_eq!(plan.is_ok(), possible, "{wanted:?} from {available:?}: {code:?}");
        let Ok(plan) = plan else { continue };
        assert!(plan.reads().iter().all(|read| available.contains(&read.unit)));
        check(&plan, &wanted, &shards, sub_len);
        check_shares(&plan, &shards, sub_len, &mut choices);
    }
});
