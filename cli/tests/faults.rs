//! Faults of the machine at any moment of a command: a call of the system that fails, once or from
//! then on; a process that is killed; files that change beneath it. Never a wrong byte under a name
//! that says that it is right, never a good one lost, and the next run, without the fault, comes to
//! the end.
//!
//! Each test makes the first call go wrong, then the second, and so on until a run ends before the
//! fault strikes. They print how often it did.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;
mod fault;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Files, Random, Run, edit, files, full_scale, oracle, restripe, run_on};
use fault::{Fault, Seen};

const EIO: i32 = 5;
const EINTR: i32 = 4;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

const fn fault(calls: &'static str, act: &'static str, errno: i32) -> Fault {
    Fault { calls, act, errno }
}

/// After these the command may have failed, or have found its way around.
const ERRORS: [Fault; 7] = [
    fault("reads", "fail", EIO),
    fault("contents", "fail-on", EIO),
    fault("reads", "fail-on", EACCES),
    fault("changes", "fail", EIO),
    fault("growth", "fail-on", ENOSPC),
    fault("changes", "fail-on", EROFS),
    fault("changes", "kill", 0),
];

/// Nobody may notice these.
const HARMLESS: [Fault; 4] = [
    fault("contents", "half", 0),
    fault("writes", "half", 0),
    fault("contents", "fail", EINTR),
    fault("writes", "fail", EINTR),
];

/// Somebody else writes to what the command reads.
const WRITERS: [Fault; 2] = [fault("contents", "flip", 0), fault("contents", "cut", 0)];

/// A run with a fault in it.
struct Struck {
    run: Run,
    seen: Seen,
    /// For messages.
    what: String,
}

impl Struck {
    /// The command did not find a fault of its own, and said why it failed.
    fn ended_in_order(&self) {
        let (what, run) = (&self.what, &self.run);
        assert!(!run.stderr.contains("fault of the program"), "{what}: {}", run.stderr);
        let is_killed = what.contains("kill");
        assert!(is_killed || (0..=5).contains(&run.exit), "{what}: {}: {}", run.exit, run.stderr);
        let said = run.stderr.len() + run.stdout.len();
        assert!(is_killed || run.exit != 1 || said > 20, "{what}: no word of it");
    }
}

/// Runs a command again and again, with one fault at another call each time, and has what it left
/// looked at.
fn at_every_call(
    name: &str,
    folder: &Path,
    faults: &[Fault],
    mut prepare: impl FnMut(),
    command: impl Fn() -> Command,
    mut check: impl FnMut(&Struck),
) {
    for (kind, &fault) in faults.iter().enumerate() {
        prepare();
        let (whole, seen) = fault::run(&mut command(), folder, fault, 0);
        assert!(whole.exit == 0 && seen.calls > 0, "{name}: {fault:?}: {}", whole.stderr);
        // Every call at full scale; else as many as take a second or two, and not the same ones for
        // every kind of fault.
        let step = if full_scale() { 1 } else { seen.calls.div_ceil(16) };
        let (mut runs, mut struck) = (0, 0);
        for nth in (1 + kind as u64 % step..).step_by(step as usize) {
            prepare();
            let (run, seen) = fault::run(&mut command(), folder, fault, nth);
            let what = format!("{name}: {fault:?} at {nth} of {}", seen.calls);
            let reached = seen.calls >= nth;
            assert!(reached || (seen.struck == 0 && run.exit == 0), "{what}: {}", run.stderr);
            runs += u64::from(seen.struck != 0);
            struck += seen.struck;
            let struck = Struck { run, seen, what };
            struck.ended_in_order();
            check(&struck);
            if !reached {
                let calls = struck.seen.calls;
                println!("{name}: {fault:?}: {calls} calls, {runs} runs struck");
                break;
            }
        }
        assert!(struck > 0, "{name}: {fault:?} never struck");
    }
}

/// A file, its blocks as they should be, and a folder for what a test does with them.
struct Blocks {
    work: tempfile::TempDir,
    content: Vec<u8>,
    pristine: Files,
}

impl Blocks {
    fn new() -> Self {
        let work = in_memory();
        let content = Random::new(61).bytes(60_000);
        fs::write(work.path().join("file"), &content).unwrap();
        let blocks = Self { work, content, pristine: Files::new() };
        let encoded = Run::of(&mut blocks.encode(), &[]);
        encoded.expect(0);
        let pristine = files(&blocks.folder());
        Self { pristine, ..blocks }
    }

