//! What the commands of parity files say, for scripts.

use restripe_block_ec as block_ec;
use schemars::JsonSchema;
use serde::Serialize;

use super::place::Place;

/// Where everything is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlaceReport {
    /// The folder of the files, or the address that the names of objects begin with; paths of
    /// files are within it.
    pub root: String,
    /// The metastore.
    pub metastore: String,
    /// The folder or address of the parity files.
    pub parity: String,
}

impl From<&Place> for PlaceReport {
    fn from(place: &Place) -> Self {
        Self {
            root: place.root.to_string(),
            metastore: place.metastore.display().to_string(),
            parity: place.parity.to_string(),
        }
    }
}

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<block_ec::Count> for Count {
    fn from(count: block_ec::Count) -> Self {
        Self { files: count.files, bytes: count.bytes }
    }
}

/// Something that was not done or not looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// The file or folder.
    pub path: String,
    /// Why.
    pub message: String,
    /// Whether a file may be without what was asked for because of it.
    pub matters: bool,
}

/// The problems of a report of the library's.
#[must_use]
pub fn problems(problems: &[block_ec::Problem]) -> Vec<Problem> {
    let problem = |problem: &block_ec::Problem| Problem {
        path: problem.path.clone(),
        message: problem.message.clone(),
        matters: problem.matters,
    };
    problems.iter().map(problem).collect()
}

/// What `protect` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProtectReport {
    /// Where everything is.
    pub place: PlaceReport,
    /// The policy of new parity.
    pub policy: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Files whose parity was made.
    pub protected: Count,
    /// Files that had parity of what they are.
    pub unchanged: Count,
    /// Files that got new parity because others that shared the old one were changed or deleted.
    pub regrouped: Count,
    /// Files found under other paths, with their parity.
    pub renamed: u64,
    /// Files that are gone, and forgotten.
    pub gone: u64,
    /// Parity files that were made.
    pub parity_files: u64,
    /// Bytes of them.
    pub parity_bytes: u64,
    /// Whether every file that was meant has its parity.
    pub complete: bool,
    /// What has none, and why.
    pub problems: Vec<Problem>,
}

/// What `status` shows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StatusReport {
    /// Where everything is.
    pub place: PlaceReport,
    /// Files by state.
    pub states: Vec<StateCount>,
    /// Files that are there and not known.
    pub unknown: Count,
    /// What could be lost now: it has no parity of what it is, or is damaged beyond repair.
    pub without_protection: Count,
    /// Files that survive fewer losses than their policy promises.
    pub less_protected: Count,
    /// Bytes of data under parity.
    pub protected_bytes: u64,
    /// Bytes of parity files.
    pub parity_bytes: u64,
    /// Bytes of the metastore.
    pub metastore_bytes: u64,
    /// Bytes stored for a byte of protected data: data, parity and metastore.
    pub overhead: Option<f64>,
    /// Files of which there is something to say.
    pub files: Vec<FileReport>,
    /// Parity files that are missing or were found damaged.
    pub damaged_parity: Vec<String>,
    /// The last scrub that covered all of it.
    pub last_scrub: Option<ScrubSummary>,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
}

/// Files in one state.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StateCount {
    /// `healthy`, `corrupted`, `damaged` (beyond repair), `data-under-construction` (no parity of
    /// what it is), `parity-under-construction` or `under-recovery`.
    pub state: &'static str,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
}

/// How a file stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// Its state.
    pub state: &'static str,
    /// Its bytes.
    pub bytes: u64,
    /// The policy of its parity.
    pub policy: Option<String>,
    /// How many units of its groups may still be lost.
    pub survives: Option<usize>,
    /// How many its policy promises.
    pub promised: Option<usize>,
    /// What there is to say.
    pub note: Option<String>,
    /// When it was last found right: seconds since 1970.
    pub checked: Option<i64>,
}

