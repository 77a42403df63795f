//! `restripe encode`: a file becomes a folder of blocks.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::Done;
use crate::args::{Encode, FolderLayout, Output};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::folder::manifest::{Manifest, hex};
use crate::folder::names::{self, Name};
use crate::folder::{Folder, Listing};
use crate::geometry::Geometry;
use crate::io::{parent, sync_folder, write_all_at};
use crate::pipeline::Budget;
use crate::pipeline::encode::{self, Input};
use crate::progress::Progress;
use crate::report::{EncodeReport, FolderReport, Report};
use crate::sums::SumKind;
use crate::unfinished::{NewFile, Undo, lock_folder};

/// What is read, and what is known of it before.
struct Source {
    stream: Box<dyn Read>,
    name: Option<String>,
    /// Bytes that a regular file has.
    len: Option<u64>,
}

pub(super) fn run(asked: &Encode, output: &Output) -> Result<Done> {
    let kind = SumKind::usual()?;
    // The size is known only at the end of the source.
    let geometry = Geometry::new(asked.policy, 0, asked.block_size.0)
        .map_err(|error| Failure::asked(error.to_string(), "choose a --block-size that is"))?;
    geometry.code()?;
    let resources = &asked.resources;
    let budget = Budget::new(&geometry, kind, resources.memory.0, resources.threads(), true)?;
    let mut source = Source::open(&asked.file)?;
    let durable = !asked.no_fsync;

    let place = Place::prepare(&asked.folder, durable)?;
    let progress = Progress::new(output, "encoding", source.len);
    let mut encoded = encode::run(Input {
        source: &mut source.stream,
        source_path: &asked.file,
        folder: &asked.folder,
        geometry: &geometry,
        kind,
        budget,
        durable,
        progress: &progress,
    })?;
    drop(progress);
    if let Some(len) = source.len.filter(|&len| len != encoded.size) {
        return Err(Failure::folder(
            &asked.file,
            format!("changed while it was read: {len} bytes at first, {} read", encoded.size),
            "encode it again when nothing writes to it; nothing was kept",
        ));
    }

    let manifest = Manifest::new(
        asked.name.clone().or(source.name),
        encoded.size,
        encoded.sha256,
        geometry.policy().to_string(),
        geometry.block_size(),
        kind.name().to_owned(),
        kind.bytes_per_checksum() as u64,
        encoded.groups,
    );
    let written = encoded.written + place.finish(&manifest, &mut encoded.files, durable)?;
    let folder = Folder::open(&asked.folder, &FolderLayout::none())?;
    let report = EncodeReport {
        folder: FolderReport::new(&folder),
        sha256: hex(&encoded.sha256),
        bytes_written: written,
    };
    Ok(Done::new(Report::Encode(report), Exit::Success))
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { stream: Box::new(io::stdin()), name: None, len: None });
        }
        let file = File::open(path).map_err(|error| Failure::io("open", path, error))?;
        let metadata = file.metadata().map_err(|error| Failure::io("look at", path, error))?;
        if metadata.is_dir() {
            return Err(Failure::folder(
                path,
                "is a folder",
                "make an archive of it on the way: tar c FOLDER | restripe encode - DIR",
            ));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let len = metadata.is_file().then_some(metadata.len());
        Ok(Self { stream: Box::new(file), name, len })
    }
}

/// The folder being filled. The manifest's unfinished file is there from the first moment to the
/// last: it tells an encode that was not finished from a folder that lost its manifest.
struct Place<'a> {
    path: &'a Path,
    // Before the folder: fields are dropped in their order, and only an empty folder goes.
    manifest: NewFile,
    created: Option<Undo>,
    _lock: Option<File>,
}

impl<'a> Place<'a> {
    fn prepare(path: &'a Path, durable: bool) -> Result<Self> {
        let created = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => None,
            Ok(_) => {
                return Err(Failure::folder(
                    path,
                    "is not a folder",
                    "name a folder for the blocks",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(Undo::create_folder(path)?)
            }
            Err(error) => return Err(Failure::io("look at", path, error)),
        };
        let lock = lock_folder(path)?;
        if created.is_none() {
            clear_unfinished(path)?;
        }
        let manifest = NewFile::create(&path.join(names::MANIFEST))?;
        if durable {
            sync_folder(path)?;
        }
        Ok(Self { path, manifest, created, _lock: lock })
    }

    /// Writes the manifest and lets everything stay; returns the manifest's bytes.
    fn finish(self, manifest: &Manifest, files: &mut Vec<Undo>, durable: bool) -> Result<u64> {
        let bytes = manifest.to_bytes();
        write_all_at(self.manifest.file(), &bytes, 0)
            .map_err(|error| Failure::io("write", self.manifest.part(), error))?;
        if durable {
            // The names of the blocks first: a manifest must not outlive what it lists.
            sync_folder(self.path)?;
            self.manifest.sync()?;
        }
        let created = self.created.is_some();
        files.extend(self.created);
        self.manifest.finish_with(files)?;
        if durable {
            sync_folder(self.path)?;
            if created {
                sync_folder(parent(self.path))?;
            }
        }
        Ok(bytes.len() as u64)
    }
}

/// Removes what an encode that was killed left; refuses a folder with anything else in it.
fn clear_unfinished(path: &Path) -> Result<()> {
    let listing = Listing::read(path)?;
    if listing.names.is_empty() {
        return Ok(());
    }
    if listing.names.iter().any(|(_, name)| *name == Name::Manifest) {
        return Err(Failure::folder(
            path,
            "already holds an encoded file (it has a manifest.json)",
            "choose another folder, or remove this one first if it is no longer needed",
        ));
    }
    let ours =
        |name: &Name| matches!(name, Name::OwnBlock { .. } | Name::OwnMeta { .. } | Name::Part);
    let other = listing.names.iter().find(|(_, name)| !ours(name));
    if !listing.is_unfinished_encode() || other.is_some() {
        let example = other.or(listing.names.first()).map(|(name, _)| name.to_string_lossy());
        return Err(Failure::folder(
            path,
            format!("is not empty: it holds {}", example.unwrap_or_default()),
            "choose an empty or a new folder",
        ));
    }
    // The manifest's file goes last: until then the folder tells what it is.
    let manifest = names::part(names::MANIFEST.as_ref());
    for (name, _) in listing.names.iter().filter(|(name, _)| *name != manifest) {
        let file = path.join(name);
        fs::remove_file(&file).map_err(|error| Failure::io("remove", file, error))?;
    }
    Ok(())
}
