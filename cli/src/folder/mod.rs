//! A folder of blocks: what form it has, what file is in it, and which files are its blocks.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use restripe::hdfs::BlockFileName;
use restripe::layout::Policy;

use crate::args::FolderLayout;
use crate::failure::{Failure, Result};
use crate::geometry::{DEFAULT_BLOCK_SIZE, Geometry};
use crate::sums::SumKind;

pub mod datanode;
pub mod manifest;
pub mod names;

use datanode::DatanodeGroups;
use manifest::{Manifest, ManifestError};
use names::Name;

/// A manifest larger than this is none: 64 MiB list a million blocks.
const MOST_MANIFEST_BYTES: u64 = 64 << 20;

/// The files of one internal block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFiles {
    /// The block.
    pub block: PathBuf,
    /// Its `.meta` file; `None` where its name is not known (no file of its group tells the
    /// generation stamp).
    pub meta: Option<PathBuf>,
    /// The generation stamp that its `.meta` file has and the one that its group has, where they
    /// differ.
    pub other_generation: Option<(u64, u64)>,
}

/// Who wrote the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// This command.
    Own,
    /// A datanode of HDFS.
    Datanode(DatanodeGroups),
}

/// A folder of blocks, its names read and its manifest, but no block yet.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    form: Form,
    geometry: Geometry,
    sum_kind: SumKind,
    manifest: Option<Manifest>,
    others: Vec<String>,
    leftovers: Vec<PathBuf>,
    notes: Vec<String>,
}

/// The names in a folder.
#[derive(Debug)]
pub struct Listing {
    /// Every name, with what it is; sorted.
    pub names: Vec<(OsString, Name)>,
}

impl Listing {
    /// Reads the names in a folder.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] with the folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let failure = |error| Failure::io("read the folder", folder, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(failure)? {
            let name = entry.map_err(failure)?.file_name();
            let parsed = Name::parse(&name);
            names.push((name, parsed));
        }
        names.sort_by(|first, second| first.0.cmp(&second.0));
        Ok(Self { names })
    }

    /// Whether the folder holds what an encode began and did not finish.
    #[must_use]
    pub fn is_unfinished_encode(&self) -> bool {
        let part = names::part(names::MANIFEST.as_ref());
        self.names.iter().any(|(name, _)| *name == part)
    }

    fn any(&self, wanted: impl Fn(&Name) -> bool) -> bool {
        self.names.iter().any(|(_, name)| wanted(name))
    }

    fn has_own_blocks(&self) -> bool {
        self.any(|name| matches!(name, Name::OwnBlock { .. } | Name::OwnMeta { .. }))
    }

    fn has_datanode_blocks(&self) -> bool {
        // Plain blocks, which have positive ids, may lie in the same folder.
        self.any(|name| matches!(name, Name::Datanode(name) if name.id().is_striped()))
    }
}

impl Folder {
    /// Reads what a folder says about itself, and completes it with what the caller says.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the folder cannot be read, holds no blocks, or says too little or
    /// something else than the caller; always with what to do.
    pub fn open(path: &Path, layout: &FolderLayout) -> Result<Self> {
        let listing = Listing::read(path)?;
        let mut notes = Vec::new();
        let manifest = read_manifest(path, &listing, layout, &mut notes)?;
        let geometry = match &manifest {
            Some(manifest) => geometry_of(path, manifest, layout)?,
            None => geometry_asked(path, &listing, layout)?,
        };
        let (own, datanode) = (listing.has_own_blocks(), listing.has_datanode_blocks());
        let form = match (manifest.is_some() || own || !datanode, datanode) {
            (true, true) if manifest.is_none() => {
                return Err(Failure::folder(
                    path,
                    "holds blocks of this command and blocks of a datanode",
                    "move one kind to a folder of its own",
                ));
            }
            (true, _) => Form::Own,
            (false, _) => {
                Form::Datanode(DatanodeGroups::find(path, &listing, &geometry, &layout.group_ids)?)
            }
        };
        if manifest.is_none() && !own && !datanode && geometry.groups() > 0 {
            return Err(Failure::folder(path, "holds no blocks", "check the path"));
        }
        let mut folder = Self {
            path: path.to_owned(),
            form,
            geometry,
            sum_kind: SumKind::usual()?,
            manifest,
            others: Vec::new(),
            leftovers: Vec::new(),
            notes,
        };
        folder.sort_out(&listing);
        folder.sum_kind = match &folder.manifest {
            Some(manifest) => sum_kind_of(path, manifest)?,
            None => folder.usual_sum_kind(&listing),
        };
        let (chunk, part) = (folder.sum_kind.bytes_per_checksum() as u64, geometry.rows().part());
        if geometry.rows().of_unit(0).len() > 1 && !part.is_multiple_of(chunk) {
            return Err(Failure::folder(
                path,
                format!(
                    "has checksums over {chunk} bytes, which do not divide the {part} bytes that \
                     {} codes together",
                    geometry.policy()
                ),
                "decode it with whatever wrote it; this release cannot",
            ));
        }
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who wrote it.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// How its file is cut into blocks.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The kind of sums in its `.meta` files.
    #[must_use]
    pub fn sum_kind(&self) -> SumKind {
        self.sum_kind
    }

    /// Its manifest, where it has one.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Whether it is an own folder in which there is no manifest at all, not even a damaged one.
    #[must_use]
    pub fn lacks_its_manifest(&self) -> bool {
        self.form == Form::Own && !self.path.join(names::MANIFEST).exists()
    }

    /// Names of files that are none of its blocks.
    #[must_use]
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Files that a run of this command left unfinished.
    #[must_use]
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.leftovers
    }

