//! Which sources a round asks, and when it asks one more.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::buffer::Buffer;
use super::goal::Span;
use super::stage::{Ask, Round};
use super::{Cause, Reconstruction};
use crate::{MAX_UNITS, ReadCost};

/// A row (of most codes: a unit) that a round could have, and the source to be asked for it; none
/// where it is known to be zero, was read already, or somebody is at it.
pub(super) type Candidate = (usize, Option<usize>);

/// A search for the cheapest sources, kept because most rounds ask the same as the one before.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// What each row costs; `None` where it is not to be had.
    costs: Vec<Option<u64>>,
    missing: Vec<usize>,
    /// The rows that are read, where these give back what is missing.
    found: Option<Vec<usize>>,
}

impl<B: Buffer> Reconstruction<B> {
    /// Which of the candidates, in order of preference, are to be read, by their places; `None`
    /// where all together do not give back what is wanted.
    ///
    /// Where they are themselves all that is wanted, those; otherwise of an MDS code the first
    /// ones, of others those that cost least beside what the round has.
    fn needed(
        &self,
        candidates: &[Candidate],
        span: &Span,
        extra: usize,
        searched: &mut Search,
    ) -> Option<Vec<usize>> {
        let wanted = self.wanted(span);
        let place = |unit: &usize| candidates.iter().position(|(other, _)| other == unit);
        let direct: Vec<usize> = wanted.iter().filter_map(place).collect();
        if self.config.read_all {
            let rows: Vec<usize> = candidates.iter().map(|&(row, _)| row).collect();
            return self.determines(&rows, &wanted).then(|| (0..candidates.len()).collect());
        }
        if extra == 0 && direct.len() == wanted.len() {
            return Some(direct);
        }
        if self.counts_units(extra) {
            return self.first_units(candidates, self.layout.data_units() + extra);
        }
        let mut places = self.cheapest(candidates, &wanted, &direct, searched)?;
        places.extend(direct);
        places.sort_unstable();
        places.dedup();
        Some(places)
    }

    /// Whether sources are enough by their number. Of an MDS code with sub-shards all rows of a
    /// source are read only to compare it with others.
    fn counts_units(&self, extra: usize) -> bool {
        self.is_mds && (self.rows.subs == 1 || extra > 0)
    }

    /// The candidates that are all rows of the first so many units.
    fn first_units(&self, candidates: &[Candidate], count: usize) -> Option<Vec<usize>> {
        if self.rows.subs == 1 {
            return (candidates.len() >= count).then(|| (0..count).collect());
        }
        let mut units: Vec<usize> = Vec::new();
        for &(row, _) in candidates {
            let unit = self.rows.unit(row);
            let is_there = |row| candidates.iter().any(|&(other, _)| other == row);
            if units.len() < count
                && !units.contains(&unit)
                && self.rows.of_unit(unit).all(is_there)
            {
                units.push(unit);
            }
        }
        let is_of_these = |&place: &usize| units.contains(&self.rows.unit(candidates[place].0));
        (units.len() == count).then(|| (0..candidates.len()).filter(is_of_these).collect())
    }

    /// The candidates that give back the units wanted, and of which the fewest have to be asked
    /// beside `direct`, those that are wanted themselves.
    ///
    /// A source costs one more for every time that others were faster than it: so a slow one is
    /// done without once that is worth as many more reads.
    fn cheapest(
        &self,
        candidates: &[Candidate],
        wanted: &[usize],
        direct: &[usize],
        searched: &mut Search,
    ) -> Option<Vec<usize>> {
        let mut costs = vec![None; self.code.total_units()];
        let mut free = Vec::new();
        for (place, &(unit, source)) in candidates.iter().enumerate() {
            let source = source.filter(|_| !direct.contains(&place));
            costs[unit] = Some(source.map_or(0, |one| 1 + self.sources[one].read.cancelled));
            if source.is_none() {
                free.push(unit);
            }
        }
        if self.determines(&free, wanted) {
            // What is here or on its way is enough: no need to search.
            return Some(Vec::new());
        }
        let is_missing = |unit: &usize| costs[*unit].is_none();
        let missing: Vec<usize> = wanted.iter().copied().filter(is_missing).collect();
        if (&searched.costs, &searched.missing) != (&costs, &missing) {
            let units: Vec<usize> = candidates.iter().map(|&(unit, _)| unit).collect();
            let known: Vec<u64> = costs.iter().map(|cost| cost.unwrap_or(0)).collect();
            let plan = self.code.cheapest_plan(&units, &missing, ReadCost::Sources(&known)).ok();
            let found = plan.map(|plan| plan.reads().iter().map(|read| read.unit).collect());
            *searched = Search { costs, missing, found };
        }
        let place = |row: &usize| candidates.iter().position(|(unit, _)| unit == row);
        Some(searched.found.as_ref()?.iter().filter_map(place).collect())
    }

