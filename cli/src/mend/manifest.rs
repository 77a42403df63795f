//! A new manifest for a folder that lost its own.
//!
//! It will vouch for every block from then on, so it is written only when every chunk has been
//! found right by its sums and by parity.

use std::io;

use crate::failure::{Failure, Result};
use crate::folder::manifest::{Manifest, ManifestGroup};
use crate::folder::{Folder, names};
use crate::heal::group::digest_of;
use crate::io::{open_regular, sync_folder, write_all_at};
use crate::pipeline::Budget;
use crate::pipeline::decode::{self, Input};
use crate::pipeline::deliver::Target;
use crate::progress::Progress;
use crate::unfinished::NewFile;

/// Writes `manifest.json` into a folder that is whole and has none.
///
/// # Errors
///
/// [`Failure::Io`], and those of [`decode::run`], which reads the file's content once for its
/// SHA-256.
pub fn restore(folder: &Folder, budget: Budget, progress: &Progress, durable: bool) -> Result<()> {
    let geometry = folder.geometry();
    let mut nowhere = io::sink();
    let decoded = decode::run(Input {
        folder,
        range: 0..geometry.size(),
        target: Target::Stream(&mut nowhere),
        target_path: folder.path(),
        hash: true,
        budget,
        progress,
    })?;
    let kind = folder.sum_kind();
    let manifest = Manifest::new(
        None,
        geometry.size(),
        decoded.sha256.unwrap_or_default(),
        geometry.policy().to_string(),
        geometry.block_size(),
        kind.name().to_owned(),
        kind.bytes_per_checksum() as u64,
        (0..geometry.groups()).map(|group| list(folder, group)).collect::<Result<_>>()?,
    );
    let new = NewFile::create(&folder.path().join(names::MANIFEST))?;
    write_all_at(new.file(), &manifest.to_bytes(), 0)
        .map_err(|error| Failure::io("write", new.part(), error))?;
    if durable {
        new.sync()?;
    }
    new.finish()?;
    if durable {
        sync_folder(folder.path())?;
    }
    Ok(())
}

/// What the manifest says of a group.
fn list(folder: &Folder, group: u64) -> Result<ManifestGroup> {
    let geometry = folder.geometry();
    let digest = |unit| {
        if geometry.unit_len(group, unit) == 0 {
            return Ok(None);
        }
        let Some(path) = folder.meta_target(group, unit) else { return Ok(None) };
        let digest = open_regular(&path).and_then(|(mut file, _)| digest_of(&mut file));
        digest.map(Some).map_err(|error| Failure::io("read", path, error))
    };
    let meta_sha256 = (0..geometry.total_units()).map(digest).collect::<Result<_>>()?;
    Ok(ManifestGroup { len: geometry.group_len(group), meta_sha256 })
}
