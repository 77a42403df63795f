//! What the end-to-end suites share: running the binary, content that is the same every time,
//! and folders that remember how they were.

#![allow(dead_code, reason = "no suite uses all of it")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

pub mod oracle;

/// Whether the suites are to be run at full length.
pub fn full_scale() -> bool {
    std::env::var_os("RESTRIPE_TEST_SCALE").is_some_and(|scale| scale == "full")
}

/// Says by name that a test could not be run here.
pub fn skip(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
}

/// The command, to be given its arguments.
pub fn restripe() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restripe"));
    command.env_remove("RESTRIPE_KERNEL");
    command
}

/// Holds a report against the schema that the command itself prints.
#[track_caller]
pub fn assert_fits_the_schema(report: &Value) {
    let schema: Value = run(["schema"]).expect(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {report:#}");
}

/// What a run of the command left.
#[derive(Debug)]
pub struct Run {
    pub exit: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    pub fn of(command: &mut Command, input: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // From a thread of its own, so that neither side waits for the other.
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        // A command that does not read its input closes it.
        let _ = feeder.join().unwrap();
        Self {
            exit: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}\n{}", self.text(), self.stderr))
    }

    #[track_caller]
    pub fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{}\n{}", self.text(), self.stderr);
        self
    }
}

/// Runs the command with arguments.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    Run::of(restripe().args(arguments), &[])
}

/// Runs the command with arguments that are separated by spaces, and then paths.
pub fn run_on(arguments: &str, paths: &[&Path]) -> Run {
    let arguments = arguments.split_whitespace().map(OsStr::new);
    run(arguments.chain(paths.iter().map(|path| path.as_os_str())))
}

/// Small, fast and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// Every file of a folder.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.path().is_file());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// A folder to work in, with an encoded file of which everything is remembered.
pub struct Encoded {
    pub work: tempfile::TempDir,
    pub policy: oracle::Policy,
    pub block_size: u64,
    pub content: Vec<u8>,
    pub pristine: Files,
}

impl Encoded {
    pub fn new(policy: &str, block_size: u64, content: Vec<u8>) -> Self {
        let work = tempfile::tempdir().unwrap();
        fs::write(work.path().join("file"), &content).unwrap();
        let block_size_text = block_size.to_string();
        let arguments =
            ["encode", "--policy", policy, "--block-size", &block_size_text, "--no-fsync"];
        let paths = [work.path().join("file"), work.path().join("blocks")];
        run(arguments.iter().map(OsStr::new).chain(paths.iter().map(|path| path.as_os_str())))
            .expect(0);
        let pristine = files(&work.path().join("blocks"));
        Self { work, policy: policy.parse().unwrap(), block_size, content, pristine }
    }

    pub fn folder(&self) -> PathBuf {
        self.work.path().join("blocks")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn block(&self, group: u64, unit: usize) -> PathBuf {
        self.path(&oracle::block_name(group, unit))
    }

    pub fn meta(&self, group: u64, unit: usize) -> PathBuf {
        self.path(&(oracle::block_name(group, unit) + ".meta"))
    }

    /// Puts every file back as it was.
    pub fn reset(&self) {
        let _ = fs::remove_dir_all(self.folder());
        fs::create_dir(self.folder()).unwrap();
        for (name, bytes) in &self.pristine {
            fs::write(self.path(name), bytes).unwrap();
        }
    }

    pub fn run(&self, arguments: &str) -> Run {
        run_on(arguments, &[&self.folder()])
    }

    pub fn verify(&self) -> Run {
        self.run("verify --json")
    }

    pub fn repair(&self) -> Run {
        self.run("repair --json --no-fsync")
    }

    /// Decodes; the bytes if that succeeded.
    pub fn decode(&self) -> (Run, Option<Vec<u8>>) {
        let target = self.work.path().join("decoded");
        let _ = fs::remove_file(&target);
        let run = run_on("decode --json --no-fsync", &[&self.folder(), &target]);
        (run, fs::read(target).ok())
    }

    /// What verify, repair and decode make of damage that leaves enough of every stripe: all of
    /// it comes back, byte for byte.
    #[track_caller]
    pub fn comes_back(&self) {
        let verified = self.verify().expect(3);
        assert_eq!(verified.json()["verdict"], "repairable");
        let (decoded, bytes) = self.decode();
        decoded.expect(0);
        assert!(bytes.as_ref() == Some(&self.content), "decoded to other bytes");
        let dry = self.run("repair --dry-run --json").expect(3);
        assert_eq!(dry.json()["verdict"], "repairable");
        let repaired = self.repair().expect(0);
        assert_eq!(repaired.json()["verdict"], "whole");
        self.is_pristine();
        self.run("verify --deep").expect(0);
    }

    #[track_caller]
    pub fn is_pristine(&self) {
        let now = files(&self.folder());
        let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&now), names(&self.pristine));
        for (name, bytes) in &now {
            assert!(*bytes == self.pristine[name], "{name} is not what it was");
        }
    }
}

/// Changes the bytes of a file.
pub fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}
