//! Reads the machine code of the library: no function but those that kernels are chosen for may hold
//! an instruction that x86-64 did not have from the beginning, or the library dies on CPUs without.
//!
//! What is newer is the assembler's answer: it is told to take the oldest instructions only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Modules whose functions run where the CPU has been asked, and those of their functions that do
/// not and so are held to the rule.
const KERNELS: [(&str, &[&str]); 9] = [
    ("restripe::kernel::x86::ssse3::", &[]),
    ("restripe::kernel::x86::avx2::", &[]),
    ("restripe::kernel::x86::avx2_gfni::", &[]),
    ("restripe::kernel::x86::avx512::", &[]),
    ("restripe::kernel::x86::avx512_gfni::", &[]),
    ("restripe::checksum::kernel::x86_64::one_buffer::", &[]),
    ("restripe::checksum::kernel::x86_64::pclmul::", &[]),
    ("restripe::checksum::kernel::x86_64::vpclmul256::", &[]),
    ("restripe::checksum::kernel::x86_64::vpclmul512::", &["table"]),
];

/// Instructions that are no fault though the assembler refuses them, and where: everywhere for "".
const ALLOWED: [(&str, &str); 3] = [
    // The bytes of `rep bsf`, which compilers write because older CPUs take them for `bsf`.
    ("tzcnt", ""),
    // For older CPUs it does nothing.
    ("endbr64", ""),
    // The standard library asks the CPU for it before.
    ("xgetbv", "core::core_arch::x86::xsave::_xgetbv"),
];

/// Checks a shared library, or one made of the engine with its C interface as it is released.
/// Prints what was read; the error says what is wrong.
pub fn check(file: Option<&str>) -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        println!("nothing to read: the baseline is that of x86-64");
        return Ok(());
    }
    let library = file.map_or_else(compile, |path| Ok(PathBuf::from(path)))?;
    let text = disassembly(&library)?;
    let mut functions = 0;
    let mut kernels = BTreeMap::new();
    let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut function = "";
    for line in text.lines() {
        if let Some(name) = function_of(line) {
            function = name;
            match kernel(name) {
                Some(module) => *kernels.entry(module).or_insert(0) += 1,
                None => functions += 1,
            }
        } else if let Some(instruction) = instruction_of(line) {
            places.entry(instruction).or_default().insert(function);
        }
    }
    let instructions: Vec<&str> = places.keys().copied().collect();
    let mut faults = Vec::new();
    let mut newer: BTreeMap<&str, usize> = BTreeMap::new();
    for (instruction, reason) in refused(&instructions)? {
        let mnemonic = instruction.split_whitespace().next().unwrap_or_default();
        for function in &places[instruction] {
            if let Some(module) = kernel(function) {
                *newer.entry(module).or_default() += 1;
            } else if !ALLOWED.iter().any(|(name, place)| {
                *name == mnemonic && function.trim_start_matches('<').starts_with(place)
            }) {
                faults.push(format!("{function}: {instruction}: {reason}"));
            }
        }
    }
    println!("{functions} functions outside kernels, {} instructions", instructions.len());
    for (module, _) in KERNELS {
        // A check that finds nothing newer in a kernel reads something else than it believes.
        let (Some(count), Some(newer)) = (kernels.get(module), newer.get(module)) else {
            return Err(format!("no kernel of {module} in {}", library.display()));
        };
        println!("{}: {count} functions, {newer} newer", module.trim_end_matches("::"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The module of a kernel that a function is of.
fn kernel(function: &str) -> Option<&'static str> {
    KERNELS.into_iter().find_map(|(module, plain)| {
        let name = function.strip_prefix(module)?;
        let name = name.split("::").next().unwrap_or_default();
        (!plain.contains(&name)).then_some(module)
    })
}

/// Makes librestripe.so as the README does.
fn compile() -> Result<PathBuf, String> {
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["rustc", "--quiet", "--release", "--package", "restripe", "--lib"])
        .args(["--features", "capi", "--crate-type", "cdylib"])
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("cargo rustc: {status}"));
    }
    Ok(folder.join("release/librestripe.so"))
}

fn disassembly(library: &Path) -> Result<String, String> {
    let output = Command::new("objdump")
        .args(["--disassemble", "--demangle", "--no-show-raw-insn", "--wide"])
        .arg(library)
        .output()
        .map_err(|error| format!("objdump: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| format!("objdump: {error}"))
}

/// The name in a line such as `0000000000001139 <main>:`.
fn function_of(line: &str) -> Option<&str> {
    let (address, name) = line.strip_suffix(">:")?.split_once(" <")?;
    address.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(name)
}

/// What stands in a line such as `  113d:\tmov    %rsp,%rbp`; jumps and calls to an address, whose
/// operand is no assembler's language, are left out.
fn instruction_of(line: &str) -> Option<&str> {
    let (address, instruction) = line.strip_prefix(' ')?.split_once(":\t")?;
    address.trim().bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
    // Between functions stand long instructions that do nothing; nobody writes them by hand.
    let instruction = instruction.trim_start_matches("data16 ");
    let instruction = instruction.split(['#', '<']).next().unwrap_or_default().trim();
    let goes = instruction
        .split_whitespace()
        .any(|word| word.starts_with('j') || word.starts_with("call") || word.starts_with("loop"));
    (!instruction.is_empty() && (!goes || instruction.contains('*'))).then_some(instruction)
}

/// Those of the instructions that the assembler does not take for the first CPUs of x86-64, which
/// have SSE2, and why.
fn refused<'a>(instructions: &[&'a str]) -> Result<Vec<(&'a str, String)>, String> {
    let failed = |error| format!("as: {error}");
    let mut source = tempfile::NamedTempFile::new().map_err(failed)?;
    source.write_all(instructions.join("\n").as_bytes()).map_err(failed)?;
    source.write_all(b"\n").map_err(failed)?;
    let output = Command::new("as")
        .args(["--64", "-march=generic64", "-o", "/dev/null"])
        .arg(source.path())
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .output()
        .map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut refused = Vec::new();
    for line in text.lines() {
        let Some((place, reason)) = line.split_once(": Error: ") else { continue };
        let number = place.rsplit(':').next().and_then(|number| number.parse::<usize>().ok());
        let instruction = number.and_then(|number| instructions.get(number.checked_sub(1)?));
        let instruction = instruction.ok_or_else(|| format!("as: {line}"))?;
        refused.push((*instruction, reason.to_owned()));
    }
    if refused.is_empty() && !output.status.success() {
        return Err(format!("as: {text}"));
    }
    Ok(refused)
}
