//! What reconstructions share, and what is asked of them.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;
use std::vec::Vec;

use super::budget::Budget;
use super::run::{self, Prepared, Run, Waiting};
use super::source::SourceLink;
use super::target::TargetLink;
use super::workers::{Turns, Workers};
use super::{BlockSource, BlockTarget};
use crate::layout::{Layout, Position, StripedLayout};
use crate::net::Throttler;
use crate::round::{Cause, Config, Delivery, Failure, Job, Progress, Reconstruction};
use crate::{ErasureCode, Error};

/// What all reconstructions of one [`Rebuilder`] may use together.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Limits {
    /// Reconstructions that run at a time; others wait, the most urgent first. Default: 4.
    pub running: u64,
    /// Bytes of buffers. Default: 256 MiB.
    pub bytes: u64,
    /// Threads that read, compute and send, and so may wait. Default: 64.
    pub io_threads: usize,
    /// Rounds that are computed at a time, and threads that large ones are divided among. Default:
    /// one for every core.
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

/// A range of a striped group to be read, of which blocks may be lost.
#[derive(Debug)]
pub struct RangeRead {
    /// As for a [`Rebuild`].
    pub config: Config,
    /// The code of the group.
    pub code: Arc<dyn ErasureCode>,
    /// How the group's bytes lie in its units.
    pub layout: StripedLayout,
    /// The live internal blocks with their units, in order of preference.
    pub sources: Vec<(usize, BlockSource)>,
    /// The bytes of the group.
    pub range: Range<u64>,
}

/// Why a group was not rebuilt, or not read.
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
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) running: Budget,
    pub(super) bytes: Budget,
    pub(super) io: Workers,
    pub(super) computing: Turns<(Arc<Run>, Job<Vec<u8>>)>,
    computing_threads: usize,
    pool: OnceLock<Option<rayon::ThreadPool>>,
    pub(super) read_limit: Mutex<Option<Arc<Throttler>>>,
    pub(super) write_limit: Mutex<Option<Arc<Throttler>>>,
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
                io: Workers::new("restripe-io", limits.io_threads.max(2)),
                computing: Turns::new(limits.computing_threads),
                computing_threads: limits.computing_threads,
                pool: OnceLock::new(),
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
        let urgency = rebuild.urgency();
        let nothing = Progress::default();
        let mut goes_on = || watch(&nothing);
        let Some(_running) = self.shared.running.take(1, urgency, &mut goes_on) else {
            return Err(cancelled());
        };
        let waiting = Waiting { urgency, watch, deliver: |_: &Delivery<_>| true };
        Ok(run::run(&self.shared, rebuild.prepare()?, waiting)?)
    }

    /// Reads a range of a group, rebuilding what is lost of it, and waits for it. `sink` gets the
    /// bytes, each run with its offset in the group, not in order, and says whether to go on.
    ///
    /// It does not wait for reconstructions to end: somebody waits for these bytes. Threads,
    /// memory and rates are shared all the same.
    ///
    /// # Errors
    ///
    /// [`RebuildError`]: refused, or failed.
    pub fn read(
        &self,
        read: RangeRead,
        mut sink: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<Progress, RebuildError> {
        let deliver = deliver_to(read.layout, &mut sink);
        let waiting = Waiting { urgency: 0, watch: |_: &Progress| true, deliver };
        Ok(run::run(&self.shared, read.prepare()?, waiting)?)
    }
}

