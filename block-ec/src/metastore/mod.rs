//! The metastore: which file has which parity, how everything stands, and what is being done.
//!
//! A SQLite database in WAL mode. Everything that is changed together is changed in one
//! transaction ([`Metastore::change`]); one is written before an act and one after it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, params};

use crate::error::{Error, Result};
use crate::header::Header;
use crate::hook::Hook;
use crate::identity::{Identity, join, split};
use crate::state::State;

mod change;
mod schema;

pub use change::Change;

/// The metastore of some protected files.
#[derive(Debug)]
pub struct Metastore {
    path: PathBuf,
    connection: Mutex<Connection>,
    hook: Hook,
    /// Held as long as the metastore may be changed.
    _lock: Option<File>,
}

/// What is recorded of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its path in the data store.
    pub path: String,
    /// How it stands.
    pub state: State,
    /// Who it was when this was recorded.
    pub identity: Identity,
    /// Its parity file and which member of that it is, unless it has no parity.
    pub parity: Option<(i64, usize)>,
    /// When all of it was last read and found right: seconds since 1970.
    pub checked: Option<i64>,
}

/// What is recorded of a parity file, but for its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParityRecord {
    /// Its number in the metastore; it stays when the file is made anew.
    pub id: i64,
    /// The number that names its file.
    pub sequence: u64,
    /// The policy.
    pub policy: String,
    /// Bytes of data under it.
    pub data_len: u64,
    /// Bytes of the file.
    pub file_len: u64,
    /// Whether damage was found in it that has not been healed.
    pub damaged: bool,
    /// When all of it was last read: seconds since 1970.
    pub checked: Option<i64>,
}

/// A scrub that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubRecord {
    /// What was scrubbed; empty for everything.
    pub under: String,
    /// When it began, in seconds since 1970.
    pub begun: i64,
    /// When it ended.
    pub ended: i64,
    /// Bytes of data and parity that were read.
    pub bytes_read: u64,
    /// Files found clean.
    pub clean: u64,
    /// Files found damaged that can be healed.
    pub corrupted: u64,
    /// Files found damaged beyond repair.
    pub damaged: u64,
    /// Files whose owner has changed them since their parity was made.
    pub changed: u64,
    /// Files that were not looked at.
    pub not_looked_at: u64,
}

/// Something that is being done, or was when the process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// A parity file with this number is being made.
    Build {
        /// Its number, which is the job's.
        sequence: u64,
    },
    /// A parity file is being removed.
    Remove {
        /// Its number.
        sequence: u64,
    },
    /// A file is being healed.
    Heal {
        /// Its path.
        path: String,
        /// Who the damaged file is.
        replaced: Identity,
        /// Who the healed one is, once it is whole and about to take its place.
        draft: Option<Identity>,
    },
}

