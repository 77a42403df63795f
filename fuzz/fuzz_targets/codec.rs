//! Reed-Solomon codes with all matrices on any kernel, beside the definition in plain field
//! arithmetic: encode, update, verify, locate, rebuild, with shards of any lengths that begin at any
//! address.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{Consistency, ErasureCode, KernelId, MatrixKind, Mds, ReedSolomon, Verdict};
use restripe_fuzz::Choices;
use restripe_fuzz::oracle::{Random, combined};

/// A shard that begins at any address, and behind whose end is nothing that may be touched.
#[derive(Clone)]
struct Shard {
    memory: Box<[u8]>,
    start: usize,
}

impl Shard {
    fn new(content: &[u8], start: usize) -> Self {
        let mut memory = vec![0xA5; start];
        memory.extend_from_slice(content);
        Self { memory: memory.into(), start }
    }
}

impl AsRef<[u8]> for Shard {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

impl AsMut<[u8]> for Shard {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }
}

/// Everything that is the same for all kernels.
struct Case {
    kind: MatrixKind,
    /// Where in their memory shards begin.
    starts: Vec<usize>,
    data: Vec<Shard>,
    parity: Vec<Vec<u8>>,
    /// The data unit that changes, and what it becomes.
    changed: (usize, Vec<u8>),
    /// The units that are lost.
    lost: Vec<usize>,
    /// The unit with a wrong byte, which byte, and by what it is wrong.
    wrong: (usize, usize, u8),
    checksum: ChunkedChecksum,
    range_len: usize,
    seed: u64,
}

impl Case {
    fn new(choices: &mut Choices) -> Self {
        let kind = choices.one_of(MatrixKind::ALL);
        let most = if choices.seldom() { 100 } else { 24 };
        let k = 1 + choices.below(most);
        let m = match kind {
            MatrixKind::Xor => 1,
            MatrixKind::JerasureR6 => 2,
            _ => 1 + choices.below(8),
        };
        let seed = choices.long_number();
        // Bytes one by one at random would take longer than all that is tried with them.
        let pool = Random(seed).bytes(1031);
        let content = |unit: usize, len: usize| pool.repeat(len / 1031 + 2)[unit..][..len].to_vec();
        let len = choices.shard_len();
        let ragged = choices.byte() % 4 == 0;
        let starts: Vec<usize> = (0..k + m).map(|_| choices.below(65)).collect();
        let data: Vec<Shard> = (0..k)
            .map(|unit| {
                let len = if ragged { choices.below(len + 1) } else { len };
                Shard::new(&content(unit, len), starts[unit])
            })
            .collect();
        let longest = data.iter().map(|shard| shard.as_ref().len()).max().unwrap_or(0);
        let parity = expected_parity(kind, m, &data, longest);
        let changed = choices.below(k);
        let new = content(k, if ragged { choices.below(longest + 1) } else { len });
        let lost = choices.below(m + 1);
        let lost = choices.take(&mut (0..k + m).collect(), lost);
        let wrong = (choices.below(k + m), choices.number(), choices.byte().max(1));
        let sum = [ChecksumKind::Crc32, ChecksumKind::Crc32c];
        let checksum = ChunkedChecksum::new(choices.one_of(&sum), 1 + choices.below(1024));
        let checksum = checksum.expect("a chunk within the bounds");
        let range_len = 1 + choices.below(1024);
        let changed = (changed, new);
        Self { kind, starts, data, parity, changed, lost, wrong, checksum, range_len, seed }
    }

    fn on(&self, kernel: KernelId) -> ReedSolomon {
        ReedSolomon::builder(self.data.len(), self.parity.len())
            .matrix(self.kind)
            .accept_unchecked()
            .kernel(kernel)
            .build()
            .expect("a number of units that all kinds have")
    }

    /// Parity shards that hold something.
    fn junk(&self) -> Vec<Shard> {
        let starts = &self.starts[self.data.len()..];
        self.parity
            .iter()
            .zip(starts)
            .map(|(p, &start)| Shard::new(&vec![0x3C; p.len()], start))
            .collect()
    }

    /// All shards as they should be.
    fn all(&self) -> Vec<Shard> {
        let parity = self.parity.iter().zip(&self.starts[self.data.len()..]);
        let parity = parity.map(|(content, &start)| Shard::new(content, start));
        self.data.iter().cloned().chain(parity).collect()
    }
}

fn is_mds(code: &ReedSolomon) -> bool {
    code.mds() != Mds::Unchecked
}

/// By the definition, or for many bytes by the plain kernel, which small shards hold to it.
fn expected_parity(kind: MatrixKind, m: usize, data: &[Shard], longest: usize) -> Vec<Vec<u8>> {
    let rows = kind.parity_rows(data.len(), m).expect("a number of units that all kinds have");
    if data.len() * m * longest <= 1 << 14 {
        return combined(&rows, data, longest);
    }
    let scalar = KernelId::from_name("scalar").expect("it runs everywhere");
    let code = ReedSolomon::builder(data.len(), m).matrix(kind).accept_unchecked().kernel(scalar);
    let code = code.build().expect("a number of units that all kinds have");
    let mut parity = vec![vec![0; longest]; m];
    code.encode_plan().apply(data, &mut parity).expect("as many shards as units");
    parity
}

