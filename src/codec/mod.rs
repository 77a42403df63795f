//! Codes: generator matrices, and everything that is computed with them.
//!
//! A code is a matrix; what it computes for given losses is a [`Plan`]; the methods of
//! [`ErasureCode`] are the common uses of plans.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use check::check_units;

use crate::checksum::ChunkedChecksum;
use crate::gf8::Matrix;
use crate::{KernelId, Result};

mod cheapest;
mod check;
mod cost;
mod encode;
mod general;
mod hitchhiker;
mod locally_repairable;
mod locate;
mod matrix_kind;
mod mds;
#[cfg(feature = "rayon")]
mod parallel;
mod plan;
mod plan_bytes;
#[cfg(feature = "std")]
mod plan_cache;
mod progressive;
#[cfg(feature = "hdfs")]
mod rebuild_check;
mod reconstruct;
mod reed_solomon;
mod self_check;
mod shards;
mod solve;
mod steps;
mod sub_shards;
mod syndromes;
#[cfg(feature = "wide")]
mod wide;
mod with_checksums;

pub use cost::{ReadCost, RepairCost, SingleRepairs};
pub use hitchhiker::Hitchhiker;
pub use locally_repairable::LocallyRepairable;
pub use locate::{Location, Verdict};
pub use matrix_kind::MatrixKind;
pub use mds::Mds;
#[cfg(feature = "capi")]
pub(crate) use parallel::{GRAIN, WORTH_SHARING};
pub use plan::{Plan, Read};
pub use progressive::Progressive;
#[cfg(feature = "hdfs")]
pub(crate) use rebuild_check::CheckedPlan;
pub use reed_solomon::{ReedSolomon, ReedSolomonBuilder};
pub use shards::present;
pub use syndromes::Consistency;
#[cfg(feature = "wide")]
pub use wide::WideReedSolomon;

/// The most units that a code over GF(2^8) can have: data and parity units together.
///
/// Some kinds of matrix have less: see [`MatrixKind::max_units`].
pub const MAX_UNITS: usize = 256;

/// A linear erasure code over GF(2^8), and what one does with it.
///
/// Codes implement the first handful of methods; all the rest is made of [`Plan`]s and comes with
/// the trait. The codes are those of this crate: the trait cannot be implemented elsewhere.
///
/// References, boxes and `Arc`s of codes are codes, so `Box<dyn ErasureCode>` has every method
/// too. Of a plain `&dyn ErasureCode` take a reference once more:
///
/// ```
/// use restripe::{ErasureCode, ReedSolomon};
/// fn parity_of(code: &dyn ErasureCode, data: &[Vec<u8>]) -> restripe::Result<Vec<Vec<u8>>> {
///     let mut parity = vec![vec![0; data[0].len()]; code.parity_units()];
///     (&code).encode(data, &mut parity)?;
///     Ok(parity)
/// }
/// parity_of(&ReedSolomon::new(2, 1)?, &[vec![1, 2], vec![3, 4]])?;
/// # Ok::<(), restripe::Error>(())
/// ```
///
/// In all methods: *shards* are byte buffers of any length and alignment; a shard that is shorter
/// than the others of its call counts as continued with zeros; lists of shards are in the order
/// of the units, data first. Inputs and outputs cannot overlap, since outputs are borrowed
/// mutably.
pub trait ErasureCode: sealed::Code + Send + Sync + core::fmt::Debug {
    /// Data units: k.
    fn data_units(&self) -> usize;

    /// Parity units: m.
    fn parity_units(&self) -> usize;

    /// Sub-shards that every shard is divided into; 1 unless the code repairs by parts of shards.
    fn sub_shards(&self) -> usize;

    /// The kind of its generator matrix.
    fn matrix_kind(&self) -> MatrixKind;

    /// The parity rows of its generator matrix: a row for every parity sub-shard, a column for
    /// every data sub-shard. (The rows of the data units are the identity.)
    fn parity_rows(&self) -> &Matrix;

