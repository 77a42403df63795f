//! The command line: what can be asked for, and the help that teaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use restripe::MatrixKind;
use restripe::layout::Policy;

use crate::bench::CodeShape;
use crate::block_ec;
use crate::block_place::UnitPlace;
use crate::block_version::BlockVersion;
use crate::exit::exit_table;
use crate::range::ByteRange;
use crate::size::Size;

/// Splits a file into data and parity blocks, any k of k + m of which give it back; checks,
/// repairs and decodes them. Reads and repairs the blocks of HDFS datanodes, too.
#[derive(Debug, Parser)]
#[command(name = "restripe", version, propagate_version = true, after_help = exit_table!())]
#[command(after_long_help = LONG_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// How to speak.
    #[command(flatten)]
    pub output: Output,
}

const LONG_HELP: &str = concat!(
    "\
Examples:
  restripe encode --policy RS-6-3-1024k film.mkv blocks/   # 9 blocks, any 6 suffice
  restripe verify blocks/                                  # is everything whole?
  restripe repair blocks/                                  # rebuild what is not
  restripe decode blocks/ film.mkv                         # the file again

",
    exit_table!()
);

/// How the command speaks.
#[derive(Clone, Debug, Args)]
pub struct Output {
    /// Print one JSON document instead of text, for scripts
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,

    /// Print nothing but errors; the exit status tells the rest
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,

    /// Colours and progress bars
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN", help_heading = "Output")]
    pub color: Colour,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On terminals only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Split a file into data and parity blocks
    Encode(Encode),
    /// Check every block: lengths, checksums, and with --deep parity against data
    Verify(Verify),
    /// Rebuild what is missing or damaged
    Repair(Repair),
    /// Put the file together again, healing what is damaged on the way
    Decode(Decode),
    /// Serve the blocks of a folder over the network, as a datanode does
    Serve(Serve),
    /// Read a block from a datanode or from `restripe serve`
    Fetch(Fetch),
    /// Rebuild lost blocks of one striped group from blocks that are left
    Reconstruct(Reconstruct),
    /// Make parity files for files that stay as they are
    Protect(block_ec::args::Protect),
    /// Show how protected files stand, without reading them
    Status(block_ec::args::Status),
    /// Read protected files and their parity, and tell what is damaged
    Scrub(block_ec::args::Scrub),
    /// Rebuild damaged files in place
    Heal(block_ec::args::Heal),
    /// Print a protected file, computing what is damaged
    Cat(block_ec::args::Cat),
    /// Remove the parity of files
    Unprotect(block_ec::args::Unprotect),
    /// Follow rules: protect, scrub and heal until it is stopped
    Watch(block_ec::args::Watch),
    /// Look after parity files themselves
    Block(block_ec::args::Block),
    /// Show the CPU, the kernels that it can run and the one chosen; or compare policies
    Info(Info),
    /// Measure how fast this machine encodes and rebuilds, beside what copying memory takes
    Bench(Bench),
    /// Print the parity rows of a generator matrix
    Matrix(Matrix),
    /// Print the JSON Schema of what --json prints
    Schema,
    /// Print a script that completes this command's arguments in a shell
    Completions(Completions),
    /// Print the manual page, or write those of all commands into a folder
    Man(Man),
}

/// How much of the machine may be used.
#[derive(Clone, Debug, Args)]
pub struct Resources {
    /// The most memory to use for data, e.g. 64MiB; a few stripes are needed at least
    #[arg(long, value_name = "SIZE", default_value = "256MiB", help_heading = "Resources")]
    pub memory: Size,

    /// Threads that compute [default: one for every core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Resources")]
    pub threads: Option<u16>,
}

impl Resources {
    /// Threads that compute.
    #[must_use]
    pub fn threads(&self) -> usize {
        match self.threads {
            Some(threads) => usize::from(threads),
            None => crate::parallel::cores(),
        }
    }
}

