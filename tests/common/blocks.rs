//! The real HDFS blocks among the vectors: what is known of each, and its files' bytes.

// Without the feature `hdfs` the metadata files are not looked into.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{array, count, json_lines, number, text, vectors_dir};

/// A block or block group as the name node knew it.
pub(crate) struct Block {
    /// Name of the file that it is of, and of its folder.
    pub(crate) file: String,
    /// Which block of the file it is.
    pub(crate) number: u64,
    pub(crate) id: i64,
    pub(crate) generation_stamp: u64,
    /// Bytes of data.
    pub(crate) len: u64,
    /// The file's `dfs.blocksize`.
    pub(crate) block_size: u64,
    pub(crate) file_len: u64,
    /// k, m and cell size, of a striped block.
    pub(crate) striping: Option<Striping>,
    /// The block itself or the group's internal blocks, as far as the datanodes had them.
    pub(crate) replicas: Vec<Replica>,
}

pub(crate) struct Striping {
    pub(crate) policy: String,
    pub(crate) data_units: usize,
    pub(crate) parity_units: usize,
    pub(crate) cell_size: u64,
}

/// The two files of one (internal) block.
pub(crate) struct Replica {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) meta_name: String,
    pub(crate) data: Vec<u8>,
    pub(crate) meta: Vec<u8>,
}

fn blocks_dir() -> PathBuf {
    vectors_dir().join("hadoop/blocks")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// All blocks of all files; a file of no bytes has none.
pub(crate) fn blocks() -> Vec<Block> {
    let objects = json_lines("hadoop/blocks/blocks.jsonl");
    objects.iter().filter(|object| number(object, "fileLen") > 0).map(block).collect()
}

fn block(object: &Value) -> Block {
    let file = text(object, "file").to_owned();
    let dir = blocks_dir().join(&file);
    let striping = object["striped"].as_bool().unwrap().then(|| Striping {
        policy: text(object, "policy").to_owned(),
        data_units: count(object, "k"),
        parity_units: count(object, "m"),
        cell_size: number(object, "cell"),
    });
    let replicas = array(object, "blocks").iter().map(|replica| {
        let (name, meta_name) = (text(replica, "block"), text(replica, "meta"));
        let (data, meta) = (read(&dir.join(name)), read(&dir.join(meta_name)));
        assert_eq!(data.len() as u64, number(replica, "len"), "{file}/{name}");
        assert_eq!(meta.len() as u64, number(replica, "metaLen"), "{file}/{meta_name}");
        Replica {
            index: count(replica, "index"),
            name: name.to_owned(),
            meta_name: meta_name.to_owned(),
            data,
            meta,
        }
    });
    Block {
        replicas: replicas.collect(),
        number: number(object, "blockNo"),
        id: object["blockId"].as_i64().unwrap(),
        generation_stamp: number(object, "generationStamp"),
        len: number(object, "numBytes"),
        block_size: number(object, "blockSize"),
        file_len: number(object, "fileLen"),
        striping,
        file,
    }
}

/// The bytes of the whole file that a block is of.
pub(crate) fn source(file: &str) -> Vec<u8> {
    let dir = blocks_dir();
    // The file in two blocks is a copy, with its source stored once.
    let dir = [file, file.trim_end_matches("_2blocks")]
        .map(|name| dir.join(name).join("source.bin"))
        .into_iter()
        .find(|path| path.exists());
    read(&dir.unwrap_or_else(|| panic!("no source.bin for {file}")))
}
