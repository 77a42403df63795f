//! Lost blocks of a group rebuilt by threads, against the same bytes read and written by as many
//! threads without any decoding: blocks in files that lie in memory, and over loopback.
//!
//! `cargo bench --features net --bench rebuild -- [--mebibytes 128] [--rounds 5]
//! [--buffer KIBIBYTES] [--policy RS-6-3] [--lost 1] [--way files] [--folder /dev/shm]`. The folder
//! should be on a tmpfs with room for three groups. Each round measures copy, rebuild, rebuild,
//! copy, and compares the two halves, since an absolute figure from a shared machine is no claim.
//!
//! The copy reads each source in a thread of its own, as much at a time as the rebuilding does, and
//! writes each target in another. It does not hand bytes from thread to thread, as whoever decodes
//! must.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use restripe::ErasureCode as _;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{BlockFileName, BlockId, ExtendedBlock, MetaHeader, ReadBlock, WriteBlock};
use restripe::layout::{Layout as _, Policy, StripedLayout};
use restripe::net::{
    BlockServer, BlockSource, BlockStore, BlockTarget, Limits, Rebuild, Rebuilder, ServerOptions,
};
use restripe::round::{Config, Progress};
use tempfile::TempDir;

/// What a write to a target has at most, as packets do.
const WRITE: usize = 64 << 10;

/// HDFS's default.
const BYTES_PER_CHECKSUM: usize = 512;

fn main() {
    let number = |name: &str| argument(name).map(|number| number.parse().expect("a number"));
    let unit_len = number("--mebibytes").unwrap_or(128) << 20;
    let rounds = number("--rounds").unwrap_or(5);
    let buffer = number("--buffer").map(|kibibytes| kibibytes << 10);
    let folder = argument("--folder").unwrap_or_else(|| "/dev/shm".to_owned());
    let only_lost = number("--lost");
    println!("blocks of {} MiB in {folder}, {rounds} rounds of two runs each\n", unit_len >> 20);
    println!(
        "| code | lost | blocks in | copy GB/s | rebuilt GB/s | time against copy | reading | computing | sending |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for name in ["RS-6-3", "RS-10-4"] {
        if argument("--policy").is_some_and(|only| only != name) {
            continue;
        }
        let policy: Policy = format!("{name}-1024k").parse().expect("a policy");
        let group = Group::new(Path::new(&folder), policy, unit_len, buffer);
        for lost in [1, policy.parity_units()] {
            for way in [Way::Files, Way::Loopback] {
                let is_asked = only_lost.is_none_or(|only| only == lost)
                    && argument("--way").is_none_or(|only| only == way.name());
                if is_asked {
                    compare(&group, name, lost, way, rounds);
                }
            }
        }
    }
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

#[derive(Clone, Copy)]
enum Way {
    Files,
    Loopback,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Loopback => "loopback",
        }
    }
}

/// A group all of whose blocks are there; those that count as lost are not looked at.
struct Group {
    folder: TempDir,
    policy: Policy,
    layout: StripedLayout,
    config: Config,
}

/// One run.
struct Sample {
    seconds: f64,
    progress: Progress,
}

impl Group {
    fn new(folder: &Path, policy: Policy, unit_len: usize, buffer: Option<usize>) -> Self {
        let folder = tempfile::Builder::new().prefix("rebuild-").tempdir_in(folder);
        let layout = policy.group((unit_len * policy.data_units()) as u64);
        let mut config = Config::new(0x5EED);
        config.buffer_len = buffer.unwrap_or(config.buffer_len);
        let group = Self { folder: folder.expect("a folder"), policy, layout, config };
        let code = policy.code().expect("a code");
        let data: Vec<Vec<u8>> =
            (0..policy.data_units()).map(|unit| bytes(unit, unit_len)).collect();
        let mut parity = vec![vec![0; unit_len]; policy.parity_units()];
        code.encode(&data, &mut parity).expect("whole units");
        fs::create_dir(group.folder.path().join("live")).expect("a folder");
        for (unit, block) in data.iter().chain(&parity).enumerate() {
            let checksum = group.checksum();
            let mut sums = vec![0; checksum.sums_len(unit_len as u64).expect("it fits") as usize];
            checksum.compute(block, &mut sums).expect("as many as chunks");
            fs::write(group.data(unit), block).expect("room in memory");
            let meta = [&MetaHeader::new(checksum).encode()[..], &sums].concat();
            fs::write(group.meta(unit), meta).expect("room in memory");
        }
        group
    }

    fn checksum(&self) -> ChunkedChecksum {
        ChunkedChecksum::new(ChecksumKind::Crc32c, BYTES_PER_CHECKSUM).expect("HDFS's default")
    }

    fn live(&self) -> PathBuf {
        self.folder.path().join("live")
    }

    fn rebuilt(&self) -> PathBuf {
        self.folder.path().join("rebuilt")
    }

    fn data(&self, unit: usize) -> PathBuf {
        self.live().join(BlockFileName::Data { id: id(unit) }.to_string())
    }

