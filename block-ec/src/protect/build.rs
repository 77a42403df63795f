//! One parity file is made: its files are read, its parity is written, verified and recorded.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use restripe::ErasureCode;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};

use super::ProtectOptions;
use super::parity_draft::ParityDraft;
use super::survey::{Candidate, Work};
use crate::error::{Error, Result};
use crate::geometry::{self, Geometry};
use crate::header::{Header, Member};
use crate::identity::Identity;
use crate::metastore::Change;
use crate::protection::Protection;
use crate::report::{Count, Problem};
use crate::run::{Progress, Run, Turns, for_each, now};
use crate::set::encode;
use crate::state::State;
use crate::store::Source;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) protected: Count,
    pub(super) regrouped: Count,
    pub(super) parity_bytes: u64,
    pub(super) problems: Vec<Problem>,
}

/// Memory that one thread uses for one group after the other.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    data: Vec<u8>,
    parity: Vec<u8>,
}

/// A file as it was read.
struct ReadFile<'a> {
    candidate: &'a Candidate,
    member: Member,
}

/// What reading the files gave: the stream's files, and what stays out of it.
#[derive(Default)]
struct Stream<'a> {
    files: Vec<ReadFile<'a>>,
    sums: Vec<u8>,
    left_out: Vec<(&'a Candidate, Error, bool)>,
}

impl Protection {
    /// Makes the parity file of some files. What keeps a single file out of it is among the
    /// problems; the others go on.
    pub(super) fn build(
        &self,
        work: &Work,
        options: &ProtectOptions,
        threads: usize,
        buffers: &mut Buffers,
        run: &Run<'_>,
    ) -> Result<Built> {
        let sequence = self.metastore.change(|change| {
            for candidate in work.candidates.iter().filter(|candidate| candidate.is_new()) {
                let (path, identity) = (&candidate.entry.path, &candidate.entry.identity);
                let state = State::ParityUnderConstruction;
                if !change.add_file(path, identity, state)? {
                    change.set_changed(path)?;
                    change.set_state(path, state)?;
                }
            }
            change.begin_build()
        })?;
        let made = self.make(work, sequence, options, threads, buffers, run);
        let (header, parity_bytes, stream) = match made {
            Ok(made) => made,
            Err(error) => {
                let is_undone = self.undo_build(sequence);
                // If even this fails, the next start does it.
                self.metastore.change(|change| {
                    give_up(change, work.candidates.iter())?;
                    if is_undone { change.end(sequence) } else { Ok(()) }
                })?;
                if !error.is_about_one_file() {
                    return Err(error);
                }
                let problem = match work.candidates.as_slice() {
                    [candidate] => Problem::new(&candidate.entry.path, error.to_string()),
                    _ => Problem::new(&work.folder, error.to_string()),
                };
                return Ok(Built { problems: vec![problem], ..Built::default() });
            }
        };
        self.record(sequence, header, parity_bytes, stream, options)
    }

