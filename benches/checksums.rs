//! Chunk checksums by kind, chunk length and kernel, and coding with checksums beside coding, then
//! checksums.
//!
//! `cargo bench --bench checksums -- compute/Crc32c` runs a part. Throughput counts the bytes that
//! are summed. An absolute figure from a shared machine is no claim: compare kernels and versions
//! within one run. ISA-L and other crates are compared in `differential/`.

mod common;

use common::shards;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{ErasureCode, KernelId, ReedSolomon};

const CRCS: [ChecksumKind; 2] = [ChecksumKind::Crc32, ChecksumKind::Crc32c];
const CHUNK_LENS: [usize; 4] = [512, 1000, 4 << 10, 1 << 20];

fn checksum(kind: ChecksumKind, chunk_len: usize, kernel: KernelId) -> ChunkedChecksum {
    ChunkedChecksum::new(kind, chunk_len).expect("a chunk length").with_kernel(kernel)
}

fn room(checksum: ChunkedChecksum, len: usize) -> Vec<u8> {
    vec![0; checksum.sums_len(len as u64).expect("a small number") as usize]
}

fn compute_and_verify(criterion: &mut Criterion) {
    for total in [64 << 10, 1 << 20, 16 << 20] {
        let data = &shards(1, total)[0];
        for kind in CRCS {
            for chunk_len in CHUNK_LENS.into_iter().filter(|&chunk_len| chunk_len <= total) {
                for kernel in KernelId::available() {
                    let checksum = checksum(kind, chunk_len, kernel);
                    let mut sums = room(checksum, total);
                    let id = || BenchmarkId::new(format!("{kind:?}-{chunk_len}/{kernel}"), total);
                    let mut group = criterion.benchmark_group("compute");
                    group.throughput(Throughput::Bytes(total as u64));
                    group.bench_function(id(), |bencher| {
                        bencher.iter(|| checksum.compute(data, &mut sums));
                    });
                    group.finish();
                    let mut group = criterion.benchmark_group("verify");
                    group.throughput(Throughput::Bytes(total as u64));
                    group.bench_function(id(), |bencher| {
                        bencher.iter(|| checksum.verify(data, &sums));
                    });
                    group.finish();
                }
            }
        }
    }
}

fn encode_with_checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (k, m) in [(6, 3), (10, 4)] {
        for len in [4 << 10, 64 << 10, 1 << 20, 16 << 20] {
            for kernel in KernelId::available() {
                let code = ReedSolomon::builder(k, m).kernel(kernel).build().expect("an MDS code");
                let checksum = checksum(ChecksumKind::Crc32c, 512, kernel);
                let (data, mut parity) = (shards(k, len), shards(m, len));
                let mut data_sums = vec![room(checksum, len); k];
                let mut parity_sums = vec![room(checksum, len); m];
                group.throughput(Throughput::Bytes(((k + m) * len) as u64));
                let name = |what| BenchmarkId::new(format!("{what}/RS-{k}-{m}/{kernel}"), len);
                group.bench_function(name("then-checksums"), |bencher| {
                    bencher.iter(|| {
                        code.encode(&data, &mut parity)?;
                        let shards = data.iter().chain(&parity);
                        shards
                            .zip(data_sums.iter_mut().chain(&mut parity_sums))
                            .try_for_each(|(shard, sums)| checksum.compute(shard, sums))
                    });
                });
                group.bench_function(name("with-checksums"), |bencher| {
                    bencher.iter(|| {
                        code.encode_with_checksums(
                            &checksum,
                            &data,
                            &mut parity,
                            &mut data_sums,
                            &mut parity_sums,
                        )
                    });
                });
            }
        }
    }
}

fn rebuild_with_checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rebuild");
    let (k, m) = (6, 3);
    let code = ReedSolomon::new(k, m).expect("an MDS code");
    let plan = code.plan(&[1, 2, 3, 4, 5, 6], &[0]).expect("any k units suffice");
    for len in [64 << 10, 1 << 20] {
        let checksum = checksum(ChecksumKind::Crc32c, 512, code.kernel());
        let (inputs, mut outputs) = (shards(k, len), shards(1, len));
        let mut input_sums = vec![room(checksum, len); k];
        for (input, sums) in inputs.iter().zip(&mut input_sums) {
            checksum.compute(input, sums).expect("room for the sums");
        }
        let mut output_sums = vec![room(checksum, len)];
        group.throughput(Throughput::Bytes(((k + 1) * len) as u64));
        group.bench_function(BenchmarkId::new("with-checksums/RS-6-3", len), |bencher| {
            bencher.iter(|| {
                plan.apply_with_checksums(
                    &checksum,
                    &inputs,
                    &input_sums,
                    &mut outputs,
                    &mut output_sums,
                )
            });
        });
    }
}

criterion_group!(checksums, compute_and_verify, encode_with_checksums, rebuild_with_checksums);
criterion_main!(checksums);
