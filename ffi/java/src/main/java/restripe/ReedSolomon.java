package restripe;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Reed-Solomon: some data units, some parity units, and as many units as there are data units give
 * back the rest.
 *
 * <p>The units are numbered, data first. A <em>shard</em> is one unit's buffer; all shards of a
 * call have as many bytes remaining as each other.
 *
 * <pre>{@code
 * try (ReedSolomon code = new ReedSolomon(6, 3)) {  // Hadoop's RS-6-3
 *   code.encode(data, parity);                      // 6 and 3 buffers
 *
 *   ByteBuffer[] units = {data[0], null, data[2], data[3], data[4], data[5], null, parity[1], null};
 *   code.reconstruct(units, new int[] {1}, new ByteBuffer[] {rebuilt});
 * }
 * }</pre>
 *
 * <p>Planning is cached, so one code for all calls is the fast way.
 */
public final class ReedSolomon extends NativeObject {
  /** Shared codes there are at the most; nobody has as many policies. */
  private static final int MAX_SHARED = 256;

  private static final Map<String, ReedSolomon> SHARED = new ConcurrentHashMap<>();

  private final int dataUnits;
  private final int parityUnits;
  private final boolean isShared;

  /**
   * Hadoop's and ISA-L's code.
   *
   * @param dataUnits 1 or more
   * @param parityUnits 1 or more; together at most 256
   */
  public ReedSolomon(int dataUnits, int parityUnits) {
    this(dataUnits, parityUnits, Matrix.CAUCHY);
  }

  /** The code of another system. Matrices that are not known to repair every loss are refused. */
  public ReedSolomon(int dataUnits, int parityUnits, Matrix matrix) {
    this(dataUnits, parityUnits, matrix, false);
  }

  /**
   * The code of another system.
   *
   * @param acceptUnchecked whether to take a matrix that does not repair every loss of as many
   *     units as there are parity units, or is not known to
   */
  public ReedSolomon(int dataUnits, int parityUnits, Matrix matrix, boolean acceptUnchecked) {
    this(dataUnits, parityUnits, matrix, acceptUnchecked, false);
  }

  private ReedSolomon(
      int dataUnits, int parityUnits, Matrix matrix, boolean acceptUnchecked, boolean isShared) {
    super(opened(dataUnits, parityUnits, matrix, acceptUnchecked), ReedSolomon::close);
    this.dataUnits = dataUnits;
    this.parityUnits = parityUnits;
    this.isShared = isShared;
  }

  /**
   * A code that all callers in this virtual machine share, with its cache of plans. Closing it does
   * nothing.
   */
  public static ReedSolomon shared(int dataUnits, int parityUnits, Matrix matrix) {
    String key = matrix.id + '-' + dataUnits + '-' + parityUnits;
    ReedSolomon code = SHARED.get(key);
    if (code != null) {
      return code;
    }
    code = new ReedSolomon(dataUnits, parityUnits, matrix, false, true);
    if (SHARED.size() >= MAX_SHARED) {
      return code;
    }
    ReedSolomon first = SHARED.putIfAbsent(key, code);
    return first == null ? code : first;
  }

  /** How many data units there are. */
  public int dataUnits() {
    return dataUnits;
  }

  /** How many parity units there are. */
  public int parityUnits() {
    return parityUnits;
  }

  /** {@inheritDoc} A {@linkplain #shared shared} code stays open. */
  @Override
  public void close() {
    if (!isShared) {
      super.close();
    }
  }

  /**
   * Computes all parity shards from all data shards.
   *
   * @throws IllegalArgumentException for other numbers of shards, or lengths that differ
   * @throws IllegalStateException when this is closed
   */
  public void encode(ByteBuffer[] data, ByteBuffer[] parity) {
    Call call = Call.like("data shard", data, data.length + parity.length);
    call.add("data shard", data, false);
    call.add("parity shard", parity, true);
    encode(call, data.length, parity.length);
  }

  /** {@link #encode(ByteBuffer[], ByteBuffer[])} for parts of arrays: {@code length} bytes each. */
  public void encode(
      byte[][] data, int[] dataOffsets, byte[][] parity, int[] parityOffsets, int length) {
    Call call = Call.arrays(length, data.length + parity.length);
    call.add("data shard", data, dataOffsets);
    call.add("parity shard", parity, parityOffsets);
    encode(call, data.length, parity.length);
  }

