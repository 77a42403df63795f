//! Lost blocks rebuilt by threads: from files and datanodes, to folders and datanodes, with
//! peers that stall, and within limits.
#![cfg(all(feature = "net", unix))]

#[path = "common/blocks.rs"]
mod blocks;
mod common;
mod oracle;
#[path = "common/replicas.rs"]
mod replicas;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use oracle::{Random, group};
use replicas::{Folder, STAMP, crc32c};
use restripe::Error;
use restripe::hdfs::{BlockFileName, BlockId, ExtendedBlock, ReadBlock, WriteBlock};
use restripe::layout::{Layout, Policy, StripedLayout};
use restripe::net::{
    BlockServer, BlockSource, BlockTarget, Limits, RangeRead, Rebuild, RebuildError, Rebuilder,
    RunningServer, ServerOptions,
};
use restripe::round::{Cause, Config, Hedging, Progress, Reason};

const GROUP: i64 = -9_223_372_036_854_775_792;

fn id(unit: usize) -> BlockId {
    BlockId(GROUP + unit as i64)
}

/// A group whose live blocks are in one folder, with a server; the rebuilt ones go to another.
struct Setting {
    policy: Policy,
    layout: StripedLayout,
    blocks: Vec<Vec<u8>>,
    lost: Vec<usize>,
    live: Folder,
    rebuilt: Folder,
}

impl Setting {
    fn new(policy: &str, len: u64, lost: &[usize]) -> Self {
        let policy: Policy = policy.parse().unwrap();
        let layout = policy.group(len);
        let lens: Vec<usize> =
            (0..policy.data_units()).map(|unit| layout.unit_len(unit) as usize).collect();
        let blocks = group(&policy.code().unwrap(), &lens, &mut Random(len));
        let live = Folder::new();
        for (unit, block) in blocks.iter().enumerate() {
            if !lost.contains(&unit) && !block.is_empty() {
                live.add(id(unit), crc32c(512), block);
            }
        }
        Self { policy, layout, blocks, lost: lost.to_vec(), live, rebuilt: Folder::new() }
    }

    fn live_units(&self) -> impl Iterator<Item = usize> {
        (0..self.blocks.len())
            .filter(|unit| !self.lost.contains(unit) && !self.blocks[*unit].is_empty())
    }

    fn files(&self, unit: usize) -> (usize, BlockSource) {
        let source = BlockSource::Files {
            id: id(unit),
            generation_stamp: STAMP,
            data: self.live.data_path(id(unit)),
            meta: self.live.meta_path(id(unit)),
        };
        (unit, source)
    }

    fn at(&self, unit: usize, address: SocketAddr) -> (usize, BlockSource) {
        let read = ReadBlock::new(self.block(unit), "test", 0, 0);
        (unit, BlockSource::Datanode { address, read })
    }

    fn block(&self, unit: usize) -> ExtendedBlock {
        let len = self.layout.unit_len(unit);
        ExtendedBlock { pool_id: "BP-1".into(), id: id(unit), generation_stamp: STAMP, len }
    }

    /// From files to files.
    fn rebuild(&self) -> Rebuild<StripedLayout> {
        let store = self.rebuilt.writable();
        let targets = self.lost.iter().map(|&unit| {
            let store = store.clone();
            (unit, BlockTarget::Folder { store, id: id(unit), generation_stamp: STAMP })
        });
        self.rebuild_to(targets.collect())
    }

    fn rebuild_to(&self, targets: Vec<(usize, BlockTarget)>) -> Rebuild<StripedLayout> {
        let mut config = Config::new(7);
        // Several rounds of small groups.
        config.buffer_len = 64 << 10;
        config.open_timeout = Duration::from_secs(20);
        config.read_timeout = Duration::from_secs(20);
        config.ack_timeout = Duration::from_secs(20);
        Rebuild {
            config,
            code: Arc::new(self.policy.code().unwrap()),
            layout: self.layout,
            sources: self.live_units().map(|unit| self.files(unit)).collect(),
            targets,
        }
    }

