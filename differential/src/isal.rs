//! Intel's ISA-L, the erasure-code library that Hadoop, liberasurecode and Ceph call.
//!
//! The crate isal-sys builds the library but declares only its compression functions, so those
//! for erasure codes and checksums are declared here, from `erasure_code.h` and `crc.h` of
//! ISA-L 2.31.

use core::ffi::{c_int, c_uchar, c_uint};
use core::marker::PhantomData;

use isal_sys as _;
use restripe::KernelId;
use restripe::gf8::Matrix;

// Pointers to what a function only reads are `const` here; most are not in the C headers.
unsafe extern "C" {
    safe fn gf_mul(a: c_uchar, b: c_uchar) -> c_uchar;
    safe fn gf_inv(a: c_uchar) -> c_uchar;
    fn gf_gen_rs_matrix(elements: *mut c_uchar, rows: c_int, columns: c_int);
    fn gf_gen_cauchy1_matrix(elements: *mut c_uchar, rows: c_int, columns: c_int);
    fn gf_invert_matrix(matrix: *mut c_uchar, inverse: *mut c_uchar, size: c_int) -> c_int;
    fn ec_init_tables(
        columns: c_int,
        rows: c_int,
        coefficients: *const c_uchar,
        tables: *mut c_uchar,
    );
    fn ec_encode_data(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const c_uchar,
        inputs: *const *const c_uchar,
        outputs: *const *mut c_uchar,
    );
    fn ec_init_tables_base(
        columns: c_int,
        rows: c_int,
        coefficients: *const c_uchar,
        tables: *mut c_uchar,
    );
    fn crc32_iscsi(bytes: *const c_uchar, len: c_int, initial: c_uint) -> c_uint;
    fn crc32_gzip_refl(initial: u32, bytes: *const c_uchar, len: u64) -> u32;
}

/// `ec_encode_data` and those of its versions that it chooses from.
type EncodeData = unsafe extern "C" fn(
    len: c_int,
    columns: c_int,
    rows: c_int,
    tables: *const c_uchar,
    inputs: *const *const c_uchar,
    outputs: *const *mut c_uchar,
);

/// Declares functions that are [`EncodeData`].
#[cfg(target_arch = "x86_64")]
macro_rules! versions_of_ec_encode_data {
    ($($name:ident)*) => {
        unsafe extern "C" {
            $(fn $name(
                len: c_int,
                columns: c_int,
                rows: c_int,
                tables: *const c_uchar,
                inputs: *const *const c_uchar,
                outputs: *const *mut c_uchar,
            );)*
        }
    };
}

#[cfg(target_arch = "x86_64")]
versions_of_ec_encode_data! {
    ec_encode_data_avx512_gfni
    ec_encode_data_avx512
    ec_encode_data_avx2_gfni
    ec_encode_data_avx2
    ec_encode_data_sse
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn ec_init_tables_gfni(
        columns: c_int,
        rows: c_int,
        coefficients: *const c_uchar,
        tables: *mut c_uchar,
    );
}

/// ISA-L counts everything in `int`. Panics where a count does not fit.
fn int(count: usize) -> c_int {
    count.try_into().expect("ISA-L takes no count above 2^31 - 1")
}

fn elements(matrix: &Matrix) -> Vec<u8> {
    matrix.iter_rows().flatten().copied().collect()
}

fn matrix(rows: usize, columns: usize, elements: &[u8]) -> Matrix {
    Matrix::from_fn(rows, columns, |row, column| elements[row * columns + column])
}

/// Product of two field elements, by `gf_mul`.
#[must_use]
pub fn mul(a: u8, b: u8) -> u8 {
    gf_mul(a, b)
}

/// Multiplicative inverse, by `gf_inv`; 0 for 0.
#[must_use]
pub fn inverse(a: u8) -> u8 {
    gf_inv(a)
}

/// The coding rows of `gf_gen_cauchy1_matrix`: `parity_units` rows, `data_units` columns.
///
/// Panics when there are more than 256 units: ISA-L would cut the sums to 8 bits.
#[must_use]
pub fn cauchy_rows(data_units: usize, parity_units: usize) -> Matrix {
    generated(gf_gen_cauchy1_matrix, data_units, parity_units)
}

