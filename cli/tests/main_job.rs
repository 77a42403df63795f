//! Encode, verify, repair, decode: what goes in comes out again, whatever its size and policy.

mod common;

use std::fs;

use common::{Encoded, Random, Run, oracle, restripe, run, run_on};

const CELL: u64 = 64 << 10;

fn content(len: u64) -> Vec<u8> {
    Random::new(len).bytes(len as usize)
}

#[test]
fn blocks_sums_and_parity_are_those_of_the_definitions() {
    for (policy, block_size, len) in [
        ("RS-3-2-64k", CELL, 1),
        ("RS-3-2-64k", CELL, 200_001),
        ("RS-6-3-64k", 2 * CELL, 1_500_000),
        ("RS-10-4-1k", 3 << 10, 100_000),
    ] {
        let encoded = Encoded::new(policy, block_size, content(len));
        let mut files = encoded.pristine.clone();
        files.remove("manifest.json").unwrap();
        assert!(files == oracle::blocks(&encoded.policy, block_size, &encoded.content), "{policy}");
    }
}

#[test]
fn every_size_survives_the_loss_of_as_many_blocks_as_there_is_parity() {
    let stripe = 3 * CELL;
    let group = 2 * stripe;
    for len in [
        0,
        1,
        511,
        512,
        513,
        CELL - 1,
        CELL,
        CELL + 1,
        stripe - 1,
        stripe,
        stripe + 1,
        group,
        group + 1,
        3 * group - 1,
        3 * group + stripe + CELL + 7,
    ] {
        let encoded = Encoded::new("RS-3-2-64k", 2 * CELL, content(len));
        encoded.verify().expect(0);
        let (decoded, bytes) = encoded.decode();
        decoded.expect(0);
        assert!(bytes.as_ref() == Some(&encoded.content), "{len} bytes");
        if len == 0 {
            assert_eq!(encoded.pristine.keys().collect::<Vec<_>>(), ["manifest.json"]);
            continue;
        }
        for lost in [[0, 1], [0, 4], [3, 4], [2, 3]] {
            encoded.reset();
            let mut some = false;
            for group in 0..len.div_ceil(group) {
                for unit in lost {
                    some |= fs::remove_file(encoded.block(group, unit)).is_ok();
                    let _ = fs::remove_file(encoded.meta(group, unit));
                }
            }
            if some {
                encoded.comes_back();
            }
        }
    }
}

#[test]
fn every_policy_of_hadoop_and_the_widest_bring_back_what_is_lost() {
    for (policy, block_size, lost) in [
        ("RS-6-3-1024k", 4 << 20, vec![0, 4, 7]),
        ("RS-3-2-1024k", 4 << 20, vec![1, 2]),
        ("RS-10-4-1024k", 1 << 20, vec![9, 0, 13, 10]),
        ("RS-LEGACY-6-3-1024k", 1 << 20, vec![1, 2, 3]),
        ("XOR-2-1-1024k", 2 << 20, vec![1]),
        ("RS-200-56-1k", 5 << 10, (0..56).map(|index| index * 4).collect()),
        ("RS-1-1-1k", 1 << 20, vec![0]),
    ] {
        let encoded = Encoded::new(policy, block_size, content(12_000_001));
        for unit in lost {
            fs::remove_file(encoded.block(0, unit)).unwrap();
            fs::remove_file(encoded.meta(0, unit)).unwrap();
        }
        encoded.comes_back();
    }
}

#[test]
fn a_file_of_150_megabytes_comes_back_after_losing_three_blocks_of_nine() {
    let encoded = Encoded::new("RS-6-3-1024k", 128 << 20, content(150_000_000));
    for unit in [1, 4, 8] {
        fs::remove_file(encoded.block(0, unit)).unwrap();
    }
    encoded.comes_back();
}

#[test]
fn a_pipe_can_be_encoded_and_decoded_into() {
    let bytes = content(3_000_003);
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("blocks");
    let mut command = restripe();
    command.args([
        "encode",
        "--policy",
        "RS-3-2-64k",
        "--block-size",
        "128k",
        "--name",
        "piped",
        "-",
    ]);
    Run::of(command.arg(&folder), &bytes).expect(0);
    let report = run_on("verify --json", &[&folder]).expect(0).json();
    assert_eq!(report["folder"]["name"], "piped");
    assert_eq!(report["folder"]["size"], 3_000_003);
    fs::remove_file(folder.join(oracle::block_name(2, 1))).unwrap();
    let decoded = run_on("decode", &[&folder, "-".as_ref()]).expect(0);
    assert!(decoded.stdout == bytes);
    assert!(decoded.stderr.contains("rebuilt on the way"), "{}", decoded.stderr);
}

#[test]
fn a_range_gives_just_its_bytes_even_where_blocks_are_missing() {
    let encoded = Encoded::new("RS-3-2-4k", 16 << 10, content(200_000));
    for group in 0..4 {
        fs::remove_file(encoded.block(group, 0)).unwrap();
        fs::remove_file(encoded.block(group, 4)).unwrap();
    }
    let mut random = Random::new(7);
    let mut ranges = vec![(0, 0), (0, 1), (199_999, 200_000), (200_000, 200_000), (4095, 4097)];
    for _ in 0..25 {
        let start = random.below(200_000);
        ranges.push((start, start + random.below(200_001 - start)));
    }
    for (start, end) in ranges {
        let range = format!("{start}..{end}");
        let folder = encoded.folder();
        let decoded =
            run_on(&format!("decode --range {range}"), &[&folder, "-".as_ref()]).expect(0);
        assert!(decoded.stdout == encoded.content[start as usize..end as usize], "{range}");
        let file = encoded.work.path().join("range");
        run_on(&format!("decode --force --range {range}"), &[&folder, &file]).expect(0);
        assert!(
            fs::read(file).unwrap() == encoded.content[start as usize..end as usize],
            "{range}"
        );
    }
    let outside = run_on("decode --range 5..200001", &[&encoded.folder(), "-".as_ref()]).expect(1);
    assert!(outside.stderr.contains("5..200001") && outside.stderr.contains("200000"));
}

