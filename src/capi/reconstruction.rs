//! The buffer-round decoder: made, polled, asked. What is told to it is in `round_events.rs`.

use alloc::collections::VecDeque;
use alloc::ffi::CString;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use super::arguments::{
    self, Handle, Outcome, borrow, borrow_mut, give, handle_of, values, versioned, write,
};
use super::codec::Codec;
use super::packets::{PacketHeader, start_of};
use super::status::{Failure, RESTRIPE_ERROR_RECONSTRUCTION, RESTRIPE_OK, guard};
use super::striping::{Striping, layout_of};
use crate::Error;
use crate::round::{self, Action, Config, Hedging};

/// Nothing is to be done until something has happened.
pub const RESTRIPE_ACTION_NONE: u32 = 0;
/// Open `source`; answer, naming `token`, by restripe_reconstruction_opened or _open_failed.
pub const RESTRIPE_ACTION_OPEN: u32 = 1;
/// Lend `count` buffers of `data_len` bytes each or more, by restripe_reconstruction_lend. Asked
/// once.
pub const RESTRIPE_ACTION_LEND: u32 = 2;
/// Read `data_len` bytes of `source` from `offset` on to `data`, and the `sums_len` bytes of their
/// checksums to `sums`; bring `read` back by restripe_reconstruction_read_done, _read_failed or
/// _read_cancelled. `cookie` is that of the buffer, `token` names the read.
pub const RESTRIPE_ACTION_READ: u32 = 3;
/// The answer to the open or read `token` is no longer needed: end it soon. It still has to come.
pub const RESTRIPE_ACTION_CANCEL: u32 = 4;
/// Close `source`.
pub const RESTRIPE_ACTION_CLOSE: u32 = 5;
/// Have restripe_job_run run `job`, on any thread, and bring it back by
/// restripe_reconstruction_computed.
pub const RESTRIPE_ACTION_COMPUTE: u32 = 6;
/// Send the `sums_len` bytes at `sums` (header and checksums) and then the `count` parts of
/// restripe_outgoing_packet_part to `target`, in the order of these actions; bring `packet` back by
/// restripe_reconstruction_sent, and tell its acknowledgement by restripe_reconstruction_acked.
/// `header` is what those bytes begin with.
pub const RESTRIPE_ACTION_SEND: u32 = 7;
/// `data_len` bytes of data unit `unit` from `offset` on are at `data`; bring `delivery` back by
/// restripe_reconstruction_delivered when they are no longer needed.
pub const RESTRIPE_ACTION_DELIVER: u32 = 8;
/// `target` has acknowledged everything and is rebuilt.
pub const RESTRIPE_ACTION_FINISH_TARGET: u32 = 9;
/// `target` has failed, or is no longer wanted: break off.
pub const RESTRIPE_ACTION_DROP_TARGET: u32 = 10;
/// It is over: `status` is RESTRIPE_OK, or RESTRIPE_ERROR_RECONSTRUCTION and `message` says why.
/// The last action; what is still out has to be brought back all the same.
pub const RESTRIPE_ACTION_DONE: u32 = 11;

/// Time without an end, and moments that never come.
pub const RESTRIPE_NEVER: u64 = u64::MAX;

/// In restripe_reconstruction_options.flags: what is read is not held against its checksums.
pub const RESTRIPE_UNVERIFIED_SOURCES: u32 = 1;
/// In restripe_reconstruction_options.flags: what is computed is not checked by a second
/// computation.
pub const RESTRIPE_UNCHECKED_COMPUTING: u32 = 2;