impl Metastore {
    /// Opens the metastore for changes, or makes a new one. One process at a time can.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] while another process has it; [`Error::Metastore`] for a database that is
    /// damaged, somebody else's, or made by a later release.
    pub fn open(path: &Path, hook: Hook) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(Error::store("create the folder of", path.display().to_string()))?;
        }
        let lock = lock(path)?;
        let mut connection = Connection::open(path).map_err(|error| failed(path, &error))?;
        prepare(&connection).map_err(|error| failed(path, &error))?;
        schema::migrate(&mut connection).map_err(|unfit| match unfit {
            schema::Unfit::Sqlite(error) => failed(path, &error),
            schema::Unfit::Foreign => unusable(path, "is a database of something else", false),
            schema::Unfit::Later => unusable(path, "was made by a later release", false),
        })?;
        let check: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| failed(path, &error))?;
        if check != "ok" {
            return Err(unusable(path, &format!("is damaged: {check}"), true));
        }
        let connection = Mutex::new(connection);
        Ok(Self { path: path.to_owned(), connection, hook, _lock: lock })
    }

    /// Opens a metastore that is there, to be read, whoever else works on it.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`] as for [`open`](Self::open), and where there is none.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(unusable(path, "does not exist", false));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(path, flags).map_err(|error| failed(path, &error))?;
        prepare(&connection).map_err(|error| failed(path, &error))?;
        schema::migrate(&mut connection).map_err(|unfit| match unfit {
            schema::Unfit::Sqlite(error) => failed(path, &error),
            schema::Unfit::Foreign => unusable(path, "is a database of something else", false),
            schema::Unfit::Later => unusable(path, "was made by a later release", false),
        })?;
        let connection = Mutex::new(connection);
        Ok(Self { path: path.to_owned(), connection, hook: Hook::default(), _lock: None })
    }

    /// The database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // What a panic left open SQLite rolls back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &rusqlite::Error) -> Error {
        failed(&self.path, error)
    }

    /// Makes changes, all or none of them.
    ///
    /// # Errors
    ///
    /// What `changes` returns, or the database; nothing is changed then.
    pub fn change<T>(&self, changes: impl FnOnce(&Change<'_>) -> Result<T>) -> Result<T> {
        let name = || self.path.display().to_string();
        self.hook.before("transaction").map_err(Error::store("change the metastore", name()))?;
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(|error| self.failed(&error))?;
        let value = changes(&Change::new(&transaction, &self.path))?;
        self.hook.before("commit").map_err(Error::store("change the metastore", name()))?;
        transaction.commit().map_err(|error| self.failed(&error))?;
        Ok(value)
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let connection = self.connection();
        let rows = connection.prepare_cached(sql).and_then(|mut statement| {
            statement.query_map(parameters, read)?.collect::<rusqlite::Result<Vec<T>>>()
        });
        rows.map_err(|error| self.failed(&error))
    }

    /// Whether nothing was ever done with it: no job has had a number.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn is_unused(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM sqlite_sequence WHERE name = 'job'";
        Ok(self.rows(sql, [], |_| Ok(()))?.is_empty())
    }

    /// Something noted about where data and parity are.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn place(&self, key: &str) -> Result<Option<String>> {
        let mut values =
            self.rows("SELECT value FROM place WHERE key = ?1", [key], |row| row.get(0))?;
        Ok(values.pop())
    }

    /// Notes where something is.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn set_place(&self, key: &str, value: &str) -> Result<()> {
        self.change(|change| change.set_place(key, value))
    }

    /// The files that are `under` or below a path, in order of their paths.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn files(&self, under: &str) -> Result<Vec<FileRecord>> {
        let (folder, name) = split(under);
        // '0' is the character behind '/'.
        let (below, behind) = (format!("{under}/"), format!("{under}0"));
        let mut files = self.rows(
            &format!(
                "{SELECT_FILE} WHERE ?1 = '' OR folder.path = ?1 \
                 OR (folder.path >= ?2 AND folder.path < ?3) \
                 OR (folder.path = ?4 AND file.name = ?5)"
            ),
            params![under, below, behind, folder, name],
            read_file,
        )?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The folders with files that are `under` or below a path, or that a file at the path lies in.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn folders(&self, under: &str) -> Result<Vec<String>> {
        let (below, behind) = (format!("{under}/"), format!("{under}0"));
        let sql = "SELECT path FROM folder WHERE ?1 = '' OR path = ?1 OR path = ?4 \
                   OR (path >= ?2 AND path < ?3) ORDER BY path";
        self.rows(sql, params![under, below, behind, split(under).0], |row| row.get(0))
    }

    /// The files of one folder, without those of folders in it, in order of their names.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn files_in(&self, folder: &str) -> Result<Vec<FileRecord>> {
        let sql = format!("{SELECT_FILE} WHERE folder.path = ?1 ORDER BY file.name");
        self.rows(&sql, [folder], read_file)
    }

    /// A file.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn file(&self, path: &str) -> Result<Option<FileRecord>> {
        let (folder, name) = split(path);
        let sql = format!("{SELECT_FILE} WHERE folder.path = ?1 AND file.name = ?2");
        Ok(self.rows(&sql, params![folder, name], read_file)?.pop())
    }

    /// The files that have their parity in a parity file.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn members(&self, parity: i64) -> Result<Vec<FileRecord>> {
        self.rows(&format!("{SELECT_FILE} WHERE file.parity = ?1"), [parity], read_file)
    }

    /// All parity files.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn parities(&self) -> Result<Vec<ParityRecord>> {
        self.rows(&format!("{SELECT_PARITY} ORDER BY id"), [], read_parity)
    }

    /// A parity file.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn parity(&self, id: i64) -> Result<Option<ParityRecord>> {
        Ok(self.rows(&format!("{SELECT_PARITY} WHERE id = ?1"), [id], read_parity)?.pop())
    }

    /// The header of a parity file, or `None` where what is recorded is damaged: the file itself
    /// has it, too.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn header(&self, parity: i64) -> Result<Option<Header>> {
        let bytes: Option<Vec<u8>> = self
            .connection()
            .query_row("SELECT header FROM parity WHERE id = ?1", [parity], |row| row.get(0))
            .optional()
            .map_err(|error| self.failed(&error))?;
        let whole = bytes.as_deref().and_then(|bytes| {
            let (digest, header) = bytes.split_at_checked(32)?;
            (blake3::hash(header).as_bytes() == digest).then_some(header)
        });
        Ok(whole.and_then(|bytes| Header::from_bytes(bytes, "metastore").ok()))
    }

    /// What is being done, with the numbers of the jobs.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn jobs(&self) -> Result<Vec<(u64, Job)>> {
        self.rows("SELECT id, kind, sequence, path, replaced, draft FROM job", [], |row| {
            let job = match row.get(1)? {
                change::BUILD => Job::Build { sequence: unsigned(row, 0)? },
                change::REMOVE => Job::Remove { sequence: unsigned(row, 2)? },
                change::HEAL => Job::Heal {
                    path: row.get(3)?,
                    replaced: identity(row, 4)?,
                    draft: row
                        .get::<_, Option<Vec<u8>>>(5)?
                        .map(|_| identity(row, 5))
                        .transpose()?,
                },
                other => return Err(rusqlite::Error::IntegralValueOutOfRange(1, other)),
            };
            Ok((unsigned(row, 0)?, job))
        })
    }

    /// The last scrub that covered a path: of it, or of something that it lies below.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`].
    pub fn last_scrub(&self, under: &str) -> Result<Option<ScrubRecord>> {
        let sql = "SELECT under, begun, ended, bytes_read, clean, corrupted, damaged, changed, \
                   not_looked_at FROM scrub ORDER BY id DESC LIMIT 1000";
        let scrubs = self.rows(sql, [], |row| {
            Ok(ScrubRecord {
                under: row.get(0)?,
                begun: row.get(1)?,
                ended: row.get(2)?,
                bytes_read: unsigned(row, 3)?,
                clean: unsigned(row, 4)?,
                corrupted: unsigned(row, 5)?,
                damaged: unsigned(row, 6)?,
                changed: unsigned(row, 7)?,
                not_looked_at: unsigned(row, 8)?,
            })
        })?;
        Ok(scrubs.into_iter().find(|scrub| crate::is_under(under, &scrub.under)))
    }
}

