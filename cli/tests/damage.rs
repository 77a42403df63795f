//! Each kind of damage by name: what verify says of it, and that repair and decode give back
//! what was there. Beyond repair nothing is overwritten and nothing is lost.

mod common;

use std::fs;

use common::{Encoded, Files, Random, edit, files, oracle, run_on};
use serde_json::Value;

const CELL: u64 = 16 << 10;

/// RS-3-2, two groups: one full, one of a stripe and a bit.
fn encoded() -> Encoded {
    let len = 6 * CELL + 3 * CELL + CELL + 100;
    Encoded::new("RS-3-2-16k", 2 * CELL, Random::new(11).bytes(len as usize))
}

/// RS-6-3 with small cells: enough parity to tell two wrong blocks.
fn wide() -> Encoded {
    Encoded::new("RS-6-3-4k", 16 << 10, Random::new(12).bytes(90_000))
}

/// The kinds of findings for a block, by verify.
fn findings(report: &Value, group: u64, unit: usize) -> Vec<String> {
    let block = block(report, group, unit);
    let findings = block["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn block(report: &Value, group: u64, unit: usize) -> &Value {
    let blocks = report["damaged_blocks"].as_array().unwrap();
    let found = blocks.iter().find(|block| block["group"] == group && block["unit"] == unit);
    found.unwrap_or_else(|| panic!("block {unit} of group {group} is not in {report:#}"))
}

fn ranges(block: &Value, which: &str) -> Vec<(u64, u64)> {
    let Some(ranges) = block[which]["ranges"].as_array() else { return Vec::new() };
    ranges.iter().map(|range| (range[0].as_u64().unwrap(), range[1].as_u64().unwrap())).collect()
}

#[test]
fn a_deleted_block_is_missing() {
    let encoded = encoded();
    fs::remove_file(encoded.block(0, 1)).unwrap();
    let report = encoded.verify().json();
    assert_eq!(findings(&report, 0, 1), ["block-missing"]);
    assert_eq!((&report["blocks_whole"], &report["blocks_damaged"]), (&9.into(), &1.into()));
    encoded.comes_back();
}

#[test]
fn a_truncated_block_lacks_the_chunks_past_its_end() {
    let encoded = encoded();
    for (unit, len) in [(0, 0), (1, 1), (2, 5000), (4, 2 * CELL - 1)] {
        encoded.reset();
        edit(&encoded.block(0, unit), |bytes| bytes.truncate(len as usize));
        let report = encoded.verify().json();
        assert_eq!(findings(&report, 0, unit), ["block-too-short"]);
        let damaged = ranges(block(&report, 0, unit), "damaged");
        assert_eq!(damaged, [(len / 512 * 512, 2 * CELL)], "{len}");
        encoded.comes_back();
    }
}

#[test]
fn past_its_end_a_missing_block_is_still_known_to_be_zero() {
    let encoded = encoded();
    // Group 1: unit 0 and the parity units have two cells, units 1 and 2 end before.
    for unit in [1, 2] {
        fs::remove_file(encoded.block(1, unit)).unwrap();
    }
    for unit in [0, 3] {
        edit(&encoded.block(1, unit), |bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        });
    }
    encoded.comes_back();
}

#[test]
fn a_lengthened_block_is_cut_and_its_data_is_used() {
    let encoded = encoded();
    for unit in 0..5 {
        edit(&encoded.block(0, unit), |bytes| bytes.extend([7; 700]));
    }
    let report = encoded.verify().json();
    assert_eq!(findings(&report, 0, 3), ["block-too-long"]);
    assert!(ranges(block(&report, 0, 3), "damaged").is_empty());
    // All five are too long: there is nothing that they could be rebuilt from but themselves.
    encoded.comes_back();
}

#[test]
fn flipped_bits_damage_one_chunk_each() {
    let encoded = encoded();
    edit(&encoded.block(0, 2), |bytes| {
        bytes[1000] ^= 0x40;
        bytes[1500] ^= 1;
        bytes[2 * CELL as usize - 1] ^= 0x80;
    });
    let report = encoded.verify().json();
    let damaged = ranges(block(&report, 0, 2), "damaged");
    assert_eq!(damaged, [(512, 1536), (2 * CELL - 512, 2 * CELL)]);
    encoded.comes_back();
}

