//! The buffers of one call: memory of Java's as slices, without copies.
//!
//! Direct buffers lie where they lie; Java says where, since it can be told that for a load, and JNI
//! takes two calls for each buffer. Java has checked them then, too: that they are direct, and have
//! as many bytes as the call is about. Arrays on the heap are held in place by critical sections,
//! during which collectors may have to wait; so they are gone through [`HEAP_TILE`] bytes at a
//! time, with a gap between.

use std::ops::Range;
use std::sync::OnceLock;
use std::{ptr, slice};

use jni::objects::{JLongArray, JObjectArray};
use jni::sys::{self, jboolean, jint, jlong, jobject, jsize};
use restripe::checksum::ChunkedChecksum;
use smallvec::SmallVec;

use super::arguments::length;
use super::failure::{Failure, Outcome};
use super::raw::RawEnv;

/// Bytes of every heap array that one critical section goes through.
pub(crate) const HEAP_TILE: usize = 64 << 10;

/// Buffers of one call: all units of a code and their checksums.
pub(crate) const MAX_BUFFERS: usize = 512;

/// What there is one of for every buffer: on the stack for codes as they are in use, and small, since
/// it is moved.
pub(crate) type List<T> = SmallVec<[T; 32]>;

/// Which part of a buffer belongs to a range of the data.
#[derive(Clone, Copy)]
pub(crate) enum Stretch {
    /// The same range: the buffer is data.
    Data,
    /// The checksums of the chunks in it.
    Sums { chunk: usize, size: usize },
}

impl Stretch {
    pub(crate) fn sums(checksum: &ChunkedChecksum) -> Self {
        Self::Sums { chunk: checksum.bytes_per_checksum(), size: checksum.kind().size() }
    }

    /// The part of a range that ends at the end of the data, or with a chunk.
    fn of(self, data: Range<usize>) -> Option<Range<usize>> {
        match self {
            Self::Data => Some(data),
            Self::Sums { chunk, size } => Some(
                (data.start / chunk).checked_mul(size)?
                    ..data.end.div_ceil(chunk).checked_mul(size)?,
            ),
        }
    }
}

/// Where the bytes of a buffer begin that is not there: the same number as in `restripe.Call`.
const ABSENT: jlong = jlong::MIN;

/// What a call says of its buffers, in Java's order. As [`Memory`], it is made where it stays.
#[derive(Default)]
pub(crate) struct Given {
    /// Addresses of direct buffers' bytes, or offsets into arrays; [`ABSENT`] for those not there.
    starts: List<jlong>,
    /// Local references to the arrays; nothing where buffers are direct.
    arrays: List<jobject>,
}

impl Given {
    /// Reads what a call says of its first `count` buffers.
    pub(crate) fn read(
        &mut self,
        env: RawEnv,
        memory: &JObjectArray<'_>,
        starts: &JLongArray<'_>,
        count: usize,
        is_direct: jboolean,
    ) -> Outcome {
        env.longs(starts, count, &mut self.starts)?;
        match is_direct {
            true => Ok(()),
            false => env.elements(memory, count, &mut self.arrays),
        }
    }

    /// Whether a buffer is there.
    pub(crate) fn has(&self, at: usize) -> bool {
        self.starts[at] != ABSENT
    }

    /// The array, null for a direct buffer, and where the bytes begin.
    fn at(&self, at: usize) -> (jobject, jlong) {
        (self.arrays.get(at).copied().unwrap_or(ptr::null_mut()), self.starts[at])
    }
}

/// What a call says of its buffers where these are inputs and outputs only, and all of them data.
pub(crate) struct TwoLists<'a, 'local> {
    pub(crate) env: RawEnv,
    pub(crate) memory: &'a JObjectArray<'local>,
    pub(crate) starts: &'a JLongArray<'local>,
    pub(crate) is_direct: jboolean,
    /// Bytes in every buffer.
    pub(crate) len: jint,
}

