//! Files that stay as they are and get parity: the commands, end to end.

#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Random, Run, restripe, run_on, skip};
use serde_json::Value;

/// A folder with files in it.
struct Tree {
    work: tempfile::TempDir,
    files: Vec<(String, Vec<u8>)>,
}

impl Tree {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        Self::fill(work, 300_000)
    }

    fn fill(work: tempfile::TempDir, long: usize) -> Self {
        let mut random = Random::new(51);
        let mut files = vec![("film".to_owned(), random.bytes(long))];
        files.extend((0..12).map(|number| (format!("photos/{number:02}"), random.bytes(3000))));
        let tree = Self { work, files };
        for (name, content) in &tree.files {
            let path = tree.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        tree
    }

    fn root(&self) -> PathBuf {
        self.work.path().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn run(&self, arguments: &str) -> Run {
        run_on(arguments, &[&self.root()])
    }

    fn protect(&self) {
        self.run("protect --policy RS-3-2-16k").expect(0);
    }

    /// Flips bytes of a file that nobody wrote: its times stay.
    fn damage(&self, name: &str, at: usize, len: usize) {
        damage(&self.path(name), at, len);
    }

    #[track_caller]
    fn is_as_it_was(&self) {
        for (name, content) in &self.files {
            assert!(fs::read(self.path(name)).unwrap() == *content, "{name}");
        }
    }
}

fn damage(path: &Path, at: usize, len: usize) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[at..at + len].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[track_caller]
fn document(run: Run, exit: i32, command: &str) -> Value {
    let report = run.expect(exit).json();
    common::assert_fits_the_schema(&report);
    assert_eq!((&report["command"], &report["exit_status"]), (&command.into(), &exit.into()));
    report
}

#[test]
fn damage_is_found_read_through_and_healed_and_every_document_fits_the_schema() {
    let tree = Tree::new();
    let planned = document(tree.run("protect --dry-run --json --policy RS-3-2-16k"), 0, "protect");
    assert_eq!(planned["protected"]["files"], 13);
    assert!(!tree.path(".restripe").exists(), "a dry run changes nothing");
    let report = document(tree.run("protect --json --policy RS-3-2-16k"), 0, "protect");
    assert_eq!(report["protected"], planned["protected"]);
    assert_eq!(report["parity_files"], 2);
    let report = document(tree.run("status --json"), 0, "status");
    assert_eq!(report["without_protection"]["files"], 0);
    assert_eq!(report["last_scrub"], Value::Null);
    document(tree.run("scrub --json"), 0, "scrub");

    tree.damage("film", 100_000, 20_000);
    tree.damage("photos/05", 0, 3000);
    let report = document(tree.run("scrub --json --rate 50MB/s"), 3, "scrub");
    assert_eq!(report["damaged_files"].as_array().unwrap().len(), 2);
    assert_eq!(report["clean"]["files"], 11);
    let report = document(tree.run("status --json"), 3, "status");
    assert_eq!(report["last_scrub"]["corrupted"], 2);

    let film = tree.path("film");
    let read = run_on("cat --json", &[&film]).expect(0);
    assert!(read.stdout == tree.files[0].1);
    let report: Value = serde_json::from_str(&read.stderr).unwrap();
    common::assert_fits_the_schema(&report);
    assert!(report["rebuilt_chunks"].as_u64().unwrap() >= 5);
    let read = run_on("cat --range 99000..121000", &[&film]).expect(0);
    assert!(read.stdout == tree.files[0].1[99_000..121_000]);

    document(tree.run("heal --dry-run --json"), 3, "heal");
    let report = document(run_on("heal --json", &[&tree.path("photos")]), 0, "heal");
    assert_eq!(report["damaged_files"][0]["outcome"], "healed");
    document(tree.run("heal --json"), 0, "heal");
    tree.is_as_it_was();
    document(tree.run("scrub --json"), 0, "scrub");

    let report = document(run_on("unprotect --json", &[&tree.path("photos/03")]), 0, "unprotect");
    assert_eq!(report["regrouped"]["files"], 11);
    let report = document(tree.run("block rescan --json"), 0, "rescan");
    assert_eq!(report["protected"]["files"], 12);
    tree.damage("film", 0, 16_384);
    tree.run("heal").expect(0);
    tree.is_as_it_was();

    for unit in 0..3 {
        tree.damage("film", unit * 16_384, 10);
    }
    document(tree.run("heal --json"), 4, "heal");
    document(tree.run("status --json"), 4, "status");
    document(run_on("cat --json", &[&film]), 4, "error");
    // Bytes that are not in its way are given all the same.
    let read = run_on("cat --range 200000..300000", &[&film]).expect(0);
    assert!(read.stdout == tree.files[0].1[200_000..]);
}

#[test]
fn people_are_told_what_matters_in_words() {
    let tree = Tree::new();
    assert!(tree.run("protect --policy RS-3-2-16k").expect(0).text().contains("13 files"));
    tree.damage("film", 5, 1);
    fs::remove_file(tree.path("photos/00")).unwrap();
    fs::write(tree.path("photos/new"), "new").unwrap();
    let scrubbed = tree.run("scrub").expect(3).text();
    for expected in ["damaged: film", "changed: photos/00", "not looked at: 1 file", "clean: 11"] {
        assert!(scrubbed.contains(expected), "{expected}: {scrubbed}");
    }
    let status = tree.run("status").expect(3).text();
    for expected in ["corrupted: film", "survives 1 of 2", "never protected: 1 file", "last scrub"]
    {
        assert!(status.contains(expected), "{expected}: {status}");
    }
    let one = run_on("status", &[&tree.path("photos/07")]).expect(0).text();
    assert!(one.contains("healthy: photos/07"), "{one}");
    let nowhere = tempfile::tempdir().unwrap();
    let refused = run_on("scrub", &[nowhere.path()]).expect(1);
    assert!(refused.stderr.contains("is not protected"), "{}", refused.stderr);
}

#[test]
fn metastore_and_parity_may_be_elsewhere_and_are_found_again() {
    let tree = Tree::new();
    let other = tempfile::tempdir().unwrap();
    let (store, parity) = (other.path().join("photos.db"), tree.root().join("parity files"));
    let with_store = |command: &str| {
        let mut run = restripe();
        run.args(command.split_whitespace()).arg("--store").arg(&store);
        run
    };
    let mut protect = restripe();
    protect.args(["protect", "--policy", "RS-3-2-16k", "--parity-dir"]).arg(&parity);
    protect.arg("--store").arg(&store).arg(tree.root());
    Run::of(&mut protect, &[]).expect(0);
    assert!(!tree.path(".restripe").exists());
    // Parity that lies among the files is not among the files.
    let again = Run::of(with_store("protect --json").arg(tree.root()), &[]).expect(0).json();
    assert_eq!(
        (&again["protected"]["files"], &again["unchanged"]["files"]),
        (&0.into(), &13.into())
    );
    tree.damage("film", 0, 100);
    Run::of(&mut with_store("heal"), &[]).expect(0);
    tree.is_as_it_was();
}

#[test]
fn one_works_at_a_time_and_says_who_the_other_is() {
    let tree = Tree::new();
    tree.protect();
    let path = tree.path(".restripe/metastore.db.lock");
    let lock = File::options().read(true).write(true).open(&path).unwrap();
    lock.lock().unwrap();
    for command in ["protect", "scrub", "heal", "unprotect", "block rescan"] {
        let refused = tree.run(command).expect(1);
        assert!(refused.stderr.contains("another restripe"), "{command}: {}", refused.stderr);
        assert!(refused.stderr.contains("(process "), "{command}: {}", refused.stderr);
    }
    tree.run("status").expect(0);
    run_on("cat", &[&tree.path("film")]).expect(0);
}

#[test]
fn a_damaged_metastore_is_told_with_what_to_do() {
    let tree = Tree::new();
    tree.protect();
    let database = tree.path(".restripe/metastore.db");
    fs::write(&database, vec![9; 20_000]).unwrap();
    let refused = tree.run("scrub").expect(1);
    assert!(refused.stderr.contains("block rescan"), "{}", refused.stderr);
    let text = tree.run("block rescan").expect(0).text();
    assert!(text.contains("protected again: 13 files") && text.contains(".old-1"), "{text}");
    tree.run("scrub").expect(0);
}

#[test]
fn a_rescan_can_be_tried_without_a_trace() {
    let tree = Tree::new();
    tree.protect();
    let database = tree.path(".restripe/metastore.db");
    let before = fs::read(&database).unwrap();
    fs::rename(tree.path("photos/05"), tree.path("photos/moved")).unwrap();
    fs::write(tree.path("photos/06"), "its owner's").unwrap();
    let report = document(tree.run("block rescan --dry-run --json"), 0, "rescan");
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["moved_to"], Value::Null);
    assert!(fs::read(&database).unwrap() == before);
    let names = || fs::read_dir(tree.path(".restripe")).unwrap().count();
    let count = names();
    let text = tree.run("block rescan -n").expect(0).text();
    assert!(text.contains("would be protected again: 12 files"), "{text}");
    assert_eq!(names(), count);
    // What is then done is what was told.
    let done = document(tree.run("block rescan --json"), 0, "rescan");
    for told in ["parity_files", "protected", "renamed", "changed", "gone", "retired"] {
        assert_eq!(report[told], done[told], "{told}");
    }
    assert_eq!((&done["renamed"], &done["changed"]), (&1.into(), &1.into()));
}