    /// Whether some units of a code of any kind give back all that is wanted.
    fn determines(&self, units: &[usize], wanted: &[usize]) -> bool {
        let determined = self.code.determined_by(units).unwrap_or_default();
        wanted.iter().all(|unit| determined.binary_search(unit).is_ok())
    }

    /// Whether these units give back what is wanted.
    pub(super) fn is_enough(&self, units: &[usize], span: &Span, extra: usize) -> bool {
        if !self.counts_units(extra) {
            return self.determines(units, &self.wanted(span));
        }
        let is_there = |row: usize| units.contains(&row);
        let is_whole = |unit: &usize| self.rows.of_unit(*unit).all(is_there);
        let count = if self.rows.subs == 1 {
            units.len()
        } else {
            (0..self.code.total_units() / self.rows.subs).filter(is_whole).count()
        };
        // The second is the usual case of a range that is read: the units are there themselves.
        count >= self.layout.data_units() + extra
            || (extra == 0 && !span.rows.is_empty() && span.rows.iter().copied().all(is_there))
    }

    pub(super) fn extra(&self, round: &Round<B>) -> usize {
        self.config.extra_sources + round.further
    }

    /// Chooses the sources of a round, at its beginning and when something has changed.
    pub(super) fn choose_sources(&mut self, index: usize, now: Duration) -> bool {
        let Some(round) = self.rounds.get_mut(index).filter(|round| round.is_reading()) else {
            return false;
        };
        if !core::mem::replace(&mut round.is_stale, false) {
            return false;
        }
        match self.choice(index) {
            Some(chosen) => {
                let has_changed = !chosen.is_empty();
                let round = &mut self.rounds[index];
                round.assigned.extend(chosen);
                round.quiet_since.get_or_insert(now);
                has_changed
            }
            None => {
                let round = &self.rounds[index];
                let (offset, len) = (round.span.offset, round.span.len);
                let required = self.layout.required_units(round.span.start()) + self.extra(round);
                let required = self.is_mds.then_some(required);
                self.fail(if round.further > 0 {
                    Cause::Contradiction { offset, len }
                } else {
                    Cause::TooFewSources { offset, required }
                });
                false
            }
        }
    }

    /// The sources to be asked beside those that are; `None` where nothing would give back what
    /// the round wants.
    fn choice(&mut self, index: usize) -> Option<Vec<Ask>> {
        let mut candidates = core::mem::take(&mut self.spare.candidates);
        let prompt = match self.list_candidates(index, &mut candidates) {
            // However slow they are.
            _ if self.config.read_all => candidates.len(),
            prompt => prompt,
        };
        let round = &self.rounds[index];
        let extra = self.extra(round);
        let mut searched = core::mem::take(&mut self.searched);
        let round = &self.rounds[index];
        let needed = self
            .needed(&candidates[..prompt], &round.span, extra, &mut searched)
            .or_else(|| self.needed(&candidates, &round.span, extra, &mut searched));
        self.searched = searched;
        let round = &self.rounds[index];
        let ask = |(row, source): Candidate| source.map(|source| Ask { source, row });
        let mut chosen: Option<Vec<Ask>> = needed
            .map(|places| places.iter().filter_map(|&place| ask(candidates[place])).collect());
        let asks_nobody = chosen.as_ref().is_some_and(Vec::is_empty) && round.assigned.is_empty();
        if asks_nobody && self.agreed.is_none() {
            // What is made of zeros alone needs no source, but somebody has to say which
            // checksums the group has.
            chosen = candidates.iter().find_map(|&candidate| ask(candidate)).map(|ask| vec![ask]);
        }
        self.spare.candidates = candidates;
        chosen
    }

