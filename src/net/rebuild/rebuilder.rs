//! Reconstructions run by threads: the loop around the state machine.

use std::num::NonZeroU64;
use std::panic::{self, AssertUnwindSafe};
use std::string::ToString as _;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::budget::{Budget, Share};
use super::source::SourceLink;
use super::target::TargetLink;
use super::workers::Workers;
use super::{BlockSource, BlockTarget};
use crate::layout::Layout;
use crate::net::Throttler;
use crate::round::{Action, Config, Event, Failure, Progress, Reconstruction, Token};
use crate::{ErasureCode, Error};

/// How often whoever waits for a reconstruction is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How long what was broken off may take to come home at the end.
const GRACE: Duration = Duration::from_secs(5);

/// What all reconstructions of one [`Rebuilder`] may use together.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Limits {
    /// Reconstructions that run at a time; others wait, the most urgent first. Default: 4.
    pub running: u64,
    /// Bytes of buffers. Default: 256 MiB.
    pub bytes: u64,
    /// Threads that read and send, and so may wait. Default: 64.
    pub io_threads: usize,
    /// Threads that compute. Default: one for every core.
    pub computing_threads: usize,
    /// Bytes read per second. Default: no limit.
    pub read_rate: Option<NonZeroU64>,
    /// Bytes sent per second. Default: no limit.
    pub write_rate: Option<NonZeroU64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            running: 4,
            bytes: 256 << 20,
            io_threads: 64,
            computing_threads: thread::available_parallelism().map_or(1, usize::from),
            read_rate: None,
            write_rate: None,
        }
    }
}

/// One group to be rebuilt.
#[derive(Debug)]
pub struct Rebuild<L> {
    /// The choices of the reconstruction. Its read and acknowledgement timeouts are also those
    /// of sockets.
    pub config: Config,
    /// The code of the group.
    pub code: Arc<dyn ErasureCode>,
    /// The lengths of its units.
    pub layout: L,
    /// The live internal blocks with their units, in order of preference.
    pub sources: Vec<(usize, BlockSource)>,
    /// The units to be rebuilt, and where they go.
    pub targets: Vec<(usize, BlockTarget)>,
}

/// Why a group was not rebuilt.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// It was refused before anything was read.
    #[error(transparent)]
    Refused(#[from] Error),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Rebuilds groups with threads and limits that are shared by all that call it.
///
/// ```no_run
/// use std::path::PathBuf;
/// use std::sync::Arc;
/// use restripe::hdfs::BlockId;
/// use restripe::layout::Policy;
/// use restripe::net::{BlockSource, BlockStore, BlockTarget, Limits, Rebuild, Rebuilder};
/// use restripe::round::Config;
///
/// let policy: Policy = "RS-6-3-1024k".parse()?;
/// let block = |unit: usize| BlockSource::Files {
///     id: BlockId(-1024 + unit as i64),
///     generation_stamp: 1001,
///     data: PathBuf::from(format!("blk_{}", -1024 + unit as i64)),
///     meta: PathBuf::from(format!("blk_{}_1001.meta", -1024 + unit as i64)),
/// };
/// let store = BlockStore::open_for_writing("rebuilt".as_ref())?;
/// let lost = BlockTarget::Folder { store, id: BlockId(-1022), generation_stamp: 1001 };
/// let rebuild = Rebuild {
///     config: Config::new(0x5EED), // a random number
///     code: Arc::new(policy.code()?),
///     layout: policy.group(100 << 20),
///     sources: [0, 1, 3, 4, 5, 6].map(|unit| (unit, block(unit))).to_vec(),
///     targets: vec![(2, lost)],
/// };
/// let rebuilder = Rebuilder::new(&Limits::default());
/// let summary = rebuilder.run(rebuild, |progress| {
///     println!("{} rounds", progress.rounds);
///     true
/// })?;
/// assert!(summary.targets[0].is_rebuilt);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rebuilder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    running: Budget,
    bytes: Budget,
    io: Arc<Workers>,
    computing: Workers,
    read_limit: Mutex<Option<Arc<Throttler>>>,
    write_limit: Mutex<Option<Arc<Throttler>>>,
}

