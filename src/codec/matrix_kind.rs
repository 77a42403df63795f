//! The generator matrices that storage systems compute parity with.
//!
//! All of them live in the field of [`crate::gf8`] and keep the data units as they are, so that
//! agreeing with a system on its m x k parity rows is agreeing on every byte.

mod rows;

use core::fmt;
use core::str::FromStr;

use crate::gf8::{self, Matrix};
use crate::{Error, Result};

/// Which matrix turns data units into parity units.
///
/// Each kind is byte for byte what the systems named compute. *i* counts data units, *p* parity
/// units, both from 0; products and powers are those of [`crate::gf8`].
///
/// | kind | coefficient of data unit i in parity p | the bytes of | units in all |
/// |---|---|---|---|
/// | `cauchy` | 1 / ((k + p) xor i) | Hadoop's RS, ISA-L's `gf_gen_cauchy1_matrix`, klauspost's `WithCauchyMatrix` | 256 |
/// | `backblaze` | Lagrange, units at 0, 1, 2, 3, ... | klauspost's default, MinIO, RustFS, SeaweedFS, Backblaze, the crate reed-solomon-erasure | 256 |
/// | `par1` | (i + 1)^p | PAR 1 files, klauspost's `WithPAR1Matrix` | 256 |
/// | `isal-vandermonde` | 2^(p i) | ISA-L's `gf_gen_rs_matrix`, liberasurecode's `isa_l_rs_vand` | 256 |
/// | `isal-vandermonde-inverted` | Lagrange, units at 2, 4, 8, ... | liberasurecode's `isa_l_rs_vand_inv` | 256 |
/// | `jerasure-vandermonde` | Lagrange, units at 0, 1, 2, ... and the last at infinity; then scaled | jerasure's `reed_sol_van`, klauspost's `WithJerasureMatrix` | 256 |
/// | `jerasure-r6` | 1 for p = 0, 2^i for p = 1 | jerasure's `reed_sol_r6_op` | 256, of them 2 parity |
/// | `zfec` | Lagrange, units at 0, 1, 2, 4, 8, ... | zfec, Tahoe-LAFS | 256 |
/// | `rs-legacy` | x^p's coefficient in the remainder of x^(m + i) | Hadoop's RS-LEGACY | 255 |
/// | `xor` | 1 | Hadoop's XOR, RAID-4 and RAID-5 | 256, of them 1 parity |
/// | `custom` | the caller's | | 256 |
///
/// Not all of them repair every loss of m units: see [`Mds::of`](crate::Mds::of).
///
/// ```
/// use restripe::MatrixKind;
///
/// let kind: MatrixKind = "isal-vandermonde".parse()?;
/// let rows = kind.parity_rows(4, 2)?;
/// assert_eq!(rows.row(0), [1, 1, 1, 1]);
/// assert_eq!(rows.row(1), [1, 2, 4, 8]);
/// # Ok::<(), restripe::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixKind {
    /// The Cauchy matrix of Hadoop's RS codec and of ISA-L's `gf_gen_cauchy1_matrix`.
    ///
    /// k + m up to 256: the indexes that are xored have eight bits. (Hadoop itself stops at 255.)
    Cauchy,

    /// The Vandermonde matrix r^c times the inverse of its top square: what Backblaze published,
    /// and klauspost/reedsolomon, MinIO, RustFS, SeaweedFS and reed-solomon-erasure use.
    ///
    /// k + m up to 256: each row has its own element of the field.
    Backblaze,

    /// The matrix of PAR 1 files: powers of 1, 2, 3, ...
    ///
    /// The element i + 1 allows k up to 255, and k + m up to 256 is within that. From three data
    /// and four parity units on, some losses cannot be repaired.
    Par1,

    /// ISA-L's `gf_gen_rs_matrix`: powers of 1, 2, 4, 8, ...
    ///
    /// ISA-L itself sets no limit; the powers of 2 repeat after 255 of them, and k + m up to 256
    /// stays within one period. For larger k and m some losses cannot be repaired.
    IsalVandermonde,

    /// liberasurecode's `isa_l_rs_vand_inv`: the Vandermonde matrix over 2, 4, 8, ... times the
    /// inverse of its top square.
    ///
    /// k + m up to 256, as liberasurecode has it. There are 255 powers of 2, so unit 255 has the
    /// point of unit 0 and repeats its bytes: with exactly 256 units (and k > 1) some losses
    /// cannot be repaired.
    IsalVandermondeInverted,

    /// jerasure's `reed_sol_van` with w = 8: an extended Vandermonde matrix, made systematic by
    /// column operations and scaled so that parity 0 and column 0 are ones.
    ///
    /// k + m up to 256, where `reed_sol_vandermonde_coding_matrix` stops.
    JerasureVandermonde,

    /// jerasure's `reed_sol_r6_op` with w = 8: the P and Q of RAID-6.
    ///
    /// jerasure's functions for it take no m: there are always exactly two parity units. They
    /// set no limit to k; two columns are the same from k = 256, and k + m up to 256 stays below.
    JerasureR6,

    /// zfec's matrix: the Vandermonde matrix over 0, 1, 2, 4, 8, ... times the inverse of its top
    /// square.
    ///
    /// k + m up to 256, as zfec has it: 0 and the 255 powers of 2.
    Zfec,

    /// Hadoop's RS-LEGACY codec (`RSLegacyRawEncoder`, once HDFS-RAID's): the remainder by the
    /// polynomial with roots 2^0 to 2^(m-1), parity units being the low powers.
    ///
    /// k + m up to 255, as Hadoop has it: a 256th unit would stand at the place of the first.
    RsLegacy,

    /// One parity unit, the sum of all data units.
    ///
    /// Hadoop's XOR codec computes one parity unit whatever its schema says.
    Xor,

    /// Rows given by the caller. They cannot be computed from k and m.
    Custom,

    /// The rows of [`Hitchhiker`](crate::Hitchhiker), over halves of units: no matrix of k and m.
    HitchhikerXor,

    /// The rows of [`LocallyRepairable`](crate::LocallyRepairable): three numbers make them.
    LocallyRepairable,
}

