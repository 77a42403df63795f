//! Properties that hold for any code, kernel, length, alignment and loss: random cases of each.

use std::ops::Range;

use proptest::prelude::*;
use restripe::{ErasureCode, KernelId, MatrixKind, Plan, ReedSolomon};

mod oracle;
use oracle::{Random, complement, parity_of, scaled, without};

/// One random case: a code on some kernel, and data shards somewhere in memory.
#[derive(Clone, Debug)]
struct Case {
    k: usize,
    m: usize,
    /// Counts in the kinds that are MDS with these numbers of units.
    kind: usize,
    /// Counts in the kernels of this CPU.
    kernel: usize,
    len: usize,
    /// Whether data shards may be shorter than `len`.
    uneven: bool,
    /// Decides everything else.
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let units = prop_oneof![
        6 => (1..=12usize, 1..=5usize),
        2 => (1..=40usize, 1..=14usize),
        1 => (1..=201usize, 1..=55usize),
    ];
    let lens = prop_oneof![2 => 0..70usize, 3 => 0..1500usize, 1 => 4000..9000usize];
    (units, any::<[usize; 2]>(), lens, any::<bool>(), any::<u64>()).prop_map(
        |((k, m), [kind, kernel], len, uneven, seed)| {
            // Large codes get short shards: the oracle goes byte by byte.
            let len = if k * m > 200 { len % 300 } else { len };
            Case { k, m, kind, kernel, len, uneven, seed }
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: scaled(5, 1500, 20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

impl Case {
    fn code(&self) -> ReedSolomon {
        let kinds: Vec<MatrixKind> = MatrixKind::ALL
            .iter()
            .copied()
            .filter(|&kind| ReedSolomon::with_matrix(self.k, self.m, kind).is_ok())
            .collect();
        let kernels: Vec<KernelId> = KernelId::available().collect();
        ReedSolomon::builder(self.k, self.m)
            .matrix(kinds[self.kind % kinds.len()])
            .kernel(kernels[self.kernel % kernels.len()])
            .build()
            .unwrap()
    }

    fn random(&self) -> Random {
        Random(self.seed)
    }

    /// Data shards, at least one of them with `len` bytes.
    fn data(&self, random: &mut Random) -> Vec<Vec<u8>> {
        let full = random.below(self.k);
        let mut data = Vec::new();
        for unit in 0..self.k {
            let is_short = self.uneven && unit != full && random.below(2) == 0;
            let len = if is_short { random.below(self.len + 1) } else { self.len };
            data.push(random.bytes(len));
        }
        data
    }

    /// All units by plain arithmetic, and some of them lost.
    fn damaged(&self, code: &ReedSolomon, random: &mut Random) -> (Vec<Vec<u8>>, Vec<usize>) {
        let mut shards = self.data(random);
        shards.extend(parity_of(code, &shards));
        let count = random.below(self.m + 1);
        let lost = random.choose(0..self.k + self.m, count);
        (shards, lost)
    }

    /// A plan for some lost units, its inputs, and what it should compute.
    fn plan(&self, code: &ReedSolomon, random: &mut Random) -> PlanCase {
        let (shards, lost) = self.damaged(code, random);
        let available = random.shuffled(complement(self.k + self.m, &lost));
        let plan = Plan::clone(&code.plan(&available, &lost).unwrap());
        let inputs = plan.reads().iter().map(|read| shards[read.unit].clone()).collect();
        // Cut to other lengths than the units' own, some of them past their end.
        let cut = |&unit: &usize| {
            let mut output = shards[unit].clone();
            output.resize(random.below(2 * self.len + 2), 0);
            output
        };
        let outputs = lost.iter().map(cut).collect();
        PlanCase { plan, inputs, outputs }
    }
}

struct PlanCase {
    plan: Plan,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

impl PlanCase {
    /// Buffers of the outputs' lengths, full of something else.
    fn blank(&self, filler: u8) -> Vec<Vec<u8>> {
        self.outputs.iter().map(|output| vec![filler; output.len()]).collect()
    }
}

/// One allocation with room for every shard behind a few bytes that no slice owns: slices at any
/// alignment, next to each other.
struct Memory {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

const AROUND: u8 = 0xA5;

impl Memory {
    fn new(lens: impl Iterator<Item = usize>, random: &mut Random) -> Self {
        let mut ranges = Vec::new();
        let mut end = random.below(64);
        for len in lens {
            ranges.push(end..end + len);
            end += len + 1 + random.below(64);
        }
        Self { bytes: vec![AROUND; end], ranges }
    }

    fn holding(shards: &[Vec<u8>], random: &mut Random) -> Self {
        let mut memory = Self::new(shards.iter().map(Vec::len), random);
        for (slice, shard) in memory.slices_mut().into_iter().zip(shards) {
            slice.copy_from_slice(shard);
        }
        memory
    }

    fn slices(&self) -> Vec<&[u8]> {
        self.ranges.iter().map(|range| &self.bytes[range.clone()]).collect()
    }

    fn slices_mut(&mut self) -> Vec<&mut [u8]> {
        let mut slices = Vec::new();
        let (mut rest, mut at) = (&mut self.bytes[..], 0);
        for range in &self.ranges {
            let (head, tail) = rest.split_at_mut(range.end - at);
            slices.push(&mut head[range.start - at..]);
            (rest, at) = (tail, range.end);
        }
        slices
    }

    /// Whether the bytes that no slice owns are as they were.
    fn around_is_untouched(&self) -> bool {
        let ends = self.ranges.iter().map(|range| range.end);
        let starts = self.ranges.iter().map(|range| range.start);
        let gaps = std::iter::once(0).chain(ends).zip(starts.chain([self.bytes.len()]));
        let mut bytes = gaps.flat_map(|(start, end)| &self.bytes[start..end]);
        bytes.all(|&byte| byte == AROUND)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn encode_is_plain_arithmetic(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let data = case.data(&mut random);
        let expected = parity_of(&code, &data);
        let inputs = Memory::holding(&data, &mut random);
        let mut parity = Memory::new((0..case.m).map(|_| case.len), &mut random);
        code.encode(&inputs.slices(), &mut parity.slices_mut()).unwrap();
        prop_assert_eq!(parity.slices(), expected);
        prop_assert!(parity.around_is_untouched());
    }

    #[test]
    fn encode_verified_is_encode(case in cases(), seed: u64) {
        let (code, mut random) = (case.code(), case.random());
        let data = case.data(&mut random);
        let mut parity = Memory::new((0..case.m).map(|_| case.len), &mut random);
        code.encode_verified(&data, &mut parity.slices_mut(), seed).unwrap();
        prop_assert_eq!(parity.slices(), parity_of(&code, &data));
        prop_assert!(parity.around_is_untouched());
    }

    #[test]
    fn progressive_in_any_order_is_encode(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let data = case.data(&mut random);
        let mut parity = vec![vec![0xEE; case.len]; case.m];
        let mut progressive = code.progressive(&mut parity).unwrap();
        let order = random.shuffled(0..case.k);
        for (added, &unit) in order.iter().enumerate() {
            let mut missing = order[added..].to_vec();
            missing.sort_unstable();
            prop_assert_eq!(progressive.missing().collect::<Vec<_>>(), missing);
            progressive.add(unit, &data[unit]).unwrap();
        }
        progressive.finish().unwrap();
        prop_assert_eq!(parity, parity_of(&code, &data));
    }

    #[test]
    fn update_is_encode_again(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let mut data = case.data(&mut random);
        let mut parity = parity_of(&code, &data);
        let unit = random.below(case.k);
        // A range of one unit, replaced by as many bytes or fewer.
        let start = random.below(case.len + 1);
        let end = start + random.below(case.len - start + 1);
        let mut whole = data[unit].clone();
        whole.resize(case.len, 0);
        let old = &whole[start..end];
        let stored = data[unit].len().clamp(start, end);
        let is_full = random.below(2) == 0;
        let new_len = if is_full { end - start } else { random.below(end - start + 1) };
        let new = random.bytes(new_len);
        // Zeros at the end of what was stored may be left out.
        let old = &old[..stored - start];
        let longer = start..start + old.len().max(new.len());
        let mut ranges: Vec<&mut [u8]> =
            parity.iter_mut().map(|shard| &mut shard[longer.clone()]).collect();
        code.update(unit, old, &new, &mut ranges).unwrap();
        whole[start..end].fill(0);
        whole[start..start + new.len()].copy_from_slice(&new);
        data[unit] = whole;
        prop_assert_eq!(parity, parity_of(&code, &data));
    }

    #[test]
    fn reconstruct_puts_back_what_was_lost(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let (shards, lost) = case.damaged(&code, &mut random);
        let mut rebuilt = without(&shards, &lost);
        code.reconstruct(&mut rebuilt).unwrap();
        for (unit, shard) in rebuilt.into_iter().enumerate() {
            let mut expected = shards[unit].clone();
            if lost.contains(&unit) {
                expected.resize(case.len, 0);
            }
            prop_assert_eq!(shard, Some(expected));
        }
    }

    #[test]
    fn reconstruct_into_rebuilds_any_range(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let (shards, lost) = case.damaged(&code, &mut random);
        let stored = without(&shards, &lost);
        let start = random.below(case.len + 1);
        let end = start + random.below(case.len - start + 1);
        let lens: Vec<usize> =
            lost.iter().map(|_| random.below(end - start + 1)).collect();
        let mut memory = Memory::new(lens.into_iter(), &mut random);
        let mut wanted: Vec<(usize, &mut [u8])> =
            lost.iter().copied().zip(memory.slices_mut()).collect();
        code.reconstruct_into(&stored, start..end, &mut wanted).unwrap();
        for (&unit, buffer) in lost.iter().zip(memory.slices()) {
            let mut whole = shards[unit].clone();
            whole.resize(case.len, 0);
            prop_assert_eq!(buffer, &whole[start..start + buffer.len()]);
        }
        prop_assert!(memory.around_is_untouched());
    }

    #[test]
    fn a_plan_computes_what_was_lost_into_buffers_of_any_length(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let this = case.plan(&code, &mut random);
        let inputs = Memory::holding(&this.inputs, &mut random);
        let mut outputs = Memory::new(this.outputs.iter().map(Vec::len), &mut random);
        this.plan.apply(&inputs.slices(), &mut outputs.slices_mut()).unwrap();
        prop_assert_eq!(outputs.slices(), &this.outputs[..]);
        prop_assert!(outputs.around_is_untouched());
    }

    #[test]
    fn a_plan_on_a_range_of_the_shards_computes_that_range(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let this = case.plan(&code, &mut random);
        let start = random.below(case.len + 1);
        let end = start + random.below(case.len + 1);
        let part = |shard: &[u8]| shard[shard.len().min(start)..shard.len().min(end)].to_vec();
        let inputs: Vec<Vec<u8>> = this.inputs.iter().map(|shard| part(shard)).collect();
        let expected: Vec<Vec<u8>> = this.outputs.iter().map(|shard| part(shard)).collect();
        let mut outputs: Vec<Vec<u8>> =
            expected.iter().map(|output| vec![0xEE; output.len()]).collect();
        this.plan.apply(&inputs, &mut outputs).unwrap();
        prop_assert_eq!(outputs, expected);
    }

    #[test]
    fn inputs_added_in_any_order_make_the_whole(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let this = case.plan(&code, &mut random);
        if this.outputs.is_empty() {
            return Ok(());
        }
        let mut outputs = this.blank(0);
        for index in random.shuffled(0..this.inputs.len()) {
            this.plan.add_input(index, &this.inputs[index], &mut outputs).unwrap();
        }
        prop_assert_eq!(outputs, this.outputs);
    }

    #[test]
    fn shares_of_any_partition_sum_up_to_the_whole(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let this = case.plan(&code, &mut random);
        let machines = 1 + random.below(4);
        let place: Vec<usize> = this.inputs.iter().map(|_| random.below(machines)).collect();
        let mut outputs = this.blank(0);
        for machine in random.shuffled(0..machines) {
            let held: Vec<usize> =
                (0..place.len()).filter(|&index| place[index] == machine).collect();
            let units = held.iter().map(|&index| this.plan.reads()[index].unit);
            let share = this.plan.restrict(&random.shuffled(units)).unwrap();
            let inputs: Vec<&Vec<u8>> = held.iter().map(|&index| &this.inputs[index]).collect();
            let mut partial = this.blank(0xEE);
            share.apply(&inputs, &mut partial).unwrap();
            let mut accumulated = outputs.clone();
            share.apply_accumulate(&inputs, &mut accumulated).unwrap();
            for (sum, byte) in outputs.iter_mut().flatten().zip(partial.iter().flatten()) {
                *sum ^= byte;
            }
            prop_assert_eq!(&outputs, &accumulated);
        }
        prop_assert_eq!(outputs, this.outputs);
    }

    #[test]
    fn a_serialised_plan_computes_the_same(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let this = case.plan(&code, &mut random);
        let bytes = this.plan.to_bytes();
        let read = Plan::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &this.plan);
        prop_assert_eq!(read.to_bytes(), &bytes[..]);
        prop_assert_eq!(read.coefficients(), this.plan.coefficients());
        let mut outputs = this.blank(0xEE);
        read.apply(&this.inputs, &mut outputs).unwrap();
        prop_assert_eq!(outputs, this.outputs);
    }

    #[test]
    fn a_serialised_plan_that_is_cut_or_changed_is_refused(case in cases()) {
        let (code, mut random) = (case.code(), case.random());
        let mut bytes = case.plan(&code, &mut random).plan.to_bytes();
        let position = random.below(bytes.len());
        prop_assert!(Plan::from_bytes(&bytes[..position]).is_err());
        bytes[position] ^= random.nonzero();
        prop_assert!(Plan::from_bytes(&bytes).is_err());
    }
}

#[cfg(feature = "rayon")]
mod on_several_cores {
    use super::*;

    /// Shards large enough to be shared among three threads.
    fn large_cases() -> impl Strategy<Value = Case> {
        (1..=6usize, 1..=4usize, 150_000..400_000usize, any::<u64>(), any::<bool>()).prop_map(
            |(k, m, len, seed, uneven)| Case { k, m, kind: 0, kernel: 0, len, uneven, seed },
        )
    }

    fn pool() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: scaled(1, 20, 1000), ..config() })]

        #[test]
        fn encode_parallel_is_encode(case in large_cases()) {
            let (code, mut random) = (case.code(), case.random());
            let data = case.data(&mut random);
            let mut expected = vec![vec![0; case.len]; case.m];
            code.encode(&data, &mut expected).unwrap();
            let mut parity = vec![vec![0xEE; case.len]; case.m];
            pool().install(|| code.encode_parallel(&data, &mut parity)).unwrap();
            prop_assert!(parity == expected);
        }

        #[test]
        fn reconstruct_parallel_is_reconstruct(case in large_cases()) {
            let (code, mut random) = (case.code(), case.random());
            let mut shards = case.data(&mut random);
            let mut parity = vec![vec![0; case.len]; case.m];
            code.encode(&shards, &mut parity).unwrap();
            shards.extend(parity);
            let count = random.below(case.m + 1);
            let lost = random.choose(0..case.k + case.m, count);
            let mut expected = without(&shards, &lost);
            code.reconstruct(&mut expected).unwrap();
            let mut rebuilt = without(&shards, &lost);
            pool().install(|| code.reconstruct_parallel(&mut rebuilt)).unwrap();
            prop_assert!(rebuilt == expected);
        }

        #[test]
        fn apply_parallel_is_apply_for_outputs_of_any_lengths(case in large_cases()) {
            let (code, mut random) = (case.code(), case.random());
            let data = case.data(&mut random);
            let mut expected: Vec<Vec<u8>> =
                (0..case.m).map(|_| vec![0xEE; random.below(2 * case.len)]).collect();
            let mut outputs = expected.clone();
            let plan = code.encode_plan();
            plan.apply(&data, &mut expected).unwrap();
            pool().install(|| plan.apply_parallel(&data, &mut outputs)).unwrap();
            prop_assert!(outputs == expected);
        }
    }
}