#[test]
fn files_that_may_not_be_read_are_told_and_the_others_go_on() {
    let test = "files_that_may_not_be_read_are_told_and_the_others_go_on";
    let tree = Tree::new();
    let nobody = 65_534;
    let mut chown = Command::new("chown");
    chown.arg("-R").arg(nobody.to_string()).arg(tree.work.path());
    if !chown.status().is_ok_and(|status| status.success()) {
        return skip(test, "this user may not give files away");
    }
    let as_nobody = |arguments: &str| {
        let mut command = restripe();
        command.args(arguments.split_whitespace()).arg(tree.root()).uid(nobody);
        Run::of(&mut command, &[])
    };
    let mode = |name: &str, mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(tree.path(name), permissions).unwrap();
    };
    mode("photos/04", 0o000);
    let report = document(as_nobody("protect --json --policy RS-3-2-16k"), 1, "protect");
    assert_eq!(report["protected"]["files"], 12);
    assert_eq!(report["problems"][0]["path"], "photos/04");
    mode("photos/04", 0o600);
    document(as_nobody("protect --json --policy RS-3-2-16k"), 0, "protect");

    mode("photos/05", 0o000);
    let report = document(as_nobody("scrub --json"), 5, "scrub");
    assert_eq!(
        (&report["clean"]["files"], &report["problems"][0]["path"]),
        (&12.into(), &"photos/05".into())
    );
    // Of a folder that may not be written, a file is told to be damaged, and is left alone.
    tree.damage("photos/06", 0, 5);
    tree.damage("film", 0, 5);
    mode("photos", 0o500);
    let report = document(as_nobody("heal --json"), 1, "heal");
    let outcomes: Vec<&Value> =
        report["damaged_files"].as_array().unwrap().iter().map(|file| &file["outcome"]).collect();
    assert_eq!(outcomes, ["healed", "left-alone"]);
    mode("photos", 0o700);
    mode("photos/05", 0o600);
    document(as_nobody("heal --json"), 0, "heal");
    tree.is_as_it_was();
}

