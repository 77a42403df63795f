//! Mending one block and its `.meta` file.

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{Outcome, Reason, Terms};
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::heal::finding::Finding;
use crate::heal::group::{Group, Unit, digest_of};
use crate::heal::marks::{Fate, Trust};
use crate::heal::tile::Tile;
use crate::io::{dress_like, forget_cached, read_at, write_all_at};
use crate::sums::{self, SumKind};
use crate::unfinished::NewFile;

/// Bytes copied at once.
const PIECE: usize = 1 << 20;

/// The mending of one unit; tiles come to it from several threads.
pub(super) struct UnitMend<'a> {
    group: &'a Group,
    index: usize,
    unit: &'a Unit,
    terms: Terms,
    /// All of the `.meta` file is to be written, not only the sums that are wrong.
    whole_meta: bool,
    meta_target: Option<PathBuf>,
    /// Where the folder has other blocks, one whose permissions a new one takes.
    model: Option<PathBuf>,
    block: Fresh,
    meta: Fresh,
    failed: Mutex<Option<Reason>>,
    needed: Needed,
}

/// What a dry run would have written.
#[derive(Default)]
struct Needed {
    block: AtomicBool,
    meta: AtomicBool,
}

/// A file that is begun by whoever needs it first.
#[derive(Default)]
struct Fresh {
    file: OnceLock<NewFile>,
    beginning: Mutex<()>,
    /// Bytes that were read back when they were written.
    read_back: AtomicU64,
}

impl Fresh {
    fn get_or_begin(&self, begin: impl FnOnce() -> Result<NewFile>) -> Result<&NewFile> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let _one = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = begin()?;
        Ok(self.file.get_or_init(|| file))
    }
}

impl<'a> UnitMend<'a> {
    pub(super) fn new(folder: &Folder, group: &'a Group, index: usize, terms: Terms) -> Self {
        let unit = &group.units()[index];
        let mend = Self {
            group,
            index,
            unit,
            terms,
            whole_meta: unit.findings().any(|finding| !finding.is_of_block()),
            meta_target: folder.meta_target(group.index(), index),
            model: group
                .units()
                .iter()
                .find(|unit| unit.data().is_some())
                .map(|unit| unit.files().block.clone()),
            block: Fresh::default(),
            meta: Fresh::default(),
            failed: Mutex::default(),
            needed: Needed::default(),
        };
        let block = unit.findings().any(Finding::is_of_block);
        mend.need(block, mend.whole_meta);
        if !terms.dry_run {
            mend.note(mend.begin(block));
        }
        mend
    }

    /// Begins what is known to be needed before any byte has been read.
    fn begin(&self, block: bool) -> Result<()> {
        if block {
            self.block()?;
        }
        if self.whole_meta && self.meta_target.is_some() {
            self.meta()?;
        }
        Ok(())
    }

    fn need(&self, block: bool, meta: bool) {
        self.needed.block.fetch_or(block, Relaxed);
        self.needed.meta.fetch_or(meta, Relaxed);
    }

