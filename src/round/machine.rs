//! The state machine: what goes in, what comes out, and the clock.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::buffer::{Buffer, Division, Lent};
use super::choosing::Search;
use super::goal::{Goal, Ranges};
use super::rows::Rows;
use super::source::{Source, State};
use super::stage::Round;
use super::target::{Framing, Target};
use super::threshold::Threshold;
use super::{Action, Config, Event, Job, OutgoingPacket, Progress, Reason, SourceRead, Token};
use crate::checksum::ChunkedChecksum;
use crate::codec::CheckedPlan;
use crate::layout::{AlignedRange, Layout};
use crate::{ErasureCode, Result};

/// The reconstruction of some units of one block group: see the [module](super).
pub struct Reconstruction<B> {
    pub(super) config: Config,
    /// The code of the rows.
    pub(super) code: Arc<dyn ErasureCode>,
    /// Whether any k units are enough.
    pub(super) is_mds: bool,
    pub(super) layout: Box<dyn Layout + Send + Sync>,
    pub(super) rows: Rows,
    pub(super) sources: Vec<Source>,
    pub(super) targets: Vec<Target<B>>,
    /// What most sources agree on, once they have said so.
    pub(super) agreed: Option<Agreed>,
    pub(super) framing: Framing,
    /// Rounds whose bytes are read or computed, at most two.
    pub(super) rounds: VecDeque<Round<B>>,
    pub(super) next_round: u64,
    pub(super) goal: Goal,
    /// The sources that won the last round, in their order.
    pub(super) remembered: Vec<usize>,
    /// The plan of the last round, made ready.
    pub(super) plan: Option<Arc<CheckedPlan>>,
    /// The last search for the cheapest sources.
    pub(super) searched: Search,
    pub(super) pool: Vec<Lent<B>>,
    pub(super) lent: usize,
    pub(super) threshold: Threshold,
    /// When the job that is out was given out.
    pub(super) computing_since: Option<Duration>,
    pub(super) actions: VecDeque<Action<B>>,
    pub(super) next_token: u64,
    pub(super) opens_out: usize,
    pub(super) packets_out: usize,
    pub(super) is_over: bool,
    pub(super) failed_sources: Vec<(usize, Reason)>,
    pub(super) failed_targets: Vec<(usize, Reason)>,
    pub(super) totals: Totals,
    pub(super) spare: Spare<B>,
}

/// What follows from the checksums that most sources have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub(super) checksum: ChunkedChecksum,
    /// Bytes of a round: whole chunks.
    pub(super) round_len: usize,
    pub(super) division: Division,
    pub(super) buffers: usize,
    pub(super) buffer_len: usize,
}

/// What is counted of the whole reconstruction.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) rounds: u64,
    pub(super) hedges: u64,
    pub(super) reading: Duration,
    pub(super) computing: Duration,
    pub(super) sending: Duration,
    pub(super) delivered: u64,
}

/// Memory that is used again, so that rounds allocate none.
#[derive(Debug)]
pub(super) struct Spare<B> {
    pub(super) packets: Vec<OutgoingPacket<B>>,
    pub(super) inputs: Vec<SourceRead<B>>,
    pub(super) outputs: Vec<super::job::Output<B>>,
    pub(super) rounds: Vec<Round<B>>,
    pub(super) candidates: Vec<super::choosing::Candidate>,
    pub(super) units: Vec<usize>,
}

