//! File names in a folder of blocks: this command's own, and those that datanodes give.
//!
//! Parsing is strict: a name that would not be written the same way again is another file's.

use std::ffi::{OsStr, OsString};

use restripe::hdfs::BlockFileName;

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";

/// What an unfinished file's name ends in. Such files are this command's: the next run that
/// writes to the folder removes them.
pub const PART_SUFFIX: &str = ".restripe-part";

/// What a checksum file's name ends in.
const META_SUFFIX: &str = ".meta";

/// A file name in a folder of blocks, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `manifest.json`.
    Manifest,
    /// `group-00000-unit-003`: an internal block of an own folder.
    OwnBlock {
        /// Number of the block group.
        group: u64,
        /// Index of the internal block in it.
        unit: usize,
    },
    /// `group-00000-unit-003.meta`.
    OwnMeta {
        /// Number of the block group.
        group: u64,
        /// Index of the internal block in it.
        unit: usize,
    },
    /// `blk_ID` or `blk_ID_GENSTAMP.meta`, as a datanode keeps them.
    Datanode(BlockFileName),
    /// A file that a run of this command began and did not finish.
    Part,
    /// Any other file.
    Other,
}

impl Name {
    /// What a file name is.
    ///
    /// ```
    /// use restripe_cli::folder::names::Name;
    /// let name = |text: &str| Name::parse(text.as_ref());
    /// assert_eq!(name("group-00012-unit-003"), Name::OwnBlock { group: 12, unit: 3 });
    /// assert!(matches!(name("blk_-16_1001.meta"), Name::Datanode(_)));
    /// assert_eq!(name("group-12-unit-3"), Name::Other);
    /// ```
    #[must_use]
    pub fn parse(name: &OsStr) -> Self {
        let Some(name) = name.to_str() else { return Self::Other };
        if name == MANIFEST {
            return Self::Manifest;
        }
        if name.ends_with(PART_SUFFIX) {
            return Self::Part;
        }
        if let Ok(block) = name.parse() {
            return Self::Datanode(block);
        }
        match name.strip_suffix(META_SUFFIX) {
            Some(stem) => own(stem).map(|(group, unit)| Self::OwnMeta { group, unit }),
            None => own(name).map(|(group, unit)| Self::OwnBlock { group, unit }),
        }
        .unwrap_or(Self::Other)
    }
}

fn own(stem: &str) -> Option<(u64, usize)> {
    let (group, unit) = stem.strip_prefix("group-")?.split_once("-unit-")?;
    let (group, unit) = (group.parse().ok()?, unit.parse().ok()?);
    (own_block(group, unit) == stem).then_some((group, unit))
}

/// The name of an internal block in an own folder.
#[must_use]
pub fn own_block(group: u64, unit: usize) -> String {
    format!("group-{group:05}-unit-{unit:03}")
}

/// The name of the checksum file beside an own block.
#[must_use]
pub fn own_meta(group: u64, unit: usize) -> String {
    own_block(group, unit) + META_SUFFIX
}

/// The name under which a file is written until it is whole.
#[must_use]
pub fn part(name: &OsStr) -> OsString {
    let mut part = name.to_owned();
    part.push(PART_SUFFIX);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Name {
        Name::parse(name.as_ref())
    }

    #[test]
    fn every_name_that_is_written_is_read_back() {
        for (group, unit) in [(0, 0), (7, 8), (99_999, 255), (100_000, 12), (u64::MAX, 0)] {
            assert_eq!(parse(&own_block(group, unit)), Name::OwnBlock { group, unit });
            assert_eq!(parse(&own_meta(group, unit)), Name::OwnMeta { group, unit });
        }
        assert_eq!(parse(MANIFEST), Name::Manifest);
        assert_eq!(Name::parse(&part(MANIFEST.as_ref())), Name::Part);
    }

    #[test]
    fn names_that_would_be_written_otherwise_are_other_files() {
        for name in [
            "",
            "blk_",
            "blk_01",
            "blk_1_2",
            "group-1-unit-1",
            "group-00001-unit-01",
            "group-000001-unit-001",
            "group-00001-unit-+01",
            "group-00001-unit-001.meta.meta",
            "MANIFEST.json",
        ] {
            assert_eq!(parse(name), Name::Other, "{name}");
        }
    }
}
