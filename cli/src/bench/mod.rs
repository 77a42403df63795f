//! How fast the engine is on this machine, and what the machine gives at most: measured for
//! `restripe bench`.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use restripe::{ErasureCode as _, KernelId, ReedSolomon, cpu};

use crate::report::{CodeSpeed, CopySpeed, CoresSpeed};

mod code_shape;
mod page;

pub use code_shape::CodeShape;
pub use page::page;

/// Batches of calls that a measurement is made of at least.
const BATCHES: u32 = 8;

/// The longest shard that is encoded on several cores: each has buffers of its own.
const LONGEST_ON_ALL_CORES: usize = 1 << 20;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The codes; the first one is measured on several cores.
    pub codes: Vec<CodeShape>,
    /// Bytes of a shard.
    pub shard_lens: Vec<usize>,
    /// The kernels, best first.
    pub kernels: Vec<KernelId>,
    /// How long a measurement takes, about.
    pub time: Duration,
    /// Cores that may be used.
    pub cores: usize,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The machine's memory.
    pub copying: Vec<CopySpeed>,
    /// By code, shard length and kernel, on one core.
    pub speeds: Vec<CodeSpeed>,
    /// On several cores.
    pub on_cores: Vec<CoresSpeed>,
}

impl Plan {
    /// How many measurements there are.
    #[must_use]
    pub fn steps(&self) -> usize {
        let shapes = self.codes.len() * self.shard_lens.len();
        let on_cores = self.lens_on_cores().count() * self.thread_counts().len();
        places_of_memory().len() + shapes * (1 + 2 * self.kernels.len()) + on_cores
    }

    /// Measures all of it; `done` is called after each step.
    ///
    /// # Errors
    ///
    /// The engine's, for numbers of units that no code has.
    pub fn measure(&self, done: impl Fn()) -> restripe::Result<Measured> {
        let mut measured = Measured::default();
        for (place, bytes) in places_of_memory() {
            measured.copying.push(CopySpeed { place, bytes, gb_per_s: self.copy(bytes)? });
            done();
        }
        for &shape in &self.codes {
            for &shard_len in &self.shard_lens {
                self.measure_code(shape, shard_len, &mut measured.speeds, &done)?;
            }
        }
        for shard_len in self.lens_on_cores() {
            for threads in self.thread_counts() {
                measured.on_cores.push(self.on_cores(self.codes[0], shard_len, threads)?);
                done();
            }
        }
        Ok(measured)
    }

    fn measure_code(
        &self,
        shape: CodeShape,
        shard_len: usize,
        speeds: &mut Vec<CodeSpeed>,
        done: &impl Fn(),
    ) -> restripe::Result<()> {
        let (k, m) = (shape.data_units, shape.parity_units);
        // The last k units give back the first ones.
        let lost = k.min(m);
        let available: Vec<usize> = (lost..lost + k).collect();
        let wanted: Vec<usize> = (0..lost).collect();
        let copy_gb_per_s = self.copy((k + m) * shard_len)?;
        done();
        let mut shards = Shards::new(k + m, shard_len);
        let mut shards = shards.split();
        for &kernel in &self.kernels {
            let code = ReedSolomon::builder(k, m).kernel(kernel).build()?;
            let plan = code.plan(&available, &wanted)?;
            let mut speed =
                |operation, units: usize, call: &mut dyn FnMut() -> restripe::Result<()>| {
                    let [median, least, most] = rates(units * shard_len, self.time, call)?;
                    speeds.push(CodeSpeed {
                        operation,
                        data_units: k,
                        parity_units: m,
                        shard_bytes: shard_len,
                        kernel: kernel.name(),
                        gb_per_s: median,
                        gb_per_s_least: least,
                        gb_per_s_most: most,
                        copy_gb_per_s,
                    });
                    done();
                    Ok(())
                };
            let (inputs, outputs) = shards.split_at_mut(k);
            speed("encode", k + m, &mut || code.encode(black_box(&*inputs), outputs))?;
            let (rebuilt, others) = shards.split_at_mut(lost);
            speed("rebuild", k + lost, &mut || plan.apply(black_box(&others[..k]), rebuilt))?;
        }
        Ok(())
    }

    /// Bytes read and written by copying half of that many bytes into the other half.
    fn copy(&self, bytes: usize) -> restripe::Result<f64> {
        let mut shards = Shards::new(2, bytes / 2);
        let mut shards = shards.split();
        let (from, to) = shards.split_at_mut(1);
        let mut copy = || {
            to[0].copy_from_slice(black_box(&*from[0]));
            Ok(())
        };
        Ok(rates(bytes / 2 * 2, self.time, &mut copy)?[0])
    }

