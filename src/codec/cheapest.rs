//! The search for what to read where not every k units are as good as any other k.
//!
//! A repair reads some parity units and such data units as these do not let it leave out. So the
//! search goes over sets of parity units, the small sets first, and for each leaves out the
//! dearest data that it can. That finds local groups and piggybacks without being told of them;
//! beside it stands the cheapest basis, for losses that only the whole code repairs.

use alloc::vec::Vec;

use super::solve::{self, generator_row};
use crate::gf8::{self, Matrix};
use crate::{Error, Result};

/// Sets of parity units that are tried at the most: all of them for up to 12 parity units.
const MAX_SETS: usize = 4096;

/// A choice of inputs and what it costs; of two that cost the same the first found stays.
struct Best<C> {
    choice: Option<(C, Vec<usize>)>,
}

impl<C: Ord> Best<C> {
    fn offer(&mut self, cost: C, inputs: Vec<usize>) {
        if self.choice.as_ref().is_none_or(|(least, _)| cost < *least) {
            self.choice = Some((cost, inputs));
        }
    }
}

/// Which of `available` to read for `wanted`: a set that determines them, of the least
/// `total`. `weight` is what one unit costs, roughly where units are not read one by one; where
/// costs are equal the first of `available` are taken.
pub(super) fn inputs<C: Ord>(
    parity_rows: &Matrix,
    available: &[usize],
    wanted: &[usize],
    weight: impl Fn(usize) -> u128,
    total: impl Fn(&[usize]) -> C,
) -> Result<Vec<usize>> {
    let mut best = Best { choice: None };
    let mut cheap_first = available.to_vec();
    cheap_first.sort_by_key(|&unit| weight(unit));
    // It says which unit is beyond repair, if one is.
    let basis = solve::general(parity_rows, &cheap_first, wanted).map_err(|error| match error {
        Error::NotRecoverable { unit, .. } => {
            Error::NotRecoverable { unit, available: available.len() }
        }
        other => other,
    })?;
    best.offer(total(&basis.inputs), basis.inputs);

    let k = parity_rows.columns();
    let parities: Vec<usize> = cheap_first.iter().copied().filter(|&unit| unit >= k).collect();
    let search = Search::new(parity_rows, &cheap_first, wanted);
    let mut tried = 0;
    for size in 0..=parities.len() {
        let mut chosen = Vec::with_capacity(size);
        let go_on = each_set(&parities, size, &mut chosen, &mut |set| {
            tried += 1;
            if let Some(inputs) = search.with_parities(set) {
                best.offer(total(&inputs), inputs);
            }
            tried < MAX_SETS
        });
        if !go_on {
            break;
        }
    }
    let mut chosen = best.choice.map(|(_, inputs)| inputs).unwrap_or_default();
    chosen.sort_by_key(|unit| available.iter().position(|other| other == unit));
    Ok(chosen)
}

/// Calls `visit` with every set of `size` items until it says false.
fn each_set(
    items: &[usize],
    size: usize,
    chosen: &mut Vec<usize>,
    visit: &mut impl FnMut(&[usize]) -> bool,
) -> bool {
    if size == 0 {
        return visit(chosen);
    }
    for (index, &item) in items.iter().enumerate() {
        if items.len() - index < size {
            break;
        }
        chosen.push(item);
        let go_on = each_set(&items[index + 1..], size - 1, chosen, visit);
        chosen.pop();
        if !go_on {
            return false;
        }
    }
    true
}

struct Search<'a> {
    parity_rows: &'a Matrix,
    /// The generator rows of the units wanted.
    wanted: Vec<Vec<u8>>,
    /// Data units that are there, the dearest first.
    dear_first: Vec<usize>,
    /// Data units that are not there.
    missing: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(parity_rows: &'a Matrix, cheap_first: &[usize], wanted: &[usize]) -> Self {
        let k = parity_rows.columns();
        Self {
            parity_rows,
            wanted: wanted.iter().map(|&unit| generator_row(parity_rows, unit)).collect(),
            dear_first: cheap_first.iter().rev().copied().filter(|&unit| unit < k).collect(),
            missing: (0..k).filter(|unit| !cheap_first.contains(unit)).collect(),
        }
    }

    /// The data to read along with these parity units, and these; `None` where they do not
    /// determine what is wanted.
    fn with_parities(&self, parities: &[usize]) -> Option<Vec<usize>> {
        let mut unread = self.missing.clone();
        if !self.determines(parities, &unread) {
            return None;
        }
        let mut inputs = Vec::new();
        for &unit in &self.dear_first {
            if !self.counts(parities, unit) {
                continue;
            }
            unread.push(unit);
            if !self.determines(parities, &unread) {
                unread.pop();
                inputs.push(unit);
            }
        }
        inputs.extend(parities);
        Some(inputs)
    }

    /// Whether a data unit has a part in what is read or wanted.
    fn counts(&self, parities: &[usize], unit: usize) -> bool {
        let k = self.parity_rows.columns();
        parities.iter().any(|&parity| self.parity_rows.get(parity - k, unit) != 0)
            || self.wanted.iter().any(|row| row[unit] != 0)
    }

    /// Whether some parity units and all data units but `unread` determine what is wanted: over
    /// the unread ones, its rows lie in the span of those of the parity units.
    fn determines(&self, parities: &[usize], unread: &[usize]) -> bool {
        let k = self.parity_rows.columns();
        let cut = |row: &[u8]| -> Vec<u8> { unread.iter().map(|&unit| row[unit]).collect() };
        let mut span: Vec<(usize, Vec<u8>)> = Vec::with_capacity(parities.len());
        let reduce = |row: &mut Vec<u8>, span: &[(usize, Vec<u8>)]| {
            for (lead, basis) in span {
                let factor = row[*lead];
                if factor != 0 {
                    gf8::add_scaled(row, basis, factor);
                }
            }
            row.iter().position(|&element| element != 0)
        };
        for &parity in parities {
            let mut row = cut(self.parity_rows.row(parity - k));
            let Some(lead) = reduce(&mut row, &span) else { continue };
            if let Some(scale) = gf8::inverse(row[lead]) {
                gf8::scale_row(&mut row, scale);
            }
            span.push((lead, row));
        }
        self.wanted.iter().all(|wanted| reduce(&mut cut(wanted), &span).is_none())
    }
}
