/*
 * restripe: erasure coding at the speed of the machine, in the bytes that storage already has.
 *
 * For C99 and later, and for C++. This file is made of src/capi/ by `cargo xtask header`.
 *
 * What holds for all functions:
 *
 * - Lengths, offsets and capacities are bytes. Units are counted from 0, data units first. A shard
 *   is one unit's buffer; it may have any alignment, and any length, 0 too.
 * - A function that returns int returns RESTRIPE_OK or one of RESTRIPE_ERROR_...; what it computes
 *   goes to where its last arguments point, which is left alone where it fails, unless the
 *   function says otherwise. restripe_error_detail() then tells what was wrong, with the numbers.
 * - Pointers, lengths, counts and units are checked: NULL, numbers that no buffer can have, units
 *   that the code lacks, and outputs that overlap an input or each other are errors. What cannot be
 *   checked is the caller's promise: that a pointer which is not NULL points to as much memory as
 *   the call says, and that nobody else writes there during the call (or reads there, where the
 *   function writes).
 * - A list of no entries may be NULL, and so may a buffer of no bytes.
 * - Nothing that is passed is kept, and nothing is freed but by the function that has _free in
 *   its name. What a function gives back is the caller's if it is a handle, and else as said.
 * - All functions may be called by any number of threads at the same time, with the same handles,
 *   too. Only a handle that is being freed must not be in use.
 * - No function ends the process or throws. (Where memory runs out the process ends, as it does
 *   with all that is written in Rust.)
 *
 * RESTRIPE_KERNEL in the environment names the kernel to run on (restripe_kernel_name lists them);
 * a name that this CPU does not have is an error of the first call that needs one.
 */

#ifndef RESTRIPE_H
#define RESTRIPE_H

#include <stddef.h>
#include <stdint.h>

#define RESTRIPE_VERSION "0.1.0"
#define RESTRIPE_VERSION_MAJOR 0
#define RESTRIPE_VERSION_MINOR 1
#define RESTRIPE_VERSION_PATCH 0

/**
 * Success.
 */
#define RESTRIPE_OK 0

/**
 * A pointer is NULL where there must be one.
 */
#define RESTRIPE_ERROR_NULL 1

/**
 * A handle is none of this kind, or was freed. (That a handle was freed is found as long as its
 * memory does not hold another one: it is a help in finding mistakes, not a promise.)
 */
#define RESTRIPE_ERROR_HANDLE 2

/**
 * A number or a name is not among those that the function takes.
 */
#define RESTRIPE_ERROR_VALUE 3

/**
 * Numbers of data and parity units that the code cannot have.
 */
#define RESTRIPE_ERROR_UNIT_COUNTS 4

/**
 * The matrix cannot repair every loss of as many units as there are parity units.
 * RESTRIPE_ACCEPT_UNCHECKED takes it all the same.
 */
#define RESTRIPE_ERROR_NOT_MDS 5

/**
 * Whether the matrix repairs every such loss is not known. RESTRIPE_ACCEPT_UNCHECKED takes it all
 * the same.
 */
#define RESTRIPE_ERROR_MDS_UNKNOWN 6

/**
 * A list has another number of entries than the function needs.
 */
#define RESTRIPE_ERROR_COUNT 7

/**
 * A buffer has another length than the function needs, or one that no buffer can have.
 */
#define RESTRIPE_ERROR_LENGTH 8

/**
 * A unit that the code does not have, or that is not of the sort asked for.
 */
#define RESTRIPE_ERROR_UNIT 9

/**
 * A unit is named twice, or as available and as wanted.
 */
#define RESTRIPE_ERROR_DUPLICATE_UNIT 10

/**
 * The plan does not read the unit.
 */
#define RESTRIPE_ERROR_NOT_READ 11

/**
 * Fewer units are available than are required.
 */
#define RESTRIPE_ERROR_TOO_FEW_UNITS 12

/**
 * The available units do not determine one that is wanted.
 */
#define RESTRIPE_ERROR_NOT_RECOVERABLE 13

/**
 * A byte range does not lie within what it is a range of.
 */
#define RESTRIPE_ERROR_RANGE 14

/**
 * A length computed from the arguments has more than 64 bits.
 */
#define RESTRIPE_ERROR_OVERFLOW 15

/**
 * Bytes are not those that their checksum was computed of.
 */
#define RESTRIPE_ERROR_CHECKSUM 16

/**
 * The kernel named by RESTRIPE_KERNEL or by the caller is unknown, or this CPU lacks it.
 */
#define RESTRIPE_ERROR_KERNEL 17

/**
 * A result failed its own check: a fault of the machine or of a kernel.
 */
#define RESTRIPE_ERROR_COMPUTE_CHECK 18

/**
 * Bytes that should hold something serialised do not.
 */
#define RESTRIPE_ERROR_BYTES 19

/**
 * An output overlaps an input or another output.
 */
#define RESTRIPE_ERROR_OVERLAP 20

/**
 * The caller's buffer is too small; how many bytes it takes is given.
 */
#define RESTRIPE_ERROR_BUFFER_TOO_SMALL 21

/**
 * The threads asked for could not be started.
 */
#define RESTRIPE_ERROR_THREADS 22

/**
 * A defect of restripe itself, which ended in the function called and went no further. Outputs
 * of that call are of no use.
 */
#define RESTRIPE_ERROR_INTERNAL 23

/**
 * A file or a connection failed.
 */
#define RESTRIPE_ERROR_IO 24

/**
 * A reconstruction failed; the message says why, and what failed with which source and target.
 */
#define RESTRIPE_ERROR_RECONSTRUCTION 25

/**
 * The version of the interface that this header declares. It grows with what is added, and
 * nothing is taken away without another soname: a program runs on every library whose
 * restripe_abi_version() is not less.
 */
#define RESTRIPE_ABI_VERSION 1

/**
 * 1 / ((k + p) xor i): Hadoop's RS, ISA-L's gf_gen_cauchy1_matrix. (i counts data units, p parity
 * units.)
 */
#define RESTRIPE_MATRIX_CAUCHY 1

/**
 * Backblaze's Vandermonde matrix: klauspost/reedsolomon, MinIO, RustFS, SeaweedFS,
 * reed-solomon-erasure.
 */
#define RESTRIPE_MATRIX_BACKBLAZE 2

/**
 * PAR 1 files. Not always MDS.
 */
#define RESTRIPE_MATRIX_PAR1 3

/**
 * ISA-L's gf_gen_rs_matrix, liberasurecode's isa_l_rs_vand. Not always MDS.
 */
#define RESTRIPE_MATRIX_ISAL_VANDERMONDE 4

/**
 * liberasurecode's isa_l_rs_vand_inv.
 */
#define RESTRIPE_MATRIX_ISAL_VANDERMONDE_INVERTED 5

/**
 * jerasure's reed_sol_van with w = 8.
 */
#define RESTRIPE_MATRIX_JERASURE_VANDERMONDE 6

/**
 * jerasure's reed_sol_r6_op with w = 8; two parity units.
 */
#define RESTRIPE_MATRIX_JERASURE_R6 7

/**
 * zfec, Tahoe-LAFS.
 */
#define RESTRIPE_MATRIX_ZFEC 8

/**
 * Hadoop's RS-LEGACY; at most 255 units.
 */
#define RESTRIPE_MATRIX_RS_LEGACY 9

/**
 * Hadoop's XOR, RAID-4, RAID-5; one parity unit.
 */
#define RESTRIPE_MATRIX_XOR 10

/**
 * The caller's own coefficients: restripe_codec_options.parity_rows.
 */
#define RESTRIPE_MATRIX_CUSTOM 11

/**
 * Hadoop's Hitchhiker-XOR: a repair reads halves of shards. Shards have an even length.
 */
#define RESTRIPE_MATRIX_HITCHHIKER_XOR 12

/**
 * A locally repairable code: restripe_codec_options.local_groups groups of data units with a
 * parity unit each, the other parity units being of all.
 */
#define RESTRIPE_MATRIX_LOCALLY_REPAIRABLE 13

/**
 * Any data_units units give back the others: there is a proof for the matrix.
 */
#define RESTRIPE_MDS_PROVEN 1

/**
 * The maker of the matrix documents it for these numbers of units.
 */
#define RESTRIPE_MDS_DOCUMENTED 2

/**
 * All square submatrices of these very coefficients were found to be invertible.
 */
#define RESTRIPE_MDS_CHECKED 3

/**
 * Not known, or known not to be so; or the code is none by design.
 */
#define RESTRIPE_MDS_UNCHECKED 4

/**
 * In restripe_codec_options.flags: takes a matrix that is not MDS, or not known to be.
 * Some losses may then be beyond repair, which is said before anything is read.
 */
#define RESTRIPE_ACCEPT_UNCHECKED 1

