//! One reconstruction under way: the state machine, and whoever carries out its actions.
//!
//! The thread that carried out an action tells the machine what came of it, and goes on with what
//! follows from that for the same bytes: whoever read the last source of a round computes it, and
//! stores what comes of it, while the bytes are in the caches of its core. Everything else goes to
//! the queue that all threads take from. The thread that called waits for the time to pass, takes
//! what is delivered, and lends memory.

use std::panic::{self, AssertUnwindSafe};
use std::string::ToString as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::rebuilder::Shared;
use super::source::SourceLink;
use super::target::TargetLink;
use super::workers::Kind;
use crate::net::Throttler;
use crate::round::{
    Action, Cause, Delivery, Event, Failure, Job, OutgoingPacket, Progress, Reconstruction,
    SourceRead, Token,
};

/// How often whoever waits for a reconstruction is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How late a deadline may be noticed, and how long work may wait for threads that do not get on
/// before there are more of them.
const TICK: Duration = Duration::from_millis(5);

/// Bytes of a round, inputs and outputs together, from which on other cores are woken to compute
/// a part of it: fewer are computed while they are in the caches of the core that read them.
const SHARED_FROM: u64 = 4 << 20;

/// How long what was broken off may take to come home at the end.
const GRACE: Duration = Duration::from_secs(5);

/// One reconstruction, shared by the threads that work for it.
pub(super) struct Run {
    shared: Arc<Shared>,
    begun: Instant,
    sources: Vec<Arc<SourceLink>>,
    targets: Vec<Arc<TargetLink>>,
    machine: Mutex<Machine>,
    caller: Sender<ForCaller>,
}

struct Machine {
    rounds: Reconstruction<Vec<u8>>,
    /// Which source each open or read is of, to be cancelled.
    opens: Vec<(Token, usize)>,
    reads: Vec<(Token, usize)>,
    is_over: bool,
}

/// What only the thread that called can do.
enum ForCaller {
    Lend {
        buffers: usize,
        len: usize,
    },
    Deliver(Delivery<Vec<u8>>),
    Done(Result<Progress, Failure>),
    /// Something has come home after it was over.
    Home,
}

/// What any thread can do.
pub(super) enum Work {
    Open {
        token: Token,
        source: usize,
    },
    Read(SourceRead<Vec<u8>>),
    Compute(Job<Vec<u8>>),
    /// Sends what waits for a target.
    Send {
        target: usize,
    },
}

/// What somebody who waits for a reconstruction sees of it.
pub(super) struct Waiting<'a> {
    pub(super) urgency: usize,
    /// Told how far it is; says whether to go on.
    pub(super) watch: &'a mut dyn FnMut(&Progress) -> bool,
    /// Given what is delivered; says whether to go on.
    pub(super) deliver: &'a mut dyn FnMut(&Delivery<Vec<u8>>) -> bool,
}

/// Carries out a reconstruction, and waits for its end.
pub(super) fn run(
    shared: &Arc<Shared>,
    machine: Reconstruction<Vec<u8>>,
    sources: Vec<Arc<SourceLink>>,
    targets: Vec<Arc<TargetLink>>,
    waiting: &mut Waiting<'_>,
) -> Result<Progress, Failure> {
    let (caller, messages) = mpsc::channel();
    let machine = Machine { rounds: machine, opens: Vec::new(), reads: Vec::new(), is_over: false };
    let run = Arc::new(Run {
        shared: Arc::clone(shared),
        begun: Instant::now(),
        sources,
        targets,
        machine: Mutex::new(machine),
        caller,
    });
    run.spawn_all(|_, _| {});
    run.finish(&messages, waiting)
}