impl TwoLists<'_, '_> {
    /// Goes through the data as [`Memory::run`] does. Messages call inputs and outputs by these names;
    /// the inputs come first.
    #[inline]
    pub(crate) fn run(
        self,
        (input, inputs): (&'static str, usize),
        (output, outputs): (&'static str, usize),
        mut body: impl FnMut(&[&[u8]], &mut [&mut [u8]]) -> restripe::Result<()>,
    ) -> Outcome {
        let mut given = Given::default();
        given.read(self.env, self.memory, self.starts, inputs + outputs, self.is_direct)?;
        let mut memory = Memory::new(self.env, self.is_direct, length(self.len)?);
        // SAFETY: Java gives direct buffers with so many bytes where it says so, else arrays.
        unsafe {
            memory.inputs(input, &given, 0..inputs, Stretch::Data)?;
            memory.outputs(output, &given, inputs..inputs + outputs, Stretch::Data)?;
        }
        memory.run(1, |inputs, outputs, _| Ok(body(inputs, outputs)?))
    }
}

struct Buffer {
    /// A local reference to an array: what it means lives as long as the native method runs. Null for
    /// a direct buffer.
    array: jobject,
    /// First byte of a direct buffer's; null for an array.
    start: *mut u8,
    /// Where in an array the bytes begin; 0 for a direct buffer.
    position: usize,
    stretch: Stretch,
    what: &'static str,
    index: usize,
}

/// The buffers of one call: inputs, then outputs. It is large, and so made where it stays.
pub(crate) struct Memory {
    env: *mut sys::JNIEnv,
    is_direct: bool,
    len: usize,
    buffers: List<Buffer>,
    /// How many of them are inputs.
    inputs: usize,
}

impl Memory {
    /// No buffers yet. All will be direct byte buffers, or all arrays of bytes, with `len` bytes of
    /// data from where theirs begin.
    pub(crate) fn new(env: RawEnv, is_direct: jboolean, len: usize) -> Self {
        Self { env: env.get(), is_direct, len, buffers: List::new(), inputs: 0 }
    }

    /// Bytes of data in every buffer.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a range of a call's buffers to the inputs; they come before all outputs.
    ///
    /// # Safety
    ///
    /// As [`input`](Self::input), of each of them.
    pub(crate) unsafe fn inputs(
        &mut self,
        what: &'static str,
        given: &Given,
        range: Range<usize>,
        stretch: Stretch,
    ) -> Outcome {
        for (index, at) in range.enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.input((what, index), given, at, stretch) }?;
        }
        Ok(())
    }

