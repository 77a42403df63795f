//! What comes from C made into what the engine takes, or refused: pointers, lists of them,
//! handles. It is here that raw memory becomes slices.
//!
//! What cannot be checked is the caller's promise, said at the beginning of the header: pointers
//! that are not NULL point to as many bytes, or entries, as the call says, and nobody else writes
//! there during the call.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::array;
use core::ffi::{CStr, c_char};
use core::ptr;

use super::status::Failure;
use crate::{Error, KernelId};

pub(super) type Outcome<T = ()> = core::result::Result<T, Failure>;

// --- Handles.

/// A type that C has handles of.
pub(super) trait Handle {
    /// Tells live handles of this type from those of others.
    const MARK: u64;
    /// What it is called in messages.
    const NAME: &'static str;
}

/// What a handle points to. The mark comes first, where allocators write what they keep about
/// free memory: so it is gone from a freed handle, even where the memory is not used again.
#[repr(C)]
struct Marked<T> {
    mark: u64,
    value: T,
}

const FREED: u64 = u64::from_be_bytes(*b"rs freed");

/// Writes a new handle to `out`.
///
/// # Safety
///
/// `out` is NULL or valid to be written.
pub(super) unsafe fn give<T: Handle>(out: *mut *mut T, value: T) -> Outcome {
    let handle = Box::into_raw(Box::new(Marked { mark: T::MARK, value }));
    // SAFETY: the caller's promise.
    unsafe { write(out, "handle", handle.cast()) }.inspect_err(|_| {
        // SAFETY: made above, and nobody else has it.
        drop(unsafe { Box::from_raw(handle) });
    })
}

/// Frees a handle; does nothing to NULL and to what is not one.
///
/// # Safety
///
/// `handle` is NULL or a handle that came from [`give`] and that nobody else uses during the call
/// or later.
pub(super) unsafe fn free<T: Handle>(handle: *mut T) {
    // SAFETY: the caller's promise.
    if unsafe { borrow(handle.cast_const()) }.is_err() {
        return;
    }
    let marked = handle.cast::<Marked<T>>();
    // SAFETY: its mark says that it came from `give` and was not freed, so it is a box of ours;
    // volatile, or the write before the release of the memory would be left out.
    unsafe {
        ptr::write_volatile(&raw mut (*marked).mark, FREED);
        drop(Box::from_raw(marked));
    }
}

/// What a handle stands for.
///
/// # Safety
///
/// `handle` is NULL or points to memory that can be read; nobody frees it while the result lives.
pub(super) unsafe fn borrow<'a, T: Handle>(handle: *const T) -> Outcome<&'a T> {
    if handle.is_null() {
        return Err(Failure::Null(T::NAME));
    }
    let marked = handle.cast::<Marked<T>>();
    // SAFETY: not NULL, aligned, and readable by the caller's promise; volatile, since the memory
    // may have been given back.
    if !marked.is_aligned() || unsafe { ptr::read_volatile(&raw const (*marked).mark) } != T::MARK {
        return Err(Failure::Handle(T::NAME));
    }
    // SAFETY: the mark says that this is a box of `give`.
    Ok(unsafe { &(*marked).value })
}

/// What a handle stands for, to be changed.
///
/// # Safety
///
/// As [`borrow`]; nobody else uses the handle while the result lives.
pub(super) unsafe fn borrow_mut<'a, T: Handle>(handle: *mut T) -> Outcome<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { borrow(handle.cast_const()) }?;
    // SAFETY: a box of `give`, as was just seen, and nobody else uses it.
    Ok(unsafe { &mut (*handle.cast::<Marked<T>>()).value })
}

