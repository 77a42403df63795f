//! Random sequences of everything that can happen to protected files, held against a model: no file
//! ever has bytes that its owner did not write, everything within the code's power is healed, and
//! nothing is called healthy that is not.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Place, Random, all, keeping_times, options};
use restripe::ErasureCode as _;
use restripe_block_ec::{Hook, LocalStore, Protection, Run, State};

const POLICY: &str = "RS-3-2-4k";
const DATA_UNITS: usize = 3;
const PARITY_UNITS: usize = 2;

/// A file as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    /// What its owner wrote.
    owners: Vec<u8>,
    /// What is on the disk: with damage, something else.
    disk: Vec<u8>,
    /// Whether a protection that came to its end has covered it since its owner wrote it.
    protected: bool,
}

struct Model {
    place: Place,
    random: Random,
    files: BTreeMap<String, Known>,
    /// Everything that any owner ever wrote, by digest: what parity files may be of.
    history: HashMap<[u8; 32], Vec<u8>>,
    /// Whether a parity file may be damaged.
    parity_damaged: bool,
    log: Vec<String>,
    /// What happened, to see that everything did.
    happened: BTreeMap<&'static str, u64>,
}

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            place: Place::in_memory(),
            random: Random::new(seed),
            files: BTreeMap::new(),
            history: HashMap::new(),
            parity_damaged: false,
            log: Vec::new(),
            happened: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    fn any_file(&mut self) -> Option<String> {
        let number = self.random.below(self.files.len().max(1) as u64) as usize;
        self.files.keys().nth(number).cloned()
    }

    fn new_name(&mut self) -> String {
        let folder = ["", "a/", "b/"][self.random.below(3) as usize];
        format!("{folder}{}", self.random.below(40))
    }

    fn new_content(&mut self) -> Vec<u8> {
        let len = match self.random.below(10) {
            0 => 0,
            1..=7 => self.random.below(4000),
            8 => 4096 + self.random.below(8192),
            _ => self.random.below(60_000),
        };
        self.random.bytes(len as usize)
    }

    /// The owner has written: what is on the disk now is what it wanted.
    fn owned(&mut self, name: &str) {
        let disk = self.place.read(name);
        self.history.insert(*blake3::hash(&disk).as_bytes(), disk.clone());
        let known = Known { owners: disk.clone(), disk, protected: false };
        self.files.insert(name.to_owned(), known);
    }

    fn step(&mut self) {
        let name = self.any_file();
        let choice = self.random.below(100);
        match (choice, name) {
            (0..=17, _) | (_, None) => {
                let (name, content) = (self.new_name(), self.new_content());
                self.log.push(format!("write {name}: {} bytes", content.len()));
                self.place.write(&name, &content);
                self.owned(&name);
            }
            (18..=41, Some(name)) => self.owner_changes(choice, name),
            (42..=53, Some(name)) => self.damage_file(&name),
            (54..=58, _) => self.damage_parity(),
            (59..=69, _) => {
                self.log.push("protect".to_owned());
                let report = self.place.open().protect(&all(), &options(POLICY), &Run::simple());
                report.unwrap();
                self.all_protected();
                self.count("protect");
            }
            (70..=75, _) => self.scrub(),
            (76..=83, _) => self.heal(),
            (84..=91, _) => self.crash(),
            (92..=93, _) => self.rescan(),
            (94, Some(name)) => self.unprotect(&name),
            (_, Some(name)) => self.cat(&name),
        }
        self.disk_is_as_expected();
    }

    fn owner_changes(&mut self, choice: u64, name: String) {
        let path = self.place.path(&name);
        let mut content = self.place.read(&name);
        let kind = choice % 6;
        self.log.push(format!(
            "{} {name}",
            ["edit", "append to", "truncate", "replace", "rename", "delete"][kind as usize]
        ));
        match kind {
            0 => {
                if content.is_empty() {
                    return;
                }
                let at = self.random.below(content.len() as u64) as usize;
                content[at] ^= 0x11;
                // In place, as an editor of parts of files does.
                let mut file = fs::File::options().write(true).open(&path).unwrap();
                std::io::Write::write_all(&mut file, &content).unwrap();
            }
            1 => {
                let len = self.random.below(3000) as usize + 1;
                content.extend(self.random.bytes(len));
                fs::write(&path, &content).unwrap();
            }
            2 => {
                let len = self.random.below(content.len() as u64 + 1);
                fs::File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
            }
            3 => {
                let content = self.new_content();
                self.place.write("replacement", &content);
                fs::rename(self.place.path("replacement"), &path).unwrap();
            }
            4 => {
                let new = self.new_name();
                if new == name {
                    return;
                }
                fs::create_dir_all(self.place.path(&new).parent().unwrap()).unwrap();
                fs::rename(&path, self.place.path(&new)).unwrap();
                let known = self.files.remove(&name).unwrap();
                self.files.insert(new, known);
                return;
            }
            _ => {
                fs::remove_file(&path).unwrap();
                self.files.remove(&name);
                return;
            }
        }
        self.owned(&name);
    }

    fn damage_file(&mut self, name: &str) {
        let known = &self.files[name];
        if !known.protected || known.disk.is_empty() {
            return;
        }
        let len = known.disk.len() as u64;
        let start = self.random.below(len);
        let bytes = (self.random.below(3000) + 1).min(len - start);
        self.log.push(format!("damage {name}: {bytes} bytes at {start}"));
        self.place.damage(name, start, bytes);
        let disk = self.place.read(name);
        self.files.get_mut(name).unwrap().disk = disk;
        self.count("damage");
    }

    fn damage_parity(&mut self) {
        let files: Vec<PathBuf> =
            self.place.parity_files().into_iter().map(|(path, _)| path).collect();
        if files.is_empty() {
            return;
        }
        let path = &files[self.random.below(files.len() as u64) as usize];
        let len = fs::metadata(path).unwrap().len();
        self.log.push(format!("damage {}", path.display()));
        self.parity_damaged = true;
        match self.random.below(4) {
            0 => fs::remove_file(path).unwrap(),
            1 => {
                let len = self.random.below(len + 1);
                keeping_times(path, |file| file.set_len(len).unwrap());
            }
            _ if len > 0 => common::damage(path, self.random.below(len), 1),
            _ => {}
        }
    }

    /// What a protection that came to its end means.
    fn all_protected(&mut self) {
        for known in self.files.values_mut() {
            known.protected = true;
        }
    }

    fn scrub(&mut self) {
        self.log.push("scrub".to_owned());
        let protection = self.place.open();
        let report = protection.scrub(&all(), &Run::simple()).unwrap();
        for (name, known) in &self.files {
            let record = protection.metastore().file(name).unwrap();
            let with_parity = record.filter(|record| record.parity.is_some());
            let healthy = with_parity.is_some_and(|record| record.state == State::Healthy);
            if healthy {
                assert!(known.disk == known.owners, "{name} is called healthy: {:#?}", self.log);
            }
            if known.disk != known.owners {
                let told = report.damaged_files.iter().any(|file| file.path == *name);
                // Under a path that is not recorded yet, it is among what was not looked at; under
                // one that was another file's, that one is said to have changed.
                let changed = report.changed.iter().any(|file| file.path == *name);
                let not_looked_at = !healthy && (report.unprotected.files > 0 || changed);
                assert!(told || not_looked_at, "{name} is not told of: {:#?}", self.log);
            }
        }
        drop(protection);
        self.count("scrub");
    }

    fn heal(&mut self) {
        let within_power = self.within_power();
        self.log.push(format!("heal; within power: {within_power:?}"));
        let report = self.place.open().heal(&all(), &Run::simple()).unwrap();
        for name in within_power {
            let known = &self.files[&name];
            let healed = self.place.read(&name) == known.owners;
            assert!(healed, "{name} was not healed: {report:#?} {:#?}", self.log);
            self.count("healed");
        }
        if report
            .damaged_parity
            .iter()
            .all(|parity| parity.outcome == restripe_block_ec::Outcome::Healed)
        {
            self.parity_damaged = false;
        }
        self.see_what_was_healed();
        self.count("heal");
    }

    /// Files that were healed are on the disk as their owners wrote them.
    fn see_what_was_healed(&mut self) {
        for (name, known) in &mut self.files {
            let disk = self.place.read(name);
            assert!(
                disk == known.disk || disk == known.owners,
                "{name} has bytes that nobody wrote: {:#?}",
                self.log
            );
            known.disk = disk;
        }
    }

    /// Damaged files that the rest of their groups give back: counted byte by byte, from the
    /// contents themselves, without the library's own checks.
    fn within_power(&self) -> Vec<String> {
        let protection = self.place.open();
        let code = restripe::ReedSolomon::new(DATA_UNITS, PARITY_UNITS).unwrap();
        let mut found = Vec::new();
        for parity in protection.metastore().parities().unwrap() {
            let header = protection.metastore().header(parity.id).unwrap().unwrap();
            let records = protection.metastore().members(parity.id).unwrap();
            let file = format!("{:06}/{:09}.parity", parity.sequence / 1000, parity.sequence);
            let parity_bytes = fs::read(self.place.own("parity").join(file)).unwrap_or_default();
            let geometry = header.geometry;
            // The stream as it was, and which of its bytes are in bad chunks.
            let (mut stream, mut bad) = (Vec::new(), Vec::new());
            let mut names = Vec::new();
            for (number, member) in header.members.iter().enumerate() {
                let content = &self.history[&member.digest];
                let record =
                    records.iter().find(|record| record.parity == Some((parity.id, number)));
                let path = record.map_or(header.path(number), |record| record.path.clone());
                let disk = fs::read(self.place.path(&path)).unwrap_or_default();
                for (at, chunk) in content.chunks(geometry.chunk_len as usize).enumerate() {
                    let start = at * geometry.chunk_len as usize;
                    let there = disk.get(start..start + chunk.len());
                    bad.extend(vec![there != Some(chunk); chunk.len()]);
                }
                names.push((record.map(|record| record.path.clone()), stream.len()));
                stream.extend_from_slice(content);
            }
            let (mut lost, mut parity_at) = (vec![false; stream.len()], 0);
            let group_len = geometry.unit_len as usize * DATA_UNITS;
            for (number, group) in stream.chunks(group_len).enumerate() {
                let even = group.len().div_ceil(DATA_UNITS).max(geometry.chunk_len as usize);
                let apart = even.min(geometry.unit_len as usize);
                let mut units: Vec<&[u8]> = group.chunks(apart).collect();
                units.resize(DATA_UNITS, &[]);
                let unit_len = units[0].len();
                let mut computed = vec![vec![0; unit_len]; PARITY_UNITS];
                code.encode(&units, &mut computed).unwrap();
                let parity_is_bad = |unit: usize, column: usize| {
                    let chunk = geometry.chunk_len as usize;
                    let start = column / chunk * chunk;
                    let expected = &computed[unit][start..unit_len.min(start + chunk)];
                    let at = parity_at + unit * unit_len + start;
                    parity_bytes.get(at..at + expected.len()) != Some(expected)
                };
                for column in 0..unit_len {
                    let byte = |unit: usize| number * group_len + unit * apart + column;
                    let there = |unit: &usize| column < units[*unit].len();
                    let bad_units: Vec<usize> =
                        (0..DATA_UNITS).filter(there).filter(|unit| bad[byte(*unit)]).collect();
                    if bad_units.is_empty() {
                        continue;
                    }
                    let bad_parity =
                        (0..PARITY_UNITS).filter(|unit| parity_is_bad(*unit, column)).count();
                    if bad_units.len() + bad_parity > PARITY_UNITS {
                        bad_units.iter().for_each(|unit| lost[byte(*unit)] = true);
                    }
                }
                parity_at += PARITY_UNITS * unit_len;
            }
            for ((path, start), member) in names.into_iter().zip(&header.members) {
                let Some(path) = path else { continue };
                let Some(known) = self.files.get(&path) else { continue };
                let whole = start..start + member.identity.len as usize;
                let damaged = known.disk != known.owners && bad[whole.clone()].contains(&true);
                if damaged && !lost[whole].contains(&true) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Something is begun by a process that dies.
    fn crash(&mut self) {
        let acts = self.random.below(40);
        let done = Arc::new(AtomicU64::new(0));
        let hook = Hook::new(move |act| {
            if done.fetch_add(1, Ordering::Relaxed) < acts {
                Ok(())
            } else {
                Err(std::io::Error::other(format!("dead before: {act}")))
            }
        });
        let what = self.random.below(4);
        self.log.push(format!("crash of {what} after {acts} acts"));
        let ended = self.place.try_open(hook).and_then(|protection| {
            let (run, everything) = (Run::simple(), all());
            match what {
                0 => protection.scrub(&everything, &run).map(drop),
                1 | 2 => protection.heal(&everything, &run).map(drop),
                _ => protection.protect(&everything, &options(POLICY), &run).map(drop),
            }
        });
        drop(self.place.open());
        self.see_what_was_healed();
        if ended.is_ok() && what == 3 {
            self.all_protected();
        }
        self.count("crash");
    }

    fn rescan(&mut self) {
        // Where header and metastore are both lost, nothing knows the files any more.
        if self.parity_damaged || !self.place.own("metastore.db").exists() {
            return;
        }
        self.log.push("the metastore is lost; rescan".to_owned());
        let database = self.place.own("metastore.db");
        match self.random.below(3) {
            0 => fs::remove_file(&database).unwrap(),
            1 => fs::write(&database, b"not a database at all, and long enough to be one").unwrap(),
            _ => {}
        }
        Protection::rescan(
            Arc::new(LocalStore::new(self.place.root())),
            Arc::new(LocalStore::new(self.place.own("parity"))),
            &database,
            &Run::simple(),
        )
        .unwrap();
        self.count("rescan");
    }

    fn unprotect(&mut self, name: &str) {
        if self.files[name].disk != self.files[name].owners {
            return;
        }
        self.log.push(format!("unprotect {name}"));
        let paths = [name.to_owned()];
        self.place.open().unprotect(&paths, false, &Run::simple()).unwrap();
        self.files.get_mut(name).unwrap().protected = false;
    }

    fn cat(&mut self, name: &str) {
        let known = self.files[name].clone();
        let len = known.disk.len() as u64;
        let start = self.random.below(len + 1);
        let end = start + self.random.below(len - start + 1);
        self.log.push(format!("cat {name} {start}..{end}"));
        let range = start as usize..end as usize;
        match self.place.cat(name, start..end) {
            Ok((bytes, report)) => {
                let proven = report.healing != restripe_block_ec::Healing::Unproven;
                let expected = if proven { &known.owners } else { &known.disk };
                assert!(bytes == expected[range], "{name} {start}..{end}: {:#?}", self.log);
            }
            Err(error) => {
                let damaged = known.disk != known.owners;
                assert!(damaged, "{name} {start}..{end}: {error} {:#?}", self.log);
            }
        }
        self.count("cat");
    }

    /// No file has other bytes than those that its owner wrote, or that damage made of them.
    fn disk_is_as_expected(&self) {
        for (name, known) in &self.files {
            assert!(self.place.read(name) == known.disk, "{name} has other bytes: {:#?}", self.log);
        }
    }

    /// In the end, everything can be brought in order that is not lost.
    fn ends_well(&mut self) {
        self.heal();
        let report = self.place.open().protect(&all(), &options(POLICY), &Run::simple()).unwrap();
        self.all_protected();
        self.heal();
        let damaged = self.files.values().filter(|known| known.disk != known.owners).count();
        let report_after = self.place.scrub();
        if damaged == 0 {
            let context = format!("{report:#?} {report_after:#?} {:#?}", self.log);
            assert!(report_after.is_clean(), "{context}");
            assert_eq!(report_after.clean.files as usize, self.files.len(), "{context}");
        }
        let there = self.place.names();
        assert!(there.iter().eq(self.files.keys()), "left behind: {there:?} {:#?}", self.log);
    }
}

#[test]
fn whatever_happens_no_file_has_bytes_that_its_owner_did_not_write() {
    let (sequences, steps) = if common::full_scale() { (500, 120) } else { (40, 50) };
    let first = std::env::var("RESTRIPE_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds: Vec<u64> = match first {
        Some(seed) => vec![seed],
        None => (0..sequences).collect(),
    };
    let next = AtomicU64::new(0);
    let all_happened = std::sync::Mutex::new(BTreeMap::new());
    let run = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let mut model = Model::new(*seed);
            model.log.push(format!("RESTRIPE_TEST_SEED={seed}"));
            for _ in 0..steps {
                model.step();
            }
            model.ends_well();
            for (what, count) in model.happened {
                *all_happened.lock().unwrap().entry(what).or_insert(0) += count;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(run);
        scope.spawn(run);
    });
    let happened = all_happened.into_inner().unwrap();
    println!("{happened:?}");
    if first.is_none() {
        for what in ["protect", "damage", "scrub", "heal", "healed", "crash", "rescan", "cat"] {
            assert!(happened.get(what).is_some_and(|count| *count >= 5), "{what}: {happened:?}");
        }
    }
}