/// The choices of one reconstruction. Set all of it to zeros, then `size`, `seed`, and what is to
/// differ from the usual, which zero stands for. Times are nanoseconds.
#[repr(C)]
pub struct ReconstructionOptions {
    /// sizeof(restripe_reconstruction_options).
    pub size: usize,
    /// Decides the combination that computing is checked by: a number that faults cannot know.
    pub seed: u64,
    /// Bytes of each source in a round, before they are rounded to whole chunks; usually 64 KiB.
    pub buffer_len: usize,
    /// Bytes that all buffers may take; usually 256 MiB.
    pub max_memory: usize,
    /// Time for a source to open; usually 60 s.
    pub open_timeout_ns: u64,
    /// Time for a read; usually 60 s.
    pub read_timeout_ns: u64,
    /// Time for a target to acknowledge a packet; usually 60 s.
    pub ack_timeout_ns: u64,
    /// How long nothing may complete before one more source is read beside slow ones;
    /// RESTRIPE_NEVER for never. Usually learnt from this group's reads.
    pub hedge_after_ns: u64,
    /// Bytes in a packet, with its header and checksums; usually 64 KiB.
    pub packet_len: usize,
    /// Packets that may be on the way to a target; usually 80.
    pub max_unacked_packets: usize,
    /// Sources read beyond those required, 0 to 2, to notice (1) or name (2) one that lies with
    /// right checksums.
    pub extra_sources: usize,
    /// RESTRIPE_UNVERIFIED_SOURCES and RESTRIPE_UNCHECKED_COMPUTING, or 0.
    pub flags: u32,
    /// Set to 0.
    pub reserved: u32,
}

/// What is to be done next. Which fields mean something, `kind` says (RESTRIPE_ACTION_...).
#[repr(C)]
pub struct ActionOut {
    /// One of RESTRIPE_ACTION_...
    pub kind: u32,
    /// How it ended.
    pub status: c_int,
    /// Names an open or a read.
    pub token: u64,
    /// Index into the list of sources.
    pub source: usize,
    /// Index of a target: restripe_reconstruction_target_unit.
    pub target: usize,
    /// A unit of the code.
    pub unit: usize,
    /// First byte in the unit's internal block.
    pub offset: u64,
    /// How many buffers, or parts of a packet.
    pub count: usize,
    /// The caller's name for the buffer.
    pub cookie: *mut c_void,
    /// Bytes of data: to be written for a read, only read for a delivery.
    pub data: *mut u8,
    /// How many.
    pub data_len: usize,
    /// Bytes of checksums, or of a packet's header and checksums.
    pub sums: *mut u8,
    /// How many.
    pub sums_len: usize,
    /// Of a packet.
    pub header: PacketHeader,
    /// To be brought back.
    pub read: *mut SourceRead,
    /// To be run and brought back.
    pub job: *mut Job,
    /// To be sent and brought back.
    pub packet: *mut OutgoingPacket,
    /// To be used and brought back.
    pub delivery: *mut Delivery,
    /// What went wrong; stands as long as the reconstruction.
    pub message: *const c_char,
}

impl ActionOut {
    fn new(kind: u32) -> Self {
        Self {
            kind,
            status: RESTRIPE_OK,
            token: 0,
            source: 0,
            target: 0,
            unit: 0,
            offset: 0,
            count: 0,
            cookie: ptr::null_mut(),
            data: ptr::null_mut(),
            data_len: 0,
            sums: ptr::null_mut(),
            sums_len: 0,
            header: round_header(),
            read: ptr::null_mut(),
            job: ptr::null_mut(),
            packet: ptr::null_mut(),
            delivery: ptr::null_mut(),
            message: ptr::null(),
        }
    }
}

fn round_header() -> PacketHeader {
    crate::hdfs::PacketHeader::data(0, 0, 0).into()
}

/// Memory that C lent.
pub(super) struct Memory {
    pub(super) start: *mut u8,
    pub(super) len: usize,
    pub(super) cookie: *mut c_void,
}

// SAFETY: who lends it promises that nobody else uses it until it comes back; it may be used from
// any thread, and the cookie is only handed on.
unsafe impl Send for Memory {}
// SAFETY: as above; without `&mut` it is only read.
unsafe impl Sync for Memory {}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: not NULL and of a length that memory has, as was checked when it was lent; nobody
        // else uses it, as the caller promised then.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

