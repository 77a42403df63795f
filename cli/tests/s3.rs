//! Objects on a server that speaks S3 (moto's, on this machine): the commands, end to end.

#![cfg(unix)]

mod common;
#[path = "../../block-ec/tests/common/moto.rs"]
mod moto;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Random, Run, restripe, skip};
use moto::Moto;
use serde_json::Value;

/// A server, and where the command keeps metastores.
struct S3 {
    moto: Moto,
    home: tempfile::TempDir,
}

impl S3 {
    fn start(test: &str) -> Option<Self> {
        let moto = Moto::start(|why| skip(test, why))?;
        Some(Self { moto, home: tempfile::tempdir().unwrap() })
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        self.moto.request(method, path, body)
    }

    fn command(&self) -> Command {
        let mut command = restripe();
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.moto.port))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "somebody")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("XDG_DATA_HOME", self.home.path());
        command
    }

    fn run(&self, arguments: &str) -> Run {
        Run::of(self.command().args(arguments.split_whitespace()), &[])
    }

    #[track_caller]
    fn document(&self, arguments: &str, exit: i32) -> Value {
        let report = self.run(&format!("{arguments} --json")).expect(exit).json();
        common::assert_fits_the_schema(&report);
        report
    }

    fn parity_objects(&self) -> Vec<String> {
        let list = self.request("GET", "photos?list-type=2&prefix=2024/.restripe/", &[]);
        let list = String::from_utf8_lossy(&list).into_owned();
        let keys = list.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap());
        keys.map(str::to_owned).collect()
    }
}

#[test]
fn objects_are_protected_read_when_gone_and_their_parity_is_healed() {
    let test = "objects_are_protected_read_when_gone_and_their_parity_is_healed";
    let Some(s3) = S3::start(test) else { return };
    s3.request("PUT", "photos", &[]);
    let mut random = Random::new(77);
    let film = random.bytes(300_000);
    s3.request("PUT", "photos/2024/film", &film);
    let small: Vec<Vec<u8>> = (0..6).map(|_| random.bytes(3000)).collect();
    for (number, content) in small.iter().enumerate() {
        s3.request("PUT", &format!("photos/2024/raw/{number}"), content);
    }
    s3.request("PUT", "photos/2023/other", b"not asked for");

    let protect = "protect --policy RS-3-2-16k s3://photos/2024";
    let planned = s3.document(&format!("{protect} --dry-run"), 0);
    assert_eq!(planned["protected"]["files"], 7);
    assert!(s3.parity_objects().is_empty());
    let report = s3.document(protect, 0);
    assert_eq!((&report["protected"], &report["parity_files"]), (&planned["protected"], &2.into()));
    assert_eq!(report["place"]["root"], "s3://photos/2024");
    assert_eq!(report["place"]["parity"], "s3://photos/2024/.restripe/parity");
    let metastore = Path::new(report["place"]["metastore"].as_str().unwrap()).to_owned();
    assert!(metastore.starts_with(s3.home.path()));
    assert_eq!(s3.document(protect, 0)["unchanged"]["files"], 7);
    let report = s3.document("status s3://photos/2024/raw", 0);
    assert_eq!(report["without_protection"]["files"], 0);
    assert_eq!(s3.document("scrub s3://photos/2024", 0)["clean"]["files"], 7);

    // Gone, and given back from the parity.
    s3.request("DELETE", "photos/2024/raw/3", &[]);
    let read = s3.run("cat s3://photos/2024/raw/3").expect(0);
    assert!(read.stdout == small[3]);
    let read = s3.run("cat --range 100000..200001 s3://photos/2024/film").expect(0);
    assert!(read.stdout == film[100_000..200_001]);
    s3.request("PUT", "photos/2024/raw/3", &small[3]);

    // Parity that is gone or wrong is made anew.
    let parity = s3.parity_objects();
    s3.request("DELETE", &format!("photos/{}", parity[0]), &[]);
    let mut bytes = s3.request("GET", &format!("photos/{}", parity[1]), &[]);
    bytes[5] ^= 1;
    s3.request("PUT", &format!("photos/{}", parity[1]), &bytes);
    let report = s3.document("scrub s3://photos/2024", 3);
    assert_eq!(report["damaged_parity"].as_array().unwrap().len(), 2);
    s3.document("heal s3://photos/2024", 0);
    s3.document("scrub s3://photos/2024", 0);

    // What its owner has written is told, and protected anew.
    s3.request("PUT", "photos/2024/film", b"another film");
    let report = s3.document("scrub s3://photos/2024", 0);
    assert_eq!(report["changed"][0]["path"], "film");
    assert!(s3.request("GET", "photos/2024/film", &[]) == b"another film");
    assert_eq!(s3.document(protect, 0)["protected"]["files"], 1);

    // A lost metastore comes back out of the parity.
    std::fs::remove_file(&metastore).unwrap();
    let report = s3.document("block rescan s3://photos/2024", 0);
    assert_eq!(report["protected"]["files"], 7);
    s3.document("scrub s3://photos/2024", 0);

    let report = s3.document("unprotect s3://photos/2024", 0);
    assert_eq!(report["unprotected"]["files"], 7);
    assert!(s3.parity_objects().is_empty());
    assert!(s3.request("GET", "photos/2024/raw/5", &[]) == small[5]);
}