    fn path(&self) -> PathBuf {
        self.work.path().canonicalize().unwrap()
    }

    fn file(&self) -> PathBuf {
        self.path().join("file")
    }

    fn folder(&self) -> PathBuf {
        self.path().join("blocks")
    }

    fn decoded(&self) -> PathBuf {
        self.path().join("decoded")
    }

    fn encode(&self) -> Command {
        let mut command = restripe();
        command.args(["encode", "--policy", "RS-3-2-4k", "--block-size", "16k", "--threads", "1"]);
        command.arg(self.file()).arg(self.folder());
        command
    }

    fn repair(&self) -> Command {
        let mut command = restripe();
        command.args(["repair", "--threads", "1"]).arg(self.folder());
        command
    }

    fn decode(&self) -> Command {
        let mut command = restripe();
        command.args(["decode", "--threads", "1"]).arg(self.folder()).arg(self.decoded());
        command
    }

    /// Loses a block, a few chunks and a checksum: of no stripe more than one block has any of it,
    /// so one more may be lost.
    fn damage(&self) -> Files {
        let folder = self.folder();
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (name, bytes) in &self.pristine {
            fs::write(folder.join(name), bytes).unwrap();
        }
        let block = |group, unit| folder.join(oracle::block_name(group, unit));
        fs::remove_file(block(0, 1)).unwrap();
        edit(&block(1, 0), |bytes| bytes[700] ^= 1);
        edit(&block(1, 3), |bytes| bytes[3000] ^= 1);
        let meta = oracle::block_name(1, 4) + ".meta";
        edit(&folder.join(meta), |bytes| bytes[7 + 4 * 2] ^= 1);
        files(&folder)
    }

    /// Every file is as it was, or as it should be, or has a name of unfinished ones.
    fn is_never_worse(&self, damaged: &Files, struck: &Struck) {
        let what = &struck.what;
        let now = files(&self.folder());
        for (name, bytes) in &now {
            let is_known = [damaged, &self.pristine].iter().any(|f| f.get(name) == Some(bytes));
            let is_changed = struck.seen.changed.as_ref() == Some(&self.folder().join(name));
            assert!(is_known || is_changed || name.ends_with(".restripe-part"), "{what}: {name}");
        }
        for name in damaged.keys() {
            assert!(now.contains_key(name), "{what}: {name} is gone");
        }
    }

    /// A manifest that was changed is refused; here it is put back.
    fn the_manifest_is_told(&self, struck: &Struck) {
        let manifest = self.folder().join("manifest.json");
        if struck.seen.changed.as_ref() == Some(&manifest) {
            let (what, run) = (&struck.what, &struck.run);
            let is_told = run.exit == 1 && run.stderr.contains("manifest.json");
            assert!(is_told || run.exit == 0, "{what}: {}: {}", run.exit, run.stderr);
            fs::write(manifest, &self.pristine["manifest.json"]).unwrap();
        }
    }

    fn is_whole(&self, what: &str) {
        let now = files(&self.folder());
        let names: Vec<&String> = now.keys().collect();
        assert!(now == self.pristine, "{what}: not as it should be, there are {names:?}");
    }

    /// What is in the folder gives the content back, and then itself.
    fn comes_back(&self, what: &str) {
        let _ = fs::remove_file(self.decoded());
        let decoded = Run::of(&mut self.decode(), &[]);
        assert_eq!(decoded.exit, 0, "{what}, then decode: {}", decoded.stderr);
        assert!(fs::read(self.decoded()).unwrap() == self.content, "{what}, then decode");
        let repaired = Run::of(&mut self.repair(), &[]);
        assert_eq!(repaired.exit, 0, "{what}, then repair: {}", repaired.stderr);
        self.is_whole(what);
    }
}

/// A folder in memory, where there is one: the tests wait for many an fsync.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn encode_again(blocks: &Blocks, struck: &Struck) {
    let what = &struck.what;
    let is_finished = blocks.folder().join("manifest.json").exists();
    assert!(is_finished || struck.run.exit != 0, "{what}: nothing was encoded");
    if !is_finished {
        let again = Run::of(&mut blocks.encode(), &[]);
        assert_eq!(again.exit, 0, "{what}, then encode: {}", again.stderr);
    }
}

