//! Parity rows that take more than a formula for each coefficient.
//!
//! Several matrices are given by their makers as a Vandermonde matrix times the inverse of its
//! top square. Such a product takes the values of a polynomial at the data units' points to its
//! values at the parity units' points: Lagrange's interpolation. His formula gives a row at a
//! time, so no matrix is inverted here.
//!
//! Numbers of units are within the limits of the kind (checked by
//! [`MatrixKind::parity_rows`](crate::MatrixKind::parity_rows)), so that elements made of indexes
//! fit in a byte.

use alloc::vec::Vec;

use crate::gf8::{self, Matrix};

/// The inverse of an element that the caller knows not to be 0.
pub(super) fn reciprocal(element: u8) -> u8 {
    gf8::inverse(element).expect("only elements other than 0 are inverted")
}

fn product(factors: impl Iterator<Item = u8>) -> u8 {
    factors.fold(1, gf8::mul)
}

/// Codes whose units are the values of one polynomial of degree below k, each at its own point:
/// what the data units (its values at k points) say of the polynomial elsewhere.
struct Interpolation {
    /// The data units' points x_i, all different.
    points: Vec<u8>,
    /// The coefficient of x^(k-1) in the polynomial that is 1 at x_i and 0 at the other points:
    /// the product of 1 / (x_i - x_j) over all j but i.
    leading: Vec<u8>,
}

impl Interpolation {
    fn new(points: Vec<u8>) -> Self {
        let leading = points
            .iter()
            .map(|&x| product(points.iter().map(|&y| x ^ y).filter(|&difference| difference != 0)))
            .map(reciprocal)
            .collect();
        Self { points, leading }
    }

    /// The coefficients of the data units in the polynomial's value at `x`. At a data unit's own
    /// point this is that unit.
    fn value_at(&self, x: u8) -> Vec<u8> {
        if self.points.contains(&x) {
            return self.points.iter().map(|&y| u8::from(x == y)).collect();
        }
        let vanishing = product(self.points.iter().map(|&y| x ^ y));
        self.points
            .iter()
            .zip(&self.leading)
            .map(|(&y, &leading)| gf8::mul(gf8::mul(vanishing, reciprocal(x ^ y)), leading))
            .collect()
    }
}

/// The bottom m rows of a Vandermonde matrix, whose row u has the powers of `point(u)`, times the
/// inverse of its top k rows.
pub(super) fn interpolation_rows(k: usize, m: usize, point: impl Fn(usize) -> u8) -> Matrix {
    let interpolation = Interpolation::new((0..k).map(&point).collect());
    let mut rows = Matrix::zero(m, k);
    for p in 0..m {
        rows.row_mut(p).copy_from_slice(&interpolation.value_at(point(k + p)));
    }
    rows
}

/// jerasure's `reed_sol_van`. Its column operations on the extended Vandermonde matrix (row u has
/// the powers of u, but the last is 0 ... 0 1) amount to interpolation, with the last unit being
/// the highest coefficient; it then divides every column by its element in parity 0, and every
/// row by its first element.
pub(super) fn jerasure_rows(k: usize, m: usize) -> Matrix {
    let interpolation = Interpolation::new((0..k).map(|unit| unit as u8).collect());
    let unscaled = |p: usize| match p + 1 {
        last if last == m => interpolation.leading.clone(),
        _ => interpolation.value_at((k + p) as u8),
    };
    let column_scales: Vec<u8> = unscaled(0).into_iter().map(reciprocal).collect();
    let mut rows = Matrix::zero(m, k);
    for p in 0..m {
        let row = rows.row_mut(p);
        row.copy_from_slice(&unscaled(p));
        for (element, &scale) in row.iter_mut().zip(&column_scales) {
            *element = gf8::mul(*element, scale);
        }
        let row_scale = reciprocal(row[0]);
        for element in row {
            *element = gf8::mul(*element, row_scale);
        }
    }
    rows
}

