//! One reconstruction under way: the state machine, and whoever carries out its actions.
//!
//! The thread that carried out an action tells the machine what came of it, and goes on with what
//! follows from that for the same bytes: whoever read the last source of a round computes it, and
//! stores what comes of it, while the bytes are in the caches of its core. Everything else goes to
//! the queue that all threads take from. The thread that called waits for the time to pass, takes
//! what is delivered, and lends memory.

use std::boxed::Box;
use std::panic::{self, AssertUnwindSafe};
use std::string::ToString as _;
use std::sync::mpsc::{self, Receiver};
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
pub(super) const TICK: Duration = Duration::from_millis(5);

/// Bytes of a round, inputs and outputs together, from which on other cores are woken to compute
/// a part of it: fewer are computed while they are in the caches of the core that read them.
const SHARED_FROM: u64 = 4 << 20;

/// How long what was broken off may take to come home at the end.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// One reconstruction, shared by the threads that work for it.
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    begun: Instant,
    sources: Vec<Arc<SourceLink>>,
    targets: Vec<Arc<TargetLink>>,
    machine: Mutex<Machine>,
    caller: Box<dyn Fn(ForCaller) + Send + Sync>,
}

struct Machine {
    rounds: Reconstruction<Vec<u8>>,
    /// Which source each open or read is of, to be cancelled.
    opens: Vec<(Token, usize)>,
    reads: Vec<(Token, usize)>,
    is_over: bool,
}

/// What only the thread that called can do.
pub(super) enum ForCaller {
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

/// Somebody who waits for a reconstruction.
pub(super) struct Waiting<W, D> {
    pub(super) urgency: usize,
    /// Told how far it is; says whether to go on.
    pub(super) watch: W,
    /// Given what is delivered; says whether to go on.
    pub(super) deliver: D,
}

/// What is to be carried out, and by what.
pub(super) struct Prepared {
    pub(super) machine: Reconstruction<Vec<u8>>,
    pub(super) sources: Vec<Arc<SourceLink>>,
    pub(super) targets: Vec<Arc<TargetLink>>,
}

/// Carries out a reconstruction, and waits for its end.
pub(super) fn run(
    shared: &Arc<Shared>,
    prepared: Prepared,
    waiting: Waiting<impl FnMut(&Progress) -> bool, impl FnMut(&Delivery<Vec<u8>>) -> bool>,
) -> Result<Progress, Failure> {
    let (sender, messages) = mpsc::channel();
    // Where nobody waits for the reconstruction any more, it is over.
    let run = Run::begin(shared, prepared, Box::new(move |message| drop(sender.send(message))));
    run.finish(&messages, waiting)
}

impl Run {
    /// Has the first actions done; `caller` gets what only the thread that called can do.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        prepared: Prepared,
        caller: Box<dyn Fn(ForCaller) + Send + Sync>,
    ) -> Arc<Self> {
        let Prepared { machine, sources, targets } = prepared;
        let (opens, reads) = (Vec::new(), Vec::new());
        let machine = Mutex::new(Machine { rounds: machine, opens, reads, is_over: false });
        let (shared, begun) = (Arc::clone(shared), Instant::now());
        let run = Arc::new(Self { shared, begun, sources, targets, machine, caller });
        run.spawn_all(|_, _| {});
        run
    }

    fn finish(
        self: &Arc<Self>,
        messages: &Receiver<ForCaller>,
        mut waiting: Waiting<impl FnMut(&Progress) -> bool, impl FnMut(&Delivery<Vec<u8>>) -> bool>,
    ) -> Result<Progress, Failure> {
        let mut told = Instant::now();
        // Kept until the buffers are back.
        let mut memory = None;
        let mut lent = 0;
        loop {
            // The sender is this run's: there is no other error than the time's end.
            match messages.recv_timeout(self.wait()).ok() {
                Some(ForCaller::Lend { buffers, len }) => {
                    let mut go_on = || (waiting.watch)(&self.progress());
                    let bytes = buffers as u64 * len as u64;
                    memory = self.shared.bytes.take(bytes, waiting.urgency, &mut go_on);
                    lent = self.lend(memory.is_some(), buffers, len);
                }
                Some(ForCaller::Deliver(delivery)) => {
                    let goes_on = (waiting.deliver)(&delivery);
                    self.delivered(delivery, goes_on);
                }
                Some(ForCaller::Done(outcome)) => {
                    let end = Instant::now() + GRACE;
                    while self.is_awaited(&mut lent, end) {
                        if let Ok(ForCaller::Deliver(delivery)) = messages.recv_timeout(TICK) {
                            self.delivered(delivery, true);
                        }
                    }
                    drop(memory);
                    return outcome;
                }
                Some(ForCaller::Home) => {}
                None => self.shared.io.hurry(),
            }
            self.attend(&mut told, &mut waiting.watch)?;
        }
    }

