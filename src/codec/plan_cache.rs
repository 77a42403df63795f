//! Plans found again without a lock, within bounds.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::OnceLock;

use arc_swap::ArcSwapOption;

use super::{MAX_UNITS, Plan};
use crate::Result;

/// Places of a set: a plan goes to one set, which its key tells, and there to any place.
const WAYS: usize = 4;

/// Sets of places; a power of two.
const SETS: usize = 256;

/// Bytes of all plans at the most, but for those that others put in at the same moment.
const MAX_WEIGHT: usize = 16 << 20;

/// Places for plans, as the cache of a CPU has them. Neither looking up nor putting in takes a lock
/// or goes through more than one set, so a plan that is needed only once costs little more than
/// itself.
///
/// Of a full set the first plan goes that was not found again since the others were; so what is
/// used stays.
pub(super) struct PlanCache {
    /// Made when the first plan is.
    places: OnceLock<Box<[Place]>>,
    weight: AtomicUsize,
    /// The place at which room is made next where plans are too heavy.
    hand: AtomicUsize,
}

type Place = ArcSwapOption<Entry>;

struct Entry {
    key: Box<[u8]>,
    plan: Arc<Plan>,
    weight: usize,
    /// Whether it was found since it was put in, or since room was last needed.
    is_used: AtomicBool,
}

impl Default for PlanCache {
    fn default() -> Self {
        Self { places: OnceLock::new(), weight: AtomicUsize::new(0), hand: AtomicUsize::new(0) }
    }
}

impl PlanCache {
    /// The plan for these units; `make` is called where there is none yet.
    pub(super) fn get_or_make(
        &self,
        available: &[usize],
        wanted: &[usize],
        make: impl FnOnce() -> Result<Plan>,
    ) -> Result<Arc<Plan>> {
        let mut buffer = [0; 2 * MAX_UNITS + 2];
        let key = key(&mut buffer, available, wanted);
        let places = self.places.get_or_init(|| (0..SETS * WAYS).map(|_| Place::empty()).collect());
        let hash = hash(key);
        let set = hash % SETS;
        for place in &places[set * WAYS..(set + 1) * WAYS] {
            if let Some(entry) = &*place.load()
                && *entry.key == *key
            {
                if !entry.is_used.load(Ordering::Relaxed) {
                    entry.is_used.store(true, Ordering::Relaxed);
                }
                return Ok(Arc::clone(&entry.plan));
            }
        }
        let plan = Arc::new(make()?);
        self.insert(&places[set * WAYS..(set + 1) * WAYS], hash / SETS, key, &plan);
        self.make_room(places);
        Ok(plan)
    }

    /// Puts a plan into a set, for which `first` tells the place to be looked at first. Two who do so
    /// at once may both put in the same one: one of them is never found and goes in its time.
    fn insert(&self, set: &[Place], first: usize, key: &[u8], plan: &Arc<Plan>) {
        let weight = plan.weight() + key.len();
        if weight > MAX_WEIGHT {
            return;
        }
        let entry = Entry {
            key: key.into(),
            plan: Arc::clone(plan),
            weight,
            is_used: AtomicBool::new(false),
        };
        let in_turn = || (first..first + WAYS).map(|place| &set[place % WAYS]);
        let is_unused = |place: &&Place| {
            place.load().as_ref().is_some_and(|entry| !entry.is_used.load(Ordering::Relaxed))
        };
        let place =
            in_turn().find(|place| place.load().is_none()).or_else(|| in_turn().find(is_unused));
        let place = place.unwrap_or_else(|| {
            // All were used: from here on they have to be used again.
            for entry in set.iter().filter_map(|place| place.load_full()) {
                entry.is_used.store(false, Ordering::Relaxed);
            }
            &set[first % WAYS]
        });
        self.weight.fetch_add(weight, Ordering::Relaxed);
        self.forget(place.swap(Some(Arc::new(entry))));
    }

    /// Drops plans in turn while they are too heavy together.
    fn make_room(&self, places: &[Place]) {
        for _ in 0..places.len() {
            if self.weight.load(Ordering::Relaxed) <= MAX_WEIGHT {
                break;
            }
            let next = self.hand.fetch_add(1, Ordering::Relaxed) % places.len();
            self.forget(places[next].swap(None));
        }
    }

    fn forget(&self, entry: Option<Arc<Entry>>) {
        if let Some(entry) = entry {
            self.weight.fetch_sub(entry.weight, Ordering::Relaxed);
        }
    }
}

