//! The loop around the state machine: one reconstruction, from its first action to its last.

use std::panic::{self, AssertUnwindSafe};
use std::string::ToString as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::budget::Share;
use super::rebuilder::Shared;
use super::source::SourceLink;
use super::target::TargetLink;
use crate::net::Throttler;
use crate::round::{Action, Delivery, Event, Failure, Progress, Reconstruction, Token};

/// How often whoever waits for a reconstruction is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How long what was broken off may take to come home at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Where threads tell what happened, and where it is heard.
type Channel = (Sender<Event<Vec<u8>>>, Receiver<Event<Vec<u8>>>);

/// One reconstruction under way.
pub(super) struct Run<'a> {
    shared: &'a Shared,
    machine: Reconstruction<Vec<u8>>,
    begun: Instant,
    sources: Vec<Arc<SourceLink>>,
    targets: Vec<Arc<TargetLink>>,
    /// Which source each open or read is of, to be cancelled.
    opens: Vec<(Token, usize)>,
    reads: Vec<(Token, usize)>,
    sender: Sender<Event<Vec<u8>>>,
    events: Receiver<Event<Vec<u8>>>,
    /// Buffers lent to the machine.
    lent: usize,
    bytes: Option<Share<'a>>,
    urgency: usize,
    outcome: Option<Result<Progress, Failure>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        machine: Reconstruction<Vec<u8>>,
        sources: Vec<Arc<SourceLink>>,
        targets: Vec<Arc<TargetLink>>,
        (sender, events): Channel,
        urgency: usize,
    ) -> Self {
        Self {
            shared,
            machine,
            begun: Instant::now(),
            sources,
            targets,
            opens: Vec::new(),
            reads: Vec::new(),
            sender,
            events,
            lent: 0,
            bytes: None,
            urgency,
            outcome: None,
        }
    }

    pub(super) fn finish(
        mut self,
        watch: &mut dyn FnMut(&Progress) -> bool,
        deliver: &mut dyn FnMut(&Delivery<Vec<u8>>) -> bool,
    ) -> Result<Progress, Failure> {
        let mut told = Instant::now();
        loop {
            while let Some(action) = self.machine.poll() {
                let Action::Deliver(delivery) = action else {
                    self.carry_out(action);
                    continue;
                };
                if !deliver(&delivery) {
                    self.machine.handle(Event::Cancel, self.begun.elapsed());
                }
                self.machine.handle(Event::Delivered(delivery), self.begun.elapsed());
            }
            if let Some(outcome) = self.outcome.take() {
                self.bring_home();
                return outcome;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                if !watch(&self.machine.progress()) {
                    self.machine.handle(Event::Cancel, self.begun.elapsed());
                    continue;
                }
            }
            let due = self.machine.poll_timeout();
            let wait = due.map_or(TELL_EVERY, |due| due.saturating_sub(self.begun.elapsed()));
            match self.events.recv_timeout(wait.min(TELL_EVERY)) {
                Ok(event) => self.machine.handle(event, self.begun.elapsed()),
                // This run has a sender of its own, so the other error does not come.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            // Whatever has come by now is not late, however long this thread did not run.
            while let Ok(event) = self.events.try_recv() {
                self.machine.handle(event, self.begun.elapsed());
            }
            let now = self.begun.elapsed();
            if self.machine.poll_timeout().is_some_and(|due| due <= now) {
                self.machine.handle(Event::Timer, now);
            }
        }
    }

    /// Waits until all buffers are back, so that their bytes are really free. A read that does
    /// not end although it was broken off is left to its thread, and so is an open: they have
    /// timeouts, and then nobody to tell.
    fn bring_home(&mut self) {
        let end = Instant::now() + GRACE;
        self.lent -= self.machine.take_buffers().len();
        while self.lent > 0 {
            let Ok(event) = self.events.recv_timeout(end.saturating_duration_since(Instant::now()))
            else {
                return;
            };
            self.machine.handle(event, self.begun.elapsed());
            self.lent -= self.machine.take_buffers().len();
        }
    }

    fn carry_out(&mut self, action: Action<Vec<u8>>) {
        match action {
            Action::Open { token, source } => {
                self.opens.push((token, source));
                let (link, sender) = (Arc::clone(&self.sources[source]), self.sender.clone());
                self.shared.io.run(move || {
                    let event = match link.open() {
                        Ok((checksum, len)) => Event::Opened { token, checksum, len },
                        Err(message) => Event::OpenFailed { token, message },
                    };
                    let _ = sender.send(event);
                });
            }
            Action::Lend { buffers, len } => {
                let bytes = buffers as u64 * len as u64;
                self.bytes = Some(self.shared.bytes.take(bytes, self.urgency));
                self.lent = buffers;
                for _ in 0..buffers {
                    self.machine.handle(Event::Lent(std::vec![0; len]), self.begun.elapsed());
                }
            }
            Action::Read(mut read) => {
                let source = read.source();
                self.reads.retain(|(_, other)| *other != source);
                self.reads.push((read.token(), source));
                let (link, sender) = (Arc::clone(&self.sources[source]), self.sender.clone());
                let limit = limit(&self.shared.read_limit);
                link.arm();
                self.shared.io.run(move || {
                    if let Some(limit) = limit {
                        limit.pay(read.data_len() as u64);
                    }
                    let outcome = link.read(&mut read);
                    let _ = sender.send(Event::Read { read, outcome });
                });
            }
            Action::Cancel { token } => {
                let cancelled =
                    self.opens.iter().chain(&self.reads).find(|(other, _)| *other == token);
                if let Some(&(_, source)) = cancelled {
                    self.sources[source].break_off();
                }
            }
            Action::Close { source } => self.sources[source].break_off(),
            Action::Compute(mut job) => {
                let sender = self.sender.clone();
                self.shared.computing.run(move || {
                    // Brought back although it was not run to its end, the job fails the
                    // reconstruction; lost, it would be waited for.
                    let _ = panic::catch_unwind(AssertUnwindSafe(|| job.run()));
                    let _ = sender.send(Event::Computed(job));
                });
            }
            Action::Send(packet) => {
                let Some(checksum) = self.machine.checksum() else {
                    let (target, message) = (packet.target(), "no checksum".to_string().into());
                    let _ = self.sender.send(Event::Sent(packet));
                    let _ = self.sender.send(Event::TargetFailed { target, message });
                    return;
                };
                let limit = limit(&self.shared.write_limit);
                let target = &self.targets[packet.target()];
                target.push(packet, checksum, &self.shared.io, limit.as_ref());
            }
            Action::DropTarget { target } => self.targets[target].break_off(),
            Action::Done(outcome) => self.outcome = Some(outcome),
            // Delivered by the loop, which has somebody to give it to.
            Action::Deliver(_) | Action::FinishTarget { .. } => {}
        }
    }
}

fn limit(limit: &Mutex<Option<Arc<Throttler>>>) -> Option<Arc<Throttler>> {
    limit.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
