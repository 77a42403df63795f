//! Folders as datanodes keep them, written by a real HDFS: decode, verify and repair by policy,
//! size and block size alone.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Files, Random, edit, files, oracle, run_on};
use serde_json::Value;

fn vectors() -> PathBuf {
    let root = std::env::var_os("RESTRIPE_VECTORS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data"));
    root.join("hadoop/blocks")
}

/// A striped file that HDFS wrote.
struct Striped {
    work: tempfile::TempDir,
    layout: String,
    content: Vec<u8>,
    pristine: Files,
    /// Id and generation stamp of its one group.
    id: i64,
    generation: u64,
    lens: Vec<u64>,
}

impl Striped {
    fn all() -> Vec<Self> {
        let list = fs::read_to_string(vectors().join("blocks.jsonl")).unwrap();
        let records: Vec<Value> =
            list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let striped: Vec<Self> =
            records.iter().filter(|record| record["striped"] == true).map(Self::new).collect();
        assert!(striped.len() >= 4);
        striped
    }

    fn named(name: &str) -> Self {
        let list = fs::read_to_string(vectors().join("blocks.jsonl")).unwrap();
        let records = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        Self::new(&records.into_iter().find(|record| record["file"] == name).unwrap())
    }

    fn new(record: &Value) -> Self {
        let source = vectors().join(record["file"].as_str().unwrap());
        let mut pristine = files(&source);
        let content = pristine.remove("source.bin").unwrap();
        let mut lens = vec![0; 5];
        for block in record["blocks"].as_array().unwrap() {
            lens[block["index"].as_u64().unwrap() as usize] = block["len"].as_u64().unwrap();
        }
        let striped = Self {
            work: tempfile::tempdir().unwrap(),
            layout: format!(
                "--policy {} --size {} --block-size {}",
                record["policy"].as_str().unwrap(),
                record["fileLen"],
                record["blockSize"]
            ),
            content,
            pristine,
            id: record["blockId"].as_i64().unwrap(),
            generation: record["generationStamp"].as_u64().unwrap(),
            lens,
        };
        striped.reset();
        striped
    }

    fn folder(&self) -> PathBuf {
        self.work.path().join("finalized")
    }

    fn reset(&self) {
        let _ = fs::remove_dir_all(self.folder());
        fs::create_dir(self.folder()).unwrap();
        for (name, bytes) in &self.pristine {
            fs::write(self.folder().join(name), bytes).unwrap();
        }
    }

    fn block(&self, unit: usize) -> PathBuf {
        self.folder().join(format!("blk_{}", self.id + unit as i64))
    }

    fn meta(&self, unit: usize) -> PathBuf {
        let name = format!("blk_{}_{}.meta", self.id + unit as i64, self.generation);
        self.folder().join(name)
    }

    fn run(&self, command: &str) -> common::Run {
        run_on(&format!("{command} {}", self.layout), &[&self.folder()])
    }

    #[track_caller]
    fn decodes(&self, exit: i32) {
        let arguments = format!("decode {}", self.layout);
        let decoded = run_on(&arguments, &[&self.folder(), "-".as_ref()]).expect(exit);
        assert!(decoded.stdout == self.content);
    }

    #[track_caller]
    fn comes_back(&self) {
        self.run("verify").expect(3);
        self.decodes(0);
        self.run("repair").expect(0);
        assert!(files(&self.folder()) == self.pristine);
    }
}

#[test]
fn blocks_of_hdfs_are_whole_and_decode_to_its_files() {
    for striped in Striped::all() {
        let report = striped.run("verify --deep --json").expect(0).json();
        assert_eq!(report["folder"]["form"], "datanode");
        assert_eq!(report["blocks_whole"], striped.pristine.len() / 2);
        striped.decodes(0);
    }
}

#[test]
fn any_two_blocks_of_hdfs_come_back_byte_for_byte_with_their_meta_files() {
    for striped in Striped::all() {
        for first in 0..5 {
            for second in first + 1..5 {
                striped.reset();
                let lost = [first, second].into_iter().filter(|&unit| striped.lens[unit] > 0);
                let count = lost.map(|unit| {
                    fs::remove_file(striped.block(unit)).unwrap();
                    fs::remove_file(striped.meta(unit)).unwrap();
                });
                if count.count() > 0 {
                    striped.comes_back();
                }
            }
        }
    }
}

#[test]
fn damage_in_every_block_comes_back_by_the_chunk() {
    let striped = Striped::named("striped1");
    for unit in 0..5 {
        edit(&striped.block(unit), |bytes| bytes[unit * 2048 + 100] ^= 4);
    }
    edit(&striped.block(1), |bytes| bytes.truncate(100_000));
    edit(&striped.block(4), |bytes| bytes.extend([0; 99]));
    fs::remove_file(striped.meta(2)).unwrap();
    striped.comes_back();
}

#[test]
fn sums_of_a_file_with_crc32_stay_crc32() {
    let striped = Striped::named("striped1_crc32");
    let report = striped.run("verify --json").expect(0).json();
    assert_eq!(report["folder"]["checksum"], "CRC32");
    fs::remove_file(striped.meta(0)).unwrap();
    fs::remove_file(striped.block(3)).unwrap();
    fs::remove_file(striped.meta(3)).unwrap();
    striped.comes_back();
}

