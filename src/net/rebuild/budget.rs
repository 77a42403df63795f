//! So many tasks at a time and so many bytes of buffers, given to those first who need them most.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often whoever waits is asked whether to go on.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// An amount that is lent out; whoever asks for more than is left waits.
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    changed: Condvar,
    all: u64,
}

#[derive(Debug)]
struct State {
    left: u64,
    next_ticket: u64,
    /// Those who wait: the most urgent first, of equally urgent ones whoever came first.
    waiting: BTreeSet<(usize, u64)>,
}

/// A place in the queue, given up when it is dropped: also by whoever got a share, so that it is the
/// next one's turn.
#[derive(Debug)]
pub(super) struct Place<'a> {
    budget: &'a Budget,
    place: (usize, u64),
    amount: u64,
}

/// What was lent; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    budget: &'a Budget,
    amount: u64,
}

impl Budget {
    pub(super) fn new(all: u64) -> Self {
        let state = State { left: all, next_ticket: 0, waiting: BTreeSet::new() };
        Self { state: Mutex::new(state), changed: Condvar::new(), all }
    }

    /// Queues for an amount; the lower the number, the more urgent. More than there is at all is
    /// lent when nothing else is.
    pub(super) fn queue(&self, amount: u64, urgency: usize) -> Place<'_> {
        let mut state = self.lock();
        let place = (urgency, state.next_ticket);
        state.next_ticket += 1;
        state.waiting.insert(place);
        Place { budget: self, place, amount: amount.min(self.all) }
    }

    /// Waits for an amount. `None` once `go_on`, which is asked now and then, says no.
    pub(super) fn take(
        &self,
        amount: u64,
        urgency: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Option<Share<'_>> {
        let place = self.queue(amount, urgency);
        let mut asked = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(share) = place.take(&mut state) {
                return Some(share);
            }
            let waited = self.changed.wait_timeout(state, ASK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if asked.elapsed() >= ASK_EVERY {
                // Not with the lock: whoever is asked may take long.
                drop(state);
                if !go_on() {
                    return None;
                }
                asked = Instant::now();
                state = self.lock();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Place<'a> {
    fn take(&self, state: &mut State) -> Option<Share<'a>> {
        let is_first = state.waiting.first() == Some(&self.place);
        if !is_first || state.left < self.amount {
            return None;
        }
        state.left -= self.amount;
        Some(Share { budget: self.budget, amount: self.amount })
    }

    /// Its share, where it is its turn.
    #[cfg(feature = "tokio")]
    pub(super) fn try_take(&self) -> Option<Share<'a>> {
        self.take(&mut self.budget.lock())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.budget.lock().waiting.remove(&self.place);
        // There may be enough left for the next one.
        self.budget.changed.notify_all();
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.lock().left += self.amount;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;
    use std::vec::Vec;

    #[test]
    fn the_most_urgent_comes_first_and_nobody_gets_more_than_is_left() {
        let budget = Arc::new(Budget::new(10));
        let first = budget.take(8, 5, &mut || true).unwrap();
        let (order, arrived) = mpsc::channel();
        let mut threads = Vec::new();
        for (urgency, amount) in [(3, 6), (1, 10), (2, 2)] {
            let (shared, order) = (Arc::clone(&budget), order.clone());
            threads.push(thread::spawn(move || {
                let share = shared.take(amount, urgency, &mut || true).unwrap();
                order.send(urgency).unwrap();
                drop(share);
            }));
            // One after the other into the queue.
            while budget.lock().waiting.len() < threads.len() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        // There are two left, but the most urgent one needs ten.
        assert!(arrived.recv_timeout(Duration::from_millis(30)).is_err());
        drop(first);
        let first_two = [arrived.recv().unwrap(), arrived.recv().unwrap()];
        assert_eq!(first_two[0], 1);
        assert_eq!(first_two[1] + arrived.recv().unwrap(), 5);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(budget.lock().left, 10);
    }

    #[test]
    fn who_waits_can_give_up_and_holds_nobody_up() {
        let budget = Budget::new(10);
        let first = budget.take(8, 5, &mut || true).unwrap();
        let mut asked = 0;
        let given_up = budget.take(10, 0, &mut || {
            asked += 1;
            asked < 3
        });
        assert!(given_up.is_none());
        assert_eq!(asked, 3);
        assert_eq!(budget.take(2, 9, &mut || true).unwrap().amount, 2);
        drop(first);
        assert_eq!(budget.lock().left, 10);
    }

    #[test]
    fn more_than_there_is_is_lent_alone() {
        let budget = Budget::new(10);
        assert_eq!(budget.take(50, 0, &mut || true).unwrap().amount, 10);
    }
}
