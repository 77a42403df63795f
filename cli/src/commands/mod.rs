//! The commands, and what they have in common: how a run begins and ends.

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Colour, Command, Output};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{ErrorReport, Report, print_text};
use crate::{io, unfinished};

mod bench;
mod block_ec;
mod check;
mod decode;
mod encode;
mod fetch;
mod info;
mod matrix;
mod reconstruct;
mod serve;
mod shell;

/// What a command gives back.
struct Done {
    /// What to say; `None` where everything has been said.
    report: Option<Report>,
    exit: Exit,
    /// Standard output carries data: what is said goes to standard error.
    piped: bool,
}

impl Done {
    fn new(report: Report, exit: Exit) -> Self {
        Self { report: Some(report), exit, piped: false }
    }

    fn silent() -> Self {
        Self { report: None, exit: Exit::Success, piped: false }
    }
}

/// Runs the command that the process was called with, and says what came of it.
#[must_use]
pub fn run() -> ExitCode {
    unfinished::handle_signals();
    unfinished::handle_panics();
    io::raise_open_file_limit();
    let arguments = Arguments::parse();
    match arguments.output.color {
        Colour::Auto => {}
        Colour::Always => anstream::ColorChoice::Always.write_global(),
        Colour::Never => anstream::ColorChoice::Never.write_global(),
    }
    let output = &arguments.output;
    let done = match arguments.command {
        Command::Encode(asked) => encode::run(&asked, output),
        Command::Verify(asked) => check::verify(&asked, output),
        Command::Repair(asked) => check::repair(&asked, output),
        Command::Decode(asked) => decode::run(&asked, output),
        Command::Serve(asked) => serve::run(&asked, output),
        Command::Fetch(asked) => fetch::run(&asked, output),
        Command::Reconstruct(asked) => reconstruct::run(&asked, output),
        Command::Protect(asked) => block_ec::protect(&asked, output),
        Command::Status(asked) => block_ec::status(&asked),
        Command::Scrub(asked) => block_ec::scrub(&asked, output),
        Command::Heal(asked) => block_ec::heal(&asked, output),
        Command::Cat(asked) => block_ec::cat(&asked),
        Command::Unprotect(asked) => block_ec::unprotect(&asked, output),
        Command::Watch(asked) => block_ec::watch(&asked, output),
        Command::Block(asked) => block_ec::block(&asked, output),
        Command::Info(asked) => info::run(&asked),
        Command::Bench(asked) => bench::run(&asked, output),
        Command::Matrix(asked) => matrix::run(&asked),
        Command::Schema => shell::schema(),
        Command::Completions(asked) => shell::completions(&asked),
        Command::Man(asked) => shell::man(&asked),
    };
    finish(done, output).into()
}

fn finish(done: Result<Done>, output: &Output) -> Exit {
    let (report, exit, piped) = match done {
        Ok(Done { report, exit, piped }) => (report, exit, piped),
        Err(failure) => (Some(failed(&failure)), failure.exit(), false),
    };
    let Some(report) = report else { return exit };
    let failed = matches!(report, Report::Error(_));
    if output.json {
        // Nothing in a report fails to be JSON: its maps have names for keys.
        let json = serde_json::to_string_pretty(&report.with_exit(exit)).unwrap_or_default();
        if piped {
            eprintln!("{json}");
        } else {
            anstream::println!("{json}");
        }
    } else if !output.quiet || failed || matches!(report, Report::Matrix(_)) {
        print_text(&report, piped);
    }
    exit
}

fn failed(failure: &Failure) -> Report {
    Report::Error(ErrorReport::from(failure))
}
