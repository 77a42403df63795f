//! The `restripe` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    restripe_cli::run()
}
