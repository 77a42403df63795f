//! How long to wait before a slow source gets company.

use core::time::Duration;

use super::Hedging;
use crate::{Error, Result};

/// Reads that are remembered; older ones are forgotten, so that a disk that becomes slow for good
/// is not hedged for ever.
const REMEMBERED: usize = 64;

/// Reads that must have completed before anything is learnt from them.
const ENOUGH: usize = 8;

/// Fixed, or learnt from the reads that completed.
#[derive(Debug)]
pub(super) struct Threshold {
    hedging: Hedging,
    durations: [Duration; REMEMBERED],
    completed: usize,
}

impl Threshold {
    pub(super) fn new(hedging: Hedging) -> Self {
        Self { hedging, durations: [Duration::ZERO; REMEMBERED], completed: 0 }
    }

    pub(super) fn check(hedging: Hedging) -> Result<()> {
        let refused = |what, got: u64, expected| Err(Error::OutOfBounds { what, got, expected });
        match hedging {
            Hedging::Learnt { percent, .. } if !(1..=100).contains(&percent) => {
                refused("percentage of reads", percent.into(), "1 to 100")
            }
            Hedging::Learnt { times: 0, .. } => {
                refused("multiple of a usual read's time", 0, "1 or more")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn completed(&mut self, duration: Duration) {
        self.durations[self.completed % REMEMBERED] = duration;
        self.completed = self.completed.saturating_add(1);
    }

    /// How long nothing may complete before a hedge, at least a moment; `None` for never.
    pub(super) fn get(&self) -> Option<Duration> {
        self.chosen_or_learnt().map(|threshold| threshold.max(Duration::from_nanos(1)))
    }

    fn chosen_or_learnt(&self) -> Option<Duration> {
        match self.hedging {
            Hedging::Never => None,
            Hedging::After(duration) => Some(duration),
            Hedging::Learnt { at_first, .. } if self.completed < ENOUGH => Some(at_first),
            Hedging::Learnt { percent, times, at_least, .. } => {
                let count = self.completed.min(REMEMBERED);
                let mut sorted = self.durations;
                let sorted = &mut sorted[..count];
                sorted.sort_unstable();
                let rank = (count * usize::from(percent)).div_ceil(100).clamp(1, count);
                Some(sorted[rank - 1].saturating_mul(times).max(at_least))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(percent: u8) -> Threshold {
        Threshold::new(Hedging::Learnt {
            percent,
            times: 2,
            at_least: Duration::from_millis(3),
            at_first: Duration::from_secs(9),
        })
    }

    #[test]
    fn is_the_first_guess_until_enough_reads_completed() {
        let mut threshold = learnt(50);
        for _ in 0..ENOUGH {
            assert_eq!(threshold.get(), Some(Duration::from_secs(9)));
            threshold.completed(Duration::from_millis(10));
        }
        assert_eq!(threshold.get(), Some(Duration::from_millis(20)));
    }

    #[test]
    fn is_a_multiple_of_the_quantile_and_not_below_the_least() {
        for (percent, expected) in [(1, 3), (10, 20), (50, 100), (95, 190), (100, 200)] {
            let mut threshold = learnt(percent);
            // 1, 10, 20, ... 90, 100: the median is 50.
            for milliseconds in (1..=10).map(|tens| tens * 10).rev().chain([1]) {
                threshold.completed(Duration::from_millis(milliseconds));
            }
            let got = threshold.get().unwrap().as_millis();
            let near = (expected - 20..=expected + 20).contains(&(got as i64));
            assert!(near && got >= 3, "{percent} percent: {got}");
        }
    }

    #[test]
    fn forgets_what_is_long_ago() {
        let mut threshold = learnt(100);
        threshold.completed(Duration::from_secs(50));
        for _ in 0..REMEMBERED {
            threshold.completed(Duration::from_millis(7));
        }
        assert_eq!(threshold.get(), Some(Duration::from_millis(14)));
    }

    #[test]
    fn never_and_fixed_do_not_learn() {
        for (hedging, expected) in [
            (Hedging::Never, None),
            // A timer that is due at once would be due again and again.
            (Hedging::After(Duration::ZERO), Some(Duration::from_nanos(1))),
            (Hedging::After(Duration::from_secs(1)), Some(Duration::from_secs(1))),
        ] {
            let mut threshold = Threshold::new(hedging);
            (0..100).for_each(|_| threshold.completed(Duration::from_millis(1)));
            assert_eq!(threshold.get(), expected);
        }
    }
}
