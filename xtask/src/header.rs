//! include/restripe.h: made of what src/capi/ declares.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The files that declare something for C, in the order in which the header has it.
const STABLE: [&str; 7] =
    ["status", "system", "codec", "plan", "consistency", "checksum", "striping"];

/// Those of what may still change, which stands behind `RESTRIPE_UNSTABLE`.
const UNSTABLE: [&str; 4] = ["packets", "sending", "reconstruction", "round_events"];

/// What the second part begins with.
const UNSTABLE_BEGIN: &str = "\
#ifdef RESTRIPE_UNSTABLE
/*
 * What follows may change from one release to the next without a new soname, until it has been
 * used in earnest: who defines RESTRIPE_UNSTABLE has to be compiled again for each.
 *
 * Packet readers, packet writers and reconstructions, and what these give out, are used by one
 * thread at a time.
 */
";

/// Where the header is, in the project's folder.
const HEADER: &str = "include/restripe.h";

/// Writes the header; or, with `check`, fails where the one that is there is another.
pub fn header(check: bool) -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("run by cargo xtask")?);
    let root = root.parent().ok_or("xtask has no folder above it")?;
    let made = made(root)?;
    let path = root.join(HEADER);
    if !check {
        return Ok(fs::write(path, made)?);
    }
    if fs::read_to_string(path)? == made {
        return Ok(());
    }
    Err(format!("{HEADER} is not what src/capi/ declares: run cargo xtask header").into())
}

fn made(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let mut rest = config.clone();
    config.header = Some(fs::read_to_string(root.join("src/capi/header.h"))?.trim_end().into());
    config.after_includes = Some(versions()?);
    let stable = generated(root, config, &STABLE)?;
    (rest.include_guard, rest.sys_includes) = (None, Vec::new());
    let unstable = generated(root, rest, &UNSTABLE)?;
    let end = stable.rfind("#endif").ok_or("the header has no guard")?;
    let (stable, guard) = stable.split_at(end);
    let unstable = unstable.trim();
    Ok(format!("{stable}{UNSTABLE_BEGIN}\n{unstable}\n\n#endif  // RESTRIPE_UNSTABLE\n\n{guard}"))
}

/// What some of the sources declare.
fn generated(
    root: &Path,
    config: cbindgen::Config,
    sources: &[&str],
) -> Result<String, Box<dyn Error>> {
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in sources {
        builder = builder.with_src(root.join(format!("src/capi/{source}.rs")));
    }
    let mut header = Vec::new();
    builder.generate()?.write(&mut header);
    Ok(String::from_utf8(header)?)
}

/// The version of the library, as numbers: xtask has that of the whole workspace.
fn versions() -> Result<String, Box<dyn Error>> {
    let version = env!("CARGO_PKG_VERSION");
    let mut numbers = version.split('.');
    let mut text = format!("\n#define RESTRIPE_VERSION \"{version}\"");
    for part in ["MAJOR", "MINOR", "PATCH"] {
        let number: u32 = numbers.next().ok_or("a version has three numbers")?.parse()?;
        text += &format!("\n#define RESTRIPE_VERSION_{part} {number}");
    }
    Ok(text)
}
