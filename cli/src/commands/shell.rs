//! What other programs ask of the command: completions, manual pages and the schema of its JSON,
//! all made from the definitions themselves.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man as Page;

use super::Done;
use crate::args::{Arguments, Completions, Man};
use crate::failure::{Failure, Result};
use crate::report::json_schema;

pub(super) fn completions(asked: &Completions) -> Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Arguments::command(), "restripe", &mut script);
    print(&script)
}

pub(super) fn schema() -> Result<Done> {
    print(json_schema().as_bytes())
}

pub(super) fn man(asked: &Man) -> Result<Done> {
    let mut command = Arguments::command();
    command.build();
    let Some(folder) = &asked.out else {
        return print(&render(&command, "restripe"));
    };
    write(folder, &command, "restripe")?;
    for subcommand in command.get_subcommands() {
        let name = format!("restripe-{}", subcommand.get_name());
        write(folder, subcommand, &name)?;
    }
    Ok(Done::silent())
}

fn render(command: &clap::Command, name: &str) -> Vec<u8> {
    let mut page = Vec::new();
    // Writing to a Vec does not fail.
    let _ = Page::new(command.clone()).title(name.to_uppercase()).render(&mut page);
    page
}

fn write(folder: &Path, command: &clap::Command, name: &str) -> Result<()> {
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, render(command, name)).map_err(|error| Failure::io("write", path, error))
}

fn print(bytes: &[u8]) -> Result<Done> {
    let mut output = std::io::stdout();
    output
        .write_all(bytes)
        .and_then(|()| output.flush())
        .map_err(|error| Failure::io("write", "standard output", error))?;
    Ok(Done::silent())
}