/// Hadoop's RS-LEGACY: data unit i is the coefficient of x^(m+i), parity p that of x^p in the
/// remainder by the generator polynomial, so column i is the remainder of x^(m+i).
pub(super) fn remainder_rows(k: usize, m: usize) -> Matrix {
    // The product of (x + 2^root) for root from 0 to m-1, lowest power first, without its leading
    // 1: which is also the remainder of x^m.
    let mut generator = Vec::with_capacity(m + 1);
    generator.push(1);
    for root in 0..m {
        generator.insert(0, 0);
        for power in 0..=root {
            generator[power] ^= gf8::mul(generator[power + 1], gf8::exp(root));
        }
    }
    generator.truncate(m);
    let mut rows = Matrix::zero(m, k);
    let mut remainder = generator.clone();
    for i in 0..k {
        for (p, &element) in remainder.iter().enumerate() {
            rows.set(p, i, element);
        }
        // Times x, and what reached x^m is reduced.
        let overflow = remainder[m - 1];
        remainder.rotate_right(1);
        remainder[0] = 0;
        for (element, &coefficient) in remainder.iter_mut().zip(&generator) {
            *element ^= gf8::mul(coefficient, overflow);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MatrixKind;

    /// The bottom of a Vandermonde matrix times the inverse of its top square, as the makers of
    /// these matrices define them.
    fn by_inversion(k: usize, m: usize, element: impl Fn(usize, usize) -> u8) -> Matrix {
        let top = Matrix::from_fn(k, k, &element).inverted().unwrap();
        Matrix::from_fn(m, k, |p, i| element(k + p, i)).product(&top)
    }

    const SHAPES: [(usize, usize); 9] =
        [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (6, 3), (10, 4), (5, 20), (40, 24)];

    #[test]
    fn interpolation_is_a_vandermonde_matrix_times_the_inverse_of_its_top() {
        for (k, m) in SHAPES {
            let rows = |kind: MatrixKind| kind.parity_rows(k, m).unwrap();
            let backblaze = by_inversion(k, m, |row, column| gf8::pow(row as u8, column));
            assert_eq!(rows(MatrixKind::Backblaze), backblaze);
            let inverted = by_inversion(k, m, |row, column| gf8::exp((row + 1) * column));
            assert_eq!(rows(MatrixKind::IsalVandermondeInverted), inverted);
            let zfec = by_inversion(k, m, |row, column| match row {
                0 => u8::from(column == 0),
                row => gf8::exp((row - 1) * column),
            });
            assert_eq!(rows(MatrixKind::Zfec), zfec);
        }
    }

    #[test]
    fn jerasure_rows_begin_with_ones_and_span_the_extended_vandermonde_code() {
        for (k, m) in SHAPES {
            let rows = MatrixKind::JerasureVandermonde.parity_rows(k, m).unwrap();
            assert!(rows.row(0).iter().all(|&element| element == 1));
            assert!(rows.iter_rows().all(|row| row[0] == 1));
            let unscaled = by_inversion(k, m, |row, column| match row + 1 {
                last if last == k + m => u8::from(column == k - 1),
                _ => gf8::pow(row as u8, column),
            });
            for p in 0..m {
                for i in 0..k {
                    // Scaling rows and columns leaves every such cross ratio as it was.
                    assert_eq!(
                        gf8::mul(rows.get(p, i), gf8::mul(unscaled.get(p, 0), unscaled.get(0, i))),
                        gf8::mul(unscaled.get(p, i), unscaled.get(0, 0)),
                        "k {k}, m {m}, parity {p}, data {i}"
                    );
                }
            }
        }
    }

    #[test]
    fn rs_legacy_code_words_vanish_at_the_roots() {
        for (k, m) in SHAPES.into_iter().chain([(254, 1), (1, 254), (128, 127)]) {
            let rows = MatrixKind::RsLegacy.parity_rows(k, m).unwrap();
            for i in 0..k {
                for root in 0..m {
                    let parity = (0..m)
                        .map(|p| gf8::mul(rows.get(p, i), gf8::exp(root * p)))
                        .fold(0, |sum, term| sum ^ term);
                    assert_eq!(parity, gf8::exp(root * (m + i)), "k {k}, m {m}, data {i}");
                }
            }
        }
    }
}