/// Takes what a handle stands for; the handle is freed.
///
/// # Safety
///
/// As [`free`].
pub(super) unsafe fn take<T: Handle>(handle: *mut T) -> Outcome<T> {
    // SAFETY: the caller's promise.
    unsafe { borrow(handle.cast_const()) }?;
    let marked = handle.cast::<Marked<T>>();
    // SAFETY: as in `free`.
    unsafe {
        ptr::write_volatile(&raw mut (*marked).mark, FREED);
        Ok(Box::from_raw(marked).value)
    }
}

/// A handle for what is given away inside a struct.
pub(super) fn handle_of<T: Handle>(value: T) -> *mut T {
    Box::into_raw(Box::new(Marked { mark: T::MARK, value })).cast()
}

/// A text; NULL stands for none.
///
/// # Safety
///
/// `text` is NULL or a C string.
pub(super) unsafe fn message(text: *const c_char) -> Box<str> {
    if text.is_null() {
        return "".into();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into()
}

// --- Single values.

/// Writes a result.
///
/// # Safety
///
/// `out` is NULL or valid to be written.
pub(super) unsafe fn write<T>(out: *mut T, what: &'static str, value: T) -> Outcome {
    if out.is_null() {
        return Err(Failure::Null(what));
    }
    // SAFETY: not NULL, so it can be written by the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

/// The kernel that a name stands for; NULL stands for the selected one.
///
/// # Safety
///
/// `name` is NULL or a C string.
pub(super) unsafe fn kernel(name: *const c_char) -> Outcome<KernelId> {
    if name.is_null() {
        return Ok(KernelId::selected()?);
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    Ok(KernelId::from_name(&name.to_string_lossy())?)
}

// --- Buffers and lists.

/// Entries of a list that are on the stack.
const NEAR: usize = 24;

/// A list of slices that is on the stack while it is short.
pub(super) struct List<T> {
    near: [T; NEAR],
    far: Vec<T>,
    count: usize,
}

impl<T: Default> List<T> {
    pub(super) fn new(count: usize) -> Self {
        let far = if count > NEAR { count } else { 0 };
        Self {
            near: array::from_fn(|_| T::default()),
            far: (0..far).map(|_| T::default()).collect(),
            count,
        }
    }
}

impl<T> core::ops::Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        if self.far.is_empty() { &self.near[..self.count] } else { &self.far }
    }
}

impl<T> core::ops::DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        if self.far.is_empty() { &mut self.near[..self.count] } else { &mut self.far }
    }
}

/// [`Failure`] unless a list has as many entries as it must.
pub(super) fn check_count(what: &'static str, expected: usize, got: usize) -> Outcome {
    if expected == got { Ok(()) } else { Err(Error::Count { what, expected, got }.into()) }
}

/// Refuses a length that nothing in memory has.
fn check_extent(what: &'static str, start: *const u8, len: usize) -> Outcome {
    let fits = isize::try_from(len).is_ok() && start.addr().checked_add(len).is_some();
    if fits { Ok(()) } else { Err(Failure::Length { what, got: len }) }
}

/// A list of plain values (counts, units, costs).
///
/// # Safety
///
/// `start` is NULL or points to `count` values.
pub(super) unsafe fn values<'a, T: Copy>(
    what: &'static str,
    start: *const T,
    count: usize,
) -> Outcome<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return Err(Failure::Null(what));
    }
    let len = count.checked_mul(size_of::<T>()).ok_or(Failure::Length { what, got: usize::MAX })?;
    check_extent(what, start.cast(), len)?;
    if !start.is_aligned() {
        return Err(Failure::Value {
            what,
            got: start.addr() as u64,
            expected: "an aligned address",
        });
    }
    // SAFETY: not NULL, aligned, of a length that memory can have; `count` values are there by the
    // caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(start, count) })
}

/// The bytes of one buffer that is read. NULL may stand for no bytes.
///
/// # Safety
///
/// `start` is NULL or points to `len` bytes that nobody writes while the result lives.
pub(super) unsafe fn input<'a>(
    what: &'static str,
    start: *const u8,
    len: usize,
) -> Outcome<&'a [u8]> {
    // SAFETY: the caller's promise.
    unsafe { values(what, start, len) }
}

