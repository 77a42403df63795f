//! Sources that are damaged in some places: given up, or used everywhere else.

use core::ops::Range;
use core::time::Duration;

use super::buffer::Buffer;
use super::config::OnDamage;
use super::goal::{Goal, Span};
use super::stage::Stage;
use super::{Reason, Reconstruction};

impl<B: Buffer> Reconstruction<B> {
    /// Does without some ranges of a source from now on; or, where that is what the caller wants,
    /// without all of it.
    pub(super) fn damaged(
        &mut self,
        index: usize,
        ranges: impl IntoIterator<Item = Range<u64>>,
        reason: Reason,
        now: Duration,
    ) {
        let checksum = self.sources[index].checksum();
        let is_left_out = self.config.on_damage == OnDamage::LeaveOut;
        let Some(checksum) = checksum.filter(|_| is_left_out && !self.is_over) else {
            return self.fail_source(index, reason, now);
        };
        let source = &mut self.sources[index];
        let chunk = checksum.bytes_per_checksum() as u64;
        source.read.damage.get_or_insert(reason);
        source.damaged.extend(
            ranges
                .into_iter()
                .map(|range| range.start - range.start % chunk..range.end.next_multiple_of(chunk)),
        );
        self.cut_rounds(now);
    }

    /// Does without what is missing at the end of a source, or without all of it.
    pub(super) fn ended_early(&mut self, index: usize, got: u64, expected: u64, now: Duration) {
        self.damaged(index, core::iter::once(got..expected), Reason::Short { got, expected }, now);
    }

    /// Whether a row of a source is of no use for a round.
    pub(super) fn is_left_out(&self, source: usize, row: usize, span: &Span) -> bool {
        let start = self.rows.offset(row, span.offset);
        let end = start + span.len as u64;
        let mut damaged = self.sources[source].damaged.iter();
        damaged.any(|range| range.start < end && start < range.end)
    }

    /// The bytes of a round up to where what is left out of a source begins or ends: so every
    /// source is of use for all of a round, or for none of it.
    pub(super) fn len_before_change(&self, span: &Span) -> usize {
        if self.rows.subs > 1 && matches!(self.goal, Goal::Targets(_)) {
            // Targets get their bytes in order, so a part of a cell is not divided.
            return span.len;
        }
        let mut len = span.len;
        for source in self.sources.iter().filter(|source| !source.is_failed()) {
            for row in self.rows.of_unit(source.unit) {
                let start = self.rows.offset(row, span.offset);
                let bounds = source.damaged.iter().flat_map(|range| [range.start, range.end]);
                for bound in bounds.filter(|&bound| bound > start) {
                    len = len.min(usize::try_from(bound - start).unwrap_or(usize::MAX));
                }
            }
        }
        len
    }

    /// Ends rounds where what is left out of a source begins or ends, and gives back what was read
    /// of such places. What is behind the first round that becomes shorter is read anew.
    fn cut_rounds(&mut self, now: Duration) {
        let Some(division) = self.agreed.map(|agreed| agreed.division) else { return };
        for place in 0..self.rounds.len() {
            if self.rounds[place].stage == Stage::Computing {
                continue;
            }
            let len = self.len_before_change(&self.rounds[place].span);
            let is_cut = len < self.rounds[place].span.len;
            if is_cut {
                while self.rounds.len() > place + 1 {
                    let Some(round) = self.rounds.pop_back() else { break };
                    self.retire(round);
                }
                self.rounds[place].span.len = len;
                let span = self.rounds[place].span.clone();
                self.go_back_behind(&span);
            }
            let round = &mut self.rounds[place];
            round.done.iter_mut().for_each(|read| read.cut(len, division));
            self.give_back_left_out(place, now);
            if is_cut {
                return;
            }
        }
    }

    /// Gives back what a round has of places that are left out, and asks nobody for more of them.
    fn give_back_left_out(&mut self, place: usize, now: Duration) {
        let mut kept = 0;
        while let Some(read) = self.rounds[place].done.get(kept) {
            if !self.is_left_out(read.source, read.row, &self.rounds[place].span) {
                kept += 1;
                continue;
            }
            let read = self.rounds[place].done.remove(kept);
            self.bring_home(read.buffer);
        }
        let mut assigned = core::mem::take(&mut self.rounds[place].assigned);
        assigned.retain(|ask| !self.is_left_out(ask.source, ask.row, &self.rounds[place].span));
        let round = &mut self.rounds[place];
        round.assigned = assigned;
        round.stage = Stage::Reading;
        round.stir(now);
    }

    /// Forgets what is left out before some offset: rounds do not come back to it, or find it again.
    pub(super) fn forget_damage(&mut self, before: u64) {
        for source in &mut self.sources {
            source.damaged.retain(|range| range.end > before);
        }
    }
}
