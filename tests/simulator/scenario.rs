//! What is to be rebuilt, from what, and what goes wrong with it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::gf8::Matrix;
use restripe::layout::{AlignedRange, ContiguousLayout, Layout, StripedLayout};
use restripe::round::{Config, Hedging, OnDamage};
use restripe::{ErasureCode, Hitchhiker, LocallyRepairable, MatrixKind, ReedSolomon};

use crate::oracle::{Random, group, parity_of};

/// One reconstruction.
#[derive(Clone)]
pub struct Scenario {
    pub seed: u64,
    pub config: Config,
    pub code: Arc<dyn ErasureCode>,
    pub layout: AnyLayout,
    /// All internal blocks, the lost ones among them: what the code says, byte by byte.
    pub blocks: Vec<Vec<u8>>,
    pub checksum: ChunkedChecksum,
    pub sources: Vec<SimSource>,
    /// The range of the group that is read; none where units are rebuilt for targets.
    pub range: Option<Range<u64>>,
    /// The units that are read instead, and which range of each.
    pub units: Option<(Vec<usize>, Range<u64>)>,
    /// The units named as targets; none for all that are not live.
    pub targets: Vec<usize>,
    /// How each target behaves, in the order of the machine's targets.
    pub behaviours: Vec<SimTarget>,
    pub job_time: Duration,
    /// Whether jobs are divided among threads.
    pub in_parallel: bool,
    /// When the caller cancels.
    pub cancel_at: Option<Duration>,
}

#[derive(Clone, Debug)]
pub enum AnyLayout {
    Striped(StripedLayout),
    Contiguous(ContiguousLayout),
}

impl AnyLayout {
    fn inner(&self) -> &dyn Layout {
        match self {
            Self::Striped(layout) => layout,
            Self::Contiguous(layout) => layout,
        }
    }
}

impl Layout for AnyLayout {
    fn data_units(&self) -> usize {
        self.inner().data_units()
    }
    fn parity_units(&self) -> usize {
        self.inner().parity_units()
    }
    fn unit_len(&self, unit: usize) -> u64 {
        self.inner().unit_len(unit)
    }
    fn group_len(&self) -> u64 {
        self.inner().group_len()
    }
    fn cell_len(&self) -> Option<u64> {
        self.inner().cell_len()
    }
}