    /// Adds a range of a call's buffers to the outputs.
    ///
    /// # Safety
    ///
    /// As [`input`](Self::input), of each of them.
    pub(crate) unsafe fn outputs(
        &mut self,
        what: &'static str,
        given: &Given,
        range: Range<usize>,
        stretch: Stretch,
    ) -> Outcome {
        for (index, at) in range.enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.output((what, index), given, at, stretch) }?;
        }
        Ok(())
    }

    /// Adds an input, which messages call by that name and number; inputs come before all outputs.
    ///
    /// # Safety
    ///
    /// As [`add`](Self::add), of what is given there.
    pub(crate) unsafe fn input(
        &mut self,
        called: (&'static str, usize),
        given: &Given,
        at: usize,
        stretch: Stretch,
    ) -> Outcome {
        let (array, start) = given.at(at);
        // SAFETY: the caller's promise.
        unsafe { self.add_input(called, array, start, stretch) }
    }

    /// Adds an output.
    ///
    /// # Safety
    ///
    /// As [`add`](Self::add), of what is given there.
    pub(crate) unsafe fn output(
        &mut self,
        called: (&'static str, usize),
        given: &Given,
        at: usize,
        stretch: Stretch,
    ) -> Outcome {
        let (array, start) = given.at(at);
        // SAFETY: the caller's promise.
        unsafe { self.add(called, array, start, stretch) }
    }

    /// Adds an input that is an argument of its own.
    ///
    /// # Safety
    ///
    /// As [`add`](Self::add).
    pub(crate) unsafe fn add_input(
        &mut self,
        called: (&'static str, usize),
        array: jobject,
        start: jlong,
        stretch: Stretch,
    ) -> Outcome {
        assert_eq!(self.inputs, self.buffers.len(), "inputs come first");
        // SAFETY: the caller's promise.
        unsafe { self.add(called, array, start, stretch) }?;
        self.inputs += 1;
        Ok(())
    }

    /// Adds an output that is an argument of its own.
    ///
    /// # Safety
    ///
    /// Where buffers are direct: `start` is the address of as many bytes as the stretch has of the
    /// data, which stay where they are as long as this is used, or [`ABSENT`]. Else `array` is null, or a
    /// reference to a byte array that stays valid as long.
    pub(crate) unsafe fn add(
        &mut self,
        (what, index): (&'static str, usize),
        array: jobject,
        start: jlong,
        stretch: Stretch,
    ) -> Outcome {
        if start == ABSENT || (array.is_null() && !self.is_direct) {
            return Err(Failure::Null { what, index });
        }
        if self.is_direct {
            // A direct buffer without bytes may have no address.
            if start == 0 && self.len > 0 {
                return Err(Failure::NotDirect { what, index });
            }
            let start = ptr::with_exposed_provenance_mut(start as usize);
            self.buffers.push(Buffer { array, start, position: 0, stretch, what, index });
            return Ok(());
        }
        // SAFETY: `env` is this thread's; the object is an array by the caller's promise.
        let capacity = unsafe { ((**self.env).v1_1.GetArrayLength)(self.env, array) };
        let capacity = usize::try_from(capacity).unwrap_or(0);
        let fits = || {
            let end = stretch.of(0..self.len)?.end;
            let start = usize::try_from(start).ok()?;
            (start.checked_add(end)? <= capacity).then_some(start)
        };
        let position = fits().ok_or_else(|| {
            let len = stretch.of(0..self.len).map_or(usize::MAX, |bytes| bytes.end);
            Failure::Bounds { what, index, position: start, len, capacity }
        })?;
        let start = ptr::null_mut();
        self.buffers.push(Buffer { array, start, position, stretch, what, index });
        Ok(())
    }

    /// Goes through the data: `body` is given the inputs, the outputs, and where in the data they
    /// begin. All of it at once where the buffers are direct, else part by part, each but the last
    /// a multiple of `grain` bytes.
    ///
    /// `body` calls nothing of Java's.
    pub(crate) fn run(
        &self,
        grain: usize,
        mut body: impl FnMut(&[&[u8]], &mut [&mut [u8]], usize) -> Outcome,
    ) -> Outcome {
        if self.is_direct {
            // SAFETY: all have their addresses.
            return unsafe { self.part(0..self.len, None, &mut body) };
        }
        if grain == 0 || grain > HEAP_TILE {
            return Err(Failure::Value {
                what: "length of a chunk in an array",
                got: i64::try_from(grain).unwrap_or(i64::MAX),
                expected: "1 to 65536 (direct buffers may have longer ones)",
            });
        }
        let tile = HEAP_TILE / grain * grain;
        let mut start = 0;
        while start < self.len {
            let end = self.len.min(start + tile);
            match Pinned::new(self)? {
                // SAFETY: these are the addresses of the arrays while they are pinned.
                Some(pinned) => unsafe { self.part(start..end, Some(&pinned.starts), &mut body) }?,
                None => self.copied_part(start..end, &mut body)?,
            }
            start = end;
        }
        Ok(())
    }

    /// Calls `body` with a range of the data.
    ///
    /// # Safety
    ///
    /// `arrays` are the addresses of all arrays, as long as they were when they were added; there are
    /// none where buffers are direct.
    unsafe fn part(
        &self,
        range: Range<usize>,
        arrays: Option<&List<*mut u8>>,
        body: &mut impl FnMut(&[&[u8]], &mut [&mut [u8]], usize) -> Outcome,
    ) -> Outcome {
        let mut inputs: List<&[u8]> = List::new();
        let mut outputs: List<&mut [u8]> = List::new();
        for (at, buffer) in self.buffers.iter().enumerate() {
            let bytes = buffer.stretch.of(range.clone()).unwrap_or_default();
            if bytes.is_empty() {
                match at < self.inputs {
                    true => inputs.push(&[]),
                    false => outputs.push(&mut []),
                }
                continue;
            }
            let start = arrays.map_or(buffer.start, |starts| starts[at]);
            // SAFETY: within the buffer, as was checked or promised when it was added: the range ends
            // no later than the data.
            let start = unsafe { start.add(buffer.position + bytes.start) };
            if at < self.inputs {
                // SAFETY: see above; Java's callers promise not to write there meanwhile.
                inputs.push(unsafe { slice::from_raw_parts(start, bytes.len()) });
                continue;
            }
            let meets = |other: &[u8]| meet(start, bytes.len(), other);
            let other = inputs.iter().position(|other| meets(other));
            let other = other
                .or_else(|| Some(self.inputs + outputs.iter().position(|other| meets(other))?));
            if let Some(other) = other {
                let (what, index) = (buffer.what, buffer.index);
                let other = &self.buffers[other];
                let (other_what, other) = (other.what, other.index);
                return Err(Failure::Overlap { what, index, other_what, other });
            }
            // SAFETY: see above; and it overlaps none of the other slices.
            outputs.push(unsafe { slice::from_raw_parts_mut(start, bytes.len()) });
        }
        body(&inputs, &mut outputs, range.start)
    }
}

impl Memory {
    /// Whether the virtual machine pins arrays: whether one that is held twice lies in one place.
    /// HotSpot does, but for `-Xcheck:jni`, where it says so and gives copies. Tried once.
    fn machine_pins(&self) -> Outcome<bool> {
        static PINS: OnceLock<bool> = OnceLock::new();
        if let Some(&pins) = PINS.get() {
            return Ok(pins);
        }
        let Some(buffer) = self.buffers.first() else { return Ok(true) };
        let (env, array) = (self.env, buffer.array);
        // SAFETY: `env` is this thread's, the object an array. What was got is released, and in
        // between are no other calls.
        let starts = unsafe {
            let (get, release) = {
                let table = &(**env).v1_2;
                (table.GetPrimitiveArrayCritical, table.ReleasePrimitiveArrayCritical)
            };
            let starts = [(); 2].map(|()| get(env, array, ptr::null_mut()));
            for start in starts.into_iter().rev().filter(|start| !start.is_null()) {
                release(env, array, start, sys::JNI_ABORT);
            }
            starts
        };
        if starts.iter().any(|start| start.is_null()) {
            return Err(Failure::OutOfMemory(buffer.what));
        }
        Ok(*PINS.get_or_init(|| starts[0] == starts[1]))
    }

    /// Calls `body` with a range of the data in arrays, on copies of it: for virtual machines that
    /// pin no arrays. They would copy whole arrays, and back; of an array that several units share
    /// the last copy to come back would win.
    fn copied_part(
        &self,
        range: Range<usize>,
        body: &mut impl FnMut(&[&[u8]], &mut [&mut [u8]], usize) -> Outcome,
    ) -> Outcome {
        let mut copies = Vec::with_capacity(self.buffers.len());
        for buffer in &self.buffers {
            let bytes = buffer.stretch.of(range.clone()).unwrap_or_default();
            let mut copy = vec![0; bytes.len()];
            let at = (buffer.position + bytes.start) as jsize;
            // SAFETY: `env` is this thread's, the object an array; the range lies within it, as was
            // checked when it was added, so its ends fit.
            unsafe {
                let len = copy.len() as jsize;
                let to = copy.as_mut_ptr().cast();
                ((**self.env).v1_1.GetByteArrayRegion)(self.env, buffer.array, at, len, to);
            }
            copies.push((at, copy));
        }
        let (inputs, outputs) = copies.split_at_mut(self.inputs);
        let inputs: Vec<&[u8]> = inputs.iter().map(|(_, copy)| &copy[..]).collect();
        let mut written: Vec<&mut [u8]> =
            outputs.iter_mut().map(|(_, copy)| &mut copy[..]).collect();
        body(&inputs, &mut written, range.start)?;
        for (buffer, (at, copy)) in self.buffers[self.inputs..].iter().zip(outputs) {
            // SAFETY: as above.
            unsafe {
                let (len, from) = (copy.len() as jsize, copy.as_ptr().cast());
                ((**self.env).v1_1.SetByteArrayRegion)(self.env, buffer.array, *at, len, from);
            }
        }
        Ok(())
    }
}

/// Whether `len` bytes at `start` and those of another buffer have one in common.
fn meet(start: *const u8, len: usize, other: &[u8]) -> bool {
    let (start, other_start) = (start.addr(), other.as_ptr().addr());
    start < other_start + other.len() && other_start < start + len
}

/// All arrays of a call in their critical sections; dropping it ends them.
struct Pinned<'a> {
    memory: &'a Memory,
    starts: List<*mut u8>,
}

impl<'a> Pinned<'a> {
    /// None where the virtual machine copies arrays instead of pinning them.
    fn new(memory: &'a Memory) -> Outcome<Option<Self>> {
        if !memory.machine_pins()? {
            return Ok(None);
        }
        let mut pinned = Self { memory, starts: List::new() };
        let env = memory.env;
        for buffer in &memory.buffers {
            let mut is_copy = false;
            // SAFETY: `env` is this thread's, the object an array. Between this and the release
            // there is no other call of Java's than calls of the same two functions.
            let start = unsafe {
                ((**env).v1_2.GetPrimitiveArrayCritical)(env, buffer.array, &raw mut is_copy)
            };
            if start.is_null() {
                return Err(Failure::OutOfMemory(buffer.what));
            }
            pinned.starts.push(start.cast());
            if is_copy {
                // Nothing is written yet, so nothing is lost.
                return Ok(None);
            }
        }
        Ok(Some(pinned))
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        let env = self.memory.env;
        for (buffer, start) in self.memory.buffers.iter().zip(&self.starts) {
            // SAFETY: pinned above, with that address. Only what is no copy was written to, so there
            // is nothing to copy back.
            unsafe {
                ((**env).v1_2.ReleasePrimitiveArrayCritical)(
                    env,
                    buffer.array,
                    start.cast(),
                    sys::JNI_ABORT,
                );
            }
        }
    }
}