/// A reconstruction of lost units of one block group, in rounds: a state machine without input,
/// output, threads and clock. The caller does what restripe_reconstruction_poll says and tells what
/// came of it; the same answers at the same times give the same actions.
///
/// `now` is nanoseconds since a moment that the caller chooses and keeps to. One thread at a time
/// may use a reconstruction; its jobs run on any.
pub struct Reconstruction {
    pub(super) machine: round::Reconstruction<Memory>,
    /// Tells it from others, in what is brought back.
    pub(super) id: u64,
    /// How many buffers were asked for, and of how many bytes.
    pub(super) asked: (usize, usize),
    /// Where the buffers are that were lent and not taken back.
    pub(super) lent: Vec<(usize, usize)>,
    /// Buffers on their way back to the caller.
    home: VecDeque<Memory>,
    message: CString,
}

impl Handle for Reconstruction {
    const MARK: u64 = u64::from_be_bytes(*b"rs recon");
    const NAME: &'static str = "reconstruction";
}

/// What an action gave out, and whose.
pub(super) struct Out<T> {
    pub(super) owner: u64,
    pub(super) value: T,
}

/// A read that was asked for.
pub struct SourceRead(pub(super) Out<round::SourceRead<Memory>>);

/// The computation of one round.
pub struct Job(pub(super) Out<round::Job<Memory>>);

/// A packet for a target.
pub struct OutgoingPacket(pub(super) Out<round::OutgoingPacket<Memory>>);

/// Bytes for a reader.
pub struct Delivery(pub(super) Out<round::Delivery<Memory>>);

/// Handles of what actions give out.
macro_rules! given_out {
    ($($type:ident: $mark:literal, $name:literal;)*) => {$(
        impl Handle for $type {
            const MARK: u64 = u64::from_be_bytes(*$mark);
            const NAME: &'static str = $name;
        }

        impl $type {
            fn handle(owner: u64, value: round::$type<Memory>) -> *mut Self {
                handle_of(Self(Out { owner, value }))
            }
        }
    )*};
}

given_out! {
    SourceRead: b"rs sread", "read";
    Job: b"rs job  ", "job";
    OutgoingPacket: b"rs outpk", "packet";
    Delivery: b"rs deliv", "delivery";
}

/// # Safety
///
/// As [`versioned`].
unsafe fn config_of(options: *const ReconstructionOptions) -> Outcome<Config> {
    // SAFETY: the caller's promise; all its fields are numbers.
    let given = unsafe { versioned("options", options, size_of::<ReconstructionOptions>()) }?;
    let known = RESTRIPE_UNVERIFIED_SOURCES | RESTRIPE_UNCHECKED_COMPUTING;
    if given.flags & !known != 0 || given.reserved != 0 {
        return Err(Failure::Value {
            what: "flags",
            got: given.flags.into(),
            expected: "those of restripe_reconstruction_options, and 0 in reserved",
        });
    }
    let mut config = Config::new(given.seed);
    let number = |target: &mut usize, given| {
        if given != 0 {
            *target = given;
        }
    };
    number(&mut config.buffer_len, given.buffer_len);
    number(&mut config.max_memory, given.max_memory);
    number(&mut config.packet_len, given.packet_len);
    number(&mut config.max_unacked_packets, given.max_unacked_packets);
    let time = |target: &mut Duration, given| {
        if given != 0 {
            *target = Duration::from_nanos(given);
        }
    };
    time(&mut config.open_timeout, given.open_timeout_ns);
    time(&mut config.read_timeout, given.read_timeout_ns);
    time(&mut config.ack_timeout, given.ack_timeout_ns);
    match given.hedge_after_ns {
        0 => {}
        RESTRIPE_NEVER => config.hedging = Hedging::Never,
        after => config.hedging = Hedging::After(Duration::from_nanos(after)),
    }
    config.extra_sources = given.extra_sources;
    config.verify_sources = given.flags & RESTRIPE_UNVERIFIED_SOURCES == 0;
    config.check_computing = given.flags & RESTRIPE_UNCHECKED_COMPUTING == 0;
    Ok(config)
}