#[test]
fn a_zeroed_block_is_rebuilt_from_the_others() {
    let encoded = encoded();
    edit(&encoded.block(0, 0), |bytes| bytes.fill(0));
    edit(&encoded.block(1, 3), |bytes| bytes.fill(0));
    encoded.comes_back();
}

#[test]
fn more_blocks_than_there_is_parity_may_be_damaged_in_different_places() {
    let encoded = encoded();
    for unit in 0..5 {
        edit(&encoded.block(0, unit), |bytes| bytes[unit * 1024] ^= 1);
        edit(&encoded.block(0, unit), |bytes| bytes[20_000 + unit / 2 * 512] ^= 1);
    }
    let report = encoded.verify().json();
    assert_eq!(report["blocks_damaged"], 5);
    encoded.comes_back();
}

#[test]
fn two_blocks_that_changed_places_are_both_rebuilt() {
    let encoded = encoded();
    let swap = |first: &std::path::Path, second: &std::path::Path| {
        let bytes = (fs::read(first).unwrap(), fs::read(second).unwrap());
        fs::write(first, bytes.1).unwrap();
        fs::write(second, bytes.0).unwrap();
    };
    swap(&encoded.block(0, 1), &encoded.block(0, 4));
    encoded.comes_back();
    // With their .meta files they are right in themselves; only the manifest tells.
    swap(&encoded.block(0, 1), &encoded.block(0, 4));
    swap(&encoded.meta(0, 1), &encoded.meta(0, 4));
    let report = encoded.verify().json();
    assert_eq!(findings(&report, 0, 4), ["meta-not-in-manifest"]);
    assert_eq!(ranges(block(&report, 0, 4), "damaged"), [(0, 2 * CELL)]);
    encoded.comes_back();
}

#[test]
fn blocks_of_another_encode_of_the_same_name_are_rebuilt() {
    let encoded = encoded();
    // An earlier version of the file: the same but for one byte.
    let mut content = encoded.content.clone();
    content[40_000] ^= 1;
    let other = Encoded::new("RS-3-2-16k", 2 * CELL, content);
    for unit in [2, 3] {
        fs::copy(other.block(0, unit), encoded.block(0, unit)).unwrap();
        fs::copy(other.meta(0, unit), encoded.meta(0, unit)).unwrap();
    }
    let report = encoded.verify().expect(3).json();
    assert_eq!(findings(&report, 0, 3), ["meta-not-in-manifest"]);
    encoded.comes_back();
}

#[test]
fn blocks_of_another_encode_are_not_used_to_rebuild_others() {
    let encoded = encoded();
    let other = Encoded::new("RS-3-2-16k", 2 * CELL, Random::new(13).bytes(encoded.content.len()));
    // Of five units one is gone and two are foreign: two are left, three would be needed.
    fs::remove_file(encoded.block(0, 0)).unwrap();
    for unit in [1, 4] {
        fs::copy(other.block(0, unit), encoded.block(0, unit)).unwrap();
        fs::copy(other.meta(0, unit), encoded.meta(0, unit)).unwrap();
    }
    let before = files(&encoded.folder());
    let (decoded, bytes) = encoded.decode();
    decoded.expect(4);
    assert_eq!(bytes, None);
    let repaired = encoded.repair().expect(4);
    assert_eq!(block(&repaired.json(), 0, 0)["action"], "left-alone");
    assert!(files(&encoded.folder()) == before);
}

#[test]
fn a_missing_meta_file_is_written_anew_from_the_data() {
    let encoded = encoded();
    for unit in 0..5 {
        fs::remove_file(encoded.meta(0, unit)).unwrap();
    }
    let report = encoded.verify().json();
    assert_eq!(findings(&report, 0, 0), ["meta-missing"]);
    assert!(ranges(block(&report, 0, 0), "damaged").is_empty());
    encoded.comes_back();
}

