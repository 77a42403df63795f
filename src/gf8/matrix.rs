//! Dense matrices over GF(2^8): the little linear algebra that codes and plans need.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::{inverse, mul};

/// A matrix of field elements, stored row by row.
///
/// ```
/// use restripe::gf8::Matrix;
/// let matrix = Matrix::from_rows(&[[1, 1], [1, 2]]);
/// let inverse = matrix.inverted().unwrap();
/// assert_eq!(matrix.product(&inverse), Matrix::identity(2));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    elements: Vec<u8>,
}

impl Matrix {
    /// A matrix of zeros.
    #[must_use]
    pub fn zero(rows: usize, columns: usize) -> Self {
        Self { rows, columns, elements: vec![0; rows * columns] }
    }

    /// The identity of `size` rows and columns.
    #[must_use]
    pub fn identity(size: usize) -> Self {
        Self::from_fn(size, size, |row, column| u8::from(row == column))
    }

    /// A matrix of given rows.
    #[must_use]
    pub fn from_rows<const COLUMNS: usize>(rows: &[[u8; COLUMNS]]) -> Self {
        Self { rows: rows.len(), columns: COLUMNS, elements: rows.as_flattened().to_vec() }
    }

    /// A matrix whose elements are computed from (row, column).
    #[must_use]
    pub fn from_fn(
        rows: usize,
        columns: usize,
        mut element: impl FnMut(usize, usize) -> u8,
    ) -> Self {
        let mut matrix = Self::zero(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                matrix.set(row, column, element(row, column));
            }
        }
        matrix
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The element at (row, column). Panics when out of range, as indexing a slice does.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> u8 {
        self.row(row)[column]
    }

    /// Sets the element at (row, column). Panics when out of range.
    pub fn set(&mut self, row: usize, column: usize, value: u8) {
        self.row_mut(row)[column] = value;
    }

    /// One row. Panics when out of range.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.elements[row * self.columns..(row + 1) * self.columns]
    }

    /// One row, to be changed. Panics when out of range.
    pub fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.elements[row * self.columns..(row + 1) * self.columns]
    }

    /// The rows, from the first.
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.rows).map(|row| self.row(row))
    }

    /// The matrix product `self` x `other`. Panics when the inner dimensions differ.
    #[must_use]
    pub fn product(&self, other: &Self) -> Self {
        assert_eq!(self.columns, other.rows, "inner dimensions differ");
        let mut product = Self::zero(self.rows, other.columns);
        for row in 0..self.rows {
            for inner in 0..self.columns {
                add_scaled(product.row_mut(row), other.row(inner), self.get(row, inner));
            }
        }
        product
    }

    /// The inverse, or `None` when the matrix is singular or not square.
    #[must_use]
    pub fn inverted(&self) -> Option<Self> {
        if self.rows != self.columns {
            return None;
        }
        let size = self.rows;
        let mut left = self.clone();
        let mut right = Self::identity(size);
        for column in 0..size {
            let pivot = (column..size).find(|&row| left.get(row, column) != 0)?;
            left.swap_rows(pivot, column);
            right.swap_rows(pivot, column);
            let scale = inverse(left.get(column, column))?;
            scale_row(left.row_mut(column), scale);
            scale_row(right.row_mut(column), scale);
            for row in 0..size {
                let factor = left.get(row, column);
                if row != column && factor != 0 {
                    left.add_scaled_row(row, column, factor);
                    right.add_scaled_row(row, column, factor);
                }
            }
        }
        Some(right)
    }

    /// The number of independent rows.
    #[must_use]
    pub fn rank(&self) -> usize {
        let mut rest = self.clone();
        let mut rank = 0;
        for column in 0..rest.columns {
            let Some(pivot) = (rank..rest.rows).find(|&row| rest.get(row, column) != 0) else {
                continue;
            };
            rest.swap_rows(pivot, rank);
            let scale = inverse(rest.get(rank, column)).expect("a pivot is not 0");
            scale_row(rest.row_mut(rank), scale);
            for row in rank + 1..rest.rows {
                let factor = rest.get(row, column);
                if factor != 0 {
                    rest.add_scaled_row(row, rank, factor);
                }
            }
            rank += 1;
        }
        rank
    }

    /// Exchanges two rows.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        if a != b {
            let (low, high) = (a.min(b), a.max(b));
            let (head, tail) = self.elements.split_at_mut(high * self.columns);
            head[low * self.columns..(low + 1) * self.columns]
                .swap_with_slice(&mut tail[..self.columns]);
        }
    }

    /// Adds `factor` times row `source` to row `target`; the two must differ.
    pub fn add_scaled_row(&mut self, target: usize, source: usize, factor: u8) {
        assert_ne!(target, source, "a row cannot be added to itself");
        for column in 0..self.columns {
            let product = mul(self.get(source, column), factor);
            self.row_mut(target)[column] ^= product;
        }
    }
}

/// `target` += `factor` x `source`, element by element.
pub(crate) fn add_scaled(target: &mut [u8], source: &[u8], factor: u8) {
    for (target, &source) in target.iter_mut().zip(source) {
        *target ^= mul(source, factor);
    }
}

/// Multiplies every element of a row.
pub(crate) fn scale_row(row: &mut [u8], factor: u8) {
    for element in row {
        *element = mul(*element, factor);
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "Matrix {}x{}", self.rows, self.columns)?;
        for row in self.iter_rows() {
            for element in row {
                write!(formatter, "{element:02x}")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_undoes_its_matrix() {
        let matrix =
            Matrix::from_fn(7, 7, |row, column| inverse((row + 7) as u8 ^ column as u8).unwrap());
        assert_eq!(matrix.inverted().unwrap().product(&matrix), Matrix::identity(7));
        assert_eq!(matrix.rank(), 7);
    }

    #[test]
    fn a_singular_matrix_has_no_inverse() {
        let matrix =
            Matrix::from_fn(3, 3, |row, column| [[1, 2, 3], [2, 4, 6], [5, 6, 7]][row][column]);
        assert!(matrix.inverted().is_none());
        assert_eq!(matrix.rank(), 2);
        assert!(Matrix::zero(2, 3).inverted().is_none());
    }
}