    /// Whether any k units determine the others, and how that is known.
    fn mds(&self) -> Mds;

    /// The kernel that it runs on.
    fn kernel(&self) -> KernelId;

    /// The plan from all data units to all parity units.
    fn encode_plan(&self) -> &Plan;

    /// The plan that computes the units `wanted`, in that order, from some of `available`.
    ///
    /// Both lists may be in any order and hold data and parity units. `available` is taken as an
    /// order of preference: [`ReedSolomon`] reads its first k or, with a matrix that is not MDS,
    /// of the first ones that are independent those that the units wanted depend on.
    /// [`Hitchhiker`] and [`LocallyRepairable`] codes read the fewest bytes, preferring the first
    /// where that is equal. Exactly the units wanted are computed; none wanted gives a plan that
    /// reads nothing.
    ///
    /// A data unit that is known to be all zeros (it ends before the range in question) is
    /// available and costs nothing: name it first, and give `&[]` for it to
    /// [`Plan::apply`]. See [`layout`](crate::layout) for an example.
    ///
    /// With the feature `std` plans are cached in the code (up to 1,024 of them, or 16 MiB), and
    /// finding one again takes no lock.
    ///
    /// # Errors
    ///
    /// [`Error::UnitOutOfRange`](crate::Error::UnitOutOfRange),
    /// [`Error::DuplicateUnit`](crate::Error::DuplicateUnit) within one list,
    /// [`Error::AvailableAndWanted`](crate::Error::AvailableAndWanted);
    /// [`Error::TooFewUnits`](crate::Error::TooFewUnits) for an MDS code with fewer than k
    /// available, [`Error::NotRecoverable`](crate::Error::NotRecoverable) for any other code
    /// whose available units do not determine one wanted.
    fn plan(&self, available: &[usize], wanted: &[usize]) -> Result<Arc<Plan>>;

    /// The plan that computes the units `wanted` from those of `available` that cost least to
    /// read. Where several cost the same, the first of `available` are read.
    ///
    /// It is the least that there is where any k units are as good as any other k, and for
    /// [`LocallyRepairable`] codes with up to 12 parity units. Elsewhere it is the least of up to
    /// 4,096 sets of parity units, the small ones first, with each of which as much data as
    /// possible is left out, the dearest first: for one lost data unit of a [`Hitchhiker`] code
    /// that is never more than its authors' repair reads. Only plans by [`ReadCost::Bytes`] are
    /// cached for codes whose units are not all alike.
    ///
    /// ```
    /// use restripe::{ErasureCode, LocallyRepairable, ReadCost};
    /// let code = LocallyRepairable::new(4, 2, 2)?; // units 0, 1, 4 are a group, and 2, 3, 5
    /// let read = |cost| -> restripe::Result<Vec<usize>> {
    ///     let plan = code.cheapest_plan(&[1, 2, 3, 4, 5, 6, 7], &[0], cost)?;
    ///     Ok(plan.reads().iter().map(|read| read.unit).collect())
    /// };
    /// assert_eq!(read(ReadCost::Bytes)?, [1, 4]);
    /// // Unit 4 is far away.
    /// assert_eq!(read(ReadCost::Sources(&[1, 1, 1, 1, 100, 1, 1, 1]))?, [1, 2, 3, 6]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan); [`Error::Count`](crate::Error::Count) unless
    /// [`ReadCost::Sources`] has a cost for every unit.
    fn cheapest_plan(
        &self,
        available: &[usize],
        wanted: &[usize],
        cost: ReadCost<'_>,
    ) -> Result<Arc<Plan>>;