#[test]
fn a_corrupt_meta_file_does_not_cost_its_data() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(Change, &str); 8] = [
        (|meta| meta[0] ^= 1, "meta-header"),
        (|meta| meta[2] = 9, "meta-header"),
        (|meta| meta[2] = 1, "meta-other-kind"),
        (|meta| meta[2] = 0, "meta-other-kind"),
        (|meta| meta[5] = 4, "meta-other-kind"),
        (|meta| meta[100] ^= 1, "meta-not-in-manifest"),
        (|meta| meta.truncate(60), "meta-length"),
        (|meta| meta.extend([1, 2, 3]), "meta-length"),
    ];
    let encoded = encoded();
    for (change, kind) in changes {
        encoded.reset();
        // So many that the data of none could be had from the others.
        for unit in 0..4 {
            edit(&encoded.meta(0, unit), change);
        }
        let report = encoded.verify().json();
        assert_eq!(findings(&report, 0, 2), [kind]);
        encoded.comes_back();
    }
    encoded.reset();
    edit(&encoded.meta(0, 0), Vec::clear);
    edit(&encoded.meta(1, 0), |meta| meta.truncate(3));
    encoded.comes_back();
}

#[test]
fn a_meta_file_of_another_kind_that_fits_its_data_proves_it() {
    let encoded = encoded();
    for unit in [0, 3] {
        let block = fs::read(encoded.block(0, unit)).unwrap();
        let mut meta = vec![0, 1, 1, 0, 0, 2, 0];
        for chunk in block.chunks(512) {
            meta.extend(crc32(chunk).to_be_bytes());
        }
        fs::write(encoded.meta(0, unit), meta).unwrap();
    }
    let report = encoded.verify().json();
    assert_eq!(findings(&report, 0, 3), ["meta-other-kind"]);
    encoded.comes_back();
}

/// CRC-32 as zlib has it, by its definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |remainder, &byte| {
        (0..8).fold(remainder ^ u32::from(byte), |bits, _| {
            (bits >> 1) ^ if bits & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

#[test]
fn a_block_and_its_meta_file_may_both_be_damaged() {
    let encoded = encoded();
    for unit in [1, 2] {
        edit(&encoded.block(0, unit), |bytes| bytes[unit * 4096] ^= 1);
        edit(&encoded.meta(0, unit), |bytes| bytes[200 + unit] ^= 1);
    }
    encoded.comes_back();
}

#[test]
fn a_missing_manifest_is_replaced_by_options() {
    let encoded = encoded();
    fs::remove_file(encoded.path("manifest.json")).unwrap();
    let refused = encoded.run("verify").expect(1);
    assert!(refused.stderr.contains("--policy"), "{}", refused.stderr);
    fs::remove_file(encoded.block(0, 1)).unwrap();
    edit(&encoded.block(1, 0), |bytes| bytes[0] ^= 1);

    let layout = format!("--policy RS-3-2-16k --size {} --block-size 32k", encoded.content.len());
    let report = encoded.run(&format!("verify --json {layout}")).expect(3).json();
    assert_eq!(report["folder"]["manifest"], false);
    let decoded = run_on(&format!("decode {layout}"), &[&encoded.folder(), "-".as_ref()]).expect(0);
    assert!(decoded.stdout == encoded.content);
    encoded.run(&format!("repair {layout}")).expect(0);
    let mut expected = encoded.pristine.clone();
    let manifest = expected.remove("manifest.json").unwrap();
    assert!(files(&encoded.folder()) == expected);

    // Parity, too, and a new manifest vouches for what is there: all is known again but the name.
    encoded.run(&format!("repair --deep {layout}")).expect(0);
    let json = |bytes: &[u8]| -> Value {
        let mut document: Value = serde_json::from_slice(bytes).unwrap();
        document["name"] = Value::Null;
        document["check"] = Value::Null;
        document
    };
    let restored = fs::read(encoded.path("manifest.json")).unwrap();
    assert_eq!(json(&restored), json(&manifest));
    encoded.verify().expect(0);
}

#[test]
fn a_corrupt_manifest_is_refused_and_options_go_round_it() {
    let encoded = encoded();
    let layout = format!("--policy RS-3-2-16k --size {} --block-size 32k", encoded.content.len());
    let changes: [fn(&mut Vec<u8>); 4] = [
        |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let size = text.find("\"size\": ").unwrap() + 8;
            bytes[size] = b'9';
        },
        |bytes| bytes.truncate(100),
        Vec::clear,
        |bytes| bytes.fill(0xFF),
    ];
    for change in changes {
        encoded.reset();
        edit(&encoded.path("manifest.json"), change);
        let before = files(&encoded.folder());
        for command in ["verify", "repair"] {
            let refused = encoded.run(command).expect(1);
            assert!(refused.stderr.contains("manifest.json"), "{}", refused.stderr);
            assert!(refused.stderr.contains("--policy"), "{}", refused.stderr);
        }
        assert!(files(&encoded.folder()) == before);
        let verified = encoded.run(&format!("verify --json {layout}")).expect(0).json();
        let notes = verified["notes"].to_string();
        assert!(notes.contains("manifest.json"), "{notes}");
    }
}

#[test]
fn a_manifest_of_a_newer_version_is_called_that() {
    let encoded = encoded();
    edit(&encoded.path("manifest.json"), |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace("\"version\": 1", "\"version\": 2").into_bytes();
    });
    let refused = encoded.run("repair").expect(1);
    assert!(refused.stderr.contains("version 2"), "{}", refused.stderr);
    assert!(refused.stderr.contains("newer release"), "{}", refused.stderr);
}

