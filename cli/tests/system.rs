//! What the system refuses: full disks, read-only folders, memory. Where the test has no right to
//! set such a thing up, it says so by name.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Encoded, Files, Random, files, restripe, run_on, skip};

/// A small file system in memory, unmounted at the end.
struct Mount {
    path: PathBuf,
    _work: tempfile::TempDir,
}

impl Mount {
    fn new(test: &str, size: &str) -> Option<Self> {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("mount");
        fs::create_dir(&path).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self { path, _work: work }),
            _ => {
                skip(test, "this user may not mount a file system");
                None
            }
        }
    }

    fn read_only(&self) {
        let mut mount = Command::new("mount");
        assert!(mount.args(["-o", "remount,ro"]).arg(&self.path).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

fn copy(from: &Files, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (name, bytes) in from {
        fs::write(to.join(name), bytes).unwrap();
    }
}

fn fill(mount: &Mount, leave: u64) {
    let free = |path: &Path| -> u64 {
        let output = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().nth(1).unwrap().trim().parse().unwrap()
    };
    let len = free(&mount.path).saturating_sub(leave);
    fs::write(mount.path.join("ballast"), vec![0; len as usize]).unwrap();
}

#[test]
fn a_full_disk_ends_an_encode_and_leaves_nothing() {
    let Some(mount) = Mount::new("a_full_disk_ends_an_encode_and_leaves_nothing", "2m") else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("file");
    fs::write(&file, Random::new(31).bytes(3_000_000)).unwrap();
    let folder = mount.path.join("blocks");
    let full = run_on("encode --policy RS-3-2-16k", &[&file, &folder]).expect(1);
    assert!(full.stderr.contains("group-00000"), "{}", full.stderr);
    assert!(full.stderr.contains("make room"), "{}", full.stderr);
    assert!(!folder.exists());
}

#[test]
fn a_full_disk_leaves_blocks_as_they_were_and_more_room_lets_the_next_run_finish() {
    let test = "a_full_disk_leaves_blocks_as_they_were_and_more_room_lets_the_next_run_finish";
    let Some(mount) = Mount::new(test, "8m") else { return };
    let encoded = Encoded::new("RS-3-2-16k", 1 << 20, Random::new(32).bytes(1_500_000));
    let folder = mount.path.join("blocks");
    copy(&encoded.pristine, &folder);
    fs::remove_file(folder.join(common::oracle::block_name(0, 1))).unwrap();
    let damaged = folder.join(common::oracle::block_name(0, 4));
    common::edit(&damaged, |bytes| bytes[9999] ^= 1);
    let before = files(&folder);
    fill(&mount, 100 << 10);
    let full = run_on("repair --json", &[&folder]).expect(1);
    assert!(
        full.text().contains("left-alone") && full.text().contains("system"),
        "{}",
        full.text()
    );
    assert!(files(&folder) == before);
    fs::remove_file(mount.path.join("ballast")).unwrap();
    run_on("repair", &[&folder]).expect(0);
    assert!(files(&folder) == encoded.pristine);

    // And a decode onto a full disk.
    fill(&mount, 100 << 10);
    let target = mount.path.join("decoded");
    let full = run_on("decode", &[&folder, &target]).expect(1);
    assert!(full.stderr.contains("make room"), "{}", full.stderr);
    assert_eq!(fs::read_dir(&mount.path).unwrap().count(), 2);
}

#[test]
fn a_read_only_folder_can_be_verified_and_decoded_and_repair_changes_nothing() {
    let test = "a_read_only_folder_can_be_verified_and_decoded_and_repair_changes_nothing";
    let Some(mount) = Mount::new(test, "8m") else { return };
    let encoded = Encoded::new("RS-3-2-16k", 1 << 20, Random::new(33).bytes(500_000));
    let folder = mount.path.join("blocks");
    copy(&encoded.pristine, &folder);
    fs::remove_file(folder.join(common::oracle::block_name(0, 1))).unwrap();
    let before = files(&folder);
    mount.read_only();
    run_on("verify", &[&folder]).expect(3);
    let decoded = run_on("decode", &[&folder, "-".as_ref()]).expect(0);
    assert!(decoded.stdout == encoded.content);
    let refused = run_on("repair", &[&folder]).expect(1);
    let text = refused.text() + &refused.stderr;
    assert!(text.contains("ead-only file system"), "{text}");
    assert!(files(&folder) == before);
    let refused = run_on("encode", &[&encoded.work.path().join("file"), &mount.path.join("new")]);
    assert!(refused.expect(1).stderr.contains("mount the file system writable"));
}

#[test]
fn memory_stays_bounded_however_long_the_file_and_its_blocks_are() {
    let encoded = Encoded::new("RS-6-3-64k", 64 << 20, Random::new(34).bytes(120_000_000));
    fs::remove_file(encoded.block(0, 2)).unwrap();
    fs::remove_file(encoded.block(0, 7)).unwrap();
    let again = encoded.work.path().join("again");
    let file = encoded.work.path().join("file");
    let target = encoded.work.path().join("decoded");
    let folder = encoded.folder();
    let bounded = "--memory 8MiB --threads 2";
    let commands: [(&str, Vec<&Path>); 4] = [
        ("encode --policy RS-6-3-64k --block-size 64m --no-fsync", vec![&file, &again]),
        ("verify --deep", vec![&folder]),
        ("decode --no-fsync", vec![&folder, &target]),
        ("repair --no-fsync", vec![&folder]),
    ];
    for (arguments, paths) in commands {
        let peak = peak_memory(&format!("{arguments} {bounded}"), &paths);
        println!("{arguments}: {} KiB at the most", peak >> 10);
        // The program itself has about 10 MiB, and every thread a little beside its buffers.
        assert!(peak < 28 << 20, "{arguments} took {peak} bytes");
    }
    assert!(fs::read(target).unwrap() == encoded.content);
}

/// The most memory that a run of the command held, as the system saw it while it ran.
fn peak_memory(arguments: &str, paths: &[&Path]) -> u64 {
    let mut command = restripe();
    command.args(arguments.split_whitespace()).args(paths).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The high-water mark only rises, so the last one seen is the most.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(mark) = mark.and_then(|mark| mark.trim().strip_suffix(" kB")) {
            peak = peak.max(mark.trim().parse::<u64>().unwrap() << 10);
        }
        if let Some(exit) = child.try_wait().unwrap() {
            assert!(matches!(exit.code(), Some(0 | 3)), "{exit}");
            assert!(peak > 0);
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