    fn fail(&self, reason: Reason) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let worse = failed.as_ref().is_none_or(|known| *known < reason);
        if worse {
            *failed = Some(reason);
        }
    }

    fn note<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|failure| self.fail(Reason::System { error: failure.to_string() })).ok()
    }

    fn failed(&self) -> Option<Reason> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The new block, begun as a copy of what is there of the old one.
    fn block(&self) -> Result<&NewFile> {
        self.block.get_or_begin(|| {
            let new = NewFile::create(&self.unit.files().block)?;
            if let Some((data, len)) = self.unit.data() {
                copy_readable(data, len, self.group.sum_kind(), &new)?;
            }
            Ok(new)
        })
    }

    /// The new `.meta` file: with its header only, or a copy in which single sums are replaced.
    fn meta(&self) -> Result<&NewFile> {
        let target = self.meta_target.as_deref().unwrap_or(Path::new(""));
        self.meta.get_or_begin(|| {
            let new = NewFile::create(target)?;
            let kind = self.group.sum_kind();
            self.write_at(&self.meta, &new, &kind.header(), 0)?;
            if !self.whole_meta {
                let count = self.unit.len().div_ceil(kind.bytes_per_checksum() as u64);
                let stored = self.unit.stored_sums(0, count as usize);
                self.write_at(&self.meta, &new, &stored, kind.meta_len(0))?;
            }
            Ok(new)
        })
    }

    /// Takes what a healed tile has of this unit.
    pub(super) fn take(&self, tile: &Tile<'_>) {
        tile.rows.of_unit(self.index).for_each(|row| self.take_row(tile, row));
    }

    fn take_row(&self, tile: &Tile<'_>, row: usize) {
        let present = 0..tile.lens[row].div_ceil(tile.chunk);
        let fates = &tile.marks.fate(row)[present.clone()];
        let fine = fates.iter().all(|&fate| fate == Fate::Fine);
        if present.is_empty() || (fine && !self.whole_meta) {
            return;
        }
        for &fate in fates {
            self.judge(fate);
        }
        if !self.can_go_on() {
            return;
        }
        self.note(self.write(tile, row, present));
    }

    /// Notes what stands in the way of writing this unit anew.
    fn judge(&self, fate: Fate) {
        // A digest in the manifest proves the result, whatever it was made of.
        let trusting = self.terms.trust_unverified || self.unit.digest().is_some();
        match fate {
            Fate::Fine | Fate::Kept(Trust::Proven) | Fate::Rebuilt(Trust::Proven) => {}
            Fate::Kept(_) | Fate::Rebuilt(_) if trusting => {}
            Fate::Kept(_) | Fate::Rebuilt(_) => self.fail(Reason::Unproven),
            Fate::Contradicted => self.fail(Reason::Contradicted),
            Fate::Lost => self.fail(Reason::Lost),
        }
    }

    fn can_go_on(&self) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn write(&self, tile: &Tile<'_>, row: usize, present: Range<usize>) -> Result<()> {
        let fates = &tile.marks.fate(row)[present.clone()];
        let mut start = 0;
        while let Some(first) =
            fates[start..].iter().position(|fate| matches!(fate, Fate::Rebuilt(_)))
        {
            let first = start + first;
            let run = fates[first..].iter().take_while(|fate| matches!(fate, Fate::Rebuilt(_)));
            start = first + run.count();
            self.need(true, false);
            if !self.terms.dry_run {
                let span = tile.unit_span(row, &(first..start));
                let offset = tile.offset(row) + span.start as u64;
                self.write_at(&self.block, self.block()?, &tile.bytes[row][span], offset)?;
            }
        }
        self.write_sums(tile, row, present)
    }

    fn write_sums(&self, tile: &Tile<'_>, row: usize, present: Range<usize>) -> Result<()> {
        let kind = self.group.sum_kind();
        let rebuilt = tile.marks.fate(row)[present.clone()]
            .iter()
            .any(|fate| matches!(fate, Fate::Rebuilt(_)));
        if self.terms.dry_run && rebuilt {
            // Nothing has been rebuilt, so there is nothing to sum.
            return Ok(());
        }
        let count = present.len();
        let sums = kind.sums(tile.unit_bytes(row, &present));
        if !self.whole_meta && sums == self.unit.stored_sums(tile.offset(row), count) {
            return Ok(());
        }
        self.need(false, true);
        if self.terms.dry_run || self.meta_target.is_none() {
            return Ok(());
        }
        self.write_at(&self.meta, self.meta()?, &sums, kind.meta_len(tile.offset(row)))
    }

    /// Writes to a new file. Where nothing is to be put on the disk, it is compared at once with
    /// what the system gives back, while the caches still hold it.
    fn write_at(&self, fresh: &Fresh, new: &NewFile, bytes: &[u8], offset: u64) -> Result<()> {
        write_all_at(new.file(), bytes, offset)
            .map_err(|error| Failure::io_at("write", new.part(), offset, error))?;
        if self.terms.durable {
            return Ok(());
        }
        let mut found = vec![0; bytes.len()];
        let got = read_at(new.file(), &mut found, offset)
            .map_err(|error| Failure::io_at("read back", new.part(), offset, error))?;
        if found[..got] != *bytes {
            self.fail(Reason::ReadBack);
        }
        fresh.read_back.fetch_add(bytes.len() as u64, Relaxed);
        Ok(())
    }

    /// Whether every byte of both new files was read back when it was written. What was copied
    /// from an old block was not.
    fn has_been_read_back(&self) -> bool {
        let whole = |fresh: &Fresh, len: u64| {
            let is_as_long =
                |new: &NewFile| new.file().metadata().is_ok_and(|metadata| metadata.len() == len);
            fresh.read_back.load(Relaxed) == len && fresh.file.get().is_some_and(is_as_long)
        };
        let len = self.unit.len();
        whole(&self.block, len) && whole(&self.meta, self.group.sum_kind().meta_len(len))
    }

    /// Puts in place what was written, if it is what it should be.
    pub(super) fn finish(&self) -> Outcome {
        let (block, meta) = (self.needed.block.load(Relaxed), self.needed.meta.load(Relaxed));
        if meta && self.meta_target.is_none() {
            self.fail(Reason::GenerationUnknown);
        }
        let failed = self.failed();
        if !block && !meta && failed.is_none() {
            return Outcome::Verified;
        }
        let reason = match failed {
            Some(reason) => reason,
            None if self.terms.dry_run => return Outcome::WouldRebuild { block, meta },
            None => match self.put_in_place() {
                Ok(None) => return Outcome::Rebuilt { block, meta },
                Ok(Some(reason)) => reason,
                Err(failure) => Reason::System { error: failure.to_string() },
            },
        };
        // What was written of them goes with the values that hold it.
        Outcome::LeftAlone { reason }
    }

    fn put_in_place(&self) -> Result<Option<Reason>> {
        let kind = self.group.sum_kind();
        let len = self.unit.len();
        let (block, meta) = (self.block.file.get(), self.meta.file.get());
        for new in [block, meta].into_iter().flatten() {
            if let Some(model) = &self.model
                && let Ok(metadata) = fs::metadata(model)
            {
                dress_like(new.file(), &metadata)
                    .map_err(|error| Failure::io("set the permissions of", new.part(), error))?;
            }
            if self.terms.durable {
                new.sync()?;
                forget_cached(new.file());
            }
        }
        let new_meta = meta.map(NewFile::file);
        let data = block.map(NewFile::file).or(self.unit.data().map(|(data, _)| data));
        let path = &self.unit.files().block;
        let Some(data) = data else { return Ok(Some(Reason::ReadBack)) };
        let right = match new_meta {
            Some(_) if self.has_been_read_back() => Ok(true),
            Some(meta) => sums::agree(data, len, kind, meta),
            None => self.unit.agrees_with_stored_sums(data),
        };
        if !right.map_err(|error| Failure::io("read back", path, error))? {
            return Ok(Some(Reason::ReadBack));
        }
        if let (Some(digest), Some(meta)) = (self.unit.digest(), new_meta) {
            let meta =
                &mut meta.try_clone().map_err(|error| Failure::io("read back", path, error))?;
            let found = digest_of(meta).map_err(|error| Failure::io("read back", path, error))?;
            if found != digest {
                return Ok(Some(Reason::NotInManifest));
            }
        }
        self.rename()?;
        Ok(None)
    }

    fn rename(&self) -> Result<()> {
        // Either order is safe: a chunk that was good has the same bytes and the same sum in the
        // old files and in the new ones.
        for fresh in [&self.block, &self.meta] {
            if let Some(new) = fresh.file.get() {
                new.finish()?;
            }
        }
        Ok(())
    }
}

/// Copies what can be read of a block; what cannot is left out and healed later.
fn copy_readable(data: &File, len: u64, kind: SumKind, new: &NewFile) -> Result<()> {
    let chunk = kind.bytes_per_checksum();
    let mut buffer = vec![0; PIECE.next_multiple_of(chunk)];
    let failure = |offset| move |error| Failure::io_at("write", new.part(), offset, error);
    let mut offset = 0;
    let mut step = buffer.len();
    while offset < len {
        let want = (len - offset).min(step as u64) as usize;
        match read_at(data, &mut buffer[..want], offset) {
            Ok(got) => {
                write_all_at(new.file(), &buffer[..got], offset).map_err(failure(offset))?;
                offset += want as u64;
            }
            // Then chunk by chunk, leaving out those that cannot be read.
            Err(_) if step > chunk => step = chunk,
            Err(_) => offset += want as u64,
        }
    }
    Ok(())
}