    /// The same code with every sub-shard as a unit of its own: sub-shard s of unit u is its unit
    /// u times [`sub_shards`](Self::sub_shards) plus s. `None` where a shard is one sub-shard.
    ///
    /// With it, parts of units can be lost, verified and located each by itself. It is not MDS.
    ///
    /// ```
    /// use restripe::{ErasureCode, Hitchhiker};
    /// let code = Hitchhiker::new(4, 2)?;
    /// let halves = code.over_sub_shards().unwrap();
    /// // Two units have lost their first halves, two others their second ones.
    /// assert!(halves.is_recoverable(&[0, 2, 5, 7])?);
    /// assert!(!code.is_recoverable(&[0, 1, 2, 3])?);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    fn over_sub_shards(&self) -> Option<Arc<dyn ErasureCode>>;

    /// Which units some units determine, themselves among them, ascending. Nothing is read to know
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::UnitOutOfRange`](crate::Error::UnitOutOfRange) and
    /// [`Error::DuplicateUnit`](crate::Error::DuplicateUnit).
    fn determined_by(&self, available: &[usize]) -> Result<Vec<usize>> {
        check_units(self.total_units(), available, &[])?;
        let units = 0..self.total_units();
        if self.mds().is_known() {
            let all = available.len() >= self.data_units();
            return Ok(units.filter(|unit| all || available.contains(unit)).collect());
        }
        Ok(solve::determined(self.parity_rows(), available, units))
    }

    /// Whether the other units give back all of `lost`: decided exactly, without a plan.
    ///
    /// ```
    /// use restripe::{ErasureCode, LocallyRepairable, ReedSolomon};
    /// assert!(!ReedSolomon::new(12, 4)?.is_recoverable(&[0, 1, 2, 3, 4])?);
    /// let code = LocallyRepairable::new(12, 2, 2)?; // units 0 to 5 are a group
    /// assert!(!code.is_recoverable(&[0, 1, 2, 3])?); // four of one group
    /// assert!(code.is_recoverable(&[0, 1, 6, 7])?); // two of each
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`determined_by`](Self::determined_by).
    fn is_recoverable(&self, lost: &[usize]) -> Result<bool> {
        check_units(self.total_units(), lost, &[])?;
        if self.mds().is_known() {
            return Ok(lost.len() <= self.parity_units());
        }
        let there: Vec<usize> =
            (0..self.total_units()).filter(|unit| !lost.contains(unit)).collect();
        Ok(self.determined_by(&there)?.len() == self.total_units())
    }

    /// The largest number of units of which any may be lost: m for MDS codes.
    ///
    /// Found by going through the losses of one unit, two, and so on, where nothing is known that
    /// would tell it: for a caller's own matrix that may take long.
    fn failures_survived(&self) -> usize {
        if self.mds().is_known() {
            return self.parity_units();
        }
        let rows = self.parity_rows();
        locate::independent_columns(rows, usize::MAX, self.parity_units())
    }

    /// What repairing the units `lost` from `available` reads at the least, by bytes.
    ///
    /// ```
    /// use restripe::{ErasureCode, Hitchhiker};
    /// let code = Hitchhiker::new(10, 4)?;
    /// let others: Vec<usize> = (1..14).collect();
    /// let cost = code.repair_cost(&[0], &others)?;
    /// assert_eq!((cost.sub_shards_read, cost.sub_shards), (13, 2));
    /// assert_eq!(cost.bytes(1 << 20), 13 << 19);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`cheapest_plan`](Self::cheapest_plan).
    fn repair_cost(&self, lost: &[usize], available: &[usize]) -> Result<RepairCost> {
        Ok(self.cheapest_plan(available, lost, ReadCost::Bytes)?.cost())
    }

    /// What repairing one lost unit reads while all others are there: mean and worst over the
    /// units.
    ///
    /// ```
    /// use restripe::{ErasureCode, LocallyRepairable};
    /// let single = LocallyRepairable::new(12, 2, 2)?.single_repairs()?;
    /// assert_eq!((single.data_mean, single.worst), (6.0, 12.0));
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotRecoverable`](crate::Error::NotRecoverable) for a matrix of the caller's with a
    /// unit that all others do not give back.
    fn single_repairs(&self) -> Result<SingleRepairs> {
        SingleRepairs::of(self)
    }

    /// All units: k + m.
    fn total_units(&self) -> usize {
        self.data_units() + self.parity_units()
    }

    /// Computes all parity shards from all data shards.
    ///
    /// `data` has k shards, `parity` m; every parity shard has the length of the longest data
    /// shard, rounded up to a multiple of [`sub_shards`](Self::sub_shards). What `parity` held is
    /// written over.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let mut parity = [[0; 5]; 2];
    /// ReedSolomon::new(3, 2)?.encode(&["one", "two", "three"], &mut parity)?;
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Count`](crate::Error::Count) and [`Error::Length`](crate::Error::Length) where
    /// the shards are not so.
    #[inline]
    fn encode<D: AsRef<[u8]>, P: AsMut<[u8]>>(&self, data: &[D], parity: &mut [P]) -> Result<()>
    where
        Self: Sized,
    {
        encode::encode(self, data, parity)
    }

    /// [`encode`](Self::encode), and a check that the parity in memory is what it should be.
    ///
    /// Each column of bytes is checked by one random combination of the parity rows, with no zero
    /// coefficient, against the same combination of the data; it is derived from the generator
    /// matrix and not from the kernel's tables. `seed` decides the combination; pass a number
    /// that faults cannot know, such as a random one. It costs about as much more as (k + m) / k
    /// further parity units would.
    ///
    /// | caught | |
    /// |---|---|
    /// | one wrong parity byte in a column | always |
    /// | several in one column | all but one in 255 of such columns |
    /// | data read wrongly by both, a wrong matrix, memory that goes bad later | not |
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let mut parity = [[0; 5]; 2];
    /// let seed = 0x5EED; // a random one
    /// ReedSolomon::new(3, 2)?.encode_verified(&["one", "two", "three"], &mut parity, seed)?;
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode); [`Error::ComputeCheck`](crate::Error::ComputeCheck) when the
    /// check fails: the machine computed or stored something wrong, and `parity` is not to be
    /// used.
    fn encode_verified<D: AsRef<[u8]>, P: AsMut<[u8]>>(
        &self,
        data: &[D],
        parity: &mut [P],
        seed: u64,
    ) -> Result<()>
    where
        Self: Sized,
    {
        self_check::encode_verified(self, data, parity, seed)
    }

    /// [`encode`](Self::encode), and the chunk checksums of all data and parity shards, in one pass
    /// over memory.
    ///
    /// `data_sums` and `parity_sums` have an array for every shard, each as long as
    /// [`sums_len`](ChunkedChecksum::sums_len) says for the shard's own length: of a data shard
    /// that is shorter than the others, those of the bytes that it has. Checksums and products run
    /// on the kernels of `checksum` and of the code. For a rebuild see
    /// [`Plan::apply_with_checksums`].
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// use restripe::{ErasureCode, ReedSolomon};
    ///
    /// let code = ReedSolomon::new(2, 1)?;
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
    /// let data = [[1; 1000], [2; 1000]];
    /// let (mut parity, mut data_sums, mut parity_sums) = ([[0; 1000]], [[0; 8]; 2], [[0; 8]]);
    /// code.encode_with_checksums(&checksum, &data, &mut parity, &mut data_sums, &mut parity_sums)?;
    /// checksum.verify(&data[1], &data_sums[1])?;
    /// checksum.verify(&parity[0], &parity_sums[0])?;
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode); [`Error::Count`](crate::Error::Count) and
    /// [`Error::Length`](crate::Error::Length) where the checksums do not fit the shards, too.
    fn encode_with_checksums<D: AsRef<[u8]>, P: AsMut<[u8]>, S: AsMut<[u8]>, T: AsMut<[u8]>>(
        &self,
        checksum: &ChunkedChecksum,
        data: &[D],
        parity: &mut [P],
        data_sums: &mut [S],
        parity_sums: &mut [T],
    ) -> Result<()>
    where
        Self: Sized,
    {
        with_checksums::encode_with_checksums(self, checksum, data, parity, data_sums, parity_sums)
    }

    /// Changes the parity shards as data unit `unit` changes from `old` to `new`; no other data
    /// unit is read.
    ///
    /// The shards may be a range of the whole ones, the same range of all. `parity` has m shards
    /// of the length of the longer of `old` and `new`; the shorter counts as continued with
    /// zeros. Of a code with sub-shards these are the whole shards, and the parity may be longer
    /// than the data.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let code = ReedSolomon::new(2, 3)?;
    /// let mut parity = [[0; 4]; 3];
    /// code.encode(&[[1, 2, 3, 4], [5, 6, 7, 8]], &mut parity)?;
    /// // Bytes 1..3 of unit 0 become 9 and 9.
    /// code.update(0, &[2, 3], &[9, 9], &mut parity.each_mut().map(|shard| &mut shard[1..3]))?;
    /// let mut expected = [[0; 4]; 3];
    /// code.encode(&[[1, 9, 9, 4], [5, 6, 7, 8]], &mut expected)?;
    /// assert_eq!(parity, expected);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotADataUnit`](crate::Error::NotADataUnit) unless `unit` is one,
    /// [`Error::Count`](crate::Error::Count) and [`Error::Length`](crate::Error::Length) where
    /// the shards are not so; the parity is then unchanged.
    fn update<P: AsMut<[u8]>>(
        &self,
        unit: usize,
        old: &[u8],
        new: &[u8],
        parity: &mut [P],
    ) -> Result<()>
    where
        Self: Sized,
    {
        encode::update(self, unit, old, new, parity)
    }

    /// Begins an encoding to which data shards are given one at a time, in any order.
    ///
    /// `parity` has m shards of one length; they are set to zeros.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let code = ReedSolomon::new(2, 1)?;
    /// let mut parity = [[0; 4]];
    /// let mut progressive = code.progressive(&mut parity)?;
    /// progressive.add(1, &[5, 6, 7, 8])?;
    /// progressive.add(0, &[1, 2, 3, 4])?;
    /// progressive.finish()?;
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Count`](crate::Error::Count) and [`Error::Length`](crate::Error::Length) where
    /// the shards are not so; [`Error::Invalid`](crate::Error::Invalid) for a code with sub-shards.
    fn progressive<'a, P: AsMut<[u8]>>(&'a self, parity: &'a mut [P]) -> Result<Progressive<'a, P>>
    where
        Self: Sized,
    {
        Progressive::new(self.encode_plan(), parity)
    }

    /// Puts back every shard that is `None`; each is as long as the longest that is there, rounded
    /// up to a multiple of [`sub_shards`](Self::sub_shards).
    ///
    /// `shards` has k + m entries. A data unit that is empty, or ends short of the others, is
    /// there: `Some` of what it has. Where that is so, cut those put back to their own lengths; or
    /// rebuild into buffers of the right lengths with
    /// [`reconstruct_into`](Self::reconstruct_into).
    ///
    /// # Errors
    ///
    /// [`Error::Count`](crate::Error::Count) for another number of shards,
    /// [`Error::Length`](crate::Error::Length) and [`Error::TooLong`](crate::Error::TooLong) for
    /// parity shards of different lengths or shorter than a data shard: one was cut. (A data
    /// shard that was cut cannot be told from one that ends there.)
    /// [`Error::TooFewUnits`](crate::Error::TooFewUnits) or
    /// [`Error::NotRecoverable`](crate::Error::NotRecoverable) where too many are lost; all
    /// shards are then as they were.
    fn reconstruct(&self, shards: &mut [Option<Vec<u8>>]) -> Result<()>
    where
        Self: Sized,
    {
        reconstruct::reconstruct(self, shards, self.total_units())
    }

    /// [`reconstruct`](Self::reconstruct) for data shards only: parity shards stay `None`.
    ///
    /// # Errors
    ///
    /// As [`reconstruct`](Self::reconstruct).
    fn reconstruct_data(&self, shards: &mut [Option<Vec<u8>>]) -> Result<()>
    where
        Self: Sized,
    {
        reconstruct::reconstruct(self, shards, self.data_units())
    }

    /// Rebuilds a byte range of some units into the caller's buffers.
    ///
    /// `shards` has k + m entries, `None` for what is lost; `wanted` names units and gives each
    /// a buffer. Of a unit that is both present and wanted, what is present is not read. A buffer
    /// gets the bytes from `range.start` on, as many as it has, at most the range's length: a
    /// shorter one is for a unit that ends within the range.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let code = ReedSolomon::new(2, 1)?;
    /// let mut parity = [[0; 4]];
    /// code.encode(&[[1, 2, 3, 4], [5, 6, 7, 8]], &mut parity)?;
    /// let shards = [Some(&[1, 2, 3, 4]), None, Some(&parity[0])];
    /// let mut middle = [0; 2];
    /// code.reconstruct_into(&shards, 1..3, &mut [(1, &mut middle)])?;
    /// assert_eq!(middle, [6, 7]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`reconstruct`](Self::reconstruct); also
    /// [`Error::UnitOutOfRange`](crate::Error::UnitOutOfRange) and
    /// [`Error::DuplicateUnit`](crate::Error::DuplicateUnit) in `wanted`,
    /// [`Error::Range`](crate::Error::Range) for a range that ends before it begins or past the
    /// longest shard, [`Error::TooLong`](crate::Error::TooLong) for a buffer longer than the
    /// range, [`Error::Invalid`](crate::Error::Invalid) for a code with sub-shards, in which a
    /// range of one shard comes from other ranges of others: take its [`plan`](Self::plan).
    fn reconstruct_into<S: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        shards: &[Option<S>],
        range: Range<usize>,
        wanted: &mut [(usize, O)],
    ) -> Result<()>
    where
        Self: Sized,
    {
        reconstruct::reconstruct_into(self, shards, range, wanted)
    }

    /// Whether the shards agree with each other.
    ///
    /// `shards` has k + m entries, `None` for what is not there. With exactly k there is nothing
    /// to compare, which is not the same as agreement.
    ///
    /// # Errors
    ///
    /// [`Error::Count`](crate::Error::Count) for another number of shards,
    /// [`Error::TooFewUnits`](crate::Error::TooFewUnits) for fewer than k.
    fn verify<S: AsRef<[u8]>>(&self, shards: &[Option<S>]) -> Result<Consistency>
    where
        Self: Sized,
    {
        syndromes::verify(self, shards)
    }

    /// Where shards disagree, and which of them are wrong: for damage that no checksum tells of.
    ///
    /// The shards (`None` for what is not there) are looked at in ranges of `range_len` bytes, each
    /// on its own; ranges in which all agree are not returned. 512 is a good length: in a long
    /// range more shards are wrong together than in a short one, in a very short one there are few
    /// bytes to tell by. It costs about what encoding costs, and more only where something is
    /// wrong.
    ///
    /// What can be told depends on the surplus, m minus the shards missing (in a code that is not
    /// MDS: on how many columns of its parity check matrix are independent, whichever they are):
    ///
    /// | surplus | wrong shards in one range | verdict |
    /// |---|---|---|
    /// | 1 | any | noticed, but `CannotTell` |
    /// | 2 | one | named |
    /// | w | up to w / 2 | named |
    /// | w | up to w - 1 | named where their errors are independent, as random damage nearly always is over a few bytes; else `CannotTell` |
    ///
    /// Every verdict says up to how many wrong shards it holds; with more wrong than that it may
    /// name good ones. What is named is repaired by setting it to `None` and reconstructing.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon, Verdict, present};
    /// let code = ReedSolomon::new(3, 2)?;
    /// let mut data = [[7; 1024]; 3];
    /// let mut parity = [[0; 1024]; 2];
    /// code.encode(&data, &mut parity)?;
    /// data[1][600] ^= 1;
    /// let found = code.locate(&present(&data, &parity), 512)?;
    /// assert_eq!(found.len(), 1);
    /// assert_eq!(found[0].range, 512..1024);
    /// assert_eq!(found[0].verdict, Verdict::Wrong { units: vec![1], holds_up_to: 1 });
    ///
    /// let mut shards: Vec<_> = data.iter().chain(&parity).map(Some).collect();
    /// shards[1] = None;
    /// let mut right = [0; 512];
    /// code.reconstruct_into(&shards, 512..1024, &mut [(1, &mut right)])?;
    /// assert_eq!(right, [7; 512]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); [`Error::TooFewUnits`](crate::Error::TooFewUnits) also
    /// where there is no surplus, [`Error::Invalid`](crate::Error::Invalid) for a `range_len` of
    /// 0, and for a code with sub-shards: take [`over_sub_shards`](Self::over_sub_shards).
    fn locate<S: AsRef<[u8]>>(
        &self,
        shards: &[Option<S>],
        range_len: usize,
    ) -> Result<Vec<Location>>
    where
        Self: Sized,
    {
        locate::locate(self, shards, range_len)
    }

    /// [`encode`](Self::encode) on several cores (feature `rayon`): see
    /// [`Plan::apply_parallel`].
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    #[cfg(feature = "rayon")]
    fn encode_parallel<D: AsRef<[u8]> + Sync, P: AsMut<[u8]>>(
        &self,
        data: &[D],
        parity: &mut [P],
    ) -> Result<()>
    where
        Self: Sized,
    {
        encode::check(self, data, parity)?;
        self.encode_plan().apply_parallel(data, parity)
    }

    /// [`reconstruct`](Self::reconstruct) on several cores (feature `rayon`).
    ///
    /// # Errors
    ///
    /// As [`reconstruct`](Self::reconstruct).
    #[cfg(feature = "rayon")]
    fn reconstruct_parallel(&self, shards: &mut [Option<Vec<u8>>]) -> Result<()>
    where
        Self: Sized,
    {
        let apply = |plan: &Plan, inputs: &[&[u8]], outputs: &mut [Vec<u8>]| {
            plan.apply_parallel(inputs, outputs)
        };
        reconstruct::reconstruct_with(self, shards, self.total_units(), apply)
    }
}

mod sealed {
    /// What only this crate implements, so that codes can be asked more later on.
    pub trait Code {}
}

macro_rules! codes_behind_pointers {
    ($($pointer:ty),*) => {$(
        impl<C: ErasureCode + ?Sized> sealed::Code for $pointer {}


        impl<C: ErasureCode + ?Sized> ErasureCode for $pointer {
            fn data_units(&self) -> usize {
                (**self).data_units()
            }
            fn parity_units(&self) -> usize {
                (**self).parity_units()
            }
            fn sub_shards(&self) -> usize {
                (**self).sub_shards()
            }
            fn matrix_kind(&self) -> MatrixKind {
                (**self).matrix_kind()
            }
            fn parity_rows(&self) -> &Matrix {
                (**self).parity_rows()
            }
            fn mds(&self) -> Mds {
                (**self).mds()
            }
            fn kernel(&self) -> KernelId {
                (**self).kernel()
            }
            fn encode_plan(&self) -> &Plan {
                (**self).encode_plan()
            }
            fn plan(&self, available: &[usize], wanted: &[usize]) -> Result<Arc<Plan>> {
                (**self).plan(available, wanted)
            }
            fn cheapest_plan(
                &self,
                available: &[usize],
                wanted: &[usize],
                cost: ReadCost<'_>,
            ) -> Result<Arc<Plan>> {
                (**self).cheapest_plan(available, wanted, cost)
            }
            fn over_sub_shards(&self) -> Option<Arc<dyn ErasureCode>> {
                (**self).over_sub_shards()
            }
            fn failures_survived(&self) -> usize {
                (**self).failures_survived()
            }
        }
    )*};
}

codes_behind_pointers!(&C, alloc::boxed::Box<C>, Arc<C>);