    /// What the administrator should know about the folder.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where the files of a block are, or should be.
    #[must_use]
    pub fn block_files(&self, group: u64, unit: usize) -> BlockFiles {
        match &self.form {
            Form::Own => BlockFiles {
                block: self.path.join(names::own_block(group, unit)),
                meta: Some(self.path.join(names::own_meta(group, unit))),
                other_generation: None,
            },
            Form::Datanode(groups) => groups.block_files(&self.path, group, unit),
        }
    }

    /// Where a block's `.meta` file is written: under the name that it should have.
    #[must_use]
    pub fn meta_target(&self, group: u64, unit: usize) -> Option<PathBuf> {
        match &self.form {
            Form::Own => Some(self.path.join(names::own_meta(group, unit))),
            Form::Datanode(groups) => groups.meta_target(&self.path, group, unit),
        }
    }

    /// Tells the folder's own files from others.
    fn sort_out(&mut self, listing: &Listing) {
        let belongs = |group: u64, unit: usize| {
            group < self.geometry.groups() && self.geometry.unit_len(group, unit) > 0
        };
        for (name, parsed) in &listing.names {
            let own = match (parsed, &self.form) {
                (Name::Part, _) => {
                    self.leftovers.push(self.path.join(name));
                    continue;
                }
                (Name::Manifest, _) => true,
                (Name::OwnBlock { group, unit } | Name::OwnMeta { group, unit }, Form::Own) => {
                    *unit < self.geometry.total_units() && belongs(*group, *unit)
                }
                (Name::Datanode(name), Form::Datanode(groups)) => {
                    groups.place(name.id()).is_some_and(|(group, unit)| {
                        unit < self.geometry.total_units() && belongs(group, unit)
                    })
                }
                _ => false,
            };
            if !own {
                self.others.push(name.to_string_lossy().into_owned());
            }
        }
    }

    /// The kind of sums that most `.meta` files have.
    fn usual_sum_kind(&self, listing: &Listing) -> SumKind {
        let metas = listing.names.iter().filter(|(_, name)| {
            matches!(name, Name::OwnMeta { .. } | Name::Datanode(BlockFileName::Meta { .. }))
        });
        let kinds = metas.filter_map(|(name, _)| SumKind::of_meta_file(&self.path.join(name)));
        most_frequent(kinds.filter(|kind| !kind.is_null())).unwrap_or(self.sum_kind)
    }
}

/// The value that comes up most often; of several the first one seen.
fn most_frequent<T: PartialEq>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(counted, _)| *counted == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let mut best: Option<(T, usize)> = None;
    for (value, count) in counts {
        if best.as_ref().is_none_or(|(_, most)| count > *most) {
            best = Some((value, count));
        }
    }
    best.map(|(value, _)| value)
}

const SAY_LAYOUT: &str = "say what the manifest would: --policy, --size (of the file) and, if it \
is not 128 MiB, --block-size";

fn read_manifest(
    folder: &Path,
    listing: &Listing,
    layout: &FolderLayout,
    notes: &mut Vec<String>,
) -> Result<Option<Manifest>> {
    let path = folder.join(names::MANIFEST);
    if !listing.any(|name| *name == Name::Manifest) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = File::open(&path)
        .and_then(|file| file.take(MOST_MANIFEST_BYTES + 1).read_to_end(&mut bytes));
    let parsed = match read {
        Err(error) if layout.policy.is_none() => return Err(Failure::io("read", &path, error)),
        Err(error) => Err(error.to_string()),
        Ok(_) if bytes.len() as u64 > MOST_MANIFEST_BYTES => Err("too long for a manifest".into()),
        Ok(_) => match Manifest::parse(&bytes) {
            Ok(manifest) => Ok(manifest),
            Err(error @ ManifestError::Newer(_)) if layout.policy.is_none() => {
                let advice = "use a newer release of restripe; this one would read the folder \
                    only without its manifest, by --policy, --size and --block-size";
                return Err(Failure::folder(path, error.to_string(), advice));
            }
            Err(error) => Err(error.to_string()),
        },
    };
    match parsed {
        Ok(manifest) => Ok(Some(manifest)),
        Err(reason) if layout.policy.is_some() => {
            notes.push(format!("{} is not used: {reason}", path.display()));
            Ok(None)
        }
        Err(reason) => Err(Failure::folder(path, reason, SAY_LAYOUT)),
    }
}