    fn meta(&self, unit: usize) -> PathBuf {
        let name = BlockFileName::Meta { id: id(unit), generation_stamp: 1 };
        self.live().join(name.to_string())
    }

    fn block(&self, unit: usize) -> ExtendedBlock {
        let len = self.layout.unit_len(unit);
        ExtendedBlock { pool_id: "bench".into(), id: id(unit), generation_stamp: 1, len }
    }

    /// The units that count as lost: data units from the first one on, and at most all but one of
    /// those are data units.
    fn lost(&self, count: usize) -> Vec<usize> {
        let data = if count == 1 { 1 } else { count - 1 };
        let parity = self.policy.data_units()..self.policy.data_units() + count - data;
        (0..data).chain(parity).collect()
    }

    /// As many of the others as are required.
    fn sources(&self, lost: &[usize]) -> Vec<usize> {
        let units = self.policy.data_units() + self.policy.parity_units();
        let live = (0..units).filter(|unit| !lost.contains(unit));
        live.take(self.policy.data_units()).collect()
    }

    /// Runs something that fills the folder of rebuilt blocks, which then holds the lost ones.
    fn timed<T>(&self, lost: &[usize], run: impl FnOnce() -> T) -> (f64, T) {
        fs::create_dir(self.rebuilt()).expect("a folder");
        let begun = Instant::now();
        let result = run();
        let seconds = begun.elapsed().as_secs_f64();
        for &unit in lost {
            let name = BlockFileName::Data { id: id(unit) }.to_string();
            let file = fs::metadata(self.rebuilt().join(name)).expect("it was rebuilt");
            assert_eq!(file.len(), self.layout.unit_len(unit));
        }
        fs::remove_dir_all(self.rebuilt()).expect("the folder can be removed");
        (seconds, result)
    }

    fn rebuild(&self, rebuilder: &Rebuilder, lost: &[usize], way: Way) -> Sample {
        let (seconds, progress) = self.timed(lost, || match way {
            Way::Files => {
                let store = BlockStore::open_for_writing(&self.rebuilt()).expect("a folder");
                let source = |unit: usize| BlockSource::Files {
                    id: id(unit),
                    generation_stamp: 1,
                    data: self.data(unit),
                    meta: self.meta(unit),
                };
                let target = |unit: usize| {
                    let store = store.clone();
                    BlockTarget::Folder { store, id: id(unit), generation_stamp: 1 }
                };
                self.run(rebuilder, lost, source, target)
            }
            Way::Loopback => {
                let serve = |store| {
                    let address = "127.0.0.1:0".parse().expect("an address");
                    BlockServer::bind(address, store, ServerOptions::default())
                        .and_then(BlockServer::start)
                        .expect("loopback")
                };
                let from = serve(BlockStore::open(&self.live()).expect("a folder"));
                let to = BlockStore::open_for_writing(&self.rebuilt()).expect("a folder");
                let to = serve(to);
                let source = |unit: usize| BlockSource::Datanode {
                    address: from.address(),
                    read: ReadBlock::new(self.block(unit), "bench", 0, 0),
                };
                let target = |unit: usize| {
                    let write = WriteBlock::create(self.block(unit), "bench", self.checksum());
                    BlockTarget::Datanode { address: to.address(), write: Box::new(write) }
                };
                self.run(rebuilder, lost, source, target)
            }
        });
        Sample { seconds, progress }
    }

    fn run(
        &self,
        rebuilder: &Rebuilder,
        lost: &[usize],
        source: impl Fn(usize) -> BlockSource,
        target: impl Fn(usize) -> BlockTarget,
    ) -> Progress {
        let rebuild = Rebuild {
            config: self.config.clone(),
            code: Arc::new(self.policy.code().expect("a code")),
            layout: self.layout,
            sources: self.sources(lost).into_iter().map(|unit| (unit, source(unit))).collect(),
            targets: lost.iter().map(|&unit| (unit, target(unit))).collect(),
        };
        let progress = rebuilder.run(rebuild, |_| true).expect("it can be rebuilt");
        assert!(progress.targets.iter().all(|target| target.is_rebuilt), "{progress:?}");
        progress
    }

    /// The same bytes, from as many files to as many, by as many threads.
    fn copy(&self, lost: &[usize], way: Way) -> f64 {
        let write_from = bytes(1, WRITE);
        let sums = bytes(2, WRITE / BYTES_PER_CHECKSUM * 4);
        let copy = || {
            thread::scope(|scope| {
                for unit in self.sources(lost) {
                    scope.spawn(move || match way {
                        Way::Files => self.read_files(unit),
                        Way::Loopback => self.read_over_loopback(unit),
                    });
                }
                for &unit in lost {
                    let (data, sums) = (&write_from, &sums);
                    scope.spawn(move || match way {
                        Way::Files => self.write_files(unit, data, sums),
                        Way::Loopback => self.write_over_loopback(unit, data, sums),
                    });
                }
            });
        };
        self.timed(lost, copy).0
    }

