//! Chores of the project that need the library itself: `cargo xtask CHORE`.

use std::env;
use std::process::ExitCode;

use restripe::KernelId;

const HELP: &str = "\
Usage: cargo xtask CHORE

Chores:
  kernels  print the names of the kernels that this CPU can run, best first, one a line
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
