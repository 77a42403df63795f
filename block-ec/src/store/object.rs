//! Object stores, through the crate `object_store`: S3 and what speaks its language, memory.
//!
//! An object is who it is by its entity tag. Reads are conditional on it, so that what two versions
//! say is never mixed; so is the write of a healed object of up to 64 MiB. Longer ones are uploaded
//! in parts, and a store cannot make the end of that conditional: the object is looked at right
//! before it, and an owner who writes in that moment is not seen.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    Attributes, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore as Inner,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, UpdateVersion,
};
use tokio::runtime::Runtime;

use super::local::OWN_FOLDER;
use super::{Draft, Found, Publish, Published, Source, Store};
use crate::error::{Error, Result};
use crate::identity::{Entry, Identity, join};

/// The longest object that is put in one piece.
const ONE_PIECE: u64 = 64 << 20;
/// Bytes of a part of longer ones, and the most parts that stores take, with some to spare.
const PART: u64 = 8 << 20;
const MOST_PARTS: u64 = 9_000;

/// Objects under a prefix.
#[derive(Debug)]
pub struct ObjectStore {
    inner: Arc<dyn Inner>,
    prefix: String,
    name: String,
    runtime: Arc<Runtime>,
    /// Left out of listings, with all that is below.
    without: Vec<String>,
}

impl ObjectStore {
    /// The objects of a store whose paths begin with `prefix`; all of them where it is empty.
    /// `name` is for people.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use restripe_block_ec::ObjectStore;
    /// let memory = Arc::new(object_store::memory::InMemory::new());
    /// let store = ObjectStore::new(memory, "photos", "memory")?;
    /// # Ok::<(), restripe_block_ec::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where no threads can be had to wait for the network.
    pub fn new(
        inner: Arc<dyn Inner>,
        prefix: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Self> {
        let name = name.into();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Error::store("begin to use", &*name))?;
        let (prefix, runtime) = (prefix.into(), Arc::new(runtime));
        Ok(Self { inner, prefix, name, runtime, without: Vec::new() })
    }

    /// Leaves what is at a path, or below it, out of listings.
    #[must_use]
    pub fn without(mut self, path: impl Into<String>) -> Self {
        self.without.push(path.into());
        self
    }

    /// Whether there are no objects under the prefix. It is one request, so it also shows whether
    /// the store answers.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] with what the store says.
    pub fn is_empty(&self) -> Result<bool> {
        let first = || -> io::Result<bool> {
            let prefix = Path::parse(&self.prefix).map_err(io::Error::other)?;
            let prefix = (!self.prefix.is_empty()).then_some(&prefix);
            let mut objects = self.inner.list(prefix);
            Ok(self.runtime.block_on(objects.try_next())?.is_none())
        };
        first().map_err(Error::store("list", &*self.name))
    }

    fn location(&self, path: &str) -> io::Result<Path> {
        Path::parse(join(&self.prefix, path)).map_err(io::Error::other)
    }

    fn head(&self, path: &str) -> io::Result<Option<ObjectMeta>> {
        let location = self.location(path)?;
        found(self.runtime.block_on(self.inner.head(&location)))
    }

    fn entry_of(&self, meta: ObjectMeta) -> Entry {
        let path = meta.location.as_ref();
        let path = path.strip_prefix(self.prefix.as_str()).unwrap_or(path);
        let path = path.trim_start_matches('/').to_owned();
        Entry { path, identity: identity(&meta), owner: String::new() }
    }

    fn list_folder(&self, folder: &str, found: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        let whole = join(&self.prefix, folder);
        let whole = whole.trim_end_matches('/');
        let listed = Path::parse(whole).map_err(io::Error::other).and_then(|prefix| {
            let prefix = (!whole.is_empty()).then_some(&prefix);
            Ok(self.runtime.block_on(self.inner.list_with_delimiter(prefix))?)
        });
        let mut listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                let (path, why) = (folder.to_owned(), error.to_string());
                return found(Found::Skipped { path, why, matters: true });
            }
        };
        listed.objects.sort_by(|a, b| a.location.cmp(&b.location));
        for object in listed.objects {
            let entry = self.entry_of(object);
            if !self.without.contains(&entry.path) {
                found(Found::File(entry))?;
            }
        }
        for below in listed.common_prefixes {
            let name = below.filename().unwrap_or_default();
            let path = join(folder, name);
            if name != OWN_FOLDER && !self.without.contains(&path) {
                self.list_folder(&path, found)?;
            }
        }
        Ok(())
    }
}

