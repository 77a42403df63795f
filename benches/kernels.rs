//! Sums of products in the nearest cache, by kernel: every shape, odd lengths, odd addresses.
//!
//! `cargo bench --bench kernels -- shape/avx2` runs a part. Throughput counts what is read and
//! written. An absolute figure from a shared machine is no claim: compare kernels and versions
//! within one run.

mod common;

use common::{code, shards};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use restripe::{ErasureCode, KernelId, MatrixKind, ReedSolomon};

const LEN: usize = 2 << 10;

/// Inputs and outputs: one entry function each, and more than one has.
const COLUMNS: [usize; 9] = [1, 2, 3, 6, 10, 16, 17, 32, 33];
const ROWS: [usize; 8] = [1, 2, 3, 4, 5, 6, 7, 12];

fn shapes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shape");
    for kernel in KernelId::available() {
        for columns in COLUMNS {
            for rows in ROWS {
                let code = code(columns, rows, kernel);
                let (inputs, mut outputs) = (shards(columns, LEN), shards(rows, LEN));
                group.throughput(Throughput::Bytes(((columns + rows) * LEN) as u64));
                let id = BenchmarkId::new(kernel.name(), format!("{columns}x{rows}"));
                group.bench_function(id, |bencher| {
                    bencher.iter(|| code.encode(&inputs, &mut outputs));
                });
            }
        }
    }
}

/// What is left over after the last whole vector, and vectors that straddle cache lines.
fn odd_lengths_and_addresses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("odd");
    let (k, m) = (6, 3);
    for kernel in KernelId::available() {
        let code = code(k, m, kernel);
        for (misaligned_by, len) in
            [(0, LEN), (1, LEN), (32, LEN), (0, LEN + 1), (0, LEN + 63), (1, LEN + 63), (0, 15)]
        {
            let (inputs, mut outputs) = (shards(k, len + 128), shards(m, len + 128));
            let from = |shard: &[u8]| shard.as_ptr().align_offset(64) + misaligned_by;
            let inputs: Vec<&[u8]> =
                inputs.iter().map(|shard| &shard[from(shard)..][..len]).collect();
            let mut outputs: Vec<&mut [u8]> = outputs
                .iter_mut()
                .map(|shard| {
                    let from = from(shard);
                    &mut shard[from..][..len]
                })
                .collect();
            group.throughput(Throughput::Bytes(((k + m) * len) as u64));
            let id = BenchmarkId::new(kernel.name(), format!("{len}+{misaligned_by}"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| code.encode(&inputs, &mut outputs));
            });
        }
    }
}

/// Outputs that are added to, and coefficients that are all 1.
fn accumulating_and_xor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("form");
    for kernel in KernelId::available() {
        for columns in [2, 6, 10] {
            let (inputs, mut outputs) = (shards(columns, LEN), shards(3, LEN));
            let name = |form| BenchmarkId::new(format!("{form}/{kernel}"), columns);
            let products = code(columns, 3, kernel);
            group.throughput(Throughput::Bytes(((columns + 6) * LEN) as u64));
            group.bench_function(name("accumulate"), |bencher| {
                bencher.iter(|| products.encode_plan().apply_accumulate(&inputs, &mut outputs));
            });
            let xor = ReedSolomon::builder(columns, 1).matrix(MatrixKind::Xor).kernel(kernel);
            let xor = xor.build().expect("an MDS code");
            group.throughput(Throughput::Bytes(((columns + 1) * LEN) as u64));
            group.bench_function(name("xor"), |bencher| {
                bencher.iter(|| xor.encode(&inputs, &mut outputs[..1]));
            });
        }
    }
}

criterion_group!(kernels, shapes, odd_lengths_and_addresses, accumulating_and_xor);
criterion_main!(kernels);