    /// Reads the files and writes the parity file. `None` for the header where nothing was left to
    /// protect.
    fn make<'a>(
        &self,
        work: &'a Work,
        sequence: u64,
        options: &ProtectOptions,
        threads: usize,
        buffers: &mut Buffers,
        run: &Run<'_>,
    ) -> Result<(Option<Header>, u64, Stream<'a>)> {
        let code = options.policy.code()?;
        let stream_len = work.bytes();
        let unit_len = options.policy.cell_size();
        let mut geometry = Geometry {
            data_units: code.data_units(),
            parity_units: code.parity_units(),
            sub_shards: code.sub_shards() as u64,
            unit_len,
            stream_len,
            chunk_len: geometry::chunk_len(stream_len, unit_len, code.data_units()),
        };
        geometry::check(&geometry)
            .map_err(|what| Error::Refused(format!("{}: {what}", work.folder)))?;
        let maker = Maker { work, code: &*code, threads, run };
        let begin = |geometry: &Geometry| {
            ParityDraft::begin(&*self.parity, sequence, geometry.parity_len())
        };
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, geometry.chunk_len as usize)?;
        let (stream, draft, parity_sums) = if geometry.groups() > 1 {
            let draft = begin(&geometry)?;
            let (stream, sums) = self.read_long(&maker, &geometry, &checksum, &draft)?;
            (stream, draft, sums)
        } else {
            let stream = self.read_short(&maker, &checksum, &mut buffers.data)?;
            if stream.files.is_empty() {
                return Ok((None, 0, stream));
            }
            geometry.stream_len = buffers.data.len() as u64;
            let draft = begin(&geometry)?;
            let sums = write_group(&maker, &geometry, &checksum, 0, buffers, &draft)?;
            (stream, draft, sums)
        };
        let header = Header {
            sequence,
            policy: options.policy,
            geometry,
            folder: work.folder.clone(),
            owner: work.owner.clone(),
            members: stream.files.iter().map(|file| file.member.clone()).collect(),
            data_sums: stream.sums.clone(),
            parity_sums,
        };
        let parity_bytes = draft.finish(&header, &*self.parity, threads, run)?;
        Ok((Some(header), parity_bytes, stream))
    }

    /// Reads files that fit into a group, one behind the other.
    fn read_short<'a>(
        &self,
        maker: &Maker<'a, '_>,
        checksum: &ChunkedChecksum,
        data: &mut Vec<u8>,
    ) -> Result<Stream<'a>> {
        let mut stream = Stream::default();
        make_room(data, maker.work.bytes() as usize);
        let mut start = 0;
        let candidates = &maker.work.candidates;
        let latest = candidates.iter().map(|candidate| candidate.entry.identity.modified).max();
        if let Some(latest) =
            candidates.iter().find(|candidate| Some(candidate.entry.identity.modified) == latest)
        {
            wait_until_told_apart(&latest.entry.identity);
        }
        for candidate in candidates {
            maker.run.before_reading(candidate.entry.identity.len)?;
            let entry = &candidate.entry;
            let bytes = &mut data[start..start + entry.identity.len as usize];
            match self.read_file(candidate, bytes) {
                Ok(digest) => {
                    let sums = checksum.sums_len(entry.identity.len)? as usize;
                    let at = stream.sums.len();
                    stream.sums.resize(at + sums, 0);
                    checksum.compute(bytes, &mut stream.sums[at..])?;
                    let member = Member {
                        name: crate::split(&entry.path).1.to_owned(),
                        identity: entry.identity.clone(),
                        start: start as u64,
                        digest,
                    };
                    stream.files.push(ReadFile { candidate, member });
                    start += bytes.len();
                }
                Err((error, damaged)) => stream.left_out.push((candidate, error, damaged)),
            }
            (maker.run.progress)(Progress::Done(entry.identity.len));
        }
        data.truncate(start);
        Ok(stream)
    }

    /// Reads a file, if it is who it was and, where it has parity, what it was. Returns its digest;
    /// the error says whether the file is damaged.
    fn read_file(
        &self,
        candidate: &Candidate,
        bytes: &mut [u8],
    ) -> std::result::Result<[u8; 32], (Error, bool)> {
        let (path, identity) = (&candidate.entry.path, &candidate.entry.identity);
        let sound = |error| (error, false);
        let changed = || sound(Error::Changed { path: path.clone() });
        let source = self.data.open(path).map_err(sound)?.ok_or_else(changed)?;
        if source.identity().map_err(sound)? != *identity {
            return Err(changed());
        }
        let read = source.read_at(bytes, 0);
        let read = read.map_err(|source| {
            // Of a file with parity, what cannot be read is damage, and can be healed.
            let damaged = candidate.expected.is_some();
            (Error::store("read", path.clone())(source), damaged)
        })?;
        if read != bytes.len() || source.identity().map_err(sound)? != *identity {
            return Err(changed());
        }
        let digest = *blake3::hash(bytes).as_bytes();
        if candidate.expected.is_some_and(|expected| expected != digest) {
            let lost = Error::Refused(format!("{path} is damaged: heal it first"));
            return Err((lost, true));
        }
        Ok(digest)
    }

    /// Reads a file of several groups and writes their parity, by several threads.
    fn read_long<'a>(
        &self,
        maker: &Maker<'a, '_>,
        geometry: &Geometry,
        checksum: &ChunkedChecksum,
        draft: &ParityDraft,
    ) -> Result<(Stream<'a>, Vec<u8>)> {
        let [candidate] = maker.work.candidates.as_slice() else {
            return Err(Error::Refused("several files do not fit into a group".to_owned()));
        };
        let (path, identity) = (&candidate.entry.path, &candidate.entry.identity);
        let changed = || Error::Changed { path: path.clone() };
        wait_until_told_apart(identity);
        let source = self.data.open(path)?.ok_or_else(changed)?;
        if source.identity()? != *identity {
            return Err(changed());
        }
        let groups = geometry.groups() as usize;
        let digest = Turns::new(blake3::Hasher::new());
        let in_order = self.parity.writes_in_order().then(|| Turns::new(()));
        let sums = Mutex::new((
            vec![0; geometry.sums_len(identity.len) as usize],
            vec![0; geometry.parity_sums_len() as usize],
        ));
        let bytes =
            geometry.group_len() + geometry.group(0).parity_len * geometry.parity_units as u64;
        let threads = maker.run.threads_holding(bytes).min(maker.threads);
        let one = |buffers: &mut Buffers, number: usize| -> Result<()> {
            let group = geometry.group(number as u64);
            let len = (group.stream.end - group.stream.start) as usize;
            maker.run.before_reading(len as u64)?;
            read_group(&*source, &mut buffers.data, group.stream.start, len, path)?;
            digest.take(number, |hasher| {
                hasher.update(&buffers.data);
                Ok(())
            })?;
            let mut data_sums = vec![0; geometry.sums_len(len as u64) as usize];
            checksum.compute(&buffers.data, &mut data_sums)?;
            let parity_sums = match &in_order {
                None => write_group(maker, geometry, checksum, number, buffers, draft)?,
                Some(turns) => turns.take(number, |()| {
                    write_group(maker, geometry, checksum, number, buffers, draft)
                })?,
            };
            let mut all = sums.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (group.stream.start / geometry.chunk_len * 4) as usize;
            all.0[at..at + data_sums.len()].copy_from_slice(&data_sums);
            let at = geometry.parity_sums_start(number as u64) as usize;
            all.1[at..at + parity_sums.len()].copy_from_slice(&parity_sums);
            (maker.run.progress)(Progress::Done(len as u64));
            Ok(())
        };
        let failure = Mutex::new(None);
        let ended = for_each(groups, threads, Buffers::default, |buffers, number| {
            one(buffers, number).map_err(|error| {
                // Nobody is to wait for this number's turn. The error behind all others is the
                // first one: after it there are no turns.
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                digest.give_up();
                if let Some(turns) = &in_order {
                    turns.give_up();
                }
                Error::Stopped
            })
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        ended?;
        if source.identity()? != *identity {
            return Err(changed());
        }
        let digest = *digest.into_inner().finalize().as_bytes();
        if candidate.expected.is_some_and(|expected| expected != digest) {
            return Err(Error::Refused(format!("{path} is damaged: heal it first")));
        }
        let (data_sums, parity_sums) = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        let member = Member {
            name: crate::split(path).1.to_owned(),
            identity: identity.clone(),
            start: 0,
            digest,
        };
        let files = vec![ReadFile { candidate, member }];
        Ok((Stream { files, sums: data_sums, left_out: Vec::new() }, parity_sums))
    }

    /// Records a parity file and its files in one transaction, and removes what it replaces.
    fn record(
        &self,
        sequence: u64,
        header: Option<Header>,
        parity_bytes: u64,
        stream: Stream<'_>,
        options: &ProtectOptions,
    ) -> Result<Built> {
        let mut built = Built { parity_bytes, ..Built::default() };
        let jobs = self.metastore.change(|change| {
            if let Some(header) = &header {
                let at = Some(now());
                let parity = change.add_parity(header, at)?;
                for (number, ReadFile { candidate, member }) in stream.files.iter().enumerate() {
                    let path = &candidate.entry.path;
                    change.set_protected(path, &member.identity, parity, number, at)?;
                }
            }
            for (candidate, _, damaged) in &stream.left_out {
                if *damaged {
                    let file = change.file(&candidate.entry.path)?;
                    if file.is_some_and(|file| file.state == State::Healthy) {
                        change.set_state(&candidate.entry.path, State::Corrupted)?;
                    }
                }
            }
            give_up(change, stream.left_out.iter().map(|(candidate, ..)| *candidate))?;
            let mut left: Vec<i64> =
                stream.files.iter().filter_map(|file| file.candidate.leaves).collect();
            left.extend(stream.left_out.iter().filter_map(|(candidate, ..)| candidate.leaves));
            left.sort_unstable();
            left.dedup();
            let jobs = change.retire(&left)?;
            change.end(sequence)?;
            Ok(jobs)
        })?;
        self.remove_retired(&jobs)?;
        for ReadFile { candidate, member } in &stream.files {
            let count =
                if candidate.is_new() { &mut built.protected } else { &mut built.regrouped };
            count.add(member.identity.len);
            if let Some(copies) = options.replication {
                self.data.set_replication(&candidate.entry.path, copies)?;
            }
        }
        built.problems = stream
            .left_out
            .into_iter()
            .map(|(candidate, error, _)| Problem::new(&candidate.entry.path, error.to_string()))
            .collect();
        Ok(built)
    }
}

/// What making a parity file needs to know all the time.
struct Maker<'w, 'a> {
    work: &'w Work,
    code: &'a dyn ErasureCode,
    threads: usize,
    run: &'a Run<'a>,
}

/// Gives a buffer a length. What is in it means nothing afterwards.
fn make_room(buffer: &mut Vec<u8>, len: usize) {
    if buffer.capacity() < len {
        // Zeros of the system's, which cost nothing; growing would write and move them.
        *buffer = vec![0; len];
    }
    buffer.resize(len, 0);
}

fn read_group(
    source: &dyn Source,
    data: &mut Vec<u8>,
    start: u64,
    len: usize,
    path: &str,
) -> Result<()> {
    make_room(data, len);
    let read = source.read_at(data, start).map_err(Error::store("read", path))?;
    if read < len { Err(Error::Changed { path: path.to_owned() }) } else { Ok(()) }
}

/// Computes and writes the parity of the group in `buffers`; returns its checksums.
fn write_group(
    maker: &Maker<'_, '_>,
    geometry: &Geometry,
    checksum: &ChunkedChecksum,
    number: usize,
    buffers: &mut Buffers,
    draft: &ParityDraft,
) -> Result<Vec<u8>> {
    if geometry.groups() == 0 {
        return Ok(Vec::new());
    }
    let group = geometry.group(number as u64);
    let (unit, units) = (group.parity_len as usize, geometry.parity_units);
    make_room(&mut buffers.parity, unit * units);
    encode(maker.code, &group, &buffers.data, &mut buffers.parity)?;
    let sums_len = geometry.sums_len(group.parity_len) as usize;
    let mut sums = vec![0; sums_len * units];
    for (unit, sums) in buffers.parity.chunks(unit).zip(sums.chunks_mut(sums_len)) {
        checksum.compute(unit, sums)?;
    }
    draft.write(&buffers.parity, group.parity_start)?;
    Ok(sums)
}

/// Says of files that they stay without parity.
fn give_up<'a>(change: &Change<'_>, candidates: impl Iterator<Item = &'a Candidate>) -> Result<()> {
    for candidate in candidates.filter(|candidate| candidate.is_new()) {
        change.set_state(&candidate.entry.path, State::DataUnderConstruction)?;
    }
    Ok(())
}

/// Waits until a write that comes from now on would give the file another modification time.
///
/// File systems take that time from a clock that ticks every few milliseconds, some every second
/// or two: a file that was written a moment ago could be written again without a trace.
pub(super) fn wait_until_told_apart(identity: &Identity) {
    const TICK: Duration = Duration::from_millis(20);
    const SECONDS: Duration = Duration::from_secs(2);
    if !identity.version.is_empty() {
        return;
    }
    let tick = if identity.modified % 1_000_000_000 == 0 { SECONDS } else { TICK };
    let Ok(modified) = u64::try_from(identity.modified) else { return };
    let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_nanos(modified));
    // A time in the future is not one that a write would give.
    if let Ok(age) = age
        && age < tick
    {
        std::thread::sleep(tick - age);
    }
}