#[test]
fn a_wrong_size_or_block_size_is_noticed_and_changes_nothing() {
    let striped = Striped::named("striped1");
    let wrong = [
        "--policy RS-3-2-64k --size 471096 --block-size 1048576",
        "--policy RS-3-2-64k --size 471098 --block-size 1048576",
        "--policy RS-3-2-128k --size 471097 --block-size 1048576",
    ];
    for layout in wrong {
        let verified = run_on(&format!("verify {layout}"), &[&striped.folder()]);
        assert!(verified.exit != 0, "{layout}: {}", verified.text());
    }
    let two_groups = "repair --policy RS-3-2-64k --size 471097 --block-size 65536";
    let refused = run_on(two_groups, &[&striped.folder()]).expect(1);
    assert!(refused.stderr.contains("--group-ids"), "{}", refused.stderr);
    assert!(files(&striped.folder()) == striped.pristine);
}

#[test]
fn a_meta_file_of_another_generation_is_not_trusted() {
    let striped = Striped::named("exact2stripes");
    // The block and its sums of an older write, left behind by a datanode that was away.
    let stale = format!("blk_{}_{}.meta", striped.id + 1, striped.generation - 1);
    let foreign = vec![7_u8; striped.lens[1] as usize];
    let mut meta = vec![0, 1, 2, 0, 0, 2, 0];
    foreign.chunks(512).for_each(|chunk| meta.extend(oracle::crc32c(chunk).to_be_bytes()));
    fs::write(striped.block(1), &foreign).unwrap();
    fs::remove_file(striped.meta(1)).unwrap();
    fs::write(striped.folder().join(&stale), &meta).unwrap();
    let report = striped.run("verify --json").expect(3).json();
    assert_eq!(report["damaged_blocks"][0]["findings"][0]["kind"], "other-generation");
    striped.decodes(0);
    striped.run("repair").expect(0);
    fs::remove_file(striped.folder().join(stale)).unwrap();
    assert!(files(&striped.folder()) == striped.pristine);
}

#[test]
fn without_any_meta_file_parity_proves_the_data_but_their_names_are_not_known() {
    let striped = Striped::named("striped1");
    for unit in 0..5 {
        fs::remove_file(striped.meta(unit)).unwrap();
    }
    striped.decodes(0);
    let before = files(&striped.folder());
    let report = striped.run("repair --json").expect(1).json();
    assert_eq!(report["damaged_blocks"][0]["reason"], "generation-unknown");
    assert!(files(&striped.folder()) == before);
}

/// A file of several groups, renamed from an own encode to what a datanode would call it.
fn several_groups(ids: &[i64]) -> (tempfile::TempDir, Vec<u8>, Files) {
    let content = Random::new(5).bytes(6_000 * ids.len() - 500);
    let encoded = common::Encoded::new("RS-3-2-1k", 2 << 10, content.clone());
    let work = tempfile::tempdir().unwrap();
    for (group, id) in ids.iter().enumerate() {
        for unit in 0..5 {
            let block = encoded.block(group as u64, unit);
            let name = format!("blk_{}", id + unit as i64);
            let _ = fs::copy(block, work.path().join(&name));
            let meta = encoded.meta(group as u64, unit);
            let _ = fs::copy(meta, work.path().join(format!("{name}_{}.meta", 1000 + group)));
        }
    }
    let pristine = files(work.path());
    (work, content, pristine)
}

const FIRST: i64 = i64::MIN + 1600;

#[test]
fn groups_are_told_apart_by_their_ids_and_other_files_stay_out_of_it() {
    let (work, content, mut pristine) = several_groups(&[FIRST, FIRST + 160, FIRST + 320]);
    fs::write(work.path().join("blk_1073741825"), "a replicated block").unwrap();
    fs::write(work.path().join("VERSION"), "a file of the datanode").unwrap();
    pristine = {
        pristine.extend(files(work.path()));
        pristine
    };
    let layout = format!("--policy RS-3-2-1k --size {} --block-size 2k", content.len());
    for id in [FIRST, FIRST + 161, FIRST + 323] {
        fs::remove_file(work.path().join(format!("blk_{id}"))).unwrap();
    }
    let report = run_on(&format!("verify --json {layout}"), &[work.path()]).expect(3).json();
    assert!(report["not_checked"].to_string().contains("blk_1073741825"));
    let decoded = run_on(&format!("decode {layout}"), &[work.path(), "-".as_ref()]).expect(0);
    assert!(decoded.stdout == content);
    run_on(&format!("repair {layout}"), &[work.path()]).expect(0);
    assert!(files(work.path()) == pristine);
}

#[test]
fn a_lost_group_is_seen_by_the_gap_or_by_the_ids_given() {
    let ids = [FIRST, FIRST + 16, FIRST + 32];
    let (work, content, _) = several_groups(&ids);
    for entry in fs::read_dir(work.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let id: i64 = name[4..].split('_').next().unwrap().parse().unwrap();
        if (FIRST + 16..FIRST + 32).contains(&id) {
            fs::remove_file(path).unwrap();
        }
    }
    let layout = format!("--policy RS-3-2-1k --size {} --block-size 2k", content.len());
    let group_ids = format!("{layout} --group-ids={},{},{}", ids[0], ids[1], ids[2]);
    for layout in [&layout, &group_ids] {
        run_on(&format!("verify {layout}"), &[work.path()]).expect(4);
        let arguments = format!("decode --range 12288.. {layout}");
        let decoded = run_on(&arguments, &[work.path(), "-".as_ref()]).expect(0);
        assert!(decoded.stdout == content[12288..]);
    }
    let wrong = format!("verify {layout} --group-ids={},{}", ids[0], ids[1]);
    run_on(&wrong, &[work.path()]).expect(1);
}

#[test]
fn a_file_of_no_bytes_has_no_blocks() {
    let work = tempfile::tempdir().unwrap();
    let decoded =
        run_on("decode --policy RS-3-2-64k --size 0", &[work.path(), "-".as_ref()]).expect(0);
    assert!(decoded.stdout.is_empty());
}
