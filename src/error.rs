//! The one error type: what was expected, what came, and where.

use alloc::boxed::Box;

/// A `Result` whose error is [`Error`].
pub type Result<T> = core::result::Result<T, Error>;

/// Everything that can be refused or go wrong in this crate, with the numbers in it.
///
/// Messages are in lower case and name the offending value; they are meant to be shown after
/// the caller's own context ("encode of /data/a: shard 3 has 511 bytes, expected 512").
///
/// ```
/// use restripe::{Error, ErasureCode, ReedSolomon};
///
/// let code = ReedSolomon::new(2, 1)?;
/// let refused = code.encode(&[[0; 8]; 3], &mut [[0; 8]]).unwrap_err();
/// assert_eq!(refused, Error::Count { what: "data shards", expected: 2, got: 3 });
/// println!("encode of /data/a: {refused}");
/// # Ok::<(), restripe::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No data units, no parity units, or more of both than the kind of code can have.
    #[error(
        "{data_units} data and {parity_units} parity units: {kind} takes 1 to {max_units} units in all, at least one of each"
    )]
    UnitCounts {
        /// Name of the code or matrix kind.
        kind: &'static str,
        /// Data units asked for.
        data_units: usize,
        /// Parity units asked for.
        parity_units: usize,
        /// The most that data and parity units may be together.
        max_units: usize,
    },

    /// The kind of matrix has a limit of its own on the number of parity units.
    #[error("{parity_units} parity units: {kind} takes at most {max_parity_units}")]
    ParityUnits {
        /// Name of the matrix kind.
        kind: &'static str,
        /// Parity units asked for.
        parity_units: usize,
        /// The most that it can have.
        max_parity_units: usize,
    },

    /// The matrix is known not to be MDS: some losses of `parity_units` units cannot be repaired.
    #[error(
        "the {kind} matrix for {data_units} data and {parity_units} parity units is not MDS: some losses of {parity_units} units cannot be repaired (the builder's accept_unchecked takes it all the same)"
    )]
    NotMds {
        /// Name of the matrix kind.
        kind: &'static str,
        /// Data units.
        data_units: usize,
        /// Parity units.
        parity_units: usize,
    },

    /// Nobody has shown the matrix to be MDS and it is too large to be checked exhaustively.
    #[error(
        "whether the {kind} matrix for {data_units} data and {parity_units} parity units is MDS is not known (the builder's accept_unchecked takes it all the same)"
    )]
    MdsUnknown {
        /// Name of the matrix kind.
        kind: &'static str,
        /// Data units.
        data_units: usize,
        /// Parity units.
        parity_units: usize,
    },

    /// A matrix or a list has another shape than the call needs.
    #[error("{got} {what}, expected {expected}")]
    Count {
        /// What was counted, in the plural ("data shards").
        what: &'static str,
        /// How many the call takes.
        expected: usize,
        /// How many it was given.
        got: usize,
    },

    /// A buffer has another length than the call needs.
    #[error("{what} {index} has {got} bytes, expected {expected}")]
    Length {
        /// What kind of buffer ("parity shard").
        what: &'static str,
        /// Which of them.
        index: usize,
        /// Its length by the rest of the call, in bytes.
        expected: usize,
        /// The length it has, in bytes.
        got: usize,
    },

    /// A buffer is longer than the call allows.
    #[error("{what} {index} has {got} bytes, expected at most {most}")]
    TooLong {
        /// What kind of buffer ("data shard").
        what: &'static str,
        /// Which of them.
        index: usize,
        /// The most bytes that it may have.
        most: usize,
        /// The length it has, in bytes.
        got: usize,
    },

    /// A unit that is not one of the data units.
    #[error("unit {unit} is no data unit: those are 0 to {}", data_units.saturating_sub(1))]
    NotADataUnit {
        /// The index given.
        unit: usize,
        /// How many data units there are.
        data_units: usize,
    },

    /// A progressive encoding ended before all data units were added.
    #[error("data unit {unit} was not added ({missing} of {data_units} are missing)")]
    NotAdded {
        /// The first unit that is missing.
        unit: usize,
        /// How many are missing.
        missing: usize,
        /// How many there are.
        data_units: usize,
    },

    /// A unit index past the last unit of the code.
    #[error("unit {unit} is out of range: the code has units 0 to {}", units.saturating_sub(1))]
    UnitOutOfRange {
        /// The index given.
        unit: usize,
        /// How many units there are.
        units: usize,
    },

    /// A unit named twice in one list.
    #[error("unit {unit} is named twice")]
    DuplicateUnit {
        /// The index given twice.
        unit: usize,
    },

    /// A unit asked to be rebuilt is among those to rebuild it from.
    #[error("unit {unit} is both available and wanted")]
    AvailableAndWanted {
        /// The index in both lists.
        unit: usize,
    },

    /// A unit that the plan does not read.
    #[error("the plan does not read unit {unit}")]
    NotRead {
        /// The unit named.
        unit: usize,
    },

    /// Fewer units are there than a rebuild takes.
    #[error("{available} units are available, {required} are required")]
    TooFewUnits {
        /// How many must be there.
        required: usize,
        /// How many are.
        available: usize,
    },

    /// The units that are there do not determine the one wanted (codes that are not MDS).
    #[error("unit {unit} cannot be rebuilt from the {available} units that are available")]
    NotRecoverable {
        /// The unit wanted.
        unit: usize,
        /// How many units are there.
        available: usize,
    },

    /// A byte range that ends past its buffer, or begins past its end.
    #[error("range {start}..{end} {} {len} bytes", if start > end { "ends before it begins, and should lie within" } else { "does not lie within" })]
    Range {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
        /// Length of what the range is of.
        len: u64,
    },

    /// A number given by the caller is not among those that the call takes.
    #[error("{what} is {got}, expected {expected}")]
    OutOfBounds {
        /// What the number is ("cell size").
        what: &'static str,
        /// The number.
        got: u64,
        /// What it may be, with the unit.
        expected: &'static str,
    },

    /// A length computed from the caller's numbers has more than 64 bits.
    #[error("{what} does not fit into 64 bits")]
    Overflow {
        /// The length that was to be computed ("length of a stripe").
        what: &'static str,
    },

    /// Bytes are not those that their checksum was computed of.
    #[error(
        "chunk {chunk}, from byte {offset} on: its checksum is {found:08x}, expected {expected:08x}"
    )]
    ChecksumMismatch {
        /// Which chunk of the data given, from 0.
        chunk: usize,
        /// Its first byte in the data given.
        offset: usize,
        /// The checksum that was stored or sent along.
        expected: u32,
        /// The checksum of the bytes as they are.
        found: u32,
    },

    /// Bytes of one unit are not those that their checksum was computed of.
    #[error(
        "unit {unit}, chunk {chunk}, from byte {offset} on: its checksum is {found:08x}, expected {expected:08x}"
    )]
    UnitChecksumMismatch {
        /// The unit.
        unit: usize,
        /// Which chunk of the unit's bytes given, from 0.
        chunk: usize,
        /// Its first byte in the unit's bytes given.
        offset: usize,
        /// The checksum that was stored or sent along.
        expected: u32,
        /// The checksum of the bytes as they are.
        found: u32,
    },

    /// The header of an HDFS block's `.meta` file holds what no header holds.
    #[error("header of the block's metadata: {field} is {got}, expected {expected}")]
    MetaHeader {
        /// The field ("version").
        field: &'static str,
        /// What it holds.
        got: i32,
        /// What it may hold.
        expected: &'static str,
    },

    /// Bytes that should hold a message of HDFS's transfer protocol do not.
    #[error("{message}, byte {offset}: {reason}")]
    Message {
        /// Which message ("OpReadBlockProto").
        message: &'static str,
        /// Where in it; its length where something is missing.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },

    /// A packet that cannot be: a number that no packet has, or lengths that do not agree.
    #[error("packet: its {field} is {got}, expected {expected}")]
    Packet {
        /// The field ("data length").
        field: &'static str,
        /// What it holds.
        got: i64,
        /// What it may hold.
        expected: &'static str,
    },

    /// A packet that does not have the number that comes next.
    #[error("packet {got} came where packet {expected} comes next")]
    PacketNumber {
        /// Its number.
        got: i64,
        /// The number after that of the packet before.
        expected: i64,
    },

    /// A packet that may not come after those before it.
    #[error("packet {seqno}: its {field} is {got}, expected {expected}")]
    PacketOrder {
        /// The packet's number.
        seqno: i64,
        /// The field ("offset").
        field: &'static str,
        /// What it holds.
        got: u64,
        /// What it would have to hold.
        expected: u64,
    },

    /// `RESTRIPE_KERNEL`, or a caller, names a kernel that is unknown or that this CPU lacks.
    #[error("kernel {name:?} is {}; available here: {available}", if *known { "not supported by this CPU" } else { "unknown" })]
    KernelUnavailable {
        /// The name given.
        name: Box<str>,
        /// True for a kernel of this crate that the CPU (or the build) lacks.
        known: bool,
        /// The names that would be accepted, separated by spaces.
        available: Box<str>,
    },

    /// A computed result failed its own check: a fault of the core, the memory or a kernel.
    #[error(
        "the computed result fails its check at byte {offset}: a fault of the machine or of kernel {kernel}"
    )]
    ComputeCheck {
        /// First byte, in every unit, of the range that does not agree (the check is linear
        /// over whole columns, so which unit is wrong is not known).
        offset: usize,
        /// The kernel that computed it.
        kernel: &'static str,
    },

    /// Bytes that should hold a serialised plan do not.
    #[error("serialised plan, byte {offset}: {reason}")]
    PlanBytes {
        /// Where.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },

    /// A value given by the caller is not among those that the call takes.
    #[error("{what} {got:?}: {expected}")]
    Invalid {
        /// What was given ("policy name").
        what: &'static str,
        /// The value.
        got: Box<str>,
        /// What it may be.
        expected: &'static str,
    },
}
