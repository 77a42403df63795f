//! Looks at what `cargo package` would publish: all that a user of the crate needs, and nothing that
//! only the project does.

use std::error::Error;
use std::process::Command;

/// A crate that is published.
struct Package {
    name: &'static str,
    /// Files without which it would not work, or could not be given on.
    needed: &'static [&'static str],
    /// Folders and files that it may consist of.
    allowed: &'static [&'static str],
}

/// Put by cargo into every package.
const BY_CARGO: [&str; 4] = [".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig"];

const LICENSE: &str = "LICENSE";

const PUBLISHED: [Package; 3] = [
    Package {
        name: "restripe",
        // The documentation is in part a file of its own; cargo-c installs the header.
        needed: &["README.md", "CHANGELOG.md", "SECURITY.md", "include/restripe.h", "src/lib.md"],
        allowed: &["src/"],
    },
    Package { name: "restripe-block-ec", needed: &["src/lib.rs"], allowed: &["src/"] },
    Package { name: "restripe-cli", needed: &["src/main.rs"], allowed: &["src/"] },
];

/// Checks the lists of files of all published crates.
pub fn check() -> Result<(), Box<dyn Error>> {
    let mut faults = Vec::new();
    for package in PUBLISHED {
        let files = files_of(package.name)?;
        let files: Vec<&str> = files.lines().collect();
        for file in package.needed.iter().chain(&[LICENSE]) {
            if !files.contains(file) {
                faults.push(format!("{}: {file} is missing", package.name));
            }
        }
        for file in &files {
            let is_expected = [package.needed, &[LICENSE], &BY_CARGO].concat().contains(file)
                || package.allowed.iter().any(|folder| file.starts_with(folder));
            if !is_expected {
                faults.push(format!("{}: {file} is not to be published", package.name));
            }
        }
        println!("{}: {} files", package.name, files.len());
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// The files of a package, one a line.
fn files_of(name: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["package", "--list", "--allow-dirty", "--quiet", "--package", name])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