/// What a folder without a manifest cannot say about itself.
#[derive(Clone, Debug, Args)]
pub struct FolderLayout {
    /// Erasure-coding policy of a folder without a manifest, e.g. RS-6-3-1024k
    #[arg(
        long,
        value_name = "POLICY",
        requires = "size",
        help_heading = "Folders without a manifest"
    )]
    pub policy: Option<Policy>,

    /// Size of the file whose blocks they are, in bytes
    #[arg(
        long,
        value_name = "SIZE",
        requires = "policy",
        help_heading = "Folders without a manifest"
    )]
    pub size: Option<Size>,

    /// Size of an internal block (HDFS: the file's block size) [default: 128MiB]
    #[arg(
        long,
        value_name = "SIZE",
        requires = "policy",
        help_heading = "Folders without a manifest"
    )]
    pub block_size: Option<Size>,

    /// Ids of the file's block groups in order, where the folder does not show them
    #[arg(
        long,
        value_name = "ID",
        value_delimiter = ',',
        allow_negative_numbers = true,
        requires = "policy",
        help_heading = "Folders without a manifest"
    )]
    pub group_ids: Vec<i64>,
}

impl FolderLayout {
    /// Nothing said: the folder has a manifest.
    #[must_use]
    pub fn none() -> Self {
        Self { policy: None, size: None, block_size: None, group_ids: Vec::new() }
    }
}

/// `restripe encode`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe encode film.mkv blocks/
  restripe encode --policy RS-10-4-1024k --block-size 1GiB backup.tar /mnt/blocks
  tar c /home | restripe encode --name home.tar - blocks/

DIR gets the blocks group-00000-unit-000 and so on, a .meta file with the checksums of each (the
format of HDFS), and last of all manifest.json. It must be empty or not exist; what a killed
encode left in it is removed. A folder without manifest.json was not finished.")]
pub struct Encode {
    /// The file to split; `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// The folder for the blocks; is created
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,

    /// Code, data units, parity units and cell size: RS-6-3-1024k, XOR-2-1-64k, RS-200-56-4k. Of
    /// codes that read less to rebuild one block: HHXOR-10-4-1024k, and LRC-12-2-2-1024k with data
    /// units, local groups and global parity units (restripe info --policy compares them)
    #[arg(long, value_name = "POLICY", default_value = "RS-6-3-1024k")]
    pub policy: Policy,

    /// Size of an internal block, a multiple of the cell; a block group holds one for every unit
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    pub block_size: Size,

    /// Name to note in the manifest [default: that of FILE]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Do not wait until everything is on the disk; a power failure may then cost all of it
    #[arg(long)]
    pub no_fsync: bool,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe verify blocks/
  restripe verify --deep --json blocks/ | jq .verdict
  restripe verify --policy RS-6-3-1024k --size 1073741824 /data/dn/finalized/subdir0

Reads every block once and changes nothing. Exit status 0: whole; 3: damaged, but `restripe
repair` can rebuild all of it; 4: something is lost; 5: some data is proved by nothing.
--deep also computes parity against data, which finds wrong data with right checksums.")]
pub struct Verify {
    /// The folder of blocks
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,

    /// Also check parity against data, and say which block is wrong where that can be told
    #[arg(long)]
    pub deep: bool,

    /// What a folder without a manifest cannot say about itself.
    #[command(flatten)]
    pub layout: FolderLayout,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe repair`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe repair blocks/
  restripe repair --dry-run blocks/
  restripe repair --policy RS-6-3-1024k --size 1073741824 /data/dn/finalized/subdir0

Missing, shortened, lengthened and damaged blocks and .meta files are written anew beside the old
ones, read back, and only then take their place; a block that cannot be rebuilt whole is left
exactly as it is. Stopped at any moment, even by kill -9, it can simply be run again.
A folder of this command that has lost its manifest gets a new one by --deep.")]
pub struct Repair {
    /// The folder of blocks
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,

    /// Say what would be done, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,

    /// Also check parity against data, and rebuild what that shows to be wrong
    #[arg(long)]
    pub deep: bool,

    /// Rebuild even from data that nothing proves (its .meta file is gone, and no spare unit is
    /// left to check it against)
    #[arg(long)]
    pub trust_unverified: bool,

    /// Do not wait until everything is on the disk; a power failure may then cost what was rebuilt
    #[arg(long)]
    pub no_fsync: bool,

    /// What a folder without a manifest cannot say about itself.
    #[command(flatten)]
    pub layout: FolderLayout,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe decode`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe decode blocks/ film.mkv
  restripe decode --range 0..1048576 blocks/ first-mebibyte
  restripe decode blocks/ - | tar x
  restripe decode --policy RS-6-3-1024k --size 1073741824 /data/dn/finalized/subdir0 file

Any k good chunks of a stripe give the others, wherever they lie (with LRC not any k, but those of
a local group each other); the folder is not changed.
FILE appears under its name only when it is whole. A whole file is checked against the SHA-256 of
the manifest; a pipe has then had its bytes already, so look at the exit status.")]
pub struct Decode {
    /// The folder of blocks
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,

