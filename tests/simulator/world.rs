//! The driver of the simulation: carries out actions in a time of its own, and keeps watch.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{Accepted, PacketSequence};
use restripe::layout::Layout;
use restripe::round::{
    Action, Delivery, Event, Job, OutgoingPacket, ReadOutcome, Reconstruction, SourceRead, Token,
};

use super::scenario::{AfterCancel, Content, Open, ReadFault, Scenario, SimSource, TargetFault};
use super::verdict::{Rebuilt, Report};
use crate::oracle::Random;

/// Steps after which a reconstruction counts as one that never ends.
const MAX_STEPS: usize = 400_000;

/// A buffer that knows how many of its kind there are.
#[derive(Debug)]
pub struct SimBuffer {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl Drop for SimBuffer {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for SimBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for SimBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

/// Sees every action.
pub type Watch<'a> = dyn FnMut(&Action<SimBuffer>) + 'a;

/// Something that will happen.
enum Due {
    Open(Token),
    Read(Token),
    Lent(SimBuffer),
    Computed(Box<Job<SimBuffer>>),
    Sent(OutgoingPacket<SimBuffer>),
    Delivered(Delivery<SimBuffer>),
    Acked(usize, i64),
    TargetFails(usize),
    Cancel,
}

/// By time, then in the order in which they were put in.
struct Entry(Duration, u64, Due);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

/// A source as the world has it: what its disk holds.
struct Disk {
    checksum: ChunkedChecksum,
    data: Vec<u8>,
    sums: Vec<u8>,
    reads: u64,
    is_closed: bool,
    is_reading: bool,
    is_open: bool,
}

struct OpenRead {
    read: SourceRead<SimBuffer>,
    outcome: Option<ReadOutcome>,
    is_cancelled: bool,
}

struct Receiver {
    sequence: PacketSequence,
    bytes: Vec<u8>,
    packets: u64,
    unacked: usize,
    stuck: Vec<OutgoingPacket<SimBuffer>>,
    is_over: bool,
    rebuilt: Rebuilt,
}

pub struct World<'a> {
    scenario: &'a Scenario,
    machine: Reconstruction<SimBuffer>,
    now: Duration,
    queue: BinaryHeap<Entry>,
    next_entry: u64,
    random: Random,
    disks: Vec<Disk>,
    opens: BTreeMap<Token, usize>,
    reads: BTreeMap<Token, OpenRead>,
    receivers: Vec<Receiver>,
    alive: Arc<AtomicUsize>,
    job_is_out: bool,
    report: Report,
    pub watch: Option<&'a mut Watch<'a>>,
}

impl<'a> World<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let units: Vec<usize> = scenario.sources.iter().map(|source| source.unit).collect();
        let (config, code) = (scenario.config.clone(), Arc::clone(&scenario.code));
        let (layout, now) = (scenario.layout.clone(), Duration::ZERO);
        let machine = if let Some((wanted, range)) = &scenario.units {
            Reconstruction::of_units(config, code, layout, &units, wanted, range.clone(), now)
        } else if scenario.range.is_some() {
            Reconstruction::of_ranges(config, code, layout, &units, scenario.ranges(), now)
        } else {
            Reconstruction::new(config, code, layout, &units, &scenario.targets, now)
        };
        let machine = machine.unwrap_or_else(|error| panic!("refused: {error}"));
        let target_units: Vec<usize> = machine.target_units().collect();
        assert_eq!(target_units, scenario.target_units(), "targets");
        let receivers = target_units.iter().map(|_| Receiver {
            sequence: PacketSequence::of_write(scenario.checksum),
            bytes: Vec::new(),
            packets: 0,
            unacked: 0,
            stuck: Vec::new(),
            is_over: false,
            rebuilt: Rebuilt::default(),
        });
        let mut world = Self {
            receivers: receivers.collect(),
            disks: scenario.sources.iter().map(|source| disk(scenario, source)).collect(),
            scenario,
            machine,
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            next_entry: 0,
            random: Random(scenario.seed ^ 0x0057_0121),
            opens: BTreeMap::new(),
            reads: BTreeMap::new(),
            alive: Arc::new(AtomicUsize::new(0)),
            job_is_out: false,
            report: Report::default(),
            watch: None,
        };
        if let Some(at) = scenario.cancel_at {
            world.at(at, Due::Cancel);
        }
        world
    }

    /// Runs it to its end, and until everything has come home.
    pub fn run(mut self) -> Report {
        for _ in 0..MAX_STEPS {
            self.carry_out();
            if self.report.outcome.is_some() && self.queue.is_empty() {
                return self.close_down();
            }
            self.step();
        }
        panic!("it does not end: {:?} after {MAX_STEPS} steps", self.machine);
    }

    fn at(&mut self, time: Duration, due: Due) {
        self.next_entry += 1;
        self.queue.push(Entry(time, self.next_entry, due));
    }

    fn after(&mut self, delay: Duration, due: Due) {
        self.at(self.now + delay, due);
    }

    /// Lets the next thing happen.
    fn step(&mut self) {
        let timeout = self.machine.poll_timeout();
        let next = self.queue.peek().map(|entry| entry.0);
        let is_timer = match (timeout, next) {
            (Some(timeout), Some(next)) => timeout <= next,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => panic!("stuck at {:?}: nothing will ever happen", self.now),
        };
        if is_timer {
            self.now = self.now.max(timeout.unwrap_or_default());
            self.machine.handle(Event::Timer, self.now);
            let again = self.machine.poll_timeout();
            assert!(again.is_none_or(|again| again > self.now), "a timer that is always due");
            return;
        }
        let Some(Entry(time, _, due)) = self.queue.pop() else { return };
        self.now = self.now.max(time);
        if let Some(event) = self.event(due) {
            self.machine.handle(event, self.now);
        }
    }

    fn event(&mut self, due: Due) -> Option<Event<SimBuffer>> {
        Some(match due {
            Due::Open(token) => {
                let source = self.opens.remove(&token)?;
                let disk = &mut self.disks[source];
                if let Open::After(_) = self.scenario.sources[source].open {
                    disk.is_open = true;
                    let len = self.scenario.sources[source].tells_len;
                    let len = len.then_some(disk.data.len() as u64);
                    Event::Opened { token, checksum: disk.checksum, len }
                } else {
                    Event::OpenFailed { token, message: "no such block".into() }
                }
            }
            Due::Read(token) => {
                let OpenRead { mut read, outcome, .. } = self.reads.remove(&token)?;
                let disk = &mut self.disks[read.source()];
                disk.is_reading = false;
                let outcome = outcome.unwrap_or_else(|| fill(disk, &mut read));
                Event::Read { read, outcome }
            }
            Due::Lent(buffer) => Event::Lent(buffer),
            Due::Computed(job) => {
                self.job_is_out = false;
                Event::Computed(*job)
            }
            Due::Sent(packet) => Event::Sent(packet),
            Due::Delivered(delivery) => Event::Delivered(delivery),
            Due::Acked(target, seqno) => {
                self.receivers[target].unacked -= 1;
                Event::Acked { target, seqno }
            }
            Due::TargetFails(target) => {
                Event::TargetFailed { target, message: "broken pipe".into() }
            }
            Due::Cancel => Event::Cancel,
        })
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.machine.poll() {
            self.report.note(self.now, &action);
            if let Some(watch) = &mut self.watch {
                watch(&action);
            }
            assert!(self.report.outcome.is_none(), "an action after the last one: {action:?}");
            match action {
                Action::Open { token, source } => self.open(token, source),
                Action::Lend { buffers, len } => self.lend(buffers, len),
                Action::Read(read) => self.read(read),
                Action::Cancel { token } => self.cancel(token),
                Action::Close { source } => self.close(source),
                Action::Compute(mut job) => {
                    assert!(!std::mem::replace(&mut self.job_is_out, true), "two jobs at a time");
                    if self.reads.values().any(|read| !read.is_cancelled) {
                        self.report.overlaps += 1;
                    }
                    self.report.computed += job.bytes();
                    run(&mut job, self.scenario.in_parallel);
                    self.after(self.scenario.job_time, Due::Computed(Box::new(job)));
                }
                Action::Send(packet) => self.send(packet),
                Action::Deliver(delivery) => {
                    self.report.deliver(&delivery);
                    let delay = Duration::from_micros(self.random.number() % 3000);
                    self.after(delay, Due::Delivered(delivery));
                }
                Action::FinishTarget { target } => {
                    let receiver = &mut self.receivers[target];
                    assert!(!std::mem::replace(&mut receiver.is_over, true), "finished twice");
                    receiver.rebuilt.is_finished = true;
                }
                Action::DropTarget { target } => {
                    let receiver = &mut self.receivers[target];
                    assert!(!std::mem::replace(&mut receiver.is_over, true), "dropped twice");
                    for packet in std::mem::take(&mut receiver.stuck) {
                        self.after(Duration::from_millis(2), Due::Sent(packet));
                    }
                }
                Action::Done(outcome) => self.report.outcome = Some(outcome),
                other => panic!("{other:?}"),
            }
        }
    }

    fn open(&mut self, token: Token, source: usize) {
        assert!(!self.disks[source].is_closed && !self.disks[source].is_open, "opened again");
        assert!(!self.opens.values().any(|&other| other == source), "opened twice");
        self.opens.insert(token, source);
        match self.scenario.sources[source].open {
            Open::After(delay) | Open::Fails(delay) => self.after(delay, Due::Open(token)),
            Open::Stalls => {}
        }
    }

    fn lend(&mut self, buffers: usize, len: usize) {
        let total = buffers * len;
        assert!(total <= self.scenario.config.max_memory, "{total} bytes of memory");
        self.report.buffers += buffers;
        for _ in 0..buffers {
            self.alive.fetch_add(1, Ordering::Relaxed);
            let bytes = self.random.bytes(len.min(8)).into_iter().cycle().take(len).collect();
            let buffer = SimBuffer { bytes, alive: Arc::clone(&self.alive) };
            let delay = Duration::from_micros(self.random.number() % 50);
            self.after(delay, Due::Lent(buffer));
        }
    }

    fn read(&mut self, mut read: SourceRead<SimBuffer>) {
        let index = read.source();
        let (disk, source) = (&mut self.disks[index], &self.scenario.sources[index]);
        assert!(disk.is_open && !disk.is_closed, "source {index} is not open");
        assert!(!std::mem::replace(&mut disk.is_reading, true), "two reads of source {index}");
        assert_eq!(read.unit(), source.unit);
        let chunk = disk.checksum.bytes_per_checksum() as u64;
        assert!(read.offset().is_multiple_of(chunk), "not at a chunk");
        let end = read.offset() + read.data_len() as u64;
        let block_len = self.scenario.layout.unit_len(source.unit);
        assert!(end <= block_len, "past the end of the block");
        assert!(end == block_len || end.is_multiple_of(chunk), "ends within a chunk");
        let sums_len = disk.checksum.sums_len(read.data_len() as u64).unwrap() as usize;
        let sums_len = if self.scenario.config.verify_sources { sums_len } else { 0 };
        let data_len = read.data_len();
        let (data, sums) = read.parts_mut();
        assert_eq!((data.len(), sums.len()), (data_len, sums_len));
        // Whatever was in the buffer before, only what is read into it may count.
        data.fill(0xEE);
        sums.fill(0xEE);
        disk.reads += 1;
        self.report.bytes_read += data_len as u64;
        let token = read.token();
        let mut outcome = None;
        let mut comes = true;
        if let Some((from, fault)) = source.fault
            && disk.reads > from
        {
            match fault {
                ReadFault::Fails => {
                    outcome = Some(ReadOutcome::Failed("input/output error".into()))
                }
                ReadFault::Stalls => comes = false,
                ReadFault::Short => outcome = Some(ReadOutcome::Read(data_len / 2)),
            }
        }
        self.reads.insert(token, OpenRead { read, outcome, is_cancelled: false });
        if comes {
            let (least, most) = source.latency;
            let spread = (most - least).as_micros() as u64 + 1;
            let delay = least + Duration::from_micros(self.random.number() % spread);
            self.after(delay, Due::Read(token));
        }
    }

    fn cancel(&mut self, token: Token) {
        if self.opens.contains_key(&token) {
            self.after(Duration::from_millis(1), Due::Open(token));
            return;
        }
        let Some(open) = self.reads.get_mut(&token) else { return };
        open.is_cancelled = true;
        let source = open.read.source();
        self.end_read(token, source);
    }

    /// A read that nobody waits for ends as its source ends it.
    fn end_read(&mut self, token: Token, source: usize) {
        let Some(open) = self.reads.get_mut(&token) else { return };
        let delay = match self.scenario.sources[source].after_cancel {
            AfterCancel::Ends(delay) => {
                open.outcome = Some(ReadOutcome::Cancelled);
                delay
            }
            AfterCancel::Completes(delay) => delay,
            AfterCancel::Fails(delay) => {
                open.outcome = Some(ReadOutcome::Failed("broken off".into()));
                delay
            }
            AfterCancel::Ignores => return,
        };
        self.after(delay, Due::Read(token));
    }

    fn close(&mut self, source: usize) {
        let disk = &mut self.disks[source];
        assert!(!std::mem::replace(&mut disk.is_closed, true), "source {source} closed twice");
        self.report.closed.push(source);
        let opening: Vec<Token> =
            self.opens.iter().filter(|open| *open.1 == source).map(|open| *open.0).collect();
        for token in opening {
            self.after(Duration::from_millis(1), Due::Open(token));
        }
        let reading = self.reads.iter().find(|(_, open)| open.read.source() == source);
        if let Some((&token, open)) = reading
            && !open.is_cancelled
        {
            self.end_read(token, source);
        }
    }

    fn send(&mut self, packet: OutgoingPacket<SimBuffer>) {
        let target = packet.target();
        let behaviour = &self.scenario.behaviours[target];
        let receiver = &mut self.receivers[target];
        assert!(!receiver.is_over, "a packet for a target that is over");
        let header = *packet.header();
        let accepted = receiver.sequence.accept(&header).unwrap();
        let data: Vec<u8> = packet.data().flatten().copied().collect();
        assert_eq!(data.len(), header.data_len as usize);
        if header.is_heartbeat() {
            assert!(receiver.packets > 0, "a heartbeat before anything else");
            self.report.heartbeats += 1;
        } else {
            assert_eq!(header.offset_in_block, receiver.bytes.len() as u64);
        }
        self.scenario.checksum.verify(&data, packet.checksums()).unwrap();
        let chunk = self.scenario.checksum.bytes_per_checksum();
        let len = packet.head().len() + data.len();
        let limit = self.scenario.config.packet_len.max(chunk + 4 + 33);
        assert!(len <= limit, "a packet of {len} bytes");
        receiver.bytes.extend_from_slice(&data);
        receiver.rebuilt.has_last |= accepted == Accepted::Last;
        let number = receiver.packets;
        receiver.packets += 1;
        receiver.unacked += 1;
        assert!(receiver.unacked <= self.scenario.config.max_unacked_packets, "too many unacked");
        let latency = behaviour.latency;
        match behaviour.fault.filter(|(from, _)| number >= *from) {
            None => {
                // At some targets acknowledgements overtake the news that the bytes are out.
                let sent = if target % 3 == 2 { latency * 3 } else { latency };
                self.after(sent, Due::Sent(packet));
                self.after(latency * 2, Due::Acked(target, header.seqno));
            }
            Some((_, TargetFault::Fails)) => {
                self.after(latency, Due::Sent(packet));
                self.after(latency, Due::TargetFails(target));
            }
            Some((_, TargetFault::Stalls)) => receiver.stuck.push(packet),
            Some((_, TargetFault::LosesAcks)) => self.after(latency, Due::Sent(packet)),
            Some((_, TargetFault::AcksAnother)) => {
                self.after(latency, Due::Sent(packet));
                self.after(latency, Due::Acked(target, header.seqno + 1));
            }
        }
    }

    /// Whoever never answered does so now; then everything must be home.
    fn close_down(mut self) -> Report {
        let stubborn = self.reads.values().all(|open| {
            self.scenario.sources[open.read.source()].after_cancel == AfterCancel::Ignores
        });
        assert!(stubborn, "a read was left running");
        let tokens: Vec<Token> = self.reads.keys().copied().collect();
        for token in tokens {
            let event = self.event(Due::Read(token));
            self.machine.handle(event.unwrap(), self.now);
        }
        assert!(self.opens.is_empty(), "an open was left running");
        for (index, disk) in self.disks.iter().enumerate() {
            assert!(!disk.is_open || disk.is_closed, "source {index} was left open");
        }
        assert!(self.receivers.iter().all(|receiver| receiver.is_over), "a target was left");
        assert!(self.machine.poll().is_none(), "an action after the last one");
        assert!(self.machine.is_idle(), "something has not come home: {:?}", self.machine);
        let home = self.machine.take_buffers();
        assert_eq!(home.len(), self.report.buffers, "buffers that came home");
        drop((home, self.machine));
        assert_eq!(self.alive.load(Ordering::Relaxed), 0, "buffers are left");
        for receiver in self.receivers {
            self.report.targets.push(Rebuilt { bytes: receiver.bytes, ..receiver.rebuilt });
        }
        self.report.ended_at = self.now;
        self.report
    }
}

