//! Numbers that stand for native objects in Java, and survive what Java can do with them.
//!
//! A handle is the number of a slot and the slot's generation. The generation changes when the
//! object is closed, so a handle that was closed never means the object that came after it. Who
//! uses an object is counted in the same word as the generation: an object closed while others use
//! it is dropped by the last of them. Using one is an atomic step before and after, without a lock;
//! making and closing takes one.

use std::cell::UnsafeCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use jni::sys::jlong;

use super::failure::{Failure, Outcome};

/// Slots in the first segment; every segment has twice as many as the one before.
const FIRST: usize = 64;
/// So that slots have 31 bits.
const SEGMENTS: usize = 25;

/// Of the word of a slot: the lower half counts who uses it, then one bit, then the generation.
const USERS: u64 = u32::MAX as u64;
const CLOSED: u64 = 1 << 32;
const GENERATION_SHIFT: u32 = 33;
const LAST_GENERATION: u64 = (1 << 31) - 1;

struct Slot<T> {
    state: AtomicU64,
    value: UnsafeCell<Option<T>>,
}

/// Objects of one type, by handle.
pub(crate) struct Table<T> {
    name: &'static str,
    segments: [OnceLock<Box<[Slot<T>]>>; SEGMENTS],
    slots: Mutex<Slots>,
}

/// Which slots can be had.
struct Slots {
    made: usize,
    free: Vec<usize>,
}

// SAFETY: a value is shared by those that the slot's state counts, written by whoever has taken
// the slot out of the list of free ones, and dropped by the one that finds it closed and unused.
unsafe impl<T: Send + Sync> Sync for Table<T> {}

impl<T> Table<T> {
    /// An empty table; `name` is what an object is called in messages.
    pub(crate) const fn new(name: &'static str) -> Self {
        let slots = Mutex::new(Slots { made: 0, free: Vec::new() });
        Self { name, segments: [const { OnceLock::new() }; SEGMENTS], slots }
    }

    /// Takes an object in; the handle is a positive number.
    pub(crate) fn insert(&self, value: T) -> Outcome<jlong> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match slots.free.pop() {
            Some(index) => index,
            None => {
                let index = slots.made;
                let (segment, _) = place(index);
                let cell = self.segments.get(segment).ok_or(Failure::OutOfMemory("a handle"))?;
                cell.get_or_init(|| (0..FIRST << segment).map(|_| Slot::unused()).collect());
                slots.made += 1;
                index
            }
        };
        drop(slots);
        let slot = self.slot(index).ok_or(Failure::OutOfMemory("a handle"))?;
        let generation = (slot.state.load(Ordering::Acquire) >> GENERATION_SHIFT) + 1;
        // SAFETY: the slot was free, so it is marked as closed and nobody uses it; and it is no
        // longer in the list, so nobody else takes it.
        unsafe { *slot.value.get() = Some(value) };
        slot.state.store(generation << GENERATION_SHIFT, Ordering::Release);
        Ok((generation << 32 | index as u64).cast_signed())
    }

    /// The object of a handle, kept alive while the result is.
    pub(crate) fn get(&self, handle: jlong) -> Outcome<Borrowed<'_, T>> {
        let (index, generation) = split(handle);
        let slot = self.slot(index).ok_or(Failure::Closed(self.name))?;
        let used = slot.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, |state| {
            (state >> GENERATION_SHIFT == generation && state & CLOSED == 0).then_some(state + 1)
        });
        used.map_err(|_| Failure::Closed(self.name))?;
        Ok(Borrowed { table: self, index, slot })
    }

    /// Closes a handle. Nothing happens to one that is closed, or never was.
    pub(crate) fn close(&self, handle: jlong) {
        let (index, generation) = split(handle);
        let Some(slot) = self.slot(index) else { return };
        let closed = slot.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
            (state >> GENERATION_SHIFT == generation && state & CLOSED == 0)
                .then_some(state | CLOSED)
        });
        if closed.is_ok_and(|state| state & USERS == 0) {
            self.reclaim(index, slot);
        }
    }

    /// Drops the value of a slot that was closed and that nobody uses.
    fn reclaim(&self, index: usize, slot: &Slot<T>) {
        // SAFETY: closed, so nobody begins to use it; and nobody is using it: both were seen in one
        // atomic step, by this thread alone.
        drop(unsafe { (*slot.value.get()).take() });
        if slot.state.load(Ordering::Relaxed) >> GENERATION_SHIFT < LAST_GENERATION {
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).free.push(index);
        }
    }

    fn slot(&self, index: usize) -> Option<&Slot<T>> {
        let (segment, offset) = place(index);
        self.segments.get(segment)?.get()?.get(offset)
    }
}

