//! Decides and computes: from the chunks that are good to those that are not.

use std::ops::Range;
use std::sync::Arc;

use restripe::{Consistency, ErasureCode, MatrixKind, Verdict};

use crate::failure::{Failure, Result};
use crate::heal::group::Group;
use crate::heal::marks::{Fate, Found, Trust};
use crate::heal::tile::Tile;
use crate::set::UnitSet;

/// What the healer is asked for besides right bytes.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Compute chunks that are absent; else it is only said that they can be.
    pub rebuild_absent: bool,
    /// Compare chunks that are there with what they should be, to tell a wrong chunk from a
    /// wrong sum.
    pub compare: bool,
    /// Before something is rebuilt, check that all units with right sums agree with each other.
    pub check_spare: bool,
    /// Check that everywhere, and where it can be told which unit is wrong, rebuild it.
    pub deep: bool,
}

/// Heals the tiles of one group. Each thread has its own.
#[derive(Debug)]
pub struct Healer<'a> {
    group: &'a Group,
    code: Arc<dyn ErasureCode>,
    options: Options,
    scratch: Vec<Vec<u8>>,
}

/// Neighbouring columns in which the same units are good, doubtful and in need.
#[derive(Clone, Debug)]
struct Run {
    columns: Range<usize>,
    good: UnitSet,
    plausible: UnitSet,
    blind: UnitSet,
    need: UnitSet,
    contradicted: bool,
}

/// From what a run's chunks are taken.
struct Sources {
    units: UnitSet,
    trust: Trust,
}

impl<'a> Healer<'a> {
    /// A healer for a group.
    #[must_use]
    pub fn new(group: &'a Group, options: Options) -> Self {
        Self { group, code: group.code().clone(), options, scratch: Vec::new() }
    }

    /// Reads of a tile what is wanted, and of the other units as little as it takes to heal that.
    /// `wanted` has a range of columns for every unit.
    ///
    /// # Errors
    ///
    /// None of its own: what cannot be read is marked absent.
    pub fn read_enough(&self, tile: &mut Tile<'_>, wanted: &[Range<usize>]) {
        tile.begin();
        for (unit, columns) in wanted.iter().enumerate() {
            self.group.read(tile, unit, columns.clone());
        }
        let columns = tile.columns();
        let mut missing: Vec<usize> = vec![0; columns];
        for (unit, wanted) in wanted.iter().enumerate() {
            for column in wanted.clone() {
                if !is_good(tile.marks.found(unit)[column]) {
                    missing[column] = self.code.data_units();
                }
            }
        }
        if missing.iter().all(|&missing| missing == 0) {
            return;
        }
        for unit in 0..self.code.total_units() {
            for (missing, &found) in missing.iter_mut().zip(tile.marks.found(unit)) {
                *missing -= usize::from(*missing > 0 && is_good(found));
            }
        }
        for unit in 0..self.code.total_units() {
            let open = |column: &usize| {
                missing[*column] > 0 && tile.marks.found(unit)[*column] == Found::Unread
            };
            let Some(first) = (0..columns).find(open) else { continue };
            let last = (0..columns).rfind(open).unwrap_or(first);
            for span in unread_spans(tile.marks.found(unit), first..last + 1) {
                self.group.read(tile, unit, span.clone());
                let found = &tile.marks.found(unit)[span.clone()];
                for (missing, &found) in missing[span].iter_mut().zip(found) {
                    *missing -= usize::from(*missing > 0 && is_good(found));
                }
            }
        }
    }

    /// Reads all of a tile.
    pub fn read_all(&self, tile: &mut Tile<'_>) {
        tile.begin();
        let columns = tile.columns();
        for unit in 0..self.code.total_units() {
            self.group.read(tile, unit, 0..columns);
        }
    }

    /// Heals what is wanted in a tile that has been read: afterwards every chunk wanted whose
    /// fate is `Fine`, `Kept` or (with `rebuild_absent`) `Rebuilt` has its right bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`] when the engine refuses to compute, which only a fault can bring about.
    pub fn heal(&mut self, tile: &mut Tile<'_>, wanted: &[Range<usize>]) -> Result<()> {
        if !self.options.deep && tile.marks.good_where(wanted) {
            return Ok(());
        }
        if self.options.deep || self.options.check_spare {
            for run in runs(tile, wanted) {
                let spare = run.good.len() > self.code.data_units();
                if spare && (self.options.deep || !run.need.is_empty()) {
                    self.check_good(tile, &run)?;
                }
            }
        }
        for run in runs(tile, wanted) {
            if !run.need.is_empty() {
                self.heal_run(tile, &run)?;
            }
        }
        Ok(())
    }

