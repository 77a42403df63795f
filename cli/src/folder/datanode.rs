//! Folders as HDFS datanodes keep them: which blocks are which units of which group.
//!
//! The order of a file's groups is that of their ids, because the name node counts upwards.
//! Replicated blocks, which have positive ids, are left out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use restripe::hdfs::{BlockFileName, BlockId};

use super::names::Name;
use super::{BlockFiles, Listing, most_frequent};
use crate::failure::{Failure, Result};
use crate::geometry::Geometry;

/// The block groups of one file in a datanode's folder, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatanodeGroups {
    groups: Vec<DatanodeGroup>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct DatanodeGroup {
    id: BlockId,
    /// Generation stamp of most of its `.meta` files.
    generation: Option<u64>,
    /// Generation stamp of the `.meta` file to use for each unit that has one.
    metas: BTreeMap<usize, u64>,
}

/// The generation stamps of each block's `.meta` files, by group and unit.
type Stamps = BTreeMap<BlockId, BTreeMap<usize, BTreeSet<u64>>>;

impl DatanodeGroups {
    /// Finds the file's groups in a folder; `asked` are their ids where the caller gives them.
    ///
    /// # Errors
    ///
    /// [`Failure::Folder`] when there are more or fewer than the file has and it is not plain
    /// which are its own.
    pub fn find(
        path: &Path,
        listing: &Listing,
        geometry: &Geometry,
        asked: &[i64],
    ) -> Result<Self> {
        if geometry.total_units() > BlockId::IDS_PER_GROUP {
            return Err(Failure::asked(
                format!("{} has more units than a block group of HDFS", geometry.policy()),
                "check --policy: data and parity units are 16 together at most",
            ));
        }
        let mut stamps = Stamps::new();
        for (_, name) in &listing.names {
            let Name::Datanode(name) = name else { continue };
            let (Some(group), Some(unit)) = (name.id().group(), name.id().index()) else {
                continue;
            };
            let group = stamps.entry(group).or_default();
            if let BlockFileName::Meta { generation_stamp, .. } = name {
                group.entry(unit).or_default().insert(*generation_stamp);
            }
        }
        let found = stamps.keys().copied().collect();
        let ids = choose(path, &found, geometry.groups(), asked)?;
        Ok(Self { groups: ids.into_iter().map(|id| DatanodeGroup::new(id, &stamps)).collect() })
    }

    /// Which unit of which group a block is.
    #[must_use]
    pub fn place(&self, id: BlockId) -> Option<(u64, usize)> {
        let base = id.group()?;
        let group = self.groups.iter().position(|group| group.id == base)?;
        Some((group as u64, id.index()?))
    }

    pub(super) fn block_files(&self, folder: &Path, group: u64, unit: usize) -> BlockFiles {
        let group = &self.groups[group as usize];
        let stamp = group.metas.get(&unit).copied();
        let other_generation = match (stamp, group.generation) {
            (Some(found), Some(expected)) if found != expected => Some((found, expected)),
            _ => None,
        };
        let id = group.block(unit);
        BlockFiles {
            block: folder.join(BlockFileName::Data { id }.to_string()),
            meta: stamp.or(group.generation).map(|stamp| meta_path(folder, id, stamp)),
            other_generation,
        }
    }

    pub(super) fn meta_target(&self, folder: &Path, group: u64, unit: usize) -> Option<PathBuf> {
        let group = &self.groups[group as usize];
        Some(meta_path(folder, group.block(unit), group.generation?))
    }
}

fn meta_path(folder: &Path, id: BlockId, generation_stamp: u64) -> PathBuf {
    folder.join(BlockFileName::Meta { id, generation_stamp }.to_string())
}

impl DatanodeGroup {
    fn new(id: BlockId, stamps: &Stamps) -> Self {
        let none = BTreeMap::new();
        let own = stamps.get(&id).unwrap_or(&none);
        let mut all: Vec<u64> = own.values().flatten().copied().collect();
        // Of stamps that are equally frequent the newest counts: it comes first.
        all.sort_unstable_by(|first, second| second.cmp(first));
        let generation = most_frequent(all.into_iter());
        let metas = own.iter().filter_map(|(&unit, stamps)| {
            let usual = generation.filter(|generation| stamps.contains(generation));
            Some((unit, usual.or(stamps.last().copied())?))
        });
        Self { id, generation, metas: metas.collect() }
    }

    /// The id of an internal block; a policy for datanodes has no unit past those of a group.
    fn block(&self, unit: usize) -> BlockId {
        self.id.internal_block(unit).unwrap_or(self.id)
    }
}

