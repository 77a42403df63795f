//! What the suites share: a folder with files and their protection, damage that leaves no trace in
//! the times, and content that is the same every time.

#![allow(dead_code, reason = "no suite uses all of it")]

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use restripe_block_ec::header::Header;
use restripe_block_ec::store::{Found, Source};
use restripe_block_ec::{
    Hook, Identity, LocalStore, ProtectOptions, ProtectReport, Protection, ReadReport, Result, Run,
    ScrubReport, Store as _,
};

/// Everything.
pub fn all() -> Vec<String> {
    vec![String::new()]
}

/// Whether the suites are to be run at full length.
pub fn full_scale() -> bool {
    std::env::var_os("RESTRIPE_TEST_SCALE").is_some_and(|scale| scale == "full")
}

/// Says by name that a test could not be run here.
pub fn skip(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
}

/// A folder with files.
pub struct Place {
    _work: Option<tempfile::TempDir>,
    root: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        let root = work.path().join("data");
        fs::create_dir(&root).unwrap();
        Self { _work: Some(work), root }
    }

    /// Where the system has one, in a file system in memory: what is put on the disk many times is
    /// put there quickly.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let work = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let work = work.unwrap();
        let root = work.path().join("data");
        fs::create_dir(&root).unwrap();
        Self { _work: Some(work), root }
    }

    pub fn at(root: &Path) -> Self {
        Self { _work: None, root: root.to_owned() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn own(&self, name: &str) -> PathBuf {
        self.root.join(".restripe").join(name)
    }

    pub fn try_open(&self, hook: Hook) -> Result<Protection> {
        let data = LocalStore::new(&self.root).with_hook(hook.clone());
        let parity = LocalStore::new(self.own("parity")).with_hook(hook.clone());
        Protection::open_with_hook(
            Arc::new(data),
            Arc::new(parity),
            &self.own("metastore.db"),
            hook,
        )
    }

    pub fn open(&self) -> Protection {
        self.try_open(Hook::default()).unwrap()
    }

    pub fn protect(&self, policy: &str) -> ProtectReport {
        let report = self.open().protect(&all(), &options(policy), &Run::simple()).unwrap();
        assert!(report.is_complete(), "{report:?}");
        report
    }

    pub fn scrub(&self) -> ScrubReport {
        self.open().scrub(&all(), &Run::simple()).unwrap()
    }

    pub fn heal(&self) -> ScrubReport {
        self.open().heal(&all(), &Run::simple()).unwrap()
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// All files but those of the protection itself, in order.
    pub fn names(&self) -> Vec<String> {
        let (mut names, mut folders) = (Vec::new(), vec![self.root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.extend((!path.ends_with(".restripe")).then_some(path));
                } else {
                    names.push(path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        names.sort_unstable();
        names
    }

    /// Flips bytes of a file, which nobody wrote: its times stay.
    pub fn damage(&self, name: &str, offset: u64, len: u64) {
        damage(&self.path(name), offset, len);
    }

    /// What is read of a file through its damage.
    pub fn cat(&self, name: &str, range: std::ops::Range<u64>) -> Result<(Vec<u8>, ReadReport)> {
        let mut bytes = Vec::new();
        let mut output = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let protection = self.open();
        let report =
            protection.read(name, range.start, Some(range.end), &Run::simple(), &mut output)?;
        Ok((bytes, report))
    }

    /// The parity files, with their headers as far as these can be read.
    pub fn parity_files(&self) -> Vec<(PathBuf, Option<Header>)> {
        let store = LocalStore::new(self.own("parity"));
        let mut files = Vec::new();
        let mut found = |found| {
            if let Found::File(entry) = found {
                let path = self.own("parity").join(&entry.path);
                let source = store.open(&entry.path).unwrap().unwrap();
                let header = Header::read(&*source, entry.identity.len, &entry.path).ok();
                files.push((path, header));
            }
            Ok(())
        };
        if self.own("parity").exists() {
            store.list("", &mut found).unwrap();
        }
        files
    }
}

pub fn options(policy: &str) -> ProtectOptions {
    ProtectOptions::new(policy.parse().unwrap())
}

/// Flips bytes of a file and puts its times back.
pub fn damage(path: &Path, offset: u64, len: u64) {
    keeping_times(path, |file| {
        let mut bytes = vec![0; len as usize];
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.read_exact(&mut bytes).unwrap();
        for byte in &mut bytes {
            *byte ^= 0x5A;
        }
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&bytes).unwrap();
    });
}

pub fn keeping_times(path: &Path, change: impl FnOnce(&mut File)) {
    let times = fs::metadata(path).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    change(&mut file);
    let times = FileTimes::new()
        .set_modified(times.modified().unwrap())
        .set_accessed(times.accessed().unwrap());
    file.set_times(times).unwrap();
}

pub fn identity(place: &Place, name: &str) -> Identity {
    LocalStore::new(place.root()).entry(name).unwrap().unwrap().identity
}

/// Small, fast and the same everywhere.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 32) % bound
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// Reads all of a source.
pub fn read_all(source: &dyn Source) -> Vec<u8> {
    let mut bytes = vec![0; source.identity().unwrap().len as usize];
    source.read_at(&mut bytes, 0).unwrap();
    bytes
}
