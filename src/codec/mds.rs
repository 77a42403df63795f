//! What is known of a matrix being MDS, and from where.
//!
//! A code with m parity units repairs every loss of m units exactly when every square submatrix
//! of its m x k parity rows is invertable: no minor is 0. Some matrices in real use do not have
//! that property, and their makers say so in a comment at best. Here it is a value, so that the
//! one who takes such a matrix has to say so.

use alloc::vec;
use alloc::vec::Vec;

use super::MatrixKind;
use crate::gf8::{self, Matrix};
use crate::{Error, Result};

/// How it is known that a code is MDS: that any k of its k + m units give back the rest.
///
/// ```
/// use restripe::gf8::Matrix;
/// use restripe::{ErasureCode, Error, MatrixKind, Mds, ReedSolomon};
///
/// assert_eq!(ReedSolomon::new(6, 3)?.mds(), Mds::Proven);
/// // ISA-L's Vandermonde matrix of these numbers does not repair every loss of six units.
/// let refused = ReedSolomon::with_matrix(10, 6, MatrixKind::IsalVandermonde);
/// assert!(matches!(refused, Err(Error::NotMds { .. })));
/// # Ok::<(), restripe::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mds {
    /// There is a proof for the kind of matrix and these numbers of units.
    Proven,
    /// The maker of the matrix documents it for these numbers of units.
    Documented,
    /// All square submatrices of these very rows were found to be invertable.
    Checked,
    /// It is not known, or known not to be so, and the caller accepted that; or the code is none
    /// by design, as [`LocallyRepairable`](crate::LocallyRepairable) codes are.
    Unchecked,
}

impl Mds {
    /// The most minors that are computed to find out whether a matrix is MDS.
    ///
    /// There are C(k + m, m) - 1 of them. This many take some tens of milliseconds.
    pub const MAX_MINORS: u64 = 10_000_000;

    /// What is known of a matrix of this kind, given by its parity rows (m rows, k columns).
    ///
    /// For every kind that can be computed the answer comes from the shape alone. For
    /// [`MatrixKind::Custom`] the minors are computed where there are at most
    /// [`MAX_MINORS`](Self::MAX_MINORS); where there are more, those of the smallest sizes are,
    /// as many sizes as fit: one that is 0 settles the question, too.
    ///
    /// | kind | MDS |
    /// |---|---|
    /// | `cauchy`, `backblaze`, `jerasure-vandermonde`, `jerasure-r6`, `zfec`, `rs-legacy`, `xor` | always: proven |
    /// | `par1` | m <= 3 or k <= 2: proven; else not |
    /// | `isal-vandermonde` | m <= 3 or k <= 3: proven; k = 4 and m <= 21, k <= 21 and m = 4, k = m = 5: documented; else not |
    /// | `isal-vandermonde-inverted` | k + m <= 255 or k = 1: proven; else not |
    ///
    /// # Errors
    ///
    /// [`Error::NotMds`] when some loss of m units cannot be repaired, [`Error::MdsUnknown`] when
    /// that is not known; what [`MatrixKind::parity_rows`] says of numbers of units that the kind
    /// cannot have.
    ///
    /// ```
    /// use restripe::gf8::Matrix;
    /// use restripe::{Error, MatrixKind, Mds};
    ///
    /// let par1 = |k, m| Mds::of(MatrixKind::Par1, &MatrixKind::Par1.parity_rows(k, m)?);
    /// assert_eq!(par1(100, 3), Ok(Mds::Proven));
    /// assert!(matches!(par1(3, 4), Err(Error::NotMds { .. })));
    ///
    /// let rows = Matrix::from_rows(&[[1, 1, 1], [7, 8, 9]]);
    /// assert_eq!(Mds::of(MatrixKind::Custom, &rows), Ok(Mds::Checked));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn of(kind: MatrixKind, parity_rows: &Matrix) -> Result<Self> {
        let (k, m) = (parity_rows.columns(), parity_rows.rows());
        kind.check_counts(k, m)?;
        let knowledge = match kind {
            MatrixKind::Custom => by_minors(parity_rows, Self::MAX_MINORS),
            computed => by_construction(computed, k, m),
        };
        let (kind, data_units, parity_units) = (kind.name(), k, m);
        match knowledge {
            Knowledge::Is(mds) => Ok(mds),
            Knowledge::IsNot => Err(Error::NotMds { kind, data_units, parity_units }),
            Knowledge::Unknown => Err(Error::MdsUnknown { kind, data_units, parity_units }),
        }
    }
}

