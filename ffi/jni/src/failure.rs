//! What goes wrong in a native method, and the Java exception that it becomes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jni::errors::ErrorPolicy;
use jni::objects::JThrowable;
use jni::strings::{JNIStr, JNIString};
use jni::{Env, EnvUnowned, JValue, jni_sig, jni_str};
use restripe::Error;

use super::raw::RawEnv;

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a native method did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error("the virtual machine: {0}")]
    Jni(#[from] jni::errors::Error),
    #[error("this {0} is closed")]
    Closed(&'static str),
    #[error("{what} {index} is null")]
    Null { what: &'static str, index: usize },
    #[error("{what} {index} has no memory that native code can see: it is no direct buffer")]
    NotDirect { what: &'static str, index: usize },
    #[error("{what} {index} is to be used from {position} for {len} bytes, and has {capacity}")]
    Bounds { what: &'static str, index: usize, position: i64, len: usize, capacity: usize },
    #[error("{what} {index} overlaps {other_what} {other}")]
    Overlap { what: &'static str, index: usize, other_what: &'static str, other: usize },
    #[error("{what} is {got}, expected {expected}")]
    Value { what: &'static str, got: i64, expected: &'static str },
    #[error("the virtual machine has no memory left for {0}")]
    OutOfMemory(&'static str),
}

impl Failure {
    fn class(&self) -> &'static JNIStr {
        match self {
            Self::Engine(error) => class_of(error),
            Self::Closed(_) => jni_str!("java/lang/IllegalStateException"),
            Self::Null { .. } | Self::Jni(jni::errors::Error::NullPtr(_)) => {
                jni_str!("java/lang/NullPointerException")
            }
            Self::NotDirect { .. }
            | Self::Bounds { .. }
            | Self::Overlap { .. }
            | Self::Value { .. } => jni_str!("java/lang/IllegalArgumentException"),
            Self::Jni(_) => jni_str!("restripe/RestripeException"),
            Self::OutOfMemory(_) => jni_str!("java/lang/OutOfMemoryError"),
        }
    }

    /// The number of the chunk and what stands in it, where checksums differ.
    fn mismatch(&self) -> Option<(i32, usize, usize, u32, u32)> {
        match *self {
            Self::Engine(Error::ChecksumMismatch { chunk, offset, expected, found }) => {
                Some((-1, chunk, offset, expected, found))
            }
            Self::Engine(Error::UnitChecksumMismatch { unit, chunk, offset, expected, found }) => {
                Some((i32::try_from(unit).unwrap_or(-1), chunk, offset, expected, found))
            }
            _ => None,
        }
    }
}

/// Arguments that cannot be are the caller's mistake; everything else is not.
fn class_of(error: &Error) -> &'static JNIStr {
    match error {
        Error::ComputeCheck { .. }
        | Error::KernelUnavailable { .. }
        | Error::PlanBytes { .. }
        | Error::MetaHeader { .. }
        | Error::Message { .. }
        | Error::Packet { .. }
        | Error::PacketNumber { .. }
        | Error::PacketOrder { .. } => jni_str!("restripe/RestripeException"),
        _ => jni_str!("java/lang/IllegalArgumentException"),
    }
}

/// Runs the body of a native method. What goes wrong in it, a panic too, is thrown in Java when
/// the method returns.
pub(crate) fn call<'local, T: Default>(
    env: &mut EnvUnowned<'local>,
    body: impl FnOnce(&mut Env<'local>) -> Outcome<T>,
) -> T {
    env.with_env(body).resolve::<Throw>()
}

/// [`call`] for a body that needs nothing of Java's but what [`RawEnv`] has: cheaper, where nothing goes
/// wrong.
pub(crate) fn call_raw<'local, T: Default>(
    env: &mut EnvUnowned<'local>,
    body: impl FnOnce(RawEnv) -> Outcome<T>,
) -> T {
    // SAFETY: the native method's own, and the body runs within it.
    let raw = unsafe { RawEnv::new(env.as_raw()) };
    match catch_unwind(AssertUnwindSafe(|| body(raw))) {
        Ok(Ok(value)) => value,
        Ok(Err(failure)) => call(env, |_| Err(failure)),
        Err(payload) => call(env, |_| resume_unwind(payload)),
    }
}

struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'local: 'method, 'method> = ();

    fn on_error<'local: 'method, 'method>(
        env: &mut Env<'local>,
        (): &mut (),
        failure: Failure,
    ) -> jni::errors::Result<T> {
        // What Java has thrown already says more.
        if !env.exception_check() {
            let message = failure.to_string();
            match failure.mismatch() {
                Some(mismatch) => throw_mismatch(env, &message, mismatch)?,
                None => throw(env, failure.class(), &message),
            }
        }
        Ok(T::default())
    }

    fn on_panic<'local: 'method, 'method>(
        env: &mut Env<'local>,
        (): &mut (),
        payload: Box<dyn Any + Send>,
    ) -> jni::errors::Result<T> {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        if !env.exception_check() {
            let message = format!("a defect of restripe: {message}");
            throw(env, jni_str!("restripe/RestripeException"), &message);
        }
        Ok(T::default())
    }
}

fn throw(env: &mut Env<'_>, class: &JNIStr, message: &str) {
    // The error that comes back says that an exception is pending, as it should be.
    let _ = env.throw_new(class, JNIString::new(message));
}

fn throw_mismatch(
    env: &mut Env<'_>,
    message: &str,
    (unit, chunk, offset, expected, found): (i32, usize, usize, u32, u32),
) -> jni::errors::Result<()> {
    let message = env.new_string(message)?;
    let exception = env.new_object(
        jni_str!("restripe/ChecksumMismatchException"),
        jni_sig!("(Ljava/lang/String;IJJII)V"),
        &[
            JValue::Object(&message),
            JValue::Int(unit),
            JValue::Long(chunk as i64),
            JValue::Long(offset as i64),
            JValue::Int(expected.cast_signed()),
            JValue::Int(found.cast_signed()),
        ],
    )?;
    let exception = env.cast_local::<JThrowable<'_>>(exception)?;
    let _ = env.throw(exception);
    Ok(())
}
