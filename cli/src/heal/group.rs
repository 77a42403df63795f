//! One block group as it lies in the folder: its files open, their lengths and `.meta` files
//! looked at, ready to be read by the chunk.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use restripe::ErasureCode;
use restripe::layout::StripedLayout;
use sha2::{Digest, Sha256};

use crate::failure::Result;
use crate::folder::manifest::Sha256Digest;
use crate::folder::{BlockFiles, Folder};
use crate::heal::finding::Finding;
use crate::heal::marks::Found;
use crate::heal::rows::Rows;
use crate::heal::tile::Tile;
use crate::io::{open_regular, read_at, will_need};
use crate::parallel;
use crate::sums::{self, SumKind};

/// Bytes read at once where a file is gone through from its beginning to its end.
const PIECE: usize = 1 << 20;

/// A block group of a folder, its files open.
#[derive(Debug)]
pub struct Group {
    index: u64,
    code: Arc<dyn ErasureCode>,
    row_code: Arc<dyn ErasureCode>,
    rows: Rows,
    layout: StripedLayout,
    kind: SumKind,
    units: Vec<Unit>,
    longest: u64,
    path: PathBuf,
}

/// One internal block and its `.meta` file.
#[derive(Debug)]
pub struct Unit {
    len: u64,
    files: BlockFiles,
    digest: Option<Sha256Digest>,
    findings: Vec<Finding>,
    data: Option<File>,
    data_len: u64,
    sums: Option<Sums>,
    read_error: OnceLock<Finding>,
}

/// Where a unit's sums come from.
#[derive(Debug)]
struct Sums {
    file: File,
    kind: SumKind,
    /// Another kind that they may be of, where the file's header and the other files disagree: a
    /// sum that agrees proves its chunk whatever a header says.
    or_kind: Option<SumKind>,
    /// Nothing speaks against the file: it is the one in the manifest, or there is no manifest.
    trusted: bool,
}

