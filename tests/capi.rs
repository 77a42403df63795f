//! The C interface as C and C++ use it: programs compiled against include/restripe.h and the
//! library that plain cargo makes, and the names that it exports.
#![cfg(all(feature = "capi", target_os = "linux"))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What every program is compiled with: no warning is let pass.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Runs a command that must succeed, and gives what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The folder with librestripe.so and librestripe.a, made as the README says.
fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Beside the tests, so that what they are made of is not built again.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        run(Command::new(env!("CARGO"))
            .args(["rustc", "--package", "restripe", "--lib", "--all-features"])
            .args(["--crate-type", "cdylib,staticlib"])
            .arg("--target-dir")
            .arg(target)
            .args(["--", "-C", "link-arg=-Wl,-soname,librestripe.so.1"])
            .current_dir(ROOT));
        let folder = target.join("debug");
        // Who is linked with it looks for it by its soname.
        let by_soname = folder.join("librestripe.so.1");
        if !by_soname.exists() {
            std::os::unix::fs::symlink("librestripe.so", &by_soname).unwrap();
        }
        folder
    })
}

fn compiler(cpp: bool) -> Command {
    let about = run(Command::new("rustc").arg("-vV"));
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    cc::Build::new()
        .cpp(cpp)
        .opt_level(1)
        .host(host)
        .target(host)
        .cargo_metadata(false)
        .get_compiler()
        .to_command()
}

/// The programs that use, and misuse, the interface.
const STABLE: &str = "tests/capi/stable.c";
const BAD_INPUT: &str = "tests/capi/bad_input.c";
const UNSTABLE: &str = "tests/capi/unstable.c";
const REBUILD: &str = "ffi/examples/rebuild.c";
const RECONSTRUCT: &str = "ffi/examples/reconstruct.c";

const CALLS: &str = "tests/capi/calls.c";

/// Every program in C.
const PROGRAMS: [&str; 6] = [STABLE, BAD_INPUT, UNSTABLE, CALLS, REBUILD, RECONSTRUCT];

/// Compiles a program against the shared library and runs it.
fn compile_and_run(source: &str, cpp: bool) {
    run_program(&mut Command::new(compile(source, cpp, &[])));
}

/// Runs a program; the example that works on files gets a folder for them.
fn run_program(command: &mut Command) {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("{command:?}");
    if line.contains("reconstruct") {
        command.arg(folder.path());
    }
    run(command.env("LD_LIBRARY_PATH", library()));
}

/// Compiles a program with some more arguments.
fn compile(source: &str, cpp: bool, more: &[&str]) -> PathBuf {
    let language = if cpp { "_cpp" } else { "" };
    let name = format!("{}{language}{}", source.replace(['.', '/'], "_"), more.concat());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = compiler(cpp);
    command.args(STRICT).args(more);
    if cpp {
        command.args(["-std=c++17", "-x", "c++"]);
    } else {
        command.arg("-std=c99");
    }
    run(command
        .arg(format!("-I{ROOT}/include"))
        .arg(Path::new(ROOT).join(source))
        .args(["-x", "none"])
        .arg("-o")
        .arg(&program)
        .arg(library().join("librestripe.so")));
    program
}

#[test]
fn a_program_in_c99_uses_the_stable_tier() {
    compile_and_run(STABLE, false);
}

#[test]
fn the_same_program_is_one_in_cpp() {
    compile_and_run(STABLE, true);
}

#[test]
fn a_program_uses_what_is_not_stable_yet() {
    compile_and_run(UNSTABLE, false);
}

#[test]
fn bad_input_is_an_error_and_never_a_crash() {
    compile_and_run(BAD_INPUT, false);
}

#[test]
fn no_sequence_of_calls_meets_a_defect() {
    compile_and_run(CALLS, false);
}

#[test]
fn the_examples_do_what_they_say() {
    compile_and_run(REBUILD, false);
    compile_and_run(RECONSTRUCT, false);
    compile_and_run("ffi/examples/handles.cpp", true);
}

#[test]
#[ignore = "takes valgrind: the stage `valgrind` of ./test runs it"]
fn valgrind_finds_nothing() {
    for source in PROGRAMS {
        run_program(
            Command::new("valgrind")
                .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
                .args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"])
                .arg(compile(source, false, &["-g"]))
                .env("RESTRIPE_TEST_SCALE", "small")
                // Which kernel valgrind can run, the CPU that it shows tells.
                .env_remove("RESTRIPE_KERNEL"),
        );
    }
}

#[test]
fn the_sanitizers_of_the_compiler_find_nothing() {
    const SANITIZE: &str = "-fsanitize=address,undefined";
    for source in PROGRAMS {
        let program = compile(source, false, &[SANITIZE, "-fno-sanitize-recover=undefined"]);
        run_program(&mut Command::new(program));
    }
}

/// The functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = std::fs::read_to_string(Path::new(ROOT).join("include/restripe.h")).unwrap();
    let code = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/', '#']));
    code.filter_map(|line| {
        let before = line.split_once('(')?.0;
        let name = before.rsplit([' ', '*']).next()?;
        name.starts_with("restripe_").then(|| name.into())
    })
    .collect()
}

#[test]
fn the_library_exports_what_the_header_declares_and_the_list_says() {
    let library = library().join("librestripe.so");
    let exported: BTreeSet<String> =
        run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library))
            .lines()
            .map(|line| line.split(' ').next().unwrap().into())
            .collect();
    let listed = std::fs::read_to_string(Path::new(ROOT).join("include/restripe.sym")).unwrap();
    let listed: BTreeSet<String> = listed.lines().map(Into::into).collect();
    assert_eq!(exported, listed, "what is exported, and include/restripe.sym");
    assert_eq!(declared(), listed, "what include/restripe.h declares, and include/restripe.sym");
}

#[test]
fn the_library_has_the_soname_of_its_interface() {
    let library = library().join("librestripe.so");
    let dynamic = run(Command::new("readelf").arg("-d").arg(library));
    assert!(dynamic.contains("Library soname: [librestripe.so.1]"), "{dynamic}");
}