/// The bytes of one buffer that is written, which overlaps none of `inputs`.
///
/// # Safety
///
/// `start` is NULL or points to `len` bytes that nobody else uses while the result lives.
pub(super) unsafe fn output<'a>(
    what: &'static str,
    start: *mut u8,
    len: usize,
    inputs: &[&[u8]],
) -> Outcome<&'a mut [u8]> {
    let lens: *const usize = ptr::null();
    // SAFETY: a list of one pointer, which is as the caller promises.
    let mut one = unsafe { outputs(what, &raw const start, lens, 1, len, inputs, &[]) }?;
    Ok(core::mem::take(&mut one[0]))
}

/// Buffers that are read, one an entry. `lens` are their lengths in bytes; where that is NULL each
/// has what `len` says for its index. An entry may be NULL where its length is 0.
///
/// # Safety
///
/// `starts` is NULL or points to `count` pointers, each NULL or to as many bytes as said, which
/// nobody writes while the result lives; `lens` is NULL or points to `count` lengths.
pub(super) unsafe fn inputs<'a>(
    what: &'static str,
    starts: *const *const u8,
    lens: *const usize,
    count: usize,
    len: impl Fn(usize) -> usize,
) -> Outcome<List<&'a [u8]>> {
    // SAFETY: the caller's promises.
    let (starts, lens) = unsafe { lists(what, starts, lens, count) }?;
    let mut list = List::new(count);
    for (index, (slot, &start)) in list.iter_mut().zip(starts).enumerate() {
        let len = lens.map_or_else(|| len(index), |lens| lens[index]);
        if start.is_null() && len > 0 {
            return Err(Failure::NullEntry { what, index });
        }
        // SAFETY: the caller's promise.
        *slot = unsafe { input(what, start, len) }?;
    }
    Ok(list)
}

/// As [`inputs`], with NULL for what is not there.
///
/// # Safety
///
/// As [`inputs`].
pub(super) unsafe fn present<'a>(
    what: &'static str,
    starts: *const *const u8,
    lens: *const usize,
    count: usize,
    len: usize,
) -> Outcome<Vec<Option<&'a [u8]>>> {
    // SAFETY: the caller's promises.
    let (starts, lens) = unsafe { lists(what, starts, lens, count) }?;
    let shard = |(index, &start): (usize, &*const u8)| {
        if start.is_null() {
            return Ok(None);
        }
        let len = lens.map_or(len, |lens| lens[index]);
        // SAFETY: the caller's promise.
        unsafe { input(what, start, len) }.map(Some)
    };
    starts.iter().enumerate().map(shard).collect()
}

/// Buffers that are written, one an entry, of `len` bytes or of the lengths that `lens` gives.
/// They overlap neither each other nor `inputs` nor `others`.
///
/// # Safety
///
/// `starts` is NULL or points to `count` pointers, each NULL or to as many bytes as said, which
/// nobody else uses while the result lives; `lens` is NULL or points to `count` lengths.
pub(super) unsafe fn outputs<'a>(
    what: &'static str,
    starts: *const *mut u8,
    lens: *const usize,
    count: usize,
    len: usize,
    inputs: &[&[u8]],
    others: &[&mut [u8]],
) -> Outcome<List<&'a mut [u8]>> {
    // SAFETY: the caller's promises.
    let (starts, lens) = unsafe { lists(what, starts, lens, count) }?;
    let mut list: List<&'a mut [u8]> = List::new(count);
    for (index, &start) in starts.iter().enumerate() {
        let len = lens.map_or(len, |lens| lens[index]);
        if len == 0 {
            continue;
        }
        if start.is_null() {
            return Err(Failure::NullEntry { what, index });
        }
        check_extent(what, start, len)?;
        let overlapped = |other_what, other| Failure::Overlap { what, index, other_what, other };
        let meets = |other: &[u8]| meet(start, len, other);
        if let Some(other) = inputs.iter().position(|other| meets(other)) {
            return Err(overlapped("input", other));
        }
        if let Some(other) = others.iter().position(|other| meets(other)) {
            return Err(overlapped("output", other));
        }
        if let Some(other) = list[..index].iter().position(|other| meets(other)) {
            return Err(overlapped(what, other));
        }
        // SAFETY: not NULL, of a length that memory can have, writable by the caller's promise;
        // and no slice of this call overlaps it, as was just seen.
        list[index] = unsafe { core::slice::from_raw_parts_mut(start, len) };
    }
    Ok(list)
}

