//! From a stream of bytes to blocks: one thread reads stripes, one hashes them in order, several
//! compute parity and sums and write, one finishes groups.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use restripe::ErasureCode;
use sha2::{Digest, Sha256};

use super::{Budget, Trouble, tile_len};
use crate::failure::{Failure, Result};
use crate::folder::manifest::{ManifestGroup, Sha256Digest};
use crate::folder::names;
use crate::geometry::Geometry;
use crate::heal::group::digest_of;
use crate::io::write_all_at;
use crate::progress::Progress;
use crate::sums::{HEADER_LEN, SumKind};
use crate::unfinished::Undo;

/// What goes in, and how.
pub struct Input<'a> {
    /// What is encoded.
    pub source: &'a mut dyn Read,
    /// What messages call it.
    pub source_path: &'a Path,
    /// Where the blocks go.
    pub folder: &'a Path,
    /// Policy and block size; the size in it does not count.
    pub geometry: &'a Geometry,
    /// The sums of the `.meta` files.
    pub kind: SumKind,
    /// Memory and threads.
    pub budget: Budget,
    /// Whether blocks are put on the disk before they count as written.
    pub durable: bool,
    /// Whom to tell of bytes done.
    pub progress: &'a Progress,
}

/// What came out.
#[derive(Debug)]
pub struct Encoded {
    /// Bytes read.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: Sha256Digest,
    /// The groups, in order.
    pub groups: Vec<ManifestGroup>,
    /// Bytes written, sums included.
    pub written: u64,
    /// The files written; each is removed again unless it is kept.
    pub files: Vec<Undo>,
}

/// The open files of a group, and its length once that is known.
struct GroupFiles {
    index: u64,
    len: AtomicU64,
    units: Vec<Option<UnitFiles>>,
}

struct UnitFiles {
    data: File,
    meta: File,
    name: String,
}

/// Whole stripes of one group: a buffer for every data unit.
struct Window {
    /// Offset in the internal blocks.
    start: u64,
    /// Bytes of each data unit.
    lens: Vec<usize>,
    units: Vec<Vec<u8>>,
}

impl Window {
    fn len(&self) -> usize {
        self.lens.iter().sum()
    }