/// The ids of a file's `count` groups.
fn choose(
    path: &Path,
    found: &BTreeSet<BlockId>,
    count: u64,
    asked: &[i64],
) -> Result<Vec<BlockId>> {
    if !asked.is_empty() {
        return check_asked(asked, count);
    }
    if found.len() as u64 == count {
        return Ok(found.iter().copied().collect());
    }
    // Groups of which nothing is left show as gaps where the file was written without pause.
    let ids_per_group = BlockId::IDS_PER_GROUP as i64;
    if let (Some(&first), Some(&last)) = (found.first(), found.last()) {
        let span = last.0.abs_diff(first.0) / ids_per_group as u64 + 1;
        if (found.len() as u64) < count && span == count {
            let id = |group| BlockId(first.0 + group * ids_per_group);
            return Ok((0..count as i64).map(id).collect());
        }
    }
    let ids: Vec<String> = found.iter().take(8).map(|id| id.0.to_string()).collect();
    let more = if found.len() > 8 { ", ..." } else { "" };
    Err(Failure::folder(
        path,
        format!(
            "holds blocks of {} block groups ({}{more}), the file has {count}",
            found.len(),
            ids.join(", "),
        ),
        "check --size and --block-size, or name the file's groups in order: --group-ids ID,ID,... \
         (hdfs fsck FILE -files -blocks shows them)",
    ))
}

fn check_asked(asked: &[i64], count: u64) -> Result<Vec<BlockId>> {
    let wrong = |message: String| {
        Err(Failure::asked(message, "give the id of each of the file's block groups, in order"))
    };
    if asked.len() as u64 != count {
        return wrong(format!("--group-ids has {} ids, the file has {count} groups", asked.len()));
    }
    if let Some(id) = asked.iter().find(|&&id| BlockId(id).group() != Some(BlockId(id))) {
        return wrong(format!(
            "{id} in --group-ids is not the id of a block group: those are negative multiples of 16"
        ));
    }
    if asked.iter().collect::<BTreeSet<_>>().len() < asked.len() {
        return wrong("--group-ids names a group twice".to_owned());
    }
    Ok(asked.iter().map(|&id| BlockId(id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: i64 = i64::MIN + 16;

    fn chosen(found: &[i64], count: u64) -> Option<Vec<i64>> {
        let found = found.iter().map(|&id| BlockId(id)).collect();
        let ids = choose(Path::new("folder"), &found, count, &[]).ok()?;
        Some(ids.into_iter().map(|id| id.0).collect())
    }

    #[test]
    fn as_many_groups_as_the_file_has_are_taken_in_the_order_of_their_ids() {
        assert_eq!(chosen(&[FIRST + 64, FIRST], 2), Some(vec![FIRST, FIRST + 64]));
    }

    #[test]
    fn a_group_of_which_nothing_is_left_shows_as_a_gap() {
        assert_eq!(chosen(&[FIRST, FIRST + 32], 3), Some(vec![FIRST, FIRST + 16, FIRST + 32]));
        assert_eq!(chosen(&[FIRST, FIRST + 16], 3), None);
        assert_eq!(chosen(&[FIRST, FIRST + 16, FIRST + 32], 2), None);
        assert_eq!(chosen(&[i64::MIN, -16], u64::MAX), None);
    }

    #[test]
    fn ids_that_are_asked_for_are_checked() {
        let asked = |asked: &[i64]| check_asked(asked, 2).ok();
        assert_eq!(asked(&[-16, -48]), Some(vec![BlockId(-16), BlockId(-48)]));
        for wrong in [&[-16][..], &[-16, -16], &[-16, -47], &[-16, 32]] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_usual_generation_wins_and_others_are_noted() {
        let units = [(0, vec![5]), (1, vec![4, 5]), (2, vec![4])];
        let units = units.map(|(unit, stamps)| (unit, BTreeSet::from_iter(stamps)));
        let stamps = Stamps::from([(BlockId(-16), BTreeMap::from(units))]);
        let groups = DatanodeGroups { groups: vec![DatanodeGroup::new(BlockId(-16), &stamps)] };
        let files = |unit| groups.block_files(Path::new("d"), 0, unit);
        assert_eq!(files(1).meta, Some(PathBuf::from("d/blk_-15_5.meta")));
        assert_eq!(files(2).other_generation, Some((4, 5)));
        assert_eq!(files(3).meta, Some(PathBuf::from("d/blk_-13_5.meta")));
        assert_eq!(groups.place(BlockId(-13)), Some((0, 3)));
        assert_eq!(groups.place(BlockId(-17)), None);
    }
}
