//! What the driver of a reconstruction tells it, and what it does with what it was given.

use core::ffi::{c_char, c_int, c_void};
use core::time::Duration;

use super::arguments::{self, Handle, Outcome, borrow, borrow_mut, input, message, take, write};
use super::checksum::chunked;
use super::reconstruction::{
    Delivery, Job, Memory, Out, OutgoingPacket, RESTRIPE_NEVER, Reconstruction, SourceRead,
    check_owner,
};
use super::status::{Failure, guard};
use crate::Error;
use crate::round::{Event, ReadOutcome, Token};

/// Tells a reconstruction something.
///
/// # Safety
///
/// `reconstruction` is NULL or a handle that nobody else uses during the call.
unsafe fn tell(reconstruction: *mut Reconstruction, event: Event<Memory>, now: u64) -> Outcome {
    // SAFETY: the caller's promise.
    let of = unsafe { borrow_mut(reconstruction) }?;
    of.machine.handle(event, Duration::from_nanos(now));
    Ok(())
}

/// Something that a reconstruction gave out.
trait GivenOut: Handle {
    type Value;

    fn out(&self) -> &Out<Self::Value>;

    fn into_value(self) -> Self::Value;
}

macro_rules! given_out {
    ($($type:ty = $value:ident;)*) => {$(
        impl GivenOut for $type {
            type Value = crate::round::$value<Memory>;

            fn out(&self) -> &Out<Self::Value> {
                &self.0
            }

            fn into_value(self) -> Self::Value {
                self.0.value
            }
        }
    )*};
}

given_out! {
    SourceRead = SourceRead;
    Job = Job;
    OutgoingPacket = OutgoingPacket;
    Delivery = Delivery;
}

/// Brings back what was given out: only to whom it belongs. The handle is freed where it does.
///
/// # Safety
///
/// Both are NULL or handles that nobody else uses during the call, nor `handle` later.
unsafe fn bring_back<T: GivenOut>(
    reconstruction: *mut Reconstruction,
    handle: *mut T,
    now: u64,
    event: impl FnOnce(T::Value) -> Event<Memory>,
) -> Outcome {
    // SAFETY: the caller's promises.
    unsafe {
        let of = borrow_mut(reconstruction)?;
        check_owner(of, borrow(handle.cast_const())?.out().owner, T::NAME)?;
        let value = take(handle)?.into_value();
        of.machine.handle(event(value), Duration::from_nanos(now));
    }
    Ok(())
}

/// A source is open. `checksum_kind` and `bytes_per_checksum` are those of its .meta file;
/// `len` is its length in bytes, or RESTRIPE_NEVER where that is not known.
///
/// RESTRIPE_ERROR_VALUE: no such checksums.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_opened(
    reconstruction: *mut Reconstruction,
    token: u64,
    checksum_kind: u32,
    bytes_per_checksum: usize,
    len: u64,
    now: u64,
) -> c_int {
    guard(|| {
        let checksum = chunked(checksum_kind, bytes_per_checksum)?;
        let len = Some(len).filter(|&len| len != RESTRIPE_NEVER);
        let event = Event::Opened { token: Token::of_number(token), checksum, len };
        // SAFETY: the caller's promise.
        unsafe { tell(reconstruction, event, now) }
    })
}

/// A source cannot be opened; `why` is a text for reports, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_open_failed(
    reconstruction: *mut Reconstruction,
    token: u64,
    why: *const c_char,
    now: u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let (token, message) = (Token::of_number(token), message(why));
            tell(reconstruction, Event::OpenFailed { token, message }, now)
        }
    })
}

/// Lends a buffer, as RESTRIPE_ACTION_LEND asked for: `len` bytes from `start` on, which nobody
/// else may use until it is back (restripe_reconstruction_take_buffer). `cookie` is whatever the
/// caller tells it by.
///
/// RESTRIPE_ERROR_LENGTH: it is shorter than was asked for; RESTRIPE_ERROR_COUNT: more were lent
/// than were asked for; RESTRIPE_ERROR_OVERLAP: it overlaps one that was lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_lend(
    reconstruction: *mut Reconstruction,
    start: *mut u8,
    len: usize,
    cookie: *mut c_void,
    now: u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let of = borrow_mut(reconstruction)?;
            let (count, needed) = of.asked;
            if of.lent.len() >= count {
                let (what, got) = ("buffers lent", of.lent.len() + 1);
                return Err(Error::Count { what, expected: count, got }.into());
            }
            if len < needed {
                return Err(Failure::TooShort { what: "lent buffer", needed, got: len });
            }
            let at = input("lent buffer", start, len)?.as_ptr().addr();
            let meets =
                |&(other, other_len): &(usize, usize)| at < other + other_len && other < at + len;
            if let Some(other) = of.lent.iter().position(meets) {
                let (what, index) = ("lent buffer", of.lent.len());
                return Err(Failure::Overlap { what, index, other_what: what, other });
            }
            of.lent.push((at, len));
            let event = Event::Lent(Memory { start, len, cookie });
            of.machine.handle(event, Duration::from_nanos(now));
            Ok(())
        }
    })
}