/// The geometry by the manifest, which must agree with itself and with what the caller says.
fn geometry_of(path: &Path, manifest: &Manifest, layout: &FolderLayout) -> Result<Geometry> {
    let file = path.join(names::MANIFEST);
    let wrong = |reason: String| Failure::folder(&file, reason, SAY_LAYOUT);
    let policy = manifest.policy.parse::<Policy>().map_err(|error| wrong(error.to_string()))?;
    let geometry = Geometry::new(policy, manifest.size, manifest.block_size)
        .map_err(|error| wrong(error.to_string()))?;
    let fits =
        manifest.groups.len() as u64 == geometry.groups()
            && manifest.groups.iter().zip(0..).all(|(listed, group)| {
                listed.len == geometry.group_len(group)
                    && listed.meta_sha256.len() == geometry.total_units()
                    && listed.meta_sha256.iter().enumerate().all(|(unit, digest)| {
                        digest.is_some() == (geometry.unit_len(group, unit) > 0)
                    })
            });
    if !fits {
        return Err(wrong("its list of groups does not fit its size and policy".to_owned()));
    }
    let asked = [
        ("--policy", layout.policy.as_ref().is_some_and(|policy| policy != geometry.policy())),
        ("--size", layout.size.is_some_and(|size| size.0 != geometry.size())),
        ("--block-size", layout.block_size.is_some_and(|size| size.0 != geometry.block_size())),
    ];
    match asked.iter().find(|(_, differs)| *differs) {
        Some((option, _)) => Err(Failure::folder(
            file,
            format!("says otherwise than {option}"),
            format!("leave {option} out; or move the manifest away if it is the wrong one"),
        )),
        None => Ok(geometry),
    }
}

/// The geometry by the command line.
fn geometry_asked(path: &Path, listing: &Listing, layout: &FolderLayout) -> Result<Geometry> {
    let (Some(policy), Some(size)) = (layout.policy, layout.size) else {
        return Err(if listing.is_unfinished_encode() {
            Failure::folder(
                path,
                "an encode into this folder was not finished",
                "run the encode again; it removes what is there and begins anew",
            )
        } else if listing.has_own_blocks() || listing.has_datanode_blocks() {
            Failure::folder(path, "holds blocks but no manifest.json", SAY_LAYOUT)
        } else {
            Failure::folder(path, "holds neither a manifest.json nor blocks", "check the path")
        });
    };
    let block_size = layout.block_size.map_or(DEFAULT_BLOCK_SIZE, |size| size.0);
    Geometry::new(policy, size.0, block_size).map_err(|error| {
        Failure::asked(error.to_string(), "check --policy, --size and --block-size")
    })
}

fn sum_kind_of(path: &Path, manifest: &Manifest) -> Result<SumKind> {
    SumKind::named(&manifest.checksum, manifest.bytes_per_checksum).ok_or_else(|| {
        Failure::folder(
            path.join(names::MANIFEST),
            format!(
                "names checksums that this release does not know: {} over {} bytes",
                manifest.checksum, manifest.bytes_per_checksum
            ),
            "use a newer release of restripe",
        )
    })
}

/// Removes what earlier runs left unfinished, and says how many files; the caller holds the
/// folder's lock.
///
/// # Errors
///
/// [`Failure::Io`] with the file.
pub fn remove_leftovers(folder: &Folder) -> Result<usize> {
    // While there is no manifest, its unfinished file tells what became of the encode.
    let kept = folder.path.join(names::part(names::MANIFEST.as_ref()));
    let removed = |path: &&PathBuf| folder.manifest.is_some() || **path != kept;
    for path in folder.leftovers.iter().filter(removed) {
        fs::remove_file(path).map_err(|error| Failure::io("remove", path, error))?;
    }
    Ok(folder.leftovers.iter().filter(removed).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_value_wins_and_of_equals_the_first() {
        assert_eq!(most_frequent([1, 2, 2, 3].into_iter()), Some(2));
        assert_eq!(most_frequent([3, 1, 1, 3].into_iter()), Some(3));
        assert_eq!(most_frequent(std::iter::empty::<u8>()), None);
    }
}
