//! Faults that are planted in a copy of the sources, one at a time, to see that tests find them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fault: what it does, and the replacements (file, text, other text) that make it.
pub struct Mutant {
    pub does: &'static str,
    pub edits: &'static [(&'static str, &'static str, &'static str)],
}

/// What the workspace is made of.
const ENTRIES: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "src",
    "tests",
    "benches",
    "block-ec",
    "cli",
    "differential",
    "ffi",
    "xtask",
];

/// Plants every fault in the files in `sources`, and expects `cargo` with the arguments to fail then,
/// and only then; `scale` says how much the tests try. `RESTRIPE_MUTANTS` names some of them: those whose description has one of its parts,
/// which are separated by `|`.
pub fn all_are_found(name: &str, sources: &str, mutants: &[Mutant], scale: &str, cargo: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let (tree, build) = (target.join(name).join("tree"), target.join(name).join("build"));
    let _ = fs::remove_dir_all(&tree);
    for entry in ENTRIES {
        copy(&root.join(entry), &tree.join(entry));
    }
    let run = || {
        Command::new(env!("CARGO"))
            .args(cargo)
            .current_dir(&tree)
            .env("CARGO_TARGET_DIR", &build)
            .env("RESTRIPE_TEST_SCALE", scale)
            .output()
            .unwrap()
    };
    let clean = run();
    assert!(clean.status.success(), "without a mutant: {}", String::from_utf8_lossy(&clean.stderr));

    let asked = std::env::var("RESTRIPE_MUTANTS").unwrap_or_default();
    let is_asked = |mutant: &&Mutant| asked.split('|').any(|part| mutant.does.contains(part));
    let mut survivors = Vec::new();
    for Mutant { does, edits } in mutants.iter().filter(is_asked) {
        let mut originals = Vec::new();
        for (file, text, other) in *edits {
            let path = tree.join(sources).join(file);
            let source = fs::read_to_string(&path).unwrap();
            originals.push((path.clone(), source.clone()));
            assert_eq!(source.matches(text).count(), 1, "{file}: {text}");
            fs::write(&path, source.replacen(text, other, 1)).unwrap();
        }
        let mutated = run();
        let errors = String::from_utf8_lossy(&mutated.stderr);
        assert!(!errors.contains("could not compile"), "{does}: {errors}");
        println!("{}: {does}", if mutated.status.success() { "SURVIVES" } else { "found" });
        if mutated.status.success() {
            survivors.push(does);
        }
        // The last edit first: two may be of one file.
        for (path, source) in originals.iter().rev() {
            fs::write(path, source).unwrap();
        }
    }
    assert!(survivors.is_empty(), "not found: {survivors:?}");
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        // What Maven and the examples build is nothing to compile.
        if from.file_name().is_some_and(|name| name == "target") {
            return;
        }
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        // Not fs::copy: the compiler goes by the time of the change.
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, fs::read(from).unwrap()).unwrap();
    }
}
