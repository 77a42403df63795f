//! Plans: made, found again, kept, sent.
//!
//! `cargo bench --bench plans -- cold` runs a part. Times of calls; beside them stands what
//! applying the plan to 4 KiB takes, which is what a plan that is not kept is added to.

mod common;

use common::{CODES, code, shards};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use restripe::{ErasureCode, KernelId, Plan, ReedSolomon};

const LEN: usize = 4 << 10;

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    let kernel = KernelId::selected().expect("a kernel of this CPU");
    for (k, m) in CODES {
        let name = |what| BenchmarkId::new(what, format!("RS-{k}-{m}"));
        let available: Vec<usize> = (m..k + m).collect();
        let lost: Vec<usize> = (0..m.min(k)).collect();
        let code = code(k, m, kernel);
        let plan = code.plan(&available, &lost).expect("any k units suffice");
        let (inputs, mut outputs) = (shards(k, LEN), shards(lost.len(), LEN));
        group.bench_function(name("kept, applied"), |bencher| {
            bencher.iter(|| plan.apply(&inputs, &mut outputs));
        });
        group.bench_function(name("cached"), |bencher| {
            bencher.iter(|| code.plan(&available, &lost));
        });
        group.bench_function(name("cached, applied"), |bencher| {
            bencher.iter(|| code.plan(&available, &lost)?.apply(&inputs, &mut outputs));
        });
        // A code's cache is empty when it is new.
        let new = || ReedSolomon::new(k, m).expect("an MDS code");
        group.bench_function(name("cold"), |bencher| {
            bencher.iter_batched(new, |code| code.plan(&available, &lost), BatchSize::SmallInput);
        });
        group.bench_function(name("cold, applied"), |bencher| {
            bencher.iter_batched(
                new,
                |code| code.plan(&available, &lost)?.apply(&inputs, &mut outputs),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(name("written and read"), |bencher| {
            bencher.iter(|| Plan::from_bytes(&plan.to_bytes()));
        });
    }
}

criterion_group!(all, plans);
criterion_main!(all);
