//! Hitchhiker-XOR: Reed-Solomon that reads less to repair one data unit.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::general::{GeneralCode, leave_to_general};
use super::plan::PlanCode;
use super::{ErasureCode, MatrixKind, Mds, ReedSolomon};
use crate::gf8::Matrix;
use crate::{Error, KernelId, Result};

/// Hitchhiker-XOR over Reed-Solomon: any k of k + m units give back the rest, as with
/// [`ReedSolomon`], and repairing one data unit reads about a third less. The bytes are those of
/// Hadoop's `HHXORErasureEncoder`.
///
/// Every shard is two sub-shards, its first half *a* and its second half *b*. The first halves
/// are Hadoop's RS code by themselves. So are the second halves, but for this: the data units are
/// m - 1 *groups*, and the second half of parity g + 1 has added (by xor) the first halves of the
/// data units of group g. Groups have floor(k / (m - 1)) units, the last one takes the rest.
///
/// One lost data unit of group g is then repaired from the second halves of the other data units
/// and of parity 0 (these give its second half, and what parity g + 1 would be without the
/// addition), the second half of parity g + 1, and the first halves of its group: k + |g| halves
/// instead of 2 k. With (10, 4) these are 13 or 14 instead of 20. Parity units, and several units
/// at once, mostly take whole units.
///
/// Shards have an even number of bytes. In a striped file every *cell* is coded by itself, so the
/// halves are those of each cell: see [`Policy`](crate::layout::Policy). Hadoop's coder takes the
/// chunks that are its two halves from its caller, who decides where they lie.
///
/// The code is that of K. V. Rashmi, N. B. Shah, D. Gu, H. Kuang, D. Borthakur, K. Ramchandran: A
/// "Hitchhiker's" Guide to Fast and Efficient Data Reconstruction in Erasure-coded Data Centers,
/// SIGCOMM 2014.
///
/// ```
/// use restripe::{ErasureCode, Hitchhiker, Read};
///
/// let code = Hitchhiker::new(10, 4)?;
/// let others: Vec<usize> = (0..14).filter(|&unit| unit != 1).collect();
/// let plan = code.plan(&others, &[1])?;
/// assert_eq!(plan.cost().shards(), 6.5); // Reed-Solomon reads 10
/// assert!(plan.reads().contains(&Read { unit: 0, first_sub: 0, count: 2 })); // of its group
/// assert!(plan.reads().contains(&Read { unit: 9, first_sub: 1, count: 1 }));
/// assert!(plan.reads().contains(&Read { unit: 10, first_sub: 1, count: 1 })); // parity 0
/// # Ok::<(), restripe::Error>(())
/// ```
pub struct Hitchhiker {
    general: GeneralCode,
    /// The same code with every half as a unit of its own.
    halves: Arc<ReedSolomon>,
}

impl Hitchhiker {
    /// The most units: their halves are the units of a code, too.
    pub const MAX_UNITS: usize = super::MAX_UNITS / 2;

    /// The code of `data_units` and `parity_units`.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`] for no data units or more than
    /// [`MAX_UNITS`](Self::MAX_UNITS) in all, [`Error::Invalid`] unless there are two parity units
    /// at least and m - 1 <= k, so that every group has a unit; [`Error::KernelUnavailable`] as
    /// [`KernelId::selected`].
    pub fn new(data_units: usize, parity_units: usize) -> Result<Self> {
        Self::check_counts(data_units, parity_units)?;
        Self::with_kernel(data_units, parity_units, KernelId::selected()?)
    }

    /// [`new`](Self::new) on a kernel of the caller's choice, whatever `RESTRIPE_KERNEL` says.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_kernel(data_units: usize, parity_units: usize, kernel: KernelId) -> Result<Self> {
        Self::check_counts(data_units, parity_units)?;
        let rows = parity_rows(data_units, parity_units)?;
        let halves = ReedSolomon::builder(2 * data_units, 2 * parity_units)
            .parity_rows(rows.clone())
            .accept_unchecked()
            .kernel(kernel)
            .build()?;
        let code =
            PlanCode { kind: MatrixKind::HitchhikerXor, data_units, parity_units, sub_shards: 2 };
        Ok(Self { general: GeneralCode::new(code, rows, kernel)?, halves: Arc::new(halves) })
    }

    /// Refuses numbers of units that the code cannot have.
    pub(crate) fn check_counts(data_units: usize, parity_units: usize) -> Result<()> {
        let kind = MatrixKind::HitchhikerXor.name();
        let units = data_units.saturating_add(parity_units);
        if data_units == 0 || parity_units == 0 || units > Self::MAX_UNITS {
            let max_units = Self::MAX_UNITS;
            return Err(Error::UnitCounts { kind, data_units, parity_units, max_units });
        }
        if parity_units < 2 || parity_units - 1 > data_units {
            return Err(Error::Invalid {
                what: "units of hitchhiker-xor",
                got: alloc::format!("{data_units}+{parity_units}").into(),
                expected: "it takes two parity units at least, and no fewer data units than parity units less one",
            });
        }
        Ok(())
    }

    /// The data units whose first halves parity `group + 1` carries; there are m - 1 groups. Empty
    /// for a group past them.
    ///
    /// ```
    /// let code = restripe::Hitchhiker::new(10, 4)?;
    /// assert_eq!([0, 1, 2].map(|group| code.group(group)), [0..3, 3..6, 6..10]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn group(&self, group: usize) -> Range<usize> {
        group_of(self.data_units(), self.parity_units(), group)
    }
}

fn group_of(data_units: usize, parity_units: usize, group: usize) -> Range<usize> {
    let groups = parity_units - 1;
    let size = data_units / groups;
    match group {
        group if group + 1 < groups => group * size..(group + 1) * size,
        group if group + 1 == groups => group * size..data_units,
        _ => data_units..data_units,
    }
}

/// A row for every half of a parity unit, a column for every half of a data unit.
fn parity_rows(data_units: usize, parity_units: usize) -> Result<Matrix> {
    let plain = MatrixKind::Cauchy.parity_rows(data_units, parity_units)?;
    Ok(Matrix::from_fn(2 * parity_units, 2 * data_units, |row, column| {
        let (parity, unit) = (row / 2, column / 2);
        match (row % 2, column % 2) {
            (0, 0) | (1, 1) => plain.get(parity, unit),
            (0, 1) => 0,
            _ => {
                let carries = parity
                    .checked_sub(1)
                    .is_some_and(|group| group_of(data_units, parity_units, group).contains(&unit));
                u8::from(carries)
            }
        }
    }))
}

impl super::sealed::Code for Hitchhiker {}

impl ErasureCode for Hitchhiker {
    leave_to_general!();

    /// Any k units give back all first halves, as in Reed-Solomon; with these the additions can
    /// be taken out of the second halves, which are then Reed-Solomon, too.
    fn mds(&self) -> Mds {
        Mds::Proven
    }

    fn over_sub_shards(&self) -> Option<Arc<dyn ErasureCode>> {
        Some(self.halves.clone())
    }
}

impl core::fmt::Debug for Hitchhiker {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let groups: Vec<_> = (0..self.parity_units() - 1).map(|group| self.group(group)).collect();
        formatter
            .debug_struct("Hitchhiker")
            .field("data_units", &self.data_units())
            .field("parity_units", &self.parity_units())
            .field("groups", &groups)
            .field("kernel", &self.kernel())
            .finish_non_exhaustive()
    }
}