    /// What lies in the folder of rebuilt blocks is what was lost, checksums included.
    fn check(&self) {
        for &unit in &self.lost {
            let data = fs::read(self.rebuilt.data_path(id(unit))).unwrap();
            assert!(data == self.blocks[unit], "unit {unit}");
            let meta = fs::read(self.rebuilt.meta_path(id(unit))).unwrap();
            let expected = Folder::new();
            expected.add(id(unit), crc32c(512), &data);
            assert!(meta == fs::read(expected.meta_path(id(unit))).unwrap(), "unit {unit}");
        }
        assert_eq!(self.rebuilt.names().len(), 2 * self.lost.len());
    }
}

fn server(store: restripe::net::BlockStore) -> RunningServer {
    BlockServer::bind("127.0.0.1:0".parse().unwrap(), store, ServerOptions::default())
        .unwrap()
        .start()
        .unwrap()
}

/// Who waits for a reconstruction.
#[derive(Clone, Copy, Debug)]
enum Driver {
    /// The thread that calls.
    Thread,
    /// A task of a runtime.
    #[cfg(feature = "tokio")]
    Task,
}

const DRIVERS: &[Driver] = &[
    Driver::Thread,
    #[cfg(feature = "tokio")]
    Driver::Task,
];

impl Driver {
    fn run(
        self,
        rebuilder: &Rebuilder,
        rebuild: Rebuild<StripedLayout>,
        watch: impl FnMut(&Progress) -> bool,
    ) -> Result<Progress, RebuildError> {
        match self {
            Self::Thread => rebuilder.run(rebuild, watch),
            #[cfg(feature = "tokio")]
            Self::Task => runtime().block_on(rebuilder.run_async(rebuild, watch)),
        }
    }

    fn read(
        self,
        rebuilder: &Rebuilder,
        read: RangeRead,
        sink: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<Progress, RebuildError> {
        match self {
            Self::Thread => rebuilder.read(read, sink),
            #[cfg(feature = "tokio")]
            Self::Task => runtime().block_on(rebuilder.read_async(read, sink)),
        }
    }
}

#[cfg(feature = "tokio")]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn rebuilder() -> Rebuilder {
    Rebuilder::new(&Limits::default())
}

#[test]
fn from_files_to_a_folder() {
    for &driver in DRIVERS {
        for (len, lost) in [(3_000_000, vec![1, 7]), (700_000, vec![0]), (10, vec![6, 0, 8])] {
            let setting = Setting::new("RS-6-3-64k", len, &lost);
            let summary = driver.run(&rebuilder(), setting.rebuild(), |_| true).unwrap();
            assert!(summary.targets.iter().all(|target| target.is_rebuilt));
            setting.check();
        }
    }
}

/// The files of an internal block that a real datanode wrote.
fn real_files(folder: &Path, replica: &blocks::Replica) -> BlockSource {
    let Ok(BlockFileName::Meta { id, generation_stamp }) = replica.meta_name.parse() else {
        panic!("{}", replica.meta_name)
    };
    let (data, meta) = (folder.join(&replica.name), folder.join(&replica.meta_name));
    BlockSource::Files { id, generation_stamp, data, meta }
}

#[test]
fn what_a_real_hdfs_wrote_is_rebuilt_with_its_metadata() {
    for &driver in DRIVERS {
        let mut groups = 0;
        for block in blocks::blocks() {
            let Some(striping) = &block.striping else { continue };
            let policy: Policy = striping.policy.parse().unwrap();
            let layout = policy.group(block.len);
            let folder = common::vectors_dir().join("hadoop/blocks").join(&block.file);
            // Each block that is there, and the one after it.
            for (place, first) in block.replicas.iter().enumerate() {
                let second = &block.replicas[(place + 1) % block.replicas.len()];
                let lost = [first, second];
                let live = block
                    .replicas
                    .iter()
                    .filter(|replica| lost.iter().all(|lost| lost.index != replica.index));
                let rebuilt = Folder::new();
                let store = rebuilt.writable();
                let target = |replica: &&blocks::Replica| {
                    let BlockSource::Files { id, generation_stamp, .. } =
                        real_files(&folder, replica)
                    else {
                        panic!("files")
                    };
                    let store = store.clone();
                    (replica.index, BlockTarget::Folder { store, id, generation_stamp })
                };
                let rebuild = Rebuild {
                    config: Config::new(11),
                    code: Arc::new(policy.code().unwrap()),
                    layout,
                    sources: live.map(|live| (live.index, real_files(&folder, live))).collect(),
                    targets: lost.iter().map(target).collect(),
                };
                let summary = driver.run(&rebuilder(), rebuild, |_| true).unwrap();
                assert!(summary.targets.iter().all(|target| target.is_rebuilt));
                for replica in lost {
                    let read = |name: &str| fs::read(rebuilt.path().join(name)).unwrap();
                    assert!(read(&replica.name) == replica.data, "{}/{}", block.file, replica.name);
                    assert!(read(&replica.meta_name) == replica.meta, "{}", replica.meta_name);
                }
                groups += 1;
            }
        }
        assert!(groups >= 12, "{groups}");
    }
}

