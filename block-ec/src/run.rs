//! How a piece of work is to be done: threads, memory, speed; and how it is stopped.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// How a piece of work is to be done.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Threads that read, compute and write.
    pub threads: usize,
    /// The most bytes of data and parity to hold at a time. One group is held at least.
    pub memory: u64,
    /// Keeps reads down to a rate.
    pub rate: Option<&'a Rate>,
    /// Work ends with [`Error::Stopped`] soon after this is set.
    pub stop: &'a AtomicBool,
    /// Is told how the work gets on.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How work gets on, in bytes of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more are to be done.
    Found(u64),
    /// So many more are done.
    Done(u64),
}

impl Run<'static> {
    /// One thread, 256 MiB, no limit, nobody told.
    #[must_use]
    pub fn simple() -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Self { threads: 1, memory: 256 << 20, rate: None, stop: &NEVER, progress: &|_| {} }
    }
}

impl Run<'_> {
    /// To be called before every read.
    pub(crate) fn before_reading(&self, bytes: u64) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        match self.rate {
            Some(rate) => rate.wait(bytes, self.stop),
            None => Ok(()),
        }
    }

    /// Threads that may each hold `bytes`.
    pub(crate) fn threads_holding(&self, bytes: u64) -> usize {
        let fit = usize::try_from(self.memory / bytes.max(1)).unwrap_or(usize::MAX);
        self.threads.min(fit).max(1)
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, memory, rate, stop, progress: _ } = self;
        f.debug_struct("Run")
            .field("threads", threads)
            .field("memory", memory)
            .field("rate", rate)
            .field("stop", stop)
            .finish_non_exhaustive()
    }
}

/// A limit of bytes per second, for all threads together.
#[derive(Debug)]
pub struct Rate {
    bytes_per_second: NonZeroU64,
    /// When everything let through so far would have been done at the rate.
    until: Mutex<Instant>,
}

impl Rate {
    /// So many bytes per second.
    #[must_use]
    pub fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, until: Mutex::new(Instant::now()) }
    }

    fn wait(&self, bytes: u64, stop: &AtomicBool) -> Result<()> {
        const STEP: Duration = Duration::from_millis(100);
        let took = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second.get() as f64);
        let begin = {
            let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = Instant::now().max(*until);
            *until = begin + took;
            begin
        };
        loop {
            let left = begin.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Does `work` for every number below `count`, by several threads. Each has a value of its own
/// from `begin`, such as buffers. The first error ends it.
pub(crate) fn for_each<L>(
    count: usize,
    threads: usize,
    begin: impl Fn() -> L + Sync,
    work: impl Fn(&mut L, usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let loop_ = || {
        let mut local = begin();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            if let Err(error) = work(&mut local, number) {
                next.store(count, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(loop_);
        }
        loop_();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// A value that threads use one after the other, in the order of numbers from 0.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    state: Mutex<(usize, bool, T)>,
    changed: Condvar,
}

impl<T> Turns<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { state: Mutex::new((0, false, value)), changed: Condvar::new() }
    }

    /// Waits until all lower numbers have had their turn. After an error there are no more turns.
    pub(crate) fn take<R>(
        &self,
        number: usize,
        turn: impl FnOnce(&mut T) -> Result<R>,
    ) -> Result<R> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 != number && !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.1 {
            return Err(Error::Stopped);
        }
        let result = turn(&mut state.2);
        state.0 += 1;
        state.1 = result.is_err();
        self.changed.notify_all();
        result
    }

    /// Uses the value out of turn.
    pub(crate) fn add(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).2);
    }

    /// Ends all turns: a number will not come.
    pub(crate) fn give_up(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }

    pub(crate) fn into_inner(self) -> T {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_in_order_whoever_comes_first() {
        let turns = Turns::new(Vec::new());
        for_each(
            100,
            4,
            || (),
            |(), number| {
                turns.take(number, |seen| {
                    seen.push(number);
                    Ok(())
                })
            },
        )
        .unwrap();
        assert_eq!(turns.into_inner(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_all_threads_and_is_the_one_that_comes_back() {
        let turns = Turns::new(());
        let ended = for_each(
            100,
            4,
            || (),
            |(), number| {
                let result = if number == 7 {
                    Err(Error::Refused("seven".to_owned()))
                } else {
                    turns.take(number, |()| Ok(()))
                };
                if result.is_err() {
                    turns.give_up();
                }
                result
            },
        );
        // Those that wait for a turn that does not come are told to stop, and may be told first.
        assert!(matches!(ended, Err(Error::Refused(_) | Error::Stopped)), "{ended:?}");
    }

    #[test]
    fn a_rate_is_kept_by_all_together() {
        let rate = Rate::new(NonZeroU64::new(1_000_000).unwrap());
        let stop = AtomicBool::new(false);
        let begun = Instant::now();
        for _ in 0..4 {
            rate.wait(50_000, &stop).unwrap();
        }
        assert!(begun.elapsed() >= Duration::from_millis(150));
        rate.wait(1_000_000_000, &stop).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(rate.wait(1, &stop), Err(Error::Stopped)));
    }
}