/// A live internal block and the machine that has it.
#[derive(Clone, Debug, PartialEq)]
pub struct SimSource {
    pub unit: usize,
    pub open: Open,
    pub tells_len: bool,
    /// Least and most that a read takes.
    pub latency: (Duration, Duration),
    /// From which read on something goes wrong, and what.
    pub fault: Option<(u64, ReadFault)>,
    pub after_cancel: AfterCancel,
    pub content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Open {
    After(Duration),
    Fails(Duration),
    /// Never, until it is cancelled or closed.
    Stalls,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReadFault {
    Fails,
    Stalls,
    /// Gives only a part, as if the block ended there.
    Short,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AfterCancel {
    /// Ends the read after so long.
    Ends(Duration),
    /// Completes it all the same, after so long.
    Completes(Duration),
    /// Reports a failure after so long.
    Fails(Duration),
    /// Never answers, not before the whole reconstruction is over.
    Ignores,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Right,
    /// Bytes differ from what their checksums were computed of.
    Damaged(Vec<usize>),
    /// Bytes differ, and the checksums are those of what is there: (position, error).
    Lying(Vec<(usize, u8)>),
    /// The block ends after so many bytes.
    Cut(usize),
    /// Another kind or another length of chunks than the group's.
    OtherChecksums,
}

/// Where a rebuilt block goes.
#[derive(Clone, Debug, PartialEq)]
pub struct SimTarget {
    pub latency: Duration,
    pub fault: Option<(u64, TargetFault)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetFault {
    /// Breaks off.
    Fails,
    /// Takes nothing more.
    Stalls,
    /// Takes packets and never acknowledges them.
    LosesAcks,
    /// Acknowledges a packet that it did not get.
    AcksAnother,
}

impl SimSource {
    pub fn good(unit: usize) -> Self {
        let millisecond = Duration::from_millis(1);
        Self {
            unit,
            open: Open::After(millisecond),
            tells_len: false,
            latency: (millisecond, millisecond),
            fault: None,
            after_cancel: AfterCancel::Ends(millisecond),
            content: Content::Right,
        }
    }

    /// Whether it gives right bytes in time whenever it is asked: such a source must never be
    /// given up.
    pub fn is_healthy(&self) -> bool {
        self.is_steady() && self.content == Content::Right
    }

    /// Whether it gives in time what its disk has.
    fn is_steady(&self) -> bool {
        let is_open = matches!(self.open, Open::After(_));
        let comes_back =
            matches!(self.after_cancel, AfterCancel::Ends(_) | AfterCancel::Completes(_));
        is_open && comes_back && self.fault.is_none()
    }
}

impl Scenario {
    /// A group of a code and a layout, all blocks of which are right, with those in `lost` gone
    /// and every other one a good source.
    pub fn new(
        code: impl ErasureCode + 'static,
        layout: AnyLayout,
        lost: &[usize],
        seed: u64,
    ) -> Self {
        let code: Arc<dyn ErasureCode> = Arc::new(code);
        let mut random = Random(seed);
        let lens: Vec<usize> =
            (0..code.data_units()).map(|unit| layout.unit_len(unit) as usize).collect();
        let blocks = match &layout {
            AnyLayout::Striped(layout) if code.sub_shards() > 1 => {
                group_by_cells(&code, layout.cell_size() as usize, &lens, &mut random)
            }
            _ => group(&code, &lens, &mut random),
        };
        let live = (0..code.total_units()).filter(|unit| !lost.contains(unit));
        let mut config = Config::new(seed ^ 0xC0FF_EE00);
        config.buffer_len = 1024;
        Self {
            seed,
            config,
            layout,
            blocks,
            checksum: ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap(),
            sources: live.map(SimSource::good).collect(),
            range: None,
            units: None,
            targets: lost.to_vec(),
            behaviours: vec![
                SimTarget { latency: Duration::from_millis(1), fault: None };
                code.total_units()
            ],
            code,
            job_time: Duration::from_millis(1),
            in_parallel: false,
            cancel_at: None,
        }
    }

    /// Whether a source gives wrong bytes that its checksums do not tell.
    pub fn lies(&self, source: &SimSource) -> bool {
        match source.content {
            Content::Lying(_) => true,
            Content::Damaged(_) => !self.config.verify_sources,
            _ => false,
        }
    }

    /// Whether damage of a source is to be left out, and is found.
    pub fn leaves_out_damage(&self) -> bool {
        self.config.on_damage == OnDamage::LeaveOut && self.config.verify_sources
    }

    /// Whether a source must never be given up.
    pub fn must_be_kept(&self, source: &SimSource) -> bool {
        let is_damaged = matches!(source.content, Content::Damaged(_) | Content::Cut(_));
        source.is_healthy() || (source.is_steady() && is_damaged && self.leaves_out_damage())
    }

    /// Whether a source gives right bytes of its unit's chunk at some offset.
    pub fn gives(&self, source: &SimSource, offset: u64) -> bool {
        let chunk = self.checksum.bytes_per_checksum();
        let first = offset as usize / chunk * chunk;
        let end = self.blocks[source.unit].len().min(first + chunk);
        let is_usable =
            source.is_steady() && self.leaves_out_damage() && self.code.sub_shards() == 1;
        match &source.content {
            Content::Damaged(at) if is_usable => !at.iter().any(|at| (first..end).contains(at)),
            Content::Cut(len) if is_usable => end <= *len,
            _ => source.is_healthy(),
        }
    }

    /// Offsets of which there is one wherever other sources give right bytes, or other units have any.
    pub fn places(&self) -> Vec<u64> {
        let chunk = self.checksum.bytes_per_checksum();
        let contents = self.sources.iter().flat_map(|source| match &source.content {
            Content::Damaged(at) => at.clone(),
            Content::Cut(len) => vec![*len],
            _ => Vec::new(),
        });
        let mut places: Vec<usize> = contents.collect();
        places.extend(self.blocks.iter().map(Vec::len));
        places.push(0);
        let of_chunk = |at: usize| [at / chunk * chunk, at / chunk * chunk + chunk];
        let mut places: Vec<u64> =
            places.into_iter().flat_map(of_chunk).map(|place| place as u64).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The ranges of units that are to be read.
    pub fn ranges(&self) -> Vec<AlignedRange> {
        if let Some((units, range)) = &self.units {
            // Where cells are divided, all of them come.
            let cell =
                if self.code.sub_shards() == 1 { 1 } else { self.layout.cell_len().unwrap_or(1) };
            let (start, end) = match range.is_empty() {
                true => (range.start, range.start),
                false => (range.start - range.start % cell, range.end.next_multiple_of(cell)),
            };
            let of_unit = |&unit: &usize| AlignedRange {
                unit_range: start..end.min(self.layout.unit_len(unit)),
                units: unit..unit + 1,
            };
            let ranges = units.iter().map(of_unit);
            return ranges.filter(|range| !range.unit_range.is_empty()).collect();
        }
        let Some(range) = &self.range else { return Vec::new() };
        match &self.layout {
            AnyLayout::Striped(layout) => layout.aligned_ranges(range.clone()).unwrap().collect(),
            AnyLayout::Contiguous(_) => panic!("a range is read of a striped group"),
        }
    }

    /// Whether ranges are read, and nothing is rebuilt for targets.
    pub fn reads_ranges(&self) -> bool {
        self.range.is_some() || self.units.is_some()
    }

    /// The targets in the machine's order.
    pub fn target_units(&self) -> Vec<usize> {
        if self.reads_ranges() {
            return Vec::new();
        }
        if !self.targets.is_empty() {
            return self.targets.clone();
        }
        let is_live = |unit| self.sources.iter().any(|source| source.unit == unit);
        (0..self.code.total_units())
            .filter(|&unit| !is_live(unit) && self.layout.unit_len(unit) > 0)
            .collect()
    }

    /// Anything that can be, at random.
    pub fn random(seed: u64) -> Self {
        let mut random = Random(seed);
        let code = random_code(&mut random);
        let (k, units) = (code.data_units(), code.total_units());
        let checksum = random_checksum(&mut random);
        let layout = if code.sub_shards() == 1 {
            random_layout(&mut random, k, units - k)
        } else {
            // Parts of cells are whole chunks.
            let part = checksum.bytes_per_checksum() * (1 + random.below(3));
            let cell = (part * code.sub_shards()) as u64;
            let len = random.number() % (3 * cell * k as u64);
            let layout = StripedLayout::new(k, units - k, cell, len).unwrap();
            AnyLayout::Striped(layout.with_whole_parity_cells())
        };
        let lost = loop {
            let count = 1 + random.below(units - k);
            let lost = random.choose(0..units, count);
            let live: Vec<usize> = (0..units).filter(|unit| !lost.contains(unit)).collect();
            // Not every loss can be made good in a code that is not MDS.
            if code.plan(&live, &lost).is_ok() {
                break lost;
            }
        };
        let mut scenario = Self::new(code, layout, &lost, random.number());
        scenario.seed = seed;
        scenario.checksum = checksum;
        scenario.config = random_config(&mut random, &scenario);
        scenario.job_time = Duration::from_micros(random.number() % 3000);
        if random.below(4) == 0 {
            scenario.targets.clear();
        } else {
            let count = 1 + random.below(lost.len());
            scenario.targets = random.choose(lost, count);
        }
        let group_len = scenario.layout.group_len();
        let can_be_cut = matches!(scenario.layout, AnyLayout::Striped(_));
        if can_be_cut && random.below(4) == 0 {
            let ends = [random.number(), random.number()].map(|end| end % (group_len + 1));
            scenario.range = Some(ends[0].min(ends[1])..ends[0].max(ends[1]));
        }
        if random.below(3) == 0 {
            scenario.config.on_damage = OnDamage::LeaveOut;
            if random.below(2) == 0 {
                scenario.read_units(&mut random);
            }
        }
        random.shuffle(&mut scenario.sources);
        for _ in 0..random.below(3) {
            let twin = random.below(scenario.sources.len());
            let twin = scenario.sources[twin].clone();
            let place = random.below(scenario.sources.len() + 1);
            scenario.sources.insert(place, twin);
        }
        // Some groups have no trouble at all, some little, some more than can be borne.
        let trouble = random.below(4);
        let is_damaged_everywhere = scenario.leaves_out_damage() && random.below(2) == 0;
        for place in 0..scenario.sources.len() {
            let len = scenario.blocks[scenario.sources[place].unit].len();
            let source = &mut scenario.sources[place];
            random_timing(&mut random, source);
            if random.below(12) < trouble {
                random_trouble(&mut random, source, len);
            } else if is_damaged_everywhere && len > 0 {
                source.content = damage(&mut random, len);
            }
        }
        if scenario.config.extra_sources > 0 && random.below(2) == 0 {
            for _ in 0..scenario.config.extra_sources {
                let place = random.below(scenario.sources.len());
                let source = &mut scenario.sources[place];
                source.content = lies(&mut random, scenario.blocks[source.unit].len());
            }
        }
        for behaviour in &mut scenario.behaviours {
            behaviour.latency = Duration::from_micros(random.number() % 5000);
            if random.below(16) < trouble {
                let faults = [
                    TargetFault::Fails,
                    TargetFault::Stalls,
                    TargetFault::LosesAcks,
                    TargetFault::AcksAnother,
                ];
                let from = [0, 1, random.number() % 20][random.below(3)];
                behaviour.fault = Some((from, faults[random.below(4)]));
            }
        }
        if random.below(30) == 0 {
            scenario.cancel_at = Some(Duration::from_micros(random.number() % 200_000));
        }
        scenario
    }
}

impl Scenario {
    /// Makes it a read of some units, as what looks for damage everywhere asks for it, or not.
    fn read_units(&mut self, random: &mut Random) {
        let units = self.code.total_units();
        let count = 1 + random.below(units);
        let units = match random.below(2) {
            0 => (0..units).collect(),
            _ => random.choose(0..units, count),
        };
        let longest = units.iter().map(|&unit: &usize| self.layout.unit_len(unit)).max();
        let longest = longest.unwrap_or(0);
        let ends = [random.number(), random.number()].map(|end| end % (longest + 1));
        let ends = if random.below(2) == 0 { [0, longest] } else { ends };
        self.units = Some((units, ends[0].min(ends[1])..ends[0].max(ends[1])));
        self.range = None;
        self.config.read_all = self.config.extra_sources == 0 && random.below(2) == 0;
    }
}

fn random_code(random: &mut Random) -> Box<dyn ErasureCode> {
    match random.below(12) {
        0 => return Box::new(local_code(2 + random.below(3), 1 + random.below(2))),
        1 | 2 => {
            let groups = 1 + random.below(3);
            let (k, globals) = (groups + random.below(8), 1 + random.below(2));
            return Box::new(LocallyRepairable::new(k, groups, globals).unwrap());
        }
        3 => {
            let m = 2 + random.below(2);
            return Box::new(Hitchhiker::new(m + random.below(5), m).unwrap());
        }
        _ => {}
    }
    let (k, m) = (1 + random.below(8), 1 + random.below(4));
    let kind = match random.below(4) {
        0 => MatrixKind::Backblaze,
        1 if m == 1 => MatrixKind::Xor,
        _ => MatrixKind::Cauchy,
    };
    Box::new(ReedSolomon::with_matrix(k, m, kind).unwrap())
}

/// Data units of these lengths with random bytes, and their parity units, computed cell by cell
/// with every part of a cell as a shard of its own.
fn group_by_cells(
    code: &impl ErasureCode,
    cell: usize,
    lens: &[usize],
    random: &mut Random,
) -> Vec<Vec<u8>> {
    let mut units: Vec<Vec<u8>> = lens.iter().map(|&len| random.bytes(len)).collect();
    let subs = code.sub_shards();
    let mut parity = vec![Vec::new(); code.parity_units()];
    for start in (0..lens.iter().copied().max().unwrap_or(0)).step_by(cell) {
        let parts: Vec<Vec<u8>> = units
            .iter()
            .flat_map(|unit| {
                let mut bytes: Vec<u8> = unit.iter().skip(start).take(cell).copied().collect();
                bytes.resize(cell, 0);
                bytes.chunks(cell / subs).map(<[u8]>::to_vec).collect::<Vec<_>>()
            })
            .collect();
        for (row, part) in parity_of(code, &parts).into_iter().enumerate() {
            parity[row / subs].extend(part);
        }
    }
    units.extend(parity);
    units
}

/// A locally repairable code: two groups of `local` data units with the sum of each as a parity
/// unit, and `global` parity units over all.
pub fn local_code(local: usize, global: usize) -> ReedSolomon {
    let k = 2 * local;
    let cauchy = ReedSolomon::new(k, global).unwrap();
    let rows = Matrix::from_fn(2 + global, k, |row, column| match row.checked_sub(2) {
        Some(global) => cauchy.parity_rows().get(global, column),
        None => u8::from(column / local == row),
    });
    ReedSolomon::builder(k, 2 + global).parity_rows(rows).accept_unchecked().build().unwrap()
}

fn random_layout(random: &mut Random, k: usize, m: usize) -> AnyLayout {
    let most = [0, 100, 1000, 3000, 3000, 12_000][random.below(6)] as u64;
    if random.below(4) == 0 {
        let lens: Vec<u64> = (0..k).map(|_| random.number() % (most + 1)).collect();
        return AnyLayout::Contiguous(ContiguousLayout::new(lens, m).unwrap());
    }
    let cell = [1, 64, 512, 1024, 4096, 1 + random.number() % 2000][random.below(6)];
    let len = random.number() % (most * k as u64 + 1);
    // Tiny cells in long groups only make the oracle slow.
    AnyLayout::Striped(StripedLayout::new(k, m, cell, len).unwrap())
}

fn random_checksum(random: &mut Random) -> ChunkedChecksum {
    let kind = [ChecksumKind::Crc32c, ChecksumKind::Crc32c, ChecksumKind::Crc32][random.below(3)];
    let chunk = [512, 512, 64, 1 + random.below(300), 4096][random.below(5)];
    ChunkedChecksum::new(kind, chunk).unwrap()
}

fn random_config(random: &mut Random, scenario: &Scenario) -> Config {
    let mut config = Config::new(random.number());
    let most = [100, 2000, 20_000][random.below(3)];
    config.buffer_len = 1 + random.below(most);
    config.open_timeout = Duration::from_secs(2);
    config.read_timeout = Duration::from_secs(2);
    config.ack_timeout = Duration::from_secs(2);
    config.hedging = match random.below(4) {
        0 => Hedging::Never,
        1 => Hedging::After(Duration::from_micros(random.number() % 40_000)),
        _ => Hedging::Learnt {
            percent: 90,
            times: 2,
            at_least: Duration::from_millis(1),
            at_first: Duration::from_millis(20),
        },
    };
    config.max_hedges_per_round = random.below(4);
    config.max_hedges = random.number() % 50;
    config.packet_len = [600, 4096, 65_536][random.below(3)];
    config.max_unacked_packets = 1 + random.below(20);
    config.check_computing = random.below(4) > 0;
    config.verify_sources = random.below(8) > 0;
    config.heartbeat_after = Duration::from_millis(1 << random.below(16));
    config.extra_sources = 0;
    let can_compare = scenario.code.mds() != restripe::Mds::Unchecked;
    if can_compare && random.below(4) == 0 {
        let required = scenario.layout.required_units(0);
        let live: Vec<usize> = scenario.sources.iter().map(|source| source.unit).collect();
        let live = live.into_iter().filter(|&unit| !scenario.layout.known_zero(unit, 0)).count();
        config.extra_sources = random.below(3).min(live.saturating_sub(required));
    }
    config
}

fn random_timing(random: &mut Random, source: &mut SimSource) {
    let micros = |random: &mut Random, most| Duration::from_micros(random.number() % most);
    let most = [1000, 5000, 5000, 100_000][random.below(4)];
    source.latency.0 = micros(random, 1000);
    source.latency.1 = source.latency.0 + micros(random, most);
    source.open = Open::After(micros(random, most));
    source.tells_len = random.below(2) == 0;
    let late = micros(random, 50_000);
    source.after_cancel = match random.below(2) {
        0 => AfterCancel::Ends(late),
        _ => AfterCancel::Completes(late),
    };
}

fn random_trouble(random: &mut Random, source: &mut SimSource, len: usize) {
    let from = [0, 0, random.number() % 10][random.below(3)];
    let soon = Duration::from_millis(3);
    match random.below(10) {
        0 => source.open = Open::Fails(soon),
        1 => source.open = Open::Stalls,
        2 => source.fault = Some((from, ReadFault::Fails)),
        3 => source.fault = Some((from, ReadFault::Stalls)),
        4 => source.fault = Some((from, ReadFault::Short)),
        5 => source.after_cancel = AfterCancel::Ignores,
        6 => source.after_cancel = AfterCancel::Fails(soon),
        7 if len > 0 => source.content = damage(random, len),
        8 if len > 0 => source.content = Content::Cut(random.below(len)),
        9 => source.content = lies(random, len),
        _ => source.content = Content::OtherChecksums,
    }
}

fn damage(random: &mut Random, len: usize) -> Content {
    let mut at: Vec<usize> = (0..1 + random.below(4)).map(|_| random.below(len)).collect();
    at.sort_unstable();
    at.dedup();
    Content::Damaged(at)
}

fn lies(random: &mut Random, len: usize) -> Content {
    if len == 0 {
        return Content::Right;
    }
    // Often at the beginning, so that two lie in the same place.
    let place = |random: &mut Random| {
        let most = [len, len.min(3)][random.below(2)];
        random.below(most)
    };
    let count = 1 + random.below(3);
    Content::Lying((0..count).map(|_| (place(random), random.nonzero())).collect())
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("code", &self.code)
            .field("layout", &self.layout)
            .field("checksum", &self.checksum)
            .field("config", &self.config)
            .field("sources", &self.sources)
            .field("range", &self.range)
            .field("units", &self.units)
            .field("targets", &self.targets)
            .field("behaviours", &self.behaviours)
            .field("cancel_at", &self.cancel_at)
            .finish_non_exhaustive()
    }
}
