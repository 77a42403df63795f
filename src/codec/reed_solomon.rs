//! Reed-Solomon and every other code that is one generator matrix over whole shards.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::plan::{Plan, PlanCode};
#[cfg(feature = "std")]
use super::plan_cache::PlanCache;
use super::{ErasureCode, MatrixKind, Mds, ReadCost, cheapest, check_units, solve};
use crate::gf8::Matrix;
use crate::{Error, KernelId, Result};

/// Reed-Solomon over GF(2^8): k data units, m parity units, any k of the k + m give back the rest.
///
/// [`new`](Self::new) is the code of Hadoop, of ISA-L's `gf_gen_cauchy1_matrix` and of
/// klauspost's `WithCauchyMatrix`: the same bytes. [`with_matrix`](Self::with_matrix) gives the
/// codes of other systems, [`builder`](Self::builder) also a caller's own matrix.
///
/// Its methods are those of [`ErasureCode`]. Making one costs an allocation or a few and some
/// arithmetic: keep it.
///
/// ```
/// use restripe::{ErasureCode, MatrixKind, ReedSolomon};
///
/// let hadoop = ReedSolomon::new(6, 3)?;
/// let minio = ReedSolomon::with_matrix(12, 4, MatrixKind::Backblaze)?;
/// assert_eq!((hadoop.total_units(), minio.total_units()), (9, 16));
/// assert!(ReedSolomon::new(200, 100).is_err()); // 256 units at the most
/// # Ok::<(), restripe::Error>(())
/// ```
pub struct ReedSolomon {
    code: PlanCode,
    parity_rows: Matrix,
    mds: Mds,
    kernel: KernelId,
    encode_plan: Plan,
    #[cfg(feature = "std")]
    plans: PlanCache,
}

impl ReedSolomon {
    /// The code of `data_units` and `parity_units` over the Cauchy matrix: Hadoop's `rs` and
    /// ISA-L's Cauchy code.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`] unless both are at least 1 and together at most 256;
    /// [`Error::KernelUnavailable`] where `RESTRIPE_KERNEL` names no kernel of this CPU.
    pub fn new(data_units: usize, parity_units: usize) -> Result<Self> {
        Self::builder(data_units, parity_units).build()
    }

    /// The code over another system's matrix.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), with the limits of the kind ([`MatrixKind::max_units`]);
    /// [`Error::NotMds`] or [`Error::MdsUnknown`] where not every k units are known to give back
    /// the rest: a [`builder`](Self::builder) can accept that.
    pub fn with_matrix(data_units: usize, parity_units: usize, kind: MatrixKind) -> Result<Self> {
        Self::builder(data_units, parity_units).matrix(kind).build()
    }

    /// Everything that can be chosen of a code.
    pub fn builder(data_units: usize, parity_units: usize) -> ReedSolomonBuilder {
        ReedSolomonBuilder {
            data_units,
            parity_units,
            kind: MatrixKind::Cauchy,
            custom: None,
            accept_unchecked: false,
            kernel: None,
        }
    }

    fn make_plan(&self, available: &[usize], wanted: &[usize]) -> Result<Plan> {
        let wanted_list = wanted.to_vec();
        if wanted.is_empty() {
            return Plan::dense(self.code, self.kernel, [], wanted_list, Matrix::zero(0, 0));
        }
        if self.mds.is_known() {
            let coefficients = solve::mds(&self.parity_rows, available, wanted)?;
            let inputs = available.iter().copied();
            return Plan::dense(self.code, self.kernel, inputs, wanted_list, coefficients);
        }
        let solution = solve::general(&self.parity_rows, available, wanted)?;
        Plan::dense(self.code, self.kernel, solution.inputs, wanted_list, solution.coefficients)
    }
}

impl super::sealed::Code for ReedSolomon {}

impl ErasureCode for ReedSolomon {
    fn data_units(&self) -> usize {
        self.code.data_units
    }

    fn parity_units(&self) -> usize {
        self.code.parity_units
    }

    fn sub_shards(&self) -> usize {
        1
    }

    fn matrix_kind(&self) -> MatrixKind {
        self.code.kind
    }

    fn parity_rows(&self) -> &Matrix {
        &self.parity_rows
    }

    fn mds(&self) -> Mds {
        self.mds
    }

    fn kernel(&self) -> KernelId {
        self.kernel
    }

    fn encode_plan(&self) -> &Plan {
        &self.encode_plan
    }

    fn plan(&self, available: &[usize], wanted: &[usize]) -> Result<Arc<Plan>> {
        let (k, units) = (self.data_units(), self.total_units());
        check_units(units, available, wanted)?;
        let mut available = available;
        if self.mds.is_known() && !wanted.is_empty() {
            available = available
                .get(..k)
                .ok_or(Error::TooFewUnits { required: k, available: available.len() })?;
        }
        #[cfg(feature = "std")]
        {
            self.plans.get_or_make(available, wanted, || self.make_plan(available, wanted))
        }
        #[cfg(not(feature = "std"))]
        {
            self.make_plan(available, wanted).map(Arc::new)
        }
    }

