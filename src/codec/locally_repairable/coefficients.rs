//! Elements with which a locally repairable code is maximally recoverable.
//!
//! Take a loss of so many units that every equation is needed: in each group some units, the
//! local parity perhaps among them, and some global parities. Subtracting the group's sum leaves,
//! for a group with s lost units, s - 1 unknowns whose columns in global parity r are
//! (e + b) to the power 2^r, b being the element of one of the lost units (0 for the local
//! parity) and e those of the others. The loss is repaired when the square matrix of these, over
//! the global parities that are left, is invertible. Only sums of elements within a group matter,
//! so a loss is a choice of such differences.
//!
//! With one global parity a difference only has not to be 0. With two, those of several groups
//! have to differ as well (and powers of one of them are not 0): it is enough that the elements of
//! a group, with 0, are an additive group that has only 0 in common with those of other groups.
//! With more, also fewer rows than all have to be looked at: matrices of powers 2^r with a row
//! left out can be singular although the elements are independent.

use alloc::vec;
use alloc::vec::Vec;

use super::{group_of, power_of_two_power};
use crate::gf8::{Matrix, inverse, mul};
use crate::{Error, Result};

/// Determinants that are computed at the most in a search: a fraction of a second.
const MAX_DETERMINANTS: usize = 2_000_000;

/// The most elements of one group where there are two global parities: GF(2^4) without 0.
const NIBBLES: usize = 15;

/// The element of every data unit.
pub(super) fn elements(data_units: usize, groups: usize, globals: usize) -> Result<Vec<u8>> {
    let largest = group_of(data_units, groups, 0).len();
    let found = match globals {
        1 => (largest <= 255).then(|| by_place(data_units, groups, |_, place| place)),
        // Past the first two groups: multiples of 1 + c x^4 by scalars, one line for each c.
        2 => (largest <= NIBBLES && groups <= NIBBLES + 2).then(|| {
            by_place(data_units, groups, |group, place| match group {
                0 => place << 4,
                1 => place,
                _ => place << 4 | nibble_product((group - 1) as u8, place),
            })
        }),
        // Squaring eight times is the identity: a ninth row would be the first again.
        3..=8 => search(data_units, groups, globals),
        _ => None,
    };
    found.ok_or_else(|| Error::Invalid {
        what: "locally repairable code",
        got: alloc::format!("{data_units}-{groups}-{globals}").into(),
        expected: "numbers of units for which coefficients are found that make it maximally recoverable: see LocallyRepairable",
    })
}

/// Elements made of a unit's group and of its place in it, from 1.
fn by_place(data_units: usize, groups: usize, element: impl Fn(usize, u8) -> u8) -> Vec<u8> {
    let mut elements = Vec::with_capacity(data_units);
    for group in 0..groups {
        let len = group_of(data_units, groups, group).len();
        elements.extend((1..=len).map(|place| element(group, place as u8)));
    }
    elements
}

/// Product in GF(2^4) modulo x^4 + x + 1.
fn nibble_product(a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..4 {
        if b >> bit & 1 != 0 {
            product ^= a << bit;
        }
    }
    for bit in [6, 5, 4] {
        if product >> bit & 1 != 0 {
            product ^= 0b1_0011 << (bit - 4);
        }
    }
    product
}

/// Gives one unit after the other the first element with which every loss is repaired.
fn search(data_units: usize, groups: usize, globals: usize) -> Option<Vec<u8>> {
    // 0 stands for the local parity.
    let mut placed = vec![vec![0u8]; groups];
    let mut left = MAX_DETERMINANTS;
    for group in 0..groups {
        for _ in group_of(data_units, groups, group) {
            let element = (1..=255).find(|&element| {
                !placed[group].contains(&element)
                    && Losses { placed: &placed, group, element, globals }.all_repaired(&mut left)
            })?;
            placed[group].push(element);
        }
    }
    Some(placed.into_iter().flat_map(|group| group.into_iter().skip(1)).collect())
}

/// All losses with a new element of one group among them.
struct Losses<'a> {
    placed: &'a [Vec<u8>],
    group: usize,
    element: u8,
    globals: usize,
}