/// `None` for what is not there.
fn found<T>(result: object_store::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn identity(meta: &ObjectMeta) -> Identity {
    Identity {
        len: meta.size,
        // Listings tell milliseconds where answers about one object tell seconds.
        modified: meta.last_modified.timestamp().saturating_mul(1_000_000_000),
        version: meta.e_tag.clone().or_else(|| meta.version.clone()).unwrap_or_default(),
        ..Identity::default()
    }
}

impl Store for ObjectStore {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn list(&self, under: &str, found: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        if !under.is_empty()
            && let Some(entry) = self.entry(under)?
        {
            return found(Found::File(entry));
        }
        let mut nothing = true;
        self.list_folder(under, &mut |one| {
            nothing = false;
            found(one)
        })?;
        if nothing && !under.is_empty() {
            let (path, why) = (under.to_owned(), "there is no such object".to_owned());
            return found(Found::Skipped { path, why, matters: true });
        }
        Ok(())
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>> {
        let meta = self.head(path).map_err(Error::store("look at", path))?;
        Ok(meta.map(|meta| self.entry_of(meta)))
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Source>>> {
        let open = || {
            let Some(meta) = self.head(path)? else { return Ok(None) };
            let store = Self {
                inner: Arc::clone(&self.inner),
                prefix: self.prefix.clone(),
                name: self.name.clone(),
                runtime: Arc::clone(&self.runtime),
                without: Vec::new(),
            };
            let source = ObjectSource { store, path: path.to_owned(), meta };
            Ok(Some(Box::new(source) as Box<dyn Source>))
        };
        open().map_err(Error::store("open", path))
    }

    fn create(&self, path: &str, _number: u64, len: u64) -> Result<Box<dyn Draft>> {
        let begin = || -> io::Result<ObjectDraft> {
            let location = self.location(path)?;
            let upload = async {
                // What is kept with an object: its type, its metadata.
                let options = GetOptions { head: true, ..GetOptions::default() };
                let there = found(self.inner.get_opts(&location, options).await)?;
                let attributes = there.map(|there| there.attributes).unwrap_or_default();
                let parts = if len > ONE_PIECE - PART {
                    let options = PutMultipartOptions::from(attributes.clone());
                    Some(self.inner.put_multipart_opts(&location, options).await?)
                } else {
                    None
                };
                io::Result::Ok((attributes, parts))
            };
            let (attributes, parts) = self.runtime.block_on(upload)?;
            let state = State { bytes: Vec::new(), end: 0, parts };
            Ok(ObjectDraft {
                inner: Arc::clone(&self.inner),
                runtime: Arc::clone(&self.runtime),
                path: path.to_owned(),
                location,
                attributes,
                // Header and footer come on top of the length.
                part_len: PART.max(len.div_ceil(MOST_PARTS)) as usize,
                state: Mutex::new(state),
            })
        };
        let draft = begin().map_err(Error::store("write", path))?;
        Ok(Box::new(draft))
    }

    /// Nothing is to be cleaned up: a draft becomes an object by its last request or not at all.
    /// (Parts of uploads that died are the store's to remove: S3 has a lifecycle rule for that.)
    fn settle(
        &self,
        _path: &str,
        _number: u64,
        _replaced: Option<&Identity>,
        _draft: Option<&Identity>,
    ) -> Result<()> {
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        let remove = || {
            let location = self.location(path)?;
            found(self.runtime.block_on(self.inner.delete(&location)))
        };
        remove().map(drop).map_err(Error::store("remove", path))
    }

    fn writes_in_order(&self) -> bool {
        true
    }
}

struct ObjectSource {
    store: ObjectStore,
    path: String,
    meta: ObjectMeta,
}

impl Source for ObjectSource {
    fn identity(&self) -> Result<Identity> {
        let meta = self.store.head(&self.path).map_err(Error::store("look at", &*self.path))?;
        let changed = || Error::Changed { path: self.path.clone() };
        Ok(identity(&meta.ok_or_else(changed)?))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = self.meta.size.min(offset.saturating_add(buffer.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(offset..end)),
            if_match: self.meta.e_tag.clone(),
            ..GetOptions::default()
        };
        let bytes = self.store.runtime.block_on(async {
            self.store.inner.get_opts(&self.meta.location, options).await?.bytes().await
        })?;
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }
}

struct ObjectDraft {
    inner: Arc<dyn Inner>,
    runtime: Arc<Runtime>,
    path: String,
    location: Path,
    attributes: Attributes,
    part_len: usize,
    state: Mutex<State>,
}

struct State {
    /// What has been written and not been sent.
    bytes: Vec<u8>,
    /// Where the next byte belongs.
    end: u64,
    /// Where the object is too long for one piece: its parts.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Draft for ObjectDraft {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let write = |state: &mut State| -> io::Result<()> {
            if offset != state.end {
                return Err(io::Error::other("objects are written from their first byte on"));
            }
            state.bytes.extend_from_slice(bytes);
            state.end += bytes.len() as u64;
            let State { bytes, parts: Some(parts), .. } = state else { return Ok(()) };
            while bytes.len() >= self.part_len {
                let rest = bytes.split_off(self.part_len);
                let part = std::mem::replace(bytes, rest);
                self.runtime.block_on(parts.put_part(PutPayload::from(part)))?;
            }
            Ok(())
        };
        write(&mut state).map_err(Error::store("write", &*self.path))
    }

    fn sync(&mut self) -> Result<Identity> {
        Ok(Identity::default())
    }

    fn read_back(&self) -> Result<Option<Box<dyn Source>>> {
        Ok(None)
    }

    fn publish(self: Box<Self>, how: Publish<'_>) -> Result<Published> {
        let mut state = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let empty = State { bytes: Vec::new(), end: 0, parts: None };
            std::mem::replace(&mut *state, empty)
        };
        let rest = PutPayload::from(std::mem::take(&mut state.bytes));
        let publish = async {
            let there = found(self.inner.head(&self.location).await)?;
            let mode = match (how, &there) {
                (Publish::New, None) => PutMode::Create,
                (Publish::InPlaceOf(meant), Some(there)) if identity(there) == *meant => {
                    let (e_tag, version) = (there.e_tag.clone(), there.version.clone());
                    PutMode::Update(UpdateVersion { e_tag, version })
                }
                (Publish::New, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                (Publish::InPlaceOf(_), _) => {
                    if let Some(parts) = &mut state.parts {
                        parts.abort().await?;
                    }
                    return Ok(Published::Changed);
                }
            };
            let put = if let Some(parts) = &mut state.parts {
                if rest.content_length() > 0 {
                    parts.put_part(rest).await?;
                }
                parts.complete().await?
            } else {
                let attributes = self.attributes.clone();
                let options = PutOptions { mode, attributes, ..PutOptions::default() };
                match self.inner.put_opts(&self.location, rest, options).await {
                    Err(
                        object_store::Error::Precondition { .. }
                        | object_store::Error::NotFound { .. },
                    ) => return Ok(Published::Changed),
                    other => other?,
                }
            };
            let now = self.inner.head(&self.location).await?;
            // Between the two its owner may have written it.
            let ours = put.e_tag.is_none() || put.e_tag == now.e_tag;
            Ok(if ours { Published::Done(identity(&now)) } else { Published::Changed })
        };
        self.runtime.block_on(publish).map_err(Error::store("write", &*self.path))
    }
}

impl Drop for ObjectDraft {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut parts) = state.parts.take() {
            // Parts that stay are the store's to remove.
            let _ = self.runtime.block_on(parts.abort());
        }
    }
}