    /// Checks that the good units of a run agree; refutes those that are wrong where that can be
    /// told and was asked for, and marks the column as contradicted elsewhere.
    fn check_good(&self, tile: &mut Tile<'_>, run: &Run) -> Result<()> {
        if self.consistent(tile, run.columns.clone(), &run.good)? {
            return Ok(());
        }
        for (columns, wrong) in self.locate(tile, run.columns.clone(), &run.good)? {
            match wrong {
                Some(wrong) if self.options.deep => {
                    for unit in wrong.iter() {
                        tile.marks.found_mut(unit)[columns.clone()].fill(Found::Refuted);
                    }
                }
                _ => tile.marks.contradict(columns),
            }
        }
        Ok(())
    }

    fn heal_run(&mut self, tile: &mut Tile<'_>, run: &Run) -> Result<()> {
        if run.contradicted {
            self.give_up(tile, run.columns.clone(), run, Fate::Contradicted);
            return Ok(());
        }
        if run.good.len() >= self.code.data_units() {
            let sources = Sources { units: run.good, trust: Trust::Proven };
            return self.rebuild(tile, run.columns.clone(), &run.need, &sources);
        }
        let plausible = run.good.union(&run.plausible);
        let all = plausible.union(&run.blind);
        if all.len() < self.code.data_units() {
            self.give_up(tile, run.columns.clone(), run, Fate::Lost);
            return Ok(());
        }
        // With one unit more than needed parity proves what no sum does: one wrong unit always
        // shows, several nearly always.
        if all.len() > self.code.data_units() {
            let agree = Sources { units: all, trust: self.trust_in_parity() };
            if self.consistent(tile, run.columns.clone(), &all)? {
                return self.rebuild(tile, run.columns.clone(), &run.need, &agree);
            }
            let mut next = run.columns.start;
            for (columns, wrong) in self.locate(tile, run.columns.clone(), &all)? {
                self.rebuild(tile, next..columns.start, &run.need, &agree)?;
                next = columns.end;
                // Sums that nothing speaks against outweigh what parity says about them.
                let wrong = wrong.filter(|wrong| wrong.minus(&run.good) == *wrong);
                match wrong {
                    Some(wrong) if all.minus(&wrong).len() >= self.code.data_units() => {
                        // True if no more are wrong than can be told, which nobody knows here:
                        // two blocks that changed places may look like a third one being wrong.
                        let units = all.minus(&wrong);
                        let sources = Sources { units, trust: Trust::Plausible };
                        self.rebuild(tile, columns, &run.need, &sources)?;
                    }
                    _ => self.rebuild_unproven(tile, columns, run, &plausible)?,
                }
            }
            return self.rebuild(tile, next..run.columns.end, &run.need, &agree);
        }
        let trust = if all == plausible { Trust::Plausible } else { Trust::Blind };
        self.rebuild(tile, run.columns.clone(), &run.need, &Sources { units: all, trust })
    }

    /// What it means that all units agree. Two units that changed places show in any parity but
    /// a plain sum.
    fn trust_in_parity(&self) -> Trust {
        match self.code.matrix_kind() {
            MatrixKind::Xor => Trust::Plausible,
            _ => Trust::Proven,
        }
    }

    /// For columns where all units together disagree: those with sums, if they are enough.
    fn rebuild_unproven(
        &mut self,
        tile: &mut Tile<'_>,
        columns: Range<usize>,
        run: &Run,
        plausible: &UnitSet,
    ) -> Result<()> {
        let k = self.code.data_units();
        let agree = plausible.len() > k && self.consistent(tile, columns.clone(), plausible)?;
        if plausible.len() == k || agree {
            let trust = if agree { self.trust_in_parity() } else { Trust::Plausible };
            return self.rebuild(tile, columns, &run.need, &Sources { units: *plausible, trust });
        }
        self.give_up(tile, columns, run, Fate::Contradicted);
        Ok(())
    }

