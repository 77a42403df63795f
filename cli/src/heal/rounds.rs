//! Healing in the rounds of the engine: from all chunks whose sums nothing speaks against, whatever
//! blocks they are of, to everything that these give back.
//!
//! The rounds leave out what does not have its sum, chunk by chunk, and check what they compute. They
//! stop where what is left does not give back what is asked for, or where blocks with right sums
//! contradict each other; what becomes of such places is decided by the
//! [`Healer`](crate::heal::healer::Healer).
//!
//! Each thread has rounds of its own, over a range of its own, and does everything that they ask for
//! itself: so a round's bytes are in its core's cache from being read to being written.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use restripe::checksum::ChunkedChecksum;
use restripe::round::{
    Action, Cause, Config, Delivery, Event, Hedging, Job, OnDamage, ReadOutcome, Reconstruction,
    SourceRead,
};

use crate::failure::{Failure, Result};
use crate::heal::group::Group;
use crate::heal::marks::{Fate, Found, Marks, Trust};
use crate::heal::tile::Tile;

/// Nothing takes any time here: what waits, waits in a call.
const NOW: Duration = Duration::ZERO;

/// What rounds are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Every block is read everywhere, and before something is rebuilt it is checked that all that
    /// are good agree; else as few are as it takes.
    pub read_all: bool,
    /// What is rebuilt is compared with what is there, to tell a wrong chunk from a wrong sum.
    pub compare: bool,
    /// Bytes of each row in a round.
    pub round: usize,
    /// Bytes of all buffers.
    pub memory: usize,
}

/// Rounds over one group, for one thread.
#[derive(Debug)]
pub struct Rounds<'a> {
    group: &'a Group,
    terms: Terms,
    checksum: ChunkedChecksum,
    sources: Vec<usize>,
    memory: &'a mut Memory,
}

/// Buffers that are used again, in whatever group.
#[derive(Debug, Default)]
pub struct Memory {
    /// Those that were used last are at the end. They are lent last, for the machine takes what it
    /// got last: so they are still in the core's cache when they are used again.
    buffers: VecDeque<Vec<u8>>,
    /// What is in the block where something is rebuilt.
    there: Vec<u8>,
}

/// How far rounds came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// All that was asked for was handed out.
    End,
    /// Not all of what begins here: an offset of first rows.
    Stopped(u64),
}

/// One run of the rounds.
struct Run {
    machine: Reconstruction<Vec<u8>>,
    reads: VecDeque<SourceRead<Vec<u8>>>,
    /// One round's.
    deliveries: Vec<Delivery<Vec<u8>>>,
    result: Option<std::result::Result<(), Cause>>,
}

impl<'a> Rounds<'a> {
    /// Rounds over a group.
    #[must_use]
    pub fn new(group: &'a Group, terms: Terms, memory: &'a mut Memory) -> Self {
        let is_source = |&unit: &usize| {
            let unit = &group.units()[unit];
            !unit.is_empty() && unit.is_proven_by_sums()
        };
        let sources = (0..group.units().len()).filter(is_source).collect();
        let checksum = group.sum_kind().checksum();
        Self { group, terms, checksum, sources, memory }
    }

    /// Gives back the memory of the buffers.
    pub fn free(&mut self) {
        *self.memory = Memory::default();
    }

    /// Whether blocks can be read as they are, as far as their files tell.
    #[must_use]
    pub fn has_all(&self, units: &[usize]) -> bool {
        units.iter().all(|unit| self.sources.contains(unit))
    }