    /// The file to write; `-` for standard output
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Only these bytes of the file: START..END (END not included), START.. or ..END
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub range: Option<ByteRange>,

    /// Write over FILE if it exists
    #[arg(long, short)]
    pub force: bool,

    /// Do not wait until the file is on the disk
    #[arg(long)]
    pub no_fsync: bool,

    /// What a folder without a manifest cannot say about itself.
    #[command(flatten)]
    pub layout: FolderLayout,

    /// How much of the machine may be used.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe serve /data/dn/current/BP-1/current/finalized
  restripe serve --listen 10.0.0.7:9866 --bandwidth 50MiB blocks/
  restripe serve --allow-write received/

Blocks are files blk_ID with checksums blk_ID_STAMP.meta, in DIR or where datanodes put them below
it. HDFS clients can read them, too. There is no security in it: whoever reaches the address reads
every block, and with --allow-write adds some. Serves until it is stopped.")]
pub struct Serve {
    /// The folder of blocks
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,

    /// Address and port to listen at; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9866")]
    pub listen: SocketAddr,

    /// Also take new blocks; one that is there is never written over
    #[arg(long)]
    pub allow_write: bool,

    /// Verify data before it is sent, instead of leaving that to the reader: slower, and damage is
    /// reported here
    #[arg(long)]
    pub verify: bool,

    /// The most bytes per second, of all connections together [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub bandwidth: Option<Size>,

    /// The most connections at a time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,

    /// How long a peer may take for a packet
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
}

/// `restripe fetch`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe fetch 127.0.0.1:9866 blk_1073741825 block
  restripe fetch --range 0..65536 10.0.0.7:9866 blk_1073741825_1001 first-64k
  restripe fetch --pool BP-929597290-10.0.0.1-1487000000000 datanode:9866 1073741825 > block

Everything is verified on arrival. FILE appears under its name only when it is whole; a pipe has
then had its bytes already, so look at the exit status. A range without an end, or of a block whose
length the datanode has to tell, can be read from a real datanode from byte 0 on only.")]
pub struct Fetch {
    /// Where the block is; a name or an address
    #[arg(value_name = "HOST:PORT")]
    pub from: String,

    /// The block: its id or its file's name, with the generation stamp or without
    #[arg(value_name = "BLOCK", allow_negative_numbers = true)]
    pub block: BlockVersion,

    /// The file to write; `-` for standard output
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// The block pool: real datanodes must be told
    #[arg(long, value_name = "POOL", default_value = "")]
    pub pool: String,

    /// Only these bytes of the block: START..END (END not included), START.. or ..END
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub range: Option<ByteRange>,

    /// Write over FILE if it exists
    #[arg(long, short)]
    pub force: bool,

    /// Do not wait until the file is on the disk
    #[arg(long)]
    pub no_fsync: bool,

    /// How long the datanode may take for a packet
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
}

/// `restripe info`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe info
  restripe info --policy LRC-16-4-2-1024k

With --policy: what is stored for a byte of the file, how many lost blocks of a group are survived
whichever they are, and how many blocks' worth is read to rebuild one: the mean over data blocks,
the mean over all, and the worst. The policy stands first, those built in follow.")]
pub struct Info {
    /// Compare this policy with those built in
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<Policy>,
}

/// `restripe bench`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe bench --quick
  restripe bench --html speed.html
  restripe bench --code 12+4 --shard 1MiB --kernel avx512_gfni --kernel avx2 --json

In memory alone: no disk and no network. GB/s (10^9 bytes a second) count all shards that are read
and written, as for memcpy beside them. `rebuild` computes m lost data units (all, where there are
fewer) with a kept plan. Medians; --json has the least and the most, too. What else runs on the
machine is measured with it. The first code is also encoded on several cores.")]
pub struct Bench {
    /// Data and parity units, as 6+3; may be repeated [default: 6+3, 3+2, 10+4, 17+3]
    #[arg(long = "code", value_name = "K+M")]
    pub codes: Vec<CodeShape>,

    /// Length of a shard; may be repeated [default: 4KiB, 64KiB, 1MiB, 16MiB]
    #[arg(long = "shard", value_name = "SIZE")]
    pub shards: Vec<Size>,

