//! A limit on bytes per second, shared by whoever sends or receives under it.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What may be used at once after a pause: as much as comes in this time.
const BURST: Duration = Duration::from_millis(100);

/// Makes those who share it use no more than so many bytes per second together.
///
/// ```
/// use std::num::NonZeroU64;
/// use restripe::net::Throttler;
///
/// let throttler = Throttler::new(NonZeroU64::new(10 << 20).unwrap());
/// throttler.pay(1000); // sleeps where more was paid than 10 MiB a second
/// ```
#[derive(Debug)]
pub struct Throttler {
    bytes_per_second: AtomicU64,
    /// When everything paid so far will have been earned.
    earned: Mutex<Option<Instant>>,
}

impl Throttler {
    /// A limit of so many bytes per second.
    #[must_use]
    pub fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second: AtomicU64::new(bytes_per_second.get()), earned: Mutex::new(None) }
    }

    /// The limit.
    #[must_use]
    pub fn bytes_per_second(&self) -> NonZeroU64 {
        NonZeroU64::new(self.bytes_per_second.load(Ordering::Relaxed)).unwrap_or(NonZeroU64::MIN)
    }

    /// Changes the limit, for what is paid from now on.
    pub fn set_bytes_per_second(&self, bytes_per_second: NonZeroU64) {
        self.bytes_per_second.store(bytes_per_second.get(), Ordering::Relaxed);
    }

    /// Accounts for `bytes` and sleeps as long as is needed to keep to the limit.
    pub fn pay(&self, bytes: u64) {
        let delay = self.delay(Instant::now(), bytes);
        if !delay.is_zero() {
            thread::sleep(delay);
        }
    }

    /// Accounts for `bytes` used at `now`, and says how long to wait before using more.
    fn delay(&self, now: Instant, bytes: u64) -> Duration {
        let nanoseconds =
            u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second().get());
        let price = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        // A number, valid whatever a thread that panicked was about to do.
        let mut earned = self.earned.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.checked_sub(BURST).unwrap_or(now);
        let from = earned.map_or(oldest, |earned| earned.max(oldest));
        // Beyond the clock's range nothing can be waited for.
        let until = from.checked_add(price).unwrap_or(from);
        *earned = Some(until);
        until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttler() -> Throttler {
        Throttler::new(NonZeroU64::new(1_000_000).unwrap())
    }

    #[test]
    fn over_time_the_limit_is_kept() {
        let throttler = throttler();
        let start = Instant::now();
        let mut now = start;
        for _ in 0..1000 {
            now += throttler.delay(now, 65_536);
        }
        let expected = Duration::from_micros(65_536 * 1000) - BURST;
        assert_eq!((now - start).as_millis(), expected.as_millis());
    }

    #[test]
    fn a_pause_earns_no_more_than_a_burst() {
        let throttler = throttler();
        let start = Instant::now();
        assert_eq!(throttler.delay(start, 100_000), Duration::ZERO);
        assert_eq!(throttler.delay(start, 1000), Duration::from_millis(1));
        let later = start + Duration::from_secs(3600);
        assert_eq!(throttler.delay(later, 100_000), Duration::ZERO);
        assert_eq!(throttler.delay(later, 500_000), Duration::from_millis(500));
    }

    #[test]
    fn those_who_share_it_wait_for_each_other() {
        let throttler = throttler();
        let now = Instant::now();
        throttler.delay(now, 100_000);
        assert_eq!(throttler.delay(now, 1_000_000), Duration::from_secs(1));
        assert_eq!(throttler.delay(now, 1_000_000), Duration::from_secs(2));
    }

    #[test]
    fn the_limit_can_be_changed_while_it_is_used() {
        let throttler = throttler();
        let now = Instant::now();
        throttler.delay(now, 100_000);
        throttler.set_bytes_per_second(NonZeroU64::new(100_000).unwrap());
        assert_eq!(throttler.bytes_per_second().get(), 100_000);
        assert_eq!(throttler.delay(now, 100_000), Duration::from_secs(1));
    }

    #[test]
    fn numbers_beyond_all_measure_do_not_overflow() {
        let throttler = Throttler::new(NonZeroU64::MIN);
        let now = Instant::now();
        throttler.delay(now, u64::MAX);
        throttler.delay(now, u64::MAX);
    }
}
