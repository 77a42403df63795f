package restripe;

/** Whose shards a {@link ReedSolomon} code makes and reads: its generator matrix. */
public enum Matrix {
  /** Hadoop's RS, ISA-L's Cauchy matrix: up to 256 units. */
  CAUCHY("cauchy"),
  /** Backblaze's; klauspost/reedsolomon, MinIO, RustFS, SeaweedFS: up to 256 units. */
  BACKBLAZE("backblaze"),
  /** PAR 1 files: up to 256 units; from 3 data and 4 parity units on not every loss is repaired. */
  PAR1("par1"),
  /** ISA-L's {@code gf_gen_rs_matrix}: not every loss is repaired where there are many units. */
  ISAL_VANDERMONDE("isal-vandermonde"),
  /** liberasurecode's {@code isa_l_rs_vand_inv}. */
  ISAL_VANDERMONDE_INVERTED("isal-vandermonde-inverted"),
  /** jerasure's {@code reed_sol_van} with w = 8. */
  JERASURE_VANDERMONDE("jerasure-vandermonde"),
  /** jerasure's {@code reed_sol_r6_op} with w = 8: two parity units. */
  JERASURE_R6("jerasure-r6"),
  /** zfec, Tahoe-LAFS. */
  ZFEC("zfec"),
  /** Hadoop's RS-LEGACY: up to 255 units. */
  RS_LEGACY("rs-legacy"),
  /** Hadoop's XOR: one parity unit. */
  XOR("xor");

  /** The engine's name of it. */
  final String id;

  Matrix(String id) {
    this.id = id;
  }
}