#[test]
fn options_that_contradict_the_manifest_are_refused() {
    let encoded = encoded();
    let size = encoded.content.len();
    for (option, layout) in [
        ("--policy", format!("--policy RS-6-3-16k --size {size} --block-size 32k")),
        ("--size", format!("--policy RS-3-2-16k --size {} --block-size 32k", size - 1)),
        ("--block-size", format!("--policy RS-3-2-16k --size {size} --block-size 48k")),
    ] {
        let refused = encoded.run(&format!("repair {layout}")).expect(1);
        assert!(refused.stderr.contains(option), "{}", refused.stderr);
        encoded.is_pristine();
    }
}

#[test]
fn beyond_repair_nothing_is_overwritten_and_what_can_come_back_does() {
    let encoded = encoded();
    // Column 0 of group 0 has two good units left; unit 4 is also damaged elsewhere.
    for unit in [0, 1, 2] {
        edit(&encoded.block(0, unit), |bytes| bytes[5] ^= 1);
    }
    edit(&encoded.block(0, 4), |bytes| bytes[9000] ^= 1);
    fs::remove_file(encoded.block(1, 0)).unwrap();
    let before = files(&encoded.folder());

    let verified = encoded.verify().expect(4).json();
    assert_eq!(verified["verdict"], "lost");
    assert_eq!(ranges(block(&verified, 0, 1), "lost"), [(0, 512)]);
    assert_eq!(block(&verified, 0, 4)["condition"], "repairable");

    let (decoded, bytes) = encoded.decode();
    let decoded = decoded.expect(4);
    assert_eq!(bytes, None, "nothing stands where the file was to be");
    let message = decoded.json()["message"].to_string();
    assert!(message.contains("group-00000-unit-000") && message.contains("byte 0"), "{message}");

    let repaired = encoded.repair().expect(4).json();
    for unit in [0, 1, 2] {
        assert_eq!(block(&repaired, 0, unit)["action"], "left-alone");
        assert_eq!(block(&repaired, 0, unit)["reason"], "lost");
    }
    assert_eq!(block(&repaired, 0, 4)["action"], "rebuilt");
    let mut expected = before;
    for name in [oracle::block_name(0, 4), oracle::block_name(1, 0)] {
        expected.insert(name.clone(), encoded.pristine[&name].clone());
    }
    assert!(files(&encoded.folder()) == expected);

    // What is not touched by it can still be read.
    let folder = encoded.folder();
    let range = run_on("decode --range 512..16384", &[&folder, "-".as_ref()]).expect(0);
    assert!(range.stdout == encoded.content[512..16384]);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let encoded = encoded();
    fs::remove_file(encoded.block(0, 1)).unwrap();
    edit(&encoded.block(0, 2), |bytes| bytes[700] ^= 1);
    edit(&encoded.meta(0, 3), |bytes| bytes[70] ^= 1);
    fs::write(encoded.path("group-00000-unit-002.restripe-part"), "half").unwrap();
    let before = files(&encoded.folder());
    let report = encoded.run("repair --dry-run --json").expect(3).json();
    assert_eq!(block(&report, 0, 1)["action"], "would-rebuild");
    assert_eq!(block(&report, 0, 2)["block"], true);
    assert_eq!(block(&report, 0, 3)["block"], false);
    assert_eq!(block(&report, 0, 3)["meta"], true);
    assert!(files(&encoded.folder()) == before);
}