impl<B: Buffer> Reconstruction<B> {
    /// Prepares the reconstruction of `targets` from `sources`.
    ///
    /// `sources` are the units of the live internal blocks, in order of preference; two of one
    /// unit count once, and the second is a stand-in for the first. `targets` are the units to be
    /// rebuilt; none named means every unit that is not live and has any bytes. Addresses,
    /// credentials and the like stay with the caller, in the same order.
    ///
    /// `now`, here and later, is the time since some moment that the caller chooses and keeps to.
    ///
    /// Nothing is asked for before [`poll`](Self::poll).
    ///
    /// # Errors
    ///
    /// [`TooFewUnits`](crate::Error::TooFewUnits) or
    /// [`NotRecoverable`](crate::Error::NotRecoverable) where the live units do not give back the
    /// targets (units that have no bytes need not be live);
    /// [`UnitOutOfRange`](crate::Error::UnitOutOfRange) in either list,
    /// [`DuplicateUnit`](crate::Error::DuplicateUnit) for a target named twice,
    /// [`AvailableAndWanted`](crate::Error::AvailableAndWanted) for one that is live;
    /// [`Count`](crate::Error::Count) where code and layout differ in their units;
    /// [`OutOfBounds`](crate::Error::OutOfBounds) for a number in `config` that is none to work
    /// with; [`Invalid`](crate::Error::Invalid) for [`extra_sources`](Config::extra_sources) with a
    /// code that is not known to be MDS, and where a code with sub-shards cannot divide the cells of
    /// the layout: it has none, they have no such parts, or those of parity are not whole.
    pub fn new(
        config: Config,
        code: Arc<dyn ErasureCode>,
        layout: impl Layout + Send + Sync + 'static,
        sources: &[usize],
        targets: &[usize],
        now: Duration,
    ) -> Result<Self> {
        config.check()?;
        super::request::check(&config, &code, &layout, sources, targets)?;
        let rows = Rows::new(&code, &layout)?;
        let units = super::request::targets(&layout, sources, targets);
        let mut machine =
            Self::begin(config, code, Box::new(layout), rows, sources, Goal::Targets(0));
        let layout = &machine.layout;
        let target = |unit| Target::new(unit, layout.unit_len(unit));
        machine.targets = units.into_iter().map(target).collect();
        // Its length follows from what the sources say when they are opened.
        machine.push_round(1, 0, now);
        machine.advance(now);
        Ok(machine)
    }

    /// Prepares a read of ranges of data units, lost or not: those that are live are read, those
    /// that are lost rebuilt from as little of the others as gives them back. A live unit that
    /// fails or is slow is rebuilt, too.
    ///
    /// [`StripedLayout::aligned_ranges`](crate::layout::StripedLayout::aligned_ranges) says which
    /// ranges of units a range of the group is; the bytes come with [`Action::Deliver`]. Units
    /// are verified and checked as [`Config`] says. The rest is as in [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); [`NotADataUnit`](crate::Error::NotADataUnit) and
    /// [`Range`](crate::Error::Range) for ranges that do not lie within data units.
    pub fn of_ranges(
        config: Config,
        code: Arc<dyn ErasureCode>,
        layout: impl Layout + Send + Sync + 'static,
        sources: &[usize],
        ranges: impl IntoIterator<Item = AlignedRange>,
        now: Duration,
    ) -> Result<Self> {
        config.check()?;
        let rows = Rows::new(&code, &layout)?;
        let ranges: Vec<AlignedRange> = ranges.into_iter().collect();
        super::request::check_ranges(&config, &code, &layout, &rows, sources, &ranges)?;
        let goal = Goal::Ranges(Ranges::new(&ranges, &rows));
        Ok(Self::begin_ranges(config, code, Box::new(layout), rows, sources, goal, now))
    }

