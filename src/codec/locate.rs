//! Finding the wrong shards among those that disagree, without checksums.
//!
//! With w surplus shards (m minus those missing) every byte position has a syndrome of w bytes:
//! the sum, over the wrong shards, of their error bytes times their columns of the parity check
//! matrix. So over a range of positions the syndromes span a space within that of the wrong
//! shards' columns, and all of it where the errors are independent. Let any t columns be
//! independent: w in an MDS code, fewer in others. While at most t - 1 shards are wrong, no other
//! column lies in that space.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};

use super::syndromes::{Syndromes, is_zero};
use super::{ErasureCode, Plan};
use crate::gf8::{self, Matrix};
use crate::{Error, Result};

/// Sets of units that are tried at the most, in one range, where the columns alone do not tell.
const MAX_SETS: usize = 20_000;

/// A byte range in which shards disagree.
///
/// ```
/// use restripe::{ErasureCode, ReedSolomon, Verdict};
///
/// let code = ReedSolomon::new(3, 2)?;
/// let mut shards = [[1; 1024], [2; 1024], [3; 1024], [0; 1024], [0; 1024]];
/// let (data, parity) = shards.split_at_mut(3);
/// code.encode(data, parity)?;
/// shards[1][700] ^= 0x55;
///
/// let found = code.locate(&shards.map(Some), 512)?; // by ranges of 512 bytes
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].range, 512..1024);
/// assert_eq!(found[0].verdict, Verdict::Wrong { units: vec![1], holds_up_to: 1 });
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The range, in every shard.
    pub range: Range<usize>,
    /// Which shards are wrong there, if that can be told.
    pub verdict: Verdict,
}

/// Which shards are wrong in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These units, and no others, provided that at most `holds_up_to` units are wrong in the
    /// range.
    Wrong {
        /// The wrong units, ascending.
        units: Vec<usize>,
        /// The most wrong units for which this is certain: t - 1, or t / 2 where the errors depend
        /// on each other. In an MDS code t is m - e with e units missing.
        holds_up_to: usize,
    },
    /// Some unit is wrong; the surplus does not tell which.
    CannotTell,
}

pub(super) fn locate<S: AsRef<[u8]>>(
    code: &impl ErasureCode,
    shards: &[Option<S>],
    range_len: usize,
) -> Result<Vec<Location>> {
    if range_len == 0 {
        return Err(Error::Invalid {
            what: "range length",
            got: "0".into(),
            expected: "at least one byte",
        });
    }
    let syndromes = Syndromes::new(code, shards)?;
    if syndromes.plan.outputs().is_empty() {
        let available = shards.iter().flatten().count();
        return Err(Error::TooFewUnits { required: available + 1, available });
    }
    let columns = CheckColumns::new(&syndromes.plan);
    let mut independent = code.mds().is_known().then_some(columns.surplus);
    let mut found: Vec<Location> = Vec::new();
    let mut space = Space::default();
    let mut finish = |range: Range<usize>, space: &mut Space| {
        if space.rank() > 0 {
            let independent = *independent.get_or_insert_with(|| columns.independent());
            found.push(Location { range, verdict: columns.verdict(space, independent) });
            space.clear();
        }
    };
    let mut range = 0..0;
    syndromes.for_each(shards, range_len, |piece, syndromes| {
        if piece.start % range_len == 0 {
            finish(range.clone(), &mut space);
            range = piece.clone();
        }
        range.end = piece.end;
        if !syndromes.iter().all(|syndrome| is_zero(syndrome)) {
            let mut column = vec![0; syndromes.len()];
            for position in 0..piece.len() {
                if space.rank() == syndromes.len() {
                    break;
                }
                for (element, syndrome) in column.iter_mut().zip(syndromes) {
                    *element = syndrome[position];
                }
                space.insert(&column);
            }
        }
        ControlFlow::Continue(())
    });
    finish(range, &mut space);
    Ok(found)
}

/// The parity check matrix of the shards that are there, by columns: surplus unit j is checked by
/// syndrome j alone, a basis unit by all that its coefficients go into.
struct CheckColumns {
    columns: Vec<(usize, Vec<u8>)>,
    surplus: usize,
}

impl CheckColumns {
    fn new(plan: &Plan) -> Self {
        let coefficients = plan.coefficients();
        let surplus = plan.outputs().len();
        let mut columns: Vec<(usize, Vec<u8>)> = plan
            .reads()
            .iter()
            .enumerate()
            .map(|(input, read)| {
                (read.unit, (0..surplus).map(|row| coefficients.get(row, input)).collect())
            })
            .collect();
        for (row, &unit) in plan.outputs().iter().enumerate() {
            let mut column = vec![0; surplus];
            column[row] = 1;
            columns.push((unit, column));
        }
        columns.sort_unstable_by_key(|(unit, _)| *unit);
        Self { columns, surplus }
    }

    /// How many columns are independent, whichever they are, as far as [`MAX_SETS`] sets tell.
    fn independent(&self) -> usize {
        let columns: Vec<&[u8]> = self.columns.iter().map(|(_, column)| &column[..]).collect();
        independent(&columns, MAX_SETS, self.surplus)
    }

