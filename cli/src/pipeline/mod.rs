//! The moving of bytes: reading, computing and writing at the same time, on several cores, in
//! bounded memory.
//!
//! Every pipeline owns a fixed number of buffers, which go round between its threads; when all
//! are on their way, whoever wants one waits. The first failure of any thread stops the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Failure, Result};
use crate::geometry::Geometry;
use crate::size::human;
use crate::sums::SumKind;

pub mod decode;
pub mod deliver;
pub mod encode;

/// The first failure among several threads.
#[derive(Debug, Default)]
pub struct Trouble {
    first: Mutex<Option<Failure>>,
    stopped: AtomicBool,
}

impl Trouble {
    /// Notes a failure, if it is the first, and stops everybody.
    pub fn report(&self, failure: Failure) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.stopped.store(true, Ordering::Release);
    }

    /// Notes the failure of a result.
    pub fn note<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|failure| self.report(failure)).ok()
    }

    /// Whether there is no use in going on.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// What came of it.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub fn into_result(self) -> Result<()> {
        match self.first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

/// Bytes of a row that are worked on at once: so few that the same range of all rows stays in
/// a core's second-level cache, so many that a system call for each does not count. A multiple
/// of the chunk.
#[must_use]
pub fn tile_len(rows: usize, kind: SumKind) -> usize {
    const CACHE: usize = 1 << 20;
    let chunk = kind.bytes_per_checksum();
    (CACHE / rows).clamp(16 << 10, 128 << 10).next_multiple_of(chunk)
}

/// How a pipeline that works by whole stripes uses the memory that it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Stripes that go through together.
    pub stripes: u64,
    /// Buffers of that many stripes of data.
    pub buffers: usize,
    /// Threads that compute.
    pub workers: usize,
    /// Bytes that the rounds may take which heal on one of these threads.
    pub rounds: u64,
}

impl Budget {
    /// The best use of `memory` bytes by at most `threads` threads. `parity_per_worker`: whether
    /// every thread holds the parity of what it works on, too.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] when not even two buffers of one stripe fit.
    pub fn new(
        geometry: &Geometry,
        kind: SumKind,
        memory: u64,
        threads: usize,
        parity_per_worker: bool,
    ) -> Result<Self> {
        const GOOD_WINDOW: u64 = 4 << 20;
        let (cell, data, parity) =
            (geometry.cell_size(), geometry.data_units() as u64, geometry.parity_units() as u64);
        // A window begins and ends between two chunks.
        let chunk = kind.bytes_per_checksum() as u64;
        let least = chunk / greatest_common_divisor(cell, chunk);
        let in_group = geometry.block_size() / cell;
        let rows = geometry.rows();
        let tile = tile_len(rows.count(), kind) as u64;
        let parity_rows = parity * rows.of_unit(0).len() as u64;
        let need = |budget: &Self| {
            let unit = budget.stripes * cell;
            let worker = if parity_per_worker { parity * unit } else { 2 * parity_rows * tile };
            let sums = (data + parity) * unit / chunk * 4;
            budget.buffers as u64 * data * unit + budget.workers as u64 * (worker + sums)
        };
        let stripes = (GOOD_WINDOW / (data * cell)).clamp(1, in_group).next_multiple_of(least);
        let mut budget = Self { stripes, buffers: threads + 2, workers: threads, rounds: 0 };
        while need(&budget) > memory {
            if budget.stripes > least && budget.stripes * data * cell > GOOD_WINDOW / 16 {
                budget.stripes = (budget.stripes / 2).next_multiple_of(least);
            } else if budget.workers > 1 {
                budget.workers -= 1;
                budget.buffers -= 1;
            } else if budget.buffers > 2 {
                budget.buffers -= 1;
            } else if budget.stripes > least {
                budget.stripes = (budget.stripes / 2).next_multiple_of(least);
            } else {
                return Err(Failure::asked(
                    format!(
                        "--memory of {} is too little for {}",
                        human(memory),
                        geometry.policy()
                    ),
                    format!("two stripes are needed at least: give --memory {}", need(&budget)),
                ));
            }
        }
        if !parity_per_worker {
            // Rounds of a fraction of a tile are long enough, and where there is no room for any, the
            // healer does without.
            let left = (memory - need(&budget)) / budget.workers as u64;
            budget.rounds = left.min(2 * rows.count() as u64 * tile);
        }
        Ok(budget)
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(policy: &str, memory: u64, threads: usize) -> Option<Budget> {
        let geometry = Geometry::new(policy.parse().unwrap(), 1 << 40, 128 << 20).unwrap();
        Budget::new(&geometry, SumKind::usual().unwrap(), memory, threads, true).ok()
    }

    #[test]
    fn plenty_of_memory_gives_every_thread_its_work_and_two_buffers_to_spare() {
        let expected = Budget { stripes: 1, buffers: 4, workers: 2, rounds: 0 };
        assert_eq!(budget("RS-6-3-1024k", 256 << 20, 2), Some(expected));
    }

    #[test]
    fn little_memory_costs_threads_first_and_then_fails_with_a_number() {
        let tight = budget("RS-6-3-1024k", 24 << 20, 8).unwrap();
        assert_eq!((tight.workers, tight.stripes), (1, 1));
        assert_eq!(budget("RS-6-3-1024k", 8 << 20, 8), None);
    }

    #[test]
    fn small_cells_go_through_many_at_once() {
        assert_eq!(budget("RS-6-3-4k", 256 << 20, 2).unwrap().stripes, 170);
    }
}
