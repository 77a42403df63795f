//! What can be changed in one transaction.

use std::cell::RefCell;
use std::path::Path;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{FileRecord, Job, ScrubRecord, failed, identity_bytes, read_file, unusable};
use crate::error::Result;
use crate::header::{FOOTER_LEN, Header};
use crate::identity::{Identity, split};
use crate::state::State;

/// Numbers of the kinds of jobs; never given another meaning.
pub(super) const BUILD: i64 = 0;
pub(super) const REMOVE: i64 = 1;
pub(super) const HEAL: i64 = 2;

/// Changes that are made together: see [`Metastore::change`](super::Metastore::change).
#[derive(Debug)]
pub struct Change<'a> {
    transaction: &'a Transaction<'a>,
    path: &'a Path,
    /// The folder that was looked up last: the next file lies in it, as a rule.
    folder: RefCell<Option<(String, i64)>>,
}

impl<'a> Change<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>, path: &'a Path) -> Self {
        Self { transaction, path, folder: RefCell::new(None) }
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize> {
        let executed = self
            .transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters));
        executed.map_err(|error| failed(self.path, &error))
    }

    fn folder(&self, path: &str) -> Result<i64> {
        if let Some((known, id)) = &*self.folder.borrow()
            && known == path
        {
            return Ok(*id);
        }
        self.execute("INSERT OR IGNORE INTO folder (path) VALUES (?1)", [path])?;
        let id = self
            .transaction
            .prepare_cached("SELECT id FROM folder WHERE path = ?1")
            .and_then(|mut statement| statement.query_row([path], |row| row.get(0)));
        let id = id.map_err(|error| failed(self.path, &error))?;
        *self.folder.borrow_mut() = Some((path.to_owned(), id));
        Ok(id)
    }

    /// Notes where data or parity are.
    pub(super) fn set_place(&self, key: &str, value: &str) -> Result<()> {
        self.execute("INSERT OR REPLACE INTO place (key, value) VALUES (?1, ?2)", [key, value])?;
        Ok(())
    }

    /// A file as it is recorded within this transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore), as for all that follow.
    pub fn file(&self, path: &str) -> Result<Option<FileRecord>> {
        let (folder, name) = split(path);
        let sql = format!("{} WHERE folder.path = ?1 AND file.name = ?2", super::SELECT_FILE);
        let row = self
            .transaction
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([folder, name], read_file).optional());
        row.map_err(|error| failed(self.path, &error))
    }

    /// Records a file, without parity, unless it is known. Returns whether it was not.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore), also for a state that a file without parity
    /// cannot be in.
    pub fn add_file(&self, path: &str, identity: &Identity, state: State) -> Result<bool> {
        let first = State::DataUnderConstruction;
        if state != first && !first.may_become(state) {
            return Err(unusable(self.path, &format!("may not begin with {path} {state}"), false));
        }
        let (folder, name) = split(path);
        let folder = self.folder(folder)?;
        let added = self.execute(
            "INSERT INTO file (folder, name, state, identity) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO NOTHING",
            params![folder, name, state.number(), identity_bytes(identity)],
        )?;
        Ok(added == 1)
    }

    /// Changes the state of a file, along [`LEGAL`](crate::state::LEGAL).
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore), also for a change that is not legal or a file
    /// that is not recorded.
    pub fn set_state(&self, path: &str, state: State) -> Result<()> {
        let (folder, name) = split(path);
        let sql = format!("UPDATE file SET state = ?3 WHERE {}", may_become(state));
        let folder = self.folder(folder)?;
        let changed = self.execute(&sql, params![folder, name, state.number()])?;
        self.check_change(changed, path, state)
    }

    /// Tells why a state could not be changed.
    fn check_change(&self, changed: usize, path: &str, state: State) -> Result<()> {
        if changed == 1 {
            return Ok(());
        }
        let message = match self.file(path)? {
            Some(file) => format!("may not call {path} {state}: it is {}", file.state),
            None => format!("does not know {path}"),
        };
        Err(unusable(self.path, &message, false))
    }

    /// Says that a file's owner has changed it: it has no parity any more.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn set_changed(&self, path: &str) -> Result<()> {
        self.set_state(path, State::DataUnderConstruction)?;
        let (folder, name) = split(path);
        let sql = "UPDATE file SET parity = NULL, member = NULL, checked = NULL \
                   WHERE folder = (SELECT id FROM folder WHERE path = ?1) AND name = ?2";
        self.execute(sql, [folder, name])?;
        Ok(())
    }

    /// Says that a file has its parity in a parity file, and is healthy.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn set_protected(
        &self,
        path: &str,
        identity: &Identity,
        parity: i64,
        member: usize,
        checked: Option<i64>,
    ) -> Result<()> {
        let (folder, name) = split(path);
        let sql = format!(
            "UPDATE file SET state = ?3, identity = ?4, parity = ?5, member = ?6, checked = ?7 \
             WHERE {}",
            may_become(State::Healthy)
        );
        let folder = self.folder(folder)?;
        let (state, identity) = (State::Healthy.number(), identity_bytes(identity));
        let values = params![folder, name, state, identity, parity, member as i64, checked];
        let changed = self.execute(&sql, values)?;
        self.check_change(changed, path, State::Healthy)
    }

    /// Says who a file is now that its content was found to be what it was, or has been healed.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn set_identity(&self, path: &str, identity: &Identity) -> Result<()> {
        let (folder, name) = split(path);
        let sql = "UPDATE file SET identity = ?3 \
                   WHERE folder = (SELECT id FROM folder WHERE path = ?1) AND name = ?2";
        self.execute(sql, params![folder, name, identity_bytes(identity)])?;
        Ok(())
    }

    /// Says when all of a file was read and found right.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn set_checked(&self, path: &str, at: i64) -> Result<()> {
        let (folder, name) = split(path);
        let sql = "UPDATE file SET checked = ?3 \
                   WHERE folder = (SELECT id FROM folder WHERE path = ?1) AND name = ?2";
        self.execute(sql, params![folder, name, at])?;
        Ok(())
    }

    /// Gives files their new paths, all at a time: one may have what was another's. What was
    /// recorded of a new path otherwise is forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn move_files(&self, moves: &[(String, String)]) -> Result<()> {
        let mut records = Vec::new();
        for (from, _) in moves {
            records.push(self.file(from)?);
            self.remove_file(from)?;
        }
        for (record, (_, to)) in records.iter().zip(moves) {
            let Some(record) = record else { continue };
            self.remove_file(to)?;
            let (folder, name) = split(to);
            let folder = self.folder(folder)?;
            self.execute(
                "INSERT INTO file (folder, name, state, identity, parity, member, checked) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    folder,
                    name,
                    record.state.number(),
                    identity_bytes(&record.identity),
                    record.parity.map(|(parity, _)| parity),
                    record.parity.map(|(_, member)| member as i64),
                    record.checked
                ],
            )?;
        }
        Ok(())
    }

    /// Forgets a file.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn remove_file(&self, path: &str) -> Result<()> {
        let (folder, name) = split(path);
        let sql = "DELETE FROM file \
                   WHERE folder = (SELECT id FROM folder WHERE path = ?1) AND name = ?2";
        self.execute(sql, [folder, name])?;
        Ok(())
    }

    /// Records a parity file. Returns its number.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn add_parity(&self, header: &Header, checked: Option<i64>) -> Result<i64> {
        let (recorded, header_len) = recorded(header);
        let file_len = header.geometry.parity_len() + header_len + FOOTER_LEN;
        self.execute(
            "INSERT INTO parity (sequence, policy, data_len, file_len, damaged, checked, header) \
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
            params![
                signed(header.sequence),
                header.policy.to_string(),
                signed(header.geometry.stream_len),
                signed(file_len),
                checked,
                recorded
            ],
        )?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Says that a parity file has been made anew under another number, and is whole.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn replace_parity(&self, parity: i64, header: &Header) -> Result<()> {
        let sql = "UPDATE parity SET sequence = ?2, header = ?3, damaged = 0 WHERE id = ?1";
        self.execute(sql, params![parity, signed(header.sequence), recorded(header).0])?;
        Ok(())
    }

    /// Says when a parity file was read, and whether it was found damaged.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn set_parity_checked(&self, parity: i64, damaged: bool, at: i64) -> Result<()> {
        let sql = "UPDATE parity SET damaged = ?2, checked = ?3 WHERE id = ?1";
        self.execute(sql, params![parity, damaged, at])?;
        Ok(())
    }

    /// Forgets those of some parity files that no file has its parity in any more, and begins their
    /// removal. Returns the jobs and the numbers of the files.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn retire(&self, parities: &[i64]) -> Result<Vec<(u64, u64)>> {
        let sql = "DELETE FROM parity WHERE id = ?1 \
                   AND NOT EXISTS (SELECT 1 FROM file WHERE file.parity = ?1) RETURNING sequence";
        let mut jobs = Vec::new();
        for id in parities {
            let sequence = self.transaction.prepare_cached(sql).and_then(|mut statement| {
                statement.query_row([id], |row| super::unsigned(row, 0)).optional()
            });
            if let Some(sequence) = sequence.map_err(|error| failed(self.path, &error))? {
                jobs.push((self.begin(&Job::Remove { sequence })?, sequence));
            }
        }
        Ok(jobs)
    }

    /// The parity files that no file has its parity in.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn unused(&self) -> Result<Vec<i64>> {
        let sql = "SELECT id FROM parity \
                   WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.parity = parity.id)";
        let unused = self.transaction.prepare_cached(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<i64>>>()
        });
        unused.map_err(|error| failed(self.path, &error))
    }

    /// Begins a job. Returns its number, which no other job ever has; that of a build is also the
    /// number of its parity file.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn begin(&self, job: &Job) -> Result<u64> {
        let sql = "INSERT INTO job (kind, sequence, path, replaced, draft) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        match job {
            Job::Build { .. } => self.execute(
                sql,
                params![BUILD, None::<i64>, None::<&str>, None::<&[u8]>, None::<&[u8]>],
            ),
            Job::Remove { sequence } => self.execute(
                sql,
                params![REMOVE, signed(*sequence), None::<&str>, None::<&[u8]>, None::<&[u8]>],
            ),
            Job::Heal { path, replaced, draft } => self.execute(
                sql,
                params![
                    HEAL,
                    None::<i64>,
                    path,
                    identity_bytes(replaced),
                    draft.as_ref().map(identity_bytes)
                ],
            ),
        }?;
        Ok(self.transaction.last_insert_rowid().cast_unsigned())
    }

    /// Begins a build. Returns the number of the parity file.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn begin_build(&self) -> Result<u64> {
        self.begin(&Job::Build { sequence: 0 })
    }

    /// Says of all files whose parity is being computed that it was given up.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn give_up_builds(&self) -> Result<()> {
        let sql = "UPDATE file SET state = ?2 WHERE state = ?1";
        let (from, to) = (State::ParityUnderConstruction, State::DataUnderConstruction);
        self.execute(sql, params![from.number(), to.number()])?;
        Ok(())
    }

    /// Says who the draft of a healing is, before it takes its place.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn set_draft(&self, job: u64, draft: &Identity) -> Result<()> {
        let sql = "UPDATE job SET draft = ?2 WHERE id = ?1";
        self.execute(sql, params![signed(job), identity_bytes(draft)])?;
        Ok(())
    }

    /// Ends a job.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn end(&self, job: u64) -> Result<()> {
        self.execute("DELETE FROM job WHERE id = ?1", [signed(job)])?;
        Ok(())
    }

    /// Makes the numbers of jobs and parity files go on behind `sequence`.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn number_from(&self, sequence: u64) -> Result<()> {
        // The number of a row once inserted is never given again.
        let sql = "INSERT OR IGNORE INTO job (id, kind) VALUES (?1, ?2)";
        self.execute(sql, params![signed(sequence), BUILD])?;
        self.end(sequence)
    }

    /// Records a scrub.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`](crate::Error::Metastore).
    pub fn add_scrub(&self, scrub: &ScrubRecord) -> Result<()> {
        self.execute(
            "INSERT INTO scrub (under, begun, ended, bytes_read, clean, corrupted, damaged, \
             changed, not_looked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                scrub.under,
                scrub.begun,
                scrub.ended,
                signed(scrub.bytes_read),
                signed(scrub.clean),
                signed(scrub.corrupted),
                signed(scrub.damaged),
                signed(scrub.changed),
                signed(scrub.not_looked_at)
            ],
        )?;
        Ok(())
    }
}

/// The condition for a file, by number of its folder and by name, in a state that another may follow.
fn may_become(state: State) -> String {
    let before = State::ALL.into_iter().filter(|before| before.may_become(state));
    let before: Vec<String> = before.map(|before| before.number().to_string()).collect();
    format!("folder = ?1 AND name = ?2 AND state IN ({})", before.join(", "))
}

/// A header as it is recorded, its digest before it; and its length.
fn recorded(header: &Header) -> (Vec<u8>, u64) {
    let bytes = header.to_bytes();
    let mut recorded = blake3::hash(&bytes).as_bytes().to_vec();
    recorded.extend_from_slice(&bytes);
    (recorded, bytes.len() as u64)
}

/// A number as SQLite has them; lengths are far below its bound.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