#[test]
fn from_datanodes_to_a_datanode() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 3_000_000, &[1, 7]);
        let from = server(setting.live.store());
        let to = server(setting.rebuilt.writable());
        let targets = setting.lost.iter().map(|&unit| {
            let write = WriteBlock::create(setting.block(unit), "test", crc32c(512));
            (unit, BlockTarget::Datanode { address: to.address(), write: Box::new(write) })
        });
        let mut rebuild = setting.rebuild_to(targets.collect());
        rebuild.sources =
            setting.live_units().map(|unit| setting.at(unit, from.address())).collect();
        let summary = driver.run(&rebuilder(), rebuild, |_| true).unwrap();
        assert!(summary.targets.iter().all(|target| target.is_rebuilt));
        assert!(summary.sources.iter().all(|source| source.failure.is_none()));
        setting.check();
    }
}

#[test]
fn damaged_and_missing_and_short_files_are_read_around() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 2_000_000, &[2]);
        Folder::damage(setting.live.data_path(id(0)), 100_000);
        fs::remove_file(setting.live.meta_path(id(4))).unwrap();
        let summary = driver.run(&rebuilder(), setting.rebuild(), |_| true).unwrap();
        let failed = |place: usize| summary.sources[place].failure.clone();
        assert!(matches!(failed(0), Some(Reason::Corrupt { offset, .. }) if offset == 99_840));
        assert!(matches!(failed(3), Some(Reason::Open(_))));
        setting.check();
        // One more is one too many.
        let setting = Setting::new("RS-6-3-64k", 2_000_000, &[2]);
        for unit in [0, 1, 3] {
            Folder::damage(setting.live.data_path(id(unit)), 70_000);
        }
        let failed = driver.run(&rebuilder(), setting.rebuild(), |_| true).unwrap_err();
        let RebuildError::Failed(failure) = failed else { panic!("{failed}") };
        assert!(matches!(
            failure.cause,
            Cause::TooFewSources { offset: 65_536, required: Some(6) }
        ));
        assert_eq!(setting.rebuilt.names(), Vec::<String>::new());
    }
}

#[test]
fn a_datanode_that_says_nothing_gets_company_and_holds_nobody_up() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 2_000_000, &[2]);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let mut rebuild = setting.rebuild();
        rebuild.config.hedging = Hedging::After(Duration::from_millis(50));
        rebuild.sources[1] = setting.at(1, address);
        let begun = Instant::now();
        let summary = driver.run(&rebuilder(), rebuild, |_| true).unwrap();
        assert_eq!(summary.hedges, 1);
        // The open that was given up has 20 s; nobody waits for it.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        setting.check();
    }
}

#[test]
fn a_target_that_is_there_already_or_refuses_fails_alone() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 2_000_000, &[2, 7]);
        setting.rebuilt.add(id(7), crc32c(512), b"older");
        let summary = driver.run(&rebuilder(), setting.rebuild(), |_| true).unwrap();
        assert!(summary.targets[0].is_rebuilt && !summary.targets[1].is_rebuilt);
        assert!(summary.targets[1].failure.as_ref().unwrap().to_string().contains("already in"));
        assert_eq!(fs::read(setting.rebuilt.data_path(id(7))).unwrap(), b"older");
    }
}

#[test]
fn cancelled_it_leaves_nothing_behind() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 4_000_000, &[2]);
        let mut limits = Limits::default();
        limits.read_rate = NonZeroU64::new(1_000_000);
        let failed =
            driver.run(&Rebuilder::new(&limits), setting.rebuild(), |_| false).unwrap_err();
        let RebuildError::Failed(failure) = failed else { panic!("{failed}") };
        assert_eq!(failure.cause, Cause::Cancelled);
        assert_eq!(setting.rebuilt.names(), Vec::<String>::new());
    }
}

