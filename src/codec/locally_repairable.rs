//! Locally repairable codes: a lost unit comes back from the few units of its group.

mod coefficients;

use alloc::sync::Arc;
use core::ops::Range;

use super::general::{GeneralCode, leave_to_general};
use super::plan::PlanCode;
use super::{ErasureCode, MatrixKind, Mds};
use crate::gf8::{self, Matrix};
use crate::{Error, KernelId, Result};

/// A locally repairable code: LRC(k, l, g) as Azure Storage has it, maximally recoverable.
///
/// The k data units are l *local groups*, as equal as can be (the first ones are one unit larger
/// where l does not divide k). Each has a *local parity* unit, the sum of its data units; so any
/// one unit of a group comes back from the others of the group. g *global parity* units are sums
/// over all data units. Parity units are in this order: the l local ones, then the g global ones.
///
/// *Maximally recoverable* means that every loss is repaired that any choice of coefficients
/// could repair: one unit in each group, and g more anywhere. So any g + 1 lost units come back,
/// and of more those that no group has too many of. [`is_recoverable`](ErasureCode::is_recoverable)
/// decides it exactly, and a [`plan`](ErasureCode::plan) is refused before anything is read.
///
/// The coefficient of data unit i in global parity r is e_i to the power 2^r, with elements e_i
/// that are fixed for (k, l, g):
///
/// | g | elements of the j-th unit of group c, from 0 | exist for |
/// |---|---|---|
/// | 1 | j + 1 | groups of up to 255 units |
/// | 2 | (j + 1) << 4 in group 0, j + 1 in group 1; in the others (j + 1) << 4 plus the product of c - 1 and j + 1 in GF(2^4) mod x^4 + x + 1 | up to 17 groups of up to 15 units |
/// | 3 to 8 | one after the other the first element, from 1 up, with which every loss within the units so far is repaired | what that finds, within two million determinants |
///
/// The powers, the plain local sums and the elements for g = 2 and two groups are those of
/// C. Huang, H. Simitci, Y. Xu, A. Ogus, B. Calder, P. Gopalan, J. Li, S. Yekhanin: Erasure Coding
/// in Windows Azure Storage, USENIX ATC 2012. The paper does not give Azure's own coefficients, so
/// the shards are not claimed to be Azure's.
///
/// ```
/// use restripe::{ErasureCode, LocallyRepairable};
///
/// let code = LocallyRepairable::new(12, 2, 2)?;
/// assert_eq!((code.local_group(1), code.local_parity(1), code.global_parities()), (6..12, 13, 14..16));
/// let others: Vec<usize> = (0..16).filter(|&unit| unit != 7).collect();
/// let plan = code.plan(&others, &[7])?;
/// let read: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
/// assert_eq!(read, [6, 8, 9, 10, 11, 13]);
/// # Ok::<(), restripe::Error>(())
/// ```
pub struct LocallyRepairable {
    general: GeneralCode,
    local_groups: usize,
}

impl LocallyRepairable {
    /// The code of `data_units` in `local_groups`, each with one local parity unit, and
    /// `global_parities`.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`] for no data units, no global parity unit or more than 256 units in
    /// all; [`Error::Invalid`] where there are no groups, more of them than data units, or no
    /// coefficients (see above); [`Error::KernelUnavailable`] as [`KernelId::selected`].
    pub fn new(data_units: usize, local_groups: usize, global_parities: usize) -> Result<Self> {
        Self::with_kernel(data_units, local_groups, global_parities, KernelId::selected()?)
    }

    /// [`new`](Self::new) on a kernel of the caller's choice, whatever `RESTRIPE_KERNEL` says.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_kernel(
        data_units: usize,
        local_groups: usize,
        global_parities: usize,
        kernel: KernelId,
    ) -> Result<Self> {
        let rows = parity_rows(data_units, local_groups, global_parities)?;
        let code = PlanCode {
            kind: MatrixKind::LocallyRepairable,
            data_units,
            parity_units: local_groups + global_parities,
            sub_shards: 1,
        };
        Ok(Self { general: GeneralCode::new(code, rows, kernel)?, local_groups })
    }

    /// Refuses numbers for which there is no such code.
    pub(crate) fn check(data_units: usize, local_groups: usize, globals: usize) -> Result<()> {
        parity_rows(data_units, local_groups, globals).map(drop)
    }

    fn check_counts(data_units: usize, local_groups: usize, global_parities: usize) -> Result<()> {
        let kind = MatrixKind::LocallyRepairable.name();
        let parity_units = local_groups.saturating_add(global_parities);
        let units = data_units.saturating_add(parity_units);
        if data_units == 0 || global_parities == 0 || units > super::MAX_UNITS {
            let max_units = super::MAX_UNITS;
            return Err(Error::UnitCounts { kind, data_units, parity_units, max_units });
        }
        if local_groups == 0 || local_groups > data_units {
            return Err(Error::Invalid {
                what: "local groups",
                got: alloc::format!("{local_groups}").into(),
                expected: "at least one, and no more than there are data units",
            });
        }
        Ok(())
    }

    /// Local groups, each with one local parity unit: l.
    #[must_use]
    pub fn local_groups(&self) -> usize {
        self.local_groups
    }

    /// The data units of a local group; empty for one past the last.
    #[must_use]
    pub fn local_group(&self, group: usize) -> Range<usize> {
        group_of(self.data_units(), self.local_groups, group)
    }

    /// The local parity unit of a group.
    #[must_use]
    pub fn local_parity(&self, group: usize) -> usize {
        self.data_units() + group
    }

    /// The global parity units.
    #[must_use]
    pub fn global_parities(&self) -> Range<usize> {
        self.data_units() + self.local_groups..self.total_units()
    }
}

fn group_of(data_units: usize, groups: usize, group: usize) -> Range<usize> {
    let (size, larger) = (data_units / groups, data_units % groups);
    let start = |group: usize| (group * size + group.min(larger)).min(data_units);
    let group = group.min(groups);
    start(group)..start(group + 1)
}

/// The rows of the local parities, then those of the global ones.
fn parity_rows(data_units: usize, groups: usize, globals: usize) -> Result<Matrix> {
    LocallyRepairable::check_counts(data_units, groups, globals)?;
    let elements = coefficients::elements(data_units, groups, globals)?;
    Ok(Matrix::from_fn(groups + globals, data_units, |row, unit| match row.checked_sub(groups) {
        None => u8::from(group_of(data_units, groups, row).contains(&unit)),
        Some(global) => power_of_two_power(elements[unit], global),
    }))
}

/// An element to the power 2^`exponent`.
fn power_of_two_power(element: u8, exponent: usize) -> u8 {
    // Squaring eight times is the identity.
    (0..exponent % 8).fold(element, |power, _| gf8::mul(power, power))
}

impl super::sealed::Code for LocallyRepairable {}

impl ErasureCode for LocallyRepairable {
    leave_to_general!();

    fn mds(&self) -> Mds {
        Mds::Unchecked
    }

    fn over_sub_shards(&self) -> Option<Arc<dyn ErasureCode>> {
        None
    }

    /// One in a group and g more anywhere: g + 2 of one group, or as many of it as there are and
    /// the rest global parities, are too many.
    fn failures_survived(&self) -> usize {
        self.global_parities().len() + 1
    }
}

impl core::fmt::Debug for LocallyRepairable {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("LocallyRepairable")
            .field("data_units", &self.data_units())
            .field("local_groups", &self.local_groups)
            .field("global_parities", &self.global_parities().len())
            .field("kernel", &self.kernel())
            .finish_non_exhaustive()
    }
}
