//! Finding the wrong shards among those that disagree, without checksums.
//!
//! With w surplus shards (m minus those missing) every byte position has a syndrome of w bytes:
//! the sum, over the wrong shards, of their error bytes times their columns of the parity check
//! matrix. So over a range of positions the syndromes span a space within that of the wrong
//! shards' columns, and all of it where the errors are independent. In an MDS code any w columns
//! are independent; while at most w - 1 shards are wrong, no other column lies in that space.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};

use super::syndromes::{Syndromes, is_zero};
use super::{ErasureCode, Plan};
use crate::gf8;
use crate::{Error, Result};

/// Sets of units that are tried at the most, in one range, where the columns alone do not tell.
const MAX_SETS: usize = 20_000;

/// A byte range in which shards disagree.
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
        /// The most wrong units for which this is certain: m - e - 1 with e units missing, or
        /// (m - e) / 2 where the errors depend on each other.
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
    if !code.mds().is_known() {
        return Err(Error::Invalid {
            what: "code",
            got: code.matrix_kind().name().into(),
            expected: "one that is known to be MDS, where different units leave different traces",
        });
    }
    let syndromes = Syndromes::new(code, shards)?;
    if syndromes.plan.outputs().is_empty() {
        let available = shards.iter().flatten().count();
        return Err(Error::TooFewUnits { required: available + 1, available });
    }
    let columns = CheckColumns::new(&syndromes.plan);
    let mut found: Vec<Location> = Vec::new();
    let mut space = Space::default();
    let mut finish = |range: Range<usize>, space: &mut Space| {
        if space.rank() > 0 {
            found.push(Location { range, verdict: columns.verdict(space) });
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

    fn verdict(&self, space: &Space) -> Verdict {
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
        if units.len() == space.rank() {
            return Verdict::Wrong { units, holds_up_to: self.surplus - 1 };
        }
        // Dependent errors: look for the smallest set of units that explains all syndromes. Up to
        // half the surplus it is the only one, since two such sets have independent columns.
        let most = self.surplus / 2;
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

enum Search {
    Found,
    NotThere,
    TooMany,
}

/// A space of vectors by a basis in echelon form: (position of the leading 1, vector).
#[derive(Default)]
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