#[test]
fn an_encode_meets_any_error() {
    let blocks = Blocks::new();
    let prepare = || drop(fs::remove_dir_all(blocks.folder()));
    at_every_call(
        "encode",
        &blocks.path(),
        &ERRORS,
        prepare,
        || blocks.encode(),
        |struck| {
            encode_again(&blocks, struck);
            blocks.is_whole(&struck.what);
            assert!(fs::read(blocks.file()).unwrap() == blocks.content, "{}", struck.what);
        },
    );
}

#[test]
fn a_file_that_changes_while_it_is_encoded_is_encoded_as_it_was_read() {
    let blocks = Blocks::new();
    let prepare = || {
        let _ = fs::remove_dir_all(blocks.folder());
        fs::write(blocks.file(), &blocks.content).unwrap();
    };
    at_every_call(
        "encode",
        &blocks.path(),
        &WRITERS,
        prepare,
        || blocks.encode(),
        |struck| {
            encode_again(&blocks, struck);
            if struck.seen.changed.as_ref().is_some_and(|path| *path != blocks.file()) {
                return; // What encode wrote is read after that by those who verify.
            }
            // The change came before the first read of that byte, and no byte is read twice.
            let now = fs::read(blocks.file()).unwrap();
            let _ = fs::remove_file(blocks.decoded());
            Run::of(&mut blocks.decode(), &[]).expect(0);
            assert!(fs::read(blocks.decoded()).unwrap() == now, "{}", struck.what);
        },
    );
}

#[test]
fn a_repair_meets_any_error() {
    let blocks = Blocks::new();
    let damaged = blocks.damage();
    let prepare = || drop(blocks.damage());
    at_every_call(
        "repair",
        &blocks.folder(),
        &ERRORS,
        prepare,
        || blocks.repair(),
        |struck| {
            blocks.is_never_worse(&damaged, struck);
            if struck.run.exit == 0 {
                blocks.is_whole(&struck.what);
            }
            blocks.comes_back(&struck.what);
        },
    );
}

#[test]
fn blocks_that_change_while_they_are_repaired_are_damaged_and_no_more() {
    let blocks = Blocks::new();
    let damaged = blocks.damage();
    let prepare = || drop(blocks.damage());
    at_every_call(
        "repair",
        &blocks.folder(),
        &WRITERS,
        prepare,
        || blocks.repair(),
        |struck| {
            blocks.the_manifest_is_told(struck);
            blocks.is_never_worse(&damaged, struck);
            blocks.comes_back(&struck.what);
        },
    );
}

#[test]
fn a_decode_meets_any_error() {
    let blocks = Blocks::new();
    let damaged = blocks.damage();
    let prepare = || drop(fs::remove_file(blocks.decoded()));
    at_every_call(
        "decode",
        &blocks.path(),
        &ERRORS,
        prepare,
        || blocks.decode(),
        |struck| {
            let what = &struck.what;
            assert!(files(&blocks.folder()) == damaged, "{what}: the blocks have changed");
            let decoded = fs::read(blocks.decoded()).ok();
            assert!(decoded.is_some() || struck.run.exit != 0, "{what}: nothing was decoded");
            assert!(decoded.is_none_or(|bytes| bytes == blocks.content), "{what}: other bytes");
            let _ = fs::remove_file(blocks.decoded());
            let again = Run::of(&mut blocks.decode(), &[]);
            assert_eq!(again.exit, 0, "{what}, then decode: {}", again.stderr);
            assert!(fs::read(blocks.decoded()).unwrap() == blocks.content, "{what}");
            assert_eq!(
                fs::read_dir(blocks.path()).unwrap().count(),
                3,
                "{what}: something was left"
            );
        },
    );
}

#[test]
fn blocks_that_change_while_they_are_decoded_do_no_harm() {
    let blocks = Blocks::new();
    let prepare = || {
        blocks.damage();
        let _ = fs::remove_file(blocks.decoded());
    };
    at_every_call(
        "decode",
        &blocks.path(),
        &WRITERS,
        prepare,
        || blocks.decode(),
        |struck| {
            let what = &struck.what;
            blocks.the_manifest_is_told(struck);
            let is_block =
                struck.seen.changed.as_ref().is_none_or(|path| !path.ends_with("decoded"));
            let decoded = fs::read(blocks.decoded()).ok().filter(|_| is_block);
            assert!(decoded.is_none_or(|bytes| bytes == blocks.content), "{what}: other bytes");
            blocks.comes_back(what);
        },
    );
}