    /// How long there may be nothing to do for whoever waits.
    pub(super) fn wait(&self) -> Duration {
        let due = self.lock().rounds.poll_timeout();
        due.map_or(TICK, |due| due.saturating_sub(self.begun.elapsed()).min(TICK))
    }

    pub(super) fn progress(&self) -> Progress {
        self.lock().rounds.progress()
    }

    /// Lends buffers, how many is returned; or cancels, where there is no memory for them.
    pub(super) fn lend(self: &Arc<Self>, is_granted: bool, buffers: usize, len: usize) -> usize {
        if !is_granted {
            self.tell(Event::Cancel);
            return 0;
        }
        (0..buffers).for_each(|_| self.tell(Event::Lent(std::vec![0; len])));
        buffers
    }

    pub(super) fn delivered(self: &Arc<Self>, delivery: Delivery<Vec<u8>>, goes_on: bool) {
        if !goes_on {
            self.tell(Event::Cancel);
        }
        self.tell(Event::Delivered(delivery));
    }

    /// What whoever waits has to do now and then.
    pub(super) fn attend(
        self: &Arc<Self>,
        told: &mut Instant,
        watch: &mut impl FnMut(&Progress) -> bool,
    ) -> Result<(), Failure> {
        if self.machine.is_poisoned() {
            let cause = Cause::Driver("panicked while it told what had happened");
            return Err(Failure { cause, sources: Vec::new(), targets: Vec::new() });
        }
        if told.elapsed() >= TELL_EVERY {
            *told = Instant::now();
            if !watch(&self.progress()) {
                self.tell(Event::Cancel);
            }
        }
        self.tell_time();
        Ok(())
    }

    /// Whether, after the end, some of the buffers are still to come back, so that their bytes
    /// are really free. A read that does not end although it was broken off is left to its thread,
    /// and so is an open: they have timeouts, and then nobody to tell.
    pub(super) fn is_awaited(&self, lent: &mut usize, end: Instant) -> bool {
        *lent -= self.lock().rounds.take_buffers().len();
        if *lent > 0 && Instant::now() < end {
            self.shared.io.hurry();
            return true;
        }
        self.targets.iter().for_each(|target| target.close());
        false
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
        let (mut follows, mut others) = (None, Vec::new());
        while let Some(action) = machine.rounds.poll() {
            let Some(work) = self.carry_out(&mut machine, action) else { continue };
            let is_of_these_bytes = matches!(work, Work::Compute(_) | Work::Send { .. });
            if is_of_these_bytes && follows.is_none() {
                follows = Some(work);
            } else {
                others.push(work);
            }
        }
        if machine.is_over {
            (self.caller)(ForCaller::Home);
        }
        drop(machine);
        if !others.is_empty() {
            self.spawn_each(others);
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
            Action::Lend { buffers, len } => (self.caller)(ForCaller::Lend { buffers, len }),
            Action::Deliver(delivery) => (self.caller)(ForCaller::Deliver(delivery)),
            Action::Done(outcome) => {
                machine.is_over = true;
                (self.caller)(ForCaller::Done(outcome));
            }
        }
        None
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
    fn spawn(self: &Arc<Self>, work: Work) {
        self.spawn_each([work]);
    }

    fn spawn_each(self: &Arc<Self>, works: impl IntoIterator<Item = Work>) {
        self.shared.io.run_all(works.into_iter().map(|work| {
            let run = Arc::clone(self);
            (self.kind_of(&work), move || run.work(work))
        }));
    }

    fn kind_of(&self, work: &Work) -> Kind {
        match work {
            Work::Open { .. } => Kind::Waits,
            Work::Read(read) if !self.sources[read.source()].is_local() => Kind::Waits,
            Work::Read(_) => self.kind(&self.shared.read_limit),
            Work::Compute(_) => Kind::Brisk,
            Work::Send { target } if !self.targets[*target].is_local() => Kind::Waits,
            Work::Send { .. } => self.kind(&self.shared.write_limit),
        }
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
