//! Codes that read less for a repair, end to end: HHXOR, whose cells have halves, and LRC, which
//! is not MDS. What may be expected is worked out again from the definitions: parity by a
//! table-less multiplication, what can be rebuilt by ranks over the chunks that are good.

mod common;

use std::fs;

use common::{Encoded, Files, Random, files, full_scale, oracle, run, run_on};

/// A code over parts of cells: all but HHXOR have one.
struct Code {
    k: usize,
    m: usize,
    subs: usize,
    cell: usize,
    /// A row for every part of a parity cell, a column for every part of a data cell.
    rows: Vec<Vec<u8>>,
}

fn cauchy(k: usize, parity: usize, unit: usize) -> u8 {
    let sum = (k + parity) as u8 ^ unit as u8;
    (1..=255).find(|&other| oracle::mul(sum, other) == 1).unwrap()
}

impl Code {
    fn hitchhiker(k: usize, m: usize, cell: usize) -> Self {
        let size = k / (m - 1);
        let row = |index: usize| {
            let (parity, half) = (index / 2, index % 2);
            let element = |column: usize| {
                let (unit, of) = (column / 2, column % 2);
                match (half, of) {
                    (0, 0) | (1, 1) => cauchy(k, parity, unit),
                    (1, 0) => u8::from(parity == (unit / size).min(m - 2) + 1),
                    _ => 0,
                }
            };
            (0..2 * k).map(element).collect()
        };
        Self { k, m, subs: 2, cell, rows: (0..2 * m).map(row).collect() }
    }

    /// Two groups of the same size and two global parities.
    fn locally_repairable(k: usize, cell: usize) -> Self {
        let element = |unit: usize| {
            let place = (unit % (k / 2) + 1) as u8;
            if unit < k / 2 { place << 4 } else { place }
        };
        let row = |row: usize| {
            (0..k)
                .map(|unit| match row {
                    0 | 1 => u8::from(unit / (k / 2) == row),
                    2 => element(unit),
                    _ => oracle::mul(element(unit), element(unit)),
                })
                .collect()
        };
        Self { k, m: 4, subs: 1, cell, rows: (0..4).map(row).collect() }
    }

    fn part(&self) -> usize {
        self.cell / self.subs
    }

    /// The parity units of a group.
    fn parity(&self, units: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let longest = units[0].len();
        let len = if self.subs == 1 { longest } else { longest.next_multiple_of(self.cell) };
        let mut parity = vec![vec![0; len]; self.m];
        for offset in 0..len {
            let (cell, in_cell) = (offset / self.cell * self.cell, offset % self.cell);
            let (sub, at) = (in_cell / self.part(), in_cell % self.part());
            for (index, unit) in parity.iter_mut().enumerate() {
                for (column, &coefficient) in self.rows[index * self.subs + sub].iter().enumerate()
                {
                    let (data, from) = (column / self.subs, column % self.subs);
                    let byte = units[data].get(cell + from * self.part() + at);
                    unit[offset] ^= oracle::mul(coefficient, byte.copied().unwrap_or(0));
                }
            }
        }
        parity
    }

    /// The units that those which are good give back, rows and parts of units being numbered
    /// alike.
    fn given_back(&self, good: &[bool]) -> Vec<bool> {
        let columns = self.k * self.subs;
        let row = |unit: usize| match unit.checked_sub(columns) {
            Some(parity) => self.rows[parity].clone(),
            None => (0..columns).map(|column| u8::from(column == unit)).collect::<Vec<u8>>(),
        };
        let mut basis: Vec<(usize, Vec<u8>)> = Vec::new();
        let reduce = |mut vector: Vec<u8>, basis: &[(usize, Vec<u8>)]| {
            for (lead, other) in basis {
                let factor = vector[*lead];
                for (element, &of_other) in vector.iter_mut().zip(other) {
                    *element ^= oracle::mul(factor, of_other);
                }
            }
            vector
        };
        for unit in (0..good.len()).filter(|&unit| good[unit]) {
            let rest = reduce(row(unit), &basis);
            let Some(lead) = rest.iter().position(|&element| element != 0) else { continue };
            let scale = (1..=255).find(|&other| oracle::mul(rest[lead], other) == 1).unwrap();
            let scaled = rest.iter().map(|&element| oracle::mul(element, scale)).collect();
            basis.push((lead, scaled));
        }
        (0..good.len()).map(|unit| reduce(row(unit), &basis).iter().all(|&e| e == 0)).collect()
    }
}

