//! From blocks to the bytes of the file: several threads read, check and heal stripes; one
//! hashes them in the order of the file, one writes them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use restripe::Mds;

use super::deliver::{self, Target};
use super::{Budget, Trouble, tile_len};
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::folder::manifest::Sha256Digest;
use crate::heal::group::Group;
use crate::heal::healer::{Healer, Options};
use crate::heal::marks::{Fate, Found, Marks, Trust};
use crate::heal::rounds::{Memory, Reached, Rounds, Terms};
use crate::heal::rows::Rows;
use crate::heal::tile::Tile;
use crate::progress::Progress;
use crate::ranges::Ranges;

/// What goes in, and how.
pub struct Input<'a> {
    /// The blocks.
    pub folder: &'a Folder,
    /// The bytes of the file that are wanted.
    pub range: Range<u64>,
    /// Where they go.
    pub target: Target<'a>,
    /// What messages call that.
    pub target_path: &'a Path,
    /// Whether their SHA-256 is wanted.
    pub hash: bool,
    /// Memory and threads.
    pub budget: Budget,
    /// Whom to tell of bytes done.
    pub progress: &'a Progress,
}

/// What was done for a block on the way.
#[derive(Clone, Debug, Default)]
pub struct Healed {
    /// Ranges of the block that were computed from other blocks.
    pub rebuilt: Ranges,
    /// Ranges that were used, or computed from others, without proof.
    pub unproven: Ranges,
}

/// What came out.
#[derive(Debug)]
pub struct Decoded {
    /// SHA-256 of the bytes, where asked for.
    pub sha256: Option<Sha256Digest>,
    /// What was done for blocks, by group and unit.
    pub healed: BTreeMap<(u64, usize), Healed>,
}

/// Buffers for the data units of a window.
pub(super) type Buffers = Vec<Vec<u8>>;

/// Whole stripes of one group.
pub(super) struct Window {
    /// Counts the windows of a run.
    pub(super) number: u64,
    /// Offset of the wanted bytes in what is decoded.
    pub(super) position: u64,
    group: Arc<Group>,
    /// Offset in the internal blocks.
    start: u64,
    /// What is wanted of the group.
    wanted: Range<u64>,
    units: Buffers,
}

impl Window {
    /// Bytes that are wanted.
    pub(super) fn len(&self) -> usize {
        (self.wanted.end - self.wanted.start) as usize
    }

    /// The bytes that are wanted, in the order of the file, a cell at a time.
    pub(super) fn in_order(&self, folder: &Folder) -> Result<impl Iterator<Item = &[u8]>> {
        let pieces = folder.geometry().pieces(self.group.index(), &self.wanted)?;
        Ok(pieces.map(|piece| {
            let from = (piece.offset - self.start) as usize;
            let len = (piece.group_range.end - piece.group_range.start) as usize;
            &self.units[piece.unit][from..from + len]
        }))
    }

    /// Its buffers, to be filled again.
    pub(super) fn into_buffers(self) -> Buffers {
        self.units
    }
}