impl<T> Slot<T> {
    /// As if the generation before the first had been closed.
    fn unused() -> Self {
        Self { state: AtomicU64::new(CLOSED), value: UnsafeCell::new(None) }
    }
}

/// The segment of a slot, and where in it.
fn place(index: usize) -> (usize, usize) {
    let from_one = index / FIRST + 1;
    let segment = from_one.ilog2() as usize;
    (segment, index - FIRST * ((1 << segment) - 1))
}

/// Slot and generation of a handle.
fn split(handle: jlong) -> (usize, u64) {
    let handle = handle.cast_unsigned();
    ((handle & USERS) as usize, handle >> 32)
}

/// An object in use.
pub(crate) struct Borrowed<'a, T> {
    table: &'a Table<T>,
    index: usize,
    slot: &'a Slot<T>,
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while it counts as used, nobody writes or drops it.
        let value = unsafe { &*self.slot.value.get() };
        value.as_ref().expect("a slot in use has a value")
    }
}

impl<T> Drop for Borrowed<'_, T> {
    fn drop(&mut self) {
        let state = self.slot.state.fetch_sub(1, Ordering::AcqRel);
        if state & (CLOSED | USERS) == CLOSED | 1 {
            self.table.reclaim(self.index, self.slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// Counts how often it is dropped.
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_closed_handle_means_nothing_ever_again() {
        let table = Table::new("number");
        let first = table.insert(1).unwrap();
        assert_eq!(table.get(first).ok().as_deref(), Some(&1));
        table.close(first);
        table.close(first);
        assert!(matches!(table.get(first), Err(Failure::Closed("number"))));
        let second = table.insert(2).unwrap();
        assert_ne!(first, second);
        assert!(table.get(first).is_err(), "it took the slot of the first");
        table.close(first);
        assert_eq!(table.get(second).ok().as_deref(), Some(&2));
    }

    #[test]
    fn numbers_that_are_no_handles_are_refused() {
        let table = Table::new("number");
        let handle = table.insert(1).unwrap();
        for wrong in [0, -1, 1, jlong::MIN, jlong::MAX, handle + 1, handle + (1 << 32), -handle] {
            assert!(table.get(wrong).is_err(), "{wrong}");
            table.close(wrong);
        }
        assert!(table.get(handle).is_ok());
    }

    #[test]
    fn what_is_closed_while_it_is_used_is_dropped_by_the_last_user() {
        let table = Table::new("counted");
        let drops = Arc::new(AtomicUsize::new(0));
        let handle = table.insert(Counted(Arc::clone(&drops))).unwrap();
        let (first, second) = (table.get(handle).ok().unwrap(), table.get(handle).ok().unwrap());
        table.close(handle);
        assert!(table.get(handle).is_err());
        drop(first);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(second);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn more_objects_than_one_segment_holds() {
        let table = Table::new("number");
        let count = if cfg!(miri) { 200 } else { 10_000 };
        let handles: Vec<jlong> = (0..count).map(|n| table.insert(n).unwrap()).collect();
        for (n, &handle) in handles.iter().enumerate() {
            assert_eq!(table.get(handle).ok().as_deref(), Some(&n));
        }
    }

    #[test]
    fn many_threads_close_and_use_the_same_handles() {
        let table = Table::new("counted");
        let drops = Arc::new(AtomicUsize::new(0));
        let rounds = if cfg!(miri) { 20 } else { 2_000 };
        for _ in 0..rounds {
            let handle = table.insert(Counted(Arc::clone(&drops))).unwrap();
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        while let Ok(value) = table.get(handle) {
                            assert!(Arc::strong_count(&value.0) > 1);
                        }
                    });
                    scope.spawn(|| table.close(handle));
                }
            });
        }
        assert_eq!(drops.load(Ordering::SeqCst), rounds);
    }
}
