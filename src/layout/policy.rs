//! Erasure-coding policies as HDFS names them.

use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use super::{StripedFile, StripedLayout, check_units};
use crate::{
    ErasureCode, Error, Hitchhiker, LocallyRepairable, MAX_UNITS, MatrixKind, ReedSolomon, Result,
};

/// The code of a [`Policy`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Reed-Solomon, Hadoop's codec `rs`.
    Rs,
    /// The Reed-Solomon code of HDFS-RAID, Hadoop's codec `rs-legacy`.
    RsLegacy,
    /// One parity unit, the sum of the data units: Hadoop's codec `xor`.
    Xor,
    /// Hitchhiker-XOR over `rs`, the code of Hadoop's `HHXORErasureEncoder`: see [`Hitchhiker`].
    HhXor,
    /// Locally repairable, with local and global parity units: see [`LocallyRepairable`].
    Lrc,
}

impl Codec {
    /// Those with two numbers of units.
    const OF_TWO_NUMBERS: [Self; 4] = [Self::Rs, Self::RsLegacy, Self::Xor, Self::HhXor];

    /// The codec as policy names have it: `RS`, `RS-LEGACY`, `XOR`, `HHXOR` or `LRC`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs => "RS",
            Self::RsLegacy => "RS-LEGACY",
            Self::Xor => "XOR",
            Self::HhXor => "HHXOR",
            Self::Lrc => "LRC",
        }
    }

    /// The most units that the code can have.
    const fn max_units(self) -> usize {
        match self {
            Self::Rs | Self::Xor | Self::Lrc => MAX_UNITS,
            Self::HhXor => Hitchhiker::MAX_UNITS,
            // Its units are powers of a generator, of which there are 255.
            Self::RsLegacy => 255,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How HDFS stripes and protects a file: a code, its unit counts and the cell size.
///
/// Its name holds all of that, as in `RS-6-3-1024k`: the codec, k, m, and the cell size in units
/// of 1024 bytes. `parse` takes exactly what `to_string` gives and nothing else; like Hadoop it
/// tells upper from lower case.
///
/// Two codecs are no policies of HDFS, though one is a code of Hadoop's. Both read less to repair
/// one unit:
///
/// - `LRC-12-2-2-1024k` has three numbers: data units, local groups (each with a parity unit), and
///   global parity units; the parity units are 4, the local ones first.
/// - `HHXOR-10-4-1024k` divides every *cell* into two halves, its sub-shards: the byte at offset o
///   of an internal block is in the first half where o modulo the cell size is below half of it,
///   and goes together with the bytes at o of the other blocks and at o plus or minus half a cell.
///   A short last stripe is coded as if its cells went on with zeros, and its parity cells are
///   whole cells: the halves lie in it as in any other.
///
/// Any k and m that the code has make a policy here. HDFS itself stripes over at most 16 units,
/// for want of more block ids in a group, and a name node admits cells of up to 4 MiB unless
/// configured otherwise (`dfs.namenode.ec.policies.max.cellsize`).
///
/// ```
/// use restripe::layout::{Codec, Policy};
///
/// let policy: Policy = "RS-10-4-1024k".parse()?;
/// assert_eq!(policy, Policy::new(Codec::Rs, 10, 4, 1024 * 1024)?);
/// assert_eq!(policy.to_string(), "RS-10-4-1024k");
/// assert_eq!(policy.id(), Some(5));
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    codec: Codec,
    data_units: usize,
    parity_units: usize,
    /// Of the parity units those of local groups.
    local_groups: usize,
    cell_size: u64,
}

const fn built_in(codec: Codec, data_units: usize, parity_units: usize) -> Policy {
    Policy { codec, data_units, parity_units, local_groups: 0, cell_size: 1024 * 1024 }
}

const fn built_in_lrc(data_units: usize, local_groups: usize, globals: usize) -> Policy {
    Policy { local_groups, ..built_in(Codec::Lrc, data_units, local_groups + globals) }
}

impl Policy {
    /// The policies that every Hadoop 3 has, with the ids that it stores for them.
    ///
    /// Ids from 64 on are given to policies that users add; 0 stands for replication.
    pub const BUILT_IN: &'static [(u8, Self)] = &[
        (1, built_in(Codec::Rs, 6, 3)),
        (2, built_in(Codec::Rs, 3, 2)),
        (3, built_in(Codec::RsLegacy, 6, 3)),
        (4, built_in(Codec::Xor, 2, 1)),
        (5, built_in(Codec::Rs, 10, 4)),
    ];

    /// Policies of codes that read less to repair one unit, for comparison with those of
    /// [`BUILT_IN`](Self::BUILT_IN). HDFS has no ids for them.
    pub const REPAIR_SAVING: &'static [Self] = &[
        built_in(Codec::HhXor, 6, 3),
        built_in(Codec::HhXor, 10, 4),
        built_in_lrc(6, 2, 2),
        built_in_lrc(12, 2, 2),
    ];

    /// The largest cell: of the multiples of 1024 the last that Hadoop's 32 bits hold.
    pub const MAX_CELL_SIZE: u64 = (i32::MAX as u64) / 1024 * 1024;

    /// A policy of any unit counts; `cell_size` is in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`] where there are not 1 to 256 units in all (255 for
    /// [`Codec::RsLegacy`], 128 for [`Codec::HhXor`]) with at least one of each sort,
    /// [`Error::ParityUnits`] for more than one parity unit with [`Codec::Xor`],
    /// [`Error::Invalid`] for numbers that [`Hitchhiker::new`] refuses, and for [`Codec::Lrc`],
    /// which takes three ([`locally_repairable`](Self::locally_repairable));
    /// [`Error::OutOfBounds`] unless the cell size is a
    /// multiple of 1024 from 1024 to [`MAX_CELL_SIZE`](Self::MAX_CELL_SIZE).
    pub fn new(
        codec: Codec,
        data_units: usize,
        parity_units: usize,
        cell_size: u64,
    ) -> Result<Self> {
        check_units(codec.name(), data_units, parity_units, codec.max_units())?;
        if codec == Codec::Xor && parity_units > 1 {
            return Err(Error::ParityUnits {
                kind: codec.name(),
                parity_units,
                max_parity_units: 1,
            });
        }
        match codec {
            Codec::HhXor => Hitchhiker::check_counts(data_units, parity_units)?,
            Codec::Lrc => {
                return Err(Error::Invalid {
                    what: "codec of a policy with two numbers of units",
                    got: codec.name().into(),
                    expected: "it has three: use Policy::locally_repairable",
                });
            }
            _ => {}
        }
        Self::with_cells(codec, data_units, parity_units, 0, cell_size)
    }

    /// A policy of a [`LocallyRepairable`] code; `cell_size` is in bytes.
    ///
    /// ```
    /// use restripe::layout::Policy;
    /// let policy = Policy::locally_repairable(12, 2, 2, 1024 * 1024)?;
    /// assert_eq!((policy.parity_units(), policy.local_groups()), (4, 2));
    /// assert_eq!("LRC-12-2-2-1024k".parse(), Ok(policy));
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`LocallyRepairable::new`] about the numbers, and as [`new`](Self::new) about the cell.
    pub fn locally_repairable(
        data_units: usize,
        local_groups: usize,
        global_parities: usize,
        cell_size: u64,
    ) -> Result<Self> {
        LocallyRepairable::check(data_units, local_groups, global_parities)?;
        let parity_units = local_groups + global_parities;
        Self::with_cells(Codec::Lrc, data_units, parity_units, local_groups, cell_size)
    }

    fn with_cells(
        codec: Codec,
        data_units: usize,
        parity_units: usize,
        local_groups: usize,
        cell_size: u64,
    ) -> Result<Self> {
        let fits = (1..=Self::MAX_CELL_SIZE).contains(&cell_size);
        if !fits || !cell_size.is_multiple_of(1024) {
            return Err(Error::OutOfBounds {
                what: "cell size",
                got: cell_size,
                expected: "a multiple of 1024 bytes from 1024 to 2147482624",
            });
        }
        Ok(Self { codec, data_units, parity_units, local_groups, cell_size })
    }

    /// The built-in policy with an id.
    ///
    /// ```
    /// use restripe::layout::Policy;
    /// assert_eq!(Policy::from_id(1).unwrap().to_string(), "RS-6-3-1024k");
    /// assert_eq!(Policy::from_id(64), None); // only the name node that gave it knows
    /// ```
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::BUILT_IN.iter().find(|built_in| built_in.0 == id).map(|built_in| built_in.1)
    }

    /// Its id, if it is one of the built-in policies.
    #[must_use]
    pub fn id(&self) -> Option<u8> {
        Self::BUILT_IN.iter().find(|built_in| built_in.1 == *self).map(|built_in| built_in.0)
    }

    /// The code.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Number of data units, k.
    #[must_use]
    pub fn data_units(&self) -> usize {
        self.data_units
    }

    /// Number of parity units, m.
    #[must_use]
    pub fn parity_units(&self) -> usize {
        self.parity_units
    }

    /// Number of parity units that belong to a local group, one each; 0 but for [`Codec::Lrc`].
    #[must_use]
    pub fn local_groups(&self) -> usize {
        self.local_groups
    }

    /// Bytes in a cell.
    #[must_use]
    pub fn cell_size(&self) -> u64 {
        self.cell_size
    }

    /// The code that computes its parity units: make it once and keep it.
    ///
    /// A code with sub-shards is to be given whole cells: one stripe at a time.
    ///
    /// ```
    /// use restripe::ErasureCode;
    /// use restripe::layout::Policy;
    /// let code = "XOR-2-1-1024k".parse::<Policy>()?.code()?;
    /// let mut parity = [[0; 2]];
    /// code.encode(&[[1, 2], [4, 8]], &mut parity)?;
    /// assert_eq!(parity, [[5, 10]]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::KernelUnavailable`] where `RESTRIPE_KERNEL` names no kernel of this CPU.
    pub fn code(&self) -> Result<Arc<dyn ErasureCode>> {
        let kind = match self.codec {
            Codec::Rs => MatrixKind::Cauchy,
            Codec::RsLegacy => MatrixKind::RsLegacy,
            Codec::Xor => MatrixKind::Xor,
            Codec::HhXor => {
                return Ok(Arc::new(Hitchhiker::new(self.data_units, self.parity_units)?));
            }
            Codec::Lrc => {
                let globals = self.parity_units - self.local_groups;
                let code = LocallyRepairable::new(self.data_units, self.local_groups, globals);
                return Ok(Arc::new(code?));
            }
        };
        Ok(Arc::new(ReedSolomon::with_matrix(self.data_units, self.parity_units, kind)?))
    }

    /// The layout of a block group with `group_len` bytes of data.
    #[must_use]
    pub fn group(&self, group_len: u64) -> StripedLayout {
        // A stripe has at most 256 cells of 32 bits' length.
        let Self { data_units, parity_units, cell_size, .. } = *self;
        let group = StripedLayout::from_checked(data_units, parity_units, cell_size, group_len);
        if self.has_sub_shards() { group.with_whole_parity_cells() } else { group }
    }

    /// The layout of a file of `file_len` bytes with internal blocks of up to `block_size` bytes.
    ///
    /// # Errors
    ///
    /// Those of [`StripedFile::new`] about the block size.
    pub fn file(&self, block_size: u64, file_len: u64) -> Result<StripedFile> {
        let Self { data_units, parity_units, cell_size, .. } = *self;
        let file = StripedFile::new(data_units, parity_units, cell_size, block_size, file_len)?;
        Ok(if self.has_sub_shards() { file.with_whole_parity_cells() } else { file })
    }

    fn has_sub_shards(&self) -> bool {
        self.codec == Codec::HhXor
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, data_units, parity_units, local_groups, cell_size } = self;
        let cell = cell_size / 1024;
        match codec {
            Codec::Lrc => {
                let globals = parity_units - local_groups;
                write!(f, "{codec}-{data_units}-{local_groups}-{globals}-{cell}k")
            }
            _ => write!(f, "{codec}-{data_units}-{parity_units}-{cell}k"),
        }
    }
}

