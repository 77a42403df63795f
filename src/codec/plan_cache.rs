//! Plans found again without a lock, within bounds.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::collections::HashMap;

use arc_swap::ArcSwap;

use super::{MAX_UNITS, Plan};
use crate::Result;

/// Plans of one generation at the most.
const MAX_PLANS: usize = 512;

/// Bytes of one generation's plans at the most.
const MAX_WEIGHT: usize = 8 << 20;

/// Two generations of plans. New ones go to the young one; when that is full it becomes the old
/// one, and what was the old one is dropped. A plan found in the old one goes to the young one
/// again, so what is used stays.
///
/// Readers take no lock: they look into an immutable snapshot. A writer copies the young
/// generation's table of pointers, which is bounded, and tries again if another was faster.
#[derive(Default)]
pub(super) struct PlanCache {
    generations: ArcSwap<Generations>,
}

#[derive(Clone, Default)]
struct Generations {
    young: Table,
    old: Arc<Table>,
}

#[derive(Clone, Default)]
struct Table {
    plans: HashMap<Box<[u8]>, Arc<Plan>>,
    weight: usize,
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
        let generations = self.generations.load();
        if let Some(plan) = generations.young.plans.get(key) {
            return Ok(Arc::clone(plan));
        }
        let plan = match generations.old.plans.get(key) {
            Some(plan) => Arc::clone(plan),
            None => Arc::new(make()?),
        };
        self.insert(key, &plan);
        Ok(plan)
    }

    fn insert(&self, key: &[u8], plan: &Arc<Plan>) {
        let weight = plan.weight();
        if weight > MAX_WEIGHT {
            return;
        }
        self.generations.rcu(|generations| {
            let mut next = Generations::clone(generations);
            let full = next.young.plans.len() >= MAX_PLANS
                || next.young.weight.saturating_add(weight) > MAX_WEIGHT;
            if full {
                next.old = Arc::new(core::mem::take(&mut next.young));
            }
            if next.young.plans.insert(key.into(), Arc::clone(plan)).is_none() {
                next.young.weight += weight;
            }
            next
        });
    }
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
        let generations = self.generations.load();
        let counts: Vec<usize> =
            [&generations.young, &*generations.old].map(|table| table.plans.len()).into();
        write!(formatter, "PlanCache({counts:?} plans)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErasureCode, ReedSolomon};

    fn len(cache: &PlanCache) -> usize {
        let generations = cache.generations.load();
        generations.young.plans.len() + generations.old.plans.len()
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
        for number in 0..5 * MAX_PLANS {
            cache.get_or_make(&[number / 256, number % 256], &[0], make).unwrap();
            assert!(len(&cache) <= 2 * MAX_PLANS);
            if number % 100 == 0 {
                let again = cache.get_or_make(&[255], &[255], make).unwrap();
                assert!(Arc::ptr_eq(&kept, &again), "after {number} others");
            }
        }
    }

    #[test]
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