/// A scrub that came to its end.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScrubSummary {
    /// When it began: seconds since 1970.
    pub begun: i64,
    /// When it ended.
    pub ended: i64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Files found clean.
    pub clean: u64,
    /// Files found damaged that could be healed.
    pub corrupted: u64,
    /// Files found damaged beyond repair.
    pub damaged: u64,
    /// Files that their owners had changed.
    pub changed: u64,
    /// Files that were not looked at.
    pub not_looked_at: u64,
}

/// What `scrub` found or `heal` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LookReport {
    /// Where everything is.
    pub place: PlaceReport,
    /// Whether nothing was to be written (`scrub` writes nothing in any case).
    pub dry_run: bool,
    /// Files that were read and are what they were.
    pub clean: Count,
    /// Files with parity under the paths.
    pub protected: Count,
    /// Files without parity: not looked at.
    pub unprotected: Count,
    /// Files with damage.
    pub damaged_files: Vec<DamagedFileReport>,
    /// Parity files with damage.
    pub damaged_parity: Vec<DamagedParityReport>,
    /// Files that their owners have changed or deleted: never healed.
    pub changed: Vec<Problem>,
    /// What else was not looked at, or not healed, and why.
    pub problems: Vec<Problem>,
    /// Bytes that were read.
    pub bytes_read: u64,
}

/// A file with damage.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DamagedFileReport {
    /// Its path.
    pub path: String,
    /// Bytes in chunks that are wrong.
    pub bytes: u64,
    /// Chunks of these that cannot be rebuilt.
    pub lost_chunks: u64,
    /// What can be done, or was.
    pub outcome: Outcome,
}

/// A parity file with damage.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DamagedParityReport {
    /// Its path within the folder of parity files.
    pub path: String,
    /// Chunks that are wrong.
    pub chunks: u64,
    /// What can be done, or was.
    pub outcome: Outcome,
}

/// What can be done about damage, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It can be healed.
    Repairable,
    /// It was healed.
    Healed,
    /// It cannot be healed.
    BeyondRepair,
    /// Something kept it from being healed: see the problems.
    LeftAlone,
}

impl From<block_ec::Outcome> for Outcome {
    fn from(outcome: block_ec::Outcome) -> Self {
        match outcome {
            block_ec::Outcome::Repairable => Self::Repairable,
            block_ec::Outcome::Healed => Self::Healed,
            block_ec::Outcome::BeyondRepair => Self::BeyondRepair,
            block_ec::Outcome::LeftAlone => Self::LeftAlone,
        }
    }
}

/// What `cat` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CatReport {
    /// The file, within its root.
    pub file: String,
    /// Bytes given out.
    pub bytes: u64,
    /// Chunks that were computed from the rest of their group.
    pub rebuilt_chunks: u64,
    /// Whether all bytes were verified: false for a file without parity of what it is.
    pub proven: bool,
}

/// What `unprotect` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UnprotectReport {
    /// Where everything is.
    pub place: PlaceReport,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Files that have no parity any more.
    pub unprotected: Count,
    /// Others that got new parity because they had shared it.
    pub regrouped: Count,
    /// What of these did not.
    pub problems: Vec<Problem>,
}

/// What `watch` says when it begins.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WatchReport {
    /// Names of its rules.
    pub rules: Vec<String>,
    /// Where metrics are.
    pub metrics: Option<String>,
}

/// What `block rescan` found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RescanReport {
    /// Where everything is.
    pub place: PlaceReport,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Parity files that are in use again.
    pub parity_files: u64,
    /// Files that have their parity again.
    pub protected: Count,
    /// Files among these that were found under other paths.
    pub renamed: u64,
    /// Files that are not what their parity was made of.
    pub changed: u64,
    /// Files that are gone.
    pub gone: u64,
    /// Parity files that nothing was left of, or that later ones replace; they were removed.
    pub retired: u64,
    /// Where the metastore is that was there before.
    pub moved_to: Option<String>,
    /// Parity files that could not be used, and why.
    pub problems: Vec<Problem>,
}