impl FromStr for Policy {
    type Err = Error;

    /// # Errors
    ///
    /// [`Error::Invalid`] for what has not the form of a name, and those of [`Policy::new`] for
    /// a name with numbers that make no policy.
    fn from_str(name: &str) -> Result<Self> {
        let parts = name_parts(name).ok_or_else(|| Error::Invalid {
            what: "policy name",
            got: name.into(),
            expected: "it is RS, RS-LEGACY, XOR or HHXOR, the data units, the parity units and the cell size in units of 1024 bytes, as in RS-6-3-1024k; or LRC, the data units, the local groups, the global parity units and the cell size, as in LRC-12-2-2-1024k",
        })?;
        match parts.local_groups {
            None => Self::new(parts.codec, parts.data_units, parts.last, parts.cell_size),
            Some(local_groups) => Self::locally_repairable(
                parts.data_units,
                local_groups,
                parts.last,
                parts.cell_size,
            ),
        }
    }
}

struct NameParts {
    codec: Codec,
    data_units: usize,
    local_groups: Option<usize>,
    /// The last number of units: all parity units, or the global ones.
    last: usize,
    cell_size: u64,
}

/// The parts of a name, read from the end since a codec's name may hold a hyphen.
fn name_parts(name: &str) -> Option<NameParts> {
    let (rest, cell) = name.rsplit_once('-')?;
    let (rest, last) = rest.rsplit_once('-')?;
    let (rest, number_before) = rest.rsplit_once('-')?;
    let units = |digits| number(digits)?.try_into().ok();
    let (codec, data_units, local_groups) = match rest.split_once('-') {
        Some((lrc, data_units)) if lrc == Codec::Lrc.name() => {
            (Codec::Lrc, units(data_units)?, Some(units(number_before)?))
        }
        _ => {
            let codec = Codec::OF_TWO_NUMBERS.into_iter().find(|known| known.name() == rest)?;
            (codec, units(number_before)?, None)
        }
    };
    Some(NameParts {
        codec,
        data_units,
        local_groups,
        last: units(last)?,
        cell_size: number(cell.strip_suffix('k')?)?.checked_mul(1024)?,
    })
}