#[track_caller]
fn assert_same(kernel: KernelId, what: &str, got: &[impl AsRef<[u8]>], expected: &[Vec<u8>]) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(got.as_ref() == &expected[..], "{kernel}: {what}: shard {index} is wrong");
    }
}

fn encode(case: &Case, code: &ReedSolomon) {
    let mut parity = case.junk();
    code.encode(&case.data, &mut parity).expect("shards that fit");
    assert_same(code.kernel(), "encode", &parity, &case.parity);

    let mut parity = case.junk();
    code.encode_verified(&case.data, &mut parity, case.seed).expect("nothing is computed wrongly");
    assert_same(code.kernel(), "encode_verified", &parity, &case.parity);

    let sums_of = |shard: &[u8]| {
        let len = case.checksum.sums_len(shard.len() as u64).expect("a short one");
        vec![0; len as usize]
    };
    let mut parity = case.junk();
    let mut data_sums: Vec<_> = case.data.iter().map(|shard| sums_of(shard.as_ref())).collect();
    let mut parity_sums: Vec<_> = case.parity.iter().map(|shard| sums_of(shard)).collect();
    let checksum = case.checksum.with_kernel(code.kernel());
    code.encode_with_checksums(
        &checksum,
        &case.data,
        &mut parity,
        &mut data_sums,
        &mut parity_sums,
    )
    .expect("shards and checksums that fit");
    assert_same(code.kernel(), "encode_with_checksums", &parity, &case.parity);
    let scalar = checksum.with_kernel(KernelId::from_name("scalar").expect("it runs everywhere"));
    let data = case.data.iter().map(AsRef::as_ref);
    let shards = data.chain(case.parity.iter().map(|shard| &shard[..]));
    for (shard, sums) in shards.zip(data_sums.iter().chain(&parity_sums)) {
        scalar.verify(shard, sums).expect("the checksums of the shards");
    }
}

fn update(case: &Case, code: &ReedSolomon) {
    let (unit, new) = &case.changed;
    let old = case.data[*unit].as_ref();
    let mut parity = case.all().split_off(case.data.len());
    let longest = old.len().max(new.len());
    let mut beginnings: Vec<&mut [u8]> =
        parity.iter_mut().map(|shard| &mut shard.as_mut()[..longest]).collect();
    code.update(*unit, old, new, &mut beginnings).expect("shards that fit");
    let mut data = case.data.clone();
    data[*unit] = Shard::new(new, 3);
    let longest = parity.first().map_or(0, |shard| shard.as_ref().len());
    let expected = expected_parity(case.kind, parity.len(), &data, longest);
    assert_same(code.kernel(), "update", &parity, &expected);
}

fn check(case: &Case, code: &ReedSolomon) {
    let mut shards: Vec<Option<Shard>> = case.all().into_iter().map(Some).collect();
    assert_eq!(code.verify(&shards), Ok(Consistency::Consistent));
    assert_eq!(code.locate(&shards, case.range_len), Ok(Vec::new()));
    let (unit, at, change) = case.wrong;
    let wrong = shards[unit].as_mut().expect("all are there").as_mut();
    if wrong.is_empty() {
        return;
    }
    let at = at % wrong.len();
    wrong[at] ^= change;
    assert_eq!(code.verify(&shards), Ok(Consistency::Inconsistent));
    let found = code.locate(&shards, case.range_len).expect("nothing is missing");
    assert_eq!(found.len(), 1);
    assert!(found[0].range.contains(&at));
    match &found[0].verdict {
        Verdict::Wrong { units, holds_up_to } => {
            assert!(*units == [unit] || *holds_up_to == 0, "{units:?} for {unit}");
        }
        Verdict::CannotTell => assert!(!is_mds(code) || case.parity.len() < 2),
    }
}

fn rebuild(case: &Case, code: &ReedSolomon) {
    let whole = case.all();
    let mut shards: Vec<Option<Shard>> = whole.iter().cloned().map(Some).collect();
    for &unit in &case.lost {
        shards[unit] = None;
    }
    let recoverable = code.is_recoverable(&case.lost).expect("units that there are, each once");
    assert!(recoverable || !is_mds(code), "{:?}", case.lost);
    let mut rebuilt: Vec<(usize, Shard)> = case
        .lost
        .iter()
        .map(|&unit| (unit, Shard::new(&vec![0x3C; whole[unit].as_ref().len()], case.starts[unit])))
        .collect();
    let longest = shards.iter().flatten().map(|shard| shard.as_ref().len()).max().unwrap_or(0);
    if rebuilt.iter().any(|(_, shard)| shard.as_ref().len() > longest) {
        return;
    }
    if let Err(error) = code.reconstruct_into(&shards, 0..longest, &mut rebuilt) {
        assert!(!recoverable, "{error}");
        return;
    }
    for (unit, shard) in &rebuilt {
        assert_same(code.kernel(), "rebuild", &[shard], &[whole[*unit].as_ref().to_vec()]);
    }
}

fuzz_target!(
    init: restripe_fuzz::stream_from_a_page(),
    |bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let kernels: Vec<KernelId> = KernelId::available().collect();
        let kernel = choices.one_of(&kernels);
        let case = Case::new(&mut choices);
        let code = case.on(kernel);
        encode(&case, &code);
        update(&case, &code);
        check(&case, &code);
        rebuild(&case, &code);
    }
);
