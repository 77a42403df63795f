//! What a parity file says of itself, and where that stands in it.
//!
//! A parity file is the parity units of all groups, then its header, then a footer with the
//! header's length and digest. All of it can be written from the first byte to the last. The
//! header has what is needed to use the parity without a metastore: policy, lengths, the files with
//! who they were, their digests, and the checksums of every chunk of data and parity.
//!
//! Numbers are little-endian; texts and lists have their length before them.

use std::ops::Range;

use restripe::layout::Policy;

use crate::error::{Error, Result};
use crate::geometry::{self, Geometry};
use crate::identity::{Identity, join};

/// Bytes of the footer: length of the header, its BLAKE3 digest, and the magic number.
pub const FOOTER_LEN: u64 = 8 + 32 + 8;

const MAGIC: [u8; 8] = *b"RSPARITY";
const VERSION: u32 = 1;

/// A file as it was when its parity was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in the folder of the set.
    pub name: String,
    /// Who it was.
    pub identity: Identity,
    /// Where it begins in the stream.
    pub start: u64,
    /// BLAKE3 of its content.
    pub digest: [u8; 32],
}

impl Member {
    /// Its bytes of the stream.
    #[must_use]
    pub fn stream(&self) -> Range<u64> {
        self.start..self.start + self.identity.len
    }
}

/// The header of a parity file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// A number that is higher in parity files made later.
    pub sequence: u64,
    /// Policy by which it was made.
    pub policy: Policy,
    /// How the stream is cut.
    pub geometry: Geometry,
    /// The folder that the files were in.
    pub folder: String,
    /// Whose the files are.
    pub owner: String,
    /// The files, in the order of the stream.
    pub members: Vec<Member>,
    /// CRC-32C of the chunks of each member from its first byte on, one member behind the other;
    /// four bytes each, as HDFS writes them.
    pub data_sums: Vec<u8>,
    /// CRC-32C of the chunks of each parity unit, group by group.
    pub parity_sums: Vec<u8>,
}

impl Header {
    /// Path of a member as it was.
    #[must_use]
    pub fn path(&self, member: usize) -> String {
        join(&self.folder, &self.members[member].name)
    }

    /// Where the checksums of each member stand in [`data_sums`](Self::data_sums).
    #[must_use]
    pub fn sum_starts(&self) -> Vec<usize> {
        let lens = self.members.iter().scan(0, |at, member| {
            let start = *at;
            *at += self.geometry.sums_len(member.identity.len) as usize;
            Some(start)
        });
        lens.collect()
    }

