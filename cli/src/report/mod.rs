//! What a command says at the end: for people as text, for scripts as one JSON document.
//!
//! The JSON is described by its schema, which `restripe schema` prints. Fields are added over
//! time and never change their meaning; a reader must ignore those that it does not know. `schema`
//! is raised when something has to change.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::block_ec::report as block_ec;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::folder::{Folder, Form};
use crate::heal::finding::Finding;
use crate::heal::tally::{Condition, UnitTally};
use crate::mend::Outcome;
use crate::ranges::Ranges;

mod text;

pub(crate) use text::{BAD, CARE, GOOD, QUIET, count, styled};

pub use text::print_text;

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// What every report begins with, and the report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Envelope {
    /// Version of this document: 1.
    pub schema: u32,
    /// Release of restripe.
    pub version: &'static str,
    /// The exit status of the process.
    pub exit_status: u8,
    /// The report itself.
    #[serde(flatten)]
    pub report: Report,
}

/// The JSON Schema of an [`Envelope`], laid out for reading.
#[must_use]
pub fn json_schema() -> String {
    let settings = SchemaSettings::default().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Envelope>();
    // A schema is JSON to begin with.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// What a command says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "command", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Report {
    /// `restripe encode`
    Encode(EncodeReport),
    /// `restripe verify`
    Verify(CheckReport),
    /// `restripe repair`
    Repair(CheckReport),
    /// `restripe decode`
    Decode(DecodeReport),
    /// `restripe serve`, when it begins
    Serve(ServeReport),
    /// `restripe fetch`
    Fetch(FetchReport),
    /// `restripe reconstruct`
    Reconstruct(ReconstructReport),
    /// `restripe protect`
    Protect(block_ec::ProtectReport),
    /// `restripe status`
    Status(block_ec::StatusReport),
    /// `restripe scrub`
    Scrub(block_ec::LookReport),
    /// `restripe heal`
    Heal(block_ec::LookReport),
    /// `restripe cat`
    Cat(block_ec::CatReport),
    /// `restripe unprotect`
    Unprotect(block_ec::UnprotectReport),
    /// `restripe watch`, when it begins
    Watch(block_ec::WatchReport),
    /// `restripe block rescan`
    Rescan(block_ec::RescanReport),
    /// `restripe info`
    Info(InfoReport),
    /// `restripe bench`
    Bench(BenchReport),
    /// `restripe matrix`
    Matrix(MatrixReport),
    /// Any command that could not do its work.
    Error(ErrorReport),
}

impl Report {
    /// The report with its envelope.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Envelope {
        let version = env!("CARGO_PKG_VERSION");
        Envelope { schema: SCHEMA, version, exit_status: exit.code(), report: self }
    }
}

/// The folder that a report is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FolderReport {
    /// Its path as given.
    pub path: String,
    /// `own` or `datanode`.
    pub form: &'static str,
    /// Whether it has a manifest that was used.
    pub manifest: bool,
    /// Name of the file that was encoded, where the manifest has it.
    pub name: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// The erasure-coding policy.
    pub policy: String,
    /// Bytes of a full internal block.
    pub block_size: u64,
    /// Kind of the checksums.
    pub checksum: &'static str,
    /// Bytes under one checksum.
    pub bytes_per_checksum: u64,
    /// Block groups.
    pub groups: u64,
    /// Internal blocks, those of length 0 not counted.
    pub blocks: u64,
}

impl FolderReport {
    /// What is known of a folder.
    #[must_use]
    pub fn new(folder: &Folder) -> Self {
        let geometry = folder.geometry();
        Self {
            path: folder.path().display().to_string(),
            form: match folder.form() {
                Form::Own => "own",
                Form::Datanode(_) => "datanode",
            },
            manifest: folder.manifest().is_some(),
            name: folder.manifest().and_then(|manifest| manifest.name.clone()),
            size: geometry.size(),
            policy: geometry.policy().to_string(),
            block_size: geometry.block_size(),
            checksum: folder.sum_kind().name(),
            bytes_per_checksum: folder.sum_kind().bytes_per_checksum() as u64,
            groups: geometry.groups(),
            blocks: geometry.blocks(),
        }
    }
}

/// What `encode` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EncodeReport {
    /// The folder written.
    pub folder: FolderReport,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Bytes written, checksums included.
    pub bytes_written: u64,
}

