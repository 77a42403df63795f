//! What CPU this is: for choosing kernels and their policies, and for reports.

use alloc::string::String;
use alloc::vec::Vec;

/// The CPU, as far as it and the operating system tell.
///
/// ```
/// let cpu = restripe::cpu::info();
/// println!("{} with {}", cpu.brand.unwrap_or("unknown CPU".into()), cpu.features.join(" "));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuInfo {
    /// The architecture that this build is for, such as `x86_64`.
    pub architecture: &'static str,
    /// Who made it: `AuthenticAMD`, `GenuineIntel` and the like.
    pub vendor: Option<String>,
    /// The name that its maker gives it.
    pub brand: Option<String>,
    /// Family and model number (x86: display family and model).
    pub family_model: Option<(u32, u32)>,
    /// The features that kernels may use, of those that it has.
    pub features: Vec<&'static str>,
    /// Its caches as the first core sees them, the nearest first; empty where nobody tells.
    pub caches: Vec<Cache>,
}

impl CpuInfo {
    /// Bytes of the data or unified cache of a level (1 is the nearest), if known.
    #[must_use]
    pub fn cache_bytes(&self, level: u32) -> Option<u64> {
        let holds_data = |cache: &&Cache| cache.level == level && cache.holds_data;
        self.caches.iter().find(holds_data).map(|cache| cache.bytes)
    }
}

/// One cache of the first core.
///
/// ```
/// for cache in restripe::cpu::info().caches {
///     println!("level {}: {} bytes for {} cores", cache.level, cache.bytes, cache.shared_by);
/// }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 is the nearest to the core.
    pub level: u32,
    /// False for a cache of instructions only.
    pub holds_data: bool,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many cores share it.
    pub shared_by: u32,
}

/// Asks the CPU and the operating system. Not cheap: keep the answer.
#[must_use]
pub fn info() -> CpuInfo {
    let (vendor, brand, family_model) = identity();
    CpuInfo {
        architecture: ARCHITECTURE,
        vendor,
        brand,
        family_model,
        features: features(),
        caches: caches(),
    }
}

const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "x86") {
    "x86"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else if cfg!(target_arch = "riscv64") {
    "riscv64"
} else if cfg!(target_arch = "s390x") {
    "s390x"
} else if cfg!(target_arch = "wasm32") {
    "wasm32"
} else {
    "other"
};

/// Who made a CPU, as far as choices depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Intel,
    Amd,
    Other,
}

/// The maker and the family of this CPU; asked once.
pub(crate) fn maker_and_family() -> (Maker, u32) {
    use once_cell::race::OnceBox;
    static ANSWER: OnceBox<(Maker, u32)> = OnceBox::new();
    *ANSWER.get_or_init(|| {
        let (vendor, _, family_model) = identity();
        let maker = match vendor.as_deref() {
            Some("GenuineIntel") => Maker::Intel,
            Some("AuthenticAMD" | "HygonGenuine") => Maker::Amd,
            _ => Maker::Other,
        };
        alloc::boxed::Box::new((maker, family_model.map_or(0, |(family, _)| family)))
    })
}

type Identity = (Option<String>, Option<String>, Option<(u32, u32)>);

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn identity() -> Identity {
    use core::arch::x86_64::{__cpuid, CpuidResult};
    fn text(registers: &[u32]) -> Option<String> {
        let bytes: Vec<u8> = registers.iter().flat_map(|register| register.to_le_bytes()).collect();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(['\0', ' ']);
        (!text.is_empty()).then(|| text.into())
    }
    #[allow(unused_unsafe)] // safe since Rust 1.94
    // SAFETY: every x86-64 CPU has the instruction.
    let ask = |leaf: u32| -> CpuidResult { unsafe { __cpuid(leaf) } };
    let first = ask(0);
    let vendor = text(&[first.ebx, first.edx, first.ecx]);
    let brand = (ask(0x8000_0000).eax >= 0x8000_0004)
        .then(|| {
            let leaves = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(ask);
            let registers = leaves.map(|leaf| [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]);
            text(registers.as_flattened())
        })
        .flatten();
    // Intel's and AMD's manuals: the extended fields count where the base family is 15 (and, for
    // the model, 6).
    let signature = ask(1).eax;
    let (family, model) = (signature >> 8 & 0xF, signature >> 4 & 0xF);
    let extended_model = if family == 6 || family == 15 { signature >> 16 & 0xF } else { 0 };
    let extended_family = if family == 15 { signature >> 20 & 0xFF } else { 0 };
    (vendor, brand, Some((family + extended_family, extended_model << 4 | model)))
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn identity() -> Identity {
    (None, None, None)
}

/// Lists those of the features named that the CPU has.
#[cfg(all(
    feature = "std",
    any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")
))]
macro_rules! list_features {
    ($detected:ident, $($feature:tt)*) => {{
        let mut features = Vec::new();
        $(if std::arch::$detected!($feature) {
            features.push($feature);
        })*
        features
    }};
}