/// # Safety
///
/// `out` is NULL or valid to be written.
unsafe fn begin(machine: round::Reconstruction<Memory>, out: *mut *mut Reconstruction) -> Outcome {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let made = Reconstruction {
        machine,
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        asked: (0, 0),
        lent: Vec::new(),
        home: VecDeque::new(),
        message: CString::default(),
    };
    // SAFETY: the caller's promise.
    unsafe { give(out, made) }
}

/// Prepares the reconstruction of the units `targets` from the live units `sources`, in order of
/// preference, of a striped group; `target_count` 0 stands for every unit that is not live and has
/// any bytes. Writes its handle to `reconstruction`: the caller's, to be freed by
/// restripe_reconstruction_free. The codec is not needed any more.
///
/// RESTRIPE_ERROR_TOO_FEW_UNITS, RESTRIPE_ERROR_NOT_RECOVERABLE: the live units do not give the
/// targets; RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in the lists; RESTRIPE_ERROR_COUNT:
/// codec and striping differ in their units; RESTRIPE_ERROR_VALUE: in the options, or a code that
/// cannot do with them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_new(
    codec: *const Codec,
    striping: *const Striping,
    sources: *const usize,
    source_count: usize,
    targets: *const usize,
    target_count: usize,
    options: *const ReconstructionOptions,
    now: u64,
    reconstruction: *mut *mut Reconstruction,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let (code, layout) = (borrow(codec)?.code.clone(), layout_of(striping)?);
            let sources = values("sources", sources, source_count)?;
            let targets = values("targets", targets, target_count)?;
            let (config, now) = (config_of(options)?, Duration::from_nanos(now));
            let machine = round::Reconstruction::new(config, code, layout, sources, targets, now)?;
            begin(machine, reconstruction)
        }
    })
}

/// Prepares a read of the group's bytes from `group_start` to before `group_end`: of live units
/// they are read, of lost ones rebuilt. They come with RESTRIPE_ACTION_DELIVER, in order within
/// each unit. Else as restripe_reconstruction_new.
///
/// Also RESTRIPE_ERROR_RANGE: that is no range of the group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_new_of_range(
    codec: *const Codec,
    striping: *const Striping,
    sources: *const usize,
    source_count: usize,
    group_start: u64,
    group_end: u64,
    options: *const ReconstructionOptions,
    now: u64,
    reconstruction: *mut *mut Reconstruction,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let (code, layout) = (borrow(codec)?.code.clone(), layout_of(striping)?);
            let sources = values("sources", sources, source_count)?;
            let ranges = layout.aligned_ranges(group_start..group_end)?;
            let (config, now) = (config_of(options)?, Duration::from_nanos(now));
            let machine =
                round::Reconstruction::of_ranges(config, code, layout, sources, ranges, now)?;
            begin(machine, reconstruction)
        }
    })
}

/// Writes what is to be done next to `action`: to be called after restripe_reconstruction_new and
/// after everything that is told, until it gives RESTRIPE_ACTION_NONE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_poll(
    reconstruction: *mut Reconstruction,
    action: *mut ActionOut,
) -> c_int {
    guard(|| {
        if action.is_null() {
            return Err(Failure::Null("action"));
        }
        // SAFETY: the caller's promise.
        let reconstruction = unsafe { borrow_mut(reconstruction) }?;
        let next = reconstruction.next();
        // SAFETY: the caller's promise.
        unsafe { write(action, "action", next) }
    })
}

