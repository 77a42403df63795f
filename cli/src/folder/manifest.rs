//! The manifest: what an own folder holds, and the digests that prove a block to be the one that
//! was written.
//!
//! The manifest is the one file of a folder that no other can rebuild, and a wrong size in it
//! would make every block look too long: so it carries a checksum of itself. Its digests of the
//! `.meta` files tell a block of another encode, or one that changed places with another, whose
//! own sums agree, from the right one.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What the field `format` says.
const FORMAT: &str = "restripe";

/// The version that is written, and the newest that is read.
pub const VERSION: u64 = 1;

/// The field that holds the manifest's own checksum.
const CHECK: &str = "check";

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// One block group in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestGroup {
    /// Bytes of the file in this group.
    pub len: u64,
    /// SHA-256 of each unit's `.meta` file; `None` for a data unit of length 0, which has no file.
    pub meta_sha256: Vec<Option<Sha256Digest>>,
}

/// What an own folder holds.
///
/// Fields that this version does not know are kept as they are when a manifest is read and
/// written again.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Name of the file that was encoded, without its folder; `None` if it was a pipe.
    pub name: Option<String>,
    /// Bytes of the file that was encoded.
    pub size: u64,
    /// SHA-256 of the file that was encoded.
    pub sha256: Sha256Digest,
    /// Name of the erasure-coding policy, as Hadoop writes it: `RS-6-3-1024k`.
    pub policy: String,
    /// Bytes of an internal block of a full group.
    pub block_size: u64,
    /// Name of the kind of checksum in the `.meta` files.
    pub checksum: String,
    /// Bytes under one checksum.
    pub bytes_per_checksum: u64,
    /// The block groups, in order.
    pub groups: Vec<ManifestGroup>,
    /// Everything that was in the manifest when it was read, known fields too.
    document: Map<String, Value>,
}

/// Why bytes are not a manifest.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// JSON of something else.
    #[error("the field \"format\" is not \"{FORMAT}\"")]
    OtherFormat,
    /// Written by a newer release, in a form that this one does not know.
    #[error("version {0} of the format; this release reads versions up to {VERSION}")]
    Newer(u64),
    /// The manifest's own checksum does not fit its content.
    #[error("damaged: its checksum is {found}, its content has {computed}")]
    Damaged {
        /// What the manifest says.
        found: String,
        /// What it should say.
        computed: String,
    },
    /// A field is missing or has a value that it cannot have.
    #[error("field {field:?} is missing or has an impossible value")]
    Field {
        /// Which.
        field: &'static str,
    },
}