/// What `verify` found or `repair` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckReport {
    /// The folder.
    pub folder: FolderReport,
    /// `verify`: how it is. `repair`: how it is now (with `--dry-run`: how it is).
    pub verdict: Condition,
    /// Whether parity was checked against data.
    pub deep: bool,
    /// Whether nothing was to be written (`verify` writes nothing in any case).
    pub dry_run: bool,
    /// Blocks that were whole from the beginning.
    pub blocks_whole: u64,
    /// Blocks that were not: each is in `damaged_blocks`.
    pub blocks_damaged: u64,
    /// The blocks with something wrong.
    pub damaged_blocks: Vec<BlockReport>,
    /// Ranges in which blocks with right sums disagree and it cannot be told which is wrong.
    pub disagreements: Vec<Disagreement>,
    /// What was not looked at.
    pub not_checked: Vec<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// A block with something wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BlockReport {
    /// Number of its group.
    pub group: u64,
    /// Its index in the group.
    pub unit: usize,
    /// `data` or `parity`.
    pub role: &'static str,
    /// Name of its file.
    pub file: String,
    /// How it is (was, before it was repaired).
    pub condition: Condition,
    /// What is wrong with its files as a whole.
    pub findings: Vec<FindingReport>,
    /// Ranges that are wrong or not there.
    #[serde(skip_serializing_if = "RangesReport::is_empty")]
    pub damaged: RangesReport,
    /// Of these, ranges that are wrong although their sums agree.
    #[serde(skip_serializing_if = "RangesReport::is_empty")]
    pub damaged_with_right_sums: RangesReport,
    /// Ranges that are right, but whose sums are missing or wrong.
    #[serde(skip_serializing_if = "RangesReport::is_empty")]
    pub wrong_sums: RangesReport,
    /// Ranges that no sum of the right `.meta` file and no spare unit prove.
    #[serde(skip_serializing_if = "RangesReport::is_empty")]
    pub unproven: RangesReport,
    /// Ranges that cannot be rebuilt.
    #[serde(skip_serializing_if = "RangesReport::is_empty")]
    pub lost: RangesReport,
    /// What `repair` did with it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl BlockReport {
    /// Adds what was found in its chunks.
    #[must_use]
    pub fn with_tally(mut self, tally: &UnitTally) -> Self {
        let mut unproven = tally.plausible.clone();
        unproven.add_all(&tally.blind);
        let mut lost = tally.lost.clone();
        lost.add_all(&tally.contradicted);
        self.damaged = (&tally.damaged).into();
        self.damaged_with_right_sums = (&tally.refuted).into();
        self.wrong_sums = (&tally.wrong_sums).into();
        self.unproven = (&unproven).into();
        self.lost = (&lost).into();
        self
    }
}

/// Something wrong with a file as a whole.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingReport {
    /// Its kind and numbers.
    #[serde(flatten)]
    pub finding: Finding,
    /// The same as a sentence.
    pub message: String,
}

impl From<&Finding> for FindingReport {
    fn from(finding: &Finding) -> Self {
        Self { finding: finding.clone(), message: finding.to_string() }
    }
}

/// Byte ranges of a block.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct RangesReport {
    /// Bytes in all of them.
    pub bytes: u64,
    /// `[start, end]`, the end not included.
    pub ranges: Vec<[u64; 2]>,
    /// Bytes in ranges that are not listed because there are too many.
    pub bytes_not_listed: u64,
}

impl RangesReport {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

impl From<&Ranges> for RangesReport {
    fn from(ranges: &Ranges) -> Self {
        Self {
            bytes: ranges.bytes(),
            ranges: ranges.iter().map(|range| [range.start, range.end]).collect(),
            bytes_not_listed: ranges.not_listed(),
        }
    }
}

/// Ranges of the internal blocks of a group in which blocks with right sums disagree.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Disagreement {
    /// Number of the group.
    pub group: u64,
    /// The ranges.
    pub ranges: RangesReport,
}

/// What `decode` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DecodeReport {
    /// The folder read.
    pub folder: FolderReport,
    /// The file written, `-` for standard output.
    pub file: String,
    /// First byte of the content that was written.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// How it is known that the bytes are right.
    pub proof: Proof,
    /// SHA-256 of the whole content, where it was compared.
    pub sha256: Option<String>,
    /// Blocks parts of which were rebuilt on the way.
    pub healed_blocks: Vec<HealedBlock>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// How it is known that decoded bytes are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The SHA-256 of the whole content is that of the manifest.
    Sha256,
    /// Every chunk used had a right checksum.
    Checksums,
    /// Some chunk was used that nothing proves.
    None,
}

