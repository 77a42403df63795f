//! Sources: opened, agreed on, chosen for rounds, read, hedged, given up.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::buffer::{Buffer, Division};
use super::machine::Agreed;
use super::source::{self, Reading, State};
use super::stage::{Round, Stage};
use super::{Action, Cause, ReadOutcome, Reason, Reconstruction, SourceRead, Token};
use crate::MAX_UNITS;
use crate::checksum::ChunkedChecksum;
use crate::hdfs::PacketWriter;

/// Rounds that may be read or computed at a time: one of each.
const MAX_ROUNDS: usize = 2;

/// A unit that a round could have, and the source to be asked for it; none where it is known to
/// be zero, was read already, or somebody is at it.
pub(super) type Candidate = (usize, Option<usize>);

impl<B: Buffer> Reconstruction<B> {
    /// The longest live target's length.
    pub(super) fn end_of_targets(&self) -> u64 {
        let live = self.targets.iter().filter(|target| target.is_live());
        live.map(|target| target.len).max().unwrap_or(0)
    }

    pub(super) fn push_round(&mut self, len: usize, now: Duration) {
        let mut round = Round::new(self.next_round, self.next_offset, len, now);
        if let Some(spare) = self.spare.rounds.pop() {
            (round.assigned, round.slow, round.done) = (spare.assigned, spare.slow, spare.done);
        }
        self.next_round += 1;
        self.next_offset += len as u64;
        self.rounds.push_back(round);
    }

    /// Begins to read the next round, where there is one and the one before has been read.
    pub(super) fn begin_round(&mut self, now: Duration) -> bool {
        let Some(agreed) = self.agreed else { return false };
        let end = self.end_of_targets();
        let is_ready = self.rounds.len() < MAX_ROUNDS
            && self.rounds.iter().all(|round| !round.is_reading())
            && self.next_offset < end;
        if is_ready {
            let rest = usize::try_from(end - self.next_offset).unwrap_or(usize::MAX);
            self.push_round(rest.min(agreed.round_len), now);
        }
        is_ready
    }

