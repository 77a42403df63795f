//! The same thing done for many, several at a time.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `work` gives for each number below `count`, in order; computed by up to `threads` threads,
/// each of which takes the next number when it has done with one.
pub fn map<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            done.push((number, work(number)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(take)).collect();
        let mut results = take();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Cores that this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_many_threads_there_are() {
        for (count, threads) in [(0, 4), (1, 4), (100, 1), (100, 3), (3, 100)] {
            let expected: Vec<usize> = (0..count).map(|number| number * 2).collect();
            assert_eq!(map(count, threads, |number| number * 2), expected);
        }
    }
}
