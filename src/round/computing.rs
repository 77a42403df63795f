//! Jobs: made of a round that has been read, and what follows from what they found.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::buffer::Buffer;
use super::goal::{Goal, MAX_DELIVERED, Span};
use super::job::{Corrupt, Found, Output};
use super::stage::Stage;
use super::target::MAX_HELD;
use super::{Action, Cause, Delivery, Job, Reason, Reconstruction, SourceRead};
use crate::Result;
use crate::codec::CheckedPlan;

impl<B: Buffer> Reconstruction<B> {
    /// Gives out the job of the oldest round, where it has been read and there are buffers free
    /// for what comes of it.
    pub(super) fn begin_job(&mut self, now: Duration) -> bool {
        let Some(agreed) = self.agreed else { return false };
        let Some(round) = self.rounds.front().filter(|round| round.stage == Stage::Won) else {
            return false;
        };
        let (span, further) = (round.span.clone(), round.further);
        if !self.has_room_for(&span) {
            return false;
        }
        let plan = match self.plan_of_job(&span) {
            Ok(plan) => plan,
            Err(source) => {
                self.fail(Cause::Computing { offset: span.offset, source });
                return false;
            }
        };
        if self.pool.len() < plan.plan().outputs().len() {
            return false;
        }
        let outputs = self.outputs(&plan, &span);
        let compare = self.config.extra_sources + further > 0 || self.is_surplus_read(&plan);
        let is_zero = |&row: &usize| compare && self.is_zero(row, &span);
        let zeros = (0..self.code.data_units()).filter(is_zero).collect();
        let Some(round) = self.rounds.front_mut() else { return false };
        round.stage = Stage::Computing;
        let spare = core::mem::take(&mut self.spare.inputs);
        let job = Job {
            code: Arc::clone(&self.code),
            rows: self.rows,
            plan,
            checksum: agreed.checksum,
            division: agreed.division,
            verify_sources: self.config.verify_sources,
            compare,
            zeros,
            span,
            inputs: core::mem::replace(&mut round.done, spare),
            outputs,
            found: Found::Nothing,
        };
        self.computing_since = Some(now);
        self.actions.push_back(Action::Compute(job));
        true
    }

    /// Whether the oldest round, of which something is computed, has more than that takes because
    /// all is read.
    fn is_surplus_read(&self, plan: &CheckedPlan) -> bool {
        let Some(round) = self.rounds.front().filter(|_| self.config.read_all) else {
            return false;
        };
        let is_used =
            |read: &SourceRead<B>| plan.plan().reads().iter().any(|used| used.unit == read.row);
        !plan.plan().outputs().is_empty() && !round.done.iter().all(is_used)
    }

    /// Whether what comes of a round has somewhere to go.
    fn has_room_for(&self, span: &Span) -> bool {
        match &self.goal {
            Goal::Targets(_) => {
                let mut needing =
                    self.targets.iter().filter(|target| target.needs(span.offset)).peekable();
                let most = (MAX_HELD - 1) * self.rows.subs;
                needing.peek().is_some() && needing.all(|target| target.held <= most)
            }
            Goal::Ranges(ranges) => {
                ranges.held + span.rows.len() <= MAX_DELIVERED * ranges.widest()
            }
        }
    }

    /// Buffers for what a plan computes.
    fn outputs(&mut self, plan: &CheckedPlan, span: &Span) -> Vec<Output<B>> {
        let mut outputs = core::mem::take(&mut self.spare.outputs);
        // All are computed to one length, for the check; the longest target may end before the
        // round does.
        let rest =
            |end: u64| usize::try_from(end - span.offset).unwrap_or(usize::MAX).min(span.len);
        let needing = self.targets.iter().filter(|target| target.needs(span.offset));
        let longest = needing.map(|target| rest(target.len)).max();
        let len = longest.unwrap_or(span.len);
        for (index, target) in self.targets.iter_mut().enumerate() {
            for row in self.rows.of_unit(target.unit) {
                let offset = self.rows.offset(row, span.offset);
                if !target.needs(offset) {
                    continue;
                }
                let Some(buffer) = self.pool.pop() else { break };
                target.held += 1;
                let wanted = rest(target.len - (offset - span.offset));
                outputs.push(Output { target: index, len, wanted, buffer });
            }
        }
        if !span.rows.is_empty() {
            for &row in plan.plan().outputs() {
                let Some(buffer) = self.pool.pop() else { break };
                outputs.push(Output { target: row, len, wanted: 0, buffer });
            }
        }
        outputs
    }

    /// The plan from what the oldest round has to what is wanted beside that; the last one again,
    /// where that is the same.
    fn plan_of_job(&mut self, span: &Span) -> Result<Arc<CheckedPlan>> {
        let mut units = core::mem::take(&mut self.spare.units);
        self.list_units_of(0, &mut units);
        let mut wanted = self.wanted(span);
        wanted.retain(|unit| !units.contains(unit));
        let plan = self.code.plan(&units, &wanted);
        self.spare.units = units;
        let plan = plan?;
        if let Some(last) = self.plan.as_ref().filter(|last| *last.plan() == plan) {
            return Ok(Arc::clone(last));
        }
        let seed = self.config.check_computing.then_some(self.config.seed);
        let checked = Arc::new(CheckedPlan::new(&*self.code, plan, seed)?);
        self.plan = Some(Arc::clone(&checked));
        Ok(checked)
    }