/// A block parts of which were not good when it was decoded.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HealedBlock {
    /// Number of its group.
    pub group: u64,
    /// Its index in the group.
    pub unit: usize,
    /// Name of its file.
    pub file: String,
    /// What was computed from other blocks.
    pub rebuilt: RangesReport,
    /// What was used or computed without proof.
    #[serde(skip_serializing_if = "RangesReport::is_empty")]
    pub unproven: RangesReport,
}

/// What `serve` says when it begins.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServeReport {
    /// The folder served.
    pub folder: String,
    /// The address at which it listens.
    pub address: String,
    /// Whether it takes new blocks.
    pub writable: bool,
}

/// What `fetch` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FetchReport {
    /// The block, as its file is called.
    pub block: String,
    /// The datanode.
    pub from: String,
    /// The file written, `-` for standard output.
    pub file: String,
    /// First byte of the block that was written.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Kind of the checksums that everything was verified by.
    pub checksum: &'static str,
    /// Bytes under one checksum.
    pub bytes_per_checksum: u64,
}

/// What `reconstruct` did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReconstructReport {
    /// The policy of the group.
    pub policy: String,
    /// Bytes of data in the group.
    pub length: u64,
    /// Rounds, of one buffer of each source, that were computed.
    pub rounds: u64,
    /// Reads begun beside slow ones.
    pub hedges: u64,
    /// How long it took.
    pub seconds: f64,
    /// What its reads took, added up; several run at a time.
    pub reading_seconds: f64,
    /// What computing took.
    pub computing_seconds: f64,
    /// How long targets had something to take, added up; several take at a time.
    pub sending_seconds: f64,
    /// The live blocks named.
    pub sources: Vec<SourceReport>,
    /// The blocks to be rebuilt.
    pub targets: Vec<TargetReport>,
}

/// How a live block was used.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SourceReport {
    /// Its unit.
    pub unit: usize,
    /// Where it is.
    pub from: String,
    /// Bytes of data read.
    pub bytes: u64,
    /// Reads that completed.
    pub reads: u64,
    /// Reads that were cancelled, others having been faster.
    pub cancelled: u64,
    /// What was first found damaged and left out of it, where it was used all the same.
    pub damage: Option<String>,
    /// Why it was given up.
    pub failure: Option<String>,
}

/// What became of a block that was to be rebuilt.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TargetReport {
    /// Its unit.
    pub unit: usize,
    /// Where it went.
    pub to: String,
    /// Bytes of data that were acknowledged.
    pub bytes: u64,
    /// Whether it is whole there.
    pub rebuilt: bool,
    /// Why it was given up.
    pub failure: Option<String>,
}

/// What `info` shows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InfoReport {
    /// The architecture that this build is for.
    pub architecture: &'static str,
    /// The CPU's maker.
    pub vendor: Option<String>,
    /// The CPU's name.
    pub cpu: Option<String>,
    /// The CPU's family and model.
    pub family_model: Option<[u32; 2]>,
    /// Cores that this process may use.
    pub cores: usize,
    /// Features that kernels may use.
    pub features: Vec<&'static str>,
    /// Its caches.
    pub caches: Vec<CacheReport>,
    /// Kernels that can run here, best first.
    pub kernels: Vec<&'static str>,
    /// The kernel chosen.
    pub kernel: &'static str,
    /// Whether the environment variable `RESTRIPE_KERNEL` chose it.
    pub kernel_forced: bool,
    /// Bytes of inputs and outputs together from which on a computation stores past the caches;
    /// null for never.
    pub stream_from: Option<u64>,
    /// What that number rests on.
    pub stream_reason: &'static str,
    /// Bytes of all shards together that coding with checksums goes through at a time.
    pub tile: u64,
    /// From how many inputs on such a call asks for them ahead, and how many bytes; none for never.
    pub prefetch: Option<[u64; 2]>,
    /// What that kernel computes CRCs with.
    pub checksums: &'static str,
    /// Policies compared, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyReport>,
}