    fn cheapest_plan(
        &self,
        available: &[usize],
        wanted: &[usize],
        cost: ReadCost<'_>,
    ) -> Result<Arc<Plan>> {
        check_units(self.total_units(), available, wanted)?;
        cost.check(self.total_units())?;
        if self.mds.is_known() || wanted.is_empty() {
            let k = self.data_units();
            if available.len() < k && !wanted.is_empty() {
                return Err(Error::TooFewUnits { required: k, available: available.len() });
            }
            return self.plan(&cheapest_units(available, k, cost), wanted);
        }
        let weight = |unit| cost.of_sub_shard(unit);
        let total = |inputs: &[usize]| {
            (inputs.iter().map(|&unit| cost.of_sub_shard(unit)).sum::<u128>(), inputs.len())
        };
        let inputs = cheapest::inputs(&self.parity_rows, available, wanted, weight, true, total)?;
        self.plan(&inputs, wanted)
    }

    fn over_sub_shards(&self) -> Option<Arc<dyn ErasureCode>> {
        None
    }
}

/// The k cheapest units, of equal ones the first.
fn cheapest_units(available: &[usize], k: usize, cost: ReadCost<'_>) -> Vec<usize> {
    let mut units = available.to_vec();
    units.sort_by_key(|&unit| cost.of_sub_shard(unit));
    units.truncate(k);
    units
}

impl core::fmt::Debug for ReedSolomon {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("ReedSolomon")
            .field("data_units", &self.code.data_units)
            .field("parity_units", &self.code.parity_units)
            .field("matrix", &self.code.kind)
            .field("mds", &self.mds)
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
    }
}

/// Makes a [`ReedSolomon`] with choices: from [`ReedSolomon::builder`].
///
/// ```
/// use restripe::{ErasureCode, KernelId, MatrixKind, Mds, ReedSolomon};
///
/// let par1 = ReedSolomon::builder(5, 3).matrix(MatrixKind::Par1).accept_unchecked().build()?;
/// let portable = ReedSolomon::builder(6, 3).kernel(KernelId::from_name("scalar")?).build()?;
/// assert_eq!(portable.kernel().name(), "scalar");
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ReedSolomonBuilder {
    data_units: usize,
    parity_units: usize,
    kind: MatrixKind,
    custom: Option<Matrix>,
    accept_unchecked: bool,
    kernel: Option<KernelId>,
}

impl ReedSolomonBuilder {
    /// Takes the matrix of another kind. The default is [`MatrixKind::Cauchy`]; what is said last
    /// counts.
    pub fn matrix(mut self, kind: MatrixKind) -> Self {
        self.kind = kind;
        self.custom = None;
        self
    }

    /// Takes the caller's own coefficients: a row for every parity unit, a column for every data
    /// unit.
    ///
    /// ```
    /// use restripe::gf8::Matrix;
    /// use restripe::{ErasureCode, Mds, ReedSolomon};
    ///
    /// let rows = Matrix::from_rows(&[[1, 1, 1], [1, 2, 3]]);
    /// let code = ReedSolomon::builder(3, 2).parity_rows(rows).build()?;
    /// assert_eq!(code.mds(), Mds::Checked);
    ///
    /// let rows = Matrix::from_rows(&[[1, 1, 1], [1, 1, 3]]); // units 0 and 1 look the same
    /// assert!(ReedSolomon::builder(3, 2).parity_rows(rows.clone()).build().is_err());
    /// let code = ReedSolomon::builder(3, 2).parity_rows(rows).accept_unchecked().build()?;
    /// assert!(code.plan(&[2, 3, 4], &[0]).is_err());
    /// assert!(code.plan(&[0, 2, 4], &[1]).is_ok());
    /// # Ok::<(), restripe::Error>(())
    /// ```
    pub fn parity_rows(mut self, rows: Matrix) -> Self {
        self.kind = MatrixKind::Custom;
        self.custom = Some(rows);
        self
    }

    /// Accepts a matrix that is not MDS, or not known to be ([`Mds::Unchecked`]): some losses of
    /// m units or fewer may then be beyond repair, which [`ErasureCode::plan`] says before
    /// anything is read.
    pub fn accept_unchecked(mut self) -> Self {
        self.accept_unchecked = true;
        self
    }

    /// Runs on this kernel, whatever `RESTRIPE_KERNEL` says.
    pub fn kernel(mut self, kernel: KernelId) -> Self {
        self.kernel = Some(kernel);
        self
    }

    /// Makes the code.
    ///
    /// # Errors
    ///
    /// As [`ReedSolomon::with_matrix`]; [`Error::Count`] for a matrix of the caller's with another
    /// number of rows or columns than there are units.
    pub fn build(self) -> Result<ReedSolomon> {
        let Self { data_units, parity_units, kind, custom, accept_unchecked, kernel } = self;
        let parity_rows = match custom {
            Some(rows) => {
                kind.check_counts(data_units, parity_units)?;
                super::plan::check_count("parity rows", parity_units, rows.rows())?;
                super::plan::check_count("columns of parity rows", data_units, rows.columns())?;
                rows
            }
            None => kind.parity_rows(data_units, parity_units)?,
        };
        let mds = match Mds::of(kind, &parity_rows) {
            Err(Error::NotMds { .. } | Error::MdsUnknown { .. }) if accept_unchecked => {
                Mds::Unchecked
            }
            known => known?,
        };
        let kernel = match kernel {
            Some(kernel) => kernel,
            None => KernelId::selected()?,
        };
        let code = PlanCode { kind, data_units, parity_units, sub_shards: 1 };
        let outputs = (data_units..data_units + parity_units).collect();
        let encode_plan = Plan::dense(code, kernel, 0..data_units, outputs, parity_rows.clone())?;
        Ok(ReedSolomon {
            code,
            parity_rows,
            mds,
            kernel,
            encode_plan,
            #[cfg(feature = "std")]
            plans: PlanCache::default(),
        })
    }
}
