//! Striping: which byte of a block group lies in which unit.

use core::ffi::c_int;

use super::arguments::{Outcome, versioned, write};
use super::status::{Failure, guard};
use crate::Error;
use crate::layout::{Layout, Position, StripedLayout};

/// In restripe_striping.flags: every parity cell is a whole cell, the last stripe's, too, as it is
/// with codes that divide cells into sub-shards.
pub const RESTRIPE_WHOLE_PARITY_CELLS: u32 = 1;

/// A striped block group. Its bytes are cut into cells; cell c lies in data unit c mod data_units,
/// at offset (c div data_units) times cell_size. Where the last stripe is short, missing bytes
/// count as zero, and its parity cells are as long as its first cell.
///
/// Set all of it to zeros, then `size` and the others. Later versions of restripe may add fields
/// at its end, whose zero means what it does now.
#[repr(C)]
pub struct Striping {
    /// sizeof(restripe_striping).
    pub size: usize,
    /// Data units, at least 1; 256 at the most together with the parity units.
    pub data_units: usize,
    /// Parity units, at least 1.
    pub parity_units: usize,
    /// RESTRIPE_WHOLE_PARITY_CELLS, or 0.
    pub flags: u32,
    /// Bytes in a cell, at least 1.
    pub cell_size: u64,
    /// Bytes of data in the group, parity not among them.
    pub group_len: u64,
}

/// # Safety
///
/// As [`versioned`].
pub(super) unsafe fn layout_of(striping: *const Striping) -> Outcome<StripedLayout> {
    // SAFETY: the caller's promise; all its fields are numbers.
    let striping = unsafe { versioned("striping", striping, size_of::<Striping>()) }?;
    let Striping { data_units, parity_units, flags, cell_size, group_len, .. } = striping;
    let layout = StripedLayout::new(data_units, parity_units, cell_size, group_len)?;
    match flags {
        0 => Ok(layout),
        RESTRIPE_WHOLE_PARITY_CELLS => Ok(layout.with_whole_parity_cells()),
        _ => Err(Failure::Value {
            what: "flags",
            got: flags.into(),
            expected: "RESTRIPE_WHOLE_PARITY_CELLS or 0",
        }),
    }
}

/// Writes the length of a unit's internal block, in bytes, to `len`.
///
/// RESTRIPE_ERROR_UNIT: the group has no such unit. As all functions of striping:
/// RESTRIPE_ERROR_UNIT_COUNTS, RESTRIPE_ERROR_VALUE and RESTRIPE_ERROR_OVERFLOW for a striping that
/// is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_striping_unit_len(
    striping: *const Striping,
    unit: usize,
    len: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let layout = unsafe { layout_of(striping) }?;
        let units = layout.data_units() + layout.parity_units();
        if unit >= units {
            return Err(Error::UnitOutOfRange { unit, units }.into());
        }
        // SAFETY: the caller's promise.
        unsafe { write(len, "len", layout.unit_len(unit)) }
    })
}

/// Writes the number of stripes to `stripes`; the last of them may be short.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_striping_stripes(
    striping: *const Striping,
    stripes: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe { write(stripes, "stripes", layout_of(striping)?.stripes()) }
    })
}

/// Writes where the group's byte at `group_offset` lies: its unit, and its offset in there.
///
/// RESTRIPE_ERROR_RANGE: the group is not as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_striping_position(
    striping: *const Striping,
    group_offset: u64,
    unit: *mut usize,
    offset: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let layout = layout_of(striping)?;
            let position = layout.position(group_offset).ok_or_else(|| {
                let end = group_offset.saturating_add(1);
                Error::Range { start: group_offset, end, len: layout.group_len() }
            })?;
            write(unit, "unit", position.unit)?;
            write(offset, "offset", position.offset)
        }
    })
}

/// Writes the group's offset of a data unit's byte to `group_offset`.
///
/// RESTRIPE_ERROR_UNIT: it is no data unit; RESTRIPE_ERROR_RANGE: the unit is not as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_striping_group_offset(
    striping: *const Striping,
    unit: usize,
    offset: u64,
    group_offset: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let layout = unsafe { layout_of(striping) }?;
        if unit >= layout.data_units() {
            return Err(Error::NotADataUnit { unit, data_units: layout.data_units() }.into());
        }
        let found = layout.group_offset(Position { unit, offset }).ok_or_else(|| {
            let end = offset.saturating_add(1);
            Error::Range { start: offset, end, len: layout.unit_len(unit) }
        })?;
        // SAFETY: the caller's promise.
        unsafe { write(group_offset, "group_offset", found) }
    })
}

/// Writes the bytes of a unit that belong to the group's bytes from `group_start` to before
/// `group_end`: always one range, from `start` to before `end`, and an empty one where the unit has
/// no part in them, as parity units never have. To rebuild them, read the same range of as many
/// other units as restripe_striping_required_units says.
///
/// RESTRIPE_ERROR_RANGE: that is no range of the group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_striping_unit_range(
    striping: *const Striping,
    unit: usize,
    group_start: u64,
    group_end: u64,
    start: *mut u64,
    end: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let range = layout_of(striping)?.unit_range(unit, group_start..group_end)?;
            write(start, "start", range.start)?;
            write(end, "end", range.end)
        }
    })
}

/// Writes how many units have to be read to rebuild any bytes of a unit from `offset` on, where any
/// k units give back the rest: k less the data units that have ended there and are known to be
/// zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_striping_required_units(
    striping: *const Striping,
    offset: u64,
    units: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe { write(units, "units", layout_of(striping)?.required_units(offset)) }
    })
}
