//! Encoding, rebuilding and updating by code, shard size and kernel.
//!
//! `cargo bench --bench codes -- encode/RS-6-3` runs a part. Throughput counts data and parity
//! bytes, as ISA-L does. An absolute figure from a shared machine is no claim: compare kernels and
//! versions within one run.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use restripe::{ErasureCode, Hitchhiker, KernelId, LocallyRepairable, ReedSolomon};

const CODES: [(usize, usize); 5] = [(3, 2), (6, 3), (10, 4), (17, 3), (50, 20)];
const SHARD_LENS: [usize; 4] = [512, 4 << 10, 64 << 10, 1 << 20];

fn shards(count: usize, len: usize) -> Vec<Vec<u8>> {
    (0..count).map(|unit| (0..len).map(|at| (at * 31 + unit * 7) as u8).collect()).collect()
}

fn code(k: usize, m: usize, kernel: KernelId) -> ReedSolomon {
    ReedSolomon::builder(k, m).kernel(kernel).build().expect("an MDS code")
}

/// Calls `bench` for every code, shard length and kernel with an identifier of all three.
fn for_each(mut bench: impl FnMut(usize, usize, usize, KernelId, BenchmarkId)) {
    for (k, m) in CODES {
        for len in SHARD_LENS {
            for kernel in KernelId::available() {
                let id = BenchmarkId::new(format!("RS-{k}-{m}/{kernel}"), len);
                bench(k, m, len, kernel, id);
            }
        }
    }
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for_each(|k, m, len, kernel, id| {
        let (code, data, mut parity) = (code(k, m, kernel), shards(k, len), shards(m, len));
        group.throughput(Throughput::Bytes(((k + m) * len) as u64));
        group.bench_function(id, |bencher| {
            bencher.iter(|| code.encode(&data, &mut parity));
        });
    });
}

fn rebuild_one_data_unit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rebuild");
    for_each(|k, m, len, kernel, id| {
        let code = code(k, m, kernel);
        let available: Vec<usize> = (1..=k).collect();
        let plan = code.plan(&available, &[0]).expect("any k units suffice");
        let (inputs, mut outputs) = (shards(k, len), shards(1, len));
        group.throughput(Throughput::Bytes(((k + 1) * len) as u64));
        group.bench_function(id, |bencher| {
            bencher.iter(|| plan.apply(&inputs, &mut outputs));
        });
    });
}

fn update_one_data_unit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    for_each(|k, m, len, kernel, id| {
        let (code, change, mut parity) = (code(k, m, kernel), shards(2, len), shards(m, len));
        group.throughput(Throughput::Bytes(((m + 2) * len) as u64));
        group.bench_function(id, |bencher| {
            bencher.iter(|| code.update(0, &change[0], &change[1], &mut parity));
        });
    });
}

/// Codes that read less to repair one unit, and Reed-Solomon with as many units.
fn saving_codes(kernel: KernelId) -> [(&'static str, Box<dyn ErasureCode>); 4] {
    let made = "numbers that the code has";
    [
        ("RS-10-4", Box::new(code(10, 4, kernel))),
        ("HHXOR-10-4", Box::new(Hitchhiker::with_kernel(10, 4, kernel).expect(made))),
        ("RS-12-4", Box::new(code(12, 4, kernel))),
        ("LRC-12-2-2", Box::new(LocallyRepairable::with_kernel(12, 2, 2, kernel).expect(made))),
    ]
}

/// Throughput counts what each code reads and writes for one lost unit; of codes that read
/// different amounts compare the times.
fn codes_that_read_less(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("saving");
    for len in SHARD_LENS {
        for kernel in KernelId::available() {
            for (name, code) in saving_codes(kernel) {
                let (k, m) = (code.data_units(), code.parity_units());
                let (data, mut parity) = (shards(k, len), shards(m, len));
                group.throughput(Throughput::Bytes(((k + m) * len) as u64));
                let id = BenchmarkId::new(format!("encode/{name}/{kernel}"), len);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| code.encode(&data, &mut parity));
                });

                let available: Vec<usize> = (1..k + m).collect();
                let plan = code.plan(&available, &[0]).expect("one unit is lost");
                let read = |count: usize| len / code.sub_shards() * count;
                let inputs: Vec<Vec<u8>> =
                    plan.reads().iter().map(|of| vec![0x5A; read(of.count)]).collect();
                let mut rebuilt = shards(1, len);
                let bytes = plan.cost().bytes(len as u64) + len as u64;
                group.throughput(Throughput::Bytes(bytes));
                let id = BenchmarkId::new(format!("rebuild/{name}/{kernel}"), len);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| plan.apply(&inputs, &mut rebuilt));
                });
            }
        }
    }
}

fn plan_from_nothing_and_from_the_cache(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    for (k, m) in CODES {
        let available: Vec<usize> = (m..k + m).collect();
        let lost: Vec<usize> = (0..m).collect();
        let code = code(k, m, KernelId::selected().expect("a kernel of this CPU"));
        group.bench_function(BenchmarkId::new("cached", format!("RS-{k}-{m}")), |bencher| {
            bencher.iter(|| code.plan(&available, &lost));
        });
        group.bench_function(BenchmarkId::new("cold", format!("RS-{k}-{m}")), |bencher| {
            bencher.iter_batched(
                || ReedSolomon::new(k, m).expect("an MDS code"),
                |code| code.plan(&available, &lost),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(
    codes,
    encode,
    rebuild_one_data_unit,
    update_one_data_unit,
    codes_that_read_less,
    plan_from_nothing_and_from_the_cache
);
criterion_main!(codes);