#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
fn features() -> Vec<&'static str> {
    list_features!(
        is_x86_feature_detected,
        "ssse3" "sse4.2" "pclmulqdq" "avx2" "gfni" "vpclmulqdq" "avx512f" "avx512bw" "avx512vl"
    )
}

#[cfg(all(feature = "std", target_arch = "aarch64"))]
fn features() -> Vec<&'static str> {
    list_features!(
        is_aarch64_feature_detected,
        "neon" "pmull" "crc" "sha3" "sve" "sve2"
    )
}

#[cfg(not(all(
    feature = "std",
    any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")
)))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

/// What the CPU says of its caches, else what the operating system does.
pub(crate) fn caches() -> Vec<Cache> {
    let mut caches = cpuid_caches();
    if caches.is_empty() {
        caches = sysfs_caches();
    }
    caches.sort_by_key(|cache| cache.level);
    caches
}

/// From leaf 4 (Intel) or 0x8000001D (AMD), which have the same form: Intel's Software Developer's
/// Manual, volume 2A; AMD's Architecture Programmer's Manual, volume 3.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn cpuid_caches() -> Vec<Cache> {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    #[allow(unused_unsafe)] // safe since Rust 1.94
    // SAFETY: every x86-64 CPU has the instruction.
    let ask = |leaf: u32, index: u32| unsafe { __cpuid_count(leaf, index) };
    #[allow(unused_unsafe)] // safe since Rust 1.94
    // SAFETY: as above.
    let most = |base: u32| unsafe { __cpuid(base) }.eax;
    let leaf = match maker_and_family().0 {
        Maker::Intel if most(0) >= 4 => 4,
        Maker::Amd if most(0x8000_0000) >= 0x8000_001D => 0x8000_001D,
        _ => return Vec::new(),
    };
    let cache = |index| {
        let answer = ask(leaf, index);
        let kind = answer.eax & 0x1F;
        let field = |register: u32, shift: u32, bits: u32| {
            u64::from(register >> shift & ((1 << bits) - 1)) + 1
        };
        let ways_of_lines =
            field(answer.ebx, 22, 10) * field(answer.ebx, 12, 10) * field(answer.ebx, 0, 12);
        (kind != 0).then_some(Cache {
            level: answer.eax >> 5 & 7,
            holds_data: kind != 2,
            bytes: ways_of_lines * (u64::from(answer.ecx) + 1),
            shared_by: field(answer.eax, 14, 12) as u32,
        })
    };
    (0..16).map_while(cache).collect()
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn cpuid_caches() -> Vec<Cache> {
    Vec::new()
}

/// From sysfs: Linux, Documentation/ABI/testing/sysfs-devices-system-cpu.
#[cfg(all(feature = "std", target_os = "linux"))]
fn sysfs_caches() -> Vec<Cache> {
    let read = |index: u32, file: &str| {
        let path = std::format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}");
        std::fs::read_to_string(path).ok().map(|text| String::from(text.trim()))
    };
    let size = |text: String| -> Option<u64> {
        let (number, unit) = match text.strip_suffix('K') {
            Some(number) => (number, 1024),
            None => (text.strip_suffix('M')?, 1024 * 1024),
        };
        number.parse::<u64>().ok()?.checked_mul(unit)
    };
    let cache = |index: u32| {
        Some(Cache {
            level: read(index, "level")?.parse().ok()?,
            holds_data: read(index, "type")? != "Instruction",
            bytes: size(read(index, "size")?)?,
            shared_by: read(index, "shared_cpu_list").map_or(1, |list| count_listed(&list)),
        })
    };
    (0..16).map_while(cache).collect()
}

/// How many CPUs a list such as `0-3,8` names.
#[cfg(all(feature = "std", target_os = "linux"))]
fn count_listed(list: &str) -> u32 {
    let count = |part: &str| -> Option<u32> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    };
    list.split(',').filter_map(count).fold(0, u32::saturating_add).max(1)
}

#[cfg(not(all(feature = "std", target_os = "linux")))]
fn sysfs_caches() -> Vec<Cache> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_cache_is_told_first() {
        let caches = info().caches;
        assert!(caches.is_sorted_by_key(|cache| cache.level), "{caches:?}");
        assert!(caches.iter().all(|cache| cache.bytes > 0), "{caches:?}");
    }

    #[cfg(all(feature = "std", target_os = "linux"))]
    #[test]
    fn counts_cpus_in_a_list() {
        assert_eq!(count_listed("0"), 1);
        assert_eq!(count_listed("0-3,8"), 5);
        assert_eq!(count_listed("nonsense"), 1);
    }

    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[test]
    fn an_x86_cpu_says_who_made_it() {
        let cpu = info();
        assert!(cpu.vendor.is_some_and(|vendor| !vendor.is_empty()));
        assert!(cpu.family_model.is_some_and(|(family, _)| family >= 5));
    }
}