#[test]
fn rules_may_be_about_objects_and_parity_of_a_folder_may_be_objects() {
    let test = "rules_may_be_about_objects_and_parity_of_a_folder_may_be_objects";
    let Some(s3) = S3::start(test) else { return };
    s3.request("PUT", "photos", &[]);
    s3.request("PUT", "photos/2024/a", &[7; 5000]);
    let rules = s3.home.path().join("rules.toml");
    let text = "[[rule]]\nname = \"r\"\npath = \"s3://photos/2024\"\npolicy = \"RS-3-2-16k\"\n\
                scrub-every = \"1s\"\n";
    std::fs::write(&rules, text).unwrap();
    let run = s3.run(&format!("watch --once --rules {}", rules.display())).expect(0);
    assert!(run.stderr.contains("\"event\":\"protected\""), "{}", run.stderr);
    assert!(run.stderr.contains("\"event\":\"scrubbed\""), "{}", run.stderr);
    assert_eq!(s3.parity_objects().len(), 1);

    let folder = tempfile::tempdir().unwrap();
    let (file, path) = (folder.path().join("file"), folder.path().display());
    std::fs::write(&file, vec![3; 50_000]).unwrap();
    let protect = format!("protect --policy RS-3-2-16k --parity-dir s3://photos/parity {path}");
    s3.run(&protect).expect(0);
    // Damage leaves the times as they are.
    let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::write(&file, [vec![4; 1000], vec![3; 49_000]].concat()).unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    s3.run(&format!("scrub {path}")).expect(3);
    s3.run(&format!("heal {path}")).expect(0);
    assert!(std::fs::read(&file).unwrap() == [3; 50_000]);
}

#[test]
fn what_keeps_objects_from_being_reached_is_told() {
    let test = "what_keeps_objects_from_being_reached_is_told";
    let Some(s3) = S3::start(test) else { return };
    let told = |run: Run, what: &str| {
        let run = run.expect(1);
        assert!(run.stderr.contains(what), "{what} is not in: {}\n{}", run.stderr, run.text());
    };
    told(s3.run("protect s3://nowhere/2024"), "AWS_ACCESS_KEY_ID");
    s3.request("PUT", "photos", &[]);
    told(s3.run("protect s3://photos/2024"), "no objects at s3://photos/2024");
    told(s3.run("protect s3://photos/a//b"), "no address of objects");
    told(s3.run("protect gs://photos"), "no kind of store");
    told(s3.run("status s3://photos/2024"), "is not protected");
    // Nobody gives credentials: neither the environment nor the machine.
    let begun = Instant::now();
    let mut nobody = s3.command();
    nobody.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    nobody.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
    told(Run::of(nobody.args(["protect", "s3://photos"]), &[]), "AWS_ACCESS_KEY_ID");
    assert!(begun.elapsed() < Duration::from_secs(60));
}
