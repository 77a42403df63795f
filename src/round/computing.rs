//! Jobs: made of a round that has been read, and what follows from what they found.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::buffer::Buffer;
use super::job::{Found, Output};
use super::stage::Stage;
use super::target::MAX_HELD;
use super::{Action, Cause, Job, Reason, Reconstruction, SourceRead};
use crate::Result;
use crate::codec::CheckedPlan;

impl<B: Buffer> Reconstruction<B> {
    /// Gives out the job of the oldest round, where it has been read and every live target has a
    /// buffer free for it.
    pub(super) fn begin_job(&mut self, now: Duration) -> bool {
        let Some(agreed) = self.agreed else { return false };
        let Some(round) = self.rounds.front().filter(|round| round.stage == Stage::Won) else {
            return false;
        };
        let (offset, len, further) = (round.offset, round.len, round.further);
        let needing = self.targets.iter().filter(|target| target.needs(offset));
        let (mut count, mut has_room) = (0, true);
        for target in needing {
            count += 1;
            has_room &= target.held < MAX_HELD;
        }
        if count == 0 || !has_room || self.pool.len() < count {
            return false;
        }
        let plan = match self.plan_of_job(offset) {
            Ok(plan) => plan,
            Err(source) => {
                self.fail(Cause::Computing { offset, source });
                return false;
            }
        };
        let mut outputs = core::mem::take(&mut self.spare.outputs);
        // The longest of the targets may end before the round does.
        let rest = |target: u64| usize::try_from(target - offset).unwrap_or(usize::MAX).min(len);
        let longest = self.targets.iter().filter(|target| target.needs(offset));
        let len = longest.map(|target| rest(target.len)).max().unwrap_or(0);
        for (index, target) in self.targets.iter_mut().enumerate() {
            if !target.needs(offset) {
                continue;
            }
            let Some(buffer) = self.pool.pop() else { break };
            target.held += 1;
            outputs.push(Output { target: index, len, wanted: rest(target.len), buffer });
        }
        let Some(round) = self.rounds.front_mut() else { return false };
        round.stage = Stage::Computing;
        let spare = core::mem::take(&mut self.spare.inputs);
        let job = Job {
            code: Arc::clone(&self.code),
            plan,
            checksum: agreed.checksum,
            division: agreed.division,
            verify_sources: self.config.verify_sources,
            compare: self.config.extra_sources + further > 0,
            offset,
            len,
            inputs: core::mem::replace(&mut round.done, spare),
            outputs,
            found: Found::Nothing,
        };
        self.computing_since = Some(now);
        self.actions.push_back(Action::Compute(job));
        true
    }

    /// The plan from what the oldest round has to what the targets need; the last one again,
    /// where that is the same.
    fn plan_of_job(&mut self, offset: u64) -> Result<Arc<CheckedPlan>> {
        let mut units = core::mem::take(&mut self.spare.units);
        self.list_units_of(0, &mut units);
        let plan = self.code.plan(&units, &self.wanted(offset));
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
        let offset = job.offset;
        match found {
            Found::Corrupt(corrupt) => self.corrupt(&corrupt, offset, now),
            Found::Contradiction { units, holds_up_to } => {
                self.contradiction(&units, holds_up_to, job.len, now);
            }
            Found::Fault(source) => self.fail(Cause::Computing { offset, source }),
            Found::Rebuilt | Found::Nothing => {
                self.fail(Cause::Driver("gave a job back without running it"));
            }
        }
    }

    fn bring_inputs_home(&mut self, mut inputs: Vec<SourceRead<B>>) {
        for read in inputs.drain(..) {
            self.bring_home(read.buffer);
        }
        self.spare.inputs = inputs;
    }

    /// Gives up the sources whose chunks do not have their checksums.
    fn corrupt(&mut self, corrupt: &[(usize, crate::Error)], round_offset: u64, now: Duration) {
        for (source, error) in corrupt {
            let offset = match error {
                crate::Error::ChecksumMismatch { offset, .. } => *offset as u64,
                _ => 0,
            };
            let reason = Reason::Corrupt { offset: round_offset + offset, source: error.clone() };
            self.distrust(*source, reason, now);
        }
    }

    /// Gives up the sources that lie, where they are named for certain while no more lie than
    /// there are extra sources; otherwise more is read, until they are.
    fn contradiction(&mut self, units: &[usize], holds_up_to: usize, len: usize, now: Duration) {
        let Some(round) = self.rounds.front_mut() else { return };
        let offset = round.offset;
        let lying: Vec<usize> = round
            .done
            .iter()
            .filter(|read| units.contains(&read.unit))
            .map(|read| read.source)
            .collect();
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