impl<L: Layout + Send + Sync + 'static> Rebuild<L> {
    /// How many further units the group can lose.
    pub(super) fn urgency(&self) -> usize {
        let layout = &self.layout;
        let units = layout.data_units() + layout.parity_units();
        let has = |unit: usize| self.sources.iter().any(|(other, _)| *other == unit);
        let is_live = |unit: &usize| has(*unit) && !layout.known_zero(*unit, 0);
        (0..units).filter(is_live).count().saturating_sub(layout.required_units(0))
    }

    pub(super) fn prepare(self) -> Result<Prepared, RebuildError> {
        let Self { config, code, layout, sources, targets } = self;
        let units: Vec<usize> = sources.iter().map(|(unit, _)| *unit).collect();
        let lost: Vec<usize> = targets.iter().map(|(unit, _)| *unit).collect();
        if lost.is_empty() {
            let expected = "at least one";
            return Err(Error::OutOfBounds { what: "number of targets", got: 0, expected }.into());
        }
        let sources = links(&layout, sources, config.read_timeout);
        let targets = targets.into_iter().enumerate();
        let targets = targets
            .map(|(index, (_, target))| TargetLink::new(index, target, config.ack_timeout))
            .collect();
        let machine = Reconstruction::new(config, code, layout, &units, &lost, Duration::ZERO)?;
        Ok(Prepared { machine, sources, targets })
    }
}

impl RangeRead {
    pub(super) fn prepare(self) -> Result<Prepared, RebuildError> {
        let Self { config, code, layout, sources, range } = self;
        let units: Vec<usize> = sources.iter().map(|(unit, _)| *unit).collect();
        let ranges = layout.aligned_ranges(range)?;
        let sources = links(&layout, sources, config.read_timeout);
        let now = Duration::ZERO;
        let machine = Reconstruction::of_ranges(config, code, layout, &units, ranges, now)?;
        Ok(Prepared { machine, sources, targets: Vec::new() })
    }
}

/// Gives what is delivered of units to somebody who wants the group's bytes.
pub(super) fn deliver_to(
    layout: StripedLayout,
    mut sink: impl FnMut(u64, &[u8]) -> bool,
) -> impl FnMut(&Delivery<Vec<u8>>) -> bool {
    move |delivery| {
        let (unit, mut offset, mut rest) = (delivery.unit(), delivery.offset(), delivery.data());
        while !rest.is_empty() {
            let in_cell = layout.cell_size() - offset % layout.cell_size();
            let len = rest.len().min(usize::try_from(in_cell).unwrap_or(usize::MAX));
            let (piece, behind) = rest.split_at(len);
            // Only bytes of the group are delivered.
            let at = layout.group_offset(Position { unit, offset }).unwrap_or(u64::MAX);
            if !sink(at, piece) {
                return false;
            }
            offset += len as u64;
            rest = behind;
        }
        true
    }
}

/// How it ends where somebody gives up waiting for a turn.
pub(super) fn cancelled() -> RebuildError {
    let (sources, targets) = (Vec::new(), Vec::new());
    Failure { cause: Cause::Cancelled, sources, targets }.into()
}

impl Shared {
    /// The threads that large rounds are divided among; none where one core is all that may
    /// compute, or no thread is to be had.
    pub(super) fn pool(&self) -> Option<&rayon::ThreadPool> {
        let build = || {
            let name = |thread| std::format!("restripe-compute-{thread}");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(self.computing_threads);
            pool.thread_name(name).build().ok()
        };
        if self.computing_threads == 1 {
            return None;
        }
        self.pool.get_or_init(build).as_ref()
    }
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("running", &self.running)
            .field("bytes", &self.bytes)
            .field("io", &self.io)
            .finish_non_exhaustive()
    }
}

fn links(
    layout: &impl Layout,
    sources: Vec<(usize, BlockSource)>,
    timeout: Duration,
) -> Vec<Arc<SourceLink>> {
    let units = layout.data_units() + layout.parity_units();
    let link = |(unit, source)| {
        let len = if unit < units { layout.unit_len(unit) } else { 0 };
        SourceLink::new(source, len, timeout)
    };
    sources.into_iter().map(link).collect()
}

fn set_rate(limit: &Mutex<Option<Arc<Throttler>>>, rate: Option<NonZeroU64>) {
    let mut limit = limit.lock().unwrap_or_else(PoisonError::into_inner);
    match (&*limit, rate) {
        (Some(throttler), Some(rate)) => throttler.set_bytes_per_second(rate),
        (_, rate) => *limit = rate.map(Throttler::new).map(Arc::new),
    }
}
