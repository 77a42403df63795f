//! Going once through all of a group, on several threads: read, check, heal, and hand each tile
//! to whoever asked.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::{Failure, Result};
use crate::geometry::Geometry;
use crate::heal::group::Group;
use crate::heal::healer::{Healer, Options};
use crate::heal::marks::Marks;
use crate::heal::rounds::{Memory, Reached, Rounds, Terms};
use crate::heal::tile::Tile;
use crate::pipeline::{Trouble, tile_len};
use crate::progress::Progress;
use crate::size::human;
use crate::sums::SumKind;

/// Bytes of each row that a thread takes on at once: long reads for disks.
const WINDOW: u64 = 1 << 20;

/// Threads, and bytes of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassBudget {
    /// Threads that read, compute and write. One more than compute at a time, so that one may
    /// wait for a disk.
    pub workers: usize,
    /// Bytes of each row in a tile.
    pub tile: usize,
    /// Bytes that the rounds of one thread may take.
    pub memory: usize,
}

impl PassBudget {
    /// The best use of `memory` bytes by at most `threads` threads.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] when not even one chunk of every unit fits.
    pub fn new(geometry: &Geometry, kind: SumKind, memory: u64, threads: usize) -> Result<Self> {
        let rows = geometry.rows().count();
        let mut budget = Self { workers: threads + 1, tile: tile_len(rows, kind), memory: 0 };
        // Buffers for all rows, as much again to compare with, and the sums.
        let need = |budget: &Self| (budget.workers * rows * budget.tile) as u64 * 17 / 8;
        while need(&budget) > memory {
            if budget.workers > 1 {
                budget.workers -= 1;
            } else if budget.tile > kind.bytes_per_checksum() {
                budget.tile = (budget.tile / 2).next_multiple_of(kind.bytes_per_checksum());
            } else {
                return Err(Failure::asked(
                    format!(
                        "--memory of {} is too little for {}",
                        human(memory),
                        geometry.policy()
                    ),
                    format!("give --memory {} or more", need(&budget)),
                ));
            }
        }
        // Two rounds at a time, as the buffers above are two tiles: more would only leave the cache.
        let memory = memory / 2 / budget.workers as u64;
        budget.memory = usize::try_from(memory).unwrap_or(usize::MAX);
        Ok(budget)
    }
}

/// Reads and heals all of a group, calling `visit` with each tile, from several threads and in
/// no certain order.
///
/// # Errors
///
/// The first failure of the healer or of `visit`, which ends the pass.
pub fn run(
    group: &Group,
    options: Options,
    budget: PassBudget,
    progress: &Progress,
    visit: &(dyn Fn(&Tile<'_>) -> Result<()> + Sync),
) -> Result<()> {
    let rows = group.rows();
    // Of the rows, from here on.
    let longest = rows.row_len(group.longest());
    // Cells that have several rows are gone through whole.
    let grain = if rows.of_unit(0).len() > 1 { rows.part() } else { budget.tile as u64 };
    let window = WINDOW.next_multiple_of(grain);
    let windows = longest.div_ceil(window);
    let next = AtomicU64::new(0);
    let trouble = Trouble::default();
    let workers = budget.workers.min(windows as usize);
    let units = group.units().len();
    let work = || {
        let tile = budget.tile.min(longest as usize);
        let mut buffers: Vec<Vec<u8>> = Vec::new();
        let mut marks = Marks::default();
        let mut healer = Healer::new(group, options);
        let mut memory = Memory::default();
        let terms =
            Terms { read_all: true, compare: options.compare, round: tile, memory: budget.memory };
        // Where nothing is to be computed, there is nothing for rounds to do; and they take right
        // sums for a proof.
        let mut rounds = (options.rebuild_absent && !options.deep)
            .then(|| Rounds::new(group, terms, &mut memory));
        let all: Vec<usize> = (0..units).filter(|&unit| !group.units()[unit].is_empty()).collect();
        let mut see = |tile: &Tile<'_>| {
            visit(tile)?;
            progress.add(tile.lens.iter().sum::<usize>() as u64);
            Ok(())
        };
        loop {
            let start = next.fetch_add(1, Ordering::Relaxed) * window;
            if start >= longest || trouble.stopped() {
                return;
            }
            let ahead = start + workers as u64 * window;
            if ahead < longest {
                let ahead = rows.start(ahead)..rows.start((ahead + window).min(longest));
                group.will_need(0..units, &ahead);
            }
            let end = (start + window).min(longest);
            let mut at = start;
            while at < end {
                let mut by_healer = end;
                if let Some(rounds) = &mut rounds {
                    let range = rows.start(at)..rows.start(end).min(group.longest());
                    let reached = rounds.run(&all, range, &mut marks, &mut see);
                    match trouble.note(reached) {
                        None => return,
                        Some(Reached::End) => break,
                        Some(Reached::Stopped(offset)) => {
                            at = rows.at(offset);
                            by_healer = rows.tile_end(at, tile as u64).min(end);
                        }
                    }
                    // The memory is there for either.
                    rounds.free();
                }
                buffers.resize_with(rows.count(), || vec![0; tile]);
                while at < by_healer {
                    let piece_end = rows.piece_end(at, tile as u64).min(by_healer);
                    let (start, len) = (rows.start(at), (piece_end - at) as usize);
                    let done = visit_tile(
                        group,
                        &mut healer,
                        &mut buffers,
                        &mut marks,
                        start,
                        len,
                        &mut see,
                    );
                    if trouble.note(done).is_none() {
                        return;
                    }
                    at = piece_end;
                }
                if rounds.is_some() {
                    buffers = Vec::new();
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    trouble.into_result()
}

fn visit_tile(
    group: &Group,
    healer: &mut Healer<'_>,
    buffers: &mut [Vec<u8>],
    marks: &mut Marks,
    start: u64,
    len: usize,
    visit: &mut dyn FnMut(&Tile<'_>) -> Result<()>,
) -> Result<()> {
    let lens = group.lens_within(start, len);
    let bytes = buffers.iter_mut().map(|buffer| &mut buffer[..len]).collect();
    let chunk = group.sum_kind().bytes_per_checksum();
    let rows = group.rows();
    let mut tile = Tile { rows, start, len, chunk, lens: &lens, bytes, marks };
    let everything = vec![0..tile.columns(); lens.len()];
    healer.read_all(&mut tile);
    healer.heal(&mut tile, &everything)?;
    visit(&tile)
}
