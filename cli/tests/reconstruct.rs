//! Reconstruct: lost blocks of one group, from files and datanodes to files and datanodes.

mod common;

use std::fs;
use std::path::Path;

use common::{Random, Run, run};
use restripe::ErasureCode as _;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::MetaHeader;
use restripe::layout::{Layout as _, Policy};
use restripe::net::{BlockServer, BlockStore, RunningServer, ServerOptions};
use tempfile::TempDir;

const LENGTH: u64 = 700_001;

struct Group {
    blocks: Vec<Vec<u8>>,
    folder: TempDir,
    rebuilt: TempDir,
}

fn name(unit: usize) -> String {
    format!("blk_{}", -1024 + unit as i64)
}

fn meta(block: &[u8]) -> Vec<u8> {
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
    let mut sums = vec![0; checksum.sums_len(block.len() as u64).unwrap() as usize];
    checksum.compute(block, &mut sums).unwrap();
    [&MetaHeader::new(checksum).encode()[..], &sums].concat()
}

impl Group {
    /// All blocks of an RS-3-2-64k group but those lost are in a folder.
    fn new(lost: &[usize]) -> Self {
        let policy: Policy = "RS-3-2-64k".parse().unwrap();
        let layout = policy.group(LENGTH);
        let mut random = Random::new(3);
        let mut blocks: Vec<Vec<u8>> =
            (0..3).map(|unit| random.bytes(layout.unit_len(unit) as usize)).collect();
        let mut parity = vec![vec![0; layout.unit_len(3) as usize]; 2];
        policy.code().unwrap().encode(&blocks, &mut parity).unwrap();
        blocks.extend(parity);
        let folder = TempDir::new().unwrap();
        for (unit, block) in blocks.iter().enumerate().filter(|(unit, _)| !lost.contains(unit)) {
            fs::write(folder.path().join(name(unit)), block).unwrap();
            let meta_name = format!("{}_1001.meta", name(unit));
            fs::write(folder.path().join(meta_name), meta(block)).unwrap();
        }
        Self { blocks, folder, rebuilt: TempDir::new().unwrap() }
    }

    fn file(&self, unit: usize) -> String {
        format!("{unit}={}/{}", self.folder.path().display(), name(unit))
    }

    fn rebuilt(&self, unit: usize) -> String {
        format!("{unit}={}/{}", self.rebuilt.path().display(), name(unit))
    }

    #[track_caller]
    fn check(&self, unit: usize) {
        let folder = self.rebuilt.path();
        assert!(fs::read(folder.join(name(unit))).unwrap() == self.blocks[unit]);
        let stored = fs::read(folder.join(format!("{}_1001.meta", name(unit)))).unwrap();
        assert!(stored == meta(&self.blocks[unit]));
    }
}

fn server(folder: &Path, writable: bool) -> RunningServer {
    let open = if writable { BlockStore::open_for_writing } else { BlockStore::open };
    let (address, store) = ("127.0.0.1:0".parse().unwrap(), open(folder).unwrap());
    BlockServer::bind(address, store, ServerOptions::default()).unwrap().start().unwrap()
}

fn reconstruct(options: &[&str], sources: &[String], targets: &[String]) -> Run {
    let length = LENGTH.to_string();
    let mut arguments: Vec<&str> =
        vec!["reconstruct", "--policy", "RS-3-2-64k", "--length", &length];
    arguments.extend(options);
    sources.iter().for_each(|source| arguments.extend(["--source", source]));
    targets.iter().for_each(|target| arguments.extend(["--target", target]));
    run(arguments)
}

#[test]
fn from_files_and_a_datanode_to_files() {
    let group = Group::new(&[1, 3]);
    let server = server(group.folder.path(), false);
    let sources =
        [group.file(0), group.file(2), format!("4={}/{}_1001", server.address(), name(4))];
    let targets = [group.rebuilt(1), group.rebuilt(3)];
    let done = reconstruct(&[], &sources, &targets).expect(0);
    assert!(done.text().contains("rebuilt: 1="), "{}", done.text());
    group.check(1);
    group.check(3);
    // What is there is not written over.
    let again = reconstruct(&[], &sources, &targets).expect(1);
    assert!(again.stderr.contains("already in"), "{}", again.stderr);
}

#[test]
fn to_a_datanode_with_a_report_for_scripts() {
    let group = Group::new(&[2]);
    fs::write(group.folder.path().join(name(0)), b"cut").unwrap();
    let server = server(group.rebuilt.path(), true);
    let sources = [1, 3, 4].map(|unit| group.file(unit));
    let target = format!("2={}/{}_1001", server.address(), name(2));
    let json = reconstruct(&["--json"], &sources, &[target]).expect(0).json();
    assert_eq!(json["command"], "reconstruct");
    assert_eq!(json["targets"][0]["rebuilt"], true);
    assert_eq!(json["targets"][0]["bytes"], group.blocks[2].len());
    assert_eq!(json["sources"][1]["unit"], 3);
    assert!(json["sources"].as_array().unwrap().iter().all(|s| s["failure"].is_null()));
    for time in ["seconds", "reading_seconds", "computing_seconds", "sending_seconds"] {
        assert!(json[time].as_f64().unwrap() > 0.0, "{time}: {json}");
    }
    group.check(2);
}

#[test]
fn damage_is_read_around_and_told() {
    let group = Group::new(&[2]);
    let path = group.folder.path().join(name(1));
    let mut damaged = fs::read(&path).unwrap();
    damaged[70_000] ^= 1;
    fs::write(&path, damaged).unwrap();
    let sources = [0, 1, 3, 4].map(|unit| group.file(unit));
    let done = reconstruct(&[], &sources, &[group.rebuilt(2)]).expect(0);
    let text = done.text();
    assert!(text.contains("given up: source 1=") && text.contains("byte 69632"), "{text}");
    group.check(2);
}

#[test]
fn too_few_sources_and_wrong_places_are_refused() {
    let group = Group::new(&[2]);
    let two = [group.file(0), group.file(1)];
    let refused = reconstruct(&[], &two, &[group.rebuilt(2)]).expect(1);
    assert!(refused.stderr.contains("2 units are available, 3 are required"), "{}", refused.stderr);
    reconstruct(&[], &["0:blk_5".to_owned()], &[group.rebuilt(2)]).expect(2);
    let missing = [group.file(0), group.file(1), group.file(2)];
    let refused = reconstruct(&[], &missing, &[group.rebuilt(4)]).expect(1);
    assert!(refused.stderr.contains("cannot use source 2="), "{}", refused.stderr);
}

#[test]
fn blocks_that_are_all_damaged_somewhere_are_used_where_they_are_not() {
    let group = Group::new(&[2]);
    for (place, unit) in [0, 1, 3, 4].into_iter().enumerate() {
        let path = group.folder.path().join(name(unit));
        let mut damaged = fs::read(&path).unwrap();
        damaged[10_000 * (place + 1)] ^= 1;
        fs::write(&path, damaged).unwrap();
    }
    let (sources, target) = ([0, 1, 3, 4].map(|unit| group.file(unit)), [group.rebuilt(2)]);
    let failed = reconstruct(&[], &sources, &target).expect(1);
    assert!(failed.stderr.contains("was not rebuilt"), "{}", failed.stderr);
    let done = reconstruct(&["--leave-out-damage"], &sources, &target).expect(0);
    let text = done.text();
    assert!(text.contains("damaged: source 0=") && text.contains("byte 9728"), "{text}");
    assert!(text.contains("sending"), "{text}");
    group.check(2);
}