/// Whether the damaged chunks of data units and of all units come back from the good ones.
fn expected(code: &Code, pristine: &Files, damaged: &Files) -> (bool, bool) {
    let mut all = (true, true);
    for group in 0.. {
        let names: Vec<String> =
            (0..code.k + code.m).map(|unit| oracle::block_name(group, unit)).collect();
        let Some(longest) = pristine.get(&names[code.k]).map(Vec::len) else { return all };
        let chunks_of_part = code.part().div_ceil(oracle::CHUNK);
        for cell in 0..longest.div_ceil(code.cell) {
            for chunk in 0..chunks_of_part {
                let good: Vec<bool> = names
                    .iter()
                    .flat_map(|name| {
                        (0..code.subs).map(move |sub| {
                            let at = cell * code.cell + sub * code.part() + chunk * oracle::CHUNK;
                            oracle::chunk_is_good(pristine, damaged, name, at / oracle::CHUNK)
                        })
                    })
                    .collect();
                let back = code.given_back(&good);
                all.0 &= back[..code.k * code.subs].iter().all(|&back| back);
                all.1 &= back.iter().all(|&back| back);
            }
        }
    }
    all
}

fn write(encoded: &Encoded, now: &Files) {
    for name in encoded.pristine.keys() {
        match now.get(name) {
            Some(bytes) => fs::write(encoded.path(name), bytes).unwrap(),
            None => drop(fs::remove_file(encoded.path(name))),
        }
    }
}

/// What verify, repair and decode make of a damaged folder. Returns whether all came back.
fn check(encoded: &Encoded, code: &Code, damaged: &Files, say: &str) -> bool {
    write(encoded, damaged);
    let (data_back, all_back) = expected(code, &encoded.pristine, damaged);
    let whole = *damaged == encoded.pristine;
    let verified = encoded.verify();
    let exit = if whole {
        0
    } else if all_back {
        3
    } else {
        4
    };
    assert_eq!(verified.exit, exit, "{say}: {}", verified.text());
    let (decoded, bytes) = encoded.decode();
    assert_eq!(decoded.exit, if data_back { 0 } else { 4 }, "{say}: {}", decoded.text());
    assert_eq!(bytes.as_deref(), data_back.then_some(&encoded.content[..]), "{say}");
    let repaired = encoded.repair();
    assert_eq!(repaired.exit, if all_back { 0 } else { 4 }, "{say}: {}", repaired.text());
    let now = files(&encoded.folder());
    for (name, bytes) in &now {
        // Nothing is written but what was there.
        let unchanged = damaged.get(name) == Some(bytes);
        assert!(unchanged || encoded.pristine[name] == *bytes, "{say}: {name}");
    }
    if all_back {
        encoded.is_pristine();
    }
    encoded.reset();
    all_back
}

/// Lengths of files of one group and of two, whose last stripe is full, or ends in the first half
/// of a cell, in the second, between two units, or within a chunk.
fn lengths(k: usize, cell: usize, block: usize) -> Vec<usize> {
    let group = k * block;
    let all = vec![
        1,
        511,
        cell / 2,
        cell / 2 + 1,
        cell - 1,
        cell + 7,
        k * cell,
        k * cell + 300,
        k * cell + cell / 2 + 513,
        2 * k * cell - 1,
        group,
        group + cell + 100,
    ];
    if full_scale() { all } else { vec![all[1], all[4], all[8], all[11]] }
}

#[test]
fn blocks_are_those_of_the_definition() {
    let codes = [
        ("HHXOR-4-3-2k", Code::hitchhiker(4, 3, 2048)),
        ("HHXOR-5-2-1k", Code::hitchhiker(5, 2, 1024)),
        ("HHXOR-10-4-4k", Code::hitchhiker(10, 4, 4096)),
        ("LRC-6-2-2-1k", Code::locally_repairable(6, 1024)),
        ("LRC-12-2-2-2k", Code::locally_repairable(12, 2048)),
    ];
    let mut random = Random::new(1);
    for (name, code) in codes {
        for len in lengths(code.k, code.cell, 2 * code.cell) {
            let content = random.bytes(len);
            let encoded = Encoded::new(name, 2 * code.cell as u64, content.clone());
            let policy =
                oracle::Policy { codec: name.to_owned(), k: code.k, m: code.m, cell: code.cell };
            let groups = oracle::data_units(&policy, 2 * code.cell as u64, &content);
            let mut blocks = 0;
            for (group, mut units) in groups.into_iter().enumerate() {
                units.extend(code.parity(&units));
                for (unit, bytes) in units.iter().enumerate() {
                    let stored = encoded.pristine.get(&oracle::block_name(group as u64, unit));
                    assert_eq!(
                        stored.map_or(&[][..], |stored| stored),
                        bytes,
                        "{name}, {len}: {unit}"
                    );
                    blocks += usize::from(!bytes.is_empty());
                }
            }
            // A .meta file each, and the manifest.
            assert_eq!(encoded.pristine.len(), 2 * blocks + 1);
            let verified = encoded.run("verify --deep --json").expect(0);
            assert_eq!(verified.json()["blocks_whole"], blocks);
        }
    }
}

