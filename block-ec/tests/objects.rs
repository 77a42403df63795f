//! Objects: in memory, and on a server that speaks S3 (moto's, on this machine).

mod common;
#[path = "common/moto.rs"]
mod moto;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use common::{Random, all, options, read_all, skip};
use moto::Moto;
use object_store::ObjectStore as Inner;
use restripe_block_ec::store::{Draft, Found, Publish, Published, Source, Store};
use restripe_block_ec::{
    Entry, Error, Healing, Hook, Identity, ObjectStore, Outcome, Protection, Result, Run,
};

/// A store some objects of which have gone bad: nobody wrote them, so their tags stay.
#[derive(Debug)]
struct Rotten {
    store: ObjectStore,
    /// Which version of which object, and from which byte on 100 are wrong.
    rot: Rot,
}

type Rot = Arc<Mutex<HashMap<(String, String), u64>>>;

/// What is put anew is not rotten, though it may have the same tag: that of the same bytes.
struct Fresh {
    draft: Box<dyn Draft>,
    path: String,
    rot: Rot,
}

impl Draft for Fresh {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.draft.write_at(bytes, offset)
    }

    fn sync(&mut self) -> Result<Identity> {
        self.draft.sync()
    }

    fn read_back(&self) -> Result<Option<Box<dyn Source>>> {
        self.draft.read_back()
    }

    fn publish(self: Box<Self>, how: Publish<'_>) -> Result<Published> {
        let published = self.draft.publish(how)?;
        if published != Published::Changed {
            self.rot.lock().unwrap().retain(|(path, _), _| *path != self.path);
        }
        Ok(published)
    }
}

impl Rotten {
    fn new(inner: Arc<dyn Inner>) -> Arc<Self> {
        let store = ObjectStore::new(inner, "data/set", "objects").unwrap();
        Arc::new(Self { store, rot: Rot::default() })
    }

    fn rot(&self, path: &str, offset: u64) {
        let version = self.entry(path).unwrap().unwrap().identity.version;
        self.rot.lock().unwrap().insert((path.to_owned(), version), offset);
    }

    fn put(&self, path: &str, content: &[u8]) {
        // As another client does, whatever is there.
        self.remove(path).unwrap();
        let draft = self.store.create(path, 0, content.len() as u64).unwrap();
        draft.write_at(content, 0).unwrap();
        assert!(matches!(draft.publish(Publish::New).unwrap(), Published::Done(_)));
    }

    fn get(&self, path: &str) -> Vec<u8> {
        read_all(&*self.open(path).unwrap().unwrap())
    }
}

struct RottenSource {
    source: Box<dyn Source>,
    wrong: Option<u64>,
}

impl Source for RottenSource {
    fn identity(&self) -> Result<Identity> {
        self.source.identity()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.source.read_at(buffer, offset)?;
        if let Some(wrong) = self.wrong {
            for (byte, at) in buffer[..read].iter_mut().zip(offset..) {
                *byte ^= if (wrong..wrong + 100).contains(&at) { 0x77 } else { 0 };
            }
        }
        Ok(read)
    }
}

impl Store for Rotten {
    fn name(&self) -> String {
        self.store.name()
    }