/**
 * All shards agree. (More wrong shards than there are surplus ones can agree by accident.)
 */
#define RESTRIPE_CONSISTENT 1

/**
 * At least one shard is wrong.
 */
#define RESTRIPE_INCONSISTENT 2

/**
 * There is no shard beyond those that determine the rest, so nothing was compared.
 */
#define RESTRIPE_NOTHING_TO_CHECK 3

/**
 * The units listed are wrong, and no others, while no more than `holds_up_to` are.
 */
#define RESTRIPE_VERDICT_WRONG 1

/**
 * Some unit is wrong; the surplus does not tell which.
 */
#define RESTRIPE_VERDICT_CANNOT_TELL 2

/**
 * No checksum at all: nothing is stored, nothing verified.
 */
#define RESTRIPE_CHECKSUM_NULL 0

/**
 * CRC-32/ISO-HDLC, the CRC of zlib.
 */
#define RESTRIPE_CHECKSUM_CRC32 1

/**
 * CRC-32/ISCSI, Castagnoli's: HDFS's default.
 */
#define RESTRIPE_CHECKSUM_CRC32C 2

/**
 * In restripe_striping.flags: every parity cell is a whole cell, the last stripe's, too, as it is
 * with codes that divide cells into sub-shards.
 */
#define RESTRIPE_WHOLE_PARITY_CELLS 1

/**
 * A code with its coefficients, tables and kernel. Immutable: any number of threads may use one
 * at the same time, and only restripe_codec_free must be alone. Make one and keep it.
 */
typedef struct restripe_codec restripe_codec;

/**
 * What restripe_locate found. Immutable: any number of threads may read one at the same time.
 */
typedef struct restripe_locations restripe_locations;

/**
 * How to compute some units of a code from others: which units to read, what of them, and which
 * come out. Immutable: any number of threads may use one at the same time, and only
 * restripe_plan_free must be alone. It does not need the codec that made it.
 */
typedef struct restripe_plan restripe_plan;

/**
 * Choices of restripe_codec_new_with. Set all of it to zeros, then `size`, then what is to
 * differ. Later versions of restripe may add fields at its end, whose zero means what it does
 * now.
 */
typedef struct restripe_codec_options {
    /**
     * sizeof(restripe_codec_options).
     */
    size_t size;
    /**
     * RESTRIPE_MATRIX_...; 0 stands for RESTRIPE_MATRIX_CAUCHY.
     */
    uint32_t matrix;
    /**
     * RESTRIPE_ACCEPT_UNCHECKED, or 0.
     */
    uint32_t flags;
    /**
     * The name of a kernel that this CPU has, whatever RESTRIPE_KERNEL says; NULL for the
     * selected one. Read during the call only.
     */
    const char *kernel;
    /**
     * For RESTRIPE_MATRIX_CUSTOM: a row of data_units bytes for every parity unit, one behind the
     * other; else NULL. Read during the call only.
     */
    const uint8_t *parity_rows;
    /**
     * Bytes at parity_rows: parity_units times data_units, or 0.
     */
    size_t parity_rows_len;
    /**
     * For RESTRIPE_MATRIX_LOCALLY_REPAIRABLE: the number of groups, less than parity_units; else
     * 0.
     */
    size_t local_groups;
    /**
     * Threads that one call of restripe_encode, restripe_encode_with_checksums, restripe_verify or
     * restripe_plan_apply may use where shards are so large that it pays (from 2 MiB of inputs and
     * outputs together): they are the codec's and its plans' own, and wait in between. 0 or 1: the
     * calling thread alone.
     */
    size_t threads;
} restripe_codec_options;

/**
 * What a plan reads of one unit: `count` sub-shards from `first_sub` on. Where a shard has one
 * sub-shard, as in all codes but Hitchhiker's, that is always 0 and 1: the whole shard.
 */
typedef struct restripe_read {
    /**
     * The unit.
     */
    size_t unit;
    /**
     * The first sub-shard that is read.
     */
    size_t first_sub;
    /**
     * How many, one behind the other.
     */
    size_t count;
} restripe_read;

/**
 * A byte range in which shards disagree.
 */
typedef struct restripe_location {
    /**
     * The range's first byte, in every shard.
     */
    size_t start;
    /**
     * One past its last byte.
     */
    size_t end;
    /**
     * The wrong units, ascending; NULL and 0 where the verdict names none. They belong to the
     * list and live as long as it does.
     */
    const size_t *units;
    /**
     * How many they are.
     */
    size_t unit_count;
    /**
     * The most wrong units for which the verdict is certain; 0 where it names none.
     */
    size_t holds_up_to;
    /**
     * RESTRIPE_VERDICT_...
     */
    uint32_t verdict;
} restripe_location;

/**
 * A striped block group. Its bytes are cut into cells; cell c lies in data unit c mod data_units,
 * at offset (c div data_units) times cell_size. Where the last stripe is short, missing bytes
 * count as zero, and its parity cells are as long as its first cell.
 *
 * Set all of it to zeros, then `size` and the others. Later versions of restripe may add fields
 * at its end, whose zero means what it does now.
 */
typedef struct restripe_striping {
    /**
     * sizeof(restripe_striping).
     */
    size_t size;
    /**
     * Data units, at least 1; 256 at the most together with the parity units.
     */
    size_t data_units;
    /**
     * Parity units, at least 1.
     */
    size_t parity_units;
    /**
     * RESTRIPE_WHOLE_PARITY_CELLS, or 0.
     */
    uint32_t flags;
    /**
     * Bytes in a cell, at least 1.
     */
    uint64_t cell_size;
    /**
     * Bytes of data in the group, parity not among them.
     */
    uint64_t group_len;
} restripe_striping;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What a status means, in a few words; never NULL. The text is static.
 */
const char *restripe_strerror(int status);

/**
 * What was wrong in the last call of this thread that did not return RESTRIPE_OK, with the
 * numbers: "parity shard 1 has 511 bytes, expected 512". Empty before the first such call; never
 * NULL.
 *
 * The text is the thread's own and stands until its next call that fails; copy it to keep it.
 */
const char *restripe_error_detail(void);

/**
 * The version of the library, such as "0.1.0". The text is static.
 */
const char *restripe_version(void);

/**
 * The interface that the library has: RESTRIPE_ABI_VERSION of its own header.
 */
uint32_t restripe_abi_version(void);

/**
 * The name of one of the kernels that this CPU can run, best first, from index 0 on; NULL from
 * the index on that there is none for. The text is static.
 *
 * These are the names that RESTRIPE_KERNEL (in the environment) and restripe_codec_options take.
 */
const char *restripe_kernel_name(size_t index);

/**
 * Writes the name of the kernel to `name` that codecs run on unless they are told another, and
 * checksums always: the one that RESTRIPE_KERNEL names, else the best one. It is chosen at the
 * first call that needs it, and kept. The text is static.
 *
 * RESTRIPE_ERROR_KERNEL: RESTRIPE_KERNEL is set to a name that is unknown, or that this CPU does
 * not support.
 */
int restripe_kernel_selected(const char **name);

/**
 * The architecture that the library was built for, such as "x86_64". The text is static.
 */
const char *restripe_cpu_architecture(void);

/**
 * The name that the CPU's maker gives it; empty where nobody tells. The text is static.
 */
const char *restripe_cpu_brand(void);

/**
 * The features of the CPU that kernels may use, separated by spaces. The text is static.
 */
const char *restripe_cpu_features(void);

/**
 * Bytes of the data or unified cache of a level, 1 being the nearest to the core; 0 where there
 * is none or nobody tells.
 */
uint64_t restripe_cpu_cache_bytes(uint32_t level);

/**
 * Makes the code of `data_units` and `parity_units` over the Cauchy matrix, the bytes of Hadoop's
 * RS and of ISA-L's Cauchy code, and writes its handle to `codec`. It is the caller's, to be freed
 * by restripe_codec_free.
 *
 * RESTRIPE_ERROR_UNIT_COUNTS: unless both are at least 1 and together at most 256.
 * RESTRIPE_ERROR_KERNEL: RESTRIPE_KERNEL names no kernel of this CPU.
 */
int restripe_codec_new(size_t data_units,
                       size_t parity_units,
                       struct restripe_codec **codec);

/**
 * As restripe_codec_new, with choices. `options` may be NULL: then it is the same.
 *
 * Also RESTRIPE_ERROR_VALUE: numbers that no matrix kind or flag has, coefficients without
 * RESTRIPE_MATRIX_CUSTOM and the like, what the kind of code does not take;
 * RESTRIPE_ERROR_LENGTH: another number of coefficients; RESTRIPE_ERROR_NOT_MDS and
 * RESTRIPE_ERROR_MDS_UNKNOWN: without RESTRIPE_ACCEPT_UNCHECKED; RESTRIPE_ERROR_KERNEL: no such
 * kernel here; RESTRIPE_ERROR_THREADS: they could not be started.
 */
