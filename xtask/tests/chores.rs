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

/// One function for every level that the chore looks for, with a loop of these instructions.
fn assembly(instructions: &str) -> String {
    ["11avx512_gfni", "6avx512", "9avx2_gfni", "4avx2", "5ssse3"]
        .map(|level| {
            format!(
                "_ZN8restripe6kernel3x86{level}8products17h0E:\n\tpushq\t%rbx\n\tmovdqa\t%xmm1, (%rsp)\n\
                 .LBB0_1:\n{instructions}\tjne\t.LBB0_1\n\tcallq\tlast\n\tretq\n.Lfunc_end0:\n"
            )
        })
        .concat()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn assembly_finds_what_must_not_stand_in_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernels.s");
    let run = |instructions: &str| {
        std::fs::write(&file, assembly(instructions)).unwrap();
        xtask(&["assembly", file.to_str().unwrap()])
    };
    // Outside of the loop both are allowed; in it a pointer may come from the stack.
    let right = run("\tmovq\t8(%rsp), %rax\n\tpshufb\t%xmm1, %xmm2\n");
    assert!(right.status.success(), "{right:?}");
    for (wrong, reason) in [
        ("\tvmovdqu64\t%zmm0, 64(%rsp)\n", "a vector on the stack"),
        ("\tpxor\t16(%rsp,%rax), %xmm3\n", "a vector on the stack"),
        ("\tcallq\t_ZN4core9panickingE\n", "a loop calls"),
        ("\tje\t.LBB0_2\n.LBB0_2:\n\tcallq\t*%rax\n", "a loop calls"),
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(reason) && message.contains("11avx512_gfni"), "{message}");
    }
    std::fs::write(&file, "main:\n\tretq\n.Lfunc_end0:\n").unwrap();
    assert_eq!(xtask(&["assembly", file.to_str().unwrap()]).status.code(), Some(1));
}

/// A shared library of a function for every module of kernels, each with an instruction of AVX2, and of
/// another function.
#[cfg(target_arch = "x86_64")]
fn library(folder: &std::path::Path, name: &str, instructions: &str) -> std::path::PathBuf {
    let mut source = format!("{name}:\n{instructions}\tret\n");
    for module in [
        "6kernel3x865ssse3",
        "6kernel3x864avx2",
        "6kernel3x869avx2_gfni",
        "6kernel3x866avx512",
        "6kernel3x8611avx512_gfni",
        "8checksum6kernel6x86_6410one_buffer",
        "8checksum6kernel6x86_646pclmul",
        "8checksum6kernel6x86_6410vpclmul256",
        "8checksum6kernel6x86_6410vpclmul512",
    ] {
        source += &format!("_ZN8restripe{module}6kernelE:\n\tvpxor\t%ymm0, %ymm1, %ymm2\n\tret\n");
    }
    std::fs::write(folder.join("library.s"), source).unwrap();
    let library = folder.join("library.so");
    let made = Command::new("cc")
        .args(["-shared", "-nostdlib", "-o"])
        .args([&library, &folder.join("library.s")])
        .status()
        .unwrap();
    assert!(made.success());
    library
}

#[cfg(target_arch = "x86_64")]
#[test]
fn baseline_finds_newer_instructions_outside_the_kernels() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, instructions: &str| {
        let library = library(folder.path(), name, instructions);
        xtask(&["baseline", library.to_str().unwrap()])
    };
    let old =
        "\tpxor\t%xmm1, %xmm2\n\trep bsfq\t%rax, %rcx\n\tmovq\t8(%rip), %rax\n\tcall\tplain@PLT\n";
    let right = run("plain", old);
    assert!(right.status.success(), "{right:?}");
    for (name, instruction) in [
        ("plain", "pshufb\t%xmm1, %xmm2"),
        ("plain", "popcntq\t%rax, %rcx"),
        ("plain", "vpxor\t%xmm0, %xmm1, %xmm2"),
        ("plain", "crc32q\t%rax, %rcx"),
        ("plain", "xgetbv"),
        // It is asked before the CPU is known to have it.
        ("_ZN8restripe8checksum6kernel6x86_6410vpclmul5125tableE", "mulxq\t%rax, %rcx, %rdx"),
        // What only begins as the name of a kernel's module.
        ("_ZN8restripe6kernel3x868avx2_old1fE", "vpxor\t%xmm0, %xmm1, %xmm2"),
    ] {
        let output = run(name, &format!("\t{instruction}\n"));
        assert_eq!(output.status.code(), Some(1), "{instruction}");
        let message = String::from_utf8(output.stderr).unwrap();
        let mnemonic = instruction.split('\t').next().unwrap().trim_end_matches('q');
        assert!(message.contains(mnemonic), "{message}");
    }
    std::fs::write(folder.path().join("empty.s"), "plain:\n\tret\n").unwrap();
    let empty = folder.path().join("empty.so");
    let made = Command::new("cc")
        .args(["-shared", "-nostdlib", "-o"])
        .args([&empty, &folder.path().join("empty.s")])
        .status()
        .unwrap();
    assert!(made.success());
    let output = xtask(&["baseline", empty.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "without kernels nothing is shown");
}

#[test]
fn packages_hold_what_their_users_need() {
    let output = xtask(&["packages"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_unknown_chore_is_refused_with_the_list_of_chores() {
    let output = xtask(&["sweep"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("Chores:\n  assembly"));
}
