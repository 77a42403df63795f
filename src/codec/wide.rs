//! More than 256 shards: Reed-Solomon over GF(2^16), by the crate reed-solomon-simd.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use super::Consistency;
use super::plan::{check_count, check_length};
use crate::{Error, Result};

/// Reed-Solomon for up to 65,536 shards, over GF(2^16).
///
/// The arithmetic is that of the crate reed-solomon-simd (Leopard-RS), O(n log n) in the number
/// of shards; its bytes agree with no code over GF(2^8). The crate chooses its own instruction
/// set: `RESTRIPE_KERNEL` does not count here. A symbol has two bytes, so data of an odd length
/// has parity one byte longer: [`parity_len`](Self::parity_len).
///
/// Its bytes are those of reed-solomon-simd 3; should a later version of that crate compute
/// others, this type keeps to version 3.
///
/// It is not an [`ErasureCode`](crate::ErasureCode): it has no plans, no update of one data unit
/// and no location of wrong shards.
///
/// ```
/// use restripe::WideReedSolomon;
///
/// let code = WideReedSolomon::new(300, 20)?;
/// let data: Vec<Vec<u8>> = (0..300u32).map(|unit| unit.to_be_bytes()[1..].to_vec()).collect();
/// let mut parity = vec![vec![0; code.parity_len(3)]; 20];
/// code.encode(&data, &mut parity)?;
///
/// let mut shards: Vec<Option<Vec<u8>>> = data.iter().chain(&parity).cloned().map(Some).collect();
/// shards[17] = None;
/// shards[305] = None;
/// code.reconstruct(&mut shards, 3)?;
/// assert_eq!(shards[17].as_ref(), Some(&data[17]));
/// assert_eq!(shards[305].as_ref(), Some(&parity[5]));
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WideReedSolomon {
    data_units: usize,
    parity_units: usize,
}

impl WideReedSolomon {
    /// The code of `data_units` and `parity_units`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for counts that reed-solomon-simd does not support: none of either, or
    /// together more than 65,536 once the smaller is rounded up to a power of two.
    pub fn new(data_units: usize, parity_units: usize) -> Result<Self> {
        if !ReedSolomonEncoder::supports(data_units, parity_units) {
            return Err(Error::Invalid {
                what: "wide code of data and parity units",
                got: format!("{data_units} and {parity_units}").into(),
                expected: "at least one of each, and together at most 65536 once the smaller \
                    count is rounded up to a power of two",
            });
        }
        Ok(Self { data_units, parity_units })
    }

    /// Data units: k.
    #[must_use]
    pub fn data_units(&self) -> usize {
        self.data_units
    }

    /// Parity units: m.
    #[must_use]
    pub fn parity_units(&self) -> usize {
        self.parity_units
    }

    /// The length of a parity shard for data shards of `shard_len` bytes: the next even number,
    /// if there is one.
    #[must_use]
    pub fn parity_len(&self, shard_len: usize) -> usize {
        shard_len.saturating_add(shard_len % 2)
    }

    /// Computes all parity shards, each of [`parity_len`](Self::parity_len) of the longest data
    /// shard. A shorter data shard counts as continued with zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] and [`Error::Length`] where the shards are not so.
    pub fn encode<D: AsRef<[u8]>, P: AsMut<[u8]>>(
        &self,
        data: &[D],
        parity: &mut [P],
    ) -> Result<()> {
        check_count("data shards", self.data_units, data.len())?;
        check_count("parity shards", self.parity_units, parity.len())?;
        let longest = data.iter().map(|shard| shard.as_ref().len()).max().unwrap_or(0);
        let len = self.parity_len(longest);
        for (index, shard) in parity.iter_mut().enumerate() {
            check_length("parity shard", index, len, shard.as_mut().len())?;
        }
        self.encode_len(data, parity, len)
    }

    /// Puts back every shard that is `None`: data shards with `shard_len` bytes, parity shards
    /// with [`parity_len`](Self::parity_len) of it. `shard_len` is the length of the longest data
    /// shard that was encoded.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for another number of shards, [`Error::Length`] for a data shard longer
    /// than `shard_len` or a parity shard of another length than its own,
    /// [`Error::Invalid`] for a `shard_len` that no memory can have, [`Error::TooFewUnits`] for
    /// fewer than k shards; all shards are then as they were.
    pub fn reconstruct(&self, shards: &mut [Option<Vec<u8>>], shard_len: usize) -> Result<()> {
        let lost = self.check_shards(shards, shard_len)?;
        let len = self.parity_len(shard_len);
        if lost == 0 {
            return Ok(());
        }
        if len == 0 {
            shards.iter_mut().for_each(|shard| *shard = Some(Vec::new()));
            return Ok(());
        }
        let (data, parity) = shards.split_at_mut(self.data_units);
        if data.iter().any(Option::is_none) {
            let mut decoder = ReedSolomonDecoder::new(self.data_units, self.parity_units, len)
                .map_err(refused)?;
            for (index, shard) in data.iter().enumerate() {
                if let Some(shard) = shard {
                    with_len(shard, len, |shard| decoder.add_original_shard(index, shard))
                        .map_err(refused)?;
                }
            }
            for (index, shard) in parity.iter().enumerate() {
                if let Some(shard) = shard {
                    decoder.add_recovery_shard(index, shard).map_err(refused)?;
                }
            }
            let result = decoder.decode().map_err(refused)?;
            for (index, shard) in result.restored_original_iter() {
                data[index] = Some(shard[..shard_len].to_vec());
            }
        }
        if parity.iter().any(Option::is_none) {
            let data: Vec<&[u8]> = data.iter().flatten().map(Vec::as_slice).collect();
            let computed = self.parity_of(&data, shard_len)?;
            for (shard, computed) in parity.iter_mut().zip(computed) {
                shard.get_or_insert(computed);
            }
        }
        Ok(())
    }