#[test]
fn calls_that_do_half_or_are_interrupted_are_no_faults() {
    let blocks = Blocks::new();
    let encoded = || drop(fs::remove_dir_all(blocks.folder()));
    at_every_call(
        "encode",
        &blocks.path(),
        &HARMLESS,
        encoded,
        || blocks.encode(),
        |struck| {
            assert_eq!(struck.run.exit, 0, "{}: {}", struck.what, struck.run.stderr);
            blocks.is_whole(&struck.what);
        },
    );
    let damage = || drop(blocks.damage());
    at_every_call(
        "repair",
        &blocks.folder(),
        &HARMLESS,
        damage,
        || blocks.repair(),
        |struck| {
            assert_eq!(struck.run.exit, 0, "{}: {}", struck.what, struck.run.stderr);
            blocks.is_whole(&struck.what);
        },
    );
    blocks.damage();
    let decoded = || drop(fs::remove_file(blocks.decoded()));
    at_every_call(
        "decode",
        &blocks.path(),
        &HARMLESS,
        decoded,
        || blocks.decode(),
        |struck| {
            assert_eq!(struck.run.exit, 0, "{}: {}", struck.what, struck.run.stderr);
            assert!(fs::read(blocks.decoded()).unwrap() == blocks.content, "{}", struck.what);
        },
    );
}

/// Files that get parity beside them.
struct Tree {
    work: tempfile::TempDir,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Tree {
    fn new() -> Self {
        let mut random = Random::new(62);
        let names = [("film", 60_000), ("d/one", 3000), ("d/two", 3000), ("d/three", 1)];
        let files = names.map(|(name, len)| (name, random.bytes(len)));
        Self { work: in_memory(), files: files.into() }
    }

    fn root(&self) -> PathBuf {
        self.work.path().canonicalize().unwrap().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = restripe();
        command.args(arguments.split_whitespace()).arg(self.root());
        command
    }

    fn run(&self, what: &str, arguments: &str) -> Run {
        let run = run_on(arguments, &[&self.root()]);
        assert_eq!(run.exit, 0, "{what}, then {arguments}: {}{}", run.text(), run.stderr);
        run
    }

    fn fill(&self) {
        let _ = fs::remove_dir_all(self.root());
        fs::create_dir_all(self.root().join("d")).unwrap();
        for (name, content) in &self.files {
            fs::write(self.path(name), content).unwrap();
        }
    }

    fn protect(&self, what: &str) {
        self.run(what, PROTECT);
    }

    fn damage(&self) {
        damage(&self.path("film"), 20_000);
        damage(&self.path("d/two"), 0);
    }

    fn contents(&self) -> Vec<Vec<u8>> {
        self.files.iter().map(|(name, _)| fs::read(self.path(name)).unwrap()).collect()
    }

    #[track_caller]
    fn is_as_it_was(&self, what: &str) {
        for (name, content) in &self.files {
            assert!(fs::read(self.path(name)).unwrap() == *content, "{what}: {name}");
        }
    }

    /// With parity or without, the next runs bring it to its end: nothing unfinished is left, and
    /// the parity that there is heals.
    fn comes_to_a_good_end(&self, what: &str) {
        self.run(what, "heal");
        self.protect(what);
        self.damage();
        self.run(what, "heal");
        let mut find = Command::new("find");
        let left = find.arg(self.root()).args(["-name", ".restripe-part-*"]).output().unwrap();
        assert!(left.stdout.is_empty(), "{what}: {}", String::from_utf8_lossy(&left.stdout));
    }
}

const PROTECT: &str = "protect --policy RS-3-2-4k";

/// Flips bytes of a file that nobody wrote: its times stay.
fn damage(path: &Path, at: usize) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    edit(path, |bytes| bytes[at..].iter_mut().take(600).for_each(|byte| *byte ^= 0x55));
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[test]
fn a_protect_meets_any_error() {
    let tree = Tree::new();
    let protect = || tree.command(PROTECT);
    at_every_call(
        "protect",
        &tree.root(),
        &ERRORS,
        || tree.fill(),
        protect,
        |struck| {
            tree.is_as_it_was(&struck.what);
            tree.protect(&struck.what);
            tree.damage();
            tree.comes_to_a_good_end(&struck.what);
            tree.is_as_it_was(&struck.what);
        },
    );
}

#[test]
fn a_heal_meets_any_error() {
    let tree = Tree::new();
    let prepare = || {
        tree.fill();
        tree.protect("");
        tree.damage();
    };
    prepare();
    let damaged = tree.contents();
    let heal = || tree.command("heal");
    at_every_call("heal", &tree.root(), &ERRORS, prepare, heal, |struck| {
        let what = &struck.what;
        for (((name, right), damaged), now) in tree.files.iter().zip(&damaged).zip(tree.contents())
        {
            assert!(now == *right || now == *damaged, "{what}: {name}");
        }
        if struck.run.exit == 0 {
            tree.is_as_it_was(what);
        }
        tree.comes_to_a_good_end(what);
        tree.is_as_it_was(what);
    });
}

#[test]
fn a_rescan_meets_any_error() {
    let tree = Tree::new();
    let prepare = || {
        tree.fill();
        tree.protect("");
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(tree.path(&format!(".restripe/metastore.db{suffix}")));
        }
    };
    let rescan = || tree.command("block rescan");
    at_every_call("rescan", &tree.root(), &ERRORS, prepare, rescan, |struck| {
        tree.is_as_it_was(&struck.what);
        tree.run(&struck.what, "block rescan");
        tree.damage();
        tree.comes_to_a_good_end(&struck.what);
        tree.is_as_it_was(&struck.what);
    });
}