/// The coding rows of `gf_gen_rs_matrix`: `parity_units` rows, `data_units` columns. Not every
/// square part of them can be inverted.
///
/// Panics when there are more than 256 units.
#[must_use]
pub fn vandermonde_rows(data_units: usize, parity_units: usize) -> Matrix {
    generated(gf_gen_rs_matrix, data_units, parity_units)
}

fn generated(
    generate: unsafe extern "C" fn(*mut c_uchar, c_int, c_int),
    data_units: usize,
    parity_units: usize,
) -> Matrix {
    let units = data_units + parity_units;
    assert!(units <= 256, "{units} units");
    let mut all = vec![0; units * data_units];
    // SAFETY: both generators write `units` rows of `data_units` bytes, which `all` holds.
    unsafe { generate(all.as_mut_ptr(), int(units), int(data_units)) };
    let (identity, coding) = all.split_at(data_units * data_units);
    assert_eq!(matrix(data_units, data_units, identity), Matrix::identity(data_units));
    matrix(parity_units, data_units, coding)
}

/// The inverse by `gf_invert_matrix`, or `None` when it says that the matrix is singular.
///
/// Panics when the matrix is not square.
#[must_use]
pub fn inverted(square: &Matrix) -> Option<Matrix> {
    let size = square.rows();
    assert_eq!(size, square.columns(), "only square matrices have inverses");
    let mut input = elements(square);
    let mut output = vec![0; size * size];
    // SAFETY: both hold size x size bytes; the function works in the first and fills the second.
    let status = unsafe { gf_invert_matrix(input.as_mut_ptr(), output.as_mut_ptr(), int(size)) };
    (status == 0).then(|| matrix(size, size, &output))
}

/// Sums of products, by `ec_encode_data`: output r becomes the sum over c of element (r, c) of
/// `rows` times input c.
///
/// Panics when there are not as many inputs as columns and outputs as rows, or when buffers
/// differ in length.
pub fn encode_data<I: AsRef<[u8]>, O: AsMut<[u8]>>(rows: &Matrix, inputs: &[I], outputs: &mut [O]) {
    Encoder::new(rows).encode(inputs, outputs);
}

/// The tables of `ec_init_tables`, to be used more than once.
pub struct Encoder {
    columns: usize,
    rows: usize,
    /// 32 bytes a coefficient, which ISA-L's GFNI code writes as 64-bit words.
    tables: Vec<[u64; 4]>,
    function: EncodeData,
}

impl Encoder {
    /// The tables for the coefficients `rows`, and the function that ISA-L chooses on this CPU.
    #[must_use]
    pub fn new(rows: &Matrix) -> Self {
        Self::with(rows, ec_init_tables, ec_encode_data)
    }