int restripe_codec_new_with(size_t data_units,
                            size_t parity_units,
                            const struct restripe_codec_options *options,
                            struct restripe_codec **codec);

/**
 * Frees a codec. Plans made by it live on. Does nothing to NULL.
 */
void restripe_codec_free(struct restripe_codec *codec);

/**
 * Data units, k; 0 for what is no codec.
 */
size_t restripe_codec_data_units(const struct restripe_codec *codec);

/**
 * Parity units, m; 0 for what is no codec.
 */
size_t restripe_codec_parity_units(const struct restripe_codec *codec);

/**
 * Sub-shards that each shard is divided into: 1 but for Hitchhiker codes. Lengths of shards are
 * multiples of it. 0 for what is no codec.
 */
size_t restripe_codec_sub_shards(const struct restripe_codec *codec);

/**
 * RESTRIPE_MATRIX_...; 0 for what is no codec.
 */
uint32_t restripe_codec_matrix(const struct restripe_codec *codec);

/**
 * RESTRIPE_MDS_...: whether any data_units units give back the others, and how that is known.
 * 0 for what is no codec.
 */
uint32_t restripe_codec_mds(const struct restripe_codec *codec);

/**
 * The name of the kernel that it runs on; NULL for what is no codec. The text is static.
 */
const char *restripe_codec_kernel(const struct restripe_codec *codec);

/**
 * Writes the coefficients to `rows`: a row for every parity sub-shard, one behind the other, each
 * with a byte for every data sub-shard. `rows_len` is the buffer's length in bytes.
 *
 * RESTRIPE_ERROR_BUFFER_TOO_SMALL: it takes parity_units times data_units times the square of
 * sub_shards.
 */
int restripe_codec_parity_rows(const struct restripe_codec *codec,
                               uint8_t *rows,
                               size_t rows_len);

/**
 * Writes 1 to `recoverable` if the other units give back the `lost` ones, else 0. Nothing is read
 * to know it.
 *
 * RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in `lost`.
 */
int restripe_codec_is_recoverable(const struct restripe_codec *codec,
                                  const size_t *lost,
                                  size_t lost_count,
                                  int *recoverable);

/**
 * Computes all parity shards from all data shards.
 *
 * `data` has `data_count` pointers, one a data unit, in order; `parity` has `parity_count`, one a
 * parity unit. Every parity shard has `len` bytes. `data_lens` has the length of every data shard
 * in bytes, or is NULL: then each has `len`. The longest must have `len` bytes (in a code with
 * sub-shards: rounded up to a multiple of their number); a shorter one counts as continued with
 * zeros, and one of no bytes may be NULL.
 *
 * RESTRIPE_ERROR_COUNT, RESTRIPE_ERROR_LENGTH: where that is not so; RESTRIPE_ERROR_OVERLAP: the
 * parity shards overlap each other or a data shard.
 */
int restripe_encode(const struct restripe_codec *codec,
                    const uint8_t *const *data,
                    const size_t *data_lens,
                    size_t data_count,
                    uint8_t *const *parity,
                    size_t parity_count,
                    size_t len);

/**
 * As restripe_encode, with a check that the parity in memory is what it should be: every column
 * of bytes by one random combination of the parity shards against the same one of the data,
 * derived from the matrix and not from the kernel's tables. `seed` decides the combination: give
 * a random number. It costs about as much as (k + m) / k more parity units would.
 *
 * One wrong parity byte in a column is always caught, several in one column are missed once in
 * 255. Not caught: data that both sides read wrongly, a wrong matrix, memory that goes bad later.
 *
 * RESTRIPE_ERROR_COMPUTE_CHECK: the check failed; the parity is not to be used.
 */
int restripe_encode_verified(const struct restripe_codec *codec,
                             const uint8_t *const *data,
                             const size_t *data_lens,
                             size_t data_count,
                             uint8_t *const *parity,
                             size_t parity_count,
                             size_t len,
                             uint64_t seed);

/**
 * Changes the parity shards as data unit `unit` changes from the `len` bytes at `old_data` to
 * those at `new_data`. No other data unit is read. The shards may be a range of the whole ones,
 * the same range of all.
 *
 * RESTRIPE_ERROR_UNIT: unless it is a data unit; RESTRIPE_ERROR_COUNT: another number of parity
 * shards; RESTRIPE_ERROR_OVERLAP. The parity is then unchanged.
 */
int restripe_update(const struct restripe_codec *codec,
                    size_t unit,
                    const uint8_t *old_data,
                    const uint8_t *new_data,
                    uint8_t *const *parity,
                    size_t parity_count,
                    size_t len);

/**
 * Adds one data unit's share to the parity shards, which began as zeros. Once every data unit was
 * added, in any order, they hold what restripe_encode computes.
 *
 * `data` is the unit's shard of `data_len` bytes, at most `len`; every parity shard has `len`.
 *
 * RESTRIPE_ERROR_UNIT: unless it is a data unit; RESTRIPE_ERROR_COUNT, RESTRIPE_ERROR_LENGTH,
 * RESTRIPE_ERROR_OVERLAP; RESTRIPE_ERROR_VALUE: a code with sub-shards. The parity is then
 * unchanged.
 */
int restripe_accumulate(const struct restripe_codec *codec,
                        size_t unit,
                        const uint8_t *data,
                        size_t data_len,
                        uint8_t *const *parity,
                        size_t parity_count,
                        size_t len);

/**
 * Rebuilds lost shards.
 *
 * `shards` has an entry for every unit, data units first, NULL for what is lost; `shard_count`
 * says how many. `lens` has their lengths in bytes, or is NULL: then each that is there has
 * `len`. A data shard that is shorter than the others counts as continued with zeros; parity
 * shards have one length, and no data shard is longer. (A data unit of no bytes is there: give
 * any pointer, and 0 in `lens`.)
 *
 * `wanted` names `wanted_count` units, of which only those are computed; `outputs` has a buffer
 * for each. `output_lens` has the length of each in bytes, or is NULL: then it is `len`. No
 * buffer is longer than the longest shard. A unit that is there and wanted is not read.
 *
 * RESTRIPE_ERROR_COUNT: another number of shards; RESTRIPE_ERROR_LENGTH: lengths that are not so;
 * RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in `wanted`;
 * RESTRIPE_ERROR_TOO_FEW_UNITS, RESTRIPE_ERROR_NOT_RECOVERABLE: too many are lost;
 * RESTRIPE_ERROR_OVERLAP; RESTRIPE_ERROR_VALUE: a code with sub-shards, of which a plan rebuilds
 * (restripe_plan_new). The outputs are then unchanged.
 */
int restripe_reconstruct(const struct restripe_codec *codec,
                         const uint8_t *const *shards,
                         const size_t *lens,
                         size_t shard_count,
                         const size_t *wanted,
                         uint8_t *const *outputs,
                         const size_t *output_lens,
                         size_t wanted_count,
                         size_t len);

/**
 * Makes the plan that computes the units `wanted`, in that order, from some of `available`, and
 * writes its handle to `plan`. It is the caller's, to be freed by restripe_plan_free.
 *
 * Both lists may be in any order and hold data and parity units. Exactly the units wanted are
 * computed. `available` is taken as an order of preference: where any k units do, the first k are
 * read; codes that can read less for a repair read the fewest bytes. A data unit that is known to
 * be all zeros costs nothing: name it first, and give it 0 bytes when the plan is applied.
 *
 * RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in the lists;
 * RESTRIPE_ERROR_TOO_FEW_UNITS, RESTRIPE_ERROR_NOT_RECOVERABLE: `available` does not give them.
 */
int restripe_plan_new(const struct restripe_codec *codec,
                      const size_t *available,
                      size_t available_count,
                      const size_t *wanted,
                      size_t wanted_count,
                      struct restripe_plan **plan);

/**
 * As restripe_plan_new, from those of `available` that cost least to read: `costs` has a number
 * for every unit of the code, the cost of reading all of it (0 for what costs nothing), and
 * `cost_count` says how many; NULL and 0 stand for one byte being as dear as another. Where
 * several choices cost the same, the first of `available` are read.
 *
 * Also RESTRIPE_ERROR_COUNT: another number of costs.
 */
int restripe_plan_new_cheapest(const struct restripe_codec *codec,
                               const size_t *available,
                               size_t available_count,
                               const size_t *wanted,
                               size_t wanted_count,
                               const uint64_t *costs,
                               size_t cost_count,
                               struct restripe_plan **plan);

/**
 * Writes the share of some of the units that `plan` reads to `restricted`: a plan over those
 * alone, in the order of `plan`, whose outputs xor with the shares of the other units to what
 * `plan` computes. So machines that hold a few units each can send one sum instead of their
 * units. It is the caller's, to be freed by restripe_plan_free.
 *
 * RESTRIPE_ERROR_DUPLICATE_UNIT, RESTRIPE_ERROR_NOT_READ: in `units`.
 */
