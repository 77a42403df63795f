//! Checks of the lists of units that callers give.

use super::MAX_UNITS;
use crate::{Error, Result};

/// Checks two lists of units for indexes out of range and repeats.
pub(super) fn check_units(units: usize, available: &[usize], wanted: &[usize]) -> Result<()> {
    #[derive(Clone, Copy, PartialEq)]
    enum Named {
        Nowhere,
        Available,
        Wanted,
    }
    let mut named = [Named::Nowhere; MAX_UNITS];
    for (list, mark) in [(available, Named::Available), (wanted, Named::Wanted)] {
        for &unit in list {
            if unit >= units {
                return Err(Error::UnitOutOfRange { unit, units });
            }
            if named[unit] == mark {
                return Err(Error::DuplicateUnit { unit });
            }
            if named[unit] != Named::Nowhere {
                return Err(Error::AvailableAndWanted { unit });
            }
            named[unit] = mark;
        }
    }
    Ok(())
}