    /// The header as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let sums = self.data_sums.len() + self.parity_sums.len();
        let mut bytes = Writer(Vec::with_capacity(sums + 100 * self.members.len() + 100));
        bytes.number(VERSION.into(), 4);
        bytes.number(self.sequence, 8);
        bytes.text(&self.policy.to_string());
        bytes.number(self.geometry.unit_len, 8);
        bytes.number(self.geometry.stream_len, 8);
        bytes.number(self.geometry.chunk_len, 8);
        bytes.text(&self.folder);
        bytes.text(&self.owner);
        bytes.number(self.members.len() as u64, 4);
        for Member { name, identity, start, digest } in &self.members {
            bytes.text(name);
            bytes.number(identity.device, 8);
            bytes.number(identity.inode, 8);
            bytes.number(identity.len, 8);
            bytes.number(identity.modified.cast_unsigned(), 8);
            bytes.text(&identity.version);
            bytes.number(*start, 8);
            bytes.0.extend_from_slice(digest);
        }
        bytes.0.extend_from_slice(&self.data_sums);
        bytes.0.extend_from_slice(&self.parity_sums);
        bytes.0
    }

    /// What follows the parity units: the header and the footer.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        let mut tail = self.to_bytes();
        let len = tail.len() as u64;
        let digest = blake3::hash(&tail);
        tail.extend_from_slice(&len.to_le_bytes());
        tail.extend_from_slice(digest.as_bytes());
        tail.extend_from_slice(&MAGIC);
        tail
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] with `path` for bytes that are none: every number is checked, nothing
    /// longer than the bytes themselves is allocated.
    pub fn from_bytes(bytes: &[u8], path: &str) -> Result<Self> {
        parse(bytes).map_err(|what| Error::Format { path: path.to_owned(), what })
    }

    /// Reads the header at the end of a parity file of `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] for a file that is none or has been damaged there, [`Error::Store`] where
    /// it cannot be read.
    pub fn read(source: &dyn crate::store::Source, len: u64, path: &str) -> Result<Self> {
        let wrong = |what| Error::Format { path: path.to_owned(), what };
        let read = |start: u64, len: u64| -> Result<Vec<u8>> {
            let mut bytes = vec![0; usize::try_from(len).map_err(|_| wrong("it is too long"))?];
            let got = source.read_at(&mut bytes, start).map_err(Error::store("read", path))?;
            if got < bytes.len() { Err(wrong("it ends too early")) } else { Ok(bytes) }
        };
        let start = len.checked_sub(FOOTER_LEN).ok_or_else(|| wrong("it is too short"))?;
        let footer = read(start, FOOTER_LEN)?;
        if footer[40..] != MAGIC {
            return Err(wrong("its last bytes are not those of a parity file"));
        }
        let header_len = u64::from_le_bytes(footer[..8].try_into().unwrap_or_default());
        let header_start = start
            .checked_sub(header_len)
            .ok_or_else(|| wrong("its header is longer than the file"))?;
        let bytes = read(header_start, header_len)?;
        if blake3::hash(&bytes).as_bytes()[..] != footer[8..40] {
            return Err(wrong("its header does not have its digest"));
        }
        let header = Self::from_bytes(&bytes, path)?;
        if header.geometry.parity_len() != header_start {
            return Err(wrong("it does not have the length of its parity"));
        }
        Ok(header)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64, bytes: usize) {
        self.0.extend_from_slice(&number.to_le_bytes()[..bytes]);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64, 4);
        self.0.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: u64) -> std::result::Result<&'a [u8], &'static str> {
        let ends = "its header ends too early";
        let len = usize::try_from(len).map_err(|_| ends)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(ends)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn number(&mut self, len: usize) -> std::result::Result<u64, &'static str> {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(self.bytes(len as u64)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn text(&mut self) -> std::result::Result<String, &'static str> {
        let len = self.number(4)?;
        let text = std::str::from_utf8(self.bytes(len)?).map_err(|_| "a text is not UTF-8")?;
        Ok(text.to_owned())
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<Header, &'static str> {
    let mut reader = Reader(bytes);
    if reader.number(4)? != u64::from(VERSION) {
        return Err("it was made by a later release");
    }
    let sequence = reader.number(8)?;
    let policy: Policy = reader.text()?.parse().map_err(|_| "its policy is none")?;
    let code = policy.code().map_err(|_| "its policy has no code")?;
    let geometry = Geometry {
        data_units: policy.data_units(),
        parity_units: policy.parity_units(),
        sub_shards: restripe::ErasureCode::sub_shards(&code) as u64,
        unit_len: reader.number(8)?,
        stream_len: reader.number(8)?,
        chunk_len: reader.number(8)?,
    };
    geometry::check(&geometry)?;
    let (folder, owner) = (reader.text()?, reader.text()?);
    let count = reader.number(4)?;
    let (mut members, mut end, mut sums) = (Vec::new(), 0, 0);
    for _ in 0..count {
        let name = reader.text()?;
        let identity = Identity {
            device: reader.number(8)?,
            inode: reader.number(8)?,
            len: reader.number(8)?,
            modified: reader.number(8)?.cast_signed(),
            version: reader.text()?,
        };
        let start = reader.number(8)?;
        let digest = reader.bytes(32)?.try_into().map_err(|_| "a digest is too short")?;
        if start != end || identity.len > geometry.stream_len - end {
            return Err("its files do not follow each other");
        }
        if name.is_empty() || name.contains('/') || name == ".." || name == "." {
            return Err("one of its files has a name that none can have");
        }
        end += identity.len;
        sums += geometry.sums_len(identity.len);
        members.push(Member { name, identity, start, digest });
    }
    if end != geometry.stream_len {
        return Err("its files are not as long as its data");
    }
    if members.len() > 1 && geometry.groups() > 1 {
        return Err("it has several files and several groups");
    }
    if folder.split('/').any(|name| name == "..") || folder.starts_with('/') {
        return Err("its folder lies elsewhere");
    }
    let data_sums = reader.bytes(sums)?.to_vec();
    let parity_sums = reader.bytes(geometry.parity_sums_len())?.to_vec();
    if !reader.0.is_empty() {
        return Err("its header is too long");
    }
    Ok(Header { sequence, policy, geometry, folder, owner, members, data_sums, parity_sums })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let policy: Policy = "RS-3-2-4k".parse().unwrap();
        let geometry = Geometry {
            data_units: 3,
            parity_units: 2,
            sub_shards: 1,
            unit_len: 4096,
            stream_len: 12_000,
            chunk_len: 4096,
        };
        let member = |name: &str, len, start, number| Member {
            name: name.to_owned(),
            identity: Identity { device: 1, inode: number, len, modified: -5, version: "v".into() },
            start,
            digest: [number as u8; 32],
        };
        Header {
            sequence: 7,
            policy,
            geometry,
            folder: "a/b".to_owned(),
            owner: "1000".to_owned(),
            members: vec![
                member("x", 5000, 0, 3),
                member("y", 0, 5000, 4),
                member("z", 7000, 5000, 5),
            ],
            data_sums: (0..16).collect(),
            parity_sums: (0..8).collect(),
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = header();
        assert_eq!(Header::from_bytes(&header.to_bytes(), "p").unwrap(), header);
        assert_eq!(header.sum_starts(), [0, 8, 8]);
        assert_eq!(header.path(2), "a/b/z");
    }

    #[test]
    fn a_header_that_was_cut_or_changed_is_refused_or_read_without_a_panic() {
        let bytes = header().to_bytes();
        for len in 0..bytes.len() {
            assert!(Header::from_bytes(&bytes[..len], "p").is_err(), "{len}");
        }
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                if let Ok(header) = Header::from_bytes(&bytes, "p") {
                    assert_eq!(header.to_bytes(), bytes);
                }
            }
        }
    }

    struct Bytes(Vec<u8>);

    impl crate::store::Source for Bytes {
        fn identity(&self) -> Result<Identity> {
            Ok(Identity::default())
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
            let rest = self.0.get(offset as usize..).unwrap_or_default();
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        }
    }

    #[test]
    fn damage_anywhere_in_the_tail_of_a_parity_file_is_noticed() {
        let header = header();
        let mut file = vec![9; header.geometry.parity_len() as usize];
        let parity = file.len();
        file.extend(header.tail());
        let read = |file: Vec<u8>| {
            let len = file.len() as u64;
            Header::read(&Bytes(file), len, "p")
        };
        assert_eq!(read(file.clone()).unwrap(), header);
        for at in parity..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 4;
            assert!(read(damaged).is_err(), "{at}");
            assert!(read(file[..at].to_vec()).is_err(), "{at}");
        }
        assert!(read(file[1..].to_vec()).is_err());
    }
}