int restripe_plan_restrict(const struct restripe_plan *plan,
                           const size_t *units,
                           size_t unit_count,
                           struct restripe_plan **restricted);

/**
 * Writes the plan as bytes to `bytes`: to be kept, or carried out on another machine. They are the
 * same on every machine, and every later version of restripe reads them.
 *
 * `capacity` is the buffer's length in bytes; how many the plan takes is written to `len`, also
 * where that is more than there are. So a call with NULL and 0 asks for the length.
 *
 * RESTRIPE_ERROR_BUFFER_TOO_SMALL: nothing was written to `bytes`.
 */
int restripe_plan_to_bytes(const struct restripe_plan *plan,
                           uint8_t *bytes,
                           size_t capacity,
                           size_t *len);

/**
 * Makes the plan that restripe_plan_to_bytes wrote, to run on the selected kernel and the calling
 * thread alone, and writes its handle to `plan`. It is the caller's, to be freed by
 * restripe_plan_free.
 *
 * The checksum in the bytes finds damage, not malice: a plan from somebody who is not trusted
 * computes what they like, though nothing outside its buffers.
 *
 * RESTRIPE_ERROR_BYTES: they are not those of a plan; RESTRIPE_ERROR_KERNEL.
 */
int restripe_plan_from_bytes(const uint8_t *bytes,
                             size_t len,
                             struct restripe_plan **plan);

/**
 * Frees a plan. Does nothing to NULL.
 */
void restripe_plan_free(struct restripe_plan *plan);

/**
 * How many reads a plan has, which is how many inputs it takes; 0 for what is no plan.
 */
size_t restripe_plan_read_count(const struct restripe_plan *plan);

/**
 * Writes what a plan reads as input `index`, counted from 0, to `read`.
 *
 * RESTRIPE_ERROR_RANGE: the plan has no such index.
 */
int restripe_plan_read(const struct restripe_plan *plan,
                       size_t index,
                       struct restripe_read *read);

/**
 * How many units come out of a plan; 0 for what is no plan.
 */
size_t restripe_plan_output_count(const struct restripe_plan *plan);

/**
 * Writes the unit that comes out as output `index`, counted from 0, to `unit`.
 *
 * RESTRIPE_ERROR_RANGE: the plan has no such index.
 */
int restripe_plan_output(const struct restripe_plan *plan,
                         size_t index,
                         size_t *unit);

/**
 * Sub-shards that the plan's code divides shards into, mostly 1; 0 for what is no plan.
 */
size_t restripe_plan_sub_shards(const struct restripe_plan *plan);

/**
 * Computes the outputs of a plan from its inputs.
 *
 * `inputs` has `input_count` buffers, those of restripe_plan_read in order (of each its sub-shards
 * that are read, one behind the other); `outputs` has `output_count`, those of
 * restripe_plan_output. Shards have `len` bytes, and so has every output. `input_lens` has the
 * length of each input in bytes, or is NULL: then each is as long as what is read of a shard. A
 * shorter input counts as continued with zeros; one of no bytes may be NULL.
 *
 * A plan computes every byte on its own (where there are no sub-shards), so all buffers may be
 * the same range of longer shards.
 *
 * RESTRIPE_ERROR_COUNT: another number of inputs or outputs; RESTRIPE_ERROR_LENGTH: `len` is no
 * multiple of the number of sub-shards, or an input is longer than it may be;
 * RESTRIPE_ERROR_OVERLAP. The outputs are then unchanged.
 */
int restripe_plan_apply(const struct restripe_plan *plan,
                        const uint8_t *const *inputs,
                        const size_t *input_lens,
                        size_t input_count,
                        uint8_t *const *outputs,
                        size_t output_count,
                        size_t len);

/**
 * As restripe_plan_apply, but adds (by xor) what it computes to what the outputs hold: for shares
 * of a plan that was restricted.
 *
 * Also RESTRIPE_ERROR_VALUE: a plan of several steps, as some with sub-shards are;
 * restripe_plan_restrict to all its units makes it one of one step.
 */
int restripe_plan_accumulate(const struct restripe_plan *plan,
                             const uint8_t *const *inputs,
                             const size_t *input_lens,
                             size_t input_count,
                             uint8_t *const *outputs,
                             size_t output_count,
                             size_t len);

/**
 * Adds the share of one input, counted from 0 as in restripe_plan_read, to the outputs, which
 * began as zeros. Once every input was added, in any order, they hold what restripe_plan_apply
 * computes. `input` has `input_len` bytes, at most `len`; every output has `len`.
 *
 * RESTRIPE_ERROR_UNIT: no such input; RESTRIPE_ERROR_VALUE: a plan with sub-shards or of several
 * steps; RESTRIPE_ERROR_COUNT, RESTRIPE_ERROR_LENGTH, RESTRIPE_ERROR_OVERLAP. The outputs are then
 * unchanged.
 */
int restripe_plan_add_input(const struct restripe_plan *plan,
                            size_t index,
                            const uint8_t *input,
                            size_t input_len,
                            uint8_t *const *outputs,
                            size_t output_count,
                            size_t len);

/**
 * Writes RESTRIPE_CONSISTENT, RESTRIPE_INCONSISTENT or RESTRIPE_NOTHING_TO_CHECK to `consistency`:
 * whether the shards agree with each other.
 *
 * `shards`, `lens`, `shard_count` and `len` are those of restripe_reconstruct. With as many
 * shards as determine the others there is nothing to compare, which is not agreement.
 *
 * RESTRIPE_ERROR_COUNT: another number of shards; RESTRIPE_ERROR_TOO_FEW_UNITS.
 */
int restripe_verify(const struct restripe_codec *codec,
                    const uint8_t *const *shards,
                    const size_t *lens,
                    size_t shard_count,
                    size_t len,
                    uint32_t *consistency);

/**
 * Looks for wrong shards, without checksums, in ranges of `range_len` bytes each by itself (512 is
 * a good length), and writes a list of those in which shards disagree to `locations`. It is the
 * caller's, to be freed by restripe_locations_free.
 *
 * With w more shards than are required, up to w / 2 wrong ones in a range are named for certain,
 * and up to w - 1 where their errors are independent, as random damage nearly always is.
 * `shards`, `lens`, `shard_count` and `len` are those of restripe_reconstruct.
 *
 * RESTRIPE_ERROR_COUNT: another number of shards; RESTRIPE_ERROR_TOO_FEW_UNITS: fewer than one
 * more than determine the rest; RESTRIPE_ERROR_VALUE: ranges of 0 bytes, a code with sub-shards.
 */
int restripe_locate(const struct restripe_codec *codec,
                    const uint8_t *const *shards,
                    const size_t *lens,
                    size_t shard_count,
                    size_t len,
                    size_t range_len,
                    struct restripe_locations **locations);

/**
 * How many ranges a list has; 0 for what is no list.
 */
size_t restripe_locations_count(const struct restripe_locations *locations);

/**
 * Writes one range of a list, counted from 0, ascending, to `location`.
 *
 * RESTRIPE_ERROR_RANGE: the list has no such index.
 */
int restripe_locations_get(const struct restripe_locations *locations,
                           size_t index,
                           struct restripe_location *location);

/**
 * Frees a list of ranges. Does nothing to NULL.
 */
void restripe_locations_free(struct restripe_locations *locations);

/**
 * Writes the checksum to `checksum` of some bytes of which `before` is the checksum, and the `len`
 * bytes at `bytes` behind them. 0 is the checksum of no bytes.
 *
 * RESTRIPE_ERROR_VALUE: `kind` is none of RESTRIPE_CHECKSUM_...
 */
int restripe_checksum_append(uint32_t kind,
                             uint32_t before,
                             const uint8_t *bytes,
                             size_t len,
                             uint32_t *checksum);

/**
 * Writes the checksum to `checksum` of two runs of bytes, one behind the other, of which only the
 * checksums are known, and the second one's length in bytes.
 *
 * RESTRIPE_ERROR_VALUE: `kind` is none of RESTRIPE_CHECKSUM_...
 */
int restripe_checksum_combine(uint32_t kind,
                              uint32_t first,
                              uint32_t second,
                              uint64_t second_len,
                              uint32_t *checksum);

/**
 * Writes the bytes that the checksums of `data_len` bytes take to `sums_len`: 4 for every chunk of
 * `bytes_per_checksum` bytes, of which the last may be short.
 *
 * RESTRIPE_ERROR_VALUE: no such kind, or chunks that are not 1 byte to 16 MiB long;
 * RESTRIPE_ERROR_OVERFLOW; RESTRIPE_ERROR_KERNEL.
 */
int restripe_checksums_len(uint32_t kind,
                           size_t bytes_per_checksum,
                           uint64_t data_len,
                           uint64_t *sums_len);

