//! A process that dies at any act, of the store or the metastore: the next start carries on, and no
//! file has bytes that its owner did not write.

mod common;

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Place, Random, all, options};
use restripe_block_ec::{Hook, Protection, Result, Run};

/// Does the first acts and refuses all others: what a dead process does.
fn dies_after(acts: u64) -> (Hook, Arc<AtomicU64>) {
    let done = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&done);
    let hook = Hook::new(move |act| {
        if counter.fetch_add(1, Ordering::Relaxed) < acts {
            Ok(())
        } else {
            Err(std::io::Error::other(format!("dead before: {act}")))
        }
    });
    (hook, done)
}

struct Scene {
    name: &'static str,
    prepare: fn(&Place),
    act: fn(&Protection) -> Result<()>,
}

const POLICY: &str = "RS-3-2-4k";

fn contents() -> Vec<(String, Vec<u8>)> {
    let mut random = Random::new(11);
    let mut files = vec![("long".to_owned(), random.bytes(40_000))];
    files.extend((0..5).map(|number| (format!("d/{number}"), random.bytes(1500))));
    files
}

fn write_all(place: &Place) {
    for (name, content) in contents() {
        place.write(&name, &content);
    }
}

fn protect(protection: &Protection) -> Result<()> {
    protection.protect(&all(), &options(POLICY), &Run::simple()).map(drop)
}

const SCENES: [Scene; 5] = [
    Scene { name: "protect", prepare: write_all, act: protect },
    Scene {
        name: "heal",
        prepare: |place| {
            write_all(place);
            place.protect(POLICY);
            place.damage("long", 5000, 3000);
            place.damage("d/1", 0, 100);
            place.damage("d/3", 700, 100);
        },
        act: |protection| protection.heal(&all(), &Run::simple()).map(drop),
    },
    Scene {
        name: "heal parity",
        prepare: |place| {
            write_all(place);
            place.protect(POLICY);
            for (path, _) in place.parity_files() {
                common::damage(&path, 10, 1);
            }
        },
        act: |protection| protection.heal(&all(), &Run::simple()).map(drop),
    },
    Scene {
        name: "protect the rest",
        prepare: |place| {
            write_all(place);
            place.write("d/gone", b"gone");
            place.write("d/renamed", &contents()[3].1);
            fs::remove_file(place.path("d/2")).unwrap();
            place.protect(POLICY);
            fs::remove_file(place.path("d/gone")).unwrap();
            fs::rename(place.path("d/renamed"), place.path("d/2")).unwrap();
        },
        act: protect,
    },
    Scene {
        name: "unprotect",
        prepare: |place| {
            write_all(place);
            place.write("d/other", b"other");
            place.protect(POLICY);
        },
        act: |protection| {
            protection.unprotect(&["d/other".to_owned()], false, &Run::simple()).map(drop)
        },
    },
];

/// After whatever happened: everything can be brought to a good end, and is what it was.
fn comes_to_a_good_end(place: &Place, scene: &str, acts: u64) {
    let context = format!("{scene}, dead after {acts} acts");
    let protection = place.open();
    assert!(protection.metastore().jobs().unwrap().is_empty(), "{context}");
    drop(protection);
    if place.path("d/other").exists() {
        fs::remove_file(place.path("d/other")).unwrap();
    }
    // Healing first: protecting must not take damage for content, and does not.
    let report = place.heal();
    assert!(report.is_clean(), "{context}: {report:?}");
    place.protect(POLICY);
    let report = place.heal();
    assert!(report.is_clean() && report.damaged_files.is_empty(), "{context}: {report:?}");
    for (name, content) in contents() {
        assert!(place.read(&name) == content, "{context}: {name}");
    }
    // Nothing half-done lies about.
    let recorded = place.open().metastore().parities().unwrap().len();
    assert_eq!(place.parity_files().len(), recorded, "{context}");
    let mut find = Command::new("find");
    let left = find.arg(place.root()).args(["-name", ".restripe-part-*"]).output().unwrap().stdout;
    assert!(left.is_empty(), "{context}: {}", String::from_utf8_lossy(&left));
    place.damage("long", 0, 4096);
    place.damage("d/4", 0, 1500);
    assert!(place.heal().is_clean(), "{context}");
    assert!(place.read("long") == contents()[0].1, "{context}");
}

#[test]
fn a_process_that_dies_at_any_act_leaves_what_the_next_can_carry_on_from() {
    for scene in SCENES {
        let mut acts = 0;
        loop {
            let place = Place::in_memory();
            (scene.prepare)(&place);
            let (hook, done) = dies_after(acts);
            let ended = place.try_open(hook).and_then(|protection| (scene.act)(&protection));
            let died = done.load(Ordering::Relaxed) > acts;
            assert!(died || ended.is_ok(), "{}: {ended:?}", scene.name);
            comes_to_a_good_end(&place, scene.name, acts);
            if !died {
                println!("{}: {acts} acts", scene.name);
                assert!(acts > 10, "{} does next to nothing", scene.name);
                break;
            }
            // Every act at full scale; else some of those in the middle are passed over.
            acts += if common::full_scale() || acts < 12 { 1 } else { 3 };
        }
    }
}

#[test]
fn a_draft_that_cannot_be_removed_is_by_the_next_start() {
    for failing in ["write", "sync", "rename", "exchange"] {
        for scene in &SCENES[..3] {
            let place = Place::in_memory();
            (scene.prepare)(&place);
            let hook = Hook::new(move |act| match act {
                act if act == failing || act == "unlink" => Err(std::io::Error::other(act)),
                _ => Ok(()),
            });
            let _ = place.try_open(hook).and_then(|protection| (scene.act)(&protection));
            place.open();
            comes_to_a_good_end(&place, scene.name, 0);
        }
    }
}

/// The other half of the next test: this process, ended at an act.
#[test]
#[ignore = "is run by another test, in a process of its own"]
fn end_at_an_act() {
    let variable = |name| std::env::var(name).unwrap();
    let place = Place::at(variable("RESTRIPE_TEST_ROOT").as_ref());
    let acts: u64 = variable("RESTRIPE_TEST_ACTS").parse().unwrap();
    let scene = &SCENES[variable("RESTRIPE_TEST_SCENE").parse::<usize>().unwrap()];
    let done = AtomicU64::new(0);
    let hook = Hook::new(move |_| {
        if done.fetch_add(1, Ordering::Relaxed) == acts {
            std::process::abort();
        }
        Ok(())
    });
    let protection = place.try_open(hook).unwrap();
    (scene.act)(&protection).unwrap();
}

#[test]
fn a_process_that_is_killed_leaves_what_the_next_can_carry_on_from() {
    let step = if common::full_scale() { 1 } else { 9 };
    for (number, scene) in SCENES.iter().enumerate() {
        for acts in (number as u64..).step_by(step) {
            let place = Place::in_memory();
            (scene.prepare)(&place);
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "end_at_an_act"])
                .env("RESTRIPE_TEST_ROOT", place.root())
                .env("RESTRIPE_TEST_ACTS", acts.to_string())
                .env("RESTRIPE_TEST_SCENE", number.to_string())
                .output()
                .unwrap()
                .status;
            comes_to_a_good_end(&place, scene.name, acts);
            if status.success() {
                break;
            }
        }
    }
}
