//! The block sender over file descriptors.

use alloc::format;
use alloc::sync::Arc;
use core::ffi::c_int;
use core::num::NonZeroU64;
use core::time::Duration;
use std::fs::File;
use std::net::TcpStream;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

use super::arguments::{Outcome, versioned, write};
use super::status::{Failure, guard};
use crate::hdfs::BlockId;
use crate::net::{BlockSender, Corrupt, Plain, Replica, SendOptions, Throttler, Way};

/// In restripe_send_options.flags: all data goes through memory and is verified there, to sockets,
/// too.
pub const RESTRIPE_SEND_VERIFIED: u32 = 1;
/// In restripe_send_options.flags: data that does not have its checksum is sent on all the same,
/// and counted.
pub const RESTRIPE_SEND_CORRUPT: u32 = 2;
/// In restripe_send_options.flags: checksums are left out.
pub const RESTRIPE_SEND_NO_CHECKSUMS: u32 = 4;

/// How a block is sent. Set all of it to zeros, then `size` and what is to differ from the usual.
#[repr(C)]
pub struct SendOptionsIn {
    /// sizeof(restripe_send_options).
    pub size: usize,
    /// RESTRIPE_SEND_... added up; 0 for the usual.
    pub flags: u32,
    /// Set to 0.
    pub reserved: u32,
    /// Bytes of data in a packet, rounded up to whole chunks; 64 KiB where it is less.
    pub packet_len: usize,
    /// Bytes a second at the most; 0 for no limit.
    pub bytes_per_second: u64,
    /// Nanoseconds that the receiver has to take a packet; 0 for 60 s.
    pub timeout_ns: u64,
}

/// What was sent.
#[repr(C)]
pub struct SentOut {
    /// The first byte that was sent: the start of the chunk that `offset` lies in.
    pub chunk_offset: u64,
    /// Bytes of data.
    pub data_len: u64,
    /// Those of them that the kernel took from the file to the socket.
    pub zero_copy_len: u64,
    /// Packets, the last one, which is empty, included.
    pub packets: u64,
    /// Packets with data that does not have its checksum.
    pub corrupt_packets: u64,
}

/// A descriptor of our own for the caller's: closing it does nothing to theirs.
///
/// # Safety
///
/// Nobody closes the descriptor during the call.
unsafe fn own(what: &'static str, descriptor: c_int) -> Outcome<OwnedFd> {
    let failed = |source| Failure::Descriptor { what, descriptor, source };
    if descriptor < 0 {
        return Err(failed(std::io::Error::other("no descriptor")));
    }
    // SAFETY: not -1, and the caller's promise. One that is not open fails to be duplicated.
    unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned().map_err(failed)
}

/// Sends the bytes of a block from `offset` on, `len` of them (UINT64_MAX: up to its end), as
/// packets, the last one too: whole chunks, so the first byte may lie before `offset`. The block's
/// data and its .meta file are two regular files; what was sent is written to `sent`.
///
/// To a socket the kernel sends the data, which is then not verified here: the receiver has to.
/// To anything else it goes through memory, verified. The descriptors stay the caller's and open,
/// and the files' positions as they are. `options` may be NULL for the usual.
///
/// A program should ignore SIGPIPE: the kernel raises it where the receiver has gone.
///
/// RESTRIPE_ERROR_IO: a file or the receiver failed, or the receiver was too slow;
/// RESTRIPE_ERROR_BYTES: the .meta file is none of a block of that length;
/// RESTRIPE_ERROR_CHECKSUM: data does not have its checksum, and its packet was not sent;
/// RESTRIPE_ERROR_RANGE: the block is not as long; RESTRIPE_ERROR_VALUE: in the options. The
/// receiver then lacks the last packet, so it knows that it does not have everything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_send_block(
    data: c_int,
    meta: c_int,
    offset: u64,
    len: u64,
    output: c_int,
    options: *const SendOptionsIn,
    sent: *mut SentOut,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        let (options, data, meta, output) = unsafe {
            let options = if options.is_null() { SendOptions::default() } else { chosen(options)? };
            (options, own("data", data)?, own("meta", meta)?, own("output", output)?)
        };
        let name = |what| format!("the block's {what}").into();
        let (data, meta) = ((data.into(), name("data")), (meta.into(), name("metadata")));
        let replica = Replica::from_files(BlockId(0), 0, data, meta)?;
        let mut sender = BlockSender::new(&replica, offset, len, options)?;
        let output = File::from(output);
        let is_socket = output.metadata().is_ok_and(|of| of.file_type().is_socket());
        let done = if is_socket {
            sender.send(&mut TcpStream::from(OwnedFd::from(output)))?
        } else {
            sender.send(&mut Plain(output))?
        };
        let out = SentOut {
            chunk_offset: sender.info().chunk_offset,
            data_len: done.data_len,
            zero_copy_len: done.zero_copy_len,
            packets: done.packets,
            corrupt_packets: done.corrupt_packets,
        };
        // SAFETY: the caller's promise.
        unsafe { write(sent, "sent", out) }
    })
}

/// # Safety
///
/// As [`versioned`].
unsafe fn chosen(options: *const SendOptionsIn) -> Outcome<SendOptions> {
    // SAFETY: the caller's promise; all its fields are numbers.
    let given = unsafe { versioned("options", options, size_of::<SendOptionsIn>()) }?;
    let known = RESTRIPE_SEND_VERIFIED | RESTRIPE_SEND_CORRUPT | RESTRIPE_SEND_NO_CHECKSUMS;
    if given.flags & !known != 0 || given.reserved != 0 {
        return Err(Failure::Value {
            what: "flags",
            got: given.flags.into(),
            expected: "RESTRIPE_SEND_... added up, and 0 in reserved",
        });
    }
    let has = |flag| given.flags & flag != 0;
    let usual = SendOptions::default();
    Ok(SendOptions {
        way: if has(RESTRIPE_SEND_VERIFIED) { Way::Normal } else { usual.way },
        corrupt: if has(RESTRIPE_SEND_CORRUPT) { Corrupt::PassOn } else { usual.corrupt },
        send_checksums: !has(RESTRIPE_SEND_NO_CHECKSUMS),
        packet_len: given.packet_len,
        throttler: NonZeroU64::new(given.bytes_per_second)
            .map(|rate| Arc::new(Throttler::new(rate))),
        timeout: match given.timeout_ns {
            0 => usual.timeout,
            nanoseconds => Duration::from_nanos(nanoseconds),
        },
    })
}
