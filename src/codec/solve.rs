//! From generator rows to the coefficients of a rebuild: the linear algebra of planning.

use alloc::vec;
use alloc::vec::Vec;

use super::MAX_UNITS;
use crate::gf8::{self, Matrix};
use crate::{Error, Result};

/// Units to read and the coefficients of the wanted units over them.
pub(super) struct Solution {
    pub(super) inputs: Vec<usize>,
    /// A row for every wanted unit, a column for every input.
    pub(super) coefficients: Matrix,
}

/// In the place of a column that there is not.
const NO_COLUMN: u16 = u16::MAX;

/// The coefficients of `wanted` over exactly the k units `inputs` of an MDS code.
///
/// Only the data units that are not among the inputs are unknown, so the system to solve has as
/// many equations as there are parity units among the inputs: one or a few, not k.
pub(super) fn mds(parity_rows: &Matrix, inputs: &[usize], wanted: &[usize]) -> Result<Matrix> {
    let k = parity_rows.columns();
    // Columns of the inputs, and those that are parity units; allocated on the stack, since a plan
    // that is used once should cost no more than its work.
    let mut column_of_data = [NO_COLUMN; MAX_UNITS];
    let mut parities = [(0, 0); MAX_UNITS];
    let mut count = 0;
    for (column, &unit) in inputs.iter().enumerate() {
        if unit < k {
            column_of_data[unit] = column as u16;
        } else {
            parities[count] = (unit - k, column);
            count += 1;
        }
    }
    let parities = &parities[..count];
    let known = |unit: &usize| column_of_data[*unit] != NO_COLUMN;
    let mut unknown = [0; MAX_UNITS];
    let mut count = 0;
    for unit in (0..k).filter(|unit| !known(unit)) {
        unknown[count] = unit;
        count += 1;
    }
    let unknown = &unknown[..count];
    let system = Matrix::from_fn(parities.len(), unknown.len(), |row, column| {
        parity_rows.get(parities[row].0, unknown[column])
    });
    let inverse =
        system.inverted().ok_or(Error::TooFewUnits { required: k, available: inputs.len() })?;

    let mut coefficients = Matrix::zero(wanted.len(), inputs.len());
    let mut weights = [0; MAX_UNITS];
    for (row, &unit) in wanted.iter().enumerate() {
        let row = coefficients.row_mut(row);
        // weights . (parity inputs minus the known data's share of them) + known data's own share
        let (weights, own) = if unit >= k {
            let own = parity_rows.row(unit - k);
            let weights = &mut weights[..parities.len()];
            weights.fill(0);
            for (position, &data) in unknown.iter().enumerate() {
                gf8::add_scaled(weights, inverse.row(position), own[data]);
            }
            (&*weights, Some(own))
        } else if known(&unit) {
            row[usize::from(column_of_data[unit])] = 1;
            continue;
        } else {
            (inverse.row(unknown.partition_point(|&other| other < unit)), None)
        };
        for (&(parity, column), &weight) in parities.iter().zip(weights) {
            row[column] = weight;
            let share = parity_rows.row(parity);
            for unit in (0..k).filter(known) {
                row[usize::from(column_of_data[unit])] ^= gf8::mul(weight, share[unit]);
            }
        }
        if let Some(own) = own {
            for unit in (0..k).filter(known) {
                row[usize::from(column_of_data[unit])] ^= own[unit];
            }
        }
    }
    Ok(coefficients)
}

/// The coefficients of `wanted` over as few of the first of `available` as determine them, for
/// codes in which not every k units do.
pub(super) fn general(
    parity_rows: &Matrix,
    available: &[usize],
    wanted: &[usize],
) -> Result<Solution> {
    let basis = Basis::new(parity_rows, available);
    let mut rows = Vec::new();
    for &unit in wanted {
        let (rest, made_of) = basis.reduce(generator_row(parity_rows, unit));
        if rest.iter().any(|&element| element != 0) {
            return Err(Error::NotRecoverable { unit, available: available.len() });
        }
        rows.push(made_of);
    }
    let used: Vec<usize> =
        (0..basis.units.len()).filter(|&column| rows.iter().any(|row| row[column] != 0)).collect();
    Ok(Solution {
        inputs: used.iter().map(|&column| basis.units[column]).collect(),
        coefficients: Matrix::from_fn(wanted.len(), used.len(), |row, column| {
            rows[row][used[column]]
        }),
    })
}

