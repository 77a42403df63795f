//! Codes: generator matrices, and everything that is computed with them.
//!
//! A code is a matrix; what it computes for given losses is a [`Plan`]; the methods of
//! [`ErasureCode`] are the common uses of plans.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use crate::gf8::Matrix;
use crate::{KernelId, Result};

mod encode;
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
mod reconstruct;
mod reed_solomon;
mod self_check;
mod shards;
mod solve;
mod syndromes;
#[cfg(feature = "wide")]
mod wide;

pub use locate::{Location, Verdict};
pub use matrix_kind::MatrixKind;
pub use mds::Mds;
pub use plan::{Plan, Read};
pub use progressive::Progressive;
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
/// the trait. References, boxes and `Arc`s of codes are codes, so `Box<dyn ErasureCode>` has
/// every method too.
///
/// In all methods: *shards* are byte buffers of any length and alignment; a shard that is shorter
/// than the others of its call counts as continued with zeros; lists of shards are in the order
/// of the units, data first. Inputs and outputs cannot overlap, since outputs are borrowed
/// mutably.
pub trait ErasureCode: Send + Sync + core::fmt::Debug {
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
    /// order of preference: an MDS code reads its first k. Exactly the units wanted are
    /// computed; none wanted gives a plan that reads nothing.
    ///
    /// With the feature `std` plans are cached in the code (within bounds), and finding one again
    /// takes no lock.
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

    /// All units: k + m.
    fn total_units(&self) -> usize {
        self.data_units() + self.parity_units()
    }

    /// Computes all parity shards from all data shards.
    ///
    /// `data` has k shards, `parity` m; every parity shard has the length of the longest data
    /// shard. What `parity` held is written over.
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
    /// that faults cannot know, such as a random one. Costs about (k + m) / k rows of encoding.
    ///
    /// | caught | |
    /// |---|---|
    /// | one wrong parity byte in a column | always |
    /// | several in one column | missed once in 255 |
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

    /// Changes the parity shards as data unit `unit` changes from `old` to `new`; no other data
    /// unit is read.
    ///
    /// The shards may be a range of the whole ones, the same range of all. `parity` has m shards
    /// of one length, at least that of the longer of `old` and `new` (the shorter counts as
    /// continued with zeros).
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let code = ReedSolomon::new(2, 1)?;
    /// let mut parity = [[0; 4]];
    /// code.encode(&[[1, 2, 3, 4], [5, 6, 7, 8]], &mut parity)?;
    /// // Bytes 1..3 of unit 0 become 9 and 9.
    /// code.update(0, &[2, 3], &[9, 9], &mut [&mut parity[0][1..3]])?;
    /// let mut expected = [[0; 4]];
    /// code.encode(&[[1, 9, 9, 4], [5, 6, 7, 8]], &mut expected)?;
    /// assert_eq!(parity, expected);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnitOutOfRange`](crate::Error::UnitOutOfRange) unless `unit` is a data unit,
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
    /// the shards are not so.
    fn progressive<'a, P: AsMut<[u8]>>(&'a self, parity: &'a mut [P]) -> Result<Progressive<'a, P>>
    where
        Self: Sized,
    {
        Progressive::new(self.encode_plan(), parity)
    }

    /// Puts back every shard that is `None`; each is as long as the longest that is there.
    ///
    /// `shards` has k + m entries. Where shards end short of the others, cut those put back to
    /// their own lengths; or rebuild into buffers of the right lengths with
    /// [`reconstruct_into`](Self::reconstruct_into).
    ///
    /// # Errors
    ///
    /// [`Error::Count`](crate::Error::Count) for another number of shards,
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
    /// longest shard, [`Error::Length`](crate::Error::Length) for a buffer longer than the range.
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
    /// The shards (`None` for what is not there) are looked at in ranges of `range_len` bytes,
    /// best one checksum chunk: 512. Ranges in which all agree are not returned. With e shards
    /// missing, a range's verdict is right while at most as many of its shards are wrong as the
    /// verdict says it holds for: m - e - 1, or (m - e) / 2 where the errors of different shards
    /// depend on each other. It cannot tell with m - e < 2, and may not be able to with more.
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
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); [`Error::NotMds`](crate::Error::NotMds) or
    /// [`Error::MdsUnknown`](crate::Error::MdsUnknown) for a code that was accepted unchecked,
    /// [`Error::Invalid`](crate::Error::Invalid) for a `range_len` of 0 or a code with
    /// sub-shards.
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

    /// [`encode`](Self::encode) on several cores: the shards are cut into byte ranges, which run
    /// in the rayon pool that the call is made in. Worth it for large shards only.
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

    /// [`reconstruct`](Self::reconstruct) on several cores.
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

macro_rules! codes_behind_pointers {
    ($($pointer:ty),*) => {$(
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
        }
    )*};
}

codes_behind_pointers!(&C, alloc::boxed::Box<C>, Arc<C>);