impl Run {
    fn finish(
        self: &Arc<Self>,
        messages: &Receiver<ForCaller>,
        waiting: &mut Waiting<'_>,
    ) -> Result<Progress, Failure> {
        let mut told = Instant::now();
        // Kept until the buffers are back.
        let mut memory = None;
        let mut lent = 0;
        loop {
            let due = self.lock().rounds.poll_timeout();
            let wait = due.map_or(TICK, |due| due.saturating_sub(self.begun.elapsed()).min(TICK));
            // This run has a sender of its own: there is no other error than the time's end.
            match messages.recv_timeout(wait).ok() {
                Some(ForCaller::Lend { buffers, len }) => {
                    let bytes = buffers as u64 * len as u64;
                    let mut go_on = || (waiting.watch)(&self.lock().rounds.progress());
                    memory = self.shared.bytes.take(bytes, waiting.urgency, &mut go_on);
                    if memory.is_none() {
                        self.tell(Event::Cancel);
                        continue;
                    }
                    lent = buffers;
                    (0..buffers).for_each(|_| self.tell(Event::Lent(std::vec![0; len])));
                }
                Some(ForCaller::Deliver(delivery)) => {
                    if !(waiting.deliver)(&delivery) {
                        self.tell(Event::Cancel);
                    }
                    self.tell(Event::Delivered(delivery));
                }
                Some(ForCaller::Done(outcome)) => {
                    self.bring_home(messages, lent);
                    drop(memory);
                    return outcome;
                }
                Some(ForCaller::Home) => {}
                None => self.shared.io.hurry(),
            }
            if self.machine.is_poisoned() {
                let cause = Cause::Driver("panicked while it told what had happened");
                return Err(Failure { cause, sources: Vec::new(), targets: Vec::new() });
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let progress = self.lock().rounds.progress();
                if !(waiting.watch)(&progress) {
                    self.tell(Event::Cancel);
                }
            }
            self.tell_time();
        }
    }

    /// Waits until all buffers are back, so that their bytes are really free. A read that does
    /// not end although it was broken off is left to its thread, and so is an open: they have
    /// timeouts, and then nobody to tell.
    fn bring_home(&self, messages: &Receiver<ForCaller>, mut lent: usize) {
        let end = Instant::now() + GRACE;
        loop {
            lent -= self.lock().rounds.take_buffers().len();
            let left = end.saturating_duration_since(Instant::now());
            if lent == 0 || left.is_zero() {
                return;
            }
            match messages.recv_timeout(left.min(TICK)) {
                Ok(ForCaller::Deliver(delivery)) => {
                    self.lock().rounds.handle(Event::Delivered(delivery), self.begun.elapsed())
                }
                Ok(_) => {}
                Err(_) => self.shared.io.hurry(),
            }
        }
    }

    /// Tells the machine that a moment has come which it waits for.
    fn tell_time(self: &Arc<Self>) {
        self.spawn_all(|machine, now| {
            if machine.rounds.poll_timeout().is_some_and(|due| due <= now) {
                machine.rounds.handle(Event::Timer, now);
            }
        });
    }

    /// Tells the machine what has happened; what follows goes to the queue.
    pub(super) fn tell(self: &Arc<Self>, event: Event<Vec<u8>>) {
        self.spawn_all(|machine, now| machine.rounds.handle(event, now));
    }

    fn spawn_all(self: &Arc<Self>, tell: impl FnOnce(&mut Machine, Duration)) {
        if let Some(work) = self.tell_by(tell) {
            self.spawn(work);
        }
    }

    /// Tells the machine what has happened; what is to be done with the same bytes is returned.
    fn tell_and_follow(self: &Arc<Self>, event: Event<Vec<u8>>) -> Option<Work> {
        self.tell_by(|machine, now| machine.rounds.handle(event, now))
    }

    fn tell_by(self: &Arc<Self>, tell: impl FnOnce(&mut Machine, Duration)) -> Option<Work> {
        let mut machine = self.lock();
        tell(&mut machine, self.begun.elapsed());
        let mut follows = None;
        while let Some(action) = machine.rounds.poll() {
            let Some(work) = self.carry_out(&mut machine, action) else { continue };
            let is_of_these_bytes = matches!(work, Work::Compute(_) | Work::Send { .. });
            if is_of_these_bytes && follows.is_none() {
                follows = Some(work);
            } else {
                self.spawn(work);
            }
        }
        if machine.is_over {
            // Where nobody listens any more, nobody wants to know.
            let _ = self.caller.send(ForCaller::Home);
        }
        follows
    }