/**
 * Computes the checksum of every chunk of `data` into `sums`, big-endian, one behind the other.
 * `sums_len` is what restripe_checksums_len says for `data_len`.
 *
 * RESTRIPE_ERROR_COUNT: it is not; RESTRIPE_ERROR_OVERLAP; else as restripe_checksums_len.
 */
int restripe_checksums_compute(uint32_t kind,
                               size_t bytes_per_checksum,
                               const uint8_t *data,
                               size_t data_len,
                               uint8_t *sums,
                               size_t sums_len);

/**
 * Verifies every chunk of `data` against its checksum in `sums`. `bad_chunk` may be NULL; else it
 * gets the index of the first chunk, from 0, that does not have its checksum, and is left alone
 * where all have.
 *
 * RESTRIPE_ERROR_CHECKSUM: there is such a chunk; RESTRIPE_ERROR_COUNT: `sums_len` is not what
 * restripe_checksums_len says; else as restripe_checksums_len.
 */
int restripe_checksums_verify(uint32_t kind,
                              size_t bytes_per_checksum,
                              const uint8_t *data,
                              size_t data_len,
                              const uint8_t *sums,
                              size_t sums_len,
                              size_t *bad_chunk);

/**
 * As restripe_encode, and computes the chunk checksums of all data and parity shards in one pass
 * over memory.
 *
 * `data_sums` has a buffer for every data shard, `parity_sums` one for every parity shard; each
 * has as many bytes as restripe_checksums_len says for the shard's own length.
 *
 * Errors as restripe_encode and restripe_checksums_len; RESTRIPE_ERROR_OVERLAP also where
 * checksums overlap anything.
 */
int restripe_encode_with_checksums(const struct restripe_codec *codec,
                                   uint32_t kind,
                                   size_t bytes_per_checksum,
                                   const uint8_t *const *data,
                                   const size_t *data_lens,
                                   size_t data_count,
                                   uint8_t *const *parity,
                                   size_t parity_count,
                                   size_t len,
                                   uint8_t *const *data_sums,
                                   uint8_t *const *parity_sums);

/**
 * As restripe_plan_apply, and verifies every input against its chunk checksums and computes those
 * of the outputs in one pass over memory: a repair that takes no damaged byte in.
 *
 * `input_sums` has a buffer for every input, `output_sums` one for every output; each has as many
 * bytes as restripe_checksums_len says for the buffer's own length. The first bytes of all
 * buffers begin a chunk.
 *
 * RESTRIPE_ERROR_CHECKSUM: a chunk of an input does not have its checksum; outputs and their
 * checksums are then of no use. Else errors as restripe_plan_apply and restripe_checksums_len.
 */
int restripe_plan_apply_with_checksums(const struct restripe_plan *plan,
                                       uint32_t kind,
                                       size_t bytes_per_checksum,
                                       const uint8_t *const *inputs,
                                       const size_t *input_lens,
                                       size_t input_count,
                                       const uint8_t *const *input_sums,
                                       uint8_t *const *outputs,
                                       size_t output_count,
                                       size_t len,
                                       uint8_t *const *output_sums);

/**
 * Writes the length of a unit's internal block, in bytes, to `len`.
 *
 * RESTRIPE_ERROR_UNIT: the group has no such unit. As all functions of striping:
 * RESTRIPE_ERROR_UNIT_COUNTS, RESTRIPE_ERROR_VALUE and RESTRIPE_ERROR_OVERFLOW for a striping that
 * is none.
 */
int restripe_striping_unit_len(const struct restripe_striping *striping,
                               size_t unit,
                               uint64_t *len);

/**
 * Writes the number of stripes to `stripes`; the last of them may be short.
 */
int restripe_striping_stripes(const struct restripe_striping *striping,
                              uint64_t *stripes);

/**
 * Writes where the group's byte at `group_offset` lies: its unit, and its offset in there.
 *
 * RESTRIPE_ERROR_RANGE: the group is not as long.
 */
int restripe_striping_position(const struct restripe_striping *striping,
                               uint64_t group_offset,
                               size_t *unit,
                               uint64_t *offset);

/**
 * Writes the group's offset of a data unit's byte to `group_offset`.
 *
 * RESTRIPE_ERROR_UNIT: it is no data unit; RESTRIPE_ERROR_RANGE: the unit is not as long.
 */
int restripe_striping_group_offset(const struct restripe_striping *striping,
                                   size_t unit,
                                   uint64_t offset,
                                   uint64_t *group_offset);

/**
 * Writes the bytes of a unit that belong to the group's bytes from `group_start` to before
 * `group_end`: always one range, from `start` to before `end`, and an empty one where the unit has
 * no part in them, as parity units never have. To rebuild them, read the same range of as many
 * other units as restripe_striping_required_units says.
 *
 * RESTRIPE_ERROR_RANGE: that is no range of the group.
 */
int restripe_striping_unit_range(const struct restripe_striping *striping,
                                 size_t unit,
                                 uint64_t group_start,
                                 uint64_t group_end,
                                 uint64_t *start,
                                 uint64_t *end);

/**
 * Writes how many units have to be read to rebuild any bytes of a unit from `offset` on, where any
 * k units give back the rest: k less the data units that have ended there and are known to be
 * zero.
 */
int restripe_striping_required_units(const struct restripe_striping *striping,
                                     uint64_t offset,
                                     size_t *units);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#ifdef RESTRIPE_UNSTABLE
/*
 * What follows may change from one release to the next without a new soname, until it has been
 * used in earnest: who defines RESTRIPE_UNSTABLE has to be compiled again for each.
 *
 * Packet readers, packet writers and reconstructions, and what these give out, are used by one
 * thread at a time.
 */

/**
 * Room for any packet header: 6 bytes of lengths and the header itself.
 */
#define RESTRIPE_PACKET_HEADER_MAX 33

/**
 * The number of a packet that only shows that the sender lives.
 */
#define RESTRIPE_PACKET_HEARTBEAT -1

/**
 * Length of the header of a .meta file.
 */
#define RESTRIPE_META_HEADER_LEN 7

/**
 * In restripe_send_options.flags: all data goes through memory and is verified there, to sockets,
 * too.
 */
#define RESTRIPE_SEND_VERIFIED 1

/**
 * In restripe_send_options.flags: data that does not have its checksum is sent on all the same,
 * and counted.
 */
#define RESTRIPE_SEND_CORRUPT 2

/**
 * In restripe_send_options.flags: checksums are left out.
 */
#define RESTRIPE_SEND_NO_CHECKSUMS 4

/**
 * Nothing is to be done until something has happened.
 */
#define RESTRIPE_ACTION_NONE 0

/**
 * Open `source`; answer, naming `token`, by restripe_reconstruction_opened or _open_failed.
 */
#define RESTRIPE_ACTION_OPEN 1

/**
 * Lend `count` buffers of `data_len` bytes each or more, by restripe_reconstruction_lend. Asked
 * once.
 */
#define RESTRIPE_ACTION_LEND 2

/**
 * Read `data_len` bytes of `source` from `offset` on to `data`, and the `sums_len` bytes of their
 * checksums to `sums`; bring `read` back by restripe_reconstruction_read_done, _read_failed or
 * _read_cancelled. `cookie` is that of the buffer, `token` names the read.
 */
#define RESTRIPE_ACTION_READ 3

/**
 * The answer to the open or read `token` is no longer needed: end it soon. It still has to come.
 */
#define RESTRIPE_ACTION_CANCEL 4

/**
 * Close `source`.
 */
#define RESTRIPE_ACTION_CLOSE 5

/**
 * Have restripe_job_run run `job`, on any thread, and bring it back by
 * restripe_reconstruction_computed.
 */
#define RESTRIPE_ACTION_COMPUTE 6

/**
 * Send the `sums_len` bytes at `sums` (header and checksums) and then the `count` parts of
 * restripe_outgoing_packet_part to `target`, in the order of these actions; bring `packet` back by
 * restripe_reconstruction_sent, and tell its acknowledgement by restripe_reconstruction_acked.
 * `header` is what those bytes begin with.
 */
#define RESTRIPE_ACTION_SEND 7

/**
 * `data_len` bytes of data unit `unit` from `offset` on are at `data`; bring `delivery` back by
 * restripe_reconstruction_delivered when they are no longer needed.
 */
#define RESTRIPE_ACTION_DELIVER 8

/**
 * `target` has acknowledged everything and is rebuilt.
 */
#define RESTRIPE_ACTION_FINISH_TARGET 9

/**
 * `target` has failed, or is no longer wanted: break off.
 */
#define RESTRIPE_ACTION_DROP_TARGET 10

/**
 * It is over: `status` is RESTRIPE_OK, or RESTRIPE_ERROR_RECONSTRUCTION and `message` says why.
 * The last action; what is still out has to be brought back all the same.
 */