#[test]
fn every_pattern_of_lost_blocks_is_judged_and_mended_exactly() {
    let mut random = Random::new(2);
    let codes = [
        ("HHXOR-3-2-1k", Code::hitchhiker(3, 2, 1024)),
        ("LRC-2-2-2-1k", Code::locally_repairable(2, 1024)),
    ];
    let mut outcomes = [0; 2];
    for (name, code) in codes {
        for len in lengths(code.k, code.cell, 2 * code.cell).into_iter().rev().take(2) {
            let encoded = Encoded::new(name, 2 * code.cell as u64, random.bytes(len));
            for lost in 0u32..1 << (code.k + code.m) {
                let mut damaged = encoded.pristine.clone();
                for unit in (0..code.k + code.m).filter(|unit| lost >> unit & 1 != 0) {
                    damaged.remove(&oracle::block_name(0, unit));
                }
                let say = format!("{name}, {len} bytes, lost {lost:b}");
                outcomes[usize::from(check(&encoded, &code, &damaged, &say))] += 1;
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count > 20), "{outcomes:?}");
}

#[test]
fn damaged_chunks_anywhere_are_judged_and_mended_exactly() {
    let mut random = Random::new(3);
    let codes = [
        ("HHXOR-4-3-2k", Code::hitchhiker(4, 3, 2048)),
        ("LRC-6-2-2-1k", Code::locally_repairable(6, 1024)),
    ];
    let mut outcomes = [0; 2];
    for (name, code) in codes {
        let len = 3 * code.k * code.cell + code.cell + 700;
        let encoded = Encoded::new(name, 2 * code.cell as u64, random.bytes(len));
        for round in 0..if full_scale() { 600 } else { 60 } {
            let mut damaged = encoded.pristine.clone();
            let names: Vec<String> =
                damaged.keys().filter(|name| !name.contains('.')).cloned().collect();
            for _ in 0..1 + random.below(60) {
                let bytes =
                    damaged.get_mut(&names[random.below(names.len() as u64) as usize]).unwrap();
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            let say = format!("{name}, round {round}");
            outcomes[usize::from(check(&encoded, &code, &damaged, &say))] += 1;
        }
    }
    assert!(outcomes.iter().all(|&count| count > 10), "{outcomes:?}");
}

#[test]
fn a_wrong_block_with_right_sums_is_named_and_mended() {
    let mut random = Random::new(4);
    for name in ["HHXOR-4-3-2k", "LRC-6-2-2-1k"] {
        let encoded = Encoded::new(name, 4096, random.bytes(70_000));
        // The folder of a datanode has no manifest that would tell.
        fs::remove_file(encoded.path("manifest.json")).unwrap();
        let wrong = encoded.block(1, 2);
        common::edit(&wrong, |bytes| bytes[700..1100].iter_mut().for_each(|byte| *byte ^= 0x55));
        let right = &encoded.pristine[&oracle::block_name(1, 2)];
        let mut sums = vec![0, 1, 2, 0, 0, 2, 0];
        let now = fs::read(&wrong).unwrap();
        now.chunks(oracle::CHUNK).for_each(|c| sums.extend(oracle::crc32c(c).to_be_bytes()));
        fs::write(encoded.meta(1, 2), sums).unwrap();
        let layout = format!("--policy {name} --size 70000 --block-size 4096");
        run_on(&format!("verify {layout}"), &[&encoded.folder()]).expect(0);
        let deep =
            run_on(&format!("verify --deep --json {layout}"), &[&encoded.folder()]).expect(3);
        let block = &deep.json()["damaged_blocks"][0];
        assert_eq!((&block["unit"], &block["group"]), (&2.into(), &1.into()));
        run_on(&format!("repair --deep --no-fsync {layout}"), &[&encoded.folder()]).expect(0);
        assert!(fs::read(&wrong).unwrap() == *right, "{name}");
    }
}

#[test]
fn blocks_without_sums_are_proved_by_parity_while_there_is_some_to_spare() {
    let mut random = Random::new(6);
    for (name, len) in [("HHXOR-4-3-2k", 21_000), ("LRC-6-2-2-1k", 13_000)] {
        let encoded = Encoded::new(name, 4096, random.bytes(len));
        let layout = format!("--policy {name} --size {len} --block-size 4096");
        for unit in 0..7 {
            fs::remove_file(encoded.path("manifest.json")).unwrap();
            fs::remove_file(encoded.meta(0, unit)).unwrap();
            fs::remove_file(encoded.block(0, (unit + 1) % 7)).unwrap();
            run_on(&format!("verify {layout}"), &[&encoded.folder()]).expect(3);
            run_on(&format!("repair --no-fsync {layout}"), &[&encoded.folder()]).expect(0);
            fs::write(encoded.path("manifest.json"), &encoded.pristine["manifest.json"]).unwrap();
            encoded.is_pristine();
            encoded.reset();
        }
        // A whole group without sums, and one block of it gone: nothing proves what is rebuilt of
        // a code that has nothing to spare then.
        fs::remove_file(encoded.path("manifest.json")).unwrap();
        let units = if name.starts_with("LRC") { 10 } else { 7 };
        let gone = if name.starts_with("LRC") { vec![0, 1, 3, 4] } else { vec![0, 1, 6] };
        for unit in 0..units {
            fs::remove_file(encoded.meta(0, unit)).unwrap();
        }
        for unit in gone {
            fs::remove_file(encoded.block(0, unit)).unwrap();
        }
        let verified = run_on(&format!("verify --json {layout}"), &[&encoded.folder()]).expect(5);
        assert_eq!(verified.json()["verdict"], "undecided");
        encoded.reset();
    }
}

#[test]
fn any_range_is_decoded_with_a_block_gone() {
    let mut random = Random::new(5);
    for name in ["HHXOR-4-3-2k", "LRC-6-2-2-1k"] {
        let content = random.bytes(90_001);
        let encoded = Encoded::new(name, 8192, content.clone());
        for unit in [0, 3] {
            fs::remove_file(encoded.block(0, unit)).unwrap();
        }
        for _ in 0..20 {
            let start = random.below(90_001);
            let end = start + random.below(90_002 - start);
            let range = format!("decode --range {start}..{end}");
            let decoded = run_on(&range, &[&encoded.folder(), "-".as_ref()]).expect(0);
            assert!(decoded.stdout == content[start as usize..end as usize], "{name}, {range}");
        }
    }
}

#[test]
fn policies_that_the_codes_do_not_have_are_refused_with_a_reason() {
    for (policy, says) in [
        ("LRC-40-2-2-64k", "maximally recoverable"),
        ("LRC-12-4-64k", "LRC-12-2-2-1024k"),
        ("HHXOR-6-1-64k", "two parity units"),
        ("HHXOR-120-9-64k", "128"),
    ] {
        let refused = run(["encode", "--policy", policy, "in", "out"]).expect(2);
        assert!(refused.stderr.contains(says), "{policy}: {}", refused.stderr);
    }
}

#[test]
fn info_compares_a_policy_with_those_built_in() {
    let compared = run(["info", "--json", "--policy", "LRC-16-4-2-1024k"]).expect(0).json();
    let row = |name: &str| {
        let policies = compared["policies"].as_array().unwrap();
        let found = policies.iter().find(|policy| policy["policy"] == name);
        let policy = found.unwrap_or_else(|| panic!("no {name} in {compared}"));
        ["stored", "blocks_read_for_data_mean", "blocks_read_mean", "blocks_read_worst"]
            .map(|field| policy[field].as_f64().unwrap())
    };
    assert_eq!(compared["policies"][0]["policy"], "LRC-16-4-2-1024k");
    // Twenty blocks read the four others of their group, the two global parities sixteen.
    let mean = (20.0 * 4.0 + 2.0 * 16.0) / 22.0;
    assert_eq!(row("LRC-16-4-2-1024k"), [22.0 / 16.0, 4.0, mean, 16.0]);
    assert_eq!(row("RS-10-4-1024k"), [1.4, 10.0, 10.0, 10.0]);
    let hitchhiker = row("HHXOR-10-4-1024k");
    assert_eq!(hitchhiker[..2], [1.4, (6.0 * 6.5 + 4.0 * 7.0) / 10.0]);
    assert!(hitchhiker[3] <= 10.0);
    let text = run(["info", "--policy", "LRC-12-2-2-1024k"]).expect(0).text();
    assert_eq!(text.matches("LRC-12-2-2-1024k").count(), 1, "{text}");
}