    /// Marks what cannot be rebuilt. A chunk that is there without proof is not lost by that,
    /// and where units disagree the digest in the manifest will tell whether it is right.
    fn give_up(&self, tile: &mut Tile<'_>, columns: Range<usize>, run: &Run, fate: Fate) {
        for unit in run.need.iter() {
            let told = fate == Fate::Lost || self.group.units()[unit].digest().is_some();
            let fate = match (run.plausible.contains(unit), run.blind.contains(unit)) {
                (true, _) if told => Fate::Kept(Trust::Plausible),
                (_, true) if told => Fate::Kept(Trust::Blind),
                _ => fate,
            };
            tile.marks.set_fate(unit, columns.clone(), fate);
        }
    }

    /// Puts right what is needed from the sources.
    fn rebuild(
        &mut self,
        tile: &mut Tile<'_>,
        columns: Range<usize>,
        need: &UnitSet,
        sources: &Sources,
    ) -> Result<()> {
        if columns.is_empty() {
            return Ok(());
        }
        let mut direct = Vec::new();
        let mut compared = Vec::new();
        for unit in need.iter() {
            if sources.units.contains(unit) {
                tile.marks.set_fate(unit, columns.clone(), Fate::Kept(sources.trust));
                continue;
            }
            tile.marks.set_fate(unit, columns.clone(), Fate::Rebuilt(sources.trust));
            let there = tile.marks.found(unit)[columns.clone()]
                .iter()
                .any(|&found| !matches!(found, Found::Absent | Found::Unread));
            if there && self.options.compare {
                compared.push(unit);
            } else if self.options.rebuild_absent {
                direct.push(unit);
            }
        }
        if direct.is_empty() && compared.is_empty() {
            return Ok(());
        }
        // Units that are known to be zero cost nothing to read.
        let mut available: Vec<usize> = sources.units.iter().collect();
        available.sort_by_key(|&unit| tile.marks.found(unit)[columns.start] != Found::Zero);
        let wanted: Vec<usize> = direct.iter().chain(&compared).copied().collect();
        let engine = |tile: &Tile<'_>, group: &Group| {
            Failure::engine(format!("rebuilding {} at byte {}", group.label(), tile.start))
        };
        let plan = match self.code.plan(&available, &wanted) {
            Ok(plan) => plan,
            // A code that is not MDS: these k units do not determine the others.
            Err(restripe::Error::NotRecoverable { .. }) => {
                for &unit in &wanted {
                    tile.marks.set_fate(unit, columns.clone(), Fate::Lost);
                }
                return Ok(());
            }
            Err(error) => return Err(engine(tile, self.group)(error)),
        };

