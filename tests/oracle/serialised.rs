//! Serialised plans written by hand, field by field, as `Plan::to_bytes` documents them: the only
//! way to a plan that no code of this crate makes.

use restripe::gf8::Matrix;

use super::crc32c;

/// One step: a row of coefficients for every target, a column for every source.
#[derive(Clone, Debug)]
pub struct Step {
    pub sources: Vec<u16>,
    pub targets: Vec<u16>,
    pub coefficients: Vec<u8>,
}

impl Step {
    pub fn new(sources: &[u16], targets: &[u16], coefficients: &[u8]) -> Self {
        assert_eq!(coefficients.len(), sources.len() * targets.len());
        Self { sources: sources.into(), targets: targets.into(), coefficients: coefficients.into() }
    }

    pub fn matrix(&self) -> Matrix {
        let columns = self.sources.len();
        Matrix::from_fn(self.targets.len(), columns, |row, column| {
            self.coefficients[row * columns + column]
        })
    }
}

/// The fields of a serialised plan; nothing is checked.
#[derive(Clone, Debug)]
pub struct Fields {
    pub magic: [u8; 4],
    pub version: u8,
    pub kind: u8,
    pub data_units: u16,
    pub parity_units: u16,
    pub sub_shards: u16,
    /// Unit, first sub-shard and number of sub-shards of each.
    pub reads: Vec<[u16; 3]>,
    pub outputs: Vec<u16>,
    pub scratch: u16,
    pub steps: Vec<Step>,
    /// Bytes between the last step and the checksum: there should be none.
    pub surplus: Vec<u8>,
}

impl Fields {
    /// A plan of a (2, 2) code over a Cauchy matrix, whole shards, no steps.
    pub fn new() -> Self {
        Self {
            magic: *b"RSPL",
            version: 1,
            kind: 1,
            data_units: 2,
            parity_units: 2,
            sub_shards: 1,
            reads: Vec::new(),
            outputs: Vec::new(),
            scratch: 0,
            steps: Vec::new(),
            surplus: Vec::new(),
        }
    }

    /// Units 1 and 2 of a (2, 2) code with two sub-shards, from both sub-shards of unit 0 and the
    /// second of unit 3. Buffers: 0, 1 (unit 0), 2 (unit 3), 3, 4 (unit 1), 5, 6 (unit 2), 7, 8
    /// (scratch).
    pub fn two_steps() -> Self {
        Self {
            sub_shards: 2,
            reads: vec![[0, 0, 2], [3, 1, 1]],
            outputs: vec![1, 2],
            scratch: 2,
            steps: vec![
                Step::new(&[2, 0], &[7, 4, 8], &[0x11, 0x80, 0x01, 0x00, 0x53, 0xCA]),
                Step::new(
                    &[7, 1, 4, 8],
                    &[6, 3, 5],
                    &[0x02, 0x8E, 0xFF, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x39, 0x00, 0x77],
                ),
            ],
            ..Self::new()
        }
    }

    /// The bytes, with a checksum that is right.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend([self.version, self.kind]);
        let mut numbers = vec![self.data_units, self.parity_units, self.sub_shards];
        numbers.push(self.reads.len() as u16);
        numbers.extend(self.reads.iter().flatten());
        numbers.push(self.outputs.len() as u16);
        numbers.extend(&self.outputs);
        numbers.extend([self.scratch, self.steps.len() as u16]);
        bytes.extend(numbers.into_iter().flat_map(u16::to_be_bytes));
        for step in &self.steps {
            for list in [&step.sources, &step.targets] {
                bytes.extend((list.len() as u16).to_be_bytes());
                bytes.extend(list.iter().flat_map(|buffer| buffer.to_be_bytes()));
            }
            bytes.extend(&step.coefficients);
        }
        bytes.extend(&self.surplus);
        with_checksum(bytes)
    }
}

/// The bytes and their CRC32C, most significant byte first.
pub fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc32c(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}
