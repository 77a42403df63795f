//! What is asked of a reconstruction, refused before anything is read where it cannot be done.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Config;
use crate::layout::Layout;
use crate::{ErasureCode, Error, MAX_UNITS, Result};

/// Refuses lists that are wrong in themselves or do not give back the targets.
pub(super) fn check(
    config: &Config,
    code: &Arc<dyn ErasureCode>,
    layout: &dyn Layout,
    sources: &[usize],
    targets: &[usize],
) -> Result<()> {
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
    if wanted.is_empty() {
        return Ok(());
    }
    // More is never required than at the beginning.
    let is_zero = |unit: &usize| layout.known_zero(*unit, 0);
    let live = (0..units).filter(|unit| is_live[*unit] && !is_zero(unit)).count();
    let required = layout.required_units(0) + config.extra_sources;
    if code.mds().is_known() && live < required {
        return Err(Error::TooFewUnits { required, available: live });
    }
    let available: Vec<usize> = (0..units)
        .filter(|unit| (is_live[*unit] || is_zero(unit)) && !wanted.contains(unit))
        .collect();
    code.plan(&available, &wanted).map(|_| ())
}

fn check_code(config: &Config, code: &Arc<dyn ErasureCode>) -> Result<()> {
    let refused =
        |got: &str, expected| Err(Error::Invalid { what: "code", got: got.into(), expected });
    if code.sub_shards() != 1 {
        return refused("with sub-shards", "one without");
    }
    if config.extra_sources > 0 && !code.mds().is_known() {
        return refused(
            "not known to be MDS",
            "one that is, for sources to be compared with each other",
        );
    }
    Ok(())
}

fn out_of_range(unit: usize, units: usize) -> Error {
    Error::UnitOutOfRange { unit, units }
}

/// The units to be rebuilt: those named, or every one that is not live and has any bytes.
pub(super) fn targets(layout: &dyn Layout, sources: &[usize], targets: &[usize]) -> Vec<usize> {
    if !targets.is_empty() {
        return targets.to_vec();
    }
    let units = layout.data_units() + layout.parity_units();
    (0..units).filter(|unit| !sources.contains(unit) && layout.unit_len(*unit) > 0).collect()
}