    /// `independent`: how many columns are, whichever they are.
    fn verdict(&self, space: &Space, independent: usize) -> Verdict {
        if space.rank() == self.surplus {
            // The whole space: every column lies in it.
            return Verdict::CannotTell;
        }
        let units: Vec<usize> = self
            .columns
            .iter()
            .filter(|(_, column)| space.contains(column))
            .map(|(unit, _)| *unit)
            .collect();
        if units.len() == space.rank() && units.len() < independent {
            return Verdict::Wrong { units, holds_up_to: independent - 1 };
        }
        // Dependent errors: look for the smallest set of units that explains all syndromes. Up to
        // half as many as are independent it is the only one, since two such sets are so together.
        let most = independent / 2;
        let mut sets_left = MAX_SETS;
        for size in space.rank()..=most {
            let mut chosen = Vec::with_capacity(size);
            match self.explaining_set(space, size, 0, &mut chosen, &mut sets_left) {
                Search::Found => {
                    let units = chosen.iter().map(|&index| self.columns[index].0).collect();
                    return Verdict::Wrong { units, holds_up_to: most };
                }
                Search::NotThere => {}
                Search::TooMany => break,
            }
        }
        Verdict::CannotTell
    }

    /// Extends `chosen` by columns from `next` on to a set of `size` whose span holds the space.
    fn explaining_set(
        &self,
        space: &Space,
        size: usize,
        next: usize,
        chosen: &mut Vec<usize>,
        sets_left: &mut usize,
    ) -> Search {
        if chosen.len() == size {
            let Some(left) = sets_left.checked_sub(1) else { return Search::TooMany };
            *sets_left = left;
            let mut span = Space::default();
            for &index in chosen.iter() {
                span.insert(&self.columns[index].1);
            }
            let explains = space.basis.iter().all(|(_, vector)| span.contains(vector));
            return if explains { Search::Found } else { Search::NotThere };
        }
        for index in next..self.columns.len() {
            chosen.push(index);
            match self.explaining_set(space, size, index + 1, chosen, sets_left) {
                Search::NotThere => {}
                done => return done,
            }
            chosen.pop();
        }
        Search::NotThere
    }
}

/// The largest t up to `most` such that any t of the columns are independent, as far as looking
/// at `max_sets` sets of each size tells.
fn independent(columns: &[&[u8]], max_sets: usize, most: usize) -> usize {
    for size in 1..=most {
        let mut left = max_sets;
        match dependent_set(columns, size, &Space::default(), &mut left) {
            Search::NotThere => {}
            Search::Found | Search::TooMany => return size - 1,
        }
    }
    most
}

/// [`independent`] of the parity check matrix of a whole code, given by its parity rows.
pub(super) fn independent_columns(rows: &Matrix, max_sets: usize, most: usize) -> usize {
    let data = (0..rows.columns())
        .map(|unit| (0..rows.rows()).map(|row| rows.get(row, unit)).collect::<Vec<u8>>());
    let parity = (0..rows.rows())
        .map(|parity| (0..rows.rows()).map(|row| u8::from(row == parity)).collect());
    let columns: Vec<Vec<u8>> = data.chain(parity).collect();
    let columns: Vec<&[u8]> = columns.iter().map(|column| &column[..]).collect();
    independent(&columns, max_sets, most)
}

/// Looks for `size` columns that depend on each other and the space.
fn dependent_set(columns: &[&[u8]], size: usize, space: &Space, sets_left: &mut usize) -> Search {
    for (index, column) in columns.iter().enumerate() {
        if columns.len() - index < size {
            break;
        }
        if size == 1 {
            let Some(left) = sets_left.checked_sub(1) else { return Search::TooMany };
            *sets_left = left;
            if space.contains(column) {
                return Search::Found;
            }
            continue;
        }
        let mut with_column = space.clone();
        with_column.insert(column);
        match dependent_set(&columns[index + 1..], size - 1, &with_column, sets_left) {
            Search::NotThere => {}
            done => return done,
        }
    }
    Search::NotThere
}

enum Search {
    Found,
    NotThere,
    TooMany,
}

/// A space of vectors by a basis in echelon form: (position of the leading 1, vector).
#[derive(Clone, Default)]
struct Space {
    basis: Vec<(usize, Vec<u8>)>,
}

impl Space {
    fn rank(&self) -> usize {
        self.basis.len()
    }

    fn clear(&mut self) {
        self.basis.clear();
    }

    /// What is left of a vector once its share in the space is taken out.
    fn residue(&self, vector: &[u8]) -> Vec<u8> {
        let mut rest = vector.to_vec();
        for (lead, basis) in &self.basis {
            let factor = rest[*lead];
            if factor != 0 {
                gf8::add_scaled(&mut rest, basis, factor);
            }
        }
        rest
    }

    fn contains(&self, vector: &[u8]) -> bool {
        is_zero(&self.residue(vector))
    }

    fn insert(&mut self, vector: &[u8]) {
        if is_zero(vector) {
            return;
        }
        let mut rest = self.residue(vector);
        let Some(lead) = rest.iter().position(|&element| element != 0) else { return };
        if let Some(scale) = gf8::inverse(rest[lead]) {
            gf8::scale_row(&mut rest, scale);
        }
        self.basis.push((lead, rest));
    }
}
