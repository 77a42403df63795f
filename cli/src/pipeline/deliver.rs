//! The far end of decoding: hashing and writing windows in the order of the file, whatever
//! order they come in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest, Sha256};

use super::Trouble;
use super::decode::{Buffers, Window};
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::folder::manifest::Sha256Digest;
use crate::io::write_all_at;

/// Cells smaller than this are put together before they are written.
const SMALL_CELL: u64 = 64 << 10;

/// Where the bytes go.
pub enum Target<'a> {
    /// A file that can be written anywhere.
    File(&'a File),
    /// Anything else: bytes are written in order.
    Stream(&'a mut (dyn Write + Send)),
}

/// What the consumers of windows have in common.
#[derive(Clone)]
pub(super) struct Consumers<'a> {
    pub(super) folder: &'a Folder,
    pub(super) target_path: &'a Path,
    pub(super) trouble: &'a Trouble,
    /// Where buffers go when the last consumer has done with them.
    pub(super) free: Sender<Buffers>,
    /// Windows that may be on their way.
    pub(super) capacity: usize,
}

impl<'a> Consumers<'a> {
    /// Starts the thread that hashes.
    pub(super) fn hash<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
    ) -> (Sender<Arc<Window>>, ScopedJoinHandle<'scope, Sha256Digest>)
    where
        'a: 'scope,
    {
        let (windows_in, windows) = bounded(self.capacity);
        let own = self.clone();
        let thread = scope.spawn(move || {
            let mut hasher = Sha256::new();
            own.in_order(&windows, |window| {
                window.in_order(own.folder)?.for_each(|bytes| hasher.update(bytes));
                Ok(())
            });
            hasher.finalize().into()
        });
        (windows_in, thread)
    }

    /// Starts the thread that writes. One is enough: a file takes one write at a time.
    pub(super) fn write<'scope, 't>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        mut target: Target<'t>,
    ) -> Sender<Arc<Window>>
    where
        'a: 'scope,
        't: 'scope,
    {
        let (windows_in, windows) = bounded(self.capacity);
        let own = self.clone();
        scope.spawn(move || {
            let mut gathered = Vec::new();
            own.in_order(&windows, |window| own.write_window(window, &mut target, &mut gathered));
            if let Target::Stream(stream) = &mut target {
                own.trouble.note(
                    stream.flush().map_err(|error| Failure::io("write", own.target_path, error)),
                );
            }
        });
        windows_in
    }

    fn write_window(
        &self,
        window: &Window,
        target: &mut Target<'_>,
        gathered: &mut Vec<u8>,
    ) -> Result<()> {
        let mut position = window.position;
        let mut write = |bytes: &[u8]| {
            let written = match target {
                Target::File(file) => write_all_at(file, bytes, position),
                Target::Stream(stream) => stream.write_all(bytes),
            };
            written.map_err(|error| Failure::io_at("write", self.target_path, position, error))?;
            position += bytes.len() as u64;
            Ok(())
        };
        let mut pieces = window.in_order(self.folder)?;
        if self.folder.geometry().cell_size() >= SMALL_CELL {
            return pieces.try_for_each(write);
        }
        gathered.clear();
        pieces.for_each(|bytes| gathered.extend_from_slice(bytes));
        write(gathered)
    }

    /// Calls `take` with each window in turn, and gives back its buffers.
    fn in_order(
        &self,
        windows: &Receiver<Arc<Window>>,
        mut take: impl FnMut(&Window) -> Result<()>,
    ) {
        let mut early: BTreeMap<u64, Arc<Window>> = BTreeMap::new();
        let mut next = 0;
        for window in windows {
            early.insert(window.number, window);
            while let Some(window) = early.remove(&next) {
                next += 1;
                if !self.trouble.stopped() {
                    self.trouble.note(take(&window));
                }
                if let Some(window) = Arc::into_inner(window) {
                    // Nobody waits for buffers any more when the feeding thread has gone.
                    let _ = self.free.send(window.into_buffers());
                }
            }
        }
    }
}