#define RESTRIPE_ACTION_DONE 11

/**
 * Time without an end, and moments that never come.
 */
#define RESTRIPE_NEVER UINT64_MAX

/**
 * In restripe_reconstruction_options.flags: what is read is not held against its checksums.
 */
#define RESTRIPE_UNVERIFIED_SOURCES 1

/**
 * In restripe_reconstruction_options.flags: what is computed is not checked by a second
 * computation.
 */
#define RESTRIPE_UNCHECKED_COMPUTING 2

/**
 * Bytes for a reader.
 */
typedef struct restripe_delivery restripe_delivery;

/**
 * The computation of one round.
 */
typedef struct restripe_job restripe_job;

/**
 * A packet for a target.
 */
typedef struct restripe_outgoing_packet restripe_outgoing_packet;

/**
 * Reads packets from bytes that come in pieces of any size. One thread at a time may use it.
 */
typedef struct restripe_packet_reader restripe_packet_reader;

/**
 * Lays packets out in memory of its own. One thread at a time may use it.
 */
typedef struct restripe_packet_writer restripe_packet_writer;

/**
 * A reconstruction of lost units of one block group, in rounds: a state machine without input,
 * output, threads and clock. The caller does what restripe_reconstruction_poll says and tells what
 * came of it; the same answers at the same times give the same actions.
 *
 * `now` is nanoseconds since a moment that the caller chooses and keeps to. One thread at a time
 * may use a reconstruction; its jobs run on any.
 */
typedef struct restripe_reconstruction restripe_reconstruction;

/**
 * A read that was asked for.
 */
typedef struct restripe_source_read restripe_source_read;

/**
 * What stands before a packet's checksums and data.
 */
typedef struct restripe_packet_header {
    /**
     * Where in the block the data begins, in bytes; at most 63 bits.
     */
    uint64_t offset_in_block;
    /**
     * The packet's number, rising by one; RESTRIPE_PACKET_HEARTBEAT for a heartbeat.
     */
    int64_t seqno;
    /**
     * Length of the data in bytes; at most 31 bits.
     */
    uint32_t data_len;
    /**
     * Not 0 for the packet that ends the block, which holds no data.
     */
    uint8_t last_packet_in_block;
    /**
     * Not 0 where the receiver is to bring all data to the disk before it acknowledges.
     */
    uint8_t sync_block;
} restripe_packet_header;

/**
 * A packet, in its reader's memory.
 */
typedef struct restripe_packet {
    /**
     * Its header.
     */
    struct restripe_packet_header header;
    /**
     * The checksums of the data's chunks, big-endian.
     */
    const uint8_t *checksums;
    /**
     * How many bytes they have.
     */
    size_t checksums_len;
    /**
     * The data, of header.data_len bytes.
     */
    const uint8_t *data;
} restripe_packet;

/**
 * How a block is sent. Set all of it to zeros, then `size` and what is to differ from the usual.
 */
typedef struct restripe_send_options {
    /**
     * sizeof(restripe_send_options).
     */
    size_t size;
    /**
     * RESTRIPE_SEND_... added up; 0 for the usual.
     */
    uint32_t flags;
    /**
     * Set to 0.
     */
    uint32_t reserved;
    /**
     * Bytes of data in a packet, rounded up to whole chunks; 64 KiB where it is less.
     */
    size_t packet_len;
    /**
     * Bytes a second at the most; 0 for no limit.
     */
    uint64_t bytes_per_second;
    /**
     * Nanoseconds that the receiver has to take a packet; 0 for 60 s.
     */
    uint64_t timeout_ns;
} restripe_send_options;

/**
 * What was sent.
 */
typedef struct restripe_sent {
    /**
     * The first byte that was sent: the start of the chunk that `offset` lies in.
     */
    uint64_t chunk_offset;
    /**
     * Bytes of data.
     */
    uint64_t data_len;
    /**
     * Those of them that the kernel took from the file to the socket.
     */
    uint64_t zero_copy_len;
    /**
     * Packets, the last one, which is empty, included.
     */
    uint64_t packets;
    /**
     * Packets with data that does not have its checksum.
     */
    uint64_t corrupt_packets;
} restripe_sent;

/**
 * The choices of one reconstruction. Set all of it to zeros, then `size`, `seed`, and what is to
 * differ from the usual, which zero stands for. Times are nanoseconds.
 */
typedef struct restripe_reconstruction_options {
    /**
     * sizeof(restripe_reconstruction_options).
     */
    size_t size;
    /**
     * Decides the combination that computing is checked by: a number that faults cannot know.
     */
    uint64_t seed;
    /**
     * Bytes of each source in a round, before they are rounded to whole chunks; usually 64 KiB.
     */
    size_t buffer_len;
    /**
     * Bytes that all buffers may take; usually 256 MiB.
     */
    size_t max_memory;
    /**
     * Time for a source to open; usually 60 s.
     */
    uint64_t open_timeout_ns;
    /**
     * Time for a read; usually 60 s.
     */
    uint64_t read_timeout_ns;
    /**
     * Time for a target to acknowledge a packet; usually 60 s.
     */
    uint64_t ack_timeout_ns;
    /**
     * How long nothing may complete before one more source is read beside slow ones;
     * RESTRIPE_NEVER for never. Usually learnt from this group's reads.
     */
    uint64_t hedge_after_ns;
    /**
     * Bytes in a packet, with its header and checksums; usually 64 KiB.
     */
    size_t packet_len;
    /**
     * Packets that may be on the way to a target; usually 80.
     */
    size_t max_unacked_packets;
    /**
     * Sources read beyond those required, 0 to 2, to notice (1) or name (2) one that lies with
     * right checksums.
     */
    size_t extra_sources;
    /**
     * RESTRIPE_UNVERIFIED_SOURCES and RESTRIPE_UNCHECKED_COMPUTING, or 0.
     */
    uint32_t flags;
    /**
     * Set to 0.
     */
    uint32_t reserved;
} restripe_reconstruction_options;

/**
 * What is to be done next. Which fields mean something, `kind` says (RESTRIPE_ACTION_...).
 */
typedef struct restripe_action {
    /**
     * One of RESTRIPE_ACTION_...
     */
    uint32_t kind;
    /**
     * How it ended.
     */
    int status;
    /**
     * Names an open or a read.
     */
    uint64_t token;
    /**
     * Index into the list of sources.
     */
    size_t source;
    /**
     * Index of a target: restripe_reconstruction_target_unit.
     */
    size_t target;
    /**
     * A unit of the code.
     */
    size_t unit;
    /**
     * First byte in the unit's internal block.
     */
    uint64_t offset;
    /**
     * How many buffers, or parts of a packet.
     */
    size_t count;
    /**
     * The caller's name for the buffer.
     */
    void *cookie;
    /**
     * Bytes of data: to be written for a read, only read for a delivery.
     */
    uint8_t *data;
    /**
     * How many.
     */
    size_t data_len;
    /**
     * Bytes of checksums, or of a packet's header and checksums.
     */
    uint8_t *sums;
    /**
     * How many.
     */
    size_t sums_len;
    /**
     * Of a packet.
     */
    struct restripe_packet_header header;
    /**
     * To be brought back.
     */
    struct restripe_source_read *read;
    /**
     * To be run and brought back.
     */
    struct restripe_job *job;
    /**
     * To be sent and brought back.
     */
    struct restripe_outgoing_packet *packet;
    /**
     * To be used and brought back.
     */
    struct restripe_delivery *delivery;
    /**
     * What went wrong; stands as long as the reconstruction.
     */
    const char *message;
} restripe_action;

/**
 * How far a reconstruction has come.
 */
typedef struct restripe_progress {
    /**
     * Rounds computed.
     */
    uint64_t rounds;
    /**
     * Reads begun beside slow ones.
     */
    uint64_t hedges;
    /**
     * Bytes of data that came from sources.
     */
    uint64_t read;
    /**
     * Bytes of data that targets have acknowledged.
     */
    uint64_t acked;
    /**
     * Bytes delivered.
     */
    uint64_t delivered;
    /**
     * Nanoseconds that reads took, added up.
     */
    uint64_t reading_ns;
    /**
     * Nanoseconds that jobs took, from being given out to coming back, added up.
     */
    uint64_t computing_ns;
    /**
     * Sources that were given up.
     */
    size_t failed_sources;
    /**
     * Targets that were given up.
     */
    size_t failed_targets;
    /**
     * Targets that are rebuilt.
     */
    size_t rebuilt_targets;
} restripe_progress;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Writes a header, with the two lengths before it, to `bytes`, which has room for `capacity`; and
 * how many bytes that are to `len`: never more than RESTRIPE_PACKET_HEADER_MAX. The packet has
 * `checksums_len` bytes of checksums.
 *
 * RESTRIPE_ERROR_VALUE: an offset or a length that the format does not hold;
 * RESTRIPE_ERROR_BUFFER_TOO_SMALL: nothing was written to `bytes`.
 */
