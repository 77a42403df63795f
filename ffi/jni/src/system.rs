//! `restripe.Native`: what this library is.

use jni::EnvUnowned;
use jni::objects::{JObject, JString};
use jni::sys::{jint, jlong};
use restripe::KernelId;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};

use super::failure::{Outcome, call};

/// Number of the interface between the Java classes and this library: one more whenever a native
/// method changes, so that neither takes an old half for its own.
const INTERFACE: jint = 2;

/// `static int interfaceVersion()`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Native_interfaceVersion<'local>(
    _: EnvUnowned<'local>,
    _: JObject<'local>,
) -> jint {
    INTERFACE
}

/// `static String version()`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Native_version<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
) -> JString<'local> {
    call(&mut env, |env| Ok(env.new_string(env!("CARGO_PKG_VERSION"))?))
}

/// `static String kernel()`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Native_kernel<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
) -> JString<'local> {
    call(&mut env, |env| Ok(env.new_string(KernelId::selected()?.name())?))
}

/// `static String checksumMethod()`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Native_checksumMethod<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
) -> JString<'local> {
    call(&mut env, |env| {
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
        Ok(env.new_string(checksum.method())?)
    })
}

/// `static long address(Object buffer)`: 0 where it is no direct buffer, or none that lies anywhere.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Native_address<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    buffer: JObject<'local>,
) -> jlong {
    call(&mut env, |env| {
        if buffer.is_null() {
            return Ok(0);
        }
        let raw = env.get_raw();
        // SAFETY: `raw` is this thread's, and the object is an argument of the method and not null.
        // Of what is no direct buffer the address is null.
        let start = unsafe { ((**raw).v1_4.GetDirectBufferAddress)(raw, buffer.as_raw()) };
        Ok(start.expose_provenance() as jlong)
    })
}

/// `static void panic(String message)`: for the self-test, which proves that a defect of native
/// code ends as an exception and not with the process.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Native_panic<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    message: JString<'local>,
) {
    call(&mut env, |env| -> Outcome {
        let message = message.try_to_string(env)?;
        // Without the usual lines on standard error: this one is no news.
        std::panic::resume_unwind(Box::new(message))
    });
}
