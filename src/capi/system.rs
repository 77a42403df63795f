//! Versions, the CPU, and its kernels.

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;
use std::sync::OnceLock;

use super::arguments::write;
use super::status::guard;
use crate::{KernelId, cpu};

/// The version of the interface that this header declares. It grows with what is added, and
/// nothing is taken away without another soname: a program runs on every library whose
/// restripe_abi_version() is not less.
pub const RESTRIPE_ABI_VERSION: u32 = 1;

/// The version of the library, such as "0.1.0". The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The interface that the library has: RESTRIPE_ABI_VERSION of its own header.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_abi_version() -> u32 {
    RESTRIPE_ABI_VERSION
}

/// The name of one of the kernels that this CPU can run, best first, from index 0 on; NULL from
/// the index on that there is none for. The text is static.
///
/// These are the names that RESTRIPE_KERNEL (in the environment) and restripe_codec_options take.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_kernel_name(index: usize) -> *const c_char {
    kernel_names().get(index).map_or(ptr::null(), |name| name.as_ptr())
}

/// Writes the name of the kernel to `name` that codecs run on unless they are told another, and
/// checksums always: the one that RESTRIPE_KERNEL names, else the best one. It is chosen at the
/// first call that needs it, and kept. The text is static.
///
/// RESTRIPE_ERROR_KERNEL: RESTRIPE_KERNEL is set to a name that is unknown, or that this CPU does
/// not support.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_kernel_selected(name: *mut *const c_char) -> c_int {
    guard(|| {
        let selected = name_of(KernelId::selected()?);
        // SAFETY: the caller's promise.
        unsafe { write(name, "name", selected) }
    })
}

/// The architecture that the library was built for, such as "x86_64". The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_cpu_architecture() -> *const c_char {
    this_cpu().architecture.as_ptr()
}

/// The name that the CPU's maker gives it; empty where nobody tells. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_cpu_brand() -> *const c_char {
    this_cpu().brand.as_ptr()
}

/// The features of the CPU that kernels may use, separated by spaces. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_cpu_features() -> *const c_char {
    this_cpu().features.as_ptr()
}

/// Bytes of the data or unified cache of a level, 1 being the nearest to the core; 0 where there
/// is none or nobody tells.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_cpu_cache_bytes(level: u32) -> u64 {
    this_cpu().info.cache_bytes(level).unwrap_or(0)
}

/// The name of a kernel as C has it.
pub(super) fn name_of(kernel: KernelId) -> *const c_char {
    let name = kernel_names().iter().find(|name| name.as_bytes() == kernel.name().as_bytes());
    name.map_or(ptr::null(), |name| name.as_ptr())
}

fn kernel_names() -> &'static [CString] {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    NAMES.get_or_init(|| KernelId::available().map(|kernel| text(kernel.name())).collect())
}

struct Cpu {
    info: cpu::CpuInfo,
    architecture: CString,
    brand: CString,
    features: CString,
}

fn this_cpu() -> &'static Cpu {
    static CPU: OnceLock<Cpu> = OnceLock::new();
    CPU.get_or_init(|| {
        let info = cpu::info();
        Cpu {
            architecture: text(info.architecture),
            brand: text(info.brand.as_deref().unwrap_or_default()),
            features: text(&info.features.join(" ")),
            info,
        }
    })
}

/// A text for C. Those here have no zero byte in them.
fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
