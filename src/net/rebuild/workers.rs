//! Threads that carry out what may block, up to a number of them.

use std::boxed::Box;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

type Task = Box<dyn FnOnce() + Send>;

/// Threads that are started when they are needed, and end with the last handle.
#[derive(Debug)]
pub(super) struct Workers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    most: usize,
    name: &'static str,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl core::fmt::Debug for State {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("State")
            .field("tasks", &self.tasks.len())
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

impl Workers {
    pub(super) fn new(name: &'static str, most: usize) -> Self {
        let state = Mutex::new(State::default());
        let changed = Condvar::new();
        Self { inner: Arc::new(Inner { state, changed, most: most.max(1), name }) }
    }

    /// Has a task carried out, when its turn comes.
    pub(super) fn run(&self, task: impl FnOnce() + Send + 'static) {
        let mut state = self.inner.lock();
        state.tasks.push_back(Box::new(task));
        if state.idle < state.tasks.len() && state.threads < self.inner.most {
            let inner = Arc::clone(&self.inner);
            let started =
                thread::Builder::new().name(self.inner.name.into()).spawn(move || inner.work());
            state.threads += usize::from(started.is_ok());
        }
        if state.threads == 0 {
            // Not even one thread is to be had: then it is the caller's turn.
            let task = state.tasks.pop_back();
            drop(state);
            if let Some(task) = task {
                task();
            }
            return;
        }
        drop(state);
        self.inner.changed.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.inner.lock().is_closed = true;
        self.inner.changed.notify_all();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Tasks run outside the lock; the state is whole whatever they do.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                drop(state);
                // A task that panics has told nobody; the thread goes on to the next one.
                let _ = panic::catch_unwind(AssertUnwindSafe(task));
                state = self.lock();
            } else if state.is_closed {
                state.threads -= 1;
                return;
            } else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;
    use std::vec::Vec;

    #[test]
    fn tasks_run_side_by_side_up_to_the_number_of_threads() {
        let workers = Workers::new("test", 3);
        let (started, all_started) = mpsc::channel();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        for number in 0..5 {
            let (started, gate) = (started.clone(), Arc::clone(&gate));
            workers.run(move || {
                started.send(number).unwrap();
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
            });
        }
        let first: Vec<i32> = (0..3).map(|_| all_started.recv().unwrap()).collect();
        assert_eq!(first.iter().sum::<i32>(), 3);
        assert!(all_started.recv_timeout(Duration::from_millis(50)).is_err());
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        let rest: Vec<i32> = (0..2).map(|_| all_started.recv().unwrap()).collect();
        assert_eq!(rest.iter().sum::<i32>(), 7);
    }

    #[test]
    fn a_task_that_panics_costs_no_thread() {
        let workers = Workers::new("test", 1);
        let (done, is_done) = mpsc::channel();
        for number in 0..3 {
            let done = done.clone();
            workers.run(move || {
                assert!(number != 1, "on purpose");
                done.send(number).unwrap();
            });
        }
        assert_eq!([is_done.recv().unwrap(), is_done.recv().unwrap()], [0, 2]);
    }
}
