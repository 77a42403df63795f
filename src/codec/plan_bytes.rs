//! Plans as bytes: to be computed on one machine and carried out on another.
//!
//! All integers are big-endian and 16 bits wide unless said otherwise.
//!
//! | field | |
//! |---|---|
//! | magic | `RSPL`, then the version (1) and the matrix kind's number, a byte each |
//! | code | data units, parity units, sub-shards |
//! | reads | count, then unit, first sub-shard and number of sub-shards of each |
//! | outputs | count, then the units |
//! | scratch | count of scratch buffers |
//! | steps | count, then of each: count of sources, sources, count of targets, targets, and a byte for every coefficient, row by row |
//! | sum | CRC32C of all before it, 32 bits |

use alloc::vec::Vec;

use super::plan::{PlanCode, PlanStep};
use super::{MAX_UNITS, MatrixKind, Plan, Read};
use crate::checksum;
use crate::gf8::Matrix;
use crate::{Error, KernelId, Result};

const MAGIC: &[u8; 4] = b"RSPL";
const VERSION: u8 = 1;

impl Plan {
    /// The plan as bytes, the same on every machine; the kernel is not part of them.
    ///
    /// They begin with a version, and every later version of this crate reads those of earlier
    /// ones. Their checksum finds damage, not malice: a plan from somebody who is not trusted
    /// computes what they like (though nothing outside its buffers).
    ///
    /// ```
    /// use restripe::{ErasureCode, Plan, ReedSolomon};
    /// let plan = ReedSolomon::new(6, 3)?.plan(&[0, 1, 2, 3, 4, 8], &[5])?;
    /// let bytes = plan.to_bytes();
    /// assert_eq!(Plan::from_bytes(&bytes)?, *plan);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[VERSION, self.code.kind.id()]);
        let mut put = |number: usize| bytes.extend_from_slice(&(number as u16).to_be_bytes());
        put(self.code.data_units);
        put(self.code.parity_units);
        put(self.code.sub_shards);
        put(self.reads.len());
        for read in &self.reads {
            put(read.unit);
            put(read.first_sub);
            put(read.count);
        }
        put(self.outputs.len());
        self.outputs.iter().for_each(|&unit| put(unit));
        put(self.scratch);
        put(self.steps.len());
        for step in &self.steps {
            let mut put = |number: usize| bytes.extend_from_slice(&(number as u16).to_be_bytes());
            for list in [&step.sources, &step.targets] {
                put(list.len());
                list.iter().for_each(|&buffer| put(usize::from(buffer)));
            }
            step.coefficients.iter_rows().for_each(|row| bytes.extend_from_slice(row));
        }
        let sum = checksum::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// The plan that [`to_bytes`](Self::to_bytes) wrote, to run on the selected kernel.
    ///
    /// # Errors
    ///
    /// [`Error::PlanBytes`] for anything else, with the offset; [`Error::KernelUnavailable`]
    /// as [`KernelId::selected`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let body = bytes.len().saturating_sub(4);
        let mut reader = Reader { bytes: &bytes[..body], offset: 0 };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(Error::PlanBytes { offset: 0, reason: "it does not begin with RSPL" });
        }
        reader.require(
            checksum::crc32c(&bytes[..body]).to_be_bytes() == bytes[body..],
            "the checksum at its end is not that of its bytes",
        )?;
        let version = reader.take(1)?[0];
        reader.require(version == VERSION, "its version is not known")?;
        let kind = MatrixKind::from_id(reader.take(1)?[0]);
        let kind = kind.ok_or(reader.error("its kind of matrix is not known"))?;
        let code = PlanCode {
            kind,
            data_units: reader.number()?,
            parity_units: reader.number()?,
            sub_shards: reader.number()?,
        };
        let units = code.data_units + code.parity_units;
        reader.require(
            code.data_units > 0 && code.parity_units > 0 && units <= MAX_UNITS,
            "its unit counts are those of no code",
        )?;
        reader.require(code.sub_shards > 0, "its shards have no sub-shards")?;
        let mut reads = Vec::new();
        for _ in 0..reader.number()? {
            let read = Read {
                unit: reader.number()?,
                first_sub: reader.number()?,
                count: reader.number()?,
            };
            let fits = read.count > 0 && read.first_sub + read.count <= code.sub_shards;
            reader.require(read.unit < units && fits, "it reads what no unit has")?;
            reads.push(read);
        }
        let mut outputs: Vec<usize> = Vec::new();
        for _ in 0..reader.number()? {
            let unit = reader.number()?;
            reader.require(unit < units, "it computes a unit that the code lacks")?;
            reader.require(!outputs.contains(&unit), "it computes a unit twice")?;
            outputs.push(unit);
        }
        let scratch = reader.number()?;
        let mut steps = Vec::new();
        for _ in 0..reader.number()? {
            let sources = reader.list()?;
            let targets = reader.list()?;
            let coefficients = reader.take(sources.len() * targets.len())?;
            steps.push(PlanStep {
                coefficients: Matrix::from_fn(targets.len(), sources.len(), |row, column| {
                    coefficients[row * sources.len() + column]
                }),
                sources,
                targets,
            });
        }
        reader.require(reader.offset == body, "bytes are left over")?;
        Self::from_steps(code, KernelId::selected()?, reads, outputs, scratch, steps)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, reason: &'static str) -> Error {
        Error::PlanBytes { offset: self.offset, reason }
    }

    fn require(&self, condition: bool, reason: &'static str) -> Result<()> {
        if condition { Ok(()) } else { Err(self.error(reason)) }
    }

    /// The next `len` bytes. Nothing is allocated for bytes that are not there.
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let taken = self.bytes.get(self.offset..).and_then(|rest| rest.get(..len));
        let taken = taken.ok_or(self.error("it ends too early"))?;
        self.offset += len;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize> {
        let bytes = self.take(2)?;
        Ok(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    }

    fn list(&mut self) -> Result<Vec<u16>> {
        let count = self.number()?;
        let bytes = self.take(2 * count)?;
        Ok(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
    }
}
