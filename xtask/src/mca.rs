//! Cycles of the loops for 64-bit Arm by llvm-mca's models of three CPUs, beside those of ISA-L's loops
//! for the same jobs.
//!
//! A model knows execution units and latencies, and no caches: it compares loops and tells no speed. What
//! it is given is the way that a long call takes through a loop: with ISA-L's inner loop over inputs
//! as often as there are inputs, as restripe has them one after the other.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::loops::{Function, Graph, functions};

/// Figures differ from version to version.
const ASSEMBLER: &str = "llvm-mc-19";
const ANALYZER: &str = "llvm-mca-19";

const TARGET: [&str; 2] = ["-triple=aarch64", "-mattr=+crc,+aes,+sha3,+sve,+sve2"];

/// How often a loop is gone through.
const ITERATIONS: usize = 100;

/// A CPU, and what runs on it.
struct Cpu {
    name: &'static str,
    vector_bytes: usize,
    kernel: &'static str,
    /// Of restripe: how the symbols of products and of plain sums begin.
    products: &'static str,
    sums: &'static str,
    /// Of ISA-L: how the names of products end.
    isal: &'static str,
    /// How those of CRC-32 and CRC-32C end, and of how many bytes in a loop.
    isal_crc: (&'static str, usize),
}

const CPUS: [Cpu; 3] = [
    Cpu {
        name: "neoverse-n1",
        vector_bytes: 16,
        kernel: "neon",
        products: "4neon8products",
        sums: "4neon4sums",
        isal: "neon",
        isal_crc: ("crc_ext", 64),
    },
    Cpu {
        name: "neoverse-v1",
        vector_bytes: 32,
        kernel: "sve",
        products: "3sve8products",
        sums: "3sve4sums",
        isal: "sve",
        isal_crc: ("3crc_fold", 1024),
    },
    Cpu {
        name: "neoverse-v2",
        vector_bytes: 16,
        kernel: "sve2",
        products: "3sve18products_with_eor3",
        sums: "4neon4sums",
        isal: "sve",
        isal_crc: ("3crc_fold", 1024),
    },
];

/// Inputs and outputs of products, inputs of plain sums, and outputs that one input is added to.
const PRODUCTS: [(usize, usize); 8] =
    [(6, 1), (6, 2), (6, 3), (10, 1), (10, 2), (10, 4), (12, 4), (12, 5)];
const SUMS: [usize; 3] = [2, 6, 10];
const ADDED: [usize; 4] = [1, 2, 3, 4];

/// Of a turn of restripe's loop over blocks: a block of 512 bytes is folded, and meanwhile a quarter of
/// each of two others goes through the instruction.
const CRC_BYTES: usize = 512 + 2 * 128;

/// More than this many times ISA-L's cycles are an error.
const LIMIT: f64 = 1.1;

/// Prints a table of cycles per 64 bytes of an input and output. The assembly of restripe is that in
/// the file, or is made.
pub fn print(file: Option<&str>) -> Result<(), String> {
    let path = match file {
        Some(path) => PathBuf::from(path),
        None => compile()?,
    };
    let text =
        assembled(&fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?)?;
    let functions = functions(&text);
    let isal = Isal::find()?;
    let mut slower = Vec::new();
    println!("| CPU | kernel | job | restripe | ISA-L | ratio |");
    println!("|---|---|---|---|---|---|");
    for cpu in &CPUS {
        let mut row = |job: &str, ours: &Trace, theirs: &Trace| -> Result<(), String> {
            let [ours, theirs] = [ours.cycles(cpu)?, theirs.cycles(cpu)?];
            let (name, kernel, ratio) = (cpu.name, cpu.kernel, ours / theirs);
            println!("| {name} | {kernel} | {job} | {ours:.2} | {theirs:.2} | {ratio:.2} |");
            if ratio > LIMIT {
                slower.push(format!("{name}, {job}: {ratio:.2} times the cycles of ISA-L"));
            }
            Ok(())
        };
        for (inputs, outputs) in PRODUCTS {
            let symbol = products(inputs, outputs, cpu);
            let ours = Trace::new(&lines(&functions, &symbol)?, "tbl", 1, Way::Short)?;
            let text = isal.text(&["erasure_code", &vectors(outputs, "dot_prod", cpu)])?;
            let theirs = Trace::new(&text.lines().collect::<Vec<_>>(), "tbl", inputs, Way::Short)?;
            let of_products = |trace: Trace| trace.of_products(inputs, outputs, cpu);
            let job = format!("{inputs} inputs, {outputs} outputs");
            row(&job, &of_products(ours)?, &of_products(theirs)?)?;
        }
        for outputs in ADDED {
            let symbol = products(1, outputs, cpu);
            let ours = Trace::new(&lines(&functions, &symbol)?, "tbl", 1, Way::Long)?;
            let text = isal.text(&["erasure_code", &vectors(outputs, "mad", cpu)])?;
            let theirs = Trace::new(&text.lines().collect::<Vec<_>>(), "tbl", 1, Way::Short)?;
            let of_products = |trace: Trace| trace.of_products(1, outputs, cpu);
            let job = format!("1 input added to {outputs} outputs");
            row(&job, &of_products(ours)?, &of_products(theirs)?)?;
        }
        for inputs in SUMS {
            let symbol = format!("6kernel{}Kj{inputs:x}_", cpu.sums);
            let ours = Trace::new(&lines(&functions, &symbol)?, "eor", 1, Way::Short)?;
            let text = isal.text(&["raid", "xor_gen_neon"])?;
            let theirs =
                Trace::new(&text.lines().collect::<Vec<_>>(), "eor", inputs - 1, Way::Short)?;
            let of_sums = |trace: Trace| trace.per_byte_of(|bytes| bytes * inputs, cpu);
            row(&format!("sum of {inputs} inputs"), &of_sums(ours), &of_sums(theirs))?;
        }
        for (kind, module, prefix) in
            [("CRC-32", "5crc32", "crc32_gzip_refl"), ("CRC-32C", "6crc32c", "crc32_iscsi")]
        {
            let symbol = format!("7aarch64{module}6blocks");
            let mut ours = Trace::new(&lines(&functions, &symbol)?, "crc32", 3, Way::Short)?;
            ours.bytes = CRC_BYTES;
            let (ending, bytes) = cpu.isal_crc;
            let text = isal.text(&["crc", &format!("{prefix}_{ending}")])?;
            let mut theirs = Trace::new(&text.lines().collect::<Vec<_>>(), "crc32", 1, Way::Short)?;
            theirs.bytes = bytes;
            row(&format!("{kind} of blocks"), &ours, &theirs)?;
        }
    }
    if slower.is_empty() { Ok(()) } else { Err(slower.join("\n")) }
}

/// What the symbol of restripe's products has in it; a number that it has already is referred to.
fn products(inputs: usize, outputs: usize, cpu: &Cpu) -> String {
    let outputs = if outputs == inputs { "B".into() } else { format!("j{outputs:x}_") };
    format!("6kernel{}Kj{inputs:x}_K{outputs}", cpu.products)
}

/// The name of ISA-L's products with so many outputs.
fn vectors(outputs: usize, job: &str, cpu: &Cpu) -> String {
    let count = if outputs == 1 { String::new() } else { outputs.to_string() };
    format!("gf_{count}vect_{job}_{}", cpu.isal)
}

/// The lines of the one function that has this in its name.
fn lines<'a>(functions: &'a [Function<'a>], symbol: &str) -> Result<Vec<&'a str>, String> {
    let mut found = functions.iter().filter(|function| function.name.contains(symbol));
    match (found.next(), found.next()) {
        (Some(function), None) => Ok(function.lines.clone()),
        (None, _) => Err(format!("no function {symbol}")),
        _ => Err(format!("several functions {symbol}")),
    }
}

/// Which of several ways through a loop: without adding to what outputs hold, or with it.
enum Way {
    Short,
    Long,
}

/// The instructions of a turn of a loop.
struct Trace {
    instructions: Vec<String>,
    /// Bytes of inputs, times outputs.
    bytes: usize,
}

impl Trace {
    /// The loop around the block with the most instructions of a kind; where that block is a loop by
    /// itself within another, it comes `repeated` times.
    fn new(lines: &[&str], mnemonic: &str, repeated: usize, way: Way) -> Result<Self, String> {
        let graph = Graph::new(lines);
        // Of several that have as many, the first: what comes later adds to what outputs hold.
        let inner = (0..graph.blocks.len())
            .rev()
            .max_by_key(|&block| (graph.blocks[block].count(mnemonic), graph.is_loop(block)))
            .filter(|&block| graph.is_in_loop(block))
            .ok_or_else(|| format!("no loop with {mnemonic}"))?;
        let mut cycles = graph.cycles(inner);
        if cycles.iter().any(|cycle| cycle.len() > 1) {
            cycles.retain(|cycle| cycle.len() > 1);
        }
        let len = |cycle: &Vec<usize>| -> usize {
            cycle.iter().map(|&block| graph.blocks[block].instructions.len()).sum()
        };
        let cycle = match way {
            Way::Short => cycles.into_iter().min_by_key(len),
            Way::Long => cycles.into_iter().max_by_key(len),
        };
        let cycle = cycle.expect("it is in a loop");
        let times = if graph.is_loop(inner) { repeated } else { 1 };
        let blocks = std::iter::repeat_n(inner, times).chain(cycle.into_iter().skip(1));
        let instructions: Vec<String> = blocks
            .flat_map(|block| &graph.blocks[block].instructions)
            .map(ToString::to_string)
            .collect();
        let is_fault = |instruction: &&String| {
            instruction.starts_with("bl")
                || instruction.contains("[sp") && instruction.contains("q")
        };
        match instructions.iter().find(is_fault) {
            Some(fault) => Err(format!("a loop calls, or has a vector on the stack: {fault}")),
            None => Ok(Self { instructions, bytes: 0 }),
        }
    }

    /// Bytes that it stores in vectors.
    fn stored(&self, cpu: &Cpu) -> usize {
        let stored = |instruction: &String| {
            let (mnemonic, operands) = instruction.split_once(char::is_whitespace)?;
            match (mnemonic, operands.trim_start().as_bytes().first()?) {
                ("st1b", _) | ("str", b'z') => Some(cpu.vector_bytes),
                ("str" | "stur", b'q') => Some(16),
                ("stp", b'q') => Some(32),
                ("st1", _) => Some(16 * operands.matches(".16b").count()),
                _ => None,
            }
        };
        self.instructions.iter().filter_map(stored).sum()
    }

    fn per_byte_of(mut self, work: impl Fn(usize) -> usize, cpu: &Cpu) -> Self {
        self.bytes = work(self.stored(cpu));
        self
    }

    /// That of products, which must be as many as the shape has.
    fn of_products(self, inputs: usize, outputs: usize, cpu: &Cpu) -> Result<Self, String> {
        let is_look_up = |instruction: &&String| instruction.starts_with("tbl");
        let look_ups = self.instructions.iter().filter(is_look_up).count();
        let trace = self.per_byte_of(|bytes| bytes * inputs, cpu);
        match trace.bytes == look_ups / 2 * cpu.vector_bytes {
            true => Ok(trace),
            false => Err(format!(
                "{inputs} inputs, {outputs} outputs: {look_ups} look-ups for {} bytes",
                trace.bytes
            )),
        }
    }

    /// Cycles per 64 bytes.
    fn cycles(&self, cpu: &Cpu) -> Result<f64, String> {
        let (iterations, name) =
            (format!("-iterations={ITERATIONS}"), format!("-mcpu={}", cpu.name));
        let mut command = Command::new(ANALYZER);
        command.args(["-mtriple=aarch64", TARGET[1], &name, &iterations]);
        command.args(["-instruction-info=false", "-resource-pressure=false"]);
        let report = output(&mut command, self.instructions.join("\n").as_bytes())?;
        let cycles = report.lines().find_map(|line| line.strip_prefix("Total Cycles:"));
        let cycles: f64 = cycles
            .and_then(|cycles| cycles.trim().parse().ok())
            .ok_or_else(|| format!("{ANALYZER} says no cycles: {report}"))?;
        Ok(cycles * 64.0 / (ITERATIONS * self.bytes) as f64)
    }
}

/// The sources of ISA-L, which the crate isal-sys brings.
struct Isal(PathBuf);

impl Isal {
    fn find() -> Result<Self, String> {
        let mut command = Command::new(cargo());
        command.args(["metadata", "--format-version=1", "--locked", "--all-features"]);
        let metadata: serde_json::Value =
            serde_json::from_str(&output(&mut command, b"")?).map_err(|error| error.to_string())?;
        let packages = metadata["packages"].as_array().into_iter().flatten();
        packages
            .filter(|package| package["name"] == "isal-sys")
            .find_map(|package| package["manifest_path"].as_str())
            .map(|manifest| Self(Path::new(manifest).with_file_name("isa-l")))
            .ok_or_else(|| "cargo knows no package isal-sys".into())
    }

    /// A file of assembly for 64-bit Arm, assembled.
    fn text(&self, [folder, name]: &[&str; 2]) -> Result<String, String> {
        let file = self.0.join(folder).join("aarch64").join(name).with_extension("S");
        let mut command = Command::new("cc");
        command.args(["-E", "-P", "-x", "assembler-with-cpp", "-I"]).arg(self.0.join("include"));
        assembled(output(command.arg(file), b"")?.as_bytes())
    }
}

/// Compiles the library for 64-bit Arm to assembly, in one unit, with types in the names of functions.
fn compile() -> Result<PathBuf, String> {
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let path = folder.join("aarch64.s");
    let mut command = Command::new(cargo());
    command
        .args(["rustc", "--quiet", "--release", "--package", "restripe", "--lib"])
        .args(["--target=aarch64-unknown-linux-gnu", "--", "-C", "symbol-mangling-version=v0"])
        .args(["-C", "codegen-units=1", "-C", "debuginfo=0", "--emit"])
        .arg(format!("asm={}", path.display()));
    output(&mut command, b"")?;
    Ok(path)
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Assembly with all directives and names of registers resolved.
fn assembled(text: &[u8]) -> Result<String, String> {
    output(Command::new(ASSEMBLER).args(TARGET), text)
}

/// What a command prints when it is given that to read.
fn output(command: &mut Command, input: &[u8]) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let mut run = || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        // What is printed has to be read meanwhile.
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output()
        })
    };
    let output = run().map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|error| format!("{name}: {error}")),
        false => Err(format!("{name}: {}", output.status)),
    }
}
