//! What the commands of parity files can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use restripe::layout::Policy;

use super::rate::BytesPerSecond;
use crate::args::Resources;
use crate::range::ByteRange;

/// Where metastore and parity files are.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// The metastore, a database file [default: .restripe/metastore.db in the folder that was
    /// protected, or in one above it]
    #[arg(long = "store", value_name = "DB", value_hint = ValueHint::FilePath, help_heading = "Places")]
    pub store: Option<PathBuf>,
}

/// `restripe protect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe protect ~/photos
  restripe protect --policy RS-10-4-4096k --parity-dir /mnt/other/parity ~/archive
  restripe protect --dry-run ~/photos
  restripe protect s3://bucket/photos

Files stay as they are. A long file gets a parity file of its own; small files of one owner in one
folder share one. The policy's cell is the length of a unit: k of them are a group, and any m of its
k + m units may be lost. Parity on another disk survives the loss of this one's sectors better.
Run again it looks for files that are new or have changed; stopped at any moment, even by kill -9,
it carries on where it was.

Of objects, parity is under .restripe/parity behind the prefix, and the metastore in the user's
folder for data (XDG_DATA_HOME). AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and
AWS_ENDPOINT_URL say how they are reached.")]
pub struct Protect {
    /// Files and folders to protect, or objects: s3://BUCKET/PREFIX
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Code, data units, parity units and length of a unit
    #[arg(long, value_name = "POLICY", default_value = "RS-6-3-4096k")]
    pub policy: Policy,

    /// Folder or s3://BUCKET/PREFIX for the parity files [default: parity beside the metastore];
    /// kept in the metastore
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Places")]
    pub parity_dir: Option<PathBuf>,

    /// Say what would be done, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,

    /// Where everything is.
    #[command(flatten)]
    pub place: Where,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe status`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe status ~/photos
  restripe status --json ~/photos | jq .less_protected

Reads no file: it shows what is recorded, and which files have changed or gone since. Exit status
3 when damage is known that can be healed, 4 when some cannot.")]
pub struct Status {
    /// A file, folder or s3://BUCKET/PREFIX [default: everything that the metastore knows]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,

    /// Where everything is.
    #[command(flatten)]
    pub place: Where,
}

/// `restripe scrub` and `restripe heal`
#[derive(Debug, Args)]
pub struct Look {
    /// Files, folders or s3://BUCKET/PREFIX [default: everything that the metastore knows]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// The most to read per second, e.g. 50MB/s
    #[arg(long, value_name = "RATE", help_heading = "Resources")]
    pub rate: Option<BytesPerSecond>,

    /// Where everything is.
    #[command(flatten)]
    pub place: Where,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe scrub`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe scrub ~/photos
  restripe scrub --rate 50MB/s --json /srv

Reads all protected files and their parity, and changes nothing. It tells apart what is clean, what
is damaged, what its owner has changed, and what was not looked at. Exit status 3: damaged, and
`restripe heal` can heal all of it; 4: some is beyond repair; 5: nothing wrong was found, but
something could not be looked at.")]
pub struct Scrub {
    /// What is looked at.
    #[command(flatten)]
    pub look: Look,
}

/// `restripe heal`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe heal ~/photos
  restripe heal --dry-run ~/photos/2024/img_0001.raw

Reads everything as scrub does, and rebuilds what is damaged: into a new file beside the old one,
which takes its place when it is whole, verified and on the disk, with mode, owner, times and
extended attributes as they were. A file that its owner has changed is never touched, nor is one
that cannot be rebuilt whole.")]
pub struct Heal {
    /// What is looked at.
    #[command(flatten)]
    pub look: Look,

    /// Say what would be healed, and heal nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `restripe cat`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe cat photos/img_0001.raw > img.raw
  restripe cat --range 0..1048576 film.mkv | head -c 100

What is right comes from the file, what is damaged is computed from the rest of its group and
verified. Nothing is written. A pipe has had its bytes when damage beyond repair is met, so look at
the exit status: 4.")]
pub struct Cat {
    /// The file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Only these bytes of the file: START..END (END not included), START.. or ..END
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub range: Option<ByteRange>,

    /// Where everything is.
    #[command(flatten)]
    pub place: Where,
}

/// `restripe unprotect`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  restripe unprotect ~/photos/2024

Removes the parity of files, and forgets them. The files themselves are not touched. Others that
shared parity with them get new parity before the old one goes.")]
pub struct Unprotect {
    /// Files and folders
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Say what would be done, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,

    /// Where everything is.
    #[command(flatten)]
    pub place: Where,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe block`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  restripe block rescan ~/photos")]
pub struct Block {
    /// What to do.
    #[command(subcommand)]
    pub command: BlockCommand,
}

/// What can be done with parity files themselves.
#[derive(Debug, Subcommand)]
pub enum BlockCommand {
    /// Make a new metastore out of the parity files
    Rescan(Rescan),
}

/// `restripe block rescan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe block rescan ~/photos
  restripe block rescan --dry-run ~/photos
  restripe block rescan --store /var/lib/photos.db --parity-dir /mnt/other/parity ~/photos

Every parity file says which files it is of, who these were, and what their checksums are. Those
files are found again, under other names too. A metastore that is there is moved aside.")]
pub struct Rescan {
    /// The folder that was protected, or s3://BUCKET/PREFIX
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,

    /// Folder with the parity files [default: parity beside the metastore]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Places")]
    pub parity_dir: Option<PathBuf>,

    /// Say what would be found again, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,

    /// Where everything is.
    #[command(flatten)]
    pub place: Where,
}

/// `restripe watch`
#[derive(Debug, Args)]
#[command(after_help = "\
Example, and a file of rules with everything that can be in one:
  restripe watch --rules /etc/restripe.toml --metrics 127.0.0.1:9977

  [[rule]]
  name = \"photos\"
  path = \"/srv/photos\"
  include = [\"**/*.raw\", \"2024/**\"]   # ** are any folders, * is part of a name
  exclude = [\"**/cache/**\"]
  older-than = \"7d\"                   # s, m, h, d
  larger-than = \"1KiB\"
  smaller-than = \"100GiB\"
  owner = 1000                        # number of a user
  policy = \"RS-6-3-4096k\"
  scrub-every = \"30d\"                 # read everything, heal what is damaged
  rate = \"50MB/s\"
  hours = \"22:00-06:00\"               # local time
  store = \"/var/lib/photos.db\"
  parity-dir = \"/mnt/other/parity\"

Only name and path are needed. Try a file of rules with --dry-run. What happens is told on standard error, one JSON object a line:
protected, scrubbed, repaired (one for each group), damaged, passed over, failed. What fails is
tried again after twice the time, up to an hour. SIGTERM ends it cleanly.")]
pub struct Watch {
    /// The rules, in TOML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rules: PathBuf,

    /// Time between two looks at a rule's files
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub interval: u32,

    /// Answer with metrics for Prometheus at this address of this machine; port 0 takes any
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<std::net::SocketAddr>,

    /// Follow each rule once, and end
    #[arg(long)]
    pub once: bool,

    /// Say once what each rule would have done now, whatever the hour, and do nothing
    #[arg(long, short = 'n', conflicts_with = "metrics")]
    pub dry_run: bool,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}