/// Decodes.
///
/// # Errors
///
/// [`Failure::Lost`] naming the first block and byte that nothing gives back; [`Failure::Io`] for
/// the target; [`Failure::Engine`].
pub fn run(input: Input<'_>) -> Result<Decoded> {
    let Input { folder, range, target, target_path, hash, budget, progress } = input;
    let Budget { buffers, workers, stripes, rounds } = budget;
    let geometry = folder.geometry();
    let unit_len = (stripes * geometry.cell_size()) as usize;
    let (free_in, free) = bounded::<Buffers>(buffers);
    let (work_in, work) = bounded::<Window>(buffers);
    for _ in 0..buffers {
        // There is room for exactly as many.
        let _ = free_in.send(vec![vec![0; unit_len]; geometry.data_units()]);
    }
    let trouble = Trouble::default();
    let healed = Mutex::default();
    let decoder = Decoder { folder, trouble: &trouble, progress, rounds, healed };
    let sha256 = std::thread::scope(|scope| {
        let consumers = deliver::Consumers {
            folder,
            target_path,
            trouble: &trouble,
            free: free_in,
            capacity: buffers,
        };
        let (hash_in, hasher) = if hash {
            let (hash_in, hasher) = consumers.hash(scope);
            (Some(hash_in), Some(hasher))
        } else {
            (None, None)
        };
        let write_in = consumers.write(scope, target);
        drop(consumers);
        for _ in 0..workers {
            let work = work.clone();
            let outputs: Vec<_> = hash_in.iter().chain([&write_in]).cloned().collect();
            let decoder = &decoder;
            scope.spawn(move || decoder.work(&work, &outputs));
        }
        drop((work, hash_in, write_in));
        trouble.note(decoder.feed(&range, &free, &work_in, stripes));
        drop((work_in, free));
        hasher.map(|hasher| hasher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let healed = decoder.healed.into_inner().unwrap_or_else(PoisonError::into_inner);
    trouble.into_result()?;
    Ok(Decoded { sha256, healed })
}

struct Decoder<'a> {
    folder: &'a Folder,
    trouble: &'a Trouble,
    progress: &'a Progress,
    /// Bytes that the rounds of one thread may take.
    rounds: u64,
    healed: Mutex<BTreeMap<(u64, usize), Healed>>,
}

impl Decoder<'_> {
    /// Opens the groups one after the other and cuts them into windows.
    fn feed(
        &self,
        range: &Range<u64>,
        free: &Receiver<Buffers>,
        work: &Sender<Window>,
        stripes: u64,
    ) -> Result<()> {
        let geometry = self.folder.geometry();
        let (stripe, full) = (geometry.stripe_len(), geometry.full_group_len());
        let mut number = 0;
        if range.is_empty() {
            return Ok(());
        }
        for index in range.start / full..=(range.end - 1) / full {
            let group = Arc::new(Group::open(self.folder, index)?);
            let base = index * full;
            let wanted = range.start.max(base) - base
                ..range.end.min(base + geometry.group_len(index)) - base;
            let last = wanted.end.div_ceil(stripe);
            // Windows begin between two chunks.
            let mut at = wanted.start / stripe / stripes * stripes;
            while at < last {
                // Closed only when the threads at the other end have gone.
                let Ok(units) = free.recv() else { return Ok(()) };
                if self.trouble.stopped() {
                    return Ok(());
                }
                let end = (at + stripes).min(last);
                let wanted = wanted.start.max(at * stripe)..wanted.end.min(end * stripe);
                let window = Window {
                    number,
                    position: base + wanted.start - range.start,
                    group: group.clone(),
                    start: at * geometry.cell_size(),
                    wanted,
                    units,
                };
                if work.send(window).is_err() {
                    return Ok(());
                }
                at = end;
                number += 1;
            }
        }
        Ok(())
    }

    fn work(&self, work: &Receiver<Window>, outputs: &[Sender<Arc<Window>>]) {
        let mut scratch = Scratch::default();
        for mut window in work {
            if !self.trouble.stopped() {
                self.trouble.note(self.decode(&mut window, &mut scratch));
                self.progress.add(window.len() as u64);
            }
            let Some((last, others)) = outputs.split_last() else { return };
            let window = Arc::new(window);
            for output in others {
                // The other ends go only after this one.
                let _ = output.send(window.clone());
            }
            // Not one more reference: whoever drops the last one gives back the buffers, and cannot
            // be this thread, or they would be lost and all would wait for them.
            let _ = last.send(window);
        }
    }

    /// Reads the bytes that are wanted and heals what is wrong with them.
    fn decode(&self, window: &mut Window, scratch: &mut Scratch) -> Result<()> {
        let geometry = self.folder.geometry();
        let group = window.group.clone();
        let wanted = (0..geometry.total_units())
            .map(|unit| group.layout().unit_range(unit, window.wanted.clone()))
            .collect::<restripe::Result<Vec<Range<u64>>>>()
            .map_err(Failure::engine(group.label()))?;
        let units: Vec<usize> =
            (0..wanted.len()).filter(|&unit| !wanted[unit].is_empty()).collect();
        let first = units.iter().map(|&unit| wanted[unit].start).min().unwrap_or(0);
        let last = units.iter().map(|&unit| wanted[unit].end).max().unwrap_or(0);
        let kind = self.folder.sum_kind();
        let rows = geometry.rows();
        let (chunk, tile) = (kind.bytes_per_checksum(), tile_len(rows.count(), kind));
        let data_rows = geometry.data_units() * rows.of_unit(0).len();
        scratch.parity.resize_with(rows.count() - data_rows, || vec![0; tile]);

        // The longest unit ends where the last chunk does that has a byte that is wanted.
        let longest = units.iter().map(|&unit| group.units()[unit].len()).max().unwrap_or(0);
        let last = last.next_multiple_of(chunk as u64).min(longest);
        let (mut at, end) = rows.around(first - first % chunk as u64..last);
        let terms =
            Terms { read_all: false, compare: false, round: tile, memory: self.rounds as usize };
        let mut rounds = Rounds::new(&group, terms, &mut scratch.memory);
        let mut part = Part {
            decoder: self,
            group: &group,
            window,
            wanted: &wanted,
            chunk,
            parity: &mut scratch.parity,
            marks: &mut scratch.marks,
        };
        // What is right goes where it belongs without being held in between.
        if rounds.has_all(&units) {
            while at < end {
                let piece_end = rows.piece_end(at, tile as u64).min(end);
                if !part.read(at, piece_end) {
                    break;
                }
                at = piece_end;
            }
        }
        let mut marks = Marks::default();
        while at < end {
            let range = rows.start(rows.cell_start(at))..rows.start(end).min(longest);
            match rounds.run(&units, range, &mut marks, &mut |tile| part.take(tile))? {
                Reached::End => break,
                Reached::Stopped(offset) => {
                    at = rows.at(offset);
                    let stop = rows.tile_end(at, tile as u64).min(end);
                    while at < stop {
                        let piece_end = rows.piece_end(at, tile as u64).min(stop);
                        part.heal(at, piece_end)?;
                        at = piece_end;
                    }
                }
            }
        }
        Ok(())
    }

    /// Fails on what is lost, and notes what was healed.
    fn note_fates(&self, group: &Group, tile: &Tile<'_>, wanted: &[Range<usize>]) -> Result<()> {
        for (row, wanted) in wanted.iter().enumerate() {
            let unit = tile.rows.unit(row);
            for column in wanted.clone() {
                let fate = tile.marks.fate(row)[column];
                if fate == Fate::Fine {
                    continue;
                }
                let (span, offset) = (tile.unit_span(row, &(column..column + 1)), tile.offset(row));
                let range = offset + span.start as u64..offset + span.end as u64;
                let (rebuilt, trust) = match fate {
                    Fate::Kept(trust) => (false, trust),
                    Fate::Rebuilt(trust) => (true, trust),
                    _ => return Err(self.lost(group, tile, unit, column, range.start)),
                };
                let mut healed = self.healed.lock().unwrap_or_else(PoisonError::into_inner);
                let healed = healed.entry((group.index(), unit)).or_default();
                if rebuilt {
                    healed.rebuilt.add(range.clone());
                }
                if trust != Trust::Proven {
                    healed.unproven.add(range);
                }
            }
        }
        Ok(())
    }

    fn lost(
        &self,
        group: &Group,
        tile: &Tile<'_>,
        unit: usize,
        column: usize,
        offset: u64,
    ) -> Failure {
        let code = group.code();
        let is_good = |row| matches!(tile.marks.found(row)[column], Found::Good | Found::Zero);
        let (total, index) = (code.total_units(), group.index());
        let good = (0..total).filter(|&unit| tile.rows.of_unit(unit).all(is_good)).count();
        let enough = if tile.rows.of_unit(0).len() == 1 && code.mds() != Mds::Unchecked {
            format!("{good} are good there and {} are needed", code.data_units())
        } else {
            format!("{good} are good there, and what is good does not determine it")
        };
        let file = group.units()[unit].files().block.file_name().unwrap_or_default();
        Failure::Lost {
            path: self.folder.path().to_owned(),
            message: format!(
                "{} cannot be rebuilt at byte {offset}: of the {total} units of group {index}, \
                 {enough}",
                file.to_string_lossy(),
            ),
            advice: Some(
                "look for other copies of the damaged blocks (restripe verify lists them), put \
                 them into the folder, and try again; --range decodes the parts that are whole"
                    .to_owned(),
            ),
        }
    }
}

/// Memory that a thread uses again.
#[derive(Default)]
struct Scratch {
    parity: Vec<Vec<u8>>,
    marks: Marks,
    memory: Memory,
}

/// What is wanted of a window, and where it goes.
struct Part<'a, 'd> {
    decoder: &'a Decoder<'d>,
    group: &'a Group,
    window: &'a mut Window,
    /// Of each unit.
    wanted: &'a [Range<u64>],
    chunk: usize,
    parity: &'a mut [Vec<u8>],
    marks: &'a mut Marks,
}

impl Part<'_, '_> {
    /// The chunks that are wanted of each row, of so many bytes from some place on.
    fn columns(&self, rows: Rows, start: u64, len: usize) -> Vec<Range<usize>> {
        let of_row = |row| {
            let offset = rows.offset(row, start);
            columns_of(&self.wanted[rows.unit(row)], offset..offset + len as u64, self.chunk)
        };
        (0..rows.count()).map(of_row).collect()
    }

    /// Has something done with a tile whose bytes are the window's own; `None` where nothing of it
    /// is wanted.
    fn with_tile<T>(
        &mut self,
        at: u64,
        end: u64,
        work: impl FnOnce(&Decoder<'_>, &mut Tile<'_>, &[Range<usize>]) -> T,
    ) -> Option<T> {
        let rows = self.group.rows();
        let (start, len) = (rows.start(at), (end - at) as usize);
        let columns = self.columns(rows, start, len);
        if columns.iter().all(Range::is_empty) {
            return None;
        }
        let from = (start - self.window.start) as usize;
        let lens = self.group.lens_within(start, len);
        let data = self.window.units.iter_mut().flat_map(|unit| rows.split(unit, from, len));
        let bytes = data.chain(self.parity.iter_mut().map(|row| &mut row[..len])).collect();
        let (chunk, marks) = (self.chunk, &mut *self.marks);
        let mut tile = Tile { rows, start, len, chunk, lens: &lens, bytes, marks };
        Some(work(self.decoder, &mut tile, &columns))
    }

    /// Reads what is wanted; says whether all of it is right.
    fn read(&mut self, at: u64, end: u64) -> bool {
        let group = self.group;
        let read = |_: &Decoder<'_>, tile: &mut Tile<'_>, columns: &[Range<usize>]| {
            tile.begin();
            for (row, columns) in columns.iter().enumerate() {
                group.read(tile, row, columns.clone());
            }
            tile.marks.good_where(columns)
        };
        self.with_tile(at, end, read).unwrap_or(true)
    }

    /// Takes what rounds brought.
    fn take(&mut self, tile: &Tile<'_>) -> Result<()> {
        for row in (0..tile.rows.count()).filter(|&row| tile.lens[row] > 0) {
            let from = (tile.offset(row) - self.window.start) as usize;
            let to = &mut self.window.units[tile.rows.unit(row)][from..from + tile.lens[row]];
            to.copy_from_slice(&tile.bytes[row][..tile.lens[row]]);
        }
        let columns = self.columns(tile.rows, tile.start, tile.len);
        self.decoder.note_fates(self.group, tile, &columns)
    }

    /// Heals what rounds stopped at.
    fn heal(&mut self, at: u64, end: u64) -> Result<()> {
        let group = self.group;
        let options =
            Options { rebuild_absent: true, compare: false, check_spare: false, deep: false };
        let mut healer = Healer::new(group, options);
        let heal = |decoder: &Decoder<'_>, tile: &mut Tile<'_>, columns: &[Range<usize>]| {
            healer.read_enough(tile, columns)?;
            healer.heal(tile, columns)?;
            decoder.note_fates(group, tile, columns)
        };
        self.with_tile(at, end, heal).unwrap_or(Ok(()))
    }
}

/// The chunks of a tile that a range of a unit touches.
fn columns_of(range: &Range<u64>, tile: Range<u64>, chunk: usize) -> Range<usize> {
    let start = (range.start.clamp(tile.start, tile.end) - tile.start) as usize;
    let end = (range.end.clamp(tile.start, tile.end) - tile.start) as usize;
    if start < end { start / chunk..end.div_ceil(chunk) } else { 0..0 }
}