impl Rebuilder {
    /// Threads are started when they are needed.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let throttler =
            |rate: Option<NonZeroU64>| Mutex::new(rate.map(Throttler::new).map(Arc::new));
        Self {
            shared: Arc::new(Shared {
                running: Budget::new(limits.running.max(1)),
                bytes: Budget::new(limits.bytes),
                // A reconstruction that cannot send can also not read on.
                io: Arc::new(Workers::new("restripe-io", limits.io_threads.max(2))),
                computing: Workers::new("restripe-compute", limits.computing_threads),
                read_limit: throttler(limits.read_rate),
                write_limit: throttler(limits.write_rate),
            }),
        }
    }

    /// Changes how many bytes may be read per second, from now on.
    pub fn set_read_rate(&self, rate: Option<NonZeroU64>) {
        set_rate(&self.shared.read_limit, rate);
    }

    /// Changes how many bytes may be sent per second, from now on.
    pub fn set_write_rate(&self, rate: Option<NonZeroU64>) {
        set_rate(&self.shared.write_limit, rate);
    }

    /// Rebuilds one group and waits for it. `watch` is told now and then how far it is, and says
    /// whether to go on.
    ///
    /// Where more are running already than may, it waits; of those that wait, groups come first
    /// that can lose the fewest further units.
    ///
    /// # Errors
    ///
    /// [`RebuildError`]: refused, or failed. Targets that failed while others were rebuilt are no
    /// error; the summary tells of them.
    pub fn run<L: Layout + Send + Sync + 'static>(
        &self,
        rebuild: Rebuild<L>,
        mut watch: impl FnMut(&Progress) -> bool,
    ) -> Result<Progress, RebuildError> {
        let Rebuild { config, code, layout, sources, targets } = rebuild;
        let units: Vec<usize> = sources.iter().map(|(unit, _)| *unit).collect();
        let lost: Vec<usize> = targets.iter().map(|(unit, _)| *unit).collect();
        let urgency = surplus(&layout, &units);
        let _running = self.shared.running.take(1, urgency);

        let (sender, events) = mpsc::channel();
        let timeouts = (config.read_timeout, config.ack_timeout);
        let sources = sources.into_iter().map(|(unit, source)| {
            let len = if unit < code.total_units() { layout.unit_len(unit) } else { 0 };
            SourceLink::new(source, len, timeouts.0)
        });
        let sources = sources.collect();
        let targets = targets
            .into_iter()
            .enumerate()
            .map(|(index, (_, target))| TargetLink::new(index, target, timeouts.1, sender.clone()));
        let targets = targets.collect();
        if lost.is_empty() {
            let expected = "at least one";
            return Err(Error::OutOfBounds { what: "number of targets", got: 0, expected }.into());
        }
        let machine = Reconstruction::new(config, code, layout, &units, &lost, Duration::ZERO)?;
        let run = Run {
            shared: &self.shared,
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
        };
        Ok(run.finish(&mut watch)?)
    }
}

/// How many further units the group can lose.
fn surplus(layout: &impl Layout, sources: &[usize]) -> usize {
    let units = layout.data_units() + layout.parity_units();
    let is_live = |unit: &usize| sources.contains(unit) && !layout.known_zero(*unit, 0);
    (0..units).filter(is_live).count().saturating_sub(layout.required_units(0))
}

fn set_rate(limit: &Mutex<Option<Arc<Throttler>>>, rate: Option<NonZeroU64>) {
    let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
    match (&*limit, rate) {
        (Some(throttler), Some(rate)) => throttler.set_bytes_per_second(rate),
        (_, rate) => *limit = rate.map(Throttler::new).map(Arc::new),
    }
}

fn limit(limit: &Mutex<Option<Arc<Throttler>>>) -> Option<Arc<Throttler>> {
    limit.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// One reconstruction under way.
struct Run<'a> {
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

impl Run<'_> {
    fn finish(mut self, watch: &mut dyn FnMut(&Progress) -> bool) -> Result<Progress, Failure> {
        let mut told = Instant::now();
        loop {
            while let Some(action) = self.machine.poll() {
                self.carry_out(action);
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
            // Nothing is delivered where there are targets.
            Action::FinishTarget { .. } | Action::Deliver(_) => {}
        }
    }
}