/// Spreads keys over sets. They are lists of unit numbers: who gives odd ones makes his own plans
/// slower to find, and no more.
fn hash(key: &[u8]) -> usize {
    let mut hash = 0u64;
    for word in key.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..word.len()].copy_from_slice(word);
        hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
    }
    (hash >> 32) as usize
}

/// Both lists as bytes, the first one's length before them so that no two pairs share a key.
/// Units are below 256 and lists have no repeats, so they fit.
fn key<'a>(
    buffer: &'a mut [u8; 2 * MAX_UNITS + 2],
    available: &[usize],
    wanted: &[usize],
) -> &'a [u8] {
    let len = 2 + available.len() + wanted.len();
    buffer[..2].copy_from_slice(&(available.len() as u16).to_be_bytes());
    for (slot, &unit) in buffer[2..].iter_mut().zip(available.iter().chain(wanted)) {
        *slot = unit as u8;
    }
    &buffer[..len]
}

impl core::fmt::Debug for PlanCache {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let places = self.places.get().map_or(&[][..], |places| places);
        let count = places.iter().filter(|place| place.load().is_some()).count();
        write!(formatter, "PlanCache({count} plans)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErasureCode, ReedSolomon};
    use alloc::vec::Vec;

    /// What is in the cache: plans, and bytes by its own account and by a count.
    fn content(cache: &PlanCache) -> (usize, usize, usize) {
        let entries: Vec<Arc<Entry>> =
            cache.places.get().unwrap().iter().filter_map(|place| place.load_full()).collect();
        let weight = entries.iter().map(|entry| entry.weight).sum();
        (entries.len(), cache.weight.load(Ordering::Relaxed), weight)
    }

    #[test]
    fn finds_the_same_plan_again_and_tells_orders_apart() {
        let code = ReedSolomon::new(3, 2).unwrap();
        let first = code.plan(&[0, 1, 3, 4], &[2]).unwrap();
        // The fourth unit available is not read, so it does not count.
        assert!(Arc::ptr_eq(&first, &code.plan(&[0, 1, 3], &[2]).unwrap()));
        let other = code.plan(&[1, 0, 3], &[2]).unwrap();
        assert_eq!(other.reads()[0].unit, 1);
        let both = code.plan(&[1, 0, 3], &[2, 4]).unwrap();
        let reversed = code.plan(&[1, 0, 3], &[4, 2]).unwrap();
        assert_eq!((both.outputs(), reversed.outputs()), (&[2, 4][..], &[4, 2][..]));
    }

    #[test]
    fn stays_within_its_bounds_and_keeps_what_is_used() {
        let cache = PlanCache::default();
        let code = ReedSolomon::new(2, 1).unwrap();
        let make = || code.plan(&[0, 1], &[2]).map(|plan| Plan::clone(&plan));
        let kept = cache.get_or_make(&[255], &[255], make).unwrap();
        for number in 0..5 * SETS * WAYS {
            cache.get_or_make(&[number / 256, number % 256], &[0], make).unwrap();
            if number % 100 == 0 {
                let again = cache.get_or_make(&[255], &[255], make).unwrap();
                assert!(Arc::ptr_eq(&kept, &again), "after {number} others");
            }
        }
        let (count, weight, counted) = content(&cache);
        assert!((SETS * WAYS * 3 / 4..=SETS * WAYS).contains(&count), "{count} plans");
        assert_eq!(weight, counted);
    }

    #[test]
    fn heavy_plans_make_room_for_each_other() {
        let cache = PlanCache::default();
        let code = ReedSolomon::new(128, 128).unwrap();
        let made = code.plan(&(128..256).collect::<Vec<_>>(), &(0..128).collect::<Vec<_>>());
        let plan = Plan::clone(&made.unwrap());
        assert!(plan.weight() * 150 > MAX_WEIGHT);
        for number in 0..200 {
            cache.get_or_make(&[number], &[], || Ok(plan.clone())).unwrap();
            let (_, weight, counted) = content(&cache);
            assert!(weight <= MAX_WEIGHT && weight == counted, "{weight} bytes after {number}");
        }
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "there are no threads")]
    fn serves_several_threads_at_once() {
        let code = ReedSolomon::new(6, 3).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let code = &code;
                scope.spawn(move || {
                    for round in 0..300 {
                        let lost = (round + thread) % 9;
                        let available: Vec<usize> = (0..9).filter(|&unit| unit != lost).collect();
                        assert_eq!(code.plan(&available, &[lost]).unwrap().outputs(), [lost]);
                    }
                });
            }
        });
    }
}
