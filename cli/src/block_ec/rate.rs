//! Rates on the command line: `50MB/s`, `20MiB/s`, or bytes per second.

use std::num::NonZeroU64;
use std::str::FromStr;

use crate::size::Size;

/// Bytes per second.
///
/// Rates of disks and networks are given in decimal units, so these are known beside the binary
/// ones of sizes.
///
/// ```
/// use restripe_cli::block_ec::rate::BytesPerSecond;
/// let rate = |text: &str| text.parse::<BytesPerSecond>().map(|rate| rate.0.get());
/// assert_eq!(rate("50MB/s"), Ok(50_000_000));
/// assert_eq!(rate("50MiB/s"), Ok(50 << 20));
/// assert_eq!(rate("4096"), Ok(4096));
/// assert!(rate("0").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesPerSecond(pub NonZeroU64);

impl FromStr for BytesPerSecond {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.strip_suffix("/s").unwrap_or(text);
        let decimal = [("kB", 1_000), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];
        let decimal = decimal.into_iter().find_map(|(unit, factor)| {
            let number: u64 = bytes.strip_suffix(unit)?.trim_end().parse().ok()?;
            number.checked_mul(factor)
        });
        let rate = match decimal {
            Some(rate) => rate,
            None => {
                bytes
                    .parse::<Size>()
                    .map_err(|_| format!("{text:?} is not a rate: 50MB/s is one"))?
                    .0
            }
        };
        NonZeroU64::new(rate).map(Self).ok_or_else(|| "a rate of nothing never ends".to_owned())
    }
}