/// The first of `available` that are independent of those before them: they determine the rest.
pub(super) fn independent(parity_rows: &Matrix, available: &[usize]) -> Vec<usize> {
    Basis::new(parity_rows, available).units
}

/// Which of `units` some units determine.
pub(super) fn determined(
    parity_rows: &Matrix,
    available: &[usize],
    units: impl Iterator<Item = usize>,
) -> Vec<usize> {
    let basis = Basis::new(parity_rows, available);
    let is_determined = |unit: &usize| {
        let (rest, _) = basis.reduce(generator_row(parity_rows, *unit));
        rest.iter().all(|&element| element == 0)
    };
    units.filter(is_determined).collect()
}

/// The row of the generator matrix that belongs to a unit.
pub(super) fn generator_row(parity_rows: &Matrix, unit: usize) -> Vec<u8> {
    let k = parity_rows.columns();
    if let Some(parity) = unit.checked_sub(k) {
        return parity_rows.row(parity).to_vec();
    }
    let mut row = vec![0; k];
    row[unit] = 1;
    row
}

/// What some units span.
struct Basis {
    /// The units taken: those that are independent of the ones before them.
    units: Vec<usize>,
    /// Rows in echelon form.
    rows: Vec<BasisRow>,
}

struct BasisRow {
    /// Where its leading 1 is.
    lead: usize,
    row: Vec<u8>,
    /// The coefficients of the row over the generator rows of `Basis::units`.
    made_of: Vec<u8>,
}

impl Basis {
    fn new(parity_rows: &Matrix, available: &[usize]) -> Self {
        let k = parity_rows.columns();
        let mut basis = Self { units: Vec::new(), rows: Vec::new() };
        for &unit in available {
            if basis.units.len() == k {
                break;
            }
            let (mut row, mut made_of) = basis.reduce(generator_row(parity_rows, unit));
            let Some(lead) = row.iter().position(|&element| element != 0) else { continue };
            made_of[basis.units.len()] = 1;
            if let Some(scale) = gf8::inverse(row[lead]) {
                gf8::scale_row(&mut row, scale);
                gf8::scale_row(&mut made_of, scale);
            }
            basis.rows.push(BasisRow { lead, row, made_of });
            basis.units.push(unit);
        }
        basis
    }

    /// What is left of a row once its share in the span is taken out, and what that share is
    /// made of.
    fn reduce(&self, mut row: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let mut made_of = vec![0; row.len()];
        for basis in &self.rows {
            let factor = row[basis.lead];
            if factor != 0 {
                gf8::add_scaled(&mut row, &basis.row, factor);
                gf8::add_scaled(&mut made_of, &basis.made_of, factor);
            }
        }
        (row, made_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree_on_an_mds_code() {
        let (k, m) = (5, 3);
        let rows = Matrix::from_fn(m, k, |row, column| {
            gf8::inverse((row + k) as u8 ^ column as u8).unwrap()
        });
        for lost in 0u32..1 << (k + m) {
            if lost.count_ones() != m as u32 {
                continue;
            }
            let (wanted, mut available): (Vec<_>, Vec<_>) =
                (0..k + m).partition(|unit| lost >> unit & 1 != 0);
            available.reverse();
            let fast = mds(&rows, &available, &wanted).unwrap();
            let slow = general(&rows, &available, &wanted).unwrap();
            assert_eq!((&available, fast), (&slow.inputs, slow.coefficients));
        }
    }
}
