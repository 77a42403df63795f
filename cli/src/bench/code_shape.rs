//! Codes on the command line: `6+3`.

use std::fmt;
use std::str::FromStr;

/// Data and parity units of a Reed-Solomon code, written as `6+3`.
///
/// ```
/// use restripe_cli::bench::CodeShape;
/// assert_eq!("6+3".parse(), Ok(CodeShape { data_units: 6, parity_units: 3 }));
/// assert!("6-3".parse::<CodeShape>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeShape {
    /// k
    pub data_units: usize,
    /// m
    pub parity_units: usize,
}

impl FromStr for CodeShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = |text: &str| text.parse().ok().filter(|units| (1..256).contains(units));
        text.split_once('+')
            .and_then(|(data, parity)| Some((units(data)?, units(parity)?)))
            .filter(|(data, parity)| data + parity <= 256)
            .map(|(data_units, parity_units)| Self { data_units, parity_units })
            .ok_or_else(|| {
                format!("{text:?} is not a code: data units, +, parity units, 256 at most (6+3)")
            })
    }
}

impl fmt::Display for CodeShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}+{}", self.data_units, self.parity_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_code_has_is_refused() {
        for text in ["", "6", "6+", "0+3", "6+0", "250+7", "6+3+1", "-1+2", "6 + 3"] {
            assert!(text.parse::<CodeShape>().is_err(), "{text}");
        }
        assert_eq!("250+6".parse::<CodeShape>().unwrap().to_string(), "250+6");
    }
}
