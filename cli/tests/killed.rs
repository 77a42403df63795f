//! Killed at any moment, by any signal: the next run finishes the work, and nothing that was good
//! has been lost in between.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Encoded, Files, Random, edit, files, full_scale, oracle, restripe, run_on};

fn kills() -> u64 {
    if full_scale() { 1000 } else { 100 }
}

fn begin(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs until a random moment within the time that a whole run takes, and a little beyond.
fn killed_at_random(command: &mut Command, random: &mut Random, whole: Duration) -> bool {
    let mut child = begin(command);
    let micros = whole.as_micros() as u64 * 6 / 5 + 1;
    std::thread::sleep(Duration::from_micros(random.below(micros)));
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

fn time(mut run: impl FnMut()) -> Duration {
    run();
    let start = Instant::now();
    run();
    start.elapsed()
}

#[test]
fn an_encode_killed_at_any_moment_is_finished_by_the_next() {
    let encoded = Encoded::new("RS-3-2-16k", 64 << 10, Random::new(21).bytes(1_500_000));
    let file = encoded.work.path().join("file");
    let folder = encoded.work.path().join("again");
    let encode = || {
        let mut command = restripe();
        command.args(["encode", "--policy", "RS-3-2-16k", "--block-size", "64k"]);
        command.arg(&file).arg(&folder);
        command
    };
    let whole = time(|| {
        let _ = fs::remove_dir_all(&folder);
        begin(&mut encode()).wait().unwrap();
    });
    let mut random = Random::new(22);
    let (mut killed, mut unfinished) = (0, 0);
    for round in 0..kills() {
        if round % 4 == 0 {
            let _ = fs::remove_dir_all(&folder);
        }
        killed += u64::from(killed_at_random(&mut encode(), &mut random, whole));
        let manifest = folder.join("manifest.json");
        if manifest.exists() {
            // Finished: then it is whole, whenever the kill came.
            assert!(files(&folder) == encoded.pristine, "round {round}");
            let _ = fs::remove_dir_all(&folder);
        } else if folder.exists() {
            unfinished += 1;
            let refused = run_on("verify", &[&folder]).expect(1);
            let nothing = fs::read_dir(&folder).unwrap().next().is_none();
            let said = refused.stderr.contains("not finished");
            assert!(said || nothing, "round {round}: {}", refused.stderr);
        }
    }
    assert!(killed > kills() / 4 && unfinished > 0, "{killed} killed, {unfinished} unfinished");
    let _ = fs::remove_file(folder.join("manifest.json"));
    let output = encode().output().unwrap();
    let finished = output.status.success() || files(&folder).contains_key("manifest.json");
    assert!(finished, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files(&folder) == encoded.pristine);
}

/// Damage in many places, some of it in every unit, and all of it repairable.
fn damage(encoded: &Encoded, random: &mut Random) -> Files {
    encoded.reset();
    for group in 0..3 {
        fs::remove_file(encoded.block(group, random.below(5) as usize)).unwrap();
        for unit in 0..5 {
            // Each unit in columns of its own, so that no stripe loses more than one to it.
            let column = unit as u64 * 10 + random.below(10);
            if encoded.block(group, unit).exists() && random.below(3) > 0 {
                edit(&encoded.block(group, unit), |bytes| bytes[column as usize * 512] ^= 1);
            }
            if random.below(4) == 0 {
                edit(&encoded.meta(group, unit), |bytes| bytes[7 + column as usize * 4] ^= 1);
            }
        }
    }
    files(&encoded.folder())
}

#[test]
fn a_repair_killed_at_any_moment_is_finished_by_the_next() {
    let encoded = Encoded::new("RS-3-2-16k", 64 << 10, Random::new(23).bytes(500_000));
    let repair = || {
        let mut command = restripe();
        command.arg("repair").arg(encoded.folder());
        command
    };
    let mut random = Random::new(24);
    let whole = time(|| {
        damage(&encoded, &mut Random::new(1));
        begin(&mut repair()).wait().unwrap();
    });
    let mut killed = 0;
    for round in 0..kills() {
        let damaged = damage(&encoded, &mut random);
        // Killed up to three times on the way to the end.
        for _ in 0..1 + random.below(3) {
            killed += u64::from(killed_at_random(&mut repair(), &mut random, whole));
            never_worse(&encoded, &damaged);
        }
        let (decoded, bytes) = encoded.decode();
        decoded.expect(0);
        assert!(bytes.as_ref() == Some(&encoded.content), "round {round}");
        encoded.repair().expect(0);
        encoded.is_pristine();
    }
    assert!(killed > kills() / 4, "{killed} killed");
}

/// Every file is as it was or as it should be; what is half-written has another name.
fn never_worse(encoded: &Encoded, damaged: &Files) {
    for (name, bytes) in files(&encoded.folder()) {
        let known =
            damaged.get(&name) == Some(&bytes) || encoded.pristine.get(&name) == Some(&bytes);
        assert!(known || name.ends_with(".restripe-part"), "{name} is neither old nor right");
    }
    for name in damaged.keys() {
        assert!(encoded.path(name).exists(), "{name} is gone");
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(name).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "no {what} in 30 seconds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A command that reads a pipe into which nothing more comes.
fn encode_waiting(folder: &Path) -> Child {
    let mut command = restripe();
    command.args(["encode", "--policy", "RS-3-2-16k", "-"]).arg(folder);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    use std::io::Write as _;
    child.stdin.as_mut().unwrap().write_all(&[7; 6_000_000]).unwrap();
    child
}

#[test]
fn ctrl_c_removes_what_is_unfinished_and_says_so() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("blocks");
        let child = encode_waiting(&folder);
        wait_for("block", || folder.join(oracle::block_name(0, 0)).exists());
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("removed"), "{name}");
        assert!(!folder.exists(), "{name}");
    }
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("blocks");
    let mut first = encode_waiting(&folder);
    wait_for("block", || folder.join(oracle::block_name(0, 0)).exists());
    let file = work.path().join("file");
    fs::write(&file, "x").unwrap();
    let second = run_on("encode", &[&file, &folder]).expect(1);
    assert!(second.stderr.contains("another restripe"), "{}", second.stderr);
    let repair = run_on("repair --policy RS-3-2-16k --size 6000000", &[&folder]).expect(1);
    assert!(repair.stderr.contains("another restripe"), "{}", repair.stderr);
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    run_on("verify", &[&folder]).expect(0);
}

#[test]
fn a_reader_that_goes_away_ends_the_decode_with_a_sentence() {
    let encoded = Encoded::new("RS-3-2-16k", 64 << 10, Random::new(25).bytes(2_000_000));
    let mut command = restripe();
    command.arg("decode").arg(encoded.folder()).arg("-");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write"));
}
