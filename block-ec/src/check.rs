//! Everything of a set is read once, and it is found out what is wrong and what can be rebuilt.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::header::Header;
use crate::identity::Identity;
use crate::protection::{Protection, read_header};
use crate::run::{Progress, Run, Turns, for_each};
use crate::set::{Loaded, Set};

/// What was found in a set.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What was found of each member.
    pub(crate) members: Vec<Finding>,
    /// Chunks of parity units that are wrong.
    pub(crate) parity_bad: u64,
    /// Chunks of these that cannot be computed again.
    pub(crate) parity_lost: u64,
    /// Whether the parity file ends as it should: with its header.
    pub(crate) tail_is_good: bool,
    /// Bytes that were read.
    pub(crate) bytes_read: u64,
}

/// What was found of a member.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    /// Chunks that are wrong or not there.
    pub(crate) bad: u64,
    /// Chunks of these that cannot be rebuilt.
    pub(crate) lost: u64,
    /// Bytes in bad chunks.
    pub(crate) bad_bytes: u64,
    /// Whether all chunks are right and their digest is not: what is wrong cannot be told.
    pub(crate) digest_is_wrong: bool,
    /// Who the file was before it was read; `None` where there is none.
    pub(crate) before: Option<Identity>,
    /// Why it could not be looked at.
    pub(crate) unreadable: Option<Error>,
}

impl Findings {
    /// Whether the parity file has to be made anew.
    pub(crate) fn parity_is_bad(&self) -> bool {
        self.parity_bad > 0 || !self.tail_is_good
    }
}

impl Protection {
    /// Reads and verifies all of a set.
    pub(crate) fn check(&self, set: &Set, threads: usize, run: &Run<'_>) -> Result<Findings> {
        let mut findings = Findings::default();
        for member in 0..set.header.members.len() {
            let mut finding = Finding::default();
            // Without the right to read a file nothing can be said of it, and that is no damage.
            match self.data.open(&set.path(member)) {
                Ok(Some(source)) => finding.before = Some(source.identity()?),
                Ok(None) => {}
                Err(error) => finding.unreadable = Some(error),
            }
            findings.members.push(finding);
        }
        findings.tail_is_good = self.tail_is_good(set);
        let hashers = vec![blake3::Hasher::new(); set.header.members.len()];
        let turns = Turns::new((findings, hashers));
        let groups = set.header.geometry.groups() as usize;
        let threads = run.threads_holding(set.group_bytes()).min(threads);
        let failure = Mutex::new(None);
        let ended = for_each(groups, threads, Loaded::default, |loaded, number| {
            let mut work = || -> Result<()> {
                set.load(number as u64, None, self.stores(), run, loaded)?;
                let group = set.header.geometry.group(number as u64);
                turns.take(number, |(findings, hashers)| {
                    for (member, range) in set.members_in(group.stream.clone()) {
                        let start = (range.start - group.stream.start) as usize;
                        let len = (range.end - range.start) as usize;
                        hashers[member].update(&loaded.data[start..start + len]);
                    }
                    findings.add_bad(set, loaded);
                    Ok(())
                })?;
                if !loaded.bad_data.is_empty() || !loaded.bad_parity.is_empty() {
                    set.repair(number as u64, loaded)?;
                }
                (run.progress)(Progress::Done(group.stream.end - group.stream.start));
                Ok(())
            };
            work().map_err(|error| {
                turns.give_up();
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                Error::Stopped
            })?;
            turns.add(|(findings, _)| findings.add_lost(loaded));
            Ok(())
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        ended?;
        let (mut findings, hashers) = turns.into_inner();
        for ((finding, member), hasher) in
            findings.members.iter_mut().zip(&set.header.members).zip(hashers)
        {
            finding.digest_is_wrong =
                finding.bad == 0 && *hasher.finalize().as_bytes() != member.digest;
        }
        Ok(findings)
    }

    /// Whether the parity file ends with the set's header.
    fn tail_is_good(&self, set: &Set) -> bool {
        let same = |header: &Header| *header == set.header;
        read_header(&*self.parity, &set.parity_path).is_ok_and(|header| same(&header))
    }
}

impl Findings {
    fn add_bad(&mut self, set: &Set, loaded: &Loaded) {
        self.bytes_read += loaded.bytes_read;
        self.parity_bad += loaded.bad_parity.len() as u64;
        for &chunk in &loaded.bad_data {
            let range = set.chunk_stream(chunk);
            let finding = &mut self.members[chunk.of];
            finding.bad += 1;
            finding.bad_bytes += range.end - range.start;
        }
    }

    fn add_lost(&mut self, loaded: &Loaded) {
        self.parity_lost += loaded.bad_parity.len() as u64;
        for chunk in &loaded.bad_data {
            self.members[chunk.of].lost += 1;
        }
    }
}