    /// Prepares a read of one range of several units, data or parity, lost or not; of each as far
    /// as it goes. With [`read_all`](Config::read_all) and [`OnDamage::LeaveOut`] it is what puts
    /// right a group whose blocks are damaged here and there: it brings every byte of them that the
    /// chunks that are good give back. Of a code with sub-shards all of the cells come that the range
    /// touches. The rest is as in [`of_ranges`](Self::of_ranges).
    ///
    /// [`OnDamage::LeaveOut`]: super::OnDamage::LeaveOut
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); [`DuplicateUnit`](crate::Error::DuplicateUnit) for a unit named
    /// twice, [`Range`](crate::Error::Range) for a range that none of the units has.
    pub fn of_units(
        config: Config,
        code: Arc<dyn ErasureCode>,
        layout: impl Layout + Send + Sync + 'static,
        sources: &[usize],
        units: &[usize],
        range: Range<u64>,
        now: Duration,
    ) -> Result<Self> {
        config.check()?;
        let rows = Rows::new(&code, &layout)?;
        super::request::check_units(&config, &code, &layout, sources, units, &range)?;
        let goal = Goal::Ranges(Ranges::of_units(units, &range, &rows));
        Ok(Self::begin_ranges(config, code, Box::new(layout), rows, sources, goal, now))
    }

    fn begin_ranges(
        config: Config,
        code: Arc<dyn ErasureCode>,
        layout: Box<dyn Layout + Send + Sync>,
        rows: Rows,
        sources: &[usize],
        goal: Goal,
        now: Duration,
    ) -> Self {
        let mut machine = Self::begin(config, code, layout, rows, sources, goal);
        // Its length follows from what the sources say when they are opened.
        machine.push_round(1, 0, now);
        machine.advance(now);
        machine
    }

    fn begin(
        config: Config,
        code: Arc<dyn ErasureCode>,
        layout: Box<dyn Layout + Send + Sync>,
        rows: Rows,
        sources: &[usize],
        goal: Goal,
    ) -> Self {
        let framing = Framing {
            division: Division { sums_at: 0, sum_size: 0, chunk: 1 },
            max_data: 1,
            max_unacked: config.max_unacked_packets,
            ack_timeout: config.ack_timeout,
            heartbeat_after: config.heartbeat_after,
        };
        Self {
            threshold: Threshold::new(config.hedging),
            config,
            is_mds: code.mds().is_known(),
            code: code.over_sub_shards().unwrap_or(code),
            rows,
            sources: sources.iter().map(|&unit| Source::new(unit)).collect(),
            targets: Vec::new(),
            layout,
            agreed: None,
            framing,
            rounds: VecDeque::new(),
            next_round: 0,
            goal,
            remembered: Vec::new(),
            plan: None,
            searched: Search::default(),
            pool: Vec::new(),
            lent: 0,
            computing_since: None,
            actions: VecDeque::new(),
            next_token: 0,
            opens_out: 0,
            packets_out: 0,
            is_over: false,
            failed_sources: Vec::new(),
            failed_targets: Vec::new(),
            totals: Totals::default(),
            spare: Spare {
                packets: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                rounds: Vec::new(),
                candidates: Vec::new(),
                units: Vec::new(),
            },
        }
    }

    /// The next thing to do; `None` until something has happened. To be called again and again
    /// after [`new`](Self::new) and after each [`handle`](Self::handle); calling it too often does
    /// no harm.
    #[must_use = "what it asks for is to be done"]
    pub fn poll(&mut self) -> Option<Action<B>> {
        self.actions.pop_front()
    }

    /// When [`Event::Timer`] is due, if nothing happens before: to be asked after the last
    /// [`poll`](Self::poll). `None` while there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.is_over {
            return None;
        }
        let sources = self.sources.iter().filter_map(Source::deadline);
        let targets = self.targets.iter().filter_map(Target::deadline);
        let heartbeats = self.targets.iter().filter_map(|one| one.heartbeat_at(&self.framing));
        let hedges = (0..self.rounds.len()).filter_map(|index| self.hedge_at(index));
        sources.chain(targets).chain(heartbeats).chain(hedges).min()
    }

    /// Takes note of something that happened. [`poll`](Self::poll) then says what follows.
    pub fn handle(&mut self, event: Event<B>, now: Duration) {
        match event {
            Event::Opened { token, checksum, len } => self.opened(token, checksum, len, now),
            Event::OpenFailed { token, message } => {
                self.opens_out = self.opens_out.saturating_sub(1);
                if let Some(source) = self.opening(token) {
                    self.fail_source(source, Reason::Open(message), now);
                }
            }
            Event::Lent(buffer) => self.take_loan(buffer),
            Event::Read { read, outcome } => self.read(read, outcome, now),
            Event::Computed(job) => self.computed(job, now),
            Event::Timer => self.timer(now),
            Event::Sent(packet) => self.sent(packet, now),
            Event::Delivered(delivery) => self.delivered(delivery),
            Event::Acked { target, seqno } => self.acked(target, seqno),
            Event::TargetFailed { target, message } => {
                self.fail_target(target, Reason::Target(message));
            }
            Event::Cancel => self.fail(super::Cause::Cancelled),
        }
        self.advance(now);
    }

    /// Whether it is over and everything has come home: no open, read, job or packet is out. The
    /// buffers can then be had back by [`take_buffers`](Self::take_buffers).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let nothing_out = self.opens_out == 0 && self.packets_out == 0;
        self.is_over && nothing_out && self.pool.len() == self.lent
    }

    /// The lent buffers that are home, once it is over; those that come home later can be taken
    /// later.
    pub fn take_buffers(&mut self) -> Vec<B> {
        if !self.is_over {
            return Vec::new();
        }
        self.lent -= self.pool.len();
        self.pool.drain(..).filter_map(Lent::into_buffer).collect()
    }

    /// The checksums that most sources have, and that packets come with, once enough have been
    /// opened.
    #[must_use]
    pub fn checksum(&self) -> Option<ChunkedChecksum> {
        self.agreed.map(|agreed| agreed.checksum)
    }

    /// How far it has come; can be asked at any time.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            rounds: self.totals.rounds,
            hedges: self.totals.hedges,
            sources: self.sources.iter().map(|source| source.read.clone()).collect(),
            targets: self.targets.iter().map(|target| target.progress.clone()).collect(),
            units: self.targets.iter().map(|target| target.unit).collect(),
            reading: self.totals.reading,
            computing: self.totals.computing,
            sending: self.totals.sending,
            delivered: self.totals.delivered,
        }
    }

    /// The units that are rebuilt, in the order of the targets: those named, or found to be
    /// missing.
    pub fn target_units(&self) -> impl Iterator<Item = usize> {
        self.targets.iter().map(|target| target.unit)
    }

    fn timer(&mut self, now: Duration) {
        if self.is_over {
            return;
        }
        for source in 0..self.sources.len() {
            if self.sources[source].deadline().is_some_and(|deadline| deadline <= now) {
                let is_opening = matches!(self.sources[source].state, State::Opening { .. });
                let (what, after) = if is_opening {
                    ("open", self.config.open_timeout)
                } else {
                    ("read", self.config.read_timeout)
                };
                self.fail_source(source, Reason::TimedOut { what, after }, now);
            }
        }
        for target in 0..self.targets.len() {
            if self.targets[target].deadline().is_some_and(|deadline| deadline <= now) {
                let after = self.config.ack_timeout;
                self.fail_target(target, Reason::TimedOut { what: "acknowledge a packet", after });
            }
        }
        for index in 0..self.rounds.len() {
            if self.hedge_at(index).is_some_and(|at| at <= now) {
                self.hedge(index, now);
            }
        }
    }

    /// Does whatever can be done now.
    fn advance(&mut self, now: Duration) {
        let mut has_changed = true;
        while has_changed && !self.is_over {
            has_changed = self.agree(now);
            has_changed |= self.drop_needless_rounds();
            has_changed |= self.begin_round(now);
            for index in 0..self.rounds.len() {
                has_changed |= self.choose_sources(index, now);
                if self.is_over {
                    return;
                }
                has_changed |= self.ask_sources(index, now);
                has_changed |= self.win(index);
            }
            has_changed |= self.begin_job(now);
        }
        self.send(now);
        self.end_if_complete();
    }

    pub(super) fn token(&mut self) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        token
    }

    fn take_loan(&mut self, buffer: B) {
        let wanted = self.agreed.is_some_and(|agreed| self.lent < agreed.buffers);
        if !wanted {
            return;
        }
        self.lent += 1;
        self.bring_home(Lent::new(buffer));
    }

    /// Puts a buffer back into the pool, unless packets still hold it; true where it is back.
    pub(super) fn bring_home(&mut self, buffer: Lent<B>) -> bool {
        if !buffer.is_alone() {
            return false;
        }
        if self.agreed.is_some_and(|agreed| buffer.len() < agreed.buffer_len) {
            self.lent = self.lent.saturating_sub(1);
            self.fail(super::Cause::Driver("lent a buffer that is too short"));
            return false;
        }
        self.pool.push(buffer);
        true
    }
}

impl<B> core::fmt::Debug for Reconstruction<B> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Reconstruction")
            .field("code", &self.code)
            .field("goal", &self.goal)
            .field("totals", &self.totals)
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

// Jobs and packets go to other threads.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Job<Vec<u8>>>();
    is_send::<OutgoingPacket<Vec<u8>>>();
    is_send::<SourceRead<Vec<u8>>>();
    is_send::<Reconstruction<Vec<u8>>>();
};