#[test]
fn little_memory_and_one_thread_give_the_same_blocks() {
    let encoded = Encoded::new("RS-6-3-64k", 256 << 10, content(5_000_000));
    let again = encoded.work.path().join("again");
    let arguments = "encode --policy RS-6-3-64k --block-size 256k --memory 2m --threads 1";
    run_on(arguments, &[&encoded.work.path().join("file"), &again]).expect(0);
    assert!(common::files(&again) == encoded.pristine);
    for unit in [0, 5, 6] {
        fs::remove_file(encoded.block(0, unit)).unwrap();
    }
    encoded.run("verify --memory 200k --threads 1").expect(3);
    let target = encoded.work.path().join("decoded");
    run_on("decode --memory 2m --threads 1", &[&encoded.folder(), &target]).expect(0);
    assert!(fs::read(target).unwrap() == encoded.content);
    encoded.run("repair --memory 200k --threads 1").expect(0);
    encoded.is_pristine();
}

#[test]
fn too_little_memory_is_refused_with_what_is_needed() {
    let encoded = Encoded::new("RS-3-2-64k", 256 << 10, content(1000));
    let again = encoded.work.path().join("again");
    let file = encoded.work.path().join("file");
    let refused = run_on("encode --policy RS-6-3-1024k --memory 1m", &[&file, &again]).expect(1);
    assert!(refused.stderr.contains("--memory"), "{}", refused.stderr);
    assert!(!again.exists());
    encoded.run("repair --memory 1k").expect(1);
}

#[test]
fn encode_refuses_a_folder_with_anything_in_it() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("file");
    fs::write(&file, content(1000)).unwrap();
    let folder = work.path().join("blocks");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("precious"), "not ours").unwrap();
    let refused = run_on("encode", &[&file, &folder]).expect(1);
    assert!(refused.stderr.contains("precious"), "{}", refused.stderr);
    assert_eq!(common::files(&folder).len(), 1);

    fs::remove_file(folder.join("precious")).unwrap();
    run_on("encode --policy RS-3-2-64k", &[&file, &folder]).expect(0);
    let before = common::files(&folder);
    let refused = run_on("encode --policy RS-3-2-64k", &[&file, &folder]).expect(1);
    assert!(refused.stderr.contains("manifest.json"), "{}", refused.stderr);
    assert!(common::files(&folder) == before);
}

#[test]
fn decode_writes_over_a_file_only_when_told_to() {
    let encoded = Encoded::new("RS-3-2-64k", CELL, content(100_000));
    let target = encoded.work.path().join("target");
    fs::write(&target, "precious").unwrap();
    let refused = run_on("decode", &[&encoded.folder(), &target]).expect(1);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    run_on("decode --force", &[&encoded.folder(), &target]).expect(0);
    assert!(fs::read(&target).unwrap() == encoded.content);
}

#[test]
fn wrong_policies_sizes_and_files_are_errors_with_the_value_in_them() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("file");
    fs::write(&file, "x").unwrap();
    let folder = work.path().join("blocks");
    for (arguments, exit, expected) in [
        ("encode --policy RS-0-3-64k", 2, "0"),
        ("encode --policy RS-300-3-64k", 2, "300"),
        ("encode --policy LRC-6-3-64k", 2, "LRC-6-3-64k"),
        ("encode --policy RS-6-3-64k --block-size 100k", 1, "102400"),
        ("encode --policy RS-6-3-64k --block-size 0", 1, "block size"),
        ("encode --memory 12parsecs", 2, "parsecs"),
    ] {
        let refused = run_on(arguments, &[&file, &folder]).expect(exit);
        assert!(refused.stderr.contains(expected), "{arguments}: {}", refused.stderr);
        assert!(!folder.exists(), "{arguments}");
    }
    let missing = run_on("encode", &[&work.path().join("nothing"), &folder]).expect(1);
    assert!(missing.stderr.contains("nothing"), "{}", missing.stderr);
    let a_folder = run_on("encode", &[work.path(), &folder]).expect(1);
    assert!(a_folder.stderr.contains("is a folder"), "{}", a_folder.stderr);
    for command in ["verify", "repair"] {
        let nowhere = run_on(command, &[&work.path().join("nowhere")]).expect(1);
        assert!(nowhere.stderr.contains("nowhere"), "{}", nowhere.stderr);
        let empty = run_on(command, &[work.path()]).expect(1);
        assert!(empty.stderr.contains("manifest.json"), "{}", empty.stderr);
    }
}

#[test]
fn a_kernel_that_is_not_there_is_an_error_of_every_command_that_computes() {
    let encoded = Encoded::new("RS-3-2-64k", CELL, content(1000));
    let folder = encoded.folder();
    for arguments in [vec!["info"], vec!["verify", folder.to_str().unwrap()]] {
        let run =
            Run::of(restripe().env("RESTRIPE_KERNEL", "abacus").args(arguments), &[]).expect(1);
        assert!(run.stderr.contains("abacus"), "{}", run.stderr);
    }
    run(["matrix", "--kind", "cauchy", "--data", "3", "--parity", "2"]).expect(0);
}
