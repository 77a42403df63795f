//! A code given by its parity rows over sub-shards, whose plans are searched for: what the codes
//! that read less for a repair have in common.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::plan::{Plan, PlanCode};
#[cfg(feature = "std")]
use super::plan_cache::PlanCache;
use super::{Read, ReadCost, cheapest, check_units, solve};
use crate::gf8::Matrix;
use crate::{KernelId, Result};

pub(super) struct GeneralCode {
    pub(super) code: PlanCode,
    /// A row for every parity sub-shard, a column for every data sub-shard.
    pub(super) parity_rows: Matrix,
    pub(super) kernel: KernelId,
    pub(super) encode_plan: Plan,
    #[cfg(feature = "std")]
    plans: PlanCache,
}

impl GeneralCode {
    pub(super) fn new(code: PlanCode, parity_rows: Matrix, kernel: KernelId) -> Result<Self> {
        let (k, units) = (code.data_units, code.data_units + code.parity_units);
        let whole = |unit| Read { unit, first_sub: 0, count: code.sub_shards };
        let encode_plan = Plan::of_matrix(
            code,
            kernel,
            (0..k).map(whole).collect(),
            (k..units).collect(),
            parity_rows.clone(),
        )?;
        Ok(Self {
            code,
            parity_rows,
            kernel,
            encode_plan,
            #[cfg(feature = "std")]
            plans: PlanCache::default(),
        })
    }

    /// The cheapest plan by bytes, found again where it was made before.
    pub(super) fn plan(&self, available: &[usize], wanted: &[usize]) -> Result<Arc<Plan>> {
        check_units(self.code.total_units(), available, wanted)?;
        let make = || self.make_plan(available, wanted, ReadCost::Bytes);
        #[cfg(feature = "std")]
        {
            self.plans.get_or_make(available, wanted, make)
        }
        #[cfg(not(feature = "std"))]
        {
            make().map(Arc::new)
        }
    }

    /// The cheapest plan.
    pub(super) fn cheapest_plan(
        &self,
        available: &[usize],
        wanted: &[usize],
        cost: ReadCost<'_>,
    ) -> Result<Arc<Plan>> {
        check_units(self.code.total_units(), available, wanted)?;
        cost.check(self.code.total_units())?;
        match cost {
            ReadCost::Bytes => self.plan(available, wanted),
            _ => self.make_plan(available, wanted, cost).map(Arc::new),
        }
    }

    fn make_plan(&self, available: &[usize], wanted: &[usize], cost: ReadCost<'_>) -> Result<Plan> {
        let subs = self.code.sub_shards;
        let (all, sought) = (sub_units(available, subs), sub_units(wanted, subs));
        let of_unit = |error| match error {
            crate::Error::NotRecoverable { unit, available } => {
                crate::Error::NotRecoverable { unit: unit / subs, available: available / subs }
            }
            other => other,
        };
        let inputs = cheapest::inputs(
            &self.parity_rows,
            &all,
            &sought,
            |sub_unit| cost.of_sub_shard(sub_unit / subs),
            cost != ReadCost::Reads,
            |inputs| total(cost, inputs, subs),
        )
        .map_err(of_unit)?;
        let solution = solve::general(&self.parity_rows, &inputs, &sought).map_err(of_unit)?;
        let reads = reads_of(&solution.inputs, subs);
        Plan::of_matrix(self.code, self.kernel, reads, wanted.to_vec(), solution.coefficients)
    }
}

/// What is compared: the cost asked for, then bytes.
fn total(cost: ReadCost<'_>, inputs: &[usize], subs: usize) -> (u128, usize) {
    let first = match cost {
        ReadCost::Bytes => 0,
        // A read begins wherever the sub-shard before, of the same unit, is not read.
        ReadCost::Reads => inputs
            .iter()
            .filter(|&&input| input % subs == 0 || !inputs.contains(&(input - 1)))
            .count() as u128,
        ReadCost::Sources(_) => inputs.iter().map(|&input| cost.of_sub_shard(input / subs)).sum(),
    };
    (first, inputs.len())
}

/// The sub-shards of some units, each as a unit of its own: those of a unit one behind the other,
/// units in their order.
pub(super) fn sub_units(units: &[usize], subs: usize) -> Vec<usize> {
    units.iter().flat_map(|&unit| unit * subs..(unit + 1) * subs).collect()
}

/// Sub-shards as reads of units; neighbours are one read.
fn reads_of(sub_units: &[usize], subs: usize) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::new();
    for sub_unit in sub_units {
        let (unit, sub) = (sub_unit / subs, sub_unit % subs);
        match reads.last_mut() {
            Some(last) if last.unit == unit && last.first_sub + last.count == sub => {
                last.count += 1;
            }
            _ => reads.push(Read { unit, first_sub: sub, count: 1 }),
        }
    }
    reads
}

/// The methods of [`ErasureCode`](super::ErasureCode) that a code with a field `general` leaves to
/// that.
macro_rules! leave_to_general {
    () => {
        fn data_units(&self) -> usize {
            self.general.code.data_units
        }

        fn parity_units(&self) -> usize {
            self.general.code.parity_units
        }

        fn sub_shards(&self) -> usize {
            self.general.code.sub_shards
        }

        fn matrix_kind(&self) -> $crate::MatrixKind {
            self.general.code.kind
        }

        fn parity_rows(&self) -> &$crate::gf8::Matrix {
            &self.general.parity_rows
        }

        fn kernel(&self) -> $crate::KernelId {
            self.general.kernel
        }

        fn encode_plan(&self) -> &$crate::Plan {
            &self.general.encode_plan
        }

        fn plan(
            &self,
            available: &[usize],
            wanted: &[usize],
        ) -> $crate::Result<alloc::sync::Arc<$crate::Plan>> {
            self.general.plan(available, wanted)
        }

        fn cheapest_plan(
            &self,
            available: &[usize],
            wanted: &[usize],
            cost: $crate::ReadCost<'_>,
        ) -> $crate::Result<alloc::sync::Arc<$crate::Plan>> {
            self.general.cheapest_plan(available, wanted, cost)
        }
    };
}

pub(super) use leave_to_general;