    /// Hands out a range of some units (whole cells, where cells are divided; from a chunk on), a
    /// tile at a time and each in order. The tile has those units only.
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`], and those of `take`.
    pub fn run(
        &mut self,
        units: &[usize],
        range: Range<u64>,
        marks: &mut Marks,
        take: &mut dyn FnMut(&Tile<'_>) -> Result<()>,
    ) -> Result<Reached> {
        let mut reached = self.group.rows().of_byte(0, range.start).1;
        let machine = Reconstruction::of_units(
            self.config(),
            self.group.code().clone(),
            self.group.layout(),
            &self.sources,
            units,
            range,
            NOW,
        );
        // What is refused is decided elsewhere, too.
        let Ok(machine) = machine else { return Ok(Reached::Stopped(reached)) };
        let (reads, deliveries) = (VecDeque::new(), Vec::new());
        let mut run = Run { machine, reads, deliveries, result: None };
        let taken = loop {
            let action = run.machine.poll();
            // What was computed goes before more is read: it is still in the cache.
            let is_next_round = !matches!(action, Some(Action::Deliver(_)));
            if is_next_round && !run.deliveries.is_empty() {
                match self.hand_out(&mut run, marks, take) {
                    Ok(end) => reached = end,
                    Err(failure) => break Err(failure),
                }
            }
            match action {
                Some(action) => self.carry_out(&mut run, action),
                None => match run.reads.pop_front() {
                    Some(read) => self.read(&mut run, read),
                    None => break Ok(()),
                },
            }
        };
        let result = run.result.take();
        self.close(run);
        taken?;
        match result {
            Some(Ok(())) => Ok(Reached::End),
            Some(Err(Cause::Computing { source, .. })) => Err(Failure::engine(format!(
                "rebuilding {} at byte {reached}",
                self.group.label()
            ))(source)),
            _ => Ok(Reached::Stopped(reached)),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::new(seed());
        config.buffer_len = self.terms.round;
        config.max_memory = self.terms.memory;
        config.hedging = Hedging::Never;
        config.on_damage = OnDamage::LeaveOut;
        config.read_all = self.terms.read_all;
        config
    }

    fn carry_out(&mut self, run: &mut Run, action: Action<Vec<u8>>) {
        match action {
            Action::Open { token, source } => {
                let len = Some(self.group.units()[self.sources[source]].len());
                run.machine.handle(Event::Opened { token, checksum: self.checksum, len }, NOW);
            }
            Action::Lend { buffers, len } => {
                for _ in 0..buffers {
                    let mut buffer =
                        self.memory.buffers.pop_front().unwrap_or_else(|| vec![0; len]);
                    buffer.resize(len, 0);
                    run.machine.handle(Event::Lent(buffer), NOW);
                }
            }
            Action::Read(read) => run.reads.push_back(read),
            Action::Cancel { token } => {
                let place = run.reads.iter().position(|read| read.token() == token);
                if let Some(read) = place.and_then(|place| run.reads.remove(place)) {
                    let outcome = ReadOutcome::Cancelled;
                    run.machine.handle(Event::Read { read, outcome }, NOW);
                }
            }
            Action::Compute(mut job) => {
                Job::run(&mut job);
                run.machine.handle(Event::Computed(job), NOW);
            }
            Action::Deliver(delivery) => run.deliveries.push(delivery),
            Action::Done(result) => {
                run.result = Some(result.map(|_| ()).map_err(|failure| failure.cause));
            }
            _ => {}
        }
    }

    fn read(&self, run: &mut Run, mut read: SourceRead<Vec<u8>>) {
        let (unit, offset) = (&self.group.units()[read.unit()], read.offset());
        let (data, sums) = read.parts_mut();
        let len = data.len();
        match unit.read_with_sums(offset, data, sums) {
            Ok(true) => {
                let outcome = ReadOutcome::Read(len);
                run.machine.handle(Event::Read { read, outcome }, NOW);
            }
            // Some chunk or sum cannot be read; which one is found out elsewhere.
            _ => {
                let outcome = ReadOutcome::Failed("not all of it can be read".into());
                run.machine.handle(Event::Read { read, outcome }, NOW);
                run.machine.handle(Event::Cancel, NOW);
            }
        }
    }

    /// Hands out what one round brought, and says where the next begins.
    fn hand_out(
        &mut self,
        run: &mut Run,
        marks: &mut Marks,
        take: &mut dyn FnMut(&Tile<'_>) -> Result<()>,
    ) -> Result<u64> {
        let rows = self.group.rows();
        let chunk = self.group.sum_kind().bytes_per_checksum();
        let place = |delivery: &Delivery<_>| rows.of_byte(delivery.unit(), delivery.offset());
        let start = run.deliveries.first().map_or(0, |first| place(first).1);
        let len = run.deliveries.iter().map(|one| one.data().len()).max().unwrap_or(0);
        let mut lens = self.group.lens_within(start, len);
        let mut bytes: Vec<&mut [u8]> = (0..rows.count()).map(|_| &mut [][..]).collect();
        let mut rebuilt = Vec::new();
        for delivery in &mut run.deliveries {
            let row = place(delivery).0;
            if delivery.is_rebuilt() {
                rebuilt.push(row);
            }
            bytes[row] = delivery.data_mut();
        }
        for (len, bytes) in lens.iter_mut().zip(&bytes) {
            *len = bytes.len().min(*len);
        }
        let mut tile = Tile { rows, start, len, chunk, lens: &lens, bytes, marks };
        tile.begin();
        for row in 0..rows.count() {
            let columns = 0..lens[row].div_ceil(chunk);
            if rebuilt.contains(&row) {
                self.mark_rebuilt(&mut tile, row, columns);
            } else {
                tile.marks.found_mut(row)[columns].fill(Found::Good);
            }
        }
        let taken = take(&tile);
        for delivery in run.deliveries.drain(..) {
            run.machine.handle(Event::Delivered(delivery), NOW);
        }
        taken.map(|()| rows.behind(start, len as u64))
    }

    /// Marks what was rebuilt, and what was there right although its sum is not.
    fn mark_rebuilt(&mut self, tile: &mut Tile<'_>, row: usize, columns: Range<usize>) {
        tile.marks.found_mut(row)[columns.clone()].fill(Found::Absent);
        tile.marks.set_fate(row, columns.clone(), Fate::Rebuilt(Trust::Proven));
        let is_there = self.group.units()[tile.rows.unit(row)].data().is_some();
        if !is_there || !self.terms.compare {
            return;
        }
        // What the block has, and what is to be said of that.
        let there_len = tile.len.max(self.memory.there.len());
        self.memory.there.resize(there_len, 0);
        let right = std::mem::take(&mut tile.bytes[row]);
        let found = {
            let mut marks = Marks::default();
            let mut bytes: Vec<&mut [u8]> = (0..tile.rows.count()).map(|_| &mut [][..]).collect();
            bytes[row] = &mut self.memory.there[..tile.len];
            let Tile { rows, start, len, chunk, lens, .. } = *tile;
            let mut there = Tile { rows, start, len, chunk, lens, bytes, marks: &mut marks };
            there.begin();
            self.group.read(&mut there, row, columns.clone());
            marks.found(row)[columns.clone()].to_vec()
        };
        tile.bytes[row] = right;
        for (column, found) in columns.zip(found) {
            tile.marks.found_mut(row)[column] = found;
            let span = tile.unit_span(row, &(column..column + 1));
            if found != Found::Absent && self.memory.there[span.clone()] == tile.bytes[row][span] {
                tile.marks.set_fate(row, column..column + 1, Fate::Kept(Trust::Proven));
            }
        }
    }

    /// Takes back the buffers.
    fn close(&mut self, mut run: Run) {
        if run.result.is_none() {
            run.machine.handle(Event::Cancel, NOW);
        }
        for delivery in run.deliveries.drain(..) {
            run.machine.handle(Event::Delivered(delivery), NOW);
        }
        loop {
            match run.machine.poll() {
                Some(action) => self.carry_out(&mut run, action),
                None => match run.deliveries.pop() {
                    Some(delivery) => run.machine.handle(Event::Delivered(delivery), NOW),
                    None => break,
                },
            }
        }
        for read in run.reads.drain(..) {
            let outcome = ReadOutcome::Cancelled;
            run.machine.handle(Event::Read { read, outcome }, NOW);
        }
        self.memory.buffers.extend(run.machine.take_buffers());
    }
}

/// What faults in computing cannot know.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    // Each of these hashers has a random state of its own.
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
