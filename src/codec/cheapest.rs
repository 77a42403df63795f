//! The search for what to read where not every k units are as good as any other k.
//!
//! A repair reads some parity units and such data units as these do not let it leave out. So the
//! search goes over sets of parity units, the small sets first, and for each leaves out the
//! dearest data that it can. That finds local groups and piggybacks without being told of them;
//! beside it stands the cheapest basis, for losses that only the whole code repairs. A set is not
//! looked at closely where leaving out as many data units as it has parity units would not make it
//! cheaper than the best so far.

use alloc::vec::Vec;

use super::solve::{self, generator_row};
use crate::gf8::{self, Matrix};
use crate::{Error, Result};

/// Sets of parity units that are tried at the most: all of them for up to 12 parity units.
const MAX_SETS: usize = 4096;

/// A choice of inputs and what it costs; of two that cost the same the first found stays.
struct Best<C> {
    choice: Option<(C, Vec<usize>)>,
    /// What the units of the choice weigh together.
    weight: u128,
}

impl<C: Ord> Best<C> {
    fn offer(&mut self, cost: C, weight: u128, inputs: Vec<usize>) {
        if self.choice.as_ref().is_none_or(|(least, _)| cost < *least) {
            self.choice = Some((cost, inputs));
            self.weight = weight;
        }
    }
}

/// Which of `available` to read for `wanted`: a set that determines them, of the least
/// `total`. `weight` is what one unit costs, all that there is to `total` where it `is_additive`;
/// where costs are equal the first of `available` are taken.
pub(super) fn inputs<C: Ord>(
    parity_rows: &Matrix,
    available: &[usize],
    wanted: &[usize],
    weight: impl Fn(usize) -> u128,
    is_additive: bool,
    total: impl Fn(&[usize]) -> C,
) -> Result<Vec<usize>> {
    let weights: Vec<u128> = (0..parity_rows.columns() + parity_rows.rows()).map(&weight).collect();
    let sum = |units: &[usize]| units.iter().map(|&unit| weights[unit]).sum::<u128>();
    let mut best = Best { choice: None, weight: 0 };
    let mut cheap_first = available.to_vec();
    cheap_first.sort_by_key(|&unit| weight(unit));
    // It says which unit is beyond repair, if one is.
    let basis = solve::general(parity_rows, &cheap_first, wanted).map_err(|error| match error {
        Error::NotRecoverable { unit, .. } => {
            Error::NotRecoverable { unit, available: available.len() }
        }
        other => other,
    })?;
    best.offer(total(&basis.inputs), sum(&basis.inputs), basis.inputs);

    let k = parity_rows.columns();
    let parities: Vec<usize> = cheap_first.iter().copied().filter(|&unit| unit >= k).collect();
    let search = Search::new(parity_rows, &cheap_first, wanted);
    let mut tried = 0;
    for size in 0..=parities.len() {
        let mut chosen = Vec::with_capacity(size);
        let go_on = each_set(&parities, size, &mut chosen, &mut |set| {
            tried += 1;
            let counting = search.counting(set);
            // Equal weights may still be fewer bytes.
            let worth_it = !is_additive
                || sum(set) + sum(&counting[search.left_out(set).min(counting.len())..])
                    <= best.weight;
            if worth_it && let Some(inputs) = search.with_parities(set, &counting) {
                best.offer(total(&inputs), sum(&inputs), inputs);
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

    /// The data units that are there and have a part in these parity units or in what is wanted,
    /// the dearest first.
    fn counting(&self, parities: &[usize]) -> Vec<usize> {
        let counts = |unit: &usize| self.counts(parities, *unit);
        self.dear_first.iter().copied().filter(counts).collect()
    }

    /// How many of those these parity units can do without: each is one equation.
    fn left_out(&self, parities: &[usize]) -> usize {
        let missing = self.missing.iter().filter(|&&unit| self.counts(parities, unit)).count();
        parities.len().saturating_sub(missing)
    }

    /// The data to read along with these parity units, and these; `None` where they do not
    /// determine what is wanted.
    fn with_parities(&self, parities: &[usize], counting: &[usize]) -> Option<Vec<usize>> {
        let mut unread = self.missing.clone();
        if !self.determines(parities, &unread) {
            return None;
        }
        let mut inputs = Vec::new();
        for &unit in counting {
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
