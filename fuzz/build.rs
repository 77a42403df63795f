//! The calls of the C interface, which the target `capi` and the tests share.

fn main() {
    println!("cargo::rerun-if-changed=../tests/capi");
    println!("cargo::rerun-if-changed=../include/restripe.h");
    cc::Build::new()
        .file("../tests/capi/calls.c")
        .include("../include")
        .define("RESTRIPE_FUZZER", None)
        .compile("calls");
}
