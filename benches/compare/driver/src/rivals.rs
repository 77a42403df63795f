//! The contestants: where they come from, which matrix they use, and how they are built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use restripe::MatrixKind;
use serde_json::Value;

/// A contestant.
pub struct Rival {
    /// Its name in tables.
    pub name: &'static str,
    /// The folder of its worker, which is the crate that it is for, too; but see [`version`].
    folder: &'static str,
    /// Whose matrix it is given; `None`: its parity is like nobody else's, and only round trips
    /// tell that it is right.
    pub matrix: Option<MatrixKind>,
}

/// The one that the others are compared with.
pub const BASELINE: &str = "ISA-L";

/// Ourselves.
pub const OURS: &str = "restripe";

/// Limits of the machine, which take turns like contestants: the instructions alone that products
/// take, and copying memory.
pub const PRODUCTS: &str = "products";
pub const COPY: &str = "copy";
pub const LIMITS: [&str; 2] = [PRODUCTS, COPY];

const KLAUSPOST: &str = "klauspost";

/// All contestants, in the order of the tables.
pub const RIVALS: [Rival; 8] = [
    Rival { name: OURS, folder: "restripe", matrix: Some(MatrixKind::Cauchy) },
    Rival { name: BASELINE, folder: "isal", matrix: Some(MatrixKind::Cauchy) },
    Rival { name: KLAUSPOST, folder: "klauspost", matrix: Some(MatrixKind::Cauchy) },
    Rival {
        name: "rustfs-erasure-codec",
        folder: "rustfs-erasure-codec",
        matrix: Some(MatrixKind::Backblaze),
    },
    Rival {
        name: "reed-solomon-erasure",
        folder: "reed-solomon-erasure",
        matrix: Some(MatrixKind::Backblaze),
    },
    Rival { name: "reed-solomon-simd", folder: "reed-solomon-simd", matrix: None },
    Rival { name: PRODUCTS, folder: "machine", matrix: None },
    Rival { name: COPY, folder: "machine", matrix: None },
];

/// A contestant whose worker was built, or could not be.
pub struct Built {
    pub rival: &'static Rival,
    /// Release of what it is for.
    pub version: String,
    /// The program, or why there is none.
    pub program: Result<PathBuf, String>,
}

/// The folder of the workspace.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the driver lies in it").to_owned()
}

/// Builds the workers, each by itself.
pub fn build() -> io::Result<Vec<Built>> {
    // The driver itself was built into target/release.
    let programs = env::current_exe()?.parent().expect("a folder").to_owned();
    let target = programs.parent().expect("a folder").to_owned();
    let metadata = output(cargo("metadata").args(["--format-version", "1"]));
    let packages: Value = match metadata {
        Ok(json) => serde_json::from_str(&json)?,
        Err(why) => return Err(io::Error::other(why)),
    };
    Ok(RIVALS
        .iter()
        .map(|rival| {
            eprintln!("building {}", rival.name);
            let program = programs.join(format!("{}-worker", rival.folder));
            let built = if rival.name == KLAUSPOST {
                let mut go = Command::new("go");
                output(
                    go.args(["build", "-o"]).arg(&program).current_dir(folder().join("klauspost")),
                )
            } else {
                // Some crates ask for a newer compiler than they need.
                let package = format!("{}-worker", rival.folder);
                let options = ["--release", "--locked", "--ignore-rust-version", "--package"];
                let mut cargo = cargo("build");
                output(cargo.args(options).arg(package).arg("--target-dir").arg(&target))
            };
            let version = version(rival, &packages).unwrap_or_else(|| "unknown".to_owned());
            Built { rival, version, program: built.map(|_| program) }
        })
        .collect())
}

fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(command).arg("--manifest-path").arg(folder().join("Cargo.toml"));
    cargo
}

/// What a command prints; where it fails, the first line of what it says about that.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said.lines().find(|line| line.starts_with("error")).or(said.lines().last());
    Err(format!("{name}: {}", error.unwrap_or("failed")))
}

/// The release that was built.
fn version(rival: &Rival, metadata: &Value) -> Option<String> {
    if rival.name == KLAUSPOST {
        let module = ["list", "-m", "-f", "{{.Version}}", "github.com/klauspost/reedsolomon"];
        let go = output(Command::new("go").args(module).current_dir(folder().join("klauspost")));
        return go.ok().map(|version| version.trim().trim_start_matches('v').to_owned());
    }
    let name = match rival.name {
        BASELINE => "isal-sys",
        PRODUCTS | COPY => "machine-worker",
        name => name,
    };
    let mut packages = metadata["packages"].as_array()?.iter();
    let package = packages.find(|package| package["name"] == name)?;
    let version = package["version"].as_str()?;
    if rival.name != BASELINE {
        return Some(version.to_owned());
    }
    // What counts is the C library in the crate.
    let crate_folder = Path::new(package["manifest_path"].as_str()?).parent()?;
    let configure = fs::read_to_string(crate_folder.join("isa-l/configure.ac")).ok()?;
    let library = configure.split_once("AC_INIT([libisal],")?.1.split(['[', ']']).nth(1)?;
    Some(format!("{library} (crate isal-sys {version})"))
}
