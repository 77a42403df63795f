//! What people and scripts rely on: help, exit statuses, JSON, completions, manual pages.

mod common;

use std::fs;

use common::{Encoded, Random, edit, restripe, run, run_on};
use serde_json::Value;

const COMMANDS: [&str; 21] = [
    "encode",
    "verify",
    "repair",
    "decode",
    "serve",
    "fetch",
    "reconstruct",
    "protect",
    "status",
    "scrub",
    "heal",
    "cat",
    "unprotect",
    "watch",
    "block",
    "info",
    "bench",
    "matrix",
    "schema",
    "completions",
    "man",
];

fn encoded() -> Encoded {
    Encoded::new("RS-3-2-16k", 32 << 10, Random::new(41).bytes(150_000))
}

#[test]
fn help_teaches_and_lists_the_exit_statuses() {
    for help in [run(["--help"]).expect(0), run(["-h"]).expect(0)] {
        for status in ["0  ", "1  ", "2  ", "3  ", "4  ", "5  ", "130"] {
            assert!(help.text().contains(&format!("\n  {status}")), "{status}: {}", help.text());
        }
    }
    for command in COMMANDS {
        let help = run([command, "--help"]).expect(0).text();
        assert!(help.contains("Usage: restripe"), "{help}");
        if !["info", "schema"].contains(&command) {
            assert!(help.contains("Example"), "{help}");
        }
    }
}

#[test]
fn a_wrong_command_line_has_status_2_and_says_what_is_wrong() {
    for (arguments, expected) in [
        (vec!["encode"], "<FILE>"),
        (vec!["frobnicate"], "frobnicate"),
        (vec!["verify", "--deeep", "x"], "--deep"),
        (vec!["matrix", "--kind", "hilbert", "--data", "3", "--parity", "2"], "cauchy"),
        (vec!["decode", "--range", "5-6", "a", "b"], "START..END"),
        (vec!["verify", "--policy", "RS-3-2-64k", "x"], "--size"),
    ] {
        let refused = run(&arguments).expect(2);
        assert!(refused.stderr.contains(expected), "{arguments:?}: {}", refused.stderr);
    }
}

/// Every kind of report but those of the two commands for the network, whose suite does the same.
#[test]
fn every_json_document_fits_the_schema() {
    let check = |run: common::Run, exit: i32, command: &str| -> Value {
        let report = run.expect(exit).json();
        common::assert_fits_the_schema(&report);
        assert_eq!(report["exit_status"], exit);
        assert_eq!(report["command"], command);
        report
    };
    let encoded = encoded();
    let work = encoded.work.path();
    let (file, folder) = (work.join("file"), encoded.folder());
    let again = work.join("again");
    let report = check(run_on("encode --json --policy RS-3-2-16k", &[&file, &again]), 0, "encode");
    assert_eq!(report["folder"]["size"], 150_000);
    check(encoded.verify(), 0, "verify");
    check(encoded.run("verify --deep --json"), 0, "verify");
    fs::remove_file(encoded.block(0, 1)).unwrap();
    edit(&encoded.block(0, 2), |bytes| bytes[5] ^= 1);
    edit(&encoded.meta(0, 3), |bytes| bytes[9] ^= 1);
    edit(&encoded.block(1, 0), |bytes| bytes.truncate(9));
    edit(&encoded.block(1, 4), |bytes| bytes.extend([0; 9]));
    let report = check(encoded.verify(), 3, "verify");
    assert_eq!(report["blocks_damaged"], 5);
    check(encoded.run("repair --dry-run --json"), 3, "repair");
    check(run_on("decode --json", &[&folder, &work.join("out")]), 0, "decode");
    check(encoded.repair(), 0, "repair");
    for unit in [0, 1, 2] {
        edit(&encoded.block(0, unit), |bytes| bytes[5] ^= 1);
    }
    check(encoded.verify(), 4, "verify");
    check(encoded.repair(), 4, "repair");
    check(run_on("decode --json", &[&folder, &work.join("out2")]), 4, "error");
    check(run_on("verify --json", &[&work.join("nowhere")]), 1, "error");
    check(run(["info", "--json"]), 0, "info");
    check(run(["bench", "--json", "--quick", "--time", "1"]), 0, "bench");
    check(run_on("matrix --json --kind zfec --data 4 --parity 2", &[]), 0, "matrix");
}