/// A number as `Display` writes it: digits only, no sign, no zero before them.
fn number(digits: &str) -> Option<u64> {
    let canonical = digits == "0" || !digits.starts_with('0');
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    if canonical && plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn built_in_policies_have_hadoops_names_and_ids() {
        let names: Vec<String> =
            Policy::BUILT_IN.iter().map(|(id, policy)| format!("{id} {policy}")).collect();
        assert_eq!(
            names,
            [
                "1 RS-6-3-1024k",
                "2 RS-3-2-1024k",
                "3 RS-LEGACY-6-3-1024k",
                "4 XOR-2-1-1024k",
                "5 RS-10-4-1024k",
            ]
        );
        for &(id, policy) in Policy::BUILT_IN {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            assert_eq!((policy.id(), Policy::from_id(id)), (Some(id), Some(policy)));
            let Policy { codec, data_units, parity_units, cell_size, .. } = policy;
            assert_eq!(Policy::new(codec, data_units, parity_units, cell_size), Ok(policy));
        }
    }

    #[test]
    fn policies_of_codes_that_read_less_have_names_and_no_ids() {
        let names: Vec<String> = Policy::REPAIR_SAVING.iter().map(ToString::to_string).collect();
        let expected =
            ["HHXOR-6-3-1024k", "HHXOR-10-4-1024k", "LRC-6-2-2-1024k", "LRC-12-2-2-1024k"];
        assert_eq!(names, expected);
        for policy in Policy::REPAIR_SAVING {
            assert_eq!(policy.to_string().parse(), Ok(*policy));
            assert_eq!(policy.id(), None);
            let code = policy.code().unwrap();
            assert_eq!(code.data_units(), policy.data_units());
            assert_eq!(code.parity_units(), policy.parity_units());
        }
        assert!(matches!(
            Policy::new(Codec::Lrc, 12, 4, 1024),
            Err(Error::Invalid { what: "codec of a policy with two numbers of units", .. })
        ));
    }

    #[test]
    fn policies_that_users_add_have_no_id() {
        let policy: Policy = "RS-3-2-64k".parse().unwrap();
        assert_eq!((policy.cell_size(), policy.id()), (65_536, None));
        assert_eq!(Policy::from_id(0), None);
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_one() {
        for name in [
            "",
            "-",
            "RS",
            "RS-6-3",
            "RS-6-3-1024",
            "RS-6-3-1024K",
            "RS-6-3-k",
            "RS-6-3--1024k",
            "RS--3-1024k",
            "RS-+6-3-1024k",
            "RS-06-3-1024k",
            "RS-6-3-01024k",
            "RS-6-3-1024k ",
            " RS-6-3-1024k",
            "RS-6-3-1024kk",
            "rs-6-3-1024k",
            "Rs-6-3-1024k",
            "RS_LEGACY-6-3-1024k",
            "-6-3-1024k",
            "LRC-12-4-1024k",
            "LRC-012-2-2-1024k",
            "LRC-12-2-2-2-1024k",
            "LRC-12--2-1024k",
            "HHXOR-10-2-2-1024k",
            "HHXOR-1024k",
            "RS-6-3-1024k-6-3-1024k",
            "RS-٦-3-1024k",
            "RS-18446744073709551616-3-1024k",
            "RS-6-3-18446744073709551615k",
        ] {
            match name.parse::<Policy>() {
                Err(Error::Invalid { what: "policy name", got, expected }) => {
                    assert_eq!(&*got, name);
                    assert!(expected.contains("RS-6-3-1024k"));
                }
                other => panic!("{name:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn unit_counts_that_the_code_does_not_have_are_refused() {
        for name in [
            "RS-0-3-1024k",
            "RS-6-0-1024k",
            "RS-200-57-64k",
            "RS-LEGACY-200-56-64k",
            "HHXOR-120-9-64k",
            "LRC-0-2-2-64k",
            "LRC-12-2-0-64k",
            "LRC-250-5-2-64k",
        ] {
            let refused = name.parse::<Policy>();
            assert!(matches!(refused, Err(Error::UnitCounts { .. })), "{name}: {refused:?}");
        }
        assert_eq!(
            "XOR-2-2-1024k".parse::<Policy>(),
            Err(Error::ParityUnits { kind: "XOR", parity_units: 2, max_parity_units: 1 })
        );
        for name in ["HHXOR-6-1-64k", "HHXOR-2-4-64k", "LRC-12-0-2-64k", "LRC-2-3-2-64k"] {
            let refused = name.parse::<Policy>();
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{name}: {refused:?}");
        }
        for name in [
            "RS-200-56-64k",
            "RS-LEGACY-200-55-64k",
            "XOR-255-1-64k",
            "RS-1-1-1k",
            "HHXOR-120-8-64k",
            "HHXOR-1-2-1k",
            "LRC-14-2-2-64k",
            "LRC-20-4-1-64k",
        ] {
            assert_eq!(name.parse::<Policy>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn cells_that_hadoop_cannot_have_are_refused() {
        for name in ["RS-6-3-0k", "RS-6-3-2097152k", "RS-6-3-18014398509481983k"] {
            let refused = name.parse::<Policy>();
            assert!(
                matches!(refused, Err(Error::OutOfBounds { what: "cell size", .. })),
                "{name}: {refused:?}"
            );
        }
        for cell_size in [1, 1023, 1025, u64::MAX] {
            let refused = Policy::new(Codec::Rs, 6, 3, cell_size);
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(&cell_size.to_string()), "{message}");
            assert!(message.contains(&Policy::MAX_CELL_SIZE.to_string()), "{message}");
        }
        let largest: Policy = "RS-6-3-2097151k".parse().unwrap();
        assert_eq!(largest.cell_size(), Policy::MAX_CELL_SIZE);
    }
}