/// Refuses buffers that are written where they overlap any others.
pub(super) fn check_apart<S: AsRef<[u8]>>(
    what: &'static str,
    written: &[&mut [u8]],
    other_what: &'static str,
    others: &[S],
) -> Outcome {
    for (index, buffer) in written.iter().enumerate() {
        if let Some(other) =
            others.iter().position(|other| meet(buffer.as_ptr(), buffer.len(), other.as_ref()))
        {
            return Err(Failure::Overlap { what, index, other_what, other });
        }
    }
    Ok(())
}

/// Whether `len` bytes at `start` and those of another buffer have one in common.
fn meet(start: *const u8, len: usize, other: &[u8]) -> bool {
    let (start, other_start) = (start.addr(), other.as_ptr().addr());
    let apart = start >= other_start + other.len() || other_start >= start + len;
    !apart && len > 0 && !other.is_empty()
}

/// The two arrays that a list of buffers consists of.
///
/// # Safety
///
/// Each is NULL or has `count` entries.
unsafe fn lists<'a, P: Copy>(
    what: &'static str,
    starts: *const P,
    lens: *const usize,
    count: usize,
) -> Outcome<(&'a [P], Option<&'a [usize]>)> {
    // SAFETY: the caller's promise.
    let starts = unsafe { values(what, starts, count) }?;
    if lens.is_null() {
        return Ok((starts, None));
    }
    // SAFETY: the caller's promise.
    Ok((starts, Some(unsafe { values("lengths", lens, count) }?)))
}

/// The caller's copy of a struct that begins with its size in bytes, and may be of an earlier or a
/// later version of the header than this library: what an earlier one lacks is zero, what a later
/// one has beyond must be.
///
/// # Safety
///
/// `start` is NULL or points to a `T` of any version, whose first field is a `usize`, its true
/// size; all bytes being zero make a `T`.
pub(super) unsafe fn versioned<T>(
    what: &'static str,
    start: *const T,
    oldest_size: usize,
) -> Outcome<T> {
    if start.is_null() {
        return Err(Failure::Null(what));
    }
    // SAFETY: not NULL, and begins with a size.
    let size = unsafe { start.cast::<usize>().read_unaligned() };
    // No version of any struct is as long; a size that is not one would be read as far as it says.
    if size < oldest_size || size > 4096 {
        return Err(Failure::Value {
            what: "size of a struct",
            got: size as u64,
            expected: "its sizeof",
        });
    }
    // SAFETY: the caller's promise about the size.
    let bytes = unsafe { input(what, start.cast(), size) }?;
    if bytes.get(size_of::<T>()..).is_some_and(|beyond| beyond.iter().any(|&byte| byte != 0)) {
        return Err(Failure::Value {
            what: "size of a struct",
            got: size as u64,
            expected: "zeros in fields that this version of restripe does not know",
        });
    }
    // SAFETY: all bytes zero make a `T`, by the caller's promise; no more than its size is copied.
    unsafe {
        let mut value = core::mem::MaybeUninit::<T>::zeroed();
        let len = size.min(size_of::<T>());
        ptr::copy_nonoverlapping(bytes.as_ptr(), value.as_mut_ptr().cast(), len);
        Ok(value.assume_init())
    }
}
