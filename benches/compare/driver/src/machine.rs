//! On what, and with what, something was measured.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use restripe::{KernelId, cpu};

use crate::rivals::{Built, LIMITS, output};

/// A list in Markdown.
pub fn describe(rivals: &[Built]) -> String {
    let cpu = cpu::info();
    let mut text = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "- {what}: {value}");
    };
    let family = cpu.family_model.map(|(family, model)| format!(", family {family} model {model}"));
    let name = cpu.brand.as_deref().unwrap_or("unknown");
    line("CPU", &format!("{name}{}, {}", family.unwrap_or_default(), cpu.architecture));
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    line("cores", &format!("{cores}, of which one is used"));
    let caches = cpu.caches.iter().filter(|cache| cache.holds_data);
    let caches = caches
        .map(|cache| format!("L{} {} KiB for {}", cache.level, cache.bytes >> 10, cache.shared_by));
    line("caches", &caches.collect::<Vec<_>>().join(", "));
    let kernels: Vec<_> = KernelId::available().map(KernelId::name).collect();
    line("kernels of restripe, the first one used", &kernels.join(" "));
    if let Ok(kernel) = fs::read_to_string("/proc/sys/kernel/osrelease") {
        line("Linux", kernel.trim());
    }
    line("pages", "4 KiB of shared memory, the same ones for all");
    for (program, version) in [("rustc", "--version"), ("go", "version")] {
        if let Ok(version) = output(Command::new(program).arg(version)) {
            line("compiler", version.trim());
        }
    }
    for built in rivals.iter().filter(|built| !LIMITS.contains(&built.rival.name)) {
        match &built.program {
            Ok(_) => line(built.rival.name, &built.version),
            Err(why) => {
                line(built.rival.name, &format!("{}, could not be built: {why}", built.version));
            }
        }
    }
    text
}
