//! The few functions of JNI that a call on buffers needs, bare.
//!
//! The crate jni counts who is attached to the virtual machine, and asks for a pending exception after
//! whatever might throw. For a call that only reads numbers and then computes, that is a good part of
//! all it costs; and with what was checked before, none of these can throw.

use jni::Env;
use jni::objects::{JIntArray, JLongArray, JObjectArray};
use jni::sys::{self, jint, jlong, jobject, jsize};

use super::failure::{Failure, Outcome};
use super::memory::{List, MAX_BUFFERS};

/// The virtual machine, for this thread and while the native method runs.
#[derive(Clone, Copy)]
pub(crate) struct RawEnv(*mut sys::JNIEnv);

impl From<&Env<'_>> for RawEnv {
    fn from(env: &Env<'_>) -> Self {
        Self(env.get_raw())
    }
}

impl RawEnv {
    /// # Safety
    ///
    /// The pointer that a native method was given; this is not used after the method.
    pub(crate) unsafe fn new(env: *mut sys::JNIEnv) -> Self {
        Self(env)
    }

    pub(crate) fn get(self) -> *mut sys::JNIEnv {
        self.0
    }

    /// Puts the first `count` numbers of an array into an empty list, all of them without a count.
    pub(crate) fn ints(
        self,
        array: &JIntArray<'_>,
        count: Option<usize>,
        to: &mut List<jint>,
    ) -> Outcome {
        let count = self.count(array.as_raw(), count)?;
        to.resize(count, 0);
        // SAFETY: the array has so many, so nothing is thrown, and the list has room for them.
        unsafe {
            let read = (**self.0).v1_1.GetIntArrayRegion;
            read(self.0, array.as_raw(), 0, count as jsize, to.as_mut_ptr());
        }
        Ok(())
    }

    /// As [`ints`](Self::ints).
    pub(crate) fn longs(
        self,
        array: &JLongArray<'_>,
        count: usize,
        to: &mut List<jlong>,
    ) -> Outcome {
        let count = self.count(array.as_raw(), Some(count))?;
        to.resize(count, 0);
        // SAFETY: the array has so many, so nothing is thrown, and the list has room for them.
        unsafe {
            let read = (**self.0).v1_1.GetLongArrayRegion;
            read(self.0, array.as_raw(), 0, count as jsize, to.as_mut_ptr());
        }
        Ok(())
    }

    /// Puts local references to the first `count` elements of an array into a list; null for those
    /// that are null. They are given back when the native method returns.
    pub(crate) fn elements(
        self,
        array: &JObjectArray<'_>,
        count: usize,
        to: &mut List<jobject>,
    ) -> Outcome {
        let count = self.count(array.as_raw(), Some(count))? as jsize;
        // SAFETY: the array has so many elements. Where there is no room for the references, an
        // exception is pending, and nothing more is called.
        unsafe {
            if ((**self.0).v1_2.EnsureLocalCapacity)(self.0, count) < 0 {
                return Err(Failure::OutOfMemory("references to arrays"));
            }
            let read = (**self.0).v1_1.GetObjectArrayElement;
            to.extend((0..count).map(|index| read(self.0, array.as_raw(), index)));
        }
        Ok(())
    }

    /// A count that the array has, and that is no more than buffers there can be.
    fn count(self, array: sys::jarray, count: Option<usize>) -> Outcome<usize> {
        if array.is_null() {
            return Err(Failure::Null { what: "list", index: 0 });
        }
        // SAFETY: an argument of the native method that is an array, as its type says, and not null.
        let len = unsafe { ((**self.0).v1_1.GetArrayLength)(self.0, array) };
        let len = usize::try_from(len).unwrap_or(0);
        let count = count.unwrap_or(len);
        if count > len || count > MAX_BUFFERS {
            return Err(Failure::Value {
                what: "length of a list",
                got: i64::try_from(count).unwrap_or(i64::MAX),
                expected: "at most 512, and as much as the list has",
            });
        }
        Ok(count)
    }
}
