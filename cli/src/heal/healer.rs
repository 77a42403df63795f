//! Decides and computes: from the chunks that are good to those that are not.

use std::ops::Range;

use restripe::{Consistency, ErasureCode as _, Verdict};

use crate::failure::{Failure, Result};
use crate::heal::group::Group;
use crate::heal::marks::{Fate, Found, Trust};
use crate::heal::reach::Reach;
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
    /// The code of the rows; what is called a unit here is a row.
    code: Reach,
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
        let code = Reach::new(group.row_code().clone());
        Self { group, code, options, scratch: Vec::new() }
    }

    /// Reads of a tile what is wanted, and of the other units as little as it takes to heal that.
    /// `wanted` has a range of columns for every unit.
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`] when the engine refuses to plan, which only a fault can bring about. What
    /// cannot be read is marked absent.
    pub fn read_enough(&mut self, tile: &mut Tile<'_>, wanted: &[Range<usize>]) -> Result<()> {
        tile.begin();
        for (unit, columns) in wanted.iter().enumerate() {
            self.group.read(tile, unit, columns.clone());
        }
        // What is read to heal something may itself be damaged: then something else is read.
        loop {
            let mut has_read = false;
            for gap in gaps(tile, wanted) {
                let Gap { columns, good, unread, bad } = gap;
                let sources = self.code.cheapest_sources(good, unread, bad);
                let sources = sources.map_err(Failure::engine(self.group.label()))?;
                for unit in sources.minus(&good).iter() {
                    self.group.read(tile, unit, columns.clone());
                    has_read = true;
                }
            }
            if !has_read {
                return Ok(());
            }
        }
    }

    /// Reads all of a tile.
    pub fn read_all(&self, tile: &mut Tile<'_>) {
        tile.begin();
        let columns = tile.columns();
        for unit in 0..self.code.code().total_units() {
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
                let spare = self.code.has_spare(&run.good);
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
        let columns = run.columns.clone();
        if run.contradicted {
            self.give_up(tile, columns, run, Fate::Contradicted);
            return Ok(());
        }
        let proven = self.code.determined(&run.need, &run.good);
        if !proven.is_empty() {
            let sources = Sources { units: run.good, trust: Trust::Proven };
            self.rebuild(tile, columns.clone(), &proven, &sources)?;
        }
        let run = Run { need: run.need.minus(&proven), ..run.clone() };
        if run.need.is_empty() {
            return Ok(());
        }
        let plausible = run.good.union(&run.plausible);
        let all = plausible.union(&run.blind);
        let trust = if all == plausible { Trust::Plausible } else { Trust::Blind };
        if !self.code.determines_everything(&all) {
            let beside = self.code.determined(&run.need, &all).minus(&all);
            let lost = Run { need: run.need.minus(&beside), ..run };
            self.give_up(tile, columns.clone(), &lost, Fate::Lost);
            if !beside.is_empty() {
                self.rebuild(tile, columns, &beside, &Sources { units: all, trust })?;
            }
            return Ok(());
        }
        let doubtful = all.minus(&run.good);
        if !self.code.checks(&doubtful, &all) {
            return self.rebuild(tile, columns, &run.need, &Sources { units: all, trust });
        }
        // With units to spare parity proves what no sum does: one wrong unit always shows, several
        // nearly always.
        let agree = Sources { units: all, trust: self.trust_in_parity(&doubtful, &all) };
        if self.consistent(tile, columns.clone(), &all)? {
            return self.rebuild(tile, columns, &run.need, &agree);
        }
        let mut next = columns.start;
        for (columns, wrong) in self.locate(tile, columns.clone(), &all)? {
            self.rebuild(tile, next..columns.start, &run.need, &agree)?;
            next = columns.end;
            // Sums that nothing speaks against outweigh what parity says about them.
            let wrong = wrong.filter(|wrong| wrong.minus(&run.good) == *wrong);
            match wrong {
                Some(wrong) if self.code.determines(&run.need, &all.minus(&wrong)) => {
                    // True if no more are wrong than can be told, which nobody knows here: two
                    // blocks that changed places may look like a third one being wrong.
                    let units = all.minus(&wrong);
                    let sources = Sources { units, trust: Trust::Plausible };
                    self.rebuild(tile, columns, &run.need, &sources)?;
                }
                _ => self.rebuild_unproven(tile, columns, &run, &plausible)?,
            }
        }
        self.rebuild(tile, next..columns.end, &run.need, &agree)
    }

    /// What it means for doubtful units that all agree.
    fn trust_in_parity(&mut self, doubtful: &UnitSet, all: &UnitSet) -> Trust {
        match self.code.tells_apart(doubtful, all) {
            true => Trust::Proven,
            false => Trust::Plausible,
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
        let spare = self.code.has_spare(plausible);
        if !self.code.determines(&run.need, plausible)
            || (spare && !self.consistent(tile, columns.clone(), plausible)?)
        {
            self.give_up(tile, columns, run, Fate::Contradicted);
            return Ok(());
        }
        let proven = spare && self.code.checks(&plausible.minus(&run.good), plausible);
        let trust = match proven {
            true => self.trust_in_parity(&plausible.minus(&run.good), plausible),
            false => Trust::Plausible,
        };
        self.rebuild(tile, columns, &run.need, &Sources { units: *plausible, trust })
    }

    /// Marks what cannot be rebuilt. A chunk that is there without proof is not lost by that,
    /// and where units disagree the digest in the manifest will tell whether it is right.
    fn give_up(&self, tile: &mut Tile<'_>, columns: Range<usize>, run: &Run, fate: Fate) {
        for unit in run.need.iter() {
            let digest = self.group.units()[tile.rows.unit(unit)].digest();
            let told = fate == Fate::Lost || digest.is_some();
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
        let plan = self.code.code().plan(&available, &wanted).map_err(engine(tile, self.group))?;

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
        (0..self.code.code().total_units()).map(shard).collect()
    }

    fn consistent(&self, tile: &Tile<'_>, columns: Range<usize>, units: &UnitSet) -> Result<bool> {
        let shards = self.shards(tile, &columns, units);
        let context = || format!("checking {} at byte {}", self.group.label(), tile.start);
        let verified =
            self.code.code().verify(&shards).map_err(|e| Failure::engine(context())(e))?;
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
        let context = || format!("checking {} at byte {}", self.group.label(), tile.start);
        let located = self.code.code().locate(&shards, tile.chunk);
        let located = located.map_err(|error| Failure::engine(context())(error))?;
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

/// Neighbouring columns in which something wanted is not good, and the same units are there.
struct Gap {
    columns: Range<usize>,
    good: UnitSet,
    unread: UnitSet,
    /// What is wanted and not good.
    bad: UnitSet,
}

/// The gaps of a tile where there is still something to read.
fn gaps(tile: &Tile<'_>, wanted: &[Range<usize>]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    if tile.marks.good_where(wanted) {
        return gaps;
    }
    for column in 0..tile.columns() {
        let (good, unread, bad) = (UnitSet::EMPTY, UnitSet::EMPTY, UnitSet::EMPTY);
        let mut gap = Gap { columns: column..column + 1, good, unread, bad };
        for (unit, wanted) in wanted.iter().enumerate() {
            match tile.marks.found(unit)[column] {
                Found::Good | Found::Zero => gap.good.insert(unit),
                Found::Unread if !wanted.contains(&column) => gap.unread.insert(unit),
                _ if wanted.contains(&column) => gap.bad.insert(unit),
                _ => {}
            }
        }
        if gap.bad.is_empty() || gap.unread.is_empty() {
            continue;
        }
        match gaps.last_mut() {
            Some(last)
                if last.columns.end == column
                    && (last.good, last.unread, last.bad) == (gap.good, gap.unread, gap.bad) =>
            {
                last.columns.end = column + 1;
            }
            _ => gaps.push(gap),
        }
    }
    gaps
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