    /// Whether the shards agree with each other; what is not there is rebuilt to see.
    ///
    /// # Errors
    ///
    /// As [`reconstruct`](Self::reconstruct).
    pub fn verify<S: AsRef<[u8]>>(
        &self,
        shards: &[Option<S>],
        shard_len: usize,
    ) -> Result<Consistency> {
        let lost = self.check_shards(shards, shard_len)?;
        if lost == self.parity_units {
            return Ok(Consistency::NothingToCheck);
        }
        // The decoder takes what parity shards it needs; only the encoding of the data that it
        // gives back tells whether all of them agree.
        let rebuilt: Vec<Option<Vec<u8>>>;
        let data: Vec<&[u8]> = if shards[..self.data_units].iter().all(Option::is_some) {
            shards[..self.data_units].iter().flatten().map(AsRef::as_ref).collect()
        } else {
            let mut copies: Vec<Option<Vec<u8>>> =
                shards.iter().map(|shard| shard.as_ref().map(|s| s.as_ref().to_vec())).collect();
            self.reconstruct(&mut copies, shard_len)?;
            rebuilt = copies;
            rebuilt[..self.data_units].iter().flatten().map(Vec::as_slice).collect()
        };
        let computed = self.parity_of(&data, shard_len)?;
        let agrees = shards[self.data_units..]
            .iter()
            .zip(&computed)
            .all(|(shard, computed)| shard.as_ref().is_none_or(|s| s.as_ref() == computed));
        Ok(if agrees { Consistency::Consistent } else { Consistency::Inconsistent })
    }

    fn parity_of(&self, data: &[&[u8]], shard_len: usize) -> Result<Vec<Vec<u8>>> {
        let len = self.parity_len(shard_len);
        let mut parity = alloc::vec![alloc::vec![0; len]; self.parity_units];
        self.encode_len(data, &mut parity, len)?;
        Ok(parity)
    }

    /// Encodes shards of `len` bytes, an even number. The length is part of the code: which two
    /// bytes are a symbol depends on it.
    fn encode_len<D: AsRef<[u8]>, P: AsMut<[u8]>>(
        &self,
        data: &[D],
        parity: &mut [P],
        len: usize,
    ) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        let mut encoder =
            ReedSolomonEncoder::new(self.data_units, self.parity_units, len).map_err(refused)?;
        for shard in data {
            with_len(shard.as_ref(), len, |shard| encoder.add_original_shard(shard))
                .map_err(refused)?;
        }
        let result = encoder.encode().map_err(refused)?;
        for (target, computed) in parity.iter_mut().zip(result.recovery_iter()) {
            target.as_mut().copy_from_slice(computed);
        }
        Ok(())
    }

    /// Checks counts and lengths; how many shards are missing.
    fn check_shards<S: AsRef<[u8]>>(
        &self,
        shards: &[Option<S>],
        shard_len: usize,
    ) -> Result<usize> {
        check_count("shards", self.data_units + self.parity_units, shards.len())?;
        if self.parity_len(shard_len) > isize::MAX as usize {
            return Err(Error::Invalid {
                what: "shard length",
                got: shard_len.to_string().into(),
                expected: "one that memory can have",
            });
        }
        for (index, shard) in shards.iter().enumerate() {
            let Some(got) = shard.as_ref().map(|shard| shard.as_ref().len()) else { continue };
            if index >= self.data_units {
                check_length("parity shard of unit", index, self.parity_len(shard_len), got)?;
            } else if got > shard_len {
                check_length("data shard", index, shard_len, got)?;
            }
        }
        let available = shards.iter().flatten().count();
        if available < self.data_units {
            return Err(Error::TooFewUnits { required: self.data_units, available });
        }
        Ok(shards.len() - available)
    }
}

/// Calls `take` with the shard continued with zeros to `len` bytes; copied only where it is
/// shorter.
fn with_len<T>(shard: &[u8], len: usize, take: impl FnOnce(&[u8]) -> T) -> T {
    if shard.len() == len {
        return take(shard);
    }
    let mut padded = alloc::vec![0; len];
    padded[..shard.len()].copy_from_slice(shard);
    take(&padded)
}

/// What reed-solomon-simd refused although its conditions were checked before.
fn refused(error: reed_solomon_simd::Error) -> Error {
    Error::Invalid {
        what: "call of reed-solomon-simd",
        got: error.to_string().into(),
        expected: "counts and lengths that it supports",
    }
}