    /// All units that the round can have, in order of preference: known zeros; what was read;
    /// what is being read; idle sources, of which those of the last round come first, then those
    /// not opened yet, then the rest; of each of these the units that are wanted themselves before
    /// others. In the end slow ones and those busy with something else: the answer is how many
    /// come before them.
    fn list_candidates(&self, index: usize, candidates: &mut Vec<Candidate>) -> usize {
        let round = &self.rounds[index];
        let is_zero = |&row: &usize| self.is_zero(row, &round.span);
        let mut list = List::new(candidates);
        list.add_all((0..self.code.data_units()).filter(is_zero));
        list.add_all(round.done.iter().map(|read| read.row));
        let rows_of = |&source: &usize| {
            let is_usable = move |row: &usize| !self.is_left_out(source, *row, &round.span);
            self.rows.of_unit(self.sources[source].unit).filter(is_usable)
        };
        let brisk = round.assigned.iter().filter(|ask| !round.slow.contains(&ask.source));
        list.add_all(brisk.map(|ask| ask.row));
        // One that is read for this round can be read for another of its rows after that.
        let is_free = |source: &usize| {
            let is_at_hand = self.sources[*source].is_idle() || round.asks(*source);
            is_at_hand && !round.slow.contains(source)
        };
        let is_wanted = |&source: &usize| {
            let unit = self.sources[source].unit;
            round.span.rows.iter().any(|&row| self.rows.unit(row) == unit)
        };
        for wanted in [true, false] {
            let mut choose = |source: usize| {
                if is_free(&source) && is_wanted(&source) == wanted {
                    rows_of(&source).for_each(|row| list.add(row, Some(source)));
                }
            };
            self.remembered.iter().for_each(|&source| choose(source));
            for unopened in [true, false] {
                (0..self.sources.len())
                    .filter(|&source| self.sources[source].is_unopened() == unopened)
                    .for_each(&mut choose);
            }
        }
        let prompt = list.candidates.len();
        let is_alive = |source: &&usize| !self.sources[**source].is_failed();
        list.add_all(round.slow.iter().filter(is_alive).flat_map(rows_of));
        let busy = (0..self.sources.len()).filter(|&source| !self.sources[source].is_failed());
        list.add_all(busy.flat_map(|source| rows_of(&source)));
        prompt
    }

    /// Known zeros and what was read, in the order of the units, so that the same winners have
    /// the same plan whoever was faster.
    pub(super) fn list_units_of(&self, index: usize, units: &mut Vec<usize>) {
        let round = &self.rounds[index];
        units.clear();
        units.extend(
            (0..self.code.total_units())
                .filter(|&unit| self.is_zero(unit, &round.span) || round.has_done(unit)),
        );
    }

    /// When a round gets one more source beside the slow ones.
    pub(super) fn hedge_at(&self, index: usize) -> Option<Duration> {
        let round = self.rounds.get(index)?;
        let is_possible = round.is_reading()
            && !round.assigned.is_empty()
            && round.hedges < self.config.max_hedges_per_round
            && self.totals.hedges < self.config.max_hedges;
        if !is_possible {
            return None;
        }
        Some(round.quiet_since?.saturating_add(self.threshold.get()?))
    }

    /// Asks one more source, beside the one that has been waited for longest.
    pub(super) fn hedge(&mut self, index: usize, now: Duration) {
        let round = &mut self.rounds[index];
        round.quiet_since = None;
        let mut asked = round.assigned.iter().map(|ask| ask.source);
        let Some(slow) = asked.find(|source| !round.slow.contains(source)) else { return };
        round.slow.push(slow);
        let chosen = self.choice(index).unwrap_or_default();
        let round = &mut self.rounds[index];
        if chosen.is_empty() {
            // Nobody to ask; until something changes there is no use in trying again.
            round.slow.pop();
            return;
        }
        round.assigned.extend(chosen);
        round.quiet_since = Some(now);
        round.hedges += 1;
        self.totals.hedges += 1;
    }
}

/// Candidates, each unit once.
struct List<'a> {
    candidates: &'a mut Vec<Candidate>,
    is_listed: [bool; MAX_UNITS],
}

impl<'a> List<'a> {
    fn new(candidates: &'a mut Vec<Candidate>) -> Self {
        candidates.clear();
        Self { candidates, is_listed: [false; MAX_UNITS] }
    }

    fn add(&mut self, unit: usize, source: Option<usize>) {
        if !core::mem::replace(&mut self.is_listed[unit], true) {
            self.candidates.push((unit, source));
        }
    }

    /// Adds units for which nobody has to be asked.
    fn add_all(&mut self, units: impl Iterator<Item = usize>) {
        units.for_each(|unit| self.add(unit, None));
    }
}