impl Mds {
    /// Whether any k units are known to give back the rest.
    pub(crate) fn is_known(self) -> bool {
        self != Self::Unchecked
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Knowledge {
    Is(Mds),
    IsNot,
    Unknown,
}

/// What k and m alone say of a kind whose rows can be computed.
///
/// Rows for smaller k or m are the leading part of those for larger ones in the two kinds that
/// need it (`par1`, `isal-vandermonde`), so a singular submatrix condemns every larger shape.
fn by_construction(kind: MatrixKind, k: usize, m: usize) -> Knowledge {
    const PROVEN: Knowledge = Knowledge::Is(Mds::Proven);
    match kind {
        // A minor of a Cauchy matrix is a product of differences x_i - x_j, y_i - y_j and of
        // 1 / (x_i - y_j) over its rows' x and columns' y, all of which differ.
        MatrixKind::Cauchy => PROVEN,
        // The units are values of one polynomial of degree below k at different points (in
        // jerasure's, one may be its highest coefficient instead, and units are scaled): any k
        // of them determine it.
        MatrixKind::Backblaze | MatrixKind::JerasureVandermonde | MatrixKind::Zfec => PROVEN,
        // The same, but there are only 255 powers of 2: unit 255 has the bytes of unit 0, which
        // is no loss only where every unit has them, with one data unit.
        MatrixKind::IsalVandermondeInverted if k + m <= 255 || k == 1 => PROVEN,
        MatrixKind::IsalVandermondeInverted => Knowledge::IsNot,
        // A code word, as a polynomial, vanishes at 2^0 to 2^(m-1). Were it other than 0 in only
        // m places, m columns of the Vandermonde matrix over these would be dependent, but
        // within 255 places the powers of 2 all differ.
        MatrixKind::RsLegacy => PROVEN,
        // No element is 0, and the minors of size 2 are 2^i + 2^j for i, j below 255.
        MatrixKind::JerasureR6 => PROVEN,
        // No element is 0.
        MatrixKind::Xor => PROVEN,
        // With x_i = i + 1, the rows 1, x, x^2 have as minors products of x_i and x_i + x_j. Two
        // columns, 1 and 2^p, have the minors 1, 2^p and 2^p + 2^q for p, q below 255.
        MatrixKind::Par1 if m <= 3 || k <= 2 => PROVEN,
        // Rows 0, 1, 3 and columns 0, 1, 2 have the minor 1 + 2 + 3 = 0 times a product.
        MatrixKind::Par1 => Knowledge::IsNot,
        // The first three rows are as in par1, with x_i = 2^i; the matrix is symmetric.
        MatrixKind::IsalVandermonde if m <= 3 || k <= 3 => PROVEN,
        // What erasure_code.h says of gf_gen_rs_matrix, in its words for k and n = k + m:
        // "k = 4, n <= 25", "k = 5, n <= 10", "k <= 21, n - k = 4". Where it stops there is
        // indeed a singular submatrix: 4 x 22 and 5 x 6 (the tests find them).
        MatrixKind::IsalVandermonde => match (k.min(m), k.max(m)) {
            (4, ..=21) | (5, 5) => Knowledge::Is(Mds::Documented),
            _ => Knowledge::IsNot,
        },
        // Nothing but their rows tells anything of them.
        MatrixKind::Custom | MatrixKind::HitchhikerXor | MatrixKind::LocallyRepairable => {
            Knowledge::Unknown
        }
    }
}

/// What the minors of the rows say, smallest first, as many sizes as `max_minors` allows.
fn by_minors(rows: &Matrix, max_minors: u64) -> Knowledge {
    let largest = largest_minors_within(rows.rows(), rows.columns(), max_minors);
    if largest == 0 {
        return Knowledge::Unknown;
    }
    // Few long rows are quicker than many short ones, and a transposed minor is the same.
    let (height, width) = (rows.rows().min(rows.columns()), rows.rows().max(rows.columns()));
    let mut elements = Vec::with_capacity(height * width);
    for row in 0..height {
        elements.extend((0..width).map(|column| {
            if rows.rows() == height { rows.get(row, column) } else { rows.get(column, row) }
        }));
    }
    let mut rests = vec![Vec::new(); largest - 1];
    if has_zero_minor(&elements, width, &mut rests) {
        Knowledge::IsNot
    } else if largest == height {
        Knowledge::Is(Mds::Checked)
    } else {
        Knowledge::Unknown
    }
}

/// The largest s such that a `height` x `width` matrix has at most `max_minors` minors of the
/// sizes 1 to s, together.
fn largest_minors_within(height: usize, width: usize, max_minors: u64) -> usize {
    // Of size s there are C(height, s) * C(width, s).
    let (mut row_choices, mut column_choices, mut minors) = (1u64, 1u64, 0u64);
    for size in 1..=height.min(width) {
        let next =
            |choices: u64, of: usize| choices.saturating_mul((of - size + 1) as u64) / size as u64;
        row_choices = next(row_choices, height);
        column_choices = next(column_choices, width);
        minors = minors.saturating_add(row_choices.saturating_mul(column_choices));
        if minors > max_minors {
            return size - 1;
        }
    }
    height.min(width)
}

/// Whether any minor of a matrix (row by row, `width` elements each) is 0, of the sizes 1 to
/// `rests.len() + 1`.
///
/// Eliminating with a pivot at (r, c) leaves, below r and right of c, a smaller matrix whose
/// minors are those of the whole that have r and c as first row and column, divided by the pivot
/// (Schur's complement). So each minor comes up exactly once, as one element, at the price of
/// one product and one sum.
fn has_zero_minor(matrix: &[u8], width: usize, rests: &mut [Vec<u8>]) -> bool {
    if matrix.contains(&0) {
        return true;
    }
    let Some((rest, rests)) = rests.split_first_mut() else {
        return false;
    };
    let mut below = matrix;
    while below.len() > width {
        let (pivot_row, rows) = below.split_at(width);
        below = rows;
        for column in 0..width - 1 {
            let pivot_inverse = gf8::inverse(pivot_row[column]).expect("no element is 0");
            rest.clear();
            for row in rows.chunks_exact(width) {
                let factor = gf8::mul(row[column], pivot_inverse);
                let right = row[column + 1..].iter().zip(&pivot_row[column + 1..]);
                rest.extend(right.map(|(&element, &pivot)| element ^ gf8::mul(pivot, factor)));
            }
            if has_zero_minor(rest, width - column - 1, rests) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plainest check there is: the rank of every square submatrix.
    fn every_square_submatrix_is_invertable(rows: &Matrix) -> bool {
        let chosen = |set: u32| -> Vec<usize> {
            (0..u32::BITS as usize).filter(|&index| set >> index & 1 == 1).collect()
        };
        (1u32..1 << rows.rows()).all(|row_set| {
            (1u32..1 << rows.columns())
                .filter(|column_set| column_set.count_ones() == row_set.count_ones())
                .all(|column_set| {
                    let (at_rows, at_columns) = (chosen(row_set), chosen(column_set));
                    let size = at_rows.len();
                    let submatrix = Matrix::from_fn(size, size, |row, column| {
                        rows.get(at_rows[row], at_columns[column])
                    });
                    submatrix.rank() == size
                })
        })
    }

    fn checked(rows: &Matrix) -> Knowledge {
        by_minors(rows, Mds::MAX_MINORS)
    }

    fn rows(kind: MatrixKind, k: usize, m: usize) -> Matrix {
        kind.parity_rows(k, m).unwrap()
    }

    #[test]
    fn the_check_agrees_with_the_ranks_of_all_square_submatrices() {
        let mut state = 0x2545_F491u32;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let mut outcomes = [0; 2];
        for (m, k) in [(1, 1), (1, 5), (2, 2), (2, 5), (5, 2), (3, 3), (3, 6), (4, 4), (5, 3)] {
            for _ in 0..100 {
                // Elements other than 0, and few of them in half of the cases, or else nearly
                // every small matrix is fine.
                let elements = if next() % 2 == 0 { 255 } else { 12 };
                let matrix = Matrix::from_fn(m, k, |_, _| (next() % elements + 1) as u8);
                let expected = every_square_submatrix_is_invertable(&matrix);
                outcomes[usize::from(expected)] += 1;
                let expected =
                    if expected { Knowledge::Is(Mds::Checked) } else { Knowledge::IsNot };
                assert_eq!(checked(&matrix), expected, "{matrix:?}");
            }
        }
        assert!(outcomes.iter().all(|&count| count > 100), "{outcomes:?}");
    }

    #[test]
    fn a_zero_minor_of_any_size_and_place_is_found() {
        // In a Cauchy matrix, one element is changed so that one chosen minor becomes 0: its
        // cofactor is not 0, so exactly one value does it.
        let cauchy = rows(MatrixKind::Cauchy, 6, 5);
        for size in 1..=5 {
            for (first_row, first_column) in [(0, 0), (5 - size, 6 - size)] {
                let corner = |matrix: &Matrix| {
                    Matrix::from_fn(size, size, |row, column| {
                        matrix.get(first_row + row, first_column + column)
                    })
                };
                let singular = (0..=255).find_map(|value| {
                    let mut matrix = cauchy.clone();
                    matrix.set(first_row + size - 1, first_column + size - 1, value);
                    (corner(&matrix).rank() < size).then_some(matrix)
                });
                assert_eq!(checked(&singular.unwrap()), Knowledge::IsNot, "size {size}");
            }
        }
    }

    #[test]
    fn what_is_claimed_of_each_kind_agrees_with_its_minors() {
        for &kind in MatrixKind::ALL {
            for (k, m) in (1..=7).flat_map(|k| (1..=7).map(move |m| (k, m))) {
                let Ok(rows) = kind.parity_rows(k, m) else { continue };
                let claimed = match by_construction(kind, k, m) {
                    Knowledge::Is(_) => Knowledge::Is(Mds::Checked),
                    other => other,
                };
                assert_eq!(checked(&rows), claimed, "{kind}, k {k}, m {m}");
            }
        }
    }

    #[test]
    fn the_limits_of_isal_vandermonde_are_exact() {
        let kind = MatrixKind::IsalVandermonde;
        let fine = [(4, 21), (21, 4), (5, 5), (3, 253), (253, 3)];
        let singular = [(4, 22), (22, 4), (5, 6), (6, 5)];
        for (k, m) in fine {
            assert!(matches!(by_construction(kind, k, m), Knowledge::Is(_)), "k {k}, m {m}");
            assert_eq!(checked(&rows(kind, k, m)), Knowledge::Is(Mds::Checked), "k {k}, m {m}");
        }
        for (k, m) in singular {
            assert_eq!(by_construction(kind, k, m), Knowledge::IsNot, "k {k}, m {m}");
            assert_eq!(checked(&rows(kind, k, m)), Knowledge::IsNot, "k {k}, m {m}");
        }
    }

    #[test]
    fn the_limits_of_par1_are_exact() {
        let kind = MatrixKind::Par1;
        for (k, m) in [(253, 3), (2, 254), (1, 255)] {
            assert_eq!(by_construction(kind, k, m), Knowledge::Is(Mds::Proven));
            assert_eq!(checked(&rows(kind, k, m)), Knowledge::Is(Mds::Checked), "k {k}, m {m}");
        }
        assert_eq!(by_construction(kind, 3, 4), Knowledge::IsNot);
        assert_eq!(checked(&rows(kind, 3, 4)), Knowledge::IsNot);
    }

    #[test]
    fn isal_vandermonde_inverted_is_mds_up_to_255_units() {
        let kind = MatrixKind::IsalVandermondeInverted;
        for (k, m, mds) in [
            (252, 3, true),
            (253, 3, false),
            (2, 253, true),
            (2, 254, false),
            (255, 1, false),
            (1, 255, true),
        ] {
            let is = |mds| if mds { Knowledge::Is(Mds::Checked) } else { Knowledge::IsNot };
            assert_eq!(checked(&rows(kind, k, m)), is(mds), "k {k}, m {m}");
            assert_eq!(by_construction(kind, k, m) == Knowledge::Is(Mds::Proven), mds);
        }
    }

    #[test]
    fn the_number_of_minors_decides_how_far_the_check_goes() {
        // A 4 x 4 matrix has 16, 36, 16 and 1 minors of the sizes 1 to 4.
        for (max, size) in [(0, 0), (15, 0), (16, 1), (51, 1), (52, 2), (67, 2), (68, 3), (69, 4)] {
            assert_eq!(largest_minors_within(4, 4, max), size, "at most {max}");
        }
        // All sizes together: C(125, 4) - 1 = 9,691,374 and C(126, 4) - 1 = 10,009,124.
        assert_eq!(largest_minors_within(4, 121, 10_000_000), 4);
        assert_eq!(largest_minors_within(4, 122, 10_000_000), 3);
        // C(128, 6) squared does not fit in 64 bits.
        assert_eq!(largest_minors_within(128, 128, u64::MAX - 1), 5);
    }

    #[test]
    fn too_many_minors_leave_the_question_open_unless_a_small_one_is_zero() {
        let mut custom = rows(MatrixKind::Cauchy, 100, 20);
        assert_eq!(checked(&custom), Knowledge::Unknown);
        assert!(matches!(
            Mds::of(MatrixKind::Custom, &custom),
            Err(Error::MdsUnknown { kind: "custom", data_units: 100, parity_units: 20 })
        ));
        let row = custom.row(3).to_vec();
        custom.row_mut(17).copy_from_slice(&row);
        assert_eq!(checked(&custom), Knowledge::IsNot);
    }
}
