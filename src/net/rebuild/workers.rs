//! Threads that carry out what may block, up to a number of them; and turns at what may not be done
//! by too many of them at once.

use std::boxed::Box;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use std::vec::Vec;

/// How long a thread without a task looks for one before it sleeps: about what it takes to wake it,
/// on a virtual machine above all. Most tasks are over sooner, and more follow from them.
const LOOK_FOR: Duration = Duration::from_micros(100);

type Task = Box<dyn FnOnce() + Send>;

/// How a task takes up its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It computes and copies. More threads than cores would only take turns, and each would find
    /// another's bytes in the caches.
    Brisk,
    /// It may wait for others, and needs a thread at once.
    Waits,
}

/// Threads that are started when they are needed, and end with the last handle.
#[derive(Debug)]
pub(super) struct Workers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Whether there is a task: what a thread looks at that does not sleep.
    has_tasks: AtomicBool,
    most: usize,
    name: &'static str,
}

struct State {
    tasks: VecDeque<(Kind, Task)>,
    threads: usize,
    /// Whoever fell asleep last is woken first: its stack is the warmest.
    asleep: Vec<Thread>,
    /// Whether a thread looks for tasks: one at a time.
    is_looking: bool,
    /// Whether a thread was woken or started that has not taken a task yet.
    is_waking: bool,
    /// Brisk tasks that are carried out, and how many at a time threads are woken for.
    brisk: usize,
    most_brisk: usize,
    /// Tasks taken so far, and how many those were when somebody last looked.
    taken: u64,
    seen: u64,
    is_closed: bool,
}

impl core::fmt::Debug for State {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("State")
            .field("tasks", &self.tasks.len())
            .field("threads", &self.threads)
            .field("asleep", &self.asleep.len())
            .finish_non_exhaustive()
    }
}

impl Workers {
    pub(super) fn new(name: &'static str, most: usize) -> Self {
        let state = State {
            tasks: VecDeque::new(),
            threads: 0,
            asleep: Vec::new(),
            is_looking: false,
            is_waking: false,
            brisk: 0,
            most_brisk: thread::available_parallelism().map_or(1, usize::from),
            taken: 0,
            seen: 0,
            is_closed: false,
        };
        let (state, has_tasks) = (Mutex::new(state), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { state, has_tasks, most: most.max(1), name }) }
    }

    /// Has a task carried out, when its turn comes.
    pub(super) fn run(&self, kind: Kind, task: impl FnOnce() + Send + 'static) {
        self.run_all([(kind, task)]);
    }

    /// Has tasks carried out, when their turns come.
    pub(super) fn run_all<T: FnOnce() + Send + 'static>(
        &self,
        tasks: impl IntoIterator<Item = (Kind, T)>,
    ) {
        let mut state = self.inner.lock();
        state.tasks.extend(tasks.into_iter().map(|(kind, task)| (kind, Box::new(task) as Task)));
        self.inner.call(state);
    }

    /// To be called now and then by whoever waits for tasks: where none was taken since the last
    /// time, those that are carried out wait for something, and others get threads of their own.
    pub(super) fn hurry(&self) {
        let mut state = self.inner.lock();
        let taken = state.taken;
        let gets_on = std::mem::replace(&mut state.seen, taken) != taken;
        if gets_on || state.tasks.is_empty() {
            return;
        }
        if state.threads > 0 {
            state.most_brisk = state.most_brisk.saturating_mul(2).min(self.inner.most);
            self.inner.call(state);
        } else if let Some((_, task)) = state.tasks.pop_front() {
            // Not even one thread is to be had: then it is the caller's turn.
            self.inner.has_tasks.store(!state.tasks.is_empty(), Ordering::Release);
            drop(state);
            task();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.is_closed = true;
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        asleep.iter().for_each(Thread::unpark);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Tasks run outside the lock; the state is whole whatever they do.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls one thread, where there is a task for it and none has been called that has not come
    /// yet. Whoever takes a task calls the next one: so short tasks, which are over before another
    /// thread would be awake, are not paid for with a switch each.
    ///
    /// Takes the lock, so that whoever is woken finds it free.
    fn call(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        self.has_tasks.store(!state.tasks.is_empty(), Ordering::Release);
        let Some((kind, _)) = state.tasks.front() else { return };
        let is_needed = *kind == Kind::Waits || state.brisk < state.most_brisk;
        if state.is_waking || state.is_looking || !is_needed {
            return;
        }
        if let Some(thread) = state.asleep.pop() {
            state.is_waking = true;
            drop(state);
            thread.unpark();
        } else if state.threads < self.most {
            let inner = Arc::clone(self);
            let started = thread::Builder::new().name(self.name.into()).spawn(move || inner.work());
            state.is_waking = started.is_ok();
            state.threads += usize::from(started.is_ok());
        }
    }

    fn work(self: Arc<Self>) {
        let mut state = self.lock();
        state.is_waking = false;
        let mut has_looked = false;
        loop {
            if let Some((kind, task)) = state.tasks.pop_front() {
                let brisk = usize::from(kind == Kind::Brisk);
                state.brisk += brisk;
                state.taken += 1;
                self.call(state);
                // A task that panics has told nobody; the thread goes on to the next one.
                let _ = panic::catch_unwind(AssertUnwindSafe(task));
                has_looked = false;
                state = self.lock();
                state.brisk -= brisk;
            } else if state.is_closed {
                state.threads -= 1;
                return;
            } else if !has_looked && !state.is_looking && state.brisk < state.most_brisk {
                has_looked = true;
                state.is_looking = true;
                drop(state);
                self.look();
                state = self.lock();
                state.is_looking = false;
            } else {
                state = self.sleep(state);
                has_looked = false;
            }
        }
    }

    /// Returns when there is a task, or when looking longer would not pay.
    fn look(&self) {
        let begun = Instant::now();
        while begun.elapsed() < LOOK_FOR {
            for _ in 0..16 {
                if self.has_tasks.load(Ordering::Acquire) {
                    return;
                }
                std::hint::spin_loop();
            }
        }
    }

    /// Returns when this thread is called, or when all are to end.
    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let this = thread::current();
        let id = this.id();
        state.asleep.push(this);
        while state.asleep.iter().any(|thread| thread.id() == id) {
            drop(state);
            // May return for no reason, or for one of a task's.
            thread::park();
            state = self.lock();
        }
        state.is_waking = false;
        state
    }
}