fn run(job: &mut Job<SimBuffer>, in_parallel: bool) {
    #[cfg(feature = "rayon")]
    if in_parallel {
        return job.run_parallel();
    }
    assert!(!in_parallel, "only with the feature rayon");
    job.run();
}

/// Reads from a disk as from any: what is there, as far as it goes.
fn fill(disk: &Disk, read: &mut SourceRead<SimBuffer>) -> ReadOutcome {
    let start = (read.offset() as usize).min(disk.data.len());
    let there = &disk.data[start..disk.data.len().min(start + read.data_len())];
    let first_sum = read.offset() as usize / disk.checksum.bytes_per_checksum() * 4;
    let (data, sums) = read.parts_mut();
    data[..there.len()].copy_from_slice(there);
    let stored = &disk.sums[first_sum.min(disk.sums.len())..];
    let count = stored.len().min(sums.len());
    sums[..count].copy_from_slice(&stored[..count]);
    ReadOutcome::Read(there.len())
}

fn disk(scenario: &Scenario, source: &SimSource) -> Disk {
    let mut data = scenario.blocks[source.unit].clone();
    let mut checksum = scenario.checksum;
    match &source.content {
        Content::Lying(errors) => errors.iter().for_each(|&(at, error)| data[at] ^= error),
        Content::Cut(len) => data.truncate(*len),
        Content::OtherChecksums => {
            let chunk = checksum.bytes_per_checksum();
            let other = if checksum.kind() == ChecksumKind::Crc32 {
                ChecksumKind::Crc32c
            } else {
                ChecksumKind::Crc32
            };
            checksum = ChunkedChecksum::new(other, chunk).unwrap();
        }
        Content::Right | Content::Damaged(_) => {}
    }
    let mut sums = vec![0; checksum.sums_len(data.len() as u64).unwrap() as usize];
    checksum.compute(&data, &mut sums).unwrap();
    if let Content::Damaged(at) = &source.content {
        at.iter().for_each(|&at| data[at] ^= 0x10);
    }
    Disk { checksum, data, sums, reads: 0, is_closed: false, is_reading: false, is_open: false }
}