impl Reconstruction {
    fn next(&mut self) -> ActionOut {
        let Some(action) = self.machine.poll() else {
            return ActionOut::new(RESTRIPE_ACTION_NONE);
        };
        let kind = ActionOut::new;
        match action {
            Action::Open { token, source } => {
                ActionOut { token: token.number(), source, ..kind(RESTRIPE_ACTION_OPEN) }
            }
            Action::Lend { buffers, len } => {
                self.asked = (buffers, len);
                ActionOut { count: buffers, data_len: len, ..kind(RESTRIPE_ACTION_LEND) }
            }
            Action::Read(read) => self.read(read),
            Action::Cancel { token } => {
                ActionOut { token: token.number(), ..kind(RESTRIPE_ACTION_CANCEL) }
            }
            Action::Close { source } => ActionOut { source, ..kind(RESTRIPE_ACTION_CLOSE) },
            Action::Compute(job) => {
                ActionOut { job: Job::handle(self.id, job), ..kind(RESTRIPE_ACTION_COMPUTE) }
            }
            Action::Send(packet) => {
                let head = packet.head();
                ActionOut {
                    target: packet.target(),
                    unit: packet.unit(),
                    offset: packet.header().offset_in_block,
                    count: packet.data().count(),
                    sums: start_of(head).cast_mut(),
                    sums_len: head.len(),
                    header: (*packet.header()).into(),
                    packet: OutgoingPacket::handle(self.id, packet),
                    ..kind(RESTRIPE_ACTION_SEND)
                }
            }
            Action::Deliver(delivery) => {
                let data = delivery.data();
                ActionOut {
                    unit: delivery.unit(),
                    offset: delivery.offset(),
                    data: start_of(data).cast_mut(),
                    data_len: data.len(),
                    delivery: Delivery::handle(self.id, delivery),
                    ..kind(RESTRIPE_ACTION_DELIVER)
                }
            }
            Action::FinishTarget { target } => {
                ActionOut { target, ..kind(RESTRIPE_ACTION_FINISH_TARGET) }
            }
            Action::DropTarget { target } => {
                ActionOut { target, ..kind(RESTRIPE_ACTION_DROP_TARGET) }
            }
            Action::Done(Ok(_)) => kind(RESTRIPE_ACTION_DONE),
            Action::Done(Err(failure)) => {
                let text = failure.to_string().replace('\0', "\\0");
                self.message = CString::new(text).unwrap_or_default();
                ActionOut {
                    status: RESTRIPE_ERROR_RECONSTRUCTION,
                    message: self.message.as_ptr(),
                    ..kind(RESTRIPE_ACTION_DONE)
                }
            }
        }
    }

    fn read(&self, mut read: round::SourceRead<Memory>) -> ActionOut {
        let cookie = read.buffer_mut().map_or(ptr::null_mut(), |memory| memory.cookie);
        let (data, sums) = read.parts_mut();
        let (data, sums) = (&raw mut *data, &raw mut *sums);
        ActionOut {
            token: read.token().number(),
            source: read.source(),
            unit: read.unit(),
            offset: read.offset(),
            cookie,
            data: data.cast(),
            data_len: data.len(),
            sums: sums.cast(),
            sums_len: sums.len(),
            read: SourceRead::handle(self.id, read),
            ..ActionOut::new(RESTRIPE_ACTION_READ)
        }
    }

    /// Takes home what has come home, once it is over.
    fn take_home(&mut self) {
        self.home.extend(self.machine.take_buffers());
    }
}

/// Writes when restripe_reconstruction_timer is due, if nothing is told before, to `at`:
/// RESTRIPE_NEVER where there is nothing to wait for. To be asked after the last poll.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_timeout(
    reconstruction: *const Reconstruction,
    at: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let due = borrow(reconstruction)?.machine.poll_timeout();
            let due = due.map_or(RESTRIPE_NEVER, |due| {
                u64::try_from(due.as_nanos()).unwrap_or(RESTRIPE_NEVER)
            });
            write(at, "at", due)
        }
    })
}

/// How many targets there are; 0 for what is no reconstruction.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_target_count(
    reconstruction: *const Reconstruction,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(reconstruction) }.map_or(0, |of| of.machine.target_units().count())
}

/// Writes the unit that target `index`, counted from 0, rebuilds to `unit`.
///
/// RESTRIPE_ERROR_RANGE: there is no such target.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_target_unit(
    reconstruction: *const Reconstruction,
    index: usize,
    unit: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let machine = &borrow(reconstruction)?.machine;
            let found = machine.target_units().nth(index).ok_or_else(|| {
                let (start, len) = (index as u64, machine.target_units().count() as u64);
                Error::Range { start, end: start.saturating_add(1), len }
            })?;
            write(unit, "unit", found)
        }
    })
}

