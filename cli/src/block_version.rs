//! A block on the command line: an id, or a file's name.

use std::str::FromStr;

use restripe::hdfs::{BlockFileName, BlockId};

/// A block and, where it was said, the least generation stamp that will do.
///
/// ```
/// use restripe::hdfs::BlockId;
/// use restripe_cli::block_version::BlockVersion;
///
/// let block = BlockVersion { id: BlockId(1_073_741_825), generation_stamp: 1001 };
/// assert_eq!("blk_1073741825_1001".parse(), Ok(block));
/// assert_eq!("blk_1073741825_1001.meta".parse(), Ok(block));
/// assert_eq!("-16".parse(), Ok(BlockVersion { id: BlockId(-16), generation_stamp: 0 }));
/// assert!("block".parse::<BlockVersion>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockVersion {
    /// The block's id.
    pub id: BlockId,
    /// The least generation stamp that will do: 0 for any.
    pub generation_stamp: u64,
}

impl FromStr for BlockVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stem = text.strip_suffix(".meta").unwrap_or(text);
        let name = format!("blk_{}", stem.strip_prefix("blk_").unwrap_or(stem));
        let parsed = name.parse().or_else(|_| format!("{name}.meta").parse());
        match parsed {
            Ok(BlockFileName::Data { id }) => Ok(Self { id, generation_stamp: 0 }),
            Ok(BlockFileName::Meta { id, generation_stamp }) => Ok(Self { id, generation_stamp }),
            Err(_) => Err(format!("{text:?} is no block: ID, blk_ID or blk_ID_STAMP is")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_taken_and_nothing_else() {
        let parse = |text: &str| text.parse::<BlockVersion>().ok();
        let block = |id, generation_stamp| Some(BlockVersion { id: BlockId(id), generation_stamp });
        assert_eq!(parse("5"), block(5, 0));
        assert_eq!(parse("blk_5"), block(5, 0));
        assert_eq!(parse("5_6"), block(5, 6));
        assert_eq!(parse("blk_-9223372036854775792_1001"), block(-9_223_372_036_854_775_792, 1001));
        for text in ["", "blk_", "blk_blk_5", "05", "5_", "5_-6", "5_6_7", "5.0", "0x5", "../5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