#[test]
fn only_what_is_damaged_is_written() {
    use std::os::unix::fs::MetadataExt as _;
    let encoded = encoded();
    let inodes = |encoded: &Encoded| -> Vec<(String, u64)> {
        let names = encoded.pristine.keys();
        names.map(|name| (name.clone(), fs::metadata(encoded.path(name)).unwrap().ino())).collect()
    };
    edit(&encoded.block(0, 2), |bytes| bytes[700] ^= 1);
    edit(&encoded.meta(0, 3), |bytes| bytes[70] ^= 1);
    let before = inodes(&encoded);
    encoded.repair().expect(0);
    let changed: Vec<String> = before
        .iter()
        .zip(inodes(&encoded))
        .filter(|(before, after)| before.1 != after.1)
        .map(|(before, _)| before.0.clone())
        .collect();
    assert_eq!(changed, ["group-00000-unit-002", "group-00000-unit-003.meta"]);
}

#[test]
fn deep_verification_finds_wrong_data_with_right_sums_where_no_manifest_does() {
    let encoded = wide();
    fs::remove_file(encoded.path("manifest.json")).unwrap();
    let other = Encoded::new("RS-6-3-4k", 16 << 10, {
        let mut content = encoded.content.clone();
        content[4096 + 700] ^= 1; // group 0, unit 1, byte 700
        content
    });
    fs::copy(other.block(0, 1), encoded.block(0, 1)).unwrap();
    fs::copy(other.meta(0, 1), encoded.meta(0, 1)).unwrap();
    let layout = "--policy RS-6-3-4k --size 90000 --block-size 16k";
    encoded.run(&format!("verify {layout}")).expect(0);
    let report = encoded.run(&format!("verify --deep --json {layout}")).expect(3).json();
    assert_eq!(ranges(block(&report, 0, 1), "damaged_with_right_sums"), [(512, 1024)]);
    assert_eq!(report["blocks_damaged"], 1);

    encoded.run(&format!("repair --deep {layout}")).expect(0);
    let mut expected = encoded.pristine.clone();
    expected.remove("manifest.json");
    fs::remove_file(encoded.path("manifest.json")).unwrap(); // a new one
    assert!(files(&encoded.folder()) == expected);
}

#[test]
fn blocks_that_disagree_are_not_rebuilt_from_where_it_cannot_be_told_who_is_wrong() {
    let encoded = encoded();
    fs::remove_file(encoded.path("manifest.json")).unwrap();
    let other = Encoded::new("RS-3-2-16k", 2 * CELL, {
        let mut content = encoded.content.clone();
        content[100] ^= 1; // group 0, unit 0, byte 100
        content
    });
    fs::copy(other.block(0, 0), encoded.block(0, 0)).unwrap();
    fs::copy(other.meta(0, 0), encoded.meta(0, 0)).unwrap();
    // With one unit gone there is one to spare: enough to see, not to tell.
    fs::remove_file(encoded.block(0, 3)).unwrap();
    let before = files(&encoded.folder());
    let size = encoded.content.len();
    let layout = format!("--policy RS-3-2-16k --size {size} --block-size 32k");
    let report = encoded.run(&format!("repair --json {layout}")).expect(5).json();
    assert_eq!(block(&report, 0, 3)["reason"], "contradicted");
    assert!(files(&encoded.folder()) == before);
    encoded.run(&format!("verify --deep {layout}")).expect(5);
}

