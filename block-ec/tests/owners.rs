//! Owners who write at any moment of what is being done: they always keep what they wrote.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Place, Random, all, options};
use restripe_block_ec::{Hook, Run};

const POLICY: &str = "RS-3-2-4k";

/// Does something before one of all acts.
fn at_act(number: u64, act: impl FnMut() + Send + 'static) -> (Hook, Arc<AtomicU64>) {
    let done = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&done);
    let act = std::sync::Mutex::new(act);
    let hook = Hook::new(move |_| {
        if counter.fetch_add(1, Ordering::Relaxed) == number {
            act.lock().unwrap()();
        }
        Ok(())
    });
    (hook, done)
}

type Write = fn(PathBuf, &[u8]);

const WRITES: [(&str, Write); 3] = [
    ("in place", |path, content| fs::write(path, content).unwrap()),
    ("replaced", |path, content| {
        let new = path.with_extension("new");
        fs::write(&new, content).unwrap();
        fs::rename(new, path).unwrap();
    }),
    ("deleted and made anew", |path, content| {
        fs::remove_file(&path).unwrap();
        fs::write(path, content).unwrap();
    }),
];

#[test]
fn an_owner_who_writes_at_any_moment_of_a_healing_keeps_what_was_written() {
    let contents = [Random::new(81).bytes(30_000), Random::new(82).bytes(30_000)];
    for (how, write) in WRITES {
        let mut number = 0;
        loop {
            let place = Place::in_memory();
            place.write("file", &contents[0]);
            place.write("other", &contents[0]);
            place.protect(POLICY);
            place.damage("file", 7000, 500);
            place.damage("other", 0, 500);
            let (path, new) = (place.path("file"), contents[1].clone());
            let (hook, done) = at_act(number, move || write(path.clone(), &new));
            let protection = place.try_open(hook).unwrap();
            protection.heal(&all(), &Run::simple()).unwrap();
            drop(protection);
            if done.load(Ordering::Relaxed) <= number {
                assert!(number > 20, "healing is more than {number} acts");
                break;
            }
            assert!(place.read("file") == contents[1], "{how} before act {number}");
            assert!(place.read("other") == contents[0], "{how} before act {number}");
            place.heal();
            place.protect(POLICY);
            assert!(place.scrub().is_clean(), "{how} before act {number}");
            assert!(place.read("file") == contents[1], "{how} before act {number}");
            number += 1;
        }
    }
}

#[test]
fn an_owner_who_writes_at_any_moment_of_a_protection_is_noticed() {
    let contents = [Random::new(83).bytes(30_000), Random::new(84).bytes(30_000)];
    for (how, write) in WRITES {
        for name in ["long", "small/3"] {
            let mut number = 0;
            loop {
                let place = Place::in_memory();
                let len = if name == "long" { 30_000 } else { 2000 };
                place.write("long", &contents[0]);
                for small in 0..5 {
                    place.write(&format!("small/{small}"), &contents[0][..2000]);
                }
                let (path, new) = (place.path(name), contents[1][..len].to_vec());
                let (hook, done) = at_act(number, move || write(path.clone(), &new));
                let protection = place.try_open(hook).unwrap();
                protection.protect(&all(), &options(POLICY), &Run::simple()).unwrap();
                drop(protection);
                if done.load(Ordering::Relaxed) <= number {
                    assert!(number > 10, "protecting is more than {number} acts");
                    break;
                }
                let healed = place.heal();
                assert!(healed.damaged_files.is_empty(), "{how} before act {number}: {healed:?}");
                assert!(place.read(name) == contents[1][..len], "{how} before act {number}");
                place.protect(POLICY);
                // One unit of three, be the file alone in its group or not.
                place.damage(name, 0, 400);
                assert!(place.heal().is_clean(), "{how} before act {number}");
                assert!(place.read(name) == contents[1][..len], "{how} before act {number}");
                number += if common::full_scale() { 1 } else { 3 };
            }
        }
    }
}
