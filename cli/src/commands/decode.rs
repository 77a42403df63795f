//! `restripe decode`: a folder of blocks becomes the file again.

use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::path::Path;

use super::Done;
use crate::args::{Decode, Output};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::folder::manifest::hex;
use crate::io::{parent, standard_output, sync_folder};
use crate::pipeline::Budget;
use crate::pipeline::decode::{self, Decoded, Input};
use crate::pipeline::deliver::Target;
use crate::progress::Progress;
use crate::report::{DecodeReport, FolderReport, HealedBlock, Proof, Report};
use crate::unfinished::NewFile;

/// Where the bytes go.
pub(super) enum Place {
    /// A file that appears when it is whole.
    New(NewFile),
    /// A device or a named pipe: written as it is.
    Stream(File),
    /// Standard output.
    Output(File),
}

pub(super) fn run(asked: &Decode, output: &Output) -> Result<Done> {
    let folder = Folder::open(&asked.folder, &asked.layout)?;
    let geometry = folder.geometry();
    let range = match asked.range {
        Some(range) => range.within(geometry.size())?,
        None => 0..geometry.size(),
    };
    let resources = &asked.resources;
    let kind = folder.sum_kind();
    let budget = Budget::new(geometry, kind, resources.memory.0, resources.threads(), false)?;
    let whole = range == (0..geometry.size());
    let expected = folder.manifest().filter(|_| whole).map(|manifest| manifest.sha256);

    let mut place = Place::open(&asked.file, asked.force)?;
    let progress = Progress::new(output, "decoding", Some(range.end - range.start));
    let decoded = decode::run(Input {
        folder: &folder,
        range: range.clone(),
        target: place.target(),
        target_path: &asked.file,
        hash: expected.is_some(),
        budget,
        progress: &progress,
    })?;
    drop(progress);
    if decoded.sha256 != expected {
        return Err(Failure::Lost {
            path: folder.path().to_owned(),
            message: "what was decoded has another SHA-256 than the manifest says: some block is \
                      wrong although its checksums agree"
                .to_owned(),
            advice: Some(
                "run restripe verify --deep to find it, move it away, and decode again".to_owned(),
            ),
        });
    }
    let piped = matches!(place, Place::Output(_));
    place.finish(&asked.file, !asked.no_fsync)?;
    let (report, exit) = report(&folder, asked, &range, &decoded);
    Ok(Done { report: Some(Report::Decode(report)), exit, piped })
}

fn report(
    folder: &Folder,
    asked: &Decode,
    range: &Range<u64>,
    decoded: &Decoded,
) -> (DecodeReport, Exit) {
    let unproven = decoded.healed.values().any(|healed| !healed.unproven.is_empty());
    let (proof, exit) = match decoded.sha256 {
        Some(_) => (Proof::Sha256, Exit::Success),
        None if unproven => (Proof::None, Exit::Undecided),
        None => (Proof::Checksums, Exit::Success),
    };
    let healed = decoded.healed.iter().map(|(&(group, unit), healed)| {
        let file = folder.block_files(group, unit).block;
        HealedBlock {
            group,
            unit,
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            rebuilt: (&healed.rebuilt).into(),
            unproven: (&healed.unproven).into(),
        }
    });
    let report = DecodeReport {
        folder: FolderReport::new(folder),
        file: asked.file.display().to_string(),
        start: range.start,
        end: range.end,
        proof,
        sha256: decoded.sha256.map(|digest| hex(&digest)),
        healed_blocks: healed.collect(),
        notes: folder.notes().to_vec(),
    };
    (report, exit)
}

impl Place {
    pub(super) fn open(path: &Path, force: bool) -> Result<Self> {
        if path == Path::new("-") {
            return standard_output()
                .map(Self::Output)
                .map_err(|error| Failure::io("open", "standard output", error));
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                Err(Failure::folder(path, "is a folder", "name a file to write"))
            }
            Ok(metadata) if !metadata.is_file() => OpenOptions::new()
                .write(true)
                .open(path)
                .map(Self::Stream)
                .map_err(|error| Failure::io("open", path, error)),
            Ok(_) if !force => Err(Failure::folder(
                path,
                "exists already",
                "name another file, or write over it with --force",
            )),
            _ => NewFile::create(path).map(Self::New),
        }
    }

    fn target(&mut self) -> Target<'_> {
        match self {
            Self::New(new) => Target::File(new.file()),
            Self::Stream(file) | Self::Output(file) => Target::Stream(file),
        }
    }

    /// The open file, for bytes that come one after the other.
    pub(super) fn file(&self) -> &File {
        match self {
            Self::New(new) => new.file(),
            Self::Stream(file) | Self::Output(file) => file,
        }
    }

    pub(super) fn finish(self, path: &Path, durable: bool) -> Result<()> {
        let Self::New(new) = self else { return Ok(()) };
        if durable {
            new.sync()?;
        }
        new.finish()?;
        if durable {
            sync_folder(parent(path))?;
        }
        Ok(())
    }
}