#[test]
fn data_on_standard_output_is_data_alone() {
    let encoded = encoded();
    fs::remove_file(encoded.block(0, 1)).unwrap();
    for options in ["", "--json", "--quiet", "--color always"] {
        let arguments = format!("decode {options}");
        let decoded = run_on(&arguments, &[&encoded.folder(), "-".as_ref()]).expect(0);
        assert!(decoded.stdout == encoded.content, "{options}");
        let report = serde_json::from_str::<Value>(&decoded.stderr);
        assert_eq!(report.is_ok(), options == "--json", "{}", decoded.stderr);
        assert_eq!(decoded.stderr.is_empty(), options == "--quiet", "{}", decoded.stderr);
    }
}

#[test]
fn quiet_says_nothing_but_errors() {
    let encoded = encoded();
    fs::remove_file(encoded.block(0, 1)).unwrap();
    let verified = encoded.run("verify --quiet").expect(3);
    assert!(verified.stdout.is_empty() && verified.stderr.is_empty());
    let refused = run_on("verify --quiet", &[&encoded.path("nowhere")]).expect(1);
    assert!(refused.stderr.contains("nowhere"));
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    let encoded = encoded();
    let escape = |text: String| text.contains('\u{1b}');
    assert!(!escape(encoded.run("verify").expect(0).text()));
    assert!(escape(encoded.run("verify --color always").expect(0).text()));
    assert!(!escape(encoded.run("verify --color never").expect(0).text()));
}

#[test]
fn a_matrix_is_its_rows_and_nothing_else() {
    let matrix = |kind: &str, data: &str, parity: &str| {
        run(["matrix", "--kind", kind, "--data", data, "--parity", parity]).expect(0)
    };
    let cauchy = matrix("cauchy", "3", "2");
    assert_eq!((cauchy.text().as_str(), cauchy.stderr.as_str()), ("f48e01\n47a77a\n", ""));
    assert_eq!(matrix("xor", "4", "1").text(), "01010101\n");
    for kind in [
        "cauchy",
        "backblaze",
        "par1",
        "isal-vandermonde",
        "isal-vandermonde-inverted",
        "jerasure-vandermonde",
        "jerasure-r6",
        "zfec",
        "rs-legacy",
    ] {
        let rows = matrix(kind, "5", "2").text();
        assert!(rows.lines().count() == 2 && rows.lines().all(|row| row.len() == 10), "{rows}");
        let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '\n';
        assert!(rows.chars().all(digit), "{rows}");
    }
    let not_mds = matrix("par1", "6", "4");
    assert_eq!(not_mds.text().lines().count(), 4);
    assert!(not_mds.stderr.contains("not MDS"), "{}", not_mds.stderr);
    for (kind, data, parity, expected) in [
        ("cauchy", "0", "2", "0 data"),
        ("cauchy", "255", "2", "255 data"),
        ("xor", "3", "2", "2 parity"),
    ] {
        let refused = run(["matrix", "--kind", kind, "--data", data, "--parity", parity]).expect(1);
        let told = refused.stderr.contains(expected) && refused.stdout.is_empty();
        assert!(told, "{}", refused.stderr);
    }
}

#[test]
fn info_names_the_kernels_and_the_one_chosen() {
    let info = run(["info", "--json"]).expect(0).json();
    let kernels = info["kernels"].as_array().unwrap();
    assert!(kernels.contains(&"scalar".into()));
    assert!(kernels.contains(&info["kernel"]));
    assert_eq!(info["kernel_forced"], false);
    let forced =
        common::Run::of(restripe().env("RESTRIPE_KERNEL", "scalar").args(["info", "--json"]), &[]);
    let forced = forced.expect(0).json();
    assert_eq!((&forced["kernel"], &forced["kernel_forced"]), (&"scalar".into(), &true.into()));
    assert!(run(["info"]).expect(0).text().contains("chosen:"));
}

