//! A unit and where its block is, on the command line: `3=folder/blk_5` or `3=HOST:PORT/blk_5`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::block_version::BlockVersion;

/// A unit of a group and the block that it is or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlace {
    /// The unit, data units first.
    pub unit: usize,
    /// Where its block is.
    pub place: BlockPlace,
}

/// Where a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockPlace {
    /// In a folder.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The block.
        block: BlockVersion,
    },
    /// At a datanode.
    Datanode {
        /// Its name or address, and its port.
        host: String,
        /// The block.
        block: BlockVersion,
    },
}

impl BlockPlace {
    /// The block.
    #[must_use]
    pub fn block(&self) -> BlockVersion {
        match self {
            Self::Folder { block, .. } | Self::Datanode { block, .. } => *block,
        }
    }
}

impl FromStr for UnitPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (unit, place) = text.split_once('=').ok_or_else(|| {
            format!(
                "{text:?} does not say which unit: write UNIT=FOLDER/BLOCK, UNIT=HOST:PORT/BLOCK"
            )
        })?;
        let unit = unit.parse().map_err(|_| format!("{unit:?} is no unit: 0, 1, 2, ... are"))?;
        let (before, name) = match place.rsplit_once('/') {
            Some((before, name)) => (Some(before), name),
            None => (None, place),
        };
        let block: BlockVersion = name.parse()?;
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let host = before.filter(|before| {
            !before.contains('/') && before.rsplit_once(':').is_some_and(|(_, port)| is_port(port))
        });
        let place = match (host, before) {
            (Some(host), _) => BlockPlace::Datanode { host: host.to_owned(), block },
            (None, Some("")) => BlockPlace::Folder { folder: PathBuf::from("/"), block },
            (None, Some(folder)) => BlockPlace::Folder { folder: PathBuf::from(folder), block },
            (None, None) => BlockPlace::Folder { folder: PathBuf::from("."), block },
        };
        Ok(Self { unit, place })
    }
}

impl fmt::Display for BlockPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.block().id;
        match self {
            Self::Folder { folder, .. } => {
                write!(f, "{}", Path::new(folder).join(format!("blk_{}", id.0)).display())
            }
            Self::Datanode { host, .. } => write!(f, "{host}/blk_{}", id.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restripe::hdfs::BlockId;

    #[test]
    fn files_and_datanodes_are_told_apart() {
        let block = BlockVersion { id: BlockId(-5), generation_stamp: 7 };
        let folder = |folder: &str| BlockPlace::Folder { folder: folder.into(), block };
        let at = |host: &str| BlockPlace::Datanode { host: host.into(), block };
        for (text, unit, place) in [
            ("0=blk_-5_7", 0, folder(".")),
            ("12=a/b/blk_-5_7", 12, folder("a/b")),
            ("1=/blk_-5_7", 1, folder("/")),
            ("1=./h:9866/blk_-5_7", 1, folder("./h:9866")),
            ("1=h:x/blk_-5_7", 1, folder("h:x")),
            ("1=h:9866/blk_-5_7", 1, at("h:9866")),
            ("1=[::1]:9866/-5_7", 1, at("[::1]:9866")),
        ] {
            assert_eq!(text.parse(), Ok(UnitPlace { unit, place }), "{text}");
        }
        for text in ["", "blk_5", "x=blk_5", "-1=blk_5", "0=", "0=folder/", "0=h:9866/file"] {
            assert!(text.parse::<UnitPlace>().is_err(), "{text}");
        }
    }
}