#[test]
fn data_without_sums_is_used_only_where_something_proves_it() {
    let encoded = encoded();
    let size = encoded.content.len();
    let layout = format!("--policy RS-3-2-16k --size {size} --block-size 32k");
    // No manifest, two blocks gone, one without sums: three are left, none to spare.
    let damage = |encoded: &Encoded| {
        encoded.reset();
        fs::remove_file(encoded.path("manifest.json")).unwrap();
        fs::remove_file(encoded.block(0, 1)).unwrap();
        fs::remove_file(encoded.block(0, 3)).unwrap();
        fs::remove_file(encoded.meta(0, 0)).unwrap();
    };
    damage(&encoded);
    let before = files(&encoded.folder());
    encoded.run(&format!("verify {layout}")).expect(5);
    let report = encoded.run(&format!("repair --json {layout}")).expect(5).json();
    assert_eq!(block(&report, 0, 1)["reason"], "unproven");
    assert!(files(&encoded.folder()) == before);
    let decoded = run_on(&format!("decode {layout}"), &[&encoded.folder(), "-".as_ref()]).expect(5);
    assert!(decoded.stdout == encoded.content);
    assert!(decoded.stderr.contains("not proved"), "{}", decoded.stderr);
    encoded.run(&format!("repair --trust-unverified {layout}")).expect(0);
    let mut expected = encoded.pristine.clone();
    expected.remove("manifest.json");
    assert!(files(&encoded.folder()) == expected);

    // One more unit, and parity proves it although another has no sums either; a wrong one among
    // them is noticed.
    let spare = |encoded: &Encoded| {
        damage(encoded);
        fs::write(encoded.block(0, 3), &encoded.pristine[&oracle::block_name(0, 3)]).unwrap();
        fs::remove_file(encoded.meta(0, 3)).unwrap();
    };
    spare(&encoded);
    encoded.run(&format!("repair {layout}")).expect(0);
    assert!(files(&encoded.folder()) == expected);
    spare(&encoded);
    edit(&encoded.block(0, 0), |bytes| bytes[77] ^= 1);
    let report = encoded.run(&format!("repair --json {layout}")).expect(5).json();
    assert_eq!(block(&report, 0, 1)["reason"], "contradicted");
}

#[test]
fn a_manifest_proves_what_no_sum_does() {
    let encoded = encoded();
    for unit in [1, 3] {
        fs::remove_file(encoded.block(0, unit)).unwrap();
        fs::remove_file(encoded.meta(0, unit)).unwrap();
    }
    for unit in [0, 2, 4] {
        fs::remove_file(encoded.meta(0, unit)).unwrap();
    }
    encoded.comes_back();
}

#[test]
fn unknown_files_are_named_and_left_alone() {
    let encoded = encoded();
    fs::write(encoded.path("notes.txt"), "mine").unwrap();
    fs::write(encoded.path(&oracle::block_name(7, 0)), "of another file").unwrap();
    fs::remove_file(encoded.block(0, 0)).unwrap();
    let report = encoded.verify().expect(3).json();
    let not_checked = report["not_checked"].to_string();
    assert!(
        not_checked.contains("notes.txt") && not_checked.contains("group-00007"),
        "{not_checked}"
    );
    encoded.repair().expect(0);
    let mut expected: Files = encoded.pristine.clone();
    expected.insert("notes.txt".into(), b"mine".to_vec());
    expected.insert(oracle::block_name(7, 0), b"of another file".to_vec());
    assert!(files(&encoded.folder()) == expected);
}

#[test]
fn a_folder_in_place_of_a_block_is_not_overwritten() {
    let encoded = encoded();
    fs::remove_file(encoded.block(0, 1)).unwrap();
    fs::create_dir(encoded.block(0, 1)).unwrap();
    fs::write(encoded.block(0, 1).join("inside"), "x").unwrap();
    fs::remove_file(encoded.block(0, 2)).unwrap();
    let report = encoded.repair().expect(1).json();
    assert_eq!(block(&report, 0, 1)["reason"], "system");
    assert_eq!(block(&report, 0, 2)["action"], "rebuilt");
    assert!(encoded.block(0, 1).join("inside").exists());
    let (decoded, bytes) = encoded.decode();
    decoded.expect(0);
    assert!(bytes.as_ref() == Some(&encoded.content));
}

#[test]
fn a_rebuilt_block_has_the_permissions_of_its_neighbours() {
    use std::os::unix::fs::PermissionsExt as _;
    let encoded = encoded();
    for name in encoded.pristine.keys() {
        fs::set_permissions(encoded.path(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    fs::remove_file(encoded.block(0, 2)).unwrap();
    encoded.repair().expect(0);
    let mode = fs::metadata(encoded.block(0, 2)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}