    /// The same by the function that ISA-L has for a kernel of restripe's, where the CPU can run
    /// it.
    #[must_use]
    pub fn for_kernel(rows: &Matrix, kernel: KernelId) -> Option<Self> {
        match kernel.name() {
            #[cfg(target_arch = "x86_64")]
            name => {
                let (tables, function): (_, EncodeData) = match name {
                    "avx512_gfni" => (ec_init_tables_gfni as _, ec_encode_data_avx512_gfni),
                    "avx512" => (ec_init_tables_base as _, ec_encode_data_avx512),
                    "avx2_gfni" => (ec_init_tables_gfni as _, ec_encode_data_avx2_gfni),
                    "avx2" => (ec_init_tables_base as _, ec_encode_data_avx2),
                    "ssse3" => (ec_init_tables_base as _, ec_encode_data_sse),
                    _ => return None,
                };
                Some(Self::with(rows, tables, function))
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }

    fn with(
        rows: &Matrix,
        init_tables: unsafe extern "C" fn(c_int, c_int, *const c_uchar, *mut c_uchar),
        function: EncodeData,
    ) -> Self {
        let coefficients = elements(rows);
        let (columns, rows) = (rows.columns(), rows.rows());
        let mut tables = vec![[0; 4]; coefficients.len()];
        let (coefficients, bytes) = (coefficients.as_ptr(), tables.as_mut_ptr().cast());
        // SAFETY: there are columns x rows coefficients and 32 bytes of tables for each.
        unsafe { init_tables(int(columns), int(rows), coefficients, bytes) };
        Self { columns, rows, tables, function }
    }

    /// As [`encode_data`], and panics where that does.
    pub fn encode<I: AsRef<[u8]>, O: AsMut<[u8]>>(&self, inputs: &[I], outputs: &mut [O]) {
        self.call(inputs, outputs).run();
    }

    /// What [`encode`](Self::encode) calls, as a caller in C has it: pointers in arrays. It can be
    /// run many times.
    ///
    /// Panics as [`encode_data`] does.
    pub fn call<'a, I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &'a self,
        inputs: &'a [I],
        outputs: &'a mut [O],
    ) -> Call<'a> {
        assert_eq!(inputs.len(), self.columns, "one input a column");
        assert_eq!(outputs.len(), self.rows, "one output a row");
        let Some(len) = inputs.first().map(|input| input.as_ref().len()) else {
            panic!("no inputs");
        };
        let inputs = inputs
            .iter()
            .map(|input| {
                let input = input.as_ref();
                assert_eq!(input.len(), len, "inputs differ in length");
                input.as_ptr()
            })
            .collect();
        let outputs = outputs
            .iter_mut()
            .map(|output| {
                let output = output.as_mut();
                assert_eq!(output.len(), len, "an output differs from the inputs in length");
                output.as_mut_ptr()
            })
            .collect();
        Call { encoder: self, len: int(len), inputs, outputs, borrowed: PhantomData }
    }
}

/// Rebuilding data units from nothing but the generator matrix, as a caller in C does it that keeps
/// no tables: inversion, tables, products. Its memory is allocated once.
pub struct ColdDecoder {
    data_units: usize,
    generator: Vec<u8>,
    square: Vec<u8>,
    inverse: Vec<u8>,
    rows: Vec<u8>,
    tables: Vec<[u64; 4]>,
}

impl ColdDecoder {
    /// For the code of [`cauchy_rows`].
    #[must_use]
    pub fn new(data_units: usize, parity_units: usize) -> Self {
        let mut generator = elements(&Matrix::identity(data_units));
        generator.extend(elements(&cauchy_rows(data_units, parity_units)));
        let square = data_units * data_units;
        Self {
            data_units,
            generator,
            square: vec![0; square],
            inverse: vec![0; square],
            rows: vec![0; data_units * parity_units],
            tables: vec![[0; 4]; data_units * parity_units],
        }
    }

    /// Computes the data units `lost` from the units `available`, as many as there are data units.
    ///
    /// Panics where these do not determine them, or buffers do not fit.
    pub fn decode(
        &mut self,
        available: &[usize],
        lost: &[usize],
        inputs: &[&[u8]],
        outputs: &mut [&mut [u8]],
    ) {
        let k = self.data_units;
        assert!(available.len() == k && inputs.len() == k && outputs.len() == lost.len());
        let len = inputs[0].len();
        assert!(inputs.iter().all(|input| input.len() == len));
        assert!(outputs.iter().all(|output| output.len() == len));
        for (row, &unit) in self.square.chunks_exact_mut(k).zip(available) {
            row.copy_from_slice(&self.generator[unit * k..(unit + 1) * k]);
        }
        let (square, inverse) = (self.square.as_mut_ptr(), self.inverse.as_mut_ptr());
        // SAFETY: both hold k x k bytes.
        assert_eq!(unsafe { gf_invert_matrix(square, inverse, int(k)) }, 0, "no inverse");
        for (row, &unit) in self.rows.chunks_exact_mut(k).zip(lost) {
            row.copy_from_slice(&self.inverse[unit * k..(unit + 1) * k]);
        }
        let mut input_pointers = [core::ptr::null(); 256];
        for (slot, input) in input_pointers.iter_mut().zip(inputs) {
            *slot = input.as_ptr();
        }
        let mut output_pointers = [core::ptr::null_mut(); 256];
        for (slot, output) in output_pointers.iter_mut().zip(outputs) {
            *slot = output.as_mut_ptr();
        }
        let tables: *mut c_uchar = self.tables.as_mut_ptr().cast();
        // SAFETY: there are k coefficients for each unit lost, of which there are at most as many
        // as parity units (slicing would have panicked), and 32 bytes of tables for each; the
        // pointers are those of as many slices of `len` bytes.
        unsafe {
            ec_init_tables(int(k), int(lost.len()), self.rows.as_ptr(), tables);
            let (inputs, outputs) = (input_pointers.as_ptr(), output_pointers.as_ptr());
            ec_encode_data(int(len), int(k), int(lost.len()), tables, inputs, outputs);
        }
    }
}