        let span = tile.full_span(&columns);
        self.scratch.resize_with(self.scratch.len().max(compared.len()), Vec::new);
        let mut outputs: Vec<&mut [u8]> =
            direct.iter().map(|&unit| std::mem::take(&mut tile.bytes[unit])).collect();
        let applied = {
            let inputs: Vec<&[u8]> =
                plan.reads().iter().map(|read| tile.unit_bytes(read.unit, &columns)).collect();
            let mut targets: Vec<&mut [u8]> =
                outputs.iter_mut().map(|bytes| &mut bytes[span.clone()]).collect();
            for scratch in &mut self.scratch[..compared.len()] {
                scratch.resize(span.len().max(scratch.len()), 0);
                targets.push(&mut scratch[..span.len()]);
            }
            plan.apply(&inputs, &mut targets)
        };
        for (bytes, &unit) in outputs.drain(..).zip(&direct) {
            tile.bytes[unit] = bytes;
        }
        applied.map_err(engine(tile, self.group))?;
        for (index, &unit) in compared.iter().enumerate() {
            for column in columns.clone() {
                let span_of_chunk = tile.unit_span(unit, &(column..column + 1));
                let from = span_of_chunk.start - span.start;
                let right = &self.scratch[index][from..from + span_of_chunk.len()];
                let found = tile.marks.found(unit)[column];
                let bytes = &mut tile.bytes[unit][span_of_chunk];
                if !matches!(found, Found::Absent | Found::Unread) && *bytes == *right {
                    tile.marks.set_fate(unit, column..column + 1, Fate::Kept(sources.trust));
                } else {
                    bytes.copy_from_slice(right);
                }
            }
        }
        Ok(())
    }

    fn shards<'t>(
        &self,
        tile: &'t Tile<'_>,
        columns: &Range<usize>,
        units: &UnitSet,
    ) -> Vec<Option<&'t [u8]>> {
        let shard = |unit| units.contains(unit).then(|| tile.unit_bytes(unit, columns));
        (0..self.code.total_units()).map(shard).collect()
    }

    fn consistent(&self, tile: &Tile<'_>, columns: Range<usize>, units: &UnitSet) -> Result<bool> {
        let shards = self.shards(tile, &columns, units);
        let context = || format!("checking {} at byte {}", self.group.label(), tile.start);
        let verified = self.code.verify(&shards).map_err(|e| Failure::engine(context())(e))?;
        Ok(verified == Consistency::Consistent)
    }

    /// The columns in which units disagree, as runs, with the units that are wrong where that
    /// can be told.
    fn locate(
        &self,
        tile: &Tile<'_>,
        columns: Range<usize>,
        units: &UnitSet,
    ) -> Result<Vec<(Range<usize>, Option<UnitSet>)>> {
        let shards = self.shards(tile, &columns, units);
        let located = match self.code.locate(&shards, tile.chunk) {
            Ok(located) => located,
            // Only of MDS codes can be told who is wrong.
            Err(restripe::Error::NotMds { .. } | restripe::Error::MdsUnknown { .. }) => {
                return Ok(vec![(columns, None)]);
            }
            Err(error) => {
                let context = format!("checking {} at byte {}", self.group.label(), tile.start);
                return Err(Failure::engine(context)(error));
            }
        };
        let of_range = |range: &Range<usize>| {
            let chunk = tile.chunk;
            columns.start + range.start / chunk..columns.start + range.end.div_ceil(chunk)
        };
        Ok(located
            .into_iter()
            .map(|location| {
                let wrong = match location.verdict {
                    Verdict::Wrong { units, .. } => Some(units.into_iter().collect()),
                    _ => None,
                };
                (of_range(&location.range), wrong)
            })
            .collect())
    }
}

fn is_good(found: Found) -> bool {
    matches!(found, Found::Good | Found::Zero)
}

/// The parts of `within` that have not been read, as few as they are.
fn unread_spans(found: &[Found], within: Range<usize>) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for column in within {
        if found[column] == Found::Unread {
            match spans.last_mut() {
                Some(last) if last.end == column => last.end += 1,
                _ => spans.push(column..column + 1),
            }
        }
    }
    spans
}

/// Cuts a tile into runs of alike columns.
fn runs(tile: &Tile<'_>, wanted: &[Range<usize>]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut start = 0;
    while start < tile.columns() {
        let end = end_of_run(tile, wanted, start);
        let mut run = Run {
            columns: start..end,
            good: UnitSet::EMPTY,
            plausible: UnitSet::EMPTY,
            blind: UnitSet::EMPTY,
            need: UnitSet::EMPTY,
            contradicted: tile.marks.contradicted(start),
        };
        for (unit, wanted) in wanted.iter().enumerate() {
            let found = tile.marks.found(unit)[start];
            match found {
                Found::Good | Found::Zero => {
                    run.good.insert(unit);
                    continue;
                }
                Found::SelfConsistent => run.plausible.insert(unit),
                Found::NoSum => run.blind.insert(unit),
                Found::Unread | Found::Disputed | Found::Refuted | Found::Absent => {}
            }
            if wanted.contains(&start) {
                run.need.insert(unit);
            }
        }
        start = end;
        match runs.last_mut() {
            Some(last)
                if (last.good, last.plausible, last.blind, last.need, last.contradicted)
                    == (run.good, run.plausible, run.blind, run.need, run.contradicted) =>
            {
                last.columns.end = end;
            }
            _ => runs.push(run),
        }
    }
    runs
}

/// How far the marks of all units stay as they are at `start`.
fn end_of_run(tile: &Tile<'_>, wanted: &[Range<usize>], start: usize) -> usize {
    let mut end = tile.columns();
    for (unit, wanted) in wanted.iter().enumerate() {
        let found = &tile.marks.found(unit)[start..end];
        end = start + found.iter().position(|&other| other != found[0]).unwrap_or(found.len());
        for bound in [wanted.start, wanted.end] {
            if bound > start {
                end = end.min(bound);
            }
        }
    }
    let first = tile.marks.contradicted(start);
    (start..end).find(|&column| tile.marks.contradicted(column) != first).unwrap_or(end)
}
