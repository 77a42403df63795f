//! Which sources a round asks, and when it asks one more.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::buffer::Buffer;
use super::goal::Span;
use super::stage::Round;
use super::{Cause, Reconstruction};
use crate::MAX_UNITS;

/// A unit that a round could have, and the source to be asked for it; none where it is known to
/// be zero, was read already, or somebody is at it.
pub(super) type Candidate = (usize, Option<usize>);

impl<B: Buffer> Reconstruction<B> {
    /// Which of the units, in order of preference, are to be read, by their places; `None` where
    /// all together do not give back what is wanted.
    ///
    /// Where they are themselves all that is wanted, those; otherwise of an MDS code the first
    /// ones, of others what the plan says.
    fn needed(&self, units: &[usize], span: &Span, extra: usize) -> Option<Vec<usize>> {
        let wanted = self.wanted(span);
        let place = |unit: &usize| units.iter().position(|other| other == unit);
        let direct: Vec<usize> = wanted.iter().filter_map(place).collect();
        if extra == 0 && direct.len() == wanted.len() {
            return Some(direct);
        }
        if self.code.mds().is_known() {
            let count = self.code.data_units() + extra;
            return (units.len() >= count).then(|| (0..count).collect());
        }
        let missing: Vec<usize> =
            wanted.iter().copied().filter(|unit| !units.contains(unit)).collect();
        let plan = self.code.plan(units, &missing).ok()?;
        let mut places = direct;
        places.extend(plan.reads().iter().filter_map(|read| place(&read.unit)));
        Some(places)
    }

    /// Whether these units give back what is wanted.
    pub(super) fn is_enough(&self, units: &[usize], span: &Span, extra: usize) -> bool {
        if self.code.mds().is_known() && units.len() >= self.code.data_units() + extra {
            return true;
        }
        // The usual case, decided without looking further.
        let may_be_direct = !span.units.is_empty() && extra == 0;
        let is_open = may_be_direct || !self.code.mds().is_known();
        is_open && self.needed(units, span, extra).is_some()
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
    fn choice(&mut self, index: usize) -> Option<Vec<usize>> {
        let mut candidates = core::mem::take(&mut self.spare.candidates);
        let mut units = core::mem::take(&mut self.spare.units);
        let prompt = self.list_candidates(index, &mut candidates);
        units.clear();
        units.extend(candidates.iter().map(|(unit, _)| unit));
        let round = &self.rounds[index];
        let extra = self.extra(round);
        let needed = self
            .needed(&units[..prompt], &round.span, extra)
            .or_else(|| self.needed(&units, &round.span, extra));
        let mut chosen: Option<Vec<usize>> =
            needed.map(|places| places.iter().filter_map(|&place| candidates[place].1).collect());
        let asks_nobody = chosen.as_ref().is_some_and(Vec::is_empty) && round.assigned.is_empty();
        if asks_nobody && self.agreed.is_none() {
            // What is made of zeros alone needs no source, but somebody has to say which
            // checksums the group has.
            chosen = candidates.iter().find_map(|candidate| candidate.1).map(|source| vec![source]);
        }
        (self.spare.candidates, self.spare.units) = (candidates, units);
        chosen
    }

    /// All units that the round can have, in order of preference: known zeros; what was read;
    /// what is being read; idle sources, of which those of the last round come first, then those
    /// not opened yet, then the rest; of each of these the units that are wanted themselves before
    /// others. In the end slow ones and those busy with something else: the answer is how many
    /// come before them.
    fn list_candidates(&self, index: usize, candidates: &mut Vec<Candidate>) -> usize {
        let round = &self.rounds[index];
        let is_zero = |&unit: &usize| self.layout.known_zero(unit, round.span.start());
        let mut list = List::new(candidates);
        list.add_all((0..self.code.data_units()).filter(is_zero));
        list.add_all(round.done.iter().map(|read| read.unit));
        let unit_of = |&source: &usize| self.sources[source].unit;
        let brisk = round.assigned.iter().filter(|source| !round.slow.contains(source));
        list.add_all(brisk.map(unit_of));
        let is_free =
            |&source: &usize| self.sources[source].is_idle() && !round.assigned.contains(&source);
        let is_wanted = |&source: &usize| round.span.units.contains(&self.sources[source].unit);
        for wanted in [true, false] {
            let mut choose = |source: usize| {
                if is_free(&source) && is_wanted(&source) == wanted {
                    list.add(self.sources[source].unit, Some(source));
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
        list.add_all(round.slow.iter().filter(is_alive).map(unit_of));
        let busy = self.sources.iter().filter(|source| !source.is_failed());
        list.add_all(busy.map(|source| source.unit));
        prompt
    }

    /// Known zeros and what was read, in the order of the units, so that the same winners have
    /// the same plan whoever was faster.
    pub(super) fn list_units_of(&self, index: usize, units: &mut Vec<usize>) {
        let round = &self.rounds[index];
        let is_zero = |unit: usize| self.layout.known_zero(unit, round.span.start());
        units.clear();
        units.extend(
            (0..self.code.total_units()).filter(|&unit| is_zero(unit) || round.has_done(unit)),
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
        let Some(&slow) = round.assigned.iter().find(|source| !round.slow.contains(source)) else {
            return;
        };
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
