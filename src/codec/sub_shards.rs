//! Shards as lists of their sub-shards: what codes with such do over the code of these.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::encode::check_parity;
use super::plan::check_length;
use super::shards::{check_present, longest, part};
use super::{Consistency, ErasureCode, Read, self_check, syndromes};
use crate::{Error, Result};

/// The code of the sub-shards. Only for codes that have some.
fn inner(code: &impl ErasureCode) -> Result<Arc<dyn ErasureCode>> {
    code.over_sub_shards().ok_or(Error::Invalid {
        what: "code",
        got: "without sub-shards".into(),
        expected: "one that has them",
    })
}

/// The bytes of a shard that a plan reads.
pub(super) fn read_part<'a>(shard: &'a [u8], read: &Read, sub_len: usize) -> &'a [u8] {
    part(shard, read.first_sub * sub_len, (read.first_sub + read.count) * sub_len)
}

/// The sub-shards of a shard, those past its end empty.
fn split(shard: &[u8], subs: usize, sub_len: usize) -> impl Iterator<Item = &[u8]> {
    (0..subs).map(move |sub| part(shard, sub * sub_len, (sub + 1) * sub_len))
}

/// The sub-shards of shards that have all of them.
fn split_mut<P: AsMut<[u8]>>(shards: &mut [P], subs: usize) -> Vec<&mut [u8]> {
    let mut list = Vec::with_capacity(shards.len() * subs);
    for shard in shards {
        let shard = shard.as_mut();
        let sub_len = shard.len() / subs;
        let mut rest = shard;
        for _ in 0..subs {
            let (sub_shard, others) = rest.split_at_mut(sub_len);
            list.push(sub_shard);
            rest = others;
        }
    }
    list
}

pub(super) fn verify<S: AsRef<[u8]>>(
    code: &impl ErasureCode,
    shards: &[Option<S>],
) -> Result<Consistency> {
    check_present(code, shards)?;
    let subs = code.sub_shards();
    let sub_len = longest(shards).div_ceil(subs);
    let mut sub_shards: Vec<Option<&[u8]>> = Vec::with_capacity(shards.len() * subs);
    for shard in shards {
        match shard {
            Some(shard) => sub_shards.extend(split(shard.as_ref(), subs, sub_len).map(Some)),
            None => sub_shards.extend((0..subs).map(|_| None)),
        }
    }
    syndromes::verify(&inner(code)?, &sub_shards)
}

pub(super) fn encode_verified<D: AsRef<[u8]>, P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    data: &[D],
    parity: &mut [P],
    seed: u64,
) -> Result<()> {
    super::encode::check(code, data, parity)?;
    let subs = code.sub_shards();
    let sub_len = parity.first_mut().map_or(0, |shard| shard.as_mut().len()) / subs;
    let data: Vec<&[u8]> =
        data.iter().flat_map(|shard| split(shard.as_ref(), subs, sub_len)).collect();
    self_check::encode_verified(&inner(code)?, &data, &mut split_mut(parity, subs), seed)
}

/// `old` and `new` are whole shards here, so that it is known which sub-shard a byte is of. The
/// caller has checked `unit` and the number of parity shards.
pub(super) fn update<P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    unit: usize,
    old: &[u8],
    new: &[u8],
    parity: &mut [P],
) -> Result<()> {
    let subs = code.sub_shards();
    let len = parity.first_mut().map_or(0, |shard| shard.as_mut().len());
    check_parity(parity, len)?;
    check_length("parity shard", 0, len.next_multiple_of(subs), len)?;
    for shard in [old, new] {
        if shard.len() > len {
            return Err(Error::TooLong {
                what: "data shard",
                index: unit,
                most: len,
                got: shard.len(),
            });
        }
    }
    let sub_len = len / subs;
    let inner = inner(code)?;
    let mut parity = split_mut(parity, subs);
    for (sub, (old, new)) in split(old, subs, sub_len).zip(split(new, subs, sub_len)).enumerate() {
        // Past both nothing changes.
        let longest = old.len().max(new.len());
        super::encode::update(
            &inner,
            unit * subs + sub,
            old,
            new,
            &mut firsts(&mut parity, longest),
        )?;
    }
    Ok(())
}

/// The first `len` bytes of every buffer.
fn firsts<'a>(buffers: &'a mut [&mut [u8]], len: usize) -> Vec<&'a mut [u8]> {
    buffers.iter_mut().map(|buffer| &mut buffer[..len]).collect()
}