    /// Bytes of data and of checksums that are read at a time.
    fn buffers(&self) -> (Vec<u8>, Vec<u8>) {
        let len = self.config.buffer_len;
        (vec![0; len], vec![0; len / BYTES_PER_CHECKSUM * 4])
    }

    fn read_files(&self, unit: usize) {
        let mut data = File::open(self.data(unit)).expect("a source");
        let mut meta = File::open(self.meta(unit)).expect("a source");
        meta.seek(SeekFrom::Start(MetaHeader::LEN as u64)).expect("a file");
        let (mut buffer, mut sums) = self.buffers();
        while data.read(&mut buffer).expect("a file") > 0 {
            let _ = meta.read(&mut sums).expect("a file");
        }
    }

    fn write_files(&self, unit: usize, data: &[u8], sums: &[u8]) {
        let name = BlockFileName::Data { id: id(unit) };
        let mut file = File::create(self.rebuilt().join(name.to_string())).expect("room");
        let name = BlockFileName::Meta { id: id(unit), generation_stamp: 1 };
        let mut meta = File::create(self.rebuilt().join(name.to_string())).expect("room");
        for _ in 0..self.layout.unit_len(unit) / WRITE as u64 {
            file.write_all(data).expect("room");
            meta.write_all(sums).expect("room");
        }
    }

    /// The file and its checksums, by `sendfile` where there is one, to a socket that this thread
    /// reads.
    fn read_over_loopback(&self, unit: usize) {
        let (mut here, mut there) = connection();
        thread::scope(|scope| {
            scope.spawn(move || {
                for path in [self.data(unit), self.meta(unit)] {
                    let mut file = File::open(path).expect("a source");
                    std::io::copy(&mut file, &mut there).expect("loopback");
                }
            });
            let (mut buffer, _) = self.buffers();
            while here.read(&mut buffer).expect("loopback") > 0 {}
        });
    }

    fn write_over_loopback(&self, unit: usize, data: &[u8], sums: &[u8]) {
        let (mut here, mut there) = connection();
        thread::scope(|scope| {
            scope.spawn(move || {
                let name = BlockFileName::Data { id: id(unit) };
                let mut file = File::create(self.rebuilt().join(name.to_string())).expect("room");
                let (mut buffer, mut left) = (vec![0; WRITE], self.layout.unit_len(unit));
                while left > 0 {
                    let len = there.read(&mut buffer).expect("loopback");
                    let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
                    file.write_all(&buffer[..len]).expect("room");
                    left -= len as u64;
                }
                let name = BlockFileName::Meta { id: id(unit), generation_stamp: 1 };
                let mut meta = File::create(self.rebuilt().join(name.to_string())).expect("room");
                std::io::copy(&mut there, &mut meta).expect("loopback");
            });
            let packets = self.layout.unit_len(unit) / WRITE as u64;
            (0..packets).for_each(|_| here.write_all(data).expect("loopback"));
            (0..packets).for_each(|_| here.write_all(sums).expect("loopback"));
            drop(here);
        });
    }
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback");
    let here = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("loopback");
    (here, listener.accept().expect("it was just connected").0)
}

fn id(unit: usize) -> BlockId {
    BlockId(-1024 + unit as i64)
}

fn bytes(seed: usize, len: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    (0..len / 4).flat_map(|_| next().to_le_bytes()).collect()
}

fn compare(group: &Group, name: &str, lost: usize, way: Way, rounds: usize) {
    let rebuilder = Rebuilder::new(&Limits::default());
    let units = group.lost(lost);
    let (mut copies, mut samples, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let first = group.copy(&units, way);
        let ours = [(); 2].map(|()| group.rebuild(&rebuilder, &units, way));
        let last = group.copy(&units, way);
        // The first round warms up.
        if round > 0 {
            ratios.push(ours.iter().map(|run| run.seconds).sum::<f64>() / (first + last));
            copies.extend([first, last]);
            samples.extend(ours);
        }
    }
    let read = group.sources(&units).len();
    let bytes = group.layout.unit_len(0) as f64 * (read + lost) as f64;
    let rate = |seconds: &mut dyn Iterator<Item = f64>| {
        let (least, median, most) = spread(seconds.map(|seconds| bytes / seconds / 1e9));
        format!("{median:.2} ({least:.2} to {most:.2})")
    };
    let (least, ratio, most) = spread(ratios.iter().copied());
    let share = |of: fn(&Progress) -> f64, workers: usize| {
        let shares =
            samples.iter().map(|run| of(&run.progress) / run.seconds / workers as f64 * 100.0);
        spread(shares).1
    };
    println!(
        "| {name} | {lost} | {} | {} | {} | {ratio:.2} ({least:.2} to {most:.2}) | {:.0} % | {:.0} % | {:.0} % |",
        way.name(),
        rate(&mut copies.iter().copied()),
        rate(&mut samples.iter().map(|run| run.seconds)),
        share(|progress| progress.reading.as_secs_f64(), read),
        share(|progress| progress.computing.as_secs_f64(), 1),
        share(|progress| progress.sending.as_secs_f64(), lost),
    );
}

/// Least, median, most.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}