impl Manifest {
    /// A manifest of a folder just encoded.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "one argument a field, called once")]
    pub fn new(
        name: Option<String>,
        size: u64,
        sha256: Sha256Digest,
        policy: String,
        block_size: u64,
        checksum: String,
        bytes_per_checksum: u64,
        groups: Vec<ManifestGroup>,
    ) -> Self {
        let document = Map::new();
        Self {
            name,
            size,
            sha256,
            policy,
            block_size,
            checksum,
            bytes_per_checksum,
            groups,
            document,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestError`]: the version is looked at before anything else, so that a newer
    /// manifest is called that, whatever else it has.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let document: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| ManifestError::NotJson(error.to_string()))?;
        if document.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(ManifestError::OtherFormat);
        }
        let version = number(&document, "version")?;
        if version > VERSION {
            return Err(ManifestError::Newer(version));
        }
        let found = text(&document, CHECK)?.to_owned();
        let computed = check(&document);
        if found != computed {
            return Err(ManifestError::Damaged { found, computed });
        }
        let name = match document.get("name") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(ManifestError::Field { field: "name" }),
        };
        let groups = document
            .get("groups")
            .and_then(Value::as_array)
            .ok_or(ManifestError::Field { field: "groups" })?;
        Ok(Self {
            name,
            size: number(&document, "size")?,
            sha256: digest(document.get("sha256"))
                .ok_or(ManifestError::Field { field: "sha256" })?,
            policy: text(&document, "policy")?.to_owned(),
            block_size: number(&document, "block_size")?,
            checksum: text(&document, "checksum")?.to_owned(),
            bytes_per_checksum: number(&document, "bytes_per_checksum")?,
            groups: groups.iter().map(parse_group).collect::<Result<_, _>>()?,
            document,
        })
    }

    /// The manifest as a file: JSON, one field a line, ending in a newline.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut document = self.document.clone();
        let mut set = |field: &str, value: Value| document.insert(field.to_owned(), value);
        set("format", FORMAT.into());
        set("version", VERSION.into());
        set("name", self.name.clone().into());
        set("size", self.size.into());
        set("sha256", hex(&self.sha256).into());
        set("policy", self.policy.clone().into());
        set("block_size", self.block_size.into());
        set("checksum", self.checksum.clone().into());
        set("bytes_per_checksum", self.bytes_per_checksum.into());
        let known = document.get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
        let groups = self.groups.iter().enumerate().map(|(index, group)| {
            let mut object =
                known.get(index).and_then(Value::as_object).cloned().unwrap_or_default();
            object.insert("len".to_owned(), group.len.into());
            let digests =
                group.meta_sha256.iter().map(|digest| digest.as_ref().map(|digest| hex(digest)));
            object.insert("meta_sha256".to_owned(), digests.collect::<Vec<_>>().into());
            Value::Object(object)
        });
        let groups = groups.collect();
        document.insert("groups".to_owned(), groups);
        let check = check(&document);
        document.insert(CHECK.to_owned(), check.into());
        let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// SHA-256 of the document without its checksum field, fields sorted, no white space: so it
/// stays right when the file is only laid out anew.
fn check(document: &Map<String, Value>) -> String {
    let mut document = document.clone();
    document.remove(CHECK);
    let canonical = serde_json::to_vec(&document).unwrap_or_default();
    format!("sha256:{}", hex(&Sha256::digest(canonical)))
}

fn number(document: &Map<String, Value>, field: &'static str) -> Result<u64, ManifestError> {
    document.get(field).and_then(Value::as_u64).ok_or(ManifestError::Field { field })
}

fn text<'a>(
    document: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a str, ManifestError> {
    document.get(field).and_then(Value::as_str).ok_or(ManifestError::Field { field })
}

fn parse_group(group: &Value) -> Result<ManifestGroup, ManifestError> {
    let error = || ManifestError::Field { field: "groups" };
    let len = group.get("len").and_then(Value::as_u64).ok_or_else(error)?;
    let digests = group.get("meta_sha256").and_then(Value::as_array).ok_or_else(error)?;
    let meta_sha256 = digests
        .iter()
        .map(|value| match value {
            Value::Null => Ok(None),
            value => digest(Some(value)).map(Some).ok_or_else(error),
        })
        .collect::<Result<_, _>>()?;
    Ok(ManifestGroup { len, meta_sha256 })
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn digest(value: Option<&Value>) -> Option<Sha256Digest> {
    let text = value?.as_str()?.as_bytes();
    let mut digest = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        *byte = (nibble(pair[0])? * 16 + nibble(pair[1])?) as u8;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        Manifest::new(
            Some("photos.tar".to_owned()),
            100,
            [7; 32],
            "RS-3-2-64k".to_owned(),
            1 << 20,
            "CRC32C".to_owned(),
            512,
            vec![ManifestGroup {
                len: 100,
                meta_sha256: vec![Some([1; 32]), None, Some([0xAB; 32])],
            }],
        )
    }

    fn with(change: impl FnOnce(&mut Map<String, Value>)) -> Vec<u8> {
        let mut document: Map<String, Value> =
            serde_json::from_slice(&example().to_bytes()).unwrap();
        change(&mut document);
        let check = check(&document);
        document.insert(CHECK.to_owned(), check.into());
        serde_json::to_vec(&document).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let read = Manifest::parse(&example().to_bytes()).unwrap();
        assert_eq!(read.to_bytes(), example().to_bytes());
        assert_eq!(read.groups, example().groups);
        assert_eq!((read.name, read.size), (example().name, 100));
    }

    #[test]
    fn unknown_fields_are_kept_in_the_document_and_in_its_groups() {
        let bytes = with(|document| {
            document.insert("colour".to_owned(), "blue".into());
            document.insert("ratio".to_owned(), serde_json::json!([0.1, 1e300]));
            document["groups"][0]["note"] = "kept".into();
        });
        let again = Manifest::parse(&bytes).unwrap().to_bytes();
        let again: Map<String, Value> = serde_json::from_slice(&again).unwrap();
        let first: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(again, first);
    }

    #[test]
    fn every_changed_character_of_a_value_is_noticed() {
        let bytes = example().to_bytes();
        let good = Manifest::parse(&bytes).unwrap();
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            if let Ok(read) = Manifest::parse(&damaged) {
                assert_eq!(read.to_bytes(), good.to_bytes(), "byte {index}");
            }
        }
        for len in 0..bytes.len() - 2 {
            assert!(Manifest::parse(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_manifest_laid_out_anew_is_still_right() {
        let document: Value = serde_json::from_slice(&example().to_bytes()).unwrap();
        assert!(Manifest::parse(document.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn a_newer_version_is_called_newer_whatever_else_it_has() {
        let bytes = br#"{"format":"restripe","version":2,"shape":"round"}"#;
        assert_eq!(Manifest::parse(bytes), Err(ManifestError::Newer(2)));
    }

    #[test]
    fn other_files_and_impossible_fields_are_refused_by_name() {
        assert_eq!(Manifest::parse(b"{}"), Err(ManifestError::OtherFormat));
        assert!(matches!(Manifest::parse(b"[1]"), Err(ManifestError::NotJson(_))));
        for (field, value) in [
            ("name", serde_json::json!(1)),
            ("size", serde_json::json!(-1)),
            ("size", serde_json::json!(1.5)),
            ("sha256", serde_json::json!("00")),
            ("sha256", serde_json::json!("é".repeat(32))),
            ("policy", Value::Null),
            ("groups", serde_json::json!([{"len": 1}])),
            ("groups", serde_json::json!({})),
        ] {
            let bytes = with(|document| {
                document.insert(field.to_owned(), value);
            });
            assert_eq!(Manifest::parse(&bytes), Err(ManifestError::Field { field }), "{field}");
        }
    }
}
