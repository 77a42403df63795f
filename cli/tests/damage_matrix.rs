//! Random damage of every kind at once, and what must come of it worked out by counting chunks.

mod common;

use std::fs;

use common::{Encoded, Files, Random, files, full_scale, oracle};

/// One change to a file of the folder; returns what it was.
fn damage(random: &mut Random, now: &mut Files, data_only: bool) -> String {
    let names: Vec<String> = now
        .keys()
        .filter(|name| *name != "manifest.json" && !(data_only && name.ends_with(".meta")))
        .cloned()
        .collect();
    if names.is_empty() {
        return "nothing is left".to_owned();
    }
    let name = names[random.below(names.len() as u64) as usize].clone();
    let bytes = now.get_mut(&name).unwrap();
    let len = bytes.len() as u64;
    let kind = random.below(10);
    match kind {
        0 => {
            now.remove(&name);
        }
        1 => bytes.truncate(random.below(len + 1) as usize),
        2 => {
            let more = random.below(2000) as usize;
            bytes.extend(random.bytes(more));
        }
        3 if len > 0 => {
            let start = random.below(len) as usize;
            let end = start + random.below(len - start as u64 + 1) as usize;
            bytes[start..end].fill(0);
        }
        4 => {
            // Two files change places.
            let other = names[random.below(names.len() as u64) as usize].clone();
            if name.ends_with(".meta") == other.ends_with(".meta") {
                let bytes = (now[&name].clone(), now[&other].clone());
                now.insert(name.clone(), bytes.1);
                now.insert(other, bytes.0);
            }
        }
        _ if len > 0 => {
            for _ in 0..1 + random.below(6) {
                let at = random.below(len) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
        }
        _ => {}
    }
    format!("kind {kind} of {name}")
}

fn write(encoded: &Encoded, now: &Files) {
    for name in encoded.pristine.keys() {
        match now.get(name) {
            Some(bytes) => fs::write(encoded.path(name), bytes).unwrap(),
            None => drop(fs::remove_file(encoded.path(name))),
        }
    }
}

fn check(encoded: &Encoded, seed: u64, most: u64, data_only: bool) -> [bool; 3] {
    let mut random = Random::new(seed);
    let mut damaged = encoded.pristine.clone();
    let changes = random.below(most + 1);
    let what: Vec<String> =
        (0..changes).map(|_| damage(&mut random, &mut damaged, data_only)).collect();
    write(encoded, &damaged);
    let expected = oracle::expect(&encoded.policy, &encoded.pristine, &damaged);
    let say = format!("seed {seed}: {what:?}: {expected:?}");

    let verified = encoded.verify();
    let exit = verified.exit;
    let (decoded, bytes) = encoded.decode();
    let repaired = encoded.repair();
    let now = files(&encoded.folder());

    // Whatever else: never wrong bytes, and no file that is neither the old nor the right one.
    assert!(bytes.is_none() || bytes.as_ref() == Some(&encoded.content), "{say}: wrong bytes");
    assert_eq!(bytes.is_some(), decoded.exit == 0, "{say}: {}", decoded.stderr);
    for name in encoded.pristine.keys() {
        let file = now.get(name);
        let known = file == damaged.get(name) || file == encoded.pristine.get(name);
        assert!(known, "{say}: {name} is neither as it was nor as it should be");
        let was_right = damaged.get(name) == encoded.pristine.get(name);
        assert!(!was_right || file == encoded.pristine.get(name), "{say}: {name} was good");
    }
    assert!(now.keys().all(|name| encoded.pristine.contains_key(name)), "{say}: files left over");

    if expected.repairable {
        let verdict = if expected.whole { 0 } else { 3 };
        assert_eq!(exit, verdict, "{say}: verify\n{}", verified.text());
        assert_eq!(decoded.exit, 0, "{say}: {}", decoded.text());
        assert_eq!(repaired.exit, 0, "{say}: {}", repaired.text());
        assert!(now == encoded.pristine, "{say}: repair");
    }
    if expected.content_lost {
        assert_eq!(decoded.exit, 4, "{say}: {}", decoded.text());
    }
    for name in &expected.must_come_back {
        let meta = format!("{name}.meta");
        for name in [name, &meta] {
            assert!(
                now.get(name) == encoded.pristine.get(name),
                "{say}: {name}\n{}",
                repaired.text()
            );
        }
    }
    for name in expected.beyond_repair.iter().filter(|_| data_only) {
        // (With sums gone, too, blocks that changed places may still be worth something: then
        // the manifest has the last word.)
        assert!(now.get(name) == damaged.get(name), "{say}: {name} beyond repair was changed");
    }
    if !expected.beyond_repair.is_empty() {
        // Blocks that contradict each other are said to, rather than lost.
        let known = |exit| exit == 4 || (exit == 5 && !data_only);
        assert!(known(exit), "{say}: {}", verified.text());
        assert!(known(repaired.exit), "{say}: {}", repaired.text());
    } else if data_only {
        assert!(expected.repairable, "{say}: of data alone the counts are exact");
    }
    // Verify knows beforehand what repair can do.
    assert_eq!(matches!(exit, 0 | 3), repaired.exit == 0, "{say}: {}", repaired.text());
    [expected.whole, expected.repairable, !expected.beyond_repair.is_empty()]
}

fn check_many(encoded: &Encoded, first_seed: u64, most: u64, data_only: bool) {
    // A seed that failed can be tried alone.
    if let Ok(seed) = std::env::var("RESTRIPE_TEST_SEED") {
        check(encoded, seed.parse().unwrap(), most, data_only);
        return;
    }
    let mut counts = [0; 3];
    let total = if full_scale() { 4000 } else { 60 };
    for seed in first_seed..first_seed + total {
        for (count, is) in counts.iter_mut().zip(check(encoded, seed, most, data_only)) {
            *count += u64::from(is);
        }
        // Between two seeds only files that differ are written.
        write(encoded, &encoded.pristine);
    }
    let [whole, repairable, beyond] = counts;
    println!("{total} folders: {whole} whole, {repairable} repairable, {beyond} beyond repair");
    assert!(repairable > total / 10 && beyond > total / 20, "the damage tries too little");
}

#[test]
fn damage_to_data_comes_back_exactly_where_enough_chunks_of_a_stripe_are_good() {
    let content = Random::new(1).bytes(100_000);
    let encoded = Encoded::new("RS-3-2-4k", 16 << 10, content);
    check_many(&encoded, 0, 14, true);
}

#[test]
fn damage_to_data_and_sums_never_costs_what_the_counts_say_is_there() {
    let content = Random::new(2).bytes(150_000);
    let encoded = Encoded::new("RS-6-3-4k", 16 << 10, content);
    check_many(&encoded, 10_000, 36, false);
}

#[test]
fn damage_to_a_single_parity_is_no_different() {
    let content = Random::new(3).bytes(60_001);
    let encoded = Encoded::new("RS-2-1-1k", 8 << 10, content);
    check_many(&encoded, 20_000, 12, false);
}
