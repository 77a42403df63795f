//! Encoding, rebuilding, updating and checking by code, shard size and kernel.
//!
//! `cargo bench --bench codes -- encode/RS-6-3` runs a part. Throughput counts data and parity
//! bytes, as ISA-L does. An absolute figure from a shared machine is no claim: compare kernels and
//! versions within one run.

mod common;

use common::{CODES, code, shards};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use restripe::{ErasureCode, Hitchhiker, KernelId, LocallyRepairable};

const SHARD_LENS: [usize; 4] = [512, 4 << 10, 64 << 10, 1 << 20];

/// Calls `bench` for every code, shard length and kernel with a name of all three.
fn for_each(mut bench: impl FnMut(usize, usize, usize, KernelId, String)) {
    for (k, m) in CODES {
        for len in SHARD_LENS {
            for kernel in KernelId::available() {
                bench(k, m, len, kernel, format!("RS-{k}-{m}/{kernel}/{len}"));
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

/// The first data units, from the k units after them.
fn rebuild(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rebuild");
    for_each(|k, m, len, kernel, id| {
        let code = code(k, m, kernel);
        for lost in [1, m] {
            let available: Vec<usize> = (lost..lost + k).collect();
            let wanted: Vec<usize> = (0..lost).collect();
            let plan = code.plan(&available, &wanted).expect("any k units suffice");
            let (inputs, mut outputs) = (shards(k, len), shards(lost, len));
            group.throughput(Throughput::Bytes(((k + lost) * len) as u64));
            group.bench_function(format!("{lost}/{id}"), |bencher| {
                bencher.iter(|| plan.apply(&inputs, &mut outputs));
            });
        }
    });
}

/// What it costs to know more: beside the plain `encode` of the same run.
fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    for_each(|k, m, len, kernel, id| {
        let (code, data, mut parity) = (code(k, m, kernel), shards(k, len), shards(m, len));
        group.throughput(Throughput::Bytes(((k + m) * len) as u64));
        group.bench_function(format!("encode_verified/{id}"), |bencher| {
            bencher.iter(|| code.encode_verified(&data, &mut parity, 7));
        });
        let all: Vec<Option<&Vec<u8>>> = data.iter().chain(&parity).map(Some).collect();
        group.bench_function(format!("verify/{id}"), |bencher| {
            bencher.iter(|| code.verify(&all));
        });
        group.bench_function(format!("locate/{id}"), |bencher| {
            bencher.iter(|| code.locate(&all, 512));
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

criterion_group!(codes, encode, rebuild, update_one_data_unit, checks, codes_that_read_less);
criterion_main!(codes);