/// What somebody writes to a file while the command is at it is there afterwards, and not healed.
fn a_writers_bytes_stay(tree: &Tree, before: &[Vec<u8>], struck: &Struck) {
    let what = &struck.what;
    for (((name, right), before), now) in tree.files.iter().zip(before).zip(tree.contents()) {
        if struck.seen.changed.as_ref() == Some(&tree.path(name)) {
            let mut differences = now.iter().zip(before).filter(|(a, b)| a != b);
            let is_written = now.len() < before.len() || differences.next().is_some();
            assert!(is_written && differences.next().is_none(), "{what}: {name}");
        } else {
            assert!(now == *right || now == *before, "{what}: {name}");
        }
    }
    let now = tree.contents();
    let is_metastore = |path: &PathBuf| path.to_string_lossy().contains("/metastore.db");
    if struck.seen.changed.as_ref().is_some_and(is_metastore) {
        // A new one can be made, where there is anything to make it of.
        let rescan = run_on("block rescan", &[&tree.root()]);
        if rescan.stderr.contains("no parity files") {
            fs::remove_dir_all(tree.path(".restripe")).unwrap();
        } else {
            assert!([0, 3].contains(&rescan.exit), "{what}, then rescan: {}", rescan.stderr);
        }
    }
    let _ = run_on("heal", &[&tree.root()]);
    tree.protect(what);
    // A parity file that was cut has lost all its units: then nothing heals what was damaged.
    let is_parity = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "parity");
    let scrub = run_on("scrub", &[&tree.root()]);
    let is_beyond = scrub.exit == 4 && struck.seen.changed.as_ref().is_some_and(is_parity);
    assert!(scrub.exit == 0 || is_beyond, "{what}, then scrub: {}", scrub.text());
    for ((((name, right), before), then), now) in
        tree.files.iter().zip(before).zip(now).zip(tree.contents())
    {
        let is_healed = then == *before && now == *right;
        assert!(now == then || is_healed, "{what}, then heal: {name}");
    }
}

#[test]
fn files_that_change_while_they_are_protected_keep_what_was_written() {
    let tree = Tree::new();
    let before: Vec<Vec<u8>> = tree.files.iter().map(|(_, content)| content.clone()).collect();
    let protect = || tree.command(PROTECT);
    at_every_call(
        "protect",
        &tree.root(),
        &WRITERS,
        || tree.fill(),
        protect,
        |struck| {
            a_writers_bytes_stay(&tree, &before, struck);
        },
    );
}

#[test]
fn files_that_change_while_they_are_healed_keep_what_was_written() {
    let tree = Tree::new();
    let prepare = || {
        tree.fill();
        tree.protect("");
        tree.damage();
    };
    prepare();
    let before = tree.contents();
    let heal = || tree.command("heal");
    at_every_call("heal", &tree.root(), &WRITERS, prepare, heal, |struck| {
        a_writers_bytes_stay(&tree, &before, struck);
    });
}
