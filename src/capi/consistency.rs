//! Whether shards agree, and which of them are wrong.

use alloc::vec::Vec;
use core::ffi::c_int;
use core::ptr;

use super::arguments::{self, Handle, borrow, check_count, give, present, write};
use super::codec::Codec;
use super::status::{Failure, guard};
use super::threads;
use crate::{Consistency, ErasureCode, Error, Location, Verdict};

/// All shards agree. (More wrong shards than there are surplus ones can agree by accident.)
pub const RESTRIPE_CONSISTENT: u32 = 1;
/// At least one shard is wrong.
pub const RESTRIPE_INCONSISTENT: u32 = 2;
/// There is no shard beyond those that determine the rest, so nothing was compared.
pub const RESTRIPE_NOTHING_TO_CHECK: u32 = 3;

/// The units listed are wrong, and no others, while no more than `holds_up_to` are.
pub const RESTRIPE_VERDICT_WRONG: u32 = 1;
/// Some unit is wrong; the surplus does not tell which.
pub const RESTRIPE_VERDICT_CANNOT_TELL: u32 = 2;

/// What restripe_locate found. Immutable: any number of threads may read one at the same time.
pub struct Locations(Vec<Location>);

impl Handle for Locations {
    const MARK: u64 = u64::from_be_bytes(*b"rs found");
    const NAME: &'static str = "list of locations";
}

/// A byte range in which shards disagree.
#[repr(C)]
pub struct LocationOut {
    /// The range's first byte, in every shard.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// The wrong units, ascending; NULL and 0 where the verdict names none. They belong to the
    /// list and live as long as it does.
    pub units: *const usize,
    /// How many they are.
    pub unit_count: usize,
    /// The most wrong units for which the verdict is certain; 0 where it names none.
    pub holds_up_to: usize,
    /// RESTRIPE_VERDICT_...
    pub verdict: u32,
}

/// Writes RESTRIPE_CONSISTENT, RESTRIPE_INCONSISTENT or RESTRIPE_NOTHING_TO_CHECK to `consistency`:
/// whether the shards agree with each other.
///
/// `shards`, `lens`, `shard_count` and `len` are those of restripe_reconstruct. With as many
/// shards as determine the others there is nothing to compare, which is not agreement.
///
/// RESTRIPE_ERROR_COUNT: another number of shards; RESTRIPE_ERROR_TOO_FEW_UNITS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_verify(
    codec: *const Codec,
    shards: *const *const u8,
    lens: *const usize,
    shard_count: usize,
    len: usize,
    consistency: *mut u32,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            check_count("shards", codec.code.total_units(), shard_count)?;
            let shards = present("shard", shards, lens, shard_count, len)?;
            let verified = match &codec.threads {
                None => codec.code.verify(&shards)?,
                Some(pool) => threads::verify(pool, &codec.code, &shards)?,
            };
            let answer = match verified {
                Consistency::Consistent => RESTRIPE_CONSISTENT,
                Consistency::Inconsistent => RESTRIPE_INCONSISTENT,
                Consistency::NothingToCheck => RESTRIPE_NOTHING_TO_CHECK,
            };
            write(consistency, "consistency", answer)
        }
    })
}

/// Looks for wrong shards, without checksums, in ranges of `range_len` bytes each by itself (512 is
/// a good length), and writes a list of those in which shards disagree to `locations`. It is the
/// caller's, to be freed by restripe_locations_free.
///
/// With w more shards than are required, up to w / 2 wrong ones in a range are named for certain,
/// and up to w - 1 where their errors are independent, as random damage nearly always is.
/// `shards`, `lens`, `shard_count` and `len` are those of restripe_reconstruct.
///
/// RESTRIPE_ERROR_COUNT: another number of shards; RESTRIPE_ERROR_TOO_FEW_UNITS: fewer than one
/// more than determine the rest; RESTRIPE_ERROR_VALUE: ranges of 0 bytes, a code with sub-shards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_locate(
    codec: *const Codec,
    shards: *const *const u8,
    lens: *const usize,
    shard_count: usize,
    len: usize,
    range_len: usize,
    locations: *mut *mut Locations,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            check_count("shards", codec.code.total_units(), shard_count)?;
            let shards = present("shard", shards, lens, shard_count, len)?;
            give(locations, Locations(codec.code.locate(&shards, range_len)?))
        }
    })
}

/// How many ranges a list has; 0 for what is no list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_locations_count(locations: *const Locations) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(locations) }.map_or(0, |locations| locations.0.len())
}

/// Writes one range of a list, counted from 0, ascending, to `location`.
///
/// RESTRIPE_ERROR_RANGE: the list has no such index.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_locations_get(
    locations: *const Locations,
    index: usize,
    location: *mut LocationOut,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let list = &unsafe { borrow(locations) }?.0;
        let found = list.get(index).ok_or_else(|| {
            let start = index as u64;
            let end = start.saturating_add(1);
            Failure::Engine(Error::Range { start, end, len: list.len() as u64 })
        })?;
        let (verdict, units, holds_up_to) = match &found.verdict {
            Verdict::Wrong { units, holds_up_to } => {
                (RESTRIPE_VERDICT_WRONG, &units[..], *holds_up_to)
            }
            Verdict::CannotTell => (RESTRIPE_VERDICT_CANNOT_TELL, &[][..], 0),
        };
        let out = LocationOut {
            start: found.range.start,
            end: found.range.end,
            units: if units.is_empty() { ptr::null() } else { units.as_ptr() },
            unit_count: units.len(),
            holds_up_to,
            verdict,
        };
        // SAFETY: the caller's promise.
        unsafe { write(location, "location", out) }
    })
}

/// Frees a list of ranges. Does nothing to NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_locations_free(locations: *mut Locations) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(locations) };
        Ok(())
    });
}
