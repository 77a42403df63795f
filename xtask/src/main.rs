//! Chores of the project that need the library itself: `cargo xtask CHORE`.

mod assembly;
mod baseline;
mod header;
mod loops;
mod mca;
mod packages;

use std::env;
use std::process::ExitCode;

use restripe::KernelId;

const HELP: &str = "\
Usage: cargo xtask CHORE

Chores:
  assembly [FILE]
           read the loops of the kernels in assembly, compiled for it or in FILE: no vector on the
           stack, no call
  baseline [LIBRARY]
           read the machine code of librestripe.so, made for it or given: no instruction outside the
           kernels that the first CPUs of x86-64 lack
  header [--check]
           write include/restripe.h, or only say whether it is as it should be
  mca [FILE]
           print how many cycles the loops for 64-bit Arm take on models of three CPUs, beside those
           of ISA-L; compiled for it, or in FILE
  kernels  print the names of the kernels that this CPU can run, best first, one a line
  packages say whether the crates that are published hold what they must, and nothing else
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["kernels"] => {
            for kernel in KernelId::available() {
                println!("{kernel}");
            }
            ExitCode::SUCCESS
        }
        ["assembly"] => done(assembly::check(None)),
        ["assembly", file] => done(assembly::check(Some(file))),
        ["baseline"] => done(baseline::check(None)),
        ["baseline", library] => done(baseline::check(Some(library))),
        ["mca"] => done(mca::print(None)),
        ["mca", file] => done(mca::print(Some(file))),
        ["header"] => done(header::header(false)),
        ["header", "--check"] => done(header::header(true)),
        ["packages"] => done(packages::check()),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn done<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
