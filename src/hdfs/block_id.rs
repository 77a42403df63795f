//! Block ids, what they say of block groups, and the file names made of them.

use core::fmt;
use core::str::FromStr;

use crate::{Error, Result};

/// The id of a block, of a block group or of an internal block of a group.
///
/// Ids of groups are negative multiples of 16. Internal block i of a group has the group's id
/// plus i, data units first. (Clusters older than HDFS 2 may hold plain blocks with random
/// negative ids; only their name node can tell those from striped ones.)
///
/// ```
/// use restripe::hdfs::BlockId;
///
/// let group = BlockId(-9223372036854775792);
/// let fourth = group.internal_block(3).unwrap();
/// assert_eq!(fourth, BlockId(-9223372036854775789));
/// assert_eq!((fourth.group(), fourth.index()), (Some(group), Some(3)));
///
/// assert_eq!(BlockId(1_073_741_825).group(), None); // a plain block
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub i64);

impl BlockId {
    /// How many ids a group has, and so the most units that HDFS stripes over.
    pub const IDS_PER_GROUP: usize = 16;

    const INDEX_MASK: i64 = Self::IDS_PER_GROUP as i64 - 1;

    /// Whether it is the id of a striped group or of an internal block of one.
    #[must_use]
    pub const fn is_striped(self) -> bool {
        self.0 < 0
    }

    /// The group that an internal block belongs to; `None` for the id of a plain block.
    #[must_use]
    pub const fn group(self) -> Option<Self> {
        if self.is_striped() { Some(Self(self.0 & !Self::INDEX_MASK)) } else { None }
    }

    /// Which unit of its group an internal block is; `None` for the id of a plain block.
    ///
    /// A group and its internal block 0 have the same id, so this is 0 for a group.
    #[must_use]
    pub const fn index(self) -> Option<usize> {
        if self.is_striped() { Some((self.0 & Self::INDEX_MASK) as usize) } else { None }
    }

    /// The id of an internal block of this group; `None` where this is not the id of a group, or
    /// the index is 16 or more.
    #[must_use]
    pub const fn internal_block(self, index: usize) -> Option<Self> {
        let is_group = self.is_striped() && self.0 & Self::INDEX_MASK == 0;
        if is_group && index < Self::IDS_PER_GROUP {
            Some(Self(self.0 | index as i64))
        } else {
            None
        }
    }
}

/// The name of a file in which a datanode keeps a block.
///
/// `parse` takes exactly what `to_string` gives: what a datanode never writes, such as a leading
/// zero, is no block file.
///
/// ```
/// use restripe::hdfs::{BlockFileName, BlockId};
///
/// let name: BlockFileName = "blk_-9223372036854775790_1001.meta".parse()?;
/// let id = BlockId(-9223372036854775790);
/// assert_eq!(name, BlockFileName::Meta { id, generation_stamp: 1001 });
/// assert_eq!(id.index(), Some(2));
/// assert!("dncp_block_verification.log.curr".parse::<BlockFileName>().is_err());
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockFileName {
    /// `blk_<id>`: the block's bytes.
    Data {
        /// The block.
        id: BlockId,
    },
    /// `blk_<id>_<generation stamp>.meta`: its checksums.
    Meta {
        /// The block.
        id: BlockId,
        /// The generation of the block, up to 2^63 - 1; the internal blocks of a group share
        /// their group's.
        generation_stamp: u64,
    },
}

impl BlockFileName {
    /// The block that the file is of.
    #[must_use]
    pub const fn id(self) -> BlockId {
        match self {
            Self::Data { id } | Self::Meta { id, .. } => id,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix("blk_")?;
        match name.strip_suffix(".meta") {
            None => Some(Self::Data { id: BlockId(decimal(name)?) }),
            Some(name) => {
                let (id, generation_stamp) = name.split_once('_')?;
                Some(Self::Meta {
                    id: BlockId(decimal(id)?),
                    generation_stamp: decimal(generation_stamp)?.try_into().ok()?,
                })
            }
        }
    }
}

impl fmt::Display for BlockFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { id } => write!(f, "blk_{}", id.0),
            Self::Meta { id, generation_stamp } => {
                write!(f, "blk_{}_{generation_stamp}.meta", id.0)
            }
        }
    }
}

impl FromStr for BlockFileName {
    type Err = Error;

    /// # Errors
    ///
    /// [`Error::Invalid`] for what is not the name of a block file.
    fn from_str(name: &str) -> Result<Self> {
        Self::parse(name).ok_or_else(|| Error::Invalid {
            what: "block file name",
            got: name.into(),
            expected: "it is blk_<id> or blk_<id>_<generation stamp>.meta",
        })
    }
}

/// A number as `Display` writes it: no plus sign, no zero before it, no -0.
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    let canonical = text == "0" || !digits.starts_with('0');
    if plain && canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_name_survives_parsing() {
        for id in [i64::MIN, -16, -1, 0, 1, 1_073_741_825, i64::MAX].map(BlockId) {
            let data = BlockFileName::Data { id };
            assert_eq!(data.to_string().parse(), Ok(data));
            for generation_stamp in [0, 1001, i64::MAX as u64] {
                let meta = BlockFileName::Meta { id, generation_stamp };
                assert_eq!(meta.to_string().parse(), Ok(meta));
                assert_eq!(meta.id(), id);
            }
        }
    }

    #[test]
    fn what_no_datanode_writes_is_refused() {
        for name in [
            "",
            "blk_",
            "blk_-",
            "blk",
            "BLK_5",
            " blk_5",
            "blk_5 ",
            "blk_+5",
            "blk_05",
            "blk_-0",
            "blk_--5",
            "blk_5_",
            "blk_5_6",
            "blk_5.meta",
            "blk_5_.meta",
            "blk_5_-6.meta",
            "blk_5_06.meta",
            "blk_5_6_7.meta",
            "blk_5_6.meta.meta",
            "blk_5_6.META",
            "blk_5_6.metadata",
            "blk_٥",
            "blk_9223372036854775808",
            "blk_-9223372036854775809",
            "blk_5_9223372036854775808.meta",
            "sub/blk_5",
        ] {
            let expected = "it is blk_<id> or blk_<id>_<generation stamp>.meta";
            assert_eq!(
                name.parse::<BlockFileName>(),
                Err(Error::Invalid { what: "block file name", got: name.into(), expected })
            );
        }
    }

    #[test]
    fn sixteen_ids_belong_to_a_group() {
        for group in [i64::MIN, -32, -16].map(BlockId) {
            for index in 0..16 {
                let block = group.internal_block(index).unwrap();
                assert_eq!(block.0, group.0 + index as i64);
                assert_eq!((block.group(), block.index()), (Some(group), Some(index)));
                assert_eq!(block.internal_block(0).is_some(), index == 0, "{block:?}");
            }
            assert_eq!(group.internal_block(16), None);
            assert_eq!(group.internal_block(usize::MAX), None);
        }
    }

    #[test]
    fn plain_blocks_belong_to_no_group() {
        for id in [0, 16, 1_073_741_825, i64::MAX].map(BlockId) {
            assert_eq!((id.is_striped(), id.group(), id.index()), (false, None, None));
            assert_eq!(id.internal_block(0), None);
        }
    }
}