/// Writes which checksums most sources have, which packets come with, to `checksum_kind` and
/// `bytes_per_checksum`, once sources were opened: before, `bytes_per_checksum` becomes 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_checksum(
    reconstruction: *const Reconstruction,
    checksum_kind: *mut u32,
    bytes_per_checksum: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let checksum = borrow(reconstruction)?.machine.checksum();
            let (kind, len) = checksum.map_or((0, 0), |checksum| {
                (checksum.kind().id().into(), checksum.bytes_per_checksum())
            });
            write(checksum_kind, "checksum_kind", kind)?;
            write(bytes_per_checksum, "bytes_per_checksum", len)
        }
    })
}

/// How far a reconstruction has come.
#[repr(C)]
pub struct ProgressOut {
    /// Rounds computed.
    pub rounds: u64,
    /// Reads begun beside slow ones.
    pub hedges: u64,
    /// Bytes of data that came from sources.
    pub read: u64,
    /// Bytes of data that targets have acknowledged.
    pub acked: u64,
    /// Bytes delivered.
    pub delivered: u64,
    /// Nanoseconds that reads took, added up.
    pub reading_ns: u64,
    /// Nanoseconds that jobs took, from being given out to coming back, added up.
    pub computing_ns: u64,
    /// Sources that were given up.
    pub failed_sources: usize,
    /// Targets that were given up.
    pub failed_targets: usize,
    /// Targets that are rebuilt.
    pub rebuilt_targets: usize,
}

/// Writes how far it has come to `progress`; at any time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_progress(
    reconstruction: *const Reconstruction,
    progress: *mut ProgressOut,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let of = unsafe { borrow(reconstruction) }?.machine.progress();
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let out = ProgressOut {
            rounds: of.rounds,
            hedges: of.hedges,
            read: of.sources.iter().map(|source| source.bytes).sum(),
            acked: of.targets.iter().map(|target| target.acked).sum(),
            delivered: of.delivered,
            reading_ns: nanoseconds(of.reading),
            computing_ns: nanoseconds(of.computing),
            failed_sources: of.sources.iter().filter(|one| one.failure.is_some()).count(),
            failed_targets: of.targets.iter().filter(|one| one.failure.is_some()).count(),
            rebuilt_targets: of.targets.iter().filter(|one| one.is_rebuilt).count(),
        };
        // SAFETY: the caller's promise.
        unsafe { write(progress, "progress", out) }
    })
}

/// Gives a lent buffer back, once it is over: writes its cookie to `cookie` and 1 to `is_there`, or
/// 0 where none is home. When everything that was given out has been brought back, all of them have
/// come.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_take_buffer(
    reconstruction: *mut Reconstruction,
    cookie: *mut *mut c_void,
    is_there: *mut c_int,
) -> c_int {
    guard(|| {
        if cookie.is_null() || is_there.is_null() {
            return Err(Failure::Null("cookie or is_there"));
        }
        // SAFETY: the caller's promises.
        unsafe {
            let of = borrow_mut(reconstruction)?;
            of.take_home();
            let memory = of.home.pop_front();
            if let Some(memory) = &memory {
                of.lent.retain(|&(start, _)| start != memory.start.addr());
                write(cookie, "cookie", memory.cookie)?;
            }
            write(is_there, "is_there", memory.is_some().into())
        }
    })
}

/// 1 when it is over and all that was given out has been brought back, else 0; also 0 for what is
/// no reconstruction.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_is_idle(
    reconstruction: *const Reconstruction,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { borrow(reconstruction) }.map_or(0, |of| of.machine.is_idle().into())
}

/// Frees a reconstruction, over or not; lent buffers are the caller's again, but for those of
/// reads, jobs, packets and deliveries that are still out: these are to be freed by the functions
/// that have _discard in their names. Does nothing to NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_free(reconstruction: *mut Reconstruction) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(reconstruction) };
        Ok(())
    });
}

/// What a failure says of something that is another reconstruction's.
pub(super) fn check_owner(of: &Reconstruction, owner: u64, what: &'static str) -> Outcome {
    if of.id == owner { Ok(()) } else { Err(Failure::Stranger(what)) }
}