impl Group {
    /// Opens the files of a group. What is wrong with them is not an error but a
    /// [`Finding`].
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`](crate::failure::Failure::Engine) for a kernel that is not to be had.
    pub fn open(folder: &Folder, index: u64) -> Result<Self> {
        let geometry = folder.geometry();
        let kind = folder.sum_kind();
        let code = geometry.code()?;
        let digests =
            folder.manifest().map(|manifest| &manifest.groups[index as usize].meta_sha256);
        // Several at a time: each reads its `.meta` file for its digest.
        let units = parallel::map(geometry.total_units(), parallel::cores(), |unit| {
            let digest = digests.and_then(|digests| digests[unit]);
            Unit::open(
                folder.block_files(index, unit),
                geometry.unit_len(index, unit),
                kind,
                digest,
            )
        });
        let longest = geometry.unit_len(index, geometry.data_units());
        let row_code = code.over_sub_shards().unwrap_or_else(|| code.clone());
        let (rows, path) = (geometry.rows(), folder.path().to_owned());
        let layout = geometry.group(index);
        Ok(Self { index, code, row_code, rows, layout, kind, units, longest, path })
    }

    /// Its number in the file.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("group {} of {}", self.index, self.path.display())
    }

    /// The code of its units.
    #[must_use]
    pub fn code(&self) -> &Arc<dyn ErasureCode> {
        &self.code
    }

    /// The code of its rows, which heals them.
    #[must_use]
    pub fn row_code(&self) -> &Arc<dyn ErasureCode> {
        &self.row_code
    }

    /// How its units are rows.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.rows
    }

    /// How its bytes lie in its units.
    #[must_use]
    pub fn layout(&self) -> StripedLayout {
        self.layout
    }

    /// The kind of sums that its `.meta` files should have.
    #[must_use]
    pub fn sum_kind(&self) -> SumKind {
        self.kind
    }

    /// Its units.
    #[must_use]
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Bytes of its longest internal block.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Bytes that each row has of `len` bytes, those of first rows from `start` on.
    #[must_use]
    pub fn lens_within(&self, start: u64, len: usize) -> Vec<usize> {
        let of_row = |row| {
            let start = self.rows.offset(row, start);
            let unit_len = self.units[self.rows.unit(row)].len;
            (unit_len.clamp(start, start + len as u64) - start) as usize
        };
        (0..self.rows.count()).map(of_row).collect()
    }

    /// Asks the system to begin reading a range of the internal blocks.
    pub fn will_need(&self, units: Range<usize>, range: &Range<u64>) {
        for unit in &self.units[units] {
            if let Some(data) = &unit.data {
                will_need(data, range.start, range.end - range.start);
            }
        }
    }

    /// Reads some columns of one row of a tile and says what was found.
    pub fn read(&self, tile: &mut Tile<'_>, row: usize, columns: Range<usize>) {
        self.units[self.rows.unit(row)].read(tile, row, columns);
    }
}

impl Unit {
    fn open(files: BlockFiles, len: u64, kind: SumKind, digest: Option<Sha256Digest>) -> Self {
        let mut unit = Self {
            len,
            files,
            digest,
            findings: Vec::new(),
            data: None,
            data_len: 0,
            sums: None,
            read_error: OnceLock::new(),
        };
        if len > 0 {
            unit.open_block();
            unit.open_meta(kind);
        }
        unit
    }

    fn open_block(&mut self) {
        match open_regular(&self.files.block) {
            Ok((data, data_len)) => {
                self.data = Some(data);
                self.data_len = data_len;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.findings.push(Finding::BlockMissing);
                return;
            }
            Err(error) => {
                self.findings.push(Finding::BlockUnreadable { error: error.to_string() });
                return;
            }
        }
        let (len, expected) = (self.data_len, self.len);
        if len < expected {
            self.findings.push(Finding::BlockTooShort { len, expected });
        } else if len > expected {
            self.findings.push(Finding::BlockTooLong { len, expected });
        }
    }

    fn open_meta(&mut self, kind: SumKind) {
        if let Err(finding) = self.read_meta(kind) {
            self.findings.push(finding);
        }
        if let Some((found, expected)) = self.files.other_generation {
            self.findings.push(Finding::OtherGeneration { found, expected });
        }
        let trusted = self.sums.as_ref().is_some_and(|sums| sums.trusted);
        if !trusted
            && self.data_len >= self.len
            && let Some(sums) = self.prove_by_content(kind)
        {
            self.sums = Some(sums);
        }
    }

    /// Opens the `.meta` file and takes from it what can be used.
    fn read_meta(&mut self, kind: SumKind) -> std::result::Result<(), Finding> {
        let unreadable = |error: io::Error| Finding::MetaUnreadable { error: error.to_string() };
        let path = self.files.meta.as_ref().ok_or(Finding::MetaMissing)?;
        let (mut file, len) = open_regular(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Finding::MetaMissing,
            _ => unreadable(error),
        })?;
        let expected = kind.meta_len(self.len);
        let mut header = [0; sums::HEADER_LEN];
        let read = read_at(&file, &mut header, 0).map_err(unreadable)?;
        let found = SumKind::parse(&header[..read]);
        let in_manifest = match &self.digest {
            Some(digest) => Some(digest_of(&mut file).map_err(unreadable)? == *digest),
            None => None,
        };
        let trusted = in_manifest.unwrap_or(self.files.other_generation.is_none());
        let same_chunks = |found: &SumKind| {
            !found.is_null() && found.bytes_per_checksum() == kind.bytes_per_checksum()
        };
        self.sums = Some(match found.as_ref().ok().filter(|found| same_chunks(found)) {
            Some(&found) if found == kind => Sums { file, kind, or_kind: None, trusted },
            Some(&found) => Sums { file, kind: found, or_kind: Some(kind), trusted },
            None => Sums { file, kind, or_kind: Some(kind), trusted },
        });
        match found {
            Err(reason) => Err(Finding::MetaHeader { reason: reason.to_string() }),
            Ok(found) if found != kind => {
                Err(Finding::MetaOtherKind { found: found.to_string(), expected: kind.to_string() })
            }
            Ok(_) if len != expected => Err(Finding::MetaLength { len, expected }),
            Ok(_) if in_manifest == Some(false) => Err(Finding::MetaNotInManifest),
            Ok(_) => Ok(()),
        }
    }

    /// Computes the sums of the block as it is; if they make the `.meta` file of the manifest,
    /// the block is right whatever its own `.meta` file says.
    fn prove_by_content(&self, kind: SumKind) -> Option<Sums> {
        let digest = self.digest?;
        let data = self.data.as_ref()?;
        let mut file = tempfile::tempfile().ok()?;
        sums::write_meta(data, self.len, kind, &file).ok()?;
        let right = digest_of(&mut file).ok()? == digest;
        right.then_some(Sums { file, kind, or_kind: None, trusted: true })
    }

    /// Bytes that the block should have; 0 means that there is no block.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing to be stored for this unit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where its files are, or should be.
    #[must_use]
    pub fn files(&self) -> &BlockFiles {
        &self.files
    }

    /// Digest of its `.meta` file by the manifest.
    #[must_use]
    pub fn digest(&self) -> Option<Sha256Digest> {
        self.digest
    }

    /// The open block, and how many of its bytes belong to it.
    #[must_use]
    pub fn data(&self) -> Option<(&File, u64)> {
        self.data.as_ref().map(|data| (data, self.data_len.min(self.len)))
    }

    /// What is wrong with its files; read errors are known only after reading.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.read_error.get())
    }

    /// Whether the block is there as long as it should be, with sums that nothing speaks against: so
    /// that every chunk of it is right that has its sum.
    #[must_use]
    pub fn is_proven_by_sums(&self) -> bool {
        let is_trusted = |sums: &Sums| sums.trusted && sums.or_kind.is_none();
        self.data.is_some()
            && self.data_len >= self.len
            && self.sums.as_ref().is_some_and(is_trusted)
    }

    /// Reads bytes of the block from a chunk on, and the sums that are stored for them; says whether
    /// all of both is there.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn read_with_sums(
        &self,
        offset: u64,
        data: &mut [u8],
        sums: &mut [u8],
    ) -> io::Result<bool> {
        let (Some(file), Some(stored)) = (&self.data, &self.sums) else { return Ok(false) };
        let is_whole = read_at(file, data, offset)? == data.len();
        let got = read_at(&stored.file, sums, stored.kind.meta_len(offset))?;
        Ok(is_whole && got == sums.len())
    }

    fn read(&self, tile: &mut Tile<'_>, index: usize, columns: Range<usize>) {
        let span = tile.unit_span(index, &columns);
        if span.is_empty() {
            return;
        }
        // Past the unit's end there is nothing to read, and nothing that could be absent.
        let columns = columns.start..columns.start + span.len().div_ceil(tile.chunk);
        let Some(data) = &self.data else {
            mark(tile, index, columns, Found::Absent);
            return;
        };
        let offset = tile.offset(index) + span.start as u64;
        let got = match read_at(data, &mut tile.bytes[index][span.clone()], offset) {
            Ok(got) => got,
            // Some chunk cannot be read; the others may.
            Err(_) if span.len() > tile.chunk => {
                for column in columns {
                    self.read(tile, index, column..column + 1);
                }
                return;
            }
            Err(error) => {
                let error = error.to_string();
                let _ = self.read_error.set(Finding::ReadError { offset, error });
                mark(tile, index, columns, Found::Absent);
                return;
            }
        };
        self.judge(tile, index, columns, span.start + got);
    }

    /// Marks columns whose bytes are read as far as byte `got` of the tile.
    fn judge(&self, tile: &mut Tile<'_>, index: usize, columns: Range<usize>, got: usize) {
        let wanted = tile.unit_span(index, &columns);
        let Some(sums) = &self.sums else {
            for column in columns {
                let whole = tile.unit_span(index, &(column..column + 1)).end <= got;
                mark(
                    tile,
                    index,
                    column..column + 1,
                    if whole { Found::NoSum } else { Found::Absent },
                );
            }
            return;
        };
        let good = if sums.trusted { Found::Good } else { Found::SelfConsistent };
        let stored = sums.read(tile.offset(index) + wanted.start as u64, columns.len());
        let computed = sums.kind.sums(&tile.bytes[index][wanted.clone()]);
        if got >= wanted.end && stored == computed {
            return mark(tile, index, columns, good);
        }
        for (number, column) in columns.enumerate() {
            let span = tile.unit_span(index, &(column..column + 1));
            let sum = number * sums::SUM_LEN..(number + 1) * sums::SUM_LEN;
            let found = match stored.get(sum.clone()) {
                _ if span.end > got => Found::Absent,
                None => Found::NoSum,
                Some(stored) if *stored == computed[sum] => good,
                Some(stored) => match sums.or_kind {
                    Some(kind) if kind.sums(&tile.bytes[index][span]) == stored => good,
                    // Sums of nobody knows what kind say nothing against their data.
                    Some(_) => Found::NoSum,
                    None => Found::Disputed,
                },
            };
            mark(tile, index, column..column + 1, found);
        }
    }

    /// Whether the stored sums are those of a file that is as long as the block should be.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn agrees_with_stored_sums(&self, data: &File) -> io::Result<bool> {
        match &self.sums {
            Some(sums) => sums::agree(data, self.len, sums.kind, &sums.file),
            None => Ok(false),
        }
    }

    /// The sums that are stored for some bytes of the block; fewer where they are missing.
    #[must_use]
    pub fn stored_sums(&self, offset: u64, count: usize) -> Vec<u8> {
        self.sums.as_ref().map_or(Vec::new(), |sums| sums.read(offset, count))
    }
}

impl Sums {
    /// Up to `count` sums from that of the chunk at byte `offset` on; whole ones only.
    fn read(&self, offset: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count * sums::SUM_LEN];
        let at = self.kind.meta_len(offset);
        let got = read_at(&self.file, &mut bytes, at).unwrap_or(0);
        bytes.truncate(got - got % sums::SUM_LEN);
        bytes
    }
}

fn mark(tile: &mut Tile<'_>, unit: usize, columns: Range<usize>, found: Found) {
    tile.marks.found_mut(unit)[columns].fill(found);
}

/// SHA-256 of a whole file.
///
/// # Errors
///
/// What the system says.
pub fn digest_of(file: &mut File) -> io::Result<Sha256Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