/// A read has ended: `len` bytes of data came, and the checksums of their chunks; fewer than were
/// asked for mean that the source ends there. The read is freed.
///
/// RESTRIPE_ERROR_HANDLE: it is another reconstruction's, and stays; RESTRIPE_ERROR_VALUE: more
/// than was asked for, likewise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_read_done(
    reconstruction: *mut Reconstruction,
    read: *mut SourceRead,
    len: usize,
    now: u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let most = borrow(read.cast_const())?.out().value.data_len();
            if len > most {
                let expected = "at most what was asked for";
                return Err(Failure::Value { what: "bytes read", got: len as u64, expected });
            }
            let outcome = ReadOutcome::Read(len);
            bring_back(reconstruction, read, now, |read| Event::Read { read, outcome })
        }
    })
}

/// A read failed, and its source is not to be used again; `why` is a text for reports, or NULL. The
/// read is freed. Errors as restripe_reconstruction_read_done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_read_failed(
    reconstruction: *mut Reconstruction,
    read: *mut SourceRead,
    why: *const c_char,
    now: u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let outcome = ReadOutcome::Failed(message(why));
            bring_back(reconstruction, read, now, |read| Event::Read { read, outcome })
        }
    })
}

/// A read was cancelled and has ended; its source is as good as before. The read is freed. Errors
/// as restripe_reconstruction_read_done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_read_cancelled(
    reconstruction: *mut Reconstruction,
    read: *mut SourceRead,
    now: u64,
) -> c_int {
    guard(|| {
        let outcome = ReadOutcome::Cancelled;
        // SAFETY: the caller's promises.
        unsafe { bring_back(reconstruction, read, now, |read| Event::Read { read, outcome }) }
    })
}

/// Runs a job: verifies what was read, computes, checks. On any thread, without the reconstruction.
/// What comes of it, failures too, the reconstruction takes from the job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_job_run(job: *mut Job) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { borrow_mut(job) }?.0.value.run();
        Ok(())
    })
}

/// A job was run. It is freed. RESTRIPE_ERROR_HANDLE: it is another reconstruction's, and stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_computed(
    reconstruction: *mut Reconstruction,
    job: *mut Job,
    now: u64,
) -> c_int {
    // SAFETY: the caller's promises.
    guard(|| unsafe { bring_back(reconstruction, job, now, Event::Computed) })
}

/// Writes where part `index`, counted from 0, of a packet's data lies to `data`, and its length to
/// `len`.
///
/// RESTRIPE_ERROR_RANGE: the packet has no such part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_outgoing_packet_part(
    packet: *const OutgoingPacket,
    index: usize,
    data: *mut *const u8,
    len: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let packet = &borrow(packet)?.out().value;
            let part = packet.data().nth(index).ok_or_else(|| {
                let (start, len) = (index as u64, packet.data().count() as u64);
                Error::Range { start, end: start.saturating_add(1), len }
            })?;
            write(data, "data", part.as_ptr())?;
            write(len, "len", part.len())
        }
    })
}

/// A packet's bytes are no longer needed: they were sent, or never will be. It is freed.
/// RESTRIPE_ERROR_HANDLE: it is another reconstruction's, and stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_sent(
    reconstruction: *mut Reconstruction,
    packet: *mut OutgoingPacket,
    now: u64,
) -> c_int {
    // SAFETY: the caller's promises.
    guard(|| unsafe { bring_back(reconstruction, packet, now, Event::Sent) })
}

/// Delivered bytes are no longer needed. The delivery is freed. RESTRIPE_ERROR_HANDLE: it is
/// another reconstruction's, and stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_delivered(
    reconstruction: *mut Reconstruction,
    delivery: *mut Delivery,
    now: u64,
) -> c_int {
    // SAFETY: the caller's promises.
    guard(|| unsafe { bring_back(reconstruction, delivery, now, Event::Delivered) })
}

/// A target has acknowledged the packet `seqno`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_acked(
    reconstruction: *mut Reconstruction,
    target: usize,
    seqno: i64,
    now: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { tell(reconstruction, Event::Acked { target, seqno }, now) })
}

/// A target cannot be reached, refuses, or reports a failure; `why` is a text for reports, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_target_failed(
    reconstruction: *mut Reconstruction,
    target: usize,
    why: *const c_char,
    now: u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let message = message(why);
            tell(reconstruction, Event::TargetFailed { target, message }, now)
        }
    })
}

/// The moment that restripe_reconstruction_timeout named has come.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_timer(
    reconstruction: *mut Reconstruction,
    now: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { tell(reconstruction, Event::Timer, now) })
}

/// The caller wants no more of it. RESTRIPE_ACTION_DONE follows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruction_cancel(
    reconstruction: *mut Reconstruction,
    now: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| unsafe { tell(reconstruction, Event::Cancel, now) })
}

/// Frees a read that is not to be brought back, its reconstruction being freed. Does nothing to
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_source_read_discard(read: *mut SourceRead) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(read) };
        Ok(())
    });
}

/// Frees a job that is not to be brought back, its reconstruction being freed. Does nothing to
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_job_discard(job: *mut Job) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(job) };
        Ok(())
    });
}

/// Frees a packet that is not to be brought back, its reconstruction being freed. Does nothing to
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_outgoing_packet_discard(packet: *mut OutgoingPacket) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(packet) };
        Ok(())
    });
}

/// Frees a delivery that is not to be brought back, its reconstruction being freed. Does nothing to
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_delivery_discard(delivery: *mut Delivery) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(delivery) };
        Ok(())
    });
}
