//! Rounds begun and ended; sources read, and given up.

use core::time::Duration;

use super::buffer::Buffer;
use super::source::{Reading, State};
use super::stage::{Ask, Round, Stage};
use super::{Action, ReadOutcome, Reason, Reconstruction, SourceRead};

/// Rounds that may be read or computed at a time: one of each.
pub(super) const MAX_ROUNDS: usize = 2;

impl<B: Buffer> Reconstruction<B> {
    /// Puts the next round at the end of the queue; false where there is none.
    pub(super) fn push_round(&mut self, chunk: usize, round_len: usize, now: Duration) -> bool {
        let Some(span) = self.next_span(chunk, round_len) else { return false };
        self.pass(&span);
        let mut round = Round::new(self.next_round, span, now);
        if let Some(spare) = self.spare.rounds.pop() {
            (round.assigned, round.slow, round.done) = (spare.assigned, spare.slow, spare.done);
        }
        self.next_round += 1;
        self.rounds.push_back(round);
        true
    }

    /// Begins to read the next round, where there is one and the one before has been read.
    pub(super) fn begin_round(&mut self, now: Duration) -> bool {
        let Some(agreed) = self.agreed else { return false };
        let is_ready =
            self.rounds.len() < MAX_ROUNDS && self.rounds.iter().all(|round| !round.is_reading());
        is_ready && self.push_round(agreed.division.chunk, agreed.round_len, now)
    }

    /// Ends rounds that no live target needs any more.
    pub(super) fn drop_needless_rounds(&mut self) -> bool {
        let mut has_changed = false;
        while let Some(round) = self.rounds.pop_back() {
            if !self.is_needless(&round) || round.stage == Stage::Computing {
                self.rounds.push_back(round);
                break;
            }
            self.retire(round);
            has_changed = true;
        }
        has_changed
    }

    /// Ends a round: its reads are cancelled, its buffers come home.
    pub(super) fn retire(&mut self, mut round: Round<B>) {
        self.cancel_reads(round.number);
        for read in round.done.drain(..) {
            self.bring_home(read.buffer);
        }
        round.assigned.clear();
        round.slow.clear();
        self.spare.rounds.push(round);
    }

    pub(super) fn cancel_reads(&mut self, round: u64) {
        for source in &mut self.sources {
            let Some(reading) = &mut source.reading else { continue };
            if reading.round == Some(round) {
                reading.round = None;
                source.read.cancelled += 1;
                self.actions.push_back(Action::Cancel { token: reading.token });
            }
        }
    }

    /// Opens the sources chosen, and reads those that are open.
    pub(super) fn ask_sources(&mut self, index: usize, now: Duration) -> bool {
        let mut has_changed = false;
        for place in 0..self.rounds.get(index).map_or(0, |round| round.assigned.len()) {
            let ask = self.rounds[index].assigned[place];
            let source = ask.source;
            match self.sources[source].state {
                State::Unopened => {
                    let token = self.token();
                    let deadline = now.saturating_add(self.config.open_timeout);
                    self.sources[source].state = State::Opening { token, deadline };
                    self.opens_out += 1;
                    self.actions.push_back(Action::Open { token, source });
                }
                State::Open { .. } => has_changed |= self.ask(index, ask, now),
                State::Opening { .. } | State::Failed => {}
            }
        }
        has_changed
    }

    /// Reads the round's range of one source, unless it is busy or there is no buffer yet.
    fn ask(&mut self, index: usize, ask: Ask, now: Duration) -> bool {
        let Some(agreed) = self.agreed else { return false };
        let Ask { source, row } = ask;
        if !self.sources[source].is_idle() {
            return false;
        }
        let Some(buffer) = self.pool.pop() else { return false };
        let token = self.token();
        let (round, unit) = (&self.rounds[index], self.sources[source].unit);
        // Whole chunks: the last one of a round may be cut by a short target, not by the source.
        let whole = round.span.len.next_multiple_of(agreed.division.chunk);
        let offset = self.rows.offset(row, round.span.offset);
        let rest = self.layout.unit_len(unit).saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(whole);
        let sums = if self.config.verify_sources { agreed.division.sums_of(0..len) } else { 0..0 };
        self.sources[source].reading = Some(Reading {
            token,
            started: now,
            deadline: now.saturating_add(self.config.read_timeout),
            round: Some(round.number),
        });
        let read = SourceRead { token, source, unit, row, offset, len, sums, buffer };
        self.actions.push_back(Action::Read(read));
        true
    }