    /// Ends rounds that no live target needs any more.
    pub(super) fn drop_needless_rounds(&mut self) -> bool {
        let end = self.end_of_targets();
        let is_needless = |round: &Round<B>| round.offset >= end && round.stage != Stage::Computing;
        let mut has_changed = false;
        while self.rounds.back().is_some_and(is_needless) {
            let Some(round) = self.rounds.pop_back() else { break };
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

    fn cancel_reads(&mut self, round: u64) {
        for source in &mut self.sources {
            let Some(reading) = &mut source.reading else { continue };
            if reading.round == Some(round) {
                reading.round = None;
                source.read.cancelled += 1;
                self.actions.push_back(Action::Cancel { token: reading.token });
            }
        }
    }

    /// Settles what most sources have for checksums, once enough are open, and what follows from
    /// it.
    pub(super) fn agree(&mut self, now: Duration) -> bool {
        if self.agreed.is_some() || self.rounds.is_empty() {
            return false;
        }
        let mut units = core::mem::take(&mut self.spare.units);
        units.clear();
        units.extend((0..self.code.data_units()).filter(|&unit| self.layout.known_zero(unit, 0)));
        for source in &self.sources {
            if source.checksum().is_some() && !units.contains(&source.unit) {
                units.push(source.unit);
            }
        }
        let is_enough = self.count_needed(&units, 0, self.config.extra_sources).is_some();
        self.spare.units = units;
        let Some(checksum) = source::most_common(&self.sources).filter(|_| is_enough) else {
            return false;
        };
        let agreed = match self.agreement(checksum) {
            Ok(agreed) => agreed,
            Err(cause) => {
                self.fail(cause);
                return false;
            }
        };
        self.agreed = Some(agreed);
        self.framing.division = agreed.division;
        let chunks = PacketWriter::chunks_to_write(checksum, self.config.packet_len);
        self.framing.max_data = chunks * agreed.division.chunk;
        let end = self.end_of_targets();
        if let Some(round) = self.rounds.front_mut() {
            round.len = agreed.round_len.min(usize::try_from(end).unwrap_or(usize::MAX));
            self.next_offset = round.len as u64;
        }
        self.actions.push_back(Action::Lend { buffers: agreed.buffers, len: agreed.buffer_len });
        for source in 0..self.sources.len() {
            self.refuse_other_checksums(source, now);
        }
        true
    }

    fn agreement(&self, checksum: ChunkedChecksum) -> Result<Agreed, Cause> {
        let (chunk, sum_size) = (checksum.bytes_per_checksum(), checksum.kind().size());
        PacketWriter::without_data(
            checksum,
            PacketWriter::chunks_to_write(checksum, self.config.packet_len),
        )
        .map_err(|source| Cause::Computing { offset: 0, source })?;
        // A source fills at most one buffer for each round, and there are two; a cancelled read
        // holds the source, and so its buffer is one of those. So rounds never lack buffers,
        // however long reads stay out.
        let buffers =
            MAX_ROUNDS * self.sources.len() + super::target::MAX_HELD * self.targets.len();
        let allowed = self.config.max_memory;
        let fitting = allowed / buffers.max(1) / (chunk + sum_size);
        if fitting == 0 {
            let needed = (chunk + sum_size).saturating_mul(buffers);
            return Err(Cause::Memory { needed, allowed });
        }
        let longest = self.end_of_targets().div_ceil(chunk as u64);
        let chunks = (self.config.buffer_len / chunk)
            .min(fitting)
            .min(usize::try_from(longest).unwrap_or(usize::MAX))
            .max(1);
        let round_len = chunks * chunk;
        Ok(Agreed {
            checksum,
            round_len,
            division: Division { sums_at: round_len, sum_size, chunk },
            buffers,
            buffer_len: round_len + chunks * sum_size,
        })
    }

    fn refuse_other_checksums(&mut self, source: usize, now: Duration) {
        let Some(expected) = self.agreed.map(|agreed| agreed.checksum) else { return };
        if let Some(got) = self.sources[source].checksum().filter(|&got| got != expected) {
            self.fail_source(source, Reason::OtherChecksums { got, expected }, now);
        }
    }

    /// The units of live targets that have bytes from `offset` on.
    pub(super) fn wanted(&self, offset: u64) -> Vec<usize> {
        let needing = self.targets.iter().filter(|target| target.needs(offset));
        needing.map(|target| target.unit).collect()
    }

    /// Which of the units, in order of preference, are to be read, by their places; `None` where
    /// all together do not give back what is wanted. Of an MDS code it is the first ones, of
    /// others what the plan says.
    fn needed(&self, units: &[usize], offset: u64, extra: usize) -> Option<Vec<usize>> {
        if self.code.mds().is_known() {
            return self.count_needed(units, offset, extra).map(|count| (0..count).collect());
        }
        let plan = self.code.plan(units, &self.wanted(offset)).ok()?;
        let place = |unit| units.iter().position(|&other| other == unit);
        plan.reads().iter().map(|read| place(read.unit)).collect()
    }

    /// As `needed`, but how many.
    fn count_needed(&self, units: &[usize], offset: u64, extra: usize) -> Option<usize> {
        if self.code.mds().is_known() {
            let count = self.code.data_units() + extra;
            return (units.len() >= count).then_some(count);
        }
        let plan = self.code.plan(units, &self.wanted(offset)).ok()?;
        Some(plan.reads().len())
    }

    fn extra(&self, round: &Round<B>) -> usize {
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
                let (offset, len) = (round.offset, round.len);
                let required = self.layout.required_units(offset) + self.extra(round);
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
        self.list_candidates(index, &mut candidates);
        units.clear();
        units.extend(candidates.iter().map(|(unit, _)| unit));
        let round = &self.rounds[index];
        let needed = self.needed(&units, round.offset, self.extra(round));
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
    /// not opened yet, then the rest; in the end slow ones and those busy with something else.
    fn list_candidates(&self, index: usize, candidates: &mut Vec<Candidate>) {
        let round = &self.rounds[index];
        candidates.clear();
        let mut is_listed = [false; MAX_UNITS];
        let mut list = |unit: usize, source| {
            if !core::mem::replace(&mut is_listed[unit], true) {
                candidates.push((unit, source));
            }
        };
        candidates_of(
            &mut list,
            (0..self.code.data_units()).filter(|&unit| self.layout.known_zero(unit, round.offset)),
        );
        candidates_of(&mut list, round.done.iter().map(|read| read.unit));
        let unit_of = |&source: &usize| self.sources[source].unit;
        let brisk = round.assigned.iter().filter(|source| !round.slow.contains(source));
        candidates_of(&mut list, brisk.map(unit_of));
        let is_free =
            |&source: &usize| self.sources[source].is_idle() && !round.assigned.contains(&source);
        for &source in self.remembered.iter().filter(|source| is_free(source)) {
            list(self.sources[source].unit, Some(source));
        }
        for unopened in [true, false] {
            for source in (0..self.sources.len()).filter(is_free) {
                if self.sources[source].is_unopened() == unopened {
                    list(self.sources[source].unit, Some(source));
                }
            }
        }
        let is_alive = |source: &&usize| !self.sources[**source].is_failed();
        candidates_of(&mut list, round.slow.iter().filter(is_alive).map(unit_of));
        let busy = self.sources.iter().filter(|source| !source.is_failed());
        candidates_of(&mut list, busy.map(|source| source.unit));
    }

    /// Opens the sources chosen, and reads those that are open.
    pub(super) fn ask_sources(&mut self, index: usize, now: Duration) -> bool {
        let mut has_changed = false;
        for place in 0..self.rounds.get(index).map_or(0, |round| round.assigned.len()) {
            let source = self.rounds[index].assigned[place];
            match self.sources[source].state {
                State::Unopened => {
                    let token = self.token();
                    let deadline = now.saturating_add(self.config.open_timeout);
                    self.sources[source].state = State::Opening { token, deadline };
                    self.opens_out += 1;
                    self.actions.push_back(Action::Open { token, source });
                }
                State::Open { .. } => has_changed |= self.ask(index, source, now),
                State::Opening { .. } | State::Failed => {}
            }
        }
        has_changed
    }

    /// Reads the round's range of one source, unless it is busy or there is no buffer yet.
    fn ask(&mut self, index: usize, source: usize, now: Duration) -> bool {
        let Some(agreed) = self.agreed else { return false };
        if !self.sources[source].is_idle() {
            return false;
        }
        let Some(buffer) = self.pool.pop() else { return false };
        let token = self.token();
        let (round, unit) = (&self.rounds[index], self.sources[source].unit);
        // Whole chunks: the last one of a round may be cut by a short target, not by the source.
        let whole = round.len.next_multiple_of(agreed.division.chunk);
        let rest = self.layout.unit_len(unit).saturating_sub(round.offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(whole);
        let sums = if self.config.verify_sources { agreed.division.sums_of(0..len) } else { 0..0 };
        let offset = round.offset;
        self.sources[source].reading = Some(Reading {
            token,
            started: now,
            deadline: now.saturating_add(self.config.read_timeout),
            round: Some(round.number),
        });
        let read = SourceRead { token, source, unit, offset, len, sums, buffer };
        self.actions.push_back(Action::Read(read));
        true
    }

    /// Ends the reading of a round once enough has come: the first to complete win.
    pub(super) fn win(&mut self, index: usize) -> bool {
        let Some(round) = self.rounds.get(index).filter(|round| round.is_reading()) else {
            return false;
        };
        let extra = self.extra(round);
        let mut units = core::mem::take(&mut self.spare.units);
        self.list_units_of(index, &mut units);
        let offset = self.rounds[index].offset;
        let has_won = self.agreed.is_some() && self.count_needed(&units, offset, extra).is_some();
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
        let number = round.number;
        self.cancel_reads(number);
        true
    }

    /// Known zeros and what was read, in the order of the units, so that the same winners have
    /// the same plan whoever was faster.
    pub(super) fn list_units_of(&self, index: usize, units: &mut Vec<usize>) {
        let round = &self.rounds[index];
        let is_zero = |unit: usize| self.layout.known_zero(unit, round.offset);
        units.clear();
        units.extend(
            (0..self.code.total_units()).filter(|&unit| is_zero(unit) || round.has_done(unit)),
        );
    }

    /// The source that a token opens.
    pub(super) fn opening(&self, token: Token) -> Option<usize> {
        self.sources.iter().position(
            |source| matches!(source.state, State::Opening { token: other, .. } if other == token),
        )
    }

    pub(super) fn opened(
        &mut self,
        token: Token,
        checksum: ChunkedChecksum,
        len: Option<u64>,
        now: Duration,
    ) {
        self.opens_out = self.opens_out.saturating_sub(1);
        if self.is_over {
            return;
        }
        let Some(index) = self.opening(token) else { return };
        let source = &mut self.sources[index];
        source.state = State::Open { checksum };
        let expected = self.layout.unit_len(source.unit);
        if let Some(got) = len.filter(|&len| len < expected) {
            self.fail_source(index, Reason::Short { got, expected }, now);
            return;
        }
        self.refuse_other_checksums(index, now);
        for round in self.rounds.iter_mut().filter(|round| round.assigned.contains(&index)) {
            round.quiet_since = Some(now);
        }
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
                self.fail_source(index, Reason::Short { got, expected }, now);
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
                self.fail_source(index, Reason::Read(message), now);
            }
        }
    }

    /// Keeps what a read brought, where its round still waits for it.
    fn completed(&mut self, read: SourceRead<B>, reading: &Reading, now: Duration) {
        let source = &mut self.sources[read.source];
        let is_waited_for = |round: &&mut Round<B>| {
            Some(round.number) == reading.round && round.is_reading() && !round.has_done(read.unit)
        };
        let round = self.rounds.iter_mut().find(is_waited_for);
        let Some(round) = round.filter(|_| !self.is_over && !source.is_failed()) else {
            self.bring_home(read.buffer);
            return;
        };
        let took = now.saturating_sub(reading.started);
        source.read.bytes += read.len as u64;
        source.read.reads += 1;
        self.totals.reading += took;
        self.threshold.completed(took);
        round.unassign(read.source);
        round.quiet_since = Some(now);
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
        for place in 0..self.rounds.len() {
            let round = &mut self.rounds[place];
            let Some(found) = round.done.iter().position(|read| read.source == index) else {
                continue;
            };
            let read = round.done.remove(found);
            if round.stage == Stage::Won {
                round.stage = Stage::Reading;
            }
            self.bring_home(read.buffer);
        }
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

fn candidates_of(list: &mut impl FnMut(usize, Option<usize>), units: impl Iterator<Item = usize>) {
    units.for_each(|unit| list(unit, None));
}
