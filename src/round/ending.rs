//! How a reconstruction ends: rebuilt, failed or cancelled, with nothing left running.

use core::time::Duration;

use super::buffer::Buffer;
use super::goal::Goal;
use super::source::State;
use super::target::Target;
use super::{Action, Cause, Failure, Reconstruction};

impl<B: Buffer> Reconstruction<B> {
    /// Ends it where every target is rebuilt or given up.
    pub(super) fn end_if_complete(&mut self) {
        let is_read = self.rounds.is_empty() && self.next_span(1, 1).is_none();
        let is_complete = match self.goal {
            Goal::Targets(_) => !self.targets.iter().any(Target::is_live),
            Goal::Ranges(_) => is_read,
        };
        if self.is_over || !is_complete {
            return;
        }
        let any_rebuilt = self.targets.iter().any(|target| target.progress.is_rebuilt);
        if self.targets.is_empty() || any_rebuilt {
            self.wind_up();
            self.actions.push_back(Action::Done(Ok(self.progress())));
        } else {
            self.fail(Cause::NoTargets);
        }
    }

    pub(super) fn fail(&mut self, cause: Cause) {
        if self.is_over {
            return;
        }
        let damage = self.sources.iter().enumerate().filter(|(_, source)| !source.is_failed());
        let damage =
            damage.filter_map(|(place, source)| Some((place, source.read.damage.clone()?)));
        self.failed_sources.extend(damage);
        self.wind_up();
        let failure = Failure {
            cause,
            sources: core::mem::take(&mut self.failed_sources),
            targets: core::mem::take(&mut self.failed_targets),
        };
        self.actions.push_back(Action::Done(Err(failure)));
    }

    /// Ends everything that runs, and forgets what was asked for and not yet taken.
    fn wind_up(&mut self) {
        self.is_over = true;
        self.recall_actions();
        for index in 0..self.sources.len() {
            let source = &mut self.sources[index];
            if let State::Opening { token, .. } = source.state {
                self.actions.push_back(Action::Cancel { token });
            }
            if let Some(reading) = source.reading.as_mut().filter(|reading| reading.round.is_some())
            {
                reading.round = None;
                self.actions.push_back(Action::Cancel { token: reading.token });
            }
            let is_open = matches!(source.state, State::Opening { .. } | State::Open { .. });
            if is_open {
                self.actions.push_back(Action::Close { source: index });
            }
            if !source.is_failed() {
                source.state = State::Failed;
            }
        }
        for index in 0..self.targets.len() {
            if self.targets[index].is_live() {
                self.drop_target(index);
            }
        }
        while let Some(stage) = self.rounds.pop_front() {
            self.retire(stage);
        }
    }

    /// Takes back actions that were not polled yet and are to no purpose now. Bytes for a reader are
    /// good, whatever comes after them.
    fn recall_actions(&mut self) {
        for _ in 0..self.actions.len() {
            let Some(action) = self.actions.pop_front() else { break };
            match action {
                Action::Open { source, .. } => {
                    self.opens_out = self.opens_out.saturating_sub(1);
                    self.sources[source].state = State::Unopened;
                }
                Action::Read(read) => {
                    self.sources[read.source].reading = None;
                    self.bring_home(read.buffer);
                }
                // Nobody had it for any time.
                Action::Send(packet) => self.sent(packet, Duration::ZERO),
                Action::Compute(job) => {
                    let since = self.computing_since.unwrap_or_default();
                    self.computed(job, since);
                }
                Action::Lend { .. } => self.agreed = None,
                other => self.actions.push_back(other),
            }
        }
    }
}
