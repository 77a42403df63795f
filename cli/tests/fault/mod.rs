//! Runs of the command in which the machine fails at one system call: `shim.c` says how.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::common::Run;

/// What goes wrong, and at which calls. The words are the shim's.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub calls: &'static str,
    pub act: &'static str,
    pub errno: i32,
}

/// What the shim saw of a run.
#[derive(Debug)]
pub struct Seen {
    /// The calls that counted.
    pub calls: u64,
    /// Those that went wrong.
    pub struck: u64,
    /// The file that was changed beneath the command.
    pub changed: Option<PathBuf>,
}

/// `struct record` of the shim.
const RECORD_LEN: usize = 16 + 4096;

/// The shim, compiled once for all tests of a process.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fault/shim.c");
        // One for each process: others may be using theirs.
        let name = format!("fault-shim-{}.so", std::process::id());
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let target = "x86_64-unknown-linux-gnu";
        let mut compiler = cc::Build::new()
            .opt_level(1)
            .host(target)
            .target(target)
            .cargo_metadata(false)
            .get_compiler()
            .to_command();
        compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC"]);
        let output = compiler.arg(source).arg("-o").arg(&shim).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        shim
    })
}

/// Runs a command, in which the `nth` of the calls beneath `folder` goes wrong; none where it is 0.
pub fn run(command: &mut Command, folder: &Path, fault: Fault, nth: u64) -> (Run, Seen) {
    let record = tempfile::NamedTempFile::new().unwrap();
    fs::write(record.path(), [0; RECORD_LEN]).unwrap();
    command
        .env("LD_PRELOAD", shim())
        .env("FAULT_FOLDER", folder)
        .env("FAULT_CALLS", fault.calls)
        .env("FAULT_NTH", nth.to_string())
        .env("FAULT_ACT", fault.act)
        .env("FAULT_ERRNO", fault.errno.to_string())
        .env("FAULT_RECORD", record.path());
    let run = Run::of(command, &[]);
    let seen = fs::read(record.path()).unwrap();
    let number = |at: usize| u64::from_ne_bytes(seen[at..at + 8].try_into().unwrap());
    let changed = seen[16..].split(|&byte| byte == 0).next().filter(|path| !path.is_empty());
    let changed = changed.map(|path| PathBuf::from(str::from_utf8(path).unwrap()));
    assert_ne!(run.exit, 99, "the shim: {}", run.stderr);
    (run, Seen { calls: number(0), struck: number(8), changed })
}