int restripe_packet_header_encode(const struct restripe_packet_header *header,
                                  uint32_t checksums_len,
                                  uint8_t *bytes,
                                  size_t capacity,
                                  size_t *len);

/**
 * Writes the header that a message of `len` bytes holds to `header`. The message has not the two
 * lengths before it, the second of which is its own length.
 *
 * RESTRIPE_ERROR_BYTES: it is none.
 */
int restripe_packet_header_decode(const uint8_t *message,
                                  size_t len,
                                  struct restripe_packet_header *header);

/**
 * Makes a reader of packets with these checksums (RESTRIPE_CHECKSUM_...), and writes its handle to
 * `reader`. It is the caller's, to be freed by restripe_packet_reader_free.
 *
 * It checks the lengths, not the checksums: for those there is restripe_checksums_verify.
 *
 * RESTRIPE_ERROR_VALUE: no such checksums; RESTRIPE_ERROR_KERNEL.
 */
int restripe_packet_reader_new(uint32_t checksum_kind,
                               size_t bytes_per_checksum,
                               struct restripe_packet_reader **reader);

/**
 * Writes where the next bytes are to be put to `space`, and for how many there is room to `len`:
 * 0 while a packet is there, and after an error. Tell how many came by
 * restripe_packet_reader_advance, before anything else is asked of the reader.
 */
int restripe_packet_reader_space(struct restripe_packet_reader *reader,
                                 uint8_t **space,
                                 size_t *len);

/**
 * Takes the first `count` bytes of the room given for received.
 *
 * RESTRIPE_ERROR_BYTES: lengths that no packet has or that contradict each other; no packet comes
 * after that, and the error stays. RESTRIPE_ERROR_COUNT: there was less room.
 */
int restripe_packet_reader_advance(struct restripe_packet_reader *reader,
                                   size_t count);

/**
 * Copies bytes into the reader, up to the end of the packet at hand, and writes how many to
 * `taken`: for bytes that are in memory already. Errors as restripe_packet_reader_advance.
 */
int restripe_packet_reader_push(struct restripe_packet_reader *reader,
                                const uint8_t *bytes,
                                size_t len,
                                size_t *taken);

/**
 * Writes the packet at hand to `packet` and 1 to `is_there`; or 0 where not all of it has come.
 * What it points to stands until restripe_packet_reader_release.
 */
int restripe_packet_reader_packet(const struct restripe_packet_reader *reader,
                                  struct restripe_packet *packet,
                                  int *is_there);

/**
 * Lets go of the packet at hand, if there is one; what came after it begins the next. Errors as
 * restripe_packet_reader_advance, of the next packet.
 */
int restripe_packet_reader_release(struct restripe_packet_reader *reader);

/**
 * Frees a packet reader. Does nothing to NULL.
 */
void restripe_packet_reader_free(struct restripe_packet_reader *reader);

/**
 * Makes a writer of packets of at most `chunks` chunks, and writes its handle to `writer`. It is
 * the caller's, to be freed by restripe_packet_writer_free.
 *
 * RESTRIPE_ERROR_VALUE: no such checksums, no chunk, or more than a packet of 16 MiB holds;
 * RESTRIPE_ERROR_KERNEL.
 */
int restripe_packet_writer_new(uint32_t checksum_kind,
                               size_t bytes_per_checksum,
                               size_t chunks,
                               struct restripe_packet_writer **writer);

/**
 * Begins a packet of `data_len` bytes of data: writes where its checksums and its data are to be
 * put to `checksums` and `data`, and how many bytes the former have to `checksums_len`.
 *
 * RESTRIPE_ERROR_VALUE: more data than the writer's chunks hold.
 */
int restripe_packet_writer_prepare(struct restripe_packet_writer *writer,
                                   size_t data_len,
                                   uint8_t **checksums,
                                   size_t *checksums_len,
                                   uint8_t **data);

/**
 * Ends the packet begun with restripe_packet_writer_prepare: writes where it lies, with its header
 * before it, to `bytes` and its length to `len`. It stands there until the next packet.
 *
 * RESTRIPE_ERROR_LENGTH: the packet was begun for another length of data;
 * RESTRIPE_ERROR_VALUE: an offset or a length that the format does not hold.
 */
int restripe_packet_writer_seal(struct restripe_packet_writer *writer,
                                const struct restripe_packet_header *header,
                                const uint8_t **bytes,
                                size_t *len);

/**
 * Lays out a packet around data in memory, computing its checksums: writes where header and
 * checksums lie to `head` and their length to `head_len`. The data is to be sent behind them, from
 * where it is. They stand there until the next packet.
 *
 * RESTRIPE_ERROR_VALUE: as restripe_packet_writer_seal, and more data than the writer's chunks
 * hold. header.data_len must be `data_len`: RESTRIPE_ERROR_LENGTH.
 */
int restripe_packet_writer_frame(struct restripe_packet_writer *writer,
                                 const struct restripe_packet_header *header,
                                 const uint8_t *data,
                                 size_t data_len,
                                 const uint8_t **head,
                                 size_t *head_len);

/**
 * Frees a packet writer. Does nothing to NULL.
 */
void restripe_packet_writer_free(struct restripe_packet_writer *writer);

/**
 * Writes the RESTRIPE_META_HEADER_LEN bytes that a .meta file with these checksums begins with to
 * `bytes`. The checksums of the block's chunks follow.
 *
 * RESTRIPE_ERROR_VALUE: no such checksums; RESTRIPE_ERROR_KERNEL.
 */
int restripe_meta_header_encode(uint32_t checksum_kind,
                                size_t bytes_per_checksum,
                                uint8_t *bytes);

/**
 * Writes which checksums a .meta file has, of which `len` bytes from its beginning on are at
 * `bytes`, to `checksum_kind` and `bytes_per_checksum`.
 *
 * RESTRIPE_ERROR_BYTES: they are none of a .meta file; RESTRIPE_ERROR_COUNT: fewer than
 * RESTRIPE_META_HEADER_LEN; RESTRIPE_ERROR_KERNEL.
 */
int restripe_meta_header_decode(const uint8_t *bytes,
                                size_t len,
                                uint32_t *checksum_kind,
                                size_t *bytes_per_checksum);

/**
 * Sends the bytes of a block from `offset` on, `len` of them (UINT64_MAX: up to its end), as
 * packets, the last one too: whole chunks, so the first byte may lie before `offset`. The block's
 * data and its .meta file are two regular files; what was sent is written to `sent`.
 *
 * To a socket the kernel sends the data, which is then not verified here: the receiver has to.
 * To anything else it goes through memory, verified. The descriptors stay the caller's and open,
 * and the files' positions as they are. `options` may be NULL for the usual.
 *
 * A program should ignore SIGPIPE: the kernel raises it where the receiver has gone.
 *
 * RESTRIPE_ERROR_IO: a file or the receiver failed, or the receiver was too slow;
 * RESTRIPE_ERROR_BYTES: the .meta file is none of a block of that length;
 * RESTRIPE_ERROR_CHECKSUM: data does not have its checksum, and its packet was not sent;
 * RESTRIPE_ERROR_RANGE: the block is not as long; RESTRIPE_ERROR_VALUE: in the options. The
 * receiver then lacks the last packet, so it knows that it does not have everything.
 */
int restripe_send_block(int data,
                        int meta,
                        uint64_t offset,
                        uint64_t len,
                        int output,
                        const struct restripe_send_options *options,
                        struct restripe_sent *sent);

/**
 * Prepares the reconstruction of the units `targets` from the live units `sources`, in order of
 * preference, of a striped group; `target_count` 0 stands for every unit that is not live and has
 * any bytes. Writes its handle to `reconstruction`: the caller's, to be freed by
 * restripe_reconstruction_free. The codec is not needed any more.
 *
 * RESTRIPE_ERROR_TOO_FEW_UNITS, RESTRIPE_ERROR_NOT_RECOVERABLE: the live units do not give the
 * targets; RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in the lists; RESTRIPE_ERROR_COUNT:
 * codec and striping differ in their units; RESTRIPE_ERROR_VALUE: in the options, or a code that
 * cannot do with them.
 */
int restripe_reconstruction_new(const restripe_codec *codec,
                                const restripe_striping *striping,
                                const size_t *sources,
                                size_t source_count,
                                const size_t *targets,
                                size_t target_count,
                                const struct restripe_reconstruction_options *options,
                                uint64_t now,
                                struct restripe_reconstruction **reconstruction);

/**
 * Prepares a read of the group's bytes from `group_start` to before `group_end`: of live units
 * they are read, of lost ones rebuilt. They come with RESTRIPE_ACTION_DELIVER, in order within
 * each unit. Else as restripe_reconstruction_new.
 *
 * Also RESTRIPE_ERROR_RANGE: that is no range of the group.
 */