const SELECT_FILE: &str = "SELECT folder.path, file.name, file.state, file.identity, file.parity, \
                           file.member, file.checked FROM file JOIN folder ON folder.id = file.folder";

const SELECT_PARITY: &str =
    "SELECT id, sequence, policy, data_len, file_len, damaged, checked FROM parity";

fn read_parity(row: &Row<'_>) -> rusqlite::Result<ParityRecord> {
    Ok(ParityRecord {
        id: row.get(0)?,
        sequence: unsigned(row, 1)?,
        policy: row.get(2)?,
        data_len: unsigned(row, 3)?,
        file_len: unsigned(row, 4)?,
        damaged: row.get(5)?,
        checked: row.get(6)?,
    })
}

fn read_file(row: &Row<'_>) -> rusqlite::Result<FileRecord> {
    let (folder, name): (String, String) = (row.get(0)?, row.get(1)?);
    let number = row.get(2)?;
    let parity: Option<i64> = row.get(4)?;
    Ok(FileRecord {
        path: join(&folder, &name),
        state: State::from_number(number)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(2, number))?,
        identity: identity(row, 3)?,
        parity: parity
            .map(|parity| unsigned(row, 5).map(|member| (parity, member as usize)))
            .transpose()?,
        checked: row.get(6)?,
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// An identity as bytes.
fn identity_bytes(identity: &Identity) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + identity.version.len());
    for number in [identity.device, identity.inode, identity.len, identity.modified.cast_unsigned()]
    {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(identity.version.as_bytes());
    bytes
}

fn identity(row: &Row<'_>, column: usize) -> rusqlite::Result<Identity> {
    let bytes: Vec<u8> = row.get(column)?;
    let read = || {
        let (numbers, version) = bytes.split_at_checked(32)?;
        let (numbers, _) = numbers.as_chunks::<8>();
        let [device, inode, len, modified] = numbers else { return None };
        Some(Identity {
            device: u64::from_le_bytes(*device),
            inode: u64::from_le_bytes(*inode),
            len: u64::from_le_bytes(*len),
            modified: i64::from_le_bytes(*modified),
            version: String::from_utf8(version.to_vec()).ok()?,
        })
    };
    read().ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(column, "identity".into(), rusqlite::types::Type::Blob)
    })
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    // All statements are kept. Without the second, those whose plans could depend on a value are
    // compiled anew for every file.
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A change is on the disk before what it announces is done.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let damaged = match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..) => true,
        _ => false,
    };
    unusable(path, &format!("cannot be used: {error}"), damaged)
}

fn unusable(path: &Path, message: &str, damaged: bool) -> Error {
    Error::Metastore { path: path.display().to_string(), message: message.to_owned(), damaged }
}

/// Takes the lock of a metastore, and notes in it who has it.
pub(crate) fn lock(path: &Path) -> Result<Option<File>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let named = || path.display().to_string();
    let mut file = options.open(&path).map_err(Error::store("open the lock", named()))?;
    // A process that was started in this moment holds all that is open until it has begun.
    const PATIENCE: Duration = Duration::from_millis(300);
    let begun = Instant::now();
    let mut locked = file.try_lock();
    while matches!(locked, Err(TryLockError::WouldBlock)) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
        locked = file.try_lock();
    }
    match locked {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who it is is a help, not a need.
            let _ = file.read_to_string(&mut text);
            Err(Error::Busy { path: named(), holder: text.trim().parse().ok() })
        }
        // A file system without locks is no error.
        Err(TryLockError::Error(_)) => Ok(None),
        Ok(()) => {
            let note = |file: &mut File| -> std::io::Result<()> {
                file.set_len(0)?;
                file.rewind()?;
                writeln!(file, "{}", std::process::id())
            };
            let _ = note(&mut file);
            Ok(Some(file))
        }
    }
}
