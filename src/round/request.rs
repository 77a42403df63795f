//! What is asked of a reconstruction, refused before anything is read where it cannot be done.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::Config;
use super::rows::Rows;
use crate::layout::{AlignedRange, Layout};
use crate::{ErasureCode, Error, MAX_UNITS, Result};

/// Refuses lists that are wrong in themselves or do not give back the targets.
pub(super) fn check(
    config: &Config,
    code: &Arc<dyn ErasureCode>,
    layout: &impl Layout,
    sources: &[usize],
    targets: &[usize],
) -> Result<()> {
    let is_live = check_sources(config, code, layout, sources)?;
    let units = code.total_units();
    let mut is_target = [false; MAX_UNITS];
    for &unit in targets {
        let named =
            is_target.get_mut(unit).filter(|_| unit < units).ok_or(out_of_range(unit, units))?;
        if core::mem::replace(named, true) {
            return Err(Error::DuplicateUnit { unit });
        }
        if is_live[unit] {
            return Err(Error::AvailableAndWanted { unit });
        }
    }
    let wanted: Vec<usize> = self::targets(layout, sources, targets)
        .into_iter()
        .filter(|&unit| layout.unit_len(unit) > 0)
        .collect();
    // More is never required than at the beginning.
    check_enough(config, code, layout, &is_live, &wanted, 0)
}

/// Refuses ranges that do not lie within data units, or that cannot be given back.
pub(super) fn check_ranges(
    config: &Config,
    code: &Arc<dyn ErasureCode>,
    layout: &impl Layout,
    rows: &Rows,
    sources: &[usize],
    ranges: &[AlignedRange],
) -> Result<()> {
    let is_live = check_sources(config, code, layout, sources)?;
    let data_units = code.data_units();
    for AlignedRange { unit_range, units } in ranges {
        let Range { start, end } = *unit_range;
        if let Some(unit) = units.clone().find(|&unit| unit >= data_units) {
            return Err(Error::NotADataUnit { unit, data_units });
        }
        for len in units.clone().map(|unit| layout.unit_len(unit)) {
            if start > end || end > len {
                return Err(Error::Range { start, end, len });
            }
        }
        let lost: Vec<usize> = units.clone().filter(|&unit| !is_live[unit]).collect();
        // Halves that lie further on may need those at the cell's beginning.
        check_enough(config, code, layout, &is_live, &lost, rows.cell_start(start))?;
    }
    Ok(())
}

/// Refuses units that cannot be given back, and lists that are wrong in themselves.
pub(super) fn check_units(
    config: &Config,
    code: &Arc<dyn ErasureCode>,
    layout: &impl Layout,
    sources: &[usize],
    wanted: &[usize],
    range: &Range<u64>,
) -> Result<()> {
    let is_live = check_sources(config, code, layout, sources)?;
    let units = code.total_units();
    let mut is_wanted = [false; MAX_UNITS];
    let mut longest = 0;
    for &unit in wanted {
        let named =
            is_wanted.get_mut(unit).filter(|_| unit < units).ok_or(out_of_range(unit, units))?;
        if core::mem::replace(named, true) {
            return Err(Error::DuplicateUnit { unit });
        }
        longest = longest.max(layout.unit_len(unit));
    }
    let Range { start, end } = *range;
    if start > end || end > longest {
        return Err(Error::Range { start, end, len: longest });
    }
    let is_lost = |unit: &usize| !is_live[*unit] && layout.unit_len(*unit) > start;
    let lost: Vec<usize> = wanted.iter().copied().filter(is_lost).collect();
    check_enough(config, code, layout, &is_live, &lost, start)
}

/// Which units are live.
fn check_sources(
    config: &Config,
    code: &Arc<dyn ErasureCode>,
    layout: &impl Layout,
    sources: &[usize],
) -> Result<[bool; MAX_UNITS]> {
    let units = code.total_units();
    let counts = [
        ("data units of the layout", code.data_units(), layout.data_units()),
        ("parity units of the layout", code.parity_units(), layout.parity_units()),
    ];
    for (what, expected, got) in counts {
        if expected != got {
            return Err(Error::Count { what, expected, got });
        }
    }
    check_code(config, code)?;
    let mut is_live = [false; MAX_UNITS];
    for &unit in sources {
        *is_live.get_mut(unit).filter(|_| unit < units).ok_or(out_of_range(unit, units))? = true;
    }
    Ok(is_live)
}

/// Refuses where the live units do not give back the bytes of `lost` from `offset` on.
fn check_enough(
    config: &Config,
    code: &Arc<dyn ErasureCode>,
    layout: &impl Layout,
    is_live: &[bool; MAX_UNITS],
    lost: &[usize],
    offset: u64,
) -> Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let units = code.total_units();
    let is_zero = |unit: usize| layout.known_zero(unit, offset);
    let live = (0..units).filter(|&unit| is_live[unit] && !is_zero(unit)).count();
    let required = layout.required_units(offset) + config.extra_sources;
    if code.mds().is_known() && live < required {
        return Err(Error::TooFewUnits { required, available: live });
    }
    let is_available = |unit: &usize| (is_live[*unit] || is_zero(*unit)) && !lost.contains(unit);
    let available: Vec<usize> = (0..units).filter(is_available).collect();
    code.plan(&available, lost).map(|_| ())
}

fn check_code(config: &Config, code: &Arc<dyn ErasureCode>) -> Result<()> {
    if config.extra_sources > 0 && !code.mds().is_known() {
        return Err(Error::Invalid {
            what: "code",
            got: "not known to be MDS".into(),
            expected: "one that is, for sources to be compared with each other",
        });
    }
    Ok(())
}

fn out_of_range(unit: usize, units: usize) -> Error {
    Error::UnitOutOfRange { unit, units }
}

/// The units to be rebuilt: those named, or every one that is not live and has any bytes.
pub(super) fn targets(layout: &impl Layout, sources: &[usize], targets: &[usize]) -> Vec<usize> {
    if !targets.is_empty() {
        return targets.to_vec();
    }
    let units = layout.data_units() + layout.parity_units();
    (0..units).filter(|unit| !sources.contains(unit) && layout.unit_len(*unit) > 0).collect()
}
