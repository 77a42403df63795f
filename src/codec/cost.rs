//! What a repair reads, and by what the cheapest one is chosen.

use super::{ErasureCode, Plan};
use crate::{Error, Result};

/// By what [`ErasureCode::cheapest_plan`] compares plans.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadCost<'a> {
    /// The fewest bytes.
    Bytes,
    /// The fewest reads: sub-shards that lie one behind the other in a unit are one read. Where
    /// that is equal, the fewest bytes.
    Reads,
    /// The smallest sum of what the sources cost: one number for every unit of the code, the cost
    /// of reading all of it. A part of a unit costs its share. 0 is for what costs nothing, such
    /// as units that are known to be zeros.
    Sources(&'a [u64]),
}

impl ReadCost<'_> {
    /// Refuses a list of another length than the code has units.
    pub(super) fn check(&self, units: usize) -> Result<()> {
        match self {
            Self::Sources(costs) if costs.len() != units => {
                Err(Error::Count { what: "costs of sources", expected: units, got: costs.len() })
            }
            _ => Ok(()),
        }
    }

    /// The cost of one sub-shard of a unit, all sub-shards of a unit being alike.
    pub(super) fn of_sub_shard(&self, unit: usize) -> u128 {
        match self {
            Self::Bytes | Self::Reads => 1,
            Self::Sources(costs) => u128::from(costs[unit]),
        }
    }
}

/// What a repair reads: the answer of [`ErasureCode::repair_cost`] and [`Plan::cost`].
///
/// ```
/// use restripe::{ErasureCode, ReedSolomon};
/// let cost = ReedSolomon::new(10, 4)?.repair_cost(&[3], &[0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11])?;
/// assert_eq!((cost.shards(), cost.reads), (10.0, 10));
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepairCost {
    /// Sub-shards that are read.
    pub sub_shards_read: usize,
    /// Sub-shards that a shard has: 1 for most codes.
    pub sub_shards: usize,
    /// Reads: parts of units that lie in one piece.
    pub reads: usize,
    /// Units of which something is read.
    pub units: usize,
}

impl RepairCost {
    /// What is read as a number of whole shards: 6.5 where a repair reads 13 halves.
    #[must_use]
    pub fn shards(&self) -> f64 {
        self.sub_shards_read as f64 / self.sub_shards as f64
    }

    /// Bytes read where shards have `shard_len` bytes, a multiple of the number of sub-shards.
    #[must_use]
    pub fn bytes(&self, shard_len: u64) -> u64 {
        (shard_len / self.sub_shards as u64).saturating_mul(self.sub_shards_read as u64)
    }
}

impl Plan {
    /// What it reads.
    #[must_use]
    pub fn cost(&self) -> RepairCost {
        let reads = self.reads();
        let mut units = 0;
        for (index, read) in reads.iter().enumerate() {
            units += usize::from(reads[..index].iter().all(|other| other.unit != read.unit));
        }
        RepairCost {
            sub_shards_read: reads.iter().map(|read| read.count).sum(),
            sub_shards: self.sub_shards(),
            reads: reads.len(),
            units,
        }
    }
}

/// What repairing one lost unit reads, over all units: from [`ErasureCode::single_repairs`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingleRepairs {
    /// Shards read for a data unit, the mean over the data units.
    pub data_mean: f64,
    /// Shards read for any unit, the mean over all units.
    pub mean: f64,
    /// The most shards read for any unit.
    pub worst: f64,
    /// The most units that a repair of any unit reads from.
    pub most_units: usize,
}

impl SingleRepairs {
    pub(super) fn of(code: &(impl ErasureCode + ?Sized)) -> Result<Self> {
        let (k, units) = (code.data_units(), code.total_units());
        let mut of_data = 0.0;
        let mut single = Self { data_mean: 0.0, mean: 0.0, worst: 0.0, most_units: 0 };
        let mut of_all = 0.0;
        for lost in 0..units {
            let others: alloc::vec::Vec<usize> = (0..units).filter(|&unit| unit != lost).collect();
            let cost = code.cheapest_plan(&others, &[lost], ReadCost::Bytes)?.cost();
            if lost < k {
                of_data += cost.shards();
            }
            of_all += cost.shards();
            single.worst = single.worst.max(cost.shards());
            single.most_units = single.most_units.max(cost.units);
        }
        single.data_mean = of_data / k as f64;
        single.mean = of_all / units as f64;
        Ok(single)
    }
}