/// One call of an [`Encoder`], with all its arguments.
pub struct Call<'a> {
    encoder: &'a Encoder,
    len: c_int,
    inputs: Vec<*const u8>,
    outputs: Vec<*mut u8>,
    borrowed: PhantomData<&'a mut [u8]>,
}

impl Call<'_> {
    /// Computes all outputs.
    pub fn run(&mut self) {
        let Encoder { columns, rows, ref tables, function } = *self.encoder;
        // SAFETY: the tables are those of columns x rows coefficients, and a CPU that has the
        // function's kernel runs this; there are as many input and output pointers, each to `len`
        // bytes that are still borrowed (`Encoder::call` asserted it); the outputs are borrowed
        // mutably, so they overlap nothing.
        unsafe {
            function(
                self.len,
                int(columns),
                int(rows),
                tables.as_ptr().cast(),
                self.inputs.as_ptr(),
                self.outputs.as_ptr(),
            );
        }
    }
}

/// CRC32C as it is stored, by `crc32_iscsi`, which leaves both inversions to its caller.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    // SAFETY: pointer and length are those of one slice.
    !unsafe { crc32_iscsi(bytes.as_ptr(), int(bytes.len()), !0) }
}

/// CRC32 as gzip and zlib store it, by `crc32_gzip_refl`, which inverts by itself.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    // SAFETY: pointer and length are those of one slice.
    unsafe { crc32_gzip_refl(0, bytes.as_ptr(), bytes.len() as u64) }
}

/// The checksum of every chunk of `chunk_len` bytes, big-endian: [`crc32c`] as a caller in C would
/// have it in a loop.
///
/// Panics where chunks do not make up the bytes, or sums are not as many.
pub fn crc32c_of_chunks(bytes: &[u8], chunk_len: usize, sums: &mut [u8]) {
    for_chunks(bytes, chunk_len, sums, |chunk, len| {
        // SAFETY: the chunk has `len` bytes.
        !unsafe { crc32_iscsi(chunk.as_ptr(), len, !0) }
    });
}

/// As [`crc32c_of_chunks`], by [`crc32`].
pub fn crc32_of_chunks(bytes: &[u8], chunk_len: usize, sums: &mut [u8]) {
    for_chunks(bytes, chunk_len, sums, |chunk, _| {
        // SAFETY: pointer and length are those of one slice.
        unsafe { crc32_gzip_refl(0, chunk.as_ptr(), chunk.len() as u64) }
    });
}

fn for_chunks(
    bytes: &[u8],
    chunk_len: usize,
    sums: &mut [u8],
    sum_of: impl Fn(&[u8], c_int) -> u32,
) {
    let len = int(chunk_len);
    assert_eq!(bytes.len() % chunk_len, 0, "a short chunk");
    assert_eq!(sums.len(), bytes.len() / chunk_len * 4, "one sum a chunk");
    for (chunk, sum) in bytes.chunks_exact(chunk_len).zip(sums.as_chunks_mut::<4>().0) {
        *sum = sum_of(chunk, len).to_be_bytes();
    }
}