#[test]
fn many_groups_share_threads_memory_and_rates() {
    for &driver in DRIVERS {
        let mut limits = Limits::default();
        (limits.running, limits.io_threads, limits.computing_threads) = (3, 8, 2);
        limits.bytes = 3 << 20;
        limits.read_rate = NonZeroU64::new(1_000_000);
        let rebuilder = Rebuilder::new(&limits);
        // No limit after all, before anything has begun.
        rebuilder.set_read_rate(None);
        rebuilder.set_write_rate(NonZeroU64::new(50_000_000));
        let groups: Vec<_> = (0..12)
            .map(|number| {
                let rebuilder = rebuilder.clone();
                thread::spawn(move || {
                    let lost = [number % 9, (number + 4) % 9];
                    let setting = Setting::new("RS-6-3-64k", 900_000 + number as u64, &lost);
                    driver.run(&rebuilder, setting.rebuild(), |_| true).unwrap();
                    setting.check();
                })
            })
            .collect();
        groups.into_iter().for_each(|group| group.join().unwrap());
    }
}

#[test]
fn a_rate_is_kept() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-3-2-64k", 600_000, &[0]);
        let mut limits = Limits::default();
        limits.write_rate = NonZeroU64::new(400_000);
        let begun = Instant::now();
        driver.run(&Rebuilder::new(&limits), setting.rebuild(), |_| true).unwrap();
        // 200,000 bytes, of which a tenth of a second's worth goes at once.
        assert!(begun.elapsed() > Duration::from_millis(350), "{:?}", begun.elapsed());
        setting.check();
    }
}

#[test]
fn a_range_is_read_although_blocks_of_it_are_lost() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 3_000_000, &[1, 4]);
        let server = server(setting.live.store());
        // The group's bytes, and for each whether it came already.
        let mut group = vec![0; 3_000_000];
        for piece in setting.layout.pieces(0..3_000_000).unwrap() {
            let place = piece.group_range.start as usize..piece.group_range.end as usize;
            let start = piece.offset as usize;
            group[place.clone()]
                .copy_from_slice(&setting.blocks[piece.unit][start..][..place.len()]);
        }
        for range in
            [0..3_000_000, 70_000..70_001, 1_234_567..2_345_678, 2_999_000..3_000_000, 9..9]
        {
            let mut got = vec![None; 3_000_000];
            let mut sources: Vec<_> =
                setting.live_units().map(|unit| setting.files(unit)).collect();
            sources[2] = setting.at(3, server.address());
            let read = RangeRead {
                config: Config::new(3),
                code: Arc::new(setting.policy.code().unwrap()),
                layout: setting.layout,
                sources,
                range: range.clone(),
            };
            let summary = driver.read(&rebuilder(), read, |offset, bytes| {
                for (place, &byte) in got[offset as usize..][..bytes.len()].iter_mut().zip(bytes) {
                    assert!(place.replace(byte).is_none(), "delivered twice");
                }
                true
            });
            assert_eq!(summary.unwrap().delivered, range.end - range.start);
            let expected = |at: usize| range.contains(&(at as u64)).then(|| group[at]);
            let wrong = (0..group.len()).find(|&at| got[at] != expected(at));
            assert_eq!(wrong, None, "{range:?}");
        }
    }
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 3_000_000, &[1]);
        let read = RangeRead {
            config: Config::new(3),
            code: Arc::new(setting.policy.code().unwrap()),
            layout: setting.layout,
            sources: setting.live_units().map(|unit| setting.files(unit)).collect(),
            range: 0..3_000_000,
        };
        let failed = driver.read(&rebuilder(), read, |_, _| false).unwrap_err();
        let RebuildError::Failed(failure) = failed else { panic!("{failed}") };
        assert_eq!(failure.cause, Cause::Cancelled);
    }
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_opened() {
    for &driver in DRIVERS {
        let setting = Setting::new("RS-6-3-64k", 2_000_000, &[2]);
        let mut rebuild = setting.rebuild();
        rebuild.sources.truncate(5);
        let refused = driver.run(&rebuilder(), rebuild, |_| true).unwrap_err();
        assert!(matches!(
            refused,
            RebuildError::Refused(Error::TooFewUnits { required: 6, available: 5 })
        ));
        let mut rebuild = setting.rebuild();
        rebuild.targets.clear();
        assert!(matches!(
            driver.run(&rebuilder(), rebuild, |_| true),
            Err(RebuildError::Refused(_))
        ));
    }
}