impl MatrixKind {
    /// Every kind whose rows can be computed from k and m: all but [`Custom`](Self::Custom) and
    /// those of codes that have a type of their own.
    pub const ALL: &'static [Self] = &[
        Self::Cauchy,
        Self::Backblaze,
        Self::Par1,
        Self::IsalVandermonde,
        Self::IsalVandermondeInverted,
        Self::JerasureVandermonde,
        Self::JerasureR6,
        Self::Zfec,
        Self::RsLegacy,
        Self::Xor,
    ];

    /// The name that [`FromStr`] takes and [`Display`](fmt::Display) gives.
    ///
    /// ```
    /// assert_eq!(restripe::MatrixKind::JerasureR6.name(), "jerasure-r6");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cauchy => "cauchy",
            Self::Backblaze => "backblaze",
            Self::Par1 => "par1",
            Self::IsalVandermonde => "isal-vandermonde",
            Self::IsalVandermondeInverted => "isal-vandermonde-inverted",
            Self::JerasureVandermonde => "jerasure-vandermonde",
            Self::JerasureR6 => "jerasure-r6",
            Self::Zfec => "zfec",
            Self::RsLegacy => "rs-legacy",
            Self::Xor => "xor",
            Self::Custom => "custom",
            Self::HitchhikerXor => "hitchhiker-xor",
            Self::LocallyRepairable => "locally-repairable",
        }
    }

    /// The number that stands for the kind wherever one is stored or sent. Numbers are never
    /// reused, and 0 is none of them.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Cauchy => 1,
            Self::Backblaze => 2,
            Self::Par1 => 3,
            Self::IsalVandermonde => 4,
            Self::IsalVandermondeInverted => 5,
            Self::JerasureVandermonde => 6,
            Self::JerasureR6 => 7,
            Self::Zfec => 8,
            Self::RsLegacy => 9,
            Self::Xor => 10,
            Self::Custom => 11,
            Self::HitchhikerXor => 12,
            Self::LocallyRepairable => 13,
        }
    }

    /// The kind that a number stands for; `None` for a number that stands for none.
    ///
    /// ```
    /// use restripe::MatrixKind;
    /// assert_eq!(MatrixKind::from_id(MatrixKind::Zfec.id()), Some(MatrixKind::Zfec));
    /// assert_eq!(MatrixKind::from_id(0), None);
    /// ```
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::all_there_are().find(|kind| kind.id() == id)
    }

    fn with_custom() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().chain([Self::Custom])
    }

    fn all_there_are() -> impl Iterator<Item = Self> {
        Self::with_custom().chain([Self::HitchhikerXor, Self::LocallyRepairable])
    }

    /// The most units, data and parity together, that the kind allows.
    #[must_use]
    pub const fn max_units(self) -> usize {
        match self {
            Self::RsLegacy => 255,
            _ => 256,
        }
    }

    /// The number of parity units that the kind fixes, if it does.
    const fn fixed_parity_units(self) -> Option<usize> {
        match self {
            Self::JerasureR6 => Some(2),
            Self::Xor => Some(1),
            _ => None,
        }
    }

    /// The coefficients of every data unit (column) in every parity unit (row): `parity_units`
    /// rows of `data_units` columns.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`] when either is 0 or their sum is past [`max_units`](Self::max_units);
    /// [`Error::ParityUnits`] for more than two parity units of `jerasure-r6` or more than one of
    /// `xor`; [`Error::Count`] for only one of `jerasure-r6`; [`Error::Invalid`] for
    /// kinds that cannot be computed from k and m.
    ///
    /// ```
    /// use restripe::MatrixKind;
    ///
    /// let rows = MatrixKind::JerasureR6.parity_rows(5, 2)?;
    /// assert_eq!((rows.rows(), rows.columns()), (2, 5));
    /// assert_eq!(rows.row(1), [1, 2, 4, 8, 16]);
    /// assert!(MatrixKind::JerasureR6.parity_rows(5, 3).is_err());
    /// # Ok::<(), restripe::Error>(())
    /// ```
    pub fn parity_rows(self, data_units: usize, parity_units: usize) -> Result<Matrix> {
        self.check_counts(data_units, parity_units)?;
        let (k, m) = (data_units, parity_units);
        // Indexes below are under 256, so that `as u8` loses nothing.
        Ok(match self {
            Self::Cauchy => Matrix::from_fn(m, k, |p, i| rows::reciprocal(((k + p) ^ i) as u8)),
            Self::Backblaze => rows::interpolation_rows(k, m, |unit| unit as u8),
            Self::Par1 => Matrix::from_fn(m, k, |p, i| gf8::pow((i + 1) as u8, p)),
            // The first two rows of the one are the other.
            Self::IsalVandermonde | Self::JerasureR6 => {
                Matrix::from_fn(m, k, |p, i| gf8::exp(p * i))
            }
            Self::IsalVandermondeInverted => {
                rows::interpolation_rows(k, m, |unit| gf8::exp(unit + 1))
            }
            Self::JerasureVandermonde => rows::jerasure_rows(k, m),
            Self::Zfec => {
                rows::interpolation_rows(k, m, |unit| unit.checked_sub(1).map_or(0, gf8::exp))
            }
            Self::RsLegacy => rows::remainder_rows(k, m),
            Self::Xor => Matrix::from_fn(m, k, |_, _| 1),
            Self::Custom | Self::HitchhikerXor | Self::LocallyRepairable => {
                return Err(Error::Invalid {
                    what: "matrix kind",
                    got: self.name().into(),
                    expected: "a kind whose rows are computed, or rows of the caller's own",
                });
            }
        })
    }

    /// Refuses numbers of units that the kind cannot have.
    pub(super) fn check_counts(self, data_units: usize, parity_units: usize) -> Result<()> {
        let units = data_units.saturating_add(parity_units);
        if data_units == 0 || parity_units == 0 || units > self.max_units() {
            return Err(Error::UnitCounts {
                kind: self.name(),
                data_units,
                parity_units,
                max_units: self.max_units(),
            });
        }
        match self.fixed_parity_units() {
            Some(fixed) if parity_units > fixed => {
                Err(Error::ParityUnits { kind: self.name(), parity_units, max_parity_units: fixed })
            }
            Some(fixed) if parity_units < fixed => {
                Err(Error::Count { what: "parity units", expected: fixed, got: parity_units })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for MatrixKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for MatrixKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::with_custom().find(|kind| kind.name() == name).ok_or_else(|| Error::Invalid {
            what: "matrix kind",
            got: name.into(),
            expected: "one of cauchy, backblaze, par1, isal-vandermonde, \
                isal-vandermonde-inverted, jerasure-vandermonde, jerasure-r6, zfec, rs-legacy, \
                xor, custom",
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn every_kind_reaches_its_limit_and_stops_there() {
        for &kind in MatrixKind::ALL {
            let max = kind.max_units();
            let parity_counts = match kind.fixed_parity_units() {
                Some(fixed) => Vec::from([fixed]),
                None => Vec::from([1, 2, max / 2, max - 2, max - 1]),
            };
            for m in parity_counts {
                let rows = kind.parity_rows(max - m, m).unwrap();
                assert_eq!((rows.rows(), rows.columns()), (m, max - m), "{kind}");
                for (k, m) in [(max - m + 1, m), (0, m), (max - m, 0), (usize::MAX, m)] {
                    assert_eq!(
                        kind.parity_rows(k, m).unwrap_err(),
                        Error::UnitCounts {
                            kind: kind.name(),
                            data_units: k,
                            parity_units: m,
                            max_units: max
                        }
                    );
                }
            }
        }
    }

    #[test]
    fn kinds_with_a_fixed_number_of_parity_units_refuse_others() {
        assert_eq!(
            MatrixKind::Xor.parity_rows(4, 2).unwrap_err(),
            Error::ParityUnits { kind: "xor", parity_units: 2, max_parity_units: 1 }
        );
        assert_eq!(
            MatrixKind::JerasureR6.parity_rows(4, 3).unwrap_err(),
            Error::ParityUnits { kind: "jerasure-r6", parity_units: 3, max_parity_units: 2 }
        );
        assert_eq!(
            MatrixKind::JerasureR6.parity_rows(4, 1).unwrap_err(),
            Error::Count { what: "parity units", expected: 2, got: 1 }
        );
    }

    #[test]
    fn rows_that_k_and_m_do_not_make_cannot_be_computed() {
        for kind in [MatrixKind::Custom, MatrixKind::HitchhikerXor, MatrixKind::LocallyRepairable] {
            assert!(matches!(
                kind.parity_rows(4, 2).unwrap_err(),
                Error::Invalid { what: "matrix kind", .. }
            ));
        }
    }

    #[test]
    fn the_256th_unit_of_isal_vandermonde_inverted_repeats_the_first() {
        let rows = MatrixKind::IsalVandermondeInverted.parity_rows(200, 56).unwrap();
        assert_eq!(rows.row(55)[0], 1);
        assert!(rows.row(55)[1..].iter().all(|&element| element == 0));
    }

    #[test]
    fn names_and_ids_lead_back_to_their_kind() {
        for kind in MatrixKind::with_custom() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for kind in MatrixKind::all_there_are() {
            assert_eq!(MatrixKind::from_id(kind.id()), Some(kind));
        }
        let ids: Vec<u8> = MatrixKind::all_there_are().map(MatrixKind::id).collect();
        assert_eq!(ids, (1..=13).collect::<Vec<u8>>());
        assert_eq!((0..=255).filter_map(MatrixKind::from_id).count(), 13);
        assert!("Cauchy".parse::<MatrixKind>().is_err());
    }
}