    /// Fills whole stripes from a source; returns the bytes read, less than asked for only at
    /// the source's end.
    fn fill(&mut self, source: &mut dyn Read, stripes: u64, cell: usize) -> io::Result<usize> {
        let mut cells: Vec<Vec<&mut [u8]>> = self
            .units
            .iter_mut()
            .map(|unit| unit.chunks_mut(cell).take(stripes as usize).rev().collect())
            .collect();
        let mut order: Vec<IoSliceMut<'_>> = Vec::new();
        for _ in 0..stripes {
            order.extend(cells.iter_mut().filter_map(Vec::pop).map(IoSliceMut::new));
        }
        let mut left = &mut order[..];
        let mut total = 0;
        while !left.is_empty() {
            match source.read_vectored(left) {
                Ok(0) => break,
                Ok(read) => {
                    total += read;
                    IoSliceMut::advance_slices(&mut left, read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let stripe = cell * self.units.len();
        for (unit, len) in self.lens.iter_mut().enumerate() {
            let partial = (total % stripe).saturating_sub(unit * cell).min(cell);
            *len = total / stripe * cell + partial;
        }
        Ok(total)
    }

    /// The bytes in the order of the source.
    fn in_order(&self, cell: usize) -> impl Iterator<Item = &[u8]> {
        let stripes = self.lens[0].div_ceil(cell);
        (0..stripes).flat_map(move |stripe| {
            self.units.iter().zip(&self.lens).map(move |(unit, &len)| {
                let start = (stripe * cell).min(len);
                &unit[start..(start + cell).min(len)]
            })
        })
    }
}

struct Work {
    window: Arc<Window>,
    group: Arc<GroupFiles>,
}

/// Encodes a source to its end.
///
/// # Errors
///
/// [`Failure::Io`] and [`Failure::Engine`]; the files written are removed again.
pub fn run(input: Input<'_>) -> Result<Encoded> {
    let code = input.geometry.code()?;
    let trouble = Trouble::default();
    let Budget { buffers, workers, .. } = input.budget;
    let (free_in, free) = bounded(buffers);
    let (work_in, work) = bounded::<Work>(buffers);
    let (hash_in, hash) = bounded::<Arc<Window>>(buffers);
    let (finish_in, finish) = bounded::<GroupFiles>(1);
    let cell = input.geometry.cell_size() as usize;
    let unit_len = input.budget.stripes as usize * cell;
    for _ in 0..buffers {
        let units = vec![vec![0; unit_len]; input.geometry.data_units()];
        let window = Window { start: 0, lens: vec![0; units.len()], units };
        // There is room for exactly as many.
        let _ = free_in.send(window);
    }
    let worker = Worker {
        code: &*code,
        kind: input.kind,
        cell,
        folder: input.folder,
        trouble: &trouble,
        progress: input.progress,
        written: AtomicU64::new(0),
    };
    let (durable, folder) = (input.durable, input.folder);
    let mut reader = Reader { input, free, files: Vec::new(), size: 0, headers: 0 };

    let (sha256, groups) = std::thread::scope(|scope| {
        let back = free_in.clone();
        let hasher = scope.spawn(move || hash_in_order(&hash, &back, cell));
        for number in 0..workers {
            let (work, back, done) = (work.clone(), free_in.clone(), finish_in.clone());
            let worker = &worker;
            // Each begins writing with another block, so that they do not wait for each other.
            let first = number * worker.code.total_units() / workers;
            scope.spawn(move || worker.run(&work, &back, &done, unit_len, first));
        }
        drop((work, free_in));
        let trouble = &trouble;
        let finisher = scope.spawn(move || {
            let mut groups = Vec::new();
            for group in finish {
                if !trouble.stopped() {
                    groups.extend(trouble.note(finish_group(group, folder, durable)));
                }
            }
            groups.sort_by_key(|(index, _): &(u64, ManifestGroup)| *index);
            groups.into_iter().map(|(_, group)| group).collect::<Vec<_>>()
        });
        let read = reader.read_all(&work_in, &hash_in, &finish_in, trouble);
        trouble.note(read);
        drop((work_in, hash_in, finish_in));
        (join(hasher), join(finisher))
    });
    let written = worker.written.into_inner() + reader.headers;
    trouble.into_result()?;
    let Reader { files, size, .. } = reader;
    Ok(Encoded { size, sha256, groups, written, files })
}

/// The value of a thread; its panic goes on in this one.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

struct Reader<'a> {
    input: Input<'a>,
    free: Receiver<Window>,
    files: Vec<Undo>,
    size: u64,
    headers: u64,
}

impl Reader<'_> {
    fn read_all(
        &mut self,
        work: &Sender<Work>,
        hash: &Sender<Arc<Window>>,
        finish: &Sender<GroupFiles>,
        trouble: &Trouble,
    ) -> Result<()> {
        let geometry = self.input.geometry;
        let cell = geometry.cell_size();
        let stripe = cell * geometry.data_units() as u64;
        let in_group = geometry.block_size() / cell;
        for index in 0.. {
            let mut group: Option<Arc<GroupFiles>> = None;
            let mut at = 0;
            let mut ended = false;
            while at < in_group && !ended {
                // The channel is closed only when every worker has gone, which is a failure.
                let Ok(mut window) = self.free.recv() else { return Ok(()) };
                if trouble.stopped() {
                    return Ok(());
                }
                let stripes = self.input.budget.stripes.min(in_group - at);
                let read = window.fill(self.input.source, stripes, cell as usize);
                let read = read.map_err(|error| {
                    Failure::io_at("read", self.input.source_path, self.size, error)
                })?;
                ended = (read as u64) < stripes * stripe;
                if read == 0 {
                    break;
                }
                self.size += read as u64;
                window.start = at * cell;
                at += stripes;
                let open = match &group {
                    Some(group) => group.clone(),
                    None => group.insert(Arc::new(self.create(index, &window)?)).clone(),
                };
                open.len.fetch_add(read as u64, Ordering::Relaxed);
                let window = Arc::new(window);
                // Both ends live as long as this thread's scope.
                let _ = hash.send(window.clone());
                let _ = work.send(Work { window, group: open });
            }
            // The last one to let go of a group hands it on to be finished.
            if let Some(group) = group.and_then(Arc::into_inner) {
                let _ = finish.send(group);
            }
            if ended || at == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Creates the files of a group; a data unit without bytes in the first stripe has none.
    fn create(&mut self, index: u64, first: &Window) -> Result<GroupFiles> {
        let geometry = self.input.geometry;
        let mut units = Vec::new();
        for unit in 0..geometry.total_units() {
            if first.lens.get(unit) == Some(&0) {
                units.push(None);
                continue;
            }
            let name = names::own_block(index, unit);
            let (data, undo) = Undo::create_file(&self.input.folder.join(&name))?;
            self.files.push(undo);
            let meta_path = self.input.folder.join(names::own_meta(index, unit));
            let (meta, undo) = Undo::create_file(&meta_path)?;
            self.files.push(undo);
            write_all_at(&meta, &self.input.kind.header(), 0)
                .map_err(|error| Failure::io("write", meta_path, error))?;
            self.headers += HEADER_LEN as u64;
            units.push(Some(UnitFiles { data, meta, name }));
        }
        Ok(GroupFiles { index, len: AtomicU64::new(0), units })
    }
}

fn hash_in_order(
    windows: &Receiver<Arc<Window>>,
    back: &Sender<Window>,
    cell: usize,
) -> Sha256Digest {
    let mut hasher = Sha256::new();
    for window in windows {
        window.in_order(cell).for_each(|bytes| hasher.update(bytes));
        if let Some(window) = Arc::into_inner(window) {
            // Nobody waits for buffers any more when the reader has gone.
            let _ = back.send(window);
        }
    }
    hasher.finalize().into()
}

struct Worker<'a> {
    code: &'a dyn ErasureCode,
    kind: SumKind,
    cell: usize,
    folder: &'a Path,
    trouble: &'a Trouble,
    progress: &'a Progress,
    written: AtomicU64,
}

impl Worker<'_> {
    fn run(
        &self,
        work: &Receiver<Work>,
        back: &Sender<Window>,
        finish: &Sender<GroupFiles>,
        unit_len: usize,
        first: usize,
    ) {
        let mut parity = vec![vec![0; unit_len]; self.code.parity_units()];
        let mut sums = vec![Vec::new(); self.code.total_units()];
        for Work { window, group } in work {
            if !self.trouble.stopped() {
                let encoded = self
                    .encode(&window, &mut parity, &mut sums)
                    .and_then(|()| self.write(&window, &group, &parity, &sums, first));
                self.trouble.note(encoded);
                self.progress.add(window.len() as u64);
            }
            if let Some(window) = Arc::into_inner(window) {
                let _ = back.send(window);
            }
            if let Some(group) = Arc::into_inner(group) {
                let _ = finish.send(group);
            }
        }
    }

    /// Bytes of each parity unit of a window: whole cells where these have parts.
    fn parity_len(&self, window: &Window) -> usize {
        match self.code.sub_shards() {
            1 => window.lens[0],
            _ => window.lens[0].next_multiple_of(self.cell),
        }
    }

    /// Computes the parity of a window and the sums of all.
    fn encode(&self, window: &Window, parity: &mut [Vec<u8>], sums: &mut [Vec<u8>]) -> Result<()> {
        let longest = self.parity_len(window);
        // Cells that have parts are coded one by one.
        let tile = match self.code.sub_shards() {
            1 => tile_len(self.code.total_units(), self.kind),
            _ => self.cell,
        };
        sums.iter_mut().for_each(Vec::clear);
        for start in (0..longest).step_by(tile) {
            let end = (start + tile).min(longest);
            let data: Vec<&[u8]> = window
                .units
                .iter()
                .zip(&window.lens)
                .map(|(unit, &len)| &unit[start.min(len)..end.min(len)])
                .collect();
            let mut outputs: Vec<&mut [u8]> =
                parity.iter_mut().map(|unit| &mut unit[start..end]).collect();
            let applied = self.code.encode_plan().apply(&data, &mut outputs);
            applied.map_err(Failure::engine("encoding"))?;
            let all = data.iter().copied().chain(parity.iter().map(|unit| &unit[start..end]));
            for (bytes, sums) in all.zip(sums.iter_mut()) {
                self.kind.append(bytes, sums);
            }
        }
        Ok(())
    }

    fn write(
        &self,
        window: &Window,
        group: &GroupFiles,
        parity: &[Vec<u8>],
        sums: &[Vec<u8>],
        first: usize,
    ) -> Result<()> {
        let data = window.units.iter().zip(&window.lens).map(|(unit, &len)| &unit[..len]);
        let parity_len = self.parity_len(window);
        let all = data.chain(parity.iter().map(|unit| &unit[..parity_len]));
        let all: Vec<&[u8]> = all.collect();
        for unit in (first..all.len()).chain(0..first) {
            let (Some(files), bytes) = (&group.units[unit], all[unit]) else { continue };
            let write = |file, bytes, offset, suffix: &str| {
                write_all_at(file, bytes, offset).map_err(|error| {
                    let path = self.folder.join(files.name.clone() + suffix);
                    Failure::io_at("write", path, offset, error)
                })
            };
            write(&files.data, bytes, window.start, "")?;
            write(&files.meta, &sums[unit], self.kind.meta_len(window.start), ".meta")?;
            let written = (bytes.len() + sums[unit].len()) as u64;
            self.written.fetch_add(written, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Puts a group on the disk and takes the digests of its `.meta` files, read back.
fn finish_group(group: GroupFiles, folder: &Path, durable: bool) -> Result<(u64, ManifestGroup)> {
    let len = group.len.into_inner();
    let mut meta_sha256 = Vec::new();
    for unit in group.units {
        let Some(UnitFiles { data, mut meta, name }) = unit else {
            meta_sha256.push(None);
            continue;
        };
        if durable {
            let path = folder.join(&name);
            data.sync_all().map_err(|error| Failure::io("sync", path, error))?;
            let path = folder.join(name.clone() + ".meta");
            meta.sync_all().map_err(|error| Failure::io("sync", path, error))?;
        }
        let digest = digest_of(&mut meta)
            .map_err(|error| Failure::io("read back", folder.join(name + ".meta"), error))?;
        meta_sha256.push(Some(digest));
    }
    Ok((group.index, ManifestGroup { len, meta_sha256 }))
}
