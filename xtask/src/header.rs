//! include/restripe.h: made of what src/capi/ declares.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The files that declare something for C, in the order in which the header has it.
const SOURCES: [&str; 7] =
    ["status", "system", "codec", "plan", "consistency", "checksum", "striping"];

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
    config.header = Some(fs::read_to_string(root.join("src/capi/header.h"))?.trim_end().into());
    config.after_includes = Some(versions()?);
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
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
