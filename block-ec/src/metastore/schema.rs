//! The tables, release by release.

use rusqlite::Connection;

/// What a metastore's database says it is: "RSEC".
const APPLICATION_ID: i32 = 0x5253_4543;

/// Each brings the tables from the version of its index to the next. None is ever changed.
const MIGRATIONS: &[&str] = &["
-- Where data and parity are, if not where they are looked for anyway.
CREATE TABLE place (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Folders with files, so that their paths stand here once.
CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE
) STRICT;

-- Parity files. Which file and which range is which unit of which group follows from the header,
-- which is also at the end of the parity file. sequence names the file.
CREATE TABLE parity (
    id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL UNIQUE,
    policy TEXT NOT NULL,
    data_len INTEGER NOT NULL,
    file_len INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    checked INTEGER,
    header BLOB NOT NULL
) STRICT;

-- Files. parity and member: whose data they are, NULL without parity of their present content.
CREATE TABLE file (
    folder INTEGER NOT NULL REFERENCES folder (id),
    name TEXT NOT NULL,
    state INTEGER NOT NULL,
    identity BLOB NOT NULL,
    parity INTEGER REFERENCES parity (id),
    member INTEGER,
    checked INTEGER,
    PRIMARY KEY (folder, name),
    CHECK ((parity IS NULL) = (member IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX file_by_parity ON file (parity) WHERE parity IS NOT NULL;

-- What is being done: written before it is begun, removed when it is done. A start finds here
-- what a process that died has left.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    sequence INTEGER,
    path TEXT,
    replaced BLOB,
    draft BLOB
) STRICT;

CREATE TABLE scrub (
    id INTEGER PRIMARY KEY,
    under TEXT NOT NULL,
    begun INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    bytes_read INTEGER NOT NULL,
    clean INTEGER NOT NULL,
    corrupted INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    not_looked_at INTEGER NOT NULL
) STRICT;
"];

/// What keeps a database from being used.
pub(super) enum Unfit {
    Sqlite(rusqlite::Error),
    /// It is somebody else's.
    Foreign,
    /// A later release has made it.
    Later,
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Brings the tables up to this release.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Unfit> {
    let transaction = connection.transaction()?;
    let number = |pragma: &str| transaction.pragma_query_value(None, pragma, |row| row.get(0));
    let (version, application): (i64, i32) = (number("user_version")?, {
        transaction.pragma_query_value(None, "application_id", |row| row.get(0))?
    });
    if application != APPLICATION_ID {
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if (application, version, tables) != (0, 0, 0) {
            return Err(Unfit::Foreign);
        }
    }
    let done = usize::try_from(version).map_err(|_| Unfit::Foreign)?;
    let missing = MIGRATIONS.get(done..).ok_or(Unfit::Later)?;
    if missing.is_empty() {
        return Ok(());
    }
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(transaction.commit()?)
}