/// So many at a time; who comes when there are as many waits in a queue.
#[derive(Debug)]
pub(super) struct Turns<T> {
    state: Mutex<(usize, VecDeque<T>)>,
    most: usize,
}

impl<T> Turns<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { state: Mutex::new((0, VecDeque::new())), most: most.max(1) }
    }

    /// Takes a turn, to be ended by [`leave`](Self::leave); without one left, it is queued.
    pub(super) fn enter(&self, item: T) -> Option<T> {
        let mut state = self.lock();
        if state.0 == self.most {
            state.1.push_back(item);
            return None;
        }
        state.0 += 1;
        Some(item)
    }

    /// Ends a turn; whoever is next has to enter again.
    pub(super) fn leave(&self) -> Option<T> {
        let mut state = self.lock();
        state.0 -= 1;
        state.1.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, (usize, VecDeque<T>)> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Condvar, mpsc};
    use std::time::Duration;
    use std::vec::Vec;

    #[test]
    fn tasks_run_side_by_side_up_to_the_number_of_threads() {
        let workers = Workers::new("test", 3);
        let (started, all_started) = mpsc::channel();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        for number in 0..5 {
            let (started, gate) = (started.clone(), Arc::clone(&gate));
            workers.run(Kind::Waits, move || {
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
            workers.run(Kind::Waits, move || {
                assert!(number != 1, "on purpose");
                done.send(number).unwrap();
            });
        }
        assert_eq!([is_done.recv().unwrap(), is_done.recv().unwrap()], [0, 2]);
    }

    #[test]
    fn brisk_tasks_get_more_threads_than_cores_only_where_those_do_not_get_on() {
        let workers = Workers::new("test", 64);
        let cores = thread::available_parallelism().unwrap().get();
        let (started, all_started) = mpsc::channel();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        for _ in 0..cores + 1 {
            let (started, gate) = (started.clone(), Arc::clone(&gate));
            workers.run(Kind::Brisk, move || {
                started.send(()).unwrap();
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
            });
        }
        (0..cores).for_each(|_| all_started.recv().unwrap());
        assert!(all_started.recv_timeout(Duration::from_millis(50)).is_err());
        // The first look only takes note of how far they are.
        workers.hurry();
        workers.hurry();
        all_started.recv().unwrap();
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    }

    #[test]
    fn turns_are_taken_by_so_many_at_a_time_in_order() {
        let turns = Turns::new(2);
        assert_eq!([1, 2, 3, 4].map(|item| turns.enter(item)), [Some(1), Some(2), None, None]);
        assert_eq!(turns.leave(), Some(3));
        assert_eq!(turns.enter(3), Some(3));
        assert_eq!([turns.leave(), turns.leave()], [Some(4), None]);
        assert_eq!(turns.enter(4), Some(4));
    }
}