    /// Ends the reading of a round once enough has come: the first to complete win.
    pub(super) fn win(&mut self, index: usize) -> bool {
        let is_reading = self.rounds.get(index).is_some_and(Round::is_reading);
        if !is_reading || self.agreed.is_none() {
            return false;
        }
        let mut units = core::mem::take(&mut self.spare.units);
        self.list_units_of(index, &mut units);
        let round = &self.rounds[index];
        let is_awaited =
            self.config.read_all && round.assigned.iter().any(|ask| !round.has_done(ask.row));
        let has_won = !is_awaited && self.is_enough(&units, &round.span, self.extra(round));
        self.spare.units = units;
        if !has_won {
            return false;
        }
        let round = &mut self.rounds[index];
        round.stage = Stage::Won;
        round.assigned.clear();
        round.slow.clear();
        self.remembered.clear();
        self.remembered.extend(round.done.iter().map(|read| read.source));
        self.remembered.dedup();
        let number = round.number;
        self.cancel_reads(number);
        true
    }

    pub(super) fn read(&mut self, read: SourceRead<B>, outcome: ReadOutcome, now: Duration) {
        let index = read.source;
        let is_known = self
            .sources
            .get(index)
            .and_then(|source| source.reading.as_ref())
            .is_some_and(|reading| reading.token == read.token);
        if !is_known {
            // Not one of this reconstruction's.
            return;
        }
        let Some(reading) = self.sources[index].reading.take() else { return };
        for round in &mut self.rounds {
            round.stir(now);
        }
        let is_cancelled = reading.round.is_none();
        match outcome {
            ReadOutcome::Read(len) if len < read.len => {
                let expected = self.layout.unit_len(read.unit);
                let got = read.offset + len as u64;
                self.bring_home(read.buffer);
                self.ended_early(index, got, expected, now);
            }
            ReadOutcome::Read(_) => self.completed(read, &reading, now),
            ReadOutcome::Cancelled if is_cancelled => {
                self.bring_home(read.buffer);
            }
            ReadOutcome::Cancelled => {
                self.bring_home(read.buffer);
                self.fail_source(index, Reason::Read("cancelled unasked".into()), now);
            }
            ReadOutcome::Failed(message) => {
                self.bring_home(read.buffer);
                let range = read.offset..read.offset + read.len as u64;
                self.damaged(index, core::iter::once(range), Reason::Read(message), now);
            }
        }
    }

    /// Keeps what a read brought, where its round still waits for it.
    fn completed(&mut self, mut read: SourceRead<B>, reading: &Reading, now: Duration) {
        let source = &mut self.sources[read.source];
        let ask = Ask { source: read.source, row: read.row };
        let is_of =
            |round: &&mut Round<B>| Some(round.number) == reading.round && round.is_reading();
        let round = self.rounds.iter_mut().find(is_of);
        let round = round.filter(|_| !self.is_over && !source.is_failed());
        let Some(round) = round else {
            self.bring_home(read.buffer);
            return;
        };
        // The other source of a unit may have been faster.
        if !round.answered(ask) {
            self.bring_home(read.buffer);
            return;
        }
        let took = now.saturating_sub(reading.started);
        source.read.bytes += read.len as u64;
        source.read.reads += 1;
        self.totals.reading += took;
        self.threshold.completed(took);
        round.quiet_since = Some(now);
        if let Some(agreed) = self.agreed {
            read.cut(round.span.len, agreed.division);
        }
        round.done.push(read);
    }

    /// Gives a source up for good.
    pub(super) fn fail_source(&mut self, index: usize, reason: Reason, now: Duration) {
        let source = &mut self.sources[index];
        if source.is_failed() || self.is_over {
            return;
        }
        source.state = State::Failed;
        source.read.failure = Some(reason.clone());
        if let Some(reading) = &mut source.reading {
            reading.round = None;
        }
        self.failed_sources.push((index, reason));
        self.actions.push_back(Action::Close { source: index });
        for round in &mut self.rounds {
            round.unassign(index);
            round.stir(now);
        }
    }

    /// Gives up a source whose bytes are wrong, and all that was read of it.
    pub(super) fn distrust(&mut self, index: usize, reason: Reason, now: Duration) {
        self.fail_source(index, reason, now);
        self.give_back_all_of(index);
    }

    /// Gives back all that was read of a source.
    pub(super) fn give_back_all_of(&mut self, index: usize) {
        for place in 0..self.rounds.len() {
            let found = |read: &SourceRead<B>| read.source == index;
            while let Some(found) = self.rounds[place].done.iter().position(found) {
                let round = &mut self.rounds[place];
                let read = round.done.remove(found);
                if round.stage == Stage::Won {
                    round.stage = Stage::Reading;
                }
                self.bring_home(read.buffer);
            }
        }
    }
}