  private void encode(Call call, int inputs, int outputs) {
    encode(handle(), call.memory, call.starts, inputs, outputs, call.length, call.direct);
  }

  /**
   * Rebuilds units from others. Of those that are there the first are read, as many as there are
   * data units. Units that are erased are not read where there are enough others, though their
   * shards be there.
   *
   * @param units the shards of all units in their order, null for those that are not there
   * @param erased the units to be rebuilt, in any order
   * @param outputs the shards that they are written to, in the same order
   * @throws IllegalArgumentException where too few units are there, for other numbers of shards,
   *     for lengths that differ, for an erased unit that is named twice or is none
   * @throws IllegalStateException when this is closed
   */
  public void reconstruct(ByteBuffer[] units, int[] erased, ByteBuffer[] outputs) {
    Call call = Call.like("unit", units, units.length + outputs.length);
    call.add("unit", units, false);
    call.add("output", outputs, true);
    reconstruct(call, units.length, erased, outputs.length);
  }

  /**
   * {@link #reconstruct(ByteBuffer[], int[], ByteBuffer[])} for parts of arrays: {@code length}
   * bytes each.
   */
  public void reconstruct(
      byte[][] units, int[] unitOffsets, int[] erased, byte[][] outputs, int[] outputOffsets,
      int length) {
    Call call = Call.arrays(length, units.length + outputs.length);
    call.add("unit", units, unitOffsets);
    call.add("output", outputs, outputOffsets);
    reconstruct(call, units.length, erased, outputs.length);
  }

  private void reconstruct(Call call, int units, int[] erased, int outputs) {
    reconstruct(
        handle(), call.memory, call.starts, units, erased, outputs, call.length, call.direct);
  }

  /**
   * {@link #encode(ByteBuffer[], ByteBuffer[])}, and the chunk checksums of all shards in the same
   * pass over memory.
   *
   * @param dataSums a buffer for every data shard, with {@link ChunkChecksum#sumsLength} bytes
   * @param paritySums the same for every parity shard
   */
  public void encodeWithChecksums(
      ChunkChecksum checksum, ByteBuffer[] data, ByteBuffer[] parity, ByteBuffer[] dataSums,
      ByteBuffer[] paritySums) {
    int[] counts = {data.length, parity.length, dataSums.length, paritySums.length};
    Call call = Call.like("data shard", data, Arrays.stream(counts).sum());
    int sumsLength = checksum.sumsLength(call.length);
    call.add("data shard", data, false);
    call.add("parity shard", parity, true);
    call.add("checksums of data shard", dataSums, sumsLength, true);
    call.add("checksums of parity shard", paritySums, sumsLength, true);
    encodeWithChecksums(
        handle(), checksum.kind().id, checksum.bytesPerChecksum(), call.memory, call.starts, counts,
        call.length, call.direct);
  }

  /**
   * How to compute units from others, to be kept or sent.
   *
   * @param available the units that are there, in order of preference
   * @param wanted the units to be computed
   */
  public Plan plan(int[] available, int[] wanted) {
    return new Plan(plan(handle(), available, wanted));
  }

  private static long opened(
      int dataUnits, int parityUnits, Matrix matrix, boolean acceptUnchecked) {
    Native.require();
    return open(dataUnits, parityUnits, matrix.id, acceptUnchecked);
  }

  private static native long open(
      int dataUnits, int parityUnits, String matrix, boolean acceptUnchecked);

  private static native void close(long handle);

  private native long plan(long handle, int[] available, int[] wanted);

  private native void encode(
      long handle, Object[] memory, long[] starts, int data, int parity, int length,
      boolean direct);

  private native void reconstruct(
      long handle, Object[] memory, long[] starts, int units, int[] erased, int outputs, int length,
      boolean direct);

  private native void encodeWithChecksums(
      long handle, int kind, int bytesPerChecksum, Object[] memory, long[] starts, int[] counts,
      int length, boolean direct);
}