    /// Does what takes no time, and says what is left to be done.
    fn carry_out(&self, machine: &mut Machine, action: Action<Vec<u8>>) -> Option<Work> {
        match action {
            Action::Open { token, source } => {
                machine.opens.push((token, source));
                return Some(Work::Open { token, source });
            }
            Action::Read(read) => {
                let source = read.source();
                machine.reads.retain(|(_, other)| *other != source);
                machine.reads.push((read.token(), source));
                self.sources[source].arm();
                return Some(Work::Read(read));
            }
            Action::Cancel { token } => {
                let cancelled =
                    machine.opens.iter().chain(&machine.reads).find(|(other, _)| *other == token);
                if let Some(&(_, source)) = cancelled {
                    self.sources[source].break_off();
                }
            }
            Action::Close { source } => self.sources[source].break_off(),
            Action::Compute(job) => return Some(Work::Compute(job)),
            Action::Send(packet) => return self.queue(machine, packet),
            Action::DropTarget { target } => self.targets[target].break_off(),
            Action::FinishTarget { .. } => {}
            Action::Lend { buffers, len } => self.ask(ForCaller::Lend { buffers, len }),
            Action::Deliver(delivery) => self.ask(ForCaller::Deliver(delivery)),
            Action::Done(outcome) => {
                machine.is_over = true;
                self.ask(ForCaller::Done(outcome));
            }
        }
        None
    }

    fn ask(&self, message: ForCaller) {
        // Where nobody waits for the reconstruction any more, it is over.
        let _ = self.caller.send(message);
    }

    fn queue(&self, machine: &mut Machine, packet: OutgoingPacket<Vec<u8>>) -> Option<Work> {
        let target = packet.target();
        match machine.rounds.checksum() {
            Some(checksum) => {
                self.targets[target].push(packet, checksum).then_some(Work::Send { target })
            }
            None => {
                let (message, now) = ("no checksum".to_string().into(), self.begun.elapsed());
                machine.rounds.handle(Event::Sent(packet), now);
                machine.rounds.handle(Event::TargetFailed { target, message }, now);
                None
            }
        }
    }

    /// Has something done by the next thread that is free.
    pub(super) fn spawn(self: &Arc<Self>, work: Work) {
        let kind = match &work {
            Work::Open { .. } => Kind::Waits,
            Work::Read(read) if !self.sources[read.source()].is_local() => Kind::Waits,
            Work::Read(_) => self.kind(&self.shared.read_limit),
            Work::Compute(_) => Kind::Brisk,
            Work::Send { target } if !self.targets[*target].is_local() => Kind::Waits,
            Work::Send { .. } => self.kind(&self.shared.write_limit),
        };
        let run = Arc::clone(self);
        self.shared.io.run(kind, move || run.work(work));
    }

    /// Has something done that waits for others.
    pub(super) fn spawn_waiting(&self, task: impl FnOnce() + Send + 'static) {
        self.shared.io.run(Kind::Waits, task);
    }

    /// Files do not keep a thread waiting for long, but limits do.
    fn kind(&self, limit: &Mutex<Option<Arc<Throttler>>>) -> Kind {
        if self::limit(limit).is_some() { Kind::Waits } else { Kind::Brisk }
    }

    fn work(self: &Arc<Self>, work: Work) {
        let mut next = Some(work);
        while let Some(work) = next {
            next = match work {
                Work::Open { token, source } => {
                    self.tell_and_follow(match self.sources[source].open() {
                        Ok((checksum, len)) => Event::Opened { token, checksum, len },
                        Err(message) => Event::OpenFailed { token, message },
                    })
                }
                Work::Read(mut read) => {
                    if let Some(limit) = limit(&self.shared.read_limit) {
                        limit.pay(read.data_len() as u64);
                    }
                    let outcome = self.sources[read.source()].read(&mut read);
                    self.tell_and_follow(Event::Read { read, outcome })
                }
                Work::Compute(job) => self.compute(job),
                Work::Send { target } => {
                    let limit = limit(&self.shared.write_limit);
                    self.targets[target].send_all(self, limit.as_deref());
                    None
                }
            };
        }
    }

    /// Computes, unless as much is computed already as may: then it waits for its turn.
    fn compute(self: &Arc<Self>, job: Job<Vec<u8>>) -> Option<Work> {
        let (_, mut job) = self.shared.computing.enter((Arc::clone(self), job))?;
        // Brought back although it was not run to its end, the job fails the reconstruction; lost,
        // it would be waited for.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| {
            let is_large = job.bytes() >= SHARED_FROM;
            match is_large.then(|| self.shared.pool()).flatten() {
                Some(pool) => pool.install(|| job.run_parallel()),
                None => job.run(),
            }
        }));
        if let Some((run, job)) = self.shared.computing.leave() {
            run.spawn(Work::Compute(job));
        }
        self.tell_and_follow(Event::Computed(job))
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        // Whoever waits looks whether a thread panicked with it.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limit(limit: &Mutex<Option<Arc<Throttler>>>) -> Option<Arc<Throttler>> {
    limit.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
