//! Reads the assembly of the kernels: their loops must keep every vector in a register and call
//! nothing, which the compiler decides anew in every release.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::loops::{Function, Graph, functions};

/// The kernels of x86, as their modules are named in symbols: length, then name.
const LEVELS: [&str; 5] = ["11avx512_gfni", "6avx512", "9avx2_gfni", "4avx2", "5ssse3"];

/// Checks the kernels in a file of assembly, or in one made of the library as it is released.
/// Prints what was read; the error says what is wrong.
pub fn check(file: Option<&str>) -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        println!("nothing to read: the loops are checked on x86-64");
        return Ok(());
    }
    let path = match file {
        Some(path) => PathBuf::from(path),
        None => compile()?,
    };
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut read = BTreeMap::new();
    let mut faults = Vec::new();
    for function in functions(&text) {
        let Some(level) = level(function.name) else { continue };
        let (loops, wrong) = read_loops(&function);
        let (count, in_loops) = read.entry(level).or_insert((0, 0));
        *count += 1;
        *in_loops += loops;
        faults.extend(wrong.into_iter().map(|line| format!("{}: {line}", function.name)));
    }
    for level in LEVELS {
        let Some((functions, instructions)) = read.get(level).filter(|read| read.1 > 0) else {
            return Err(format!("no loop of {level} in {}", path.display()));
        };
        let name = level.trim_start_matches(|character: char| character.is_ascii_digit());
        println!("{name}: {functions} functions, {instructions} instructions in loops");
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Compiles the library to assembly, in one unit and with nothing else changed.
fn compile() -> Result<PathBuf, String> {
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let path = folder.join("kernels.s");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["rustc", "--quiet", "--release", "--package", "restripe", "--lib", "--"])
        .args(["-C", "codegen-units=1", "-C", "debuginfo=0", "--emit"])
        .arg(format!("asm={}", path.display()))
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(path) } else { Err(format!("cargo rustc: {status}")) }
}

/// The level whose entry function a symbol is.
fn level(symbol: &str) -> Option<&'static str> {
    let (_, path) = symbol.split_once("6kernel3x86")?;
    LEVELS.into_iter().find(|level| {
        let function = path.strip_prefix(level).unwrap_or_default();
        function.starts_with("8products") || function.starts_with("4sums")
    })
}

/// How many instructions stand in loops, and those of them that must not.
fn read_loops(function: &Function<'_>) -> (usize, Vec<String>) {
    let graph = Graph::new(&function.lines);
    let mut count = 0;
    let mut faults = Vec::new();
    for (_, block) in graph.blocks.iter().enumerate().filter(|(at, _)| graph.is_in_loop(*at)) {
        count += block.instructions.len();
        for instruction in &block.instructions {
            if instruction.starts_with("call") {
                faults.push(format!("a loop calls: {instruction}"));
            } else if instruction.contains("(%rsp") && instruction.contains("mm") {
                faults.push(format!("a loop has a vector on the stack: {instruction}"));
            }
        }
    }
    (count, faults)
}
