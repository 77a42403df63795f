package restripe;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * How to compute some units of a code from others: made by {@link ReedSolomon#plan}, immutable.
 *
 * <pre>{@code
 * try (Plan plan = code.plan(new int[] {0, 2, 3, 4, 5, 7}, new int[] {1})) {
 *   plan.apply(inputs, outputs);  // as plan.reads() and plan.outputs() say
 * }
 * }</pre>
 */
public final class Plan extends NativeObject {
  Plan(long handle) {
    super(handle, Plan::close);
  }

  /**
   * A plan as {@link #toBytes} wrote it, by restripe in any language.
   *
   * @throws RestripeException where the bytes are none
   */
  public static Plan fromBytes(byte[] bytes) {
    Native.require();
    return new Plan(parsed(bytes));
  }

  /** The units that are read, in the order in which {@link #apply} takes them. */
  public int[] reads() {
    return reads(handle());
  }

  /** The units that come out, in the order in which they were wanted. */
  public int[] outputs() {
    return outputs(handle());
  }

  /** The plan as bytes, for another machine. */
  public byte[] toBytes() {
    return toBytes(handle());
  }

  /**
   * The share of some of the units that are read: a plan over those alone, whose outputs xor with
   * the shares of the rest to what this plan computes.
   */
  public Plan restrict(int[] units) {
    return new Plan(restrict(handle(), units));
  }

  /**
   * Computes the outputs.
   *
   * @param inputs the shards of {@link #reads}
   * @param outputs the shards of {@link #outputs}
   */
  public void apply(ByteBuffer[] inputs, ByteBuffer[] outputs) {
    apply(inputs, outputs, false);
  }

  /** Adds, by xor, what {@link #apply} would compute to what the outputs hold. */
  public void applyAccumulate(ByteBuffer[] inputs, ByteBuffer[] outputs) {
    apply(inputs, outputs, true);
  }

  private void apply(ByteBuffer[] inputs, ByteBuffer[] outputs, boolean accumulate) {
    Call call = Call.like("input", inputs, inputs.length + outputs.length);
    call.add("input", inputs, false);
    call.add("output", outputs, true);
    apply(
        handle(), call.memory, call.starts, inputs.length, outputs.length, call.length, call.direct,
        accumulate);
  }

  /**
   * {@link #apply} that verifies the inputs and computes the checksums of the outputs in the same
   * pass over memory.
   *
   * @throws ChecksumMismatchException for a chunk of an input that does not have its checksum; what
   *     the outputs hold is then of no use
   */
  public void applyWithChecksums(
      ChunkChecksum checksum, ByteBuffer[] inputs, ByteBuffer[] inputSums, ByteBuffer[] outputs,
      ByteBuffer[] outputSums) {
    int[] counts = {inputs.length, inputSums.length, outputs.length, outputSums.length};
    Call call = Call.like("input", inputs, Arrays.stream(counts).sum());
    int sumsLength = checksum.sumsLength(call.length);
    call.add("input", inputs, false);
    call.add("checksums of input", inputSums, sumsLength, false);
    call.add("output", outputs, true);
    call.add("checksums of output", outputSums, sumsLength, true);
    applyWithChecksums(
        handle(), checksum.kind().id, checksum.bytesPerChecksum(), call.memory, call.starts, counts,
        call.length, call.direct);
  }

  private static native long parsed(byte[] bytes);

  private static native void close(long handle);

  private native int[] reads(long handle);

  private native int[] outputs(long handle);

  private native byte[] toBytes(long handle);

  private native long restrict(long handle, int[] units);

  private native void apply(
      long handle, Object[] memory, long[] starts, int inputs, int outputs, int length,
      boolean direct, boolean accumulate);

  private native void applyWithChecksums(
      long handle, int kind, int bytesPerChecksum, Object[] memory, long[] starts, int[] counts,
      int length, boolean direct);
}