int restripe_reconstruction_new_of_range(const restripe_codec *codec,
                                         const restripe_striping *striping,
                                         const size_t *sources,
                                         size_t source_count,
                                         uint64_t group_start,
                                         uint64_t group_end,
                                         const struct restripe_reconstruction_options *options,
                                         uint64_t now,
                                         struct restripe_reconstruction **reconstruction);

/**
 * Writes what is to be done next to `action`: to be called after restripe_reconstruction_new and
 * after everything that is told, until it gives RESTRIPE_ACTION_NONE.
 */
int restripe_reconstruction_poll(struct restripe_reconstruction *reconstruction,
                                 struct restripe_action *action);

/**
 * Writes when restripe_reconstruction_timer is due, if nothing is told before, to `at`:
 * RESTRIPE_NEVER where there is nothing to wait for. To be asked after the last poll.
 */
int restripe_reconstruction_timeout(const struct restripe_reconstruction *reconstruction,
                                    uint64_t *at);

/**
 * How many targets there are; 0 for what is no reconstruction.
 */
size_t restripe_reconstruction_target_count(const struct restripe_reconstruction *reconstruction);

/**
 * Writes the unit that target `index`, counted from 0, rebuilds to `unit`.
 *
 * RESTRIPE_ERROR_RANGE: there is no such target.
 */
int restripe_reconstruction_target_unit(const struct restripe_reconstruction *reconstruction,
                                        size_t index,
                                        size_t *unit);

/**
 * Writes which checksums most sources have, which packets come with, to `checksum_kind` and
 * `bytes_per_checksum`, once sources were opened: before, `bytes_per_checksum` becomes 0.
 */
int restripe_reconstruction_checksum(const struct restripe_reconstruction *reconstruction,
                                     uint32_t *checksum_kind,
                                     size_t *bytes_per_checksum);

/**
 * Writes how far it has come to `progress`; at any time.
 */
int restripe_reconstruction_progress(const struct restripe_reconstruction *reconstruction,
                                     struct restripe_progress *progress);

/**
 * Gives a lent buffer back, once it is over: writes its cookie to `cookie` and 1 to `is_there`, or
 * 0 where none is home. When everything that was given out has been brought back, all of them have
 * come.
 */
int restripe_reconstruction_take_buffer(struct restripe_reconstruction *reconstruction,
                                        void **cookie,
                                        int *is_there);

/**
 * 1 when it is over and all that was given out has been brought back, else 0; also 0 for what is
 * no reconstruction.
 */
int restripe_reconstruction_is_idle(const struct restripe_reconstruction *reconstruction);

/**
 * Frees a reconstruction, over or not; lent buffers are the caller's again, but for those of
 * reads, jobs, packets and deliveries that are still out: these are to be freed by the functions
 * that have _discard in their names. Does nothing to NULL.
 */
void restripe_reconstruction_free(struct restripe_reconstruction *reconstruction);

/**
 * A source is open. `checksum_kind` and `bytes_per_checksum` are those of its .meta file;
 * `len` is its length in bytes, or RESTRIPE_NEVER where that is not known.
 *
 * RESTRIPE_ERROR_VALUE: no such checksums.
 */
int restripe_reconstruction_opened(struct restripe_reconstruction *reconstruction,
                                   uint64_t token,
                                   uint32_t checksum_kind,
                                   size_t bytes_per_checksum,
                                   uint64_t len,
                                   uint64_t now);

/**
 * A source cannot be opened; `why` is a text for reports, or NULL.
 */
int restripe_reconstruction_open_failed(struct restripe_reconstruction *reconstruction,
                                        uint64_t token,
                                        const char *why,
                                        uint64_t now);

/**
 * Lends a buffer, as RESTRIPE_ACTION_LEND asked for: `len` bytes from `start` on, which nobody
 * else may use until it is back (restripe_reconstruction_take_buffer). `cookie` is whatever the
 * caller tells it by.
 *
 * RESTRIPE_ERROR_LENGTH: it is shorter than was asked for; RESTRIPE_ERROR_COUNT: more were lent
 * than were asked for; RESTRIPE_ERROR_OVERLAP: it overlaps one that was lent.
 */
int restripe_reconstruction_lend(struct restripe_reconstruction *reconstruction,
                                 uint8_t *start,
                                 size_t len,
                                 void *cookie,
                                 uint64_t now);

/**
 * A read has ended: `len` bytes of data came, and the checksums of their chunks; fewer than were
 * asked for mean that the source ends there. The read is freed.
 *
 * RESTRIPE_ERROR_HANDLE: it is another reconstruction's, and stays; RESTRIPE_ERROR_VALUE: more
 * than was asked for, likewise.
 */
int restripe_reconstruction_read_done(struct restripe_reconstruction *reconstruction,
                                      struct restripe_source_read *read,
                                      size_t len,
                                      uint64_t now);

/**
 * A read failed, and its source is not to be used again; `why` is a text for reports, or NULL. The
 * read is freed. Errors as restripe_reconstruction_read_done.
 */
int restripe_reconstruction_read_failed(struct restripe_reconstruction *reconstruction,
                                        struct restripe_source_read *read,
                                        const char *why,
                                        uint64_t now);

/**
 * A read was cancelled and has ended; its source is as good as before. The read is freed. Errors
 * as restripe_reconstruction_read_done.
 */
int restripe_reconstruction_read_cancelled(struct restripe_reconstruction *reconstruction,
                                           struct restripe_source_read *read,
                                           uint64_t now);

/**
 * Runs a job: verifies what was read, computes, checks. On any thread, without the reconstruction.
 * What comes of it, failures too, the reconstruction takes from the job.
 */
int restripe_job_run(struct restripe_job *job);

/**
 * A job was run. It is freed. RESTRIPE_ERROR_HANDLE: it is another reconstruction's, and stays.
 */
int restripe_reconstruction_computed(struct restripe_reconstruction *reconstruction,
                                     struct restripe_job *job,
                                     uint64_t now);

/**
 * Writes where part `index`, counted from 0, of a packet's data lies to `data`, and its length to
 * `len`.
 *
 * RESTRIPE_ERROR_RANGE: the packet has no such part.
 */
int restripe_outgoing_packet_part(const struct restripe_outgoing_packet *packet,
                                  size_t index,
                                  const uint8_t **data,
                                  size_t *len);

/**
 * A packet's bytes are no longer needed: they were sent, or never will be. It is freed.
 * RESTRIPE_ERROR_HANDLE: it is another reconstruction's, and stays.
 */
int restripe_reconstruction_sent(struct restripe_reconstruction *reconstruction,
                                 struct restripe_outgoing_packet *packet,
                                 uint64_t now);

/**
 * Delivered bytes are no longer needed. The delivery is freed. RESTRIPE_ERROR_HANDLE: it is
 * another reconstruction's, and stays.
 */
int restripe_reconstruction_delivered(struct restripe_reconstruction *reconstruction,
                                      struct restripe_delivery *delivery,
                                      uint64_t now);

/**
 * A target has acknowledged the packet `seqno`.
 */
int restripe_reconstruction_acked(struct restripe_reconstruction *reconstruction,
                                  size_t target,
                                  int64_t seqno,
                                  uint64_t now);

/**
 * A target cannot be reached, refuses, or reports a failure; `why` is a text for reports, or NULL.
 */
int restripe_reconstruction_target_failed(struct restripe_reconstruction *reconstruction,
                                          size_t target,
                                          const char *why,
                                          uint64_t now);

/**
 * The moment that restripe_reconstruction_timeout named has come.
 */
int restripe_reconstruction_timer(struct restripe_reconstruction *reconstruction,
                                  uint64_t now);

/**
 * The caller wants no more of it. RESTRIPE_ACTION_DONE follows.
 */
int restripe_reconstruction_cancel(struct restripe_reconstruction *reconstruction,
                                   uint64_t now);

/**
 * Frees a read that is not to be brought back, its reconstruction being freed. Does nothing to
 * NULL.
 */
void restripe_source_read_discard(struct restripe_source_read *read);

/**
 * Frees a job that is not to be brought back, its reconstruction being freed. Does nothing to
 * NULL.
 */
void restripe_job_discard(struct restripe_job *job);

/**
 * Frees a packet that is not to be brought back, its reconstruction being freed. Does nothing to
 * NULL.
 */
void restripe_outgoing_packet_discard(struct restripe_outgoing_packet *packet);

/**
 * Frees a delivery that is not to be brought back, its reconstruction being freed. Does nothing to
 * NULL.
 */
void restripe_delivery_discard(struct restripe_delivery *delivery);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  // RESTRIPE_UNSTABLE

#endif  /* RESTRIPE_H */