/// What a policy costs. Reading is counted in whole blocks' worth, for one lost block of a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PolicyReport {
    /// Its name.
    pub policy: String,
    /// Data units.
    pub data_units: usize,
    /// Parity units.
    pub parity_units: usize,
    /// Bytes stored for a byte of a long file.
    pub stored: f64,
    /// Blocks of a group that may be lost, whichever they are.
    pub failures_survived: usize,
    /// Read to rebuild a data block, the mean over these.
    pub blocks_read_for_data_mean: f64,
    /// Read to rebuild any block, the mean over all.
    pub blocks_read_mean: f64,
    /// Read to rebuild the worst block.
    pub blocks_read_worst: f64,
    /// The most blocks from which something is read.
    pub most_sources: usize,
}

/// A cache of the first core.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CacheReport {
    /// 1 is the nearest to the core.
    pub level: u32,
    /// `data` (unified caches too) or `instructions`.
    pub holds: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Cores that share it.
    pub shared_by: u32,
}

/// What `bench` measured. Speeds are GB/s: 10^9 bytes, of all that is read and written, a second.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BenchReport {
    /// The CPU's name.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel that codes use unless they are told another.
    pub kernel: &'static str,
    /// How long a measurement was to take.
    pub milliseconds: u64,
    /// Copying by `memcpy`, within each cache and memory.
    pub copying: Vec<CopySpeed>,
    /// Codes on one core.
    pub speeds: Vec<CodeSpeed>,
    /// Encoding on several cores.
    pub on_cores: Vec<CoresSpeed>,
    /// The page written, where one was asked for.
    pub html: Option<String>,
}

impl BenchReport {
    /// The operations that codes were measured at.
    pub const OPERATIONS: [&str; 2] = ["encode", "rebuild"];

    /// Rows for every code and shard length in turn, with a speed for every kernel.
    #[must_use]
    pub fn rows(&self, operation: &str) -> Vec<Vec<&CodeSpeed>> {
        let speeds = self.speeds.iter().filter(|speed| speed.operation == operation);
        let speeds: Vec<&CodeSpeed> = speeds.collect();
        let alike = |one: &&CodeSpeed, other: &&CodeSpeed| {
            one.code() == other.code() && one.shard_bytes == other.shard_bytes
        };
        speeds.chunk_by(alike).map(<[_]>::to_vec).collect()
    }
}

/// How fast memory is copied.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CopySpeed {
    /// `L1`, `L2` and so on, or `memory`.
    pub place: String,
    /// Bytes read and written, over and over.
    pub bytes: usize,
    /// The speed, a median.
    pub gb_per_s: f64,
}

/// How fast a code is on one core.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CodeSpeed {
    /// `encode`, or `rebuild`: the first m data units (all, where there are fewer) with a kept plan.
    pub operation: &'static str,
    /// Data units: k.
    pub data_units: usize,
    /// Parity units: m.
    pub parity_units: usize,
    /// Bytes of a shard.
    pub shard_bytes: usize,
    /// The kernel.
    pub kernel: &'static str,
    /// The speed, a median.
    pub gb_per_s: f64,
    /// The slowest batch of calls.
    pub gb_per_s_least: f64,
    /// The fastest batch of calls.
    pub gb_per_s_most: f64,
    /// Copying by `memcpy` that reads and writes as many bytes as there are in all shards.
    pub copy_gb_per_s: f64,
}

impl CodeSpeed {
    /// `6+3`
    #[must_use]
    pub fn code(&self) -> String {
        format!("{}+{}", self.data_units, self.parity_units)
    }
}

/// How fast a code encodes on several cores, each with shards of its own, by the best kernel.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CoresSpeed {
    /// Data units: k.
    pub data_units: usize,
    /// Parity units: m.
    pub parity_units: usize,
    /// Bytes of a shard.
    pub shard_bytes: usize,
    /// Threads at a time.
    pub threads: usize,
    /// All of them together.
    pub gb_per_s: f64,
}

/// What `matrix` shows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MatrixReport {
    /// Kind of the matrix.
    pub kind: &'static str,
    /// Data units.
    pub data_units: usize,
    /// Parity units.
    pub parity_units: usize,
    /// Whether any k units give back the rest, or why not.
    pub mds: String,
    /// The parity rows, two hex digits a coefficient.
    pub rows: Vec<String>,
}

/// Why a command could not do its work.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ErrorReport {
    /// What failed, at which file and byte.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

impl From<&Failure> for ErrorReport {
    fn from(failure: &Failure) -> Self {
        Self { message: failure.to_string(), advice: failure.advice() }
    }
}