#[test]
fn bench_measures_what_is_asked_for_and_writes_a_page_that_loads_nothing() {
    let work = tempfile::tempdir().unwrap();
    let html = work.path().join("speed.html");
    let bench = |arguments: &str, paths: &[&std::path::Path]| {
        let asked = "bench --time 1 --code 4+2 --code 5+3 --code 4+2 --shard 1000 --shard 4KiB \
                     --kernel scalar";
        run_on(&format!("{asked} {arguments}"), paths)
    };
    let report = bench("--threads 2 --json --html", &[&html]).expect(0).json();
    common::assert_fits_the_schema(&report);
    let speeds = report["speeds"].as_array().unwrap();
    let row = |speed: &Value| {
        let number = |field: &str| speed[field].as_u64().unwrap();
        (speed["operation"] == "encode", number("data_units"), number("shard_bytes"))
    };
    let rows: Vec<_> = speeds.iter().map(row).collect();
    let expected = [(4, 1000), (4, 4096), (5, 1000), (5, 4096)];
    let expected = expected.map(|(k, len)| [(true, k, len), (false, k, len)]);
    assert_eq!(rows, expected.as_flattened());
    for speed in speeds {
        let [least, median, most] = ["gb_per_s_least", "gb_per_s", "gb_per_s_most"]
            .map(|field| speed[field].as_f64().unwrap());
        assert!(0.0 < least && least <= median && median <= most, "{speed}");
        assert!(speed["copy_gb_per_s"].as_f64().unwrap() > 0.0 && speed["kernel"] == "scalar");
    }
    let threads: Vec<&Value> =
        report["on_cores"].as_array().unwrap().iter().map(|speed| &speed["threads"]).collect();
    assert_eq!(threads, [1, 2, 1, 2]);
    assert!(report["copying"].as_array().unwrap().iter().any(|copy| copy["place"] == "memory"));

    let page = fs::read_to_string(&html).unwrap();
    assert!(page.contains("<svg") && page.contains("5+3") && page.contains("prefers-color-scheme"));
    for loading in ["http", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(loading), "{loading}");
    }
    let refused = bench("--html", &[&html]).expect(1);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    fs::write(&html, "old").unwrap();
    let text = bench("--force --html", &[&html]).expect(0).text();
    assert!(text.contains("5+3") && text.contains("memcpy") && text.contains("4 KiB"), "{text}");
    assert!(fs::read_to_string(&html).unwrap().starts_with("<!DOCTYPE html>"));
}

#[test]
fn bench_refuses_what_cannot_be_measured() {
    for (arguments, status, expected) in [
        ("--code 6-3", 2, "6+3"),
        ("--time 0", 2, "0"),
        ("--shard 0", 1, "--shard"),
        ("--shard 1TiB", 1, "--shard"),
        ("--kernel abacus", 1, "abacus"),
    ] {
        let refused = run_on(&format!("bench {arguments}"), &[]).expect(status);
        assert!(refused.stderr.contains(expected), "{arguments}: {}", refused.stderr);
    }
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).expect(0).text();
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn manual_pages_are_written_for_the_command_and_each_of_its_commands() {
    let page = run(["man"]).expect(0).text();
    assert!(page.contains(".TH") && page.contains("Exit status"), "{page}");
    let work = tempfile::tempdir().unwrap();
    run_on("man --out", &[work.path()]).expect(0);
    let pages = common::files(work.path());
    assert!(pages.contains_key("restripe.1"));
    for command in COMMANDS {
        assert!(pages.contains_key(&format!("restripe-{command}.1")), "{command}");
    }
}

#[test]
fn manifests_keep_what_they_do_not_know_through_a_repair() {
    let encoded = encoded();
    let manifest = encoded.path("manifest.json");
    let mut document: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    document["colour"] = "blue".into();
    // The checksum that goes with it is the library's to compute.
    let refused = {
        fs::write(&manifest, document.to_string()).unwrap();
        encoded.run("verify").expect(1)
    };
    assert!(refused.stderr.contains("damaged"), "{}", refused.stderr);
    let check = refused.stderr.split("its content has ").nth(1).unwrap();
    document["check"] = check.split_whitespace().next().unwrap().into();
    fs::write(&manifest, document.to_string()).unwrap();
    let before = fs::read(&manifest).unwrap();
    fs::remove_file(encoded.block(0, 1)).unwrap();
    encoded.run("repair").expect(0);
    assert!(fs::read(&manifest).unwrap() == before);
}
