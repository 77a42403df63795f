//! What the chores print: `./test` reads it.

use std::process::{Command, Output};

use restripe::KernelId;

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap()
}

#[test]
fn kernels_prints_names_that_the_library_takes_and_the_best_one_first() {
    let output = xtask(&["kernels"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let kernels: Vec<KernelId> =
        text.lines().map(|name| KernelId::from_name(name).unwrap()).collect();
    assert_eq!(kernels, KernelId::available().collect::<Vec<_>>());
}

#[test]
fn an_unknown_chore_is_refused_with_the_list_of_chores() {
    let output = xtask(&["sweep"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("Chores:\n  kernels"));
}