    pub(super) fn computed(&mut self, mut job: Job<B>, now: Duration) {
        let Some(since) = self.computing_since.take() else { return };
        self.totals.computing += now.saturating_sub(since);
        let found = core::mem::replace(&mut job.found, Found::Nothing);
        let is_rebuilt = matches!(found, Found::Rebuilt) && !self.is_over;
        if is_rebuilt && !job.span.rows.is_empty() {
            self.deliver(&mut job);
        }
        let mut outputs = core::mem::take(&mut job.outputs);
        for output in outputs.drain(..) {
            let target = self.targets.get_mut(output.target);
            match target.filter(|target| is_rebuilt && target.is_live()) {
                Some(target) => target.queue(output.buffer, output.wanted),
                None => self.release(output.target, output.buffer),
            }
        }
        self.spare.outputs = outputs;
        if is_rebuilt || self.is_over {
            self.bring_inputs_home(job.inputs);
            self.totals.rounds += u64::from(is_rebuilt);
            self.forget_damage(job.span.offset);
            if let Some(round) = self.rounds.pop_front() {
                self.retire(round);
            }
            return;
        }
        // The round is read on, with what it has.
        let Some(round) = self.rounds.front_mut() else { return };
        self.spare.inputs = core::mem::replace(&mut round.done, job.inputs);
        round.stage = Stage::Reading;
        round.stir(now);
        let offset = job.span.offset;
        match found {
            Found::Corrupt(corrupt) => self.corrupt(&corrupt, now),
            Found::Contradiction { units, holds_up_to } => {
                self.contradiction(&units, holds_up_to, job.span.len, now);
            }
            Found::Fault(source) => self.fail(Cause::Computing { offset, source }),
            Found::Rebuilt | Found::Nothing => {
                self.fail(Cause::Driver("gave a job back without running it"));
            }
        }
    }

    /// Hands out what was asked for, read or computed.
    fn deliver(&mut self, job: &mut Job<B>) {
        let Goal::Ranges(ranges) = &mut self.goal else { return };
        let span = &job.span;
        for &row in &*span.rows {
            let is_read = job.inputs.iter().position(|read| read.row == row);
            let is_rebuilt = job.outputs.iter().position(|output| output.target == row);
            let buffer = match (is_read, is_rebuilt) {
                (Some(place), _) => job.inputs.swap_remove(place).buffer,
                (None, Some(place)) => job.outputs.swap_remove(place).buffer,
                (None, None) => continue,
            };
            let unit = self.rows.unit(row);
            let rest =
                self.layout.unit_len(unit).saturating_sub(self.rows.offset(row, span.offset));
            // A unit may end within the round.
            let end = usize::try_from(rest).unwrap_or(usize::MAX).min(span.len);
            ranges.held += 1;
            let range = span.skip..end.max(span.skip);
            self.totals.delivered += range.len() as u64;
            self.actions.push_back(Action::Deliver(Delivery {
                unit,
                offset: self.rows.offset(row, span.start()),
                is_rebuilt: is_read.is_none(),
                buffer,
                range,
            }));
        }
    }

    pub(super) fn delivered(&mut self, delivery: Delivery<B>) {
        if let Goal::Ranges(ranges) = &mut self.goal {
            ranges.held = ranges.held.saturating_sub(1);
            self.bring_home(delivery.buffer);
        }
    }

    fn bring_inputs_home(&mut self, mut inputs: Vec<SourceRead<B>>) {
        for read in inputs.drain(..) {
            self.bring_home(read.buffer);
        }
        self.spare.inputs = inputs;
    }

    /// Does without the chunks that do not have their checksums, or their sources.
    fn corrupt(&mut self, corrupt: &[Corrupt], now: Duration) {
        for Corrupt { source, offset: first, error, damaged } in corrupt {
            let offset = match error {
                crate::Error::ChecksumMismatch { offset, .. } => *offset as u64,
                _ => 0,
            };
            let reason = Reason::Corrupt { offset: first + offset, source: error.clone() };
            self.damaged(*source, damaged.iter().cloned(), reason, now);
            if self.sources[*source].is_failed() {
                self.give_back_all_of(*source);
            }
        }
    }

    /// Gives up the sources that lie, where they are named for certain while no more lie than
    /// there are extra sources; otherwise more is read, until they are.
    fn contradiction(&mut self, units: &[usize], holds_up_to: usize, len: usize, now: Duration) {
        let Some(round) = self.rounds.front_mut() else { return };
        let offset = round.span.offset;
        if self.config.read_all {
            // There are no others to ask.
            return self.fail(Cause::Contradiction { offset, len });
        }
        // A source may have been read for several rows.
        let mut lying: Vec<usize> = round
            .done
            .iter()
            .filter(|read| units.contains(&read.unit))
            .map(|read| read.source)
            .collect();
        lying.sort_unstable();
        lying.dedup();
        let is_named = !lying.is_empty()
            && lying.len() == units.len()
            && holds_up_to >= self.config.extra_sources;
        if !is_named {
            round.further += 1;
            return;
        }
        round.further = 0;
        for source in lying {
            self.distrust(source, Reason::Lies { offset, len }, now);
        }
    }
}