    fn lens_on_cores(&self) -> impl Iterator<Item = usize> {
        self.shard_lens.iter().copied().filter(|&len| len <= LONGEST_ON_ALL_CORES)
    }

    /// 1, 2, 4 and so on, and all.
    fn thread_counts(&self) -> Vec<usize> {
        let doubled = |count: &usize| count.checked_mul(2);
        let mut counts: Vec<usize> = std::iter::successors(Some(1), doubled)
            .take_while(|&count| count < self.cores)
            .collect();
        counts.push(self.cores);
        counts
    }

    /// Encodes on several threads, each with shards of its own.
    fn on_cores(
        &self,
        shape: CodeShape,
        shard_len: usize,
        threads: usize,
    ) -> restripe::Result<CoresSpeed> {
        let (k, m) = (shape.data_units, shape.parity_units);
        let code = ReedSolomon::builder(k, m).kernel(self.kernels[0]).build()?;
        let together = Barrier::new(threads);
        let encode = || {
            let mut shards = Shards::new(k + m, shard_len);
            let mut shards = shards.split();
            let (data, parity) = shards.split_at_mut(k);
            // All wait for each other, whatever happens to one.
            let warm = code.encode(&*data, parity);
            together.wait();
            warm?;
            Ok(rates((k + m) * shard_len, self.time, &mut || {
                code.encode(black_box(&*data), parity)
            })?[0])
        };
        let speeds: Vec<restripe::Result<f64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(encode)).collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined
                .map(|speed| speed.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let gb_per_s = speeds.into_iter().sum::<restripe::Result<f64>>()?;
        let (data_units, parity_units, shard_bytes) = (k, m, shard_len);
        Ok(CoresSpeed { data_units, parity_units, shard_bytes, threads, gb_per_s })
    }
}

/// A size that fits in each cache of data, and one that fits in none.
fn places_of_memory() -> Vec<(String, usize)> {
    let info = cpu::info();
    let mut largest = 0;
    let mut places = Vec::new();
    for cache in info.caches.iter().filter(|cache| cache.holds_data) {
        let bytes = usize::try_from(cache.bytes).unwrap_or(0);
        places.push((format!("L{}", cache.level), bytes / 2));
        largest = largest.max(bytes);
    }
    places.push(("memory".to_owned(), (4 * largest).clamp(64 << 20, 512 << 20)));
    places
}

/// Buffers that begin at a cache line, as those of storage systems do.
struct Shards {
    bytes: Vec<u8>,
    len: usize,
}

impl Shards {
    const CACHE_LINE: usize = 64;

    fn new(count: usize, len: usize) -> Self {
        let bytes = count * len.next_multiple_of(Self::CACHE_LINE) + Self::CACHE_LINE;
        // Not zeros: the system would give one page for all.
        Self { bytes: vec![0x5A; bytes], len }
    }

    fn split(&mut self) -> Vec<&mut [u8]> {
        let start = self.bytes.as_ptr().align_offset(Self::CACHE_LINE).min(Self::CACHE_LINE);
        let distance = self.len.next_multiple_of(Self::CACHE_LINE).max(Self::CACHE_LINE);
        let shards = self.bytes[start..].chunks_exact_mut(distance);
        shards.map(|shard| &mut shard[..self.len]).collect()
    }
}

/// Bytes per nanosecond of calls, batch by batch: median, least, most.
fn rates(
    call_bytes: usize,
    time: Duration,
    call: &mut dyn FnMut() -> restripe::Result<()>,
) -> restripe::Result<[f64; 3]> {
    let start = Instant::now();
    let mut calls = 0;
    while calls == 0 || start.elapsed() < time / 4 {
        call()?;
        calls += 1;
    }
    let a_call = start.elapsed().as_secs_f64() / f64::from(calls);
    let in_a_batch = (time.as_secs_f64() / f64::from(BATCHES) / a_call).max(1.0) as u64;
    let mut rates = Vec::new();
    let start = Instant::now();
    while rates.is_empty() || start.elapsed() < time {
        let start = Instant::now();
        for _ in 0..in_a_batch {
            call()?;
        }
        let seconds = start.elapsed().as_secs_f64().max(1e-9);
        rates.push((call_bytes as u64 * in_a_batch) as f64 / seconds / 1e9);
    }
    rates.sort_by(f64::total_cmp);
    Ok([rates[rates.len() / 2], rates[0], rates[rates.len() - 1]])
}