/// A small file system in memory, unmounted at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(test: &str, size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        skip(test, "this user may not mount a file system");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_ends_the_work_and_more_room_lets_it_go_on() {
    let test = "a_full_disk_ends_the_work_and_more_room_lets_it_go_on";
    let Some(mount) = Mount::new(test, "size=4m") else { return };
    let tree = Tree::fill(tempfile::tempdir_in(mount.0.path()).unwrap(), 1_000_000);
    let ballast = mount.0.path().join("ballast");
    let fill = |leave: u64| {
        let free = rustix::fs::statvfs(mount.0.path()).unwrap();
        let len = (free.f_bavail * free.f_frsize).saturating_sub(leave);
        fs::write(&ballast, vec![0; len as usize]).unwrap();
    };
    fill(400_000);
    let full = tree.run("protect --policy RS-3-2-16k").expect(1);
    assert!(full.stderr.contains("make room") || full.stderr.contains("full"), "{}", full.stderr);
    tree.is_as_it_was();
    fs::remove_file(&ballast).unwrap();
    tree.protect();
    tree.run("scrub").expect(0);

    tree.damage("film", 500_000, 9000);
    let damaged = fs::read(tree.path("film")).unwrap();
    fill(300_000);
    let full = tree.run("heal").expect(1);
    assert!(full.stderr.contains("make room") || full.stderr.contains("full"), "{}", full.stderr);
    assert!(fs::read(tree.path("film")).unwrap() == damaged);
    fs::remove_file(&ballast).unwrap();
    tree.run("heal").expect(0);
    tree.is_as_it_was();
    let mut find = Command::new("find");
    find.arg(tree.root()).args(["-name", ".restripe-part-*"]);
    assert!(find.output().unwrap().stdout.is_empty());
}

#[test]
fn killed_at_any_time_and_run_again_it_comes_to_its_end() {
    let times = if common::full_scale() { 60 } else { 12 };
    let mut random = Random::new(52);
    let tree = Tree::fill(tempfile::tempdir().unwrap(), 8_000_000);
    for round in 0..times {
        let command = if round % 2 == 0 { "protect --policy RS-3-2-16k" } else { "heal" };
        let mut child = restripe()
            .args(command.split_whitespace())
            .arg(tree.root())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.below(60_000)));
        let _ = child.kill();
        child.wait().unwrap();
        tree.run("protect --policy RS-3-2-16k").expect(0);
        for (name, content) in &tree.files {
            let now = fs::read(tree.path(name)).unwrap();
            assert!(now == *content || round > 0, "{name}");
        }
        tree.run("heal").expect(0);
        tree.is_as_it_was();
        tree.damage("film", random.below(7_000_000) as usize, 5000);
        tree.damage("photos/07", 0, 100);
    }
}

#[test]
fn an_interrupted_run_ends_by_itself_and_says_how_to_go_on() {
    let tree = Tree::fill(tempfile::tempdir().unwrap(), 20_000_000);
    tree.protect();
    let mut child = restripe();
    child.args(["scrub", "--rate", "1MB/s"]).arg(tree.root());
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let mut kill = Command::new("kill");
    assert!(kill.arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("carries on"), "{text}");
}