    /// Kernel, by the name that restripe info shows; may be repeated [default: all of this CPU]
    #[arg(long = "kernel", value_name = "NAME")]
    pub kernels: Vec<String>,

    /// Fewer codes and shorter measurements: some seconds instead of about half a minute
    #[arg(long)]
    pub quick: bool,

    /// How long a measurement takes [default: 100, with --quick 20]
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub time: Option<u64>,

    /// Write a page with plots into this file (`-`: standard output); it loads nothing else
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Write over FILE if it exists
    #[arg(long, short)]
    pub force: bool,

    /// The most threads [default: one for every core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// `restripe reconstruct`
#[derive(Debug, Args)]
#[command(after_help = "\
Example: unit 2 of an RS-3-2 group, from two files and a datanode, and to another datanode:
  restripe reconstruct --policy RS-3-2-1024k --length 300000000 \\
    --source 0=data/blk_-9223372036854775792 --source 1=data/blk_-9223372036854775791 \\
    --source 4=10.0.0.5:9866/blk_-9223372036854775788_1001 \\
    --target 2=10.0.0.9:9866/blk_-9223372036854775790_1001

Data units are counted from 0, parity units follow them. More sources than are needed are asked
only where one fails or is slow. Every source is verified by its checksums, what is computed by a
second computation; a target counts as rebuilt when it has acknowledged everything.")]
pub struct Reconstruct {
    /// Erasure-coding policy, e.g. RS-6-3-1024k
    #[arg(long, value_name = "POLICY")]
    pub policy: Policy,

    /// Bytes of data in the group, all data blocks together
    #[arg(long, value_name = "BYTES")]
    pub length: u64,

    /// A live block: UNIT=FOLDER/BLOCK or UNIT=HOST:PORT/BLOCK; those named first are preferred
    #[arg(long = "source", value_name = "UNIT=PLACE", required = true)]
    pub sources: Vec<UnitPlace>,

    /// A block to be rebuilt, and where it goes
    #[arg(long = "target", value_name = "UNIT=PLACE", required = true)]
    pub targets: Vec<UnitPlace>,

    /// The block pool: real datanodes must be told
    #[arg(long, value_name = "POOL", default_value = "")]
    pub pool: String,

    /// Read this much of each source at a time
    #[arg(long, value_name = "SIZE", default_value = "256KiB")]
    pub buffer: Size,

    /// Read one or two sources more than are needed, and compare: notices sources that are wrong
    /// although their checksums are right
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub extra_sources: u8,

    /// Do without the damaged chunks of a source and use the rest of it, instead of giving it up
    #[arg(long)]
    pub leave_out_damage: bool,

    /// How long a source or target may take to open, to read, to acknowledge
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,

    /// The most to read per second, e.g. 50MiB
    #[arg(long, value_name = "SIZE", help_heading = "Resources")]
    pub read_rate: Option<Size>,

    /// The most to send per second
    #[arg(long, value_name = "SIZE", help_heading = "Resources")]
    pub write_rate: Option<Size>,

    /// Memory and threads.
    #[command(flatten)]
    pub resources: Resources,
}

/// `restripe matrix`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  $ restripe matrix --kind cauchy --data 3 --parity 2
  f48e01
  47a77a

One line a parity row: two hex digits for the coefficient of each data unit, field polynomial
0x11d. Warns on standard error where the matrix is not MDS (some losses cannot be repaired).")]
pub struct Matrix {
    /// Whose matrix
    #[arg(long, value_name = "KIND", value_parser = matrix_kinds())]
    pub kind: MatrixKind,

    /// Data units: k
    #[arg(long, value_name = "K")]
    pub data: usize,

    /// Parity units: m
    #[arg(long, value_name = "M")]
    pub parity: usize,
}

/// `restripe completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  restripe completions bash > ~/.local/share/bash-completion/completions/restripe")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `restripe man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  restripe man | man -l -
  restripe man --out ~/.local/share/man/man1")]
pub struct Man {
    /// Write restripe.1 and a page for every command into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

fn matrix_kinds() -> impl TypedValueParser<Value = MatrixKind> {
    PossibleValuesParser::new(MatrixKind::ALL.iter().map(|kind| kind.name()))
        .try_map(|name| name.parse::<MatrixKind>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_help_teaches_with_an_example_but_those_of_commands_without_arguments() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains("Example") || ["info", "schema"].contains(&command.get_name()),
                "{}",
                command.get_name()
            );
        }
    }
}
