//! Reads the assembly of the kernels: their loops must keep every vector in a register and call
//! nothing, which the compiler decides anew in every release.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

struct Function<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

/// All functions: from a label that is not a local one to the label of its end.
fn functions(text: &str) -> Vec<Function<'_>> {
    let mut functions: Vec<Function<'_>> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        let label = line.strip_suffix(':').filter(|label| !label.starts_with(char::is_whitespace));
        match label {
            Some(label) if label.starts_with(".Lfunc_end") => is_inside = false,
            Some(label) if !label.starts_with(".L") => {
                functions.push(Function { name: label, lines: Vec::new() });
                is_inside = true;
            }
            _ if is_inside => {
                let function = functions.last_mut().expect("its label came before");
                function.lines.push(line);
            }
            _ => {}
        }
    }
    functions
}

/// A run of instructions that is entered at its beginning only, and left at its end.
#[derive(Default)]
struct Block<'a> {
    label: Option<&'a str>,
    instructions: Vec<&'a str>,
    /// Labels that it may jump to.
    targets: Vec<&'a str>,
    goes_on: bool,
}

fn blocks<'a>(function: &Function<'a>) -> Vec<Block<'a>> {
    let mut blocks = vec![Block { goes_on: true, ..Block::default() }];
    for &line in &function.lines {
        if let Some(label) = line.strip_suffix(':') {
            blocks.push(Block { label: Some(label), goes_on: true, ..Block::default() });
            continue;
        }
        let instruction = line.trim();
        if instruction.is_empty() || instruction.starts_with(['.', '#']) {
            continue;
        }
        let block = blocks.last_mut().expect("there is a first one");
        block.instructions.push(instruction);
        let mnemonic = instruction.split_whitespace().next().unwrap_or_default();
        let target = instruction.split_whitespace().nth(1).filter(|name| name.starts_with(".L"));
        if mnemonic.starts_with('j') || mnemonic.starts_with("ret") || mnemonic == "ud2" {
            block.targets.extend(target);
            block.goes_on = mnemonic.starts_with('j') && mnemonic != "jmp";
            blocks.push(Block { goes_on: true, ..Block::default() });
        }
    }
    blocks
}

/// How many instructions stand in loops, and those of them that must not.
fn read_loops(function: &Function<'_>) -> (usize, Vec<String>) {
    let blocks = blocks(function);
    let next = |from: usize| -> Vec<usize> {
        let block = &blocks[from];
        let jumps = block
            .targets
            .iter()
            .filter_map(|target| blocks.iter().position(|block| block.label == Some(target)));
        let following = (block.goes_on && from + 1 < blocks.len()).then_some(from + 1);
        jumps.chain(following).collect()
    };
    let is_in_loop = |start: usize| {
        let mut seen = vec![false; blocks.len()];
        let mut waiting = next(start);
        while let Some(block) = waiting.pop() {
            if !std::mem::replace(&mut seen[block], true) {
                waiting.extend(next(block));
            }
        }
        seen[start]
    };
    let mut count = 0;
    let mut faults = Vec::new();
    for (_, block) in blocks.iter().enumerate().filter(|(index, _)| is_in_loop(*index)) {
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