impl Losses<'_> {
    fn all_repaired(&self, left: &mut usize) -> bool {
        // The new element is the base that the others of its group are subtracted from.
        let own: Vec<u8> =
            self.placed[self.group].iter().map(|&other| other ^ self.element).collect();
        let others: Vec<&Vec<u8>> = (0..self.placed.len())
            .filter(|&group| group != self.group)
            .map(|group| &self.placed[group])
            .collect();
        self.with_own(&own, &others, &mut Vec::new(), left)
    }

    /// Adds differences of the new element's group, one at least.
    fn with_own(
        &self,
        own: &[u8],
        others: &[&Vec<u8>],
        differences: &mut Vec<u8>,
        left: &mut usize,
    ) -> bool {
        for (index, &difference) in own.iter().enumerate() {
            differences.push(difference);
            let repaired = self.with_others(others, differences, left)
                && (differences.len() == self.globals
                    || self.with_own(&own[index + 1..], others, differences, left));
            differences.pop();
            if !repaired {
                return false;
            }
        }
        true
    }

    /// Adds differences of the other groups: of each any number of units less one.
    fn with_others(
        &self,
        others: &[&Vec<u8>],
        differences: &mut Vec<u8>,
        left: &mut usize,
    ) -> bool {
        let Some((first, rest)) = others.split_first() else {
            return self.is_repaired(differences, left);
        };
        self.with_others(rest, differences, left)
            && (differences.len() == self.globals
                || first.iter().enumerate().all(|(index, &base)| {
                    self.with_base(base, &first[index + 1..], rest, differences, left)
                }))
    }

    fn with_base(
        &self,
        base: u8,
        units: &[u8],
        rest: &[&Vec<u8>],
        differences: &mut Vec<u8>,
        left: &mut usize,
    ) -> bool {
        units.iter().enumerate().all(|(index, &unit)| {
            differences.push(unit ^ base);
            let repaired = self.with_others(rest, differences, left)
                && (differences.len() == self.globals
                    || self.with_base(base, &units[index + 1..], rest, differences, left));
            differences.pop();
            repaired
        })
    }

    /// Whether the differences have an invertible matrix over any global parities that are as
    /// many.
    fn is_repaired(&self, differences: &[u8], left: &mut usize) -> bool {
        let size = differences.len();
        (0u32..1 << self.globals).filter(|rows| rows.count_ones() as usize == size).all(|rows| {
            let Some(fewer) = left.checked_sub(1) else { return false };
            *left = fewer;
            let rows: Vec<usize> = (0..self.globals).filter(|row| rows >> row & 1 != 0).collect();
            is_invertible(Matrix::from_fn(size, size, |row, column| {
                power_of_two_power(differences[column], rows[row])
            }))
        })
    }
}

fn is_invertible(mut matrix: Matrix) -> bool {
    for column in 0..matrix.columns() {
        let Some(pivot) = (column..matrix.rows()).find(|&row| matrix.get(row, column) != 0) else {
            return false;
        };
        matrix.swap_rows(pivot, column);
        let Some(scale) = inverse(matrix.get(column, column)) else { return false };
        for row in column + 1..matrix.rows() {
            let factor = mul(matrix.get(row, column), scale);
            if factor != 0 {
                matrix.add_scaled_row(row, column, factor);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_two_global_parities_groups_are_additive_and_have_only_zero_in_common() {
        let all = elements(255, 17, 2).unwrap();
        let mut seen = [false; 256];
        for group in all.chunks(NIBBLES) {
            for (index, &element) in group.iter().enumerate() {
                assert!(element != 0 && !seen[usize::from(element)]);
                seen[usize::from(element)] = true;
                let others = group[..index].iter();
                assert!(others.clone().all(|&other| group.contains(&(element ^ other))));
            }
        }
        assert_eq!(seen.iter().filter(|&&seen| seen).count(), 255);
    }

    #[test]
    fn numbers_for_which_nothing_is_found_are_refused() {
        for (k, l, g) in [(256, 1, 1), (31, 2, 2), (36, 18, 2), (200, 2, 3), (10, 2, 33)] {
            assert!(matches!(elements(k, l, g), Err(Error::Invalid { .. })), "({k}, {l}, {g})");
        }
        for (k, l, g) in [(255, 1, 1), (30, 2, 2), (200, 17, 2), (8, 2, 3), (10, 1, 3)] {
            assert_eq!(elements(k, l, g).unwrap().len(), k, "({k}, {l}, {g})");
        }
    }
}
