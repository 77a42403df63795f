//! Sizes on the command line and in reports: `128MiB` in, `150.0 MiB` out.

use std::str::FromStr;

/// Bytes, written as a plain number or with a binary suffix (`k`, `KiB`, `m`, `MiB`, `g`, ...).
///
/// ```
/// use restripe_cli::size::Size;
/// assert_eq!("128MiB".parse(), Ok(Size(128 << 20)));
/// assert_eq!("64k".parse(), Ok(Size(65536)));
/// assert!("5MB".parse::<Size>().is_err()); // 10^6 or 2^20? Nobody can tell.
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| {
            format!(
                "{text:?} is not a size: a whole number of bytes, or one with KiB, MiB, GiB or TiB"
            )
        })?;
        let shift = match suffix.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" => 10,
            "m" | "mib" => 20,
            "g" | "gib" => 30,
            "t" | "tib" => 40,
            other => {
                return Err(format!(
                    "{other:?} is not a unit of size: KiB, MiB, GiB, TiB (or k, m, g, t) are"
                ));
            }
        };
        number
            .checked_mul(1 << shift)
            .map(Self)
            .ok_or_else(|| format!("{text} is more bytes than a file can have"))
    }
}

/// A size for people: three significant figures and a binary unit; exact below 10 KiB.
///
/// ```
/// assert_eq!(restripe_cli::size::human(1000), "1000 bytes");
/// assert_eq!(restripe_cli::size::human(157_286_400), "150 MiB");
/// ```
#[must_use]
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    if bytes < 10 << 10 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A size as one would write it on the command line, exactly.
///
/// ```
/// assert_eq!(restripe_cli::size::exact(64 << 10), "64 KiB");
/// assert_eq!(restripe_cli::size::exact(1000), "1000 B");
/// ```
#[must_use]
pub fn exact(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value != 0 && value.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_binary_and_case_does_not_matter() {
        for (text, bytes) in [
            ("0", 0),
            ("1b", 1),
            ("3K", 3072),
            ("2 MiB", 2 << 20),
            ("1g", 1 << 30),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused_with_its_name() {
        for text in ["", "k", "-1", "1.5m", "12 parsecs", "99999999999t", "184467440737095516160"] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(!error.is_empty(), "{text}");
        }
    }

    #[test]
    fn people_get_three_figures() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (10239, "10239 bytes"),
            (10240, "10.0 KiB"),
            (1_048_576, "1.00 MiB"),
            (1_048_575, "1.00 MiB"),
            (999 << 20, "999 MiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