#[test]
fn cancelled_while_it_waits_for_its_turn_or_for_memory_it_is_over_at_once() {
    for &driver in DRIVERS {
        for (running, bytes) in [(1, 1 << 30), (2, 1)] {
            let mut limits = Limits::default();
            (limits.running, limits.bytes) = (running, bytes);
            limits.read_rate = NonZeroU64::new(1_000_000);
            let rebuilder = Rebuilder::new(&limits);
            let (first, second) = (
                Setting::new("RS-6-3-64k", 4_000_000, &[2]),
                Setting::new("RS-6-3-64k", 4_000_001, &[2]),
            );
            let stop = std::sync::atomic::AtomicBool::new(false);
            let is_running = std::sync::atomic::AtomicBool::new(false);
            let relaxed = std::sync::atomic::Ordering::Relaxed;
            thread::scope(|scope| {
                let other = scope.spawn(|| {
                    rebuilder.run(first.rebuild(), |progress| {
                        is_running.fetch_or(progress.rounds > 0, relaxed);
                        !stop.load(relaxed)
                    })
                });
                while !is_running.load(relaxed) {
                    thread::sleep(Duration::from_millis(5));
                }
                // It takes the other one seconds to end.
                let begun = Instant::now();
                let failed = driver.run(&rebuilder, second.rebuild(), |_| false).unwrap_err();
                let RebuildError::Failed(failure) = failed else { panic!("{failed}") };
                assert_eq!(failure.cause, Cause::Cancelled);
                assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
                stop.store(true, relaxed);
                other.join().unwrap().unwrap_err();
            });
            // Nothing was kept by the one that gave up.
            rebuilder.set_read_rate(None);
            let third = Setting::new("RS-6-3-64k", 4_000_002, &[2]);
            driver.run(&rebuilder, third.rebuild(), |_| true).unwrap();
            third.check();
        }
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_task_that_waits_keeps_no_thread_of_its_runtime() {
    let setting = Setting::new("RS-6-3-64k", 2_000_000, &[2]);
    let mut limits = Limits::default();
    limits.read_rate = NonZeroU64::new(4_000_000);
    let rebuilder = Rebuilder::new(&limits);
    // One thread, for the reconstruction and for whoever counts meanwhile.
    let ticks = runtime().block_on(async {
        let rebuild = setting.rebuild();
        let rebuilding =
            tokio::spawn(async move { rebuilder.run_async(rebuild, |_| true).await.map(drop) });
        let mut ticks = 0;
        while !rebuilding.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            ticks += 1;
        }
        rebuilding.await.unwrap().unwrap();
        ticks
    });
    // It takes some 400 ms.
    assert!(ticks > 50, "{ticks}");
    setting.check();
}

#[cfg(feature = "tokio")]
#[test]
fn a_future_that_is_dropped_leaves_nothing_behind() {
    let setting = Setting::new("RS-6-3-64k", 4_000_000, &[2]);
    let mut limits = Limits::default();
    (limits.running, limits.bytes) = (1, 1);
    limits.read_rate = NonZeroU64::new(1_000_000);
    let rebuilder = Rebuilder::new(&limits);
    runtime().block_on(async {
        let rebuilding = rebuilder.run_async(setting.rebuild(), |_| true);
        let late = tokio::time::timeout(Duration::from_millis(300), rebuilding).await;
        assert!(late.is_err());
        // Its turn and its memory are free.
        rebuilder.set_read_rate(None);
        let other = Setting::new("RS-6-3-64k", 3_000_000, &[2]);
        rebuilder.run_async(other.rebuild(), |_| true).await.unwrap();
        other.check();
    });
    let begun = Instant::now();
    while !setting.rebuilt.names().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", setting.rebuilt.names());
        thread::sleep(Duration::from_millis(10));
    }
}