    fn list(&self, under: &str, found: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        self.store.list(under, found)
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>> {
        self.store.entry(path)
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Source>>> {
        let Some(source) = self.store.open(path)? else { return Ok(None) };
        let key = (path.to_owned(), source.identity()?.version);
        let wrong = self.rot.lock().unwrap().get(&key).copied();
        Ok(Some(Box::new(RottenSource { source, wrong })))
    }

    fn create(&self, path: &str, number: u64, len: u64) -> Result<Box<dyn Draft>> {
        let draft = self.store.create(path, number, len)?;
        Ok(Box::new(Fresh { draft, path: path.to_owned(), rot: Arc::clone(&self.rot) }))
    }

    fn settle(
        &self,
        path: &str,
        number: u64,
        replaced: Option<&Identity>,
        draft: Option<&Identity>,
    ) -> Result<()> {
        self.store.settle(path, number, replaced, draft)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.store.remove(path)
    }

    fn writes_in_order(&self) -> bool {
        self.store.writes_in_order()
    }
}

/// Everything that can happen to objects, whatever store they are in.
fn live(inner: &Arc<dyn Inner>, long: usize) {
    let work = tempfile::tempdir().unwrap();
    let data = Rotten::new(Arc::clone(inner));
    let parity = Arc::new(ObjectStore::new(Arc::clone(inner), "parity", "parity").unwrap());
    let open = || {
        let (data, parity) = (Arc::clone(&data), Arc::clone(&parity));
        Protection::open_with_hook(data, parity, &work.path().join("db"), Hook::default()).unwrap()
    };
    let run = Run { threads: 3, ..Run::simple() };
    let policy = options("RS-3-2-256k");
    let mut random = Random::new(71);
    let film = random.bytes(long);
    data.put("film", &film);
    let small: Vec<Vec<u8>> = (0..7).map(|number| random.bytes(3000 + number)).collect();
    for (number, content) in small.iter().enumerate() {
        data.put(&format!("photos/2024/{number}"), content);
    }
    data.put("empty", b"");
    let report = open().protect(&all(), &policy, &run).unwrap();
    assert_eq!((report.protected.files, report.parity_files), (9, 3), "{report:?}");
    let report = open().protect(&all(), &policy, &run).unwrap();
    assert_eq!((report.protected.files, report.unchanged.files), (0, 9), "{report:?}");
    assert!(open().scrub(&all(), &run).unwrap().is_clean());

    data.rot("film", long as u64 / 2);
    data.rot("photos/2024/3", 0);
    let report = open().scrub(&all(), &run).unwrap();
    let damaged: Vec<&str> = report.damaged_files.iter().map(|file| &*file.path).collect();
    assert_eq!(damaged, ["film", "photos/2024/3"]);
    let mut read = Vec::new();
    let (start, end) = (long as u64 / 2 - 10, long as u64 / 2 + 200);
    let mut output = |bytes: &[u8]| {
        read.extend_from_slice(bytes);
        Ok(())
    };
    let report = open().read("film", start, Some(end), &run, &mut output).unwrap();
    assert!(matches!(report.healing, Healing::Chunks(1..)), "{report:?}");
    assert!(read == film[start as usize..end as usize]);
    assert!(data.get("film") != film);
    let report = open().heal(&all(), &run).unwrap();
    assert!(report.is_clean() && report.damaged_files.len() == 2, "{report:?}");
    assert!(data.get("film") == film && data.get("photos/2024/3") == small[3]);
    assert!(open().scrub(&all(), &run).unwrap().is_clean());

    // An owner who writes is not written over; what shared its parity gets new.
    data.rot("photos/2024/5", 10);
    data.put("photos/2024/4", b"its owner's");
    data.remove("photos/2024/6").unwrap();
    let report = open().heal(&all(), &run).unwrap();
    assert_eq!(report.changed.len(), 2, "{report:?}");
    assert_eq!(report.damaged_files[0].outcome, Outcome::Healed, "{report:?}");
    assert_eq!(data.get("photos/2024/4"), b"its owner's");
    let report = open().protect(&all(), &policy, &run).unwrap();
    assert_eq!((report.protected.files, report.regrouped.files), (1, 5), "{report:?}");
    assert!(data.get("photos/2024/5") == small[5]);

    // The last moment: the object that was meant is no longer there.
    let meant = data.entry("photos/2024/5").unwrap().unwrap().identity;
    let draft = data.create("photos/2024/5", 1, 6).unwrap();
    draft.write_at(b"healed", 0).unwrap();
    data.put("photos/2024/5", b"newer");
    assert_eq!(draft.publish(Publish::InPlaceOf(&meant)).unwrap(), Published::Changed);
    assert_eq!(data.get("photos/2024/5"), b"newer");
    let draft = data.create("photos/2024/5", 2, 6).unwrap();
    draft.write_at(b"second", 0).unwrap();
    assert!(draft.publish(Publish::New).is_err());
    assert_eq!(data.get("photos/2024/5"), b"newer");
    // A reader of what was there before is told, and not given a mixture.
    let source = data.open("film").unwrap().unwrap();
    data.put("film", &film[1..]);
    assert!(source.read_at(&mut [0; 10], 0).is_err());

    // All of it without the metastore.
    open().protect(&all(), &policy, &run).unwrap();
    std::fs::remove_file(work.path().join("db")).unwrap();
    let (data_store, parity_store) = (Arc::clone(&data), Arc::clone(&parity));
    let (protection, report) =
        Protection::rescan(data_store, parity_store, &work.path().join("db"), &run).unwrap();
    assert_eq!((report.protected.files, report.gone), (8, 0), "{report:?}");
    drop(protection);
    data.rot("film", 0);
    assert!(open().heal(&all(), &run).unwrap().is_clean());
    assert!(data.get("film") == film[1..]);
    let nowhere = open().read("nowhere", 0, None, &run, &mut |_| Ok(()));
    assert!(matches!(nowhere, Err(Error::Refused(_))));
}

#[test]
fn objects_in_memory_are_protected_healed_and_never_written_over() {
    let memory: Arc<dyn Inner> = Arc::new(object_store::memory::InMemory::new());
    live(&memory, 5_000_000);
}

#[test]
fn objects_of_several_parts_are_healed() {
    let memory: Arc<dyn Inner> = Arc::new(object_store::memory::InMemory::new());
    live(&memory, 70_000_000);
}

/// A bucket of its own on the server.
fn bucket(moto: &Moto, name: &str) -> Arc<dyn Inner> {
    moto.request("PUT", name, &[]);
    // A second test finds it chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = object_store::aws::AmazonS3Builder::new()
        .with_endpoint(format!("http://127.0.0.1:{}", moto.port))
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(name)
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .build()
        .unwrap();
    Arc::new(store)
}

#[test]
fn objects_on_an_s3_server_are_protected_healed_and_never_written_over() {
    let test = "objects_on_an_s3_server_are_protected_healed_and_never_written_over";
    let Some(moto) = Moto::start(|why| skip(test, why)) else { return };
    live(&bucket(&moto, "first"), 5_000_000);
}
